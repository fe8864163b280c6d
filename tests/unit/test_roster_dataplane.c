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
	event.closed_by = CLOSED_BY_NODE;
	event.closed_how = CLOSED_HOW_BACKEND_REFUSED;
	tell(&event, 72.5);
	CHECK_CONTAINS("a node that refuses a proxied client is told", roster_world_event("conn.failed", 0),
		"\"by\":\"node\",\"how\":\"backend_refused\"");
	CHECK_EQ("and nobody's fault", roster_world_peer("203.0.113.1", 72.5).counters.fail, 1u);
	roster_world_forget();
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

/** LH-6 (5.4): is the address throttled, after a proven flow of it ended so at second 10? */
static bool waits_after(const char *ip, enum closed_how how)
{
	struct event_record event = flow_event(ip, 7, EVENT_FLOW_PROVEN);
	struct governor_why why;
	tell(&event, 0);
	event.kind = EVENT_FLOW_CLOSED;
	event.closed_by = CLOSED_BY_WEIR;
	event.closed_how = (uint8_t)how;
	event.bytes_in = 100;
	tell(&event, 10);
	struct address address = roster_world_address(ip);
	governor_why(roster_governor(roster_world.roster), &address, ROSTER_MS(10), &why);
	return why.class == SOURCE_CLASS_THROTTLED;
}

/** A pool of at most `most`, or with the target of 20, in which so many others are connected, every fourth of
 * them outbound. */
static void crowd(const char *profile, uint32_t most, unsigned others)
{
	struct roster_config config = roster_world_config(profile);
	char ip[32];
	config.profile.limits.total = most;
	config.profile.target = config.profile.target != 0 ? 20 : 0;
	config.grace_ms = 500;
	roster_world_begin_with(&config);
	for (unsigned i = 0; i < others; i++) {
		snprintf(ip, sizeof(ip), "11.%u.0.1", i + 1); /* a /24 each */
		(void)roster_world_open(ip, 7, i % 4 != 0, "", 0);
	}
}

/** The same after peer.disconnect. */
static bool waits_after_command(const char *profile, uint32_t most, unsigned others)
{
	struct event_record event = flow_event("203.0.113.1", 7, EVENT_FLOW_PROVEN);
	struct peer_name name = roster_world_name("203.0.113.1");
	struct governor_why why;
	uint32_t closed = 0;
	crowd(profile, most, others);
	tell(&event, 0);
	CHECK_EQ("peer.disconnect is heard",
		roster_peer_disconnect(roster_world.roster, &name, "", 0, ROSTER_MS(1), &closed), 0);
	roster_world_wait(2);
	CHECK_EQ("and cuts", roster_world.cuts, 1u);
	event.kind = EVENT_FLOW_CLOSED;
	event.closed_by = CLOSED_BY_WEIR;
	event.closed_how = CLOSED_HOW_RST;
	tell(&event, 2);
	governor_why(roster_governor(roster_world.roster), &name.address, ROSTER_MS(2), &why);
	CHECK_EQ(
		"told once, though the dataplane tells it too", roster_world_events("peer.disconnected"), 1u);
	roster_world_end();
	return why.class == SOURCE_CLASS_THROTTLED;
}

/** What a source meets `at_s`, that was closed at second 1 for a score of -20. */
static enum source_class class_after_score(int64_t at_s)
{
	struct event_record event = flow_event("203.0.113.1", 7, EVENT_FLOW_PROVEN);
	struct peer_name name = roster_world_name("203.0.113.1");
	struct peer_report_result result;
	struct governor_why why;
	crowd("bootstrap", 0, 3);
	tell(&event, 0);
	for (int i = 0; i < 4; i++)
		(void)roster_peer_report(roster_world.roster, &name, PEER_ACTION_MID, "silent", "", true,
			ROSTER_MS(1), &result);
	roster_world_wait(2);
	event.kind = EVENT_FLOW_CLOSED;
	event.closed_by = CLOSED_BY_WEIR;
	event.closed_how = CLOSED_HOW_RST;
	tell(&event, 2);
	roster_world_wait(at_s);
	governor_why(roster_governor(roster_world.roster), &name.address, ROSTER_MS(at_s), &why);
	roster_world_end();
	return why.class;
}

static void test_throttle(void)
{
	static const char *const profiles[] = {"bootstrap", "lighthouse"};
	for (unsigned i = 0; i < 2; i++) {
		crowd(profiles[i], 21, 20);
		CHECK_EQ("idle: it need not wait", waits_after("203.0.113.1", CLOSED_HOW_IDLE), false);
		CHECK_EQ("a straggler neither", waits_after("203.0.113.2", CLOSED_HOW_STRAGGLER), false);
		CHECK_EQ("nor whoever the dataplane cut", waits_after("203.0.113.3", CLOSED_HOW_RST), false);
		roster_world_end();
	}
	CHECK_EQ("without a limit there is always a place", waits_after_command("bootstrap", 0, 3), false);
	CHECK_EQ("closed in a full pool it waits", waits_after_command("bootstrap", 4, 3), true);
	CHECK_EQ("not while one is free and kept so", waits_after_command("bootstrap", 5, 3), false);
	CHECK_EQ("of 100 five are", waits_after_command("bootstrap", 100, 95), true);
	CHECK_EQ("not with places free", waits_after_command("bootstrap", 40, 3), false);
	CHECK_EQ("closed for its score it waits, though the score has healed", class_after_score(10),
		SOURCE_CLASS_THROTTLED);
	CHECK_EQ("a minute long", class_after_score(62), SOURCE_CLASS_NONE);
	CHECK_EQ("with a target: while so many are there", waits_after_command("lighthouse", 0, 20), true);
	CHECK_EQ("and not while there are fewer", waits_after_command("lighthouse", 0, 19), false);
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
	event.time_ns = 2500000000;
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

static unsigned open_at(const char *ip, uint16_t port)
{
	struct book_endpoint endpoint = {roster_world_address(ip), port};
	return roster_connection_at_endpoint(roster_world.roster, &endpoint) != 0;
}

/** A kind of event of 203.0.113.N at `time_s` of the dataplane's clock, of a flow that was born `age_s`
 * before. */
static void late(uint8_t n, enum event_kind kind, double time_s, double age_s, double at_s)
{
	char ip[32];
	snprintf(ip, sizeof(ip), "203.0.113.%u", n);
	struct event_record event = flow_event(ip, n, kind);
	event.time_ns = (uint64_t)(time_s * 1e9);
	event.duration_ms = (uint32_t)(age_s * 1e3);
	event.closed_by = CLOSED_BY_CLIENT;
	event.closed_how = CLOSED_HOW_FIN;
	tell(&event, at_s);
}

static void name_flow(uint8_t n, double born_s)
{
	struct roster_flow flow = {.client_port = n, .born_ms = (uint32_t)(born_s * 1e3)};
	char ip[32];
	snprintf(ip, sizeof(ip), "203.0.113.%u", n);
	flow.client = roster_world_address(ip);
	roster_flow_seen(roster_world.roster, &flow, ROSTER_MS(2));
}

/* A ring that ran full is full of old events: they are read while the dump runs, and after it. Asked at
 * second 10. */
static void test_late_events(void)
{
	roster_world_begin("bootstrap");
	roster_flows_begin(roster_world.roster, UINT64_C(10000000000), ROSTER_MS(1));
	late(1, EVENT_FLOW_PROVEN, 8, 0.1, 1);
	late(2, EVENT_FLOW_PROVEN, 8, 0.1, 1);
	late(3, EVENT_FLOW_CLOSED, 10.5, 3, 1);
	name_flow(2, 7.9);
	name_flow(3, 7.5);
	name_flow(4, 7);
	name_flow(5, 10.2);
	name_flow(6, 7);
	late(4, EVENT_FLOW_PROVEN, 7.1, 0.1, 2);
	late(4, EVENT_FLOW_CLOSED, 6, 1, 2);
	CHECK_EQ("who was born after the question is told by its event", open_at("203.0.113.5", 5), 0u);
	late(5, EVENT_FLOW_PROVEN, 10.3, 0.1, 2);
	late(6, EVENT_FLOW_CLOSED, 10.6, 3.6, 2);
	late(7, EVENT_FLOW_PROVEN, 10.1, 0.4, 2);
	roster_flows_end(roster_world.roster, ROSTER_MS(3));
	CHECK_EQ("its end was lost with the ring's rest: the dump did not name it", open_at("203.0.113.1", 1),
		0u);
	CHECK_EQ("one that it named is open", open_at("203.0.113.2", 2), 1u);
	CHECK_EQ("one whose end was read before its name is not", open_at("203.0.113.3", 3), 0u);
	CHECK_EQ("an event of before changes nothing of what was named", open_at("203.0.113.4", 4), 1u);
	CHECK_EQ("born after the question", open_at("203.0.113.5", 5), 1u);
	CHECK_EQ("named, and then closed", open_at("203.0.113.6", 6), 0u);
	CHECK_EQ("proven after the question, perhaps after the dump looked", open_at("203.0.113.7", 7), 1u);
	late(8, EVENT_FLOW_PROVEN, 9, 0.1, 4);
	late(2, EVENT_FLOW_CLOSED, 7, 1, 4);
	late(4, EVENT_FLOW_PROVEN, 7.1, 0.1, 4);
	CHECK_EQ("afterwards too: one that opened before", open_at("203.0.113.8", 8), 0u);
	CHECK_EQ("an end of before", open_at("203.0.113.2", 2), 1u);
	CHECK_EQ("nobody was told that it left but who did", roster_world_events("peer.disconnected"), 2u);
	CHECK_EQ("nor twice that it came", roster_world_events("peer.connected"), 6u);
	late(2, EVENT_FLOW_CLOSED, 12, 4, 5);
	CHECK_EQ("its own end ends it", open_at("203.0.113.2", 2), 0u);
	late(2, EVENT_FLOW_PROVEN, 13, 0.1, 6);
	CHECK_EQ("and the next one begins", open_at("203.0.113.2", 2), 1u);
	roster_world_check_counts("late events");
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

/* Random: everything that a dataplane, a node and an operator may say, in any order, lost and twice. */

enum { RANDOM_SEEDS = 60, RANDOM_STEPS = 400, RANDOM_HOSTS = 7, RANDOM_PORTS = 3, RANDOM_IDS = 6 };

struct random_world {
	struct keyed_random random;
	int64_t now_ms;
};

static uint32_t below(struct random_world *world, uint32_t bound)
{
	return (uint32_t)keyed_random_below(&world->random, bound);
}

static struct address random_host(struct random_world *world)
{
	uint32_t n = below(world, RANDOM_HOSTS);
	struct address v6 = {.bytes = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, [15] = (uint8_t)n}};
	return n < 3 ? v6 : address_from_v4(0xcb007100u + n); /* three of one /64 */
}

static const char *random_id(struct random_world *world)
{
	static const char *const ids[RANDOM_IDS] = {"a", "b", "c", "d", "e", "f"};
	return ids[below(world, RANDOM_IDS)];
}

static void random_event(struct random_world *world)
{
	static const enum closed_how hows[] = {CLOSED_HOW_FIN, CLOSED_HOW_RST, CLOSED_HOW_TIMEOUT,
		CLOSED_HOW_BACKEND_REFUSED, CLOSED_HOW_BACKEND_SILENT, CLOSED_HOW_IDLE, CLOSED_HOW_STRAGGLER,
		CLOSED_HOW_ESTABLISHED};
	struct address address = random_host(world);
	struct event_record event = {.kind = (uint8_t)(1 + below(world, EVENT_KIND_COUNT - 1)),
		.client_port = (uint16_t)(1 + below(world, RANDOM_PORTS)),
		.time_ns = (uint64_t)(world->now_ms - below(world, 4) / 3 * 1000) * 1000000,
		.flags = (uint8_t)((below(world, 10) != 0 ? EVENT_FLAG_PROVEN : 0) |
				   (below(world, 4) != 0 ? EVENT_FLAG_EVIDENCE : 0) |
				   (below(world, 5) == 0 ? EVENT_FLAG_OUTBOUND : 0)),
		.service = (uint8_t)(below(world, 3) == 0),
		.protocol = 6,
		.closed_by = (uint8_t)(1 + below(world, 3)),
		.closed_how = (uint8_t)hows[below(world, sizeof(hows) / sizeof(hows[0]))],
		.rtt_us = below(world, 2) * 30000,
		.duration_ms = below(world, 3000),
		.bytes_in = below(world, 2) * 100};
	if (below(world, 2) == 0)
		event.kind = EVENT_FLOW_PROVEN;
	memcpy(event.client, address.bytes, sizeof(event.client));
	roster_dataplane_event(roster_world.roster, &event, world->now_ms);
}

static void random_dump(struct random_world *world)
{
	roster_flows_begin(roster_world.roster, (uint64_t)world->now_ms * 1000000, world->now_ms);
	for (unsigned i = below(world, 6); i > 0; i--) {
		struct roster_flow flow = {.client = random_host(world),
			.client_port = (uint16_t)(1 + below(world, RANDOM_PORTS)),
			.outbound = below(world, 4) == 0,
			.service = (uint8_t)below(world, 2)};
		roster_flow_seen(roster_world.roster, &flow, world->now_ms);
		if (below(world, 3) == 0)
			random_event(world);
	}
	if (below(world, 5) != 0)
		roster_flows_end(roster_world.roster, world->now_ms);
}

static void random_ban(struct random_world *world)
{
	struct ban ban = {.scope = below(world, 2) == 0 ? BAN_SCOPE_PEER : BAN_SCOPE_PREFIX,
		.tier = (enum ban_tier)(2 + below(world, 4)),
		.end_ms = world->now_ms + 1 + below(world, 100000)};
	struct address address = random_host(world);
	strncpy(ban.id, random_id(world), sizeof(ban.id) - 1);
	ban.prefix = prefix_of(&address, below(world, 3) == 0 ? 120 : 128);
	if (below(world, 3) != 0)
		(void)governor_ban_add(
			roster_governor(roster_world.roster), &ban, false, world->now_ms, NULL);
	else
		(void)governor_ban_remove(roster_governor(roster_world.roster), &ban, 0, world->now_ms, NULL);
}

static void random_word(struct random_world *world)
{
	struct roster *roster = roster_world.roster;
	struct roster_bind bind = {.id = random_id(world),
		.address = random_host(world),
		.port = (uint16_t)(1 + below(world, RANDOM_PORTS)),
		.listen_port = (uint16_t)(below(world, 2) * 9000)};
	struct peer_name name = {.address = bind.address, .port = (uint16_t)(below(world, 2) * bind.port)};
	struct peer_report_result result;
	struct roster_bound bound;
	struct roster_opened opened;
	enum temperature from, to;
	enum outcome outcome;
	struct book_dial dial;
	uint32_t closed;
	if (below(world, 2) == 0)
		strncpy(name.id, bind.id, sizeof(name.id) - 1);
	switch (below(world, 9)) {
	case 0:
	case 1:
	case 2:
		(void)roster_peer_bind(roster, &bind, world->now_ms, &bound);
		break;
	case 3:
		(void)roster_peer_report(roster, &name, (enum peer_action)below(world, PEER_ACTION_COUNT), "",
			"", true, world->now_ms, &result);
		break;
	case 4:
		(void)roster_peer_disconnect(roster, &name, "", (int)below(world, 2), world->now_ms, &closed);
		break;
	case 5:
		(void)roster_peer_remove(roster, bind.id, world->now_ms);
		break;
	case 6:
		(void)roster_peer_temperature(
			roster, bind.id, (enum temperature)below(world, 4), world->now_ms, &from, &to);
		break;
	case 7:
		roster_connection_dial(roster, &bind.address, bind.port, world->now_ms, &dial);
		break;
	default:
		(void)roster_connection_auth(roster, 1 + below(world, (uint32_t)roster->next_number),
			below(world, 2) == 0, "", world->now_ms, &outcome, &opened);
		break;
	}
}

static void random_open(struct random_world *world)
{
	struct roster *roster = roster_world.roster;
	struct roster_open open = {.address = random_host(world),
		.port = (uint16_t)(1 + below(world, RANDOM_PORTS)),
		.inbound = below(world, 3) != 0,
		.proven = true,
		.rtt_ms = below(world, 50),
		.id_or_null = below(world, 2) == 0 ? random_id(world) : NULL};
	struct roster_opened opened;
	struct roster_close close = {.connection = 1 + below(world, (uint32_t)roster->next_number),
		.by = (enum closed_by)(1 + below(world, 3)),
		.how = (enum closed_how)(1 + below(world, 4)),
		.reason = ""};
	enum outcome outcome;
	const char *why;
	if (below(world, 3) != 0)
		(void)roster_connection_open(roster, &open, world->now_ms, &opened);
	else if (below(world, 2) == 0)
		(void)roster_connection_close(roster, &close, world->now_ms, &outcome, &why);
	else
		(void)roster_connection_data(
			roster, close.connection, below(world, 3), below(world, 3), -1, world->now_ms);
}

static void random_step(struct random_world *world)
{
	world->now_ms += below(world, 4) == 0 ? below(world, 20000) : below(world, 500);
	while (roster_advance(roster_world.roster, world->now_ms, 1000, /* ticks= */ true))
		;
	switch (below(world, 12)) {
	case 0:
		random_dump(world);
		break;
	case 1:
		random_ban(world);
		break;
	case 2:
	case 3:
	case 4:
		random_word(world);
		break;
	case 5:
	case 6:
		random_open(world);
		break;
	default:
		random_event(world);
		break;
	}
}

static void test_random(void)
{
	for (unsigned seed = 0; seed < RANDOM_SEEDS; seed++) {
		char name[32];
		struct random_world world = {keyed_random_from_seed(seed, 7), ROSTER_WORLD_START_MS};
		struct roster_config config = roster_world_config(profile_name(seed % PROFILE_COUNT));
		config.grace_ms = seed % 2 * 1500;
		config.courtesy_ms = seed % 3 * 1000;
		config.connections_max = 8;
		config.peers_max = seed % 5 == 0 ? 6 : 1000;
		config.disconnected_max = seed % 4;
		config.banned_max = seed % 4;
		if (seed % 2 == 0) {
			config.profile.target = config.profile.target != 0 ? 4 : 0;
			config.profile.limits.in = 3;
		}
		roster_world_begin_with(&config);
		for (unsigned step = 0; step < RANDOM_STEPS; step++) {
			random_step(&world);
			snprintf(name, sizeof(name), "seed %u, step %u", seed, step);
			roster_world_check_counts(name);
		}
		roster_world_end();
	}
}

static const struct check_test tests[] = {
	{"random events, dumps, bans and words leave every number right", test_random},
	{"events of the dataplane mean the same, once", test_dataplane},
	{"LH-6: whom the dataplane cuts need not wait; whom we close in a full pool must", test_throttle},
	{"without evidence nothing is held against anybody", test_no_evidence},
	{"a connection whose end was lost does not stay for ever", test_dump},
	{"events that are read late say nothing that a dump knows better", test_late_events},
	{"a limit that the dataplane does not know closes", test_live_limit},
};
CHECK_MAIN("roster_dataplane", tests)
