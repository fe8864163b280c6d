/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/eviction*.c: Lighthouse's prune (V8, LH-23), bitcoin's choice (V31), replacement (V13,
 * V32, LO-11, HE-13), the free floor, each stage's order; then random fields, in which nobody who may not go
 * ever goes. Fixed seeds.
 */
#include <stdio.h>
#include <string.h>

#include "control/eviction.h"
#include "control/keyed_random.h"
#include "tests/check.h"

#define NOW_MS INT64_C(10000000)
enum { FIELD_MAX = 64 };

static struct eviction_victim victims[FIELD_MAX];
static uint32_t n_victims;

/** Letters of the victims in their order, "ABC". */
static const char *letters(void)
{
	static char text[FIELD_MAX + 1];
	for (uint32_t i = 0; i < n_victims; i++)
		text[i] = (char)('A' + victims[i].candidate);
	text[n_victims] = '\0';
	return text;
}

static const char *select_letters(const struct eviction_policy *policy,
	const struct eviction_candidate *field, uint32_t n, uint32_t wanted)
{
	n_victims = 0;
	CHECK_EQ("memory", eviction_select(policy, field, n, wanted, NOW_MS, victims, &n_victims), 0);
	return letters();
}

static struct eviction_candidate inbound(uint64_t id)
{
	return (struct eviction_candidate){.id = id,
		.inbound = true,
		.rtt_min_ms = -1,
		.relay_txs = true,
		.connected_ms = 1000,
		.useful_ms = NOW_MS};
}

static void test_prune(void)
{
	struct eviction_candidate field[8];
	static const struct {
		double score;
		bool in;
		uint64_t subnets;
	} peers[8] = {{-5, true, 1 << 1}, {-3, false, 1 << 2}, {0, true, 0}, {0, false, 1 << 1 | 1 << 2},
		{0, true, 1 << 1}, {0, true, 1 << 1 | 1 << 3}, {0, true, 0}, {0, false, 1 << 4}};
	for (unsigned i = 0; i < 8; i++) {
		field[i] = inbound(i);
		field[i].inbound = peers[i].in;
		field[i].score = peers[i].score;
		field[i].subnets[0] = peers[i].subnets;
	}
	field[6].trusted = true;
	struct eviction_policy policy = eviction_lighthouse;
	policy.outbound_floor = 2;
	CHECK_EQ("V8: target 4 of 8", select_letters(&policy, field, 8, 4), "ABCE");
	CHECK_EQ("V8: the first for its score", eviction_stage_name(victims[0].stage), "score");
	CHECK_EQ("V8: the third for serving nothing", eviction_stage_name(victims[2].stage), "no_subnet");
	CHECK_EQ("V8: the fourth for serving what many serve", eviction_stage_name(victims[3].stage),
		"dense_subnet");
	field[4].committees = 1;
	CHECK_EQ("V8: the only member of a committee stays, and one is missing",
		select_letters(&policy, field, 8, 4), "ABC");
	field[4].state = SCORE_STATE_DISCONNECT;
	CHECK_EQ("5.5.8: unless its state is bad", select_letters(&policy, field, 8, 4), "EABC");
	field[4].state = SCORE_STATE_HEALTHY;
	field[4].committees = 0;
	policy.outbound_floor = 3;
	CHECK_EQ("LH-3: never below the outbound target", select_letters(&policy, field, 8, 4), "ACE");
	CHECK_EQ("LH-23: never more than wanted", select_letters(&policy, field, 8, 1), "A");
	CHECK_EQ("nothing wanted, nobody gone", select_letters(&policy, field, 8, 0), "");
	CHECK_EQ("nobody there", select_letters(&policy, field, 0, 4), "");
}

static void test_orders(void)
{
	static const struct {
		const char *name;
		enum eviction_stage stage;
		struct eviction_candidate a, b; /* b is to go first */
	} cases[] = {
		{"banned before disconnect", EVICTION_STAGE_STATE,
			{.inbound = true, .state = SCORE_STATE_DISCONNECT, .score = -40},
			{.inbound = true, .state = SCORE_STATE_BANNED, .score = -30}},
		{"worse before bad", EVICTION_STAGE_SCORE, {.inbound = true, .score = -2},
			{.inbound = true, .score = -3}},
		{"idle for longer", EVICTION_STAGE_IDLE, {.inbound = true, .useful_ms = 3000},
			{.inbound = true, .useful_ms = 2000}},
		{"never useful since it came", EVICTION_STAGE_IDLE, {.inbound = true, .useful_ms = 3000},
			{.inbound = true}},
		{"LH-23: the younger of equals", EVICTION_STAGE_NO_SUBNET,
			{.inbound = true, .connected_ms = 1000}, {.inbound = true, .connected_ms = 2000}},
		{"5.5.8: inbound before outbound", EVICTION_STAGE_NO_SUBNET, {.connected_ms = 2000},
			{.inbound = true}},
		{"5.5.8: fewest subnets", EVICTION_STAGE_DENSE, {.inbound = true, .subnets = {3}},
			{.inbound = true, .subnets = {1}}},
		{"5.5.8: lower value", EVICTION_STAGE_NO_SUBNET, {.inbound = true, .value = 0.6},
			{.inbound = true, .value = 0.5}},
		{"DU-15: lowest value", EVICTION_STAGE_VALUE, {.inbound = true, .value = 0.6},
			{.value = 0.5}},
		{"served longest ago", EVICTION_STAGE_SERVED,
			{.inbound = true, .served = true, .connected_ms = 3000},
			{.inbound = true, .served = true, .connected_ms = 1000}},
		{"silent for longer", EVICTION_STAGE_SILENT,
			{.inbound = true, .silent = true, .connected_ms = 3000},
			{.inbound = true, .silent = true, .connected_ms = 1000}},
		{"silent, though younger", EVICTION_STAGE_SILENT, {.inbound = true, .connected_ms = 1000},
			{.inbound = true, .silent = true, .connected_ms = 3000}},
		{"discouraged, though older", EVICTION_STAGE_DISCOURAGED,
			{.inbound = true, .connected_ms = 9000}, {.inbound = true, .discouraged = true}},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		for (unsigned turn = 0; turn < 2; turn++) {
			struct eviction_policy policy = {.stages = 1u << cases[i].stage, .silent_ms = 1};
			/* Others serve the same, so that nobody is the only one. */
			struct eviction_candidate field[4] = {cases[i].a, cases[i].b,
				{.trusted = true, .subnets = {3}}, {.trusted = true, .subnets = {3}}};
			if (turn == 1) {
				field[0] = cases[i].b;
				field[1] = cases[i].a;
			}
			field[0].id = 5 + turn;
			field[1].id = 6 - turn;
			CHECK_EQ(cases[i].name, select_letters(&policy, field, 4, 1), turn == 1 ? "A" : "B");
		}
	struct eviction_policy policy = {.stages = 1u << EVICTION_STAGE_RANDOM, .key = {1, 2}},
			       other = policy;
	other.key.k0 = 3;
	struct eviction_candidate field[26];
	for (unsigned i = 0; i < 26; i++)
		field[i] = inbound(i);
	char first[FIELD_MAX + 1];
	strcpy(first, select_letters(&policy, field, 26, 26));
	CHECK_EQ("one key, one order", select_letters(&policy, field, 26, 26), (const char *)first);
	CHECK_TRUE("another key, another order", strcmp(select_letters(&other, field, 26, 26), first) != 0);
}

static void test_exempt(void)
{
	struct eviction_policy policy = eviction_dugite;
	policy.grace_ms = 60000;
	struct eviction_candidate field[6];
	for (unsigned i = 0; i < 6; i++)
		field[i] = inbound(i);
	field[0].trusted = field[1].is_protected = field[2].duty = field[3].pinned = true;
	field[4].connected_ms = NOW_MS - 59999;
	CHECK_EQ("trusted, protected, on duty, pinned and new ones stay",
		select_letters(&policy, field, 6, 6), "F");
	field[4].state = SCORE_STATE_BANNED;
	CHECK_EQ("grace does not cover the banned", select_letters(&policy, field, 6, 6), "EF");
	field[4] = inbound(4);
	field[4].connected_ms = NOW_MS - 60000;
	CHECK_EQ("grace ends", select_letters(&policy, field, 6, 6), "EF");
	struct eviction_policy silence = {
		.stages = 1u << EVICTION_STAGE_SILENT, .grace_ms = 60000, .silent_ms = 1000};
	for (unsigned i = 0; i < 6; i++)
		field[i].silent = true;
	field[4].connected_ms = NOW_MS - 999;
	field[5].connected_ms = NOW_MS - 1000;
	CHECK_EQ("silence has a grace of its own", select_letters(&silence, field, 6, 6), "F");
	silence.silent_ms = 0;
	CHECK_EQ("or is no reason", select_letters(&silence, field, 6, 6), "");
	for (unsigned i = 0; i < 6; i++)
		field[i].silent = false;
	struct eviction_candidate twins[3] = {inbound(0), inbound(1), inbound(2)};
	for (unsigned i = 0; i < 3; i++)
		twins[i].subnets[3] = UINT64_C(1) << 63;
	CHECK_EQ("criticality is seen anew after each removal", strlen(select_letters(&policy, twins, 3, 3)),
		2u);
	for (unsigned i = 0; i < 3; i++) {
		twins[i].subnets[3] = 0;
		twins[i].committees = 1u << 31;
	}
	policy.committee_min = 2;
	CHECK_EQ("LH-23: two of a committee stay", strlen(select_letters(&policy, twins, 3, 3)), 1u);
}

static void test_bitcoin(void)
{
	struct eviction_candidate field[40];
	for (uint64_t i = 0; i < 40; i++) {
		field[i] = inbound(i);
		field[i].connected_ms = (1000 + (int64_t)i) * 1000;
		field[i].group = i < 20 ? 100 + i : 7;
		field[i].rtt_min_ms = i < 20 ? 10 + (double)i : 200;
	}
	field[3].tx_ms = field[4].tx_ms = field[5].block_ms = field[6].block_ms = 2000000;
	n_victims = 0;
	CHECK_EQ("memory", eviction_select(&eviction_bitcoin, field, 40, 1, NOW_MS, victims, &n_victims), 0);
	CHECK_TRUE("V31: one victim", n_victims == 1);
	CHECK_EQ("V31: the youngest of the largest group", victims[0].candidate, 39u);
	for (uint64_t i = 32; i < 40; i++)
		field[i].group = 8;
	CHECK_EQ("two groups", eviction_select(&eviction_bitcoin, field, 40, 1, NOW_MS, victims, &n_victims),
		0);
	CHECK_EQ("the longer connected half is out of it, though its group is the largest",
		victims[0].candidate, 39u);
	for (uint64_t i = 32; i < 40; i++)
		field[i].group = 7;
	struct eviction_candidate same[21];
	for (unsigned i = 0; i < 21; i++)
		same[i] = inbound(i);
	CHECK_EQ("V31: twenty equal ones are all protected",
		strlen(select_letters(&eviction_bitcoin, same, 20, 1)), 0u);
	CHECK_EQ("V31: of twenty-one, one is not", strlen(select_letters(&eviction_bitcoin, same, 21, 21)),
		1u);
	for (unsigned i = 0; i < 21; i++)
		same[i].relay_txs = false;
	CHECK_EQ("eight more without transactions", strlen(select_letters(&eviction_bitcoin, same, 21, 1)),
		0u);
	field[39].discouraged = false;
	field[33].discouraged = true;
	CHECK_EQ("a discouraged one goes before the youngest",
		eviction_select(&eviction_bitcoin, field, 40, 1, NOW_MS, victims, &n_victims), 0);
	CHECK_EQ("that is", victims[0].candidate, 33u);
	field[33].discouraged = false;
	/* Without the reserve the half of the rest that is oldest is 20 to 29; two of the youngest are on a
	 * small network. */
	field[38].network = field[39].network = EVICTION_NETWORK_ONION;
	CHECK_EQ("small networks",
		eviction_select(&eviction_bitcoin, field, 40, 1, NOW_MS, victims, &n_victims), 0);
	CHECK_EQ("have places of their own", victims[0].candidate, 37u);
	for (unsigned i = 0; i < 40; i++)
		field[i].inbound = false;
	CHECK_EQ("whom we dialled",
		eviction_select(&eviction_bitcoin, field, 40, 1, NOW_MS, victims, &n_victims), 0);
	CHECK_EQ("is not chosen by it", n_victims, 0u);
}

static void test_newcomers(void)
{
	struct eviction_policy policy = {.key = {1, 2}};
	struct eviction_candidate field[64];
	for (uint32_t i = 0; i < 64; i++) {
		field[i] = inbound(i);
		field[i].value = 50 + i;
	}
	field[7].value = 40;
	field[8].value = 30;
	field[8].is_protected = true;
	uint32_t chosen = 99;
	struct eviction_newcomer newcomer = {.value = 50};
	CHECK_FALSE("V13: ten more than the lowest", eviction_for_newcomer(EVICTION_NEWCOMER_MARGIN, &policy,
							     field, 64, &newcomer, NOW_MS, &chosen));
	newcomer.value = 50.01;
	CHECK_TRUE("V13: more than ten more", eviction_for_newcomer(EVICTION_NEWCOMER_MARGIN, &policy, field,
						      64, &newcomer, NOW_MS, &chosen));
	CHECK_EQ("V13: the lowest goes, but not a protected one", chosen, 7u);
	newcomer = (struct eviction_newcomer){.value = 1000};
	CHECK_FALSE("V32: a newcomer that is not preferred is refused",
		eviction_for_newcomer(
			EVICTION_NEWCOMER_PREFERRED, &policy, field, 64, &newcomer, NOW_MS, &chosen));
	newcomer.preferred = true;
	for (uint32_t i = 0; i < 64; i++)
		field[i].preferred = i != 8 && i != 11;
	CHECK_TRUE("V32: a preferred one displaces", eviction_for_newcomer(EVICTION_NEWCOMER_PREFERRED,
							     &policy, field, 64, &newcomer, NOW_MS, &chosen));
	CHECK_EQ("V32: one that is not preferred", chosen, 11u);
	field[11].preferred = true;
	CHECK_FALSE(
		"HE-13: and never a preferred one", eviction_for_newcomer(EVICTION_NEWCOMER_PREFERRED,
							    &policy, field, 64, &newcomer, NOW_MS, &chosen));
	CHECK_FALSE("spacetime refuses", eviction_for_newcomer(EVICTION_NEWCOMER_REFUSE, &policy, field, 64,
						 &newcomer, NOW_MS, &chosen));
	CHECK_TRUE("the pipeline chooses", eviction_for_newcomer(EVICTION_NEWCOMER_PIPELINE, &eviction_dugite,
						   field, 64, &newcomer, NOW_MS, &chosen));
	CHECK_EQ("by its stages", chosen, 7u);
}

static void test_floor(void)
{
	static const struct {
		const char *name;
		uint32_t maximum, connected, wanted;
	} cases[] = {
		{"5 % of 512 are 26, rounded up", 512, 512, 26},
		{"enough are free", 512, 486, 0},
		{"one too many", 512, 487, 1},
		{"at least one place", 4, 4, 1},
		{"a pool of one", 1, 1, 1},
		{"above the maximum", 100, 120, 25},
		{"no limit, no floor", 0, 1000, 0},
		{"empty", 512, 0, 0},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name, eviction_floor_wanted(cases[i].maximum, cases[i].connected, 50),
			cases[i].wanted);
	struct eviction_candidate field[4] = {inbound(0), inbound(1), inbound(2), inbound(3)};
	field[0].connected_ms = 500;
	field[1].connected_ms = 900;
	field[2].connected_ms = 700;
	field[1].served = field[2].served = true;
	CHECK_EQ("the floor is kept by those that were served, oldest first",
		select_letters(&eviction_bootstrap, field, 4, 2), "CB");
}

static struct eviction_candidate any_candidate(struct keyed_random *random, uint64_t id)
{
	struct eviction_candidate candidate = {.id = id,
		.inbound = keyed_random_below(random, 3) != 0,
		.trusted = keyed_random_below(random, 12) == 0,
		.is_protected = keyed_random_below(random, 12) == 0,
		.duty = keyed_random_below(random, 12) == 0,
		.pinned = keyed_random_below(random, 12) == 0,
		.discouraged = keyed_random_below(random, 6) == 0,
		.served = keyed_random_below(random, 3) == 0,
		.relay_txs = keyed_random_below(random, 2) == 0,
		.state = keyed_random_below(random, 8) == 0 ? SCORE_STATE_DISCONNECT : SCORE_STATE_HEALTHY,
		.network = (enum eviction_network)keyed_random_below(random, EVICTION_NETWORK_COUNT),
		.score = (double)keyed_random_below(random, 10) - 7.0,
		.value = (double)keyed_random_below(random, 100) / 100,
		.rtt_min_ms = (double)keyed_random_below(random, 100) - 10,
		.connected_ms = NOW_MS - (int64_t)keyed_random_below(random, 600000),
		.group = keyed_random_below(random, 5)};
	candidate.useful_ms = candidate.connected_ms + (int64_t)keyed_random_below(random, 300000);
	for (unsigned i = (unsigned)keyed_random_below(random, 4); i > 0; i--) {
		uint64_t subnet = keyed_random_below(random, 30) * 8;
		candidate.subnets[subnet / 64] |= UINT64_C(1) << subnet % 64;
	}
	candidate.committees = keyed_random_below(random, 5) == 0 ? 1u << keyed_random_below(random, 4) : 0;
	return candidate;
}

/** Is this candidate allowed to go now, in this stage? Written anew, without the pipeline's counters. */
static bool allowed(const struct eviction_policy *policy, const struct eviction_candidate *field,
	const bool *gone, uint32_t n, uint32_t item, enum eviction_stage stage)
{
	const struct eviction_candidate *x = &field[item];
	if (gone[item] || x->trusted || x->is_protected || x->duty || x->pinned)
		return false;
	if (stage == EVICTION_STAGE_STATE)
		return x->state != SCORE_STATE_HEALTHY;
	uint32_t outbound = 0;
	for (uint32_t i = 0; i < n; i++)
		outbound += !gone[i] && !field[i].inbound;
	if ((!x->inbound && outbound <= policy->outbound_floor) ||
		NOW_MS - x->connected_ms < policy->grace_ms)
		return false;
	for (unsigned subnet = 0; subnet < EVICTION_SUBNETS; subnet++) {
		uint32_t servers = 0;
		for (uint32_t i = 0; i < n; i++)
			servers += !gone[i] && (field[i].subnets[subnet / 64] >> subnet % 64 & 1) != 0;
		if ((x->subnets[subnet / 64] >> subnet % 64 & 1) != 0 && servers == 1)
			return false;
	}
	for (unsigned committee = 0; committee < EVICTION_COMMITTEES; committee++) {
		uint32_t members = 0;
		for (uint32_t i = 0; i < n; i++)
			members += !gone[i] && (field[i].committees >> committee & 1) != 0;
		if ((x->committees >> committee & 1) != 0 && members <= policy->committee_min)
			return false;
	}
	return true;
}

static void test_random_fields(void)
{
	struct keyed_random random = keyed_random_from_seed(21, 1);
	unsigned full = 0, some_short = 0;
	for (unsigned round = 0; round < 1500; round++) {
		struct eviction_candidate field[FIELD_MAX];
		bool gone[FIELD_MAX] = {false};
		struct eviction_policy policy = eviction_bootstrap;
		uint32_t n = (uint32_t)keyed_random_below(&random, FIELD_MAX),
			 wanted = (uint32_t)keyed_random_below(&random, n + 1);
		policy.stages = (uint32_t)keyed_random_below(&random, 1u << EVICTION_STAGE_COUNT);
		policy.outbound_floor = (uint32_t)keyed_random_below(&random, 12);
		policy.key.k0 = round;
		for (uint32_t i = 0; i < n; i++)
			field[i] = any_candidate(&random, i);
		(void)select_letters(&policy, field, n, wanted);
		bool good = CHECK_TRUE("never more than wanted", n_victims <= wanted);
		for (uint32_t i = 0; good && i < n_victims; i++) {
			good = CHECK_TRUE("a stage that is off chooses nobody",
				       (policy.stages >> victims[i].stage & 1) != 0) &&
			       CHECK_TRUE("in the order of stages",
				       i == 0 || victims[i - 1].stage <= victims[i].stage) &&
			       CHECK_TRUE("nobody goes who may not",
				       allowed(&policy, field, gone, n, victims[i].candidate,
					       victims[i].stage));
			gone[victims[i].candidate] = true;
		}
		bool any_left = false;
		for (uint32_t i = 0; i < n; i++)
			any_left = any_left || allowed(&policy, field, gone, n, i, EVICTION_STAGE_RANDOM);
		if ((policy.stages & (1u << EVICTION_STAGE_VALUE | 1u << EVICTION_STAGE_RANDOM)) != 0 &&
			n_victims < wanted)
			good = good && CHECK_FALSE("short only when nobody else may go", any_left);
		full += n_victims == wanted && wanted != 0;
		some_short += n_victims < wanted;
		if (!good)
			return;
	}
	CHECK_TRUE("both happened often", full > 100 && some_short > 100);
}

/** How good a candidate is to keep by one of bitcoin's measures; the larger the better. */
static double merit(const struct eviction_candidate *x, unsigned measure)
{
	switch (measure) {
	case 0:
		return (double)x->group;
	case 1:
		return x->rtt_min_ms < 0 ? -1e9 : -x->rtt_min_ms;
	case 2:
		return (double)x->tx_ms * 2 + x->relay_txs;
	case 3:
	case 4:
		return (double)x->block_ms;
	default:
		return 0; /* age alone */
	}
}

/** Protect the `most` best of `in` by a measure, the older among equals: bitcoin's way, once more from the
 * beginning. */
static void model_protect(
	const struct eviction_candidate *field, bool *in, uint32_t n, unsigned measure, uint32_t most)
{
	for (; most > 0; most--) {
		uint32_t best = n;
		for (uint32_t i = 0; i < n; i++) {
			if (!in[i] || (measure == 3 && field[i].relay_txs))
				continue;
			double x = merit(&field[i], measure), y = best < n ? merit(&field[best], measure) : 0;
			if (best == n || x > y ||
				(x == y && field[i].connected_ms < field[best].connected_ms))
				best = i;
		}
		if (best == n)
			return;
		in[best] = false;
	}
}

static uint32_t model_choose(const struct eviction_candidate *field, const bool *gone, uint32_t n)
{
	static const uint32_t most[] = {4, 8, 4, 8, 4};
	bool in[FIELD_MAX], any = false;
	uint32_t left = 0, best = n, best_size = 0;
	for (uint32_t i = 0; i < n; i++)
		in[i] = !gone[i];
	for (unsigned measure = 0; measure < 5; measure++)
		model_protect(field, in, n, measure, most[measure]);
	for (uint32_t i = 0; i < n; i++)
		left += in[i];
	model_protect(field, in, n, 5, left / 2);
	for (uint32_t i = 0; i < n; i++)
		any = any || (in[i] && field[i].discouraged);
	for (uint32_t i = 0; i < n; i++) {
		uint32_t size = 0;
		if (!in[i] || (any && !field[i].discouraged))
			continue;
		for (uint32_t j = 0; j < n; j++)
			size += in[j] && (!any || field[j].discouraged) && field[j].group == field[i].group;
		if (size > best_size ||
			(size == best_size && field[i].connected_ms > field[best].connected_ms)) {
			best = i;
			best_size = size;
		}
	}
	return best;
}

static void test_bitcoin_model(void)
{
	struct keyed_random random = keyed_random_from_seed(23, 1);
	unsigned chosen = 0;
	for (unsigned round = 0; round < 300; round++) {
		struct eviction_candidate field[FIELD_MAX];
		bool gone[FIELD_MAX] = {false};
		uint32_t n = 20 + (uint32_t)keyed_random_below(&random, FIELD_MAX - 19);
		for (uint32_t i = 0; i < n; i++) {
			field[i] = inbound(i);
			field[i].connected_ms = 1000 + (int64_t)keyed_random_below(&random, 1000) * 64 +
						i; /* all different */
			field[i].group = keyed_random_below(&random, 9);
			field[i].rtt_min_ms = (double)keyed_random_below(&random, 50) - 5;
			field[i].tx_ms = (int64_t)keyed_random_below(&random, 5);
			field[i].block_ms = (int64_t)keyed_random_below(&random, 5);
			field[i].relay_txs = keyed_random_below(&random, 4) != 0;
			field[i].discouraged = keyed_random_below(&random, 12) == 0;
		}
		(void)select_letters(&eviction_bitcoin, field, n, n);
		for (uint32_t i = 0; i <= n_victims; i++) {
			uint32_t expected = model_choose(field, gone, n);
			uint32_t actual = i < n_victims ? victims[i].candidate : n;
			if (!CHECK_EQ("one victim after another, as bitcoin would choose each", actual,
				    expected) ||
				actual == n)
				break;
			gone[actual] = true;
			chosen++;
		}
	}
	CHECK_TRUE("many were chosen", chosen > 1000);
}

static const struct check_test tests[] = {
	{"Lighthouse's prune", test_prune},
	{"the order within each stage", test_orders},
	{"who never goes", test_exempt},
	{"bitcoin's choice", test_bitcoin},
	{"bitcoin's choice against a plain model", test_bitcoin_model},
	{"newcomers to a full pool", test_newcomers},
	{"the free floor", test_floor},
	{"random fields", test_random_fields},
};
CHECK_MAIN("eviction", tests)
