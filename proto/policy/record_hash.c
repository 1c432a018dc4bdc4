/*
 * record_hash.c - takes stored keys apart and hashes the parts.
 */
#include "proto/policy/record_hash.h"

/* The hash of a name, and of its domain or, without an "@", of itself. */
static uint64_t
hash_name(const struct hash_key *k, const uint8_t *p, size_t len,
    uint64_t *domain)
{
	const uint8_t *at = len == 0 ? NULL : memrchr(p, '@', len);
	size_t local = at == NULL ? 0 : (size_t)(at - p);

	if (at == NULL)
		return *domain = hash_text(k, p, len);
	*domain = hash_text(k, at + 1, len - local - 1);
	return record_hash_address(hash_text(k, p, local), *domain);
}

uint64_t
record_hash_name(const struct hash_key *k, const void *name, size_t len)
{
	uint64_t domain;

	return hash_name(k, name, len, &domain);
}

static struct record_hash
hash_user(const struct hash_key *k, const uint8_t *p, size_t len)
{
	const uint8_t *nul = len == 0 ? NULL : memchr(p, 0, len);
	size_t user = nul == NULL ? len : (size_t)(nul - p);
	size_t skip = nul == NULL ? len : user + 1;
	uint64_t entry, domain;

	entry = hash_name(k, p + skip, len - skip, &domain);
	return record_hash_user(record_hash_name(k, p, user), entry, domain);
}

struct record_hash
record_hash_key(const struct hash_key *k, const void *key, size_t len)
{
	const uint8_t *p = key;
	bool wild;

	if (len == 0)
		return record_hash_one(0, false, 0);
	if (p[0] == RECORD_USER)
		return hash_user(k, p + 1, len - 1);
	/* "*.x@y" is an address */
	wild = len >= 3 && p[1] == '*' && p[2] == '.' &&
	    memchr(p, '@', len) == NULL;
	p += wild ? 3 : 1;
	return record_hash_one(*(const uint8_t *)key, wild,
	    record_hash_name(k, p, len - (wild ? 3 : 1)));
}
