/*
 * want.c - which records a decision needs; keys as bytes; fetched facts.
 *
 * First round: what the envelope alone names.  Second round: what depends on
 * the recipient's primary address, known after the first: its own entries and
 * its user's list.
 */
#include "proto/policy/decide.h"

#include <string.h>

#include "proto/base/err.h"
#include "proto/policy/tables_impl.h"

enum { PRECISION_ADDRESS = 3000, PRECISION_DOMAIN = 2000,
    PRECISION_WILDCARD = 1000 };

/* A key that has no room is told at the end: see decide.h for what bounds
 * them. */
static void
add(struct want *w, struct want_key k)
{
	/* GCOVR_EXCL_START: 32 headers, 8 wildcards need 474, tested */
	if (w->n == DECIDE_KEYS_MAX) {
		w->over = true;
		return;
	}
	/* GCOVR_EXCL_STOP */
	w->key[w->n++] = k;
}

static void
add_text(struct want *w, uint8_t cls, uint8_t who, uint8_t index,
    const struct addr *a, uint64_t hash)
{
	add(w, (struct want_key){ .cls = cls, .who = who, .index = index,
	    .hash = record_hash_one(cls, false, hash), .a = a->text,
	    .a_len = (uint16_t)a->len });
}

/* The entry keys of one address: itself, its domain, wildcards above. */
static void
add_entries(struct want *w, const struct tables *t, const struct addr *a,
    const struct addr_hash *h, uint8_t who, uint8_t index)
{
	struct want_key k = { .cls = RECORD_ENTRY, .who = who,
	    .index = index };
	const struct settings *s = &t->settings;
	size_t i, n;

	if (a->kind != ADDR_MAILBOX && a->kind != ADDR_LITERAL)
		return;
	k.hash = record_hash_one(RECORD_ENTRY, false, h->address);
	k.a = a->text;
	k.a_len = (uint16_t)a->len;
	k.precision = PRECISION_ADDRESS;
	add(w, k);
	if (a->kind != ADDR_MAILBOX)
		return;
	k.hash = record_hash_one(RECORD_ENTRY, false, h->domain);
	k.a = a->text + a->domain_at;
	k.a_len = (uint16_t)(a->len - a->domain_at);
	k.precision = PRECISION_DOMAIN;
	add(w, k);
	k.wild = true;
	for (i = 0; i < s->wildcard_depths_n; i++) {
		const struct suffix_hash *x = h->suffix;

		for (n = h->suffix_n; n > 0 &&
		    x->labels != s->wildcard_depths[i]; n--)
			x++;
		if (n == 0)
			continue;
		k.hash = record_hash_one(RECORD_ENTRY, true, x->hash);
		k.a = a->text + x->at;
		k.a_len = (uint16_t)(a->len - x->at);
		k.precision = (uint16_t)(PRECISION_WILDCARD + x->labels);
		add(w, k);
	}
}

/* The entry key of an address without its extension. */
static void
add_entry(struct want *w, const struct addr *a, uint64_t hash, uint8_t who,
    uint8_t index)
{
	add(w, (struct want_key){ .cls = RECORD_ENTRY, .who = who,
	    .index = index, .hash = record_hash_one(RECORD_ENTRY, false,
	    hash), .a = a->text, .a_len = (uint16_t)a->len,
	    .precision = PRECISION_ADDRESS });
}

/* The hash of an address without its extension: the domain is that of h. */
static uint64_t
base_hash(const struct tables *t, const struct addr *base,
    const struct addr_hash *h)
{
	return record_hash_address(hash_text(&t->hash, base->text,
	    base->local_len), h->domain);
}

/* What some policy may name of an address: of the address alone, or of its
 * domains, too. */
static uint8_t
named_form(const struct tables *t, uint64_t hash)
{
	return (uint8_t)(t->named.bit == NULL ? 0 :
	    hash_bits_have(&t->named, hash) << NARROW_ADDRESS);
}

static uint8_t
named_address(const struct tables *t, const struct addr_hash *h)
{
	unsigned wild = 0;
	size_t i;

	if (t->named.bit == NULL)
		return 0;
	for (i = 0; i < h->suffix_n; i++)
		wild |= hash_bits_have(&t->named, h->suffix[i].hash);
	return (uint8_t)(named_form(t, h->address) | wild << NARROW_WILDCARD |
	    (unsigned)hash_bits_have(&t->named, h->domain) << NARROW_DOMAIN);
}

static const struct domain_slot *
internal_domain(const struct tables *t, const struct addr *a,
    const struct addr_hash *h)
{
	return tables_internal(t, a->text + a->domain_at,
	    a->len - a->domain_at, h->domain);
}

static void
want_headers(struct want *w, const struct tables *t, struct envelope *env)
{
	struct addr_hash h UNSET;
	size_t i;

	for (i = 0; i < env->headers_n; i++) {
		const struct addr *a = &env->headers[i];
		struct addr *base = &env->header_base[i];
		bool internal;

		tables_hash_addr(t, a, &h);
		internal = internal_domain(t, a, &h) != NULL;
		add_entries(w, t, a, &h, WHO_HEADER, (uint8_t)i);
		memset(base, 0, sizeof(*base));
		/* The directory holds internal addresses; external ones match
		 * without their extension: one of the two keys at most. */
		if (internal && t->has_attributes)
			add_text(w, RECORD_DIRECTORY, WHO_HEADER, (uint8_t)i,
			    a, h.address);
		if (!internal && addr_strip_extension(a,
		    t->settings.delimiters, base))
			add_entry(w, base, base_hash(t, base, &h),
			    WHO_HEADER_BASE, (uint8_t)i);
	}
}

/* Does anything ask what the directory says of the recipient? */
static bool
needs_directory(const struct tables *t, const struct envelope *env)
{
	enum validation mode = env->rcpt_validation;

	if (mode == VALIDATE_DEFAULT)
		mode = t->settings.validation;
	return t->has_attributes || (env->rcpt_internal &&
	    mode != VALIDATE_ANY);
}

/* Does anything ask which groups hold the recipient?  An external one may
 * stand in the group Relay. */
static bool
needs_groups(const struct tables *t, const struct envelope *env)
{
	return t->has_rcpt_groups || !env->rcpt_internal;
}

static void
want_rcpt(struct want *w, const struct tables *t, struct envelope *env)
{
	const struct addr_hash *h = &w->rcpt;
	const struct domain_slot *in;
	bool groups, directory;
	uint64_t user = h->address;

	in = internal_domain(t, &env->rcpt, h);
	env->rcpt_internal = in != NULL;
	env->rcpt_validation = in == NULL ? VALIDATE_DEFAULT :
	    (enum validation)in->validation;
	env->has_rcpt_base = in != NULL && addr_strip_extension(&env->rcpt,
	    t->settings.delimiters, &env->rcpt_base);
	groups = needs_groups(t, env);
	directory = needs_directory(t, env);
	add_text(w, RECORD_ALIAS, WHO_RCPT, 0, &env->rcpt, h->address);
	/* whose list counts depends on it where there are two forms */
	if (directory || env->has_rcpt_base)
		add_text(w, RECORD_DIRECTORY, WHO_RCPT, 0, &env->rcpt,
		    h->address);
	if (groups)
		add_entries(w, t, &env->rcpt, h, WHO_RCPT, 0);
	if (env->has_rcpt_base) {
		user = w->rcpt_base = base_hash(t, &env->rcpt_base, h);
		w->rcpt_named |= named_form(t, user);
		add_text(w, RECORD_ALIAS, WHO_RCPT_BASE, 0, &env->rcpt_base,
		    user);
		if (directory)
			add_text(w, RECORD_DIRECTORY, WHO_RCPT_BASE, 0,
			    &env->rcpt_base, user);
		if (groups)
			add_entry(w, &env->rcpt_base, user, WHO_RCPT_BASE, 0);
	}
}

static void
want_sender(struct want *w, const struct tables *t, struct envelope *env)
{
	const struct addr_hash *h = &w->sender;

	add_entries(w, t, &env->sender, h, WHO_SENDER, 0);
	if (t->has_attributes && env->sender.kind == ADDR_MAILBOX)
		add_text(w, RECORD_DIRECTORY, WHO_SENDER, 0, &env->sender,
		    h->address);
	/* Only external senders match without their extension. */
	env->sender_internal = internal_domain(t, &env->sender, h) != NULL;
	env->has_sender_base = env->sender.kind == ADDR_MAILBOX &&
	    !env->sender_internal &&
	    addr_strip_extension(&env->sender, t->settings.delimiters,
	    &env->sender_base);
	if (!env->has_sender_base)
		return;
	w->sender_base = base_hash(t, &env->sender_base, h);
	w->sender_named |= named_form(t, w->sender_base);
	add_entry(w, &env->sender_base, w->sender_base, WHO_SENDER_BASE, 0);
}

/* Hash the names, and let the caller fetch what most questions will ask. */
static void
want_names(const struct tables *t, const struct envelope *env,
    struct want *w, want_ahead *ahead, void *arg)
{
	uint64_t near[3];

	tables_hash_addr(t, &env->rcpt, &w->rcpt);
	if (ahead != NULL)
		ahead(arg, &w->rcpt.address, 1);
	tables_prefetch(t, &w->rcpt);
	tables_hash_addr(t, &env->sender, &w->sender);
	if (ahead != NULL) {
		near[0] = w->sender.address;
		near[1] = w->sender.domain;
		near[2] = record_hash_user(w->rcpt.address, 0,
		    w->sender.domain).near;
		ahead(arg, near, 3);
	}
	tables_prefetch(t, &w->sender);
	/* needed later, while what was asked for is on its way */
	w->trusted = env->has_ip && prefixes_hold(&t->trusted, &env->ip);
	w->authorized = env->has_ip && prefixes_hold(&t->authorized,
	    &env->ip);
	w->rcpt_named = named_address(t, &w->rcpt);
	w->sender_named = named_address(t, &w->sender);
}

int
want_first(const struct tables *t, struct envelope *env, struct want *w,
    want_ahead *ahead, void *arg)
{
	w->n = 0;
	w->over = false;
	env->has_primary = env->has_sender_base = env->has_rcpt_base = false;
	env->rcpt_internal = env->sender_internal = false;
	env->rcpt_validation = VALIDATE_DEFAULT;
	env->user = NULL;
	want_names(t, env, w, ahead, arg);
	if (env->sender_bad || env->rcpt_bad)
		return 0;
	if (env->headers_n > DECIDE_HEADERS_MAX)
		return ERR_TOOBIG;
	want_rcpt(w, t, env);
	want_sender(w, t, env);
	if (env->headers_n > 0)
		want_headers(w, t, env);
	return w->over ? ERR_TOOBIG : 0;	/* GCOVR_EXCL_BR_LINE: add() */
}

/* The user's entry for an address, whose hash and whose domain's are given. */
static void
add_user(struct want *w, const struct addr *user, uint64_t user_hash,
    const struct addr *a, uint64_t hash, uint64_t domain, uint8_t who,
    uint8_t index)
{
	if (a->kind != ADDR_MAILBOX && a->kind != ADDR_LITERAL)
		return;
	add(w, (struct want_key){ .cls = RECORD_USER, .who = who,
	    .index = index, .precision = PRECISION_ADDRESS,
	    .hash = record_hash_user(user_hash, hash, domain),
	    .a = user->text, .a_len = (uint16_t)user->len,
	    .b = a->text, .b_len = (uint16_t)a->len });
}

/* And the one for its domain. */
static void
add_user_domain(struct want *w, const struct addr *user, uint64_t user_hash,
    const struct addr *a, uint64_t domain, uint8_t who, uint8_t index)
{
	if (a->kind != ADDR_MAILBOX)
		return;
	add(w, (struct want_key){ .cls = RECORD_USER, .who = who,
	    .index = index, .precision = PRECISION_DOMAIN,
	    .hash = record_hash_user(user_hash, domain, domain),
	    .a = user->text, .a_len = (uint16_t)user->len,
	    .b = a->text + a->domain_at,
	    .b_len = (uint16_t)(a->len - a->domain_at) });
}

static void
want_user_headers(struct want *w, const struct tables *t,
    const struct envelope *env, uint64_t user)
{
	struct addr_hash h UNSET;
	size_t i;

	for (i = 0; i < env->headers_n; i++) {
		const struct addr *a = &env->headers[i];
		const struct addr *base = &env->header_base[i];

		tables_hash_addr(t, a, &h);
		add_user(w, env->user, user, a, h.address, h.domain,
		    WHO_HEADER, (uint8_t)i);
		add_user_domain(w, env->user, user, a, h.domain, WHO_HEADER,
		    (uint8_t)i);
		add_user(w, env->user, user, base, base_hash(t, base, &h),
		    h.domain, WHO_HEADER_BASE, (uint8_t)i);
	}
}

/* The fact of the first key of this class and owner, or -1. */
static int
find_fact(const struct want *w, const struct facts *f, uint8_t cls,
    uint8_t who)
{
	size_t i;

	for (i = 0; i < w->n; i++) {
		if (w->key[i].cls == cls && w->key[i].who == who)
			return f->state[i] == FACT_FOUND ? (int)i : -1;
	}
	return -1;
}

/* Whose list counts: the alias' target, an address of the directory, else the
 * address without its extension; and its hash. */
static int
find_user(const struct tables *t, struct envelope *env, struct want *w,
    const struct facts *f, uint64_t *hash)
{
	int i = find_fact(w, f, RECORD_ALIAS, WHO_RCPT);

	env->user = &env->rcpt;
	*hash = w->rcpt.address;
	if (i < 0 && find_fact(w, f, RECORD_DIRECTORY, WHO_RCPT) >= 0)
		return 0;
	if (i < 0)
		i = find_fact(w, f, RECORD_ALIAS, WHO_RCPT_BASE);
	if (i < 0) {
		if (env->has_rcpt_base) {
			env->user = &env->rcpt_base;
			*hash = w->rcpt_base;
		}
		return 0;
	}
	if (addr_parse(&env->primary, f->values.data + f->at[i], f->len[i],
	    ADDR_TEXT, NULL) < 0 || env->primary.kind != ADDR_MAILBOX)
		return ERR_CORRUPT;
	env->has_primary = true;
	env->user = &env->primary;
	tables_hash_addr(t, &env->primary, &w->primary);
	w->rcpt_named |= named_address(t, &w->primary);
	*hash = w->primary.address;
	return 0;
}

int
want_second(const struct tables *t, struct envelope *env,
    const struct facts *f, struct want *w)
{
	const struct addr_hash *h = &w->sender;
	uint64_t user;
	int rc;

	if (env->sender_bad || env->rcpt_bad)
		return 0;
	if ((rc = find_user(t, env, w, f, &user)) < 0)
		return rc;
	if (env->has_primary && needs_directory(t, env))
		add_text(w, RECORD_DIRECTORY, WHO_PRIMARY, 0, &env->primary,
		    user);
	if (env->has_primary && needs_groups(t, env))
		add_entries(w, t, &env->primary, &w->primary, WHO_PRIMARY, 0);
	add_user(w, env->user, user, &env->sender, h->address, h->domain,
	    WHO_SENDER, 0);
	add_user_domain(w, env->user, user, &env->sender, h->domain,
	    WHO_SENDER, 0);
	if (env->has_sender_base)
		add_user(w, env->user, user, &env->sender_base,
		    w->sender_base, h->domain, WHO_SENDER_BASE, 0);
	if (env->headers_n > 0)
		want_user_headers(w, t, env, user);
	return w->over ? ERR_TOOBIG : 0;	/* GCOVR_EXCL_BR_LINE: add() */
}

size_t
want_key_write(const struct want_key *k, uint8_t out[RECORD_KEY_MAX])
{
	size_t n = 0;

	out[n++] = k->cls;
	if (k->wild) {
		out[n++] = '*';
		out[n++] = '.';
	}
	memcpy(out + n, k->a, k->a_len);
	n += k->a_len;
	if (k->b != NULL) {
		out[n++] = 0;
		memcpy(out + n, k->b, k->b_len);
		n += k->b_len;
	}
	return n;
}

void
facts_init(struct facts *f)
{
	memset(f->state, 0, sizeof(f->state));
	buf_init(&f->values, 16 * 1024 * 1024);
}

void
facts_fini(struct facts *f)
{
	buf_fini(&f->values);
}

void
facts_reset(struct facts *f)
{
	buf_reset(&f->values);
}

void
facts_set(struct facts *f, size_t i, enum fact_state state,
    const void *value, size_t len)
{
	f->state[i] = state;
	if (state != FACT_FOUND)
		return;
	f->at[i] = (uint32_t)f->values.len;
	f->len[i] = (uint32_t)len;
	buf_put(&f->values, value, len);
	if (f->values.err != 0)
		f->state[i] = FACT_ERROR;
}
