# SPDX-License-Identifier: BSD-3-Clause
"""Every measurement of Weir beside its baseline, in one run. Started by tools/bench, which has installed what is needed.

Each part is a program of bench/ that stands alone and writes {"results": [...]}; this file chooses sizes, runs them one after the
other (two cores carry one measurement at a time) and prints one line for each result.
"""
import argparse
import contextlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench"))
import rig  # noqa: E402

PARTS = ("decide", "tables", "scaling", "bans", "end-to-end", "live")
FIELDS = ("name", "unit", "ours", "baseline", "baseline_name", "ratio", "target", "met")


def decide_commands(build, quick):
    program = os.path.join(build, "bench", "weir-bench-decide")
    # design.md section 10: tables in cache, and 16 M tracked prefixes with 10 M bans in memory
    in_cache = [program, "--json", "--trials", "3" if quick else "9"]
    middle = [*in_cache, "--bans", "1000000", "--pressure-log2", "20", "--proven-log2", "18", "--flows-log2", "18", "--population", "50000"]
    large = [*in_cache, "--bans", "10000000", "--pressure-log2", "24", "--proven-log2", "20", "--flows-log2", "20", "--population", "200000"]
    return [in_cache, middle] if quick else [in_cache, middle, large]


def tables_commands(build, quick):
    program = [os.path.join(build, "bench", "weir-bench-tables"), "--json"]
    if quick:
        return [[*program, "--trials", "3", "--log2", "20", "--prefixes", "10000"]]
    sizes = [word for log2 in range(16, 25, 2) for word in ("--log2", str(log2))]
    return [[*program, *sizes]]


def scaling_commands(build, quick):
    program = [os.path.join(build, "bench", "weir-bench-scaling"), "--json"]
    return [[*program, "--trials", "3", "--attempts", "131072"] if quick else [*program, "--trials", "9", "--pressure-log2", "22"]]


def bans_commands(root, build, quick):
    program = [sys.executable, os.path.join(root, "bench", "bans.py"), "--build", build]
    return [[*program, "--bans", "100000", "--ones", "100"] if quick else [*program, "--bans", "1000000", "--ones", "1000"]]


def end_to_end_commands(root, build, quick):
    program = [sys.executable, os.path.join(root, "bench", "end_to_end.py"), "--build", build]
    return [[*program, "--quick"] if quick else program]


def live_commands(root, build, quick):
    program = [sys.executable, os.path.join(root, "bench", "live.py"), "--build", build]
    if quick:
        return [[*program, "--systems", "weir-auto,syn-cookies", "--models", "alone,spoof", "--seconds", "8"]]
    return [program]


class Bench:
    def __init__(self, root, options):
        self.root, self.options = root, options
        self.build = os.path.abspath(options.build) if options.build else os.path.join(root, "build", "bench")
        self.results, self.faults = [], []
        self.parts = {"decide": lambda: decide_commands(self.build, options.quick),
                      "tables": lambda: tables_commands(self.build, options.quick),
                      "scaling": lambda: scaling_commands(self.build, options.quick),
                      "bans": lambda: bans_commands(root, self.build, options.quick),
                      "end-to-end": lambda: end_to_end_commands(root, self.build, options.quick),
                      "live": lambda: live_commands(root, self.build, options.quick)}

    def compile(self):
        if self.options.build:
            return
        if not os.path.exists(os.path.join(self.build, "build.ninja")):
            shutil.rmtree(self.build, ignore_errors=True)  # a half-made one
            self._quietly("meson", "setup", self.build, self.root)
        self._quietly("ninja", "-C", self.build)

    def _quietly(self, *command):
        result = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if result.returncode != 0:
            raise RuntimeError(f"'{' '.join(command)}' failed:\n" + "\n".join(result.stdout.splitlines()[-30:]))

    def _run(self, part, command, scratch):
        """One program; its results. Python parts write a file, C parts write to standard output."""
        path = os.path.join(scratch, "result.json")
        if command[0] == sys.executable:
            command = [*command, "--json", path]
        print(f"bench: {part}: {' '.join(command)}", file=sys.stderr, flush=True)
        began = time.monotonic()
        # parts in python see to their huge pages themselves
        with contextlib.nullcontext() if command[0] == sys.executable else rig.Rig(self.build), open(path + ".out", "wb") as out:
            status = subprocess.run(command, stdout=out, stderr=subprocess.PIPE, text=False, check=False, timeout=3600)
        if status.returncode != 0:
            words = status.stderr.decode(errors="replace").strip().splitlines()[-3:]
            self.faults.append({"part": part, "command": command, "status": status.returncode, "words": words})
            print(f"bench: {part} ended with {status.returncode}: {' / '.join(words)}", file=sys.stderr)
        source = path if os.path.exists(path) else path + ".out"
        try:
            with open(source, encoding="utf-8") as file:
                results = json.load(file)["results"]
        except (OSError, ValueError, KeyError):
            results = []
        for result in results:
            self.results.append({"part": part, **result})
            print(line(result), flush=True)
        print(f"bench: {part} took {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)

    def run(self):
        self.compile()
        for part in self.options.only or self.parts:
            with tempfile.TemporaryDirectory(prefix="weir-bench-") as scratch:
                for command in self.parts[part]():
                    self._run(part, command, scratch)
                    for name in os.listdir(scratch):
                        os.unlink(os.path.join(scratch, name))
        met = sum(1 for result in self.results if result["met"])
        print(f"{len(self.results)} results, {met} met, {len(self.results) - met} missed, {len(self.faults)} parts failed")
        return {"results": [{key: result.get(key) for key in ("part", *FIELDS)} for result in self.results], "faults": self.faults,
                "machine": machine(), "command": sys.argv[2:]}


def line(result):
    beside = f"{result['baseline_name']} {result['baseline']}" if result.get("baseline_name") else "-"
    ratio = f"ratio {result['ratio']}" if result.get("ratio") is not None else ""
    return (f"{'met   ' if result['met'] else 'MISSED'}  {result['name']}: {result['ours']} {result['unit']}  beside {beside}  {ratio}  "
            f"target {result['target']}")


def machine():
    def text(*command):
        return subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False).stdout.strip()
    model = next((row.split(":", 1)[1].strip() for row in text("lscpu").splitlines() if row.startswith("Model name")), platform.machine())
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": platform.release(), "dpdk": text("pkg-config", "--modversion", "libdpdk"),
            "compiler": text("cc", "--version").splitlines()[0], "date": time.strftime("%Y-%m-%d")}


def parse_arguments(argv):
    parser = argparse.ArgumentParser(prog="tools/bench", description="Every measurement of Weir beside its baseline, in one run.")
    parser.add_argument("--quick", action="store_true", help="fewer sizes and trials, under 3 minutes")
    parser.add_argument("--json", metavar="FILE", help="write all results there")
    parser.add_argument("--only", action="append", metavar="PART", help=f"one of {', '.join(PARTS)}; may be repeated")
    parser.add_argument("--build", metavar="DIR", help="use this build directory as it is")
    options = parser.parse_args(argv)
    for part in options.only or ():
        if part not in PARTS:
            parser.error(f"--only: '{part}' is none of {', '.join(PARTS)}")
    return options


def main():
    root, options = sys.argv[1], parse_arguments(sys.argv[2:])
    try:
        result = Bench(root, options).run()
    except (RuntimeError, OSError, rig.RigError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
    return 1 if result["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
