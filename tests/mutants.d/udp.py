# SPDX-License-Identifier: BSD-3-Clause
"""Protections of UDP without proof; see tests/mutants.py."""
UDP, ATTEMPT, TEST = "dataplane/stage_udp.c", "dataplane/stage_attempt.c", "test_stage_udp"
MUTANTS = [
    ("udp: an allowance before and after answers", UDP, "flow->tally >= allowed || flow->tally >= UDP_TALLY_MAX", "0", TEST),
    ("udp: the node's answer renews it", UDP, "flow->tally = 0;", "", TEST),
    ("udp: who the node asked may answer", UDP, "(FLOW_FLAG_OUTBOUND | FLOW_FLAG_PROVEN)", "FLOW_FLAG_PROVEN", TEST),
    ("udp: answers are no more than so many times the question", UDP, "+ bytes > limit", "> limit && 0", TEST),
    ("udp: the first datagram counts", ATTEMPT, "udp_client_said(flow, packet);", "", TEST),
    ("udp: an uncounted question is taken for a small one", UDP, "UDP_QUESTION_BYTES = 64,", "UDP_QUESTION_BYTES = 6400,", TEST),
    ("udp: an answer in fragments counts whole", UDP, "packet->is_fragment && announced_bytes > header_bytes ?", "0 ?", TEST),
    ("udp: fragments behind a refused one", UDP, "if (arrival->packet.is_fragment)", "if (0)", TEST),
    ("udp: what was let through without state", UDP, "if (reason == REASON_ADMITTED_STATELESS)", "if (0)", TEST),
    ("udp: what others displaced", UDP, "if (age_ms >= UDP_DISPLACED_MS)", "if (1)", TEST),
    ("udp: the node's own packets under pressure", UDP, "if (place->payload_bytes == 0) return 0;", "if (place->payload_bytes == 0) return 64;", TEST),
    ("udp: strangers are paced", ATTEMPT, "token_bucket_take(&share, &stage->paced_tat_ns[work->service], moment->now_ns);", "true;", TEST),
    ("udp: nobody is paced where none may pass", ATTEMPT, "return share.interval_ns != 0 &&", "return", TEST),
    ("udp: a pressing prefix takes no places", ATTEMPT, "reason == REASON_PRESSURE && !prefix_presses && paced_take", "reason == REASON_PRESSURE && paced_take", TEST),
]
