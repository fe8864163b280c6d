/* SPDX-License-Identifier: BSD-3-Clause
 * How many peers there should be, and what follows from it (policy.md 5.3 G, LH-2 to LH-8, DU-8, DU-11,
 * DU-14, HE-13). Pure functions, any thread: counts in, counts out. Fractions are integers per mille, rounded
 * up, so that no rounding of floats adds a peer (V6).
 */
#ifndef WEIR_CONTROL_TARGET_H
#define WEIR_CONTROL_TARGET_H

#include <stdbool.h>
#include <stdint.h>

enum sync_state { SYNC_STATE_CAUGHT_UP, SYNC_STATE_SYNCING, SYNC_STATE_PRE_SYNCING };

struct target_level {
	uint32_t known, established, active;
};

/** DU-11: the six targets, and roots. Big ledger peers are counted apart from all others. */
struct target_set {
	uint32_t root;
	struct target_level normal, big_ledger;
};
extern const struct target_set target_dugite, target_dugite_sync, target_ouroboros;

/** 5.3 K: 0 <= active <= established <= known <= 10000, root <= known, active <= 100, established <= 1000, in
 * both levels. NULL, or a sentence that names what is wrong. */
const char *target_set_flaw(const struct target_set *targets);

/** `value` * `per_mille` / 1000, rounded up. */
uint32_t target_per_mille(uint32_t value, uint32_t per_mille);

struct target_fractions {
	uint32_t excess;          /* LH-2: 100 */
	uint32_t priority;        /* LH-5: added to excess: 200 */
	uint32_t outbound;        /* LH-3: 300 */
	uint32_t outbound_min;    /* LH-4: 200 */
	uint32_t inbound;         /* LH-7: 900 */
	uint32_t ignore_negative; /* LH-18: 100 */
};
extern const struct target_fractions target_lighthouse;

/** What follows from one target (V6). */
struct target_limits {
	uint32_t target;
	uint32_t max;      /* target and excess */
	uint32_t priority; /* with duties: target, excess and priority */
	uint32_t dial_out; /* dialling stops here: target, excess, half of the outbound minimum */
	uint32_t min_out, target_out, max_in, ignore_negative;
};
void target_limits(
	uint32_t target, const struct target_fractions *fractions, struct target_limits *ret_limits);

/** LH-4 and 5.5.20: how many peers to discover now; 0: none. */
uint32_t target_discover(
	const struct target_limits *limits, uint32_t connected, uint32_t outbound, uint32_t dialing);
/** LH-8: may one more come? `connected` is without it. Duties reach up to the priority limit. */
bool target_admits(
	const struct target_limits *limits, bool inbound, bool duty, uint32_t connected, uint32_t dialing);
/** LH-6, V9: is reconnecting to be throttled after a close? `remaining` peers are left. */
bool target_throttles(uint32_t target, uint32_t remaining, bool closed_by_us, bool on_any_close);

enum target_soft_mode { TARGET_SOFT_NONE, TARGET_SOFT_LINEAR, TARGET_SOFT_FIXED };
struct target_soft {
	enum target_soft_mode mode;
	uint32_t soft, hard; /* connections; hard 0: no limit */
	double delay_max_s;  /* 5 */
};
/** DU-14, V23: false: refuse; else how long after the one before the next may be accepted. `n` connections
 * before the new one. */
bool target_soft_delay(const struct target_soft *soft, uint32_t n, double *ret_delay_s);

/** HE-13, V32: Stellar's places. */
struct target_slots {
	uint32_t inbound_max, pending_out, pending_in, preferred_extra;
};
void target_slots(uint32_t target, uint32_t pending_max, struct target_slots *ret_slots);
/** May one more pending inbound connection begin? */
bool target_slots_admit(const struct target_slots *slots, uint32_t pending_in, bool possibly_preferred);
/** How many outbound connections are wanted: a node that nobody can reach keeps to three. */
uint32_t target_slots_outbound(uint32_t target, uint32_t inbound_authenticated);

/** DU-13, 5.1: the smallest set of peers by stake that holds at least 90 %: marks them, returns how many.
 * Stakes are not negative; peers without stake are never in it. -ENOMEM. */
struct target_stake {
	double stake;
	bool big;
};
int target_big_ledger(struct target_stake *peers, uint32_t n, uint32_t *ret_big);

#endif
