/* SPDX-License-Identifier: BSD-3-Clause
 * Which bans are lent to the device: who is due, who is chosen and in which order, when a place is given
 * back, and which commands meet it. Real tables and lists, injected clock.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/ban_offload.h"
#include "tests/check.h"
#include "tests/stage_world.h"

enum { NOW_S = 1000, LONG_S = NOW_S + OFFLOAD_LEASE_S + OFFLOAD_MARGIN_S + 1 };

static uint64_t source_of(const char *text)
{
	struct address address;

	if (address_parse(text, &address) != 0)
		CHECK_FAIL("an address", "%s", text);
	return heavy_source_of(&address);
}

static struct prefix prefix_at(const char *text)
{
	struct prefix prefix;

	if (prefix_parse(text, &prefix) != 0)
		CHECK_FAIL("a prefix", "%s", text);
	return prefix;
}

static struct world *world_of_bans(enum image_mode mode)
{
	struct world *world = world_create();
	char text[64];

	world->policy.mode = (uint8_t)mode;
	world_ban(world, "203.0.113.1", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_ban(world, "203.0.113.2", SOURCE_CLASS_BANNED, LONG_S);
	world_ban(world, "203.0.113.3", SOURCE_CLASS_BANNED, LONG_S - 1);
	world_ban(world, "203.0.113.4", SOURCE_CLASS_THROTTLED, BAN_META_NEVER);
	world_ban(world, "203.0.113.5", SOURCE_CLASS_REFUSED, BAN_META_NEVER);
	world_ban(world, "203.0.113.6", SOURCE_CLASS_BANNED, NOW_S);
	world_ban(world, "203.0.113.8", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_list(world, IMAGE_LIST_ALLOW, "203.0.113.8/29");
	world_ban(world, "198.18.0.0/15", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_list(world, IMAGE_LIST_DENY, "198.51.101.1/32");
	for (unsigned i = 1; i <= 7; i++) {
		snprintf(text, sizeof(text), "2001:db8:2:%u::/64", i);
		world_ban(world, text, SOURCE_CLASS_BANNED, BAN_META_NEVER);
	}
	world_ban(world, "2001:db8:3::1", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_list(world, IMAGE_LIST_ALLOW, "2001:db8:2:2::5/128");
	world_list(world, IMAGE_LIST_ALLOW, "2001:db8:2:4::/62");
	for (unsigned i = 0; i < 40; i++) {
		snprintf(text, sizeof(text), "2001:db8:2:3::%x/128", 2 * i + 1);
		world_list(world, IMAGE_LIST_DENY, text);
	}
	world_start(world);
	return world;
}

static void test_due(void)
{
	static const struct {
		const char *name, *address;
		bool due, right;
	} cases[] = {
		{"banned for ever", "203.0.113.1", true, true},
		{"banned for a lease and its margin", "203.0.113.2", true, true},
		{"banned for a second less", "203.0.113.3", false, true},
		{"throttled is not banned", "203.0.113.4", false, false},
		{"refused by reputation is not banned", "203.0.113.5", false, false},
		{"a ban that has just ended", "203.0.113.6", false, false},
		{"nobody", "203.0.113.7", false, false},
		{"banned, but in an allowed prefix", "203.0.113.8", false, false},
		{"banned by its prefix alone", "198.18.0.1", false, false},
		{"denied is not banned", "198.51.101.1", false, false},
		{"a banned IPv6 site", "2001:db8:2:1::9", true, true},
		{"a banned site with an allowed host", "2001:db8:2:2::9", false, false},
		{"a banned site with more listed hosts than are looked at", "2001:db8:2:3::9", false, false},
		{"a banned site in an allowed prefix", "2001:db8:2:5::9", false, false},
		{"a banned host of IPv6 is not its site", "2001:db8:3::1", false, false},
	};
	struct world *world = world_of_bans(IMAGE_MODE_ENFORCE), *monitor = world_of_bans(IMAGE_MODE_MONITOR);

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		uint64_t source = source_of(cases[i].address);

		CHECK_EQ(cases[i].name, ban_offload_is_due(world->rules, source, NOW_S), cases[i].due);
		CHECK_EQ(cases[i].name, ban_offload_is_right(world->rules, source, NOW_S), cases[i].right);
		CHECK_FALSE("in monitor mode nobody", ban_offload_is_due(monitor->rules, source, NOW_S));
		CHECK_FALSE("in monitor mode nobody", ban_offload_is_right(monitor->rules, source, NOW_S));
	}
	world_command(world, COMMAND_ALLOW_SET, "2001:db8:2:1::77/128", 0);
	CHECK_FALSE("a host allowed by command keeps its site out",
		ban_offload_is_due(world->rules, source_of("2001:db8:2:1::9"), NOW_S));
	world_command(world, COMMAND_ALLOW_CLEAR, "2001:db8:2:1::77/128", 0);
	CHECK_TRUE("until that is taken back",
		ban_offload_is_due(world->rules, source_of("2001:db8:2:1::9"), NOW_S));
	world_command(world, COMMAND_ALLOW_CLEAR, "2001:db8:2:2::5/128", 0);
	CHECK_TRUE("as is one of the image",
		ban_offload_is_due(world->rules, source_of("2001:db8:2:2::9"), NOW_S));
	world_command(world, COMMAND_ALLOW_SET, "2001:db8::/32", 0);
	CHECK_FALSE("a wide prefix allowed by command",
		ban_offload_is_due(world->rules, source_of("2001:db8:2:1::9"), NOW_S));
	world_command(world, COMMAND_BAN_CLEAR, "203.0.113.1", 0);
	CHECK_FALSE("an unbanned one", ban_offload_is_right(world->rules, source_of("203.0.113.1"), NOW_S));
	world_destroy(world);
	world_destroy(monitor);
}

static struct ban_offload *offload_make(uint32_t max)
{
	struct ban_offload *offload = calloc(1, sizeof(*offload));

	if (!offload)
		abort();
	offload->max = max;
	return offload;
}

static void test_choice(void)
{
	struct world *world = world_of_bans(IMAGE_MODE_ENFORCE);
	struct ban_offload *offload = offload_make(2);
	struct heavy_ban bans[] = {
		{source_of("203.0.113.4"), 4000}, /* throttled only */
		{source_of("203.0.113.1"), 50},
		{source_of("203.0.113.2"), 90},
		{source_of("203.0.113.2"), 80}, /* met by another lcore too */
		{source_of("2001:db8:2:1::"), 70},
		{source_of("2001:db8:2:7::"), OFFLOAD_WEIGHT_MIN - 1},
	};
	unsigned place = 99, other = 99;

	ban_offload_choose(offload, world->rules, NOW_S, bans, CHECK_COUNT(bans));
	CHECK_EQ("as many are wanted as there are places", offload->n_wanted, 2u);
	CHECK_TRUE("of those who are banned", ban_offload_take(offload, world->rules, NOW_S, &place));
	CHECK_TRUE("the heaviest banned one is taken",
		offload->places[place].source == source_of("203.0.113.2"));
	CHECK_EQ("for a lease", offload->places[place].lease_end_s, (uint32_t)(NOW_S + OFFLOAD_LEASE_S));
	CHECK_EQ("the next waits for its turn", offload->n_wanted, 1u);
	ban_offload_choose(offload, world->rules, NOW_S, bans, CHECK_COUNT(bans));
	CHECK_EQ("one place is left", offload->n_wanted, 1u);
	offload->n_wanted = 0;
	for (unsigned i = 0; i < CHECK_COUNT(bans); i++)
		if (bans[i].source == source_of("203.0.113.1"))
			bans[i].weight = 3000;
	ban_offload_choose(offload, world->rules, NOW_S, bans, CHECK_COUNT(bans));
	CHECK_TRUE("it goes to the heaviest that has none",
		ban_offload_take(offload, world->rules, NOW_S + 1, &other));
	CHECK_TRUE(
		"who is that", offload->places[other].source == source_of("203.0.113.1") && other != place);
	ban_offload_choose(offload, world->rules, NOW_S, bans, CHECK_COUNT(bans));
	CHECK_EQ("a full device wants nobody", offload->n_wanted, 0u);
	CHECK_FALSE("leases run", ban_offload_ended(offload, NOW_S + OFFLOAD_LEASE_S - 1, &other));
	CHECK_TRUE("the first ends first",
		ban_offload_ended(offload, NOW_S + OFFLOAD_LEASE_S, &other) && other == place);
	ban_offload_free(offload, place);
	ban_offload_free(offload, place);
	CHECK_EQ("a place is given back once", offload->n, 1u);
	ban_offload_choose(offload, world->rules, NOW_S, bans, 0);
	CHECK_EQ("who is no longer heavy does not come back", offload->n_wanted, 0u);
	free(offload);
	offload = offload_make(8);
	ban_offload_choose(offload, world->rules, NOW_S, bans, CHECK_COUNT(bans));
	CHECK_EQ("who is light or not banned is not wanted, and nobody twice", offload->n_wanted, 3u);
	world_command(world, COMMAND_BAN_CLEAR, "203.0.113.1", 0);
	CHECK_TRUE("an unban before its turn", ban_offload_take(offload, world->rules, NOW_S, &place));
	CHECK_TRUE("leaves the turn to the next", offload->places[place].source == source_of("203.0.113.2"));
	free(offload);
	world_destroy(world);
}

static void test_met(void)
{
	static const struct {
		const char *name;
		enum command_kind kind;
		const char *prefix;
		bool v4, v6; /* meets the ban of 203.0.113.1, of 2001:db8:2:1::/64 */
	} cases[] = {
		{"its own end", COMMAND_BAN_CLEAR, "203.0.113.1", true, false},
		{"its site's end", COMMAND_BAN_CLEAR, "2001:db8:2:1::/64", false, true},
		{"the end of another", COMMAND_BAN_CLEAR, "203.0.113.2", false, false},
		{"the end of a prefix ban around it", COMMAND_BAN_CLEAR, "203.0.113.0/24", false, false},
		{"another word on it", COMMAND_BAN_SET, "203.0.113.1", true, false},
		{"a ban of another", COMMAND_BAN_SET, "203.0.113.2", false, false},
		{"leave for it", COMMAND_ALLOW_SET, "203.0.113.1", true, false},
		{"leave for its prefix", COMMAND_ALLOW_SET, "203.0.0.0/16", true, false},
		{"leave for all of IPv4", COMMAND_ALLOW_SET, "0.0.0.0/0", true, false},
		{"leave for one host of its site", COMMAND_ALLOW_SET, "2001:db8:2:1::5", false, true},
		{"leave for all of IPv6", COMMAND_ALLOW_SET, "::/0", false, true},
		{"leave for a neighbour", COMMAND_ALLOW_SET, "203.0.113.2", false, false},
		{"leave taken back", COMMAND_ALLOW_CLEAR, "203.0.113.1", false, false},
		{"denied as well", COMMAND_DENY_SET, "203.0.113.1", false, false},
		{"a cut", COMMAND_FLOW_CUT, "203.0.113.1", false, false},
	};
	struct ban_offload *offload = offload_make(4);
	unsigned place;
	bool met;

	offload->n = 2;
	offload->places[1].source = source_of("203.0.113.1");
	offload->places[2].source = source_of("2001:db8:2:1::");
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct prefix prefix = prefix_at(cases[i].prefix);

		place = 99;
		met = ban_offload_met(offload, cases[i].kind, &prefix, 0, &place);
		CHECK_EQ(cases[i].name, met, cases[i].v4 || cases[i].v6);
		CHECK_EQ(cases[i].name, place, cases[i].v4 ? 1u : cases[i].v6 ? 2u : 99u);
		if (met)
			CHECK_FALSE(
				"once", ban_offload_met(offload, cases[i].kind, &prefix, place + 1, &place));
	}
	free(offload);
}

static const struct check_test tests[] = {
	{"who is due", test_due},
	{"who is chosen, for how long", test_choice},
	{"which commands meet a ban in the device", test_met},
};
CHECK_MAIN("ban_offload", tests)
