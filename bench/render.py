#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Results of tools/bench for people: lines for a terminal, and a report in Markdown with every target, met or not.

    render.py FILE.json [--results FILE.md] [--plots DIR]

Reads what was measured and measures nothing; a target without a result is "not measured", never met.
"""
import argparse
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from targets import TARGETS  # noqa: E402

WORDS = {True: "met", False: "MISSED"}
BY_HAND = "## What was missed, and what bounds it"
GROUPS = (("Decide", "decide: "), ("Tables", ("ban_table", "proven_table", "flow_table", "pressure_table", "lists ")),
          ("Two lcores", "scaling: "), ("Control", "control: "), ("Bans", "bans: "), ("Two processes", ("end to end", "weir-flood")),
          ("Live", "live "))


def number(value):
    """Three significant digits, and k, M or G where it is long."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    for scale, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= scale:
            return f"{value / (1e3 if letter == 'k' else scale):.3g} {letter}"
    if float(value).is_integer():
        return f"{value:.0f}"
    if abs(value) < 1:
        return f"{value:.3g}"
    return f"{value:.{max(0, 3 - len(str(int(abs(value)))))}f}"


def state(line):
    """Whether the target is met; a line with a target that could not be judged says why in its target."""
    return WORDS.get(line["met"], "not judged" if line["target"] else "-")


def line_text(line):
    """One line for a terminal."""
    beside = f"  beside {line['baseline_name']} {number(line['baseline'])}" if line["baseline_name"] else ""
    ratio = f"  ratio {line['ratio']:.2f}" if line["ratio"] is not None else ""
    target = f"  target {line['target']}" if line["target"] else ""
    return f"{state(line):10}  {line['name']}: {number(line['ours'])} {line['unit']}{beside}{ratio}{target}"


def verdict(target, results):
    """Of one target: what its results say together. Met is only what was measured as a whole."""
    lines, missing = target.matches(results), target.missing(results)
    judged = [line for line in lines if line["met"] is not None]
    missed = sum(1 for line in judged if not line["met"])
    left_out = [name_of(name) for name in missing] + [line["name"] for line in lines if line["met"] is None and line["target"]]
    words = f"not all measured: {left_out[0]}{f' and {len(left_out) - 1} more' if len(left_out) > 1 else ''}" if left_out else ""
    if not lines:
        return "not measured in this run"
    if missed:
        return f"**missed** ({missed} of {len(judged)})" + (f"; {words}" if words else "")
    if words:
        return words
    return f"met ({len(judged)})" if judged else "measured, no target"


def name_of(pattern):
    """A regular expression as people would write the name that it wants."""
    return re.sub(r"\\d\+|\.\*", "...", pattern.strip("^$")).replace("\\", "")


def cell(text):
    return str(text).replace("|", "\\|")


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return lines + ["| " + " | ".join(cell(word) for word in row) + " |" for row in rows]


def results_table(lines):
    return table(("what", "ours", "baseline", "ratio", "target", ""), [
        (line["name"], f"{number(line['ours'])} {line['unit']}",
         f"{number(line['baseline'])} ({line['baseline_name']})" if line["baseline_name"] else "-",
         f"{line['ratio']:.2f}" if line["ratio"] is not None else "-", line["target"] or "-", state(line)) for line in lines])


def grouped(results):
    """[(title, lines)]: every result in exactly one group."""
    groups = [(title, [line for line in results if line["name"].startswith(start)]) for title, start in GROUPS]
    known = {id(line) for _, lines in groups for line in lines}
    groups.append(("Other", [line for line in results if id(line) not in known]))
    return [(title, lines) for title, lines in groups if lines]


def search_words(found):
    """(what, what was found): live.py names its searches by system and question, and leaves the words to us."""
    if "name" in found:
        return found["name"], found["text"]
    rates = sorted(found["rates"])
    words = "not found in the time given"
    if rates:
        words = f"{'>= ' if found['high_held'] else ''}{number(rates[len(rates) // 2])}/s ({number(rates[0])} to {number(rates[-1])}, " \
                f"{len(rates)} trials{'' if found['complete'] else ', time over'})"
    return f"live: highest flood at which honest clients are {found['question']}, {found['system']}", words


def head(result):
    machine = result["machine"]
    facts = [("machine", f"{machine['cpu']}, {machine['cpus']} CPUs, L3 {machine['l3']}, {machine['memory_gib']} GiB, hypervisor "
              f"{machine['hypervisor']}"), ("kernel", machine["kernel"])]
    facts += [(name, machine[name]) for name in ("compiler", "dpdk", "liburcu", "lmdb", "ipset", "nft") if machine.get(name)]
    facts += [("date", f"{result['date']} UTC"), ("commit", result["commit"]), ("seed", result["seed"]),
              ("command", f"`{' '.join(result['command'])}`"), ("took", f"{result['seconds']} s")]
    return table(("", ""), facts)


def by_hand(text):
    """What people wrote into an earlier report: it begins with this heading and outlives the next run."""
    at = text.find(f"\n{BY_HAND}\n")
    return text[at + 1:] if at >= 0 else f"{BY_HAND}\n\nNothing written yet.\n"


def report(result, plots=(), earlier=""):
    """The whole of RESULTS.md. `plots`: paths as they are written into it; `earlier`: the file as it was."""
    results = result["results"]
    lines = ["# Results", "", "Written by `tools/bench --results` from one run; [READING.md](READING.md) says how to read it and what it "
             "does not show. A ratio is ours by the baseline's, measured in the same run; **MISSED** is said where a target is not "
             "reached, and a target is met only when all that it names was measured.", ""]
    lines += head(result) + ["", "## Targets", ""]
    lines += table(("what", "target", "result"), [(target.what, target.target, verdict(target, results)) for target in TARGETS])
    if result["faults"]:
        lines += ["", "## Faults of this run", ""]
        lines += [f"- {fault['part']}: {fault['words']}" for fault in result["faults"]]
    searches = [found for answers in result.get("details", {}).values() for answer in answers for found in answer.get("searches", ())]
    if searches:
        lines += ["", "## Searches", "", "The highest rate at which something holds: median, and lowest to highest of the trials.", ""]
        lines += table(("what", "found"), [search_words(found) for found in searches])
    for path in plots:
        lines += ["", f"![{os.path.splitext(os.path.basename(path))[0].replace('-', ' ')}]({path})"]
    for title, group in grouped(results):
        lines += ["", f"## {title}", ""] + results_table(group)
    return "\n".join(lines) + "\n\n" + by_hand(earlier)


def write(result, path, drawn):
    """Write the report; what people wrote into the file that it replaces stays."""
    base, earlier = os.path.dirname(os.path.abspath(path)), ""
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            earlier = file.read()
    with open(path, "w", encoding="utf-8") as file:
        file.write(report(result, [os.path.relpath(plot, base) for plot in drawn], earlier))


def main():
    import plots  # it needs gnuplot, which reading a report does not  # pylint: disable=import-outside-toplevel
    parser = argparse.ArgumentParser(prog="render.py", description="A report of what tools/bench --json wrote.")
    parser.add_argument("json", metavar="FILE.json")
    parser.add_argument("--results", metavar="FILE.md", help="write it there (default: standard output)")
    parser.add_argument("--plots", metavar="DIR", help="draw plots there, too")
    options = parser.parse_args()
    try:
        with open(options.json, encoding="utf-8") as file:
            result = json.load(file)
        drawn = plots.draw(result, options.plots) if options.plots else []
    except (OSError, ValueError, RuntimeError) as error:
        sys.exit(f"render.py: {error}")
    if options.results:
        write(result, options.results, drawn)
    else:
        print(report(result, drawn), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
