# SPDX-License-Identifier: BSD-3-Clause
"""Protections of local roots that have no group (DU-12, DU-17, 5.5.14); see tests/mutants.py."""
NODE, TOLD, CHURN, POOL = "control/roster_node.c", "control/roster_told.c", "control/roster_churn.c", "control/roster_pool.c"
MUTANTS = [
    ("local root: by its category", NODE, "roster_category(roster, peer) == PEER_CATEGORY_LOCAL_ROOT;", "false;", "test_roster_target"),
    ("local root: no surplus, no stall", TOLD, "roster_peer_on_duty(roster, peer) || roster_is_local_root(roster, peer),",
     "roster_peer_on_duty(roster, peer),", "test_roster_target"),
    ("local root: seen before it is mature", TOLD, "mature_ms ||\n	       roster_is_local_root(roster, peer);", "mature_ms;", "test_roster_target"),
    ("local root: no churn of whoever is connected", CHURN, "roster_is_local_root(roster, at));", "false);", "test_roster_target"),
    ("local root: not optimised away", POOL, "roster_is_local_root(roster, at)};", "false};", "test_roster_tick"),
]
