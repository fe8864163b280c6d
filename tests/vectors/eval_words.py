# SPDX-License-Identifier: BSD-3-Clause
"""sim.eval in the words of V1, V18, V24, V26, V31 and V32, and what simulate says of the machine it runs on: nothing."""
from simulation import Refused, vector


def refused(simulation, what, in_):
    try:
        return f"answered {simulation.eval(what, in_)}"
    except Refused as error:
        return str(error)


@vector("V1: ignore_negative is a number, and 0 ignores nothing")
def ignore_negative(expect):
    simulation = expect.simulation("lighthouse")
    cases = [(0, -20, "disconnect"), (False, -20, "disconnect"), (None, -20, "disconnect"), (5, -1, "healthy"), (True, -1, "healthy")]
    for given, score, state in cases:
        expect.same(f"{given}", simulation.eval("combine", {"app": -1, "gossip": -16000, "ignore_negative": given}), {"score": score, "state": state})
    both = {"app": -19, "gossip": -16000, "ignore": True, "ignore_negative": 0}
    expect.same("the table's last row beside the table's key", simulation.eval("combine", both), {"score": -19, "state": "healthy"})
    for given in (-1, "0"):
        got = refused(simulation, "combine", {"app": -1, "ignore_negative": given})
        expect.same(f"{given}", got, "in.ignore_negative: wrong type (allowed: number from 0, true or false)")


@vector("5.5.4: only the application's score is clamped to 100")
def clamped(expect):
    simulation = expect.simulation("lighthouse")
    for in_, score, state in (({"app": 1e9}, 100, "healthy"), ({"app": -1e9}, -100, "banned"), ({"app": 1e9, "gossip": 1000}, 101.1875, "healthy"),
                              ({"app": -1e9, "gossip": -16000}, -100, "banned")):
        expect.same(f"{in_}", simulation.eval("combine", in_), {"score": score, "state": state})


@vector("V18: shared is a source")
def shared(expect):
    simulation = expect.simulation("dugite")
    expect.same("shared, five failures", simulation.eval("selection", {"rep": .5, "source": "shared", "failures": 5}), -.1)
    expect.same("none", simulation.eval("selection", {"rep": .5, "source": "shared"}), .5)
    expect.true("no other word is", refused(simulation, "selection", {"source": "share"}).startswith("in: no such category or source"))


@vector("V24: big ledger peers by flat names")
def flat(expect):
    simulation = expect.simulation("dugite")
    base = {"active": 15, "established": 40}
    reduced = {"active": 12, "established": 32, "blp": {"active": 4, "established": 8}}
    for words in ({"blp_established": 10, "blp_active": 5}, {"blp_est": 10, "blp_act": 5}, {"blp": {"established": 10, "active": 5}}):
        expect.same(f"{words}", simulation.eval("churn", base | words)["active"], reduced)
    relay = {"mode": "sequential", "blp_active": 5, "blp_established": 10, "blp_known": 15}
    expect.same("5/10/15 in sequence", [simulation.eval("churn", relay)[level]["blp"][level] for level in ("active", "established", "known")], [4, 9, 14])
    for member in ("blp_known", "blp_established", "blp_active"):
        got = refused(simulation, "churn", base | {"blp": {"active": 5}, member: 5})
        expect.same(member, got, "in: blp and a member that begins with it (allowed: one of the two)")


@vector("V26: types by their letters")
def letters(expect):
    simulation = expect.simulation("stellar")
    table = [("I", "I", None, "I"), ("I", "O", None, "O"), ("I", "P", None, "P"), ("O", "I", None, "O"), ("O", "O", None, "O"), ("O", "P", None, "P"),
             ("P", "I", None, "O"), ("P", "O", False, "P"), ("P", "O", True, "O"), ("P", "P", None, "P")]
    names = {"I": "inbound", "O": "outbound", "P": "preferred"}
    for stored, observed, known, type_ in table:
        for is_known in (known,) if known is not None else (False, True):
            in_ = {"stored": stored, "observed": observed, "known": is_known}
            expect.same(f"{in_}", simulation.eval("type_update", in_), type_)
            in_ |= {"stored": names[stored], "observed": names[observed]}
            expect.same(f"{in_}", simulation.eval("type_update", in_), names[type_])
    expect.true("no other letter", refused(simulation, "type_update", {"stored": "X", "observed": "I"}).startswith("in: no such type"))


@vector("V31: groups by their keys")
def group_key(expect):
    simulation = expect.simulation("bootstrap")
    peers = [{"id": i, "conn_time": 1000 + i, "group_key": 100 + i if i < 20 else 7, "ping": 10 + i if i < 20 else 200, "relay_txs": True}
             | ({"tx": 2000} if i in (3, 4) else {"block": 2000} if i in (5, 6) else {}) for i in range(40)]
    expect.same("the youngest of the largest group", simulation.eval("evict", {"candidates": peers, "now": 5000}), {"victims": [39]})


@vector("V32: the most outbound connections that inbound ones allow")
def target_cap(expect):
    simulation = expect.simulation("stellar")
    for inbound, cap in ((64, 24), (None, 24), (0, 3), (6, 5)):
        got = simulation.eval("slots", {"target": 8, "pending": 500, "inbound_authenticated": inbound})
        expect.same(f"{inbound}", [got["target_cap"], got["outbound"]], [cap, min(8, cap)])


@vector("simulate: two runs show the same configuration")
def same_bytes(expect):
    shown = [expect.simulation("stellar").ask(0, "config.show")["entries"] for _ in range(2)]
    expect.same("byte for byte", shown[0], shown[1])
    directories = [entry["value"] for entry in shown[0] if entry["key"] == "state_dir"]
    expect.same("the temporary directory is not told", directories, [""])
    expect.true("all else is", [entry["value"] for entry in shown[0] if entry["key"] == "profile"] == ["stellar"])
