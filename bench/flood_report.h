/* SPDX-License-Identifier: BSD-3-Clause
 * What weir-flood says: a live line and a CSV line each second, and the result. Main thread; reads the
 * lcores' counts.
 */
#ifndef WEIR_BENCH_FLOOD_REPORT_H
#define WEIR_BENCH_FLOOD_REPORT_H

#include <stdio.h>

#include "bench/flood_client.h"
#include "bench/flood_replay_run.h"
#include "bench/flood_stream.h"
#include "bench/flood_worker.h"

enum { FLOOD_SERIES_MAX = 7200 };

struct flood {
	struct flood_options options;
	struct flood_worker workers[FLOOD_LCORES_MAX];
	struct flood_client clients[FLOOD_LCORES_MAX];
	struct flood_stream stream;
	struct flood_replay_run replay;
	struct responder responders[FLOOD_LCORES_MAX];
	struct rte_mempool *pool;
	uint16_t port_id, respond_port_id;
	uint64_t start_monotonic_ns;
	double seconds;
	unsigned n_series;
	uint64_t series[FLOOD_SERIES_MAX]; /* packets sent in each second */
	FILE *csv;                         /* NULL: none */
};

uint64_t flood_report_sent(const struct flood *flood);
/** -errno of the file. */
int flood_report_csv_open(struct flood *flood);
void flood_report_csv_line(const struct flood *flood);
/** On standard error. */
void flood_report_live(const struct flood *flood, uint64_t last_second);
/** On standard output: one line, or one JSON object. */
void flood_report_result(const struct flood *flood, int argc, char *const argv[]);

#endif
