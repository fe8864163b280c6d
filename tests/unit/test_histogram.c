// SPDX-License-Identifier: BSD-3-Clause
/* Tests of bench/histogram.h: the stated bound of the relative error, quantiles and merging.
 */
#include <stdint.h>

#include "bench/histogram.h"
#include "tests/check.h"

static struct histogram histogram, other;

static void test_quantiles(void)
{
	static const struct {
		const char *name;
		uint64_t first, last; /* all whole numbers between, each once */
		double fraction;
		uint64_t exact;
	} cases[] = {
		{"one value is every quantile", 42, 42, 0.5, 42},
		{"the median of 1..100 is 50", 1, 100, 0.5, 50},
		{"the 99th percentile of 1..100 is 99", 1, 100, 0.99, 99},
		{"a fraction of 0 is the least value", 5, 100, 0, 5},
		{"a fraction of 1 is the largest value", 5, 100, 1, 100},
		{"the median of large values", 1000000, 1100000, 0.5, 1050000},
		{"a high percentile of large values", 1000000, 1100000, 0.999, 1099900},
		{"the largest of all numbers", UINT64_MAX - 3, UINT64_MAX - 1, 1, UINT64_MAX - 1},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		histogram_clear(&histogram);
		for (uint64_t value = cases[i].first; value <= cases[i].last; value++)
			histogram_add(&histogram, value);

		uint64_t found = histogram_quantile(&histogram, cases[i].fraction);
		CHECK_TRUE(cases[i].name, found >= cases[i].exact);
		CHECK_TRUE(cases[i].name, found - cases[i].exact <= cases[i].exact / 64);
	}
}

static void test_error_bound(void)
{
	for (unsigned shift = 0; shift < 64; shift++) {
		uint64_t values[] = {UINT64_C(1) << shift, (UINT64_C(1) << shift) - 1, (UINT64_C(3) << shift) / 2 + 1};

		for (size_t i = 0; i < CHECK_COUNT(values); i++) {
			histogram_clear(&histogram);
			histogram_add(&histogram, values[i]);
			histogram_add(&histogram, UINT64_MAX); /* so that max does not hide the bucket's edge */
			uint64_t found = histogram_quantile(&histogram, 0.5);

			CHECK_TRUE("a bucket's edge is not below its value", found >= values[i]);
			CHECK_TRUE("nor more than 1/64 above it", found - values[i] <= values[i] / 64);
		}
	}
}

static void test_merge(void)
{
	histogram_clear(&histogram);
	histogram_clear(&other);
	CHECK_EQ("an empty histogram has quantile 0", histogram_quantile(&histogram, 0.5), 0);
	histogram_merge(&histogram, &other);
	CHECK_EQ("empty and empty is empty", histogram.count, 0);
	histogram_add(&other, 7);
	histogram_merge(&histogram, &other);
	CHECK_EQ("merging into an empty one takes its least value", histogram.min, 7);
	histogram_clear(&other);
	histogram_add(&other, 3);
	histogram_add(&other, 100000);
	histogram_merge(&histogram, &other);
	CHECK_EQ("counts add up", histogram.count, 3);
	CHECK_EQ("the least of both", histogram.min, 3);
	CHECK_EQ("the largest of both", histogram.max, 100000);
	CHECK_EQ("the median of both", histogram_quantile(&histogram, 0.5), 7);
}

static const struct check_test tests[] = {
	{"quantiles are exact within 1/64", test_quantiles},
	{"each power of two keeps the error bound", test_error_bound},
	{"histograms merge", test_merge},
};
CHECK_MAIN("histogram", tests)
