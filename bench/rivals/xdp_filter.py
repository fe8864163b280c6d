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


class Complaints:
    """Who was complained of how often, and who is banned for it."""

    def __init__(self):
        self.times, self.banned, self.read = collections.defaultdict(collections.deque), set(), 0

    def take(self, source, now_s):
        """One more; True when the source is to be banned now."""
        self.read += 1
        times = self.times[source]
        times.append(now_s)
        while times[0] < now_s - WINDOW_S:
            times.popleft()
        if len(times) < COMPLAINTS_MAX or source in self.banned:
            return False
        self.banned.add(source)
        return True


def ban(source, port):
    print(f"xdp_filter: banned {source}", file=sys.stderr, flush=True)
    place = f"[{source}]" if ":" in source else source
    subprocess.run(["xdp-filter", "ip", "-m", "src", source], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["ss", "-t", "-K", "dst", place, "sport", "=", f":{port}"], check=True, stdout=subprocess.DEVNULL)


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
    complaints = Complaints()
    try:
        print(f"xdp_filter: loaded, {mode} mode", file=sys.stderr, flush=True)
        with open(path, encoding="ascii") as file:
            rest = ""
            while not ending:
                rest += file.read()
                *lines, rest = rest.split("\n")
                for source in (line.split()[0] for line in lines):
                    if complaints.take(source, time.monotonic()):
                        ban(source, port)
                time.sleep(POLL_S)
    finally:
        subprocess.run(["xdp-filter", "unload", device], check=False, stdout=subprocess.DEVNULL)
    print(json.dumps({"mode": mode, "complaints": complaints.read, "banned": len(complaints.banned)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
