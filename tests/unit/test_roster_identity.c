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

static const struct check_test tests[] = {
	{"an id that comes with its connection is bound", test_open_binds},
	{"V7: and counts for its address", test_open_counts_for_address},
	{"and keeps its agent", test_agent_stays},
};
CHECK_MAIN("roster_identity", tests)
