/* SPDX-License-Identifier: BSD-3-Clause
 * What weir-dial counts, and how it says it: a live line, a JSON object, a CSV line an attempt. One thread.
 */
#ifndef WEIR_BENCH_DIAL_REPORT_H
#define WEIR_BENCH_DIAL_REPORT_H

#include <stdint.h>
#include <stdio.h>

#include "bench/dial_options.h"
#include "bench/histogram.h"

enum { DIAL_SERIES_MAX = 7200 };

/** As in weir-flood: what the generator holds up for longer shows in the result as its own fault. */
enum { DIAL_LATE_MS = 10 };

/** How an attempt ended. A misbehaving client's attempt ends with its connect; what happens later is `closed_on`. */
enum dial_outcome {
	DIAL_SUCCEEDED,	   /* honest: the node's own echo came; else: the handshake completed */
	DIAL_REFUSED,	   /* RST or ICMP instead of a connection */
	DIAL_CUT,	   /* connected, then RST before the echo */
	DIAL_CLOSED_EARLY, /* connected, then FIN before the echo */
	DIAL_TIMED_OUT,
	DIAL_WRONG_REPLY,
	DIAL_LOCAL_ERROR, /* this host could not even try */
	DIAL_OUTCOMES,
};

struct dial_second {
	uint32_t attempts;		   /* started */
	uint32_t outcomes[DIAL_OUTCOMES]; /* ended */
	uint32_t closed_on;
};

/** tcp4, udp4, tcp6, udp6 */
enum { DIAL_CLASSES = 4 };

struct dial_class {
	uint64_t attempts, succeeded;
	struct histogram reply_ns;
};

struct dial_report {
	uint64_t start_ns; /* CLOCK_MONOTONIC */
	uint64_t attempts, connected, not_started, closed_on, syn_resends, udp_resends;
	uint64_t outcomes[DIAL_OUTCOMES];
	uint32_t open;
	int first_local_errno;
	struct histogram connect_ns; /* from the intended start; TCP */
	struct histogram late_ns;    /* from the intended start to ours: what this program itself adds */
	uint64_t late;		     /* attempts that we began more than DIAL_LATE_MS after their time */
	struct dial_class classes[DIAL_CLASSES];
	struct histogram recent_ns; /* replies since the last live line */
	struct dial_second series[DIAL_SERIES_MAX];
	FILE *csv; /* NULL: none */
};

/** One attempt that ended. Times in ns of CLOCK_MONOTONIC; connected_ns and replied_ns are 0 when it did not happen. */
struct dial_ended {
	struct address source;
	unsigned class;
	uint64_t intended_ns, connected_ns, replied_ns, ended_ns;
	uint32_t resends;
	enum dial_outcome outcome;
};

struct dial_second *dial_report_second(struct dial_report *report, uint64_t now_ns);
/** An attempt begins, `late_ns` after its intended time. */
void dial_report_start(struct dial_report *report, uint64_t late_ns);
void dial_report_add(struct dial_report *report, const struct dial_ended *ended);
/** One line on standard error; clears what is recent. */
void dial_report_live(struct dial_report *report, const struct dial_options *options, uint64_t now_ns);
/** Opens the CSV file and writes its header. -errno. */
int dial_report_csv_open(struct dial_report *report, const char *path);
void dial_report_json(const struct dial_report *report, const struct dial_options *options, int argc,
	char *const argv[], double seconds, FILE *file);
void dial_report_text(const struct dial_report *report, const struct dial_options *options, FILE *file);

#endif
