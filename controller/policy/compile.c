/*
 * compile.c - items to records, and every check of the whole.
 */
#include "controller/policy/compile.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/policy/free_mail.h"
#include "controller/policy/records_impl.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/mail/addr.h"

struct compiling {
	const struct items *in;
	struct records *out;
	struct diag *why;
	const char *zone;
	unsigned depths[128];	/* wildcard entries by labels of the suffix */
	struct buf key, val;
};

/* One item taken apart. */
struct parts { const char *kind, *a, *b; const struct item *item; };

static int
fail(struct compiling *c, const struct item *it, int err, const char *text)
{
	if (it->file != NULL)
		return diag_set(c->why, err, "%s:%d:%d: %s", it->file,
		    it->line, it->column, text);
	return diag_set(c->why, err, "%s", text);
}

static void
emit(struct compiling *c)
{
	records_add(c->out, &c->key, &c->val);
	buf_reset(&c->key);
	buf_reset(&c->val);
}

static int
emit_text(struct compiling *c, uint8_t cls, const char *name,
    const char *value)
{
	record_key_text(&c->key, cls, name);
	buf_puts(&c->val, value);
	emit(c);
	return 0;
}

static int
on_setting(struct compiling *c, const struct parts *p)
{
	json_t *v;

	if (strcmp(p->a, "free_mail_domains") == 0 ||
	    strcmp(p->a, "return_paths") == 0)
		return 0;	/* marks of a list that was given */
	v = json_loads(p->item->value, JSON_DECODE_ANY, NULL);
	if (!json_is_string(v)) {
		json_decref(v);
		return fail(c, p->item, ERR_INVAL, "a setting must be a text");
	}
	emit_text(c, RECORD_SETTING, p->a, json_string_value(v));
	json_decref(v);
	return 0;
}

static int
on_domain(struct compiling *c, const struct parts *p)
{
	json_t *v = json_loads(p->item->value, 0, NULL);
	const char *mode = json_string_value(json_object_get(v,
	    "recipient_validation"));
	enum validation m = VALIDATE_DEFAULT;

	if (mode != NULL)
		validation_parse(mode, &m);
	record_key_text(&c->key, RECORD_INTERNAL, p->a);
	buf_put_u8(&c->val, m);
	emit(c);
	json_decref(v);
	return 0;
}

static int
on_prefix(struct compiling *c, const struct parts *p)
{
	struct ip_prefix prefix;

	if (ip_prefix_parse(p->a, &prefix) < 0)
		return fail(c, p->item, ERR_INVAL, "malformed prefix");
	record_key_prefix(&c->key, p->kind[0] == 'r' ? RECORD_AUTHORIZED :
	    RECORD_TRUSTED, &prefix);
	emit(c);
	return 0;
}

static int
on_name(struct compiling *c, const struct parts *p)
{
	return emit_text(c, p->kind[0] == 'f' ? RECORD_FREE_MAIL :
	    p->kind[0] == 'p' ? RECORD_PROTECTED : RECORD_RETURN_PATH, p->a,
	    "");
}

static int
on_policy(struct compiling *c, const struct parts *p)
{
	struct policy policy;
	struct diag why;

	if (policy_from_json(p->a, p->item->value, c->zone, &policy,
	    &why) < 0)
		return fail(c, p->item, ERR_INVAL, why.text);
	record_key_text(&c->key, RECORD_POLICY, p->a);
	policy_encode(&policy, &c->val);
	policy_fini(&policy);
	emit(c);
	return 0;
}

static int
by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * The second names of all items that follow with the same kind and first
 * name, as group numbers, rising.  Returns the index behind them.
 */
static size_t
gather_gids(struct compiling *c, size_t i, const char *kind, const char *a,
    uint64_t *gid, size_t *n)
{
	char *prefix = item_key(kind, a, "");

	*n = 0;
	for (; items_has_prefix(c->in, i, prefix); i++) {
		if (*n < MODEL_ENTRY_GROUPS_MAX)
			gid[*n] = model_gid(c->in->item[i].key +
			    strlen(prefix));
		(*n)++;
	}
	free(prefix);
	if (*n <= MODEL_ENTRY_GROUPS_MAX)
		qsort(gid, *n, sizeof(*gid), by_number);
	return i;
}

static int
on_group(struct compiling *c, const struct parts *p)
{
	uint64_t gid[MODEL_ENTRY_GROUPS_MAX];
	char *first = item_key("nest", p->a, "");
	size_t n;

	gather_gids(c, items_seek(c->in, first), "nest", p->a, gid, &n);
	free(first);
	if (n > MODEL_ENTRY_GROUPS_MAX)
		return fail(c, p->item, ERR_TOOBIG,
		    "a group may be in at most 64 groups directly");
	record_key_gid(&c->key, model_gid(p->a));
	record_group_encode(&c->val, p->a, gid, n);
	emit(c);
	return 0;
}

static int
on_entry(struct compiling *c, const struct parts *p, size_t *i)
{
	uint64_t gid[MODEL_ENTRY_GROUPS_MAX];
	size_t n, k;

	*i = gather_gids(c, *i, "entry", p->a, gid, &n);
	if (n > MODEL_ENTRY_GROUPS_MAX)
		return fail(c, p->item, ERR_TOOBIG,
		    "an entry may be in at most 64 groups directly");
	if (strncmp(p->a, "*.", 2) == 0)
		c->depths[addr_labels(p->a + 2)]++;
	record_key_text(&c->key, RECORD_ENTRY, p->a);
	for (k = 0; k < n; k++)
		buf_put_u64(&c->val, gid[k]);
	emit(c);
	return 0;
}

static int
on_directory(struct compiling *c, const struct parts *p)
{
	json_t *v = json_loads(p->item->value, 0, NULL), *attrs, *value;
	const char *name;
	size_t i;

	attrs = json_object_get(v, "attributes");
	record_key_text(&c->key, RECORD_DIRECTORY, p->a);
	buf_put_u8(&c->val, json_is_false(json_object_get(v, "enabled")) ?
	    DIRECTORY_DISABLED : DIRECTORY_ACTIVE);
	buf_put_u16(&c->val, (uint16_t)json_object_size(attrs));
	json_object_foreach(attrs, name, value) {
		buf_put_u8(&c->val, (uint8_t)strlen(name));
		buf_puts(&c->val, name);
		buf_put_u16(&c->val, (uint16_t)json_string_length(value));
		buf_puts(&c->val, json_string_value(value));
	}
	emit(c);
	json_array_foreach(json_object_get(v, "aliases"), i, value)
		emit_text(c, RECORD_ALIAS, json_string_value(value), p->a);
	json_decref(v);
	return 0;
}

/* Is this domain internal, itself or by "*." of a parent? */
static bool
is_internal(struct compiling *c, const char *domain)
{
	char *key = item_key("domain", domain, NULL);
	bool there = items_get(c->in, key) != NULL;
	const char *dot;

	free(key);
	for (dot = strchr(domain, '.'); dot != NULL && !there;
	    dot = strchr(dot + 1, '.')) {
		char wild[ADDR_DOMAIN_MAX + 3];

		snprintf(wild, sizeof(wild), "*%s", dot);
		key = item_key("domain", wild, NULL);
		there = items_get(c->in, key) != NULL;
		free(key);
	}
	return there;
}

/* Only external senders; no free-mail domain as a block. */
static int
check_sender(struct compiling *c, const struct parts *p, bool block)
{
	const char *at = strrchr(p->b, '@');
	const char *domain = at == NULL ? p->b : at + 1;
	bool internal;
	char *key;

	if (is_internal(c, domain))
		return fail(c, p->item, ERR_INVAL, "a user's list holds "
		    "external senders only; this one is internal");
	if (at != NULL || !block)
		return 0;
	key = item_key("freemail", p->b, NULL);
	internal = items_get(c->in, key) != NULL;
	free(key);
	if (internal)
		return fail(c, p->item, ERR_INVAL, "a free-mail domain "
		    "cannot be blocked as a domain: block the address");
	return 0;
}

static int
on_sender(struct compiling *c, const struct parts *p)
{
	json_t *v = json_loads(p->item->value, 0, NULL);
	const char *manual = json_string_value(json_object_get(v, "manual"));
	const char *used = json_string_value(json_object_get(v, "last_used"));
	bool block = manual != NULL && strcmp(manual, "block") == 0;
	int64_t at = 0;
	int rc;

	rc = check_sender(c, p, block);
	if (rc == 0) {
		if (used != NULL)
			clock_parse(used, &at);
		record_key_user(&c->key, p->a, p->b);
		buf_put_u8(&c->val, (uint8_t)((block ? USER_BLOCK : 0) |
		    (manual != NULL && !block ? USER_PERMIT : 0) |
		    (json_is_true(json_object_get(v, "auto")) ?
		    USER_AUTO : 0)));
		buf_put_u32(&c->val, (uint32_t)(at / 86400000000));
		emit(c);
	}
	json_decref(v);
	return rc;
}

static int
compile_item(struct compiling *c, const struct parts *p, size_t *i)
{
	static const struct {
		const char *kind;
		int (*on)(struct compiling *c, const struct parts *p);
	} kinds[] = {
		{ "directory", on_directory }, { "domain", on_domain },
		{ "freemail", on_name }, { "group", on_group },
		{ "policy", on_policy }, { "protected", on_name },
		{ "range", on_prefix }, { "return_path", on_name },
		{ "sender", on_sender }, { "setting", on_setting },
		{ "trusted", on_prefix },
	};
	size_t k;

	if (strcmp(p->kind, "entry") == 0)
		return on_entry(c, p, i);
	++*i;
	if (strcmp(p->kind, "nest") == 0)
		return 0;	/* stands in the record of the child */
	for (k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		if (strcmp(p->kind, kinds[k].kind) == 0)
			return kinds[k].on(c, p);
	}
	return fail(c, p->item, ERR_VERSION, "an item of unknown kind");
}

/* A group named by a policy, an edge or an entry must be there. */
static int
check_group(struct compiling *c, const struct item *it, const char *name)
{
	char *key = item_key("group", name, NULL);
	bool there = items_get(c->in, key) != NULL;
	char text[600];

	free(key);
	if (there)
		return 0;
	snprintf(text, sizeof(text), "group \"%.255s\" is not there: add it "
	    "under groups (it may be empty), or mend the name", name);
	return fail(c, it, ERR_INVAL, text);
}

static int
check_policy_groups(struct compiling *c, const struct parts *p)
{
	json_t *v = json_loads(p->item->value, 0, NULL);
	const char *sides[] = { "from", "to" };
	int i, rc = 0;

	for (i = 0; i < 2 && rc == 0; i++) {
		const char *name = json_string_value(json_object_get(
		    json_object_get(v, sides[i]), "group"));

		if (name != NULL)
			rc = check_group(c, p->item, name);
	}
	json_decref(v);
	return rc;
}

/* Follow the first parents up from a group: a cycle comes back to it. */
static int
check_cycle(struct compiling *c, const struct parts *p)
{
	struct items seen;
	struct buf chain;
	size_t head = 0;
	char **queue = NULL;
	size_t n = 0, cap = 0, i;
	int rc = 0;

	items_init(&seen);
	buf_init(&chain, 0);
	queue = xgrow(queue, &cap, 1, sizeof(*queue));
	queue[n++] = xstrdup(p->b);
	while (head < n && rc == 0) {
		char *prefix = item_key("nest", queue[head++], "");

		for (i = items_seek(c->in, prefix);
		    items_has_prefix(c->in, i, prefix) && rc == 0; i++) {
			const char *parent = c->in->item[i].key +
			    strlen(prefix);

			if (strcmp(parent, p->b) == 0) {
				buf_printf(&chain, "group \"%s\" holds "
				    "itself, by way of \"%s\": take one of "
				    "the two out", p->b, queue[head - 1]);
				rc = fail(c, p->item, ERR_INVAL, chain.data);
			}
			if (rc < 0 || items_get(&seen, parent) != NULL)
				continue;
			items_put(&seen, parent, "", "");
			queue = xgrow(queue, &cap, n + 1, sizeof(*queue));
			queue[n++] = xstrdup(parent);
		}
		free(prefix);
	}
	for (i = 0; i < n; i++)
		free(queue[i]);
	free(queue);
	items_fini(&seen);
	buf_fini(&chain);
	return rc;
}

static int
check_item(struct compiling *c, const struct parts *p)
{
	int rc;

	if (strcmp(p->kind, "entry") == 0)
		return check_group(c, p->item, p->b);
	if (strcmp(p->kind, "nest") == 0) {
		if ((rc = check_group(c, p->item, p->a)) < 0 ||
		    (rc = check_group(c, p->item, p->b)) < 0)
			return rc;
		return check_cycle(c, p);
	}
	if (strcmp(p->kind, "policy") == 0)
		return check_policy_groups(c, p);
	return 0;
}

static bool
has_setting(const struct items *in, const char *name)
{
	char *key = item_key("setting", name, NULL);
	bool there = items_get(in, key) != NULL;

	free(key);
	return there;
}

/* What holds when nothing was said. */
static int
emit_defaults(struct compiling *c)
{
	static const char *const paths[] = { "prvs=", "srs0=", "srs1=" };
	struct buf depths;
	size_t i, n = 0;

	if (!has_setting(c->in, "free_mail_domains")) {
		for (i = 0; free_mail_builtin()[i] != NULL; i++)
			emit_text(c, RECORD_FREE_MAIL,
			    free_mail_builtin()[i], "");
	}
	if (!has_setting(c->in, "return_paths")) {
		for (i = 0; i < 3; i++)
			emit_text(c, RECORD_RETURN_PATH, paths[i], "");
	}
	emit_text(c, RECORD_PROTECTED, "abuse", "");
	emit_text(c, RECORD_PROTECTED, "postmaster", "");
	buf_init(&depths, 0);
	for (i = 1; i < 128; i++) {
		if (c->depths[i] > 0)
			buf_printf(&depths, "%s%zu", n++ > 0 ? "," : "", i);
	}
	if (n > 0 && n <= MODEL_WILDCARD_DEPTHS_MAX)
		emit_text(c, RECORD_SETTING, "wildcard_depths", depths.data);
	buf_fini(&depths);
	if (n > MODEL_WILDCARD_DEPTHS_MAX)
		return diag_set(c->why, ERR_TOOBIG, "wildcards in groups "
		    "have %zu different lengths, at most 8 are looked up",
		    n);
	return 0;
}

/* The same key twice (a protected local part that is a default, an alias of
 * two people): equal values are one, others are an error. */
static int
unite(struct compiling *c)
{
	struct records *r = c->out;
	size_t i, n = 0;

	for (i = 0; i < r->n; i++) {
		struct record *a = n == 0 ? NULL : &r->r[n - 1];
		struct record *b = &r->r[i];

		if (a == NULL || a->key_len != b->key_len ||
		    memcmp(a->key, b->key, a->key_len) != 0) {
			r->r[n++] = *b;
			continue;
		}
		if (a->val_len != b->val_len ||
		    memcmp(a->val, b->val, a->val_len) != 0) {
			diag_set(c->why, ERR_INVAL, "\"%.*s\" is an alias "
			    "of two addresses", (int)b->key_len - 1,
			    (const char *)b->key + 1);
			memmove(&r->r[n], &r->r[i],
			    (r->n - i) * sizeof(*r->r));
			r->n -= i - n;
			return ERR_INVAL;
		}
		free(b->key);
		free(b->val);
	}
	r->n = n;
	return 0;
}

static int
each_item(struct compiling *c, bool check)
{
	size_t i = 0;
	int rc = 0;

	while (i < c->in->n && rc == 0) {
		struct parts p = { .item = &c->in->item[i] };
		char *mem;

		item_split(p.item->key, &mem, &p.kind, &p.a, &p.b);
		if (check) {
			rc = check_item(c, &p);
			i++;
		} else
			rc = compile_item(c, &p, &i);
		free(mem);
	}
	return rc;
}

static char *
time_zone(const struct items *in)
{
	char *key = item_key("setting", "time_zone", NULL);
	const struct item *it = items_get(in, key);
	json_t *v = it == NULL ? NULL :
	    json_loads(it->value, JSON_DECODE_ANY, NULL);
	char *zone = xstrdup(json_is_string(v) ? json_string_value(v) :
	    "UTC");

	json_decref(v);
	free(key);
	return zone;
}

int
compile(const struct items *in, struct records *out, struct diag *why)
{
	struct compiling c = { .in = in, .out = out, .why = why };
	char *zone = time_zone(in);
	int rc;

	memset(out, 0, sizeof(*out));
	c.zone = zone;
	buf_init(&c.key, 0);
	buf_init(&c.val, 0);
	rc = each_item(&c, true);
	if (rc == 0)
		rc = each_item(&c, false);
	if (rc == 0)
		rc = emit_defaults(&c);
	records_sort(out);
	if (rc == 0)
		rc = unite(&c);
	if (rc == 0)
		rc = records_load_tables(out, why);
	buf_fini(&c.key);
	buf_fini(&c.val);
	free(zone);
	if (rc < 0)
		records_fini(out);
	return rc;
}
