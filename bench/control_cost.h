/* SPDX-License-Identifier: BSD-3-Clause
 * What bench/control_cost.c measures: a governor, an address book and a publisher that know so many
 * addresses. One thread, but for the publisher's own worker. Simulated time moves on with each measurement,
 * so that nothing is asked twice of the same moment.
 */
#ifndef WEIR_BENCH_CONTROL_COST_H
#define WEIR_BENCH_CONTROL_COST_H

#include <stdint.h>

enum control_cost {
	CONTROL_COST_REPORT,        /* us: roster_peer_report of a peer that is known, with a decayed score */
	CONTROL_COST_GET,           /* us: roster_peer_get of one */
	CONTROL_COST_IDLE,          /* us: everything is asked for what is due, and nothing is */
	CONTROL_COST_TICK,          /* ms: roster_tick, a thousand of the known ones connected */
	CONTROL_COST_CROSSING,      /* us: one due score, decayed past a threshold, and what follows */
	CONTROL_COST_BOOK_ASK,      /* us: 8 to 100 addresses of each kind */
	CONTROL_COST_BOOK_ADD,      /* us: the weakest gives way */
	CONTROL_COST_BOOK_OUTCOME,  /* us */
	CONTROL_COST_ENFORCE,       /* us: publisher_enforce */
	CONTROL_COST_PUBLISH_IDLE,  /* us: publisher_tick */
	CONTROL_COST_SNAPSHOT_LOOP, /* us: from the request to the end, what the event loop does */
	CONTROL_COST_SNAPSHOT_WHOLE, /* ms of wall clock: the worker's merge, image and rename */
	CONTROL_COST_COUNT
};

enum { CONTROL_COST_SENTENCE = 160 };

struct control_cost_world;

/** Know `known` (1000..1000000) peers by id, as many addresses in the book and as many bans in an image. 0 or
 * -errno with a sentence that says what failed. The world must be destroyed in any case. */
int control_cost_world_create(uint32_t known, uint64_t seed, struct control_cost_world **ret_world,
	char sentence[CONTROL_COST_SENTENCE]);
/** Accepts NULL. Removes the files that the publisher wrote. */
void control_cost_world_destroy(struct control_cost_world *world);
/** One trial of every cost; may be repeated. -errno with a sentence: an operation failed, or less is known
 * than was asked for. */
int control_cost_measure(struct control_cost_world *world, double ret_costs[CONTROL_COST_COUNT],
	char sentence[CONTROL_COST_SENTENCE]);
/** CPU time of this thread. */
double control_cost_clock_us(void);

#endif
