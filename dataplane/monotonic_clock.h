/* SPDX-License-Identifier: BSD-3-Clause
 * CLOCK_MONOTONIC from the time stamp counter: one rdtsc and one multiplication a burst, no system call on machines whose
 * clock source is not the counter. The table thread anchors it again every 100 ms, so that it stays within 1 ms of the
 * kernel's. Lcores read under RCU: the slot that they use is not rewritten before a grace period.
 */
#ifndef WEIR_DATAPLANE_MONOTONIC_CLOCK_H
#define WEIR_DATAPLANE_MONOTONIC_CLOCK_H

#include <stdatomic.h>
#include <stdint.h>

#include <rte_cycles.h>

enum { MONOTONIC_CLOCK_ANCHOR_MS = 100 };

struct monotonic_anchor {
	uint64_t cycles, ns;
	uint64_t ns_per_cycle_q32; /* 2^32 times the nanoseconds of one cycle */
};

struct monotonic_clock {
	struct monotonic_anchor anchors[2];
	_Atomic unsigned current;
};

/** The kernel's CLOCK_MONOTONIC, ns; for threads off the packet path. */
uint64_t monotonic_kernel_ns(void);
/** Before any reader exists. */
void monotonic_clock_start(struct monotonic_clock *clock);
/** Table thread. A grace period must have passed since the last call. */
void monotonic_clock_anchor(struct monotonic_clock *clock);

/** Lcore, RCU online: now, ns. May step back by microseconds after an anchor: the caller keeps its own maximum. */
static inline uint64_t monotonic_clock_ns(const struct monotonic_clock *clock)
{
	const struct monotonic_anchor *anchor = &clock->anchors[atomic_load_explicit(&clock->current, memory_order_acquire)];
	int64_t cycles = (int64_t)(rte_rdtsc() - anchor->cycles);

	if (cycles < 0) /* this CPU's counter is behind that of the CPU that anchored */
		cycles = 0;
	return anchor->ns + (uint64_t)(((unsigned __int128)(uint64_t)cycles * anchor->ns_per_cycle_q32) >> 32);
}

#endif
