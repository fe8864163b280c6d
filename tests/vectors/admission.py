# SPDX-License-Identifier: BSD-3-Clause
"""Ended bans, events of banned ids, why beside what conn.open does, and limits of concurrency: 5.4, LO-10, LH-25."""
from simulation import Refused, vector

PEER, OTHER = "203.0.113.9", "198.51.100.7"


def keys(answer):
    return [ban["key"] for ban in answer["bans"]]


@vector("LO-10: ban history: what ended, why and when")
def ended(expect):
    simulation = expect.simulation("lorachain")
    simulation.ask(0, "ban.add", ip=PEER, tier=2, for_=10, reason="spam", evidence="line 7")
    simulation.ask(1, "ban.add", prefix="198.51.100.0/24")
    simulation.ask(2, "ban.add", id="A")
    expect.same("none has ended", simulation.ask(9, "ban.list", ended=True), {"bans": [], "next": None})
    simulation.ask(15, "ban.remove", id="A")
    simulation.ask(16, "ban.remove", prefix="198.51.100.0/24")
    expect.same("none is in force", keys(simulation.ask(20, "ban.list")), [])
    whole = simulation.ask(20, "ban.list", ended=True)
    expect.same("the latest first", keys(whole), ["198.51.100.0/24", "A", PEER])
    expect.same("with all that it was", whole["bans"][2], {"key": PEER, "scope": "ip", "tier": 2, "start": 0, "until": 10,
                "reason": "spam", "evidence": "line 7", "source": "operator", "ended": 10, "why": "expired"})
    expect.same("and a removed one", whole["bans"][1], {"tier": 5, "until": None, "ended": 15, "why": "removed"})
    for what, params, found in (
            ("by tier", {"tier": 5}, ["198.51.100.0/24", "A"]),
            ("by address: what covered it", {"ip": OTHER}, ["198.51.100.0/24"]),
            ("by address", {"ip": PEER}, [PEER]),
            ("by prefix: what was inside it", {"prefix": "203.0.113.0/24"}, [PEER]),
            ("by prefix, not what is around it", {"prefix": "198.51.100.0/25"}, []),
            ("by id", {"id": "A"}, ["A"]),
            ("by key and tier", {"id": "A", "tier": 2}, [])):
        expect.same(what, keys(simulation.ask(20, "ban.list", ended=True, **params)), found)
    first = simulation.ask(20, "ban.list", ended=True, n=2)
    simulation.ask(21, "ban.add", ip="192.0.2.4", for_=1)
    second = simulation.ask(30, "ban.list", ended=True, n=2, after=first["next"])
    expect.same("a page", keys(first), ["198.51.100.0/24", "A"])
    expect.same("goes on behind the last, whatever ended since", [keys(second), second["next"]], [[PEER], None])
    expect.same("the new one is first", keys(simulation.ask(30, "ban.list", ended=True, n=1)), ["192.0.2.4"])
    for wrong in ("7", "ended:0", "ended:x", "ended:7 "):
        try:
            simulation.ask(30, "ban.list", ended=True, after=wrong)
            expect.true(f"after {wrong!r} is refused", False)
        except Refused as refused:
            expect.same(f"after {wrong!r} is no place", refused.code, -32602)
    simulation.ask(31, "sim.restart")
    expect.same("a restart begins anew", keys(simulation.ask(31, "ban.list", ended=True)), [])


@vector("LO-10: ban history is bounded, the oldest goes, and T1 is none of it")
def bounded(expect):
    simulation = expect.simulation("bootstrap")
    simulation.ask(0, "ban.import", prefixes=[f"10.{n >> 8}.{n & 255}.0/24" for n in range(1003)], tier=2, for_=1)
    found, after = [], {}
    while True:
        page = simulation.ask(5, "ban.list", ended=True, n=300, **after)
        found += keys(page)
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    expect.same("a thousand", [len(found), len(set(found))], [1000, 1000])
    simulation.ask(10, "conn.open", ip=PEER, port=4000, direction="in")
    simulation.ask(10, "peer.disconnect", ip=PEER, reason="test")
    expect.same("and a throttle moves none of them", keys(simulation.ask(5000, "ban.list", ended=True, n=1)), found[:1])


@vector("LH-25: peer.banned and peer.unbanned of an id say where it is bound")
def banned_ids(expect):
    simulation = expect.simulation("lighthouse")
    simulation.ask(0, "ban.add", id="nobody")
    expect.same("who is bound nowhere is nowhere", [sorted(event) for event in simulation.seen("peer.banned", id="nobody")],
                [["event", "id", "source", "t", "tier", "until"]])
    simulation.ask(0, "conn.open", ip=PEER, port=4000, direction="in")
    simulation.ask(0, "peer.bind", id="A", ip=PEER, port=4000)
    simulation.ask(1, "ban.add", id="A", for_=10)
    expect.same("banned there", len(simulation.seen("peer.banned", id="A", ip=PEER, port=4000, tier=5)), 1)
    simulation.ask(11, "ban.list")
    expect.same("unbanned there", len(simulation.seen("peer.unbanned", id="A", ip=PEER, port=4000, reason="expired")), 1)
    simulation.ask(12, "ban.add", ip=PEER)
    expect.same("an address has no port", ["port" in event for event in simulation.seen("peer.banned", ip=PEER)], [False])
