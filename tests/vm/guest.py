# SPDX-License-Identifier: Apache-2.0
"""Boots one of tests/vm/kernels in QEMU (TCG: no KVM is needed) and runs a command in it."""
import collections
import os
import shutil
import subprocess
import sys
import tempfile
import threading

import initramfs
import outcome

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.normpath(os.path.join(HERE, "..", "..", "build", "vm"))
LOGS = os.path.join(BUILD, "log")
QEMU = "qemu-system-x86_64"
LIMIT_S = 300
# One host thread for both CPUs: with two, text patching (each attached kprobe or fentry) now and then hits a running nop
# (outcome.py); not slower on 2 cores.
CPUS = 2
MIB = 1 << 20


class Unavailable(Exception):
    """QEMU or the kernel cannot be had here: a reason to skip, by name."""


Kernel = collections.namedtuple("Kernel", "label suite package cpu nvidia")


def kernels():
    """{label: its line of tests/vm/kernels}, in that order."""
    with open(os.path.join(HERE, "kernels")) as f:
        rows = [Kernel(*line.split()) for line in f if line.strip() and not line.startswith("#")]
    return {row.label: row for row in rows}


def provide(*command):
    """Runs a script that fetches or builds something: one of this folder, or of another by its path."""
    proc = subprocess.run([os.path.join(HERE, command[0]), *command[1:]], stdout=sys.stderr, stderr=subprocess.PIPE)
    if proc.returncode:
        raise Unavailable(proc.stderr.decode().strip().split("\n")[-1])


def kernel_of(label):
    """The path of its vmlinux, fetched when it is not there yet."""
    for tool in (QEMU, initramfs.BUSYBOX):
        if not shutil.which(tool):
            raise Unavailable(f"{tool} is not installed (tools/setup vm)")
    provide("fetch", "kernel", label)
    return os.path.join(BUILD, "kernel", label, "vmlinux")


def memory_mib(image_size):
    """The guest holds the image twice while it unpacks it, into a tmpfs that may fill half the memory."""
    return 640 + 3 * image_size // MIB


def qemu_command(vmlinux, cpu, initrd, console, memory):
    return [
        QEMU, "-accel", "tcg,thread=single", "-cpu", cpu, "-M", "pc", "-m", str(memory), "-smp", str(CPUS),
        "-nodefaults", "-display", "none", "-vga", "none", "-nic", "none", "-no-reboot", "-monitor", "none",
        "-chardev", f"file,id=console,path={console}", "-serial", "chardev:console",
        "-chardev", "stdio,id=output,signal=off", "-serial", "chardev:output",
        "-kernel", vmlinux, "-initrd", initrd,
        # An oops ends the guest: what runs after one proves nothing.
        "-append", "console=ttyS0 panic=-1 oops=panic quiet",
    ]


def run_qemu(command, limit_s, on_line):
    """QEMU's exit status, None at the time limit. on_line gets each line of the guest's output as it comes."""
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as proc:
        late = threading.Event()
        timer = threading.Timer(limit_s, lambda: (late.set(), proc.kill()))
        timer.start()
        try:
            for line in proc.stdout:
                on_line(line)
            proc.wait()
        finally:
            timer.cancel()
            proc.kill()
    return None if late.is_set() else proc.returncode


def boot_once(label, image, on_line, limit_s, memory):
    os.makedirs(LOGS, exist_ok=True)
    console = os.path.join(LOGS, f"{label}.console")
    vmlinux = kernel_of(label)
    with tempfile.NamedTemporaryFile(prefix="initramfs-", dir=BUILD) as initrd:
        initrd.write(image)
        initrd.flush()
        status = run_qemu(qemu_command(vmlinux, kernels()[label].cpu, initrd.name, console,
                                       memory or memory_mib(len(image))), limit_s, on_line)
    with open(console, errors="replace") as f:
        return outcome.judge(status, f.read().replace("\r", ""))


def boot(label, image, on_line, limit_s=LIMIT_S, memory=None, on_retry=lambda why: None):
    """Boots, and once more after a death that is known to be QEMU's own; the first console is then kept as
    LABEL.console.first. Raises Unavailable."""
    end = boot_once(label, image, on_line, limit_s, memory)
    if end.retry:
        console = os.path.join(LOGS, f"{label}.console")
        os.replace(console, console + ".first")
        on_retry(end.why)
        end = boot_once(label, image, on_line, limit_s, memory)
    return end
