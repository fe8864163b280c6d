#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""weir-replay as a process, on captures made by hand: odd packets, bans, challenges, limits, and captures that are no captures.
Usage: test_replay.py WEIR-REPLAY [PART OF A SENTENCE]"""
import json
import os
import struct
import sys
import tempfile
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from capture import *  # noqa: E402,F403
from suite import equal, holds, main, run  # noqa: E402

REPLAY = os.path.abspath(sys.argv[1])
OPTIONS = ["--node", f"{NODE_V4},{NODE_V6}", "--service", f"tcp/{PORT},udp/{PORT}"]
CONFIG = """
instance: replay
node: {{addresses: [{node4}, "{node6}"]}}
services:
  - {{name: tcp, port: 30303, protocol: tcp{service}}}
  - {{name: udp, port: 30303, protocol: udp}}
start: {{adopt_window: 0}}
{more}
"""
CASES = []
folder = tempfile.TemporaryDirectory(prefix="weir-replay-")


def case(sentence):
    def add(function):
        CASES.append((sentence, function))
        return function
    return add


def written(name, data):
    path = os.path.join(folder.name, name)
    with open(path, "wb") as file:
        file.write(data if isinstance(data, bytes) else data.encode())
    return path


def config(more="", service=""):
    text = CONFIG.format(node4=NODE_V4, node6=NODE_V6, more=more, service=service)
    return ["--config", written(f"weir-{zlib.crc32(text.encode())}.yaml", text)]


def replay(capture, options=(), bans=None, stage=None):
    """All packets' objects, and the totals."""
    command = [REPLAY, written("capture.pcap", capture), "--json", *(stage if stage is not None else config()), *options]
    if bans is not None:
        command += ["--bans", written("bans.txt", bans)]
    status, out, err = run(*command)
    equal((status, err), (0, ""), "exit status and standard error")
    lines = [json.loads(line) for line in out.splitlines()]
    equal(list(lines[-1]), ["totals"], "the last object")
    return lines[:-1], lines[-1]["totals"]


def reasons(frames, **more):
    return [packet["reason"] for packet in replay(pcap(frames), **more)[0]]


def expect(sentence, frames, expected, **more):
    """A case that is only frames and the reasons they must get."""
    CASES.append((sentence, lambda: equal(reasons(frames() if callable(frames) else frames, **more), expected, "reasons")))


C4, C6 = "203.0.113.9", "2001:db8:5:6::7"

# --- connections

expect("a handshake is admitted, then a flow",
       handshake(C4, 4000, 0) + [(.003, tcp_in(C4, 4000, ACK | PSH, 1001, 5001, payload=b"hello")),
                                 (.004, tcp_out(C4, 4000, ACK, 5001, 1006))],
       ["admitted"] + ["flow"] * 4)
expect("over IPv6 too", handshake(C6, 4000, 0) + [(.01, tcp_in(C6, 4000, ACK | PSH, 1001, 5001, payload=b"hi"))],
       ["admitted"] + ["flow"] * 3)


@case("a handshake proves the source, and the report says from which side each packet came")
def _():
    packets, totals = replay(pcap(handshake(C4, 4000, 0)))
    equal([p["side"] for p in packets], ["outside", "inside", "outside"], "sides")
    equal(totals["events"], {"flow_proven": 1}, "events")
    equal([p["n"] for p in packets], [1, 2, 3], "numbers")
    equal(packets[0]["src"], C4, "source")
    equal((packets[0]["sport"], packets[0]["dport"], packets[0]["proto"]), (4000, PORT, "tcp"), "ports")
    equal(totals["verdicts"]["forward"], 3, "forwarded")
    equal(totals["packets"], 3, "packets")


expect("an ACK without a flow is dropped; where the SYN proxy stands it is a wrong answer to a challenge",
       [tcp_in(C4, 4000, ACK, 1, 1)], ["challenge_bad"])
expect("and elsewhere it is nobody's", [tcp_in(C4, 4000, ACK, 1, 1)], ["no_flow"], stage=config(service=", method: reset"))
expect("an ACK that acknowledges something else does not complete a handshake",
       [(0, tcp_in(C4, 4000, SYN, 1000)), (.001, tcp_out(C4, 4000, SYN | ACK, 5000, 1001)),
        (.002, tcp_in(C4, 4000, ACK, 1001, 7777))], ["admitted", "flow", "flow_illegal"])


@case("a RST beside the exact sequence number is dropped, an exact one closes, and the ports may be used again")
def _():
    frames = handshake(C4, 4000, 0) + [(.01, tcp_in(C4, 4000, RST, 1002)), (.02, tcp_in(C4, 4000, SYN, 9000))]
    packets, totals = replay(pcap(frames))
    equal([p["reason"] for p in packets[3:]], ["flow_rst_inexact", "flow_syn_known"], "still open")
    equal(totals["events"].get("flow_closed"), None, "closed")
    packets, totals = replay(pcap(frames + [(.03, tcp_in(C4, 4000, RST, 1001)), (.04, tcp_in(C4, 4000, SYN, 9000))]))
    equal([p["reason"] for p in packets[5:]], ["flow", "admitted"], "closed, and opened again")
    equal(totals["events"].get("flow_closed"), 1, "closed")


expect("a SYN inside an established flow is dropped",
       handshake(C4, 4000, 0) + [(.01, tcp_in(C4, 4000, SYN, 9999))], ["admitted", "flow", "flow", "flow_syn_known"])
expect("a resent SYN belongs to its flow", [(0, tcp_in(C4, 4000, SYN, 1000)), (1, tcp_in(C4, 4000, SYN, 1000))], ["admitted", "flow"])
expect("a SYN with data is admitted", [tcp_in(C4, 4000, SYN, 1000, payload=b"early")], ["admitted"])
expect("TCP Fast Open with a cookie is admitted", [tcp_in(C4, 4000, SYN, 1000, options=bytes([34, 10]) + b"12345678", payload=b"early")],
       ["admitted"])
expect("a simultaneous open is not legal: a SYN proves nothing, and the far end's answer to the node's SYN does",
       [(0, tcp_out(C4, 4000, SYN, 5000)), (.001, tcp_in(C4, 4000, SYN, 1000)), (.002, tcp_in(C4, 4000, SYN | ACK, 1000, 5001))],
       ["flow_from_node", "flow_illegal", "flow"])
expect("the node may dial out",
       [(0, tcp_out(C4, 443, SYN, 5000, sport=40000)), (.001, tcp_in(C4, 443, SYN | ACK, 900, 5001, dport=40000)),
        (.002, tcp_out(C4, 443, ACK, 5001, 901, sport=40000))], ["flow_from_node", "flow", "flow"])
expect("a half-open flow ends by time: its ACK comes too late",
       [(0, tcp_in(C4, 4000, SYN, 1000)), (.001, tcp_out(C4, 4000, SYN | ACK, 5000, 1001)), (30, tcp_in(C4, 4000, ACK, 1001, 5001))],
       ["admitted", "flow", "challenge_bad"])
expect("UDP may send eight packets before the node answers, then as many as it likes",
       [udp_in(C4, 4000)] * 10 + [udp_out(C4, 4000)] + [udp_in(C4, 4000)] * 3,
       ["admitted"] + ["flow"] * 7 + ["flow_udp_unanswered"] * 2 + ["flow"] * 4)
expect("another port of the node is passed as another service", [tcp_in(C4, 4000, SYN, 1, dport=22)], ["other_service"])
expect("or dropped, as configured", [tcp_in(C4, 4000, SYN, 1, dport=22)], ["other_service_closed"], options=["--set", "other.policy=drop"])
expect("what is not the node's is not governed", [from_client(C4, 6, tcp(C4, "192.0.2.11", 4000, PORT, SYN), node="192.0.2.11")],
       ["not_node"])
expect("a capture that begins inside connections adopts them in the start-up window",
       [tcp_in(C4, 4000, ACK, 1, 1), tcp_out(C4, 4000, ACK, 1, 2)], ["flow_adopted", "flow"], stage=OPTIONS)


# --- malformed packets: row 1 of the list of reasons

def bad(sentence, frame, reason):
    expect(sentence, [frame], [reason])


SYN4 = tcp(C4, NODE_V4, 4000, PORT, SYN)
SYN6 = tcp(C6, NODE_V6, 4000, PORT, SYN)
bad("truncated: an Ethernet header cut short", b"\2\0\0\0\0\1\2\0\0\0", "truncated")
bad("truncated: an IPv4 header cut short", ethernet(ipv4(C4, NODE_V4, 6, SYN4)[:12]), "truncated")
bad("truncated: a packet shorter than it says", from_client(C4, 6, SYN4, total=1000), "truncated")
bad("bad_ethernet: a multicast source", ethernet(ipv4(C4, NODE_V4, 6, SYN4), source=bytes.fromhex("010000000001")), "bad_ethernet")
bad("bad_vlan: three tags", ethernet(ipv4(C4, NODE_V4, 6, SYN4), tags=[(0x88a8, 1), (0x8100, 2), (0x8100, 3)]), "bad_vlan")
bad("bad_ip_header: version 5", ethernet(ipv4(C4, NODE_V4, 6, SYN4, version=5), kind=0x0800), "bad_ip_header")
bad("bad_ip_header: four words", from_client(C4, 6, SYN4, words=4), "bad_ip_header")
bad("bad_ip_header: shorter than its header", from_client(C4, 6, SYN4, total=10), "bad_ip_header")
bad("bad_ip_checksum", from_client(C4, 6, SYN4, bad_sum=True), "bad_ip_checksum")
for _source in ("224.0.0.1", "255.255.255.255", "0.0.0.0", "127.0.0.1"):
    bad(f"bad_ip_source: {_source}", from_client(_source, 6, tcp(_source, NODE_V4, 4000, PORT, SYN)), "bad_ip_source")
bad("bad_ip_source: the node's own address to itself", ethernet(ipv4(NODE_V4, NODE_V4, 6, tcp(NODE_V4, NODE_V4, 4000, PORT, SYN))),
    "bad_ip_source")
bad("bad_ip_source: IPv6 multicast", from_client("ff02::1", 6, tcp("ff02::1", NODE_V6, 4000, PORT, SYN)), "bad_ip_source")
bad("bad_ip_options: loose source routing", from_client(C4, 6, SYN4, options=bytes([131, 7, 4]) + packed(C4)), "bad_ip_options")
bad("bad_ip_options: strict source routing", from_client(C4, 6, SYN4, options=bytes([137, 7, 4]) + packed(C4)), "bad_ip_options")
bad("bad_ip_options: past the header", from_client(C4, 6, SYN4, options=bytes([7, 39, 4, 0])), "bad_ip_options")
bad("a harmless IPv4 option passes", from_client(C4, 6, SYN4, options=bytes([148, 4, 0, 0])), "admitted")
bad("bad_extension_chain: routing header type 0", from_client(C6, 43, struct.pack("!BBBB", 6, 0, 0, 0) + b"\0" * 4 + SYN6),
    "bad_extension_chain")
bad("bad_extension_chain: hop-by-hop behind another header",
    from_client(C6, 60, bytes([0, 0, 1, 4, 0, 0, 0, 0]) + bytes([6, 0, 1, 4, 0, 0, 0, 0]) + SYN6), "bad_extension_chain")
bad("bad_extension_chain: too many", from_client(C6, 60, bytes([60, 0, 1, 4, 0, 0, 0, 0]) * 20 + bytes([6, 0, 1, 4, 0, 0, 0, 0]) + SYN6),
    "bad_extension_chain")
bad("a destination options header passes", from_client(C6, 60, bytes([6, 0, 1, 4, 0, 0, 0, 0]) + SYN6), "admitted")
bad("bad_fragment: past 65535 bytes", from_client(C4, 17, b"x" * 64, offset=8191), "bad_fragment")
bad("bad_fragment: a fragment inside the transport header", from_client(C4, 6, SYN4, offset=1), "bad_fragment")
bad("fragment_short_first: IPv4", from_client(C4, 6, SYN4[:8], flags=1), "fragment_short_first")
bad("fragment_short_first: IPv6", from_client(C6, 44, struct.pack("!BBHI", 6, 0, 1, 99) + SYN6[:8]), "fragment_short_first")
bad("bad_tcp_header: offset below five", from_client(C4, 6, tcp(C4, NODE_V4, 4000, PORT, SYN, offset=4)), "bad_tcp_header")
bad("bad_tcp_header: offset past the segment", from_client(C4, 6, tcp(C4, NODE_V4, 4000, PORT, SYN, offset=15)), "bad_tcp_header")
bad("bad_tcp_header: an option past the header", tcp_in(C4, 4000, SYN, options=bytes([2, 40, 5, 180])), "bad_tcp_header")
bad("bad_tcp_flags: none", tcp_in(C4, 4000, 0), "bad_tcp_flags")
bad("bad_tcp_flags: SYN and FIN", tcp_in(C4, 4000, SYN | FIN), "bad_tcp_flags")
bad("bad_tcp_flags: SYN and RST", tcp_in(C4, 4000, SYN | RST), "bad_tcp_flags")
bad("bad_tcp_flags: FIN without ACK", tcp_in(C4, 4000, FIN), "bad_tcp_flags")
bad("bad_tcp_checksum", tcp_in(C4, 4000, SYN, bad_sum=True), "bad_tcp_checksum")
bad("bad_udp_header: shorter than eight", udp_in(C4, 4000, length=7), "bad_udp_header")
bad("bad_udp_header: longer than the packet", udp_in(C4, 4000, length=500), "bad_udp_header")
bad("bad_udp_checksum", udp_in(C4, 4000, bad_sum=True), "bad_udp_checksum")
bad("bad_udp_checksum: none over IPv6", udp_in(C6, 4000, no_sum=True), "bad_udp_checksum")
bad("no UDP checksum over IPv4 is allowed", udp_in(C4, 4000, no_sum=True), "admitted")
bad("bad_port: source", tcp_in(C4, 0, SYN), "bad_port")
bad("bad_port: destination", tcp_in(C4, 4000, SYN, dport=0), "bad_port")
bad("bad_icmp: checksum", from_client(C4, 1, icmp(C4, NODE_V4, 8, 0, b"\0\1\0\1", b"data", bad_sum=True)), "bad_icmp")
bad("bad_icmp: truncated", from_client(C4, 1, b"\x08\0\0"), "bad_icmp")


@case("every reason of row 1 has a case here")
def _():
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../shm/reasons.def")
    with open(source, encoding="utf-8") as file:
        rows = [line.split("(")[1].split(",") for line in file if line.startswith("REASON(")]
    names = {row[1].strip() for row in rows if row[4].strip() == "1"}
    holds(len(names) > 10, "the list of reasons was read")
    seen = " ".join(sentence for sentence, _ in CASES)
    equal([name for name in sorted(names) if name not in seen], [], "reasons without a case")


# --- link layer

expect("a VLAN tag and QinQ pass", [ethernet(ipv4(C4, NODE_V4, 6, SYN4), tags=[(0x8100, 7)]),
                                    ethernet(ipv4(C4, NODE_V4, 6, tcp(C4, NODE_V4, 4001, PORT, SYN)), tags=[(0x88a8, 5), (0x8100, 7)])],
       ["admitted", "admitted"])
expect("ARP and neighbour discovery are infrastructure",
       [ethernet(struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + CLIENT_MAC + packed("192.0.2.1") + b"\0" * 6 + packed(NODE_V4), kind=0x0806,
                 destination=b"\xff" * 6),
        ethernet(ipv6("fe80::1", NODE_V6, 58, icmp("fe80::1", NODE_V6, 135, 0, b"\0" * 4, packed(NODE_V6)), hops=255))],
       ["infrastructure", "infrastructure"])
expect("an echo request passes", [from_client(C4, 1, icmp(C4, NODE_V4, 8, 0, b"\0\1\0\1", b"data"))], ["icmp_echo"])


def too_big(quoted):
    return from_client("198.51.100.1", 1, icmp("198.51.100.1", NODE_V4, 3, 4, struct.pack("!HH", 0, 1400), quoted))


expect("ICMP too-big that quotes a flow passes, an unrelated one does not",
       handshake(C4, 4000, 0) + [(.01, too_big(ipv4(NODE_V4, C4, 6, tcp(NODE_V4, C4, PORT, 4000, ACK, 5001, 1001)[:8]))),
                                 (.02, too_big(ipv4(NODE_V4, C4, 6, tcp(NODE_V4, C4, PORT, 4999, ACK, 5001, 1001)[:8])))],
       ["admitted", "flow", "flow", "icmp_of_flow", "icmp_unrelated"])

DATAGRAM = udp(C4, NODE_V4, 4000, PORT, b"z" * 2000)
expect("later fragments follow their first, orphans do not pass",
       [from_client(C4, 17, DATAGRAM[:1480], flags=1, ident=1), from_client(C4, 17, DATAGRAM[1480:], offset=185, ident=1),
        from_client("203.0.113.77", 17, DATAGRAM[1480:], offset=185, ident=2)],
       ["admitted", "fragment_of_flow", "fragment_orphan"])
DATAGRAM6 = udp(C6, NODE_V6, 4000, PORT, b"z" * 2000)
expect("IPv6 fragments too",
       [from_client(C6, 44, struct.pack("!BBHI", 17, 0, 1, 9) + DATAGRAM6[:1440]),
        from_client(C6, 44, struct.pack("!BBHI", 17, 0, 1440, 9) + DATAGRAM6[1440:]),
        from_client(C6, 44, struct.pack("!BBHI", 17, 0, 1440, 10) + DATAGRAM6[1440:])],
       ["admitted", "fragment_of_flow", "fragment_orphan"])

# --- bans and lists

BANS = """
# last night's
203.0.113.9            # a host
198.51.100.0/24 10s
2001:db8:5:6::/64
2001:db8:7:8::1
2001:db8:9::/48
"""
expect("bans of hosts, /64s, exact /128s and prefixes drop their sources and no neighbour",
       [tcp_in(source, 4000, SYN) for source in
        (C4, "203.0.113.8", "198.51.100.77", "198.51.101.1", C6, "2001:db8:5:7::7", "2001:db8:7:8::1", "2001:db8:7:8::2",
         "2001:db8:9:ffff::1", "2001:db8:a::1")],
       ["banned", "admitted", "banned_prefix", "admitted", "banned", "admitted", "banned", "admitted", "banned_prefix", "admitted"],
       bans=BANS)
expect("a ban ends by the capture's clock",
       [(0, tcp_in("198.51.100.7", 4000, SYN)), (9.9, tcp_in("198.51.100.7", 4001, SYN)), (10.1, tcp_in("198.51.100.7", 4002, SYN))],
       ["banned_prefix", "banned_prefix", "admitted"], bans=BANS)
expect("ipset save is read too", [tcp_in(C4, 4000, SYN), tcp_in("198.51.100.7", 4000, SYN)], ["banned", "banned_prefix"],
       bans='create evil hash:net family inet timeout 0 comment\nadd evil 203.0.113.9 timeout 0 comment "x \\"y\\""\n'
            'add evil 198.51.100.0/24 timeout 20\n')
expect("an allowlisted address inside a banned prefix passes, a denied one does not",
       [tcp_in("198.51.100.7", 4000, SYN), tcp_in("198.51.100.8", 4000, SYN), tcp_in("100.64.0.1", 4000, SYN)],
       ["admitted", "banned_prefix", "denied"], bans=BANS, stage=config("allow: [198.51.100.7]\ndeny: [100.64.0.0/10]"))


@case("monitor mode forwards and says what it would have done")
def _():
    packets, totals = replay(pcap([tcp_in(C4, 4000, SYN)]), bans=BANS, stage=config("mode: monitor"))
    equal((packets[0]["verdict"], packets[0]["reason"], packets[0]["monitored"]), ("forward", "banned", True), "packet")
    equal(totals["monitored"], 1, "totals")


# --- floods, challenges and limits

def spoofed(i):
    return f"{11 + i % 80}.{i * 7 % 256}.{i * 13 % 256}.{i % 250 + 1}"


@case("under a spoofed flood strangers are challenged by a cookie; the ACK that brings it back opens the connection")
def _():
    flood = [(i / 1000, tcp_in(spoofed(i), 1024 + i, SYN, i)) for i in range(600)]
    frames = flood + [(.6, tcp_in(C4, 4000, SYN, 4242, options=bytes([2, 4, 5, 180])))]
    packets, totals = replay(pcap(frames))
    equal(packets[-1]["reason"], "challenged", "the stranger's SYN")
    equal(packets[-1]["reply_ack"], 4243, "the SYN is acknowledged")
    cookie = packets[-1]["reply_seq"] + 1 & 0xffffffff
    frames += [(.61, tcp_in(C4, 4000, ACK, 4243, cookie ^ 0x1000)), (.62, tcp_in("203.0.113.77", 4000, ACK, 4243, cookie)),
               (.63, tcp_in(C4, 4000, ACK, 4244, cookie)), (.64, tcp_in(C4, 4000, ACK, 4243, cookie))]
    packets, _ = replay(pcap(frames))
    equal([p["reason"] for p in packets[-4:]], ["challenge_bad"] * 3 + ["proxy_accepted"], "the answers")


@case("under a spoofed flood strangers are challenged by reset; the right RST proves one and its resent SYN is admitted")
def _():
    stage = config(service=", method: reset")
    flood = [(i / 1000, tcp_in(spoofed(i), 1024 + i, SYN, i)) for i in range(600)]
    honest = tcp_in(C4, 4000, SYN, 4242, options=bytes([2, 4, 5, 180]))
    frames = flood + [(.6, honest)]
    packets, totals = replay(pcap(frames), stage=stage)
    holds("challenged" in {p["reason"] for p in packets[:300]}, "challenges began early in the flood")
    equal(packets[-1]["reason"], "challenged", "the stranger's SYN")
    equal(totals["events"].get("flood_enter"), 1, "the flood was announced once")
    ack = packets[-1]["reply_ack"]
    wrong = tcp_in("203.0.113.77", 4000, RST, ack)
    frames += [(.61, tcp_in(C4, 4000, RST, ack ^ 0x100)), (.62, wrong), (.63, tcp_in(C4, 4000, RST, ack)), (1.6, honest)]
    packets, _ = replay(pcap(frames), stage=stage)
    equal([p["reason"] for p in packets[-4:]], ["challenge_bad", "challenge_bad", "challenge_passed", "admitted"], "the answers")


@case("the forwarded part of a spoofed flood is bounded by the threshold, not by the flood")
def _():
    frames = [(i / 5000, tcp_in(spoofed(i), 1024 + i % 60000, SYN, i)) for i in range(5000)]
    _, totals = replay(pcap(frames), options=["--quiet"])
    holds(totals["reasons"]["admitted"] <= 64, f"at most 64 half-open flows at the node, got {totals['reasons']}")
    holds(totals["reasons"]["challenged"] >= 4900, "the rest was challenged")


@case("without a challenge, a service under pressure drops strangers")
def _():
    frames = [(i / 1000, udp_in(spoofed(i), 1024 + i)) for i in range(600)]
    holds("pressure" in reasons(frames), "UDP has no challenge")


@case("the ninth connection at once of an address is refused by a RST, and another address is not")
def _():
    frames = []
    for i in range(8):
        frames += handshake(C4, 4000 + i, i * .1)
    frames += [(1, tcp_in(C4, 4100, SYN)), (1.1, tcp_in("203.0.113.10", 4100, SYN))]
    packets, _ = replay(pcap(frames))
    equal(packets[-2]["reason"], "concurrency", "the ninth")
    equal((packets[-2]["verdict"], packets[-2].get("reply")), ("refuse", "rst"), "its verdict")
    equal(packets[-1]["reason"], "admitted", "the neighbour")


def connection(port, t):
    """A connection that ends by the client's exact RST at once, so that concurrency never refuses."""
    return handshake(C4, port, t) + [(t + .003, tcp_in(C4, port, RST, 1001))]


@case("V29: sixteen connections at once, the next after five seconds, then one in five seconds")
def _():
    frames = []
    for i in range(16):
        frames += connection(4000 + i, i * .004)
    opened = [i * 4 for i in range(16)]
    for port, t in ((5000, .1), (5001, 4.99), (5002, 5.1), (5004, 5.2), (5005, 10.2)):
        opened.append(len(frames))
        frames += connection(port, t)
    packets, _ = replay(pcap(frames))
    refused = [packets[i]["reason"] for i in opened]
    equal(refused, ["admitted"] * 16 + ["rate_source", "rate_source", "admitted", "rate_source", "admitted"], "the SYNs")


@case("at the hard limit strangers are refused, allowlisted ones are not")
def _():
    stage = config("limits: {hard: 2, soft_mode: none, reserved: 1}\nallow: [198.51.100.7]")
    frames = handshake("203.0.113.1", 4000, 0) + handshake("203.0.113.2", 4000, .1) + \
        [(.2, tcp_in("203.0.113.3", 4000, SYN)), (.3, tcp_in("198.51.100.7", 4000, SYN))]
    packets, _ = replay(pcap(frames), stage=stage)
    equal([p["reason"] for p in packets[-2:]], ["hard_limit", "admitted"], "the last two")


# --- captures

@case("the same capture gives the same report; another seed gives other cookies")
def _():
    stage = config(service=", challenge: always")
    capture = pcap([tcp_in(C4, 4000, SYN, 7)])
    first, second = replay(capture, stage=stage)[0], replay(capture, stage=stage)[0]
    equal(first, second, "two runs")
    other = replay(capture, stage=stage, options=["--seed", "2"])[0]
    holds(first[0]["reply_seq"] != other[0]["reply_seq"], "the seed decides the cookie")


@case("nanosecond captures, pcapng, raw IP and cooked captures are read alike")
def _():
    frames = handshake(C4, 4000, 0)
    expected = ["admitted", "flow", "flow"]
    equal([p["reason"] for p in replay(pcap(frames, nano=True))[0]], expected, "nanoseconds")
    equal([p["reason"] for p in replay(pcapng(frames))[0]], expected, "pcapng")
    equal([p["reason"] for p in replay(pcap([(t, f[14:]) for t, f in frames], link=RAW))[0]], expected, "raw")
    sll = [(t, struct.pack("!HHH8s", 0, 1, 6, f[6:12] + b"\0\0") + f[12:]) for t, f in frames]
    equal([p["reason"] for p in replay(pcap(sll, link=LINUX_SLL))[0]], expected, "cooked")
    sll2 = [(t, f[12:14] + struct.pack("!HIHBB8s", 0, 1, 1, 0, 6, f[6:12] + b"\0\0") + f[14:]) for t, f in frames]
    equal([p["reason"] for p in replay(pcap(sll2, link=LINUX_SLL2))[0]], expected, "cooked, version 2")


@case("nanoseconds are kept in the report")
def _():
    status, out, _ = run(REPLAY, written("c.pcap", pcap([(1e-9, tcp_in(C4, 4000, SYN))], nano=True)), "--json", *config())
    equal(status, 0, "exit status")
    holds('"t":1700000000.000000001' in out, out)


@case("time never goes backwards: an earlier packet is judged at the later time")
def _():
    frames = [(0, tcp_in("198.51.100.7", 4000, SYN)), (11, tcp_in("198.51.100.7", 4001, SYN)), (5, tcp_in("198.51.100.7", 4002, SYN))]
    packets, totals = replay(pcap(frames), bans=BANS)
    equal([p["reason"] for p in packets], ["banned_prefix", "admitted", "admitted"], "reasons")
    equal(totals["backwards"], 1, "counted")


@case("packets that the capture cut are judged when their headers are there, and never blamed otherwise")
def _():
    frames = [tcp_in(C4, 4000, SYN, payload=b"y" * 200), tcp_in(C4, 4001, SYN, payload=b"y" * 200, bad_sum=True)]
    packets, totals = replay(pcap(frames, snap=54))
    equal([(p["reason"], p["cut"]) for p in packets], [("admitted", True)] * 2, "headers are there")
    packets, totals = replay(pcap(frames, snap=40))
    equal([(p["verdict"], p["reason"]) for p in packets], [("skip", "capture_cut")] * 2, "headers are cut")
    equal((totals["cut"], totals["skipped"]), (2, 2), "totals")
    flags = [tcp_in(C4, 4000, SYN | FIN, payload=b"y" * 200)]
    equal(replay(pcap(flags, snap=60))[0][0]["reason"], "bad_tcp_flags", "what was captured can be wrong")


@case("a long silence does not stop time: an idle connection ends, and it takes no time to know")
def _():
    frames = handshake(C4, 4000, 0) + [(8000, tcp_in(C4, 4000, ACK, 1001, 5001)), (400_000_000, tcp_in(C4, 4001, SYN))]
    equal(reasons(frames), ["admitted", "flow", "flow", "challenge_bad", "admitted"], "reasons")


def refused(what, data, sentence, options=None):
    def body():
        status, out, err = run(REPLAY, written("odd.pcap", data), *(options if options is not None else OPTIONS))
        equal(status, 1, "exit status")
        equal(out, "", "standard output")
        equal(err.count("\n"), 1, "one sentence: " + err)
        holds(sentence in err, f"{sentence!r} in {err!r}")
    CASES.append((what, body))


refused("an empty file is no capture", b"", "not a capture")
refused("a foreign file is no capture", b"#!/bin/sh\necho this is no capture at all\n", "not a capture")
refused("a capture without packets is said to be so", pcap([]), "no packet")
refused("a link type without IP is named", pcap([b"x" * 60], link=105), "link type")


@case("a truncated capture gives what it holds, a sentence and status 1")
def _():
    data = pcap([tcp_in(C4, 4000, SYN), tcp_in(C4, 4001, SYN)])[:-10]
    status, out, err = run(REPLAY, written("odd.pcap", data), "--json", *OPTIONS)
    equal(status, 1, "exit status")
    lines = [json.loads(line) for line in out.splitlines()]
    equal(lines[0]["reason"], "admitted", "the first packet")
    equal(lines[-1]["totals"]["packets"], 1, "totals")
    holds("after packet 1" in json.loads(err)["error"]["message"], err)


def usage(what, arguments, sentence):
    def body():
        status, out, err = run(REPLAY, *arguments)
        equal((status, out), (2, ""), "exit status and standard output")
        equal(err.count("\n"), 1, "one sentence: " + err)
        holds(sentence in err, f"{sentence!r} in {err!r}")
    CASES.append((what, body))


usage("no capture is a usage error", [], "which capture")
usage("no stage is a usage error", ["x.pcap"], "--config")
usage("a stage twice is a usage error", ["x.pcap", "--config", "a", "--node", NODE_V4], "one of them")
usage("a mistyped option gets a hint", ["x.pcap", "--quite"], "did you mean --quiet?")
usage("a wrong service is named", ["x.pcap", "--node", NODE_V4, "--service", "tcp/99999"], "99999")
usage("a wrong node is named", ["x.pcap", "--node", "192.0.2", "--service", "tcp/1"], "192.0.2")
usage("a wrong seed is named", ["x.pcap", *OPTIONS, "--seed", "-1x"], "seed")


@case("a wrong ban file is named with its line")
def _():
    status, out, err = run(REPLAY, written("c.pcap", pcap([tcp_in(C4, 4000, SYN)])), *OPTIONS, "--bans", written("b", "1.2.3.4\n1.2.3\n"))
    equal((status, out), (1, ""), "exit status and standard output")
    holds("b:2: " in err, err)


@case("people get a line a packet, totals and the worst sources")
def _():
    status, out, _ = run(REPLAY, written("c.pcap", pcap([tcp_in(C4, 4000, SYN), tcp_in("203.0.113.8", 4000, SYN)])), *OPTIONS,
                         "--bans", written("b", BANS), "--summary-by-source", "1")
    equal(status, 0, "exit status")
    holds("203.0.113.9:4000 > 192.0.2.10:30303" in out and "the source address is banned" in out, out)
    holds(out.rstrip().splitlines()[-1].split()[:2] == ["1", C4], out)


@case("sources are counted and sorted by what was refused")
def _():
    frames = [tcp_in("198.51.100.7", 4000 + i, SYN) for i in range(3)] + [tcp_in(C4, 4000, SYN), tcp_in("203.0.113.8", 4000, SYN)]
    _, totals = replay(pcap(frames), bans=BANS, options=["--summary-by-source", "2", "--quiet"])
    equal([(s["src"], s["packets"], s["drop"]) for s in totals["sources"]], [("198.51.100.7", 3, 3), (C4, 1, 1)], "sources")
    equal(totals["n_sources"], 3, "all sources")


if __name__ == "__main__":
    sys.exit(main("tools_replay", CASES))
