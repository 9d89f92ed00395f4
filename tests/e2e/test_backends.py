#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The same requests give the same records, whichever backend reads them and on whichever kernel.

Every backend that the kernel has is compared with tests/e2e/backends.json, natively and in the guests of tests/vm/matrix.
`tests/e2e/test_backends.py --write` makes that file anew: read its diff, it is what the test believes.
"""
import contextlib
import json
import os
import socket
import struct
import sys

import harness as h
from harness import equal

EXPECTED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "backends.json")
TOKENS = 12
ALL = ("fentry", "kprobe", "sock", "syscall")
KERNEL_FUNCTIONS = ("fentry", "kprobe")
# What a run or a machine may change: when, who and where; what only some backends can know of a socket.
DROPPED = ("time", "pid", "address", "port", "container_id", "pod_uid", "net", "gpu_s", "gpu_source")
# The reset of a client that leaves reaches the server well before it writes again.
ABORT_INTERVAL_US = int(100000 * h.PATIENCE)


# ---------------------------------------------------------------- the requests

def ask(server, name, piece=None, **body):
    h.exchange(server, h.chat(TOKENS, request_id=name, **body), piece)


def keep_alive(server, name):
    """Streamed and plain ones in turn, and what is no inference request between them."""
    with h.connect(server) as s:
        stream = s.makefile("rb")
        for i in range(3):
            s.sendall(h.chat(TOKENS + i, stream=i % 2 == 0, close=False, request_id=f"{name} {i}"))
            h.read_answer(stream)
            s.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            h.read_answer(stream)


def leave(server, name):
    """Reads three content events and resets the connection."""
    with h.connect(server) as s:
        s.sendall(h.chat(TOKENS, request_id=name))
        with s.makefile("rb") as stream:
            for _ in range(3):
                h.read_until(stream, b'"content":"')
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def read_to_end(server, name):
    with h.connect(server) as s:
        s.sendall(h.chat(TOKENS, request_id=name))
        while s.recv(4096):
            pass


# name: (backends that read the payload, the server's options, what the client does, its arguments)
SCENES = {
    "plain": (ALL, ["--usage"], ask, {"stream": False}),
    "streamed": (ALL, ["--usage"], ask, {}),
    "without usage": (ALL, [], ask, {}),
    "sent in pieces": (ALL, ["--usage"], ask, {"piece": 1}),
    "keep-alive": (ALL, ["--usage"], keep_alive, {}),
    "aborted": (ALL, ["--interval-us", str(ABORT_INTERVAL_US)], leave, {}),
    "error event": (ALL, ["--error-after", "5"], ask, {}),
    "server closes": (ALL, ["--die-after", "5"], read_to_end, {}),
    "ends by close": (ALL, ["--close-delimited"], ask, {}),
    "one-byte writes": (ALL, ["--io", "send1"], ask, {}),
    "write": (ALL, ["--io", "write"], ask, {}),
    "writev": (ALL, ["--io", "writev"], ask, {}),
    "sendmsg": (ALL, ["--io", "sendmsg"], ask, {}),
    "events in one write": (ALL, ["--batch", "5", "--pad", "380"], ask, {}),
    "forked worker": (ALL, ["--fork"], ask, {}),
    "unix socket": (ALL, ["--usage", "--unix"], ask, {}),
    "io_uring": (KERNEL_FUNCTIONS, ["--io", "iouring", "--usage"], ask, {}),
}


# ---------------------------------------------------------------- their records

def start(options, folder, name):
    """--unix, which the server wants a path with, is replaced by one of its own."""
    unix = os.path.join(folder, name.replace(" ", "-")) if "--unix" in options else None
    return h.stream_server(*[o for o in options if o != "--unix"], unix=unix)


def comparable(record):
    """Without what may differ; of times only whether they are known."""
    def known(key, value):
        if isinstance(value, dict):
            return {k: v if k == "count" else known("_s", v) for k, v in value.items()}
        return "known" if key.endswith("_s") and value is not None else value
    return {k: known(k, v) for k, v in record.items() if k not in DROPPED}


def lost_events(agent, backend):
    """How many calls went unseen because a program was preempted (bpf/preempt.bpf.h); nothing else may be lost."""
    lost = {labels["stage"]: count for labels, count in agent.settled_scrape().series("tokscope_events_lost_total")
            if count}
    preempted = int(lost.pop("bpf_recursion", 0))
    equal(lost, {}, f"{backend}: lost events")
    return preempted


def records_of(backend):
    """{request id: its record} of all scenes that this backend reads, under one agent; and how many calls went unseen."""
    scenes = {name: scene for name, scene in SCENES.items() if backend in scene[0]}
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(h.temporary_folder())
        servers = {name: stack.enter_context(start(scene[1], folder, name)) for name, scene in scenes.items()}
        pids = [word for server in servers.values() for word in ("--pid", str(server.pid))]
        agent = stack.enter_context(h.Agent(*pids, "--socket-backend", backend))
        for name, (_, _, play, args) in scenes.items():
            play(servers[name], name, **args)
        wanted = len(scenes) + 2  # keep-alive is three
        records = agent.wait_records(wanted)
        lost = lost_events(agent, backend)
        equal(len(agent.records()), wanted, f"{backend}: records")
    return {record["request_id"]: comparable(record) for record in records}, lost


def expected(backend):
    with open(EXPECTED) as f:
        everything = json.load(f)
    left_out = [name for name, scene in SCENES.items() if backend not in scene[0]]
    return {name: record for name, record in everything.items() if name not in left_out}


def check(backend):
    if backend not in h.backends():
        raise h.Skip(f"this kernel has no socket backend {backend}")
    (got, lost), want = records_of(backend), expected(backend)
    equal(sorted(got), sorted(want), backend)
    unknown = [name for name in want if got[name]["outcome"] == "unknown"]
    assert len(unknown) <= lost, f"{backend}: {lost} events lost, outcome unknown of {unknown}"
    for name, record in want.items():
        if name in unknown:
            continue
        differing = {k: (got[name].get(k), record.get(k)) for k in {*got[name], *record}
                     if got[name].get(k) != record.get(k)}
        equal(differing, {}, f"{backend}, request {name!r} (got, want)")


def test_fentry():
    check("fentry")


def test_kprobe():
    check("kprobe")


def test_sock():
    check("sock")


def test_syscall():
    check("syscall")


def write():
    """The fullest set: what a backend of this kernel has not, stays as it is in the file."""
    everything = {}
    if os.path.exists(EXPECTED):
        with open(EXPECTED) as f:
            everything = json.load(f)
    for backend in reversed(h.backends()):
        everything.update(records_of(backend)[0])
    with open(EXPECTED, "w") as f:
        json.dump(everything, f, indent=1, sort_keys=True)
        f.write("\n")


if sys.argv[1:] == ["--write"]:
    write()
else:
    h.main(__name__)
