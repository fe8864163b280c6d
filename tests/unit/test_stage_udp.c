// SPDX-License-Identifier: BSD-3-Clause
/* UDP without proof (dataplane/stage_udp.c, and the strangers that stage_attempt.c paces): how many datagrams, how many bytes, and
 * who gets in while a service is under pressure. */
#include <stdio.h>

#include "tests/check.h"
#include "tests/stage_world.h"

#define CLIENT "203.0.113.1"
#define NODE "198.51.100.1"

static struct world *udp_world(uint32_t enter_per_s, uint32_t paced_per_s, uint8_t amplification_limit)
{
	struct world *world = world_create();
	struct image_service *service = &world->services[WORLD_SERVICE_UDP];

	service->pressure_enter_per_s = enter_per_s;
	service->pressure_leave_per_s = enter_per_s / 2;
	service->paced_per_s = paced_per_s;
	service->amplification_limit = amplification_limit;
	world_start(world);
	return world;
}

static enum reason client_says(struct world *world, uint64_t at_ms, uint16_t bytes)
{
	struct frame_spec spec = world_syn(CLIENT, 40000, 30303);

	spec.protocol = 17;
	spec.payload_bytes = bytes;
	return world_send(world, at_ms, SIDE_OUTSIDE, &spec);
}

static enum reason node_says(struct world *world, uint64_t at_ms, const char *client, uint16_t port, uint16_t bytes)
{
	struct frame_spec spec = {.source = NODE,
		.destination = client,
		.source_port = 30303,
		.destination_port = port,
		.protocol = 17,
		.payload_bytes = bytes};

	return world_send(world, at_ms, SIDE_INSIDE, &spec);
}

static void test_allowance(void)
{
	struct world *world = udp_world(1000, 0, 0);
	unsigned passed = 0;

	for (unsigned i = 0; i < 10; i++)
		passed += client_says(world, 1000, 20) == (i == 0 ? REASON_ADMITTED : REASON_FLOW);
	CHECK_EQ("three datagrams pass before the node answers", passed, 3u);
	CHECK_EQ("the node answers", node_says(world, 1001, CLIENT, 40000, 20), REASON_FLOW);
	passed = 0;
	for (unsigned i = 0; i < 100; i++)
		passed += client_says(world, 1002, 20) == REASON_FLOW;
	CHECK_EQ("sixteen times as many pass after an answer", passed, 48u);
	CHECK_EQ("the next does not", client_says(world, 1003, 20), REASON_FLOW_UDP_UNANSWERED);
	CHECK_EQ("until the node speaks again", node_says(world, 1004, CLIENT, 40000, 20), REASON_FLOW);
	CHECK_EQ("then it does", client_says(world, 1005, 20), REASON_FLOW);
	world_destroy(world);
}

static void test_node_first(void)
{
	struct world *world = udp_world(1000, 0, 3);
	unsigned passed = 0;

	CHECK_EQ("the node asks a peer", node_says(world, 1000, CLIENT, 40000, 1200), REASON_FLOW_FROM_NODE);
	for (unsigned i = 0; i < 300; i++)
		passed += client_says(world, 1001, 20) == REASON_FLOW;
	CHECK_EQ("its answer has no limit", passed, 300u);
	CHECK_EQ("nor have the node's words to whom it asked", node_says(world, 1002, CLIENT, 40000, 8000), REASON_FLOW);
	world_destroy(world);
}

static void test_amplification(void)
{
	struct world *world = udp_world(1000, 0, 3);

	CHECK_EQ("a question of 100 bytes", client_says(world, 1000, 100), REASON_ADMITTED);
	CHECK_EQ("200 bytes back", node_says(world, 1001, CLIENT, 40000, 200), REASON_FLOW);
	CHECK_EQ("100 more make three times as many", node_says(world, 1002, CLIENT, 40000, 100), REASON_FLOW);
	CHECK_EQ("one more byte is too many", node_says(world, 1003, CLIENT, 40000, 1), REASON_UDP_AMPLIFICATION);
	CHECK_EQ("another 100 from the client", client_says(world, 1004, 100), REASON_FLOW);
	CHECK_EQ("and 300 go back", node_says(world, 1005, CLIENT, 40000, 300), REASON_FLOW);
	CHECK_EQ("and no more", node_says(world, 1006, CLIENT, 40000, 1), REASON_UDP_AMPLIFICATION);
	world_destroy(world);
	world = udp_world(1000, 0, 0);
	CHECK_EQ("a service without the limit", client_says(world, 1000, 10), REASON_ADMITTED);
	CHECK_EQ("answers as it likes", node_says(world, 1001, CLIENT, 40000, 8000), REASON_FLOW);
	world_destroy(world);
}

/* Strangers, `per_s` of them for a second; how many got in without state. */
static unsigned strangers(struct world *world, uint64_t from_ms, unsigned per_s, unsigned *ret_dropped)
{
	unsigned paced = 0;

	*ret_dropped = 0;
	for (unsigned i = 0; i < per_s; i++) {
		enum reason reason;
		char source[32];

		world_numbered(source, i);
		reason = world_send_udp(world, from_ms + i * 1000 / per_s, source, (uint16_t)(1024 + i), 30303);
		paced += reason == REASON_ADMITTED_STATELESS;
		*ret_dropped += reason == REASON_PRESSURE;
	}
	return paced;
}

static void test_paced(void)
{
	struct world *world = udp_world(100, 50, 0);
	unsigned dropped, paced = strangers(world, 1000, 5000, &dropped);
	uint64_t flows = world_counter(world, COUNTER_FLOWS);
	char source[32];

	/* 50 a second, a burst of a tenth of a second first, rounded up. */
	CHECK_TRUE("as many pass under pressure as are configured", paced >= 45 && paced <= 60);
	CHECK_TRUE("the others do not", dropped > 4900);
	CHECK_TRUE("those that pass leave nothing behind", flows < 30);
	world_numbered(source, 4999);
	CHECK_EQ("the node answers one of them", node_says(world, 2100, source, 1024 + 4999, 20), REASON_FLOW_FROM_NODE);
	CHECK_EQ("who goes on as a known flow", world_send_udp(world, 2101, source, 1024 + 4999, 30303), REASON_FLOW);
	world_destroy(world);
	world = udp_world(100, 0, 0);
	paced = strangers(world, 1000, 5000, &dropped);
	CHECK_EQ("without a pace nobody passes under pressure", paced, 0u);
	world_destroy(world);
	world = udp_world(100, 50, 3);
	(void)strangers(world, 1000, 5000, &dropped);
	CHECK_EQ("a peer whom the node asks under pressure has no limit", node_says(world, 2100, CLIENT, 40000, 1200),
		REASON_FLOW_FROM_NODE);
	world_destroy(world);
}

/* A service that takes `paced_per_s` strangers under pressure, and is under it. */
static struct world *pressed_world(uint32_t paced_per_s)
{
	struct world *world = udp_world(100, paced_per_s, 3);
	unsigned dropped;

	(void)strangers(world, 1000, 5000, &dropped);
	return world;
}

static void test_stateless_answers(void)
{
	struct world *world = pressed_world(50);

	CHECK_EQ("a stranger is let through without state", client_says(world, 2100, 100), REASON_ADMITTED_STATELESS);
	CHECK_EQ("three times his bytes go back", node_says(world, 2101, CLIENT, 40000, 300), REASON_FLOW_FROM_NODE);
	CHECK_EQ("and no more", node_says(world, 2102, CLIENT, 40000, 1), REASON_UDP_AMPLIFICATION);
	world_destroy(world);
	world = pressed_world(50);
	CHECK_EQ("another is let through", client_says(world, 2100, 100), REASON_ADMITTED_STATELESS);
	CHECK_EQ("an answer larger than that does not go out at all", node_says(world, 2101, CLIENT, 40000, 301),
		REASON_UDP_AMPLIFICATION);
	world_destroy(world);
	/* 5,000 a second, and the table has 1,024 places. */
	world = pressed_world(1000000);
	CHECK_EQ("who may have lost his place to others has the smallest question",
		node_says(world, 2000, "203.0.113.9", 40000, 193), REASON_UDP_AMPLIFICATION);
	CHECK_EQ("a second later that is no longer so", node_says(world, 3100, "203.0.113.10", 40000, 193), REASON_FLOW_FROM_NODE);
	world_destroy(world);
}

static void test_fragmented_answers(void)
{
	struct world *world = udp_world(1000, 0, 3);
	struct frame_spec spec = {.source = NODE,
		.destination = CLIENT,
		.source_port = 30303,
		.destination_port = 40000,
		.protocol = 17,
		.payload_bytes = 3992, /* and a UDP header: 4,000 bytes */
		.more_fragments = true,
		.fragment_bytes = 2000,
		.fragment_id = 7};

	CHECK_EQ("a question of 1,000 bytes", client_says(world, 1000, 1000), REASON_ADMITTED);
	CHECK_EQ("the first fragment stands for its datagram", world_send(world, 1001, SIDE_INSIDE, &spec), REASON_UDP_AMPLIFICATION);
	spec.fragment_offset = 2000;
	spec.more_fragments = false;
	CHECK_EQ("the second follows it", world_send(world, 1001, SIDE_INSIDE, &spec), REASON_UDP_AMPLIFICATION);
	CHECK_EQ("1,000 bytes more", client_says(world, 1002, 1000), REASON_FLOW);
	spec.fragment_id = 8;
	CHECK_EQ("nobody refused this one's first", world_send(world, 1003, SIDE_INSIDE, &spec), REASON_FLOW_FROM_NODE);
	spec.fragment_offset = 0;
	spec.more_fragments = true;
	CHECK_EQ("the same answer is now small enough", world_send(world, 1003, SIDE_INSIDE, &spec), REASON_FLOW);
	CHECK_EQ("and was counted whole", node_says(world, 1004, CLIENT, 40000, 2009), REASON_UDP_AMPLIFICATION);
	CHECK_EQ("to the byte", node_says(world, 1005, CLIENT, 40000, 2008), REASON_FLOW);
	world_destroy(world);
}

/* One prefix presses, the service does not. */
static void test_pressing_prefix(void)
{
	struct world *world = world_create();
	unsigned paced = 0, dropped = 0;
	char source[32];

	world->services[WORLD_SERVICE_UDP].paced_per_s = 1000;
	world->policy.unproven_rate_v4[IMAGE_LEVEL_NEAR] = (struct image_rate){10, 1000};
	world_start(world);
	for (unsigned i = 0; i < 200; i++) {
		enum reason reason;

		snprintf(source, sizeof(source), "203.0.113.%u", i % 250 + 1);
		reason = world_send_udp(world, 1000, source, (uint16_t)(1024 + i), 30303);
		paced += reason == REASON_ADMITTED_STATELESS;
		dropped += reason == REASON_PRESSURE;
	}
	CHECK_EQ("a prefix that presses takes no paced places", paced, 0u);
	CHECK_TRUE("it is dropped", dropped > 150);
	CHECK_EQ("its neighbours feel nothing", world_send_udp(world, 1001, "192.0.2.1", 5000, 30303), REASON_ADMITTED);
	world_destroy(world);
}

static const struct check_test tests[] = {
	{"a flow's allowance grows with the node's answers", test_allowance},
	{"who the node asked may answer", test_node_first},
	{"answers are no more than so many times the question", test_amplification},
	{"strangers are paced under pressure, without state", test_paced},
	{"who was let through without state is answered within his limit", test_stateless_answers},
	{"an answer in fragments is one answer", test_fragmented_answers},
	{"a pressing prefix takes no places from others", test_pressing_prefix},
};

CHECK_MAIN("stage_udp", tests)
