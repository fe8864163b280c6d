/* SPDX-License-Identifier: BSD-3-Clause
 * Components of value scores (value_component.h). Pure functions, any thread.
 */
#include "control/value_component.h"

#include <math.h>

double value_linear_decay(double x, double maximum)
{
	return fmin(1.0, fmax(0.0, 1.0 - x / maximum));
}

double value_hyperbolic(double x, double scale)
{
	return 1.0 / (1.0 + fmax(0.0, x) / scale);
}

double value_capped(double x, double maximum)
{
	return fmin(1.0, fmax(0.0, x / maximum));
}

double value_ratio(uint64_t successes, uint64_t failures, double fallback)
{
	double all = (double)successes + (double)failures;
	return all == 0.0 ? fallback : (double)successes / all;
}

double value_stepped(const struct value_step *steps, size_t n, double x, double beyond)
{
	for (size_t i = 0; i < n; i++)
		if (x <= steps[i].limit)
			return steps[i].value;
	return beyond;
}

double value_latency_step(double latency_ms)
{
	static const struct value_step steps[] = {{50, 1.0}, {100, 0.8}, {200, 0.6}, {500, 0.4}, {1000, 0.2}};
	return value_stepped(steps, sizeof(steps) / sizeof(steps[0]), latency_ms, 0.1);
}

double value_signal_step(double signal_dbm)
{
	/* Weaker signals are more negative: the table is over the loss. */
	static const struct value_step steps[] = {{60, 1.0}, {70, 0.8}, {80, 0.6}, {90, 0.4}, {100, 0.2}};
	return value_stepped(steps, sizeof(steps) / sizeof(steps[0]), -signal_dbm, 0.1);
}
