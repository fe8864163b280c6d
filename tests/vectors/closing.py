# SPDX-License-Identifier: BSD-3-Clause
"""LH-10, 5.1.11: what an operator's ban does to who is connected, at once and with the grace; and what the events of an end say."""
from simulation import vector


def opened(simulation, t, ip, id_, port=1):
    return simulation.ask(t, "conn.open", ip=ip, port=port, direction="in", id=id_)["conn"]


@vector("5.1.11: a ban of an id closes with the grace, from the moment of the ban")
def grace(expect):
    simulation = expect.simulation("lighthouse", ticks=False)
    opened(simulation, 0, "9.9.9.9", "A")
    simulation.ask(10, "ban.add", id="A")
    expect.same("told with the ban", [event["event"] for event in simulation.events if event["t"] == 10], ["peer.banned", "peer.disconnect"])
    expect.same("with its grace", simulation.seen("peer.disconnect", id="A", code=251, t=10)[0]["grace"], 1)
    simulation.ask(10.9, "governor.status")
    expect.same("it may say goodbye", simulation.seen("peer.disconnected"), [])
    simulation.ask(12, "governor.status")
    expect.same("closed when the grace is over", [event["t"] for event in simulation.seen("peer.disconnected", id="A")], [11])
    expect.same("banned", simulation.ask(12, "peer.get", id="A")["status"], "banned")
    simulation.ask(13, "ban.remove", id="A")
    expect.same("free at once", simulation.ask(13, "peer.get", id="A")["status"], "disconnected")


@vector("LH-10: a ban of an address or a prefix closes whoever is bound there")
def addresses(expect):
    for key in ({"ip": "9.9.9.9"}, {"prefix": "9.9.9.0/24"}, {"prefix": "0.0.0.0/0"}):
        simulation = expect.simulation("lighthouse", ticks=False)
        opened(simulation, 0, "9.9.9.9", "A")
        opened(simulation, 0, "9.9.9.9", "B", port=2)
        opened(simulation, 0, "8.8.8.8", "C")
        opened(simulation, 0, "2001:db8::1", "D")
        simulation.ask(10, "ban.add", **key)
        closed = ["A", "B", "C"] if key == {"prefix": "0.0.0.0/0"} else ["A", "B"]
        told = simulation.seen("peer.disconnect", reason="banned_ip", code=252)
        expect.same(f"{key}: who is told", sorted(event["id"] for event in told), closed)
        simulation.ask(12, "governor.status")
        expect.same(f"{key}: closed after the grace",
                    sorted([event["id"], event["t"]] for event in simulation.seen("peer.disconnected")), [[id_, 11] for id_ in closed])


@vector("LH-10: two prefixes of one import close theirs, and nobody else")
def imported(expect):
    simulation = expect.simulation("lighthouse", ticks=False)
    for n, ip in enumerate(("9.9.9.9", "9.9.200.9", "9.9.100.9", "2001:db8:1::1", "2001:db8:2::1", "2001:db8:3::1")):
        opened(simulation, 0, ip, f"p{n}")
    simulation.ask(5, "ban.import", prefixes=["9.9.9.0/24", "2001:db8:1::/48", "9.9.200.0/24", "2001:db8:3::/48"])
    simulation.ask(7, "governor.status")
    expect.same("closed", sorted(event["id"] for event in simulation.ever("peer.disconnected")), ["p0", "p1", "p3", "p5"])


@vector("LH-10: an id that is banned before it was seen is banned, nowhere, and listed")
def unseen(expect):
    simulation = expect.simulation("lighthouse", ticks=False)
    simulation.ask(0, "ban.add", id="Z")
    for t in (0, 1):
        got = simulation.ask(t, "peer.get", id="Z")
        expect.same("banned", got["status"], "banned")
        expect.same("nowhere", got["ip"], None)
        for filter_ in ({"status": "banned"}, {"banned": True}):
            expect.same(f"listed by {filter_}", [peer["id"] for peer in simulation.ask(t, "peer.list", **filter_)["peers"]], ["Z"])
        simulation.ask(t, "sim.restart")
    simulation.ask(2, "ban.remove", id="Z")
    expect.same("free", simulation.ask(2, "peer.list", banned=True)["peers"], [])


@vector("LH-25: peer.disconnected says what the peer was and is")
def transitions(expect):
    simulation = expect.simulation("lighthouse", ticks=False)
    for port, id_ in enumerate(("left", "banned"), 1):
        opened(simulation, 0, "9.9.9.9", id_, port=port)
    simulation.ask(1, "conn.close", ip="9.9.9.9", port=1, by="client", how="fin")
    expect.same("who leaves", [[event["old"], event["new"]] for event in simulation.seen("peer.disconnected", id="left")],
                [["connected", "disconnected"]])
    simulation.ask(2, "ban.add", id="banned")
    simulation.ask(4, "governor.status")
    expect.same("who is banned", [[event["old"], event["new"]] for event in simulation.seen("peer.disconnected", id="banned")],
                [["disconnecting", "banned"]])


@vector("LH-25: the end of a connection says why")
def reasons(expect):
    simulation = expect.simulation("lighthouse", ticks=False)
    for port, id_ in enumerate(("told", "banned"), 1):
        opened(simulation, 0, "9.9.9.9", id_, port=port)
    simulation.ask(1, "peer.disconnect", id="told", reason="because", code=3)
    simulation.ask(1, "ban.add", id="banned", reason="by hand")
    simulation.ask(3, "governor.status")
    expect.same("after the grace", [[event["id"], event.get("reason")] for event in simulation.seen("peer.disconnected")],
                [["told", "because"], ["banned", "by hand"]])
    simulation.ask(4, "conn.dial", ip="8.8.8.8", port=1)
    why = simulation.ask(5, "conn.close", ip="8.8.8.8", port=1, by="client", how="rst")["why"]
    expect.same("a dial that failed", [event.get("reason") for event in simulation.seen("conn.failed")], [why])


@vector("5.5.16: a ban by the sum with gossip is one after a restart")
def gossip(expect):
    simulation = expect.simulation("lighthouse", "ignore_negative=0", ticks=False)
    opened(simulation, 0, "9.9.9.9", "A")
    for action in ("low",) * 4 + ("mid",):
        simulation.ask(0, "peer.report", id="A", action=action, reason="vector")
    simulation.ask(0, "peer.gossip", id="A", score=-8000)
    before = simulation.ask(1, "peer.get", id="A")["score"]
    expect.same("banned before it", before["state"], "banned")
    simulation.ask(2, "sim.restart")
    after = simulation.ask(2, "peer.get", id="A")["score"]
    for what in ("state", "freeze_until", "unban_at"):
        expect.same(what, after[what], before[what])
