/* SPDX-License-Identifier: BSD-3-Clause
 * THE decision: a burst of parsed frames in, one decision each out. Start reading here, then stage_tcp.c and
 * stage_attempt.c. Four phases over the whole burst, so that memory of one packet is fetched while another
 * is decided. Thread: owning lcore, RCU online. No clock, lock, allocation or system call.
 */
#include "dataplane/stage_private.h"

static bool take(const struct token_bucket_profile *profile, uint64_t *state_ns, const struct moment *moment)
{
	return token_bucket_take(profile, state_ns, moment->now_ns);
}

static enum reason infrastructure(
	struct stage *stage, const struct moment *moment, const struct arrival *arrival)
{
	uint64_t *state_ns = &stage->infrastructure_tat_ns[arrival->side][arrival->packet.infrastructure];

	return take(&moment->rules->infrastructure, state_ns, moment) ? REASON_INFRASTRUCTURE
								      : REASON_INFRASTRUCTURE_BUDGET;
}

/* Which end is the node, and which flow could this be? Row 3 is answered here. */
static enum reason find_ends(const struct ruleset *rules, const struct arrival *arrival, struct work *work)
{
	const struct packet *packet = &arrival->packet;
	bool outside = arrival->side == SIDE_OUTSIDE;
	int node = ruleset_node_find(rules, outside ? &packet->destination : &packet->source);

	/* The node's address cannot come from outside: somebody pretends to be it. */
	if (outside && ruleset_node_find(rules, &packet->source) >= 0)
		return REASON_BAD_IP_SOURCE;
	if (node < 0)
		return REASON_NOT_NODE;
	work->client = outside ? packet->source : packet->destination;
	if (packet->kind != PACKET_KIND_TCP && packet->kind != PACKET_KIND_UDP)
		return REASON_COUNT;
	work->key.client = work->client;
	work->key.client_port = outside ? packet->source_port : packet->destination_port;
	work->key.node_port = outside ? packet->destination_port : packet->source_port;
	work->key.node = (uint8_t)node;
	work->key.protocol = packet->protocol;
	work->service = ruleset_service_find(rules, packet->protocol, work->key.node_port);
	work->has_key = true;
	return REASON_COUNT;
}

/* An ICMP error speaks of the flow that it quotes. */
static void find_quoted(const struct ruleset *rules, const struct arrival *arrival, struct work *work)
{
	const struct packet *packet = &arrival->packet;
	bool outside = arrival->side == SIDE_OUTSIDE;
	int node = packet->quoted_valid ? ruleset_node_find(rules, outside ? &packet->quoted_source
									   : &packet->quoted_destination)
					: -1;

	if (node < 0 || (packet->quoted_protocol != 6 && packet->quoted_protocol != 17))
		return;
	work->key.client = outside ? packet->quoted_destination : packet->quoted_source;
	work->key.client_port = outside ? packet->quoted_destination_port : packet->quoted_source_port;
	work->key.node_port = outside ? packet->quoted_source_port : packet->quoted_destination_port;
	work->key.node = (uint8_t)node;
	work->key.protocol = packet->quoted_protocol;
	work->has_key = true;
}

/* What is not of the source alone. In two pieces, which become vector stores: at once they would be `rep stos`, whose start takes
 * longer than all the stores. */
static inline void work_clear(struct work *work)
{
	enum { BYTES = offsetof(struct work, ban_hash) };

	_Static_assert(BYTES > 64 && BYTES <= 128, "two pieces");
	memset(work, 0, 64);
	memset((uint8_t *)work + 64, 0, BYTES - 64);
}

/* Phase 1 of 4: classify, hash the flow and prefetch its index. */
static void phase_classify(struct stage *stage, const struct moment *moment, struct arrival *const arrivals[],
	unsigned n, struct work works[])
{
	for (unsigned i = 0; i < n; i++) {
		struct work *work = &works[i];
		struct arrival *arrival = arrivals[i];

		work_clear(work);
		work->arrival = arrival;
		work->service = SERVICE_NONE;
		work->settled = REASON_COUNT;
		if (arrival->malformed != REASON_COUNT)
			work->settled = arrival->malformed;
		else if (arrival->packet.kind == PACKET_KIND_INFRASTRUCTURE)
			work->settled = infrastructure(stage, moment, arrival);
		else
			work->settled = find_ends(moment->rules, arrival, work);
		if (work->settled == REASON_COUNT && arrival->packet.kind == PACKET_KIND_ICMP_ERROR)
			find_quoted(moment->rules, arrival, work);
		if (work->has_key)
			work->flow_hash = flow_table_prefetch(stage->flows, &work->key);
	}
}

static bool is_attempt(const struct work *work)
{
	const struct packet *packet = &work->arrival->packet;

	return work->flow == NULL && work->service != SERVICE_NONE && work->arrival->side == SIDE_OUTSIDE &&
	       (packet->kind == PACKET_KIND_UDP || packet_is_attempt_tcp(packet));
}

/* Phase 2 of 4: find the flow; for attempts, the lines that say who the source is. */
static void phase_lookup(struct stage *stage, const struct moment *moment, struct work works[], unsigned n)
{
	/* The index lines have come, the flows themselves have not. A SYN has none as a rule. */
	for (unsigned i = 0; i < n; i++)
		if (works[i].has_key && !packet_is_attempt_tcp(&works[i].arrival->packet))
			(void)flow_table_prefetch_flow(stage->flows, works[i].flow_hash);
	for (unsigned i = 0; i < n; i++) {
		struct work *work = &works[i];

		if (!work->has_key)
			continue;
		work->flow = flow_table_lookup(stage->flows, &work->key, work->flow_hash);
		work->flow_changes = stage->flow_changes;
		activity_prefetch(stage, work->flow);
		if (is_attempt(work))
			source_prefetch_identity(stage->shared, moment->rules, work);
	}
}

/* Phase 3 of 4: the banned and the strangers of a flood need no more lines; the others' counters are fetched. */
static void phase_look(struct stage *stage, const struct moment *moment, struct work works[], unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (works[i].identity_ready)
			stage_attempt_look(stage, moment, &works[i]);
}

/* RFC 5927: it must quote data in flight, which a blind sender does not know. Half-open flows have none to check. */
static bool quotes_data_in_flight(const struct flow *flow, const struct packet *packet)
{
	uint32_t sequence = packet->quoted_tcp_sequence;
	uint32_t acked = flow->node_acked;

	if (packet->quoted_protocol != 6 || !(flow->flags & FLOW_FLAG_PROVEN))
		return true;
	if (flow->state == FLOW_STATE_PROXY_DIAL)
		return false;
	if (flow->flags & FLOW_FLAG_TRANSLATED)
		sequence -= flow->handshake_us;
	/* The client has acknowledged nothing yet: at most a first window is on its way. */
	if (flow->rtt_pending)
		acked = flow->node_next - UINT16_MAX;
	return sequence_after(sequence, flow->node_next) <= 0 && sequence_after(sequence, acked) >= 0;
}

static enum reason icmp_error(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision)
{
	const struct packet *packet = &work->arrival->packet;
	const struct flow *flow = work->flow;
	uint64_t *state_ns;

	if (flow != NULL)
		translate_quoted_decide(flow, work->arrival->side, decision);
	if (work->arrival->side == SIDE_INSIDE)
		return flow != NULL ? REASON_ICMP_OF_FLOW : REASON_FLOW_FROM_NODE;
	if (flow == NULL || !quotes_data_in_flight(flow, packet))
		return REASON_ICMP_UNRELATED;
	state_ns = &stage->icmp_error_tat_ns[(flow->flags & FLOW_FLAG_PROVEN) != 0];
	return take(&moment->rules->icmp, state_ns, moment) ? REASON_ICMP_OF_FLOW
							    : REASON_INFRASTRUCTURE_BUDGET;
}

/* The node's address, but nothing that has flows or is protected: bans and deny lists apply, a rate, default
 * pass. */
static enum reason other(struct stage *stage, const struct moment *moment, struct work *work)
{
	enum source_class class;
	enum reason reason;
	bool allowed;

	if (work->arrival->side == SIDE_INSIDE)
		return REASON_FLOW_FROM_NODE;
	if (!work->source_ready)
		source_prefetch(stage->shared, moment->rules, work);
	reason = source_check_bans(moment, &work->client, work->ban_hash, work->exact_hash, &allowed, &class);
	if (reason != REASON_COUNT)
		return reason;
	if (work->arrival->packet.kind == PACKET_KIND_ICMP_ECHO)
		return take(&moment->rules->icmp, &stage->icmp_tat_ns, moment) ? REASON_ICMP_ECHO
									       : REASON_INFRASTRUCTURE_BUDGET;
	if (moment->rules->policy.other_policy == IMAGE_OTHER_DROP && !allowed)
		return REASON_OTHER_SERVICE_CLOSED;
	return take(&moment->rules->other, &stage->other_tat_ns[allowed], moment) ? REASON_OTHER_SERVICE
										  : REASON_OTHER_SERVICE_RATE;
}

/* A later fragment has no ports: it follows its first one, or the proof of its source. */
static enum reason fragment(struct stage *stage, const struct moment *moment, struct work *work)
{
	enum source_class class;
	enum reason reason;
	bool allowed;

	/* Of the node's datagrams those are remembered whose first fragment was refused: stage_udp.c. */
	if (work->arrival->side == SIDE_INSIDE)
		return fragment_table_has(stage->fragments, &work->arrival->packet, moment->now_ns)
			       ? REASON_UDP_AMPLIFICATION
			       : REASON_FLOW_FROM_NODE;
	if (fragment_table_has(stage->fragments, &work->arrival->packet, moment->now_ns))
		return REASON_FRAGMENT_OF_FLOW;
	source_prefetch(stage->shared, moment->rules, work);
	reason = source_check_bans(moment, &work->client, work->ban_hash, work->exact_hash, &allowed, &class);
	if (reason != REASON_COUNT)
		return reason;
	/* Reordered: the first fragment is still on its way. Whoever may spoof a proven source could send
	 * these for ever, so all of them share a rate. */
	if (!allowed && !proven_table_has(stage->shared->proven, work->proven_hash, moment->now_ns))
		return REASON_FRAGMENT_ORPHAN;
	return take(&moment->rules->other, &stage->fragments_tat_ns, moment) ? REASON_FRAGMENT_OF_FLOW
									     : REASON_FRAGMENT_ORPHAN;
}

static enum reason decide_one(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision)
{
	bool outside = work->arrival->side == SIDE_OUTSIDE;
	enum reason reason;

	/* An earlier packet of this burst made or ended flows: look again, the lines are in the cache. */
	if (work->has_key && work->flow_changes != stage->flow_changes)
		work->flow = flow_table_lookup(stage->flows, &work->key, work->flow_hash);
	switch ((enum packet_kind)work->arrival->packet.kind) {
	case PACKET_KIND_TCP:
		reason = outside ? stage_tcp_outside(stage, moment, work, decision)
				 : stage_tcp_inside(stage, moment, work, decision);
		break;
	case PACKET_KIND_UDP:
		reason = outside ? stage_udp_outside(stage, moment, work, decision)
				 : stage_udp_inside(stage, moment, work);
		break;
	case PACKET_KIND_ICMP_ERROR:
		return icmp_error(stage, moment, work, decision);
	case PACKET_KIND_FRAGMENT:
		return fragment(stage, moment, work);
	default:
		return other(stage, moment, work);
	}
	return reason == REASON_OTHER_SERVICE ? other(stage, moment, work) : reason;
}

/* A malformed segment inside a proven flow is evidence only if a blind sender could not have placed it there.
 */
static void malformed_evidence(struct stage *stage, const struct moment *moment, struct work *work)
{
	const struct packet *packet = &work->arrival->packet;
	struct flow *flow;

	if (work->settled != REASON_BAD_TCP_FLAGS || work->arrival->side != SIDE_OUTSIDE ||
		packet->kind != PACKET_KIND_TCP)
		return;
	if (find_ends(moment->rules, work->arrival, work) != REASON_COUNT || !work->has_key)
		return;
	flow = flow_table_lookup(stage->flows, &work->key, flow_table_prefetch(stage->flows, &work->key));
	if (flow == NULL || !(flow->flags & FLOW_FLAG_PROVEN) || packet->tcp_sequence != flow->client_next ||
		translate_acknowledgement(flow, packet->tcp_acknowledgement) != flow->node_next)
		return;
	flow_event(stage, moment, flow, EVENT_FLOW_MALFORMED, CLOSED_BY_NONE, CLOSED_HOW_NONE, 0);
}

static bool refusal_is_silent(const struct ruleset *rules, const struct work *work)
{
	if (work->arrival->packet.kind != PACKET_KIND_TCP)
		return true;
	return work->service != SERVICE_NONE && !rules->services[work->service].refuse_with_rst;
}

static bool refusal_fits_prefix(struct stage *stage, const struct moment *moment, const struct work *work)
{
	return work->arrival->side != SIDE_OUTSIDE || stage_reply_allowed(stage, moment, &work->client);
}

/* From the reason to what is done with the frame. */
static void conclude(struct stage *stage, const struct moment *moment, struct work *work, enum reason reason,
	struct decision *decision)
{
	const struct reason_info *info = reason_info(reason);

	decision->reason = (uint16_t)reason;
	decision->verdict = info->verdict;
	decision->action = info->action;
	counter_reason_add(stage->counters, reason, 1);
	/* Of TCP and UDP alone: that is all that a device may drop for us (port_offload.c). */
	if (reason == REASON_BANNED && stage->heavy != NULL && work->has_key && heavy_bans_is_due(stage->heavy))
		heavy_bans_sample(stage->heavy, &work->client, moment->now_s, stage_random(stage));
	if (decision->action == WIRE_ACTION_RST &&
		(refusal_is_silent(moment->rules, work) || !refusal_fits_prefix(stage, moment, work) ||
			!take(&moment->rules->replies, &stage->replies_tat_ns, moment)))
		decision->action = WIRE_ACTION_NONE;
	/* The node does not know yet what PROXY_WAITING holds back: that is no verdict about the client. */
	if (moment->rules->policy.mode == IMAGE_MODE_MONITOR && decision->verdict != VERDICT_FORWARD &&
		reason != REASON_PROXY_WAITING) {
		decision->verdict = VERDICT_FORWARD;
		decision->action = WIRE_ACTION_NONE;
		counter_add(stage->counters, COUNTER_MONITORED, 1);
	}
	if (decision->verdict == VERDICT_FORWARD && reason != REASON_NOT_NODE &&
		work->arrival->packet.is_fragment && work->arrival->packet.kind != PACKET_KIND_FRAGMENT &&
		work->arrival->side == SIDE_OUTSIDE) {
		fragment_table_add(stage->fragments, &work->arrival->packet, moment->now_ns);
		counter_add(stage->counters, COUNTER_FRAGMENTS_TRACKED, 1);
	}
}

/* Phase 4 of 4: decide in order of arrival and update. */
static void phase_decide(struct stage *stage, const struct moment *moment, struct work works[], unsigned n,
	struct decision decisions[])
{
	for (unsigned i = 0; i < n; i++) {
		struct work *work = &works[i];
		enum reason reason = work->settled;

		memset(&decisions[i], 0, sizeof(decisions[i]));
		if (reason == REASON_COUNT)
			reason = decide_one(stage, moment, work, &decisions[i]);
		else if (work->arrival->malformed != REASON_COUNT)
			malformed_evidence(stage, moment, work);
		conclude(stage, moment, work, reason, &decisions[i]);
	}
}

void stage_decide_burst(struct stage *stage, const struct ruleset *rules, struct arrival *const arrivals[],
	unsigned n, uint64_t now_ns, struct decision decisions[])
{
	struct moment moment = moment_make(rules, now_ns);
	struct work works[STAGE_BURST_MAX];

	if (n > STAGE_BURST_MAX)
		n = STAGE_BURST_MAX;
	phase_classify(stage, &moment, arrivals, n, works);
	phase_lookup(stage, &moment, works, n);
	phase_look(stage, &moment, works, n);
	phase_decide(stage, &moment, works, n, decisions);
	proxy_challenges_finish(stage, &moment);
}
