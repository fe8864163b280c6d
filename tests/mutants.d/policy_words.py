# SPDX-License-Identifier: BSD-3-Clause
"""Exact averages, dwell, churn and the words of peers and book entries; see tests/mutants.py."""
COUNTERS = "control/peer_counters.h"
MUTANTS = [
    ("counters: averages are as exact as the formulas", COUNTERS, "	double rtt_ms, rtt_min_ms, fetch_ms;", "	float rtt_ms, rtt_min_ms, fetch_ms;", "test_peer_counters"),
]
