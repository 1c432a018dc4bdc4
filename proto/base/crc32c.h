/*
 * crc32c.h - CRC-32 by Castagnoli's polynomial (RFC 3720, section 12.1).
 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* The sum of len bytes behind those whose sum is crc (0: none). */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);
/* The same without the processor's instruction; for the tests. */
uint32_t crc32c_slow(uint32_t crc, const void *data, size_t len);

#endif
