/* SPDX-License-Identifier: BSD-3-Clause
 * Who an id is, wherever it was first heard of: a connection that comes with its id is as good as a bind, and
 * what was decided about an id holds until it is lifted. Times are seconds; every wait is the roster's own
 * timer.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/roster_private.h"
#include "tests/check.h"
#include "tests/roster_world.h"

static struct roster_opened open_as(const char *ip, uint16_t port, const char *id, double at_s)
{
	struct roster_open open = {.address = roster_world_address(ip),
		.port = port,
		.inbound = true,
		.proven = true,
		.rtt_ms = -1,
		.id_or_null = id};
	struct roster_opened opened = {0};
	roster_world_wait(at_s);
	CHECK_EQ(ip, roster_connection_open(roster_world.roster, &open, ROSTER_MS(at_s), &opened), 0);
	return opened;
}

static const char *identity(unsigned n)
{
	static char text[32];
	snprintf(text, sizeof(text), "peer%u", n);
	return text;
}

static void ban_id(const char *id, double at_s)
{
	struct ban ban = {.scope = BAN_SCOPE_PEER,
		.tier = BAN_TIER_MANUAL,
		.end_ms = GOVERNOR_NEVER_MS,
		.source = "operator"};
	strncpy(ban.id, id, sizeof(ban.id) - 1);
	roster_world_wait(at_s);
	CHECK_EQ(id,
		governor_ban_add(roster_governor(roster_world.roster), &ban, false, ROSTER_MS(at_s), NULL),
		0);
	roster_world_wait(at_s);
}

static unsigned tiers_of(const char *ip, double at_s)
{
	struct governor_why why;
	struct address address = roster_world_address(ip);
	governor_why(roster_governor(roster_world.roster), &address, ROSTER_MS(at_s), &why);
	return why.tiers;
}

static int report(const char *id, double at_s)
{
	struct peer_report_result result;
	struct peer_name name = {.id = ""};
	strncpy(name.id, id, sizeof(name.id) - 1);
	return roster_peer_report(
		roster_world.roster, &name, PEER_ACTION_LOW, "", "", true, ROSTER_MS(at_s), &result);
}

static void test_open_binds(void)
{
	struct peer_report_result result;
	enum peer_action action;
	roster_world_begin("lighthouse");
	CHECK_EQ("nobody knows it yet", report("a", 0), -ENOENT);
	CHECK_TRUE("it comes with its id", open_as("203.0.113.9", 4000, "a", 0).connection != 0);
	CHECK_EQ("it can be reported", report("a", 1), 0);
	CHECK_EQ("its calls count",
		roster_peer_rpc_error(roster_world.roster, "a", "invalid_request", "ping", false,
			ROSTER_MS(1), &action, &result),
		0);
	struct roster_peer_info info = roster_world_peer("#a", 1);
	CHECK_TRUE("against its score", info.governor.app_score <= -9.9);
	struct peer_info bound;
	struct peer_name endpoint = {.address = roster_world_address("203.0.113.9"), .port = 4000};
	governor_peer_get(roster_governor(roster_world.roster), &endpoint, ROSTER_MS(1), &bound);
	CHECK_EQ("its endpoint means it", (const char *)bound.name.id, "a");
	roster_world_end();
}

static void test_open_counts_for_address(void)
{
	roster_world_begin("lighthouse");
	for (unsigned i = 0; i < 7; i++)
		CHECK_TRUE(identity(i),
			open_as("203.0.113.9", (uint16_t)(4000 + i), identity(i), 0).connection != 0);
	for (unsigned i = 0; i < 5; i++)
		ban_id(identity(i), 1);
	CHECK_EQ("V7: five banned ids are no reason yet", tiers_of("203.0.113.9", 2), 0u);
	ban_id(identity(5), 2);
	CHECK_EQ("six are", tiers_of("203.0.113.9", 3), 1u << BAN_TIER_ADDRESS);
	CHECK_EQ("nobody new comes from there", (const char *)open_as("203.0.113.9", 5000, "new", 3).reason,
		"banned");
	CHECK_EQ("the seventh was there before and stays", (int)roster_world_peer("#peer6", 3).state.status,
		(int)PEER_STATUS_CONNECTED);
	roster_world_end();
}

static void test_refused_counts_for_address(void)
{
	roster_world_begin("lighthouse");
	for (unsigned i = 0; i < 6; i++) {
		ban_id(identity(i), i);
		CHECK_EQ("a banned id has no place", open_as("203.0.113.7", 4000, identity(i), i).connection,
			(uint64_t)0);
	}
	CHECK_EQ("LH-21: six of them came from there", tiers_of("203.0.113.7", 6), 1u << BAN_TIER_ADDRESS);
	roster_world_end();
}

static void test_agent_stays(void)
{
	struct roster_bind bind = {.id = "a",
		.address = roster_world_address("203.0.113.9"),
		.port = 1,
		.agent = "Lighthouse/v5.3.0",
		.version = "",
		.enr = "",
		.metadata = ""};
	struct roster_bound bound;
	struct peer_info info;
	struct peer_name name = {.id = "a"};
	roster_world_begin("lighthouse");
	CHECK_EQ("bind", roster_peer_bind(roster_world.roster, &bind, ROSTER_MS(0), &bound), 0);
	CHECK_TRUE("it comes again", open_as("203.0.113.9", 2, "a", 1).connection != 0);
	governor_peer_get(roster_governor(roster_world.roster), &name, ROSTER_MS(1), &info);
	CHECK_EQ("what it said of itself is kept", (const char *)info.agent, "Lighthouse/v5.3.0");
	CHECK_EQ("it is bound where it came from last", (int)info.name.port, 2);
	roster_world_end();
}

static uint16_t bound_port(const char *id)
{
	struct peer_info info;
	struct peer_name name = {.id = ""};
	strncpy(name.id, id, sizeof(name.id) - 1);
	governor_peer_get(roster_governor(roster_world.roster), &name, ROSTER_MS(0), &info);
	return info.name.port;
}

static void test_refused_open(void)
{
	char ip[24];
	uint16_t n = 0;
	roster_world_begin("lighthouse");
	do {
		snprintf(ip, sizeof(ip), "203.0.113.%u", ++n);
	} while (open_as(ip, n, "a", n).connection != 0 && n < 100);
	CHECK_TRUE("LH-7: one connection too many of a peer", n > 1 && n < 100);
	CHECK_EQ("it is bound where it came last, not where it was refused", (int)bound_port("a"), n - 1);
	roster_world_end();

	roster_world_begin("bootstrap");
	CHECK_TRUE("it comes", open_as("203.0.113.1", 1, "a", 0).connection != 0);
	CHECK_TRUE("and again", open_as("203.0.113.2", 2, "a", 1).connection != 0);
	CHECK_EQ("it is bound where it came last", (int)bound_port("a"), 2);
	roster_world_end();
}

static void come_and_go(const char *id, const char *ip, double at_s)
{
	struct roster_opened opened = open_as(ip, 1, id, at_s);
	CHECK_TRUE(id, opened.connection != 0);
	roster_world_close(opened.connection, CLOSED_BY_CLIENT, CLOSED_HOW_FIN, at_s + 0.5);
	roster_world_wait(at_s + 0.9);
}

static void test_caps_count_ids(void)
{
	char ip[24], who[40];
	struct roster_config config = roster_world_config("lighthouse");
	config.disconnected_max = 4;
	roster_world_begin_with(&config);
	for (unsigned i = 0; i < 4; i++) {
		snprintf(ip, sizeof(ip), "203.0.113.%u", i + 1);
		come_and_go(identity(i), ip, i);
	}
	for (unsigned i = 0; i < 4; i++) {
		snprintf(who, sizeof(who), "#%s", identity(i));
		CHECK_TRUE(who, roster_world_peer(who, 10).known);
	}
	CHECK_EQ("addresses are counted apart", roster_world.roster->lists[ROSTER_LIST_HOSTS].n, 4u);
	for (unsigned i = 4; i < 9; i++) {
		snprintf(ip, sizeof(ip), "203.0.113.%u", i + 1);
		come_and_go(identity(i), ip, 10 + i);
	}
	roster_world_wait(30);
	CHECK_EQ(
		"LH-22: the cap holds for peers", roster_world.roster->lists[ROSTER_LIST_DISCONNECTED].n, 4u);
	CHECK_EQ("and for addresses", roster_world.roster->lists[ROSTER_LIST_HOSTS].n, 4u);
	CHECK_FALSE("the oldest went", roster_world_peer("#peer4", 30).known);
	CHECK_TRUE("not the next", roster_world_peer("#peer5", 30).known);
	roster_world_check_counts("caps");
	roster_world_end();
}

static void test_caps_spare_addresses(void)
{
	char ip[24];
	struct roster_config config = roster_world_config("lighthouse");
	config.banned_max = 2;
	roster_world_begin_with(&config);
	for (unsigned i = 0; i < 5; i++) {
		struct peer_report_result result;
		snprintf(ip, sizeof(ip), "203.0.113.%u", i + 1);
		struct peer_name name = {.id = "", .address = roster_world_address(ip)};
		CHECK_EQ(ip,
			roster_peer_report(roster_world.roster, &name, PEER_ACTION_FATAL, "", "", true,
				ROSTER_MS(i), &result),
			0);
	}
	roster_world_wait(10);
	CHECK_EQ("5.5.6: the bans of addresses stand, however many",
		governor_ban_count(roster_governor(roster_world.roster)), (uint64_t)5);
	CHECK_EQ("they are on a list of their own", roster_world.roster->lists[ROSTER_LIST_BANNED_HOSTS].n,
		5u);
	roster_world_check_counts("bans of addresses");
	roster_world_end();
}

/** Five failures in a row, by the node's word. */
static struct roster_record fail_five(const char *id, double at_s)
{
	struct roster_record record = {0};
	for (unsigned i = 0; i < 5; i++)
		CHECK_EQ(id, roster_peer_record(roster_world.roster, id, false, ROSTER_MS(at_s), &record), 0);
	return record;
}

static unsigned n_visited;

static bool count_visit(void *context, const struct roster_peer_info *info)
{
	(void)context;
	(void)info;
	n_visited++;
	return true;
}

static unsigned n_banned(double at_s)
{
	struct roster_filter filter = {.status = -1, .temperature = -1, .category = -1, .banned = 1};
	n_visited = 0;
	roster_peer_each(roster_world.roster, &filter, NULL, ROSTER_MS(at_s), count_visit, NULL);
	return n_visited;
}

static void test_blacklist_lifted(void)
{
	struct ban key = {.scope = BAN_SCOPE_PEER, .id = "a"}, other = {.scope = BAN_SCOPE_PEER, .id = "b"};
	roster_world_begin("spacetime");
	come_and_go("a", "203.0.113.1", 0);
	come_and_go("b", "203.0.113.2", 0);
	CHECK_TRUE("V14: the fifth failure", fail_five("a", 1).blacklisted);
	CHECK_EQ("it counts among the banned", n_banned(1), 1u);
	CHECK_EQ("it is refused", (const char *)open_as("203.0.113.3", 1, "a", 2).reason, "blacklisted");
	CHECK_FALSE("who is not on it is not taken off",
		roster_blacklist_lift(roster_world.roster, &other, ROSTER_MS(2)));
	CHECK_TRUE("5.5.5: ban.remove takes it off",
		roster_blacklist_lift(roster_world.roster, &key, ROSTER_MS(2)));
	CHECK_FALSE("once", roster_blacklist_lift(roster_world.roster, &key, ROSTER_MS(2)));
	CHECK_EQ("nobody is left", n_banned(2), 0u);
	CHECK_TRUE("it comes in", open_as("203.0.113.3", 2, "a", 3).connection != 0);
	struct roster_record record = {0};
	CHECK_EQ("it fails", roster_peer_record(roster_world.roster, "a", false, ROSTER_MS(4), &record), 0);
	CHECK_FALSE("one failure does not put it back", record.blacklisted);
	roster_world_end();
}

static void test_blacklist_without_facts(void)
{
	struct ban key = {.scope = BAN_SCOPE_PREFIX, .prefix = {.length = PREFIX_HOST_LENGTH}};
	key.prefix.address = roster_world_address("203.0.113.1");
	roster_world_begin("spacetime");
	come_and_go("", "203.0.113.1", 0);
	uint32_t host = roster_peer_find_host(roster_world.roster, &key.prefix.address);
	roster_facts_obtain(roster_world.roster, host)->standing.blacklisted = true;
	roster_facts_settle(roster_world.roster, host);
	CHECK_EQ("it stays without facts", (const char *)open_as("203.0.113.1", 2, NULL, 2).reason,
		"blacklisted");
	CHECK_TRUE("an address is taken off too",
		roster_blacklist_lift(roster_world.roster, &key, ROSTER_MS(3)));
	CHECK_TRUE("it comes in", open_as("203.0.113.1", 3, NULL, 3).connection != 0);
	roster_world_end();
}

static struct ban loaded_ban(const char *id, const char *ip)
{
	struct ban ban = {.scope = BAN_SCOPE_PEER,
		.tier = BAN_TIER_SCORE,
		.start_ms = ROSTER_MS(0) - 60000,
		.end_ms = ROSTER_MS(600),
		.score = -100,
		.freeze_until_ms = ROSTER_MS(600),
		.has_seen = true,
		.seen = roster_world_address(ip),
		.seen_port = 4000};
	strncpy(ban.id, id, sizeof(ban.id) - 1);
	return ban;
}

static void load(const struct ban *ban)
{
	CHECK_EQ(ban->id, governor_ban_load(roster_governor(roster_world.roster), ban, ROSTER_MS(0)), 0);
	roster_ban_loaded(roster_world.roster, ban);
}

static void test_loaded(void)
{
	struct ban id = loaded_ban("a", "203.0.113.1"), host = loaded_ban("", "203.0.113.1"), never, manual;
	roster_world_begin("lighthouse");
	roster_world_forget();
	load(&id);
	never = loaded_ban("never", "203.0.113.1");
	never.has_seen = false;
	load(&never);
	host.scope = BAN_SCOPE_PREFIX;
	host.prefix =
		(struct prefix){.address = roster_world_address("203.0.113.2"), .length = PREFIX_HOST_LENGTH};
	load(&host);
	manual = host;
	manual.tier = BAN_TIER_MANUAL;
	manual.prefix.address = roster_world_address("203.0.113.3");
	load(&manual);
	CHECK_EQ("nobody is told", (const char *)roster_world_names(), "");
	struct roster_peer_info info = roster_world_peer("#a", 0);
	CHECK_EQ("it is banned", (int)info.state.status, (int)PEER_STATUS_BANNED);
	CHECK_EQ("where it was seen", (int)info.governor.name.port, 4000);
	CHECK_EQ("ids are listed, seen or not, and hosts that their score bans", n_banned(0), 3u);
	CHECK_EQ("whose address was banned by hand is not", roster_world.roster->peers.n_used, 3u);
	CHECK_TRUE("it was last seen when it was banned",
		roster_peer_at(roster_world.roster, roster_peer_find(roster_world.roster, "a"))
				->last_seen_ms < ROSTER_MS(0));
	roster_world_check_counts("loaded");
	CHECK_EQ("it ends", (int)roster_world_peer("#a", 601).state.status, (int)PEER_STATUS_DISCONNECTED);
	roster_world_end();
}

static void test_loaded_bounded(void)
{
	struct roster_config config = roster_world_config("lighthouse");
	config.peers_max = 3;
	roster_world_begin_with(&config);
	for (unsigned i = 0; i < 5; i++) {
		struct ban ban = loaded_ban(identity(i), "203.0.113.1");
		load(&ban);
	}
	CHECK_EQ("so many records there are", roster_world.roster->peers.n_used, 3u);
	CHECK_EQ("and nobody gave way", roster_world.roster->peers_evicted, 0u);
	roster_world_end();
}

static const struct check_test tests[] = {
	{"an id that comes with its connection is bound", test_open_binds},
	{"V7: and counts for its address", test_open_counts_for_address},
	{"V7: refused or not", test_refused_counts_for_address},
	{"and keeps its agent", test_agent_stays},
	{"an open that is refused moves nobody who is connected", test_refused_open},
	{"LH-22: caps count ids, addresses apart", test_caps_count_ids},
	{"5.5.6: caps end no ban of an address", test_caps_spare_addresses},
	{"5.5.5: Spacetime's blacklist can be lifted", test_blacklist_lifted},
	{"5.5.5: of an address too, facts or not", test_blacklist_without_facts},
	{"5.5.16: who was banned before a restart is listed", test_loaded},
	{"5.5.16: as many as there is room for", test_loaded_bounded},
};
CHECK_MAIN("roster_identity", tests)
