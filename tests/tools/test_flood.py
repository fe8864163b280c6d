#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""weir-flood against a whole weir-dataplane over memif, as processes and at rates that any machine carries: what is sent is received,
decided with one reason each and forwarded or answered; connections run to their end through the SYN proxy. Needs root.

    test_flood.py BUILD [words of a case]
"""
import csv
import os
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "bench"))
from rig import Dataplane, Flood, Rig, Transport  # noqa: E402
from suite import equal, holds, main  # noqa: E402

BUILD = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "build"
NODES = ["--node", "198.18.0.1", "--node", "fd18::1"]
SERVICES = ["--service", "tcp:7777", "--service", "udp:7777"]
TARGETS = ["--target", "198.18.0.1:7777", "--target", "[fd18::1]:7777"]
SOURCES = ["--sources", "10.0.0.0/8", "--sources", "fd00:5::/32"]
SMALL = ["--flows-log2", "14", "--pressure-keys-log2", "12", "--proven-log2", "12"]
SECONDS, RATE = 0.5, 10000
MALFORMED = ("truncated", "bad_", "fragment_")


def flow(image, words, inside=False):
    """The generator's result, and what the dataplane counted meanwhile."""
    with Rig(BUILD, huge=False) as rig:
        transport = Transport(rig, "memif")
        device = transport.subject(1) if inside else "net_null1,no-rx=1"
        with Dataplane(rig, transport, image, device, SMALL) as dataplane:
            respond = ["--respond", transport.generator(1)] if inside else []
            with Flood(rig, transport.generator(0), SECONDS, *words, *respond) as flood:
                result = flood.result()
            time.sleep(0.2)
            counted = dataplane.counters()
    return result, counted["counters"], {name: n for name, n in counted["reasons"].items() if n}


def account(result, counters, reasons):
    sent = result["sent"] + result.get("connect", {}).get("answers", 0) + result.get("stream", {}).get("sent", 0)
    equal(counters["rx_outside"], sent, "frames from the generator")
    equal(counters["rx_inside"], result.get("node", {}).get("answered", 0), "frames from the node's side")
    equal(sum(reasons.values()), counters["rx_outside"] + counters["rx_inside"], "reasons")
    equal([name for name in reasons if name.startswith(MALFORMED)], [], "malformed frames")


def every_packet():
    kinds = ["syn", "syn-bare", "ack", "rst", "data", "fin", "udp", "quic", "quic-v2", "icmp"]
    result, counters, reasons = flow(NODES + SERVICES, TARGETS + SOURCES + ["--rate", str(RATE), "--v6-share", "0.5"] +
                                     [word for kind in kinds for word in ("--packet", kind)])
    account(result, counters, reasons)
    equal(set(result["by_packet"].values()) - set(range(300, 700)), set(), "an even mix of ten kinds")
    for reason in ("admitted", "no_flow", "icmp_echo"):
        holds(reasons.get(reason, 0) > 0, f"some packets were {reason}: {reasons}")


def banned():
    result, counters, reasons = flow(NODES + SERVICES + ["--bans", "10.0.0.0/24:256", "--bans", "fd00:5::/32:256"],
                                     TARGETS + ["--sources", "10.0.0.0/24", "--sources", "fd00:5::/56", "--rate", str(RATE)])
    account(result, counters, reasons)
    equal(list(reasons), ["banned"], "reasons")


def cookies():
    result, counters, reasons = flow(["--challenge", "always"] + NODES + SERVICES, TARGETS + SOURCES + ["--rate", str(RATE)])
    account(result, counters, reasons)
    equal(list(reasons), ["challenged"], "reasons")
    equal(counters["tx_outside"], result["sent"], "cookies")
    equal(result["received"], result["sent"], "cookies that arrived")


def victim():
    result, counters, reasons = flow(NODES + SERVICES, TARGETS[:2] + ["--model", "victim", "--sources", "192.0.2.7/32", "--packet", "ack",
                                                                      "--packet", "rst", "--rate", str(RATE)])
    account(result, counters, reasons)
    equal(list(reasons), ["no_flow"], "reasons of blind segments in somebody's name")


def poisson():
    result, counters, reasons = flow(NODES + SERVICES, TARGETS + SOURCES + ["--rate", str(RATE), "--poisson"])
    account(result, counters, reasons)
    # 5 standard deviations of a mean of 5000
    holds(abs(result["sent"] + result["not_sent"] - RATE * SECONDS) < 5 * (RATE * SECONDS) ** 0.5, f"{result['sent']} were sent")


def connections(behaviour, method):
    challenge = ["--challenge", "always", "--method", "proxy"] if method == "proxy" else []
    return flow(challenge + NODES + SERVICES, TARGETS + SOURCES + ["--rate", "2000", "--connect", behaviour], inside=True)


def complete(method):
    result, counters, reasons = connections("complete", method)
    clients = result["connect"]
    account(result, counters, reasons)
    holds(result["sent"] > 900, f"{result['sent']} attempts")
    equal(clients["shaken_closed" if method == "proxy" else "shaken"], result["sent"], "handshakes")
    for event in ("served", "ended"):
        equal(clients[event], result["sent"], event)
    equal((clients["refused"], clients["stray"]), (0, 0), "refused, stray")
    if method == "proxy":
        equal((clients["opened"], reasons["proxy_opened"]), (result["sent"], result["sent"]), "opened")


def misbehaving():
    for behaviour, served in (("syn-only", False), ("silent", False), ("reset", False), ("never-ack", True), ("never-close", True),
                              ("half", False)):
        result, counters, reasons = connections(behaviour, "proxy")
        account(result, counters, reasons)
        equal(result["connect"]["served"], result["sent"] if served else 0, f"served, {behaviour}")
        equal(result["connect"]["ended"], 0, f"ended, {behaviour}")
        equal(result["connect"]["stray"], 0, f"stray, {behaviour}")


def stream():
    result, counters, reasons = flow(NODES + SERVICES, TARGETS + SOURCES + [
        "--rate", str(RATE), "--model", "slow", "--population", "100", "--stream", "--imix"], inside=True)
    account(result, counters, reasons)
    equal(result["stream"]["arrived"], result["stream"]["sent"], "segments that arrived")
    holds(reasons["flow"] >= result["stream"]["sent"] > 1000, f"segments of known flows: {reasons}")


def stream_behind_its_schedule():
    """No program sends a billion segments a second: what was late is counted and never repaid, and the rate is not called the schedule's."""
    result, counters, reasons = flow(NODES + SERVICES, TARGETS + SOURCES + [
        "--rate", "1e9", "--model", "slow", "--population", "100", "--stream"], inside=True)
    account(result, counters, reasons)
    holds(result["not_sent_late"] > 1e8 * SECONDS, f"late: {result['not_sent_late']}")
    holds(result["bottleneck"] in ("generator", "port"), result["bottleneck"])


def replay():
    path = f"/tmp/weir-test-flood-{os.getpid()}.pcap"
    syn = bytes.fromhex("0200000000010200000000020800" "4500002800004000400660c40a010203c6120001" "04001e61000000010000000050020400") + bytes(4)
    try:
        with open(path, "wb") as file:
            file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
            for number in range(200):
                file.write(struct.pack("<IIII", 1000, number * 4000, len(syn), len(syn)) + syn)
        result, counters, reasons = flow(NODES + SERVICES, ["--replay", path, "--time-scale", "4"])
    finally:
        os.unlink(path)
    equal(counters["rx_outside"], result["sent"], "frames from the generator")
    equal((result["sent"] + result["not_sent"], sum(reasons.values())), (200, result["sent"]), "frames of the capture, reasons")
    holds(0.19 <= result["seconds"] <= 0.4, f"800 ms four times as fast took {result['seconds']} s")


def refusals():
    with Rig(BUILD, huge=False) as rig:
        for words, sentence in (
                (["--target", "8.8.8.8:53", *SOURCES[:2]], "i-own-this-target"),
                ([*TARGETS[:2], *SOURCES], "same families"),
                ([*TARGETS, *SOURCES, "--respond", "net_null1"], "belong to --connect"),
                ([*TARGETS, *SOURCES, "--stream"], "--stream needs"),
                ([*TARGETS, *SOURCES, "--connect", "complete", "--packet", "udp"], "begins with"),
                (["--replay", "/nonexistent", *TARGETS], "--replay needs"),
                (["--replay", "/nonexistent"], "/nonexistent")):
            with Flood(rig, "net_null0,no-rx=1", SECONDS, *words) as flood:
                status = flood.process.wait(10)
                holds(status != 0 and sentence in flood.process.text(), f"{words}: {status}, {flood.process.text()}")


def csv_file():
    path = f"/tmp/weir-test-flood-{os.getpid()}.csv"
    try:
        with Rig(BUILD, huge=False) as rig, Flood(rig, "net_null0,no-rx=1", 1.3, *TARGETS, *SOURCES, "--csv", path) as flood:
            result = flood.result()
        with open(path, encoding="ascii") as file:
            rows = list(csv.DictReader(file))
    finally:
        os.unlink(path)
    equal(len(rows), 1, "lines for 1.3 s")
    equal(int(rows[0]["sent"]), result["series_pps"][0], "sent in the first second")


if __name__ == "__main__":
    sys.exit(main("tools_flood", [
        ("every packet that it makes is well formed and ends with one reason", every_packet),
        ("banned sources are dropped for that alone", banned),
        ("each SYN gets its cookie", cookies),
        ("packets in a victim's name", victim),
        ("Poisson arrivals come at their rate", poisson),
        ("connections run to their end", lambda: complete("off")),
        ("connections run to their end through the SYN proxy", lambda: complete("proxy")),
        ("clients misbehave as they are told, through the SYN proxy", misbehaving),
        ("data of established connections arrives", stream),
        ("a stream behind its schedule says so", stream_behind_its_schedule),
        ("a capture is replayed at its times", replay),
        ("what makes no sense or is not ours to attack is refused", refusals),
        ("the CSV file says what the result says", csv_file),
    ]))
