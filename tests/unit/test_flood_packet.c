// SPDX-License-Identifier: BSD-3-Clause
/* Tests of bench/flood_packet.h against the dataplane's own parser, which knows nothing of templates: every
 * frame that the generator makes is well formed, with right checksums, and says what it was asked to say.
 */
#include <errno.h>
#include <string.h>

#include "bench/flood_packet.h"
#include "bench/traffic_model.h"
#include "dataplane/packet.h"
#include "tests/check.h"

static struct flood_target target_of(const char *address)
{
	struct flood_target target = {
		.port = 30303, .source_mac = {2, 0, 0, 0, 0, 1}, .mac = {2, 0, 0, 0, 0, 2}};

	CHECK_EQ(address, address_parse(address, &target.address), 0);
	return target;
}

static void test_frames(void)
{
	static const struct {
		const char *name;
		enum flood_kind kind;
		const char *target, *source;
		uint16_t payload_bytes;
		uint8_t flags, packet_kind;
		uint16_t frame_bytes, mss;
	} cases[] = {
		{"a SYN with options", FLOOD_SYN, "198.18.0.2", "10.1.2.3", 0, TCP_FLAG_SYN, PACKET_KIND_TCP,
			74, 1460},
		{"a SYN without options", FLOOD_SYN_BARE, "198.18.0.2", "223.255.255.254", 0, TCP_FLAG_SYN,
			PACKET_KIND_TCP, 54, 0},
		{"an ACK", FLOOD_ACK, "198.18.0.2", "1.0.0.0", 0, TCP_FLAG_ACK, PACKET_KIND_TCP, 54, 0},
		{"a RST", FLOOD_RST, "198.18.0.2", "10.1.2.3", 0, TCP_FLAG_RST, PACKET_KIND_TCP, 54, 0},
		{"data", FLOOD_DATA, "198.18.0.2", "10.1.2.3", 10, TCP_FLAG_PSH | TCP_FLAG_ACK,
			PACKET_KIND_TCP, 64, 0},
		{"a full segment", FLOOD_DATA, "198.18.0.2", "10.1.2.3", 1460, TCP_FLAG_PSH | TCP_FLAG_ACK,
			PACKET_KIND_TCP, 1514, 0},
		{"a FIN", FLOOD_FIN, "198.18.0.2", "10.1.2.3", 0, TCP_FLAG_FIN | TCP_FLAG_ACK,
			PACKET_KIND_TCP, 54, 0},
		{"a QUIC Initial", FLOOD_QUIC, "198.18.0.2", "10.1.2.3", 0, 0, PACKET_KIND_UDP, 1242, 0},
		{"an IPv6 QUIC Initial of version 2", FLOOD_QUIC_V2, "fd18::2", "fd00::1", 0, 0,
			PACKET_KIND_UDP, 1262, 0},
		{"an IPv6 RST", FLOOD_RST, "fd18::2", "fd00::1", 0, TCP_FLAG_RST, PACKET_KIND_TCP, 74, 0},
		{"IPv6 data of odd length", FLOOD_DATA, "fd18::2", "fd00::1", 7, TCP_FLAG_PSH | TCP_FLAG_ACK,
			PACKET_KIND_TCP, 81, 0},
		{"a datagram", FLOOD_UDP, "198.18.0.2", "10.1.2.3", 64, 0, PACKET_KIND_UDP, 106, 0},
		{"a datagram of odd length", FLOOD_UDP, "198.18.0.2", "10.1.2.3", 7, 0, PACKET_KIND_UDP, 49,
			0},
		{"an empty datagram", FLOOD_UDP, "198.18.0.2", "10.1.2.3", 0, 0, PACKET_KIND_UDP, 42, 0},
		{"the longest datagram", FLOOD_UDP, "198.18.0.2", "10.1.2.3", FLOOD_PAYLOAD_MAX, 0,
			PACKET_KIND_UDP, 1514, 0},
		{"an IPv6 SYN with options", FLOOD_SYN, "fd18::2", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
			0, TCP_FLAG_SYN, PACKET_KIND_TCP, 94, 1460},
		{"an IPv6 ACK", FLOOD_ACK, "fd18::2", "fd00::1", 0, TCP_FLAG_ACK, PACKET_KIND_TCP, 74, 0},
		{"an IPv6 datagram", FLOOD_UDP, "fd18::2", "fd00::1", 64, 0, PACKET_KIND_UDP, 126, 0},
	};
	static struct flood_template template;
	static uint8_t frame[FLOOD_FRAME_MAX];

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct flood_target target = target_of(cases[i].target);
		struct address source;
		struct packet packet;

		CHECK_EQ(cases[i].name, address_parse(cases[i].source, &source), 0);
		flood_template_build(&template, cases[i].kind, &target, cases[i].payload_bytes);
		flood_frame_write(&template, &source, 4321, 0xfffefdfc, frame);
		CHECK_EQ(cases[i].name, template.frame_bytes, cases[i].frame_bytes);
		CHECK_EQ(cases[i].name,
			packet_parse(frame, template.frame_bytes, NULL, 0, template.frame_bytes,
				PACKET_CHECK_IP | PACKET_CHECK_TRANSPORT, &packet),
			REASON_COUNT);
		CHECK_EQ(cases[i].name, packet.kind, cases[i].packet_kind);
		CHECK_EQ(cases[i].name, address_compare(&packet.source, &source), 0);
		CHECK_EQ(cases[i].name, address_compare(&packet.destination, &target.address), 0);
		CHECK_EQ(cases[i].name, packet.source_port, 4321);
		CHECK_EQ(cases[i].name, packet.destination_port, 30303);
		CHECK_EQ(cases[i].name, packet.tcp_flags, cases[i].flags);
		CHECK_EQ(cases[i].name, packet.tcp_mss, cases[i].mss);
		if (cases[i].packet_kind == PACKET_KIND_TCP)
			CHECK_EQ(cases[i].name, packet.tcp_sequence, 0xfffefdfc);
	}
}

static void test_echo(void)
{
	static const struct {
		const char *name, *target, *source;
		unsigned transport_offset, frame_bytes;
		uint8_t type;
	} cases[] = {
		{"an echo request", "198.18.0.2", "10.1.2.3", 34, 98, 8},
		{"an IPv6 echo request", "fd18::2", "fd00::1", 54, 118, 128},
	};
	static struct flood_template template;
	static uint8_t frame[FLOOD_FRAME_MAX];

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct flood_target target = target_of(cases[i].target);
		const uint8_t *icmp = frame + cases[i].transport_offset;
		struct address source;
		struct packet packet;

		CHECK_EQ(cases[i].name, address_parse(cases[i].source, &source), 0);
		flood_template_build(&template, FLOOD_ICMP, &target, 56);
		flood_frame_write(&template, &source, 0x1234, 0x89abcdef, frame);
		CHECK_EQ(cases[i].name, template.frame_bytes, cases[i].frame_bytes);
		CHECK_EQ(cases[i].name,
			packet_parse(frame, template.frame_bytes, NULL, 0, template.frame_bytes,
				PACKET_CHECK_IP | PACKET_CHECK_TRANSPORT, &packet),
			REASON_COUNT);
		CHECK_EQ(cases[i].name, icmp[0], cases[i].type);
		CHECK_EQ(cases[i].name, icmp[4] << 24 | icmp[5] << 16 | icmp[6] << 8 | icmp[7], 0x1234cdef);
	}
}

/* What RFC 9000, 17.2.2 says an Initial looks like. */
static void test_initials(void)
{
	static const struct {
		const char *name;
		enum flood_kind kind;
		uint8_t flags;
		uint32_t version;
	} cases[] = {
		{"version 1", FLOOD_QUIC, 0xc0, 1},
		{"version 2", FLOOD_QUIC_V2, 0xd0, 0x6b3343cf},
	};
	static struct flood_template template;
	static uint8_t frame[FLOOD_FRAME_MAX], other[FLOOD_FRAME_MAX];

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct flood_target target = target_of("198.18.0.2");
		struct address source = address_from_v4(0x0a010203);
		const uint8_t *quic = frame + 14 + 20 + 8;

		flood_template_build(&template, cases[i].kind, &target, 0);
		flood_frame_write(&template, &source, 4321, 1, frame);
		flood_frame_write(&template, &source, 4321, 2, other);
		CHECK_EQ(cases[i].name, quic[0] & 0xf0, cases[i].flags);
		CHECK_EQ(cases[i].name, (uint32_t)quic[1] << 24 | quic[2] << 16 | quic[3] << 8 | quic[4],
			cases[i].version);
		CHECK_EQ(cases[i].name, quic[5], 8);
		CHECK_EQ(cases[i].name, quic[14], 8);
		CHECK_EQ(cases[i].name, quic[23], 0); /* no token */
		CHECK_EQ(cases[i].name, ((quic[24] & 0x3f) << 8 | quic[25]) + 26, 1200);
		CHECK_TRUE(cases[i].name, memcmp(quic + 6, other + 14 + 20 + 8 + 6, 8) != 0);
	}
}

/* Sums that carry, or fold to zero, show only with many different words. */
static void test_many_checksums(void)
{
	static struct flood_template templates[FLOOD_KINDS][2];
	static uint8_t frame[FLOOD_FRAME_MAX];
	uint64_t state = 3;
	unsigned wrong = 0;

	for (unsigned kind = 0; kind < FLOOD_KINDS; kind++) {
		struct flood_target v4 = target_of("198.18.0.2"), v6 = target_of("fd18::2");

		flood_template_build(&templates[kind][0], (enum flood_kind)kind, &v6, 33);
		flood_template_build(&templates[kind][1], (enum flood_kind)kind, &v4, 33);
	}
	for (unsigned i = 0; i < 200000; i++) {
		uint64_t random = traffic_random_next(&state);
		const struct flood_template *template = &templates[random % FLOOD_KINDS][i % 2];
		struct address source = address_from_v4((uint32_t)(random >> 32) | 0x01000000);
		struct packet packet;

		if (!template->v4) {
			source.bytes[0] = 0xfd;
			for (unsigned k = 1; k < 8; k++)
				source.bytes[k] = (uint8_t)(random >> k);
		}
		/* no class D or E, loopback or own address: the parser refuses such sources for their own
		 * sake */
		if (template->v4 && (source.bytes[12] >= 224 || source.bytes[12] == 127))
			source.bytes[12] = 10;
		flood_frame_write(template, &source, (uint16_t)(1 + random % 65535),
			traffic_random_next(&state), frame);
		wrong += packet_parse(frame, template->frame_bytes, NULL, 0, template->frame_bytes,
				 PACKET_CHECK_IP | PACKET_CHECK_TRANSPORT, &packet) != REASON_COUNT;
	}
	CHECK_EQ("all of 200,000 frames are well formed", wrong, 0);
}

static void test_names(void)
{
	for (unsigned kind = 0; kind < FLOOD_KINDS; kind++) {
		enum flood_kind parsed = FLOOD_KINDS;

		CHECK_EQ("a name is read back",
			flood_kind_parse(flood_kind_name((enum flood_kind)kind), &parsed), 0);
		CHECK_EQ("as what it was", (unsigned)parsed, kind);
	}
	enum flood_kind untouched = FLOOD_UDP;
	CHECK_EQ("an unknown name is refused", flood_kind_parse("syn-ack", &untouched), -EINVAL);
	CHECK_EQ("and changes nothing", (unsigned)untouched, FLOOD_UDP);
}

static void test_imix(void)
{
	static const struct {
		const char *name, *target;
		enum flood_kind kind;
		unsigned frame_bytes[3];
	} cases[] = {{"IPv4 data: 64, 590 and 1514", "198.18.0.2", FLOOD_DATA, {64, 590, 1514}},
		{"IPv6 data: 84, 590 and 1514", "fd18::2", FLOOD_DATA, {84, 590, 1514}},
		{"IPv4 datagrams: 64, 590 and 1514", "198.18.0.2", FLOOD_UDP, {64, 590, 1514}},
		{"IPv6 datagrams: 64, 590 and 1514", "fd18::2", FLOOD_UDP, {64, 590, 1514}}};

	for (unsigned c = 0; c < CHECK_COUNT(cases); c++) {
		struct flood_target target = target_of(cases[c].target);
		unsigned n[3] = {0};

		for (unsigned i = 0; i < FLOOD_IMIX; i++) {
			struct flood_template template;

			flood_template_build(&template, cases[c].kind, &target,
				flood_imix_payload(cases[c].kind, i, address_is_v4(&target.address)));
			for (unsigned size = 0; size < 3; size++)
				n[size] += template.frame_bytes == cases[c].frame_bytes[size];
		}
		CHECK_EQ(cases[c].name, n[0] * 100 + n[1] * 10 + n[2], 741);
	}
}

static const struct check_test tests[] = {
	{"the dataplane's parser reads every kind of frame", test_frames},
	{"pings carry their numbers", test_echo},
	{"QUIC Initials are what a server must answer", test_initials},
	{"checksums are right for random words", test_many_checksums},
	{"kinds have names", test_names},
	{"the IMIX is 7 : 4 : 1", test_imix},
};
CHECK_MAIN("flood_packet", tests)
