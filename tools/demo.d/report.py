# SPDX-License-Identifier: BSD-3-Clause
"""What the demo found, as one object, and the same for people. The promises are checked here and nowhere else."""
import load
import stages
from weir import automatic

FLOODS_AND_BOTS = (stages.SPOOF, stages.SUBNETS, stages.BOTNET)


def _sum(demo, with_weir, under_attack_only=False):
    """Honest attempts of all stages of one half."""
    chosen = [stage.honest for stage in demo.stages
              if stage.result["with_weir"] == with_weir and not (under_attack_only and stage.kind == stages.ALONE)]
    return sum(chosen, load.Attempts())


def _attacks(demo, with_weir):
    models = {stage.kind: stage.result["attack"] for stage in demo.stages
              if stage.result["with_weir"] == with_weir and stage.kind != stages.ALONE}
    sent = sum(model["sent"] for model in models.values())
    seconds = sum(model["sent"] / model["rate_pps"] for model in models.values() if model["rate_pps"] > 0)
    return {"sent": sent, "forwarded": sum(model["forwarded"] for model in models.values()),
            "rate_pps": round(sent / seconds, 1) if seconds else 0.0, "models": models}


def _success_percent(attempts):
    return 100.0 * attempts.succeeded / attempts.attempts if attempts.attempts else 0.0


def _promises(demo, result):
    """Each promise as (what, seen)."""
    promises = []
    for kind in FLOODS_AND_BOTS:
        attack = result["attack"]["models"][kind]
        promises.append((f"{stages.TITLES[kind]}: at most {attack['limit']} {attack['unit']} of {attack['sent']} reach the node "
                         f"({attack['forwarded']} did)", attack["forwarded"] <= attack["limit"]))
    for stage in demo.stages:
        if stage.result["with_weir"]:
            percent = _success_percent(stage.honest)
            promises.append((f"{stages.TITLES[stage.kind]}: {stages.SUCCESS_PERCENT} % of honest attempts succeed ({percent:.2f} %)",
                             percent >= stages.SUCCESS_PERCENT))
    honest = result["honest"]
    promises.append((f"no honest client is banned ({honest['banned']} are)", honest["banned"] == 0))
    promises.append((f"at least {stages.HONEST_MINIMUM} honest attempts from 500 addresses ({honest['attempts']} from {honest['sources']})",
                     honest["attempts"] >= stages.HONEST_MINIMUM and honest["sources"] >= 500))
    if demo.seconds >= stages.BANS_AFTER_S:
        # scores are of this run: a control that was killed has forgotten them, and a throttle
        before = result["chaos"] or {"automatic_before": 0, "refused_before": 0}
        banned, refused = (max(result["bans"][name], before[name + "_before"]) for name in ("automatic", "refused"))
        promises.append((f"the botnet is refused for what it did ({refused} sources by score, {banned} automatic bans)", banned + refused > 0))
    banned = next(stage.result["banned_network"] for stage in demo.stages if stage.result["with_weir"] and stage.kind == stages.BOTNET)
    promises.append((f"nothing of a banned network reaches the node ({banned['packets_at_node']} packets of {banned['attempts']} attempts)",
                     banned["packets_at_node"] == 0))
    if result["chaos"] is not None:
        chaos = result["chaos"]
        promises.append((f"kill -9 of {chaos['killed']}: bans stay ({chaos['bans_before']} before, {chaos['bans_after']} after)",
                         chaos["bans_after"] >= chaos["bans_before"] > 0))
    return promises


def _time(demo, kind, key):
    return next(stage.result[key] for stage in demo.stages if stage.result["with_weir"] and stage.kind == kind)


def summarise(demo, said, seconds):
    everything, attacked, bare = _sum(demo, True), _sum(demo, True, True), _sum(demo, False)
    baseline = demo.stages[0].honest
    result = {
        "demo": "weir", "seconds": round(seconds, 1), "seed": demo.seed, "driver": said["driver"],
        "honest": {"attempts": everything.attempts, "succeeded": everything.succeeded, "banned": len(said["banned"]),
                   "sources": len(everything.sources), "p50_ms": attacked.quantile_ms(0.5), "p99_ms": attacked.quantile_ms(0.99),
                   "baseline_p50_ms": baseline.quantile_ms(0.5), "baseline_p99_ms": baseline.quantile_ms(0.99)},
        "attack": _attacks(demo, True),
        "without_weir": {"honest": {"attempts": bare.attempts, "succeeded": bare.succeeded, "p99_ms": bare.quantile_ms(0.99)},
                         "attack": _attacks(demo, False)},
        "bans": {"active": said["status"]["bans"]["all"], "by_tier": said["status"]["bans"],
                 "automatic": automatic(said["bans"]), "refused": said["refused"]},
        "time_to_mitigate_ms": _time(demo, stages.BOTNET, "time_to_mitigate_ms"),
        "last_bot_attempt_ms": _time(demo, stages.BOTNET, "last_bot_attempt_ms"),
        "time_to_recover_ms": _time(demo, stages.SPOOF, "time_to_recover_ms"),
        "chaos": said["chaos"],
        "stages": [stage.result for stage in demo.stages],
        "weir": {"reasons": said["status"]["reasons"], "counters": said["status"]["counters"]},
    }
    promises = _promises(demo, result)
    result["promises"] = [{"promise": what, "seen": seen} for what, seen in promises]
    result["ok"] = all(seen for _, seen in promises)
    return result


def _milliseconds(value):
    if value is None:
        return "-"
    return f"{value:.2f} ms" if value < 1000 else f"{value / 1000:.1f} s"


def _stage_of(result, kind, with_weir):
    return next((stage for stage in result["stages"] if stage["name"] == kind and stage["with_weir"] == with_weir), None)


def _row(cells):
    return f"  {cells[0]:<26}" + "".join(f"{cell:>16}" for cell in cells[1:])


def _table(result):
    lines = [_row(["", "with Weir", "", "", "without Weir", "", ""]),
             _row(["", "honest ok", "honest p99", "reached node", "honest ok", "honest p99", "reached node"])]
    for kind in (stages.ALONE, *FLOODS_AND_BOTS):
        cells = [stages.TITLES[kind]]
        for with_weir in (True, False):
            stage = _stage_of(result, kind, with_weir)
            if stage is None:
                cells += ["", "", ""]
                continue
            honest = stage["honest"]
            cells += [f"{honest['succeeded']}/{honest['attempts']}", _milliseconds(honest["p99_ms"])]
            cells.append(f"{stage['attack']['forwarded']}/{stage['attack']['sent']}" if "attack" in stage else "-")
        lines.append(_row(cells))
    return lines


def text(result):
    inside = _stage_of(result, stages.SUBNETS, True)["honest_inside_attacked_subnet"]
    bare_inside = _stage_of(result, stages.SUBNETS, False)["honest_inside_attacked_subnet"]
    mitigate, recover = result["time_to_mitigate_ms"], result["time_to_recover_ms"]
    models = result["attack"]["models"]
    lines = ["", f"Weir's demo: {result['seconds']:.0f} s, dataplane on {result['driver']}, floods at "
             f"{models[stages.SPOOF]['rate_pps']:.0f} packets a second, {models[stages.BOTNET]['bots']} bots at "
             f"{models[stages.BOTNET]['rate_pps']:.0f} connections a second", ""]
    lines += _table(result)
    lines += ["", f"  Bans in force at the end: {result['bans']['active']}. Honest clients banned: {result['honest']['banned']}.",
              f"  The botnet was held to what honest newcomers may do {_milliseconds(mitigate)} after it began."
              if mitigate is not None else "  The botnet was not held to what honest newcomers may do before the stage ended.",
              f"  After the spoofed flood honest p99 was back to normal within {_milliseconds(recover)}." if recover is not None else
              "  The stage was too short to see the recovery after the spoofed flood.",
              f"  Honest hosts inside an attacked /24: {inside['succeeded']} of {inside['attempts']} attempts with Weir, "
              f"{bare_inside['succeeded']} of {bare_inside['attempts']} without (no promise is made for them).",
              "  Without Weir the kernel's SYN cookies carry the floods, but every packet of them reaches the node; the botnet fills it.",
              "", "  Promises:"]
    lines += [f"    {'seen  ' if promise['seen'] else 'BROKEN'}  {promise['promise']}" for promise in result["promises"]]
    lines += ["", "To run Weir on your own network card: write /etc/weir/weir.yaml (tools/weir.yaml.example shows how) with your node's",
              "addresses, services and two ports (dataplane.pairs: PCI addresses bound to vfio-pci, or auto:eth0 and auto:eth1 for",
              "interfaces that stay with the kernel); then `meson install -C build`, `systemctl enable --now weir-control",
              "weir-dataplane`, and watch it with `weirctl status`. With `mode: monitor` it only counts what it would do.", ""]
    return "\n".join(lines)
