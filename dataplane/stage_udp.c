/* SPDX-License-Identifier: BSD-3-Clause
 * Rows 4 and 5 for UDP. Two-way traffic is no proof (a spoofer need not hear the answer): it lengthens a
 * flow's life and its allowance, nothing else. Thread: owning lcore.
 *
 * A flow without proof counts payload exactly where TCP keeps sequence numbers: client_acked from the client, node_acked to it.
 */
#include "dataplane/stage_private.h"

enum {
	/* Datagrams from the client for each of those that it may send before the first answer: enough for an upload that is acknowledged
	 * now and then, and an end to what somebody can send in the name of a client whose ports he knows. */
	UDP_ANSWERED_FACTOR = 16,
	UDP_TALLY_MAX = UINT8_MAX,
	/* The least that a stranger can have sent of whom only the place is known: RFC 9000 8.1, and a query of the smaller protocols. */
	UDP_QUIC_INITIAL_BYTES = 1200,
	UDP_QUESTION_BYTES = 64,
	/* So long an answer may take whose question lost its place to another: nodes answer within milliseconds, overloaded ones late. */
	UDP_DISPLACED_MS = 1000,
};

static const struct image_service *service_of(const struct moment *moment, const struct flow *flow)
{
	return flow->service < moment->rules->n_services ? &moment->rules->services[flow->service] : NULL;
}

static bool is_limited(const struct flow *flow, const struct image_service *service)
{
	return service != NULL && !(flow->flags & (FLOW_FLAG_OUTBOUND | FLOW_FLAG_PROVEN));
}

/* May the client send one more before the node says something? */
static bool allowance_take(const struct moment *moment, struct flow *flow)
{
	const struct image_service *service = service_of(moment, flow);
	unsigned allowed;

	if (!is_limited(flow, service))
		return true;
	allowed = service->udp_unanswered_packets;
	if (flow->state == FLOW_STATE_UDP_TWO_WAY)
		allowed *= UDP_ANSWERED_FACTOR;
	if (flow->tally >= allowed || flow->tally >= UDP_TALLY_MAX)
		return false;
	flow->tally++;
	return true;
}

static void bytes_add(uint32_t *bytes, uint32_t more)
{
	*bytes = *bytes > UINT32_MAX - more ? UINT32_MAX : *bytes + more;
}

/* A first fragment answers for its whole datagram: the others pass unless it was refused. */
static uint32_t answer_bytes(const struct arrival *arrival)
{
	const struct packet *packet = &arrival->packet;
	const uint8_t *length = arrival->frame + packet->l4_offset + 4;
	uint32_t header_bytes = packet->payload_offset - packet->l4_offset,
		 announced_bytes = (uint32_t)length[0] << 8 | length[1];

	return packet->is_fragment && announced_bytes > header_bytes ? announced_bytes - header_bytes : packet->payload_bytes;
}

static enum reason answer_refuse(struct stage *stage, const struct moment *moment, const struct arrival *arrival)
{
	if (arrival->packet.is_fragment)
		fragment_table_add(stage->fragments, &arrival->packet, moment->now_ns);
	return REASON_UDP_AMPLIFICATION;
}

/* Is the node's answer small enough for somebody who may only be a name? */
static bool answer_is_small(const struct moment *moment, struct flow *flow, const struct arrival *arrival)
{
	uint32_t bytes = answer_bytes(arrival);
	const struct image_service *service = service_of(moment, flow);
	uint64_t limit;

	if (!is_limited(flow, service) || service->amplification_limit == 0)
		return true;
	limit = (uint64_t)flow->client_acked * service->amplification_limit;
	if ((uint64_t)flow->node_acked + bytes > limit)
		return false;
	bytes_add(&flow->node_acked, bytes);
	return true;
}

void udp_client_said(struct flow *flow, const struct packet *packet)
{
	bytes_add(&flow->client_acked, packet->payload_bytes);
}

/* What this client was let through with, without state; 0: nothing lately. A place that another took a moment ago may have been his: who
 * floods could else free the answers to all from their limit. */
static uint32_t stateless_bytes(const struct stage *stage, const struct moment *moment, const struct work *work)
{
	const struct stateless *place = &stage->stateless[work->flow_hash % STAGE_STATELESS];
	uint32_t age_ms = moment->now_ms - place->at_ms;

	if (place->payload_bytes == 0)
		return 0;
	if (place->flow_hash == work->flow_hash)
		return age_ms < moment->rules->policy.udp_unanswered_timeout_ms ? place->payload_bytes : 0;
	if (age_ms >= UDP_DISPLACED_MS)
		return 0;
	return moment->rules->services[work->service].quic ? UDP_QUIC_INITIAL_BYTES : UDP_QUESTION_BYTES;
}

static void stateless_remember(struct stage *stage, const struct moment *moment, const struct work *work)
{
	const struct packet *packet = &work->arrival->packet;

	stage->stateless[work->flow_hash % STAGE_STATELESS] = (struct stateless){
		.flow_hash = work->flow_hash,
		.at_ms = moment->now_ms,
		.payload_bytes = packet->payload_bytes > 0 ? packet->payload_bytes : 1,
	};
}

static enum reason without_flow(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision)
{
	enum reason reason = moment->rules->services[work->service].quic
				     ? quic_without_flow(stage, moment, work, decision)
				     : stage_attempt(stage, moment, work, decision);

	if (reason == REASON_ADMITTED_STATELESS)
		stateless_remember(stage, moment, work);
	return reason;
}

enum reason stage_udp_outside(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision)
{
	struct flow *flow = work->flow;
	enum reason reason;

	if (flow == NULL)
		return work->service == SERVICE_NONE ? REASON_OTHER_SERVICE
						     : without_flow(stage, moment, work, decision);
	(void)flow_recheck_bans(stage, moment, flow);
	if (flow->state == FLOW_STATE_CUT) {
		/* The ban may have ended: then this is an attempt like any other, else row 6 says so. */
		return work->service == SERVICE_NONE ? REASON_FLOW_CUT
						     : without_flow(stage, moment, work, decision);
	}
	reason = quic_from_client(stage, moment, work);
	if (reason != REASON_COUNT)
		return reason;
	if (!allowance_take(moment, flow))
		return REASON_FLOW_UDP_UNANSWERED;
	if (flow->state == FLOW_STATE_UDP_NEW && (flow->flags & FLOW_FLAG_OUTBOUND))
		flow_set_state(stage, flow, FLOW_STATE_UDP_TWO_WAY);
	udp_client_said(flow, &work->arrival->packet);
	flow_touch(stage, moment, work, flow);
	return REASON_FLOW;
}

/* The node speaks first, or answers a stranger who was let through without state. */
static enum reason unknown_from_node(struct stage *stage, const struct moment *moment, struct work *work)
{
	uint32_t question_bytes = work->service != SERVICE_NONE ? stateless_bytes(stage, moment, work) : 0;
	struct flow *flow = flow_birth(stage, moment, work, /* proven = */ false);

	if (flow == NULL)
		return REASON_FLOW_FROM_NODE;
	if (question_bytes != 0) {
		flow->client_acked = question_bytes;
		flow_set_state(stage, flow, FLOW_STATE_UDP_TWO_WAY);
		if (!answer_is_small(moment, flow, work->arrival))
			return answer_refuse(stage, moment, work->arrival);
		quic_from_node(stage, moment, work);
	} else {
		flow->flags = FLOW_FLAG_OUTBOUND;
		flow_set_state(stage, flow, FLOW_STATE_UDP_NEW);
	}
	flow_touch(stage, moment, work, flow);
	return REASON_FLOW_FROM_NODE;
}

enum reason stage_udp_inside(struct stage *stage, const struct moment *moment, struct work *work)
{
	struct flow *flow = work->flow;

	if (flow == NULL)
		return unknown_from_node(stage, moment, work);
	(void)flow_recheck_bans(stage, moment, flow);
	if (flow->state == FLOW_STATE_CUT)
		return REASON_FLOW_CUT;
	if (!answer_is_small(moment, flow, work->arrival))
		return answer_refuse(stage, moment, work->arrival);
	if (flow->state == FLOW_STATE_UDP_NEW && !(flow->flags & FLOW_FLAG_OUTBOUND))
		flow_set_state(stage, flow, FLOW_STATE_UDP_TWO_WAY);
	if (is_limited(flow, service_of(moment, flow)))
		flow->tally = 0;
	quic_from_node(stage, moment, work);
	flow_touch(stage, moment, work, flow);
	return REASON_FLOW;
}
