// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/reply.h. Every reply is parsed again with all checks on, so its lengths and checksums
 * are those that a strict receiver wants.
 */
#include "dataplane/reply.h"
#include "tests/check.h"
#include "tests/frame_parse.h"
#include "tests/unit/table_support.h"

#define V6 .source = "2001:db8::1", .destination = "2001:db8::2"

enum { S = TCP_FLAG_SYN, A = TCP_FLAG_ACK, R = TCP_FLAG_RST, F = TCP_FLAG_FIN };

static const uint8_t group_mac[6] = {0x33, 0x33, 0, 0, 0, 1};

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

	if (!CHECK_TRUE(name, n > 0 && n <= REPLY_BYTES_MAX && n <= q->packet.l3_offset + q->packet.l3_bytes))
		return false;
	memcpy(answer.bytes, bytes, n);
	if (!CHECK_EQ(name, frame_parse(&answer, FRAME_CHECK_ALL, ret_packet), REASON_COUNT))
		return false;
	CHECK_MEM_EQ(name, answer.bytes, q->frame.bytes + 6, 6);
	CHECK_MEM_EQ(name, answer.bytes + 6, q->frame.bytes, 6);
	CHECK_MEM_EQ("the tags are the same", answer.bytes + 12, q->frame.bytes + 12, q->frame.l3 - 12);
	CHECK_EQ(name, address_compare(&ret_packet->source, &q->packet.destination), 0);
	CHECK_EQ(name, address_compare(&ret_packet->destination, &q->packet.source), 0);
	CHECK_EQ(name, ret_packet->ttl, 64);
	CHECK_EQ("nothing is behind the datagram", ret_packet->l3_offset + ret_packet->l3_bytes, n);
	if (ret_packet->family == 4)
		CHECK_EQ("not to be fragmented, id 0",
			frame_u16(&answer, q->frame.l3 + 6) << 16 | frame_u16(&answer, q->frame.l3 + 4),
			0x4000 << 16);
	return true;
}

static void test_syn_ack(void)
{
	static const uint8_t mss_option[4] = {2, 4, 5, 0xb4};
	static const struct {
		const char *name;
		struct frame_spec spec;
		uint16_t mss, mss_sent;
	} cases[] = {
		{"to a SYN with an option", {.tcp_options = mss_option, .tcp_options_bytes = 4}, 1460, 1460},
		{"to a bare SYN the option is left away", {0}, 1460, 0},
		{"padding gives no room: other links do not carry it", {.pad_to_bytes = 60}, 536, 0},
		{"without an option", {.pad_to_bytes = 60}, 0, 0},
		{"over IPv6", {V6, .tcp_options = mss_option, .tcp_options_bytes = 4}, 1440, 1440},
		{"to a bare SYN over IPv6", {V6}, 1440, 0},
		{"through one tag", {.n_vlans = 1, .vlans = {0xe123}, .tcp_options = mss_option, .tcp_options_bytes = 4}, 1460,
			1460},
		{"through two tags", {V6, .n_vlans = 2, .vlans = {5, 6}, .payload_bytes = 10}, 1460, 1460},
		{"IPv4 options are not sent back", {.ip_options = "\x94\4\0", .ip_options_bytes = 4}, 1460,
			1460},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct question q;
		uint8_t out[REPLY_BYTES_MAX];
		struct packet answer;
		unsigned n;

		ask(cases[i].name, &cases[i].spec, &q);
		n = reply_syn_ack(q.frame.bytes, &q.packet,
			&(struct reply_segment){.sequence = 0x11223344,
				.acknowledgement = 0xfffefdfc,
				.window = 4321,
				.options.mss = cases[i].mss},
			out);
		if (!check_answer(cases[i].name, &q, out, n, &answer))
			continue;
		CHECK_EQ(cases[i].name, answer.tcp_flags, S | A);
		CHECK_EQ(cases[i].name, answer.source_port, 30303);
		CHECK_EQ(cases[i].name, answer.destination_port, 40000);
		CHECK_EQ(cases[i].name, answer.tcp_sequence, 0x11223344);
		CHECK_EQ(cases[i].name, answer.tcp_acknowledgement, 0xfffefdfc);
		CHECK_EQ(cases[i].name, answer.tcp_window, 4321);
		CHECK_EQ(cases[i].name, answer.tcp_mss, cases[i].mss_sent);
	}
}

static void test_rst(void)
{
	static const struct {
		const char *name;
		struct frame_spec spec;
		uint32_t sequence, acknowledgement;
		uint8_t flags;
	} cases[] = {
		{"a SYN", {.sequence = 1000}, 0, 1001, R | A},
		{"a SYN with data", {.sequence = 1000, .payload_bytes = 5}, 0, 1006, R | A},
		{"a SYN at the end of the sequence space", {V6, .sequence = UINT32_MAX}, 0, 0, R | A},
		{"an ACK", {.sequence = 1000, .acknowledgement = 5000, .tcp_flags = A, .payload_bytes = 9},
			5000, 0, R},
		{"a FIN", {V6, .acknowledgement = 5000, .tcp_flags = F | A}, 5000, 0, R},
		{"a SYN-ACK", {.acknowledgement = 5000, .tcp_flags = S | A}, 5000, 0, R},
		{"a tagged ACK", {.n_vlans = 2, .acknowledgement = 1, .tcp_flags = A}, 1, 0, R},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct question q;
		uint8_t out[REPLY_BYTES_MAX];
		struct packet answer;

		ask(cases[i].name, &cases[i].spec, &q);
		if (!check_answer(cases[i].name, &q, out, reply_rst(q.frame.bytes, &q.packet, out), &answer))
			continue;
		CHECK_EQ(cases[i].name, answer.tcp_flags, cases[i].flags);
		CHECK_EQ(cases[i].name, answer.tcp_sequence, cases[i].sequence);
		CHECK_EQ(cases[i].name, answer.tcp_acknowledgement, cases[i].acknowledgement);
		CHECK_EQ(cases[i].name, answer.source_port, 30303);
		CHECK_EQ(cases[i].name, answer.destination_port, 40000);
		CHECK_EQ("a refusal has no window", answer.tcp_window, 0);
	}
}

static void test_icmp(void)
{
	static const struct {
		const char *name;
		struct frame_spec spec;
		unsigned quoted; /* bytes of the quote; 0: no answer, for the least quote does not fit */
	} cases[] = {
		{"a datagram", {.protocol = 17, .payload_bytes = 100}, 100},
		{"a long datagram", {.protocol = 17, .payload_bytes = 1400}, 160 - 14 - 28},
		{"a long tagged datagram", {.protocol = 17, .payload_bytes = 1400, .n_vlans = 2},
			160 - 22 - 28},
		{"the shortest that may be answered", {.protocol = 17, .payload_bytes = 28}, 28},
		{"one byte shorter", {.protocol = 17, .payload_bytes = 27}, 0},
		{"padding makes no room",
			{.protocol = 17, .payload_bytes = 4, .pad_to_bytes = 90}, 0},
		{"and is not quoted", {.protocol = 17, .payload_bytes = 40, .pad_to_bytes = 90}, 40},
		{"IPv4 options are quoted",
			{.protocol = 17,
				.ip_options = "\x94\4\0",
				.ip_options_bytes = 4,
				.payload_bytes = 100},
			104},
		{"a v6 datagram", {V6, .protocol = 17, .payload_bytes = 1200}, 160 - 14 - 48},
		{"the shortest v6", {V6, .protocol = 17, .payload_bytes = 48}, 48},
		{"one byte shorter", {V6, .protocol = 17, .payload_bytes = 47}, 0},
		{"an extension header is quoted",
			{V6, .protocol = 17, .payload_bytes = 200, .n_extensions = 1,
				.extensions = {{.type = 60}}},
			160 - 14 - 48},
		{"a chain too long to quote",
			{V6, .protocol = 17, .payload_bytes = 200, .n_extensions = 1,
				.extensions = {{.type = 60, .units = 8}}},
			0},
		{"a TCP segment", {.tcp_flags = A, .payload_bytes = 100}, 112},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct question q;
		uint8_t out[REPLY_BYTES_MAX];
		struct packet answer;
		unsigned n;

		ask(cases[i].name, &cases[i].spec, &q);
		n = reply_icmp_prohibited(q.frame.bytes, q.frame.n, &q.packet, out);
		if (cases[i].quoted == 0) {
			CHECK_EQ(cases[i].name, n, 0);
			continue;
		}
		if (!check_answer(cases[i].name, &q, out, n, &answer))
			continue;
		CHECK_EQ(cases[i].name, answer.kind, PACKET_KIND_ICMP_ERROR);
		CHECK_EQ(cases[i].name, answer.icmp_type, cases[i].spec.source ? 1 : 3);
		CHECK_EQ(cases[i].name, answer.icmp_code, cases[i].spec.source ? 1 : 13);
		CHECK_EQ(cases[i].name, answer.payload_bytes, cases[i].quoted);
		CHECK_TRUE("the quote finds the flow", answer.quoted_valid);
		CHECK_EQ(cases[i].name, answer.quoted_protocol, q.packet.protocol);
		CHECK_EQ(cases[i].name, answer.quoted_source_port, 40000);
		CHECK_EQ(cases[i].name, answer.quoted_destination_port, 30303);
		CHECK_MEM_EQ(cases[i].name, out + answer.payload_offset, q.frame.bytes + q.frame.l3,
			cases[i].quoted);
	}
}

static void test_icmp_from_the_head(void)
{
	struct question q;
	uint8_t out[REPLY_BYTES_MAX];

	ask("a datagram", &(struct frame_spec){.protocol = 17, .payload_bytes = 1000}, &q);
	CHECK_EQ("only what lies in one piece is quoted",
		reply_icmp_prohibited(q.frame.bytes, 14 + 28 + 2, &q.packet, out), 14 + 28 + 30);
	CHECK_EQ("too little of it", reply_icmp_prohibited(q.frame.bytes, 14 + 27, &q.packet, out), 0);
	CHECK_EQ("nothing of it", reply_icmp_prohibited(q.frame.bytes, 13, &q.packet, out), 0);
}

/* What must not be answered, by which reply. */
static void test_silence(void)
{
	static const struct {
		const char *name;
		struct frame_spec spec;
	} cases[] = {
		{"a later fragment", {.protocol = 17, .payload_bytes = 200, .fragment_offset = 8}},
		{"to a group", {.destination = "224.0.0.5", .protocol = 17, .payload_bytes = 200}},
		{"to everybody", {.destination = "255.255.255.255", .protocol = 17, .payload_bytes = 200}},
		{"to a v6 group", {.source = "2001:db8::1",
					  .destination = "ff02::1",
					  .protocol = 17,
					  .payload_bytes = 200}},
		{"to a group of the link",
			{.destination_mac = group_mac, .protocol = 17, .payload_bytes = 200}},
		{"an ICMP error", {.protocol = 1, .icmp_type = 3, .payload_bytes = 200}},
		{"a v6 ICMP error", {V6, .protocol = 1, .icmp_type = 2, .payload_bytes = 200}},
		{"the link's own",
			{.destination = "224.0.0.22", .protocol = 2, .ttl = 1, .payload_bytes = 200}},
	};
	struct question q;
	uint8_t out[REPLY_BYTES_MAX];

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		ask(cases[i].name, &cases[i].spec, &q);
		CHECK_EQ(cases[i].name, reply_icmp_prohibited(q.frame.bytes, q.frame.n, &q.packet, out), 0);
		CHECK_EQ(cases[i].name, reply_rst(q.frame.bytes, &q.packet, out), 0);
		CHECK_EQ(cases[i].name,
			reply_syn_ack(
				q.frame.bytes, &q.packet, &(struct reply_segment){.options.mss = 4}, out),
			0);
	}
	ask("a SYN", &(struct frame_spec){0}, &q);
	q.packet.l3_bytes--;
	CHECK_EQ("a SYN shorter than any answer",
		reply_syn_ack(q.frame.bytes, &q.packet, &(struct reply_segment){0}, out), 0);
	ask("a RST", &(struct frame_spec){.tcp_flags = R}, &q);
	CHECK_EQ("a RST is not answered by a RST", reply_rst(q.frame.bytes, &q.packet, out), 0);
	ask("a fragment",
		&(struct frame_spec){.payload_bytes = 100, .more_fragments = true, .fragment_bytes = 80}, &q);
	CHECK_EQ("a SYN of unknown length gets no RST", reply_rst(q.frame.bytes, &q.packet, out), 0);
	frame_make_arp("192.0.2.1", "192.0.2.2", &q.frame);
	CHECK_EQ("ARP", frame_parse(&q.frame, FRAME_CHECK_ALL, &q.packet), REASON_COUNT);
	CHECK_EQ("ARP", reply_icmp_prohibited(q.frame.bytes, q.frame.n, &q.packet, out), 0);
}

static void test_segment(void)
{
	static const struct {
		const char *name, *source, *destination;
		struct frame_spec learnt_from;
	} cases[] = {
		{"over IPv4", "198.51.100.1", "203.0.113.9", {0}},
		{"over IPv6, learnt from IPv4, through two tags", "2001:db8::2", "2001:db8::9",
			{.n_vlans = 2, .vlans = {0x2007, 9}, .payload_bytes = 100}},
		{"through the old type of tag", "198.51.100.1", "203.0.113.9",
			{.n_vlans = 1, .vlans = {8}, .vlan_types = {0x9100}}},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct reply_tcp segment = {.source_port = 30303,
			.destination_port = 50000,
			.sequence = 9,
			.acknowledgement = 8,
			.flags = R | A,
			.window = 7};
		struct frame answer = {0};
		struct packet packet;
		struct next_hop hop;
		struct question q;

		ask(cases[i].name, &cases[i].learnt_from, &q);
		next_hop_learn(q.frame.bytes, &q.packet, &hop);
		CHECK_TRUE(cases[i].name, hop.valid);
		CHECK_EQ(cases[i].name, hop.n_vlans, cases[i].learnt_from.n_vlans);
		address_parse(cases[i].source, &segment.source);
		address_parse(cases[i].destination, &segment.destination);
		answer.n = reply_tcp_segment(&hop, &segment, answer.bytes);
		CHECK_EQ(cases[i].name, frame_parse(&answer, FRAME_CHECK_ALL, &packet), REASON_COUNT);
		CHECK_MEM_EQ(cases[i].name, answer.bytes, q.frame.bytes + 6, 6);
		CHECK_MEM_EQ(cases[i].name, answer.bytes + 6, q.frame.bytes, 6);
		CHECK_MEM_EQ(cases[i].name, answer.bytes + 12, q.frame.bytes + 12, 4u * packet.n_vlans);
		CHECK_EQ(cases[i].name, packet.n_vlans, hop.n_vlans);
		CHECK_EQ(cases[i].name, address_compare(&packet.source, &segment.source), 0);
		CHECK_EQ(cases[i].name, address_compare(&packet.destination, &segment.destination), 0);
		CHECK_EQ(cases[i].name, packet.source_port, 30303);
		CHECK_EQ(cases[i].name, packet.destination_port, 50000);
		CHECK_EQ(cases[i].name, packet.tcp_sequence, 9);
		CHECK_EQ(cases[i].name, packet.tcp_acknowledgement, 8);
		CHECK_EQ(cases[i].name, packet.tcp_flags, R | A);
		CHECK_EQ(cases[i].name, packet.tcp_window, 7);
	}
}

static void test_segment_refused(void)
{
	struct reply_tcp segment = {.source_port = 1, .destination_port = 2, .flags = R};
	struct next_hop hop = {.valid = 1};
	uint8_t out[REPLY_BYTES_MAX];
	struct question q;

	address_parse("192.0.2.1", &segment.source);
	address_parse("2001:db8::1", &segment.destination);
	CHECK_EQ("two families", reply_tcp_segment(&hop, &segment, out), 0);
	address_parse("192.0.2.2", &segment.destination);
	CHECK_EQ("one family", reply_tcp_segment(&hop, &segment, out), 54);
	hop.valid = 0;
	CHECK_EQ("a hop that is not known", reply_tcp_segment(&hop, &segment, out), 0);
	ask("a frame to a group", &(struct frame_spec){.protocol = 17, .destination_mac = group_mac}, &q);
	next_hop_learn(q.frame.bytes, &q.packet, &hop);
	CHECK_FALSE("teaches no hop", hop.valid);
}

/* Options as random stacks send them: whole ones up to n bytes, a multiple of 4. */
static uint8_t options_random(uint64_t *random, uint8_t out[40])
{
	uint8_t n = 0;
	uint64_t pick = random_next(random);

	for (unsigned i = 0; i < 4; i++, pick >>= 2) {
		static const struct {
			uint8_t bytes, option[12];
		} options[4] = {{4, {2, 4, 5, 0xb4}}, {4, {4, 2, 1, 1}}, {4, {1, 3, 3, 7}},
			{12, {1, 1, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0}}};
		unsigned which = pick & 3;

		if (pick >> 32 & 1u << i || n + options[which].bytes > 40)
			continue;
		memcpy(out + n, options[which].option, options[which].bytes);
		n = (uint8_t)(n + options[which].bytes);
	}
	return n;
}

/* Bytes out <= bytes in, whatever came and whatever the answer would like to say. */
static void test_reflection(void)
{
	uint64_t random = 77;

	for (unsigned i = 0; i < 20000; i++) {
		uint64_t pick = random_next(&random), want = random_next(&random);
		uint8_t options[40], out[REPLY_BYTES_MAX];
		struct frame_spec spec = {
			.source = pick & 1 ? "2001:db8::1" : NULL,
			.destination = pick & 1 ? "2001:db8::2" : NULL,
			.n_vlans = (uint8_t)(pick >> 1 & 1),
			.vlans = {5},
			.protocol = pick >> 2 & 3 ? 6 : 17,
			.tcp_options = options,
			.tcp_flags = pick >> 4 & 1 ? S : A,
			.payload_bytes = (uint16_t)(pick >> 5 & 1 ? pick >> 8 & 0x7f : 0),
			.pad_to_bytes = pick >> 6 & 1 ? 60 : 0,
		};
		struct reply_segment segment = {
			.options = {.mss = want & 1 ? 1460 : 0,
				.has_window_scale = want >> 1 & 1,
				.window_scale = 7,
				.sack_permitted = want >> 2 & 1},
		};
		struct question q;
		struct packet answer;
		unsigned n[3];

		spec.tcp_options_bytes = spec.protocol == 6 ? options_random(&random, options) : 0;
		ask("anything", &spec, &q);
		n[0] = spec.protocol == 6 && spec.tcp_flags == S
			       ? reply_syn_ack(q.frame.bytes, &q.packet, &segment, out)
			       : 0;
		if (n[0])
			check_answer("a SYN-ACK", &q, out, n[0], &answer);
		n[1] = reply_rst(q.frame.bytes, &q.packet, out);
		if (n[1])
			check_answer("a RST", &q, out, n[1], &answer);
		n[2] = reply_icmp_prohibited(q.frame.bytes, q.frame.n, &q.packet, out);
		if (n[2])
			check_answer("a refusal by ICMP", &q, out, n[2], &answer);
		if (spec.protocol == 6)
			CHECK_TRUE("TCP has its answer", n[1] > 0 && (spec.tcp_flags != S || n[0] > 0));
	}
}

static const struct check_test tests[] = {
	{"no answer is longer than its question", test_reflection},
	{"a SYN-ACK answers a SYN and is no longer than it", test_syn_ack},
	{"a RST refuses a segment as RFC 9293 says", test_rst},
	{"an ICMP error quotes what fits", test_icmp},
	{"an ICMP error quotes only the piece it was given", test_icmp_from_the_head},
	{"what must not be answered is not", test_silence},
	{"a segment from nothing but a next hop", test_segment},
	{"a segment that cannot be sent", test_segment_refused},
};
CHECK_MAIN("reply", tests)
