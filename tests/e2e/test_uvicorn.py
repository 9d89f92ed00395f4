#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A real uvicorn from Debian's packages: h11 on asyncio (recv, send) and httptools on uvloop (read, write)."""
import importlib.util
import os

import harness as h
from harness import equal

FOLDER = os.path.dirname(os.path.abspath(__file__))


def uvicorn(*args):
    for module in ("uvicorn", "h11", "httptools", "uvloop"):
        if not importlib.util.find_spec(module):
            raise h.Skip(f"python3-{module} is not installed (tools/setup test)")
    port = h.free_port()
    return h.Server(["/usr/bin/python3", "-m", "uvicorn", "--app-dir", FOLDER, "asgi_app:app",
                     "--port", str(port), "--log-level", "error", *args], port=port)


def check(*args):
    h.need_root()
    for backend in h.backends():
        with uvicorn(*args) as server, h.Agent("--port", str(server.port), "--socket-backend",
                                               backend) as agent:
            with h.connect(server) as s:
                stream = s.makefile("rb")
                answers = []
                for i in range(4):
                    s.sendall(h.chat(5 + i, close=False))
                    answers.append(h.read_answer(stream))
            for record, answer in zip(agent.wait_records(4), answers):
                equal((record["outcome"], record["events"], record["content_events"]),
                      ("ok", len(answer.events), answer.content_events), f"{backend} {args}")
                equal((record["input_tokens"], record["output_tokens"]), answer.usage())
                equal((record["response_model"], record["finish_reason"]), ("asgi", "stop"))
                assert record["time_to_headers_s"] < record["ttft_s"], record
            equal(agent.settled_scrape().value("tokscope_events_lost_total"), 0.0)


def test_h11_on_asyncio():
    check("--http", "h11", "--loop", "asyncio")


def test_httptools_on_uvloop():
    check("--http", "httptools", "--loop", "uvloop")


def test_workers_are_one_server():
    h.need_root()
    with uvicorn("--workers", "2") as server, h.Agent("--port", str(server.port)) as agent:
        for i in range(12):
            h.exchange(server, h.chat(3))
        agent.wait_records(12)
        scrape = agent.settled_scrape()
        series = scrape.series("tokscope_requests_total")
        equal((len(series), series[0][1]), (1, 12.0))


h.main(__name__)
