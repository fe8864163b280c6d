/* SPDX-License-Identifier: BSD-3-Clause
 * The stage under random traffic of both sides: few clients and ports, so that every state meets every
 * segment. What must hold always: gauges agree with the table, every place in the concurrency table belongs
 * to a flow, only flows whose client acknowledged the node's own number are proven, and what Weir sends never
 * exceeds what it received. Seeds are fixed and printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/check.h"
#include "tests/stage_world.h"

enum { STEPS = 60000, CLIENTS = 6, PORTS = 3 };

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static const char *const client_names[CLIENTS] = {
	"203.0.113.1", "203.0.113.2", "192.0.2.1", "2001:db8:2::1", "2001:db8:2::2", "2001:db8:3::1"};

struct totals {
	uint64_t flows, proven, half_open, counted, proven_without_node;
};

static void visit(void *context, struct flow *flow)
{
	struct totals *totals = context;

	totals->flows++;
	totals->proven += (flow->flags & FLOW_FLAG_PROVEN) != 0;
	totals->counted += (flow->flags & FLOW_FLAG_COUNTED) != 0;
	totals->half_open += flow->state == FLOW_STATE_SYN_SENT || flow->state == FLOW_STATE_SYN_ACKED;
}

static void check_invariants(struct world *world, const char *name)
{
	struct totals totals = {0};
	uint32_t cursor = 0;

	flow_table_walk(world->flows, &cursor, WORLD_FLOWS, visit, &totals);
	CHECK_EQ(name, world_counter(world, COUNTER_FLOWS), totals.flows);
	CHECK_EQ(name, world_counter(world, COUNTER_FLOWS_PROVEN), totals.proven);
	CHECK_EQ(name, world_counter(world, COUNTER_FLOWS_HALF_OPEN), totals.half_open);
	CHECK_EQ(name, concurrency_table_total(world->shared->concurrency), totals.counted);
	CHECK_EQ(name, world_counter(world, COUNTER_FLOWS_BORN) - world_counter(world, COUNTER_FLOWS_ENDED),
		totals.flows);
}

static struct frame_spec random_frame(uint64_t *random, enum side *ret_side)
{
	static const uint8_t flags[] = {TCP_FLAG_SYN, TCP_FLAG_SYN | TCP_FLAG_ACK, TCP_FLAG_ACK,
		TCP_FLAG_ACK | TCP_FLAG_PSH, TCP_FLAG_FIN | TCP_FLAG_ACK, TCP_FLAG_RST,
		TCP_FLAG_RST | TCP_FLAG_ACK, TCP_FLAG_SYN | TCP_FLAG_FIN};
	/* Few numbers, so that handshakes complete by chance. */
	static const uint32_t numbers[] = {
		999, 1000, 1001, 1002, 1011, 5000, 5001, 5002, 5011, 0, 3000000000u};
	static const uint16_t node_ports[] = {30303, 30304, 30305, 22};
	const char *client = client_names[random_next(random) % CLIENTS];
	const char *node = strchr(client, ':') != NULL ? "2001:db8:1::1" : "198.51.100.1";
	uint16_t client_port = (uint16_t)(40000 + random_next(random) % PORTS);
	uint16_t node_port = node_ports[random_next(random) % 4];
	bool outside = random_next(random) % 2;

	*ret_side = outside ? SIDE_OUTSIDE : SIDE_INSIDE;
	return (struct frame_spec){
		.source = outside ? client : node,
		.destination = outside ? node : client,
		.protocol = random_next(random) % 8 == 0 ? 17 : 6,
		.source_port = outside ? client_port : node_port,
		.destination_port = outside ? node_port : client_port,
		.sequence = numbers[random_next(random) % CHECK_COUNT(numbers)],
		.acknowledgement = numbers[random_next(random) % CHECK_COUNT(numbers)],
		.tcp_flags = flags[random_next(random) % CHECK_COUNT(flags)],
		.payload_bytes = random_next(random) % 4 == 0 ? 10 : 0,
	};
}

static void random_command(struct world *world, uint64_t *random)
{
	static const char *const prefixes[] = {
		"203.0.113.1", "192.0.2.0/24", "2001:db8:2::/64", "2001:db8::/32"};
	unsigned which = (unsigned)(random_next(random) % CHECK_COUNT(prefixes));
	bool set = random_next(random) % 2;

	/* Clearing what is not there is an error of the tables; the table thread ignores it, and so does this
	 * test. */
	if (set)
		world_command(world, COMMAND_BAN_SET, prefixes[which],
			ban_meta_make(SOURCE_CLASS_BANNED, (uint32_t)(world->now_ns / 1000000000) + 3));
}

static void play(uint64_t seed)
{
	struct world *world = world_create();
	uint64_t random = seed, at_ms = 0;
	char name[64];

	world->policy.concurrency_v4[IMAGE_LEVEL_HOST] = 2;
	world->policy.limit_soft = 6;
	world->policy.limit_hard = 9;
	world->policy.soft_linear = 1;
	world->policy.soft_delay_max_ms = 100;
	world_start(world);
	for (unsigned i = 0; i < STEPS; i++) {
		enum side side;
		struct frame_spec spec = random_frame(&random, &side);
		enum reason reason;

		at_ms += random_next(&random) % 64 == 0 ? random_next(&random) % 3000 : 1;
		if (random_next(&random) % 500 == 0)
			random_command(world, &random);
		world->n_events = world->n_segments = 0;
		reason = world_send(world, at_ms, side, &spec);
		if ((unsigned)reason >= REASON_COUNT) {
			CHECK_TRUE("every packet has a reason", false);
			break;
		}
		if (i % 1000 == 0) {
			snprintf(name, sizeof(name), "seed %llu, step %u", (unsigned long long)seed, i);
			check_invariants(world, name);
		}
	}
	world_pass(world, at_ms + 8000000);
	check_invariants(world, "after everything timed out");
	CHECK_EQ("nothing stays", world_counter(world, COUNTER_FLOWS), (uint64_t)0);
	CHECK_TRUE("proofs happened", world_counter(world, COUNTER_PROOFS_HANDSHAKE) > 10);
	world_destroy(world);
}

static void test_random(void)
{
	for (uint64_t seed = 1; seed <= 3; seed++)
		play(seed * 0x9E3779B97F4A7C15ull);
}

static const struct check_test tests[] = {
	{"random segments of both sides never break the books", test_random},
};
CHECK_MAIN("stage_random", tests)
