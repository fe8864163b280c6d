# SPDX-License-Identifier: BSD-3-Clause
"""What sim.eval takes: V10, V11, V17, V21, V25 and V26 in the words of the vectors, and nothing that no formula reads."""
from simulation import Refused, vector

INVALID = -32602


def refusal(simulation, what, in_):
    try:
        return f"answered {simulation.eval(what, in_)}"
    except Refused as refused:
        return f"{refused.code} {refused}"


@vector("V11, V17, V21, V26 in the words of the vectors")
def words(expect):
    simulation = expect.simulation("dugite")
    lorachain = {"uptime": .9, "conn": .8, "delivery": .95, "latency": 120, "thr": .8, "signal": None, "msgs": 100, "invalid": 5, "relayed": 60,
                 "compliance": .95}
    expect.same("V11", simulation.eval("lorachain", lorachain), {"rel": 88.5, "perf": 78, "beh": 84.5, "overall": 84.15})
    dugite = {"rtt": 30, "fetch": 1.94, "blocks": 200, "ok": 3, "fail": 0}
    expect.same("V17: a fetch without an age is one of now", simulation.eval("dugite", dugite), .74781)
    expect.same("V17: and with one it grows old", simulation.eval("dugite", dugite | {"age_min": 60}) < .74781, True)
    for elapsed, failures in ((0, 8), (299, 8), (300, 4), (600, 2), (900, 1), (1200, 0)):
        expect.same(f"V21: {elapsed}", simulation.eval("halving", {"count": 8, "elapsed_s": elapsed}), failures)
    for known, type_ in ((False, "preferred"), (True, "outbound")):
        in_ = {"stored": "preferred", "observed": "outbound", "preferred_known": known}
        expect.same(f"V26: (P,O,{known})", simulation.eval("type_update", in_), type_)


@vector("V25: each profile's own backoff")
def backoff(expect):
    # 5.4: Lighthouse and Spacetime have none
    own = {"bootstrap": (10, 20, 40), "lighthouse": (0, 0, 0), "stellar": (10, 20, 40, 80), "spacetime": (0, 0, 0),
           "ouroboros": (5, 5, 10, 20, 40, 80, 160, 160), "dugite": (5, 10, 20, 40, 60, 60)}
    for profile, most in own.items():
        simulation = expect.simulation(profile)
        got = [simulation.eval("backoff", {"failures": failures, "rand": 0})["max"] for failures in range(len(most))]
        expect.same(profile, got, most)
        expect.same(f"{profile}: Stellar's by name", simulation.eval("backoff", {"policy": "stellar", "failures": 3, "rand": 0})["max"], 80)
    expect.same("dugite waits that long", expect.simulation("dugite").eval("backoff", {"failures": 1, "rand": 0}), {"max": 10, "wait": 10})


@vector("sim.eval: what no formula reads is refused by its name")
def unknown(expect):
    simulation = expect.simulation("lighthouse")
    cases = [("lorachain", {"uptyme": .9}, "in.uptyme: unknown member (allowed: uptime, conn_success"),
             ("type_update", {"stored": "inbound", "observed": "inbound", "kown": True}, "in.kown: unknown member (allowed: stored, observed, known)"),
             ("halving", {"count": 8, "minutes": 10}, "in.minutes: unknown member (allowed: count, elapsed)"),
             ("combine", {"app": "-3"}, "in.app: wrong type (allowed: number)"), ("combine", {"app": -3, "ignore": 1}, "in.ignore: wrong type"),
             ("lorachain", {"latency": 120, "rtt_ms": 120}, "in.rtt_ms: given beside latency_ms"),
             ("churn", {"active": 15, "blp": {"hot": 5}}, "in.blp.hot: unknown member"),
             ("evict", {"candidates": [{"id": 1, "pign": 3}]}, "in.candidates.pign: unknown member"),
             ("evict", {"candidates": [1]}, "in: candidates: not objects"), ("ewma", [1, "2"], "in: samples: not numbers"),
             ("combine", [1], "in: wrong type (allowed: object)"), ("limits", 50, "in: wrong type (allowed: object)")]
    for what, in_, sentence in cases:
        got = refusal(simulation, what, in_)
        expect.true(f"{what} {in_}: {got}", got.startswith(f"{INVALID} {sentence}"))
    expect.same("null is not given", simulation.eval("limits", {"target": None})["max"], 55)
    expect.same("an array alone", simulation.eval("ewma", [100, 50]), [100, 85])
    expect.same("a number alone", simulation.eval("subnet_penalty", 4), .4)


@vector("V10, LH-11: an unknown client is told by its string")
def client(expect):
    simulation = expect.simulation("lighthouse", ticks=False)
    expect.same("lighthouse/x", simulation.eval("agent", "lighthouse/x"), {"kind": "Unknown", "version": "", "os": "", "agent": "lighthouse/x"})
    expect.same("teku", simulation.eval("agent", {"agent": "teku/teku/v24.8.0/linux"}),
                {"kind": "Teku", "version": "v24.8.0", "os": "linux", "agent": "teku/teku/v24.8.0/linux"})
    bound = simulation.ask(0, "conn.open", ip="11.0.0.9", port=4000, direction="in")
    bound = simulation.ask(0, "peer.bind", id="a", conn=bound["conn"], agent="lighthouse/x")
    expect.same("peer.bind", bound["client"], {"kind": "Unknown", "agent": "lighthouse/x"})
    expect.same("peer.get", simulation.ask(0, "peer.get", id="a")["client"], {"kind": "Unknown", "agent": "lighthouse/x"})
