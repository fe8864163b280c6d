# SPDX-License-Identifier: BSD-3-Clause
"""The highest rate at which something still holds: no loss, honest clients served, a latency below its bound.

Generic and bounded: rates lie on a geometric grid, a search halves it, and what holds at a rate is asked of at most `repeats` probes,
the majority of which decides, so that one stall of the machine is not taken for a limit. The whole search is made several times;
its result is the median, with the spread beside it. A probe is measured once for all questions that are asked of it. Knows nothing
of packets: a probe is any function of a rate and a trial's number. Must not be fed a property that comes and goes with the rate.
"""
import dataclasses
import math
import statistics
import time


def grid(low, high, step=1.1):
    """Rates from `low` to exactly `high`, each at most `step` times the one before: the resolution of the answer."""
    if not (0 < low <= high and step > 1):
        raise ValueError(f"no grid from {low} to {high} by {step}")
    steps = math.ceil(math.log(high / low) / math.log(step) - 1e-9)
    return [low * (high / low) ** (number / steps) for number in range(steps)] + [high]


class Probes:
    """What was measured so far, by trial and rate, so that several questions share it.

    `measure(rate, trial)` returns whatever the questions judge. It raises for what must end the search.
    """

    def __init__(self, measure, rates):
        self.measure, self.rates = measure, list(rates)
        self._known, self.made = {}, 0

    def value(self, trial, index, repeat):
        known = self._known.setdefault((trial, index), [])
        while len(known) <= repeat:
            known.append(self.measure(self.rates[index], trial))
            self.made += 1
        return known[repeat]


@dataclasses.dataclass
class Found:
    """The result of a search; rates in the unit of the grid."""
    rates: list      # of each trial that ended, in order; 0: not even the lowest rate held
    low_missed: bool  # in some trial not even the lowest rate held
    high_held: bool   # in some trial the highest rate held: the answer is "at least"
    complete: bool    # False: the time was over before all trials had ended
    probes: int       # made for this question: those that an earlier one had made are not counted

    @property
    def median(self):
        return statistics.median(self.rates) if self.rates else None

    @property
    def spread(self):
        """(lowest, highest) of the trials."""
        return (min(self.rates), max(self.rates)) if self.rates else None

    def text(self, scale=1.0, unit=""):
        """For people: the median with its spread, and whether it is a bound."""
        if not self.rates:
            return "not found in the time given"
        low, high = self.spread
        words = f"{'>= ' if self.high_held else ''}{self.median / scale:.3g}{unit} ({low / scale:.3g} to {high / scale:.3g}"
        return words + f", {len(self.rates)} trials{'' if self.complete else ', time over'})"


class TimeOver(Exception):
    """The deadline came in the middle of a trial."""


class Deadline:
    """When a search must have ended; a probe that has begun is not cut short. `clock` returns seconds."""

    def __init__(self, seconds=math.inf, clock=time.monotonic):
        self.clock, self.end = clock, clock() + seconds

    def check(self):
        if self.clock() >= self.end:
            raise TimeOver


def _holds(probes, question, trial, index, repeats, deadline):
    """The majority of at most `repeats` probes; ends as soon as it is certain."""
    needed, yes, no = repeats // 2 + 1, 0, 0
    while yes < needed and no < needed:
        deadline.check()
        if question(probes.value(trial, index, yes + no)):
            yes += 1
        else:
            no += 1
    return yes >= needed


def _trial(probes, question, trial, repeats, deadline):
    """The index of the highest rate that holds, -1 if none does."""
    good, bad = -1, len(probes.rates)
    while bad - good > 1:
        middle = (good + bad) // 2
        if _holds(probes, question, trial, middle, repeats, deadline):
            good = middle
        else:
            bad = middle
    return good


def highest(probes, question, trials=3, repeats=3, deadline=None):
    """The highest rate of `probes` whose values satisfy `question`, searched `trials` times; `repeats` is odd. A Found."""
    if trials < 1 or repeats < 1 or repeats % 2 == 0:
        raise ValueError("trials is at least 1, repeats is odd")
    deadline, before = deadline or Deadline(), probes.made
    indexes, complete = [], True
    try:
        for trial in range(trials):
            indexes.append(_trial(probes, question, trial, repeats, deadline))
    except TimeOver:
        complete = False
    return Found([probes.rates[index] if index >= 0 else 0 for index in indexes], -1 in indexes, len(probes.rates) - 1 in indexes,
                 complete, probes.made - before)
