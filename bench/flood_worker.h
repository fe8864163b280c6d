/* SPDX-License-Identifier: BSD-3-Clause
 * One sending lcore: draws sources, writes frames, keeps to the schedule. Each lcore owns one queue, one
 * model and one worker; the main thread only reads the counts.
 */
#ifndef WEIR_BENCH_FLOOD_WORKER_H
#define WEIR_BENCH_FLOOD_WORKER_H

#include <stdatomic.h>
#include <stdint.h>

#include "bench/flood_options.h"

struct rte_mempool;

enum { FLOOD_TEMPLATES = (int)FLOOD_IMIX > (int)FLOOD_KINDS ? (int)FLOOD_IMIX : (int)FLOOD_KINDS };

/** Written by the worker, read by anyone, relaxed. */
struct flood_counts {
	_Atomic uint64_t sent, bytes, received;
	_Atomic uint64_t not_sent_late; /* the lcore or the port could not keep up: debt beyond its bound */
	_Atomic uint64_t not_sent_port; /* the port took no more */
	_Atomic uint64_t by_kind[FLOOD_KINDS];
};

struct flood_worker {
	const struct flood_options *options;
	struct traffic_schedule schedule; /* this worker's part */
	struct traffic_model *model;
	struct rte_mempool *pool;
	const atomic_bool *stop;
	uint64_t start_tsc, random_state;
	uint16_t port_id, queue_id;
	unsigned n_templates[2]; /* by family: [0] v6, [1] v4 */
	unsigned turn[2];
	/* of each target: every kind, or one kind in every size of the IMIX */
	struct flood_template templates[2][FLOOD_TARGETS_MAX * FLOOD_TEMPLATES];
	_Alignas(64) struct flood_counts counts;
};

/** Fill templates and draw the model from the options; `index` of options->n_lcores. -ENOMEM, -EINVAL with
 * `ret_why`. */
int flood_worker_prepare(struct flood_worker *worker, const struct flood_options *options, unsigned index,
	const char **ret_why);
void flood_worker_done(struct flood_worker *worker);
/** The lcore's function: a struct flood_worker; always returns 0. */
int flood_worker_run(void *worker);

#endif
