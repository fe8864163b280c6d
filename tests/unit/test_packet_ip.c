// SPDX-License-Identifier: BSD-3-Clause
/* Tests of the parser's IP layer: IPv4 header, options and sources, IPv6 header and extension headers,
 * fragments of both.
 */
#include "tests/check.h"
#include "tests/frame_parse.h"

#define V6 .source = "2001:db8::1", .destination = "2001:db8::2"

static void check_specs(const char *name, const struct frame_spec *spec, enum reason expected)
{
	struct frame frame;
	struct packet packet;

	frame_make(spec, &frame);
	CHECK_EQ(name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), expected);
}

static void test_ipv4_header(void)
{
	static const struct {
		const char *name;
		uint8_t offset, value; /* a byte of the IP header */
		enum reason expected;
	} cases[] = {
		{"nothing changed", 0, 0x45, REASON_COUNT},
		{"version 6 in a frame of IPv4", 0, 0x65, REASON_BAD_IP_HEADER},
		{"version 0", 0, 0x05, REASON_BAD_IP_HEADER},
		{"a header of 16 bytes", 0, 0x44, REASON_BAD_IP_HEADER},
		{"a header longer than the total length", 0, 0x4f, REASON_BAD_IP_HEADER},
		{"a total length of 19", 3, 19, REASON_BAD_IP_HEADER},
		{"a total length of 20 leaves no TCP header", 3, 20, REASON_TRUNCATED},
		{"a total length that cuts the TCP header", 3, 39, REASON_TRUNCATED},
		{"a total length one longer than the frame", 3, 41, REASON_TRUNCATED},
		{"a total length far longer than the frame", 2, 0xff, REASON_TRUNCATED},
		{"any type of service", 1, 0xff, REASON_COUNT},
		{"time to live 0 is for a router to judge", 8, 0, REASON_COUNT},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct frame frame;
		struct packet packet;

		frame_make(&(struct frame_spec){0}, &frame);
		frame.bytes[frame.l3 + cases[i].offset] = cases[i].value;
		frame_checksum(&frame, 6);
		CHECK_EQ(cases[i].name, frame_parse(&frame, PACKET_CHECK_IP, &packet), cases[i].expected);
	}
}

static void test_ipv4_checksum(void)
{
	struct frame frame;
	struct packet packet;

	frame_make(&(struct frame_spec){0}, &frame);
	frame.bytes[frame.l3 + 10] ^= 0x10;
	CHECK_EQ("a wrong header checksum", frame_parse(&frame, FRAME_CHECK_ALL, &packet),
		REASON_BAD_IP_CHECKSUM);
	CHECK_EQ("still tells its source", address_v4(&packet.source), 0xc0000201);
	CHECK_EQ("a check that is not asked for", frame_parse(&frame, PACKET_CHECK_TRANSPORT, &packet),
		REASON_COUNT);
}

static void test_addresses(void)
{
	static const struct {
		const char *name, *source, *destination;
		enum reason expected;
	} cases[] = {
		{"public addresses", "192.0.2.1", "198.51.100.1", REASON_COUNT},
		{"private and link-local sources are sources", "169.254.1.1", "10.0.0.1", REASON_COUNT},
		{"the last unicast source", "223.255.255.255", "10.0.0.1", REASON_COUNT},
		{"the first multicast source", "224.0.0.0", "10.0.0.1", REASON_BAD_IP_SOURCE},
		{"the last multicast source", "239.255.255.255", "10.0.0.1", REASON_BAD_IP_SOURCE},
		{"class E", "240.0.0.1", "10.0.0.1", REASON_BAD_IP_SOURCE},
		{"broadcast", "255.255.255.255", "10.0.0.1", REASON_BAD_IP_SOURCE},
		{"loopback", "127.0.0.1", "10.0.0.1", REASON_BAD_IP_SOURCE},
		{"all of 127/8", "127.255.0.9", "10.0.0.1", REASON_BAD_IP_SOURCE},
		{"around 127/8", "128.0.0.0", "10.0.0.1", REASON_COUNT},
		{"unspecified", "0.0.0.0", "10.0.0.1", REASON_BAD_IP_SOURCE},
		{"this network", "0.1.2.3", "10.0.0.1", REASON_BAD_IP_SOURCE},
		{"the first host behind it", "1.0.0.0", "10.0.0.1", REASON_COUNT},
		{"source and destination alike", "10.0.0.1", "10.0.0.1", REASON_BAD_IP_SOURCE},
		{"v6 public", "2001:db8::1", "2001:db8::2", REASON_COUNT},
		{"v6 link-local", "fe80::1", "fe80::2", REASON_COUNT},
		{"v6 multicast", "ff02::1", "2001:db8::2", REASON_BAD_IP_SOURCE},
		{"v6 loopback", "::1", "2001:db8::2", REASON_BAD_IP_SOURCE},
		{"v6 unspecified", "::", "2001:db8::2", REASON_BAD_IP_SOURCE},
		{"v6 source and destination alike", "2001:db8::2", "2001:db8::2", REASON_BAD_IP_SOURCE},
		{"an IPv4-mapped source stands for nobody's IPv4", "::ffff:192.0.2.1", "2001:db8::2",
			REASON_BAD_IP_SOURCE},
		{"an IPv4-mapped destination is IPv4 under the wrong version", "2001:db8::1",
			"::ffff:192.0.2.1", REASON_BAD_IP_HEADER},
		{"IPv4-compatible addresses are gone", "::2", "2001:db8::2", REASON_BAD_IP_SOURCE},
		{"all of ::/96", "::ffff:ffff", "2001:db8::2", REASON_BAD_IP_SOURCE},
		{"behind ::/96", "::1:0:0", "2001:db8::2", REASON_COUNT},
		{"before the mapped ones", "::fffe:c000:201", "2001:db8::2", REASON_COUNT},
		{"the last multicast of IPv6", "ffff:ffff::1", "2001:db8::2", REASON_BAD_IP_SOURCE},
		{"below multicast of IPv6", "feff::1", "2001:db8::2", REASON_COUNT},
		{"6to4 of a public address", "2002:c000:201::1", "2001:db8::2", REASON_COUNT},
		{"6to4 of a multicast address", "2002:e000:1::1", "2001:db8::2", REASON_BAD_IP_SOURCE},
		{"6to4 of loopback", "2002:7f00:1::1", "2001:db8::2", REASON_BAD_IP_SOURCE},
		{"6to4 of broadcast", "2002:ffff:ffff::1", "2001:db8::2", REASON_BAD_IP_SOURCE},
		{"6to4 of nobody", "2002::1", "2001:db8::2", REASON_BAD_IP_SOURCE},
		{"behind 6to4", "2003:e000:1::1", "2001:db8::2", REASON_COUNT},
		{"NAT64 of a public address", "64:ff9b::c000:201", "2001:db8::2", REASON_COUNT},
		{"NAT64 of a multicast address", "64:ff9b::e000:1", "2001:db8::2", REASON_BAD_IP_SOURCE},
		{"NAT64 of loopback", "64:ff9b::7f00:1", "2001:db8::2", REASON_BAD_IP_SOURCE},
		{"NAT64 of broadcast", "64:ff9b::ffff:ffff", "2001:db8::2", REASON_BAD_IP_SOURCE},
		{"a network's own NAT64 prefix", "64:ff9b:1::e000:1", "2001:db8::2", REASON_COUNT},
		{"an address of DNS answers", "192.0.0.170", "10.0.0.1", REASON_BAD_IP_SOURCE},
		{"the other one", "192.0.0.171", "10.0.0.1", REASON_BAD_IP_SOURCE},
		{"before them", "192.0.0.169", "10.0.0.1", REASON_COUNT},
		{"behind them", "192.0.0.172", "10.0.0.1", REASON_COUNT},
		{"a private source is somebody's network", "192.168.1.1", "10.0.0.1", REASON_COUNT},
		{"so is a shared one", "100.64.0.1", "10.0.0.1", REASON_COUNT},
		{"a link-local one", "169.254.1.1", "10.0.0.1", REASON_COUNT},
		{"one for benchmarks", "198.18.0.1", "10.0.0.1", REASON_COUNT},
		{"one for documents", "203.0.113.1", "10.0.0.1", REASON_COUNT},
		{"a unique local one", "fd00::1", "2001:db8::2", REASON_COUNT},
		{"and a link-local one of IPv6", "fe80::1", "2001:db8::2", REASON_COUNT},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct address source;
		struct packet packet;
		struct frame frame;

		frame_make(
			&(struct frame_spec){.source = cases[i].source, .destination = cases[i].destination},
			&frame);
		CHECK_EQ(cases[i].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), cases[i].expected);
		CHECK_EQ(cases[i].name, packet.family, strchr(cases[i].source, ':') ? 6 : 4);
		CHECK_EQ(cases[i].name, address_parse(cases[i].source, &source), 0);
		CHECK_EQ(cases[i].name, address_compare(&packet.source, &source), 0);
	}
}

/* Hosts that have no address yet. */
static void test_unspecified(void)
{
	static const struct {
		const char *name;
		struct frame_spec spec;
		enum reason expected;
	} cases[] = {
		{"a DHCP request",
			{.source = "0.0.0.0",
				.destination = "255.255.255.255",
				.protocol = 17,
				.source_port = 68,
				.destination_port = 67,
				.payload_bytes = 240},
			REASON_COUNT},
		{"a DHCP request to one host",
			{.source = "0.0.0.0",
				.destination = "10.0.0.1",
				.protocol = 17,
				.source_port = 68,
				.destination_port = 67},
			REASON_BAD_IP_SOURCE},
		{"other UDP",
			{.source = "0.0.0.0",
				.destination = "255.255.255.255",
				.protocol = 17,
				.source_port = 69,
				.destination_port = 67},
			REASON_BAD_IP_SOURCE},
		{"an IGMP report",
			{.source = "0.0.0.0",
				.destination = "224.0.0.22",
				.protocol = 2,
				.ttl = 1,
				.payload_bytes = 8},
			REASON_COUNT},
		{"another protocol", {.source = "0.0.0.0", .protocol = 47, .payload_bytes = 8},
			REASON_BAD_IP_SOURCE},
		{"a later fragment",
			{.source = "0.0.0.0", .protocol = 17, .payload_bytes = 24, .fragment_offset = 16},
			REASON_BAD_IP_SOURCE},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct frame frame;
		struct packet packet;

		frame_make(&cases[i].spec, &frame);
		CHECK_EQ(cases[i].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), cases[i].expected);
		if (cases[i].expected == REASON_COUNT)
			CHECK_EQ(cases[i].name, packet.kind, PACKET_KIND_INFRASTRUCTURE);
	}
}

static void test_ipv4_options(void)
{
	static const struct {
		const char *name;
		uint8_t options[12], bytes;
		enum reason expected;
	} cases[] = {
		{"padding alone", {1, 1, 1, 1}, 4, REASON_COUNT},
		{"router alert", {0x94, 4, 0, 0}, 4, REASON_COUNT},
		{"record route", {7, 7, 4, 0, 0, 0, 0, 0}, 8, REASON_COUNT},
		{"an option that ends with the header", {1, 1, 1, 1, 68, 8, 5, 0, 0, 0, 0, 0}, 12,
			REASON_COUNT},
		{"rubbish behind the end of options", {0, 131, 99, 99}, 4, REASON_COUNT},
		{"loose source routing", {131, 7, 4, 10, 0, 0, 1, 0}, 8, REASON_BAD_IP_OPTIONS},
		{"strict source routing", {1, 137, 7, 4, 10, 0, 0, 1}, 8, REASON_BAD_IP_OPTIONS},
		{"an option that is nothing but its header ends the options", {1, 1, 77, 2}, 4, REASON_COUNT},
		{"an option of length 0", {7, 0, 0, 0}, 4, REASON_BAD_IP_OPTIONS},
		{"an option of length 1", {7, 1, 0, 0}, 4, REASON_BAD_IP_OPTIONS},
		{"an option one longer than the header", {7, 5, 4, 0}, 4, REASON_BAD_IP_OPTIONS},
		{"an option without a length", {1, 1, 1, 7}, 4, REASON_BAD_IP_OPTIONS},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		check_specs(cases[i].name,
			&(struct frame_spec){
				.ip_options = cases[i].options, .ip_options_bytes = cases[i].bytes},
			cases[i].expected);
}

static void test_fragments_v4(void)
{
	static const struct {
		const char *name;
		struct frame_spec spec;
		enum reason expected;
		uint8_t kind;
	} cases[] = {
		{"a first fragment of TCP with its whole header",
			{.payload_bytes = 100, .more_fragments = true, .fragment_bytes = 24}, REASON_COUNT,
			PACKET_KIND_TCP},
		{"a first fragment without the end of the TCP header",
			{.payload_bytes = 100, .more_fragments = true, .fragment_bytes = 16},
			REASON_FRAGMENT_SHORT_FIRST, 0},
		{"a first fragment without the end of the TCP options",
			{.tcp_options = "\1\1\1\1\1\1\1",
				.tcp_options_bytes = 8,
				.payload_bytes = 100,
				.more_fragments = true,
				.fragment_bytes = 24},
			REASON_FRAGMENT_SHORT_FIRST, 0},
		{"the smallest first fragment of UDP",
			{.protocol = 17, .payload_bytes = 100, .more_fragments = true, .fragment_bytes = 8},
			REASON_COUNT, PACKET_KIND_UDP},
		{"the smallest first fragment of an echo",
			{.protocol = 1,
				.icmp_type = 8,
				.payload_bytes = 100,
				.more_fragments = true,
				.fragment_bytes = 8},
			REASON_COUNT, PACKET_KIND_ICMP_ECHO},
		{"a first fragment of another protocol",
			{.protocol = 47, .payload_bytes = 100, .more_fragments = true, .fragment_bytes = 8},
			REASON_COUNT, PACKET_KIND_OTHER},
		{"a later fragment of TCP that begins in the header",
			{.payload_bytes = 100, .fragment_offset = 8}, REASON_BAD_FRAGMENT, 0},
		{"a later fragment of TCP that begins in the checksum",
			{.payload_bytes = 100, .fragment_offset = 16}, REASON_BAD_FRAGMENT, 0},
		{"a later fragment of TCP behind the fixed header",
			{.payload_bytes = 100, .fragment_offset = 24}, REASON_COUNT, PACKET_KIND_FRAGMENT},
		{"a later fragment of UDP right behind its header",
			{.protocol = 17, .payload_bytes = 100, .fragment_offset = 8}, REASON_COUNT,
			PACKET_KIND_FRAGMENT},
		{"a middle fragment that is no multiple of 8",
			{.protocol = 17,
				.payload_bytes = 100,
				.fragment_offset = 8,
				.fragment_bytes = 9,
				.more_fragments = true},
			REASON_BAD_FRAGMENT, 0},
		{"a first fragment that is no multiple of 8",
			{.protocol = 17, .payload_bytes = 100, .fragment_bytes = 15, .more_fragments = true},
			REASON_BAD_FRAGMENT, 0},
		{"a last fragment of one byte", {.protocol = 17, .payload_bytes = 9, .fragment_offset = 16},
			REASON_COUNT, PACKET_KIND_FRAGMENT},
		{"a last fragment of nothing", {.protocol = 17, .payload_bytes = 8, .fragment_offset = 16},
			REASON_BAD_FRAGMENT, 0},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct frame_spec spec = cases[i].spec;
		struct frame frame;
		struct packet packet;

		spec.fragment_id = 0xbeef;
		frame_make(&spec, &frame);
		CHECK_EQ(cases[i].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), cases[i].expected);
		CHECK_TRUE(cases[i].name, packet.is_fragment);
		CHECK_EQ(cases[i].name, packet.more_fragments, spec.more_fragments);
		CHECK_EQ(cases[i].name, packet.fragment_offset_bytes, spec.fragment_offset);
		CHECK_EQ(cases[i].name, packet.fragment_id, 0xbeef);
		if (cases[i].expected == REASON_COUNT)
			CHECK_EQ(cases[i].name, packet.kind, cases[i].kind);
		/* The same pieces over IPv6 get the same answers. */
		spec.source = "2001:db8::1";
		spec.destination = "2001:db8::2";
		if (spec.protocol == 1)
			spec.icmp_type = 128;
		frame_make(&spec, &frame);
		CHECK_EQ(cases[i].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), cases[i].expected);
		CHECK_TRUE(cases[i].name, packet.is_fragment);
		CHECK_EQ(cases[i].name, packet.fragment_offset_bytes, spec.fragment_offset);
		if (cases[i].expected == REASON_COUNT)
			CHECK_EQ(cases[i].name, packet.kind, cases[i].kind);
	}
}

/* The ping of death: the last byte would stand behind 65535. */
static void test_fragment_end(void)
{
	struct frame frame;
	struct packet packet;

	frame_make(&(struct frame_spec){.protocol = 17, .payload_bytes = 31, .fragment_offset = 8}, &frame);
	frame_put_u16(&frame, frame.l3 + 6, 0x1fff - 6);
	frame_checksum(&frame, 17);
	/* 65480 + 20 + 31 = 65531 */
	CHECK_EQ("an IPv4 datagram of 65531 bytes", frame_parse(&frame, FRAME_CHECK_ALL, &packet),
		REASON_COUNT);
	frame_put_u16(&frame, frame.l3 + 6, 0x1fff - 5);
	frame_checksum(&frame, 17);
	CHECK_EQ("one of 65539", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_BAD_FRAGMENT);
	frame_make(
		&(struct frame_spec){V6, .protocol = 17, .payload_bytes = 7, .fragment_offset = 8}, &frame);
	frame_put_u16(&frame, frame.fragment + 2, 0xfff8);
	/* Payload length 65528 + 7 = 65535 */
	CHECK_EQ("an IPv6 payload of 65535 bytes", frame_parse(&frame, FRAME_CHECK_ALL, &packet),
		REASON_COUNT);
	frame_make(
		&(struct frame_spec){V6, .protocol = 17, .payload_bytes = 8, .fragment_offset = 8}, &frame);
	frame_put_u16(&frame, frame.fragment + 2, 0xfff8);
	CHECK_EQ("one of 65536", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_BAD_FRAGMENT);
	frame_make(&(struct frame_spec){V6, .protocol = 17, .payload_bytes = 7, .fragment_offset = 8,
			   .n_extensions = 1, .extensions_before_fragment = 1,
			   .extensions = {{.type = 60, .body = "\1\4", .body_bytes = 2}}},
		&frame);
	frame_put_u16(&frame, frame.fragment + 2, 0xfff8);
	CHECK_EQ("headers before the fragment header count", frame_parse(&frame, FRAME_CHECK_ALL, &packet),
		REASON_BAD_FRAGMENT);
}

static void test_ipv6_header(void)
{
	struct frame frame;
	struct packet packet;

	frame_make(&(struct frame_spec){V6}, &frame);
	frame.bytes[frame.l3] = 0x40;
	CHECK_EQ("version 4 in a frame of IPv6", frame_parse(&frame, FRAME_CHECK_ALL, &packet),
		REASON_BAD_IP_HEADER);
	frame_make(&(struct frame_spec){V6}, &frame);
	frame_put_u16(&frame, frame.l3 + 4, 0);
	CHECK_EQ("TCP in a payload of nothing", frame_parse(&frame, FRAME_CHECK_ALL, &packet),
		REASON_BAD_IP_HEADER);
	frame.bytes[frame.l3 + 6] = 59;
	CHECK_EQ("no next header in a payload of nothing", frame_parse(&frame, FRAME_CHECK_ALL, &packet),
		REASON_COUNT);
	CHECK_EQ("is another protocol", packet.kind, PACKET_KIND_OTHER);
	frame_make(&(struct frame_spec){V6}, &frame);
	frame_put_u16(&frame, frame.l3 + 4, 19);
	CHECK_EQ("a payload that cuts the TCP header", frame_parse(&frame, FRAME_CHECK_ALL, &packet),
		REASON_TRUNCATED);
	frame_put_u16(&frame, frame.l3 + 4, 21);
	CHECK_EQ("a payload one longer than the frame", frame_parse(&frame, FRAME_CHECK_ALL, &packet),
		REASON_TRUNCATED);
	frame_put_u16(&frame, frame.l3 + 4, 65535);
	CHECK_EQ("the longest payload", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_TRUNCATED);
	frame_make(&(struct frame_spec){V6, .protocol = 50, .payload_bytes = 16}, &frame);
	CHECK_EQ("ESP cannot be looked into", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
	CHECK_EQ("ESP cannot be looked into", packet.kind, PACKET_KIND_OTHER);
}

#define PAD4 \
	{ \
		.type = 60, .body = "\x01\x04", .body_bytes = 2 \
	}

static void test_extensions(void)
{
	static const struct {
		const char *name;
		uint8_t n;
		struct frame_extension extensions[FRAME_EXTENSIONS_MAX];
		enum reason expected;
	} cases[] = {
		{"hop-by-hop first", 1, {{.type = 0, .body = "\x05\x02\0\0", .body_bytes = 4}}, REASON_COUNT},
		{"hop-by-hop second", 2, {PAD4, {.type = 0}}, REASON_BAD_EXTENSION_CHAIN},
		{"padding byte by byte", 1, {{.type = 60}}, REASON_COUNT},
		{"eight headers", 8, {PAD4, PAD4, PAD4, PAD4, PAD4, PAD4, PAD4, PAD4}, REASON_COUNT},
		{"nine headers", 9, {PAD4, PAD4, PAD4, PAD4, PAD4, PAD4, PAD4, PAD4, PAD4},
			REASON_BAD_EXTENSION_CHAIN},
		{"an option that runs past its header", 1,
			{{.type = 60, .body = "\x01\x05", .body_bytes = 2}}, REASON_BAD_EXTENSION_CHAIN},
		{"an option without a length", 1,
			{{.type = 60, .body = "\x01\x03\0\0\0\x01", .body_bytes = 6}},
			REASON_BAD_EXTENSION_CHAIN},
		{"a jumbo payload option", 1, {{.type = 0, .body = "\xc2\x04\0\x01\0\0", .body_bytes = 6}},
			REASON_BAD_EXTENSION_CHAIN},
		{"routing type 0, even with nothing left", 1,
			{{.type = 43, .units = 2, .body = "\0\0", .body_bytes = 2}},
			REASON_BAD_EXTENSION_CHAIN},
		{"routing type 2 with nothing left", 1,
			{{.type = 43, .units = 2, .body = "\2\0", .body_bytes = 2}}, REASON_COUNT},
		{"routing type 2 with one segment left", 1,
			{{.type = 43, .units = 2, .body = "\2\1", .body_bytes = 2}},
			REASON_BAD_EXTENSION_CHAIN},
		{"segment routing on its way", 1, {{.type = 43, .units = 4, .body = "\4\1", .body_bytes = 2}},
			REASON_BAD_EXTENSION_CHAIN},
		{"an authentication header is skipped", 1, {{.type = 51, .units = 4}}, REASON_COUNT},
		{"the shortest authentication header", 1, {{.type = 51, .units = 1}}, REASON_COUNT},
		{"an authentication header of 8 bytes is none", 1, {{.type = 51, .units = 0}},
			REASON_BAD_EXTENSION_CHAIN},
		{"headers that reach out of sight", 1, {{.type = 60, .units = 60}},
			REASON_BAD_EXTENSION_CHAIN},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct frame_spec spec = {V6, .n_extensions = cases[i].n, .payload_bytes = 3};
		struct frame frame;
		struct packet packet;

		memcpy(spec.extensions, cases[i].extensions, sizeof(spec.extensions));
		frame_make(&spec, &frame);
		CHECK_EQ(cases[i].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), cases[i].expected);
		if (cases[i].expected != REASON_COUNT)
			continue;
		CHECK_EQ(cases[i].name, packet.kind, PACKET_KIND_TCP);
		CHECK_EQ(cases[i].name, packet.l4_offset, frame.l4);
		CHECK_EQ(cases[i].name, packet.payload_bytes, 3);
	}
}

static void test_extension_out_of_sight(void)
{
	struct frame frame;
	struct packet packet;

	/* 14 + 40 + 456 = 510: the extension ends 2 bytes before the end of the head, and TCP follows. */
	frame_make(&(struct frame_spec){V6, .n_extensions = 1, .extensions = {{.type = 60, .units = 56}},
			   .payload_bytes = 9},
		&frame);
	CHECK_EQ("the chain ends in the head, TCP begins behind it",
		frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_BAD_EXTENSION_CHAIN);
	/* 14 + 40 + 440 = 494: TCP would end at 514, which is the end of the datagram too. */
	frame_make(&(struct frame_spec){V6, .n_extensions = 1, .extensions = {{.type = 60, .units = 54}}},
		&frame);
	CHECK_EQ("the same without a payload", frame_parse(&frame, FRAME_CHECK_ALL, &packet),
		REASON_BAD_EXTENSION_CHAIN);
	frame_make(&(struct frame_spec){V6, .n_extensions = 1, .extensions = {{.type = 60}}}, &frame);
	frame.bytes[frame.l4 - 7] = 200;
	CHECK_EQ("an extension longer than the payload", frame_parse(&frame, FRAME_CHECK_ALL, &packet),
		REASON_BAD_EXTENSION_CHAIN);
	frame_make(&(struct frame_spec){V6, .protocol = 60, .payload_bytes = 7}, &frame);
	CHECK_EQ("an extension of 7 bytes", frame_parse(&frame, FRAME_CHECK_ALL, &packet),
		REASON_BAD_EXTENSION_CHAIN);
}

static void test_fragments_v6(void)
{
	static const struct {
		const char *name;
		struct frame_spec spec;
		enum reason expected;
		bool is_fragment;
	} cases[] = {
		{"an atomic fragment is a whole packet", {V6, .fragment_header = true, .payload_bytes = 5},
			REASON_COUNT, false},
		{"a chain that ends in the first fragment",
			{V6, .payload_bytes = 100, .n_extensions = 1, .extensions = {PAD4},
				.more_fragments = true, .fragment_bytes = 32},
			REASON_COUNT, true},
		{"a chain that the first fragment cuts inside an extension",
			{V6, .payload_bytes = 100, .n_extensions = 1,
				.extensions = {{.type = 60, .units = 2}}, .more_fragments = true,
				.fragment_bytes = 16},
			REASON_FRAGMENT_SHORT_FIRST, true},
		{"a chain that the first fragment cuts before TCP",
			{V6, .payload_bytes = 100, .n_extensions = 1, .extensions = {PAD4},
				.more_fragments = true, .fragment_bytes = 8},
			REASON_FRAGMENT_SHORT_FIRST, true},
		{"headers before the fragment header",
			{V6, .payload_bytes = 100, .n_extensions = 1, .extensions = {{.type = 0}},
				.extensions_before_fragment = 1, .more_fragments = true,
				.fragment_bytes = 24},
			REASON_COUNT, true},
		{"a later fragment whose next header is an extension",
			{V6, .payload_bytes = 100, .n_extensions = 1, .extensions = {PAD4},
				.fragment_offset = 48},
			REASON_COUNT, true},
		{"a fragment header in an atomic fragment",
			{V6, .fragment_header = true, .n_extensions = 1,
				.extensions = {{.type = 44, .body = "\0\0\0\0\0\1", .body_bytes = 6}}},
			REASON_BAD_EXTENSION_CHAIN, false},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct frame frame;
		struct packet packet;

		frame_make(&cases[i].spec, &frame);
		CHECK_EQ(cases[i].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), cases[i].expected);
		CHECK_EQ(cases[i].name, packet.is_fragment, cases[i].is_fragment);
	}
}

/* Ethernet pads to 60 bytes; what the IP length leaves out is nobody's. */
static void test_padding(void)
{
	struct frame frame;
	struct packet packet;

	frame_make(&(struct frame_spec){.payload_bytes = 1, .pad_to_bytes = 60}, &frame);
	memset(frame.bytes + 55, 0xee, 5);
	CHECK_EQ("rubbish in the padding", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
	CHECK_EQ("is not payload", packet.payload_bytes, 1);
	CHECK_EQ("nor IP", packet.l3_bytes, 41);
	CHECK_EQ("but was on the wire", packet.wire_bytes, 60);
}

static const struct check_test tests[] = {
	{"the IPv4 header's lengths and version", test_ipv4_header},
	{"the IPv4 header checksum is checked when asked", test_ipv4_checksum},
	{"sources that cannot send are refused", test_addresses},
	{"a host without an address may ask for one", test_unspecified},
	{"IPv4 options stay in the header and route nothing", test_ipv4_options},
	{"fragments, IPv4 and IPv6 alike", test_fragments_v4},
	{"no fragment reaches past 65535", test_fragment_end},
	{"the IPv6 header's lengths and version", test_ipv6_header},
	{"IPv6 extension headers", test_extensions},
	{"IPv6 extension headers that reach too far", test_extension_out_of_sight},
	{"fragments with extension headers, and atomic ones", test_fragments_v6},
	{"padding is ignored", test_padding},
};
CHECK_MAIN("packet_ip", tests)
