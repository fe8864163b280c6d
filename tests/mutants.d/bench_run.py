# SPDX-License-Identifier: BSD-3-Clause
"""Protections of tools/bench and its parts: what would lose a fault, a frame or a result; see tests/mutants.py."""
SEARCH, RUN, END, RENDER = "bench/search.py", "tools/bench.d/bench.py", "bench/end_to_end.py", "bench/render.py"
TARGETS = "bench/targets.py"
SEARCH_TEST, RUN_TEST = "test_bench_search.py", "test_bench_run.py"
MUTANTS = [
    ("bench: a search's majority", SEARCH, "needed, yes, no = repeats // 2 + 1, 0, 0", "needed, yes, no = 1, 0, 0", SEARCH_TEST),
    ("bench: a search's deadline", SEARCH, "if self.clock() >= self.end:", "if False:", SEARCH_TEST),
    ("bench: the end of the grid", SEARCH, "for number in range(steps)] + [high]", "for number in range(steps)]", SEARCH_TEST),
    ("bench: probes are shared", SEARCH, "self._known.setdefault((trial, index), [])", "[]", SEARCH_TEST),
    ("bench: trials are apart", SEARCH, "self._known.setdefault((trial, index), [])", "self._known.setdefault(index, [])", SEARCH_TEST),
    ("bench: frames that nobody received", END, "if not 0 <= sent - received <= slack:", "if False:", RUN_TEST),
    ("bench: frames without a reason", END, "if decided != received:", "if False:", RUN_TEST),
    ("bench: frames that did not arrive", END, "if not 0 <= out - arrived <= slack:", "if False:", RUN_TEST),
    ("bench: a part's faults", RUN, "for sentence in answer.get(\"faults\", ()):", "for sentence in ():", RUN_TEST),
    ("bench: a part's exit status", RUN, "if status != 0 and len(self.faults) == known:", "if False:", RUN_TEST),
    ("bench: exactly eight fields", RUN, "[{field: line[field] for field in FIELDS} for line in answer.pop(\"results\")]", "answer.pop(\"results\")",
     RUN_TEST),
    ("bench: a part is asked before it is killed", RUN, "process.send_signal(signal.SIGTERM)", "process.kill()", RUN_TEST),
    ("bench: what people wrote", RENDER, "return text[at + 1:] if at >= 0 else", "return", RUN_TEST),
    ("bench: a missed target", RENDER, "missed = sum(1 for line in judged if not line[\"met\"])", "missed = 0", RUN_TEST),
    ("bench: results of no group", RENDER, "if id(line) not in known]", "if False]", RUN_TEST),
    ("bench: disturbed trials", END, "return [trial for trial in trials if trial.waited <= WAITED_MAX]", "return trials", RUN_TEST),
    ("bench: always disturbed", END, "if not undisturbed(trials):", "if False:", RUN_TEST),
    ("bench: disturbed trials are made again", END, "if trial.waited <= WAITED_MAX: break", "break", RUN_TEST),
    ("bench: who limits a rate", END, "return any(trial.bottleneck not in FAR_SIDE for trial in trials)", "return False", RUN_TEST),
    ("bench: three rounds", END, "elif len(calm) < ROUNDS_MIN:", "elif False:", RUN_TEST),
    ("bench: time for three rounds", END, "(ROUNDS_GRACE if number < ROUNDS_MIN else 1)", "1", RUN_TEST),
    ("bench: the rounds' ratios", END, "statistics.median(mine.rate / max(theirs.rate, 1) for mine, theirs in counted) if baseline else None",
     "None", RUN_TEST),
    ("bench: the same words", END, "bench.rxonly(banned_words(*traffic)[1], traffic[1])", "bench.rxonly(STRANGERS[traffic[1]] + traffic[2], traffic[1])",
     RUN_TEST),
    ("bench: a search's limit", END, "elif theirs.high_held:", "elif False:", RUN_TEST),
    ("bench: what the hypervisor took", "bench/rig.py", "worst = max(worst, (steal -", "worst = max(worst, 0 * (steal -", RUN_TEST),
    ("bench: what a target needs", TARGETS, "return [name for name in self.needed if not any", "return [name for name in () if not any", RUN_TEST),
    ("bench: what was not judged", RENDER, "if line[\"met\"] is None and line[\"target\"]]", "if False]", RUN_TEST),
    ("bench: stages that were not run", TARGETS, "hold).*weir\", STAGES_NOT_RUN)", "hold).*weir\",)", "test_bench_live.py"),
    ("bench: the guide of draws", "bench/traffic_pieces.c", "pieces->guide[step] = piece;", "pieces->guide[step] = piece + 1;", "test_traffic_model"),
]
