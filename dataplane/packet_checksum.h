/* SPDX-License-Identifier: BSD-3-Clause
 * The Internet checksum (RFC 1071) of headers, pseudo headers and data that lies in several pieces. Sums are
 * kept in the machine's own byte order, which RFC 1071 allows: store and compare results with memcpy, never
 * with a byte swap. Pure functions, any thread.
 */
#ifndef WEIR_DATAPLANE_PACKET_CHECKSUM_H
#define WEIR_DATAPLANE_PACKET_CHECKSUM_H

#include <stdint.h>

#include "dataplane/packet.h"

/** Add `bytes` bytes to `sum` (0 to start). Every piece but the last must have an even length. */
uint64_t packet_checksum_add(uint64_t sum, const uint8_t *data, uint32_t bytes);
/** The 16-bit one's complement sum, not inverted: 0xffff over data that includes its own right checksum. */
uint16_t packet_checksum_fold(uint64_t sum);
/** Sum of the pseudo header of RFC 793 (IPv4) or RFC 8200 8.1 (IPv6); both addresses are of family 4 or 6. */
uint64_t packet_checksum_pseudo(uint8_t family, const struct address *source,
	const struct address *destination, uint8_t protocol, uint32_t bytes);
/** Add bytes [offset, offset + bytes) of the frame that `segments` hold; pieces may meet at odd places.
 * False, with *sum untouched: the segments end before. Looks at no more than PACKET_SEGMENTS_MAX segments. */
bool packet_checksum_add_segments(const struct packet_segment *segments, unsigned n_segments, uint32_t offset,
	uint32_t bytes, uint64_t *sum);

#endif
