/*
 * set.h - the standard set: the records of a large organisation, made from a
 * seed, in key order.
 *
 * At scale 1: 8.5 million entries of 500,000 users, 500,000 group entries in
 * 200 groups nested 4 deep, 1 million directory addresses, 20,000 internal
 * domains, 20,000 policies of which 15,000 name one address.  A smaller scale
 * shrinks all but the groups.  A record is a function of seed, class and
 * number, so that a load can name what the set holds without reading it.
 */
#ifndef BENCH_SET_H
#define BENCH_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/buf.h"

#define SET_GROUPS 200
#define SET_USER_ENTRIES 17	/* of each user */
#define SET_ADDRESS_MAX 96	/* bytes of an address made here, with NUL */

struct set {
	uint64_t seed;
	double scale;
	uint32_t users, entries, directory, domains, policies;
};

/* policies: as many instead of what scale gives; 0: what scale gives. */
void set_init(struct set *s, uint64_t seed, double scale, uint32_t policies);

/* Records in all. */
uint64_t set_count(const struct set *s);

struct set_iter {
	const struct set *set;
	uint8_t cls;		/* of the next record; 0: at the end */
	uint32_t i, k;
	uint32_t order[SET_GROUPS];	/* groups by their number */
	struct buf key, val;
};

/* From the first record; set_iter_fini() frees. */
void set_iter_init(struct set_iter *it, const struct set *s);
void set_iter_fini(struct set_iter *it);
/* The next record, borrowed until the next call; false at the end. */
bool set_next(struct set_iter *it, struct bytes *key, struct bytes *val);

/*
 * Addresses for loads.  n may be any number; the sender's local part holds it,
 * so that no two are the same.  A hit is of a domain that a group holds and a
 * policy blocks; it begins with "hit.", other senders are in no record.  The
 * recipient is internal: one of the directory, or one that no record names.
 */
void set_sender(const struct set *s, uint64_t n, bool hit,
    char out[SET_ADDRESS_MAX]);
void set_recipient(const struct set *s, uint64_t n, bool in_directory,
    char out[SET_ADDRESS_MAX]);

/* One more entry, number n from 1: a domain that no record has, blocked; and
 * a sender of it. */
void set_new_entry(uint64_t n, struct buf *key, struct buf *val);
void set_new_sender(uint64_t n, char out[SET_ADDRESS_MAX]);

/* A number of 64 bits that looks random, of a and b. */
uint64_t set_mix(uint64_t a, uint64_t b);

#endif
