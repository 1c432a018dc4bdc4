/*
 * flip.h - damage for tests: one bit of an open file turned; twice is not at
 * all.  Behind cmocka.h.
 */
#ifndef TESTS_FLIP_H
#define TESTS_FLIP_H

#include <stdint.h>
#include <unistd.h>

static inline void
flip_bit(int fd, off_t at, int bit)
{
	uint8_t b;

	assert_int_equal(pread(fd, &b, 1, at), 1);
	b ^= (uint8_t)(1 << bit);
	assert_int_equal(pwrite(fd, &b, 1, at), 1);
}

#endif
