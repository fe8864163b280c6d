/* SPDX-License-Identifier: BSD-3-Clause
 * What control is told of a proxied connection that the node never opened, whoever ends it: there was no
 * beginning, so the end says that the node had not answered, and nobody can be blamed. Real frames and
 * cookies, injected clock.
 */
#include "tests/check.h"
#include "tests/stage_world.h"

#define CLIENT "203.0.113.7"
#define NODE   "198.51.100.1"

enum { CLIENT_SEQUENCE = 1000, NODE_SEQUENCE = 70000, PORT = 30304, DIAL_MS = 2000 };

enum ending { CLIENT_RESETS, NODE_REFUSES, NODE_SILENT, CONTROL_CUTS, BANNED, CLIENT_RESETS_LATER };

static struct frame_spec client(uint8_t flags, uint32_t sequence, uint32_t acknowledgement)
{
	return (struct frame_spec){.source = CLIENT,
		.destination = NODE,
		.protocol = 6,
		.source_port = 40000,
		.destination_port = PORT,
		.sequence = sequence,
		.acknowledgement = acknowledgement,
		.tcp_flags = flags};
}

static struct frame_spec node(uint8_t flags, uint32_t sequence)
{
	return (struct frame_spec){.source = NODE,
		.destination = CLIENT,
		.protocol = 6,
		.source_port = PORT,
		.destination_port = 40000,
		.sequence = sequence,
		.acknowledgement = CLIENT_SEQUENCE + 1,
		.tcp_flags = flags};
}

/* A stranger has brought the cookie back, and the node was dialled. */
static struct world *dialled(void)
{
	struct world *world = world_create();
	struct frame_spec spec = client(TCP_FLAG_SYN, CLIENT_SEQUENCE, 0);

	world->services[WORLD_SERVICE_ALWAYS].challenge_method = IMAGE_METHOD_PROXY;
	world_start(world);
	CHECK_EQ("challenged", world_send(world, DIAL_MS - 10, SIDE_OUTSIDE, &spec), REASON_CHALLENGED);
	spec = client(TCP_FLAG_ACK, CLIENT_SEQUENCE + 1, world->decision.segment.sequence + 1);
	CHECK_EQ("dialled", world_send(world, DIAL_MS, SIDE_OUTSIDE, &spec), REASON_PROXY_ACCEPTED);
	CHECK_EQ("nothing is told yet", world->n_events, 0u);
	return world;
}

static void end(struct world *world, enum ending ending)
{
	struct frame_spec spec;
	struct address address;

	switch (ending) {
	case CLIENT_RESETS_LATER:
		spec = node(TCP_FLAG_SYN | TCP_FLAG_ACK, NODE_SEQUENCE);
		CHECK_EQ("the node answers", world_send(world, DIAL_MS + 5, SIDE_INSIDE, &spec),
			REASON_PROXY_OPENED);
		/* fall through */
	case CLIENT_RESETS:
		spec = client(TCP_FLAG_RST, CLIENT_SEQUENCE + 1, 0);
		CHECK_EQ("the client gives up", world_send(world, DIAL_MS + 50, SIDE_OUTSIDE, &spec),
			REASON_FLOW);
		break;
	case NODE_REFUSES:
		spec = node(TCP_FLAG_RST | TCP_FLAG_ACK, 0);
		CHECK_EQ(
			"the node refuses", world_send(world, DIAL_MS + 50, SIDE_INSIDE, &spec), REASON_FLOW);
		break;
	case NODE_SILENT:
		world_pass(world, DIAL_MS + world->policy.half_open_timeout_ms + 1000);
		break;
	case CONTROL_CUTS:
		CHECK_EQ("address", address_parse(CLIENT, &address), 0);
		stage_cut(world->stage, world->rules, &address, 40000, world->now_ns);
		break;
	case BANNED:
		world_command(
			world, COMMAND_BAN_SET, CLIENT, ban_meta_make(SOURCE_CLASS_BANNED, BAN_META_NEVER));
		world_pass(world, DIAL_MS + 1000);
		break;
	}
}

static void test_endings(void)
{
	static const struct {
		const char *name;
		enum ending ending;
		uint8_t by, how;
		unsigned begun;
	} cases[] = {
		{"the client gives up while the node is silent", CLIENT_RESETS, CLOSED_BY_CLIENT,
			CLOSED_HOW_BACKEND_SILENT, 0},
		{"the node refuses", NODE_REFUSES, CLOSED_BY_NODE, CLOSED_HOW_BACKEND_REFUSED, 0},
		{"the node never answers", NODE_SILENT, CLOSED_BY_NODE, CLOSED_HOW_BACKEND_SILENT, 0},
		{"control cuts it", CONTROL_CUTS, CLOSED_BY_WEIR, CLOSED_HOW_BACKEND_SILENT, 0},
		{"its source is banned", BANNED, CLOSED_BY_WEIR, CLOSED_HOW_BACKEND_SILENT, 0},
		{"once open, a client's reset is its own", CLIENT_RESETS_LATER, CLOSED_BY_CLIENT,
			CLOSED_HOW_RST, 1},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct world *world = dialled();
		unsigned ends = 0;

		end(world, cases[i].ending);
		CHECK_EQ(cases[i].name, world_events_of(world, EVENT_FLOW_PROVEN), cases[i].begun);
		for (unsigned j = 0; j < world->n_events; j++) {
			const struct event_record *event = &world->events[j];

			if (event->kind != EVENT_FLOW_CLOSED)
				continue;
			ends++;
			CHECK_EQ(cases[i].name, event->closed_by, cases[i].by);
			CHECK_EQ(cases[i].name, event->closed_how, cases[i].how);
			CHECK_TRUE(cases[i].name, event->flags & EVENT_FLAG_PROVEN);
		}
		CHECK_EQ(cases[i].name, ends, 1u);
		world_destroy(world);
	}
}

static const struct check_test tests[] = {
	{"each end of a proxied connection says whose it was", test_endings},
};

CHECK_MAIN("stage_proxy_end", tests)
