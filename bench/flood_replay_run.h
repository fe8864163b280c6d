/* SPDX-License-Identifier: BSD-3-Clause
 * One lcore that sends a capture (flood_replay.h) at its own times; counts as a flood_worker does.
 */
#ifndef WEIR_BENCH_FLOOD_REPLAY_RUN_H
#define WEIR_BENCH_FLOOD_REPLAY_RUN_H

#include "bench/flood_replay.h"
#include "bench/flood_worker.h"

struct flood_replay_run {
	struct flood_worker *worker; /* its port, pool, stop and counts */
	struct flood_replay replay;
};

/** The lcore's function: a struct flood_replay_run; always returns 0. */
int flood_replay_run(void *run);

#endif
