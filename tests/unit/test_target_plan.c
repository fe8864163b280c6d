/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/target_plan.c: deficits (V33), surplus (V34), valency (V35), stalling (V36), the high
 * water of known addresses (V37), big ledger peers and preemption (DU-13), sharing (DU-12), maturity (DU-22);
 * then random fields, in which the governor settles and never moves whom it may not. Fixed seeds.
 */
#include <stdio.h>
#include <string.h>

#include "control/keyed_random.h"
#include "control/target_plan.h"
#include "tests/check.h"

enum { PEERS_MAX = 80, COLD_MAX = 40 };
#define NOW_MS INT64_C(10000000)

static struct target_peer peers[PEERS_MAX];
static uint64_t cold[COLD_MAX];
static struct target_action actions[PEERS_MAX + COLD_MAX + 3];
static uint32_t n_actions;

static struct target_peer peer(char id, enum temperature temperature, double rank)
{
	return (struct target_peer){
		.id = (uint64_t)id, .temperature = temperature, .rank = rank, .group = TARGET_NO_GROUP};
}

static struct target_view view_of(uint32_t n)
{
	struct target_view view;
	target_view_default(&view);
	view.peers = peers;
	view.n = n;
	view.cold = cold;
	view.now_ms = NOW_MS;
	view.known = view.targets.normal.known; /* neither too few nor too many */
	return view;
}

/** The actions as text: "+b" connect, "^a" promote, "vc" demote, "-d" disconnect, "?e" share, "!3" evict. */
static const char *plan(const struct target_view *view)
{
	static char text[1024];
	size_t used = 0;
	text[0] = '\0';
	n_actions = 0;
	CHECK_EQ("memory", target_plan(view, actions, &n_actions), 0);
	for (uint32_t i = 0; i < n_actions && used < sizeof(text) - 32; i++) {
		if (actions[i].kind == TARGET_EVICT_COLD)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "!%u ", actions[i].count);
		else
			used += (size_t)snprintf(text + used, sizeof(text) - used, "%c%c ",
				"+^v-?"[actions[i].kind], (char)actions[i].id);
	}
	if (used > 0)
		text[used - 1] = '\0';
	return text;
}

static unsigned count_of(enum target_action_kind kind)
{
	unsigned n = 0;
	for (uint32_t i = 0; i < n_actions; i++)
		n += actions[i].kind == kind;
	return n;
}

static void test_deficit(void)
{
	for (unsigned i = 0; i < 15; i++)
		peers[i] = peer((char)('a' + i), i < 5 ? TEMPERATURE_HOT : TEMPERATURE_WARM, 0.5);
	for (unsigned i = 0; i < 20; i++)
		cold[i] = 1000 + i;
	struct target_view view = view_of(15);
	view.n_cold = 20;
	view.known = 35;
	(void)plan(&view);
	CHECK_EQ("V33: promotions", count_of(TARGET_PROMOTE), 10u);
	CHECK_EQ("V33: connections", count_of(TARGET_CONNECT), 20u);
	CHECK_EQ("V33: two are asked", count_of(TARGET_SHARE), 2u);
	CHECK_EQ("V33: for ten each", actions[n_actions - 1].count, 10u);
	CHECK_EQ("V33: and nothing else", n_actions, 32u);
	view.last_share_ms = NOW_MS - 59999;
	(void)plan(&view);
	CHECK_EQ("DU-12: not twice within 60 s", count_of(TARGET_SHARE), 0u);
	view.last_share_ms = NOW_MS - 60000;
	(void)plan(&view);
	CHECK_EQ("DU-12: but then", count_of(TARGET_SHARE), 2u);
	view.phases = 0;
	CHECK_EQ("everything can be switched off", plan(&view), "");
}

static void test_surplus(void)
{
	struct target_view view = view_of(4);
	view.targets = (struct target_set){0, {85, 40, 2}, {0}};
	peers[0] = peer('1', TEMPERATURE_HOT, 0.2);
	peers[0].is_protected = true; /* a local root */
	peers[1] = peer('2', TEMPERATURE_HOT, 0.3);
	peers[2] = peer('3', TEMPERATURE_HOT, 0.4);
	peers[3] = peer('4', TEMPERATURE_HOT, 0.5);
	CHECK_EQ("V34: the lowest two go, never the local root", plan(&view), "v2 v3");
	view.targets.normal = (struct target_level){85, 3, 2};
	CHECK_EQ("whoever was demoted now is not closed in the same evaluation", plan(&view), "v2 v3");
	peers[1].temperature = TEMPERATURE_WARM;
	CHECK_EQ("DU-12: but a warm one is", plan(&view), "v3 -2");
	view.known = 128;
	view.known_high_water = 127;
	CHECK_EQ("V37: one above the high water", plan(&view), "v3 -2 !1");
	target_view_default(&view);
	CHECK_EQ("V37: which is 127 for 85", view.known_high_water, 127u);
}

static void test_valency(void)
{
	static const struct target_group group = {1, 2};
	struct target_view view = view_of(4);
	view.groups = &group;
	view.n_groups = 1;
	peers[0] = peer('a', TEMPERATURE_WARM, 0.1);
	peers[1] = peer('b', TEMPERATURE_COLD, 0.1);
	peers[2] = peer('c', TEMPERATURE_COLD, 0.9);
	peers[3] = peer('x', TEMPERATURE_WARM, 0.9);
	peers[0].group = peers[1].group = peers[2].group = 0;
	CHECK_EQ("V35: before all others", plan(&view), "+b ^a ^x");
	CHECK_EQ("V35: and this is why", target_phase_name(actions[0].phase), "valency");
	peers[0].temperature = TEMPERATURE_HOT;
	peers[1].temperature = TEMPERATURE_WARM;
	CHECK_EQ("V35: satisfied, its members are like others", plan(&view), "^x ^b");
	view.targets = (struct target_set){0};
	CHECK_EQ("DU-17: pinned, though no target wants them", plan(&view), "-x");
}

static void test_stall(void)
{
	struct target_stall stall = {0}, silent = {0};
	struct target_view view = view_of(6);
	view.targets = (struct target_set){0, {85, 40, 5}, {0}};
	view.phases &= ~(1u << TARGET_PHASE_SURPLUS);
	for (unsigned i = 0; i < 6; i++)
		peers[i] = peer((char)('1' + i), TEMPERATURE_HOT, 0.5);
	for (unsigned evaluation = 1; evaluation <= 7; evaluation++) {
		target_stall_evaluate(&stall, 10);
		target_stall_evaluate(&silent, 0);
		peers[5].stale = stall.stale;
		peers[4].stale = silent.stale;
		CHECK_EQ("V36: at the seventh evaluation", plan(&view), evaluation < 7 ? "" : "v6");
	}
	view.n = 5;
	peers[0] = peers[5];
	CHECK_EQ("V36: not while none is too many", plan(&view), "");
	view.n = 6;
	peers[0] = peer('1', TEMPERATURE_HOT, 0.5);
	target_stall_evaluate(&stall, 11);
	peers[5].stale = stall.stale;
	CHECK_EQ("V36: a new block begins anew", plan(&view), "");
	peers[2].failures = 5;
	CHECK_EQ("DU-12: five failures stall too", plan(&view), "v3");
	peers[2].group = 0;
	CHECK_EQ("DU-12: local roots are exempt", plan(&view), "");
}

static void test_big_ledger(void)
{
	struct target_view view = view_of(6);
	view.targets = (struct target_set){0, {85, 3, 2}, {15, 3, 2}};
	peers[0] = peer('A', TEMPERATURE_WARM, 0.1);
	peers[1] = peer('B', TEMPERATURE_COLD, 0.1);
	peers[2] = peer('C', TEMPERATURE_COLD, 0.9);
	peers[0].big_ledger = peers[1].big_ledger = peers[2].big_ledger = true;
	peers[3] = peer('d', TEMPERATURE_HOT, 0.4);
	peers[4] = peer('e', TEMPERATURE_HOT, 0.6);
	peers[5] = peer('f', TEMPERATURE_WARM, 0.9);
	CHECK_EQ("DU-13: counted apart, before the others", plan(&view), "^A +C +B");
	view.sync = SYNC_STATE_SYNCING;
	CHECK_EQ("DU-13: while syncing it takes the place of the lowest", plan(&view), "^A +C +B vd ^f");
	view.sync = SYNC_STATE_PRE_SYNCING;
	CHECK_EQ("5.5.12: not before", plan(&view), "^A +C +B");
}

static void test_dwell(void)
{
	struct target_view view = view_of(2);
	struct target_group groups[] = {{1, 1}};
	view.targets = (struct target_set){0, {85, 2, 2}, {0}};
	view.dwell_ms = 5000;
	peers[0] = peer('a', TEMPERATURE_WARM, 0.5);
	peers[1] = peer('b', TEMPERATURE_WARM, 0.5);
	peers[0].since_ms = peers[1].since_ms = NOW_MS - 4999;
	peers[0].inbound = true;
	CHECK_EQ("DU-22: an inbound peer is warm for five seconds first", plan(&view), "^b");
	peers[0].since_ms = NOW_MS - 5000;
	CHECK_EQ("DU-22: and then hot", plan(&view), "^b ^a");
	view.groups = groups;
	view.n_groups = 1;
	peers[0].group = 0;
	peers[0].since_ms = NOW_MS;
	CHECK_EQ("V35: a member of a group at once", plan(&view), "^a ^b");
	view.mature_ms = 1;
	view.inbound_batch = 1;
	view.last_inbound_ms = NOW_MS;
	CHECK_EQ("V35: mature or not, and while others wait", plan(&view), "^a ^b");
	peers[1].inbound = true;
	peers[1].since_ms = NOW_MS - 5000;
	view.last_inbound_ms = INT64_MIN;
	CHECK_EQ("DU-22: nor does it take the place of a candidate", plan(&view), "^a ^b");
}

static void test_candidates(void)
{
	struct target_view view = view_of(4);
	view.targets = (struct target_set){0, {85, 4, 4}, {0}};
	view.mature_ms = 900000;
	view.dwell_ms = 5000;
	for (unsigned i = 0; i < 4; i++) {
		peers[i] = peer((char)('a' + i), TEMPERATURE_WARM, 0.5);
		peers[i].since_ms = NOW_MS - 5000;
	}
	peers[0].inbound = true;
	peers[1].excluded = true;
	peers[2].since_ms = NOW_MS;
	CHECK_EQ("DU-22: not immature or churned ones; V33: one dialled just now", plan(&view), "^d ^c");
	peers[2].excluded = true;
	peers[0].since_ms = NOW_MS - 900000;
	CHECK_EQ("DU-22: a mature inbound peer", plan(&view), "^d ^a");
	view.inbound_batch = 1;
	peers[3].inbound = true;
	peers[3].since_ms = NOW_MS - 900000;
	CHECK_EQ("DU-22: only so many inbound peers at once", plan(&view), "^d");
	view.last_inbound_ms = NOW_MS - 59999;
	CHECK_EQ("DU-22: and none within a minute of the last", plan(&view), "");
	view.last_inbound_ms = NOW_MS - 60000;
	CHECK_EQ("DU-22: then the next", plan(&view), "^d");
	view.inbound_batch = 0;
	peers[3].temperature = TEMPERATURE_COOLING;
	CHECK_EQ("DU-1: one that cools down is not taken up again", plan(&view), "^a");
}

/** Do what was planned, as a node that always succeeds would. */
static void follow(struct target_view *view, uint32_t *n)
{
	for (uint32_t i = 0; i < n_actions; i++) {
		uint32_t at = 0;
		while (at < *n && peers[at].id != actions[i].id)
			at++;
		switch (actions[i].kind) {
		case TARGET_CONNECT:
			if (at == *n)
				peers[(*n)++] = (struct target_peer){
					.id = actions[i].id, .group = TARGET_NO_GROUP, .rank = 0.5};
			peers[at].temperature = TEMPERATURE_WARM;
			break;
		case TARGET_PROMOTE:
			CHECK_EQ("only warm ones become hot", (int)peers[at].temperature,
				(int)TEMPERATURE_WARM);
			peers[at].temperature = TEMPERATURE_HOT;
			break;
		case TARGET_DEMOTE:
			CHECK_TRUE("only free hot ones become warm",
				peers[at].temperature == TEMPERATURE_HOT && !peers[at].is_protected &&
					peers[at].group == TARGET_NO_GROUP);
			peers[at].temperature = TEMPERATURE_WARM;
			break;
		case TARGET_DISCONNECT:
			CHECK_TRUE("only free warm ones are closed",
				peers[at].temperature == TEMPERATURE_WARM && !peers[at].is_protected &&
					peers[at].group == TARGET_NO_GROUP);
			peers[at] = peers[--*n];
			break;
		default:
			break;
		}
	}
	view->n = *n;
	view->n_cold = 0;
}

static void test_settling(void)
{
	struct keyed_random random = keyed_random_from_seed(31, 1);
	for (unsigned round = 0; round < 2000; round++) {
		uint32_t n = (uint32_t)keyed_random_below(&random, 40);
		struct target_group groups[2] = {{1, 2}, {0, 1}};
		for (uint32_t i = 0; i < n; i++) {
			peers[i] = (struct target_peer){.id = i,
				.temperature = (enum temperature)keyed_random_below(&random, 3),
				.group = keyed_random_below(&random, 6) == 0
						 ? (uint32_t)keyed_random_below(&random, 2)
						 : TARGET_NO_GROUP,
				.big_ledger = keyed_random_below(&random, 5) == 0,
				.is_protected = keyed_random_below(&random, 9) == 0,
				.rank = (double)keyed_random_below(&random, 100) / 100};
			/* Cold peers are only listed when a group or the big ledger names them. */
			if (peers[i].temperature == TEMPERATURE_COLD && peers[i].group == TARGET_NO_GROUP)
				peers[i].big_ledger = true;
		}
		struct target_view view = view_of(n);
		view.sync = (enum sync_state)keyed_random_below(&random, 3);
		view.groups = groups;
		view.n_groups = 2;
		view.targets.normal.active = (uint32_t)keyed_random_below(&random, 15);
		view.targets.normal.established =
			view.targets.normal.active + (uint32_t)keyed_random_below(&random, 10);
		for (uint32_t i = 0; i < COLD_MAX; i++)
			cold[i] = 1000 + i;
		view.n_cold = (uint32_t)keyed_random_below(&random, COLD_MAX);
		unsigned turns = 0;
		do {
			(void)plan(&view);
			if (!CHECK_TRUE("at most one action a peer, and room for all",
				    n_actions <= view.n + view.n_cold + 3))
				return;
			follow(&view, &n);
		} while (n_actions != 0 && ++turns < 60);
		if (!CHECK_TRUE("it comes to rest", turns < 60))
			return;
		uint32_t hot = 0, free_hot = 0;
		for (uint32_t i = 0; i < n; i++) {
			bool counted = peers[i].temperature == TEMPERATURE_HOT && !peers[i].big_ledger;
			hot += counted;
			free_hot += counted && !peers[i].is_protected && peers[i].group == TARGET_NO_GROUP;
		}
		if (!CHECK_TRUE("and then nobody is hot beyond the target who may be demoted",
			    hot <= view.targets.normal.active || free_hot == 0))
			return;
	}
}

static const struct check_test tests[] = {
	{"deficits", test_deficit},
	{"surplus", test_surplus},
	{"valency", test_valency},
	{"stalling", test_stall},
	{"big ledger peers", test_big_ledger},
	{"how long an inbound peer is warm first", test_dwell},
	{"who may become hot", test_candidates},
	{"random fields settle", test_settling},
};
CHECK_MAIN("target_plan", tests)
