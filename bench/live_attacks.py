# SPDX-License-Identifier: BSD-3-Clause
"""Who attacks in live.py, who is honest, and what both cost: command lines of weir-flood and weir-dial.

Every system meets the same attacks at the same rates. Three kinds: floods of SYNs (--rate), real connections (rates below), and the
demo's botnet, which holds what it gets.
"""
from load import botnet_command
from network import DENSE, FLOOD_PORTS, HONEST, INSIDE_DENSE, NODE_V4, NODE_V6, NOT_SPOOFED, PORT, SPOOFED

# 1,000 clients at 100 a second: 0.1/s each, half of what Weir lets a source do for long, and far enough below the 256 a second at
# which a service comes under pressure that chance does not bring it there: it is the attacks that do.
ADDRESSES_PER_FAMILY, HONEST_RATE_PER_S = 500, 100
INSIDE_ADDRESSES, INSIDE_RATE_PER_S = 14, 20
ATTEMPT_TIMEOUT_S = 4   # SYNs are resent after 1 and 3 s: whoever fails has had three chances
SPOOFED_V6, SPOOFED_V4 = tuple(p for p in SPOOFED if ":" in p), tuple(p for p in SPOOFED if ":" not in p)
# Real connections come from networks without an honest client: weir-flood completes their handshakes itself.
CLIENTS_OF_FLOOD = ("10.0.0.0/8", "fd80::/16")
# 2,000 sources, each just under the 0.2 attempts a second that Weir lets a source do for long
SLOW_SOURCES, SLOW_RATE_PER_S = 2000, 380
RECONNECT_SOURCES, RECONNECT_RATE_PER_S = 200, 2000

# model: (words of weir-flood, prefixes, prefixes never drawn, packets a second or None for --rate)
_FLOODS = {
    "spoof": (("--model", "spoof"), SPOOFED, NOT_SPOOFED, None),
    "zipf": (("--model", "zipf", "--population", "1000000"), SPOOFED, NOT_SPOOFED, None),
    "subnets": (("--model", "few-subnets", "--population", "32"), DENSE, (INSIDE_DENSE,), None),
    "v6-64": (("--model", "v6-64"), SPOOFED_V6, NOT_SPOOFED[1:], None),
    "v6-48": (("--model", "v6-48"), SPOOFED_V6, ("fd18::/48",), None),  # a hole must be as wide as what is cycled through
    "rotate": (("--model", "rotate", "--population", "4096", "--run", "8"), SPOOFED, NOT_SPOOFED, None),
    "cgnat": (("--model", "cgnat", "--population", str(INSIDE_ADDRESSES)), (INSIDE_DENSE,), (), None),
    "slow": (("--model", "slow", "--population", str(SLOW_SOURCES), "--connect", "complete"), CLIENTS_OF_FLOOD, (), SLOW_RATE_PER_S),
    "hold": (("--model", "slow", "--population", str(SLOW_SOURCES), "--connect", "silent"), CLIENTS_OF_FLOOD, (), SLOW_RATE_PER_S),
    "reconnect": (("--model", "reconnect", "--population", str(RECONNECT_SOURCES), "--run", "8", "--connect", "complete"),
                  CLIENTS_OF_FLOOD, (), RECONNECT_RATE_PER_S),
}
CORE = ("spoof", "zipf", "subnets", "botnet")
EXTRA = ("v6-64", "v6-48", "rotate", "cgnat", "slow", "reconnect", "hold")
# what it holds outlives it, in the node or in who stands before it, so nothing can be measured after it
LAST = "hold"
MODELS = ("alone", *CORE, *EXTRA)
# those in which honest hosts live inside the attacked prefix
WITH_INSIDE = ("subnets", "cgnat")


def describe(model, rate_pps):
    """What is sent, for people."""
    if model == "botnet":
        return "48 bots, 400 connections/s, most of them held"
    if model == "alone":
        return "no attack"
    own = _FLOODS[model][3]
    held = ", held in silence" if model == "hold" else ""
    return f"{own or rate_pps:g} {'connections' if own else 'SYNs'}/s{held}"


def _each(option, values):
    return [word for value in values for word in (option, value)]


def attack_command(tools, model, mac, key, rate_pps, seconds, seed):
    if model == "botnet":
        return botnet_command(tools, key, seconds, seed)
    words, prefixes, excluded, own_rate = _FLOODS[model]
    targets = [f"{NODE_V4}:{PORT}"] if any(":" not in prefix for prefix in prefixes) else []
    targets += [f"[{NODE_V6}]:{PORT}"] if any(":" in prefix for prefix in prefixes) else []
    return [tools["weir-flood"], "--port", "net_af_packet0,iface=c0,qdisc_bypass=1", *_each("--target", targets), "--mac", mac,
            "--packet", "syn", *_each("--sources", prefixes), *_each("--exclude", excluded), *words, "--source-ports", FLOOD_PORTS,
            "--rate", f"{own_rate or rate_pps:g}", "--seconds", f"{seconds:g}", "--seed", str(seed), "--json"]


def honest_command(tools, key, seconds, seed, csv_path):
    return [tools["weir-dial"], "--target", f"tcp/{NODE_V4}:{PORT}", "--target", f"tcp/[{NODE_V6}]:{PORT}", *_each("--sources", HONEST),
            "--addresses", str(ADDRESSES_PER_FAMILY), "--poisson", "--rate", str(HONEST_RATE_PER_S), "--seconds", f"{seconds:g}",
            "--timeout", str(ATTEMPT_TIMEOUT_S), "--key", key, "--seed", str(seed), "--csv", csv_path, "--json"]


def inside_command(tools, key, seconds, seed, csv_path):
    return [tools["weir-dial"], "--target", f"tcp/{NODE_V4}:{PORT}", "--sources", INSIDE_DENSE, "--addresses", str(INSIDE_ADDRESSES),
            "--rate", str(INSIDE_RATE_PER_S), "--seconds", f"{seconds:g}", "--timeout", str(ATTEMPT_TIMEOUT_S), "--key", key, "--seed",
            str(seed), "--csv", csv_path, "--json"]
