#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Honest clients during each flood, through Weir and through what people use instead: same topology, same generators, one run.

    clients c0 -- d0 [weir-delay] d1 -- out0 [weir-dataplane, or a bridge] in0 -- n0 node

The line delays every frame by --delay-ms in each direction. Rivals run where their users run them, in the node's own kernel, behind
a plain bridge. Reuses the demo's network, generators and session; nothing of a run is left behind.
"""
import argparse
import json
import os
import secrets
import signal
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tools", "demo.d"))

import load  # noqa: E402
import weir as weir_module  # noqa: E402
from network import DENSE, FLOOD_PORTS, INSIDE_DENSE, NODE_V4, NODE_V6, NOT_SPOOFED, PORT, SPOOFED, Network  # noqa: E402
from session import Session, remove_leftovers, run  # noqa: E402

LINKS = (("d0", "weir", "c0", "clients"), ("d1", "weir", "out0", "weir"), ("in0", "weir", "n0", "node"))
RIVALS = os.path.join(ROOT, "bench", "rivals")
FLOODS = ("spoof", "zipf", "subnets")
MODELS = ("alone", *FLOODS, "botnet")
# (name, challenge of Weir or None, what the rival needs in the node's namespace)
SYSTEMS = {
    "weir-auto": ("auto", ()),
    "weir-always": ("always", ()),
    "syn-cookies": (None, ()),
    "meters": (None, (("nft", "-f", os.path.join(RIVALS, "meters.nft")),)),
    "hashlimit": (None, ((os.path.join(RIVALS, "hashlimit.sh"),),)),
    "synproxy": (None, ((os.path.join(RIVALS, "synproxy.sh"),),)),
}
TOOLS = {"weir-node": "bench/weir-node", "weir-dial": "bench/weir-dial", "weir-flood": "bench/weir-flood", "weir-delay":
         "bench/weir-delay", "weir-control": "control/weir-control", "weir-dataplane": "dataplane/weir-dataplane"}
# Far enough below the 256 a second at which a service comes under pressure that chance does not bring it there.
HONEST_RATE_PER_S = 100
ATTACK_AFTER_S = 1.0  # the first SYNs of an attack fall among honest ones
SUCCESS_PERCENT, RESENDS_PERCENT = 99.9, 0.1  # design.md section 10
REACTION_MS = 10.0


def honest_command(tools, key, number, seconds, seed, csv_path):
    return [tools["weir-dial"], "--target", f"tcp/{NODE_V4}:{PORT}", "--target", f"tcp/[{NODE_V6}]:{PORT}", "--sources",
            load.HONEST[0], "--sources", load.HONEST[1], "--addresses", str(load.ADDRESSES_PER_FAMILY), "--first",
            str(number * load.ADDRESSES_PER_FAMILY), "--poisson", "--rate", str(HONEST_RATE_PER_S), "--seconds", f"{seconds:g}",
            "--timeout", str(load.ATTEMPT_TIMEOUT_S), "--key", key, "--seed", str(seed), "--csv", csv_path, "--json"]


def attack_command(tools, model, mac, key, rate_pps, seconds, seed):
    if model == "botnet":
        return load.botnet_command(tools, key, seconds, seed)
    sources = {"spoof": ["--model", "spoof"], "zipf": ["--model", "zipf", "--population", "1000000"],
               "subnets": ["--model", "few-subnets", "--population", "32", "--exclude", INSIDE_DENSE]}[model]
    prefixes = DENSE if model == "subnets" else SPOOFED
    exclude = () if model == "subnets" else NOT_SPOOFED
    return [tools["weir-flood"], "--port", "net_af_packet0,iface=c0,qdisc_bypass=1", "--target", f"{NODE_V4}:{PORT}", "--target",
            f"[{NODE_V6}]:{PORT}", "--mac", mac, "--packet", "syn",
            *(word for prefix in prefixes for word in ("--sources", prefix)),
            *(word for prefix in exclude for word in ("--exclude", prefix)), *sources, "--source-ports", FLOOD_PORTS, "--rate",
            f"{rate_pps:g}", "--seconds", f"{seconds:g}", "--seed", str(seed), "--json"]


class Live:
    def __init__(self, options):
        self.options = options
        self.key = secrets.token_hex(16)
        self.tools = {name: os.path.join(os.path.abspath(options.build), path) for name, path in TOOLS.items()}
        self.rows = []  # one a system and model

    def _bridge(self, session):
        run(*session.inside("weir", "ip", "link", "add", "br0", "type", "bridge", "stp_state", "0", "mcast_snooping", "0"))
        for link in ("out0", "in0"):
            run(*session.inside("weir", "ip", "link", "set", link, "master", "br0"))
        run(*session.inside("weir", "ip", "link", "set", "br0", "up"))

    def _wait_for(self, session, name, words, patience_s=10):
        deadline = time.monotonic() + patience_s
        while words not in session.read(name + ".err"):
            if time.monotonic() > deadline or not session.alive(name):
                raise RuntimeError(f"{name} does not start: {session.read(name + '.err')[-300:]}")
            time.sleep(0.02)

    def _stage(self, session, network, system, model, number):
        seconds = self.options.seconds if model != "alone" else min(self.options.seconds, 6)
        csv_path = session.path("honest.csv")
        session.start("honest", "clients", *honest_command(self.tools, self.key, number, seconds, self.options.seed + number, csv_path))
        if model != "alone":
            time.sleep(ATTACK_AFTER_S)
            session.start("attack", "clients", *attack_command(self.tools, model, network.node_mac(), self.key, self.options.rate,
                                                               seconds - ATTACK_AFTER_S, self.options.seed))
        patience_s = seconds + load.ATTEMPT_TIMEOUT_S + 10
        if session.end("honest", number=0, patience_s=patience_s) != 0:
            raise RuntimeError(f"the honest clients failed: {session.read('honest.err')[-300:]}")
        attack = {}
        if model != "alone":
            if session.end("attack", number=0, patience_s=patience_s) != 0:
                raise RuntimeError(f"the attack failed: {session.read('attack.err')[-300:]}")
            attack = load.last_result(session.read("attack.out"))
        honest = load.Attempts(csv_path)
        resends = load.last_result(session.read("honest.out"))["syn_resends"]
        row = {"system": system, "model": model, **honest.summary(), "syn_resends": resends,
               "attack_sent": attack.get("sent", attack.get("attempts", 0)), "attack_not_sent": attack.get("not_sent", 0)}
        return row, honest

    def _system(self, system):
        challenge, commands = SYSTEMS[system]
        session = Session()
        try:
            network = Network(session)
            network.create(links=LINKS)
            session.start("delay", "weir", self.tools["weir-delay"], "--a", "auto:d0", "--b", "auto:d1", "--delay-us",
                          str(int(self.options.delay_ms * 1000)), "--json")
            self._wait_for(session, "delay", "the line is up")
            session.start("node", "node", self.tools["weir-node"], "--listen", NODE_V4, "--listen", NODE_V6, "--key", self.key)
            self._wait_for(session, "node", "listening")
            weir = None
            if challenge:
                weir = weir_module.Weir(session, self.tools, "0", challenge=challenge)
                weir.start()
            else:
                self._bridge(session)
                for command in commands:
                    run(*session.inside("node", *command))
            sources = set()
            for number, model in enumerate(self.options.models):
                row, honest = self._stage(session, network, system, model, number)
                sources |= honest.sources
                row["banned"] = len(weir_module.covered(weir.bans(), sources)) if weir else 0
                self.rows.append(row)
                print(f"live: {system:12} {model:8} {row['succeeded']}/{row['attempts']} honest, p50 {row['p50_ms']} ms, p99 "
                      f"{row['p99_ms']} ms, {row['syn_resends']} SYN resends, {row['banned']} banned; attack {row['attack_sent']}",
                      file=sys.stderr, flush=True)
            if weir:
                self.reasons = weir.call("status").get("reasons", {})
                weir.stop()
        finally:
            session.close()

    def _row(self, system, model):
        return next((row for row in self.rows if row["system"] == system and row["model"] == model), None)

    def results(self):
        """The lines of tools/bench: Weir beside each rival, against design.md section 10."""
        lines = []
        rivals = [name for name in self.options.systems if not name.startswith("weir")]
        for ours in (name for name in self.options.systems if name.startswith("weir")):
            calm = self._row("syn-cookies", "alone") or self._row(ours, "alone")  # the bare path, where it was measured
            for model in self.options.models:
                row = self._row(ours, model)
                # Two attempts of the whole may fail only where 99.9 % of them are that many.
                success = 100.0 * row["succeeded"] / row["attempts"]
                bound = max(2 * calm["p99_ms"], calm["p99_ms"] + 2 * self.options.delay_ms + REACTION_MS) if calm else None
                for rival in rivals or [None]:
                    other = self._row(rival, model) if rival else None
                    theirs = 100.0 * other["succeeded"] / other["attempts"] if other else None
                    lines.append({"name": f"live {model}: honest clients served, {ours}", "unit": "%", "ours": round(success, 3),
                                  "baseline": round(theirs, 3) if other else None, "baseline_name": rival,
                                  "ratio": round(success / theirs, 3) if theirs else None, "target": f">= {SUCCESS_PERCENT} %",
                                  "met": success >= SUCCESS_PERCENT and row["banned"] == 0})
                    lines.append({"name": f"live {model}: p99 of the first reply byte, {ours}", "unit": "ms", "ours": row["p99_ms"],
                                  "baseline": other["p99_ms"] if other else None, "baseline_name": rival,
                                  "ratio": round(row["p99_ms"] / other["p99_ms"], 3) if other else None,
                                  "target": f"<= {bound:.1f} ms" if bound else None, "met": bound is None or row["p99_ms"] <= bound})
                resends = 100.0 * row["syn_resends"] / row["attempts"]
                lines.append({"name": f"live {model}: SYN resends, {ours}", "unit": "%", "ours": round(resends, 3), "baseline": None,
                              "baseline_name": None, "ratio": None, "target": f"<= {RESENDS_PERCENT} %",
                              "met": resends <= RESENDS_PERCENT})
        return lines

    def run(self):
        remove_leftovers(lambda text: print(f"live: {text}", file=sys.stderr))
        for path in self.tools.values():
            if not os.access(path, os.X_OK):
                raise RuntimeError(f"{path} was not built")
        for system in self.options.systems:
            self._system(system)
        return {"rows": self.rows, "results": self.results(), "delay_ms": self.options.delay_ms, "rate_pps": self.options.rate,
                "seed": self.options.seed, "command": sys.argv}


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench/live.py", description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, metavar="DIR")
    parser.add_argument("--systems", default=",".join(SYSTEMS), help=f"of {', '.join(SYSTEMS)}")
    parser.add_argument("--models", default=",".join(MODELS), help=f"of {', '.join(MODELS)}; 'alone' first gives the bound of p99")
    parser.add_argument("--seconds", type=float, default=12.0, help="of a stage, 5 to 600 (default 12)")
    parser.add_argument("--rate", type=float, default=20000.0, help="packets a second of the floods (default 20000)")
    parser.add_argument("--delay-ms", type=float, default=20.0, help="in each direction, 0 to 1000 (default 20)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="write the result there; - is standard output")
    options = parser.parse_args()
    options.systems, options.models = options.systems.split(","), options.models.split(",")
    for name, known in ((options.systems, SYSTEMS), (options.models, MODELS)):
        for word in name:
            if word not in known:
                parser.error(f"'{word}' is none of {', '.join(known)}")
    if not 5 <= options.seconds <= 600 or not 100 <= options.rate <= 10_000_000 or not 0 <= options.delay_ms <= 1000:
        parser.error("--seconds 5 to 600, --rate 100 to 10000000, --delay-ms 0 to 1000")
    return options


def main():
    options = parse_arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda signum, _frame: sys.exit(128 + signum))
    try:
        result = Live(options).run()
    except (RuntimeError, OSError) as error:
        print(f"live: {error}", file=sys.stderr)
        return 1
    if options.json == "-":
        print(json.dumps(result))
    elif options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)
    for line in result["results"]:
        beside = f"  {line['baseline_name']} {line['baseline']}" if line["baseline_name"] else ""
        print(f"{'met   ' if line['met'] else 'MISSED'} {line['name']}: {line['ours']} {line['unit']} ({line['target']}){beside}",
              file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
