# SPDX-License-Identifier: BSD-3-Clause
"""Vectors that formulas.py gives to sim.eval, here as what a node does: V16; and those of
pool.py that a node meets at once, without a minute's rest: V33, V35."""
from pool import connect, peers
from simulation import vector


@vector("V16: moving averages of a connected peer")
def averages(expect):
    for start in (0, 1, 86400):
        simulation = expect.simulation("dugite", "book.allow_doc=yes", ticks=False)
        connect(simulation, start, "a", "203.0.113.9", "out", port=3001)
        for n, (rtt, average) in enumerate(((100, 100), (50, 85), (200, 119.5), (80, 107.65))):
            simulation.ask(start + n, "peer.metrics", id="a", rtt_ms=rtt)
            expect.same(f"round trips from {start}, {n + 1} of them", simulation.ask(start + n, "peer.get", id="a")["rtt_ms"], average)
        for n, fetch in enumerate((200, 180)):
            simulation.ask(start + 10 + n, "peer.metrics", id="a", fetch_ms=fetch, blocks=100)
        expect.same(f"fetches from {start}, per block", simulation.ask(start + 12, "peer.get", id="a")["fetch_ms"], 1.94)


@vector("V16: what a connection measured is not rounded on its way to the peer")
def measured(expect):
    simulation = expect.simulation("dugite", ticks=False)
    conn = simulation.ask(0, "conn.open", ip="11.0.0.1", port=3001, direction="out", rtt_ms=107.65)["conn"]
    expect.same("of the connection", simulation.ask(0, "conn.list")["conns"][0]["min_rtt_ms"], 107.65)
    simulation.ask(0, "peer.bind", id="a", conn=conn)
    expect.same("of the peer", simulation.ask(0, "peer.get", id="a")["rtt_ms"], 107.65)


def actions(simulation, t):
    return simulation.ask(t, "governor.tick")["actions"]


def count(told, name):
    return [action["event"] for action in told].count(name)


@vector("V33: what is missing is told at once")
def deficit(expect):
    for start in (0, 1, 4, 5, 1000):
        for wait in (0, 1, 4):
            simulation = expect.simulation("dugite", "stages.churn=no", ticks=False)
            peers(simulation, {"hot": 5, "warm": 10, "cold": 20}, start)
            told = actions(simulation, start + wait)
            when = f"from {start}, after {wait} s"
            expect.same(f"promotions {when}", count(told, "governor.promote"), 10)
            expect.same(f"connections {when}", count(told, "governor.connect"), 20)
            expect.same(f"ten addresses of each {when}", [action.get("count") for action in told if action["event"] == "governor.share"], [10, 10])
            expect.same(f"nothing else {when}", len(told), 32)


@vector("V35: a group's valency does not wait")
def valency(expect):
    group = {"name": "g", "hot": 1, "warm": 2}
    for start in (0, 1, 1000):
        for direction, id_ in (("out", "a"), ("in", "a")):
            simulation = expect.simulation("dugite", "stages.churn=no", ticks=False)
            simulation.ask(start, "governor.targets", active=2, established=10, known=10, root=0)
            connect(simulation, start, id_, "11.0.0.1", direction, group=group, category="local_root")
            simulation.ask(start, "peer.state", id=id_, to="warm")
            for ip in ("11.0.0.2", "11.0.0.3"):
                simulation.ask(start, "book.add", entries=[{"ip": ip, "port": 3001, "source": "config", "category": "local_root"}])
                simulation.ask(start, "peer.tag", ip=ip, port=3001, group=group, category="local_root")
            told = actions(simulation, start)
            when = f"from {start}, {direction}"
            expect.same(f"the first two {when}", [action["event"] for action in told[:2]], ["governor.connect", "governor.promote"])
            expect.same(f"whom {when}", [told[0].get("ip"), told[1].get("id")], ["11.0.0.2", "a"])


@vector("DU-22: who came by itself is a candidate after fifteen minutes, who was dialled at once")
def maturity(expect):
    for direction, promoted in (("in", [0, 0, 1]), ("out", [1, 0, 0])):
        simulation = expect.simulation("dugite", "stages.churn=no", "timeouts.payload_idle=0", ticks=False)
        connect(simulation, 10, "a", "11.0.0.1", direction, port=3001)
        simulation.ask(10, "peer.state", id="a", to="warm")
        expect.same(f"{direction}: told when", [count(actions(simulation, t), "governor.promote") for t in (10, 69, 910)], promoted if direction == "in" else [1, 0, 1])


@vector("DU-16: churn follows the node into syncing and out of it")
def churn(expect):
    for start, nothing_at, started_at in ((0, 899.9, 930), (500, 899.9, 930), (1000, 1000, 1030)):
        simulation = expect.simulation("dugite")
        simulation.ask(start, "node.sync_state", state="syncing")
        simulation.ask(nothing_at, "book.count")
        before = len(simulation.ever("churn.start"))
        simulation.ask(started_at, "book.count")
        expect.same(f"syncing at {start}", [before, len(simulation.ever("churn.start"))], [0, 1])
    simulation = expect.simulation("dugite")
    simulation.ask(0, "node.sync_state", state="syncing")
    simulation.ask(10, "node.sync_state", state="caught_up")
    simulation.ask(3299.9, "book.count")
    expect.same("at the tip again: nothing before 3300 s", simulation.ever("churn.start"), [])
    simulation.ask(3330, "book.count")
    expect.same("then it starts", len(simulation.ever("churn.start")), 1)


@vector("SP-8, DU-4: a peer has one reputation, whoever tells it")
def reputation(expect):
    for profile, values in (("spacetime", [-2, -4, -3]), ("dugite", [.4, .3, .31])):
        simulation = expect.simulation(profile, ticks=False)
        connect(simulation, 10, "a", "11.0.0.1", "in")
        for ok, value in zip((False, False, True), values):
            told = simulation.ask(10, "peer.record", id="a", ok=ok)["reputation"]
            expect.same(f"{profile}: {value}", [told, simulation.ask(10, "peer.get", id="a")["reputation"]], [value, value])


@vector("DU-2, SP-10: each entry of book.add has its own answer, and the policy's words are understood")
def entries(expect):
    simulation = expect.simulation("dugite", ticks=False)
    simulation.ask(0, "conn.open", ip="11.9.0.1", port=5, direction="in", id="abc")
    added = simulation.ask(0, "book.add", entries=[
        {"ip": "11.0.0.1", "port": 3001, "source": "config"}, {"ip": "bad", "port": 3001}, {"ip": "11.0.0.2", "port": 0},
        {"ip": "11.0.0.3", "port": 3001, "source": "peer_sharing"}, {"ip": "11.0.0.4", "port": 3001, "source": "gossip:abc"},
        {"ip": "11.0.0.5", "port": 3001, "source": "rumour"}, {"ip": "11.0.0.6", "port": 3001, "source": "ledger", "category": "big_ledger_peer"}])["results"]
    expect.same("added", [result["added"] for result in added], [True, False, False, True, True, False, True])
    expect.same("why not", [result["why"] for result in added if not result["added"]], ["ip", "port", "source"])
    kept = simulation.ask(0, "book.list")["records"]
    expect.same("sources", [record["source"] for record in kept], ["config", "gossip", "gossip", "ledger"])
    expect.same("the category", kept[3]["category"], "big_ledger")


@vector("DU-17: peer.tag and peer.get tell the group")
def group(expect):
    simulation = expect.simulation("dugite", ticks=False)
    connect(simulation, 0, "a", "11.0.0.1", "out", port=3001)
    group = {"name": "g", "hot": 1, "warm": 2}
    expect.same("none", simulation.ask(0, "peer.get", id="a")["tags"]["group"], None)
    expect.same("tagged", simulation.ask(0, "peer.tag", id="a", group=group)["tags"]["group"], group)
    expect.same("got", simulation.ask(0, "peer.get", id="a")["tags"]["group"], group)
    expect.same("listed", simulation.ask(0, "peer.list")["peers"][0]["tags"]["group"], group)


@vector("LO-1, LO-8: a new peer has 50, and what changes it is told and remembered")
def news(expect):
    simulation = expect.simulation("lorachain", ticks=False)
    connect(simulation, 0, "a", "11.0.0.1", "in")
    simulation.ask(0, "peer.metrics", id="a", uptime=.9, conn_success=.8, delivery=.95, throughput=.8, compliance=.95, msgs=100, invalid=5, relayed=60,
                   rtt_ms=120)
    expect.same("told", simulation.seen("peer.score_updated"), [{"id": "a", "old_value": 50, "value": 84.15}])
    expect.same("remembered", simulation.ask(0, "peer.get", id="a")["history"], [{"t": 0, "score": 84.15, "why": "value: lorachain"}])
    simulation.ask(5, "peer.metrics", id="a", rtt_ms=120)
    expect.same("no news", [simulation.seen("peer.score_updated"), len(simulation.ask(5, "peer.get", id="a")["history"])], [[], 1])
