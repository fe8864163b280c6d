// SPDX-License-Identifier: BSD-3-Clause
/* What weir-bench-tables and weir-bench-scaling stand on: keys that never repeat, tables that answer of the very keys they were given,
 * and two stages over the same tables that account for every packet.
 */
#include <stdlib.h>

#include "bench/decide_world.h"
#include "bench/tables_subject.h"
#include "tests/check.h"

enum { NUMBERS = 1 << 16, LOG2 = 12, ATTEMPTS = 4096 };

static const char *const kinds[TABLES_KEYS_COUNT] = {"IPv4", "IPv6", "flow"};

static int by_key(const void *a, const void *b)
{
	const struct tables_key *x = a, *y = b;

	return x->high != y->high ? (x->high > y->high) - (x->high < y->high) : (x->low > y->low) - (x->low < y->low);
}

static void members_and_strangers_are_all_different(void)
{
	static struct tables_key made[2 * NUMBERS];

	for (enum tables_keys keys = 0; keys < TABLES_KEYS_COUNT; keys++) {
		unsigned twice = 0;

		for (unsigned i = 0; i < NUMBERS; i++) {
			made[2 * i] = tables_key_make(keys, false, i * 31);
			made[2 * i + 1] = tables_key_make(keys, true, i * 31);
		}
		qsort(made, 2 * NUMBERS, sizeof(made[0]), by_key);
		for (unsigned i = 1; i < 2 * NUMBERS; i++)
			twice += made[i - 1].high == made[i].high;
		CHECK_EQ(kinds[keys], twice, 0);
	}
}

static unsigned found(const struct tables_subject *subject, void *table, enum tables_keys keys, bool strangers, unsigned n)
{
	unsigned hits = 0;

	for (unsigned i = 0; i < n; i++) {
		struct tables_key key = tables_key_make(keys, strangers, i);

		hits += subject->lookup(table, &key, 1);
	}
	return hits;
}

static void bans_are_found_and_strangers_are_not(void)
{
	for (enum tables_keys keys = TABLES_V4; keys <= TABLES_V6; keys++) {
		unsigned n = (4 << LOG2) / 5;
		void *table = NULL;

		CHECK_EQ(kinds[keys], tables_bans.create(keys, LOG2, &table), 0);
		CHECK_EQ(kinds[keys], found(&tables_bans, table, keys, false, n), 0);
		for (unsigned i = 0; i < n; i++) {
			struct tables_key key = tables_key_make(keys, false, i);

			CHECK_EQ(kinds[keys], tables_bans.add(table, &key), 0);
		}
		CHECK_EQ(kinds[keys], found(&tables_bans, table, keys, false, n), n);
		CHECK_EQ(kinds[keys], found(&tables_bans, table, keys, true, n), 0);
		tables_bans.destroy(table);
	}
	CHECK_EQ("memory is given back", tables_memory_bytes, 0);
}

static void flows_and_proofs_that_are_charged_are_there_the_next_time(void)
{
	static const struct {
		const struct tables_subject *subject;
		enum tables_keys keys;
	} cases[] = {{&tables_flows, TABLES_FLOW}, {&tables_proven, TABLES_V4}};

	for (unsigned c = 0; c < 2; c++) {
		struct tables_key key[2] = {tables_key_make(cases[c].keys, false, 7), tables_key_make(cases[c].keys, true, 7)};
		void *table = NULL;

		CHECK_EQ(cases[c].subject->name, cases[c].subject->create(cases[c].keys, LOG2, &table), 0);
		CHECK_EQ(cases[c].subject->name, cases[c].subject->charge(table, key, 2), 0);
		CHECK_EQ(cases[c].subject->name, cases[c].subject->charge(table, key, 2), 2);
		CHECK_EQ(cases[c].subject->name, cases[c].subject->lookup(table, key, 2), 2);
		cases[c].subject->destroy(table);
	}
	CHECK_EQ("memory is given back", tables_memory_bytes, 0);
}

static void two_stages_account_for_each_packet(void)
{
	struct decide_sizes sizes = {.bans = 1000, .pressure_log2 = 12, .proven_log2 = 10, .flows_log2 = 10};
	struct decide_world *owner = NULL, *second = NULL;

	CHECK_EQ("setting up", decide_world_create(&sizes, 1, &owner), 0);
	CHECK_EQ("setting up", decide_world_join(owner, 2, &second), 0);
	for (uint8_t family = 4; family <= 6; family += 2) {
		uint64_t before = decide_world_accounted(owner), before_second = decide_world_accounted(second);

		CHECK_EQ(family == 4 ? "IPv4" : "IPv6", decide_world_run(owner, DECIDE_BANNED, family, ATTEMPTS), ATTEMPTS);
		CHECK_EQ(family == 4 ? "IPv4" : "IPv6", decide_world_run(second, DECIDE_BANNED, family, ATTEMPTS), ATTEMPTS);
		decide_world_heat(second, 8);
		CHECK_EQ(family == 4 ? "IPv4" : "IPv6", decide_world_run(second, DECIDE_CHALLENGED, family, ATTEMPTS), ATTEMPTS);
		CHECK_EQ(family == 4 ? "IPv4" : "IPv6", decide_world_accounted(owner) - before, ATTEMPTS);
		CHECK_EQ(family == 4 ? "IPv4" : "IPv6", decide_world_accounted(second) - before_second, 2 * ATTEMPTS);
	}
	decide_world_destroy(second);
	CHECK_EQ("setting up", decide_world_run(owner, DECIDE_BANNED, 4, ATTEMPTS), ATTEMPTS);
	decide_world_destroy(owner);
}

static const struct check_test tests[] = {
	{"members and strangers are all different", members_and_strangers_are_all_different},
	{"bans are found and strangers are not", bans_are_found_and_strangers_are_not},
	{"flows and proofs that are charged are there the next time", flows_and_proofs_that_are_charged_are_there_the_next_time},
	{"two stages over the same tables account for each packet", two_stages_account_for_each_packet},
};
CHECK_MAIN("bench_worlds", tests)
