/*
 * subject.c - one record from the items that say it.
 */
#include "controller/policy/subject.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "controller/policy/free_mail.h"
#include "controller/policy/records_impl.h"
#include "proto/base/clock.h"
#include "proto/base/err.h"

static const struct { const char *kind; uint8_t cls; } kinds[] = {
	{ "directory", RECORD_DIRECTORY }, { "domain", RECORD_INTERNAL },
	{ "entry", RECORD_ENTRY }, { "freemail", RECORD_FREE_MAIL },
	{ "group", RECORD_GROUP }, { "nest", RECORD_GROUP },
	{ "policy", RECORD_POLICY }, { "protected", RECORD_PROTECTED },
	{ "range", RECORD_AUTHORIZED }, { "return_path", RECORD_RETURN_PATH },
	{ "sender", RECORD_USER }, { "setting", RECORD_SETTING },
	{ "trusted", RECORD_TRUSTED },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static const char *const return_paths[] = { "prvs=", "srs0=", "srs1=", NULL };
static const char *const protected_locals[] = { "abuse", "postmaster", NULL };

uint8_t
subject_class(const char *kind)
{
	size_t i;

	for (i = 0; i < KINDS; i++)
		if (strcmp(kind, kinds[i].kind) == 0)
			return kinds[i].cls;
	return 0;
}

const char *
subject_kind(uint8_t cls)
{
	size_t i;

	for (i = 0; i < KINDS; i++)
		if (kinds[i].cls == cls)
			return kinds[i].kind;
	return NULL;
}

int
item_fail(const struct item *it, int err, struct diag *why, const char *text)
{
	if (it->place != NULL)
		return diag_set(why, err, "%s:%d:%d: %s", it->place->file,
		    it->place->line, it->place->column, text);
	return diag_set(why, err, "%s", text);
}

static const struct item *
get(const struct records *r, const char *kind, const char *a, const char *b)
{
	char *key = item_key(kind, a, b);
	const struct item *it = items_get(r->items, key);

	free(key);
	return it;
}

const char *
subject_alias(const struct records *r, const char *alias)
{
	const struct item *it = items_get(&r->alias, alias);

	return it == NULL ? NULL : it->value;
}

int
subject_key(const struct subject *s, struct buf *key)
{
	struct ip_prefix prefix;

	switch (s->cls) {
	case RECORD_AUTHORIZED:
	case RECORD_TRUSTED:
		if (ip_prefix_parse(s->a, &prefix) < 0)
			return ERR_INVAL;
		record_key_prefix(key, s->cls, &prefix);
		return 0;
	case RECORD_GROUP:
		record_key_gid(key, model_gid(s->a));
		return 0;
	case RECORD_USER:
		record_key_user(key, s->a, s->b);
		return 0;
	default:
		record_key_text(key, s->cls, s->a);
		return 0;
	}
}

bool
subject_of_key(const void *key, size_t len, struct subject *out, char **mem)
{
	const uint8_t *k = key;
	const char *nul;

	*mem = NULL;
	if (len < 2 || len > RECORD_KEY_MAX || record_is_small(k[0]) ||
	    !record_is_known(k[0]))
		return false;
	*mem = xcalloc(len, 1);
	memcpy(*mem, k + 1, len - 1);
	nul = memchr(*mem, 0, len - 1);
	*out = (struct subject){ k[0], *mem, nul == NULL ? NULL : nul + 1 };
	return (nul != NULL) == (k[0] == RECORD_USER) &&
	    (nul == NULL || strlen(nul + 1) == len - 2 -
	    (size_t)(nul - *mem));
}

/* --- values of small records --- */

static bool
is_listed(const char *const *list, const char *name)
{
	for (; *list != NULL; list++)
		if (strcmp(*list, name) == 0)
			return true;
	return false;
}

/* A name of a list that has built-in members; mark: the setting that says
 * that a list was given, which then holds alone. */
static int
listed_value(const struct records *r, const struct subject *s,
    const char *const *builtin, const char *mark)
{
	if (get(r, subject_kind(s->cls), s->a, NULL) != NULL)
		return 0;
	if (mark != NULL && get(r, "setting", mark, NULL) != NULL)
		return ERR_NOENT;
	return is_listed(builtin, s->a) ? 0 : ERR_NOENT;
}

static int
depths_value(const struct records *r, struct buf *val, struct diag *why)
{
	size_t i, n = 0;

	for (i = 1; i < COMPILE_DEPTHS; i++)
		n += r->depths[i] > 0;
	if (n > MODEL_WILDCARD_DEPTHS_MAX)
		return diag_set(why, ERR_TOOBIG, "wildcards in groups "
		    "have %zu different lengths, at most 8 are looked up",
		    n);
	for (i = 1, n = 0; i < COMPILE_DEPTHS; i++)
		if (r->depths[i] > 0)
			buf_printf(val, "%s%zu", n++ > 0 ? "," : "", i);
	return n > 0 ? 0 : ERR_NOENT;
}

static int
setting_value(const struct records *r, const struct subject *s,
    struct buf *val, struct diag *why)
{
	const struct item *it;
	json_t *v;
	int rc = 0;

	if (strcmp(s->a, "wildcard_depths") == 0)
		return depths_value(r, val, why);
	if (strcmp(s->a, "free_mail_domains") == 0 ||
	    strcmp(s->a, "return_paths") == 0)
		return ERR_NOENT;	/* marks of a list that was given */
	if ((it = get(r, "setting", s->a, NULL)) == NULL)
		return ERR_NOENT;
	v = json_loads(it->value, JSON_DECODE_ANY, NULL);
	if (json_is_string(v))
		buf_puts(val, json_string_value(v));
	else
		rc = item_fail(it, ERR_INVAL, why,
		    "a setting must be a text");
	json_decref(v);
	return rc;
}

static int
domain_value(const struct records *r, const struct subject *s,
    struct buf *val)
{
	const struct item *it = get(r, "domain", s->a, NULL);
	enum validation m = VALIDATE_DEFAULT;
	const char *mode;
	json_t *v;

	if (it == NULL)
		return ERR_NOENT;
	v = json_loads(it->value, 0, NULL);
	mode = json_string_value(json_object_get(v, "recipient_validation"));
	if (mode != NULL)
		validation_parse(mode, &m);
	buf_put_u8(val, m);
	json_decref(v);
	return 0;
}

static int
policy_value(const struct records *r, const struct subject *s,
    struct buf *val, struct diag *why)
{
	const struct item *it = get(r, "policy", s->a, NULL);
	const struct item *zone = get(r, "setting", "time_zone", NULL);
	struct policy policy;
	struct diag text;
	json_t *v;
	int rc;

	if (it == NULL)
		return ERR_NOENT;
	v = zone == NULL ? NULL : json_loads(zone->value, JSON_DECODE_ANY,
	    NULL);
	rc = policy_from_json(s->a, it->value, json_is_string(v) ?
	    json_string_value(v) : "UTC", &policy, &text);
	json_decref(v);
	if (rc < 0)
		return item_fail(it, ERR_INVAL, why, text.text);
	policy_encode(&policy, val);
	policy_fini(&policy);
	return 0;
}

static int
by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/*
 * The second names of all items with this kind and first name, as group
 * numbers, rising.  0; ERR_NOENT: none; ERR_TOOBIG, *it being the first one.
 */
static int
gather_gids(const struct records *r, const char *kind, const char *a,
    uint64_t gid[MODEL_ENTRY_GROUPS_MAX], size_t *n, const struct item **it)
{
	char *prefix = item_key(kind, a, "");
	struct items_cursor cur;
	const struct item *i;

	*n = 0;
	*it = i = items_first(&cur, r->items, prefix);
	for (; i != NULL && *n < MODEL_ENTRY_GROUPS_MAX; i = items_next(&cur))
		gid[(*n)++] = model_gid(i->key + strlen(prefix));
	free(prefix);
	qsort(gid, *n, sizeof(*gid), by_number);
	return i != NULL ? ERR_TOOBIG : *n == 0 ? ERR_NOENT : 0;
}

static int
group_value(const struct records *r, const struct subject *s,
    struct buf *val, struct diag *why)
{
	const struct item *group = get(r, "group", s->a, NULL), *it;
	uint64_t gid[MODEL_ENTRY_GROUPS_MAX];
	size_t n;

	if (group == NULL)
		return ERR_NOENT;
	if (gather_gids(r, "nest", s->a, gid, &n, &it) == ERR_TOOBIG)
		return item_fail(group, ERR_TOOBIG, why,
		    "a group may be in at most 64 groups directly");
	record_group_encode(val, s->a, gid, n);
	return 0;
}

/* --- values of large records --- */

static int
entry_value(const struct records *r, const struct subject *s,
    struct buf *val, struct diag *why)
{
	uint64_t gid[MODEL_ENTRY_GROUPS_MAX];
	const struct item *it;
	size_t n, i;
	int rc = gather_gids(r, "entry", s->a, gid, &n, &it);

	if (rc == ERR_TOOBIG)
		return item_fail(it, rc, why,
		    "an entry may be in at most 64 groups directly");
	for (i = 0; i < n; i++)
		buf_put_u64(val, gid[i]);
	return rc;
}

static int
directory_value(const struct records *r, const struct subject *s,
    struct buf *val)
{
	const struct item *it = get(r, "directory", s->a, NULL);
	json_t *v, *attrs, *value;
	const char *name;

	if (it == NULL)
		return ERR_NOENT;
	v = json_loads(it->value, 0, NULL);
	attrs = json_object_get(v, "attributes");
	buf_put_u8(val, json_is_false(json_object_get(v, "enabled")) ?
	    DIRECTORY_DISABLED : json_object_get(v, "state") != NULL ?
	    DIRECTORY_UNLICENSED : DIRECTORY_ACTIVE);
	buf_put_u16(val, (uint16_t)json_object_size(attrs));
	json_object_foreach(attrs, name, value) {
		buf_put_u8(val, (uint8_t)strlen(name));
		buf_puts(val, name);
		buf_put_u16(val, (uint16_t)json_string_length(value));
		buf_puts(val, json_string_value(value));
	}
	json_decref(v);
	return 0;
}

static int
user_value(const struct records *r, const struct subject *s, struct buf *val)
{
	const struct item *it = get(r, "sender", s->a, s->b);
	const char *manual, *used;
	int64_t at = 0;
	bool block;
	json_t *v;

	if (it == NULL)
		return ERR_NOENT;
	v = json_loads(it->value, 0, NULL);
	manual = json_string_value(json_object_get(v, "manual"));
	used = json_string_value(json_object_get(v, "last_used"));
	block = manual != NULL && strcmp(manual, "block") == 0;
	if (used != NULL)
		clock_parse(used, &at);
	buf_put_u8(val, (uint8_t)((block ? USER_BLOCK : 0) |
	    (manual != NULL && !block ? USER_PERMIT : 0) |
	    (json_is_true(json_object_get(v, "auto")) ? USER_AUTO : 0)));
	buf_put_u32(val, (uint32_t)(at / 86400000000));
	json_decref(v);
	return 0;
}

int
subject_value(const struct records *r, const struct subject *s,
    struct buf *val, struct diag *why)
{
	const char *text;

	switch (s->cls) {
	case RECORD_AUTHORIZED:
	case RECORD_TRUSTED:
		return get(r, subject_kind(s->cls), s->a, NULL) != NULL ? 0 :
		    ERR_NOENT;
	case RECORD_DIRECTORY:
		return directory_value(r, s, val);
	case RECORD_ENTRY:
		return entry_value(r, s, val, why);
	case RECORD_FREE_MAIL:
		return listed_value(r, s, free_mail_builtin(),
		    "free_mail_domains");
	case RECORD_GROUP:
		return group_value(r, s, val, why);
	case RECORD_INTERNAL:
		return domain_value(r, s, val);
	case RECORD_ALIAS:
		if ((text = subject_alias(r, s->a)) == NULL)
			return ERR_NOENT;
		buf_puts(val, text);
		return 0;
	case RECORD_PROTECTED:
		return listed_value(r, s, protected_locals, NULL);
	case RECORD_POLICY:
		return policy_value(r, s, val, why);
	case RECORD_RETURN_PATH:
		return listed_value(r, s, return_paths, "return_paths");
	case RECORD_SETTING:
		return setting_value(r, s, val, why);
	case RECORD_USER:
		return user_value(r, s, val);
	default:
		return ERR_NOENT;
	}
}

bool
subject_default(size_t i, struct subject *out)
{
	static const struct { uint8_t cls; const char *const *list; } all[] =
	    { { RECORD_PROTECTED, protected_locals },
	    { RECORD_RETURN_PATH, return_paths } };
	const char *const *list;
	size_t k;

	for (k = 0; k < 2; k++)
		for (list = all[k].list; *list != NULL; list++)
			if (i-- == 0) {
				*out = (struct subject){ all[k].cls, *list,
				    NULL };
				return true;
			}
	for (list = free_mail_builtin(); *list != NULL; list++)
		if (i-- == 0) {
			*out = (struct subject){ RECORD_FREE_MAIL, *list,
			    NULL };
			return true;
		}
	return false;
}
