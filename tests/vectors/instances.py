# SPDX-License-Identifier: BSD-3-Clause
"""What a restart keeps and what it forgets (section 5.5.16), and that equal seeds and traces give equal bytes."""
import random

from simulation import Refused, vector

PEER = "203.0.113.9"


def report(simulation, t, action, **peer):
    return simulation.ask(t, "peer.report", action=action, reason="vector", **(peer or {"ip": PEER}))


@vector("a restart keeps a score's ban, with its score and its freeze (T3)")
def score_ban(expect):
    plain, restarted = expect.simulation("lighthouse"), expect.simulation("lighthouse")
    for simulation in (plain, restarted):
        for _ in range(10):
            report(simulation, 1000, "mid")
    expect.same("it is loaded", restarted.ask(2000, "sim.restart")["loaded"]["bans"], 1)
    # what is left of the score once nobody is banned or disconnected for it is runtime
    for t in (2000, 44200, 44201, 44900):
        answers = [simulation.ask(t, "why", ip=PEER) for simulation in (plain, restarted)]
        for name in ("verdict", "tiers", "until", "state"):
            expect.same(f"{name} at {t}", answers[1][name], answers[0][name])
        expect.same(f"score at {t}", answers[1]["score"], answers[0]["score"], close=1e-6)


@vector("a restart keeps strikes: the fourth temporary ban is permanent all the same")
def strikes(expect):
    simulation = expect.simulation("lorachain")
    for n in range(4):
        t = 4000 * n
        for _ in range(5):
            ban = report(simulation, t, "invalid_message")["ban"]
        expect.same(f"ban {n + 1}", ban["until"], t + 3600 if n < 3 else None)
        simulation.ask(t + 10, "sim.restart")
        expect.same(f"ban {n + 1} is in force after a restart", simulation.ask(t + 10, "why", ip=PEER)["tiers"], [2 if n < 3 else 5])
        if n < 3:
            expect.same(f"ban {n + 1} ends", simulation.ask(t + 3600, "why", ip=PEER)["verdict"], "forward")


@vector("a restart keeps manual bans, those of addresses, and the lists; it forgets a throttle")
def tiers(expect):
    simulation = expect.simulation("lighthouse", "throttle.on=any_close", "target=1", "close.grace=0", ticks=False)
    for n, direction in ((1, "in"), (2, "out")):
        conn = simulation.ask(0, "conn.open", ip=f"198.51.100.{n}", port=1, direction=direction, id=f"p{n}")["conn"]
    simulation.ask(1, "conn.close", conn=conn - 1, by="client", how="fin", bytes_in=1)
    simulation.ask(2, "ban.add", prefix="192.0.2.0/24", reason="manual", tier=5)
    simulation.ask(2, "ban.add", ip=PEER, reason="temporary", tier=2, for_=100)
    simulation.ask(2, "list.add", list="allow", prefix="192.0.2.7")
    simulation.ask(3, "governor.targets", target=50)
    for n in range(6):
        conn = simulation.ask(3, "conn.open", ip="203.0.113.50", port=n + 1, direction="out")["conn"]
        simulation.ask(3, "peer.bind", id=f"bad{n}", conn=conn)
    for n in range(6):
        report(simulation, 3, "fatal", id=f"bad{n}")
    before = {ip: simulation.ask(4, "why", ip=ip)["tiers"] for ip in ("198.51.100.1", "192.0.2.9", PEER, "203.0.113.50")}
    expect.same("before", before, {"198.51.100.1": [1], "192.0.2.9": [5], PEER: [2], "203.0.113.50": [4]})
    simulation.ask(5, "sim.restart")
    after = {ip: simulation.ask(5, "why", ip=ip)["tiers"] for ip in before}
    expect.same("after", after, before | {"198.51.100.1": []})
    expect.same("the allowed one is allowed", simulation.ask(5, "why", ip="192.0.2.7")["verdict"], "forward")
    expect.same("no connection is left", simulation.ask(5, "conn.list")["conns"], [])
    expect.same("the temporary one ends", simulation.ask(102, "why", ip=PEER)["verdict"], "forward")


@vector("a restart keeps the book with its backoff; it forgets circuits, tags and round trips")
def book(expect):
    simulation = expect.simulation("dugite", ticks=False)
    where = {"ip": "11.0.0.1", "port": 3001}
    simulation.ask(0, "book.add", entries=[where | {"source": "ledger", "category": "ledger"}])
    for t in (0, 5, 15):
        simulation.ask(t, "book.record", ok=False, **where)
    conn = simulation.ask(16, "conn.open", ip="11.0.0.9", port=3001, direction="out", rtt_ms=40)["conn"]
    simulation.ask(16, "peer.bind", id="p", conn=conn)
    simulation.ask(16, "peer.tag", id="p", trusted=True, preferred=True)
    before = simulation.ask(20, "book.get", **where)
    expect.same("open", before["circuit"], "open")
    simulation.ask(20, "sim.restart")
    after = simulation.ask(20, "book.get", **where)
    for name in ("category", "source", "type", "next_attempt", "failures", "ok", "fail", "first_seen", "last_seen", "quality"):
        expect.same(name, after[name], before[name])
    expect.same("its circuit is forgotten", after["circuit"], "closed")
    try:
        peer = simulation.ask(20, "peer.get", id="p")
        expect.same("its tags are", peer["tags"], {"trusted": False, "preferred": False})
    except Refused as error:
        expect.same("the peer is forgotten with its tags", error.code, 2)


def address(numbers):
    return f"11.{numbers.randrange(4)}.{numbers.randrange(30)}.{numbers.randrange(1, 30)}"


def step(numbers):
    """A method with parameters that are mostly right."""
    id_, where = f"peer{numbers.randrange(60)}", {"ip": address(numbers), "port": numbers.randrange(1, 40)}
    choices = [
        ("conn.open", where | {"direction": numbers.choice(("in", "out")), "rtt_ms": numbers.randrange(300)} | ({"id": id_} if numbers.random() < .7 else {})),
        ("conn.open", where | {"direction": "in", "id": id_}),
        ("conn.close", {"conn": numbers.randrange(1, 2000), "by": numbers.choice(("client", "node", "weir")),
                        "how": numbers.choice(("fin", "rst", "timeout", "backend_refused")), "bytes_in": numbers.randrange(2) * 100}),
        ("conn.data", {"conn": numbers.randrange(1, 2000), "bytes_in": numbers.randrange(1000), "bytes_out": 10}),
        ("conn.auth", {"conn": numbers.randrange(1, 2000), "ok": numbers.random() < .8}),
        ("conn.attempt", {"ip": where["ip"], "count": numbers.randrange(1, 50)}),
        ("conn.dial", where),
        ("peer.bind", {"id": id_, "conn": numbers.randrange(1, 2000), "agent": "teku/teku/v1/linux"}),
        ("peer.report", {"id": id_, "action": numbers.choice(("low", "mid", "high", "fatal", "invalid_message", "spam")), "reason": "r"}),
        ("peer.report", {"ip": where["ip"], "action": numbers.choice(("low", "mid", "high")), "reason": "r"}),
        ("peer.record", {"id": id_, "ok": numbers.random() < .6}),
        ("peer.state", {"id": id_, "to": numbers.choice(("cold", "warm", "hot", "cooling"))}),
        ("peer.tag", {"id": id_, "trusted": numbers.random() < .1, "subnets": [numbers.randrange(64)], "preferred": numbers.random() < .2}),
        ("peer.metrics", {"id": id_, "rtt_ms": numbers.randrange(500), "fetch_ms": numbers.randrange(500), "blocks": numbers.randrange(1, 100)}),
        ("peer.gossip", {"scores": {id_: numbers.uniform(-20000, 100)}}),
        ("peer.seen", {"id": id_, "what": numbers.choice(("ping", "status", "metadata")), "seq": numbers.randrange(5)}),
        ("peer.request", {"id": id_, "protocol": "ping"}),
        ("peer.rpc_error", {"id": id_, "error": "io_error", "protocol": "ping", "by": "them"}),
        ("peer.get", {"id": id_}),
        ("peer.list", {"n": 20}),
        ("peer.best", {"n": 5}),
        ("peer.disconnect", {"id": id_, "reason": "r"}),
        ("ban.add", {"ip": where["ip"], "reason": "r", "for": numbers.randrange(1, 1000)}),
        ("ban.remove", {"ip": where["ip"]}),
        ("ban.list", {}),
        ("why", {"ip": where["ip"]}),
        ("book.add", {"entries": [where | {"source": numbers.choice(("gossip", "ledger", "node")), "from": address(numbers)}]}),
        ("book.record", where | {"ok": numbers.random() < .5}),
        ("book.random", {"n": 5, "filter": "any"}),
        ("book.to_send", {"n": 5, "asker": where["ip"]}),
        ("book.to_connect", {"n": 5}),
        ("book.best", {"n": 5}),
        ("node.sync_state", {"state": numbers.choice(("caught_up", "syncing", "pre_syncing"))}),
        ("node.subnets", {"needed": [{"subnet": numbers.randrange(64), "min_ttl": 100000}]}),
        ("node.up", {"up": numbers.random() < .9}),
        ("governor.tick", {}),
        ("governor.status", {}),
        ("governor.targets", {}),
    ]
    return numbers.choice(choices)


def trace(simulation, seed, steps):
    """The answers; refusals are answers too."""
    numbers, t = random.Random(seed), 0
    for _ in range(steps):
        t = round(t + numbers.choice((0, 0, .1, 1, 7, 60)), 3)
        method, parameters = step(numbers)
        try:
            simulation.ask(t, method, **parameters)
        except Refused:
            pass
    return simulation.lines


@vector("two instances with one seed and one trace give the same bytes; another seed does not")
def determinism(expect):
    for profile in ("bootstrap", "lighthouse", "ouroboros", "dugite", "stellar", "spacetime", "lorachain"):
        first, second = (trace(expect.simulation(profile), 7, 1500) for _ in range(2))
        expect.true(f"{profile}: the same bytes", first == second)
        expect.true(f"{profile}: most of it was done", sum('"result"' in line for line in first) > 700)
    other = trace(expect.simulation("bootstrap", seed=2), 7, 1500)
    expect.true("another seed chooses differently", other != trace(expect.simulation("bootstrap"), 7, 1500))
