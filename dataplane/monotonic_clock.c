// SPDX-License-Identifier: BSD-3-Clause
/* The lcores' clock (monotonic_clock.h). Written by main before the lcores start, then by the table thread only. */
#include "dataplane/monotonic_clock.h"

#include <time.h>

uint64_t monotonic_kernel_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* The counter's frequency is known to some 100 ppm: 10 us of error between two anchors. A preemption between the two reads
 * would shift the anchor by its length, so the closest of a few tries counts. */
static void monotonic_anchor_read(struct monotonic_anchor *anchor)
{
	uint64_t best_cycles = UINT64_MAX;

	for (unsigned i = 0; i < 3; i++) {
		uint64_t before = rte_rdtsc(), ns = monotonic_kernel_ns(), after = rte_rdtsc();

		if (after - before >= best_cycles)
			continue;
		best_cycles = after - before;
		anchor->cycles = before + best_cycles / 2;
		anchor->ns = ns;
	}
	anchor->ns_per_cycle_q32 = (uint64_t)(((unsigned __int128)1000000000 << 32) / rte_get_tsc_hz());
}

void monotonic_clock_start(struct monotonic_clock *clock)
{
	monotonic_anchor_read(&clock->anchors[0]);
	atomic_store_explicit(&clock->current, 0, memory_order_release);
}

void monotonic_clock_anchor(struct monotonic_clock *clock)
{
	unsigned other = 1 - atomic_load_explicit(&clock->current, memory_order_relaxed);

	monotonic_anchor_read(&clock->anchors[other]);
	atomic_store_explicit(&clock->current, other, memory_order_release);
}
