/*
 * spool_file.c - writes and checks one record of the spool.
 */
#include "node/spool_file.h"

#include <sodium.h>
#include <string.h>

void
spool_file_key(const uint8_t id[8], uint8_t key[SPOOL_KEY_LEN])
{
	_Static_assert(SPOOL_KEY_LEN == crypto_shorthash_KEYBYTES, "key");
	crypto_generichash(key, SPOOL_KEY_LEN, id, 8, NULL, 0);
}

/*
 * The hash of one record.  The head's 12 bytes are hashed on their own and
 * their hash mixed into the key, so that the payload is hashed where it lies.
 */
static void
record_hash(const uint8_t key[SPOOL_KEY_LEN], const uint8_t head[12],
    const void *payload, size_t len, uint8_t out[8])
{
	uint8_t mixed[SPOOL_KEY_LEN], h[8];
	size_t i;

	crypto_shorthash(h, head, 12, key);
	memcpy(mixed, key, sizeof(mixed));
	for (i = 0; i < sizeof(h); i++)
		mixed[i] ^= h[i];
	crypto_shorthash(out, payload, len, mixed);
}

void
spool_file_put(struct buf *out, const uint8_t key[SPOOL_KEY_LEN],
    uint64_t seq, const void *payload, size_t len)
{
	uint8_t hash[8];

	buf_put_u32(out, (uint32_t)len);
	buf_put_u64(out, seq);
	if (out->err != 0)
		return;
	record_hash(key, (uint8_t *)out->data + out->len - 12, payload, len,
	    hash);
	buf_put(out, hash, sizeof(hash));
	buf_put(out, payload, len);
}

size_t
spool_file_check(const uint8_t *p, size_t n, const uint8_t key[SPOOL_KEY_LEN],
    uint64_t *seq)
{
	struct bytes b = bytes_of(p, n);
	uint8_t hash[8];
	uint32_t len = bytes_u32(&b);

	*seq = bytes_u64(&b);
	if (n < SPOOL_HEAD_LEN || len > SPOOL_RECORD_MAX ||
	    len > n - SPOOL_HEAD_LEN)
		return 0;
	record_hash(key, p, p + SPOOL_HEAD_LEN, len, hash);
	return memcmp(hash, p + 12, sizeof(hash)) == 0 ?
	    SPOOL_HEAD_LEN + len : 0;
}
