// SPDX-License-Identifier: BSD-3-Clause
/* Tests of the parser's transport layer: TCP flags, options and fingerprint, UDP lengths and checksums,
 * ports.
 */
#include "tests/check.h"
#include "tests/frame_parse.h"

#define V6 .source = "2001:db8::1", .destination = "2001:db8::2"

enum {
	F = TCP_FLAG_FIN,
	S = TCP_FLAG_SYN,
	R = TCP_FLAG_RST,
	P = TCP_FLAG_PSH,
	A = TCP_FLAG_ACK,
	U = TCP_FLAG_URG,
	E = TCP_FLAG_ECE,
	C = TCP_FLAG_CWR
};

static void test_flags(void)
{
	static const struct {
		const char *name;
		uint8_t flags;
		bool legal;
	} cases[] = {
		{"SYN", S, true},
		{"a SYN that offers ECN", S | E | C, true},
		{"SYN with PSH, as Fast Open sends it", S | P, true},
		{"SYN with URG", S | U, true},
		{"SYN+ACK", S | A, true},
		{"SYN+ACK that accepts ECN", S | A | E, true},
		{"ACK", A, true},
		{"ACK with PSH and URG", A | P | U, true},
		{"ACK that echoes congestion", A | E, true},
		{"FIN+ACK", F | A, true},
		{"FIN+ACK with PSH and URG", F | A | P | U, true},
		{"RST", R, true},
		{"RST+ACK", R | A, true},
		{"RST+ACK with PSH", R | A | P, true},
		{"none", 0, false},
		{"FIN alone", F, false},
		{"PSH alone", P, false},
		{"URG alone", U, false},
		{"ECN flags alone", E | C, false},
		{"the Christmas tree", F | P | U, false},
		{"all of them", 0xff, false},
		{"SYN+FIN", S | F, false},
		{"SYN+FIN+ACK", S | F | A, false},
		{"SYN+RST", S | R, false},
		{"SYN+RST+ACK", S | R | A, false},
		{"FIN+RST", F | R, false},
		{"FIN+RST+ACK", F | R | A, false},
		{"RST with URG", R | U, false},
		{"SYN+ACK with URG", S | A | U, false},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct frame frame;
		struct packet packet;

		frame_make(&(struct frame_spec){.tcp_flags = cases[i].flags, .tcp_flags_zero = true}, &frame);
		CHECK_EQ(cases[i].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet),
			cases[i].legal ? REASON_COUNT : REASON_BAD_TCP_FLAGS);
		CHECK_EQ(cases[i].name, packet.tcp_flags, cases[i].flags);
	}
}

static void test_tcp_fields(void)
{
	struct frame frame;
	struct packet packet;

	frame_make(&(struct frame_spec){.source_port = 1,
			   .destination_port = 65535,
			   .sequence = 0xfffffffe,
			   .acknowledgement = 0x80000001,
			   .tcp_flags = A | F,
			   .window = 777,
			   .ttl = 9,
			   .payload_bytes = 5},
		&frame);
	CHECK_EQ("a segment", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
	CHECK_EQ("its kind", packet.kind, PACKET_KIND_TCP);
	CHECK_EQ("its source port", packet.source_port, 1);
	CHECK_EQ("its destination port", packet.destination_port, 65535);
	CHECK_EQ("its sequence number", packet.tcp_sequence, 0xfffffffe);
	CHECK_EQ("its acknowledgement", packet.tcp_acknowledgement, 0x80000001);
	CHECK_EQ("its window", packet.tcp_window, 777);
	CHECK_EQ("its time to live", packet.ttl, 9);
	CHECK_EQ("its payload", packet.payload_bytes, 5);
	CHECK_EQ("its sequence space", packet_tcp_sequence_length(&packet), 6);
	CHECK_EQ("no window scale outside a SYN", packet.tcp_window_scale, PACKET_WINDOW_SCALE_ABSENT);
	CHECK_EQ("no fingerprint outside a SYN", packet.tcp_fingerprint, 0);
	CHECK_FALSE("no attempt", packet_is_attempt_tcp(&packet));
	frame_make(&(struct frame_spec){V6, .tcp_flags = S | E | C, .payload_bytes = 2}, &frame);
	CHECK_EQ("a SYN with data", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
	CHECK_TRUE("is an attempt", packet_is_attempt_tcp(&packet));
	CHECK_EQ("and takes three numbers", packet_tcp_sequence_length(&packet), 3);
}

static void test_tcp_header(void)
{
	static const struct {
		const char *name;
		uint8_t data_offset; /* of a segment with 4 bytes of payload */
		enum reason expected;
	} cases[] = {
		{"5 words", 0x50, REASON_COUNT},
		{"5 words, reserved bits set", 0x5f, REASON_COUNT},
		{"4 words", 0x40, REASON_BAD_TCP_HEADER},
		{"0 words", 0x00, REASON_BAD_TCP_HEADER},
		{"6 words: the payload becomes options of padding", 0x60, REASON_COUNT},
		{"7 words: one more than there are", 0x70, REASON_BAD_TCP_HEADER},
		{"15 words", 0xf0, REASON_BAD_TCP_HEADER},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct frame frame;
		struct packet packet;

		frame_make(&(struct frame_spec){.payload = "\1\1\1\1", .payload_bytes = 4}, &frame);
		frame.bytes[frame.l4 + 12] = cases[i].data_offset;
		frame_checksum(&frame, 6);
		CHECK_EQ(cases[i].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), cases[i].expected);
	}
}

static void test_tcp_options(void)
{
	static const struct {
		const char *name;
		uint8_t options[20], bytes, flags;
		enum reason expected;
		uint16_t mss;
		uint8_t window_scale;
		bool sack, timestamps, fast_open;
	} cases[] = {
		{"what Linux offers", {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9, 1, 3, 3, 7}, 20, S,
			REASON_COUNT, 1460, 7, true, true, false},
		{"the same in a SYN+ACK", {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9, 1, 3, 3, 7},
			20, S | A, REASON_COUNT, 1460, 7, true, true, false},
		{"an ACK has only timestamps",
			{2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9, 1, 3, 3, 7}, 20, A, REASON_COUNT,
			0, 255, false, true, false},
		{"the usual options of an ACK", {1, 1, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9}, 12, A, REASON_COUNT, 0,
			255, false, true, false},
		{"the same in a SYN", {1, 1, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9}, 12, S, REASON_COUNT, 0, 255,
			false, true, false},
		{"SACK blocks", {1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2}, 12, A, REASON_COUNT, 0, 255, false,
			false, false},
		{"a window scale of 14", {3, 3, 14, 0}, 4, S, REASON_COUNT, 0, 14, false, false, false},
		{"a window scale above 14 counts as 14", {3, 3, 15, 0}, 4, S, REASON_COUNT, 0, 14, false,
			false, false},
		{"a window scale of 0 is not absent", {3, 3, 0, 0}, 4, S, REASON_COUNT, 0, 0, false, false,
			false},
		{"Fast Open asks for a cookie", {34, 2, 1, 1}, 4, S, REASON_COUNT, 0, 255, false, false,
			true},
		{"Fast Open brings a cookie", {34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1}, 12, S, REASON_COUNT, 0,
			255, false, false, true},
		{"Fast Open's experiment", {254, 4, 0xf9, 0x89}, 4, S, REASON_COUNT, 0, 255, false, false,
			true},
		{"another experiment", {254, 4, 0xf9, 0x88}, 4, S, REASON_COUNT, 0, 255, false, false, false},
		{"an experiment without a magic number", {254, 2, 1, 1}, 4, S, REASON_COUNT, 0, 255, false,
			false, false},
		{"an MSS of a wrong length is no MSS", {2, 3, 5, 1}, 4, S, REASON_COUNT, 0, 255, false, false,
			false},
		{"unknown options are skipped", {77, 4, 0, 0, 2, 4, 1, 0}, 8, S, REASON_COUNT, 256, 255,
			false, false, false},
		{"behind the end comes nothing", {0, 2, 4, 5, 99, 99, 99, 99}, 8, S, REASON_COUNT, 0, 255,
			false, false, false},
		{"an option of length 0", {77, 0, 0, 0}, 4, S, REASON_BAD_TCP_HEADER, 0, 0, false, false,
			false},
		{"an option of length 1", {77, 1, 0, 0}, 4, S, REASON_BAD_TCP_HEADER, 0, 0, false, false,
			false},
		{"an option one longer than the header", {77, 5, 0, 0}, 4, S, REASON_BAD_TCP_HEADER, 0, 0,
			false, false, false},
		{"a wrong option in an ACK as long as the usual ones", {1, 1, 5, 11, 0, 0, 0, 1, 0, 0, 0, 2},
			12, A, REASON_BAD_TCP_HEADER, 0, 0, false, false, false},
		{"a wrong option behind the usual ones", {1, 1, 8, 10, 0, 0, 0, 7, 0, 0, 0, 9, 77, 5, 0, 0},
			16, A, REASON_BAD_TCP_HEADER, 0, 0, false, false, false},
		{"an option without a length", {1, 1, 1, 2}, 4, S, REASON_BAD_TCP_HEADER, 0, 0, false, false,
			false},
		{"the same in an ACK", {1, 1, 1, 2}, 4, A, REASON_BAD_TCP_HEADER, 0, 0, false, false, false},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct frame frame;
		struct packet packet;

		frame_make(&(struct frame_spec){.tcp_options = cases[i].options,
				   .tcp_options_bytes = cases[i].bytes,
				   .tcp_flags = cases[i].flags},
			&frame);
		CHECK_EQ(cases[i].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), cases[i].expected);
		if (cases[i].expected != REASON_COUNT)
			continue;
		CHECK_EQ(cases[i].name, packet.tcp_mss, cases[i].mss);
		CHECK_EQ(cases[i].name, packet.tcp_window_scale, cases[i].window_scale);
		CHECK_EQ(cases[i].name, packet.tcp_sack_permitted, cases[i].sack);
		CHECK_EQ(cases[i].name, packet.tcp_timestamps, cases[i].timestamps);
		CHECK_EQ(cases[i].name, packet.tcp_timestamp_value, cases[i].timestamps ? 7 : 0);
		CHECK_EQ(cases[i].name, packet.tcp_timestamp_echo, cases[i].timestamps ? 9 : 0);
		CHECK_EQ(cases[i].name, packet.tcp_fast_open, cases[i].fast_open);
	}
}

static uint8_t fingerprint_of(const char *options, uint8_t bytes, uint8_t ttl)
{
	struct frame frame;
	struct packet packet;

	frame_make(
		&(struct frame_spec){.tcp_options = options, .tcp_options_bytes = bytes, .ttl = ttl}, &frame);
	CHECK_EQ("a SYN", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
	return packet.tcp_fingerprint;
}

static void test_fingerprint(void)
{
	static const char linux_options[] = "\2\4\5\xb4\4\2\10\12\0\0\0\7\0\0\0\0\1\3\3\7";
	static const char linux_later[] = "\2\4\5\xb4\4\2\10\12\0\1\0\7\0\0\0\0\1\3\3\7";
	static const char windows[] = "\2\4\5\xb4\1\3\3\10\1\1\4\2";
	static const char other_scale[] = "\2\4\5\xb4\4\2\10\12\0\0\0\7\0\0\0\0\1\3\3\10";
	static const char other_mss[] = "\2\4\5\xa0\4\2\10\12\0\0\0\7\0\0\0\0\1\3\3\7";
	static const char fast_open[] = "\2\4\5\xb4\4\2\10\12\0\0\0\7\0\0\0\0\1\3\3\7\42\2\1\1";
	static const char fast_open_experiment[] =
		"\2\4\5\xb4\4\2\10\12\0\0\0\7\0\0\0\0\1\3\3\7\376\4\371\211";
	uint8_t plain = fingerprint_of(linux_options, 20, 64);
	bool seen[256] = {false};
	unsigned n_seen = 0;

	CHECK_EQ("the timestamp's value does not count", fingerprint_of(linux_later, 20, 64), plain);
	CHECK_EQ("the path's length does not count", fingerprint_of(linux_options, 20, 33), plain);
	CHECK_EQ("a resent SYN without Fast Open is the same", fingerprint_of(fast_open, 24, 50), plain);
	CHECK_EQ("nor without its experiment", fingerprint_of(fast_open_experiment, 24, 50), plain);
	CHECK_TRUE("another initial TTL", fingerprint_of(linux_options, 20, 65) != plain);
	CHECK_TRUE("a shorter one", fingerprint_of(linux_options, 20, 32) != plain);
	CHECK_TRUE("the longest",
		fingerprint_of(linux_options, 20, 255) != fingerprint_of(linux_options, 20, 128));
	CHECK_TRUE("another system", fingerprint_of(windows, 12, 64) != plain);
	CHECK_TRUE("another window scale", fingerprint_of(other_scale, 20, 64) != plain);
	CHECK_TRUE("another MSS", fingerprint_of(other_mss, 20, 64) != plain);
	/* Every MSS from 500 on: one fingerprint for each of the 8 classes, and two of the same would be an
	 * accident of the hash, which is fixed. */
	for (unsigned mss = 500; mss < 9500; mss++) {
		char options[4] = {2, 4, (char)(mss >> 8), (char)mss};
		uint8_t fingerprint = fingerprint_of(options, 4, 64);

		CHECK_TRUE("never 0", fingerprint != 0);
		n_seen += !seen[fingerprint];
		seen[fingerprint] = true;
	}
	CHECK_EQ("a fingerprint for each class of MSS", n_seen, 8);
}

static void test_ports(void)
{
	static const uint8_t protocols[] = {6, 17};

	for (size_t i = 0; i < CHECK_COUNT(protocols); i++) {
		for (unsigned place = 0; place < 4; place += 2) {
			struct frame frame;
			struct packet packet;

			frame_make(&(struct frame_spec){.protocol = protocols[i]}, &frame);
			frame_put_u16(&frame, frame.l4 + place, 0);
			frame_checksum(&frame, protocols[i]);
			CHECK_EQ(place ? "destination port 0" : "source port 0",
				frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_BAD_PORT);
		}
	}
}

static void test_udp(void)
{
	static const struct {
		const char *name;
		uint16_t length; /* of a datagram with 10 bytes of payload */
		enum reason expected;
		uint16_t payload_bytes;
	} cases[] = {
		{"all of it", 18, REASON_COUNT, 10},
		{"shorter than the IP payload: the rest is not the datagram's", 12, REASON_COUNT, 4},
		{"nothing but the header", 8, REASON_COUNT, 0},
		{"shorter than the header", 7, REASON_BAD_UDP_HEADER, 0},
		{"0, for jumbograms only", 0, REASON_BAD_UDP_HEADER, 0},
		{"one more than there is", 19, REASON_BAD_UDP_HEADER, 0},
		{"65535", 65535, REASON_BAD_UDP_HEADER, 0},
	};

	for (size_t i = 0; i < 2 * CHECK_COUNT(cases); i++) {
		struct frame frame;
		struct packet packet;
		size_t c = i / 2;

		if (i % 2)
			frame_make(&(struct frame_spec){V6, .protocol = 17, .payload_bytes = 10}, &frame);
		else
			frame_make(
				&(struct frame_spec){.protocol = 17, .payload_bytes = 10, .pad_to_bytes = 60},
				&frame);
		frame_put_u16(&frame, frame.l4 + 4, cases[c].length);
		frame_checksum(&frame, 17);
		CHECK_EQ(cases[c].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), cases[c].expected);
		CHECK_EQ(cases[c].name, packet.kind, PACKET_KIND_UDP);
		CHECK_EQ(cases[c].name, packet.payload_bytes, cases[c].payload_bytes);
	}
}

static void test_checksums(void)
{
	static const struct {
		const char *name;
		struct frame_spec spec;
		uint8_t place;
		enum reason expected;
	} cases[] = {
		{"TCP over IPv4", {.payload_bytes = 7}, 16, REASON_BAD_TCP_CHECKSUM},
		{"TCP over IPv6", {V6, .payload_bytes = 7}, 16, REASON_BAD_TCP_CHECKSUM},
		{"UDP over IPv4", {.protocol = 17, .payload_bytes = 7}, 6, REASON_BAD_UDP_CHECKSUM},
		{"UDP over IPv6", {V6, .protocol = 17, .payload_bytes = 7}, 6, REASON_BAD_UDP_CHECKSUM},
		{"a frame of 9000 bytes", {.payload_bytes = 9000}, 16, REASON_BAD_TCP_CHECKSUM},
	};
	struct frame frame;
	struct packet packet;

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		frame_make(&cases[i].spec, &frame);
		CHECK_EQ(cases[i].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
		for (unsigned bit = 0; bit < 8; bit++) {
			frame.bytes[frame.l4 + cases[i].place] ^= (uint8_t)(1 << bit);
			CHECK_EQ(cases[i].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet),
				cases[i].expected);
			CHECK_EQ(cases[i].name, frame_parse(&frame, PACKET_CHECK_IP, &packet), REASON_COUNT);
			frame.bytes[frame.l4 + cases[i].place] ^= (uint8_t)(1 << bit);
		}
	}
	frame_make(&(struct frame_spec){.protocol = 17, .payload_bytes = 7}, &frame);
	frame_put_u16(&frame, frame.l4 + 6, 0);
	CHECK_EQ("UDP over IPv4 may have none", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
	frame_make(&(struct frame_spec){V6, .protocol = 17, .payload_bytes = 7}, &frame);
	frame_put_u16(&frame, frame.l4 + 6, 0);
	CHECK_EQ("UDP over IPv6 may not", frame_parse(&frame, FRAME_CHECK_ALL, &packet),
		REASON_BAD_UDP_CHECKSUM);
	frame_make(
		&(struct frame_spec){
			.protocol = 17, .payload_bytes = 64, .more_fragments = true, .fragment_bytes = 32},
		&frame);
	frame.bytes[frame.payload] ^= 1;
	CHECK_EQ("a fragment's cannot be told", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
	CHECK_EQ("its payload is what is here", packet.payload_bytes, 24);
}

static void test_igmp(void)
{
	static const struct {
		const char *name, *destination;
		uint8_t ttl, bytes;
		enum reason expected;
		uint8_t kind;
	} cases[] = {
		{"a report", "224.0.0.22", 1, 16, REASON_COUNT, PACKET_KIND_INFRASTRUCTURE},
		{"a report that crossed a router", "224.0.0.22", 2, 16, REASON_COUNT, PACKET_KIND_OTHER},
		{"a report to one host", "192.0.2.9", 1, 16, REASON_COUNT, PACKET_KIND_OTHER},
		{"7 bytes", "224.0.0.1", 1, 7, REASON_TRUNCATED, PACKET_KIND_OTHER},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct frame frame;
		struct packet packet;

		frame_make(&(struct frame_spec){.destination = cases[i].destination,
				   .protocol = 2,
				   .ttl = cases[i].ttl,
				   .payload_bytes = cases[i].bytes},
			&frame);
		CHECK_EQ(cases[i].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), cases[i].expected);
		CHECK_EQ(cases[i].name, packet.kind, cases[i].kind);
		if (cases[i].kind == PACKET_KIND_INFRASTRUCTURE)
			CHECK_EQ(cases[i].name, packet.infrastructure, INFRASTRUCTURE_ND);
	}
}

static void test_short_headers(void)
{
	static const uint8_t protocols[] = {6, 17};
	struct frame frame;
	struct packet packet;

	for (size_t i = 0; i < CHECK_COUNT(protocols); i++) {
		uint16_t header = protocols[i] == 6 ? 20 : 8;

		frame_make(&(struct frame_spec){.protocol = protocols[i], .pad_to_bytes = 60}, &frame);
		frame_put_u16(&frame, frame.l3 + 2, (uint16_t)(20 + header - 1));
		frame_checksum(&frame, 0);
		CHECK_EQ("padding does not complete a header", frame_parse(&frame, FRAME_CHECK_ALL, &packet),
			REASON_TRUNCATED);
	}
	frame_make(
		&(struct frame_spec){
			.destination = "224.0.0.5", .protocol = 89, .ttl = 1, .payload_bytes = 24},
		&frame);
	CHECK_EQ("OSPF is no IGMP", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
	CHECK_EQ("OSPF is no IGMP", packet.kind, PACKET_KIND_OTHER);
	frame_make(&(struct frame_spec){.protocol = 132, .payload_bytes = 12}, &frame);
	CHECK_EQ("SCTP is another protocol", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
	CHECK_EQ("SCTP is another protocol", packet.kind, PACKET_KIND_OTHER);
	CHECK_EQ("SCTP is another protocol", packet.protocol, 132);
	CHECK_EQ("its payload is all behind IP", packet.payload_bytes, 12);
}

static const struct check_test tests[] = {
	{"TCP flags that no stack sends together are refused", test_flags},
	{"a TCP header's fields are read", test_tcp_fields},
	{"the TCP data offset stays in the segment", test_tcp_header},
	{"TCP options are read and stay in the header", test_tcp_options},
	{"a SYN's fingerprint tells stacks apart, not packets", test_fingerprint},
	{"port 0 is refused", test_ports},
	{"UDP lengths", test_udp},
	{"transport checksums", test_checksums},
	{"IGMP of this link is infrastructure", test_igmp},
	{"headers that the IP length cuts, and other protocols", test_short_headers},
};
CHECK_MAIN("packet_transport", tests)
