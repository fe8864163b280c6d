/* SPDX-License-Identifier: BSD-3-Clause
 * The roster: who is connected, what is known of each peer, and what the governor does about it: the one
 * object that joins scores and bans (governor.h), the address book, tags, counters, values, temperatures,
 * targets, churn and pruning (policy.md 5.3). A library of state, input and time like the governor, which it
 * drives: weir-control feeds it from the event rings, `simulate` from a trace, both through the same methods.
 * One thread. It reads no clock, file or socket, never logs.
 *
 * Time is int64_t milliseconds of wall clock, passed in. Report, get and every occasion are O(log n) in known
 * peers. A tick costs what is connected and what changed, never what is known. Bounded by configuration; the
 * weakest gives way, counted.
 */
#ifndef WEIR_CONTROL_ROSTER_H
#define WEIR_CONTROL_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/address_book.h"
#include "control/client_kind.h"
#include "control/governor.h"
#include "control/keyed_limiter.h"
#include "control/outcome.h"
#include "control/peer_state.h"
#include "control/peer_tags.h"
#include "control/pool.h"
#include "control/profile.h"
#include "control/value_score.h"
#include "shm/image.h"

enum { ROSTER_TEXT_MAX = 128, ROSTER_ANSWER_MAX = 1000 };
/* Of governor.targets: a tenth of the most connections that the configuration allows. */
enum { ROSTER_TARGET_MAX = 1000000 };

/** Everything that is policy: the profile in force, each key of which the configuration may have changed, and
 * what is no profile's. 0 is off or without limit where a field of the profile says so. */
struct roster_config {
	struct profile profile;
	struct governor_config
		governor;         /* half-life, thresholds, bans: derived from the profile by the caller */
	uint32_t connections_max; /* records of connections, 1e3..1e7; the oldest pending gives way */
	uint32_t peers_max;       /* records of peers */
	uint32_t disconnected_max,
		banned_max;          /* LH-22: 500 and 1000 in lighthouse; 0: no cap but peers_max */
	uint32_t ignore_negative;    /* LH-18; UINT32_MAX: as the target says */
	bool throttle_any_close;     /* LH-6: key throttle.on = any_close; else we_closed */
	uint32_t target_phases;      /* bits of enum target_phase that may act (keys stages.*) */
	uint32_t subnet_target;      /* LH-24: 3 */
	bool outbound_only;          /* DU-9: InitiatorOnly, nobody is let in (node.accept_inbound: no) */
	struct limiter_policy opens; /* V30: exact window of proven opens of one address; burst 0: off */
	/* 5.3 E, step 8: inbound connections of a prefix at once, where there is no dataplane (roster_places.c);
	 * 0: no limit. */
	uint32_t concurrency_v4[IMAGE_LEVEL_COUNT], concurrency_v6[IMAGE_LEVEL_COUNT];
	bool attempt_challenge;      /* conn.attempt: strangers are challenged under pressure, else refused */
	struct limiter_policy
		attempts;    /* conn.attempt: so many unproven ones of an address go forward before that. The
				dataplane has its    own tables for it; this is what `simulate` has instead */
	int64_t grace_ms;    /* closing: this long after the event, for the application to say goodbye; 0: at
				once */
	int64_t courtesy_ms; /* courtesy mode (HE-13: PEERS, then close): a connection over the limit lives so
				long; 0: refused */
	int64_t score_interval_ms; /* LO-8: values are recomputed and told at least so often: 60 s; 0: off */
	int64_t min_life_ms; /* 2.1: closed earlier by the node with a reason against the peer is a failure */
	bool persist_scores; /* 5.3 I */
	uint64_t seed;
};
/** The profile's values, as `config show --effective` prints them. -ENOENT. */
int roster_config_from_profile(const char *name, struct roster_config *ret_config);

struct roster_effects {
	struct governor_effects governor; /* enforce, cut, store_*, event: passed on; see governor.h */
	struct address_book_effects book;
};

struct roster;
/** -EINVAL, -ENOMEM. */
int roster_create(const struct roster_config *config, const struct roster_effects *effects, int64_t now_ms,
	struct roster **ret_roster);
void roster_destroy(struct roster *roster);
/** Scores, bans, connections, tags stay; targets and limits are those of the new configuration at once. */
void roster_reconfigure(struct roster *roster, const struct roster_config *config, int64_t now_ms);
/** What it drives; for lists, bans, loading and `why`. Valid as long as the roster. */
struct governor *roster_governor(struct roster *roster);
struct address_book *roster_book(struct roster *roster);
const struct roster_config *roster_config(const struct roster *roster);

/* Connections (conn.*). Live they come from the dataplane's events, in simulate from the trace:
 * roster_dataplane_event turns the one into the other. */

enum roster_verdict { ROSTER_FORWARD, ROSTER_PACE, ROSTER_REFUSE, ROSTER_DROP, ROSTER_COURTESY };
const char *roster_verdict_name(enum roster_verdict verdict);

struct roster_open {
	struct address address;
	uint16_t port;
	bool inbound, proven;
	double rtt_ms;          /* negative: none */
	const char *id_or_null; /* the peer, if the trace knows it */
	bool already_open; /* the dataplane has let it in: the verdict is not asked, only state and evictions
			      follow */
};
struct roster_opened {
	uint64_t connection; /* 0: not let in */
	enum roster_verdict verdict;
	char reason[48];     /* "banned", "rate", "pending", "total", "soft", "hard", "throttled", ...; "" */
	double delay_ms;     /* PACE */
	uint32_t n_evicted;  /* whom it displaced */
	uint64_t evicted[8]; /* their connections */
	int64_t until_ms;    /* refused by rate: when it would be let in; else 0 */
};
/** A connection begins. Row order of design.md section 3: bans, per-address window, throttle, pending places,
 * soft and hard, full pool. -ENOMEM. */
int roster_connection_open(struct roster *roster, const struct roster_open *open, int64_t now_ms,
	struct roster_opened *ret_opened);

/** What roster_connection_open would answer now, `connection` 0, for one that comes from a port of its own. Changes nothing:
 * no budget is taken from, nobody displaced, no stranger remembered. -ENOMEM. */
int roster_connection_ask(struct roster *roster, const struct roster_open *open, int64_t now_ms,
	struct roster_opened *ret_opened);

struct roster_attempts {
	uint32_t forward, challenge, refuse, drop;
	char reason[48];
};
/** V39: `count` unproven attempts of an address. Changes no score, ban, count or circuit. */
void roster_connection_attempt(struct roster *roster, const struct address *address, uint32_t count,
	bool proven, int64_t now_ms, struct roster_attempts *ret_attempts);
/** -ENOENT. rtt_ms negative: none. */
int roster_connection_data(struct roster *roster, uint64_t connection, uint64_t bytes_in, uint64_t bytes_out,
	double rtt_ms, int64_t now_ms);

struct roster_close {
	uint64_t connection; /* or 0, and the address and port */
	struct address address;
	uint16_t port;
	enum closed_by by;
	enum closed_how how;
	bool has_bytes;
	uint64_t bytes_in, bytes_out;
	const char *reason; /* the node's word; "" */
};
/** -ENOENT. `ret_why` is a literal. */
int roster_connection_close(struct roster *roster, const struct roster_close *close, int64_t now_ms,
	enum outcome *ret_outcome, const char **ret_why);
/** conn.auth: the node's word about the login. `evicted` as in roster_opened (a preferred peer displaces
 * another: HE-13). -ENOENT. */
int roster_connection_auth(struct roster *roster, uint64_t connection, bool ok, const char *reason,
	int64_t now_ms, enum outcome *ret_outcome, struct roster_opened *ret_opened);
/** conn.dial: the node is about to dial; marks the peer of the endpoint Dialing and asks backoff and circuit.
 */
void roster_connection_dial(struct roster *roster, const struct address *address, uint16_t port,
	int64_t now_ms, struct book_dial *ret_dial);

/** The connection of an endpoint, or 0. */
uint64_t roster_connection_at_endpoint(const struct roster *roster, const struct book_endpoint *endpoint);
struct roster_connection_info {
	uint64_t connection;
	struct address address;
	uint16_t port;
	bool inbound, authenticated;
	const char *id; /* "" */
	int64_t since_ms, last_in_ms;
	uint64_t bytes_in, bytes_out;
	double rtt_min_ms; /* negative: none */
};
/** In order of number, after `after`; address or id select (NULL: all). Stops when visit returns false. */
void roster_connection_each(const struct roster *roster, const struct address *address_or_null,
	const char *id_or_null, uint64_t after,
	bool (*visit)(void *context, const struct roster_connection_info *info), void *context);
/** The dump of the dataplane's flows, as governor_flows_begin and the rest, which these call: a connection that an
 * ended dump did not name is gone, its close was lost. */
void roster_flows_begin(struct roster *roster, uint64_t since_ns, int64_t now_ms);
struct roster_flow {
	struct address client;
	uint16_t client_port;
	uint8_t service;
	bool outbound;
	uint32_t born_ms, rtt_us;
};
/** A proven TCP flow of the dump. One that is not known yet begins. */
void roster_flow_seen(struct roster *roster, const struct roster_flow *flow, int64_t now_ms);
void roster_flows_end(struct roster *roster, int64_t now_ms);
/** An event of a ring; also given to the governor. Unproven ones change nothing. */
void roster_dataplane_event(struct roster *roster, const struct event_record *event, int64_t now_ms);

/* Peers (peer.*) */

struct roster_bind {
	const char *id;
	uint64_t connection; /* or 0, and address and port */
	struct address address;
	uint16_t port;
	const char *agent, *version, *enr, *metadata; /* "" */
	uint16_t listen_port;                         /* 0: unknown; else the endpoint enters the book */
};
struct roster_bound {
	bool accepted;
	char reason[48];  /* "banned", "banned", "banned_ip", "bad_score", "too_many", "blacklisted" */
	int code;         /* LH-25's goodbye: 129, 250, 251, 252; 0 */
	int64_t until_ms; /* of the ban; 0 */
	struct client client;
};
/** -EINVAL, -ENOMEM, -ENOSPC. A refused one is closed. */
int roster_peer_bind(struct roster *roster, const struct roster_bind *bind, int64_t now_ms,
	struct roster_bound *ret_bound);
/** peer.state. -ENOENT, -EPERM: no such step (DU-1). */
int roster_peer_temperature(struct roster *roster, const char *id, enum temperature to, int64_t now_ms,
	enum temperature *ret_from, enum temperature *ret_to);
/** peer.report: the governor's, then what follows here: closing, events, blacklist. As governor_report. */
int roster_peer_report(struct roster *roster, const struct peer_name *peer, enum peer_action action,
	const char *reason, const char *evidence, bool proven, int64_t now_ms,
	struct peer_report_result *ret_result);
/** peer.rpc_error (LH-20): the action, PEER_ACTION_COUNT for none. -ENOENT: unknown peer; -EDOM: unknown
 * error. */
int roster_peer_rpc_error(struct roster *roster, const char *id, const char *error, const char *protocol,
	bool by_us, int64_t now_ms, enum peer_action *ret_action, struct peer_report_result *ret_result);
struct roster_record {
	double reputation; /* as in struct roster_peer_info */
	uint32_t ok, fail, streak;
	bool blacklisted;
};
/** 5.5.5: take an id, or an address without one, off Spacetime's blacklist; its reputation and its row of failures
 * begin anew, or the next failure would put it back. `key` as for governor_ban_remove. False: it was not on it. */
bool roster_blacklist_lift(struct roster *roster, const struct ban *key, int64_t now_ms);
/** DU-17: the groups of local roots, by the number that tags have. The roster's; true until the next call that tags. */
const struct root_groups *roster_groups(const struct roster *roster);
/** peer.record (SP-8, SP-9): an outcome of the node's own. -ENOENT. */
int roster_peer_record(
	struct roster *roster, const char *id, bool ok, int64_t now_ms, struct roster_record *ret_record);
struct roster_gossip {
	const char *id;
	double score;
	bool ignore;
};
/** peer.gossip: one refresh of many (LH-18 forgives the best negative ones), or one. -EINVAL: not finite;
 * unknown ids are skipped. -ENOMEM. */
int roster_peer_gossip(struct roster *roster, const struct roster_gossip *scores, size_t n, bool refresh,
	int64_t now_ms, size_t *ret_updated);
/** peer.metrics; NAN: not given. */
struct roster_metrics {
	double rtt_ms, fetch_ms, uptime, conn_success, delivery, throughput, signal_dbm, compliance;
	uint32_t blocks;
	bool has_msgs, has_tip;
	uint64_t msgs, invalid, relayed;
	bool tip_known;
	int64_t tx_ms, block_ms; /* 0: not given */
};
/** -ENOENT. The value of the profile afterwards. */
int roster_peer_metrics(struct roster *roster, const char *id, const struct roster_metrics *metrics,
	int64_t now_ms, double *ret_value);
enum roster_seen { ROSTER_SEEN_PING, ROSTER_SEEN_STATUS, ROSTER_SEEN_METADATA };
/** peer.seen (LH-26): *ret_due are bits PEER_DUE_* that the node should do now. -ENOENT. */
int roster_peer_seen(struct roster *roster, const char *id, enum roster_seen what,
	const uint64_t *sequence_or_null, const char *sync_status, int64_t now_ms, unsigned *ret_due);
/** peer.request (LH-27). -ENOENT. *ret_wait_ms INT64_MAX: never so many. */
int roster_peer_request(struct roster *roster, const char *id, const char *protocol, uint32_t count,
	int64_t now_ms, bool *ret_allow, int64_t *ret_wait_ms);

enum {
	ROSTER_TAG_TRUSTED = 1 << 0,
	ROSTER_TAG_PROTECTED = 1 << 1,
	ROSTER_TAG_PREFERRED = 1 << 2,
	ROSTER_TAG_CATEGORY = 1 << 3,
	ROSTER_TAG_SOURCE = 1 << 4,
	ROSTER_TAG_CLASS = 1 << 5,
	ROSTER_TAG_RELAY = 1 << 6,
	ROSTER_TAG_SUBNETS = 1 << 7,
	ROSTER_TAG_COMMITTEES = 1 << 8,
	ROSTER_TAG_GROUP = 1 << 9,
	ROSTER_TAG_DISCOURAGED = 1 << 10,
	ROSTER_TAG_USEFUL = 1 << 11,
};
struct roster_tag {
	unsigned which;          /* ROSTER_TAG_* that are given; duties always */
	struct peer_tags values; /* subnets replace those before; duties only extend */
	bool discouraged;
	double useful;          /* 0..1: the application's word of its use (ouroboros' upstreamness) */
	const char *group_name; /* ROSTER_TAG_GROUP; made if new */
	uint32_t group_hot, group_warm;
};
/** An address is tagged for whoever connects from it. -ENOENT, -EINVAL, -EDOM, -ENOSPC. */
int roster_peer_tag(struct roster *roster, const struct peer_name *peer, const struct roster_tag *tag,
	int64_t now_ms, struct peer_tags *ret_tags);

/** peer.get: everything. Texts are valid until the roster changes. */
struct roster_peer_info {
	struct peer_info governor; /* score.app, state, strikes, history, ban, rtt of the host */
	bool known;                /* the roster has a record of its own */
	struct peer_state state;
	enum temperature temperature;
	struct client client;
	const char *id, *agent, *version, *enr, *metadata, *sync_status;
	char cursor[GOVERNOR_ID_MAX]; /* what `after` takes: the id, or the address of one without */
	struct peer_tags tags;
	bool discouraged;
	double gossip, combined; /* gossip NAN: none */
	enum score_state combined_state;
	double reputation; /* the profile's: SP-8's points in spacetime, else DU-4's later one, 0..1 */
	double value_dugite, value_rank, value_selection, value_inbound, value; /* value: the profile's own */
	struct value_lorachain lorachain;
	struct value_standing standing;
	double quality;
	struct peer_counters counters;
	uint32_t decayed_fail;
	uint32_t unproven; /* attempts of the address, from conn.attempt; counts nowhere */
	uint64_t blocks;
	enum circuit_state circuit;
	int64_t circuit_until_ms;
	uint32_t subnet_count;
	double subnet_penalty;
	struct peer_due due;
};
void roster_peer_get(struct roster *roster, const struct peer_name *peer, int64_t now_ms,
	struct roster_peer_info *ret_info);

struct roster_filter { /* NULL or negative: any */
	int status, temperature, category, banned;
};
/** In order of id, then those without one by address; after `after`, a cursor. The visited info is valid in the call
 * only, which changes nothing. One page of 128 costs a pass over whoever is known, or connected if that is asked for. */
void roster_peer_each(struct roster *roster, const struct roster_filter *filter, const char *after_or_null,
	int64_t now_ms, bool (*visit)(void *context, const struct roster_peer_info *info), void *context);
/** peer.best (LO-13, SP-8): connected ones are included as the profile says; best first. Returns how many ids
 * were written. */
size_t roster_peer_best(struct roster *roster, size_t n, const char *const *exclude, size_t n_exclude,
	int64_t now_ms, const char **ret_ids);
/** peer.disconnect: event with `code`, then close after the grace. -ENOENT. *ret_closed: connections. */
int roster_peer_disconnect(struct roster *roster, const struct peer_name *peer, const char *reason, int code,
	int64_t now_ms, uint32_t *ret_closed);
/** A ban was loaded at a start (governor_ban_load): whoever it keeps out by id, or by score, is listed as banned,
 * where it was seen if it was, while nobody has to give way for its record. Emits nothing. */
void roster_ban_loaded(struct roster *roster, const struct ban *ban);
/** After bans were put into the governor or taken out: whoever they mean is closed, with the grace, or free, now and not
 * at the next roster_advance. Costs what is bound to their keys; for a wider prefix what is connected.
 * `put_or_null`: the ban that was put; an id that nobody has seen is then listed as roster_ban_loaded says. */
void roster_bans_settle(struct roster *roster, const struct ban *put_or_null, int64_t now_ms);
/** peer.remove: forget it (its connections stay, unbound). -ENOENT. Bans and strikes stay. */
int roster_peer_remove(struct roster *roster, const char *id, int64_t now_ms);

/* The node (node.*) */
/** Targets switch at once (DU-13). *ret_targets: in force. */
void roster_node_sync_state(
	struct roster *roster, enum sync_state state, int64_t now_ms, struct target_set *ret_targets);
struct roster_ledger_peer {
	struct address address;
	uint16_t port;
	double stake;
	int big; /* -1: by stake */
};
/** -ENOMEM. */
int roster_node_ledger_peers(struct roster *roster, const struct roster_ledger_peer *peers, size_t n,
	int64_t now_ms, size_t *ret_added, size_t *ret_big);
/** LH-24: subnets that the node needs until a time: peers on them are protected by duty until then; which to
 * search for goes to ret_discover (n places). */
size_t roster_node_subnets(struct roster *roster, const struct peer_duty *needed, size_t n, int64_t now_ms,
	uint16_t *ret_discover);
/** The node is down (or up again): refusals count against nobody meanwhile. */
void roster_node_up(struct roster *roster, bool up, int64_t now_ms);
/** DU-17 by configuration: an endpoint of a local root group, or a preferred one. roster_reconfigure forgets them: add
 * those of the new configuration after it. */
int roster_root_add(struct roster *roster, const char *group, uint32_t hot, uint32_t warm,
	const struct book_endpoint *endpoint, int64_t now_ms);
int roster_preferred_add(struct roster *roster, const struct book_endpoint *endpoint, int64_t now_ms);

/* The governor (governor.*) */
struct roster_targets {
	uint32_t target; /* LH-2; 0: none */
	struct target_set in_force, base;
	struct target_limits limits;
};
/** governor.targets. NULL `set`: only read. -EINVAL with a sentence in `flaw` (ROSTER_TEXT_MAX): 5.3 K. */
int roster_targets(struct roster *roster, const uint32_t *target_or_null,
	const struct target_set *set_or_null, int64_t now_ms, struct roster_targets *ret_targets, char *flaw);
/** One tick now (LH-1's order, roster_tick.c): decay, disconnect, ban, discover, prune; targets, churn,
 * optimise, due. What is done comes out as events. */
void roster_tick(struct roster *roster, int64_t now_ms);
struct roster_status {
	enum sync_state sync;
	uint32_t connected, in, out, pending, hot, warm, cold, known;
	uint64_t bans;
	enum churn_phase churn_phase;
	int64_t churn_next_ms;
	uint64_t prune_short, refused, evicted, peers_evicted;
};
void roster_status(const struct roster *roster, struct roster_status *ret_status);
const char *roster_churn_phase_name(enum churn_phase phase);

/* The book (roster_book.c): what its own functions do not know. */
/** As address_book_add, and tells it: peer.discovered for a new one. */
enum book_verdict roster_book_add(struct roster *roster, const struct book_entry *entry, int64_t now_ms);
/** discovery.new_peers, when `added` is not 0. */
void roster_book_news(struct roster *roster, uint32_t added, int64_t now_ms);
/** SP-13: may this stranger ask for addresses now? Only where the profile limits it; elsewhere answers stick instead. */
bool roster_share_allowed(struct roster *roster, const struct address *asker, int64_t now_ms);

/* Time */
/** When roster_advance must be called next, with the same `ticks`: ticks, timers of connections, ends of bans, due pings. O(1). */
int64_t roster_next_due_ms(const struct roster *roster, bool ticks);
/** All that is due up to now, in order of time; at most `budget` items; true: more are due. With `ticks`
 * false no tick runs (simulate --no-tick). */
bool roster_advance(struct roster *roster, int64_t now_ms, unsigned budget, bool ticks);
/** SP-12: after the book was loaded: light peers "peer_<ip>_<port>" for what is in it, where the profile is
 * Spacetime's; for get and list, until somebody is bound there. Returns how many. */
uint32_t roster_light_peers(struct roster *roster, int64_t now_ms);
/** As governor_clock_step_back, for everything. */
void roster_clock_step_back(struct roster *roster, int64_t now_ms);
/** A new start (sim.restart): everything that 5.5.16 calls runtime is as after roster_create, roots and preferred
 * endpoints too. The caller then loads the store and adds what the configuration names. What roster_governor and
 * roster_book returned is gone; ask again. -ENOMEM: nothing changed. */
int roster_forget_runtime(struct roster *roster, int64_t now_ms);

#endif
