/* SPDX-License-Identifier: BSD-3-Clause
 * A 4-ary heap with the place of each item, so that an item's time can be moved. One thread.
 * Must not call out: what is due is taken by the caller, one at a time, within its own budget.
 */
#include "control/due_queue.h"

#include <errno.h>
#include <stdlib.h>

enum { ARITY = 4, HEAP_START = 1024 };

void due_queue_init(struct due_queue *queue)
{
	*queue = (struct due_queue){0};
}

void due_queue_fini(struct due_queue *queue)
{
	for (uint32_t i = 0; i < queue->n_places; i++)
		free(queue->places[i]);
	free(queue->places);
	free(queue->heap);
	due_queue_init(queue);
}

static uint32_t *place_of(struct due_queue *queue, uint32_t item)
{
	return &queue->places[item >> RECORD_CHUNK_LOG2][item & (RECORD_CHUNK - 1)];
}

static int places_grow(struct due_queue *queue)
{
	if (queue->n_places == queue->places_size) {
		uint32_t size = queue->places_size != 0 ? queue->places_size * 2 : 16;
		uint32_t **places = realloc(queue->places, size * sizeof(*places));
		if (places == NULL)
			return -ENOMEM;
		queue->places = places;
		queue->places_size = size;
	}
	uint32_t *chunk = calloc(RECORD_CHUNK, sizeof(*chunk));
	if (chunk == NULL)
		return -ENOMEM;
	queue->places[queue->n_places++] = chunk;
	return 0;
}

int due_queue_reserve(struct due_queue *queue, uint32_t item_bound)
{
	return due_queue_reserve_few(queue, item_bound, item_bound);
}

int due_queue_reserve_few(struct due_queue *queue, uint32_t item_bound, uint32_t entries)
{
	while ((uint64_t)queue->n_places << RECORD_CHUNK_LOG2 < item_bound) {
		int r = places_grow(queue);
		if (r < 0)
			return r;
	}
	if (entries <= queue->size)
		return 0;
	uint64_t size = queue->size != 0 ? queue->size : HEAP_START;
	while (size < entries)
		size += size / 2;
	struct due_entry *heap = realloc(queue->heap, size * sizeof(*heap));
	if (heap == NULL)
		return -ENOMEM;
	queue->heap = heap;
	queue->size = (uint32_t)size;
	return 0;
}

static void put(struct due_queue *queue, uint32_t at, struct due_entry entry)
{
	queue->heap[at] = entry;
	*place_of(queue, entry.item) = at + 1;
}

static void sift_up(struct due_queue *queue, uint32_t at, struct due_entry entry)
{
	while (at > 0) {
		uint32_t parent = (at - 1) / ARITY;
		if (queue->heap[parent].due_ms <= entry.due_ms)
			break;
		put(queue, at, queue->heap[parent]);
		at = parent;
	}
	put(queue, at, entry);
}

static void sift_down(struct due_queue *queue, uint32_t at, struct due_entry entry)
{
	for (;;) {
		uint64_t first = (uint64_t)at * ARITY + 1;
		if (first >= queue->n)
			break;
		uint32_t last = first + ARITY < queue->n ? (uint32_t)first + ARITY : queue->n;
		uint32_t least = (uint32_t)first;
		for (uint32_t child = least + 1; child < last; child++) {
			if (queue->heap[child].due_ms < queue->heap[least].due_ms)
				least = child;
		}
		if (queue->heap[least].due_ms >= entry.due_ms)
			break;
		put(queue, at, queue->heap[least]);
		at = least;
	}
	put(queue, at, entry);
}

void due_queue_set(struct due_queue *queue, uint32_t item, int64_t due_ms)
{
	if (due_ms == INT64_MAX) {
		due_queue_clear(queue, item);
		return;
	}
	uint32_t place = *place_of(queue, item);
	struct due_entry entry = {due_ms, item};
	if (place == 0)
		sift_up(queue, queue->n++, entry);
	else if (due_ms < queue->heap[place - 1].due_ms)
		sift_up(queue, place - 1, entry);
	else
		sift_down(queue, place - 1, entry);
}

void due_queue_clear(struct due_queue *queue, uint32_t item)
{
	if ((uint64_t)queue->n_places << RECORD_CHUNK_LOG2 <= item)
		return;
	uint32_t place = *place_of(queue, item);
	if (place == 0)
		return;
	*place_of(queue, item) = 0;
	struct due_entry last = queue->heap[--queue->n];
	if (last.item == item)
		return;
	uint32_t at = place - 1;
	if (at > 0 && last.due_ms < queue->heap[(at - 1) / ARITY].due_ms)
		sift_up(queue, at, last);
	else
		sift_down(queue, at, last);
}

bool due_queue_peek(const struct due_queue *queue, struct due_entry *ret_entry)
{
	if (queue->n == 0)
		return false;
	*ret_entry = queue->heap[0];
	return true;
}

int64_t due_queue_next_ms(const struct due_queue *queue)
{
	return queue->n != 0 ? queue->heap[0].due_ms : INT64_MAX;
}
