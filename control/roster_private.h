/* SPDX-License-Identifier: BSD-3-Clause
 * What the roster's files share; nobody else includes it. One thread: the caller's.
 * roster.c: life, configuration, time. roster_record.c: finding, making, forgetting records.
 * roster_connection.c, roster_dial.c, roster_list.c, roster_admit.c: conn.*; roster_session.c: what follows a status;
 * roster_timer.c: timers. roster_close.c: closing with grace and courtesy.
 * roster_dataplane.c: events of rings. roster_peer.c: bind, state, report. roster_tell.c: tags, metrics,
 * gossip, seen, request, record. roster_value.c: values and values' inputs. roster_tick.c: LH-1's order;
 * roster_prune.c, roster_target.c, roster_churn.c, roster_pool.c: its steps. roster_node.c: node.*.
 * roster_places.c: concurrency per prefix. roster_query.c: get, list, best, status. roster_event.c: texts of events.
 */
#ifndef WEIR_CONTROL_ROSTER_PRIVATE_H
#define WEIR_CONTROL_ROSTER_PRIVATE_H

#include "control/due_queue.h"
#include "control/governor_internal.h"
#include "control/hash_index.h"
#include "control/keyed_random.h"
#include "control/roster.h"
#include "control/value_score.h"

/* What the node tells of a peer, and what is measured of it while it matters: made at the first such word or
 * connection, given back when the peer is only known. So a known peer costs its record alone. */
struct roster_facts {
	struct peer_tags tags;
	struct peer_counters counters;
	struct peer_due due;
	struct temperature_state temperature;
	struct target_stall stall;
	struct value_standing standing;
	double gossip;     /* NAN: none */
	double reputation; /* DU-4's later rank */
	double useful;     /* NAN: not said */
	double value;      /* of the profile, as last told (LO-8); NAN: not yet */
	int64_t reputation_ms, value_ms, last_payload_ms, last_fetch_ms, hot_since_ms, tx_ms, block_ms;
	struct value_lorachain_input lorachain;
	int64_t lorachain_ms; /* when it was reported: decays from then (LO-7) */
	uint64_t blocks, bytes_in, bytes_out;
	uint32_t churn_cycle; /* in which it was churned last */
	bool node_said; /* peer.state was used in this session: then payload does not make hot (5.5.15) */
	bool discouraged, node_hot, tip_known, served, has_lorachain;
	bool is_told; /* the node was told `told` about it at told_ms, and has not done it yet */
	enum target_action_kind told;
	int64_t told_ms;
};

/* An endpoint that the node was told to connect to (DU-12: told once). */
struct roster_told {
	struct book_endpoint endpoint;
	int64_t told_ms;
	uint32_t attempts; /* with an outcome, as the book counted them then: one more ends it */
};
/* DU-17: a member of a group of local roots, in the order of the group; by id or by endpoint. */
struct roster_root {
	uint32_t id;                   /* interned, held; RECORD_NONE: by endpoint */
	struct book_endpoint endpoint; /* port 0: whoever is there */
	uint32_t group;
	bool configured; /* not by peer.tag: a reload adds it anew, or it is gone */
};

struct roster_peer {
	uint32_t id;                                         /* interned; RECORD_NONE: by host identity */
	uint32_t agent, version, enr, metadata, sync_status; /* interned; RECORD_NONE */
	struct address address;                              /* where it was last, or the host identity */
	uint16_t port, listen_port;                          /* 0: unknown */
	uint32_t connections; /* first of its connections, linked by of_peer_next; RECORD_NONE */
	struct peer_state state;
	uint32_t newer, older; /* in the list of its standing: connected, disconnected (LH-22), banned
				  (LH-22); by time */
	int64_t last_seen_ms;
	struct roster_facts *facts; /* NULL */
	/* What is kept while there are no facts; with facts theirs counts. */
	uint32_t ok, fail;
	int32_t reputation;
	uint32_t behind; /* of a host identity: connections from it, whoever they are bound to, */
	uint32_t behind_first; /* linked by of_host_next; RECORD_NONE */
	uint16_t streak; /* saturated: the blacklist asks for five */
	bool blacklisted;
	uint8_t list; /* enum roster_list_kind; ROSTER_LIST_COUNT: on none */
};
/* A million known peers, their ids and the governor's records are to take less than 400 bytes each. */
_Static_assert(sizeof(struct roster_peer) <= 120, "a million of them are counted in these bytes");

struct roster_connection {
	uint32_t of_peer_next, of_peer_previous; /* first: a record that was given back loses this word, not its number */
	uint32_t of_host_next, of_host_previous; /* those behind one host */
	uint64_t number;                         /* counts from 1; what rpc calls conn; 0: given back */
	struct address address;
	uint16_t port;
	uint32_t peer; /* record; the host's until bound */
	int64_t since_ms, last_in_ms, payload_ms; /* payload_ms: first; negative: none yet */
	int64_t last_ms;                          /* payload either way */
	int64_t due_ms;                           /* auth, idle, grace, courtesy: whichever comes first */
	double rtt_min_ms;                        /* negative: none */
	uint64_t bytes_in, bytes_out;
	uint8_t auth;                  /* enum outcome_auth */
	uint8_t cause;                 /* enum outcome_cause of our own closing */
	uint32_t reason;               /* of it, while the grace lasts; interned, held; RECORD_NONE */
	bool inbound, proven, pending; /* pending: not authenticated where the profile has such a state */
	bool closing, courtesy;        /* told to close; waits for the grace. Neither is in roster->counts */
	bool dialing;                  /* asked for by conn.dial, not open yet; outbound */
	bool silent;                   /* the timeout of its first payload is over */
	bool counted;                  /* its outcome is booked already */
	bool placed;                   /* it is counted at the levels of its prefixes (roster_places.c) */
	bool behind;                   /* it is counted in its host's `behind`; there may have been no room for one */
	bool evidence;                 /* what happens on it may be held against its address */
	uint8_t service;               /* of the dataplane's image; ROSTER_SERVICE_NONE: told by the node */
	uint32_t seen_epoch;           /* the flow dump that saw it, or during which it began */
};

enum { ROSTER_SERVICE_NONE = 255 };
/* LH-1: a dial that nobody heard of again is given up. */
#define DIALING_MS INT64_C(15000)
enum { /* LH-25 */
	ROSTER_GOODBYE_UNABLE = 128,
	ROSTER_GOODBYE_TOO_MANY = 129,
	ROSTER_GOODBYE_SCORE = 250,
	ROSTER_GOODBYE_BANNED = 251,
	ROSTER_GOODBYE_ADDRESS = 252,
};

/* Lists by time, weakest at the old end. CONNECTED are those in status connected, BANNED those with a score ban
 * (5.5.6); dialing ones, and ones that are being closed, are on none, all others DISCONNECTED. Records of addresses
 * are apart from those of ids: a peer that was bound leaves one of each, and LH-22's caps count peers, and never
 * end the ban of an address (5.5.6). */
enum roster_list_kind {
	ROSTER_LIST_CONNECTED,
	ROSTER_LIST_DISCONNECTED,
	ROSTER_LIST_BANNED,
	ROSTER_LIST_HOSTS,        /* disconnected, without an id */
	ROSTER_LIST_BANNED_HOSTS, /* with a score ban, without an id */
	ROSTER_LIST_COUNT, /* on none */
	ROSTER_LIST_GIVEN  /* the record is nobody's: whoever walks the pool skips it */
};
struct roster_list {
	uint32_t newest, oldest, n;
};

struct roster_prefix {
	uint32_t n; /* connected peers */
	struct address address;
};

/* Of a dump, which lasts milliseconds: what closed between the dataplane's look at a flow and its message here. A close
 * that is overwritten leaves, at worst, one connection too many until the next dump; 16 kB. */
enum { ROSTER_DUMP_CLOSED = 4096 };

struct roster {
	struct roster_config config;
	struct roster_effects effects;
	struct governor *governor;
	struct address_book *book;
	int64_t now_ms;
	struct keyed_hash key;
	struct keyed_random random;
	struct text_pool *texts; /* the governor's: an id is held once */
	struct record_pool peers, connections;
	struct hash_index peer_index;       /* by id or host identity */
	struct hash_index connection_index; /* by address and port */
	struct hash_index number_index;     /* by number */
	struct due_queue connection_due;    /* by due_ms */
	struct due_queue peer_due;          /* pings, statuses, cooling */
	struct due_queue judge_due;         /* peers whose ban or score changed: at once */
	struct prefix judge_prefix[2];      /* around the wider bans that came, [1] of IPv4: whoever is connected from there is due */
	bool judge_wide[2];
	struct roster_list lists[ROSTER_LIST_COUNT];
	uint64_t next_number;
	struct pool_counts counts; /* established and pending */
	uint32_t n_dialing, n_outbound_only, n_hot, n_warm, n_facts;
	struct subnet_counts subnets;
	struct hash_index prefix_index; /* DU-6: connected peers by /24, /48 */
	struct record_pool prefixes;
	struct prefix_tree places; /* connections of each prefix, where there is no dataplane */
	struct root_groups groups;
	struct keyed_limiter opens, attempts, requests, shares; /* V30, conn.attempt, LH-27, SP-13 */
	/* the node */
	enum sync_state sync;
	bool node_up;
	int64_t synced_ms;                 /* last time that it was caught up */
	struct target_set base, sync_base; /* configured, perhaps changed by governor.targets */
	uint32_t target;
	struct churn churn;
	/* time */
	int64_t room_due_ms, room_next_ms; /* INT64_MAX: not wanted; not sooner */
	int64_t next_tick_ms, next_optimise_ms, last_share_ms, last_inbound_ms, last_accept_ms;
	uint64_t prune_short, refused, peers_evicted;
	/* connections */
	uint32_t n_closing, n_courtesy;
	bool auth_told; /* the node has said conn.auth: until then a payload is taken for it */
	uint32_t dump_epoch;
	uint32_t dump_closed[ROSTER_DUMP_CLOSED]; /* endpoints that closed during the dump, by hash; 0: none */
	bool dumping;
	struct roster_facts *resting; /* what roster_facts_of answers for a peer without facts */
	/* roster_node.c's */
	struct roster_root *roots;
	struct book_endpoint *big_ledger, *preferred; /* as last given; as configured */
	struct roster_told *told;
	uint32_t n_roots, roots_size, n_big_ledger, n_preferred, preferred_size, n_told, told_size;
	int64_t subnet_until_ms[EVICTION_SUBNETS]; /* LH-24: the node needs it until then; 0: not */
	uint32_t short_now;                        /* victims that the last prune did not find */
};

/* roster_record.c */
/** Take the caller's time; it never runs backwards. The governor's goes with it: events carry that one. */
static inline int64_t roster_clock(struct roster *roster, int64_t now_ms)
{
	if (now_ms > roster->now_ms)
		roster->now_ms = now_ms;
	(void)governor_clock(roster->governor, roster->now_ms);
	return roster->now_ms;
}
/** RECORD_NONE when unknown. */
uint32_t roster_peer_find(const struct roster *roster, const char *id);
uint32_t roster_peer_find_host(const struct roster *roster, const struct address *address);
/** The record that a name means: the id's; else the one connected from address and port; else the host's. */
uint32_t roster_peer_named(const struct roster *roster, const struct peer_name *name);
/** -ENOMEM. Makes it when new; the weakest of the disconnected gives way at peers_max. */
int roster_peer_obtain(
	struct roster *roster, const char *id_or_null, const struct address *address, uint32_t *ret_peer);
static inline struct roster_peer *roster_peer_at(const struct roster *roster, uint32_t peer)
{
	return record_pool_at(&roster->peers, peer);
}
static inline struct roster_connection *roster_connection_at(const struct roster *roster, uint32_t connection)
{
	return record_pool_at(&roster->connections, connection);
}
/** A record for a question about somebody of whom there is none: as a new one, but on no list, in no index, counted nowhere.
 * To be given back before anything else happens. -ENOMEM. */
int roster_stranger_take(
	struct roster *roster, const char *id_or_null, const struct address *address, uint32_t *ret_peer);
void roster_stranger_give(struct roster *roster, uint32_t peer);
/** NULL on lack of memory only. */
struct roster_facts *roster_facts_obtain(struct roster *roster, uint32_t peer);
/** Facts to read: of the peer, or what a peer has that nobody spoke of. Never NULL. */
const struct roster_facts *roster_facts_of(const struct roster *roster, uint32_t peer);
/** The record's list follows its state. */
void roster_peer_relist(struct roster *roster, uint32_t peer);
void roster_peer_forget(struct roster *roster, uint32_t peer);
/** LH-22: is there somebody to forget, or to unban, over a cap; and do it for one. At a moment at which nobody holds a
 * record: roster_advance. */
bool roster_caps_exceeded(const struct roster *roster);
void roster_caps_keep(struct roster *roster);
struct peer_name roster_peer_name(const struct roster *roster, uint32_t peer);
const char *roster_text(const struct roster *roster, uint32_t text); /* "" for RECORD_NONE */
/** One connected peer more or less in its /24 or /48; how many there are. */
void roster_prefix_count(struct roster *roster, const struct address *address, int change);
uint32_t roster_prefix_connected(const struct roster *roster, const struct address *address);
uint32_t roster_connection_hash(const struct roster *roster, const struct address *address, uint16_t port);
uint32_t roster_connection_find(const struct roster *roster, const struct address *address, uint16_t port);
uint32_t roster_connection_numbered(const struct roster *roster, uint64_t number);

/** Of inbound (-1: either) and service (ROSTER_SERVICE_NONE: any). */
uint32_t roster_connection_match(const struct roster *roster, const struct address *address, uint16_t port,
	int inbound, uint8_t service);
/** Give back the facts of a peer that is only known, if nothing in them would be missed. */
void roster_facts_settle(struct roster *roster, uint32_t peer);
/** Temperature, counted in n_hot and n_warm; never refused. */
void roster_temperature_set(struct roster *roster, uint32_t peer, enum temperature to);
/** Free what the records hold; the pools and indices end. */
void roster_records_fini(struct roster *roster);

/* roster_session.c */
/** Change the peer's status (LH-10), and all that follows it: lists, subnets, prefixes, temperature, dues. */
enum peer_operation roster_peer_change(struct roster *roster, uint32_t peer, enum peer_occasion occasion);
/** A record for a connection of this peer, dialing or open, counted; its status does not change yet. -ENOMEM, -ENOSPC. */
int roster_connection_make(struct roster *roster, const struct roster_open *open, uint32_t peer, bool dialing,
	uint32_t *ret_connection);
/** Why a connection is no more; for the event. */
struct roster_end {
	enum closed_by by;
	enum closed_how how;
	const char *reason; /* "" */
};
/** It is gone, whoever closed it: counts, status, lists, peer.disconnected; the record is given back. */
void roster_connection_drop(struct roster *roster, uint32_t connection, const struct roster_end *end);
/** The place that it has: in the pool's counts, or among those that wait or close. Before and after a change. */
void roster_connection_count(struct roster *roster, const struct roster_connection *connection, int change);
/** Put it under another peer (bind). */
void roster_connection_move(struct roster *roster, uint32_t connection, uint32_t peer);
/** Queue its next timer. */
void roster_connection_plan(struct roster *roster, uint32_t connection);
/** Move it to the front of its peer's: roster_peer_endpoint then means this one. */
void roster_connection_front(struct roster *roster, uint32_t connection);

/* roster_dial.c */
/** The node dialled an endpoint and failed, whether it had said so before or not. -ENOMEM, -ENOSPC. */
int roster_dial_failed(struct roster *roster, const struct book_endpoint *endpoint, uint8_t service, bool evidence,
	const struct roster_end *end, enum outcome *ret_outcome, const char **ret_why);

/* roster_timer.c */
/** A timer of it has come. */
void roster_connection_due(struct roster *roster, uint32_t connection);

/* roster_connection.c */
/** roster_connection_open for a connection of this service; `evidence` as in the dataplane's events. */
int roster_open_as(struct roster *roster, const struct roster_open *open, uint8_t service, bool evidence,
	struct roster_opened *ret_opened);
/** Its first payload, or more of it. */
void roster_connection_paid(struct roster *roster, uint32_t connection, uint64_t bytes_in, uint64_t bytes_out);
void roster_connection_rtt(struct roster *roster, uint32_t connection, double rtt_ms);
/** It has ended: outcome, the governor's word (roster_feed), and the record is given back. */
enum outcome roster_connection_ended(struct roster *roster, uint32_t connection, const struct roster_end *end,
	enum outcome_cause cause, const char **ret_why);
/** Book the outcome once; tells what it was. */
enum outcome roster_connection_outcome(struct roster *roster, uint32_t connection, const struct roster_end *end,
	enum outcome_cause cause, const char **ret_why);
/** What the governor must see of a connection that no dataplane reports (simulate), as a dataplane would say it. */
void roster_feed(struct roster *roster, uint32_t connection, enum event_kind kind, const struct roster_end *end_or_null);

/* roster_admit.c */
/* Refused by the window of its address: what 2.3 holds against it. */
#define ROSTER_REASON_RATE "rate"
/** The limits of the pool that are in force: of the target, else of the profile. */
struct pool_limits roster_limits(const struct roster *roster);
/** Does the profile know connections that are not authenticated yet? */
bool roster_has_pending(const struct roster *roster);
/** May it come? Fills verdict, reason, delay, evicted; true: a record is to be made. */
bool roster_admit(struct roster *roster, const struct roster_open *open, uint32_t peer, struct roster_opened *opened);
/** A place in the full pool for a newcomer (HE-13, LO-11): true when somebody was displaced. */
bool roster_displace(struct roster *roster, uint32_t peer, enum pool_answer full, bool preferred,
	struct roster_opened *opened);

/** Unproven attempts of an address, as far as they are remembered; nothing is decided by them (V39). */
uint32_t roster_attempts_noted(const struct roster *roster, const struct address *address);

/* roster_places.c */
/** Count a new connection at the levels of its prefixes, if it is inbound and no dataplane's; and when it is gone. */
void roster_place_take(struct roster *roster, struct roster_connection *connection);
void roster_place_give(struct roster *roster, const struct roster_connection *connection);
/** Does one more connection of this address fit, at every level? */
bool roster_place_free(const struct roster *roster, const struct address *address);

/* roster_close.c */
/** Begin to close: event peer.disconnect or governor.disconnect with reason and code, after the grace RST at
 * both ends. The outcome of what Weir closes is neutral. */
void roster_close_peer(struct roster *roster, uint32_t peer, const char *reason, int code);
void roster_close_connection(struct roster *roster, uint32_t connection, const char *reason, int code);
/** Begin to close, with no event. */
void roster_connection_begin_close(struct roster *roster, uint32_t connection, const char *reason);
/** Cut it at once; it is gone. */
void roster_connection_cut(struct roster *roster, uint32_t connection, const struct roster_end *end);
/** The grace, or the courtesy, of a connection is over. */
void roster_connection_end(struct roster *roster, uint32_t connection);
/** Judge whoever waits for it. */
void roster_judge_due(struct roster *roster);
/** Queue whoever is connected from the prefixes of bans: O(connected), once for all the wider bans since the last time. */
void roster_judge_widen(struct roster *roster);
static inline bool roster_judge_waits(const struct roster *roster)
{
	return roster->judge_wide[0] || roster->judge_wide[1];
}
/** After a score moved or a ban came or went: DISCONNECT and BANNED act at once (LH-1, real order), lists
 * follow. */
void roster_peer_judge(struct roster *roster, uint32_t peer);
/** An automatic ban of the peer, by id or host; never of a protected one (LO-9, HE-14). */
void roster_peer_ban(
	struct roster *roster, uint32_t peer, enum ban_tier tier, int64_t end_ms, const char *reason);
/** The tags of the peer or its address, or a list, say that nothing automatic may act against it. */
bool roster_peer_protected(const struct roster *roster, uint32_t peer);
/** The strongest ban in force of the peer itself: of its id, or of its host and the prefixes around. */
bool roster_peer_banned(const struct roster *roster, uint32_t peer, struct ban *ret_ban);
/** LH-6: T1 for a peer that was closed, when the rule says so: with a target, while so many are connected; without
 * one, while the pool is full. From `since_ms`, the decision. */
void roster_throttle(struct roster *roster, uint32_t peer, bool inbound, bool closed_by_us, int64_t since_ms);
/** LH-8: the same for a newcomer that was never let in. */
void roster_throttle_newcomer(struct roster *roster, const struct roster_open *open, uint32_t peer);
/** A ban of this key came, went or changed (governor_internal.h): its peer, and who is connected from where it is, are
 * judged at roster_judge_due or the next advance. */
void roster_ban_changed(void *context, const struct ban *ban);

/* roster_value.c */
/** The profile's value, for ranking; and its combined score (gossip included). */
double roster_value(const struct roster *roster, uint32_t peer);
double roster_combined(const struct roster *roster, uint32_t peer, enum score_state *ret_state);
/* LO-1: Lorachain's value of a peer of which nothing is known. */
#define ROSTER_LORACHAIN_UNKNOWN 50.0
/* Each value, whatever the profile ranks by. */
double roster_value_dugite(const struct roster *roster, uint32_t peer); /* without DU-6 */
double roster_value_rank(const struct roster *roster, uint32_t peer);
double roster_value_selection(const struct roster *roster, uint32_t peer);
double roster_value_inbound(const struct roster *roster, uint32_t peer);
struct value_lorachain roster_value_lorachain(const struct roster *roster, uint32_t peer);
/** LO-1: the value of a new peer, from which its first change is told (LO-8); NAN where a profile names none. */
double roster_value_start(const struct roster *roster);
/** The profile's, now: SP-8's points where they blacklist, else DU-4's later one. RECORD_NONE: of nobody known. */
double roster_reputation(const struct roster *roster, uint32_t peer);
/** The application's score alone; 0 for a stranger. */
double roster_app_score(const struct roster *roster, uint32_t peer);
/** Tell a changed value (LO-8). */
void roster_value_tell(struct roster *roster, uint32_t peer);
/** An outcome of a proven connection or of the node's word: counters, standing, book. Neutral: book only. */
void roster_outcome(struct roster *roster, uint32_t peer, enum outcome outcome);

/** Where the peer can be dialled: the endpoint of an outbound connection, or the port that it said it listens on.
 * False: not known. */
bool roster_peer_endpoint(const struct roster *roster, uint32_t peer, struct book_endpoint *ret_endpoint);
/** Tags of the peer and of its address: what the node said of either. */
void roster_tags_of(const struct roster *roster, uint32_t peer, struct peer_tags *ret_tags);
/** LH-8, LH-23: by a duty of its own, or because it serves a subnet that the node needs. */
bool roster_peer_on_duty(const struct roster *roster, uint32_t peer);
/** V32: somebody preferred may be at this address. */
bool roster_address_preferred(const struct roster *roster, const struct address *address);
/** DU-1 and 5.5.15: inbound ones are hot by the node's word or their payload; the others as the node says. */
enum temperature roster_temperature(const struct roster *roster, uint32_t peer);

/* roster_node.c */
/** Targets, churn and what the node said, as at a start: roster_create and roster_forget_runtime call it, after
 * config, key, random, texts and now_ms are set. `is_new` false: what was held is given back first. */
void roster_node_init(struct roster *roster, bool is_new);
void roster_node_fini(struct roster *roster);
/** DU-17: put an id ("": an endpoint) into a group, out of the one that it was in. -ENOMEM, -ENOSPC. */
int roster_root_join(
	struct roster *roster, const char *id, const struct book_endpoint *endpoint, uint32_t group);
/** The group of a peer, by its tag or as a configured root; TARGET_NO_GROUP. */
uint32_t roster_root_group(const struct roster *roster, uint32_t peer);
/** SP-12: somebody was bound at this peer's endpoint: the light peer that stood for it is forgotten. */
void roster_light_drop(struct roster *roster, uint32_t peer);
/** The configured root that a peer is; RECORD_NONE. */
uint32_t roster_root_of(const struct roster *roster, uint32_t peer);
/** After roster_reconfigure: targets are those of the configuration at once. Roots and preferred endpoints of the
 * configuration before are gone: the caller adds those of the new one. */
void roster_node_reconfigured(struct roster *roster);
/** What the peer is, by its tag or as the book says of its endpoint (DU-2). */
enum peer_category roster_category(const struct roster *roster, uint32_t peer);
/** DU-17: pinned, be it by a group or by its category alone (5.5.14: no group is required). */
bool roster_is_local_root(const struct roster *roster, uint32_t peer);
/** The targets in force: of the sync state, after churn. */
struct target_set roster_targets_in_force(const struct roster *roster);

/* roster_tick.c and its steps; each emits the events of what it does */
/** LH-26 and cooling: queue the peer's next due time in peer_due, after anything that moves it (connected: after
 * peer_due_connected where the profile has intervals; closed; temperature); and do what has come due. */
void roster_peer_due_plan(struct roster *roster, uint32_t peer);
void roster_peer_due_run(struct roster *roster, uint32_t peer);
/** Whoever is connected, as the plan sees it: what the node was told and has not done yet counts as done (DU-12:
 * nothing is told twice). `id` is the peer. Roots first, in their order. -ENOMEM; the caller frees. `places`: so many
 * more are made room for. */
int roster_target_peers(
	struct roster *roster, uint32_t places, struct target_peer **ret_peers, uint32_t *ret_n);
/** governor.connect, once: false if it was told already. `id` may be "". */
bool roster_tell_connect(
	struct roster *roster, const char *id, const struct book_endpoint *endpoint, const char *reason);
bool roster_is_told(const struct roster *roster, const struct book_endpoint *endpoint);
/** governor.promote or governor.demote. */
void roster_tell_move(struct roster *roster, uint32_t peer, enum target_action_kind kind, const char *reason);
/** governor.evict_cold: forget so many of the book's coldest (V37). */
void roster_evict_cold(struct roster *roster, uint32_t count, const char *reason);
/** Forget who was told long ago, or did it. */
void roster_told_settle(struct roster *roster);
void roster_discover(struct roster *roster);    /* LH-4, LH-24 */
void roster_prune(struct roster *roster);       /* LH-23, F; the free floor */
/** Places between ticks, which may be seconds apart: the free floor, and above the soft limit those of silent
 * connections, because newcomers are delayed there. Plan when a place was taken, and make room when it is
 * due. */
void roster_room_plan(struct roster *roster);
void roster_room_make(struct roster *roster);
void roster_target_step(struct roster *roster); /* DU-12 */
void roster_churn_step(struct roster *roster);  /* DU-16 */
void roster_pool_step(struct roster *roster);   /* LO-14, HE-13's out of sync */
/** Candidates for eviction from whoever is connected; *ret_n; the caller frees. NULL: no memory or nobody.
 * `ret_peers` may be NULL. */
struct eviction_candidate *roster_candidates(struct roster *roster, uint32_t *ret_n, uint32_t **ret_peers);

/* roster_event.c: {"t":..,"event":..} with what follows; as event_begin of the governor */
void roster_event_peer(struct event_text *event, struct roster *roster, const char *name, uint32_t peer);
/** A connection: peer, address, port, direction. */
void roster_event_connection(
	struct event_text *event, struct roster *roster, const char *name, uint32_t connection);
/** Whether anybody wants it, as event_begin asks. */
bool roster_event_wanted(const struct roster *roster, const char *name);
void roster_event_address(struct event_text *event, struct roster *roster, const char *name,
	const struct address *address, uint16_t port);

#endif
