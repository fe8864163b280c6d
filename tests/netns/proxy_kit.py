# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of the SYN proxy share: a Weir that challenges every newcomer and limits nobody, sources that it has never seen, the
node's end, and rules that lose chosen packets in a kernel."""
import collections
import contextlib
import os
import re
import socket
import sys
import time

import transfer
from weir import CLIENT_V4, CLIENT_V6, NODE_V4, NODE_V6, TCP_PORT, Weir, wait_for

FIRST_PORT, PLAIN_PORT, CLOSED_PORT, SILENT_PORT, SPARE_PORT, WEB_PORT = range(TCP_PORT + 1, TCP_PORT + 7)
HALF_OPEN_S = 6
FAMILIES = (4, 6)
NODE = {4: NODE_V4, 6: NODE_V6}
KIND = {4: socket.AF_INET, 6: socket.AF_INET6}
SYSCTLS = ("tcp_timestamps", "tcp_sack", "tcp_window_scaling", "tcp_ecn")


def config():
    """Every newcomer is challenged, on every service but one; no limit of rate or number is in the way."""
    no_limit = {level: {"burst": 0} for level in ("host", "near", "mid", "wide")}
    no_pressure = {"enter_per_s": 100_000_000, "leave_per_s": 0, "half_open": 100_000_000}
    levels = {level: 0 for level in ("host", "near", "mid", "wide")}

    def service(name, port, challenge="always", **more):
        return {"name": name, "port": port, "protocol": "tcp", "challenge": challenge, "pressure": no_pressure, **more}
    return {
        "services": [service("tcp", TCP_PORT), service("first", FIRST_PORT, server_first=True),
                     service("plain", PLAIN_PORT, "off"), service("closed", CLOSED_PORT), service("silent", SILENT_PORT),
                     service("spare", SPARE_PORT), service("web", WEB_PORT)],
        "rate": {kind: {"v4": no_limit, "v6": no_limit} for kind in ("proven", "unproven")},
        "limits": {"hard": 0, "concurrency": {"v4": levels, "v6": levels}},
        "timeouts": {"half_open": f"{HALF_OPEN_S}s", "auth": 0, "payload_idle": 0, "straggler": 0},
    }


class ProxyWeir(Weir):
    """Weir with the node's end of transfer.py."""

    def __init__(self, **options):
        super().__init__(config(), **options)
        self.sources = 0

    def __enter__(self):
        super().__enter__()
        for prefix in ("10.96.0.0/12", "fd96::/16"):
            self.client_prefix(prefix)
        return self

    def begin(self):
        """Both processes and the node's."""
        self.start()
        self.serve()

    def serve(self):
        self.spawn("server", "node", sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "transfer.py"), "serve",
                   str(TCP_PORT), f"{FIRST_PORT}:first", str(PLAIN_PORT))
        if not wait_for(lambda: "serving" in self.words("server"), 10):
            raise RuntimeError(f"the node does not serve: {self.words('server')}")

    def complaints(self):
        """What a sanitizer says of the dataplane, where it was built with one."""
        return "\n".join(line for line in self.words("dataplane").splitlines() if "runtime error" in line or "Sanitizer" in line)

    def source(self, family):
        """An address that Weir has never seen, in a prefix of its own: proven sources are challenged no more."""
        self.sources += 1
        high, low = divmod(self.sources, 256)
        return f"10.{96 + high}.{low}.7" if family == 4 else f"fd96:{high:x}:{low:x}::7"

    def dial(self, family, port=TCP_PORT, patience_s=20, source=None, prepare=None, part="client"):
        """A connection from a fresh source; prepare(socket) before it connects."""
        connection = self.open_socket(part, KIND[family])
        try:
            connection.settimeout(patience_s)
            if prepare:
                prepare(connection)
            connection.bind((source or self.source(family), 0))
            connection.connect((NODE[family], port))
        except BaseException:
            connection.close()
            raise
        return connection

    def listen(self, port=SPARE_PORT):
        """A listening socket of the node's in this process, so that a test holds both ends."""
        listener = self.open_socket("node", socket.AF_INET6)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("::", port))
        listener.listen(128)
        listener.settimeout(10)
        return listener

    def node_route(self, family, mss):
        """The node announces this MSS to everybody."""
        via = {4: CLIENT_V4, 6: CLIENT_V6}[family]
        self.inside("node", "ip", f"-{family}", "route", "replace", "default", "via", via, "dev", "n0", "advmss", str(mss))

    @contextlib.contextmanager
    def both_ends(self, family, **options):
        """(client, node): the two ends of a fresh proxied connection."""
        with self.listen() as listener, self.dial(family, SPARE_PORT, **options) as client:
            node, _address = listener.accept()
            with node:
                node.settimeout(20)
                yield client, node

    def counts(self):
        """Reasons and counters; what is absent is 0."""
        status = self.call("status")
        return collections.Counter({**status["reasons"], **status["counters"]})

    def sysctl(self, part, **values):
        with self.namespace(part):
            for name, value in values.items():
                with open(f"/proc/sys/net/ipv4/{name}", "w", encoding="ascii") as file:
                    file.write(str(value))

    def kernel_counts(self, part):
        """TcpExt of /proc/net/netstat."""
        lines = [line.split() for line in self.inside(part, "cat", "/proc/net/netstat").splitlines() if line.startswith("TcpExt:")]
        return collections.Counter(dict(zip(lines[0][1:], map(int, lines[1][1:]))))

    @contextlib.contextmanager
    def losing(self, part, hook, *rules):
        """nft rules in a namespace; yields a function that says how many packets their counters have seen."""
        script = f"table inet lossy {{ chain c {{ type filter hook {hook} priority 0; {'; '.join(rules)}; }}; }}"
        self.inside(part, "nft", script)
        try:
            yield lambda: sum(map(int, re.findall(r"counter packets (\d+)", self.inside(part, "nft", "list", "table", "inet", "lossy"))))
        finally:
            self.inside(part, "nft", "delete", "table", "inet", "lossy")


def flags_are(word):
    """nft's words for a segment with exactly these flags of SYN, ACK, FIN and RST, and without PSH."""
    return f"tcp flags & (syn | ack | fin | rst | psh) == {word}"


def first_lost(match, family, count=1):
    """An nft rule that drops the first packets that match, which must be without payload and, if several, without options: a quota that one
    more exceeds."""
    bare = {4: 40, 6: 60}[family]
    largest = bare + (20 if count == 1 else 0)
    return f"meta nfproto ipv{family} {match} quota until {count * largest + 1} bytes counter drop"


def delta(after, before, name):
    return after[name] - before[name]


def echoes(weir, family, bytes_each=200_000, port=TCP_PORT, patience_s=20, **options):
    """None, or why a fresh connection does not carry so many bytes both ways."""
    try:
        with weir.dial(family, port, patience_s, **options) as connection:
            if port == FIRST_PORT:
                greeting = connection.recv(len(transfer.GREETING), socket.MSG_WAITALL)
                if greeting != transfer.GREETING:
                    return f"greeted with {greeting}"
            transfer.exchange(connection, bytes_each, bytes_each)
        return None
    except OSError as error:
        return str(error) or type(error).__name__


def seconds(action):
    began = time.monotonic()
    action()
    return time.monotonic() - began
