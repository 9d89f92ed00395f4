#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The reader of dumps, on bytes that are known, and on what was recorded on a GPU once (tests/gpu/fixtures/*.bin)."""
import glob
import json
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "e2e")]
import dump  # noqa: E402
import harness as h  # noqa: E402
from harness import equal  # noqa: E402

KERNEL, GRAPH, LAUNCH, SYNCHRONIZATION = 10, 51, 4, 38
STRIDES = {KERNEL: 216, GRAPH: 56, LAUNCH: 40, SYNCHRONIZATION: 56}


def chunk(kind, content, offset=0):
    return dump.CHUNK.pack(dump.MAGIC, kind, 130001, len(content), offset) + content


def record(kind, start=0, end=0, name=0):
    out = bytearray(STRIDES[kind])
    struct.pack_into("<I", out, 0, kind)
    struct.pack_into("<QQ", out, 16 if kind == KERNEL else 8, start, end)
    if kind == KERNEL:
        struct.pack_into("<Q", out, dump.KERNEL_NAME, name)
    return bytes(out)


def strides(*kinds):
    return b"".join(chunk(dump.STRIDE, struct.pack("<II", kind, STRIDES[kind])) for kind in kinds)


def example():
    first = record(KERNEL, 1000, 1500, 1) + record(LAUNCH, 900, 950) + record(KERNEL, 2000, 2500, 2)
    second = record(GRAPH, 3000, 3600) + record(SYNCHRONIZATION, 1, 2) + record(GRAPH, 0, 0) + record(GRAPH, 9, 8)
    return (strides(KERNEL, LAUNCH) + chunk(dump.NAME, b"gemm") + chunk(dump.NAME, b"norm") + chunk(dump.BUFFER, first, 100) +
            strides(GRAPH, SYNCHRONIZATION) + chunk(dump.BUFFER, second, -100))


def summary(data, steps=None):
    with h.temporary_folder() as folder:
        path = os.path.join(folder, "dump")
        with open(path, "wb") as f:
            f.write(data)
        return dump.summary(path, steps)


def test_records():
    equal(list(dump.records(example())),
          [("kernel", 1100, 1600, "gemm"), ("launch", 1000, 1050, None), ("kernel", 2100, 2600, "norm"),
           ("graph", 2900, 3500, None), ("unknown", 0, 0, None), ("graph", 0, 0, None), ("graph", -91, -92, None)])


def test_summary():
    equal(summary(example()),
          {"kinds": {"kernel": {"count": 2, "ns": 1000}, "launch": {"count": 1, "ns": 50}, "graph": {"count": 3, "ns": 600},
                     "unknown": {"count": 1, "ns": 0}}, "invalid": 2, "first_invalid": 5, "names": ["gemm", "norm"]})


def test_last_graphs_and_their_steps():
    graphs = b"".join(record(GRAPH, start, start + 50) for start in (300, 100, 200))
    data = strides(GRAPH) + chunk(dump.BUFFER, graphs)
    for steps, outside in (([(195, 255), (300, 350)], 0), ([(205, 255), (300, 350)], 5), ([(195, 255), (300, 340)], 10)):
        made = summary(data, steps)
        equal((made["last_graphs_ns"], made["outside_ns"]), (100, outside))
    equal(summary(data, [(0, 1000)] * 4)["outside_ns"], None)


def test_what_is_cut_off():
    whole = list(dump.records(example()))
    equal(list(dump.records(example()[:-1])), whole[:3])
    data = strides(KERNEL) + chunk(dump.BUFFER, record(KERNEL, 1, 2) + record(KERNEL, 3, 4)[:100])
    equal([r[0] for r in dump.records(data)], ["kernel", "unknown"])


def test_what_is_no_dump():
    try:
        list(dump.records(b"x" * 100))
    except ValueError as why:
        equal(str(why), "no chunk of a dump at byte 0")
    else:
        raise AssertionError("read it")


def test_head():
    with h.temporary_folder() as folder:
        path = os.path.join(folder, "dump")
        with open(path, "wb") as f:
            f.write(example())
        equal(dump.head(path, 1 << 20), example())
        for limit in (500, 700):
            part = dump.head(path, limit)
            assert len(part) <= limit, len(part)
            equal(list(dump.records(part))[:1], [("kernel", 1100, 1600, "gemm")])


def test_fixtures():
    """Of one run each: node-level kernels of the workload, recorded on a GPU."""
    found = sorted(glob.glob(os.path.join(HERE, "fixtures", "*.bin")))
    if not found:
        raise h.Skip("nothing was recorded on a GPU yet (tests/gpu/fixtures/)")
    for path in found:
        with open(path, "rb") as f, open(path[:-len("bin")] + "json") as provenance:
            data, said = f.read(), json.load(provenance)
        assert len(data) <= 64 << 10 and said["driver"] and said["gpus"], path
        records = list(dump.records(data))
        kernels = [r for r in records if r[0] == "kernel"]
        assert len(kernels) >= 100, (path, len(kernels))
        equal({r[3] for r in kernels}, {"tokscope_decode"}, path)
        assert all(0 < start <= end for _, start, end, _ in kernels), path
        assert all(r[0] != "unknown" for r in records[:-1]), path  # the last one may have been cut
        print(f"# {os.path.basename(path)}: {len(kernels)} kernels of {len(records)} records, {said['driver']}")


h.main(__name__)
