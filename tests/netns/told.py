#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What control is told of proxied connections between two kernels, and what it makes of it: round trips, bytes and who closed; a node that
refuses is nobody's fault; who idles without a word pays, who idled after one does not; control closes one connection of a source, at both
ends, and no other; of a peer that the node names and reports every method says the same; a flood puts the lcore
into flood mode and out of it, counted and timed."""
import json
import re
import socket
import subprocess
import sys

from weir import NODE_V4, NODE_V6, TCP_PORT, EchoServer, Suite, Weir, wait_for

CLOSED_PORT = TCP_PORT + 1
IDLE_S = 4
FLOOD_PER_S, FLOOD_PPS, FLOOD_PACKETS = 500, 5000, 15000
NO_PRESSURE = {"enter_per_s": 100_000_000, "leave_per_s": 0, "half_open": 100_000_000}
CONFIG = {
    "services": [{"name": name, "port": port, "protocol": "tcp", "challenge": "always", "pressure": NO_PRESSURE}
                 for name, port in (("echo", TCP_PORT), ("closed", CLOSED_PORT))],
    "timeouts": {"auth": 0, "payload_idle": f"{IDLE_S}s", "closing": "1s"},
    "flood": {"per_s": FLOOD_PER_S},
    "throttle": {"s": "1s"},
}
NAMES = ["peer.connected", "peer.disconnected", "conn.failed", "governor.disconnect", "flood.enter", "flood.leave"]


class Told(Weir):
    """Weir with a subscriber to its events."""

    def listen(self):
        self.subscriber = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.subscriber.connect(self.socket_path)
        self.subscriber.sendall((json.dumps({"jsonrpc": "2.0", "id": 1, "method": "events.subscribe",
                                             "params": {"names": NAMES}}) + "\n").encode())
        self.pieces, self.events = b"", []
        self.subscriber.settimeout(10)
        while b"\n" not in self.pieces:  # what happens before the answer is told to nobody
            self.pieces += self.subscriber.recv(1 << 16)

    def event(self, name, patience_s=10, **fields):
        """The first event with these fields, None when none comes."""
        def found():
            self.subscriber.setblocking(False)
            try:
                self.pieces += self.subscriber.recv(1 << 20)
            except BlockingIOError:
                pass
            *lines, self.pieces = self.pieces.split(b"\n")
            self.events += [message["params"] for message in map(json.loads, lines) if message.get("method") == "event"]
            return next((event for event in self.events
                         if event["event"] == name and all(event.get(key) == value for key, value in fields.items())), None)
        return wait_for(found, patience_s, 0.05)

    def peer(self, ip):
        """What control knows of a source: nothing at all until its first event."""
        try:
            return self.call("peer.get", ip=ip)
        except RuntimeError:
            return {"n_in": 0, "rtt_ms": None, "score": {"app": None}, "counters": {"fail": None}}


def speak(connection, text=b"hello"):
    connection.sendall(text)
    return connection.recv(1000) == text


def is_reset(connection):
    connection.settimeout(5)
    try:
        return connection.recv(1) is None
    except ConnectionResetError:
        return True
    except OSError:
        return False


def conversations(weir, suite):
    for family, source in ((4, "10.77.4.1"), (6, "fd77:0:0:4::1")):
        connection = weir.connect(source)
        port = connection.getsockname()[1]
        suite.check(f"IPv{family}: a connection through the proxy is told", speak(connection, b"x" * 900) and
                    weir.event("peer.connected", ip=source, port=port, direction="in"))
        connection.close()
        end = weir.event("peer.disconnected", ip=source, port=port)
        suite.check("  its end with who closed it and how", end and (end.get("by"), end.get("how")) == ("client", "fin"), end)
        suite.check("  and its bytes, in units of 256", end and 768 <= end["bytes_in"] <= 2048 and 768 <= end["bytes_out"] <= 2048, end)
        peer = weir.peer(source)
        suite.check("  and its round trip", peer["rtt_ms"] is not None and 0 < peer["rtt_ms"] < 500, peer["rtt_ms"])


def down(weir, suite):
    source = "10.77.4.2"
    for _ in range(5):
        connection = weir.open_socket("client")
        connection.settimeout(5)
        connection.bind((source, 0))
        try:
            connection.connect((NODE_V4, CLOSED_PORT))
        except OSError:
            pass
        is_reset(connection)
        connection.close()
    told = weir.event("conn.failed", ip=source, direction="in", how="backend_refused", by="node")
    suite.check("a node that refuses is told as that", told, told)
    peer = weir.peer(source)
    suite.check("  and nobody pays for it", peer["score"]["app"] == 0 and peer["counters"]["fail"] == 0 and peer["n_in"] == 0,
                f"score {peer['score']['app']}, {peer['counters']}")


def idlers(weir, suite):
    silent, spoken = weir.connect("10.77.4.3"), weir.connect("10.77.4.4")
    speak(spoken)
    for connection, source in ((silent, "10.77.4.3"), (spoken, "10.77.4.4")):
        end = weir.event("peer.disconnected", IDLE_S + 6, ip=source)
        suite.check(f"who idles is cut: {source}", end and (end["by"], end["how"]) == ("weir", "idle") and is_reset(connection), end)
        connection.close()
    scores = [weir.peer(source)["score"]["app"] for source in ("10.77.4.3", "10.77.4.4")]
    suite.check("who never spoke pays a Mid, who did nothing", -5.01 < scores[0] < -4.9 and scores[1] == 0, scores)
    suite.check("and neither must wait before the next try", weir.connects("10.77.4.3") and weir.connects("10.77.4.4"))


def evictions(weir, suite, server):
    source = "10.77.4.5"
    one, other = weir.connect(source), weir.connect(source)
    both = speak(one) and speak(other)
    resets, port = server.resets, one.getsockname()[1]
    wait_for(lambda: weir.peer(source)["n_in"] == 2, 5)
    answer = weir.call("peer.disconnect", ip=source, port=port, reason="weakest")
    suite.check("control closes one connection of a source", both and answer["closed"] == 1 and
                weir.event("governor.disconnect", ip=source, port=port, reason="weakest"), answer)
    suite.check("  the client has its RST", is_reset(one))
    suite.check("  and the node", wait_for(lambda: server.resets > resets, 5))
    suite.check("  it is told as Weir's doing", weir.event("peer.disconnected", ip=source, port=port, by="weir", how="rst"))
    suite.check("  and costs nothing but a wait", weir.peer(source)["score"]["app"] == 0)
    suite.check("  the other connection goes on", speak(other))
    busy = 0
    for _ in range(60):
        try:
            weir.call("peer.disconnect", ip="10.77.4.99")
        except RuntimeError as error:
            busy += "try again in a second" in str(error)
    suite.check("so many a second and no more", busy > 0, f"{busy} of 60 were refused")
    other.close()


def agreement(weir, suite, server):
    """A peer that the node names and then reports: every answer says the same of it, and it is closed once."""
    source = "10.77.4.6"
    connection = weir.connect(source)
    spoke, port, resets = speak(connection), connection.getsockname()[1], server.resets
    wait_for(lambda: weir.peer(source)["n_in"] == 1, 5)
    accepted = weir.call("peer.bind", id="liar", ip=source, port=port, agent="teku/1/linux")["accepted"]
    told = [conn["id"] for conn in weir.call("conn.list", ip=source)["conns"]]
    suite.check("a connection is its peer's once the node has named it", spoke and accepted and told == ["liar"], told)
    report = weir.call("peer.report", id="liar", action="fatal", reason="lies")
    suite.check("a fatal report bans it", report["state"] == "banned" and report["ban"] is not None, report)
    suite.check("  the client has its RST, and the node", is_reset(connection) and wait_for(lambda: server.resets > resets, 5))
    suite.check("  conn.list has it no more", wait_for(lambda: weir.call("conn.list", id="liar")["conns"] == [], 5))
    peer, why = weir.call("peer.get", id="liar"), weir.call("why", ip=source, id="liar")
    suite.check("  peer.get and why agree", (peer["status"], peer["n_in"], peer["score"]["state"], why["verdict"], why["until"]) ==
                ("banned", 0, "banned", "refuse", peer["bans"][0]["until"]), (peer["status"], peer["bans"], why["rule"]))
    bans = weir.call("governor.status")["bans"]
    suite.check("  governor.status counts one ban, status as many",
                (bans["all"], bans[f"t{peer['bans'][0]['tier']}"], weir.call("status")["bans"]["all"]) == (1, 1, 1), bans)
    weir.event("peer.disconnected", ip=source, port=port)
    weir.event("peer.disconnected", 2, port=0)  # never comes: a second one of this port would
    ends = [event for event in weir.events if event["event"] == "peer.disconnected" and event.get("port") == port]
    suite.check("  and its end was told once", len(ends) == 1, ends)
    weir.call("ban.remove", id="liar")
    connection.close()


def flood(weir, suite):
    path = f"{weir.state_dir}/spoofed"
    with open(path, "w", encoding="ascii") as file:
        file.writelines(f"198.51.{i // 250}.{i % 250 + 1}\n" for i in range(2000))
    weir.inside("client", f"{weir.build}/tests/packet_send", "--interface", "c0", "--mac", weir.mac("node", "n0"), "--own-mac",
                weir.mac("client", "c0"), "--v4", NODE_V4, "--v6", NODE_V6, "--port", str(TCP_PORT), "--kind", "syn", "--sources", path,
                "--count", str(FLOOD_PACKETS), "--rate", str(FLOOD_PPS), "--source-ports", "1024-65535")
    enter = weir.event("flood.enter", scope="lcore")
    suite.check("a flood puts the lcore into flood mode", enter and enter["rate_pps"] >= FLOOD_PER_S, enter)
    leave = weir.event("flood.leave", 30, scope="lcore")
    suite.check("  and its end out of it", leave and leave["seconds"] >= 1, leave)
    status = weir.call("governor.status")["flood"]
    suite.check("  counted and timed", status["floods"] >= 1 and status["lcores"] == 0 and status["flood_s"] >= 1, status)
    text = subprocess.run([weir.tools["weirctl"], "--socket", weir.socket_path, "status"], capture_output=True, text=True, check=True).stdout
    lines = ("lcores in flood mode", "challenges sent", "connections proxied", "cut as idle")
    suite.check("weirctl status says all of it", all(re.search(rf"^{line} .*\d", text, re.M) for line in lines),
                [line for line in text.splitlines() if line.strip().startswith(lines)])


def main():
    suite = Suite("told")
    with Told(CONFIG) as weir:
        for prefix in ("10.77.4.0/24", "fd77:0:0:4::/64"):
            weir.client_prefix(prefix)
        weir.start()
        server = EchoServer(weir)
        weir.listen()
        conversations(weir, suite)
        down(weir, suite)
        idlers(weir, suite)
        evictions(weir, suite, server)
        agreement(weir, suite, server)
        flood(weir, suite)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
