#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A small inference server whose GPUs are FAKES (tests/cupti): each token is a graph launch of about 5 ms, and one runs at a
time. Prints a line for each answer: the sum of its launches' durations in ns.

usage: gpu_server.py PORT FAKES [GPU...]      with GPUs: launches are made by a worker process for each, all at once
"""
import ctypes
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time

GRAPH_TRACE = 51  # CUPTI_ACTIVITY_KIND_GRAPH_TRACE


class GraphRecord(ctypes.Structure):
    """CUpti_ActivityGraphTrace"""
    _pack_ = 8
    _fields_ = [("kind", ctypes.c_uint32), ("correlation", ctypes.c_uint32), ("start", ctypes.c_uint64),
                ("end", ctypes.c_uint64), ("device", ctypes.c_uint32), ("graph", ctypes.c_uint32),
                ("context", ctypes.c_uint32), ("stream", ctypes.c_uint32)]


class Gpu:
    def __init__(self, fakes):
        self.cuda = ctypes.CDLL(f"{fakes}/libcuda.so.1", mode=ctypes.RTLD_GLOBAL)
        self.cupti = ctypes.CDLL(f"{fakes}/libcupti.so.13")
        self.cupti.fake_cupti_record.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_bool]
        self.lock = threading.Lock()
        self.correlation = 0
        assert self.cuda.cuInit(0) == 0

    def step(self):
        """One launch; its duration in ns."""
        with self.lock:
            self.correlation += 1
            start = time.clock_gettime_ns(time.CLOCK_REALTIME)
            time.sleep(0.005)
            end = time.clock_gettime_ns(time.CLOCK_REALTIME)
            record = GraphRecord(GRAPH_TRACE, self.correlation, start, end, 0, 1, 1, 1)
            self.cupti.fake_cupti_record(ctypes.byref(record), ctypes.sizeof(record), False)
            return end - start


class Workers:
    """As tensor parallelism has them: the server itself does not use a GPU."""

    def __init__(self, fakes, gpus):
        self.lock = threading.Lock()
        self.processes = [
            subprocess.Popen([sys.executable, "-B", __file__, "worker", fakes], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             text=True, env={**os.environ, "CUDA_VISIBLE_DEVICES": gpu}) for gpu in gpus]

    def step(self):
        with self.lock:
            for p in self.processes:
                print(file=p.stdin, flush=True)
            return sum(int(p.stdout.readline()) for p in self.processes)


def work(gpu):
    """After SIGHUP: executes itself anew once a step is done, and without the library."""
    again = threading.Event()
    signal.signal(signal.SIGHUP, lambda *_: again.set())
    for _ in sys.stdin:
        print(gpu.step(), flush=True)
        if again.is_set():
            del os.environ["CUDA_INJECTION64_PATH"]
            os.execv(sys.executable, [sys.executable, "-B", *sys.argv])


def handler(gpu):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            busy = 0
            for n in range(body["max_tokens"]):
                busy += gpu.step()
                event = {"model": "m", "choices": [{"index": 0, "delta": {"content": f"t{n}"}}]}
                self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())
            self.wfile.write(b"data: [DONE]\n\n")
            self.close_connection = True
            print(busy, flush=True)

        def log_message(self, *_):
            pass

    return Handler


def main():
    port, fakes, *gpus = sys.argv[1:]
    if port == "worker":
        work(Gpu(fakes))
        return
    gpu = Workers(fakes, gpus) if gpus else Gpu(fakes)
    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), handler(gpu)).serve_forever()


main()
