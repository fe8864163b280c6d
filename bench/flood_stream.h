/* SPDX-License-Identifier: BSD-3-Clause
 * Traffic of connections that exist: one lcore opens as many as its model has sources, then sends segments of
 * all of them in turn, as fast as the schedule says, and counts what arrives behind the other side. The main
 * thread only reads.
 */
#ifndef WEIR_BENCH_FLOOD_STREAM_H
#define WEIR_BENCH_FLOOD_STREAM_H

#include "bench/flood_client.h"

enum { FLOOD_STREAM_SIZES = FLOOD_IMIX };

/** Written by the lcore, read by anyone, relaxed. */
struct flood_stream_counts {
	_Atomic uint64_t sent, sent_bytes, arrived, arrived_bytes, not_sent, nanoseconds;
	_Atomic uint64_t not_sent_late; /* due more than 10 ms ago: this program is too slow */
};

struct flood_stream {
	struct flood_client *client; /* opens the connections; has a responder */
	uint16_t node_port[2];       /* by family */
	/* by family, in the order in which they are sent: one size, or the simple IMIX */
	struct flood_template templates[2][FLOOD_STREAM_SIZES];
	_Alignas(64) struct flood_stream_counts counts;
};

/** After flood_client_prepare, with a responder. */
void flood_stream_prepare(struct flood_stream *stream, struct flood_client *client);
/** The lcore's function: a struct flood_stream; always returns 0. */
int flood_stream_run(void *stream);

#endif
