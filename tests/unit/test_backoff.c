/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/backoff.c: the waits of four systems in tables (policy.md HE-7, HE-8, DU-19, LO-4;
 * V25, 5.6), and their bounds for every failure count and random number tried.
 */
#include "control/backoff.h"
#include "control/keyed_random.h"
#include "tests/check.h"

static void test_maxima(void)
{
	static const struct {
		const char *name;
		const struct backoff_policy *policy;
		uint32_t failures;
		uint64_t max_s;
	} cases[] = {
		{"V25: stellar, no failure", &backoff_stellar, 0, 10},
		{"V25: stellar, 1", &backoff_stellar, 1, 20},
		{"V25: stellar, 2", &backoff_stellar, 2, 40},
		{"V25: stellar, 3", &backoff_stellar, 3, 80},
		{"V25: stellar, 5", &backoff_stellar, 5, 320},
		{"V25: stellar, 9", &backoff_stellar, 9, 5120},
		{"V25: stellar, 10", &backoff_stellar, 10, 10240},
		{"V25: stellar, 11 is no longer", &backoff_stellar, 11, 10240},
		{"V25: stellar, 50 is no longer", &backoff_stellar, 50, 10240},
		{"the largest count is no longer", &backoff_stellar, UINT32_MAX, 10240},
		{"V25: ouroboros, 1", &backoff_ouroboros, 1, 5},
		{"V25: ouroboros, 2", &backoff_ouroboros, 2, 10},
		{"V25: ouroboros, 3", &backoff_ouroboros, 3, 20},
		{"V25: ouroboros, 4", &backoff_ouroboros, 4, 40},
		{"V25: ouroboros, 5", &backoff_ouroboros, 5, 80},
		{"V25: ouroboros, 6", &backoff_ouroboros, 6, 160},
		{"V25: ouroboros, 7 is no longer", &backoff_ouroboros, 7, 160},
		{"V25: dugite, 1", &backoff_dugite, 1, 10},
		{"V25: dugite, 2", &backoff_dugite, 2, 20},
		{"V25: dugite, 3", &backoff_dugite, 3, 40},
		{"V25: dugite, 4 meets the cap", &backoff_dugite, 4, 60},
		{"V25: dugite, 5 stays there", &backoff_dugite, 5, 60},
		{"LO-4: 1", &backoff_lorachain, 1, 60},
		{"LO-4: 2", &backoff_lorachain, 2, 120},
		{"LO-4: 3", &backoff_lorachain, 3, 240},
		{"LO-4: 4", &backoff_lorachain, 4, 480},
		{"LO-4: 5", &backoff_lorachain, 5, 960},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name, backoff_max_s(cases[i].policy, cases[i].failures), cases[i].max_s);
}

static void test_delays(void)
{
	static const struct {
		const char *name;
		const struct backoff_policy *policy;
		uint32_t failures;
		uint64_t random;
		int64_t delay_ms;
	} cases[] = {
		{"V25: full jitter, r = 0 waits 1 s", &backoff_stellar, 3, 0, 1000},
		{"V25: full jitter, r = max - 1 waits max", &backoff_stellar, 3, 79, 80000},
		{"full jitter, r = max waits 1 s again", &backoff_stellar, 3, 80, 1000},
		{"HE-8: a reset waits 1 s at least", &backoff_stellar, 0, 0, 1000},
		{"HE-8: a reset waits 10 s at most", &backoff_stellar, 0, 9, 10000},
		{"DU-19: two seconds less", &backoff_ouroboros, 1, 0, 3000},
		{"DU-19: none", &backoff_ouroboros, 1, 2000, 5000},
		{"DU-19: two seconds more", &backoff_ouroboros, 1, 4000, 7000},
		{"dugite has no jitter", &backoff_dugite, 2, 12345, 20000},
		{"LO-4: the fifth attempt waits 960 s", &backoff_lorachain, 5, 7, 960000},
		{"LO-4: and then it is over", &backoff_lorachain, 6, 7, INT64_MAX},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name, backoff_delay_ms(cases[i].policy, cases[i].failures, cases[i].random),
			cases[i].delay_ms);
}

static void test_bounds(void)
{
	static const struct backoff_policy *policies[] = {
		&backoff_stellar, &backoff_ouroboros, &backoff_dugite};
	struct keyed_random random = keyed_random_from_seed(7, 1);
	for (size_t i = 0; i < CHECK_COUNT(policies); i++) {
		const struct backoff_policy *policy = policies[i];
		for (uint32_t failures = 0; failures < 2000; failures++) {
			int64_t max_ms =
				(int64_t)backoff_max_s(policy, failures) * 1000 + policy->spread_s * 1000;
			int64_t delay_ms = backoff_delay_ms(policy, failures, keyed_random_next(&random));
			if (!CHECK_TRUE("a wait is neither negative nor above its maximum",
				    delay_ms >= 0 && delay_ms <= max_ms))
				return;
		}
	}
}

static void test_forgetting(void)
{
	CHECK_FALSE("DU-19: four failures are remembered", backoff_forgets(&backoff_ouroboros, 4));
	CHECK_TRUE("DU-19: five are forgotten", backoff_forgets(&backoff_ouroboros, 5));
	CHECK_FALSE("stellar forgets nothing by itself", backoff_forgets(&backoff_stellar, 1000));
}

static void test_random(void)
{
	struct keyed_random one = keyed_random_from_seed(1, 1), same = one,
			    other = keyed_random_from_seed(1, 2);
	unsigned equal = 0, hits[6] = {0};
	for (unsigned i = 0; i < 64; i++) {
		uint64_t a = keyed_random_next(&one);
		CHECK_EQ("equal seeds give equal sequences", a, keyed_random_next(&same));
		equal += a == keyed_random_next(&other);
	}
	CHECK_EQ("another purpose gives another sequence", equal, 0u);
	CHECK_EQ("below zero there is only zero", keyed_random_below(&one, 0), 0u);
	for (unsigned i = 0; i < 60000; i++)
		hits[keyed_random_below(&one, 6)]++;
	for (unsigned i = 0; i < 6; i++)
		CHECK_NEAR("every number is as likely", (double)hits[i], 10000.0, 500.0);
	/* The seed is fixed, so these are facts and not chances: five standard deviations are 456. */
	unsigned first[3] = {0};
	for (unsigned i = 0; i < 30000; i++) {
		uint32_t items[3] = {0, 1, 2};
		keyed_random_shuffle(&one, items, 3);
		first[items[0]]++;
		if (!CHECK_EQ("a shuffle loses nothing",
			    (1u << items[0]) | (1u << items[1]) | (1u << items[2]), 7u))
			return;
	}
	for (unsigned i = 0; i < 3; i++)
		CHECK_NEAR("every item is as likely to be first", (double)first[i], 10000.0, 500.0);
}

static const struct check_test tests[] = {
	{"maxima by failures", test_maxima},
	{"waits by random number", test_delays},
	{"waits stay in their bounds", test_bounds},
	{"addresses are forgotten", test_forgetting},
	{"random numbers from a key", test_random},
};
CHECK_MAIN("backoff", tests)
