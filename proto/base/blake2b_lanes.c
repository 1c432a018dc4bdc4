/*
 * blake2b_lanes.c - one compression of RFC 7693, 3.2, in vectors of u64: eight
 * lanes with AVX-512, four with AVX2, else libsodium for one after another.
 */
#include "proto/base/blake2b_lanes.h"

#include <sodium.h>
#include <string.h>

#ifdef __x86_64__

static const uint64_t iv[8] = {
	0x6a09e667f3bcc908u, 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu,
	0xa54ff53a5f1d36f1u, 0x510e527fade682d1u, 0x9b05688c2b3e6c1fu,
	0x1f83d9abfb41bd6bu, 0x5be0cd19137e2179u,
};

static const uint8_t sigma[12][16] = {
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
	{ 11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4 },
	{ 7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8 },
	{ 9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13 },
	{ 2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9 },
	{ 12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11 },
	{ 13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10 },
	{ 6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5 },
	{ 10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0 },
	{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
	{ 14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3 },
};

#define ROT(v, n) ((v) >> (n) | (v) << (64 - (n)))
#define G(a, b, c, d, x, y) do {					\
	a += b + (x); d = ROT(d ^ a, 32); c += d; b = ROT(b ^ c, 24);	\
	a += b + (y); d = ROT(d ^ a, 16); c += d; b = ROT(b ^ c, 63);	\
} while (0)

/*
 * NAME compresses LANES messages, the first 16 words of each in m (word by
 * word, lane by lane), its length in t; the first four words of the hashes go
 * to h.  A macro, as the target of a function decides what a vector becomes.
 */
#define DEFINE_COMPRESS(NAME, LANES, TARGET)				\
typedef uint64_t NAME##_v __attribute__((vector_size(8 * (LANES))));	\
									\
__attribute__((target(TARGET))) static void				\
NAME(const uint64_t *m_in, const uint64_t *t, size_t out_len,		\
    uint64_t *h)							\
{									\
	const NAME##_v *m = (const NAME##_v *)(const void *)m_in;	\
	const NAME##_v zero = { 0 };					\
	NAME##_v h0 = zero + (iv[0] ^ 0x01010000u ^ out_len);		\
	NAME##_v a0 = h0, a1 = zero + iv[1], a2 = zero + iv[2],		\
	    a3 = zero + iv[3], b0 = zero + iv[4], b1 = zero + iv[5],	\
	    b2 = zero + iv[6], b3 = zero + iv[7], c0 = zero + iv[0],	\
	    c1 = a1, c2 = a2, c3 = a3, d1 = b1, d2 = ~b2, d3 = b3,	\
	    d0 = b0 ^ *(const NAME##_v *)(const void *)t;		\
	NAME##_v *out = (NAME##_v *)(void *)h;				\
	int r;								\
									\
	for (r = 0; r < 12; r++) {					\
		const uint8_t *s = sigma[r];				\
									\
		G(a0, b0, c0, d0, m[s[0]], m[s[1]]);			\
		G(a1, b1, c1, d1, m[s[2]], m[s[3]]);			\
		G(a2, b2, c2, d2, m[s[4]], m[s[5]]);			\
		G(a3, b3, c3, d3, m[s[6]], m[s[7]]);			\
		G(a0, b1, c2, d3, m[s[8]], m[s[9]]);			\
		G(a1, b2, c3, d0, m[s[10]], m[s[11]]);			\
		G(a2, b3, c0, d1, m[s[12]], m[s[13]]);			\
		G(a3, b0, c1, d2, m[s[14]], m[s[15]]);			\
	}								\
	out[0] = h0 ^ a0 ^ c0;						\
	out[1] = iv[1] ^ a1 ^ c1;					\
	out[2] = iv[2] ^ a2 ^ c2;					\
	out[3] = iv[3] ^ a3 ^ c3;					\
}

DEFINE_COMPRESS(by_eight, 8, "avx512f")
DEFINE_COMPRESS(by_four, 4, "avx2")

/* The messages from `first` on, as many as the vectors have lanes. */
static void
run(unsigned lanes, const struct blake2b_lanes *l, size_t first,
    size_t out_len, uint8_t out[BLAKE2B_LANES][BLAKE2B_OUT])
{
	_Alignas(64) uint64_t m[16 * BLAKE2B_LANES];
	_Alignas(64) uint64_t t[BLAKE2B_LANES], h[4 * BLAKE2B_LANES];
	size_t i, w;

	for (i = 0; i < lanes; i++) {
		uint64_t word[16];

		memcpy(word, l->block[first + i], sizeof(word));
		t[i] = l->len[first + i];
		for (w = 0; w < 16; w++)
			m[w * lanes + i] = word[w];
	}
	if (lanes == 8)
		by_eight(m, t, out_len, h);
	else
		by_four(m, t, out_len, h);
	for (i = 0; i < lanes; i++)
		for (w = 0; w < 4; w++)
			memcpy(out[first + i] + 8 * w, &h[w * lanes + i], 8);
}

static unsigned
widest(void)
{
	return __builtin_cpu_supports("avx512f") ? 8 :
	    __builtin_cpu_supports("avx2") ? 4 : 1;
}

/* What is behind the length must be zero. */
static void
pad(struct blake2b_lanes *l)
{
	size_t i;

	for (i = 0; i < BLAKE2B_LANES; i++) {
		if (i >= l->n)
			l->len[i] = 0;
		memset(l->block[i] + l->len[i], 0, BLAKE2B_BLOCK -
		    l->len[i]);
	}
}

#else

static unsigned
widest(void)
{
	return 1;
}

#endif

unsigned
blake2b_lanes_of(unsigned lanes, struct blake2b_lanes *l, size_t out_len,
    uint8_t out[BLAKE2B_LANES][BLAKE2B_OUT])
{
	unsigned most = widest();
	size_t i;

	if (lanes > most)
		lanes = most;
#ifdef __x86_64__
	if (lanes > 1) {
		pad(l);
		for (i = 0; i < l->n; i += lanes)
			run(lanes, l, i, out_len, out);
		return lanes;
	}
#endif
	for (i = 0; i < l->n; i++)
		crypto_generichash(out[i], out_len, l->block[i], l->len[i],
		    NULL, 0);
	return 1;
}

void
blake2b_lanes(struct blake2b_lanes *l, size_t out_len,
    uint8_t out[BLAKE2B_LANES][BLAKE2B_OUT])
{
	blake2b_lanes_of(BLAKE2B_LANES, l, out_len, out);
}
