/* SPDX-License-Identifier: BSD-3-Clause
 * Targets as the roster acts by them: deficits, surplus, valency, stalls, cold eviction, big ledger peers,
 * churn, and that the node is told each thing once (policy.md DU-11 to DU-22, V24, V33 to V37). The clock is
 * injected.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/roster_private.h"
#include "tests/check.h"
#include "tests/roster_world.h"

static struct roster *roster(void)
{
	return roster_world.roster;
}

/** Targets of the state in force, without big ledger peers. */
static void retarget(uint32_t active, uint32_t established, uint32_t known, double at_s)
{
	struct target_set set = {.normal = {known, established, active}};
	struct roster_targets targets;
	char flaw[ROSTER_TEXT_MAX];
	CHECK_EQ("the targets are taken",
		roster_targets(roster(), NULL, &set, ROSTER_MS(at_s), &targets, flaw), 0);
}

/** Outbound peers id0..: `hot` of them hot, the rest warm. Their endpoints are in the book when `in_book`. */
static void connect_out(const char *id, unsigned n, unsigned hot, bool in_book, double at_s)
{
	char ip[32], name[32];
	for (unsigned i = 0; i < n; i++) {
		snprintf(ip, sizeof(ip), "20.%u.%u.1", (unsigned)(unsigned char)id[0], i);
		snprintf(name, sizeof(name), "%s%u", id, i);
		if (in_book)
			roster_world_book(ip, 9000, PEER_SOURCE_LEDGER, at_s);
		roster_world_open(ip, 9000, false, name, at_s);
		roster_world_temperature(name, TEMPERATURE_WARM, at_s);
		if (i < hot)
			roster_world_temperature(name, TEMPERATURE_HOT, at_s);
	}
}

static void fill_book(unsigned n, double at_s)
{
	char ip[32];
	for (unsigned i = 0; i < n; i++) {
		snprintf(ip, sizeof(ip), "30.%u.%u.1", i / 250, i % 250);
		roster_world_book(ip, 9000, PEER_SOURCE_GOSSIP, at_s);
	}
}

static void test_deficit(void)
{
	roster_world_begin("dugite");
	connect_out("p", 15, 5, true, 0);
	fill_book(20, 0);
	roster_world_tick(10);
	CHECK_EQ("V33: 10 are promoted", roster_world_events("governor.promote"), 10);
	CHECK_EQ("V33: 20 are connected to", roster_world_events("governor.connect"), 20);
	CHECK_EQ("V33: two are asked for peers", roster_world_events_with("governor.share", "\"count\":10"),
		2);
	struct roster_status status = roster_world_status();
	CHECK_EQ("V33: hot", status.hot, 5);
	CHECK_EQ("V33: warm", status.warm, 10);
	CHECK_EQ("V33: known", status.known, 35);
	CHECK_EQ("V33: cold", status.cold, 20);
	roster_world_tick(40);
	CHECK_EQ("DU-12: nothing is told twice", roster_world_names(), "");
	roster_world_tick(71);
	CHECK_EQ("DU-12: but peers are asked again after 60 s", roster_world_names(),
		"governor.share governor.share");
	roster_world_tick(640);
	CHECK_EQ("what was not done in 600 s is told again", roster_world_events("governor.promote"), 10);
	CHECK_EQ("the same for connections", roster_world_events("governor.connect"), 20);
	roster_world_end();
}

static void test_deficit_in_flight(void)
{
	roster_world_begin("dugite");
	fill_book(70, 0);
	roster_world_tick(10);
	CHECK_EQ("as many as there are places", roster_world_events("governor.connect"), 40);
	roster_world_tick(40);
	CHECK_EQ("DU-12: whom the node is connecting to counts", roster_world_events("governor.connect"), 0);
	roster_world_end();
}

static void test_deficit_fulfilled(void)
{
	roster_world_begin("dugite");
	retarget(1, 2, 10, 0);
	roster_world_book("30.0.0.1", 9000, PEER_SOURCE_GOSSIP, 0);
	roster_world_book("30.0.1.1", 9000, PEER_SOURCE_GOSSIP, 0);
	roster_world_book("30.0.2.1", 9000, PEER_SOURCE_GOSSIP, 0);
	roster_world_tick(1);
	CHECK_EQ("two are wanted", roster_world_events("governor.connect"), 2);
	struct book_endpoint endpoint = {roster_world_address("30.0.0.1"), 9000};
	bool first = roster_world_events_with("governor.connect", "30.0.0.1") == 1;
	if (!first)
		endpoint.address = roster_world_address("30.0.1.1");
	CHECK_EQ("an attempt fails",
		address_book_outcome(roster_book(roster()), &endpoint, false, ROSTER_MS(2)), 0);
	roster_world_tick(2);
	CHECK_EQ("another takes its place", roster_world_events("governor.connect"), 1);
	roster_world_end();
}

static void measure_blocks(const char *id, uint32_t blocks, double at_s)
{
	struct roster_metrics metrics = roster_world_metrics();
	double value;
	metrics.blocks = blocks;
	CHECK_EQ(id, roster_peer_metrics(roster(), id, &metrics, ROSTER_MS(at_s), &value), 0);
}

static void say_useful(const char *id, double useful, double at_s)
{
	char who[32];
	struct roster_tag tag = {.which = ROSTER_TAG_USEFUL, .useful = useful};
	snprintf(who, sizeof(who), "#%s", id);
	roster_world_tag(who, &tag, at_s);
}

static void join_group(const char *id, const char *group, uint32_t hot, uint32_t warm, double at_s)
{
	char who[32];
	struct roster_tag tag = {
		.which = ROSTER_TAG_GROUP, .group_name = group, .group_hot = hot, .group_warm = warm};
	snprintf(who, sizeof(who), "#%s", id);
	roster_world_tag(who, &tag, at_s);
}

static void test_surplus(void)
{
	roster_world_begin("ouroboros");
	connect_out("h", 4, 4, true, 0);
	for (unsigned i = 0; i < 4; i++) {
		char id[8];
		snprintf(id, sizeof(id), "h%u", i);
		say_useful(id, 0.2 + 0.1 * i, 0);
	}
	join_group("h0", "roots", 1, 1, 0);
	retarget(2, 10, 20, 1);
	roster_world_tick(20);
	CHECK_EQ("V34: two are demoted", roster_world_events("governor.demote"), 2);
	CHECK_EQ("V34: h2", roster_world_events_with("governor.demote", "\"id\":\"h1\""), 1);
	CHECK_EQ("V34: h3", roster_world_events_with("governor.demote", "\"id\":\"h2\""), 1);
	CHECK_CONTAINS(
		"V34: for the surplus", roster_world_event("governor.demote", 0), "\"reason\":\"surplus\"");
	roster_world_tick(50);
	CHECK_EQ("V34: once", roster_world_events("governor.demote"), 0);
	CHECK_EQ("DU-18: they stay hot until the node says so", roster_world_status().hot, 4);
	roster_world_temperature("h1", TEMPERATURE_WARM, 51);
	roster_world_temperature("h2", TEMPERATURE_WARM, 51);
	roster_world_tick(80);
	CHECK_EQ("V34: and that is all",
		roster_world_events("governor.demote") + roster_world_events("governor.promote"), 0);
	roster_world_end();
}

static void make_local_root(const char *id, double at_s)
{
	char who[32];
	struct roster_tag tag = {.which = ROSTER_TAG_CATEGORY, .values.category = PEER_CATEGORY_LOCAL_ROOT};
	snprintf(who, sizeof(who), "#%s", id);
	roster_world_tag(who, &tag, at_s);
}

static void test_local_root_without_group(void)
{
	roster_world_begin("ouroboros");
	connect_out("h", 4, 4, true, 0);
	for (unsigned i = 0; i < 4; i++) {
		char id[8];
		snprintf(id, sizeof(id), "h%u", i);
		say_useful(id, 0.2 + 0.1 * i, 0);
	}
	make_local_root("h0", 0);
	retarget(2, 2, 20, 1);
	roster_world_tick(20);
	CHECK_EQ("DU-17: two others are demoted", roster_world_events("governor.demote"), 2);
	CHECK_EQ(
		"DU-17: not the local root", roster_world_events_with("governor.demote", "\"id\":\"h0\""), 0);
	roster_world_end();

	struct roster_config config = roster_world_config("dugite");
	config.target_phases &= ~(1u << TARGET_PHASE_SURPLUS);
	roster_world_begin_with(&config);
	connect_out("s", 6, 6, true, 0);
	make_local_root("s0", 0);
	retarget(5, 10, 20, 0);
	measure_blocks("s0", 10, 0);
	for (unsigned i = 1; i <= 8; i++) {
		roster_world_tick(30 * i);
		CHECK_EQ("DU-12: a local root does not stall", roster_world_events("governor.demote"), 0);
	}
	roster_world_end();
}

static void test_local_root_inbound(void)
{
	roster_world_begin("dugite");
	roster_world_open("20.1.1.1", 9000, true, "in0", 0);
	roster_world_open("20.1.2.1", 9000, true, "in1", 0);
	make_local_root("in0", 0);
	struct target_peer *peers = NULL;
	uint32_t n = 0;
	CHECK_EQ("the targets' view", roster_target_peers(roster(), 0, &peers, &n), 0);
	CHECK_EQ("a local root is the targets' business before it is mature", n, 1);
	CHECK_TRUE("and pinned", n == 1 && peers[0].is_protected);
	free(peers);
	roster_world_end();
}

static void test_surplus_established(void)
{
	roster_world_begin("dugite");
	connect_out("w", 4, 0, true, 0);
	retarget(0, 3, 20, 1);
	roster_world_tick(20);
	CHECK_EQ("DU-15: one warm peer is closed", roster_world_events("governor.disconnect"), 1);
	CHECK_EQ("DU-12: at once, Weir can do that", roster_world_status().connected, 3);
	roster_world_end();
}

static void test_valency(void)
{
	roster_world_begin("dugite");
	connect_out("a", 1, 0, true, 0);
	connect_out("b", 1, 0, true, 0);
	connect_out("c", 1, 0, true, 0);
	join_group("a0", "g", 1, 2, 0);
	join_group("b0", "g", 1, 2, 0);
	join_group("c0", "g", 1, 2, 0);
	roster_world_close(2, CLOSED_BY_CLIENT, CLOSED_HOW_FIN, 1);
	roster_world_close(3, CLOSED_BY_CLIENT, CLOSED_HOW_FIN, 1);
	roster_world_tick(20);
	CHECK_CONTAINS(
		"V35: b is connected to first", roster_world_event("governor.connect", 0), "\"id\":\"b0\"");
	CHECK_CONTAINS(
		"V35: for its group", roster_world_event("governor.connect", 0), "\"reason\":\"valency\"");
	CHECK_CONTAINS("V35: a is promoted", roster_world_event("governor.promote", 0), "\"id\":\"a0\"");
	CHECK_TRUE("V35: before all else",
		strncmp(roster_world_names(), "governor.connect governor.promote", 33) == 0);
	CHECK_EQ("V35: one was needed",
		roster_world_events_with("governor.connect", "\"reason\":\"valency\""), 1);
	roster_world_end();
}

static void test_roots(void)
{
	struct book_endpoint endpoint = {roster_world_address("10.0.0.1"), 3001};
	roster_world_begin("dugite");
	CHECK_EQ("a root by configuration", roster_root_add(roster(), "own", 1, 1, &endpoint, ROSTER_MS(0)),
		0);
	CHECK_EQ("hot above warm is refused", roster_root_add(roster(), "own", 2, 1, &endpoint, ROSTER_MS(0)),
		-EINVAL);
	roster_world_tick(1);
	CHECK_EQ("DU-17: it is connected to",
		roster_world_events_with("governor.connect", "\"reason\":\"valency\""), 1);
	roster_world_open("10.0.0.1", 3001, false, "root", 2);
	roster_world_temperature("root", TEMPERATURE_WARM, 2);
	retarget(0, 0, 0, 3);
	roster_world_tick(20);
	CHECK_EQ("DU-17: promoted though no target wants it",
		roster_world_events_with("governor.promote", "\"id\":\"root\""), 1);
	CHECK_EQ("DU-17: and never closed for a surplus", roster_world_status().connected, 1);
	endpoint.address = roster_world_address("10.0.0.2");
	CHECK_EQ("another", roster_root_add(roster(), "own", 1, 2, &endpoint, ROSTER_MS(40)), 0);
	roster_reconfigure(roster(), &roster_world.config, ROSTER_MS(50));
	roster_world_tick(50);
	CHECK_EQ("a reload without them makes them two of many",
		roster_world_events_with("governor.connect", "valency"), 0);
	roster_world_end();
}

static void test_root_bounds(void)
{
	enum { ROOTS = 1000 };
	struct roster_bind bind = {.address = roster_world_address("20.0.0.1"), .port = 9000, .agent = ""};
	struct roster_bound bound;
	struct roster_tag tag = {.which = ROSTER_TAG_GROUP, .group_name = "g"};
	char id[16], who[24];
	roster_world_begin("dugite");
	for (unsigned i = 0; i < ROOTS + 100; i++) {
		snprintf(id, sizeof(id), "r%u", i);
		snprintf(who, sizeof(who), "#r%u", i);
		bind.id = id;
		CHECK_EQ(id, roster_peer_bind(roster(), &bind, ROSTER_MS(1), &bound), 0);
		roster_world_tag(who, &tag, 1);
		CHECK_EQ("forgotten members make room", roster_peer_remove(roster(), id, ROSTER_MS(1)), 0);
	}
	for (unsigned i = 0; i <= ROOTS; i++) {
		struct book_endpoint endpoint = {address_from_v4(0x28000000u + i), 3001};
		CHECK_EQ("a thousand configured ones are the most",
			roster_root_add(roster(), "g", 0, 0, &endpoint, ROSTER_MS(1)),
			i < ROOTS ? 0 : -ENOSPC);
	}
	roster_world_end();
}

static void test_stall(void)
{
	struct roster_config config = roster_world_config("dugite");
	config.target_phases &= ~(1u << TARGET_PHASE_SURPLUS);
	roster_world_begin_with(&config);
	connect_out("s", 6, 6, true, 0);
	retarget(5, 10, 20, 0);
	measure_blocks("s0", 10, 0);
	for (unsigned i = 1; i <= 6; i++) {
		roster_world_tick(30 * i);
		CHECK_EQ("V36: nothing for six evaluations", roster_world_events("governor.demote"), 0);
	}
	roster_world_tick(210);
	CHECK_EQ("V36: demoted at the seventh", roster_world_events_with("governor.demote", "\"id\":\"s0\""),
		1);
	CHECK_EQ("V36: alone", roster_world_events("governor.demote"), 1);
	roster_world_end();

	roster_world_begin_with(&config);
	connect_out("s", 5, 5, true, 0);
	retarget(5, 10, 20, 0);
	measure_blocks("s0", 10, 0);
	for (unsigned i = 1; i <= 12; i++)
		roster_tick(roster(), ROSTER_MS(30 * i));
	CHECK_EQ("V36: never with as many as should be", roster_world_events("governor.demote"), 0);
	roster_world_end();
}

static void test_cold_eviction(void)
{
	roster_world_begin("dugite");
	retarget(0, 0, 85, 0);
	fill_book(127, 0);
	roster_world_book("40.0.0.1", 9000, PEER_SOURCE_CONFIG, 0);
	roster_world_tick(1);
	CHECK_EQ("V37: one of 128 is forgotten", roster_world_events("governor.evict_cold"), 1);
	CHECK_EQ("V37: never a configured one", roster_world_events_with("governor.evict_cold", "40.0.0.1"),
		0);
	CHECK_EQ("V37: the high water is 127", address_book_count(roster_book(roster())), 127);
	roster_world_tick(2);
	CHECK_EQ("V37: and that is enough", roster_world_events("governor.evict_cold"), 0);
	roster_world_end();
}

static void test_big_ledger(void)
{
	struct roster_ledger_peer peers[12];
	size_t added, big;
	roster_world_begin("dugite");
	for (unsigned i = 0; i < 12; i++) {
		char ip[32];
		snprintf(ip, sizeof(ip), "50.0.%u.1", i);
		peers[i] = (struct roster_ledger_peer){roster_world_address(ip), 3001, i < 10 ? 10 : 0, -1};
	}
	peers[11].big = 1;
	CHECK_EQ("the ledger is told",
		roster_node_ledger_peers(roster(), peers, 12, ROSTER_MS(0), &added, &big), 0);
	CHECK_EQ("DU-13: all are new", added, 12);
	CHECK_EQ("DU-13: nine of ten equal ones hold 90 %, and one is said to be big", big, 10);
	struct book_endpoint endpoint = {peers[11].address, 3001};
	CHECK_EQ("DU-13: the book says so", address_book_find(roster_book(roster()), &endpoint)->category,
		PEER_CATEGORY_BIG_LEDGER);
	endpoint.address = peers[10].address;
	CHECK_EQ("DU-13: and of the others", address_book_find(roster_book(roster()), &endpoint)->category,
		PEER_CATEGORY_LEDGER);
	struct target_set set = {.normal = {85, 40, 15}, .big_ledger = {15, 8, 5}};
	struct roster_targets targets;
	char flaw[ROSTER_TEXT_MAX];
	CHECK_EQ("set", roster_targets(roster(), NULL, &set, ROSTER_MS(1), &targets, flaw), 0);
	roster_world_tick(1);
	CHECK_EQ("DU-13: eight big ledger peers are wanted",
		roster_world_events_with("governor.connect", "\"reason\":\"big_ledger\""), 8);
	CHECK_EQ("DU-13: the other big ones take no ordinary place",
		roster_world_events_with("governor.connect", "\"reason\":\"established\""), 2);
	roster_world_end();
}

static void test_sync_state(void)
{
	struct target_set targets;
	struct roster_targets both;
	char flaw[ROSTER_TEXT_MAX];
	roster_world_begin("dugite");
	roster_node_sync_state(roster(), SYNC_STATE_SYNCING, ROSTER_MS(1), &targets);
	CHECK_EQ("DU-13: the targets switch at once", targets.normal.established, 20);
	CHECK_EQ("5.5.12: known", targets.normal.known, 50);
	roster_node_sync_state(roster(), SYNC_STATE_CAUGHT_UP, ROSTER_MS(2), &targets);
	CHECK_EQ("DU-13: and back", targets.normal.established, 40);
	targets.normal.active = 41;
	CHECK_EQ("5.3 K: refused", roster_targets(roster(), NULL, &targets, ROSTER_MS(2), &both, flaw),
		-EINVAL);
	CHECK_EQ("5.3 K: why", (const char *)flaw, "active is above established");
	CHECK_EQ("only read", roster_targets(roster(), NULL, NULL, ROSTER_MS(2), &both, flaw), 0);
	CHECK_EQ("5.3 K: nothing changed", both.base.normal.active, 15);
	roster_world_end();
}

static struct target_set in_force(double at_s)
{
	struct roster_targets targets;
	char flaw[ROSTER_TEXT_MAX];
	CHECK_EQ("read", roster_targets(roster(), NULL, NULL, ROSTER_MS(at_s), &targets, flaw), 0);
	return targets.in_force;
}

static void check_targets(
	const char *name, struct target_set actual, uint32_t known, uint32_t established, uint32_t active)
{
	CHECK_EQ(name, actual.normal.known, known);
	CHECK_EQ(name, actual.normal.established, established);
	CHECK_EQ(name, actual.normal.active, active);
}

static void test_churn_simple(void)
{
	struct target_set sync;
	roster_world_begin("dugite");
	connect_out("c", 40, 15, true, 0);
	roster_world_tick(3299);
	check_targets("V24: whole", in_force(3299), 85, 40, 15);
	roster_world_tick(3300);
	check_targets("V24: four fifths", in_force(3300), 85, 32, 12);
	CHECK_EQ("V24: told", roster_world_events_with("churn.start", "\"established\":32,\"active\":12"), 1);
	CHECK_EQ("5.5.12: exactly hot minus the reduced target",
		roster_world_events_with("governor.demote", "\"reason\":\"churn\""), 3);
	CHECK_EQ("5.5.12: and established",
		roster_world_events_with("governor.disconnect", "\"reason\":\"churn\""), 8);
	CHECK_EQ("no surplus besides", roster_world_events_with("governor.demote", "surplus"), 0);
	roster_node_sync_state(roster(), SYNC_STATE_SYNCING, ROSTER_MS(3310), &sync);
	check_targets("V24: reduced in the other state too", sync, 50, 16, 8);
	roster_node_sync_state(roster(), SYNC_STATE_CAUGHT_UP, ROSTER_MS(3320), &sync);
	roster_world_tick(3330);
	CHECK_EQ("V24: after one tick", roster_world_events("churn.restore"), 1);
	check_targets("V24: restored exactly", in_force(3330), 85, 40, 15);
	roster_world_end();
}

static void test_churn_of_the_state(void)
{
	struct target_set sync;
	roster_world_begin("dugite");
	roster_node_sync_state(roster(), SYNC_STATE_SYNCING, 0, &sync);
	roster_world_tick(899);
	CHECK_EQ("DU-16: syncing, not before 900 s", roster_world_events("churn.start"), 0);
	roster_world_tick(900);
	CHECK_EQ("DU-16: then it starts", roster_world_events("churn.start"), 1);
	roster_world_end();
}

static void test_churn_changed_meanwhile(void)
{
	roster_world_begin("dugite");
	roster_world_tick(3300);
	retarget(10, 20, 50, 3310);
	check_targets("churn holds for what was set meanwhile", in_force(3310), 50, 16, 8);
	roster_world_tick(3330);
	check_targets("and is restored to that", in_force(3330), 50, 20, 10);
	roster_world_end();
}

static void test_churn_sequential(void)
{
	static const struct {
		const char *name;
		uint32_t known, established, active;
	} steps[] = {
		{"V24: active first", 150, 30, 16},
		{"V24: then established", 150, 26, 20},
		{"V24: then known", 126, 30, 20},
		{"V24: then all is restored", 150, 30, 20},
	};
	struct roster_config config = roster_world_config("ouroboros");
	config.profile.churn.normal_fuzz_ms = 0;
	roster_world_begin_with(&config);
	for (unsigned i = 0; i < CHECK_COUNT(steps); i++) {
		roster_world_tick(3300 + 30 * i);
		check_targets(steps[i].name, in_force(3300 + 30 * i), steps[i].known, steps[i].established,
			steps[i].active);
	}
	roster_world_end();
}

static void test_churn_free(void)
{
	struct roster_config config = roster_world_config("bootstrap");
	config.opens.burst = 0;
	config.profile.times.idle_ms = config.profile.times.auth_ms = 0;
	roster_world_begin_with(&config);
	connect_out("f", 20, 0, false, 0);
	roster_world_tick(600);
	CHECK_EQ("5.5.12: a tenth goes",
		roster_world_events_with("governor.disconnect", "\"reason\":\"churn\""), 2);
	roster_world_end();

	roster_world_begin_with(&config);
	connect_out("f", 20, 0, false, 0);
	struct roster_tag tag = {.which = ROSTER_TAG_PROTECTED, .values.is_protected = true};
	for (unsigned i = 1; i < 20; i++) {
		char who[32];
		snprintf(who, sizeof(who), "#f%u", i);
		roster_world_tag(who, &tag, 0);
	}
	roster_world_tick(600);
	CHECK_EQ("churn spares the protected",
		roster_world_events_with("governor.disconnect", "\"reason\":\"churn\""), 1);
	CHECK_EQ("the other one goes", roster_world_events_with("governor.disconnect", "\"id\":\"f0\""), 1);
	roster_world_end();

	roster_world_begin_with(&config);
	connect_out("f", 20, 0, false, 0);
	for (unsigned i = 1; i < 20; i++) {
		char id[16];
		snprintf(id, sizeof(id), "f%u", i);
		make_local_root(id, 0);
	}
	roster_world_tick(600);
	CHECK_EQ("DU-17: churn spares local roots",
		roster_world_events_with("governor.disconnect", "\"reason\":\"churn\""), 1);
	roster_world_end();
}

static void test_maturity(void)
{
	struct roster_config config = roster_world_config("dugite");
	config.profile.times.idle_ms = 0;
	roster_world_begin_with(&config);
	retarget(5, 5, 20, 0);
	roster_world_open("20.0.0.1", 50000, true, "in", 0);
	roster_world_tick(899);
	CHECK_EQ("DU-22: not before 15 minutes", roster_world_events("governor.promote"), 0);
	retarget(0, 0, 20, 899);
	roster_world_tick(899);
	CHECK_EQ("DU-22: nor closed for a surplus before", roster_world_status().connected, 1);
	retarget(5, 5, 20, 900);
	roster_world_tick(900);
	CHECK_EQ("DU-22: a mature one", roster_world_events_with("governor.promote", "\"id\":\"in\""), 1);
	roster_world_end();

	roster_world_begin_with(&config);
	connect_out("w", 3, 0, true, 0);
	retarget(0, 3, 20, 0);
	uint64_t stranger = roster_world_open("20.0.0.1", 50000, true, "in", 0);
	CHECK_EQ("it pays", roster_connection_data(roster(), stranger, 100, 0, -1, ROSTER_MS(10)), 0);
	roster_world_tick(20);
	CHECK_EQ("5.5.15: it is hot", roster_world_status().hot, 1);
	CHECK_EQ("but nobody whom the node chose gives way to it", roster_world_names(),
		"governor.share governor.share");
	roster_world_end();

	roster_world_begin_with(&config);
	roster_world_open("20.0.1.1", 50000, true, "other", 901);
	retarget(0, 0, 20, 1801);
	roster_world_tick(1801);
	CHECK_EQ("DU-15: and closed for a surplus then",
		roster_world_events_with("governor.disconnect", "\"id\":\"other\""), 1);
	roster_world_end();
}

static const struct check_test tests[] = {
	{"V33: deficits", test_deficit},
	{"DU-12: what is under way counts", test_deficit_in_flight},
	{"DU-12: what fails gives way to another", test_deficit_fulfilled},
	{"V34: surplus of hot peers", test_surplus},
	{"DU-17: a local root without a group", test_local_root_without_group},
	{"DU-17: a local root that came by itself", test_local_root_inbound},
	{"DU-15: surplus of warm peers", test_surplus_established},
	{"V35: valency", test_valency},
	{"DU-17: roots by configuration", test_roots},
	{"DU-17: as many roots as may be", test_root_bounds},
	{"V36: stalled peers", test_stall},
	{"V37: cold eviction", test_cold_eviction},
	{"DU-13: big ledger peers", test_big_ledger},
	{"DU-13: sync states", test_sync_state},
	{"V24: churn of dugite", test_churn_simple},
	{"churn of a node that syncs", test_churn_of_the_state},
	{"V24: targets changed during churn", test_churn_changed_meanwhile},
	{"V24: churn of ouroboros", test_churn_sequential},
	{"DU-16: churn of bootstrap", test_churn_free},
	{"DU-22: maturity", test_maturity},
};
CHECK_MAIN("roster_target", tests)
