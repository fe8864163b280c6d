#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Tests of the weir-control process: what it survives and what it keeps. Usage: control_process_test.py WEIR_CONTROL [NAME]

Needs root (a mount namespace of its own for a small disk, another uid). Everything lives in one temporary
directory; only processes started here are signalled. Ends with "suite control_process: N passed, N failed".
"""
import json
import os
import random
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

NOBODY = 65534
READ_GROUP = 60  # "games": a group that exists on every Debian and that nobody is in

CONFIG = """
run_dir: {dir}/run
shm_dir: {dir}/shm
state_dir: {dir}/state
mode: {mode}
socket: {{group: games}}
node: {{addresses: [192.0.2.1]}}
services: [{{port: 30303, protocol: tcp}}]
allow: [198.51.100.0/24]
snapshot: {{interval: 1s}}
{extra}
"""


class Failure(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


def wait_for(condition, what, seconds=10.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.01)
    raise Failure(what + " (waited %g s)" % seconds)


class Client:
    """One connection; call() returns the whole answer."""

    def __init__(self, path, timeout=30):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")
        self.n = 0

    def call(self, method, **params):
        self.n += 1
        line = json.dumps({"jsonrpc": "2.0", "id": self.n, "method": method, "params": params})
        self.socket.sendall(line.encode() + b"\n")
        while True:
            answer = self.read()
            if answer.get("id") == self.n:
                return answer

    def read(self):
        line = self.file.readline()
        check(line.endswith(b"\n"), "the connection ended instead of an answer")
        return json.loads(line)

    def result(self, method, **params):
        answer = self.call(method, **params)
        check("result" in answer, "%s failed: %s" % (method, answer))
        return answer["result"]

    def close(self):
        self.file.close()
        self.socket.close()


class Control:
    """A weir-control in a directory of its own."""

    def __init__(self, binary, directory):
        self.binary, self.dir = binary, directory
        self.config = os.path.join(directory, "weir.yaml")
        self.log_path = os.path.join(directory, "log")
        self.process = None
        self.configure()

    def configure(self, mode="enforce", extra=""):
        with open(self.config, "w") as file:
            file.write(CONFIG.format(dir=self.dir, mode=mode, extra=extra))

    @property
    def path(self):
        return os.path.join(self.dir, "run", "weir.sock")

    def start(self, seconds=60):
        log = open(self.log_path, "ab")
        if os.path.exists(self.path):
            os.unlink(self.path)
        self.process = subprocess.Popen([self.binary, "--config", self.config], stderr=log, stdout=log)
        log.close()

        def ready():
            check(self.process.poll() is None, "weir-control ended at start: " + self.log())
            try:
                return Client(self.path)
            except OSError:
                return None

        return wait_for(ready, "weir-control answers", seconds)

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def kill(self, number=signal.SIGKILL, seconds=30):
        self.process.send_signal(number)
        status = self.process.wait(seconds)
        self.process = None
        return status

    def end(self):
        if self.process is not None:
            try:
                self.process.send_signal(signal.SIGCONT)
                self.process.kill()
                self.process.wait(30)
            finally:
                self.process = None


def keys(client):
    return sorted(ban["key"] for ban in client.result("ban.list")["bans"])


def test_bans_survive_a_kill(control):
    client = control.start()
    client.result("ban.add", ip="203.0.113.5", reason="spam", evidence="seen")
    client.result("ban.add", prefix="2001:db8:1::/48", **{"for": 3600})
    client.result("ban.add", id="peer-1")
    client.result("list.add", list="deny", prefix="203.0.114.0/24", reason="bad")
    client.result("ban.add", ip="203.0.113.6", tier=2, sync=True)
    client.close()
    control.kill()
    client = control.start()
    check(keys(client) == ["2001:db8:1::/48", "203.0.113.5", "203.0.113.6", "peer-1"], "bans after kill -9: %s" % keys(client))
    ban = client.result("ban.list", ip="203.0.113.5")["bans"][0]
    check((ban["reason"], ban["evidence"], ban["tier"], ban["until"]) == ("spam", "seen", 5, None), "the record is whole: %s" % ban)
    check(client.result("list.show", list="deny")["entries"][0]["prefix"] == "203.0.114.0/24", "the deny list is there")
    status = client.result("status")
    check(status["image"]["enforced"] == 3 and status["image"]["generation"] == 1, "the first image has them: %s" % status["image"])


def test_banned_ids_are_known_after_a_kill(control):
    client = control.start()
    for n in range(6):
        client.result("peer.bind", id="P%d" % n, ip="203.0.113.9", port=n + 1)
        client.result("ban.add", id="P%d" % n, sync=n == 5)
    client.close()
    control.kill()
    client = control.start()
    check(client.result("why", ip="203.0.113.9")["tiers"] == [4], "T4 after kill -9")
    peer = client.result("peer.get", id="P1")
    check((peer["ip"], peer["port"], peer["status"]) == ("203.0.113.9", 2, "banned"), "where it was seen: %s" % peer)
    client.result("ban.remove", id="P3")
    check(client.result("why", ip="203.0.113.9")["tiers"] == [], "five are left: free")


def test_a_removed_state_directory_is_written_anew(control):
    client = control.start()
    client.result("ban.add", ip="203.0.113.5", reason="before", sync=True)
    client.result("list.add", list="allow", prefix="203.0.115.0/24", reason="friend")
    for _ in range(5):  # LO-9: five times spam is a temporary ban and a strike
        client.result("peer.report", ip="203.0.113.77", action="spam", reason="spam")
    strikes = client.result("peer.get", ip="203.0.113.77")["strikes"]
    check(strikes == 1, "a strike: %s" % strikes)
    subprocess.run(["rm", "-rf", control.dir + "/state"], check=True)
    wait_for(lambda: os.path.exists(control.dir + "/state/weir/weir.mdb"), "a new file stands where the old one was")
    client.result("ban.add", ip="203.0.113.6", reason="after")
    time.sleep(2.5)  # control looks at the store's state once a second, the writer commits four times a second
    client.result("sync")
    control.kill()
    client = control.start()
    check(keys(client) == ["203.0.113.5", "203.0.113.6", "203.0.113.77"], "all bans are on disk again: %s" % keys(client))
    strikes = client.result("peer.get", ip="203.0.113.77")["strikes"]
    check(strikes == 1, "and the strikes: %s" % strikes)
    entries = client.result("list.show", list="allow")["entries"]
    check("203.0.115.0/24" in [entry["prefix"] for entry in entries], "and the lists: %s" % entries)


def test_every_ban_is_durable_within_a_second(control):
    client = control.start()
    for i in range(200):
        client.result("ban.add", ip="10.0.0.%d" % i)
    time.sleep(1.0)
    control.kill()
    client = control.start()
    check(len(keys(client)) == 200, "without sync, a second later: %d of 200" % len(keys(client)))


def test_an_orderly_end_keeps_all(control):
    client = control.start()
    client.result("ban.add", ip="203.0.113.5")
    check(control.kill(signal.SIGTERM) == 0, "exit status 0")
    check(not os.path.exists(control.path), "the socket is gone")
    check(os.path.exists(control.dir + "/shm/weir.image"), "the image stays for the dataplane")
    client = control.start()
    check(keys(client) == ["203.0.113.5"], "nothing is lost")


def test_a_second_instance_is_refused(control):
    client = control.start()
    client.result("ban.add", ip="203.0.113.5")
    second = subprocess.run([control.binary, "--config", control.config], capture_output=True, timeout=30)
    check(second.returncode == 1, "exit status 1, not %d" % second.returncode)
    check(b"weir.control" in second.stderr, "a sentence: %s" % second.stderr)
    check(keys(client) == ["203.0.113.5"], "the first goes on")
    fresh = Client(control.path)
    check(keys(fresh) == ["203.0.113.5"], "and still owns the socket")


def test_arguments(control):
    def run(*arguments):
        return subprocess.run([control.binary, *arguments], capture_output=True, timeout=30)

    check(run().returncode == 2, "no arguments: usage")
    check(run("--colour").returncode == 2, "an unknown option: usage")
    check(run("--config", control.config, "--check").returncode == 0, "a good file")
    control.configure(extra="limits: {hard: lots}")
    bad = run("--config", control.config, "--check")
    check(bad.returncode == 1 and b"weir.yaml:11:16: limits.hard: " in bad.stderr, "a bad file: %s" % bad.stderr)
    check(run("--config", control.config).returncode == 1, "it does not start with it")
    reference = run("--rpc-reference")
    check(reference.returncode == 0 and b"ban.add" in reference.stdout, "the reference")
    control.configure()
    open(control.dir + "/shm", "w").close()
    bad = run("--config", control.config)
    check(bad.returncode == 1 and b"/shm: cannot be made: Not a directory" in bad.stderr, "a file in the way: %s" % bad.stderr)
    os.unlink(control.dir + "/shm")
    example = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools", "weir.yaml.example")
    check(run("--config", example, "--check").returncode == 0, "the example is a good file")


def test_reload(control):
    client = control.start()
    client.result("ban.add", ip="203.0.113.5")
    generation = client.result("status")["image"]["generation"]
    control.configure(mode="monitor", extra="deny: [10.0.0.0/8]")
    control.process.send_signal(signal.SIGHUP)
    wait_for(lambda: client.result("governor.status")["mode"] == "monitor", "SIGHUP brings the new mode")
    wait_for(lambda: client.result("status")["image"]["generation"] > generation, "and a new image")
    check(client.result("why", ip="10.1.2.3")["rule"] == "deny", "and the new list")
    control.configure(extra="limits: {hard: 1, soft: 2}")
    control.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "weir.yaml:11:25: limits.soft: 2 is above limits.hard" in control.log(), "the sentence is logged")
    check(client.result("governor.status")["mode"] == "monitor", "the old configuration stays")
    answer = client.call("config.reload")
    check(answer["error"]["code"] == 1 and "limits.soft" in answer["error"]["message"], "by RPC it is the answer: %s" % answer)
    check(client.result("why", ip="10.1.2.3")["rule"] == "deny", "with its lists")
    control.configure(extra="ban: {bans: 5000}")
    check(client.result("config.reload")["restart"] == "ban.bans", "what needs a restart is named")
    check(client.result("why", ip="10.1.2.3")["verdict"] == "forward", "the list is gone again")
    check(keys(client) == ["203.0.113.5"], "bans are untouched")


def test_a_list_that_contradicts_an_operator(control):
    client = control.start()
    client.result("list.add", list="allow", prefix="203.0.113.0/24")
    control.configure(extra="deny: [203.0.113.0/24]")
    answer = client.call("config.reload")
    check("contradicts" in answer.get("error", {}).get("message", ""), "refused: %s" % answer)
    check(client.result("why", ip="203.0.113.9")["rule"] == "allow", "the operator's entry holds")
    check(client.result("why", ip="198.51.100.9")["rule"] == "allow", "and the old configuration's list")


def test_malformed_input(control):
    client = control.start()
    random.seed(1)
    for size in (1, 2, 100, 65535, 65536, 65537, 1048575, 1048576, 1048577, 3000000):
        noise = Client(control.path)
        noise.socket.sendall(b"x" * size + b"\n")
        answer = noise.read()
        check(answer["error"]["code"] == -32600 and answer["id"] is None, "%d bytes: %s" % (size, answer))
        check(noise.result("governor.status")["mode"] == "enforce", "the connection goes on after %d bytes" % size)
        noise.close()
    for _ in range(50):
        noise = Client(control.path)
        noise.socket.sendall(random.randbytes(random.randrange(200000)))
        noise.close()
    check(client.result("governor.status")["mode"] == "enforce", "others are served")


def test_a_client_that_does_not_read(control):
    client = control.start()
    for i in range(200):
        client.result("ban.add", ip="10.0.1.%d" % i, reason="r" * 100)
    deaf = socket.socket(socket.AF_UNIX)
    deaf.connect(control.path)
    deaf.setblocking(False)
    line = b'{"jsonrpc":"2.0","id":1,"method":"ban.list","params":{}}\n' * 1000
    sent, start = 0, time.monotonic()
    while time.monotonic() - start < 2:
        try:
            sent += deaf.send(line)
        except BlockingIOError:
            time.sleep(0.01)
        except (BrokenPipeError, ConnectionResetError):
            break
    with open("/proc/%d/status" % control.process.pid) as file:
        resident = [int(word.split()[1]) for word in file if word.startswith("VmRSS")][0]
    check(resident < 300000, "memory stays bounded: %d KiB" % resident)
    start = time.monotonic()
    check(client.result("governor.status")["bans"]["all"] == 200, "others are served")
    check(time.monotonic() - start < 0.5, "at once")
    deaf.close()


def test_a_client_that_asks_without_end(control):
    client = control.start()
    import_bans(client, 0x0a000000, 300000)
    greedy = Client(control.path)
    greedy.socket.sendall(b'{"jsonrpc":"2.0","id":1,"method":"ban.list","params":{"tier":2}}\n' * 900)
    worst = 0.0
    for _ in range(10):
        start = time.monotonic()
        client.result("governor.status")
        worst = max(worst, time.monotonic() - start)
    check(worst < 0.2, "others wait %.0f ms" % (worst * 1000))
    for i in range(900):
        check("result" in greedy.read(), "it gets every answer all the same")
    greedy.socket.sendall(b'{"jsonrpc":"2.0","id":2,"method":"ban.add","params":{"ip":"203.0.113.5"}}\n' * 1000)
    greedy.close()
    wait_for(lambda: client.result("why", ip="203.0.113.5")["verdict"] == "drop", "what it asked before it left is done")


def test_directories_that_are_removed(control):
    client = control.start()
    client.result("ban.add", ip="203.0.113.5", sync=True)
    shutil.rmtree(control.dir + "/shm")
    shutil.rmtree(control.dir + "/run")
    wait_for(lambda: os.path.exists(control.dir + "/shm/weir.image"), "segment and image are made anew", 5)
    check(os.path.exists(control.dir + "/shm/weir.control"), "both")
    wait_for(lambda: os.path.exists(control.path), "the socket too", 5)
    check(client.result("ban.add", ip="203.0.113.6")["seq"] == 1, "a new log")
    image = Client(control.path).result("snapshot.make")
    check(image["enforced"] == 2, "the image is whole: %s" % image)
    check("removed" in control.log(), "in a sentence: " + control.log())
    second = subprocess.run([control.binary, "--config", control.config], capture_output=True, timeout=30)
    check(second.returncode == 1 and b"weir.control" in second.stderr, "and a second instance is refused as before")


def test_many_clients(control):
    client = control.start()
    crowd = []
    for _ in range(63):
        crowd.append(Client(control.path))
    for one in crowd:
        check(one.result("governor.status")["mode"] == "enforce", "64 clients are served")
    extra = Client(control.path)
    check(extra.read()["error"]["code"] == 3, "the next is told so")
    crowd[0].close()

    def place_is_free():
        try:
            return "result" in Client(control.path).call("governor.status")
        except OSError:  # refused before it could ask
            return False

    wait_for(place_is_free, "a place becomes free")
    check(client.result("governor.status")["mode"] == "enforce", "the first goes on")


def as_user(groups, code):
    """Run code(result pipe) in a child as nobody with these groups; returns what it wrote."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        text = "died"
        try:
            os.setgroups(groups)
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            text = code()
        except Exception as error:  # the parent judges
            text = type(error).__name__ + ": " + str(error)
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    text = b""
    while True:
        piece = os.read(reader, 4096)
        if not piece:
            break
        text += piece
    os.close(reader)
    os.waitpid(pid, 0)
    return text.decode()


def test_rights_of_other_users(control):
    os.chmod(control.dir, 0o755)
    client = control.start()
    client.result("ban.add", ip="203.0.113.5")
    text = as_user([], lambda: str(Client(control.path).call("governor.status")))
    check(text.startswith("PermissionError"), "a stranger cannot connect: " + text)
    text = as_user([READ_GROUP], lambda: str(Client(control.path).result("ban.list")["bans"][0]["key"]))
    check(text == "203.0.113.5", "a member of the group reads: " + text)
    text = as_user([READ_GROUP], lambda: str(Client(control.path).call("ban.remove", ip="203.0.113.5")))
    check("'code': 1" in text and "permission" in text, "but does not change: " + text)
    check(keys(client) == ["203.0.113.5"], "the ban stays")
    check(os.stat(control.path).st_mode & 0o777 == 0o660, "the socket's mode")


def import_bans(client, first, n, **more):
    added = 0
    for start in range(first, first + n, 10000):
        prefixes = [socket.inet_ntoa(struct.pack("!I", i)) for i in range(start, min(start + 10000, first + n))]
        added += client.result("ban.import", prefixes=prefixes, reason="import", **more)["added"]
    return added


def test_a_full_disk(control):
    state = control.dir + "/state"
    os.mkdir(state)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", state], check=True)
    try:
        client = control.start()
        check(import_bans(client, 0x0a000000, 50000) == 50000, "the bans are taken")
        answer = client.call("sync")
        check(answer.get("error", {}).get("code") == 3, "sync says that they are not on disk: %s" % answer)
        wait_for(lambda: not client.result("status")["store"]["ok"], "status says so")
        check(client.result("status")["store"]["text"] != "", "in a sentence")
        check(client.result("why", ip="10.0.0.7")["verdict"] == "drop", "they are in force all the same")
        check(client.result("ban.add", ip="203.0.113.5")["tier"] == 5, "and new ones too")
        subprocess.run(["mount", "-o", "remount,size=200m", state], check=True)
        wait_for(lambda: client.result("status")["store"]["ok"], "with room the store writes again", 60)
        wait_for(lambda: "result" in client.call("sync"), "and everything becomes durable", 60)
        control.kill()
        client = control.start()
        check(client.result("governor.status")["bans"]["all"] == 50001, "nothing was lost")
    finally:
        control.end()
        subprocess.run(["umount", state], check=True)


def test_a_stop_of_some_seconds(control):
    client = control.start()
    client.result("ban.add", ip="203.0.113.5", **{"for": 1})
    client.result("ban.add", ip="203.0.113.6")
    control.process.send_signal(signal.SIGSTOP)
    time.sleep(3)
    control.process.send_signal(signal.SIGCONT)
    start = time.monotonic()
    check(client.result("why", ip="203.0.113.6")["verdict"] == "drop", "it goes on")
    check(time.monotonic() - start < 1, "at once")
    wait_for(lambda: keys(client) == ["203.0.113.6"], "what ended meanwhile is gone", 3)
    client.result("ban.add", ip="203.0.113.7", sync=True)


def test_the_link(control):
    client = control.start()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(control.dir + "/run/weir.dataplane.sock")
    listener.listen(1)
    listener.settimeout(5)
    link, _ = listener.accept()
    link.settimeout(5)

    def drain():
        kinds = []
        while select.select([link], [], [], 0.1)[0]:
            kinds.append(struct.unpack_from("<II", link.recv(4096))[1])
        return kinds

    first = drain()
    check(1 in first and 4 in first, "it connects, rings, and asks for the flows: %s" % first)
    born = (time.monotonic_ns() // 1000000 - 5000) & 0xffffffff
    peer = bytes.fromhex("00000000000000000000ffffcb007163")
    flows = b"".join(struct.pack("<16sHHBBBB6I", peer, port, 30303, 6, 0, 0, 1, 5000, 0, 0, 0, 0, born) for port in (4000, 4001))
    for body in (struct.pack("<II", 2, 0) + flows, struct.pack("<II", 0, 0)):
        link.send(struct.pack("<IIQ", 1, 5, 1) + body)
    wait_for(lambda: client.call("peer.get", ip="203.0.113.99").get("result", {}).get("n_in") == 2,
             "the flows that run are counted for their source")
    client.result("ban.add", ip="203.0.113.5")
    check(struct.unpack_from("<II", link.recv(4096))[1] == 1, "a ban rings the doorbell")
    drain()
    client.socket.sendall(b'{"jsonrpc":"2.0","id":77,"method":"why","params":{"ip":"203.0.113.9","port":30303}}\n')
    probe = link.recv(4096)
    version, kind, cookie = struct.unpack_from("<IIQ", probe)
    check(kind == 2 and probe[16:32].hex() == "00000000000000000000ffffcb007109", "a probe of the address")
    link.send(struct.pack("<IIQHBB4I I", version, 3, cookie, 0, 1, 1, 5, 0, 0, 0, 0))
    answer = client.read()
    check(answer["result"]["dataplane"] == {"reason": "truncated", "verdict": "drop", "proven": True, "under_pressure": True,
                                            "concurrency": [5, 0, 0, 0]}, "its answer is the answer: %s" % answer)
    start = time.monotonic()
    answer = client.result("why", ip="203.0.113.5")
    check(answer["dataplane"] is None and answer["rule"] == "T5", "without one the governor answers: %s" % answer)
    check(0.04 < time.monotonic() - start < 0.5, "after 50 ms")
    drain()
    for junk in (b"", b"x", os.urandom(64), struct.pack("<IIQI", 1, 5, 1, 4000000000)):
        if junk:
            link.send(junk)
    check(client.result("governor.status")["mode"] == "enforce", "junk from the link is ignored")
    link.close()
    wait_for(lambda: client.result("status")["dataplane"]["deaths"] == 1, "the hang-up is counted")
    link, _ = listener.accept()
    check(link is not None, "and it connects again")
    link.close()
    listener.close()


def test_a_million_bans(control):
    client = control.start()
    watcher = Client(control.path)
    start, worst, added = time.monotonic(), 0.0, 0
    for i in range(100):
        added += import_bans(client, 0x0a000000 + i * 10000, 10000)
        before = time.monotonic()
        watcher.result("governor.status")
        worst = max(worst, time.monotonic() - before)
    imported = time.monotonic() - start
    check(added == 1000000, "all are added")
    client.result("sync")
    durable = time.monotonic() - start
    image = client.result("snapshot.make")
    check(image["enforced"] == 1000000, "all are in the image: %s" % image)
    for _ in range(20):
        client.result("ban.add", ip="203.0.113.%d" % _)
        client.socket.sendall(b'{"jsonrpc":"2.0","id":900,"method":"snapshot.make"}\n')
        for _ in range(10):
            before = time.monotonic()
            watcher.result("governor.status")
            worst = max(worst, time.monotonic() - before)
        while client.read().get("id") != 900:
            pass
    status = client.result("status")
    check(status["image"]["changes_lost"] == 0, "none was lost")
    client.result("sync")
    control.kill()
    start = time.monotonic()
    client = control.start()
    restarted = time.monotonic() - start
    check(client.result("governor.status")["bans"]["all"] == 1000020, "all are back after kill -9")
    print("    a million bans: imported in %.2f s, durable after %.2f s, image built in %d ms, worst answer to another client "
          "%.1f ms, back %.2f s after a start" % (imported, durable, image["build_ms"], worst * 1000, restarted))
    check(imported < 30 and restarted < 30, "in seconds")


def main():
    if len(sys.argv) < 2:
        sys.exit("usage: control_process_test.py WEIR_CONTROL [NAME]")
    if os.geteuid() != 0:
        print("suite control_process: 0 passed, 1 failed (needs root)")
        sys.exit(1)
    if "WEIR_TEST_UNSHARED" not in os.environ:
        os.environ["WEIR_TEST_UNSHARED"] = "1"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable] + sys.argv)
    binary = os.path.abspath(sys.argv[1])
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    passed, failed = 0, 0
    for name, test in sorted(globals().items()):
        if not name.startswith("test_") or wanted not in name:
            continue
        directory = tempfile.mkdtemp(prefix="weir-test-control.")
        control = Control(binary, directory)
        try:
            test(control)
            passed += 1
            print("ok    " + name[5:].replace("_", " "), flush=True)
        except (Failure, OSError, subprocess.SubprocessError) as error:
            failed += 1
            print("FAIL  %s: %s" % (name[5:].replace("_", " "), error), flush=True)
            if os.path.exists(control.log_path):
                print("      log: " + "\n           ".join(control.log().splitlines()[-8:]))
        finally:
            control.end()
            shutil.rmtree(directory, ignore_errors=True)
    print("suite control_process: %d passed, %d failed" % (passed, failed))
    sys.exit(0 if failed == 0 and passed > 0 else 1)


if __name__ == "__main__":
    main()
