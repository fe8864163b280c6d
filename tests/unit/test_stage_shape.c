// SPDX-License-Identifier: BSD-3-Clause
/* Row 7 for aggregates (dataplane/stage_shape.c): what gets through a prefix over its limit, what its clients
 * and its price change, and what becomes of each kind of attempt. Most of it drives the stage's own functions
 * with a clock of the test's, because rates settle in minutes.
 */
#include <math.h>
#include <stdio.h>

#include "dataplane/stage_private.h"
#include "tests/check.h"
#include "tests/stage_world.h"

#define START_NS UINT64_C(1000000000000)

/* What gets through in the long run: an attempt's place in a limit of burst + rate * H / ln 2 is free again
 * after H / ln 2. */
static double settled_per_s(double burst, double per_s)
{
	return per_s + burst * M_LN2 * 1000 / PROVEN_HALF_LIFE_MS;
}

/* One attempt of a source that is proven, as the stage treats it; its handshake completes at once. */
static bool attempt(struct world *world, const struct address *client, uint64_t now_ns)
{
	struct moment moment = moment_make(world->rules, now_ns);
	struct pressure_handle opens;
	struct pressure_excess excess;

	pressure_table_prefetch(world->shared->proven_opens, client, &opens);
	if (shape_excess(world->shared, &moment, client, &opens, &excess) &&
		shape_drops(world->stage, &excess))
		return false;
	source_proven(world->stage, &moment, client, 0);
	return true;
}

/* The i-th address behind `first`, or the i-th /64 behind it. */
static struct address address_behind(struct address first, unsigned i)
{
	if (address_is_v4(&first))
		return address_from_v4(address_v4(&first) + i);
	first.bytes[7] = (uint8_t)(first.bytes[7] + i);
	return first;
}

/* So many attempts a second for 15 minutes, by `clients` addresses from `first` on in turn: how many a second
 * get through in the last ten. */
static double offer(struct world *world, const char *first, unsigned clients, unsigned per_s)
{
	struct address address;
	unsigned passed = 0;

	CHECK_EQ(first, address_parse(first, &address), 0);
	for (unsigned i = 0; i < 900 * per_s; i++) {
		uint64_t now_ns = START_NS + i * (UINT64_C(1000000000) / per_s);
		struct address client = address_behind(address, i % clients);
		bool through = attempt(world, &client, now_ns);

		passed += through && i >= 300 * per_s;
	}
	return passed / 600.0;
}

/* At one level of one family, limited to a burst of 10 and so many a second. */
static void check_proportion(const char *name, bool v6, unsigned level, unsigned limit_per_s, double times)
{
	struct world *world = world_create();
	double limit = settled_per_s(10, limit_per_s), offered = limit_per_s * times, got;

	(v6 ? world->policy.proven_rate_v6 : world->policy.proven_rate_v4)[level] =
		(struct image_rate){10, limit_per_s * 1000};
	world_start(world);
	got = offer(world, v6 ? "2001:db8:7:100::1" : "203.0.113.0", 200, (unsigned)offered);
	/* Thousands of throws, each of which weighs as many attempts as were offered for it. */
	CHECK_NEAR(name, got, offered < limit ? offered : limit, times >= 100 ? limit * 0.25 : limit * 0.05);
	world_destroy(world);
}

/* Counters of a /56 hold 7440 attempts: 75 a second are 6502 of them, so that there the edge is nearly hard;
 * 10 a second are 876, of which eight times as many can be told. */
static void test_proportion(void)
{
	static const struct {
		const char *name;
		double times;
	} cases[] = {
		{"at the limit everybody passes", 1},
		{"half as much again: two thirds", 1.5},
		{"twice the limit: half", 2},
		{"five times: a fifth", 5},
		{"a hundred times, more than counters hold: a hundredth", 100},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		for (unsigned level = IMAGE_LEVEL_NEAR; level < IMAGE_LEVEL_COUNT; level++)
			for (unsigned n = 0; n < 4; n++)
				check_proportion(
					cases[i].name, n & 1, level, n & 2 ? 10 : 75, cases[i].times);
}

/* What a near level drops does not burden the wider ones. */
static void test_levels(void)
{
	struct world *world = world_create();
	unsigned heavy = 0, neighbours = 0, n_neighbours = 0;

	world->policy.proven_rate_v4[IMAGE_LEVEL_NEAR] = (struct image_rate){1, 10000};
	world->policy.proven_rate_v4[IMAGE_LEVEL_WIDE] = (struct image_rate){100, 60000};
	world_start(world);
	/* 100 a second from one /24, 20 a second from others in its /18. */
	for (unsigned i = 0; i < 900 * 120; i++) {
		uint64_t now_ns = START_NS + i * (UINT64_C(1000000000) / 120);
		bool other = i % 6 == 0, late = i >= 300 * 120;
		struct address client =
			address_from_v4(other ? 0xcb004000 + (i / 6 % 8 << 8) : 0xcb007100 + i % 200);
		bool through = attempt(world, &client, now_ns);

		heavy += late && !other && through;
		neighbours += late && other && through;
		n_neighbours += late && other;
	}
	CHECK_NEAR("the heavy /24 is kept at its limit", heavy / 600.0, settled_per_s(1, 10), 0.5);
	CHECK_EQ("and nobody else in the /18 notices", neighbours, n_neighbours);
	world_destroy(world);
}

static void test_clients(void)
{
	static const struct {
		const char *name;
		unsigned clients;
		uint32_t clients_per_limit;
		double times;
	} cases[] = {
		{"unweighted", 500, 0, 1},
		{"500 clients, a limit for each 100 more", 500, 100, 6},
		{"500 clients, a limit for each 250 more", 500, 250, 3},
		{"50 clients", 50, 100, 1.5},
		{"one client", 1, 100, 1.01},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct world *world = world_create();
		double limit = settled_per_s(1, 10) * cases[i].times, got;

		world->policy.proven_rate_v4[IMAGE_LEVEL_WIDE] = (struct image_rate){1, 10000};
		world->policy.clients_per_limit = cases[i].clients_per_limit;
		world_start(world);
		got = offer(world, "203.0.64.0", cases[i].clients, (unsigned)(limit * 2));
		/* A client weighs between its proofs' 1 and what it loses until the next. */
		CHECK_NEAR(cases[i].name, got, limit, limit * 0.06);
		world_destroy(world);
	}
}

static double clients_of(const struct world *world, const char *text, int level, uint64_t now_ns)
{
	struct address address;
	struct pressure_handle handle;

	CHECK_EQ(text, address_parse(text, &address), 0);
	pressure_table_prefetch(world->shared->clients, &address, &handle);
	return pressure_table_load(world->shared->clients, &handle, (enum image_level)level, now_ns) / 16.0;
}

/* However often it connects, a client is one; and it is forgotten. */
static void test_distinct(void)
{
	struct world *world = world_create();
	uint64_t now_ns = START_NS;
	struct moment moment;
	struct address client;

	world->policy.clients_per_limit = 100;
	world->policy.proven_lifetime_ms = 1000; /* even where proofs are forgotten at once */
	world_start(world);
	for (unsigned round = 0; round < 2000; round++) {
		now_ns += UINT64_C(1000000000);
		moment = moment_make(world->rules, now_ns);
		for (unsigned i = 0; i < 20; i++) {
			client = address_from_v4(0xcb007100 + i);
			source_proven(world->stage, &moment, &client, (uint8_t)round);
		}
	}
	for (int level = IMAGE_LEVEL_NEAR; level < IMAGE_LEVEL_COUNT; level++)
		CHECK_NEAR("20 clients that connect every second are 20",
			clients_of(world, "203.0.113.1", level, now_ns), 20, 4);
	now_ns += (uint64_t)CLIENTS_HALF_LIFE_MS * 1000000;
	CHECK_NEAR("half of them after a half-life",
		clients_of(world, "203.0.113.1", IMAGE_LEVEL_NEAR, now_ns), 10, 2);
	moment = moment_make(world->rules, now_ns);
	for (unsigned i = 0; i < 20; i++) {
		client = address_from_v4(0xcb007100 + i);
		source_proven(world->stage, &moment, &client, 0);
	}
	CHECK_NEAR("and all when they come again", clients_of(world, "203.0.113.1", IMAGE_LEVEL_NEAR, now_ns),
		20, 4);
	CHECK_TRUE("the next /24 has none", clients_of(world, "203.0.114.1", IMAGE_LEVEL_NEAR, now_ns) < 0.5);
	CHECK_EQ("address_parse", address_parse("2001:db8:7::1", &client), 0);
	for (unsigned i = 0; i < 200; i++) {
		client.bytes[7] = (uint8_t)i;
		source_proven(world->stage, &moment, &client, 0);
	}
	CHECK_TRUE("an IPv6 site cannot multiply itself",
		clients_of(world, "2001:db8:7::1", IMAGE_LEVEL_WIDE, now_ns) < 0.5);
	world_destroy(world);
}

static void test_price(void)
{
	static const struct {
		const char *name;
		uint32_t wide, narrow; /* of the /18 and of the /24; 0: none */
		double share;
	} cases[] = {
		{"the usual price", 16, 0, 1},
		{"twice the price: half as many", 32, 0, 0.5},
		{"half the price: twice as many", 8, 0, 2},
		{"ten times", 160, 0, 0.1},
		{"the most specific price counts", 160, 32, 0.5},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct world *world = world_create();
		struct prefix wide, narrow;
		double limit = settled_per_s(1, 20) * cases[i].share, got;

		CHECK_EQ("prefix", prefix_parse("203.0.64.0/18", &wide), 0);
		CHECK_EQ("prefix", prefix_parse("203.0.113.0/24", &narrow), 0);
		CHECK_EQ("a price is taken",
			image_builder_add_list(world->builder, IMAGE_LIST_PRICE, &wide, cases[i].wide), 0);
		if (cases[i].narrow)
			CHECK_EQ("a price is taken",
				image_builder_add_list(
					world->builder, IMAGE_LIST_PRICE, &narrow, cases[i].narrow),
				0);
		world->policy.proven_rate_v4[IMAGE_LEVEL_MID] = (struct image_rate){1, 20000};
		world_start(world);
		got = offer(world, "203.0.113.0", 200, 80);
		CHECK_NEAR(cases[i].name, got, limit, limit * 0.06);
		world_destroy(world);
	}
}

/* An unproven attempt pays its price as well. */
static void test_price_unproven(void)
{
	struct world *world = world_create();
	struct prefix dear;
	unsigned usual = 0, priced = 0;

	CHECK_EQ("prefix", prefix_parse("203.0.113.0/24", &dear), 0);
	CHECK_EQ("price", image_builder_add_list(world->builder, IMAGE_LIST_PRICE, &dear, 64), 0);
	world->policy.unproven_rate_v4[IMAGE_LEVEL_NEAR] = (struct image_rate){40, 1};
	world_start(world);
	for (unsigned i = 0; i < 60; i++) {
		char source[2][32];

		snprintf(source[0], sizeof(source[0]), "203.0.112.%u", i + 1);
		snprintf(source[1], sizeof(source[1]), "203.0.113.%u", i + 1);
		usual += world_send_syn(world, 2000 + i * 10, source[0], 40000, 30303) == REASON_ADMITTED;
		priced += world_send_syn(world, 2000 + i * 10, source[1], 40000, 30303) == REASON_ADMITTED;
	}
	CHECK_NEAR("40 at the usual price", usual, 40, 2);
	CHECK_NEAR("a quarter of them at four times the price", priced, 10, 1);
	world_destroy(world);
}

/* Fill the /24 of `text` to so many times its limit of 100 opens. */
static void crowd(struct world *world, const char *text, unsigned opens)
{
	struct address address;
	struct pressure_handle handle;

	CHECK_EQ(text, address_parse(text, &address), 0);
	pressure_table_prefetch(world->shared->proven_opens, &address, &handle);
	for (unsigned i = 0; i < opens; i++)
		pressure_table_charge(world->shared->proven_opens, &handle, world->now_ns, i * 2654435761u);
}

static struct world *crowded_world(unsigned opens)
{
	struct world *world = world_create();

	world->policy.proven_rate_v4[IMAGE_LEVEL_NEAR] = (struct image_rate){100, 1};
	/* Nobody completes these handshakes: they must not become pressure of another kind. */
	world->services[WORLD_SERVICE_TCP].pressure_half_open = 0;
	world->services[WORLD_SERVICE_PLAIN].pressure_half_open = 0;
	world_list(world, IMAGE_LIST_ALLOW, "203.0.113.200");
	world_start(world);
	CHECK_EQ("a client proves itself in peace", world_connect(world, 1500, "203.0.113.7", 40000),
		REASON_ADMITTED);
	crowd(world, "203.0.113.7", opens);
	return world;
}

static void test_attempts(void)
{
	struct world *world = crowded_world(199);
	unsigned admitted = 0, shaped = 0, replies = 0;
	struct address address;

	CHECK_EQ("a stranger of a crowded prefix is challenged in peace",
		world_send_syn(world, 1600, "203.0.113.9", 40000, 30303), REASON_CHALLENGED);
	CHECK_EQ("its neighbours are not", world_send_syn(world, 1600, "203.0.114.9", 40000, 30303),
		REASON_ADMITTED);
	CHECK_EQ("an allowed source is not", world_send_syn(world, 1600, "203.0.113.200", 40000, 30303),
		REASON_ADMITTED);
	for (unsigned i = 0; i < 1000; i++) {
		enum reason reason = world_send_syn(world, 1600, "203.0.113.7", (uint16_t)(1024 + i), 30303);

		admitted += reason == REASON_ADMITTED;
		shaped += reason == REASON_SHAPED;
		replies += world->decision.action != WIRE_ACTION_NONE;
	}
	CHECK_EQ("a proven source is admitted or shaped", admitted + shaped, 1000u);
	CHECK_NEAR("half and half at twice the limit", admitted, 500, 80);
	CHECK_EQ("a shaped attempt gets no answer", replies, 0u);
	CHECK_EQ("so its client sends again", (int)reason_info(REASON_SHAPED)->verdict, (int)VERDICT_PACE);
	CHECK_EQ("each was collateral: its source is within its budget",
		world_counter(world, COUNTER_SHAPED_COLLATERAL), (uint64_t)shaped);
	CHECK_EQ("address", address_parse("203.0.113.7", &address), 0);
	CHECK_EQ("why says that it is shaped",
		stage_probe(world->shared, world->stage, world->rules, &address, WORLD_SERVICE_TCP,
			world->now_ns),
		REASON_SHAPED);
	address.bytes[15] = 99;
	CHECK_EQ("and a stranger challenged",
		stage_probe(world->shared, world->stage, world->rules, &address, WORLD_SERVICE_TCP,
			world->now_ns),
		REASON_CHALLENGED);
	CHECK_EQ("or shaped where nothing challenges",
		stage_probe(world->shared, world->stage, world->rules, &address, WORLD_SERVICE_PLAIN,
			world->now_ns),
		REASON_SHAPED);
	address.bytes[14] = 114;
	CHECK_EQ("and its neighbours admitted",
		stage_probe(world->shared, world->stage, world->rules, &address, WORLD_SERVICE_TCP,
			world->now_ns),
		REASON_ADMITTED);
	world_destroy(world);
}

static void test_without_challenge(void)
{
	struct world *world = crowded_world(399);
	unsigned admitted = 0, shaped = 0;
	char source[32];

	for (unsigned i = 0; i < 800; i++) {
		enum reason reason;

		snprintf(source, sizeof(source), "203.0.113.%u", 10 + i % 100);
		/* Within the service's own thresholds. */
		reason = world_send_syn(world, 1600 + i * 10, source, (uint16_t)(1024 + i), 30305);
		admitted += reason == REASON_ADMITTED;
		shaped += reason == REASON_SHAPED;
		if (i % 100 == 99) /* what decays is filled up again */
			crowd(world, source, 4);
	}
	CHECK_EQ("admitted or shaped", admitted + shaped, 800u);
	CHECK_NEAR("a quarter at four times the limit", admitted, 200, 50);
	CHECK_EQ("nobody proven was dropped", world_counter(world, COUNTER_SHAPED_COLLATERAL), (uint64_t)0);
	world_destroy(world);
}

/* A cookie's proof is shaped like any other: the client's next segment brings the cookie again. */
static void test_cookie(void)
{
	struct world *world = crowded_world(199);
	struct moment moment = moment_make(world->rules, world->now_ns);
	unsigned passed = 0, shaped = 0;

	for (unsigned i = 0; i < 2000; i++) {
		struct work work = {.service = WORLD_SERVICE_TCP};
		enum reason reason;
		bool allowed;

		CHECK_EQ("address", address_parse("203.0.113.50", &work.client), 0);
		reason = stage_judge_proven(world->stage, &moment, &work, &allowed);
		passed += reason == REASON_COUNT;
		shaped += reason == REASON_SHAPED;
	}
	CHECK_EQ("passed or shaped", passed + shaped, 2000u);
	CHECK_NEAR("half and half", passed, 1000, 110);
	world_destroy(world);
}

/* Neither the budget that spoofers may spend nor the ticket is taken from a client that is dropped. */
static void test_budget_is_kept(void)
{
	struct world *world = world_create();
	unsigned shaped = 0, admitted = 0;

	world->policy.proven_rate_v4[IMAGE_LEVEL_HOST] = (struct image_rate){8, 1};
	world->policy.proven_rate_v4[IMAGE_LEVEL_NEAR] = (struct image_rate){100, 1};
	world_start(world);
	CHECK_EQ("proven", world_connect(world, 1500, "203.0.113.7", 40000), REASON_ADMITTED);
	crowd(world, "203.0.113.7", 1999);
	for (unsigned i = 0; i < 1000 && admitted < 7; i++) {
		enum reason reason = world_send_syn(world, 1500, "203.0.113.7", (uint16_t)(1024 + i), 30303);

		shaped += reason == REASON_SHAPED;
		admitted += reason == REASON_ADMITTED;
	}
	CHECK_EQ("seven of the budget of eight are admitted in the end", admitted, 7u);
	CHECK_TRUE("though many more were dropped", shaped > 50);
	world_destroy(world);
}

static void test_monitor(void)
{
	struct world *world = world_create();
	struct pressure_handle handle;
	struct address client;
	struct moment moment;
	unsigned forwarded = 0;
	uint32_t load;

	world->policy.mode = IMAGE_MODE_MONITOR;
	world->policy.proven_rate_v4[IMAGE_LEVEL_NEAR] = (struct image_rate){100, 1};
	world_start(world);
	(void)world_connect(world, 1500, "203.0.113.7", 40000);
	crowd(world, "203.0.113.7", 3000);
	for (unsigned i = 0; i < 100; i++) {
		(void)world_send_syn(world, 1600, "203.0.113.7", (uint16_t)(1024 + i), 30303);
		forwarded += world->decision.verdict == VERDICT_FORWARD;
	}
	CHECK_EQ("monitor mode drops nobody", forwarded, 100u);
	CHECK_TRUE("but says whom it would", world_reason(world, REASON_SHAPED) > 50);
	CHECK_EQ("address", address_parse("203.0.113.8", &client), 0);
	moment = moment_make(world->rules, world->now_ns);
	pressure_table_prefetch(world->shared->proven_opens, &client, &handle);
	load = pressure_table_load(world->shared->proven_opens, &handle, IMAGE_LEVEL_NEAR, world->now_ns);
	source_proven(world->stage, &moment, &client, 0);
	CHECK_NEAR("and a connection stands for itself alone",
		pressure_table_load(world->shared->proven_opens, &handle, IMAGE_LEVEL_NEAR, world->now_ns) -
			load,
		16, 2);
	world_destroy(world);
}

static const struct check_test tests[] = {
	{"beyond a limit the limit's share gets through", test_proportion},
	{"a near level's drops do not burden the wide", test_levels},
	{"limits grow with the clients of a prefix", test_clients},
	{"a client is counted once, and forgotten", test_distinct},
	{"an operator's price divides the limit", test_price},
	{"unproven attempts have prices as well", test_price_unproven},
	{"each kind of attempt from a crowded prefix has its answer", test_attempts},
	{"services without a challenge are shaped", test_without_challenge},
	{"proof by cookie is shaped", test_cookie},
	{"what is dropped costs no budget", test_budget_is_kept},
	{"monitor mode only names it", test_monitor},
};
CHECK_MAIN("stage_shape", tests)
