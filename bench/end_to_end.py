#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Weir's packet path between two processes: weir-flood on one CPU sends over vhost-user or memif into weir-dataplane on another,
beside testpmd on the same transport, sides and CPUs, in turn, within one run. Needs root, two CPUs and 2 GiB.

Every trial is accounted (account()): what was sent was received, has one reason each, and what left arrived; a trial that does not
add up is a fault of the run. Rates without loss are searched (search.py) after the trials.
"""
import argparse
import json
import os
import signal
import statistics
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import search  # noqa: E402
from render import line_text  # noqa: E402
from rig import Dataplane, Flood, Rig, RigError, Testpmd, Transport, Waiting  # noqa: E402

NODES, PORT = {4: "198.18.0.1", 6: "fd18::1"}, 7777
IMAGE = ["--node", NODES[4], "--node", NODES[6], "--service", f"tcp:{PORT}", "--service", f"udp:{PORT}"]
TARGET = {4: ["--target", f"{NODES[4]}:{PORT}"], 6: ["--target", f"[{NODES[6]}]:{PORT}"]}
AS_FAST_AS_POSSIBLE = ["--rate", "1e9"]
# The smallest frame, 64 bytes as testpmd counts, and the simple IMIX.
SIZES = {"64-byte": ["--payload", "10"], "IMIX": ["--imix"]}
# SYNs without options are the smallest frames; IMIX: datagrams; SYNs with options are what cookies answer.
SMALLEST, MIXED, SYNS = ["--packet", "syn-bare"], ["--packet", "udp", "--imix"], ["--packet", "syn"]
# Traffic of banned sources: how many (log2), family, packets. Each stands beside testpmd rxonly under the very same words.
DROPS = {"64 k": (16, 4, SMALLEST), "1 M": (20, 4, SMALLEST), "64 k IPv6": (16, 6, SMALLEST), "64 k IMIX": (16, 4, MIXED)}
# What cookies stand beside: frames of the same kind and size. Nobody can ban every address, so their sources are the banned ones.
SYN_DROPS = {"64 k SYNs": (16, 4, SYNS), "64 k SYNs IPv6": (16, 6, SYNS)}
BANNED = {4: ("10.0.0.0", 32), 6: ("fd20::", 64)}  # first and host length: of IPv6, sites
# Every unicast address that a stranger can have; what is left out is malformed or local and would be dropped for that.
STRANGERS = {4: ["--sources", "0.0.0.0/0", "--exclude", "0.0.0.0/8", "--exclude", "127.0.0.0/8", "--exclude", "198.18.0.0/15",
                 "--exclude", "224.0.0.0/3", "--exclude", "169.254.0.0/16"], 6: ["--sources", "2400::/8"]}
# Bans that come while flows are forwarded: of addresses that no stranger has. They are in force within a millisecond or so.
CHURN, CHURN_PER_S = "198.19.0.0/16", 10000
# A trial in which another process had one of the two CPUs for more of the time says more about that process. Weir's own table
# thread and the control that reads its events take 3 to 7 % of the generator's CPU here, because there is no third one.
WAITED_MAX = 0.1
RETRIES = 4
# Of two rounds the median is the mean, which one odd round moves as it likes.
ROUNDS_MIN = 3
# As much longer than --minutes may the first three take, because two would have been for nothing.
ROUNDS_GRACE = 1.25
# Of weir-flood's bottlenecks, those that are the far side: its full queue, and answers that are waited for.
FAR_SIDE = ("port", "answers")
FLOWS = {"1 k": 1 << 10, "64 k": 1 << 16, "1 M": 1 << 20}
QUICK = ["ceiling", "rxonly 64 k", "banned 64 k", "banned 64 k SYNs", "challenge proxy",
         "forward 64 k 64-byte testpmd", "forward 64 k 64-byte weir",
         "forward 64 k 64-byte weir, bans"]
# What copies frames another way may change: sizes, connections and IPv6 are measured over one transport.
MEMIF = ["ceiling", "rxonly 64 k", "banned 64 k", "banned 64 k SYNs", "challenge proxy", *(f"forward {flows} 64-byte {subject}" for flows in ("1 k", "64 k", "1 M")
                                                       for subject in ("testpmd", "weir")), "forward 64 k 64-byte weir, bans"]
# The lowest rate that is tried, by the one that a queue that is always full takes; the resolution; patience with one subject.
# A queue that is not always full may be emptied faster than one that is.
SEARCH_LOW, SEARCH_HIGH, SEARCH_STEP, SEARCH_TRIALS, SEARCH_S, SEARCH_PROBE_S = 0.2, 1.3, 1.05, 3, 40, 0.7
LOSSES = {"no loss": 0.0, "0.1 % loss": 0.001}
OPEN_PER_S = 200000  # flood_stream.c
# So many clients wait for an answer at once: more than a burst of either side, less than a ring holds of their segments.
IN_FLIGHT = 512
# 2^22 flows of one lcore: connections that are over are kept for closing_timeout_ms, and a trial opens a million or two.
FLOW_OPTIONS = ["--flows-log2", "22"]


class Trial:
    """One run of the generator against one subject. `doubts`: sentences that make it worthless, if it is not made again anyway."""

    def __init__(self, sent, rate, waited, bottleneck, seconds, **facts):
        self.sent, self.rate, self.waited, self.bottleneck, self.seconds, self.facts = sent, rate, waited, bottleneck, seconds, facts
        self.doubts = []


def flood_run(rig, device, seconds, words, subject=None, opening_s=0, during=None):
    """`during`: called when both sides are under load."""
    with Flood(rig, device, seconds, *words) as flood:
        time.sleep(0.5 + opening_s)  # EAL starts; then both sides are under load for the whole span
        waiting = Waiting(*filter(None, (flood.process, subject)))
        if during:
            during()
        time.sleep(max(seconds - 0.5, 0.3))
        waited = waiting.share() if flood.process.is_running() else 1.0
        result = flood.result()
    return Trial(result["sent"], result["rate_pps"], waited, result["bottleneck"], result["seconds"], received=result["received"],
                 result=result)


def unaccounted(result, counters, reasons, sunk=False, slack=8192):
    """Every frame ends with one reason, and everything that is to be sent is sent or refused: sentences about what does not add up.

    `result`: of weir-flood; `counters` and `reasons`: what the dataplane counted meanwhile. `slack`: what may have been in the rings
    when the generator left; `sunk`: behind the inside port nobody counts.
    """
    received, decided = counters.get("rx_outside", 0) + counters.get("rx_inside", 0), sum(reasons.values())
    node, stream = result.get("node", {}), result.get("stream", {})
    sent = result["sent"] + result.get("connect", {}).get("answers", 0) + node.get("answered", 0) + stream.get("sent", 0)
    sentences = []
    if not 0 <= sent - received <= slack:
        sentences.append(f"{sent} were sent and {received} received")
    if decided != received:
        sentences.append(f"{received} were received and {decided} have a reason")
    out = counters.get("tx_outside", 0) + (0 if sunk else counters.get("tx_inside", 0))
    arrived = result["received"] + node.get("received", 0) + stream.get("arrived", 0)
    if not 0 <= out - arrived <= slack:
        sentences.append(f"{out} left Weir and {arrived} arrived")
    return sentences


def undisturbed(trials):
    return [trial for trial in trials if trial.waited <= WAITED_MAX]


def banned_words(log2, family, packets):
    """The image, and the traffic that it bans."""
    first, bits = BANNED[family]
    prefix = f"{first}/{bits - log2}"
    return IMAGE + ["--bans", f"{prefix}:{1 << log2}"], ["--sources", prefix, *packets]


def limited(trials):
    """Whether in any of them the far side was not what limited the rate."""
    return any(trial.bottleneck not in FAR_SIDE for trial in trials)


class Bench:
    """Measurements over one transport. `share`: of the run's time; `always`: options of every dataplane, for tests without huge pages."""

    def __init__(self, rig, transport, options, always=(), share=1.0):
        self.always = list(always)
        self.rig, self.transport, self.seconds, self.trials = rig, transport, options.seconds, options.trials
        self.patience_s = options.minutes * 60 * share
        self.seed = ["--seed", str(options.seed)]
        self.measured, self.results, self.faults, self.searches = {}, [], [], []

    def fault(self, sentence):
        self.faults.append(f"{self.transport.name}: {sentence}")
        print(f"FAIL  {sentence}", flush=True)

    # --- one trial each

    def words(self, family, words):
        """Of the generator, for every subject alike."""
        return TARGET[family] + AS_FAST_AS_POSSIBLE + words + self.seed

    def ceiling(self):
        """The generator alone, with the traffic that most is measured with."""
        return flood_run(self.rig, "net_null0,no-rx=1", self.seconds, self.words(4, banned_words(*DROPS["64 k"])[1]))

    def rxonly(self, words, family=4):
        with Testpmd(self.rig, self.transport, "rxonly") as testpmd:
            trial = flood_run(self.rig, self.transport.generator(0), self.seconds, self.words(family, words), testpmd.process)
            # memif forgets its counts when the other side leaves; and DPDK 22.11 may read a ring of it that is gone, and die
            if self.transport.name != "memif":
                received = testpmd.received()
                if not 0 <= trial.sent - received <= 4096:  # what was in the ring when the generator left
                    self.fault(f"testpmd received {received} of {trial.sent}")
        return trial

    def governed(self, image, words, options=(), inside=None, opening_s=0, family=4, churn=False):
        with Dataplane(self.rig, self.transport, image, inside or "net_null1,no-rx=1", [*self.always, *options]) as dataplane:
            def churn_start():
                dataplane.control.say(f"churn {CHURN} {CHURN_PER_S}")
                dataplane.control.hear()
            before = dataplane.counters()
            trial = flood_run(self.rig, self.transport.generator(0), self.seconds,
                              self.words(family, words), dataplane.process, opening_s, churn_start if churn else None)
            time.sleep(0.1)
            after = dataplane.counters()
        for key in ("reasons", "counters"):
            trial.facts[key] = {name: value - before[key][name] for name, value in after[key].items() if value != before[key][name]}
        if churn and not 0.8 * CHURN_PER_S * max(self.seconds - 0.5, 0.3) <= after["bans_sent"] <= after["bans"] + CHURN_PER_S / 100:
            trial.doubts.append(f"{after['bans_sent']} bans were sent, {after['bans']} are in force")
        for sentence in unaccounted(trial.facts["result"], trial.facts["counters"], trial.facts["reasons"], inside is None):
            self.fault(sentence)
        return trial

    def banned(self, log2, family=4, packets=SMALLEST):
        trial = self.governed(*banned_words(log2, family, packets), family=family)
        if trial.facts["reasons"].get("banned", 0) != sum(trial.facts["reasons"].values()):
            trial.doubts.append(f"not every packet of a banned source was dropped for it: {trial.facts['reasons']}")
        return trial

    def challenged(self, method, family=4):
        trial = self.governed(["--challenge", "always", "--method", method] + IMAGE, STRANGERS[family] + SYNS, family=family)
        counters, reasons = trial.facts["counters"], trial.facts["reasons"]
        trial.rate = counters.get("tx_outside", 0) / trial.seconds
        if reasons.get("challenged", 0) != sum(reasons.values()):
            trial.doubts.append(f"not every SYN was challenged: {reasons}")
        return trial

    def unchallenged(self):
        """Strangers' SYNs that the node gets as long as there is room for their flows."""
        trial = self.governed(IMAGE, STRANGERS[4] + SYNS)
        if trial.facts["reasons"].get("challenged", 0) or not trial.facts["reasons"].get("admitted", 0):
            trial.doubts.append(f"a flood without challenges was challenged or not admitted: {trial.facts['reasons']}")
        return trial

    def streamed(self, flows, size, subject, family=4):
        """Data of connections that exist; `subject`: "weir", "weir, bans" or "testpmd"."""
        words = STRANGERS[family] + ["--packet", "syn-bare", "--model", "slow", "--population", str(flows), "--stream",
                                     "--respond", self.transport.generator(1), *SIZES[size]]
        if subject.startswith("weir"):
            # as many as a default configuration has, or twice what is needed
            options = ["--flows-log2", "21"] if flows > 1 << 17 else []
            trial = self.governed(IMAGE, words, options, self.transport.subject(1), flows / OPEN_PER_S, family,
                                  subject == "weir, bans")
        else:
            trial = self.switched(words, flows / OPEN_PER_S, family)
        trial.rate = trial.facts["result"]["stream"]["arrived_pps"]
        if subject.startswith("weir") and trial.facts["reasons"].get("flow", 0) < trial.facts["result"]["stream"]["sent"] - 8192:
            trial.doubts.append(f"not every segment was one of a known flow: {trial.facts['reasons']}")
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
            trial.doubts.append(f"connections were served that the proxy did not open: {trial.facts['reasons']}")
        return trial

    def switched(self, words, opening_s=0, family=4):
        with Testpmd(self.rig, self.transport, "macswap", self.transport.subject(1)) as testpmd:
            return flood_run(self.rig, self.transport.generator(0), self.seconds, self.words(family, words), testpmd.process, opening_s)

    # --- the run

    def run(self, plan):
        """`plan`: {name: function of no argument}. In turn, so that whatever else the machine does hits all alike."""
        began = time.monotonic()
        for number in range(self.trials):
            patience_s = self.patience_s * (ROUNDS_GRACE if number < ROUNDS_MIN else 1)
            if number and (time.monotonic() - began) * (number + 1) / number > patience_s:
                print(f"      {number} of {self.trials} rounds: another would last too long (--minutes)", flush=True)
                break
            for name, function in plan.items():
                trial = function()
                for _ in range(RETRIES):
                    if trial.waited <= WAITED_MAX:
                        break
                    print(f"      {name}: another process had a CPU for {trial.waited:.0%} of the time; once more", flush=True)
                    trial = function()
                for sentence in trial.doubts:
                    self.fault(f"{name}: {sentence}")
                self.measured.setdefault(name, []).append(trial)
                print(f"      {number + 1}/{self.trials} {name}: {trial.rate / 1e6:.2f} M/s, waited {trial.waited:.1%}, "
                      f"bottleneck {trial.bottleneck}", flush=True)
        for name, trials in self.measured.items():
            if not undisturbed(trials):
                self.fault(f"{name}: another process had a CPU in every trial, for {min(trial.waited for trial in trials):.0%} of the time "
                           "at least: its rate says nothing")

    # --- the highest rate without loss

    def loss_probe(self, process, words, late):
        """A function of a rate: the share of what was to be sent that found no room in the subject's queue in time. `late`: takes
        the rates at which it was the generator that was not in time."""
        def measure(rate, trial):
            for _ in range(RETRIES):
                once = flood_run(self.rig, self.transport.generator(0), SEARCH_PROBE_S, TARGET[4] + words + ["--rate", f"{rate:.0f}",
                                 "--seed", str(trial + 1)], process)
                if once.waited <= WAITED_MAX and once.bottleneck != "generator":
                    break
            if once.bottleneck == "generator":
                late.append(round(rate))
            not_sent = once.facts["result"]["not_sent"]
            return not_sent / max(once.sent + not_sent, 1)
        return measure

    def searched(self, process, words, capacity):
        """({name of a loss: search.Found}, rates at which the generator was late)."""
        late = []
        probes = search.Probes(self.loss_probe(process, words, late),
                               search.grid(SEARCH_LOW * capacity, SEARCH_HIGH * capacity, SEARCH_STEP))
        deadline = search.Deadline(SEARCH_S)
        return {name: search.highest(probes, lambda loss, most=most: loss <= most, SEARCH_TRIALS, 1, deadline)
                for name, most in LOSSES.items()}, late

    def search(self):
        """Beside each other: banned sources into Weir, the same traffic into testpmd rxonly."""
        image, words = banned_words(*DROPS["64 k"])
        with Testpmd(self.rig, self.transport, "rxonly") as testpmd:
            theirs, theirs_late = self.searched(testpmd.process, words, self.median("rxonly 64 k"))
        with Dataplane(self.rig, self.transport, image) as dataplane:
            ours, ours_late = self.searched(dataplane.process, words, self.median("banned 64 k"))
        for name, found in ours.items():
            self.search_line(name, found, theirs[name], ours_late + theirs_late)

    def search_line(self, name, ours, theirs, late):
        row = f"end to end, {self.transport.name}: highest rate with {name}, 64 k banned sources"
        for subject, found in (("weir", ours), ("testpmd rxonly", theirs)):
            self.searches.append({"name": f"{row}, {subject}", "rates": found.rates, "text": found.text(1e6, " M/s"), "late": late})
        if not ours.rates or not theirs.rates:
            return
        doubt = None
        if min(len(ours.rates), len(theirs.rates)) < ROUNDS_MIN:
            doubt = f"{min(len(ours.rates), len(theirs.rates))} searches ended, {ROUNDS_MIN} are needed"
        elif theirs.high_held:
            doubt = "testpmd's limit lies above the highest rate that was tried"
        elif late:
            doubt = f"the generator is the limit at {len(late)} rates"
        self.line(row, ours.median, theirs.median, "testpmd rxonly, same traffic", ">= 0.70 of testpmd rxonly", ratio_floor=0.7, doubt=doubt)

    # --- results

    def median(self, name):
        """Of the trials that were not disturbed, where there are any."""
        return statistics.median(trial.rate for trial in undisturbed(self.measured[name]) or self.measured[name])

    def compare(self, name, ours, baseline, baseline_name, target, floor=None, ratio_floor=None, unit="packets/s", alone=False):
        """A line of `ours` beside `baseline`, both names of measurements; the ratio is the median of the rounds', whose subjects ran side
        by side. `alone`: of the generator itself, which may be its own limit."""
        judges, baseline = ratio_floor is not None, baseline if baseline in self.measured else None
        rounds = list(zip(self.measured[ours], self.measured[baseline] if baseline else self.measured[ours]))
        calm = [pair for pair in rounds if len(undisturbed(pair)) == 2]
        counted = calm or rounds
        ratio = statistics.median(mine.rate / max(theirs.rate, 1) for mine, theirs in counted) if baseline else None
        doubt = None
        if judges and not baseline:
            doubt = "its baseline was not measured"
        elif len(calm) < ROUNDS_MIN:
            doubt = f"{len(calm)} undisturbed rounds, {ROUNDS_MIN} are needed"
        elif not alone and limited(mine for mine, _ in calm):
            doubt = "the generator is the limit"
        elif judges and ratio >= ratio_floor and limited(theirs for _, theirs in calm):
            doubt = "the generator is the baseline's limit"  # which may be faster: below the floor it is missed all the same
        self.line(name, statistics.median(mine.rate for mine, _ in counted),
                  statistics.median(theirs.rate for _, theirs in counted) if baseline else None, baseline_name, target, floor, ratio_floor,
                  unit, ratio, doubt)

    def line(self, name, ours, baseline, baseline_name, target, floor=None, ratio_floor=None, unit="packets/s", ratio=None, doubt=None):
        """`floor`: of the value itself; `ratio_floor`: of the ratio, by default ours by the baseline's. `doubt`: why it cannot be judged."""
        if ratio is None and baseline:
            ratio = ours / baseline
        met = None
        if target and doubt:
            target = f"{target} (not judged: {doubt})"
        elif target:
            met = (floor is None or ours >= floor) and (ratio_floor is None or (ratio or 0) >= ratio_floor)
        self.results.append({"name": name, "unit": unit, "ours": round(ours), "baseline": baseline and round(baseline),
                             "baseline_name": baseline_name if baseline else None, "ratio": ratio and round(ratio, 3),
                             "target": target, "met": met})

    def spread(self):
        return {name: {"rates": [round(trial.rate) for trial in trials], "waited": [round(trial.waited, 4) for trial in trials],
                       "bottleneck": [trial.bottleneck for trial in trials]} for name, trials in self.measured.items()}


def plan_of(bench, wanted):
    """{name: function}: what stands beside each other comes one after the other."""
    plan = {"ceiling": bench.ceiling}
    for name, traffic in DROPS.items():
        plan[f"rxonly {name}"] = lambda traffic=traffic: bench.rxonly(banned_words(*traffic)[1], traffic[1])
        plan[f"banned {name}"] = lambda traffic=traffic: bench.banned(*traffic)
    for name, traffic in SYN_DROPS.items():
        plan[f"banned {name}"] = lambda traffic=traffic: bench.banned(*traffic)
    for method in ("reset", "proxy"):
        plan[f"challenge {method}"] = lambda method=method: bench.challenged(method)
    plan["challenge proxy IPv6"] = lambda: bench.challenged("proxy", 6)
    plan["rxonly strangers"] = lambda: bench.rxonly(STRANGERS[4] + SYNS)
    plan["no challenge"] = bench.unchallenged
    for flows, size, family in forwards():
        # beside each other in time, too
        for subject in ("testpmd", "weir", *(["weir, bans"] if (flows, size, family) == ("64 k", "64-byte", 4) else [])):
            plan[f"forward {flows} {size}{' IPv6' if family == 6 else ''} {subject}"] = \
                lambda flows=flows, size=size, family=family, subject=subject: bench.streamed(FLOWS[flows], size, subject, family)
    for method in ("testpmd", "off", "proxy"):
        plan[f"connections {method}"] = lambda method=method: bench.connected(method)
    unknown = set(wanted) - set(plan)
    if unknown:
        raise RigError(f"there is no measurement '{unknown.pop()}'; there are: {', '.join(plan)}")
    return {name: function for name, function in plan.items() if not wanted or name in wanted}


def forwards():
    """(flows, size, family)."""
    both = [(flows, size, 4) for flows in FLOWS for size in SIZES if flows != "1 M"]
    return [*both, ("1 M", "64-byte", 4), ("64 k", "64-byte", 6)]  # opening a million takes five seconds each time


def report(bench):
    transport, measured = bench.transport.name, bench.measured
    if "ceiling" in measured:
        bench.compare(f"end to end, {transport}: generator's ceiling, into nothing", "ceiling", "rxonly 64 k",
                      "testpmd rxonly, same generator", "> 1 of testpmd rxonly: the generator is not the bottleneck", ratio_floor=1.0,
                      alone=True)
    for name in DROPS:
        if f"banned {name}" in measured:
            bench.compare(f"end to end, {transport}: drop of banned sources, {name}", f"banned {name}", f"rxonly {name}",
                          "testpmd rxonly, same traffic and sides", ">= 0.70 of testpmd rxonly", ratio_floor=0.7)
    for method, drop in (("reset", "64 k SYNs"), ("proxy", "64 k SYNs"), ("proxy IPv6", "64 k SYNs IPv6")):
        if f"challenge {method}" in measured:
            bench.compare(f"end to end, {transport}: cookies answered, method {method}", f"challenge {method}", f"banned {drop}",
                          "drop of 64 k banned sources, the same SYNs", ">= 8 M/s and >= 0.60 of the drop", floor=8e6, ratio_floor=0.6)
    if "no challenge" in measured:
        bench.compare(f"end to end, {transport}: flood of strangers' SYNs, no challenge", "no challenge", "rxonly strangers",
                      "testpmd rxonly, same traffic and sides", None)
    for flows, size, family in forwards():
        name = f"forward {flows} {size}{' IPv6' if family == 6 else ''}"
        for subject, beside in (("weir", ""), ("weir, bans", f", {CHURN_PER_S} bans/s")):
            if {f"{name} {subject}", f"{name} testpmd"} <= set(measured):
                bench.compare(f"end to end, {transport}: forward of {flows} established flows, {size}"
                              f"{', IPv6' if family == 6 else ''}{beside}", f"{name} {subject}", f"{name} testpmd",
                              "testpmd macswap, same ports and generator", ">= 0.70 of testpmd macswap", ratio_floor=0.7)
    if "connections testpmd" in measured:
        bench.compare(f"weir-flood, {transport}: connections completed on one lcore, node included", "connections testpmd", None, None,
                      ">= 1 M/s", floor=1e6, unit="connections/s", alone=True)
    for method, name in (("off", "opened, served and closed, no challenge"), ("proxy", "the same through the SYN proxy, always")):
        if {f"connections {method}", "connections testpmd"} <= set(measured):
            bench.compare(f"end to end, {transport}: connections {name}", f"connections {method}", "connections testpmd",
                          "testpmd macswap in between", None, unit="connections/s")


def wanted_of(options, transport):
    """Names of measurements, of which none means all."""
    return options.only or (MEMIF if transport == "memif" and not options.all else [])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.environ.get("WEIR_BUILD", "build"), help="build directory (default $WEIR_BUILD)")
    parser.add_argument("--transport", action="append", choices=Transport.NAMES, help="may be repeated (default: both)")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="one measurement; may be repeated")
    parser.add_argument("--seconds", type=float, default=2, help="of one trial (default 2)")
    parser.add_argument("--trials", type=int, default=5, help=f"of each measurement, in turn (default 5); with fewer than {ROUNDS_MIN} nothing is judged")
    parser.add_argument("--minutes", type=float, default=60, help=f"no further round of trials when it would end later; the first "
                        f"{ROUNDS_MIN} may take a quarter longer (default 60)")
    parser.add_argument("--all", action="store_true", help="everything over memif too: by default only what a transport may change")
    parser.add_argument("--no-search", action="store_true", help="do not search for the highest rates without loss")
    parser.add_argument("--quick", action="store_true", help="the most telling measurements, vhost-user, one short trial: half a minute")
    parser.add_argument("--seed", type=int, default=1, help="of sources and ports (default 1)")
    parser.add_argument("--nice", type=int, default=0, help="priority of generator and subject, for machines that others use")
    parser.add_argument("--json", metavar="FILE", help="write results, trials and faults")
    options = parser.parse_args()
    if options.quick:
        options.transport, options.seconds, options.trials = options.transport or ["vhost"], 1, 1
        options.only, options.no_search = options.only or QUICK, True
    if os.geteuid() != 0 or (os.cpu_count() or 1) < 2:
        sys.exit("end_to_end.py: needs root (huge pages) and two CPUs")
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda signum, _frame: sys.exit(128 + signum))  # so that contexts end
    results, trials, faults, searches = [], {}, [], []
    try:
        names = options.transport or Transport.NAMES
        lengths = {name: len(plan_of(Bench(None, None, options), wanted_of(options, name))) for name in names}
        for name in names:
            with Rig(options.build, options.nice) as rig:
                bench = Bench(rig, Transport(rig, name), options, share=lengths[name] / sum(lengths[each] for each in names))
                bench.run(plan_of(bench, wanted_of(options, name)))
                report(bench)
                if not options.no_search and name == "vhost" and {"rxonly 64 k", "banned 64 k"} <= set(bench.measured):
                    bench.search()
            results, faults, trials[name] = results + bench.results, faults + bench.faults, bench.spread()
            searches += bench.searches
    except RigError as error:
        sys.exit(f"end_to_end.py: {error}")
    for line in results:
        print(line_text(line))
    for found in searches:
        print(f"        {found['name']}: {found['text']}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"command": sys.argv, "results": results, "trials": trials, "searches": searches, "faults": faults}, file, indent=1)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
