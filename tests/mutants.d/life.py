# SPDX-License-Identifier: BSD-3-Clause
"""Idle and straggler limits, and the memory that their activities share with free places; see tests/mutants.py."""
ACTIVITY, FLOW, TABLE, TEST = "dataplane/stage_activity.c", "dataplane/stage_flow.c", "dataplane/flow_table.c", "test_stage_activity"
MUTANTS = [
    ("the bound of idle cuts", ACTIVITY, "if (!token_bucket_take(&activity_cuts,", "if (0 && !token_bucket_take(&activity_cuts,", TEST),
    ("the count of idle cuts put off", ACTIVITY, "counter_add(stage->counters, COUNTER_CUTS_PUT_OFF, 1);", "", TEST),
    ("idle time of the allow list", ACTIVITY, "enum { WATCHED = FLOW_FLAG_PROVEN | FLOW_FLAG_OUTBOUND | FLOW_FLAG_ALLOWED };",
     "enum { WATCHED = FLOW_FLAG_PROVEN | FLOW_FLAG_OUTBOUND };", TEST),
    ("idle time of adopted flows on the allow list", ACTIVITY, "flow->ban_epoch = (uint16_t)(moment->ban_epoch - 1);", "", TEST),
    ("idle time of outbound flows", ACTIVITY, "enum { WATCHED = FLOW_FLAG_PROVEN | FLOW_FLAG_OUTBOUND | FLOW_FLAG_ALLOWED };",
     "enum { WATCHED = FLOW_FLAG_PROVEN | FLOW_FLAG_ALLOWED };", TEST),
    ("idle time in monitor mode", ACTIVITY, "if (!is_limited(flow) || moment->rules->policy.mode == IMAGE_MODE_MONITOR)",
     "if (!is_limited(flow))", TEST),
    ("keep-alives of the client", ACTIVITY, "if (packet->payload_bytes > 0 && sequence_after(end, flow->client_next) > 0)",
     "if (packet->payload_bytes > 0)", TEST),
    ("what the node sends again", ACTIVITY, "if (sequence_after(end, flow->node_next) <= 0) return;", "", TEST),
    ("times in the flow's favour", ACTIVITY, "return age > 0 ? (age - 1) *", "return age > 0 ? age *", TEST),
    ("time before activities were kept", ACTIVITY, "if (age > watched)", "if (0)", TEST),
    ("the begin of a flow's activity", FLOW, "activity_begin(stage, moment, flow);", "", TEST),
    ("acknowledgements as progress", ACTIVITY, "if (flow->rtt_pending || sequence_after(acknowledgement, flow->node_acked) > 0)", "if (0)", TEST),
    ("progress that is none", ACTIVITY, "if (flow->node_acked == flow->node_next)", "if (1)", TEST),
    ("a time where an acknowledgement would be", ACTIVITY, "if (flow->rtt_pending) { outstanding", "if (0) { outstanding", TEST),
    ("the unit before the node's first word", ACTIVITY, "activity->progress_at = (uint16_t)(now_units(moment) - 1);", "", TEST),
    ("ended flows that are not cut", FLOW, "if (flow_has_ended(flow)) { flow_set_state", "if (0) { flow_set_state", TEST),
    ("activities that begin empty", TABLE, "table->sides[place].activity = (struct flow_activity){0, 0};", "", TEST),
]
