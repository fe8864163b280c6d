/* SPDX-License-Identifier: BSD-3-Clause
 * Rows 4 and 5 for TCP: what is legal in each state of a flow, seen from the middle. Thread: owning lcore.
 *
 * From outside nothing counts that a blind sender could have sent: a RST or FIN only at the exact sequence
 * number (RFC 5961), an acknowledgement only of what the node has sent. The node is believed.
 */
#include "dataplane/stage_private.h"

enum {
	/* Linux resends a SYN six times (tcp_syn_retries) and a SYN-ACK five; more of the same is not a
	   client that waits. */
	SYN_RESENDS_MAX = 6,
	/* A SYN inside a flow that was silent so long may come from a client that rebooted, or whose address
	 * has another owner now: the node answers with a challenge ACK (RFC 5961 section 4). One a second
	 * costs it less than its own limit of those. */
	SYN_KNOWN_QUIET_MS = 1000,
	SYN_DATA_MAX = 1460,       /* of a full Ethernet frame: Fast Open sends no more with its SYN */
	EARLY_BYTES_MAX = 1 << 16, /* the window of a SYN is not scaled */
	/* How far beyond the node's last acknowledgement a client may have sent: the largest window is 2^30,
	 * but 16 MiB covers 10 Gbit/s over 13 ms, and what lies beyond is forwarded all the same, only not
	 * remembered. */
	WINDOW_TRUSTED_BYTES = 1 << 24,
	/* Segments from outside into an adopted flow between two of the node's: it acknowledges every second
	 * one, or resets what it does not know, within the round trip of its own link; 32 is a burst of 64
	 * KiB offload and more. */
	ADOPTED_UNANSWERED_MAX = 32,
	/* No more than this lies between what a client acknowledges and what the node sends next: the largest windows in use are 16
	 * MiB. Translated numbers are random and come closer once in 32 times; those connections end by time-out. */
	ADOPTED_APART_MAX = 1 << 26,
	/* RFC 5961 section 5 accepts old acknowledgements within the largest window. */
	ACKNOWLEDGEMENT_AGE_MAX = 1 << 30,
};

/* The acknowledgement acknowledges something the node has sent, and nothing it has not. */
static bool acknowledgement_plausible(const struct flow *flow, uint32_t acknowledgement)
{
	int32_t behind = sequence_after(flow->node_next, acknowledgement);

	return behind >= 0 && behind <= ACKNOWLEDGEMENT_AGE_MAX;
}

/* In the node's own numbers. */
static uint32_t acknowledged(const struct flow *flow, const struct packet *packet)
{
	return translate_acknowledgement(flow, packet->tcp_acknowledgement);
}

static void advance(uint32_t *to, uint32_t value)
{
	if (sequence_after(value, *to) > 0)
		*to = value;
}

/* Both directions' FINs acknowledged, or one. */
static void fin_progress_seen(struct stage *stage, const struct moment *moment, struct flow *flow)
{
	bool client_done =
		(flow->flags & FLOW_FLAG_FIN_CLIENT_SEEN) && flow->client_acked == flow->client_next;
	bool node_done = (flow->flags & FLOW_FLAG_FIN_NODE_SEEN) && !flow->rtt_pending &&
			 flow->node_acked == flow->node_next;

	if (client_done && node_done)
		flow_close(stage, moment, flow,
			flow->state == FLOW_STATE_FIN_NODE ? CLOSED_BY_NODE : CLOSED_BY_CLIENT,
			CLOSED_HOW_FIN);
	else if (client_done)
		flow_set_state(stage, flow, FLOW_STATE_FIN_CLIENT);
	else if (node_done)
		flow_set_state(stage, flow, FLOW_STATE_FIN_NODE);
}

/* Nearly all segments are of flows in which nobody has sent one. */
static inline void fin_progress(struct stage *stage, const struct moment *moment, struct flow *flow)
{
	if (flow->flags & (FLOW_FLAG_FIN_CLIENT_SEEN | FLOW_FLAG_FIN_NODE_SEEN))
		fin_progress_seen(stage, moment, flow);
}

static void payload_seen(struct stage *stage, const struct moment *moment, struct flow *flow)
{
	if ((flow->flags & (FLOW_FLAG_PROVEN | FLOW_FLAG_PAYLOAD | FLOW_FLAG_OUTBOUND)) != FLOW_FLAG_PROVEN)
		return;
	flow->flags |= FLOW_FLAG_PAYLOAD;
	flow_event(stage, moment, flow, EVENT_FLOW_PAYLOAD, CLOSED_BY_NONE, CLOSED_HOW_NONE, 0);
}

/* Remember where the client is in its stream. Plausible acknowledgements only, in the node's numbers: a blind segment must
 * not move it. */
static inline void client_advance(struct stage *stage, const struct moment *moment, struct flow *flow, const struct packet *packet,
	uint32_t acknowledgement)
{
	uint32_t end = packet->tcp_sequence + packet_tcp_sequence_length(packet);
	int32_t ahead = sequence_after(end, flow->client_acked);

	activity_of_client(stage, moment, flow, packet, acknowledgement);
	if (flow->rtt_pending)
		translate_rtt_take(stage, moment, flow, acknowledgement);
	advance(&flow->node_acked, acknowledgement);
	if (ahead >= 0 && ahead <= WINDOW_TRUSTED_BYTES) {
		/* A FIN may overtake data that was lost, and counts only once the node acknowledges exactly
		 * its end (fin_progress). Nothing comes behind a real one: what does shows that it was a
		 * blind sender's. */
		if (packet->tcp_flags & TCP_FLAG_FIN) {
			flow->flags |= FLOW_FLAG_FIN_CLIENT_SEEN;
			flow->client_next = end;
		} else if (sequence_after(end, flow->client_next) > 0) {
			flow->flags &= (uint16_t)~FLOW_FLAG_FIN_CLIENT_SEEN;
			flow->client_next = end;
		}
		if (packet->payload_bytes > 0)
			payload_seen(stage, moment, flow);
	}
	fin_progress(stage, moment, flow);
}

static enum reason reset_from_client(struct stage *stage, const struct moment *moment, struct work *work)
{
	struct flow *flow = work->flow;
	uint32_t sequence = work->arrival->packet.tcp_sequence;

	if (sequence != flow->client_next && sequence != flow->client_acked)
		return REASON_FLOW_RST_INEXACT;
	flow_touch(stage, moment, work, flow);
	flow_close(stage, moment, flow, CLOSED_BY_CLIENT, CLOSED_HOW_RST);
	return REASON_FLOW;
}

static enum reason syn_in_open_flow(const struct moment *moment, struct flow *flow, const struct packet *packet)
{
	/* The far end of the node's own connection resends its SYN-ACK when our node's ACK was lost. */
	bool resent = (flow->flags & FLOW_FLAG_OUTBOUND) && (packet->tcp_flags & TCP_FLAG_ACK) &&
		      acknowledgement_plausible(flow, acknowledged(flow, packet));
	bool quiet = moment->now_ms - flow->last_ms >= SYN_KNOWN_QUIET_MS;

	/* Only the node can ask a client that lost its memory to reset the old connection. */
	if (quiet && packet_is_attempt_tcp(packet))
		flow->last_ms = moment->now_ms;
	return resent || (quiet && packet_is_attempt_tcp(packet)) ? REASON_FLOW : REASON_FLOW_SYN_KNOWN;
}

static enum reason open_from_client(struct stage *stage, const struct moment *moment, struct work *work)
{
	struct flow *flow = work->flow;
	const struct packet *packet = &work->arrival->packet;
	uint32_t acknowledgement = acknowledged(flow, packet);

	if (__builtin_expect((packet->tcp_flags & (TCP_FLAG_RST | TCP_FLAG_SYN)) != 0, 0))
		return packet->tcp_flags & TCP_FLAG_RST ? reset_from_client(stage, moment, work)
							: syn_in_open_flow(moment, flow, packet);
	if (!acknowledgement_plausible(flow, acknowledgement))
		return REASON_FLOW_ILLEGAL;
	flow_touch(stage, moment, work, flow);
	client_advance(stage, moment, flow, packet, acknowledgement);
	return REASON_FLOW;
}

/* What the node sent behind its SYN-ACK: the upper 24 bits of node_acked, which the fingerprint leaves free.
 * A first window: at most 64 KiB, so a blind sender's chance stays below one in 2^16 a segment even then. */
static uint32_t early_bytes(const struct flow *flow)
{
	return flow->node_acked >> 8;
}

static void early_data_from_node(struct flow *flow, const struct packet *packet)
{
	uint32_t end = packet->tcp_sequence + packet_tcp_sequence_length(packet);
	uint32_t more = end - flow->node_next;

	if (flow->state != FLOW_STATE_SYN_ACKED || more == 0 || more > EARLY_BYTES_MAX - early_bytes(flow))
		return;
	flow->node_next = end;
	flow->node_acked += more << 8;
}

/* The same SYN again, with as much of its data as the client still wants to send: a resent one has none. */
static bool is_resent_syn(const struct flow *flow, const struct packet *packet)
{
	return flow->client_next - (packet->tcp_sequence + packet_tcp_sequence_length(packet)) <=
	       SYN_DATA_MAX;
}

static bool handshake_completed(const struct flow *flow, const struct packet *packet)
{
	/* From what the node took of the SYN: its data may be refused. */
	int32_t ahead = sequence_after(packet->tcp_sequence, flow->client_acked);
	/* A node that took the data of a Fast Open SYN answers before the ACK comes. */
	uint32_t behind = flow->node_next - packet->tcp_acknowledgement;

	/* Data may overtake a lost first segment; the node's own sequence number is what proves. */
	return flow->state == FLOW_STATE_SYN_ACKED && (packet->tcp_flags & TCP_FLAG_ACK) &&
	       behind <= early_bytes(flow) && ahead >= 0 && ahead <= WINDOW_TRUSTED_BYTES;
}

static enum reason half_open_from_client(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision)
{
	struct flow *flow = work->flow;
	const struct packet *packet = &work->arrival->packet;

	if (packet->tcp_flags & TCP_FLAG_RST) {
		enum reason reason = reset_from_client(stage, moment, work);

		return reason == REASON_FLOW ? reason : stage_challenge_answer(stage, moment, work);
	}
	if (packet_is_attempt_tcp(packet)) {
		if (!is_resent_syn(flow, packet) && work->service == SERVICE_NONE)
			return REASON_OTHER_SERVICE;
		/* The node has answered another SYN. If that one was a stranger's, the client resets the
		 * answer exactly, and its next SYN is an attempt; if this one is, it must not end the
		 * handshake. */
		if (!is_resent_syn(flow, packet))
			return flow->state == FLOW_STATE_SYN_ACKED
				       ? REASON_FLOW_SYN_KNOWN
				       : stage_attempt(stage, moment, work, decision);
		if (flow->tally >= SYN_RESENDS_MAX)
			return REASON_FLOW_ILLEGAL;
		flow->tally++;
		flow_touch(stage, moment, work, flow);
		return REASON_FLOW;
	}
	if ((packet->tcp_flags & TCP_FLAG_SYN) || !handshake_completed(flow, packet)) {
		/* A later SYN of the same ports may have been challenged. */
		enum reason reason = proxy_answer(stage, moment, work, decision);

		return reason != REASON_COUNT ? reason : REASON_FLOW_ILLEGAL;
	}
	flow_touch(stage, moment, work, flow);
	/* Karn: a resent SYN-ACK makes the sample ambiguous (policy.md V40). 0 means none, so a sample is at
	 * least 1. */
	flow_prove(stage, moment, flow,
		(flow->flags & FLOW_FLAG_SYN_ACK_RESENT) ? 0
		: moment->now_us == flow->handshake_us   ? 1
							 : moment->now_us - flow->handshake_us);
	client_advance(stage, moment, flow, packet, acknowledged(flow, packet));
	return REASON_FLOW;
}

/* A segment of the proxied connection that is over. Its first ones carry a cookie that is still good, and those that cross with the
 * node's RST must not open another connection, whose end would be held against the client. */
static bool is_of_ended(const struct flow *flow, const struct packet *packet)
{
	return (flow->flags & FLOW_FLAG_TRANSLATED) && flow->node_next - acknowledged(flow, packet) <= EARLY_BYTES_MAX &&
	       flow->client_next - packet->tcp_sequence <= WINDOW_TRUSTED_BYTES;
}

/* The last ACKs, resent FINs and RSTs of a connection that is over; the node ignores or answers them. One
 * that never was proven has none: it would forward whatever a spoofer sends. */
static enum reason closed_from_client(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision)
{
	const struct flow *flow = work->flow;
	const struct packet *packet = &work->arrival->packet;
	bool proven = (flow->flags & FLOW_FLAG_PROVEN) != 0;
	enum reason reason;

	if (packet->tcp_flags & TCP_FLAG_SYN)
		return REASON_NO_FLOW;
	if (packet->tcp_flags & TCP_FLAG_RST) {
		/* The node did not take the first one, at what we thought to be its number: it says so. */
		bool exact = packet->tcp_sequence == flow->client_next ||
			     packet->tcp_sequence == flow->client_acked;

		return proven && exact ? REASON_FLOW : stage_challenge_answer(stage, moment, work);
	}
	/* A new connection of the same ports, whose SYN was challenged. */
	reason = is_of_ended(flow, packet) ? REASON_COUNT : proxy_answer(stage, moment, work, decision);
	if (reason != REASON_COUNT)
		return reason;
	return proven && acknowledgement_plausible(flow, acknowledged(flow, packet)) ? REASON_FLOW
										      : REASON_FLOW_ILLEGAL;
}

/* The node dialled out and the far end answers. */
static enum reason dialled_from_client(struct stage *stage, const struct moment *moment, struct work *work)
{
	struct flow *flow = work->flow;
	const struct packet *packet = &work->arrival->packet;
	bool answers = (packet->tcp_flags & TCP_FLAG_ACK) && packet->tcp_acknowledgement == flow->node_next;
	uint32_t rtt_us;

	if (packet->tcp_flags & TCP_FLAG_RST) {
		if (!answers)
			return REASON_FLOW_RST_INEXACT;
		flow_close(stage, moment, flow, CLOSED_BY_CLIENT, CLOSED_HOW_RST);
		return REASON_FLOW;
	}
	if ((packet->tcp_flags & TCP_FLAG_SYN) && !answers)
		return REASON_FLOW_ILLEGAL;
	/* A bare ACK answers a connection that the far end still remembers: the node will reset it. One a SYN
	 * is an answer; more is a flood in the far end's name. */
	if (!(packet->tcp_flags & TCP_FLAG_SYN)) {
		if (flow->tally >= SYN_RESENDS_MAX)
			return REASON_FLOW_ILLEGAL;
		flow->tally++;
		return REASON_FLOW;
	}
	flow_touch(stage, moment, work, flow);
	rtt_us = moment->now_us - flow->handshake_us;
	flow->client_next = flow->client_acked = packet->tcp_sequence + packet_tcp_sequence_length(packet);
	flow->node_acked = packet->tcp_acknowledgement;
	flow_prove(stage, moment, flow,
		(flow->flags & FLOW_FLAG_SYN_ACK_RESENT) ? 0
		: rtt_us > 0                             ? rtt_us
							 : 1);
	return REASON_FLOW;
}

static enum reason adopted_from_client(struct stage *stage, const struct moment *moment, struct work *work)
{
	struct flow *flow = work->flow;
	const struct packet *packet = &work->arrival->packet;

	if (packet->tcp_flags & TCP_FLAG_RST)
		return reset_from_client(stage, moment, work);
	if (packet->tcp_flags & TCP_FLAG_SYN)
		return REASON_FLOW_SYN_KNOWN;
	/* Only the node's answers make room and lengthen its life, or a spoofer's flood would keep it alive.
	 */
	if (flow->tally >= ADOPTED_UNANSWERED_MAX)
		return REASON_FLOW_ILLEGAL;
	flow->tally++;
	/* node_acked == node_next: adopted from outside, and the node has not answered yet: nothing to
	 * compare with. */
	if (packet->tcp_acknowledgement == flow->node_next && flow->node_acked != flow->node_next)
		flow_prove(stage, moment, flow, 0);
	advance(&flow->client_next, packet->tcp_sequence + packet_tcp_sequence_length(packet));
	return REASON_FLOW;
}

static enum reason unknown_from_client(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision)
{
	const struct packet *packet = &work->arrival->packet;
	uint64_t window_ns = (uint64_t)moment->rules->policy.adopt_window_ms * 1000000;
	enum source_class class;
	struct flow *flow;
	bool allowed;
	enum reason reason;

	if (packet->tcp_flags & TCP_FLAG_RST)
		return stage_challenge_answer(stage, moment, work);
	reason = proxy_answer(stage, moment, work, decision);
	if (reason != REASON_COUNT)
		return reason;
	if ((packet->tcp_flags & TCP_FLAG_SYN) || moment->now_ns - stage->started_ns >= window_ns) {
		if (!proxy_expects_cookies(moment, work))
			return REASON_NO_FLOW;
		challenge_bad_count(stage, moment);
		return REASON_CHALLENGE_BAD;
	}
	if (!work->source_ready)
		source_prefetch(stage->shared, moment->rules, work);
	reason = source_check_bans(moment, &work->client, work->ban_hash, work->exact_hash, &allowed, &class);
	if (reason != REASON_COUNT)
		return reason;
	if (!token_bucket_take(&moment->rules->adopt, &stage->adopt_tat_ns, moment->now_ns))
		return REASON_NO_FLOW;
	flow = flow_birth(stage, moment, work, /* proven = */ false);
	if (flow == NULL)
		return REASON_FLOW_TABLE_FULL;
	flow->client_acked = packet->tcp_sequence;
	flow->client_next = packet->tcp_sequence + packet_tcp_sequence_length(packet);
	flow->node_next = flow->node_acked = packet->tcp_acknowledgement;
	flow_set_state(stage, flow, FLOW_STATE_ADOPTED);
	flow_touch(stage, moment, work, flow);
	return REASON_FLOW_ADOPTED;
}

static enum reason tcp_outside(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision)
{
	const struct packet *packet = &work->arrival->packet;
	struct flow *flow = work->flow;
	enum reason reason;

	if (flow == NULL) {
		if (work->service == SERVICE_NONE)
			return REASON_OTHER_SERVICE;
		return packet_is_attempt_tcp(packet) ? stage_attempt(stage, moment, work, decision)
					  : unknown_from_client(stage, moment, work, decision);
	}
	(void)flow_recheck_bans(stage, moment, flow);
	switch ((enum flow_state)flow->state) {
	case FLOW_STATE_SYN_SENT:
	case FLOW_STATE_SYN_ACKED:
		return half_open_from_client(stage, moment, work, decision);
	case FLOW_STATE_ESTABLISHED:
	case FLOW_STATE_FIN_CLIENT:
	case FLOW_STATE_FIN_NODE:
		return open_from_client(stage, moment, work);
	case FLOW_STATE_CLOSED:
		if (packet_is_attempt_tcp(packet) && work->service != SERVICE_NONE)
			return stage_attempt(stage, moment, work, decision);
		return closed_from_client(stage, moment, work, decision);
	case FLOW_STATE_CUT:
		if (packet_is_attempt_tcp(packet) && work->service != SERVICE_NONE)
			return stage_attempt(stage, moment, work, decision);
		reason = is_of_ended(flow, packet) ? REASON_COUNT : proxy_answer(stage, moment, work, decision);
		return reason != REASON_COUNT ? reason : REASON_FLOW_CUT;
	case FLOW_STATE_OUT_SYN_SENT:
		return dialled_from_client(stage, moment, work);
	case FLOW_STATE_ADOPTED:
		return adopted_from_client(stage, moment, work);
	case FLOW_STATE_PROXY_DIAL:
		return proxy_dial_from_client(stage, moment, work, decision);
	case FLOW_STATE_FREE:
	case FLOW_STATE_UDP_NEW:
	case FLOW_STATE_UDP_TWO_WAY:
	case FLOW_STATE_COUNT:
		break;
	}
	return REASON_FLOW_ILLEGAL;
}

enum reason stage_tcp_outside(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision)
{
	enum reason reason = tcp_outside(stage, moment, work, decision);

	if (work->flow != NULL)
		translate_decide(work->flow, SIDE_OUTSIDE, decision);
	return reason;
}

/* The node's SYN-ACK, first, resent or anew. */
static void syn_ack_from_node(
	struct stage *stage, const struct moment *moment, struct flow *flow, const struct packet *packet)
{
	uint32_t next = packet->tcp_sequence + packet_tcp_sequence_length(packet);

	if (flow->state == FLOW_STATE_SYN_ACKED && flow->node_next - early_bytes(flow) == next) {
		flow->flags |= FLOW_FLAG_SYN_ACK_RESENT;
	} else {
		flow->handshake_us = moment->now_us;
		flow->node_next = next;
		flow->node_acked &= 0xff;
	}
	flow->client_acked = packet->tcp_acknowledgement;
	proxy_learn(stage, moment, flow, packet);
}

static void dial_from_node(
	struct stage *stage, const struct moment *moment, struct flow *flow, const struct packet *packet)
{
	uint32_t next = packet->tcp_sequence + packet_tcp_sequence_length(packet);

	if (flow->state == FLOW_STATE_OUT_SYN_SENT && flow->node_next == next) {
		flow->flags |= FLOW_FLAG_SYN_ACK_RESENT;
		return;
	}
	flow->flags = FLOW_FLAG_OUTBOUND;
	flow->node_next = next;
	flow->node_acked = packet->tcp_sequence;
	flow->handshake_us = moment->now_us;
	flow_set_state(stage, flow, FLOW_STATE_OUT_SYN_SENT);
}

static void node_advance(
	struct stage *stage, const struct moment *moment, struct flow *flow, const struct packet *packet)
{
	uint32_t end = packet->tcp_sequence + packet_tcp_sequence_length(packet);

	activity_of_node(stage, moment, flow, packet);
	if (packet->tcp_flags & TCP_FLAG_ACK)
		advance(&flow->client_acked, packet->tcp_acknowledgement);
	advance(&flow->node_next, end);
	if (packet->tcp_flags & TCP_FLAG_FIN)
		flow->flags |= FLOW_FLAG_FIN_NODE_SEEN;
	/* What the node still sends after a RST must not bring the flow back to life. */
	if (flow->state != FLOW_STATE_CLOSED)
		fin_progress(stage, moment, flow);
}

static enum reason unknown_from_node(struct stage *stage, const struct moment *moment, struct work *work)
{
	const struct packet *packet = &work->arrival->packet;
	bool syn = (packet->tcp_flags & TCP_FLAG_SYN) != 0;
	struct flow *flow;

	if (packet->tcp_flags & TCP_FLAG_RST)
		return REASON_FLOW_FROM_NODE;
	flow = flow_birth(stage, moment, work, /* proven = */ false);
	if (flow == NULL)
		return REASON_FLOW_FROM_NODE; /* the node's word goes out even when it cannot be remembered */
	if (syn && !(packet->tcp_flags & TCP_FLAG_ACK)) {
		flow->service = SERVICE_NONE;
		dial_from_node(stage, moment, flow, packet);
	} else if (syn) {
		flow->client_next = packet->tcp_acknowledgement;
		syn_ack_from_node(stage, moment, flow, packet);
		flow_set_state(stage, flow, FLOW_STATE_SYN_ACKED);
	} else {
		flow->client_next = flow->client_acked = packet->tcp_acknowledgement;
		flow->node_next = packet->tcp_sequence + packet_tcp_sequence_length(packet);
		flow->node_acked = 0;
		flow_set_state(stage, flow, FLOW_STATE_ADOPTED);
	}
	flow_touch(stage, moment, work, flow);
	return syn ? REASON_FLOW_FROM_NODE : REASON_FLOW_ADOPTED;
}

static enum reason adopted_from_node(
	struct stage *stage, const struct moment *moment, struct flow *flow, const struct packet *packet)
{
	bool acknowledges = (packet->tcp_flags & TCP_FLAG_ACK) != 0;
	bool heard_client_first = flow->node_acked != 0;
	int32_t apart = sequence_after(packet->tcp_sequence, flow->node_acked);
	/* The client's own numbers are never translated: only it, and no stranger in its name, knows exactly which one the node
	 * expects (RFC 5961). */
	bool is_client = packet->tcp_acknowledgement == flow->client_next ||
			 packet->tcp_acknowledgement == flow->client_acked;

	/* The client acknowledges what the node never sent: its numbers were translated by a dataplane whose flows are
	 * lost. Neither end can be helped but by a RST (design.md section 4). */
	if (heard_client_first && acknowledges && is_client &&
		(apart > ADOPTED_APART_MAX || apart < -ADOPTED_APART_MAX)) {
		flow->node_next = flow->node_acked;
		flow->client_next = packet->tcp_acknowledgement;
		flow_cut(stage, moment, flow, CLOSED_HOW_RST);
		return REASON_FLOW_CUT;
	}
	flow->tally = 0;
	flow->node_next = packet->tcp_sequence + packet_tcp_sequence_length(packet);
	if (acknowledges)
		flow->client_acked = packet->tcp_acknowledgement;
	/* In sequence: the node continues where the client said it was, so the client had heard it (row 5). */
	if (heard_client_first && acknowledges && apart == 0)
		flow_prove(stage, moment, flow, 0);
	return REASON_FLOW;
}

static enum reason tcp_inside(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision)
{
	const struct packet *packet = &work->arrival->packet;
	struct flow *flow = work->flow;
	bool starts, resent;

	if (flow == NULL)
		return unknown_from_node(stage, moment, work);
	(void)flow_recheck_bans(stage, moment, flow);
	if (flow->state == FLOW_STATE_PROXY_DIAL)
		return proxy_dial_from_node(stage, moment, work, decision);
	starts = packet_is_attempt_tcp(packet);
	if (flow->state == FLOW_STATE_CUT && !starts)
		return REASON_FLOW_CUT;
	/* Whatever we remember of these ports, the node has no connection on them when it dials; unless the
	 * answer to its first SYN crosses with its second. */
	resent = (flow->flags & FLOW_FLAG_OUTBOUND) &&
		 flow->node_next == packet->tcp_sequence + packet_tcp_sequence_length(packet);
	if (starts && !resent && flow->state != FLOW_STATE_OUT_SYN_SENT) {
		flow_forget(stage, moment, flow, CLOSED_HOW_TIMEOUT);
		work->flow = NULL;
		return unknown_from_node(stage, moment, work);
	}
	flow_touch(stage, moment, work, flow);
	if (packet->tcp_flags & TCP_FLAG_RST) {
		flow_close(stage, moment, flow, CLOSED_BY_NODE,
			flow->state == FLOW_STATE_SYN_SENT ? CLOSED_HOW_BACKEND_REFUSED : CLOSED_HOW_RST);
		return REASON_FLOW;
	}
	switch ((enum flow_state)flow->state) {
	case FLOW_STATE_SYN_SENT:
	case FLOW_STATE_SYN_ACKED:
		if (packet->tcp_flags & TCP_FLAG_SYN) {
			syn_ack_from_node(stage, moment, flow, packet);
			flow_set_state(stage, flow, FLOW_STATE_SYN_ACKED);
		} else if (packet->tcp_flags & TCP_FLAG_ACK) {
			/* A challenge ACK to a SYN that replaced another: the client's RST will be exact
			 * there. */
			flow->client_acked = packet->tcp_acknowledgement;
			early_data_from_node(flow, packet);
		}
		break;
	case FLOW_STATE_OUT_SYN_SENT:
		if (starts)
			dial_from_node(stage, moment, flow, packet);
		break;
	case FLOW_STATE_ADOPTED:
		return adopted_from_node(stage, moment, flow, packet);
	default:
		if ((flow->flags & FLOW_FLAG_TRANSLATED) && (packet->tcp_flags & TCP_FLAG_SYN))
			return translate_syn_ack_again(stage, moment, work, decision);
		node_advance(stage, moment, flow, packet);
		break;
	}
	return REASON_FLOW;
}

enum reason stage_tcp_inside(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision)
{
	enum reason reason = tcp_inside(stage, moment, work, decision);

	if (work->flow != NULL)
		translate_decide(work->flow, SIDE_INSIDE, decision);
	return reason;
}
