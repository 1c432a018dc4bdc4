/*
 * digest_bulk.c - ChaCha20 (the form with a nonce of 64 bits) with a block of
 * an element in each lane of a vector, summed there.
 *
 * Vector w of group g holds word w of the blocks g * lanes .. of an element,
 * two u16 each; to sum them so saves putting each element in order.  Seeds come
 * from blake2b_lanes, for several records at once.
 */
#include "proto/wire/digest_bulk.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/blake2b_lanes.h"

#define BLOCKS 32		/* of 64 bytes in an element */
#define WORDS 16		/* of u32 in a block */
#define ALIGN 64

typedef void sum_fn(uint32_t *sum, const uint8_t seed[32]);

struct digest_bulk {
	uint32_t sum[BLOCKS * WORDS];	/* first: it must be aligned */
	struct blake2b_lanes seeds;	/* of records that wait */
	unsigned lanes;
	sum_fn *add;			/* NULL: plain takes all */
	uint64_t count;			/* in sum */
	struct digest plain;
};

static const char domain[] = "postern.record";

#ifdef __x86_64__

#define ROT(v, n) ((v) << (n) | (v) >> (32 - (n)))
#define QUARTER(a, b, c, d) do {					\
	a += b; d = ROT(d ^ a, 16); c += d; b = ROT(b ^ c, 12);		\
	a += b; d = ROT(d ^ a, 8); c += d; b = ROT(b ^ c, 7);		\
} while (0)

/* A macro, as the target of a function decides what a vector becomes. */
#define DEFINE_ADD(NAME, LANES, TARGET)					\
typedef uint32_t NAME##_v __attribute__((vector_size(4 * (LANES))));	\
typedef uint16_t NAME##_h __attribute__((vector_size(4 * (LANES))));	\
									\
__attribute__((target(TARGET))) static void				\
NAME(uint32_t *sum, const uint8_t seed[32])				\
{									\
	NAME##_h *s = (NAME##_h *)(void *)sum;				\
	NAME##_v zero = { 0 }, counter = zero;				\
	uint32_t k[8], i;						\
	int r;								\
									\
	memcpy(k, seed, sizeof(k));					\
	for (i = 0; i < (LANES); i++)					\
		counter[i] = i;						\
	for (i = 0; i < BLOCKS / (LANES); i++, s += WORDS) {		\
		NAME##_v a0 = zero + 0x61707865u, a1 = zero + 0x3320646eu, \
		    a2 = zero + 0x79622d32u, a3 = zero + 0x6b206574u,	\
		    b0 = zero + k[0], b1 = zero + k[1], b2 = zero + k[2], \
		    b3 = zero + k[3], c0 = zero + k[4], c1 = zero + k[5], \
		    c2 = zero + k[6], c3 = zero + k[7], d0 = counter,	\
		    d1 = zero, d2 = zero, d3 = zero;			\
									\
		for (r = 0; r < 10; r++) {				\
			QUARTER(a0, b0, c0, d0);			\
			QUARTER(a1, b1, c1, d1);			\
			QUARTER(a2, b2, c2, d2);			\
			QUARTER(a3, b3, c3, d3);			\
			QUARTER(a0, b1, c2, d3);			\
			QUARTER(a1, b2, c3, d0);			\
			QUARTER(a2, b3, c0, d1);			\
			QUARTER(a3, b0, c1, d2);			\
		}							\
		s[0] += (NAME##_h)(a0 + 0x61707865u);			\
		s[1] += (NAME##_h)(a1 + 0x3320646eu);			\
		s[2] += (NAME##_h)(a2 + 0x79622d32u);			\
		s[3] += (NAME##_h)(a3 + 0x6b206574u);			\
		s[4] += (NAME##_h)(b0 + k[0]);				\
		s[5] += (NAME##_h)(b1 + k[1]);				\
		s[6] += (NAME##_h)(b2 + k[2]);				\
		s[7] += (NAME##_h)(b3 + k[3]);				\
		s[8] += (NAME##_h)(c0 + k[4]);				\
		s[9] += (NAME##_h)(c1 + k[5]);				\
		s[10] += (NAME##_h)(c2 + k[6]);				\
		s[11] += (NAME##_h)(c3 + k[7]);				\
		s[12] += (NAME##_h)(d0 + counter);			\
		s[13] += (NAME##_h)d1;					\
		s[14] += (NAME##_h)d2;					\
		s[15] += (NAME##_h)d3;					\
		counter += (LANES);					\
	}								\
}

DEFINE_ADD(by_sixteen, 16, "avx512f,avx512bw")
DEFINE_ADD(by_eight, 8, "avx2")

static void
choose(struct digest_bulk *b, unsigned most)
{
	if (most >= 16 && __builtin_cpu_supports("avx512f") &&
	    __builtin_cpu_supports("avx512bw")) {
		b->lanes = 16;
		b->add = by_sixteen;
	} else if (most >= 8 && __builtin_cpu_supports("avx2")) {
		b->lanes = 8;
		b->add = by_eight;
	}
}

#else

static void
choose(struct digest_bulk *b, unsigned most)
{
	(void)b;
	(void)most;
}

#endif

struct digest_bulk *
digest_bulk_new_of(unsigned lanes)
{
	size_t len = (sizeof(struct digest_bulk) + ALIGN - 1) / ALIGN * ALIGN;
	struct digest_bulk *b = aligned_alloc(ALIGN, len);

	if (b == NULL)
		abort();
	memset(b, 0, len);
	b->lanes = 1;
	choose(b, lanes);
	return b;
}

struct digest_bulk *
digest_bulk_new(void)
{
	return digest_bulk_new_of(WORDS);
}

void
digest_bulk_free(struct digest_bulk **b)
{
	free(*b);
	*b = NULL;
}

static void
add_waiting(struct digest_bulk *b)
{
	uint8_t seed[BLAKE2B_LANES][BLAKE2B_OUT];
	size_t i;

	blake2b_lanes(&b->seeds, BLAKE2B_OUT, seed);
	for (i = 0; i < b->seeds.n; i++)
		b->add(b->sum, seed[i]);
	b->count += b->seeds.n;
	b->seeds.n = 0;
}

/* digest.h says what is hashed. */
void
digest_bulk_add(struct digest_bulk *b, const void *key, size_t key_len,
    const void *val, size_t val_len)
{
	uint8_t len[4] = { (uint8_t)(key_len >> 24), (uint8_t)(key_len >> 16),
	    (uint8_t)(key_len >> 8), (uint8_t)key_len }, *p;
	const size_t fixed = sizeof(domain) + sizeof(len);

	if (b->add == NULL || key_len > BLAKE2B_BLOCK ||
	    val_len > BLAKE2B_BLOCK ||
	    fixed + key_len + val_len > BLAKE2B_BLOCK) {
		digest_add(&b->plain, key, key_len, val, val_len);
		return;
	}
	p = b->seeds.block[b->seeds.n];
	memcpy(p, domain, sizeof(domain));
	memcpy(p + sizeof(domain), len, sizeof(len));
	memcpy(p + fixed, key, key_len);
	if (val_len > 0)
		memcpy(p + fixed + key_len, val, val_len);
	b->seeds.len[b->seeds.n++] = fixed + key_len + val_len;
	if (b->seeds.n == BLAKE2B_LANES)
		add_waiting(b);
}

void
digest_bulk_take(struct digest_bulk *b, struct digest *d)
{
	size_t i, lane, w, group;

	add_waiting(b);
	for (i = 0; b->lanes > 1 && i < BLOCKS * WORDS; i++) {
		size_t to;

		lane = i % b->lanes;
		w = i / b->lanes % WORDS;
		group = i / b->lanes / WORDS;
		to = 2 * ((group * b->lanes + lane) * WORDS + w);
		d->sum[to] = (uint16_t)(d->sum[to] + b->sum[i]);
		d->sum[to + 1] = (uint16_t)(d->sum[to + 1] +
		    (b->sum[i] >> 16));
	}
	d->count += b->count;
	digest_merge(d, &b->plain);
	digest_init(&b->plain);
	memset(b->sum, 0, sizeof(b->sum));
	b->count = 0;
}

unsigned
digest_bulk_lanes(const struct digest_bulk *b)
{
	return b->lanes;
}
