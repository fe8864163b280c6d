// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/proven_table.h: what proves, for how long, budgets, tickets, replacement, and foreign
 * sources. */
#include <errno.h>

#include "dataplane/proven_table.h"
#include "tests/check.h"
#include "tests/unit/table_support.h"

static const struct token_bucket_profile no_limit = {0, 0};

static struct proven_table *table_make(uint64_t capacity)
{
	struct proven_table *table = NULL;

	CHECK_EQ("a table is made", proven_table_create(capacity, &test_key, &table_memory_heap, &table), 0);
	return table;
}

static uint64_t hash_of(const struct proven_table *table, uint64_t number)
{
	struct address address = number & 1 ? address_from_v4((uint32_t)(number * 2654435761u))
					    : address_v6_make(number << 20, number);
	uint64_t hash;

	proven_table_prefetch(table, &address, &hash);
	return hash;
}

static void test_proof(void)
{
	static const struct {
		const char *name;
		uint8_t proved, asked;
		uint64_t source, now_ms;
		enum proven_answer answer;
	} cases[] = {
		{"the source that proved itself", 7, 7, 1, 1000, PROVEN_YES},
		{"just before its proof ends", 7, 7, 1, 60999, PROVEN_YES},
		{"once its proof has ended", 7, 7, 1, 61000, PROVEN_NO},
		{"a year after", 7, 7, 1, UINT64_C(31536000000), PROVEN_NO},
		{"the neighbour", 7, 7, 3, 1000, PROVEN_NO},
		{"another fingerprint", 7, 8, 1, 1000, PROVEN_NO},
		{"asked without a fingerprint", 7, 0, 1, 1000, PROVEN_YES},
		{"proved without a fingerprint", 0, 9, 1, 1000, PROVEN_YES},
		{"an IPv6 source", 7, 7, 2, 1000, PROVEN_YES},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct proven_table *table = table_make(256);
		uint64_t now = cases[i].now_ms * MS_NS, hash = hash_of(table, cases[i].source);

		CHECK_FALSE("nothing is proven at first", proven_table_has(table, hash, 0));
		proven_table_add(table, hash_of(table, cases[i].source == 2 ? 2 : 1), cases[i].proved, 0,
			60000, 1000 * MS_NS);
		CHECK_EQ(cases[i].name,
			(int)proven_table_peek(table, hash, cases[i].asked, 5, &no_limit, now),
			(int)cases[i].answer);
		CHECK_EQ(cases[i].name,
			(int)proven_table_charge(table, hash, cases[i].asked, 5, &no_limit, now),
			(int)cases[i].answer);
		if (cases[i].proved == cases[i].asked)
			CHECK_EQ(cases[i].name, proven_table_has(table, hash, now),
				cases[i].answer == PROVEN_YES);
		proven_table_destroy(table);
	}
}

/* policy.md V29 holds through the 48-bit time of an entry, at every phase of its unit and late in the
 * machine's life. */
static void test_budget(void)
{
	static const struct {
		const char *name;
		uint64_t now_ms;
		unsigned attempts, passed;
	} rows[] = {
		{"17 at once: 16 pass", 0, 17, 16},
		{"at 4.99 s none", 4990, 1, 0},
		{"at 5 s one, and no second", 5000, 2, 1},
		{"at 10 s one", 10000, 2, 1},
		{"after a rest the whole burst, no more", 1000000, 20, 16},
	};
	static const uint64_t starts[] = {
		1, 63, 64, (UINT64_C(1) << 54) - 3 * SECOND_NS, (UINT64_C(1) << 55) + 17};
	struct token_bucket_profile budget = token_bucket_profile_make((struct image_rate){16, 200});

	for (size_t s = 0; s < CHECK_COUNT(starts); s++) {
		struct proven_table *table = table_make(256);
		uint64_t hash = hash_of(table, 1);

		proven_table_add(table, hash, 3, 0, 3600000, starts[s]);
		for (size_t r = 0; r < CHECK_COUNT(rows); r++) {
			uint64_t now = starts[s] + rows[r].now_ms * MS_NS;
			unsigned passed = 0;

			for (unsigned i = 0; i < rows[r].attempts; i++) {
				enum proven_answer peeked =
					proven_table_peek(table, hash, 3, 9, &budget, now);
				enum proven_answer charged =
					proven_table_charge(table, hash, 3, 9, &budget, now);

				CHECK_EQ("peek says what charge does", (int)peeked, (int)charged);
				CHECK_TRUE("spent means challenge, not unknown",
					charged == PROVEN_YES || charged == PROVEN_SPENT);
				passed += charged == PROVEN_YES;
			}
			CHECK_EQ(rows[r].name, passed, rows[r].passed);
		}
		CHECK_TRUE("a spent source is still known",
			proven_table_has(table, hash, starts[s] + 1000 * SECOND_NS));
		proven_table_destroy(table);
	}
}

static void test_ticket(void)
{
	struct token_bucket_profile budget = token_bucket_profile_make((struct image_rate){1, 1000});
	struct proven_table *table = table_make(256);
	uint64_t hash = hash_of(table, 1);

	proven_table_add(table, hash, 3, 4444, 60000, SECOND_NS);
	CHECK_EQ("the budget is spent by another port",
		(int)proven_table_charge(table, hash, 3, 1, &budget, SECOND_NS), PROVEN_YES);
	CHECK_EQ("so that it is spent", (int)proven_table_charge(table, hash, 3, 2, &budget, SECOND_NS),
		PROVEN_SPENT);
	CHECK_EQ("a look does not use the ticket up",
		(int)proven_table_peek(table, hash, 3, 4444, &budget, SECOND_NS), PROVEN_TICKET);
	CHECK_EQ("the port of the cookie passes",
		(int)proven_table_charge(table, hash, 3, 4444, &budget, SECOND_NS), PROVEN_TICKET);
	CHECK_EQ("once", (int)proven_table_charge(table, hash, 3, 4444, &budget, SECOND_NS), PROVEN_SPENT);
	CHECK_FALSE("a renewal replaces nobody", proven_table_add(table, hash, 3, 5555, 60000, SECOND_NS));
	CHECK_EQ("it does not refill the budget",
		(int)proven_table_charge(table, hash, 3, 2, &budget, SECOND_NS), PROVEN_SPENT);
	CHECK_EQ("it gives a new ticket", (int)proven_table_charge(table, hash, 3, 5555, &budget, SECOND_NS),
		PROVEN_TICKET);
	proven_table_destroy(table);
}

static void test_renewal(void)
{
	struct proven_table *table = table_make(256);
	uint64_t hash = hash_of(table, 1);

	proven_table_add(table, hash, 3, 0, 10000, 0);
	proven_table_add(table, hash, 3, 0, 10000, 9 * SECOND_NS);
	CHECK_TRUE("a renewed proof lives longer", proven_table_has(table, hash, 18 * SECOND_NS));
	proven_table_add(table, hash, 3, 0, 1000, 10 * SECOND_NS);
	CHECK_TRUE("a shorter one does not shorten it", proven_table_has(table, hash, 18 * SECOND_NS));
	proven_table_add(table, hash, 3, 0, UINT32_MAX, UINT64_C(300000000) * SECOND_NS);
	CHECK_FALSE("beyond 8.5 years of uptime nothing is proven by accident",
		proven_table_has(table, hash, UINT64_C(268435456) * SECOND_NS));
	proven_table_destroy(table);
}

static void test_quiet(void)
{
	static const struct {
		const char *name;
		uint64_t at_s;
		uint32_t quiet_s;
	} cases[] = {
		{"a stranger is new", 100, PROVEN_QUIET_NEW},
		{"the same second again", 100, 0},
		{"nine seconds later", 109, 9},
		{"a clock behind", 105, 0},
		{"counts from the latest proof", 159, 50},
		{"after its end it is new again", 220, PROVEN_QUIET_NEW},
	};
	struct proven_table *table = table_make(256);

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		uint32_t quiet_s = 12345;

		CHECK_FALSE(cases[i].name, proven_table_add_timed(table, hash_of(table, 1), 0, 0, 60000,
						   cases[i].at_s * SECOND_NS, &quiet_s));
		CHECK_EQ(cases[i].name, quiet_s, cases[i].quiet_s);
	}
	proven_table_destroy(table);
}

/* One bucket pair: who goes is who expires soonest, and one source cannot crowd the others out with
 * fingerprints. */
static void test_replacement(void)
{
	struct proven_table *table = table_make(256);
	uint64_t base = UINT64_C(
		0x1000000010000000); /* both choices are bucket 4 of 64; the tag comes from the low bits */
	unsigned alive = 0;

	for (unsigned i = 0; i < 4; i++)
		CHECK_FALSE("free places are used first",
			proven_table_add(table, base + i, 1, 0, 10000 + i * 1000, 0));
	CHECK_TRUE("a full bucket replaces", proven_table_add(table, base + 100, 1, 0, 60000, 0));
	CHECK_FALSE("the one that expires soonest", proven_table_has(table, base, 0));
	for (unsigned i = 1; i < 4; i++)
		CHECK_TRUE("and no other", proven_table_has(table, base + i, 0));
	CHECK_FALSE("an expired one is no loss",
		proven_table_add(table, base + 101, 1, 0, 60000, 12 * SECOND_NS));
	proven_table_destroy(table);

	table = table_make(256);
	base = UINT64_C(0x1000000020000000); /* buckets 4 and 8 */
	for (unsigned i = 0; i < 4; i++)
		proven_table_add(table, base + i, 1, 0, 10000, 0);
	for (unsigned fingerprint = 1; fingerprint < 200; fingerprint++)
		proven_table_add(table, base + 50, (uint8_t)fingerprint, 0, 60000, 0);
	for (unsigned i = 0; i < 4; i++)
		alive += proven_table_has(table, base + i, 0);
	CHECK_EQ("199 fingerprints of one source leave the others their places", alive, 4u);
	proven_table_destroy(table);
}

/* Of a full table 24 of 256 proofs end early. A newcomer has 8 places to choose from, so with 1 - (232 / 256)^8 = 0.54 one of them ends early
 * and goes, in whichever bucket it is. With the bucket whose proofs last longer it would be 0.1. */
static void test_soonest_of_both(void)
{
	enum { ROUNDS = 100, EARLY = 24, NEWCOMERS = 4 };
	unsigned gone = 0;

	for (uint64_t round = 0; round < ROUNDS; round++) {
		struct proven_table *table = table_make(256);
		uint64_t number = round * 10000, early;

		for (unsigned i = 0; i < 4000; i++)
			proven_table_add(table, hash_of(table, number++), 1, 0, 3600000, 0);
		early = number;
		for (unsigned i = 0; i < EARLY; i++)
			proven_table_add(table, hash_of(table, number++), 1, 0, 60000, 0);
		for (unsigned i = 0; i < EARLY; i++)
			gone -= proven_table_has(table, hash_of(table, early + i), 0);
		for (unsigned i = 0; i < NEWCOMERS; i++)
			proven_table_add(table, hash_of(table, number++), 1, 0, 3600000, 0);
		for (unsigned i = 0; i < EARLY; i++)
			gone += proven_table_has(table, hash_of(table, early + i), 0);
		proven_table_destroy(table);
	}
	/* About 200 of 400; standard deviation 10. */
	CHECK_TRUE("about half of the newcomers displace one that ends early", -gone >= 140 && -gone <= 260);
}

static void test_strangers(void)
{
	struct proven_table *table = table_make(1 << 14);
	unsigned known = 0, lost = 0;

	for (uint64_t i = 0; i < 8000; i++)
		proven_table_add(table, hash_of(table, i), 1, 0, 60000, 0);
	for (uint64_t i = 0; i < 8000; i++)
		lost += !proven_table_has(table, hash_of(table, i), 0);
	for (uint64_t i = 0; i < 1000000; i++)
		known += proven_table_has(table, hash_of(table, 100000 + i), 0);
	CHECK_TRUE("half full, nobody is lost", lost == 0);
	CHECK_TRUE("of a million strangers none is taken for proven", known == 0);
	CHECK_TRUE("16 bytes an entry", proven_table_bytes(table) <= (16 << 14) + 256);
	proven_table_destroy(table);
}

static void test_arguments(void)
{
	struct proven_table *table = NULL;

	CHECK_EQ("too small", proven_table_create(255, &test_key, &table_memory_heap, &table), -EINVAL);
	CHECK_EQ("too large", proven_table_create((1 << 24) + 1, &test_key, &table_memory_heap, &table),
		-EINVAL);
	CHECK_PTR_EQ("a failure leaves the pointer", table, NULL);
	proven_table_destroy(NULL);
}

static const struct check_test tests[] = {
	{"a proof holds for its source, fingerprint and time", test_proof},
	{"the budget is exact", test_budget},
	{"a ticket passes once", test_ticket},
	{"a renewal prolongs and never refills", test_renewal},
	{"a proof says how long its source was quiet", test_quiet},
	{"the proof that expires soonest is replaced", test_replacement},
	{"the soonest to end goes from either bucket", test_soonest_of_both},
	{"strangers are not proven", test_strangers},
	{"wrong arguments are refused", test_arguments},
};
CHECK_MAIN("proven_table", tests)
