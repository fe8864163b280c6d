/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/score.c: penalties, decay in closed form, inclusive thresholds, the freeze and the clamps
 * (policy.md LH-12 to LH-16, V2, V3, V5). Pure functions, time is an argument.
 */
#include <math.h>

#include "control/score.h"
#include "tests/check.h"

#define AT(seconds) ((int64_t)((seconds)*1000.0))

static const struct governor_config config = {.penalty_half_life_s = 600,
	.ban_freeze_s = 43200,
	.threshold_disconnect = -20,
	.threshold_ban = -50,
	.threshold_hard = -60};

static void test_penalties(void)
{
	static const struct {
		const char *name;
		enum peer_action action;
		double penalty;
	} cases[] = {
		{"fatal means the lowest score there is", PEER_ACTION_FATAL, -100},
		{"a low tolerance costs ten", PEER_ACTION_LOW, -10},
		{"a middle tolerance costs five", PEER_ACTION_MID, -5},
		{"a high tolerance costs one", PEER_ACTION_HIGH, -1},
		{"invalid messages count in a window instead", PEER_ACTION_INVALID_MESSAGE, 0},
		{"failed connections count in a window instead", PEER_ACTION_CONNECTION_FAILURE, 0},
		{"spam counts in a window instead", PEER_ACTION_SPAM, 0},
		{"a violation bans without a score", PEER_ACTION_PROTOCOL_VIOLATION, 0},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_NEAR(cases[i].name, score_action_penalty(cases[i].action), cases[i].penalty, 0.0);
}

static void test_decay(void)
{
	static const struct {
		const char *name;
		double value;
		double after_s, expected;
	} cases[] = {
		{"no time, no decay", -40, 0, -40},
		{"V3: -40 after 30 s", -40, 30, -38.637453157},
		{"V3: -10 after 60 s", -10, 60, -9.330329915},
		{"half after a half-life", -40, 600, -20},
		{"a quarter after two", -40, 1200, -10},
		{"nothing after a year", -40, 31536000, 0},
		{"a time before the change is the time of the change", -40, -5, -40},
		{"zero stays zero", 0, 600, 0},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct score score = {cases[i].value, AT(1000)};
		CHECK_NEAR(cases[i].name, score_at(&score, &config, AT(1000 + cases[i].after_s)),
			cases[i].expected, 1e-9);
	}
}

static void test_states(void)
{
	static const struct {
		const char *name;
		double value;
		enum score_state state;
	} cases[] = {
		{"zero is healthy", 0, SCORE_STATE_HEALTHY},
		{"just above the first threshold is healthy", -19.999999, SCORE_STATE_HEALTHY},
		{"the first threshold is inclusive", -20, SCORE_STATE_DISCONNECT},
		{"its tolerance takes rounding errors", -20 + 1e-10, SCORE_STATE_DISCONNECT},
		{"just above the second threshold is not banned", -49.999999, SCORE_STATE_DISCONNECT},
		{"the second threshold is inclusive", -50, SCORE_STATE_BANNED},
		{"the tolerance holds for it too", -50 + 1e-10, SCORE_STATE_BANNED},
		{"the lowest score is banned", -100, SCORE_STATE_BANNED},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct score score = {cases[i].value, 0};
		CHECK_EQ(cases[i].name, score_state_at(&score, &config, 0), cases[i].state);
	}
}

static void test_crossings(void)
{
	static const struct {
		const char *name;
		double value, threshold;
		double above_s;
	} cases[] = {
		{"600.0 s to the threshold means 601", -40, -20, 601},
		{"from the threshold itself it is a second", -20, -20, 1},
		{"above it already", -19, -20, 0},
		{"V5: two thresholds from -50 apart by log2 2.5 half-lives", -50, -20, 794},
		{"from -100 the ban threshold is one half-life away", -100, -50, 601},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct score score = {cases[i].value, AT(1000)};
		CHECK_EQ(cases[i].name, score_above_ms(&score, &config, cases[i].threshold),
			AT(1000 + cases[i].above_s));
	}
	struct score score = {-40, 0};
	CHECK_EQ("a threshold of 0 is never passed by decay", score_above_ms(&score, &config, 0.0),
		GOVERNOR_NEVER_MS);
	score.decay_from_ms = INT64_MAX - 5;
	CHECK_EQ("the end of time does not wrap", score_above_ms(&score, &config, -20), GOVERNOR_NEVER_MS);
}

/** What is told beforehand is what is seen later, to the millisecond, for any value. */
static void test_crossings_agree(void)
{
	for (double value = -100; value < -20.5; value += 0.37) {
		struct score score = {value, AT(7)};
		int64_t above_ms = score_above_ms(&score, &config, -20);
		bool agree = score_state_at(&score, &config, above_ms - 1) != SCORE_STATE_HEALTHY &&
			     score_state_at(&score, &config, above_ms) == SCORE_STATE_HEALTHY &&
			     score_at(&score, &config, above_ms) > -20 && (above_ms - AT(7)) % 1000 == 0;
		if (!CHECK_TRUE("the computed crossing is the observed one", agree))
			return;
	}
}

static void test_set(void)
{
	struct score score = {0, 0};
	CHECK_EQ("crossing into the ban state", score_set(&score, &config, -50, AT(10)), SCORE_STATE_BANNED);
	CHECK_EQ("begins a freeze", score.decay_from_ms, AT(10 + 43200));
	CHECK_EQ("a further penalty keeps the state", score_set(&score, &config, -90, AT(3600)),
		SCORE_STATE_BANNED);
	CHECK_EQ("and does not extend the freeze", score.decay_from_ms, AT(10 + 43200));
	CHECK_NEAR("frozen until its end", score_at(&score, &config, AT(10 + 43200)), -90, 0.0);
	CHECK_NEAR("and halving after it", score_at(&score, &config, AT(10 + 43200 + 600)), -45, 1e-9);
	score_set(&score, &config, -95, AT(10 + 43200 + 100));
	CHECK_EQ("a penalty after the freeze, still banned, begins no new one", score.decay_from_ms,
		AT(10 + 43200 + 100));

	static const struct {
		const char *name;
		double value, expected;
	} clamps[] = {
		{"below the range is the lowest", -1000, -100},
		{"above the range is the highest", 1000, 100},
		{"minus infinity is the lowest", -INFINITY, -100},
		{"the lowest is kept", -100, -100},
	};
	for (size_t i = 0; i < CHECK_COUNT(clamps); i++) {
		score = (struct score){0, 0};
		score_set(&score, &config, clamps[i].value, 0);
		CHECK_NEAR(clamps[i].name, score.value, clamps[i].expected, 0.0);
	}
}

static void test_gossip(void)
{
	enum { OK = SCORE_STATE_HEALTHY, DISC = SCORE_STATE_DISCONNECT, BAN = SCORE_STATE_BANNED };
	/* `before`: what gossip is worth when the application's score is set, `after`: a second later. */
	static const struct {
		const char *name;
		double app, before, after;
		int state;
		int64_t decay_from_ms;
	} cases[] = {
		{"merit in gossip holds off a ban", -55, 19, 19, DISC, AT(1000)},
		{"until it is gone: the ban and its freeze begin then", -55, 19, 0, BAN, AT(1001 + 43200)},
		{"the hard threshold bans in spite of it", -60, 19, 19, BAN, AT(1000 + 43200)},
		{"bad gossip bans what would be closed", -35, 0, -19, BAN, AT(1001 + 43200)},
		{"a report crosses with it", -35, -19, -19, BAN, AT(1000 + 43200)},
		{"a frozen score is not moved by it", -50, 0, 19, BAN, AT(1000 + 43200)},
		{"bad gossip closes what would be healthy", -10, 0, -19, DISC, AT(1000)},
		{"and does not when it is better again", -10, -19, 0, OK, AT(1000)},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct score score = {.decay_from_ms = AT(0)};
		score_gossip_set(&score, &config, cases[i].before, AT(999));
		(void)score_set(&score, &config, cases[i].app, AT(1000));
		score_gossip_set(&score, &config, cases[i].after, AT(1001));
		CHECK_EQ(cases[i].name, (int)score_state_at(&score, &config, AT(1001)), cases[i].state);
		CHECK_EQ(cases[i].name, score.decay_from_ms, cases[i].decay_from_ms);
	}
	/* -100 for 12 h, then until the sum of it and -19 is above -50: 600 s * log2(100 / 31) = 1013.8 s. */
	struct score score = {.value = -100, .decay_from_ms = AT(43200), .gossip = -19};
	CHECK_EQ("a ban ends when the sum is above its threshold", score_unbanned_ms(&score, &config),
		AT(43200 + 1014));
	score = (struct score){.value = -1, .gossip = -19};
	CHECK_EQ("1 point heals at once", score_healthy_ms(&score, &config), AT(1));
}

static const struct check_test tests[] = {
	{"each action has its penalty", test_penalties},
	{"a score halves every half-life (V3)", test_decay},
	{"thresholds are inclusive", test_states},
	{"crossings are computed in whole seconds", test_crossings},
	{"a computed crossing is the observed one", test_crossings_agree},
	{"a freeze begins once and a value is clamped (V5)", test_set},
	{"LH-12, LH-13, LH-16: gossip moves the thresholds", test_gossip},
};
CHECK_MAIN("score", tests)
