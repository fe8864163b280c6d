/* SPDX-License-Identifier: BSD-3-Clause
 * Birth, proof and end of a flow: the one place that keeps gauges, concurrency and events in step with flow
 * states. Thread: owning lcore only.
 */
#include "dataplane/stage_private.h"

bool flow_is_half_open(const struct flow *flow)
{
	return flow->state == FLOW_STATE_SYN_SENT || flow->state == FLOW_STATE_SYN_ACKED;
}

static void half_open_add(struct stage *stage, const struct flow *flow, int change)
{
	gauge_add(stage, COUNTER_FLOWS_HALF_OPEN, change);
	if (flow->service < IMAGE_SERVICES_MAX)
		stage->services[flow->service].half_open += (uint32_t)change;
}

void flow_set_state(struct stage *stage, struct flow *flow, enum flow_state state)
{
	bool was_half_open = flow_is_half_open(flow);

	flow->state = (uint8_t)state;
	if (flow_is_half_open(flow) != was_half_open)
		half_open_add(stage, flow, was_half_open ? -1 : 1);
}

enum { FLOW_BYTES_MAX = (1 << 24) - 1 };

static uint32_t bytes_of_256(uint32_t units)
{
	return units >= FLOW_BYTES_MAX ? UINT32_MAX : units * 256;
}

/* Control takes 0 for "the client never said anything", so frames without payload do not count, and one with
   some does even when it was rounded away. */
static uint32_t client_bytes(const struct flow *flow)
{
	uint32_t bytes = bytes_of_256(flow->bytes_in_256);

	if ((flow->flags & (FLOW_FLAG_PROVEN | FLOW_FLAG_OUTBOUND)) != FLOW_FLAG_PROVEN)
		return bytes;
	if (!(flow->flags & FLOW_FLAG_PAYLOAD))
		return 0;
	return bytes > 0 ? bytes : 1;
}

void flow_event(struct stage *stage, const struct moment *moment, const struct flow *flow,
	enum event_kind kind, enum closed_by by, enum closed_how how, uint32_t detail)
{
	bool proven = (flow->flags & FLOW_FLAG_PROVEN) != 0;
	bool outbound = (flow->flags & FLOW_FLAG_OUTBOUND) != 0;
	struct event_record event = {
		.time_ns = moment->now_ns,
		.client_port = flow->client_port,
		.kind = (uint8_t)kind,
		/* A handshake that we watched is always evidence; one that a cookie stands for is none where
		   so many wrong ones came that this one may be a guess. */
		.flags = (uint8_t)((proven ? EVENT_FLAG_PROVEN : 0) | (outbound ? EVENT_FLAG_OUTBOUND : 0) |
				   (proven && !outbound && !(flow->flags & FLOW_FLAG_DOUBTED) ? EVENT_FLAG_EVIDENCE
											     : 0)),
		.service = flow->service,
		.protocol = flow->protocol,
		.closed_by = (uint8_t)by,
		.closed_how = (uint8_t)how,
		.rtt_us = proven && !(flow->flags & FLOW_FLAG_TRANSLATED) ? flow->handshake_us : 0,
		.duration_ms = moment->now_ms - flow->born_ms,
		.bytes_in = client_bytes(flow),
		.bytes_out = bytes_of_256(flow->bytes_out_256),
		.detail = detail,
	};

	memcpy(event.client, flow->client, sizeof(event.client));
	stage->output.event(stage->output.context, &event);
}

static void gauges_end(struct stage *stage, const struct flow *flow)
{
	gauge_add(stage, COUNTER_FLOWS, -1);
	counter_add(stage->counters, COUNTER_FLOWS_ENDED, 1);
	if (flow->flags & FLOW_FLAG_PROVEN)
		gauge_add(stage, COUNTER_FLOWS_PROVEN, -1);
	if (flow->flags & FLOW_FLAG_TRANSLATED)
		gauge_add(stage, COUNTER_FLOWS_TRANSLATED, -1);
	if (flow_is_half_open(flow))
		half_open_add(stage, flow, -1);
}

struct flow *flow_birth(struct stage *stage, const struct moment *moment, struct work *work, bool proven)
{
	struct flow evicted;
	struct flow *flow = flow_table_insert(
		stage->flows, &work->key, work->flow_hash, moment->now_ms, proven, &evicted);

	stage->flow_changes++;
	if (flow == NULL)
		return NULL;
	if (evicted.state != FLOW_STATE_FREE) {
		counter_add(stage->counters, COUNTER_FLOWS_EVICTED, 1);
		gauges_end(stage, &evicted);
	}
	flow->service = work->service;
	flow->born_ms = flow->last_ms = moment->now_ms;
	/* The node's own packets are not asked for bans: the next look at the flow does that. */
	flow->ban_epoch = work->ban_epoch;
	if (!work->identity_ready)
		flow_forget_bans(stage, flow);
	counter_add(stage->counters, COUNTER_FLOWS_BORN, 1);
	gauge_add(stage, COUNTER_FLOWS, 1);
	work->flow = flow;
	work->flow_changes = stage->flow_changes;
	return flow;
}

void flow_count_place(struct stage *stage, struct flow *flow)
{
	struct address client = flow_client(flow);

	flow->tally = concurrency_table_add(stage->shared->concurrency, &client);
	flow->flags |= FLOW_FLAG_COUNTED;
	if (flow->tally != 0)
		counter_add(stage->counters, COUNTER_CONCURRENCY_SATURATED, 1);
}

void flow_take_place(struct stage *stage, const struct moment *moment, struct flow *flow, uint8_t fingerprint)
{
	struct address client = flow_client(flow);
	/* An adopted flow was opened earlier: it proves its source but does not count as opened now. */
	bool opened_now = flow->state != FLOW_STATE_ADOPTED;

	flow->flags |= FLOW_FLAG_PROVEN;
	gauge_add(stage, COUNTER_FLOWS_PROVEN, 1);
	if (flow->flags & FLOW_FLAG_OUTBOUND)
		return;
	if (opened_now && !(flow->flags & FLOW_FLAG_ALLOWED))
		stage_pace_charge(stage, moment);
	flow_count_place(stage, flow);
	if (opened_now)
		source_proven(stage, moment, &client, fingerprint);
	else
		flow->flags |= FLOW_FLAG_PAYLOAD;
}

void flow_prove(struct stage *stage, const struct moment *moment, struct flow *flow, uint32_t rtt_us)
{
	uint8_t fingerprint = flow->state == FLOW_STATE_SYN_ACKED ? (uint8_t)flow->node_acked : 0;

	if (flow->flags & FLOW_FLAG_PROVEN)
		return;
	flow->handshake_us = rtt_us;
	/* A node that answered the third SYN took its time, not the client's. */
	flow->born_ms = moment->now_ms;
	flow->node_acked = flow->node_next;
	flow->tally = 0;
	flow_take_place(stage, moment, flow, fingerprint);
	flow_set_state(stage, flow, FLOW_STATE_ESTABLISHED);
	activity_begin(stage, moment, flow);
	if (flow->flags & FLOW_FLAG_OUTBOUND) {
		flow_event(stage, moment, flow, EVENT_FLOW_OUT_RESULT, CLOSED_BY_NONE, CLOSED_HOW_ESTABLISHED,
			0);
		return;
	}
	counter_add(stage->counters, COUNTER_PROOFS_HANDSHAKE, 1);
	flow_event(stage, moment, flow, EVENT_FLOW_PROVEN, CLOSED_BY_NONE, CLOSED_HOW_NONE, 0);
}

void flow_release(struct stage *stage, struct flow *flow)
{
	struct address client = flow_client(flow);

	if (!(flow->flags & FLOW_FLAG_COUNTED))
		return;
	flow->flags &= (uint16_t)~FLOW_FLAG_COUNTED;
	concurrency_table_remove(stage->shared->concurrency, &client, (uint8_t)flow->tally);
}

static bool flow_has_ended(const struct flow *flow)
{
	return flow->state == FLOW_STATE_CLOSED || flow->state == FLOW_STATE_CUT;
}

static void end_event(struct stage *stage, const struct moment *moment, const struct flow *flow,
	enum closed_by by, enum closed_how how)
{
	/* UDP without proof has no ends that anybody could be told of. */
	if (flow->protocol != 6 && !(flow->flags & FLOW_FLAG_PROVEN))
		return;
	/* Nobody was told that it is proven: whoever ends it, the node had not answered. */
	if (flow->state == FLOW_STATE_PROXY_DIAL && how != CLOSED_HOW_BACKEND_REFUSED)
		how = CLOSED_HOW_BACKEND_SILENT;
	if (flow->flags & FLOW_FLAG_OUTBOUND) {
		if (!(flow->flags & FLOW_FLAG_PROVEN))
			flow_event(stage, moment, flow, EVENT_FLOW_OUT_RESULT, by, how, 0);
		return;
	}
	if ((flow->flags & FLOW_FLAG_PROVEN) || how == CLOSED_HOW_BACKEND_REFUSED)
		flow_event(stage, moment, flow, EVENT_FLOW_CLOSED, by, how, 0);
}

void flow_close(struct stage *stage, const struct moment *moment, struct flow *flow, enum closed_by by,
	enum closed_how how)
{
	if (flow_has_ended(flow))
		return;
	end_event(stage, moment, flow, by, how);
	flow_release(stage, flow);
	flow_set_state(stage, flow, FLOW_STATE_CLOSED);
}

static const struct next_hop *flow_hop(const struct stage *stage, const struct flow *flow, enum side side)
{
	unsigned index = side == SIDE_OUTSIDE ? (unsigned)flow->outside_hop : flow->node + 1u;

	/* Taken over from an earlier process and silent since: most links have one router outside, the last
	 * that spoke. */
	if (side == SIDE_OUTSIDE && index == 0)
		index = stage->last_hop[side];
	return index != 0 && stage->hops[side][index].valid ? &stage->hops[side][index] : NULL;
}

void flow_send_segment(struct stage *stage, const struct moment *moment, const struct flow *flow, enum side side,
	const struct reply_segment *segment)
{
	struct address client = flow_client(flow);
	struct reply_tcp tcp = {
		.sequence = segment->sequence,
		.acknowledgement = segment->acknowledgement,
		.flags = segment->flags,
		.window = segment->window,
		.options = segment->options,
	};

	if (flow->node >= moment->rules->n_nodes)
		return;
	if (side == SIDE_OUTSIDE) {
		tcp.source = moment->rules->nodes[flow->node];
		tcp.source_port = flow->node_port;
		tcp.destination = client;
		tcp.destination_port = flow->client_port;
	} else {
		tcp.source = client;
		tcp.source_port = flow->client_port;
		tcp.destination = moment->rules->nodes[flow->node];
		tcp.destination_port = flow->node_port;
	}
	stage->output.send_segment(stage->output.context, side, flow_hop(stage, flow, side), &tcp);
}

static void send_reset(struct stage *stage, const struct moment *moment, const struct flow *flow,
	enum side side, uint32_t sequence, uint32_t acknowledgement)
{
	flow_send_segment(stage, moment, flow, side,
		&(struct reply_segment){.sequence = sequence,
			.acknowledgement = acknowledgement,
			.flags = TCP_FLAG_RST | TCP_FLAG_ACK});
}

/* A receiver takes a RST only at exactly the number it expects (RFC 5961): that is the end of what we forwarded if
 * all of it arrived, else its last acknowledgement. Should both miss, its next segment is answered at its own
 * acknowledgement. */
static void reset_both(struct stage *stage, const struct moment *moment, const struct flow *flow)
{
	bool proven = (flow->flags & FLOW_FLAG_PROVEN) != 0;

	send_reset(stage, moment, flow, SIDE_OUTSIDE, translate_node_sequence(flow, flow->node_next),
		flow->client_next);
	if (proven && !flow->rtt_pending && flow->node_acked != flow->node_next)
		send_reset(stage, moment, flow, SIDE_OUTSIDE, translate_node_sequence(flow, flow->node_acked),
			flow->client_next);
	send_reset(stage, moment, flow, SIDE_INSIDE, flow->client_next, flow->node_next);
	if (proven && flow->client_acked != flow->client_next)
		send_reset(stage, moment, flow, SIDE_INSIDE, flow->client_acked, flow->node_next);
}

static enum counter cut_counter(enum closed_how how)
{
	if (how == CLOSED_HOW_IDLE)
		return COUNTER_FLOWS_IDLE;
	return how == CLOSED_HOW_STRAGGLER ? COUNTER_FLOWS_STRAGGLING : COUNTER_FLOWS_CUT;
}

void flow_cut(struct stage *stage, const struct moment *moment, struct flow *flow, enum closed_how how)
{
	bool dialling = flow->state == FLOW_STATE_PROXY_DIAL;

	if (flow_has_ended(flow)) {
		flow_set_state(stage, flow, FLOW_STATE_CUT);
		return;
	}
	end_event(stage, moment, flow, CLOSED_BY_WEIR, how);
	quic_flow_end(stage, moment, flow);
	flow_release(stage, flow);
	flow_set_state(stage, flow, FLOW_STATE_CUT);
	flow->last_ms = moment->now_ms;
	counter_add(stage->counters, cut_counter(how), 1);
	if (flow->protocol != 6)
		return;
	if (dialling)
		proxy_dial_end(stage, moment, flow);
	else
		reset_both(stage, moment, flow);
}

void flow_forget(struct stage *stage, const struct moment *moment, struct flow *flow, enum closed_how how)
{
	if (!flow_has_ended(flow)) {
		end_event(stage, moment, flow, CLOSED_BY_NONE, how);
		quic_flow_end(stage, moment, flow);
	}
	flow_release(stage, flow);
	gauges_end(stage, flow);
	flow_table_remove(stage->flows, flow);
	stage->flow_changes++;
}

/* Layer 2 of whoever sent this frame, as an index of one byte. Direct-mapped with two tries: a link with more
 * than some hundred neighbours loses only the RSTs to idle flows of some of them, and those are counted. */
static uint8_t hop_find(struct stage *stage, const struct arrival *arrival)
{
	struct next_hop *hops = stage->hops[arrival->side];
	uint8_t last = stage->last_hop[arrival->side];
	struct next_hop hop;
	uint32_t hash = 0;

	memset(&hop, 0, sizeof(hop));
	next_hop_learn(arrival->frame, &arrival->packet, &hop);
	hop.valid = 1;
	if (last != 0 && memcmp(&hops[last], &hop, sizeof(hop)) == 0)
		return last;
	for (unsigned i = 0; i < sizeof(hop.destination_mac); i++)
		hash = hash * 31 + hop.destination_mac[i];
	hash += hop.vlans[0] + 7u * hop.vlans[1];
	for (unsigned try = 0; try < 2; try++) {
		uint8_t index = (uint8_t)(1 + (hash + try) % (STAGE_HOPS - 1));

		if (!hops[index].valid)
			hops[index] = hop;
		if (memcmp(&hops[index], &hop, sizeof(hop)) == 0) {
			stage->last_hop[arrival->side] = index;
			return index;
		}
	}
	return 0;
}

/* The node's own layer 2, one per node address. */
static void inside_hop_learn(struct stage *stage, const struct flow *flow, const struct arrival *arrival)
{
	struct next_hop *hop = &stage->hops[SIDE_INSIDE][flow->node + 1u];

	next_hop_learn(arrival->frame, &arrival->packet, hop);
	hop->valid = 1;
}

void flow_inside_hop_guess(struct stage *stage, const struct flow *flow, const struct arrival *arrival)
{
	struct next_hop *hop = &stage->hops[SIDE_INSIDE][flow->node + 1u];

	if (hop->valid)
		return;
	next_hop_learn(arrival->frame, &arrival->packet, hop);
	memcpy(hop->destination_mac, arrival->frame, sizeof(hop->destination_mac));
	memcpy(hop->source_mac, arrival->frame + 6, sizeof(hop->source_mac));
	hop->valid = 1;
}

void flow_touch(struct stage *stage, const struct moment *moment, struct work *work, struct flow *flow)
{
	const struct arrival *arrival = work->arrival;
	/* Rounded at random, so that many small packets add up to the truth. */
	uint64_t units = (arrival->packet.wire_bytes + (stage_random(stage) & 255u)) >> 8;
	/* Once a second is enough to follow a router that fails over. */
	bool learn = moment->now_ms >> 10 != flow->last_ms >> 10;

	flow->last_ms = moment->now_ms;
	if (arrival->side == SIDE_OUTSIDE) {
		if (learn || flow->outside_hop == 0)
			flow->outside_hop = hop_find(stage, arrival);
		units += flow->bytes_in_256;
		flow->bytes_in_256 = units > FLOW_BYTES_MAX ? FLOW_BYTES_MAX : units;
	} else {
		if (learn || !stage->hops[SIDE_INSIDE][flow->node + 1u].valid)
			inside_hop_learn(stage, flow, arrival);
		units += flow->bytes_out_256;
		flow->bytes_out_256 = units > FLOW_BYTES_MAX ? FLOW_BYTES_MAX : units;
	}
}
