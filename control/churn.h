/* SPDX-License-Identifier: BSD-3-Clause
 * Churn (policy.md DU-16, V24, 5.5.12): from time to time the targets fall for a moment, so that the worst or
 * some random peers give their places to others. Pure: time and the random number come in. The configured
 * targets are never changed: what is in force is computed from them and the phase, so that a restore is exact
 * whatever happened in between.
 */
#ifndef WEIR_CONTROL_CHURN_H
#define WEIR_CONTROL_CHURN_H

#include <stdbool.h>
#include <stdint.h>

#include "control/keyed_hash.h"
#include "control/target.h"

enum churn_mode {
	CHURN_OFF,
	CHURN_SIMPLE,     /* dugite: active and established of both levels to four fifths, for one step */
	CHURN_SEQUENTIAL, /* ouroboros: active, then established, then known, each step from the whole targets
			   */
	CHURN_FREE,       /* bootstrap: a fraction of whoever is connected, at least one */
};
struct churn_policy {
	enum churn_mode mode;
	int64_t normal_ms, bulk_ms;           /* from restore to start; bulk: before the tip */
	int64_t normal_fuzz_ms, bulk_fuzz_ms; /* uniform addition */
	int64_t step_ms;                      /* how long each reduction lasts */
	uint32_t fraction_per_mille; /* that goes, 0..1000; SEQUENTIAL has its fifth in its formula */
};
extern const struct churn_policy churn_dugite, churn_ouroboros, churn_bootstrap;

enum churn_phase { CHURN_PHASE_WHOLE, CHURN_PHASE_ACTIVE, CHURN_PHASE_ESTABLISHED, CHURN_PHASE_KNOWN };
struct churn {
	enum churn_phase phase; /* SIMPLE and FREE only know WHOLE and ACTIVE */
	uint32_t cycle;         /* counts starts; who was churned in this one is not churned again in it */
	int64_t next_ms;        /* the next change of phase */
	int64_t whole_ms;       /* since when the targets are whole; of phase WHOLE only */
};
enum churn_event { CHURN_EVENT_NONE, CHURN_EVENT_START, CHURN_EVENT_STEP, CHURN_EVENT_RESTORE };

/** `random`: any 64-bit number. */
void churn_begin(struct churn *churn, const struct churn_policy *policy, enum sync_state sync,
	uint64_t random, int64_t now_ms);
/** `sync` has taken the place of `before`: a wait for the next start becomes one of the other length, from the same
 * restore, or a node that changes to and fro would never churn. What is over by that is due now. */
void churn_resync(struct churn *churn, const struct churn_policy *policy, enum sync_state before,
	enum sync_state sync, uint64_t random, int64_t now_ms);
/** Let time pass: at most one change a call; call again while it returns one. */
enum churn_event churn_tick(struct churn *churn, const struct churn_policy *policy, enum sync_state sync,
	uint64_t random, int64_t now_ms);
/** The targets in force. */
struct target_set churn_targets(
	const struct churn *churn, const struct churn_policy *policy, const struct target_set *base);
/** CHURN_FREE: how many of `connected` are to go in this phase. */
uint32_t churn_free_wanted(const struct churn *churn, const struct churn_policy *policy, uint32_t connected);
/** max(0, v - max(u, max(1, v div 5))). */
uint32_t churn_decrease(uint32_t u, uint32_t v);

struct churn_candidate {
	uint64_t id;
	bool is_protected; /* trusted, protected, or a local root: never churned */
	double fetch_ms;   /* average; negative: none */
	uint32_t cycle;    /* in which it was churned last; 0: never */
};
/** Exactly `wanted` victims, or all that may go: worst fetch first before the tip (no fetch is the worst), by
 * keyed lot at the tip. Indices go to `ret_victims`, which holds `wanted`. -ENOMEM. */
int churn_choose(const struct churn *churn, enum sync_state sync, const struct churn_candidate *candidates,
	uint32_t n, uint32_t wanted, const struct keyed_hash *key, uint32_t *ret_victims, uint32_t *ret_n);

#endif
