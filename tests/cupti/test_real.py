#!/usr/bin/python3 -B
# SPDX-License-Identifier: Apache-2.0
"""The CUPTI library's file, and the library beside NVIDIA's real ones: no GPU is needed. Prints TAP."""
import glob
import json
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from gpu_calls import libcuda  # noqa: E402
from harness import BUILD, ROOT, TOKSCOPE, Skip, equal, main  # noqa: E402

LIBRARY = os.path.join(BUILD, "libtokscope_cupti.so")
REAL = os.path.join(BUILD, "libcupti")
OUT = os.path.join(BUILD, "tests", "cupti")
PROBES = ["activity", "device", "kernel_name", "release", "status", "want_activity"]
# The newest struct of each in a header is what its library writes.
STRUCTS = {"KERNEL": "Kernel", "MEMCPY": "Memcpy", "MEMCPY_PEER": "MemcpyPtoP", "MEMSET": "Memset",
           "GRAPH": "GraphTrace", "OVERHEAD": "Overhead", "SYNCHRONIZATION": "Synchronization"}


def output(*command, **kwargs):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **kwargs)
    if done.returncode:
        raise AssertionError(f"{' '.join(command)}: exit status {done.returncode}\n{done.stdout}")
    return done.stdout


# ---------------------------------------------------------------- the file

def dynamic_symbols():
    for line in output("readelf", "--wide", "--dyn-syms", LIBRARY).splitlines():
        fields = line.split()
        if len(fields) >= 8 and fields[0].rstrip(":").isdigit():
            yield fields[6] == "UND", fields[7]


def test_it_exports_one_symbol():
    equal([name for undefined, name in dynamic_symbols() if not undefined], ["InitializeInjection"])


def test_it_needs_glibc_2_17_at_most():
    versions = {tuple(map(int, v.split("."))) for undefined, name in dynamic_symbols()
                for v in re.findall(r"@GLIBC_([\d.]+)", name)}
    assert versions and max(versions) <= (2, 17), versions


def test_it_needs_no_cuda_and_stays_loaded():
    text = output("readelf", "--wide", "--dynamic", LIBRARY)
    equal(sorted(re.findall(r"NEEDED.*\[(.*)\]", text)), ["libc.so.6", "libdl.so.2", "libpthread.so.0"])
    assert "NODELETE" in text and "TEXTREL" not in text, text


def test_its_probes_are_one_byte_nops_with_arguments_in_registers():
    notes = output("readelf", "--wide", "--notes", LIBRARY)
    equal(sorted(re.findall(r"Name: (\w+)", notes)), PROBES)
    equal(set(re.findall(r"Provider: (\w+)", notes)), {"tokscope"})
    args = {"x86_64": "8@%rdi 8@%rsi 8@%rdx", "aarch64": "8@x0 8@x1 8@x2"}[os.uname().machine]
    equal(set(re.findall(r"Arguments: (.*)", notes)), {args})
    assert not re.search(r"Semaphore: 0x0+$", notes, re.M), notes
    places = [int(a, 16) for a in re.findall(r"Location: 0x([0-9a-f]+)", notes)]
    code = output("objdump", "-d", LIBRARY)
    for place in places:
        assert re.search(rf"^\s*{place:x}:\t(90|d503201f|1f 20 03 d5) *\tnop$", code, re.M), hex(place)


def test_tokscope_resolves_its_probes():
    pack = os.path.join(OUT, "cupti.yaml")
    with open(pack, "w") as f:
        f.write("pack: cupti_probes\nsummary: those of the CUPTI library\nprobes:\n")
        for name in PROBES:
            f.write(f"  - {{name: {name}, library: 'libtokscope_cupti.so', usdt: 'tokscope:{name}', "
                    f"values: {{first: uarg0}}, results: [{{counter: first, name: {name}}}]}}\n")
    sites = json.loads(output(TOKSCOPE, "probe", "check", pack, "--binary", LIBRARY, "--json"))["sites"]
    equal(sorted(s["probe"] for s in sites if s["attaches"]), PROBES)
    equal({(s["instruction"], s["cost"]) for s in sites}, {("nop", "nop")})


# ---------------------------------------------------------------- NVIDIA's own

def real_cuptis():
    subprocess.run([os.path.join(ROOT, "tools", "fetch_cupti"), REAL], stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    found = sorted(glob.glob(os.path.join(REAL, "*.*")))
    if not found:
        raise Skip("no real CUPTI can be had here: tools/fetch_cupti says why")
    return found


def compiler_flags(folder):
    """-I and -D for one version's headers: the newest struct of each."""
    with open(os.path.join(folder, "include", "cupti_activity.h")) as f:
        header = f.read()
    for path in glob.glob(os.path.join(folder, "include", "cupti_activity_deprecated.h")):
        with open(path) as f:
            header += f.read()
    flags = ["-I" + os.path.join(ROOT, "cupti"), "-I" + os.path.join(ROOT, "include"),
             "-isystem", os.path.join(folder, "include")]
    for macro, stem in STRUCTS.items():
        numbers = [int(n or 1) for n in re.findall(rf"^}} CUpti_Activity{stem}(\d*);", header, re.M)]
        assert numbers, stem
        flags.append(f"-D{macro}=CUpti_Activity{stem}{max(numbers) if max(numbers) > 1 else ''}")
    return ["-D_GNU_SOURCE", "-DSYNCHRONIZATION_SIZE=sizeof(SYNCHRONIZATION)", *flags]


def library_in(folder):
    return sorted(glob.glob(os.path.join(folder, "lib", "libcupti.so*")))[0]


def test_records_begin_as_every_real_header_says():
    for folder in real_cuptis():
        output("cc", "-std=gnu11", "-fsyntax-only", *compiler_flags(folder),
               os.path.join(ROOT, "tests", "cupti", "abi_check.c"))
        print(f"# {os.path.basename(folder)}: all offsets and numbers agree")


def test_every_real_iterator_gives_the_records_that_were_made():
    fake = os.path.join(OUT, "fakes", "libcupti.so.13")
    for folder in real_cuptis():
        program = os.path.join(OUT, "oracle_" + os.path.basename(folder))
        output("cc", "-std=gnu11", "-O1", *compiler_flags(folder), "-o", program,
               *(os.path.join(ROOT, path) for path in ("tests/cupti/oracle.c", "cupti/pack.c", "cupti/names.c")))
        libraries = [library_in(folder)] + ([fake] if folder.endswith("/13.0") else [])
        print("# " + output(program, *libraries).strip())


def test_without_a_gpu_a_real_cupti_is_given_up():
    """What the library tells beside each real CUPTI: that it is of no use, and why."""
    for folder in real_cuptis():
        env = dict(os.environ, TOKSCOPE_CUPTI_LIBRARY=library_in(folder))
        told = output(os.path.join(OUT, "told"), env=env).strip()
        assert re.fullmatch(r"CUPTI \d+: state 6, result (15|999)", told), told
        print("# " + told)


def test_the_real_driver_loads_it_and_nothing_changes():
    """Without a GPU, too, cuInit() calls InitializeInjection(); beside each real CUPTI and beside none."""
    program = ("import ctypes, os, sys\n"
               "cuda = ctypes.CDLL(sys.argv[1])\n"
               "count = ctypes.c_int(-1)\n"
               "print(cuda.cuInit(0), cuda.cuDeviceGetCount(ctypes.byref(count)), count.value)\n"
               "print(any(open(f'/proc/self/task/{t}/comm').read() == 'tokscope-cupti\\n'"
               " for t in os.listdir('/proc/self/task')))\n")
    cuptis = [library_in(folder) for folder in real_cuptis()]
    for branch in (535, 550):
        driver = libcuda(branch)
        plain = output(sys.executable, "-c", program, driver).splitlines()
        equal(plain[1], "False", driver)
        for cupti in ["/nonexistent", *cuptis]:
            env = dict(os.environ, CUDA_INJECTION64_PATH=LIBRARY, TOKSCOPE_CUPTI_LIBRARY=cupti)
            equal(output(sys.executable, "-c", program, driver, env=env).splitlines(), [plain[0], "True"], cupti)
        print(f"# {os.path.basename(driver)}: cuInit, cuDeviceGetCount, count = {plain[0]}")


main(__name__)
