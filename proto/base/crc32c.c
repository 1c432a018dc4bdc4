/*
 * crc32c.c - by the processor's instruction where it has one, else four bits
 * at a time.
 */
#include "proto/base/crc32c.h"

#include <string.h>

static uint32_t
by_table(uint32_t c, const uint8_t *p, size_t n)
{
	static const uint32_t four[16] = {
		0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
		0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d,
		0x82f63b78, 0x92a8fc17, 0xa24bb5a6, 0xb21572c9,
		0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75,
	};

	for (; n > 0; n--) {
		c ^= *p++;
		c = c >> 4 ^ four[c & 15];
		c = c >> 4 ^ four[c & 15];
	}
	return c;
}

#ifdef __x86_64__
__attribute__((target("sse4.2"))) static uint32_t
by_instruction(uint32_t crc, const uint8_t *p, size_t n)
{
	uint64_t c = crc, w;

	for (; n >= 8; n -= 8, p += 8) {
		memcpy(&w, p, sizeof(w));
		c = __builtin_ia32_crc32di(c, w);
	}
	for (; n > 0; n--)
		c = __builtin_ia32_crc32qi((uint32_t)c, *p++);
	return (uint32_t)c;
}
#endif

uint32_t
crc32c(uint32_t crc, const void *data, size_t len)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("sse4.2"))
		return ~by_instruction(~crc, data, len);
#endif
	return ~by_table(~crc, data, len);
}

uint32_t
crc32c_slow(uint32_t crc, const void *data, size_t len)
{
	return ~by_table(~crc, data, len);
}
