/*
 * target.h - the function that every fuzz target defines (libFuzzer's name).
 */
#ifndef FUZZ_TARGET_H
#define FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* What must hold of every input: else say so and end the process.  Not
 * assert(), which goes away with NDEBUG, and with it what it calls. */
#define fuzz_assert(claim) do {						\
	if (!(claim)) {							\
		fprintf(stderr, "%s:%d: not so: %s\n", __FILE__,	\
		    __LINE__, #claim);					\
		abort();						\
	}								\
} while (0)

/* Run one input; always 0.  A finding ends the process. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

#endif
