// SPDX-License-Identifier: BSD-3-Clause
/* CRC-32C for headers, records and images: the CPU's own instruction (SSE4.2, which -march=corei7 promises;
 * on aarch64 where the kernel reports it), else eight tables of 256. Pure functions, any thread: the tables
 * are filled before main.
 */
#include "shm/checksum.h"

#include <string.h>

#include "shm/segment.h"

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
#endif

/* 0x1EDC6F41, the Castagnoli polynomial, with its bits reversed. */
#define CRC32C_POLYNOMIAL UINT32_C(0x82f63b78)

/* crc32c_table[k][b]: what byte b followed by k zero bytes leaves in the register. */
static uint32_t crc32c_table[8][256];

__attribute__((constructor)) static void crc32c_table_fill(void)
{
	for (uint32_t byte = 0; byte < 256; byte++) {
		uint32_t crc = byte;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC32C_POLYNOMIAL : 0);
		crc32c_table[0][byte] = crc;
	}
	for (int k = 1; k < 8; k++)
		for (int byte = 0; byte < 256; byte++) {
			uint32_t before = crc32c_table[k - 1][byte];

			crc32c_table[k][byte] = before >> 8 ^ crc32c_table[0][before & 0xff];
		}
}

uint32_t checksum_crc32c_scalar(uint32_t seed, const void *data, size_t bytes)
{
	const uint8_t *p = data;
	uint32_t crc = ~seed;

	for (; bytes >= 8; bytes -= 8, p += 8) {
		uint32_t low = crc ^ ((uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
					     (uint32_t)p[3] << 24);

		crc = crc32c_table[7][low & 0xff] ^ crc32c_table[6][low >> 8 & 0xff] ^
		      crc32c_table[5][low >> 16 & 0xff] ^ crc32c_table[4][low >> 24] ^ crc32c_table[3][p[4]] ^
		      crc32c_table[2][p[5]] ^ crc32c_table[1][p[6]] ^ crc32c_table[0][p[7]];
	}
	for (; bytes; bytes--, p++)
		crc = crc >> 8 ^ crc32c_table[0][(crc ^ *p) & 0xff];
	return ~crc;
}

#if defined(__SSE4_2__)

uint32_t checksum_crc32c(uint32_t seed, const void *data, size_t bytes)
{
	const uint8_t *p = data;
	uint64_t crc = (uint32_t)~seed;

	for (; bytes >= 8; bytes -= 8, p += 8) {
		uint64_t word;

		memcpy(&word, p, sizeof(word));
		crc = _mm_crc32_u64(crc, word);
	}
	for (; bytes; bytes--, p++)
		crc = _mm_crc32_u8((uint32_t)crc, *p);
	return ~(uint32_t)crc;
}

#elif defined(__aarch64__)

__attribute__((target("+crc"))) static uint32_t checksum_crc32c_arm(
	uint32_t seed, const void *data, size_t bytes)
{
	const uint8_t *p = data;
	uint32_t crc = ~seed;

	for (; bytes >= 8; bytes -= 8, p += 8) {
		uint64_t word;

		memcpy(&word, p, sizeof(word));
		crc = __crc32cd(crc, word);
	}
	for (; bytes; bytes--, p++)
		crc = __crc32cb(crc, *p);
	return ~crc;
}

uint32_t checksum_crc32c(uint32_t seed, const void *data, size_t bytes)
{
	/* getauxval reads a word of the process's own memory: no system call. */
	if (getauxval(AT_HWCAP) & HWCAP_CRC32)
		return checksum_crc32c_arm(seed, data, bytes);
	return checksum_crc32c_scalar(seed, data, bytes);
}

#else

uint32_t checksum_crc32c(uint32_t seed, const void *data, size_t bytes)
{
	return checksum_crc32c_scalar(seed, data, bytes);
}

#endif
