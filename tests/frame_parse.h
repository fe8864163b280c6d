/* SPDX-License-Identifier: BSD-3-Clause
 * Parse a test's frame from copies of exactly the right size, so that AddressSanitizer sees any read past the
 * data: the head alone when the frame is short, head and whole frame when it is longer than
 * PACKET_HEADER_BYTES_MAX. For tests only.
 */
#ifndef WEIR_TESTS_FRAME_PARSE_H
#define WEIR_TESTS_FRAME_PARSE_H

#include <stdlib.h>
#include <string.h>

#include "dataplane/packet.h"
#include "tests/frame.h"

enum { FRAME_CHECK_ALL = PACKET_CHECK_IP | PACKET_CHECK_TRANSPORT };

static inline enum reason frame_parse(const struct frame *frame, unsigned checks, struct packet *ret_packet)
{
	uint32_t head_bytes = frame->n < PACKET_HEADER_BYTES_MAX ? frame->n : PACKET_HEADER_BYTES_MAX;
	uint8_t *head = malloc(head_bytes ? head_bytes : 1), *whole = malloc(frame->n ? frame->n : 1);
	struct packet_segment segment = {.data = whole, .bytes = frame->n};
	enum reason reason;

	if (!head || !whole)
		abort();
	memcpy(head, frame->bytes, head_bytes);
	memcpy(whole, frame->bytes, frame->n);
	reason =
		packet_parse(head, head_bytes, &segment, frame->n > head_bytes, frame->n, checks, ret_packet);
	free(head);
	free(whole);
	return reason;
}

#endif
