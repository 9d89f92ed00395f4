#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The GPU time of each request, from a server whose GPU and CUPTI are FAKES (tests/cupti), through the real library, real
uprobes and the agent."""
import os
import signal
import subprocess
import sys
import threading

import harness as h
from harness import equal

HERE = os.path.dirname(os.path.abspath(__file__))
FAKES = os.path.join(h.BUILD, "tests", "cupti", "fakes")
LIBRARY = os.path.join(h.BUILD, "libtokscope_cupti.so")


class GpuServer(h.Server):
    def __init__(self, *workers, inject=True):
        if not os.path.exists(LIBRARY):
            raise h.Skip(f"{LIBRARY} is not built")
        port = h.free_port()
        env = {**os.environ, "CUDA_VISIBLE_DEVICES": "0"}
        if inject:
            env["CUDA_INJECTION64_PATH"] = LIBRARY
        self.port, self.unix, self.host = port, None, "127.0.0.1"
        self.process = subprocess.Popen([sys.executable, "-B", os.path.join(HERE, "gpu_server.py"), str(port), FAKES, *workers],
                                        stdout=subprocess.PIPE, env=env)
        h.wait_for(self._accepts, "the server to listen", 30)

    def workers(self):
        with open(f"/proc/{self.pid}/task/{self.pid}/children") as f:
            return [int(pid) for pid in f.read().split()]

    def busy_s(self):
        """GPU seconds of the next answer, as the server knows them."""
        return int(self.process.stdout.readline()) / 1e9


def wait_active(agent, processes=1):
    h.wait_for(lambda: agent.scrape().value("tokscope_gpu_cupti_processes", state="active") == processes,
               f"the library to be active in {processes} processes", 30)


def test_one_after_another():
    with GpuServer() as server, h.Agent("--pid", str(server.pid)) as agent:
        agent.wait_server(server.port)
        wait_active(agent)
        for tokens in (3, 1, 5):
            h.exchange(server, h.chat(tokens))
        records = agent.wait_records(3)
        truth = [server.busy_s() for _ in range(3)]
        for record, busy in zip(records, truth):
            equal(record["gpu_source"], "in_flight", record)
            assert abs(record["gpu_s"] - busy) < 2e-9, (record, busy)
        scrape = agent.settled_scrape()
        assert abs(scrape.value("tokscope_gpu_busy_seconds_total") - sum(truth)) < 1e-6
        equal(scrape.value("tokscope_gpu_graph_duration_seconds_count"), 9.0)


def test_side_by_side():
    with GpuServer() as server, h.Agent("--pid", str(server.pid)) as agent:
        agent.wait_server(server.port)
        wait_active(agent)
        threads = [threading.Thread(target=h.exchange, args=(server, h.chat(20))) for _ in range(3)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        records = agent.wait_records(3)
        truth = sum(server.busy_s() for _ in range(3))
        equal({r["gpu_source"] for r in records}, {"in_flight"})
        # Every launch ran while a request did: what is not shared out is less than a nanosecond a piece.
        assert abs(sum(r["gpu_s"] for r in records) - truth) < 1e-6, (records, truth)


def test_workers_with_a_gpu_each():
    with GpuServer("0", "1") as server, h.Agent("--port", str(server.port)) as agent:
        agent.wait_server(server.port)
        wait_active(agent, 2)
        for tokens in (4, 2):
            h.exchange(server, h.chat(tokens))
        truth = [server.busy_s() for _ in range(2)]
        for record, busy in zip(agent.wait_records(2), truth):
            equal(record["gpu_source"], "in_flight", record)
            assert abs(record["gpu_s"] - busy) < 2e-9, (record, busy)
        scrape = agent.settled_scrape()
        equal(scrape.value("tokscope_server_gpus"), 2)
        busy = scrape.series("tokscope_gpu_busy_seconds_total")
        equal(len({labels["hw_id"] for labels, _ in busy}), 2, busy)
        assert abs(sum(seconds for _, seconds in busy) - sum(truth)) < 1e-6, (busy, truth)


def test_a_worker_that_executes_another_image_while_a_request_runs():
    with GpuServer("0", "1") as server, h.Agent("--port", str(server.port)) as agent:
        agent.wait_server(server.port)
        wait_active(agent, 2)
        os.kill(server.workers()[0], signal.SIGHUP)
        h.exchange(server, h.chat(4))
        record = agent.wait_records(1)[0]
        equal((record["gpu_s"], record["gpu_source"]), (None, None), "what the new image does is not told")


def test_without_the_library_nothing_is_made_up():
    with GpuServer(inject=False) as server, h.Agent("--pid", str(server.pid)) as agent:
        agent.wait_server(server.port)
        h.exchange(server, h.chat(2))
        record = agent.wait_records(1)[0]
        equal((record["gpu_s"], record["gpu_source"]), (None, None))
        equal(agent.scrape().value("tokscope_gpu_busy_seconds_total"), None)


h.main(__name__)
