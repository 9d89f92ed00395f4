#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What of this machine the figures depend on, as JSON: kernel, BPF, NVIDIA's driver, its libraries and how calls begin.

usage: env.py      reads only; needs no GPU, and says null for what is not here
"""
import ctypes
import glob
import json
import os
import platform
import re
import subprocess
import sys

KERNEL_OPTIONS = ("KPROBES", "UPROBES", "BPF_SYSCALL", "DEBUG_INFO_BTF", "DEBUG_INFO_BTF_MODULES", "FTRACE_SYSCALLS",
                  "MODULES")
SYS_BPF = {"x86_64": 321, "aarch64": 280}
BPF_MAP_TYPE_ARRAY = 2
DRIVER_CALLS = ("cuLaunchKernel", "cuLaunchKernelEx", "cuLaunchCooperativeKernel", "cuGraphLaunch", "cuStreamSynchronize",
                "cuEventSynchronize", "cuCtxSynchronize", "cuMemAlloc_v2", "cuMemFree_v2", "cuMemCreate", "cuMemAllocAsync",
                "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2")
PROLOGUE = 24  # bytes: of 535 and 550, the whole of a call's entry
PER_THREAD_STREAM = 2  # CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM; 1 is the legacy one
# Where a torch, a CUDA toolkit or a distribution keeps it; the newest is taken.
CUPTI_PLACES = ("nvidia/cu*/lib", "nvidia/cuda_cupti/lib", "/usr/local/cuda*/extras/CUPTI/lib64", "/usr/local/cuda*/lib64",
                "/usr/lib/*-linux-gnu", "/usr/lib64")


def read(path):
    try:
        with open(path, errors="replace") as f:
            return f.read().strip()
    except OSError:
        return None


def output(*command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60)
        return done.stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return None


def kernel():
    release = os.uname().release
    config = output("zcat", "/proc/config.gz") or read(f"/boot/config-{release}") or ""
    chosen = dict(re.findall(r"^CONFIG_(\w+)=(\w)$", config, re.M))
    return {"release": release, "machine": os.uname().machine, "cpus": os.cpu_count(),
            "config": {name: chosen.get(name) for name in KERNEL_OPTIONS} if config else None,
            "lockdown": read("/sys/kernel/security/lockdown"),
            "btf": sorted(n for n in os.listdir("/sys/kernel/btf") if re.match("vmlinux|nvidia", n))
            if os.path.isdir("/sys/kernel/btf") else [],
            "bpf": bpf_error()}


def bpf_error():
    """What the kernel answers to the making of a map: "ok", or the error's name."""
    number = SYS_BPF.get(os.uname().machine)
    if number is None:
        return "unknown machine"
    libc = ctypes.CDLL(None, use_errno=True)
    attributes = (ctypes.c_uint32 * 32)(BPF_MAP_TYPE_ARRAY, 4, 8, 1)
    fd = libc.syscall(ctypes.c_long(number), ctypes.c_long(0), attributes, ctypes.c_long(128))
    if fd < 0:
        return os.strerror(ctypes.get_errno())
    os.close(fd)
    return "ok"


def driver():
    symbols = re.findall(r" (nvidia_unlocked_ioctl|nvidia_ioctl|uvm_unlocked_ioctl_entry|uvm_ioctl|rm_ioctl)\b",
                         read("/proc/kallsyms") or "")
    return {"version": (read("/proc/driver/nvidia/version") or "").partition("\n")[0] or None,
            "open": "Open Kernel Module" in (read("/proc/driver/nvidia/version") or ""),
            "devices": re.findall(r"^\s*(\d+) (nvidia\S*)$", read("/proc/devices") or "", re.M),
            "symbols": sorted(set(symbols)),
            "gpus": [line for line in (output("nvidia-smi", "-L") or "").splitlines() if line]}


def entry(library, name):
    """The first bytes of an exported call, and whether cuGetProcAddress() leads to the same place."""
    try:
        address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
    except AttributeError:
        return None
    same = None
    if hasattr(library, "cuGetProcAddress_v2"):
        found, status = ctypes.c_void_p(), ctypes.c_int()
        flags = PER_THREAD_STREAM if name.endswith("_ptsz") else 1
        base = re.sub(r"(_v2)?(_ptsz)?$", "", name).encode()
        if library.cuGetProcAddress_v2(base, ctypes.byref(found), 12000, ctypes.c_uint64(flags), ctypes.byref(status)) == 0:
            same = found.value == address
    return {"bytes": ctypes.string_at(address, PROLOGUE).hex(" "), "same_as_cuGetProcAddress": same}


def libcuda():
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError as why:
        return {"absent": str(why)}
    version = ctypes.c_int()
    result = library.cuInit(0)
    library.cuDriverGetVersion(ctypes.byref(version))
    names = [name + suffix for name in DRIVER_CALLS for suffix in ("", "_ptsz")]
    return {"cuInit": result, "cuda": version.value,
            "entries": {name: made for name in names if (made := entry(library, name))}}


def libcupti():
    """The path of the newest libcupti; None: the loader must know one, or there is none."""
    if os.environ.get("TOKSCOPE_CUPTI_LIBRARY"):
        return os.environ["TOKSCOPE_CUPTI_LIBRARY"]
    found = []
    for place in CUPTI_PLACES:
        roots = [""] if place.startswith("/") else [p for p in sys.path if p]
        for root in roots:
            found += glob.glob(os.path.join(root, place, "libcupti.so.*"))
    return max(found, key=version_of, default=None)


def version_of(path):
    return [int(n) for n in re.findall(r"\d+", os.path.basename(path))]


def torch_version():
    return output(sys.executable, "-c", "import torch; print(torch.__version__, torch.version.cuda)") or None


def facts():
    return {"kernel": kernel(), "python": platform.python_version(), "libc": platform.libc_ver()[1], "driver": driver(),
            "libcuda": libcuda(), "libcupti": libcupti(), "torch": torch_version()}


if __name__ == "__main__":
    print(json.dumps(facts(), indent=1))
