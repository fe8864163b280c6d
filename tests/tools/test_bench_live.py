#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What bench/live.py makes of what it measured: which attempts count, which lines miss their targets, what makes a run invalid, and in
which order it goes. Measures nothing; tests/netns/comparison.py runs the systems themselves.

    test_bench_live.py [- words of a case]
"""
import argparse
import os
import re
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path[:0] = [os.path.join(ROOT, "bench"), os.path.join(ROOT, "bench", "rivals"), os.path.join(ROOT, "tools", "demo.d")]

import live  # noqa: E402
import live_attacks as attacks  # noqa: E402
import live_report  # noqa: E402
import live_stage  # noqa: E402
import render  # noqa: E402
import search  # noqa: E402
import xdp_filter  # noqa: E402
from suite import equal, holds, main  # noqa: E402
from targets import TARGETS  # noqa: E402

FIELDS = {"name", "unit", "ours", "baseline", "baseline_name", "ratio", "target", "met"}
GOOD = {"attempts": 1000, "succeeded": 1000, "syn_resends": 0, "banned": 0, "p50_ms": 80.0, "p90_ms": 80.0, "p99_ms": 80.0, "blocked": 1,
        "v6": {"attempts": 500, "succeeded": 500}}
ROWS = ["intended_s,class,source,connect_ms,reply_ms,resends,outcome", "0.5,tcp4,198.18.128.1,1,2,0,succeeded",
        "1.0,tcp4,198.18.128.2,1,80,1,succeeded", "1.5,tcp6,fd20::1,1,-1,0,timed_out", "2.0,tcp6,fd20::2,1,2,3,succeeded"]


def options_of(**changes):
    return argparse.Namespace(**{"systems": ["weir-auto", "syn-cookies", "meters"], "models": ["alone", "spoof", "subnets"], "seconds": 1.0,
                                 "trials": 2, "rate": 20000, "delay_ms": 20.0, "search": True, "minutes": 5.0, "seed": 1} | changes)


def report_of(changes=None):
    """One good row for each cell; `changes` by (system, model)."""
    report = live_report.Report(options_of())
    for system in report.options.systems:
        for model in report.options.models:
            inside = {"inside": {"attempts": 20, "succeeded": 20}} if model in attacks.WITH_INSIDE else {}
            report.add(GOOD | {"system": system, "model": model} | inside | (changes or {}).get((system, model), {}))
    return report


def only_the_window_counts():
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        file.write("\n".join(ROWS) + "\n")
        file.flush()
        part, whole = live_stage.Attempts(file.name, 1.0, 2.0), live_stage.Attempts(file.name)
    summary = part.summary()
    equal((summary["attempts"], summary["succeeded"], summary["syn_resends"], part.all_succeeded), (2, 1, 1, 3))
    equal(summary["v6"], {"attempts": 1, "succeeded": 0})
    equal(part.sources, {"198.18.128.2", "fd20::1"})
    equal((summary["p50_ms"], summary["p99_ms"]), (80.0, attacks.ATTEMPT_TIMEOUT_S * 1000.0), "a failed attempt is its whole timeout")
    equal(len(whole.latencies), 4)


def each_miss_shows():
    for what, model, changes in (("served", "spoof", {"succeeded": 998}), ("p99", "spoof", {"p99_ms": 160.1}),
                                 ("resends", "spoof", {"syn_resends": 2}), ("banned", "spoof", {"banned": 1}),
                                 ("inside", "subnets", {"inside": {"attempts": 20, "succeeded": 17}})):
        lines = report_of({("weir-auto", model): changes}).lines()
        holds(all(set(line) == FIELDS for line in lines), "the fields of tools/bench")
        missed = {line["name"] for line in lines if line["met"] is False}
        holds(any(what in name and f"live {model}" in name for name in missed), f"{what}: {missed}")
        holds(all(what in name for name in missed), f"nothing else misses for {what}: {missed}")
    equal([line for line in report_of().lines() if line["met"] is False], [], "when all is well")


def rivals_stand_beside():
    report = report_of({("meters", "spoof"): {"succeeded": 500, "p99_ms": 400.0}, ("weir-auto", "alone"): {"p99_ms": 100.0}})
    beside = {line["baseline_name"]: line for line in report.lines() if re.search("live spoof.*served", line["name"])}
    equal(set(beside), {"syn-cookies", "meters"})
    equal((beside["meters"]["baseline"], beside["meters"]["ratio"]), (50.0, 2.0))
    p99 = next(line for line in report.lines() if re.search("live spoof.*p99", line["name"]))
    holds(p99["baseline_name"].startswith("syn-cookies"), "beside the best of them")
    equal(report.bound_ms("weir-auto"), 160.0, "twice the calm of the bare path")


def what_no_target_covers_is_held_against_others():
    report = report_of()
    report.options.models.append(attacks.LAST)
    for system, succeeded in (("weir-auto", 500), ("syn-cookies", 400), ("meters", 510)):
        report.add(GOOD | {"system": system, "model": attacks.LAST, "succeeded": succeeded})
    lines = [line for line in report.lines() if attacks.LAST in line["name"]]
    equal([(line["baseline_name"], line["baseline"], line["met"]) for line in lines], [("meters", 51.0, False)])
    holds(all(line["ours"] == 100.0 for line in report.lines() if "all floods" in line["name"]), "it is none of the floods")


def trials_are_one():
    report = report_of()
    for p99_ms in (90.0, 300.0):
        report.add(GOOD | {"system": "weir-auto", "model": "spoof", "p99_ms": p99_ms, "succeeded": 999})
    cell = report.cell("weir-auto", "spoof")
    equal((cell["attempts"], cell["succeeded"], cell["p99_ms"]), (3000, 2998, 90.0), "sums, and the median of 80, 90 and 300")


def idle_rivals_are_named():
    report = live_report.Report(options_of())
    row = {"system": "meters", "model": "botnet", "blocked": 0}
    report.add(row)
    equal(len(report.invalid), 1)
    report.add(row | {"blocked": 1})
    report.add(row | {"system": "syn-cookies"})
    equal(len(report.invalid), 1, "the bare kernel cannot")
    equal(report.result()["faults"], report.invalid)


def what_did_not_run_is_named():
    report = live_report.Report(options_of())
    report.skipped["haproxy"] = "haproxy is not installed"
    report.not_run.append("meters, botnet")
    lines = report.lines()
    holds(any("haproxy is not installed" in line["name"] and line["met"] is False for line in lines), lines)
    holds(any("not run" in line["name"] and line["ours"] == 1 and line["met"] is False for line in lines), lines)


def a_model_that_did_not_run_is_not_met():
    outside, inside = (next(target for target in TARGETS if target.what.startswith(f"honest clients {where}")) for where in ("outside", "inside"))

    def report(models):
        whole = live_report.Report(options_of(models=list(attacks.MODELS)))
        for system in whole.options.systems:
            for model in models:
                more = {"inside": {"attempts": 20, "succeeded": 20}} if model in attacks.WITH_INSIDE else {}
                whole.add(GOOD | {"system": system, "model": model} | more)
        return whole
    for target in (outside, inside):
        equal(render.verdict(target, report(attacks.MODELS).lines()).split(" ")[0], "met", target.what)
    for model in (*attacks.CORE, *attacks.EXTRA):
        if model != attacks.LAST:
            verdict = render.verdict(outside, report([other for other in attacks.MODELS if other != model]).lines())
            holds(verdict.startswith("not all measured: ") and model in verdict, f"without {model}: {verdict}")
    cut = report(attacks.MODELS)
    cut.not_run.append("weir-auto, spoof, trial 2")
    for target in (outside, inside):
        holds(render.verdict(target, cut.lines()).startswith("**missed** (1 of "), render.verdict(target, cut.lines()))


def searches_believe_what_was_sent():
    report = report_of()
    row = GOOD | {"system": "weir-auto", "model": "spoof", "attack_sent": 1000, "attack_not_sent": 0}
    for question, bad in ((live_report.SERVED, {"succeeded": 998}), (live_report.PROMPT, {"p99_ms": 161.0})):
        equal([report.holds(question, row | more) for more in ({}, bad, {"attack_not_sent": 100})], [True, False, False], question.key)


def searches_are_compared():
    report = report_of()
    for name, rates in (("weir-auto", [30e3, 40e3, 50e3]), ("meters", [50e3]), ("syn-cookies", [40e3])):
        report.found(name, live_report.PROMPT, search.Found(rates, False, False, True, 5))
    lines = {line["baseline_name"]: line for line in report.lines() if "search" in line["name"]}
    equal({name: (line["ours"], line["met"]) for name, line in lines.items()}, {"meters": (40e3, False), "syn-cookies": (40e3, True)})


def orders_rotate():
    bench = live.Live.__new__(live.Live)
    bench.options = options_of(models=list(attacks.MODELS))
    first, second = bench._models(0, False), bench._models(1, False)
    equal((first[0], second[0]), ("alone", "alone"), "the calm comes first")
    equal(set(first), {"alone", *attacks.CORE})
    equal(set(second), set(first) - {"botnet"}, "which has one long stage")
    holds([model for model in first if model != "botnet"] != second, f"{first}, {second}")
    equal(set(bench._models(1, True)), set(attacks.EXTRA))
    for trial in range(len(attacks.EXTRA)):
        equal(bench._models(trial, True)[-1], attacks.LAST, "nothing can be measured after it")


def models_have_their_sources():
    tools = {"weir-flood": "weir-flood", "weir-dial": "weir-dial"}
    for model in attacks.MODELS[1:]:
        command = attacks.attack_command(tools, model, "02:00:00:00:00:02", "0" * 32, 20000, 1.5, 1)
        holds(attacks.describe(model, 20000), model)
        if model not in ("botnet", "slow", "reconnect", "hold"):
            equal(command[command.index("--rate") + 1], "20000", model)
        if model.startswith("v6"):
            targets = [command[at + 1] for at, word in enumerate(command) if word == "--target"]
            holds(all(target.startswith("[") for target in targets), targets)


def bans_need_five_complaints_in_ten_seconds():
    complaints = xdp_filter.Complaints()
    equal([complaints.take("a", now_s) for now_s in (0, 2.6, 5.2, 7.8, 10.4)], [False] * 5, "five in 10.4 s")
    equal(complaints.take("a", 11), True, "five since 2.6")
    equal(complaints.take("a", 12), False, "once")
    equal([complaints.take("b", 12)] * 1, [False], "each for itself")


if __name__ == "__main__":
    sys.exit(main("tools_bench_live", [
        ("a model that did not run is not met", a_model_that_did_not_run_is_not_met),
        ("only attempts whose time fell into the attack count", only_the_window_counts),
        ("each miss of a target shows, and nothing else", each_miss_shows),
        ("rivals stand beside ours", rivals_stand_beside),
        ("what no target covers is held against the others", what_no_target_covers_is_held_against_others),
        ("trials are added up, latencies are medians", trials_are_one),
        ("a rival that blocks no bot makes the run invalid", idle_rivals_are_named),
        ("what was skipped or cut is named", what_did_not_run_is_named),
        ("a search believes no rate that was not sent", searches_believe_what_was_sent),
        ("searches are compared", searches_are_compared),
        ("the order rotates, the calm comes first, models without a target last", orders_rotate),
        ("attacks go where their sources can", models_have_their_sources),
        ("a ban script bans after five complaints in ten seconds", bans_need_five_complaints_in_ten_seconds),
    ]))
