# SPDX-License-Identifier: Apache-2.0
"""Runs tests/gpu/workload (and decode.py) as tests/gpu/run needs it: with or without the library, and what it dumped."""
import contextlib
import json
import os
import subprocess
import sys

import dump
import harness as h

HERE = os.path.dirname(os.path.abspath(__file__))
PROGRAM = os.path.join(h.BUILD, "tests", "gpu", "workload")
LIBRARY = os.path.join(h.BUILD, "libtokscope_cupti.so")
EXIT_NO_GPU = 77
LIMIT_S = 300  # of one run
FIXTURE_BYTES = 64 << 10

OFF = {"CUDA_INJECTION64_PATH": LIBRARY, "TOKSCOPE_CUPTI_DISABLE": "1"}


class NoGpu(Exception):
    """The workload cannot run here; the text is the first thing that it needed and did not get."""


def injected(mode, dump_path=None):
    """The environment with which CUDA loads the library."""
    env = {"CUDA_INJECTION64_PATH": LIBRARY, "TOKSCOPE_CUPTI_MODE": mode}
    if dump_path:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(dump_path)
        env["TOKSCOPE_CUPTI_DUMP"] = dump_path
    return env


class Workload:
    """A running workload; `answers` are those that came before it was ready."""

    def __init__(self, *options, env=None):
        self.process = subprocess.Popen([PROGRAM, *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **(env or {})})
        self.answers = []
        while "ready" not in (answer := self.answer()):
            self.answers.append(answer)
        self.ready, self.pid, self.port = answer, answer["pid"], answer["port"]

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"the workload ended with status {self.process.wait(LIMIT_S)}")
        answer = json.loads(line)
        if "skip" in answer:
            self.process.communicate()
            raise NoGpu(answer["skip"])
        if "error" in answer:
            raise AssertionError(f"the workload says: {answer['error']}")
        return answer

    def send(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        self.process.stdin.flush()

    def tell(self, *words):
        self.send(*words)
        return self.answer()

    def end(self):
        """Its exit status."""
        self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def measure(folder, verb, steps, *options, mode=None, env=None, keep=None):
    """The figures of one run of `replay` or `launch`; mode graph or node: with the library, and what it dumped.

    keep: the beginning of the dump goes into this file.
    """
    dump_path, steps_path = os.path.join(folder, "dump"), os.path.join(folder, "steps")
    env = injected(mode, dump_path) if mode else env
    with Workload(*options, env=env) as w:
        made = w.tell(verb, steps, steps_path)
        h.equal(w.end(), 0, "exit status of the workload")
    if mode:
        made["dump"] = dumped(dump_path, read_steps(steps_path) if mode == "graph" and verb == "replay" else None, keep)
    return made


def dumped(path, steps=None, keep=None):
    if not os.path.exists(path):
        raise AssertionError("the library has dumped nothing: it found no libcupti that works (README, docs/gpu.md)")
    if keep:
        with open(keep, "wb") as f:
            f.write(dump.head(path, FIXTURE_BYTES))
    made = dump.summary(path, steps)
    os.unlink(path)
    return made


def read_steps(path):
    with open(path) as f:
        return [tuple(map(int, line.split())) for line in f]


def decode(*options, env=None):
    """The line of decode.py."""
    done = subprocess.run([sys.executable, "-B", os.path.join(HERE, "decode.py"), *options], stdout=subprocess.PIPE,
                          text=True, env={**os.environ, **(env or {})}, timeout=LIMIT_S)
    answer = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
    if done.returncode == EXIT_NO_GPU:
        raise NoGpu(answer["skip"])
    h.equal(done.returncode, 0, "exit status of decode.py")
    return answer
