/* SPDX-License-Identifier: BSD-3-Clause
 * The Internet checksum (RFC 1071) of headers, pseudo headers and data that lies in several pieces. Sums are
 * kept in the machine's own byte order, which RFC 1071 allows: store and compare results with memcpy, never
 * with a byte swap. Pure functions, any thread.
 */
#ifndef WEIR_DATAPLANE_PACKET_CHECKSUM_H
#define WEIR_DATAPLANE_PACKET_CHECKSUM_H

#include <arpa/inet.h>
#include <stdint.h>
#include <string.h>

#include "dataplane/packet.h"

/* The last `rest` of at least 8 bytes that end at `end`, 1..7 of them, as a word that begins with them. */
static inline uint64_t packet_checksum_tail(const uint8_t *end, uint32_t rest)
{
	uint64_t word;

	memcpy(&word, end - sizeof(word), sizeof(word));
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return word >> (64 - 8 * rest);
#else
	return word << (64 - 8 * rest);
#endif
}

/** Add `bytes` bytes to `sum` (0 to start). Every piece but the last must have an even length. The result is below 2^34, so that a
 * few words of 32 bits can be added to it as they are. */
static inline uint64_t packet_checksum_add_scalar(uint64_t sum, const uint8_t *data, uint32_t bytes)
{
	const uint8_t *end = data + bytes;
	unsigned __int128 wide = sum;
	uint64_t word = 0;

	if (bytes < sizeof(word)) {
		memcpy(&word, data, bytes % sizeof(word)); /* so that compilers see the bound */
		wide += word;
	} else {
		for (uint32_t n = bytes / sizeof(word); n != 0; n--, data += sizeof(word)) {
			memcpy(&word, data, sizeof(word));
			wide += word;
		}
		if (data != end)
			wide += packet_checksum_tail(end, (uint32_t)(end - data));
	}
	/* 2^32 and 2^64 are both 1 modulo 2^16 - 1. */
	word = (uint64_t)wide;
	return (word & UINT32_MAX) + (word >> 32) + (uint64_t)(wide >> 64);
}

/** The 16-bit one's complement sum, not inverted: 0xffff over data that includes its own right checksum. */
static inline uint16_t packet_checksum_fold(uint64_t sum)
{
	uint32_t half;

	/* The upper half of x + (x with its halves exchanged) is the sum of the halves and of what it carries. */
	sum += sum << 32 | sum >> 32;
	half = (uint32_t)(sum >> 32);
	half += half << 16 | half >> 16;
	return (uint16_t)(half >> 16);
}

/** The same by vectors where the CPU has them: another number perhaps, but the same when folded. Worth its set-up from
 * PACKET_CHECKSUM_LONG_BYTES on. */
uint64_t packet_checksum_add_long(uint64_t sum, const uint8_t *data, uint32_t bytes);
enum { PACKET_CHECKSUM_LONG_BYTES = 128 };

static inline uint64_t packet_checksum_add(uint64_t sum, const uint8_t *data, uint32_t bytes)
{
	return bytes < PACKET_CHECKSUM_LONG_BYTES ? packet_checksum_add_scalar(sum, data, bytes)
						  : packet_checksum_add_long(sum, data, bytes);
}

/** Sum of the pseudo header of RFC 793 (IPv4) or RFC 8200 8.1 (IPv6); both addresses are of family 4 or 6. */
static inline uint64_t packet_checksum_pseudo(uint8_t family, const struct address *source,
	const struct address *destination, uint8_t protocol, uint32_t bytes)
{
	uint32_t ends[2];
	uint64_t sum;

	if (family == 4) {
		memcpy(&ends[0], source->bytes + 12, sizeof(ends[0]));
		memcpy(&ends[1], destination->bytes + 12, sizeof(ends[1]));
		sum = (uint64_t)ends[0] + ends[1];
	} else {
		sum = packet_checksum_add_scalar(0, source->bytes, 16);
		sum = packet_checksum_add_scalar(sum, destination->bytes, 16);
	}
	/* Both families add the same: IPv6 writes length and protocol as 32-bit fields whose upper halves are
	 * 0, or carry into the sum as the halves of htonl do. */
	return sum + htonl(bytes) + htonl(protocol);
}

/* The same as the next; any number of segments. */
bool packet_checksum_add_pieces(const struct packet_segment *segments, unsigned n_segments, uint32_t offset,
	uint32_t bytes, uint64_t *sum);

/** Add bytes [offset, offset + bytes) of the frame that `segments` hold; pieces may meet at odd places.
 * False, with *sum untouched: the segments end before. Looks at no more than PACKET_SEGMENTS_MAX segments. */
static inline bool packet_checksum_add_segments(const struct packet_segment *segments, unsigned n_segments,
	uint32_t offset, uint32_t bytes, uint64_t *sum)
{
	if (n_segments != 1)
		return packet_checksum_add_pieces(segments, n_segments, offset, bytes, sum);
	if (offset > segments[0].bytes || bytes > segments[0].bytes - offset)
		return false;
	*sum = packet_checksum_add(*sum, segments[0].data + offset, bytes);
	return true;
}

#endif
