# SPDX-License-Identifier: BSD-3-Clause
"""The guest's kernel and its whole file system, one initramfs, made of files of Debian packages and of our own build.

Debian's kernel is unpacked, not installed: it must not become the host's. What is made lies in BUILD/guest and is made anew when it
is stale; the kernel's package is fetched once. Cannot says why there is no guest, for whoever skips its tests.
"""
import glob
import os
import re
import shutil
import stat
import subprocess

MODULES = ("virt/lib/irqbypass", "drivers/vfio/vfio", "drivers/vfio/vfio_virqfd", "drivers/vfio/vfio_iommu_type1",
           "drivers/vfio/pci/vfio-pci-core", "drivers/vfio/pci/vfio-pci")  # in the order of loading
# EAL loads every file of its plugin folder: these suffice for e1000e and virtio-net, buffers and rings.
PLUGINS = ("bus_pci", "bus_vdev", "mempool_ring", "net_e1000", "net_virtio")
BUSYBOX_NAMES = ("sh", "cat", "chmod", "echo", "grep", "kill", "ln", "mkdir", "mount", "insmod", "poweroff", "sleep", "stty", "rm", "setsid", "timeout")
DOWNLOAD_S = 120


class Cannot(Exception):
    """No guest can be made here; the text says why."""


def _run(*command, cwd=None, timeout=60):
    try:
        result = subprocess.run(command, cwd=cwd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=timeout)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Cannot(f"{command[0]}: {error}") from error
    if result.returncode != 0:
        raise Cannot(f"'{' '.join(command)}' ended with {result.returncode}: {result.stdout.strip()[-300:]}")
    return result.stdout


def _kernel(folder):
    """(vmlinuz, folder of modules) of Debian's current kernel package, fetched when there is none yet."""
    root = os.path.join(folder, "kernel")
    if not glob.glob(f"{root}/boot/vmlinuz-*"):
        match = re.search(r"Depends: (linux-image-[0-9][^ \n]*)", _run("apt-cache", "depends", "linux-image-amd64"))
        if not match:
            raise Cannot("apt knows no linux-image-amd64; its lists may be empty (apt-get update)")
        fresh = os.path.join(folder, "fresh")
        shutil.rmtree(fresh, ignore_errors=True)
        os.makedirs(fresh)
        _run("apt-get", "download", "-q", match[1], cwd=fresh, timeout=DOWNLOAD_S)
        packages = glob.glob(f"{fresh}/*.deb")
        if not packages:
            raise Cannot(f"apt-get download {match[1]} brought no package")
        _run("dpkg-deb", "-x", packages[0], f"{fresh}/root", timeout=DOWNLOAD_S)
        shutil.rmtree(root, ignore_errors=True)
        os.rename(f"{fresh}/root", root)
        shutil.rmtree(fresh)
    kernel, modules = glob.glob(f"{root}/boot/vmlinuz-*"), glob.glob(f"{root}/lib/modules/*/kernel")
    if not kernel or not modules:
        raise Cannot(f"{root} holds no kernel with modules; remove it, and it is made again")
    return kernel[0], modules[0]


def _libraries(program):
    """Paths of what the dynamic linker loads for it."""
    return re.findall(r"(/\S+) \(0x", _run("ldd", program))


class Archive:
    """A file system in the cpio format that the kernel unpacks ("newc")."""

    def __init__(self):
        self.entries = {}  # path -> (mode, bytes)

    def folder(self, path):
        path = path.strip("/")
        if path and path not in self.entries:
            self.folder(os.path.dirname(path))
            self.entries[path] = (stat.S_IFDIR | 0o755, b"")

    def file(self, path, data, mode=0o755):
        self.folder(os.path.dirname(path))
        self.entries[path.strip("/")] = (stat.S_IFREG | mode, data)

    def link(self, path, target):
        self.folder(os.path.dirname(path))
        self.entries[path.strip("/")] = (stat.S_IFLNK | 0o777, target.encode())

    def copy(self, source, path=None):
        """A file of the host's; a symbolic link stays one, because EAL would load a plugin twice that lay there under two names."""
        path = path or source
        if os.path.islink(source):
            target = os.readlink(source)
            self.link(path, target)
            there = os.path.normpath(os.path.join(os.path.dirname(source), target))
            if there.strip("/") not in self.entries:
                self.copy(there)
            return
        with open(source, "rb") as file:
            self.file(path, file.read())

    def write(self, path):
        with open(path, "wb") as out:
            for number, (name, (mode, data)) in enumerate([*self.entries.items(), ("TRAILER!!!", (0, b""))], 1):
                header = [number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
                text = b"070701" + b"".join(b"%08X" % field for field in header) + name.encode() + b"\0"
                out.write(text + b"\0" * (-len(text) % 4) + data + b"\0" * (-len(data) % 4))


def make(build):
    """(kernel, initramfs) of a guest with what `build` has built."""
    for program in ("qemu-system-x86_64", "busybox", "setpriv", "apt-get", "dpkg-deb"):
        if not shutil.which(program):
            raise Cannot(f"{program} is not installed (tools/setup --tests installs it)")
    folder = os.path.join(build, "guest")
    os.makedirs(folder, exist_ok=True)
    kernel, modules = _kernel(folder)
    archive = Archive()
    for path in ("proc", "sys", "dev", "run", "tmp"):
        archive.folder(path)
    archive.link("var/run", "/run")
    # Where the host merged /lib and /bin into /usr the guest must find both names.
    for name in ("bin", "sbin", "lib", "lib64"):
        if os.path.islink(f"/{name}"):
            archive.link(name, os.readlink(f"/{name}"))
            archive.folder(f"usr/{name}")
    archive.copy(shutil.which("busybox"), "/usr/bin/busybox")
    for name in BUSYBOX_NAMES:
        archive.link(f"/usr/bin/{name}", "busybox")
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "init.sh"), "rb") as init:
        archive.file("/init", init.read())
    for number, name in enumerate(MODULES):
        archive.copy(f"{modules}/{name}.ko", f"/modules/{number}.ko")
    programs = {f"{build}/{place}": f"/weir/{os.path.basename(place)}" for place in
                ("dataplane/weir-dataplane", "control/weir-control", "tools/weirctl")}
    programs[shutil.which("setpriv")] = "/weir/setpriv"
    plugins = [path for name in PLUGINS for path in glob.glob(f"/usr/lib/*/dpdk/pmds-*/librte_{name}.so*")]
    if len(plugins) < len(PLUGINS):
        raise Cannot("DPDK's plugins are not where Debian puts them (/usr/lib/*/dpdk)")
    needed = {library for path in (*programs, *plugins) for library in _libraries(path)}
    needed.update(glob.glob("/lib/*/libgcc_s.so.1"))  # which pthread_cancel loads when it is called
    for source, path in programs.items():
        archive.copy(source, path)
    for path in [*plugins, *needed]:
        archive.copy(os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path)))
    initramfs = os.path.join(folder, "initramfs")
    archive.write(initramfs)
    return kernel, initramfs
