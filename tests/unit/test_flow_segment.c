/* SPDX-License-Identifier: BSD-3-Clause
 * A reload that gives services other numbers: every lcore's flows are counted again, so every gauge that they hold must have been given
 * back first. Real flows made by real frames; no segment file.
 */
#include <stdlib.h>

#include "dataplane/flow_segment.h"
#include "tests/check.h"
#include "tests/stage_world.h"

#define CLIENT "203.0.113.7"
#define NODE   "198.51.100.1"
enum { CLIENT_SEQUENCE = 1000, NODE_SEQUENCE = 70000, PROXIED_PORT = 30304, PLAIN_PORT = 30305 };

static void world_proxied_connect(struct world *world)
{
	struct frame_spec spec = world_syn(CLIENT, 40000, PROXIED_PORT);

	CHECK_EQ("challenged", world_send(world, 2000, SIDE_OUTSIDE, &spec), REASON_CHALLENGED);
	spec.sequence++;
	spec.acknowledgement = world->decision.segment.sequence + 1;
	spec.tcp_flags = TCP_FLAG_ACK;
	CHECK_EQ("dialled", world_send(world, 2001, SIDE_OUTSIDE, &spec), REASON_PROXY_ACCEPTED);
	spec = (struct frame_spec){.source = NODE,
		.destination = CLIENT,
		.protocol = 6,
		.source_port = PROXIED_PORT,
		.destination_port = 40000,
		.sequence = NODE_SEQUENCE,
		.acknowledgement = spec.sequence,
		.tcp_flags = TCP_FLAG_SYN | TCP_FLAG_ACK};
	CHECK_EQ("opened", world_send(world, 2002, SIDE_INSIDE, &spec), REASON_PROXY_OPENED);
}

static void test_gauges_after_renumbering(void)
{
	static const struct {
		const char *name;
		enum counter gauge;
		uint64_t flows;
	} cases[] = {
		{"flows", COUNTER_FLOWS, 2},
		{"proven", COUNTER_FLOWS_PROVEN, 1},
		{"half open", COUNTER_FLOWS_HALF_OPEN, 1},
		{"translated", COUNTER_FLOWS_TRANSLATED, 1},
	};
	struct world *world = world_create();
	struct flow_segment_payload *payload = aligned_alloc(64, (sizeof(*payload) + 63) / 64 * 64);
	/* No places of its own: the world's table holds the flows. */
	struct flow_segment segment = {.payload = payload, .n_lcores = 1, .adopted = true};
	static struct dispatch dispatch = {.n_lcores = 1};

	if (payload == NULL)
		abort();
	*payload = (struct flow_segment_payload){.n_lcores = 1};
	world->services[WORLD_SERVICE_ALWAYS].challenge_method = IMAGE_METHOD_PROXY;
	world_start(world);
	world_proxied_connect(world);
	CHECK_EQ("half open", world_send_syn(world, 2003, "203.0.113.9", 40001, PLAIN_PORT), REASON_ADMITTED);
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name, world_counter(world, cases[i].gauge), cases[i].flows);
	CHECK_EQ("known again",
		flow_segment_adopt(&segment, &dispatch, world->rules, (struct stage *const[]){world->stage},
			(uint32_t)(world->now_ns / 1000000)),
		2u);
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name, world_counter(world, cases[i].gauge), cases[i].flows);
	free(payload);
	world_destroy(world);
}

static const struct check_test tests[] = {
	{"a reload that numbers services anew leaves every gauge as it was", test_gauges_after_renumbering},
};

CHECK_MAIN("flow_segment", tests)
