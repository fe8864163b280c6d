// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/connection_table.h: who is known, when an id may move, who goes when it is full.
 */
#include <errno.h>

#include "dataplane/connection_table.h"
#include "tests/check.h"

static const struct hash_key key = {1, 2};
enum { LIFETIME_S = 60 };

static struct connection_table *create(uint64_t capacity)
{
	struct connection_table *table = NULL;

	CHECK_EQ("a table is made", connection_table_create(capacity, &key, &table_memory_heap, &table), 0);
	return table;
}

static void test_sizes(void)
{
	static const struct {
		const char *name;
		uint64_t capacity;
		int expected;
	} cases[] = {
		{"the fewest", CONNECTION_IDS_MIN, 0},
		{"fewer", CONNECTION_IDS_MIN - 1, -EINVAL},
		{"too many", (UINT64_C(1) << 26) + 1, -EINVAL},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct connection_table *table = NULL;

		CHECK_EQ(cases[i].name,
			connection_table_create(cases[i].capacity, &key, &table_memory_heap, &table),
			cases[i].expected);
		CHECK_EQ(cases[i].name, table != NULL, cases[i].expected == 0);
		connection_table_destroy(table);
	}
}

static void test_moves(void)
{
	static const struct {
		const char *name;
		uint64_t id;
		uint32_t at_s;
		bool moves;
	} cases[] = {
		{"an id that nobody added", 8, 100, false},
		{"at once", 7, 100, true},
		{"again at once", 7, 100, false},
		{"a second too early", 7, 100 + CONNECTION_MOVE_S - 1, false},
		{"when enough time has passed", 7, 100 + CONNECTION_MOVE_S, true},
		{"at the end of its life", 7, 100 + CONNECTION_MOVE_S + LIFETIME_S, true},
		{"later", 7, 100 + CONNECTION_MOVE_S + 2 * LIFETIME_S + 1, false},
	};
	struct connection_table *table = create(CONNECTION_IDS_MIN);

	CHECK_EQ("it is new", connection_table_add(table, 7, 100), CONNECTION_NEW);
	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		CHECK_EQ(cases[i].name,
			connection_table_may_move(table, cases[i].id, LIFETIME_S, cases[i].at_s),
			cases[i].moves);
		CHECK_EQ(cases[i].name, connection_table_move(table, cases[i].id, LIFETIME_S, cases[i].at_s),
			cases[i].moves);
	}
	CHECK_EQ("it is still there", connection_table_add(table, 7, 1000), CONNECTION_KNOWN);
	CHECK_TRUE("seen again, it lives", connection_table_move(table, 7, LIFETIME_S, 1001));
	CHECK_EQ("being seen", connection_table_add(table, 7, 1002), CONNECTION_KNOWN);
	CHECK_FALSE("does not let it move again", connection_table_move(table, 7, LIFETIME_S, 1002));
	connection_table_destroy(table);
}

static void test_removal(void)
{
	struct connection_table *table = create(CONNECTION_IDS_MIN);

	CHECK_EQ("it is added", connection_table_add(table, 7, 100), CONNECTION_NEW);
	CHECK_EQ("a flow that ended before it was seen last keeps it", connection_table_remove(table, 7, 99),
		0u);
	CHECK_EQ("another id is not there", connection_table_remove(table, 8, 100), 0u);
	CHECK_EQ("its last flow takes it along", connection_table_remove(table, 7, 100), 1u);
	CHECK_FALSE("then nobody knows it", connection_table_move(table, 7, LIFETIME_S, 100));
	CHECK_EQ("its place is free", connection_table_add(table, 7, 101), CONNECTION_NEW);
	connection_table_destroy(table);
}

static void test_eviction(void)
{
	enum { IDS = 2 * CONNECTION_IDS_MIN };
	unsigned n_new = 0, n_evicted = 0, n_late = 0, n_early = 0;
	struct connection_table *table = create(CONNECTION_IDS_MIN);

	/* Each a second after the one before; a multiplier so that ids differ everywhere. */
	for (unsigned i = 1; i <= IDS; i++) {
		enum connection_added added =
			connection_table_add(table, i * UINT64_C(0x9e3779b97f4a7c15), i);

		n_new += added == CONNECTION_NEW;
		n_evicted += added == CONNECTION_EVICTED;
	}
	for (unsigned i = 1; i <= IDS; i++) {
		bool known = connection_table_move(table, i * UINT64_C(0x9e3779b97f4a7c15), UINT32_MAX, IDS);

		n_early += known && i <= IDS / 4;
		n_late += known && i > IDS * 3 / 4;
	}
	CHECK_EQ("every one is added", n_new + n_evicted, (unsigned)IDS);
	CHECK_TRUE("two choices fill nine tenths before the first place is taken twice",
		n_new >= CONNECTION_IDS_MIN * 9 / 10 && n_new <= CONNECTION_IDS_MIN);
	CHECK_TRUE("of the last quarter hardly any is missing", n_late >= IDS / 4 * 19 / 20);
	CHECK_TRUE("of the first quarter hardly any", n_early <= IDS / 4 / 20);
	connection_table_destroy(table);
}

static const struct check_test tests[] = {
	{"sizes have limits", test_sizes},
	{"an id is known while it lives and moves seldom", test_moves},
	{"an id ends with its last flow", test_removal},
	{"a full table forgets who was seen least lately", test_eviction},
};

CHECK_MAIN("connection_table", tests)
