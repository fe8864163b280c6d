# SPDX-License-Identifier: BSD-3-Clause
"""5.4, "-" in the row of the penalty clock: a profile without a score takes off no points and tells of none (5.5.1)."""
from simulation import vector


def app(simulation, id_):
    return simulation.ask(simulation.t, "peer.get", id=id_)["score"]["app"]


@vector("5.4: without a score nothing takes off points")
def off(expect):
    for profile, sets, points in (("lorachain", (), 0), ("dugite", (), 0), ("lighthouse", ("score.on=no",), 0), ("lighthouse", (), -10)):
        simulation = expect.simulation(profile, *sets)
        simulation.ask(0, "conn.open", ip="9.9.9.9", port=1, direction="in", id="silent")
        simulation.ask(20, "governor.status")
        simulation.ask(20, "peer.report", id="silent", action="low", reason="vector")
        named = f"{profile} {' '.join(sets)}"
        expect.same(f"{named}: the report", app(simulation, "silent"), points)
        expect.same(f"{named}: no news of it", [event["score"] for event in simulation.ever("peer.score_updated") if "score" in event],
                    [points] if points else [])
