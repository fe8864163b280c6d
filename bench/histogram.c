// SPDX-License-Identifier: BSD-3-Clause
/* The histogram: bucket index by the position of the highest bit and the six bits below it. Any one thread.
 */
#include "bench/histogram.h"

#include <math.h>
#include <string.h>

static unsigned bucket_of(uint64_t value)
{
	if (value < (UINT64_C(2) << HISTOGRAM_PARTS_LOG2))
		return (unsigned)value;
	unsigned shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_PARTS_LOG2;
	/* value >> shift is in 64..127: its row begins at 64 * shift + 64 */
	return (shift << HISTOGRAM_PARTS_LOG2) + (unsigned)(value >> shift);
}

static uint64_t bucket_upper_edge(unsigned bucket)
{
	if (bucket < (2u << HISTOGRAM_PARTS_LOG2))
		return bucket;
	unsigned shift = (bucket >> HISTOGRAM_PARTS_LOG2) - 1;
	uint64_t part = bucket - ((uint64_t)shift << HISTOGRAM_PARTS_LOG2);
	return (part << shift) + ((UINT64_C(1) << shift) - 1);
}

void histogram_clear(struct histogram *histogram)
{
	memset(histogram, 0, sizeof(*histogram));
}

void histogram_add(struct histogram *histogram, uint64_t value)
{
	if (histogram->count == 0 || value < histogram->min)
		histogram->min = value;
	if (histogram->count == 0 || value > histogram->max)
		histogram->max = value;
	histogram->count++;
	histogram->buckets[bucket_of(value)]++;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	if (from->count == 0)
		return;
	if (into->count == 0 || from->min < into->min)
		into->min = from->min;
	if (into->count == 0 || from->max > into->max)
		into->max = from->max;
	into->count += from->count;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->buckets[i] += from->buckets[i];
}

uint64_t histogram_quantile(const struct histogram *histogram, double fraction)
{
	if (histogram->count == 0)
		return 0;
	double wanted = ceil(fraction * (double)histogram->count);
	uint64_t rank = wanted < 1 ? 1 : (uint64_t)wanted;
	if (rank > histogram->count)
		rank = histogram->count;
	uint64_t seen = 0;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->buckets[i];
		if (seen >= rank) {
			uint64_t edge = bucket_upper_edge(i);
			return edge < histogram->max ? edge : histogram->max;
		}
	}
	return histogram->max;
}
