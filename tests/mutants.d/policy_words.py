# SPDX-License-Identifier: BSD-3-Clause
"""Exact averages, dwell, churn and the words of peers and book entries; see tests/mutants.py."""
COUNTERS, PLAN, CHURN = "control/peer_counters.h", "control/target_plan.c", "control/churn.c"
BOOK, VALUE = "control/rpc_methods_book.c", "control/roster_value.c"
MUTANTS = [
    ("counters: averages are as exact as the formulas", COUNTERS, "	double rtt_ms, rtt_min_ms, fetch_ms;", "	float rtt_ms, rtt_min_ms, fetch_ms;", "test_peer_counters"),
    ("plan: who was dialled need not wait", PLAN, "return peer->inbound && peer->group", "return peer->group", "test_target_plan"),
    ("plan: members of groups need not wait", PLAN, "return peer->inbound && peer->group == TARGET_NO_GROUP;", "return peer->inbound;", "test_target_plan"),
    ("plan: members of groups take nobody's place", PLAN, "kind == TARGET_PROMOTE && came_by_itself(&plan->view->peers[item]);", "kind == TARGET_PROMOTE && plan->view->peers[item].inbound;",
     "test_target_plan"),
    ("plan: who came by itself dwells", PLAN, " &&\n						age_ms >= plan->view->dwell_ms", "", "test_target_plan"),
    ("churn: a new state has its own wait", CHURN, "	churn->next_ms = next_ms > now_ms ? next_ms : now_ms;", "", "test_churn"),
    ("churn: a new state counts from the last cycle", CHURN, "int64_t next_ms = churn->whole_ms +", "int64_t next_ms = now_ms +", "test_churn"),
    ("churn: a cycle ends at its restore", CHURN, "		churn->whole_ms = now_ms;\n", "", "test_churn"),
    ("churn: what is reduced is restored in its time", CHURN, " || churn->phase != CHURN_PHASE_WHOLE || is_bulk", " || is_bulk", "test_churn"),
    ("churn: the roster passes the state on", "control/roster_node.c", "	if (state != roster->sync)\n		churn_resync", "	if (0)\n		churn_resync", "test_roster_target"),
    ("roster: Spacetime's reputation is SP-8's", "control/roster_value.c", "return roster->config.profile.value == PROFILE_VALUE_QUALITY ? facts->standing.reputation : reputation_now(roster, facts);",
     "return reputation_now(roster, facts);", "test_roster_tell"),
    ("roster: Dugite's reputation is DU-4's", "control/roster_value.c", "return roster->config.profile.value == PROFILE_VALUE_QUALITY ? facts->standing.reputation : reputation_now(roster, facts);",
     "return facts->standing.reputation;", "test_roster_tell"),
    ("words: DU-2's are understood", "control/peer_category.c", "PEER_SOURCES(SOURCE_ROW) PEER_SOURCE_ALIASES(SOURCE_ROW)}", "PEER_SOURCES(SOURCE_ROW)}", "test_peer_tags"),
    ("words: a mistake in an entry is its own", BOOK, "		return \"ip\";", "		return \"port\";", "test_rpc_node"),
    ("words: a wrong entry is not added", BOOK, "		if (why == NULL) {", "		{", "test_rpc_node"),
    ("words: gossip has a teller", BOOK, "strncmp(word, GOSSIP_OF, prefix) == 0", "0", "test_rpc_node"),
    ("words: the group is told", "control/rpc_peer_tell.c", "	if (group >= groups->n)", "	if (1)", "test_rpc_node"),
    ("value: a new peer has a value to change from", VALUE, "PROFILE_VALUE_LORACHAIN ? ROSTER_LORACHAIN_UNKNOWN : (double)NAN", "PROFILE_VALUE_LORACHAIN ? (double)NAN : (double)NAN",
     "test_roster_tick"),
    ("value: only where a profile names it", VALUE, "PROFILE_VALUE_LORACHAIN ? ROSTER_LORACHAIN_UNKNOWN : (double)NAN", "PROFILE_VALUE_LORACHAIN ? ROSTER_LORACHAIN_UNKNOWN : 0.5", "test_roster_tick"),
    ("value: changes are history", VALUE, "	value_note(roster, peer, value);\n", "", "test_roster_tick"),
]
