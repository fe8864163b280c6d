/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/governor_flows.c: the number of open connections of a source after a dump of the dataplane's flows, whatever
 * events came before, during and after it, and whatever was lost. Clock injected.
 */
#include <string.h>

#include "control/governor.h"
#include "tests/check.h"

#define WALL_MS INT64_C(1795000000000)
#define ASKED_MS 10000u

static struct governor *governor;

static void world_open(void)
{
	static const struct governor_effects effects = {0};
	struct governor_config config = {.penalty_half_life_s = 600, .threshold_disconnect = -20, .threshold_ban = -50,
		.peers_max = 1000, .bans_max = 1000, .strike_life_ms = 1000000, .seed = 1};
	governor = NULL;
	CHECK_EQ("a governor", governor_create(&config, &effects, WALL_MS, &governor), 0);
}

static void event(unsigned host, enum event_kind kind, uint64_t at_ms, uint32_t duration_ms)
{
	struct address client = address_from_v4(0x0a000000 + host);
	struct event_record record = {.kind = (uint8_t)kind, .flags = EVENT_FLAG_PROVEN, .protocol = 6,
		.time_ns = at_ms * 1000000, .duration_ms = duration_ms, .closed_by = CLOSED_BY_NODE,
		.closed_how = CLOSED_HOW_FIN};
	memcpy(record.client, client.bytes, sizeof(record.client));
	governor_dataplane_event(governor, &record, WALL_MS);
}

static void seen(unsigned host, uint32_t born_ms)
{
	struct address client = address_from_v4(0x0a000000 + host);
	governor_flow_seen(governor, &client, born_ms, 0, WALL_MS);
}

static uint32_t open_now(unsigned host)
{
	struct peer_name name = {.address = address_from_v4(0x0a000000 + host)};
	struct peer_info info;
	governor_peer_get(governor, &name, WALL_MS, &info);
	return info.connections_now;
}

static void begin(uint32_t at_ms)
{
	governor_flows_begin(governor, (uint64_t)at_ms * 1000000, WALL_MS);
}

static void test_counts(void)
{
	world_open();
	/* host 1: its close was lost; host 2: its opening was lost; host 3: as events say */
	event(1, EVENT_FLOW_PROVEN, 5000, 10);
	event(3, EVENT_FLOW_PROVEN, 5000, 10);
	CHECK_EQ("events count", open_now(1), 1u);
	begin(ASKED_MS);
	seen(2, 4000);
	seen(2, 4500);
	seen(3, 4990);
	CHECK_EQ("until the dump is whole the old count stands", open_now(1), 1u);
	CHECK_EQ("until the dump is whole the old count stands", open_now(2), 0u);
	governor_flows_end(governor, WALL_MS);
	CHECK_EQ("what is not in the dump is closed", open_now(1), 0u);
	CHECK_EQ("what is in it is open", open_now(2), 2u);
	CHECK_EQ("and counted once", open_now(3), 1u);
	event(2, EVENT_FLOW_CLOSED, 11000, 7000);
	event(3, EVENT_FLOW_PROVEN, 11000, 10);
	CHECK_EQ("a close afterwards counts", open_now(2), 1u);
	CHECK_EQ("an opening afterwards counts", open_now(3), 2u);
	governor_destroy(governor);
}

/* A proxied connection that the node refused or never answered ends without having begun. */
static void test_never_opened(void)
{
	static const uint8_t hows[] = {CLOSED_HOW_BACKEND_REFUSED, CLOSED_HOW_BACKEND_SILENT};
	struct address client = address_from_v4(0x0a000001);
	world_open();
	event(1, EVENT_FLOW_PROVEN, 5000, 10);
	begin(ASKED_MS);
	seen(1, 4990);
	for (unsigned i = 0; i < 2; i++) {
		struct event_record record = {.kind = EVENT_FLOW_CLOSED, .flags = EVENT_FLAG_PROVEN, .protocol = 6,
			.time_ns = UINT64_C(11000000000), .duration_ms = 3, .closed_by = CLOSED_BY_NODE, .closed_how = hows[i]};
		memcpy(record.client, client.bytes, sizeof(record.client));
		governor_dataplane_event(governor, &record, WALL_MS);
	}
	CHECK_EQ("the source's other connection is still open", open_now(1), 1u);
	governor_flows_end(governor, WALL_MS);
	CHECK_EQ("and in the dump that ran meanwhile", open_now(1), 1u);
	governor_destroy(governor);
}

static double rtt_of(unsigned host)
{
	struct peer_name name = {.address = address_from_v4(0x0a000000 + host)};
	struct peer_info info;
	governor_peer_get(governor, &name, WALL_MS, &info);
	return info.rtt_ms;
}

/* Events that told round trips were lost. */
static void test_round_trips(void)
{
	struct address lost = address_from_v4(0x0a000001), known = address_from_v4(0x0a000002);
	struct event_record record = {.kind = EVENT_FLOW_PROVEN, .flags = EVENT_FLAG_PROVEN, .protocol = 6, .rtt_us = 40000,
		.time_ns = UINT64_C(5000000000)};
	world_open();
	memcpy(record.client, known.bytes, sizeof(record.client));
	governor_dataplane_event(governor, &record, WALL_MS);
	begin(ASKED_MS);
	governor_flow_seen(governor, &lost, 4000, 0, WALL_MS);
	CHECK_TRUE("a flow without a round trip says none", rtt_of(1) < 0);
	governor_flow_seen(governor, &lost, 4000, 90000, WALL_MS);
	governor_flow_seen(governor, &known, 4000, 90000, WALL_MS);
	CHECK_NEAR("a round trip that was lost is in the dump", rtt_of(1), 90, 1e-3);
	CHECK_NEAR("what is known stands: the dump says nothing new of it", rtt_of(2), 40, 1e-3);
	governor_flows_end(governor, WALL_MS);
	governor_destroy(governor);
}

static void test_during(void)
{
	world_open();
	event(5, EVENT_FLOW_PROVEN, 5000, 10);
	begin(ASKED_MS);
	/* read from the ring late: the dump knows both */
	event(1, EVENT_FLOW_PROVEN, 9000, 10);
	event(2, EVENT_FLOW_CLOSED, 9000, 1000);
	seen(1, 8990);
	seen(2, 7000);
	/* while it runs: by events only */
	event(3, EVENT_FLOW_PROVEN, 10100, 50);
	seen(3, 10050);
	event(1, EVENT_FLOW_CLOSED, 10200, 1210);
	/* its handshake was under way: too low, not too high */
	event(4, EVENT_FLOW_PROVEN, 10020, 40);
	seen(4, 9980);
	event(5, EVENT_FLOW_CLOSED, 10100, 5110);
	CHECK_EQ("the old count follows events too", open_now(5), 0u);
	governor_flows_end(governor, WALL_MS);
	CHECK_EQ("opened before, closed during", open_now(1), 0u);
	CHECK_EQ("another one closed before", open_now(2), 1u);
	CHECK_EQ("opened during and in the dump: once", open_now(3), 1u);
	CHECK_EQ("under way and in the dump: once", open_now(4), 1u);
	CHECK_EQ("closed during, not in the dump", open_now(5), 0u);
	governor_destroy(governor);
}

static void test_unfinished(void)
{
	world_open();
	begin(ASKED_MS);
	seen(1, 4000);
	governor_flows_end(governor, WALL_MS);
	begin(ASKED_MS + 1000);
	seen(1, 4000);
	seen(2, 4000);
	begin(ASKED_MS + 2000);
	seen(1, 4000);
	CHECK_EQ("a dump that was cut off changes nothing", open_now(1), 1u);
	CHECK_EQ("a dump that was cut off changes nothing", open_now(2), 0u);
	seen(1, 4100);
	governor_flows_end(governor, WALL_MS);
	CHECK_EQ("the next one begins at zero", open_now(1), 2u);
	CHECK_EQ("the next one begins at zero", open_now(2), 0u);
	seen(1, 4000);
	governor_flows_end(governor, WALL_MS);
	CHECK_EQ("flows outside a dump are nobody's", open_now(1), 2u);
	governor_destroy(governor);
}

/* The low 32 bits of milliseconds wrap after 49 days of uptime. */
static void test_long_uptime(void)
{
	world_open();
	event(1, EVENT_FLOW_PROVEN, 3000000000u, 10);
	CHECK_EQ("without a dump every event counts", open_now(1), 1u);
	governor_flows_begin(governor, (UINT64_C(4294967296) + 1000) * 1000000, WALL_MS);
	seen(1, 4294966000u);
	seen(1, 2000);
	governor_flows_end(governor, WALL_MS);
	CHECK_EQ("born before the wrap, and after the question", open_now(1), 1u);
	event(1, EVENT_FLOW_PROVEN, UINT64_C(4294967296) + UINT64_C(30) * 86400 * 1000, 10);
	CHECK_EQ("thirty days after the last dump an event counts", open_now(1), 2u);
	governor_destroy(governor);
}

static const struct check_test tests[] = {
	{"a dump replaces what events said", test_counts},
	{"what never opened does not close", test_never_opened},
	{"round trips that were lost", test_round_trips},
	{"events that come while it runs", test_during},
	{"a dump that was not finished", test_unfinished},
	{"a long uptime", test_long_uptime},
};
CHECK_MAIN("governor_flows", tests)
