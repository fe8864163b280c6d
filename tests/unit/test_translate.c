// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/translate.h. A row says what a segment is and what it must become; frame_make writes
 * both, so every byte is compared with what tests/frame.c, which shares no code with translate.c, makes of
 * it: the checksums above all.
 */
#include "dataplane/translate.h"
#include "tests/check.h"
#include "tests/frame_parse.h"

#define V6             .source = "2001:db8::1", .destination = "2001:db8::2"
#define OPTIONS(bytes) .tcp_options = bytes, .tcp_options_bytes = sizeof(bytes)

enum { S = TCP_FLAG_SYN, A = TCP_FLAG_ACK, R = TCP_FLAG_RST, F = TCP_FLAG_FIN, P = TCP_FLAG_PSH };

/* A copy of exactly the bytes that translate_segment may touch: AddressSanitizer sees one too many. */
static void translate_exactly(
	struct frame *frame, const struct packet *packet, const struct translation *translation)
{
	uint8_t *head = malloc(packet->payload_offset);

	if (!head)
		abort();
	memcpy(head, frame->bytes, packet->payload_offset);
	translate_segment(head, packet, translation);
	memcpy(frame->bytes, head, packet->payload_offset);
	free(head);
}

static void check_segment(const char *name, const struct frame_spec *before,
	const struct translation *translation, const struct frame_spec *after)
{
	struct frame frame, expected;
	struct packet packet;

	frame_make(before, &frame);
	frame_make(after, &expected);
	if (!CHECK_EQ(name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT))
		return;
	translate_exactly(&frame, &packet, translation);
	CHECK_EQ(name, frame.n, expected.n);
	CHECK_MEM_EQ(name, frame.bytes, expected.bytes, frame.n);
	CHECK_EQ(name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
}

static const uint8_t hop_by_hop[6] = {1, 4, 0, 0, 0, 0};

static void test_numbers(void)
{
	static const struct {
		const char *name;
		struct frame_spec before;
		struct translation translation;
		uint32_t sequence, acknowledgement;
	} cases[] = {
		{"nothing to change", {.tcp_flags = A, .sequence = 5, .acknowledgement = 6}, {0}, 5, 6},
		{"a sequence number", {.tcp_flags = A, .sequence = 1000, .acknowledgement = 7},
			{.sequence_add = 500}, 1500, 7},
		{"a sequence number over the end of its space", {.tcp_flags = A, .sequence = 0xffffff00},
			{.sequence_add = 0x200}, 0x100, 0},
		{"downwards through 0", {.tcp_flags = A, .sequence = 5}, {.sequence_add = (uint32_t)-10},
			0xfffffffb, 0},
		{"half the space", {.tcp_flags = A, .sequence = 5}, {.sequence_add = 1u << 31}, 0x80000005,
			0},
		{"the upper half only", {.tcp_flags = A, .sequence = 5}, {.sequence_add = 0x10000}, 0x10005,
			0},
		{"to 0", {.tcp_flags = A, .sequence = 5}, {.sequence_add = (uint32_t)-5}, 0, 0},
		{"from 0", {.tcp_flags = A, .sequence = 0}, {.sequence_add = 0xffffffff}, 0xffffffff, 0},
		{"an acknowledgement", {.tcp_flags = A, .sequence = 3, .acknowledgement = 9},
			{.acknowledgement_add = 0xdeadbeef}, 3, 0xdeadbeef + 9u},
		{"both", {.tcp_flags = A, .sequence = 3, .acknowledgement = 9},
			{.sequence_add = 0x12345678, .acknowledgement_add = 0x9abcdef0}, 0x1234567b,
			0x9abcdef9},
		{"with data", {.tcp_flags = A | P, .sequence = 3, .payload_bytes = 777},
			{.sequence_add = 0x12345678}, 0x1234567b, 0},
		{"a FIN", {V6, .tcp_flags = A | F, .sequence = 3, .acknowledgement = 4},
			{.acknowledgement_add = 6}, 3, 10},
		{"a RST at a number", {.tcp_flags = R, .sequence = 100}, {.sequence_add = 0x1000000},
			0x1000064, 0},
		{"a RST without ACK acknowledges nothing",
			{.tcp_flags = R, .sequence = 100, .acknowledgement = 50},
			{.sequence_add = 1, .acknowledgement_add = 0x1000000}, 101, 50},
		{"a RST with ACK does", {.tcp_flags = R | A, .sequence = 100, .acknowledgement = 50},
			{.acknowledgement_add = 0x1000000}, 100, 0x1000032},
		{"a SYN acknowledges nothing", {.tcp_flags = S, .sequence = 100, .acknowledgement = 50},
			{.acknowledgement_add = 9}, 100, 50},
		{"a SYN-ACK does", {.tcp_flags = S | A, .sequence = 100, .acknowledgement = 50},
			{.sequence_add = 2, .acknowledgement_add = 9}, 102, 59},
		{"through a tag", {.n_vlans = 1, .vlans = {7}, .tcp_flags = A, .sequence = 1},
			{.sequence_add = 4}, 5, 0},
		{"through two tags", {V6, .n_vlans = 2, .tcp_flags = A, .sequence = 1}, {.sequence_add = 4},
			5, 0},
		{"behind IP options", {.ip_options = "\x94\4\0", .ip_options_bytes = 4, .tcp_flags = A},
			{.sequence_add = 9}, 9, 0},
		{"behind extension headers",
			{V6, .n_extensions = 2,
				.extensions = {{.type = 0, .body = hop_by_hop, .body_bytes = 6},
					{.type = 60, .units = 2}},
				.tcp_flags = A, .payload_bytes = 31},
			{.sequence_add = 0xabcdef01}, 0xabcdef01, 0},
		{"a first fragment",
			{.tcp_flags = A, .payload_bytes = 999, .more_fragments = true, .fragment_bytes = 96},
			{.sequence_add = 0xabcdef01, .acknowledgement_add = 5}, 0xabcdef01, 5},
		{"a first fragment over IPv6",
			{V6, .tcp_flags = A, .payload_bytes = 999, .more_fragments = true,
				.fragment_bytes = 96},
			{.sequence_add = 0xabcdef01, .acknowledgement_add = 5}, 0xabcdef01, 5},
		{"padding behind the datagram stays", {.tcp_flags = A, .pad_to_bytes = 60},
			{.sequence_add = 77}, 77, 0},
		{"a jumbo frame", {V6, .tcp_flags = A, .payload_bytes = 8900}, {.sequence_add = 0xffff0000},
			0xffff0000, 0},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct frame_spec after = cases[i].before;

		after.sequence = cases[i].sequence;
		after.acknowledgement = cases[i].acknowledgement;
		check_segment(cases[i].name, &cases[i].before, &cases[i].translation, &after);
	}
}

static void test_windows(void)
{
	static const struct {
		const char *name;
		uint16_t before;
		int8_t shift;
		uint8_t flags;
		uint16_t after;
	} cases[] = {
		{"no shift", 501, 0, A, 501},
		{"up", 501, 3, A, 4008},
		{"up by 14", 3, 14, A, 49152},
		{"up to the last that fits", 32767, 1, A, 65534},
		{"up beyond what fits", 32768, 1, A, 65535},
		{"far beyond", 65535, 14, A, 65535},
		{"down", 4008, -3, A, 501},
		{"down, rounded down", 4015, -3, A, 501},
		{"down, but an open window stays open", 7, -3, A, 1},
		{"a closed one stays closed", 0, -3, A, 0},
		{"down by 14", 65535, -14, A, 3},
		{"a RST's", 400, -2, R, 100},
		{"a FIN's", 400, 2, A | F, 1600},
		{"a SYN's is never scaled", 400, 2, S, 400},
		{"nor a SYN-ACK's", 400, -2, S | A, 400},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct frame_spec before = {
			.tcp_flags = cases[i].flags, .window = cases[i].before, .payload_bytes = 5};
		struct translation translation = {.window_shift = cases[i].shift};
		struct frame frame, expected;
		struct packet packet;

		frame_make(&before, &frame);
		frame_make(&before, &expected);
		/* A window of 0 means the usual one to frame_make. */
		frame_put_u16(&frame, frame.l4 + 14, cases[i].before);
		frame_checksum(&frame, 6);
		frame_put_u16(&expected, expected.l4 + 14, cases[i].after);
		frame_checksum(&expected, 6);
		CHECK_EQ(cases[i].name, frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
		translate_exactly(&frame, &packet, &translation);
		CHECK_MEM_EQ(cases[i].name, frame.bytes, expected.bytes, frame.n);
	}
}

#define TIMESTAMPS 8, 10, 0, 0, 0, 9, 0, 0, 0, 8

static void test_sack(void)
{
	static const struct {
		const char *name;
		uint8_t n;
		uint8_t flags;
		bool blank;
		uint8_t before[40], after[40];
	} cases[] = {
		{"one block", 12, A, false, {1, 1, 5, 10, 0, 0, 1, 0, 0, 0, 2, 0},
			{1, 1, 5, 10, 0, 1, 0, 0xff, 0, 1, 1, 0xff}},
		{"one block at the start", 12, A, false, {5, 10, 0, 0, 1, 0, 0, 0, 2, 0, 1, 1},
			{5, 10, 0, 1, 0, 0xff, 0, 1, 1, 0xff, 1, 1}},
		{"one block at an odd offset", 12, A, false, {1, 5, 10, 0, 0, 1, 0, 0, 0, 2, 0, 1},
			{1, 5, 10, 0, 1, 0, 0xff, 0, 1, 1, 0xff, 1}},
		{"two blocks behind three NOPs", 24, A, false,
			{1, 1, 1, 5, 18, 0, 0, 1, 0, 0, 0, 2, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 1, 1, 1},
			{1, 1, 1, 5, 18, 0, 1, 0, 0xff, 0, 1, 1, 0xff, 0, 0, 0xff, 0xfe, 0, 0, 0xff, 0xff, 1,
				1, 1}},
		{"three blocks behind timestamps", 40, A, false,
			{1, 1, TIMESTAMPS, 1, 1, 5, 26, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0,
				0, 5, 0, 0, 0, 6},
			{1, 1, TIMESTAMPS, 1, 1, 5, 26, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 2, 0, 1, 0, 3, 0, 1,
				0, 4, 0, 1, 0, 5}},
		{"four blocks", 36, A, false,
			{1, 1, 5, 34, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6,
				0, 0, 0, 7, 0, 0, 0, 8},
			{1, 1, 5, 34, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 2, 0, 1, 0, 3, 0, 1, 0, 4, 0, 1, 0, 5,
				0, 1, 0, 6, 0, 1, 0, 7}},
		{"an option of half a block moves what is there", 8, A, false, {5, 6, 0, 0, 0, 1, 1, 1},
			{5, 6, 0, 1, 0, 0, 1, 1}},
		{"an empty option", 4, A, false, {5, 2, 1, 1}, {5, 2, 1, 1}},
		{"bytes that look like one inside another option", 12, A, false,
			{254, 12, 5, 10, 0, 0, 1, 0, 0, 0, 2, 0}, {254, 12, 5, 10, 0, 0, 1, 0, 0, 0, 2, 0}},
		{"bytes behind the end of options", 16, A, false, {1, 1, 1, 0, 5, 10, 0, 0, 1, 0, 0, 0, 2, 0},
			{1, 1, 1, 0, 5, 10, 0, 0, 1, 0, 0, 0, 2, 0}},
		{"a block, and bytes like another behind the end of options", 24, A, false,
			{5, 10, 0, 0, 1, 0, 0, 0, 2, 0, 1, 0, 5, 10, 0, 0, 1, 0, 0, 0, 2, 0, 1, 1},
			{5, 10, 0, 1, 0, 0xff, 0, 1, 1, 0xff, 1, 0, 5, 10, 0, 0, 1, 0, 0, 0, 2, 0, 1, 1}},
		{"blocks of a segment that acknowledges nothing", 12, R, false,
			{1, 1, 5, 10, 0, 0, 1, 0, 0, 0, 2, 0}, {1, 1, 5, 10, 0, 0, 1, 0, 0, 0, 2, 0}},
		{"one block blanked", 12, A, true, {1, 1, 5, 10, 0, 0, 1, 0, 0, 0, 2, 0},
			{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
		{"blanked at an odd offset, and the timestamps stay", 24, A, true,
			{1, 5, 10, 0, 0, 1, 0, 0, 0, 2, 0, TIMESTAMPS, 1, 1, 1},
			{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, TIMESTAMPS, 1, 1, 1}},
		{"two options blanked", 24, A, true,
			{5, 10, 0, 0, 1, 0, 0, 0, 2, 0, 5, 10, 0, 0, 1, 0, 0, 0, 2, 0, 1, 1, 1, 1},
			{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1}},
		{"nothing to blank", 12, A, true, {1, 1, TIMESTAMPS}, {1, 1, TIMESTAMPS}},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases) * 2; i++) {
		struct frame_spec before = {.tcp_flags = cases[i / 2].flags,
			.tcp_options = cases[i / 2].before,
			.tcp_options_bytes = cases[i / 2].n,
			.source = i % 2 ? "2001:db8::1" : NULL,
			.destination = i % 2 ? "2001:db8::2" : NULL,
			.payload_bytes = 11};
		struct translation translation = {
			.acknowledgement_add = 0xffff, .sack_blank = cases[i / 2].blank};
		struct frame_spec after = before;

		after.tcp_options = cases[i / 2].after;
		after.acknowledgement = cases[i / 2].flags & A ? 0xffff : 0;
		check_segment(cases[i / 2].name, &before, &translation, &after);
	}
}

static void test_blank_alone(void)
{
	static const uint8_t block[12] = {1, 1, 5, 10, 0, 0, 1, 0, 0, 0, 2, 0},
			     blanked[12] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

	check_segment("blocks are blanked where no number moves",
		&(struct frame_spec){.tcp_flags = A, OPTIONS(block)},
		&(struct translation){.sack_blank = true},
		&(struct frame_spec){.tcp_flags = A, OPTIONS(blanked)});
	check_segment("and stay where only the sequence number moves",
		&(struct frame_spec){.tcp_flags = A, OPTIONS(block)},
		&(struct translation){.sequence_add = 8},
		&(struct frame_spec){.tcp_flags = A, .sequence = 8, OPTIONS(block)});
}

/* Whatever is wrong about a checksum stays wrong: nobody gives a broken segment a good one. */
static void test_wrong_checksums(void)
{
	static const struct translation translation = {
		.sequence_add = 0x12345678, .acknowledgement_add = 0x9abcdef0, .window_shift = -2};
	unsigned mended = 0;

	for (uint32_t wrong = 1; wrong < 0xffff; wrong++) {
		struct frame frame;
		struct packet packet;

		if (wrong == 1 || wrong % 64 == 0)
			frame_make(&(struct frame_spec){.tcp_flags = A, .payload_bytes = 8}, &frame);
		else
			continue;
		frame_put_u16(&frame, frame.l4 + 16, frame_u16(&frame, frame.l4 + 16) ^ (uint16_t)wrong);
		CHECK_EQ("it parses without the check", frame_parse(&frame, PACKET_CHECK_IP, &packet),
			REASON_COUNT);
		translate_exactly(&frame, &packet, &translation);
		mended += frame_parse(&frame, FRAME_CHECK_ALL, &packet) != REASON_BAD_TCP_CHECKSUM;
	}
	CHECK_EQ("wrong checksums that became right", mended, 0);
}

static const struct check_test tests[] = {
	{"sequence and acknowledgement numbers move", test_numbers},
	{"windows are scaled anew", test_windows},
	{"SACK blocks move with the acknowledgement, or are blanked", test_sack},
	{"SACK blocks are blanked only when asked", test_blank_alone},
	{"a wrong checksum stays wrong", test_wrong_checksums},
};
CHECK_MAIN("translate", tests)
