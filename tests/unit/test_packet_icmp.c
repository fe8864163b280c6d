// SPDX-License-Identifier: BSD-3-Clause
/* Tests of the parser's ICMP part: kinds, checksums, the packet that an error quotes, neighbour discovery,
 * MLD.
 */
#include "tests/check.h"
#include "tests/frame_parse.h"

#define V6           .source = "2001:db8::1", .destination = "2001:db8::2"
#define ROUTER_ALERT .n_extensions = 1, .extensions = {{.type = 0, .body = "\x05\x02\0\0\1", .body_bytes = 5}}
#define ND           .ttl = 255, .protocol = 58
#define SOLICITED    "ff02::1:ff00:2"
#define TARGET       "\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\2"
#define TARGET_GROUP "\xff\x02\0\0\0\0\0\0\0\0\0\0\0\0\0\2"
#define LINK_ADDRESS "\1\1\2\0\0\0\0\1"

static void test_kinds(void)
{
	static const struct {
		const char *name;
		struct frame_spec spec;
		enum packet_kind kind;
	} cases[] = {
		{"an echo request", {.protocol = 1, .icmp_type = 8, .payload_bytes = 56},
			PACKET_KIND_ICMP_ECHO},
		{"an echo reply", {.protocol = 1, .icmp_type = 0}, PACKET_KIND_ICMP_ECHO},
		{"a v6 echo request", {V6, .protocol = 58, .icmp_type = 128}, PACKET_KIND_ICMP_ECHO},
		{"a v6 echo reply", {V6, .protocol = 58, .icmp_type = 129}, PACKET_KIND_ICMP_ECHO},
		{"unreachable", {.protocol = 1, .icmp_type = 3}, PACKET_KIND_ICMP_ERROR},
		{"source quench", {.protocol = 1, .icmp_type = 4}, PACKET_KIND_ICMP_ERROR},
		{"a redirect", {.protocol = 1, .icmp_type = 5}, PACKET_KIND_ICMP_ERROR},
		{"time exceeded", {.protocol = 1, .icmp_type = 11}, PACKET_KIND_ICMP_ERROR},
		{"parameter problem", {.protocol = 1, .icmp_type = 12}, PACKET_KIND_ICMP_ERROR},
		{"v6 unreachable", {V6, .protocol = 58, .icmp_type = 1}, PACKET_KIND_ICMP_ERROR},
		{"v6 too big", {V6, .protocol = 58, .icmp_type = 2}, PACKET_KIND_ICMP_ERROR},
		{"v6 parameter problem", {V6, .protocol = 58, .icmp_type = 4}, PACKET_KIND_ICMP_ERROR},
		{"a timestamp request", {.protocol = 1, .icmp_type = 13, .payload_bytes = 12},
			PACKET_KIND_OTHER},
		{"v6 type 0", {V6, .protocol = 58, .icmp_type = 0}, PACKET_KIND_OTHER},
		{"v6 type 5", {V6, .protocol = 58, .icmp_type = 5}, PACKET_KIND_OTHER},
		{"ICMPv6 over IPv4 is another protocol", {.protocol = 58, .icmp_type = 128},
			PACKET_KIND_OTHER},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct frame_spec spec = cases[i].spec;
		struct frame frame;
		struct packet packet;

		spec.icmp_word = 0xabcd0001;
		frame_make(&spec, &frame);
		CHECK_EQ(cases[i].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
		CHECK_EQ(cases[i].name, packet.kind, cases[i].kind);
		CHECK_FALSE(cases[i].name, packet.quoted_valid);
		if (packet.kind == PACKET_KIND_ICMP_ECHO) {
			CHECK_EQ(cases[i].name, packet.source_port, 0xabcd);
			CHECK_EQ(cases[i].name, packet.destination_port, 0xabcd);
		}
		if (spec.protocol == 58 && !spec.source)
			continue;
		CHECK_EQ(cases[i].name, packet.icmp_type, spec.icmp_type);
		frame.bytes[frame.l4 + 5] ^= 1;
		CHECK_EQ("with a wrong checksum", frame_parse(&frame, FRAME_CHECK_ALL, &packet),
			REASON_BAD_ICMP);
		frame.bytes[frame.l4 + 5] ^= 1;
		/* An IP payload of 7 bytes. */
		frame_put_u16(&frame, frame.l3 + (spec.source ? 4 : 2), spec.source ? 7 : 27);
		frame_checksum(&frame, 0);
		CHECK_EQ("cut to 7 bytes", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_BAD_ICMP);
	}
}

/* An error from a router (`from`) to the sender of `quote`, of which `quote_bytes` are quoted (0: all). */
static enum reason parse_error(
	const char *from, const struct frame_spec *quote, uint16_t quote_bytes, struct packet *ret_packet)
{
	struct frame inner, frame;
	bool v6 = quote->source && strchr(quote->source, ':');

	frame_make(quote, &inner);
	frame_make(&(struct frame_spec){.source = from,
			   .destination = quote->source ? quote->source : "192.0.2.1",
			   .protocol = 1,
			   .icmp_type = v6 ? 2 : 3,
			   .icmp_code = v6 ? 0 : 4,
			   .icmp_word = 1280,
			   .payload = inner.bytes + inner.l3,
			   .payload_bytes = quote_bytes ? quote_bytes : (uint16_t)(inner.n - inner.l3)},
		&frame);
	return frame_parse(&frame, FRAME_CHECK_ALL, ret_packet);
}

static void test_quotes(void)
{
	static const char record_route[] = "\7\7\4\0\0\0\0";
	static const struct {
		const char *name;
		struct frame_spec quote;
		uint16_t quote_bytes;
		bool valid;
	} cases[] = {
		{"a whole TCP segment", {.payload_bytes = 100}, 0, true},
		{"the least that RFC 792 asks for", {.payload_bytes = 100}, 28, true},
		{"one byte less", {.payload_bytes = 100}, 27, false},
		{"an IP header alone", {.payload_bytes = 100}, 20, false},
		{"half an IP header", {.payload_bytes = 100}, 19, false},
		{"IPv4 options are skipped", {.ip_options = record_route, .ip_options_bytes = 8}, 36, true},
		{"IPv4 options count", {.ip_options = record_route, .ip_options_bytes = 8}, 35, false},
		{"a UDP datagram", {.protocol = 17, .payload_bytes = 1000}, 200, true},
		{"a first fragment",
			{.protocol = 17, .payload_bytes = 100, .more_fragments = true, .fragment_bytes = 80},
			0, true},
		{"a later fragment has no ports",
			{.protocol = 17, .payload_bytes = 100, .fragment_offset = 8}, 0, false},
		{"a v6 TCP segment", {V6, .payload_bytes = 100}, 0, true},
		{"the least of it", {V6, .payload_bytes = 100}, 48, true},
		{"one byte less of it", {V6, .payload_bytes = 100}, 47, false},
		{"half a v6 header", {V6}, 39, false},
		{"a short chain",
			{V6, .protocol = 17, .payload_bytes = 9, .n_extensions = 3,
				.extensions = {{.type = 0},
					{.type = 43, .units = 2, .body = "\2\0", .body_bytes = 2},
					{.type = 51, .units = 4}}},
			0, true},
		{"a chain that is cut", {V6, .n_extensions = 1, .extensions = {{.type = 60, .units = 3}}}, 70,
			false},
		{"a chain that is cut at once", {V6, .n_extensions = 1, .extensions = {{.type = 60}}}, 44,
			false},
		{"a v6 first fragment",
			{V6, .protocol = 17, .payload_bytes = 100, .more_fragments = true,
				.fragment_bytes = 80},
			0, true},
		{"a v6 later fragment", {V6, .protocol = 17, .payload_bytes = 100, .fragment_offset = 8}, 0,
			false},
		{"as many v6 headers as a packet may have",
			{V6, .n_extensions = 8,
				.extensions = {{.type = 60}, {.type = 60}, {.type = 60}, {.type = 60},
					{.type = 60}, {.type = 60}, {.type = 60}, {.type = 60}}},
			0, true},
		{"too many v6 headers",
			{V6, .n_extensions = 9,
				.extensions = {{.type = 60}, {.type = 60}, {.type = 60}, {.type = 60},
					{.type = 60}, {.type = 60}, {.type = 60}, {.type = 60},
					{.type = 60}}},
			0, false},
		{"another v6 protocol", {V6, .protocol = 132, .payload_bytes = 20}, 0, false},
		{"a mapped v6 destination", {.source = "2001:db8::1", .destination = "::ffff:1.2.3.4"}, 0,
			false},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct frame_spec quote = cases[i].quote;
		bool v6 = quote.source;
		struct address source, destination;
		struct packet packet;

		quote.sequence = 0x01020304;
		CHECK_EQ(cases[i].name,
			parse_error(v6 ? "2001:db8:ffff::1" : "203.0.113.1", &quote, cases[i].quote_bytes,
				&packet),
			REASON_COUNT);
		CHECK_EQ(cases[i].name, packet.kind, PACKET_KIND_ICMP_ERROR);
		if (!CHECK_EQ(cases[i].name, packet.quoted_valid, cases[i].valid) || !cases[i].valid)
			continue;
		address_parse(v6 ? "2001:db8::1" : "192.0.2.1", &source);
		address_parse(v6 ? "2001:db8::2" : "198.51.100.1", &destination);
		CHECK_EQ(cases[i].name, packet.quoted_protocol, quote.protocol ? quote.protocol : 6);
		CHECK_EQ(cases[i].name, packet.quoted_offset, v6 ? 62 : 42);
		CHECK_EQ(cases[i].name, address_compare(&packet.quoted_source, &source), 0);
		CHECK_EQ(cases[i].name, address_compare(&packet.quoted_destination, &destination), 0);
		CHECK_EQ(cases[i].name, packet.quoted_source_port, 40000);
		CHECK_EQ(cases[i].name, packet.quoted_destination_port, 30303);
		CHECK_EQ(cases[i].name, packet.quoted_tcp_sequence, quote.protocol == 17 ? 0 : 0x01020304);
	}
}

static void test_odd_quotes(void)
{
	static const uint8_t versions[] = {0x65, 0x44, 0x05};
	struct frame inner, frame;
	struct packet packet;

	for (size_t i = 0; i < CHECK_COUNT(versions); i++) {
		frame_make(&(struct frame_spec){.payload_bytes = 20}, &inner);
		inner.bytes[inner.l3] = versions[i];
		frame_make(&(struct frame_spec){.source = "203.0.113.1",
				   .destination = "192.0.2.1",
				   .protocol = 1,
				   .icmp_type = 11,
				   .payload = inner.bytes + inner.l3,
				   .payload_bytes = 60},
			&frame);
		CHECK_EQ("a wrong first byte in the quote", frame_parse(&frame, FRAME_CHECK_ALL, &packet),
			REASON_COUNT);
		CHECK_FALSE("a wrong first byte in the quote", packet.quoted_valid);
	}
	frame_make(&(struct frame_spec){V6, .payload_bytes = 20}, &inner);
	inner.bytes[inner.l3] = 0x40;
	frame_make(&(struct frame_spec){.source = "2001:db8::9",
			   .destination = "2001:db8::1",
			   .protocol = 58,
			   .icmp_type = 3,
			   .payload = inner.bytes + inner.l3,
			   .payload_bytes = 80},
		&frame);
	CHECK_EQ("IPv4 quoted in ICMPv6", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
	CHECK_FALSE("IPv4 quoted in ICMPv6", packet.quoted_valid);
	frame_make(&(struct frame_spec){.protocol = 1, .icmp_type = 8, .icmp_word = 0x77770001}, &inner);
	frame_make(&(struct frame_spec){.source = "203.0.113.1",
			   .destination = "192.0.2.1",
			   .protocol = 1,
			   .icmp_type = 11,
			   .payload = inner.bytes + inner.l3,
			   .payload_bytes = 28},
		&frame);
	CHECK_EQ("an echo in the quote", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
	CHECK_TRUE("an echo in the quote", packet.quoted_valid);
	CHECK_EQ("tells its id", packet.quoted_source_port, 0x7777);
	frame_make(&(struct frame_spec){.source = "203.0.113.1",
			   .destination = "192.0.2.77",
			   .protocol = 1,
			   .icmp_type = 11,
			   .payload = inner.bytes + inner.l3,
			   .payload_bytes = 28},
		&frame);
	CHECK_EQ("a quote of somebody else's packet", frame_parse(&frame, FRAME_CHECK_ALL, &packet),
		REASON_COUNT);
	CHECK_FALSE("a quote of somebody else's packet", packet.quoted_valid);
}

static void test_neighbour_discovery(void)
{
	static const struct {
		const char *name;
		struct frame_spec spec;
		bool legal;
	} cases[] = {
		{"a router solicitation", {V6, ND, .icmp_type = 133}, true},
		{"a router solicitation with a link address",
			{V6, ND, .icmp_type = 133, .payload = LINK_ADDRESS, .payload_bytes = 8}, true},
		{"from nobody with a link address",
			{.source = "::",
				.destination = "ff02::2",
				ND,
				.icmp_type = 133,
				.payload = LINK_ADDRESS,
				.payload_bytes = 8},
			false},
		{"from nobody without", {.source = "::", .destination = "ff02::2", ND, .icmp_type = 133},
			true},
		{"a router advertisement",
			{.source = "fe80::1",
				.destination = "ff02::1",
				ND,
				.icmp_type = 134,
				.payload_bytes = 8},
			true},
		{"from a global address",
			{.source = "2001:db8::1",
				.destination = "ff02::1",
				ND,
				.icmp_type = 134,
				.payload_bytes = 8},
			false},
		{"from an address like a link-local one",
			{.source = "fec0::1",
				.destination = "ff02::1",
				ND,
				.icmp_type = 134,
				.payload_bytes = 8},
			false},
		{"cut short",
			{.source = "fe80::1",
				.destination = "ff02::1",
				ND,
				.icmp_type = 134,
				.payload_bytes = 7},
			false},
		{"a neighbour solicitation",
			{V6, ND, .icmp_type = 135, .payload = TARGET LINK_ADDRESS, .payload_bytes = 24},
			true},
		{"duplicate address detection",
			{.source = "::",
				.destination = SOLICITED,
				ND,
				.icmp_type = 135,
				.payload = TARGET,
				.payload_bytes = 16},
			true},
		{"the same to one host",
			{.source = "::",
				.destination = "fe80::2",
				ND,
				.icmp_type = 135,
				.payload = TARGET,
				.payload_bytes = 16},
			false},
		{"for a group", {V6, ND, .icmp_type = 135, .payload = TARGET_GROUP, .payload_bytes = 16},
			false},
		{"that crossed a router",
			{V6, .ttl = 254, .protocol = 58, .icmp_type = 135, .payload = TARGET,
				.payload_bytes = 16},
			false},
		{"with a code",
			{V6, ND, .icmp_type = 135, .icmp_code = 1, .payload = TARGET, .payload_bytes = 16},
			false},
		{"with an option of length 0",
			{V6, ND, .icmp_type = 135, .payload = TARGET "\1\0\0\0\0\0\0\0", .payload_bytes = 24},
			false},
		{"with an option that is cut",
			{V6, ND, .icmp_type = 135, .payload = TARGET "\1\2\0\0\0\0\0\0", .payload_bytes = 24},
			false},
		{"with half an option",
			{V6, ND, .icmp_type = 135, .payload = TARGET "\1", .payload_bytes = 17}, false},
		{"behind a fragment header",
			{V6, ND, .icmp_type = 135, .fragment_header = true, .payload = TARGET,
				.payload_bytes = 16},
			false},
		{"a neighbour advertisement",
			{V6, ND, .icmp_type = 136, .icmp_word = 0x60000000, .payload = TARGET,
				.payload_bytes = 16},
			true},
		{"unsolicited to all",
			{.source = "fe80::1",
				.destination = "ff02::1",
				ND,
				.icmp_type = 136,
				.icmp_word = 0x20000000,
				.payload = TARGET,
				.payload_bytes = 16},
			true},
		{"solicited by all",
			{.source = "fe80::1",
				.destination = "ff02::1",
				ND,
				.icmp_type = 136,
				.icmp_word = 0x60000000,
				.payload = TARGET,
				.payload_bytes = 16},
			false},
		{"from nobody",
			{.source = "::",
				.destination = "ff02::1",
				ND,
				.icmp_type = 136,
				.payload = TARGET,
				.payload_bytes = 16},
			false},
		{"a redirect",
			{.source = "fe80::1",
				.destination = "2001:db8::2",
				ND,
				.icmp_type = 137,
				.payload = TARGET TARGET,
				.payload_bytes = 32},
			true},
		{"a redirect from afar",
			{V6, ND, .icmp_type = 137, .payload = TARGET TARGET, .payload_bytes = 32}, false},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct frame frame;
		struct packet packet;

		frame_make(&cases[i].spec, &frame);
		CHECK_EQ(cases[i].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet),
			cases[i].legal ? REASON_COUNT : REASON_BAD_ICMP);
		CHECK_EQ(cases[i].name, packet.kind,
			cases[i].legal ? PACKET_KIND_INFRASTRUCTURE : PACKET_KIND_OTHER);
		if (cases[i].legal)
			CHECK_EQ(cases[i].name, packet.infrastructure, INFRASTRUCTURE_ND);
	}
}

static void test_multicast_listeners(void)
{
	static const struct {
		const char *name;
		struct frame_spec spec;
		enum reason expected;
	} cases[] = {
		{"a report of version 2",
			{.source = "fe80::1",
				.destination = "ff02::16",
				.protocol = 58,
				.ttl = 1,
				ROUTER_ALERT,
				.icmp_type = 143,
				.payload_bytes = 20},
			REASON_COUNT},
		{"a report before there is an address",
			{.source = "::",
				.destination = "ff02::16",
				.protocol = 58,
				.ttl = 1,
				ROUTER_ALERT,
				.icmp_type = 143,
				.payload_bytes = 20},
			REASON_COUNT},
		{"a query",
			{.source = "fe80::1",
				.destination = "ff02::1",
				.protocol = 58,
				.ttl = 1,
				ROUTER_ALERT,
				.icmp_type = 130,
				.payload_bytes = 16},
			REASON_COUNT},
		{"a query cut short",
			{.source = "fe80::1",
				.destination = "ff02::1",
				.protocol = 58,
				.ttl = 1,
				ROUTER_ALERT,
				.icmp_type = 130,
				.payload_bytes = 15},
			REASON_BAD_ICMP},
		{"without a router alert",
			{.source = "fe80::1",
				.destination = "ff02::1",
				.protocol = 58,
				.ttl = 1,
				.icmp_type = 130,
				.payload_bytes = 16},
			REASON_BAD_ICMP},
		{"with another option of the same length",
			{.source = "fe80::1",
				.destination = "ff02::1",
				.protocol = 58,
				.ttl = 1,
				.n_extensions = 1,
				.extensions = {{.type = 0, .body = "\x06\x02\0\0\1", .body_bytes = 5}},
				.icmp_type = 130,
				.payload_bytes = 16},
			REASON_BAD_ICMP},
		{"with an alert of another length",
			{.source = "fe80::1",
				.destination = "ff02::1",
				.protocol = 58,
				.ttl = 1,
				.n_extensions = 1,
				.extensions = {{.type = 0, .body = "\x05\x01\0\1\1", .body_bytes = 5}},
				.icmp_type = 130,
				.payload_bytes = 16},
			REASON_BAD_ICMP},
		{"with an alert in destination options",
			{.source = "fe80::1",
				.destination = "ff02::1",
				.protocol = 58,
				.ttl = 1,
				.n_extensions = 1,
				.extensions = {{.type = 60, .body = "\x05\x02\0\0\1", .body_bytes = 5}},
				.icmp_type = 130,
				.payload_bytes = 16},
			REASON_BAD_ICMP},
		{"with a hop limit of 2",
			{.source = "fe80::1",
				.destination = "ff02::1",
				.protocol = 58,
				.ttl = 2,
				ROUTER_ALERT,
				.icmp_type = 131,
				.payload_bytes = 16},
			REASON_BAD_ICMP},
		{"from a global address",
			{.source = "2001:db8::1",
				.destination = "ff02::1",
				.protocol = 58,
				.ttl = 1,
				ROUTER_ALERT,
				.icmp_type = 132,
				.payload_bytes = 16},
			REASON_BAD_ICMP},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct frame frame;
		struct packet packet;

		frame_make(&cases[i].spec, &frame);
		CHECK_EQ(cases[i].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), cases[i].expected);
		CHECK_EQ(cases[i].name, packet.kind == PACKET_KIND_INFRASTRUCTURE,
			cases[i].expected == REASON_COUNT);
	}
}

static const struct check_test tests[] = {
	{"each ICMP type has its kind, and a right checksum", test_kinds},
	{"the packet that an error quotes is read", test_quotes},
	{"quotes that are no packets, echoes, and of strangers", test_odd_quotes},
	{"neighbour discovery is infrastructure if it is of this link and well formed",
		test_neighbour_discovery},
	{"multicast listeners are infrastructure if they are of this link", test_multicast_listeners},
};
CHECK_MAIN("packet_icmp", tests)
