# SPDX-License-Identifier: BSD-3-Clause
"""Weir in the demo: its configuration, its two processes, and what they say on the socket."""
import ipaddress
import json
import os
import signal
import socket
import time

from network import NODE_V4, NODE_V6, PORT

# The defaults of control/config_schema.c on which the promised limits rest; written into the configuration, so that what is
# promised is what is configured.
PRESSURE_ENTER_PER_S = 256
SOURCE_BURST, SOURCE_PER_S = 16, 0.2

CONFIG = """# made by tools/demo; everything that is not here has its default
instance: demo
run_dir: {run}
shm_dir: {shm}
state_dir: {state}
node:
  addresses: [{v4}, "{v6}"]
services:
  - {{name: demo-tcp, port: {port}, protocol: tcp, challenge: {challenge}, method: {method}, pressure: {{enter_per_s: {enter}}}}}
  - {{name: demo-udp, port: {port}, protocol: udp, challenge: off, pressure: {{enter_per_s: {enter}}}}}
rate:
  proven:
    v4: {{host: {{burst: {burst}, per_s: {per_s}}}}}
    v6: {{host: {{burst: {burst}, per_s: {per_s}}}}}
dataplane:
  memory: no-huge
"""


class Weir:
    def __init__(self, session, tools, lcores, challenge="auto", method="proxy"):
        self.session, self.tools, self.lcores = session, tools, lcores
        self.socket_path = session.path("demo.sock")
        self.config_path = session.path("weir.yaml")
        self.driver = None
        os.makedirs(session.path("state"), mode=0o700, exist_ok=True)
        with open(self.config_path, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(run=session.directory, shm=session.shm_directory, state=session.path("state"), v4=NODE_V4,
                                     v6=NODE_V6, port=PORT, challenge=challenge, method=method, enter=PRESSURE_ENTER_PER_S, burst=SOURCE_BURST, per_s=SOURCE_PER_S))

    def start_control(self):
        self.session.start("control", "weir", self.tools["weir-control"], "--config", self.config_path)

    def start_dataplane(self):
        self.session.start("dataplane", "weir", self.tools["weir-dataplane"], "--instance", "demo", "--run-dir",
                           self.session.directory, "--shm-dir", self.session.shm_directory, "--outside", "auto:out0", "--inside",
                           "auto:in0", "--lcores", self.lcores, "--memory", "no-huge")

    def start(self):
        self.start_control()
        self.start_dataplane()
        self.wait_governing()

    def wait_governing(self, patience_s=30):
        """Until packets are governed. Raises with the last words of whichever process is the cause."""
        deadline = time.monotonic() + patience_s
        state = "silent"
        while time.monotonic() < deadline:
            for name in ("control", "dataplane"):
                if not self.session.alive(name):
                    raise RuntimeError(f"weir-{name} ended: {self._last_words(name)}")
            try:
                state = self.call("status")["dataplane"].get("state")
            except (OSError, ValueError):
                state = "silent"
            if state == "governing":
                self._note_driver()
                return
            time.sleep(0.05)
        raise RuntimeError(f"Weir does not govern after {patience_s} s (state {state}): {self._last_words('dataplane')}")

    def _last_words(self, name):
        return " / ".join(self.session.read(f"{name}.err").strip().splitlines()[-3:]) or "it said nothing"

    def _note_driver(self):
        words = self.session.read("dataplane.err") + self.session.read("dataplane.out")
        self.driver = "net_af_packet" if "net_af_packet" in words else "net_af_xdp"

    def fallback_sentence(self):
        """What the dataplane said when it could not use net_af_xdp, or None."""
        if self.driver != "net_af_packet":
            return None
        words = self.session.read("dataplane.err") + self.session.read("dataplane.out")
        return next(line.strip() for line in words.splitlines() if "net_af_packet" in line)

    def kill(self, name):
        self.session.end(name, signal.SIGKILL)

    def stop(self):
        for name in ("dataplane", "control"):
            self.session.end(name, patience_s=10)

    def call(self, method, **params):
        """One request on control's socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(5)
            connection.connect(self.socket_path)
            connection.sendall((json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + "\n").encode())
            answer = b""
            while not answer.endswith(b"\n"):
                more = connection.recv(1 << 20)
                if not more:
                    raise OSError("control closed the connection")
                answer += more
        reply = json.loads(answer)
        if "error" in reply:
            raise RuntimeError(f"{method}: {reply['error'].get('message')}")
        return reply["result"]

    def refused(self):
        """How many sources are refused for their score, banned or not yet."""
        count, after = 0, {}
        while True:
            page = self.call("peer.list", n=1000, **after)
            count += sum(peer["score"]["state"] != "healthy" for peer in page["peers"])
            if not page["next"]:
                return count
            after = {"after": page["next"]}

    def bans(self):
        """Every ban in force, as a list of rows with an ipaddress network under 'network' (None for a peer's id)."""
        rows, after = [], {}
        while True:
            page = self.call("ban.list", n=1000, **after)
            for row in page["bans"]:
                try:
                    row["network"] = ipaddress.ip_network(row["key"], strict=False)
                except ValueError:
                    row["network"] = None
                rows.append(row)
            if not page["next"]:
                return rows
            after = {"after": page["next"]}


def automatic(bans):
    """How many of them nobody asked for."""
    return sum(row["source"] != "operator" for row in bans)


def covered(bans, sources):
    """Those sources (texts) that some ban covers."""
    networks = [row["network"] for row in bans if row["network"] is not None]
    exact = {network.network_address for network in networks if network.prefixlen == network.max_prefixlen}
    wide = [network for network in networks if network.prefixlen != network.max_prefixlen]
    found = set()
    for text in sources:
        address = ipaddress.ip_address(text)
        if address in exact or any(address.version == network.version and address in network for network in wide):
            found.add(text)
    return found
