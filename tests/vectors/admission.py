# SPDX-License-Identifier: BSD-3-Clause
"""Ended bans, events of banned ids, why beside what conn.open does, and limits of concurrency: 5.4, LO-10, LH-25."""
import random

import instances
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


PROFILES = ("bootstrap", "lighthouse", "ouroboros", "dugite", "stellar", "spacetime", "lorachain")


def ask(simulation, t, method, parameters):
    try:
        return simulation.ask(t, method, **parameters)
    except Refused as refused:
        return {"refused": refused.code}


def crowd(numbers, port):
    """An opening from few addresses and ids, so that limits, bans, windows and tags are met; from a port of its own, because one
    that is used again says that its connection before is gone, of which why cannot know."""
    where = {"ip": f"11.{numbers.randrange(3)}.0.{numbers.randrange(1, 25)}", "port": port}
    if numbers.random() < .2:
        where["ip"] = f"2001:db8:0:{numbers.randrange(4):x}{numbers.randrange(4):02x}::{numbers.randrange(1, 9):x}"
    return where, {"id": f"peer{numbers.randrange(120)}"} if numbers.random() < .6 else {}


def trial(expect, profile, asked, steps):
    """A trace of openings among other steps; with `asked`, why is asked before each and must say the same."""
    numbers, simulation, answers, t, verdicts = random.Random(profile), expect.simulation(profile), [], 0, {}
    simulation.ask(0, "peer.tag", ip="11.0.0.3", trusted=True)
    for n in range(steps):
        # at first crowds, then gaps in which bans, throttles and windows end
        t = round(t + numbers.choice((0, 0, 0, 0, .1, .5) if n < steps // 2 else (0, .1, 1, 20)), 3)
        if numbers.random() < (.2 if n < steps // 2 else .5):
            answers.append(ask(simulation, t, *instances.step(numbers)))
            continue
        where, id_ = crowd(numbers, 1000 + n)
        why = ask(simulation, t, "why", {"ip": where["ip"]} | id_) if asked else None
        answers.append(ask(simulation, t, "conn.open", where | id_ | {"direction": "in"}))
        if asked and (why["verdict"], why["reason"]) != answers[-1]:
            verdicts.setdefault(answers[-1]["reason"], []).append((why, answers[-1], where | id_, t))
    return answers, [line for event in simulation.history for line in [str(event)]], verdicts


@vector("why says what conn.open does at the same instant, and moves nothing")
def agreement(expect):
    met = set()
    for profile in PROFILES:
        asked, asked_events, verdicts = trial(expect, profile, True, 1500)
        plain, plain_events, _ = trial(expect, profile, False, 1500)
        for reason, rows in verdicts.items():
            met.add(reason)
            for why, opened, who, t in rows:
                if why["verdict"] != opened["verdict"]:
                    expect.same(f"{profile} at {t}: {who}: {why['reason']}, {opened['reason']}", why["verdict"], opened["verdict"])
                    break
        expect.true(f"{profile}: the same answers whether it was asked or not", asked == plain)
        expect.true(f"{profile}: and the same events", asked_events == plain_events)
    for reason in ("", "banned", "score", "rate", "concurrency", "throttled", "total", "in", "per_peer", "soft", "hard"):
        expect.true(f"{reason or 'forward'} was met", reason in met)


def both(simulation, t, **who):
    """What why says, and what conn.open then does."""
    why = simulation.ask(t, "why", **who)
    opened = simulation.ask(t, "conn.open", port=60000, direction="in", **who)
    return why, [why["verdict"], why["reason"]], [opened["verdict"], opened["reason"]]


@vector("why knows every refusal of conn.open by name")
def refusals(expect):
    lighthouse = expect.simulation("lighthouse")
    for n in range(55):
        lighthouse.ask(1, "conn.open", ip=f"11.{n}.0.1", port=1, direction="in" if n < 40 else "out", id=f"p{n}")
    spacetime = expect.simulation("spacetime")
    for n in range(50):
        spacetime.ask(1, "conn.open", ip=f"11.{n}.0.1", port=1, direction="in", id=f"p{n}")
    dugite = expect.simulation("dugite")
    for n in range(5):
        dugite.ask(n / 10, "conn.open", ip=PEER, port=n + 1, direction="in")
    stellar = expect.simulation("stellar", "timeouts.auth=10m")
    for n in range(444):
        stellar.ask(1, "conn.open", ip=f"11.{n // 250}.{n % 250}.1", port=1, direction="in")
    failed = expect.simulation("spacetime")
    failed.ask(0, "conn.open", ip=OTHER, port=1, direction="in")
    failed.ask(0, "peer.bind", id="A", conn=1)
    for _ in range(5):
        failed.ask(0, "peer.record", id="A", ok=False)
    closed = expect.simulation("dugite", "node.accept_inbound=false")
    for what, simulation, who, said, rule, until in (
            ("55 of 50 peers", lighthouse, {"ip": PEER}, ["refuse", "too many peers"], "LH-8", None),
            ("50 connections", spacetime, {"ip": PEER}, ["refuse", "total"], "LH-7", None),
            ("V30: the sixth", dugite, {"ip": PEER}, ["refuse", "rate"], "design 3 row 7", 60),
            ("V32: pending", stellar, {"ip": PEER}, ["refuse", "pending"], "HE-13", None),
            ("SP-8: five in a row", failed, {"ip": PEER, "id": "A"}, ["refuse", "blacklisted"], "SP-8", None),
            ("DU-9: an initiator", closed, {"ip": PEER}, ["drop", "inbound"], "DU-9", None)):
        why, asked, opened = both(simulation, 2, **who)
        expect.same(what, asked, said)
        expect.same(f"{what}: opened", opened, said)
        expect.same(f"{what}: rule and end", [why["rule"], why["until"]], [rule, until])
    expect.same("a question takes nothing", [list(both(dugite, 60, ip=PEER)[1:]), dugite.ask(60, "why", ip=PEER)["verdict"]],
                [[["forward", "admitted"], ["forward", ""]], "refuse"])


@vector("V38: why with an id tells the tiers of both, and the stronger ban")
def tiers(expect):
    simulation = expect.simulation("lighthouse")
    simulation.ask(0, "ban.add", id="A", tier=2, for_=100)
    simulation.ask(0, "ban.add", id="A", tier=5, for_=200)
    simulation.ask(0, "ban.add", ip=PEER, tier=2, for_=300)
    why, asked, opened = both(simulation, 1, ip=PEER, id="A")
    expect.same("tiers", why["tiers"], [2, 5])
    expect.same("an id's ban drops as conn.open does", [asked, opened], [["drop", "banned"]] * 2)
    expect.same("the one that ends last", [why["rule"], why["until"], why["ban"]["key"]], ["T2", 300, PEER])
    why = simulation.ask(1, "why", ip=OTHER, id="A")
    expect.same("of the id alone", [why["verdict"], why["tiers"], why["rule"], why["until"]], ["drop", [2, 5], "T5", 200])
    expect.same("of another id", simulation.ask(1, "why", ip=PEER, id="B")["tiers"], [2])
    simulation.ask(2, "peer.tag", ip=PEER, trusted=True)
    expect.same("who is trusted comes in", list(both(simulation, 2, ip=PEER)[1:]), [["forward", "admitted"], ["forward", ""]])


def verdicts(simulation, t, addresses):
    opened = [simulation.ask(t, "conn.open", ip=ip, port=1000 * t + n + 1, direction="in") for n, ip in enumerate(addresses)]
    return [[answer["verdict"], answer["reason"]] for answer in opened]


@vector("5.4, 5.3 E step 8, V29: connections of a prefix at once")
def concurrency(expect):
    full = ["refuse", "concurrency"]
    for what, sets, addresses, n in (
            ("8 of a /32", (), [PEER] * 12, 8),
            ("32 of a /24", (), [f"9.9.9.{n + 1}" for n in range(40)], 32),
            ("8 of a /64", (), [f"2001:db8::{n + 1:x}" for n in range(10)], 8),
            ("8 of a /56", (), [f"2001:db8:0:{n:x}::1" for n in range(10)], 8),
            ("64 of a /48", (), [f"2001:db8:1:{n:x}00::1" for n in range(66)], 64),
            ("as configured", ("limits.concurrency.v4.host=2",), [PEER] * 4, 2),
            ("of a /20, when it is configured", ("limits.concurrency.v4.mid=3",), [f"9.9.{n}.1" for n in range(5)], 3),
            ("0 is without limit", ("limits.concurrency.v4.host=0",), [PEER] * 12, 12)):
        simulation = expect.simulation("bootstrap", *sets)
        forwarded = [["forward", ""]] * n
        expect.same(what, verdicts(simulation, 0, addresses), forwarded + [full] * (len(addresses) - n))
    simulation = expect.simulation("bootstrap")
    verdicts(simulation, 0, [PEER] * 8)
    expect.same("why says so", simulation.ask(0, "why", ip=PEER), {"verdict": "refuse", "reason": "concurrency", "rule": "design 3 row 9"})
    expect.same("its neighbour comes in", simulation.ask(0, "why", ip="203.0.113.10")["verdict"], "forward")
    expect.same("we may dial it", simulation.ask(0, "conn.open", ip=PEER, port=99, direction="out")["verdict"], "forward")
    simulation.ask(1, "conn.close", conn=1, by="client", how="fin", bytes_in=3)
    expect.same("one place is free", verdicts(simulation, 1, [PEER] * 2), [["forward", ""], full])
    simulation.ask(2, "list.add", list="allow", prefix="203.0.113.9")
    expect.same("the allow list has no such limit", verdicts(simulation, 2, [PEER] * 3), [["forward", ""]] * 3)
    other = expect.simulation("lighthouse", "limits.concurrency.v4.host=2")
    expect.same("whoever writes it has it in another profile", verdicts(other, 0, [PEER] * 3), [["forward", ""]] * 2 + [full])
    expect.same("which has none of its own (5.4)", verdicts(expect.simulation("spacetime"), 0, [PEER] * 12), [["forward", ""]] * 12)
