# SPDX-License-Identifier: BSD-3-Clause
"""Ended bans, places of banned ids, limits of concurrency and why; see tests/mutants.py."""
HISTORY, BAN = "control/ban_history.c", "control/governor_ban.c"
MUTANTS = [
    ("admission: ended bans are kept", BAN, "ban_history_add(&governor->ended, &ban, why, governor->now_ms);", ";", "test_ban_history"),
    ("admission: a throttle is not among them", BAN, "if (is_stored(ban.tier)) /* T1", "if (1) /* T1", "test_ban_history"),
    ("admission: what was overwritten is not found", HISTORY, "|| history->n - number >= BAN_HISTORY_PLACES", "", "test_ban_history"),
    ("admission: a page goes on behind its last", BAN, "? before - 1 :", "? before :", "test_ban_history"),
]
