// SPDX-License-Identifier: BSD-3-Clause
/* Tests of bench/traffic_schedule.h: when packets are due.
 */
#include <math.h>

#include "bench/traffic_schedule.h"
#include "tests/check.h"

static void test_schedules(void)
{
	static const uint64_t s = 1000000000;
	static const struct {
		const char *name;
		struct traffic_schedule schedule;
		uint64_t elapsed_ns, due;
	} cases[] = {
		{"constant: nothing at the start", {TRAFFIC_CONSTANT, 1000, 0, 0, 0}, 0, 0},
		{"constant: half a second", {TRAFFIC_CONSTANT, 1000, 0, 0, 0}, 500000000, 500},
		{"constant: a slow rate waits for its first", {TRAFFIC_CONSTANT, 0.5, 0, 0, 0}, 1999999999,
			0},
		{"constant: and then sends", {TRAFFIC_CONSTANT, 0.5, 0, 0, 0}, 2000000000, 1},
		{"ramp: half the rate over its length", {TRAFFIC_RAMP, 1000, 4000000000, 0, 0}, 4 * s, 2000},
		{"ramp: an eighth of it at half the way", {TRAFFIC_RAMP, 1000, 4000000000, 0, 0}, 2 * s, 500},
		{"ramp: constant after it", {TRAFFIC_RAMP, 1000, 4000000000, 0, 0}, 5 * s, 3000},
		{"on-off: on", {TRAFFIC_ON_OFF, 1000, 0, 1000000000, 2000000000}, 500000000, 500},
		{"on-off: off stands still", {TRAFFIC_ON_OFF, 1000, 0, 1000000000, 2000000000}, 2500000000,
			1000},
		{"on-off: the second turn", {TRAFFIC_ON_OFF, 1000, 0, 1000000000, 2000000000}, 3500000000,
			1500},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++)
		CHECK_EQ(cases[i].name, traffic_schedule_due(&cases[i].schedule, cases[i].elapsed_ns),
			cases[i].due);
}

/* Counts in equal spans: for a Poisson process their variance is their mean, whatever the span. */
static void test_poisson(void)
{
	static const struct {
		const char *name;
		double rate_pps;
		uint64_t span_ns;
	} cases[] = {
		{"much less than one a look", 1000, 10000},
		{"a few", 1000, 3000000},
		{"many", 1000000, 1000000},
	};

	for (size_t i = 0; i < CHECK_COUNT(cases); i++) {
		struct traffic_schedule schedule = {
			.pattern = TRAFFIC_POISSON, .rate_pps = cases[i].rate_pps};
		struct traffic_arrivals arrivals;
		double mean = cases[i].rate_pps * (double)cases[i].span_ns * 1e-9, squares = 0, sum = 0;
		uint64_t before = 0;
		enum { SPANS = 20000 };

		traffic_arrivals_start(&arrivals, &schedule, 11);
		for (unsigned k = 1; k <= SPANS; k++) {
			uint64_t due = traffic_arrivals_due(&arrivals, k * cases[i].span_ns);
			double n = (double)(due - before);

			sum += n;
			squares += (n - mean) * (n - mean);
			before = due;
		}
		/* 5 standard deviations of a mean of 20,000, and of a variance that is at most (2 + 1 / mean)
		 * mean^2 / 20,000 */
		CHECK_NEAR(cases[i].name, sum / SPANS, mean, 5 * sqrt(mean / SPANS));
		CHECK_NEAR(cases[i].name, squares / SPANS, mean, 5 * mean * sqrt((2 + 1 / mean) / SPANS));
	}
}

static void test_arrivals(void)
{
	struct traffic_schedule constant = {.pattern = TRAFFIC_CONSTANT, .rate_pps = 1000};
	struct traffic_schedule poisson = {.pattern = TRAFFIC_POISSON, .rate_pps = 1000};
	struct traffic_arrivals a, b, c;
	unsigned different_seed = 0, different = 0;

	traffic_arrivals_start(&a, &constant, 1);
	CHECK_EQ("other patterns are functions of time", traffic_arrivals_due(&a, 500000000), 500);
	traffic_arrivals_start(&a, &poisson, 1);
	traffic_arrivals_start(&b, &poisson, 1);
	traffic_arrivals_start(&c, &poisson, 2);
	for (unsigned k = 1; k < 100; k++) {
		uint64_t due = traffic_arrivals_due(&a, k * 10000000);

		different += due != traffic_arrivals_due(&b, k * 10000000);
		different_seed += due != traffic_arrivals_due(&c, k * 10000000);
	}
	CHECK_EQ("a seed repeats itself", different, 0);
	CHECK_TRUE("another does not", different_seed > 50);
	CHECK_EQ("time that stands still brings nothing", traffic_arrivals_due(&a, 990000000), a.due);
}

static const struct check_test tests[] = {
	{"schedules are functions of time", test_schedules},
	{"Poisson counts vary as they should", test_poisson},
	{"arrivals follow their seed", test_arrivals},
};
CHECK_MAIN("traffic_schedule", tests)
