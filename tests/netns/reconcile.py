#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Control stands still (SIGSTOP) while thousands of connections open and close, until the dataplane's event ring is full and drops what
follows. Continued, control asks for a dump of the flows: what opened and what closed unheard is right again, for every source, and
the list of connections is the clients' own, the total the dataplane's. The same holds for a control that was killed; and a peer that
the node names before control has read of its connection is that connection's."""
import ipaddress
import json
import selectors
import signal
import socket
import struct
import sys
import threading
import time

from weir import NODE_V4, TCP_PORT, Suite, Weir, run, wait_for

SOURCES = 40
KEPT, CLOSED, OPENED = 10, 6, 3  # connections of each source: before, of those closed unheard, opened unheard
RING = 16384  # shm/event_ring.h
WORKERS = 4
PATIENCE_S = 20


def config():
    no_limit = {level: {"burst": 0} for level in ("host", "near", "mid", "wide")}
    levels = {level: 0 for level in ("host", "near", "mid", "wide")}
    return {
        "services": [{"name": "tcp", "port": TCP_PORT, "protocol": "tcp", "challenge": "off", "paced_per_s": 100_000_000,
                      "pressure": {"enter_per_s": 100_000_000, "leave_per_s": 0, "half_open": 100_000_000}}],
        "rate": {kind: {"v4": no_limit, "v6": no_limit} for kind in ("proven", "unproven")},
        "limits": {"hard": 0, "concurrency": {"v4": levels, "v6": levels}},
        "flood": {"per_s": 0},
        "timeouts": {"auth": 0, "payload_idle": 0, "straggler": 0, "closing": "1s"},
        "ban": {"auto": "no"},
    }


class Node(threading.Thread):
    """Accepts everything and holds it until the client ends it."""

    def __init__(self, weir):
        super().__init__(daemon=True)
        self.weir, self.held = weir, {}
        self.listener = weir.open_socket("node", socket.AF_INET6)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(("::", TCP_PORT))
        self.listener.listen(1024)
        self.start()

    def run(self):
        selector = selectors.DefaultSelector()
        selector.register(self.listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is self.listener:
                    connection, _address = self.listener.accept()
                    selector.register(connection, selectors.EVENT_READ)
                    continue
                try:
                    ended = not key.fileobj.recv(4096)
                except OSError:
                    ended = True
                if ended:
                    selector.unregister(key.fileobj)
                    key.fileobj.close()


def source(i):
    return f"10.96.{i}.7" if i % 2 else f"fd96:0:{i:x}::7"


def opened(weir, i):
    connection = weir.connect(source(i), patience_s=10)
    connection.sendall(b"x")
    return connection


def reset(connection):
    """Close by RST: nothing stays in TIME_WAIT, at either end or in Weir's table."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def churn(weir, enough):
    """Connections that open, say a word and are reset, from sources of their own, until enough() or ten rings full; how many."""
    counts, stop = [0] * WORKERS, threading.Event()

    def work(worker):
        with weir.namespace("client"):
            while not stop.is_set() and counts[worker] < 10 * RING // WORKERS:
                connection = socket.socket()
                connection.settimeout(10)
                try:
                    connection.bind((f"10.97.{worker}.{counts[worker] % 250 + 1}", 0))
                    connection.connect((NODE_V4, TCP_PORT))
                    connection.sendall(b"x")
                except OSError:
                    pass
                reset(connection)
                counts[worker] += 1
    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(WORKERS)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) and not enough():
        time.sleep(0.5)
    stop.set()
    for thread in threads:
        thread.join()
    return sum(counts)


def dropped(weir):
    """As the dataplane's own counter says: control cannot be asked while it stands still."""
    return int(weir.counter("events_lost"))


class CountingWeir(Weir):
    def counter(self, name):
        return run(f"{self.build}/tests/make_image", "counter", self.shm_dir, name, "live").strip()

    def connections(self):
        """Address and port of every connection that conn.list knows, page by page."""
        listed, after = [], 0
        while after is not None:
            page = self.call("conn.list", n=100, after=after)
            listed += [(connection["ip"], connection["port"]) for connection in page["conns"]]
            after = page["next"]
        return sorted(listed)

    def open_by_source(self):
        counts = []
        for i in range(SOURCES):
            try:
                counts.append(self.call("peer.get", ip=source(i))["n_in"])
            except RuntimeError:
                counts.append(0)
        return counts


def ends(kept):
    return sorted((str(ipaddress.ip_address(source(i))), connection.getsockname()[1])
                  for i, connections in kept.items() for connection in connections)


def agree(suite, weir, sentence, kept, expected, patience_s=PATIENCE_S):
    """Control's count of every source, its list of connections, its total, and the dataplane's."""
    truth = [expected] * SOURCES
    right = wait_for(lambda: weir.open_by_source() == truth, patience_s, 0.2)
    counts = weir.open_by_source()
    suite.check(sentence, right, f"{sum(counts)} connections of {SOURCES} sources, {sum(a != b for a, b in zip(counts, truth))} wrong")
    same = wait_for(lambda: weir.connections() == ends(kept), 10, 0.5)
    listed, there = set(weir.connections()), set(ends(kept))
    suite.check("  the listed connections are the clients', port by port", same,
                f"{len(there - listed)} not listed, {len(listed - there)} not there")
    status = weir.call("governor.status")
    suite.check("  governor.status has as many",
                (status["in"], status["out"], status["pending"]) == (SOURCES * expected, 0, 0), status)
    total = wait_for(lambda: weir.call("status")["counters"].get("flows_proven", 0) == SOURCES * expected, 10, 0.2)
    suite.check("  and so does the dataplane", total, weir.call("status")["counters"].get("flows_proven", 0))


def bound_ahead(suite, weir):
    """The request and the event of the connection wait for a control that stands still; whichever it reads first."""
    for n in range(3):
        name = f"peer{n}"
        weir.send_signal("control", signal.SIGSTOP)
        connection = weir.connect(f"10.98.0.{n + 1}", patience_s=10)
        port = connection.getsockname()[1]
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as node:
            node.connect(weir.socket_path)
            node.sendall((json.dumps({"jsonrpc": "2.0", "id": 1, "method": "peer.bind",
                                      "params": {"id": name, "ip": f"10.98.0.{n + 1}", "port": port}}) + "\n").encode())
            weir.send_signal("control", signal.SIGCONT)
            node.settimeout(10)
            node.recv(65536)

        def found():
            conns = weir.call("conn.list", id=name)["conns"]
            return [conn["port"] for conn in conns] == [port] and weir.call("peer.get", id=name)["n_in"] == 1
        suite.check("a peer that was named at once is its connection's", wait_for(found, 5, 0.1),
                    weir.call("peer.get", id=name)["status"])
        reset(connection)
        suite.check("  and it ends as that peer's",
                    wait_for(lambda: weir.call("peer.get", id=name)["status"] == "disconnected", 5, 0.1))


def dumps(weir):
    return weir.call("status")["dataplane"]["flow_dumps"]


def main():
    suite = Suite("reconcile")
    with CountingWeir(config(), options=["--lcores", "0"]) as weir:
        for prefix in ("10.96.0.0/12", "fd96::/16"):
            weir.client_prefix(prefix)
        weir.start()
        Node(weir)
        kept = {i: [opened(weir, i) for _ in range(KEPT)] for i in range(SOURCES)}
        agree(suite, weir, "control counts the connections of every source from events", kept, KEPT)

        wait_for(lambda: dumps(weir) >= 1, 5)
        dumps_before, began = dumps(weir), time.monotonic()
        weir.send_signal("control", signal.SIGSTOP)
        total = churn(weir, lambda: dropped(weir) > 0)
        lost = dropped(weir)
        suite.check("with control stopped the ring runs full", lost > 0, f"after {total:,} connections")
        for connections in kept.values():
            for connection in connections[:CLOSED]:
                reset(connection)
            del connections[:CLOSED]
        for i in range(SOURCES):
            kept[i] += [opened(weir, i) for _ in range(OPENED)]
        changes = SOURCES * (CLOSED + 2 * OPENED)
        suite.check("and what opened and closed then went unheard", wait_for(lambda: dropped(weir) >= lost + changes, 5),
                    f"{dropped(weir):,} events dropped")
        weir.send_signal("control", signal.SIGCONT)
        agree(suite, weir, "control, continued, knows what opened and what closed", kept, KEPT - CLOSED + OPENED)
        status = weir.call("status")["dataplane"]
        suite.check("by a dump of the flows", status["flow_dumps"] > dumps_before and status["events_dropped"] > 0,
                    f"{status['flow_dumps'] - dumps_before} dumps, {status['events_dropped']:,} events dropped")
        suite.check("at most one a second", status["flow_dumps"] - dumps_before <= time.monotonic() - began + 1)

        for connections in kept.values():
            reset(connections.pop())
        agree(suite, weir, "events count again afterwards", kept, KEPT - CLOSED + OPENED - 1)

        bound_ahead(suite, weir)
        weir.end("control", signal.SIGKILL)
        for i, connections in kept.items():
            reset(connections.pop())
            connections += [opened(weir, i) for _ in range(2)]
        weir.start_control()
        weir.wait_governing()
        agree(suite, weir, "a control that was killed knows what its successor must", kept, KEPT - CLOSED + OPENED)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
