# SPDX-License-Identifier: Apache-2.0
"""An initramfs as bytes: busybox, the guest's init, and files of the host with the shared libraries that they need.

A file below the current folder lies at the same path below /t, where the command runs; any other keeps its own path. So
commands read the same as on the host. Libraries keep their true paths, which the loader looks them up by.
"""
import os
import re
import stat
import subprocess

GUEST_HOME = "/t"
BUSYBOX = "/bin/busybox"
INIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "init")
LIBRARY = re.compile(r"(?:=>\s*|^\s*)(/\S+)\s+\(0x", re.M)
ELF = b"\x7fELF"


def needed_libraries(path):
    """What ldd finds for a program or a library; none for static ones and for what is no ELF file."""
    with open(path, "rb") as f:
        if f.read(4) != ELF:
            return []
    proc = subprocess.run(["ldd", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return LIBRARY.findall(proc.stdout.decode())


class Archive:
    """A cpio archive of the format newc (Documentation/driver-api/early-userspace/buffer-format.rst)."""

    def __init__(self):
        self.parts = []
        self.size = 0
        self.names = set()

    def _entry(self, name, mode, data=b"", rdev=(0, 0)):
        fields = (len(self.names) + 1, mode, 0, 0, 1, 0, len(data), 0, 0, *rdev, len(name) + 1, 0)
        header = b"070701" + b"".join(b"%08X" % n for n in fields) + name + b"\0"
        for part in (header, data):
            self.parts.append(part + bytes(-len(part) % 4))
            self.size += len(self.parts[-1])

    def _new(self, guest):
        """Whether the path is not there yet; makes the folders above it."""
        name = guest.strip("/")
        if not name or name in self.names:
            return False
        self.folder(os.path.dirname(name))
        self.names.add(name)
        return True

    def folder(self, guest, mode=0o755):
        if self._new(guest):
            self._entry(os.fsencode(guest.strip("/")), stat.S_IFDIR | mode)

    def link(self, guest, target):
        if self._new(guest):
            self._entry(os.fsencode(guest.strip("/")), stat.S_IFLNK | 0o777, os.fsencode(target))

    def data(self, guest, data, mode=0o644):
        if self._new(guest):
            self._entry(os.fsencode(guest.strip("/")), stat.S_IFREG | mode, data)

    def file(self, host, guest):
        """Copies a file's content, following links."""
        with open(host, "rb") as f:
            self.data(guest, f.read(), stat.S_IMODE(os.fstat(f.fileno()).st_mode))

    def program(self, host, guest):
        """A file, and the libraries it needs."""
        self.file(host, guest)
        for library in needed_libraries(host):
            self.file(library, real_place(library))

    def tree(self, host, guest, libraries=False):
        """A folder with all below it, links as links; special files are left out. libraries: also those that its
        programs need, from the host (not for a root of its own)."""
        self.folder(guest)
        for folder, names, files in os.walk(host):
            for name in names + files:
                path = os.path.join(folder, name)
                place = os.path.join(guest, os.path.relpath(path, host))
                mode = os.lstat(path).st_mode
                if stat.S_ISLNK(mode):
                    self.link(place, os.readlink(path))
                elif stat.S_ISDIR(mode):
                    self.folder(place, stat.S_IMODE(mode))
                elif stat.S_ISREG(mode):
                    (self.program if libraries else self.file)(path, place)

    def bytes(self):
        self._entry(b"TRAILER!!!", 0)
        return b"".join(self.parts)


def guest_path(host):
    """Where a file or folder of the host lies in the guest."""
    relative = os.path.relpath(host)
    return os.path.abspath(host) if relative.startswith("..") else os.path.join(GUEST_HOME, relative)


def build(command, files, trees):
    """The archive. files: paths; trees: (folder, its place in the guest or None, with libraries)."""
    archive = Archive()
    # Where Debian 12 has /bin and /lib, so that paths of both spellings meet.
    for name in ("bin", "sbin", "lib", "lib64"):
        archive.folder("usr/" + name)
        archive.link(name, "usr/" + name)
    for name in ("proc", "sys", "dev", "tmp", "run", "etc"):
        archive.folder(name)
    archive.data("etc/passwd", b"root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
    archive.data("etc/hosts", b"127.0.0.1 localhost\n::1 localhost\n")
    archive.file(INIT, "init")
    for path in files:
        archive.program(path, real_place(guest_path(path)))
    for host, guest, libraries in trees:
        archive.tree(host, real_place(guest or guest_path(host)), libraries)
    archive.file(BUSYBOX, "usr/bin/busybox")
    applets = subprocess.run([BUSYBOX, "--list"], stdout=subprocess.PIPE, check=True).stdout.decode()
    for applet in applets.split():
        archive.link("usr/bin/" + applet, "busybox")
    archive.data(GUEST_HOME + "/.command", command.encode() + b"\n")
    return archive.bytes()


def real_place(guest):
    """/bin/x lies at /usr/bin/x: the archive cannot write through its own links."""
    return re.sub(r"^/(bin|sbin|lib|lib64)(?=/|$)", r"/usr/\1", guest)
