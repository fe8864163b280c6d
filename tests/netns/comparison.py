#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""bench/live.py tells the truth: what clients call success the node has echoed, through every system that it compares; each rival that
can keep bots out does so; one that does not, or cannot run, is named. Says nothing about speed. Needs root."""
import argparse
import glob
import os
import re
import secrets
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "bench"), os.path.join(ROOT, "tools", "demo.d")]

import live  # noqa: E402
import live_attacks as attacks  # noqa: E402
import live_report  # noqa: E402
import live_stage  # noqa: E402
import live_systems as systems  # noqa: E402

BUILD = os.environ.get("WEIR_BUILD", os.path.join(ROOT, "build"))
FIELDS = {"name", "unit", "ours", "baseline", "baseline_name", "ratio", "target", "met"}
DELAY_MS, RATE_PPS, CALM_S = 5, 5000, 1.5


class Suite:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, sentence, holds, detail=""):
        self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)
        print(f"{'ok   ' if holds else 'FAIL '} {sentence}{'' if holds else f': {detail}'}", flush=True)


def honest_counts(suite, tools):
    """Calm, so that no echo is lost on its way: both sides must name the same number."""
    for name in systems.DEFAULT:
        try:
            with live_stage.LiveSession(tools, secrets.token_hex(16), name, DELAY_MS) as session:
                row = session.stage("alone", RATE_PPS, CALM_S, 1)
                if systems.SYSTEMS[name].blocks_bots:
                    bots = session.stage("botnet", RATE_PPS, live.BOTNET_WINDOW_S, 1)
                    suite.check(f"{name} keeps some of the botnet out", bots["blocked"] > 0, bots)
                    suite.check(f"{name} bans no honest client", bots["banned"] == 0, bots)
                    session.finish()
                else:
                    counts = session.finish()
                    suite.check(f"{name}: clients and node agree on every echo", counts["echoed_tcp"] == session.echoed_to_us,
                                f"{session.echoed_to_us} at the clients, {counts}")
                suite.check(f"{name} serves everybody while nobody attacks", row["succeeded"] == row["attempts"] > 0, row)
        except systems.Unable as reason:
            suite.check(f"{name} runs on this machine", False, reason)


def echoes_behind_each(suite, tools):
    """The same count where another program or the kernel's proxy ends the connection."""
    for name in ("weir-always", "synproxy", "haproxy"):
        with live_stage.LiveSession(tools, secrets.token_hex(16), name, DELAY_MS) as session:
            session.stage("alone", RATE_PPS, CALM_S, 2)
            counts = session.finish()
            suite.check(f"{name}: clients and node agree on every echo", counts["echoed_tcp"] == session.echoed_to_us,
                        f"{session.echoed_to_us} at the clients, {counts}")


def options_of(**changes):
    return argparse.Namespace(**{"build": BUILD, "systems": ["syn-cookies", "haproxy"], "models": ["alone"], "seconds": 1.0, "trials": 1,
                                 "rate": RATE_PPS, "delay_ms": DELAY_MS, "search": False, "search_trials": 1, "search_high": 40000,
                                 "minutes": 5.0, "seed": 1} | changes)


def missing_is_named(suite):
    programs, systems.Haproxy.programs = systems.Haproxy.programs, ("weir-no-such-program",)
    try:
        result = live.Live(options_of()).run()
    finally:
        systems.Haproxy.programs = programs
    suite.check("a rival that is not installed is skipped with the reason", "weir-no-such-program" in result["skipped"].get("haproxy", ""),
                result["skipped"])
    lines = [line for line in result["results"] if "haproxy" in line["name"]]
    suite.check("and stands among the results as missed", len(lines) == 1 and lines[0]["met"] is False, lines)


def idle_rival_is_named(suite):
    report = live_report.Report(options_of(systems=["weir-auto", "meters"]))
    row = {"system": "meters", "model": "botnet", "blocked": 0}
    report.add(row)
    suite.check("a rival that blocks no bot makes the run invalid", len(report.invalid) == 1, report.invalid)
    report.add(row | {"blocked": 1})
    report.add(row | {"system": "syn-cookies"})
    suite.check("one that blocks some does not, nor does the bare kernel, which cannot", len(report.invalid) == 1, report.invalid)


def lines_and_bounds(suite):
    report = live_report.Report(options_of(systems=["weir-auto", "syn-cookies", "meters"], models=["alone", "spoof", "subnets"]))
    base = {"attempts": 1000, "succeeded": 1000, "syn_resends": 0, "banned": 0, "p50_ms": 80.0, "p90_ms": 80.0, "p99_ms": 80.0, "blocked": 1,
            "v6": {"attempts": 500, "succeeded": 500}}
    for system in report.options.systems:
        for model in report.options.models:
            inside = {"inside": {"attempts": 20, "succeeded": 17}} if model in attacks.WITH_INSIDE else {}
            report.add(base | {"system": system, "model": model} | inside)
    report.rows[1] |= {"succeeded": 998, "p99_ms": 160.1, "syn_resends": 2, "banned": 1}  # weir-auto, spoof
    lines = {line["name"] + "|" + str(line["baseline_name"]): line for line in report.lines()}
    suite.check("each line has the fields of tools/bench", all(set(line) == FIELDS for line in lines.values()))
    missed = [name for name, line in lines.items() if line["met"] is False]
    for words in ("spoof.*served", "spoof.*p99", "spoof.*resends", "spoof.*banned", "inside"):
        suite.check(f"a miss of {words} shows", any(re.search(words, name) for name in missed), missed)
    suite.check("and nothing else does", all(re.search("spoof|inside|all floods:", name) for name in missed), missed)
    suite.check("p99 is held against the bare path's calm", report.bound_ms("weir-auto") == 160.0, report.bound_ms("weir-auto"))
    question = {question.key: question for question in live_report.QUESTIONS}
    row = base | {"system": "weir-auto", "attack_sent": 1000, "attack_not_sent": 0}
    suite.check("a search believes no rate that was not sent", report.holds(question["served"], row) and
                not report.holds(question["served"], row | {"attack_not_sent": 100}))


def main():
    suite = Suite()
    lines_and_bounds(suite)
    idle_rival_is_named(suite)
    tools = live_stage.tools_of(BUILD)
    honest_counts(suite, tools)
    echoes_behind_each(suite, tools)
    missing_is_named(suite)
    suite.check("nothing is left behind", not glob.glob(f"/run/netns/weir-demo-{os.getpid()}-*"))
    print(f"suite netns/comparison: {suite.passed} passed, {suite.failed} failed")
    return 1 if suite.failed or not suite.passed else 0


if __name__ == "__main__":
    sys.exit(main())
