/* SPDX-License-Identifier: BSD-3-Clause
 * The main loop of one lcore: receive, decide, carry out, keep house, rest. Each lcore has one worker; it shares nothing with
 * others but the tables of stage_shared and the rings of dispatch. It reads what the table thread publishes (rules, gate)
 * under RCU and never waits for anybody.
 */
#ifndef WEIR_DATAPLANE_WORKER_H
#define WEIR_DATAPLANE_WORKER_H

#include <poll.h>

#include "dataplane/monotonic_clock.h"
#include "dataplane/packet_io.h"
#include "shm/event_ring.h"

/** What the lcores do while there is no ruleset. */
enum worker_gate { WORKER_GATE_WAIT, WORKER_GATE_OPEN, WORKER_GATE_CLOSED };

/** Published by the table thread, read by all workers. */
struct worker_shared {
	struct ruleset *rules; /* RCU; NULL until the first image */
	_Atomic unsigned gate; /* enum worker_gate */
	_Atomic bool stop;
	_Atomic uint64_t *first_governed_mono_ns; /* in the dataplane segment; set once by whoever is first */
	struct monotonic_clock clock;
	_Atomic uint64_t ring_consumed[DATAPLANE_LCORES_MAX]; /* how far control has read each event ring */
	uint32_t idle_sleep_us;
};

enum { WORKER_WAIT_FDS_MAX = OPTIONS_PAIRS_MAX * 2 * OPTIONS_QUEUES_MAX + 1 };

struct worker {
	unsigned lcore;
	struct worker_shared *shared;
	struct packet_io *io;
	struct stage *stage;
	struct dataplane_lcore *segment; /* counters and event ring */
	struct dispatch *dispatch;
	uint64_t now_ns, busy_ns; /* of the last poll; of the last poll that found something */
	uint64_t governed_generation; /* of the ruleset that decided last */
	uint32_t sleep_us; /* longest sleep */
	unsigned n_wait;
	struct pollfd wait[WORKER_WAIT_FDS_MAX];
};

/** Prepare; main. io and stage are created before. */
void worker_prepare(struct worker *worker);
/** Run until shared->stop; `argument` is the struct worker; an lcore_function_t. Returns 0. */
int worker_run(void *argument);
/** The callbacks of this worker's stage. */
struct stage_output worker_output(struct worker *worker);

#endif
