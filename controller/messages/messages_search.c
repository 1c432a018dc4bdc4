/*
 * messages_search.c - reading the message center: newest first, and who is
 * refused most.
 *
 * A search walks one ordered run of places backwards: those of an id, of a
 * recipient, of a sender, or all.  The rest of the query is tested on each
 * row.  Index and rows are read from one view, so that a deletion in between
 * leaves no hole.
 */
#include <stdlib.h>
#include <string.h>

#include "controller/messages/messages_impl.h"
#include "proto/base/err.h"

#define LIMIT_DEFAULT 100

static const char *const statuses[] = {
	[STATUS_ANY] = "any", [STATUS_REJECTED] = "rejected",
	[STATUS_DEFERRED] = "deferred", [STATUS_OBSERVED] = "observed",
};

enum message_status
message_status(const struct event *e)
{
	if (e->enforcement == ENFORCE_OBSERVE || e->verdict == VERDICT_ACCEPT)
		return STATUS_OBSERVED;
	if (e->verdict != VERDICT_REJECT || e->enforcement == ENFORCE_SOFT ||
	    (e->reply_code >= 400 && e->reply_code <= 499))
		return STATUS_DEFERRED;
	return STATUS_REJECTED;
}

const char *
message_status_name(enum message_status s)
{
	return s <= STATUS_OBSERVED ? statuses[s] : statuses[STATUS_ANY];
}

int
message_status_parse(const char *name, enum message_status *out)
{
	int s;

	for (s = STATUS_REJECTED; s <= STATUS_OBSERVED; s++)
		if (strcmp(name, statuses[s]) == 0) {
			*out = (enum message_status)s;
			return 0;
		}
	return ERR_INVAL;
}

/* --- does a row match ----------------------------------------------------- */

static bool
is_whole(const char *want)
{
	return want[0] == '\0' || strchr(want, '@') != NULL;
}

/* want: an address, a domain, or "*.domain"; "" is the null sender. */
static bool
address_matches(const char *want, const char *address)
{
	const char *at = strrchr(address, '@');
	size_t want_len, len;

	if (is_whole(want))
		return strcmp(want, address) == 0;
	if (at == NULL)
		return strcmp(want, address) == 0;
	if (strncmp(want, "*.", 2) != 0)
		return strcmp(want, at + 1) == 0;
	want_len = strlen(want + 1);
	len = strlen(at + 1);
	return len > want_len && strcmp(at + 1 + len - want_len, want + 1) == 0;
}

static bool
is_either(const char *want, const char *a, const char *b)
{
	return address_matches(want, a) ||
	    (b[0] != '\0' && address_matches(want, b));
}

static bool
row_matches(const struct message_query *q, const struct message *m)
{
	const struct event *e = &m->event;

	if (q->id != NULL && strcmp(q->id, e->id) != 0)
		return false;
	if (q->node != NULL && strcmp(q->node, m->node) != 0)
		return false;
	if (q->from != NULL && !is_either(q->from, e->sender, e->header_from))
		return false;
	if (q->to != NULL && !is_either(q->to, e->recipient, e->primary))
		return false;
	if (q->policy != NULL && strcmp(q->policy, e->policy) != 0 &&
	    strcmp(q->policy, e->would_policy) != 0)
		return false;
	if (q->has_reason && q->reason != e->reason &&
	    !(e->has_would && q->reason == e->would))
		return false;
	return q->status == STATUS_ANY || q->status == message_status(e);
}

/* --- the walk ------------------------------------------------------------- */

struct walk {
	struct messages *m;
	struct db_view *view;
	struct db_iter *it;
	struct key prefix;
	struct buf value;
	struct message *row;
};

/* The narrowest run that holds all rows of q.  A text too long for a key is
 * in no row, and is then left to row_matches(). */
static void
choose_run(const struct message_query *q, struct key *prefix)
{
	if (q->id != NULL && strlen(q->id) <= REPLY_ID_LEN)
		key_text(prefix, 'I', q->id);
	else if (q->to != NULL && is_whole(q->to) &&
	    strlen(q->to) < ADDR_TEXT_MAX)
		key_text(prefix, 'R', q->to);
	else if (q->from != NULL && is_whole(q->from) &&
	    strlen(q->from) < ADDR_TEXT_MAX)
		key_text(prefix, 'S', q->from);
	else
		key_begin(prefix, 'M');
}

static int
hex_digit(char c)
{
	const char *digits = "0123456789abcdef", *at = strchr(digits, c);

	return c == '\0' || at == NULL ? -1 : (int)(at - digits);
}

static int
cursor_read(const char *text, struct key *end)
{
	size_t len = strlen(text), i;

	if (len % 2 != 0 || len < 2 * PLACE_MIN || len > 2 * PLACE_MAX)
		return ERR_INVAL;
	for (i = 0; i < len; i += 2) {
		int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);

		if (high < 0 || low < 0)
			return ERR_INVAL;
		end->p[end->n++] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static void
cursor_write(struct bytes place, char out[MESSAGES_CURSOR_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < place.n && i < PLACE_MAX; i++) {
		out[2 * i] = digits[place.p[i] >> 4];
		out[2 * i + 1] = digits[place.p[i] & 15];
	}
	out[2 * i] = '\0';
}

/* Stand on the newest place of the run before the query's end. */
static int
walk_begin(struct walk *w, const struct message_query *q, struct diag *why)
{
	struct key end, cursor;

	choose_run(q, &w->prefix);
	end = cursor = w->prefix;
	key_u64(&end, q->until_us > 0 ? (uint64_t)q->until_us : UINT64_MAX);
	if (q->before != NULL && q->before[0] != '\0') {
		if (cursor_read(q->before, &cursor) != 0)
			return diag_set(why, ERR_INVAL,
			    "before: not a mark that a search gave");
		if (memcmp(cursor.p, end.p, end.n) < 0)
			end = cursor;
	}
	w->view = db_view_new(w->m->db);
	w->it = db_iter_new(w->m->db, w->view);
	db_iter_seek(w->it, end.p, end.n);
	if (db_iter_valid(w->it))
		db_iter_prev(w->it);
	else
		db_iter_last(w->it);
	return 0;
}

static void
walk_end(struct walk *w)
{
	db_iter_free(&w->it);
	if (w->view != NULL)
		db_view_free(w->m->db, &w->view);
	buf_fini(&w->value);
	free(w->row);
}

/* The place that the walk stands on; false at the end of the run. */
static bool
walk_place(const struct walk *w, int64_t since_us, struct bytes *place)
{
	struct bytes k;

	if (!db_iter_valid(w->it))
		return false;
	k = db_iter_key(w->it);
	if (k.n < w->prefix.n + PLACE_MIN || k.n > w->prefix.n + PLACE_MAX ||
	    memcmp(k.p, w->prefix.p, w->prefix.n) != 0)
		return false;
	*place = bytes_of(k.p + w->prefix.n, k.n - w->prefix.n);
	return since_us <= 0 || place_time(place->p) >= (uint64_t)since_us;
}

/* Read the row at place.  ERR_NOENT: the index key leads nowhere, or the row
 * is no event. */
static int
walk_row(struct walk *w, struct bytes place, struct diag *why)
{
	struct bytes v = db_iter_value(w->it);
	struct message *row = w->row;
	size_t node_len = place.n - 8 - REPLY_ID_LEN;
	struct key k;
	int err;

	if (w->prefix.p[0] != 'M') {
		key_begin(&k, 'M');
		key_add(&k, place.p, place.n);
		buf_reset(&w->value);
		if ((err = db_get(w->m->db, w->view, k.p, k.n, true, &w->value,
		    why)) != 0)
			return err;
		v = bytes_of(w->value.data, w->value.len);
	}
	/* one unreadable row must not hide all that are older */
	if (event_decode(&row->event, v, NULL) != 0)
		return ERR_NOENT;
	row->event.time_us = (int64_t)place_time(place.p);
	memcpy(row->node, place.p + 8 + REPLY_ID_LEN, node_len);
	row->node[node_len] = '\0';
	return 0;
}

int
messages_search(struct messages *m, const struct message_query *q,
    messages_fn fn, void *arg, struct message_found *out, struct diag *why)
{
	size_t limit = q->limit == 0 ? LIMIT_DEFAULT :
	    q->limit < MESSAGES_LIMIT_MAX ? q->limit : MESSAGES_LIMIT_MAX;
	size_t scan = q->scan_max == 0 ? MESSAGES_SCAN_MAX : q->scan_max;
	struct walk w = { .m = m };
	struct bytes place;
	int err;

	memset(out, 0, sizeof(*out));
	buf_init(&w.value, 0);
	w.row = xcalloc(1, sizeof(*w.row));
	pthread_rwlock_rdlock(&m->use);
	if ((err = walk_begin(&w, q, why)) != 0)
		goto out;
	for (; walk_place(&w, q->since_us, &place); db_iter_prev(w.it)) {
		/* there is more; the last one looked at is the mark */
		if (out->n == limit || out->searched == scan)
			goto out;
		out->searched++;
		cursor_write(place, out->next);
		err = walk_row(&w, place, why);
		if (err == 0 && row_matches(q, w.row)) {
			fn(arg, w.row);
			out->n++;
		}
		if (err != 0 && err != ERR_NOENT)
			goto out;
	}
	out->next[0] = '\0';
	err = db_iter_error(w.it, why);
out:
	if (err == ERR_NOENT)
		err = 0;
	walk_end(&w);
	pthread_rwlock_unlock(&m->use);
	return err;
}

static void
take_row(void *arg, const struct message *row)
{
	*(struct message *)arg = *row;
}

int
messages_get(struct messages *m, const char *id, struct message *out,
    struct diag *why)
{
	struct message_query q = { .id = id, .limit = 1 };
	struct message_found found;
	int err = messages_search(m, &q, take_row, out, &found, why);

	if (err == 0 && found.n == 0)
		err = diag_set(why, ERR_NOENT, "no message has the id %.32s",
		    id);
	return err;
}

/* --- who is refused most -------------------------------------------------- */

/* Put s where it belongs among the *n best; out has room for limit. */
static void
top_offer(struct message_top *out, size_t limit, size_t *n,
    const struct message_top *s)
{
	size_t i;

	if (s->rejections == 0)
		return;
	for (i = *n; i > 0 && out[i - 1].rejections < s->rejections; i--)
		;
	if (i == limit)
		return;
	if (*n < limit)
		++*n;
	memmove(&out[i + 1], &out[i], (*n - i - 1) * sizeof(*out));
	out[i] = *s;
}

/* Take a counter's key apart: two texts and a day. */
static bool
counter_parse(struct bytes k, const char **sender, const char **user,
    uint16_t *day)
{
	const uint8_t *end;

	if (k.n < 1 + 1 + 1 + 2 || k.p[k.n - 3] != '\0')
		return false;
	*sender = (const char *)k.p + 1;
	end = memchr(k.p + 1, '\0', k.n - 3);
	if (end == NULL || end == k.p + k.n - 3 ||
	    end - k.p - 1 >= ADDR_TEXT_MAX)
		return false;
	*user = (const char *)end + 1;
	*day = (uint16_t)(k.p[k.n - 2] << 8 | k.p[k.n - 1]);
	return strlen(*user) < ADDR_TEXT_MAX;
}

int
messages_top(struct messages *m, int64_t since_us, struct message_top *out,
    size_t limit, size_t *n, struct diag *why)
{
	struct message_top cur = { .users = 0 };
	struct db_iter *it;
	char user[ADDR_TEXT_MAX] = "";
	uint16_t day, from_day = day_of(since_us);
	int err;

	*n = 0;
	pthread_rwlock_rdlock(&m->use);
	it = db_iter_new(m->db, NULL);
	for (db_iter_seek(it, "T", 1); db_iter_valid(it); db_iter_next(it)) {
		struct bytes k = db_iter_key(it), v = db_iter_value(it);
		const char *s, *u;
		uint64_t count = bytes_u64(&v);
		int64_t last = (int64_t)bytes_u64(&v);

		if (k.n == 0 || k.p[0] != 'T')
			break;
		if (v.err != 0 || !counter_parse(k, &s, &u, &day) ||
		    day < from_day)
			continue;
		if (strcmp(s, cur.sender) != 0) {
			top_offer(out, limit, n, &cur);
			memset(&cur, 0, sizeof(cur));
			strcpy(cur.sender, s);
		}
		/* the keys of one sender are sorted by recipient */
		if (cur.users == 0 || strcmp(u, user) != 0) {
			cur.users++;
			strcpy(user, u);
		}
		cur.rejections += count;
		if (cur.last_us < last)
			cur.last_us = last;
	}
	top_offer(out, limit, n, &cur);
	err = db_iter_error(it, why);
	db_iter_free(&it);
	pthread_rwlock_unlock(&m->use);
	return err;
}
