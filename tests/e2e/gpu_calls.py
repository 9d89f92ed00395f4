# SPDX-License-Identifier: Apache-2.0
"""Programs that call a GPU's libraries, for tests and the bench: the real libcuda 535 and 550, without a GPU."""
import contextlib
import glob
import os
import shutil
import subprocess

import harness as h

PROGRAM = os.path.join(h.BUILD, "tests", "targets", "gpu_calls")
CUDA = os.path.join(h.BUILD, "cuda")


def libcuda(branch):
    """The path of libcuda.so.BRANCH.*; fetched where it is not there yet."""
    pattern = os.path.join(CUDA, "*", "libcuda1/usr/lib/*/nvidia/current", f"libcuda.so.{branch}.*")
    if not glob.glob(pattern):
        subprocess.run([os.path.join(h.ROOT, "tools", "fetch_cuda"), CUDA],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = glob.glob(pattern)
    if not found:
        raise h.Skip(f"libcuda {branch} could not be fetched (tools/fetch_cuda)")
    return found[0]


# A fake: with the real names and nothing behind them. TOKSCOPE_TEST_NCCL=/path/libnccl.so.2 takes a real one.
NCCL = ("ncclAllReduce", "ncclAllGather", "ncclReduceScatter", "ncclReduce", "ncclBroadcast", "ncclAlltoAll", "ncclSend",
        "ncclRecv", "ncclGroupEnd")


@contextlib.contextmanager
def libnccl():
    """The path of a libnccl.so.2."""
    if "TOKSCOPE_TEST_NCCL" in os.environ:
        yield os.environ["TOKSCOPE_TEST_NCCL"]
        return
    if not shutil.which("cc"):
        raise h.Skip("no C compiler for the fake NCCL")
    with h.temporary_folder() as folder:
        library = os.path.join(folder, "libnccl.so.2")
        source = "".join(f"int {name}(void) {{ return 4; }}\n" for name in NCCL)
        subprocess.run(["cc", "-x", "c", "-O0", "-shared", "-fPIC", "-o", library, "-"], input=source, text=True, check=True)
        yield library


class Caller:
    """A process that has the library loaded and calls what it is told to, as often as it is told to."""

    def __init__(self, library):
        if not os.path.exists(PROGRAM):
            raise h.Skip("there is no C compiler")
        self.port = h.free_port()
        self.process = subprocess.Popen([PROGRAM, library, str(self.port)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, bufsize=1)
        h.equal(self.process.stdout.readline(), "ready\n", library)

    @property
    def pid(self):
        return self.process.pid

    def tell(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        return self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
