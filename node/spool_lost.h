/*
 * spool_lost.h - how many events were lost, in a page that needs no room; for
 * spool*.c alone.
 *
 * The file "lost" has 4,096 bytes from its first day on and is written in
 * place, so that a full disk does not keep the count from it.  Two slots, at
 * 0 and 2048, take turns:
 *
 *	u64 turn, u64 lost events, 8 SipHash-2-4 of both; zeros
 *
 * Big-endian, the hash under the spool's key.  Of the slots that are whole
 * the one with the higher turn counts: a torn write leaves the other.
 */
#ifndef NODE_SPOOL_LOST_H
#define NODE_SPOOL_LOST_H

#include <stdint.h>

#include "node/spool_file.h"
#include "proto/base/diag.h"

#define SPOOL_LOST_LEN 4096

struct spool_lost {
	int fd;			/* -1: not open */
	uint64_t turn;
};

/*
 * Open the page of the spool in dir, made when missing, and read the count
 * into *n: 0 with a logged error when neither slot is whole.  0, ERR_FULL or
 * ERR_IO.
 */
int spool_lost_open(struct spool_lost *page, const char *dir,
    const uint8_t key[SPOOL_KEY_LEN], uint64_t *n, struct diag *why);

/* Close; a page that is not open is fine. */
void spool_lost_close(struct spool_lost *page);

/* Put n into the older slot and sync it.  Blocks.  0, ERR_FULL, ERR_IO. */
int spool_lost_put(struct spool_lost *page, const uint8_t key[SPOOL_KEY_LEN],
    uint64_t n);

#endif
