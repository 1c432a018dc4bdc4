/*
 * history.c - folds the changes of revisions, and turns them round.
 */
#include "controller/policy/history.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"

void
history_init(struct history *h)
{
	items_init(&h->first);
	items_init(&h->last);
}

void
history_fini(struct history *h)
{
	items_fini(&h->first);
	items_fini(&h->last);
}

/* A value as items keep it: sorted keys, no spaces; "" for none. */
static char *
value_text(const json_t *v)
{
	char *text = v == NULL || json_is_null(v) ? NULL : json_dumps(v,
	    JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);

	return text == NULL ? xstrdup("") : text;
}

static void
put_side(struct items *s, const char *key, const json_t *change,
    const char *value, const char *managers)
{
	const char *held = json_string_value(json_object_get(change,
	    managers));
	char *text = value_text(json_object_get(change, value));

	items_put(s, key, text, held == NULL ? "" : held);
	free(text);
}

int
history_add(struct history *h, const json_t *revision, struct diag *why)
{
	const json_t *change;
	size_t i;

	json_array_foreach(json_object_get(revision, "changes"), i, change) {
		const char *kind = json_string_value(json_object_get(change,
		    "kind"));
		char *key;

		if (kind == NULL)
			return diag_set(why, ERR_CORRUPT, "a revision's "
			    "changes cannot be read");
		key = item_key(kind, json_string_value(json_object_get(change,
		    "name")), json_string_value(json_object_get(change,
		    "of")));
		if (items_get(&h->first, key) == NULL)
			put_side(&h->first, key, change, "before",
			    "managers_before");
		put_side(&h->last, key, change, "after", "managers");
		free(key);
	}
	return 0;
}

/* An item of first or last, or NULL where it says "not there". */
static const struct item *
there(const struct items *s, const char *key)
{
	const struct item *it = items_get(s, key);

	return it == NULL || it->value[0] == '\0' ? NULL : it;
}

static bool
equal(const struct item *a, const struct item *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a->value, b->value) == 0 &&
	    strcmp(a->managers, b->managers) == 0;
}

static void
add(struct change *out, const char *key, const struct item *from,
    const struct item *to)
{
	if (!equal(from, to))
		change_add(out, key, from, to == NULL ? NULL : to->value,
		    to == NULL ? NULL : to->managers);
}

static void
difference(const struct items *from, const struct items *to,
    struct change *out)
{
	struct items_cursor cur;
	const struct item *it;

	memset(out, 0, sizeof(*out));
	for (it = items_first(&cur, from, ""); it != NULL;
	    it = items_next(&cur))
		add(out, it->key, there(from, it->key), there(to, it->key));
}

void
history_forward(const struct history *h, struct change *out)
{
	difference(&h->first, &h->last, out);
}

void
history_backward(const struct history *h, struct change *out)
{
	difference(&h->last, &h->first, out);
}

static bool
is_users(const struct item *it)
{
	return it != NULL && strcmp(it->managers, "user") == 0;
}

void
history_back(const struct history *h, const struct items *force, bool users,
    struct change *out)
{
	struct items_cursor cur;
	const struct item *it;

	memset(out, 0, sizeof(*out));
	for (it = items_first(&cur, &h->first, ""); it != NULL;
	    it = items_next(&cur)) {
		const struct item *now = items_get(force, it->key);
		const struct item *then = there(&h->first, it->key);

		if (users || (!is_users(now) && !is_users(then)))
			add(out, it->key, now, then);
	}
}

const char *
history_changed_since(const struct history *h, const struct items *force)
{
	struct items_cursor cur;
	const struct item *it;

	for (it = items_first(&cur, &h->last, ""); it != NULL;
	    it = items_next(&cur))
		if (!equal(there(&h->last, it->key), items_get(force,
		    it->key)))
			return it->key;
	return NULL;
}
