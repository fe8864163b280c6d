// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/packet.h below and around IP: Ethernet, VLAN tags, infrastructure, frames in several
 * segments, and every frame cut at every length. IP, TCP, UDP and ICMP have their own files beside this one.
 */
#include "dataplane/packet_checksum.h"
#include "tests/check.h"
#include "tests/frame_parse.h"

static const uint8_t group_mac[6] = {0x01, 0x00, 0x5e, 0, 0, 1};
static const uint8_t broadcast_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t zero_mac[6];

static void test_ethernet(void)
{
	static const struct {
		const char *name;
		struct frame_spec spec;
		enum reason expected;
	} cases[] = {
		{"a plain TCP SYN", {0}, REASON_COUNT},
		{"a group address cannot send", {.source_mac = group_mac}, REASON_BAD_ETHERNET},
		{"the broadcast address cannot send", {.source_mac = broadcast_mac}, REASON_BAD_ETHERNET},
		{"the zero address cannot send", {.source_mac = zero_mac}, REASON_BAD_ETHERNET},
		{"TCP to a group is refused", {.destination_mac = group_mac}, REASON_BAD_ETHERNET},
		{"TCP to everybody is refused", {.destination_mac = broadcast_mac}, REASON_BAD_ETHERNET},
		{"UDP to everybody may be a directed broadcast",
			{.protocol = 17, .destination_mac = broadcast_mac}, REASON_COUNT},
		{"one tag", {.n_vlans = 1, .vlans = {100}}, REASON_COUNT},
		{"two tags", {.n_vlans = 2, .vlans = {7, 4095}}, REASON_COUNT},
		{"two tags of the same type", {.n_vlans = 2, .vlan_types = {0x8100, 0x8100}}, REASON_COUNT},
		{"the old QinQ type", {.n_vlans = 2, .vlan_types = {0x9100, 0x8100}}, REASON_COUNT},
		{"three tags", {.n_vlans = 3}, REASON_BAD_VLAN},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct frame frame;
		struct packet packet;

		frame_make(&cases[i].spec, &frame);
		CHECK_EQ(cases[i].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), cases[i].expected);
		CHECK_EQ(cases[i].name, packet.wire_bytes, frame.n);
		if (cases[i].expected != REASON_COUNT)
			continue;
		CHECK_EQ(cases[i].name, packet.n_vlans, cases[i].spec.n_vlans);
		CHECK_EQ(cases[i].name, packet.vlans[0], cases[i].spec.vlans[0]);
		CHECK_EQ(cases[i].name, packet.vlans[1], cases[i].spec.vlans[1]);
		CHECK_EQ(cases[i].name, packet.l3_offset, frame.l3);
		CHECK_EQ(cases[i].name, packet.l4_offset, frame.l4);
		CHECK_EQ(cases[i].name, packet.payload_offset, frame.payload);
	}
}

static void test_infrastructure(void)
{
	static const struct {
		const char *name;
		uint8_t mac[6];
		uint16_t ethertype;
		enum infrastructure expected;
	} cases[] = {
		{"LACP", {0x01, 0x80, 0xc2, 0, 0, 0x02}, 0x8809, INFRASTRUCTURE_LINK},
		{"LLDP", {0x01, 0x80, 0xc2, 0, 0, 0x0e}, 0x88cc, INFRASTRUCTURE_LINK},
		{"STP, an 802.3 frame with LLC", {0x01, 0x80, 0xc2, 0, 0, 0}, 38, INFRASTRUCTURE_LINK},
		{"behind the sixteen reserved addresses", {0x01, 0x80, 0xc2, 0, 0, 0x10}, 0x88cc,
			INFRASTRUCTURE_OTHER},
		{"an 802.3 frame to a host", {2, 0, 0, 0, 0, 2}, 0x05ff, INFRASTRUCTURE_OTHER},
		{"another ethertype", {2, 0, 0, 0, 0, 2}, 0x8847, INFRASTRUCTURE_OTHER},
	};
	struct frame frame;
	struct packet packet;

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		frame_make(&(struct frame_spec){.payload_bytes = 40}, &frame);
		memcpy(frame.bytes, cases[i].mac, 6);
		frame_put_u16(&frame, 12, cases[i].ethertype);
		CHECK_EQ(cases[i].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
		CHECK_EQ(cases[i].name, packet.kind, PACKET_KIND_INFRASTRUCTURE);
		CHECK_EQ(cases[i].name, packet.infrastructure, cases[i].expected);
		CHECK_EQ(cases[i].name, packet.family, 0);
	}
	frame_cut(&frame, 14);
	CHECK_EQ("nothing behind the Ethernet header", frame_parse(&frame, FRAME_CHECK_ALL, &packet),
		REASON_COUNT);
	frame_make_arp("192.0.2.1", "192.0.2.2", &frame);
	CHECK_EQ("an ARP request", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
	CHECK_EQ("an ARP request", packet.infrastructure, INFRASTRUCTURE_ARP);
	frame_cut(&frame, 41);
	CHECK_EQ("an ARP request without its last byte", frame_parse(&frame, FRAME_CHECK_ALL, &packet),
		REASON_TRUNCATED);
	CHECK_EQ("what is truncated is not infrastructure", packet.kind, PACKET_KIND_OTHER);
	frame_cut(&frame, 21);
	CHECK_EQ("an ARP request that does not say its lengths", frame_parse(&frame, 0, &packet),
		REASON_TRUNCATED);
}

/* Frames that use every part of the parser. A frame cut before the end of the datagram must be refused; so
 * must a head cut before the payload (its caller broke the promise of packet.h; that must be safe all the
 * same). */
static void test_cut_everywhere(void)
{
	static const uint8_t options[12] = {7, 7, 4, 0, 0, 0, 0, 1, 0x94, 4, 0, 0};
	static const uint8_t tcp_options[20] = {
		2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7};
	static const struct {
		const char *name;
		struct frame_spec spec;
	} cases[] = {
		{"a SYN with all options behind IPv4 options and two tags",
			{.n_vlans = 2,
				.ip_options = options,
				.ip_options_bytes = 12,
				.tcp_options = tcp_options,
				.tcp_options_bytes = 20,
				.payload_bytes = 3}},
		{"UDP over IPv4", {.protocol = 17, .payload_bytes = 5}},
		{"a chain of extension headers before TCP",
			{.source = "2001:db8::1",
				.destination = "2001:db8::2",
				.n_extensions = 3,
				.extensions = {{.type = 0, .units = 1, .body = "\x01\x0c", .body_bytes = 2},
					{.type = 51, .units = 4},
					{.type = 60, .body = "\x01\x04", .body_bytes = 2}},
				.tcp_options = tcp_options,
				.tcp_options_bytes = 20}},
		{"a fragment of UDP over IPv6", {.source = "2001:db8::1",
							.destination = "2001:db8::2",
							.protocol = 17,
							.payload_bytes = 64,
							.more_fragments = true,
							.fragment_bytes = 24}},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct frame frame, cut;
		struct packet packet;

		frame_make(&cases[i].spec, &frame);
		CHECK_EQ(cases[i].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
		for (uint32_t n = 0; n < frame.n; n++) {
			uint8_t *head = malloc(n ? n : 1);

			cut = frame;
			frame_cut(&cut, n);
			if (!CHECK_EQ(cases[i].name, frame_parse(&cut, FRAME_CHECK_ALL, &packet),
				    REASON_TRUNCATED))
				CHECK_FAIL(cases[i].name, "cut at %u", n);
			memcpy(head, frame.bytes, n);
			if ((packet_parse(head, n, NULL, 0, frame.n, 0, &packet) == REASON_COUNT) !=
				(n >= frame.payload))
				CHECK_FAIL(
					cases[i].name, "head cut at %u, headers end at %u", n, frame.payload);
			free(head);
		}
	}
}

/* The same frame in two or three segments that meet at every place gives the same packet, checksum included.
 */
static void test_segments(void)
{
	struct frame frame;
	struct packet whole, packet;

	frame_make(&(struct frame_spec){.payload_bytes = 600, .n_vlans = 1}, &frame);
	CHECK_EQ("in one piece", frame_parse(&frame, FRAME_CHECK_ALL, &whole), REASON_COUNT);
	for (uint32_t cut = 0; cut <= frame.n; cut++) {
		uint32_t middle = (frame.n - cut) / 3;
		struct packet_segment segments[3] = {
			{.data = frame.bytes, .bytes = cut},
			{.data = frame.bytes + cut, .bytes = middle},
			{.data = frame.bytes + cut + middle, .bytes = frame.n - cut - middle},
		};
		enum reason reason = packet_parse(
			frame.bytes, PACKET_HEADER_BYTES_MAX, segments, 3, frame.n, FRAME_CHECK_ALL, &packet);

		if (!CHECK_EQ("in three pieces", reason, REASON_COUNT))
			CHECK_FAIL("in three pieces", "cut at %u", cut);
		CHECK_MEM_EQ("in three pieces", &packet, &whole, sizeof(packet));
	}
	frame.bytes[frame.n - 1] ^= 1;
	CHECK_EQ("a wrong bit in the last segment", frame_parse(&frame, FRAME_CHECK_ALL, &packet),
		REASON_BAD_TCP_CHECKSUM);
	CHECK_EQ("is not looked for unasked", frame_parse(&frame, 0, &packet), REASON_COUNT);
}

/* The definition in RFC 1071, a byte at a time. */
static uint16_t reference_sum(const uint8_t *data, uint32_t bytes)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < bytes; i++) {
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return (uint16_t)sum;
}

static void test_checksum(void)
{
	static const uint8_t rfc1071[8] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
	uint8_t data[1600], stored[2];
	uint32_t random = 1;
	uint16_t sum = packet_checksum_fold(packet_checksum_add(0, rfc1071, sizeof(rfc1071)));

	memcpy(stored, &sum, 2);
	CHECK_EQ("the example of RFC 1071: ddf2", stored[0] << 8 | stored[1], 0xddf2);
	for (uint32_t i = 0; i < sizeof(data); i++) {
		random = random * 1664525 + 1013904223;
		data[i] = (uint8_t)(random >> 24);
	}
	for (uint32_t n = 0; n < sizeof(data); n++) {
		sum = packet_checksum_fold(packet_checksum_add(0, data + n % 3, n - n % 3));
		memcpy(stored, &sum, 2);
		CHECK_EQ("any length and alignment", stored[0] << 8 | stored[1],
			reference_sum(data + n % 3, n - n % 3));
		CHECK_EQ("with and without vectors",
			packet_checksum_fold(packet_checksum_add_scalar(UINT64_MAX - n, data + n % 3, n - n % 3)),
			packet_checksum_fold(packet_checksum_add(UINT64_MAX - n, data + n % 3, n - n % 3)));
	}
	memset(data, 0xff, sizeof(data));
	CHECK_EQ("all ones carry all the way", packet_checksum_fold(packet_checksum_add(0, data, 1500)),
		0xffff);
	CHECK_EQ("nothing but zeros stays 0",
		packet_checksum_fold(packet_checksum_add(0, memset(data, 0, sizeof(data)), 1500)), 0);
}

static void test_checksum_segments(void)
{
	const uint8_t data[6] = {1, 2, 3, 4, 5, 6};
	struct packet_segment segments[2] = {{data, 3}, {data + 3, 3}};
	struct packet_segment many[PACKET_SEGMENTS_MAX + 1];
	uint64_t sum = 5;

	CHECK_FALSE("segments that end too early are said so",
		packet_checksum_add_segments(segments, 2, 2, 5, &sum));
	CHECK_EQ("and the sum is left alone", sum, 5);
	CHECK_FALSE("an offset behind them all", packet_checksum_add_segments(segments, 2, 7, 1, &sum));
	CHECK_TRUE("no bytes are always there", packet_checksum_add_segments(segments, 2, 6, 0, &sum));
	CHECK_EQ("and add nothing", sum, 5);
	CHECK_FALSE("one segment may end too early, too", packet_checksum_add_segments(segments, 1, 2, 2, &sum));
	CHECK_FALSE("or before the offset", packet_checksum_add_segments(segments, 1, 4, 1, &sum));
	CHECK_FALSE("however long it is asked for", packet_checksum_add_segments(segments, 1, 2, UINT32_MAX, &sum));
	CHECK_EQ("and the sum is left alone, too", sum, 5);
	CHECK_TRUE("all of one segment", packet_checksum_add_segments(segments, 1, 0, 3, &sum));
	sum = 5;
	for (unsigned i = 0; i < CHECK_COUNT(many); i++)
		many[i] = (struct packet_segment){data, 1};
	CHECK_TRUE("as many segments as there may be",
		packet_checksum_add_segments(many, CHECK_COUNT(many), 0, PACKET_SEGMENTS_MAX, &sum));
	CHECK_FALSE("one more is not looked at",
		packet_checksum_add_segments(many, CHECK_COUNT(many), 0, PACKET_SEGMENTS_MAX + 1, &sum));
}

static const struct check_test tests[] = {
	{"Ethernet addresses and VLAN tags are judged", test_ethernet},
	{"what is not IP is infrastructure of its type", test_infrastructure},
	{"a frame cut anywhere is refused and nothing is read behind it", test_cut_everywhere},
	{"segments may meet anywhere", test_segments},
	{"the Internet checksum is that of RFC 1071", test_checksum},
	{"a checksum over segments that are too short fails", test_checksum_segments},
};
CHECK_MAIN("packet", tests)
