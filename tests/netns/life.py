#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Connections between two kernels that only hold their place: who says nothing is cut at both ends, direct or through the SYN proxy,
keep-alives or not; who speaks, and the allow list, are left alone; who acknowledges nothing is cut sooner. And --offload-bans
on ports without rte_flow: one sentence, and a ban is a ban."""
import socket
import sys
import time

from weir import CLIENT_V4, NODE_V4, TCP_PORT, EchoServer, Suite, Weir, wait_for

PROXIED_PORT = TCP_PORT + 1
IDLE_S, STRAGGLER_S = 10, 5
LATE_S = 3 + 1 + 1  # two units of 2 s, one of them begun, behind an odd limit; a walk of 0.4 s; this machine
CONFIG = {
    "services": [{"name": "direct", "port": TCP_PORT, "protocol": "tcp", "challenge": "off"},
                 {"name": "proxied", "port": PROXIED_PORT, "protocol": "tcp", "challenge": "always"}],
    "timeouts": {"payload_idle": f"{IDLE_S}s", "straggler": f"{STRAGGLER_S}s", "auth": 0},
}


def speak(connection):
    connection.sendall(b"still here")
    if connection.recv(100) != b"still here":
        raise OSError("no echo")


def is_reset(connection):
    """Whether the kernel of this end has had a RST."""
    connection.setblocking(False)
    try:
        return connection.recv(1) == b"" and False
    except BlockingIOError:
        return False
    except OSError:
        return True


def opened(weir, source, port):
    connection = weir.connect(source, port)
    speak(connection)
    return connection


def counters(weir):
    return weir.call("status")["counters"]


def idle(weir, suite):
    servers = [EchoServer(weir, port) for port in (TCP_PORT, PROXIED_PORT)]
    weir.client_prefix("10.77.1.0/24")
    weir.weirctl("allow", "add", "10.77.1.9")
    silent = {"direct": opened(weir, CLIENT_V4, TCP_PORT), "proxied": opened(weir, CLIENT_V4, PROXIED_PORT),
              "with keep-alives": weir.connect("10.77.1.3")}
    kept = silent["with keep-alives"]
    for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1), (socket.TCP_KEEPCNT, 100)):
        kept.setsockopt(socket.IPPROTO_TCP, option, value)
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    speak(kept)
    began = time.monotonic()
    allowed = opened(weir, "10.77.1.9", TCP_PORT)
    speaking = [opened(weir, "10.77.1.4", port) for port in (TCP_PORT, PROXIED_PORT)]
    while time.monotonic() - began < IDLE_S - 1:
        time.sleep(0.5)
        for connection in speaking:
            speak(connection)
    suite.check("before the limit nobody is cut", not any(is_reset(connection) for connection in silent.values()))
    ended = {}
    while time.monotonic() - began < IDLE_S + LATE_S:
        time.sleep(0.2)
        for connection in speaking:
            speak(connection)
        for name, connection in silent.items():
            if name not in ended and is_reset(connection):
                ended[name] = time.monotonic() - began
    for name in silent:
        suite.check(f"a silent connection is cut at the client: {name}", name in ended,
                    f"after {ended.get(name, 0):.1f} s, limit {IDLE_S} s")
    suite.check("and at the node", wait_for(lambda: sum(server.resets for server in servers) == len(silent), 3),
                f"{[server.resets for server in servers]} resets")
    suite.check("they are counted", counters(weir).get("flows_idle", 0) == len(silent))
    suite.check("and nothing else is", counters(weir).get("flows_cut", 0) == 0 and counters(weir).get("flows_straggling", 0) == 0)
    for connection, name in ((speaking[0], "who speaks"), (speaking[1], "who speaks through the proxy"), (allowed, "the allow list")):
        connection.setblocking(True)
        connection.settimeout(5)
        try:
            speak(connection)
            goes_on = True
        except OSError:
            goes_on = False
        suite.check(f"{name}: the connection goes on", goes_on)
        connection.close()
    return servers


def straggle(weir, suite, servers):
    """The client's acknowledgements end in its own routing table."""
    for name, port in (("direct", TCP_PORT), ("proxied", PROXIED_PORT)):
        before, resets = counters(weir).get("flows_straggling", 0), sum(server.resets for server in servers)
        connection = opened(weir, CLIENT_V4, port)
        connection.sendall(b"the answer to this is never acknowledged")
        weir.inside("client", "ip", "route", "add", "blackhole", f"{NODE_V4}/32")
        began = time.monotonic()
        try:
            cut = wait_for(lambda: counters(weir).get("flows_straggling", 0) > before, STRAGGLER_S + LATE_S, 0.1)
            took = time.monotonic() - began
            suite.check(f"a client that acknowledges nothing is cut: {name}", cut and took >= STRAGGLER_S - 0.5,
                        f"after {took:.1f} s, limit {STRAGGLER_S} s")
            suite.check("the node hears of it", wait_for(lambda: sum(server.resets for server in servers) > resets, 3))
        finally:
            weir.inside("client", "ip", "route", "del", "blackhole", f"{NODE_V4}/32")
        connection.close()


def offload(weir, suite):
    words = weir.words("dataplane")
    suite.check("a port without rules is named once at the start",
                words.count("does not support dropping by rte_flow") == 1 and "bans hold in software as before" in words)
    weir.weirctl("ban", "add", "10.77.1.7")
    suite.check("and a ban holds in software", not weir.connects("10.77.1.7", patience_s=2))
    weir.weirctl("ban", "del", "10.77.1.7")
    suite.check("until it is lifted", wait_for(lambda: weir.connects("10.77.1.7", patience_s=2), 5))
    status = weir.call("status")["dataplane"]
    suite.check("its numbers are zero", all(status[key] == 0 for key in ("offload_bans", "offload_installed", "offload_refused")))


def main():
    suite = Suite("life")
    with Weir(CONFIG, options=["--offload-bans", "16"]) as weir:
        weir.start()
        servers = idle(weir, suite)
        straggle(weir, suite, servers)
        offload(weir, suite)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
