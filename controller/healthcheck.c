/*
 * healthcheck.c - asks a running controller whether it is ready.
 */
#include "controller/healthcheck.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/err.h"
#include "proto/base/file.h"

#define URL_MAX 512
#define LIMIT_MS 5000L

static void
url_path(const char *dir, char *out, size_t size)
{
	snprintf(out, size, "%s/health", dir);
}

int
healthcheck_note(const char *dir, const char *url, struct diag *why)
{
	char path[4200];

	url_path(dir, path, sizeof(path));
	return file_write(path, url, strlen(url), 0644, why);
}

static size_t
drop(char *data, size_t size, size_t n, void *arg)
{
	(void)data;
	(void)arg;
	return size * n;
}

static int
ask(const char *url, struct diag *why)
{
	CURL *curl;
	CURLcode rc;
	char page[URL_MAX + 16];
	long status = 0;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 ||
	    (curl = curl_easy_init()) == NULL)
		return diag_set(why, ERR_NOMEM, "libcurl does not start");
	snprintf(page, sizeof(page), "%s/readyz", url);
	curl_easy_setopt(curl, CURLOPT_URL, page);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, LIMIT_MS);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop);
	rc = curl_easy_perform(curl);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	if (rc != CURLE_OK)
		return diag_set(why, ERR_UNREACH, "%s: %s", page,
		    curl_easy_strerror(rc));
	return status == 200 ? 0 : diag_set(why, ERR_AGAIN, "not ready: "
	    "%s answers %ld", page, status);
}

int
healthcheck_main(int argc, char **argv)
{
	struct diag why = { "" };
	char path[4200];
	struct buf url;
	int rc = 0;

	if (argc != 4 || (strcmp(argv[2], "--url") != 0 &&
	    strcmp(argv[2], "--dir") != 0)) {
		fputs("usage: postern-controller healthcheck --dir DIR | "
		    "--url URL\n", stderr);
		return 2;
	}
	buf_init(&url, URL_MAX);
	if (strcmp(argv[2], "--url") == 0)
		buf_puts(&url, argv[3]);
	else {
		url_path(argv[3], path, sizeof(path));
		rc = file_read(path, URL_MAX, &url, &why);
	}
	while (url.len > 0 && (url.data[url.len - 1] == '/' ||
	    url.data[url.len - 1] == '\n'))
		url.data[--url.len] = '\0';
	if (rc == 0 && url.err != 0)
		rc = diag_set(&why, ERR_TOOBIG, "the URL is too long");
	if (rc == 0)
		rc = ask(url.data == NULL ? "" : url.data, &why);
	if (rc < 0)
		fprintf(stderr, "postern-controller: %s\n", why.text);
	buf_fini(&url);
	return rc < 0 ? 1 : 0;
}
