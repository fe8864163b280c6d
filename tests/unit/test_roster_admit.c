/* SPDX-License-Identifier: BSD-3-Clause
 * Tests of admission without a dataplane: connections of a prefix at once (5.3 E, step 8), and that a question
 * what would happen is answered as it would and changes nothing. Clock injected.
 */
#include <stdio.h>
#include <string.h>

#include "control/roster_private.h"
#include "tests/check.h"
#include "tests/roster_world.h"

static struct roster_open opening(const char *ip, uint16_t port, const char *id)
{
	return (struct roster_open){.address = roster_world_address(ip),
		.port = port,
		.inbound = true,
		.proven = true,
		.rtt_ms = -1,
		.id_or_null = id};
}

static struct roster_opened ask(const char *ip, const char *id, double at_s)
{
	struct roster_open open = opening(ip, 1, id);
	struct roster_opened opened = {0};
	CHECK_EQ("the question is answered",
		roster_connection_ask(roster_world.roster, &open, ROSTER_MS(at_s), &opened), 0);
	CHECK_EQ("without a connection", opened.connection, 0u);
	return opened;
}

/* One more of the address, or the reason why not. */
static const char *open_one(const char *ip, uint16_t port, double at_s)
{
	static struct roster_opened opened;
	struct roster_open open = opening(ip, port, NULL);
	CHECK_EQ("it is answered", roster_connection_open(roster_world.roster, &open, ROSTER_MS(at_s), &opened), 0);
	return opened.verdict == ROSTER_FORWARD ? "forward" : opened.reason;
}

/* From a port of its own each: a port that is used again says that its connection before is gone. */
static unsigned forwarded(const char *ip, unsigned tries, double at_s)
{
	static uint16_t port = 10000;
	unsigned n = 0;
	for (unsigned i = 0; i < tries; i++)
		n += strcmp(open_one(ip, port++, at_s), "forward") == 0;
	return n;
}

static struct roster_config two_a_host(void)
{
	struct roster_config config = roster_world_config("spacetime");
	config.concurrency_v4[IMAGE_LEVEL_HOST] = 2;
	config.concurrency_v4[IMAGE_LEVEL_NEAR] = 3;
	config.concurrency_v6[IMAGE_LEVEL_NEAR] = 1;
	return config;
}

static void test_places(void)
{
	struct roster_config config = two_a_host();
	roster_world_begin_with(&config);
	CHECK_EQ("two of an address", forwarded("203.0.113.1", 4, 0), 2u);
	CHECK_CONTAINS("the third is told why", open_one("203.0.113.1", 5000, 0), "concurrency");
	CHECK_EQ("three of its /24", forwarded("203.0.113.2", 4, 0), 1u);
	CHECK_EQ("another /24 has its own", forwarded("203.0.112.1", 1, 0), 1u);
	CHECK_EQ("one of a v6 /56", forwarded("2001:db8:0:1::1", 2, 0), 1u);
	CHECK_EQ("also at another /64 of it", forwarded("2001:db8:0:2::1", 1, 0), 0u);
	CHECK_EQ("not at another /56", forwarded("2001:db8:0:100::1", 1, 0), 1u);
	struct roster_open out = opening("203.0.113.1", 6000, NULL);
	struct roster_opened opened;
	out.inbound = false;
	CHECK_EQ("the node dials", roster_connection_open(roster_world.roster, &out, ROSTER_MS(0), &opened), 0);
	CHECK_EQ("whom it wants", (int)opened.verdict, (int)ROSTER_FORWARD);
	roster_world_close(1, CLOSED_BY_CLIENT, CLOSED_HOW_FIN, 1);
	CHECK_EQ("a place that was left is free", forwarded("203.0.113.2", 2, 1), 1u);
	roster_world_check_counts("places do not disturb the pool");
	roster_world_end();
}

/* A dataplane counts its own flows before it lets them in: those are neither counted nor refused here. */
static void test_dataplane(void)
{
	struct roster_config config = two_a_host();
	struct roster_opened opened;
	roster_world_begin_with(&config);
	for (uint16_t i = 0; i < 5; i++) {
		struct roster_open open = opening("203.0.113.1", (uint16_t)(4000 + i), NULL);
		open.already_open = true;
		CHECK_EQ("a flow is told", roster_open_as(roster_world.roster, &open, 0, true, &opened), 0);
		CHECK_EQ("it is there", (int)opened.verdict, (int)ROSTER_FORWARD);
	}
	CHECK_EQ("none of them has a place here", roster_world.roster->places.n, 0u);
	CHECK_EQ("and the node's word counts for itself", forwarded("203.0.113.1", 3, 0), 2u);
	roster_world_end();
}

static void test_trusted(void)
{
	struct roster_config config = two_a_host();
	struct roster_tag tag = {.which = ROSTER_TAG_TRUSTED, .values = {.trusted = true}};
	roster_world_begin_with(&config);
	roster_world_tag("203.0.113.1", &tag, 0);
	CHECK_EQ("who is trusted has no such limit", forwarded("203.0.113.1", 4, 0), 4u);
	CHECK_EQ("nor does a new id from there", (int)ask("203.0.113.1", "never heard of", 0).verdict,
		(int)ROSTER_FORWARD);
	CHECK_CONTAINS("but fills the places of others", ask("203.0.113.2", NULL, 0).reason, "concurrency");
	roster_world_end();
}

static void test_question(void)
{
	struct roster_config config = roster_world_config("dugite"); /* V30: five in 60 s */
	roster_world_begin_with(&config);
	uint32_t records = roster_world.roster->peers.n_used;
	for (int i = 0; i < 9; i++)
		CHECK_EQ("asked often", (int)ask("203.0.113.1", "A", 0).verdict, (int)ROSTER_FORWARD);
	CHECK_EQ("nobody is remembered", roster_world.roster->peers.n_used, records);
	CHECK_EQ("not the id either", roster_peer_find(roster_world.roster, "A"), RECORD_NONE);
	CHECK_EQ("nor its text", text_pool_find(roster_world.roster->texts, "A"), RECORD_NONE);
	CHECK_EQ("and nothing was told", roster_world_events("peer.connected"), 0u);
	CHECK_EQ("all five may come", forwarded("203.0.113.1", 5, 0), 5u);
	struct roster_opened sixth = ask("203.0.113.1", NULL, 10);
	CHECK_CONTAINS("the sixth may not", sixth.reason, ROSTER_REASON_RATE);
	CHECK_EQ("until the window is over", sixth.until_ms, ROSTER_MS(60));
	CHECK_EQ("to the millisecond", (int)ask("203.0.113.1", NULL, 60).verdict, (int)ROSTER_FORWARD);
	roster_world_end();
}

/* LO-11: ten more than the lowest. Who would be displaced is named, and stays. */
static void test_displaced(void)
{
	struct roster_config config = roster_world_config("stellar");
	struct roster_tag tag = {.which = ROSTER_TAG_PREFERRED, .values = {.preferred = true}};
	config.profile.limits.in = 1;
	config.profile.times.auth_ms = 0; /* no pending places: it is displaced at once */
	roster_world_begin_with(&config);
	uint64_t first = roster_world_open("203.0.113.1", 4000, true, "A", 0);
	roster_world_tag("203.0.113.2", &tag, 0);
	struct roster_opened opened = ask("203.0.113.2", NULL, 100);
	CHECK_EQ("it would come in", (int)opened.verdict, (int)ROSTER_FORWARD);
	CHECK_EQ("in the place of one", opened.n_evicted, 1u);
	CHECK_EQ("which is named", opened.evicted[0], first);
	CHECK_EQ("and still there", roster_world_status().in, 1u);
	CHECK_EQ("nobody was told to go", roster_world_events("governor.disconnect"), 0u);
	CHECK_CONTAINS("an ordinary one has no place", ask("203.0.113.3", NULL, 100).reason, "in");
	roster_world_end();
}

/* LH-8: a newcomer that is refused must wait; one that only asks need not. */
static void test_throttle(void)
{
	char ip[32], id[16];
	roster_world_begin("lighthouse");
	for (unsigned i = 0; i < 55; i++) {
		snprintf(ip, sizeof(ip), "11.%u.0.1", i);
		snprintf(id, sizeof(id), "p%u", i);
		(void)roster_world_open(ip, 1, i < 40, id, 0);
	}
	CHECK_CONTAINS("it would be refused", ask("203.0.113.1", NULL, 1).reason, "too many peers");
	CHECK_CONTAINS("as often as it asks", ask("203.0.113.1", NULL, 1).reason, "too many peers");
	CHECK_CONTAINS("it is refused", open_one("203.0.113.1", 1, 1), "too many peers");
	CHECK_CONTAINS("and must wait", ask("203.0.113.1", NULL, 1).reason, "throttled");
	roster_world_end();
}

static const struct check_test tests[] = {
	{"connections of a prefix at once", test_places},
	{"a dataplane's flows are its own", test_dataplane},
	{"who is trusted has no limit of its prefix", test_trusted},
	{"a question takes nothing", test_question},
	{"a question displaces nobody", test_displaced},
	{"a question throttles nobody", test_throttle},
};
CHECK_MAIN("roster_admit", tests)
