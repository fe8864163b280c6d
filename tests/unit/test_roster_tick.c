/* SPDX-License-Identifier: BSD-3-Clause
 * Ticks of the roster: discovery, pruning, the free floor, dues, optimisation, and what a tick costs
 * (policy.md LH-1, LH-4, LH-23, LH-24, LH-26, LO-8, LO-14, HE-13, V8, V32). The clock is injected.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control/roster_private.h"
#include "tests/check.h"
#include "tests/roster_world.h"

static struct roster *roster(void)
{
	return roster_world.roster;
}

/** `in` inbound and `out` outbound peers, each in its own /24. */
static void connect_many(unsigned in, unsigned out, double at_s)
{
	char ip[32], id[16];
	for (unsigned i = 0; i < in + out; i++) {
		snprintf(ip, sizeof(ip), "20.%u.%u.1", i / 250, i % 250);
		snprintf(id, sizeof(id), "p%u", i);
		roster_world_open(ip, 9000, i < in, id, at_s);
	}
}

static void retarget(uint32_t target, double at_s)
{
	struct roster_targets targets;
	char flaw[ROSTER_TEXT_MAX];
	CHECK_EQ("the target is taken",
		roster_targets(roster(), &target, NULL, ROSTER_MS(at_s), &targets, flaw), 0);
}

static void test_discover(void)
{
	static const struct {
		const char *name;
		unsigned in, out, wanted;
	} cases[] = {
		{"5.6: 50 connected, 9 outbound: 10", 41, 9, 10},
		{"5.6: 40 connected, 9 outbound: 15", 31, 9, 15},
		{"5.6: 50 connected, 10 outbound: none", 40, 10, 0},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		char n[16];
		roster_world_begin("lighthouse");
		connect_many(cases[i].in, cases[i].out, 1);
		roster_world_tick(10);
		snprintf(n, sizeof(n), "\"n\":%u,", cases[i].wanted);
		CHECK_EQ(cases[i].name, roster_world_events("discover.peers"), cases[i].wanted != 0);
		CHECK_EQ(cases[i].name, roster_world_events_with("discover.peers", n), cases[i].wanted != 0);
		roster_world_end();
	}
}

static void report(const char *id, enum peer_action action, unsigned times, double at_s)
{
	struct peer_name name = {0};
	struct peer_report_result result;
	snprintf(name.id, sizeof(name.id), "%s", id);
	while (times-- > 0)
		CHECK_EQ(id,
			roster_peer_report(
				roster(), &name, action, "test", "", true, ROSTER_MS(at_s), &result),
			0);
}

/** V8's peers, at a target that keeps them all. */
static void begin_v8(void)
{
	static const struct {
		const char *id, *subnets;
		bool inbound;
	} peers[] = {{"A", "1", true}, {"B", "2", false}, {"C", "", true}, {"D", "1 2", false},
		{"E", "1", true}, {"F", "1 3", true}, {"G", "", true}, {"H", "4", false}};
	char ip[32], who[4];
	roster_world_begin("lighthouse");
	for (size_t i = 0; i < CHECK_COUNT(peers); i++) {
		snprintf(ip, sizeof(ip), "20.0.%zu.1", i);
		snprintf(who, sizeof(who), "#%s", peers[i].id);
		roster_world_open(ip, 9000, peers[i].inbound, peers[i].id, 1);
		roster_world_subnets(who, peers[i].subnets, 1);
	}
	report("A", PEER_ACTION_MID, 1, 1);
	report("B", PEER_ACTION_HIGH, 3, 1);
	struct roster_tag trusted = {.which = ROSTER_TAG_TRUSTED, .values.trusted = true};
	roster_world_tag("#G", &trusted, 1);
}

static bool is_connected(const char *who, double at_s)
{
	return roster_world_peer(who, at_s).state.status == PEER_STATUS_CONNECTED;
}

static void check_pruned(const char *name, const char *pruned, double at_s)
{
	char who[3] = "#?";
	for (const char *id = "ABCDEFGH"; *id != '\0'; id++) {
		who[1] = *id;
		if (is_connected(who, at_s) == (strchr(pruned, *id) != NULL))
			CHECK_FAIL(name, "%c is %s", *id, is_connected(who, at_s) ? "connected" : "gone");
	}
}

static void test_prune(void)
{
	begin_v8();
	retarget(4, 2);
	roster_world_tick(2);
	check_pruned("V8: target 4 of 8 prunes A, B, C and E", "ABCE", 2);
	CHECK_EQ("nobody is missing", roster_world_status().prune_short, 0);
	roster_world_end();

	begin_v8();
	struct roster_tag committee = {.which = ROSTER_TAG_COMMITTEES, .values.committees = 1};
	roster_world_tag("#E", &committee, 1);
	retarget(4, 2);
	roster_world_tick(2);
	check_pruned("V8: alone in its committee, E stays", "ABC", 2);
	CHECK_EQ("one is short", roster_world_status().prune_short, 1);
	CHECK_EQ("and it is told", roster_world_events_with("prune.short", "\"short\":1,"), 1);
	roster_world_tick(3);
	CHECK_EQ("once", roster_world_events("prune.short"), 0);
	CHECK_EQ("but counted", roster_world_status().prune_short, 2);
	roster_world_end();
}

static void test_younger_goes(void)
{
	roster_world_begin("lighthouse");
	roster_world_open("20.0.0.1", 9000, true, "old", 1);
	roster_world_open("20.0.1.1", 9000, true, "young", 2);
	roster_world_open("20.0.2.1", 9000, false, "out", 1);
	retarget(2, 3);
	roster_world_tick(3);
	CHECK_TRUE("5.6, LH-23: the older stays", is_connected("#old", 3));
	CHECK_FALSE("5.6, LH-23: the younger goes", is_connected("#young", 3));
	roster_world_end();
}

static void test_outbound_floor(void)
{
	roster_world_begin("lighthouse");
	roster_world_open("20.0.0.1", 9000, false, "out", 1);
	roster_world_open("20.0.1.1", 9000, true, "in", 1);
	report("out", PEER_ACTION_MID, 1, 1);
	retarget(1, 2);
	roster_world_tick(2);
	CHECK_TRUE("LH-3: the last outbound peer stays, whatever its score", is_connected("#out", 2));
	CHECK_FALSE("LH-3: a better inbound one goes", is_connected("#in", 2));
	roster_world_end();
}

static void test_subnets(void)
{
	struct peer_duty needed[] = {{7, ROSTER_MS(100)}, {8, ROSTER_MS(100)}, {9, ROSTER_MS(0)}};
	uint16_t discover[3];
	roster_world_begin("lighthouse");
	connect_many(4, 10, 1);
	roster_world_subnets("#p0", "7", 1);
	roster_world_subnets("#p1", "7", 1);
	roster_world_subnets("#p2", "7", 1);
	roster_world_subnets("#p3", "8", 1);
	CHECK_EQ("LH-24: below three is searched for",
		roster_node_subnets(roster(), needed, 3, ROSTER_MS(2), discover), 1);
	CHECK_EQ("LH-24: which", discover[0], 8);
	roster_world_tick(3);
	CHECK_EQ("LH-24: and told at ticks", roster_world_events_with("discover.subnets", "\"subnets\":[8]"),
		1);
	retarget(1, 4);
	roster_world_tick(4);
	CHECK_TRUE(
		"LH-24: who serves what is needed stays", is_connected("#p0", 4) && is_connected("#p1", 4));
	roster_world_tick(101);
	CHECK_EQ("LH-24: until then", roster_world_events("discover.subnets"), 0);
	CHECK_FALSE("LH-24: and not longer",
		is_connected("#p0", 101) && is_connected("#p1", 101) && is_connected("#p2", 101));
	roster_world_end();
}

static void test_floor(void)
{
	struct roster_config config = roster_world_config("bootstrap");
	config.profile.limits.soft = (struct target_soft){.hard = 20, .soft = 20};
	config.opens.burst = 0;
	config.profile.times.idle_ms = config.profile.times.auth_ms = 0;
	roster_world_begin_with(&config);
	connect_many(19, 0, 1);
	roster_world_tick(2);
	CHECK_EQ("5.3 F: a place is free", roster_world_status().connected, 19);
	roster_world_open("30.0.0.1", 9000, true, "last", 3);
	roster_world_tick(4);
	CHECK_EQ("5.3 F: who has just come has its grace", roster_world_status().connected, 20);
	CHECK_EQ("5.5.8: which is counted", roster_world_status().prune_short, 1);
	roster_world_tick(62);
	CHECK_EQ("5.5.9: a place is made free beforehand", roster_world_status().connected, 19);
	roster_world_end();
}

static void advance(double at_s)
{
	while (roster_advance(roster(), ROSTER_MS(at_s), 1000, /* ticks= */ true))
		;
}

static bool is_there(const char *ip, double at_s)
{
	return roster_world_peer(ip, at_s).state.status == PEER_STATUS_CONNECTED;
}

static void test_room(void)
{
	struct roster_config config = roster_world_config("bootstrap");
	struct governor_why why;
	struct address silent = roster_world_address("30.0.0.1");
	config.profile.tick_ms = ROSTER_MS(3600); /* what happens here, happens between ticks */
	config.profile.limits.soft = (struct target_soft){.hard = 20, .soft = 20};
	config.opens.burst = 0;
	config.profile.times.idle_ms = config.profile.times.auth_ms = 0;
	roster_world_begin_with(&config);
	connect_many(18, 0, 0);
	roster_world_open("30.0.0.1", 9000, true, "", 1);
	advance(10);
	CHECK_TRUE("silence is nobody's fault while there is room", is_there("30.0.0.1", 10));
	uint64_t second = roster_world_open("30.0.0.2", 9000, true, "", 10);
	CHECK_EQ("it says a word", roster_connection_data(roster(), second, 1, 0, -1, ROSTER_MS(10)), 0);
	advance(10.1);
	CHECK_FALSE("5.5.9: the last places go to who speaks", is_there("30.0.0.1", 10.1));
	CHECK_EQ("and it is said why",
		roster_world_events_with("governor.disconnect", "\"reason\":\"silent\""), 1);
	governor_why(roster()->governor, &silent, ROSTER_MS(10.1), &why);
	CHECK_EQ("LH-6: it may come back later", (int)why.class, (int)SOURCE_CLASS_THROTTLED);
	roster_world_open("30.0.0.3", 9000, true, "", 11);
	advance(11.9);
	CHECK_TRUE("a newcomer has a second to speak", is_there("30.0.0.3", 11.9));
	advance(12.3);
	CHECK_FALSE("and is asked again until then", is_there("30.0.0.3", 12.3));
	CHECK_TRUE("who spoke stays", is_there("30.0.0.2", 12.3));
	CHECK_EQ("5.3 F: a place is free", roster_world_status().connected, 19);
	roster_world_end();
	/* DU-14: from the soft limit on newcomers are delayed, and only the silent ones make room for them.
	 */
	config.profile.limits.soft = (struct target_soft){TARGET_SOFT_LINEAR, 10, 20, 5};
	roster_world_begin_with(&config);
	connect_many(10, 0, 0);
	advance(70);
	CHECK_EQ("who spoke stays", roster_world_status().connected, 10);
	roster_world_open("30.0.0.1", 9000, true, "", 70);
	roster_world_open("30.0.0.2", 9000, true, "", 70.5);
	advance(71.2);
	CHECK_FALSE("DU-14: nobody is delayed by one that is silent", is_there("30.0.0.1", 71.2));
	CHECK_EQ("who spoke once stays, idle or not", roster_world_status().connected, 11);
	CHECK_TRUE("the next has its second too", is_there("30.0.0.2", 71.2));
	governor_why(roster()->governor, &silent, ROSTER_MS(71.2), &why);
	CHECK_EQ("LH-6: where places are short, it waits", (int)why.class, (int)SOURCE_CLASS_THROTTLED);
	struct address allowed = roster_world_address("30.0.0.4");
	struct prefix allow = prefix_of(&allowed, PREFIX_HOST_LENGTH);
	CHECK_EQ("an allowlist",
		governor_list_add(roster()->governor, GOVERNOR_LIST_ALLOW, GOVERNOR_LIST_FROM_OPERATOR, &allow,
			"", ROSTER_MS(72), NULL),
		0);
	roster_world_open("30.0.0.4", 9000, true, "", 72);
	advance(80);
	CHECK_TRUE("5.3 E: who is on the allowlist has its place, silent or not", is_there("30.0.0.4", 80));
	roster_world_end();
}

static void test_dues(void)
{
	unsigned due;
	roster_world_begin("lighthouse");
	roster_world_open("20.0.0.1", 9000, true, "in", 0);
	roster_world_open("20.0.1.1", 9000, false, "out", 0);
	roster_world_wait(0);
	CHECK_EQ("5.5.20: metadata is due on connect", roster_world_events("peer.metadata_due"), 2);
	roster_world_wait(14.9);
	CHECK_EQ("LH-26: no ping before its time", roster_world_events("peer.ping_due"), 0);
	roster_world_wait(15);
	CHECK_EQ(
		"LH-26: outbound after 15 s", roster_world_events_with("peer.ping_due", "\"id\":\"out\""), 1);
	roster_world_wait(20);
	CHECK_EQ("LH-26: inbound after 20 s", roster_world_events_with("peer.ping_due", "\"id\":\"in\""), 1);
	roster_world_wait(100);
	CHECK_EQ("LH-26: each is told once", roster_world_events("peer.ping_due"), 2);
	uint64_t sequence = 4;
	CHECK_EQ("metadata came",
		roster_peer_seen(roster(), "in", ROSTER_SEEN_METADATA, &sequence, "", ROSTER_MS(100), &due),
		0);
	sequence = 5;
	CHECK_EQ("a ping came",
		roster_peer_seen(roster(), "in", ROSTER_SEEN_PING, &sequence, "", ROSTER_MS(100), &due), 0);
	CHECK_EQ("5.5.20: a newer sequence makes metadata due", due, PEER_DUE_METADATA);
	roster_world_wait(120);
	CHECK_EQ("LH-26: the next ping", roster_world_events_with("peer.ping_due", "\"id\":\"in\""), 2);
	roster_world_wait(300);
	CHECK_EQ("LH-26: status after 300 s", roster_world_events("peer.status_due"), 2);
	CHECK_EQ("nobody strange is seen",
		roster_peer_seen(roster(), "who", ROSTER_SEEN_PING, NULL, "", ROSTER_MS(300), &due), -ENOENT);
	roster_world_end();
}

static void measure(const char *id, double uptime, double at_s)
{
	struct roster_metrics metrics = roster_world_metrics();
	double value;
	metrics.uptime = uptime;
	CHECK_EQ(id, roster_peer_metrics(roster(), id, &metrics, ROSTER_MS(at_s), &value), 0);
}

/** Whether the worse of two is still there after the round in which one had to go. */
static bool worse_stays(struct roster_config config, bool local_root)
{
	struct roster_tag tag = {.which = ROSTER_TAG_CATEGORY, .values.category = PEER_CATEGORY_LOCAL_ROOT};
	config.profile.limits.total = 2;
	roster_world_begin_with(&config);
	roster_world_open("20.0.0.1", 9000, true, "good", 0);
	roster_world_open("20.0.1.1", 9000, true, "bad", 0);
	measure("good", 1.0, 1);
	measure("bad", 0.0, 1);
	if (local_root)
		roster_world_tag("#bad", &tag, 1);
	config.profile.limits.total = 1;
	roster_reconfigure(roster(), &config, ROSTER_MS(2));
	roster_world_tick(120);
	bool stays = is_connected("#bad", 120);
	roster_world_end();
	return stays;
}

static void test_optimise(void)
{
	struct roster_config config = roster_world_config("lorachain");
	config.profile.limits.total = 2;
	config.profile.newcomer = EVICTION_NEWCOMER_PIPELINE;
	config.profile.limits.in = 3;
	config.profile.limits.out = 1;
	config.min_life_ms = 0;
	roster_world_begin_with(&config);
	roster_world_open("20.0.0.1", 9000, true, "good", 0);
	roster_world_open("20.0.1.1", 9000, true, "bad", 0);
	measure("good", 1.0, 1);
	measure("bad", 0.0, 1);
	/* The total is lowered: best-N is one now. */
	config.profile.limits.total = 1;
	roster_reconfigure(roster(), &config, ROSTER_MS(2));
	roster_world_tick(119);
	CHECK_TRUE("LO-14: not before its interval", is_connected("#bad", 119));
	roster_world_tick(120);
	CHECK_FALSE("LO-14: who is not among the best goes", is_connected("#bad", 120));
	CHECK_TRUE("LO-14: the best stays", is_connected("#good", 120));
	roster_world_end();

	CHECK_FALSE("LO-14: the worse of two goes", worse_stays(config, false));
	CHECK_TRUE("DU-17: a local root stays", worse_stays(config, true));
}

static void test_optimise_dials(void)
{
	roster_world_begin("lorachain");
	roster_world_book("198.51.100.1", 9000, PEER_SOURCE_DNS, 1);
	roster_world_tick(120);
	CHECK_EQ("LO-13: a known address is worth dialling",
		roster_world_events_with("governor.connect", "\"ip\":\"198.51.100.1\",\"port\":9000"), 1);
	roster_world_tick(240);
	CHECK_EQ("it is not said twice", roster_world_events("governor.connect"), 0);
	roster_world_end();
}

static void test_value_news(void)
{
	struct roster_config config = roster_world_config("lorachain");
	config.profile.times.idle_ms = config.profile.times.auth_ms = 0;
	roster_world_begin_with(&config);
	roster_world_open("20.0.0.1", 9000, true, "a", 0);
	measure("a", 0.9, 1);
	roster_world_forget();
	measure("a", 0.91, 2);
	CHECK_EQ("LO-8: a change below one is no news", roster_world_events("peer.score_updated"), 0);
	measure("a", 0.5, 3);
	CHECK_EQ("LO-8: a larger one is", roster_world_events_with("peer.score_updated", "\"value\":"), 1);
	/* 60 days fade to 55 %: the tick tells it, nobody spoke of the peer. */
	roster_world_tick(60 * 86400.0);
	CHECK_EQ("LO-7: fading is news too", roster_world_events("peer.score_updated"), 1);
	roster_world_end();
}

static void test_value_history(void)
{
	struct roster_config config = roster_world_config("lorachain");
	struct peer_info info;
	config.profile.times.idle_ms = config.profile.times.auth_ms = 0;
	roster_world_begin_with(&config);
	roster_world_open("20.0.0.1", 9000, true, "a", 0);
	CHECK_EQ("nothing has changed", roster_world_peer("#a", 0).governor.n_history, 0u);
	measure("a", 0.9, 1);
	CHECK_EQ("LO-1, LO-8: the first word changes the 50 of a new peer",
		roster_world_events_with("peer.score_updated", "\"old_value\":50"), 1);
	info = roster_world_peer("#a", 1).governor;
	CHECK_EQ("LO-8: and is history", info.n_history, 1u);
	CHECK_NEAR("LO-8: as it is now", info.history[0].score, roster_world_peer("#a", 1).value, 1e-9);
	CHECK_EQ("LO-8: by name", (const char *)info.history[0].why, "value: lorachain");
	measure("a", 0.91, 2);
	CHECK_EQ("LO-8: what is no news is no history", roster_world_peer("#a", 2).governor.n_history, 1u);
	for (unsigned i = 0; i < 40; i++) {
		measure("a", i % 2 == 0 ? 0.1 : 0.9, 3 + i);
		info = roster_world_peer("#a", 3 + i).governor;
		CHECK_EQ("5.5.10: the last 32 changes", info.n_history, i < 30 ? i + 2 : 32u);
		CHECK_EQ("5.5.10: the latest last", info.history[info.n_history - 1].t_ms, ROSTER_MS(3 + i));
	}
	CHECK_EQ("5.5.10: the oldest went", info.history[0].t_ms, ROSTER_MS(11));
	struct peer_name name = {.id = "a"};
	struct peer_report_result result;
	CHECK_EQ("a report",
		roster_peer_report(roster(), &name, PEER_ACTION_LOW, "r", "", true, ROSTER_MS(50), &result),
		0);
	info = roster_world_peer("#a", 50).governor;
	CHECK_EQ("LO-9: reports are history beside values", (const char *)info.history[31].why, "low: r");
	roster_world_end();

	roster_world_begin("dugite");
	roster_world_open("20.0.0.1", 9000, true, "a", 0);
	measure("a", 0.9, 1);
	CHECK_EQ("5.3 B: other profiles name no value of a new peer",
		roster_world_events("peer.score_updated"), 0);
	roster_world_end();
}

static void test_out_of_sync(void)
{
	struct target_set targets;
	roster_world_begin("stellar");
	roster_world_open("20.0.0.1", 9000, false, "a", 0);
	/* So many that a lot among all would fall on one of them. */
	struct roster_tag preferred = {.which = ROSTER_TAG_PREFERRED, .values.preferred = true};
	static const char *const ids[] = {"b", "c", "d", "e", "f", "g"};
	for (unsigned i = 0; i < CHECK_COUNT(ids); i++) {
		char ip[32], name[8];
		snprintf(ip, sizeof(ip), "20.1.%u.1", i);
		snprintf(name, sizeof(name), "#%s", ids[i]);
		roster_world_open(ip, 9000, false, ids[i], 0);
		roster_world_tag(name, &preferred, 0);
	}
	roster_world_open("20.0.2.1", 9000, true, "in", 0);
	enum outcome outcome;
	struct roster_opened opened;
	for (uint64_t i = 1; i <= 8; i++)
		CHECK_EQ("it logs in",
			roster_connection_auth(roster(), i, true, "", ROSTER_MS(0), &outcome, &opened), 0);
	roster_node_sync_state(roster(), SYNC_STATE_SYNCING, ROSTER_MS(1), &targets);
	roster_tick(roster(), ROSTER_MS(20));
	CHECK_EQ("HE-13: not at once", roster_world_events_with("governor.disconnect", "out_of_sync"), 0);
	roster_tick(roster(), ROSTER_MS(61));
	CHECK_EQ("HE-13: after 60 s one outbound peer goes",
		roster_world_events_with("governor.disconnect", "\"out_of_sync\""), 1);
	CHECK_EQ("HE-13: not the preferred one, nor an inbound one",
		roster_world_events_with("governor.disconnect", "\"id\":\"a\""), 1);
	for (unsigned at_s = 122; at_s < 600; at_s += 61)
		roster_tick(roster(), ROSTER_MS(at_s));
	CHECK_EQ("HE-13: and when only preferred ones are left, nobody",
		roster_world_events_with("governor.disconnect", "\"out_of_sync\""), 1);
	roster_world_end();
}

static void test_outbound_goal(void)
{
	char ip[32];
	roster_world_begin("stellar");
	for (unsigned i = 0; i < 20; i++) {
		snprintf(ip, sizeof(ip), "20.1.%u.1", i);
		roster_world_book(ip, 9000, PEER_SOURCE_DNS, 0);
	}
	roster_world_tick(3);
	CHECK_EQ("V32: nobody can reach us: three outbound", roster_world_events("governor.connect"), 3);
	roster_world_tick(6);
	CHECK_EQ("and the same are not asked for again", roster_world_events("governor.connect"), 0);
	roster_world_end();
}

static void test_order(void)
{
	struct peer_duty needed = {9, ROSTER_MS(1000)};
	uint16_t discover;
	roster_world_begin("lighthouse");
	connect_many(2, 2, 0);
	(void)roster_node_subnets(roster(), &needed, 1, ROSTER_MS(1), &discover);
	retarget(3, 2);
	roster_world_tick(30);
	CHECK_EQ("LH-1: discovery, then pruning", roster_world_names(),
		"discover.subnets governor.disconnect");
	roster_world_tick(30);
	CHECK_EQ("LH-1: another tick at once closes nobody", roster_world_names(), "discover.subnets");
	roster_world_end();
}

static void test_scheduled(void)
{
	roster_world_begin("lighthouse");
	roster_world_open("20.0.0.1", 9000, true, "a", 0);
	roster_world_forget();
	roster_world_run(30 * 5 + 1);
	CHECK_EQ("LH-1: every 30 s", roster_world_events("discover.peers"), 5);
	CHECK_CONTAINS("LH-1: at its time", roster_world_event("discover.peers", 4), "\"t\":3750.000");
	roster_world_end();
}

static double seconds_of_ticks(unsigned n, double at_s)
{
	struct timespec before, after;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	for (unsigned i = 0; i < n; i++)
		roster_tick(roster(), ROSTER_MS(at_s + i));
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	return (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) / 1e9;
}

static void test_million(void)
{
	enum { KNOWN = 1000000, CONNECTED = 1000, TICKS = 10 };
	struct roster_config config = roster_world_config("dugite");
	config.peers_max = config.governor.peers_max = KNOWN + 2 * CONNECTED;
	config.connections_max = 4 * CONNECTED;
	config.profile.limits = (struct profile_limits){0};
	config.opens.burst = 0;
	roster_world_begin_with(&config);
	struct roster_tag tag = {.which = ROSTER_TAG_CLASS};
	for (uint32_t i = 0; i < KNOWN; i++) {
		struct peer_name name = {.address = address_from_v4(0x15000000u + i)};
		if (roster_peer_tag(roster(), &name, &tag, ROSTER_MS(0), NULL) != 0) {
			CHECK_FAIL("a million are known", "at %u", i);
			break;
		}
	}
	connect_many(CONNECTED, 0, 1);
	CHECK_EQ("a thousand are connected", roster_world_status().connected, CONNECTED);
	double seconds = seconds_of_ticks(TICKS, 2) / TICKS;
	if (seconds >= 0.05)
		CHECK_FAIL("a tick with a million known peers is below 50 ms", "%.1f ms", seconds * 1e3);
	roster_world_end();
}

static const struct check_test tests[] = {
	{"LH-4: discovery by both branches", test_discover},
	{"V8: pruning", test_prune},
	{"LH-23: of two equal peers the younger goes", test_younger_goes},
	{"LH-3: the outbound floor", test_outbound_floor},
	{"LH-24: subnets that the node needs", test_subnets},
	{"5.3 F: the free floor of a bootstrap node", test_floor},
	{"5.5.9: silent connections make room between ticks", test_room},
	{"LH-26: pings, statuses and metadata come due", test_dues},
	{"LO-14: a round of optimisation drops", test_optimise},
	{"LO-14: and dials", test_optimise_dials},
	{"LO-8: changed values are told", test_value_news},
	{"LO-8: and are history", test_value_history},
	{"HE-13: out of sync", test_out_of_sync},
	{"V32: the outbound goal", test_outbound_goal},
	{"LH-1: the order of a tick", test_order},
	{"LH-1: ticks come by themselves", test_scheduled},
	{"a million known peers", test_million},
};
CHECK_MAIN("roster_tick", tests)
