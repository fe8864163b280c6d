// SPDX-License-Identifier: BSD-3-Clause
/* Tests of dataplane/flow_index.h: what vectors find in a bucket is what the portable twins find, and what each case means. */
#include <string.h>

#include "dataplane/flow_index.h"
#include "tests/check.h"
#include "tests/unit/table_support.h"

enum { BUCKETS = 100000 };

static void test_twins(void)
{
	uint64_t random = 1;
	unsigned differ[3] = {0, 0, 0}, none = 0;

	for (unsigned n = 0; n < BUCKETS; n++) {
		struct flow_bucket bucket;
		uint16_t tag = (uint16_t)random_next(&random), now = (uint16_t)(random_next(&random) & FLOW_STAMP_MASK);
		unsigned slot, slot_twin;

		for (unsigned i = 0; i < FLOW_SLOTS; i++) {
			uint64_t drawn = random_next(&random);

			bucket.places[i] = drawn % 3 == 0 ? 0 : (uint32_t)drawn;
			bucket.tags[i] = drawn >> 60 < 3 ? tag : (uint16_t)(drawn >> 40);
			bucket.stamps[i] = (uint16_t)(drawn >> 20);
			/* Of one time, all proven, or anything. */
			if (n % 4 == 1)
				bucket.stamps[i] = now;
			if (n % 4 == 2)
				bucket.stamps[i] |= FLOW_STAMP_PROVEN;
		}
		differ[0] += flow_bucket_match(&bucket, tag) != flow_bucket_match_portable(&bucket, tag);
		differ[1] += flow_bucket_empty(&bucket) != flow_bucket_empty_portable(&bucket);
		differ[2] += flow_bucket_oldest(&bucket, now, &slot) != flow_bucket_oldest_portable(&bucket, now, &slot_twin);
		if (flow_bucket_oldest(&bucket, now, &slot) == FLOW_OLDEST_NONE)
			none++;
		else
			differ[2] += slot != slot_twin;
	}
	CHECK_EQ("the same slots have a tag", differ[0], 0);
	CHECK_EQ("the same slots are empty", differ[1], 0);
	CHECK_EQ("the same flow is the oldest", differ[2], 0);
	CHECK_TRUE("with some buckets where nobody may go", none > BUCKETS / 8);
}

static void test_oldest(void)
{
	static const struct {
		const char *name;
		uint16_t now, stamps[FLOW_SLOTS];
		uint8_t empty; /* bit i: slot i */
		unsigned youth, slot;
	} cases[] = {
		{"the lowest stamp is the oldest", 100, {90, 80, 70, 60, 50, 60, 70, 80}, 0, 0x7fff - 50, 4},
		{"the first of equals", 100, {100, 100, 100, 100, 100, 100, 100, 100}, 0, 0x7fff, 0},
		{"a clock that came round", 5, {4, 3, 2, 0x7ff0, 1, 2, 3, 4}, 0, 0x7fff - 21, 3},
		{"an empty slot is nobody", 100, {1, 90, 90, 90, 90, 90, 90, 91}, 0x01, 0x7fff - 10, 1},
		{"a proven flow stays", 100, {0x8001, 0x8002, 90, 91, 92, 93, 94, 95}, 0, 0x7fff - 10, 2},
		{"the last slot counts", 100, {99, 99, 99, 99, 99, 99, 99, 98}, 0, 0x7fff - 2, 7},
		{"proven flows and empty slots alone", 100, {0x8001, 1, 0x8001, 1, 0x8001, 1, 0x8001, 1}, 0xaa, FLOW_OLDEST_NONE, 0},
	};

	for (size_t c = 0; c < CHECK_COUNT(cases); c++) {
		struct flow_bucket bucket;
		unsigned slot = 99, youth;

		memset(&bucket, 0, sizeof(bucket));
		for (unsigned i = 0; i < FLOW_SLOTS; i++) {
			bucket.places[i] = cases[c].empty >> i & 1 ? 0 : i + 1;
			bucket.stamps[i] = cases[c].stamps[i];
		}
		youth = flow_bucket_oldest(&bucket, cases[c].now, &slot);
		CHECK_EQ(cases[c].name, youth, cases[c].youth);
		if (youth != FLOW_OLDEST_NONE)
			CHECK_EQ(cases[c].name, slot, cases[c].slot);
	}
}

static const struct check_test tests[] = {
	{"vectors find what the twins find", test_twins},
	{"the oldest flow without proof is found", test_oldest},
};
CHECK_MAIN("flow_index", tests)
