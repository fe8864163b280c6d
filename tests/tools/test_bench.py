#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The benchmarks as processes, small: they end well only if every subject answered as it must and every packet had a reason, and each
line carries what tools/bench prints. Says nothing about speed. Needs root: bans.py and end_to_end.py make namespaces and start Weir.

    test_bench.py BUILD [words of a case]
"""
import argparse
import json
import os
import sys
import tempfile

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path.insert(0, os.path.join(ROOT, "bench"))
import end_to_end  # noqa: E402
from rig import Rig, Transport  # noqa: E402
from suite import equal, holds, main, run  # noqa: E402

BUILD = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "build"
FIELDS = {"name", "unit", "ours", "baseline", "baseline_name", "ratio", "target", "met"}


def checked(lines, zero=""):
    """`zero`: what a line's name may begin with whose value is 0."""
    for line in lines:
        holds(set(line) >= FIELDS, f"a field is missing in {line}")
        holds(line["ours"] > 0 or (zero and line["name"].startswith(zero)), f"nothing was measured in {line}")
        if line["baseline_name"]:
            holds(line["baseline"] > 0 and line["ratio"] > 0, f"no baseline in {line}")
        holds((line["target"] is None) == (line["met"] is None), f"a target without a verdict, or the other way round, in {line}")
    return lines


def results(program, *words):
    status, out, errors = run(os.path.join(BUILD, "bench", program), "--json", *words)
    equal(status, 0, errors.strip())
    return checked(json.loads(out)["results"])


def tables_and_peers_answer_alike():
    lines = results("weir-bench-tables", "--log2", "12", "--prefixes", "2000", "--attempts", "32768", "--trials", "1")
    baselines = {line["baseline_name"].split(" (")[0].split(",")[0] for line in lines if line["baseline_name"]}
    equal(baselines, {"rte_hash", "rte_hash keyed", "cds_lfht", "population as large", "rte_lpm", "rte_fib", "rte_lpm6", "rte_fib6"})


def memory_of_bans_is_what_was_promised():
    lines = results("weir-bench-tables", "--log2", "18", "--only", "lookup", "--attempts", "1024", "--trials", "1")
    for family, target in (("IPv4", 10), ("IPv6", 20)):
        line = next(line for line in lines if line["name"].startswith(f"ban_table {family}: memory, "))
        holds(line["met"] and line["ours"] <= target, line)


def two_lcores_account_for_each_packet():
    if len(os.sched_getaffinity(0)) < 2:
        return
    lines = results("weir-bench-scaling", "--attempts", "16384", "--trials", "1", "--pressure-log2", "14", "--population", "512")
    equal(len(lines), 10, "mixes of two families")


def attempts_are_decided_as_they_mean():
    lines = results("weir-bench-decide", "--attempts", "20000", "--trials", "1", "--bans", "1000")
    mixes = {line["name"].split(", ")[0] for line in lines}
    equal(mixes, {f"decide: {mix}" for mix in ("banned", "challenged", "admitted", "proven")}, "mixes")
    equal({line["baseline_name"] for line in lines}, {"6 random lines", "7 random lines"}, "floors of both families")


def control_knows_what_it_is_measured_with():
    lines = results("weir-bench-control", "--known", "1000", "--known", "3000", "--trials", "1")
    equal(len({line["name"].rsplit(", ", 1)[0] for line in lines}) * 2, len(lines), "each cost at both sizes")
    equal([line["ratio"] for line in lines if line["name"].endswith(", 1000 known")], [None] * (len(lines) // 2), "the smallest is the baseline")
    equal(run(os.path.join(BUILD, "bench", "weir-bench-control"), "--known", "3000", "--known", "3000")[0], 2, "sizes ascend")
    holds(not [name for name in os.listdir("/dev/shm") if name.startswith("weir-bench-control")], "the publisher's files are gone")


def bans_are_in_force_everywhere():
    """ipset and nft hold as many as Weir, each of Weir's bites, and all come back after a restart, or bans.py fails."""
    with tempfile.TemporaryDirectory(prefix="weir-test-bench-") as directory:
        path = os.path.join(directory, "result.json")
        status, _, errors = run(sys.executable, "-B", os.path.join(ROOT, "bench", "bans.py"), "--build", BUILD, "--bans", "1000", "--ones", "20",
                                "--restart", "--json", path)
        holds(os.path.exists(path), errors.strip())
        with open(path, encoding="utf-8") as file:
            result = json.load(file)
    lines = checked(result["results"], "bans: answer to last packet")  # often no packet passes after the answer
    # a machine that is busy with something else for a second says nothing of bans: only that is forgiven
    equal([words for words in result["faults"] if "within a second" not in words], [], "faults")
    equal(status, 1 if result["faults"] else 0, "exit status")
    equal({line["baseline_name"] for line in lines if line["baseline_name"]} >= {"ipset restore", "nft -f", "ipset add", "nft add element"}, True,
          "rivals")
    equal(sum(1 for line in lines if line["name"].startswith("bans: restart")), 1, "a restart")


def every_frame_between_two_processes_is_accounted():
    """As fast as it goes, without huge pages: end_to_end.py itself says what does not add up."""
    options = argparse.Namespace(seconds=0.5, trials=1, minutes=1, transport=["memif"], seed=1)
    small = ["--flows-log2", "14", "--pressure-keys-log2", "12", "--proven-log2", "12"]
    with Rig(BUILD, huge=False) as rig:
        bench = end_to_end.Bench(rig, Transport(rig, "memif"), options, small)
        trials = {"banned": bench.banned(8), "banned IPv6": bench.banned(8, 6), "banned IMIX": bench.banned(8, 4, end_to_end.MIXED),
                  "challenged": bench.challenged("proxy"),
                  "not challenged": bench.unchallenged(), "forward": bench.streamed(64, "IMIX", "weir", 6),
                  "forward while bans come": bench.streamed(64, "64-byte", "weir, bans"), "connections": bench.connected("proxy")}
    equal(bench.faults + [sentence for trial in trials.values() for sentence in trial.doubts], [], "faults")
    for name, trial in trials.items():
        sent = trial.sent + trial.facts["result"].get("stream", {}).get("sent", 0)
        holds(sent > 1000 and trial.rate > 0, f"{name}: {sent} sent at {trial.rate}")
    trial = trials["banned"]
    trial.facts["result"]["sent"] += 100000
    equal(len(end_to_end.unaccounted(trial.facts["result"], trial.facts["counters"], trial.facts["reasons"])), 1, "a loss is noticed")


def wrong_options_are_refused():
    for program in ("weir-bench-tables", "weir-bench-scaling", "weir-bench-decide", "weir-bench-control"):
        for words in (("--attempts", "1"), ("--trials", "0"), ("surplus",)):
            equal(run(os.path.join(BUILD, "bench", program), *words)[0], 2, f"{program} {words}")
    for words in (("--bans", "1"), ("--ones", "1"), ("surplus",)):
        equal(run(sys.executable, "-B", os.path.join(ROOT, "bench", "bans.py"), *words)[0], 2, f"bans.py {words}")


if __name__ == "__main__":
    sys.exit(main("bench", [
        ("our tables and their peers answer alike", tables_and_peers_answer_alike),
        ("the memory of bans is what was promised", memory_of_bans_is_what_was_promised),
        ("two lcores account for each packet", two_lcores_account_for_each_packet),
        ("attempts are decided as they mean", attempts_are_decided_as_they_mean),
        ("control knows what it is measured with", control_knows_what_it_is_measured_with),
        ("bans are in force everywhere", bans_are_in_force_everywhere),
        ("every frame between two processes is accounted", every_frame_between_two_processes_is_accounted),
        ("wrong options are refused", wrong_options_are_refused),
    ]))
