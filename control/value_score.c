/* SPDX-License-Identifier: BSD-3-Clause
 * Value scores (value_score.h). Pure functions, any thread. Must not see penalties: a peer that is useful is
 * not therefore allowed to misbehave.
 */
#include "control/value_score.h"

#include <math.h>

#include "control/value_component.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const struct value_model unit_around_half = {
	.base = 0.5, .neutral = 0.5, .maximum = 1.0, .scale = 1.0};
static const struct value_model unit_sum = {.maximum = 1.0, .scale = 1.0};
static const struct value_model percent_sum = {.maximum = 1.0, .scale = 100.0};

double value_combine(const struct value_model *model, const struct value_term *terms, size_t n)
{
	double value = model->base;
	for (size_t i = 0; i < n; i++)
		if (!terms[i].omitted)
			value += terms[i].weight * (terms[i].component - model->neutral);
	return fmin(model->maximum, fmax(model->minimum, value)) * model->scale;
}

double value_dugite(const struct value_dugite_input *input)
{
	const struct value_term terms[] = {
		{0.15, value_linear_decay(input->rtt_ms, 2000), input->rtt_ms < 0},
		{0.20, value_linear_decay(input->fetch_ms, 200), input->fetch_ms < 0},
		/* Volume counts from the beginning: that is why a fresh peer has 0.45. */
		{0.10, value_capped((double)input->blocks, 10000), false},
		{0.15, value_ratio(input->ok, input->fail, 0.5), false},
		{0.10, value_linear_decay(input->fetch_age_min, 60), input->fetch_age_min < 0},
	};
	return value_combine(&unit_around_half, terms, COUNT_OF(terms));
}

double value_rank(double reputation, double fetch_ms, uint32_t failures)
{
	const struct value_term terms[] = {
		{0.4, reputation, false},
		{0.4, fetch_ms < 0 ? 0.5 : value_hyperbolic(fetch_ms, 200), false},
		{0.2, value_linear_decay(failures, 10), false},
	};
	return value_combine(&unit_sum, terms, COUNT_OF(terms));
}

double value_reputation_outcome(double reputation, bool ok)
{
	return fmin(1.0, fmax(0.0, reputation + (ok ? 0.01 : -0.1)));
}

double value_reputation_recover(double reputation, uint64_t steps)
{
	double moved = 0.05 * (double)steps;
	return reputation < 0.5 ? fmin(0.5, reputation + moved) : fmax(0.5, reputation - moved);
}

/** What upstream assumes of what it has not measured (LO-6). */
static double or_assume(double observed, double assumed)
{
	return observed < 0 ? assumed : observed;
}

struct value_lorachain value_lorachain(const struct value_lorachain_input *input)
{
	uint64_t invalid = input->invalid < input->messages ? input->invalid : input->messages;
	const struct value_term reliability[] = {
		{0.4, or_assume(input->uptime, 0.5), false},
		{0.3, or_assume(input->conn_success, 1.0), false},
		{0.3, or_assume(input->delivery, 0.95), false},
	};
	const struct value_term performance[] = {
		/* Nothing measured is not the worst that can be measured: the middle step. */
		{0.4, input->latency_ms < 0 ? 0.6 : value_latency_step(input->latency_ms), false},
		{0.3, or_assume(input->throughput, 0.8), false},
		{0.3, isnan(input->signal_dbm) ? 1.0 : value_signal_step(input->signal_dbm), false},
	};
	const struct value_term behaviour[] = {
		{0.4, value_ratio(input->messages - invalid, invalid, 1.0), false},
		{0.3, value_capped((double)input->relayed, input->light ? 20 : 100), false},
		{0.3, or_assume(input->compliance, 0.95), false},
	};
	struct value_lorachain value = {
		.reliability = value_combine(&percent_sum, reliability, COUNT_OF(reliability)),
		.performance = value_combine(&percent_sum, performance, COUNT_OF(performance)),
		.behaviour = value_combine(&percent_sum, behaviour, COUNT_OF(behaviour)),
	};
	value.overall = 0.4 * value.reliability + 0.3 * value.performance + 0.3 * value.behaviour;
	return value;
}

double value_lorachain_decay(double value, double days)
{
	return value * exp(-0.01 * fmax(0.0, days));
}

bool value_lorachain_is_news(double before, double after)
{
	return fabs(after - before) > 1.0;
}

bool value_replaces(double lowest, double newcomer)
{
	return newcomer > lowest + 10.0;
}

double value_quality(uint64_t ok, uint64_t fail)
{
	return value_ratio(ok, fail, 0.5);
}

void value_standing_outcome(struct value_standing *standing, bool ok)
{
	if (ok) {
		standing->reputation += standing->reputation < INT32_MAX;
		standing->streak = 0;
		return;
	}
	standing->reputation -= standing->reputation > INT32_MIN + 2 ? 2 : 0;
	standing->streak += standing->streak < UINT32_MAX;
	if (standing->reputation <= -10 || standing->streak >= 5)
		standing->blacklisted = true;
}

double value_subnet_penalty(uint32_t connected)
{
	return connected < 3 ? 0.0 : 0.2 * (connected - 2);
}

double value_selection(const struct value_selection_input *input)
{
	double value = input->reputation;
	if (peer_category_is_trustable(input->category))
		value += 0.2;
	if (input->source == PEER_SOURCE_CONFIG)
		value += 0.1;
	else if (input->source == PEER_SOURCE_LEDGER)
		value += 0.05;
	else if (input->source == PEER_SOURCE_INBOUND)
		value += 0.02;
	if (input->tip_known)
		value += 0.05;
	return value - fmin(0.15 * input->failures, 0.6);
}

/* An hour at 300 bytes a second, about one small message each: beyond it more bytes are not more use. */
#define USEFUL_BYTES (1024.0 * 1024.0)

double value_inbound(const struct value_inbound_input *input)
{
	double useful =
		input->useful < 0 ? value_capped((double)input->bytes_in, USEFUL_BYTES) : input->useful;
	const struct value_term terms[] = {
		{0.10, value_linear_decay(input->rtt_ms, 2000), input->rtt_ms < 0},
		{0.15, fmin(1.0, useful), false},
		{0.15, value_ratio(input->ok, input->fail, 0.5), false},
		{0.10, value_capped(input->age_s, 15 * 60), false},
		/* Idle peers lose: 300 s is the idle limit of most profiles (LO-12, DU-21). */
		{0.15, value_linear_decay(input->idle_s, 300), input->idle_s < 0},
	};
	double value = value_combine(&unit_around_half, terms, COUNT_OF(terms));
	return fmax(0.0, value - value_subnet_penalty(input->subnet_connected));
}
