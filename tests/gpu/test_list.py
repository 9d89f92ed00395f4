#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The acceptance list itself, tried without a GPU: up to the first call of one with the real drivers, and all of it on FAKES
(fake_driver.c, tests/cupti/fake_cupti.c), whose figures say nothing of a GPU. Times are not judged here."""
import functools
import json
import os
import subprocess
import sys
import tarfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
import compare  # noqa: E402
import harness as h  # noqa: E402
from gpu_calls import libcuda  # noqa: E402
from harness import BUILD, equal  # noqa: E402

FAKES = {"LD_LIBRARY_PATH": os.path.join(BUILD, "tests", "gpu", "fakes"), "CUDA_VISIBLE_DEVICES": "0",
         "TOKSCOPE_CUPTI_LIBRARY": os.path.join(BUILD, "tests", "cupti", "fakes", "libcupti.so.13")}
STEPS = 100
MADE = ["env.json", "figures.json", "verdict.tap", "fixture.bin", "fixture.json"]


def run(folder, env):
    """Lines of TAP, and all figures."""
    done = subprocess.run([os.path.join(HERE, "run"), "--steps", str(STEPS)], stdout=subprocess.PIPE, text=True, timeout=600,
                          env={**os.environ, "TOKSCOPE_GPU_OUT": folder, **env})
    with open(os.path.join(folder, "figures.json")) as f:
        return [line for line in done.stdout.splitlines() if not line.startswith("# ")], json.load(f)


def test_the_real_drivers_without_a_gpu():
    for branch in (535, 550):
        with h.temporary_folder() as folder, h.temporary_folder() as libraries:
            os.symlink(libcuda(branch), os.path.join(libraries, "libcuda.so.1"))
            lines, _ = run(folder, {"LD_LIBRARY_PATH": libraries})
            equal(lines[0], "1..11")
            equal(len(lines), 12)
            for line in lines[1:]:
                assert line.startswith("ok ") and line.endswith(
                    "# SKIP no GPU can be used here: cuInit: 100 CUDA_ERROR_NO_DEVICE"), line
            with open(os.path.join(folder, "env.json")) as f:
                entry = json.load(f)["libcuda"]["entries"]["cuGraphLaunch"]
            assert entry["bytes"].startswith("81 3d ") and entry["same_as_cuGetProcAddress"], entry


def test_no_driver():
    with h.temporary_folder() as folder:
        lines, _ = run(folder, {})
        if "libcuda.so.1" not in lines[1]:
            raise h.Skip("this machine has a driver")
        equal(sum("# SKIP no GPU can be used here: libcuda.so.1" in line for line in lines), 11)


@functools.lru_cache(maxsize=None)
def on_fakes():
    """Figures, and the names in the archive."""
    with h.temporary_folder() as folder:
        _, figures = run(folder, FAKES)
        with tarfile.open(os.path.join(folder, "gpu.tgz")) as archive:
            return figures, sorted(archive.getnames())


def verdicts(*criteria):
    return {c.__name__: compare.judge(c, on_fakes()[0])[0] for c in criteria}


def test_the_library_on_fakes():
    figures, archived = on_fakes()
    equal([name for name in figures["failed"] if name not in ("agent", "probes", "ioctl")], [], figures["failed"])
    equal(verdicts(compare.node_level, compare.eager, compare.conflict, compare.processes),
          {"node_level": "pass", "eager": "pass", "conflict": "pass", "processes": "pass"})
    equal(archived, sorted(f"gpu/{name}" for name in MADE))
    equal([r["dump"]["kinds"]["graph"]["count"] for r in figures["graph"]], [STEPS + 20] * 3)
    equal([r["dump"]["last_graphs_ns"] // 1000 >= STEPS * 140 * 5 for r in figures["graph"]], [True] * 3)
    equal(figures["node50"]["dump"]["kinds"]["kernel"], {"count": 70 * 140, "ns": 70 * 140 * 100_000})
    equal(figures["eager"]["dump"]["kinds"]["kernel"], {"count": 25 * 140, "ns": 25 * 140 * 100_000})
    equal(figures["eager"]["dump"]["names"], ["tokscope_decode"])
    equal((figures["conflict_after"]["subscribe"], figures["conflict_before"]["subscribe"]), (39, 0))
    equal(figures["conflict_before"]["dump"]["kinds"], {})
    equal(figures["pool_graph"]["dump"]["kinds"]["graph"]["count"], 3 * STEPS + 20)


def test_the_agent_on_fakes():
    figures, _ = on_fakes()
    if "agent" in figures["missing"]:
        raise h.Skip(figures["missing"]["agent"])
    equal(figures["failed"], {})
    equal(verdicts(compare.agent, compare.probes), {"agent": "pass", "probes": "pass"})
    equal(figures["agent"]["received"], {"kernel": 40 * 140, "graph": STEPS + 20})
    equal((figures["probes"]["graph_launches"], figures["probes"]["kernel_launches"]), (STEPS + 20, 40 * 140))


h.main(__name__)
