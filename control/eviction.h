/* SPDX-License-Identifier: BSD-3-Clause
 * Who is closed when there are too many (policy.md 5.3 F, LH-23, LO-11, DU-15, HE-13, section 3 on bitcoin):
 * one function of switchable stages. Pure: it takes an array of connected peers and a policy and names
 * victims with reasons; it closes nothing. Work is O(n) for each victim, O(n log n) in the stage of groups; n
 * is the number of connected peers, never of known ones.
 */
#ifndef WEIR_CONTROL_EVICTION_H
#define WEIR_CONTROL_EVICTION_H

#include <stdbool.h>
#include <stdint.h>

#include "control/governor.h"
#include "control/keyed_hash.h"

enum { EVICTION_SUBNET_WORDS = 4, EVICTION_SUBNETS = 64 * EVICTION_SUBNET_WORDS, EVICTION_COMMITTEES = 32 };

/** In the order in which they are tried; each is exhausted before the next begins. */
enum eviction_stage {
	EVICTION_STAGE_STATE,       /* score state banned or disconnect */
	EVICTION_STAGE_DISCOURAGED, /* T0: evicted first */
	EVICTION_STAGE_SILENT,      /* not a word for silent_ms, longest first; knows no grace but that */
	EVICTION_STAGE_SCORE,       /* penalty score below zero, worst first */
	EVICTION_STAGE_IDLE,        /* nothing useful for idle_ms, longest first */
	EVICTION_STAGE_NO_SUBNET,   /* serves none */
	EVICTION_STAGE_DENSE,       /* serves the subnet that most others serve too */
	EVICTION_STAGE_SERVED, /* got what it came for; oldest first (the free floor of a bootstrap node) */
	EVICTION_STAGE_GROUP,  /* bitcoin: after its protections, the youngest of the largest group */
	EVICTION_STAGE_VALUE,  /* lowest value */
	EVICTION_STAGE_RANDOM, /* by keyed lot */
	EVICTION_STAGE_COUNT,
};
/** "state", "discouraged", ...: the reason in events. */
const char *eviction_stage_name(enum eviction_stage stage);

/** Networks whose peers would lose every comparison of latency and number; bitcoin keeps places for them. */
enum eviction_network {
	EVICTION_NETWORK_ORDINARY,
	EVICTION_NETWORK_LOCAL,
	EVICTION_NETWORK_ONION,
	EVICTION_NETWORK_I2P,
	EVICTION_NETWORK_CJDNS,
	EVICTION_NETWORK_COUNT,
};

struct eviction_candidate {
	uint64_t id; /* the caller's name for it; also what lots are drawn from */
	bool inbound;
	bool trusted, is_protected, duty,
		pinned; /* any of these: never a victim (pinned: a local root's valency) */
	bool preferred; /* HE-13 */
	bool discouraged;
	bool silent; /* came to us, and has not said a word */
	bool served; /* it had its answer: peers, a page, whatever the service is for */
	bool relay_txs;
	enum score_state state;
	enum eviction_network network;
	double score;      /* penalty, combined */
	double value;      /* value_score.h, of the profile */
	double rtt_min_ms; /* negative: never measured */
	int64_t connected_ms;
	int64_t useful_ms;       /* last useful payload; 0: none since connected_ms */
	int64_t tx_ms, block_ms; /* last useful transaction and block; 0: none */
	uint64_t group;          /* keyed hash of its /16 or /32, by the caller */
	uint64_t subnets[EVICTION_SUBNET_WORDS];
	uint32_t committees;
};

struct eviction_policy {
	uint32_t stages;         /* bit 1 << enum eviction_stage */
	uint32_t outbound_floor; /* LH-3: never fewer outbound peers than this */
	uint32_t committee_min;  /* LH-23: never fewer in a sync committee: 2 */
	int64_t grace_ms;        /* connected for less: not a victim, but for its state */
	int64_t idle_ms;
	int64_t silent_ms; /* 0: silence is no reason */
	/* The stage of groups. Bitcoin: 4, 8, 4, 8, 4. */
	uint32_t protect_groups, protect_rtt, protect_tx, protect_block_only, protect_block;
	struct keyed_hash key;
};
extern const struct eviction_policy eviction_bootstrap, eviction_lighthouse, eviction_ouroboros,
	eviction_dugite, eviction_bitcoin;

struct eviction_victim {
	uint32_t candidate; /* index */
	enum eviction_stage stage;
};

/** At most `wanted` victims, in order. The sole server of a subnet is a victim only by its state; that, the
 * outbound floor and the committees are computed anew after each. Fewer than wanted: nothing else may go
 * (prune.short). `ret_victims` holds `wanted`. -ENOMEM: none. */
int eviction_select(const struct eviction_policy *policy, const struct eviction_candidate *candidates,
	uint32_t n, uint32_t wanted, int64_t now_ms, struct eviction_victim *ret_victims, uint32_t *ret_n);

/** How many must go so that `connected` leaves the floor of free places of a pool of `maximum`: max(1,
 * per_mille of it, rounded up). 0 for a maximum of 0, no limit. */
uint32_t eviction_floor_wanted(uint32_t maximum, uint32_t connected, uint32_t per_mille);

enum eviction_newcomer_rule {
	EVICTION_NEWCOMER_REFUSE,    /* Spacetime: a full pool is full */
	EVICTION_NEWCOMER_MARGIN,    /* LO-11: worth more than the lowest by more than ten */
	EVICTION_NEWCOMER_PREFERRED, /* HE-13: preferred displaces one that is not, by keyed lot */
	EVICTION_NEWCOMER_PIPELINE,  /* whatever the stages choose */
};
struct eviction_newcomer {
	double value;
	bool preferred;
};
/** Whom a newcomer to a full pool displaces: true and an index, or false: refuse it. */
bool eviction_for_newcomer(enum eviction_newcomer_rule rule, const struct eviction_policy *policy,
	const struct eviction_candidate *candidates, uint32_t n, const struct eviction_newcomer *newcomer,
	int64_t now_ms, uint32_t *ret_candidate);

/* eviction_group.c, for eviction.c */
/** The stage of groups: who is left of bitcoin's protections, oldest first. The protections by group,
 * latency, use and network are drawn once; the older half is anew after each that is taken. */
struct eviction_field {
	const struct eviction_candidate *candidates;
	uint32_t *items;                       /* the caller's; by age */
	uint32_t *numbers;                     /* of the groups, by place in items */
	uint32_t *counts, *discouraged_counts; /* members that stand open, by number */
	bool *gone;
	uint32_t n, alive, reserved; /* reserved: places of small networks */
	uint32_t first;              /* places before this one are the older half */
	uint32_t discouraged;        /* that stand open */
};
/** `items` (n indices) is reordered and kept until the end. -ENOMEM: end it all the same. */
int eviction_field_begin(struct eviction_field *ret_field, const struct eviction_policy *policy,
	const struct eviction_candidate *candidates, uint32_t *items, uint32_t n);
void eviction_field_end(struct eviction_field *field);
/** The place of the next victim: the youngest of the largest group. RECORD_NONE: nobody stands open. */
uint32_t eviction_field_choose(const struct eviction_field *field);
/** Take it out, whether it is evicted or became one that may not go. Returns its candidate. */
uint32_t eviction_field_take(struct eviction_field *field, uint32_t place);

#endif
