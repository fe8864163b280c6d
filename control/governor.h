/* SPDX-License-Identifier: BSD-3-Clause
 * The governor: scores, bans, strikes and lists of one Weir. A library of pure functions of state, input and time,
 * linked by weir-control and later by `weirctl simulate`. One thread. It reads no clock, no file and no socket, never logs;
 * what must happen outside it hands to the caller as effects: enforce this, store that, tell subscribers this.
 *
 * Time is int64_t milliseconds of wall clock (`now_ms`), passed in; it may not fall below the last one given
 * (a smaller one is treated as the last) but through governor_clock_step_back. No work is proportional to the number of sources: decay is evaluated
 * when read, and the next crossing of a threshold is a computed time in an ordered queue.
 */
#ifndef WEIR_CONTROL_GOVERNOR_H
#define WEIR_CONTROL_GOVERNOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/command.h"
#include "shm/event.h"
#include "shm/prefix.h"

#define GOVERNOR_NEVER_MS INT64_MAX

enum { GOVERNOR_ID_MAX = 128, GOVERNOR_TEXT_MAX = 128, GOVERNOR_HISTORY = 32, GOVERNOR_AGENT_MAX = 257 };

/** Ban tiers of policy.md 5.3 D. */
enum ban_tier {
	BAN_TIER_THROTTLE = 1, /* runtime only */
	BAN_TIER_STRIKE = 2,
	BAN_TIER_SCORE = 3,
	BAN_TIER_ADDRESS = 4, /* LH-21; acts only with bound ids */
	BAN_TIER_MANUAL = 5,
};

enum ban_scope { BAN_SCOPE_PREFIX, BAN_SCOPE_PEER };

enum peer_action { /* LH-14, LO-9 */
	PEER_ACTION_FATAL,
	PEER_ACTION_LOW,
	PEER_ACTION_MID,
	PEER_ACTION_HIGH,
	PEER_ACTION_INVALID_MESSAGE,
	PEER_ACTION_CONNECTION_FAILURE,
	PEER_ACTION_SPAM,
	PEER_ACTION_PROTOCOL_VIOLATION,
	PEER_ACTION_MALICIOUS_CONTENT,
	PEER_ACTION_COUNT,
};

enum score_state { SCORE_STATE_HEALTHY, SCORE_STATE_DISCONNECT, SCORE_STATE_BANNED };

struct governor_config {
	double penalty_half_life_s;	/* LH-15: 600 */
	double ban_freeze_s;		/* LH-16: bootstrap 3600, lighthouse 43200 */
	double threshold_disconnect;	/* LH-13: -20 */
	double threshold_ban;		/* -50 */
	double threshold_hard;          /* -60: from it on, what gossip says does not count (LH-13) */
	bool auto_bans;			/* policy.md 2.3: bans from dataplane evidence; on in bootstrap */
	int64_t throttle_ms;		/* T1: bootstrap 60 s */
	int64_t temporary_ban_ms;	/* T2: bootstrap 600 s; LO-9 scales: spam twice */
	unsigned temporary_bans_max;	/* LO-10: 3; the next is permanent */
	int64_t strike_life_ms;		/* 30 days */
	unsigned peers_max;		/* bound on scored sources and peers, 1e3..1e7; weakest evicted, counted */
	unsigned bans_max;		/* bound on bans, 1e3..2e7; -ENOSPC beyond */
	uint64_t seed;			/* for keyed hashing and random choices */
	int64_t auth_timeout_ms;	/* 2.1: a client RST before payload is a failure until then; 0: 5 s */
	bool score_off;			/* 5.4, "-": nothing takes off points; history, windows, strikes stay */
};

/** A peer is named by id, or by address (+ port). */
struct peer_name {
	char id[GOVERNOR_ID_MAX]; /* empty: by address */
	struct address address;
	uint16_t port; /* 0: the address itself */
};

struct ban {
	enum ban_scope scope;
	struct prefix prefix;	   /* BAN_SCOPE_PREFIX */
	char id[GOVERNOR_ID_MAX];  /* BAN_SCOPE_PEER */
	enum ban_tier tier;
	int64_t start_ms, end_ms;  /* in force while now < end; GOVERNOR_NEVER_MS */
	char reason[GOVERNOR_TEXT_MAX];
	char evidence[GOVERNOR_TEXT_MAX];
	char source[32];	   /* "operator", "import", "node", "dataplane", "governor" */
	double score;		   /* T3: the score when frozen, so that a restart lifts it at the same time */
	int64_t freeze_until_ms;   /* T3 */
	bool has_seen;		   /* BAN_SCOPE_PEER: the id was bound, last at `seen`; filled in what is stored and visited */
	struct address seen;
	uint16_t seen_port;
};

/** What the caller has to do, in order. Called from inside governor functions; must not call back into the governor. */
struct governor_effects {
	void *context;
	/** The class of this source or prefix is now `class` until `end_ms`. NONE clears. The strongest tier is already chosen. */
	void (*enforce)(void *context, const struct prefix *prefix, enum source_class class, int64_t end_ms);
	/** Close every flow of this address (port 0) or this one. */
	void (*cut)(void *context, const struct address *address, uint16_t port);
	/** A persisted record changed: put, or delete when `ban` has end_ms <= start_ms. T1 never comes here. */
	void (*store_ban)(void *context, const struct ban *ban);
	void (*store_ban_delete)(void *context, const struct ban *ban);
	void (*store_strike)(void *context, const struct prefix *prefix, unsigned strikes, int64_t last_ms);
	void (*store_list)(void *context, const struct prefix *prefix, bool allow, bool present, const char *reason);
	/** An event for subscribers: name from rpc.md, `json` is a complete JSON object text with event, t and fields. */
	void (*event)(void *context, const char *name, const char *json);
	/** Strikes of a peer known by id; 0 strikes (here and above) deletes the record. */
	void (*store_strike_id)(void *context, const char *id, unsigned strikes, int64_t last_ms);
	/** Asked before an event's text is made; NULL: all are wanted. Spares the work when nobody subscribed. */
	bool (*event_wanted)(void *context, const char *name);
};
/* Any effect may be NULL. An expired ban is not deleted through store_ban_delete: the store prunes by its own
 * expiry index; store_ban_delete comes for bans that end before their time. */

struct governor;

int governor_create(const struct governor_config *config, const struct governor_effects *effects, int64_t now_ms,
	struct governor **ret_governor);
void governor_destroy(struct governor *governor);
/** Change constants at run time (SIGHUP); scores and bans stay. */
void governor_reconfigure(struct governor *governor, const struct governor_config *config, int64_t now_ms);

/* Lists. `own` prefixes and allow prefixes are protected: a ban that covers one is refused unless forced. */
enum governor_list { GOVERNOR_LIST_ALLOW, GOVERNOR_LIST_DENY, GOVERNOR_LIST_OWN };
enum governor_list_origin { GOVERNOR_LIST_FROM_CONFIG, GOVERNOR_LIST_FROM_OPERATOR };
/** An entry may come from both origins. -EEXIST: this origin has it already; -EPERM: contradicts the other list (the same prefix is on it) or, for deny, covers an own address; ret_conflict says which prefix (may be NULL). */
int governor_list_add(struct governor *governor, enum governor_list list, enum governor_list_origin origin, const struct prefix *prefix,
	const char *reason, int64_t now_ms, struct prefix *ret_conflict);
/** Takes the operator's entry back. -ENOENT; -EPERM: it stands in the configuration file, which is the place to remove it. */
int governor_list_remove(struct governor *governor, enum governor_list list, const struct prefix *prefix, int64_t now_ms);
/** Drop every entry of this origin (before a reload adds the new ones). Effects are not called. */
void governor_list_clear(struct governor *governor, enum governor_list_origin origin);
/** In order of prefix; stops when visit returns false. */
void governor_list_each(const struct governor *governor, enum governor_list list,
	bool (*visit)(void *context, const struct prefix *prefix, const char *reason, enum governor_list_origin origin), void *context);

/* Bans */
/** Add or renew. Fills start_ms when 0. -EPERM: covers an allowlisted or own address and not forced (ret_conflict
 * names it); -ENOSPC: bans_max; -EINVAL: end before now, T1 with a prefix shorter than a host. An existing ban of the same key and tier is
 * replaced if the new one ends later or force; a shorter one is kept and 0 returned (V38: strongest wins). */
int governor_ban_add(struct governor *governor, const struct ban *ban, bool force, int64_t now_ms, struct prefix *ret_conflict);
/** Remove the ban of one tier, or of all with tier 0; sets bit (1 << tier) in *ret_removed. -ENOENT. Removing T3 sets the app score to 0.
 * A single IPv6 address also names its /64 for the tiers that Weir sets itself (1 to 3). Tier 0 also forgives a score in the
 * disconnect state: then 0 is returned, with no bit set if that was all. */
int governor_ban_remove(struct governor *governor, const struct ban *key, unsigned tier, int64_t now_ms, unsigned *ret_removed);
/** Load at start: no store effect, no events, enforce effects suppressed (the first image carries all). Expired ones are ignored (returns 0).
 * An id that has_seen is bound there again, and counts for T4, while there is room for its record. */
int governor_ban_load(struct governor *governor, const struct ban *ban, int64_t now_ms);
/** 0, or -ESTALE: older than strike_life (the caller may delete the record), -ENOMEM. */
int governor_strike_load(struct governor *governor, const struct prefix *prefix, unsigned strikes, int64_t last_ms);
int governor_strike_load_id(struct governor *governor, const char *id, unsigned strikes, int64_t last_ms);
/** Every strike record, by prefix or by id (the other is NULL). For a store that is written anew. */
void governor_strikes_each(const struct governor *governor,
	void (*visit)(void *context, const struct prefix *prefix_or_null, const char *id_or_null, unsigned strikes, int64_t last_ms),
	void *context);
uint64_t governor_ban_count(const struct governor *governor);
/** In order of prefix, tiers of one prefix in order; start after `after` (NULL: from the first). Bans of peers known by id come
 * last, in no order. Stops when visit returns false. Expired bans that governor_advance has not yet reached are skipped. */
void governor_ban_each(const struct governor *governor, const struct prefix *after_or_null,
	bool (*visit)(void *context, const struct ban *ban), void *context);
/** A ban that is no more. */
struct ban_ended {
	uint64_t number; /* counts from 1 at each start */
	struct ban ban;
	int64_t ended_ms;
	const char *why; /* "expired", "removed", ...: a literal */
};
/** The last bans that ended (ban_history.h says how many are kept; none over a restart), the latest first, those with a number
 * below `before` only (0: all). T1 is not kept. Stops when visit returns false. */
void governor_ban_ended_each(const struct governor *governor, uint64_t before,
	bool (*visit)(void *context, const struct ban_ended *ended), void *context);
/** The strongest classes in force per prefix, for the image: each prefix once, in order of prefix. */
void governor_enforced_each(const struct governor *governor, int64_t now_ms,
	bool (*visit)(void *context, const struct prefix *prefix, enum source_class class, int64_t end_ms), void *context);

/* Peers and evidence */
struct peer_report_result {
	double score;
	enum score_state state;
	bool banned;
	struct ban ban;
	unsigned strikes;
	bool trusted;
};
/** -ENOENT: unknown id; -EPERM: `proven` is false (V39: nothing changes). */
int governor_report(struct governor *governor, const struct peer_name *peer, enum peer_action action, const char *reason,
	const char *evidence, bool proven, int64_t now_ms, struct peer_report_result *ret_result);
/** LH-12: what gossip says of an id is worth `points` from now on (gossip_score_points); nothing for a
 * protected one (LH-19). Within a freeze (LH-16) nothing changes and *ret_taken is false. Bans and closes as
 * a report does. -ENOMEM, -ENOSPC. */
int governor_gossip(
	struct governor *governor, const char *id, double points, int64_t now_ms, bool *ret_taken);
/** Bind an id to an address (from peer.bind). -ENOSPC. */
int governor_bind(struct governor *governor, const char *id, const struct address *address, uint16_t port, const char *agent, int64_t now_ms);
/** The node or an operator wants a peer's connections closed: RST to both sides. ret_closed: how many of them are known to be open, which
 * may be too few. -ENOENT: nobody is bound to this id. */
int governor_disconnect(
	struct governor *governor, const struct peer_name *peer, const char *reason, int64_t now_ms, uint32_t *ret_closed);
int governor_tag_trusted(struct governor *governor, const struct peer_name *peer, bool trusted, int64_t now_ms);
/** An event from the dataplane (policy.md 2.3 table). Unproven ones change nothing. */
void governor_dataplane_event(struct governor *governor, const struct event_record *event, int64_t now_ms);

/* Which flows are open, from a dump of the dataplane's flows instead of from its events, of which some may have been lost or
 * counted by a control that is gone. The dump is not one moment: whoever was born before it was asked for is counted by the
 * dump, everybody else by events. What cannot be told apart (a handshake that was under way, a close during the dump) is
 * counted too low, never too high, because a flow that never closes would keep its peer's record for ever. */
/** Asked for at `since_ns` (CLOCK_MONOTONIC, as in events). The counts stay until governor_flows_end; an unfinished dump
 * before this one is forgotten. */
void governor_flows_begin(struct governor *governor, uint64_t since_ns, int64_t now_ms);
/** A proven inbound TCP flow of the dump; `born_ms` and `rtt_us` as in struct link_flow. Its round trip (0: none) is the first sample of a
 * source that has none: the event that told it may have been lost. Ignored outside a dump. */
void governor_flow_seen(
	struct governor *governor, const struct address *client, uint32_t born_ms, uint32_t rtt_us, int64_t now_ms);
/** The dump is whole: its counts are in force, and zero holds for who was not in it. */
void governor_flows_end(struct governor *governor, int64_t now_ms);

struct peer_info {
	struct peer_name name;
	bool known, trusted;
	double app_score;
	enum score_state state;
	int64_t freeze_until_ms, unban_at_ms, healthy_at_ms; /* 0: not applicable */
	unsigned strikes;
	uint32_t ok, fail, streak;
	uint32_t connections_now; /* proven inbound TCP flows, from events and the last flow dump */
	double rtt_ms; /* EWMA, negative: none */
	unsigned n_history;
	struct { int64_t t_ms; double score; char why[48]; } history[GOVERNOR_HISTORY];
	bool has_ban;
	struct ban ban; /* the strongest in force of the id, or of the host itself */
	unsigned tiers; /* bit set of its tiers in force */
	char agent[GOVERNOR_AGENT_MAX]; /* as bound; "" */
};
void governor_peer_get(struct governor *governor, const struct peer_name *peer, int64_t now_ms, struct peer_info *ret_info);

/** What the governor's own truth says of an address now. */
struct governor_why {
	bool own, allowed, denied;
	struct prefix list_prefix; /* of allowed, else of denied, else of own */
	enum source_class class;
	bool has_ban;
	struct ban ban; /* the strongest in force */
	unsigned tiers; /* bit set of tiers in force */
	double score;
	enum score_state state;
};
void governor_why(struct governor *governor, const struct address *address, int64_t now_ms, struct governor_why *ret_why);

/* Time */
/** The wall clock was stepped back: from now on it is this time again. Ends and thresholds stay at the wall times that they
 * have, so they come later than before the step; without this call nothing new could end before the old time. */
void governor_clock_step_back(struct governor *governor, int64_t now_ms);
/** When governor_advance must be called next; GOVERNOR_NEVER_MS if nothing is due. O(1). */
int64_t governor_next_due_ms(const struct governor *governor);
/** Everything due up to now: ends of bans, score crossings, throttles. At most `budget` items; true if more are due. */
bool governor_advance(struct governor *governor, int64_t now_ms, unsigned budget);

struct governor_stats {
	uint64_t bans[6]; /* by tier; [0] = all */
	uint64_t peers, ids, strikes, allow, deny, own, evicted, unproven_refused;
	uint64_t floods, pressures; /* times that an lcore entered flood mode, a service came under pressure */
};
void governor_stats(const struct governor *governor, struct governor_stats *ret_stats);

#endif
