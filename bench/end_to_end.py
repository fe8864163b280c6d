#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Weir's packet path between two processes: weir-flood on one CPU sends over vhost-user or memif into weir-dataplane on another,
beside testpmd on the same transport, sides and CPUs, in turn, within one run. Needs root, two CPUs and 2 GiB.
"""
import argparse
import json
import os
import signal
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from rig import Dataplane, Flood, Rig, RigError, Testpmd, Transport, Waiting  # noqa: E402

NODE, PORT = "198.18.0.1", 7777
IMAGE = ["--node", NODE, "--service", f"tcp:{PORT}", "--service", f"udp:{PORT}"]
TARGET = ["--target", f"{NODE}:{PORT}"]
AS_FAST_AS_POSSIBLE = ["--rate", "1e9"]
BANNED_LOG2 = {"64 k": 16, "1 M": 20}
# Every unicast address that a stranger can have; what is left out is malformed or local and would be dropped for that.
STRANGERS = ["--sources", "0.0.0.0/0", "--exclude", "0.0.0.0/8", "--exclude", "127.0.0.0/8", "--exclude", "198.18.0.0/15",
             "--exclude", "224.0.0.0/3", "--exclude", "169.254.0.0/16"]
# A trial in which another process had one of the two CPUs for more of the time says more about that process. Weir's own table
# thread and the control that reads its events take 3 to 7 % of the generator's CPU here, because there is no third one.
WAITED_MAX = 0.1
RETRIES = 4
FLOWS = {"1 k": 1 << 10, "64 k": 1 << 16, "1 M": 1 << 20}
QUICK = ["ceiling", "rxonly", "banned 64 k", "challenge proxy", "forward 64 k 64-byte testpmd", "forward 64 k 64-byte weir",
         "connections testpmd", "connections off", "connections proxy"]
OPEN_PER_S = 200000  # flood_stream.c
# The smallest frame, 64 bytes as testpmd counts, and the simple IMIX.
SIZES = {"64-byte": ["--payload", "10"], "IMIX": ["--imix"]}
# So many clients wait for an answer at once: more than a burst of either side, less than a ring holds of their segments.
IN_FLIGHT = 512
# 2^22 flows of one lcore: connections that are over are kept for closing_timeout_ms, and a trial opens a million or two.
FLOW_OPTIONS = ["--flows-log2", "22"]


class Trial:
    """One run of the generator against one subject."""

    def __init__(self, sent, rate, waited, bottleneck, seconds, **facts):
        self.sent, self.rate, self.waited, self.bottleneck, self.seconds, self.facts = sent, rate, waited, bottleneck, seconds, facts


def flood_run(rig, device, seconds, words, subject=None, opening_s=0):
    with Flood(rig, device, seconds, *words) as flood:
        time.sleep(0.5 + opening_s)  # EAL starts; then both sides are under load for the whole span
        waiting = Waiting(*filter(None, (flood.process, subject)))
        time.sleep(max(seconds - 0.5, 0.3))
        waited = waiting.share() if flood.process.is_running() else 1.0
        result = flood.result()
    return Trial(result["sent"], result["rate_pps"], waited, result["bottleneck"], result["seconds"], received=result["received"],
                 result=result)


class Bench:
    def __init__(self, rig, transport, seconds, trials):
        self.rig, self.transport, self.seconds, self.trials = rig, transport, seconds, trials
        self.measured, self.results, self.faults = {}, [], []

    def fault(self, sentence):
        self.faults.append(sentence)
        print(f"FAIL  {sentence}", flush=True)

    # --- one trial each

    def ceiling(self):
        return flood_run(self.rig, "net_null0,no-rx=1", self.seconds, TARGET + AS_FAST_AS_POSSIBLE + STRANGERS + ["--packet", "syn-bare"])

    def rxonly(self):
        with Testpmd(self.rig, self.transport, "rxonly") as testpmd:
            trial = flood_run(self.rig, self.transport.generator(0), self.seconds,
                              TARGET + AS_FAST_AS_POSSIBLE + STRANGERS + ["--packet", "syn-bare"], testpmd.process)
            received = testpmd.received()
        # what was in the ring when the generator left; memif forgets its counts when the other side leaves
        if self.transport.name != "memif" and not 0 <= trial.sent - received <= 4096:
            self.fault(f"testpmd received {received} of {trial.sent}")
        return trial

    def governed(self, image, words, options=(), inside=None, opening_s=0):
        with Dataplane(self.rig, self.transport, image, inside or "net_null1,no-rx=1", options) as dataplane:
            before = dataplane.counters()
            trial = flood_run(self.rig, self.transport.generator(0), self.seconds, TARGET + AS_FAST_AS_POSSIBLE + words,
                              dataplane.process, opening_s)
            time.sleep(0.1)
            after = dataplane.counters()
        trial.facts["reasons"] = {name: value - before["reasons"][name] for name, value in after["reasons"].items()
                                  if value != before["reasons"][name]}
        trial.facts["counters"] = {name: value - before["counters"][name] for name, value in after["counters"].items()
                                   if value != before["counters"][name]}
        self.account(trial)
        return trial

    def account(self, trial):
        """Every frame ends with one reason, and everything that is to be sent is sent or refused."""
        counters, reasons = trial.facts["counters"], sum(trial.facts["reasons"].values())
        received, result = counters.get("rx_outside", 0) + counters.get("rx_inside", 0), trial.facts["result"]
        answers = result.get("connect", {}).get("answers", 0) + result.get("node", {}).get("answered", 0)
        sent = trial.sent + answers + result.get("stream", {}).get("sent", 0)
        # what was in the rings when the generator left
        if not 0 <= sent - received <= 8192:
            self.fault(f"{sent} were sent and {received} received")
        if reasons != received:
            self.fault(f"{received} were received and {reasons} have a reason")
        out = counters.get("tx_outside", 0) + counters.get("tx_inside", 0)
        arrived = trial.facts["received"] + result.get("node", {}).get("received", 0) + result.get("stream", {}).get("arrived", 0)
        if not 0 <= out - arrived <= 8192:
            self.fault(f"{out} left Weir and {arrived} arrived")

    def banned(self, log2):
        prefix = f"10.0.0.0/{32 - log2}"
        trial = self.governed(IMAGE + ["--bans", f"{prefix}:{1 << log2}"], ["--sources", prefix, "--packet", "syn-bare"])
        if trial.facts["reasons"].get("banned", 0) != sum(trial.facts["reasons"].values()):
            self.fault(f"not every packet of a banned source was dropped for it: {trial.facts['reasons']}")
        return trial

    def challenged(self, method):
        trial = self.governed(["--challenge", "always", "--method", method] + IMAGE, STRANGERS + ["--packet", "syn"])
        counters, reasons = trial.facts["counters"], trial.facts["reasons"]
        trial.rate = counters.get("tx_outside", 0) / trial.seconds
        if reasons.get("challenged", 0) != sum(reasons.values()):
            self.fault(f"not every SYN was challenged: {reasons}")
        return trial

    def streamed(self, flows, size, subject):
        """Data of connections that exist; `subject`: "weir" or "testpmd"."""
        words = STRANGERS + ["--packet", "syn-bare", "--model", "slow", "--population", str(flows), "--stream",
                 "--respond", self.transport.generator(1), *SIZES[size]]
        if subject == "weir":
            # as many as a default configuration has, or twice what is needed
            options = ["--flows-log2", "21"] if flows > 1 << 17 else []
            trial = self.governed(IMAGE, words, options, self.transport.subject(1), flows / OPEN_PER_S)
        else:
            trial = self.switched(words, flows / OPEN_PER_S)
        trial.rate = trial.facts["result"]["stream"]["arrived_pps"]
        if subject == "weir" and trial.facts["reasons"].get("flow", 0) < trial.facts["result"]["stream"]["sent"] - 8192:
            self.fault(f"not every segment was one of a known flow: {trial.facts['reasons']}")
        return trial

    def connected(self, method):
        """Connections opened, served and closed; `method`: "off", "proxy", or "testpmd" for nothing in between."""
        words = ["--sources", "10.0.0.0/8", "--packet", "syn", "--connect", "complete", "--in-flight", str(IN_FLIGHT),
                 "--respond", self.transport.generator(1)]
        if method == "testpmd":
            trial = self.switched(words)
        else:
            image = ["--challenge", "off" if method == "off" else "always", "--method", "proxy"] + IMAGE
            trial = self.governed(image, words, FLOW_OPTIONS, self.transport.subject(1))
        trial.rate = trial.facts["result"]["connect"]["served"] / trial.seconds
        if method == "proxy" and trial.facts["reasons"].get("proxy_opened", 0) < 0.9 * trial.facts["result"]["connect"]["served"]:
            self.fault(f"connections were served that the proxy did not open: {trial.facts['reasons']}")
        return trial

    def switched(self, words, opening_s=0):
        with Testpmd(self.rig, self.transport, "macswap", self.transport.subject(1)) as testpmd:
            return flood_run(self.rig, self.transport.generator(0), self.seconds, TARGET + AS_FAST_AS_POSSIBLE + words, testpmd.process,
                             opening_s)

    # --- the run

    def run(self, plan):
        """`plan`: {name: function of no argument}. In turn, so that whatever else the machine does hits all alike."""
        for number in range(self.trials):
            for name, function in plan.items():
                trial = function()
                for _ in range(RETRIES):
                    if trial.waited <= WAITED_MAX:
                        break
                    print(f"      {name}: another process had a CPU for {trial.waited:.0%} of the time; once more", flush=True)
                    trial = function()
                self.measured.setdefault(name, []).append(trial)
                print(f"      {number + 1}/{self.trials} {name}: {trial.rate / 1e6:.2f} M/s, waited {trial.waited:.1%}, "
                      f"bottleneck {trial.bottleneck}", flush=True)

    def median(self, name):
        return statistics.median(trial.rate for trial in self.measured[name])

    def line(self, name, ours, baseline, baseline_name, target, floor=None, ratio_floor=None, unit="packets/s"):
        """`floor`: of the value itself; `ratio_floor`: of ours by the baseline."""
        ratio = ours / baseline if baseline else None
        met = None
        if not baseline:  # not measured in this run
            ratio_floor = None
        if floor is not None or ratio_floor is not None:
            met = (floor is None or ours >= floor) and (ratio_floor is None or (ratio or 0) >= ratio_floor)
        self.results.append({"name": name, "unit": unit, "ours": round(ours), "baseline": baseline and round(baseline),
                             "baseline_name": baseline_name, "ratio": ratio and round(ratio, 3), "target": target, "met": met})

    def spread(self):
        return {name: {"rates": [round(trial.rate) for trial in trials], "waited": [round(trial.waited, 4) for trial in trials],
                       "bottleneck": [trial.bottleneck for trial in trials]} for name, trials in self.measured.items()}


def plan_of(bench, wanted):
    plan = {"ceiling": bench.ceiling, "rxonly": bench.rxonly}
    for name, log2 in BANNED_LOG2.items():
        plan[f"banned {name}"] = lambda log2=log2: bench.banned(log2)
    for method in ("reset", "proxy"):
        plan[f"challenge {method}"] = lambda method=method: bench.challenged(method)
    for flows, number in FLOWS.items():
        for size in SIZES if flows != "1 M" else ["64-byte"]:  # opening them takes five seconds each time
            for subject in ("testpmd", "weir"):  # beside each other in time, too
                plan[f"forward {flows} {size} {subject}"] = \
                    lambda number=number, size=size, subject=subject: bench.streamed(number, size, subject)
    for method in ("testpmd", "off", "proxy"):
        plan[f"connections {method}"] = lambda method=method: bench.connected(method)
    unknown = set(wanted) - set(plan)
    if unknown:
        raise RigError(f"there is no measurement '{unknown.pop()}'; there are: {', '.join(plan)}")
    return {name: function for name, function in plan.items() if not wanted or name in wanted}


def report(bench):
    transport, measured = bench.transport.name, bench.measured
    rxonly = bench.median("rxonly") if "rxonly" in measured else None
    drop = bench.median("banned 64 k") if "banned 64 k" in measured else None
    if "ceiling" in measured:
        bench.line(f"end to end, {transport}: generator's ceiling, into nothing", bench.median("ceiling"), rxonly,
                   "testpmd rxonly, same generator", "> 1 of testpmd rxonly: the generator is not the bottleneck", ratio_floor=1.0)
    for name in BANNED_LOG2:
        if f"banned {name}" in measured:
            bench.line(f"end to end, {transport}: drop of {name} banned sources", bench.median(f"banned {name}"), rxonly,
                       "testpmd rxonly, same generator and sides", ">= 0.70 of testpmd rxonly", ratio_floor=0.7)
    for method in ("reset", "proxy"):
        if f"challenge {method}" in measured:
            bench.line(f"end to end, {transport}: cookies answered, method {method}", bench.median(f"challenge {method}"), drop,
                       "drop of 64 k banned sources", ">= 8 M/s and >= 0.60 of the drop", floor=8e6,
                       ratio_floor=0.6 if drop else None)


    for flows in FLOWS:
        for size in SIZES:
            if {f"forward {flows} {size} {subject}" for subject in ("weir", "testpmd")} <= set(measured):
                bench.line(f"end to end, {transport}: forward of {flows} established flows, {size}",
                           bench.median(f"forward {flows} {size} weir"), bench.median(f"forward {flows} {size} testpmd"),
                           "testpmd macswap, same ports and generator", ">= 0.70 of testpmd macswap", ratio_floor=0.7)
    if "connections testpmd" in measured:
        bench.line(f"weir-flood, {transport}: connections completed on one lcore, node included", bench.median("connections testpmd"),
                   None, "", ">= 1 M/s", floor=1e6, unit="connections/s")
    for method, name in (("off", "opened, served and closed, no challenge"), ("proxy", "the same through the SYN proxy, always")):
        if {f"connections {method}", "connections testpmd"} <= set(measured):
            bench.line(f"end to end, {transport}: connections {name}", bench.median(f"connections {method}"),
                       bench.median("connections testpmd"), "testpmd macswap in between", "stated", unit="connections/s")


def show(results):
    for line in results:
        met = {True: "met", False: "MISSED", None: "-"}[line["met"]]
        ratio = f"{line['ratio']:.2f}" if line["ratio"] else "-"
        baseline = f"{line['baseline'] / 1e6:.2f} M" if line["baseline"] else "-"
        print(f"{line['name']:66} {line['ours'] / 1e6:7.2f} M  {baseline:>9} ({line['baseline_name']})  ratio {ratio}  "
              f"target {line['target']}: {met}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.environ.get("WEIR_BUILD", "build"), help="build directory (default $WEIR_BUILD)")
    parser.add_argument("--transport", action="append", choices=Transport.NAMES, help="may be repeated (default: both)")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="one measurement; may be repeated")
    parser.add_argument("--seconds", type=float, default=2, help="of one trial (default 2)")
    parser.add_argument("--trials", type=int, default=5, help="of each measurement, in turn (default 5)")
    parser.add_argument("--quick", action="store_true", help="the most telling measurements, vhost-user, two short trials: a minute")
    parser.add_argument("--nice", type=int, default=0, help="priority of generator and subject, for machines that others use")
    parser.add_argument("--json", metavar="FILE", help="write results, trials and faults")
    options = parser.parse_args()
    if options.quick:
        options.transport, options.seconds, options.trials = options.transport or ["vhost"], 1, 2
        options.only = options.only or QUICK
    if os.geteuid() != 0 or (os.cpu_count() or 1) < 2:
        sys.exit("end_to_end.py: needs root (huge pages) and two CPUs")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda signum, _frame: sys.exit(128 + signum))  # so that contexts end
    results, trials, faults = [], {}, []
    try:
        for name in options.transport or Transport.NAMES:
            with Rig(options.build, options.nice) as rig:
                bench = Bench(rig, Transport(rig, name), options.seconds, options.trials)
                bench.run(plan_of(bench, options.only))
                report(bench)
            results, faults, trials[name] = results + bench.results, faults + bench.faults, bench.spread()
    except RigError as error:
        sys.exit(f"end_to_end.py: {error}")
    show(results)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"command": sys.argv, "results": results, "trials": trials, "faults": faults}, file, indent=1)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
