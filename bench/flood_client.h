/* SPDX-License-Identifier: BSD-3-Clause
 * One lcore full of clients: opens connections by the schedule and answers what comes back (flood_connect.h).
 * Optionally plays the node behind the other side too, because two CPUs leave none for it. The main thread
 * only reads the counts.
 */
#ifndef WEIR_BENCH_FLOOD_CLIENT_H
#define WEIR_BENCH_FLOOD_CLIENT_H

#include "bench/flood_connect.h"
#include "bench/flood_worker.h"
#include "bench/responder.h"

/** Written by the lcore, read by anyone, relaxed. */
struct flood_client_counts {
	_Atomic uint64_t events[CONNECT_EVENTS];
	_Atomic uint64_t answers, answers_not_sent; /* segments that are not SYNs */
	_Atomic uint64_t not_sent_open;             /* attempts not made because --in-flight were waiting */
	_Atomic uint64_t abandoned;                 /* attempts whose answer never came */
};

struct flood_client {
	struct flood_worker *worker; /* its port, model, schedule and counts of SYNs */
	struct responder *responder; /* NULL: somebody else is the node */
	struct connect_plan plan;
	struct flood_template syn[2], segments[2][CONNECT_SEGMENTS]; /* by family */
	struct connect_memory memory;
	uint64_t in_flight, heard_tsc;
	bool one_port; /* each source always uses the same port */
	_Alignas(64) struct flood_client_counts counts;
};

/** After flood_worker_prepare. `responder` may be NULL. */
void flood_client_prepare(
	struct flood_client *client, struct flood_worker *worker, struct responder *responder);
/** On the lcore: send `n` SYNs, at most 32; answer what has come, on both sides. */
void flood_client_open(struct flood_client *client, unsigned n);
void flood_client_poll(struct flood_client *client);
/** The port of a source that always uses the same. */
uint16_t flood_client_port(const struct flood_client *client, const struct address *source);
/** The lcore's function: a struct flood_client; always returns 0. */
int flood_client_run(void *client);

#endif
