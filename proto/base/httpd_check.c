/*
 * httpd_check.c - which HTTP requests are refused by their head alone.
 */
#include "proto/base/httpd_check.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool
has_control(const char *s, size_t len, bool tab_ok)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (((uint8_t)s[i] < 0x20 && !(tab_ok && s[i] == '\t')) ||
		    s[i] == 0x7f)
			return true;
	return false;
}

static bool
is_hex(char c)
{
	return c != '\0' && strchr("0123456789abcdefABCDEF", c) != NULL;
}

/* "%00" would cut the path once it is decoded. */
bool
httpd_is_target(const char *raw)
{
	const char *p;

	if (raw[0] != '/' || has_control(raw, strlen(raw), false))
		return false;
	for (p = strchr(raw, '%'); p != NULL; p = strchr(p + 1, '%'))
		if (!is_hex(p[1]) || !is_hex(p[2]) ||
		    (p[1] == '0' && p[2] == '0'))
			return false;
	return true;
}

/* Headers that have one meaning only when they stand there once. */
static const char *const single[HTTPD_SINGLES] = { "Host", "Content-Length",
	"Transfer-Encoding", "Authorization", "Content-Type" };
enum { HOST, LENGTH, ENCODING };

static bool
is_token(const char *s, size_t len)
{
	static const char tchar[] = "!#$%&'*+-.^_`|~0123456789"
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t i;

	for (i = 0; i < len; i++)
		if (memchr(tchar, s[i], sizeof(tchar) - 1) == NULL)
			return false;
	return len > 0;
}

static bool
is_bad_value(size_t which, const char *val, size_t len)
{
	if (which == LENGTH)
		return len == 0 || strspn(val, "0123456789") != len;
	if (which == ENCODING)
		return strcasecmp(val, "chunked") != 0;
	return which == HOST && len == 0;
}

void
httpd_head_add(struct httpd_head *head, const char *name, size_t name_len,
    const char *val, size_t val_len)
{
	size_t i;

	if (val == NULL)
		val = "";
	if (!is_token(name, name_len) || has_control(val, val_len, true))
		head->bad = true;
	for (i = 0; i < HTTPD_SINGLES; i++) {
		if (strcasecmp(name, single[i]) != 0)
			continue;
		if (++head->seen[i] > 1 || is_bad_value(i, val, val_len))
			head->bad = true;
		if (i == LENGTH)	/* over range it is the largest */
			head->body_len = strtoull(val, NULL, 10);
	}
}

static bool
is_known_method(const char *method)
{
	static const char *const known[] = { "GET", "HEAD", "POST", "PUT",
		"PATCH", "DELETE" };
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (strcmp(method, known[i]) == 0)
			return true;
	return false;
}

int
httpd_head_status(const struct httpd_head *head, const char *path,
    const char *method, const char *version, size_t max_body)
{
	bool is_1_0 = strcmp(version, "HTTP/1.0") == 0;

	if (head->len > HTTPD_HEAD_MAX)
		return 431;
	if (head->bad || has_control(path, strlen(path), false) ||
	    head->seen[HOST] != 1 ||
	    head->seen[LENGTH] + head->seen[ENCODING] > 1 ||
	    (is_1_0 && head->seen[ENCODING] > 0))
		return 400;
	if (!is_1_0 && strcmp(version, "HTTP/1.1") != 0)
		return 505;
	if (!is_known_method(method))
		return 501;
	return head->body_len > max_body ? 413 : 0;
}
