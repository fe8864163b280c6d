/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/target.c: derived limits (V6), discovery (LH-4, 5.6), admission (LH-8), the throttle (V9),
 * the soft limit (V23), Stellar's slots (V32), sanity of targets (5.3 K), the big ledger (DU-13).
 */
#include <stdio.h>

#include "control/target.h"
#include "tests/check.h"

static void test_limits(void)
{
	static const struct target_limits expected[] = {
		{50, 55, 65, 60, 10, 15, 45, 5},
		{100, 110, 130, 120, 20, 30, 90, 10},
		{1, 2, 2, 2, 1, 1, 1, 1},
		{0, 0, 0, 0, 0, 0, 0, 0},
	};
	for (size_t i = 0; i < CHECK_COUNT(expected); i++) {
		struct target_limits limits;
		const struct target_limits *want = &expected[i];
		target_limits(want->target, &target_lighthouse, &limits);
		CHECK_EQ("V6, LH-2: the most", limits.max, want->max);
		CHECK_EQ("V6, LH-5: with duties", limits.priority, want->priority);
		CHECK_EQ("V6: dialling", limits.dial_out, want->dial_out);
		CHECK_EQ("V6, LH-4: outbound at least", limits.min_out, want->min_out);
		CHECK_EQ("V6, LH-3: outbound wanted", limits.target_out, want->target_out);
		CHECK_EQ("V6, LH-7: inbound at most", limits.max_in, want->max_in);
		CHECK_EQ("V6, LH-18: forgiven by gossip", limits.ignore_negative, want->ignore_negative);
	}
	CHECK_EQ("the largest target does not overflow", target_per_mille(UINT32_MAX, 2000), UINT32_MAX);
}

static void test_discovery(void)
{
	static const struct {
		const char *name;
		uint32_t connected, outbound, dialing, wanted;
	} cases[] = {
		{"5.6, LH-4: enough peers, too few outbound", 50, 9, 0, 10},
		{"5.6, LH-4: too few peers", 40, 9, 0, 15},
		{"5.6, LH-4: enough of both", 50, 10, 0, 0},
		{"5.5.20: too few peers, though outbound is enough", 40, 20, 0, 15},
		{"those being dialled count", 40, 9, 10, 10},
		{"and may be enough", 40, 10, 10, 0},
		{"LH-4: not beyond the limit of dialling", 60, 0, 0, 0},
		{"above every limit", 100, 0, 0, 0},
		{"nobody at all", 0, 0, 0, 55},
	};
	struct target_limits limits;
	target_limits(50, &target_lighthouse, &limits);
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name,
			target_discover(&limits, cases[i].connected, cases[i].outbound, cases[i].dialing),
			cases[i].wanted);
}

static void test_admission(void)
{
	static const struct {
		const char *name;
		bool inbound, duty;
		uint32_t connected, dialing;
		bool admitted;
	} cases[] = {
		{"LH-8: inbound below the most", true, false, 54, 0, true},
		{"LH-2: inbound at the most", true, false, 55, 0, false},
		{"LH-8: those being dialled count against inbound", true, false, 50, 5, false},
		{"LH-8: outbound reaches further", false, false, 59, 30, true},
		{"LH-8: but not beyond", false, false, 60, 0, false},
		{"LH-5: a duty bypasses", true, true, 64, 0, true},
		{"LH-5: up to its own limit", true, true, 65, 0, false},
	};
	struct target_limits limits;
	target_limits(50, &target_lighthouse, &limits);
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name,
			target_admits(&limits, cases[i].inbound, cases[i].duty, cases[i].connected,
				cases[i].dialing),
			cases[i].admitted);
	CHECK_TRUE("V9: we close one of 51", target_throttles(50, 50, true, false));
	CHECK_FALSE("V9: we close one of 50", target_throttles(50, 49, true, false));
	CHECK_FALSE("V9: the remote closes one of 51", target_throttles(50, 50, false, false));
	CHECK_TRUE("V9: unless any close counts", target_throttles(50, 50, false, true));
	CHECK_TRUE("V9: refused with 55 of 50 connected", target_throttles(50, 55, true, false));
}

static void test_soft(void)
{
	static const struct {
		const char *name;
		enum target_soft_mode mode;
		uint32_t n;
		double delay_s; /* negative: refused */
	} cases[] = {
		{"V23: 383", TARGET_SOFT_LINEAR, 383, 0},
		{"V23: 384", TARGET_SOFT_LINEAR, 384, 0},
		{"V23: 385", TARGET_SOFT_LINEAR, 385, 0.0390625},
		{"V23: 400", TARGET_SOFT_LINEAR, 400, 0.625},
		{"V23: 448", TARGET_SOFT_LINEAR, 448, 2.5},
		{"V23: 511", TARGET_SOFT_LINEAR, 511, 4.9609375},
		{"V23: 512", TARGET_SOFT_LINEAR, 512, -1},
		{"dugite: 383", TARGET_SOFT_FIXED, 383, 0},
		{"V23, dugite: 384", TARGET_SOFT_FIXED, 384, 5},
		{"V23, dugite: 511", TARGET_SOFT_FIXED, 511, 5},
		{"V23, dugite: 512", TARGET_SOFT_FIXED, 512, -1},
		{"off: 511", TARGET_SOFT_NONE, 511, 0},
		{"off: 512", TARGET_SOFT_NONE, 512, -1},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct target_soft soft = {cases[i].mode, 384, 512, 5};
		double delay_s = -1;
		CHECK_EQ(
			cases[i].name, target_soft_delay(&soft, cases[i].n, &delay_s), cases[i].delay_s >= 0);
		CHECK_NEAR(cases[i].name, delay_s, cases[i].delay_s, 1e-9);
	}
	struct target_soft same = {TARGET_SOFT_LINEAR, 10, 10, 5};
	double delay_s;
	CHECK_TRUE("soft and hard alike divide by nothing",
		target_soft_delay(&same, 9, &delay_s) && delay_s == 0);
}

static void test_slots(void)
{
	struct target_slots slots;
	target_slots(8, 500, &slots);
	CHECK_EQ("V32: inbound", slots.inbound_max, 64u);
	CHECK_EQ("V32: pending outbound", slots.pending_out, 56u);
	CHECK_EQ("V32: pending inbound", slots.pending_in, 444u);
	CHECK_TRUE("V32: 443 are not all", target_slots_admit(&slots, 443, false));
	CHECK_FALSE("V32: 444 are", target_slots_admit(&slots, 444, false));
	CHECK_TRUE("V32: not for the possibly preferred", target_slots_admit(&slots, 444, true));
	CHECK_TRUE("V32: 445", target_slots_admit(&slots, 445, true));
	CHECK_FALSE("V32: 446", target_slots_admit(&slots, 446, true));
	CHECK_EQ("V32: the cap with 64 inbound", target_slots_outbound(1000, 64), 24u);
	CHECK_EQ("V32: nobody reaches us", target_slots_outbound(8, 0), 3u);
	CHECK_EQ("HE-13: many do", target_slots_outbound(8, 64), 8u);
	target_slots(0, 0, &slots);
	CHECK_EQ("no target, no places", slots.pending_in + slots.pending_out + slots.inbound_max, 0u);
}

static void test_sanity(void)
{
	static const struct {
		const char *name;
		struct target_set targets;
		bool sane;
	} cases[] = {
		{"zero", {0}, true},
		{"equal", {5, {5, 5, 5}, {5, 5, 5}}, true},
		{"active above established", {0, {10, 5, 6}, {0}}, false},
		{"established above known", {0, {4, 5, 5}, {0}}, false},
		{"known above 10000", {0, {10001, 5, 5}, {0}}, false},
		{"established above 1000", {0, {2000, 1001, 5}, {0}}, false},
		{"active above 100", {0, {2000, 1000, 101}, {0}}, false},
		{"root above known", {6, {5, 5, 5}, {0}}, false},
		{"the other level", {0, {0}, {10, 5, 6}}, false},
		{"the largest", {10000, {10000, 1000, 100}, {10000, 1000, 100}}, true},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name, target_set_flaw(&cases[i].targets) == NULL, cases[i].sane);
	CHECK_TRUE("DU-11: the presets are sane", target_set_flaw(&target_dugite) == NULL &&
							  target_set_flaw(&target_dugite_sync) == NULL &&
							  target_set_flaw(&target_ouroboros) == NULL);
}

static void test_big_ledger(void)
{
	static const struct {
		const char *name;
		double stakes[10];
		const char *big;
	} cases[] = {
		{"DU-13: nine of ten equal ones", {1, 1, 1, 1, 1, 1, 1, 1, 1, 1}, "1111111110"},
		{"DU-13: one that holds nine tenths", {5, 90, 5}, "0100000000"},
		{"DU-13: one that holds less needs another", {6, 89, 5}, "1100000000"},
		{"no stake, nobody", {0}, "0000000000"},
	};
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct target_stake peers[10];
		char text[11] = {0};
		uint32_t big = 99, marked = 0;
		for (unsigned j = 0; j < 10; j++)
			peers[j] = (struct target_stake){cases[i].stakes[j], true};
		CHECK_EQ(cases[i].name, target_big_ledger(peers, 10, &big), 0);
		for (unsigned j = 0; j < 10; j++) {
			text[j] = peers[j].big ? '1' : '0';
			marked += peers[j].big;
		}
		CHECK_EQ(cases[i].name, (const char *)text, cases[i].big);
		CHECK_EQ("counted", big, marked);
	}
}

static const struct check_test tests[] = {
	{"what follows from a target", test_limits},
	{"discovery", test_discovery},
	{"admission and throttle", test_admission},
	{"soft and hard limit", test_soft},
	{"Stellar's slots", test_slots},
	{"sane targets", test_sanity},
	{"big ledger peers", test_big_ledger},
};
CHECK_MAIN("target", tests)
