# SPDX-License-Identifier: BSD-3-Clause
"""Protections that a second hostile review added, of the SYN proxy and of admission; see tests/mutants.py."""
TCP, PROXY, ATTEMPT, TEST = "dataplane/stage_tcp.c", "dataplane/stage_proxy.c", "dataplane/stage_attempt.c", "test_stage_hostile"
MUTANTS = [
    ("cookies of connections that are over", TCP,
     "reason = is_of_ended(flow, packet) ? REASON_COUNT : proxy_answer(stage, moment, work, decision); if (reason",
     "reason = proxy_answer(stage, moment, work, decision); if (reason", TEST),
    ("cookies of new connections", TCP, "return (flow->flags & FLOW_FLAG_TRANSLATED) &&", "return true ||", TEST),
    ("promises that nobody remembers", PROXY, "promised != COOKIE_SCALE_NONE ? promised :", "true ? promised :", TEST),
    ("the beginning of a client's silence", PROXY, "flow->last_ms = flow->born_ms = moment->now_ms;", "flow->last_ms = moment->now_ms;", TEST),
    ("the beginning of a client's silence behind a slow node", "dataplane/stage_flow.c",
     "flow->born_ms = moment->now_ms;\n	flow->node_acked = flow->node_next;", "flow->node_acked = flow->node_next;", TEST),
    ("challenges of allowed sources", ATTEMPT, "source->proven == PROVEN_NO && !source->allowed &&", "source->proven == PROVEN_NO &&", TEST),
    ("a gauge that a new numbering gives back", "dataplane/flow_segment.c", "COUNTER_FLOWS_HALF_OPEN, COUNTER_FLOWS_TRANSLATED };",
     "COUNTER_FLOWS_HALF_OPEN };", "test_flow_segment"),
    ("places of those in whose name an id is shown", "dataplane/stage_quic.c", "flow->rtt_pending = 1;", "flow_count_place(stage, flow);",
     "test_stage_quic"),
    ("places of clients whose path the node trusts", "dataplane/stage_quic.c", "path_follow(stage, flow, &work->arrival->packet);", "",
     "test_stage_quic"),
    ("the narrow path of one client", PROXY, "offer->mss = offer->mss_now; offer->mss_now = 0;",
     "if (offer->mss == 0 || offer->mss > offer->mss_now) offer->mss = offer->mss_now; offer->mss_now = 0;", TEST),
    ("the smallest MSS of now", PROXY, "return offer->mss < offer->mss_now ? offer->mss : offer->mss_now;", "return offer->mss_now;", TEST),
    ("hostile: the ports of an end are its client's", "dataplane/stage_attempt.c", "(work->flow->flags & FLOW_FLAG_TRANSLATED) && has_challenge(moment, work))", "0)",
     "test_stage_hostile"),
    ("hostile: a long id proves by all its bytes", "dataplane/quic.c", "id = (id ^ more) * UINT64_C(0x9e3779b97f4a7c15);", "(void)more;", "test_stage_quic"),
    ("hostile: a short header's id is as long as the node's", "dataplane/stage_quic.c", "return bytes != 0 ? bytes : QUIC_ID_BYTES_PROOF;",
     "return QUIC_ID_BYTES_PROOF;", "test_stage_quic"),
]
