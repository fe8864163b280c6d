// SPDX-License-Identifier: BSD-3-Clause
/* The Internet checksum (packet_checksum.h). Runs on lcores, once per checked packet; must not read outside
 * the pieces it is given and must not assume that they are aligned.
 */
#include "dataplane/packet_checksum.h"

#include <arpa/inet.h>
#include <string.h>

uint64_t packet_checksum_add(uint64_t sum, const uint8_t *data, uint32_t bytes)
{
	uint32_t word, words[4];
	uint16_t half;

	/* 32-bit words into a 64-bit sum: a carry is lost only after 2^32 words, and a frame has at most
	 * 2^30. Four at a time without a branch: headers are 20 to 60 bytes, too short for the set-up of the
	 * vector code that a plain loop becomes. */
	while (bytes >= sizeof(words)) {
		memcpy(words, data, sizeof(words));
		sum += ((uint64_t)words[0] + words[1]) + ((uint64_t)words[2] + words[3]);
		data += sizeof(words);
		bytes -= (uint32_t)sizeof(words);
	}
	while (bytes >= sizeof(word)) {
		memcpy(&word, data, sizeof(word));
		sum += word;
		data += sizeof(word);
		bytes -= (uint32_t)sizeof(word);
	}
	if (bytes >= sizeof(half)) {
		memcpy(&half, data, sizeof(half));
		sum += half;
		data += sizeof(half);
		bytes -= (uint32_t)sizeof(half);
	}
	if (bytes) {
		uint8_t padded[2] = {data[0], 0};

		memcpy(&half, padded, sizeof(half));
		sum += half;
	}
	return sum;
}

uint16_t packet_checksum_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)sum;
}

uint64_t packet_checksum_pseudo(uint8_t family, const struct address *source,
	const struct address *destination, uint8_t protocol, uint32_t bytes)
{
	unsigned first = family == 4 ? 12 : 0;
	uint64_t sum;

	sum = packet_checksum_add(0, source->bytes + first, 16 - first);
	sum = packet_checksum_add(sum, destination->bytes + first, 16 - first);
	/* Both families add the same: IPv6 writes length and protocol as 32-bit fields whose upper halves are
	 * 0, or carry into the sum as the halves of htonl do. */
	return sum + htonl(bytes) + htonl(protocol);
}

bool packet_checksum_add_segments(const struct packet_segment *segments, unsigned n_segments, uint32_t offset,
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
