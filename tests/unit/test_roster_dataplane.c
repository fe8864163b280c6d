/* SPDX-License-Identifier: BSD-3-Clause
 * The roster and the dataplane: events of its rings mean what conn.* says, each once; lost ones leave nothing
 * behind; limits that only control knows close what was let in. Times are seconds.
 */
#include <stdio.h>
#include <string.h>

#include "control/roster_private.h"
#include "tests/check.h"
#include "tests/roster_world.h"

static struct event_record flow_event(const char *ip, uint16_t port, enum event_kind kind)
{
	struct event_record event = {.kind = (uint8_t)kind,
		.client_port = port,
		.flags = EVENT_FLAG_PROVEN | EVENT_FLAG_EVIDENCE,
		.protocol = 6,
		.time_ns = 1000000000};
	struct address address = roster_world_address(ip);
	memcpy(event.client, address.bytes, sizeof(event.client));
	return event;
}

static void tell(const struct event_record *event, double at_s)
{
	roster_world_wait(at_s);
	roster_dataplane_event(roster_world.roster, event, ROSTER_MS(at_s));
}

static void test_dataplane(void)
{
	struct event_record event = flow_event("203.0.113.1", 7, EVENT_FLOW_PROVEN);
	roster_world_begin("bootstrap");
	event.rtt_us = 20000;
	tell(&event, 0);
	CHECK_EQ("a proven flow is a connection", roster_world.roster->counts.in, 1u);
	CHECK_EQ("told once", roster_world_events("peer.connected"), 1u);
	event.kind = EVENT_FLOW_SILENT;
	tell(&event, 5);
	struct roster_peer_info info = roster_world_peer("203.0.113.1", 5);
	CHECK_NEAR("silence costs Mid once", info.governor.app_score, -5, 1e-9);
	CHECK_EQ("a failure here", info.counters.fail, 1u);
	CHECK_EQ("and there", info.governor.fail, 1u);
	roster_world_wait(70);
	CHECK_EQ("the dataplane cuts idle flows, not we", roster_world.roster->counts.in, 1u);
	event.kind = EVENT_FLOW_CLOSED;
	event.closed_by = CLOSED_BY_CLIENT;
	event.closed_how = CLOSED_HOW_FIN;
	event.bytes_in = 100;
	tell(&event, 71);
	CHECK_EQ("it is gone", roster_world.roster->connections.n_used, 0u);
	CHECK_EQ("told once", roster_world_events("peer.disconnected"), 1u);
	info = roster_world_peer("203.0.113.1", 71);
	CHECK_EQ("one failure it stays", info.counters.fail, 1u);
	tell(&event, 72);
	CHECK_EQ("a close that nobody opened changes nothing", roster_world_events("peer.disconnected"), 1u);
	roster_world_check_counts("live");

	event = flow_event("203.0.113.9", 9, EVENT_FLOW_OUT_RESULT);
	event.flags |= EVENT_FLAG_OUTBOUND;
	event.closed_how = CLOSED_HOW_TIMEOUT;
	tell(&event, 73);
	CHECK_EQ("a dial that fails is told once", roster_world_events("conn.failed"), 1u);
	CHECK_EQ("and booked once", roster_world_peer("203.0.113.9", 73).counters.fail, 1u);
	event.closed_how = CLOSED_HOW_ESTABLISHED;
	tell(&event, 74);
	CHECK_EQ("one that succeeds is a connection", roster_world.roster->counts.out, 1u);
	CHECK_EQ("an answer is a success", roster_world_peer("203.0.113.9", 74).counters.ok, 1u);
	roster_world_check_counts("dials");
	roster_world_end();
}

static void test_no_evidence(void)
{
	struct event_record event = flow_event("203.0.113.1", 7, EVENT_FLOW_PROVEN);
	roster_world_begin("bootstrap");
	event.flags = EVENT_FLAG_PROVEN;
	tell(&event, 0);
	event.kind = EVENT_FLOW_SILENT;
	tell(&event, 5);
	event.kind = EVENT_FLOW_CLOSED;
	event.closed_by = CLOSED_BY_CLIENT;
	event.closed_how = CLOSED_HOW_RST;
	tell(&event, 6);
	struct roster_peer_info info = roster_world_peer("203.0.113.1", 6);
	CHECK_NEAR("a proof that may have been guessed costs no score", info.governor.app_score, 0, 0);
	CHECK_EQ("and is no failure", info.counters.fail, 0u);
	roster_world_end();
}

static void test_dump(void)
{
	struct event_record event = flow_event("203.0.113.1", 7, EVENT_FLOW_PROVEN);
	struct roster_flow flow = {
		.client = roster_world_address("203.0.113.2"), .client_port = 8, .born_ms = 500};
	roster_world_begin("bootstrap");
	tell(&event, 0);
	event.client_port = 6;
	tell(&event, 0);
	uint64_t trace = roster_world_open("203.0.113.3", 1, true, "", 0);
	roster_flows_begin(roster_world.roster, 2000000000, ROSTER_MS(1));
	roster_flow_seen(roster_world.roster, &flow, ROSTER_MS(1));
	flow.client = roster_world_address("203.0.113.1");
	flow.client_port = 6;
	roster_flow_seen(roster_world.roster, &flow, ROSTER_MS(1));
	event = flow_event("203.0.113.4", 4, EVENT_FLOW_PROVEN);
	tell(&event, 1.5);
	roster_flows_end(roster_world.roster, ROSTER_MS(2));
	CHECK_EQ("what the dump did not name is gone", roster_world.roster->counts.in, 4u);
	CHECK_EQ("the one whose end was lost",
		roster_connection_at_endpoint(
			roster_world.roster, &(struct book_endpoint){roster_world_address("203.0.113.1"), 7}),
		(uint64_t)0);
	CHECK_TRUE("what only the dump knew is there",
		roster_connection_at_endpoint(roster_world.roster,
			&(struct book_endpoint){roster_world_address("203.0.113.2"), 8}) != 0);
	CHECK_TRUE("what began during the dump is",
		roster_connection_at_endpoint(roster_world.roster,
			&(struct book_endpoint){roster_world_address("203.0.113.4"), 4}) != 0);
	CHECK_TRUE("and what no dataplane reports",
		trace != 0 &&
			roster_connection_at_endpoint(roster_world.roster,
				&(struct book_endpoint){roster_world_address("203.0.113.3"), 1}) == trace);
	CHECK_EQ("it is held against nobody", roster_world_peer("203.0.113.1", 2).counters.fail, 0u);
	roster_world_check_counts("dump");
	roster_world_end();
}

static void test_live_limit(void)
{
	roster_world_begin("lighthouse");
	for (unsigned i = 0; i < 55; i++) {
		char ip[32], id[32];
		snprintf(ip, sizeof(ip), "198.18.0.%u", i);
		snprintf(id, sizeof(id), "peer%u", i);
		(void)roster_world_open(ip, 9000, i >= 10, id, 0);
	}
	struct event_record event = flow_event("203.0.113.1", 7, EVENT_FLOW_PROVEN);
	tell(&event, 1);
	CHECK_EQ("a limit that only control knows closes what the dataplane let in",
		roster_world_events_with("governor.disconnect", "203.0.113.1"), 1u);
	roster_world_wait(2);
	CHECK_EQ("it is cut", roster_world.cuts, 1u);
	CHECK_EQ("and has to wait", (int)governor_ban_count(roster_governor(roster_world.roster)), 1);
	roster_world_check_counts("live limit");
	roster_world_end();
}

static const struct check_test tests[] = {
	{"events of the dataplane mean the same, once", test_dataplane},
	{"without evidence nothing is held against anybody", test_no_evidence},
	{"a connection whose end was lost does not stay for ever", test_dump},
	{"a limit that the dataplane does not know closes", test_live_limit},
};
CHECK_MAIN("roster_dataplane", tests)
