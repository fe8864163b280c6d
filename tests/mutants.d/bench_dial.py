# SPDX-License-Identifier: BSD-3-Clause
"""What weir-dial must not lose of attempts that fail; see tests/mutants.py."""
MUTANTS = [
    ("dial: SYN resends of who fails", "bench/dial_attempt.c",
     "if (attempt->state == ATTEMPT_CONNECTING && attempt->connected_ns == 0 && attempt->fd >= 0)", "if (0)", "test_dial_attempt"),
    ("dial: SYN resends of who fails in the sum", "bench/dial_report.c", "if (ended->class % 2 == 0) report->syn_resends",
     "if (ended->connected_ns != 0 && ended->class % 2 == 0) report->syn_resends", "test_dial_attempt"),
]
