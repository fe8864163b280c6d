/* SPDX-License-Identifier: BSD-3-Clause
 * QUIC on top of stage_udp.c: what opens a connection, who has proven to hear the node, and who is known at a
 * new address. Nothing is decrypted, so an id that the node issues inside encrypted frames is never seen:
 * only the one of its long headers, which a client keeps whose NAT rebinds him. Thread: owning lcore.
 *
 * A flow of a QUIC service keeps 8 bytes of an id where TCP keeps client_next and node_next: first the one
 * that the client chose, from the node's first long header on the node's own. handshake_us tells which: 0
 * before, then that header's time, and once proven the round trip. rtt_pending: it came here from another address,
 * and the node has not shown yet that its client hears it here.
 */
#include "dataplane/quic.h"
#include "dataplane/stage_private.h"

enum {
	/* An id of any length that has a proof fits behind the first byte of a short header of the least length: see quic.c. */
	SHORT_WITH_ID_BYTES_MIN = 29,
	/* A node that sends its first flight again waits at least its first probe timeout, 999 ms (RFC
	 * 9002 6.2.2), of which some take half; what it sends at once comes within a few ms. */
	RESENT_US = 400000,
	/* Before it has validated a path, a node sends at most so many times the bytes that came from there (RFC
	 * 9000 8, 9.3). */
	UNVALIDATED_FACTOR = 3,
	/* A proven flow's id is seen anew in every 2^14 ms in which anybody speaks. */
	SEEN_SHIFT_MS = 14,
	SEEN_PERIOD_S = (1 << SEEN_SHIFT_MS) / 1000 + 1,
};

static const uint8_t *head_of(const struct work *work)
{
	return work->arrival->frame + work->arrival->packet.payload_offset;
}

/* How long the node's ids are, which a short header does not say: nodes choose one length and stay with it. */
static uint8_t node_id_bytes(const struct stage *stage, uint8_t service)
{
	uint8_t bytes = service < IMAGE_SERVICES_MAX ? atomic_load_explicit(&stage->shared->quic_id_bytes[service],
							       memory_order_relaxed)
						     : 0;

	return bytes != 0 ? bytes : QUIC_ID_BYTES_PROOF;
}

static void node_id_bytes_learn(struct stage *stage, uint8_t service, uint8_t bytes)
{
	if (service < IMAGE_SERVICES_MAX && bytes >= QUIC_ID_BYTES_PROOF && bytes <= QUIC_ID_BYTES_MAX &&
		node_id_bytes(stage, service) != bytes)
		atomic_store_explicit(&stage->shared->quic_id_bytes[service], bytes, memory_order_relaxed);
}

/* RFC 9000 14: QUIC is never fragmented. */
static bool datagram_read(const struct stage *stage, const struct work *work, struct quic_datagram *ret_datagram)
{
	const struct packet *packet = &work->arrival->packet;
	uint32_t bytes = packet->payload_bytes,
		 head_bytes = work->arrival->frame_bytes - packet->payload_offset;

	return !packet->is_fragment &&
	       quic_parse(head_of(work), head_bytes, bytes,
		       bytes >= SHORT_WITH_ID_BYTES_MIN ? node_id_bytes(stage, work->service) : 0, ret_datagram);
}

static uint64_t destination_id(const struct work *work, const struct quic_datagram *datagram)
{
	const struct quic_packet *packet = &datagram->packets[0];

	return quic_id(head_of(work), packet->destination_offset, packet->destination_bytes);
}

static uint64_t flow_id(const struct flow *flow)
{
	return (uint64_t)flow->client_next << 32 | flow->node_next;
}

static void flow_id_set(struct flow *flow, uint64_t id)
{
	flow->client_next = (uint32_t)(id >> 32);
	flow->node_next = (uint32_t)id;
}

static bool is_proven(const struct flow *flow)
{
	return (flow->flags & FLOW_FLAG_PROVEN) != 0;
}

static bool flow_has_node_id(const struct flow *flow)
{
	return flow_id(flow) != 0 && (is_proven(flow) || flow->handshake_us != 0);
}

static bool is_quic(const struct moment *moment, const struct flow *flow)
{
	return flow->service < moment->rules->n_services && moment->rules->services[flow->service].quic &&
	       !(flow->flags & FLOW_FLAG_OUTBOUND);
}

/* What the client chose himself proves nothing, even if the node uses it as its own (some do). Whoever shows
 * two such ids may have been answered with the other one: he may come in, but nothing is held against him. */
static void client_id_remember(struct flow *flow, uint64_t id)
{
	if (flow_has_node_id(flow) || flow_id(flow) == id)
		return;
	if (flow_id(flow) != 0)
		flow->flags |= FLOW_FLAG_DOUBTED;
	else
		flow_id_set(flow, id);
}

static void known_add(struct stage *stage, uint64_t id, uint32_t now_s)
{
	switch (connection_table_add(stage->shared->connections, id, now_s)) {
	case CONNECTION_NEW:
		gauge_add(stage, COUNTER_CONNECTION_IDS, 1);
		break;
	case CONNECTION_EVICTED:
		counter_add(stage->counters, COUNTER_CONNECTION_IDS_EVICTED, 1);
		break;
	case CONNECTION_KNOWN:
	case CONNECTION_LOST:
		break;
	}
}

static void known_remove(struct stage *stage, uint64_t id, uint32_t last_s)
{
	gauge_add(stage, COUNTER_CONNECTION_IDS,
		-(int64_t)connection_table_remove(stage->shared->connections, id, last_s));
}

/* Before flow_touch. */
static void known_refresh(struct stage *stage, const struct moment *moment, const struct flow *flow)
{
	if (moment->now_ms >> SEEN_SHIFT_MS != flow->last_ms >> SEEN_SHIFT_MS && flow_has_node_id(flow))
		known_add(stage, flow_id(flow), moment->now_s);
}

/* Whoever sent it has heard the node at this address. */
static void prove(struct stage *stage, const struct moment *moment, struct flow *flow)
{
	uint32_t rtt_us = moment->now_us - flow->handshake_us;

	flow->handshake_us = flow->flags & FLOW_FLAG_SYN_ACK_RESENT ? 0 : rtt_us;
	flow->tally = 0;
	flow_take_place(stage, moment, flow, 0);
	flow_set_state(stage, flow, FLOW_STATE_UDP_TWO_WAY);
	known_add(stage, flow_id(flow), moment->now_s);
	counter_add(stage->counters, COUNTER_PROOFS_CONNECTION_ID, 1);
	if (flow->flags & FLOW_FLAG_DOUBTED)
		counter_add(stage->counters, COUNTER_EVIDENCE_WITHHELD, 1);
	flow->flags |= FLOW_FLAG_PAYLOAD;
	flow_event(stage, moment, flow, EVENT_FLOW_PROVEN, CLOSED_BY_NONE, CLOSED_HOW_NONE, 0);
}

enum reason quic_from_client(struct stage *stage, const struct moment *moment, struct work *work)
{
	struct flow *flow = work->flow;
	struct quic_datagram datagram;
	uint64_t id;

	if (!is_quic(moment, flow))
		return REASON_COUNT;
	if (is_proven(flow)) {
		known_refresh(stage, moment, flow);
		return REASON_COUNT;
	}
	/* What the node does not understand it drops, and the flow's allowance bounds it. */
	if (!datagram_read(stage, work, &datagram))
		return REASON_COUNT;
	if (quic_find(&datagram, QUIC_KIND_INITIAL) != NULL &&
		work->arrival->packet.payload_bytes < QUIC_INITIAL_BYTES_MIN)
		return REASON_QUIC_SHORT_INITIAL;
	id = destination_id(work, &datagram);
	if (id == 0)
		return REASON_COUNT;
	if (flow_has_node_id(flow) && id == flow_id(flow))
		prove(stage, moment, flow);
	else if (quic_is_long(&datagram.packets[0]))
		client_id_remember(flow, id);
	return REASON_COUNT;
}

static void node_id_take(struct stage *stage, const struct moment *moment, struct flow *flow, uint64_t id)
{
	if (flow_has_node_id(flow) && id == flow_id(flow)) {
		/* Karn: which of two sendings was answered? */
		if (!is_proven(flow) && moment->now_us - flow->handshake_us > RESENT_US)
			flow->flags |= FLOW_FLAG_SYN_ACK_RESENT;
		return;
	}
	if (is_proven(flow)) {
		/* Behind Retry, or a new connection between the same ports. */
		if (flow_id(flow) != 0)
			known_remove(stage, flow_id(flow), moment->now_s);
		known_add(stage, id, moment->now_s);
	} else {
		if (!flow_has_node_id(flow) && flow_id(flow) == id)
			return;
		/* Nobody saw what the client began with. */
		if (flow_id(flow) == 0)
			flow->flags |= FLOW_FLAG_DOUBTED;
		flow->flags &= (uint16_t)~FLOW_FLAG_SYN_ACK_RESENT;
		flow->handshake_us = moment->now_us != 0 ? moment->now_us : 1;
	}
	flow_id_set(flow, id);
}

/* The node's word that the client is where he says. Until then the flow takes nobody's place: who knows an id
 * could fill the places of any network in whose name he can send. */
static void path_follow(struct stage *stage, struct flow *flow, const struct packet *packet)
{
	if (!flow->rtt_pending)
		return;
	flow->node_acked += packet->payload_bytes;
	if (flow->node_acked <= (uint64_t)flow->client_acked * UNVALIDATED_FACTOR)
		return;
	flow->rtt_pending = 0;
	flow_count_place(stage, flow);
}

void quic_from_node(struct stage *stage, const struct moment *moment, struct work *work)
{
	struct flow *flow = work->flow;
	const struct quic_packet *packet;
	struct quic_datagram datagram;
	uint64_t id;

	if (flow == NULL || !is_quic(moment, flow))
		return;
	if (is_proven(flow))
		known_refresh(stage, moment, flow);
	path_follow(stage, flow, &work->arrival->packet);
	if (!datagram_read(stage, work, &datagram))
		return;
	packet = &datagram.packets[0];
	/* A negotiation only repeats the ids that the client sent. */
	if (!quic_is_long(packet) || packet->kind == QUIC_KIND_NEGOTIATION)
		return;
	id = quic_id(head_of(work), packet->source_offset, packet->source_bytes);
	node_id_bytes_learn(stage, flow->service, packet->source_bytes);
	if (id != 0)
		node_id_take(stage, moment, flow, id);
}

static uint32_t lifetime_s(const struct moment *moment, const struct work *work)
{
	uint32_t idle_ms = moment->rules->services[work->service].udp_idle_timeout_ms;

	if (idle_ms == 0)
		idle_ms = moment->rules->policy.udp_idle_timeout_ms;
	return idle_ms / 1000 + SEEN_PERIOD_S;
}

/* A known connection at a new address. Whoever moved it knows the node's id, but nothing shows that he hears
 * the node there: so the flow is proven, and no evidence, and the address itself is no proven source. Its
 * connection was opened earlier. */
static enum reason migrate(struct stage *stage, const struct moment *moment, struct work *work, uint64_t id)
{
	struct flow *flow;
	bool allowed;
	enum reason reason = stage_judge_proven(stage, moment, work, &allowed);

	if (reason != REASON_COUNT)
		return reason;
	if (!connection_table_move(stage->shared->connections, id, lifetime_s(moment, work), moment->now_s))
		return REASON_QUIC_NO_CONNECTION;
	if (work->flow != NULL)
		flow_forget(stage, moment, work->flow, CLOSED_HOW_TIMEOUT);
	flow = flow_birth(stage, moment, work, /* proven = */ true);
	if (flow == NULL)
		return REASON_FLOW_TABLE_FULL;
	flow->flags = (uint16_t)(FLOW_FLAG_PROVEN | FLOW_FLAG_DOUBTED | FLOW_FLAG_PAYLOAD |
				 (allowed ? FLOW_FLAG_ALLOWED : 0));
	gauge_add(stage, COUNTER_FLOWS_PROVEN, 1);
	flow_id_set(flow, id);
	flow->rtt_pending = 1;
	udp_client_said(flow, &work->arrival->packet);
	flow_set_state(stage, flow, FLOW_STATE_UDP_TWO_WAY);
	flow_event(stage, moment, flow, EVENT_FLOW_PROVEN, CLOSED_BY_NONE, CLOSED_HOW_NONE, 0);
	flow_touch(stage, moment, work, flow);
	return REASON_QUIC_MIGRATED;
}

/* Row 5. A banned source's is counted as that: devices may drop it for us then. */
static enum reason refuse(const struct work *work, enum reason reason)
{
	return work->source_looked && work->source_reason != REASON_COUNT ? work->source_reason : reason;
}

static enum reason attempt(struct stage *stage, const struct moment *moment, struct work *work,
	struct decision *decision, const struct quic_packet *initial, uint64_t id)
{
	enum reason reason;

	if (work->arrival->packet.payload_bytes < QUIC_INITIAL_BYTES_MIN)
		return refuse(work, REASON_QUIC_SHORT_INITIAL);
	/* RFC 9000 7.2, 17.2. With a token the id is the one of the node's Retry, as short as it likes, and
	 * the client may know from an earlier connection that the node ignores the bit (RFC 9287 3.1). */
	if (initial != NULL && initial->token_bytes == 0 && (id == 0 || !initial->fixed_bit))
		return refuse(work, REASON_QUIC_MALFORMED);
	reason = stage_attempt(stage, moment, work, decision);
	if (work->flow != NULL && work->flow->state == FLOW_STATE_UDP_NEW)
		client_id_remember(work->flow, id);
	return reason;
}

enum reason quic_without_flow(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision)
{
	const struct quic_packet *packet, *initial;
	struct quic_datagram datagram;
	uint64_t id;

	if (!datagram_read(stage, work, &datagram))
		return refuse(work, REASON_QUIC_MALFORMED);
	packet = &datagram.packets[0];
	initial = quic_find(&datagram, QUIC_KIND_INITIAL);
	id = destination_id(work, &datagram);
	if (initial != NULL || packet->kind == QUIC_KIND_OTHER_VERSION)
		return attempt(stage, moment, work, decision, initial, id);
	if (id != 0 && connection_table_may_move(
			       stage->shared->connections, id, lifetime_s(moment, work), moment->now_s))
		return migrate(stage, moment, work, id);
	return refuse(work, packet->fixed_bit || quic_is_long(packet) ? REASON_QUIC_NO_CONNECTION
								      : REASON_QUIC_MALFORMED);
}

void quic_flow_end(struct stage *stage, const struct moment *moment, const struct flow *flow)
{
	uint32_t idle_s = (moment->now_ms - flow->last_ms) / 1000;

	if (flow->protocol == 17 && is_proven(flow) && flow_id(flow) != 0)
		known_remove(stage, flow_id(flow), moment->now_s - idle_s);
}

void quic_flow_recount(struct stage *stage, const struct flow *flow)
{
	if (flow->protocol == 17 && is_proven(flow) && flow_id(flow) != 0)
		known_add(stage, flow_id(flow), (uint32_t)(stage->started_ns / 1000000000));
}
