# SPDX-License-Identifier: BSD-3-Clause
"""What bans do to who is connected, and what is told of it; see tests/mutants.py."""
CLOSE, SESSION, ROSTER = "control/roster_close.c", "control/roster_session.c", "control/roster.c"
MUTANTS = [
    ("closing: the grace begins at the ban", CLOSE, "	roster_clock(roster, roster->governor->now_ms); /* the grace", "	/* the grace", "test_roster_ban"),
    ("closing: a ban is judged with its request", CLOSE, "		roster_ban_loaded(roster, put_or_null);\n	roster_judge_due(roster);\n", "		roster_ban_loaded(roster, put_or_null);\n",
     "test_roster_ban"),
    ("closing: whoever is bound behind a host", CLOSE, "		judge_soon(roster, roster_connection_at(roster, at)->peer);\n", "		continue;\n", "test_roster_ban"),
    ("closing: whoever is in a prefix", CLOSE, "			judge_prefix(roster, &ban->prefix);\n", "			(void)judge_prefix;\n", "test_roster_ban"),
    ("closing: two prefixes", CLOSE, "	while (roster->judge_wide[is_v4] && !prefix_contains(", "	while (0 && !prefix_contains(", "test_roster_ban"),
    ("closing: the narrower prefix second", CLOSE, "	if (roster->judge_wide[is_v4] && around.length > held->length)", "	if (0)", "test_roster_ban"),
    ("closing: the families are apart", CLOSE, "	bool is_v4 = prefix_is_v4(prefix);", "	bool is_v4 = false;", "test_roster_ban"),
    ("closing: prefixes are due at once", ROSTER, "roster_judge_waits(roster) ? roster->now_ms : ", "", "test_roster_ban"),
    ("closing: who left is not behind its host", SESSION, "		leave_host(roster, index, host);\n", "		(void)leave_host;\n", "test_roster_ban"),
    ("closing: an id without a record is banned", "control/roster_query.c", "			info->state.status = PEER_STATUS_BANNED;\n", "			(void)0;\n", "test_roster_ban"),
    ("closing: an id that nobody has seen is listed", CLOSE, "		roster_ban_loaded(roster, put_or_null);\n", "		(void)0;\n", "test_roster_ban"),
    ("closing: what an end makes of the peer", SESSION, "			(void)peer_state_change(&after, occasion_closed(connection), roster->now_ms);\n", "			(void)0;\n", "test_roster_ban"),
    ("closing: the reason outlasts the grace", CLOSE, "		(void)text_pool_hold(roster->texts, reason, &connection->reason);\n", "		(void)0;\n", "test_roster_ban"),
]
