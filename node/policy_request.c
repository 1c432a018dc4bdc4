/*
 * policy_request.c - finds the end of a request, then reads its lines.
 */
#include "node/policy_request.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "proto/base/err.h"

static const struct { const char *name; size_t len, at; } fields[] = {
#define FIELD(f) { #f, sizeof(#f) - 1, offsetof(struct policy_request, f) }
	FIELD(request), FIELD(protocol_state), FIELD(sender),
	FIELD(recipient), FIELD(client_address), FIELD(client_name),
	FIELD(reverse_client_name), FIELD(helo_name), FIELD(instance),
	FIELD(queue_id), FIELD(sasl_username), FIELD(sasl_method),
	FIELD(policy_context), FIELD(size), FIELD(server_port),
#undef FIELD
};

/* The empty line: "\n\n", or a "\n" at the very start.  Its end, or 0. */
static size_t
find_end(struct policy_parser *p, const char *data, size_t len)
{
	const char *at = data + p->scanned, *nl;

	while ((nl = memchr(at, '\n', len - (size_t)(at - data))) != NULL) {
		if (nl == data || nl[-1] == '\n')
			return (size_t)(nl - data) + 1;
		at = nl + 1;
	}
	p->scanned = len;
	return 0;
}

static struct value *
field_of(struct policy_request *out, const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (fields[i].len == len && fields[i].name[0] == name[0] &&
		    memcmp(fields[i].name, name, len) == 0)
			return (void *)((char *)out + fields[i].at);
	}
	return NULL;
}

static int
read_line(const char *line, size_t len, struct policy_request *out,
    struct diag *why)
{
	const char *eq = memchr(line, '=', len);
	struct value *v, got;

	if (eq == NULL || eq == line)
		return diag_set(why, ERR_INVAL, "a line is not name=value");
	v = field_of(out, line, (size_t)(eq - line));
	if (v == NULL)
		return 0;
	got.p = eq + 1;
	got.len = len - (size_t)(eq + 1 - line);
	if (v->p != NULL && (v->len != got.len ||
	    memcmp(v->p, got.p, got.len) != 0))
		return diag_set(why, ERR_INVAL, "attribute %.*s stands twice "
		    "with different values", (int)(eq - line), line);
	*v = got;
	return 0;
}

static bool
is_text(const struct value *v, const char *text)
{
	return v->p != NULL && v->len == strlen(text) &&
	    memcmp(v->p, text, v->len) == 0;
}

int
policy_request_parse(struct policy_parser *p, const char *data, size_t len,
    struct policy_request *out, size_t *used, struct diag *why)
{
	size_t most = len < POLICY_REQUEST_MAX ? len : POLICY_REQUEST_MAX;
	size_t end, at = 0;
	int rc;

	memset(out, 0, sizeof(*out));
	end = find_end(p, data, most);
	if (end == 0 && len >= POLICY_REQUEST_MAX)
		return diag_set(why, ERR_TOOBIG, "no end of the request "
		    "within %d bytes", POLICY_REQUEST_MAX);
	if (end == 0)
		return ERR_AGAIN;
	if (memchr(data, 0, end) != NULL || memchr(data, '\r', end) != NULL)
		return diag_set(why, ERR_INVAL,
		    "a line holds a NUL or carriage return");
	while (at < end - 1) {
		const char *nl = memchr(data + at, '\n', end - at);
		size_t n = (size_t)(nl - (data + at));

		if ((rc = read_line(data + at, n, out, why)) < 0)
			return rc;
		at += n + 1;
	}
	if (!is_text(&out->request, "smtpd_access_policy"))
		return diag_set(why, ERR_INVAL,
		    "no request=smtpd_access_policy");
	*used = end;
	p->scanned = 0;
	return 0;
}

size_t
policy_reply_format(char out[POLICY_REPLY_MAX], const char *action)
{
	static const char head[] = "action=";
	size_t n = sizeof(head) - 1;

	memcpy(out, head, n);
	for (; *action != '\0' && n < POLICY_REPLY_MAX - 2; action++) {
		unsigned char c = (unsigned char)*action;

		out[n++] = c < 0x20 || c >= 0x7f ? '?' : (char)c;
	}
	out[n++] = '\n';
	out[n++] = '\n';
	return n;
}
