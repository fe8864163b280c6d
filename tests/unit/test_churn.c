/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/churn.c: the reduced targets of three systems (V24), their times (DU-16), the choice of
 * victims (5.5.12), and that targets are restored exactly whatever changes in between.
 */
#include <string.h>

#include "control/churn.h"
#include "control/keyed_random.h"
#include "tests/check.h"

#define AT(seconds) ((int64_t)(seconds)*1000)

static void test_decrease(void)
{
	static const struct {
		uint32_t u, v, left;
	} cases[] = {{1, 15, 12}, {1, 20, 16}, {1, 4, 3}, {1, 1, 0}, {1, 25, 20}, {3, 10, 7}, {4, 10, 6},
		{1, 0, 0}, {9, 5, 0}};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ("V24: decreaseWithMin", churn_decrease(cases[i].u, cases[i].v), cases[i].left);
}

static void test_targets(void)
{
	struct churn churn = {.phase = CHURN_PHASE_ACTIVE};
	struct target_set reduced = churn_targets(&churn, &churn_dugite, &target_dugite);
	CHECK_EQ("V24, simple: active 15", reduced.normal.active, 12u);
	CHECK_EQ("V24, simple: established 40", reduced.normal.established, 32u);
	CHECK_EQ("V24, simple: big ledger established 10", reduced.big_ledger.established, 8u);
	CHECK_EQ("V24, simple: big ledger active 5", reduced.big_ledger.active, 4u);
	CHECK_EQ("5.5.12, simple: known stays", reduced.normal.known, 85u);
	CHECK_EQ("5.5.12, simple: roots stay", reduced.root, 60u);

	static const struct {
		const char *name;
		struct target_set base;
		uint32_t active, established, known, root, big_active, big_established, big_known;
	} cases[] = {
		{"V24: a relay", {60, {150, 30, 20}, {15, 10, 5}}, 16, 26, 126, 54, 4, 9, 14},
		{"V24: 15, 40, 100", {60, {100, 40, 15}, {15, 10, 5}}, 12, 35, 88, 56, 4, 9, 14},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		const struct target_set *base = &cases[i].base;
		churn.phase = CHURN_PHASE_ACTIVE;
		reduced = churn_targets(&churn, &churn_ouroboros, base);
		CHECK_EQ(cases[i].name, reduced.normal.active, cases[i].active);
		CHECK_EQ(cases[i].name, reduced.big_ledger.active, cases[i].big_active);
		CHECK_EQ("only one at a time", reduced.normal.established, base->normal.established);
		churn.phase = CHURN_PHASE_ESTABLISHED;
		reduced = churn_targets(&churn, &churn_ouroboros, base);
		CHECK_EQ(cases[i].name, reduced.normal.established, cases[i].established);
		CHECK_EQ(cases[i].name, reduced.big_ledger.established, cases[i].big_established);
		CHECK_EQ("V24: active is restored before", reduced.normal.active, base->normal.active);
		churn.phase = CHURN_PHASE_KNOWN;
		reduced = churn_targets(&churn, &churn_ouroboros, base);
		CHECK_EQ(cases[i].name, reduced.normal.known, cases[i].known);
		CHECK_EQ(cases[i].name, reduced.big_ledger.known, cases[i].big_known);
		CHECK_EQ(cases[i].name, reduced.root, cases[i].root);
		CHECK_EQ("and established too", reduced.normal.established, base->normal.established);
	}
	struct churn whole = {.phase = CHURN_PHASE_WHOLE};
	CHECK_EQ("5.5.12: bootstrap gives a tenth", churn_free_wanted(&churn, &churn_bootstrap, 50), 5u);
	CHECK_EQ("5.5.12: at least one", churn_free_wanted(&churn, &churn_bootstrap, 3), 1u);
	CHECK_EQ("of nobody, nobody", churn_free_wanted(&churn, &churn_bootstrap, 0), 0u);
	CHECK_EQ("and only in its phase", churn_free_wanted(&whole, &churn_bootstrap, 50), 0u);
	CHECK_EQ("and only there", churn_free_wanted(&churn, &churn_dugite, 50), 0u);
}

static void test_times(void)
{
	struct churn churn;
	churn_begin(&churn, &churn_dugite, SYNC_STATE_CAUGHT_UP, 0, AT(100));
	CHECK_EQ("DU-16: nothing before 3300 s",
		churn_tick(&churn, &churn_dugite, SYNC_STATE_CAUGHT_UP, 0, AT(3399)), CHURN_EVENT_NONE);
	CHECK_EQ("DU-16: then it starts",
		churn_tick(&churn, &churn_dugite, SYNC_STATE_CAUGHT_UP, 0, AT(3400)), CHURN_EVENT_START);
	CHECK_EQ("DU-16: for one tick", churn_tick(&churn, &churn_dugite, SYNC_STATE_CAUGHT_UP, 0, AT(3429)),
		CHURN_EVENT_NONE);
	CHECK_EQ("DU-16: and is restored", churn_tick(&churn, &churn_dugite, SYNC_STATE_SYNCING, 0, AT(3430)),
		CHURN_EVENT_RESTORE);
	CHECK_EQ("DU-16: 900 s before the tip", churn.next_ms, AT(3430 + 900));
	churn_begin(&churn, &churn_ouroboros, SYNC_STATE_CAUGHT_UP, UINT64_MAX, 0);
	CHECK_TRUE("DU-16: up to 600 s of fuzz", churn.next_ms >= AT(3300) && churn.next_ms <= AT(3900));
	churn_begin(&churn, &churn_ouroboros, SYNC_STATE_CAUGHT_UP, 600000, 0);
	CHECK_EQ("DU-16: the last of it", churn.next_ms, AT(3900));
	churn_begin(&churn, &churn_ouroboros, SYNC_STATE_SYNCING, 60000, 0);
	CHECK_EQ("DU-16: up to 60 s before the tip", churn.next_ms, AT(960));
	static const enum churn_event sequence[] = {CHURN_EVENT_START, CHURN_EVENT_STEP, CHURN_EVENT_STEP,
		CHURN_EVENT_RESTORE, CHURN_EVENT_START};
	for (size_t i = 0; i < CHECK_COUNT(sequence); i++)
		CHECK_EQ("V24: active, established, known, whole, and again",
			churn_tick(&churn, &churn_ouroboros, SYNC_STATE_SYNCING, 0, churn.next_ms),
			sequence[i]);
	struct churn_policy off = {.mode = CHURN_OFF};
	CHECK_EQ("turned off, it is restored", churn_tick(&churn, &off, SYNC_STATE_SYNCING, 0, churn.next_ms),
		CHURN_EVENT_RESTORE);
	CHECK_EQ("and nothing is due", churn.next_ms, INT64_MAX);
}

static void test_resync(void)
{
	const struct churn_policy off = {.mode = CHURN_OFF};
	struct churn churn;
	churn_begin(&churn, &churn_dugite, SYNC_STATE_CAUGHT_UP, 0, AT(100));
	churn_resync(&churn, &churn_dugite, SYNC_STATE_CAUGHT_UP, SYNC_STATE_SYNCING, 0, AT(200));
	CHECK_EQ("DU-16: syncing, it starts 900 s after the last cycle", churn.next_ms, AT(1000));
	churn_resync(&churn, &churn_dugite, SYNC_STATE_SYNCING, SYNC_STATE_PRE_SYNCING, 0, AT(300));
	CHECK_EQ("DU-16: both states before the tip are alike", churn.next_ms, AT(1000));
	churn_resync(&churn, &churn_dugite, SYNC_STATE_SYNCING, SYNC_STATE_CAUGHT_UP, 0, AT(999));
	CHECK_EQ("DU-16: at the tip again, the long wait of the same cycle", churn.next_ms, AT(3400));
	churn_resync(&churn, &churn_dugite, SYNC_STATE_CAUGHT_UP, SYNC_STATE_SYNCING, 0, AT(2000));
	CHECK_EQ("DU-16: what is over by then is due now", churn.next_ms, AT(2000));
	CHECK_EQ("DU-16: and starts", churn_tick(&churn, &churn_dugite, SYNC_STATE_SYNCING, 0, AT(2000)),
		CHURN_EVENT_START);
	churn_resync(&churn, &churn_dugite, SYNC_STATE_SYNCING, SYNC_STATE_CAUGHT_UP, 0, AT(2010));
	CHECK_EQ("DU-16: what is reduced is restored in its time", churn.next_ms, AT(2030));
	(void)churn_tick(&churn, &churn_dugite, SYNC_STATE_CAUGHT_UP, 0, AT(2030));
	churn_resync(&churn, &churn_dugite, SYNC_STATE_CAUGHT_UP, SYNC_STATE_SYNCING, 0, AT(2031));
	CHECK_EQ("DU-16: and counts from there", churn.next_ms, AT(2930));
	churn_begin(&churn, &churn_ouroboros, SYNC_STATE_CAUGHT_UP, 0, 0);
	churn_resync(&churn, &churn_ouroboros, SYNC_STATE_CAUGHT_UP, SYNC_STATE_SYNCING, 60000, AT(1));
	CHECK_EQ("DU-16: with the fuzz before the tip", churn.next_ms, AT(960));
	churn_begin(&churn, &off, SYNC_STATE_CAUGHT_UP, 0, 0);
	churn_resync(&churn, &off, SYNC_STATE_CAUGHT_UP, SYNC_STATE_SYNCING, 0, AT(1));
	CHECK_EQ("turned off, nothing is due", churn.next_ms, INT64_MAX);
}

static void test_exact_restore(void)
{
	static const struct churn_policy *policies[] = {&churn_dugite, &churn_ouroboros, &churn_bootstrap};
	struct keyed_random random = keyed_random_from_seed(4, 4);
	for (size_t p = 0; p < CHECK_COUNT(policies); p++) {
		struct target_set base = target_dugite;
		enum sync_state sync = SYNC_STATE_CAUGHT_UP;
		struct churn churn;
		unsigned restored = 0;
		int64_t now_ms = 0;
		churn_begin(&churn, policies[p], sync, keyed_random_next(&random), now_ms);
		for (unsigned i = 0; i < 20000; i++) {
			now_ms += (int64_t)keyed_random_below(&random, 100000);
			enum sync_state before = sync;
			if (keyed_random_below(&random, 20) == 0)
				sync = (enum sync_state)keyed_random_below(&random, 3);
			churn_resync(&churn, policies[p], before, sync, keyed_random_next(&random), now_ms);
			base = sync == SYNC_STATE_CAUGHT_UP ? target_dugite : target_dugite_sync;
			if (keyed_random_below(&random, 20) == 0)
				base.normal.active =
					(uint32_t)keyed_random_below(&random, base.normal.established + 1);
			restored += churn_tick(&churn, policies[p], sync, keyed_random_next(&random),
					    now_ms) == CHURN_EVENT_RESTORE;
			struct target_set now = churn_targets(&churn, policies[p], &base);
			bool good = CHECK_EQ(
				"reduced targets are sane", target_set_flaw(&now), (const char *)NULL);
			if (churn.phase == CHURN_PHASE_WHOLE)
				good = good && CHECK_MEM_EQ("whole targets are the configured ones", &now,
						       &base, sizeof(now));
			good = good && CHECK_TRUE("a change is always ahead", churn.next_ms > now_ms);
			if (!good)
				return;
		}
		CHECK_TRUE("it was restored often", restored > 50);
	}
}

static void test_victims(void)
{
	const struct keyed_hash key = {1, 2}, other = {3, 4};
	struct churn churn = {.phase = CHURN_PHASE_ACTIVE, .cycle = 7};
	struct churn_candidate field[12];
	uint32_t victims[12], again[12], n = 0;
	for (uint32_t i = 0; i < 12; i++)
		field[i] = (struct churn_candidate){.id = i, .fetch_ms = 10.0 + i};
	field[11].is_protected = true;
	field[10].cycle = 7;
	field[9].cycle = 6;
	field[0].fetch_ms = -1;
	CHECK_EQ("chosen", churn_choose(&churn, SYNC_STATE_SYNCING, field, 12, 3, &key, victims, &n), 0);
	CHECK_EQ("5.5.12: exactly as many as wanted", n, 3u);
	CHECK_TRUE("DU-16: before the tip the worst fetch goes, nobody measured first, the protected and "
		   "this cycle's never",
		victims[0] == 0 && victims[1] == 9 && victims[2] == 8);
	CHECK_EQ("chosen", churn_choose(&churn, SYNC_STATE_CAUGHT_UP, field, 12, 12, &key, victims, &n), 0);
	CHECK_EQ("never more than may go", n, 10u);
	CHECK_EQ("again", churn_choose(&churn, SYNC_STATE_CAUGHT_UP, field, 12, 12, &key, again, &n), 0);
	CHECK_MEM_EQ("one key, one order", again, victims, n * sizeof(*again));
	CHECK_EQ("other", churn_choose(&churn, SYNC_STATE_CAUGHT_UP, field, 12, 12, &other, again, &n), 0);
	CHECK_TRUE("another key, another", memcmp(again, victims, n * sizeof(*again)) != 0);
	churn.cycle = 8;
	CHECK_EQ("next", churn_choose(&churn, SYNC_STATE_CAUGHT_UP, field, 12, 12, &key, again, &n), 0);
	CHECK_EQ("in the next cycle everybody may go", n, 11u);
	unsigned first[12] = {0};
	for (churn.cycle = 10; churn.cycle < 11010; churn.cycle++) {
		(void)churn_choose(&churn, SYNC_STATE_CAUGHT_UP, field, 12, 1, &key, victims, &n);
		first[victims[0]]++;
	}
	for (unsigned i = 0; i < 11; i++)
		CHECK_NEAR("at the tip each is as likely", (double)first[i], 1000, 160);
	CHECK_EQ("but the protected", first[11], 0u);
}

static const struct check_test tests[] = {
	{"decrease with a minimum", test_decrease},
	{"reduced targets", test_targets},
	{"times and phases", test_times},
	{"when the node begins or ends to sync", test_resync},
	{"restored exactly", test_exact_restore},
	{"victims", test_victims},
};
CHECK_MAIN("churn", tests)
