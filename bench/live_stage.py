# SPDX-License-Identifier: BSD-3-Clause
"""One session of live.py: the network, the line, the node and one system between, and stages of attack and honest clients in it."""
import contextlib
import csv
import json
import math
import os
import signal
import time

import live_attacks as attacks
import live_systems as systems
from load import last_result
from network import Network
from session import Session
from weir import covered

LINKS = (("d0", "weir", "c0", "clients"), ("d1", "weir", "out0", "weir"), ("in0", "weir", "n0", "node"))
# weir-flood's DPDK takes 0.3 to 0.8 s to start. Honest clients begin HEAD_START_S after it and before its first packet, and go on for
# START_S longer than the window, which is cut by both sides' own clocks.
HEAD_START_S, START_S = 0.2, 0.5
WARM_UP_S = 0.3


# A terminal's Ctrl-C, and tools/bench, which passes on what ended it; a terminal that closes.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def end(number, _frame):
    """The first signal ends the run. tools/bench sends a second one a quarter of a second later: nothing may stop the cleaning."""
    for other in ENDING:
        signal.signal(other, signal.SIG_IGN)
    raise SystemExit(128 + number)


@contextlib.contextmanager
def undisturbed():
    """Signals wait; for the commands that are started meanwhile too, which Ctrl-C would end one by one."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class Attempts:
    """Honest attempts whose intended time fell into the window; from weir-dial's CSV."""

    def __init__(self, path, first_s=0.0, last_s=math.inf):
        self.latencies, self.sources, self.resends, self.succeeded, self.all_succeeded = [], set(), 0, 0, 0
        self.v6 = {"attempts": 0, "succeeded": 0}
        with open(path, encoding="ascii", newline="") as file:
            for row in csv.DictReader(file):
                good = row["outcome"] == "succeeded"
                self.all_succeeded += good
                if not first_s <= float(row["intended_s"]) < last_s:
                    continue
                self.succeeded += good
                if row["class"] == "tcp6":
                    self.v6["attempts"] += 1
                    self.v6["succeeded"] += good
                self.sources.add(row["source"])
                self.resends += int(row["resends"])
                # a failed attempt is not a fast one
                self.latencies.append(float(row["reply_ms"]) if good else attacks.ATTEMPT_TIMEOUT_S * 1000.0)
        self.latencies.sort()

    def quantile_ms(self, fraction):
        if not self.latencies:
            return None
        return round(self.latencies[min(len(self.latencies) - 1, max(0, math.ceil(fraction * len(self.latencies)) - 1))], 3)

    def summary(self):
        return {"attempts": len(self.latencies), "succeeded": self.succeeded, "syn_resends": self.resends, "v6": self.v6,
                "p50_ms": self.quantile_ms(0.5), "p90_ms": self.quantile_ms(0.9), "p99_ms": self.quantile_ms(0.99),
                "p999_ms": self.quantile_ms(0.999), "max_ms": self.quantile_ms(1.0)}


class LiveSession(contextlib.ExitStack):
    """Use as a context around a running system. Raises systems.Unable when this machine cannot run it."""

    def __init__(self, tools, key, name, delay_ms):
        super().__init__()
        self.tools, self.key, self.name, self.delay_ms = tools, key, name, delay_ms
        self.echoed_to_us = 0

    def __enter__(self):
        super().__enter__()
        try:
            with undisturbed():
                self.session = Session()
                self.callback(self.session.close)
            self.system = systems.SYSTEMS[self.name](self.session, self.tools)
            self.system.check()
            self.network = Network(self.session)
            self.network.create(links=LINKS)
            self.session.start("delay", "weir", self.tools["weir-delay"], "--a", "auto:d0", "--b", "auto:d1", "--delay-us",
                               str(int(self.delay_ms * 1000)), "--json")
            self.session.start("node", "node", self.tools["weir-node"], *self.system.node_words, "--key", self.key)
            systems.wait_for(self.session, "node", "listening")
            systems.wait_for(self.session, "delay", "the line is up")
            self.system.start()
            self.mac = self.network.node_mac()
            self._warm_up()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *reason):
        with undisturbed():
            return super().__exit__(*reason)

    def _warm_up(self):
        """Neighbours are resolved, and what takes memory at the first connection has it: that is nobody's latency."""
        self._window_s = self._seconds = WARM_UP_S
        self._seed = 0
        self._dial("warm-up", attacks.honest_command)
        self.echoed_to_us += self._dialled("warm-up", {})[0].all_succeeded

    def finish(self):
        """After the last stage: the node must have sent every echo that a client says it got."""
        self.system.stop()
        self.session.end("node", patience_s=5)
        node = last_result(self.session.read("node.out"))
        if node["echoed_tcp"] < self.echoed_to_us:
            raise RuntimeError(f"{self.name}: clients report {self.echoed_to_us} echoes, the node sent {node['echoed_tcp']}")
        return node

    def _dial(self, name, command):
        path = self.session.path(name + ".csv")
        self.session.start(name, "clients", *command(self.tools, self.key, self._seconds, self._seed, path))

    def _dialled(self, name, attack):
        if self.session.end(name, number=0, patience_s=self._seconds + attacks.ATTEMPT_TIMEOUT_S + 10) != 0:
            raise RuntimeError(f"{name} clients failed: {self.session.read(name + '.err')[-300:]}")
        result = last_result(self.session.read(name + ".out"))
        first_s, last_s = 0.0, math.inf
        if attack:
            first_s = (attack["start_monotonic_ns"] - result["start_monotonic_ns"]) * 1e-9
            last_s = first_s + self._window_s
        return Attempts(self.session.path(name + ".csv"), first_s, last_s), result

    def stage(self, model, rate_pps, window_s, seed):
        """Attack for `window_s`, with honest clients before and during; one row about the attempts in it."""
        self._window_s, self._seed = window_s, seed
        self._seconds = window_s + (START_S if model != "alone" else 0)
        inside = model in attacks.WITH_INSIDE
        blocked = self.system.blocked()
        if model != "alone":
            # bots are processes that start at once; a flood ends by itself when its window is over
            attack_s = window_s + (START_S if model == "botnet" else 0.1)
            self.session.start("attack", "clients", *attacks.attack_command(self.tools, model, self.mac, self.key, rate_pps, attack_s, seed))
            time.sleep(HEAD_START_S if model != "botnet" else 0)
        self._dial("honest", attacks.honest_command)
        if inside:
            self._dial("inside", attacks.inside_command)
        attack = {}
        if model != "alone":
            # bots hold their connections to the end and are let go when nobody is measured any more
            while model == "botnet" and self.session.alive("honest"):
                time.sleep(0.02)
            status = self.session.end("attack", number=signal.SIGINT if model == "botnet" else 0, patience_s=window_s + 15)
            if status != 0:
                raise RuntimeError(f"the attack failed: {self.session.read('attack.err')[-300:]}")
            attack = last_result(self.session.read("attack.out"))
        honest, result = self._dialled("honest", attack)
        row = {"system": self.name, "model": model, "seed": seed, **honest.summary(),
               "attack": attacks.describe(model, rate_pps), "attack_sent": attack.get("sent", attack.get("attempts", 0)),
               "attack_not_sent": attack.get("not_sent", attack.get("not_started", 0)), "attack_bottleneck": attack.get("bottleneck"),
               "clients_bottleneck": result.get("bottleneck")}
        self.echoed_to_us += honest.all_succeeded
        if inside:
            within, _ = self._dialled("inside", attack)
            self.echoed_to_us += within.all_succeeded
            row["inside"] = within.summary()
        row["blocked"] = self.system.blocked() - blocked
        row["banned"] = len(covered(self.system.banned(), honest.sources))
        if not row["attempts"]:
            raise RuntimeError(f"{self.name}, {model}: no honest attempt fell into the attack, which began too late")
        return row


def tools_of(build):
    """Paths of the programs that a session runs; raises when one was not built."""
    tools = {name: os.path.join(os.path.abspath(build), path, name) for name, path in (
        ("weir-node", "bench"), ("weir-dial", "bench"), ("weir-flood", "bench"), ("weir-delay", "bench"), ("weir-control", "control"),
        ("weir-dataplane", "dataplane"))}
    for path in tools.values():
        if not os.access(path, os.X_OK):
            raise RuntimeError(f"{path} was not built")
    return tools


def dump(result, path):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
