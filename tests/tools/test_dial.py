#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""weir-dial against weir-node on loopback: what the clients call success is what the node echoed, and the result says when this program,
and not the far side, was the limit.

    test_dial.py BUILD [words of a case]
"""
import contextlib
import csv
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from suite import equal, holds, main, run

BUILD = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else "build"
DIAL, NODE = (os.path.join(BUILD, "bench", name) for name in ("weir-dial", "weir-node"))
KEY, OTHER_KEY = "000102030405060708090a0b0c0d0e0f", "f" * 32
SOURCES = ("--sources", "127.64.0.0/10")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextlib.contextmanager
def node(*words):
    """A running node: (its port, a function that ends it and returns its counts)."""
    port = free_port()
    with subprocess.Popen([NODE, "--listen", "127.0.0.1", "--port", str(port), "--key", KEY, *words], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        try:
            holds("listening" in process.stderr.readline(), "the node does not start")

            def end():
                process.send_signal(signal.SIGTERM)
                return json.loads(process.communicate(timeout=10)[0].splitlines()[-1])
            yield port, end
        finally:
            if process.poll() is None:
                process.kill()


def dial(port, *words, protocols=("tcp",), key=KEY):
    targets = [word for protocol in protocols for word in ("--target", f"{protocol}/127.0.0.1:{port}")]
    status, out, errors = run(DIAL, *targets, *SOURCES, "--key", key, "--json", *words)
    equal(status, 0, errors.strip())
    return json.loads(out)


def success_is_the_nodes_echo():
    with node() as (port, end):
        result = dial(port, "--rate", "500", "--seconds", "2", "--addresses", "2000", protocols=("tcp", "udp"))
        counts = end()
    classes = result["classes"]
    equal(result["succeeded"], result["attempts"], "on an idle loopback")
    equal(counts["echoed_tcp"], classes["tcp4"]["succeeded"], "TCP")
    equal(counts["echoed_udp"], classes["udp4"]["succeeded"], "UDP")
    holds(classes["tcp4"]["succeeded"] > 300 and classes["udp4"]["succeeded"] > 300, "both were asked")
    for name in ("connect_ms", "reply_ms", "late_ms"):
        equal(set(result[name]), {"count", "p50", "p90", "p99", "p99.9", "max"}, name)
    holds(result["reply_ms"]["p50"] <= result["reply_ms"]["p99"] <= result["reply_ms"]["max"], result["reply_ms"])


def only_the_node_can_answer():
    with node() as (port, end):
        result = dial(port, "--rate", "100", "--seconds", "1", protocols=("tcp", "udp"), key=OTHER_KEY)
        counts = end()
    holds(counts["echoed_tcp"] > 0, "the node answered")
    equal(result["succeeded"], 0, "answers with the tag of another key")
    equal(result["wrong_reply"], result["attempts"], "all of them")


def a_thousand_sources_by_seed():
    paths = []
    with tempfile.TemporaryDirectory() as directory, node() as (port, _end):
        for number, seed in enumerate((7, 7, 8)):
            path = f"{directory}/{number}.csv"
            result = dial(port, "--rate", "1000", "--seconds", "1", "--addresses", "1000", "--seed", str(seed), "--csv", path)
            equal(result["seed"], seed)
            equal(result["command"][0], DIAL)
            holds("--csv" in result["command"], result["command"])
            with open(path, encoding="ascii", newline="") as file:
                rows = sorted(csv.DictReader(file), key=lambda row: float(row["intended_s"]))
            equal(len(rows), result["attempts"], "lines")
            paths.append([row["source"] for row in rows])
    equal(len(set(paths[0])), 1000, "each source once before any is used again")
    equal(paths[0], paths[1], "the same seed")
    holds(paths[0] != paths[2], "another seed")


def the_generator_names_itself_as_the_limit():
    with node("--max-connections", "100") as (port, _end):
        free = dial(port, "--rate", "200", "--seconds", "1")
        full = dial(port, "--rate", "200", "--seconds", "1", "--behave", "silent", "--open-max", "10")
    equal(free["not_started"], 0)
    equal(full["not_started"], 190)
    equal(full["bottleneck"], "generator")


def a_stopped_generator_counts_what_was_late():
    with node() as (port, _end):
        command = [DIAL, "--target", f"tcp/127.0.0.1:{port}", *SOURCES, "--key", KEY, "--rate", "500", "--seconds", "2", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            time.sleep(0.7)
            process.send_signal(signal.SIGSTOP)
            time.sleep(0.5)
            process.send_signal(signal.SIGCONT)
            result = json.loads(process.communicate(timeout=20)[0])
    equal(result["attempts"], 1000, "the schedule is kept")
    holds(result["late"] >= 200, f"0.5 s at 500/s, of which 10 ms are not late: {result['late']}")
    holds(result["reply_ms"]["max"] >= 400, f"the stall is in the latency: {result['reply_ms']}")
    equal(result["bottleneck"], "generator")


def resends_of_who_fails_count():
    """A listener whose queue is full drops SYNs, and the kernel resends each after a second; once it is closed, one is refused."""
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        for wanted, timeout, close_s in (("timed_out", "2.5", None), ("refused", "8", 1.5)):
            path, listener = f"{directory}/{wanted}", stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for filler in (stack.enter_context(socket.socket()) for _ in range(4)):
                filler.setblocking(False)
                filler.connect_ex(listener.getsockname())
            time.sleep(0.1)
            if close_s:
                threading.Timer(close_s, listener.close).start()
            result = dial(listener.getsockname()[1], "--rate", "20", "--seconds", "0.5", "--timeout", timeout, "--csv", path)
            with open(path, encoding="ascii", newline="") as file:
                resends = [int(row["resends"]) for row in csv.DictReader(file) if row["outcome"] == wanted]
            equal(len(resends), 10, f"{wanted}: {result}")
            holds(min(resends) >= 1, f"{wanted}: resends of each: {resends}")
            equal(result["syn_resends"], sum(resends), wanted)


def the_node_complains_by_address():
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/complaints"
        with node("--complaints", path, "--max-connections", "3") as (port, end):
            dial(port, "--rate", "50", "--seconds", "0.4", "--behave", "silent")
            counts = end()
        with open(path, encoding="ascii") as file:
            lines = [line.split() for line in file]
    equal(sum(why == "full" for _, why in lines), counts["refused_full"])
    equal(sum(why == "nothing" for _, why in lines), counts["closed_by_peer"] + counts["reset_by_peer"])
    holds(counts["refused_full"] > 0 and all(source.startswith("127.") for source, _ in lines), lines)


def refusals():
    for words, sentence in ((["--target", "tcp/8.8.8.8:53", *SOURCES], "public address"),
                            (["--target", "tcp/127.0.0.1:1"], "--sources"),
                            (["--target", "tcp/[::1]:1", *SOURCES], "its family"),
                            (["--target", "udp/127.0.0.1:1", *SOURCES, "--behave", "half"], "TCP")):
        status, _, errors = run(DIAL, *words)
        equal(status, 2, words)
        holds(sentence in errors, errors)


if __name__ == "__main__":
    sys.exit(main("tools_dial", [
        ("what clients call success is what the node echoed", success_is_the_nodes_echo),
        ("an echo with another key's tag is no success", only_the_node_can_answer),
        ("a thousand sources come in the order of the seed", a_thousand_sources_by_seed),
        ("what found no place here is the generator's limit", the_generator_names_itself_as_the_limit),
        ("a stall of the generator shows as its own", a_stopped_generator_counts_what_was_late),
        ("resent SYNs of attempts that fail count too", resends_of_who_fails_count),
        ("the node names whom a log would name", the_node_complains_by_address),
        ("what makes no sense or is not ours to dial is refused", refusals),
    ]))
