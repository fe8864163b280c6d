// SPDX-License-Identifier: BSD-3-Clause
/* The Internet checksum (packet_checksum.h). Runs on lcores, once per checked packet; must not read outside
 * the pieces it is given and must not assume that they are aligned.
 */
#include "dataplane/packet_checksum.h"

#if defined(__x86_64__)

typedef uint64_t lanes __attribute__((vector_size(32), aligned(1), may_alias));

/* 64 bytes a turn; each lane adds 32-bit halves, so 2^32 of them fit. `bytes` is a multiple of 64. */
__attribute__((target("avx2"))) static uint64_t blocks_add_avx2(const uint8_t *data, uint32_t bytes)
{
	lanes low = {0}, high = {0}, low_next = {0}, high_next = {0};

	for (uint32_t i = 0; i < bytes; i += 64) {
		const lanes *at = (const lanes *)(data + i);

		low += at[0] & UINT32_MAX;
		high += at[0] >> 32;
		low_next += at[1] & UINT32_MAX;
		high_next += at[1] >> 32;
	}
	low += high + low_next + high_next;
	return low[0] + low[1] + low[2] + low[3];
}

/* Not inline: its callers are short of registers, and it is not called for headers. */
__attribute__((noinline)) uint64_t packet_checksum_add_long(uint64_t sum, const uint8_t *data, uint32_t bytes)
{
	uint32_t blocks = bytes / 64 * 64;

	if (!__builtin_cpu_supports("avx2"))
		return packet_checksum_add_scalar(sum, data, bytes);
	return packet_checksum_add_scalar(
		(sum & UINT32_MAX) + (sum >> 32) + blocks_add_avx2(data, blocks), data + blocks, bytes - blocks);
}

#else

uint64_t packet_checksum_add_long(uint64_t sum, const uint8_t *data, uint32_t bytes)
{
	return packet_checksum_add_scalar(sum, data, bytes);
}

#endif

bool packet_checksum_add_pieces(const struct packet_segment *segments, unsigned n_segments, uint32_t offset,
	uint32_t bytes, uint64_t *sum)
{
	uint64_t total = *sum;
	bool odd = false;

	for (unsigned i = 0; i < n_segments && i < PACKET_SEGMENTS_MAX && bytes; i++) {
		uint32_t take;
		uint16_t part;

		if (offset >= segments[i].bytes) {
			offset -= segments[i].bytes;
			continue;
		}
		take = segments[i].bytes - offset < bytes ? segments[i].bytes - offset : bytes;
		part = packet_checksum_fold(packet_checksum_add(0, segments[i].data + offset, take));
		/* A piece that starts at an odd byte has its halves of each 16-bit word the other way round.
		 */
		total += odd ? __builtin_bswap16(part) : part;
		odd ^= take & 1;
		bytes -= take;
		offset = 0;
	}
	if (bytes)
		return false;
	*sum = total;
	return true;
}
