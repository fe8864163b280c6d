/* SPDX-License-Identifier: BSD-3-Clause
 * When packets are due: open loop, a function of time and seed alone, whatever was really sent. One thread a
 * schedule's state. Must not read clocks.
 */
#ifndef WEIR_BENCH_TRAFFIC_SCHEDULE_H
#define WEIR_BENCH_TRAFFIC_SCHEDULE_H

#include <stdint.h>

enum traffic_pattern {
	TRAFFIC_CONSTANT, /* rate_pps */
	TRAFFIC_RAMP,     /* from 0 to rate_pps within ramp_ns, constant then */
	TRAFFIC_ON_OFF,   /* rate_pps for on_ns, silence for off_ns */
	TRAFFIC_POISSON,  /* exponential gaps with a mean of 1 / rate_pps */
};

struct traffic_schedule {
	enum traffic_pattern pattern;
	double rate_pps; /* > 0 */
	uint64_t ramp_ns, on_ns, off_ns;
};

/** Packets expected since the start, `elapsed_ns` after it; exact for every pattern but TRAFFIC_POISSON.
 * Never falls. */
uint64_t traffic_schedule_due(const struct traffic_schedule *schedule, uint64_t elapsed_ns);

/** A schedule in progress: what a Poisson process has drawn so far. */
struct traffic_arrivals {
	struct traffic_schedule schedule;
	uint64_t random_state, elapsed_ns, due;
};

void traffic_arrivals_start(
	struct traffic_arrivals *ret_arrivals, const struct traffic_schedule *schedule, uint64_t seed);
/** Packets due since the start. `elapsed_ns` must not fall from call to call. */
uint64_t traffic_arrivals_due(struct traffic_arrivals *arrivals, uint64_t elapsed_ns);

#endif
