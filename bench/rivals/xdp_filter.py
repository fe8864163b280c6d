#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""xdp-filter with bans, as an operator would keep them: fail2ban's way, with the kernel's earliest filter as the action.

    xdp_filter.py DEVICE COMPLAINTS PORT        in the node's namespace; until SIGTERM, then one JSON line with what it did

COMPLAINTS is what weir-node writes (--complaints). A source with 5 complaints in 10 s is banned for the rest of the run (fail2ban
bans for 10 min after 5; its findtime of 10 min would also ban honest clients whom a full node refuses now and then), and what it
holds is closed, as fail2ban's ufw action does with `ss -K`: a ban alone would leave the node's places taken.
"""
import collections
import json
import os
import signal
import subprocess
import sys
import time

COMPLAINTS_MAX, WINDOW_S, POLL_S = 5, 10.0, 0.02
BPF_DIR = "/sys/fs/bpf"


class Bans:
    """Reads complaints as they come and bans."""

    def __init__(self, port):
        self.port = port
        self.times, self.banned, self.read = collections.defaultdict(collections.deque), set(), 0

    def complain(self, source, now):
        self.read += 1
        times = self.times[source]
        times.append(now)
        while times[0] < now - WINDOW_S:
            times.popleft()
        if len(times) >= COMPLAINTS_MAX and source not in self.banned:
            self.banned.add(source)
            print(f"xdp_filter: banned {source}", file=sys.stderr, flush=True)
            subprocess.run(["xdp-filter", "ip", "-m", "src", source], check=True, stdout=subprocess.DEVNULL)
            place = f"[{source}]" if ":" in source else source
            subprocess.run(["ss", "-t", "-K", "dst", place, "sport", "=", f":{self.port}"], check=True, stdout=subprocess.DEVNULL)


def main():
    device, path, port = sys.argv[1:4]
    ending = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.append(True))
    # `ip netns exec` gives each command a mount namespace of its own, in which nobody has mounted bpffs
    if not os.path.ismount(BPF_DIR):
        subprocess.run(["mount", "-t", "bpf", "bpf", BPF_DIR], check=True)
    for mode in ("native", "skb"):
        if subprocess.run(["xdp-filter", "load", "-m", mode, "-f", "ipv4,ipv6", device], check=False, stdout=subprocess.DEVNULL).returncode == 0:
            break
    else:
        return 1
    bans = Bans(port)
    try:
        print(f"xdp_filter: loaded, {mode} mode", file=sys.stderr, flush=True)
        with open(path, encoding="ascii") as complaints:
            rest = ""
            while not ending:
                rest += complaints.read()
                *lines, rest = rest.split("\n")
                for line in lines:
                    bans.complain(line.split()[0], time.monotonic())
                time.sleep(POLL_S)
    finally:
        subprocess.run(["xdp-filter", "unload", device], check=False, stdout=subprocess.DEVNULL)
    print(json.dumps({"mode": mode, "complaints": bans.read, "banned": len(bans.banned)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
