#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The delay from an answered `ban.add` to the last forwarded packet of the banned source, over 1,000 bans, idle and under a flood.
It is measured and printed; only that each ban bites within a second decides the test."""
import json
import random
import socket
import sys

from weir import NODE_V4, NODE_V6, TCP_PORT, UDP_PORT, Suite, Weir, run

BANS = 1000
PROBE_PPS = 25_000
FLOOD_PPS = 10_000


def sources(first):
    """A /24 for every four, so that no prefix is over its rate; each eighth an IPv6 source in a /48 of its own."""
    made = []
    for number in range(first, first + BANS):
        made.append(f"fd77:{number + 1:x}::1" if number % 8 == 7 else f"10.{80 + number // 1000}.{number % 250}.{1 + number // 250}")
    return made


def measure(suite, weir, when, first, flood):
    path = f"{weir.state_dir}/sources"
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(sources(first)) + "\n")
    spaces = {part: f"/run/netns/{weir.namespaces[part]}" for part in ("client", "node")}
    before = weir.call("status")["counters"].get("rx_outside", 0)
    if flood:
        flood_start(weir)
    result = json.loads(run(f"{weir.build}/tests/ban_delay", "--socket", weir.socket_path, "--client", spaces["client"], "--node",
                            spaces["node"], "--client-mac", weir.mac("client", "c0"), "--node-mac", weir.mac("node", "n0"), "--v4",
                            NODE_V4, "--v6", NODE_V6, "--port", str(UDP_PORT), "--rate", str(PROBE_PPS), "--sources", path,
                            timeout=120).splitlines()[-1])
    if flood:
        weir.end("flood")
    for name, text in (("after_answer", "from the answer to the last packet"), ("after_request", "from the request to the last packet"),
                       ("answer", "from the request to the answer")):
        delay = result[name]
        suite.say(f"{when}, {text}: p50 {delay['p50_us'] / 1000:.3f} ms, p99 {delay['p99_us'] / 1000:.3f} ms, "
                  f"max {delay['max_us'] / 1000:.3f} ms")
    received = weir.call("status")["counters"].get("rx_outside", 0) - before
    suite.say(f"{when}: probe {result['probe_pps']:,} pps, {received:,} packets reached Weir, {result['passed_after_answer']} of "
              f"{result['bans']} bans saw a packet pass after the answer")
    suite.check(f"{when}, each of {BANS} bans bites within 1 s", result["bans"] == BANS and result["bitten"] == BANS,
                f"{result['bitten']}")
    suite.check(f"{when}, the probes were flowing when the bans came", result["flowing"] >= BANS * 9 // 10
                and result["listener_lost"] == 0, f"{result['flowing']} of {BANS}")
    suite.check(f"{when}, the probe sent at least 20,000 packets a second", result["probe_pps"] >= 20_000)


def flood_start(weir):
    """SYNs of strangers from all over the address space, until ended."""
    rng = random.Random(7)
    path = f"{weir.state_dir}/strangers"
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(f"{rng.randrange(11, 200) | 1}.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}"
                             for _ in range(100_000)) + "\n")
    weir.spawn("flood", "client", f"{weir.build}/tests/packet_send", "--interface", "c0", "--mac", weir.mac("node", "n0"),
               "--own-mac", weir.mac("client", "c0"), "--v4", NODE_V4, "--port", str(TCP_PORT), "--kind", "syn", "--sources", path,
               "--rate", str(FLOOD_PPS), "--count", str(FLOOD_PPS * 200))


def main():
    suite = Suite("delay")
    with Weir() as weir:
        # The node has the port open, so that its kernel does not answer each probe with an ICMP error.
        ear = weir.open_socket("node", socket.AF_INET6, socket.SOCK_DGRAM)
        ear.bind(("::", UDP_PORT))
        weir.start()
        measure(suite, weir, "idle", 0, False)
        measure(suite, weir, f"under a flood of {FLOOD_PPS:,} SYN/s", BANS, True)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
