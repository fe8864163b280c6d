# SPDX-License-Identifier: BSD-3-Clause
"""Ended bans, places of banned ids, limits of concurrency and why; see tests/mutants.py."""
HISTORY, BAN, PLACES = "control/ban_history.c", "control/governor_ban.c", "control/roster_places.c"
ADMIT, SESSION, RECORD = "control/roster_admit.c", "control/roster_session.c", "control/roster_record.c"
WHY, ENDED, QUERY = "control/rpc_why.c", "control/rpc_ban_ended.c", "control/governor_query.c"
MUTANTS = [
    ("admission: ended bans are kept", BAN, "ban_history_add(&governor->ended, &ban, why, governor->now_ms);", ";", "test_ban_history"),
    ("admission: a throttle is not among them", BAN, "if (is_stored(ban.tier)) /* T1", "if (1) /* T1", "test_ban_history"),
    ("admission: what was overwritten is not found", HISTORY, "|| history->n - number >= BAN_HISTORY_PLACES", "", "test_ban_history"),
    ("admission: a page goes on behind its last", BAN, "? before - 1 :", "? before :", "test_ban_history"),
    ("admission: connections of a prefix", ADMIT, "if (open->inbound && !roster_place_free(roster, &open->address))", "if (0)", "test_roster_admit"),
    ("admission: at each level", PLACES, "if (n != RECORD_NONE && n >= limits[level])", "if (level == 0 && n != RECORD_NONE && n >= limits[level])", "test_roster_admit"),
    ("admission: a limit of 0 is none", PLACES, "limits[level] != 0 ? prefix_tree_find(&roster->places, &key) : RECORD_NONE", "prefix_tree_find(&roster->places, &key)", "test_roster_admit"),
    ("admission: we may dial anybody", PLACES, "connection->placed || !connection->inbound ||", "connection->placed ||", "test_roster_admit"),
    ("admission: a dataplane counts its own flows", PLACES, "|| connection->service != ROSTER_SERVICE_NONE)", ")", "test_roster_admit"),
    ("admission: a place that was left is free", SESSION, "roster_place_give(roster, connection);", "", "test_roster_admit"),
    ("admission: a question takes no token", ADMIT, "bool allowed = trial == TRIAL_ASKED", "bool allowed = false", "test_roster_admit"),
    ("admission: a question displaces nobody", ADMIT, "if (trial == TRIAL_BEGINS)\n			roster_close_peer(", "if (1)\n			roster_close_peer(", "test_roster_admit"),
    ("admission: a question throttles nobody", ADMIT, "if (trial == TRIAL_BEGINS)\n			roster_throttle_newcomer(", "if (1)\n			roster_throttle_newcomer(", "test_roster_admit"),
    ("admission: a question remembers nobody", ADMIT, "if (!is_known)\n		roster_stranger_give(roster, peer);", "", "test_roster_admit"),
    ("admission: nor the id", RECORD, "	text_pool_drop(roster->texts, peer->id);\n	peer->list = ROSTER_LIST_GIVEN;\n	record_pool_give", "	peer->list = ROSTER_LIST_GIVEN;\n	record_pool_give", "test_roster_admit"),
    ("admission: a stranger's address has tags", RECORD, "r = id_or_null != NULL ? text_pool_hold(roster->texts, id_or_null, &peer->id) : 0;\n	if (r < 0) {\n		roster_stranger_give", "r = 0;\n	if (r < 0) {\n		roster_stranger_give", "test_roster_admit"),
    ("admission: why tells the tiers of the id", WHY, "tiers_json(why->tiers | subject.id.tiers)", "tiers_json(why->tiers)", "test_rpc_answers"),
    ("admission: all of them", QUERY, "ret_info->tiers = tiers_of(governor, chain);", "ret_info->tiers = ret_info->has_ban ? 1u << ret_info->ban.tier : 0;", "test_rpc_answers"),
    ("admission: the address comes before the id", WHY, "if (subject->has_id && strcmp(conclusion.verdict, \"forward\") == 0) {", "if (subject->has_id) {", "test_rpc_answers"),
    ("admission: a banned id is refused when it is bound", WHY, "if (strcmp(bound.verdict, \"forward\") != 0)\n			return bound;", "", "test_rpc_answers"),
    ("admission: the stronger ban", WHY, "(subject->ban == NULL || ban_is_stronger(&subject->id.ban, subject->ban))", "subject->ban == NULL", "test_rpc_answers"),
    ("admission: ended bans by key", ENDED, "|| !is_of_key(page, &ended->ban)", "", "test_rpc_answers"),
    ("admission: ended bans by tier", ENDED, "page->tier != 0 && page->tier != (int64_t)ended->ban.tier", "0", "test_rpc_answers"),
    ("admission: a page of ended bans", ENDED, "if ((int64_t)json_array_size(page->bans) >= page->n) {", "if (0) {", "test_rpc_answers"),
    ("admission: a place in another list", ENDED, "if (*ret_before != 0 && strcmp(text, again) == 0)", "if (1)", "test_rpc_answers"),
]
