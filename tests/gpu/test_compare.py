#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of the acceptance list, on figures that are known: of each criterion what passes, and what just does not."""
import copy
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
import compare  # noqa: E402
import harness as h  # noqa: E402
from harness import equal  # noqa: E402

GIB, MIB = 1 << 30, 1 << 20
FREE = 70 * GIB


def run(**changed):
    """2000 steps of 140 kernels, at 1000 a second."""
    return {"steps": 2000, "warm_up": 20, "kernels": 280_000, "steps_per_s": 1000.0, "p50_us": 1000.0, "p99_us": 1100.0,
            "event_ns": 1_600_000_000.0, "clock_ns": 1_400_000_000, "free_bytes": [FREE, FREE, FREE], **changed}


def dumped(invalid=0, first_invalid=None, outside_ns=0, last_graphs_ns=1_500_000_000, **kinds):
    """kind=(count, ns)"""
    return {"kinds": {kind: {"count": count, "ns": ns} for kind, (count, ns) in kinds.items()}, "invalid": invalid,
            "first_invalid": first_invalid, "names": ["tokscope_decode"], "last_graphs_ns": last_graphs_ns,
            "outside_ns": outside_ns}


def kernels(count=282_800, mean_ns=5000):
    return dumped(kernel=(count, count * mean_ns))


def good():
    traced = run(dump=dumped(graph=(2020, 1)))
    other = {"status": 0, "asked": 200, "steps": 200, "subscribe": 39, "dump": dumped(graph=(220, 1))}
    return {
        "base": [run() for _ in range(3)], "off": [run() for _ in range(3)], "idle": [run()],
        "graph": [copy.deepcopy(traced) for _ in range(3)],
        "node": run(steps_per_s=400.0, dump=kernels()), "node50": run(dump=kernels()),
        "eager_base": run(), "eager": run(dump=kernels()),
        "conflict_after": copy.deepcopy(other), "conflict_before": {**copy.deepcopy(other), "subscribe": 0, "dump": dumped()},
        "pool_node": run(dump=dumped(invalid=5, first_invalid=77, kernel=(100, 1))),
        "pool_graph": run(steps=6000, dump=dumped(graph=(6020, 1))),
        "agent": {"received": {"kernel": 5600, "graph": 2020}, "dumped": {"kernel": 5600, "graph": 2020}, "lost": 0,
                  "late_names": ["tokscope_decode"], "unread_bytes": 28_000, "unread_least": 24_960},
        "probes": {"graph_launches": 2020, "kernel_launches": 5600, "replay": run(p50_us=1007.0),
                   "launch": run(steps=20, kernels=2800), "instruction": "jcc, emulated"},
        "ioctl": {"steps": 2000, "steady": 3, "reserved": GIB, "taken": GIB, "refused_result": 2,
                  "refused": {"NV_ERR_NO_MEMORY": 1}, "left": 0},
        "processes": {"asked": 200, "after_kill": 200, "child": 7, "after_fork": 200, "two": [200, 200]},
    }


def verdicts(figures):
    return [compare.judge(criterion, figures)[0] for criterion in compare.CRITERIA]


def changed(value, *path):
    """The good figures with one changed."""
    figures = good()
    at = figures
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return figures


def all_three(name, key, value):
    figures = good()
    for one in figures[name]:
        one[key] = value
    return figures


def fails_only(number, figures, said):
    got = verdicts(figures)
    equal([n for n, verdict in enumerate(got, 1) if verdict != "pass"], [number], said)
    equal(got[number - 1], "fail", said)
    texts = [c.text for c in compare.judge(compare.CRITERIA[number - 1], figures)[1] if c.ok is False]
    assert any(said in text for text in texts), (said, texts)


def passes(figures):
    equal(verdicts(figures), ["pass"] * 11)


def test_good_figures_pass():
    passes(good())


def test_1_disabled():
    for speed in (990.0, 1010.0):
        passes(all_three("off", "steps_per_s", speed))
    for speed, said in ((989.0, "0.9890"), (1011.0, "1.0110")):
        fails_only(1, all_three("off", "steps_per_s", speed), said)


def test_1_takes_the_median():
    passes(changed(10.0, "off", 0, "steps_per_s"))


def test_2_cost_of_graphs():
    passes(all_three("graph", "steps_per_s", 980.0))
    fails_only(2, all_three("graph", "steps_per_s", 979.0), "0.9790")
    passes(all_three("graph", "p99_us", 1155.0))
    fails_only(2, all_three("graph", "p99_us", 1160.0), "99th percentile")


def test_2_memory_of_graphs():
    passes(all_three("graph", "free_bytes", [FREE - 64 * MIB] * 3))
    fails_only(2, all_three("graph", "free_bytes", [FREE - 65 * MIB] * 3), "GPU memory it takes: 65 MiB")
    passes(all_three("graph", "free_bytes", [FREE, FREE, FREE - 2 * MIB]))
    fails_only(2, changed([FREE, FREE, FREE - 3 * MIB], "graph", 1, "free_bytes"), "grows with steps: 3 MiB")


def test_3_graph_records():
    fails_only(3, changed(2019, "graph", 2, "dump", "kinds", "graph", "count"), "graphs recorded: 2019, expected 2020")
    fails_only(3, changed(1, "graph", 0, "dump", "invalid"), "impossible times: 1")
    for ns in (1_360_000_000, 1_600_000_000):
        passes(changed(ns, "graph", 0, "dump", "last_graphs_ns"))
    for ns, said in ((1_359_000_000, "0.8494"), (1_601_000_000, "1.0006")):
        fails_only(3, changed(ns, "graph", 0, "dump", "last_graphs_ns"), said)
    passes(changed(50_000, "graph", 0, "dump", "outside_ns"))
    fails_only(3, changed(50_001, "graph", 0, "dump", "outside_ns"), "50001 ns")
    fails_only(3, changed(None, "graph", 0, "dump", "outside_ns"), "None ns")


def test_4_and_5_kernels():
    for number, name in ((4, "node50"), (5, "eager")):
        fails_only(number, changed(kernels(count=282_799), name, "dump"), "kernels recorded: 282799, expected 282800")
        for mean in (4750, 5250):
            passes(changed(kernels(mean_ns=mean), name, "dump"))
        for mean, said in ((4749, "0.9498"), (5251, "1.0502")):
            fails_only(number, changed(kernels(mean_ns=mean), name, "dump"), said)
        fails_only(number, changed(2, name, "dump", "invalid"), "impossible times: 2")
        fails_only(number, changed(dumped(), name, "dump"), "kernels recorded: 0")


def test_4_torch():
    torch = {"base": run(), "graph": run(), "kernels": 9000, "kernels_us": 100.0,
             "profiler": {"kernels": 9000, "kernels_us": 104.0}}
    passes({**good(), "torch": torch})
    fails_only(4, {**good(), "torch": {**torch, "kernels": 8999}}, "torch: kernels: 8999")
    fails_only(4, {**good(), "torch": {**torch, "kernels_us": 98.0}}, "0.9423")
    fails_only(4, {**good(), "failed": {"torch": "it broke"}}, "it broke")


def test_6_conflict():
    fails_only(6, changed(-11, "conflict_after", "status"), "exit status: -11")
    fails_only(6, changed(199, "conflict_before", "steps"), "steps done: 199")
    fails_only(6, changed(999, "conflict_after", "subscribe"), "999")


def test_7_pool():
    fails_only(7, changed(5999, "pool_graph", "steps"), "5999, at least 6000")
    fails_only(7, changed(6019, "pool_graph", "dump", "kinds", "graph", "count"), "6019, expected 6020")
    fails_only(7, changed(1, "pool_graph", "dump", "invalid"), "impossible times: 1")


def test_8_agent():
    fails_only(8, changed(2019, "agent", "received", "graph"), "2019")
    fails_only(8, changed(1, "agent", "lost"), "records lost: 1")
    fails_only(8, changed([], "agent", "late_names"), "names")
    fails_only(8, changed(24_959, "agent", "unread_bytes"), "24959 bytes, at least 24960")
    figures = good()
    figures["agent"].update(received={"graph": 0}, dumped={"graph": 0})
    fails_only(8, figures, "records made: 0")


def test_9_probes():
    fails_only(9, changed(2021, "probes", "graph_launches"), "2021, expected 2020")
    fails_only(9, changed(5599, "probes", "kernel_launches"), "5599, expected 5600")
    texts = [c.text for c in compare.judge(compare.probes, good())[1]]
    assert "added to a step of one graph launch, us: 7 (reported)" in texts, texts


def test_10_ioctls():
    passes(changed(10, "ioctl", "steady"))
    fails_only(10, changed(11, "ioctl", "steady"), "ioctls in 2000 steps: 11")
    for reserved in (GIB - 2 * MIB, GIB + 2 * MIB):
        passes(changed(reserved, "ioctl", "reserved"))
    for reserved in (GIB - 2 * MIB - 1, GIB + 2 * MIB + 1, 0):
        fails_only(10, changed(reserved, "ioctl", "reserved"), "1 GiB reserved")
    fails_only(10, changed(0, "ioctl", "refused_result"), "too large")
    fails_only(10, changed({"NV_ERR_INVALID_ARGUMENT": 1}, "ioctl", "refused"), "allocations refused")
    fails_only(10, changed(4096, "ioctl", "left"), "4096")


def test_11_processes():
    for key, value in (("after_kill", 0), ("child", -1), ("after_fork", 199), ("two", [200, 0])):
        fails_only(11, changed(value, "processes", key), "expected")


def test_what_is_missing_is_skipped_by_name():
    figures = good()
    for name in ("graph", "agent"):
        del figures[name]
    figures["missing"] = {"agent": "no BPF here"}
    lines = list(compare.tap(figures))
    equal([line for line in lines if "# SKIP" in line],
          ["ok 2 - graph-level tracing costs at most 2 % # SKIP graph was not run",
           "ok 3 - one record a replay, with true times # SKIP graph was not run",
           "ok 8 - the agent receives every record, and only while it wants them # SKIP no BPF here"])


def test_what_went_wrong_fails():
    figures = good()
    del figures["probes"]
    figures["failed"] = {"probes": "the agent died"}
    fails_only(9, figures, "probes: the agent died")
    fails_only(11, changed({}, "processes"), "not whole")


h.main(__name__)
