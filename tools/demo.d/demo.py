# SPDX-License-Identifier: BSD-3-Clause
"""The demo itself: arguments, the order of things, the verdict. Started by tools/demo, which has installed what is needed."""
import argparse
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time

import load
import report
import stages
import weir as weir_module
from network import BANNED, Network
from session import Session, remove_leftovers

TOOLS = {"weir-node": "bench/weir-node", "weir-dial": "bench/weir-dial", "weir-flood": "bench/weir-flood",
         "weir-control": "control/weir-control", "weir-dataplane": "dataplane/weir-dataplane"}
# Two cores carry clients, flood, dataplane, control and node. At 20,000 packets a second the generator needs a sixth of a
# core and the honest clients' latency is the dataplane's, not the scheduler's; a listen backlog of 128 is full in 6 ms.
RATE_PPS = 20000
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # a terminal that closes ends it too


class Interrupted(Exception):
    pass


class Chaos:
    """kill -9 of one of Weir's processes in the middle of a stage, and its restart a moment later."""

    DOWN_S = 1.0

    def __init__(self, weir, name, at_s):
        self.weir, self.name, self.at_s = weir, name, at_s
        self.bans_before = self.bans_after = None
        self.automatic_before = self.refused_before = 0

    def act(self):
        self.automatic_before = weir_module.automatic(self.weir.bans())
        self.refused_before = self.weir.refused()
        self.bans_before = self._lasting_bans()
        self.weir.kill(self.name)
        time.sleep(self.DOWN_S)
        if self.name == "control":
            self.weir.start_control()
        else:
            self.weir.start_dataplane()
        self.weir.wait_governing()
        self.bans_after = self._lasting_bans()

    def _lasting_bans(self):
        """Without the throttle of a minute, which ends by itself meanwhile."""
        return len([row for row in self.weir.bans() if row["tier"] != 1])

    def result(self):
        return {"killed": self.name, "at_s": self.at_s, "bans_before": self.bans_before, "bans_after": self.bans_after,
                "automatic_before": self.automatic_before, "refused_before": self.refused_before}


class Demo:
    def __init__(self, root, options):
        self.root, self.options = root, options
        self.seconds, self.rate_pps, self.seed = options.seconds, options.rate, options.seed
        self.key = secrets.token_hex(16)
        # 4 stages with Weir must bring more than the least number of attempts, with room for the randomness of Poisson gaps
        self.honest_rate_per_s = max(50.0, 1.1 * stages.HONEST_MINIMUM / (4 * options.seconds))
        self.tools, self.stages, self.live_shown = {}, [], False
        self.session = self.network = None

    def say(self, text):
        self._end_live()
        print(f"demo: {text}", file=sys.stderr, flush=True)

    # -- the live line

    def live(self, stage, elapsed, now, before):
        """One line that says where the demo is: rewritten on a terminal, every 5 s in a file."""
        words = load.live_words(self.session.last_line("honest.err"))
        attack = load.live_words(self.session.last_line("attack.err"))
        reached = now["bot_attempts"] - before["bot_attempts"] if stage.kind == stages.BOTNET else now["flood"] - before["flood"]
        line = (f"{'with' if stage.weir else 'without'} Weir, {stages.TITLES[stage.kind]}, {elapsed:3.0f}/{stage._seconds():g} s: "
                f"honest {words.get('succeeded', 0)}/{words.get('attempts', 0)}, p99 {words.get('p99_ms', '-')} ms")
        if stage.kind != stages.ALONE:
            line += f"; attack {attack.get('sent', attack.get('attempts', 0))} sent, {reached} reached the node"
        if sys.stderr.isatty():
            print(f"\r\033[K{line}", end="", file=sys.stderr, flush=True)
            self.live_shown = True
        elif int(elapsed * 2) % 10 == 0:
            print(line, file=sys.stderr, flush=True)

    def _end_live(self):
        if self.live_shown:
            print(file=sys.stderr)
            self.live_shown = False

    # -- the stages

    def bare_seconds(self, kind):
        """Without Weir there is no recovery to wait for; bots need time to fill the node."""
        return min(self.seconds, 12.0 if kind == stages.BOTNET else 8.0)

    def recovered_ms(self):
        """Twice the baseline's p99, and a millisecond for a scheduler with two cores and six busy processes."""
        return 2 * self.baseline.quantile_ms(0.99) + 1.0

    @property
    def baseline(self):
        return self.stages[0].honest

    def build(self):
        if self.options.build:
            directory = os.path.abspath(self.options.build)
        else:
            directory = os.path.join(self.root, "build", "demo")
            if not os.path.exists(os.path.join(directory, "build.ninja")):
                shutil.rmtree(directory, ignore_errors=True)  # a half-made one
                self.say(f"building into {directory}")
                self._quietly("meson", "setup", directory, self.root)
            self._quietly("ninja", "-C", directory, *TOOLS.values())
        self.tools = {name: os.path.join(directory, path) for name, path in TOOLS.items()}
        for path in self.tools.values():
            if not os.access(path, os.X_OK):
                raise RuntimeError(f"{path} was not built")

    def _quietly(self, *command):
        result = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if result.returncode != 0:
            raise RuntimeError(f"'{' '.join(command)}' failed:\n" + "\n".join(result.stdout.splitlines()[-30:]))

    def start_node(self):
        self.session.start("node", "node", self.tools["weir-node"], "--listen", "198.18.0.2", "--listen", "fd18::2", "--key", self.key)
        deadline = time.monotonic() + 5
        while "listening" not in self.session.read("node.err"):
            if time.monotonic() > deadline or not self.session.alive("node"):
                raise RuntimeError(f"weir-node does not listen: {self.session.read('node.err')}")
            time.sleep(0.02)

    def run_stage(self, kind, number, weir, chaos=None):
        stage = stages.Stage(self, kind, number, weir)
        stage.run(chaos)
        self.stages.append(stage)
        return stage

    def with_weir(self):
        """All stages behind Weir; what Weir itself says at the end."""
        weir = weir_module.Weir(self.session, self.tools, self.options.lcores)
        self.start_node()
        weir.start()
        sentence = weir.fallback_sentence()
        self.say(sentence if sentence else "the dataplane stands between both links (net_af_xdp)")
        chaos = Chaos(weir, self.options.chaos, self.seconds * 0.6) if self.options.chaos else None
        for number, kind in enumerate((stages.ALONE, stages.SPOOF, stages.SUBNETS, stages.BOTNET)):
            if kind == stages.BOTNET:
                weir.call("ban.add", prefix=BANNED, reason="banned by the demo's operator", sync=True)
            self.run_stage(kind, number, weir, chaos if kind == stages.BOTNET else None)
        honest = sum((stage.honest for stage in self.stages), load.Attempts())
        bans = weir.bans()
        status, refused = weir.call("status"), weir.refused()
        said = {"driver": weir.driver, "bans": bans, "banned": weir_module.covered(bans, honest.sources), "refused": refused,
                "status": status, "chaos": chaos.result() if chaos else None}
        weir.stop()
        self.session.end("node")
        return said

    def without_weir(self):
        """The same attacks on the same path, joined by a bridge."""
        self.network.bridge()
        self.start_node()
        for number, kind in enumerate((stages.ALONE, stages.SPOOF, stages.SUBNETS, stages.BOTNET)):
            if kind != stages.ALONE:
                self.run_stage(kind, number, None)
        self.session.end("node")

    def run(self):
        began = time.monotonic()
        others = remove_leftovers(self.say)
        if others:
            self.say(f"another demo is at work (pid {others[0]}): two on one machine measure each other")
        self.build()
        self.session = Session()
        try:
            self.network = Network(self.session)
            self.network.create(queues=len(self.options.lcores.split(",")))
            said = self.with_weir()
            self.without_weir()
            self._end_live()
            return report.summarise(self, said, time.monotonic() - began)
        finally:
            # a second signal must not leave half of it behind
            for number in ENDS:
                signal.signal(number, signal.SIG_IGN)
            self._end_live()
            if self.options.keep:
                keep = f"/tmp/{self.session.name}"
                shutil.copytree(self.session.directory, keep, ignore=shutil.ignore_patterns("*.sock"), dirs_exist_ok=True)
                self.say(f"logs and measurements are in {keep}")
            self.session.close()


def parse_arguments(argv):
    parser = argparse.ArgumentParser(
        prog="tools/demo", description="Honest clients under three attacks, with Weir and without, in network namespaces.",
        epilog="Exit status: 0 when all promises were seen, 1 when one was not, 2 usage, 130 interrupted.")
    parser.add_argument("--seconds", type=float, default=20, metavar="N", help="length of a stage at most, 5 to 600 (default 20)")
    parser.add_argument("--rate", type=float, default=RATE_PPS, metavar="PPS", help=f"packets a second of the floods (default {RATE_PPS})")
    parser.add_argument("--json", action="store_true", help="the result as one JSON object on standard output")
    parser.add_argument("--seed", type=int, default=1, help="of every random choice (default 1)")
    parser.add_argument("--lcores", default="0", help="CPUs of the dataplane (default 0)")
    parser.add_argument("--chaos", choices=("control", "dataplane"), help="kill -9 this process in the last stage and restart it")
    parser.add_argument("--build", metavar="DIR", help="use this build directory as it is")
    parser.add_argument("--keep", action="store_true", help="copy logs and measurements to /tmp at the end")
    options = parser.parse_args(argv)
    if not 5 <= options.seconds <= 600:
        parser.error("--seconds must lie between 5 and 600")
    if not 100 <= options.rate <= 10_000_000:
        parser.error("--rate must lie between 100 and 10000000")
    return options


def on_signal(number, _frame):
    raise Interrupted(signal.Signals(number).name)


def main():
    root, options = sys.argv[1], parse_arguments(sys.argv[2:])
    for number in ENDS:
        signal.signal(number, on_signal)
    try:
        demo = Demo(root, options)
        result = demo.run()
    except Interrupted as interrupted:
        print(f"demo: ended by {interrupted}; everything it made is removed", file=sys.stderr)
        return 130
    except (RuntimeError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    if options.json:
        print(json.dumps(result))
    print(report.text(result), file=sys.stderr if options.json else sys.stdout)
    return 0 if result["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
