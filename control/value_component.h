/* SPDX-License-Identifier: BSD-3-Clause
 * The pieces that value scores are made of (policy.md 5.3 B): each maps one observation to 0..1. Pure
 * functions, any thread. Observations below zero, and none at all, are the caller's to tell apart: a
 * component is only asked about what was seen.
 */
#ifndef WEIR_CONTROL_VALUE_COMPONENT_H
#define WEIR_CONTROL_VALUE_COMPONENT_H

#include <stddef.h>
#include <stdint.h>

/** 1 at zero, falling in a line to 0 at `maximum` and beyond. */
double value_linear_decay(double x, double maximum);
/** 1 / (1 + x / scale): halved at `scale`, never zero. */
double value_hyperbolic(double x, double scale);
/** x / maximum, at most 1. */
double value_capped(double x, double maximum);
/** s / (s + f), or `fallback` without any. */
double value_ratio(uint64_t successes, uint64_t failures, double fallback);

struct value_step {
	double limit, value;
};
/** The value of the first step whose limit is not below `x`; `beyond` if there is none. */
double value_stepped(const struct value_step *steps, size_t n, double x, double beyond);
/** LO-6: latency in ms. */
double value_latency_step(double latency_ms);
/** LO-6: received signal in dBm; stronger is larger. */
double value_signal_step(double signal_dbm);

#endif
