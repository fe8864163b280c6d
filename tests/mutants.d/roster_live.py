# SPDX-License-Identifier: BSD-3-Clause
"""Protections of the roster that runs live: who waits after a close, and events that are read late; see tests/mutants.py."""
SESSION, CLOSE, DATAPLANE, FLOWS = ("control/roster_session.c", "control/roster_close.c", "control/roster_dataplane.c",
                                    "control/governor_flows.c")
TEST = "test_roster_dataplane"
MUTANTS = [
    ("roster live: whom the dataplane cuts need not wait", SESSION, "ours = end->by == CLOSED_BY_WEIR && decided;", "ours = end->by == CLOSED_BY_WEIR;", TEST),
    ("roster live: without a target only a full pool throttles", CLOSE, "if (roster->target == 0 && state == SCORE_STATE_HEALTHY && !pool_was_full(roster, inbound))", "if (0)", TEST),
    ("roster live: who is closed for its score waits", CLOSE, "roster->target == 0 && state == SCORE_STATE_HEALTHY &&", "roster->target == 0 &&", TEST),
    ("roster live: the places that pruning keeps free", CLOSE, "eviction_floor_wanted(most, taken, profile->floor_per_mille) != 0);", "0);", TEST),
    ("roster live: what opened before a dump opens no more", DATAPLANE, "if (is_settled(roster, event))\n\t\treturn;", "", TEST),
    ("roster live: what a dump has named opens once", DATAPLANE,
     "if (was_named(roster, subject->connection) && governor_event_born_before(event, since_ns)) {", "if (0) {", TEST),
    ("roster live: the dump must name who opened before its question", DATAPLANE, "if (index != RECORD_NONE && is_asked_for(roster, event))",
     "if (0)", TEST),
    ("roster live: an end of before ends nothing", DATAPLANE, "subject->connection == RECORD_NONE || is_older", "subject->connection == RECORD_NONE", TEST),
    ("roster live: an end that is read before the dump's message", DATAPLANE, "*place = hash;", "(void)place;", TEST),
    ("roster live: born after the question", DATAPLANE, "if (*place != hash && governor_born_before(flow->born_ms, roster->governor->dump_since_ns))",
     "if (*place != hash)", TEST),
    ("roster live: by whom a connection failed", DATAPLANE, "event->closed_by == CLOSED_BY_CLIENT ? \"client\" : \"node\"", "\"\"", TEST),
    ("roster live: an event long after the last dump", FLOWS,
     "event->time_ns / 1000000 < since_ns / 1000000 + event->duration_ms",
     "governor_born_before((uint32_t)(event->time_ns / 1000000) - event->duration_ms, since_ns)", "test_governor_flows"),
]
