# SPDX-License-Identifier: BSD-3-Clause
"""What live.py says: one row a system, model and trial; from them the lines of tools/bench, held against design.md section 10."""
import dataclasses
import statistics
import sys

import live_attacks as attacks
import live_systems as systems

BARE = "syn-cookies"  # the path without anything of anybody's
SUCCESS_PERCENT, RESENDS_PERCENT = 99.9, 0.1  # design.md section 10
REACTION_MS = 10.0
# Hosts whose own network attacks: nine of ten, because Weir's promise to them is an order (the proven first) and no number.
INSIDE_PERCENT = 90.0
# a flood that the generator could not send is nobody's limit but its own
NOT_SENT_SHARE = 0.01


@dataclasses.dataclass(frozen=True)
class Question:
    key: str
    words: str


SERVED = Question("served", f"highest SYN flood with >= {SUCCESS_PERCENT} % of honest clients served")
PROMPT = Question("prompt", "highest SYN flood with p99 within its bound")
QUESTIONS = (SERVED, PROMPT)


def percent(part, whole):
    return 100.0 * part / whole if whole else 0.0


def words(row):
    inside = f"; inside {row['inside']['succeeded']}/{row['inside']['attempts']}" if "inside" in row else ""
    limit = "".join(f"; {who} is the limit" for who, what in (("the attack's generator", row["attack_bottleneck"]), ("weir-dial", row["clients_bottleneck"]))
                    if what not in (None, "none"))
    return (f"{row['system']:12} {row['model']:9} {row['succeeded']}/{row['attempts']} honest, p50 {row['p50_ms']} ms, p99 {row['p99_ms']} ms, "
            f"{row['syn_resends']} SYN resends, {row['banned']} banned{inside}; attack {row['attack_sent']}, blocked {row['blocked']}{limit}")


class Report:
    def __init__(self, options):
        self.options = options
        self.rows, self.skipped, self.searches, self.nodes, self.invalid, self.not_run = [], {}, {}, {}, [], []

    def add(self, row):
        self.rows.append(row)
        if row["model"] == "botnet" and systems.SYSTEMS[row["system"]].blocks_bots and row["blocked"] <= 0:
            self.invalid.append(f"{row['system']} kept nothing of the botnet out: it was not at work")

    def cut(self, system, model):
        self.not_run.append(f"{system}, {model}")
        print(f"live: {system}, {model}: the time is over", file=sys.stderr)

    def node(self, name, counts):
        self.nodes.setdefault(name, []).append(counts)

    def found(self, name, question, found):
        self.searches[(name, question.key)] = found

    def cell(self, system, model):
        """All trials as one: counts added up, latencies the medians of the trials. None: it did not run."""
        rows = [row for row in self.rows if (row["system"], row["model"]) == (system, model)]
        if not rows:
            return None
        whole = {key: sum(row[key] for row in rows) for key in ("attempts", "succeeded", "syn_resends", "banned")}
        whole |= {key: statistics.median(row[key] for row in rows) for key in ("p50_ms", "p90_ms", "p99_ms")}
        for part in ("inside", "v6"):
            parts = [row[part] for row in rows if part in row]
            whole[part] = {key: sum(row[key] for row in parts) for key in ("attempts", "succeeded")} if parts else None
        whole["success"] = percent(whole["succeeded"], whole["attempts"])
        return whole

    def bound_ms(self, system):
        """Of p99 in a flood: on the bare path's calm where it was measured, else on the system's own."""
        calm = self.cell(BARE, "alone") or self.cell(system, "alone")
        return max(2 * calm["p99_ms"], calm["p99_ms"] + 2 * self.options.delay_ms + REACTION_MS) if calm else None

    def holds(self, question, row):
        sent = row["attack_sent"] + row["attack_not_sent"]
        if row["attack_not_sent"] > NOT_SENT_SHARE * sent:
            return False
        if question is SERVED:
            return percent(row["succeeded"], row["attempts"]) >= SUCCESS_PERCENT
        bound = self.bound_ms(row["system"])
        return bound is not None and row["p99_ms"] <= bound

    def _rivals(self, model):
        cells = [(name, self.cell(name, model)) for name in self.options.systems if not systems.is_ours(name)]
        return [(name, cell) for name, cell in cells if cell]

    def _line(self, name, unit, ours, baseline=None, baseline_name=None, target=None, met=None):
        ratio = round(ours / baseline, 3) if baseline and ours is not None else None
        return {"name": name, "unit": unit, "ours": round(ours, 3) if ours is not None else None,
                "baseline": round(baseline, 3) if baseline is not None else None, "baseline_name": baseline_name, "ratio": ratio,
                "target": target, "met": met}

    def _model_lines(self, ours, model):
        cell, bound = self.cell(ours, model), self.bound_ms(ours)
        if not cell:
            return
        rivals = self._rivals(model)
        best = max(rivals, key=lambda pair: (pair[1]["success"], -pair[1]["p99_ms"]), default=None)
        # beside each in the models of design.md section 10; beside the best of them in the others
        beside = [(None, None)] if best is None else rivals if model in attacks.CORE else [best]
        name = f"live {model} ({attacks.describe(model, self.options.rate)})"
        if model == attacks.LAST:
            # Strangers within every limit who take all places: no target of design.md covers it, so only others are a measure.
            theirs = best[1]["success"] if best else None
            yield self._line(f"{name}: honest clients served, {ours}", "%", cell["success"], theirs, best[0] if best else None,
                             "no less than the best of the others" if best else None, cell["success"] >= theirs if best else None)
            return
        for rival, other in beside:
            yield self._line(f"{name}: honest clients served, {ours}", "%", cell["success"], other["success"] if other else None, rival,
                             f">= {SUCCESS_PERCENT} %", cell["success"] >= SUCCESS_PERCENT)
        yield self._line(f"{name}: p99 of the first reply byte, {ours}", "ms", cell["p99_ms"], best[1]["p99_ms"] if best else None,
                         f"{best[0]}, the best of the others" if best else None, f"<= {bound:.1f} ms" if bound else None,
                         cell["p99_ms"] <= bound if bound else None)
        resends = percent(cell["syn_resends"], cell["attempts"])
        yield self._line(f"{name}: SYN resends, {ours}", "%", resends, target=f"<= {RESENDS_PERCENT} %", met=resends <= RESENDS_PERCENT)
        yield self._line(f"{name}: honest clients banned, {ours}", "clients", cell["banned"], target="0", met=cell["banned"] == 0)
        if cell["inside"]:
            served = percent(cell["inside"]["succeeded"], cell["inside"]["attempts"])
            for rival, other in [pair for pair in beside if pair[1] and pair[1]["inside"]] or [(None, None)]:
                theirs = percent(other["inside"]["succeeded"], other["inside"]["attempts"]) if other else None
                yield self._line(f"{name}: honest clients inside the attacked prefix served, {ours}", "%", served, theirs, rival,
                                 f">= {INSIDE_PERCENT:g} %", served >= INSIDE_PERCENT)

    def _search_lines(self, ours):
        for question in QUESTIONS:
            found = self.searches.get((ours, question.key))
            if not found or found.median is None:
                continue
            others = [(name, self.searches.get((name, question.key))) for name in self.options.systems if not systems.is_ours(name)]
            known = [(name, other) for name, other in others if other and other.median is not None]
            for rival, other in known or [(None, None)]:
                # a rate is a step of the grid, 30 % below the first that failed; medians and the spread of the trials
                more = f"ours {'at least' if found.high_held else 'from'} {found.spread[0]:.0f} to {found.spread[1]:.0f}"
                yield self._line(f"live search: {question.words}, {ours}", "SYN/s", found.median, other.median if other else None, rival,
                                 f"no less than each other ({more})" if rival else None, found.median >= other.median if rival else None)

    def _together(self, ours):
        """A stage has some hundred attempts, so one failure misses 99.9 % there; all of them together have the power to tell."""
        for words, part in (("", lambda cell: cell), (" over IPv6", lambda cell: cell["v6"])):
            def of(system, part=part):
                cells = [part(cell) for model in self.options.models
                         if model not in ("alone", attacks.LAST) and (cell := self.cell(system, model))]
                return sum(cell["succeeded"] for cell in cells), sum(cell["attempts"] for cell in cells)
            served, attempts = of(ours)
            if not attempts:
                return
            for rival in [name for name in self.options.systems if not systems.is_ours(name) and of(name)[1]] or [None]:
                success = percent(served, attempts)
                yield self._line(f"live all floods{words}: honest clients served, {ours}", "%", success,
                                 percent(*of(rival)) if rival else None, rival, f">= {SUCCESS_PERCENT} % (of {attempts} attempts)",
                                 success >= SUCCESS_PERCENT)

    def lines(self):
        lines = []
        for ours in (name for name in self.options.systems if systems.is_ours(name)):
            for model in self.options.models:
                lines += self._model_lines(ours, model)
            lines += self._together(ours)
            lines += self._search_lines(ours)
        for name, reason in self.skipped.items():
            lines.append(self._line(f"live rival {name} skipped: {reason}", "-", None, target="runs", met=False))
        if self.not_run:
            lines.append(self._line("live stages not run: the time was over", "stages", len(self.not_run), target="0", met=False))
        return lines

    def result(self):
        return {"results": self.lines(), "rows": self.rows, "skipped": self.skipped, "faults": self.invalid, "not_run": self.not_run,
                "nodes": self.nodes, "searches": [{"system": name, "question": key, "rates": found.rates, "low_missed": found.low_missed,
                                                   "high_held": found.high_held, "complete": found.complete, "probes": found.probes}
                                                  for (name, key), found in self.searches.items()],
                "cells": [{"system": system, "model": model, **cell} for system in self.options.systems for model in self.options.models
                          if (cell := self.cell(system, model))],
                "delay_ms": self.options.delay_ms, "rate_pps": self.options.rate, "honest_per_s": attacks.HONEST_RATE_PER_S,
                "pinning": "weir-dataplane on CPU 0, all else where the scheduler puts it", "seed": self.options.seed, "command": sys.argv}


def table_print(result, file):
    """Systems against models: percent served / p99 in ms. What an operator looks for first."""
    models = list(dict.fromkeys(cell["model"] for cell in result["cells"]))
    print(f"\nlive: honest clients served, % / p99 ms (floods of {result['rate_pps']:g} SYN/s, line of {result['delay_ms']:g} ms each way)",
          file=file)
    print(f"{'':12} " + " ".join(f"{model:>13}" for model in models), file=file)
    for system in dict.fromkeys(cell["system"] for cell in result["cells"]):
        cells = {cell["model"]: cell for cell in result["cells"] if cell["system"] == system}
        texts = [f"{cells[model]['success']:.1f} / {cells[model]['p99_ms']:.0f}" if model in cells else "-" for model in models]
        print(f"{system:12} " + " ".join(f"{text:>13}" for text in texts), file=file)
    print(f"{'pinning':12} {result['pinning']}", file=file)
    late = sum(row["clients_bottleneck"] not in (None, "none") for row in result["rows"])
    if late:
        print(f"{'disturbed':12} {late} of {len(result['rows'])} stages: weir-dial itself was late, the machine was busy with other things",
              file=file)
    for name, reason in result["skipped"].items():
        print(f"{name:12} skipped: {reason}", file=file)
    for found in result["searches"]:
        rates = ", ".join(f"{rate / 1000:.0f} k" for rate in found["rates"])
        print(f"{found['system']:12} highest flood, {found['question']}: {rates} SYN/s{' at least' if found['high_held'] else ''}", file=file)
