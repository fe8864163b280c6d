/* SPDX-License-Identifier: BSD-3-Clause
 * What bans of the operator do to who is connected, at the moment of the ban: by id, by address whoever is
 * bound there, by prefix. Times are seconds; nothing here waits for a tick.
 */
#include <string.h>

#include "control/roster_private.h"
#include "tests/check.h"
#include "tests/roster_world.h"

/** A manual ban of "#id", or of a prefix, as ban.add makes it: the governor first, then the roster. */
static void ban_put(const char *what, double at_s)
{
	struct ban ban = {.tier = BAN_TIER_MANUAL, .end_ms = GOVERNOR_NEVER_MS, .reason = "by hand"};
	if (what[0] == '#') {
		ban.scope = BAN_SCOPE_PEER;
		strncpy(ban.id, what + 1, sizeof(ban.id) - 1);
	} else {
		ban.scope = BAN_SCOPE_PREFIX;
		CHECK_EQ(what, prefix_parse(what, &ban.prefix), 0);
	}
	CHECK_EQ(what,
		governor_ban_add(roster_governor(roster_world.roster), &ban, true, ROSTER_MS(at_s), NULL), 0);
}

static void ban(const char *what, double at_s)
{
	ban_put(what, at_s);
	roster_bans_settle(roster_world.roster, NULL, ROSTER_MS(at_s));
}

static bool is_closing(const char *who, double at_s)
{
	return roster_world_peer(who, at_s).state.status == PEER_STATUS_DISCONNECTING;
}

/** The roster has heard of nothing since 0: its own clock stands there. */
static void test_grace(void)
{
	roster_world_begin("lighthouse");
	(void)roster_world_open("203.0.113.1", 1, true, "a", 0);
	roster_world_forget();
	ban("#a", 10);
	CHECK_EQ("told with the ban", roster_world_events_with("peer.disconnect", "\"code\":251"), 1u);
	roster_world_wait(10.9);
	CHECK_EQ("not cut in the grace", roster_world.cuts, 0u);
	roster_world_wait(11);
	CHECK_EQ("cut when it is over", roster_world.cuts, 1u);
	CHECK_EQ("and says why", roster_world_events_with("peer.disconnected", "\"reason\":\"by hand\""), 1u);
	roster_world_end();
}

static void test_host(void)
{
	roster_world_begin("lighthouse");
	uint64_t gone = roster_world_open("203.0.113.1", 1, true, "gone", 0);
	(void)roster_world_open("203.0.113.1", 2, true, "a", 0);
	(void)roster_world_open("203.0.113.1", 3, true, "b", 0);
	(void)roster_world_open("203.0.113.2", 1, true, "c", 0);
	(void)roster_world_open("2001:db8:1::1", 1, true, "d", 0);
	(void)roster_world_open("2001:db8:1::2", 1, true, "e", 0);
	roster_world_close(gone, CLOSED_BY_CLIENT, CLOSED_HOW_FIN, 1);
	struct address at = roster_world_address("203.0.113.1");
	CHECK_EQ("who left is not behind its host",
		roster_peer_at(roster_world.roster, roster_peer_find_host(roster_world.roster, &at))->behind, 2u);
	ban("203.0.113.1/32", 10);
	CHECK_TRUE("whoever is bound there closes", is_closing("#a", 10) && is_closing("#b", 10));
	CHECK_FALSE("nobody else", is_closing("#c", 10) || is_closing("#d", 10) || is_closing("#e", 10));
	ban("2001:db8:1::1/128", 10);
	CHECK_TRUE("one address of a /64", is_closing("#d", 10));
	CHECK_FALSE("is not its neighbour", is_closing("#e", 10));
	roster_world_end();
}

static void test_prefixes(void)
{
	static const struct {
		const char *name, *first, *second, *closed;
	} cases[] = {
		{"a /24 closes who is in it", "203.0.113.0/24", NULL, "a"},
		{"two of one family, far apart, and nobody between", "203.0.113.0/24", "198.51.100.0/24", "ab"},
		{"the wider one second", "203.0.113.0/24", "203.0.0.0/16", "ac"},
		{"the narrower one second", "203.0.0.0/16", "203.0.0.0/24", "ac"},
		{"both families", "203.0.113.0/24", "2001:db8:1::/48", "ad"},
		{"all of IPv4 is not IPv6", "0.0.0.0/0", NULL, "abc"},
		{"all of IPv6 is not IPv4", "::/0", "2001:db8:1::/48", "d"},
	};
	static const char *const ids[] = {"#a", "#b", "#c", "#d"};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		roster_world_begin("lighthouse");
		(void)roster_world_open("203.0.113.1", 1, true, "a", 0);
		(void)roster_world_open("198.51.100.1", 1, true, "b", 0);
		(void)roster_world_open("203.0.55.1", 1, true, "c", 0);
		(void)roster_world_open("2001:db8:1::1", 1, true, "d", 0);
		ban_put(cases[i].first, 10);
		if (cases[i].second != NULL)
			ban_put(cases[i].second, 10);
		roster_bans_settle(roster_world.roster, NULL, ROSTER_MS(10));
		for (unsigned j = 0; j < 4; j++)
			CHECK_EQ(cases[i].name, is_closing(ids[j], 10),
				strchr(cases[i].closed, ids[j][1]) != NULL);
		roster_world_end();
	}
}

/** A loop that settles nothing itself finds the work due. */
static void test_due(void)
{
	roster_world_begin("lighthouse");
	(void)roster_world_open("203.0.113.1", 1, true, "a", 0);
	ban_put("203.0.113.0/24", 10);
	(void)roster_advance(roster_world.roster, ROSTER_MS(10), 100, false);
	CHECK_TRUE("it closes", is_closing("#a", 10));
	roster_world_end();
}

/** LH-10: an id has no record before it is seen; with ban.add it has one, and its end is its end. */
static void test_unseen(void)
{
	struct ban ban = {
		.scope = BAN_SCOPE_PEER, .id = "z", .tier = BAN_TIER_MANUAL, .end_ms = ROSTER_MS(20)};
	roster_world_begin("lighthouse");
	CHECK_EQ("put",
		governor_ban_add(roster_governor(roster_world.roster), &ban, false, ROSTER_MS(10), NULL), 0);
	CHECK_EQ("banned, of whom there is no record", (int)roster_world_peer("#z", 10).state.status,
		(int)PEER_STATUS_BANNED);
	CHECK_EQ("none", roster_world.roster->peers.n_used, 0u);
	roster_bans_settle(roster_world.roster, &ban, ROSTER_MS(10));
	CHECK_EQ("one to be listed", roster_world.roster->peers.n_used, 1u);
	CHECK_EQ("banned", (int)roster_world_peer("#z", 10).state.status, (int)PEER_STATUS_BANNED);
	CHECK_EQ("free at the end", (int)roster_world_peer("#z", 21).state.status, (int)PEER_STATUS_DISCONNECTED);
	roster_world_check_counts("unseen");
	roster_world_end();
}

/** LH-25: what the peer was, and what it is when the connection is gone. */
static void test_transitions(void)
{
	roster_world_begin("lighthouse");
	uint64_t first = roster_world_open("203.0.113.1", 1, true, "a", 0);
	roster_world_forget();
	roster_world_close(first, CLOSED_BY_CLIENT, CLOSED_HOW_FIN, 1);
	CHECK_EQ("who leaves",
		roster_world_events_with(
			"peer.disconnected", "\"old\":\"connected\",\"new\":\"disconnected\""),
		1u);
	(void)roster_world_open("203.0.113.1", 2, true, "b", 2);
	ban("#b", 3);
	roster_world_wait(4);
	CHECK_EQ("who is banned",
		roster_world_events_with(
			"peer.disconnected", "\"old\":\"disconnecting\",\"new\":\"banned\""),
		1u);
	roster_world_end();
}

static const struct check_test tests[] = {
	{"a ban closes after the grace, from the moment of the ban", test_grace},
	{"a ban of an address closes whoever is bound there", test_host},
	{"a ban of a prefix closes whoever is in it", test_prefixes},
	{"a ban is judged by the next advance", test_due},
	{"LH-10: an id that nobody has seen is banned and listed", test_unseen},
	{"LH-25: peer.disconnected says what was and is", test_transitions},
};
CHECK_MAIN("roster_ban", tests)
