# SPDX-License-Identifier: BSD-3-Clause
"""HE-13, 5.4 "reset on auth": to answer Stellar's dial is no success; authentication is, or payload where the node tells of none."""
from simulation import vector

PEER = {"ip": "9.9.9.9", "port": 1}


def dial(simulation, t, how, auth=None, bytes_in=0):
    """A dial that is answered and closed; the answer to the last request that can have an outcome."""
    simulation.ask(t, "conn.dial", **PEER)
    conn = simulation.ask(t, "conn.open", direction="out", **PEER)["conn"]
    if auth is not None:
        return simulation.ask(t, "conn.auth", conn=conn, ok=auth)
    return simulation.ask(t, "conn.close", conn=conn, by="client", how=how, bytes_in=bytes_in, bytes_out=0)


def known(simulation):
    return simulation.ask(simulation.t, "book.get", **PEER)


def begin(expect, profile="stellar"):
    simulation = expect.simulation(profile)
    simulation.ask(0, "book.add", entries=[PEER | {"source": "dns"}])
    return simulation


@vector("HE-13: who answers the dial and never authenticates keeps his backoff")
def unauthenticated(expect):
    simulation = begin(expect)
    for n, t in enumerate((0, 1000, 2000, 3000), 1):
        expect.same(f"attempt {n}", dial(simulation, t, "rst")["outcome"], "failure")
        expect.same(f"attempt {n}: failures", known(simulation)["failures"], n)
    expect.same("no success", known(simulation)["ok"], 0)
    expect.same("closed in order: neither", dial(simulation, 90000, "fin")["outcome"], "neutral")
    expect.same("and the attempt is charged (HE-13)", known(simulation)["failures"], 5)


@vector("HE-13: authentication resets the backoff")
def authenticated(expect):
    simulation = begin(expect)
    dial(simulation, 0, "rst")
    expect.same("authenticated", dial(simulation, 1000, "", auth=True)["outcome"], "success")
    expect.same("failures", known(simulation)["failures"], 0)
    expect.true("next attempt in 1 to 10 s", 1001 <= known(simulation)["next_attempt"] <= 1010)


@vector("HE-13: payload stands for authentication until the node has told of one")
def paid(expect):
    simulation = begin(expect)
    expect.same("payload", dial(simulation, 0, "fin", bytes_in=100)["outcome"], "success")
    expect.same("failures", known(simulation)["failures"], 0)
    other = simulation.ask(1000, "conn.open", ip="8.8.8.8", port=1, direction="in")["conn"]
    simulation.ask(1000, "conn.auth", conn=other, ok=True)
    expect.same("payload is none any more", dial(simulation, 2000, "fin", bytes_in=100)["outcome"], "neutral")
    expect.same("failures again", known(simulation)["failures"], 1)


@vector("SP-4: elsewhere an answer is a success")
def elsewhere(expect):
    simulation = begin(expect, "spacetime")
    expect.same("answered", dial(simulation, 0, "fin")["outcome"], "success")
    expect.same("ok", known(simulation)["ok"], 1)
