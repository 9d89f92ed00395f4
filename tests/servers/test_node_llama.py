#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Older llama.cpp libraries in a real host: node-llama-cpp, which decodes on threads that rotate."""
import os

import real
from real import equal, h

HOST = os.path.join(os.path.dirname(os.path.abspath(__file__)), "node_llama.mjs")
MODEL = os.path.join(real.LLAMA_ROOT, "models", "tiny.gguf")


def agree(scrape, sent):
    """The agent's /metrics after a load."""
    real.metrics_agree(scrape, sent, "llama.cpp")
    # A prompt is one call, each further token one more: the last token of an answer is not put in.
    output = sum(s["output_tokens"] for s in sent)
    equal(real.probed(scrape, "llama.cpp:decode_calls"), float(output))
    equal(scrape.value("tokscope_engine_stage_duration_seconds_count", stage="decode"), float(output))
    equal(scrape.value("tokscope_engine_batch_tokens_sum"),
          float(sum(s["input_tokens"] for s in sent) + output - len(sent)))
    real.probes_lost_nothing(scrape)


def under_load(version):
    h.need_root()
    package = os.path.join(real.fetched("node_llama"), version)
    port = h.free_port()
    with real.RealServer("node_llama", ["node", HOST, package, MODEL, str(port)], port) as server:
        with h.Agent() as agent:
            found = real.one_server(agent, server, "llama.cpp")
            assert found["reason"].startswith("maps libllama."), found
        with real.traced(server, "llama.cpp:llama_decode_start", "llama.cpp:llama_decode") as agent:
            sent = real.load(server, 2, 8, 20)
            records = real.records_agree(agent, sent)
            equal({r["output_tokens"] for r in records}, {20})
            agree(agent.settled_scrape(), sent)


def test_b3889():
    under_load("3.1.1")


def test_b4753():
    under_load("3.6.0")


def test_0_5_0():
    under_load("3.22.1")


h.main(__name__)
