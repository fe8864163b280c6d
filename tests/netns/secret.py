#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Governors that front one address share a secret: a stranger whom one of them challenges may answer to another, by both methods and
over both families. A governor with another secret believes nothing, and a secret that others may read stops the dataplane at once.

`secret.py governor FILE` is one more governor in a process of its own: requests and answers are lines of JSON."""
import itertools
import json
import os
import secrets
import socket
import struct
import subprocess
import sys

from weir import NODE_V4, NODE_V6, TCP_PORT, Suite, Weir, wait_for

RESET_PORT = TCP_PORT + 1
ROUNDS = 10
SYN, RST, ACK = 0x02, 0x04, 0x10
CLIENT_SEQUENCE = 1000
STRANGERS = itertools.count()  # a source that was proven once is challenged no more
CONFIG = {
    "services": [{"name": "proxied", "port": TCP_PORT, "protocol": "tcp", "challenge": "always"},
                 {"name": "reset", "port": RESET_PORT, "protocol": "tcp", "challenge": "always", "method": "reset"}],
    "start": {"adopt_window": 0},  # or the first seconds' ACKs would pass for running connections
}


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def segment(family, source, source_port, port, flags, sequence, acknowledgement):
    """An IP packet with a bare TCP segment to the node."""
    kind, node = (socket.AF_INET, NODE_V4) if family == 4 else (socket.AF_INET6, NODE_V6)
    ends = socket.inet_pton(kind, source) + socket.inet_pton(kind, node)
    tcp = bytearray(struct.pack("!HHIIBBHHH", source_port, port, sequence, acknowledgement, 5 << 4, flags, 65535, 0, 0))
    pseudo = ends + (struct.pack("!BBH", 0, 6, len(tcp)) if family == 4 else struct.pack("!II", len(tcp), 6))
    struct.pack_into("!H", tcp, 16, checksum(pseudo + bytes(tcp)))
    if family == 6:
        return struct.pack("!IHBB", 6 << 28, len(tcp), 6, 64) + ends + bytes(tcp)
    ip = bytearray(struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(tcp), 0, 0, 64, 6, 0) + ends)
    struct.pack_into("!H", ip, 10, checksum(bytes(ip)))
    return bytes(ip) + bytes(tcp)


class Governor(Weir):
    """A Weir with a stranger beside it who writes and reads frames."""

    def __init__(self, secret):
        super().__init__(CONFIG, options=["--cookie-secret", secret] if secret else [])

    def begin(self):
        self.start()
        with self.namespace("client"):
            self.wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.wire.bind(("c0", 0))
        self.macs = b"".join(bytes.fromhex(self.mac(part, device).replace(":", "")) for part, device in (("node", "n0"), ("client", "c0")))

    def send(self, family, *arguments):
        self.wire.send(self.macs + struct.pack("!H", 0x800 if family == 4 else 0x86dd) + segment(family, *arguments))

    def challenged(self, family, source, source_port, port):
        """Send a SYN; (sequence, acknowledgement) of the SYN-ACK, None when none comes."""
        self.wire.settimeout(5)
        for _try in range(3):
            self.send(family, source, source_port, port, SYN, CLIENT_SEQUENCE, 0)
            for _frame in range(200):
                try:
                    frame = self.wire.recv(2048)
                except TimeoutError:
                    break
                tcp = frame[14 + (20 if family == 4 else 40):][:20]
                if len(tcp) < 20:
                    continue
                theirs, ours, sequence, acknowledgement, _offset, flags = struct.unpack("!HHIIBB", tcp[:14])
                if (theirs, ours, flags & 0x17) == (port, source_port, SYN | ACK):
                    return sequence, acknowledgement
        return None

    def answers(self, name):
        return self.call("status")["reasons"].get(name, 0)


def serve(secret):
    with Governor(secret) as governor:
        governor.begin()
        print(json.dumps("ready"), flush=True)
        for line in sys.stdin:
            request = json.loads(line)
            result = getattr(governor, request["do"])(*request["with"])
            print(json.dumps(result), flush=True)


class Remote:
    """The same three calls on a governor in another process."""

    def __init__(self, secret):
        self.process = subprocess.Popen([sys.executable, os.path.abspath(__file__), "governor", secret], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
        if json.loads(self.process.stdout.readline() or "null") != "ready":
            raise RuntimeError("the other governor does not start")

    def ask(self, what, *arguments):
        self.process.stdin.write(json.dumps({"do": what, "with": arguments}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def challenged(self, *arguments):
        return self.ask("challenged", *arguments)

    def send(self, *arguments):
        return self.ask("send", *arguments)

    def answers(self, name):
        return self.ask("answers", name)

    def end(self):
        self.process.stdin.close()
        self.process.wait(30)


def carry(asked, answered, port, good):
    """Challenged by one governor, answered to another: how many answers the other one believed, and how many it did not."""
    before = {name: answered.answers(name) for name in (good, "challenge_bad")}
    for i in range(2 * ROUNDS):
        family, source_port, n = (4, 6)[i % 2], secrets.randbelow(60000) + 1024, next(STRANGERS)
        source = f"198.51.{n % 200 + 1}.{n // 200 + 1}" if family == 4 else f"2001:db8:{n:x}::1"
        proof = asked.challenged(family, source, source_port, port)
        if proof is None:
            return f"no challenge came (answer {i})"
        sequence, acknowledgement = proof
        if port == RESET_PORT:
            answered.send(family, source, source_port, port, RST, acknowledgement, 0)
        else:
            answered.send(family, source, source_port, port, ACK, CLIENT_SEQUENCE + 1, (sequence + 1) & 0xffffffff)

    def counts():
        return {name: answered.answers(name) - before[name] for name in before}
    wait_for(lambda: sum(counts().values()) >= 2 * ROUNDS, 5)
    return counts()


def refused(suite, governor, secret):
    """A dataplane with a secret that it must not take."""
    os.chmod(secret, 0o644)
    text = subprocess.run(["ip", "netns", "exec", governor.namespaces["governor"], governor.tools["dataplane"], "--instance", "refused",
                           "--run-dir", governor.run_dir, "--shm-dir", governor.shm_dir, "--outside", "auto:g0", "--inside", "auto:g1",
                           "--memory", "no-huge", "--cookie-secret", secret], capture_output=True, text=True, check=False, timeout=30)
    os.chmod(secret, 0o600)
    suite.check("a secret that others may read is refused by one sentence", text.returncode == 1 and
                text.stderr.count("\n") == 1 and "has mode 0644" in text.stderr, text.stderr.strip())
    suite.check("and nothing is left behind", not [name for name in os.listdir(governor.shm_dir) if name.startswith("refused")])


def main():
    suite = Suite("secret")
    with Governor(None) as here:
        paths = [f"{here.state_dir}/{name}" for name in ("shared", "other")]
        for path in paths:
            with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
                file.write(secrets.token_hex(32) + "\n")
        here.options = ["--cookie-secret", paths[0]]
        refused(suite, here, paths[0])
        here.begin()
        there, stranger = Remote(paths[0]), Remote(paths[1])
        try:
            for method, port, good in (("proxy", TCP_PORT, "proxy_accepted"), ("reset", RESET_PORT, "challenge_passed")):
                all_good, all_bad = {good: 2 * ROUNDS, "challenge_bad": 0}, {good: 0, "challenge_bad": 2 * ROUNDS}
                for sentence, asked, answered, expected in (
                        ("a governor believes its own challenges", here, here, all_good),
                        ("another with the same secret believes them too", here, there, all_good),
                        ("and the other way round", there, here, all_good),
                        ("one with another secret believes none", here, stranger, all_bad),
                        ("and is believed by none", stranger, here, all_bad)):
                    counts = carry(asked, answered, port, good)
                    suite.check(f"{method}: {sentence}", counts == expected, counts)
        finally:
            there.end()
            stranger.end()
    return suite.finish()


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "governor":
        serve(sys.argv[2])
    else:
        sys.exit(main())
