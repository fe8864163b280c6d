#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""bench/search.py on limits that are known: what it finds, what a stall of the machine may do to it, and that it ends.

    test_bench_search.py [- words of a case]
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench"))
from search import Deadline, Probes, grid, highest  # noqa: E402
from suite import equal, holds, main  # noqa: E402


def grids_reach_both_ends():
    for low, high, step in ((1, 1000, 1.1), (250, 250, 2), (100, 101, 1.5), (1e5, 2e7, 1.05), (1, 1024, 2)):
        rates = grid(low, high, step)
        equal((rates[0], rates[-1]), (low, high), "ends")
        holds(all(a < b <= a * step * (1 + 1e-9) for a, b in zip(rates, rates[1:])), f"a step is too wide: {rates}")
    for words in ((0, 10, 2), (10, 5, 2), (1, 10, 1)):
        try:
            grid(*words)
        except ValueError:
            continue
        holds(False, f"a grid of {words}")


def any_limit_is_found():
    rates = grid(1, 1000, 1.3)
    for limit in rates:
        found = highest(Probes(lambda rate, trial, limit=limit: rate <= limit, rates), bool, trials=1, repeats=1)
        equal(found.rates, [limit], "the limit itself holds")
        equal(found.high_held, limit == rates[-1], "the highest rate held")
        holds(found.probes <= len(rates).bit_length(), f"{found.probes} probes of {len(rates)} rates")


def nothing_that_holds_is_zero():
    found = highest(Probes(lambda rate, trial: rate, grid(1, 100)), lambda rate: False)
    equal((found.rates, found.low_missed, found.high_held), ([0, 0, 0], True, False), "three trials without any")


def one_stall_is_no_limit():
    calls = []

    def measure(rate, trial):
        calls.append(rate)
        return rate <= 50 and calls.count(rate) != 1  # the first probe at every rate is spoilt

    rates = grid(1, 100, 1.2)
    equal(highest(Probes(measure, rates), bool, trials=1, repeats=3).rates, [max(rate for rate in rates if rate <= 50)], "of three")
    calls.clear()
    equal(highest(Probes(measure, rates), bool, trials=1, repeats=1).rates, [0], "of one probe each")


def questions_share_what_was_measured():
    probes = Probes(lambda rate, trial: max(0.0, (rate - 50) / 1000), grid(1, 100, 1.05))
    strict = highest(probes, lambda loss: loss == 0, trials=2, repeats=1)
    made = probes.made
    again = highest(probes, lambda loss: loss == 0, trials=2, repeats=1)
    equal((again.rates, again.probes, probes.made), (strict.rates, 0, made), "the same question again")
    loose = highest(probes, lambda loss: loss <= 0.01, trials=2, repeats=1)
    holds(loose.median > strict.median, f"{loose.median} with loss and {strict.median} without")
    holds(loose.probes < strict.probes, "some probes were shared")


def trials_are_told_apart():
    found = highest(Probes(lambda rate, trial: rate <= (20, 40, 30)[trial], grid(10, 100, 1.01)), bool)
    holds(all(abs(rate - limit) < limit * 0.01 for rate, limit in zip(found.rates, (20, 40, 30))), found.rates)
    equal((found.median, found.spread), (found.rates[2], (found.rates[0], found.rates[1])), "median and spread")
    holds(found.complete, "all trials ended")


def time_ends_a_search():
    now = [0.0]

    def measure(rate, trial):
        now[0] += 1.0
        return rate < 30

    def found(seconds):
        now[0] = 0.0
        return highest(Probes(measure, grid(1, 100, 1.1)), bool, trials=5, repeats=1, deadline=Deadline(seconds, lambda: now[0]))

    whole = found(1000)
    equal((len(whole.rates), whole.complete), (5, True), "with time enough")
    part = found(whole.probes / 5 * 2 + 1)
    equal((len(part.rates), part.complete), (2, False), "with time for two trials and a bit")
    none = found(1)
    equal((none.rates, none.median, none.complete, none.probes), ([], None, False, 1), "with time for one probe")
    holds("not found" in none.text(), none.text())


if __name__ == "__main__":
    sys.exit(main("bench_search", [
        ("grids reach both ends in bounded steps", grids_reach_both_ends),
        ("any limit is found", any_limit_is_found),
        ("nothing that holds is zero", nothing_that_holds_is_zero),
        ("one stall is no limit", one_stall_is_no_limit),
        ("questions share what was measured", questions_share_what_was_measured),
        ("trials are told apart", trials_are_told_apart),
        ("time ends a search", time_ends_a_search),
    ]))
