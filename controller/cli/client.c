/*
 * client.c - asks the controller over HTTP, and turns its errors into exit
 * statuses.
 */
#include "controller/cli/client.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/cli/cli.h"
#include "controller/cli/context.h"
#include "controller/cli/progress.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

#define ADDR_DEFAULT "http://127.0.0.1:8025"
#define ANSWER_MAX ((size_t)256 << 20)
#define TOKEN_MAX 4096

static size_t
on_data(char *data, size_t size, size_t n, void *arg)
{
	struct buf *b = arg;

	buf_put(b, data, size * n);
	return b->err == 0 ? size * n : 0;
}

/* "Authorization: Bearer ..." into out; nothing without a token file. */
static int
read_token(const struct flags *f, struct buf *out)
{
	struct diag why = { "" };
	struct buf path;
	int rc;

	buf_init(&path, 4096);
	rc = context_get(f, "token-file", &path);
	if (rc != CLI_OK || path.len == 0)
		goto out;
	buf_puts(out, "Authorization: Bearer ");
	rc = file_read_secret(path.data, TOKEN_MAX, out, &why);
	if (rc == ERR_NOENT)
		rc = fail(CLI_DENIED, "there is no token file %s; "
		    "--token-file, POSTERN_TOKEN_FILE or the context file "
		    "names it", path.data);
	else if (rc < 0)
		rc = fail(CLI_DENIED, "%s", why.text);
	else
		out->data[strcspn(out->data, "\r\n")] = '\0';
out:
	buf_fini(&path);
	return rc;
}

static int
exit_of_status(long status)
{
	switch (status) {
	case 400: case 405: return CLI_USAGE;
	case 401: case 403: case 429: return CLI_DENIED;
	case 404: return CLI_NOT_FOUND;
	case 409: return CLI_CONFLICT;
	case 413: case 422: return CLI_INVALID;
	case 507: return CLI_DIFFERS;
	default: return CLI_UNREACHABLE;
	}
}

static int
say_error(const json_t *answer, long status, const char *url)
{
	const json_t *error = json_object_get(answer, "error");
	const char *text = json_string_value(json_object_get(error,
	    "message"));
	const char *at = json_string_value(json_object_get(error, "at"));

	if (text == NULL && status == 413)
		return fail(CLI_INVALID, "the request is too large for %s, or "
		    "for a proxy before it: give it in parts, or raise the "
		    "proxy's limit to the controller's 64 MiB", url);
	if (text == NULL)
		return fail(exit_of_status(status), "%s answered with status "
		    "%ld and no reason; is that a Postern controller?", url,
		    status);
	if (at == NULL || strncmp(text, at, strlen(at)) == 0)
		return fail(exit_of_status(status), "%s%s", text,
		    status == 401 ? "; --token-file or POSTERN_TOKEN_FILE "
		    "names the file that holds a token" : "");
	return fail(exit_of_status(status), "%s: %s", at, text);
}

/* How far the request is; called by curl about once a second. */
static int
on_progress(void *arg, curl_off_t down_total, curl_off_t down,
    curl_off_t up_total, curl_off_t up)
{
	bool sent = up >= up_total, answering = down > 0;

	progress_show(arg, (uint64_t)(answering ? down : sent ? 0 : up),
	    (uint64_t)(answering ? down_total : sent ? 0 : up_total),
	    answering ? "receiving the answer" : sent ?
	    "the controller works on it" : "sending");
	return 0;
}

static void
set_options(CURL *curl, struct progress *p, struct buf *got)
{
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 5L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 120L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, got);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, p);
}

/* Send it; the HTTP status, or 0 with the reason printed. */
static long
transfer(CURL *curl, const char *url, const char *method, const char *body,
    const char *token, struct buf *got)
{
	struct curl_slist *head = NULL;
	struct progress progress;
	long status = 0;
	CURLcode code;

	if (token != NULL)
		head = curl_slist_append(head, token);
	head = curl_slist_append(head, "Content-Type: application/json");
	head = curl_slist_append(head, "Expect:");
	progress_init(&progress);
	set_options(curl, &progress, got);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, head);
	if (body != NULL) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)strlen(body));
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	}
	code = curl_easy_perform(curl);
	progress_end(&progress);
	if (code == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	else if (code == CURLE_PEER_FAILED_VERIFICATION ||
	    code == CURLE_SSL_CACERT_BADFILE)
		fail(CLI_UNREACHABLE, "%s is not trusted: %s; --ca-file or "
		    "POSTERN_CA_FILE names the certificate that vouches for "
		    "it", url, curl_easy_strerror(code));
	else
		fail(CLI_UNREACHABLE, "no answer from %s: %s; is the "
		    "controller running, and does --addr or POSTERN_ADDR name "
		    "it?", url, curl_easy_strerror(code));
	curl_slist_free_all(head);
	return status;
}

static int
make_url(const struct flags *f, const char *path, struct buf *url)
{
	struct buf addr;
	int rc;

	buf_init(&addr, 4096);
	if ((rc = context_get(f, "addr", &addr)) == CLI_OK) {
		if (addr.len == 0)
			buf_puts(&addr, ADDR_DEFAULT);
		if (strstr(addr.data, "://") == NULL)
			buf_puts(url, "http://");
		buf_puts(url, addr.data);
		while (url->len > 0 && url->data[url->len - 1] == '/')
			url->data[--url->len] = '\0';
		buf_puts(url, path);
	}
	buf_fini(&addr);
	return rc;
}

static int
set_ca(const struct flags *f, CURL *curl)
{
	struct buf path;
	int rc;

	buf_init(&path, 4096);
	rc = context_get(f, "ca-file", &path);
	if (rc == CLI_OK && path.len > 0)
		curl_easy_setopt(curl, CURLOPT_CAINFO, path.data);
	buf_fini(&path);
	return rc;
}

int
client_call(const struct flags *f, const char *method, const char *path,
    const json_t *body, json_t **answer)
{
	struct buf url, token, got;
	char *text = NULL;
	json_t *json = NULL;
	CURL *curl = NULL;
	long status;
	int rc;

	if (answer != NULL)
		*answer = NULL;
	buf_init(&url, 65536);
	buf_init(&token, 2 * TOKEN_MAX);
	buf_init(&got, ANSWER_MAX);
	if ((rc = make_url(f, path, &url)) != CLI_OK ||
	    (rc = read_token(f, &token)) != CLI_OK)
		goto out;
	text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
	if (url.err != 0 || (curl = curl_easy_init()) == NULL) {
		rc = usage_error("the request is too long");
		goto out;
	}
	if ((rc = set_ca(f, curl)) != CLI_OK)
		goto out;
	status = transfer(curl, url.data, method, text, token.data, &got);
	if (status == 0) {
		rc = CLI_UNREACHABLE;
		goto out;
	}
	json = json_loadb(got.data == NULL ? "" : got.data, got.len, 0, NULL);
	if (status >= 300 || json == NULL)
		rc = say_error(json, status, url.data);
	else if (answer != NULL)
		*answer = json_incref(json);
out:
	if (curl != NULL)
		curl_easy_cleanup(curl);
	json_decref(json);
	free(text);
	buf_fini(&got);
	buf_fini(&token);
	buf_fini(&url);
	return rc;
}

void
client_escape(struct buf *path, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || strchr("-_.~", c) != NULL)
			buf_putc(path, (char)c);
		else
			buf_printf(path, "%%%02X", c);
	}
}

void
client_query(struct buf *path, const struct flags *f, const char *names)
{
	bool first = path->data == NULL || strchr(path->data, '?') == NULL;

	while (*(names += strspn(names, " ")) != '\0') {
		size_t len = strcspn(names, " ");
		const char *value;
		char name[24];

		snprintf(name, sizeof(name), "%.*s", (int)len, names);
		names += len;
		if ((value = flag(f, name)) == NULL)
			continue;
		buf_printf(path, "%c%s=", first ? '?' : '&', name);
		client_escape(path, value);
		first = false;
	}
}
