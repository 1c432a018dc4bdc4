/*
 * fleet_nodes.c - the registry of nodes and the join tokens: rows of the
 * store, and a copy in memory that the handshake is decided from.
 */
#include "controller/fleet_impl.h"

#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/wire/frame.h"

#define LOCK_WAIT_MS 500	/* beats must go on */

struct loading { struct fleet *f; int rc; struct diag *why; };

static struct node *
add_node(struct fleet *f, const char *id, const uint8_t key[SOCK_KEY_LEN],
    int64_t enrolled_us, bool revoked)
{
	struct node *n;
	size_t i = f->n;

	f->node = xgrow(f->node, &f->cap, f->n + 1, sizeof(*f->node));
	for (; i > 0 && strcmp(f->node[i - 1].info.id, id) > 0; i--)
		f->node[i] = f->node[i - 1];
	f->n++;
	free(f->index);
	f->index = NULL;
	n = &f->node[i];
	memset(n, 0, sizeof(*n));
	snprintf(n->info.id, sizeof(n->info.id), "%s", id);
	memcpy(n->key, key, SOCK_KEY_LEN);
	sock_client_id(key, n->peer);
	n->info.enrolled_us = enrolled_us;
	n->info.lag_us = -1;
	n->revoked = revoked;
	return n;
}

/* "reads": [proto min, max, format min, max, engine min, max]; absent: it
 * never said. */
static void
load_reads(const json_t *list, struct node_reads *r)
{
	uint32_t *const to[] = { &r->proto_min, &r->proto_max, &r->format_min,
	    &r->format_max, &r->engine_min, &r->engine_max };
	size_t i;

	for (i = 0; json_array_size(list) == 6 && i < 6; i++)
		*to[i] = (uint32_t)json_integer_value(json_array_get(list,
		    i));
}

static void
load_node(void *arg, const char *id, const char *json)
{
	struct loading *l = arg;
	uint8_t key[SOCK_KEY_LEN];
	json_t *o = json_loads(json, 0, NULL);
	const char *hex = json_string_value(json_object_get(o, "key"));

	if (hex == NULL || hex_parse(hex, key, sizeof(key)) < 0)
		l->rc = diag_set(l->why, ERR_CORRUPT, "the store's row of "
		    "node %s is damaged", id);
	else
		load_reads(json_object_get(o, "reads"), &add_node(l->f, id,
		    key, json_integer_value(json_object_get(o, "enrolled")),
		    json_is_true(json_object_get(o, "revoked")))->info.reads);
	json_decref(o);
}

static void
add_token(struct fleet *f, const uint8_t hash[TOKEN_HASH_LEN],
    int64_t expires_us)
{
	f->token = xgrow(f->token, &f->tokens_cap, f->tokens_n + 1,
	    sizeof(*f->token));
	memcpy(f->token[f->tokens_n].hash, hash, TOKEN_HASH_LEN);
	f->token[f->tokens_n++].expires_us = expires_us;
}

static void
load_token(void *arg, const char *hex, const char *json)
{
	struct loading *l = arg;
	uint8_t hash[TOKEN_HASH_LEN];
	json_t *o = json_loads(json, 0, NULL);

	/* a damaged one admits nobody: not worth refusing to start */
	if (o != NULL && hex_parse(hex, hash, sizeof(hash)) == 0)
		add_token(l->f, hash, json_integer_value(
		    json_object_get(o, "expires_us")));
	json_decref(o);
}

int
fleet_load(struct fleet *f, struct diag *why)
{
	struct loading l = { f, 0, why };
	int rc = store_row_scan(f->conf.store, "node", load_node, &l, why);

	if (rc == 0)
		rc = l.rc;
	if (rc == 0)
		rc = store_row_scan(f->conf.store, "token", load_token, &l,
		    why);
	return rc;
}

/* A key is random enough to be its own hash. */
static size_t
slot_of(const struct fleet *f, const uint8_t key[SOCK_KEY_LEN])
{
	uint64_t h;

	memcpy(&h, key, sizeof(h));
	return h & (f->index_n - 1);
}

static void
make_index(struct fleet *f)
{
	size_t i, at;

	for (f->index_n = 64; f->index_n < 2 * f->n; f->index_n *= 2)
		continue;
	f->index = xcalloc(f->index_n, sizeof(*f->index));
	for (i = 0; i < f->n; i++) {
		at = slot_of(f, f->node[i].key);
		while (f->index[at] != 0)
			at = (at + 1) & (f->index_n - 1);
		f->index[at] = (uint32_t)i + 1;
	}
}

struct node *
fleet_by_key(struct fleet *f, const uint8_t key[SOCK_KEY_LEN])
{
	size_t at;

	if (f->index == NULL)
		make_index(f);
	for (at = slot_of(f, key); f->index[at] != 0;
	    at = (at + 1) & (f->index_n - 1)) {
		struct node *n = &f->node[f->index[at] - 1];

		/* a revoked one may have come again under another name */
		if (!n->revoked && memcmp(n->key, key, SOCK_KEY_LEN) == 0)
			return n;
	}
	return NULL;
}

static struct node *
by_id(struct fleet *f, const char *id)
{
	size_t i;

	for (i = 0; i < f->n; i++)
		if (strcmp(f->node[i].info.id, id) == 0)
			return &f->node[i];
	return NULL;
}

#define ROW_MAX 320

static void
format_row(const struct node *n, char json[ROW_MAX])
{
	const struct node_reads *r = &n->info.reads;
	char hex[SOCK_KEY_LEN * 2 + 1], reads[96] = "";

	hex_format(n->key, SOCK_KEY_LEN, hex);
	if (r->proto_max != 0)
		snprintf(reads, sizeof(reads), ",\"reads\":[%u,%u,%u,%u,%u,"
		    "%u]", r->proto_min, r->proto_max, r->format_min,
		    r->format_max, r->engine_min, r->engine_max);
	snprintf(json, ROW_MAX, "{\"enrolled\":%lld,\"key\":\"%s\","
	    "\"revoked\":%s%s}", (long long)n->info.enrolled_us, hex,
	    n->revoked ? "true" : "false", reads);
}

/* Its row as the copy says, together with one more (NULL: none) and an entry
 * of the audit log (NULL: none); under the controller's lock. */
static int
put_node(struct fleet *f, const struct node *n, const struct store_row *more,
    const struct audit_entry *by, struct diag *why)
{
	char json[ROW_MAX];
	struct store_row rows[2] = { { "node", n->info.id, json } };

	format_row(n, json);
	if (more != NULL)
		rows[1] = *more;
	return store_rows_write(f->conf.store, rows, more == NULL ? 1 : 2, by,
	    why);
}

void
fleet_note_reads(struct fleet *f, struct node *n, const struct hello *h)
{
	struct node_reads r = { h->proto_min, h->proto_max,
	    h->record_format_min, h->record_format, h->engine_min,
	    h->engine };

	if (memcmp(&r, &n->info.reads, sizeof(r)) == 0)
		return;
	n->info.reads = r;
	n->reads_unsaved = f->reads_unsaved = true;
}

struct reads_row { char id[64], json[ROW_MAX]; };

/* Rows of all whose reads are not saved, taken as saved; the caller frees. */
static struct reads_row *
take_unsaved(struct fleet *f, size_t *n)
{
	struct reads_row *rows;
	size_t i;

	*n = 0;
	pthread_mutex_lock(&f->mu);
	rows = f->reads_unsaved ? xcalloc(f->n, sizeof(*rows)) : NULL;
	for (i = 0; rows != NULL && i < f->n; i++) {
		struct node *node = &f->node[i];

		if (!node->reads_unsaved)
			continue;
		node->reads_unsaved = false;
		memcpy(rows[*n].id, node->info.id, sizeof(rows->id));
		format_row(node, rows[(*n)++].json);
	}
	f->reads_unsaved = false;
	pthread_mutex_unlock(&f->mu);
	return rows;
}

static void
mark_unsaved(struct fleet *f, const struct reads_row *rows, size_t n)
{
	struct node *node;
	size_t i;

	pthread_mutex_lock(&f->mu);
	for (i = 0; i < n; i++)
		if ((node = by_id(f, rows[i].id)) != NULL)
			node->reads_unsaved = f->reads_unsaved = true;
	pthread_mutex_unlock(&f->mu);
}

void
fleet_save_reads(struct fleet *f)
{
	struct reads_row *rows;
	struct store_row *row;
	size_t n, i;

	if (pthread_mutex_trylock(f->conf.lock) != 0)
		return;			/* with the next beat */
	rows = take_unsaved(f, &n);
	row = n == 0 ? NULL : xcalloc(n, sizeof(*row));
	for (i = 0; i < n; i++)
		row[i] = (struct store_row){ "node", rows[i].id,
		    rows[i].json };
	if (n > 0 && store_rows_write(f->conf.store, row, n, NULL, NULL) < 0)
		mark_unsaved(f, rows, n);
	pthread_mutex_unlock(f->conf.lock);
	free(row);
	free(rows);
}

bool
fleet_can_take(const struct node_info *n)
{
	const struct node_reads *r = &n->reads;

	return r->proto_max == 0 || (r->proto_min <= WIRE_PROTOCOL &&
	    r->proto_max >= WIRE_PROTOCOL && r->format_min <= RECORD_FORMAT &&
	    r->format_max >= RECORD_FORMAT && r->engine_min <= DECIDE_ENGINE &&
	    r->engine_max >= DECIDE_ENGINE);
}

static int
del_token(struct fleet *f, const uint8_t hash[TOKEN_HASH_LEN],
    struct diag *why)
{
	char hex[TOKEN_HASH_LEN * 2 + 1];

	hex_format(hash, TOKEN_HASH_LEN, hex);
	return store_row_del(f->conf.store, "token", hex, why);
}

/* Take a token out of memory; false when there is none that is good. */
static bool
take_token(struct fleet *f, const uint8_t hash[TOKEN_HASH_LEN])
{
	size_t i;

	for (i = 0; i < f->tokens_n; i++) {
		int64_t expires = f->token[i].expires_us;

		if (sodium_memcmp(f->token[i].hash, hash, TOKEN_HASH_LEN) != 0)
			continue;
		f->token[i] = f->token[--f->tokens_n];
		return expires > clock_wall_us();
	}
	return false;
}

/* An id from the name a node gives itself: safe in a path and a log, and
 * nobody else's, a revoked node's included. */
static void
choose_id(struct fleet *f, const char *name, char id[64])
{
	char base[56];
	size_t i;
	unsigned n;

	snprintf(base, sizeof(base), "%.55s",
	    name[0] == '\0' ? "node" : name);
	for (i = 0; base[i] != '\0'; i++)
		if (strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
		    "WXYZ0123456789-_.", base[i]) == NULL ||
		    (i == 0 && base[i] == '.'))
			base[i] = '-';
	snprintf(id, 64, "%s", base);
	for (n = 2; by_id(f, id) != NULL; n++)
		snprintf(id, 64, "%s-%u", base, n);
}

static int
lock_soon(struct fleet *f)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += LOCK_WAIT_MS * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_nsec -= 1000000000L;
		t.tv_sec++;
	}
	return pthread_mutex_timedlock(f->conf.lock, &t) == 0 ? 0 : ERR_BUSY;
}

/* Somebody without a good token; the name is what he says. */
static void
note_refused(struct fleet *f, const char *name, const char *peer)
{
	struct audit_entry e = { .role = "unknown", .peer = peer,
	    .action = "node.enroll", .object = name, .result = "denied" };

	if (audit_allows(&f->refused, clock_mono_ms(), &e.more))
		store_audit(f->conf.store, &e, NULL);
}

int
fleet_enroll(struct fleet *f, const struct enroll *e,
    const struct sock_msg *m, char id[64], struct diag *why)
{
	struct node new = { .info = { .enrolled_us = clock_wall_us() } };
	struct audit_entry by = { .actor = id, .role = "node",
	    .peer = m->address, .action = "node.enroll", .object = id };
	char hex[TOKEN_HASH_LEN * 2 + 1];
	const struct store_row used = { "token", hex, NULL };
	uint8_t hash[TOKEN_HASH_LEN];
	bool good, full;
	int rc;

	if (lock_soon(f) < 0)
		return diag_set(why, ERR_BUSY, "the controller is busy, try "
		    "again");
	crypto_generichash(hash, sizeof(hash), e->secret, sizeof(e->secret),
	    NULL, 0);
	hex_format(hash, sizeof(hash), hex);
	pthread_mutex_lock(&f->mu);
	full = f->n >= FLEET_NODES_MAX;
	good = !full && take_token(f, hash);
	choose_id(f, e->name, id);
	memcpy(new.info.id, id, sizeof(new.info.id));
	memcpy(new.key, m->key, SOCK_KEY_LEN);
	pthread_mutex_unlock(&f->mu);
	if (full)
		rc = diag_set(why, ERR_FULL, "there are %d nodes already",
		    FLEET_NODES_MAX);
	else if (!good)
		rc = diag_set(why, ERR_AUTH, "the token is unknown, used or "
		    "expired");
	else if ((rc = put_node(f, &new, &used, &by, why)) == 0) {
		pthread_mutex_lock(&f->mu);
		add_node(f, id, m->key, new.info.enrolled_us, false);
		pthread_mutex_unlock(&f->mu);
	}
	if (rc == ERR_AUTH)
		note_refused(f, e->name, m->address);
	pthread_mutex_unlock(f->conf.lock);
	return rc;
}

/* Drop what has expired; under the lock.  A row that a failed delete
 * leaves is loaded and dropped after the next start. */
static void
sweep_tokens(struct fleet *f, int64_t now)
{
	size_t i = 0;

	while (i < f->tokens_n) {
		if (f->token[i].expires_us > now) {
			i++;
			continue;
		}
		del_token(f, f->token[i].hash, NULL);
		f->token[i] = f->token[--f->tokens_n];
	}
}

static int
put_token(struct fleet *f, const struct join_token *t,
    const struct audit_entry *by, struct diag *why)
{
	uint8_t hash[TOKEN_HASH_LEN];
	char hex[TOKEN_HASH_LEN * 2 + 1], json[64];
	const struct store_row row = { "token", hex, json };
	int rc = 0;

	crypto_generichash(hash, sizeof(hash), t->secret, sizeof(t->secret),
	    NULL, 0);
	hex_format(hash, sizeof(hash), hex);
	snprintf(json, sizeof(json), "{\"expires_us\":%lld}",
	    (long long)t->expires_us);
	pthread_mutex_lock(f->conf.lock);
	sweep_tokens(f, clock_wall_us());
	if (f->tokens_n >= FLEET_NODES_MAX)
		rc = diag_set(why, ERR_FULL, "%d join tokens wait to be used",
		    FLEET_NODES_MAX);
	if (rc == 0)
		rc = store_rows_write(f->conf.store, &row, 1, by, why);
	if (rc == 0)
		add_token(f, hash, t->expires_us);
	pthread_mutex_unlock(f->conf.lock);
	return rc;
}

int
fleet_token(struct fleet *f, uint64_t ttl_ms, const struct audit_entry *by,
    struct buf *out, int64_t *expires_us, struct diag *why)
{
	struct join_token t = { .endpoint = "" };
	int rc;

	fleet_advertised(f, FLEET_ENROLL, t.endpoint, sizeof(t.endpoint));
	sock_public(f->conf.secret, t.server_key);
	crypto_generichash(t.root_hash, sizeof(t.root_hash), f->conf.root,
	    SIGN_PUBLIC_LEN, NULL, 0);
	randombytes_buf(t.secret, sizeof(t.secret));
	t.expires_us = clock_wall_us() + (int64_t)ttl_ms * 1000;
	if ((rc = put_token(f, &t, by, why)) == 0) {
		token_format(&t, out);
		*expires_us = t.expires_us;
	}
	sodium_memzero(&t, sizeof(t));
	return rc;
}

int
fleet_revoke(struct fleet *f, const char *id, const struct audit_entry *by,
    struct diag *why)
{
	struct node copy, *n;
	int rc;

	pthread_mutex_lock(f->conf.lock);
	pthread_mutex_lock(&f->mu);
	n = by_id(f, id);
	if (n != NULL && n->revoked)
		n = NULL;
	if (n != NULL) {
		n->revoked = true;	/* at once, whatever the disk says */
		copy = *n;
	}
	pthread_mutex_unlock(&f->mu);
	if (n == NULL)
		rc = diag_set(why, ERR_NOENT, "there is no node %s", id);
	else
		rc = put_node(f, &copy, NULL, by, why);
	pthread_mutex_unlock(f->conf.lock);
	return rc;
}

const char *
node_state_name(enum node_state s)
{
	static const char *const name[] = { "joining", "current", "behind",
	    "refusing", "away", "repairing", "held" };

	return name[s];
}

bool
fleet_converged(const struct node_info *n, const struct head *h)
{
	const struct ack *a = &n->ack;

	return n->acked && a->enforced == h->version && (h->version == 0 ||
	    (a->engine == DECIDE_ENGINE &&
	    memcmp(a->digest, h->digest, DIGEST_LEN) == 0));
}

static enum node_state
state_of(const struct fleet *f, const struct node *n)
{
	const struct head *h = f->head.version == 0 ? NULL : &f->head;
	const struct ack *a = &n->info.ack;

	if (n->seen_ms == 0 || clock_mono_ms() - n->seen_ms > FLEET_AWAY_MS)
		return NODE_AWAY;
	if (!n->info.acked)
		return NODE_JOINING;
	if (a->state == ACK_REPAIRING)
		return NODE_REPAIRING;
	if (a->state == ACK_HELD)
		return NODE_HELD;
	if (h != NULL && fleet_converged(&n->info, h))
		return NODE_CURRENT;
	if (h != NULL && a->nack != NACK_NONE &&
	    a->nack_version == h->version)
		return NODE_REFUSING;
	return a->enforced == 0 ? NODE_JOINING : NODE_BEHIND;
}

/* How long it lacks the version behind the one it enforces, or else how long
 * the last one took; see struct node_info. */
static int64_t
lag_of(const struct fleet *f, const struct node *n)
{
	uint64_t have = n->info.acked ? n->info.ack.enforced : 0;
	size_t i = f->told_n > TOLD_N ? f->told_n - TOLD_N : 0;
	const struct told *t = NULL;

	if (have >= f->head.version)
		return n->info.lag_us;
	for (; i < f->told_n; i++) {
		t = &f->told[i % TOLD_N];
		if (t->version > have)
			break;
	}
	return t == NULL ? -1 : clock_wall_us() - t->us;
}

static void
look(const struct fleet *f, const struct node *n, struct node_info *out)
{
	*out = n->info;
	out->state = state_of(f, n);
	out->lag_us = lag_of(f, n);
}

void
fleet_nodes(struct fleet *f, fleet_node_fn fn, void *arg)
{
	struct node_info info;
	size_t i;

	pthread_mutex_lock(&f->mu);
	for (i = 0; i < f->n; i++) {
		if (f->node[i].revoked)
			continue;
		look(f, &f->node[i], &info);
		fn(arg, &info);
	}
	pthread_mutex_unlock(&f->mu);
}

int
fleet_node(struct fleet *f, const char *id, struct node_info *out)
{
	struct node *n;
	int rc = ERR_NOENT;

	pthread_mutex_lock(&f->mu);
	n = by_id(f, id);
	if (n != NULL && !n->revoked) {
		look(f, n, out);
		rc = 0;
	}
	pthread_mutex_unlock(&f->mu);
	return rc;
}
