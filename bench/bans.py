#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What bans cost: a whole file of them into force beside `ipset restore` and `nft -f` of the same addresses, and one ban beside
`ipset add` and `nft add element`. Everything runs in network namespaces of its own that end with the run.

Ours includes more than theirs: control checks each ban, keeps it for its database and hands it to the other process; the clock
stops when the dataplane has put the last one in force.
"""
import argparse
import ipaddress
import json
import os
import random
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests", "netns"))

from weir import NODE_V4, NODE_V6, UDP_PORT, Weir, run, wait_for  # noqa: E402

DELAY_PROBE_PPS = 25_000
IMPORT_PATIENCE_S = 600


def addresses_make(number):
    """Distinct IPv4 hosts of 20.0.0.0/6, scattered, in the order of a list that grew."""
    rng = random.Random(number)
    return [str(ipaddress.IPv4Address((20 << 24) + value)) for value in rng.sample(range(1 << 26), number)]


class Rivals:
    """A network namespace with an empty ipset and an empty nft set; use as a context."""

    def __init__(self, directory, entries):
        self.name, self.directory, self.entries = f"weir-bans-{os.getpid()}", directory, entries

    def __enter__(self):
        run("ip", "netns", "add", self.name)
        return self

    def __exit__(self, *_reason):
        run("ip", "netns", "del", self.name, check=False)

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
            self.timed("nft", "get", "element", "inet", "bans", "bans", f"{{ {address} }}")
        return seconds

    def ones(self, command, addresses):
        """Seconds of one process for each address, ascending; the namespace is entered once, outside the clock."""
        made = [[word.replace("ADDRESS", address) for word in command] for address in addresses]
        script = "import subprocess,sys,time,json\ntimes=[]\nfor words in json.load(sys.stdin):\n began=time.monotonic()\n " \
                 "subprocess.run(words, check=True)\n times.append(time.monotonic()-began)\nprint(json.dumps(sorted(times)))\n"
        return json.loads(run("ip", "netns", "exec", self.name, sys.executable, "-c", script, stdin=json.dumps(made), timeout=300))


def weir_load(weir, path, number):
    """Seconds until all are in force."""
    def in_force():
        return weir.call("status")["dataplane"].get("bans_v4", 0) >= number
    began = time.monotonic()
    answer = weir.weirctl("ban", "import", path, "--for", "30d", timeout=IMPORT_PATIENCE_S)
    if not wait_for(in_force, IMPORT_PATIENCE_S, 0.05):
        raise RuntimeError(f"{weir.call('status')['dataplane'].get('bans_v4')} of {number} bans are in force; weirctl said {answer}")
    return time.monotonic() - began


def weirctl_ones(weir, addresses):
    """Seconds of one `weirctl ban add` each, ascending: it ends when the dataplane enforces."""
    times = []
    for address in addresses:
        began = time.monotonic()
        subprocess.run([weir.tools["weirctl"], "--socket", weir.socket_path, "ban", "add", address, "--for", "1h"], check=True,
                       stdout=subprocess.DEVNULL)
        times.append(time.monotonic() - began)
    return sorted(times)


def live_delay(weir, bans):
    """From the request to the last packet that passes, in ms: tests/netns/ban_delay.c says how."""
    path = f"{weir.state_dir}/sources"
    with open(path, "w", encoding="ascii") as file:
        file.writelines(f"10.{80 + number // 1000}.{number % 250}.{1 + number // 250}\n" for number in range(bans))
    spaces = {part: f"/run/netns/{weir.namespaces[part]}" for part in ("client", "node")}
    result = json.loads(run(f"{weir.build}/tests/ban_delay", "--socket", weir.socket_path, "--client", spaces["client"], "--node",
                            spaces["node"], "--client-mac", weir.mac("client", "c0"), "--node-mac", weir.mac("node", "n0"), "--v4",
                            NODE_V4, "--v6", NODE_V6, "--port", str(UDP_PORT), "--rate", str(DELAY_PROBE_PPS), "--sources", path,
                            timeout=120).splitlines()[-1])
    if result["bitten"] != bans:
        raise RuntimeError(f"only {result['bitten']} of {bans} bans bit within a second")
    return result["after_answer"]["p99_us"] / 1e3


def percentile(ascending, share):
    return ascending[min(int(len(ascending) * share), len(ascending) - 1)]


def line(name, unit, ours, baseline, baseline_name, bound, ratio_judged=True):
    """Less is better everywhere here."""
    ratio = ours / baseline if baseline else None
    judged = ratio if ratio_judged else ours
    return {"name": name, "unit": unit, "ours": round(ours, 3), "baseline": round(baseline, 3) if baseline else None,
            "baseline_name": baseline_name, "ratio": round(ratio, 3) if ratio else None,
            "target": f"<= {bound:g}" + (" of the baseline" if ratio_judged else f" {unit}"), "met": judged <= bound}


def measure(build, number, ones):
    addresses = addresses_make(number + 2 * ones)
    bulk, single = addresses[:number], addresses[number:number + ones]
    results = []
    with Weir(build=build) as weir, Rivals(weir.state_dir, number) as rivals:
        weir.start()
        ipset_s, ipset_bytes = rivals.ipset_load(bulk)
        nft_s = rivals.nft_load(bulk)
        add = {"ipset add": rivals.ones(["ipset", "add", "bans", "ADDRESS"], single),
               "nft add element": rivals.ones(["nft", "add", "element", "inet", "bans", "bans", "{ ADDRESS }"], single)}
        path = f"{weir.state_dir}/bans"
        with open(path, "w", encoding="ascii") as file:
            file.write("\n".join(bulk) + "\n")
        ours_s = weir_load(weir, path, number)
        results.append(line(f"bans: {number} from a file into force", "s", ours_s, ipset_s, "ipset restore", 1))
        results.append(line(f"bans: {number} from a file into force", "s", ours_s, nft_s, "nft -f", 1))
        ours = weirctl_ones(weir, single)
        for rival, times in add.items():
            results.append(line(f"bans: one ban by a command, {number} there, p50", "ms", percentile(ours, 0.5) * 1e3,
                                percentile(times, 0.5) * 1e3, rival, 1))
            results.append(line(f"bans: one ban by a command, {number} there, p99", "ms", percentile(ours, 0.99) * 1e3,
                                percentile(times, 0.99) * 1e3, rival, 1))
        results.append(line(f"bans: answer to last packet, {ones} bans beside {number}, p99", "ms", live_delay(weir, ones), None, None,
                            1, False))
        results[-1]["ipset_bytes_an_entry"] = round(ipset_bytes, 1)
    return results


def main():
    parser = argparse.ArgumentParser(prog="bans.py", description="Bans in bulk and one by one, beside ipset and nft.")
    parser.add_argument("--build", default=os.environ.get("WEIR_BUILD", os.path.join(ROOT, "build")), metavar="DIR")
    parser.add_argument("--bans", type=int, action="append", metavar="N", help="in the file, 1000 to 10000000; may be repeated (default 1000000)")
    parser.add_argument("--ones", type=int, default=200, metavar="N", help="bans one by one, 20 to 20000 (default 200)")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    results = []
    for number in options.bans or [1_000_000]:
        if not 1000 <= number <= 10_000_000 or not 20 <= options.ones <= 20_000:
            parser.error("--bans is 1000 to 10000000, --ones 20 to 20000")
        results += measure(os.path.abspath(options.build), number, options.ones)
    for result in results:
        print(f"{'met   ' if result['met'] else 'MISSED'}  {result['name']}: {result['ours']} {result['unit']}  beside "
              f"{result['baseline_name']} {result['baseline']}  ratio {result['ratio']}  target {result['target']}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"results": results}, file, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
