# SPDX-License-Identifier: BSD-3-Clause
"""A whole Weir between two kernels, for tests: three network namespaces, both processes, everything removed afterwards.

    clients                       governor (no addresses)                  node
    10.77.0.2  fd77::2   c0 ── g0 [outside] weir-dataplane [inside] g1 ── n0   10.77.0.1  fd77::1
    more sources: client_prefix()               weir-control
    line=True: c0 ── d0 weir-delay d1 ── g0, in a namespace of their own; start_line() lets frames cross

What a run makes carries its pid and that process's start time in its name, so that the next run knows what a killed one left.
"""
import contextlib
import ctypes
import json
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

NODE_V4, NODE_V6 = "10.77.0.1", "fd77::1"
CLIENT_V4, CLIENT_V6 = "10.77.0.2", "fd77::2"
TCP_PORT, UDP_PORT = 30303, 30303

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
NAME = re.compile(r"^weir-live-(\d+)-(\d+)(-[cfglnr])?$")
_libc = ctypes.CDLL(None, use_errno=True)


def _start_time(pid):
    """Clock ticks after boot at which a process began, None when there is none: with the pid it names a process for good."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return int(stat.read().rpartition(")")[2].split()[19])
    except (OSError, IndexError, ValueError):
        return None


def run(*command, check=True, stdin=None, timeout=60):
    """A short command; its output as text."""
    result = subprocess.run(command, input=stdin, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                            timeout=timeout)
    if check and result.returncode != 0:
        raise RuntimeError(f"'{' '.join(command)}' ended with {result.returncode}: {result.stdout.strip()}")
    return result.stdout


def wait_for(condition, patience_s, interval_s=0.02):
    """Until condition() is true; its value, or a false one when the patience is over."""
    deadline = time.monotonic() + patience_s
    while True:
        value = condition()
        if value or time.monotonic() >= deadline:
            return value
        time.sleep(interval_s)


def _namespace_remove(name):
    for number in (signal.SIGTERM, signal.SIGKILL):
        pids = run("ip", "netns", "pids", name, check=False).split()
        for pid in pids:
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(int(pid), number)
        if pids:
            wait_for(lambda: not run("ip", "netns", "pids", name, check=False).split(), 3)
    run("ip", "netns", "del", name, check=False)


def _leftovers_remove():
    for directory, remove in (("/run/netns", lambda path: _namespace_remove(os.path.basename(path))), ("/run", shutil.rmtree),
                              ("/dev/shm", shutil.rmtree), ("/var/tmp", shutil.rmtree)):
        for name in os.listdir(directory) if os.path.isdir(directory) else []:
            match = NAME.match(name)
            if match and _start_time(int(match[1])) != int(match[2]):
                print(f"removing {directory}/{name}, which a killed run left")
                remove(os.path.join(directory, name))


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Suite:
    """Counts sentences that turned out true or false, and says so in the way tools/test reads."""

    def __init__(self, name):
        self.name, self.passed, self.failed = name, 0, 0
        self.started = time.monotonic()

    def check(self, sentence, holds, detail=""):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
        print(f"{'ok  ' if holds else 'FAIL'}  {sentence}{f' ({detail})' if detail != '' else ''}", flush=True)
        return bool(holds)

    def say(self, text):
        print(f"      {text}", flush=True)

    def finish(self):
        print(f"      {time.monotonic() - self.started:.1f} s")
        print(f"suite netns/{self.name}: {self.passed} passed, {self.failed} failed", flush=True)
        return 0 if self.passed > 0 and self.failed == 0 else 1


class Weir:
    """Use as: with Weir() as weir: weir.start(). Options go to weir-dataplane; `config` is merged over the defaults below."""

    def __init__(self, config=None, options=(), build=None, line=False, mtu=1500, queues=1):
        build = build or os.environ["WEIR_BUILD"]
        self.build = build
        self.tools = {"dataplane": f"{build}/dataplane/weir-dataplane", "control": f"{build}/control/weir-control",
                      "weirctl": f"{build}/tools/weirctl", "delay": f"{build}/bench/weir-delay"}
        self.tag = f"weir-live-{os.getpid()}-{_start_time(os.getpid())}"
        self.namespaces = {part: f"{self.tag}-{part[0]}" for part in ("client", "governor", "node", *(["line"] if line else []))}
        self.run_dir, self.shm_dir, self.state_dir = f"/run/{self.tag}", f"/dev/shm/{self.tag}", f"/var/tmp/{self.tag}"
        self.options, self.line, self.mtu, self.queues = list(options), line, mtu, queues
        self.processes = {}
        self.ports = ["auto:g0", "auto:g1"]  # outside and inside, as weir-dataplane takes them
        self.config = {
            "instance": "live", "run_dir": self.run_dir, "shm_dir": self.shm_dir, "state_dir": f"{self.state_dir}/state",
            "node": {"addresses": [NODE_V4, NODE_V6]},
            "services": [{"name": "tcp", "port": TCP_PORT, "protocol": "tcp"},
                         {"name": "udp", "port": UDP_PORT, "protocol": "udp"}],
            "dataplane": {"memory": "no-huge"},
        }
        self.config.update(config or {})

    # --- life

    def __enter__(self):
        if os.geteuid() != 0:
            sys.exit("must run as root: it makes network namespaces")
        _leftovers_remove()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda signum, _frame: sys.exit(128 + signum))
        try:
            for directory in (self.run_dir, self.shm_dir, self.state_dir, f"{self.state_dir}/state"):
                os.makedirs(directory, mode=0o700)
            self._topology()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind, value, _trace):
        try:
            if kind is not None:
                for name in ("control", "dataplane"):
                    print(f"--- last words of weir-{name}\n{self.words(name)[-1500:]}", flush=True)
        finally:
            self.close()

    def close(self):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        for name in list(self.processes):
            self.end(name, signal.SIGTERM, patience_s=5)
        for namespace in self.namespaces.values():
            if os.path.exists(f"/run/netns/{namespace}"):
                _namespace_remove(namespace)
        for directory in (self.run_dir, self.shm_dir, self.state_dir):
            shutil.rmtree(directory, ignore_errors=True)

    def _topology(self):
        for namespace in self.namespaces.values():
            run("ip", "netns", "add", namespace)
            run("ip", "netns", "exec", namespace, "sysctl", "-qw", "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0",
                "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0", "net.ipv6.ip_nonlocal_bind=1")
            run("ip", "-n", namespace, "link", "set", "lo", "up")
        # The kernels between stay silent on their ports.
        for part in ("governor", *(["line"] if self.line else [])):
            self.inside(part, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        outside = (("client", "c0", "line", "d0"), ("line", "d1", "governor", "g0")) if self.line else (("client", "c0", "governor", "g0"),)
        for near, mine, far, theirs in (*outside, ("node", "n0", "governor", "g1")):
            each = ("numtxqueues", str(self.queues), "numrxqueues", str(self.queues))
            run("ip", "link", "add", mine, "netns", self.namespaces[near], *each, "type", "veth", "peer", "name", theirs, "netns",
                self.namespaces[far], *each)
            for place, device in ((near, mine), (far, theirs)):
                # Frames cross as bytes: nothing may be left for an offload that the far side does not do.
                self.inside(place, "ethtool", "-K", device, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off",
                            check=False)
                self.inside(place, "ip", "link", "set", device, "mtu", str(self.mtu), "up")
        self.addresses()

    def addresses(self):
        """Of c0 and n0."""
        for part, device, v4, v6, via4, via6 in (("client", "c0", CLIENT_V4, CLIENT_V6, NODE_V4, NODE_V6),
                                                 ("node", "n0", NODE_V4, NODE_V6, CLIENT_V4, CLIENT_V6)):
            self.inside(part, "ip", "addr", "add", f"{v4}/24", "dev", device)
            self.inside(part, "ip", "-6", "addr", "add", f"{v6}/64", "dev", device, "nodad")
            if part == "node":  # whatever source it hears of lives behind the client
                self.inside(part, "ip", "route", "replace", "default", "via", via4)
                self.inside(part, "ip", "-6", "route", "replace", "default", "via", via6)
            else:  # answers to spoofed sources end here in silence, as most do on the Internet
                self.inside(part, "ip", "route", "replace", "blackhole", "default")
                self.inside(part, "ip", "-6", "route", "replace", "blackhole", "default")

    def client_prefix(self, prefix):
        """Every address of the prefix becomes the client's own."""
        self.inside("client", "ip", "-6" if ":" in prefix else "-4", "route", "add", "local", prefix, "dev", "lo")

    def far_network(self):
        """A network behind the client, which becomes its router, over a link of MTU 1280. The far end, 10.78.0.2 and fd78::2, announces
        an MSS of 1460 or 1440 all the same: only the router's ICMP errors can teach the node."""
        self.namespaces["far"] = f"{self.tag}-f"
        run("ip", "netns", "add", self.namespaces["far"])
        run("ip", "link", "add", "r0", "netns", self.namespaces["client"], "type", "veth", "peer", "name", "f0", "netns",
            self.namespaces["far"])
        for part, device, mtu, host in (("client", "r0", "1280", 1), ("far", "f0", "1500", 2)):
            self.inside(part, "ethtool", "-K", device, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off", check=False)
            self.inside(part, "ip", "link", "set", device, "mtu", mtu, "up")
            self.inside(part, "ip", "addr", "add", f"10.78.0.{host}/24", "dev", device)
            self.inside(part, "ip", "-6", "addr", "add", f"fd78::{host}/64", "dev", device, "nodad")
        self.inside("far", "ip", "route", "add", "10.77.0.0/16", "via", "10.78.0.1", "mtu", "lock", "1280", "advmss", "1460")
        self.inside("far", "ip", "-6", "route", "add", "fd77::/64", "via", "fd78::1", "mtu", "lock", "1280", "advmss", "1440")
        self.inside("client", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")

    # --- processes

    def inside(self, part, *command, **options):
        return run("ip", "netns", "exec", self.namespaces[part], *command, **options)

    def spawn(self, name, part, *command, stdin=None, environment=None):
        """A process in a namespace; what it prints is appended to a file that words() reads."""
        log = open(f"{self.state_dir}/{name}.log", "ab")
        self.processes[name] = subprocess.Popen(["ip", "netns", "exec", self.namespaces[part], *command], stdout=log, stderr=log,
                                                stdin=stdin or subprocess.DEVNULL, preexec_fn=_die_with_parent,
                                                env={**os.environ, **(environment or {})}, start_new_session=True)
        log.close()
        return self.processes[name]

    def words(self, name):
        try:
            with open(f"{self.state_dir}/{name}.log", encoding="utf-8", errors="replace") as log:
                return log.read()
        except OSError:
            return ""

    def alive(self, name):
        return name in self.processes and self.processes[name].poll() is None

    def send_signal(self, name, number):
        self.processes[name].send_signal(number)

    def end(self, name, number=signal.SIGTERM, patience_s=10):
        """Signal a process and wait for its end; SIGKILL when it does not listen. Its exit status."""
        process = self.processes.pop(name, None)
        if process is None:
            return None
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.send_signal(number)
        try:
            return process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def control_command(self):
        path = f"{self.state_dir}/weir.yaml"
        with open(path, "w", encoding="utf-8") as file:
            json.dump(self.config, file, indent=1)  # JSON is YAML
        return [self.tools["control"], "--config", path]

    def dataplane_command(self):
        return [self.tools["dataplane"], "--instance", "live", "--run-dir", self.run_dir, "--shm-dir", self.shm_dir, "--outside",
                self.ports[0], "--inside", self.ports[1], "--memory", "no-huge", *self.options]

    def start_control(self):
        self.spawn("control", "governor", *self.control_command())

    def start_dataplane(self):
        self.spawn("dataplane", "governor", *self.dataplane_command())

    def start(self):
        self.start_control()
        self.start_dataplane()
        self.wait_governing()

    def start_line(self, *options):
        """weir-delay between client and Weir; one at a time."""
        self.end("line")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self.state_dir}/line.log")
        self.spawn("line", "line", self.tools["delay"], "--a", "auto:d0", "--b", "auto:d1", "--json", *map(str, options))
        if not wait_for(lambda: "the line is up" in self.words("line") or not self.alive("line"), 20) or not self.alive("line"):
            raise RuntimeError(f"weir-delay does not start: {self.words('line')}")

    def end_line(self):
        """Its result."""
        status = self.end("line")
        if status != 0:
            raise RuntimeError(f"weir-delay ended with {status}: {self.words('line')}")
        return json.loads(self.words("line").strip().splitlines()[-1])

    def wait_governing(self, patience_s=30):
        def governing():
            for name in ("control", "dataplane"):
                if not self.alive(name):
                    raise RuntimeError(f"weir-{name} ended")
            with contextlib.suppress(OSError, ValueError):
                return self.call("status")["dataplane"]["state"] == "governing"
            return False
        if not wait_for(governing, patience_s):
            raise RuntimeError(f"Weir does not govern after {patience_s} s")

    # --- talking to Weir

    @property
    def socket_path(self):
        return f"{self.run_dir}/live.sock"

    def call(self, method, patience_s=10, **params):
        """One request on control's socket; its result. An error it answers is raised with its message."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(patience_s)
            connection.connect(self.socket_path)
            connection.sendall((json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + "\n").encode())
            answer = b""
            while not answer.endswith(b"\n"):
                more = connection.recv(1 << 20)
                if not more:
                    raise OSError("control closed the connection")
                answer += more
        reply = json.loads(answer)
        if "error" in reply:
            raise RuntimeError(f"{method}: {reply['error'].get('message')}")
        return reply["result"]

    def weirctl(self, *arguments, check=True, timeout=60):
        """weirctl --json; its parsed answer, or text where it is none."""
        text = run(self.tools["weirctl"], "--socket", self.socket_path, "--json", *arguments, check=check, timeout=timeout)
        try:
            return json.loads(text)
        except ValueError:
            return text

    def wait_applied(self, sequence, patience_s=10):
        """Until the dataplane has put a command with this number in force."""
        return wait_for(lambda: self.call("status")["dataplane"].get("applied_sequence", 0) >= sequence, patience_s)

    # --- sockets in namespaces

    @contextlib.contextmanager
    def namespace(self, part):
        """This thread is in the namespace inside the block; a socket stays where it was made."""
        with open("/proc/thread-self/ns/net", "rb") as home, open(f"/run/netns/{self.namespaces[part]}", "rb") as there:
            if _libc.setns(there.fileno(), CLONE_NEWNET) != 0:
                raise OSError(ctypes.get_errno(), "setns")
            try:
                yield
            finally:
                if _libc.setns(home.fileno(), CLONE_NEWNET) != 0:
                    os._exit(70)  # nothing of a test is safe in the wrong namespace

    def open_socket(self, part, family=socket.AF_INET, kind=socket.SOCK_STREAM, protocol=0):
        with self.namespace(part):
            return socket.socket(family, kind, protocol)

    def connect(self, source, port=TCP_PORT, patience_s=5):
        """A TCP connection from a client's address to the node."""
        v6 = ":" in source
        connection = self.open_socket("client", socket.AF_INET6 if v6 else socket.AF_INET)
        connection.settimeout(patience_s)
        try:
            connection.bind((source, 0))
            connection.connect((NODE_V6 if v6 else NODE_V4, port))
        except OSError:
            connection.close()
            raise
        return connection

    def connects(self, source, port=TCP_PORT, patience_s=5):
        """Whether that address gets through to an echo of its own words."""
        try:
            with self.connect(source, port, patience_s) as connection:
                connection.sendall(b"hello from " + source.encode())
                return connection.recv(100) == b"hello from " + source.encode()
        except OSError:
            return False

    def mac(self, part, device):
        return self.inside(part, "cat", f"/sys/class/net/{device}/address").strip()


class EchoServer(threading.Thread):
    """The node's TCP service: sends back what it gets. Remembers how each connection ended."""

    def __init__(self, weir, port=TCP_PORT):
        super().__init__(daemon=True)
        self.listener = weir.open_socket("node", socket.AF_INET6)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.listener.bind(("::", port))
        self.listener.listen(128)
        self.accepted, self.resets, self.ends = 0, 0, 0
        self.start()

    def run(self):
        selector = selectors.DefaultSelector()
        selector.register(self.listener, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is self.listener:
                    connection, _address = self.listener.accept()
                    connection.settimeout(2)
                    selector.register(connection, selectors.EVENT_READ)
                    self.accepted += 1
                else:
                    self._serve(selector, key.fileobj)

    def _serve(self, selector, connection):
        try:
            data = connection.recv(65536)
            if data:
                connection.sendall(data)
                return
            self.ends += 1
        except ConnectionResetError:
            self.resets += 1
        except OSError:
            self.ends += 1
        selector.unregister(connection)
        connection.close()


class Stream(threading.Thread):
    """One TCP connection that carries data all the time: every chunk is different and must come back as it was."""

    def __init__(self, weir, source, interval_s=0.01, patience_s=60):
        super().__init__(daemon=True)
        self.connection = weir.connect(source)
        self.connection.settimeout(patience_s)
        self.interval_s = interval_s
        self.bytes, self.longest_s, self.error = 0, 0.0, None
        self.stopping = False
        self.start()

    def run(self):
        try:
            while not self.stopping:
                chunk = os.urandom(1000)
                began = time.monotonic()
                self.connection.sendall(chunk)
                back = b""
                while len(back) < len(chunk):
                    more = self.connection.recv(len(chunk) - len(back))
                    if not more:
                        raise OSError("the node closed it")
                    back += more
                if back != chunk:
                    raise OSError("data came back changed")
                self.bytes += len(back)
                self.longest_s = max(self.longest_s, time.monotonic() - began)
                time.sleep(self.interval_s)
        except OSError as error:
            self.error = error

    def went_on(self, patience_s=10):
        """Whether more data comes back from now on, on the same connection."""
        before = self.bytes
        return bool(wait_for(lambda: self.error is not None or self.bytes >= before + 5000, patience_s)) and self.error is None

    def stop(self):
        self.stopping = True
        self.join(70)
        self.connection.close()
        return self.error is None
