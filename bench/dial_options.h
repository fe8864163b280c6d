/* SPDX-License-Identifier: BSD-3-Clause
 * weir-dial's command line. Filled once at start, read-only afterwards.
 */
#ifndef WEIR_BENCH_DIAL_OPTIONS_H
#define WEIR_BENCH_DIAL_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/dial_sources.h"
#include "bench/echo_protocol.h"
#include "shm/prefix.h"

enum { DIAL_TARGETS_MAX = 16 };

/** What a client does once it is connected. Only DIAL_HONEST and DIAL_NEVER_CLOSE ask for an echo. */
enum dial_behaviour {
	DIAL_HONEST,	   /* ask, take the answer, close */
	DIAL_SILENT,	   /* say nothing, hold the connection */
	DIAL_RESET,	   /* RST at once */
	DIAL_HALF_REQUEST, /* half a request, hold */
	DIAL_NEVER_READ,   /* ask again and again with a tiny window, never read */
	DIAL_NEVER_CLOSE,  /* ask, take the answer, hold */
	DIAL_STORM,	   /* close at once: reconnects as fast as the schedule goes */
	DIAL_MIXED,	   /* each source one of the six above */
	DIAL_BEHAVIOURS,
};

struct dial_target {
	struct address address;
	uint16_t port;
	bool udp;
};

struct dial_options {
	struct dial_target targets[DIAL_TARGETS_MAX];
	unsigned n_targets;
	struct prefix sources[DIAL_SOURCE_PREFIXES_MAX];
	unsigned n_sources;
	uint32_t addresses, first; /* per family */
	double rate_per_s, seconds;
	bool poisson, json, live, owned;
	uint64_t timeout_ns, hold_ns; /* hold_ns 0: until the end */
	uint32_t open_max;
	enum dial_behaviour behaviour;
	struct echo_key key;
	uint64_t seed;
	const char *csv_path, *label; /* of argv; NULL, "" */
};

/** Returns -1 to run, otherwise the exit status; says why on standard error. */
int dial_options_parse(int argc, char **argv, struct dial_options *ret_options);
const char *dial_behaviour_name(enum dial_behaviour behaviour);

#endif
