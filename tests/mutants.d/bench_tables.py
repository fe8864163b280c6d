# SPDX-License-Identifier: BSD-3-Clause
"""Protections of the table benchmarks: what would compare the wrong keys or lose count of packets; see tests/mutants.py."""
OURS, WORLD = "bench/tables_ours.c", "bench/decide_world.c"
MUTANTS = [
    ("strangers are none of the members", OURS, "(uint64_t)stranger << 31", "0", "test_bench_worlds"),
    ("numbers that differ stay different", OURS, "return number ^ number >> (bits / 2 + 1);", "return number & ~UINT64_C(255);",
     "test_bench_worlds"),
    ("a flow that is charged gets a place", OURS, "else if (insert)", "else if (0)", "test_bench_worlds"),
    ("a stage that joined frees nothing that is shared", WORLD, "if (world->shared && !world->joined)", "if (world->shared)",
     "test_bench_worlds"),
]
