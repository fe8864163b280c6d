/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/pool.c: limits of each kind (LH-7, LO-3, SP-14), who is worth a connection (LO-5, LO-13),
 * and optimisation (LO-14), which comes to rest. Fixed seed.
 */
#include <string.h>

#include "control/keyed_random.h"
#include "control/pool.h"
#include "tests/check.h"

enum { PEERS = 60 };

static void test_limits(void)
{
	const struct pool_limits fifty = pool_limits_from_target(50);
	static const struct {
		const char *name;
		bool lorachain, inbound;
		struct pool_counts counts;
		uint32_t of_peer;
		const char *refused;
	} cases[] = {
		{"LO-3: the twentieth comes in", true, true, {19, 0, 0, 0}, 0, ""},
		{"LO-3: not the twenty-first", true, true, {20, 0, 0, 0}, 0, "in"},
		{"LO-3: thirty go out", true, false, {0, 29, 0, 0}, 0, ""},
		{"LO-3: not thirty-one", true, false, {0, 30, 0, 0}, 0, "out"},
		{"LO-3: those under way count", true, false, {0, 20, 0, 10}, 0, "out"},
		{"LH-7: 45 come in", false, true, {44, 0, 0, 0}, 0, ""},
		{"LH-7: not 46", false, true, {45, 0, 0, 0}, 0, "in"},
		{"LH-7: five handshakes at once", false, true, {0, 0, 5, 0}, 0, "pending"},
		{"LH-7: sixteen dials at once", false, false, {0, 0, 0, 16}, 0, "pending"},
		{"LH-7: fifteen are less", false, false, {0, 0, 0, 15}, 0, ""},
		{"LH-7: 55 go out", false, false, {0, 55, 0, 0}, 0, "out"},
		{"LH-7: 65 in all", false, false, {20, 45, 0, 0}, 0, "total"},
		{"LH-7: one connection a peer", false, true, {0, 0, 0, 0}, 1, "per_peer"},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name,
			pool_answer_name(pool_admit(cases[i].lorachain ? &pool_lorachain : &fifty,
				&cases[i].counts, cases[i].inbound, cases[i].of_peer)),
			cases[i].refused);
	struct pool_counts full = {30, 20, 0, 0}, one_less = {30, 19, 0, 0};
	CHECK_EQ("SP-14: fifty in all", pool_answer_name(pool_admit(&pool_spacetime, &full, true, 0)),
		"total");
	CHECK_EQ("SP-14: of any direction", pool_answer_name(pool_admit(&pool_spacetime, &one_less, true, 9)),
		"");
}

static void test_wanting(void)
{
	struct pool_peer peers[5] = {{.id = 1, .score = 50, .online = true},
		{.id = 2, .score = 70, .online = true, .light = true},
		{.id = 3, .score = 90, .online = true, .banned = true}, {.id = 4, .score = 80},
		{.id = 5, .score = 50, .online = true}};
	struct pool_policy policy = pool_policy_lorachain;
	uint32_t items[5], n = 0;
	CHECK_EQ("chosen", pool_best(&policy, peers, 5, 5, items, &n), 0);
	CHECK_TRUE("LO-13: online, not banned, by score",
		n == 3 && items[0] == 1 && items[1] == 0 && items[2] == 4);
	policy.bonus_full = 21;
	CHECK_EQ("chosen", pool_best(&policy, peers, 5, 2, items, &n), 0);
	CHECK_TRUE("LO-5: a preferred class comes first", n == 2 && items[0] == 0 && items[1] == 4);
	static const struct {
		const char *name;
		struct pool_peer peer;
		uint32_t out, light;
		bool wanted;
	} cases[] = {
		{"LO-13: worth 30", {.score = 30, .online = true}, 0, 0, true},
		{"LO-13: worth less", {.score = 29.9, .online = true}, 0, 0, false},
		{"LO-13: banned", {.score = 90, .online = true, .banned = true}, 0, 0, false},
		{"LO-13: offline", {.score = 90}, 0, 0, false},
		{"connected already", {.score = 90, .online = true, .connected = true}, 0, 0, false},
		{"LO-13: a light one, four connected", {.score = 90, .online = true, .light = true}, 0, 4,
			true},
		{"LO-13: a light one, five connected", {.score = 90, .online = true, .light = true}, 0, 5,
			false},
		{"LO-13: a full one, five light connected", {.score = 90, .online = true}, 0, 5, true},
		{"LO-13: no place to dial from", {.score = 90, .online = true}, 30, 0, false},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name,
			pool_wants(&pool_policy_lorachain, &pool_lorachain, &cases[i].peer, cases[i].out,
				cases[i].light),
			cases[i].wanted);
}

static void test_optimising(void)
{
	struct keyed_random random = keyed_random_from_seed(13, 3);
	struct pool_policy policy = pool_policy_lorachain;
	policy.size = 12;
	for (unsigned round = 0; round < 500; round++) {
		struct pool_peer peers[PEERS];
		uint32_t drop[PEERS], dial[PEERS], out = 0;
		struct pool_changes changes = {.drop = drop, .dial = dial};
		for (uint32_t i = 0; i < PEERS; i++)
			peers[i] = (struct pool_peer){.id = i,
				.score = (double)keyed_random_below(&random, 100),
				.light = keyed_random_below(&random, 2) == 0,
				.online = keyed_random_below(&random, 4) != 0,
				.banned = keyed_random_below(&random, 8) == 0,
				.connected = keyed_random_below(&random, 4) == 0,
				.is_protected = keyed_random_below(&random, 8) == 0};
		CHECK_EQ(
			"optimised", pool_optimise(&policy, &pool_lorachain, peers, PEERS, out, &changes), 0);
		double worst_kept = 1000;
		for (uint32_t i = 0; i < changes.n_drop; i++) {
			CHECK_TRUE("LO-14: only connected, unprotected ones are dropped",
				peers[drop[i]].connected && !peers[drop[i]].is_protected);
			peers[drop[i]].connected = false;
		}
		for (uint32_t i = 0; i < changes.n_dial; i++) {
			CHECK_TRUE("LO-14: only those worth it are dialled",
				pool_wants(&policy, &pool_lorachain, &peers[dial[i]], 0, 0));
			peers[dial[i]].connected = true;
			worst_kept = peers[dial[i]].score < worst_kept ? peers[dial[i]].score : worst_kept;
		}
		for (uint32_t i = 0; i < changes.n_drop; i++)
			if (!peers[drop[i]].banned && peers[drop[i]].online &&
				!CHECK_TRUE("LO-14: nobody is dropped for a worse one",
					peers[drop[i]].score <= worst_kept))
				return;
		CHECK_EQ("again", pool_optimise(&policy, &pool_lorachain, peers, PEERS, out, &changes), 0);
		if (!CHECK_EQ("LO-14: a second round changes nothing", changes.n_drop + changes.n_dial, 0u))
			return;
	}
}

static const struct check_test tests[] = {
	{"limits", test_limits},
	{"who is wanted", test_wanting},
	{"optimising", test_optimising},
};
CHECK_MAIN("pool", tests)
