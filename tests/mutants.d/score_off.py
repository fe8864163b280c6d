# SPDX-License-Identifier: BSD-3-Clause
"""Protections of profiles without a score (5.4, 5.5.1); see tests/mutants.py."""
MUTANTS = [
    ("score off: no points", "control/governor_report.c", "config->score_off ? old :", "", "test_governor"),
]
