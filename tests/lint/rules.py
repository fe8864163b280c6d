#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Holds control/README.md's table of rules to the tree: every rule of the policy has exactly one place in it, and what a row names
exists: the modules, the tests (built, too) and the text of the case in the test.
"""
import os
import re
import sys

RULES = {"LH": 27, "LO": 18, "SP": 15, "DU": 22, "HE": 15}
ROW = re.compile(r"^\| ([A-Z]{2}-\d+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$")
CASE = re.compile(r'(test_\w+|vectors) "((?:[^"])+)"')
STATES = ("running",)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def check_row(root, rule, modules, tests, state, problems):
    built = read(root, "tests/meson.build")
    compiled = read(root, "control/meson.build")
    for module in modules.split(", "):
        path = module if "/" in module else "control/" + module
        if not os.path.isfile(os.path.join(root, path)):
            problems.append(f"{rule}: there is no {path}")
        elif path.startswith("control/") and path.endswith(".c") and f"'{module}'" not in compiled:
            problems.append(f"{rule}: {path} is not built")
    cases = CASE.findall(tests)
    if not cases or CASE.sub("", tests).strip(" ,"):
        problems.append(f"{rule}: cannot read the tests: {tests}")
    for test, case in cases:
        if test == "vectors":
            texts = [read(root, f"tests/vectors/{name}") for name in os.listdir(os.path.join(root, "tests/vectors")) if name.endswith(".py")]
            if not any(f'@vector("{case}' in text for text in texts):
                problems.append(f"{rule}: tests/vectors has no \"{case}\"")
            continue
        folder = "threads" if os.path.isfile(os.path.join(root, f"tests/threads/{test}.c")) else "unit"
        path = f"tests/{folder}/{test}.c"
        if not os.path.isfile(os.path.join(root, path)):
            problems.append(f"{rule}: there is no {path}")
        elif f"'{test}'" not in built:
            problems.append(f"{rule}: {path} is not built")
        elif case not in read(root, path):
            problems.append(f"{rule}: {path} has no case \"{case}\"")
    if not state.startswith(STATES):
        problems.append(f"{rule}: its state is {state}, must begin with {' or '.join(STATES)}")


def main():
    root = os.path.abspath(sys.argv[1])
    table = read(root, "control/README.md").split("\n## Rules\n")[-1]
    problems, rows, places = [], 0, []
    for line in table.split("\n"):
        match = ROW.match(line)
        if match:
            rows += 1
            places.append(match.group(1))
            check_row(root, *match.groups(), problems)
        elif line.startswith("| ") and not line.startswith("| rule "):
            problems.append(f"cannot read the row: {line}")
    wanted = [f"{name}-{number}" for name, count in RULES.items() for number in range(1, count + 1)]
    problems += [f"{rule}: has no row" for rule in wanted if rule not in places]
    problems += [f"{rule}: stands {places.count(rule)} times" for rule in sorted(set(places)) if places.count(rule) > 1]
    problems += [f"{rule}: is no rule of the policy" for rule in places if rule not in wanted]
    for problem in problems:
        print("control/README.md: " + problem)
    failed = bool(problems) or rows == 0
    print(f"suite rules: {0 if failed else 1} passed, {1 if failed else 0} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
