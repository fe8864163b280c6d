// SPDX-License-Identifier: BSD-3-Clause
/* Tests of bench/traffic_rotate.h and bench/traffic_alias.h: the index of slots against a plain search under
 * many moves, and draws by weight against their weights.
 */
#include <string.h>

#include "bench/traffic_alias.h"
#include "bench/traffic_rotate.h"
#include "tests/check.h"

/* Slots move at random, answers come for known and unknown addresses; a plain array says what must be. */
static void test_index(void)
{
	enum { SLOTS = 500, STEPS = 50000, PATIENCE = 3 };
	static struct address known[SLOTS];
	static unsigned unanswered[SLOTS];
	static bool used[SLOTS];
	unsigned wrong = 0, turn = 0;
	struct traffic_rotate rotate;
	uint64_t state = 5;

	CHECK_EQ("created", traffic_rotate_create(&rotate, SLOTS, PATIENCE), 0);
	for (unsigned step = 0; step < STEPS; step++) {
		bool keeps = used[turn] && unanswered[turn] < PATIENCE;
		struct address address;

		if (traffic_rotate_next(&rotate, &address)) {
			wrong += !keeps || address_compare(&address, &known[turn]) != 0;
		} else {
			wrong += keeps;
			/* few different addresses, so that several slots share one now and then */
			address =
				address_from_v4(0x0a000000 + (uint32_t)traffic_random_below(&state, 1 << 16));
			traffic_rotate_move(&rotate, &address);
			known[turn] = address;
			used[turn] = true;
			unanswered[turn] = 0;
		}
		unanswered[turn]++;
		turn = (turn + 1) % SLOTS;

		unsigned lucky = (unsigned)traffic_random_below(&state, SLOTS), same = 0;
		for (unsigned i = 0; i < SLOTS; i++)
			same += used[i] && used[lucky] && address_compare(&known[i], &known[lucky]) == 0;
		/* of several slots with one address any may be meant */
		if (same == 1 && step % 4 == 0) {
			traffic_rotate_answered(&rotate, &known[lucky]);
			unanswered[lucky] = 0;
		}
		address = address_from_v4(0x0b000000 + step);
		traffic_rotate_answered(&rotate, &address);
	}
	CHECK_EQ("slots keep and move as they should", wrong, 0);
	CHECK_TRUE("many moved", rotate.moves > 1000);
	traffic_rotate_done(&rotate);
}

static void test_weights(void)
{
	static const struct {
		const char *name;
		double weights[4];
		uint32_t n;
	} cases[] = {
		{"one", {3}, 1},
		{"equal", {1, 1, 1, 1}, 4},
		{"one is rich", {1000, 1, 1, 1}, 4},
		{"one has nothing", {1, 0, 2, 5}, 4},
	};
	enum { DRAWS = 100000 };

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		double weights[4], sum = 0;
		unsigned counts[4] = {0};
		struct traffic_alias alias;
		uint64_t state = 5;

		memcpy(weights, cases[i].weights, sizeof(weights));
		CHECK_EQ(cases[i].name, traffic_alias_create(&alias, weights, cases[i].n), 0);
		for (unsigned k = 0; k < DRAWS; k++)
			counts[traffic_alias_draw(&alias, &state)]++;
		for (unsigned k = 0; k < cases[i].n; k++)
			sum += cases[i].weights[k];
		/* 5 standard deviations of at most sqrt(0.25 / DRAWS) */
		for (unsigned k = 0; k < cases[i].n; k++)
			CHECK_NEAR(
				cases[i].name, counts[k] / (double)DRAWS, cases[i].weights[k] / sum, 0.008);
		traffic_alias_done(&alias);
	}
}

static const struct check_test tests[] = {
	{"slots are found under moves", test_index},
	{"weights are kept", test_weights},
};
CHECK_MAIN("traffic_rotate", tests)
