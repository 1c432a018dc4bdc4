/*
 * api_policy.c - version, status, init, apply, explain.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/http/api.h"
#include "controller/policy/document.h"
#include "controller/policy/explain.h"
#include "proto/base/clock.h"
#include "proto/base/conf.h"
#include "proto/base/err.h"
#include "proto/wire/frame.h"
#include "proto/wire/keys.h"

void
api_version(struct api_call *c)
{
	api_reply(c, json_pack("{s:s, s:i, s:i}", "version", conf_version(),
	    "engine", DECIDE_ENGINE, "record_format", RECORD_FORMAT));
}

/* The documents of the body, borrowed from it. */
static struct document *
take_documents(struct api_call *c, size_t *n)
{
	json_t *list = json_object_get(c->body, "documents");
	struct document *docs;
	size_t i;

	*n = json_array_size(list);
	if (*n == 0) {
		api_error(c, 400, "usage", "\"documents\" is missing");
		return NULL;
	}
	docs = xcalloc(*n, sizeof(*docs));
	for (i = 0; i < *n; i++) {
		const json_t *d = json_array_get(list, i);
		const json_t *text = json_object_get(d, "text");

		docs[i].name = json_string_value(json_object_get(d, "name"));
		docs[i].text = json_string_value(text);
		if (docs[i].name == NULL || docs[i].text == NULL) {
			api_error(c, 400, "usage",
			    "a document needs \"name\" and \"text\"");
			free(docs);
			return NULL;
		}
		docs[i].len = json_string_length(text);
	}
	return docs;
}

/* List files come with the request, under "document SEP path". */
static int
give_list(void *arg, const char *document, const char *path, struct buf *out,
    struct diag *why)
{
	const json_t *lists = json_object_get(((struct api_call *)arg)->body,
	    "lists");
	char *key = item_key(document, path, NULL);
	const json_t *text = json_object_get(lists, key);

	free(key);
	if (!json_is_string(text))
		return diag_set(why, ERR_NOENT,
		    "the list file %s did not come with the request", path);
	buf_put(out, json_string_value(text), json_string_length(text));
	return out->err;
}

static char *
join_documents(const struct document *docs, size_t n)
{
	struct buf out;
	size_t i;

	buf_init(&out, 0);
	for (i = 0; i < n; i++) {
		buf_printf(&out, "# %s\n", docs[i].name);
		buf_put(&out, docs[i].text, docs[i].len);
	}
	return buf_steal(&out);
}

/* Nodes that could not take the policy are named before anything is sent.
 * False: the change is refused, which was answered. */
static bool
check_nodes(struct api_call *c, const json_t *unable)
{
	const json_t *first = json_array_get(unable, 0), *node;
	struct buf names;
	size_t i;

	if (first == NULL || api_flag(c, "leave_behind") ||
	    api_flag(c, "dry_run"))
		return true;
	buf_init(&names, 0);
	json_array_foreach(unable, i, node)
		buf_printf(&names, "%s%s", i == 0 ? "" : ", ",
		    json_string_value(json_object_get(node, "id")));
	api_error(c, 409, "conflict", "these nodes cannot take what this "
	    "controller publishes (protocol %d, record format %d, engine "
	    "%d): %s; %s takes %s.  Upgrade them first, or say "
	    "--leave-behind: they stay at the policy they have",
	    WIRE_PROTOCOL, RECORD_FORMAT, DECIDE_ENGINE, names.data,
	    json_string_value(json_object_get(first, "id")),
	    json_string_value(json_object_get(first, "reads")));
	buf_fini(&names);
	return false;
}

/* Plan and commit what the items of the documents want. */
static void
apply_items(struct api_call *c, const struct items *wanted,
    const char *document)
{
	char manager[128];
	struct apply_options o = { .manager = manager,
	    .take_over = api_flag(c, "take_over"),
	    .prune_limit = (long)api_number(c, "prune_limit", -1) };
	json_t *findings = NULL, *unable = api_unable(c->api);
	struct change ch;
	struct diag why;
	uint64_t version;
	int rc;

	if (!check_nodes(c, unable)) {
		json_decref(unable);
		return;
	}
	c->audit.object = api_text(c, "set", "default");
	snprintf(manager, sizeof(manager), "file:%.100s", c->audit.object);
	rc = apply_plan(store_items(c->api->store), wanted, &o, &ch, &why);
	if (rc == ERR_TOOBIG)
		rc = ERR_CONFLICT;	/* it asks for a number */
	if (rc < 0) {
		api_fail(c, rc, &why);
		json_decref(unable);
		return;
	}
	if (api_lint_change(c, &ch, wanted, &findings) == 0) {
		if (api_commit(c, &ch, "apply", document, &version) == 0)
			api_reply_change(c, &ch, version, json_pack(
			    "{s:o, s:O}", "findings", findings, "unable",
			    unable));
		else
			json_decref(findings);
	}
	json_decref(unable);
	change_fini(&ch);
}

/* The documents on top of the policy in force: what they name may be there.
 * Errors have the places in the documents. */
static int
check_in_force(struct api_call *c, const struct items *wanted,
    struct diag *why)
{
	const struct items *force = store_items(c->api->store);
	struct change ch = { 0 };
	struct items_cursor at;
	const struct item *it;
	struct records records;
	struct items all;
	int rc;

	items_over(&all, force);
	for (it = items_first(&at, wanted, ""); it != NULL;
	    it = items_next(&at)) {
		struct item *put = items_put(&all, it->key, it->value,
		    it->managers);

		if (it->place != NULL)
			item_set_place(put, it->place->file, it->place->line,
			    it->place->column);
		change_add(&ch, it->key, items_get(force, it->key), it->value,
		    it->managers);
	}
	rc = compile_change(store_records(c->api->store), &all, &ch, &records,
	    NULL, why);
	if (rc == 0)
		records_fini(&records);
	items_fini(&all);
	change_fini(&ch);
	return rc;
}

void
api_apply(struct api_call *c)
{
	struct document *docs;
	struct records records;
	struct items wanted;
	struct diag why;
	char *document;
	size_t n;
	int rc;

	if ((docs = take_documents(c, &n)) == NULL)
		return;
	rc = document_read(docs, n, give_list, c, &wanted, &why);
	if (rc < 0) {
		api_fail(c, ERR_INVAL, &why);
		free(docs);
		return;
	}
	/* Alone first, so that errors have the places in the documents. */
	rc = compile(&wanted, &records, &why);
	if (rc == 0)
		records_fini(&records);
	if (rc < 0 && strstr(why.text, "is not there") != NULL)
		rc = check_in_force(c, &wanted, &why);
	if (rc < 0)
		api_fail(c, ERR_INVAL, &why);
	else {
		document = join_documents(docs, n);
		apply_items(c, &wanted, document);
		free(document);
	}
	items_fini(&wanted);
	free(docs);
}

static int
explain_one(struct api_call *c, const char *to, json_t **answer,
    struct diag *why)
{
	const struct question q = {
		.from = api_text(c, "from", ""), .to = to,
		.header_from = api_text(c, "header_from", NULL),
		.header_name = api_text(c, "header_name", NULL),
		.ip = api_text(c, "ip", NULL),
		.host = api_text(c, "host", NULL),
		.auth_user = api_text(c, "auth_user", NULL),
		.at = api_text(c, "at", NULL),
		.greylist = api_text(c, "greylist", NULL),
		.stage = api_text(c, "stage", NULL),
	};

	return explain(store_records(c->api->store), &q, answer, why);
}

void
api_explain(struct api_call *c)
{
	const json_t *to = json_object_get(c->body, "to");
	json_t *answer = NULL, *all = json_array();
	struct diag why;
	size_t i;
	int rc = 0;

	if (json_is_string(to))
		rc = explain_one(c, json_string_value(to), &answer, &why);
	for (i = 0; rc == 0 && i < json_array_size(to) && i < 100; i++) {
		const char *one = json_string_value(json_array_get(to, i));

		rc = explain_one(c, one == NULL ? "" : one, &answer, &why);
		if (rc == 0)
			json_array_append_new(all, answer);
	}
	if (rc < 0)
		api_error(c, 400, "usage", "%s", why.text);
	else if (json_is_string(to))
		api_reply(c, answer);
	else if (json_array_size(all) > 0)
		api_reply(c, json_pack("{s:O}", "answers", all));
	else
		api_error(c, 400, "usage", "\"to\" is missing");
	json_decref(all);
}

/* The three groups with one policy each, to begin with. */
void
api_init(struct api_call *c)
{
	static const struct { const char *group, *id, *type, *action; } rows[] =
	{
		{ "Blocked Senders", "blocked-senders", "blocked_senders",
		    "block_sender" },
		{ "Blocked Senders Exceptions", "blocked-senders-exceptions",
		    "blocked_senders", "take_no_action" },
		{ "Permitted Senders", "permitted-senders",
		    "permitted_senders", "permit_sender" },
	};
	const struct items *force = store_items(c->api->store);
	json_t *created = json_array();
	struct change ch = { 0 };
	uint64_t version;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *group = item_key("group", rows[i].group, NULL);
		char *policy = item_key("policy", rows[i].id, NULL), *value;
		json_t *p;

		if (items_get(force, group) == NULL)
			change_add(&ch, group, NULL, "{}", "console");
		p = json_pack("{s:s, s:s, s:s, s:s, s:{s:s}, s:s, s:b, s:b, "
		    "s:b, s:b}", "type", rows[i].type, "action",
		    rows[i].action, "narrative", rows[i].group,
		    "addresses_based_on", "envelope", "from", "group",
		    rows[i].group, "to", "internal", "override", 0,
		    "bidirectional", 0, "enabled", 1, "monitor", 0);
		value = json_dumps(p, JSON_COMPACT | JSON_SORT_KEYS);
		if (items_get(force, policy) == NULL) {
			change_add(&ch, policy, NULL, value, "console");
			json_array_append_new(created,
			    json_string(rows[i].id));
		}
		json_decref(p);
		free(value);
		free(group);
		free(policy);
	}
	if (api_commit(c, &ch, "init", NULL, &version) == 0)
		api_reply(c, json_pack("{s:I, s:O}", "version",
		    (json_int_t)version, "created", created));
	json_decref(created);
	change_fini(&ch);
}
