#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""GPU driver calls without a GPU: a node of /dev/null's numbers stands for a driver's, its major given to the agent.

Its ioctl returns ENOTTY and leaves the struct as it was, so each RM call counts as failed; what a driver answers is for
tests/native/gpu_driver_test.c.
"""
import json
import os
import shutil
import stat
import subprocess
import sys

import harness as h
from harness import equal

# Waits for a line, makes the calls, and waits again: an ended process is no longer traced.
CALLER = r"""
import ctypes, fcntl, struct, sys

def rm(nr, form, *fields):
    arg = struct.pack(form, *fields)
    try:
        fcntl.ioctl(node, 3 << 30 | len(arg) << 16 | ord("F") << 8 | nr, arg)
    except OSError:
        pass

CLIENT, DEVICE, MEMORY = 0xC1D00001, 0x5C000001, 0x5C000002
params = ctypes.create_string_buffer(struct.pack("=64xQ56x", 2 << 20))
node = open(sys.argv[1], "rb", buffering=0)
print("ready", flush=True)
sys.stdin.readline()
rm(0x2B, "=IIIIQQIIII", CLIENT, DEVICE, MEMORY, 0x40, ctypes.addressof(params), 0, 0, 0, 0x51, 0)
rm(0x2B, "=IIIIQII", CLIENT, DEVICE, 3, 0xCB33, 0, 0, 0)
for control in (0x101, 0xD04, 0xD04, 0x1F0, 0x7777):
    rm(0x2A, "=IIIIQII", CLIENT, CLIENT, control, 0, 0, 0, 0)
for _ in range(5):
    rm(0x29, "=IIII", CLIENT, DEVICE, MEMORY, 0)
rm(0x29, "=IIIII", CLIENT, DEVICE, MEMORY, 0, 0)
fcntl.ioctl(node, 0x5421, struct.pack("=I", 0))
print("done", flush=True)
sys.stdin.readline()
"""
# FIONBIO, the last call, is no RM call and succeeds. One RM_FREE has a size that no driver's struct has.
CALLS = {"RM_ALLOC.MEMORY_LOCAL_USER": 1, "RM_ALLOC.CONFIDENTIAL_COMPUTE": 1, "RM_CONTROL.SYSTEM_GET_BUILD_VERSION": 1,
         "RM_CONTROL.CLIENT_SET_INHERITED_SHARE_POLICY": 2, "RM_CONTROL.SYSTEM_GET_FEATURES": 1, "RM_CONTROL": 1,
         "RM_FREE": 6, "OTHER": 1}
FAILED = {command: n for command, n in CALLS.items() if command != "OTHER"}
DURATION, FAILURES = "tokscope_gpu_ioctl_duration_seconds_count", "tokscope_gpu_ioctl_failures_total"


class Caller:
    """The process that calls the driver, on a node of its own."""

    def __init__(self, folder):
        h.need_root()
        node = os.path.join(folder, "nvidiactl")
        try:
            os.mknod(node, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
            os.close(os.open(node, os.O_RDONLY))
        except PermissionError:
            raise h.Skip("no device node can be made and opened here (CAP_MKNOD, nodev)")
        self.process = subprocess.Popen([sys.executable, "-c", CALLER, node], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        h.read_until(self.process.stdout, b"ready")

    def play(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        h.read_until(self.process.stdout, b"done")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.kill()
        self.process.communicate()


def by_command(metrics, name):
    return {l["command"]: int(v) for l, v in metrics.series(name) if v}


def play(*options):
    """A scrape after the calls, and the agent's programs."""
    with h.temporary_folder() as folder, Caller(folder) as caller:
        with h.Agent("--pid", str(caller.process.pid), *options) as agent:
            caller.play()
            return agent.settled_scrape(), agent.stderr()


def test_calls_by_command():
    metrics, stderr = play("--gpu-ioctl", "tracepoint", "--gpu-majors", "nvidia=1")
    equal(by_command(metrics, DURATION), CALLS)
    equal(by_command(metrics, FAILURES), FAILED)
    equal({l["device"] for l, _ in metrics.series(DURATION)}, {"gpu"})
    equal([(l["class"], l["error_type"], v) for l, v in metrics.series("tokscope_gpu_allocation_failures_total") if v],
          [("MEMORY_LOCAL_USER", "ENOTTY", 1)])
    equal(metrics.value("tokscope_gpu_memory_reserved_bytes") or 0, 0)
    equal(metrics.value("tokscope_events_lost_total", stage="gpu_layout"), 1)
    assert "makes every system call of this machine slower" in stderr, stderr
    for name, seconds in (("sum", 1), ("count", 100)):
        assert 0 < metrics.value(f"tokscope_gpu_ioctl_duration_seconds_{name}") < seconds, name


def test_other_majors_are_not_counted():
    metrics, _ = play("--gpu-ioctl", "tracepoint", "--gpu-majors", "nvidia=195")
    equal(by_command(metrics, DURATION), {})


def test_no_hook_unless_asked():
    if os.path.exists("/sys/module/nvidia"):
        raise h.Skip("a driver is loaded: its hooks are taken by default")
    metrics, stderr = play("--gpu-majors", "nvidia=1")
    equal([n for n, _, _ in metrics.samples if n.startswith("tokscope_gpu_")], [])
    equal([l for _, l, _ in metrics.samples if l.get("program", "").startswith("gpu_")], [])
    assert "GPU driver calls are not traced: no nvidia driver is loaded here" in stderr, stderr


def test_promtool_is_quiet():
    promtool = os.path.join(h.BUILD, "promtool", "usr", "bin", "promtool")
    promtool = promtool if os.path.exists(promtool) else shutil.which("promtool")
    if not promtool:
        raise h.Skip("promtool is not here (tools/setup test)")
    metrics, _ = play("--gpu-ioctl", "tracepoint", "--gpu-majors", "nvidia=1")
    assert metrics.series(DURATION)
    p = subprocess.run([promtool, "check", "metrics"], input=metrics.text.encode(), stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT)
    equal((p.returncode, p.stdout.decode()), (0, ""))


def agent_refuses(*options):
    """stderr of an agent that does not start."""
    h.need_root()
    p = subprocess.run([h.TOKSCOPE, "agent", "--web.listen-address", "127.0.0.1:0", *options], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, timeout=60 * h.PATIENCE)
    assert p.returncode != 0, options
    return p.stderr.decode()


def test_what_cannot_be_hooked_is_explained():
    if os.path.exists("/sys/module/nvidia"):
        raise h.Skip("a driver is loaded: it can be hooked")
    stderr = agent_refuses("--gpu-ioctl", "kprobe")
    assert "GPU driver calls cannot be traced by kprobe: no nvidia driver is loaded here" in stderr, stderr
    assert "load that first, or leave --gpu-ioctl at auto" in stderr, stderr
    assert "socket backend" not in stderr, stderr
    assert "expected nvidia=MAJOR" in agent_refuses("--gpu-ioctl", "tracepoint", "--gpu-majors", "1")


if __name__ == "__main__":
    h.main(__name__)
