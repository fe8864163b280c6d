// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/translate.h for segments quoted in ICMP errors, and its law: translating by the opposite
 * numbers gives the bytes back. As in test_translate.c every expected byte comes from tests/frame.c.
 */
#include "dataplane/translate.h"
#include "tests/check.h"
#include "tests/frame_parse.h"
#include "tests/unit/table_support.h"

enum { S = TCP_FLAG_SYN, A = TCP_FLAG_ACK, R = TCP_FLAG_RST, F = TCP_FLAG_FIN, P = TCP_FLAG_PSH };

/* An ICMP error from a router that quotes the first `quoted_bytes` bytes of the node's segment, transport
 * included. */
static void quote_make(const struct frame_spec *segment, const struct frame_spec *error,
	uint16_t transport_bytes, struct frame *ret_frame)
{
	struct frame_spec spec = *error;
	struct frame quoted;

	frame_make(segment, &quoted);
	spec.protocol = 1;
	spec.payload = quoted.bytes + quoted.l3;
	spec.payload_bytes = (uint16_t)(quoted.l4 - quoted.l3 + transport_bytes);
	frame_make(&spec, ret_frame);
}

/* On a copy of exactly what is announced to be there. */
static void quoted_exactly(struct frame *frame, uint32_t frame_bytes, const struct packet *packet,
	const struct translation *translation)
{
	uint8_t *head = malloc(frame_bytes);

	if (!head)
		abort();
	memcpy(head, frame->bytes, frame_bytes);
	translate_quoted(head, frame_bytes, packet, translation);
	memcpy(frame->bytes, head, frame_bytes);
	free(head);
}

static const struct frame_spec error_v4 = {.source = "203.0.113.7",
	.destination = "198.51.100.1",
	.icmp_type = 3,
	.icmp_code = 4,
	.icmp_word = 1400};
static const struct frame_spec error_v6 = {
	.source = "2001:db8:7::7", .destination = "2001:db8:1::1", .icmp_type = 2, .icmp_word = 1400};

/* From the node to a client, so that the error comes back to the node. */
static struct frame_spec segment_of(bool v6, uint8_t flags, uint32_t sequence, uint32_t acknowledgement)
{
	return (struct frame_spec){
		.source = v6 ? "2001:db8:1::1" : "198.51.100.1",
		.destination = v6 ? "2001:db8::9" : "192.0.2.9",
		.source_port = 30303,
		.destination_port = 40000,
		.tcp_flags = flags,
		.sequence = sequence,
		.acknowledgement = acknowledgement,
		.payload_bytes = 64,
	};
}

static void test_lengths(void)
{
	static const struct {
		const char *name;
		uint16_t bytes;
		uint8_t flags;
		struct translation translation;
		uint32_t sequence, acknowledgement;
	} cases[] = {
		{"the 8 bytes of RFC 792", 8, A, {.sequence_add = 0x12345678, .acknowledgement_add = 9},
			0x12345a60, 4000},
		{"11 bytes: the acknowledgement is not whole", 11, A,
			{.sequence_add = 5, .acknowledgement_add = 9}, 1005, 4000},
		{"12 bytes", 12, A, {.sequence_add = 5, .acknowledgement_add = 0x90000000}, 1005, 0x90000fa0},
		{"13 bytes, without the flags", 13, R, {.sequence_add = 5, .acknowledgement_add = 9}, 1005,
			4009},
		{"14 bytes, and the flags say no", 14, R, {.sequence_add = 5, .acknowledgement_add = 9}, 1005,
			4000},
		{"16 bytes, without the checksum", 16, A,
			{.sequence_add = 0xff00ff00, .acknowledgement_add = 9}, 0xff0102e8, 4009},
		{"18 bytes", 18, A, {.sequence_add = 0xff00ff00, .acknowledgement_add = 9}, 0xff0102e8, 4009},
		{"19 bytes", 19, A, {.sequence_add = 0xff00ff00, .acknowledgement_add = 0x1234567},
			0xff0102e8, 0x1235507},
		{"the header", 20, A | F, {.sequence_add = (uint32_t)-1001, .acknowledgement_add = 1},
			0xffffffff, 4001},
		{"with data", 50, A | P, {.sequence_add = 0x12345678, .acknowledgement_add = 9}, 0x12345a60,
			4009},
		{"whole", 84, A | P, {.sequence_add = 0x12345678, .acknowledgement_add = 9}, 0x12345a60,
			4009},
		{"only the sequence number", 84, A, {.sequence_add = 0x12345678}, 0x12345a60, 4000},
		{"only the acknowledgement", 84, A, {.acknowledgement_add = 0x12345678}, 1000, 0x12346618},
		{"nothing", 84, A, {0}, 1000, 4000},
		{"a window is not what errors are about", 84, A, {.sequence_add = 1, .window_shift = 3}, 1001,
			4000},
		{"a SYN-ACK", 84, S | A, {.sequence_add = 1}, 1001, 4000},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases) * 2; i++) {
		bool v6 = i % 2;
		struct frame_spec before = segment_of(v6, cases[i / 2].flags, 1000, 4000);
		struct frame_spec after = segment_of(
			v6, cases[i / 2].flags, cases[i / 2].sequence, cases[i / 2].acknowledgement);
		struct frame frame, expected;
		struct packet packet;

		quote_make(&before, v6 ? &error_v6 : &error_v4, cases[i / 2].bytes, &frame);
		quote_make(&after, v6 ? &error_v6 : &error_v4, cases[i / 2].bytes, &expected);
		CHECK_EQ(cases[i / 2].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
		CHECK_TRUE("the quote is the node's", packet.quoted_valid && packet.quoted_l4_offset != 0);
		quoted_exactly(&frame, frame.n, &packet, &cases[i / 2].translation);
		CHECK_MEM_EQ(cases[i / 2].name, frame.bytes, expected.bytes, frame.n);
		CHECK_EQ(cases[i / 2].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
		CHECK_EQ(cases[i / 2].name, packet.quoted_tcp_sequence, cases[i / 2].sequence);
	}
}

static void test_places(void)
{
	static const uint8_t pad[6] = {1, 4, 0, 0, 0, 0};
	struct frame_spec options = segment_of(false, A, 0, 0), extensions = segment_of(true, A, 0, 0),
			  tagged = error_v6;
	struct frame_spec plain4 = segment_of(false, A, 0, 0), error_options = error_v4,
			  error_extension = error_v6;
	const struct {
		const char *name;
		const struct frame_spec *segment, *error;
	} cases[] = {
		{"a quoted header with IP options", &options, &error_v4},
		{"a quoted chain of extension headers", &extensions, &error_v6},
		{"an error in tagged frames", &extensions, &tagged},
		{"an error with IP options of its own", &plain4, &error_options},
		{"an error with an extension header of its own", &extensions, &error_extension},
	};

	options.ip_options = "\x94\4\0\0\1\1\1";
	options.ip_options_bytes = 8;
	extensions.n_extensions = 2;
	extensions.extensions[0] = (struct frame_extension){.type = 0, .body = pad, .body_bytes = 6};
	extensions.extensions[1] = (struct frame_extension){.type = 60, .units = 1};
	tagged.n_vlans = 2;
	error_options.ip_options = "\1\1\1";
	error_options.ip_options_bytes = 4;
	error_extension.n_extensions = 1;
	error_extension.extensions[0] = (struct frame_extension){.type = 60};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		static const struct translation translation = {
			.sequence_add = 0xfedcba98, .acknowledgement_add = 0x80000001};
		struct frame_spec after = *cases[i].segment;
		struct frame frame, expected;
		struct packet packet;

		after.sequence += translation.sequence_add;
		after.acknowledgement += translation.acknowledgement_add;
		quote_make(cases[i].segment, cases[i].error, 40, &frame);
		quote_make(&after, cases[i].error, 40, &expected);
		CHECK_EQ(cases[i].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
		quoted_exactly(&frame, frame.n, &packet, &translation);
		CHECK_MEM_EQ(cases[i].name, frame.bytes, expected.bytes, frame.n);
	}
}

/* What is no quoted TCP segment, or not here, keeps every byte. */
static void test_left_alone(void)
{
	static const struct translation translation = {.sequence_add = 0x12345678, .acknowledgement_add = 9};
	struct frame_spec datagram = segment_of(false, 0, 0, 0), later = segment_of(false, A, 0, 0);
	const struct {
		const char *name;
		const struct frame_spec *segment;
		uint16_t bytes;
		uint32_t withheld; /* of the frame */
	} cases[] = {
		{"a quoted datagram", &datagram, 20, 0},
		{"a quoted later fragment", &later, 20, 0},
		{"7 bytes", &(struct frame_spec){.source = "198.51.100.1", .destination = "192.0.2.9"}, 7, 0},
		{"the rest is in another piece",
			&(struct frame_spec){.source = "198.51.100.1", .destination = "192.0.2.9"}, 20, 13},
	};

	datagram.protocol = 17;
	later.fragment_offset = 8;
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct frame frame, before;
		struct packet packet;

		quote_make(cases[i].segment, &error_v4, cases[i].bytes, &frame);
		before = frame;
		CHECK_EQ(cases[i].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
		quoted_exactly(&frame, frame.n - cases[i].withheld, &packet, &translation);
		CHECK_MEM_EQ(cases[i].name, frame.bytes, before.bytes, frame.n);
	}
}

/* A link that pads short frames: what is behind the datagram is not quoted, so it must not move a checksum.
 */
static void test_padding(void)
{
	struct frame_spec segment = segment_of(false, A, 1000, 4000), error = error_v4;
	struct frame frame, expected;
	struct packet packet;

	error.pad_to_bytes = 100;
	quote_make(&segment, &error, 8, &frame);
	CHECK_EQ("the padded error", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
	segment.sequence = 1005;
	quote_make(&segment, &error, 8, &expected);
	quoted_exactly(
		&frame, frame.n, &packet, &(struct translation){.sequence_add = 5, .acknowledgement_add = 5});
	CHECK_MEM_EQ("only the 8 quoted bytes are read", frame.bytes, expected.bytes, frame.n);
}

/* Options of any kind and order, SACK blocks among them. Returns a multiple of 4. */
static uint8_t options_random(uint64_t *random, uint8_t out[40])
{
	uint8_t n = 0, most = (uint8_t)(random_next(random) % 11 * 4);

	memset(out, 1, 40);
	while (n < most) {
		uint64_t pick = random_next(random);
		uint8_t left = (uint8_t)(most - n), length = (uint8_t)(2 + (pick >> 8) % 33);

		if (pick % 4 == 0 && left >= 10)
			length = (uint8_t)(2 + 8 * (1 + (pick >> 16) % ((left - 2) / 8)));
		if (pick % 4 == 1 || length > left) {
			n++;
			continue;
		}
		out[n] = pick % 4 == 2 ? (uint8_t)(9 + (pick >> 24) % 240) : 5;
		out[n + 1] = length;
		for (uint8_t i = 2; i < length; i++)
			out[n + i] = (uint8_t)random_next(random);
		n = (uint8_t)(n + length);
	}
	return most;
}

static struct frame_spec spec_random(uint64_t *random, uint8_t options[40])
{
	static const uint8_t flags[] = {A, A | P, A | F, R, R | A, S, S | A, A | TCP_FLAG_ECE | TCP_FLAG_CWR};
	uint64_t pick = random_next(random);
	bool v6 = pick & 1;
	struct frame_spec spec = segment_of(
		v6, flags[pick >> 1 & 7], (uint32_t)random_next(random), (uint32_t)random_next(random));

	spec.n_vlans = (uint8_t)((pick >> 4) % 3);
	spec.tcp_options = options;
	spec.tcp_options_bytes = options_random(random, options);
	spec.window = (uint16_t)(random_next(random) | 1);
	spec.payload_bytes = (uint16_t)((pick >> 8) % 1400);
	if (v6 && (pick >> 20 & 1)) {
		spec.n_extensions = 1;
		spec.extensions[0] =
			(struct frame_extension){.type = 60, .units = (uint8_t)((pick >> 21) % 4)};
	}
	return spec;
}

enum { RANDOM_FRAMES = 20000 };

static void test_there_and_back(void)
{
	uint64_t random = 4711;

	for (unsigned i = 0; i < RANDOM_FRAMES; i++) {
		uint8_t options[40];
		struct frame_spec spec = spec_random(&random, options);
		struct translation there = {.sequence_add = (uint32_t)random_next(&random),
			.acknowledgement_add = (uint32_t)random_next(&random)};
		struct translation back = {.sequence_add = -there.sequence_add,
			.acknowledgement_add = -there.acknowledgement_add};
		struct frame frame, original;
		struct packet packet, moved;

		frame_make(&spec, &frame);
		original = frame;
		if (!CHECK_EQ(
			    "a random segment", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT))
			return;
		translate_segment(frame.bytes, &packet, &there);
		if (!CHECK_EQ("translated", frame_parse(&frame, FRAME_CHECK_ALL, &moved), REASON_COUNT))
			return;
		CHECK_EQ("its sequence number", moved.tcp_sequence, packet.tcp_sequence + there.sequence_add);
		CHECK_EQ("its acknowledgement", moved.tcp_acknowledgement,
			packet.tcp_acknowledgement + (packet.tcp_flags & A ? there.acknowledgement_add : 0));
		CHECK_MEM_EQ("its data", frame.bytes + packet.payload_offset,
			original.bytes + packet.payload_offset, packet.payload_bytes);
		translate_segment(frame.bytes, &moved, &back);
		if (!CHECK_MEM_EQ("and back", frame.bytes, original.bytes, frame.n))
			return;
	}
}

static void test_quoted_there_and_back(void)
{
	uint64_t random = 4712;

	for (unsigned i = 0; i < RANDOM_FRAMES; i++) {
		uint8_t options[40];
		struct frame_spec spec = spec_random(&random, options);
		uint16_t bytes = (uint16_t)(8 + random_next(&random) %
							(13 + spec.tcp_options_bytes + spec.payload_bytes));
		struct translation there = {.sequence_add = (uint32_t)random_next(&random),
			.acknowledgement_add = (uint32_t)random_next(&random)};
		struct translation back = {.sequence_add = -there.sequence_add,
			.acknowledgement_add = -there.acknowledgement_add};
		struct frame frame, original;
		struct packet packet, moved;

		quote_make(&spec, strchr(spec.source, ':') ? &error_v6 : &error_v4, bytes, &frame);
		original = frame;
		if (!CHECK_EQ("a random quote", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT))
			return;
		translate_quoted(frame.bytes, frame.n, &packet, &there);
		if (!CHECK_EQ("translated", frame_parse(&frame, FRAME_CHECK_ALL, &moved), REASON_COUNT))
			return;
		CHECK_EQ("its sequence number", moved.quoted_tcp_sequence,
			packet.quoted_tcp_sequence + there.sequence_add);
		translate_quoted(frame.bytes, frame.n, &moved, &back);
		if (!CHECK_MEM_EQ("and back", frame.bytes, original.bytes, frame.n))
			return;
	}
}

/* A window goes up and comes down again as it was, unless it does not fit. */
static void test_windows_there_and_back(void)
{
	for (uint32_t window = 1; window <= UINT16_MAX; window += 7) {
		for (int8_t shift = 1; shift <= 14; shift++) {
			struct packet packet;
			static struct frame frame;

			frame_make(&(struct frame_spec){.tcp_flags = A, .window = (uint16_t)window}, &frame);
			CHECK_EQ("a window", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
			translate_segment(frame.bytes, &packet, &(struct translation){.window_shift = shift});
			CHECK_EQ("up", frame_u16(&frame, frame.l4 + 14),
				window << shift > UINT16_MAX ? UINT16_MAX : window << shift);
			CHECK_EQ("with its checksum", frame_parse(&frame, FRAME_CHECK_ALL, &packet),
				REASON_COUNT);
			if (window << shift > UINT16_MAX)
				continue;
			translate_segment(
				frame.bytes, &packet, &(struct translation){.window_shift = (int8_t)-shift});
			CHECK_EQ("and down", frame_u16(&frame, frame.l4 + 14), window);
		}
	}
}

static const struct check_test tests[] = {
	{"a quoted segment moves as far as it is quoted", test_lengths},
	{"wherever the quote stands", test_places},
	{"what is not quoted TCP is left alone", test_left_alone},
	{"padding behind an error is not quoted", test_padding},
	{"opposite numbers give a segment back", test_there_and_back},
	{"opposite numbers give a quote back", test_quoted_there_and_back},
	{"opposite shifts give a window back", test_windows_there_and_back},
};
CHECK_MAIN("translate_quoted", tests)
