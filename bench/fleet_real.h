/*
 * fleet_real.h - a real node with the standard set among the clients, and the
 * changes that lead on from its set, without a controller's store.
 */
#ifndef BENCH_FLEET_REAL_H
#define BENCH_FLEET_REAL_H

#include <stdbool.h>

#include "bench/set.h"
#include "proto/base/diag.h"
#include "proto/base/sock.h"
#include "proto/wire/message.h"
#include "proto/wire/signer.h"

#define FLEET_REAL_ID "bench"		/* as set_make() names its node */

struct fleet_real;

/* The set in dir, with keys and chunks, made if missing.  0, or what
 * set_make() and set_chunks() say. */
int fleet_real_open(struct fleet_real **out, const struct set *s,
    const char *dir, struct diag *why);
/* Stops its node too; *r may be NULL. */
void fleet_real_close(struct fleet_real **r);

/* Borrowed: the root's public key, who signs, the newest head (at first that
 * of the set), the node's CURVE key, the folder of chunks and manifest. */
const uint8_t *fleet_real_root(const struct fleet_real *r);
struct signer *fleet_real_signer(struct fleet_real *r);
const struct head *fleet_real_head(const struct fleet_real *r);
const uint8_t *fleet_real_key(const struct fleet_real *r);
const char *fleet_real_chunks(const struct fleet_real *r);

/* The next version, one more entry; appends the FRAME_DELTA.  0, or an error
 * with why. */
int fleet_real_next(struct fleet_real *r, struct buf *delta,
    struct diag *why);

/*
 * Start the node that lies beside this program, enrolled at control and
 * events under server_key: with the set as it was published, or (join) with
 * nothing, in a folder of its own.  It may not be ready yet.  0, ERR_IO.
 */
int fleet_real_start(struct fleet_real *r, const char *control,
    const char *events, const uint8_t server_key[SOCK_KEY_LEN], bool join,
    struct diag *why);
/* Processor seconds of the node so far; then its end. */
double fleet_real_cpu(const struct fleet_real *r);
void fleet_real_stop(struct fleet_real *r);

/* Does the node refuse the sender that the last fleet_real_next() blocks, or
 * before the first, one of the set?  0, ERR_INTERNAL: it does not. */
int fleet_real_check(struct fleet_real *r, struct diag *why);

#endif
