#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Takes each protection out of the code, one at a time, and requires that its test then fails.

A test that passes without its protection proves nothing. Each row names the file, the text that protects, what it is
replaced by, and the test executable (or the script of tests/tools) that must notice. A text that is no longer found fails too: the row
must follow the code.
Works on a copy of the tree below build/mutants; changes nothing else.
"""
import fcntl
import os
import re
import shutil
import subprocess
import sys
import threading

# (what is taken out, file, text, replacement, test)
MUTANTS = [
    ("bans of addresses", "dataplane/stage_source.c", "if (class == SOURCE_CLASS_BANNED)", "if (0)", "test_stage_attempt"),
    ("bans of prefixes", "dataplane/stage_source.c", "if (prefix_class == SOURCE_CLASS_BANNED)", "if (0)", "test_stage_attempt"),
    ("the deny list", "dataplane/stage_source.c", "if (lists.denied)", "if (0)", "test_stage_attempt"),
    ("allow before ban", "dataplane/stage_source.c", "if (lists.allowed)", "if (0)", "test_stage_attempt"),
    ("the end of a ban", "shm/command.h", "(end_s == BAN_META_NEVER || now_s < end_s) ?", "1 ?", "test_stage_attempt"),
    ("cutting banned flows", "dataplane/stage_source.c", "	flow_cut(stage, moment, flow, CLOSED_HOW_RST);\n	return true;", "	return false;",
     "test_stage_tcp"),
    ("exact RSTs", "dataplane/stage_tcp.c", "if (sequence != flow->client_next && sequence != flow->client_acked)", "if (0)",
     "test_stage_tcp"),
    ("acknowledgements of what was sent", "dataplane/stage_tcp.c",
     "	if (!acknowledgement_plausible(flow, acknowledgement))\n		return REASON_FLOW_ILLEGAL;\n	flow_touch", "	flow_touch",
     "test_stage_tcp"),
    ("the node's number as proof", "dataplane/stage_tcp.c", "behind <= early_bytes(flow) && ahead", "ahead",
     "test_stage_tcp"),
    ("SYNs inside a flow", "dataplane/stage_tcp.c", "resent || (quiet && packet_is_attempt_tcp(packet)) ? REASON_FLOW : REASON_FLOW_SYN_KNOWN", "REASON_FLOW", "test_stage_tcp"),
    ("the limit of SYN resends", "dataplane/stage_tcp.c", "if (flow->tally >= SYN_RESENDS_MAX) return REASON_FLOW_ILLEGAL; flow->tally++; flow_touch", "flow_touch", "test_stage_tcp"),
    ("adoption at start only", "dataplane/stage_tcp.c", "|| moment->now_ns - stage->started_ns >= window_ns", "", "test_stage_tcp"),
    ("proof by sequence of adopted flows", "dataplane/stage_tcp.c", "heard_client_first && acknowledges && apart == 0", "heard_client_first && acknowledges", "test_stage_tcp"),
    ("Karn's rule", "dataplane/stage_tcp.c", "		flow->flags |= FLOW_FLAG_SYN_ACK_RESENT;\n	} else {", "	} else {", "test_stage_tcp"),
    ("timeouts", "dataplane/stage_step.c", "if (moment->now_ms - flow->last_ms >= timeout_ms(moment->rules, flow))", "if (0)",
     "test_stage_tcp"),
    ("pressure by rate", "dataplane/stage_pressure.c", "rate_now > share(stage, config->pressure_enter_per_s)", "0 > 1",
     "test_stage_attempt"),
    ("pressure by half-open flows", "dataplane/stage_pressure.c",
     "	bool half_open_full = config->pressure_half_open != 0 &&", "	bool half_open_full = 0 &&", "test_stage_attempt"),
    ("hysteresis of pressure", "dataplane/stage_pressure.c", "	if (moment->now_ns < pressure->hold_until_ns)\n		return;\n", "",
     "test_stage_attempt"),
    ("pressure of a prefix", "dataplane/stage_attempt.c",
     "	return level != IMAGE_LEVEL_COUNT;", "	return false;", "test_stage_attempt"),
    ("the cookie's check", "dataplane/stage_attempt.c", "if (!cookie_check(", "if (0 && !cookie_check(", "test_stage_attempt"),
    ("the reply budget", "dataplane/stage_attempt.c", "if (!token_bucket_take(&moment->rules->replies,",
     "if (0 && !token_bucket_take(&moment->rules->replies,", "test_stage_attempt"),
    ("the budget of a name", "dataplane/stage_attempt.c", "(source->proven == PROVEN_SPENT || source->crowded)", "source->crowded",
     "test_stage_attempt"),
    ("the rate of a source", "dataplane/stage_attempt.c", "== PROVEN_SPENT)\n		return REASON_RATE_SOURCE;", "== PROVEN_SPENT && 0)\n		return REASON_RATE_SOURCE;",
     "test_stage_attempt"),
    ("the rate of a prefix", "dataplane/stage_attempt.c", "source->crowded = shape_excess(", "source->crowded = 0 && shape_excess(",
     "test_stage_attempt"),
    ("charging by proof only", "dataplane/stage_attempt.c", "reason = check_opens(stage->shared, moment, work, source);",
     "{ struct stage_shared *shared = stage->shared; (void)proven_table_add(shared->opened, work->opened_hash, 0, 0, 60000, moment->now_ns);\n"
     "		(void)proven_table_charge(shared->opened, work->opened_hash, 0, 0, host_budget(moment->rules, &work->client), moment->now_ns);\n"
     "		reason = check_opens(shared, moment, work, source); }", "test_stage_attempt"),
    ("concurrency", "dataplane/stage_attempt.c", "if (concurrency_table_check(", "if (0 && concurrency_table_check(", "test_stage_attempt"),
    ("reputation", "dataplane/stage_attempt.c", "if (source->class == SOURCE_CLASS_REFUSED)", "if (0)", "test_stage_attempt"),
    ("the reconnect throttle", "dataplane/stage_attempt.c", "if (source->class == SOURCE_CLASS_THROTTLED)", "if (0)", "test_stage_attempt"),
    ("the hard limit", "dataplane/stage_attempt.c", "if (policy->limit_hard != 0 && total >= policy->limit_hard)", "if (0)",
     "test_stage_attempt"),
    ("reserved slots", "dataplane/stage_attempt.c", "if (policy->limit_hard != 0 && total >= (uint64_t)policy->limit_hard + policy->reserved_slots)",
     "if (0)", "test_stage_attempt"),
    ("pacing", "dataplane/stage_attempt.c", "return moment->now_ns < stage->pace_next_ns;", "return false;", "test_stage_attempt"),
    ("pacing by proof only", "dataplane/stage_attempt.c", "!source->allowed && is_paced(stage, moment))\n		reason = REASON_PACED;",
     "!source->allowed && is_paced(stage, moment))\n		reason = REASON_PACED;\n	if (reason == REASON_COUNT) stage_pace_charge(stage, moment);", "test_stage_attempt"),
    ("InitiatorOnly", "dataplane/stage_attempt.c", "	if (!moment->rules->policy.accept_inbound)\n		return REASON_NODE_CLOSED;\n	reason", "	reason",
     "test_stage_attempt"),
    ("the node's own address", "dataplane/stage.c", "if (outside && ruleset_node_find(rules, &packet->source) >= 0)", "if (0)",
     "test_stage_other"),
    ("fragments without a first", "dataplane/stage.c", "	return REASON_FRAGMENT_ORPHAN;", "	return REASON_FRAGMENT_OF_FLOW;", "test_stage_other"),
    ("ICMP errors of no flow", "dataplane/stage.c", "if (flow == NULL || !quotes_data_in_flight(flow, packet))", "if (flow == NULL) return REASON_ICMP_OF_FLOW;\n	if (!quotes_data_in_flight(flow, packet))",
     "test_stage_other"),
    ("the budget of echoes", "dataplane/stage.c",
     "return take(&moment->rules->icmp, &stage->icmp_tat_ns, moment) ? REASON_ICMP_ECHO : REASON_INFRASTRUCTURE_BUDGET;",
     "return REASON_ICMP_ECHO;", "test_stage_other"),
    ("malformed packets", "dataplane/stage.c", "			work->settled = arrival->malformed;", "			work->settled = REASON_COUNT;", "test_stage_other"),
    ("monitor mode", "dataplane/stage.c", "if (moment->rules->policy.mode == IMAGE_MODE_MONITOR && decision->verdict", "if (0 && decision->verdict",
     "test_stage_attempt"),
]


def load_extra(root):
    """Rows of other modules stand beside their tests: tests/mutants.d/*.py, each with a list MUTANTS."""
    rows = list(MUTANTS)
    folder = os.path.join(root, "tests", "mutants.d")
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if name.endswith(".py"):
            scope = {}
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                exec(compile(file.read(), name, "exec"), scope)
            rows += scope["MUTANTS"]
    return rows


# The slowest test of a module takes some ten seconds; one that does not end without its protection has noticed.
TEST_MAX_S = 120


def quiet(command, timeout=600):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", timeout=timeout)


class Copy:
    """A copy of the tree and its build, which one thread changes."""

    def __init__(self, root, number):
        base = os.path.join(root, "build", "mutants", str(number))
        self.source, self.build = os.path.join(base, "source"), os.path.join(base, "build")
        os.makedirs(base, exist_ok=True)
        self.lock = open(os.path.join(base, "lock"), "w", encoding="ascii")
        fcntl.flock(self.lock, fcntl.LOCK_EX)  # two runs would change each other's copy
        shutil.rmtree(self.source, ignore_errors=True)
        # New times for every file: what an earlier run left built must not pass for this tree.
        shutil.copytree(root, self.source, copy_function=shutil.copyfile, ignore=shutil.ignore_patterns("build*", ".git"))
        self.passed, self.failures = 0, []

    def fail(self, text):
        self.failures.append(text)
        print(text, flush=True)

    def make(self, tests):
        """Everything in place: it must build and pass."""
        programs = [name for name in tests if not name.endswith(".py")]
        if programs and not os.path.exists(os.path.join(self.build, "build.ninja")):
            shutil.rmtree(self.build, ignore_errors=True)
            result = quiet(["meson", "setup", self.build, self.source, "-Doptimization=0", "-Ddebug=false"])
            if result.returncode != 0:
                self.fail(result.stdout[-2000:])
                return False
        result = self._build(programs)
        if result and result.returncode != 0:
            self.fail(result.stdout[-2000:])
            return False
        for name in tests:
            if self._test(name):
                self.fail(f"{name} fails with everything in place")
        return True

    def _build(self, programs):
        """None: nothing is to be built, as for a script."""
        return quiet(["ninja", "-j1", "-C", self.build] + ["tests/" + name for name in programs]) if programs else None

    def _test(self, name):
        script = [sys.executable, "-B", os.path.join(self.source, "tests", "tools", name)]
        try:
            return quiet(script if name.endswith(".py") else [os.path.join(self.build, "tests", name)], TEST_MAX_S).returncode
        except subprocess.TimeoutExpired:
            return 1

    def try_without(self, what, path, text, replacement, test):
        file = os.path.join(self.source, path)
        with open(file, encoding="utf-8") as handle:
            original = handle.read()
        # White space counts as white space: formatting may break lines anywhere.
        pattern = re.compile(r"\s+".join(re.escape(word) for word in text.split()))
        found = len(pattern.findall(original))
        if found != 1:
            self.fail(f"FAILED: {what}: the text stands {found} times in {path}, must be once")
            return
        with open(file, "w", encoding="utf-8") as handle:
            handle.write(pattern.sub(lambda _: replacement, original))
        built = self._build([] if test.endswith(".py") else [test])
        if built and built.returncode != 0:
            self.fail(f"FAILED: {what}: does not compile without it\n{built.stdout[-800:]}")
        elif self._test(test) == 0:
            self.fail(f"FAILED: {what}: {test} passes without it")
        else:
            self.passed += 1
        with open(file, "w", encoding="utf-8") as handle:
            handle.write(original)

    def run(self, rows):
        if self.make(sorted({row[4] for row in rows})):
            for row in rows:
                self.try_without(*row)


def main():
    root = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), ".."))
    only = sys.argv[2] if len(sys.argv) > 2 else ""
    if not os.path.exists(os.path.join(root, "meson.build")):
        print("usage: mutants.py [ROOT [WORDS]]: the tree, and what the names of the rows to run contain")
        return 2
    # By file and test, so that neighbours in the order rebuild little.
    rows = sorted((row for row in load_extra(root) if only in row[0]), key=lambda row: (row[4], row[1]))
    n = max(1, min(os.cpu_count() or 1, 8, len(rows)))
    copies = [Copy(root, number) for number in range(n)]
    threads = [threading.Thread(target=copy.run, args=(rows[len(rows) * i // n:len(rows) * (i + 1) // n],))
               for i, copy in enumerate(copies)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    passed, failed = sum(copy.passed for copy in copies), sum(len(copy.failures) for copy in copies)
    untried = len(rows) - passed - failed
    if untried > 0:  # a thread that died must not look like rows that passed
        print(f"FAILED: {untried} rows were not tried")
    print(f"suite mutants: {passed} passed, {failed + max(0, untried)} failed")
    return 0 if failed == 0 and untried <= 0 and passed > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
