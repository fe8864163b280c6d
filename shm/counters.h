/* SPDX-License-Identifier: BSD-3-Clause
 * Counters: one block per lcore in the dataplane's segment, one writer each, never a locked instruction.
 * Readers (control, weirctl through control) sum over lcores. Names, units and help come from counters.def
 * and reasons.def only.
 */
#ifndef WEIR_SHM_COUNTERS_H
#define WEIR_SHM_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include "shm/reasons.h"

enum counter {
#define COUNTER(id, name, kind, unit, help) COUNTER_##id,
#include "shm/counters.def"
#undef COUNTER
	COUNTER_COUNT,
};

enum counter_kind { COUNTER_KIND_COUNTER, COUNTER_KIND_GAUGE };

struct counter_info {
	const char *name, *unit, *help;
	enum counter_kind kind;
};

/** One lcore's counters. writer: that lcore; readers: any process; relaxed. */
struct counters {
	_Alignas(64) _Atomic uint64_t values[COUNTER_COUNT];
	_Atomic uint64_t reasons[REASON_COUNT];
};

const struct counter_info *counter_info(enum counter counter);

/** Owner only: a plain load, add and store, yet free of races for readers. */
static inline void counter_add(struct counters *counters, enum counter counter, uint64_t n)
{
	uint64_t value = atomic_load_explicit(&counters->values[counter], memory_order_relaxed);
	atomic_store_explicit(&counters->values[counter], value + n, memory_order_relaxed);
}
static inline void counter_reason_add(struct counters *counters, enum reason reason, uint64_t n)
{
	uint64_t value = atomic_load_explicit(&counters->reasons[reason], memory_order_relaxed);
	atomic_store_explicit(&counters->reasons[reason], value + n, memory_order_relaxed);
}

#endif
