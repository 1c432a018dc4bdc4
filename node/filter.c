/*
 * filter.c - a block of 32 bytes per key, eight bits in it.
 *
 * The high half of `near` chooses the block, 48 bits of `own` the bits: two
 * in each quarter.
 *
 * A saved filter is the memory as it is, in this machine's byte order, for
 * it never leaves its folder:
 *
 *	8 "PFILTER3", 32 name, 16 unused, u64 blocks, u64 keys, 56 zeros,
 *	32 bytes a block, 32 BLAKE2b-256 of all before, keyed by the secret
 */
#include "node/filter.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "proto/base/buf.h"
#include "proto/base/err.h"
#include "proto/base/file.h"

#define BITS_A_KEY 12
#define BLOCK_LEN (FILTER_WORDS * sizeof(uint64_t))
#define HEAD_LEN 128
#define SUM_LEN 32
#define HUGE_PAGE ((size_t)2 << 20)
#define BLOCKS_MAX ((uint64_t)1 << 28)		/* 8 GiB */

static const char magic[8] = "PFILTER3";

struct head {
	char magic[8];
	uint8_t name[FILTER_NAME_LEN];
	uint8_t unused[16];
	uint64_t blocks, keys;
};

struct filter {
	struct filter_probe probe;	/* first */
	_Atomic uint64_t keys;
	uint64_t made_for;
	uint8_t secret[FILTER_SECRET_LEN];
	struct hash_key hash;
	uint8_t *mem;			/* head, blocks, sum */
	size_t mem_len;
};

static struct filter *
make(uint64_t blocks, const uint8_t secret[FILTER_SECRET_LEN])
{
	struct filter *f = xcalloc(1, sizeof(*f));
	size_t whole;

	f->probe.blocks = blocks;
	f->made_for = blocks * BLOCK_LEN * 8 / BITS_A_KEY;
	f->mem_len = HEAD_LEN + blocks * BLOCK_LEN + SUM_LEN;
	memcpy(f->secret, secret, FILTER_SECRET_LEN);
	hash_key_init(&f->hash, secret);
	whole = (f->mem_len + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	f->mem = aligned_alloc(HUGE_PAGE, whole);
	if (f->mem == NULL) {
		free(f);
		return NULL;
	}
	madvise(f->mem, whole, MADV_HUGEPAGE);	/* fewer misses; may fail */
	f->probe.bits = (_Atomic uint64_t *)(void *)(f->mem + HEAD_LEN);
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

struct record_hash
filter_hash(const struct filter *f, const void *key, size_t len)
{
	return record_hash_key(&f->hash, key, len);
}

const struct hash_key *
filter_hash_key(const struct filter *f)
{
	return &f->hash;
}

/* Two bits of word i of the block; two may be one. */
static inline uint64_t
bits_of(uint64_t own, int i)
{
	return (uint64_t)1 << (own >> 12 * i & 63) |
	    (uint64_t)1 << (own >> (12 * i + 6) & 63);
}

static void
set_bits(struct filter *f, struct record_hash h)
{
	_Atomic uint64_t *b = filter_block(f->probe, h.near);
	int i;

	for (i = 0; i < FILTER_WORDS; i++)
		atomic_fetch_or_explicit(&b[i], bits_of(h.own, i),
		    memory_order_relaxed);
}

static void
count(struct filter *f, uint64_t keys)
{
	atomic_fetch_add_explicit(&f->keys, keys, memory_order_relaxed);
}

void
filter_add(struct filter *f, struct record_hash h)
{
	set_bits(f, h);
	count(f, 1);
}

/* Its place in memory is asked for now and written to later: it is in no
 * cache. */
void
filter_adder_put(struct filter *f, struct filter_adder *a, const void *key,
    size_t len)
{
	struct record_hash hash = filter_hash(f, key, len);
	struct record_hash *at = &a->pending[a->n % FILTER_ADDER_KEYS];

	filter_prefetch(f, hash.near);
	if (a->n++ >= FILTER_ADDER_KEYS)
		set_bits(f, *at);
	*at = hash;
}

void
filter_adder_end(struct filter *f, struct filter_adder *a)
{
	size_t i;

	for (i = 0; i < FILTER_ADDER_KEYS && i < a->n; i++)
		set_bits(f, a->pending[i]);
	count(f, a->n);
	a->n = 0;
}

bool
filter_is_full(const struct filter *f)
{
	return f->keys > f->made_for + f->made_for / 4;
}

size_t
filter_bytes(const struct filter *f)
{
	return (size_t)f->probe.blocks * BLOCK_LEN;
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
	struct head h = { .blocks = f->probe.blocks, .keys = f->keys };

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
