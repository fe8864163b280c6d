# SPDX-License-Identifier: BSD-3-Clause
"""What end_to_end.py measures with: huge pages that are given back, processes that end with it, transports between two of them."""
import contextlib
import ctypes
import fcntl
import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
import time

PR_SET_PDEATHSIG = 1
HUGE_PAGES_FILE = "/proc/sys/vm/nr_hugepages"
HUGE_PAGES = 1024  # 2 GiB: flow tables of the dataplane 0.3, tables and bans 0.6, mbufs of two processes 0.2, the rest is slack
SHARED_DIR, RIG_NAME, PAGES_NAME = "/dev/shm", re.compile(r"^weir-bench-(\d+)-(\d+)-"), "huge-pages"
MACHINE_LOCK = "/run/lock/weir-bench.lock"
HUGE_TRIES = 10  # a run that has just ended gives its pages back with some delay
GENERATOR_CPU, SUBJECT_CPU = 0, 1
_libc = ctypes.CDLL(None, use_errno=True)


class RigError(Exception):
    """Something that the operator must put right, in one sentence."""


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _start_time(pid):
    """Clock ticks after boot at which a process began, None when there is none: with the pid it names a process for good."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return int(stat.read().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def _leftovers_remove():
    """What a killed run left: its mount, its directory and its huge pages."""
    for name in os.listdir(SHARED_DIR):
        match = RIG_NAME.match(name)
        if not match or _start_time(int(match[1])) == int(match[2]):
            continue
        directory = f"{SHARED_DIR}/{name}"
        print(f"      removing {directory}, which a killed run left", flush=True)
        subprocess.run(["umount", "-l", f"{directory}/huge"], check=False, stderr=subprocess.DEVNULL)
        with contextlib.suppress(OSError, ValueError):
            with open(f"{directory}/{PAGES_NAME}", encoding="ascii") as file:
                _huge_pages_add(-int(file.read()))
        shutil.rmtree(directory, ignore_errors=True)


class Rig(contextlib.ExitStack):
    """A private directory with sockets, segments and a hugetlbfs. Use as a context; leaves nothing behind.

    `pages`: of 2 MiB. Without huge pages only memif works between two processes, and no rate means anything: that is for tests.
    """

    def __init__(self, build, nice=0, huge=True, pages=HUGE_PAGES):
        super().__init__()
        self.build, self.nice, self.huge, self.pages = build, nice, huge, pages
        _leftovers_remove()
        self.directory = tempfile.mkdtemp(prefix=f"weir-bench-{os.getpid()}-{_start_time(os.getpid())}-", dir=SHARED_DIR)
        self.callback(shutil.rmtree, self.directory, ignore_errors=True)
        self.huge_dir = f"{self.directory}/huge"
        os.mkdir(self.huge_dir)
        self.instance = f"bench{os.getpid()}"

    def __enter__(self):
        super().__enter__()
        try:
            if self.huge:
                self._machine_take()
                self._huge_pages_take()
        except BaseException:
            self.close()
            raise
        return self

    def _machine_take(self):
        """Two runs on the same two CPUs would measure each other: the second waits."""
        lock = self.enter_context(open(MACHINE_LOCK, "w", encoding="ascii"))
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("      waiting for another run on this machine", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)

    def _huge_pages_take(self):
        total = 0
        for _ in range(HUGE_TRIES):
            missing = self.pages - _meminfo("HugePages_Free")
            if missing <= 0:
                break
            # what we add we take away again, whoever else adds or takes some meanwhile
            added = _huge_pages_add(missing)
            self.callback(_huge_pages_add, -added)
            total += added
            with open(self.path(PAGES_NAME), "w", encoding="ascii") as file:
                file.write(str(total))
            if added < missing:
                with open("/proc/sys/vm/compact_memory", "w", encoding="ascii") as file:
                    file.write("1")
                time.sleep(1)
        else:
            raise RigError(f"{self.pages} free huge pages of 2 MiB are needed and the kernel gave "
                           f"{_meminfo('HugePages_Free')}: memory is short or fragmented")
        subprocess.run(["mount", "-t", "hugetlbfs", "-o", "pagesize=2M", "none", self.huge_dir], check=True)
        self.callback(subprocess.run, ["umount", "-l", self.huge_dir], check=False)

    def path(self, name):
        return f"{self.directory}/{name}"

    def spawn(self, name, *command, stdin=None):
        """A process of ours; its output goes to a file, which failures quote."""
        return Process(self, name, [str(word) for word in command], stdin)

    def tool(self, name):
        return f"{self.build}/{'dataplane' if name == 'weir-dataplane' else 'bench'}/{name}"


def _meminfo(key):
    with open("/proc/meminfo", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key + ":"))


def _huge_pages_add(number):
    """How many more there are afterwards."""
    with open(HUGE_PAGES_FILE, encoding="ascii") as file:
        before = int(file.read())
    with open(HUGE_PAGES_FILE, "w", encoding="ascii") as file:
        file.write(str(max(before + number, 0)))
    with open(HUGE_PAGES_FILE, encoding="ascii") as file:
        return int(file.read()) - before


class Process:
    """Use as a context: ended by SIGINT at the end, killed if that does not help."""

    def __init__(self, rig, name, command, stdin):
        self.rig, self.name, self.command, self.wants_input = rig, name, command, stdin
        self.popen = self.log = None

    def __enter__(self):
        self.log = open(self.rig.path(f"{self.name}.log"), "w+", encoding="utf-8", errors="replace")

        def prepare():
            _die_with_parent()
            if self.rig.nice:
                os.setpriority(os.PRIO_PROCESS, 0, self.rig.nice)
                # where sessions are scheduled as groups, a process's own priority counts only within its session
                os.setsid()
                with contextlib.suppress(OSError), open("/proc/self/autogroup", "w", encoding="ascii") as file:
                    file.write(str(self.rig.nice))

        # pylint: disable-next=consider-using-with,subprocess-popen-preexec-fn
        self.popen = subprocess.Popen(self.command, stdin=subprocess.PIPE if self.wants_input else subprocess.DEVNULL,
                                      stdout=subprocess.PIPE if self.wants_input == "talk" else self.log, stderr=self.log,
                                      text=True, preexec_fn=prepare)
        return self

    def __exit__(self, *_):
        self.end()
        self.log.close()

    def say(self, line):
        self.popen.stdin.write(line + "\n")
        self.popen.stdin.flush()

    def hear(self, patience_s=10):
        """One line of what a talking process answers."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.popen.stdout, selectors.EVENT_READ)
            if not selector.select(patience_s):
                raise RigError(f"{self.name} does not answer: {self.text()[-500:]}")
        return self.popen.stdout.readline()

    def text(self):
        self.log.flush()
        self.log.seek(0)
        return self.log.read()

    def is_running(self):
        return self.popen.poll() is None

    def wait(self, patience_s):
        try:
            return self.popen.wait(patience_s)
        except subprocess.TimeoutExpired:
            raise RigError(f"{self.name} did not end in {patience_s} s: {self.text()[-500:]}") from None

    def end(self):
        for number, patience_s in ((signal.SIGINT, 10), (signal.SIGKILL, 10)):
            if self.popen.poll() is not None:
                break
            self.popen.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.popen.wait(patience_s)
        if self.popen.stdin:
            with contextlib.suppress(BrokenPipeError):
                self.popen.stdin.close()
        if self.popen.stdout:
            self.popen.stdout.close()

    def threads(self):
        """{tid: (ns on a CPU, ns waiting for one)}: what the kernel's scheduler did to us."""
        times = {}
        for tid in os.listdir(f"/proc/{self.popen.pid}/task"):
            with contextlib.suppress(OSError):
                with open(f"/proc/{self.popen.pid}/task/{tid}/schedstat", encoding="ascii") as file:
                    ran, waited = file.read().split()[:2]
                times[tid] = (int(ran), int(waited))
        return times


def _stolen():
    """{CPU: (ticks that the hypervisor gave to others, all ticks)} of the two CPUs."""
    ticks = {}
    with open("/proc/stat", encoding="ascii") as file:
        for line in file:
            name, *words = line.split()
            if name in (f"cpu{GENERATOR_CPU}", f"cpu{SUBJECT_CPU}"):
                # user, nice, system, idle, iowait, irq, softirq, steal; guests are in user and nice already
                ticks[name] = (int(words[7]), sum(int(word) for word in words[:8]))
    return ticks


class Waiting:
    """The share of a span in which a process's busiest thread wanted its CPU and another process, or another machine of the
    hypervisor, had it."""

    def __init__(self, *processes):
        self.before, self.stolen = [(process, process.threads()) for process in processes], _stolen()

    def share(self):
        worst = 0.0
        for process, before in self.before:
            deltas = [(ran - before.get(tid, (0, 0))[0], waited - before.get(tid, (0, 0))[1])
                      for tid, (ran, waited) in process.threads().items()]
            if deltas:
                ran, waited = max(deltas)
                worst = max(worst, waited / max(ran + waited, 1))
        for name, (steal, whole) in _stolen().items():
            worst = max(worst, (steal - self.stolen[name][0]) / max(whole - self.stolen[name][1], 1))
        return worst


def until(condition, what, patience_s=15):
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise RigError(f"{what} did not happen in {patience_s} s")
        time.sleep(0.02)


class Transport:
    """How two processes exchange packets: `subject` is the device of what is measured, `generator` that of the load."""

    NAMES = ("vhost", "memif")

    def __init__(self, rig, name):
        self.rig, self.name = rig, name

    def subject(self, n):
        if self.name == "vhost":
            return f"net_vhost{n},iface={self._socket(n)}"
        # 2^10 descriptors, as virtio_user has
        return f"net_memif{n},role=server,id=0,rsize=10,socket={self._socket(n)},socket-abstract=no"

    def generator(self, n):
        if self.name == "vhost":
            return f"net_virtio_user{n},path={self._socket(n)},queue_size=1024"
        return f"net_memif{n},role=client,id=0,rsize=10,socket={self._socket(n)},socket-abstract=no"

    def clear(self):
        for n in range(2):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._socket(n))

    def _socket(self, n):
        return self.rig.path(f"port{n}.sock")


class Testpmd:
    """The baseline: DPDK's own forwarder on the same transport, side and CPU. Use as a context around a running one."""

    def __init__(self, rig, transport, mode, inside=None):
        self.rig, self.transport, self.mode, self.inside = rig, transport, mode, inside
        self.process = None

    def __enter__(self):
        self.transport.clear()
        devices = ["--vdev", self.transport.subject(0)] + (["--vdev", self.inside] if self.inside else [])
        self.process = self.rig.spawn(
            "testpmd", "dpdk-testpmd", f"--lcores=0@{GENERATOR_CPU},1@{SUBJECT_CPU}", "--in-memory", "--no-pci", "--no-telemetry",
            f"--huge-dir={self.rig.huge_dir}", f"--file-prefix=testpmd-{self.rig.instance}", *devices, "--", "-i",
            f"--forward-mode={self.mode}", "--rxd=2048", "--txd=2048", "--auto-start", stdin=True)
        self.process.__enter__()
        try:
            # its ports are started before it asks for commands; a memif client that comes earlier is sent away for good
            until(lambda: "testpmd>" in self.process.text() or not self.process.is_running(), "testpmd's prompt")
            if not self.process.is_running():
                raise RigError(f"testpmd does not start: {self.process.text()[-800:]}")
        except BaseException:
            self.process.__exit__(None, None, None)
            raise
        return self

    def received(self):
        """Packets of port 0; ends it."""
        self.process.say("stop")
        self.process.say("show port stats 0")
        self.process.say("quit")
        self.process.wait(10)
        lines = [line.split() for line in self.process.text().splitlines() if "RX-packets:" in line]
        return int(lines[-1][lines[-1].index("RX-packets:") + 1]) if lines else -1

    def __exit__(self, *what):
        self.process.__exit__(*what)


class Dataplane:
    """Weir's packet path with one image. Use as a context around a running, governing one."""

    def __init__(self, rig, transport, image, inside="net_null1,no-rx=1", options=()):
        self.rig, self.transport, self.image, self.inside, self.options = rig, transport, list(image), inside, list(options)
        self.stack = contextlib.ExitStack()
        self.process = self.control = None

    def __enter__(self):
        self.transport.clear()
        shm, run = self.rig.path("shm"), self.rig.path("run")
        shutil.rmtree(shm, ignore_errors=True)
        for directory in (shm, run):
            os.makedirs(directory, mode=0o700, exist_ok=True)
        try:
            self.control = self.stack.enter_context(self.rig.spawn(
                "control", self.rig.tool("weir-fixed-control"), "--shm-dir", shm, "--instance", self.rig.instance, *self.image,
                stdin="talk"))
            if self.control.hear(60).strip() != "ready":
                raise RigError(f"weir-fixed-control does not start: {self.control.text()}")
            self.process = self.stack.enter_context(self.rig.spawn(
                "dataplane", self.rig.tool("weir-dataplane"), "--instance", self.rig.instance, "--shm-dir", shm, "--run-dir", run,
                "--idle-sleep-us", "0",  # testpmd polls without rest too
                "--outside", self.transport.subject(0), "--inside", self.inside, "--lcores", SUBJECT_CPU,
                *(["--eal", f"--huge-dir={self.rig.huge_dir}"] if self.rig.huge else ["--memory", "no-huge"]), *self.options))
            until(lambda: not self.process.is_running() or self.counters()["state"] == 2, "governing", 60)
            if not self.process.is_running():
                raise RigError(f"weir-dataplane does not start: {self.process.text()[-800:]}")
        except BaseException:
            self.stack.close()
            raise
        return self

    def counters(self):
        self.control.say("counters")
        return json.loads(self.control.hear())

    def __exit__(self, *_):
        self.stack.close()


class Flood:
    """The generator. Use as a context around a running one; result() waits for its end."""

    def __init__(self, rig, device, seconds, *words):
        self.rig, self.seconds = rig, seconds
        huge = ["--huge", "--eal", "--single-file-segments", "--eal", f"--huge-dir={rig.huge_dir}", "--eal",
                f"--file-prefix=flood-{rig.instance}", "--poll", "--cpu", GENERATOR_CPU] if rig.huge else []
        self.process = rig.spawn("flood", rig.tool("weir-flood"), "--port", device, "--mac", "02:00:00:00:00:02", "--seconds", seconds,
                                 "--json", *huge, *words)

    def __enter__(self):
        self.process.__enter__()
        return self

    def result(self):
        if self.process.wait(self.seconds + 30) != 0:
            raise RigError(f"weir-flood failed: {self.process.text()[-800:]}")
        return json.loads(next(line for line in self.process.text().splitlines() if line.startswith("{")))

    def __exit__(self, *what):
        self.process.__exit__(*what)
