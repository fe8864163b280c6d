// SPDX-License-Identifier: BSD-3-Clause
/* Fuzzes translate_segment and translate_quoted on whatever packet_parse accepts. The first 12 bytes of the
 * input are the translation (two numbers, shift, bits: 1 blank, 2 make the checksums right first), the rest
 * is the frame. Any broken promise of translate.h aborts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/translate.h"
#include "tests/frame.h"

enum { STEERING_BYTES = 12, CHECK_ALL = PACKET_CHECK_IP | PACKET_CHECK_TRANSPORT, STEERING_MEND = 2 };

#define REQUIRE(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static uint32_t number(const uint8_t *from)
{
	return (uint32_t)from[0] << 24 | (uint32_t)from[1] << 16 | (uint32_t)from[2] << 8 | from[3];
}

static enum reason parse(const struct frame *frame, unsigned checks, struct packet *packet)
{
	uint32_t head = frame->n < PACKET_HEADER_BYTES_MAX ? frame->n : PACKET_HEADER_BYTES_MAX;
	struct packet_segment segment = {.data = frame->bytes, .bytes = frame->n};

	return packet_parse(frame->bytes, head, &segment, 1, frame->n, checks, packet);
}

/* On a heap copy of exactly the bytes that may be touched, so that AddressSanitizer sees one too many. */
static void apply(struct frame *frame, const struct packet *packet, const struct translation *translation)
{
	uint32_t bytes = packet->kind == PACKET_KIND_TCP      ? packet->payload_offset
			 : frame->n < PACKET_HEADER_BYTES_MAX ? frame->n
							      : PACKET_HEADER_BYTES_MAX;
	uint8_t *head = malloc(bytes ? bytes : 1);

	if (!head)
		abort();
	memcpy(head, frame->bytes, bytes);
	if (packet->kind == PACKET_KIND_TCP)
		translate_segment(head, packet, translation);
	else
		translate_quoted(head, bytes, packet, translation);
	memcpy(frame->bytes, head, bytes);
	free(head);
}

static void mend(struct frame *frame)
{
	struct packet packet;

	if (parse(frame, 0, &packet) != REASON_COUNT || packet.family == 0 || packet.is_fragment)
		return;
	frame->l3 = packet.l3_offset;
	frame->l4 = packet.l4_offset;
	frame_checksum(frame, packet.protocol);
}

/* 0xffff is another way to write a sum of 0 (RFC 1624 3), and does not come back. */
static bool writes_zero_twice(const struct frame *frame, const struct packet *packet)
{
	uint32_t quoted = packet->quoted_l4_offset + 16u;

	if (packet->kind == PACKET_KIND_TCP)
		return frame_u16(frame, packet->l4_offset + 16u) == UINT16_MAX;
	return frame_u16(frame, packet->l4_offset + 2u) == UINT16_MAX ||
	       (quoted + 2 <= frame->n && frame_u16(frame, quoted) == UINT16_MAX);
}

static void require_numbers(
	const struct packet *before, const struct packet *after, const struct translation *translation)
{
	bool acknowledges = before->tcp_flags & TCP_FLAG_ACK;

	if (before->kind == PACKET_KIND_ICMP_ERROR) {
		REQUIRE(after->quoted_valid == before->quoted_valid);
		REQUIRE(before->quoted_protocol != 6 || before->quoted_l4_offset == 0 ||
			after->quoted_tcp_sequence ==
				before->quoted_tcp_sequence + translation->sequence_add);
		return;
	}
	REQUIRE(after->tcp_flags == before->tcp_flags && after->payload_bytes == before->payload_bytes);
	REQUIRE(after->tcp_sequence == before->tcp_sequence + translation->sequence_add);
	REQUIRE(after->tcp_acknowledgement ==
		before->tcp_acknowledgement + (acknowledges ? translation->acknowledgement_add : 0));
	REQUIRE((after->tcp_window == 0) == (before->tcp_window == 0));
	REQUIRE(!(before->tcp_flags & TCP_FLAG_SYN) || after->tcp_window == before->tcp_window);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct frame frame, original;
	struct translation there, back;
	struct packet packet, again;
	enum reason checked;

	if (bytes < STEERING_BYTES || bytes - STEERING_BYTES > FRAME_BYTES_MAX)
		return 0;
	there = (struct translation){.sequence_add = number(data),
		.acknowledgement_add = number(data + 4),
		.window_shift = (int8_t)(data[8] % 29 - 14),
		.sack_blank = data[9] & 1};
	memset(&frame, 0, sizeof(frame));
	frame.n = (uint32_t)(bytes - STEERING_BYTES);
	memcpy(frame.bytes, data + STEERING_BYTES, frame.n);
	if (data[9] & STEERING_MEND)
		mend(&frame);
	if (parse(&frame, 0, &packet) != REASON_COUNT ||
		(packet.kind != PACKET_KIND_TCP && packet.kind != PACKET_KIND_ICMP_ERROR))
		return 0;
	original = frame;
	checked = parse(&frame, CHECK_ALL, &again);
	apply(&frame, &packet, &there);
	/* What was right stays right; what was wrong stays wrong. */
	REQUIRE(parse(&frame, CHECK_ALL, &again) == checked);
	REQUIRE(parse(&frame, 0, &again) == REASON_COUNT);
	require_numbers(&packet, &again, &there);
	/* Opposite numbers give it back, where nothing was rounded or blanked. */
	frame = original;
	there.window_shift = 0;
	there.sack_blank = false;
	back = (struct translation){
		.sequence_add = -there.sequence_add, .acknowledgement_add = -there.acknowledgement_add};
	apply(&frame, &packet, &there);
	apply(&frame, &packet, &back);
	REQUIRE(writes_zero_twice(&original, &packet) || memcmp(&frame, &original, sizeof(frame)) == 0);
	return 0;
}
