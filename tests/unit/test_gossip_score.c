/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/gossip_score.c with control/score.c: combination and states (V1, LH-12, LH-13, LH-17),
 * forgiveness (LH-18), and that gossip alone never disconnects. Fixed seed.
 */
#include <errno.h>
#include <math.h>

#include "control/gossip_score.h"
#include "control/keyed_random.h"
#include "control/score.h"
#include "tests/check.h"

static const struct governor_config config = {
	.penalty_half_life_s = 600, .threshold_disconnect = -20, .threshold_ban = -50, .threshold_hard = -60};

static void test_combining(void)
{
	enum { OK = SCORE_STATE_HEALTHY, DISC = SCORE_STATE_DISCONNECT, BAN = SCORE_STATE_BANNED };
	static const struct {
		double app, gossip;
		bool ignore;
		double combined;
		int state;
	} cases[] = {
		{0, 0, false, 0, OK},
		{0, -16000, false, -19, OK},
		{-1, -16000, false, -20, DISC},
		{-1.0001, -16000, false, -20.0001, DISC},
		{0, -16842, false, -19, OK},
		{0, -16843, false, -19, OK},
		{-30, -8000, false, -39.5, DISC},
		{-45, -4000, false, -49.75, DISC},
		{-46, -4000, false, -50.75, BAN},
		{-60, 16000, false, -60, BAN},
		{-59.9, 16000, false, -40.9, DISC},
		{-19, -16000, true, -19, OK},
		{-19, 8000, true, -9.5, OK},
		{-100, -16000, false, -100, BAN},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct score score = {.value = cases[i].app};
		CHECK_EQ("V1",
			gossip_score_points(
				&gossip_lighthouse, cases[i].gossip, cases[i].ignore, &score.gossip),
			0);
		CHECK_NEAR("V1: the combined score", score_combined_at(&score, &config, 0), cases[i].combined,
			1e-9);
		CHECK_EQ("V1: its state", (int)score_state_at(&score, &config, 0), cases[i].state);
	}
	double points = 7;
	CHECK_EQ(
		"5.5.4: not a number", gossip_score_points(&gossip_lighthouse, NAN, false, &points), -EINVAL);
	CHECK_EQ("5.5.4: infinite", gossip_score_points(&gossip_lighthouse, -INFINITY, false, &points),
		-EINVAL);
	CHECK_NEAR("sets nothing", points, 7, 0);
}

static void test_calibration(void)
{
	struct keyed_random random = keyed_random_from_seed(17, 1);
	for (unsigned i = 0; i < 20000; i++) {
		double gossip = -(double)(keyed_random_next(&random) >> keyed_random_below(&random, 64));
		struct score score = {.value = 0};
		(void)gossip_score_points(&gossip_lighthouse, gossip, false, &score.gossip);
		if (!CHECK_EQ("LH-17: gossip alone never disconnects",
			    (int)score_state_at(&score, &config, 0), (int)SCORE_STATE_HEALTHY))
			return;
	}
}

static void test_forgiveness(void)
{
	static const double gossip[] = {5, -100, -1, -50, 0, -2000, -1};
	bool ignore[7];
	CHECK_EQ("chosen", gossip_score_forgive(gossip, 7, 3, ignore), 0);
	CHECK_TRUE("LH-18: the best of the negative ones", ignore[2] && ignore[6] && ignore[3]);
	CHECK_FALSE("LH-18: and nobody else", ignore[0] || ignore[1] || ignore[4] || ignore[5]);
	CHECK_EQ("chosen", gossip_score_forgive(gossip, 7, 0, ignore), 0);
	CHECK_FALSE("none when none may be", ignore[2]);
	CHECK_EQ("of nobody", gossip_score_forgive(gossip, 0, 3, ignore), 0);
}

static const struct check_test tests[] = {
	{"V1: combined scores", test_combining},
	{"LH-17: calibration", test_calibration},
	{"LH-18: forgiveness", test_forgiveness},
};
CHECK_MAIN("gossip_score", tests)
