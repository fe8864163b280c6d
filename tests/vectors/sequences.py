# SPDX-License-Identifier: BSD-3-Clause
"""Vectors that formulas.py gives to sim.eval, here as what a node does: V16 to V18."""
from pool import connect
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
