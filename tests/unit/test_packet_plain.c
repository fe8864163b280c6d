/* SPDX-License-Identifier: BSD-3-Clause
 * The short way through the parser against the long one: what it takes must be what the long way says, bit by bit, whatever is wrong
 * with a frame must be left to that, and what is common must be taken. Seeds are fixed.
 */
#include <string.h>

#include "dataplane/packet_private.h"
#include "tests/check.h"
#include "tests/frame.h"
#include "tests/unit/table_support.h"

enum { FRAMES = 200000, CHECK_ALL = PACKET_CHECK_IP | PACKET_CHECK_TRANSPORT };

static const uint8_t timestamps[12] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};
static const uint8_t syn_options[20] = {2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7};

static struct frame_spec random_spec(uint64_t *random)
{
	static const uint8_t flags[] = {TCP_FLAG_SYN, TCP_FLAG_ACK, TCP_FLAG_ACK | TCP_FLAG_PSH, TCP_FLAG_SYN | TCP_FLAG_ACK,
		TCP_FLAG_FIN | TCP_FLAG_ACK, TCP_FLAG_RST, TCP_FLAG_SYN | TCP_FLAG_FIN, TCP_FLAG_PSH};
	static const char *const sources[] = {
		"192.0.2.1", "203.0.113.255", "223.255.255.255", "224.0.0.1", "127.0.0.1", "0.0.0.0", "0.0.0.1", "192.0.0.170", "198.51.100.1"};
	static const uint8_t group[6] = {1, 0, 94, 0, 0, 1}, none[6] = {0};
	uint64_t odd = random_next(random) % 16, kind = random_next(random) % 4;
	struct frame_spec spec = {
		.source = random_next(random) % 4 ? sources[0] : sources[random_next(random) % CHECK_COUNT(sources)],
		.destination = "198.51.100.1",
		.protocol = odd == 0 ? 17 : 6,
		.tcp_flags = flags[random_next(random) % CHECK_COUNT(flags)],
		.sequence = (uint32_t)random_next(random),
		.acknowledgement = (uint32_t)random_next(random),
		.tcp_options = kind == 1 ? timestamps : kind == 2 ? syn_options : NULL,
		.tcp_options_bytes = kind == 1 ? sizeof(timestamps) : kind == 2 ? sizeof(syn_options) : 0,
		.payload_bytes = (uint16_t)(random_next(random) % (random_next(random) % 4 ? 20 : 1400)),
		.n_vlans = odd == 1,
		.destination_mac = odd == 2 ? group : NULL,
		.source_mac = odd == 3 ? group : odd == 4 ? none : NULL,
		.pad_to_bytes = 60,
	};

	if (odd == 5)
		spec.ip_options = "\1\1\1", spec.ip_options_bytes = 4;
	if (odd == 6)
		spec.more_fragments = true, spec.payload_bytes = 160, spec.fragment_bytes = 80;
	if (odd == 7)
		spec.fragment_offset = 80, spec.payload_bytes = 160;
	return spec;
}

/* A bit anywhere, a byte where headers are, with and without right checksums, or the end cut off. */
static void damage(struct frame *frame, uint64_t *random)
{
	uint64_t what = random_next(random);

	switch (what % 8) {
	case 0:
		frame->bytes[(what >> 8) % frame->n] ^= (uint8_t)(1u << (what >> 32) % 8);
		break;
	case 1:
		frame->bytes[12 + (what >> 8) % 44] = (uint8_t)(what >> 32);
		frame_checksum(frame, frame->bytes[23]);
		break;
	case 2:
		frame->bytes[34 + (what >> 8) % 2 * 2] = frame->bytes[35 + (what >> 8) % 2 * 2] = 0;
		frame_checksum(frame, 6);
		break;
	case 3:
		frame_cut(frame, (uint32_t)((what >> 8) % frame->n));
		break;
	default:
		break;
	}
}

/* The damaged length may point anywhere; the checksum can only be mended where there is a header. */
static bool may_mend(const struct frame *frame)
{
	return frame->n >= 60 && frame->l4 == 34;
}

static void test_random(void)
{
	uint64_t random = 1, taken = 0, differ = 0, wrong = 0;

	for (unsigned i = 0; i < FRAMES; i++) {
		struct frame_spec spec = random_spec(&random);
		unsigned checks = (unsigned)(random_next(&random) % (CHECK_ALL + 1));
		struct packet plain, general;
		static struct frame frame;
		uint8_t copy[2048];
		enum reason reason;

		frame_make(&spec, &frame);
		if (may_mend(&frame))
			damage(&frame, &random);
		memset(&plain, 0xa5, sizeof(plain));
		memset(&general, 0x5a, sizeof(general));
		memcpy(copy, frame.bytes, frame.n);
		if (!packet_parse_plain(copy, frame.n, checks, &plain))
			continue;
		taken++;
		reason = packet_parse_general(copy, frame.n, NULL, 0, frame.n, checks, &general);
		wrong += reason != REASON_COUNT;
		differ += memcmp(&plain, &general, sizeof(plain)) != 0;
	}
	CHECK_EQ("it takes nothing that the long way refuses", wrong, (uint64_t)0);
	CHECK_EQ("it says the same of what it takes", differ, (uint64_t)0);
	CHECK_TRUE("it takes much", taken > FRAMES / 8);
}

static void test_cases(void)
{
	const struct {
		const char *name;
		struct frame_spec spec;
		bool taken;
	} cases[] = {
		{"a bare SYN", {.protocol = 6}, true},
		{"a SYN with options", {.protocol = 6, .tcp_options = syn_options, .tcp_options_bytes = 20}, true},
		{"data", {.protocol = 6, .tcp_flags = TCP_FLAG_ACK, .payload_bytes = 1400}, true},
		{"an odd byte of data", {.protocol = 6, .tcp_flags = TCP_FLAG_ACK, .payload_bytes = 1}, true},
		{"data with timestamps",
			{.protocol = 6, .tcp_flags = TCP_FLAG_ACK, .tcp_options = timestamps, .tcp_options_bytes = 12, .payload_bytes = 9}, true},
		{"a padded frame", {.protocol = 6, .tcp_flags = TCP_FLAG_RST, .pad_to_bytes = 60}, true},
		{"not UDP", {.protocol = 17, .payload_bytes = 30}, false},
		{"not IPv6", {.protocol = 6, .source = "2001:db8::1", .destination = "2001:db8::2", .payload_bytes = 30}, false},
	};

	for (size_t c = 0; c < CHECK_COUNT(cases); c++) {
		struct packet packet;
		struct frame frame;

		frame_make(&cases[c].spec, &frame);
		CHECK_EQ(cases[c].name, packet_parse_plain(frame.bytes, frame.n, CHECK_ALL, &packet), cases[c].taken);
	}
}

/* What is in several pieces, or whose head is not all there, goes the long way. */
static void test_pieces(void)
{
	struct frame_spec spec = {.protocol = 6, .tcp_flags = TCP_FLAG_ACK, .payload_bytes = 100};
	struct packet_segment segments[2];
	struct packet packet;
	struct frame frame;

	frame_make(&spec, &frame);
	segments[0] = (struct packet_segment){frame.bytes, 60};
	segments[1] = (struct packet_segment){frame.bytes + 60, frame.n - 60};
	CHECK_EQ("two pieces", packet_parse(frame.bytes, 60, segments, 2, frame.n, CHECK_ALL, &packet), REASON_COUNT);
	CHECK_EQ("a head alone, which cannot be verified", packet_parse(frame.bytes, 60, NULL, 0, frame.n, CHECK_ALL, &packet),
		REASON_BAD_TCP_CHECKSUM);
	frame.bytes[100] ^= 1;
	CHECK_EQ("with a wrong byte in the second", packet_parse(frame.bytes, 60, segments, 2, frame.n, CHECK_ALL, &packet),
		REASON_BAD_TCP_CHECKSUM);
	CHECK_EQ("a head alone, if nobody asks", packet_parse(frame.bytes, 60, NULL, 0, frame.n, PACKET_CHECK_IP, &packet), REASON_COUNT);
}

static const struct check_test tests[] = {
	{"random and damaged frames", test_random},
	{"what is common is taken", test_cases},
	{"pieces", test_pieces},
};
CHECK_MAIN("packet_plain", tests)
