/* SPDX-License-Identifier: BSD-3-Clause
 * The seven profiles of the model as data (policy.md 5.4, 5.5.1, 5.5.2): what each system sets, in the types
 * of the modules that act by it. What a system does not set is off there. Pure data, any thread; the
 * configuration overrides any of it.
 */
#ifndef WEIR_CONTROL_PROFILE_H
#define WEIR_CONTROL_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "control/address_book.h"
#include "control/churn.h"
#include "control/eviction.h"
#include "control/gossip_score.h"
#include "control/peer_due.h"
#include "control/target.h"

enum profile_value {           /* what ranks peers */
	PROFILE_VALUE_INBOUND, /* value_inbound */
	PROFILE_VALUE_SUBNETS, /* lighthouse: the penalty score, then subnets */
	PROFILE_VALUE_USEFUL,  /* ouroboros: what the node says of its use, then value */
	PROFILE_VALUE_DUGITE,
	PROFILE_VALUE_TYPE,    /* stellar: preferred, outbound, inbound */
	PROFILE_VALUE_QUALITY, /* spacetime */
	PROFILE_VALUE_LORACHAIN,
};

struct profile_limits {
	uint32_t total, in, out, pending; /* 0: no limit of its own */
	struct target_soft soft;
};

struct profile_penalty {
	bool on;
	double half_life_s, freeze_s, disconnect, ban;
	struct gossip_policy gossip; /* with the hard threshold */
};

/** 0: off. */
struct profile_times {
	int64_t auth_ms, idle_ms, straggler_ms;
	int64_t throttle_ms;         /* T1 */
	int64_t temporary_ban_ms;    /* T2 */
	uint32_t temporary_bans_max; /* the next is permanent */
	uint32_t failures_ban;       /* HE-14: so many failures at a disconnect are a temporary ban */
	int64_t optimise_ms;         /* LO-14 */
	int64_t out_of_sync_ms;      /* HE-13: then one outbound peer that is not preferred is dropped */
	int64_t forget_offline_ms;   /* LO-14 */
	int64_t mature_ms, dwell_ms, share_ms; /* DU-22, DU-12 */
};

struct profile {
	const char *name;
	int64_t tick_ms;
	uint32_t target; /* LH-2; 0: not in this system */
	struct target_fractions fractions;
	bool has_targets;             /* the six of DU-11 */
	struct target_set base, sync; /* sync: before the tip */
	struct profile_limits limits;
	struct profile_penalty penalty;
	struct counter_policy counters;
	struct backoff_policy backoff;
	struct address_book_config book; /* counters and backoff as above */
	enum profile_value value;
	double subnet_penalty; /* DU-6; 0: off */
	struct eviction_policy eviction;
	enum eviction_newcomer_rule newcomer;
	uint32_t floor_per_mille; /* free places; 0: off */
	struct churn_policy churn;
	struct peer_due_policy due; /* 0: off */
	struct profile_times times;
	bool evidence_bans; /* 5.5.7: automatic bans of addresses from what the dataplane sees */
};

enum { PROFILE_COUNT = 7 };
/** In the order of 5.4; NULL beyond the last. */
const char *profile_name(unsigned index);
/** -ENOENT: *ret_profile is untouched. */
int profile_get(const char *name, struct profile *ret_profile);
/** HE-14: is this disconnect a temporary ban? */
bool profile_bans_failures(const struct profile *profile, uint32_t failures);

#endif
