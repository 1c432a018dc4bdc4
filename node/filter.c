/*
 * filter.c - a block of 32 bytes per key, eight bits in it.
 *
 * The hash is NH of UMAC (RFC 4418) over 64-bit words, whose chance of equal
 * sums does not depend on what a sender chooses as long as the words added
 * are secret, then mixed with the length.  Its high half chooses the block,
 * its low half, times eight odd numbers, one bit in each eighth.
 *
 * A saved filter is the memory as it is, in this machine's byte order, for
 * it never leaves its folder:
 *
 *	8 "PFILTER2", 32 name, 16 unused, u64 blocks, u64 keys, 56 zeros,
 *	32 bytes a block, 32 BLAKE2b-256 of all before, keyed by the secret
 */
#include "node/filter.h"

#include <sodium.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

#define BITS_A_KEY 12
#define BLOCK_WORDS 4
#define BLOCK_LEN (BLOCK_WORDS * sizeof(uint64_t))
#define HEAD_LEN 128
#define SUM_LEN 32
#define HUGE_PAGE ((size_t)2 << 20)
#define BLOCKS_MAX ((uint64_t)1 << 28)		/* 8 GiB */
#define NH_WORDS (FILTER_KEY_MAX / sizeof(uint64_t))

static const char magic[8] = "PFILTER2";

struct head {
	char magic[8];
	uint8_t name[FILTER_NAME_LEN];
	uint8_t unused[16];
	uint64_t blocks, keys;
};

struct filter {
	uint64_t blocks;
	uint64_t keys, made_for;
	uint8_t secret[FILTER_SECRET_LEN];
	uint64_t nh[NH_WORDS + 2];	/* two more: for the end of the sum */
	uint8_t *mem;			/* head, blocks, sum */
	size_t mem_len;
	_Atomic uint64_t *bits;
};

static struct filter *
make(uint64_t blocks, const uint8_t secret[FILTER_SECRET_LEN])
{
	static const uint8_t nonce[crypto_stream_chacha20_NONCEBYTES] = "nh";
	uint8_t seed[crypto_stream_chacha20_KEYBYTES];
	struct filter *f = xcalloc(1, sizeof(*f));
	size_t whole;

	f->blocks = blocks;
	f->made_for = blocks * BLOCK_LEN * 8 / BITS_A_KEY;
	f->mem_len = HEAD_LEN + blocks * BLOCK_LEN + SUM_LEN;
	memcpy(f->secret, secret, FILTER_SECRET_LEN);
	crypto_generichash(seed, sizeof(seed), secret, FILTER_SECRET_LEN,
	    NULL, 0);
	crypto_stream_chacha20((uint8_t *)f->nh, sizeof(f->nh), nonce, seed);
	whole = (f->mem_len + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	f->mem = aligned_alloc(HUGE_PAGE, whole);
	if (f->mem == NULL) {
		free(f);
		return NULL;
	}
	madvise(f->mem, whole, MADV_HUGEPAGE);	/* fewer misses; may fail */
	f->bits = (_Atomic uint64_t *)(void *)(f->mem + HEAD_LEN);
	return f;
}

struct filter *
filter_new(uint64_t keys, const uint8_t secret[FILTER_SECRET_LEN])
{
	uint64_t blocks = keys * BITS_A_KEY / (BLOCK_LEN * 8) + 1;
	struct filter *f = make(blocks > BLOCKS_MAX ? BLOCKS_MAX : blocks,
	    secret);

	if (f == NULL)
		abort();
	memset(f->mem, 0, f->mem_len);
	return f;
}

void
filter_free(struct filter **f)
{
	if (*f == NULL)
		return;
	free((*f)->mem);
	free(*f);
	*f = NULL;
}

static uint64_t
mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	return x ^ x >> 32;
}

static inline uint64_t
load_64(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

/* Fewer than 8 bytes as a number of their own for each length. */
static uint64_t
load_short(const uint8_t *p, size_t len)
{
	uint64_t w = 0;

	while (len-- > 0)
		w = w << 8 | p[len];
	return w;
}

/* The end of a key may be read as words that overlap those before: for one
 * length, which is mixed in, each byte still has a place. */
uint64_t
filter_hash(const struct filter *f, const void *key, size_t len)
{
	const uint8_t *p = key;
	const uint64_t *k = f->nh;
	unsigned __int128 sum = 0;
	uint64_t a, b;
	size_t left = len > FILTER_KEY_MAX ? FILTER_KEY_MAX : len;

	for (; left >= 16; left -= 16, p += 16, k += 2)
		sum += (unsigned __int128)(load_64(p) + k[0]) *
		    (load_64(p + 8) + k[1]);
	if (left > 0) {
		if (len >= 16) {
			a = load_64(p + left - 16);
			b = load_64(p + left - 8);
		} else if (left >= 8) {
			a = load_64(p);
			b = load_64(p + left - 8);
		} else {
			a = load_short(p, left);
			b = 0;
		}
		sum += (unsigned __int128)(a + k[0]) * (b + k[1]);
	}
	return mix((uint64_t)sum ^ mix((uint64_t)(sum >> 64) +
	    f->nh[NH_WORDS] + len));
}

static inline size_t
block_of(const struct filter *f, uint64_t hash)
{
	return (size_t)(((hash >> 32) * f->blocks) >> 32) * BLOCK_WORDS;
}

/* Two bits of word i of the block, one in each half. */
static inline uint64_t
bits_of(uint64_t hash, int i)
{
	static const uint32_t odd[2 * BLOCK_WORDS] = { 0x47b6137b, 0x44974d91,
	    0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947,
	    0x5c6bfb31 };
	uint32_t x = (uint32_t)hash;

	return (uint64_t)1 << ((x * odd[2 * i]) >> 27) |
	    (uint64_t)1 << (32 + ((x * odd[2 * i + 1]) >> 27));
}

void
filter_prefetch(const struct filter *f, uint64_t hash)
{
	__builtin_prefetch((const void *)&f->bits[block_of(f, hash)]);
}

bool
filter_has(const struct filter *f, uint64_t hash)
{
	const _Atomic uint64_t *b = &f->bits[block_of(f, hash)];
	uint64_t missing = 0;
	int i;

	for (i = 0; i < BLOCK_WORDS; i++)
		missing |= bits_of(hash, i) & ~atomic_load_explicit(&b[i],
		    memory_order_relaxed);
	return missing == 0;
}

void
filter_add(struct filter *f, uint64_t hash)
{
	_Atomic uint64_t *b = &f->bits[block_of(f, hash)];
	int i;

	for (i = 0; i < BLOCK_WORDS; i++)
		atomic_fetch_or_explicit(&b[i], bits_of(hash, i),
		    memory_order_relaxed);
	f->keys++;
}

bool
filter_is_full(const struct filter *f)
{
	return f->keys > f->made_for + f->made_for / 4;
}

size_t
filter_bytes(const struct filter *f)
{
	return (size_t)f->blocks * BLOCK_LEN;
}

static void
sum_of(const struct filter *f, uint8_t out[SUM_LEN])
{
	crypto_generichash(out, SUM_LEN, f->mem, f->mem_len - SUM_LEN,
	    f->secret, FILTER_SECRET_LEN);
}

int
filter_save(struct filter *f, const char *path,
    const uint8_t name[FILTER_NAME_LEN], struct diag *why)
{
	struct head h = { .blocks = f->blocks, .keys = f->keys };

	memcpy(h.magic, magic, sizeof(h.magic));
	memcpy(h.name, name, sizeof(h.name));
	memset(f->mem, 0, HEAD_LEN);
	memcpy(f->mem, &h, sizeof(h));
	sum_of(f, f->mem + f->mem_len - SUM_LEN);
	return file_write(path, f->mem, f->mem_len, 0600, why);
}

/* Read all of an open file of known size into f. */
static int
read_all(FILE *in, struct filter *f, const struct head *h)
{
	uint8_t sum[SUM_LEN];
	size_t rest = f->mem_len - sizeof(*h);

	memset(f->mem, 0, HEAD_LEN);
	memcpy(f->mem, h, sizeof(*h));
	if (fread(f->mem + sizeof(*h), 1, rest, in) != rest ||
	    fgetc(in) != EOF)
		return ERR_CORRUPT;
	sum_of(f, sum);
	f->keys = h->keys;
	return memcmp(sum, f->mem + f->mem_len - SUM_LEN, SUM_LEN) == 0 ? 0 :
	    ERR_CORRUPT;
}

int
filter_load(struct filter **out, const char *path,
    const uint8_t name[FILTER_NAME_LEN],
    const uint8_t secret[FILTER_SECRET_LEN], struct diag *why)
{
	FILE *in = fopen(path, "rbe");
	struct filter *f = NULL;
	int rc = ERR_CORRUPT;
	struct head h;
	long size;

	if (in == NULL)
		return diag_set(why, ERR_NOENT, "%s: no filter", path);
	/* The size first: a damaged count must not ask for memory. */
	if (fseek(in, 0, SEEK_END) == 0 && (size = ftell(in)) > 0 &&
	    fseek(in, 0, SEEK_SET) == 0 && fread(&h, sizeof(h), 1, in) == 1 &&
	    memcmp(h.magic, magic, sizeof(magic)) == 0 &&
	    memcmp(h.name, name, sizeof(h.name)) == 0 &&
	    h.blocks > 0 && h.blocks <= BLOCKS_MAX &&
	    (uint64_t)size == HEAD_LEN + h.blocks * BLOCK_LEN + SUM_LEN &&
	    (f = make(h.blocks, secret)) != NULL)
		rc = read_all(in, f, &h);
	fclose(in);
	if (rc == 0) {
		*out = f;
		return 0;
	}
	filter_free(&f);
	return diag_set(why, rc, "%s: damaged or of another set", path);
}
