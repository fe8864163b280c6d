/* SPDX-License-Identifier: BSD-3-Clause
 * What weir-replay prints: a line or a JSON object for each packet, then totals. Written by hand and not
 * through jansson: a capture has millions of packets. Keeps totals, by source too when asked. One thread.
 */
#ifndef WEIR_TOOLS_REPLAY_REPORT_H
#define WEIR_TOOLS_REPLAY_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "dataplane/stage.h"

/** One packet with what became of it. `decision` NULL: not decided, because the capture cut its headers. */
struct report_packet {
	uint64_t n; /* from 1, as other tools count */
	uint64_t time_ns;
	const struct arrival *arrival;
	const struct decision *decision;
	bool cut; /* less was captured than was on the wire */
};

struct report_source {
	struct address address;
	uint64_t packets;
	uint64_t verdicts[VERDICT_COUNT]; /* of the reason, also in monitor mode */
};

struct report {
	FILE *to;
	bool json, quiet;
	uint64_t first_ns, last_ns;
	uint64_t packets, bytes, cut, undecided, backwards, monitored;
	uint64_t verdicts[VERDICT_COUNT], reasons[REASON_COUNT];
	/* by source: open addressing, grown at half */
	unsigned n_top; /* 0: not kept */
	struct report_source *sources;
	size_t n_sources, capacity;
};

/** Count a packet, and print it unless quiet. -ENOMEM. */
int report_packet(struct report *report, const struct report_packet *packet);
/** Totals. `seconds_run`: what the replay itself took. */
void report_totals(struct report *report, const uint64_t events[EVENT_KIND_COUNT], uint64_t segments,
	double seconds_run);
void report_done(struct report *report);

#endif
