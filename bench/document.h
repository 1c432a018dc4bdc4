/*
 * document.h - the standard set as what people hand to a controller: a
 * document, lists, and CSV files to import.
 */
#ifndef BENCH_DOCUMENT_H
#define BENCH_DOCUMENT_H

#include "bench/set.h"
#include "proto/base/diag.h"

/*
 * Write into dir (made): policy.yaml, which names a list for each group, and
 * directory.csv and senders.csv for "postern directory import" and "postern
 * sender import".  0, ERR_FULL, ERR_IO, or ERR_CORRUPT for a record that
 * cannot be written so.
 */
int document_write(const struct set *s, const char *dir, struct diag *why);

#endif
