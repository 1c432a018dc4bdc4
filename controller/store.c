/*
 * store.c - opens the policy store and commits new versions.
 */
#include "controller/store_impl.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

int
store_open(struct store **out, const char *dir, struct diag *why)
{
	struct store *s = xcalloc(1, sizeof(*s));
	char path[4096];
	int rc;

	*out = NULL;
	s->lock = -1;
	pthread_mutex_init(&s->audit.mu, NULL);
	s->dir = xstrdup(dir);
	snprintf(path, sizeof(path), "%s/policy", dir);
	if ((rc = file_mkdirs(dir, 0700, why)) < 0 ||
	    (rc = file_lock_dir(dir, &s->lock, why)) < 0 ||
	    (rc = db_open(&s->db, path, DB_CREATE, why)) < 0 ||
	    (rc = chain_load(s->db, dir, &s->chain, why)) < 0 ||
	    (rc = store_load(s, why)) < 0) {
		store_close(&s);
		return rc;
	}
	*out = s;
	return 0;
}

void
store_close(struct store **sp)
{
	struct store *s = *sp;

	if (s == NULL)
		return;
	db_close(&s->db);
	records_fini(&s->records);
	items_fini(&s->items);
	if (s->lock >= 0)
		close(s->lock);
	pthread_mutex_destroy(&s->audit.mu);
	free(s->dir);
	free(s);
	*sp = NULL;
}

uint64_t
store_version(const struct store *s)
{
	return s->version;
}

const struct items *
store_items(const struct store *s)
{
	return &s->items;
}

const struct records *
store_records(const struct store *s)
{
	return &s->records;
}

void
store_head(const struct store *s, struct head *out, struct digest *d)
{
	memset(out, 0, sizeof(*out));
	out->version = s->version;
	out->prev_version = s->prev_version;
	memcpy(out->prev_digest, s->prev_digest, DIGEST_LEN);
	out->count = s->digest.count;
	out->record_format = RECORD_FORMAT;
	digest_final(&s->digest, out->digest);
	if (d != NULL)
		*d = s->digest;
}

void
store_version_key(struct buf *key, char cls, uint64_t version)
{
	buf_putc(key, cls);
	buf_put_u64(key, version);
}

static void
put_items(struct txn *t, const struct change *c)
{
	struct buf key, val;
	size_t i;

	buf_init(&key, 0);
	buf_init(&val, 0);
	for (i = 0; i < c->n; i++) {
		const struct change_item *x = &c->c[i];

		buf_reset(&key);
		buf_reset(&val);
		buf_putc(&key, 'i');
		buf_puts(&key, x->key);
		if (x->after == NULL) {
			txn_del(t, key.data, key.len);
			continue;
		}
		buf_puts(&val, x->managers_after);
		buf_putc(&val, '\0');
		buf_puts(&val, x->after);
		txn_put(t, key.data, key.len, val.data, val.len);
	}
	buf_fini(&key);
	buf_fini(&val);
}

void
store_put_record(struct txn *t, const void *key, size_t key_len,
    const void *val, size_t val_len)
{
	struct buf k;

	buf_init(&k, 0);
	buf_putc(&k, 'r');
	buf_put(&k, key, key_len);
	if (val == NULL)
		val = "";
	txn_put(t, k.data, k.len, val, val_len);
	buf_fini(&k);
}

static void
put_records(struct txn *t, const struct records_diff *diff)
{
	struct buf key;
	size_t i;

	buf_init(&key, 0);
	for (i = 0; i < diff->n; i++) {
		const struct record_diff *d = &diff->d[i];

		if (d->has_after) {
			store_put_record(t, d->key, d->key_len, d->after,
			    d->after_len);
			continue;
		}
		buf_reset(&key);
		buf_putc(&key, 'r');
		buf_put(&key, d->key, d->key_len);
		txn_del(t, key.data, key.len);
	}
	buf_fini(&key);
}

static void
change_digest(struct digest *d, const struct records_diff *diff)
{
	size_t i;

	for (i = 0; i < diff->n; i++) {
		const struct record_diff *x = &diff->d[i];

		if (x->has_before)
			digest_sub(d, x->key, x->key_len, x->before,
			    x->before_len);
		if (x->has_after)
			digest_add(d, x->key, x->key_len, x->after,
			    x->after_len);
	}
}

/* The revision as people read it later. */
static char *
revision_json(uint64_t version, const struct change *c,
    const struct commit *info, const uint8_t digest[DIGEST_LEN], uint64_t n)
{
	char now[CLOCK_TEXT_LEN], hex[DIGEST_LEN * 2 + 1], *head;
	struct buf out;
	json_t *o;

	clock_format(clock_wall_us(), now);
	sodium_bin2hex(hex, sizeof(hex), digest, DIGEST_LEN);
	o = json_pack("{s:I, s:s, s:s, s:s, s:s?, s:s, s:I}", "version",
	    (json_int_t)version, "time", now, "actor", info->actor, "action",
	    info->action, "message", info->message, "digest", hex, "records",
	    (json_int_t)n);
	head = json_dumps(o, JSON_COMPACT);
	json_decref(o);
	/* changes are JSON already, and may be many: put in as they are */
	buf_init(&out, 0);
	buf_put(&out, head, strlen(head) - 1);
	buf_puts(&out, ",\"changes\":");
	change_json(c, &out);
	buf_putc(&out, '}');
	free(head);
	return buf_steal(&out);
}

/* A version on its way: what it changes and where it arrives. */
struct step {
	uint64_t version;
	const struct change *c;
	const struct commit *info;
	const struct records_diff *diff;
	struct digest digest;
};

static void
put_audit(struct store *s, struct txn *t, const struct step *n,
    struct audit_step *step)
{
	struct audit_entry e = { .role = "controller" };

	if (n->info->audit != NULL)
		e = *n->info->audit;
	if (e.actor == NULL)
		e.actor = n->info->actor;
	if (e.action == NULL)
		e.action = n->info->action;
	if (e.reason == NULL)
		e.reason = n->info->message;
	e.before = s->version;
	e.after = n->version;
	e.changes = n->c->n;
	store_audit_put(s, t, &e, step);
}

static int
write_version(struct store *s, const struct step *n, struct diag *why)
{
	uint8_t digest[DIGEST_LEN];
	struct audit_step audit;
	struct log_step log;
	struct buf key;
	struct txn t;
	char *json;
	int rc;

	digest_final(&n->digest, digest);
	json = revision_json(n->version, n->c, n->info, digest,
	    n->digest.count);
	buf_init(&key, 0);
	txn_begin(&t, &s->chain);
	put_items(&t, n->c);
	put_records(&t, n->diff);
	store_version_key(&key, 'v', n->version);
	txn_put(&t, key.data, key.len, json, strlen(json));
	if (n->info->document != NULL) {
		buf_reset(&key);
		store_version_key(&key, 'd', n->version);
		txn_put(&t, key.data, key.len, n->info->document,
		    strlen(n->info->document));
	}
	store_log_put(s, &t, n->version, &n->digest, n->diff, &log);
	store_put_head(&t, n->version, &n->digest);
	put_audit(s, &t, n, &audit);
	buf_fini(&key);
	free(json);
	if ((rc = txn_commit(&t, s->db, s->dir, &s->chain, why)) < 0)
		return rc;
	store_log_done(s, &log);
	store_audit_done(s, &audit);
	digest_final(&s->digest, s->prev_digest);
	s->prev_version = s->version;
	s->version = n->version;
	s->digest = n->digest;
	return 0;
}

int
store_commit(struct store *s, const struct change *c,
    const struct commit *info, uint64_t *version, struct diag *why)
{
	struct step n = { .version = s->version + 1, .c = c, .info = info };
	struct records_diff diff;
	struct records next;
	struct items items;
	int rc;

	*version = s->version;
	if (info->if_revision != 0 && info->if_revision != s->version)
		return diag_set(why, ERR_CONFLICT, "the policy is at "
		    "revision %" PRIu64 ", not %" PRIu64 ": look at what "
		    "changed, then try again", s->version,
		    info->if_revision);
	if (c->n == 0)
		return 0;
	items_over(&items, &s->items);
	apply_change(&items, c);
	rc = compile_change(&s->records, &items, c, &next, &diff, why);
	if (rc < 0) {
		items_fini(&items);
		return rc;
	}
	n.diff = &diff;
	n.digest = s->digest;
	change_digest(&n.digest, &diff);
	if ((rc = write_version(s, &n, why)) == 0) {
		items_merge(&s->items, &items);
		records_merge(&s->records, &next);
		*version = s->version;
	} else
		records_fini(&next);
	records_diff_fini(&diff);
	items_fini(&items);
	return rc;
}

int
store_adopt(struct store *s, uint64_t at_least, const struct commit *info,
    uint64_t *version, struct diag *why)
{
	struct change none = { 0 };
	struct records_diff diff = { 0 };
	struct step n = { .version = at_least + 1, .c = &none, .info = info,
	    .diff = &diff, .digest = s->digest };
	int rc;

	*version = s->version;
	if (at_least >= UINT64_MAX / 2 || at_least < s->version)
		return diag_set(why, ERR_CONFLICT, "version %" PRIu64 " is "
		    "not above %" PRIu64 ", which is in force", at_least,
		    s->version);
	if ((rc = write_version(s, &n, why)) == 0)
		*version = s->version;
	return rc;
}
