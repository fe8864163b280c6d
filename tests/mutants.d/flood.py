# SPDX-License-Identifier: BSD-3-Clause
"""Protections of the load generator: whom it may attack, and what would make it measure itself; see tests/mutants.py."""
CONNECT, RESPONDER, ROTATE = "bench/flood_connect.c", "bench/responder_frame.c", "bench/traffic_rotate.c"
MODEL, REPLAY = "bench/traffic_model.c", "bench/flood_replay.c"
MUTANTS = [
    ("public destinations in a capture", REPLAY, "target_guard_check(&to, owned, error_text, error_bytes) != 0", "0", "test_flood_replay"),
    ("frames that a capture cut short", REPLAY, "header->caplen != header->len ||", "", "test_flood_replay"),
    ("time that runs backwards", REPLAY, "if (at_ns < loading->last_ns)", "if (0)", "test_flood_replay"),
    ("answers to RSTs", RESPONDER, "|| (flags & FLOOD_REPLY_RST))", ")", "test_flood_connect"),
    ("timestamps that nobody keeps", RESPONDER, "memset(options + i, OPTION_NONE, length);", ";", "test_flood_connect"),
    ("segments that answer nothing", CONNECT, "progress == 0 || progress > asked + 1", "0", "test_flood_connect"),
    ("a request that is made once", CONNECT, "(known && (*place >> MEMORY_ASKED_BIT & 1))", "0", "test_flood_connect"),
    ("probes are not openings", CONNECT, "known && (uint32_t)*place != reply->sequence", "0", "test_flood_connect"),
    ("nothing is said into a closed window", CONNECT,
     "reply->window != 0 || behaviour == CONNECT_RESET", "true || behaviour == CONNECT_RESET", "test_flood_connect"),
    ("gaps in the index of rotating sources", ROTATE, "if (((at - wanted) & rotate->index_mask) < ((at - hole) & rotate->index_mask))",
     "if (1)", "test_traffic_rotate"),
    ("sources that are answered stay", ROTATE, "slot->unanswered = 0;", ";", "test_traffic_rotate"),
    ("a victim is one address", MODEL, "piece->length != PREFIX_HOST_LENGTH", "0", "test_traffic_model"),
    ("lcores that do not repeat each other", MODEL, "if (config->worker != 0)", "if (0)", "test_traffic_model"),
    ("holes in the sources", "bench/traffic_pieces.c", "cut_around(cut, i, hole);", ";", "test_traffic_model"),
]
