#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs the vectors of the policy reference through `weirctl simulate`.

    run.py WEIRCTL [WORDS]     only vectors whose name has the words
Ends with "suite vectors: N passed, N failed"; exit 0 only if one ran and none failed.
"""
import importlib
import os
import sys
import traceback

import simulation

MODULES = sorted(name[:-3] for name in os.listdir(os.path.dirname(os.path.abspath(__file__)))
                 if name.endswith(".py") and name not in ("run.py", "simulation.py"))


def run(command, function):
    """Sentences about what failed."""
    expect = simulation.Expectations(command)
    try:
        function(expect)
        expect.end()
    except Exception:
        for running in expect.running:
            if running.process.poll() is None:
                running.process.kill()
                running.process.wait()
        return expect.failures + [traceback.format_exc()]
    return expect.failures if expect.count else ["it expects nothing"]


def main():
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    command, words = [sys.argv[1], "simulate"], " ".join(sys.argv[2:])
    for name in MODULES:
        importlib.import_module(name)
    passed = failed = 0
    for name, function in simulation.VECTORS:
        if words not in name:
            continue
        failures = run(command, function)
        passed, failed = passed + (not failures), failed + bool(failures)
        for failure in failures:
            print(f"FAILED: {name}: {failure}")
    print(f"suite vectors: {passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
