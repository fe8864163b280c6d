# SPDX-License-Identifier: BSD-3-Clause
"""Who an id is: opens with ids, what lifts a blacklist, what a restart knows of a banned id; see tests/mutants.py."""
CONNECTION, RECORD = "control/roster_connection.c", "control/roster_record.c"
SEEN, BAN, GOVERNOR_PEER, STORED, CLOSE = ("control/governor_seen.c", "control/governor_ban.c", "control/governor_peer.c",
                                          "control/store_record.c", "control/roster_close.c")
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
    ("identity: a banned address is on a list of its own", RECORD, "ROSTER_LIST_BANNED : ROSTER_LIST_BANNED_HOSTS;", "ROSTER_LIST_BANNED : ROSTER_LIST_HOSTS;",
     "test_roster_identity"),
    ("identity: a lifted blacklist forgets the failures", PEER, "		peer->facts->standing = (struct value_standing){0};",
     "		peer->facts->standing.blacklisted = false;", "test_roster_identity"),
    ("identity: it is lifted without facts", PEER, "	peer->blacklisted = false;\n", "", "test_roster_identity"),
    ("identity: the blacklisted count among the banned", QUERY, "info.has_ban || roster_facts_of(roster, peer)->standing.blacklisted;", "info.has_ban;",
     "test_roster_identity"),
    ("identity: the store is told where an id was seen", BAN, "	governor_seen_fill(governor, &stored);\n", "", "test_governor_seen"),
    ("identity: visitors are told where an id was seen", BAN, "		governor_seen_fill(governor, &ban);\n", "", "test_governor_seen"),
    ("identity: a loaded id counts for its address", SEEN, "		governor_group_load(governor, index);", "		(void)index;", "test_governor_seen"),
    ("identity: loading makes nobody give way", SEEN, "if (!known && governor->peers.records.n_used >= governor->config.peers_max)", "if (0)",
     "test_governor_seen"),
    ("identity: who lost its endpoint was there all the same", SEEN, "(peer->bound || peer->group != RECORD_NONE)", "peer->bound", "test_governor_seen"),
    ("identity: an id that moves is stored anew", GOVERNOR_PEER, "	if (moved)\n		governor_seen_store(governor, index);\n", "	(void)moved;\n",
     "test_governor_seen"),
    ("identity: another port is not worth a write", GOVERNOR_PEER, "	if (moved)\n", "", "test_governor_seen"),
    ("identity: a record of an earlier Weir is read", STORED, "if (!reader.failed && reader.at != reader.end) {", "if (!reader.failed) {", "test_store"),
    ("identity: where an id was seen is written", STORED, "	if (ban->has_seen) {", "	if (0) {", "test_store"),
    ("identity: a loaded ban makes no peer give way", CLOSE, "if (index == RECORD_NONE && roster->peers.n_used >= roster->config.peers_max)\n		return;",
     "if (0)\n		return;", "test_roster_identity"),
    ("identity: a loaded peer is not there now", CLOSE, "peer->last_seen_ms = ban->start_ms < roster->now_ms ? ban->start_ms : roster->now_ms;",
     "peer->last_seen_ms = roster->now_ms;", "test_roster_identity"),
    ("identity: a banned host is listed", QUERY, " && record->state.status != PEER_STATUS_BANNED)", ")", "test_roster_identity"),
]
