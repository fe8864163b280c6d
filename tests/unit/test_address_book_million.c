/* SPDX-License-Identifier: BSD-3-Clause
 * A million addresses in control/address_book*.c: memory, and that nothing sweeps. Prints what it measured.
 */
#include <malloc.h>
#include <time.h>

#include "tests/unit/book_fixture.h"

enum { MANY = 1000000 };

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void test_many(void)
{
	struct address_book_config config = config_of_tests();
	config.capacity = MANY;
	config.group.limit = UINT32_MAX;
	config.counters = counters_dugite;
	struct address_book_effects none = {0};
	address_book_destroy(book);
	book = NULL;
	struct mallinfo2 before = mallinfo2();
	CHECK_EQ("a large book", address_book_create(&config, &none, &book), 0);
	double start = seconds();
	for (uint32_t i = 0; i < MANY; i++) {
		/* An odd multiplier visits every /24 in no order. */
		struct book_entry entry = {
			.address = address_from_v4(0x14000000 + (i * UINT32_C(2654435761) >> 6) % 0x4000000),
			.port = 1 + i % 60000};
		(void)address_book_add(book, &entry, AT(1));
	}
	double added = seconds() - start;
	uint32_t n = address_book_count(book);
	struct mallinfo2 after = mallinfo2();
	double bytes = (double)(after.uordblks + after.hblkhd - before.uordblks - before.hblkhd) / n;
	CHECK_TRUE("a million addresses are known", n > MANY * 8 / 10);
	CHECK_TRUE("under 400 bytes each", bytes < 400);
	const struct book_record *some[BOOK_ANSWER_MAX];
	struct book_endpoint endpoints[BOOK_ANSWER_MAX];
	size_t n_some = address_book_list(book, BOOK_ANSWER_MAX, NULL, some);
	for (size_t i = 0; i < n_some; i++)
		endpoints[i] = (struct book_endpoint){some[i]->address, some[i]->port};
	start = seconds();
	for (size_t i = 0; i < n_some; i++)
		(void)address_book_outcome(book, &endpoints[i], i % 3 == 0, AT(2));
	double outcome_us = (seconds() - start) / (double)n_some * 1e6;
	struct book_target targets[100];
	start = seconds();
	(void)address_book_advance(book, AT(30), 10000);
	(void)address_book_to_connect(book, 100, AT(30), targets);
	(void)address_book_coldest(book, 100, AT(30), answer);
	(void)address_book_best(book, 8, NULL, AT(30), answer);
	(void)address_book_random(book, 100, BOOK_FILTER_ANY, true, 10, AT(30), answer);
	double tick_ms = (seconds() - start) * 1e3;
	printf("%u addresses: %.0f bytes each, %.1f us to add, %.1f us an outcome, %.2f ms for all that a "
	       "tick asks\n",
		n, bytes, added / MANY * 1e6, outcome_us, tick_ms);
	/* Measured: 1 ms. A sweep over a million records in no order of memory takes longer than the bound.
	 */
	CHECK_TRUE("a tick is under 50 ms", tick_ms < 50);
	address_book_destroy(book);
	book = NULL;
}

static const struct check_test tests[] = {
	{"a million addresses", test_many},
};
CHECK_MAIN("address_book_million", tests)
