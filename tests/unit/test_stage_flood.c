// SPDX-License-Identifier: BSD-3-Clause
/* Flood mode, the time spent in it and under pressure, the cap of replies to one prefix, and doubt about
 * challenges: dataplane/stage_pressure.c and the challenges of stage_attempt.c.
 */
#include <stdio.h>

#include "dataplane/stage_private.h"
#include "tests/check.h"
#include "tests/stage_world.h"

static struct world *flood_world(uint32_t flood_per_s)
{
	struct world *world = world_create();

	world->policy.flood_per_s = flood_per_s;
	/* No service goes under pressure by itself. */
	for (unsigned i = 0; i < 4; i++) {
		world->services[i].pressure_enter_per_s = 0;
		world->services[i].pressure_leave_per_s = 0;
		world->services[i].pressure_half_open = 0;
	}
	return world;
}

/* So many SYNs a second of as many strangers to one service, for so long; how many were admitted. */
static unsigned flood(struct world *world, uint64_t from_ms, unsigned per_s, unsigned ms, uint16_t to_port)
{
	static unsigned number;
	unsigned admitted = 0;
	char source[32];

	for (unsigned i = 0; i < per_s * ms / 1000; i++) {
		world_numbered(source, number++);
		admitted += world_send_syn(world, from_ms + i * 1000 / per_s, source, (uint16_t)(1024 + i),
				    to_port) == REASON_ADMITTED;
	}
	return admitted;
}

static void test_enter(void)
{
	struct world *world = flood_world(1000);
	struct address stranger;
	unsigned flows, n_events;

	world_list(world, IMAGE_LIST_ALLOW, "203.0.113.20");
	world_start(world);
	CHECK_EQ("an honest client connects in peace", world_connect(world, 1500, "203.0.113.7", 40000),
		REASON_ADMITTED);
	CHECK_EQ("900 a second are no flood", flood(world, 2000, 900, 1000, 30303), 900u);
	CHECK_EQ("no lcore is in flood mode", world_counter(world, COUNTER_FLOOD_MODE), (uint64_t)0);
	/* Windows of 100 ms: the 101st of a window is above 1000 a second. */
	CHECK_EQ("5000 a second are", flood(world, 4000, 5000, 100, 30303), 100u);
	CHECK_EQ("the lcore is in flood mode", world_counter(world, COUNTER_FLOOD_MODE), (uint64_t)1);
	CHECK_EQ("control hears of it once", world_events_of(world, EVENT_FLOOD_ENTER), 1u);
	n_events = world->n_events;
	CHECK_EQ("for no service in particular", world->events[n_events - 1].service, 255);
	CHECK_TRUE("with its rate", world->events[n_events - 1].detail > 1000);
	CHECK_EQ("no service says so for itself", world_counter(world, COUNTER_UNDER_PRESSURE), (uint64_t)0);
	flows = (unsigned)world_counter(world, COUNTER_FLOWS);
	CHECK_EQ("strangers of every service are challenged",
		world_send_syn(world, 4200, "198.18.0.1", 1, 30303), REASON_CHALLENGED);
	CHECK_EQ("or dropped where nothing challenges", world_send_syn(world, 4200, "198.18.0.1", 2, 30305),
		REASON_PRESSURE);
	CHECK_EQ("UDP as well", world_send_udp(world, 4200, "198.18.0.1", 3, 30303), REASON_PRESSURE);
	CHECK_EQ("an allowed source passes where nothing challenges",
		world_send_syn(world, 4200, "203.0.113.20", 4, 30305), REASON_ADMITTED_STATELESS);
	CHECK_EQ("and is forwarded", world->decision.verdict, (int)VERDICT_FORWARD);
	CHECK_EQ("none of them made state", world_counter(world, COUNTER_FLOWS), (uint64_t)flows);
	CHECK_EQ("a proven client passes", world_send_syn(world, 4200, "203.0.113.7", 40001, 30303),
		REASON_ADMITTED);
	CHECK_EQ("address", address_parse("198.18.0.1", &stranger), 0);
	CHECK_EQ("why says so",
		stage_probe(world->shared, world->stage, world->rules, &stranger, WORLD_SERVICE_PLAIN,
			world->now_ns),
		REASON_PRESSURE);
	world_destroy(world);
}

static void test_leave(void)
{
	struct world *world = flood_world(1000);

	world_start(world);
	flood(world, 2000, 5000, 100, 30303);
	CHECK_EQ("entered", world_counter(world, COUNTER_FLOOD_MODE), (uint64_t)1);
	CHECK_EQ("above half of the rate nobody is admitted", flood(world, 2100, 600, 15000, 30303), 0u);
	CHECK_EQ("however long it lasts", world_counter(world, COUNTER_FLOOD_MODE), (uint64_t)1);
	CHECK_EQ("below half it holds for ten seconds", flood(world, 17100, 300, 9500, 30303), 0u);
	CHECK_TRUE("then it ends", flood(world, 26600, 300, 1000, 30303) > 100);
	CHECK_EQ("and says so", world_counter(world, COUNTER_FLOOD_MODE), (uint64_t)0);
	CHECK_EQ("once", world_events_of(world, EVENT_FLOOD_LEAVE), 1u);
	CHECK_NEAR("with the seconds it lasted", world->events[world->n_events - 1].detail, 25, 1);
	CHECK_NEAR("which are counted", world_counter(world, COUNTER_FLOOD_MODE_MS), 25100, 200);
	CHECK_EQ("no service was under pressure", world_counter(world, COUNTER_PRESSURE_MS), (uint64_t)0);
	world_destroy(world);
}

static void test_time_spent(void)
{
	struct world *world = flood_world(1000);

	world->services[WORLD_SERVICE_TCP].pressure_enter_per_s = 200;
	world->services[WORLD_SERVICE_TCP].pressure_leave_per_s = 50;
	world->services[WORLD_SERVICE_PLAIN].pressure_enter_per_s = 200;
	world->services[WORLD_SERVICE_PLAIN].pressure_leave_per_s = 50;
	world_start(world);
	flood(world, 2000, 500, 100, 30303);
	flood(world, 2100, 500, 100, 30305);
	for (uint64_t second = 1; second <= 4; second++) {
		world_pass(world, 2100 + second * 1000);
		CHECK_NEAR("two services under pressure count double, while it lasts",
			world_counter(world, COUNTER_PRESSURE_MS), second * 2000, 250);
	}
	world_pass(world, 20000);
	CHECK_EQ("both have left", world_counter(world, COUNTER_UNDER_PRESSURE), (uint64_t)0);
	CHECK_NEAR("after their five seconds", world_counter(world, COUNTER_PRESSURE_MS), 10200, 400);
	CHECK_EQ("it was no flood", world_counter(world, COUNTER_FLOOD_MODE_MS), (uint64_t)0);
	world_destroy(world);
}

static void test_off(void)
{
	struct world *world = flood_world(0);

	world_start(world);
	CHECK_EQ("without a threshold there is no flood mode", flood(world, 2000, 20000, 100, 30305), 2000u);
	world_destroy(world);

	world = flood_world(1000);
	world_start(world);
	flood(world, 2000, 5000, 100, 30303);
	CHECK_EQ("in flood mode", world_counter(world, COUNTER_FLOOD_MODE), (uint64_t)1);
	world->policy.flood_per_s = 0;
	world_reload(world);
	world_pass(world, 2400);
	CHECK_EQ("a reload that takes the threshold away ends it", world_counter(world, COUNTER_FLOOD_MODE),
		(uint64_t)0);
	world_destroy(world);
}

/* SYNs of so many addresses of one prefix within one second; how many were answered. */
static unsigned reflect(
	struct world *world, uint64_t from_ms, const char *prefix, unsigned addresses, unsigned n)
{
	unsigned answered = 0;
	char source[64];

	for (unsigned i = 0; i < n; i++) {
		enum reason reason;

		snprintf(source, sizeof(source), "%s%x", prefix, i % addresses + 1);
		if (prefix[3] == '.' || prefix[4] == '.')
			snprintf(source, sizeof(source), "%s%u", prefix, i % addresses + 1);
		reason = world_send_syn(world, from_ms + i * 1000 / n, source, (uint16_t)(1024 + i), 30304);
		answered += world->decision.action != WIRE_ACTION_NONE;
		if (reason != REASON_CHALLENGED && reason != REASON_REPLY_PREFIX_CAP)
			CHECK_EQ("challenged or silent", reason_info(reason)->name, "either");
	}
	return answered;
}

static void test_reply_cap(void)
{
	struct world *world = world_create();

	world->policy.replies_per_prefix_per_s = 200;
	world_start(world);
	/* 200 a second and the burst of 20. */
	CHECK_NEAR("a /24 gets what the cap allows", reflect(world, 2000, "203.0.113.", 200, 10000), 219, 2);
	CHECK_EQ("the rest is silence",
		world_reason(world, REASON_REPLY_PREFIX_CAP) + world_reason(world, REASON_CHALLENGED),
		(uint64_t)10000);
	CHECK_EQ("no budget was spent on it", world_reason(world, REASON_CHALLENGE_BUDGET), (uint64_t)0);
	CHECK_EQ("the next /24 has its own", reflect(world, 3100, "203.0.114.", 10, 10), 10u);
	CHECK_NEAR("a /56 likewise, over all of its /64s", reflect(world, 5000, "2001:db8:5:1::", 200, 5000),
		219, 2);
	CHECK_EQ("the next /56", reflect(world, 6100, "2001:db8:5:100::", 10, 10), 10u);
	world->stage->lcores = 4;
	CHECK_NEAR(
		"of four lcores each keeps a quarter", reflect(world, 9000, "198.18.7.", 200, 10000), 55, 3);
	world->stage->lcores = 1;
	world->policy.replies_per_prefix_per_s = 0;
	world_reload(world);
	CHECK_EQ("0 is no cap", reflect(world, 12000, "203.0.113.", 200, 5000), 5000u);
	world_destroy(world);
}

/* Spoofers flood in the name of a proven source: they spend its budget and its prefix's replies, and lock
 * nobody out. */
static void test_cap_and_proof(void)
{
	struct world *world = world_create();
	unsigned admitted = 0, challenged = 0, silent = 0;

	world->policy.replies_per_prefix_per_s = 50;
	world->policy.proven_rate_v4[IMAGE_LEVEL_HOST] = (struct image_rate){4, 1000};
	world_start(world);
	CHECK_EQ("the victim proves itself", world_connect(world, 1500, "203.0.113.7", 40000),
		REASON_ADMITTED);
	CHECK_TRUE("its prefix is silenced", reflect(world, 2000, "203.0.113.1", 10, 2000) < 120);
	for (unsigned i = 0; i < 1000; i++) {
		enum reason reason = world_send_syn(world, 2999, "203.0.113.7", (uint16_t)(1024 + i), 30304);

		admitted += reason == REASON_ADMITTED;
		challenged += reason == REASON_CHALLENGED;
		silent += reason == REASON_REPLY_PREFIX_CAP;
	}
	CHECK_TRUE("first its budget is spent", admitted > 0 && admitted <= 8);
	CHECK_EQ("then it is challenged, every time", admitted + challenged, 1000u);
	CHECK_EQ("and never met with silence", silent, 0u);
	world_destroy(world);
}

static void test_refusals(void)
{
	struct world *world = world_create();
	unsigned resets = 0;

	world->policy.replies_per_prefix_per_s = 50;
	world_ban(world, "203.0.113.0/24", SOURCE_CLASS_REFUSED, 5000);
	world_start(world);
	for (unsigned i = 0; i < 1000; i++) {
		char source[32];

		snprintf(source, sizeof(source), "203.0.113.%u", i % 250 + 1);
		CHECK_EQ("refused", world_send_syn(world, 2000 + i * 10, source, (uint16_t)(1024 + i), 30303),
			REASON_REPUTATION);
		resets += world->decision.action == WIRE_ACTION_RST;
	}
	CHECK_NEAR("RSTs are replies, too: 50 a second for ten seconds", resets, 504, 3);
	world_destroy(world);
}

static void test_doubt(void)
{
	static const struct {
		const char *name;
		uint32_t limit;
		unsigned bad;
		uint64_t later_ms;
		bool doubtful;
	} cases[] = {
		{"no wrong answers", 10, 0, 0, false},
		{"as many as the limit", 10, 10, 0, false},
		{"one more", 10, 11, 0, true},
		{"within the second after", 10, 11, 1500, true},
		{"two seconds later", 10, 11, 2500, false},
		{"without a limit", 0, 1000, 0, false},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct world *world = world_create();
		struct moment moment;

		world->policy.challenge_bad_per_s = cases[i].limit;
		world_start(world);
		world_pass(world, 3000);
		moment = moment_make(world->rules, world->now_ns);
		for (unsigned n = 0; n < cases[i].bad; n++)
			challenge_bad_count(world->stage, &moment);
		moment =
			moment_make(world->rules, world->now_ns + cases[i].later_ms * 1000000);
		CHECK_EQ(cases[i].name, challenge_is_doubtful(world->stage, &moment), cases[i].doubtful);
		CHECK_EQ(
			"each is counted", world_counter(world, COUNTER_COOKIES_BAD), (uint64_t)cases[i].bad);
		world_destroy(world);
	}
}

/* A RST that answers no challenge is a guess like any other. */
static void test_bad_resets(void)
{
	struct world *world = world_create();
	struct frame_spec rst = world_syn("203.0.113.1", 40000, 30304);

	world_start(world);
	CHECK_EQ("a challenge", world_send_syn(world, 2000, "203.0.113.1", 40000, 30304), REASON_CHALLENGED);
	CHECK_EQ("is counted", world_counter(world, COUNTER_COOKIES_SENT), (uint64_t)1);
	rst.tcp_flags = TCP_FLAG_RST;
	rst.sequence = world->decision.segment.acknowledgement + 512;
	CHECK_EQ("a wrong answer", world_send(world, 2001, SIDE_OUTSIDE, &rst), REASON_CHALLENGE_BAD);
	CHECK_EQ("is counted as well", world_counter(world, COUNTER_COOKIES_BAD), (uint64_t)1);
	rst.sequence -= 512;
	CHECK_EQ("the right one", world_send(world, 2002, SIDE_OUTSIDE, &rst), REASON_CHALLENGE_PASSED);
	CHECK_EQ("is not", world_counter(world, COUNTER_COOKIES_BAD), (uint64_t)1);
	world_destroy(world);
}

static const struct check_test tests[] = {
	{"above its rate an lcore makes no state for strangers", test_enter},
	{"flood mode ends after ten seconds of peace", test_leave},
	{"time under pressure is counted while it passes", test_time_spent},
	{"flood mode can be off", test_off},
	{"replies to a prefix are capped", test_reply_cap},
	{"the cap locks no proven source out", test_cap_and_proof},
	{"refusals are replies", test_refusals},
	{"many wrong answers are doubted for a second or two", test_doubt},
	{"wrong RSTs are wrong answers", test_bad_resets},
};
CHECK_MAIN("stage_flood", tests)
