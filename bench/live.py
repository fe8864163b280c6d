#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Honest clients during each flood, through Weir and through what people use instead: same topology, same generators, one run.

    clients c0 -- d0 [weir-delay] d1 -- out0 [weir-dataplane, or a bridge] in0 -- n0 node

The line delays every frame by --delay-ms in each direction. Systems take turns in an order that rotates with each trial, and so do
the models within a session; successes are added up, latencies are medians of the trials. In the first trial each system is also
asked how much flood it takes before honest clients suffer (search.py); the botnet comes once, in a stage four times as long, and so do
the models that design.md section 10 does not name, in the last trial. weir-dataplane has CPU 0; everything else, for every system, runs
where the scheduler puts it. Nothing of a run is left behind.
"""
import argparse
import json
import os
import secrets
import signal
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, "bench"), os.path.join(ROOT, "tools", "demo.d")]

import live_attacks as attacks  # noqa: E402
import live_report  # noqa: E402
import live_stage  # noqa: E402
import live_systems as systems  # noqa: E402
import search  # noqa: E402
from session import remove_leftovers  # noqa: E402

# Bots need 1.5 s to fill the node, counts over 3 s and ban scripts need time to answer, and whoever allows 5 a second with a burst of 16
# first notices a bot that tries 8.3 times a second after 16 / 3.3 = 4.8 s.
BOTNET_WINDOW_S = 5.5
# Four stages of a flood in one: once is enough.
WINDOWS_S = {"botnet": BOTNET_WINDOW_S, "hold": BOTNET_WINDOW_S}
CALM_S = 0.2  # after an attack: queues and half-open handshakes of the last one are not the next one's
SEARCH_LOW_PPS, SEARCH_STEP = 20_000, 1.3
# Of --minutes, for the searches of all systems together: six or seven probes each by default.
SEARCH_SHARE = 0.25


def say(text):
    print(f"live: {text}", file=sys.stderr, flush=True)


class Live:
    def __init__(self, options):
        self.options = options
        self.key = secrets.token_hex(16)
        self.tools = live_stage.tools_of(options.build)
        self.report = live_report.Report(options)
        self.began = time.monotonic()

    def _left_s(self):
        return self.options.minutes * 60 - (time.monotonic() - self.began)

    def _models(self, trial, extra):
        """The models of design.md section 10, 'alone' first as the calm that the rest is held against, the others beginning with another
        one each trial; or those that it does not name, the one that outlives itself last."""
        attacked = [model for model in self.options.models if model != "alone" and (model in attacks.EXTRA) == extra and
                    (trial == 0 or model not in WINDOWS_S or extra)]
        turn = trial % len(attacked) if attacked else 0
        turned = sorted(attacked[turn:] + attacked[:turn], key=lambda model: model == attacks.LAST)
        return [model for model in self.options.models if model == "alone" and not extra] + turned

    def _stages(self, live, trial, extra=False):
        for model in self._models(trial, extra):
            if self._left_s() < 0:
                self.report.cut(live.name, model)
                continue
            window_s = max(self.options.seconds, WINDOWS_S.get(model, 0))
            row = live.stage(model, self.options.rate, window_s, self.options.seed + trial)
            self.report.add(row)
            say(live_report.words(row))
            time.sleep(CALM_S if model != "alone" else 0)

    def _search(self, live):
        def measure(rate, trial):
            row = live.stage("spoof", rate, self.options.seconds, self.options.seed + trial)
            say(f"search at {rate:.0f}/s: {live_report.words(row)}")
            time.sleep(CALM_S)
            return row

        probes = search.Probes(measure, search.grid(SEARCH_LOW_PPS, self.options.search_high, SEARCH_STEP))
        share_s = SEARCH_SHARE * self.options.minutes * 60 / len(self.options.systems)
        deadline = search.Deadline(min(share_s, max(self._left_s(), 0)))
        for question in live_report.QUESTIONS:
            found = search.highest(probes, lambda row, q=question: self.report.holds(q, row), trials=self.options.search_trials, repeats=1,
                                   deadline=deadline)
            self.report.found(live.name, question, found)
            say(f"{live.name}: {question.words}: {found.text(1000, ' k/s')}")

    def _trial(self, trial, names):
        for name in names:
            if name in self.report.skipped:
                continue
            try:
                with live_stage.LiveSession(self.tools, self.key, name, self.options.delay_ms) as live:
                    self._stages(live, trial)
                    if trial == 0 and self.options.search:
                        self._search(live)
                    if trial == self.options.trials - 1:
                        self._stages(live, trial, extra=True)
                    self.report.node(name, live.finish())
            except systems.Unable as reason:
                self.report.skipped[name] = str(reason)
                say(f"{name:12} skipped: {reason}")

    def run(self):
        remove_leftovers(say)
        # the bare path first: its calm is the bound that everybody's latency is held against
        names = sorted(self.options.systems, key=lambda name: name != live_report.BARE)
        for trial in range(self.options.trials):
            turn = trial % len(names)
            self._trial(trial, names[turn:] + names[:turn])
        return self.report.result()


def parse_arguments():
    parser = argparse.ArgumentParser(prog="bench/live.py", description=__doc__.splitlines()[0])
    parser.add_argument("--build", required=True, metavar="DIR")
    parser.add_argument("--quick", action="store_true", help="few systems and models, one trial, within a minute")
    parser.add_argument("--systems", help=f"of {', '.join(systems.SYSTEMS)} (default: all but weir-always)")
    parser.add_argument("--models", help=f"of {', '.join(attacks.MODELS)} (default all; botnet once, those after it once in the last trial)")
    parser.add_argument("--seconds", type=float, default=1.3, help="in which honest attempts are counted, a stage, 1 to 600 (default 1.3)")
    parser.add_argument("--trials", type=int, default=2, help="1 to 99 (default 2)")
    parser.add_argument("--rate", type=float, default=20000.0, help="packets a second of the floods (default 20000)")
    parser.add_argument("--delay-ms", type=float, default=20.0, help="in each direction, 0 to 1000 (default 20)")
    parser.add_argument("--no-search", dest="search", action="store_false", help="do not look for the highest flood")
    parser.add_argument("--search-high", type=float, default=320_000.0, metavar="PPS", help="the highest flood that is tried (default 320000)")
    parser.add_argument("--search-trials", type=int, default=1, help="searches a system, 1 to 99 (default 1)")
    parser.add_argument("--minutes", type=float, default=8.0, help="what begins later than this is left out and named (default 8)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", metavar="FILE", help="write the result there; - is standard output")
    options = parser.parse_args()
    options.systems = options.systems.split(",") if options.systems else list(
        ("weir-auto", live_report.BARE, "haproxy") if options.quick else systems.DEFAULT)
    options.models = options.models.split(",") if options.models else list(("alone", "spoof", "botnet") if options.quick else attacks.MODELS)
    for words, known in ((options.systems, systems.SYSTEMS), (options.models, attacks.MODELS)):
        for word in words:
            if word not in known:
                parser.error(f"'{word}' is none of {', '.join(known)}")
    if options.quick:
        options.trials, options.search, options.minutes = 1, False, min(options.minutes, 1.0)
    if not (1 <= options.seconds <= 600 and 100 <= options.rate <= 10_000_000 and 0 <= options.delay_ms <= 1000 and
            1 <= options.trials <= 99 and 1 <= options.search_trials <= 99 and SEARCH_LOW_PPS < options.search_high <= 10_000_000 and
            0 < options.minutes <= 1440):
        parser.error(f"--seconds 1 to 600, --rate 100 to 10000000, --delay-ms 0 to 1000, --trials and --search-trials 1 to 99, --search-high "
                     f"above {SEARCH_LOW_PPS} to 10000000, --minutes up to 1440")
    return options


def main():
    options = parse_arguments()
    for number in live_stage.ENDING:
        signal.signal(number, live_stage.end)
    try:
        result = Live(options).run()
    except (RuntimeError, OSError) as error:
        say(str(error))
        return 1
    if options.json == "-":
        print(json.dumps(result))
    elif options.json:
        live_stage.dump(result, options.json)
    live_report.table_print(result, sys.stderr)
    for sentence in result["faults"]:
        say(f"invalid: {sentence}")
    return 1 if result["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
