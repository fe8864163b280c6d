# SPDX-License-Identifier: BSD-3-Clause
"""Who an id is: opens with ids, what lifts a blacklist, what a restart knows of a banned id; see tests/mutants.py."""
CONNECTION = "control/roster_connection.c"
MUTANTS = [
    ("identity: an id that comes with its connection is bound", CONNECTION, "return r < 0 ? r : bind_at_open(roster, open, *ret_peer);", "return r;",
     "test_roster_identity"),
    ("identity: an open keeps the agent", CONNECTION, "roster_text(roster, roster_peer_at(roster, peer)->agent), roster->now_ms);",
     "\"\", roster->now_ms);", "test_roster_identity"),
]
