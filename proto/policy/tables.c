/*
 * tables.c - takes in small records and answers look-ups of them.
 *
 * Groups and the policy index are closed in tables_index.c; what tables share
 * is in tables_share.c.
 */
#include "proto/policy/tables_impl.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/err.h"
#include "proto/mail/addr.h"

#define RANGES_MAX 100000
#define NAMES_MAX 1000000
#define LOCALS_MAX 1000

/* The rest of a key or value as text; NULL if it holds a NUL or too much. */
static char *
text_of(struct bytes b, size_t max)
{
	char *s;

	if (b.n > max || (b.n > 0 && memchr(b.p, 0, b.n) != NULL))
		return NULL;
	s = xmalloc(b.n + 1);
	if (b.n > 0)
		memcpy(s, b.p, b.n);
	s[b.n] = '\0';
	return s;
}

static int
put_name(struct name_list *s, struct bytes key, size_t max)
{
	char *name;

	if (s->n >= max)
		return ERR_TOOBIG;
	if (key.n == 0 || (name = text_of(key, MODEL_TEXT_MAX)) == NULL)
		return ERR_CORRUPT;
	s->name = xgrow(s->name, &s->cap, s->n + 1, sizeof(*s->name));
	s->name[s->n++] = name;
	return 0;
}

static int
put_prefix(struct prefixes *s, struct bytes key)
{
	struct ip_prefix p;
	const uint8_t *b = bytes_take(&key, 16);

	if (s->n >= RANGES_MAX)
		return ERR_TOOBIG;
	p.len = bytes_u8(&key);
	if (b == NULL || key.err != 0 || key.n != 0 || p.len > 128)
		return ERR_CORRUPT;
	memcpy(p.ip.b, b, 16);
	s->p = xgrow(s->p, &s->cap, s->n + 1, sizeof(*s->p));
	s->p[s->n++] = p;
	return 0;
}

static int
put_domain(struct tables *t, struct bytes key, struct bytes value)
{
	uint8_t mode = bytes_u8(&value);
	char *name;

	if (t->domains_n >= MODEL_DOMAINS_MAX)
		return ERR_TOOBIG;
	if (value.err != 0 || mode > VALIDATE_DEFER || key.n == 0 ||
	    (name = text_of(key, ADDR_DOMAIN_MAX + 2)) == NULL)
		return ERR_CORRUPT;
	t->domains = xgrow(t->domains, &t->domains_cap, t->domains_n + 1,
	    sizeof(*t->domains));
	t->domains[t->domains_n].name = name;
	t->domains[t->domains_n++].validation = mode;
	return 0;
}

static int
put_group(struct tables *t, struct bytes key, struct bytes value)
{
	struct group_row g = { .gid = bytes_u64(&key) };
	uint16_t len = bytes_u16(&value);
	const uint8_t *name = bytes_take(&value, len);
	size_t i;

	if (t->groups_n >= MODEL_GROUPS_MAX)
		return ERR_TOOBIG;
	if (key.err != 0 || key.n != 0 || name == NULL || len == 0 ||
	    (g.name = text_of(bytes_of(name, len), MODEL_TEXT_MAX)) == NULL)
		return ERR_CORRUPT;
	g.parents_n = bytes_u16(&value);
	if (value.n != g.parents_n * 8 || model_gid(g.name) != g.gid) {
		free(g.name);
		return ERR_CORRUPT;
	}
	g.parents = xcalloc(g.parents_n + 1, sizeof(*g.parents));
	for (i = 0; i < g.parents_n; i++)
		g.parents[i] = bytes_u64(&value);
	t->groups = xgrow(t->groups, &t->groups_cap, t->groups_n + 1,
	    sizeof(*t->groups));
	t->groups[t->groups_n++] = g;
	return 0;
}

static int
put_policy(struct tables *t, struct bytes key, struct bytes value,
    struct diag *why)
{
	struct policy p;
	char *id = text_of(key, MODEL_ID_MAX);
	int rc;

	if (id == NULL || id[0] == '\0') {
		free(id);
		return ERR_CORRUPT;
	}
	rc = t->policies_n >= MODEL_POLICIES_MAX ? ERR_TOOBIG :
	    policy_decode(&p, id, value, why);
	free(id);
	if (rc < 0)
		return rc;
	t->conditions_n += p.ips_n + p.hosts_n;
	if (t->conditions_n > MODEL_CONDITIONS_MAX) {
		rc = diag_set(why, ERR_TOOBIG, "policies have over %d source "
		    "IPs and host names in all", MODEL_CONDITIONS_MAX);
		policy_fini(&p);
		return rc;
	}
	t->policies = xgrow(t->policies, &t->policies_cap,
	    t->policies_n + 1, sizeof(*t->policies));
	t->policies[t->policies_n++] = p;
	return 0;
}

static int
copy_setting(char *out, size_t cap, const char *value)
{
	if (strlen(value) >= cap)
		return ERR_TOOBIG;
	memcpy(out, value, strlen(value) + 1);
	return 0;
}

/* "2,3": the label counts of wildcard suffixes. */
static int
parse_depths(struct settings *s, const char *value)
{
	const char *p = value;
	char *end;

	s->wildcard_depths_n = 0;
	while (*p != '\0') {
		long v = strtol(p, &end, 10);

		if (end == p || v < 1 || v > 127 ||
		    s->wildcard_depths_n == MODEL_WILDCARD_DEPTHS_MAX)
			return ERR_CORRUPT;
		s->wildcard_depths[s->wildcard_depths_n++] = (uint8_t)v;
		p = *end == ',' ? end + 1 : end;
	}
	return 0;
}

static int
apply_setting(struct settings *s, const char *name, const char *value)
{
	if (strcmp(name, "recipient_delimiter") == 0)
		return copy_setting(s->delimiters, sizeof(s->delimiters),
		    value);
	if (strcmp(name, "reply_help") == 0)
		return copy_setting(s->reply_help, sizeof(s->reply_help),
		    value);
	if (strcmp(name, "recipient_validation") == 0)
		return validation_parse(value, &s->validation);
	if (strcmp(name, "header_stage") == 0)
		return header_stage_parse(value, &s->header_stage);
	if (strcmp(name, "mixed_recipients") == 0)
		return mixed_parse(value, &s->mixed);
	if (strcmp(name, "enforcement") == 0)
		return enforcement_parse(value, &s->enforcement);
	if (strcmp(name, "reply_detail") == 0)
		return reply_detail_parse(value, &s->reply_detail);
	if (strcmp(name, "wildcard_depths") == 0)
		return parse_depths(s, value);
	if (strcmp(name, "time_zone") == 0)
		return 0;	/* for people; dates are compiled already */
	return ERR_VERSION;
}

static int
put_setting(struct tables *t, struct bytes key, struct bytes value)
{
	char *name = text_of(key, 64), *text = text_of(value, 1024);
	int rc = ERR_CORRUPT;

	if (name != NULL && text != NULL)
		rc = apply_setting(&t->settings, name, text);
	free(name);
	free(text);
	return rc;
}

static int
put(struct tables *t, uint8_t cls, struct bytes key, struct bytes value,
    struct diag *why)
{
	switch (cls) {
	case RECORD_SETTING:
		return put_setting(t, key, value);
	case RECORD_INTERNAL:
		return put_domain(t, key, value);
	case RECORD_AUTHORIZED:
		return put_prefix(&t->authorized, key);
	case RECORD_TRUSTED:
		return put_prefix(&t->trusted, key);
	case RECORD_FREE_MAIL:
		return put_name(&t->free_mail, key, NAMES_MAX);
	case RECORD_PROTECTED:
		return put_name(&t->protected_local, key, LOCALS_MAX);
	case RECORD_RETURN_PATH:
		return put_name(&t->return_path, key, LOCALS_MAX);
	case RECORD_GROUP:
		return put_group(t, key, value);
	case RECORD_POLICY:
		return put_policy(t, key, value, why);
	default:
		return ERR_VERSION;
	}
}

int
tables_put(struct tables *t, struct bytes key, struct bytes value,
    struct diag *why)
{
	uint8_t cls = bytes_u8(&key);
	int rc;

	if (why != NULL)
		why->text[0] = '\0';
	if (key.err != 0 || t->finished)
		return diag_set(why, ERR_CORRUPT, "record without a key");
	assert(!tables_has_class(t, cls));
	rc = put(t, cls, key, value, why);
	if (rc == ERR_INVAL)
		rc = ERR_CORRUPT;
	if (rc == 0)
		tables_count(t, cls);
	if (rc < 0 && (why == NULL || why->text[0] == '\0'))
		return diag_set(why, rc, "record of class '%c': %s",
		    cls >= ' ' && cls < 127 ? cls : '?', err_text(rc));
	return rc;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
by_domain(const void *a, const void *b)
{
	return strcmp(((const struct domain_row *)a)->name,
	    ((const struct domain_row *)b)->name);
}

static int
by_prefix(const void *a, const void *b)
{
	const struct ip_prefix *x = a, *y = b;

	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return memcmp(x->ip.b, y->ip.b, 16);
}

static int
by_id(const void *a, const void *b)
{
	return strcmp(((const struct policy *)a)->id,
	    ((const struct policy *)b)->id);
}

/* Records mostly come in the order of their keys, which is most tables'. */
static void
sort(void *base, size_t n, size_t size,
    int (*cmp)(const void *, const void *))
{
	const char *row = base;
	size_t i;

	for (i = 1; i < n && cmp(row + (i - 1) * size, row + i * size) <= 0;
	    i++)
		;
	if (i < n)
		qsort(base, n, size, cmp);
}

static void
sort_names(struct name_list *s)
{
	sort(s->name, s->n, sizeof(char *), by_text);
}

static void
note_byte(uint64_t set[4], unsigned byte)
{
	set[byte / 64] |= UINT64_C(1) << byte % 64;
}

static bool
has_byte(const uint64_t set[4], unsigned byte)
{
	return (set[byte / 64] >> byte % 64 & 1) != 0;
}

/* The first bytes of the IPv4 addresses that p holds. */
static void
note_v4(struct prefixes *s, const struct ip_prefix *p)
{
	unsigned n, i;

	if (p->len < 96 || !ip_is_v4(&p->ip))
		return;
	n = p->len >= 104 ? 1 : 1u << (104 - p->len);
	for (i = 0; i < n; i++)
		note_byte(s->v4_first, (p->ip.b[12] & ~(n - 1)) + i);
}

static void
sort_prefixes(struct prefixes *s)
{
	size_t i, len = 0;

	sort(s->p, s->n, sizeof(struct ip_prefix), by_prefix);
	for (i = 0; i < s->n; i++) {
		while (len <= s->p[i].len)
			s->first[len++] = (uint32_t)i;
	}
	while (len < 130)
		s->first[len++] = (uint32_t)s->n;
	for (i = 0; i < s->n; i++)
		note_v4(s, &s->p[i]);
}

/* What a protected name may begin with. */
static void
note_protected(struct tables *t)
{
	size_t i;

	memset(t->protected_first, 0, sizeof(t->protected_first));
	for (i = 0; i < t->protected_local.n; i++)
		note_byte(t->protected_first,
		    (uint8_t)t->protected_local.name[i][0]);
	note_byte(t->protected_first, 'p');
}

static void
finish_domains(struct tables *t)
{
	sort(t->domains, t->domains_n, sizeof(*t->domains), by_domain);
	tables_hash_domains(t);
}

static void
finish_policies(struct tables *t)
{
	sort(t->policies, t->policies_n, sizeof(*t->policies), by_id);
	tables_index_policies(t);
	tables_hash_policies(t);
}

int
tables_finish(struct tables *t, struct diag *why)
{
	const bool *shared = t->shared;
	size_t i;
	int rc;

	if (!shared[TABLES_AUTHORIZED])
		sort_prefixes(&t->authorized);
	if (!shared[TABLES_TRUSTED])
		sort_prefixes(&t->trusted);
	if (!shared[TABLES_FREE_MAIL])
		sort_names(&t->free_mail);
	if (!shared[TABLES_PROTECTED])
		sort_names(&t->protected_local);
	if (!shared[TABLES_RETURN_PATH])
		sort_names(&t->return_path);
	if (!shared[TABLES_DOMAINS])
		finish_domains(t);
	if (!shared[TABLES_GROUPS] && (rc = tables_close_groups(t, why)) < 0)
		return rc;
	if (!shared[TABLES_POLICIES])
		finish_policies(t);
	if ((!shared[TABLES_GROUPS] || !shared[TABLES_POLICIES]) &&
	    (rc = tables_check_groups(t, why)) < 0)
		return rc;
	note_protected(t);
	t->all_depths = t->depths;
	for (i = 0; i < t->settings.wildcard_depths_n; i++)
		depths_add(&t->all_depths, t->settings.wildcard_depths[i]);
	t->all_depths_most = depths_most(&t->all_depths);
	t->finished = true;
	return 0;
}

const struct settings *
tables_settings(const struct tables *t)
{
	return &t->settings;
}

size_t
tables_policies_n(const struct tables *t)
{
	return t->policies_n;
}

const struct policy *
tables_policy(const struct tables *t, const char *id)
{
	size_t lo = 0, hi = t->policies_n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(t->policies[mid].id, id);

		if (c == 0)
			return &t->policies[mid];
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

bool
name_list_holds(const struct name_list *s, const char *name)
{
	return s->n > 0 && bsearch(&name, s->name, s->n, sizeof(char *),
	    by_text) != NULL;
}

/* Does one of rows [lo, hi) of one length have this address? */
static bool
has_prefix(const struct prefixes *s, size_t lo, size_t hi,
    const uint64_t want[2])
{
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		uint64_t half[2];

		ip_halves(&s->p[mid].ip, half);
		if (half[0] == want[0] && half[1] == want[1])
			return true;
		if (half[0] < want[0] || (half[0] == want[0] &&
		    half[1] < want[1]))
			lo = mid + 1;
		else
			hi = mid;
	}
	return false;
}

bool
prefixes_hold(const struct prefixes *s, const struct ip *ip)
{
	uint64_t ones = ~UINT64_C(0), half[2], want[2];
	size_t i = 0;

	if (s->n == 0)
		return false;
	if (ip_is_v4(ip)) {
		if (!has_byte(s->v4_first, ip->b[12]))
			return false;
		/* it is in no IPv6 prefix, as ip_in_prefix() has it */
		i = s->first[96];
	}
	ip_halves(ip, half);
	while (i < s->n) {
		unsigned len = s->p[i].len;

		want[0] = len == 0 ? 0 : len >= 64 ? half[0] :
		    half[0] & ones << (64 - len);
		want[1] = len <= 64 ? 0 : half[1] & ones << (128 - len);
		if (has_prefix(s, i, s->first[len + 1], want))
			return true;
		i = s->first[len + 1];
	}
	return false;
}
