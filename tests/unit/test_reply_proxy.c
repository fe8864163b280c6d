// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/reply.h for what the SYN proxy says: options of a SYN-ACK, and segments that take a
 * frame's place. Everything is parsed again with all checks on.
 */
#include "dataplane/reply.h"
#include "tests/check.h"
#include "tests/frame_parse.h"

#define V6 .source = "2001:db8::1", .destination = "2001:db8::2"

enum { S = TCP_FLAG_SYN, A = TCP_FLAG_ACK, R = TCP_FLAG_RST };

struct question {
	struct frame frame;
	struct packet packet;
};

static void ask(const char *name, const struct frame_spec *spec, struct question *ret_question)
{
	frame_make(spec, &ret_question->frame);
	CHECK_EQ(name, frame_parse(&ret_question->frame, FRAME_CHECK_ALL, &ret_question->packet),
		REASON_COUNT);
}

/* What holds for every answer: well formed, layer 2 and 3 turned round, no longer than the question. */
static bool check_answer(const char *name, const struct question *q, const uint8_t *bytes, unsigned n,
	struct packet *ret_packet)
{
	struct frame answer = {.n = n};

	if (!CHECK_TRUE(name, n > 0 && n <= REPLY_BYTES_MAX && n <= q->frame.n))
		return false;
	memcpy(answer.bytes, bytes, n);
	if (!CHECK_EQ(name, frame_parse(&answer, FRAME_CHECK_ALL, ret_packet), REASON_COUNT))
		return false;
	CHECK_MEM_EQ(name, answer.bytes, q->frame.bytes + 6, 6);
	CHECK_MEM_EQ(name, answer.bytes + 6, q->frame.bytes, 6);
	CHECK_MEM_EQ("the tags are the same", answer.bytes + 12, q->frame.bytes + 12, q->frame.l3 - 12);
	CHECK_EQ(name, address_compare(&ret_packet->source, &q->packet.destination), 0);
	CHECK_EQ(name, address_compare(&ret_packet->destination, &q->packet.source), 0);
	CHECK_EQ("nothing is behind the datagram", ret_packet->l3_offset + ret_packet->l3_bytes, n);
	return true;
}

/* Options of a SYN as stacks send them. */
static const uint8_t linux_options[20] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7};
static const uint8_t windows_options[12] = {2, 4, 5, 0xb4, 1, 3, 3, 8, 1, 1, 4, 2};
static const uint8_t mss_only[4] = {2, 4, 5, 0xb4}, scale_only[4] = {1, 3, 3, 7}, sack_only[4] = {1, 1, 4, 2};
static const uint8_t mss_scale[8] = {2, 4, 5, 0xb4, 1, 3, 3, 7}, mss_sack[8] = {2, 4, 5, 0xb4, 1, 1, 4, 2};
static const uint8_t scale_sack[8] = {3, 3, 7, 1, 1, 1, 4, 2};

#define OPTIONS(bytes) .tcp_options = bytes, .tcp_options_bytes = sizeof(bytes)

static void test_syn_ack_options(void)
{
	static const struct {
		const char *name;
		struct frame_spec spec;
		struct reply_options offered, sent;
		unsigned bytes; /* of the reply */
	} cases[] = {
		{"Linux's SYN of 74 bytes", {OPTIONS(linux_options)}, {1460, true, 7, true},
			{1460, true, 7, true}, 66},
		{"Linux's SYN over IPv6", {V6, OPTIONS(linux_options)}, {1440, true, 14, true},
			{1440, true, 14, true}, 86},
		{"a SYN of Windows", {OPTIONS(windows_options)}, {1460, true, 0, true}, {1460, true, 0, true},
			66},
		{"an MSS alone", {OPTIONS(mss_only)}, {1460, false, 0, false}, {1460, false, 0, false}, 58},
		{"an MSS alone, and a caller who agrees to what was not offered", {OPTIONS(mss_only)},
			{1460, true, 7, true}, {0}, 54},
		{"MSS and scale", {OPTIONS(mss_scale)}, {1220, true, 9, false}, {1220, true, 9, false}, 62},
		{"MSS and SACK", {OPTIONS(mss_sack)}, {1220, false, 0, true}, {1220, false, 0, true}, 62},
		{"scale without an MSS: the MSS leaves", {OPTIONS(scale_only)}, {1460, true, 7, false},
			{0, true, 7, false}, 58},
		{"SACK without an MSS: the MSS leaves", {OPTIONS(sack_only)}, {1460, false, 0, true},
			{0, false, 0, true}, 58},
		{"scale and SACK without an MSS: the MSS leaves", {OPTIONS(scale_sack)},
			{1460, true, 7, true}, {0, true, 7, true}, 62},
		{"a bare SYN", {0}, {1460, false, 0, false}, {0}, 54},
		{"a bare SYN padded by the link", {.pad_to_bytes = 60}, {1460, false, 0, false}, {0}, 54},
		{"data in the SYN make room, too", {.payload_bytes = 4}, {1460, false, 0, false},
			{1460, false, 0, false}, 58},
		{"two tags", {.n_vlans = 2, OPTIONS(linux_options)}, {1460, true, 7, true},
			{1460, true, 7, true}, 74},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct question q;
		uint8_t out[REPLY_BYTES_MAX];
		struct packet answer;
		unsigned n;

		ask(cases[i].name, &cases[i].spec, &q);
		n = reply_syn_ack(
			q.frame.bytes, &q.packet, &(struct reply_segment){.options = cases[i].offered}, out);
		CHECK_EQ(cases[i].name, n, cases[i].bytes);
		if (!check_answer(cases[i].name, &q, out, n, &answer))
			continue;
		CHECK_EQ("a window of 0 stays 0", answer.tcp_window, 0);
		CHECK_EQ(cases[i].name, answer.tcp_flags, S | A);
		CHECK_EQ(cases[i].name, answer.tcp_mss, cases[i].sent.mss);
		CHECK_EQ(cases[i].name, answer.tcp_window_scale,
			cases[i].sent.has_window_scale ? cases[i].sent.window_scale
						       : PACKET_WINDOW_SCALE_ABSENT);
		CHECK_EQ(cases[i].name, answer.tcp_sack_permitted, cases[i].sent.sack_permitted);
		CHECK_FALSE("timestamps are never promised", answer.tcp_timestamps);
		CHECK_FALSE("nor Fast Open", answer.tcp_fast_open);
	}
}

/* Every set of options that a SYN can offer against every subset of it that can be agreed on: what was agreed
 * on is said. */
static void test_syn_ack_never_breaks_its_word(void)
{
	for (unsigned offered = 0; offered < 8; offered++) {
		for (unsigned agreed = 0; agreed < 4; agreed++) {
			struct reply_options options = {1460, (agreed & 1) != 0, 7, (agreed & 2) != 0};
			uint8_t bytes[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, n = 0, out[REPLY_BYTES_MAX];
			struct frame_spec spec = {.tcp_options = bytes};
			struct question q;
			struct packet answer;

			if ((offered & agreed) != agreed)
				continue;
			/* As tightly as the options can stand. */
			if (offered & 4)
				memcpy(bytes + n, mss_only, 4), n += 4;
			if (offered & 1)
				memcpy(bytes + n, scale_only + 1, 3), n += 3;
			if (offered & 2)
				memcpy(bytes + n, sack_only + 2, 2), n += 2;
			spec.tcp_options_bytes = (uint8_t)((n + 3) / 4 * 4);
			ask("a SYN", &spec, &q);
			if (!check_answer("agreed on", &q, out,
				    reply_syn_ack(q.frame.bytes, &q.packet,
					    &(struct reply_segment){.options = options}, out),
				    &answer))
				continue;
			CHECK_EQ("the scale agreed on is said", answer.tcp_window_scale,
				options.has_window_scale ? 7 : PACKET_WINDOW_SCALE_ABSENT);
			CHECK_EQ("SACK agreed on is said", answer.tcp_sack_permitted, options.sack_permitted);
			CHECK_EQ("the MSS is said to who said one", answer.tcp_mss,
				offered & 4 ? 1460 : answer.tcp_mss);
		}
	}
}

static void test_in_place(void)
{
	static const struct {
		const char *name;
		struct frame_spec spec;
		struct reply_segment segment;
	} cases[] = {
		{"an ACK becomes a SYN", {.tcp_flags = A, .sequence = 77},
			{.sequence = 1000, .flags = S, .window = 29200, .options = {1460, true, 7, true}}},
		{"over IPv6", {V6, .tcp_flags = A},
			{.sequence = 1000, .flags = S, .options = {1440, true, 14, true}}},
		{"a SYN-ACK becomes a window update", {.tcp_flags = S | A, OPTIONS(linux_options)},
			{.sequence = 5, .acknowledgement = 6, .flags = A, .window = 501}},
		{"data leave", {V6, .tcp_flags = A, .payload_bytes = 1000},
			{.sequence = 5, .acknowledgement = 6, .flags = A}},
		{"a RST becomes another", {.tcp_flags = R}, {.sequence = UINT32_MAX, .flags = R}},
		{"through a tag", {.n_vlans = 1, .vlans = {0xe123}, .tcp_flags = A},
			{.sequence = 1, .flags = S}},
		{"through two tags of two types", {V6, .n_vlans = 2, .vlans = {5, 6}, .tcp_flags = A},
			{.sequence = 1, .flags = S, .options = {1440, false, 0, false}}},
		{"IP options leave", {.ip_options = "\x94\4\0", .ip_options_bytes = 4, .tcp_flags = A},
			{.sequence = 1, .flags = S}},
		{"extension headers leave",
			{V6, .n_extensions = 1, .extensions = {{.type = 60}}, .tcp_flags = A},
			{.sequence = 1, .flags = S}},
		{"so does padding", {.tcp_flags = A, .pad_to_bytes = 60}, {.sequence = 1, .flags = R}},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		const struct reply_segment *segment = &cases[i].segment;
		struct frame out = {0};
		struct question q;
		struct packet packet;

		ask(cases[i].name, &cases[i].spec, &q);
		out.n = reply_in_place(q.frame.bytes, &q.packet, segment, out.bytes);
		if (!CHECK_TRUE(cases[i].name, out.n > 0 && out.n <= REPLY_BYTES_MAX) ||
			!CHECK_EQ(cases[i].name, frame_parse(&out, FRAME_CHECK_ALL, &packet), REASON_COUNT))
			continue;
		CHECK_MEM_EQ("layer 2 is the frame's", out.bytes, q.frame.bytes, q.frame.l3);
		CHECK_EQ("nothing is behind the datagram", packet.l3_offset + packet.l3_bytes, out.n);
		CHECK_EQ(cases[i].name, address_compare(&packet.source, &q.packet.source), 0);
		CHECK_EQ(cases[i].name, address_compare(&packet.destination, &q.packet.destination), 0);
		CHECK_EQ(cases[i].name, packet.source_port, 40000);
		CHECK_EQ(cases[i].name, packet.destination_port, 30303);
		CHECK_EQ(cases[i].name, packet.payload_bytes, 0);
		CHECK_EQ(cases[i].name, packet.tcp_flags, segment->flags);
		CHECK_EQ(cases[i].name, packet.tcp_sequence, segment->sequence);
		CHECK_EQ(cases[i].name, packet.tcp_acknowledgement, segment->acknowledgement);
		CHECK_EQ(cases[i].name, packet.tcp_window, segment->window);
		CHECK_EQ(cases[i].name, packet.tcp_mss, segment->options.mss);
		CHECK_EQ(cases[i].name, packet.tcp_sack_permitted, segment->options.sack_permitted);
		CHECK_EQ("no ECN, no service class", frame_u16(&out, packet.l3_offset) & 0x0fff,
			packet.family == 4 ? 0x500 : 0);
	}
}

static void test_in_place_refused(void)
{
	static const struct {
		const char *name;
		struct frame_spec spec;
	} cases[] = {
		{"a datagram", {.protocol = 17}},
		{"an echo", {.protocol = 1, .icmp_type = 8}},
		{"a first fragment",
			{.tcp_flags = A, .payload_bytes = 100, .more_fragments = true, .fragment_bytes = 80}},
		{"a later fragment", {.tcp_flags = A, .payload_bytes = 100, .fragment_offset = 40}},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct question q;
		uint8_t out[REPLY_BYTES_MAX];

		ask(cases[i].name, &cases[i].spec, &q);
		CHECK_EQ(cases[i].name,
			reply_in_place(q.frame.bytes, &q.packet, &(struct reply_segment){.flags = R}, out),
			0);
	}
}

static const struct check_test tests[] = {
	{"a SYN-ACK says as much as the SYN left room for", test_syn_ack_options},
	{"a SYN-ACK says what the cookie says", test_syn_ack_never_breaks_its_word},
	{"a segment takes another's place", test_in_place},
	{"what has no place to take", test_in_place_refused},
};
CHECK_MAIN("reply_proxy", tests)
