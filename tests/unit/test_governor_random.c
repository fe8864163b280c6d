/* SPDX-License-Identifier: BSD-3-Clause
 * The governor under random sequences of reports, bans, removals and time: what it told the dataplane by
 * effects is what it says is in force, a penalty never shortens a ban, an unban restores, a protected source
 * is never touched, and memory is bounded. Fixed seed, so a failure repeats.
 */
#include <string.h>

#include "tests/check.h"
#include "tests/governor_world.h"

enum { HOSTS = 24, PROTECTED_HOST = 3, STEPS = 60000 };
/* Three times what the lowest score is banned for here, so that an operator's ban of T3 is often the longer
 * one. */
enum { BAN_MS_MAX = 3 * (600 + 601) * 1000 };
#define FIRST_HOST UINT32_C(0xC0000200) /* 192.0.2.0 */

static struct governor *governor;
static struct {
	enum source_class class;
	int64_t end_ms;
} told[HOSTS];

static uint32_t next_random(void)
{
	static uint64_t state = UINT64_C(88172645463325252);
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 11);
}

static void on_enforce(void *context, const struct prefix *prefix, enum source_class class, int64_t end_ms)
{
	uint32_t host = address_v4(&prefix->address) - FIRST_HOST;
	(void)context;
	told[host].class = class;
	told[host].end_ms = class != SOURCE_CLASS_NONE ? end_ms : 0;
}

static bool is_as_told(void *context, const struct prefix *prefix, enum source_class class, int64_t end_ms)
{
	uint32_t host = address_v4(&prefix->address) - FIRST_HOST;
	++*(unsigned *)context;
	return CHECK_EQ("the class is the one told", told[host].class, class) &&
	       CHECK_EQ("so is its end", told[host].end_ms, end_ms);
}

static bool check_enforced(int64_t now_ms)
{
	unsigned n = 0, wanted = 0;
	for (unsigned i = 0; i < HOSTS; i++)
		wanted += told[i].class != SOURCE_CLASS_NONE;
	governor_enforced_each(governor, now_ms, is_as_told, &n);
	return CHECK_EQ("each is listed once", n, wanted) &&
	       CHECK_EQ("the protected one never", told[PROTECTED_HOST].class, SOURCE_CLASS_NONE);
}

static bool report(unsigned host, int64_t now_ms)
{
	struct peer_name name = {.address = address_from_v4(FIRST_HOST + host)};
	int64_t before_ms = told[host].class == SOURCE_CLASS_BANNED ? told[host].end_ms : 0;
	governor_report(governor, &name, (enum peer_action)(next_random() % PEER_ACTION_COUNT), "", "",
		/* proven= */ true, now_ms, NULL);
	return CHECK_TRUE("a penalty never shortens a ban",
		before_ms == 0 ||
			(told[host].class == SOURCE_CLASS_BANNED && told[host].end_ms >= before_ms));
}

static bool step(int64_t now_ms)
{
	unsigned host = next_random() % HOSTS, removed;
	struct address address = address_from_v4(FIRST_HOST + host);
	struct ban ban = {.prefix = prefix_of(&address, PREFIX_HOST_LENGTH),
		.tier = (enum ban_tier)(1 + next_random() % 5),
		.end_ms = now_ms + 1 + next_random() % BAN_MS_MAX,
		.source = "operator"};
	while (governor_advance(governor, now_ms, 7)) {
	}
	switch (next_random() % 8) {
	case 0:
		governor_ban_add(
			governor, &ban, next_random() % 4 == 0 && host != PROTECTED_HOST, now_ms, NULL);
		break;
	case 1:
		governor_ban_remove(governor, &ban, next_random() % 6, now_ms, &removed);
		break;
	default:
		if (!report(host, now_ms))
			return false;
	}
	if (next_random() % 50 == 0) {
		governor_ban_remove(governor, &ban, 0, now_ms, &removed);
		if (!CHECK_EQ("an unban restores", told[host].class, SOURCE_CLASS_NONE))
			return false;
	}
	return check_enforced(now_ms);
}

static void test_enforcement(void)
{
	static const struct governor_effects effects = {.enforce = on_enforce};
	struct governor_config config = world_config(600);
	struct address address = address_from_v4(FIRST_HOST + PROTECTED_HOST);
	struct prefix prefix = prefix_of(&address, PREFIX_HOST_LENGTH);
	int64_t now_ms = 0;
	memset(told, 0, sizeof(told));
	if (!CHECK_EQ("a governor", governor_create(&config, &effects, 0, &governor), 0))
		return;
	governor_list_add(governor, GOVERNOR_LIST_ALLOW, GOVERNOR_LIST_FROM_CONFIG, &prefix, "", 0, NULL);
	for (unsigned i = 0; i < STEPS; i++) {
		now_ms += next_random() % (next_random() % 3 != 0 ? 5000 : 400000);
		if (!step(now_ms))
			break;
	}
	governor_destroy(governor);
}

static void test_bounds(void)
{
	struct governor_config config = world_config(600);
	config.peers_max = config.bans_max = 1000;
	world_begin_with(&config);
	for (unsigned i = 0; i < 5000; i++) {
		struct peer_name name = {.address = address_from_v4(0x0b000000 + i)};
		governor_report(governor_world.governor, &name,
			i % 2 != 0 ? PEER_ACTION_FATAL : PEER_ACTION_SPAM, "", "", /* proven= */ true, i,
			NULL);
	}
	struct governor_stats stats = world_stats();
	CHECK_TRUE("scored sources are bounded", stats.peers <= 1000);
	CHECK_TRUE("bans are bounded", stats.bans[0] <= 1000);
	CHECK_TRUE("evictions are counted", stats.evicted > 0);
	world_end();
}

static const struct check_test tests[] = {
	{"what is told is what is in force, whatever happens", test_enforcement},
	{"memory is bounded, whoever reports", test_bounds},
};
CHECK_MAIN("governor_random", tests)
