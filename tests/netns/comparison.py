#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""bench/live.py tells the truth: what clients call success the node has echoed, through every system that it compares; each rival that
can keep bots out does so; one that does not, or cannot run, is named. Says nothing about speed. Needs root."""
import argparse
import glob
import os
import secrets
import signal
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "bench"), os.path.join(ROOT, "tools", "demo.d")]

import live  # noqa: E402
import live_stage  # noqa: E402
import live_systems as systems  # noqa: E402
from load import last_result  # noqa: E402
from network import NODE_V4, PORT  # noqa: E402

BUILD = os.environ.get("WEIR_BUILD", os.path.join(ROOT, "build"))
DELAY_MS, RATE_PPS, CALM_S = 5, 5000, 1.5
# (seconds after the one before, to the whole group as a terminal does, signal)
CTRL_C = ((0.0, True, signal.SIGINT), (0.3, False, signal.SIGTERM))  # the second one is from tools/bench
IMPATIENT = ((0.0, True, signal.SIGINT), (0.05, True, signal.SIGINT), (0.05, False, signal.SIGTERM), (0.05, True, signal.SIGHUP))
HANGUP = ((0.0, True, signal.SIGHUP),)


class Suite:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, sentence, holds, detail=""):
        self.passed, self.failed = self.passed + bool(holds), self.failed + (not holds)
        print(f"{'ok   ' if holds else 'FAIL '} {sentence}{'' if holds else f': {detail}'}", flush=True)


def honest_counts(suite, tools):
    """Calm, so that no echo is lost on its way: both sides must name the same number."""
    for name in systems.DEFAULT:
        try:
            with live_stage.LiveSession(tools, secrets.token_hex(16), name, DELAY_MS) as session:
                row = session.stage("alone", RATE_PPS, CALM_S, 1)
                if systems.SYSTEMS[name].blocks_bots:
                    bots = session.stage("botnet", RATE_PPS, live.BOTNET_WINDOW_S, 1)
                    suite.check(f"{name} keeps some of the botnet out", bots["blocked"] > 0, bots)
                    suite.check(f"{name} bans no honest client", bots["banned"] == 0, bots)
                    session.finish()
                else:
                    counts = session.finish()
                    suite.check(f"{name}: clients and node agree on every echo", counts["echoed_tcp"] == session.echoed_to_us,
                                f"{session.echoed_to_us} at the clients, {counts}")
                suite.check(f"{name} serves everybody while nobody attacks", row["succeeded"] == row["attempts"] > 0, row)
        except systems.Unable as reason:
            suite.check(f"{name} runs on this machine", False, reason)


def echoes_behind_each(suite, tools):
    """The same count where another program or the kernel's proxy ends the connection."""
    for name in ("weir-always", "synproxy", "haproxy"):
        with live_stage.LiveSession(tools, secrets.token_hex(16), name, DELAY_MS) as session:
            session.stage("alone", RATE_PPS, CALM_S, 2)
            counts = session.finish()
            suite.check(f"{name}: clients and node agree on every echo", counts["echoed_tcp"] == session.echoed_to_us,
                        f"{session.echoed_to_us} at the clients, {counts}")


def options_of(**changes):
    return argparse.Namespace(**{"build": BUILD, "systems": ["syn-cookies", "haproxy"], "models": ["alone"], "seconds": 1.0, "trials": 1,
                                 "rate": RATE_PPS, "delay_ms": DELAY_MS, "search": False, "search_trials": 1, "search_high": 40000,
                                 "minutes": 5.0, "seed": 1} | changes)


def missing_is_named(suite):
    programs, systems.Haproxy.programs = systems.Haproxy.programs, ("weir-no-such-program",)
    try:
        result = live.Live(options_of()).run()
    finally:
        systems.Haproxy.programs = programs
    suite.check("a rival that is not installed is skipped with the reason", "weir-no-such-program" in result["skipped"].get("haproxy", ""),
                result["skipped"])
    lines = [line for line in result["results"] if "haproxy" in line["name"]]
    suite.check("and stands among the results as missed", len(lines) == 1 and lines[0]["met"] is False, lines)


def flood_of_several_lcores(suite, tools):
    """weir-flood completes handshakes on two queues at once, and the node's kernel agrees on their number."""
    with live_stage.LiveSession(tools, secrets.token_hex(16), "syn-cookies", DELAY_MS) as live_session:
        session = live_session.session
        flood = session.start("flood", "clients", tools["weir-flood"], "--port", "net_af_packet0,iface=c0,qdisc_bypass=1,qpairs=2", "--lcores",
                              "2", "--target", f"{NODE_V4}:{PORT}", "--mac", live_session.mac, "--sources", "10.0.0.0/16", "--connect",
                              "complete", "--rate", "1000", "--seconds", "1", "--json")
        status = flood.wait(30)
        result = last_result(session.read("flood.out")) if status == 0 else {"connect": {"shaken": 0}, "sent": -1}
        counts = live_session.finish()
    shaken = result["connect"]["shaken"]
    suite.check("two lcores complete handshakes", status == 0 and shaken >= 0.99 * result["sent"] > 0, result)
    suite.check("as many as the node accepted", counts["accepted"] - live_session.echoed_to_us == shaken, f"{shaken}, {counts}")


def left_by(pid):
    """What a run of live.py with this pid has in the system now."""
    return [path for pattern in (f"/run/netns/weir-demo-{pid}-*", f"/dev/shm/weir-demo-{pid}", f"/run/weir-demo/{pid}")
            for path in glob.glob(pattern)]


def interrupted_runs_leave_nothing(suite):
    """While programs start, and while clients are on their way."""
    for file, signals, status in (("node.err", HANGUP, 129), ("node.err", IMPATIENT, 130), ("honest.err", HANGUP, 129),
                                  ("honest.err", CTRL_C, 130), ("honest.err", IMPATIENT, 130)):
        what = f"{' '.join(number.name for _, _, number in signals)} after {file}"
        with subprocess.Popen([sys.executable, "-B", os.path.join(ROOT, "bench", "live.py"), "--build", BUILD, "--quick", "--systems",
                               "weir-auto", "--models", "spoof"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              start_new_session=True) as process:
            deadline = time.monotonic() + 30
            while not os.path.exists(f"/run/weir-demo/{process.pid}/{file}") and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.01)
            there = left_by(process.pid)
            for pause_s, group, number in signals:
                time.sleep(pause_s)
                try:
                    (os.killpg if group else os.kill)(process.pid, number)
                except ProcessLookupError:
                    pass  # it was faster
            suite.check(f"{what}: ended by it", process.wait(60) == status, process.returncode)
        suite.check(f"{what}: nothing is left of what was there", len(there) >= 5 and not left_by(process.pid),
                    f"{there}, then {left_by(process.pid)}")


def main():
    suite = Suite()
    tools = live_stage.tools_of(BUILD)
    honest_counts(suite, tools)
    echoes_behind_each(suite, tools)
    missing_is_named(suite)
    flood_of_several_lcores(suite, tools)
    interrupted_runs_leave_nothing(suite)
    suite.check("nothing is left behind", not glob.glob(f"/run/netns/weir-demo-{os.getpid()}-*"))
    print(f"suite netns/comparison: {suite.passed} passed, {suite.failed} failed")
    return 1 if suite.failed or not suite.passed else 0


if __name__ == "__main__":
    sys.exit(main())
