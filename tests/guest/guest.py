# SPDX-License-Identifier: BSD-3-Clause
"""A whole Weir in a guest that has two network devices of its own on a PCI bus: qemu, with each device's other end a tap in a namespace.

    client 10.77.0.2 fd77::2     guest: vfio-pci, an IOMMU, huge pages      node 10.77.0.1 fd77::1
    c0 (tap) ─────────── [outside] weir-dataplane [inside] ─────────── n0 (tap)
                                  weir-control
GuestWeir is a Weir (netns/weir.py) whose governor's namespace is the guest; call() and weirctl() run weirctl in there.
"""
import contextlib
import fcntl
import json
import os
import shlex
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "netns"))
import image  # noqa: E402
from image import Cannot  # noqa: E402,F401
from weir import Weir, _die_with_parent, run, wait_for  # noqa: E402

TUNSETIFF, IFF_TAP, IFF_NO_PI, IFF_MULTI_QUEUE, IFF_VNET_HDR = 0x400454CA, 2, 0x1000, 0x100, 0x4000
OUTSIDE, INSIDE = "0000:00:02.0", "0000:00:03.0"
BOOT_S = 90  # measured 6 to 8 on an idle machine
MEMORY_MIB = 1536  # 512 of them huge pages
DIRECTORIES = {"run_dir": "/run/weir", "shm_dir": "/dev/shm/weir", "state_dir": "/tmp/state"}


def unit_capabilities():
    """What the dataplane's unit leaves of root's capabilities, as setpriv writes them: the guest has no systemd, but must do with these."""
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with open(f"{root}/tools/systemd/weir-dataplane.service", encoding="utf-8") as unit:
        line, = [line for line in unit if line.startswith("CapabilityBoundingSet=")]
    return [word.removeprefix("CAP_").lower() for word in line.partition("=")[2].split()]


class GuestWeir(Weir):
    """`device`: qemu's name of both ports. `queues`: of each port, where the device has several (virtio-net-pci)."""

    def __init__(self, config=None, options=(), device="e1000e", **more):
        super().__init__(config, options, **more)
        self.device = device
        self.kernel, self.initramfs = image.make(self.build)
        self.namespaces.pop("governor")
        self.config.update({**DIRECTORIES, "dataplane": {"memory": "huge", "pairs": [{"outside": OUTSIDE, "inside": INSIDE}]}})
        self.taps, self.line, self.unread = {}, None, b""
        self.ports = [OUTSIDE, INSIDE]
        self.privileges = ["/weir/setpriv", "--bounding-set", "-all" + "".join(f",+{word}" for word in unit_capabilities())]

    # --- the machine

    def _tap(self, part, name):
        """A tap in a namespace, up; its file descriptors, one a queue."""
        fds = []
        flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (IFF_MULTI_QUEUE if self.queues > 1 else 0)
        with self.namespace(part):
            for _ in range(self.queues):
                fds.append(os.open("/dev/net/tun", os.O_RDWR))
                fcntl.ioctl(fds[-1], TUNSETIFF, struct.pack("16sH22x", name.encode(), flags))
        self.inside(part, "ip", "link", "set", name, "mtu", str(self.mtu), "up")
        return fds

    def _topology(self):
        for namespace in self.namespaces.values():
            run("ip", "netns", "add", namespace)
            run("ip", "netns", "exec", namespace, "sysctl", "-qw", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
                "net.ipv6.ip_nonlocal_bind=1")
            run("ip", "-n", namespace, "link", "set", "lo", "up")
        for part, name in (("client", "c0"), ("node", "n0")):
            self.taps[part] = self._tap(part, name)
        self.addresses()

    def _devices(self):
        words = []
        for number, (part, slot) in enumerate((("client", "2"), ("node", "3"))):
            fds = self.taps[part]
            words += ["-netdev", f"tap,id=wire{number}," + (f"fd={fds[0]}" if len(fds) == 1 else f"fds={':'.join(map(str, fds))}")]
            device = f"{self.device},netdev=wire{number},addr=0x{slot},mac=02:77:00:00:00:0{slot}"
            if self.device.startswith("virtio"):
                device += ",disable-legacy=on,iommu_platform=on,ats=on" + (f",mq=on,rss=on,vectors={2 * len(fds) + 2}" if len(fds) > 1 else "")
            words += ["-device", device]
        return words

    def boot(self):
        """Until the guest listens. The seconds it took."""
        began = time.monotonic()
        path = f"{self.state_dir}/line"
        command = ["qemu-system-x86_64", "-accel", "tcg", "-machine", "q35,kernel-irqchip=split", "-cpu", "max", "-smp", "2", "-m", str(MEMORY_MIB),
                   "-device", "intel-iommu,intremap=on,caching-mode=on", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                   "-kernel", self.kernel, "-initrd", self.initramfs,
                   "-append", "console=ttyS0 quiet panic=-1 no_timer_check intel_iommu=on iommu=pt",
                   "-qmp", f"unix:{self.state_dir}/machine,server=on,wait=off", "-serial", "stdio", "-chardev", f"socket,id=line,path={path},server=on,wait=off", "-serial", "chardev:line", *self._devices()]
        fds = [fd for part in self.taps.values() for fd in part]
        with open(f"{self.state_dir}/guest.log", "ab") as log:
            self.processes["guest"] = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, pass_fds=fds,
                                                       preexec_fn=_die_with_parent, start_new_session=True)
        for fd in fds:
            os.close(fd)
        self.taps = {}
        self.line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

        def connected():
            if not self.alive("guest"):
                raise RuntimeError(f"qemu ended: {self.words('guest')[-500:]}")
            with contextlib.suppress(OSError):
                self.line.connect(path)
                return True
            return False
        if not wait_for(connected, 10) or "#ready" not in self._read_until("#ready", BOOT_S):
            raise RuntimeError(f"the guest does not boot: {self.words('guest')[-1500:]}")
        return time.monotonic() - began

    def _read_until(self, mark, patience_s):
        """What the guest says before a line that begins with mark, and that line."""
        deadline, mark = time.monotonic() + patience_s, mark.encode()
        while True:
            lines = self.unread.split(b"\n")
            for number, line in enumerate(lines[:-1]):
                if line.startswith(mark):
                    self.unread = b"\n".join(lines[number + 1:])
                    return b"\n".join(lines[:number + 1]).decode(errors="replace")
            self.line.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                more = self.line.recv(1 << 16)
            except TimeoutError as error:
                raise RuntimeError(f"the guest is silent: {self.unread[-500:]!r}") from error
            if not more:
                raise RuntimeError(f"the guest ended: {self.words('guest')[-1500:]}")
            self.unread += more

    def guest(self, command, patience_s=60, check=True):
        """A line for the guest's shell; what it prints."""
        self.line.sendall(command.encode() + b"\n")
        said, _, done = self._read_until("#done", patience_s).rpartition("#done ")
        if check and done.strip() != "0":
            raise RuntimeError(f"'{command[:200]}' ended with {done} in the guest: {said[-1500:]}")
        return said

    def machine(self, command, **arguments):
        """One command for qemu itself."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(10)
            line.connect(f"{self.state_dir}/machine")
            for words in ({"execute": "qmp_capabilities"}, {"execute": command, "arguments": arguments}):
                line.sendall(json.dumps(words).encode() + b"\n")
            said = b""
            while said.count(b'"return"') + said.count(b'"error"') < 2:
                said += line.recv(4096)
        if b'"error"' in said:
            raise RuntimeError(f"qemu refuses {command}: {said!r}")

    def cable(self, part, plugged):
        self.machine("set_link", name={"client": "wire0", "node": "wire1"}[part], up=plugged)

    def close(self):
        if self.line:
            self.line.close()
        for fds in self.taps.values():
            for fd in fds:
                os.close(fd)
        self.taps = {}
        super().close()

    # --- Weir in it

    def guest_words(self, name):
        return self.guest(f"cat /tmp/{name}.log", check=False)

    def words(self, name):
        if name in ("dataplane", "control") and self.line and self.alive("guest"):
            with contextlib.suppress(RuntimeError, OSError):
                return self.guest_words(name)
        return super().words(name)

    def guest_file(self, path, text):
        self.guest(f"echo {shlex.quote(text)} > {path}")

    def guest_start(self, name, *words):
        self.guest(f"setsid {shlex.join(words)} >>/tmp/{name}.log 2>&1 & echo $! >/tmp/{name}.pid")

    def guest_runs(self, name):
        return self.guest(f"kill -0 $(cat /tmp/{name}.pid)", check=False) == ""

    def guest_end(self, name, patience_s=20):
        """SIGTERM; whether it ended. Its words are forgotten."""
        self.guest(f"kill $(cat /tmp/{name}.pid)", check=False)
        ended = wait_for(lambda: not self.guest_runs(name), patience_s, 0.2)
        self.guest(f"rm -f /tmp/{name}.log")
        return ended

    def start_control(self):
        self.guest(f"mkdir -p {' '.join(DIRECTORIES.values())}")
        self.guest_file("/tmp/weir.yaml", json.dumps(self.config))
        self.guest_start("control", "weir-control", "--config", "/tmp/weir.yaml")

    def dataplane_command(self):
        return [*self.privileges, "weir-dataplane", "--instance", "live", "--run-dir", DIRECTORIES["run_dir"], "--shm-dir", DIRECTORIES["shm_dir"],
                "--outside", self.ports[0], "--inside", self.ports[1], *self.options]

    def start_dataplane(self):
        self.guest_start("dataplane", *self.dataplane_command())

    def restart(self, *options, how="TERM"):
        """The dataplane, ended with that signal, with other options, until it governs."""
        self.guest(f"kill -{how} $(cat /tmp/dataplane.pid)")
        self.guest_end("dataplane")
        self.options = list(options)
        self.start_dataplane()
        self.wait_governing()

    def refused(self, *options, patience_s=30):
        """What the dataplane says when it ends by itself."""
        self.guest_end("dataplane")
        command = [*self.dataplane_command()[:len(self.dataplane_command()) - len(self.options)], *options]
        return self.guest(f"timeout {patience_s} {shlex.join(command)} 2>&1", patience_s + 10, check=False)

    def wait_governing(self, patience_s=60):
        def governing():
            for name in ("control", "dataplane"):
                if not self.guest_runs(name):
                    raise RuntimeError(f"weir-{name} ended: {self.words(name)[-1500:]}")
            with contextlib.suppress(RuntimeError, ValueError, KeyError):
                return self.call("status")["dataplane"]["state"] == "governing"
            return False
        if not wait_for(governing, patience_s, 0.3):
            raise RuntimeError(f"Weir does not govern after {patience_s} s: {self.words('dataplane')[-1500:]}")

    def weirctl(self, *arguments, check=True, timeout=60):
        text = self.guest(shlex.join(["weirctl", "--socket", f"{DIRECTORIES['run_dir']}/live.sock", "--json", *arguments]), timeout, check)
        try:
            return json.loads(text)
        except ValueError:
            return text

    def call(self, method, patience_s=10, **params):
        """Of the methods, those that weirctl passes on as they are."""
        if method != "status" or params:
            raise ValueError("a guest answers status only; the rest by weirctl()")
        return self.weirctl("status", timeout=patience_s)
