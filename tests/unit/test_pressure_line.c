// SPDX-License-Identifier: BSD-3-Clause
/* Tests of a pressure table's lines (dataplane/pressure_table_private.h): what vectors do to a whole line is what the portable twins do,
 * bit for bit; decay keeps the mean; a charge that checks says what a charge and then a check say.
 */
#include <string.h>

#include "dataplane/pressure_table_private.h"
#include "tests/check.h"
#include "tests/unit/table_support.h"

enum { LINES = 20000, TIME_MS = 123456789 };

static uint64_t random_state = 1;

/* Full, half empty and empty lines; light, heavy and saturated loads; ids that come twice. */
static struct pressure_key_line key_line_draw(unsigned kind)
{
	struct pressure_key_line line = {.time_ms = TIME_MS};

	for (unsigned i = 0; i < PRESSURE_KEYS; i++) {
		uint64_t random = random_next(&random_state);
		uint32_t id = 1 + (uint32_t)(random % (kind & 1 ? 12 : 0xffff)), load = (uint32_t)(random >> 32) & 0xffff;

		if (kind & 2)
			load = load % 40 + 1;
		if ((kind & 4) && (random >> 60) < 8)
			continue;
		line.keys[i] = id << 16 | ((kind & 8) ? 0xffff : load ? load : 1);
	}
	return line;
}

static void test_key_twins(void)
{
	unsigned differ[3] = {0, 0, 0};

	for (unsigned n = 0; n < LINES; n++) {
		_Alignas(64) struct pressure_key_line line = key_line_draw(n % 16), twin = line;
		uint16_t multiplier = (uint16_t)random_next(&random_state), seed = (uint16_t)random_next(&random_state);
		uint16_t id = (uint16_t)(1 + random_next(&random_state) % (n & 1 ? 12 : 0xffff));

		differ[0] += pressure_line_match(&line, id) != pressure_line_match_portable(&line, id);
		differ[0] += pressure_line_match(&line, (uint16_t)(line.keys[3] >> 16 | 1)) !=
			     pressure_line_match_portable(&line, (uint16_t)(line.keys[3] >> 16 | 1));
		differ[1] += pressure_line_weakest(&line) != pressure_line_weakest_portable(&line);
		pressure_key_line_decay(&line, multiplier, seed);
		pressure_key_line_decay_portable(&twin, multiplier, seed);
		differ[2] += memcmp(&line, &twin, sizeof(line)) != 0 || line.time_ms != TIME_MS;
	}
	CHECK_EQ("the same keys match", differ[0], 0);
	CHECK_EQ("the same key is weakest", differ[1], 0);
	CHECK_EQ("decay leaves the same line", differ[2], 0);
}

static void test_coarse_twins(void)
{
	unsigned differ = 0;

	for (unsigned n = 0; n < LINES; n++) {
		_Alignas(64) struct pressure_coarse_line line = {.time_ms = TIME_MS}, twin = line;
		uint16_t multiplier = (uint16_t)random_next(&random_state), seed = (uint16_t)random_next(&random_state);

		for (unsigned i = 0; i < PRESSURE_COARSE_LOADS; i++)
			line.loads[i] = twin.loads[i] = (uint16_t)(n & 1 ? random_next(&random_state) : n % 7);
		pressure_coarse_line_decay(&line, multiplier, seed);
		pressure_coarse_line_decay_portable(&twin, multiplier, seed);
		differ += memcmp(&line, &twin, sizeof(line)) != 0 || line.time_ms != TIME_MS;
	}
	CHECK_EQ("decay leaves the same line", differ, 0);
}

/* What a key of each place is found by, which a table that looked one word further would miss. */
static void test_places(void)
{
	for (unsigned i = 0; i < PRESSURE_KEYS; i++) {
		_Alignas(64) struct pressure_key_line line = {.time_ms = 0xffff0000 | 7};

		for (unsigned other = 0; other < PRESSURE_KEYS; other++)
			line.keys[other] = (other + 1) << 16 | (other == i ? 5 : 9);
		CHECK_EQ("a key is found at its place", pressure_line_match(&line, (uint16_t)(i + 1)), 1u << i);
		CHECK_EQ("the lightest is the weakest, with its load", pressure_line_weakest(&line), 5u << 16 | i);
		CHECK_EQ("the time is no key", pressure_line_match(&line, 0xffff), 0);
		line.keys[i] = 0;
		CHECK_EQ("an empty place is the weakest and holds nothing", pressure_line_weakest(&line), i);
	}
}

/* 60000 seeds spread over all of 2^16: every load keeps load * multiplier / 2^16 in the mean, within a hundredth of a unit. */
static void test_mean(void)
{
	static const uint32_t loads[] = {1, 2, 3, 16, 17, 1000, 61439};
	const uint16_t multiplier = 64131; /* 2^(-1/32): what a hot line loses at once */

	for (size_t c = 0; c < CHECK_COUNT(loads); c++) {
		double sums[PRESSURE_KEYS] = {0};

		for (uint32_t seed = 0; seed <= UINT16_MAX; seed++) {
			_Alignas(64) struct pressure_key_line line = {.time_ms = 1};

			for (unsigned i = 0; i < PRESSURE_KEYS; i++)
				line.keys[i] = 1u << 16 | loads[c];
			pressure_key_line_decay(&line, multiplier, (uint16_t)seed);
			for (unsigned i = 0; i < PRESSURE_KEYS; i++)
				sums[i] += line.keys[i] & 0xffff;
		}
		for (unsigned i = 0; i < PRESSURE_KEYS; i++)
			CHECK_NEAR("the mean is kept at each place", sums[i] / 65536, loads[c] * (multiplier / 65536.0), 0.01);
	}
}

/* Two tables, the same attempts: one is charged and asked in one step, the other in two. */
static void test_charge_check(void)
{
	struct pressure_table *one, *two;
	const struct image_rate rates[IMAGE_LEVEL_COUNT] = {{12, 1000}, {40, 3000}, {100, 1000}, {1000, 0}};
	struct pressure_limits limits;
	unsigned differ = 0, over[IMAGE_LEVEL_COUNT + 1] = {0};
	uint64_t now_ns = SECOND_NS;

	CHECK_EQ("a table", pressure_table_create(1024, 10000, &test_key, &table_memory_heap, &one), 0);
	CHECK_EQ("its twin", pressure_table_create(1024, 10000, &test_key, &table_memory_heap, &two), 0);
	limits = pressure_limits_make(one, rates);
	for (unsigned n = 0; n < 200000; n++) {
		uint64_t random = random_next(&random_state);
		/* Some hot hosts, some networks, some that never come twice. */
		uint32_t v4 = 0x0a000000 | (uint32_t)(random % 3 == 0 ? random >> 59 : random % 3 == 1 ? (random >> 40) & 0xfffff : random >> 40);
		struct address address = random >> 63 ? address_from_v4(v4) : address_v6_make((uint64_t)v4 << 24, 1);
		uint32_t price = (uint32_t)(random >> 20) % 5 * 8, dice = (uint32_t)(random >> 8);
		const uint32_t prices[IMAGE_LEVEL_COUNT] = {price, price, price, price};
		struct pressure_handle handle;
		enum image_level level;
		unsigned replaced;

		pressure_table_prefetch(one, &address, &handle);
		replaced = pressure_table_charge_check(one, &handle, price, &limits, now_ns, dice, &level);
		differ += replaced != pressure_table_charge_priced(two, &handle, prices, now_ns, dice);
		differ += level != pressure_table_check(two, &handle, &limits, now_ns);
		over[level]++;
		now_ns += (random >> 30) % 1000000;
	}
	CHECK_EQ("one step says what two say", differ, 0);
	for (unsigned level = 0; level <= IMAGE_LEVEL_COUNT; level++)
		CHECK_TRUE("each level is named, and none", over[level] > 100);
	pressure_table_destroy(one);
	pressure_table_destroy(two);
}

static void test_wide(void)
{
	static const uint32_t prices[IMAGE_LEVEL_COUNT] = {0, 16, 16, 16};
	const struct address addresses[] = {address_from_v4(0xc0000201), address_v6_make(UINT64_C(0x20010db800000000), 1)};
	struct pressure_handle handle, wide;
	struct pressure_table *table;

	CHECK_EQ("a table", pressure_table_create(1024, 10000, &test_key, &table_memory_heap, &table), 0);
	for (size_t i = 0; i < CHECK_COUNT(addresses); i++) {
		pressure_table_prefetch(table, &addresses[i], &handle);
		pressure_table_prefetch_wide(table, &addresses[i], &wide);
		pressure_table_charge(table, &handle, SECOND_NS, 1);
		pressure_table_charge_priced(table, &wide, prices, SECOND_NS, 1);
		CHECK_EQ("the host is not charged", pressure_table_load(table, &handle, IMAGE_LEVEL_HOST, SECOND_NS), 16);
		CHECK_EQ("nor does this handle know it", pressure_table_load(table, &wide, IMAGE_LEVEL_HOST, SECOND_NS), 0);
		for (int level = IMAGE_LEVEL_NEAR; level < IMAGE_LEVEL_COUNT; level++)
			CHECK_EQ("its prefixes are", pressure_table_load(table, &wide, (enum image_level)level, SECOND_NS), 32);
	}
	pressure_table_destroy(table);
}

static const struct check_test tests[] = {
	{"vectors do to keys what the twins do", test_key_twins},
	{"vectors do to coarse loads what the twins do", test_coarse_twins},
	{"a key is found at each place of a line", test_places},
	{"decay keeps the mean of each place", test_mean},
	{"a charge that checks says what both say", test_charge_check},
	{"a handle without the host leaves the host alone", test_wide},
};
CHECK_MAIN("pressure_line", tests)
