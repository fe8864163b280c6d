/* SPDX-License-Identifier: BSD-3-Clause
 * One direction of a line with faults: which frames are lost, and when each of the others comes out. Pure: frames are
 * pointers that it never follows, time comes in as an argument, and randomness from the seed, so that a run can be had
 * again. One thread; no allocation after creation.
 */
#ifndef WEIR_BENCH_DELAY_QUEUE_H
#define WEIR_BENCH_DELAY_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

/** What the line does to frames. Shares are 0..1, each drawn for each frame by itself. */
struct delay_model {
	uint64_t delay_ns;
	uint64_t jitter_ns;  /* even, 0..jitter_ns on top of the delay; never lets a frame overtake another */
	double loss;	     /* share of frames that vanish */
	double reorder;	     /* share of frames that are held for reorder_ns longer, so that later ones overtake them */
	uint64_t reorder_ns;
	double duplicate;    /* share of frames that come out twice */
	double rate_bps;     /* bits of frames a second that the line carries; 0: any */
	uint64_t backlog_bytes; /* what may wait for a line with a rate; more is dropped */
};

struct delay_counts {
	uint64_t received, received_bytes;
	uint64_t dropped_loss, dropped_rate, dropped_full; /* full: `capacity` frames were in the line */
	uint64_t reordered, duplicated;
	uint64_t taken; /* came out; = received + duplicated - dropped - what is still in the line */
	uint64_t peak;	/* most frames in the line at once */
};

struct delay_entry {
	uint64_t due_ns, order;
	void *frame;
};

struct delay_queue {
	struct delay_model model;
	struct delay_counts counts;
	uint64_t random_state, order;
	uint64_t last_due_ns; /* of frames that keep the order */
	uint64_t line_free_ns; /* when the line with a rate has sent what it has */
	uint64_t copy_due_ns;  /* of the frame put last */
	uint32_t n, capacity;
	struct delay_entry *entries; /* a binary heap */
};

/** What the line does with a frame. A copy is wanted only beside DELAY_KEPT and must be made by the caller. */
enum delay_verdict { DELAY_KEPT, DELAY_DROPPED, DELAY_KEPT_COPY_WANTED };

/** A line for at most `capacity` frames (>= 1). -EINVAL: the model is not one; -ENOMEM. */
int delay_queue_create(struct delay_queue *queue, const struct delay_model *model, uint64_t seed, uint32_t capacity);
/** Frames that are still inside stay the caller's: take them with delay_queue_drain first. */
void delay_queue_done(struct delay_queue *queue);

/** A frame of `bytes` arrives at `now_ns`. Kept: the queue owns it until it comes out; dropped: the caller still does. The verdict on the
 * k-th frame follows from the seed and k alone, except for drops by rate and capacity. */
enum delay_verdict delay_queue_put(struct delay_queue *queue, void *frame, uint32_t bytes, uint64_t now_ns);
/** After DELAY_KEPT_COPY_WANTED, before anything else: the copy comes out directly behind its original. False, and the copy stays the
 * caller's, when the line is full (counted). */
bool delay_queue_put_copy(struct delay_queue *queue, void *copy);

/** The next frame that is due at `now_ns`, NULL when there is none. Those with one due time come in their order of arrival. */
void *delay_queue_take(struct delay_queue *queue, uint64_t now_ns, uint64_t *ret_due_ns);
/** Any frame, due or not, NULL when the line is empty. It is not counted as taken. */
void *delay_queue_drain(struct delay_queue *queue);
/** When the next frame is due; UINT64_MAX when the line is empty. */
uint64_t delay_queue_next_ns(const struct delay_queue *queue);

#endif
