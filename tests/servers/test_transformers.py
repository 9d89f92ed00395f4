#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`transformers serve` of Debian's packages: uvicorn on uvloop, a stripped tokenizers module, a static Python 3.14."""
import os

import real
from real import equal, h

MODEL = "/models/tiny"
ENV = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "HOME": "/tmp"}


def serve(*args):
    h.need_root()
    root = os.path.join(real.fetched("transformers"), "root")
    port = h.free_port()
    return real.RealServer("transformers", real.in_root(
        root, "/usr/bin/transformers", "serve", MODEL, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu",
        *args), port, ready="/health", env=ENV)


# In the stripped tokenizers module: found through its method tables.
PROBES = ("tokenizers:encode_batch", "tokenizers:encode_batch_tokens", "tokenizers:stream_step")


def agree(scrape, sent):
    """The agent's /metrics after a load: by the wire, and by the probes in the tokenizer."""
    real.metrics_agree(scrape, sent, "transformers")
    equal(scrape.value("tokscope_probe_hits_total", probe="tokenizers:encode_batch_tokens"), float(len(sent)))
    equal(real.probed(scrape, "tokenizers:encoded_tokens"), float(sum(s["input_tokens"] for s in sent)))
    equal(real.probed(scrape, "tokenizers:stream_steps"), float(sum(s["output_tokens"] for s in sent)))
    equal(scrape.value("tokscope_engine_stage_duration_seconds_count", stage="tokenize"), float(len(sent)))
    real.probes_lost_nothing(scrape)


def under_load(served, clients):
    with real.traced(served, *PROBES) as agent:
        sent = real.load(served, clients, 3 * clients, 12, "--model", MODEL)
        for record in real.records_agree(agent, sent):
            equal((record["output_tokens"], record["token_source"]), (12, "usage"))
            equal(record["response_model"], MODEL + "@main")
        agree(agent.settled_scrape(), sent)


@real.Shared
def server():
    return serve()


def test_one_server():
    with h.Agent() as agent:
        found = real.one_server(agent, server(), "transformers")
        equal(found["pid"], server().pid)


def test_one_at_a_time():
    under_load(server(), clients=2)


def test_continuous_batching():
    with serve("--continuous-batching") as batching:
        under_load(batching, clients=4)


def test_dialects():
    with real.traced(server()) as agent:
        answer = h.exchange(server(), h.chat(9, stream=False, model=MODEL, request_id="plain"))
        record, = agent.wait_records(1, request_id="plain")
        equal((record["outcome"], record["stream"], record["ttft_s"]), ("ok", False, None))
        equal((record["input_tokens"], record["output_tokens"]), answer.usage())
        for route, body in (("/v1/completions", {"prompt": "hello", "max_tokens": 6}),
                            ("/v1/responses", {"input": "hello", "max_output_tokens": 6})):
            answer = h.exchange(server(), h.post(route, {**body, "model": MODEL, "stream": True}))
            record, = agent.wait_records(1, route=route)
            equal((answer.status, record["outcome"], record["output_tokens"]), (200, "ok", 6), route)
            equal((record["events"], record["stream"]), (len(answer.events), True), route)
            assert record["content_events"] > 0 and record["ttft_s"] > record["time_to_headers_s"], record


def test_client_abort():
    with real.traced(server()) as agent:
        real.leave_after(server(), h.chat(1000, model=MODEL, request_id="gone"), b'"content":"', 5)
        record, = agent.wait_records(1)
        equal((record["outcome"], record["error_type"], record["token_source"]), ("aborted", None, "events"))
        assert record["content_events"] >= 5 and record["wasted_tokens"] == record["output_tokens"], record


h.main(__name__)
