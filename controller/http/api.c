/*
 * api.c - finds the route of a request, checks its token and body, and turns
 * errors into answers.
 */
#include "controller/http/api.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/http/spec.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/log.h"

void
api_reply(struct api_call *c, json_t *o)
{
	char *text = json_dumps(o, JSON_COMPACT);

	c->reply->status = 200;
	buf_puts(&c->reply->body, text == NULL ? "{}" : text);
	buf_putc(&c->reply->body, '\n');
	free(text);
	json_decref(o);
}

void
api_error(struct api_call *c, int status, const char *code, const char *fmt,
    ...)
{
	char message[1024];
	json_t *o;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	c->code = code;
	o = json_pack("{s:{s:s, s:s}}", "error", "code", code, "message",
	    message);
	if (o == NULL)		/* the message is no UTF-8 */
		o = json_pack("{s:{s:s, s:s}}", "error", "code", code,
		    "message", code);
	api_reply(c, o);
	c->reply->status = status;
}

void
api_fail(struct api_call *c, int err, const struct diag *why)
{
	switch (err) {
	case ERR_NOENT:
		api_error(c, 404, "not_found", "%s", why->text);
		break;
	case ERR_CONFLICT:
	case ERR_EXISTS:
		api_error(c, 409, "conflict", "%s", why->text);
		break;
	case ERR_INVAL:
	case ERR_TOOBIG:
	case ERR_VERSION:
		api_error(c, 422, "invalid_policy", "%s", why->text);
		break;
	case ERR_FULL:
		log_error("api.failed", F_S("path", c->req->path),
		    F_S("reason", why->text));
		api_error(c, 507, "disk_full", "the controller's disk is full; "
		    "nothing was changed: make room there, then try again");
		break;
	default:
		log_error("api.failed", F_S("path", c->req->path),
		    F_S("reason", why->text));
		api_error(c, 500, "internal", "the controller could not do "
		    "this: %s; its log says more", err_text(err));
	}
}

const char *
api_text(const struct api_call *c, const char *key, const char *def)
{
	const char *s = c->body != NULL ?
	    json_string_value(json_object_get(c->body, key)) :
	    httpd_query(c->req, key);

	return s == NULL ? def : s;
}

bool
api_flag(const struct api_call *c, const char *key)
{
	const char *s;

	if (c->body != NULL)
		return json_is_true(json_object_get(c->body, key));
	s = httpd_query(c->req, key);
	return s != NULL && (strcmp(s, "1") == 0 || strcmp(s, "true") == 0);
}

json_int_t
api_number(const struct api_call *c, const char *key, json_int_t def)
{
	const json_t *v = json_object_get(c->body, key);
	const char *s = c->body != NULL ? NULL : httpd_query(c->req, key);

	if (s != NULL)
		return strtoll(s, NULL, 10);
	return json_is_integer(v) ? json_integer_value(v) : def;
}

bool
api_query_number(struct api_call *c, const char *key, json_int_t def,
    json_int_t max, json_int_t *out)
{
	const char *s = httpd_query(c->req, key);
	char *end;

	*out = def;
	if (s == NULL)
		return true;
	errno = 0;
	*out = strtoll(s, &end, 10);
	if (errno == 0 && *s >= '0' && *s <= '9' && *end == '\0' &&
	    *out >= 1 && *out <= max)
		return true;
	api_error(c, 400, "usage", "%s is a number from 1 to %lld", key,
	    (long long)max);
	return false;
}

bool
api_query_time(struct api_call *c, const char *key, int64_t *out)
{
	const char *text = httpd_query(c->req, key);
	uint64_t ms;

	if (text == NULL || clock_parse(text, out) == 0)
		return true;
	if (clock_parse_duration(text, &ms) == 0) {
		*out = clock_wall_us() - (int64_t)ms * 1000;
		return true;
	}
	api_error(c, 400, "usage", "%s is a time such as "
	    "2026-06-15T12:00:00Z, or 24h for as long ago", key);
	return false;
}

void
api_reply_change(struct api_call *c, const struct change *ch,
    uint64_t version, json_t *more)
{
	struct buf text, json;
	json_t *o;

	buf_init(&text, 0);
	buf_init(&json, 0);
	buf_puts(&text, "");
	change_print(ch, &text);
	change_json(ch, &json);
	o = json_pack("{s:b, s:I, s:o, s:s}", "changed", ch->n > 0,
	    "version", (json_int_t)version, "changes",
	    json_loads(json.data, 0, NULL), "summary", text.data);
	if (more != NULL)
		json_object_update_new(o, more);
	api_reply(c, o);
	buf_fini(&text);
	buf_fini(&json);
}

json_t *
api_managers(const char *managers)
{
	json_t *list = json_array();

	while (*managers != '\0') {
		size_t n = strcspn(managers, ",");

		json_array_append_new(list, json_stringn(managers, n));
		managers += n + (managers[n] == ',');
	}
	return list;
}

const char *
api_manager(struct api_call *c, const char *other)
{
	const char *as = api_text(c, "as", "cli");

	if (strcmp(as, "cli") == 0)
		return "cli";
	if (strcmp(as, other) == 0)
		return other;
	api_error(c, 400, "usage", "\"as\" is cli or %s", other);
	return NULL;
}

int
api_commit(struct api_call *c, const struct change *ch, const char *action,
    const char *document, uint64_t *version)
{
	const struct commit info = { .actor = c->actor, .action = action,
	    .message = api_text(c, "message", NULL), .document = document,
	    .if_revision = (uint64_t)api_number(c, "if_revision", 0),
	    .audit = &c->audit };
	uint64_t before = store_version(c->api->store);
	struct records records;
	struct items items;
	struct diag why;
	int rc;

	*version = before;
	if (api_flag(c, "dry_run")) {
		items_over(&items, store_items(c->api->store));
		apply_change(&items, ch);
		rc = compile_change(store_records(c->api->store), &items, ch,
		    &records, NULL, &why);
		if (rc == 0)
			records_fini(&records);
		items_fini(&items);
	} else
		rc = store_commit(c->api->store, ch, &info, version, &why);
	if (rc < 0)
		api_fail(c, rc, &why);
	else if (*version != before && c->api->on_commit != NULL)
		c->api->on_commit(c->api->arg);
	return rc;
}

/*
 * Does path fit pattern?  "{name}" stands for the rest up to the next fixed
 * part of the pattern; where it begins is left in *tail, its length in *len.
 */
static bool
path_fits(const char *pattern, const char *path, const char **tail,
    size_t *len)
{
	const char *open = strchr(pattern, '{'), *close;
	size_t head, rest, n = strlen(path);

	*tail = NULL;
	if (open == NULL)
		return strcmp(pattern, path) == 0;
	close = strchr(open, '}') + 1;
	head = (size_t)(open - pattern);
	rest = strlen(close);
	if (n <= head + rest || strncmp(pattern, path, head) != 0 ||
	    strcmp(path + n - rest, close) != 0)
		return false;
	*tail = path + head;
	*len = n - head - rest;
	return true;
}

static int
parse_body(struct api_call *c, const struct api_route *r)
{
	size_t most = r->large ? API_LARGE_MAX : API_BODY_MAX;
	struct diag why;
	json_error_t e;

	if (r->body == NULL)
		return 0;
	if (c->req->body_len > most) {
		api_error(c, 413, "too_large", "the body has %zu bytes, at "
		    "most %zu are read here", c->req->body_len, most);
		return ERR_TOOBIG;
	}
	c->body = json_loadb(c->req->body, c->req->body_len,
	    JSON_REJECT_DUPLICATES, &e);
	if (!json_is_object(c->body)) {
		api_error(c, 400, "usage", "the body must be a JSON object: "
		    "%s", c->body == NULL ? e.text : "it is something else");
		return ERR_INVAL;
	}
	if (spec_check(r->body, c->body, &why) == 0)
		return 0;
	api_error(c, 400, "usage", "%s", why.text);
	return ERR_INVAL;
}

/* Whose call this is; what is wrong was answered. */
static bool
authorise(struct api_call *c)
{
	struct diag why;
	unsigned n;

	if (auth_check(c->api->auth, c->req->authorization, &c->actor,
	    &why) == 0)
		return true;
	n = auth_rate_denied(&c->api->rate, c->req->peer, clock_mono_ms());
	api_audit_denied(c, n);
	if (n == AUTH_RATE_MAX + 1)
		log_warning("auth.denied_often", F_S("peer", c->req->peer));
	if (n > AUTH_RATE_MAX)
		api_error(c, 429, "denied", "too many requests without a "
		    "right token from %s: wait a minute", c->req->peer);
	else
		api_error(c, 401, "denied", "a bearer token is needed: the "
		    "file " AUTH_TOKEN_FILE " in the controller's folder "
		    "holds one");
	c->reply->www_authenticate = n <= AUTH_RATE_MAX;
	return false;
}

bool
api_authorise(struct api *a, const struct httpd_request *req,
    struct httpd_reply *reply)
{
	struct api_call c = { .api = a, .req = req, .reply = reply };

	return authorise(&c);
}

static const struct api_route *
find_route(struct api_call *c, char **tail)
{
	const struct api_route *r;
	bool other = false;

	for (r = api_routes(); r->method != NULL; r++) {
		const char *at;
		size_t len;

		if (!path_fits(r->path, c->req->path, &at, &len))
			continue;
		if (strcmp(r->method, c->req->method) != 0) {
			other = true;
			continue;
		}
		*tail = at == NULL ? NULL : strndup(at, len);
		return r;
	}
	if (other)
		api_error(c, 405, "usage", "%s is not for %s",
		    c->req->method, c->req->path);
	else
		api_error(c, 404, "not_found", "there is no %s: "
		    "/v1/openapi.json lists what there is", c->req->path);
	return NULL;
}

void
api_handle(struct api *a, const struct httpd_request *req,
    struct httpd_reply *reply)
{
	struct api_call c = { .api = a, .req = req, .reply = reply };
	const struct api_route *r;
	char *tail = NULL;

	if (!authorise(&c) || (r = find_route(&c, &tail)) == NULL)
		return;
	c.tail = tail;
	c.audit = (struct audit_entry){ .actor = c.actor, .role = "token",
	    .peer = req->peer, .action = r->audit, .object = tail };
	if (parse_body(&c, r) == 0) {
		r->handle(&c);
		if (r->audit != NULL)
			api_audit_refused(&c);
	}
	json_decref(c.body);
	free(tail);
}
