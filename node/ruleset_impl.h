/*
 * ruleset_impl.h - a set and its views; for ruleset*.c alone.
 *
 * One thread changes a set (the sync's); any number read views of it.  What
 * changes under readers is atomic or a bit of the filter.
 */
#ifndef NODE_RULESET_IMPL_H
#define NODE_RULESET_IMPL_H

#include <stdatomic.h>

#include "node/filter.h"
#include "node/ruleset.h"
#include "proto/base/db.h"
#include "proto/base/db_frozen.h"
#include "proto/wire/delta.h"

#define META(name) (name), sizeof(name) - 1
#define RULESET_DELTA_KEY_LEN (sizeof(RULESET_META_DELTA) - 1 + 8)
#define RULESET_CHANGED_KEYS 100000	/* more: slower reads of others */
#define RULESET_DELTAS_BYTES ((uint64_t)32 << 20)	/* then it is worn */

struct store {
	atomic_int refs;		/* of views */
	atomic_bool damaged, proved;
	char dir[1024];
	struct db *db;			/* live/ */
	struct db_frozen *base;		/* base/; NULL: not to be read so */
	struct filter *filter;		/* keys that may be there */
	struct filter *changed;		/* keys that deltas named since base */
	uint8_t key[RULESET_KEY_LEN];	/* of the hash */
	uint8_t name[FILTER_NAME_LEN];	/* of the filter */
	uint8_t manifest_id[HASH_LEN];
	uint64_t base_version;
	/* the writer's: */
	uint64_t version;		/* of the newest view */
	uint64_t small;			/* small records in it */
	struct digest digest;		/* of its records, and their count */
	uint64_t delta_bytes;		/* kept since base */
	bool broken;			/* a write failed: takes no more */
};

/* Tables shared by all views between which no small record changed. */
struct shared_tables { atomic_int refs; struct tables *t; };

struct ruleset {
	atomic_int refs;
	struct store *store;
	struct db_view *view;
	struct shared_tables *tables;
	struct head head;
	uint64_t serial;		/* of who signed it */
	uint64_t number;		/* drawn: no other view has it; not 0 */
};

/* A view of what the store holds now, signed under the certificate of this
 * serial.  Takes over one reference of tables; the store gains one of its
 * own. */
struct ruleset *ruleset_view(struct store *s, struct shared_tables *tables,
    const struct head *head, uint64_t serial);
struct shared_tables *ruleset_tables_ref(struct shared_tables *t);
void ruleset_tables_unref(struct shared_tables **t);
void ruleset_store_unref(struct store **s);

/* Split a stored value and its hash; ERR_CORRUPT when they do not belong
 * together. */
int ruleset_check(const struct store *s, const void *key, size_t key_len,
    struct bytes stored, struct bytes *value);
/* Append value and hash of it under key. */
void ruleset_stamp(const struct store *s, const void *key, size_t key_len,
    const void *val, size_t val_len, struct buf *out);

/*
 * Tables of all small records that the store holds now; or those of r with the
 * rows of d in place, which share with r's the classes that d does not name.
 * 0; ERR_CORRUPT, ERR_TOOBIG, ERR_VERSION, ERR_IO.
 */
int ruleset_load_tables(const struct store *s, struct shared_tables **out,
    struct diag *why);
int ruleset_change_tables(const struct ruleset *r, const struct delta *d,
    struct shared_tables **out, struct diag *why);

/* Enter the keys of d that are not small into both filters. */
void ruleset_filter_delta(struct store *s, const struct delta *d);

/* The head of the version that d leads to. */
void ruleset_delta_head(const struct delta *d, struct head *out);

/* The row that holds the delta to version: its key, and its value without the
 * hash taken apart; ERR_CORRUPT. */
void ruleset_delta_key(uint64_t version, uint8_t out[RULESET_DELTA_KEY_LEN]);
int ruleset_delta_split(struct bytes value, struct bytes *cert,
    struct bytes *frame);
bool ruleset_is_delta_key(struct bytes key);

#endif
