/* SPDX-License-Identifier: BSD-3-Clause
 * An ordered queue of computed times: each item (an index of the caller's record pool) has at most one due time; the
 * earliest is found in O(1), set and cleared in O(log n). This is what replaces sweeps: nothing is ever looked at
 * before the moment at which it changes. One thread. 20 bytes an item; times GOVERNOR_NEVER_MS are not kept.
 */
#ifndef WEIR_CONTROL_DUE_QUEUE_H
#define WEIR_CONTROL_DUE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "control/record_pool.h"

struct due_entry {
	int64_t due_ms;
	uint32_t item;
};

struct due_queue {
	struct due_entry *heap; /* 4-ary: four children share a cache line or two, and the heap is half as deep */
	uint32_t n, size;
	uint32_t **places; /* by item: place in the heap + 1, 0 when not queued; RECORD_CHUNK each */
	uint32_t n_places, places_size;
};

void due_queue_init(struct due_queue *queue);
void due_queue_fini(struct due_queue *queue);
/** Make room for `items` more, so that due_queue_set cannot fail for an item below `item_bound`. -ENOMEM. */
int due_queue_reserve(struct due_queue *queue, uint32_t item_bound);
/** The same for a queue in which few of many items wait: so many at a time. */
int due_queue_reserve_few(struct due_queue *queue, uint32_t item_bound, uint32_t entries);
/** Set or move. INT64_MAX clears. Never fails after due_queue_reserve of a bound above `item`. */
void due_queue_set(struct due_queue *queue, uint32_t item, int64_t due_ms);
void due_queue_clear(struct due_queue *queue, uint32_t item);
/** The earliest; false when empty. Items due at the same time come in no particular order. */
bool due_queue_peek(const struct due_queue *queue, struct due_entry *ret_entry);
/** INT64_MAX when empty. */
int64_t due_queue_next_ms(const struct due_queue *queue);

#endif
