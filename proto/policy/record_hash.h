/*
 * record_hash.h - the hashes under which a filter and the tables know the
 * names in records: one for each part, joined for each key.
 *
 * A decision asks for many keys of few names, so a name is hashed once: an
 * address as its local part and its domain, a user's entry as user and entry.
 * Each key has two numbers.  Keys with the same `near` lie together: those of
 * one name in all classes, and what one user says of one domain and the
 * addresses in it.  `own` tells them apart.
 */
#ifndef POLICY_RECORD_HASH_H
#define POLICY_RECORD_HASH_H

#include <stdbool.h>

#include "proto/base/hash.h"
#include "proto/policy/record.h"

struct record_hash { uint64_t near, own; };

static inline uint64_t
record_hash_address(uint64_t local, uint64_t domain)
{
	return hash_join(local, domain);
}

/* A key of one name: cls and, for an entry "*.x", wild; then name is x. */
static inline struct record_hash
record_hash_one(uint8_t cls, bool wild, uint64_t name)
{
	return (struct record_hash){ name, hash_join(name,
	    (uint64_t)cls | (uint64_t)wild << 8) };
}

/* A user's entry; domain is that of an entry that is an address, else entry
 * itself. */
static inline struct record_hash
record_hash_user(uint64_t user, uint64_t entry, uint64_t domain)
{
	return (struct record_hash){ hash_join(user, domain),
	    hash_join(hash_join(user, RECORD_USER), entry) };
}

/* An address (what has an "@": the last one counts) or a domain. */
uint64_t record_hash_name(const struct hash_key *k, const void *name,
    size_t len);

/* Of a key as it is stored: what the two above say of its parts.  Any bytes
 * have a hash. */
struct record_hash record_hash_key(const struct hash_key *k, const void *key,
    size_t len);

#endif
