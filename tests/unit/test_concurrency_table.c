// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/concurrency_table.h: levels, V29's limits, a naive model, full and saturated counts. */
#include <errno.h>

#include "dataplane/concurrency_table.h"
#include "tests/check.h"
#include "tests/unit/table_support.h"

static struct concurrency_table *table_make(uint64_t capacity)
{
	struct concurrency_table *table = NULL;

	CHECK_EQ("a table is made", concurrency_table_create(capacity, &test_key, &table_memory_heap, &table),
		0);
	return table;
}

static struct address parse(const char *text)
{
	struct address address = {{0}};

	CHECK_EQ(text, address_parse(text, &address), 0);
	return address;
}

static void test_levels(void)
{
	static const struct {
		const char *name, *counted, *asked;
		uint32_t counts[IMAGE_LEVEL_COUNT];
	} cases[] = {
		{"the same IPv4 address", "192.0.2.1", "192.0.2.1", {1, 1, 1, 1}},
		{"its neighbour shares the /24", "192.0.2.1", "192.0.2.0", {0, 1, 1, 1}},
		{"the last of the /24", "192.0.2.1", "192.0.2.255", {0, 1, 1, 1}},
		{"the next /24 shares the /20", "192.0.2.1", "192.0.3.0", {0, 0, 1, 1}},
		{"the last of the /20", "192.0.2.1", "192.0.15.255", {0, 0, 1, 1}},
		{"the next /20 shares the /18", "192.0.2.1", "192.0.16.0", {0, 0, 0, 1}},
		{"the last of the /18", "192.0.2.1", "192.0.63.255", {0, 0, 0, 1}},
		{"the next /18 shares nothing", "192.0.2.1", "192.0.64.0", {0, 0, 0, 0}},
		{"an IPv6 source is its /64", "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", {1, 1, 1, 1}},
		{"the next /64 shares the /56", "2001:db8:1:2::1", "2001:db8:1:3::", {0, 1, 1, 1}},
		{"the last of the /56", "2001:db8:1:2::1", "2001:db8:1:ff::", {0, 1, 1, 1}},
		{"the next /56 shares the /48", "2001:db8:1:2::1", "2001:db8:1:100::", {0, 0, 1, 1}},
		{"the next /48 shares the /32", "2001:db8:1:2::1", "2001:db8:2::", {0, 0, 0, 1}},
		{"the next /32 shares nothing", "2001:db8:1:2::1", "2001:db9::", {0, 0, 0, 0}},
		{"the families are apart", "0.0.0.1", "::1", {0, 0, 0, 0}},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct concurrency_table *table = table_make(1000);
		struct address counted = parse(cases[i].counted), asked = parse(cases[i].asked);

		CHECK_EQ("all levels have room", concurrency_table_add(table, &counted), 0);
		for (int level = 0; level < IMAGE_LEVEL_COUNT; level++)
			CHECK_EQ(cases[i].name,
				concurrency_table_count(table, &asked, (enum image_level)level),
				cases[i].counts[level]);
		concurrency_table_remove(table, &counted, 0);
		for (int level = 0; level < IMAGE_LEVEL_COUNT; level++)
			CHECK_EQ("nothing is left",
				concurrency_table_count(table, &counted, (enum image_level)level), 0u);
		concurrency_table_destroy(table);
	}
}

static unsigned admit(struct concurrency_table *table, const char *format_base, unsigned n,
	unsigned step_bits, const uint32_t *limits, enum image_level *ret_refused)
{
	struct address base = parse(format_base);
	uint64_t site = address_v6_site(&base);
	unsigned admitted = 0;

	for (unsigned i = 0; i < n; i++) {
		struct address client =
			address_is_v4(&base) ? base : address_v6_make(site + ((uint64_t)i << step_bits), i);
		enum image_level level = concurrency_table_check(table, &client, limits);

		if (level == IMAGE_LEVEL_COUNT) {
			concurrency_table_add(table, &client);
			admitted++;
		} else {
			*ret_refused = level;
		}
	}
	return admitted;
}

static void test_limits(void)
{
	static const struct {
		const char *name, *base;
		unsigned attempts, step_bits, admitted;
		uint32_t limits[IMAGE_LEVEL_COUNT];
		enum image_level refused;
	} cases[] = {
		{"V29: of one IPv4 address 8 pass and the 9th does not", "192.0.2.1", 9, 0, 8, {8, 0, 0, 0},
			IMAGE_LEVEL_HOST},
		{"V29: 8 of an IPv6 /56", "2001:db8::", 20, 0, 8, {0, 8, 64, 0}, IMAGE_LEVEL_NEAR},
		{"V29: 64 of an IPv6 /48", "2001:db8::", 100, 8, 64, {0, 8, 64, 0}, IMAGE_LEVEL_MID},
		{"the most specific level is named", "192.0.2.1", 5, 0, 2, {2, 2, 2, 2}, IMAGE_LEVEL_HOST},
		{"0 is no limit", "192.0.2.1", 500, 0, 500, {0, 0, 0, 0}, IMAGE_LEVEL_COUNT},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct concurrency_table *table = table_make(1000);
		enum image_level refused = IMAGE_LEVEL_COUNT;

		CHECK_EQ(cases[i].name,
			admit(table, cases[i].base, cases[i].attempts, cases[i].step_bits, cases[i].limits,
				&refused),
			cases[i].admitted);
		CHECK_EQ(cases[i].name, (int)refused, (int)cases[i].refused);
		CHECK_EQ("every connection is one of the total", concurrency_table_total(table),
			cases[i].admitted);
		concurrency_table_destroy(table);
	}
}

static void test_model(void)
{
	enum { CLIENTS = 200, STEPS = 100000 };
	struct concurrency_table *table = table_make(CLIENTS * IMAGE_LEVEL_COUNT);
	uint32_t model[CLIENTS] = {0};
	uint64_t random = 4, total = 0;
	unsigned wrong = 0;

	for (int step = 0; step < STEPS; step++) {
		uint64_t pick = random_next(&random);
		unsigned i = (unsigned)(pick % CLIENTS);
		struct address client =
			address_v6_make((uint64_t)i << 33, pick); /* a /32 each, so levels do not mix */

		if (pick >> 63) {
			wrong += concurrency_table_add(table, &client) != 0;
			model[i]++;
			total++;
		} else if (model[i]) {
			concurrency_table_remove(table, &client, 0);
			model[i]--;
			total--;
		}
		wrong += concurrency_table_count(table, &client, (enum image_level)(pick >> 32 & 3)) !=
			 model[i];
		wrong += concurrency_table_total(table) != total;
	}
	CHECK_EQ("100,000 births and deaths are counted exactly", wrong, 0u);
	concurrency_table_destroy(table);
}

static void test_saturation(void)
{
	struct concurrency_table *table = table_make(1000);
	struct address client = parse("192.0.2.1");
	static const uint32_t limits[IMAGE_LEVEL_COUNT] = {100000, 0, 0, 0};
	unsigned uncounted = 0;

	for (int i = 0; i < 65535; i++)
		uncounted += concurrency_table_add(table, &client);
	CHECK_EQ("65535 connections are counted", uncounted, 0u);
	CHECK_EQ("a saturated count is at any limit", (int)concurrency_table_check(table, &client, limits),
		IMAGE_LEVEL_HOST);
	CHECK_EQ(
		"the next is not, and it says so at each level", concurrency_table_add(table, &client), 0x0f);
	CHECK_EQ("it is in the total", concurrency_table_total(table), 65536u);
	concurrency_table_remove(table, &client, 0x0f);
	CHECK_EQ("its end leaves the count", concurrency_table_count(table, &client, IMAGE_LEVEL_WIDE),
		65535u);
	for (int i = 0; i < 65535; i++)
		concurrency_table_remove(table, &client, 0);
	CHECK_EQ("at last nothing is left", concurrency_table_count(table, &client, IMAGE_LEVEL_HOST), 0u);
	CHECK_EQ("nor in the total", concurrency_table_total(table), 0u);
	concurrency_table_destroy(table);
}

static void test_full(void)
{
	enum { CLIENTS = 1000 };
	struct concurrency_table *table = table_make(64);
	uint8_t uncounted[CLIENTS];
	unsigned levels = 0, left = 0, wrong = 0;

	for (unsigned i = 0; i < CLIENTS; i++) {
		struct address client = address_v6_make((uint64_t)i << 33, 0);

		uncounted[i] = concurrency_table_add(table, &client);
		for (int level = 0; level < IMAGE_LEVEL_COUNT; level++) {
			bool counted = concurrency_table_count(table, &client, (enum image_level)level) == 1;

			wrong += counted == ((uncounted[i] >> level) & 1);
			levels += counted;
		}
	}
	CHECK_EQ("a bit is set exactly for the levels without room", wrong, 0u);
	CHECK_TRUE("the table is used up", levels >= 64 && levels < CLIENTS);
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct address client = address_v6_make((uint64_t)i << 33, 0);

		concurrency_table_remove(table, &client, uncounted[i]);
	}
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct address client = address_v6_make((uint64_t)i << 33, 0);

		for (int level = 0; level < IMAGE_LEVEL_COUNT; level++)
			left += concurrency_table_count(table, &client, (enum image_level)level);
	}
	CHECK_EQ("it is empty again afterwards", left, 0u);
	concurrency_table_destroy(table);
}

/* Ten thousand clients, one after the other, through a table for 64 prefixes: a word that reaches 0 is free. */
static void test_reuse(void)
{
	struct concurrency_table *table = table_make(64);
	unsigned uncounted = 0;

	for (uint64_t i = 0; i < 10000; i++) {
		struct address client = address_v6_make(i << 33, 0);
		uint8_t levels = concurrency_table_add(table, &client);

		uncounted += levels != 0;
		concurrency_table_remove(table, &client, levels);
	}
	CHECK_EQ("each finds room", uncounted, 0u);
	concurrency_table_destroy(table);
}

static void test_capacity(void)
{
	struct concurrency_table *table = table_make(100000);
	unsigned uncounted = 0;

	for (uint64_t i = 0; i < 25000; i++) {
		struct address client = address_v6_make(i << 33, 0);

		uncounted += concurrency_table_add(table, &client) != 0;
	}
	/* 2e-4 of 100000 prefixes are 20, with a standard deviation of 4.5: five of them are allowed. */
	CHECK_TRUE("at capacity about 2 in 10000 prefixes find no room", uncounted <= 42);
	CHECK_EQ("no capacity is refused", concurrency_table_create(0, &test_key, &table_memory_heap, &table),
		-EINVAL);
	concurrency_table_destroy(table);
	concurrency_table_destroy(NULL);
}

static const struct check_test tests[] = {
	{"connections count at their four prefixes", test_levels},
	{"V29: limits per prefix", test_limits},
	{"counts are exact", test_model},
	{"a count saturates visibly", test_saturation},
	{"a full table says what it did not count", test_full},
	{"an ended connection leaves its room to others", test_reuse},
	{"the capacity fits", test_capacity},
};
CHECK_MAIN("concurrency_table", tests)
