# SPDX-License-Identifier: BSD-3-Clause
"""Who an id is: opens with ids, what lifts a blacklist, what a restart knows of a banned id; see tests/mutants.py."""
CONNECTION, RECORD = "control/roster_connection.c", "control/roster_record.c"
PEER, QUERY = "control/roster_peer.c", "control/roster_query.c"
MUTANTS = [
    ("identity: an id that comes with its connection is bound", CONNECTION, "return r < 0 ? r : bind_at_open(roster, open, *ret_peer);", "return r;",
     "test_roster_identity"),
    ("identity: an open keeps the agent", CONNECTION, "roster_text(roster, roster_peer_at(roster, peer)->agent), roster->now_ms);",
     "\"\", roster->now_ms);", "test_roster_identity"),
    ("identity: addresses are counted apart from peers", RECORD, "return by_id ? ROSTER_LIST_DISCONNECTED : ROSTER_LIST_HOSTS;",
     "return ROSTER_LIST_DISCONNECTED;", "test_roster_identity"),
    ("identity: addresses are bounded too", RECORD, "[ROSTER_LIST_HOSTS] = roster->config.disconnected_max};", "[ROSTER_LIST_HOSTS] = 0};",
     "test_roster_identity"),
    ("identity: a cap ends no ban of an address", RECORD, "return by_id ? ROSTER_LIST_BANNED : ROSTER_LIST_BANNED_HOSTS;", "return ROSTER_LIST_BANNED;",
     "test_roster_identity"),
    ("identity: a lifted blacklist forgets the failures", PEER, "		peer->facts->standing = (struct value_standing){0};",
     "		peer->facts->standing.blacklisted = false;", "test_roster_identity"),
    ("identity: it is lifted without facts", PEER, "	peer->blacklisted = false;\n", "", "test_roster_identity"),
    ("identity: the blacklisted count among the banned", QUERY, "info.has_ban || roster_facts_of(roster, peer)->standing.blacklisted;", "info.has_ban;",
     "test_roster_identity"),
]
