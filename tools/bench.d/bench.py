# SPDX-License-Identifier: BSD-3-Clause
"""Every measurement of Weir beside its baseline, in one run. Started by tools/bench, which has installed what is needed.

Runs the parts of parts.py one after the other (two cores carry one measurement at a time), prints one line for each result and
writes what was asked for: JSON, CSV, plots, RESULTS.md. Must leave nothing of a part behind, however it ends.
"""
import argparse
import collections
import contextlib
import csv
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from parts import PARTS, Where

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench"))
import plots  # noqa: E402
import render  # noqa: E402
import rig  # noqa: E402

FIELDS = ("name", "unit", "ours", "baseline", "baseline_name", "ratio", "target", "met")
PART_PATIENCE_S = 1800
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
END_PATIENCE_S = 60  # a part removes namespaces, gives huge pages back


class BenchError(Exception):
    """Something that the operator must put right, in one sentence."""


class Bench:
    def __init__(self, root, options):
        self.root, self.options = root, options
        self.build = os.path.abspath(options.build) if options.build else os.path.join(root, "build", "bench")
        self.where = Where(root, self.build, options.quick, options.seed)
        self.results, self.runs, self.details, self.faults = [], [], {}, []

    def compile(self):
        if self.options.build:
            if not os.path.isdir(os.path.join(self.build, "bench")):
                raise BenchError(f"--build: there is no build in {self.build}")
            return
        if not os.path.exists(os.path.join(self.build, "build.ninja")):
            shutil.rmtree(self.build, ignore_errors=True)  # a half-made one
            self._quietly("meson", "setup", self.build, self.root)
        self._quietly("ninja", "-C", self.build)

    def _quietly(self, *command):
        print(f"bench: {' '.join(command)}", file=sys.stderr, flush=True)
        result = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if result.returncode != 0:
            raise BenchError(f"'{' '.join(command)}' failed:\n" + "\n".join(result.stdout.splitlines()[-30:]))

    def _fault(self, part, command, sentence):
        self.faults.append({"part": part, "command": command, "words": sentence})
        print(f"bench: {part}: {sentence}", file=sys.stderr, flush=True)

    def _wait(self, process, mask):
        """Its exit status; whatever interrupts us, from when `mask` is in force, ends it first and leaves it the time to clean up."""
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            return process.wait(PART_PATIENCE_S)
        except BaseException as reason:
            # a second Ctrl-C must not leave the part behind; _run lets it through afterwards
            signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(END_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if isinstance(reason, subprocess.TimeoutExpired):
                return f"no end after {PART_PATIENCE_S} s"
            raise

    def _run(self, part, command, scratch):
        """One program. Those in python write a file and see to their own huge pages; those in C write to standard output."""
        path, words, is_script = os.path.join(scratch, "result.json"), os.path.join(scratch, "words"), command[0] == sys.executable
        full = [*command, "--json", path] if is_script else command
        print(f"bench: {part.name}: {' '.join(full)}", file=sys.stderr, flush=True)
        with contextlib.ExitStack() as stack:
            if part.huge_pages:
                stack.enter_context(rig.Rig(self.build, pages=part.huge_pages))
            out, errors = (stack.enter_context(open(name, "wb")) for name in (path + ".out", words))
            began = time.monotonic()
            # a signal between fork and _wait would leave a process that nobody ends
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
            stack.callback(signal.pthread_sigmask, signal.SIG_SETMASK, mask)
            # pylint: disable-next=subprocess-popen-preexec-fn
            with subprocess.Popen(full, stdout=out, stderr=errors, stdin=subprocess.DEVNULL,
                                  preexec_fn=lambda: signal.pthread_sigmask(signal.SIG_SETMASK, mask)) as process:
                status = self._wait(process, mask)
        known = len(self.faults)
        self._take(part, full, path if is_script else path + ".out", status, time.monotonic() - began)
        if status != 0 and len(self.faults) == known:  # it has not said itself what is wrong
            with open(words, encoding="utf-8", errors="replace") as file:
                last = [line for line in file.read().splitlines() if line.strip()][-3:]
            self._fault(part.name, full, f"ended with {status}: {' / '.join(last)}")

    def _take(self, part, command, path, status, seconds):
        try:
            with open(path, encoding="utf-8") as file:
                answer = json.load(file)
            results = [{field: line[field] for field in FIELDS} for line in answer.pop("results")]
        except (OSError, ValueError, KeyError) as error:
            results, answer = [], {}
            if isinstance(error, KeyError) or status == 0:  # what failed has no result and says why
                self._fault(part.name, command, f"no result: {type(error).__name__} {error}")
        for sentence in answer.get("faults", ()):
            self._fault(part.name, command, sentence)
        for line in results:
            print(render.line_text(line), flush=True)
        self.results += results
        self.runs.append({"part": part.name, "command": command, "seconds": round(seconds, 1), "results": len(results)})
        self.details.setdefault(part.name, []).append(answer)
        print(f"bench: {part.name} took {seconds:.0f} s", file=sys.stderr, flush=True)

    def run(self):
        began = time.monotonic()
        for part in PARTS:
            if self.options.only and part.name not in self.options.only:
                continue
            for command in part.commands(self.where):
                with tempfile.TemporaryDirectory(prefix="weir-bench-") as scratch:
                    try:
                        self._run(part, command, scratch)
                    except (rig.RigError, OSError) as error:
                        self._fault(part.name, command, str(error))
        counts = collections.Counter(render.state(line) for line in self.results)
        print(f"{len(self.results)} results: {counts['met']} met, {counts['MISSED']} missed, {counts['not judged']} not judged, "
              f"{counts['-']} without a target; "
              f"{len(self.faults)} faults; {time.monotonic() - began:.0f} s")
        return {"results": self.results, "faults": self.faults, "runs": self.runs, "machine": machine(), "seed": self.options.seed,
                "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()), "seconds": round(time.monotonic() - began),
                "command": ["tools/bench", *sys.argv[2:]], "commit": commit(self.root), "details": self.details}


def text_of(*command):
    try:
        result = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    except OSError:
        return ""
    return result.stdout.strip()


def commit(root):
    revision = text_of("git", "-C", root, "rev-parse", "--short=12", "HEAD")
    return revision + (" and changes" if revision and text_of("git", "-C", root, "status", "--porcelain", "-uno") else "")


def machine():
    rows = dict(row.split(":", 1) for row in text_of("lscpu").splitlines() if ":" in row)
    lines = {name: (text_of(*words).splitlines() or [""])[0] for name, words in {
        "compiler": ("cc", "--version"), "dpdk": ("pkg-config", "--modversion", "libdpdk"),
        "liburcu": ("pkg-config", "--modversion", "liburcu-qsbr"), "lmdb": ("pkg-config", "--modversion", "lmdb"),
        "ipset": ("ipset", "--version"), "nft": ("nft", "--version")}.items()}
    with open("/proc/meminfo", encoding="ascii") as file:
        memory_kib = int(file.readline().split()[1])
    return {"cpu": rows.get("Model name", platform.machine()).strip(), "cpus": os.cpu_count(), "memory_gib": round(memory_kib / (1 << 20)),
            "l3": rows.get("L3 cache", "").strip(), "hypervisor": rows.get("Hypervisor vendor", "none").strip(),
            "kernel": platform.release(), **lines}


def parse_arguments(argv):
    parser = argparse.ArgumentParser(prog="tools/bench", description="Every measurement of Weir beside its baseline, in one run.")
    parser.add_argument("--quick", action="store_true", help="fewer sizes and trials: under 3 minutes once it is built")
    parser.add_argument("--only", action="append", metavar="PART", help="this part; may be repeated")
    parser.add_argument("--list", action="store_true", help="name the parts and end")
    parser.add_argument("--json", metavar="FILE", help="write all results there, with machine, versions, date, seed and commands")
    parser.add_argument("--csv", metavar="FILE", help="write the results there as a table")
    parser.add_argument("--plots", metavar="DIR", help="write plots (SVG) there; default with --json: beside it, FILE without its ending")
    parser.add_argument("--results", metavar="FILE", help="write a report there, as bench/RESULTS.md is one")
    parser.add_argument("--seed", type=int, default=1, help="of whatever is drawn at random (default 1)")
    parser.add_argument("--build", metavar="DIR", help="use this build directory as it is")
    options = parser.parse_args(argv)
    for name in options.only or ():
        if name not in [part.name for part in PARTS]:
            parser.error(f"--only: '{name}' is none of {', '.join(part.name for part in PARTS)}")
    if not 1 <= options.seed <= 0xffffffff:
        parser.error("--seed is 1 to 4294967295")
    for path in filter(None, (options.json, options.csv, options.results)):
        if not os.access(os.path.dirname(os.path.abspath(path)), os.W_OK):
            parser.error(f"{path}: its directory is not there or cannot be written")
    if options.json and not options.plots:
        options.plots = os.path.splitext(options.json)[0] + "-plots"
    return options


def write(options, result):
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
    if options.csv:
        with open(options.csv, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(result["results"])
    drawn = plots.draw(result, options.plots) if options.plots else []
    if options.results:
        render.write(result, options.results, drawn)


def main():
    root, options = sys.argv[1], parse_arguments(sys.argv[2:])
    if options.list:
        for part in PARTS:
            print(f"{part.name:11} {part.about}")
        return 0
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda signum, _frame: sys.exit(128 + signum))  # so that contexts end
    try:
        bench = Bench(root, options)
        bench.compile()
        result = bench.run()
        write(options, result)
    except (BenchError, OSError, RuntimeError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: interrupted", file=sys.stderr)
        return 130
    return 1 if result["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
