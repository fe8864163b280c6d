/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/profile.c: policy.md's table 5.4 cell by cell, that what a profile does not set is off,
 * and that each one is sane in every module that acts by it.
 */
#include <errno.h>
#include <string.h>

#include "control/profile.h"
#include "tests/check.h"

static struct profile get(const char *name)
{
	struct profile profile = {0};
	CHECK_EQ(name, profile_get(name, &profile), 0);
	return profile;
}

static void test_table(void)
{
	static const struct {
		const char *name;
		int64_t tick_s;
		uint32_t soft, hard, in, out, total;
		enum target_soft_mode mode;
		uint32_t active, established, known, root;
		uint32_t backoff_1_s, backoff_9_s; /* the longest wait after one failure, and after nine */
		uint32_t circuit;
		int64_t auth_s, idle_s, straggler_s, throttle_s, ban_s;
		int64_t churn_s, churn_bulk_s, fuzz_s;
		enum failure_clock clock;
	} cases[] = {
		{"lighthouse", 30, 0, 0, 45, 0, 0, TARGET_SOFT_NONE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 600, 600,
			0, 0, 0, FAILURE_CLOCK_NONE},
		{"ouroboros", 30, 384, 512, 0, 0, 0, TARGET_SOFT_LINEAR, 20, 30, 150, 60, 5, 160, 0, 0, 5, 0,
			10, 0, 3300, 900, 600, FAILURE_CLOCK_CLEAR_AFTER_HOT},
		{"dugite", 30, 384, 512, 100, 0, 0, TARGET_SOFT_FIXED, 15, 40, 85, 60, 10, 60, 3, 0, 300, 0,
			0, 0, 3300, 900, 0, FAILURE_CLOCK_HALVING},
		{"stellar", 3, 0, 0, 64, 8, 0, TARGET_SOFT_NONE, 0, 0, 0, 0, 20, 5120, 0, 2, 30, 120, 0, 300,
			0, 0, 0, FAILURE_CLOCK_CLEAR_ON_SUCCESS},
		{"spacetime", 30, 0, 0, 0, 0, 50, TARGET_SOFT_NONE, 0, 0, 0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0,
			0, FAILURE_CLOCK_CLEAR_ON_SUCCESS},
		{"lorachain", 30, 0, 0, 20, 30, 50, TARGET_SOFT_NONE, 0, 0, 0, 0, 60, 15360, 0, 15, 300, 0,
			60, 3600, 0, 0, 0, FAILURE_CLOCK_NONE},
		{"bootstrap", 5, 384, 512, 0, 0, 0, TARGET_SOFT_LINEAR, 0, 0, 0, 0, 20, 5120, 3, 5, 60, 120,
			60, 600, 600, 600, 0, FAILURE_CLOCK_HALVING},
	};
	for (unsigned i = 0; i < CHECK_COUNT(cases); i++) {
		struct profile profile = get(cases[i].name);
		const char *name = cases[i].name;
		CHECK_EQ("in the order of 5.4", profile_name(i), name);
		CHECK_EQ(name, profile.tick_ms, cases[i].tick_s * 1000);
		CHECK_EQ(name, profile.limits.soft.soft, cases[i].soft);
		CHECK_EQ(name, profile.limits.soft.hard, cases[i].hard);
		CHECK_EQ(name, (int)profile.limits.soft.mode, (int)cases[i].mode);
		CHECK_EQ(name, profile.limits.in, cases[i].in);
		CHECK_EQ(name, profile.limits.out, cases[i].out);
		CHECK_EQ(name, profile.limits.total, cases[i].total);
		CHECK_EQ(name, profile.base.normal.active, cases[i].active);
		CHECK_EQ(name, profile.base.normal.established, cases[i].established);
		CHECK_EQ(name, profile.base.normal.known, cases[i].known);
		CHECK_EQ(name, profile.base.root, cases[i].root);
		CHECK_EQ(name, backoff_max_s(&profile.backoff, 1), cases[i].backoff_1_s);
		CHECK_EQ(name, backoff_max_s(&profile.backoff, 9), cases[i].backoff_9_s);
		CHECK_EQ(name, profile.counters.circuit.threshold, cases[i].circuit);
		CHECK_EQ(name, profile.times.auth_ms, cases[i].auth_s * 1000);
		CHECK_EQ(name, profile.times.idle_ms, cases[i].idle_s * 1000);
		CHECK_EQ(name, profile.times.straggler_ms, cases[i].straggler_s * 1000);
		CHECK_EQ(name, profile.times.throttle_ms, cases[i].throttle_s * 1000);
		CHECK_EQ(name, profile.times.temporary_ban_ms, cases[i].ban_s * 1000);
		CHECK_EQ(name, profile.churn.normal_ms, cases[i].churn_s * 1000);
		CHECK_EQ(name, profile.churn.bulk_ms, cases[i].churn_bulk_s * 1000);
		CHECK_EQ(name, profile.churn.normal_fuzz_ms, cases[i].fuzz_s * 1000);
		CHECK_EQ(name, (int)profile.counters.clock, (int)cases[i].clock);
		CHECK_EQ("5.4: reset on auth is Stellar's alone", profile.counters.success_is_auth,
			strcmp(name, "stellar") == 0);
	}
	CHECK_EQ("5.5.12: the sync targets are those of every system with targets",
		get("ouroboros").sync.normal.established, target_dugite_sync.normal.established);
	CHECK_TRUE("and no eighth", profile_name(PROFILE_COUNT) == NULL);
	struct profile kept = get("dugite");
	CHECK_EQ("an unknown name", profile_get("bitcoin", &kept), -ENOENT);
	CHECK_EQ("changes nothing", kept.name, "dugite");
}

static void test_penalties(void)
{
	static const struct {
		const char *name;
		double freeze_s;
	} cases[] = {{"lighthouse", 43200}, {"bootstrap", 3600}};
	for (unsigned i = 0; i < PROFILE_COUNT; i++) {
		struct profile profile = get(profile_name(i));
		double freeze_s = -1;
		for (size_t j = 0; j < CHECK_COUNT(cases); j++)
			if (strcmp(cases[j].name, profile.name) == 0)
				freeze_s = cases[j].freeze_s;
		CHECK_EQ(profile.name, profile.penalty.on, freeze_s > 0);
		if (!profile.penalty.on)
			continue;
		CHECK_NEAR(profile.name, profile.penalty.freeze_s, freeze_s, 0);
		CHECK_NEAR(profile.name, profile.penalty.half_life_s, 600, 0);
		CHECK_NEAR(profile.name, profile.penalty.disconnect, -20, 0);
		CHECK_NEAR(profile.name, profile.penalty.ban, -50, 0);
		CHECK_NEAR(profile.name, profile.penalty.gossip.hard, -60, 0);
		CHECK_NEAR("LH-17: the weight is what the thresholds say", profile.penalty.gossip.weight,
			(profile.penalty.disconnect + 1) / profile.penalty.gossip.clamp, 1e-12);
	}
	CHECK_TRUE("5.5.7: bans from evidence in bootstrap", get("bootstrap").evidence_bans);
	CHECK_FALSE(
		"5.5.7: and nowhere else", get("lighthouse").evidence_bans || get("dugite").evidence_bans);
}

static void test_choices(void)
{
	static const struct {
		const char *name;
		enum profile_value value;
		enum eviction_newcomer_rule newcomer;
		enum churn_mode churn;
		uint32_t floor;
	} cases[] = {
		{"lighthouse", PROFILE_VALUE_SUBNETS, EVICTION_NEWCOMER_REFUSE, CHURN_OFF, 0},
		{"ouroboros", PROFILE_VALUE_USEFUL, EVICTION_NEWCOMER_REFUSE, CHURN_SEQUENTIAL, 0},
		{"dugite", PROFILE_VALUE_DUGITE, EVICTION_NEWCOMER_REFUSE, CHURN_SIMPLE, 0},
		{"stellar", PROFILE_VALUE_TYPE, EVICTION_NEWCOMER_PREFERRED, CHURN_OFF, 0},
		{"spacetime", PROFILE_VALUE_QUALITY, EVICTION_NEWCOMER_REFUSE, CHURN_OFF, 0},
		{"lorachain", PROFILE_VALUE_LORACHAIN, EVICTION_NEWCOMER_MARGIN, CHURN_OFF, 0},
		{"bootstrap", PROFILE_VALUE_INBOUND, EVICTION_NEWCOMER_REFUSE, CHURN_FREE, 50},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct profile profile = get(cases[i].name);
		CHECK_EQ(cases[i].name, (int)profile.value, (int)cases[i].value);
		CHECK_EQ(cases[i].name, (int)profile.newcomer, (int)cases[i].newcomer);
		CHECK_EQ(cases[i].name, (int)profile.churn.mode, (int)cases[i].churn);
		CHECK_EQ(cases[i].name, profile.floor_per_mille, cases[i].floor);
	}
	struct profile stellar = get("stellar"), lighthouse = get("lighthouse");
	CHECK_FALSE("HE-14: nine failures are no ban", profile_bans_failures(&stellar, 9));
	CHECK_TRUE("HE-14: ten are, at a disconnect", profile_bans_failures(&stellar, 10));
	CHECK_FALSE("and elsewhere none", profile_bans_failures(&lighthouse, 1000));
}

static void test_sane(void)
{
	for (unsigned i = 0; i < PROFILE_COUNT; i++) {
		struct profile profile = get(profile_name(i));
		struct address_book *book = NULL;
		CHECK_EQ(profile.name, target_set_flaw(&profile.base), (const char *)NULL);
		CHECK_EQ(profile.name, target_set_flaw(&profile.sync), (const char *)NULL);
		CHECK_EQ("its book can be made", address_book_create(&profile.book, NULL, &book), 0);
		address_book_destroy(book);
		CHECK_EQ("its book waits as it does", profile.book.backoff.base_s, profile.backoff.base_s);
		CHECK_EQ("its book forgives as it does", (int)profile.book.counters.clock,
			(int)profile.counters.clock);
		CHECK_TRUE("it ticks", profile.tick_ms > 0);
		CHECK_TRUE("soft is not above hard", profile.limits.soft.soft <= profile.limits.soft.hard);
	}
	struct profile dugite = get("dugite");
	CHECK_EQ("5.5.12: before the tip",
		dugite.sync.normal.known * 10000 + dugite.sync.normal.established * 100 +
			dugite.sync.normal.active,
		502010u);
	CHECK_EQ("5.5.12: roots before the tip", dugite.sync.root, 30u);
}

static const struct check_test tests[] = {
	{"5.4, cell by cell", test_table},
	{"penalties", test_penalties},
	{"choices", test_choices},
	{"every profile is sane", test_sane},
};
CHECK_MAIN("profile", tests)
