// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/reply_cap.h: rates, the edges of prefixes, and who is forgotten when there are too many.
 */
#include "dataplane/reply_cap.h"
#include "tests/check.h"
#include "tests/unit/table_support.h"

static const struct image_rate hundred_a_second = {.burst = 10, .per_1000_s = 100000};

static struct reply_cap *cap_make(void)
{
	struct reply_cap *cap = NULL;

	CHECK_EQ("a table is made", reply_cap_create(&test_key, &table_memory_heap, &cap), 0);
	return cap;
}

static struct address parse(const char *text)
{
	struct address address = {{0}};

	CHECK_EQ(text, address_parse(text, &address), 0);
	return address;
}

static void test_prefixes(void)
{
	static const struct {
		const char *name, *flooded, *asked;
		bool silent;
	} cases[] = {
		{"the address itself", "203.0.113.9", "203.0.113.9", true},
		{"the first of its /24", "203.0.113.9", "203.0.113.0", true},
		{"the last of its /24", "203.0.113.9", "203.0.113.255", true},
		{"below the /24", "203.0.113.9", "203.0.112.255", false},
		{"above the /24", "203.0.113.9", "203.0.114.0", false},
		{"the first of its /56", "2001:db8:0:101::9", "2001:db8:0:100::", true},
		{"the last of its /56", "2001:db8:0:101::9", "2001:db8:0:1ff:ffff::1", true},
		{"below the /56", "2001:db8:0:101::9", "2001:db8:0:ff::1", false},
		{"above the /56", "2001:db8:0:101::9", "2001:db8:0:200::1", false},
	};
	struct token_bucket_profile profile = token_bucket_profile_make(hundred_a_second);

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct reply_cap *cap = cap_make();
		struct address flooded = parse(cases[i].flooded), asked = parse(cases[i].asked);

		for (unsigned n = 0; n < 10; n++)
			CHECK_TRUE(
				"the burst is answered", reply_cap_take(cap, &profile, &flooded, SECOND_NS));
		CHECK_FALSE("one more is not", reply_cap_take(cap, &profile, &flooded, SECOND_NS));
		CHECK_EQ(cases[i].name, reply_cap_take(cap, &profile, &asked, SECOND_NS), !cases[i].silent);
		reply_cap_destroy(cap);
	}
}

static void test_rate(void)
{
	struct token_bucket_profile profile = token_bucket_profile_make(hundred_a_second), none = {0, 0};
	struct reply_cap *cap = cap_make();
	struct address address = parse("203.0.113.9");
	unsigned sent = 0;

	for (unsigned i = 0; i < 100000; i++)
		sent += reply_cap_take(cap, &profile, &address, SECOND_NS + i * (SECOND_NS / 10000));
	CHECK_EQ("of 10,000 a second for 10 s a hundred a second are answered, and the burst", sent,
		1000u + 9);
	for (unsigned i = 0; i < 1000; i++)
		CHECK_TRUE("no cap, no silence", reply_cap_take(cap, &none, &address, SECOND_NS));
	reply_cap_destroy(cap);
	reply_cap_destroy(NULL);
}

/* A flood in the names of many prefixes must not make the table forget the one that it aims at. */
static void test_thrash(void)
{
	struct token_bucket_profile profile = token_bucket_profile_make(hundred_a_second);
	struct reply_cap *cap = cap_make();
	struct address victim = parse("203.0.113.9");
	unsigned sent = 0, others = 0;
	uint64_t random = 8;

	for (unsigned i = 0; i < 2000000; i++) {
		uint64_t now_ns = SECOND_NS + i * (SECOND_NS / 1000000);
		struct address other = address_from_v4((uint32_t)random_next(&random) | 1u << 31);

		if (i % 100 == 0)
			sent += reply_cap_take(cap, &profile, &victim, now_ns);
		others += reply_cap_take(cap, &profile, &other, now_ns);
	}
	CHECK_NEAR("the victim got a hundred a second", sent, 209, 2);
	CHECK_TRUE("and nearly everybody else an answer", others > 1990000);
	reply_cap_destroy(cap);
}

static const struct check_test tests[] = {
	{"prefixes end where they should", test_prefixes},
	{"the rate is exact", test_rate},
	{"a flood of prefixes does not hide one", test_thrash},
};
CHECK_MAIN("reply_cap", tests)
