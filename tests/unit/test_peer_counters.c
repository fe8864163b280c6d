/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/peer_counters.c: averages (V16), halving (V21), the circuit breaker (V22 and 5.6) and the
 * clocks by which failures are forgiven (policy.md 5.1.1, 5.1.9). Time is an argument, in seconds here.
 */
#include "control/peer_counters.h"
#include "tests/check.h"

#define AT(seconds) ((int64_t)(seconds)*1000)

static void test_averages(void)
{
	static const double samples[] = {100, 50, 200, 80}, expected[] = {100, 85, 119.5, 107.65};
	double average = -1;
	for (size_t i = 0; i < CHECK_COUNT(samples); i++) {
		average = ewma_add(average, samples[i]);
		CHECK_NEAR("V16: the average after each sample", average, expected[i], 1e-9);
	}
	double fetch = ewma_add_fetch(ewma_add_fetch(-1, 200, 100), 180, 100);
	CHECK_NEAR("V17: fetches count per block", fetch, 1.94, 1e-9);
	CHECK_NEAR("a fetch of nothing is no sample", ewma_add_fetch(fetch, 5000, 0), fetch, 0);

	struct peer_counters counters;
	peer_counters_init(&counters);
	CHECK_TRUE("no sample is told from zero", counters.rtt_ms < 0 && counters.fetch_ms < 0);
	peer_counters_rtt(&counters, 42);
	peer_counters_rtt(&counters, 142);
	CHECK_NEAR("the average follows", counters.rtt_ms, 72, 1e-9);
	CHECK_NEAR("the minimum stays", counters.rtt_min_ms, 42, 0);
	peer_counters_init(&counters);
	for (size_t i = 0; i < CHECK_COUNT(samples); i++)
		peer_counters_rtt(&counters, samples[i]);
	CHECK_NEAR("V16: what is kept is as exact as the formula", counters.rtt_ms, 107.65, 1e-9);
}

static void test_halving(void)
{
	struct decayed_count count = {0};
	for (unsigned i = 0; i < 8; i++)
		decayed_count_add(&count, 300000, AT(10));
	static const struct {
		const char *name;
		int64_t at_s;
		uint32_t count;
	} cases[] = {
		{"V21: eight at first", 10, 8},
		{"V21: eight until the step", 309, 8},
		{"V21: four after one", 310, 4},
		{"V21: two after two, unread between", 610, 2},
		{"V21: one after three", 910, 1},
		{"V21: none after four", 1210, 0},
		{"none after a year", 31536000, 0},
		{"a clock that fell back changes nothing", 0, 8},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name, decayed_count_at(&count, 300000, AT(cases[i].at_s)), cases[i].count);
	CHECK_EQ("the next change is a step away", decayed_count_next_ms(&count, 300000, AT(10)), AT(310));
	CHECK_EQ("and then another", decayed_count_next_ms(&count, 300000, AT(700)), AT(910));
	CHECK_EQ("nothing changes at zero", decayed_count_next_ms(&count, 300000, AT(1210)), INT64_MAX);

	/* Steps are fixed from the first failure after zero: a failure between them does not move them. */
	decayed_count_add(&count, 300000, AT(400));
	CHECK_EQ("four and one", decayed_count_at(&count, 300000, AT(400)), 5u);
	CHECK_EQ("the step stands where it stood", decayed_count_at(&count, 300000, AT(610)), 2u);
	decayed_count_add(&count, 300000, AT(5000));
	CHECK_EQ(
		"after zero the steps begin anew", decayed_count_next_ms(&count, 300000, AT(5000)), AT(5300));
}

static void test_circuit(void)
{
	enum { FAIL, ALLOW, DENY, WOULD, OK, NEUTRAL };
	static const struct circuit_policy policy = {3, 60000, 300000};
	static const struct {
		const char *name;
		int64_t at_s;
		int what;
		enum circuit_state state; /* after it */
	} steps[] = {
		{"V22: one failure", 0, FAIL, CIRCUIT_CLOSED},
		{"V22: two", 5, FAIL, CIRCUIT_CLOSED},
		{"attempts are allowed", 6, ALLOW, CIRCUIT_CLOSED},
		{"V22: three open it", 15, FAIL, CIRCUIT_OPEN},
		{"a failure while open changes nothing", 20, FAIL, CIRCUIT_OPEN},
		{"V22: denied at 74", 74, DENY, CIRCUIT_OPEN},
		{"a question changes nothing", 75, WOULD, CIRCUIT_HALF_OPEN},
		{"V22: one probe at 75", 75, ALLOW, CIRCUIT_HALF_OPEN},
		{"V22: no second probe beside it", 75, DENY, CIRCUIT_HALF_OPEN},
		{"V22: the probe fails, the cooldown doubles", 76, FAIL, CIRCUIT_OPEN},
		{"V22: denied at 195", 195, DENY, CIRCUIT_OPEN},
		{"V22: allowed at 196", 196, ALLOW, CIRCUIT_HALF_OPEN},
		{"5.6: fails at 197", 197, FAIL, CIRCUIT_OPEN},
		{"5.6: a failure at 300 changes nothing", 300, FAIL, CIRCUIT_OPEN},
		{"5.6: denied at 436", 436, DENY, CIRCUIT_OPEN},
		{"5.6: allowed at 437", 437, ALLOW, CIRCUIT_HALF_OPEN},
		{"the fourth cooldown meets the maximum", 438, FAIL, CIRCUIT_OPEN},
		{"denied at 737", 737, DENY, CIRCUIT_OPEN},
		{"allowed at 738", 738, ALLOW, CIRCUIT_HALF_OPEN},
		{"a probe without a verdict", 740, NEUTRAL, CIRCUIT_HALF_OPEN},
		{"gives way to the next at once", 740, ALLOW, CIRCUIT_HALF_OPEN},
		{"which nobody reports: denied for a cooldown", 1039, DENY, CIRCUIT_HALF_OPEN},
		{"and then another may try", 1040, ALLOW, CIRCUIT_HALF_OPEN},
		{"its success closes", 1041, OK, CIRCUIT_CLOSED},
		{"one failure later", 1042, FAIL, CIRCUIT_CLOSED},
		{"two", 1043, FAIL, CIRCUIT_CLOSED},
		{"three open it again", 1044, FAIL, CIRCUIT_OPEN},
		{"for the first cooldown: denied at 1103", 1103, DENY, CIRCUIT_OPEN},
		{"allowed at 1104", 1104, ALLOW, CIRCUIT_HALF_OPEN},
	};
	struct circuit circuit = {0};
	for (size_t i = 0; i < CHECK_COUNT(steps); i++) {
		int64_t now_ms = AT(steps[i].at_s);
		switch (steps[i].what) {
		case FAIL:
			circuit_failure(&circuit, &policy, now_ms);
			break;
		case OK:
			circuit_success(&circuit);
			break;
		case NEUTRAL:
			circuit_neutral(&circuit, now_ms);
			break;
		case WOULD:
			CHECK_TRUE(steps[i].name, circuit_allows(&circuit, now_ms));
			break;
		default:
			CHECK_EQ(steps[i].name, circuit_allow(&circuit, now_ms), steps[i].what == ALLOW);
		}
		CHECK_EQ(steps[i].name, circuit_state_at(&circuit, now_ms), steps[i].state);
	}
	static const struct circuit_policy off = {0};
	circuit = (struct circuit){0};
	for (unsigned i = 0; i < 1000; i++)
		circuit_failure(&circuit, &off, AT(i));
	CHECK_TRUE("without a threshold there is no breaker", circuit_allow(&circuit, AT(1000)));
}

static void test_clocks(void)
{
	static const struct {
		const char *name;
		const struct counter_policy *policy;
		uint32_t after_success, after_hot, after_step;
	} cases[] = {
		{"dugite: failures halve with time alone", &counters_dugite, 4, 4, 2},
		{"ouroboros: failures are cleared by 120 s of use", &counters_ouroboros, 4, 0, 4},
		{"stellar: failures are cleared by success", &counters_stellar, 0, 4, 4},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		const struct counter_policy *policy = cases[i].policy;
		struct peer_counters counters, copy;
		peer_counters_init(&counters);
		for (unsigned n = 0; n < 4; n++)
			peer_counters_failure(&counters, policy, AT(1));
		CHECK_EQ(cases[i].name, peer_counters_failures(&counters, policy, AT(1)), 4u);
		CHECK_EQ(cases[i].name, counters.streak, 4u);
		copy = counters;
		peer_counters_success(&copy, policy, AT(2));
		CHECK_EQ(cases[i].name, peer_counters_failures(&copy, policy, AT(2)), cases[i].after_success);
		CHECK_EQ("a success ends the streak", copy.streak, 0u);
		CHECK_EQ("lifetime failures stay", copy.fail, 4u);
		CHECK_TRUE("a success closes the circuit", circuit_allow(&copy.circuit, AT(2)));
		copy = counters;
		peer_counters_hot(&copy, policy, AT(2), AT(121));
		CHECK_EQ("119 s are too short", peer_counters_failures(&copy, policy, AT(121)), 4u);
		peer_counters_hot(&copy, policy, AT(2), AT(122));
		CHECK_EQ(cases[i].name, peer_counters_failures(&copy, policy, AT(122)), cases[i].after_hot);
		CHECK_EQ(cases[i].name, peer_counters_failures(&counters, policy, AT(301)),
			cases[i].after_step);
		copy = counters;
		peer_counters_neutral(&copy, AT(2));
		CHECK_EQ("a neutral outcome counts nothing", copy.fail + copy.ok, 4u);
	}
	struct peer_counters counters;
	peer_counters_init(&counters);
	counters.fail = counters.streak = counters.decayed.count = UINT32_MAX;
	peer_counters_failure(&counters, &counters_stellar, AT(1));
	CHECK_TRUE("counts saturate", counters.fail == UINT32_MAX && counters.streak == UINT32_MAX &&
					      counters.decayed.count == UINT32_MAX);
}

static const struct check_test tests[] = {
	{"moving averages", test_averages},
	{"failures halve in fixed steps", test_halving},
	{"the circuit breaker", test_circuit},
	{"clocks of forgiveness", test_clocks},
};
CHECK_MAIN("peer_counters", tests)
