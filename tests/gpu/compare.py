#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The acceptance list for a machine with a GPU: what tests/gpu/run measured, held against 11 criteria.

usage: compare.py build/gpu/figures.json      prints TAP; exit status 1 if one fails

A figure that could not be had skips what needs it, by name. What is `reported` has no limit: the figure is for people.
"""
import collections
import json
import statistics
import sys

MIB = 1 << 20
GIB = 1 << 30
OUTSIDE_NS = 50_000         # how well CUPTI's clock must map to CLOCK_MONOTONIC
ALLOCATION_SLACK = 2 * MIB  # allocations are rounded up to a page of the GPU
FEW_IOCTLS = 10             # of a whole run: timers of the driver
NO_MEMORY = "NV_ERR_NO_MEMORY"  # in the struct of an ioctl that itself returns 0
MULTIPLE_SUBSCRIBERS = 39   # CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED

# ok: True, False, None (reported only).
Check = collections.namedtuple("Check", "ok text")


class Missing(Exception):
    """A figure that was not measured; the text says why."""


class Failed(Exception):
    """What should have measured a figure did not end well; the text says how."""


class Figures:
    """f["name"] of what was measured, or one of the two."""

    def __init__(self, figures):
        self.figures = figures

    def __getitem__(self, name):
        if name in self.figures.get("failed", {}):
            raise Failed(f"{name}: {self.figures['failed'][name]}")
        if name not in self.figures:
            raise Missing(self.figures.get("missing", {}).get(name, f"{name} was not run"))
        return self.figures[name]

    def ran(self, name):
        return name in self.figures or name in self.figures.get("failed", {})


def equal(what, got, want):
    return Check(got == want, f"{what}: {got}, expected {want}")


def at_most(what, got, limit, unit=""):
    return Check(got is not None and got <= limit, f"{what}: {show(got)}{unit}, at most {show(limit)}{unit}")


def between(what, got, low, high):
    return Check(low <= got <= high, f"{what}: {got:.4f}, expected {low} to {high}")


def reported(what, got):
    return Check(None, f"{what}: {show(got)} (reported)")


def show(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def median(runs, name):
    return statistics.median(run[name] for run in runs)


def speed(runs, base):
    return median(runs, "steps_per_s") / median(base, "steps_per_s")


def count(run, kind):
    return run["dump"]["kinds"].get(kind, {"count": 0})["count"]


def all_steps(run):
    return run["steps"] + run["warm_up"]


def all_kernels(run):
    return run["kernels"] // run["steps"] * all_steps(run)


def growth(run):
    """Bytes of GPU memory that the second half of the steps took."""
    _, half, end = run["free_bytes"]
    return half - end


# ---------------------------------------------------------------- the criteria

def disabled(f):
    """the library, disabled, costs nothing"""
    yield between("steps/s, disabled / without", speed(f["off"], f["base"]), 0.99, 1.01)


def graph_cost(f):
    """graph-level tracing costs at most 2 %"""
    base, graph = f["base"], f["graph"]
    yield reported("steps/s, loaded but unwanted / without", speed(f["idle"], base))
    yield Check(speed(graph, base) >= 0.98, f"steps/s, traced / without: {speed(graph, base):.4f}, at least 0.98")
    yield at_most("99th percentile, traced / without", median(graph, "p99_us") / median(base, "p99_us"), 1.05)
    taken = statistics.median(r["free_bytes"][2] for r in base) - statistics.median(r["free_bytes"][2] for r in graph)
    yield at_most("GPU memory it takes", taken / MIB, 64.0, " MiB")
    more = max(map(growth, graph)) - max(0, *map(growth, base))
    yield at_most("GPU memory that grows with steps", more / MIB, 2.0, " MiB")


def graph_records(f):
    """one record a replay, with true times"""
    for run in f["graph"]:
        yield equal("graphs recorded", count(run, "graph"), all_steps(run))
        yield equal("impossible times", run["dump"]["invalid"], 0)
        yield between("time of graphs / of CUDA's events", run["dump"]["last_graphs_ns"] / run["event_ns"], 0.85, 1.0)
        yield at_most("a graph out of its step, at most", run["dump"]["outside_ns"], OUTSIDE_NS, " ns")


def kernels_as_the_gpu_says(run):
    """Count exact; mean time within 5 % of what the GPU's own clock, read in the kernels, says."""
    recorded = run["dump"]["kinds"].get("kernel", {"count": 0, "ns": 0})
    yield equal("kernels recorded", recorded["count"], all_kernels(run))
    yield equal("impossible times", run["dump"]["invalid"], 0)
    mean = recorded["ns"] / recorded["count"] if recorded["count"] else 0.0
    yield between("mean time of a kernel / by the GPU's clock", mean / (run["clock_ns"] / run["kernels"]), 0.95, 1.05)


def node_level(f):
    """node-level tracing has each kernel of a graph"""
    yield from kernels_as_the_gpu_says(f["node50"])
    yield reported("steps/s, node-level / without", speed([f["node"]], f["base"]))
    if f.ran("torch"):
        yield from as_torch_says(f["torch"])


def as_torch_says(torch):
    """50 steps on torch, against its own profiler."""
    profiler = torch["profiler"]
    yield equal("torch: kernels", torch["kernels"], profiler["kernels"])
    yield between("torch: time of kernels / by its profiler", torch["kernels_us"] / profiler["kernels_us"], 0.95, 1.05)
    yield reported("torch: steps/s, graph-level / without", speed([torch["graph"]], [torch["base"]]))


def eager(f):
    """kernels launched one by one are all recorded"""
    yield from kernels_as_the_gpu_says(f["eager"])
    yield reported("steps/s of launches, traced / without", speed([f["eager"]], [f["eager_base"]]))


def conflict(f):
    """a second subscriber harms nobody"""
    for name in ("conflict_after", "conflict_before"):
        run = f[name]
        yield equal(f"{name}: exit status", run["status"], 0)
        yield equal(f"{name}: steps done", run["steps"], run["asked"])
        yield Check(run["subscribe"] in (0, MULTIPLE_SUBSCRIBERS),
                    f"{name}: CUPTI's answer to the other: {run['subscribe']}, expected 0 or {MULTIPLE_SUBSCRIBERS}")
        yield reported(f"{name}: graphs that the library recorded", count(run, "graph"))


def pool(f):
    """device buffers do not run out"""
    node, graph = f["pool_node"], f["pool_graph"]
    yield reported("node-level: records", sum(k["count"] for k in node["dump"]["kinds"].values()))
    yield reported("node-level: first impossible time at record", node["dump"]["first_invalid"])
    yield reported("node-level: growth of GPU memory, MiB", growth(node) / MIB)
    yield Check(graph["steps"] >= 6000, f"graph-level: replays: {graph['steps']}, at least 6000")
    yield equal("graph-level: graphs recorded", count(graph, "graph"), all_steps(graph))
    yield equal("graph-level: impossible times", graph["dump"]["invalid"], 0)


def agent(f):
    """the agent receives every record, and only while it wants them"""
    a = f["agent"]
    yield equal("records received", a["received"], a["dumped"])
    yield Check(sum(a["dumped"].values()) > 0, f"records made: {sum(a['dumped'].values())}, more than 0")
    yield equal("records lost", a["lost"], 0)
    yield Check("tokscope_decode" in a["late_names"], f"names that a later tracer got: {a['late_names']}")
    yield Check(a["unread_bytes"] >= a["unread_least"],
                f"recycled unread from 1 s after the agent went: {a['unread_bytes']} bytes, at least {a['unread_least']}")


def probes(f):
    """probes on libcuda count every launch"""
    p = f["probes"]
    yield equal("calls of cuGraphLaunch", p["graph_launches"], all_steps(p["replay"]))
    yield equal("calls of cuLaunchKernel", p["kernel_launches"], all_kernels(p["launch"]))
    yield reported("added to a step of one graph launch, us", p["replay"]["p50_us"] - median(f["base"], "p50_us"))
    yield reported("instruction at cuGraphLaunch", p["instruction"])


def ioctls(f):
    """ioctls tell memory, and are not on the hot path"""
    i = f["ioctl"]
    yield at_most(f"ioctls in {i['steps']} steps", i["steady"], FEW_IOCTLS)
    yield at_most("1 GiB reserved, off by", abs(i["reserved"] - GIB), ALLOCATION_SLACK, " bytes")
    yield reported("the same by cuMemGetInfo, bytes", i["taken"])
    yield Check(i["refused_result"] != 0, f"result of an allocation that is too large: {i['refused_result']}, not 0")
    yield Check(i["refused"].get(NO_MEMORY, 0) >= 1, f"allocations refused: {i['refused']}, at least 1 {NO_MEMORY}")
    yield equal("bytes reserved when the process has ended", i["left"], 0)


def processes(f):
    """kill -9, fork and a second process"""
    p = f["processes"]
    yield equal("steps of a process after one was killed", p["after_kill"], p["asked"])
    yield equal("exit status of a forked child", p["child"], 7)
    yield equal("steps of its parent", p["after_fork"], p["asked"])
    yield equal("steps of two processes at once", p["two"], [p["asked"]] * 2)


CRITERIA = (disabled, graph_cost, graph_records, node_level, eager, conflict, pool, agent, probes, ioctls, processes)


# ---------------------------------------------------------------- the verdicts

def judge(criterion, figures):
    """("pass", "fail" or "skip", checks made)"""
    checks = []
    try:
        checks.extend(criterion(Figures(figures)))
    except Missing as why:
        return "skip", [Check(None, str(why))]
    except Failed as how:
        return "fail", [Check(False, str(how))]
    except (KeyError, TypeError, ZeroDivisionError) as wrong:
        return "fail", [Check(False, f"the figures are not whole: {wrong!r}")]
    return ("fail" if any(c.ok is False for c in checks) else "pass"), checks


def tap(figures):
    """Lines of TAP, one test a criterion."""
    yield f"1..{len(CRITERIA)}"
    for number, criterion in enumerate(CRITERIA, 1):
        verdict, checks = judge(criterion, figures)
        line = f"{'not ok' if verdict == 'fail' else 'ok'} {number} - {criterion.__doc__}"
        yield f"{line} # SKIP {checks[0].text}" if verdict == "skip" else line
        if verdict != "skip":
            yield from (f"#   {'FAIL ' if c.ok is False else ''}{c.text}" for c in checks)


def main():
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        print(__doc__)
        return 0 if sys.argv[1:] in (["-h"], ["--help"]) else 2
    with open(sys.argv[1]) as f:
        lines = list(tap(json.load(f)))
    print("\n".join(lines))
    return int(any(line.startswith("not ok") for line in lines))


if __name__ == "__main__":
    sys.exit(main())
