#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What bans cost: a whole file of them into force beside `ipset restore` and `nft -f` of the same addresses, one ban beside
`ipset add` and `nft add element`, memory, and a restart with an aged database and a cold cache. Everything runs in network
namespaces of its own that end with the run.

Ours includes more than theirs: control checks each ban, keeps it for its database and hands it to the other process; the clock
stops when the dataplane has put the last one in force.
"""
import argparse
import json
import os
import random
import re
import shutil
import signal
import socket
import struct
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, "tests", "netns"), os.path.join(ROOT, "bench")]

import delay as ban_delay  # noqa: E402
from render import line_text  # noqa: E402
from weir import NODE_V4, NODE_V6, TCP_PORT, UDP_PORT, Weir, run, wait_for  # noqa: E402

DELAY_PROBE_PPS = 25_000
IMPORT_PATIENCE_S = 600
AGED_SHARE = 10       # one ban in so many is written a second time, with another end
RESTART_PROBE_PPS = 1000
RESTART_PATIENCE_S = 120
RESTART_TARGET_S = 5  # design.md section 10
# Only bans are measured: no SYN may be held back for another reason, and no packet passes before all bans are back.
CONFIG = {"services": [{"name": "tcp", "port": TCP_PORT, "protocol": "tcp", "challenge": "off",
                        "pressure": {"enter_per_s": 100_000_000, "leave_per_s": 0, "half_open": 100_000_000}},
                       {"name": "udp", "port": UDP_PORT, "protocol": "udp"}], "start": {"wait": RESTART_PATIENCE_S}}
OPTIONS = ["--start-wait", str(RESTART_PATIENCE_S)]


def addresses_make(number, seed):
    """Distinct IPv4 hosts of 20.0.0.0/6, scattered, in the order of a list that grew."""
    rng = random.Random(number * 31 + seed)
    return [socket.inet_ntoa(struct.pack(">I", (20 << 24) + value)) for value in rng.sample(range(1 << 26), number)]


class Rivals:
    """A network namespace with an empty ipset and an empty nft set; it ends with `weir`, and its name is one that the next run removes
    after a killed one."""

    def __init__(self, weir, entries):
        self.name, self.directory, self.entries = f"{weir.tag}-r", weir.state_dir, entries
        weir.namespaces["rivals"] = self.name
        run("ip", "netns", "add", self.name)

    def timed(self, *command, timeout=IMPORT_PATIENCE_S):
        began = time.monotonic()
        run("ip", "netns", "exec", self.name, *command, timeout=timeout)
        return time.monotonic() - began

    def ipset_load(self, addresses):
        """Seconds and bytes an entry; an entry too few is an error."""
        path = f"{self.directory}/ipset"
        with open(path, "w", encoding="ascii") as file:
            file.write(f"create bans hash:ip family inet hashsize {1 << (self.entries - 1).bit_length()} maxelem {2 * self.entries}\n")
            file.writelines(f"add bans {address}\n" for address in addresses)
        seconds = self.timed("ipset", "restore", "-file", path)
        words = run("ip", "netns", "exec", self.name, "ipset", "list", "bans", "-terse")
        held = int(re.search(r"Number of entries: (\d+)", words)[1])
        if held != len(addresses):
            raise RuntimeError(f"ipset holds {held} of {len(addresses)} entries")
        return seconds, int(re.search(r"Size in memory: (\d+)", words)[1]) / held

    def nft_load(self, addresses):
        path = f"{self.directory}/nft"
        with open(path, "w", encoding="ascii") as file:
            file.write(f"table inet bans {{\n set bans {{ type ipv4_addr; size {2 * self.entries};\n  elements = {{ ")
            file.write(",\n".join(addresses))
            file.write(" }\n }\n}\n")
        seconds = self.timed("nft", "-f", path)
        for address in (addresses[0], addresses[len(addresses) // 2], addresses[-1]):
            # `get` would fetch the whole set each time
            words = run("ip", "netns", "exec", self.name, "nft", "create", "element", "inet", "bans", "bans", f"{{ {address} }}",
                        check=False)
            if "File exists" not in words:
                raise RuntimeError(f"nft does not hold {address}: {words.strip()}")
        return seconds

    def clear(self):
        """Their memory is not ours: nothing of it may be short later."""
        self.timed("ipset", "destroy", "bans")
        self.timed("nft", "flush", "ruleset")

    def ones(self, commands, addresses):
        """Seconds of one process of each command for each address, ascending; in turn, so that whatever else the machine does hits all
        alike. The namespace is entered once, outside the clock."""
        made = [[[word.replace("ADDRESS", address) for word in command] for command in commands] for address in addresses]
        script = "import json,subprocess,sys,time\ntimes=[]\nfor turn in json.load(sys.stdin):\n row=[]\n for words in turn:\n" \
                 "  began=time.monotonic()\n  subprocess.run(words, check=True, stdout=subprocess.DEVNULL)\n" \
                 "  row.append(time.monotonic()-began)\n times.append(row)\nprint(json.dumps(times))\n"
        times = json.loads(run("ip", "netns", "exec", self.name, sys.executable, "-c", script, stdin=json.dumps(made), timeout=300))
        return [sorted(column) for column in zip(*times)]


def in_force(weir):
    """Of IPv4 hosts; 0 while control does not answer."""
    try:
        dataplane = weir.call("status")["dataplane"]
    except (OSError, ValueError):
        return 0
    return dataplane.get("bans_v4", 0) if dataplane.get("state") == "governing" else 0


def weir_load(weir, path, number):
    """Seconds until all are in force."""
    began = time.monotonic()
    answer = weir.weirctl("ban", "import", path, "--for", "30d", timeout=IMPORT_PATIENCE_S)
    if not wait_for(lambda: in_force(weir) >= number, IMPORT_PATIENCE_S, 0.05):
        raise RuntimeError(f"{in_force(weir)} of {number} bans are in force; weirctl said {answer}")
    return time.monotonic() - began


def wait_durable(weir):
    """Until everything accepted is on disk. Control itself waits ten seconds at most and then says that it is not yet."""
    deadline = time.monotonic() + IMPORT_PATIENCE_S
    while True:
        try:
            return weir.call("sync", patience_s=60)
        except RuntimeError:
            if time.monotonic() > deadline:
                raise


def file_of(weir, name, addresses):
    path = f"{weir.state_dir}/{name}"
    with open(path, "w", encoding="ascii") as file:
        file.writelines(f"{address}\n" for address in addresses)
    return path


def live_delay(weir, first, number, flood, faults):
    """Delays in ms at the 99th percentile, of `number` bans: tests/netns/ban_delay.c says how. A ban that does not bite is a fault."""
    path = file_of(weir, "sources", ban_delay.sources(first)[:number])
    spaces = {part: f"/run/netns/{weir.namespaces[part]}" for part in ("client", "node")}
    if flood:
        ban_delay.flood_start(weir)
    result = json.loads(run(f"{weir.build}/tests/ban_delay", "--socket", weir.socket_path, "--client", spaces["client"], "--node",
                            spaces["node"], "--client-mac", weir.mac("client", "c0"), "--node-mac", weir.mac("node", "n0"), "--v4",
                            NODE_V4, "--v6", NODE_V6, "--port", str(UDP_PORT), "--rate", str(DELAY_PROBE_PPS), "--sources", path,
                            timeout=120).splitlines()[-1])
    if flood:
        weir.end("flood")
    if result["bitten"] != number:
        faults.append(f"only {result['bitten']} of {number} bans bit within a second{' under a flood' if flood else ''}")
    return {name: result[name]["p99_us"] / 1e3 for name in ("after_answer", "after_request")}


def resident_bytes(weir, part, key):
    """VmRSS or VmHWM of a process; `ip netns exec` becomes the program that it starts."""
    with open(f"/proc/{weir.processes[part].pid}/status", encoding="ascii") as file:
        return next(int(row.split()[1]) * 1024 for row in file if row.startswith(key + ":"))


def percentile(ascending, share):
    return ascending[min(int(len(ascending) * share), len(ascending) - 1)]


def line(name, unit, ours, baseline=None, baseline_name=None, bound=None):
    """Less is better everywhere here; `bound` is of the ratio where there is a baseline, None: stated only."""
    ratio = ours / baseline if baseline else None
    judged = ratio if baseline else ours
    return {"name": name, "unit": unit, "ours": round(ours, 3), "baseline": round(baseline, 3) if baseline else None,
            "baseline_name": baseline_name, "ratio": round(ratio, 3) if ratio else None,
            "target": None if bound is None else f"<= {bound:g}" + (" of the baseline" if baseline else f" {unit}"),
            "met": None if bound is None else judged <= bound}


def measure_bulk(weir, rivals, bulk):
    number = len(bulk)
    what = f"bans: {number} from a file into force"
    ipset_s, ipset_bytes = rivals.ipset_load(bulk)
    nft_s = rivals.nft_load(bulk)
    before = {part: resident_bytes(weir, part, "VmRSS") for part in ("control", "dataplane")}
    ours_s = weir_load(weir, file_of(weir, "bans", bulk), number)
    wait_durable(weir)
    image = wait_for(lambda: image_of(weir, number), 60) or {}
    peak = sum(resident_bytes(weir, part, "VmHWM") - rss for part, rss in before.items())
    results = [line(what, "s", ours_s, ipset_s, "ipset restore", 1), line(what, "s", ours_s, nft_s, "nft -f", 1)]
    for name, value in (("control", resident_bytes(weir, "control", "VmRSS") - before["control"]), ("the dataplane",
                        resident_bytes(weir, "dataplane", "VmRSS") - before["dataplane"]), ("the database", database_bytes(weir)),
                        ("an image", image.get("bytes")), ("both processes at the peak, tables swapped", peak)):
        if value:
            results.append(line(f"bans: memory of {name}, {number} bans", "bytes/ban", value / number, ipset_bytes,
                                "ipset, in the kernel"))
    return results


def database_bytes(weir):
    """On disk; files of LMDB have holes."""
    return sum(os.stat(os.path.join(folder, name)).st_blocks * 512
               for folder, _, names in os.walk(f"{weir.state_dir}/state") for name in names)


def image_of(weir, number):
    """The status of an image that holds all of them, None as long as there is none."""
    image = weir.call("status")["image"]
    return image if image["enforced"] >= number and not image["building"] else None


def measure_ones(weir, rivals, number, single, faults):
    ones = len(single)
    # weirctl returns when the dataplane enforces the ban
    commands = {"weirctl": [weir.tools["weirctl"], "--socket", weir.socket_path, "ban", "add", "ADDRESS", "--for", "1h"],
                "ipset add": ["ipset", "add", "bans", "ADDRESS"],
                "nft add element": ["nft", "add", "element", "inet", "bans", "bans", "{ ADDRESS }"]}
    times = dict(zip(commands, rivals.ones(list(commands.values()), single)))
    ours, results = times.pop("weirctl"), []
    for rival, theirs in times.items():
        for share in (0.5, 0.99):
            results.append(line(f"bans: one ban by a command, {number} there, p{100 * share:g}", "ms", percentile(ours, share) * 1e3,
                                percentile(theirs, share) * 1e3, rival, 1))
    # The node has the port open, so that its kernel does not answer each probe with an ICMP error.
    with weir.open_socket("node", socket.AF_INET6, socket.SOCK_DGRAM) as ear:
        ear.bind(("::", UDP_PORT))
        for when, first, flood in (("idle", 0, False), (f"under {ban_delay.FLOOD_PPS} SYN/s", ones, True)):
            delays = live_delay(weir, first, ones, flood, faults)
            for name, bound in (("answer", 1), ("request", None)):
                results.append(line(f"bans: {name} to last packet, {ones} bans beside {number}, {when}, p99", "ms",
                                    delays[f"after_{name}"], bound=bound))
    return results


def measure_restart(weir, bulk):
    """Seconds from the start of both processes to the first packet that is decided under all bans. The database has been written in
    random order, and in part again; shared memory is gone, as after a boot, and nothing of the files is cached."""
    number = len(bulk)
    weir.weirctl("ban", "import", file_of(weir, "again", bulk[::AGED_SHARE]), "--for", "60d", timeout=IMPORT_PATIENCE_S)
    wait_durable(weir)
    for part in ("dataplane", "control"):
        weir.end(part, signal.SIGKILL)
    shutil.rmtree(weir.shm_dir)
    os.makedirs(weir.shm_dir, mode=0o700)
    run("sync", timeout=300)
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as file:
        file.write("3")
    # Packets all the time, so that the first decided one shows when Weir governs.
    banned = file_of(weir, "probes", bulk[:1000])
    weir.spawn("probe", "client", f"{weir.build}/tests/packet_send", "--interface", "c0", "--mac", weir.mac("node", "n0"), "--own-mac",
               weir.mac("client", "c0"), "--v4", NODE_V4, "--port", str(TCP_PORT), "--kind", "syn", "--sources", banned, "--rate",
               str(RESTART_PROBE_PPS), "--count", str(RESTART_PROBE_PPS * RESTART_PATIENCE_S))
    began = time.clock_gettime(time.CLOCK_MONOTONIC)
    weir.start_control()
    weir.start_dataplane()
    if not wait_for(lambda: in_force(weir) >= number, RESTART_PATIENCE_S, 0.02):
        raise RuntimeError(f"{in_force(weir)} of {number} bans came back in {RESTART_PATIENCE_S} s")
    status = wait_for(lambda: status_banned(weir), 10)
    weir.end("probe")
    if not status:
        raise RuntimeError("no packet was dropped after the restart")
    dropped, passed = (sum(status["reasons"].get(reason, 0) for reason in reasons)
                       for reasons in (("banned",), ("admitted", "flow", "challenged")))
    if passed or not dropped:
        raise RuntimeError(f"{passed} packets of banned sources passed after the restart, {dropped} were dropped")
    took = status["dataplane"]["first_governed_mono_ns"] / 1e9 - began
    return [line(f"bans: restart with {number} bans, aged database, cold cache, to the first governed packet", "s", took,
                 bound=RESTART_TARGET_S)]


def status_banned(weir):
    """The status once a packet was dropped for its ban, None before."""
    status = weir.call("status")
    return status if status["dataplane"]["first_governed_mono_ns"] and status["reasons"].get("banned") else None


def measure(options, number, faults):
    """Results; what makes them doubtful is added to `faults`."""
    addresses = addresses_make(number + 2 * options.ones, options.seed)
    bulk, single = addresses[:number], addresses[number:number + options.ones]
    with Weir(CONFIG, OPTIONS, build=os.path.abspath(options.build)) as weir:
        rivals = Rivals(weir, number)
        weir.start()
        results = measure_bulk(weir, rivals, bulk)
        if not options.bulk_only:
            results += measure_ones(weir, rivals, number, single, faults)
        rivals.clear()
        if options.restart:
            results += measure_restart(weir, bulk)
    return results


def main():
    parser = argparse.ArgumentParser(prog="bans.py", description="Bans in bulk and one by one, beside ipset and nft; memory and restart.")
    parser.add_argument("--build", default=os.environ.get("WEIR_BUILD", os.path.join(ROOT, "build")), metavar="DIR")
    parser.add_argument("--bans", type=int, default=1_000_000, metavar="N", help="in the file, 1000 to 10000000 (default 1000000)")
    parser.add_argument("--ones", type=int, default=200, metavar="N", help="bans one by one, 20 to 1000 (default 200)")
    parser.add_argument("--bulk-only", action="store_true", help="no bans one by one")
    parser.add_argument("--restart", action="store_true", help="end with a restart on the aged database; drops the kernel's caches")
    parser.add_argument("--seed", type=int, default=1, help="of the addresses (default 1)")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    if not 1000 <= options.bans <= 10_000_000 or not 20 <= options.ones <= 1000:
        parser.error("--bans is 1000 to 10000000, --ones 20 to 1000")
    faults = []
    try:
        results = measure(options, options.bans, faults)
    except (RuntimeError, OSError) as error:
        sys.exit(f"bans.py: {error}")
    for result in results:
        print(line_text(result))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"command": sys.argv, "results": results, "faults": faults}, file, indent=1)
    for sentence in faults:
        print(f"bans.py: {sentence}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
