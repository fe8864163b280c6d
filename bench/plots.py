# SPDX-License-Identifier: BSD-3-Clause
"""Plots of a run of tools/bench as SVG, drawn by gnuplot: rate against table size, ratios beside their baselines, latency by flood.

Draws what the results hold and skips a plot whose results are missing. Must not smooth, cut or rescale what was measured but for
logarithmic axes, which say so.
"""
import os
import re
import shutil
import subprocess

SIZE = re.compile(r"^(?P<table>\w+_table) (?P<keys>\S+): unique sources, 2\^(?P<log2>\d+) places$")
LOOKUP = re.compile(r"^(?P<table>\w+_table) (?P<keys>\S+): lookup that (?P<kind>hits|misses), (?P<entries>\d+) entries$")
FONT = "set terminal svg size {width},{height} background 'white' font 'sans,12'\n"


class PlotError(RuntimeError):
    """gnuplot is missing or refused a plot."""


def quoted(text):
    return '"' + str(text).replace("\\", "").replace('"', "'").replace("_", " ") + '"'


def gnuplot(path, script, width=800, height=480):
    """Draw one file; text with underscores means underscores."""
    program = shutil.which("gnuplot")
    if not program:
        raise PlotError("gnuplot is not installed: apt-get install gnuplot-nox")
    head = FONT.format(width=width, height=height) + f"set output {quoted_path(path)}\nset encoding utf8\nset grid\n"
    done = subprocess.run([program], input=head + script, text=True, capture_output=True, check=False, timeout=60)
    if done.returncode != 0 or not os.path.exists(path):
        raise PlotError(f"gnuplot did not draw {path}: {done.stderr.strip()[-300:]}")
    return path


def quoted_path(path):
    if "'" in path or "\n" in path:
        raise PlotError(f"no plot can be written to {path!r}")
    return f"'{path}'"


def block(name, rows):
    return f"${name} << EOD\n" + "".join(" ".join(str(word) for word in row) + "\n" for row in rows) + "EOD\n"


def curves(path, title, xlabel, ylabel, series, settings=""):
    """`series`: {name: [(x, y)]}."""
    script = "".join(block(f"d{number}", sorted(points)) for number, points in enumerate(series.values()))
    script += f"set title {quoted(title)}\nset xlabel {quoted(xlabel)}\nset ylabel {quoted(ylabel)}\nset key outside right\n{settings}"
    script += "plot " + ", ".join(f"$d{number} using 1:2 with linespoints lw 2 pt {number % 12 + 1} title {quoted(name)}"
                                  for number, name in enumerate(series)) + "\n"
    return gnuplot(path, script, 960, 480)


def flood_against_size(results, directory):
    """Charges of sources that never come twice, by places: flat is good. A file a table."""
    found, paths = {}, []
    for line in results:
        match = SIZE.match(line["name"])
        if not match:
            continue
        series = found.setdefault((match["table"], match["keys"]), {})
        # a peer's name carries another figure in brackets
        name = re.sub(r" \(.*\)", "", line["baseline_name"])
        name = f"Weir, {name}" if name == "population as large" else name
        series.setdefault("Weir, unique sources", set()).add((int(match["log2"]), line["ours"]))
        series.setdefault(name, set()).add((int(match["log2"]), line["baseline"]))
    for (table, keys), series in found.items():
        if max(len(points) for points in series.values()) > 1:  # one size is no curve
            paths.append(curves(os.path.join(directory, f"flood-{table}-{keys}.svg".lower().replace("_", "-")),
                                f"{table}, {keys}: attempts of sources that never come twice", "log2 of places",
                                "M attempts/s", series, "set yrange [0:*]\n"))
    return paths


def lookup_against_size(results, directory):
    found, paths = {}, []
    for line in results:
        match = LOOKUP.match(line["name"])
        if not match or not line["baseline_name"]:
            continue
        series = found.setdefault((match["table"], match["keys"], match["kind"]), {})
        series.setdefault("Weir", set()).add((int(match["entries"]), line["ours"]))
        series.setdefault(line["baseline_name"], set()).add((int(match["entries"]), line["baseline"]))
    for (table, keys, kind), series in found.items():
        if kind == "hits" and max(len(points) for points in series.values()) > 1:
            paths.append(curves(os.path.join(directory, f"lookup-{table}-{keys}.svg".lower().replace("_", "-")),
                                f"{table}, {keys}: a lookup that hits", "entries (logarithmic)", "ns", series,
                                "set logscale x 10\nset yrange [0:*]\n"))
    return paths


def ratio_bars(results, directory):
    """Every end-to-end result beside its baseline."""
    lines = [line for line in results if line["name"].startswith("end to end") and line["ratio"] is not None
             and "ceiling" not in line["name"]]
    if not lines:
        return []
    rows = [(number, line["ratio"], {True: 0x2e7d32, False: 0xc62828, None: 0x616161}[line["met"]]) for number, line in enumerate(lines)]
    labels = ", ".join(f"{quoted(line['name'][len('end to end, '):])} {number}" for number, line in enumerate(lines))
    script = block("d", rows) + (
        f"set title {quoted('ours by its baseline (green: met, red: missed)')}\n"
        f"set ytics ({labels})\nset yrange [{len(lines)}:-1] \nset xrange [0:*]\nunset key\nset xlabel {quoted('ratio')}\n"
        "set style fill solid\n"
        "plot $d using ($2/2):1:($2/2):(0.35):3 with boxxyerrorbars lc rgb variable\n")
    return [gnuplot(f"{directory}/ratios-end-to-end.svg", script, 1200, 120 + 24 * len(lines))]


def latency_by_flood(details, directory):
    """Percentiles of the honest clients' first reply byte by flood, the median of the trials of each system (live.py's cells)."""
    cells = [cell for answer in details.get("live", ()) for cell in answer.get("cells", ())]
    models, systems = (list(dict.fromkeys(cell[key] for cell in cells)) for key in ("model", "system"))
    paths = []
    for field in ("p50_ms", "p90_ms", "p99_ms") if cells else ():
        values = {(cell["system"], cell["model"]): cell.get(field) for cell in cells}
        if not any(values.values()):
            continue
        # nobody served: no latency, and no bar
        data = block("d", [(quoted(model), *(values.get((system, model)) or "NaN" for system in systems)) for model in models])
        name = field.replace("_ms", "")
        script = data + (
            f"set title {quoted(f'honest clients: {name} of the first reply byte, by flood')}\n"
            f"set ylabel {quoted('ms (logarithmic)')}\nset logscale y\nset style data histograms\nset style fill solid\n"
            "set xtics rotate by -30\nset key outside right\n"
            "plot " + ", ".join(f"$d using {number + 2}:xtic(1) title {quoted(system)}" for number, system in enumerate(systems)) + "\n")
        paths.append(gnuplot(f"{directory}/live-{name}.svg", script, 1100, 480))
    return paths


def draw(result, directory):
    """Paths of what was drawn, which replaces an earlier run's plots there."""
    os.makedirs(directory, exist_ok=True)
    for name in os.listdir(directory):
        if name.endswith(".svg"):
            os.unlink(os.path.join(directory, name))
    results = result["results"]
    return (flood_against_size(results, directory) + lookup_against_size(results, directory) + ratio_bars(results, directory)
            + latency_by_flood(result.get("details", {}), directory))
