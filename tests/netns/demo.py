#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The demo as a test: it keeps its promises while control, and then the dataplane, is killed in the middle; it leaves nothing
behind when interrupted, and removes what a killed run left. Needs root. Arguments: source root, build directory."""
import json
import os
import signal
import subprocess
import sys
import time

KEYS = {
    "honest": ("attempts", "succeeded", "banned", "p50_ms", "p99_ms", "baseline_p99_ms"),
    "attack": ("sent", "forwarded", "rate_pps", "models"),
    "bans": ("active",),
}
MODELS = ("spoof", "subnets", "botnet")


class Suite:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, sentence, holds, detail=""):
        if holds:
            self.passed += 1
            print(f"ok    {sentence}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL  {sentence}: {detail}", flush=True)
        return holds


def leftovers(pid):
    """What a run of the demo with this pid has in the system now."""
    name = f"weir-demo-{pid}"
    places = [f"/run/netns/{name}-{part}" for part in ("clients", "weir", "node")] + [f"/dev/shm/{name}", f"/run/weir-demo/{pid}"]
    return [place for place in places if os.path.exists(place)]


def start(root, build, *arguments):
    return subprocess.Popen([os.path.join(root, "tools/demo"), "--build", build, *arguments], text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)


def wait_for_traffic(process):
    """Until the demo's honest clients run."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        if os.path.exists(f"/run/weir-demo/{process.pid}/honest.err"):
            return True
        time.sleep(0.1)
    return False


def test_interrupted(suite, root, build):
    process = start(root, build, "--seconds", "5")
    suite.check("the demo starts", wait_for_traffic(process))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    suite.check("SIGINT ends it with 130", process.returncode == 130, f"{process.returncode}: {said[-300:]}")
    suite.check("and nothing is left", not leftovers(process.pid), leftovers(process.pid))


def test_killed(root, build, suite):
    """Returns the pid whose leftovers the next run must remove."""
    process = start(root, build, "--seconds", "5")
    suite.check("the demo starts again", wait_for_traffic(process))
    process.kill()
    process.communicate(timeout=60)
    suite.check("SIGKILL leaves something to remove", leftovers(process.pid))
    return process.pid


def test_promises(suite, root, build, chaos, *arguments):
    # 12 s: bots must be silent for 5 s before the dataplane says so, and the kill comes after 7.2 s
    process = start(root, build, "--seconds", "12", "--json", "--chaos", chaos, *arguments)
    output, said = process.communicate(timeout=400)
    with_chaos = f"while {chaos} is killed"
    suite.check(f"the demo ends with 0 {with_chaos}", process.returncode == 0, said[-3000:])
    suite.check(f"and leaves nothing {with_chaos}", not leftovers(process.pid), leftovers(process.pid))
    try:
        result = json.loads(output)
    except ValueError:
        suite.check(f"standard output is one JSON object {with_chaos}", False, output[-300:])
        return said
    suite.check(f"standard output is one JSON object {with_chaos}", output.count("\n") == 1)
    for name, keys in KEYS.items():
        suite.check(f"'{name}' is complete {with_chaos}", all(result[name].get(key) is not None for key in keys), result.get(name))
    without = result["without_weir"]["honest"]
    suite.check(f"'without_weir' is complete {with_chaos}", all(without.get(key) is not None for key in ("attempts", "succeeded", "p99_ms")))
    suite.check(f"times are told {with_chaos}", "time_to_mitigate_ms" in result and "time_to_recover_ms" in result and result["ok"] is True)
    for model in MODELS:
        attack = result["attack"]["models"][model]
        suite.check(f"{model}: enough was sent to mean something {with_chaos}", attack["sent"] > 2 * attack["limit"], attack)
        suite.check(f"{model}: no more than the limit was forwarded {with_chaos}", attack["forwarded"] <= attack["limit"], attack)
        bare = result["without_weir"]["attack"]["models"][model]
        suite.check(f"{model}: without Weir all of it was {with_chaos}", bare["forwarded"] >= 0.99 * bare["sent"], bare)
    honest = result["honest"]
    suite.check(f"honest clients succeed {with_chaos}", honest["attempts"] >= 3000 and honest["succeeded"] >= 0.995 * honest["attempts"], honest)
    suite.check(f"the botnet hurts them without Weir {with_chaos}", without["succeeded"] < 0.95 * without["attempts"], without)
    return said


def test_targets(suite, build):
    for command in (["weir-dial", "--target", "tcp/8.8.8.8:53", "--sources", "10.0.0.0/8"],
                    ["weir-flood", "--port", "net_null0", "--target", "8.8.8.8:53", "--mac", "02:00:00:00:00:01", "--sources", "10.0.0.0/8"]):
        result = subprocess.run([os.path.join(build, "bench", command[0]), *command[1:]], text=True, capture_output=True, timeout=30, check=False)
        suite.check(f"{command[0]} refuses a public target", result.returncode == 2 and "--i-own-this-target" in result.stderr, result.stderr)
        suite.check(f"{command[0]} says nothing on standard output then", result.stdout == "", result.stdout)


def main():
    root, build = sys.argv[1], sys.argv[2]
    suite = Suite()
    test_targets(suite, build)
    test_interrupted(suite, root, build)
    killed = test_killed(root, build, suite)
    said = test_promises(suite, root, build, "control")
    suite.check("the next run says that it removes a killed one's leftovers", f"killed run {killed}" in said, said[:300])
    suite.check("and does", not leftovers(killed), leftovers(killed))
    test_promises(suite, root, build, "dataplane", "--seed", "2")
    print(f"suite demo: {suite.passed} passed, {suite.failed} failed")
    return 1 if suite.failed else 0


if __name__ == "__main__":
    sys.exit(main())
