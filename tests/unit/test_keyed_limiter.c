/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of control/keyed_limiter.c: windows (V30), quotas (LH-27), requests for peers (SP-13), bounded memory
 * (DU-21), and random traffic against plain lists of times. Fixed seed.
 */
#include <errno.h>
#include <string.h>

#include "control/keyed_limiter.h"
#include "control/keyed_random.h"
#include "tests/check.h"

#define AT(seconds) ((int64_t)((seconds)*1000.0))

static struct keyed_limiter limiter;

static void open_limiter(uint32_t capacity)
{
	CHECK_EQ("a limiter", keyed_limiter_init(&limiter, capacity), 0);
}

static void test_window(void)
{
	static const struct {
		const char *name;
		double at_s;
		bool allowed;
	} cases[] = {
		{"V30: 0", 0, true},
		{"V30: 1", 1, true},
		{"V30: 2", 2, true},
		{"V30: 3", 3, true},
		{"V30: 4", 4, true},
		{"V30: 5", 5, false},
		{"V30: 59.9", 59.9, false},
		{"V30: 60", 60, true},
		{"V30: 60.5", 60.5, false},
		{"V30: 61", 61, true},
	};
	open_limiter(10);
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		int64_t wait_ms = -1;
		CHECK_EQ(cases[i].name,
			keyed_limiter_allow(&limiter, &limiter_opens, 1, 1, AT(cases[i].at_s), &wait_ms),
			cases[i].allowed);
	}
	int64_t wait_ms = -1;
	CHECK_FALSE("refused", keyed_limiter_allow(&limiter, &limiter_opens, 1, 1, AT(61.5), &wait_ms));
	CHECK_EQ("it says for how long", wait_ms, 500);
	CHECK_TRUE("another address has its own",
		keyed_limiter_allow(&limiter, &limiter_opens, 2, 1, AT(61.5), &wait_ms));
	keyed_limiter_fini(&limiter);
}

static void test_quotas(void)
{
	static const struct {
		const char *name, *protocol;
		double at_s;
		uint32_t count;
		bool allowed;
		double wait_s;
	} cases[] = {
		{"LH-27: two pings", "ping", 0, 2, true, 0},
		{"LH-27: not a third", "ping", 0, 1, false, 5},
		{"LH-27: one after half the time", "ping", 5, 1, true, 0},
		{"LH-27: and then none", "ping", 5, 1, false, 5},
		{"LH-27: all after the whole time", "ping", 15, 2, true, 0},
		{"LH-27: never more than all", "ping", 100, 3, false, -1},
		{"LH-27: five statuses", "status", 0, 5, true, 0},
		{"LH-27: not a sixth", "status", 2.999, 1, false, 0.001},
		{"LH-27: but after 3 s", "status", 3, 1, true, 0},
		{"LH-27: a goodbye", "goodbye", 0, 1, true, 0},
		{"LH-27: not two", "goodbye", 9.999, 1, false, 0.001},
		{"LH-27: blocks by the thousand", "blocks_by_range", 0, 1024, true, 0},
		{"LH-27: half of them after half the time", "blocks_by_range", 5, 512, true, 0},
		{"LH-27: and no more", "blocks_by_range", 5, 1, false, 0.01},
		{"LH-27: metadata", "metadata", 0, 2, true, 0},
	};
	open_limiter(100);
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		const struct limiter_policy *policy = limiter_request_quota(cases[i].protocol);
		int64_t wait_ms = 0;
		if (!CHECK_TRUE(cases[i].name, policy != NULL))
			continue;
		uint64_t key = strlen(cases[i].protocol);
		CHECK_EQ(cases[i].name,
			keyed_limiter_allow(
				&limiter, policy, key, cases[i].count, AT(cases[i].at_s), &wait_ms),
			cases[i].allowed);
		CHECK_EQ(cases[i].name, wait_ms, cases[i].wait_s < 0 ? INT64_MAX : AT(cases[i].wait_s));
	}
	CHECK_TRUE("a protocol without quota", limiter_request_quota("other") == NULL);
	keyed_limiter_fini(&limiter);
}

static void test_exchange(void)
{
	int64_t wait_ms = 0, now_ms = 0;
	open_limiter(10);
	CHECK_TRUE(
		"SP-13: the first", keyed_limiter_allow(&limiter, &limiter_peer_exchange, 1, 1, 0, &wait_ms));
	CHECK_FALSE("SP-13: not twice in 300 s",
		keyed_limiter_allow(&limiter, &limiter_peer_exchange, 1, 1, AT(299), &wait_ms));
	CHECK_EQ("SP-13: but in a second", wait_ms, AT(1));
	for (unsigned i = 1; i < 100; i++) {
		now_ms += AT(300);
		CHECK_TRUE("SP-13: every 300 s for ever",
			keyed_limiter_allow(&limiter, &limiter_peer_exchange, 1, 1, now_ms, &wait_ms));
	}
	struct limiter_policy bucket = limiter_peer_exchange;
	bucket.interval_ms = 0;
	unsigned allowed = 0;
	for (unsigned i = 0; i < 20; i++)
		allowed += keyed_limiter_allow(&limiter, &bucket, 2, 1, AT(1), &wait_ms);
	CHECK_EQ("SP-13: a burst of ten", allowed, 10u);
	CHECK_EQ("SP-13: then one a minute", wait_ms, AT(60));
	keyed_limiter_fini(&limiter);
}

static void test_bounded(void)
{
	int64_t wait_ms = 0;
	CHECK_EQ("for nobody", keyed_limiter_init(&limiter, 0), -EINVAL);
	open_limiter(100);
	for (uint64_t key = 0; key < 100000; key++)
		if (!CHECK_TRUE("DU-21: newcomers always get in",
			    keyed_limiter_allow(&limiter, &limiter_opens, key, 1, AT(1), &wait_ms)))
			break;
	CHECK_EQ("memory is bounded", limiter.records.n_used, 100u);
	CHECK_EQ("and what was forgotten is counted", limiter.forgotten, 99900u);
	for (unsigned i = 0; i < 5; i++) {
		(void)keyed_limiter_allow(&limiter, &limiter_opens, 7, 1, AT(2), &wait_ms);
		for (uint64_t key = 0; key < 99; key++)
			(void)keyed_limiter_allow(
				&limiter, &limiter_opens, 1000000 + i * 99 + key, 1, AT(2), &wait_ms);
	}
	CHECK_FALSE("who is heard of again is not forgotten",
		keyed_limiter_allow(&limiter, &limiter_opens, 7, 1, AT(2), &wait_ms));
	keyed_limiter_fini(&limiter);
}

static void test_random(void)
{
	enum { KEYS = 5, STEPS = 20000, KEEP = 32 };
	static int64_t times[KEYS][STEPS];
	unsigned n[KEYS] = {0};
	struct keyed_random random = keyed_random_from_seed(6, 6);
	int64_t now_ms = 0;
	open_limiter(KEYS);
	for (unsigned i = 0; i < STEPS; i++) {
		uint64_t key = keyed_random_below(&random, KEYS);
		unsigned inside = 0;
		int64_t wait_ms = 0;
		now_ms += (int64_t)keyed_random_below(&random, 8000);
		for (unsigned j = n[key] > KEEP ? n[key] - KEEP : 0; j < n[key]; j++)
			inside += times[key][j] > now_ms - limiter_opens.period_ms;
		bool allowed = keyed_limiter_allow(&limiter, &limiter_opens, key, 1, now_ms, &wait_ms);
		if (!CHECK_EQ("a window is a list of times", allowed, inside < limiter_opens.burst))
			break;
		if (allowed)
			times[key][n[key]++] = now_ms;
	}
	keyed_limiter_fini(&limiter);
}

static const struct check_test tests[] = {
	{"windows", test_window},
	{"quotas", test_quotas},
	{"requests for peers", test_exchange},
	{"bounded memory", test_bounded},
	{"random traffic", test_random},
};
CHECK_MAIN("keyed_limiter", tests)
