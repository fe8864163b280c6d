#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A million bans come back from the store after both processes were killed and their shared memory deleted: 10,000 banned
addresses send packets and none arrives, 10,000 of their neighbours send and all arrive. Says how long everything took."""
import ipaddress
import json
import os
import random
import shutil
import signal
import sys
import time

from weir import NODE_V4, NODE_V6, TCP_PORT, Suite, Weir, wait_for

BANS = 1_000_000
V6_SITES, V6_HOSTS, V4_PREFIXES, V6_PREFIXES = 100_000, 20_000, 2_000, 500
SAMPLE = 10_000
RATE_PPS = 10_000


def bans_make(rng):
    """Lines for the import, and pairs of a banned address and a neighbour of it that is not banned. All kinds keep apart: host bans
    in 20.0.0.0/7 and 2a00::/16, prefixes elsewhere, so that a neighbour is never covered by accident."""
    lines, pairs = [], []
    n_v4 = BANS - V6_SITES - V6_HOSTS - V4_PREFIXES - V6_PREFIXES
    # Even addresses only: the odd one beside it is a neighbour that no other ban covers.
    for number in rng.sample(range(1 << 24), n_v4):
        lines.append(str(ipaddress.IPv4Address((20 << 24) + 2 * number)))
        pairs.append((lines[-1], str(ipaddress.IPv4Address((20 << 24) + 2 * number + 1))))
    for number in rng.sample(range(1 << 30), V6_SITES):
        site = (0x2a00 << 112) + (number << 65)
        lines.append(str(ipaddress.IPv6Network((site, 64))))
        pairs.append((str(ipaddress.IPv6Address(site + rng.getrandbits(63) + 1)),
                      str(ipaddress.IPv6Address(site + (1 << 64) + rng.getrandbits(63) + 1))))
    for number in rng.sample(range(1 << 30), V6_HOSTS):
        host = (0x2a01 << 112) + (number << 65) + 2 * rng.getrandbits(60) + 2
        lines.append(str(ipaddress.IPv6Network((host, 128))))
        pairs.append((str(ipaddress.IPv6Address(host)), str(ipaddress.IPv6Address(host + 1))))
    for number in rng.sample(range(1 << 12), V4_PREFIXES):
        base, length = (100 << 24) + (number << 11), rng.choice((22, 23, 24, 28))
        lines.append(f"{ipaddress.IPv4Address(base)}/{length}")
        pairs.append((str(ipaddress.IPv4Address(base + rng.randrange(1 << (32 - length)))),
                      str(ipaddress.IPv4Address(base + (1 << (32 - length))))))
    for number in rng.sample(range(1 << 14), V6_PREFIXES):
        base, length = (0x2a02 << 112) + (number << 90), rng.choice((40, 48, 56))
        lines.append(f"{ipaddress.IPv6Address(base)}/{length}")
        pairs.append((str(ipaddress.IPv6Address(base + rng.getrandbits(128 - length))),
                      str(ipaddress.IPv6Address(base + (1 << (128 - length))))))
    return lines, pairs


def sample(pairs, rng):
    """10,000 of each, and of the rare kinds so many that each is really looked at."""
    n_v4 = BANS - V6_SITES - V6_HOSTS - V4_PREFIXES - V6_PREFIXES
    common, rare = pairs[:n_v4], pairs[n_v4:]
    chosen = rng.sample(common, SAMPLE - 3500) + rng.sample(rare[:V6_SITES], 1500) \
        + rng.sample(rare[V6_SITES:V6_SITES + V6_HOSTS], 1000) + rng.sample(rare[V6_SITES + V6_HOSTS:], 1000)
    return [banned for banned, _ in chosen], [neighbour for _, neighbour in chosen]


class Counter:
    """What arrives at the node, by source."""

    def __init__(self, weir, number):
        self.weir, self.name = weir, f"count{number}"
        weir.spawn(self.name, "node", f"{weir.build}/tests/packet_count", "n0", str(TCP_PORT))
        if not wait_for(lambda: "ready" in weir.words(self.name), 10):
            raise RuntimeError("packet_count does not listen")

    def end(self):
        """{source: packets}; the counter's own losses would make the result worthless."""
        if self.weir.end(self.name, signal.SIGTERM, patience_s=20) != 0:
            raise RuntimeError("packet_count failed")
        lines = [line.split() for line in self.weir.words(self.name).splitlines()]
        counts = {line[0]: int(line[1]) for line in lines if len(line) == 2}
        if "lost" in counts:
            raise RuntimeError("packet_count lost packets")
        return counts


def send(weir, sources):
    path = f"{weir.state_dir}/sources"
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join(sources) + "\n")
    return json.loads(weir.inside("client", f"{weir.build}/tests/packet_send", "--interface", "c0", "--mac", weir.mac("node", "n0"),
                                  "--own-mac", weir.mac("client", "c0"), "--v4", NODE_V4, "--v6", NODE_V6, "--port",
                                  str(TCP_PORT), "--kind", "syn", "--sources", path, "--rate", str(RATE_PPS), timeout=120))


def look(suite, weir, number, banned, neighbours, when):
    """Both kinds mixed. A neighbour whose packet a full queue of the kernels dropped sends again, as a client would."""
    mixed = banned + neighbours
    random.Random(number).shuffle(mixed)
    counter = Counter(weir, number)
    dropped = weir.call("status")["reasons"]
    send(weir, mixed)
    missing = set(neighbours)
    rounds = 1
    time.sleep(0.5)
    counts = counter.end()
    missing -= counts.keys()
    while missing and rounds < 4:
        rounds += 1
        counter = Counter(weir, number * 10 + rounds)
        send(weir, sorted(missing))
        time.sleep(0.5)
        again = counter.end()
        missing -= again.keys()
        counts.update(again)
    passed = set(banned) & counts.keys()
    now = weir.call("status")["reasons"]
    drops = sum(now.get(reason, 0) - dropped.get(reason, 0) for reason in ("banned", "banned_prefix"))
    suite.check(f"{when}, no packet of {len(banned):,} banned addresses passes", not passed, sorted(passed)[:5] or "")
    suite.check(f"{when}, packets of {len(neighbours):,} neighbours all pass", not missing,
                sorted(missing)[:5] or f"{rounds} rounds")
    suite.check(f"{when}, Weir counts every banned packet as dropped by its ban", drops == len(banned), drops)


def restart(suite, weir):
    """Both killed, shared memory gone. Seconds until the bans are in force."""
    weir.end("dataplane", signal.SIGKILL)
    weir.end("control", signal.SIGKILL)
    shutil.rmtree(weir.shm_dir)
    os.makedirs(weir.shm_dir, mode=0o700)
    began = time.clock_gettime(time.CLOCK_MONOTONIC)
    weir.start_control()
    weir.start_dataplane()

    def in_force():
        try:
            dataplane = weir.call("status")["dataplane"]
        except (OSError, ValueError):
            return None
        total = sum(dataplane.get(key, 0) for key in ("bans_v4", "bans_v6", "bans_exact", "list_labels"))
        return dataplane if dataplane.get("state") == "governing" and total >= BANS else None
    dataplane = wait_for(in_force, 60, 0.01)
    took = time.clock_gettime(time.CLOCK_MONOTONIC) - began
    suite.check("after both were killed and shared memory was deleted, a million bans are in force again", dataplane is not None,
                f"{took:.2f} s from the start of both processes")
    return began


def main():
    suite = Suite("million")
    rng = random.Random(1)
    # The bans are under test: nothing else may hold back a SYN of a source that has no ban.
    services = [{"name": "tcp", "port": TCP_PORT, "protocol": "tcp", "challenge": "off",
                 "pressure": {"enter_per_s": 100_000_000, "leave_per_s": 0, "half_open": 100_000_000}}]
    no_limit = {level: {"burst": 0} for level in ("host", "near", "mid", "wide")}
    config = {"services": services, "rate": {"unproven": {"v4": no_limit, "v6": no_limit}}, "start": {"wait": 60}, "flood": {"per_s": 0}}
    with Weir(config, ["--start-wait", "60", "--flows-log2", "18"]) as weir:
        lines, pairs = bans_make(rng)
        path = f"{weir.state_dir}/bans.txt"
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(lines) + "\n")
        weir.start()
        began = time.monotonic()
        imported = weir.weirctl("ban", "import", path, timeout=120)
        suite.check("a million bans are imported", weir.call("status")["bans"]["all"] == BANS,
                    f"{time.monotonic() - began:.2f} s, {imported}"[:200])
        weir.call("sync", patience_s=60)
        suite.say(f"durable {time.monotonic() - began:.2f} s after the import began")
        banned, neighbours = sample(pairs, rng)
        look(suite, weir, 1, banned, neighbours, "after the import")
        began = restart(suite, weir)
        banned, neighbours = sample(pairs, rng)
        look(suite, weir, 2, banned, neighbours, "after the restart")
        first = weir.call("status")["dataplane"]["first_governed_mono_ns"] / 1e9
        suite.say(f"first governed packet {first - began:.2f} s after the start of both processes")
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
