#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Weir on network cards of its own: in a guest with an emulated IOMMU it drives two PCI devices by vfio-pci, forwards, drops who is
banned and challenges a flood of SYNs. Its speed means nothing, because the guest's processor is emulated."""
import contextlib
import os
import select
import socket
import struct
import sys
import threading
import time

from guest import Cannot, GuestWeir
import transfer
from weir import CLIENT_V4, CLIENT_V6, NODE_V4, NODE_V6, TCP_PORT, UDP_PORT, Suite, wait_for

SKIP = 77
PROXIED_PORT = TCP_PORT + 1
NODE = {4: NODE_V4, 6: NODE_V6}
KIND = {4: socket.AF_INET, 6: socket.AF_INET6}
FLOOD_PPS, FLOOD_PACKETS = 1000, 8000  # the guest carries several times that
CONFIG = {
    "services": [{"name": "tcp", "port": TCP_PORT, "protocol": "tcp", "pressure": {"enter_per_s": 100, "leave_per_s": 50, "hold": "2s"}},
                 {"name": "proxied", "port": PROXIED_PORT, "protocol": "tcp", "challenge": "always"},
                 {"name": "udp", "port": UDP_PORT, "protocol": "udp"}],
}


class Rig(GuestWeir):
    """With a node that answers on all services, and client addresses that Weir has never seen."""

    def __init__(self, **more):
        super().__init__(CONFIG, **more)
        self.sources = 0

    def begin(self):
        """Boots; both services of the node run. Not yet Weir."""
        seconds = self.boot()
        for prefix in ("10.96.0.0/12", "fd96::/16"):
            self.client_prefix(prefix)
        self.spawn("server", "node", sys.executable, transfer.__file__, "serve", str(TCP_PORT), str(PROXIED_PORT))
        if not wait_for(lambda: "serving" in self.words("server"), 10):
            raise RuntimeError(f"the node does not serve: {self.words('server')}")
        threading.Thread(target=echo_datagrams, args=(self.open_socket("node", socket.AF_INET6, socket.SOCK_DGRAM),), daemon=True).start()
        return seconds

    def source(self, family):
        """In a network of its own, so that limits of networks play no part."""
        self.sources += 1
        high, low = divmod(self.sources, 256)
        return f"10.{96 + high}.{low}.7" if family == 4 else f"fd96:{high:x}:{low:x}::7"

    def exchange(self, source, port=TCP_PORT, size=2000, patience_s=15):
        """None, or why a connection does not carry so many bytes each way unchanged."""
        family = 6 if ":" in source else 4
        try:
            with self.open_socket("client", KIND[family]) as connection:
                connection.settimeout(patience_s)
                connection.bind((source, 0))
                connection.connect((NODE[family], port))
                transfer.exchange(connection, size, size)
            return None
        except OSError as error:
            return str(error) or type(error).__name__

    def datagram(self, source, size=500, patience_s=5):
        """None, or why a datagram of random bytes does not come back."""
        family, data = 6 if ":" in source else 4, os.urandom(size)
        try:
            with self.open_socket("client", KIND[family], socket.SOCK_DGRAM) as connection:
                connection.settimeout(patience_s)
                connection.bind((source, 0))
                connection.connect((NODE[family], UDP_PORT))
                connection.send(data)
                return None if connection.recv(65536) == data else "it came back changed"
        except OSError as error:
            return str(error) or type(error).__name__

    def counts(self, *names):
        status = self.call("status")
        both = {**status["reasons"], **status["counters"]}
        return [both.get(name, 0) for name in names]


def echo_datagrams(listener):
    listener.bind(("::", UDP_PORT))
    while True:
        data, peer = listener.recvfrom(65536)
        with contextlib.suppress(OSError):
            listener.sendto(data, peer)


class Wire(threading.Thread):
    """Listens on an end of a wire; counts the TCP segments of which keep(flags, window, source) is true."""

    def __init__(self, weir, part, device, keep):
        super().__init__(daemon=True)
        self.ear = weir.open_socket(part, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
        self.ear.bind((device, 0x0003))
        self.keep, self.count, self.stopping = keep, 0, False
        self.start()

    def run(self):
        while not self.stopping:
            if not select.select([self.ear], [], [], 0.1)[0]:
                continue
            frame, place = self.ear.recvfrom(2048)
            if place[2] == socket.PACKET_OUTGOING or len(frame) < 54 or frame[12:14] != b"\x08\x00" or frame[23] != socket.IPPROTO_TCP:
                continue
            at = 14 + (frame[14] & 15) * 4
            self.count += self.keep(frame[at + 13], struct.unpack_from("!H", frame, at + 14)[0], frame[26:30])

    def stop(self):
        self.stopping = True
        self.join()
        self.ear.close()
        return self.count


def forwards(suite, weir):
    for family, source in ((4, CLIENT_V4), (6, CLIENT_V6)):
        why = weir.exchange(source)
        suite.check(f"a client's TCP connection over IPv{family} carries bytes both ways unchanged", why is None, why or "")
        why = weir.datagram(source)
        suite.check(f"a client's datagram over IPv{family} comes back", why is None, why or "")
        why = weir.exchange(weir.source(family), PROXIED_PORT, 50_000)
        suite.check(f"a stranger is challenged, answers, and his translated connection over IPv{family} carries bytes unchanged", why is None,
                    why or "")
    accepted, misses = weir.counts("proxy_accepted", "tx_refused")
    suite.check("Weir counted both answers to its challenges and sent every frame", accepted == 2 and misses == 0, f"{accepted}, {misses}")


def bans(suite, weir):
    for family in (4, 6):
        source = weir.source(family)
        suite.check(f"a source connects over IPv{family}", weir.exchange(source) is None)
        weir.weirctl("ban", "add", source)
        before, = weir.counts("banned")
        suite.check("after a ban it does not", weir.exchange(source, patience_s=2) is not None and weir.datagram(source, patience_s=1) is not None)
        after, = weir.counts("banned")
        suite.check("its packets were dropped as banned", after - before >= 2, after - before)
        weir.weirctl("ban", "del", source)
        why = weir.exchange(source)
        suite.check("after the ban is lifted it connects again", why is None, why or "")


def flood(suite, weir):
    """SYNs with invented sources until the service is under pressure; the node must not see those that follow."""
    path = f"{weir.state_dir}/strangers"
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(f"10.200.{i % 250}.{1 + i // 250}" for i in range(2000)) + "\n")
    node = Wire(weir, "node", "n0", lambda flags, _window, source: flags == 2 and source[:2] == bytes((10, 200)))
    cookies = Wire(weir, "client", "c0", lambda flags, window, _source: flags == 0x12 and window == 0)
    before, = weir.counts("challenged")
    text = []
    attack = threading.Thread(target=lambda: text.append(weir.inside(
        "client", f"{weir.build}/tests/packet_send", "--interface", "c0", "--mac", weir.mac("node", "n0"), "--own-mac", weir.mac("client", "c0"),
        "--v4", NODE_V4, "--port", str(TCP_PORT), "--kind", "syn", "--sources", path, "--count", str(FLOOD_PACKETS), "--rate", str(FLOOD_PPS),
        timeout=60 + FLOOD_PACKETS // FLOOD_PPS)))
    attack.start()
    time.sleep(2)
    times, failed = [], []
    while attack.is_alive() and len(times) < 20:
        began = time.monotonic()
        why = weir.exchange(weir.source((4, 6)[len(times) % 2]))
        times.append(time.monotonic() - began)
        failed += [why] if why else []
        time.sleep(0.2)
    attack.join()
    wait_for(lambda: False, 0.5)
    seen, answered, (after,) = node.stop(), cookies.stop(), weir.counts("challenged")
    suite.say(f"{FLOOD_PACKETS} SYNs: {after - before} challenged, {answered} cookies on the wire, {seen} at the node; {' '.join(text).strip()}")
    suite.check("most SYNs of the flood were challenged", after - before > FLOOD_PACKETS * 0.8, after - before)
    suite.check("the cookies were seen on the wire, as SYN-ACKs with a window of 0", answered > (after - before) * 0.9, answered)
    suite.check("the node saw few of the SYNs", seen < FLOOD_PACKETS * 0.2, seen)
    suite.check("new honest clients got in meanwhile", len(times) >= 5 and not failed,
                f"{len(times) - len(failed)} of {len(times)}, slowest {max(times):.2f} s{'; ' + failed[0] if failed else ''}")
    suite.check("nobody is banned", weir.weirctl("ban", "list")["bans"] == [])


def cards(suite):
    """Two e1000e, which DPDK gives one queue each."""
    with Rig() as weir:
        suite.say(f"the guest booted in {weir.begin():.1f} s")
        began = time.monotonic()
        weir.start()
        suite.check("Weir governs two e1000e, one lcore", True, f"{time.monotonic() - began:.1f} s")
        for part in (forwards, bans, flood):
            began = time.monotonic()
            part(suite, weir)
            suite.say(f"{part.__name__}: {time.monotonic() - began:.1f} s")
        suite.check("weir-dataplane ends when it is told to", weir.guest_end("dataplane"))


def main():
    suite = Suite("guest")
    try:
        cards(suite)
    except Cannot as error:
        print(f"no guest: {error}")
        return SKIP
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
