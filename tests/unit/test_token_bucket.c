// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/token_bucket.h: policy.md V29, profiles at the ends of their ranges, and a naive bucket
 * as model. */
#include "dataplane/token_bucket.h"
#include "tests/check.h"
#include "tests/unit/table_support.h"

static void test_vector(void)
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
		{"after a long rest the whole burst, no more", 1000000, 20, 16},
	};
	struct token_bucket_profile profile = token_bucket_profile_make((struct image_rate){16, 200});
	static const uint64_t starts[] = {0, 1, UINT64_C(123456789012345), UINT64_C(1) << 62};

	for (size_t s = 0; s < CHECK_COUNT(starts); s++) {
		uint64_t state = 0;

		for (size_t r = 0; r < CHECK_COUNT(rows); r++) {
			uint64_t now = starts[s] + rows[r].now_ms * MS_NS;
			unsigned passed = 0;

			for (unsigned i = 0; i < rows[r].attempts; i++) {
				bool peeked = token_bucket_peek(&profile, state, now);
				bool taken = token_bucket_take(&profile, &state, now);

				CHECK_EQ("peek says what take does", peeked, taken);
				passed += taken;
			}
			CHECK_EQ(rows[r].name, passed, rows[r].passed);
		}
	}
}

static void test_profiles(void)
{
	static const struct {
		const char *name;
		struct image_rate rate;
		uint64_t interval_ns, tolerance_ns;
	} cases[] = {
		{"burst 0 is no limit", {0, 1000}, 0, 0},
		{"one a second, no burst", {1, 1000}, SECOND_NS, 0},
		{"the slowest rate and the largest burst fit", {1000000, 1}, UINT64_C(1000000000000),
			UINT64_C(999999000000000000)},
		{"the fastest rate", {2, 1000000000}, 1000, 1000},
		{"a rate of 0 is the slowest", {1, 0}, UINT64_C(1000000000000), 0},
		{"a rate beyond the range still has an interval", {1, UINT32_MAX}, 232, 0},
		{"a burst beyond the range is cut", {UINT32_MAX, 1000}, SECOND_NS, 999999 * SECOND_NS},
	};
	uint64_t state = 5;

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct token_bucket_profile profile = token_bucket_profile_make(cases[i].rate);

		CHECK_EQ(cases[i].name, profile.interval_ns, cases[i].interval_ns);
		CHECK_EQ(cases[i].name, profile.tolerance_ns, cases[i].tolerance_ns);
	}
	struct token_bucket_profile none = token_bucket_profile_make((struct image_rate){0, 0});

	for (int i = 0; i < 100; i++)
		CHECK_TRUE("without limit everything passes", token_bucket_take(&none, &state, 0));
}

/* The bucket that the textbook fills: tokens as a fraction of an interval, counted in ns. */
static void test_model(void)
{
	struct token_bucket_profile profile = token_bucket_profile_make((struct image_rate){7, 3333});
	uint64_t interval = profile.interval_ns, full = 7 * interval, tokens = full, last = 0, now = 0,
		 state = 0, random = 1;
	unsigned wrong = 0;

	for (int i = 0; i < 100000; i++) {
		bool expected;

		now += random_next(&random) % (2 * interval);
		tokens = tokens + (now - last) > full ? full : tokens + (now - last);
		last = now;
		expected = tokens >= interval;
		if (expected)
			tokens -= interval;
		wrong += token_bucket_take(&profile, &state, now) != expected;
	}
	CHECK_EQ("100,000 random attempts are decided as by a textbook bucket", wrong, 0u);
}

static const struct check_test tests[] = {
	{"V29: 16 at once, then one in 5 s", test_vector},
	{"profiles are made from rates", test_profiles},
	{"the bucket is exact", test_model},
};
CHECK_MAIN("token_bucket", tests)
