# SPDX-License-Identifier: BSD-3-Clause
"""Sequences of scores, bans and strikes: V2 to V5, V7, V9, V12, V38, V39, and LO-10 of section 5.6."""
from simulation import Refused, vector

PEER = "203.0.113.9"


def bind(simulation, t, id_, ip=PEER, port=4000):
    """A connection of this peer, and who it is."""
    conn = simulation.ask(t, "conn.open", ip=ip, port=port, direction="in")["conn"]
    return simulation.ask(t, "peer.bind", id=id_, conn=conn)


def report(simulation, t, action, **peer):
    return simulation.ask(t, "peer.report", action=action, reason="vector", **(peer or {"ip": PEER}))


def score(simulation, t, **peer):
    return simulation.ask(t, "peer.get", **(peer or {"ip": PEER}))["score"]


def until(expect, simulation, action, times, at):
    """`at`: {how many reports: (score, state)}; no time passes."""
    for n in range(1, times + 1):
        answer = report(simulation, 0, action)
        if n in at:
            expect.same(f"{action} {n} times", answer, {"score": at[n][0], "state": at[n][1]})


@vector("V2: actions while no time passes")
def actions(expect):
    for action, times, at in (("low", 5, {1: (-10, "healthy"), 2: (-20, "disconnect"), 5: (-50, "banned")}),
                              ("mid", 10, {4: (-20, "disconnect"), 10: (-50, "banned")}),
                              ("high", 50, {19: (-19, "healthy"), 20: (-20, "disconnect"), 50: (-50, "banned")}),
                              ("fatal", 1, {1: (-100, "banned")})):
        simulation = expect.simulation("lighthouse")
        until(expect, simulation, action, times, at)
        if action == "fatal":
            expect.same("then low: clamped", report(simulation, 0, "low")["score"], -100)


@vector("V3: decay")
def decay(expect):
    simulation = expect.simulation("lighthouse", ticks=False)
    for _ in range(8):
        report(simulation, 0, "mid")
    for t, value, state in ((30, -38.637453157, "disconnect"), (600, -20, "disconnect"), (601, -19.976908435, "healthy"), (1200, -10, "healthy")):
        got = score(simulation, t)
        expect.same(f"-40 after {t} s", got["app"], value, close=1e-8)
        expect.same(f"its state after {t} s", got["state"], state)
    other = expect.simulation("lighthouse", ticks=False)
    report(other, 0, "low")
    expect.same("-10 after 60 s", score(other, 60)["app"], -9.330329915, close=1e-8)


@vector("V4: repeated low tolerance")
def repeated(expect):
    simulation = expect.simulation("lighthouse", ticks=False)
    for n, value in enumerate((-10, -19.3303, -28.0358, -36.1584, -43.7369, -50.808)):
        answer = report(simulation, 60 * n, "low")
        expect.same(f"at {60 * n}", answer["score"], value, close=1e-4)
        expect.same(f"banned at {60 * n}", answer["state"] == "banned", n == 5)
    slower = expect.simulation("lighthouse", ticks=False)
    for n in range(8):
        answer = report(slower, 120 * n, "low")
        expect.same(f"every 120 s, at {120 * n}", answer["state"] == "banned", n == 7)
    expect.same("at 840", answer["score"], -51.7672, close=1e-4)


@vector("V5: the freeze of a ban")
def freeze(expect):
    simulation = expect.simulation("lighthouse")
    for _ in range(10):
        report(simulation, 1000, "mid")
    expect.same("frozen", score(simulation, 1000 + 43200), {"app": -50, "state": "banned"})
    after = score(simulation, 1000 + 43201)
    expect.same("thawing", after["app"], -49.942271087, close=1e-8)
    expect.true("no longer banned", after["state"] != "banned" and simulation.ever("peer.unbanned"))
    fatal = expect.simulation("lighthouse")
    report(fatal, 0, "fatal")
    expect.same("fatal: banned still", score(fatal, 43800)["state"], "banned")
    expect.same("fatal: unbanned", score(fatal, 43801)["state"], "disconnect")
    expect.same("fatal: not healthy yet", score(fatal, 44593)["state"], "disconnect")
    expect.same("fatal: healthy", score(fatal, 44594)["state"], "healthy")
    again = expect.simulation("lighthouse")
    for _ in range(10):
        report(again, 0, "mid")
    before = score(again, 3599)["freeze_until"]
    expect.same("a further penalty lowers the score", report(again, 3600, "fatal")["score"], -100)
    expect.same("and does not extend the freeze", score(again, 3601)["freeze_until"], before)


@vector("V7: an address with more than five banned ids")
def addresses(expect):
    simulation = expect.simulation("lighthouse")
    for n in range(6):
        bind(simulation, 0, f"p{n}", port=4000 + n)
        report(simulation, 0, "fatal", id=f"p{n}")
        verdict = simulation.ask(0, "why", ip=PEER)
        expect.same(f"{n + 1} banned ids", 4 in verdict["tiers"], n == 5)
    simulation.ask(1, "ban.remove", id="p0")
    expect.same("one unbanned", 4 in simulation.ask(1, "why", ip=PEER)["tiers"], False)
    six = expect.simulation("lighthouse")
    for n in range(6):
        ip = f"2001:db8:0:1{n:02x}::{n + 1}"
        bind(six, 0, f"p{n}", ip=ip)
        report(six, 0, "fatal", id=f"p{n}")
    expect.true("the /56 is banned", 4 in six.ask(0, "why", ip="2001:db8:0:1ff::9")["tiers"])
    expect.true("its neighbour is not", six.ask(0, "why", ip="2001:db8:0:200::1")["verdict"] == "forward")


def crowd(simulation, n):
    return [simulation.ask(0, "conn.open", ip=f"198.51.{100 + i // 200}.{i % 200 + 1}", port=9000, direction="out" if i < 20 else "in",
                           id=f"peer{i}")["conn"] for i in range(n)]


@vector("V9: throttled when we close one of a full pool")
def throttle(expect):
    def refused(simulation, t, ip):
        """Is a newcomer from there turned away by the throttle?"""
        verdict = simulation.ask(t, "why", ip=ip)
        return 1 in verdict["tiers"]
    for n, by, throttled in ((51, "weir", True), (50, "weir", False), (51, "client", False)):
        simulation = expect.simulation("lighthouse", "close.grace=0", ticks=False)
        conns = crowd(simulation, n)
        ip = f"198.51.100.{n}"
        if by == "weir":
            simulation.ask(10, "peer.disconnect", id=f"peer{n - 1}", reason="vector")
            try:
                simulation.ask(10, "conn.close", conn=conns[-1], by="weir", how="rst")
            except Refused:
                pass  # it is gone already
        else:
            simulation.ask(10, "conn.close", conn=conns[-1], by="client", how="fin", bytes_in=100)
        expect.same(f"{by} closes one of {n}", refused(simulation, 609, ip), throttled)
        expect.same(f"{by} closes one of {n}: 600 s later", refused(simulation, 610, ip), False)
    everybody = expect.simulation("lighthouse", "throttle.on=any_close", ticks=False)
    conns = crowd(everybody, 51)
    everybody.ask(10, "conn.close", conn=conns[-1], by="client", how="fin", bytes_in=100)
    expect.same("throttle.on any_close", refused(everybody, 11, "198.51.100.51"), True)
    full = expect.simulation("lighthouse", ticks=False)
    crowd(full, 55)
    answer = full.ask(5, "conn.open", ip="203.0.113.77", port=1, direction="in", id="newcomer")
    expect.same("refused while 55 of 50 are connected", answer["verdict"], "refuse")
    expect.same("and throttled", refused(full, 6, "203.0.113.77"), True)


@vector("V12: Lorachain's counted misdeeds")
def misdeeds(expect):
    simulation = expect.simulation("lorachain")
    for n, t in enumerate((0, 60, 120, 180, 301, 302)):
        ban = report(simulation, t, "invalid_message")["ban"]
        expect.same(f"at {t}", ban is not None, n == 5)
    expect.same("until", ban["until"], 3902)
    expect.same("banned before its end", simulation.ask(3901, "why", ip=PEER)["verdict"], "drop")
    expect.same("free at its end", simulation.ask(3902, "why", ip=PEER)["verdict"], "forward")
    worse = report(simulation, 4000, "protocol_violation", ip="203.0.113.10")["ban"]
    expect.same("a protocol violation is for ever", worse["until"], None)


@vector("LO-10: the fourth temporary ban is permanent, and strikes survive an unban")
def strikes(expect):
    simulation = expect.simulation("lorachain")
    t = 0
    for n in range(4):
        for _ in range(5):
            ban = report(simulation, t, "invalid_message")["ban"]
        expect.same(f"ban {n + 1}", ban["until"], t + 3600 if n < 3 else None)
        if n == 1:
            simulation.ask(t, "ban.remove", ip=PEER)
        t += 4000


@vector("V38: overlapping tiers")
def overlap(expect):
    # lighthouse's own throttle lasts 600 s: T1 from 1000 until 1600
    simulation = expect.simulation("lighthouse", "close.grace=0", "throttle.on=any_close", "target=1", ticks=False)
    conns = [simulation.ask(990, "conn.open", ip=ip, port=1, direction=direction, id=ip)["conn"]
             for ip, direction in ((PEER, "in"), ("198.51.100.1", "out"))]
    simulation.ask(1000, "conn.close", conn=conns[0], by="client", how="fin", bytes_in=9)
    expect.same("T1", simulation.ask(1000, "why", ip=PEER)["tiers"], [1])
    for _ in range(10):
        report(simulation, 1000, "mid")
    expect.true("T1 and T3", set(simulation.ask(1000, "why", ip=PEER)["tiers"]) >= {3})
    expect.same("not free at 1600", simulation.ask(1600, "why", ip=PEER)["verdict"], "drop")
    expect.same("removed", simulation.ask(2000, "ban.remove", ip=PEER, tier=3)["removed"], [3])
    expect.same("admitted", simulation.ask(2000, "why", ip=PEER)["verdict"], "forward")
    long = expect.simulation("lighthouse")
    for _ in range(10):
        report(long, 1000, "mid")
    expect.same("banned until the score lifts it", [long.ask(t, "why", ip=PEER)["verdict"] for t in (44200, 44201)], ["drop", "refuse"])
    seven = expect.simulation("lighthouse")
    for n in range(7):  # all come before the sixth is banned, and their address with it
        bind(seven, 0, f"p{n}", port=4000 + n)
    for n in range(7):
        report(seven, 0, "fatal", id=f"p{n}")
    for n, banned in ((0, True), (1, False)):
        seven.ask(1, "ban.remove", id=f"p{n}")
        expect.same(f"{6 - n} left", 4 in seven.ask(1, "why", ip=PEER)["tiers"], banned)


@vector("V39: unproven attempts change nothing")
def spoofed(expect):
    simulation = expect.simulation("bootstrap")
    attempts = simulation.ask(0, "conn.attempt", ip="198.51.100.7", count=10000)
    expect.same("all are counted", sum(attempts[name] for name in ("forward", "challenge", "refuse", "drop")), 10000)
    expect.same("no event", simulation.events, [])
    try:
        peer = simulation.ask(1, "peer.get", ip="198.51.100.7")
    except Refused as error:
        expect.same("nothing is known", error.code, 2)
    else:
        expect.same("nothing is known", peer, {"score": {"app": 0, "state": "healthy"}, "bans": [], "strikes": 0,
                                               "counters": {"ok": 0, "fail": 0, "streak": 0}, "circuit": {"state": "closed"}})
    try:
        report(simulation, 2, "fatal", ip="198.51.100.7", proven=False)
        expect.true("an unproven report is refused", False)
    except Refused as error:
        expect.same("an unproven report is refused", error.code, 1)
    expect.same("it may come in", simulation.ask(3, "conn.open", ip="198.51.100.7", port=5, direction="in")["verdict"], "forward")
