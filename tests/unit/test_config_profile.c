/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/config_profile.c: the profiles are the same numbers in the configuration and in the
 * governor, and every key of the governor reaches it.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "control/config_schema.h"
#include "control/roster.h"
#include "tests/check.h"

static struct config config;

static bool take_profile(const char *name, enum config_profile profile)
{
	char error[CONFIG_ERROR_MAX] = "";
	config_default(&config, profile);
	int r = config_complete(&config, error, sizeof(error));
	CHECK_EQ(name, error, "");
	return CHECK_EQ(name, r, 0);
}

static void test_same_numbers(void)
{
	for (int i = 0; i < CONFIG_PROFILE_COUNT; i++) {
		const char *name = config_profile_name((enum config_profile)i);
		struct roster_config data, made;
		if (!CHECK_EQ(name, roster_config_from_profile(name, &data), 0) ||
			!take_profile(name, (enum config_profile)i))
			continue;
		config_to_roster(&config, &made);
		const struct profile *is = &made.profile, *was = &data.profile;
		CHECK_EQ(name, is->tick_ms, was->tick_ms);
		CHECK_EQ(name, is->target, was->target);
		CHECK_EQ(name, is->fractions.excess, was->fractions.excess);
		CHECK_EQ(name, memcmp(&is->base, &was->base, sizeof(is->base)), 0);
		CHECK_EQ(name, memcmp(&is->sync, &was->sync, sizeof(is->sync)), 0);
		CHECK_EQ(name, is->limits.total, was->limits.total);
		CHECK_EQ(name, is->limits.in, was->limits.in);
		CHECK_EQ(name, is->limits.out, was->limits.out);
		CHECK_EQ(name, is->limits.pending, was->limits.pending);
		CHECK_EQ(name, is->limits.soft.mode, was->limits.soft.mode);
		CHECK_EQ(name, is->limits.soft.hard, was->limits.soft.hard);
		CHECK_EQ(name, is->limits.soft.soft, was->limits.soft.soft);
		CHECK_EQ(name, is->penalty.on, was->penalty.on);
		CHECK_TRUE(name, made.governor.threshold_ban == data.governor.threshold_ban);
		CHECK_TRUE(name, made.governor.ban_freeze_s == data.governor.ban_freeze_s);
		CHECK_TRUE(name, is->penalty.gossip.clamp == was->penalty.gossip.clamp);
		CHECK_EQ(name, is->floor_per_mille, was->floor_per_mille);
		CHECK_EQ(name, is->churn.mode, was->churn.mode);
		CHECK_EQ(name, is->churn.normal_ms, was->churn.normal_ms);
		CHECK_EQ(name, is->churn.bulk_ms, was->churn.bulk_ms);
		CHECK_EQ(name, is->churn.bulk_fuzz_ms, was->churn.bulk_fuzz_ms);
		CHECK_EQ(name, is->churn.fraction_per_mille, was->churn.fraction_per_mille);
		CHECK_EQ(name, is->times.auth_ms, was->times.auth_ms);
		CHECK_EQ(name, is->times.idle_ms, was->times.idle_ms);
		CHECK_EQ(name, is->times.straggler_ms, was->times.straggler_ms);
		CHECK_EQ(name, is->times.throttle_ms, was->times.throttle_ms);
		CHECK_EQ(name, is->times.temporary_ban_ms, was->times.temporary_ban_ms);
		CHECK_EQ(name, is->times.optimise_ms, was->times.optimise_ms);
		CHECK_EQ(name, is->evidence_bans, was->evidence_bans);
		CHECK_EQ(name, is->book.capacity, was->book.capacity);
		CHECK_EQ(name, is->book.subnet.limit, was->book.subnet.limit);
		CHECK_EQ(name, is->book.stale_ms, was->book.stale_ms);
		CHECK_EQ(name, is->book.sources_off, was->book.sources_off);
		CHECK_EQ(name, made.opens.burst, data.opens.burst);
		CHECK_TRUE(
			name, data.opens.burst == 0 || (made.opens.kind == data.opens.kind &&
							       made.opens.period_ms == data.opens.period_ms));
		CHECK_EQ(name, made.grace_ms, data.grace_ms);
		CHECK_EQ(name, made.courtesy_ms, data.courtesy_ms);
		CHECK_EQ(name, made.disconnected_max, data.disconnected_max);
		CHECK_EQ(name, made.target_phases, data.target_phases);
	}
}

struct origins {
	const char *profile;
	unsigned n, of_profile, wrong;
};

static bool look(void *context, const char *key, const char *value, const char *origin, const char *help,
	const char *range)
{
	struct origins *origins = context;
	char expected[64];
	snprintf(expected, sizeof(expected), "profile %s", origins->profile);
	origins->n++;
	origins->of_profile += strcmp(origin, expected) == 0;
	if (strcmp(origin, expected) != 0 && strcmp(origin, "default") != 0 &&
		strcmp(origin, "computed") != 0)
		origins->wrong++;
	(void)key;
	(void)value;
	(void)help;
	(void)range;
	return true;
}

static void test_origins(void)
{
	/* a lower bound on what 5.4 gives each: a profile whose values are all defaults is no profile */
	static const unsigned least[] = {0, 8, 8, 8, 6, 4, 6};
	for (int i = 0; i < CONFIG_PROFILE_COUNT; i++) {
		const char *name = config_profile_name((enum config_profile)i);
		struct origins origins = {.profile = name};
		if (!take_profile(name, (enum config_profile)i))
			continue;
		config_show(&config, look, &origins);
		CHECK_TRUE(name, origins.n > 100);
		CHECK_EQ(name, origins.wrong, 0);
		CHECK_TRUE(name, origins.of_profile >= least[i]);
		if (i == CONFIG_PROFILE_BOOTSTRAP)
			CHECK_EQ("the rows' defaults are the profile bootstrap", origins.of_profile, 0);
	}
}

static void test_keys_reach_the_governor(void)
{
	static const struct {
		const char *key, *value;
		size_t offset;
		uint32_t expected;
	} cases[] = {
		{"target", "60", offsetof(struct roster_config, profile.target), 60},
		{"target", "60", offsetof(struct roster_config, profile.fractions.excess), 100},
		{"limits.total", "7", offsetof(struct roster_config, profile.limits.total), 7},
		{"limits.pending", "9", offsetof(struct roster_config, profile.limits.pending), 9},
		{"limits.hard", "40", offsetof(struct roster_config, profile.limits.soft.hard), 40},
		{"ignore_negative", "0", offsetof(struct roster_config, ignore_negative), 0},
		{"rate.window_n", "5", offsetof(struct roster_config, opens.burst), 5},
		{"book.per_subnet", "2", offsetof(struct roster_config, profile.book.subnet.limit), 2},
		{"book.capacity", "2", offsetof(struct roster_config, profile.book.capacity), 2},
		{"ban.max_temp", "4", offsetof(struct roster_config, governor.temporary_bans_max), 4},
		{"targets.known", "85", offsetof(struct roster_config, profile.base.normal.known), 85},
		{"churn.fraction", "0.25", offsetof(struct roster_config, profile.churn.fraction_per_mille),
			250},
		{"stages.surplus", "no", offsetof(struct roster_config, target_phases),
			TARGET_PHASES_ALL & ~(1u << TARGET_PHASE_SURPLUS)},
		{"stages.churn", "no", offsetof(struct roster_config, profile.churn.mode), CHURN_OFF},
		{"book.sources.mdns", "no", offsetof(struct roster_config, profile.book.sources_off),
			1u << PEER_SOURCE_MDNS},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		char error[CONFIG_ERROR_MAX] = "";
		struct roster_config made;
		uint32_t value;
		config_default(&config, CONFIG_PROFILE_BOOTSTRAP);
		if (!CHECK_EQ(cases[i].key,
			    config_set(&config, cases[i].key, cases[i].value, error, sizeof(error)), 0))
			continue;
		config_to_roster(&config, &made);
		memcpy(&value, (const char *)&made + cases[i].offset, sizeof(value));
		CHECK_EQ(cases[i].key, value, cases[i].expected);
	}
}

/* A profile without a soft limit has its hard one from "in" or "total"; what somebody writes holds all the
 * same. */
static void test_written(void)
{
	char error[CONFIG_ERROR_MAX] = "";
	struct roster_config made;
	if (!take_profile("stellar", CONFIG_PROFILE_STELLAR))
		return;
	CHECK_EQ("stellar has no soft limit", config.soft_mode, (uint64_t)CONFIG_SOFT_NONE);
	config_to_roster(&config, &made);
	CHECK_EQ("so the governor has no hard one of its own", made.profile.limits.soft.hard, 0u);
	CHECK_EQ("one is written", config_set(&config, "limits.hard", "40", error, sizeof(error)), 0);
	config_to_roster(&config, &made);
	CHECK_EQ("and holds", made.profile.limits.soft.hard, 40u);
}

/* `--set KEY=VALUE`: what the file may say, a key of it alone may say too. */
static void test_set(void)
{
	static const struct {
		const char *name, *key, *value, *sentence;
		int result;
	} cases[] = {
		{"1 is yes", "book.allow_doc", "1", "", 0},
		{"on is yes", "book.allow_doc", "on", "", 0},
		{"0 is no", "book.allow_doc", "0", "", 0},
		{"off is no", "book.allow_doc", "off", "", 0},
		{"2 is neither", "book.allow_doc", "2", "book.allow_doc: \"2\" is not one of the choices", -EINVAL},
		{"an endpoint", "preferred", "[1.2.3.4:9000]", "", 0},
		{"a list of mappings, as JSON", "preferred", "[{\"ip\": \"1.2.3.4\", \"port\": 9000}]", "", 0},
		{"IPv6 in brackets", "preferred", "['[2001:db8::1]:9000']", "", 0},
		{"IPv6 without", "preferred", "['2001:db8::1']", "preferred: \"2001:db8::1\" is not an endpoint",
			-EINVAL},
		{"no port", "preferred", "[1.2.3.4]", "preferred: \"1.2.3.4\" is not an endpoint", -EINVAL},
		{"a port of 0", "preferred", "[1.2.3.4:0]", "preferred[].port: \"0\" is out of range", -EINVAL},
		{"no address", "preferred", "[a:1]", "preferred: \"a\" is not an address", -EINVAL},
		{"a local root", "local_roots", "[{group: g, ip: 1.2.3.4, port: 9}]", "", 0},
		{"without its group", "local_roots", "[{ip: 1.2.3.4, port: 9}]",
			"local_roots[].group: must be given", -EINVAL},
		{"as an endpoint", "local_roots", "[1.2.3.4:9]", "local_roots: each entry is a mapping", -EINVAL},
		{"a list below", "dataplane.lcores", "[2, 3]", "", 0},
		{"prefixes", "allow", "[192.0.2.0/24]", "", 0},
		{"a word for a list", "allow", "192.0.2.0/24", "allow: this is a single value, not a list", -EINVAL},
		{"a second key behind", "allow", "[]\nmode: monitor", "allow: more than a line", -EINVAL},
		{"what is in a list", "preferred[].ip", "1.2.3.4", "preferred[].ip: no such key", -ENOENT},
		{"an unknown key", "colour", "[red]", "colour: no such key", -ENOENT},
	};
	char error[CONFIG_ERROR_MAX];
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		config_default(&config, CONFIG_PROFILE_BOOTSTRAP);
		error[0] = '\0';
		CHECK_EQ(cases[i].name,
			config_set(&config, cases[i].key, cases[i].value, error, sizeof(error)), cases[i].result);
		CHECK_CONTAINS(cases[i].name, error, cases[i].sentence);
		config_free(&config);
	}
	config_default(&config, CONFIG_PROFILE_BOOTSTRAP);
	CHECK_EQ("on", config_put(&config, "book.allow_doc", "on", error, sizeof(error)), 0);
	CHECK_EQ("is yes", config.governor.book_allow_doc, 1u);
	CHECK_EQ("0", config_put(&config, "book.allow_doc", "0", error, sizeof(error)), 0);
	CHECK_EQ("is no", config.governor.book_allow_doc, 0u);
	CHECK_EQ("two", config_put(&config, "preferred", "[1.2.3.4:1, 1.2.3.5:2]", error, sizeof(error)), 0);
	CHECK_EQ("are two", config.governor.n_preferred, (size_t)2);
	CHECK_EQ("a list again", config_put(&config, "preferred", "['[2001:db8::1]:9000']", error, sizeof(error)), 0);
	CHECK_EQ("takes the place of the first", config.governor.n_preferred, (size_t)1);
	CHECK_EQ("its address", (const char *)config.governor.preferred[0].ip, "2001:db8::1");
	CHECK_EQ("its port", config.governor.preferred[0].port, 9000u);
	config_free(&config);
}

static const struct check_test tests[] = {
	{"one key is set as the file would, lists too", test_set},
	{"a profile has the same numbers in the configuration and in the governor", test_same_numbers},
	{"every value of a profile says where it comes from", test_origins},
	{"keys reach the governor", test_keys_reach_the_governor},
	{"a hard limit that is written holds", test_written},
};
CHECK_MAIN("config_profile", tests)
