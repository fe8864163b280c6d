# SPDX-License-Identifier: BSD-3-Clause
"""Vectors of the policy reference that are formulas (sim.eval): V1, V6, V10, V11, V13, V18 to V20, V23 to V26, V31, and the pure part of V32."""
from simulation import vector


@vector("V1: gossip and the application's score combined")
def combined(expect):
    simulation = expect.simulation("lighthouse")
    cases = [(0, 0, 0, "healthy"), (0, -16000, -19, "healthy"), (-1, -16000, -20, "disconnect"), (-1.0001, -16000, -20.0001, "disconnect"),
             (0, -16842, -19, "healthy"), (0, -16843, -19, "healthy"), (-30, -8000, -39.5, "disconnect"), (-45, -4000, -49.75, "disconnect"),
             (-46, -4000, -50.75, "banned"), (-60, 16000, -60, "banned"), (-59.9, 16000, -40.9, "disconnect")]
    for app, gossip, score, state in cases:
        expect.same(f"{app}, {gossip}", simulation.eval("combine", {"app": app, "gossip": gossip}), {"score": score, "state": state})
    expect.same("ignored", simulation.eval("combine", {"app": -19, "gossip": -16000, "ignore": True}), {"score": -19, "state": "healthy"})


@vector("V6: counts that follow from a target, rounded up exactly")
def limits(expect):
    simulation = expect.simulation("lighthouse")
    expect.same("target 50", simulation.eval("limits", {"target": 50}), {
        "max": 55, "priority": 65, "dial_out": 60, "min_out": 10, "target_out": 15, "max_in": 45, "ignore_neg": 5})
    expect.same("target 100", simulation.eval("limits", {"target": 100}), {
        "max": 110, "priority": 130, "dial_out": 120, "min_out": 20, "target_out": 30, "max_in": 90, "ignore_neg": 10})


@vector("V10: agent strings")
def agents(expect):
    simulation = expect.simulation("lighthouse")
    cases = [("Lighthouse/v5.3.0-abc/x86_64-linux", {"kind": "Lighthouse", "version": "v5.3.0-abc", "os": "x86_64-linux"}),
             ("teku/teku/v24.8.0/linux", {"kind": "Teku", "version": "v24.8.0"}), ("github.com/x/y", {"kind": "Prysm"}),
             ("nim-libp2p/0.0.1", {"kind": "Nimbus"}), ("js-libp2p/0.1", {"kind": "Lodestar"}), ("lighthouse/x", {"kind": "Unknown"})]
    for agent, client in cases:
        expect.same(agent, simulation.eval("agent", {"agent": agent}), client)


LORACHAIN = {"uptime": .9, "conn_success": .8, "delivery": .95, "latency_ms": 120, "throughput": .8, "msgs": 100, "invalid": 5, "relayed": 60,
             "class": "full", "compliance": .95}


@vector("V11: Lorachain's score and its decay")
def lorachain(expect):
    simulation = expect.simulation("lorachain")
    expect.same("now", simulation.eval("lorachain", LORACHAIN), {"rel": 88.5, "perf": 78, "beh": 84.5, "overall": 84.15})
    expect.same("after a day", simulation.eval("lorachain", LORACHAIN | {"days": 1})["overall"], 83.312693510)
    # the reference prints 78.460936945 for 84.15 e^-0.07, whose digits are 78.460939945: one of them slipped
    expect.same("after seven", simulation.eval("lorachain", LORACHAIN | {"days": 7})["overall"], 78.460939945)


@vector("V13: a newcomer must be worth more by more than ten")
def replace(expect):
    simulation = expect.simulation("lorachain")
    expect.same("50", simulation.eval("replace", {"lowest": 40, "newcomer": 50}), False)
    expect.same("50.01", simulation.eval("replace", {"lowest": 40, "newcomer": 50.01}), True)


@vector("V14: quality by history")
def quality(expect):
    simulation, upstream = expect.simulation("spacetime"), expect.simulation("spacetime", "quality.reset_on_success=yes")
    for history, plain, reset in (("", .5, .5), ("SSSF", .75, .75), ("SFFFFF", 1 / 6, 1 / 6), ("FFFFS", .2, 1), ("F" * 100 + "S", 1 / 101, 1)):
        expect.same(history[-6:], simulation.eval("quality", {"history": history}), plain)
        expect.same(history[-6:] + ", reset on success", upstream.eval("quality", {"history": history}), reset)


@vector("V16: moving averages")
def ewma(expect):
    simulation = expect.simulation("dugite")
    expect.same("100, 50, 200, 80", simulation.eval("ewma", {"samples": [100, 50, 200, 80]}), [100, 85, 119.5, 107.65])


@vector("V17: Dugite's reputation")
def dugite(expect):
    simulation = expect.simulation("dugite")
    expect.same("fresh", simulation.eval("dugite", {}), .45)
    expect.same("a good one", simulation.eval("dugite", {"rtt_ms": 30, "fetch_ms": 1.94, "blocks": 200, "ok": 3, "fail": 0, "fetch_age_min": 0}), .74781)
    expect.same("a bad one", simulation.eval("dugite", {"rtt_ms": 1500, "fetch_ms": 500, "blocks": 10, "ok": 2, "fail": 5, "fetch_age_min": 0}),
                .330457143)
    expect.same("the best", simulation.eval("dugite", {"rtt_ms": 0, "fetch_ms": 0, "blocks": 10000, "ok": 9, "fail": 0, "fetch_age_min": 0}), .85)
    expect.same("the worst", simulation.eval("dugite", {"rtt_ms": 9999, "fetch_ms": 9999, "blocks": 0, "ok": 0, "fail": 9, "fetch_age_min": 99}), .15)


@vector("V18: the order in which addresses are dialled")
def selection(expect):
    simulation = expect.simulation("dugite")
    cases = [("trustable, from the configuration", {"reputation": .5, "category": "local_root", "source": "config"}, .8),
             ("ledger, two failures, tip known", {"reputation": .5, "source": "ledger", "failures": 2, "tip_known": True}, .3),
             ("shared, five failures", {"reputation": .5, "category": "shared", "source": "gossip", "failures": 5}, -.1),
             ("inbound", {"reputation": .5, "source": "inbound"}, .52)]
    for name, given, score in cases:
        expect.same(name, simulation.eval("selection", given), score)


@vector("V19: the later rank")
def rank(expect):
    simulation = expect.simulation("dugite")
    expect.same("fetch unknown", simulation.eval("rank", {"reputation": .5, "failures": 0}), .6)
    expect.same("100 ms", simulation.eval("rank", {"reputation": .5, "fetch_ms": 100, "failures": 0}), 2 / 3)
    expect.same("10 ms", simulation.eval("rank", {"reputation": 1, "fetch_ms": 10, "failures": 0}), .4 + .4 / 1.05 + .2)


@vector("V20: a subnet's penalty")
def subnet_penalty(expect):
    simulation = expect.simulation("dugite")
    for count, penalty in enumerate((0, 0, 0, .2, .4, .6, .8)):
        expect.same(str(count), simulation.eval("subnet_penalty", {"count": count}), penalty)


@vector("V21: failures halve, also unread")
def halving(expect):
    simulation = expect.simulation("dugite")
    for steps, left in enumerate((8, 4, 2, 1, 0)):
        expect.same(f"after {steps} intervals", simulation.eval("halving", {"count": 8, "elapsed": 300 * steps}), left)


@vector("V23: the delay between soft and hard")
def soft_delay(expect):
    simulation, fixed = expect.simulation("ouroboros"), expect.simulation("dugite")
    for n, delay in ((383, 0), (384, 0), (385, .0390625), (400, .625), (448, 2.5), (511, 4.9609375)):
        expect.same(str(n), simulation.eval("soft_delay", {"n": n}), {"reject": False, "delay_s": delay})
        expect.same(f"{n}, fixed", fixed.eval("soft_delay", {"n": n}), {"reject": False, "delay_s": 5 if n >= 384 else 0})
    for each in (simulation, fixed):
        expect.same("512", each.eval("soft_delay", {"n": 512})["reject"], True)


@vector("V24: churn's reduced targets")
def churn(expect):
    simulation = expect.simulation("ouroboros")
    simple = simulation.eval("churn", {"mode": "simple", "active": 15, "established": 40, "known": 85, "blp": {"established": 10, "active": 5}})["active"]
    expect.same("simple", simple, {"active": 12, "established": 32, "blp": {"established": 8, "active": 4}})
    for u, v, left in ((1, 15, 12), (1, 20, 16), (1, 4, 3), (1, 1, 0), (1, 25, 20), (3, 10, 7), (4, 10, 6)):
        expect.same(f"decreaseWithMin {u} {v}", simulation.eval("churn", {"u": u, "v": v}), left)
    relay = simulation.eval("churn", {"mode": "sequential", "active": 20, "established": 30, "known": 150, "root": 60,
                                      "blp": {"active": 5, "established": 10, "known": 15}})
    expect.same("relay", [relay["active"]["active"], relay["established"]["established"], relay["known"]["known"], relay["known"]["root"]],
                [16, 26, 126, 54])
    expect.same("big ledger peers", [relay["active"]["blp"]["active"], relay["established"]["blp"]["established"], relay["known"]["blp"]["known"]],
                [4, 9, 14])
    other = simulation.eval("churn", {"mode": "sequential", "active": 15, "established": 40, "known": 100})
    expect.same("15/40/100", [other["active"]["active"], other["established"]["established"], other["known"]["known"]], [12, 35, 88])


@vector("V25: backoff")
def backoff(expect):
    simulation = expect.simulation("stellar")
    for failures, most in ((0, 10), (1, 20), (2, 40), (3, 80), (5, 320), (9, 5120), (10, 10240), (11, 10240), (50, 10240)):
        expect.same(f"most after {failures}", simulation.eval("backoff", {"failures": failures, "rand": 0}), {"max": most, "wait": 1})
        expect.same(f"longest after {failures}", simulation.eval("backoff", {"failures": failures, "rand": most - 1})["wait"], most)
    for policy, first, waits in (("dugite", 1, (10, 20, 40, 60, 60)), ("ouroboros", 1, (5, 10, 20, 40, 80, 160, 160)),
                                 ("lorachain", 1, (60, 120, 240, 480, 960))):
        for failures, most in enumerate(waits, first):
            expect.same(f"{policy}, {failures}", simulation.eval("backoff", {"policy": policy, "failures": failures, "rand": 0})["max"], most)
    expect.same("LO-4: then stop", simulation.eval("backoff", {"policy": "lorachain", "failures": 6, "rand": 0})["wait"], None)


@vector("V26: types of addresses")
def types(expect):
    simulation = expect.simulation("stellar")
    word = {"I": "inbound", "O": "outbound", "P": "preferred"}
    table = "IIx I,IOx O,IPx P,OIx O,OOx O,OPx P,PIx O,POf P,POt O,PPx P"
    for row in table.split(","):
        (stored, observed, known), after = row.split()
        for is_known in (False, True) if known == "x" else (known == "t",):
            expect.same(f"{stored} {observed} {is_known}", simulation.eval(
                "type_update", {"stored": word[stored], "observed": word[observed], "known": is_known}), word[after])


@vector("V31: bitcoin's eviction")
def evict(expect):
    simulation = expect.simulation("bootstrap")
    crowd = [{"id": i, "connected": 1000 + i, "group": 100 + i if i < 20 else 7, "ping": 10 + i if i < 20 else 200} for i in range(40)]
    for i in (3, 4):
        crowd[i]["tx"] = 1500
    for i in (5, 6):
        crowd[i]["block"] = 1500
    expect.same("the youngest of the largest group", simulation.eval("evict", {"candidates": crowd, "now": 5000}), {"victims": [39]})
    same = [{"id": i, "connected": 1000, "group": 7, "ping": 10} for i in range(21)]
    expect.same("twenty alike are all protected", simulation.eval("evict", {"candidates": same[:20], "now": 5000}), {"victims": []})
    expect.same("of twenty-one, one is not", len(simulation.eval("evict", {"candidates": same, "now": 5000})["victims"]), 1)


@vector("V32: Stellar's places")
def slots(expect):
    simulation = expect.simulation("stellar")
    expect.same("target 8 of 500 pending", simulation.eval("slots", {"target": 8, "pending": 500}),
                {"inbound_max": 64, "pending_out": 56, "pending_in": 444, "preferred_extra": 2, "outbound": 8, "target_cap": 24})
    expect.same("nobody reaches us", simulation.eval("slots", {"target": 8, "inbound_authenticated": 0})["outbound"], 3)
