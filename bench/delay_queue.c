// SPDX-License-Identifier: BSD-3-Clause
/* One direction of a line with faults (delay_queue.h): a model that gives each frame its due time, and a heap that gives
 * them back in that order. One thread; must not read clocks or touch frames.
 */
#include "bench/delay_queue.h"

#include <errno.h>
#include <stdlib.h>

#include "bench/traffic_pieces.h"

/* Half a year: sums of delays stay far from the end of 64 bits. */
static const uint64_t time_max_ns = UINT64_C(1) << 54;

static bool is_share(double share)
{
	return share >= 0 && share <= 1;
}

int delay_queue_create(struct delay_queue *queue, const struct delay_model *model, uint64_t seed, uint32_t capacity)
{
	if (!is_share(model->loss) || !is_share(model->reorder) || !is_share(model->duplicate) || !(model->rate_bps >= 0) ||
		model->delay_ns > time_max_ns || model->jitter_ns > time_max_ns || model->reorder_ns > time_max_ns || capacity == 0)
		return -EINVAL;
	struct delay_entry *entries = calloc(capacity, sizeof(entries[0]));
	if (entries == NULL)
		return -ENOMEM;
	*queue = (struct delay_queue){.model = *model, .random_state = seed, .capacity = capacity, .entries = entries};
	return 0;
}

void delay_queue_done(struct delay_queue *queue)
{
	free(queue->entries);
	*queue = (struct delay_queue){0};
}

static bool is_before(const struct delay_entry *a, const struct delay_entry *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void insert(struct delay_queue *queue, void *frame, uint64_t due_ns)
{
	struct delay_entry entry = {.due_ns = due_ns, .order = queue->order++, .frame = frame};
	uint32_t place = queue->n++;

	while (place > 0 && is_before(&entry, &queue->entries[(place - 1) / 2])) {
		queue->entries[place] = queue->entries[(place - 1) / 2];
		place = (place - 1) / 2;
	}
	queue->entries[place] = entry;
	if (queue->n > queue->counts.peak)
		queue->counts.peak = queue->n;
}

static void *first_remove(struct delay_queue *queue)
{
	void *frame = queue->entries[0].frame;
	struct delay_entry moved = queue->entries[--queue->n];
	uint32_t place = 0;

	for (;;) {
		uint32_t child = 2 * place + 1;

		if (child >= queue->n)
			break;
		if (child + 1 < queue->n && is_before(&queue->entries[child + 1], &queue->entries[child]))
			child++;
		if (is_before(&moved, &queue->entries[child]))
			break;
		queue->entries[place] = queue->entries[child];
		place = child;
	}
	if (queue->n > 0)
		queue->entries[place] = moved;
	return frame;
}

/* The line sends one frame after the other. False: what waits for it is more than it may be. */
static bool line_pass(struct delay_queue *queue, uint32_t bytes, uint64_t now_ns, uint64_t *ret_out_ns)
{
	double ns_per_byte;

	*ret_out_ns = now_ns;
	if (queue->model.rate_bps <= 0)
		return true;
	ns_per_byte = 8e9 / queue->model.rate_bps;
	if (queue->line_free_ns < now_ns)
		queue->line_free_ns = now_ns;
	if ((double)(queue->line_free_ns - now_ns) > (double)queue->model.backlog_bytes * ns_per_byte)
		return false;
	queue->line_free_ns += (uint64_t)(bytes * ns_per_byte);
	*ret_out_ns = queue->line_free_ns;
	return true;
}

enum delay_verdict delay_queue_put(struct delay_queue *queue, void *frame, uint32_t bytes, uint64_t now_ns)
{
	const struct delay_model *model = &queue->model;
	/* All are drawn for each frame, needed or not: no option changes to which frames another one does something. */
	bool lost = traffic_random_real(&queue->random_state) < model->loss;
	bool held = traffic_random_real(&queue->random_state) < model->reorder;
	bool twice = traffic_random_real(&queue->random_state) < model->duplicate;
	uint64_t jitter_ns = (uint64_t)(traffic_random_real(&queue->random_state) * (double)model->jitter_ns);
	uint64_t due_ns;

	queue->counts.received++;
	queue->counts.received_bytes += bytes;
	if (lost) {
		queue->counts.dropped_loss++;
		return DELAY_DROPPED;
	}
	if (queue->n == queue->capacity) {
		queue->counts.dropped_full++;
		return DELAY_DROPPED;
	}
	if (!line_pass(queue, bytes, now_ns, &due_ns)) {
		queue->counts.dropped_rate++;
		return DELAY_DROPPED;
	}
	due_ns += model->delay_ns + jitter_ns;
	if (due_ns < queue->last_due_ns)
		due_ns = queue->last_due_ns;
	queue->last_due_ns = due_ns;
	if (held) {
		queue->counts.reordered++;
		due_ns += model->reorder_ns;
	}
	insert(queue, frame, due_ns);
	queue->copy_due_ns = due_ns;
	return twice ? DELAY_KEPT_COPY_WANTED : DELAY_KEPT;
}

bool delay_queue_put_copy(struct delay_queue *queue, void *copy)
{
	queue->counts.duplicated++;
	if (queue->n == queue->capacity) {
		queue->counts.dropped_full++;
		return false;
	}
	insert(queue, copy, queue->copy_due_ns);
	return true;
}

void *delay_queue_take(struct delay_queue *queue, uint64_t now_ns, uint64_t *ret_due_ns)
{
	if (queue->n == 0 || queue->entries[0].due_ns > now_ns)
		return NULL;
	*ret_due_ns = queue->entries[0].due_ns;
	queue->counts.taken++;
	return first_remove(queue);
}

void *delay_queue_drain(struct delay_queue *queue)
{
	return queue->n == 0 ? NULL : first_remove(queue);
}

uint64_t delay_queue_next_ns(const struct delay_queue *queue)
{
	return queue->n == 0 ? UINT64_MAX : queue->entries[0].due_ns;
}
