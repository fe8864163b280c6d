/* SPDX-License-Identifier: BSD-3-Clause
 * Rows 4 and 5 for UDP. Two-way traffic is no proof (a spoofer need not hear the answer): it lengthens a
 * flow's life and lifts the limit of packets, nothing else. Thread: owning lcore.
 */
#include "dataplane/stage_private.h"

enum reason stage_udp_outside(
	struct stage *stage, const struct moment *moment, struct work *work, struct decision *decision)
{
	struct flow *flow = work->flow;

	if (flow == NULL)
		return work->service == SERVICE_NONE ? REASON_OTHER_SERVICE
						     : stage_attempt(stage, moment, work, decision);
	(void)flow_recheck_bans(stage, moment, flow);
	if (flow->state == FLOW_STATE_CUT) {
		/* The ban may have ended: then this is an attempt like any other, else row 6 says so. */
		return work->service == SERVICE_NONE ? REASON_FLOW_CUT
						     : stage_attempt(stage, moment, work, decision);
	}
	if (flow->state == FLOW_STATE_UDP_NEW && !(flow->flags & FLOW_FLAG_OUTBOUND)) {
		uint8_t allowed = work->service == SERVICE_NONE
					  ? UINT8_MAX
					  : moment->rules->services[work->service].udp_unanswered_packets;

		if (flow->tally >= allowed)
			return REASON_FLOW_UDP_UNANSWERED;
		flow->tally++;
	} else if (flow->state == FLOW_STATE_UDP_NEW) {
		flow_set_state(stage, flow, FLOW_STATE_UDP_TWO_WAY);
	}
	flow_touch(stage, moment, work, flow);
	return REASON_FLOW;
}

enum reason stage_udp_inside(struct stage *stage, const struct moment *moment, struct work *work)
{
	struct flow *flow = work->flow;

	if (flow == NULL) {
		flow = flow_birth(stage, moment, work, /* proven = */ false);
		if (flow == NULL)
			return REASON_FLOW_FROM_NODE;
		flow->flags = FLOW_FLAG_OUTBOUND;
		flow_set_state(stage, flow, FLOW_STATE_UDP_NEW);
		flow_touch(stage, moment, work, flow);
		return REASON_FLOW_FROM_NODE;
	}
	(void)flow_recheck_bans(stage, moment, flow);
	if (flow->state == FLOW_STATE_CUT)
		return REASON_FLOW_CUT;
	if (flow->state == FLOW_STATE_UDP_NEW && !(flow->flags & FLOW_FLAG_OUTBOUND))
		flow_set_state(stage, flow, FLOW_STATE_UDP_TWO_WAY);
	flow_touch(stage, moment, work, flow);
	return REASON_FLOW;
}
