#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Real nodes: monerod (TCP) and dhtnode (UDP) behind Weir become peers of others outside, over IPv4 and IPv6, while Weir
enforces. Data crosses both ways, a ban cuts a peer and no other, and it comes back when the ban is lifted."""
import json
import subprocess
import sys
import time

from weir import CLIENT_V4, CLIENT_V6, NODE_V4, NODE_V6, TCP_PORT, UDP_PORT, Suite, Weir, wait_for

# The wallet to which the first coins of a regression-test chain go: monerod's own functional tests use it.
WALLET = "42ey1afDFnn4886T7196doS9GPMzexD9gXpsZJDwVjeRVdFCSoHnv7KPbBeGpzJBzHRCAs9UxqeoyFQMYbqSWYTfJJQAWDm"
RPC_PORT = {"m-node": 18081, "m-v4": 18082, "m-v6": 18083}
PATIENCE_S = 40


class Monero:
    """monerod in a namespace, alone on a chain of its own (nothing here could reach another)."""

    def __init__(self, weir, name, part, *arguments):
        self.weir, self.name, self.part = weir, name, part
        weir.spawn(name, part, "monerod", "--regtest", "--fixed-difficulty", "1", "--no-igd", "--no-zmq", "--non-interactive",
                   "--allow-local-ip", "--disable-dns-checkpoints", "--check-updates", "disabled", "--data-dir",
                   f"{weir.state_dir}/{name}", "--log-file", f"{weir.state_dir}/{name}.daemon.log", "--rpc-bind-port",
                   str(RPC_PORT[name]), "--rpc-ssl", "disabled", "--p2p-use-ipv6", "--max-concurrency", "1", *arguments)

    def call(self, method, **params):
        body = json.dumps({"jsonrpc": "2.0", "id": "0", "method": method, "params": params}).encode()
        answer = b""
        with self.weir.open_socket(self.part) as connection:
            connection.settimeout(15)
            connection.connect(("127.0.0.1", RPC_PORT[self.name]))
            connection.sendall(b"POST /json_rpc HTTP/1.1\r\nHost: node\r\nContent-Type: application/json\r\nContent-Length: "
                               + str(len(body)).encode() + b"\r\n\r\n" + body)
            while True:
                head, blank, rest = answer.partition(b"\r\n\r\n")
                if blank and len(rest) >= int(head.lower().split(b"content-length:")[1].split()[0]):
                    return json.loads(rest)["result"]
                more = connection.recv(65536)
                if not more:
                    raise OSError("monerod closed the connection")
                answer += more

    def height(self):
        try:
            return self.call("get_info")["height"]
        except (OSError, ValueError, KeyError):
            return 0

    def peers(self):
        """Hosts with which a handshake of monerod's own protocol is complete."""
        try:
            connections = self.call("get_connections").get("connections", [])
        except (OSError, ValueError, KeyError):
            return set()
        return {connection["host"].strip("[]") for connection in connections if connection["state"] == "normal"}


class Dht:
    """dhtnode with its prompt on a pipe."""

    def __init__(self, weir, name, part, *arguments):
        self.weir, self.name = weir, name
        self.process = weir.spawn(name, part, "dhtnode", *arguments, stdin=subprocess.PIPE)

    def say(self, line):
        """Type a line; returns where its answer begins."""
        mark = len(self.weir.words(self.name))
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        return mark

    def says(self, line, *words, patience_s=PATIENCE_S):
        """Type a line and wait for one of the words: the one that came, or None."""
        mark = self.say(line)
        return wait_for(lambda: next((word for word in words if word in self.weir.words(self.name)[mark:]), None), patience_s, 0.05)

    def good(self, family):
        """Nodes of the family that have answered: what bootstrapping means to dhtnode."""
        mark = self.say("ll")
        wait_for(lambda: "IPv6 stats" in self.weir.words(self.name)[mark:] and "cached" in
                 self.weir.words(self.name)[mark:].partition("IPv6 stats")[2], 5, 0.05)
        text = self.weir.words(self.name)[mark:].partition(f"IPv{family} stats:")[2]
        try:
            return int(text.partition("Known nodes:")[2].split()[0])
        except (IndexError, ValueError):
            return 0


def monero(suite, weir):
    node = Monero(weir, "m-node", "node", "--p2p-bind-port", str(TCP_PORT), "--p2p-bind-port-ipv6", str(TCP_PORT))
    bind = ("--p2p-bind-ip", CLIENT_V4, "--p2p-bind-ipv6-address", CLIENT_V6)
    outside = {
        4: Monero(weir, "m-v4", "client", *bind, "--p2p-bind-port", "30304", "--p2p-bind-port-ipv6", "30304",
                  "--add-exclusive-node", f"{NODE_V4}:{TCP_PORT}"),
        6: Monero(weir, "m-v6", "client", *bind, "--p2p-bind-port", "30305", "--p2p-bind-port-ipv6", "30305",
                  "--add-exclusive-node", f"[{NODE_V6}]:{TCP_PORT}")}
    address = {4: CLIENT_V4, 6: CLIENT_V6}

    def at_height(family, height, patience_s=PATIENCE_S):
        return wait_for(lambda: outside[family].height() >= height, patience_s, 0.2)

    for family in (4, 6):
        suite.check(f"monerod outside becomes a peer of monerod behind Weir over IPv{family}",
                    wait_for(lambda: address[family] in node.peers(), PATIENCE_S, 0.2))
    node.call("generateblocks", amount_of_blocks=40, wallet_address=WALLET)
    for family in (4, 6):
        suite.check(f"blocks mined by the node reach the peer over IPv{family}", at_height(family, 41))
    outside[4].call("generateblocks", amount_of_blocks=10, wallet_address=WALLET)
    suite.check("blocks mined by the peer outside reach the node", wait_for(lambda: node.height() >= 51, PATIENCE_S, 0.2))
    at_height(6, 51)

    for family, other in ((4, 6), (6, 4)):
        weir.weirctl("ban", "add", address[family], "--for", "1h", "--reason", "test")
        gone = wait_for(lambda: address[family] not in node.peers(), 10, 0.1)
        suite.check(f"a ban of the IPv{family} peer cuts it at the node", gone)
        height = node.height()
        node.call("generateblocks", amount_of_blocks=5, wallet_address=WALLET)
        suite.check(f"the IPv{other} peer is not touched and gets new blocks", at_height(other, height + 5))
        suite.check(f"the banned IPv{family} peer gets none", outside[family].height() == height)
        weir.weirctl("ban", "del", address[family])
        suite.check(f"after the ban the IPv{family} peer comes back and catches up", at_height(family, height + 5, 60)
                    and address[family] in node.peers())


def dht_family(suite, weir, node, family):
    """One dhtnode outside at a time, so that nobody but the node can hold what it puts."""
    target = {4: f"{NODE_V4}:{UDP_PORT}", 6: f"[{NODE_V6}]:{UDP_PORT}"}[family]
    name = f"d-v{family}"
    outside = Dht(weir, name, "client", "-p", f"3040{family}", "-b", target)

    def put(key):
        return outside.says(f"p {key} {key}-word", "Put: success", "Put: failure", patience_s=30)

    def node_has(key, patience_s=PATIENCE_S):
        return node.says(f"g {key}", f'"{key}-word"', "Get: completed", "Get: failure", patience_s=patience_s) == f'"{key}-word"'

    suite.check(f"dhtnode outside bootstraps at dhtnode behind Weir over IPv{family}",
                wait_for(lambda: outside.good(family) >= 1, 20, 0.3))
    suite.check(f"what it puts over IPv{family} is stored by the node", put(f"first{family}") == "Put: success"
                and node_has(f"first{family}"))
    node.says(f"p node{family} node{family}-word", "Put: success", "Put: failure")
    suite.check(f"what the node puts is found over IPv{family}", outside.says(f"g node{family}", f'"node{family}-word"') is not None)

    for address in (CLIENT_V4, CLIENT_V6):  # having met on one family, they use the other too
        weir.weirctl("ban", "add", address, "--for", "1h")
    suite.check(f"after its ban, what it puts over IPv{family} does not reach the node", put(f"late{family}") != "Put: success"
                and not node_has(f"late{family}"))
    for address in (CLIENT_V4, CLIENT_V6):
        weir.weirctl("ban", "del", address)

    def back():
        outside.say(f"b {target}")
        time.sleep(1)
        return put(f"again{family}") == "Put: success" and node_has(f"again{family}")
    suite.check(f"after the ban it stores at the node again over IPv{family}", wait_for(back, 60, 1))
    weir.end(name, patience_s=3)


def dht(suite, weir):
    node = Dht(weir, "d-node", "node", "-p", str(UDP_PORT))
    wait_for(lambda: "running on port" in weir.words("d-node"), 10)
    for family in (4, 6):
        dht_family(suite, weir, node, family)


def main():
    suite = Suite("nodes")
    with Weir() as weir:
        weir.start()
        monero(suite, weir)
        dht(suite, weir)
        bans = weir.weirctl("ban", "list")["bans"]
        suite.check("no ban is left and Weir banned nobody by itself", bans == [], bans or "")
        status = weir.call("status")
        suite.check("Weir enforced all the time", status["control"]["mode"] == "enforce"
                    and status["dataplane"]["state"] == "governing")
        for name in ("m-node", "m-v4", "m-v6", "d-node"):
            weir.end(name, patience_s=3)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
