# SPDX-License-Identifier: BSD-3-Clause
"""Weir's targets, one a line, and which results of tools/bench answer each: regular expressions on the results' names.

A line is met when each of its results that has a target is. A line without results was not measured, which is never "met".
"""
import dataclasses
import re


@dataclasses.dataclass(frozen=True)
class Target:
    what: str
    target: str
    names: tuple
    baseline: str = ""  # of those, the ones beside this baseline

    def matches(self, results):
        return [line for line in results if any(re.search(name, line["name"]) for name in self.names)
                and re.search(self.baseline, line["baseline_name"] or "")]


TARGETS = (
    Target("decide, tables in cache, flow birth and event included", ">= 20 M attempts/s per core", (r"^decide: .*, 2\^16 prefixes$",)),
    Target("decide, 16 M tracked prefixes and 10 M bans in memory",
           ">= 10 M attempts/s per core, and within 1.5x of 6 (IPv4) or 7 (IPv6) random lines measured in the same pages",
           (r"^decide: .*, 10000000 bans, 2\^24 prefixes$",)),
    Target("random unique sources against full tables",
           ">= 80 % of the rate with a population as large as the table, at every size from 2^16 to 2^24",
           (r"_table .*: unique sources, 2\^\d+ places$",), "^population as large$"),
    Target("drop of banned sources, two processes, one lcore",
           ">= 70 % of testpmd rxonly with the same generator and sides; the generator's ceiling printed",
           (r"^end to end, .*: drop of ", r"^end to end, .*: generator's ceiling")),
    Target("forward of established flows, same set-up, 1 k, 64 k and 1 M flows, also with 10 k bans/s moving the epoch",
           ">= 70 % of testpmd macswap", (r"^end to end, .*: forward of ",)),
    Target("honest clients outside attacked prefixes during a flood of every model",
           ">= 99.9 % get the node's own echo of a nonce; p99 <= max(2x no flood, no flood + one round trip + 10 ms) with 20 ms of delay "
           "each way; SYN resends <= 0.1 %; none banned", (r"^live (?!.*inside|search|rival|hold).*weir",)),
    Target("honest clients inside an attacked prefix", "proven ones first; success with a target of its own", (r"^live .*inside",)),
    Target("a ban, from accepted to enforced on every lcore, idle and under flood", "p99 < 1 ms; bulk >= 1 M bans/s into the table",
           (r"^bans: .*answer to last packet", r"^ban_table .*: \d+ set one by one$")),
    Target("restart with 10 M bans, aged database, cold cache", "< 5 s to the first governed packet", (r"^bans: restart with 10000000 bans",)),
    Target("memory", "<= 10 B an IPv4 ban, <= 20 B an IPv6 ban in steady state; 8 B a hashed prefix; 64 B and an index of <= 16 B a flow; "
           "swap peak, image, control and LMDB beside them",
           (r"_table.*: memory(, | of a hashed)", r"^bans: memory of ")),
    Target("governor tick with 1 M known peers", "< 50 ms, no full sweep", (r"^control: .*tick.*, 1000000 known$",)),
)
