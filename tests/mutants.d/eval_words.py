# SPDX-License-Identifier: BSD-3-Clause
"""The words of V1, V18, V24, V26, V31 and V32 in sim.eval, and what simulate does not tell; see tests/mutants.py."""
EVAL, MEMBERS, STATUS, TEST = "control/rpc_sim_eval.c", "control/rpc_sim_members.c", "control/rpc_methods_status.c", "test_simulate"
MUTANTS = [
    ("eval words: a count of the ignored", EVAL, " ||\n\t\t       number(in, \"ignore_negative\", 0) > 0;", ";", TEST),
    ("eval words: yes is a count", EVAL, "|| flag(in, \"ignore_negative\") ||", "||", TEST),
    ("eval words: none is ignored", EVAL, "number(in, \"ignore_negative\", 0) > 0;", "number(in, \"ignore_negative\", -1) >= 0;", TEST),
    ("eval words: a count is not below 0", MEMBERS, "(json_is_number(value) && json_number_value(value) >= 0)", "json_is_number(value)", TEST),
    ("eval words: the application's score is clamped", EVAL, "(void)score_set(&score, &config->governor, app, 0);", "score.value = app;", TEST),
    ("eval words: shared", EVAL, "strcmp(named, \"shared\") == 0 ? PEER_SOURCE_GOSSIP : ", "", TEST),
    ("eval words: flat names of big ledger peers", EVAL, "if (json_object_get(in, \"blp\") == NULL)", "if (0)", TEST),
    ("eval words: one way to name them", EVAL, "json_object_get(in, \"blp_active\") != NULL)", "0)", TEST),
    ("eval words: letters are answered by letters", EVAL, "letters = stored >= 3 ? 3 : 0;", "letters = 0;", TEST),
    ("eval words: names are answered by names", EVAL, "letters = stored >= 3 ? 3 : 0;", "letters = 3;", TEST),
    ("eval words: the cap is not the goal", EVAL, "target_slots_outbound(UINT32_MAX, inbound)", "target_slots_outbound(target, inbound)", TEST),
    ("eval words: a temporary directory", STATUS, "if (shown->simulated && strcmp(key, \"state_dir\") == 0)", "if (0)", TEST),
]
