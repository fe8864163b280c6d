// SPDX-License-Identifier: BSD-3-Clause
/* Tests of reply_syn_ack_over (dataplane/reply.h): whatever the SYN and whatever is agreed on, it writes what reply_syn_ack builds,
 * and nothing behind that. test_reply.c and test_reply_proxy.c test what that is.
 */
#include "dataplane/reply.h"
#include "tests/check.h"
#include "tests/frame_parse.h"

#define V6 .source = "2001:db8::1", .destination = "2001:db8::2"
#define OPTIONS(bytes) .tcp_options = bytes, .tcp_options_bytes = sizeof(bytes)

static const uint8_t linux_options[20] = {2, 4, 5, 0xb4, 4, 2, 8, 10, 0, 0, 0, 9, 0, 0, 0, 0, 1, 3, 3, 7};
static const uint8_t scale_only[4] = {1, 3, 3, 7};
static const uint8_t ip_options[4] = {1, 1, 1, 0};

/* Both ways, on two copies of the frame. Returns bytes written. */
static unsigned both_of(
	const char *name, const struct frame *syn, const struct packet *packet, const struct reply_segment *segment)
{
	uint8_t built[REPLY_BYTES_MAX], *over = malloc(syn->n);
	unsigned n = reply_syn_ack(syn->bytes, packet, segment, built);

	if (!over)
		abort();
	memcpy(over, syn->bytes, syn->n);
	CHECK_EQ(name, reply_syn_ack_over(over, packet, segment), n);
	CHECK_TRUE("never longer than the SYN", n <= syn->n);
	CHECK_MEM_EQ(name, over, built, n);
	CHECK_MEM_EQ("nothing is written behind the answer", over + n, syn->bytes + n, syn->n - n);
	free(over);
	return n;
}

static unsigned both(const char *name, const struct frame *syn, const struct reply_segment *segment)
{
	struct packet packet;

	CHECK_EQ(name, frame_parse(syn, FRAME_CHECK_ALL, &packet), REASON_COUNT);
	return both_of(name, syn, &packet, segment);
}

static void test_kinds_of_syn(void)
{
	static const struct {
		const char *name;
		struct frame_spec spec;
		unsigned bytes; /* of the answer with all options */
	} cases[] = {
		{"Linux's SYN", {OPTIONS(linux_options)}, 66},
		{"Linux's SYN over IPv6", {V6, OPTIONS(linux_options)}, 86},
		{"two tags", {.n_vlans = 2, OPTIONS(linux_options)}, 74},
		{"one tag over IPv6", {V6, .n_vlans = 1, OPTIONS(linux_options)}, 90},
		{"a padded SYN without options", {.pad_to_bytes = 60}, 54},
		{"options that leave no room for the MSS", {OPTIONS(scale_only)}, 54},
		{"IP options, which the answer has not", {.ip_options = ip_options, .ip_options_bytes = 4, OPTIONS(linux_options)}, 66},
		{"data of a Fast Open SYN", {.payload_bytes = 100, OPTIONS(linux_options)}, 66},
		{"an extension header", {V6, .n_extensions = 1, .extensions = {{.type = 60}}, OPTIONS(linux_options)}, 86},
		{"a group's address is not answered", {.destination = "224.0.0.1", OPTIONS(linux_options)}, 0},
		{"nor over IPv6", {.source = "2001:db8::1", .destination = "ff02::1", OPTIONS(linux_options)}, 0},
		{"an atomic fragment", {V6, .fragment_header = true, OPTIONS(linux_options)}, 86},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct reply_segment segment = {
			.sequence = 0x01020304, .acknowledgement = 0xfffefdfc, .window = 0x1234, .options = {1460, true, 14, true}};
		struct frame syn;

		frame_make(&cases[i].spec, &syn);
		CHECK_EQ(cases[i].name, both(cases[i].name, &syn, &segment), cases[i].bytes);
	}
}

/* The parser lets none through, but this is what answers. */
static void test_not_answered(void)
{
	static const struct frame_spec syn = {OPTIONS(linux_options)};
	static const struct reply_segment segment = {.options = {1460, true, 7, true}};
	struct frame frame;
	struct packet packet;

	frame_make(&syn, &frame);
	CHECK_EQ("a SYN", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
	packet.fragment_offset_bytes = 8;
	CHECK_EQ("not the first fragment", both_of("fragment", &frame, &packet, &segment), 0);
	packet.fragment_offset_bytes = 0;
	packet.kind = PACKET_KIND_UDP;
	CHECK_EQ("not TCP", both_of("UDP", &frame, &packet, &segment), 0);
	packet.kind = PACKET_KIND_TCP;
	frame.bytes[0] |= 1;
	CHECK_EQ("a frame to a group", both_of("group", &frame, &packet, &segment), 0);
}

static uint64_t draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state >> 16;
}

/* Sums wrap in all ways, and every set of options is agreed on. */
static void test_random(void)
{
	uint64_t random = 1;

	for (unsigned i = 0; i < 20000; i++) {
		static const char *const sources[] = {"1.0.0.1", "223.255.255.254", "2001:db8::1", "2001:ffff:ffff:ffff:ffff:ffff:ffff:fffe"};
		static const char *const destinations[] = {"198.18.0.1", "2001:db8::ffff"};
		unsigned ends = (unsigned)draw(&random) % 4;
		struct frame_spec spec = {.source = sources[ends],
			.destination = destinations[ends / 2],
			.source_port = (uint16_t)(draw(&random) | 1),
			.destination_port = (uint16_t)(draw(&random) | 1),
			.n_vlans = (uint8_t)(draw(&random) % 3),
			.sequence = (uint32_t)draw(&random),
			.payload_bytes = (uint16_t)(draw(&random) % 12),
			OPTIONS(linux_options)};
		struct reply_segment segment = {.sequence = (uint32_t)draw(&random),
			.acknowledgement = draw(&random) % 4 ? (uint32_t)draw(&random) : UINT32_MAX,
			.window = (uint16_t)draw(&random),
			.flags = (uint8_t)draw(&random),
			.options = {.mss = draw(&random) % 2 ? (uint16_t)draw(&random) : 0,
				.has_window_scale = draw(&random) % 2,
				.window_scale = (uint8_t)(draw(&random) % 15),
				.sack_permitted = draw(&random) % 2}};
		struct frame syn;

		if (draw(&random) % 4 == 0)
			spec.tcp_options_bytes = (uint8_t)(draw(&random) % 3 * 4);
		if (spec.tcp_options_bytes == 8) /* would cut the timestamps in two */
			spec.tcp_options_bytes = 4;
		frame_make(&spec, &syn);
		if (both("random", &syn, &segment) == 0)
			CHECK_TRUE("every one of these is answered", false);
	}
}

static const struct check_test tests[] = {
	{"every kind of SYN is answered as by reply_syn_ack", test_kinds_of_syn},
	{"what must not be answered", test_not_answered},
	{"so are 20,000 random ones", test_random},
};
CHECK_MAIN("reply_over", tests)
