# SPDX-License-Identifier: BSD-3-Clause
"""Protections of bench/live.py: what would flatter Weir, or lose a miss; see tests/mutants.py."""
REPORT, STAGE, LIVE, BANS = "bench/live_report.py", "bench/live_stage.py", "bench/live.py", "bench/rivals/xdp_filter.py"
TEST = "test_bench_live.py"
MUTANTS = [
    ("live: a failed attempt is not a fast one", STAGE, "if good else attacks.ATTEMPT_TIMEOUT_S * 1000.0", "", TEST),
    ("live: attempts beside the attack", STAGE, "if not first_s <= float(row[\"intended_s\"]) < last_s:", "if False:", TEST),
    ("live: rivals that do nothing", REPORT, "and row[\"blocked\"] <= 0:", "and False:", TEST),
    ("live: faults reach tools/bench", REPORT, "\"faults\": self.invalid", "\"faults\": []", TEST),
    ("live: rivals that did not run", REPORT, "for name, reason in self.skipped.items():\n            lines", "for name, reason in ():\n            lines", TEST),
    ("live: stages that did not run", REPORT, "if self.not_run:", "if False:", TEST),
    ("live: a flood that was not sent", REPORT, "if row[\"attack_not_sent\"] > NOT_SENT_SHARE * sent:", "if False:", TEST),
    ("live: the bare path's calm is the bound", REPORT, "self.cell(BARE, \"alone\") or", "", TEST),
    ("live: banned honest clients", REPORT, "target=\"0\", met=cell[\"banned\"] == 0)", "target=\"0\", met=True)", TEST),
    ("live: the order rotates", LIVE, "turn = trial % len(attacked) if attacked else 0", "turn = 0", TEST),
    ("live: a window of complaints", BANS, "while times[0] < now_s - WINDOW_S:", "while False:", TEST),
]
