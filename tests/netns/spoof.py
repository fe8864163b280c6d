#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A stranger writes a victim's address into 100,000 SYNs, RSTs, FINs, blind ACKs and datagrams. The victim is neither banned nor locked
out nor cut: not the one whose connection carries data all the time, and not the one who connects for the first time meanwhile.
--packets and --rate make it as large as one likes (V39: ten million)."""
import argparse
import json
import sys
import threading
import time

from weir import NODE_V4, NODE_V6, TCP_PORT, EchoServer, Stream, Suite, Weir

PACKETS = 100_000
RATE_PPS = 20_000  # two CPUs carry the stranger, both kernels, Weir and this script
CONNECTED = {4: "10.77.2.1", 6: "fd77:0:0:2::1"}
FRESH = {4: "10.77.3.1", 6: "fd77:0:0:3::1"}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--packets", type=int, default=PACKETS, help=f"in the name of each of four victims (default {PACKETS})")
    parser.add_argument("--rate", type=int, default=RATE_PPS, help=f"packets a second (default {RATE_PPS})")
    return parser.parse_args()


options = parse_arguments()


def spoof(weir, victims, kinds, count, results, ports="1024-65535"):
    """Send in the background: many in the name of each victim."""
    path = f"{weir.state_dir}/victims"
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(victims) + "\n")

    def send():
        text = weir.inside("client", f"{weir.build}/tests/packet_send", "--interface", "c0", "--mac", weir.mac("node", "n0"),
                           "--own-mac", weir.mac("client", "c0"), "--v4", NODE_V4, "--v6", NODE_V6, "--port", str(TCP_PORT),
                           "--kind", kinds, "--sources", path, "--count", str(count), "--rate", str(options.rate), "--source-ports",
                           ports, timeout=60 + count / options.rate * 2)
        results.update(json.loads(text))
    thread = threading.Thread(target=send)
    thread.start()
    return thread


def say_reasons(suite, weir, sent):
    """That the flood met Weir, and what it did with it."""
    status = weir.call("status")
    received = status["counters"].get("rx_outside", 0)
    suite.check("the packets reached Weir", received > 0.95 * sent, f"{received:,}")
    top = sorted(status["reasons"].items(), key=lambda item: -item[1])[:8]
    suite.say("reasons: " + ", ".join(f"{name} {count:,}" for name, count in top))


def attack(suite, weir, streams):
    """All of them spoofed at once: SYNs, RSTs and FINs with random ports and numbers, in all four names."""
    sent = {}
    victims = [*CONNECTED.values(), *FRESH.values()]
    before = {family: stream.bytes for family, stream in streams.items()}
    thread = spoof(weir, victims, "syn,rst,fin,ack,udp", 4 * options.packets, sent)
    time.sleep(2)  # the flood is on, and Weir under pressure
    tried, through, times = 0, 0, []
    while thread.is_alive():
        for family in (4, 6):
            began = time.monotonic()
            tried += 1
            through += weir.connects(FRESH[family], patience_s=15)
            times.append(time.monotonic() - began)
        time.sleep(5)  # a source may open one connection in five seconds for long; more would be its own doing
    thread.join()
    suite.say(f"{sent['sent']:,} packets in {sent['seconds']:.1f} s, {sent['sent'] / sent['seconds']:,.0f} pps")
    suite.check(f"{options.packets:,} spoofed packets were sent in the name of each victim", sent["sent"] == 4 * options.packets)
    say_reasons(suite, weir, sent["sent"])
    suite.check("victims who connected meanwhile all got through", tried >= 6 and through == tried,
                f"{through} of {tried}, slowest {max(times):.2f} s")
    for family, stream in streams.items():
        carried = stream.bytes - before[family]
        suite.check(f"the victim's IPv{family} connection carried data throughout", stream.error is None and carried > 100_000,
                    f"{carried:,} bytes, longest wait {stream.longest_s:.2f} s, {stream.error or 'no error'}")


def attack_on_the_connection(suite, weir, streams):
    """The stranger knows both ports of the running connections and guesses only the sequence number."""
    for family, stream in streams.items():
        port = stream.connection.getsockname()[1]
        before, sent = stream.bytes, {}
        spoof(weir, [CONNECTED[family]], "rst,syn,fin,ack", options.packets // 4, sent, f"{port}-{port}").join()
        suite.check(f"{sent['sent']:,} RSTs, SYNs, FINs and ACKs on the very ports do not cut the IPv{family} connection",
                    stream.error is None and stream.went_on() and stream.bytes > before, stream.error or "")


def main():
    suite = Suite("spoof")
    with Weir() as weir:
        for victim in (*CONNECTED.values(), *FRESH.values()):
            weir.client_prefix(victim)
        EchoServer(weir)
        weir.start()
        streams = {family: Stream(weir, source) for family, source in CONNECTED.items()}
        attack(suite, weir, streams)
        attack_on_the_connection(suite, weir, streams)
        for family, stream in streams.items():
            suite.check(f"the IPv{family} connection still works at the end", stream.stop(), stream.error or "")
        bans = weir.weirctl("ban", "list")["bans"]
        suite.check("weirctl lists no ban", bans == [], bans or "")
        for victim in (*CONNECTED.values(), *FRESH.values()):
            why, peer = weir.weirctl("why", victim), weir.call("peer.get", ip=victim)
            suite.check(f"weirctl why {victim}: no score, no ban", why["score"] == 0 and why["tiers"] == [] and why["ban"] is None
                        and peer["strikes"] == 0, f"{why['verdict']}, {why['reason']}, score {why['score']}")
            suite.check(f"{victim} gets through", weir.connects(victim, patience_s=15))
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
