/* SPDX-License-Identifier: BSD-3-Clause
 * Limits on proven TCP flows that only hold their place: no payload either way (policy.md LO-12), or a client
 * that acknowledges nothing of what the node sent (HE-13). Keeps struct flow_activity while one of them is
 * configured, and cuts what is beyond it, so many a second. Thread: owning lcore. Must not touch flows of the
 * allow list or flows that the node opened, and never cuts early: times are rounded in the flow's favour.
 */
#include "dataplane/stage_private.h"

/* 1000 a second and lcore, 100 at once. Each cut is an event and at most four RSTs: the ring of 16,384 events
 * lasts 16 s of an absent control, and the RSTs are 2 Mbit/s. Those cut come back, and a node accepts 1000 a
 * second. A reload that puts 100,000 flows beyond a new limit ends them within 100 s. */
static const struct token_bucket_profile activity_cuts = {
	.interval_ns = 1000000, .tolerance_ns = 99 * 1000000};

enum { ACTIVITY_UNIT_S = 2 };

static uint32_t now_units(const struct moment *moment)
{
	return moment->now_s / ACTIVITY_UNIT_S;
}

void activity_follow(struct stage *stage, const struct moment *moment)
{
	const struct image_policy *policy = &moment->rules->policy;
	bool wanted = policy->payload_idle_timeout_ms != 0 || policy->straggler_timeout_ms != 0;

	if (wanted && !stage->activity.watched)
		stage->activity.since = now_units(moment);
	stage->activity.watched = wanted;
}

/* Most packets come in the same unit as the one before: their line stays clean. */
static void time_set(uint16_t *time, const struct moment *moment)
{
	uint16_t now = (uint16_t)now_units(moment);

	if (*time != now)
		*time = now;
}

void activity_begin_watched(struct stage *stage, const struct moment *moment, const struct flow *flow)
{
	uint16_t now = (uint16_t)now_units(moment);

	*flow_table_activity(stage->flows, flow) =
		(struct flow_activity){.payload_at = now, .progress_at = now};
}

void activity_of_client_watched(struct stage *stage, const struct moment *moment, const struct flow *flow,
	const struct packet *packet, uint32_t acknowledgement)
{
	struct flow_activity *activity = flow_table_activity(stage->flows, flow);
	uint32_t end = packet->tcp_sequence + packet_tcp_sequence_length(packet);

	/* Only what is new: a keep-alive probe may carry an old byte. */
	if (packet->payload_bytes > 0 && sequence_after(end, flow->client_next) > 0)
		time_set(&activity->payload_at, moment);
	if (flow->rtt_pending || sequence_after(acknowledgement, flow->node_acked) > 0)
		time_set(&activity->progress_at, moment);
}

/* While rtt_pending is set, node_acked is a time and the client has not spoken, so all that the node sent is
 * unacknowledged: since the unit after progress_at, when it is not payload_at. */
static bool pending_has_sent(const struct flow_activity *activity)
{
	return activity->payload_at != activity->progress_at;
}

void activity_of_node_watched(struct stage *stage, const struct moment *moment, const struct flow *flow,
	const struct packet *packet)
{
	struct flow_activity *activity = flow_table_activity(stage->flows, flow);
	uint32_t end = packet->tcp_sequence + packet_tcp_sequence_length(packet);

	if (sequence_after(end, flow->node_next) <= 0)
		return;
	if (!flow->rtt_pending) {
		if (flow->node_acked == flow->node_next)
			time_set(&activity->progress_at, moment);
	} else if (packet->payload_bytes > 0 && !pending_has_sent(activity)) {
		activity->progress_at = (uint16_t)(now_units(moment) - 1);
	}
	if (packet->payload_bytes > 0)
		time_set(&activity->payload_at, moment);
}

/* Certainly passed since `time`, or since activities are kept: what is older was not written. */
static uint64_t passed_ms(const struct stage *stage, const struct moment *moment, uint16_t time)
{
	uint32_t age = (uint16_t)(now_units(moment) - time),
		 watched = now_units(moment) - stage->activity.since;

	if (age > watched)
		age = watched;
	return age > 0 ? (age - 1) * UINT64_C(1000) * ACTIVITY_UNIT_S : 0;
}

static bool is_straggling(const struct stage *stage, const struct moment *moment, const struct flow *flow,
	const struct flow_activity *activity)
{
	uint64_t limit_ms = moment->rules->policy.straggler_timeout_ms;
	uint16_t since = activity->progress_at;
	bool outstanding = sequence_after(flow->node_next, flow->node_acked) > 0;

	if (flow->rtt_pending) {
		outstanding = pending_has_sent(activity);
		since++;
	}
	return limit_ms != 0 && outstanding && passed_ms(stage, moment, since) >= limit_ms;
}

static bool is_idle(
	const struct stage *stage, const struct moment *moment, const struct flow_activity *activity)
{
	uint64_t limit_ms = moment->rules->policy.payload_idle_timeout_ms;

	return limit_ms != 0 && passed_ms(stage, moment, activity->payload_at) >= limit_ms;
}

static bool is_limited(const struct flow *flow)
{
	enum { WATCHED = FLOW_FLAG_PROVEN | FLOW_FLAG_OUTBOUND | FLOW_FLAG_ALLOWED };
	bool open = flow->state == FLOW_STATE_ESTABLISHED || flow->state == FLOW_STATE_FIN_CLIENT ||
		    flow->state == FLOW_STATE_FIN_NODE;

	return open && flow->protocol == 6 && (flow->flags & WATCHED) == FLOW_FLAG_PROVEN;
}

void activity_check_watched(struct stage *stage, const struct moment *moment, struct flow *flow)
{
	const struct flow_activity *activity = flow_table_activity(stage->flows, flow);
	enum closed_how how = CLOSED_HOW_NONE;

	if (!is_limited(flow) || moment->rules->policy.mode == IMAGE_MODE_MONITOR)
		return;
	if (is_straggling(stage, moment, flow, activity))
		how = CLOSED_HOW_STRAGGLER;
	else if (is_idle(stage, moment, activity))
		how = CLOSED_HOW_IDLE;
	if (how == CLOSED_HOW_NONE)
		return;
	if (!token_bucket_take(&activity_cuts, &stage->activity.cut_tat_ns, moment->now_ns)) {
		counter_add(stage->counters, COUNTER_CUTS_PUT_OFF, 1);
		return;
	}
	/* An adopted flow was never asked whether its source is on the allow list. */
	flow_forget_bans(stage, flow);
	if (!flow_recheck_bans(stage, moment, flow) && is_limited(flow))
		flow_cut(stage, moment, flow, how);
}
