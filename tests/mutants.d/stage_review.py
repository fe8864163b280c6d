# SPDX-License-Identifier: BSD-3-Clause
"""Protections that a hostile review of the stage added; see tests/mutants.py."""
TCP, ATTEMPT, STAGE, TEST = "dataplane/stage_tcp.c", "dataplane/stage_attempt.c", "dataplane/stage.c", "test_stage_review"
MUTANTS = [
    ("closed flows that never were proven", TCP,
     "const struct packet *packet = &work->arrival->packet; bool proven = (flow->flags & FLOW_FLAG_PROVEN) != 0;",
     "const struct packet *packet = &work->arrival->packet; bool proven = true;", TEST),
    ("closed flows that stay closed", TCP, "if (flow->state != FLOW_STATE_CLOSED)", "if (1)", TEST),
    ("the allowance of adopted flows", TCP, "if (flow->tally >= ADOPTED_UNANSWERED_MAX)", "if (0)", TEST),
    ("the allowance of dials", TCP, "if (!(packet->tcp_flags & TCP_FLAG_SYN)) { if (flow->tally >= SYN_RESENDS_MAX)",
     "if (!(packet->tcp_flags & TCP_FLAG_SYN)) { if (0)", TEST),
    ("handshakes that the node has answered", TCP, "return flow->state == FLOW_STATE_SYN_ACKED ? REASON_FLOW_SYN_KNOWN :", "return",
     TEST),
    ("SYNs with data", TCP, "sequence_after(packet->tcp_sequence, flow->client_acked);", "sequence_after(packet->tcp_sequence, flow->client_next);",
     TEST),
    ("FINs of blind senders", TCP, "flow->flags &= (uint16_t)~FLOW_FLAG_FIN_CLIENT_SEEN;", "", TEST),
    ("one SYN a second into a silent flow", TCP, "flow->last_ms = moment->now_ms;", ";", TEST),
    ("dials over old flows", TCP, "if (starts && !resent && flow->state != FLOW_STATE_OUT_SYN_SENT)", "if (0)", TEST),
    ("dials that cross with their answer", TCP, "if (starts && !resent &&", "if (starts &&", TEST),
    ("bans behind the node's packets", "dataplane/stage_flow.c", "(work->arrival->side == SIDE_INSIDE ? 1 : 0)", "0", TEST),
    ("the budget of tickets", ATTEMPT, "== PROVEN_YES ? work->key.client_port", "!= PROVEN_NO ? work->key.client_port", TEST),
    ("the number of fragments", "dataplane/fragment_table.c", "entry->followed >= FRAGMENTS_MAX", "0", TEST),
    ("the rate of early fragments", STAGE, "take(&moment->rules->other, &stage->fragments_tat_ns, moment)", "true", TEST),
    ("the budget of ICMP errors", STAGE, "state_ns = &stage->icmp_error_tat_ns[(flow->flags & FLOW_FLAG_PROVEN) != 0];",
     "state_ns = &stage->icmp_tat_ns;", TEST),
    ("UDP of allowed sources", ATTEMPT, "if (reason == REASON_PRESSURE && source->allowed)", "if (0)", TEST),
    ("the rate of allowed sources", STAGE, "&stage->other_tat_ns[allowed]", "&stage->other_tat_ns[0]", TEST),
    ("pressure of services that are gone", "dataplane/stage_pressure.c", "service < IMAGE_SERVICES_MAX; service++", "service < moment->rules->n_services; service++", TEST),
]
