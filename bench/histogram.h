/* SPDX-License-Identifier: BSD-3-Clause
 * A histogram of latencies with bounded relative error: each power of two is cut into 64 equal parts, so a reported
 * value is at most 1/64 (1.6 %) above the true one. Fixed size, no allocation. One writer; merge after it stopped.
 */
#ifndef WEIR_BENCH_HISTOGRAM_H
#define WEIR_BENCH_HISTOGRAM_H

#include <stdint.h>

enum {
	HISTOGRAM_PARTS_LOG2 = 6,
	/* values below 128 exactly, then 64 parts for each of the 57 powers of two up to 2^64 */
	HISTOGRAM_BUCKETS = (64 - HISTOGRAM_PARTS_LOG2 + 1) << HISTOGRAM_PARTS_LOG2,
};

struct histogram {
	uint64_t count;
	uint64_t min, max; /* meaningful only when count > 0 */
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_clear(struct histogram *histogram);
void histogram_add(struct histogram *histogram, uint64_t value);
void histogram_merge(struct histogram *into, const struct histogram *from);
/** The smallest recorded value such that `fraction` (0..1) of all values are not above it, rounded up to its bucket's
 * upper edge and never above max. 0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, double fraction);

#endif
