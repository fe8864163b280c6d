#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""House rules that a compiler does not check: layering, licence lines, file sizes, headers that stand alone.

The compiler already refuses DPDK headers in shm, the dataplane core and the governor, which are built without its include path.
"""
import os
import re
import shutil
import subprocess
import sys

CODE = (".c", ".h", ".def")
LINES_MAX = 600
# folder -> first path parts it may include with quotes, and system headers that are forbidden
MAY_INCLUDE = {
    "shm": {"shm"},
    "dataplane": {"dataplane", "shm"},
    "control": {"control", "shm"},
    "tools": {"tools", "shm", "dataplane", "control", "bench"},
    "bench": {"bench", "shm", "dataplane", "control", "tools", "tests"},
    "tests": {"tests", "shm", "dataplane", "control", "tools", "bench"},
}
FORBIDDEN_SYSTEM = {
    "shm": re.compile(r"^(rte_|urcu|lmdb|yaml|jansson)"),
    "control": re.compile(r"^(rte_|urcu)"),
    "tools": re.compile(r"^(rte_|urcu|lmdb)"),
}
ROOT_ONLY = {"meson.build", "dataplane", "control", "shm", "bench", "tests", "tools", "README.md", "LICENSE"}
COMMENT_WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def tracked(root):
    output = subprocess.run(["git", "-C", root, "ls-files"], capture_output=True, text=True, check=False).stdout.split()
    if output:
        return [path for path in output if os.path.exists(os.path.join(root, path))]
    found = []  # a release archive has no git
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith((".", "build"))]
        found += [os.path.relpath(os.path.join(folder, name), root) for name in names]
    return found


def core_and_governor(root):
    """Files that must use nothing beyond libc and shm."""
    text = open(os.path.join(root, "dataplane/meson.build"), encoding="utf-8").read()
    match = re.search(r"core_sources = files\((.*?)\)", text, re.S)
    core = {"dataplane/" + name for name in re.findall(r"'([^']+)'", match.group(1))}
    return core | {path[:-2] + ".h" for path in core}


def check_file(root, path, core, problems):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        lines = file.read().split("\n")
    head = "\n".join(lines[:3])
    binary = path.startswith("tests/fuzz/corpus/") or path.endswith((".md", ".json", ".txt", ".svg", ".pcap"))
    if not binary and os.path.basename(path) not in ("LICENSE", ".gitignore", ".editorconfig", ".clang-format"):
        if "SPDX-License-Identifier: BSD-3-Clause" not in head:
            problems.append(f"{path}: no SPDX line among the first three")
    if not path.endswith(CODE):
        return
    if len(lines) > LINES_MAX:
        problems.append(f"{path}: {len(lines)} lines, at most {LINES_MAX}")
    folder = path.split("/")[0]
    for number, line in enumerate(lines, 1):
        if COMMENT_WORDS.search(line):
            problems.append(f"{path}:{number}: unfinished work is marked here; it belongs into an issue")
        match = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
        if not match or folder not in MAY_INCLUDE:
            continue
        quoted, name = match.group(1) == '"', match.group(2)
        if quoted and name.split("/")[0] not in MAY_INCLUDE[folder]:
            problems.append(f"{path}:{number}: {folder} may not include {name}")
        forbidden = FORBIDDEN_SYSTEM.get(folder)
        if not quoted and forbidden and forbidden.match(name):
            problems.append(f"{path}:{number}: {folder} may not include <{name}>")
        if not quoted and path in core and re.match(r"^(rte_|urcu|numa|bpf|xdp)", name):
            problems.append(f"{path}:{number}: the dataplane core may not include <{name}>")
        if not quoted and name == "lmdb.h" and not path.startswith(("control/store", "tests/", "bench/")):
            problems.append(f"{path}:{number}: only control's store may use LMDB")


def check_headers_alone(root, paths, problems):
    """Every header compiles by itself: its reader need not guess what comes before it."""
    flags = subprocess.run(["pkg-config", "--cflags", "libdpdk", "liburcu-qsbr", "jansson", "yaml-0.1", "smartcols"],
        capture_output=True, text=True, check=False).stdout.split()
    for path in paths:
        if not path.endswith(".h"):
            continue
        source = f'#include "{path}"\n'
        command = ["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-fsyntax-only", "-Wall", "-Werror", "-Wno-unused-function", "-x", "c", "-I", root,
            *(flags if path.split("/")[0] in ("dataplane", "bench", "tests", "control", "tools") else []), "-"]
        result = subprocess.run(command, input=source, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            problems.append(f"{path}: does not compile alone: {result.stderr.splitlines()[0] if result.stderr else ''}")


def check_aarch64(root, core, problems):
    """shm, the core and the governor build for the other architecture too: scalar paths, no x86 header."""
    compiler = "aarch64-linux-gnu-gcc"
    if shutil.which(compiler) is None:
        problems.append(f"{compiler} is missing: install gcc-aarch64-linux-gnu (tools/packages-tests.txt)")
        return
    with open(os.path.join(root, "control/meson.build"), encoding="utf-8") as file:
        governor = re.search(r"governor_lib = static_library\('governor', files\((.*?)\)", file.read(), re.S).group(1)
    sources = sorted(path for path in core if path.endswith(".c"))
    sources += ["control/" + name for name in re.findall(r"'([^']+)'", governor)]
    sources += sorted("shm/" + name for name in os.listdir(os.path.join(root, "shm")) if name.endswith(".c"))
    for path in sources:
        command = [compiler, "-std=gnu17", "-D_GNU_SOURCE", "-O1", "-Wall", "-Werror", "-I", root, "-c", os.path.join(root, path), "-o", "/dev/null"]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            problems.append(f"{path}: does not build for aarch64: {(result.stderr.splitlines() or [''])[0]}")


def main():
    root = os.path.abspath(sys.argv[1])
    checks = 0
    failed = 0
    paths = tracked(root)
    core = core_and_governor(root)
    groups = {"files": [], "headers": [], "root": [], "aarch64": []}
    for path in paths:
        check_file(root, path, core, groups["files"])
        top = path.split("/")[0]
        if top not in ROOT_ONLY and not top.startswith("."):
            groups["root"].append(f"{path}: the root holds only {', '.join(sorted(ROOT_ONLY))} and dotfiles")
    for folder in MAY_INCLUDE:
        if f"{folder}/README.md" not in paths:
            groups["root"].append(f"{folder}: has no README.md")
    check_headers_alone(root, paths, groups["headers"])
    check_aarch64(root, core, groups["aarch64"])
    for name, problems in groups.items():
        checks += 1
        failed += bool(problems)
        for problem in problems:
            print(problem)
    print(f"suite lint: {checks - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
