# SPDX-License-Identifier: BSD-3-Clause
"""Protections of how a measurement ends: what would leave a namespace, a directory or a process; see tests/mutants.py."""
STAGE, LIVE, BANS, WEIR, RUN = "bench/live_stage.py", "bench/live.py", "bench/bans.py", "tests/netns/weir.py", "tools/bench.d/bench.py"
TEST = "test_bench_end.py"
MUTANTS = [
    ("bench end: a terminal that closes", STAGE, "ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)", "ENDING = (signal.SIGINT, signal.SIGTERM)", TEST),
    ("bench end: the second signal", STAGE, "for other in ENDING: signal.signal(other, signal.SIG_IGN)", "pass", TEST),
    ("bench end: a signal while a session ends", STAGE, "with undisturbed():\n            return super().__exit__(*reason)",
     "if True:\n            return super().__exit__(*reason)", TEST),
    ("bench end: a signal while a session begins", STAGE, "with undisturbed():\n                self.session = Session()",
     "if True:\n                self.session = Session()", TEST),
    ("bench end: whose the rivals' namespace is", BANS, "weir.namespaces[\"rivals\"] = self.name", "pass", TEST),
    ("bench end: the rivals of a killed run", WEIR, "(-[cfglnr])?$", "(-[cfgln])?$", TEST),
    ("bench end: a second Ctrl-C", RUN, "signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)\n            process.send_signal", "process.send_signal", TEST),
]
