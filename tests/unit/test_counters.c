// SPDX-License-Identifier: BSD-3-Clause
/* Tests of the counters' table and of what their names must satisfy to be JSON keys and metric names.
 */
#include <string.h>

#include "shm/counters.h"
#include "tests/check.h"

static bool is_metric_name(const char *name)
{
	return name[0] >= 'a' && name[0] <= 'z' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

static void test_names(void)
{
	for (int i = 0; i < COUNTER_COUNT; i++) {
		const struct counter_info *info = counter_info((enum counter)i);

		if (!is_metric_name(info->name) || !is_metric_name(info->unit))
			CHECK_FAIL("names and units are metric names", "%s %s", info->name, info->unit);
		if (strpbrk(info->help, "\"\\\n") || info->help[strlen(info->help) - 1] == '.')
			CHECK_FAIL("help is one plain line without a full stop", "%s", info->help);
		if (info->kind != COUNTER_KIND_COUNTER && info->kind != COUNTER_KIND_GAUGE)
			CHECK_FAIL("a kind", "%s", info->name);
	}
	for (int i = 0; i < REASON_COUNT; i++) {
		const struct reason_info *info = reason_info((enum reason)i);

		if (!is_metric_name(info->name))
			CHECK_FAIL("reasons are metric names", "%s", info->name);
		if (strpbrk(info->help, "\"\\\n") || info->row > 12)
			CHECK_FAIL("help is one plain line, the row one of the design's", "%s", info->name);
	}
}

static void test_adding(void)
{
	struct counters counters = {0};

	for (int i = 0; i < COUNTER_COUNT; i++)
		counter_add(&counters, (enum counter)i, (uint64_t)i + 1);
	for (int i = 0; i < REASON_COUNT; i++)
		counter_reason_add(&counters, (enum reason)i, (uint64_t)i + 1000);
	for (int i = 0; i < COUNTER_COUNT; i++)
		CHECK_EQ("each counter is its own", counters.values[i], (uint64_t)i + 1);
	for (int i = 0; i < REASON_COUNT; i++)
		CHECK_EQ("each reason is its own", counters.reasons[i], (uint64_t)i + 1000);
	counter_add(&counters, COUNTER_RX_OUTSIDE, UINT64_MAX);
	CHECK_EQ("a counter wraps like any unsigned number", counters.values[COUNTER_RX_OUTSIDE], 0u);
	CHECK_EQ("a block fills whole cache lines", sizeof(counters) % 64, 0u);
}

static const struct check_test tests[] = {
	{"names, units and help are fit for metrics and JSON", test_names},
	{"each counter adds up by itself", test_adding},
};
CHECK_MAIN("counters", tests)
