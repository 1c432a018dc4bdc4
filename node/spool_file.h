/*
 * spool_file.h - one record of the spool on disk; for spool*.c alone.
 *
 *	u32 length of the payload, u64 sequence, 8 SipHash-2-4, payload
 *
 * Big-endian.  The hash covers length, sequence and payload under a key made
 * from the spool's id, so that the bytes of another spool are no record here.
 */
#ifndef NODE_SPOOL_FILE_H
#define NODE_SPOOL_FILE_H

#include <stdint.h>

#include "proto/base/buf.h"

#define SPOOL_HEAD_LEN 20
#define SPOOL_KEY_LEN 16
#define SPOOL_RECORD_MAX (64 * 1024)

/* The hash key of the spool with this id. */
void spool_file_key(const uint8_t id[8], uint8_t key[SPOOL_KEY_LEN]);

/* Append one whole record to out. */
void spool_file_put(struct buf *out, const uint8_t key[SPOOL_KEY_LEN],
    uint64_t seq, const void *payload, size_t len);

/*
 * The length of the whole record that begins at p, of which n bytes are
 * there, and its sequence; its payload is all behind SPOOL_HEAD_LEN.  0 when
 * it is torn, changed or none.
 */
size_t spool_file_check(const uint8_t *p, size_t n,
    const uint8_t key[SPOOL_KEY_LEN], uint64_t *seq);

#endif
