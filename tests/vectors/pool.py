# SPDX-License-Identifier: BSD-3-Clause
"""Sequences of who is connected, who goes and what is aimed at: V8, V22, V23, V30, V32 to V37, and section 5.6."""
from simulation import Refused, vector


def connect(simulation, t, id_, ip, direction="in", port=9000, **tags):
    """The connection of a peer, tagged."""
    conn = simulation.ask(t, "conn.open", ip=ip, port=port, direction=direction)["conn"]
    simulation.ask(t, "peer.bind", id=id_, conn=conn, **({"listen_port": port} if direction == "in" else {}))
    if tags:
        simulation.ask(t, "peer.tag", id=id_, **tags)
    return conn


def gone(simulation):
    """Ids that are on their way out or gone."""
    return {peer["id"] for peer in simulation.ask(simulation.t, "peer.list", n=1000)["peers"]
            if peer["id"] and peer["status"] in ("disconnecting", "disconnected", "banned")}


def prune(expect, **committee):
    simulation = expect.simulation("lighthouse", "eviction.grace=0", ticks=False)
    rows = (("A", "in", -5, [1], {}), ("B", "out", -3, [2], {}), ("C", "in", 0, [], {}), ("D", "out", 0, [1, 2], {}), ("E", "in", 0, [1], {}),
            ("F", "in", 0, [1, 3], {}), ("G", "in", 0, [], {"trusted": True}), ("H", "out", 0, [4], {}))
    for n, (name, direction, score, subnets, tags) in enumerate(rows):
        if name in committee:
            tags = tags | {"sync_committees": committee[name]}
        connect(simulation, 0, name, f"203.0.113.{n + 1}", direction, subnets=subnets, **tags)
        for _ in range(-score):
            simulation.ask(0, "peer.report", id=name, action="high", reason="vector")
    # target_out is 2: three tenths of 4, rounded up
    simulation.ask(0, "governor.targets", target=4)
    simulation.ask(0, "governor.tick")
    return simulation


@vector("V8: pruning to a target of 4")
def pruned(expect):
    simulation = prune(expect)
    short = simulation.ever("prune.short")
    simulation.ask(10, "book.count")
    expect.same("who goes", sorted(gone(simulation)), ["A", "B", "C", "E"])
    expect.same("nobody was missing", short, [])
    member = prune(expect, E=[0])
    short = member.ever("prune.short")
    member.ask(10, "book.count")
    expect.same("the only member of a committee stays", sorted(gone(member)), ["A", "B", "C"])
    expect.true("one is short", len(short) >= 1)


@vector("V22: the circuit breaker")
def circuit(expect):
    simulation = expect.simulation("dugite", "book.allow_doc=yes", ticks=False)
    where = {"ip": "203.0.113.9", "port": 3001}
    simulation.ask(0, "book.add", entries=[where | {"source": "config"}])

    def dial(t):
        return simulation.ask(t, "conn.dial", **where)

    for t in (0, 5, 15):
        simulation.ask(t, "book.record", ok=False, **where)
    expect.same("open", simulation.ask(15, "book.get", **where)["circuit"], "open")
    expect.same("at 74", dial(74)["allow"], False)
    at_75 = dial(75)
    expect.same("at 75 a probe", [at_75["allow"], at_75["circuit"]], [True, "half_open"])
    expect.same("a second one at once is denied", dial(75)["allow"], False)
    simulation.ask(76, "book.record", ok=False, **where)
    expect.same("at 195", dial(195)["allow"], False)
    expect.same("at 196", dial(196)["allow"], True)
    simulation.ask(197, "book.record", ok=False, **where)
    simulation.ask(300, "book.record", ok=False, **where)
    expect.same("at 436", dial(436)["allow"], False)
    expect.same("a failure at 300 changed nothing: at 437", dial(437)["allow"], True)


def fill(simulation, n, t=0):
    for i in range(n):
        simulation.ask(t, "conn.open", ip=f"10.{i // 250}.{i % 250}.1", port=1000, direction="in")


@vector("V23: pacing as a sequence")
def pace(expect):
    simulation = expect.simulation("ouroboros", ticks=False)
    fill(simulation, 383)
    for n, delay, verdict in ((383, 0, "forward"), (384, 0, "forward"), (385, 39.0625, "pace")):
        answer = simulation.ask(100 * (n - 380), "conn.open", ip=f"172.16.{n // 200}.{n % 200}", port=1, direction="in")
        expect.same(f"the {n + 1}th", [answer["verdict"], answer["delay_ms"]], [verdict, delay])


@vector("V30: five connections in sixty seconds")
def window(expect):
    simulation = expect.simulation("dugite", ticks=False)
    for t, admitted in ((0, True), (1, True), (2, True), (3, True), (4, True), (5, False), (59.9, False), (60, True), (60.5, False), (61, True)):
        answer = simulation.ask(t, "conn.open", ip="203.0.113.9", port=int(t * 10) + 1, direction="in")
        expect.same(f"at {t}", answer["verdict"] == "forward", admitted)


@vector("V32: pending places, preferred ones and displacement")
def places(expect):
    simulation = expect.simulation("stellar", "timeouts.auth=10m", ticks=False)
    simulation.ask(0, "book.put", ip="192.88.98.1", port=11625, type="preferred")
    for n in (2, 3):
        simulation.ask(0, "peer.tag", ip=f"192.88.98.{n}", preferred=True)
    simulation.ask(0, "peer.tag", ip="192.88.98.1", preferred=True)
    for n in range(444):
        answer = simulation.ask(0, "conn.open", ip=f"10.1.{n // 250}.{n % 250}", port=5, direction="in")
    expect.same("the 444th", answer["verdict"], "forward")
    expect.same("an ordinary one is refused", simulation.ask(0, "conn.open", ip="10.9.9.9", port=5, direction="in")["verdict"], "refuse")
    for n, admitted in ((1, True), (2, True), (3, False)):
        answer = simulation.ask(0, "conn.open", ip=f"192.88.98.{n}", port=5, direction="in")
        expect.same(f"a possibly preferred one at {443 + n}", answer["verdict"] == "forward", admitted)


@vector("V32: sixty-four authenticated")
def displaced(expect):
    simulation = expect.simulation("stellar", ticks=False)
    for n in range(64):
        conn = simulation.ask(0, "conn.open", ip=f"10.1.1.{n + 1}", port=5, direction="in")["conn"]
        simulation.ask(0, "conn.auth", conn=conn, ok=True)
    simulation.ask(1, "peer.tag", ip="192.88.98.1", preferred=True)
    conn = simulation.ask(1, "conn.open", ip="192.88.98.1", port=5, direction="in")
    evicted = conn["evicted"] or simulation.ask(1, "conn.auth", conn=conn["conn"], ok=True)["evicted"]
    expect.same("a preferred one displaces exactly one", len(evicted), 1)
    simulation = expect.simulation("stellar", ticks=False)
    for n in range(64):
        conn = simulation.ask(0, "conn.open", ip=f"10.1.1.{n + 1}", port=5, direction="in")["conn"]
        simulation.ask(0, "conn.auth", conn=conn, ok=True)
    expect.same("another one is told of others and closed", simulation.ask(1, "conn.open", ip="10.2.2.2", port=5, direction="in")["verdict"], "courtesy")


def peers(simulation, kinds, t=0):
    """{temperature: n}: peers a0, a1, ... of each, outbound; the cold ones only in the book."""
    n = 0
    for temperature, count in kinds.items():
        for i in range(count):
            n += 1
            ip = f"11.{n // 200}.{n % 200}.1"
            simulation.ask(t, "book.add", entries=[{"ip": ip, "port": 3001, "source": "ledger"}])
            if temperature == "cold":
                continue
            connect(simulation, t, f"{temperature}{i}", ip, "out", port=3001)
            simulation.ask(t, "peer.state", id=f"{temperature}{i}", to="warm")
            if temperature == "hot":
                simulation.ask(t, "peer.state", id=f"{temperature}{i}", to="hot")


@vector("V33: what is missing")
def deficit(expect):
    simulation = expect.simulation("dugite", "stages.churn=no", ticks=False)
    peers(simulation, {"hot": 5, "warm": 10, "cold": 20})
    actions = simulation.ask(60, "governor.tick")["actions"]
    names = [action["event"] for action in actions]
    expect.same("promotions", names.count("governor.promote"), 10)
    expect.same("connections", names.count("governor.connect"), 20)
    shares = names.count("governor.share")
    expect.true(f"one or two are asked for addresses ({shares})", 1 <= shares <= 2)


@vector("V34: what is too much")
def surplus(expect):
    simulation = expect.simulation("dugite", "stages.churn=no", "stages.stall=no", ticks=False)
    simulation.ask(0, "governor.targets", active=2, established=10, known=10, root=0)
    peers(simulation, {"hot": 4})
    # reputations .2, .3, .4, .5 by what makes them: outcomes of the node's own
    for n, failures in enumerate((4, 3, 2, 0)):
        for _ in range(failures):
            simulation.ask(0, "peer.record", id=f"hot{n}", ok=False)
    simulation.ask(0, "peer.tag", id="hot0", category="local_root", group={"name": "roots", "hot": 1, "warm": 1})
    actions = simulation.ask(60, "governor.tick")["actions"]
    expect.same("the two lowest but for the local root", [action["id"] for action in actions if action["event"] == "governor.demote"], ["hot1", "hot2"])


@vector("V35: a group's valency comes first")
def valency(expect):
    simulation = expect.simulation("dugite", "stages.churn=no", ticks=False)
    simulation.ask(0, "governor.targets", active=2, established=10, known=10, root=0)
    group = {"name": "g", "hot": 1, "warm": 2}
    connect(simulation, 0, "a", "11.0.0.1", "out", group=group, category="local_root")
    simulation.ask(0, "peer.state", id="a", to="warm")
    for name, ip in (("b", "11.0.0.2"), ("c", "11.0.0.3")):
        simulation.ask(0, "book.add", entries=[{"ip": ip, "port": 3001, "source": "config", "category": "local_root"}])
        simulation.ask(0, "peer.tag", ip=ip, port=3001, group=group, category="local_root")
    actions = simulation.ask(60, "governor.tick")["actions"]
    expect.same("the first two", [action["event"] for action in actions[:2]], ["governor.connect", "governor.promote"])
    expect.same("whom", [actions[0].get("ip"), actions[1].get("id")], ["11.0.0.2", "a"])


@vector("V36: a peer that brings no more blocks")
def stall(expect):
    for hot, demoted in ((6, True), (5, False)):
        simulation = expect.simulation("dugite", "stages.surplus=no", "stages.churn=no", ticks=False)
        simulation.ask(0, "governor.targets", active=5, established=10, known=10, root=0)
        peers(simulation, {"hot": hot})
        simulation.ask(0, "peer.metrics", id="hot0", fetch_ms=100, blocks=10)
        for evaluation in range(1, 8):
            for n in range(1, hot):  # the others go on
                simulation.ask(30 * evaluation, "peer.metrics", id=f"hot{n}", fetch_ms=100, blocks=evaluation)
            actions = simulation.ask(30 * evaluation, "governor.tick")["actions"]
            who = [action["id"] for action in actions if action["event"] == "governor.demote"]
            expect.same(f"{hot} hot, evaluation {evaluation}", who, ["hot0"] if demoted and evaluation == 7 else [])


@vector("V37: the coldest is forgotten")
def coldest(expect):
    simulation = expect.simulation("dugite", "stages.churn=no", ticks=False)
    for n in range(128):
        simulation.ask(n, "book.add", entries=[{"ip": f"11.{n // 8}.{n % 8}.1", "port": 3001, "source": "config" if n == 0 else "gossip"}])
    simulation.ask(200, "book.record", ip="11.0.1.1", port=3001, ok=True)
    actions = simulation.ask(300, "governor.tick")["actions"]
    known = simulation.ask(300, "book.count")["count"]
    expect.same("one goes", known, 127)
    expect.true("it is told", [action for action in actions if action["event"] in ("governor.evict_cold", "book.evicted")] or simulation.ever("book.evicted"))
    expect.true("the configured one stays", simulation.ask(300, "book.get", ip="11.0.0.1", port=3001))
    expect.true("the one that was connected stays", simulation.ask(300, "book.get", ip="11.0.1.1", port=3001))


def discover(expect, connected, outbound):
    simulation = expect.simulation("lighthouse", ticks=False)
    for n in range(connected):
        simulation.ask(0, "conn.open", ip=f"11.{n}.0.1", port=1, direction="out" if n < outbound else "in", id=f"p{n}")
    simulation.ask(1, "governor.tick")
    found = simulation.ever("discover.peers")
    return found[-1]["n"] if found else 0


@vector("LH-4: how many to discover")
def discovery(expect):
    for connected, outbound, wanted in ((50, 9, 10), (40, 9, 15), (50, 10, 0)):
        expect.same(f"{connected} connected, {outbound} outbound", discover(expect, connected, outbound), wanted)


@vector("LH-23: of two peers equal but for age the younger goes")
def younger(expect):
    simulation = expect.simulation("lighthouse", "eviction.grace=0", ticks=False)
    for t, name, ip in ((0, "old", "11.0.0.1"), (10, "young", "11.1.0.1"), (20, "third", "11.2.0.1")):
        connect(simulation, t, name, ip, subnets=[1])
    simulation.ask(100, "governor.targets", target=2)
    simulation.ask(100, "governor.tick")
    expect.same("who goes", gone(simulation), {"third"})
    simulation.ask(101, "peer.list")
    try:
        simulation.ask(110, "peer.state", id="third", to="hot")
        expect.true("cold to hot is no step", False)
    except Refused as error:
        expect.same("cold to hot is no step (DU-1)", error.code, 1)
