/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of the bans that ended (LO-10): what is kept, in which order, and that the oldest gives way.
 */
#include <stdio.h>
#include <string.h>

#include "control/ban_history.h"
#include "tests/check.h"
#include "tests/governor_world.h"

struct seen {
	unsigned n, most;
	uint64_t first, last;
	char words[256];
};

static bool note(void *context, const struct ban_ended *ended)
{
	struct seen *seen = context;
	size_t n = strlen(seen->words);
	if (seen->n++ == 0)
		seen->first = ended->number;
	seen->last = ended->number;
	if (n < sizeof(seen->words) - 64)
		snprintf(seen->words + n, sizeof(seen->words) - n, "T%d %s %lld; ", (int)ended->ban.tier, ended->why,
			(long long)ended->ended_ms);
	return seen->n < seen->most;
}

static struct seen all(uint64_t before, unsigned most)
{
	struct seen seen = {.most = most};
	governor_ban_ended_each(governor_world.governor, before, note, &seen);
	return seen;
}

static void test_kept(void)
{
	struct seen seen;
	world_begin(43200);
	CHECK_EQ("none has ended", all(0, 9).n, 0u);
	CHECK_EQ("a ban", world_ban_add("192.0.2.1", BAN_TIER_STRIKE, 10, false, 0), 0);
	CHECK_EQ("a longer one of the same tier is no end", world_ban_add("192.0.2.1", BAN_TIER_STRIKE, 20, false, 1), 0);
	CHECK_EQ("a ban of an id", world_ban_add("#A", BAN_TIER_MANUAL, -1, false, 2), 0);
	CHECK_EQ("a throttle", world_ban_add("192.0.2.2", BAN_TIER_THROTTLE, 5, false, 3), 0);
	(void)world_class("192.0.2.2", 6);
	CHECK_EQ("the end of a throttle is not kept", all(0, 9).n, 0u);
	CHECK_EQ("one is removed", world_ban_remove("#A", 0, 7), 1 << BAN_TIER_MANUAL);
	(void)world_class("192.0.2.1", 30);
	seen = all(0, 9);
	CHECK_EQ("two have ended", seen.n, 2u);
	CHECK_CONTAINS("the latest first, with when and why", seen.words, "T2 expired 30000; T5 removed 7000; ");
	seen = all(2, 9);
	CHECK_EQ("those before a number", seen.n, 1u);
	CHECK_CONTAINS("not the number itself", seen.words, "T5 removed 7000; ");
	CHECK_EQ("none is before the first", all(1, 9).n, 0u);
	CHECK_EQ("a number that never was begins at the newest", all(99, 9).n, 2u);
	CHECK_EQ("the visitor stops it", all(0, 1).n, 1u);
	world_end();
}

static void test_ring(void)
{
	struct ban_history history = {0};
	struct ban ban = {.tier = BAN_TIER_MANUAL};
	CHECK_TRUE("an empty one has none", ban_history_find(&history, 1) == NULL);
	for (int i = 1; i <= BAN_HISTORY_PLACES + 1; i++)
		ban_history_add(&history, &ban, "removed", i);
	CHECK_TRUE("there is no number 0", ban_history_find(&history, 0) == NULL);
	CHECK_TRUE("the oldest has given way", ban_history_find(&history, 1) == NULL);
	CHECK_EQ("the second has not", ban_history_find(&history, 2)->ended_ms, 2);
	CHECK_EQ("the newest is there", ban_history_find(&history, BAN_HISTORY_PLACES + 1)->ended_ms, BAN_HISTORY_PLACES + 1);
	CHECK_TRUE("and none behind it", ban_history_find(&history, BAN_HISTORY_PLACES + 2) == NULL);
	ban_history_fini(&history);
}

static const struct check_test tests[] = {
	{"which ends of bans are kept", test_kept},
	{"the oldest gives way", test_ring},
};
CHECK_MAIN("ban_history", tests)
