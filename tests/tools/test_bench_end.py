#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""However a measurement is ended, what it made is removed: one signal, several, or one in the middle of the removal. Measures nothing and
makes no namespace; tests/netns/comparison.py interrupts bench/live.py itself.

    test_bench_end.py [- words of a case]
"""
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
sys.path[:0] = [os.path.join(ROOT, "bench"), os.path.join(ROOT, "tools", "demo.d")]

import live_stage  # noqa: E402
from suite import equal, holds, main  # noqa: E402

CLEANING_S, STEP_S = 0.4, 0.02

# A run of live.py whose session takes a while to clean up, or until a signal waits.
RUN = f"""
import signal, sys, time
sys.path[:0] = {[os.path.join(ROOT, "bench"), os.path.join(ROOT, "tools", "demo.d")]!r}
import live, live_stage

class Session:
    def close(self):
        print("cleaning", flush=True)
        deadline = time.monotonic() + 20
        if sys.argv[1] == "wait":
            time.sleep({CLEANING_S})
        while sys.argv[1] != "wait" and not signal.sigpending() and time.monotonic() < deadline:
            time.sleep({STEP_S})
        print("cleaned", flush=True)

class Run:
    def __init__(self, options):
        pass

    def run(self):
        stage = live_stage.LiveSession({{}}, "", "", 0)
        stage.callback(Session().close)
        try:
            print("up", flush=True)
            if sys.argv[1] == "wait":
                time.sleep(20)
        finally:
            stage.close()
        print("went on", flush=True)
        sys.exit(0)

live.parse_arguments, live.Live = lambda: None, Run
sys.exit(live.main())
"""

# Another process: what it needs has modules named as live.py's.
RIVALS = f"""
import json, os, sys
sys.path[:0] = {[os.path.join(ROOT, "bench"), os.path.join(ROOT, "tests", "netns")]!r}
import bans, weir

commands, whole = [], weir.Weir(build="/nonexistent")
bans.run = lambda *words, **_: commands.append(words)
name = bans.Rivals(whole, 1000).name
match = weir.NAME.match(name)
print(json.dumps([commands, name, list(whole.namespaces.values()), *(int(match[k]) if match else None for k in (1, 2)), os.getpid(),
                  weir._start_time(os.getpid())]))
"""


def run_ended_by(how, after, *signals):
    """Exit status and words of RUN, which gets the signals while it cleans, the first one after the word `after`."""
    with subprocess.Popen([sys.executable, "-B", "-c", RUN, how], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        said = []
        while not said or said[-1] not in (after, ""):
            said.append(process.stdout.readline().strip())
        for number in signals:
            time.sleep(STEP_S * 3)
            process.send_signal(number)
        rest, errors = process.communicate(timeout=30)
    holds(not errors, errors)
    return process.returncode, said + rest.split("\n")[:-1]


def one_signal_ends_a_run():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        equal(run_ended_by("wait", "up", number), (128 + number, ["up", "cleaning", "cleaned"]), number.name)


def a_second_signal_does_not_stop_the_cleaning():
    for second in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        equal(run_ended_by("wait", "up", signal.SIGINT, second, second), (130, ["up", "cleaning", "cleaned"]), second.name)


def a_signal_while_a_session_is_cleaned_up_waits():
    """Of a session that has ended by itself: the next one must not begin."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        equal(run_ended_by("go on", "cleaning", number), (128 + number, ["up", "cleaning", "cleaned"]), f"{number.name}, and goes on")


def what_is_begun_is_known():
    """A signal while the first directories are made: they exist, and so must the record of how to remove them."""
    removed = []

    class Session:
        def __init__(self):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(STEP_S)

        def close(self):
            removed.append(self)

    before, live_stage.Session = live_stage.Session, Session
    handlers = {number: signal.signal(number, live_stage.end) for number in live_stage.ENDING}
    try:
        with live_stage.LiveSession({}, "", "syn-cookies", 0):
            holds(False, "it goes on")
    except SystemExit as reason:
        equal(reason.code, 128 + signal.SIGTERM)
    finally:
        live_stage.Session = before
        for number, handler in handlers.items():
            signal.signal(number, handler)
    equal(len(removed), 1, "sessions removed")


def rivals_of_bans_end_with_weir():
    done = subprocess.run([sys.executable, "-B", "-c", RIVALS], capture_output=True, text=True, timeout=60, check=False)
    equal(done.returncode, 0, done.stderr)
    commands, name, namespaces, pid, began, own_pid, own_began = json.loads(done.stdout)
    equal(commands, [["ip", "netns", "add", name]])
    holds(name in namespaces, f"Weir does not remove {name} when it ends")
    equal((pid, began), (own_pid, own_began), f"whose {name} is, for the run that finds it")


def a_second_interrupt_leaves_no_part_behind():
    """tools/bench waits for the part that it has asked to end, however often it is told."""
    with tempfile.TemporaryDirectory(prefix="weir-test-bench-") as build:
        os.mkdir(os.path.join(build, "bench"))
        program = os.path.join(build, "bench", "weir-bench-control")
        with open(program, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\ntrap 'sleep 1; echo cleaned > \"$0.cleaned\"; exit 0' TERM\necho $$ > \"$0.pid\"\nwhile :; do sleep 0.05; done\n")
        os.chmod(program, 0o755)
        command = [sys.executable, "-B", os.path.join(ROOT, "tools", "bench.d", "bench.py"), ROOT, "--build", build, "--only", "control"]
        # a shell's background job ignores SIGINT
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler)) as process:
            deadline = time.monotonic() + 20
            while not os.path.exists(program + ".pid") and time.monotonic() < deadline:
                time.sleep(0.02)
            for _ in range(2):
                process.send_signal(signal.SIGINT)
                time.sleep(0.5)
            equal(process.wait(20), 130, "exit status")
        holds(os.path.exists(program + ".cleaned"), "the part was left in the middle of its cleaning")


if __name__ == "__main__":
    sys.exit(main("bench_end", [
        ("one signal ends a run, whichever", one_signal_ends_a_run),
        ("a second signal does not stop the cleaning", a_second_signal_does_not_stop_the_cleaning),
        ("a signal while a session is cleaned up waits", a_signal_while_a_session_is_cleaned_up_waits),
        ("what is begun is known", what_is_begun_is_known),
        ("the rivals of bans.py end with Weir", rivals_of_bans_end_with_weir),
        ("a second Ctrl-C leaves no part behind", a_second_interrupt_leaves_no_part_behind),
    ]))
