/* SPDX-License-Identifier: BSD-3-Clause
 * The gossip score beside the application's (policy.md LH-12, LH-17, LH-18, V1): weighted so that gossip
 * alone never disconnects anybody, and clamped so that this holds for every value. What a score with it means
 * is score.h's. Pure functions, any thread.
 */
#ifndef WEIR_CONTROL_GOSSIP_SCORE_H
#define WEIR_CONTROL_GOSSIP_SCORE_H

#include <stdbool.h>
#include <stdint.h>

struct gossip_policy {
	double clamp;  /* the graylist threshold, -16000: lower scores count as it (5.5.4) */
	double weight; /* (disconnect threshold + 1) / clamp = 0.0011875 */
	double hard;   /* -60: at it and below, gossip has no say (LH-13) */
};
extern const struct gossip_policy gossip_lighthouse;

/** What gossip adds to the application's score (struct score). `ignore`: a negative one counts as none
 * (LH-18). -EINVAL: not finite. */
int gossip_score_points(const struct gossip_policy *policy, double gossip, bool ignore, double *ret_points);
/** LH-18: at each refresh the best `most` of those with negative gossip are forgiven, so that they can
 * recover. Sets ret_ignore[0..n). -ENOMEM. */
int gossip_score_forgive(const double *gossip, uint32_t n, uint32_t most, bool *ret_ignore);

#endif
