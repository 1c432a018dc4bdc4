/*
 * target.h - the function that every fuzz target defines (libFuzzer's name).
 */
#ifndef FUZZ_TARGET_H
#define FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

/* Run one input; always 0.  A finding ends the process. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
