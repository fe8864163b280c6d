#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What proxied connections carry: a gigabyte each way, segments of every size, lines that lose, delay, reorder and copy, a dataplane that
is killed, real programs; and how fast, beside a connection without the proxy. With words as arguments only these parts run."""
import collections
import contextlib
import hashlib
import json
import os
import signal
import socket
import statistics
import sys
import threading
import time

import nodes
import transfer
from proxy import ON, combinations, described
from proxy_kit import FAMILIES, KIND, NODE, PLAIN_PORT, SPARE_PORT, WEB_PORT, ProxyWeir, delta, echoes, flags_are, seconds
from weir import CLIENT_V4, CLIENT_V6, TCP_PORT, Suite, wait_for

GIGABYTE = 1_000_000_000
ROUNDS = 25  # many short ones: other programs' bursts on two CPUs then spoil few of them
ROUND_BYTES = 60_000_000
HEADERS = {4: 40, 6: 60}


def bulk(suite, weir):
    for family in FAMILIES:
        before = weir.counts()
        began = time.monotonic()
        why = echoes(weir, family, GIGABYTE, patience_s=60)
        rate = 2 * GIGABYTE / (time.monotonic() - began) / 1e6
        suite.check(f"IPv{family}: a gigabyte each way at once, checksums match", why is None and
                    delta(weir.counts(), before, "proxy_opened") == 1, why or f"{rate:.0f} MB/s both ways together")


class Exchange(threading.Thread):
    """A transfer in the background."""

    def __init__(self, weir, family, bytes_each, **options):
        super().__init__(daemon=True)
        self.connection = weir.dial(family, **options)
        self.bytes_each, self.why = bytes_each, None
        self.start()

    def run(self):
        try:
            transfer.exchange(self.connection, self.bytes_each, self.bytes_each)
        except OSError as error:
            self.why = error
        self.connection.close()

    def ended(self, patience_s):
        """Whether every byte came."""
        self.join(patience_s)
        if self.is_alive():
            self.why = f"not at its end after {patience_s} s"
        return self.why is None


def segments(suite, weir, link_mtu, sizes, driver):
    """The client's largest segment, then the node's, from small to large and back."""
    for family in FAMILIES:
        failed = []
        most = link_mtu - HEADERS[family]
        for mss in (*sizes, most):
            def limit(connection, mss=mss):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, mss)
            before = weir.counts()
            try:
                with weir.dial(family, prepare=limit) as connection:
                    node_mss = transfer.exchange(connection, 300_000, 300_000)
            except OSError as error:
                failed.append(f"{mss}: {error}")
                continue
            if not mss / 2 - 12 <= node_mss <= mss or delta(weir.counts(), before, "proxy_opened") != 1:
                failed.append(f"{mss}: the node's segments may have {node_mss}")
        suite.check(f"IPv{family}, MTU {link_mtu} on {driver}: clients with an MSS of {sizes[0]} to {most} are sent no larger segments, and "
                    "none of less than half", not failed, "; ".join(map(str, failed)))
    for mss in reversed(sizes):
        for family in FAMILIES:
            weir.node_route(family, mss)
            why = [echoes(weir, family, 300_000) for _ in range(2)]  # the second is promised what the first has taught
            with weir.dial(family) as connection:
                transfer.exchange(connection, 300_000, 300_000)
                client_mss = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
            suite.check(f"IPv{family}, MTU {link_mtu} on {driver}: a node with an MSS of {mss} is sent no larger segments",
                        why == [None, None] and client_mss <= mss, why if any(why) else f"the client's have {client_mss}")


def sizes(suite):
    for mtu, mss, driver in ((3500, (536, 537, 1000, 1220, 1400, 1460, 2000, 2900, 3400), "AF_XDP"), (9000, (536, 1460, 4000), "net_af_packet")):
        with ProxyWeir(mtu=mtu) as weir:
            weir.begin()
            used = "net_af_packet" if "using net_af_packet" in weir.words("dataplane") else "AF_XDP"
            suite.check(f"ports with an MTU of {mtu} are driven by {driver}", used == driver)
            segments(suite, weir, mtu, mss, driver)


LINES = [  # what, weir-delay's options, its counters that must have moved in both directions, bytes
    ("20 ms each way", ["--delay-us", 20000], ["sent"], 2_000_000),
    ("10 ms each way and 5 ms of jitter", ["--delay-us", 10000, "--jitter-us", 5000], ["sent"], 2_000_000),
    ("2 % lost each way", ["--loss", 0.02], ["dropped_loss"], 3_000_000),
    ("5 % held for 3 ms", ["--reorder", 0.05, "--reorder-us", 3000], ["reordered"], 3_000_000),
    ("every frame twice", ["--duplicate", 1], ["duplicated"], 3_000_000),
    ("30 Mbit/s with room for 64 kB", ["--rate-mbit", 30, "--backlog-bytes", 64000, "--delay-us", 2000], ["dropped_rate"], 3_000_000),
    ("5 ms, 1 % lost, 3 % held for 10 ms, 3 % twice",
     ["--delay-us", 5000, "--jitter-us", 1000, "--loss", 0.01, "--reorder", 0.03, "--reorder-us", 10000, "--duplicate", 0.03],
     ["dropped_loss", "reordered", "duplicated"], 1_500_000),
]


def faults(suite):
    """weir-delay between the client and Weir."""
    with ProxyWeir(line=True) as weir:
        weir.start_line()
        weir.begin()
        for family in FAMILIES:  # neighbours are known before ARP can be lost
            echoes(weir, family)
        sack = collections.Counter()
        for words, arguments, fault, bytes_each in LINES:
            weir.start_line(*arguments)
            kernel = weir.kernel_counts("node")
            before, began = weir.counts(), time.monotonic()
            running = [Exchange(weir, family, bytes_each, patience_s=60) for family in FAMILIES for _ in range(2)]
            done = [exchange.ended(60) for exchange in running]
            took, opened = time.monotonic() - began, delta(weir.counts(), before, "proxy_opened")
            seen = [way[name] for way in weir.end_line()["directions"].values() for name in fault]
            suite.check(f"{words}: four connections carry {bytes_each / 1e6:.1f} MB each way, checksums match",
                        all(done) and opened >= 4 and min(seen, default=1) > 0,
                        [str(exchange.why) for exchange in running if exchange.why] or f"{took:.1f} s, {seen}")
            if "duplicated" not in fault:  # of copies a kernel discards many blocks, with and without a proxy
                sack += weir.kernel_counts("node") - kernel
        # A kernel also discards a block that acknowledgements overtook, many on a line that reorders and a machine that stalls; of wrong
        # numbers it would discard all, thousands, and begin no repair by them.
        suite.check("the node repaired losses by the clients' SACK blocks, and found them to be about its own numbers",
                    sack["TCPSackRecovery"] >= 20 and sack["TCPSACKDiscard"] < 5 * sack["TCPSackRecovery"],
                    f"{sack['TCPSackRecovery']} repaired, {sack['TCPSACKDiscard']} blocks discarded")
        weir.start_line("--loss", 0.15, "--seed", 7)
        many = [threading.Thread(target=lambda at=at: results.__setitem__(at, echoes(weir, FAMILIES[at % 2], 20_000, patience_s=60)))
                for at in range(40)]
        results = [None] * len(many)
        for thread in many:
            thread.start()
        for thread in many:
            thread.join()
        failed = [why for why in results if why]
        suite.check("15 % lost each way: 40 clients open connections and echo 20 kB", not failed, "; ".join(failed[:3]))
        lossy_options(suite, weir)
        crossing(suite, weir)
        suite.check("no sanitizer has complained of the dataplane", not weir.complaints(), weir.complaints())
        result = weir.end_line()
        full = {name: way["dropped_full"] + way["dropped_port"] for name, way in result["directions"].items()}
        suite.check("the line lost nothing that it was not told to lose", not any(full.values()), full)


def lossy_options(suite, weir):
    """SACK blocks and windows count only where something is lost."""
    weir.start_line("--loss", 0.02, "--delay-us", 500, "--reorder", 0.02, "--reorder-us", 2000)
    every = combinations()
    for node in (values for values in every if values["tcp_sack"] + values["tcp_window_scaling"] + values["tcp_ecn"] in (0, 3)
                 or values == {**ON, "tcp_sack": 0} or values == {**ON, "tcp_window_scaling": 0}):
        weir.sysctl("node", **node)
        failed = []
        for number, client in enumerate(every):
            weir.sysctl("client", **client)
            why = echoes(weir, FAMILIES[number % 2], 100_000, patience_s=60)
            if why:
                failed.append(f"client with {described(client)}: {why}")
        suite.check(f"2 % lost and 2 % held: 16 kinds of client echo 100 kB with a node that has {described(node)}", not failed,
                    "; ".join(failed[:3]))
    for part in ("client", "node"):
        weir.sysctl(part, **ON)


def crossing(suite, weir):
    """20 ms away, what both ends say at once crosses on the way."""
    weir.start_line("--delay-us", 20000)
    for family in FAMILIES:
        with weir.both_ends(family) as (client, node):
            client.sendall(b"word")
            node.recv(4)
            client.shutdown(socket.SHUT_WR)
            node.shutdown(socket.SHUT_WR)
            ends = client.recv(10), node.recv(10)
        suite.check(f"IPv{family}: FINs that cross close both ends", ends == (b"", b""))


    weir.start_line("--delay-us", 200000)  # far enough for the threads here to be late
    for node_waits_s, must_connect, words in ((0, True, "both ends dial each other at once, and are connected"),
                                              (0.3, False, "the node dials the client that Weir has just challenged, and neither end hangs")):
        for family in FAMILIES:
            ends = dial_each_other(weir, family, node_waits_s)
            suite.check(f"IPv{family}: {words}", all(end == "connected" or not must_connect and "reset" in end for end in ends), ends)


def dial_each_other(weir, family, node_waits_s):
    """How it ended for each: "connected", or in which error."""
    source, port, ends = weir.source(family), 20000, ["", ""]
    pair = weir.open_socket("client", KIND[family]), weir.open_socket("node", KIND[family])

    def dial(number, target, wait_s):
        end = pair[number]
        time.sleep(wait_s)
        try:
            end.connect(target)
            end.sendall(b"word")
            ends[number] = "connected" if end.recv(4, socket.MSG_WAITALL) == b"word" else "closed"
        except OSError as error:
            ends[number] = str(error)
    for end, address in zip(pair, ((source, port), (NODE[family], SPARE_PORT))):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        end.settimeout(20)
        end.bind(address)
    threads = [threading.Thread(target=dial, args=(0, (NODE[family], SPARE_PORT), 0)),
               threading.Thread(target=dial, args=(1, (source, port), node_waits_s))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for end in pair:
        end.close()
    return ends


def restart(suite, weir):
    """kill -9 of the dataplane with connections at every step."""
    running = {family: Exchange(weir, family, 300_000_000, patience_s=60) for family in FAMILIES}
    moved = weir.counts()["rx_bytes"]
    wait_for(lambda: weir.counts()["rx_bytes"] > moved + 50_000_000, 20)
    idle = {family: weir.dial(family) for family in FAMILIES}
    for connection in idle.values():
        transfer.exchange(connection, 1000, 1000)
    with contextlib.ExitStack() as held:
        # Clients that believe to be connected, whose cookies Weir has not got back; and dials that the node has not heard.
        held.enter_context(weir.losing("client", "output", f"tcp dport {WEB_PORT} {flags_are('ack')} counter drop"))
        waiting = {family: weir.dial(family, WEB_PORT) for family in FAMILIES}
        alive = [exchange.is_alive() for exchange in running.values()]
        weir.end("dataplane", signal.SIGKILL)
        time.sleep(0.5)
    listener = weir.listen(WEB_PORT)
    weir.start_dataplane()
    weir.wait_governing()
    suite.check("the dataplane was killed in mid-transfer, and took its flows over", all(alive) and weir.counts()["flows_taken_over"] >= 4)
    for family in FAMILIES:
        suite.check(f"IPv{family}: the transfer goes on to its end, 300 MB each way, checksums match", running[family].ended(60),
                    running[family].why or "")
        with idle[family] as connection:
            why = None
            try:
                transfer.exchange(connection, 200_000, 200_000)
            except OSError as error:
                why = error
        suite.check(f"IPv{family}: a connection that was idle meanwhile carries data", why is None, why or "")
        with waiting[family] as connection:
            connection.sendall(b"my cookie is older than you")
            try:
                node, address = listener.accept()
                got = node.recv(100)
            except OSError as error:
                got = error
        suite.check(f"IPv{family}: a cookie from before the kill opens a connection after it", got == b"my cookie is older than you", got)
    listener.close()


def throughput(suite, weir):
    """Alternating, so that the machine's moods meet both. Only a collapse fails: timing decides no test."""
    rates = {(way, port): [] for way in ("up", "down") for port in (PLAIN_PORT, TCP_PORT)}
    family = 4
    for _ in range(ROUNDS):
        for (way, port), list_of in rates.items():
            up, down = (ROUND_BYTES, 1) if way == "up" else (1, ROUND_BYTES)
            with weir.dial(family, port) as connection:
                list_of.append(ROUND_BYTES / 1e6 / seconds(lambda: transfer.exchange(connection, up, down, checked=False)))
    median = {key: statistics.median(list_of) for key, list_of in rates.items()}
    ratio = {way: median[way, TCP_PORT] / median[way, PLAIN_PORT] for way in ("up", "down")}
    suite.say("throughput " + json.dumps({"bytes": ROUND_BYTES, "rounds": ROUNDS, **{
        way: {"plain_mb_per_s": [round(rate) for rate in rates[way, PLAIN_PORT]], "proxied_mb_per_s": [round(rate) for rate in
              rates[way, TCP_PORT]], "ratio_of_medians": round(ratio[way], 3)} for way in ratio}}))
    for way, value in ratio.items():
        suite.check(f"a proxied connection is not slow beside a plain one, {way}", value > 0.5, f"ratio {value:.2f}, promised 0.90")


def web(suite, weir):
    folder = f"{weir.state_dir}/web"
    os.mkdir(folder)
    content = os.urandom(20_000_000)
    with open(f"{folder}/file", "wb") as file:
        file.write(content)
    weir.spawn("web", "node", sys.executable, "-m", "http.server", str(WEB_PORT), "--bind", "::", "--directory", folder)
    wait_for(lambda: weir.inside("node", "ss", "-Htln", f"sport = :{WEB_PORT}").strip(), 10)
    for family in FAMILIES:
        host = NODE[family] if family == 4 else f"[{NODE[family]}]"
        before = weir.counts()
        out = f"{weir.state_dir}/got{family}"
        text = weir.inside("client", "curl", "-sS", "--max-time", "60", "--interface", weir.source(family), "-o", out,
                           f"http://{host}:{WEB_PORT}/file", check=False)
        with contextlib.suppress(OSError), open(out, "rb") as file:
            got = file.read()
        suite.check(f"IPv{family}: curl fetches 20 MB from a web server through the proxy",
                    hashlib.sha256(got).digest() == hashlib.sha256(content).digest() and delta(weir.counts(), before, "proxy_opened") == 1,
                    text.strip())
    weir.end("web")


def devices(suite):
    """Ports that are no network interfaces of the kernel."""
    vhost(suite)
    tap(suite)


def vhost(suite):
    """Both ports are vhost-user; weir-delay carries frames between them and the kernels, in buffers of 16 kB, which Weir receives in
    chains of 2 kB each."""
    with ProxyWeir(line=True, mtu=9000) as weir:
        sockets = [f"{weir.run_dir}/{side}.sock" for side in ("outside", "inside")]
        weir.ports = [f"net_vhost{number},iface={path}" for number, path in enumerate(sockets)]
        weir.start()
        for name, part, interface, path in (("line", "line", "d0", sockets[0]), ("line2", "governor", "g1", sockets[1])):
            weir.spawn(name, part, weir.tools["delay"], "--a", f"auto:{interface}", "--b", f"net_virtio_user0,path={path},queues=1")
        wait_for(lambda: all("the line is up" in weir.words(name) for name in ("line", "line2")), 20)
        weir.serve()
        for family, most in ((4, 8960), (6, 8940)):
            whys = [echoes(weir, family, 3_000_000) for _ in range(2)]
            with weir.dial(family) as connection:
                node_mss = transfer.exchange(connection, 1000, 1000)
                client_mss = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG)
            suite.check(f"IPv{family}, vhost-user: segments of {most} bytes both ways, checksums match",
                        whys == [None, None] and (node_mss, client_mss) == (most, most), whys if any(whys) else f"{node_mss}, {client_mss}")


def tap(suite):
    """TAP devices that Weir makes, given to the client and the node. DPDK 22.11's driver takes an MTU of 1504 at most."""
    with ProxyWeir() as weir:
        for part, device in (("client", "c0"), ("node", "n0")):
            weir.inside(part, "ip", "link", "del", device)
        weir.ports = ["net_tap0,iface=c0", "net_tap1,iface=n0"]
        weir.start()
        for part, device in (("client", "c0"), ("node", "n0")):
            weir.inside("governor", "ip", "link", "set", device, "netns", weir.namespaces[part])
            weir.inside(part, "ethtool", "-K", device, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off", check=False)
            weir.inside(part, "ip", "link", "set", device, "up")
        weir.addresses()
        weir.serve()
        for family in FAMILIES:
            why = echoes(weir, family, 3_000_000)
            suite.check(f"IPv{family}: the proxy between two TAP devices carries 3 MB each way", why is None, why or "")


def lcores(suite):
    """Two lcores with a queue each: a cookie, its ACK and both directions of the flow must meet on one of them."""
    with ProxyWeir(queues=2, options=["--lcores", "0,1"]) as weir:
        weir.begin()
        before = weir.counts()
        running = [Exchange(weir, FAMILIES[at % 2], 2_000_000, patience_s=60) for at in range(40)]
        done = [exchange.ended(60) for exchange in running]
        suite.check("two lcores: 40 connections at once carry 2 MB each way, and each was opened by the proxy",
                    all(done) and delta(weir.counts(), before, "proxy_opened") == 40,
                    [str(exchange.why) for exchange in running if exchange.why] or "")


def monero(suite):
    """monerod behind a service that challenges every newcomer."""
    with ProxyWeir() as weir:
        weir.start()
        node = nodes.Monero(weir, "m-node", "node", "--p2p-bind-port", str(TCP_PORT), "--p2p-bind-port-ipv6", str(TCP_PORT))
        bind = ("--p2p-bind-ip", CLIENT_V4, "--p2p-bind-ipv6-address", CLIENT_V6)
        outside = {
            4: nodes.Monero(weir, "m-v4", "client", *bind, "--p2p-bind-port", "30404", "--p2p-bind-port-ipv6", "30404",
                            "--add-exclusive-node", f"{NODE[4]}:{TCP_PORT}"),
            6: nodes.Monero(weir, "m-v6", "client", *bind, "--p2p-bind-port", "30405", "--p2p-bind-port-ipv6", "30405",
                            "--add-exclusive-node", f"[{NODE[6]}]:{TCP_PORT}")}
        for family, address in ((4, CLIENT_V4), (6, CLIENT_V6)):
            suite.check(f"IPv{family}: monerod outside becomes a peer of monerod behind the proxy",
                        wait_for(lambda address=address: address in node.peers(), nodes.PATIENCE_S, 0.2))
        node.call("generateblocks", amount_of_blocks=40, wallet_address=nodes.WALLET)
        for family in FAMILIES:
            suite.check(f"IPv{family}: blocks of the node reach the peer",
                        wait_for(lambda family=family: outside[family].height() >= 41, nodes.PATIENCE_S, 0.2))
        counts = weir.counts()
        suite.check("both were challenged, and came through the proxy", counts["proxy_opened"] >= 2 and counts["challenged"] >= 2,
                    f"{counts['challenged']} challenged, {counts['proxy_opened']} opened")
        for name in ("m-node", "m-v4", "m-v6"):
            weir.end(name, patience_s=3)


SHARED = {"bulk": bulk, "restart": restart, "web": web, "throughput": throughput}  # on one Weir
OWN = {"sizes": sizes, "devices": devices, "faults": faults, "lcores": lcores, "monero": monero}


def main():
    suite = Suite("proxy_traffic")
    chosen = sys.argv[1:] or [*SHARED, *OWN]
    unknown = set(chosen) - set(SHARED) - set(OWN)
    if unknown:
        sys.exit(f"no such part: {' '.join(sorted(unknown))}; there are {' '.join([*SHARED, *OWN])}")
    with contextlib.ExitStack() as stack:
        if set(chosen) & set(SHARED):
            weir = stack.enter_context(ProxyWeir())
            weir.begin()
        for name, part in SHARED.items():
            if name in chosen:
                suite.say(f"--- {name}")
                suite.say(f"{seconds(lambda part=part: part(suite, weir)):.1f} s")
                suite.check("no sanitizer has complained of the dataplane", not weir.complaints(), weir.complaints())
    for name, part in OWN.items():
        if name in chosen:
            suite.say(f"--- {name}")
            suite.say(f"{seconds(lambda part=part: part(suite)):.1f} s")
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
