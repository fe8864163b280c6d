// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/pressure_table.h and decay.h: precision of decay and rounding, each prefix boundary,
 * limits, replacement under a flood of random sources, saturation, clock wrap.
 */
#include <errno.h>
#include <math.h>

#include "dataplane/pressure_table.h"
#include "dataplane/pressure_table_private.h"
#include "tests/check.h"
#include "tests/unit/table_support.h"

enum { HALF_LIFE_MS = 10000 };

static uint64_t random_state = 1;

static struct pressure_table *table_make(uint64_t capacity, uint32_t half_life_ms)
{
	struct pressure_table *table = NULL;

	CHECK_EQ("a table is made",
		pressure_table_create(capacity, half_life_ms, &test_key, &table_memory_heap, &table), 0);
	return table;
}

static unsigned charge(struct pressure_table *table, const struct address *address, uint64_t now_ns)
{
	struct pressure_handle handle;

	pressure_table_prefetch(table, address, &handle);
	return pressure_table_charge(table, &handle, now_ns, (uint32_t)random_next(&random_state));
}

static enum image_level check(const struct pressure_table *table, const struct address *address,
	const struct image_rate rates[IMAGE_LEVEL_COUNT], uint64_t now_ns)
{
	struct pressure_limits limits = pressure_limits_make(table, rates);
	struct pressure_handle handle;

	pressure_table_prefetch(table, address, &handle);
	return pressure_table_check(table, &handle, &limits, now_ns);
}

static struct address parse(const char *text)
{
	struct address address = {{0}};

	CHECK_EQ(text, address_parse(text, &address), 0);
	return address;
}

static void test_decay(void)
{
	static const uint32_t half_lives[] = {1, 100, 999, 10000, 600000, 1u << 30};

	for (size_t h = 0; h < CHECK_COUNT(half_lives); h++) {
		struct decay decay = decay_make(half_lives[h]);
		double worst = 0;

		for (uint32_t i = 0; i < 200000; i++) {
			uint32_t elapsed = (uint32_t)((double)half_lives[h] * 20 * i / 200000);
			struct decay_factor factor = decay_factor_make(&decay, elapsed);
			double exact = exp2(-(double)elapsed / half_lives[h]);
			double got = (double)factor.multiplier / exp2(31 + (double)factor.shift);

			worst = fmax(worst, fabs(got / exact - 1));
		}
		CHECK_TRUE("a factor is right to 2^-15", worst < 1.0 / 32768);
		CHECK_EQ("no time leaves all", decay_apply(decay_factor_make(&decay, 0), 12345), 12345u);
		CHECK_EQ("a half-life leaves half",
			decay_apply(decay_factor_make(&decay, half_lives[h]), 12346), 6173u);
	}
	struct decay decay = decay_make(1000);

	CHECK_EQ(
		"32 half-lives leave nothing", decay_apply(decay_factor_make(&decay, 32000), UINT32_MAX), 0u);
	CHECK_EQ("nor does all of the clock", decay_apply(decay_factor_make(&decay, UINT32_MAX), UINT32_MAX),
		0u);
}

/* anchors.md's examples: decayed a millisecond at a time, truncation turns 1500 into 1213 and 212 into 0. */
static void test_rounding(void)
{
	static const struct {
		const char *name;
		uint32_t load, steps;
		double exact, tolerance; /* five sigma of the mean over all runs */
	} cases[] = {
		{"3000 after one half-life", 3000, 1000, 1500, 10},
		{"300 after half of one", 300, 500, 212.13, 5},
		{"20 after one", 20, 1000, 10, 2},
	};
	enum { RUNS = 200 };
	struct decay decay = decay_make(1000);
	uint64_t random = 3;

	for (size_t c = 0; c < CHECK_COUNT(cases); c++) {
		double sum = 0;

		for (int run = 0; run < RUNS; run++) {
			uint32_t load = cases[c].load;

			for (uint32_t i = 0; i < cases[c].steps; i++)
				load = decay_apply_random(
					decay_factor_make(&decay, 1), load, random_next(&random));
			sum += load;
		}
		CHECK_NEAR(cases[c].name, sum / RUNS, cases[c].exact, cases[c].tolerance);
	}
}

/* One level limited to 3 at once; an attacker fills it; who else is over it? */
static void test_boundaries(void)
{
	static const struct {
		const char *name, *attacker, *asked;
		enum image_level limited;
		bool over;
	} cases[] = {
		{"the address itself", "192.0.2.1", "192.0.2.1", IMAGE_LEVEL_HOST, true},
		{"not its neighbour", "192.0.2.1", "192.0.2.0", IMAGE_LEVEL_HOST, false},
		{"first of the /24", "192.0.2.1", "192.0.2.0", IMAGE_LEVEL_NEAR, true},
		{"last of the /24", "192.0.2.1", "192.0.2.255", IMAGE_LEVEL_NEAR, true},
		{"below the /24", "192.0.2.1", "192.0.1.255", IMAGE_LEVEL_NEAR, false},
		{"above the /24", "192.0.2.1", "192.0.3.0", IMAGE_LEVEL_NEAR, false},
		{"first of the /20", "192.0.18.1", "192.0.16.0", IMAGE_LEVEL_MID, true},
		{"last of the /20", "192.0.18.1", "192.0.31.255", IMAGE_LEVEL_MID, true},
		{"below the /20", "192.0.18.1", "192.0.15.255", IMAGE_LEVEL_MID, false},
		{"above the /20", "192.0.18.1", "192.0.32.0", IMAGE_LEVEL_MID, false},
		{"first of the /18", "192.0.66.1", "192.0.64.0", IMAGE_LEVEL_WIDE, true},
		{"last of the /18", "192.0.66.1", "192.0.127.255", IMAGE_LEVEL_WIDE, true},
		{"below the /18", "192.0.66.1", "192.0.63.255", IMAGE_LEVEL_WIDE, false},
		{"above the /18", "192.0.66.1", "192.0.128.0", IMAGE_LEVEL_WIDE, false},
		{"the highest address has a place", "255.255.255.255", "255.255.255.255", IMAGE_LEVEL_NEAR,
			true},
		{"the lowest address has another", "0.0.0.0", "255.255.255.255", IMAGE_LEVEL_WIDE, false},
		{"an IPv6 source is its /64", "2001:db8:0:1::1", "2001:db8:0:1:ffff::", IMAGE_LEVEL_HOST,
			true},
		{"not the next /64", "2001:db8:0:1::1", "2001:db8:0:2::", IMAGE_LEVEL_HOST, false},
		{"last of the /56", "2001:db8:0:101::1", "2001:db8:0:1ff:ffff::", IMAGE_LEVEL_NEAR, true},
		{"below the /56", "2001:db8:0:101::1", "2001:db8:0:ff::", IMAGE_LEVEL_NEAR, false},
		{"above the /56", "2001:db8:0:101::1", "2001:db8:0:200::", IMAGE_LEVEL_NEAR, false},
		{"last of the /48", "2001:db8:1:1::1", "2001:db8:1:ffff::", IMAGE_LEVEL_MID, true},
		{"above the /48", "2001:db8:1:1::1", "2001:db8:2::", IMAGE_LEVEL_MID, false},
		{"last of the /32", "2001:db8:1:1::1", "2001:db8:ffff:ffff::", IMAGE_LEVEL_WIDE, true},
		{"above the /32", "2001:db8:1:1::1", "2001:db9::", IMAGE_LEVEL_WIDE, false},
		{"below the /32", "2001:db8:1:1::1", "2001:db7:ffff:ffff::", IMAGE_LEVEL_WIDE, false},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct pressure_table *table = table_make(1024, HALF_LIFE_MS);
		struct address attacker = parse(cases[i].attacker), asked = parse(cases[i].asked);
		struct image_rate rates[IMAGE_LEVEL_COUNT] = {{0, 0}};

		rates[cases[i].limited] = (struct image_rate){3, 1};
		for (int n = 0; n < 3; n++) {
			CHECK_EQ("the burst passes", (int)check(table, &attacker, rates, SECOND_NS),
				IMAGE_LEVEL_COUNT);
			charge(table, &attacker, SECOND_NS);
		}
		CHECK_EQ("then the attacker is over", (int)check(table, &attacker, rates, SECOND_NS),
			(int)cases[i].limited);
		CHECK_EQ(cases[i].name, (int)check(table, &asked, rates, SECOND_NS),
			cases[i].over ? (int)cases[i].limited : IMAGE_LEVEL_COUNT);
		pressure_table_destroy(table);
	}
}

static void test_most_specific(void)
{
	struct pressure_table *table = table_make(1024, HALF_LIFE_MS);
	struct address address = parse("192.0.2.1");
	struct image_rate rates[IMAGE_LEVEL_COUNT] = {{2, 1}, {2, 1}, {2, 1}, {2, 1}};

	charge(table, &address, 0);
	charge(table, &address, 0);
	for (int level = 0; level < IMAGE_LEVEL_COUNT; level++) {
		CHECK_EQ("the most specific level is named", (int)check(table, &address, rates, 0), level);
		rates[level].burst = 0;
	}
	CHECK_EQ("burst 0 is no limit", (int)check(table, &address, rates, 0), IMAGE_LEVEL_COUNT);
	pressure_table_destroy(table);
}

/* Who keeps to the rate passes for ever; who doubles it is held. Each level, so each unit, both families. */
static void test_rates(void)
{
	static const struct {
		const char *name, *address;
		uint32_t burst, per_s;
	} cases[] = {
		{"an IPv4 address", "192.0.2.1", 16, 20},
		{"an IPv6 site", "2001:db8::1", 16, 20},
		{"with a large burst", "192.0.2.1", 1000, 100},
	};

	for (size_t c = 0; c < CHECK_COUNT(cases); c++)
		for (int level = 0; level < IMAGE_LEVEL_COUNT; level++)
			for (unsigned factor = 1; factor <= 2; factor++) {
				struct pressure_table *table = table_make(1024, HALF_LIFE_MS);
				struct address address = parse(cases[c].address);
				struct image_rate rates[IMAGE_LEVEL_COUNT] = {{0, 0}};
				unsigned passed = 0, attempts = 200 * cases[c].per_s * factor, late = 0;

				rates[level] = (struct image_rate){cases[c].burst, cases[c].per_s * 1000};
				for (unsigned i = 0; i < attempts; i++) {
					uint64_t now = i * (SECOND_NS / (cases[c].per_s * factor));

					if (check(table, &address, rates, now) != IMAGE_LEVEL_COUNT)
						continue;
					charge(table, &address, now);
					passed++;
					late += now >= 100 * SECOND_NS;
				}
				if (factor == 1)
					CHECK_EQ(cases[c].name, passed, attempts);
				else /* late, when what rest had saved is spent: the rate, and burst * ln 2 /
					half-life */
					CHECK_NEAR(cases[c].name, late / 100.0,
						cases[c].per_s + cases[c].burst * M_LN2 * 1000 / HALF_LIFE_MS,
						cases[c].per_s * 0.02);
				pressure_table_destroy(table);
			}
}

/* A load is the sum of its attempts, each halved every half-life: compared with floating point over random
 * times and long pauses. */
static void test_model(void)
{
	struct pressure_table *table = table_make(1 << 16, HALF_LIFE_MS);
	uint64_t random = 17, now = UINT64_C(4294960000) * MS_NS; /* the 32-bit clock wraps after 7 s */
	struct address address = parse("192.0.2.77");
	double model = 0, worst = 0;

	for (int i = 0; i < 100000; i++) {
		struct pressure_limits limits;
		struct pressure_handle handle;
		uint64_t pick = random_next(&random),
			 pause_ms = pick % 1000 == 0 ? pick >> 48 : (pick >> 32) % 40;
		uint32_t low = 0, high = 1 << 20;

		now += pause_ms * MS_NS;
		model *= exp2(-(double)pause_ms / HALF_LIFE_MS);
		charge(table, &address, now);
		model += 1;
		if (i % 500)
			continue;
		pressure_table_prefetch(table, &address, &handle);
		while (low <
			high) { /* the lowest limit that it is not over is what it holds, and this attempt */
			uint32_t middle = (low + high) / 2;

			for (int level = 0; level < IMAGE_LEVEL_COUNT; level++)
				limits.load[level] = level == IMAGE_LEVEL_NEAR ? middle : UINT32_MAX;
			if (pressure_table_check(table, &handle, &limits, now) == IMAGE_LEVEL_COUNT)
				high = middle;
			else
				low = middle + 1;
		}
		worst = fmax(worst, fabs(low / 16.0 - 1 - model) / (model + 20));
	}
	CHECK_TRUE("every load is within 3 % of the exact one", worst < 0.03);
	pressure_table_destroy(table);
}

static void test_clock(void)
{
	static const struct {
		const char *name;
		uint64_t first_ms, second_ms;
		bool over;
	} cases[] = {
		{"nothing decays at once", 1000, 1000, true},
		{"a half-life later half of the burst is there", 1000, 1000 + HALF_LIFE_MS, false},
		{"across the wrap of the clock", UINT64_C(0xffffff00), UINT64_C(0x100000010), true},
		{"another lcore's clock is a little behind", 1000, 990, true},
		{"33 days later", 1000, UINT64_C(2851200000), false},
		{"48 days later", 1000, UINT64_C(4147200000), false},
	};

	for (size_t c = 0; c < CHECK_COUNT(cases); c++)
		for (int level = 0; level < IMAGE_LEVEL_COUNT; level++) {
			struct pressure_table *table = table_make(1024, HALF_LIFE_MS);
			struct address address = parse("192.0.2.1");
			struct image_rate rates[IMAGE_LEVEL_COUNT] = {{0, 0}};

			rates[level] = (struct image_rate){40, 1};
			for (int i = 0; i < 40; i++)
				charge(table, &address, cases[c].first_ms * MS_NS);
			CHECK_EQ(cases[c].name,
				check(table, &address, rates, cases[c].second_ms * MS_NS) !=
					IMAGE_LEVEL_COUNT,
				cases[c].over);
			charge(table, &address, cases[c].second_ms * MS_NS);
			CHECK_EQ(cases[c].name,
				check(table, &address, rates, cases[c].second_ms * MS_NS) !=
					IMAGE_LEVEL_COUNT,
				cases[c].over);
			pressure_table_destroy(table);
		}
}

static void test_saturation(void)
{
	static const char *const texts[] = {"192.0.2.1", "2001:db8::1"};

	for (size_t t = 0; t < CHECK_COUNT(texts); t++)
		for (int level = 0; level < IMAGE_LEVEL_COUNT; level++) {
			struct pressure_table *table = table_make(1024, 600000);
			struct address address = parse(texts[t]);
			struct image_rate rates[IMAGE_LEVEL_COUNT] = {{0, 0}};

			rates[level] = (struct image_rate){1000000, 1000000000};
			for (int i = 0; i < 70000; i++)
				charge(table, &address, SECOND_NS);
			CHECK_EQ("a saturated prefix is over every limit",
				(int)check(table, &address, rates, SECOND_NS), level);
			CHECK_EQ("it decays like others",
				(int)check(table, &address, rates, SECOND_NS + 600 * SECOND_NS),
				IMAGE_LEVEL_COUNT);
			pressure_table_destroy(table);
		}
}

/* A flood of random sources, ten times as many as the table holds: the heavy source stays, newcomers inherit
 * nothing, and each charge replaces one entry at most, in the two lines that it looks at anyway. */
static void test_flood(void)
{
	enum { CAPACITY = 1024, FLOOD = 10 * CAPACITY };
	struct pressure_table *table = table_make(CAPACITY, HALF_LIFE_MS);
	struct address heavy = parse("192.0.2.1");
	struct image_rate host_only[IMAGE_LEVEL_COUNT] = {{20, 1}}, pair_only[IMAGE_LEVEL_COUNT] = {{2, 1}};
	unsigned replaced = 0, collateral = 0, most = 0;
	uint64_t random = 5;

	for (int i = 0; i < 20; i++)
		charge(table, &heavy, SECOND_NS);
	for (unsigned i = 0; i < FLOOD; i++) {
		struct address address = address_from_v4((uint32_t)random_next(&random));
		unsigned n;

		n = charge(table, &address, SECOND_NS);
		collateral += check(table, &address, pair_only, SECOND_NS) == IMAGE_LEVEL_HOST;
		replaced += n;
		most = n > most ? n : most;
	}
	CHECK_EQ("the heavy source is still over its limit", (int)check(table, &heavy, host_only, SECOND_NS),
		IMAGE_LEVEL_HOST);
	/* Two lines of 15 hold foreign ids equal to one's own for 30 / 65536 of the sources. */
	CHECK_TRUE(
		"sources that came once are not over a limit of 2", collateral < FLOOD * 30 / 65536 * 4 + 4);
	CHECK_TRUE("the table is full and replaces", replaced > FLOOD - 2 * CAPACITY);
	CHECK_EQ("one entry a charge at most", most, 1u);
	pressure_table_destroy(table);
}

static void charge_priced(struct pressure_table *table, const struct address *address, uint32_t price, uint64_t now_ns)
{
	const uint32_t prices[IMAGE_LEVEL_COUNT] = {price, price, price, price};
	struct pressure_handle handle;

	pressure_table_prefetch(table, address, &handle);
	pressure_table_charge_priced(table, &handle, prices, now_ns, (uint32_t)random_next(&random_state));
}

static uint32_t load_of(
	const struct pressure_table *table, const struct address *address, int level, uint64_t now_ns)
{
	struct pressure_handle handle;

	pressure_table_prefetch(table, address, &handle);
	return pressure_table_load(table, &handle, (enum image_level)level, now_ns);
}

/* A price is paid in full at every level, in the mean where a level's unit is coarser than the price. */
static void test_prices(void)
{
	static const char *const texts[] = {"192.0.2.1", "2001:db8::1"};
	static const struct {
		const char *name;
		uint32_t price, paid;
	} cases[] = {
		{"the usual price", 16, 16},
		{"half of it", 8, 8},
		{"a sixteenth", 1, 1},
		{"twice as much", 32, 32},
		{"an odd one", 21, 21},
		{"the operator's highest", IMAGE_PRICE_MAX, IMAGE_PRICE_MAX},
		{"the highest", PRESSURE_PRICE_MAX, PRESSURE_PRICE_MAX},
		{"a higher one is cut", PRESSURE_PRICE_MAX * 2, PRESSURE_PRICE_MAX},
		{"nothing", 0, 0},
	};

	for (size_t t = 0; t < CHECK_COUNT(texts); t++)
		for (size_t c = 0; c < CHECK_COUNT(cases); c++) {
			unsigned times = cases[c].paid > 1000 ? 10 : 1000;
			struct pressure_table *table = table_make(1024, 600000);
			struct address address = parse(texts[t]);

			for (unsigned i = 0; i < times; i++)
				charge_priced(table, &address, cases[c].price, 0);
			/* Units of 16 pay a sixteenth once in 16 times: five sigma of 1000 such throws. */
			for (int level = 0; level < IMAGE_LEVEL_COUNT; level++)
				CHECK_NEAR(cases[c].name, load_of(table, &address, level, 0),
					cases[c].paid * times,
					cases[c].paid % 16 ? 5 * 16 * sqrt(1000 * 0.25) : 0.5);
			pressure_table_destroy(table);
		}
}

static void test_price_saturation(void)
{
	static const char *const texts[] = {"192.0.2.1", "2001:db8::1"};

	for (size_t t = 0; t < CHECK_COUNT(texts); t++) {
		struct pressure_table *table = table_make(1024, 600000);
		struct address address = parse(texts[t]), next = parse(t ? "2001:db8:0:100::" : "192.0.3.1");
		const uint32_t prices[IMAGE_LEVEL_COUNT] = {0, PRESSURE_PRICE_MAX, 0, 0};
		struct pressure_handle handle;

		pressure_table_prefetch(table, &address, &handle);
		for (int i = 0; i < 100; i++)
			pressure_table_charge_priced(table, &handle, prices, 0, 0);
		CHECK_EQ("a high price ends at the highest load",
			load_of(table, &address, IMAGE_LEVEL_NEAR, 0) >> (t ? 1 : 2), PRESSURE_LOAD_MAX);
		CHECK_EQ("and leaves the neighbour alone", load_of(table, &next, IMAGE_LEVEL_NEAR, 0), 0);
		CHECK_EQ("and the levels that it does not name", load_of(table, &address, IMAGE_LEVEL_WIDE, 0),
			0);
		pressure_table_destroy(table);
	}
}

/* The ratio of load and limit, this attempt on top, is what a shaper divides by. */
static void test_excess(void)
{
	static const struct {
		const char *name;
		unsigned attempts;
		double ratio;
	} cases[] = {
		{"nothing yet", 0, 1},
		{"within the limit", 39, 1},
		{"one over it", 40, 41.0 / 40},
		{"half as much again", 59, 1.5},
		{"twice the limit", 79, 2},
		{"ten times the limit", 399, 10},
		{"fifty times", 1999, 50},
	};
	struct address address = parse("192.0.2.1");

	for (size_t c = 0; c < CHECK_COUNT(cases); c++)
		for (int level = 0; level < IMAGE_LEVEL_COUNT; level++) {
			struct pressure_table *table = table_make(1024, 600000);
			struct image_rate rates[IMAGE_LEVEL_COUNT] = {{0, 0}};
			struct pressure_limits limits;
			struct pressure_excess excess;
			struct pressure_handle handle;

			rates[level] = (struct image_rate){40, 0};
			limits = pressure_limits_make(table, rates);
			for (unsigned i = 0; i < cases[c].attempts; i++)
				charge(table, &address, 0);
			pressure_table_prefetch(table, &address, &handle);
			CHECK_EQ(cases[c].name,
				(int)pressure_table_excess(table, &handle, &limits, 0, &excess),
				cases[c].ratio > 1 ? level : IMAGE_LEVEL_COUNT);
			for (int other = 0; other < IMAGE_LEVEL_COUNT; other++)
				if (other == level && cases[c].ratio > 1)
					CHECK_NEAR(cases[c].name, excess.ratio[other] / 256.0, cases[c].ratio,
						cases[c].ratio * 0.01);
				else
					CHECK_EQ("a level within its limit", excess.ratio[other], PRESSURE_WITHIN);
			for (int i = 0; i < 70000; i++)
				charge(table, &address, 0);
			pressure_table_excess(table, &handle, &limits, 0, &excess);
			CHECK_EQ("what nobody can count any more", excess.ratio[level], PRESSURE_SATURATED);
			pressure_table_destroy(table);
		}
}

static void test_sizes(void)
{
	struct pressure_table *table = NULL, *small;

	CHECK_EQ("too few keys", pressure_table_create(1023, 1000, &test_key, &table_memory_heap, &table),
		-EINVAL);
	CHECK_EQ("too many keys",
		pressure_table_create((1 << 26) + 1, 1000, &test_key, &table_memory_heap, &table), -EINVAL);
	CHECK_EQ("too short a half-life",
		pressure_table_create(1024, 99, &test_key, &table_memory_heap, &table), -EINVAL);
	CHECK_EQ("too long a half-life",
		pressure_table_create(1024, 600001, &test_key, &table_memory_heap, &table), -EINVAL);
	CHECK_PTR_EQ("a failure leaves the pointer", table, NULL);
	small = table_make(1024, 1000);
	table = table_make(1 << 20, 1000);
	CHECK_EQ("8 bytes a hashed prefix", pressure_table_bytes(table) - pressure_table_bytes(small),
		(size_t)8 * ((1 << 20) - 1024));
	pressure_table_destroy(small);
	pressure_table_destroy(table);
	pressure_table_destroy(NULL);
}

static const struct check_test tests[] = {
	{"decay is exact", test_decay},
	{"rounding keeps the mean", test_rounding},
	{"each prefix ends where it should", test_boundaries},
	{"the most specific level is named first", test_most_specific},
	{"rates are kept", test_rates},
	{"loads follow the exact model", test_model},
	{"clocks wrap and differ", test_clock},
	{"counters saturate over every limit", test_saturation},
	{"random sources raise nobody", test_flood},
	{"prices are paid", test_prices},
	{"high prices saturate", test_price_saturation},
	{"excess is load over limit", test_excess},
	{"sizes are bounded", test_sizes},
};
CHECK_MAIN("pressure_table", tests)
