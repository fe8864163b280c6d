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

/** Where the application's score stands when the combined one is at `threshold`: gossip moves the thresholds,
 * never further than the hard one (LH-13). */
static double moved_threshold(
	const struct score *score, const struct governor_config *config, double threshold)
{
	if (score->gossip == 0.0)
		return threshold;
	return fmax(config->threshold_hard, threshold - score->gossip);
}

double score_combined_at(const struct score *score, const struct governor_config *config, int64_t now_ms)
{
	double app = score_at(score, config, now_ms);
	return app <= config->threshold_hard + SCORE_EPSILON ? app : app + score->gossip;
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

int64_t score_unbanned_ms(const struct score *score, const struct governor_config *config)
{
	return score_above_ms(score, config, moved_threshold(score, config, config->threshold_ban));
}

int64_t score_healthy_ms(const struct score *score, const struct governor_config *config)
{
	return score_above_ms(score, config, moved_threshold(score, config, config->threshold_disconnect));
}

static bool is_at(
	const struct score *score, const struct governor_config *config, double threshold, int64_t now_ms)
{
	double moved = moved_threshold(score, config, threshold);
	/* Merit fades too; only an unusual clamp lets gossip reach so far. */
	double value = score->value > 0.0 ? score_at(score, config, now_ms) : score->value;
	return value <= moved + SCORE_EPSILON &&
	       (value > 0.0 || now_ms < score_above_ms(score, config, moved));
}

enum score_state score_state_at(const struct score *score, const struct governor_config *config, int64_t now_ms)
{
	if (is_at(score, config, config->threshold_ban, now_ms))
		return SCORE_STATE_BANNED;
	if (is_at(score, config, config->threshold_disconnect, now_ms))
		return SCORE_STATE_DISCONNECT;
	return SCORE_STATE_HEALTHY;
}

enum score_state score_set(struct score *score, const struct governor_config *config, double value, int64_t now_ms)
{
	enum score_state before = score_state_at(score, config, now_ms);
	double clamped = fmin(SCORE_MAX, fmax(SCORE_MIN, value));
	bool frozen = now_ms < score->decay_from_ms;
	double threshold_ban = moved_threshold(score, config, config->threshold_ban);
	bool crosses = before != SCORE_STATE_BANNED && clamped <= threshold_ban + SCORE_EPSILON;
	score->value = clamped;
	if (crosses)
		score->decay_from_ms = now_ms + (int64_t)llround(config->ban_freeze_s * 1000.0);
	else if (!frozen)
		score->decay_from_ms = now_ms;
	return score_state_at(score, config, now_ms);
}

void score_gossip_set(
	struct score *score, const struct governor_config *config, double points, int64_t now_ms)
{
	enum score_state before = score_state_at(score, config, now_ms);
	if (now_ms < score->decay_from_ms)
		return;
	score->gossip = points;
	if (before == SCORE_STATE_BANNED || score_state_at(score, config, now_ms) != SCORE_STATE_BANNED)
		return;
	score->value = score_at(score, config, now_ms);
	score->decay_from_ms = now_ms + (int64_t)llround(config->ban_freeze_s * 1000.0);
}
