# SPDX-License-Identifier: BSD-3-Clause
"""Local roots by their category alone (DU-12, DU-17, 5.5.14): no surplus, stall, churn or prune takes one."""
import pool
from simulation import vector


def hot_roots(simulation, n, t=0):
    """h1..hn: hot, outbound."""
    for i in range(1, n + 1):
        pool.connect(simulation, t, f"h{i}", f"11.1.{i}.1", "out", port=3001)
        simulation.ask(t, "peer.state", id=f"h{i}", to="warm")
        simulation.ask(t, "peer.state", id=f"h{i}", to="hot")


def demoted(simulation):
    return [action["id"] for action in simulation.ask(simulation.t, "governor.tick")["actions"] if action["event"] == "governor.demote"]


@vector("V34, DU-17: a local root without a group is no surplus")
def surplus(expect):
    for profile in ("dugite", "ouroboros"):
        simulation = expect.simulation(profile, ticks=False)
        hot_roots(simulation, 4)
        simulation.ask(0, "peer.tag", id="h1", category="local_root")
        for n, failures in enumerate((3, 2, 1, 0)):
            for _ in range(failures):
                simulation.ask(0, "peer.record", id=f"h{n + 1}", ok=False)
        simulation.ask(0, "governor.targets", active=2)
        expect.same(f"{profile}: the two lowest but for the local root", demoted(simulation), ["h2", "h3"])


@vector("V34, DU-17: nor is one whose address the book knows for a local root")
def booked(expect):
    simulation = expect.simulation("dugite", ticks=False)
    simulation.ask(0, "book.add", entries=[{"ip": "11.1.1.1", "port": 3001, "source": "config", "category": "local_root"}])
    hot_roots(simulation, 4)
    for n, failures in enumerate((3, 2, 1, 0)):
        for _ in range(failures):
            simulation.ask(0, "peer.record", id=f"h{n + 1}", ok=False)
    simulation.ask(0, "governor.targets", active=2)
    expect.same("the others", demoted(simulation), ["h2", "h3"])


@vector("DU-17: local roots are not churned")
def churned(expect):
    simulation = expect.simulation("dugite")
    hot_roots(simulation, 15)
    for n in range(1, 16):
        simulation.ask(0, "peer.tag", id=f"h{n}", category="local_root")
    for t in range(30, 3400, 30):  # they go on, or they would stall
        for n in range(1, 16):
            simulation.ask(t, "peer.metrics", id=f"h{n}", fetch_ms=100, blocks=t)
    expect.true("the churn happens", simulation.ever("churn.start"))
    expect.same("and demotes nobody", simulation.ever("governor.demote"), [])


@vector("V36, DU-12: a local root does not stall")
def stall(expect):
    simulation = expect.simulation("dugite", "stages.surplus=no", "stages.churn=no", ticks=False)
    simulation.ask(0, "governor.targets", active=5, established=10, known=10, root=0)
    hot_roots(simulation, 6)
    simulation.ask(0, "peer.tag", id="h1", category="local_root")
    simulation.ask(0, "peer.metrics", id="h1", fetch_ms=100, blocks=10)
    for evaluation in range(1, 10):
        for n in range(2, 7):
            simulation.ask(30 * evaluation, "peer.metrics", id=f"h{n}", fetch_ms=100, blocks=evaluation)
        expect.same(f"evaluation {evaluation}", demoted(simulation), [])


@vector("5.3 F, DU-17: a local root is not pruned")
def pruned(expect):
    simulation = expect.simulation("lighthouse", "eviction.grace=0", ticks=False)
    for n in range(1, 6):
        pool.connect(simulation, 0, f"p{n}", f"203.0.113.{n}", "in")
    simulation.ask(0, "peer.report", id="p1", action="high", reason="vector")
    simulation.ask(0, "peer.tag", id="p1", category="local_root")
    simulation.ask(0, "governor.targets", target=4)
    simulation.ask(0, "governor.tick")
    expect.same("the local root, which is the worst, stays", len(pool.gone(simulation) - {"p1"}), 1)
