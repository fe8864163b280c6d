#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""weir-delay between two kernels: each of its faults is seen from outside, and every frame is accounted for. Numbered datagrams cross
it; nothing else of Weir runs."""
import math
import re
import socket
import statistics
import struct
import subprocess
import sys
import time

from weir import CLIENT_V4, Suite, Weir, run, wait_for

FAR = "10.77.0.9"  # the other end of the line: the governor's kernel, with an address for once
PORT = 7000
WORD = struct.Struct("!QI")
SO_RCVBUFFORCE, SOL_PACKET, PACKET_AUXDATA, ETH_P_ALL = 33, 263, 8, 3
AUXDATA = struct.Struct("=IIIHHHH")  # struct tpacket_auxdata; the sixth is the tag


class Numbers:
    """Numbered datagrams from the client to the far end; who came, in which order."""

    def __init__(self, weir):
        self.weir = weir
        self.ear = weir.open_socket("governor", kind=socket.SOCK_DGRAM)
        self.ear.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.ear.bind((FAR, PORT))
        self.mouth = weir.open_socket("client", kind=socket.SOCK_DGRAM)
        self.mouth.connect((FAR, PORT))
        self.run = 0

    def send(self, count, payload_bytes=100, gap_us=100):
        """Send; what arrives in the time that the line needs at most. Paced, so that no kernel drops for want of room."""
        self.run += 1
        padding = bytes(payload_bytes - WORD.size)
        began = time.monotonic()
        for number in range(count):
            while time.monotonic() < began + number * gap_us / 1e6:
                time.sleep(0)
            self.mouth.send(WORD.pack(self.run, number) + padding)
        self.seconds = time.monotonic() - began
        return self.listen()

    def listen(self, silence_s=0.5):
        came = []
        self.ear.settimeout(silence_s)
        while True:
            try:
                word = self.ear.recv(65536)
            except TimeoutError:
                return came
            run_number, number = WORD.unpack_from(word)
            if run_number == self.run:
                came.append(number)


def overtaken(numbers):
    return sum(later < earlier for earlier, later in zip(numbers, numbers[1:]))


def within(actual, count, share):
    """Five standard deviations: one run in two million fails by chance, and the seed is fixed."""
    return abs(actual - count * share) <= 5 * math.sqrt(count * share * (1 - share))


def balanced(direction):
    dropped = sum(value for name, value in direction.items() if name.startswith("dropped_") and name != "dropped_copy")
    return direction["received"] + direction["duplicated"] == direction["sent"] + dropped + direction["left"]


def ping(weir, count, target=FAR):
    text = weir.inside("client", "ping", "-n", "-c", str(count), "-i", "0.1", target, check=False)
    return [float(time_ms) for time_ms in re.findall(r"time=([\d.]+) ms", text)]


def learn(weir):
    """Addresses of the link layer are known before anything is lost, and no other frame crosses."""
    weir.inside("client", "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
    for part, device, far_part, far_device, address in (("client", "c0", "governor", "g0", FAR), ("governor", "g0", "client", "c0", CLIENT_V4)):
        weir.inside(part, "ip", "neigh", "replace", address, "lladdr", weir.mac(far_part, far_device), "dev", device)


def delays(suite, weir, numbers):
    weir.start_line("--delay-us", 20000)
    times = ping(weir, 20)
    result = weir.end_line()
    suite.check("20 ms each way are a round trip of 40 ms", len(times) == 20 and 40 <= min(times) and statistics.median(times) < 400,
                f"min {min(times, default=0)}, median {statistics.median(times or [0])} ms")
    late = result["directions"]["a-to-b"]
    suite.say(f"sent after the due time: median {late['late_us_p50']} us, 99th {late['late_us_p99']} us, most {late['late_us_max']} us")
    weir.start_line("--direction", "b-to-a", "--delay-us", 30000)
    times = ping(weir, 10)
    weir.end_line()
    suite.check("a direction can be delayed alone", len(times) == 10 and 30 <= min(times) and statistics.median(times) < 400,
                f"median {statistics.median(times or [0])} ms")
    weir.start_line("--delay-us", 5000, "--jitter-us", 4000)
    came = numbers.send(2000)
    weir.end_line()
    suite.check("jitter loses nothing and keeps the order", came == list(range(2000)), f"{len(came)} came")


def shares(suite, weir, numbers):
    count = 5000
    lost = []
    for _ in range(2):
        weir.start_line("--direction", "a-to-b", "--loss", 0.1, "--seed", 5)
        came = numbers.send(count)
        result = weir.end_line()["directions"]["a-to-b"]
        lost.append(sorted(set(range(count)) - set(came)))
    suite.check("a loss of 10 % loses that", within(len(lost[0]), count, 0.1), f"{len(lost[0])} of {count}")
    suite.check("what is lost was counted, and the rest came in order", overtaken(came) == 0 and result["dropped_loss"] == len(lost[1])
                and result["received"] == count and balanced(result), result["dropped_loss"])
    suite.check("the same seed loses the same datagrams", lost[0] == lost[1])

    weir.start_line("--reorder", 0.05, "--reorder-us", 3000)
    came = numbers.send(count)
    result = weir.end_line()["directions"]["a-to-b"]
    suite.check("held frames are overtaken, and nothing is lost", sorted(came) == list(range(count)) and overtaken(came) > count // 50
                and within(result["reordered"], count, 0.05), f"{overtaken(came)} times, {result['reordered']} held")

    weir.start_line("--duplicate", 0.1)
    came = numbers.send(count)
    result = weir.end_line()["directions"]["a-to-b"]
    suite.check("a tenth comes twice", set(came) == set(range(count)) and len(came) == count + result["duplicated"]
                and within(result["duplicated"], count, 0.1), f"{len(came)} of {count}")


def bounds(suite, weir, numbers):
    count = 3000
    # 1,042 bytes a frame, one every 100 us: 83 Mbit/s
    weir.start_line("--direction", "a-to-b", "--rate-mbit", 20, "--backlog-bytes", 20000)
    came = numbers.send(count, 1000)
    result = weir.end_line()["directions"]["a-to-b"]
    carried = (numbers.seconds * 20e6 / 8 + 20000) / 1042
    suite.check("a rate carries no more than its rate and backlog, and at least half of it",
                0.5 * carried <= len(came) <= 1.01 * carried + 2, f"{len(came)} of {carried:.0f}")
    suite.check("what is over the rate was dropped and counted, in order", overtaken(came) == 0 and result["dropped_rate"] > 0
                and len(came) + result["dropped_rate"] == count and balanced(result), result["dropped_rate"])
    weir.start_line("--direction", "a-to-b", "--delay-us", 2000000, "--frames", 64)
    numbers.send(300)
    came = numbers.listen(3)
    result = weir.end_line()["directions"]["a-to-b"]
    suite.check("a full line keeps what it has, and drops and counts the rest", came == list(range(64)) and
                result["dropped_full"] == 300 - 64 and result["peak"] == 64 and balanced(result), result["dropped_full"])


def untouched(suite, weir, numbers):
    """Frames come out as they went in."""
    weir.start_line("--delay-us", 1000)
    came = numbers.send(20, 4000, 2000)
    result = weir.end_line()["directions"]["a-to-b"]
    suite.check("fragments cross as fragments", came == list(range(20)) and result["received"] == 60, f"{result['received']} frames")
    suite.check("a VLAN tag crosses", tag_crosses(weir))


def tag_crosses(weir):
    """This kernel may have no VLAN devices: the tag is written by hand and read from what the kernel notes beside a frame."""
    ear = weir.open_socket("governor", socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    ear.bind(("g0", ETH_P_ALL))
    ear.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    ear.settimeout(5)
    mouth = weir.open_socket("client", socket.AF_PACKET, socket.SOCK_RAW, 0)
    mouth.bind(("c0", 0))
    mine = bytes.fromhex(weir.mac("client", "c0").replace(":", ""))
    weir.start_line()
    mouth.send(b"\xff" * 6 + mine + struct.pack("!HHH", 0x8100, 0x6007, 0x88b5) + bytes(50))
    found = None
    while found is None:
        try:
            frame, notes, _flags, _source = ear.recvmsg(2000, 100)
        except TimeoutError:
            break
        if frame[12:14] == b"\x81\x00":
            found = struct.unpack_from("!H", frame, 14)[0]
        elif frame[12:14] == b"\x88\xb5":
            found = next((AUXDATA.unpack_from(data)[5] for level, kind, data in notes if (level, kind) == (SOL_PACKET, PACKET_AUXDATA)), 0)
    weir.end_line()
    return found == 0x6007


def refused(suite, weir):
    tool = weir.tools["delay"]
    for sentence, arguments in (
            ("without ports", []),
            ("with one port", ["--a", "auto:d0"]),
            ("with one port twice", ["--a", "auto:d0", "--b", "auto:d0"]),
            ("with a loss of 101 %", ["--a", "auto:d0", "--b", "auto:d1", "--loss", "1.01"]),
            ("with a delay that is no number", ["--a", "auto:d0", "--b", "auto:d1", "--delay-us", "1ms"]),
            ("with a direction that is none", ["--a", "auto:d0", "--b", "auto:d1", "--direction", "up"]),
            ("told to hold frames for no time", ["--a", "auto:d0", "--b", "auto:d1", "--reorder", "0.1"]),
            ("with room for no frame", ["--a", "auto:d0", "--b", "auto:d1", "--frames", "0"]),
            ("with a word too many", ["--a", "auto:d0", "--b", "auto:d1", "more"]),
            ("with an interface that is not there", ["--a", "auto:d0", "--b", "auto:nothing"])):
        result = subprocess.run(["ip", "netns", "exec", weir.namespaces["line"], tool, *arguments], capture_output=True, text=True,
                                check=False, timeout=20)
        suite.check(f"weir-delay {sentence} says so in one sentence", result.returncode in (1, 2) and result.stdout == "" and
                    len(result.stderr.strip().splitlines()) == 1, result.stderr.strip())


def main():
    suite = Suite("delay_line")
    with Weir(line=True) as weir:
        weir.inside("governor", "ip", "addr", "add", f"{FAR}/24", "dev", "g0")
        learn(weir)
        numbers = Numbers(weir)
        delays(suite, weir, numbers)
        shares(suite, weir, numbers)
        bounds(suite, weir, numbers)
        untouched(suite, weir, numbers)
        refused(suite, weir)
        weir.start_line()
        suite.check("SIGKILL leaves nothing that stops the next line", weir.end("line", 9) == -9)
        weir.start_line("--seconds", 0.5)
        ended = wait_for(lambda: not weir.alive("line"), 10)
        suite.check("--seconds ends it", bool(ended) and weir.end_line()["seconds"] >= 0.5)
        suite.check("no socket is left", run("ip", "netns", "exec", weir.namespaces["line"], "ss", "-0Hn").strip() == "")
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
