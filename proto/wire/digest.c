/*
 * digest.c - LtHash over records: sums of ChaCha20 streams.
 */
#include "proto/wire/digest.h"

#include <endian.h>
#include <sodium.h>
#include <string.h>

#include "proto/policy/record.h"

#define NUMBERS (DIGEST_STATE_LEN / 2)

static const char domain[] = "postern.record";

/* The 1,024 numbers of one record. */
static void
element(const void *key, size_t key_len, const void *val, size_t val_len,
    uint16_t out[NUMBERS])
{
	static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES];
	uint8_t seed[crypto_stream_chacha20_KEYBYTES];
	uint8_t len[4] = { (uint8_t)(key_len >> 24), (uint8_t)(key_len >> 16),
	    (uint8_t)(key_len >> 8), (uint8_t)key_len };
	crypto_generichash_state st;
	size_t i;

	crypto_generichash_init(&st, NULL, 0, sizeof(seed));
	crypto_generichash_update(&st, (const uint8_t *)domain,
	    sizeof(domain));
	crypto_generichash_update(&st, len, sizeof(len));
	crypto_generichash_update(&st, key, key_len);
	crypto_generichash_update(&st, val, val_len);
	crypto_generichash_final(&st, seed, sizeof(seed));
	crypto_stream_chacha20((uint8_t *)out, DIGEST_STATE_LEN, nonce,
	    seed);
	for (i = 0; i < NUMBERS; i++)	/* nothing, where they are ours */
		out[i] = le16toh(out[i]);
}

void
digest_init(struct digest *d)
{
	memset(d, 0, sizeof(*d));
}

static uint16_t
little(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

void
digest_add(struct digest *d, const void *key, size_t key_len,
    const void *val, size_t val_len)
{
	uint16_t e[NUMBERS] __attribute__((uninitialized));
	size_t i;

	element(key, key_len, val, val_len, e);
	for (i = 0; i < NUMBERS; i++)
		d->sum[i] = (uint16_t)(d->sum[i] + e[i]);
	d->count++;
}

void
digest_sub(struct digest *d, const void *key, size_t key_len,
    const void *val, size_t val_len)
{
	uint16_t e[NUMBERS] __attribute__((uninitialized));
	size_t i;

	element(key, key_len, val, val_len, e);
	for (i = 0; i < NUMBERS; i++)
		d->sum[i] = (uint16_t)(d->sum[i] - e[i]);
	d->count--;
}

void
digest_merge(struct digest *d, const struct digest *other)
{
	size_t i;

	for (i = 0; i < NUMBERS; i++)
		d->sum[i] = (uint16_t)(d->sum[i] + other->sum[i]);
	d->count += other->count;
}

void
digest_save(const struct digest *d, uint8_t out[DIGEST_STATE_LEN])
{
	size_t i;

	for (i = 0; i < DIGEST_STATE_LEN / 2; i++) {
		out[2 * i] = (uint8_t)d->sum[i];
		out[2 * i + 1] = (uint8_t)(d->sum[i] >> 8);
	}
}

void
digest_load(struct digest *d, const uint8_t in[DIGEST_STATE_LEN],
    uint64_t count)
{
	size_t i;

	for (i = 0; i < DIGEST_STATE_LEN / 2; i++)
		d->sum[i] = little(in + 2 * i);
	d->count = count;
}

void
digest_final(const struct digest *d, uint8_t out[DIGEST_LEN])
{
	uint8_t state[DIGEST_STATE_LEN];
	struct buf tail;
	crypto_generichash_state st;

	digest_save(d, state);
	buf_init(&tail, 0);
	buf_put_u64(&tail, d->count);
	buf_put_u32(&tail, RECORD_FORMAT);
	crypto_generichash_init(&st, NULL, 0, DIGEST_LEN);
	crypto_generichash_update(&st, state, sizeof(state));
	crypto_generichash_update(&st, (const uint8_t *)tail.data, tail.len);
	crypto_generichash_final(&st, out, DIGEST_LEN);
	buf_fini(&tail);
}
