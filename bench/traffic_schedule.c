// SPDX-License-Identifier: BSD-3-Clause
/* Arrival processes (traffic_schedule.h). The counts of a Poisson process in disjoint intervals are
 * independent and Poisson themselves, so one draw for each look at the clock is exact: no gap has to be kept.
 * Pure.
 */
#include "bench/traffic_schedule.h"

#include <math.h>

#include "bench/traffic_pieces.h"

/* exp(-16) is far above the smallest double, and 17 draws for 16 packets cost what one gap each would. */
static const double POISSON_PART = 16;

static uint64_t poisson_small(double mean, uint64_t *state)
{
	double limit = exp(-mean), product = 1;
	uint64_t n = 0;

	/* Knuth: as many uniform factors as it takes to fall below exp(-mean), less one. Ends with
	 * probability 1; a thousand factors for a mean of 16 would happen once in 10^1000. */
	while (n < 1000) {
		product *= 1 - traffic_random_real(state);
		if (product < limit)
			break;
		n++;
	}
	return n;
}

static uint64_t poisson_draw(double mean, uint64_t *state)
{
	uint64_t n = 0;

	for (; mean > POISSON_PART; mean -= POISSON_PART)
		n += poisson_small(POISSON_PART, state);
	return n + poisson_small(mean, state);
}

uint64_t traffic_schedule_due(const struct traffic_schedule *schedule, uint64_t elapsed_ns)
{
	double seconds = (double)elapsed_ns * 1e-9;

	if (schedule->pattern == TRAFFIC_RAMP && schedule->ramp_ns > 0) {
		double ramp = (double)schedule->ramp_ns * 1e-9;

		/* the area under a line from 0 to the rate, and a rectangle after it */
		if (seconds < ramp)
			return (uint64_t)(schedule->rate_pps * seconds * seconds / (2 * ramp));
		return (uint64_t)(schedule->rate_pps * (seconds - ramp / 2));
	}
	if (schedule->pattern == TRAFFIC_ON_OFF && schedule->on_ns > 0) {
		uint64_t period = schedule->on_ns + schedule->off_ns;
		uint64_t inside = elapsed_ns % period;
		uint64_t on = (elapsed_ns / period) * schedule->on_ns +
			      (inside < schedule->on_ns ? inside : schedule->on_ns);

		seconds = (double)on * 1e-9;
	}
	return (uint64_t)(schedule->rate_pps * seconds);
}

void traffic_arrivals_start(
	struct traffic_arrivals *ret_arrivals, const struct traffic_schedule *schedule, uint64_t seed)
{
	*ret_arrivals = (struct traffic_arrivals){.schedule = *schedule, .random_state = seed};
}

uint64_t traffic_arrivals_due(struct traffic_arrivals *arrivals, uint64_t elapsed_ns)
{
	if (arrivals->schedule.pattern != TRAFFIC_POISSON)
		return traffic_schedule_due(&arrivals->schedule, elapsed_ns);
	if (elapsed_ns > arrivals->elapsed_ns) {
		double seconds = (double)(elapsed_ns - arrivals->elapsed_ns) * 1e-9;

		arrivals->due += poisson_draw(arrivals->schedule.rate_pps * seconds, &arrivals->random_state);
		arrivals->elapsed_ns = elapsed_ns;
	}
	return arrivals->due;
}
