#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A source that is banned while connected loses all its connections within a second though a million other flows are known: idle
ones too, by a RST at both ends. The other flows stay, and an idle connection of a neighbour works on."""
import json
import select
import socket
import sys
import time

from weir import NODE_V4, NODE_V6, TCP_PORT, UDP_PORT, EchoServer, Suite, Weir, wait_for

FLOWS = 1_000_000
CONNECTIONS = 100
VICTIMS = {4: "10.77.5.5", 6: "fd77:0:0:5::5"}
NEIGHBOURS = {4: "10.77.5.6", 6: "fd77:0:0:6::5"}


def flows_fill(suite, weir):
    """UDP flows of 1,000 sources with a thousand ports each: what a table full of strangers costs is under test, not their limits."""
    path = f"{weir.state_dir}/sources"
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(f"10.{90 + number // 250}.{number % 250}.1" for number in range(1000)) + "\n")
    began, rounds, flows = time.monotonic(), 0, 0
    while flows < FLOWS and time.monotonic() - began < 90:
        rounds += 1
        weir.inside("client", f"{weir.build}/tests/packet_send", "--interface", "c0", "--mac", weir.mac("node", "n0"), "--own-mac",
                    weir.mac("client", "c0"), "--v4", NODE_V4, "--v6", NODE_V6, "--port", str(UDP_PORT), "--kind", "udp",
                    "--sources", path, "--count", str(max(50_000, FLOWS - flows)), "--rate", "200000", "--seed", str(rounds),
                    timeout=90)
        time.sleep(0.3)
        flows = weir.call("status")["counters"].get("flows", 0)
    suite.check(f"at least {FLOWS:,} flows are known", flows >= FLOWS, f"{flows:,} after {time.monotonic() - began:.1f} s")
    return flows


def resets(connections, patience_s):
    """How many of them got a RST, and when the last did."""
    poll, waiting, count = select.poll(), {c.fileno(): c for c in connections}, 0
    last = time.monotonic()
    for number in waiting:
        poll.register(number, select.POLLIN)
    deadline = last + patience_s
    while waiting and time.monotonic() < deadline:
        for number, _events in poll.poll(50):
            poll.unregister(number)
            try:
                waiting.pop(number).recv(100)
            except ConnectionResetError:
                count += 1
                last = time.monotonic()
    return count, last


def main():
    suite = Suite("capacity")
    no_limit = {level: {"burst": 0} for level in ("host", "near", "mid", "wide")}
    no_pressure = {"enter_per_s": 100_000_000, "leave_per_s": 0, "half_open": 100_000_000}
    levels = {level: 0 for level in ("host", "near", "mid", "wide")}
    config = {
        "services": [{"name": "tcp", "port": TCP_PORT, "protocol": "tcp", "pressure": no_pressure},
                     {"name": "udp", "port": UDP_PORT, "protocol": "udp", "pressure": no_pressure}],
        "rate": {kind: {"v4": no_limit, "v6": no_limit} for kind in ("proven", "unproven")},
        "limits": {"hard": 0, "concurrency": {"v4": levels, "v6": levels}},
        "timeouts": {"udp_unanswered": "1h", "auth": "10m", "payload_idle": "0"},
        "flood": {"per_s": 0},  # its flows are what is wanted here
    }
    with Weir(config, ["--flows-log2", "21"]) as weir:
        for prefix in (*VICTIMS.values(), *NEIGHBOURS.values()):
            weir.client_prefix(prefix)
        server = EchoServer(weir)
        ear = weir.open_socket("node", socket.AF_INET6, socket.SOCK_DGRAM)
        ear.bind(("::", UDP_PORT))
        weir.start()
        connections = {family: [weir.connect(source) for _ in range(CONNECTIONS)] for family, source in VICTIMS.items()}
        beside = {family: weir.connect(source) for family, source in NEIGHBOURS.items()}
        for idle in (*connections[4], *connections[6], *beside.values()):
            idle.sendall(b"once")
            idle.recv(100)
        flows = flows_fill(suite, weir)
        for family, source in VICTIMS.items():
            before, began = server.resets, time.monotonic()
            weir.call("ban.add", ip=source)
            answered = time.monotonic()
            count, last = resets(connections[family], 5)
            suite.check(f"a banned IPv{family} source with {CONNECTIONS} idle connections gets a RST on each", count == CONNECTIONS, count)
            suite.check(f"within 1 s of the answer, with {flows:,} flows known", last - answered < 1,
                        f"last {1000 * (last - answered):.0f} ms after the answer, answered in {1000 * (answered - began):.1f} ms")
            suite.check("the node gets a RST on each, too", wait_for(lambda: server.resets - before >= CONNECTIONS, 5),
                        server.resets - before)
        for family, idle in beside.items():
            idle.sendall(b"still here")
            suite.check(f"the idle connection of an IPv{family} neighbour works on", idle.recv(100) == b"still here")
        left = weir.call("status")["counters"]
        suite.check("no other flow was cut", left.get("flows_cut") == 2 * CONNECTIONS, left.get("flows_cut"))
        suite.say(json.dumps({key: left[key] for key in ("flows", "flows_born", "flows_evicted", "flows_cut", "events_lost")
                              if key in left}))
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
