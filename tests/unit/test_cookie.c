// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/cookie.h: a client's RST is accepted for two slots, and nothing else is.
 */
#include "dataplane/cookie.h"
#include "dataplane/reply.h"
#include "tests/check.h"
#include "tests/frame_parse.h"

#define SLOT_NS (UINT64_C(1000000) * COOKIE_SLOT_MS)

static const struct cookie_secrets both = {{{1, 2}, {3, 4}}};
static const struct cookie_secrets next_epoch_gone = {{{1, 2}, {5, 6}}}, this_epoch_gone = {{{5, 6}, {3, 4}}};

static struct packet parse(const struct frame_spec *spec)
{
	struct frame frame;
	struct packet packet;

	frame_make(spec, &frame);
	CHECK_EQ("the frame is well formed", frame_parse(&frame, FRAME_CHECK_ALL, &packet), REASON_COUNT);
	return packet;
}

static void test_accepted(void)
{
	static const struct {
		const char *name;
		const struct cookie_secrets *secrets;
		uint64_t made_ns, checked_ns;
		bool accepted;
	} cases[] = {
		{"at once", &both, 10 * SLOT_NS, 10 * SLOT_NS, true},
		{"at the end of its slot", &both, 10 * SLOT_NS, 11 * SLOT_NS - 1, true},
		{"at the start of the next slot", &both, 10 * SLOT_NS, 11 * SLOT_NS, true},
		{"at the end of the next slot", &both, 10 * SLOT_NS, 12 * SLOT_NS - 1, true},
		{"two slots later", &both, 10 * SLOT_NS, 12 * SLOT_NS, false},
		{"32 s later even when made at a slot's end", &both, 11 * SLOT_NS - 1, 12 * SLOT_NS - 1, true},
		{"a slot earlier", &both, 10 * SLOT_NS, 10 * SLOT_NS - 1, false},
		{"from the last slot of an epoch", &both, 31 * SLOT_NS, 32 * SLOT_NS, true},
		{"from there with the epoch's own secret gone", &this_epoch_gone, 31 * SLOT_NS, 32 * SLOT_NS, false},
		{"whatever the other epoch's secret is", &next_epoch_gone, 10 * SLOT_NS, 11 * SLOT_NS, true},
		{"in the very first slot", &both, 0, 5, true},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct packet syn = parse(&(struct frame_spec){.sequence = 12345});
		uint32_t cookie = cookie_make(&both, &syn, cases[i].made_ns);
		struct packet rst =
			parse(&(struct frame_spec){.tcp_flags = TCP_FLAG_RST, .sequence = cookie});
		uint8_t fingerprint = 0;

		CHECK_EQ(cases[i].name,
			cookie_check(cases[i].secrets, &rst, cases[i].checked_ns, &fingerprint),
			cases[i].accepted);
		CHECK_EQ(cases[i].name, fingerprint, cases[i].accepted ? syn.tcp_fingerprint : 0);
	}
}

/* Whatever a stranger changes in the RST of somebody else makes it worthless. */
static void test_bound_to_the_client(void)
{
	static const struct {
		const char *name;
		struct frame_spec rst;
		uint32_t flip;
		bool accepted;
	} cases[] = {
		{"the client's own", {.tcp_flags = TCP_FLAG_RST}, 0, true},
		{"with an ACK, as some stacks send it", {.tcp_flags = TCP_FLAG_RST | TCP_FLAG_ACK}, 0, true},
		{"another source",
			{.tcp_flags = TCP_FLAG_RST, .source = "192.0.2.2", .destination = "198.51.100.1"}, 0,
			false},
		{"another node",
			{.tcp_flags = TCP_FLAG_RST, .source = "192.0.2.1", .destination = "198.51.100.2"}, 0,
			false},
		{"another source port", {.tcp_flags = TCP_FLAG_RST, .source_port = 40001}, 0, false},
		{"another service", {.tcp_flags = TCP_FLAG_RST, .destination_port = 30304}, 0, false},
		{"no RST", {.tcp_flags = TCP_FLAG_ACK}, 0, false},
		{"another MAC", {.tcp_flags = TCP_FLAG_RST}, 1u << 31, false},
		{"another MAC's lowest bit", {.tcp_flags = TCP_FLAG_RST}, 1u << 8, false},
		{"another fingerprint", {.tcp_flags = TCP_FLAG_RST}, 1, false},
	};
	struct packet syn = parse(&(struct frame_spec){.sequence = 12345});
	uint32_t cookie = cookie_make(&both, &syn, 7 * SLOT_NS);

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct frame_spec spec = cases[i].rst;
		struct packet rst;
		uint8_t fingerprint = 99;

		spec.sequence = cookie ^ cases[i].flip;
		rst = parse(&spec);
		CHECK_EQ(cases[i].name, cookie_check(&both, &rst, 7 * SLOT_NS, &fingerprint),
			cases[i].accepted);
		CHECK_EQ(cases[i].name, fingerprint, cases[i].accepted ? syn.tcp_fingerprint : 99);
	}
}

/* Blind guesses: two cookies of 2^24 are right for a fingerprint, so 2^20 guesses hit 0.125 times on
 * average; 5 or more have a chance of 2e-7, and the secrets are constants here. */
static void test_guesses(void)
{
	struct packet rst = parse(&(struct frame_spec){.tcp_flags = TCP_FLAG_RST});
	unsigned hits = 0;

	for (uint32_t i = 0; i < 1u << 20; i++) {
		uint8_t fingerprint;

		rst.tcp_sequence = i << 12 | 0x101;
		hits += cookie_check(&both, &rst, 3 * SLOT_NS, &fingerprint);
	}
	CHECK_TRUE("a million blind guesses", hits < 5);
	rst.tcp_sequence = 0;
	CHECK_FALSE("fingerprint 0 is nobody's", cookie_check(&both, &rst, 3 * SLOT_NS, &(uint8_t){0}));
}

/* A client whose sequence number happens to be the cookie, or near it, would take the SYN-ACK for a real one.
 */
static void test_never_acceptable(void)
{
	static const struct {
		const char *name;
		uint32_t distance; /* from the SYN's sequence number to the cookie */
		uint16_t payload_bytes;
		bool changed;
	} cases[] = {
		{"the acknowledgement of the SYN", 1, 0, true},
		{"the sequence number itself", 0, 0, true},
		{"one behind the SYN", 2, 0, false},
		{"one before it", UINT32_MAX, 0, false},
		{"the acknowledgement of Fast Open data", 201, 200, true},
		{"one behind that", 202, 200, false},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct packet syn = parse(&(struct frame_spec){.payload_bytes = cases[i].payload_bytes});
		uint32_t usual, cookie;
		struct packet rst;
		uint8_t fingerprint;

		/* Far from every cookie of these tests, so that this is the cookie when nothing is in its
		 * way. */
		syn.tcp_sequence = 0;
		usual = cookie_make(&both, &syn, 9 * SLOT_NS);
		CHECK_TRUE("the usual cookie is far from 0",
			usual > 1u << 16 && usual < UINT32_MAX - (1u << 16));
		syn.tcp_sequence = usual - cases[i].distance;
		cookie = cookie_make(&both, &syn, 9 * SLOT_NS);
		CHECK_EQ(cases[i].name, cookie != usual, cases[i].changed);
		CHECK_TRUE(cases[i].name, cookie - syn.tcp_sequence > 1u + cases[i].payload_bytes);
		rst = parse(&(struct frame_spec){.tcp_flags = TCP_FLAG_RST, .sequence = cookie});
		CHECK_TRUE("and is accepted all the same",
			cookie_check(&both, &rst, 9 * SLOT_NS, &fingerprint));
	}
}

/* As on the wire: SYN, our SYN-ACK, and the RST that RFC 9293 3.10.7.3 asks for: <SEQ=SEG.ACK><CTL=RST>. */
static void test_through_a_reply(void)
{
	struct frame syn_frame, syn_ack_frame = {0};
	struct packet syn, syn_ack, rst;
	uint8_t fingerprint;
	uint32_t cookie;

	frame_make(
		&(struct frame_spec){.source = "2001:db8::1", .destination = "2001:db8::2", .sequence = 77},
		&syn_frame);
	CHECK_EQ("the SYN", frame_parse(&syn_frame, FRAME_CHECK_ALL, &syn), REASON_COUNT);
	cookie = cookie_make(&both, &syn, SLOT_NS);
	syn_ack_frame.n = reply_syn_ack(syn_frame.bytes, &syn,
		&(struct reply_segment){.sequence = 1, .acknowledgement = cookie, .options.mss = 1460}, syn_ack_frame.bytes);
	CHECK_EQ("the SYN-ACK", frame_parse(&syn_ack_frame, FRAME_CHECK_ALL, &syn_ack), REASON_COUNT);
	rst = parse(&(struct frame_spec){.source = "2001:db8::1",
		.destination = "2001:db8::2",
		.tcp_flags = TCP_FLAG_RST,
		.sequence = syn_ack.tcp_acknowledgement});
	CHECK_TRUE("the RST proves the client", cookie_check(&both, &rst, SLOT_NS, &fingerprint));
	CHECK_EQ("and brings the SYN's fingerprint back", fingerprint, syn.tcp_fingerprint);
}

static const struct check_test tests[] = {
	{"a cookie is accepted in its slot and the next", test_accepted},
	{"a cookie is good for one client, port and fingerprint", test_bound_to_the_client},
	{"guessing does not pay", test_guesses},
	{"a cookie never acknowledges the SYN it answers", test_never_acceptable},
	{"a cookie goes out in a SYN-ACK and comes back in a RST", test_through_a_reply},
};
CHECK_MAIN("cookie", tests)
