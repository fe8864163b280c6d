// SPDX-License-Identifier: BSD-3-Clause
/* The heap of deadlines. One thread.
 */
#include "bench/dial_heap.h"

#include <errno.h>
#include <stdlib.h>

int dial_heap_create(struct dial_heap *heap, uint32_t capacity)
{
	heap->n = 0;
	heap->capacity = capacity;
	heap->slots = calloc(capacity, sizeof(heap->slots[0]));
	heap->places = calloc(capacity, sizeof(heap->places[0]));
	heap->deadlines_ns = calloc(capacity, sizeof(heap->deadlines_ns[0]));
	if (heap->slots == NULL || heap->places == NULL || heap->deadlines_ns == NULL) {
		dial_heap_done(heap);
		return -ENOMEM;
	}
	return 0;
}

void dial_heap_done(struct dial_heap *heap)
{
	free(heap->slots);
	free(heap->places);
	free(heap->deadlines_ns);
	*heap = (struct dial_heap){0};
}

static void put(struct dial_heap *heap, uint32_t place, uint32_t slot)
{
	heap->slots[place] = slot;
	heap->places[slot] = place + 1;
}

static void sift_up(struct dial_heap *heap, uint32_t place)
{
	uint32_t slot = heap->slots[place];

	while (place > 0) {
		uint32_t parent = (place - 1) / 2;

		if (heap->deadlines_ns[heap->slots[parent]] <= heap->deadlines_ns[slot])
			break;
		put(heap, place, heap->slots[parent]);
		place = parent;
	}
	put(heap, place, slot);
}

static void sift_down(struct dial_heap *heap, uint32_t place)
{
	uint32_t slot = heap->slots[place];

	for (;;) {
		uint32_t child = 2 * place + 1;

		if (child >= heap->n)
			break;
		if (child + 1 < heap->n &&
			heap->deadlines_ns[heap->slots[child + 1]] < heap->deadlines_ns[heap->slots[child]])
			child++;
		if (heap->deadlines_ns[slot] <= heap->deadlines_ns[heap->slots[child]])
			break;
		put(heap, place, heap->slots[child]);
		place = child;
	}
	put(heap, place, slot);
}

void dial_heap_set(struct dial_heap *heap, uint32_t slot, uint64_t deadline_ns)
{
	heap->deadlines_ns[slot] = deadline_ns;
	if (heap->places[slot] == 0)
		put(heap, heap->n++, slot);
	sift_up(heap, heap->places[slot] - 1);
	sift_down(heap, heap->places[slot] - 1);
}

void dial_heap_remove(struct dial_heap *heap, uint32_t slot)
{
	uint32_t place = heap->places[slot];

	if (place == 0)
		return;
	heap->places[slot] = 0;
	heap->n--;
	if (place - 1 == heap->n)
		return;
	uint32_t moved = heap->slots[heap->n];
	put(heap, place - 1, moved);
	sift_up(heap, heap->places[moved] - 1);
	sift_down(heap, heap->places[moved] - 1);
}

uint64_t dial_heap_next_ns(const struct dial_heap *heap)
{
	return heap->n == 0 ? UINT64_MAX : heap->deadlines_ns[heap->slots[0]];
}

uint32_t dial_heap_first(const struct dial_heap *heap)
{
	return heap->slots[0];
}
