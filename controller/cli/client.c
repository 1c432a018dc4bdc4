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
#include "proto/base/err.h"
#include "proto/base/file.h"

#define ADDR_DEFAULT "http://127.0.0.1:8025"
#define ANSWER_MAX ((size_t)256 << 20)
#define TOKEN_MAX 4096

static const char *
setting(const struct flags *f, const char *name, const char *env)
{
	const char *value = flag(f, name);

	return value != NULL ? value : getenv(env);
}

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
	const char *path = setting(f, "token-file", "POSTERN_TOKEN_FILE");
	struct diag why = { "" };
	int rc;

	if (path == NULL || *path == '\0')
		return CLI_OK;
	buf_puts(out, "Authorization: Bearer ");
	rc = file_read_secret(path, TOKEN_MAX, out, &why);
	if (rc == ERR_NOENT)
		return fail(CLI_DENIED, "there is no token file %s; "
		    "--token-file or POSTERN_TOKEN_FILE names it", path);
	if (rc < 0)
		return fail(CLI_DENIED, "%s", why.text);
	out->data[strcspn(out->data, "\r\n")] = '\0';
	return CLI_OK;
}

static int
exit_of_status(long status)
{
	switch (status) {
	case 400: case 405: return CLI_USAGE;
	case 401: case 403: return CLI_DENIED;
	case 404: return CLI_NOT_FOUND;
	case 409: return CLI_CONFLICT;
	case 413: case 422: return CLI_INVALID;
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

/* Send it; the HTTP status, or 0 with the reason printed. */
static long
transfer(CURL *curl, const char *url, const char *method, const char *body,
    const char *token, struct buf *got)
{
	struct curl_slist *head = NULL;
	long status = 0;
	CURLcode code;

	if (token != NULL)
		head = curl_slist_append(head, token);
	head = curl_slist_append(head, "Content-Type: application/json");
	head = curl_slist_append(head, "Expect:");
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, head);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 5L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, 120L);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, got);
	if (body != NULL) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)strlen(body));
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body);
	}
	code = curl_easy_perform(curl);
	if (code == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	else
		fail(CLI_UNREACHABLE, "no answer from %s: %s; is the "
		    "controller running, and does --addr or POSTERN_ADDR name "
		    "it?", url, curl_easy_strerror(code));
	curl_slist_free_all(head);
	return status;
}

static void
make_url(const struct flags *f, const char *path, struct buf *url)
{
	const char *addr = setting(f, "addr", "POSTERN_ADDR");

	if (addr == NULL || *addr == '\0')
		addr = ADDR_DEFAULT;
	if (strstr(addr, "://") == NULL)
		buf_puts(url, "http://");
	buf_puts(url, addr);
	while (url->len > 0 && url->data[url->len - 1] == '/')
		url->data[--url->len] = '\0';
	buf_puts(url, path);
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
	make_url(f, path, &url);
	if ((rc = read_token(f, &token)) != CLI_OK)
		goto out;
	text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);
	if (url.err != 0 || (curl = curl_easy_init()) == NULL) {
		rc = usage_error("the request is too long");
		goto out;
	}
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
