/* SPDX-License-Identifier: BSD-3-Clause
 * One evaluation of the governor (policy.md DU-11 to DU-17, DU-22, V33 to V36): from who is where and how
 * many there should be, to what the node is asked to do. Pure: it takes arrays and returns actions, in the
 * order of its phases, at most one for each peer. Work is O(n log n) in the connected peers and the offered
 * cold ones, never in the known ones.
 */
#ifndef WEIR_CONTROL_TARGET_PLAN_H
#define WEIR_CONTROL_TARGET_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "control/target.h"

enum temperature { TEMPERATURE_COLD, TEMPERATURE_WARM, TEMPERATURE_HOT, TEMPERATURE_COOLING };

#define TARGET_NO_GROUP UINT32_MAX

struct target_peer {
	uint64_t id;
	enum temperature temperature;
	bool big_ledger; /* counted apart */
	bool inbound;
	bool is_protected; /* trusted, protected, or a local root: no surplus, no stall takes it */
	bool excluded;     /* churned in this cycle: not promoted again in it */
	uint32_t group;    /* of local roots; TARGET_NO_GROUP */
	double rank;       /* value of the profile */
	int64_t since_ms;  /* in this temperature */
	uint32_t failures; /* decayed */
	uint8_t stale;     /* evaluations without a new block (struct target_stall) */
};
/** DU-17: local roots with valency: so many hot, so many warm or hot. */
struct target_group {
	uint32_t hot, warm;
};

enum target_phase { /* in order; bits of `phases` switch them */
	TARGET_PHASE_VALENCY,
	TARGET_PHASE_BIG_LEDGER,
	TARGET_PHASE_ACTIVE,
	TARGET_PHASE_ESTABLISHED,
	TARGET_PHASE_SHARE,
	TARGET_PHASE_SURPLUS,
	TARGET_PHASE_EVICT_COLD,
	TARGET_PHASE_STALL,
	TARGET_PHASE_COUNT,
};
const char *target_phase_name(enum target_phase phase);
#define TARGET_PHASES_ALL ((1u << TARGET_PHASE_COUNT) - 1)

struct target_view {
	struct target_set targets; /* in force: of the sync state, after churn */
	enum sync_state sync;
	uint32_t phases; /* bit 1 << enum target_phase */
	/* Warm, hot and cooling peers, and cold ones that are members of groups or big ledger peers. */
	const struct target_peer *peers;
	uint32_t n;
	const struct target_group *groups;
	uint32_t n_groups;
	/* Other cold peers that may be dialled now, best first (address_book_to_connect); no more than may be
	 * needed. */
	const uint64_t *cold;
	uint32_t n_cold;
	uint32_t known, known_high_water; /* high water: V37, 3/2 of the target for known */
	int64_t now_ms, last_share_ms;
	int64_t share_ms;  /* 60 s; ouroboros 900 s */
	/* DU-22, of inbound peers that are in no group: candidates after 15 min; 0: at once */
	int64_t mature_ms;
	/* DU-22: at most so many of them become hot at once, and the next ones so much later; 0: no
	 * limit. */
	uint32_t inbound_batch;
	int64_t inbound_batch_ms, last_inbound_ms;
	int64_t dwell_ms; /* DU-22: they are warm for so long before they are hot; 0: none */
	uint32_t stall_evaluations, stall_failures; /* 6 and 5; 0: off */
};
/** The defaults of Dugite. */
void target_view_default(struct target_view *view);

enum target_action_kind {
	TARGET_CONNECT,    /* cold to warm */
	TARGET_PROMOTE,    /* warm to hot */
	TARGET_DEMOTE,     /* hot to warm */
	TARGET_DISCONNECT, /* warm to cold */
	TARGET_SHARE,      /* ask this peer for `count` addresses */
	TARGET_EVICT_COLD, /* forget `count` cold ones (address_book_coldest); no peer */
};
struct target_action {
	enum target_action_kind kind;
	enum target_phase phase;
	uint64_t id;
	uint32_t count;
};
/** -ENOMEM. At most n + n_cold + 3 actions; `ret_actions` holds as many. */
int target_plan(const struct target_view *view, struct target_action *ret_actions, uint32_t *ret_n);

/** V36: what a peer's blocks say about stalling; once an evaluation. */
struct target_stall {
	uint64_t blocks;
	uint8_t stale;
};
void target_stall_evaluate(struct target_stall *stall, uint64_t blocks);

#endif
