/* SPDX-License-Identifier: BSD-3-Clause
 * What a hostile review found in the stage: each case is an attack that got through, or an honest connection
 * that broke, before its fix. The clock is injected; the frames are real.
 */
#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "tests/stage_world.h"

#define VICTIM "203.0.113.7"
#define NODE   "198.51.100.1"
enum { SYN = TCP_FLAG_SYN, ACK = TCP_FLAG_ACK, RST = TCP_FLAG_RST, FIN = TCP_FLAG_FIN };

static enum reason from_client_at(struct world *world, uint64_t at_ms, uint16_t port, uint16_t to_port,
	uint8_t flags, uint32_t sequence, uint32_t acknowledgement, uint16_t payload_bytes)
{
	struct frame_spec spec = {.source = VICTIM,
		.destination = NODE,
		.protocol = 6,
		.source_port = port,
		.destination_port = to_port,
		.sequence = sequence,
		.acknowledgement = acknowledgement,
		.tcp_flags = flags,
		.payload_bytes = payload_bytes};

	return world_send(world, at_ms, SIDE_OUTSIDE, &spec);
}

static enum reason from_client(struct world *world, uint64_t at_ms, uint8_t flags, uint32_t sequence,
	uint32_t acknowledgement, uint16_t payload_bytes)
{
	return from_client_at(world, at_ms, 40000, 30303, flags, sequence, acknowledgement, payload_bytes);
}

static enum reason from_node(struct world *world, uint64_t at_ms, uint8_t flags, uint32_t sequence,
	uint32_t acknowledgement, uint16_t payload_bytes)
{
	struct frame_spec spec = {.source = NODE,
		.destination = VICTIM,
		.protocol = 6,
		.source_port = 30303,
		.destination_port = 40000,
		.sequence = sequence,
		.acknowledgement = acknowledgement,
		.tcp_flags = flags,
		.payload_bytes = payload_bytes};

	return world_send(world, at_ms, SIDE_INSIDE, &spec);
}

static struct world *world_running(void)
{
	struct world *world = world_create();

	world_start(world);
	return world;
}

static void test_unprotected_port(void)
{
	struct world *world = world_running();
	struct frame_spec answer = {.source = NODE,
		.destination = VICTIM,
		.protocol = 6,
		.source_port = 22,
		.destination_port = 40000,
		.sequence = 5000,
		.acknowledgement = 1001,
		.tcp_flags = SYN | ACK};

	CHECK_EQ("a SYN to an unprotected port", from_client_at(world, 2000, 40000, 22, SYN, 1000, 0, 0),
		REASON_OTHER_SERVICE);
	CHECK_EQ("is answered", world_send(world, 2001, SIDE_INSIDE, &answer), REASON_FLOW_FROM_NODE);
	CHECK_EQ("another on its ports has no service to be counted for",
		from_client_at(world, 2002, 40000, 22, SYN, 7777, 0, 0), REASON_OTHER_SERVICE);
	world_destroy(world);
}

static void test_closed_flood(void)
{
	struct world *world = world_running();

	CHECK_EQ("a spoofed SYN is admitted", from_client(world, 2000, SYN, 1000, 0, 0), REASON_ADMITTED);
	CHECK_EQ("the node refuses it", from_node(world, 2001, RST | ACK, 0, 1001, 0), REASON_FLOW);
	CHECK_EQ("what follows is not forwarded", from_client(world, 2002, ACK, 7, 0, 1000),
		REASON_FLOW_ILLEGAL);
	CHECK_EQ("another SYN is admitted", from_client(world, 2010, SYN, 1000, 0, 0), REASON_ADMITTED);
	CHECK_EQ("its own RST ends it", from_client(world, 2011, RST, 1001, 0, 0), REASON_FLOW);
	CHECK_EQ("what follows is not forwarded either", from_client(world, 2012, ACK, 7, 0, 1000),
		REASON_FLOW_ILLEGAL);
	world_destroy(world);
}

static void test_closed_stays(void)
{
	struct world *world = world_running();

	CHECK_EQ("a client connects", world_connect(world, 2000, VICTIM, 40000), REASON_ADMITTED);
	CHECK_EQ("ends its side", from_client(world, 2010, FIN | ACK, 1001, 5001, 0), REASON_FLOW);
	CHECK_EQ("which the node acknowledges", from_node(world, 2011, ACK, 5001, 1002, 0), REASON_FLOW);
	CHECK_EQ("and aborts", from_client(world, 2012, RST, 1002, 0, 0), REASON_FLOW);
	CHECK_EQ(
		"data of the node was on its way", from_node(world, 2013, ACK, 5001, 1002, 100), REASON_FLOW);
	CHECK_EQ("the client resets it again, and the node must hear it",
		from_client(world, 2014, RST, 1002, 0, 0), REASON_FLOW);
	CHECK_EQ("but no RST elsewhere", from_client(world, 2015, RST, 1003, 0, 0), REASON_CHALLENGE_BAD);
	world_pass(world, 60000);
	CHECK_EQ("its end is told once", world_events_of(world, EVENT_FLOW_CLOSED), 1u);
	world_destroy(world);
}

static void test_adopted_flood(void)
{
	struct world *world = world_running();
	unsigned forwarded = 0;

	CHECK_EQ("a spoofed ACK is adopted at start", from_client(world, 500, ACK, 300, 7000, 10),
		REASON_FLOW_ADOPTED);
	for (unsigned i = 0; i < 1000; i++)
		forwarded += from_client(world, 501 + i, ACK, 310 + i, 7000, 10) == REASON_FLOW;
	CHECK_TRUE("the node never answered: few packets follow", forwarded <= 64);
	world_pass(world, 6600);
	CHECK_EQ("and the flow ends though the flood goes on", from_client(world, 6601, ACK, 9, 7000, 10),
		REASON_NO_FLOW);
	world_destroy(world);

	world = world_running();
	CHECK_EQ("a download goes on after a restart", from_client(world, 500, ACK, 300, 7000, 0),
		REASON_FLOW_ADOPTED);
	for (unsigned i = 0; i < 1000; i++) {
		CHECK_EQ("the node is ahead", from_node(world, 501 + i, ACK, 50000 + i * 1000, 300, 1000),
			REASON_FLOW);
		CHECK_EQ("the client is behind", from_client(world, 501 + i, ACK, 300, 8000 + i * 1000, 0),
			REASON_FLOW);
	}
	CHECK_EQ("when it has caught up", from_client(world, 2000, ACK, 300, 50000 + 1000 * 1000, 0),
		REASON_FLOW);
	CHECK_EQ("it is proven", world_counter(world, COUNTER_FLOWS_PROVEN), (uint64_t)1);
	world_destroy(world);
}

static void test_tickets(void)
{
	struct world *world = world_create();
	unsigned admitted = 0;

	/* Any host answers a SYN-ACK that it did not ask for with the RST that carries the cookie, so whoever
	 * may spoof gets a ticket in the name of every live host, and a real one may send its RST again. */
	world->policy.proven_rate_v4[IMAGE_LEVEL_HOST] = (struct image_rate){.burst = 16, .per_1000_s = 200};
	world_start(world);
	for (unsigned i = 0; i < 500; i++) {
		uint16_t port = (uint16_t)(2000 + i);

		if (from_client_at(world, 2000, port, 30304, SYN, 1000, 0, 0) == REASON_ADMITTED) {
			admitted++;
			continue;
		}
		(void)from_client_at(
			world, 2000, port, 30304, RST, world->decision.segment.acknowledgement, 0, 0);
		admitted += from_client_at(world, 2000, port, 30304, SYN, 1000, 0, 0) == REASON_ADMITTED;
	}
	CHECK_TRUE("tickets and budget together are bounded", admitted <= 33);
	CHECK_TRUE("and not nothing", admitted >= 16);
	world_destroy(world);
}

static void test_ticket_evidence(void)
{
	struct world *world = world_create();

	world->policy.proven_rate_v4[IMAGE_LEVEL_HOST] = (struct image_rate){.burst = 1, .per_1000_s = 1};
	world->services[WORLD_SERVICE_TCP].challenge = IMAGE_CHALLENGE_ALWAYS;
	world_start(world);
	CHECK_EQ("a SYN is challenged", from_client(world, 2000, SYN, 1000, 0, 0), REASON_CHALLENGED);
	CHECK_EQ("the victim's stack resets what it did not ask for",
		from_client(world, 2001, RST, world->decision.segment.acknowledgement, 0, 0),
		REASON_CHALLENGE_PASSED);
	CHECK_EQ("the victim itself connects", world_connect(world, 2002, VICTIM, 41000), REASON_ADMITTED);
	world->n_events = 0;
	CHECK_EQ("another SYN in its name is over its rate", from_client(world, 2003, SYN, 1000, 0, 0),
		REASON_RATE_SOURCE);
	for (unsigned i = 0; i < world->n_events; i++)
		CHECK_FALSE("a SYN is no evidence, whoever answered its challenge",
			(world->events[i].flags & EVENT_FLAG_EVIDENCE) != 0);
	world_destroy(world);
}

static void test_fragment_flood(void)
{
	struct frame_spec first = {.source = VICTIM,
		.destination = NODE,
		.protocol = 17,
		.source_port = 40000,
		.destination_port = 30303,
		.payload_bytes = 2000,
		.more_fragments = true,
		.fragment_bytes = 1000,
		.fragment_id = 7};
	struct frame_spec later = first;
	struct world *world = world_create();
	unsigned forwarded = 0;

	world->policy.other_per_s = 1000;
	world_start(world);
	later.fragment_offset = 1000;
	later.fragment_bytes = 0;
	later.more_fragments = false;
	CHECK_EQ("a spoofed first fragment is admitted", world_send(world, 2000, SIDE_OUTSIDE, &first),
		REASON_ADMITTED);
	for (unsigned i = 0; i < 1000; i++)
		forwarded += world_send(world, 2001, SIDE_OUTSIDE, &later) == REASON_FRAGMENT_OF_FLOW;
	CHECK_TRUE("no more follow than a datagram has", forwarded > 0 && forwarded <= 128);
	CHECK_EQ("the source proves itself", world_connect(world, 2002, VICTIM, 40000), REASON_ADMITTED);
	forwarded = 0;
	for (unsigned i = 0; i < 1000; i++) {
		later.fragment_id = 100 + i;
		forwarded += world_send(world, 2003, SIDE_OUTSIDE, &later) == REASON_FRAGMENT_OF_FLOW;
	}
	CHECK_TRUE("those that overtake their first have a rate", forwarded > 0 && forwarded <= 101);
	world_destroy(world);
}

static void test_syn_with_data(void)
{
	struct world *world = world_running();

	CHECK_EQ("a SYN with data is admitted", from_client(world, 2000, SYN, 1000, 0, 100), REASON_ADMITTED);
	CHECK_EQ("resent without data it is the same SYN", from_client(world, 2001, SYN, 1000, 0, 0),
		REASON_FLOW);
	CHECK_EQ(
		"the node takes only the SYN", from_node(world, 2002, SYN | ACK, 5000, 1001, 0), REASON_FLOW);
	CHECK_EQ("so the client begins again after it", from_client(world, 2003, ACK, 1001, 5001, 100),
		REASON_FLOW);
	CHECK_EQ("and is proven", world_counter(world, COUNTER_FLOWS_PROVEN), (uint64_t)1);
	world_destroy(world);

	world = world_running();
	CHECK_EQ("a Fast Open SYN", from_client(world, 2000, SYN, 1000, 0, 100), REASON_ADMITTED);
	CHECK_EQ("is taken whole", from_node(world, 2001, SYN | ACK, 5000, 1101, 0), REASON_FLOW);
	CHECK_EQ("and answered at once", from_node(world, 2001, ACK, 5001, 1101, 500), REASON_FLOW);
	CHECK_EQ("before the first ACK, that was lost; this one acknowledges the answer too",
		from_client(world, 2050, ACK, 1101, 5501, 0), REASON_FLOW);
	CHECK_EQ("it is proven", world_counter(world, COUNTER_FLOWS_PROVEN), (uint64_t)1);
	world_destroy(world);
}

static void test_fin_out_of_order(void)
{
	struct world *world = world_running();

	CHECK_EQ("a client connects", world_connect(world, 2000, VICTIM, 40000), REASON_ADMITTED);
	CHECK_EQ("its FIN overtakes lost data", from_client(world, 2010, FIN | ACK, 1101, 5001, 0),
		REASON_FLOW);
	CHECK_EQ("the data is resent", from_client(world, 2210, ACK, 1001, 5001, 100), REASON_FLOW);
	CHECK_EQ("the node acknowledges all", from_node(world, 2211, ACK, 5001, 1102, 0), REASON_FLOW);
	CHECK_EQ("and ends its side", from_node(world, 2212, FIN | ACK, 5001, 1102, 0), REASON_FLOW);
	CHECK_EQ("which the client acknowledges", from_client(world, 2213, ACK, 1102, 5002, 0), REASON_FLOW);
	CHECK_EQ("its end is seen", world_events_of(world, EVENT_FLOW_CLOSED), 1u);
	CHECK_EQ("and its place is free", concurrency_table_total(world->shared->concurrency), (uint64_t)0);
	world_destroy(world);

	world = world_running();
	CHECK_EQ("a client connects", world_connect(world, 2000, VICTIM, 40000), REASON_ADMITTED);
	CHECK_EQ("a blind FIN ahead of it passes", from_client(world, 2010, FIN | ACK, 1050, 5001, 0),
		REASON_FLOW);
	CHECK_EQ("the client goes on past it", from_client(world, 2011, ACK, 1001, 5001, 200), REASON_FLOW);
	CHECK_EQ("the node has it all", from_node(world, 2012, ACK, 5001, 1201, 0), REASON_FLOW);
	world_pass(world, 60000);
	CHECK_EQ("the FIN never counted: idle for a minute, it lives",
		world_counter(world, COUNTER_FLOWS_PROVEN), (uint64_t)1);
	world_destroy(world);
}

static void test_client_reboots(void)
{
	struct world *world = world_running();
	unsigned forwarded = 0;

	CHECK_EQ("a client connects from the port that it listens on",
		world_connect(world, 2000, VICTIM, 40000), REASON_ADMITTED);
	CHECK_EQ("a SYN in the middle of traffic is dropped", from_client(world, 2500, SYN, 77000, 0, 0),
		REASON_FLOW_SYN_KNOWN);
	/* It loses its power and comes back; the node still has the old connection. */
	CHECK_EQ("after silence the SYN reaches the node", from_client(world, 60000, SYN, 88000, 0, 0),
		REASON_FLOW);
	CHECK_EQ("which asks what this is (RFC 5961)", from_node(world, 60001, ACK, 5001, 1001, 0),
		REASON_FLOW);
	CHECK_EQ("the client resets the old one exactly", from_client(world, 60002, RST, 1001, 0, 0),
		REASON_FLOW);
	CHECK_EQ("and its next SYN opens a new one", from_client(world, 61000, SYN, 88000, 0, 0),
		REASON_ADMITTED);
	world_destroy(world);

	world = world_running();
	CHECK_EQ("a client connects", world_connect(world, 2000, VICTIM, 40000), REASON_ADMITTED);
	for (unsigned i = 0; i < 1000; i++)
		forwarded += from_client(world, 10000 + i, SYN, i, 0, 0) == REASON_FLOW;
	CHECK_EQ("spoofed SYNs into a silent flow are one a second", forwarded, 1u);
	world_destroy(world);
}

static void test_node_dials_again(void)
{
	struct world *world = world_running();

	CHECK_EQ("a client connects from the port that it listens on",
		world_connect(world, 2000, VICTIM, 40000), REASON_ADMITTED);
	CHECK_EQ("the node reboots and dials it from its own", from_node(world, 60000, SYN, 900, 0, 0),
		REASON_FLOW_FROM_NODE);
	CHECK_EQ("the answer is the node's business", from_client(world, 60010, SYN | ACK, 300, 901, 0),
		REASON_FLOW);
	CHECK_EQ("the old connection's end was told", world_events_of(world, EVENT_FLOW_CLOSED), 1u);
	CHECK_EQ("and its place is free", concurrency_table_total(world->shared->concurrency), (uint64_t)0);
	CHECK_EQ("a second SYN that crosses with the answer changes nothing",
		from_node(world, 60011, SYN, 900, 0, 0), REASON_FLOW);
	CHECK_EQ("the flow it opened stays proven", world_counter(world, COUNTER_FLOWS_PROVEN), (uint64_t)1);
	world_destroy(world);
}

static enum reason udp(struct world *world, uint64_t at_ms, enum side side)
{
	struct frame_spec spec = {.source = side == SIDE_OUTSIDE ? VICTIM : NODE,
		.destination = side == SIDE_OUTSIDE ? NODE : VICTIM,
		.protocol = 17,
		.source_port = side == SIDE_OUTSIDE ? 40000 : 30303,
		.destination_port = side == SIDE_OUTSIDE ? 30303 : 40000,
		.payload_bytes = 20};

	return world_send(world, at_ms, side, &spec);
}

static void test_ban_and_node(void)
{
	struct world *world = world_running();

	CHECK_EQ("a UDP client speaks", udp(world, 2000, SIDE_OUTSIDE), REASON_ADMITTED);
	CHECK_EQ("and is answered", udp(world, 2001, SIDE_INSIDE), REASON_FLOW);
	world_command(world, COMMAND_BAN_SET, VICTIM, ban_meta_make(SOURCE_CLASS_BANNED, BAN_META_NEVER));
	world_pass(world, 3000);
	(void)udp(world, 3001, SIDE_INSIDE);
	CHECK_EQ("the node speaks to it again, but it stays banned", udp(world, 3002, SIDE_OUTSIDE),
		REASON_BANNED);
	CHECK_EQ("a TCP segment of the node to it", from_node(world, 3003, ACK, 5001, 1001, 10),
		REASON_FLOW_ADOPTED);
	CHECK_EQ("lets it in no more than that", from_client(world, 3004, ACK, 1001, 5011, 10),
		REASON_FLOW_CUT);
	world_destroy(world);
}

static void test_icmp_budgets(void)
{
	struct frame_spec quoted = {.source = NODE,
		.destination = VICTIM,
		.protocol = 6,
		.source_port = 30303,
		.destination_port = 40000,
		.sequence = 5001,
		.acknowledgement = 1001,
		.tcp_flags = TCP_FLAG_ACK,
		.payload_bytes = 8};
	struct frame_spec error = {.source = "192.0.2.254",
		.destination = NODE,
		.protocol = 1,
		.icmp_type = 3,
		.icmp_code = 4,
		.icmp_word = 1400,
		.payload_bytes = 28};
	struct frame_spec echo = {.source = "192.0.2.9",
		.destination = NODE,
		.protocol = 1,
		.icmp_type = 8,
		.payload_bytes = 8};
	struct world *world = world_create();
	struct frame inner;

	world->policy.icmp_per_s = 10;
	world_start(world);
	CHECK_EQ("a client connects", world_connect(world, 2000, VICTIM, 40000), REASON_ADMITTED);
	CHECK_EQ("data is in flight", from_node(world, 2001, ACK, 5001, 1001, 1400), REASON_FLOW);
	for (unsigned i = 0; i < 100; i++)
		(void)world_send(world, 2002, SIDE_OUTSIDE, &echo);
	frame_make(&quoted, &inner);
	error.payload = inner.bytes + inner.l3;
	CHECK_EQ("a flood of pings does not starve path MTU discovery",
		world_send(world, 2002, SIDE_OUTSIDE, &error), REASON_ICMP_OF_FLOW);
	world_destroy(world);
}

static void test_allowed(void)
{
	struct world *world = world_create();
	struct frame_spec spec = {
		.destination = NODE, .protocol = 17, .destination_port = 30303, .payload_bytes = 20};
	char source[32];

	world->services[WORLD_SERVICE_UDP].pressure_enter_per_s = 200;
	world->services[WORLD_SERVICE_UDP].pressure_leave_per_s = 50;
	world->policy.other_per_s = 100;
	world_list(world, IMAGE_LIST_ALLOW, VICTIM);
	world_start(world);
	spec.source = source;
	for (unsigned i = 0; i < 500; i++) {
		snprintf(source, sizeof(source), "100.%u.%u.9", i / 250, 1 + i % 250);
		spec.source_port = (uint16_t)(1024 + i);
		(void)world_send(world, 2000, SIDE_OUTSIDE, &spec);
	}
	CHECK_EQ("a stranger's UDP is dropped under pressure", world->decision.reason, (int)REASON_PRESSURE);
	CHECK_EQ("an allowed source's is not: there is no challenge", udp(world, 2001, SIDE_OUTSIDE),
		REASON_ADMITTED);
	spec.destination_port = 22;
	for (unsigned i = 0; i < 500; i++)
		(void)world_send(world, 2002, SIDE_OUTSIDE, &spec);
	CHECK_EQ("a flood of an unprotected port has a rate", world->decision.reason,
		(int)REASON_OTHER_SERVICE_RATE);
	CHECK_EQ("of which an allowed source has its own", from_client_at(world, 2002, 1, 22, SYN, 1, 0, 0),
		REASON_OTHER_SERVICE);
	world_destroy(world);
}

static void test_handshake_disturbed(void)
{
	struct world *world = world_running();

	CHECK_EQ("a client's SYN", from_client(world, 2000, SYN, 1000, 0, 0), REASON_ADMITTED);
	CHECK_EQ("is answered", from_node(world, 2001, SYN | ACK, 5000, 1001, 0), REASON_FLOW);
	for (unsigned i = 0; i < 100; i++)
		(void)from_client(world, 2002, SYN, 900000000 + i * 10000, 0, 0);
	CHECK_EQ("SYNs that strangers sent on its ports do not stop it",
		from_client(world, 2040, ACK, 1001, 5001, 0), REASON_FLOW);
	CHECK_EQ("it is proven", world_counter(world, COUNTER_FLOWS_PROVEN), (uint64_t)1);
	world_destroy(world);

	world = world_running();
	CHECK_EQ("a stranger's SYN came first", from_client(world, 2000, SYN, 777000, 0, 0), REASON_ADMITTED);
	CHECK_EQ("and is answered", from_node(world, 2001, SYN | ACK, 5000, 777001, 0), REASON_FLOW);
	CHECK_EQ("the client resets it", from_client(world, 2040, RST, 777001, 0, 0), REASON_FLOW);
	CHECK_EQ("and opens its own", from_client(world, 2041, SYN, 1000, 0, 0), REASON_ADMITTED);
	world_destroy(world);
}

static void test_dial_flood(void)
{
	struct world *world = world_running();
	unsigned forwarded = 0;

	CHECK_EQ("the node dials", from_node(world, 2000, SYN, 900, 0, 0), REASON_FLOW_FROM_NODE);
	for (unsigned i = 0; i < 1000; i++)
		forwarded += from_client(world, 2001 + i * 10, ACK, i, 1, 1000) == REASON_FLOW;
	CHECK_TRUE("what does not answer it is not a way in", forwarded <= 32);
	world_destroy(world);
}

static void test_pressure_gauge(void)
{
	struct world *world = world_running();
	struct ruleset *rules = world->rules;
	struct frame_spec spec = {.destination = NODE, .protocol = 6, .destination_port = 30305};
	char source[32];

	spec.source = source;
	spec.tcp_flags = SYN;
	for (unsigned i = 0; i < 500; i++) {
		snprintf(source, sizeof(source), "100.%u.%u.9", i / 250, 1 + i % 250);
		(void)world_send(world, 2000, SIDE_OUTSIDE, &spec);
	}
	CHECK_EQ("a service is under pressure", world_counter(world, COUNTER_UNDER_PRESSURE), (uint64_t)1);
	/* A reload takes the last service away. */
	rules->n_services--;
	world_pass(world, 20000);
	CHECK_EQ("a service that is gone is not", world_counter(world, COUNTER_UNDER_PRESSURE), (uint64_t)0);
	rules->n_services++;
	world_destroy(world);
}

static void test_no_budget(void)
{
	struct world *world = world_create();
	unsigned admitted = 0;

	/* No rate for hosts is configured: a name that is proven must still not be a way around challenges.
	 */
	world->services[WORLD_SERVICE_TCP].challenge = IMAGE_CHALLENGE_AUTO;
	world_start(world);
	CHECK_EQ("a client is proven", world_connect(world, 2000, VICTIM, 40000), REASON_ADMITTED);
	for (unsigned i = 0; i < 2000; i++)
		admitted += from_client_at(world, 2010 + i / 20, (uint16_t)(1024 + i), 30303, SYN, 1000, 0,
				    0) == REASON_ADMITTED;
	CHECK_TRUE("SYNs in its name are challenged when too many wait", admitted <= 200);
	world_destroy(world);
}

static const struct check_test tests[] = {
	{"a SYN to an unprotected port stays in bounds", test_unprotected_port},
	{"a flow that never was proven forwards nothing after its end", test_closed_flood},
	{"a closed flow stays closed, and its exact RSTs are heard", test_closed_stays},
	{"an adopted flow that the node does not know is no door", test_adopted_flood},
	{"tickets are no way around budgets", test_tickets},
	{"a SYN is never evidence", test_ticket_evidence},
	{"fragments are bounded", test_fragment_flood},
	{"a SYN may carry data", test_syn_with_data},
	{"a FIN may overtake data", test_fin_out_of_order},
	{"a client that lost its memory gets its ports back", test_client_reboots},
	{"so does a node", test_node_dials_again},
	{"the node's own packets do not lift a ban", test_ban_and_node},
	{"ICMP errors of flows have a budget of their own", test_icmp_budgets},
	{"allowed sources are never governed away", test_allowed},
	{"a stranger cannot disturb a handshake", test_handshake_disturbed},
	{"a dial is no door", test_dial_flood},
	{"pressure ends with its service", test_pressure_gauge},
	{"a proven name without a rate is bounded by the handshakes that wait", test_no_budget},
};
CHECK_MAIN("stage_review", tests)
