#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""weirctl against a real weir-control: every command, for people and as JSON, what is refused, and what a million lines cost.
Usage: test_weirctl.py WEIRCTL WEIR-CONTROL [PART OF A SENTENCE]"""
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from suite import equal, holds, main, run  # noqa: E402

WEIRCTL, CONTROL = (os.path.abspath(path) for path in sys.argv[1:3])
del sys.argv[2]  # main() looks for the part of a sentence behind one program
folder = tempfile.TemporaryDirectory(prefix="weirctl-")
CONFIG = f"""
instance: t
run_dir: {folder.name}/run
shm_dir: {folder.name}/shm
state_dir: {folder.name}/state
node: {{addresses: [192.0.2.10]}}
services: [{{port: 30303, protocol: tcp}}]
allow: [198.51.100.0/24]
own: [192.0.2.0/24]
"""
SOCKET = f"{folder.name}/run/t.sock"
CASES = []


def case(sentence):
    def add(function):
        CASES.append((sentence, function))
        return function
    return add


def written(name, text):
    path = os.path.join(folder.name, name)
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
    return path


CONFIG_PATH = written("weir.yaml", CONFIG)


def ctl(*arguments, stdin=b"", timeout=120):
    return run(WEIRCTL, "--socket", SOCKET, *arguments, stdin=stdin, timeout=timeout)


def good(*arguments, stdin=b""):
    """What a command that succeeds prints for people."""
    status, out, err = ctl(*arguments, stdin=stdin)
    equal((status, err), (0, ""), f"{arguments}: exit status and standard error")
    return out


def answer(*arguments, stdin=b""):
    """The one JSON object of a command that succeeds."""
    out = good("--json", *arguments, stdin=stdin)
    equal(out.count("\n"), 1, "lines")
    return json.loads(out)


def fails(status, sentence, *arguments, stdin=b""):
    """The sentence, the same as JSON, and nothing on standard output."""
    got, out, err = ctl(*arguments, stdin=stdin)
    equal((got, out), (status, ""), f"{arguments}: exit status and standard output")
    holds(sentence in err, f"{sentence!r} in {err!r}")
    got, out, err = ctl("--json", *arguments, stdin=stdin)
    equal((got, out), (status, ""), f"{arguments}: exit status and standard output with --json")
    error = json.loads(err)["error"]
    said = " ".join([error["message"], *(line["message"] for line in error.get("lines", []))])
    holds(isinstance(error["code"], int) and sentence in said, f"{sentence!r} in {error!r}")
    return error


def clear():
    for ban in answer("ban", "list")["bans"]:
        good("ban", "del", ("id:" if ban["scope"] == "peer" else "") + ban["key"])


class Control:
    """weir-control as long as the block lasts."""

    def __enter__(self):
        for part in ("run", "shm", "state"):
            os.makedirs(os.path.join(folder.name, part), exist_ok=True)
        self.log = open(os.path.join(folder.name, "log"), "wb")
        self.process = subprocess.Popen([CONTROL, "--config", CONFIG_PATH], stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(SOCKET)
                return self
            except OSError:
                time.sleep(.02)
        with open(os.path.join(folder.name, "log"), encoding="utf-8") as log:
            raise RuntimeError("weir-control does not start: " + log.read())

    def __exit__(self, *unused):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


control = Control()


# --- without control

@case("status without a running control: status 3, and how to start it")
def _():
    status, out, err = run(WEIRCTL, "--socket", f"{folder.name}/nobody.sock", "status")
    equal((status, out), (3, ""), "exit status")
    holds("is not running" in err and "nobody.sock" in err, err)
    status, out, err = run(WEIRCTL, "--json", "--socket", f"{folder.name}/nobody.sock", "status")
    equal((status, out, json.loads(err)["error"]["code"]), (3, "", 103), "as JSON")


@case("a version is known without control")
def _():
    status, out, err = run(WEIRCTL, "--socket", f"{folder.name}/nobody.sock", "version", "--json")
    equal((status, err), (0, ""), "exit status")
    equal(json.loads(out)["control"], None, "control")


for _sentence, _words, _expected in [
        ("no command", [], "which command"),
        ("an unknown command gets a hint", ["stauts"], 'did you mean "status"?'),
        ("half a command names the rest", ["ban"], "add, del, list, import, export"),
        ("a wrong second word names what is allowed", ["ban", "foo"], "allowed behind ban"),
        ("an unknown option gets a hint", ["status", "--jsno"], "did you mean --json?"),
        ("another command's option is refused", ["status", "--force"], "has no option --force"),
        ("a missing word is named", ["why"], '"why" needs ADDRESS'),
        ("a word too many is named", ["status", "now"], '"now" is too much'),
        ("an address that is none", ["why", "example.org"], "is not an address"),
        ("a prefix that is none", ["ban", "add", "1.2.3"], "is not an address or a prefix"),
        ("host bits", ["ban", "add", "10.1.0.0/8"], "bits set behind its length"),
        ("a length out of range", ["ban", "add", "10.0.0.0/33"], "out of range"),
        ("a duration that is none", ["ban", "add", "1.2.3.4", "--for", "soon"], "is not a duration"),
        ("a tier that is none", ["ban", "add", "1.2.3.4", "--tier", "9"], "from 1 to 5"),
        ("a port that is none", ["why", "1.2.3.4", "--port", "70000"], "from 1 to 65535"),
        ("a format that is none", ["ban", "export", "--format", "xml"], "allowed: plain, ipset"),
        ("a profile that is none", ["config", "show", "--profile", "x"], "allowed: bootstrap, lighthouse"),
        ("a limit that is none", ["ban", "list", "--limit", "0"], "--limit"),
        ("a status that is none", ["peers", "list", "--status", "asleep"], "allowed: unknown, dialing, connected"),
        ("a temperature that is none", ["peers", "list", "--temperature", "boiling"], "allowed: cold, warm, hot"),
        ("a category that is none", ["peers", "list", "--category", "x"], "allowed: none, local_root"),
        ("no peer to show", ["peers", "show"], '"peers show" needs ID|ADDRESS[:PORT]'),
        ("no peer to disconnect", ["disconnect"], '"disconnect" needs ID|ADDRESS[:PORT]'),
        ("an address without a port", ["book", "add", "203.0.113.9"], "not an address with a port"),
        ("an IPv6 address without brackets", ["book", "add", "2001:db8::1"], "not an address with a port"),
        ("a port out of range", ["book", "add", "[2001:db8::1]:65536"], "not an address with a port"),
        ("a number of failures that is none", ["book", "remove-failed", "0"], "not a number of failures"),
        ("more of the best than there may be", ["book", "best", "--limit", "1001"], "from 1 to 1000"),
]:
    CASES.append(("usage: " + _sentence, lambda words=_words, expected=_expected: fails(2, expected, *words)))


@case("usage: text that is not UTF-8 is refused")
def _():
    status, out, err = run(WEIRCTL.encode(), b"ban", b"add", b"1.2.3.4", b"--reason", b"\xff\xfe")
    equal((status, out), (2, ""), "exit status")
    holds("UTF-8" in err, err)


@case("help lists every command, and explains one")
def _():
    out = good("help")
    for command in ("status", "why", "ban import", "allow add", "deny list", "config check", "snapshot", "reload", "events", "version"):
        holds(f"\n  {command}" in out, command)
    holds("--for" in good("help", "ban", "add") and "--for" in good("ban", "add", "--help"), "options of ban add")
    holds("--for" not in good("help", "status"), "options of status")
    holds("ban add" in answer("help")["help"], "as JSON")


# --- configuration

@case("a good configuration is said to be good, a wrong one names file, line and column")
def _():
    holds("no mistake" in good("config", "check", CONFIG_PATH), "good")
    equal(answer("config", "check", CONFIG_PATH)["ok"], True, "as JSON")
    wrong = written("wrong.yaml", CONFIG + "limits: {hard: many}\n")
    line = CONFIG.count("\n") + 1
    fails(1, f"wrong.yaml:{line}:16: limits.hard", "config", "check", wrong)
    fails(1, "limitz", "config", "check", written("typo.yaml", CONFIG + "limitz: {}\n"))
    fails(1, "nonexistent", "config", "check", "/nonexistent.yaml")


@case("config show tells each key's value and where it comes from")
def _():
    rows = {row["key"]: row for row in answer("config", "show", CONFIG_PATH)["entries"]}
    equal(rows["instance"]["value"], "t", "instance")
    holds(rows["instance"]["origin"].startswith(CONFIG_PATH), rows["instance"])
    equal(rows["limits.hard"]["origin"], "default", "origin of a default")
    rows = {row["key"]: row for row in answer("config", "show", "--profile", "lighthouse")["entries"]}
    equal((rows["limits.hard"]["value"], rows["limits.hard"]["origin"]), ("45", "profile lighthouse"), "profile")
    rows = {row["key"]: row for row in answer("config", "show", "--effective")["entries"]}
    equal(rows["instance"]["value"], "t", "of the running control")


@case("config dataplane-args is one line of arguments")
def _():
    out = good("config", "dataplane-args", CONFIG_PATH)
    equal(out.count("\n"), 1, "lines")
    equal(out.split()[:3], ["weir-dataplane", "--instance", "t"], "the beginning")
    equal(answer("config", "dataplane-args", CONFIG_PATH)["arguments"], out, "as JSON")


@case("the socket is found by the configuration")
def _():
    status, _, err = run(WEIRCTL, "--config", CONFIG_PATH, "status")
    equal((status, err), (0, ""), "exit status")


# --- status and bans

@case("status: a table for people, numbers for programs")
def _():
    status = answer("status")
    equal((status["control"]["instance"], status["dataplane"]["state"]), ("t", "absent"), "status")
    holds(isinstance(status["bans"]["all"], int), "a number")
    out = good("status")
    holds("bans in force" in out and "absent" in out, out)


@case("a ban is added, explained, listed and lifted")
def _():
    clear()
    added = answer("ban", "add", "203.0.113.9", "--for", "10m", "--reason", "scans us", "--sync")
    equal(added["tier"], 5, "tier")
    holds(590 < added["until"] - time.time() < 610, "until")
    why = answer("why", "203.0.113.9")
    equal((why["address"], why["verdict"], why["reason"], why["rule"], why["ban"]["reason"]),
          ("203.0.113.9", "drop", "banned", "T5", "scans us"), "why")
    holds("scans us" in good("why", "203.0.113.9"), "why for people")
    bans = answer("ban", "list")
    equal((len(bans["bans"]), bans["bans"][0]["key"], bans["more"]), (1, "203.0.113.9", False), "list")
    out = good("ban", "list")
    holds(out.startswith("BANNED") and "scans us" in out, out)
    equal(answer("ban", "del", "203.0.113.9")["removed"], [5], "removed")
    equal(good("ban", "list"), "No bans.\n", "nothing left")
    equal(answer("ban", "list"), {"bans": [], "more": False}, "nothing left as JSON")
    error = fails(1, "no such ban", "ban", "del", "203.0.113.9")
    equal(error["code"], 2, "control's own code")


@case("an address asks for bans that cover it, a prefix for those inside it")
def _():
    clear()
    for prefix in ("203.0.113.0/24", "203.0.113.9", "203.0.112.1", "2001:db8::/32"):
        good("ban", "add", prefix)
    keys = lambda *words: [ban["key"] for ban in answer("ban", "list", *words)["bans"]]  # noqa: E731
    equal(keys("203.0.113.9"), ["203.0.113.0/24", "203.0.113.9"], "covering")
    equal(keys("203.0.112.0/23"), ["203.0.112.1", "203.0.113.0/24", "203.0.113.9"], "inside")
    equal(keys("--limit", "2"), ["203.0.112.1", "203.0.113.0/24"], "limited")
    equal(answer("ban", "list", "--limit", "2")["more"], True, "more")
    equal(answer("ban", "list", "--limit", "4")["more"], False, "no more")
    equal(keys("--tier", "2"), [], "of another tier")
    clear()


@case("bans that ended are listed with when and why, the latest first")
def _():
    clear()
    good("ban", "add", "100.99.77.77", "--reason", "scans us")
    good("ban", "add", "100.99.77.78")
    good("ban", "del", "100.99.77.77")
    good("ban", "del", "100.99.77.78")
    rows = answer("ban", "list", "--ended", "--limit", "2")["bans"]
    equal([(ban["key"], ban["why"]) for ban in rows], [("100.99.77.78", "removed"), ("100.99.77.77", "removed")], "the latest first")
    holds(rows[0]["ended"] >= rows[0]["start"], "when")
    equal([ban["reason"] for ban in answer("ban", "list", "100.99.77.77", "--ended")["bans"]], ["scans us"], "of an address")
    out = good("ban", "list", "100.99.77.77", "--ended")
    holds(out.startswith("BANNED") and "removed" in out and "scans us" in out, out)
    equal(good("ban", "list", "100.99.77.79", "--ended"), "None ended.\n", "none of this one")


@case("a peer's id can be banned")
def _():
    clear()
    good("ban", "add", "id:16Uiu2HAm", "--reason", "spam")
    equal([(ban["scope"], ban["key"]) for ban in answer("ban", "list", "id:16Uiu2HAm")["bans"]], [("peer", "16Uiu2HAm")], "list")
    equal(good("ban", "export").count("# 1 bans of peer ids"), 1, "export says that it has no address")
    equal([peer["status"] for peer in answer("peers", "list")["peers"]], ["banned"], "a banned id is listed, seen or not")
    good("ban", "del", "id:16Uiu2HAm")
    rpc("peer.remove", id="16Uiu2HAm")


@case("what is allowlisted or our own is banned only by force")
def _():
    clear()
    for prefix in ("198.51.100.7", "198.51.0.0/16", "192.0.2.10"):
        equal(fails(1, "allowlisted or our own", "ban", "add", prefix)["code"], 1, "refused")
    good("ban", "add", "198.51.100.7", "--force")
    clear()


@case("allow and deny lists: added, shown, contradictions refused, removed")
def _():
    good("allow", "add", "203.0.113.50", "--reason", "monitoring")
    entries = answer("allow", "list")["entries"]
    equal([(e["prefix"], e["origin"]) for e in entries], [("198.51.100.0/24", "configuration"), ("203.0.113.50", "operator")], "list")
    fails(1, "contradicts", "deny", "add", "203.0.113.50")
    equal(len(answer("allow", "list", "--limit", "1")["entries"]), 1, "limited")
    good("deny", "add", "100.64.0.0/10")
    equal(answer("why", "100.64.1.1")["reason"], "denied", "why")
    good("deny", "del", "100.64.0.0/10")
    equal(good("deny", "list"), "The list is empty.\n", "empty")
    good("allow", "del", "203.0.113.50")
    fails(1, "configuration file", "allow", "del", "198.51.100.0/24")
    fails(1, "not on the list", "deny", "del", "100.64.0.0/10")


@case("snapshot, sync and reload are done when they return")
def _():
    before = answer("status")["image"]["generation"]
    equal(answer("snapshot")["generation"] > before, True, "a new generation")
    holds("durable" in answer("sync"), "sync")
    holds("in force" in good("reload"), "reload")
    written("weir.yaml", CONFIG + "limits: {hard: many}\n")
    try:
        fails(1, "limits.hard", "reload")
    finally:
        written("weir.yaml", CONFIG)
    good("reload")


@case("events are printed as they happen")
def _():
    with subprocess.Popen([WEIRCTL, "--socket", SOCKET, "--json", "events", "peer.banned"], stdout=subprocess.PIPE) as process:
        lines = []
        reader = threading.Thread(target=lambda: lines.append(process.stdout.readline()), daemon=True)
        reader.start()
        deadline = time.monotonic() + 20
        while not lines and time.monotonic() < deadline:
            good("ban", "add", "203.0.113.99", "--for", "1m", "--force")
            reader.join(.2)
            ctl("ban", "del", "203.0.113.99")
        process.send_signal(signal.SIGINT)
        process.wait(10)
    holds(lines, "an event came")
    equal(json.loads(lines[0])["event"], "peer.banned", "the event")
    fails(1, "is no event", "events", "peer.bananed")


# --- peers and the address book

def rpc(method, **params):
    """What a node says."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(SOCKET)
        client.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
        return json.loads(client.makefile().readline())["result"]


@case("peers that the node told of are listed, filtered, counted and shown")
def _():
    equal(good("peers", "list"), "No peer is known that matches.\n", "nobody yet")
    for i in range(70):
        rpc("peer.bind", id=f"peer-{i:02}", ip=f"203.0.113.{i + 1}", port=4000 + i, agent="teku/teku/v1/linux")
    rpc("peer.report", id="peer-07", action="fatal", reason="lies", proven=True)
    peers = answer("peers", "list")
    equal([peer["id"] for peer in peers["peers"]], [f"peer-{i:02}" for i in range(70)], "all pages, in order")
    equal(peers["more"], False, "no more")
    limited = answer("peers", "list", "--limit", "33")
    equal((len(limited["peers"]), limited["more"]), (33, True), "limited behind the first page")
    equal([peer["id"] for peer in answer("peers", "list", "--banned")["peers"]], ["peer-07"], "banned")
    equal([peer["id"] for peer in answer("peers", "list", "--status", "banned")["peers"]], ["peer-07"], "by status")
    equal(answer("peers", "list", "--temperature", "hot")["peers"], [], "by temperature")
    equal(len(answer("peers", "list", "--category", "none")["peers"]), 70, "by category")
    out = good("peers", "list", "--limit", "1")
    holds(out.startswith("PEER") and "peer-00" in out and "203.0.113.1 " in out and "Teku" in out, out)
    shown = answer("peers", "show", "peer-07")
    equal((shown["score"]["state"], shown["history"][0]["why"]), ("banned", "fatal: lies"), "shown")
    equal(answer("peers", "show", "id:peer-07")["id"], "peer-07", "by id:")
    equal(answer("peers", "show", "203.0.113.8:4007")["ip"], "203.0.113.8", "by address and port")
    out = good("peers", "show", "peer-07")
    holds("What moved the score" in out and "lies" in out and "Teku" in out, out)
    equal(fails(1, "nothing is known", "peers", "show", "nobody")["code"], 2, "control's own code")


@case("connections are closed by peer and by address")
def _():
    rpc("peer.bind", id="peer-closed", ip="203.0.113.200", port=4200)
    for name in ("peer-closed", "203.0.113.200:4200", "203.0.113.200", "[2001:db8::9]:30303"):
        equal(answer("disconnect", name, "--reason", "maintenance")["closed"], 0, name)  # no dataplane: none is open
    equal(good("disconnect", "203.0.113.200"), "203.0.113.200: 0 connections closed.\n", "for people")
    equal(fails(1, "no such peer", "disconnect", "nobody")["code"], 2, "control's own code")


@case("addresses are kept, listed, the best first, and forgotten")
def _():
    equal(good("book", "list"), "The address book is empty.\n", "empty")
    holds("is in the address book" in good("book", "add", "45.1.2.3:30303"), "added")
    equal(answer("book", "add", "[2a00:1450::1]:30304")["results"][0]["added"], True, "IPv6")
    fails(1, "the book does not take it", "book", "add", "10.0.0.1:30303")
    records = answer("book", "list")
    equal([(r["ip"], r["port"], r["source"]) for r in records["records"]],
          [("45.1.2.3", 30303, "config"), ("2a00:1450::1", 30304, "config")], "records")
    equal((len(answer("book", "list", "--limit", "1")["records"]), answer("book", "list", "--limit", "1")["more"]), (1, True), "limited")
    out = good("book", "list")
    holds(out.startswith("ADDRESS") and "2a00:1450::1" in out, out)
    for _ in range(3):
        rpc("book.record", ip="45.1.2.3", port=30303, ok=False)
    rpc("book.record", ip="2a00:1450::1", port=30304, ok=True)
    equal(answer("book", "best", "--limit", "1"), {"addrs": [{"ip": "2a00:1450::1", "port": 30304}]}, "the best")
    holds("2a00:1450::1" in good("book", "best"), "for people")
    equal(answer("book", "remove-failed", "4")["removed"], 0, "none failed four times")
    equal(good("book", "remove-failed", "3"), "Addresses forgotten: 1.\n", "one failed three times")
    equal([r["ip"] for r in answer("book", "list")["records"]], ["2a00:1450::1"], "the rest")
    rpc("book.clear")


# --- import and export

@case("import takes plain lists with durations and reasons, and export gives them back")
def _():
    clear()
    text = "# evil\n203.0.113.1\n203.0.113.2 1h # scans\n2001:db8:1::/48 never ; SBL\n\n203.0.113.3 1h\n"
    imported = answer("ban", "import", "-", "--reason", "import", stdin=text.encode())
    equal((imported["added"], imported["refused_n"], imported["bad_lines"]), (4, 0, 0), "counts")
    bans = {ban["key"]: ban for ban in answer("ban", "list")["bans"]}
    equal({key: ban["reason"] for key, ban in bans.items()},
          {"203.0.113.1": "import", "203.0.113.2": "scans", "203.0.113.3": "import", "2001:db8:1::/48": "SBL"}, "reasons")
    equal(bans["203.0.113.1"]["until"], None, "for ever")
    holds(3590 < bans["203.0.113.2"]["until"] - time.time() < 3610, "an hour")
    for form in ("plain", "ipset"):
        exported = good("ban", "export", "--format", form)
        clear()
        equal(answer("ban", "import", written("export", exported))["added"], 4, form)
        again = {ban["key"]: ban for ban in answer("ban", "list")["bans"]}
        equal({key: ban["reason"] for key, ban in again.items()}, {key: ban["reason"] for key, ban in bans.items()}, form)
        for key, ban in bans.items():
            holds((ban["until"] is None) == (again[key]["until"] is None), f"{form}: {key} for ever")
            holds(ban["until"] is None or abs(ban["until"] - again[key]["until"]) < 30, f"{form}: until of {key}")
    clear()


@case("an ipset of this machine's own making is read")
def _():
    clear()
    text = ("create evil hash:net family inet hashsize 1024 maxelem 65536 timeout 0 counters comment bucketsize 12 initval 0x5c4d\n"
            'add evil 203.0.113.0/25 timeout 299 packets 12 bytes 720 comment "port \\"scan\\""\n'
            "add evil 203.0.113.200 timeout 0 packets 0 bytes 0\n"
            "create six hash:ip family inet6 netmask 64\nadd six 2001:db8::\n")
    equal(answer("ban", "import", "-", stdin=text.encode())["added"], 3, "added")
    equal([(b["key"], b["reason"]) for b in answer("ban", "list")["bans"]],
          [("203.0.113.0/25", 'port "scan"'), ("203.0.113.200", ""), ("2001:db8::/64", "")], "bans")
    clear()


@case("a bad line refuses the whole file; every one is named with file and line; --skip-bad takes the rest")
def _():
    clear()
    path = written("bad.txt", "203.0.113.1\nexample.org\n10.1.0.0/8\n198.51.100.7\n203.0.113.2 soon\n")
    status, out, err = ctl("ban", "import", path)
    equal((status, out), (1, ""), "exit status")
    for line in (2, 3, 4, 5):
        holds(f"{path}:{line}: " in err, f"line {line} in {err}")
    holds("nothing was imported" in err and "did you mean 10.0.0.0/8?" in err, err)
    equal(answer("ban", "list")["bans"], [], "nothing half done")
    lines = fails(1, "nothing was imported", "ban", "import", path)["lines"]
    equal(sorted(line["line"] for line in lines), [2, 3, 4, 5], "lines as JSON")
    imported = answer("ban", "import", path, "--skip-bad")
    equal((imported["added"], imported["bad_lines"]), (1, 4), "the rest")
    imported = answer("ban", "import", written("own.txt", "198.51.100.7\n"), "--force")
    equal(imported["added"], 1, "forced")
    clear()


@case("files that are none: absent, a directory, not text, empty")
def _():
    fails(1, "cannot be read", "ban", "import", "/nonexistent/file")
    fails(1, "cannot be read", "ban", "import", folder.name)
    fails(1, "NUL", "ban", "import", written("nul", "1.2.3.4\0\n"))
    equal(answer("ban", "import", written("empty", ""))["added"], 0, "empty")
    fails(1, "not an address", "ban", "import", "-", stdin=b"\xff\xfe\xff\n")


@case("a million lines are imported, counted and exported again in seconds")
def _():
    clear()
    rng = random.Random(1)
    addresses = {(rng.choice((45, 46, 47, 48)) << 24) | rng.getrandbits(24) for _ in range(1_000_000)}
    while len(addresses) < 1_000_000:
        addresses.add((rng.choice((45, 46, 47, 48)) << 24) | rng.getrandbits(24))
    lines = [".".join(str(a >> s & 255) for s in (24, 16, 8, 0)) for a in addresses]
    path = written("million", "\n".join(lines) + "\n")
    began = time.monotonic()
    equal(answer("ban", "import", path)["added"], 1_000_000, "added")
    imported = time.monotonic()
    equal(answer("status")["bans"]["all"], 1_000_000, "in force")
    exported = good("ban", "export").splitlines()
    done = time.monotonic()
    print(f"a million bans: import {imported - began:.2f} s, export {done - imported:.2f} s")
    equal(set(exported), set(lines), "the same addresses")
    holds(imported - began < 60, "seconds, with room for a busy machine")


@case("a control that is stopped gives a sentence after the timeout, not a hanging tool")
def _():
    control.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        fails(1, "did not answer within 1 s", "status", "--timeout", "1s")
        holds(time.monotonic() - began < 20, "in time")
    finally:
        control.process.send_signal(signal.SIGCONT)


@case("an answer that is no JSON-RPC, and one without end, are refused with a sentence")
def _():
    for sent, sentence in ((b"hello\n", "not a JSON-RPC message"), (b'{"jsonrpc":"2.0","id":1}\n', "without result"),
                           (b"", "closed the connection")):
        path = os.path.join(folder.name, "odd.sock")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen(1)

            def serve(answer_bytes=sent, server=listener):
                client, _ = server.accept()
                with client:
                    client.recv(65536)
                    client.sendall(answer_bytes)

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            status, out, err = run(WEIRCTL, "--socket", path, "--timeout", "5s", "status")
            thread.join(10)
        os.unlink(path)
        equal((status, out), (1, ""), "exit status")
        holds(sentence in err, f"{sentence!r} in {err!r}")


if __name__ == "__main__":
    with control:
        code = main("tools_weirctl", CASES)
    folder.cleanup()
    sys.exit(code)
