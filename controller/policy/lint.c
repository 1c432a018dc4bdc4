/*
 * lint.c - runs the checks, keeps their findings, and prints them.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/policy/lint_impl.h"
#include "controller/policy/records_impl.h"
#include "proto/base/buf.h"

void
lint_add(struct lint *l, enum lint_severity severity, const char *code,
    const struct item *it, const char *subject, const char *mend,
    const char *fmt, ...)
{
	json_t *to = severity == LINT_REFUSED ? l->refused : l->warnings, *o;
	char text[600], at[400];
	va_list ap;

	if (json_array_size(to) >= LINT_FINDINGS_MAX) {
		l->more++;
		return;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	o = json_pack("{s:s, s:s, s:s, s:s, s:s}", "code", code, "severity",
	    severity == LINT_REFUSED ? "refused" : "warning", "subject",
	    subject, "message", text, "mend", mend);
	if (o != NULL && it != NULL && it->place != NULL) {
		snprintf(at, sizeof(at), "%.300s:%d:%d", it->place->file,
		    it->place->line, it->place->column);
		json_object_set_new(o, "at", json_string(at));
	}
	if (o != NULL)
		json_array_append_new(to, o);
}

const char *
lint_subject(const struct policy *p, char out[80])
{
	snprintf(out, 80, "policy %s", p->id);
	return out;
}

/* "Europe/Berlin", or UTC when none is set. */
static char *
time_zone(const struct items *items)
{
	char *key = item_key("setting", "time_zone", NULL), *zone;
	const struct item *it = items_get(items, key);
	json_t *v = it == NULL ? NULL :
	    json_loads(it->value, JSON_DECODE_ANY, NULL);

	zone = xstrdup(json_is_string(v) ? json_string_value(v) : "UTC");
	json_decref(v);
	free(key);
	return zone;
}

static int
by_from(const void *a, const void *b)
{
	const struct policy *x = &((const struct lint_policy *)a)->p;
	const struct policy *y = &((const struct lint_policy *)b)->p;
	int c;

	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	if (x->from.kind != y->from.kind)
		return x->from.kind < y->from.kind ? -1 : 1;
	c = strcmp(x->from.text == NULL ? "" : x->from.text,
	    y->from.text == NULL ? "" : y->from.text);
	return c != 0 ? c : strcmp(x->id, y->id);
}

static void
load_policies(struct lint *l)
{
	char *zone = time_zone(l->items);
	const struct item *it;
	struct items_cursor c;

	for (it = items_first(&c, l->items, "policy" ITEM_SEP_S); it != NULL;
	    it = items_next(&c)) {
		struct lint_policy *lp;

		l->policy = xgrow(l->policy, &l->cap, l->n + 1,
		    sizeof(*l->policy));
		lp = &l->policy[l->n];
		if (policy_from_json(strchr(it->key, ITEM_SEP) + 1, it->value,
		    zone, &lp->p, NULL) < 0)
			continue;
		lp->item = it;
		lp->live = lp->p.enabled && !lp->p.monitor &&
		    lp->p.valid_until_us > l->o->now_us;
		l->n++;
	}
	if (l->n > 1)
		qsort(l->policy, l->n, sizeof(*l->policy), by_from);
	free(zone);
}

json_t *
lint(const struct items *items, const struct lint_options *o)
{
	struct lint l = { .items = items, .o = o, .refused = json_array(),
	    .warnings = json_array() };
	size_t i;

	load_policies(&l);
	lint_losses(&l);
	lint_pairs(&l);
	lint_policies(&l);
	lint_sets(&l);
	if (l.more > 0)
		json_array_append_new(l.warnings, json_pack("{s:s, s:s, s:s, "
		    "s:o, s:s}", "code", "more", "severity", "warning",
		    "subject", "lint", "message", json_sprintf("%zu findings "
		    "more", l.more), "mend", "mend those above first"));
	if (l.cut)
		json_array_append_new(l.warnings, json_pack("{s:s, s:s, s:s, "
		    "s:s, s:s}", "code", "not_all", "severity", "warning",
		    "subject", "lint", "message", "the policy is larger than "
		    "lint looks through: some pairs of policies or entries "
		    "of groups were not looked at", "mend",
		    "write exceptions as groups instead of single policies"));
	for (i = 0; i < l.n; i++)
		policy_fini(&l.policy[i].p);
	free(l.policy);
	json_array_extend(l.refused, l.warnings);
	json_decref(l.warnings);
	return l.refused;
}

bool
lint_is_refused(const json_t *findings)
{
	const json_t *f;
	size_t i;

	json_array_foreach(findings, i, f) {
		const char *s = json_string_value(json_object_get(f,
		    "severity"));

		if (s != NULL && strcmp(s, "refused") == 0)
			return true;
	}
	return false;
}

static const char *
text_of(const json_t *f, const char *key)
{
	const char *s = json_string_value(json_object_get(f, key));

	return s == NULL ? "" : s;
}

void
lint_print(const json_t *findings, struct buf *out)
{
	const json_t *f;
	size_t i;

	json_array_foreach(findings, i, f) {
		const char *at = text_of(f, "at");

		buf_printf(out, "%s%s%s: %s: %s [%s]\n    mend: %s\n", at,
		    at[0] == '\0' ? "" : ": ", text_of(f, "severity"),
		    text_of(f, "subject"), text_of(f, "message"),
		    text_of(f, "code"), text_of(f, "mend"));
	}
}
