/* SPDX-License-Identifier: BSD-3-Clause
 * Sources that give up: each slot keeps its address while packets come back to it, and moves on after so many
 * packets without one. An index by address finds the slot of an answer. One thread; must not allocate after
 * creation.
 */
#ifndef WEIR_BENCH_TRAFFIC_ROTATE_H
#define WEIR_BENCH_TRAFFIC_ROTATE_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/prefix.h"

struct traffic_rotate_slot {
	struct address address;
	uint32_t unanswered;
	bool used;
};

struct traffic_rotate {
	uint32_t n, turn, patience, index_mask;
	uint64_t moves;
	struct traffic_rotate_slot *slots;
	uint32_t *index; /* slot number plus 1, 0 = free; linear probing, at most a quarter full */
};

/** n >= 1 slots, patience >= 1 packets. -ENOMEM. */
int traffic_rotate_create(struct traffic_rotate *ret_rotate, uint32_t n, uint32_t patience);
void traffic_rotate_done(struct traffic_rotate *rotate);
/** The next slot's turn. True: `*ret_address` is its source. False: it needs a fresh one, by
 * traffic_rotate_move. */
bool traffic_rotate_next(struct traffic_rotate *rotate, struct address *ret_address);
/** Give the slot whose turn it is a fresh address and take its turn. */
void traffic_rotate_move(struct traffic_rotate *rotate, const struct address *address);
/** A packet came back to this address; unknown ones are ignored. */
void traffic_rotate_answered(struct traffic_rotate *rotate, const struct address *address);

#endif
