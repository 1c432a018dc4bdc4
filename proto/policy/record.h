/*
 * record.h - records: the unit of storage, snapshot, delta and digest.
 *
 * A record is a key and a value.  A key is one class byte and what names the
 * thing; records sort by memcmp of their keys.  Numbers are big-endian.
 *
 *	class  key after the class byte        value
 *	'A'    16 address, u8 prefix length    -              authorised client
 *	'D'    address                         u8 state, u16 n, n x (u8 len,
 *	                                       name, u16 len, value)
 *	'E'    entry ("al@x", "x", "*.x")      n x u64 gid, rising: the groups
 *	                                       that hold it directly
 *	'F'    domain                          -              free-mail domain
 *	'G'    u64 gid                         u16 len, name, u16 n, n x u64 gid
 *	                                       of the groups that hold it
 *	'I'    domain or "*.domain"            u8 validation  internal domain
 *	'L'    alias address                   primary address
 *	'O'    protected local part            -
 *	'P'    policy id                       see policy_encode()
 *	'R'    return-path prefix of a local part  -
 *	'S'    setting name                    its text
 *	'T'    16 address, u8 prefix length    -              trusted relay
 *	'U'    user, NUL, entry                u8 flags, u32 day last used
 *
 * A loader refuses a class it does not know.
 */
#ifndef POLICY_RECORD_H
#define POLICY_RECORD_H

#include "proto/base/buf.h"
#include "proto/base/diag.h"
#include "proto/policy/model.h"

#define RECORD_FORMAT 1		/* rises when a class or value changes */
#define RECORD_KEY_MAX 1024
#define RECORD_VALUE_MAX 65536

enum record_class {
	RECORD_AUTHORIZED = 'A', RECORD_DIRECTORY = 'D', RECORD_ENTRY = 'E',
	RECORD_FREE_MAIL = 'F', RECORD_GROUP = 'G', RECORD_INTERNAL = 'I',
	RECORD_ALIAS = 'L', RECORD_PROTECTED = 'O', RECORD_POLICY = 'P',
	RECORD_RETURN_PATH = 'R', RECORD_SETTING = 'S', RECORD_TRUSTED = 'T',
	RECORD_USER = 'U'
};

enum record_state { DIRECTORY_ACTIVE = 1, DIRECTORY_DISABLED = 2,
    DIRECTORY_UNLICENSED = 3 };

enum record_user_flags { USER_BLOCK = 1, USER_PERMIT = 2, USER_AUTO = 4 };

/* A bit for class 'A' + n. */
#define RECORD_BIT(cls) (UINT32_C(1) << ((cls) - 'A'))
#define RECORD_LARGE (RECORD_BIT(RECORD_DIRECTORY) | \
    RECORD_BIT(RECORD_ENTRY) | RECORD_BIT(RECORD_ALIAS) | \
    RECORD_BIT(RECORD_USER))
#define RECORD_SMALL (RECORD_BIT(RECORD_AUTHORIZED) | \
    RECORD_BIT(RECORD_FREE_MAIL) | RECORD_BIT(RECORD_GROUP) | \
    RECORD_BIT(RECORD_INTERNAL) | RECORD_BIT(RECORD_PROTECTED) | \
    RECORD_BIT(RECORD_POLICY) | RECORD_BIT(RECORD_RETURN_PATH) | \
    RECORD_BIT(RECORD_SETTING) | RECORD_BIT(RECORD_TRUSTED))

/* True for the classes that a node keeps in memory (all but D, E, L, U). */
static inline bool
record_is_small(uint8_t cls)
{
	return cls >= 'A' && cls <= 'Z' &&
	    (RECORD_SMALL >> (cls - 'A') & 1) != 0;
}

static inline bool
record_is_known(uint8_t cls)
{
	return cls >= 'A' && cls <= 'Z' &&
	    ((RECORD_SMALL | RECORD_LARGE) >> (cls - 'A') & 1) != 0;
}

/* Append class and parts; key and value builders for each class. */
void record_key_text(struct buf *key, uint8_t cls, const char *text);
void record_key_prefix(struct buf *key, uint8_t cls,
    const struct ip_prefix *p);
void record_key_gid(struct buf *key, uint64_t gid);
void record_key_user(struct buf *key, const char *user, const char *entry);

/* Append the value of a policy record; its id stands in the key. */
void policy_encode(const struct policy *p, struct buf *out);
/*
 * Read a policy back.  Every field is checked against its range, so that what
 * this accepts judge() can run on.  0, ERR_CORRUPT, ERR_VERSION; on failure
 * *out is empty.
 */
int policy_decode(struct policy *out, const char *id, struct bytes value,
    struct diag *why);

/* Group value: name and parents. */
void record_group_encode(struct buf *out, const char *name,
    const uint64_t *parents, size_t n);

#endif
