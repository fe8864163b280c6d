#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What surrounds the measurements: tools/bench with programs that answer what a case wants, the report, the plots, and end_to_end.py's
accounts of what became of each frame. Measures nothing.

    test_bench_run.py [- words of a case]
"""
import argparse
import contextlib
import csv
import dataclasses
import io
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "bench"))
import end_to_end  # noqa: E402
import plots  # noqa: E402
import render  # noqa: E402
import rig  # noqa: E402
import search  # noqa: E402
from targets import TARGETS  # noqa: E402
from suite import equal, holds, main  # noqa: E402

FIELDS = ["name", "unit", "ours", "baseline", "baseline_name", "ratio", "target", "met"]
LINE = {"name": "control: governor tick, 1000 known", "unit": "ms", "ours": 0.5, "baseline": 0.25, "baseline_name": "10 known", "ratio": 2.0,
        "target": "<= 50 ms", "met": True}


def line(name, met=True, **more):
    return {**LINE, "name": name, "met": met, **more}


@contextlib.contextmanager
def build_of(script):
    """A build directory whose weir-bench-control is this shell script: the one part that needs no huge pages."""
    with tempfile.TemporaryDirectory(prefix="weir-test-bench-") as build:
        os.mkdir(os.path.join(build, "bench"))
        path = os.path.join(build, "bench", "weir-bench-control")
        with open(path, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\n" + script)
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
        yield build


def command(build, *words):
    return [sys.executable, "-B", os.path.join(ROOT, "tools", "bench.d", "bench.py"), ROOT, "--build", build, "--only", "control", *words]


def bench(build, *words):
    return subprocess.run(command(build, *words), capture_output=True, text=True, timeout=60, check=False)


def answer(*lines, **more):
    return "cat << EOF\n" + json.dumps({"results": list(lines), **more}) + "\nEOF\n"


def results_have_exactly_eight_fields():
    with build_of(answer({**LINE, "disturbed": 3}, pages="huge")) as build:
        path = os.path.join(build, "result.json")
        done = bench(build, "--json", path, "--csv", path + ".csv", "--seed", "7")
        equal(done.returncode, 0, done.stderr)
        with open(path, encoding="utf-8") as file:
            result = json.load(file)
        with open(path + ".csv", encoding="utf-8", newline="") as file:
            table = list(csv.reader(file))
    equal([list(entry) for entry in result["results"]], [FIELDS], "fields")
    equal(table[0], FIELDS, "columns")
    equal(len(table), 2, "rows")
    equal((result["seed"], result["details"]["control"]), (7, [{"pages": "huge"}]), "seed and details")
    holds("--seed" in result["runs"][0]["command"] and "7" in result["runs"][0]["command"], "the part was given the seed")
    for key in ("machine", "date", "command", "commit", "faults"):
        holds(key in result, f"{key} is missing")
    holds(LINE["name"] in done.stdout, "a line for people")


def a_part_that_fails_is_a_fault():
    for script, words in ((answer(LINE) + "echo out of luck >&2\nexit 3\n", "ended with 3: out of luck"), ("echo nonsense\n", "no result"),
                          (answer({"name": "half a line"}), "no result"), (answer(faults=["frames are missing"]), "frames are missing")):
        with build_of(script) as build:
            path = os.path.join(build, "result.json")
            done = bench(build, "--json", path)
            equal(done.returncode, 1, f"exit status after {words}")
            holds(words in done.stderr, f"'{words}' is not said: {done.stderr}")
            with open(path, encoding="utf-8") as file:
                holds(words in json.load(file)["faults"][0]["words"], words)


def a_part_that_cannot_start_is_a_fault():
    with build_of("") as build:
        os.unlink(os.path.join(build, "bench", "weir-bench-control"))
        done = bench(build)
        equal(done.returncode, 1, "exit status")
        holds("weir-bench-control" in done.stderr, done.stderr)


def who_ends_the_run_ends_its_parts():
    """The part is asked first, so that it can clean up."""
    with build_of("trap 'echo asked > \"$0.asked\"; exit 0' TERM\necho $$ > \"$0.pid\"\nwhile :; do sleep 0.05; done\n") as build:
        program = os.path.join(build, "bench", "weir-bench-control")
        with subprocess.Popen(command(build), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 20
            while not os.path.exists(program + ".pid") and time.monotonic() < deadline:
                time.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            equal(process.wait(20), 128 + signal.SIGTERM, "exit status")
        holds(os.path.exists(program + ".asked"), "the part was not asked to end")
        with open(program + ".pid", encoding="ascii") as file:
            holds(not os.path.exists(f"/proc/{int(file.read())}"), "the part runs on")


def wrong_words_are_refused():
    with build_of(answer(LINE)) as build:
        for words in (("--only", "nothing"), ("--seed", "0"), ("--json", "/nonexistent/file"), ("--surplus",)):
            done = bench(build, *words)
            equal(done.returncode, 2, f"{words}")
            equal(done.stdout, "", f"nothing is measured with {words}")
        equal(bench(build, "--list").returncode, 0, "--list")
    equal(bench("/nonexistent").returncode, 1, "no build")


def baseline_of(target):
    return target.baseline.strip("^$") or "a peer"


def whole(target):
    """A line for each thing that a target needs."""
    return [line(re.sub(r"\\d\+", "7", needed.strip("^$")).replace(".*", "x").replace("\\", ""), baseline_name=baseline_of(target))
            for needed in target.needed]


def only_what_was_measured_as_a_whole_is_met():
    for target in TARGETS:
        lines = whole(target)
        equal(render.verdict(target, lines), f"met ({len(lines)})", target.what)
        for left_out in range(len(lines)):
            rest = lines[:left_out] + lines[left_out + 1:]
            holds(render.verdict(target, rest).startswith("not "), f"without {lines[left_out]['name']}: {render.verdict(target, rest)}")
            unsure = [*rest, {**lines[left_out], "met": None}]
            holds(render.verdict(target, unsure).startswith("not all measured: "), f"{lines[left_out]['name']} was not judged")
            missed = [*rest, {**lines[left_out], "met": False}]
            equal(render.verdict(target, missed), f"**missed** (1 of {len(lines)})", lines[left_out]["name"])
    one_size = [entry for entry in whole(TARGETS[2]) if "2^20" in entry["name"]]
    holds("2^16 places and 15 more" in render.verdict(TARGETS[2], one_size), render.verdict(TARGETS[2], one_size))


def every_target_has_a_verdict():
    """What design.md section 10 asks for, as results are really named."""
    names = ["decide: proven, IPv6, 10000 bans, 2^16 prefixes", "decide: banned, IPv4, 10000000 bans, 2^24 prefixes",
             "pressure_table IPv6: unique sources, 2^24 places", "end to end, memif: drop of banned sources, 64 k",
             "end to end, vhost: forward of 64 k established flows, 64-byte, 10000 bans/s",
             "live zipf (a million addresses): honest clients served, weir-auto",
             "live subnets (a flood): honest clients inside the attacked prefix served, weir-auto",
             "bans: answer to last packet, 1000 bans beside 1000000, idle, p99",
             "bans: restart with 10000000 bans, aged database, cold cache, to the first governed packet",
             "flow_table flow: memory, 838860 entries", "control: governor tick, 1000 connected, 1000000 known"]
    equal(len(names), len(TARGETS), "one for each")
    for target, name in zip(TARGETS, names):
        entry = line(name, baseline_name=baseline_of(target))
        equal([other.what for other in TARGETS if other.matches([entry])], [target.what], name)
        holds(any(re.search(needed, name) for needed in target.needed), f"{name} is none of what its target needs")
        equal(render.verdict(target, [entry, {**entry, "met": False}]).split(";")[0], "**missed** (1 of 2)", name)
        equal(render.verdict(target, []), "not measured in this run", name)
    stated = dataclasses.replace(TARGETS[-1], needed=())
    equal(render.verdict(stated, [line(names[-1], None, target=None)]), "measured, no target", "nothing to judge")
    smaller = [line("bans: restart with 100000 bans, aged database, cold cache, to the first governed packet"),
               line("control: governor tick, 1000 connected, 100000 known"), line("decide: banned, IPv4, 1000000 bans, 2^20 prefixes")]
    equal([target.what for target in TARGETS if target.matches(smaller)], [], "a smaller run answers no target")


def result_of(*lines):
    return {"results": list(lines), "faults": [{"part": "live", "words": "a fault"}], "seed": 1, "date": "2026-01-01 00:00", "seconds": 9,
            "command": ["tools/bench"], "commit": "0", "details": {"end-to-end": [{"searches": [{"name": "a search", "text": "its find"}]}]},
            "machine": {"cpu": "c", "cpus": 2, "l3": "", "memory_gib": 1, "hypervisor": "none", "kernel": "k"}}


def a_report_loses_nothing():
    lines = [line("decide: one", True), line("lists IPv4: two", False), line("a name | of no part", None)]
    text = render.report(result_of(*lines))
    for words in (*(entry["name"].replace("|", "\\|") for entry in lines), "a fault", "its find", "MISSED"):
        equal(text.count(words) > 0, True, words)
    equal(sum(len(group) for _, group in render.grouped(lines)), len(lines), "each in one group")


def what_people_wrote_outlives_a_run():
    with tempfile.TemporaryDirectory(prefix="weir-test-bench-") as directory:
        path = os.path.join(directory, "RESULTS.md")
        render.write(result_of(line("decide: one")), path, [])
        with open(path, "a", encoding="utf-8") as file:
            file.write("\n### by hand\n\nit is bound by memory\n")
        for name in ("decide: two", "decide: three"):
            render.write(result_of(line(name)), path, [])
        with open(path, encoding="utf-8") as file:
            text = file.read()
    equal(text.count("it is bound by memory"), 1, "the words of people")
    equal((text.count("decide: three"), text.count("decide: two")), (1, 0), "the last run's results")


def plots_show_what_there_is():
    if not shutil.which("gnuplot"):
        print("skipped: gnuplot is not installed")
        return
    sizes = [line(f"flow_table flow: unique sources, 2^{log2} places", ours=log2, baseline=2, baseline_name="cds_lfht (1.5 with the population)")
             for log2 in (16, 20)]
    cells = [{"system": system, "model": "spoof", "p50_ms": 40, "p90_ms": 50, "p99_ms": None} for system in ("weir-auto", "syn-cookies")]
    whole = {**result_of(*sizes, line("end to end, vhost: drop of banned sources, 64 k", False)), "details": {"live": [{"cells": cells}]}}
    with tempfile.TemporaryDirectory(prefix="weir-Test_bench-") as directory:
        with open(os.path.join(directory, "old.svg"), "w", encoding="ascii"):
            pass
        names = sorted(os.path.basename(path) for path in plots.draw(whole, directory))
        equal(names, ["flood-flow-table-flow.svg", "live-p50.svg", "live-p90.svg", "ratios-end-to-end.svg"], "plots")
        equal(sorted(os.listdir(directory)), names, "and no others")
        with open(os.path.join(directory, names[0]), encoding="utf-8") as file:
            text = file.read()
        holds("Weir, unique sources" in text and "cds lfht" in text, "curves are named")
        equal(plots.draw(result_of(), directory), [], "nothing was measured")


def every_frame_is_accounted():
    result = {"sent": 1000, "received": 10, "connect": {"answers": 100}, "node": {"received": 40, "answered": 30}, "stream": {"sent": 7, "arrived": 5}}
    counters = {"rx_outside": 1107, "rx_inside": 30, "tx_outside": 10, "tx_inside": 45}
    reasons = {"banned": 137, "admitted": 1000}

    def faults(sunk=False, slack=0, **changes):
        return end_to_end.unaccounted({**result, **changes.get("result", {})}, {**counters, **changes.get("counters", {})},
                                      {**reasons, **changes.get("reasons", {})}, sunk, slack)
    equal(faults(), [], "everything adds up")
    cases = (({"result": {"sent": 1001}}, "were sent"), ({"result": {"sent": 999}}, "were sent"), ({"reasons": {"banned": 136}}, "have a reason"),
             ({"reasons": {"banned": 138}}, "have a reason"), ({"counters": {"tx_inside": 46}}, "left Weir"),
             ({"result": {"received": 11}}, "left Weir"), ({"result": {"node": {"received": 40, "answered": 31}}}, "were sent"),
             ({"result": {"stream": {"sent": 8, "arrived": 5}}}, "were sent"), ({"result": {"connect": {"answers": 99}}}, "were sent"))
    for changes, words in cases:
        found = faults(**changes)
        holds(len(found) == 1 and words in found[0], f"{changes}: {found}")
    equal(faults(result={"sent": 1005}, slack=5), [], "frames in the rings at the end")
    equal(len(faults(result={"sent": 1006}, slack=5)), 1, "and no more than they hold")
    equal(faults(sunk=True, counters={"tx_inside": 99}, result={"node": {"received": 0, "answered": 30}, "stream": {"sent": 7, "arrived": 0}}),
          [], "nobody counts behind a sink")


def trials_that_were_disturbed_do_not_count():
    options = argparse.Namespace(seconds=1, trials=3, minutes=1, transport=["vhost"], seed=1)
    bench = end_to_end.Bench(None, argparse.Namespace(name="vhost"), options)
    waits = iter([0.5, 0.0] + [0.5, 0.5, 0.5, 0.5, 0.5] + [0.0])  # made again; given up; at once

    def trial(rate, waited):
        return end_to_end.Trial(1000, rate, waited, "port", 1)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        bench.run({"calm at times": lambda: trial(10 if (waited := next(waits)) == 0.0 else 99, waited)})
        bench.run({"never calm": lambda: trial(99, 0.2)})
    equal(bench.median("calm at times"), 10, "the median of what was not disturbed")
    equal(len(bench.measured["calm at times"]), 3, "trials")
    holds(len(bench.faults) == 1 and "never calm" in bench.faults[0] and "20%" in bench.faults[0], bench.faults)
    holds("once more" in out.getvalue(), "it is said")


def bench_of(**measured):
    """A bench that has measured this: lists of (rate, bottleneck) or (rate, bottleneck, share waited)."""
    one = end_to_end.Bench(None, argparse.Namespace(name="vhost"), argparse.Namespace(seconds=1, trials=3, minutes=1, seed=1))
    one.measured = {name: [end_to_end.Trial(1, rate, *(waited or [0.0]), bottleneck, 1) for rate, bottleneck, *waited in trials]
                    for name, trials in measured.items()}
    return one


def a_baseline_gets_the_words_of_what_stands_beside_it():
    one, heard = bench_of(), []
    one.rig, one.transport = None, argparse.Namespace(name="memif", generator=lambda n: f"port{n}", subject=lambda n: f"port{n}")

    class Subject:
        """In place of testpmd and of weir-dataplane: never starts."""
        process = None

        def __init__(self, *_):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def counters(self):
            return {"counters": {}, "reasons": {}}

    def flood_run(_rig, _device, _seconds, words, *_):
        heard.append(words)
        return end_to_end.Trial(0, 1, 0.0, "port", 1, result={"sent": 0, "received": 0})
    kept = end_to_end.flood_run, end_to_end.Testpmd, end_to_end.Dataplane
    end_to_end.flood_run, end_to_end.Testpmd, end_to_end.Dataplane = flood_run, Subject, Subject
    try:
        plan = end_to_end.plan_of(one, [])
        for ours, baseline in (*((f"banned {name}", f"rxonly {name}") for name in end_to_end.DROPS), ("no challenge", "rxonly strangers"),
                               ("banned 64 k", "ceiling")):
            heard.clear()
            plan[ours]()
            plan[baseline]()
            equal(len(heard), 2, "two runs of the generator")
            equal(heard[0], heard[1], f"{ours} and {baseline}")
        equal(len(end_to_end.DROPS), 4, "traffic of drops")
    finally:
        end_to_end.flood_run, end_to_end.Testpmd, end_to_end.Dataplane = kept


def only_far_sides_are_judged_in_three_rounds():
    port, generator = [(10, "port")] * 3, [(10, "generator")] * 3
    cases = (("both are limits of their own", port, port, True, None),
             ("two rounds", port[:2], port[:2], None, "2 undisturbed rounds, 3 are needed"),
             ("a disturbed round", [*port[:2], (10, "port", 0.5)], port, None, "2 undisturbed rounds"),
             ("the generator limits the baseline", port, generator, None, "the generator is the baseline's limit"),
             ("the generator limits ours", generator, port, None, "the generator is the limit"),
             ("nothing but the schedule limits ours", [(10, "none")] * 3, port, None, "the generator is the limit"),
             ("once is enough", [*port[:2], (10, "generator")], port, None, "the generator is the limit"),
             ("below the floor of a baseline that may be faster still", [(6, "port")] * 3, generator, False, None),
             ("below the floor", [(6, "port")] * 3, port, False, None),
             ("the median of the rounds' ratios, not the medians' ratio", [(6, "port"), (10, "port"), (20, "port")],
              [(5, "port"), (20, "port"), (15, "port")], True, None),
             ("no baseline", port, None, None, "its baseline was not measured"))
    for what, ours, baseline, met, doubt in cases:
        one = bench_of(ours=ours, **({"beside": baseline} if baseline else {}))
        one.compare("a line", "ours", "beside", "a peer", ">= 0.70", ratio_floor=0.7)
        found = one.results[0]
        equal(found["met"], met, what)
        equal((doubt or "") in found["target"] and ("not judged" in found["target"]) == bool(doubt), True, f"{what}: {found['target']}")
        equal(render.state(found), {True: "met", False: "MISSED", None: "not judged"}[met], what)
    one = bench_of(ours=generator, beside=port)
    one.compare("the generator's own", "ours", "beside", "a peer", "> 1", ratio_floor=1.0, alone=True)
    one.compare("stated", "ours", "beside", "a peer", None)
    equal([(found["met"], found["ratio"]) for found in one.results], [(True, 1.0), (None, 1.0)], "the ceiling; what has no target")
    equal(render.state(one.results[1]), "-", "what has no target")


def three_rounds_may_take_a_little_longer():
    """By a clock of its own: a round of 40 s in 100 s makes three, one of 45 s two."""
    for round_s, trials, rounds in ((40, 5, 3), (45, 5, 2), (10, 5, 5), (32, 5, 3), (1000, 5, 1)):
        one, now = bench_of(), [0]
        one.trials, one.patience_s = trials, 100.0

        def trial(now=now, round_s=round_s):
            now[0] += round_s
            return end_to_end.Trial(1, 1, 0.0, "port", 1)
        kept, end_to_end.time = end_to_end.time, argparse.Namespace(monotonic=lambda now=now: now[0])
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                one.run({"x": trial})
        finally:
            end_to_end.time = kept
        equal(len(one.measured["x"]), rounds, f"rounds of {round_s} s")


def a_search_is_judged_where_both_limits_are_known():
    def found(*rates, high_held=False):
        return search.Found(list(rates), False, high_held, True, 9)
    cases = ((found(8, 9, 9), found(10, 10, 10), [], True), (found(6, 6, 6), found(10, 10, 10), [], False),
             (found(9, 9, 9), found(10, 10, 10, high_held=True), [], None), (found(9, 9, 9), found(10, 10, 10), [12], None),
             (found(9, 9), found(10, 10, 10), [], None), (found(9, 9, 9, high_held=True), found(10, 10, 10), [], True))
    for ours, theirs, late, met in cases:
        one = bench_of()
        one.search_line("no loss", ours, theirs, late)
        equal(one.results[0]["met"], met, one.results[0]["target"])


def what_the_hypervisor_took_is_waited_for():
    seen = iter([{"cpu0": (5, 100), "cpu1": (0, 100)}, {"cpu0": (5, 200), "cpu1": (30, 200)}])
    kept, rig._stolen = rig._stolen, lambda: next(seen)  # pylint: disable=protected-access
    try:
        equal(rig.Waiting().share(), 0.3, "of the CPU that lost more")
    finally:
        rig._stolen = kept  # pylint: disable=protected-access
    ticks = rig._stolen()  # pylint: disable=protected-access
    holds(all(0 <= steal <= whole and whole > 0 for steal, whole in ticks.values()), ticks)


if __name__ == "__main__":
    sys.exit(main("bench_run", [
        ("results have exactly eight fields", results_have_exactly_eight_fields),
        ("a part that fails is a fault", a_part_that_fails_is_a_fault),
        ("a part that cannot start is a fault", a_part_that_cannot_start_is_a_fault),
        ("who ends the run ends its parts", who_ends_the_run_ends_its_parts),
        ("wrong words are refused", wrong_words_are_refused),
        ("every target has a verdict", every_target_has_a_verdict),
        ("only what was measured as a whole is met", only_what_was_measured_as_a_whole_is_met),
        ("a report loses nothing", a_report_loses_nothing),
        ("what people wrote outlives a run", what_people_wrote_outlives_a_run),
        ("plots show what there is", plots_show_what_there_is),
        ("every frame is accounted", every_frame_is_accounted),
        ("trials that were disturbed do not count", trials_that_were_disturbed_do_not_count),
        ("a baseline gets the words of what stands beside it", a_baseline_gets_the_words_of_what_stands_beside_it),
        ("only far sides are judged, in three rounds", only_far_sides_are_judged_in_three_rounds),
        ("three rounds may take a little longer", three_rounds_may_take_a_little_longer),
        ("a search is judged where both limits are known", a_search_is_judged_where_both_limits_are_known),
        ("what the hypervisor took is waited for", what_the_hypervisor_took_is_waited_for),
    ]))
