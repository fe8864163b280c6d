/* SPDX-License-Identifier: BSD-3-Clause
 * What the governor's files share among themselves; nobody else includes it. One thread: the caller's.
 * governor.c owns life and time, governor_list.c the lists, governor_ban.c bans and what is enforced, governor_report.c
 * scores, governor_peer.c ids and T4, governor_dataplane.c evidence, governor_query.c answers, governor_event.c texts.
 */
#ifndef WEIR_CONTROL_GOVERNOR_INTERNAL_H
#define WEIR_CONTROL_GOVERNOR_INTERNAL_H

#include "control/ban_history.h"
#include "control/ban_table.h"
#include "control/peer_table.h"
#include "control/strike_table.h"

enum { GOVERNOR_LIST_COUNT = GOVERNOR_LIST_OWN + 1 };

/* LO-9: thresholds and windows. */
#define WINDOW_INVALID_MESSAGE_MS INT64_C(300000)
#define WINDOW_CONNECTION_FAILURE_MS INT64_C(600000)
#define WINDOW_SPAM_MS INT64_C(3600000)

struct list_record {
	uint32_t reason; /* interned, held */
	uint8_t origins; /* bit per enum governor_list_origin */
};

/* T4: the banned ids of one address (v6: /56). */
struct address_group {
	uint32_t first; /* peer; linked through group_next */
	uint32_t n;
	struct prefix prefix;
};

struct governor {
	struct governor_config config;
	struct governor_effects effects;
	int64_t now_ms; /* the largest time given so far */
	struct text_pool texts;
	struct ban_table bans;
	struct ban_history ended;
	struct strike_table strikes;
	struct peer_table peers;
	struct prefix_tree lists[GOVERNOR_LIST_COUNT];
	struct record_pool list_records;
	struct prefix_tree groups;
	struct record_pool group_records;
	uint64_t evicted, unproven_refused;
	uint64_t floods, pressures; /* times that an lcore, a service was announced to be under a flood */
	/* flow dumps: each has a number, and the last whole one begins an epoch */
	uint32_t flow_epoch, dump_epoch;
	bool dumping;
	uint64_t flows_since_ns, dump_since_ns; /* when the epoch's and the running dump were asked for */
	/* The roster's, told of every record that came, changed or ended, the disconnect state's too. Must not call
	 * back. NULL: nobody. */
	void (*ban_changed)(void *context, const struct ban *ban);
	void *ban_changed_context;
	/* The roster drives it: it tells who connects and leaves, and throttles (LH-6); with a grace it also cuts. */
	bool driven, cuts_held;
};

/** Take the caller's time; it never runs backwards. Returns the time to use. */
int64_t governor_clock(struct governor *governor, int64_t now_ms);

/* governor_list.c */
bool governor_list_has(const struct governor *governor, enum governor_list list, const struct prefix *prefix,
	struct prefix *ret_found);
/** True when an allow or own entry intersects `prefix`. */
bool governor_is_protected(const struct governor *governor, const struct prefix *prefix, struct prefix *ret_found);

/** What lies behind a change of a score or a ban. */
struct evidence {
	const char *reason, *text, *source; /* never NULL */
	const struct address *actual;	    /* whose flows to cut when a score crosses */
	enum peer_action action;
	uint8_t event_kind; /* 0: the node's word; else what the dataplane saw */
};

/* governor_ban.c */
/** Put a record as it is and let its effects follow; never asks whether it may. An automatic one may evict the automatic
 * record that would end first. -ENOMEM, -ENOSPC. */
int governor_ban_put(struct governor *governor, const struct ban *ban, bool automatic);
/** Drop a record before or at its end; `expired` leaves the store's record to the store. */
void governor_ban_drop(struct governor *governor, uint32_t index, bool expired, const char *why);
/** Make the records of T3 and of the disconnect state follow a peer's score. */
void governor_score_enforce(struct governor *governor, uint32_t peer, const struct evidence *evidence);
/** The score that the records of a key keep, when no peer record does. */
struct score governor_score_revive(const struct governor *governor, const struct ban_key *key);

/** The strongest ban in force of a chain, or `best` if that is stronger; RECORD_NONE when there is none. The records of the
 * disconnect state are not bans. */
uint32_t governor_ban_strongest(const struct governor *governor, uint32_t chain, uint32_t best);

/* governor_report.c */
/** Forget a strike record, on disk too. */
void governor_strike_drop(struct governor *governor, uint32_t index);
/** Take `penalty` (negative) off a peer's score, not below `floor`, and do what follows. */
void governor_penalise(struct governor *governor, uint32_t peer, double penalty, double floor,
	const struct evidence *evidence);

/* governor_peer.c */
/** Find or make the record; evicts the weakest when full. -ENOMEM. */
int governor_peer_obtain(struct governor *governor, const char *id, const struct address *address, uint32_t *ret_peer);
/** The record that a name means: the id's, the id bound to address and port, else the host's; RECORD_NONE if there is none. */
uint32_t governor_peer_named(const struct governor *governor, const struct peer_name *name);
struct ban_key governor_peer_key(const struct governor *governor, const struct peer_record *peer);
const char *governor_peer_id(const struct governor *governor, const struct peer_record *peer); /* "" by address */
bool governor_peer_protected(const struct governor *governor, const struct peer_record *peer, const struct address *actual);
void governor_peer_expire(struct governor *governor, uint32_t peer);
void governor_peer_touch(struct governor *governor, uint32_t peer);
void governor_peer_cut(struct governor *governor, const struct peer_record *peer, const struct address *actual);
/** The state of bans of an id has changed: count it in its address's group, or no longer (T4). */
void governor_group_update(struct governor *governor, const char *id);
void governor_group_leave(struct governor *governor, uint32_t peer);
/** Count an id whose ban was loaded; the T4 that it may belong to was loaded itself. */
void governor_group_load(struct governor *governor, uint32_t peer);
/** A T4 ban of this prefix has ended: renew it while more than five banned ids are there. */
void governor_group_review(struct governor *governor, const struct prefix *prefix);

/* governor_seen.c */
/** Where the id of the ban was seen last, as the store and visitors are told; nothing for a prefix. */
void governor_seen_fill(const struct governor *governor, struct ban *ban);
/** An id came to another address: its bans are stored anew. */
void governor_seen_store(const struct governor *governor, uint32_t peer);
/** A ban was loaded: its id is bound where it was seen, if nobody has to give way for its record. */
void governor_seen_load(struct governor *governor, const struct ban *ban);

/* governor_flows.c */
/** Bring a record's count to the present epoch before it is read or changed. */
void governor_flows_settle(const struct governor *governor, struct peer_record *peer);
/** Count a flow that was proven or closed. */
/** Whether a flow, or the flow of an event, was born before a dump was asked for. `since_ns` 0: there was none. */
bool governor_born_before(uint32_t born_ms, uint64_t since_ns);
bool governor_event_born_before(const struct event_record *event, uint64_t since_ns);
void governor_flows_event(const struct governor *governor, struct peer_record *peer, const struct event_record *event);

/* governor_event.c */
struct event_text {
	struct governor *governor;
	const char *name;
	size_t n;
	bool wanted;
	char json[4096];
};
/** Begin {"t":..,"event":..}; wanted is false when nobody listens, and the rest then costs nothing. */
void event_begin(struct event_text *event, struct governor *governor, const char *name);
void event_string(struct event_text *event, const char *key, const char *value); /* "" is left out */
void event_number(struct event_text *event, const char *key, double value);
void event_json(struct event_text *event, const char *key, const char *json); /* as it is */
void event_time(struct event_text *event, const char *key, int64_t t_ms); /* GOVERNOR_NEVER_MS is null */
void event_prefix(struct event_text *event, const struct prefix *prefix); /* "ip" or "prefix" */
void event_end(struct event_text *event);
const char *score_state_name(enum score_state state);
const char *peer_action_name(enum peer_action action);

#endif
