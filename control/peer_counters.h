/* SPDX-License-Identifier: BSD-3-Clause
 * What is counted about an endpoint or a host (policy.md 5.3 C): outcomes, streaks, a failure count that
 * heals, moving averages, and the circuit breaker. Pure functions of state, input and time, any thread. Only
 * proven outcomes may come here (outcome.h), and neutral ones change nothing.
 */
#ifndef WEIR_CONTROL_PEER_COUNTERS_H
#define WEIR_CONTROL_PEER_COUNTERS_H

#include <stdbool.h>
#include <stdint.h>

#define EWMA_ALPHA 0.3 /* DU-3 */

/** DU-3: the first sample sets; `average` negative: no sample yet. Returns the new average. */
double ewma_add(double average, double sample);
/** One fetch of `blocks` blocks in `fetch_ms`: normalised per block. A fetch of no block is no sample. */
double ewma_add_fetch(double average, double fetch_ms, uint32_t blocks);

/** How failures are forgiven (policy.md 5.1.1). */
enum failure_clock {
	FAILURE_CLOCK_NONE,
	FAILURE_CLOCK_HALVING,          /* DU-10: halves every step */
	FAILURE_CLOCK_CLEAR_ON_SUCCESS, /* HE-8, SP-4 */
	FAILURE_CLOCK_CLEAR_AFTER_HOT,  /* ouroboros: cleared after a time of usefulness */
};

struct circuit_policy {
	uint32_t threshold; /* consecutive failures that open it; 0: no breaker */
	int64_t cooldown_ms, cooldown_max_ms;
};

struct counter_policy {
	enum failure_clock clock;
	bool success_is_auth; /* 5.4, "reset on auth": a dial that is answered is no success yet (HE-13) */
	int64_t halving_ms;   /* 300 s */
	int64_t hot_ms;       /* 120 s */
	struct circuit_policy circuit;
};

extern const struct counter_policy counters_dugite;    /* halving 300 s; breaker 3, 60 s, 300 s */
extern const struct counter_policy counters_ouroboros; /* cleared after 120 s hot; no breaker */
extern const struct counter_policy counters_stellar;   /* cleared by authentication; no breaker */
extern const struct counter_policy counters_spacetime; /* cleared by success; no breaker */

/** Failures that halve in fixed steps from the first failure after zero. */
struct decayed_count {
	uint32_t count; /* at since_ms */
	int64_t since_ms;
};
uint32_t decayed_count_at(const struct decayed_count *count, int64_t step_ms, int64_t now_ms);
void decayed_count_add(struct decayed_count *count, int64_t step_ms, int64_t now_ms);
/** When the count will next change by itself; INT64_MAX: never. */
int64_t decayed_count_next_ms(const struct decayed_count *count, int64_t step_ms, int64_t now_ms);

enum circuit_state { CIRCUIT_CLOSED, CIRCUIT_OPEN, CIRCUIT_HALF_OPEN };

/** DU-5. A failure while it is open changes nothing; a failed probe doubles the last cooldown. */
struct circuit {
	int64_t until_ms; /* open: when a probe is allowed; half-open: when an unanswered probe is given up */
	uint32_t cooldown_s; /* of the last opening; 0 after a success */
	uint16_t streak;     /* consecutive failures, saturating */
	uint8_t state;       /* enum circuit_state; half-open means a probe is under way */
};
/** What it is now: open becomes half-open at its end. */
enum circuit_state circuit_state_at(const struct circuit *circuit, int64_t now_ms);
/** May an attempt begin now? Reserves the one probe of a half-open circuit; true without effect when closed.
 */
bool circuit_allow(struct circuit *circuit, int64_t now_ms);
/** Would circuit_allow say yes? Changes nothing. */
bool circuit_allows(const struct circuit *circuit, int64_t now_ms);
void circuit_success(struct circuit *circuit);
void circuit_failure(struct circuit *circuit, const struct circuit_policy *policy, int64_t now_ms);
/** A probe ended without a verdict: the next may begin at once. */
void circuit_neutral(struct circuit *circuit, int64_t now_ms);

struct peer_counters {
	uint32_t ok, fail; /* lifetime, saturating */
	uint32_t streak;   /* consecutive failures */
	struct decayed_count decayed;
	struct circuit circuit;
	int64_t last_ok_ms, last_try_ms;     /* 0: never */
	double rtt_ms, rtt_min_ms, fetch_ms; /* negative: none */
};
void peer_counters_init(struct peer_counters *counters);
void peer_counters_success(
	struct peer_counters *counters, const struct counter_policy *policy, int64_t now_ms);
void peer_counters_failure(
	struct peer_counters *counters, const struct counter_policy *policy, int64_t now_ms);
/** Neutral: the attempt is over, nothing is held against or for the peer. */
void peer_counters_neutral(struct peer_counters *counters, int64_t now_ms);
void peer_counters_rtt(struct peer_counters *counters, double rtt_ms);
/** The peer has been hot since `hot_since_ms` and still is (FAILURE_CLOCK_CLEAR_AFTER_HOT). */
void peer_counters_hot(struct peer_counters *counters, const struct counter_policy *policy,
	int64_t hot_since_ms, int64_t now_ms);
/** The failures that count now for selection, rank and retry. */
uint32_t peer_counters_failures(
	const struct peer_counters *counters, const struct counter_policy *policy, int64_t now_ms);

#endif
