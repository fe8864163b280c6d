/* SPDX-License-Identifier: BSD-3-Clause
 * Rows 6 to 12: attempts, bans, proof, pressure and limits. Each protection has a test here that fails when
 * it is taken out (tests/mutants.py does so).
 */
#include <stdio.h>
#include <string.h>

#include "tests/check.h"
#include "tests/stage_world.h"

static void test_bans(void)
{
	static const struct {
		const char *name;
		const char *source;
		enum reason reason;
	} cases[] = {
		{"a stranger is admitted", "203.0.113.1", REASON_ADMITTED},
		{"a banned address is dropped", "203.0.113.9", REASON_BANNED},
		{"its neighbour is not", "203.0.113.10", REASON_ADMITTED},
		{"an address in a banned prefix is dropped", "192.0.2.77", REASON_BANNED_PREFIX},
		{"an allowed address in a banned prefix is admitted", "192.0.2.5", REASON_ADMITTED},
		{"an allowed address that is banned too is admitted", "203.0.113.20", REASON_ADMITTED},
		{"a denied address is dropped", "100.64.0.1", REASON_DENIED},
		{"a ban that has ended does nothing", "203.0.113.30", REASON_ADMITTED},
		{"a throttled address must wait", "203.0.113.31", REASON_THROTTLED},
		{"a score below the threshold refuses", "203.0.113.32", REASON_REPUTATION},
		{"discouraged is admitted while there is room", "203.0.113.33", REASON_ADMITTED},
		{"an IPv6 /64 ban covers every host of it", "2001:db8:9:9::abcd", REASON_BANNED},
		{"the next /64 is free", "2001:db8:9:a::1", REASON_ADMITTED},
		{"an exact IPv6 ban covers its host", "2001:db8:7::1", REASON_BANNED},
		{"and no other", "2001:db8:7::2", REASON_ADMITTED},
		{"an IPv6 prefix ban covers", "2001:db8:8000::1", REASON_BANNED_PREFIX},
	};
	struct world *world = world_create();

	world_ban(world, "203.0.113.9", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_ban(world, "192.0.2.0/24", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_list(world, IMAGE_LIST_ALLOW, "192.0.2.5");
	world_ban(world, "203.0.113.20", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_list(world, IMAGE_LIST_ALLOW, "203.0.113.20");
	world_list(world, IMAGE_LIST_DENY, "100.64.0.0/10");
	world_ban(world, "203.0.113.30", SOURCE_CLASS_BANNED, 900); /* the world's clock begins at 1000 s */
	world_ban(world, "203.0.113.31", SOURCE_CLASS_THROTTLED, 5000);
	world_ban(world, "203.0.113.32", SOURCE_CLASS_REFUSED, 5000);
	world_ban(world, "203.0.113.33", SOURCE_CLASS_DISCOURAGED, 5000);
	world_ban(world, "2001:db8:9:9::/64", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_ban(world, "2001:db8:7::1", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_ban(world, "2001:db8:8000::/33", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_start(world);
	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name,
			reason_info(world_send_syn(world, 2000 + i * 10, cases[i].source, 40000, 30303))
				->name,
			reason_info(cases[i].reason)->name);
	CHECK_EQ("a ban applies to UDP as well", world_send_udp(world, 4000, "203.0.113.9", 1, 30303),
		REASON_BANNED);
	CHECK_EQ("and to services that are not protected",
		world_send_udp(world, 4001, "203.0.113.9", 1, 9999), REASON_BANNED);
	world_command(world, COMMAND_BAN_SET, "203.0.113.1", ban_meta_make(SOURCE_CLASS_BANNED, 1010));
	CHECK_EQ("a command bans at once", world_send_syn(world, 5000, "203.0.113.1", 41000, 30303),
		REASON_BANNED);
	CHECK_EQ("now < end is banned", world_send_syn(world, 9999, "203.0.113.1", 41000, 30303),
		REASON_BANNED);
	CHECK_EQ("now = end is not, though nobody told us",
		world_send_syn(world, 10000, "203.0.113.1", 41000, 30303), REASON_ADMITTED);
	world_command(
		world, COMMAND_BAN_SET, "203.0.112.0/20", ban_meta_make(SOURCE_CLASS_BANNED, BAN_META_NEVER));
	CHECK_EQ("a prefix by command", world_send_syn(world, 11000, "203.0.112.1", 41000, 30303),
		REASON_BANNED_PREFIX);
	world_command(world, COMMAND_ALLOW_SET, "203.0.112.1", 0);
	CHECK_EQ("an allow by command wins", world_send_syn(world, 11001, "203.0.112.1", 41000, 30303),
		REASON_ADMITTED);
	world_command(world, COMMAND_ALLOW_CLEAR, "203.0.112.1", 0);
	world_command(world, COMMAND_BAN_CLEAR, "203.0.112.0/20", 0);
	CHECK_EQ("cleared is cleared", world_send_syn(world, 11002, "203.0.112.2", 41000, 30303),
		REASON_ADMITTED);
	world_destroy(world);
}

static void test_monitor(void)
{
	struct world *world = world_create();

	world->policy.mode = IMAGE_MODE_MONITOR;
	world_ban(world, "203.0.113.9", SOURCE_CLASS_BANNED, BAN_META_NEVER);
	world_start(world);
	CHECK_EQ("monitor names the reason", world_connect(world, 2000, "203.0.113.9", 40000), REASON_BANNED);
	CHECK_EQ("but forwards", world->decision.verdict, (int)VERDICT_FORWARD);
	CHECK_EQ("and counts", world_counter(world, COUNTER_MONITORED), (uint64_t)1);
	CHECK_EQ("the refused attempt has a flow", world_counter(world, COUNTER_FLOWS), (uint64_t)1);
	world_destroy(world);
}

/* Send the RST that an honest stack answers a challenge with. */
static enum reason answer_challenge(struct world *world, uint64_t at_ms, const char *source, uint16_t port,
	uint16_t to_port, uint32_t cookie)
{
	struct frame_spec spec = world_syn(source, port, to_port);

	spec.tcp_flags = TCP_FLAG_RST;
	spec.sequence = cookie;
	return world_send(world, at_ms, SIDE_OUTSIDE, &spec);
}

static void test_challenge(void)
{
	struct world *world = world_create();
	uint32_t cookie;

	world_start(world);
	CHECK_EQ("an unproven source is challenged", world_send_syn(world, 2000, "203.0.113.1", 40000, 30304),
		REASON_CHALLENGED);
	CHECK_EQ("with a cookie on the wire", world->decision.action, (int)WIRE_ACTION_COOKIE);
	cookie = world->decision.segment.acknowledgement;
	CHECK_TRUE("that the client must find unacceptable", cookie != 1001 && cookie != 1000);
	CHECK_EQ("no state was made", world_counter(world, COUNTER_FLOWS), (uint64_t)0);
	CHECK_EQ("a guess proves nothing",
		answer_challenge(world, 2001, "203.0.113.1", 40000, 30304, cookie + (1u << 8)),
		REASON_CHALLENGE_BAD);
	CHECK_EQ("another port's cookie proves nothing",
		answer_challenge(world, 2002, "203.0.113.1", 40001, 30304, cookie), REASON_CHALLENGE_BAD);
	CHECK_EQ("another source's cookie proves nothing",
		answer_challenge(world, 2003, "203.0.113.2", 40000, 30304, cookie), REASON_CHALLENGE_BAD);
	CHECK_EQ("still challenged", world_send_syn(world, 2004, "203.0.113.1", 40000, 30304),
		REASON_CHALLENGED);
	CHECK_EQ("its own cookie proves", answer_challenge(world, 2005, "203.0.113.1", 40000, 30304, cookie),
		REASON_CHALLENGE_PASSED);
	CHECK_EQ("the resent SYN passes", world_send_syn(world, 3005, "203.0.113.1", 40000, 30304),
		REASON_ADMITTED);
	CHECK_EQ("another connection of the proven source passes",
		world_send_syn(world, 3006, "203.0.113.1", 40001, 30304), REASON_ADMITTED);
	CHECK_EQ("a neighbour is not proven by it", world_send_syn(world, 3007, "203.0.113.3", 40001, 30304),
		REASON_CHALLENGED);
	stage_shared_set_cookie_key(world->shared, 1, &(struct hash_key){71, 72});
	CHECK_EQ("a cookie outlives the next epoch's secret",
		answer_challenge(world, 3008, "203.0.113.1", 40000, 30304, cookie), REASON_CHALLENGE_PASSED);
	stage_shared_set_cookie_key(world->shared, 2, &(struct hash_key){73, 74});
	CHECK_EQ("but not its own epoch's successor's", answer_challenge(world, 3009, "203.0.113.1", 40000, 30304, cookie),
		REASON_CHALLENGE_BAD);
	CHECK_EQ("an old cookie is worth nothing",
		answer_challenge(world, 80000, "203.0.113.1", 40000, 30304, cookie), REASON_CHALLENGE_BAD);
	world_destroy(world);

	world = world_create();
	world->policy.replies_per_s = 10;
	world_start(world);
	CHECK_EQ("the first reply is within the budget", world_send_syn(world, 2000, "203.0.113.1", 1, 30304),
		REASON_CHALLENGED);
	CHECK_EQ("the budget is spent", world_send_syn(world, 2000, "203.0.113.1", 2, 30304),
		REASON_CHALLENGE_BUDGET);
	CHECK_EQ("and comes back", world_send_syn(world, 2100, "203.0.113.1", 3, 30304), REASON_CHALLENGED);
	world_destroy(world);
}

static void test_pressure(void)
{
	struct world *world = world_create();
	unsigned admitted = 0, challenged = 0;
	char source[32];

	world_start(world);
	CHECK_EQ("an honest client connects in peace", world_connect(world, 1500, "203.0.113.7", 40000),
		REASON_ADMITTED);
	for (unsigned i = 0; i < 5000; i++) {
		enum reason reason;

		world_numbered(source, i);
		reason = world_send_syn(
			world, 2000 + i / 20, source, (uint16_t)(1024 + i), 30303); /* 20,000 a second */
		admitted += reason == REASON_ADMITTED;
		challenged += reason == REASON_CHALLENGED;
	}
	/* enter_per_s 200 is judged in windows of 100 ms: 20 attempts are below it, the 21st is not. */
	CHECK_EQ("a spoofed flood is challenged after a window's worth", admitted, 20u);
	CHECK_EQ("all the rest is challenged", challenged, 4980u);
	CHECK_EQ("control hears of it once", world_events_of(world, EVENT_FLOOD_ENTER), 1u);
	CHECK_EQ("a proven client passes in the middle of it",
		world_send_syn(world, 2300, "203.0.113.7", 40001, 30303), REASON_ADMITTED);
	CHECK_EQ("a stranger is challenged, not dropped",
		world_send_syn(world, 2301, "203.0.113.8", 40001, 30303), REASON_CHALLENGED);
	world_pass(world, 7000);
	CHECK_EQ("pressure holds", world_send_syn(world, 7001, "203.0.113.8", 40002, 30303),
		REASON_CHALLENGED);
	world_pass(world, 9000);
	CHECK_EQ("and ends", world_events_of(world, EVENT_FLOOD_LEAVE), 1u);
	CHECK_EQ("then strangers are admitted at once",
		world_send_syn(world, 9001, "203.0.113.8", 40003, 30303), REASON_ADMITTED);
	world_destroy(world);
}

static void test_half_open_pressure(void)
{
	struct world *world = world_create();
	enum reason reason = REASON_COUNT;
	char source[32];

	/* 150 attempts a second stay below enter_per_s; only the handshakes that wait tell. */
	world_start(world);
	for (unsigned i = 0; i < 140; i++) {
		world_numbered(source, i);
		reason = world_send_syn(world, 2000 + i * 7, source, 1024, 30303);
	}
	CHECK_EQ("too many half-open flows are pressure", reason, REASON_CHALLENGED);
	CHECK_EQ("the node never has more of them than configured",
		world_counter(world, COUNTER_FLOWS_HALF_OPEN), (uint64_t)100);
	world_destroy(world);
}

static void test_prefix_pressure(void)
{
	struct world *world = world_create();
	unsigned admitted = 0;
	char source[32];

	world->policy.unproven_rate_v4[IMAGE_LEVEL_NEAR] = (struct image_rate){.burst = 10, .per_1000_s = 1};
	world_start(world);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(source, sizeof(source), "192.0.2.%u", i + 1);
		admitted += world_send_syn(world, 2000 + i * 50, source, 1024, 30303) == REASON_ADMITTED;
	}
	CHECK_TRUE("a dense prefix is challenged beyond its burst", admitted >= 8 && admitted <= 14);
	CHECK_EQ("another prefix is not", world_send_syn(world, 4100, "203.0.113.8", 1, 30303),
		REASON_ADMITTED);
	world_destroy(world);
}

static void test_victim(void)
{
	struct world *world = world_create();
	struct frame_spec spec;

	/* V39: 10,000 SYNs, RSTs and FINs in the name of a proven and of a fresh victim, with the very
	 * fingerprint of the victim. */
	world->policy.proven_rate_v4[IMAGE_LEVEL_HOST] = (struct image_rate){.burst = 16, .per_1000_s = 200};
	world_start(world);
	CHECK_EQ("the proven victim has connected", world_connect(world, 1500, "203.0.113.7", 40000),
		REASON_ADMITTED);
	world->n_events = 0;
	for (unsigned i = 0; i < 10000; i++) {
		spec = world_syn(i % 2 ? "203.0.113.7" : "198.18.0.9", (uint16_t)(1024 + i), 30303);
		spec.sequence = i * 7919;
		spec.tcp_flags = i % 5 == 3   ? TCP_FLAG_RST
				 : i % 5 == 4 ? TCP_FLAG_FIN | TCP_FLAG_ACK
					      : TCP_FLAG_SYN;
		spec.acknowledgement = i * 104729;
		(void)world_send(world, 2000 + i / 20, SIDE_OUTSIDE, &spec);
	}
	for (unsigned i = 0; i < world->n_events; i++)
		CHECK_FALSE("no event carries evidence", (world->events[i].flags & EVENT_FLAG_EVIDENCE) != 0);
	CHECK_EQ("its connection was not cut", world_counter(world, COUNTER_FLOWS_PROVEN), (uint64_t)1);
	spec = world_syn("203.0.113.7", 40000, 30303);
	spec.tcp_flags = TCP_FLAG_ACK;
	spec.sequence = 1001;
	spec.acknowledgement = 5001;
	spec.payload_bytes = 10;
	CHECK_EQ("it goes on", world_send(world, 2600, SIDE_OUTSIDE, &spec), REASON_FLOW);
	CHECK_EQ("a new one is challenged at worst", world_send_syn(world, 2601, "203.0.113.7", 60001, 30303),
		REASON_CHALLENGED);
	CHECK_EQ("the challenge is answered",
		answer_challenge(
			world, 2602, "203.0.113.7", 60001, 30303, world->decision.segment.acknowledgement),
		REASON_CHALLENGE_PASSED);
	for (unsigned i = 0; i < 1000; i++)
		(void)world_send_syn(world, 2602, "203.0.113.7", (uint16_t)(1024 + i), 30303);
	CHECK_EQ("spoofers cannot use its ticket up",
		world_send_syn(world, 2603, "203.0.113.7", 60001, 30303), REASON_ADMITTED);
	CHECK_EQ("the fresh victim is challenged", world_send_syn(world, 2604, "198.18.0.9", 60001, 30303),
		REASON_CHALLENGED);
	CHECK_EQ("answers",
		answer_challenge(
			world, 2605, "198.18.0.9", 60001, 30303, world->decision.segment.acknowledgement),
		REASON_CHALLENGE_PASSED);
	CHECK_EQ("and is admitted", world_send_syn(world, 2606, "198.18.0.9", 60001, 30303), REASON_ADMITTED);
	world_destroy(world);
}

static void test_rates(void)
{
	struct world *world = world_create();
	char name[64];

	/* V29: burst 16, 0.2 a second; only completed handshakes charge it. */
	world->policy.proven_rate_v4[IMAGE_LEVEL_HOST] = (struct image_rate){.burst = 16, .per_1000_s = 200};
	world_start(world);
	for (unsigned i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "connection %u of the burst", i + 1);
		CHECK_EQ(name, world_connect(world, 2000, "203.0.113.7", (uint16_t)(40000 + i)),
			REASON_ADMITTED);
	}
	CHECK_EQ("the 17th is refused", world_connect(world, 2000, "203.0.113.7", 41000), REASON_RATE_SOURCE);
	CHECK_EQ("with a RST", world->decision.action, (int)WIRE_ACTION_RST);
	CHECK_EQ("just before 5 s too", world_connect(world, 6990, "203.0.113.7", 41001), REASON_RATE_SOURCE);
	CHECK_EQ("at 5 s one passes", world_connect(world, 7000, "203.0.113.7", 41002), REASON_ADMITTED);
	CHECK_EQ("and no more", world_connect(world, 7000, "203.0.113.7", 41003), REASON_RATE_SOURCE);
	CHECK_EQ("a neighbour has a budget of its own", world_connect(world, 7001, "203.0.113.8", 41003),
		REASON_ADMITTED);
	for (unsigned i = 0; i < 15; i++) {
		snprintf(name, sizeof(name), "SYN %u in the neighbour's name", i + 2);
		CHECK_EQ(name, world_send_syn(world, 7002, "203.0.113.8", (uint16_t)(50000 + i), 30303),
			REASON_ADMITTED);
	}
	CHECK_EQ("what SYNs in its name have spent means a challenge",
		world_send_syn(world, 7003, "203.0.113.8", 51000, 30303), REASON_ADMITTED);
	CHECK_EQ("and never a refusal", world_send_syn(world, 7003, "203.0.113.8", 51001, 30303),
		REASON_CHALLENGED);
	world_destroy(world);

	world = world_create();
	world->policy.proven_rate_v4[IMAGE_LEVEL_NEAR] = (struct image_rate){.burst = 20, .per_1000_s = 1};
	world_start(world);
	for (unsigned i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "192.0.2.%u", i + 1);
		(void)world_connect(world, 2000 + i * 10, name, 40000);
	}
	CHECK_EQ("a prefix has a rate", world_connect(world, 2400, "192.0.2.99", 40000), REASON_CHALLENGED);
	CHECK_EQ("the next prefix is free", world_connect(world, 2401, "192.0.3.99", 40000), REASON_ADMITTED);
	world_destroy(world);
}

static void test_concurrency(void)
{
	struct world *world = world_create();
	char name[64];

	world->policy.concurrency_v4[IMAGE_LEVEL_HOST] = 8;
	world->policy.concurrency_v6[IMAGE_LEVEL_NEAR] = 8;
	world_start(world);
	for (unsigned i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "connection %u", i + 1);
		CHECK_EQ(name, world_connect(world, 2000, "203.0.113.7", (uint16_t)(40000 + i)),
			REASON_ADMITTED);
	}
	CHECK_EQ("the 9th of an address is refused", world_connect(world, 2001, "203.0.113.7", 41000),
		REASON_CONCURRENCY);
	CHECK_EQ("another address is not", world_connect(world, 2002, "203.0.113.8", 41000), REASON_ADMITTED);
	for (unsigned i = 0; i < 8; i++) {
		snprintf(name, sizeof(name), "2001:db8:5:%x::1", i);
		CHECK_EQ(name, world_connect(world, 2010, name, 40000), REASON_ADMITTED);
	}
	CHECK_EQ("the 9th of an IPv6 /56 is refused", world_connect(world, 2011, "2001:db8:5:f::1", 41000),
		REASON_CONCURRENCY);
	CHECK_EQ("the next /56 is free", world_connect(world, 2012, "2001:db8:5:100::1", 41000),
		REASON_ADMITTED);
	world_destroy(world);
}

static void test_limits(void)
{
	struct world *world = world_create();
	char source[32];

	world->policy.limit_soft = 4;
	world->policy.limit_hard = 8;
	world->policy.soft_delay_max_ms = 4000;
	world->policy.soft_linear = 1;
	world->policy.reserved_slots = 1;
	world_list(world, IMAGE_LIST_ALLOW, "192.0.2.0/24");
	world_start(world);
	for (unsigned i = 0; i < 4; i++) {
		world_numbered(source, i);
		CHECK_EQ("below the soft limit", world_connect(world, 2000, source, 1), REASON_ADMITTED);
	}
	CHECK_EQ("at the soft limit the delay is still 0", world_connect(world, 2000, "203.0.113.1", 1),
		REASON_ADMITTED);
	CHECK_EQ("then one a delay: the first of it", world_connect(world, 2000, "203.0.113.2", 1),
		REASON_ADMITTED);
	CHECK_EQ("the next is paced", world_connect(world, 2100, "203.0.113.3", 1), REASON_PACED);
	CHECK_EQ("silently, so that it resends", world->decision.action, (int)WIRE_ACTION_NONE);
	CHECK_EQ("until the delay is over", world_connect(world, 3100, "203.0.113.3", 1), REASON_ADMITTED);
	CHECK_EQ("a SYN that nobody completes", world_send_syn(world, 7200, "198.18.0.1", 1, 30303),
		REASON_ADMITTED);
	CHECK_EQ("takes no slot from who does: a spoofer cannot pace others out",
		world_send_syn(world, 7201, "198.18.0.2", 1, 30303), REASON_ADMITTED);
	CHECK_EQ("an allowed source is not paced", world_connect(world, 7202, "192.0.2.1", 1),
		REASON_ADMITTED);
	CHECK_EQ("at the hard limit a stranger is refused", world_connect(world, 60000, "203.0.113.4", 1),
		REASON_HARD_LIMIT);
	CHECK_EQ("an allowed source has a reserved slot", world_connect(world, 60001, "192.0.2.2", 1),
		REASON_ADMITTED);
	CHECK_EQ("and no more than that", world_connect(world, 60002, "192.0.2.3", 1), REASON_HARD_LIMIT);
	world_destroy(world);

	world = world_create();
	world->policy.accept_inbound = 0;
	world_start(world);
	CHECK_EQ("DU-9: an initiator takes no attempt", world_connect(world, 2000, "203.0.113.1", 1),
		REASON_NODE_CLOSED);
	world_destroy(world);
}

static const struct check_test tests[] = {
	{"bans, lists and classes decide in their order", test_bans},
	{"monitor mode enforces nothing", test_monitor},
	{"a challenge proves who answers it, and nobody else", test_challenge},
	{"a spoofed flood is challenged, proven sources pass", test_pressure},
	{"waiting handshakes are pressure", test_half_open_pressure},
	{"a dense prefix is under pressure alone", test_prefix_pressure},
	{"a spoofer cannot ban, lock out or cut a victim", test_victim},
	{"proven sources have exact rates", test_rates},
	{"connections at once are limited per prefix", test_concurrency},
	{"soft limit paces, hard limit refuses, reserved slots stay", test_limits},
};
CHECK_MAIN("stage_attempt", tests)
