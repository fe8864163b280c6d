# SPDX-License-Identifier: BSD-3-Clause
"""One `weirctl simulate` as a process, and the words in which the vectors of the policy reference are written.

A vector is a function with a name from the reference, registered by @vector. It talks to real simulations and says
what it expects through `same` and its kin, which count; a vector that expected nothing has failed. Numbers are
compared with the reference's tolerance, 1e-9. Must not read clocks or choose at random.
"""
import json
import math
import subprocess

TOLERANCE = 1e-9
VECTORS = []


class Refused(Exception):
    """The answer was an error."""

    def __init__(self, error):
        super().__init__(error["message"])
        self.code = error["code"]
        self.reason = error.get("data", {}).get("reason")


def vector(name):
    def register(function):
        VECTORS.append((name, function))
        return function
    return register


def is_same(got, expected):
    if isinstance(expected, bool) or isinstance(got, bool) or expected is None:
        return got is expected
    if isinstance(expected, (int, float)) and isinstance(got, (int, float)):
        return math.isclose(got, expected, rel_tol=0, abs_tol=TOLERANCE)
    if isinstance(expected, dict):  # a part: what the vector does not name is free
        return isinstance(got, dict) and all(name in got and is_same(got[name], value) for name, value in expected.items())
    if isinstance(expected, (list, tuple)):
        return isinstance(got, list) and len(got) == len(expected) and all(map(is_same, got, expected))
    return got == expected


class Expectations:
    """What one vector saw. Kept apart from the simulations, of which it may run several."""

    def __init__(self, command):
        self.command = command
        self.count = 0
        self.failures = []
        self.running = []

    def same(self, what, got, expected, close=None):
        self.count += 1
        good = math.isclose(got, expected, rel_tol=0, abs_tol=close) if close is not None else is_same(got, expected)
        if not good:
            self.failures.append(f"{what}: got {json.dumps(got)}, expected {json.dumps(expected)}")
        return good

    def true(self, what, condition):
        return self.same(what, bool(condition), True)

    def simulation(self, profile, *sets, seed=1, ticks=True):
        simulation = Simulation(self.command, profile, sets, seed, ticks)
        self.running.append(simulation)
        return simulation

    def end(self):
        for simulation in self.running:
            simulation.end()


class Simulation:
    def __init__(self, command, profile, sets, seed, ticks):
        arguments = list(command) + ["--profile", profile, "--seed", str(seed)] + ([] if ticks else ["--no-tick"])
        for pair in sets:
            arguments += ["--set", pair]
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.id = 0
        self.t = 0
        self.events = []      # of the last answer
        self.history = []     # of all
        self.lines = []       # every answer as it came: two instances must give the same

    def ask(self, t, method, **params):
        """One request; its result, or Refused. A trailing underscore frees a word of Python (from_)."""
        self.id += 1
        self.t = t
        request = {"jsonrpc": "2.0", "id": self.id, "t": t, "method": method,
                   "params": {name.rstrip("_"): value for name, value in params.items()}}
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"simulate ended at {method}, exit {self.process.wait()}")
        self.lines.append(line)
        answer = json.loads(line)
        self.events = answer["events"]
        self.history += answer["events"]
        if answer["id"] != self.id or abs(answer["t"] - t) > 1e-9:
            raise RuntimeError(f"the answer to {method} is not the answer to it: {line}")
        if "error" in answer:
            raise Refused(answer["error"])
        return answer["result"]

    def eval(self, what, in_):
        return self.ask(self.t, "sim.eval", what=what, in_=in_)["out"]

    def seen(self, name, **fields):
        """The events of this name in the last answer that have these fields."""
        return [event for event in self.events if event["event"] == name and is_same(event, fields)]

    def ever(self, name, **fields):
        return [event for event in self.history if event["event"] == name and is_same(event, fields)]

    def end(self):
        self.process.stdin.close()
        status = self.process.wait(timeout=60)
        self.process.stdout.close()
        if status != 0:
            raise RuntimeError(f"simulate ended with {status}")
