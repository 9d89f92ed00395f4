# SPDX-License-Identifier: Apache-2.0
"""Reads what TOKSCOPE_CUPTI_DUMP wrote (cupti/dump.h): activity buffers of CUPTI, as they were.

How long a record is, is known to the libcupti that wrote it and to nobody else: the dump says it, as its iterator went.
"""
import struct

CHUNK = struct.Struct("<IIIIq")  # magic, kind, CUPTI's version, size, offset of the clock
MAGIC, BUFFER, NAME, STRIDE = 0x42534B54, 1, 2, 3
# CUPTI's number of a kind, our name for it, where its start is, its end behind it (cupti/cupti_abi.h).
KINDS = {10: ("kernel", 16), 51: ("graph", 8), 1: ("memcpy", 16), 22: ("memcpy", 16), 2: ("memset", 16), 4: ("launch", 8),
         17: ("overhead", 24)}
KERNEL_NAME = 104


def chunks(data):
    """(kind, version, clock offset, bytes) of each whole chunk; what was cut off at the end is left out."""
    at = 0
    while at + CHUNK.size <= len(data):
        magic, kind, version, size, offset = CHUNK.unpack_from(data, at)
        if magic != MAGIC:
            raise ValueError(f"no chunk of a dump at byte {at}")
        at += CHUNK.size
        if at + size > len(data):
            return
        yield kind, version, offset, data[at:at + size]
        at += size


def records(data):
    """(name of the kind, start, end, kernel's name or None) in order; times are CLOCK_MONOTONIC, or 0 as CUPTI had them.

    What is of no known kind comes out as ("unknown", 0, 0, None); of unknown length, it ends its buffer.
    """
    names, stride_of = [None], {}
    for chunk, _, offset, content in chunks(data):
        if chunk == NAME:
            names.append(content.decode(errors="replace"))
        elif chunk == STRIDE:
            stride_of.update([struct.unpack("<II", content)])
        elif chunk == BUFFER:
            yield from buffer_records(content, offset, names, stride_of)


def buffer_records(content, offset, names, stride_of):
    at = 0
    while at + 4 <= len(content):
        kind, = struct.unpack_from("<I", content, at)
        stride = stride_of.get(kind)
        if not stride or at + stride > len(content):
            yield "unknown", 0, 0, None
            return
        yield one_record(kind, content[at:at + stride], offset, names)
        at += stride


def one_record(kind, content, offset, names):
    if kind not in KINDS:
        return "unknown", 0, 0, None
    what, times = KINDS[kind]
    start, end = struct.unpack_from("<QQ", content, times)
    name = None
    if what == "kernel":
        number, = struct.unpack_from("<Q", content, KERNEL_NAME)
        name = names[number] if number < len(names) else None
    return what, start and start + offset, end and end + offset, name


def summary(path, steps=None):
    """What a run's dump says: of each kind its count and nanoseconds, records whose times are impossible, names.

    steps, [(enter, leave)] of CLOCK_MONOTONIC, are those of the last graphs: last_graphs_ns is what these took, outside_ns
    how far one of them lies out of its step, at most.
    """
    with open(path, "rb") as f:
        data = f.read()
    kinds, names, graphs, invalid = {}, set(), [], []
    for index, (what, start, end, name) in enumerate(records(data)):
        of_kind = kinds.setdefault(what, {"count": 0, "ns": 0})
        of_kind["count"] += 1
        if what == "unknown":
            continue
        if not start or end < start:
            invalid.append(index)
            continue
        of_kind["ns"] += end - start
        names.add(name)
        if what == "graph":
            graphs.append((start, end))
    made = {"kinds": kinds, "invalid": len(invalid), "first_invalid": invalid[0] if invalid else None,
            "names": sorted(names - {None})[:20]}
    if steps:
        last = sorted(graphs)[-len(steps):]
        made.update(last_graphs_ns=sum(end - start for start, end in last), outside_ns=outside(last, steps))
    return made


def outside(graphs, steps):
    """How far, at most, one of the graphs begins before its step or ends behind it; None: they are not as many."""
    if len(graphs) != len(steps):
        return None
    return max(max(enter - start, end - leave, 0) for (start, end), (enter, leave) in zip(graphs, steps))


def head(path, limit):
    """The beginning of a dump, of whole chunks and at most so many bytes; the last buffer is cut, maybe within a record."""
    with open(path, "rb") as f:
        data = f.read()
    kept = b""
    for kind, version, offset, content in chunks(data):
        room = limit - len(kept) - CHUNK.size
        if room <= 0 or (kind != BUFFER and len(content) > room):
            break
        content = content[:room]
        kept += CHUNK.pack(MAGIC, kind, version, len(content), offset) + content
    return kept
