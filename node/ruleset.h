/*
 * ruleset.h - the compiled policy of one version, as a node enforces it: an
 * immutable view of a set that takes deltas.
 *
 * A set is a folder.  base/ is a LevelDB made from a manifest's chunks in one
 * pass (proto/base/db_load.h) and never written again; live/ is a copy of it
 * (tables are hard links) that takes deltas; filter says which keys may be in
 * base/.
 * Behind each value stand 8 bytes of SipHash-2-4 over key length, key and
 * value, checked at each hit: LevelDB's own defaults turn a flipped bit into
 * a wrong decision.  Small classes are loaded into tables.
 *
 *	key (record)            value, 8 hash
 *	NUL "head"              the signed FRAME_HEAD as it came
 *	NUL "manifest"          the signed FRAME_MANIFEST it names
 *	NUL "cert"              the FRAME_CERT that signed both
 *	NUL "complete"          16 hash key, u64 records, u64 small records,
 *	                        8 hash of these
 * and in live/, written with the records of each delta as one batch:
 *	NUL "state"             u64 version, u64 records, u64 small records,
 *	                        2048 sums of the digest, 8 hash
 *	NUL "delta" u64 version u16 length, the FRAME_CERT of who signed, the
 *	                        FRAME_DELTA that led to this version, 8 hash
 */
#ifndef NODE_RULESET_H
#define NODE_RULESET_H

#include <stdbool.h>
#include <stdint.h>

#include "node/record_cache.h"
#include "proto/base/buf.h"
#include "proto/base/diag.h"
#include "proto/policy/decide.h"
#include "proto/policy/tables.h"
#include "proto/wire/keys.h"
#include "proto/wire/message.h"

#define RULESET_KEY_LEN 16		/* of the hash */
#define RULESET_HASH_LEN 8
#define RULESET_META_HEAD "\0head"	/* sizeof - 1 counts */
#define RULESET_META_MANIFEST "\0manifest"
#define RULESET_META_CERT "\0cert"
#define RULESET_META_COMPLETE "\0complete"
#define RULESET_META_STATE "\0state"
#define RULESET_META_DELTA "\0delta"	/* u64 version follows */

struct ruleset;

/*
 * Open the set in dir (its base/ and live/, which is made when missing) at
 * its newest version and verify its frames under the pinned root key.  A
 * publisher certificate that has ended since is fine: it was valid when the
 * head was signed, and a node enforces what it has for ever.  A filter that
 * is missing or damaged is made anew.  *out holds one reference.  0;
 * ERR_NOENT: none, or never completed; ERR_AUTH, ERR_CORRUPT, ERR_VERSION
 * (another record format or engine), ERR_BUSY, ERR_IO.
 */
int ruleset_open(struct ruleset **out, const char *dir,
    const uint8_t root[SIGN_PUBLIC_LEN], struct diag *why);

/*
 * A view of a set never changes, so any thread may read one that it holds;
 * who holds it across a question keeps it by one reference of his own, and
 * finishes on it whatever comes meanwhile.  ruleset_ref() returns r; both may
 * be called on any thread.
 */
struct ruleset *ruleset_ref(struct ruleset *r);
void ruleset_unref(struct ruleset **r);

/* Its small classes and its head, borrowed.  The head of a version that a
 * delta led to has no manifest_id. */
const struct tables *ruleset_tables(const struct ruleset *r);
const struct head *ruleset_head(const struct ruleset *r);

/*
 * The value of key; *value borrows from r or from scratch, which may be reset
 * first.  0, ERR_NOENT, ERR_CORRUPT, ERR_IO.  Blocks on the disk at most; a
 * key that the filter does not hold costs no call of the system, no lock and
 * no memory.
 */
int ruleset_get(struct ruleset *r, const void *key, size_t key_len,
    struct buf *scratch, struct bytes *value);

/* For want_first(): arg is the ruleset whose filter is fetched. */
void ruleset_ahead(void *arg, const uint64_t *near, size_t n);

/*
 * Who looks up many records: one thread, under any views, with what it found
 * last at hand.  That changes no answer: a record is kept for the view that it
 * was found under alone, and nothing absent, damaged or unread is kept.
 */
struct ruleset_reader {
	struct buf scratch;
	struct record_cache *cache;
};
void ruleset_reader_init(struct ruleset_reader *rd);
void ruleset_reader_fini(struct ruleset_reader *rd);

/*
 * Look up the keys of w from number `from` on, all in one go, and enter what
 * was found, that it is absent, or the error into f.  As ruleset_get().
 */
void ruleset_fetch(struct ruleset *r, const struct want *w, size_t from,
    struct facts *f, struct ruleset_reader *rd);

/* Was anything of its set found damaged?  Then it is to be fetched anew; what
 * is read from it meanwhile is right or an error. */
bool ruleset_is_damaged(const struct ruleset *r);
/* Was its digest computed from its records here, or from such a one by
 * deltas? */
bool ruleset_is_proved(const struct ruleset *r);
/* Would a new base pay, because many deltas came since? */
bool ruleset_is_worn(const struct ruleset *r);
/* Is it its base's version, without a delta? */
bool ruleset_is_fresh(const struct ruleset *r);
/* The serial of the certificate of who signed its version. */
uint64_t ruleset_serial(const struct ruleset *r);
/* The manifest that its base was made from, and the folder; borrowed. */
const uint8_t *ruleset_manifest_id(const struct ruleset *r);
const char *ruleset_dir(const struct ruleset *r);
/* Memory of its filter. */
size_t ruleset_filter_bytes(const struct ruleset *r);

/* The 8 bytes that stand behind a value. */
void ruleset_hash(const uint8_t hash_key[RULESET_KEY_LEN], const void *key,
    size_t key_len, const void *val, size_t val_len,
    uint8_t out[RULESET_HASH_LEN]);

#endif
