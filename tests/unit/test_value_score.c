/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/value_score.c and control/value_component.c: the formulas of five systems by their vectors
 * (V11, V13, V14, V17 to V20), their ranges for every input tried, and the direction of each term.
 */
#include <math.h>

#include "control/keyed_random.h"
#include "control/value_component.h"
#include "control/value_score.h"
#include "tests/check.h"

static void test_components(void)
{
	CHECK_NEAR("a line is one at zero", value_linear_decay(0, 200), 1, 0);
	CHECK_NEAR("a line is half in the middle", value_linear_decay(100, 200), 0.5, 1e-12);
	CHECK_NEAR("a line ends at zero", value_linear_decay(500, 200), 0, 0);
	CHECK_NEAR("a hyperbola is half at its scale", value_hyperbolic(200, 200), 0.5, 1e-12);
	CHECK_NEAR("a cap holds", value_capped(20000, 10000), 1, 0);
	CHECK_NEAR("a ratio without cases is what is assumed", value_ratio(0, 0, 0.7), 0.7, 0);
	CHECK_NEAR("a ratio of huge counts is one", value_ratio(UINT64_MAX, UINT64_MAX, 0), 0.5, 1e-12);
	static const struct {
		const char *name;
		double ms, value;
	} latencies[] = {
		{"LO-6: 0 ms", 0, 1.0},
		{"LO-6: 50 ms, inclusive", 50, 1.0},
		{"LO-6: 51 ms", 51, 0.8},
		{"LO-6: 100 ms", 100, 0.8},
		{"LO-6: 200 ms", 200, 0.6},
		{"LO-6: 500 ms", 500, 0.4},
		{"LO-6: 1000 ms", 1000, 0.2},
		{"LO-6: 1001 ms", 1001, 0.1},
	};
	for (size_t i = 0; i < CHECK_COUNT(latencies); i++)
		CHECK_NEAR(latencies[i].name, value_latency_step(latencies[i].ms), latencies[i].value, 0);
	static const struct {
		const char *name;
		double dbm, value;
	} signals[] = {
		{"LO-6: -40 dBm", -40, 1.0},
		{"LO-6: -60 dBm, inclusive", -60, 1.0},
		{"LO-6: -61 dBm", -61, 0.8},
		{"LO-6: -70 dBm", -70, 0.8},
		{"LO-6: -80 dBm", -80, 0.6},
		{"LO-6: -90 dBm", -90, 0.4},
		{"LO-6: -100 dBm", -100, 0.2},
		{"LO-6: -120 dBm", -120, 0.1},
	};
	for (size_t i = 0; i < CHECK_COUNT(signals); i++)
		CHECK_NEAR(signals[i].name, value_signal_step(signals[i].dbm), signals[i].value, 0);
}

static void test_dugite(void)
{
	static const struct {
		const char *name;
		struct value_dugite_input input;
		double value;
	} cases[] = {
		{"V17: a fresh peer", {-1, -1, 0, 0, 0, -1}, 0.45},
		{"V17: a good one", {30, 1.94, 200, 3, 0, 0}, 0.74781},
		{"V17: a bad one", {1500, 500, 10, 2, 5, 0}, 0.330457143},
		{"V17: the best there is", {0, 0, 10000, 1, 0, 0}, 0.85},
		{"V17: the worst there is", {2000, 200, 0, 0, 1, 60}, 0.15},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_NEAR(cases[i].name, value_dugite(&cases[i].input), cases[i].value, 1e-9);
	CHECK_NEAR("V19: unknown fetch", value_rank(0.5, -1, 0), 0.6, 1e-9);
	CHECK_NEAR("V19: 100 ms", value_rank(0.5, 100, 0), 0.666666667, 1e-9);
	CHECK_NEAR("V19: 10 ms and a full reputation", value_rank(1, 10, 0), 0.980952381, 1e-9);
	CHECK_NEAR("ten failures take all of their fifth", value_rank(0.5, -1, 10), 0.4, 1e-9);
	CHECK_NEAR("and more cannot take more", value_rank(0.5, -1, 1000), 0.4, 1e-9);
	CHECK_NEAR("a success adds a hundredth", value_reputation_outcome(0.5, true), 0.51, 1e-12);
	CHECK_NEAR("a failure takes a tenth", value_reputation_outcome(0.5, false), 0.4, 1e-12);
	CHECK_NEAR("not below zero", value_reputation_outcome(0.05, false), 0, 0);
	CHECK_NEAR("time heals up to the middle", value_reputation_recover(0.4, 1), 0.45, 1e-12);
	CHECK_NEAR("and no further", value_reputation_recover(0.4, 100), 0.5, 0);
	CHECK_NEAR("and wears from above", value_reputation_recover(0.9, 2), 0.8, 1e-12);
}

static void test_lorachain(void)
{
	struct value_lorachain_input input = {.uptime = 0.9,
		.conn_success = 0.8,
		.delivery = 0.95,
		.latency_ms = 120,
		.throughput = 0.8,
		.compliance = 0.95,
		.signal_dbm = NAN,
		.messages = 100,
		.invalid = 5,
		.relayed = 60};
	struct value_lorachain value = value_lorachain(&input);
	CHECK_NEAR("V11: reliability", value.reliability, 88.5, 1e-9);
	CHECK_NEAR("V11: performance", value.performance, 78, 1e-9);
	CHECK_NEAR("V11: behaviour", value.behaviour, 84.5, 1e-9);
	CHECK_NEAR("V11: overall", value.overall, 84.15, 1e-9);
	CHECK_NEAR("V11: after one day", value_lorachain_decay(value.overall, 1), 83.312693510, 1e-9);
	/* policy.md prints ...936945; 84.15 * e^-0.07 is this. */
	CHECK_NEAR("V11: after seven", value_lorachain_decay(value.overall, 7), 78.460939945, 1e-9);
	CHECK_NEAR("LO-7: half after 69.3 days", value_lorachain_decay(100, 69.314718056), 50, 1e-6);
	input.light = true;
	CHECK_NEAR("LO-6: less is expected of a light peer", value_lorachain(&input).behaviour, 96.5, 1e-9);
	input.invalid = 1000;
	CHECK_NEAR("more invalid than messages is none valid", value_lorachain(&input).behaviour, 58.5, 1e-9);
	CHECK_FALSE("LO-8: a change of one is no news", value_lorachain_is_news(50, 51));
	CHECK_TRUE("LO-8: more than one is", value_lorachain_is_news(50, 48.9));
	CHECK_FALSE("V13: ten more are not enough", value_replaces(40, 50));
	CHECK_TRUE("V13: more than ten are", value_replaces(40, 50.01));
}

static void test_spacetime(void)
{
	static const struct {
		const char *name;
		uint64_t ok, fail;
		double quality;
	} cases[] = {
		{"V14: nothing tried", 0, 0, 0.5},
		{"V14: SSSF", 3, 1, 0.75},
		{"V14: SFFFFF", 1, 5, 1.0 / 6},
		{"V14: FFFFS", 1, 4, 0.2},
		{"V14: a hundred failures, one success", 1, 100, 1.0 / 101},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_NEAR(cases[i].name, value_quality(cases[i].ok, cases[i].fail), cases[i].quality, 1e-9);
	struct value_standing standing = {0};
	for (unsigned i = 1; i <= 5; i++) {
		CHECK_FALSE("V14: not blacklisted before the fifth", standing.blacklisted);
		value_standing_outcome(&standing, false);
	}
	CHECK_TRUE("V14: at the fifth", standing.blacklisted);
	CHECK_EQ("V14: reputation", standing.reputation, -10);
	value_standing_outcome(&standing, true);
	CHECK_TRUE("5.5.5: a success does not lift it", standing.blacklisted);
	CHECK_EQ("SP-8: but it ends the streak", standing.streak, 0u);
	standing = (struct value_standing){0};
	for (unsigned i = 0; i < 30; i++)
		value_standing_outcome(&standing, i % 2 == 1);
	CHECK_TRUE("SP-8: -10 is enough without a streak", standing.blacklisted && standing.streak < 5);
}

static void test_selection(void)
{
	static const struct {
		const char *name;
		struct value_selection_input input;
		double value;
	} cases[] = {
		{"V18: trustable, from the configuration",
			{0.5, PEER_CATEGORY_LOCAL_ROOT, PEER_SOURCE_CONFIG, 0, false}, 0.8},
		{"V18: ledger, two failures, tip known",
			{0.5, PEER_CATEGORY_LEDGER, PEER_SOURCE_LEDGER, 2, true}, 0.3},
		{"V18: shared, five failures meet the cap",
			{0.5, PEER_CATEGORY_SHARED, PEER_SOURCE_GOSSIP, 5, false}, -0.1},
		{"V18: inbound", {0.5, PEER_CATEGORY_NONE, PEER_SOURCE_INBOUND, 0, false}, 0.52},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_NEAR(cases[i].name, value_selection(&cases[i].input), cases[i].value, 1e-9);
	static const double penalties[] = {0, 0, 0, 0.2, 0.4, 0.6, 0.8};
	for (uint32_t i = 0; i < CHECK_COUNT(penalties); i++)
		CHECK_NEAR(
			"V20: penalty by peers in the subnet", value_subnet_penalty(i), penalties[i], 1e-9);
}

static void test_inbound(void)
{
	const struct value_inbound_input middle = {1000, 0.5, 0, 1, 1, 450, 150, 0};
	CHECK_NEAR("half of everything is the middle", value_inbound(&middle), 0.5, 1e-9);
	static const struct {
		const char *name;
		struct value_inbound_input input;
	} better[] = {
		{"a shorter way is better", {10, 0.5, 0, 1, 1, 450, 150, 0}},
		{"the node's word counts", {1000, 1.0, 0, 1, 1, 450, 150, 0}},
		{"bytes count where the node is silent", {1000, -1, 1 << 20, 1, 1, 450, 150, 0}},
		{"reliable is better", {1000, 0.5, 0, 2, 0, 450, 150, 0}},
		{"old is better", {1000, 0.5, 0, 1, 1, 900, 150, 0}},
		{"active is better", {1000, 0.5, 0, 1, 1, 450, 0, 0}},
	};
	for (size_t i = 0; i < CHECK_COUNT(better); i++)
		CHECK_TRUE(better[i].name, value_inbound(&better[i].input) > 0.5 + 0.01);
	struct value_inbound_input crowded = middle;
	crowded.subnet_connected = 4;
	CHECK_NEAR("a crowded subnet costs", value_inbound(&crowded), 0.1, 1e-9);
	crowded.subnet_connected = UINT32_MAX;
	CHECK_NEAR("but a value is never below zero", value_inbound(&crowded), 0, 0);
}

/** A number that is sometimes missing, sometimes huge. */
static double any(struct keyed_random *random)
{
	uint64_t draw = keyed_random_next(random);
	return draw % 5 == 0 ? -1 : (double)(draw >> (8 + draw % 50));
}

static void test_ranges(void)
{
	struct keyed_random random = keyed_random_from_seed(11, 4);
	for (unsigned i = 0; i < 20000; i++) {
		struct value_dugite_input dugite = {any(&random), any(&random), keyed_random_next(&random),
			(uint32_t)keyed_random_next(&random), (uint32_t)keyed_random_next(&random),
			any(&random)};
		double value = value_dugite(&dugite);
		bool good = value >= 0.15 - 1e-9 && value <= 0.85 + 1e-9;
		struct value_inbound_input inbound = {any(&random), any(&random), keyed_random_next(&random),
			(uint32_t)keyed_random_next(&random), 3, fabs(any(&random)), any(&random),
			(uint32_t)i % 9};
		value = value_inbound(&inbound);
		good = good && value >= 0 && value <= 1;
		value = value_rank(
			(double)(i % 101) / 100, any(&random), (uint32_t)keyed_random_next(&random));
		good = good && value >= 0 && value <= 1;
		if (!CHECK_TRUE("no input leaves the range", good))
			return;
	}
}

static const struct check_test tests[] = {
	{"components", test_components},
	{"Dugite's reputation and rank", test_dugite},
	{"Lorachain's score", test_lorachain},
	{"Spacetime's quality and standing", test_spacetime},
	{"selection and subnets", test_selection},
	{"the default for inbound peers", test_inbound},
	{"values stay in their ranges", test_ranges},
};
CHECK_MAIN("value_score", tests)
