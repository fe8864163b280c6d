/* SPDX-License-Identifier: BSD-3-Clause
 * Deadlines of attempts: a binary heap over slot numbers, each at most once. One thread; fixed size after creation.
 */
#ifndef WEIR_BENCH_DIAL_HEAP_H
#define WEIR_BENCH_DIAL_HEAP_H

#include <stdint.h>

struct dial_heap {
	uint32_t n, capacity;
	uint32_t *slots;	/* heap order */
	uint32_t *places;	/* by slot: its place plus 1, 0 = absent */
	uint64_t *deadlines_ns; /* by slot */
};

/** -ENOMEM. */
int dial_heap_create(struct dial_heap *heap, uint32_t capacity);
void dial_heap_done(struct dial_heap *heap);
/** Insert or move. */
void dial_heap_set(struct dial_heap *heap, uint32_t slot, uint64_t deadline_ns);
/** Absent slots are fine. */
void dial_heap_remove(struct dial_heap *heap, uint32_t slot);
/** UINT64_MAX when empty. */
uint64_t dial_heap_next_ns(const struct dial_heap *heap);
/** The slot of dial_heap_next_ns; the heap is not empty. */
uint32_t dial_heap_first(const struct dial_heap *heap);

#endif
