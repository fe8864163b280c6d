# SPDX-License-Identifier: BSD-3-Clause
"""One stage of the demo: honest clients, perhaps an attack, and what reached the node meanwhile."""
import time

import load
from network import BOTS
from weir import PRESSURE_ENTER_PER_S, SOURCE_BURST, SOURCE_PER_S

ALONE, SPOOF, SUBNETS, BOTNET = "alone", "spoof", "subnets", "botnet"
TITLES = {ALONE: "honest clients alone", SPOOF: "spoofed random SYNs", SUBNETS: "dense subnets", BOTNET: "botnet of real sockets"}

HONEST_MINIMUM = 3000    # attempts with Weir, in all stages together
SUCCESS_PERCENT = 99.5   # of them, in each stage

ATTACK_AFTER_S = 1.0     # honest clients first, so that the attack's start is seen
SAMPLE_S = 0.2
# A silent connection is evidence after 5 s (timeouts.auth), four of them a disconnect: a shorter stage sees no bans.
BANS_AFTER_S = 10.0
# Pressure is held for 10 s after a flood (pressure.hold), and two whole seconds show that all is well again.
RECOVERY_S = 12.0


def attack_seconds(kind, seconds):
    """Floods leave room to watch the recovery; bots misbehave to the end, because a ban needs no recovery."""
    if kind == BOTNET:
        return seconds - ATTACK_AFTER_S
    return max(seconds * 0.3, seconds - ATTACK_AFTER_S - RECOVERY_S)


def promised_limit(kind, seconds, dataplane_restarts=0):
    """How many attack packets (bots: connection attempts) may reach the node while Weir stands before it.

    Floods: a service comes under pressure as soon as a tenth of a second brings more than a tenth of pressure.enter_per_s
    unproven attempts, and stays so at least pressure.hold after the flood; from then on an unproven SYN is challenged. One
    second's worth at the threshold is ten such windows: one to notice, and nine of reserve for lcores that notice apart and
    for the packets that are under way. Bots prove their addresses: each may open what a source may open, no more; a dataplane that
    was killed has forgotten what they used of it."""
    if kind in (SPOOF, SUBNETS):
        return PRESSURE_ENTER_PER_S
    bots = load.BOTS_PER_FAMILY * len(BOTS)
    return int(bots * ((1 + dataplane_restarts) * SOURCE_BURST + SOURCE_PER_S * attack_seconds(kind, seconds)))


class Stage:
    """Runs one stage; afterwards its results are in `result` and the honest attempts in `honest`."""

    def __init__(self, demo, kind, number, weir):
        self.demo, self.kind, self.number, self.weir = demo, kind, number, weir
        self.honest = self.inside = None
        self.samples = []  # (seconds after the attack's start, bot attempts at the node)
        self.result = {"name": kind, "with_weir": weir is not None}
        self.label = f"{kind}{'' if weir else '-bare'}"

    def run(self, chaos=None):
        session, demo = self.demo.session, self.demo
        session.forget("attack.err", "honest.err")  # the live line must not show the stage before
        before = demo.network.counters()
        began = time.monotonic()
        csv_path, inside_path = session.path(self.label + ".csv"), session.path(self.label + "-inside.csv")
        session.start("honest", "clients", *load.honest_command(demo.tools, demo.key, self.number, demo.honest_rate_per_s,
                                                                self._seconds(), demo.seed + self.number, csv_path))
        if self.kind == SUBNETS:
            session.start("inside", "clients", *load.inside_command(demo.tools, demo.key, self._seconds(), demo.seed, inside_path))
        if self.kind == BOTNET:
            session.start("banned", "clients", *load.banned_command(demo.tools, demo.key, self._seconds(), demo.seed))
        attack_began = self._watch(began, before, chaos)
        honest_output = self._finish("honest")
        self.honest = load.Attempts(csv_path)
        self.result["honest"] = self.honest.summary()
        self.result["honest"]["syn_resends"] = honest_output["syn_resends"]
        if self.kind == SUBNETS:
            self._finish("inside")
            self.inside = load.Attempts(inside_path)
            self.result["honest_inside_attacked_subnet"] = self.inside.summary()
        if self.kind == BOTNET:
            banned = self._finish("banned")
            self.result["banned_network"] = {"attempts": banned["attempts"], "succeeded": banned["succeeded"], "packets_at_node":
                                             demo.network.counters()["banned_packets"] - before["banned_packets"]}
        if self.kind != ALONE:
            self._attack_result(before, attack_began, honest_output)

    def _seconds(self):
        return self.demo.seconds if self.weir else self.demo.bare_seconds(self.kind)

    def _start_attack(self):
        demo, seconds = self.demo, attack_seconds(self.kind, self._seconds())
        if self.kind == BOTNET:
            command = load.botnet_command(demo.tools, demo.key, seconds, demo.seed)
        else:
            command = load.flood_command(demo.tools, self.kind, demo.network.node_mac(), demo.rate_pps, seconds, demo.seed)
        demo.session.start("attack", "clients", *command)

    def _watch(self, began, before, chaos):
        """Start the attack in time, sample the node's counters, tell the user, until the honest clients are done."""
        session, attack_began, next_live = self.demo.session, None, 0.0
        patience_s = self._seconds() + load.ATTEMPT_TIMEOUT_S + 10
        while session.alive("honest"):
            elapsed = time.monotonic() - began
            if self.kind != ALONE and attack_began is None and elapsed >= ATTACK_AFTER_S:
                self._start_attack()
                attack_began = time.monotonic()
            if chaos is not None and elapsed >= chaos.at_s:
                chaos.act()
                chaos = None
            now = self.demo.network.counters()
            if attack_began is not None:
                self.samples.append((time.monotonic(), now["bot_attempts"] - before["bot_attempts"]))
            if elapsed >= next_live:
                self.demo.live(self, elapsed, now, before)
                next_live = elapsed + 0.5
            if elapsed > patience_s:
                raise RuntimeError(f"the honest clients of stage '{self.label}' do not end")
            time.sleep(SAMPLE_S)
        return attack_began

    def _finish(self, name):
        """Wait for a generator's own end and read its result."""
        status = self.demo.session.end(name, number=0, patience_s=load.ATTEMPT_TIMEOUT_S + 5)
        if status != 0:
            raise RuntimeError(f"the generator '{name}' failed in stage '{self.label}': {self.demo.session.read(name + '.err')[-300:]}")
        return load.last_result(self.demo.session.read(name + ".out"))

    def _attack_result(self, before, attack_began, honest_output):
        output = self._finish("attack")
        after = self.demo.network.counters()
        seconds = output["seconds"] if self.kind != BOTNET else attack_seconds(self.kind, self._seconds())
        forwarded = after["bot_attempts"] - before["bot_attempts"] if self.kind == BOTNET else after["flood"] - before["flood"]
        sent = output["attempts"] if self.kind == BOTNET else output["sent"]
        attack = {"sent": sent, "forwarded": forwarded, "rate_pps": round(sent / seconds, 1),
                  "unit": "connection attempts" if self.kind == BOTNET else "packets", "not_sent": output.get("not_sent", 0)}
        if self.kind == BOTNET:
            attack["bots"] = load.BOTS_PER_FAMILY * len(BOTS)
            attack["outcomes"] = {key: output[key] for key in ("connected", "refused", "timed_out", "closed_on", "local_error")}
        if self.weir:
            attack["limit"] = promised_limit(self.kind, self._seconds(), self.demo.options.chaos == "dataplane")
        self.result["attack"] = attack
        # from the bots' own clock: their first connection is their first misbehaviour
        first_s = output["start_monotonic_ns"] * 1e-9
        if self.kind == BOTNET:
            self.result["time_to_mitigate_ms"], self.result["last_bot_attempt_ms"] = self._mitigation(first_s)
            self.result["bot_attempts_at_node"] = [[round(t - first_s, 1), count] for t, count in self.samples]
        else:
            stopped_s = first_s + seconds - honest_output["start_monotonic_ns"] * 1e-9
            self.result["time_to_recover_ms"] = load.recovered_after_ms(self.honest, stopped_s, self.demo.recovered_ms())

    def _mitigation(self, first_s):
        """(mitigated, last): ms after the first misbehaviour.

        Mitigated: from then on no five seconds brought the node more of the bots' attempts than as many well-behaved newcomers
        may make for long: one each, at SOURCE_PER_S; a source that does no more is not told from an honest one. None when that
        was not seen for five seconds. Last: the last attempt of any bot that the node saw."""
        span_s = 1 / SOURCE_PER_S
        allowed = load.BOTS_PER_FAMILY * len(BOTS)
        end = self.samples[-1][0] if self.samples else first_s
        last = mitigated = first_s
        for index, (t, count) in enumerate(self.samples):
            if index > 0 and count > self.samples[index - 1][1]:
                last = t
            later = [sample for sample in self.samples[index:] if sample[0] <= t + span_s]
            if later[-1][1] - count > allowed:
                mitigated = self.samples[index + 1][0]
        seen = mitigated + span_s <= end
        return round((mitigated - first_s) * 1000) if seen else None, round((last - first_s) * 1000)
