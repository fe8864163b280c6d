# SPDX-License-Identifier: BSD-3-Clause
"""LH-25, LO-15: every event of the node's interface happens, with what it must carry."""
import instances
import pool
import scores
from simulation import Expectations, vector

# flood.enter and flood.leave come from the dataplane alone: tests/netns/proxy_traffic.py and spoof.py hear them
EVENTS = """peer.connected peer.disconnected peer.banned peer.unbanned peer.disconnect peer.discovered peer.score_updated peer.status_due
peer.ping_due peer.metadata_due conn.failed discover.peers discover.subnets discovery.new_peers ban.misbehavior governor.connect
governor.disconnect governor.promote governor.demote governor.share governor.evict_cold churn.start churn.restore book.evicted
circuit.changed prune.short""".split()


@vector("LH-25, LO-15: every event of the interface happens")
def every(expect):
    histories = []
    for profile in ("bootstrap", "lighthouse", "ouroboros", "dugite"):
        simulation = expect.simulation(profile)
        instances.trace(simulation, 7, 1500)
        histories.append(simulation.history)
    for other in (pool.deficit, pool.stall, pool.coldest, pool.circuit, pool.pruned, pool.discovery, scores.freeze, scores.misdeeds):
        theirs = Expectations(expect.command)
        other(theirs)
        theirs.end()
        histories += [simulation.history for simulation in theirs.running]
    seen = {}
    for event in (event for history in histories for event in history):
        seen.setdefault(event["event"], event)
    for name in EVENTS:
        expect.true(f"{name} happens", name in seen)
    expect.same("and no other", sorted(set(seen) - set(EVENTS)), [])
    for name, event in seen.items():
        expect.true(f"{name} has its time", isinstance(event["t"], (int, float)))
        if name.startswith("peer."):
            expect.true(f"{name} says who", "id" in event or "ip" in event or "prefix" in event)
    for name in ("peer.connected", "peer.score_updated", "circuit.changed"):
        expect.true(f"{name} has old and new", {"old", "new"} <= set(seen.get(name, {})))
