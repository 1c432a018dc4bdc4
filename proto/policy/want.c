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
    const struct addr *a)
{
	add(w, (struct want_key){ .cls = cls, .who = who, .index = index,
	    .a = a->text, .a_len = (uint16_t)a->len });
}

/* The entry keys of one address: itself, its domain, wildcards above. */
static void
add_entries(struct want *w, const struct tables *t, const struct addr *a,
    uint8_t who, uint8_t index, bool with_domain)
{
	struct want_key k = { .cls = RECORD_ENTRY, .who = who,
	    .index = index };
	const struct settings *s = &t->settings;
	const char *domain = addr_domain(a);
	size_t i;

	if (a->kind != ADDR_MAILBOX && a->kind != ADDR_LITERAL)
		return;
	k.a = a->text;
	k.a_len = (uint16_t)a->len;
	k.precision = PRECISION_ADDRESS;
	add(w, k);
	if (!with_domain || a->kind != ADDR_MAILBOX)
		return;
	k.a = domain;
	k.a_len = (uint16_t)strlen(domain);
	k.precision = PRECISION_DOMAIN;
	add(w, k);
	k.wild = true;
	for (i = 0; i < s->wildcard_depths_n; i++) {
		int depth = s->wildcard_depths[i];
		const char *suffix = addr_suffix(domain, depth);

		if (suffix == NULL || suffix == domain)
			continue;	/* proper subdomains only */
		k.a = suffix;
		k.a_len = (uint16_t)strlen(suffix);
		k.precision = (uint16_t)(PRECISION_WILDCARD + depth);
		add(w, k);
	}
}

static void
want_headers(struct want *w, const struct tables *t, struct envelope *env)
{
	size_t i;

	for (i = 0; i < env->headers_n; i++) {
		const struct addr *a = &env->headers[i];
		bool internal = tables_internal(t, addr_domain(a)) != NULL;

		add_entries(w, t, a, WHO_HEADER, (uint8_t)i, true);
		memset(&env->header_base[i], 0, sizeof(struct addr));
		/* The directory holds internal addresses; external ones match
		 * without their extension: one of the two keys at most. */
		if (internal && t->has_attributes)
			add_text(w, RECORD_DIRECTORY, WHO_HEADER, (uint8_t)i,
			    a);
		if (!internal && addr_strip_extension(a,
		    t->settings.delimiters, &env->header_base[i]))
			add_entries(w, t, &env->header_base[i],
			    WHO_HEADER_BASE, (uint8_t)i, false);
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
	const struct domain_row *row = tables_internal(t,
	    addr_domain(&env->rcpt));
	bool groups, directory;

	env->rcpt_internal = row != NULL;
	env->rcpt_validation = row == NULL ? VALIDATE_DEFAULT :
	    row->validation;
	env->has_rcpt_base = row != NULL && addr_strip_extension(&env->rcpt,
	    t->settings.delimiters, &env->rcpt_base);
	groups = needs_groups(t, env);
	directory = needs_directory(t, env);
	add_text(w, RECORD_ALIAS, WHO_RCPT, 0, &env->rcpt);
	/* whose list counts depends on it where there are two forms */
	if (directory || env->has_rcpt_base)
		add_text(w, RECORD_DIRECTORY, WHO_RCPT, 0, &env->rcpt);
	if (groups)
		add_entries(w, t, &env->rcpt, WHO_RCPT, 0, true);
	if (!env->has_rcpt_base)
		return;
	add_text(w, RECORD_ALIAS, WHO_RCPT_BASE, 0, &env->rcpt_base);
	if (directory)
		add_text(w, RECORD_DIRECTORY, WHO_RCPT_BASE, 0,
		    &env->rcpt_base);
	if (groups)
		add_entries(w, t, &env->rcpt_base, WHO_RCPT_BASE, 0, false);
}

int
want_first(const struct tables *t, struct envelope *env, struct want *w)
{
	w->n = 0;
	w->over = false;
	env->has_primary = env->has_sender_base = env->has_rcpt_base = false;
	env->rcpt_internal = env->sender_internal = false;
	env->rcpt_validation = VALIDATE_DEFAULT;
	env->user = NULL;
	if (env->sender_bad || env->rcpt_bad)
		return 0;
	if (env->headers_n > DECIDE_HEADERS_MAX)
		return ERR_TOOBIG;
	want_rcpt(w, t, env);
	add_entries(w, t, &env->sender, WHO_SENDER, 0, true);
	if (t->has_attributes && env->sender.kind == ADDR_MAILBOX)
		add_text(w, RECORD_DIRECTORY, WHO_SENDER, 0, &env->sender);
	/* Only external senders match without their extension. */
	env->sender_internal = tables_internal(t,
	    addr_domain(&env->sender)) != NULL;
	env->has_sender_base = env->sender.kind == ADDR_MAILBOX &&
	    !env->sender_internal &&
	    addr_strip_extension(&env->sender, t->settings.delimiters,
	    &env->sender_base);
	if (env->has_sender_base)
		add_entries(w, t, &env->sender_base, WHO_SENDER_BASE, 0,
		    false);
	want_headers(w, t, env);
	return w->over ? ERR_TOOBIG : 0;	/* GCOVR_EXCL_BR_LINE: add() */
}

/* The user's entries for one sender: address and, when wanted, domain. */
static void
add_user(struct want *w, const struct addr *user, const struct addr *a,
    uint8_t who, uint8_t index, bool with_domain)
{
	struct want_key k = { .cls = RECORD_USER, .who = who, .index = index,
	    .a = user->text, .a_len = (uint16_t)user->len };
	const char *domain = addr_domain(a);

	if (a->kind != ADDR_MAILBOX && a->kind != ADDR_LITERAL)
		return;
	k.b = a->text;
	k.b_len = (uint16_t)a->len;
	k.precision = PRECISION_ADDRESS;
	add(w, k);
	if (!with_domain || a->kind != ADDR_MAILBOX)
		return;
	k.b = domain;
	k.b_len = (uint16_t)strlen(domain);
	k.precision = PRECISION_DOMAIN;
	add(w, k);
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
 * address without its extension. */
static int
find_user(struct envelope *env, const struct want *w, const struct facts *f)
{
	int i = find_fact(w, f, RECORD_ALIAS, WHO_RCPT);

	if (i < 0 && find_fact(w, f, RECORD_DIRECTORY, WHO_RCPT) >= 0) {
		env->user = &env->rcpt;
		return 0;
	}
	if (i < 0)
		i = find_fact(w, f, RECORD_ALIAS, WHO_RCPT_BASE);
	if (i < 0) {
		env->user = env->has_rcpt_base ? &env->rcpt_base : &env->rcpt;
		return 0;
	}
	if (addr_parse(&env->primary, f->values.data + f->at[i], f->len[i],
	    ADDR_TEXT, NULL) < 0 || env->primary.kind != ADDR_MAILBOX)
		return ERR_CORRUPT;
	env->has_primary = true;
	env->user = &env->primary;
	return 0;
}

int
want_second(const struct tables *t, struct envelope *env,
    const struct facts *f, struct want *w)
{
	size_t i;
	int rc;

	if (env->sender_bad || env->rcpt_bad)
		return 0;
	if ((rc = find_user(env, w, f)) < 0)
		return rc;
	if (env->has_primary && needs_directory(t, env))
		add_text(w, RECORD_DIRECTORY, WHO_PRIMARY, 0, &env->primary);
	if (env->has_primary && needs_groups(t, env))
		add_entries(w, t, &env->primary, WHO_PRIMARY, 0, true);
	add_user(w, env->user, &env->sender, WHO_SENDER, 0, true);
	if (env->has_sender_base)
		add_user(w, env->user, &env->sender_base, WHO_SENDER_BASE, 0,
		    false);
	for (i = 0; i < env->headers_n; i++) {
		add_user(w, env->user, &env->headers[i], WHO_HEADER,
		    (uint8_t)i, true);
		add_user(w, env->user, &env->header_base[i], WHO_HEADER_BASE,
		    (uint8_t)i, false);
	}
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
	f->at[i] = (uint32_t)f->values.len;
	f->len[i] = (uint32_t)len;
	if (state != FACT_FOUND)
		return;
	buf_put(&f->values, value, len);
	if (f->values.err != 0)
		f->state[i] = FACT_ERROR;
}
