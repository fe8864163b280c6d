# SPDX-License-Identifier: BSD-3-Clause
"""Weir's targets, one a line, and which results of tools/bench answer each: regular expressions on the results' names.

A line is met when everything that it names was measured and judged, and each of its results that has a target is met. A run that left
some of it out (--quick, --only, --minutes, a program that refused to report) says "not all measured", which is never "met".
"""
import dataclasses
import itertools
import re


def each(template, *choices):
    """The template with every combination of the choices in its places."""
    return tuple(template.format(*words) for words in itertools.product(*choices))


@dataclasses.dataclass(frozen=True)
class Target:
    what: str
    target: str
    names: tuple     # of all results that count
    needed: tuple    # each must match one of them at least
    baseline: str = ""  # of those, the ones beside this baseline

    def matches(self, results):
        return [line for line in results if any(re.search(name, line["name"]) for name in self.names)
                and re.search(self.baseline, line["baseline_name"] or "")]

    def missing(self, results):
        """What is needed and was not measured."""
        found = [line["name"] for line in self.matches(results)]
        return [name for name in self.needed if not any(re.search(name, line) for line in found)]


FAMILIES = ("IPv4", "IPv6")
MIXES = ("banned", "challenged", "admitted", "proven")
# of live_attacks.py: all but "hold", which no target covers
MODELS = ("spoof", "zipf", "subnets", "botnet", "v6-64", "v6-48", "rotate", "cgnat", "slow", "reconnect")
INSIDE_MODELS = ("subnets", "cgnat")
TABLES = ("flow_table flow", "proven_table IPv4", *each("pressure_table {}", FAMILIES))
STAGES_NOT_RUN = r"^live stages not run"
SIZED_FORWARDS = (*each("{} established flows, {}", ("1 k", "64 k"), ("64-byte", "IMIX")), "1 M established flows, 64-byte",
                  "64 k established flows, 64-byte, IPv6", "64 k established flows, 64-byte, 10000 bans/s")
# over memif, what a transport may change
PLAIN_FORWARDS = (*each("{} established flows, 64-byte", ("1 k", "64 k", "1 M")), "64 k established flows, 64-byte, 10000 bans/s")

TARGETS = (
    Target("decide, tables in cache, flow birth and event included", ">= 20 M attempts/s per core", (r"^decide: .*, 2\^16 prefixes$",),
           each(r"^decide: {}, {}, \d+ bans, 2\^16 prefixes$", MIXES, FAMILIES)),
    Target("decide, 16 M tracked prefixes and 10 M bans in memory",
           ">= 10 M attempts/s per core, and within 1.5x of 6 (IPv4) or 7 (IPv6) random lines measured in the same pages",
           (r"^decide: .*, 10000000 bans, 2\^24 prefixes$",),
           each(r"^decide: {}, {}, 10000000 bans, 2\^24 prefixes$", MIXES, FAMILIES)),
    Target("random unique sources against full tables",
           ">= 80 % of the rate with a population as large as the table, at every size from 2^16 to 2^24",
           (r"_table .*: unique sources, 2\^\d+ places$",),
           each(r"^{}: unique sources, 2\^{} places$", TABLES, range(16, 25, 2)), "^population as large$"),
    Target("drop of banned sources, two processes, one lcore",
           ">= 70 % of testpmd rxonly with the same generator and sides; the generator's ceiling printed",
           (r"^end to end, .*: drop of ", r"^end to end, .*: generator's ceiling"),
           (*each("^end to end, vhost: drop of banned sources, {}$", ("64 k", "1 M", "64 k IPv6", "64 k IMIX")),
            "^end to end, memif: drop of banned sources, 64 k$", *each("^end to end, {}: generator's ceiling", ("vhost", "memif")))),
    Target("forward of established flows, same set-up, 1 k, 64 k and 1 M flows, also with 10 k bans/s moving the epoch",
           ">= 70 % of testpmd macswap", (r"^end to end, .*: forward of ",),
           (*each("^end to end, vhost: forward of {}$", SIZED_FORWARDS), *each("^end to end, memif: forward of {}$", PLAIN_FORWARDS))),
    Target("honest clients outside attacked prefixes during a flood of every model",
           ">= 99.9 % get the node's own echo of a nonce; p99 <= max(2x no flood, no flood + one round trip + 10 ms) with 20 ms of delay "
           "each way; SYN resends <= 0.1 %; none banned", (r"^live (?!.*inside|search|rival|hold).*weir", STAGES_NOT_RUN),
           each(r"^live {} \(.*: {}, weir", MODELS, ("honest clients served", "p99 of the first reply byte", "SYN resends",
                                                    "honest clients banned"))),
    Target("honest clients inside an attacked prefix", "proven ones first; success with a target of its own",
           (r"^live .*inside", STAGES_NOT_RUN), each(r"^live {} \(.*inside the attacked prefix served, weir", INSIDE_MODELS)),
    Target("a ban, from accepted to enforced on every lcore, idle and under flood", "p99 < 1 ms; bulk >= 1 M bans/s into the table",
           (r"^bans: .*answer to last packet", r"^ban_table .*: \d+ set one by one$"),
           (*each("^bans: answer to last packet, .*, {}", ("idle", "under")), *each(r"^ban_table {}: \d+ set one by one$", FAMILIES))),
    Target("restart with 10 M bans, aged database, cold cache", "< 5 s to the first governed packet", (r"^bans: restart with 10000000 bans",),
           (r"^bans: restart with 10000000 bans",)),
    Target("memory", "<= 10 B an IPv4 ban, <= 20 B an IPv6 ban in steady state; 8 B a hashed prefix; 64 B and an index of <= 16 B a flow; "
           "swap peak, image, control and LMDB beside them",
           (r"_table.*: memory(, | of a hashed)", r"^bans: memory of "),
           (*each("^ban_table {}: memory, ", FAMILIES), "^pressure_table: memory of a hashed prefix", "^flow_table flow: memory, ",
            *each("^bans: memory of {}, ", ("control", "the dataplane", "the database", "an image", "both processes at the peak")))),
    Target("governor tick with 1 M known peers", "< 50 ms, no full sweep", (r"^control: .*tick.*, 1000000 known$",),
           (r"^control: governor tick.*, 1000000 known$",)),
)
