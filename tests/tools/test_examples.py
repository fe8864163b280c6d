# SPDX-License-Identifier: BSD-3-Clause
"""The examples in tools/examples beside a real weir-control: the same node in C, Python and JavaScript, and nodes of libp2p.

    test_examples.py BUILD [WORDS]
There is no dataplane here: who is banned is kept out by the node itself, as it must be for a peer whose address is shared.
"""
import json
import os
import queue
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from suite import Failed, equal, holds, main

BUILD = os.path.abspath(sys.argv[1])
EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tools/examples")
WAIT_S = 20
CONFIG = """instance: examples
run_dir: {0}
shm_dir: {0}
state_dir: {0}/state
node: {{addresses: [198.18.0.1]}}
services: [{{name: p2p, protocol: tcp, port: 30303}}]
profile: lighthouse
"""


class World:
    """weir-control and processes that end with it."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="weir-examples-")
        self.socket = f"{self.directory}/examples.sock"
        self.processes, self.control = [], None
        with open(f"{self.directory}/weir.yaml", "w", encoding="utf-8") as file:
            file.write(CONFIG.format(self.directory))
        self.control_start()

    def control_start(self):
        self.control = self.start([f"{BUILD}/control/weir-control", "--config", f"{self.directory}/weir.yaml"], stderr=subprocess.DEVNULL)
        until("weir-control listens", lambda: connects(self.socket))

    def control_stop(self):
        self.control.send_signal(signal.SIGTERM)
        self.control.wait(timeout=WAIT_S)

    def start(self, command, **options):
        process = subprocess.Popen(command, text=True, **options)
        self.processes.append(process)
        return process

    def call(self, method, **parameters):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(WAIT_S)
            client.connect(self.socket)
            client.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}).encode() + b"\n")
            answer = json.loads(client.makefile().readline())
        return answer.get("result", answer.get("error"))

    def end(self):
        for process in self.processes:
            if process.poll() is None:
                process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=WAIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for stream in (process.stdin, process.stdout):
                if stream:
                    stream.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def connects(path):
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def until(what, condition):
    end = time.monotonic() + WAIT_S
    while not condition():
        holds(time.monotonic() < end, f"{what} within {WAIT_S} s")
        time.sleep(0.02)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Peer:
    """A client of the example's little protocol."""

    def __init__(self, port, id_):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
        self.lines = self.socket.makefile()
        self.say(f"HELLO {id_}")

    def say(self, text):
        self.socket.sendall(text.encode() + b"\n")

    def hear(self):
        return self.lines.readline().rstrip("\n")

    def close(self):
        self.lines.close()
        self.socket.close()


def node_case(command):
    world, port = World(), free_port()
    try:
        node = world.start([*command, str(port), world.socket], stdout=subprocess.PIPE)
        equal(node.stdout.readline(), "ready\n", "the node")
        honest, liar = Peer(port, "honest"), Peer(port, "liar")
        equal(honest.hear(), "WELCOME", "the honest one")
        equal(liar.hear(), "WELCOME", "the liar")
        until("the peer is bound", lambda: world.call("peer.get", id="liar").get("agent") == "example/1")
        liar.say("BAD")
        equal(liar.hear(), "BYE 251", "the liar is told")
        equal(liar.hear(), "", "the liar is closed")
        equal(world.call("peer.get", id="liar")["score"]["state"], "banned", "its state")
        honest.say("still here")
        equal(honest.hear(), "still here", "the honest one is served")
        again = Peer(port, "liar")
        equal(again.hear(), "BYE 251", "the liar comes again")
        world.control_stop()
        alone = Peer(port, "newcomer")
        equal(alone.hear(), "WELCOME", "without Weir the node lives")
        world.control_start()
        until("the node has joined again", lambda: rejoined(world, port))
        for peer in (honest, liar, again, alone):
            peer.close()
    finally:
        world.end()


def rejoined(world, port):
    peer = Peer(port, "later")
    peer.hear()
    peer.close()
    return world.call("peer.get", id="later").get("known") is True


class Libp2p:
    """One example node and the objects that it tells."""

    def __init__(self, world, directory, path):
        self.process = world.start(["node", f"{directory}/libp2p/node.mjs", "0", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL)
        self.told = queue.Queue()
        threading.Thread(target=self.read, daemon=True).start()
        ready = self.hear("ready")
        self.address, self.id = ready["address"], ready["id"]

    def read(self):
        for line in self.process.stdout:
            self.told.put(json.loads(line))

    def hear(self, *names):
        """The next object with one of these names."""
        end = time.monotonic() + WAIT_S
        while True:
            try:
                told = self.told.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                raise Failed(f"nothing about {names} within {WAIT_S} s") from None
            if any(name in told for name in names):
                return told

    def say(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()


def libp2p_case(directory):
    world = World()
    try:
        served = Libp2p(world, directory, world.socket)
        honest, liar = (Libp2p(world, directory, "/nowhere") for _ in range(2))
        for peer in (honest, liar):
            peer.say("SAY", served.address, "hello")
            equal(peer.hear("answer", "failed"), {"answer": "hello"}, "a message comes back")
        until("identify names the agent", lambda: "libp2p" in (world.call("peer.get", id=liar.id).get("agent") or ""))
        equal(world.call("peer.get", id=liar.id)["client"]["kind"], "Lodestar", "js-libp2p is Lodestar's (LH-11)")
        liar.say("SAY", served.address, "BAD")
        for peer, other in ((served, liar), (liar, served)):  # before both know, dialling finds the old connection
            while peer.hear("closed")["id"] != other.id:
                pass
        until("it is banned", lambda: world.call("peer.get", id=liar.id)["score"]["state"] == "banned")
        liar.say("DIAL", served.address)
        refused = served.hear("refused")
        equal((refused["id"], refused["code"]), (liar.id, 251), "it comes again")
        honest.say("SAY", served.address, "still-here")
        equal(honest.hear("answer", "failed"), {"answer": "still-here"}, "the honest one is served")
    finally:
        world.end()


def libp2p_install():
    """A folder with the example and its packages, or None and the reason."""
    directory = tempfile.mkdtemp(prefix="weir-libp2p-")
    shutil.copytree(EXAMPLES, directory, dirs_exist_ok=True)
    done = subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--omit=dev"], cwd=f"{directory}/libp2p", capture_output=True, text=True, timeout=240,
                          check=False)
    if done.returncode == 0:
        return directory, ""
    shutil.rmtree(directory)
    return None, (done.stderr.strip().splitlines() or ["npm ci failed"])[-1]


CASES = [
    ("a node in C is joined to Weir", lambda: node_case([f"{BUILD}/tools/node-c"])),
    ("a node in Python is joined to Weir", lambda: node_case([sys.executable, f"{EXAMPLES}/node.py"])),
]


def run():
    skipped = []
    folder = None
    if shutil.which("node"):
        CASES.append(("a node in JavaScript is joined to Weir", lambda: node_case(["node", f"{EXAMPLES}/node.mjs"])))
    else:
        skipped.append("a node in JavaScript: node is not installed")
    if shutil.which("npm"):
        try:
            folder, why = libp2p_install()
        except subprocess.TimeoutExpired:
            why = "npm did not end in 240 s"
        if folder:
            CASES.append(("nodes of libp2p are joined to Weir", lambda: libp2p_case(folder)))
        else:
            skipped.append(f"nodes of libp2p: {why}")
    else:
        skipped.append("nodes of libp2p: npm is not installed")
    status = main("examples", CASES)
    if folder:
        shutil.rmtree(folder)
    if skipped:
        print("suite examples that need more: 0 passed, 0 failed, " + f"{len(skipped)} skipped")
        print("\n".join(f"    skipped: {reason}" for reason in skipped))
    return status


if __name__ == "__main__":
    sys.exit(run())
