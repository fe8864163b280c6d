#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Holds the node's interface to what was promised: control/RPC.md is what the program prints from the table that dispatches, and every
name of rpc_names.txt is in it (configuration keys: in the schema).
Usage: rpc_names.py ROOT WEIR-CONTROL
"""
import os
import re
import subprocess
import sys


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def sections(page):
    """The text below each ### METHOD, and the events."""
    methods, events = page.split("\n## Events\n")
    parts = re.split(r"^### (\S+)$", methods, flags=re.M)[1:]
    return dict(zip(parts[0::2], parts[1::2])), set(re.findall(r"^- `(\S+)`$", events, re.M))


def has_parameter(name, parameters, text):
    """a.b: b stands in the section that has a; a=b: b is among the words of a."""
    if "=" in name:
        parameter, word = name.split("=")
        return word in re.split(r"[|,]", parameters.get(parameter, ""))
    outer, _, inner = name.partition(".")
    return outer in parameters and (not inner or re.search(rf"\b{inner}\b", text) is not None)


def check_method(method, wanted, results, section, problems):
    parameters = dict(re.findall(r"^- `(\w+)`: (.*)$", section, re.M))
    told = re.search(r"^- result: (.*)$", section, re.M).group(1)
    text = section.split("\n- result: ")[0]
    for name in wanted:
        if not has_parameter(name, parameters, text):
            problems.append(f"{method}: has no parameter {name}")
    for name in results:
        if not re.search(rf"\b{name}\b", told):
            problems.append(f"{method}: its result has no {name}")


def check(root, page, problems):
    methods, events = sections(page)
    schema = read(root, "control/config_schema.c") + read(root, "control/config_governor.def")
    keys = set(re.findall(r'^\t*(?:[A-Z_]+\(|\{\.path = )"([a-z_0-9.]+)"', schema, re.M))
    counts = {"method": 0, "event": 0, "key": 0}
    for line in read(root, "tests/lint/rpc_names.txt").split("\n\n", 1)[1].split("\n"):
        if line.startswith("event "):
            kind, found = "event", line[6:] in events
        elif line.startswith("key "):
            kind, found = "key", line[4:] in keys
        elif line:
            kind = "method"
            method, wanted, results = (part.strip() for part in line.split("|"))
            found = method in methods
            if found:
                check_method(method, wanted.split(), results.split(), methods[method], problems)
        else:
            continue
        counts[kind] += 1
        if not found:
            problems.append(f"missing: {line}")
    if 0 in counts.values():
        problems.append(f"rpc_names.txt is not whole: {counts}")


def main():
    root, control = os.path.abspath(sys.argv[1]), sys.argv[2]
    page = subprocess.run([control, "--rpc-reference"], capture_output=True, text=True, check=True, timeout=30).stdout
    problems = []
    if read(root, "control/RPC.md") != page:
        problems.append("control/RPC.md is not what the table says: weir-control --rpc-reference > control/RPC.md")
    check(root, page, problems)
    for problem in problems:
        print("interface: " + problem)
    print(f"suite rpc_names: {0 if problems else 1} passed, {1 if problems else 0} failed")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
