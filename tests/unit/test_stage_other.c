/* SPDX-License-Identifier: BSD-3-Clause
 * Rows 1 to 3 and what is not a TCP connection: UDP, fragments, ICMP, unprotected services, malformed frames;
 * and what holds for bursts, full tables and probes. Each protection has a test here that fails when it is
 * taken out (tests/mutants.py does so).
 */
#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "tests/stage_world.h"

static void test_udp(void)
{
	struct world *world = world_create();
	struct frame_spec answer = {.source = "198.51.100.1",
		.destination = "203.0.113.7",
		.protocol = 17,
		.source_port = 30303,
		.destination_port = 40000,
		.payload_bytes = 20};
	struct frame_spec dial = {.source = "198.51.100.1",
		.destination = "203.0.113.50",
		.protocol = 17,
		.source_port = 30303,
		.destination_port = 9,
		.payload_bytes = 20};

	world_start(world);
	CHECK_EQ("the first packet is an attempt", world_send_udp(world, 2000, "203.0.113.7", 40000, 30303),
		REASON_ADMITTED);
	CHECK_EQ("the second passes", world_send_udp(world, 2001, "203.0.113.7", 40000, 30303), REASON_FLOW);
	CHECK_EQ("the third passes", world_send_udp(world, 2002, "203.0.113.7", 40000, 30303), REASON_FLOW);
	CHECK_EQ("a fourth before the node answers does not",
		world_send_udp(world, 2003, "203.0.113.7", 40000, 30303), REASON_FLOW_UDP_UNANSWERED);
	CHECK_EQ("the node answers", world_send(world, 2004, SIDE_INSIDE, &answer), REASON_FLOW);
	CHECK_EQ("then the flow is open", world_send_udp(world, 2005, "203.0.113.7", 40000, 30303),
		REASON_FLOW);
	CHECK_EQ("two-way UDP is no proof", world_events_of(world, EVENT_FLOW_PROVEN), 0u);
	CHECK_EQ("the node dials", world_send(world, 2010, SIDE_INSIDE, &dial), REASON_FLOW_FROM_NODE);
	CHECK_EQ("and is answered without an attempt", world_send_udp(world, 2011, "203.0.113.50", 9, 30303),
		REASON_FLOW);
	world_command(
		world, COMMAND_BAN_SET, "203.0.113.7", ban_meta_make(SOURCE_CLASS_BANNED, BAN_META_NEVER));
	CHECK_EQ("a ban ends an open UDP flow", world_send_udp(world, 2012, "203.0.113.7", 40000, 30303),
		REASON_BANNED);
	world_destroy(world);
}

static void test_other(void)
{
	static const struct frame_spec echo = {.source = "203.0.113.7",
		.destination = "198.51.100.1",
		.protocol = 1,
		.icmp_type = 8,
		.payload_bytes = 8};
	static const struct frame_spec transit = {
		.source = "203.0.113.7", .destination = "192.0.2.200", .protocol = 17, .payload_bytes = 8};
	static const struct frame_spec pretender = {
		.source = "198.51.100.1", .destination = "192.0.2.200", .protocol = 17, .payload_bytes = 8};
	static const struct frame_spec gre = {
		.source = "203.0.113.7", .destination = "198.51.100.1", .protocol = 47, .payload_bytes = 8};
	struct world *world = world_create();

	world_start(world);
	CHECK_EQ("an echo request passes", world_send(world, 2000, SIDE_OUTSIDE, &echo), REASON_ICMP_ECHO);
	CHECK_EQ("what is not the node's passes", world_send(world, 2001, SIDE_OUTSIDE, &transit),
		REASON_NOT_NODE);
	CHECK_EQ("the node's address from outside does not",
		world_send(world, 2002, SIDE_OUTSIDE, &pretender), REASON_BAD_IP_SOURCE);
	CHECK_EQ("an unprotected port passes by default", world_send_syn(world, 2003, "203.0.113.7", 1, 22),
		REASON_OTHER_SERVICE);
	CHECK_EQ("another protocol too", world_send(world, 2004, SIDE_OUTSIDE, &gre), REASON_OTHER_SERVICE);
	world->policy.other_policy = IMAGE_OTHER_DROP;
	world->policy.icmp_per_s = 10;
	world->policy.infrastructure_per_s = 10;
	world_reload(world);
	CHECK_EQ("unless configuration says drop", world_send_syn(world, 2005, "203.0.113.7", 2, 22),
		REASON_OTHER_SERVICE_CLOSED);
	CHECK_EQ("echo has a budget", world_send(world, 3000, SIDE_OUTSIDE, &echo), REASON_ICMP_ECHO);
	CHECK_EQ("that is spent", world_send(world, 3000, SIDE_OUTSIDE, &echo), REASON_INFRASTRUCTURE_BUDGET);
	world_destroy(world);
}

static void test_fragments(void)
{
	struct frame_spec first = {.source = "203.0.113.7",
		.destination = "198.51.100.1",
		.protocol = 17,
		.source_port = 40000,
		.destination_port = 30303,
		.payload_bytes = 2000,
		.more_fragments = true,
		.fragment_bytes = 1000,
		.fragment_id = 7};
	struct frame_spec later = first;
	struct world *world = world_create();

	later.fragment_offset = 1000;
	later.more_fragments = false;
	later.fragment_bytes = 0;
	world_start(world);
	CHECK_EQ("a later fragment alone is dropped", world_send(world, 2000, SIDE_OUTSIDE, &later),
		REASON_FRAGMENT_ORPHAN);
	CHECK_EQ("the first is an attempt", world_send(world, 2001, SIDE_OUTSIDE, &first), REASON_ADMITTED);
	CHECK_EQ("then the later one follows", world_send(world, 2002, SIDE_OUTSIDE, &later),
		REASON_FRAGMENT_OF_FLOW);
	later.fragment_id = 8;
	CHECK_EQ("another datagram's does not", world_send(world, 2003, SIDE_OUTSIDE, &later),
		REASON_FRAGMENT_ORPHAN);
	CHECK_EQ("a proven source's may overtake its first", world_connect(world, 2004, "203.0.113.7", 40000),
		REASON_ADMITTED);
	CHECK_EQ("and passes", world_send(world, 2005, SIDE_OUTSIDE, &later), REASON_FRAGMENT_OF_FLOW);
	world_command(
		world, COMMAND_BAN_SET, "203.0.113.7", ban_meta_make(SOURCE_CLASS_BANNED, BAN_META_NEVER));
	CHECK_EQ("unless it is banned", world_send(world, 2006, SIDE_OUTSIDE, &later), REASON_BANNED);
	world_destroy(world);
}

/* An ICMP "fragmentation needed" from a router that quotes a segment of the node's. */
static enum reason send_too_big(
	struct world *world, uint64_t at_ms, uint16_t quoted_port, uint32_t quoted_sequence)
{
	struct frame_spec quoted = {.source = "198.51.100.1",
		.destination = "203.0.113.7",
		.protocol = 6,
		.source_port = 30303,
		.destination_port = quoted_port,
		.sequence = quoted_sequence,
		.acknowledgement = 1001,
		.tcp_flags = TCP_FLAG_ACK,
		.payload_bytes = 8};
	struct frame_spec error = {.source = "192.0.2.254",
		.destination = "198.51.100.1",
		.protocol = 1,
		.icmp_type = 3,
		.icmp_code = 4,
		.icmp_word = 1400};
	struct frame inner;

	frame_make(&quoted, &inner);
	error.payload = inner.bytes + inner.l3;
	error.payload_bytes = 28;
	return world_send(world, at_ms, SIDE_OUTSIDE, &error);
}

static void test_icmp_errors(void)
{
	struct frame_spec data = {.source = "198.51.100.1",
		.destination = "203.0.113.7",
		.protocol = 6,
		.source_port = 30303,
		.destination_port = 40000,
		.sequence = 5001,
		.acknowledgement = 1001,
		.tcp_flags = TCP_FLAG_ACK,
		.payload_bytes = 1400};
	struct world *world = world_create();

	world_start(world);
	CHECK_EQ("an error that quotes no flow is dropped", send_too_big(world, 2000, 40000, 5001),
		REASON_ICMP_UNRELATED);
	CHECK_EQ("a connection", world_connect(world, 2001, "203.0.113.7", 40000), REASON_ADMITTED);
	CHECK_EQ("with data in flight", world_send(world, 2002, SIDE_INSIDE, &data), REASON_FLOW);
	CHECK_EQ("an error that quotes it passes", send_too_big(world, 2003, 40000, 5001),
		REASON_ICMP_OF_FLOW);
	CHECK_EQ("a blind one does not", send_too_big(world, 2004, 40000, 99999), REASON_ICMP_UNRELATED);
	CHECK_EQ("nor one of another port", send_too_big(world, 2005, 40001, 5001), REASON_ICMP_UNRELATED);
	world_destroy(world);
}

static void test_malformed(void)
{
	struct frame_spec spec = world_syn("203.0.113.7", 40000, 30303);
	struct world *world = world_create();

	world_start(world);
	spec.tcp_flags = TCP_FLAG_SYN | TCP_FLAG_FIN;
	CHECK_EQ("SYN with FIN", world_send(world, 2000, SIDE_OUTSIDE, &spec), REASON_BAD_TCP_FLAGS);
	CHECK_EQ("is dropped", world->decision.verdict, (int)VERDICT_DROP);
	CHECK_EQ("and counted", world_reason(world, REASON_BAD_TCP_FLAGS), (uint64_t)1);
	CHECK_EQ("a connection", world_connect(world, 2001, "203.0.113.7", 40000), REASON_ADMITTED);
	spec.sequence = 1001;
	spec.acknowledgement = 5002;
	CHECK_EQ("in a flow", world_send(world, 2002, SIDE_OUTSIDE, &spec), REASON_BAD_TCP_FLAGS);
	CHECK_EQ("a blind one is no evidence", world_events_of(world, EVENT_FLOW_MALFORMED), 0u);
	spec.acknowledgement = 5001;
	CHECK_EQ("at the exact numbers", world_send(world, 2003, SIDE_OUTSIDE, &spec), REASON_BAD_TCP_FLAGS);
	CHECK_EQ("it is", world_events_of(world, EVENT_FLOW_MALFORMED), 1u);
	world_destroy(world);
}

static void test_bursts(void)
{
	/* The second packet of a burst must see what the first has done. */
	struct frame_spec specs[3];
	enum reason reasons[3];
	struct world *world = world_create();

	world_start(world);
	specs[0] = specs[1] = world_syn("203.0.113.7", 40000, 30303);
	specs[2] = world_syn("203.0.113.8", 40000, 30303);
	world_send_burst(world, 2000, SIDE_OUTSIDE, specs, 3, reasons);
	CHECK_EQ("the SYN", reasons[0], REASON_ADMITTED);
	CHECK_EQ("its resend in the same burst", reasons[1], REASON_FLOW);
	CHECK_EQ("somebody else's", reasons[2], REASON_ADMITTED);
	CHECK_EQ("two flows", world_counter(world, COUNTER_FLOWS), (uint64_t)2);
	world_destroy(world);
}

static void test_full(void)
{
	struct world *world = world_create();
	char source[32];

	world->services[WORLD_SERVICE_TCP].pressure_enter_per_s = 10000000;
	world->services[WORLD_SERVICE_TCP].pressure_half_open = 0;
	world_start(world);
	CHECK_EQ("a proven flow", world_connect(world, 2000, "203.0.113.7", 40000), REASON_ADMITTED);
	for (unsigned i = 0; i < WORLD_FLOWS * 4; i++) {
		world_numbered(source, i);
		(void)world_send_syn(world, 2001, source, (uint16_t)(i % 60000 + 1), 30303);
	}
	CHECK_TRUE("the table is bounded", world_counter(world, COUNTER_FLOWS) <= WORLD_FLOWS);
	CHECK_TRUE(
		"newcomers evict unproven flows", world_counter(world, COUNTER_FLOWS_EVICTED) > WORLD_FLOWS);
	CHECK_EQ("the proven flow is still there", world_counter(world, COUNTER_FLOWS_PROVEN), (uint64_t)1);
	CHECK_EQ("gauges agree with the table", world_counter(world, COUNTER_FLOWS),
		(uint64_t)flow_table_count(world->flows));
	world_pass(world, 10000);
	CHECK_EQ("half-open flows are gone after their timeout",
		world_counter(world, COUNTER_FLOWS_HALF_OPEN), (uint64_t)0);
	world_destroy(world);
}

static void test_probe(void)
{
	struct world *world = world_create();
	struct address client;

	world_ban(world, "203.0.113.9", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_start(world);
	address_parse("203.0.113.9", &client);
	CHECK_EQ("a probe tells a ban",
		stage_probe(
			world->shared, world->stage, world->rules, &client, WORLD_SERVICE_TCP, world->now_ns),
		REASON_BANNED);
	address_parse("203.0.113.8", &client);
	CHECK_EQ("and an admission",
		stage_probe(
			world->shared, world->stage, world->rules, &client, WORLD_SERVICE_TCP, world->now_ns),
		REASON_ADMITTED);
	CHECK_EQ("and a challenge",
		stage_probe(world->shared, world->stage, world->rules, &client, WORLD_SERVICE_ALWAYS,
			world->now_ns),
		REASON_CHALLENGED);
	CHECK_EQ("and leaves no trace", world_counter(world, COUNTER_ATTEMPTS), (uint64_t)0);
	world_destroy(world);
}

static const struct check_test tests[] = {
	{"UDP flows are limited until the node answers", test_udp},
	{"what is not a protected service gets an explicit answer", test_other},
	{"a later fragment follows its first", test_fragments},
	{"an ICMP error must quote what is in flight", test_icmp_errors},
	{"what is malformed is dropped by reason", test_malformed},
	{"a burst is decided in order", test_bursts},
	{"full tables evict the unproven", test_full},
	{"a probe changes nothing", test_probe},
};
CHECK_MAIN("stage_other", tests)
