/* SPDX-License-Identifier: BSD-3-Clause
 * LH-21 across a restart (policy.md 5.5.16): a store of an array, a governor that fills it, and one that is
 * loaded from it. Times are milliseconds and given. Must not keep anything from one test to the next.
 */
#include <stdio.h>
#include <string.h>

#include "control/governor_internal.h"
#include "tests/check.h"

#define DAY_MS INT64_C(86400000)
enum { STORED_MAX = 32 };

static struct ban stored[STORED_MAX];
static unsigned n_stored, n_told;
static struct governor *governor;
static int64_t now_ms;

static bool is_same(const struct ban *a, const struct ban *b)
{
	if (a->scope != b->scope || a->tier != b->tier)
		return false;
	return a->scope == BAN_SCOPE_PEER ? strcmp(a->id, b->id) == 0
					  : prefix_compare(&a->prefix, &b->prefix) == 0;
}

static void forget_ban(void *context, const struct ban *ban)
{
	(void)context;
	n_told++;
	for (unsigned i = 0; i < n_stored; i++)
		if (is_same(&stored[i], ban))
			stored[i--] = stored[--n_stored];
}

static void keep_ban(void *context, const struct ban *ban)
{
	forget_ban(context, ban);
	if (n_stored < STORED_MAX)
		stored[n_stored++] = *ban;
}

static void tell(void *context, const char *name, const char *json)
{
	(void)context, (void)name, (void)json;
	n_told++;
}

static void enforce(void *context, const struct prefix *prefix, enum source_class class, int64_t end_ms)
{
	(void)context, (void)prefix, (void)class, (void)end_ms;
	n_told++;
}

static void begin(unsigned peers_max)
{
	struct governor_config config = {.penalty_half_life_s = 600,
		.ban_freeze_s = 43200,
		.threshold_disconnect = -20,
		.threshold_ban = -50,
		.threshold_hard = -60,
		.throttle_ms = 60000,
		.temporary_ban_ms = 600000,
		.temporary_bans_max = 3,
		.strike_life_ms = 30 * DAY_MS,
		.peers_max = peers_max,
		.bans_max = 1000,
		.seed = 1};
	struct governor_effects effects = {
		.store_ban = keep_ban, .store_ban_delete = forget_ban, .event = tell, .enforce = enforce};
	CHECK_EQ("a governor", governor_create(&config, &effects, now_ms, &governor), 0);
}

/** Load as control does: effects are not to be called. Prefixes come before ids, as the store's keys do. */
static void restart(unsigned peers_max)
{
	static struct ban kept[STORED_MAX];
	unsigned n = n_stored;
	memcpy(kept, stored, sizeof(kept));
	governor_destroy(governor);
	begin(peers_max);
	n_told = 0;
	for (int scope = BAN_SCOPE_PREFIX; scope <= BAN_SCOPE_PEER; scope++)
		for (unsigned i = 0; i < n; i++)
			if ((int)kept[i].scope == scope)
				CHECK_EQ("load", governor_ban_load(governor, &kept[i], now_ms), 0);
	CHECK_EQ("loading tells nobody", n_told, 0u);
}

static void start(void)
{
	now_ms = DAY_MS;
	n_stored = n_told = 0;
	begin(1000);
}

static const char *id_of(unsigned n)
{
	static char id[16];
	snprintf(id, sizeof(id), "p%02u", n);
	return id;
}

static void bind_to(unsigned n, const char *ip, uint16_t port)
{
	struct address address;
	CHECK_EQ(ip, address_parse(ip, &address), 0);
	CHECK_EQ(ip, governor_bind(governor, id_of(n), &address, port, "", now_ms), 0);
}

static void fatal(unsigned n)
{
	struct peer_report_result result;
	struct peer_name name = {.id = ""};
	strcpy(name.id, id_of(n));
	CHECK_EQ(name.id, governor_report(governor, &name, PEER_ACTION_FATAL, "", "", true, now_ms, &result),
		0);
}

static void ban_remove(unsigned n)
{
	struct ban key = {.scope = BAN_SCOPE_PEER};
	strcpy(key.id, id_of(n));
	CHECK_EQ(key.id, governor_ban_remove(governor, &key, 0, now_ms, NULL), 0);
}

static unsigned tiers(const char *ip)
{
	struct address address;
	struct governor_why why;
	CHECK_EQ(ip, address_parse(ip, &address), 0);
	governor_why(governor, &address, now_ms, &why);
	return why.tiers;
}

static void test_six_then_five(void)
{
	start();
	for (unsigned n = 0; n < 6; n++) {
		bind_to(n, "9.9.9.9", (uint16_t)(1000 + n));
		fatal(n);
	}
	CHECK_EQ("V7: six", tiers("9.9.9.9"), 1u << BAN_TIER_ADDRESS);
	now_ms += 1000;
	restart(1000);
	CHECK_EQ("a restart keeps it", tiers("9.9.9.9"), 1u << BAN_TIER_ADDRESS);
	ban_remove(3);
	CHECK_EQ("V7: five left: free", tiers("9.9.9.9"), 0u);
	restart(1000);
	CHECK_EQ("free after another one", tiers("9.9.9.9"), 0u);
	governor_destroy(governor);
}

static void test_five_then_six(void)
{
	struct peer_info info;
	start();
	for (unsigned n = 0; n < 5; n++) {
		bind_to(n, "2001:db8:0:100::9", 1000); /* each takes the endpoint of the one before */
		fatal(n);
	}
	restart(1000);
	CHECK_EQ("five are no reason", tiers("2001:db8:0:1aa::9"), 0u);
	governor_peer_get(governor, &(struct peer_name){.id = "p02"}, now_ms, &info);
	CHECK_EQ("their scores are known", (int)info.state, (int)SCORE_STATE_BANNED);
	bind_to(5, "2001:db8:0:1ff::1", 1000);
	fatal(5);
	CHECK_EQ("a sixth of the /56 is", tiers("2001:db8:0:1aa::9"), 1u << BAN_TIER_ADDRESS);
	restart(1000);
	now_ms += 43801 * INT64_C(1000);
	while (governor_advance(governor, now_ms, 1000))
		;
	CHECK_EQ("it ends with their bans", tiers("2001:db8:0:1aa::9"), 0u);
	governor_destroy(governor);
}

static void test_one_endpoint(void)
{
	start();
	for (unsigned n = 0; n < 6; n++)
		bind_to(n, "9.9.9.9", 1000);
	for (unsigned n = 0; n < 6; n++)
		fatal(n);
	CHECK_EQ("they were there, one after the other", tiers("9.9.9.9"), 1u << BAN_TIER_ADDRESS);
	bind_to(0, "9.9.9.10", 1000);
	CHECK_EQ("one was seen elsewhere since", tiers("9.9.9.9"), 0u);
	governor_destroy(governor);
}

static void test_last_address(void)
{
	struct peer_info info;
	struct peer_name name = {.id = "p00"};
	struct ban manual = {
		.scope = BAN_SCOPE_PEER, .id = "p00", .tier = BAN_TIER_MANUAL, .end_ms = GOVERNOR_NEVER_MS};
	start();
	CHECK_EQ("banned before it was seen", governor_ban_add(governor, &manual, false, now_ms, NULL), 0);
	CHECK_TRUE("nowhere", n_stored == 1 && !stored[0].has_seen);
	restart(1000);
	governor_peer_get(governor, &name, now_ms, &info);
	CHECK_TRUE("it is banned", info.has_ban);
	bind_to(0, "192.0.2.1", 7);
	CHECK_TRUE("it is stored where it came",
		n_stored == 1 && stored[0].has_seen && stored[0].seen_port == 7);
	unsigned told = n_told;
	bind_to(0, "192.0.2.1", 8);
	CHECK_EQ("another port is not worth a write", n_told, told);
	bind_to(0, "192.0.2.2", 9);
	restart(1000);
	governor_peer_get(governor, &name, now_ms, &info);
	CHECK_EQ("where it was last", address_v4(&info.name.address), 0xc0000202u);
	CHECK_EQ("and at which port", (int)info.name.port, 9);
	governor_destroy(governor);
}

static bool all_seen(void *context, const struct ban *ban)
{
	unsigned *n = context;
	*n += ban->scope == BAN_SCOPE_PEER && ban->has_seen && ban->seen_port == 1000;
	return true;
}

static void test_visited(void)
{
	unsigned n = 0;
	start();
	bind_to(0, "9.9.9.9", 1000);
	fatal(0);
	bind_to(1, "9.9.9.9", 1000);
	fatal(1);
	governor_ban_each(governor, NULL, all_seen, &n);
	CHECK_EQ("a store that is written anew has it too, also of who gave its endpoint away", n, 2u);
	governor_destroy(governor);
}

static void test_bounded(void)
{
	struct governor_stats stats;
	start();
	for (unsigned n = 0; n < 8; n++) {
		bind_to(n, "9.9.9.9", (uint16_t)(1000 + n));
		fatal(n);
	}
	restart(3);
	governor_stats(governor, &stats);
	CHECK_EQ("nobody gave way", stats.evicted, (uint64_t)0);
	CHECK_EQ("no more records than allowed", stats.peers, (uint64_t)3);
	CHECK_EQ("every ban is there", stats.bans[BAN_TIER_SCORE], (uint64_t)8);
	CHECK_EQ("the address's too", tiers("9.9.9.9"), 1u << BAN_TIER_ADDRESS);
	governor_destroy(governor);
}

static const struct check_test tests[] = {
	{"V7: six before a restart, five after it", test_six_then_five},
	{"V7: five before a restart, a sixth after it", test_five_then_six},
	{"V7: six by turns at one endpoint", test_one_endpoint},
	{"an id is kept where it was last", test_last_address},
	{"visitors are told where it was", test_visited},
	{"loading makes nobody give way", test_bounded},
};
CHECK_MAIN("governor_seen", tests)
