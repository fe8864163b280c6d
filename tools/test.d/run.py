# SPDX-License-Identifier: BSD-3-Clause
"""The test runner behind tools/test: builds each variant, runs its suites, adds up what they say.

A CUnit executable or a script may print "suite NAME: N passed, N failed[, N skipped]"; these are added up. A test without
such a line counts as one. Exit status 77 is a skip and is said aloud. Nothing here decides by timing.
"""
import argparse
import fcntl
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

SUITE_LINE = re.compile(r"^suite (.+): (\d+) passed, (\d+) failed(?:, (\d+) skipped)?\s*$", re.M)
SKIP = 77


class Totals:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.notes = []

    def add(self, name, passed, failed, skipped):
        self.passed += passed
        self.failed += failed
        self.skipped += skipped
        mark = "FAILED" if failed else ("skipped" if skipped and not passed else "ok")
        print(f"  {mark:8}{name}: {passed} passed, {failed} failed, {skipped} skipped", flush=True)


def say(text):
    print(f"== {text}", flush=True)


def run(command, **options):
    return subprocess.run(command, text=True, **options)


def build(root, directory, *setup):
    """Configure and build; the warning-free build is itself a test."""
    path = os.path.join(root, directory)
    arguments = ["meson", "setup", path, root, *setup]
    if os.path.exists(os.path.join(path, "build.ninja")):
        arguments.append("--reconfigure")
    elif os.path.isdir(path):
        shutil.rmtree(path)  # left half made by a run that was killed
    for command in (arguments, ["ninja", "-C", path]):
        result = run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if result.returncode != 0:
            sys.stdout.write("\n".join(result.stdout.splitlines()[-60:]) + "\n")
            return None
    return path


def suite(totals, path, label, suites, names=(), processes=2, timeout_s=1500):
    """Run meson suites (or tests by name) and read each test's own count from meson's log."""
    log = os.path.join(path, "meson-logs", "testlog.json")
    if os.path.exists(log):
        os.unlink(log)
    command = ["meson", "test", "-C", path, "--no-rebuild", "--num-processes", str(processes), "--print-errorlogs"]
    for name in suites:
        command += ["--suite", name]
    command += names
    try:
        result = run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=timeout_s)
    except subprocess.TimeoutExpired:
        totals.add(f"{label} (ended after {timeout_s} s)", 0, 1, 0)
        return
    records = []
    if os.path.exists(log):
        with open(log, encoding="utf-8", errors="replace") as lines:
            records = [json.loads(line) for line in lines if line.strip()]
    if not records:
        print(result.stdout[-2000:])
        totals.add(f"{label}: no test ran", 0, 1, 0)
        return
    for record in records:
        output = (record.get("stdout") or "") + "\n" + (record.get("stderr") or "")
        counts = [tuple(int(n or 0) for n in match[1:]) for match in SUITE_LINE.findall(output)]
        passed, failed, skipped = (sum(column) for column in zip(*counts)) if counts else (0, 0, 0)
        status = record.get("returncode", 1)
        if status == SKIP and not counts:
            skipped = 1
            print("    skipped: " + (output.strip().splitlines() or ["no reason given"])[-1])
        elif status != 0 and failed == 0:
            failed = 1
        elif not counts:
            passed = 1
        totals.add(f"{label}/{record['name'].split(' / ')[-1]}", passed, failed, skipped)
        if failed:
            sys.stdout.write("\n".join("      " + line for line in output.splitlines()[-80:]) + "\n")


def main():
    parser = argparse.ArgumentParser(prog="tools/test", description="Run every test of Weir.")
    parser.add_argument("root")
    parser.add_argument("--fast", action="store_true", help="leave out the live suites; they count as skipped")
    parser.add_argument("--only", help="one of: release, sanitize, threads, mutants, live")
    options = parser.parse_args()
    root = options.root
    if os.geteuid() != 0:
        sys.exit("test: must run as root (try: sudo tools/test): it makes network namespaces")
    lock = open("/run/weir-test.lock", "w", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit("test: another run of tools/test is at work (it holds /run/weir-test.lock)")
    if run([os.path.join(root, "tools/setup"), "--tests"]).returncode != 0:
        sys.exit(1)

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    start = time.monotonic()
    totals = Totals()

    def wants(name):
        return options.only in (None, name)

    release = None
    if wants("release") or wants("live"):
        say("release build, warnings are errors")
        release = build(root, "build/release", "--werror")
        totals.add("release build", 1 if release else 0, 0 if release else 1, 0)
    if release and wants("release"):
        suite(totals, release, "release", ["unit", "threads", "fuzz-replay", "lint", "tools"])
        suite(totals, release, "process", ["process", "eal"], processes=1)
    if wants("sanitize"):
        say("address and undefined-behaviour sanitizers")
        path = build(root, "build/sanitize", "-Db_sanitize=address,undefined", "-Db_lundef=false", "-Doptimization=1")
        totals.add("sanitize build", 1 if path else 0, 0 if path else 1, 0)
        if path:
            suite(totals, path, "sanitize", ["unit", "fuzz-replay"])
            if not options.fast:
                # DPDK keeps its own memory to the end, which is no leak of ours.
                os.environ["ASAN_OPTIONS"] = "detect_leaks=0"
                suite(totals, path, "sanitize", [], ["netns_echo", "netns_restart"], processes=1)
                del os.environ["ASAN_OPTIONS"]
    if wants("threads"):
        say("thread sanitizer")
        path = build(root, "build/threads", "-Db_sanitize=thread", "-Db_lundef=false", "-Doptimization=1")
        totals.add("thread-sanitizer build", 1 if path else 0, 0 if path else 1, 0)
        if path:
            suite(totals, path, "thread-sanitizer", ["threads"])
    if wants("mutants"):
        say("each protection compiled out: its test must fail")
        script = os.path.join(root, "tests", "mutants.py")
        result = run([sys.executable, script, root], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        counts = SUITE_LINE.findall(result.stdout)
        if counts:
            totals.add("mutants", *(int(n or 0) for n in counts[-1][1:]))
        else:
            totals.add("mutants", 0, 1, 0)
        if result.returncode != 0 or not counts:
            print(result.stdout[-4000:])
    if wants("live"):
        if options.fast:
            totals.add("live suites (left out by --fast)", 0, 0, 1)
        elif release:
            say("live: network namespaces, real kernels at both ends")
            suite(totals, release, "live", ["netns"], processes=1, timeout_s=2400)

    ran = totals.passed + totals.failed
    print(f"== {time.monotonic() - start:.0f} s")
    if ran == 0:
        print("no test ran")
    print(f"{totals.passed} passed, {totals.failed} failed, {totals.skipped} skipped", flush=True)
    return 0 if ran > 0 and totals.failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
