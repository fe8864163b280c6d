#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The table benchmarks as processes, small: they end well only if every subject answered as it must and every packet had a reason, and
each line carries what tools/bench prints. Says nothing about speed.

    test_bench.py BUILD [words of a case]
"""
import json
import os
import sys

from suite import equal, holds, main, run

BUILD = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "build"
FIELDS = {"name", "unit", "ours", "baseline", "baseline_name", "ratio", "target", "met"}


def results(program, *words):
    status, out, errors = run(os.path.join(BUILD, "bench", program), "--json", *words)
    equal(status, 0, errors.strip())
    lines = json.loads(out)["results"]
    for line in lines:
        holds(set(line) >= FIELDS, f"a field is missing in {line}")
        holds(line["ours"] > 0, f"nothing was measured in {line}")
        if line["baseline_name"]:
            holds(line["baseline"] > 0 and line["ratio"] > 0, f"no baseline in {line}")
    return lines


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


def wrong_options_are_refused():
    for program in ("weir-bench-tables", "weir-bench-scaling"):
        for words in (("--attempts", "1000"), ("--trials", "0"), ("surplus",)):
            equal(run(os.path.join(BUILD, "bench", program), *words)[0], 2, f"{program} {words}")


if __name__ == "__main__":
    sys.exit(main("bench", [
        ("our tables and their peers answer alike", tables_and_peers_answer_alike),
        ("the memory of bans is what was promised", memory_of_bans_is_what_was_promised),
        ("two lcores account for each packet", two_lcores_account_for_each_packet),
        ("wrong options are refused", wrong_options_are_refused),
    ]))
