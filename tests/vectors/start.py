# SPDX-License-Identifier: BSD-3-Clause
"""Sequences from t 0: a trace that begins there is answered as one that begins later, every moment moved with it; V11, V15, V17
and LO-7 from t 0; keys that `--set` takes."""
import json
import math

from simulation import Refused, vector

PROFILES = ("bootstrap", "lighthouse", "ouroboros", "dugite", "stellar", "spacetime", "lorachain")
LATER = 8000.25
WHERE = {"ip": "11.0.0.9", "port": 4000}
METRICS = {"rtt_ms": 30, "fetch_ms": 1.94, "blocks": 1, "uptime": .9, "conn_success": .8, "delivery": .9, "throughput": .7, "compliance": .8,
           "msgs": 10, "invalid": 1, "relayed": 5}


def trace(start):
    """(t, method, parameters): every method of simulate that takes or gives a moment."""
    return [
        (0, "governor.status", {}),
        (0, "conn.open", WHERE | {"direction": "in"}),
        (0, "peer.bind", WHERE | {"id": "a", "agent": "Lighthouse/v4.5.0"}),
        (0, "conn.data", {"conn": 1, "bytes_in": 10}),
        (0, "conn.list", {}),
        (0, "peer.metrics", {"id": "a"} | METRICS | {"tx_at": start, "block_at": start}),
        (0, "peer.get", {"id": "a"}),
        (0, "peer.gossip", {"scores": [{"id": "a", "score": -3}]}),
        (0, "peer.report", {"id": "a", "action": "low"}),
        (0, "peer.record", {"id": "a", "ok": False}),
        (0, "peer.seen", {"id": "a", "what": "metadata", "seq": 1}),
        (0, "peer.tag", {"id": "a", "trusted": False, "duty_until": {"3": start + 50}}),
        (0, "node.subnets", {"needed": [{"subnet": 3, "min_ttl": start + 50}]}),
        (0, "book.add", {"entries": [WHERE | {"source": "gossip", "seen": start}, {"ip": "12.0.0.1", "port": 1, "source": "node"}]}),
        (0, "book.get", WHERE),
        (0, "book.update", WHERE | {"observed": "outbound", "backoff": "hard_reset"}),
        (0, "book.get", WHERE),
        (0, "book.put", {"ip": "13.0.0.1", "port": 1, "next_attempt": start, "first_seen": start, "last_seen": start}),
        (0, "book.get", {"ip": "13.0.0.1", "port": 1}),
        (0, "book.record", WHERE | {"ok": False}),
        (0, "book.record", WHERE | {"ok": False}),
        (0, "book.record", WHERE | {"ok": False}),
        (0, "book.get", WHERE),
        (0, "ban.add", {"ip": "14.0.0.1", "tier": 2, "for": 60}),
        (0, "ban.add", {"prefix": "15.0.0.0/24", "tier": 5}),
        (0, "ban.list", {}),
        (0, "why", {"ip": "14.0.0.1"}),
        (0, "conn.dial", {"ip": "13.0.0.1", "port": 1}),
        (1, "ban.add", {"ip": "14.0.0.2", "until": start + 70}),
        (1, "peer.list", {}),
        (2, "conn.data", {"conn": 1, "bytes_in": 10}),
        (2, "conn.list", {}),
        (3, "peer.report", {"id": "a", "action": "fatal"}),
        (3, "peer.get", {"id": "a"}),
        (3, "peer.bind", {"id": "a", "ip": "11.0.0.9", "port": 4001}),
        (59.5, "ban.list", {}),
        (65, "ban.list", {}),
        (65, "sim.restart", {}),
        (65, "ban.list", {}),
        (65, "book.get", WHERE),
        (65, "book.list", {}),
        (600, "governor.status", {}),
        (86400, "book.list", {}),
        (86400, "ban.list", {}),
    ]


def is_moved(first, later, by, where=""):
    """Where two answers differ by more than moments that moved by `by`; None: nowhere."""
    if isinstance(first, dict) and isinstance(later, dict) and first.keys() == later.keys():
        return next(filter(None, (is_moved(first[key], later[key], by, f"{where}.{key}") for key in first)), None)
    if isinstance(first, list) and isinstance(later, list) and len(first) == len(later):
        return next(filter(None, (is_moved(*pair, by, f"{where}[{n}]") for n, pair in enumerate(zip(first, later)))), None)
    if not isinstance(first, bool) and isinstance(first, (int, float)) and isinstance(later, (int, float)):
        good = any(math.isclose(later - first, move, rel_tol=0, abs_tol=1e-6) for move in (0, by))
    else:
        good = first == later
    return None if good else f"{where}: {first} at 0, {later} later"[:200]


def answers(expect, profile, start):
    simulation = expect.simulation(profile, "stages.churn=no", ticks=False)  # ticks and churn begin with the process
    got, moments = [], 0
    for t, method, parameters in trace(start):
        try:
            simulation.ask(start + t, method, **parameters)
        except Refused:
            pass  # what one profile refuses it refuses at any time: the answers are compared
        answer = json.loads(simulation.lines[-1])
        got.append(answer)
        moments += "seen" in simulation.lines[-1]
    expect.true("there are moments in it", moments > 2)
    return got


@vector("a trace that begins at 0 is answered as one that begins later")
def start(expect):
    for profile in PROFILES:
        first, later = answers(expect, profile, 0), answers(expect, profile, LATER)
        for step, one, other in zip(trace(0), first, later):
            expect.same(f"{profile}: {step[:2]}", is_moved(one, other, LATER), None)


@vector("moments at 0 are not never")
def zero(expect):
    simulation = expect.simulation("dugite", ticks=False)
    conn = simulation.ask(0, "conn.open", direction="in", **WHERE)["conn"]
    simulation.ask(0, "peer.bind", id="a", conn=conn)
    simulation.ask(0, "conn.data", conn=conn, bytes_in=1)
    expect.same("since", simulation.ask(0, "peer.get", id="a")["since"], 0)
    expect.same("last_in", simulation.ask(0, "conn.list")["conns"][0]["last_in"], 0)
    simulation.ask(0, "book.add", entries=[{"ip": "12.0.0.1", "port": 1, "source": "gossip", "seen": 0}])
    simulation.ask(0, "book.record", ip="12.0.0.1", port=1, ok=True)
    record = simulation.ask(0, "book.get", ip="12.0.0.1", port=1)
    expect.same("of an address", record, {"first_seen": 0, "last_seen": 0, "last_attempt": 0})
    simulation.ask(0, "book.put", ip="12.0.0.2", port=1, next_attempt=0)
    record = simulation.ask(5, "book.get", ip="12.0.0.2", port=1)
    expect.same("an attempt at 0", record["next_attempt"], 0)
    expect.same("was never made", record["last_attempt"], None)
    expect.same("seen at 5 when nobody said it", simulation.ask(5, "book.add", entries=[{"ip": "12.0.0.3", "port": 1, "source": "gossip"}])
                ["results"][0]["added"], True)
    expect.same("is 5", simulation.ask(6, "book.get", ip="12.0.0.3", port=1)["last_seen"], 5)


@vector("V11, LO-7: a value of t 0 fades")
def fades(expect):
    for start_s in (0, 1):
        simulation = expect.simulation("lorachain", ticks=False)
        conn = simulation.ask(start_s, "conn.open", direction="in", **WHERE)["conn"]
        simulation.ask(start_s, "peer.bind", id="a", conn=conn)
        simulation.ask(start_s, "peer.metrics", id="a", uptime=1, conn_success=.8, delivery=.95, rtt_ms=120, throughput=.8, compliance=.95)
        before = simulation.ask(start_s, "peer.get", id="a")["values"]["lorachain"]["overall"]
        after = simulation.ask(start_s + 86400, "peer.get", id="a")["values"]["lorachain"]["overall"]
        expect.same(f"a day from {start_s}", after, before * math.exp(-.01))


@vector("V17: Dugite's reputation of a peer that fetched at t 0")
def fetched(expect):
    for start_s in (0, 1):
        simulation = expect.simulation("dugite", ticks=False)
        conn = simulation.ask(start_s, "conn.open", direction="out", **WHERE)["conn"]
        simulation.ask(start_s, "peer.bind", id="a", conn=conn)
        for _ in range(3):
            simulation.ask(start_s, "peer.record", id="a", ok=True)
        simulation.ask(start_s, "peer.metrics", id="a", rtt_ms=30, fetch_ms=1.94 * 200, blocks=200)
        expect.same(f"at {start_s}", simulation.ask(start_s, "peer.get", id="a")["values"]["dugite"], .74781)


@vector("--set: YAML's words for yes and no, and lists")
def sets(expect):
    for word, added in (("1", True), ("on", True), ("true", True), ("0", False), ("off", False)):
        simulation = expect.simulation("spacetime", f"book.allow_doc={word}", "book.per_subnet=2", ticks=False)
        got = [simulation.ask(0, "book.add", entries=[{"ip": f"203.0.113.{n}", "port": 8333, "source": "gossip"}])["results"][0]["added"]
               for n in (1, 2, 3)]
        expect.same(f"V15 with allow_doc={word}", got, [added, added, False])
    simulation = expect.simulation("stellar", "preferred=[11.0.0.9:4000]", ticks=False)
    expect.same("a preferred one", simulation.ask(0, "book.get", **WHERE)["type"], "preferred")
    simulation = expect.simulation("dugite", 'local_roots=[{"group": "g", "ip": "11.0.0.9", "port": 4000}]', ticks=False)
    expect.same("a local root", simulation.ask(0, "book.get", **WHERE)["category"], "local_root")
