# SPDX-License-Identifier: BSD-3-Clause
"""The few lines that the process tests of the tools share: a case is a sentence with a function; checks print both values."""
import subprocess
import sys
import traceback


class Failed(Exception):
    """A check did not hold."""


def equal(actual, expected, what=""):
    if actual != expected:
        raise Failed(f"{what}: expected {expected!r}, got {actual!r}")


def holds(condition, what):
    if not condition:
        raise Failed(what)


def run(*command, stdin=b"", timeout=120):
    """(exit status, standard output, standard error) of a process."""
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=timeout, check=False)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


def main(name, cases):
    """Run all cases (or those whose sentence holds an argument); the exit status."""
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    passed = failed = 0
    for sentence, case in cases:
        if wanted not in sentence:
            continue
        try:
            case()
            passed += 1
        except Failed as error:
            failed += 1
            print(f"FAILED: {sentence}: {error}")
        except Exception:  # the test itself is broken: say where
            failed += 1
            print(f"FAILED: {sentence}:\n{traceback.format_exc()}")
    print(f"suite {name}: {passed} passed, {failed} failed")
    return 0 if passed and not failed else 1
