// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/fragment_table.h: which later fragments follow which first one, and for how long. */
#include <errno.h>

#include "dataplane/fragment_table.h"
#include "tests/check.h"
#include "tests/unit/table_support.h"

static struct packet packet_make(uint32_t source, uint32_t destination, uint32_t id)
{
	struct packet packet;

	memset(&packet, 0, sizeof(packet));
	packet.source = address_from_v4(source);
	packet.destination = address_from_v4(destination);
	packet.fragment_id = id;
	return packet;
}

static void test_follow(void)
{
	static const struct {
		const char *name;
		uint32_t source, destination, id;
		uint64_t after_ms;
		bool passes;
	} cases[] = {
		{"a later fragment of the datagram", 1, 2, 3, 0, true},
		{"just before its time is over", 1, 2, 3, FRAGMENT_LIFETIME_MS - 1, true},
		{"when its time is over", 1, 2, 3, FRAGMENT_LIFETIME_MS, false},
		{"another source", 9, 2, 3, 0, false},
		{"another destination", 1, 9, 3, 0, false},
		{"another datagram", 1, 2, 9, 0, false},
		{"the opposite direction", 2, 1, 3, 0, false},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct fragment_table *table = NULL;
		struct packet first = packet_make(1, 2, 3),
			      later = packet_make(cases[i].source, cases[i].destination, cases[i].id);

		CHECK_EQ("a table is made", fragment_table_create(1, &test_key, &table_memory_heap, &table),
			0);
		CHECK_FALSE("nothing follows nothing", fragment_table_has(table, &later, 0));
		fragment_table_add(table, &first, 5 * SECOND_NS);
		later.protocol = 17; /* later fragments may show another protocol behind extension headers */
		CHECK_EQ(cases[i].name,
			fragment_table_has(table, &later, 5 * SECOND_NS + cases[i].after_ms * MS_NS),
			cases[i].passes);
		fragment_table_destroy(table);
	}
}

static void test_bounded(void)
{
	struct fragment_table *table = NULL;
	struct packet packet;
	unsigned found = 0, false_hits = 0;

	CHECK_EQ("a table is made", fragment_table_create(1000, &test_key, &table_memory_heap, &table), 0);
	for (uint32_t i = 0; i < 100000; i++) {
		packet = packet_make(i, 2, 3);
		fragment_table_add(table, &packet, SECOND_NS);
		found += fragment_table_has(table, &packet, SECOND_NS);
	}
	CHECK_EQ("the newest datagram is always known", found, 100000u);
	found = 0;
	for (uint32_t i = 0; i < 200000; i++) {
		packet = packet_make(i, 2, 3);
		if (fragment_table_has(table, &packet, SECOND_NS))
			i < 100000 ? found++ : false_hits++;
	}
	CHECK_TRUE("a flood leaves as many as fit", found > 900 && found <= 1000);
	CHECK_EQ("and strangers none", false_hits, 0u);
	fragment_table_destroy(table);
	CHECK_EQ("no capacity is refused", fragment_table_create(0, &test_key, &table_memory_heap, &table),
		-EINVAL);
	fragment_table_destroy(NULL);
}

static const struct check_test tests[] = {
	{"later fragments follow their first", test_follow},
	{"the table is bounded", test_bounded},
};
CHECK_MAIN("fragment_table", tests)
