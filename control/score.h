/* SPDX-License-Identifier: BSD-3-Clause
 * The penalty score (policy.md LH-12 to LH-16, 5.5 decision 3): a value in [-100, 100] that halves every half-life,
 * in closed form from its last change, and does not move while frozen. Pure functions, any thread; time comes in.
 *
 * Crossings are counted in whole seconds from the moment at which decay begins, rounded up: the model's clock and the
 * dataplane's ban entries count seconds. A state therefore never ends early, and is one thing for readers, timers and packets.
 */
#ifndef WEIR_CONTROL_SCORE_H
#define WEIR_CONTROL_SCORE_H

#include "control/governor.h"

#define SCORE_MAX 100.0
#define SCORE_MIN (-100.0)
/* Thresholds are inclusive with this tolerance (policy.md 5.5 decision 3). */
#define SCORE_EPSILON 1e-9

struct score {
	double value;          /* the application's: until decay_from_ms, and halving after it */
	int64_t decay_from_ms; /* in the future: frozen until then */
	double gossip; /* weighted (gossip_score.h); added where states are told, never halving (LH-15) */
};

/** What LH-14 takes off; 0 for the actions of LO-9, which count in windows. FATAL is not a difference: SCORE_MIN. */
double score_action_penalty(enum peer_action action);
/** The application's score. */
double score_at(const struct score *score, const struct governor_config *config, int64_t now_ms);
/** LH-12: with gossip, which has no say at the hard threshold and below (LH-13). */
double score_combined_at(const struct score *score, const struct governor_config *config, int64_t now_ms);
/** The first moment at which the score is above `threshold` (a negative number); decay_from_ms if it is there already. */
int64_t score_above_ms(const struct score *score, const struct governor_config *config, double threshold);
/** The first moments at which the combined score is above the threshold of bans, and of disconnecting. */
int64_t score_unbanned_ms(const struct score *score, const struct governor_config *config);
int64_t score_healthy_ms(const struct score *score, const struct governor_config *config);
/** LH-13, of the combined score. */
enum score_state score_state_at(const struct score *score, const struct governor_config *config, int64_t now_ms);
/** Set a new value at `now_ms`: clamps; begins a freeze if this crosses into the ban state; within a freeze the value
 * changes and the end of the freeze does not. Returns the state after it. */
enum score_state score_set(struct score *score, const struct governor_config *config, double value, int64_t now_ms);
/** LH-12, LH-16: gossip is worth `points` from now on, but for a frozen score, which stays. Begins a freeze
 * if this crosses into the ban state. */
void score_gossip_set(
	struct score *score, const struct governor_config *config, double points, int64_t now_ms);

#endif
