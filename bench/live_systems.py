# SPDX-License-Identifier: BSD-3-Clause
"""What stands between strangers and the node in live.py: Weir, or what people use instead, each with its configuration of bench/rivals.

Rivals run where their users run them: in the node's own kernel, behind a plain bridge. A rival that this machine cannot run is
skipped with the reason, never silently. `blocked` is each system's own count of what it kept out: a rival that blocks nothing in a
botnet was not running, and the comparison would be worth nothing.
"""
import json
import os
import re
import shutil
import socket
import time

import weir as weir_module
from network import NODE_V4, NODE_V6, PORT
from session import run

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RIVALS = os.path.join(ROOT, "bench", "rivals")
HAPROXY_NODE_PORT = 30304


class Unable(Exception):
    """Why this machine cannot run a system, in one sentence."""


def wait_for(session, name, words, patience_s=10):
    deadline = time.monotonic() + patience_s
    while words not in session.read(name + ".err"):
        if time.monotonic() > deadline or not session.alive(name):
            raise RuntimeError(f"{name} does not start: {session.read(name + '.err')[-300:].strip()}")
        time.sleep(0.02)


class System:
    """One of them in one session. start() before the first packet; blocked() may be asked while it runs; stop() at the end."""

    programs = ()
    blocks_bots = True
    node_words = ("--listen", NODE_V4, "--listen", NODE_V6)

    def __init__(self, session, tools):
        self.session, self.tools = session, tools

    def _node(self, *command):
        return run(*self.session.inside("node", *command))

    def _bridge(self):
        inside = lambda *words: run(*self.session.inside("weir", *words))  # noqa: E731
        inside("ip", "link", "add", "br0", "type", "bridge", "stp_state", "0", "mcast_snooping", "0")
        for link in ("out0", "in0"):
            inside("ip", "link", "set", link, "master", "br0")
        inside("ip", "link", "set", "br0", "up")

    def check(self):
        missing = [name for name in self.programs if shutil.which(name) is None]
        if missing:
            raise Unable(f"{', '.join(missing)} is not installed")

    def start(self):
        self._bridge()
        try:
            self.install()
        except (RuntimeError, OSError) as error:
            raise Unable(" / ".join(str(error).splitlines())) from None

    def install(self):
        """The rival's own part; what it says when it fails becomes the reason of the skip."""

    def blocked(self):
        """Packets, connections or sources that it has kept out so far, in its own unit."""
        return 0

    def banned(self):
        """Addresses of clients (texts) or networks that are banned: [ipaddress networks]."""
        return []

    def stop(self):
        pass


class Weir(System):
    challenge = "auto"

    def __init__(self, session, tools):
        super().__init__(session, tools)
        with open(os.path.join(ROOT, "shm", "reasons.def"), encoding="utf-8") as file:
            self._refusals = re.findall(r"^REASON\(\w+, +(\w+), +(?:REFUSE|PACE|DROP),", file.read(), re.M)

    def start(self):
        self.weir = weir_module.Weir(self.session, self.tools, "0", challenge=self.challenge)
        self.weir.start()

    def blocked(self):
        reasons = self.weir.call("status")["reasons"]
        return sum(reasons.get(name, 0) for name in self._refusals)

    def banned(self):
        return self.weir.bans()

    def stop(self):
        self.weir.stop()


class WeirAlways(Weir):
    challenge = "always"


class SynCookies(System):
    """Nothing but the kernel, which answers SYNs with cookies when the listener's queue is full."""
    blocks_bots = False


class Meters(System):
    programs = ("nft",)

    def install(self):
        self._node("nft", "-f", os.path.join(RIVALS, "meters.nft"))

    def blocked(self):
        listing = json.loads(self._node("nft", "-j", "list", "counters", "table", "inet", "rival"))
        return sum(item["counter"]["packets"] for item in listing["nftables"] if "counter" in item)


class Hashlimit(System):
    programs = ("iptables", "ip6tables")

    def install(self):
        self._node(os.path.join(RIVALS, "hashlimit.sh"))

    def _dropped(self, chain_words, target):
        total = 0
        for tables in self.programs:
            for line in self._node(tables, *chain_words, "-v", "-x", "-n").splitlines():
                words = line.split()
                if len(words) > 2 and words[2] == target:
                    total += int(words[0])
        return total

    def blocked(self):
        return self._dropped(("-t", "raw", "-L", "PREROUTING"), "DROP")


class Synproxy(Hashlimit):
    def install(self):
        self._node(os.path.join(RIVALS, "synproxy.sh"))

    def blocked(self):
        return self._dropped(("-L", "INPUT"), "REJECT")


class Haproxy(System):
    programs = ("haproxy",)
    # it takes the service's port, the node stands behind it
    node_words = ("--listen", "127.0.0.1", "--port", str(HAPROXY_NODE_PORT))

    def install(self):
        self.session.start("haproxy", "node", "env", f"WEIR_BENCH_DIRECTORY={self.session.directory}", "haproxy", "-db", "-f",
                           os.path.join(RIVALS, "haproxy.cfg"))
        deadline = time.monotonic() + 5
        while not os.path.exists(self.session.path("haproxy.sock")):
            if time.monotonic() > deadline or not self.session.alive("haproxy"):
                raise RuntimeError("haproxy does not start: " + " / ".join(
                    line for line in self.session.read("haproxy.err").splitlines() if "ALERT" in line))
            time.sleep(0.02)

    def blocked(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(5)
            connection.connect(self.session.path("haproxy.sock"))
            connection.sendall(b"show stat\n")
            text = b""
            while more := connection.recv(1 << 16):
                text += more
        header, *lines = text.decode().lstrip("# ").strip().splitlines()
        column = header.split(",").index("dcon")  # connections that "tcp-request connection" rules denied
        return sum(int(line.split(",")[column] or 0) for line in lines if line.startswith("service,FRONTEND,"))

    def stop(self):
        self.session.end("haproxy")


class XdpFilter(System):
    programs = ("xdp-filter", "ss")
    complaints = "complaints"

    @property
    def node_words(self):
        return (*System.node_words, "--complaints", self.session.path(self.complaints))

    def install(self):
        self.session.start("xdp_filter", "node", os.path.join(RIVALS, "xdp_filter.py"), "n0", self.session.path(self.complaints), str(PORT))
        wait_for(self.session, "xdp_filter", "loaded")

    def blocked(self):
        return len(self.session.read("xdp_filter.err").splitlines()) - 1  # one line a ban, after the first

    def banned(self):
        return [{"network": weir_module.ipaddress.ip_network(line.split()[-1])}
                for line in self.session.read("xdp_filter.err").splitlines()[1:] if " banned " in line]

    def stop(self):
        if self.session.end("xdp_filter") != 0:
            raise RuntimeError("xdp_filter.py failed: " + self.session.read("xdp_filter.err")[-300:])


SYSTEMS = {"weir-auto": Weir, "weir-always": WeirAlways, "syn-cookies": SynCookies, "meters": Meters, "hashlimit": Hashlimit,
           "synproxy": Synproxy, "haproxy": Haproxy, "xdp-filter": XdpFilter}
DEFAULT = ("weir-auto", "syn-cookies", "meters", "hashlimit", "synproxy", "haproxy", "xdp-filter")


def is_ours(name):
    return name.startswith("weir")
