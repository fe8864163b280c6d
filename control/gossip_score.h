/* SPDX-License-Identifier: BSD-3-Clause
 * The gossip score beside the application's (policy.md LH-12, LH-13, LH-17, LH-18, V1): weighted so that
 * gossip alone never disconnects anybody, clamped so that this holds for every value, and without a say once
 * the application's score is bad enough. Pure functions, any thread.
 */
#ifndef WEIR_CONTROL_GOSSIP_SCORE_H
#define WEIR_CONTROL_GOSSIP_SCORE_H

#include <stdbool.h>
#include <stdint.h>

#include "control/governor.h"

struct gossip_policy {
	double clamp;  /* the graylist threshold, -16000: lower scores count as it (5.5.4) */
	double weight; /* (disconnect threshold + 1) / clamp = 0.0011875 */
	double hard;   /* -60: at it and below, gossip has no say */
};
extern const struct gossip_policy gossip_lighthouse;

/** -EINVAL: a number that is not finite. `ignore`: a negative gossip score counts as none (LH-18). */
int gossip_score_combine(
	const struct gossip_policy *policy, double app, double gossip, bool ignore, double *ret_combined);
/** LH-13: thresholds are inclusive; the application's score alone bans at the hard one. */
enum score_state gossip_score_state(const struct gossip_policy *policy, const struct governor_config *config,
	double app, double combined);
/** LH-18: at each refresh the best `most` of those with negative gossip are forgiven, so that they can
 * recover. Sets ret_ignore[0..n). -ENOMEM. */
int gossip_score_forgive(const double *gossip, uint32_t n, uint32_t most, bool *ret_ignore);

#endif
