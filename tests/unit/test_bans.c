/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of bans and lists: tiers that overlap, expiry, removal, protection and force, bounds, bans by id and
 * of their address, loading at a start (policy.md V38, LH-21; issue 2). Clock injected, effects recorded.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "tests/governor_world.h"

/* V38 */
static void test_overlap(void)
{
	world_begin(43200);
	CHECK_EQ("T1 until 1600", world_ban_add("192.0.2.1", BAN_TIER_THROTTLE, 1600, false, 999), 0);
	CHECK_EQ("it throttles", world_class("192.0.2.1", 999), SOURCE_CLASS_THROTTLED);
	world_forget();
	world_report("192.0.2.1", PEER_ACTION_LOW, 5, 1000);
	CHECK_EQ("T3 from 1000 is lifted by the score at 44201", world_peer("192.0.2.1", 1000).unban_at_ms,
		WORLD_MS(44201));
	world_forget();
	CHECK_EQ("the end of T1 does not end it", world_class("192.0.2.1", 1600), SOURCE_CLASS_BANNED);
	CHECK_EQ("and is not told to the dataplane", governor_world.n[EFFECT_ENFORCE], 0u);
	CHECK_EQ("T3 is removed at 2000", world_ban_remove("192.0.2.1", BAN_TIER_SCORE, 2000),
		1 << BAN_TIER_SCORE);
	CHECK_EQ("and the source is admitted", world_class("192.0.2.1", 2000), SOURCE_CLASS_NONE);
	CHECK_NEAR("with a score of 0", world_peer("192.0.2.1", 2000).app_score, 0.0, 0.0);
	CHECK_EQ("there is nothing left to remove", world_ban_remove("192.0.2.1", 0, 2000), -ENOENT);
	CHECK_EQ("the record on disk is deleted", governor_world.n[EFFECT_DELETE_BAN], 1u);
	world_end();
}

static void test_strongest(void)
{
	static const struct {
		const char *name;
		unsigned tiers[3];
		double ends_s[3];
		unsigned remove;
		enum source_class class;
		double end_s; /* of what is then in force; 0: nothing is */
	} cases[] = {
		{"the longer of two bans is in force", {BAN_TIER_STRIKE, BAN_TIER_MANUAL}, {100, 200}, 0,
			SOURCE_CLASS_BANNED, 200},
		{"whichever tier it has", {BAN_TIER_STRIKE, BAN_TIER_MANUAL}, {300, 200}, 0,
			SOURCE_CLASS_BANNED, 300},
		{"a ban is stronger than a longer throttle", {BAN_TIER_THROTTLE, BAN_TIER_MANUAL}, {900, 200},
			0, SOURCE_CLASS_BANNED, 200},
		{"removing one leaves the other", {BAN_TIER_STRIKE, BAN_TIER_MANUAL}, {100, 200},
			BAN_TIER_MANUAL, SOURCE_CLASS_BANNED, 100},
		{"removing the ban leaves the throttle", {BAN_TIER_THROTTLE, BAN_TIER_MANUAL}, {900, 200},
			BAN_TIER_MANUAL, SOURCE_CLASS_THROTTLED, 900},
		{"removing the throttle leaves the ban", {BAN_TIER_THROTTLE, BAN_TIER_MANUAL}, {900, 200},
			BAN_TIER_THROTTLE, SOURCE_CLASS_BANNED, 200},
		{"three tiers", {BAN_TIER_STRIKE, BAN_TIER_SCORE, BAN_TIER_MANUAL}, {100, 500, 200},
			BAN_TIER_SCORE, SOURCE_CLASS_BANNED, 200},
		{"the only one removed is nothing", {BAN_TIER_MANUAL}, {200}, BAN_TIER_MANUAL,
			SOURCE_CLASS_NONE, 0},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		world_begin(3600);
		for (unsigned n = 0; n < 3 && cases[i].tiers[n] != 0; n++)
			CHECK_EQ(cases[i].name,
				world_ban_add("192.0.2.1", cases[i].tiers[n], cases[i].ends_s[n], false, 1),
				0);
		if (cases[i].remove != 0)
			CHECK_EQ(cases[i].name, world_ban_remove("192.0.2.1", cases[i].remove, 2),
				1 << cases[i].remove);
		struct effect last = {.class = SOURCE_CLASS_NONE};
		if (governor_world.n[EFFECT_ENFORCE] != 0)
			last = world_effect(EFFECT_ENFORCE, governor_world.n[EFFECT_ENFORCE] - 1);
		CHECK_EQ(cases[i].name, last.class, cases[i].class);
		CHECK_EQ(cases[i].name, world_class("192.0.2.1", 2), cases[i].class);
		if (cases[i].end_s != 0)
			CHECK_EQ(cases[i].name, last.end_ms, WORLD_MS(cases[i].end_s));
		world_end();
	}
}

static void test_prefixes(void)
{
	static const struct {
		const char *name, *prefix, *address;
		enum source_class class;
	} cases[] = {
		{"a host", "192.0.2.1", "192.0.2.1", SOURCE_CLASS_BANNED},
		{"not its neighbour", "192.0.2.1", "192.0.2.2", SOURCE_CLASS_NONE},
		{"a prefix's first address", "192.0.2.0/24", "192.0.2.0", SOURCE_CLASS_BANNED},
		{"its last", "192.0.2.0/24", "192.0.2.255", SOURCE_CLASS_BANNED},
		{"not the next", "192.0.2.0/24", "192.0.3.0", SOURCE_CLASS_NONE},
		{"all of IPv4", "0.0.0.0/0", "203.0.113.9", SOURCE_CLASS_BANNED},
		{"is no IPv6", "0.0.0.0/0", "2001:db8::1", SOURCE_CLASS_NONE},
		{"all of IPv6", "::/0", "2001:db8::1", SOURCE_CLASS_BANNED},
		{"is no IPv4", "::/0", "203.0.113.9", SOURCE_CLASS_NONE},
		{"an exact IPv6 address", "2001:db8::1", "2001:db8::1", SOURCE_CLASS_BANNED},
		{"not another of its /64", "2001:db8::1", "2001:db8::2", SOURCE_CLASS_NONE},
		{"a /127", "2001:db8::2/127", "2001:db8::3", SOURCE_CLASS_BANNED},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		world_begin(3600);
		CHECK_EQ(cases[i].name, world_ban_add(cases[i].prefix, BAN_TIER_MANUAL, -1, false, 0), 0);
		CHECK_EQ(cases[i].name, world_class(cases[i].address, 1e6), cases[i].class);
		world_end();
	}
}

static void test_expiry(void)
{
	world_begin(3600);
	world_ban_add("192.0.2.1", BAN_TIER_MANUAL, 100, false, 0);
	world_ban_add("192.0.2.0/24", BAN_TIER_MANUAL, 200, false, 0);
	CHECK_EQ("the next end is known", governor_next_due_ms(governor_world.governor), WORLD_MS(100));
	CHECK_EQ("in force to the last millisecond", world_class("192.0.2.2", 199.999), SOURCE_CLASS_BANNED);
	CHECK_EQ("the shorter one has gone", governor_ban_count(governor_world.governor), (uint64_t)1);
	CHECK_EQ("the host is still in the prefix", world_class("192.0.2.1", 199.999), SOURCE_CLASS_BANNED);
	world_forget();
	CHECK_EQ("a ban ends at its end", world_class("192.0.2.2", 200), SOURCE_CLASS_NONE);
	CHECK_EQ("the dataplane is told", world_effect(EFFECT_ENFORCE, 0).class, SOURCE_CLASS_NONE);
	CHECK_EQ("none is left", governor_ban_count(governor_world.governor), (uint64_t)0);
	CHECK_EQ("nothing more is due", governor_next_due_ms(governor_world.governor), GOVERNOR_NEVER_MS);
	world_end();
}

static void test_budget(void)
{
	char address[32];
	world_begin(3600);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(address, sizeof(address), "10.0.0.%u", i);
		world_ban_add(address, BAN_TIER_MANUAL, 50, false, 0);
	}
	CHECK_TRUE("a budget smaller than what is due leaves more",
		governor_advance(governor_world.governor, WORLD_MS(50), 60));
	CHECK_EQ("and does as much as it may", governor_ban_count(governor_world.governor), (uint64_t)40);
	CHECK_FALSE("the rest fits", governor_advance(governor_world.governor, WORLD_MS(50), 60));
	CHECK_EQ("all have ended", governor_ban_count(governor_world.governor), (uint64_t)0);
	world_end();
}

static void test_refusals(void)
{
	static const struct {
		const char *name, *who;
		unsigned tier;
		double until_s;
		bool force;
		int expected;
	} cases[] = {
		{"an end in the past", "192.0.2.1", BAN_TIER_MANUAL, 999, false, -EINVAL},
		{"an end at this moment", "192.0.2.1", BAN_TIER_MANUAL, 1000, false, -EINVAL},
		{"force does not change the past", "192.0.2.1", BAN_TIER_MANUAL, 999, true, -EINVAL},
		{"a throttle of a prefix", "192.0.2.0/24", BAN_TIER_THROTTLE, 2000, false, -EINVAL},
		{"a throttle of a host", "192.0.2.1", BAN_TIER_THROTTLE, 2000, false, 0},
		{"a throttle of a /64", "2001:db8:7::/64", BAN_TIER_THROTTLE, 2000, false, 0},
		{"no tier", "192.0.2.1", 0, 2000, false, -EINVAL},
		{"a tier that does not exist", "192.0.2.1", 6, 2000, false, -EINVAL},
		{"an id without a name", "#", BAN_TIER_MANUAL, 2000, false, -EINVAL},
		{"a prefix that covers an allowed one", "203.0.0.0/16", BAN_TIER_MANUAL, -1, false, -EPERM},
		{"an address within an allowed prefix", "203.0.113.9", BAN_TIER_MANUAL, -1, false, -EPERM},
		{"the allowed prefix itself", "203.0.113.0/24", BAN_TIER_MANUAL, -1, false, -EPERM},
		{"an own address", "198.51.100.1", BAN_TIER_MANUAL, -1, false, -EPERM},
		{"a prefix that covers an own address", "198.51.0.0/16", BAN_TIER_MANUAL, -1, false, -EPERM},
		{"everything", "0.0.0.0/0", BAN_TIER_MANUAL, -1, false, -EPERM},
		{"the neighbour of the allowed prefix", "203.0.114.0/24", BAN_TIER_MANUAL, -1, false, 0},
		{"an allowed prefix by force", "203.0.113.0/24", BAN_TIER_MANUAL, -1, true, 0},
		{"an own address by force", "198.51.100.1", BAN_TIER_MANUAL, -1, true, 0},
		{"everything by force", "0.0.0.0/0", BAN_TIER_MANUAL, -1, true, 0},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		world_begin(3600);
		world_list(GOVERNOR_LIST_ALLOW, "203.0.113.0/24", 0);
		world_list(GOVERNOR_LIST_OWN, "198.51.100.1", 0);
		world_forget();
		CHECK_EQ(cases[i].name,
			world_ban_add(cases[i].who, cases[i].tier, cases[i].until_s, cases[i].force, 1000),
			cases[i].expected);
		CHECK_EQ(cases[i].name, governor_ban_count(governor_world.governor),
			(uint64_t)(cases[i].expected == 0));
		if (cases[i].expected != 0)
			CHECK_EQ("a refusal has no effect", world_effects(), 0u);
		world_end();
	}
	world_begin(3600);
	world_list(GOVERNOR_LIST_ALLOW, "203.0.113.0/24", 0);
	struct ban ban = world_ban("203.0.0.0/16", BAN_TIER_MANUAL, -1);
	struct prefix conflict, allowed;
	prefix_parse("203.0.113.0/24", &allowed);
	CHECK_EQ(
		"a refusal", governor_ban_add(governor_world.governor, &ban, false, 1000, &conflict), -EPERM);
	CHECK_EQ("names what is protected", prefix_compare(&conflict, &allowed), 0);
	world_end();
}

static void test_renewal(void)
{
	world_begin(3600);
	world_ban_add("192.0.2.1", BAN_TIER_MANUAL, 1000, false, 0);
	world_forget();
	CHECK_EQ("a shorter ban is accepted", world_ban_add("192.0.2.1", BAN_TIER_MANUAL, 500, false, 1), 0);
	CHECK_EQ("and changes nothing", world_effects(), 0u);
	CHECK_EQ("a longer one", world_ban_add("192.0.2.1", BAN_TIER_MANUAL, 2000, false, 2), 0);
	CHECK_EQ("replaces it", world_effect(EFFECT_ENFORCE, 0).end_ms, WORLD_MS(2000));
	CHECK_EQ("on disk too", world_effect(EFFECT_STORE_BAN, 0).end_ms, WORLD_MS(2000));
	CHECK_EQ("it is one ban", governor_ban_count(governor_world.governor), (uint64_t)1);
	CHECK_EQ("a shorter one by force", world_ban_add("192.0.2.1", BAN_TIER_MANUAL, 300, true, 3), 0);
	CHECK_EQ("replaces it", world_class("192.0.2.1", 300), SOURCE_CLASS_NONE);
	world_end();
}

static void test_removal(void)
{
	world_begin(3600);
	world_report("192.0.2.1", PEER_ACTION_LOW, 2, 0);
	CHECK_EQ("a disconnect state is forgiven by an unban of all tiers",
		world_ban_remove("192.0.2.1", 0, 0), 0);
	CHECK_EQ("the source is admitted", world_class("192.0.2.1", 0), SOURCE_CLASS_NONE);
	CHECK_NEAR("with a score of 0", world_peer("192.0.2.1", 0).app_score, 0, 0.0);
	world_report("192.0.2.2", PEER_ACTION_FATAL, 1, 0);
	world_ban_add("192.0.2.2", BAN_TIER_MANUAL, 50000, false, 0);
	CHECK_EQ("removal of T5 leaves T3", world_ban_remove("192.0.2.2", BAN_TIER_MANUAL, 1),
		1 << BAN_TIER_MANUAL);
	CHECK_EQ("in force", world_class("192.0.2.2", 1), SOURCE_CLASS_BANNED);
	CHECK_NEAR("and its score", world_peer("192.0.2.2", 1).app_score, -100, 0.0);
	CHECK_EQ("a tier that is not there", world_ban_remove("192.0.2.2", BAN_TIER_STRIKE, 1), -ENOENT);
	CHECK_EQ("a tier that does not exist", world_ban_remove("192.0.2.2", 6, 1), -EINVAL);
	world_report("2001:db8:1:2::5", PEER_ACTION_FATAL, 1, 2);
	CHECK_EQ("an IPv6 address names its /64", world_ban_remove("2001:db8:1:2::77", 0, 2),
		1 << BAN_TIER_SCORE);
	CHECK_EQ("which is admitted", world_class("2001:db8:1:2::5", 2), SOURCE_CLASS_NONE);
	world_ban_add("2001:db8:1:3::/64", BAN_TIER_MANUAL, -1, false, 2);
	CHECK_EQ("but not the /64 that an operator banned", world_ban_remove("2001:db8:1:3::77", 0, 2),
		-ENOENT);
	world_end();
}

static void test_lists(void)
{
	static const struct {
		const char *name;
		enum governor_list first;
		const char *first_prefix;
		enum governor_list second;
		const char *second_prefix;
		int expected;
	} cases[] = {
		{"the same prefix on both lists", GOVERNOR_LIST_ALLOW, "203.0.113.0/24", GOVERNOR_LIST_DENY,
			"203.0.113.0/24", -EPERM},
		{"the other way round", GOVERNOR_LIST_DENY, "203.0.113.0/24", GOVERNOR_LIST_ALLOW,
			"203.0.113.0/24", -EPERM},
		{"an exception within a denied prefix", GOVERNOR_LIST_DENY, "203.0.113.0/24",
			GOVERNOR_LIST_ALLOW, "203.0.113.9", 0},
		{"an exception within an allowed prefix", GOVERNOR_LIST_ALLOW, "203.0.113.0/24",
			GOVERNOR_LIST_DENY, "203.0.113.9", 0},
		{"an own address denied", GOVERNOR_LIST_OWN, "198.51.100.1", GOVERNOR_LIST_DENY,
			"198.51.100.0/24", -EPERM},
		{"a denied address becomes own", GOVERNOR_LIST_DENY, "198.51.100.0/24", GOVERNOR_LIST_OWN,
			"198.51.100.1", -EPERM},
		{"the other family denied", GOVERNOR_LIST_OWN, "198.51.100.1", GOVERNOR_LIST_DENY, "::/0", 0},
		{"the same entry twice", GOVERNOR_LIST_ALLOW, "203.0.113.1", GOVERNOR_LIST_ALLOW,
			"203.0.113.1", -EEXIST},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		world_begin(3600);
		CHECK_EQ(cases[i].name, world_list(cases[i].first, cases[i].first_prefix, 0), 0);
		unsigned stored = governor_world.n[EFFECT_STORE_LIST];
		CHECK_EQ(cases[i].name, world_list(cases[i].second, cases[i].second_prefix, 0),
			cases[i].expected);
		if (cases[i].expected != 0)
			CHECK_EQ(
				"what is refused is not stored", governor_world.n[EFFECT_STORE_LIST], stored);
		world_end();
	}
}

static void test_list_removal(void)
{
	struct prefix prefix;
	prefix_parse("203.0.113.0/24", &prefix);
	world_begin(3600);
	struct governor *governor = governor_world.governor;
	CHECK_EQ("an entry of the file",
		governor_list_add(
			governor, GOVERNOR_LIST_ALLOW, GOVERNOR_LIST_FROM_CONFIG, &prefix, "", 0, NULL),
		0);
	CHECK_EQ("is not stored", governor_world.n[EFFECT_STORE_LIST], 0u);
	CHECK_EQ("and can be removed only there",
		governor_list_remove(governor, GOVERNOR_LIST_ALLOW, &prefix, 0), -EPERM);
	CHECK_EQ("an operator may add the same", world_list(GOVERNOR_LIST_ALLOW, "203.0.113.0/24", 0), 0);
	governor_list_clear(governor, GOVERNOR_LIST_FROM_CONFIG);
	CHECK_TRUE("whose entry stands when the file drops it", world_why("203.0.113.1", 0).allowed);
	CHECK_EQ(
		"until he takes it back", governor_list_remove(governor, GOVERNOR_LIST_ALLOW, &prefix, 0), 0);
	CHECK_FALSE("then it is gone", world_why("203.0.113.1", 0).allowed);
	CHECK_EQ("twice is once too often", governor_list_remove(governor, GOVERNOR_LIST_ALLOW, &prefix, 0),
		-ENOENT);
	CHECK_EQ("now a ban is possible", world_ban_add("203.0.113.1", BAN_TIER_MANUAL, -1, false, 0), 0);
	world_end();
}

static void test_bans_max(void)
{
	struct governor_config config = world_config(3600);
	char address[32];
	config.bans_max = 100;
	world_begin_with(&config);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(address, sizeof(address), "10.0.0.%u", i);
		CHECK_EQ("it fits", world_ban_add(address, BAN_TIER_MANUAL, -1, false, 0), 0);
	}
	world_forget();
	CHECK_EQ("one more does not", world_ban_add("10.0.1.0", BAN_TIER_MANUAL, -1, false, 0), -ENOSPC);
	CHECK_EQ("and nothing happens", world_effects(), 0u);
	CHECK_EQ(
		"force does not make room", world_ban_add("10.0.1.0", BAN_TIER_MANUAL, -1, true, 0), -ENOSPC);
	CHECK_EQ("a renewal needs none", world_ban_add("10.0.0.1", BAN_TIER_MANUAL, 5000, true, 0), 0);
	world_report("10.0.2.0", PEER_ACTION_FATAL, 1, 1);
	CHECK_EQ("an automatic ban does not push out an operator's", world_stats().bans[BAN_TIER_MANUAL],
		(uint64_t)100);
	CHECK_TRUE("its loss is counted", world_stats().evicted > 0);
	CHECK_EQ("one is removed", world_ban_remove("10.0.0.2", 0, 2), 1 << BAN_TIER_MANUAL);
	CHECK_EQ("so one more fits", world_ban_add("10.0.1.0", BAN_TIER_MANUAL, -1, false, 2), 0);
	world_end();

	config.bans_max = 10;
	world_begin_with(&config);
	for (unsigned i = 0; i < 50; i++) {
		snprintf(address, sizeof(address), "10.0.0.%u", i);
		world_report(address, PEER_ACTION_FATAL, 1, i);
	}
	CHECK_EQ("automatic bans are bounded too", world_stats().bans[0], (uint64_t)10);
	CHECK_EQ("each eviction is counted", world_stats().evicted, (uint64_t)40);
	CHECK_EQ("the newest is in force", world_class("10.0.0.49", 50), SOURCE_CLASS_BANNED);
	world_end();
}

/* LH-21 */
static void test_address_of_ids(void)
{
	char id[16];
	world_begin(43200);
	for (unsigned i = 0; i < 7; i++) {
		snprintf(id, sizeof(id), "#p%u", i);
		world_bind(id + 1, "203.0.113.9", (uint16_t)(1000 + i), 3000);
		world_report(id, PEER_ACTION_FATAL, 1, 3000);
		CHECK_EQ("an address is banned with its sixth banned id", world_class("203.0.113.9", 3000),
			i >= 5 ? SOURCE_CLASS_BANNED : SOURCE_CLASS_NONE);
	}
	CHECK_EQ("its neighbour is not", world_class("203.0.113.8", 3000), SOURCE_CLASS_NONE);
	world_ban_remove("#p0", 0, 3001);
	CHECK_EQ("V38: six of seven left, still banned", world_class("203.0.113.9", 3001),
		SOURCE_CLASS_BANNED);
	world_ban_remove("#p1", 0, 3001);
	CHECK_EQ("V38: five left, free", world_class("203.0.113.9", 3001), SOURCE_CLASS_NONE);
	for (unsigned i = 0; i < 7; i++) {
		snprintf(id, sizeof(id), "#u%u", i);
		world_bind(id + 1, "203.0.113.20", (uint16_t)(1000 + i), 3001);
	}
	CHECK_EQ("ids without bans are no evidence", world_class("203.0.113.20", 3001), SOURCE_CLASS_NONE);
	for (unsigned i = 0; i < 6; i++) {
		char address[64];
		snprintf(id, sizeof(id), "#q%u", i);
		snprintf(address, sizeof(address), "2001:db8:0:1%02x::1", i * 51);
		world_bind(id + 1, address, 1, 3002);
		world_report(id, PEER_ACTION_FATAL, 1, 3002);
	}
	CHECK_EQ("of IPv6 the /56 is banned", world_class("2001:db8:0:1aa::9", 3002), SOURCE_CLASS_BANNED);
	CHECK_EQ("the next /56 is not", world_class("2001:db8:0:200::1", 3002), SOURCE_CLASS_NONE);
	CHECK_EQ("it ends with the bans of the ids", world_class("2001:db8:0:1aa::9", 3002 + 43801),
		SOURCE_CLASS_NONE);
	world_end();
}

static void test_load(void)
{
	struct ban ban = world_ban("192.0.2.1", BAN_TIER_SCORE, 3601);
	ban.score = -50;
	ban.freeze_until_ms = WORLD_MS(3600);
	world_begin(3600);
	CHECK_EQ("a T3 is loaded", governor_ban_load(governor_world.governor, &ban, 0), 0);
	CHECK_EQ("without any effect", world_effects(), 0u);
	CHECK_EQ("it is in force until its end", world_class("192.0.2.1", 3600), SOURCE_CLASS_BANNED);
	CHECK_EQ("which is followed by the disconnect state", world_class("192.0.2.1", 3601),
		SOURCE_CLASS_REFUSED);
	CHECK_NEAR(
		"of the same score", world_peer("192.0.2.1", 3601).app_score, -50 * exp2(-1 / 600.0), 1e-9);
	CHECK_EQ("and in the end is free", world_class("192.0.2.1", 4500), SOURCE_CLASS_NONE);
	ban = world_ban("192.0.2.2", BAN_TIER_MANUAL, 4500);
	CHECK_EQ("what ended in the meantime",
		governor_ban_load(governor_world.governor, &ban, WORLD_MS(4500)), 0);
	CHECK_EQ("is left out", governor_ban_count(governor_world.governor), (uint64_t)0);
	ban = world_ban("192.0.2.2", BAN_TIER_THROTTLE, 9000);
	CHECK_EQ("T1 is never stored, so not loaded",
		governor_ban_load(governor_world.governor, &ban, WORLD_MS(4500)), -EINVAL);
	CHECK_EQ("strikes are loaded",
		governor_strike_load(governor_world.governor, &ban.prefix, 3, WORLD_MS(4000)), 0);
	CHECK_EQ("and count: the next ban is for ever",
		world_report("192.0.2.2", PEER_ACTION_INVALID_MESSAGE, 5, 4600).ban.end_ms,
		GOVERNOR_NEVER_MS);
	world_end();
}

static bool count_ban(void *context, const struct ban *ban)
{
	(void)ban;
	++*(unsigned *)context;
	return true;
}

static void test_clock(void)
{
	unsigned n = 0;
	world_begin(3600);
	world_ban_add("192.0.2.1", BAN_TIER_MANUAL, 1000, false, 900);
	CHECK_EQ("a smaller time is taken as the last one",
		world_ban_add("192.0.2.2", BAN_TIER_MANUAL, 850, false, 800), -EINVAL);
	governor_clock_step_back(governor_world.governor, WORLD_MS(800));
	CHECK_EQ("unless the clock was stepped back",
		world_ban_add("192.0.2.2", BAN_TIER_MANUAL, 850, false, 800), 0);
	CHECK_EQ("ends stay at their times", world_class("192.0.2.1", 999.999), SOURCE_CLASS_BANNED);
	governor_ban_each(governor_world.governor, NULL, count_ban, &n);
	CHECK_EQ("and one has ended", n, 1u);
	world_end();
}

static const struct check_test tests[] = {
	{"tiers overlap and the strongest is in force (V38)", test_overlap},
	{"the strongest is what remains in force", test_strongest},
	{"a ban covers its prefix and no more", test_prefixes},
	{"bans end at their end", test_expiry},
	{"a turn does what its budget allows", test_budget},
	{"protected, past and impossible bans are refused", test_refusals},
	{"a renewal never shortens unless forced", test_renewal},
	{"removal takes its tier and forgives its score", test_removal},
	{"contradictory lists are refused", test_lists},
	{"an entry belongs to who made it", test_list_removal},
	{"the number of bans is bounded", test_bans_max},
	{"more than five banned ids ban their address (LH-21)", test_address_of_ids},
	{"a start loads what was stored", test_load},
	{"time runs forward unless it is said", test_clock},
};
CHECK_MAIN("bans", tests)
