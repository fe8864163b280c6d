# SPDX-License-Identifier: BSD-3-Clause
"""Protections of the backoff: an answer to a dial is no success before authentication (HE-13, 5.4); see tests/mutants.py."""
OUTCOME = "control/outcome.c"
MUTANTS = [
    ("dialled: an answer is no authentication", OUTCOME, "if (input->proven && !input->wants_auth)", "if (input->proven)", "test_outcome"),
    ("dialled: payload only of a node that tells of none", OUTCOME, "if (input->payload_is_auth && input->payload_ms >= 0)",
     "if (input->payload_ms >= 0)", "test_outcome"),
    ("dialled: silence is no authentication", OUTCOME, "if (input->payload_is_auth && input->payload_ms >= 0)",
     "if (input->payload_is_auth)", "test_outcome"),
    ("dialled: Stellar wants it", "control/peer_counters.c", ".success_is_auth = true", ".success_is_auth = false", "test_profile"),
    ("dialled: Spacetime does not", "control/profile.c", "profile->counters = counters_spacetime;", "profile->counters = counters_stellar;",
     "test_profile"),
]
