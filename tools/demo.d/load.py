# SPDX-License-Identifier: BSD-3-Clause
"""The demo's load: command lines of weir-dial and weir-flood, and what their results mean."""
import csv
import json
import math

from network import (BANNED, BOTS, DENSE, FLOOD_PORTS, HONEST, INSIDE_DENSE, NODE_V4, NODE_V6, NOT_SPOOFED, PORT, SPOOFED)

ADDRESSES_PER_FAMILY = 320  # 640 honest clients in each stage
INSIDE_RATE_PER_S = 2       # 14 hosts: 0.14/s each, below Weir's 0.2/s a source
# 48 bots, of which two thirds hold what they get: 8 connections each are 256, below Weir's soft limit of 384. Each tries 8.3
# times a second, 40 times what Weir lets one source do for long; the node's 512 places would last 2 s.
BOTS_PER_FAMILY = 24
BOT_RATE_PER_S = 400
BANNED_RATE_PER_S = 5
ATTEMPT_TIMEOUT_S = 10      # a client has resent its SYN at 1, 3 and 7 s by then


def _pairs(option, values):
    return [word for value in values for word in (option, value)]


def _targets(*protocols, v6=True):
    places = [f"{NODE_V4}:{PORT}"] + ([f"[{NODE_V6}]:{PORT}"] if v6 else [])
    return _pairs("--target", [f"{protocol}/{place}" for place in places for protocol in protocols])


def honest_command(tools, key, stage_number, rate_per_s, seconds, seed, csv_path):
    # half of each stage's clients were there in the stage before, half are newcomers
    first = stage_number * ADDRESSES_PER_FAMILY // 2
    return [tools["weir-dial"], *_targets("tcp", "udp"), *_pairs("--sources", HONEST), "--addresses",
            str(ADDRESSES_PER_FAMILY), "--first", str(first), "--poisson", "--rate", f"{rate_per_s:g}", "--seconds",
            f"{seconds:g}", "--timeout", str(ATTEMPT_TIMEOUT_S), "--key", key, "--seed", str(seed), "--csv", csv_path,
            "--label", "honest", "--live", "--json"]


def inside_command(tools, key, seconds, seed, csv_path):
    return [tools["weir-dial"], *_targets("tcp", "udp", v6=False), "--sources", INSIDE_DENSE, "--addresses", "14", "--rate",
            str(INSIDE_RATE_PER_S), "--seconds", f"{seconds:g}", "--timeout", str(ATTEMPT_TIMEOUT_S), "--key", key, "--seed",
            str(seed), "--csv", csv_path, "--label", "inside", "--json"]


def botnet_command(tools, key, seconds, seed):
    return [tools["weir-dial"], *_targets("tcp"), *_pairs("--sources", BOTS), "--addresses", str(BOTS_PER_FAMILY), "--rate",
            str(BOT_RATE_PER_S), "--seconds", f"{seconds:g}", "--timeout", "3", "--behave", "mixed", "--key", key, "--seed",
            str(seed), "--label", "bots", "--live", "--json"]


def banned_command(tools, key, seconds, seed):
    return [tools["weir-dial"], *_targets("tcp", "udp", v6=False), "--sources", BANNED, "--addresses", "14", "--rate",
            str(BANNED_RATE_PER_S), "--seconds", f"{seconds:g}", "--timeout", "3", "--key", key, "--seed", str(seed), "--json"]


def flood_command(tools, model, mac, rate_pps, seconds, seed):
    sources = {"spoof": [*_pairs("--sources", SPOOFED), *_pairs("--exclude", NOT_SPOOFED), "--model", "spoof"],
               "subnets": [*_pairs("--sources", DENSE), "--exclude", INSIDE_DENSE, "--model", "few-subnets", "--population", "32"]}
    return [tools["weir-flood"], "--port", "net_af_packet0,iface=c0,qdisc_bypass=1", "--target", f"{NODE_V4}:{PORT}", "--target",
            f"[{NODE_V6}]:{PORT}", "--mac", mac, "--packet", "syn", *sources[model], "--source-ports", FLOOD_PORTS, "--rate",
            f"{rate_pps:g}", "--seconds", f"{seconds:g}", "--seed", str(seed), "--label", "flood", "--live", "--json"]


def last_result(text):
    """The JSON object a generator ended with."""
    lines = [line for line in text.splitlines() if line.startswith("{")]
    if not lines:
        raise RuntimeError("a load generator ended without a result")
    return json.loads(lines[-1])


def live_words(line):
    """'dial honest t=3 attempts=150 ...' as a dictionary."""
    return dict(word.split("=", 1) for word in line.split() if "=" in word)


class Attempts:
    """Honest attempts one by one, as weir-dial wrote them."""

    def __init__(self, path=None):
        self.rows = []  # (intended_s, class, source, reply_ms, succeeded)
        if path is not None:
            with open(path, encoding="ascii", newline="") as file:
                for row in csv.DictReader(file):
                    if row["outcome"] is None:
                        continue  # cut off by a signal
                    self.rows.append((float(row["intended_s"]), row["class"], row["source"], float(row["reply_ms"]),
                                      row["outcome"] == "succeeded"))

    def __add__(self, other):
        both = Attempts()
        both.rows = self.rows + other.rows
        return both

    @property
    def attempts(self):
        return len(self.rows)

    @property
    def succeeded(self):
        return sum(row[4] for row in self.rows)

    @property
    def sources(self):
        return {row[2] for row in self.rows}

    def between(self, start_s, end_s):
        part = Attempts()
        part.rows = [row for row in self.rows if start_s <= row[0] < end_s]
        return part

    def of_class(self, name):
        part = Attempts()
        part.rows = [row for row in self.rows if row[1] == name]
        return part

    def quantile_ms(self, fraction):
        """Latency from the intended start to the first byte of the echo; a failed attempt counts as its whole timeout."""
        ordered = sorted(row[3] if row[4] else ATTEMPT_TIMEOUT_S * 1000.0 for row in self.rows)
        if not ordered:
            return None
        return round(ordered[min(len(ordered) - 1, max(0, math.ceil(fraction * len(ordered)) - 1))], 3)

    def summary(self):
        return {"attempts": self.attempts, "succeeded": self.succeeded, "sources": len(self.sources),
                "p50_ms": self.quantile_ms(0.5), "p99_ms": self.quantile_ms(0.99)}


def recovered_after_ms(attempts, stopped_s, limit_ms):
    """From the attack's last packet until every later second's p99 is within the limit; None if that was not seen. The last
    second counts only when whole."""
    end_s = max((row[0] for row in attempts.rows), default=0)
    good_since = None
    second = stopped_s
    while second + 1 <= end_s:
        p99 = attempts.between(second, second + 1).quantile_ms(0.99)
        if p99 is None or p99 > limit_ms:
            good_since = None
        elif good_since is None:
            good_since = second
        second += 0.25
    return None if good_since is None else round((good_since - stopped_s) * 1000)
