# SPDX-License-Identifier: BSD-3-Clause
"""What one run of the demo owns: namespaces, directories and processes, and how they go away again.

Everything is named after the run (pid and start time of its first process) and written down before it is made, so that the
next run can remove what a killed one left. Only what such a record names is ever touched.
"""
import ctypes
import json
import os
import shutil
import signal
import subprocess
import time

RECORDS = "/run/weir-demo"
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def start_time(pid):
    """Clock ticks after boot at which a process began; None when there is none. With the pid it names a process for good."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return int(stat.read().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def run(*command, check=True, stdin=None):
    """A short command; its output as text. Raises with what it said."""
    result = subprocess.run(command, input=stdin, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if check and result.returncode != 0:
        raise RuntimeError(f"'{' '.join(command)}' failed: {(result.stderr or result.stdout).strip()}")
    return result.stdout


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})


def _kill_namespace(namespace):
    """End every process inside: the namespace is the run's own, so whatever is in it is too."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        pids = run("ip", "netns", "pids", namespace, check=False).split()
        for pid in pids:
            try:
                os.kill(int(pid), number)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + 3
        while pids and time.monotonic() < deadline and run("ip", "netns", "pids", namespace, check=False).strip():
            time.sleep(0.05)


def _remove(record):
    for namespace in record["namespaces"]:
        if os.path.exists(f"/run/netns/{namespace}"):
            _kill_namespace(namespace)
            run("ip", "netns", "del", namespace, check=False)
    for directory in record["directories"]:
        shutil.rmtree(directory, ignore_errors=True)


def remove_leftovers(say):
    """Clean up after runs that were killed. Returns the pids of runs that are still at work."""
    others = []
    for name in sorted(os.listdir(RECORDS)) if os.path.isdir(RECORDS) else []:
        path = os.path.join(RECORDS, name, "record.json")
        try:
            with open(path, encoding="utf-8") as file:
                record = json.load(file)
            pid, began = record["pid"], record["start_time"]
        except (OSError, ValueError, KeyError):
            # cut off while the record was written: nothing else existed then
            shutil.rmtree(os.path.join(RECORDS, name), ignore_errors=True)
            continue
        if start_time(pid) == began:
            others.append(pid)
            continue
        say(f"removing what the killed run {pid} left")
        _remove(record)
    return others


class Session:
    """One run. Use as: session = Session(); ...; session.close() in a finally."""

    def __init__(self):
        pid = os.getpid()
        self.name = f"weir-demo-{pid}"
        self.directory = os.path.join(RECORDS, str(pid))
        self.shm_directory = f"/dev/shm/{self.name}"
        self.namespaces = {part: f"{self.name}-{part}" for part in ("clients", "weir", "node")}
        self.processes = {}
        shutil.rmtree(self.directory, ignore_errors=True)  # of an earlier process with our pid, already cleaned up
        os.makedirs(self.directory, mode=0o700)
        record = {"pid": pid, "start_time": start_time(pid), "namespaces": list(self.namespaces.values()),
                  "directories": [self.shm_directory, self.directory]}
        with open(os.path.join(self.directory, "record.new"), "w", encoding="utf-8") as file:
            json.dump(record, file)
        os.rename(os.path.join(self.directory, "record.new"), os.path.join(self.directory, "record.json"))
        os.makedirs(self.shm_directory, mode=0o700, exist_ok=True)
        self._record = record

    def path(self, name):
        return os.path.join(self.directory, name)

    def inside(self, part, *command):
        return ["ip", "netns", "exec", self.namespaces[part], *command]

    def start(self, name, part, *command):
        """Start a process in a namespace. Its output goes to NAME.out and NAME.err in the run's directory."""
        with open(self.path(name + ".out"), "wb") as out, open(self.path(name + ".err"), "wb") as err:
            process = subprocess.Popen(self.inside(part, *command), stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                       preexec_fn=_die_with_parent, start_new_session=True)
        self.processes[name] = process
        return process

    def read(self, name):
        try:
            with open(self.path(name), encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def forget(self, *names):
        for name in names:
            if os.path.exists(self.path(name)):
                os.unlink(self.path(name))

    def last_line(self, name):
        lines = self.read(name).splitlines()
        return lines[-1] if lines else ""

    def alive(self, name):
        return name in self.processes and self.processes[name].poll() is None

    def end(self, name, number=signal.SIGTERM, patience_s=5):
        """Signal a process and wait; SIGKILL when it does not listen. Returns its exit status."""
        process = self.processes.pop(name, None)
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(number)
        try:
            return process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def close(self):
        for name in list(self.processes):
            self.end(name, patience_s=3)
        _remove(self._record)
        try:
            os.rmdir(RECORDS)  # only when no other run uses it
        except OSError:
            pass
