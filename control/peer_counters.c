/* SPDX-License-Identifier: BSD-3-Clause
 * Outcomes, averages and the circuit breaker (peer_counters.h). Pure functions, any thread. Must not iterate
 * over time: a count that was not read for a year costs the same as one read a second ago.
 */
#include "control/peer_counters.h"

const struct counter_policy counters_dugite = {.clock = FAILURE_CLOCK_HALVING,
	.halving_ms = 300000,
	.circuit = {.threshold = 3, .cooldown_ms = 60000, .cooldown_max_ms = 300000}};
const struct counter_policy counters_ouroboros = {.clock = FAILURE_CLOCK_CLEAR_AFTER_HOT, .hot_ms = 120000};
const struct counter_policy counters_stellar = {
	.clock = FAILURE_CLOCK_CLEAR_ON_SUCCESS, .success_is_auth = true};
const struct counter_policy counters_spacetime = {.clock = FAILURE_CLOCK_CLEAR_ON_SUCCESS};

double ewma_add(double average, double sample)
{
	return average < 0.0 ? sample : average + EWMA_ALPHA * (sample - average);
}

double ewma_add_fetch(double average, double fetch_ms, uint32_t blocks)
{
	return blocks == 0 ? average : ewma_add(average, fetch_ms / blocks);
}

static void count_saturating(uint32_t *count)
{
	if (*count != UINT32_MAX)
		(*count)++;
}

/** Whole steps since the count was anchored; a clock that fell back has made none. */
static uint64_t steps_since(const struct decayed_count *count, int64_t step_ms, int64_t now_ms)
{
	if (step_ms <= 0 || now_ms <= count->since_ms)
		return 0;
	return (uint64_t)(now_ms - count->since_ms) / (uint64_t)step_ms;
}

uint32_t decayed_count_at(const struct decayed_count *count, int64_t step_ms, int64_t now_ms)
{
	uint64_t steps = steps_since(count, step_ms, now_ms);
	return steps >= 32 ? 0 : count->count >> steps;
}

void decayed_count_add(struct decayed_count *count, int64_t step_ms, int64_t now_ms)
{
	uint64_t steps = steps_since(count, step_ms, now_ms);
	count->count = steps >= 32 ? 0 : count->count >> steps;
	if (count->count == 0)
		count->since_ms = now_ms;
	else
		count->since_ms += (int64_t)steps * step_ms;
	count_saturating(&count->count);
}

int64_t decayed_count_next_ms(const struct decayed_count *count, int64_t step_ms, int64_t now_ms)
{
	if (step_ms <= 0 || decayed_count_at(count, step_ms, now_ms) == 0)
		return INT64_MAX;
	return count->since_ms + (int64_t)(steps_since(count, step_ms, now_ms) + 1) * step_ms;
}

enum circuit_state circuit_state_at(const struct circuit *circuit, int64_t now_ms)
{
	if (circuit->state == CIRCUIT_OPEN && now_ms >= circuit->until_ms)
		return CIRCUIT_HALF_OPEN;
	return circuit->state;
}

bool circuit_allows(const struct circuit *circuit, int64_t now_ms)
{
	/* Open: not before the cooldown's end. Half-open: a probe is under way, and another only when it is
	 * given up. */
	return circuit->state == CIRCUIT_CLOSED || now_ms >= circuit->until_ms;
}

bool circuit_allow(struct circuit *circuit, int64_t now_ms)
{
	if (!circuit_allows(circuit, now_ms))
		return false;
	if (circuit->state == CIRCUIT_CLOSED)
		return true;
	circuit->state = CIRCUIT_HALF_OPEN;
	/* A probe whose outcome nobody reports must not deny for ever: after one more cooldown the next may
	 * try. */
	circuit->until_ms = now_ms + circuit->cooldown_s * INT64_C(1000);
	return true;
}

void circuit_success(struct circuit *circuit)
{
	*circuit = (struct circuit){.state = CIRCUIT_CLOSED};
}

void circuit_failure(struct circuit *circuit, const struct circuit_policy *policy, int64_t now_ms)
{
	if (policy->threshold == 0)
		return;
	if (circuit_state_at(circuit, now_ms) == CIRCUIT_OPEN)
		return;
	if (circuit->streak != UINT16_MAX)
		circuit->streak++;
	if (circuit->state == CIRCUIT_CLOSED && circuit->streak < policy->threshold)
		return;
	int64_t cooldown_ms =
		circuit->cooldown_s != 0 ? circuit->cooldown_s * INT64_C(2000) : policy->cooldown_ms;
	if (cooldown_ms > policy->cooldown_max_ms)
		cooldown_ms = policy->cooldown_max_ms;
	circuit->cooldown_s = (uint32_t)(cooldown_ms / 1000);
	circuit->until_ms = now_ms + cooldown_ms;
	circuit->state = CIRCUIT_OPEN;
}

void circuit_neutral(struct circuit *circuit, int64_t now_ms)
{
	if (circuit->state == CIRCUIT_HALF_OPEN)
		circuit->until_ms = now_ms;
}

void peer_counters_init(struct peer_counters *counters)
{
	*counters = (struct peer_counters){.rtt_ms = -1.0, .rtt_min_ms = -1.0, .fetch_ms = -1.0};
}

void peer_counters_success(
	struct peer_counters *counters, const struct counter_policy *policy, int64_t now_ms)
{
	count_saturating(&counters->ok);
	counters->streak = 0;
	counters->last_ok_ms = counters->last_try_ms = now_ms;
	if (policy->clock == FAILURE_CLOCK_CLEAR_ON_SUCCESS)
		counters->decayed = (struct decayed_count){0};
	circuit_success(&counters->circuit);
}

void peer_counters_failure(
	struct peer_counters *counters, const struct counter_policy *policy, int64_t now_ms)
{
	count_saturating(&counters->fail);
	count_saturating(&counters->streak);
	counters->last_try_ms = now_ms;
	decayed_count_add(
		&counters->decayed, policy->clock == FAILURE_CLOCK_HALVING ? policy->halving_ms : 0, now_ms);
	circuit_failure(&counters->circuit, &policy->circuit, now_ms);
}

void peer_counters_neutral(struct peer_counters *counters, int64_t now_ms)
{
	circuit_neutral(&counters->circuit, now_ms);
}

void peer_counters_rtt(struct peer_counters *counters, double rtt_ms)
{
	counters->rtt_ms = ewma_add(counters->rtt_ms, rtt_ms);
	if (counters->rtt_min_ms < 0.0 || rtt_ms < counters->rtt_min_ms)
		counters->rtt_min_ms = rtt_ms;
}

void peer_counters_hot(struct peer_counters *counters, const struct counter_policy *policy,
	int64_t hot_since_ms, int64_t now_ms)
{
	if (policy->clock == FAILURE_CLOCK_CLEAR_AFTER_HOT && now_ms - hot_since_ms >= policy->hot_ms)
		counters->decayed = (struct decayed_count){0};
}

uint32_t peer_counters_failures(
	const struct peer_counters *counters, const struct counter_policy *policy, int64_t now_ms)
{
	return decayed_count_at(
		&counters->decayed, policy->clock == FAILURE_CLOCK_HALVING ? policy->halving_ms : 0, now_ms);
}
