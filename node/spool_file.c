/*
 * spool_file.c - writes and checks one record of the spool.
 */
#include "node/spool_file.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/err.h"

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

static int
read_at(int fd, uint64_t off, void *data, size_t len)
{
	uint8_t *p = data;

	while (len > 0) {
		ssize_t n = pread(fd, p, len, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ERR_IO;
		if (n == 0)
			return ERR_CORRUPT;
		p += n;
		off += (uint64_t)n;
		len -= (size_t)n;
	}
	return 0;
}

int
spool_file_get(int fd, const uint8_t key[SPOOL_KEY_LEN], uint64_t off,
    uint64_t limit, uint64_t *seq, uint64_t *next, struct buf *out)
{
	uint8_t head[SPOOL_HEAD_LEN], hash[8], payload[SPOOL_RECORD_MAX];
	struct bytes b;
	uint32_t len;
	int rc;

	if (off >= limit)
		return ERR_NOENT;
	if (limit - off < SPOOL_HEAD_LEN)
		return ERR_CORRUPT;
	if ((rc = read_at(fd, off, head, sizeof(head))) < 0)
		return rc;
	b = bytes_of(head, sizeof(head));
	len = bytes_u32(&b);
	*seq = bytes_u64(&b);
	if (len > SPOOL_RECORD_MAX || limit - off - SPOOL_HEAD_LEN < len)
		return ERR_CORRUPT;
	if ((rc = read_at(fd, off + SPOOL_HEAD_LEN, payload, len)) < 0)
		return rc;
	record_hash(key, head, payload, len, hash);
	if (memcmp(hash, head + 12, sizeof(hash)) != 0)
		return ERR_CORRUPT;
	*next = off + SPOOL_HEAD_LEN + len;
	if (out != NULL)
		buf_put(out, payload, len);
	return out != NULL && out->err != 0 ? ERR_NOMEM : 0;
}
