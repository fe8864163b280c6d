/* SPDX-License-Identifier: BSD-3-Clause
 * Rewriting a segment of a proxied flow in place: sequence or acknowledgement number, window, SACK blocks, and the
 * packet quoted in an ICMP error. Pure, any thread; checksums are changed incrementally (RFC 1624), so a wrong one stays
 * wrong. Must not decide anything: stage_proxy.c says what to add.
 */
#ifndef WEIR_DATAPLANE_TRANSLATE_H
#define WEIR_DATAPLANE_TRANSLATE_H

#include "dataplane/packet.h"

/** All zero: nothing to change. Towards the client sequence numbers of the node move by sequence_add; from the client acknowledgements and
 * SACK blocks, which speak of the node's numbers, by acknowledgement_add. */
struct translation {
	uint32_t sequence_add, acknowledgement_add;
	int8_t window_shift; /* > 0: the window field is multiplied by 2^n, at most 65535; < 0: divided, to 0 only if it is 0 */
	bool sack_blank;     /* SACK blocks are overwritten with NOPs instead of moved */
};

/** Apply to the TCP header of `frame`. `frame` holds at least packet->payload_offset bytes in one piece. RST without ACK and SYN: the window of a SYN
 * is never shifted, an acknowledgement without the ACK flag is left alone. */
void translate_segment(uint8_t *frame, const struct packet *packet, const struct translation *translation);
/** Apply to the segment that an ICMP error quotes, as far as it is quoted: sequence and acknowledgement number (not where quoted flags say that it
 * is none), both checksums. Half a quoted checksum stays as it is. frame_bytes: how much of the frame is at `frame`. */
void translate_quoted(uint8_t *frame, uint32_t frame_bytes, const struct packet *packet, const struct translation *translation);

#endif
