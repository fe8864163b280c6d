// SPDX-License-Identifier: BSD-3-Clause
/* What the stage tells control about a flow's end: whether the client ever said anything is evidence, so it must be
 * exact, though bytes are counted in rounded units. Frames through the whole stage, injected clock.
 */
#include "tests/check.h"
#include "tests/stage_world.h"

enum { CONNECTIONS = 40 }; /* rounding at random would be right on all of them once in 10^12 runs */

static unsigned closed_with_bytes(uint16_t payload_bytes)
{
	struct world *world = world_create();
	unsigned with_bytes = 0;

	for (unsigned level = 0; level < IMAGE_LEVEL_COUNT; level++) {
		world->policy.proven_rate_v4[level].burst = 0;
		world->policy.unproven_rate_v4[level].burst = 0;
		world->policy.concurrency_v4[level] = 0;
	}
	world_start(world);
	for (unsigned i = 0; i < CONNECTIONS; i++) {
		uint64_t at_ms = 2000 + 100 * i;
		struct frame_spec spec = {
			.source = "203.0.113.7",
			.destination = "198.51.100.1",
			.protocol = 6,
			.source_port = (uint16_t)(40000 + i),
			.destination_port = 30303,
			.sequence = 1001,
			.acknowledgement = 5001,
		};

		CHECK_EQ("a connection opens", world_connect(world, at_ms, spec.source, spec.source_port), REASON_ADMITTED);
		if (payload_bytes > 0) {
			spec.tcp_flags = TCP_FLAG_PSH | TCP_FLAG_ACK;
			spec.payload_bytes = payload_bytes;
			CHECK_EQ("the client speaks", world_send(world, at_ms + 20, SIDE_OUTSIDE, &spec), REASON_FLOW);
			spec.sequence += payload_bytes;
			spec.payload_bytes = 0;
		}
		spec.tcp_flags = TCP_FLAG_RST;
		CHECK_EQ("and resets", world_send(world, at_ms + 40, SIDE_OUTSIDE, &spec), REASON_FLOW);
	}
	CHECK_EQ("every end is told", world_events_of(world, EVENT_FLOW_CLOSED), (unsigned)CONNECTIONS);
	for (unsigned i = 0; i < world->n_events; i++)
		with_bytes += world->events[i].kind == EVENT_FLOW_CLOSED && world->events[i].bytes_in > 0;
	world_destroy(world);
	return with_bytes;
}

static void test_bytes_in(void)
{
	CHECK_EQ("a client that only shook hands sent nothing", closed_with_bytes(0), 0u);
	CHECK_EQ("a single byte is something", closed_with_bytes(1), (unsigned)CONNECTIONS);
}

static const struct check_test tests[] = {
	{"a flow's end tells exactly whether the client spoke", test_bytes_in},
};
CHECK_MAIN("stage_evidence", tests)
