#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""QUIC between two kernels, ngtcp2 at both ends: a handshake proves its client, with and without Retry and in a version that Weir does
not know; a download arrives whole; a client whose NAT rebinds is known again; a flood of Initials disturbs nobody; a ban ends it."""
import contextlib
import hashlib
import os
import signal
import socket
import subprocess
import sys
import time

from weir import CLIENT_V4, NODE_V4, NODE_V6, Suite, Weir, wait_for

PORTS = {False: 4433, True: 4434}  # does the node ask for Retry?
FILE_BYTES = 3_000_000
FLOOD_SOURCES, FLOOD_S = 256, 6
# QUIC Initials are not answered by a node that cannot decrypt them, as ours here cannot be.
INITIAL = bytes.fromhex("c00000000108") + b"%b" + bytes.fromhex("00004496")
# Nobody sees the end of a connection, which is encrypted: its place is free when it was idle so long.
IDLE_S = 8
CONFIG = {"services": [{"name": f"quic-{port}", "port": port, "protocol": "udp", "quic": "yes", "idle": f"{IDLE_S}s"}
                       for port in PORTS.values()]}


def counters(weir):
    status = weir.call("status")
    return {**status["counters"], **{f"reason {name}": number for name, number in status.get("reasons", {}).items()}}


def grown(after, before, name):
    return after.get(name, 0) - before.get(name, 0)


class Quic:
    def __init__(self, weir):
        self.weir = weir
        self.root = f"{weir.state_dir}/htdocs"
        self.number = 0
        os.mkdir(self.root)
        with open(f"{self.root}/file", "wb") as file:
            file.write(os.urandom(FILE_BYTES))
        self.digest = self._digest(f"{self.root}/file")
        key, certificate = f"{weir.state_dir}/key.pem", f"{weir.state_dir}/certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=node",
                        "-days", "2", "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=30)
        for retry, port in PORTS.items():
            weir.spawn(f"server-{port}", "node", "gtlsserver", "--quiet", "--no-quic-dump", "--no-http-dump", "-d", self.root,
                       *(["--validate-addr"] if retry else []), "*", str(port), key, certificate)

    @staticmethod
    def _digest(path):
        with contextlib.suppress(OSError), open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
        return None

    def listening(self):
        text = self.weir.inside("node", "ss", "-Hlun")
        return all(f":{port} " in text for port in PORTS.values())

    def begin(self, host, port, *options):
        """A client that downloads the file; its name for got()."""
        self.number += 1
        name = f"client-{self.number}"
        os.mkdir(f"{self.weir.state_dir}/{name}")
        self.weir.spawn(name, "client", "gtlsclient", "--quiet", "--no-quic-dump", "--no-http-dump", "--exit-on-all-streams-close",
                        "--timeout=10s", f"--download={self.weir.state_dir}/{name}", *options, host, str(port), "https://node/file")
        return name

    def got(self, name, patience_s=25):
        """Why the file did not come, None when it did."""
        process = self.weir.processes[name]
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.weir.end(name, signal.SIGKILL)
            return "the client does not end"
        if self._digest(f"{self.weir.state_dir}/{name}/file") == self.digest:
            return None
        return f"the file is not whole: {self.weir.words(name)[-200:]}"

    def download(self, host, port, *options):
        return self.got(self.begin(host, port, *options))


def handshakes(suite, weir, quic):
    for retry, port in PORTS.items():
        for host in (NODE_V4, NODE_V6):
            # ngtcp2 knows version 2 as it was drafted: for Weir that is an unknown version, of which it reads what all have.
            for version in ("v1", "v2draft"):
                before = counters(weir)
                why = quic.download(host, port, f"--version={version}")
                after = counters(weir)
                what = f"{'Retry, ' if retry else ''}IPv{6 if ':' in host else 4}, version {version}"
                suite.check(f"{what}: {FILE_BYTES} bytes arrive whole", why is None, why or "")
                suite.check(f"{what}: the client is proven by the node's id", grown(after, before, "proofs_connection_id") >= 1,
                            grown(after, before, "proofs_connection_id"))


def negotiation(suite, weir, quic):
    """A version that nobody speaks: the node must hear of it to name those that it speaks."""
    for host in (NODE_V4, NODE_V6):
        before = counters(weir)
        why = quic.download(host, PORTS[False], "--version=0x1a2a3a4a")
        after = counters(weir)
        suite.check(f"IPv{6 if ':' in host else 4}: the node's version negotiation reaches a client of another version",
                    why is not None and "ERR_RECV_VERSION_NEGOTIATION" in why)
        suite.check("and proves nothing", grown(after, before, "proofs_connection_id") == 0)


def rebinding(suite, weir, quic):
    for host in (NODE_V4, NODE_V6):
        before = counters(weir)
        why = quic.download(host, PORTS[False], "--change-local-addr=1s", "--nat-rebinding", "--delay-stream=2s")
        after = counters(weir)
        what = f"IPv{6 if ':' in host else 4}"
        suite.check(f"{what}: a client whose NAT rebinds before it downloads gets all of it", why is None, why or "")
        suite.check(f"{what}: it was known by the node's id", grown(after, before, "reason quic_migrated") >= 1,
                    grown(after, before, "reason quic_migrated"))


def flood(weir, sockets, seconds, address):
    """Initials from many addresses as fast as this script can; how many."""
    sent, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        for sender in sockets:
            with contextlib.suppress(BlockingIOError):
                sender.sendto((INITIAL % os.urandom(8)).ljust(1200, b"\0"), address)
                sent += 1
    return sent


def under_flood(suite, weir, quic):
    sockets = []
    for i in range(FLOOD_SOURCES):
        sender = weir.open_socket("client", kind=socket.SOCK_DGRAM)
        sender.setblocking(False)
        sender.bind((f"10.77.{64 + i % 64}.{1 + i // 64}", 0))
        sockets.append(sender)
    before = counters(weir)
    name = quic.begin(NODE_V4, PORTS[False], "--delay-stream=3s", "--change-local-addr=2s", "--nat-rebinding")
    suite.check("a connection is open before the flood",
                wait_for(lambda: grown(counters(weir), before, "proofs_connection_id") == 1, 5))
    sent = flood(weir, sockets, FLOOD_S, (NODE_V4, PORTS[False]))
    after = counters(weir)
    suite.say(f"{sent} Initials from {FLOOD_SOURCES} addresses in {FLOOD_S} s")
    refused = grown(after, before, "reason pressure")
    suite.check("Weir refused most of the flood", refused > sent / 2, f"{refused} of {sent}")
    why = quic.got(name)
    suite.check("the connection moves and downloads in the midst of it", why is None, why or "")
    suite.check("known by the node's id", grown(counters(weir), before, "reason quic_migrated") == 1)
    suite.check("the flood proved nothing", grown(counters(weir), before, "proofs_connection_id") == 1)
    for sender in sockets:
        sender.close()


def banned(suite, weir, quic):
    before = counters(weir)
    name = quic.begin(NODE_V4, PORTS[False], "--delay-stream=3s")
    suite.check("a client connects", wait_for(lambda: grown(counters(weir), before, "proofs_connection_id") == 1, 5))
    weir.weirctl("ban", "add", CLIENT_V4)
    suite.check("banned, it gets nothing", quic.got(name) is not None)
    suite.check("and its id is forgotten", counters(weir).get("connection_ids", 0) <= before.get("connection_ids", 0))


def ended(suite, weir, _quic):
    suite.check("idle connections end and their ids are forgotten",
                wait_for(lambda: counters(weir).get("connection_ids") == 0 and counters(weir).get("flows_proven") == 0, 2 * IDLE_S))


def main():
    suite = Suite("quic")
    with Weir(CONFIG) as weir:
        weir.start()
        weir.client_prefix("10.77.64.0/18")
        quic = Quic(weir)
        suite.check("the node serves QUIC", wait_for(quic.listening, 10))
        for part in (handshakes, negotiation, rebinding, under_flood, ended, banned):
            if len(sys.argv) < 2 or part.__name__ in sys.argv[1:]:
                part(suite, weir, quic)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
