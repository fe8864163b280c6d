/* SPDX-License-Identifier: BSD-3-Clause
 * Penalty scores: decay, freeze and crossings in closed form (score.h). Pure functions, any thread.
 * Must not iterate over time: a score that was not read for a year costs the same as one read a second ago.
 */
#include "control/score.h"

#include <math.h>

double score_action_penalty(enum peer_action action)
{
	switch (action) {
	case PEER_ACTION_FATAL:
		return SCORE_MIN;
	case PEER_ACTION_LOW:
		return -10.0;
	case PEER_ACTION_MID:
		return -5.0;
	case PEER_ACTION_HIGH:
		return -1.0;
	default:
		return 0.0;
	}
}

double score_at(const struct score *score, const struct governor_config *config, int64_t now_ms)
{
	if (now_ms <= score->decay_from_ms || score->value == 0.0)
		return score->value;
	double seconds = (double)(now_ms - score->decay_from_ms) / 1000.0;
	return score->value * exp2(-seconds / config->penalty_half_life_s);
}

int64_t score_above_ms(const struct score *score, const struct governor_config *config, double threshold)
{
	double target = threshold + SCORE_EPSILON;
	if (score->value > target)
		return score->decay_from_ms;
	/* A threshold of 0 or more is never passed from below by decay toward 0. */
	if (target >= 0.0)
		return GOVERNOR_NEVER_MS;
	double seconds = config->penalty_half_life_s * log2(score->value / target);
	/* Past the threshold, not on it: 600.0 s to the threshold itself means 601. */
	double whole = floor(seconds) + 1.0;
	if (whole >= 1e15)
		return GOVERNOR_NEVER_MS;
	int64_t above_ms;
	if (__builtin_add_overflow(score->decay_from_ms, (int64_t)whole * 1000, &above_ms))
		return GOVERNOR_NEVER_MS;
	return above_ms;
}

enum score_state score_state_at(const struct score *score, const struct governor_config *config, int64_t now_ms)
{
	if (score->value <= config->threshold_ban + SCORE_EPSILON &&
		now_ms < score_above_ms(score, config, config->threshold_ban))
		return SCORE_STATE_BANNED;
	if (score->value <= config->threshold_disconnect + SCORE_EPSILON &&
		now_ms < score_above_ms(score, config, config->threshold_disconnect))
		return SCORE_STATE_DISCONNECT;
	return SCORE_STATE_HEALTHY;
}

enum score_state score_set(struct score *score, const struct governor_config *config, double value, int64_t now_ms)
{
	enum score_state before = score_state_at(score, config, now_ms);
	double clamped = fmin(SCORE_MAX, fmax(SCORE_MIN, value));
	bool frozen = now_ms < score->decay_from_ms;
	bool crosses = before != SCORE_STATE_BANNED && clamped <= config->threshold_ban + SCORE_EPSILON;
	score->value = clamped;
	if (crosses)
		score->decay_from_ms = now_ms + (int64_t)llround(config->ban_freeze_s * 1000.0);
	else if (!frozen)
		score->decay_from_ms = now_ms;
	return score_state_at(score, config, now_ms);
}
