# SPDX-License-Identifier: BSD-3-Clause
"""DU-13, 5.5.12: before the tip the sync targets hold, in both profiles that have targets."""
from simulation import vector

SYNC = {"root": 30, "known": 50, "established": 20, "active": 10}
BASE = {"ouroboros": {"root": 60, "known": 150, "established": 30, "active": 20}, "dugite": {"root": 60, "known": 85, "established": 40, "active": 15}}


@vector("DU-13, 5.5.12: targets follow the state of sync")
def follow(expect):
    for profile, base in BASE.items():
        simulation = expect.simulation(profile, ticks=False)
        for state, targets in (("pre_syncing", SYNC), ("syncing", SYNC), ("caught_up", base)):
            expect.same(f"{profile}, {state}", simulation.ask(0, "node.sync_state", state=state)["targets"], targets)
