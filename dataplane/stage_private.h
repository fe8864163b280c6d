/* SPDX-License-Identifier: BSD-3-Clause
 * What the files of the stage share with each other and with nobody else. Thread: the owning lcore.
 */
#ifndef WEIR_DATAPLANE_STAGE_PRIVATE_H
#define WEIR_DATAPLANE_STAGE_PRIVATE_H

#include <string.h>

#include "dataplane/stage.h"

/** What lists and bans say of a source, and what its attempts cost. */
struct source_answer {
	enum source_class class; /* of a ban or of a weaker entry */
	bool allowed;
	uint16_t price; /* in 1/16 */
};

/** One packet on its way through the phases of a burst. */
struct work {
	struct arrival *arrival;
	struct flow_key key;
	uint64_t flow_hash;
	struct flow *flow; /* stale when stage->flow_changes has moved past flow_changes */
	uint32_t flow_changes;
	struct address client;
	uint8_t service;     /* SERVICE_NONE: none */
	bool has_key;        /* TCP or UDP between a client and the node */
	bool identity_ready; /* bans and proofs of the source were hashed and prefetched: source_prefetch_identity */
	bool source_ready;   /* and all its counters: source_prefetch */
	bool source_looked;  /* stage_attempt_look has filled source_reason, answer and proven */
	bool is_stranger;    /* without proof, before a service that now challenges every stranger */
	enum reason settled; /* decided in phase 1; REASON_COUNT: go on */
	enum reason source_reason; /* row 6 */
	struct source_answer answer;
	enum proven_answer proven; /* of a stranger: NO or SPENT */
	uint16_t ban_epoch; /* of the client, when identity_ready; read before its bans */
	/* of the source; see source_prefetch */
	uint64_t ban_hash, exact_hash, proven_hash, opened_hash;
	struct pressure_handle unproven, opens;
};

/** Everything that one call needs and that does not change within it. */
struct moment {
	const struct ruleset *rules;
	uint64_t now_ns;
	uint32_t now_ms, now_s, now_us;
};

static inline struct moment moment_make(const struct ruleset *rules, uint64_t now_ns)
{
	return (struct moment){
		.rules = rules,
		.now_ns = now_ns,
		.now_ms = (uint32_t)(now_ns / 1000000),
		.now_s = (uint32_t)(now_ns / 1000000000),
		.now_us = (uint32_t)(now_ns / 1000),
	};
}

/** Difference of TCP sequence numbers: positive when a is after b. */
static inline int32_t sequence_after(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

/** Valid until the caller's next quiescent state. */
static inline const struct cookie_secrets *stage_cookie_secrets(const struct stage_shared *shared)
{
	return &shared->cookie_copies[atomic_load_explicit(&shared->cookie_copy, memory_order_acquire)];
}

static inline uint64_t stage_cookie_clock_ns(const struct stage_shared *shared, const struct moment *moment)
{
	return moment->now_ns + atomic_load_explicit(&shared->cookie_clock_add_ns, memory_order_relaxed);
}

static inline uint32_t stage_random(struct stage *stage)
{
	uint64_t x = stage->random_state;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	stage->random_state = x;
	return (uint32_t)(x >> 32);
}

/** Who a source is to budgets and bans: an IPv4 address or an IPv6 /64. */
static inline struct address host_identity(const struct address *address)
{
	struct address identity = *address;

	if (!address_is_v4(address))
		memset(identity.bytes + 8, 0, 8);
	return identity;
}

static inline struct address flow_client(const struct flow *flow)
{
	struct address client;

	memcpy(client.bytes, flow->client, sizeof(client.bytes));
	return client;
}

static inline void gauge_add(struct stage *stage, enum counter counter, int64_t n)
{
	counter_add(stage->counters, counter, (uint64_t)n);
}

/* stage_source.c: what the tables say of a source */
/** Hash and prefetch what decides whether a source is banned or proven; then, where that is not the end, the rest. */
void source_prefetch_identity(const struct stage_shared *shared, const struct ruleset *rules, struct work *work);
void source_prefetch(const struct stage_shared *shared, const struct ruleset *rules, struct work *work);
/** Row 6 for an address: REASON_DENIED, REASON_BANNED, REASON_BANNED_PREFIX or REASON_COUNT; the class of a
 * weaker entry in *ret_class. */
enum reason source_check_bans(const struct moment *moment, const struct address *client, uint64_t ban_hash,
	uint64_t exact_hash, bool *ret_allowed, enum source_class *ret_class);
/** The same, and what the source's attempts cost. */
enum reason source_check(const struct moment *moment, const struct address *client, uint64_t ban_hash,
	uint64_t exact_hash, struct source_answer *ret_answer);
/** A proof was seen for this flow's client: tables and counters. */
void source_proven(
	struct stage *stage, const struct moment *moment, const struct address *client, uint8_t fingerprint);

/* stage_attempt.c: rows 6 to 12 */
/** The reflection cap: may a challenge or a refusal still go to the prefix of this client? Takes this lcore's share. */
bool stage_reply_allowed(struct stage *stage, const struct moment *moment, const struct address *client);
/** Phase 3 for an attempt whose identity was prefetched: is it banned, is it a stranger to be challenged? Else its counters are
 * prefetched. */
void stage_attempt_look(struct stage *stage, const struct moment *moment, struct work *work);
enum reason stage_attempt(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision);
/** Rows 6, 7 and 9 to 11 for a source that a cookie has just proven; REASON_COUNT: it may come in. In monitor mode always that. */
enum reason stage_judge_proven(
	struct stage *stage, const struct moment *moment, struct work *work, bool *ret_allowed);
/** A newcomer was accepted, by proof: the next must wait (row 11). Before it is counted. A SYN charges nothing, or a
 * spoofer could pace everybody else out. */
void stage_pace_charge(struct stage *stage, const struct moment *moment);
/** A RST from outside without its flow: is it the answer to a challenge? */
enum reason stage_challenge_answer(struct stage *stage, const struct moment *moment, struct work *work);

/* stage_shape.c: row 7 for prefixes */
/** Are prefixes of this client over their limits, weighted by their clients, and by how much? Changes nothing. *ret_excess
 * only when true. */
bool shape_excess(const struct stage_shared *shared, const struct moment *moment, const struct address *client,
	const struct pressure_handle *opens, struct pressure_excess *ret_excess);
/** Throw the dice: must this attempt be dropped? */
bool shape_drops(struct stage *stage, const struct pressure_excess *excess);
/** A connection of this client was proven: charge its prefixes. */
void shape_charge(struct stage *stage, const struct moment *moment, const struct address *client);
/** A client's proof, quiet_s after the one before it (PROVEN_QUIET_NEW: the first). */
void shape_client_seen(
	struct stage *stage, const struct moment *moment, const struct address *client, uint32_t quiet_s);

/* stage_pressure.c */
/** Count an unproven attempt; enter or leave pressure. */
void service_pressure_attempt(struct stage *stage, const struct moment *moment, uint8_t service);
void service_pressure_step(struct stage *stage, const struct moment *moment);
/** True for every service while the lcore is in flood mode. */
bool service_under_pressure(const struct stage *stage, uint8_t service);
/** No unproven attempt may create state. */
bool stage_in_flood(const struct stage *stage);
/** A segment that could only have been an answer to a challenge, and was not one. */
void challenge_bad_count(struct stage *stage, const struct moment *moment);
/** So many wrong answers come that one may have been guessed: what a cookie proves now is not held against the source. */
bool challenge_is_doubtful(const struct stage *stage, const struct moment *moment);

/* stage_tcp.c, stage_udp.c: row 4 and 5 */
enum reason stage_tcp_outside(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision);
enum reason stage_tcp_inside(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision);
enum reason stage_udp_outside(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision);
enum reason stage_udp_inside(struct stage *stage, const struct moment *moment, struct work *work);
/** The first datagram of a flow counts too. */
void udp_client_said(struct flow *flow, const struct packet *packet);

/* stage_quic.c: services that speak QUIC */
/** A datagram from outside to such a service that belongs to no flow, or to one that was cut. */
enum reason quic_without_flow(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision);
/** In a flow of any UDP service, before flow_touch: does it prove the client? REASON_COUNT: go on, else drop it. */
enum reason quic_from_client(struct stage *stage, const struct moment *moment, struct work *work);
/** Likewise, from the node and about to be forwarded: which id does the node choose? work->flow may be NULL. */
void quic_from_node(struct stage *stage, const struct moment *moment, struct work *work);
/** A flow of any kind ends: its connection is forgotten, unless it lives in another. */
void quic_flow_end(struct stage *stage, const struct moment *moment, const struct flow *flow);
/** A flow of an earlier process is taken over. */
void quic_flow_recount(struct stage *stage, const struct flow *flow);

/* stage_proxy.c: the SYN proxy up to the moment when the node has answered */
/** Challenge this SYN with a proxy cookie: `decision`, which must outlive the burst, says what to answer after proxy_challenges_finish. False: this service, or this SYN, is challenged by reset. */
bool proxy_challenge(struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision);
/** After a burst: its cookies, for which the decisions' sequence numbers have waited. */
static inline void proxy_challenges_finish(struct stage *stage, const struct moment *moment)
{
	if (!cookie_burst_is_empty(&stage->cookies))
		cookie_burst_finish(&stage->cookies, stage_cookie_secrets(stage->shared), stage_cookie_clock_ns(stage->shared, moment));
}
/** Could a segment without a flow be the answer to a proxy cookie? */
bool proxy_expects_cookies(const struct moment *moment, const struct work *work);
/** Does this segment bring a cookie back? Then the node is dialled, or the client refused. REASON_COUNT: no cookie of ours. */
enum reason proxy_answer(struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision);
/** A flow in FLOW_STATE_PROXY_DIAL. */
enum reason proxy_dial_from_client(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision);
enum reason proxy_dial_from_node(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision);
/** Housekeeping of such a flow: the SYN again, or the end. */
void proxy_step(struct stage *stage, const struct moment *moment, struct flow *flow);
/** RST to both ends of a dial; the caller closes the flow. */
void proxy_dial_end(struct stage *stage, const struct moment *moment, struct flow *flow);
/** The node's SYN-ACK says what it offers. */
void proxy_learn(
	struct stage *stage, const struct moment *moment, const struct flow *flow, const struct packet *syn_ack);

/* stage_translate.c: the node's sequence numbers in a flow that the SYN proxy opened */
/** The acknowledgement number of a segment from the client, in the node's numbers. */
static inline uint32_t translate_acknowledgement(const struct flow *flow, uint32_t acknowledgement)
{
	return flow->flags & FLOW_FLAG_TRANSLATED ? acknowledgement - flow->handshake_us : acknowledgement;
}
/** A sequence number of the node, in the client's numbers. */
static inline uint32_t translate_node_sequence(const struct flow *flow, uint32_t sequence)
{
	return flow->flags & FLOW_FLAG_TRANSLATED ? sequence + flow->handshake_us : sequence;
}
/** What must change in a segment of this flow, or in one that an ICMP error quotes, that came in on `side`. */
void translate_decide(const struct flow *flow, enum side side, struct decision *decision);
void translate_quoted_decide(const struct flow *flow, enum side side, struct decision *decision);
/** The node sends its SYN-ACK again: our ACK to it, or what we made of it for the client, was lost. */
enum reason translate_syn_ack_again(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision);
/** The client's first segment since its window opened: the round trip. */
void translate_rtt_take(struct stage *stage, const struct moment *moment, struct flow *flow, uint32_t acknowledgement);

/* stage_flow.c: birth, life and end of a flow */
/** The flow's client is proven: gauges, pacing, concurrency, and the source's tables. */
void flow_take_place(struct stage *stage, const struct moment *moment, struct flow *flow, uint8_t fingerprint);
/** Only its place in the concurrency of its client's prefixes. */
void flow_count_place(struct stage *stage, struct flow *flow);
/** A segment of our own in this flow towards `side`, in the name of the other end; numbers as that side knows them. */
void flow_send_segment(struct stage *stage, const struct moment *moment, const struct flow *flow, enum side side,
	const struct reply_segment *segment);
/** Nothing came from the node yet: a frame to it shows the same layer 2. */
void flow_inside_hop_guess(struct stage *stage, const struct flow *flow, const struct arrival *arrival);
/** NULL: no room. Counts birth and eviction; state is set by the caller through flow_set_state. */
struct flow *flow_birth(struct stage *stage, const struct moment *moment, struct work *work, bool proven);
void flow_set_state(struct stage *stage, struct flow *flow, enum flow_state state);
/** Proven by a handshake: tables, concurrency, gauges, EVENT_FLOW_PROVEN. */
void flow_prove(struct stage *stage, const struct moment *moment, struct flow *flow, uint32_t rtt_us);
/** State CLOSED, and EVENT_FLOW_CLOSED for a proven one. */
void flow_close(struct stage *stage, const struct moment *moment, struct flow *flow, enum closed_by by,
	enum closed_how how);
/** State CUT; an open TCP flow gets a RST to both sides and its event, with `how`. One that has ended sends nothing and lives no
 * longer: only its last segments stop. */
void flow_cut(struct stage *stage, const struct moment *moment, struct flow *flow, enum closed_how how);
/** Forget it: gauges, concurrency, and the event if it was not closed before. */
void flow_forget(struct stage *stage, const struct moment *moment, struct flow *flow, enum closed_how how);
/** The places it holds in gauges and concurrency are given back; the entry stays. */
void flow_release(struct stage *stage, struct flow *flow);
void flow_event(struct stage *stage, const struct moment *moment, const struct flow *flow,
	enum event_kind kind, enum closed_by by, enum closed_how how, uint32_t detail);
void flow_touch(struct stage *stage, const struct moment *moment, struct work *work, struct flow *flow);
bool flow_is_half_open(const struct flow *flow);
/** Look at the bans of a flow's client again: true when the flow was cut. */
bool flow_check_bans(struct stage *stage, const struct moment *moment, struct flow *flow);
/** The same when their epoch has moved. */
static inline bool flow_recheck_bans(struct stage *stage, const struct moment *moment, struct flow *flow)
{
	return flow->ban_epoch != stage_ban_epoch(stage->shared, flow->client) && flow_check_bans(stage, moment, flow);
}
/** Make it look when it is next met. */
static inline void flow_forget_bans(struct stage *stage, struct flow *flow)
{
	flow->ban_epoch = (uint16_t)(stage_ban_epoch(stage->shared, flow->client) - 1);
}

/* stage_activity.c: idle and straggling flows. The inline halves are all that a packet costs while no limit is configured. */
/** Once a poll: begin or end to keep activities, as the policy says. */
void activity_follow(struct stage *stage, const struct moment *moment);
void activity_begin_watched(struct stage *stage, const struct moment *moment, const struct flow *flow);
void activity_of_client_watched(struct stage *stage, const struct moment *moment, const struct flow *flow,
	const struct packet *packet, uint32_t acknowledgement);
void activity_of_node_watched(struct stage *stage, const struct moment *moment, const struct flow *flow,
	const struct packet *packet);
void activity_check_watched(struct stage *stage, const struct moment *moment, struct flow *flow);

/** The flow was proven now. */
static inline void activity_begin(struct stage *stage, const struct moment *moment, const struct flow *flow)
{
	if (stage->activity.watched)
		activity_begin_watched(stage, moment, flow);
}

/** A legal segment of an open flow, before the flow's own numbers advance. `acknowledgement`: in the node's numbers. */
static inline void activity_of_client(struct stage *stage, const struct moment *moment, const struct flow *flow,
	const struct packet *packet, uint32_t acknowledgement)
{
	if (stage->activity.watched)
		activity_of_client_watched(stage, moment, flow, packet, acknowledgement);
}

static inline void activity_of_node(
	struct stage *stage, const struct moment *moment, const struct flow *flow, const struct packet *packet)
{
	if (stage->activity.watched)
		activity_of_node_watched(stage, moment, flow, packet);
}

/** Cut it if it is beyond a limit and enough of this second's cuts are left. */
static inline void activity_check(struct stage *stage, const struct moment *moment, struct flow *flow)
{
	if (stage->activity.watched)
		activity_check_watched(stage, moment, flow);
}

static inline void activity_prefetch(const struct stage *stage, const struct flow *flow)
{
	if (stage->activity.watched && flow != NULL)
		__builtin_prefetch(flow_table_activity(stage->flows, flow), 1);
}

#endif
