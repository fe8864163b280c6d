# SPDX-License-Identifier: BSD-3-Clause
"""Who an id is, wherever it was first heard of: opens with ids, what lifts a blacklist, what a restart knows of a banned id."""
from simulation import Refused, vector

PLACE = "203.0.113.9"


def refused(function, *arguments, **parameters):
    try:
        function(*arguments, **parameters)
    except Refused as error:
        return error.reason or error.code
    return None


def come(simulation, t, port, id, ip=PLACE):
    return simulation.ask(t, "conn.open", ip=ip, port=port, direction="in", id=id)


@vector("a peer that conn.open names can be reported as one that peer.bind names")
def open_names(expect):
    simulation = expect.simulation("lighthouse")
    come(simulation, 1, 4000, "A")
    expect.same("its report counts", simulation.ask(2, "peer.report", id="A", action="low", reason="vector")["score"], -10, close=1e-6)
    expect.same("so does its call", simulation.ask(2, "peer.rpc_error", id="A", error="invalid_request", protocol="ping", by="us")["action"], "low")
    expect.same("both are its score", simulation.ask(2, "peer.get", id="A")["score"]["app"], -20, close=1e-6)


@vector("V7: ids that came with conn.open count for their address")
def open_counts(expect):
    simulation = expect.simulation("lighthouse", ticks=False)
    for n in range(7):
        come(simulation, 1, 4000 + n, f"p{n}")
    for n in range(6):
        expect.same(f"tiers after {n} banned", simulation.ask(2, "why", ip=PLACE)["tiers"], [])
        simulation.ask(2, "ban.add", id=f"p{n}", reason="vector")
    expect.same("six are a reason", simulation.ask(3, "why", ip=PLACE)["tiers"], [4])
    expect.same("nobody new", come(simulation, 3, 5000, "new")["verdict"], "drop")
    simulation.ask(4, "ban.remove", id="p0")
    expect.same("five left: free", simulation.ask(4, "why", ip=PLACE)["tiers"], [])


@vector("5.5.5: ban.remove takes a peer off Spacetime's blacklist, and until then every answer says so")
def blacklist(expect):
    simulation = expect.simulation("spacetime", ticks=False)
    conn = simulation.ask(1, "conn.open", ip=PLACE, port=1, direction="in")["conn"]
    simulation.ask(1, "peer.bind", id="A", conn=conn)
    expect.same("not yet", refused(simulation.ask, 1, "ban.remove", id="A"), "no_ban")
    for _ in range(5):
        record = simulation.ask(2, "peer.record", id="A", ok=False)
    expect.same("V14", record["blacklisted"], True)
    expect.same("open", come(simulation, 20, 2, "A")["reason"], "blacklisted")
    expect.same("why", simulation.ask(20, "why", ip=PLACE, id="A"), {"verdict": "refuse", "reason": "blacklisted", "until": None, "tiers": []})
    expect.same("why its address", simulation.ask(20, "why", ip=PLACE)["verdict"], "forward")
    expect.same("list", [peer["id"] for peer in simulation.ask(20, "peer.list", banned=True)["peers"]], ["A"])
    expect.same("a tier is not it", refused(simulation.ask, 20, "ban.remove", id="A", tier=5), "no_ban")
    expect.same("lifted", simulation.ask(21, "ban.remove", id="A")["removed"], ["blacklist"])
    expect.same("why", simulation.ask(21, "why", ip=PLACE, id="A")["verdict"], "forward")
    expect.same("list", simulation.ask(21, "peer.list", banned=True)["peers"], [])
    expect.same("open", come(simulation, 22, 3, "A")["verdict"], "forward")
    expect.same("one failure does not put it back", simulation.ask(23, "peer.record", id="A", ok=False)["blacklisted"], False)


@vector("LH-22: five hundred disconnected peers are kept, however many addresses they came from")
def disconnected_kept(expect):
    simulation = expect.simulation("lighthouse", "close.grace=0", ticks=False)
    for n in range(520):
        ip = f"198.51.{n // 250}.{n % 250 + 1}"
        conn = simulation.ask(n, "conn.open", ip=ip, port=1, direction="in")["conn"]
        simulation.ask(n, "peer.bind", id=f"p{n}", conn=conn)
        simulation.ask(n, "conn.close", conn=conn, by="client", how="fin")
    ids, after = [], None
    for _ in range(20):
        page = simulation.ask(600, "peer.list", n=1000, **({"after": after} if after else {}))
        ids += [peer["id"] for peer in page["peers"] if peer["id"]]
        after = page["next"]
        if after is None:
            break
    expect.same("ids that are known", len(ids), 500)
    expect.same("the oldest went", sorted(set(f"p{n}" for n in range(20)) & set(ids)), [])


def six_from(simulation, t, place, ban):
    for n in range(6):
        conn = simulation.ask(t, "conn.open", ip=place, port=n + 1, direction="in")["conn"]
        simulation.ask(t, "peer.bind", id=f"P{n}", conn=conn)
    for n in range(6):
        ban(n)


@vector("V7, 5.5.16: a restart keeps the six banned ids behind T4, and five that are left free their address")
def six_restart(expect):
    simulation = expect.simulation("bootstrap", ticks=False)
    six_from(simulation, 1, "9.9.9.9", lambda n: simulation.ask(2, "ban.add", id=f"P{n}", reason="vector"))
    expect.same("before", simulation.ask(3, "why", ip="9.9.9.9")["tiers"], [4])
    simulation.ask(3, "sim.restart")
    expect.same("it tells nobody", simulation.events, [])
    expect.same("after", simulation.ask(4, "why", ip="9.9.9.9")["tiers"], [4])
    simulation.ask(5, "ban.remove", id="P3")
    expect.same("five left: free", simulation.ask(5, "why", ip="9.9.9.9")["tiers"], [])


@vector("V7, 5.5.16: five banned ids before a restart and a sixth after it ban their address, and one less frees it")
def five_restart(expect):
    simulation = expect.simulation("lighthouse", "close.grace=0", ticks=False)
    for n in range(6):
        come(simulation, 1, n + 1, f"p{n}")
    for n in range(5):
        simulation.ask(2, "peer.report", id=f"p{n}", action="fatal", reason="vector")
    simulation.ask(3, "sim.restart")
    expect.same("five", simulation.ask(3, "why", ip=PLACE)["tiers"], [])
    come(simulation, 4, 10, "p5")
    simulation.ask(5, "peer.report", id="p5", action="fatal", reason="vector")
    expect.same("six", simulation.ask(5, "why", ip=PLACE)["tiers"], [4])
    simulation.ask(6, "sim.restart")
    simulation.ask(7, "ban.remove", id="p0")
    expect.same("five again", simulation.ask(7, "why", ip=PLACE)["tiers"], [])


@vector("5.5.16: after a restart a banned peer is known as banned, where it was seen")
def banned_known(expect):
    simulation = expect.simulation("lighthouse", "close.grace=0", ticks=False)
    come(simulation, 1, 4000, "A")
    simulation.ask(2, "peer.report", id="A", action="fatal", reason="vector")
    simulation.ask(2, "peer.report", ip="198.51.100.9", action="fatal", reason="vector")
    simulation.ask(2, "ban.add", id="never-seen", reason="vector")
    simulation.ask(3, "sim.restart")
    expect.same("get", simulation.ask(4, "peer.get", id="A"), {"ip": PLACE, "port": 4000, "status": "banned"})
    for choice in ({"banned": True}, {"status": "banned"}):
        peers = simulation.ask(4, "peer.list", **choice)["peers"]
        expect.same(f"list {choice}", [[peer["id"], peer["ip"]] for peer in peers], [["A", PLACE], ["never-seen", None], [None, "198.51.100.9"]])
    until = simulation.ask(4, "peer.get", id="A")["score"]["unban_at"]
    simulation.ask(until, "why", ip=PLACE)
    expect.same("it ends", simulation.ask(until, "peer.get", id="A")["status"], "disconnected")
