// SPDX-License-Identifier: BSD-3-Clause
/* Fuzzes packet_parse and everything that is built from what it says: replies are parsed again, cookies
 * checked. The first 4 bytes of the input steer (see struct steering), the rest is the frame. Any broken
 * promise of packet.h or reply.h aborts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/cookie.h"
#include "dataplane/packet.h"
#include "dataplane/reply.h"
#include "tests/frame.h"

enum { STEERING_BYTES = 4, CHECK_ALL = PACKET_CHECK_IP | PACKET_CHECK_TRANSPORT, STEERING_MEND = 4 };

/* From the input: byte 0 checks and whether checksums are made right first (few inputs would pass otherwise),
 * bytes 1 and 2 where the frame is cut into segments, byte 3 how much of the head is withheld. */
struct steering {
	unsigned checks;
	bool mend;
	uint32_t cut_first, cut_second;
	uint32_t withheld_bytes;
};

#define REQUIRE(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition); \
			abort(); \
		} \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Heap copies of exactly the right size: AddressSanitizer sees one byte too far. */
static uint8_t *copy_of(const uint8_t *data, uint32_t bytes)
{
	uint8_t *copy = malloc(bytes ? bytes : 1);

	if (!copy)
		abort();
	if (bytes)
		memcpy(copy, data, bytes);
	return copy;
}

/* `packet` is filled with rubbish first, so that every field must have been written. */
static enum reason parse(const uint8_t *frame, uint32_t n, const struct steering *steering, unsigned checks,
	struct packet *packet)
{
	uint32_t head_bytes = n < PACKET_HEADER_BYTES_MAX ? n : PACKET_HEADER_BYTES_MAX;
	uint32_t first = steering->cut_first < n ? steering->cut_first : n;
	uint32_t second = steering->cut_second < n - first ? steering->cut_second : n - first;
	struct packet_segment segments[3] = {
		{copy_of(frame, first), first},
		{copy_of(frame + first, second), second},
		{copy_of(frame + first + second, n - first - second), n - first - second},
	};
	uint8_t *head;
	enum reason reason;

	head_bytes -= steering->withheld_bytes < head_bytes ? steering->withheld_bytes : head_bytes;
	head = copy_of(frame, head_bytes);
	memset(packet, 0xa5, sizeof(*packet));
	reason = packet_parse(head, head_bytes, segments, 3, n, checks, packet);
	free(head);
	for (int i = 0; i < 3; i++)
		free((void *)segments[i].data);
	return reason;
}

/* In one piece, as most frames are: many of them take the short way (packet_plain.c). */
static enum reason parse_whole(const uint8_t *frame, uint32_t n, unsigned checks, struct packet *packet)
{
	uint8_t *copy = copy_of(frame, n);
	enum reason reason;

	memset(packet, 0xa5, sizeof(*packet));
	reason = packet_parse(copy, n, NULL, 0, n, checks, packet);
	free(copy);
	return reason;
}

static void require_tcp(const struct packet *packet)
{
	uint8_t flags = packet->tcp_flags;

	REQUIRE(packet->payload_offset - packet->l4_offset >= 20 &&
		packet->payload_offset - packet->l4_offset <= 60);
	REQUIRE(packet->source_port && packet->destination_port);
	REQUIRE(flags & (TCP_FLAG_SYN | TCP_FLAG_ACK | TCP_FLAG_RST));
	REQUIRE(!((flags & TCP_FLAG_SYN) && (flags & (TCP_FLAG_FIN | TCP_FLAG_RST))));
	REQUIRE(!!(flags & TCP_FLAG_SYN) == !!packet->tcp_fingerprint);
	REQUIRE(packet->tcp_window_scale <= 14 || packet->tcp_window_scale == PACKET_WINDOW_SCALE_ABSENT);
}

static void require_well_formed(const struct packet *packet, uint32_t n)
{
	REQUIRE(packet->kind <= PACKET_KIND_OTHER && packet->infrastructure < INFRASTRUCTURE_COUNT);
	REQUIRE(packet->n_vlans <= 2 && packet->l3_offset == 14 + 4 * packet->n_vlans);
	REQUIRE(packet->l3_offset <= packet->l4_offset && packet->l4_offset <= packet->payload_offset);
	REQUIRE(packet->payload_offset <= PACKET_HEADER_BYTES_MAX && packet->payload_offset <= n);
	REQUIRE(packet->payload_offset + packet->payload_bytes <= n);
	if (packet->family == 0) {
		REQUIRE(packet->kind == PACKET_KIND_INFRASTRUCTURE);
		return;
	}
	REQUIRE(packet->family == 4 || packet->family == 6);
	REQUIRE(address_is_v4(&packet->source) == (packet->family == 4));
	REQUIRE(address_is_v4(&packet->destination) == (packet->family == 4));
	REQUIRE(address_compare(&packet->source, &packet->destination) != 0);
	REQUIRE(packet->l3_offset + packet->l3_bytes <= n);
	REQUIRE(packet->payload_offset + packet->payload_bytes <= packet->l3_offset + packet->l3_bytes);
	REQUIRE((packet->kind == PACKET_KIND_FRAGMENT) == (packet->fragment_offset_bytes != 0));
	REQUIRE(packet->is_fragment == (packet->fragment_offset_bytes || packet->more_fragments));
	REQUIRE(!packet->quoted_valid || packet->kind == PACKET_KIND_ICMP_ERROR);
	REQUIRE(!packet->quoted_valid || packet->quoted_offset + 28u <= n);
	if (packet->kind == PACKET_KIND_TCP)
		require_tcp(packet);
	if (packet->kind == PACKET_KIND_UDP)
		REQUIRE(packet->payload_offset == packet->l4_offset + 8 && packet->source_port &&
			packet->destination_port);
}

/* A reply is well formed and no longer than its question. Its source is the question's destination, which
 * only the stage knows to be the node: one that cannot send is the only fault allowed. */
static void require_reply(const uint8_t *reply, unsigned n, uint32_t question_bytes)
{
	static const struct steering plain = {.cut_first = 20};
	struct packet packet;
	enum reason reason;

	if (n == 0)
		return;
	REQUIRE(n <= REPLY_BYTES_MAX && n <= question_bytes);
	reason = parse(reply, n, &plain, CHECK_ALL, &packet);
	REQUIRE(reason == REASON_COUNT || reason == REASON_BAD_IP_SOURCE || reason == REASON_BAD_ETHERNET);
	if (reason != REASON_COUNT)
		return;
	require_well_formed(&packet, n);
	REQUIRE(packet.kind == PACKET_KIND_TCP || packet.kind == PACKET_KIND_ICMP_ERROR);
}

/* What is written over the frame is what would have been built beside it. */
static void require_reply_over(
	const uint8_t *frame, uint32_t n, const struct packet *packet, const struct reply_segment *segment)
{
	uint8_t *over = copy_of(frame, n), built[REPLY_BYTES_MAX];
	unsigned bytes = reply_syn_ack(frame, packet, segment, built);

	REQUIRE(reply_syn_ack_over(over, packet, segment) == bytes);
	REQUIRE(memcmp(over, built, bytes) == 0 && memcmp(over + bytes, frame + bytes, n - bytes) == 0);
	free(over);
}

static void require_replies(const uint8_t *frame, uint32_t n, const struct packet *packet)
{
	static const struct cookie_secrets secrets = {{{1, 2}, {3, 4}}};
	static const struct reply_segment syn_ack = {
		.sequence = 1, .acknowledgement = 2, .window = 3, .options = {1460, true, 7, true}};
	struct packet rst = *packet;
	uint8_t fingerprint = 0;
	uint8_t *out = malloc(REPLY_BYTES_MAX), *head = copy_of(frame, packet->payload_offset);

	if (!out)
		abort();
	require_reply(out, reply_rst(head, packet, out), n);
	require_reply(out, reply_syn_ack(head, packet, &syn_ack, out), n);
	require_reply_over(frame, n, packet, &syn_ack);
	require_reply(out, reply_icmp_prohibited(head, packet->payload_offset, packet, out), n);
	require_reply(out, reply_icmp_prohibited(frame, n, packet, out), n);
	if (packet_is_attempt_tcp(packet)) {
		rst.tcp_flags = TCP_FLAG_RST;
		rst.tcp_sequence = cookie_make(&secrets, packet, 1);
		REQUIRE(rst.tcp_sequence - packet->tcp_sequence > 1u + packet->payload_bytes);
		REQUIRE(cookie_check(&secrets, &rst, 1, &fingerprint) &&
			fingerprint == packet->tcp_fingerprint);
	}
	free(head);
	free(out);
}

static void mend(struct frame *frame)
{
	static const struct steering plain;
	struct packet packet;

	if (parse(frame->bytes, frame->n, &plain, 0, &packet) != REASON_COUNT || packet.family == 0 ||
		packet.is_fragment)
		return;
	frame->l3 = packet.l3_offset;
	frame->l4 = packet.l4_offset;
	frame_checksum(frame, packet.protocol);
}

static struct steering steering_of(const uint8_t data[STEERING_BYTES])
{
	return (struct steering){
		.checks = data[0] & CHECK_ALL,
		.mend = data[0] & STEERING_MEND,
		.cut_first = data[1],
		.cut_second = data[2] * 4u,
		/* Most inputs keep the promise about the head. */
		.withheld_bytes = data[3] >= 0xc0 ? data[3] - 0xc0u : 0,
	};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const struct steering plain;
	struct steering steering;
	struct frame frame;
	struct packet packet, again;
	enum reason reason, other;

	if (bytes < STEERING_BYTES || bytes - STEERING_BYTES > FRAME_BYTES_MAX)
		return 0;
	steering = steering_of(data);
	memset(&frame, 0, sizeof(frame));
	frame.n = (uint32_t)(bytes - STEERING_BYTES);
	memcpy(frame.bytes, data + STEERING_BYTES, frame.n);
	if (steering.mend)
		mend(&frame);
	reason = parse(frame.bytes, frame.n, &steering, steering.checks, &packet);
	REQUIRE(reason <= REASON_COUNT && (reason == REASON_COUNT || reason_info(reason)->row == 1));
	REQUIRE(packet.wire_bytes == frame.n);
	REQUIRE(reason == REASON_COUNT || packet.kind != PACKET_KIND_INFRASTRUCTURE);
	if (steering.withheld_bytes)
		return 0;
	/* Neither where segments meet nor which checks are made changes what is read. */
	other = parse(frame.bytes, frame.n, &plain, steering.checks, &again);
	REQUIRE(other == reason && memcmp(&packet, &again, sizeof(packet)) == 0);
	other = parse_whole(frame.bytes, frame.n, steering.checks, &again);
	REQUIRE(other == reason && memcmp(&packet, &again, sizeof(packet)) == 0);
	other = parse(frame.bytes, frame.n, &plain, 0, &again);
	if (reason != REASON_COUNT)
		return 0;
	REQUIRE(other == REASON_COUNT && memcmp(&packet, &again, sizeof(packet)) == 0);
	require_well_formed(&packet, frame.n);
	require_replies(frame.bytes, frame.n, &packet);
	return 0;
}
