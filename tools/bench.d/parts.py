# SPDX-License-Identifier: BSD-3-Clause
"""What tools/bench measures: its parts, in the order in which they run, and the sizes of a full and of a quick run.

Each part is a program of bench/ that stands alone, takes --seed and --json and writes {"results": [...]}. Decides nothing about
results; sizes follow design.md section 10, and the times of a full run add up to 40 minutes on two CPUs.
"""
import dataclasses
import os
import sys
from typing import Callable


@dataclasses.dataclass(frozen=True)
class Part:
    name: str
    about: str
    commands: Callable  # (Where) -> list of commands
    huge_pages: int = 0  # of 2 MiB, that this file's caller must provide; programs in python see to their own


@dataclasses.dataclass(frozen=True)
class Where:
    root: str
    build: str
    quick: bool
    seed: int

    def program(self, name):
        return [os.path.join(self.build, "bench", name), "--json", "--seed", str(self.seed)]

    def script(self, name):
        return [sys.executable, "-B", os.path.join(self.root, "bench", name), "--build", self.build, "--seed", str(self.seed)]


def decide(where):
    in_cache = where.program("weir-bench-decide")
    middle = ["--bans", "1000000", "--pressure-log2", "20", "--proven-log2", "18", "--flows-log2", "18", "--population", "50000"]
    large = ["--bans", "10000000", "--pressure-log2", "24", "--proven-log2", "20", "--flows-log2", "20", "--population", "200000"]
    if where.quick:
        small = [*in_cache, "--trials", "3", "--attempts", "200000"]
        return [small, [*small, *middle]]
    return [[*in_cache, "--trials", "9"], [*in_cache, "--trials", "5", *middle], [*in_cache, "--trials", "5", *large]]


def tables(where):
    program = where.program("weir-bench-tables")
    if where.quick:
        return [[*program, "--trials", "3", "--attempts", "131072", "--log2", "20", "--prefixes", "10000"]]
    sizes = [word for log2 in range(16, 25, 2) for word in ("--log2", str(log2))]
    return [[*program, "--trials", "3", *sizes]]


def scaling(where):
    program = where.program("weir-bench-scaling")
    if where.quick:
        return [[*program, "--trials", "3", "--attempts", "131072"]]
    return [[*program, "--trials", "9", "--pressure-log2", "22"]]


def bans(where):
    program = where.script("bans.py")
    if where.quick:
        return [[*program, "--bans", "100000", "--ones", "100", "--restart"]]
    return [[*program, "--bans", "1000000", "--ones", "1000"], [*program, "--bans", "10000000", "--bulk-only", "--restart"]]


def control(where):
    program = where.program("weir-bench-control")
    sizes = ("10000", "100000") if where.quick else ("10000", "100000", "1000000")
    return [[*program, "--trials", "3", *(word for size in sizes for word in ("--known", size))]]


def end_to_end(where):
    program = where.script("end_to_end.py")
    return [[*program, "--quick"]] if where.quick else [[*program, "--trials", "3", "--seconds", "1", "--minutes", "24"]]


def live(where):
    program = where.script("live.py")
    return [[*program, "--quick"]] if where.quick else [program]


PARTS = (
    Part("decide", "an attempt's decision in ns and cycles beside as many random memory lines, from tables in cache to 16 M prefixes "
         "and 10 M bans", decide, 1024),
    Part("tables", "our tables alone beside rte_hash, cds_lfht, rte_lpm and rte_fib, and under sources that never come twice", tables,
         1600),
    Part("scaling", "two lcores over the same tables beside one", scaling, 1024),
    Part("control", "report, tick and snapshot of the governor at 10 k to 1 M known addresses", control),
    Part("bans", "bans in bulk beside ipset and nft, one ban's delay, memory, restart with a cold cache", bans),
    Part("end-to-end", "two processes over vhost-user and memif beside testpmd: drop, flood, forward", end_to_end),
    Part("live", "honest clients during floods, through Weir and through what people use instead", live),
)
