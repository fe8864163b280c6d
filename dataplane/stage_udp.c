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
	/* The least that a stranger can have sent whose datagram nobody counted: RFC 9000 8.1, and a query of the smaller protocols. */
	UDP_QUIC_INITIAL_BYTES = 1200,
	UDP_QUESTION_BYTES = 64,
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

/* Is the node's answer small enough for somebody who may only be a name? */
static bool answer_is_small(const struct moment *moment, struct flow *flow, const struct packet *packet)
{
	const struct image_service *service = service_of(moment, flow);
	uint64_t limit;

	if (!is_limited(flow, service) || service->amplification_limit == 0)
		return true;
	limit = (uint64_t)flow->client_acked * service->amplification_limit;
	if ((uint64_t)flow->node_acked + packet->payload_bytes > limit)
		return false;
	bytes_add(&flow->node_acked, packet->payload_bytes);
	return true;
}

void udp_client_said(struct flow *flow, const struct packet *packet)
{
	bytes_add(&flow->client_acked, packet->payload_bytes);
}

static enum reason without_flow(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision)
{
	return moment->rules->services[work->service].quic ? quic_without_flow(stage, moment, work, decision)
							   : stage_attempt(stage, moment, work, decision);
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

/* The node speaks first, or answers a stranger who was let through without state while its service was under pressure. Of him nothing is
 * known but that he sent what the service takes for a beginning. */
static enum reason unknown_from_node(struct stage *stage, const struct moment *moment, struct work *work)
{
	const struct packet *packet = &work->arrival->packet;
	bool answers = work->service != SERVICE_NONE &&
		       (service_under_pressure(stage, work->service) || stage_in_flood(stage));
	struct flow *flow = flow_birth(stage, moment, work, /* proven = */ false);

	if (flow == NULL)
		return REASON_FLOW_FROM_NODE;
	if (answers) {
		flow->client_acked = moment->rules->services[work->service].quic ? UDP_QUIC_INITIAL_BYTES : UDP_QUESTION_BYTES;
		flow_set_state(stage, flow, FLOW_STATE_UDP_TWO_WAY);
		if (!answer_is_small(moment, flow, packet))
			return REASON_UDP_AMPLIFICATION;
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
	if (!answer_is_small(moment, flow, &work->arrival->packet))
		return REASON_UDP_AMPLIFICATION;
	if (flow->state == FLOW_STATE_UDP_NEW && !(flow->flags & FLOW_FLAG_OUTBOUND))
		flow_set_state(stage, flow, FLOW_STATE_UDP_TWO_WAY);
	if (is_limited(flow, service_of(moment, flow)))
		flow->tally = 0;
	quic_from_node(stage, moment, work);
	flow_touch(stage, moment, work, flow);
	return REASON_FLOW;
}
