# SPDX-License-Identifier: BSD-3-Clause
"""Exact averages, dwell, churn and the words of peers and book entries; see tests/mutants.py."""
COUNTERS, PLAN = "control/peer_counters.h", "control/target_plan.c"
MUTANTS = [
    ("counters: averages are as exact as the formulas", COUNTERS, "	double rtt_ms, rtt_min_ms, fetch_ms;", "	float rtt_ms, rtt_min_ms, fetch_ms;", "test_peer_counters"),
    ("plan: who was dialled need not wait", PLAN, "return peer->inbound && peer->group", "return peer->group", "test_target_plan"),
    ("plan: members of groups need not wait", PLAN, "return peer->inbound && peer->group == TARGET_NO_GROUP;", "return peer->inbound;", "test_target_plan"),
    ("plan: members of groups take nobody's place", PLAN, "kind == TARGET_PROMOTE && came_by_itself(&plan->view->peers[item]);", "kind == TARGET_PROMOTE && plan->view->peers[item].inbound;",
     "test_target_plan"),
    ("plan: who came by itself dwells", PLAN, " &&\n						age_ms >= plan->view->dwell_ms", "", "test_target_plan"),
]
