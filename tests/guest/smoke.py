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

from guest import Cannot, GuestWeir, unit_capabilities
import transfer
from weir import CLIENT_V4, CLIENT_V6, NODE_V4, NODE_V6, TCP_PORT, UDP_PORT, Suite, wait_for

SKIP = 77
PROXIED_PORT = TCP_PORT + 1
SOL_PACKET, PACKET_AUXDATA = 263, 8
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
    """Listens on an end of a wire; counts the TCP segments over IPv4 of which keep(flags, window, source) is true, and remembers the length
    of the longest frame of any kind."""

    def __init__(self, weir, part, device, keep):
        super().__init__(daemon=True)
        self.ear = weir.open_socket(part, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
        self.ear.bind((device, 0x0003))
        self.keep, self.count, self.longest, self.stopping = keep, 0, 0, False
        self.start()

    def run(self):
        while not self.stopping:
            if not select.select([self.ear], [], [], 0.1)[0]:
                continue
            frame, place = self.ear.recvfrom(65536)
            if place[2] == socket.PACKET_OUTGOING:
                continue
            self.longest = max(self.longest, len(frame))
            if len(frame) < 54 or frame[12:14] != b"\x08\x00" or frame[23] != socket.IPPROTO_TCP:
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


def folded(data):
    """The Internet checksum (RFC 1071) of an even number of bytes."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame_to_node(weir, source, protocol, wrong, payload=bytes(range(20)), tags=b""):
    """A SYN or a datagram from a client's address, whose checksum of the kind `wrong` ("ip", "transport" or none) is wrong."""
    family = 6 if ":" in source else 4
    ends = socket.inet_pton(KIND[family], source) + socket.inet_pton(KIND[family], NODE[family])
    if protocol == socket.IPPROTO_TCP:
        body = struct.pack("!HHIIBBHHH", 40000, TCP_PORT, 1, 0, 5 << 4, 2, 1000, 0, 0)
        at = 16
    else:
        body = struct.pack("!HHHH", 40000, UDP_PORT, 8 + len(payload), 0) + payload
        at = 6
    right = folded(ends + struct.pack("!HBBH", 0, 0, protocol, len(body)) + body)
    body = body[:at] + struct.pack("!H", right ^ (0x1234 if wrong == "transport" else 0)) + body[at + 2:]
    if family == 4:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), 1, 0, 64, protocol, 0) + ends
        head = head[:10] + struct.pack("!H", folded(head) ^ (0x1234 if wrong == "ip" else 0)) + head[12:]
    else:
        head = struct.pack("!IHBB", 6 << 28, len(body), protocol, 64) + ends
    macs = b"".join(bytes.fromhex(weir.mac(part, device).replace(":", "")) for part, device in (("node", "n0"), ("client", "c0")))
    return macs + tags + (b"\x08\x00" if family == 4 else b"\x86\xdd") + head + body


def checksums(suite, weir):
    """Wrong checksums, which a device may report, and right ones in the same frames."""
    names = ("bad_ip_checksum", "bad_tcp_checksum", "bad_udp_checksum", "admitted")
    kinds = [(4, socket.IPPROTO_TCP, "ip"), (4, socket.IPPROTO_UDP, "ip"), (4, socket.IPPROTO_TCP, "transport"),
             (4, socket.IPPROTO_UDP, "transport"), (6, socket.IPPROTO_TCP, "transport"), (6, socket.IPPROTO_UDP, "transport"),
             *((family, protocol, None) for family in (4, 6) for protocol in (socket.IPPROTO_TCP, socket.IPPROTO_UDP))]
    before = weir.counts(*names)
    with weir.open_socket("client", socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind(("c0", 0))
        for family, protocol, wrong in kinds:
            wire.send(frame_to_node(weir, weir.source(family), protocol, wrong))
    wait_for(lambda: sum(weir.counts(*names)) - sum(before) >= len(kinds), 5, 0.2)
    found = [now - then for now, then in zip(weir.counts(*names), before)]
    suite.check("2 headers, 2 segments and 2 datagrams with wrong checksums were dropped as what they are, and 4 right ones admitted",
                found == [2, 2, 2, 4], dict(zip(names, found)))


def tagged(suite, weir):
    """The longest datagram in a VLAN: the tag makes its frame longer than those without."""
    tag, payload = struct.pack("!HH", 0x8100, 5), os.urandom(1472)
    frame = frame_to_node(weir, weir.source(4), socket.IPPROTO_UDP, None, payload, tag)
    with weir.open_socket("node", socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003)) as ear, \
            weir.open_socket("client", socket.AF_PACKET, socket.SOCK_RAW) as wire:
        ear.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        ear.bind(("n0", 0x0003))
        wire.bind(("c0", 0))
        wire.send(frame)
        found, deadline = None, time.monotonic() + 5
        while found is None and select.select([ear], [], [], max(0, deadline - time.monotonic()))[0]:
            data, notes, _flags, _place = ear.recvmsg(2048, 256)
            # The kernel takes the tag out of the bytes and says it beside: status, lengths, offsets, tag.
            vlans = [struct.unpack_from("=H", note, 16)[0] for level, kind, note in notes if (level, kind) == (SOL_PACKET, PACKET_AUXDATA)]
            if data.endswith(payload):
                found = data[:12] + (struct.pack("!HH", 0x8100, vlans[0]) if vlans and vlans[0] else b"") + data[12:]
    suite.check("a frame of 1518 bytes with a VLAN tag comes as it was sent", found == frame, found if found is None else found[:18].hex())


def mtu_set(weir, mtu):
    for part, device in (("client", "c0"), ("node", "n0")):
        weir.inside(part, "ip", "link", "set", device, "mtu", str(mtu))


def segments(suite, weir, lcores, mtu):
    """Frames that need several buffers of 2048 bytes."""
    mtu_set(weir, mtu)
    if not weir.device.startswith("virtio"):  # which takes what it has buffers for
        suite.check(f"without --mtu a packet of {mtu} bytes does not pass", weir.datagram(weir.source(4), mtu - 28, 1) is not None)
    weir.restart("--lcores", lcores, "--mtu", str(mtu))
    before = weir.counts("no_buffer", "tx_refused", "tx_inside")
    wire = Wire(weir, "node", "n0", lambda *_: False)
    for family in (4, 6):
        why = weir.datagram(weir.source(family), mtu - (28 if family == 4 else 48))
        suite.check(f"with --mtu {mtu} the largest datagram over IPv{family} goes in one frame both ways", why is None, why or "")
        why = weir.datagram(weir.source(family), 3 * mtu)
        suite.check(f"a datagram in fragments of that size over IPv{family} does", why is None, why or "")
        for port, kind in ((TCP_PORT, "a connection"), (PROXIED_PORT, "a translated connection")):
            why = weir.exchange(weir.source(family), port, 300_000)
            suite.check(f"{kind} over IPv{family} carries 300 kB each way unchanged", why is None, why or "")
    wire.stop()
    after = weir.counts("no_buffer", "tx_refused", "tx_inside")
    suite.check(f"the node got frames of {mtu + 14} bytes", wire.longest == mtu + 14, wire.longest)
    suite.check("none was lost for want of a buffer or of room", after[:2] == before[:2], after)
    mtu_set(weir, 1500)


def killed(suite, weir):
    """A dataplane that is killed leaves its devices as they are; the next one takes them and the flows over, ordinary memory and short
    addresses included."""
    held = {}
    for family, port in ((4, TCP_PORT), (6, TCP_PORT), (4, PROXIED_PORT), (6, PROXIED_PORT)):
        connection = held[family, port] = weir.open_socket("client", KIND[family])
        connection.settimeout(20)
        connection.bind((weir.source(family), 0))
        connection.connect((NODE[family], port))
        transfer.exchange(connection, 5000, 5000)
    whole, weir.ports = weir.ports, [weir.ports[0].removeprefix("0000:"), weir.ports[1]]
    for how, options in (("KILL", []), ("KILL", ["--memory", "no-huge"]), ("TERM", [])):
        weir.restart("--lcores", "0", *options, how=how)
        failed = []
        for connection in held.values():
            try:
                transfer.exchange(connection, 5000, 5000)
            except OSError as error:
                failed.append(str(error))
        suite.check(f"4 connections, 2 of them translated, live through SIG{how} and a start {' '.join(options) or 'with huge pages'}", not failed,
                    "; ".join(failed))
    weir.ports = whole
    for connection in held.values():
        connection.close()


def two_lcores(suite, weir):
    """The devices cannot bring a client to its lcore by his address: lcores must hand frames over."""
    weir.restart("--lcores", "0,1")
    suite.check("that RSS by address is impossible is said", "lcores hand frames over to each other" in weir.words("dataplane"))
    failed = []
    for number in range(40):
        source = weir.source((4, 6)[number % 2])
        why = weir.exchange(source, (TCP_PORT, PROXIED_PORT)[number // 2 % 2], 20_000) or weir.datagram(source, 4000)
        failed += [why] if why else []
    suite.check("40 clients connect, half of them through challenges, and send datagrams in fragments", not failed, "; ".join(failed[:3]))
    handed, lost = weir.counts("dispatched", "dispatch_refused")
    suite.check("the lcores handed frames over and lost none", handed > 40 and lost == 0, f"{handed}, {lost}")


def links(suite, weir):
    """A lost link cannot be passed on by these drivers (link_relay.h has a model of those that can); its return is noticed."""
    suite.check("nothing was said of links while none was lost", "link" not in weir.words("dataplane"))
    weir.cable("client", False)
    suite.check("a link that is lost is noticed at once, and that it is not passed on is said",
                wait_for(lambda: "cannot take the link down" in weir.words("dataplane"), 10, 0.3), weir.words("dataplane").strip())
    weir.cable("client", True)
    suite.check("then clients get through again", wait_for(lambda: weir.exchange(weir.source(4), patience_s=2) is None, 15, 0.3))


def refusals(suite, weir, most):
    """What a device cannot do is said in one sentence."""
    for options, sentence in ((["--mtu", "16000"], f"the device takes an MTU of {most[0]} and --mtu is 16000."),
                              (["--queues", "3"], f"the device has {most[1]} receive and {most[1]} send queues and --queues is 3")):
        said = weir.refused("--lcores", "0", *options)
        suite.check(f"{' '.join(options)} is refused with what the device can do", sentence in said and said.count("weir-dataplane:") == 1, said.strip())


def unbound(suite, weir):
    weir.guest_end("dataplane")
    weir.guest(f"echo {weir.ports[1]} > /sys/bus/pci/drivers/vfio-pci/unbind")
    said = weir.refused("--lcores", "0")
    suite.check("a device without a driver is refused with how to bind it", f'"dpdk-devbind.py -b vfio-pci {weir.ports[1]}"' in said, said.strip())
    weir.guest(f"echo {weir.ports[1]} > /sys/bus/pci/drivers_probe")
    weir.start_dataplane()
    weir.wait_governing()
    suite.check("bound again, it is driven again", weir.exchange(weir.source(4)) is None)


def run_parts(suite, weir, parts):
    for part, *arguments in parts:
        began = time.monotonic()
        part(suite, weir, *arguments)
        suite.say(f"{part.__name__}: {time.monotonic() - began:.1f} s")


def cards(suite):
    """Two e1000e."""
    with Rig() as weir:
        suite.say(f"a guest with two e1000e booted in {weir.begin():.1f} s")
        weir.options = ["--lcores", "0"]
        weir.start()
        held = weir.guest("grep CapEff /proc/$(cat /tmp/dataplane.pid)/status").split()[-1]
        suite.check("the dataplane has no more capabilities than its unit leaves it", bin(int(held, 16)).count("1") == len(unit_capabilities()), held)
        run_parts(suite, weir, ((forwards,), (bans,), (checksums,), (flood,), (tagged,), (links,), (segments, "0", 3000), (killed,), (two_lcores,),
                                (refusals, ("46 to 9216", 2)), (unbound,)))


def virtual_cards(suite):
    """Two virtio-net of two queues, whose other side leaves checksums to whoever asks for them, as hosts of virtual machines do."""
    with Rig(device="virtio-net-pci", queues=2) as weir:
        suite.say(f"a guest with two virtio-net booted in {weir.begin():.1f} s")
        weir.options = ["--lcores", "0"]
        weir.start()
        run_parts(suite, weir, ((forwards,), (checksums,), (tagged,), (links,), (two_lcores,), (segments, "0,1", 9000),
                                (refusals, ("46 to 9698", 2))))
        suite.check("weir-dataplane ends when it is told to", weir.guest_end("dataplane"))


def main():
    suite = Suite("guest")
    try:
        cards(suite)
        virtual_cards(suite)
    except Cannot as error:
        print(f"no guest: {error}")
        return SKIP
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
