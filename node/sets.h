/*
 * sets.h - the folders of policy versions a node keeps: DIR/sets/<version>/,
 * DIR/sets/new while one is made.
 */
#ifndef NODE_SETS_H
#define NODE_SETS_H

#include <stdint.h>

#include "node/ruleset.h"

#define SETS_KEPT 3

/*
 * Open the newest set that verifies under root; each damaged one is passed
 * over with a log line.  0; ERR_NOENT: none; ERR_IO: the folder itself.
 */
int sets_open_newest(const char *dir, const uint8_t root[SIGN_PUBLIC_LEN],
    struct ruleset **out, struct diag *why);

/* DIR/sets/new, emptied and its parents made; path needs SETS_PATH_LEN. */
#define SETS_PATH_LEN 1100
int sets_prepare(const char *dir, char path[SETS_PATH_LEN],
    struct diag *why);

/* Rename DIR/sets/new to its version, durably, in place of a damaged folder
 * of that name; path gets the new one. */
int sets_install(const char *dir, uint64_t version, char path[SETS_PATH_LEN],
    struct diag *why);

/* Remove all but the newest SETS_KEPT and the one enforced. */
void sets_prune(const char *dir, uint64_t enforced);

#endif
