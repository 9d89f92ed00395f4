#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The real vLLM on a CPU: API server, EngineCore and worker are processes of their own and talk by ZMQ."""
import os

import real
from real import equal, h

MODEL = "/models/tiny"
ENV = {
    "PYTHONPATH": "/opt", "LD_LIBRARY_PATH": "/usr/lib/python3/dist-packages/torch/lib", "HOME": "/tmp",
    "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "OMP_NUM_THREADS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind",
}


@real.Shared
def server():
    h.need_root()
    site = os.path.join(real.fetched("vllm"), "site")
    root = os.path.join(real.fetched("transformers"), "root")
    port = h.free_port()
    return real.RealServer("vllm", real.in_root(
        root, "/usr/bin/python3", "/opt/bin/vllm", "serve", MODEL, "--host", "127.0.0.1", "--port", str(port),
        "--enforce-eager", "--dtype", "bfloat16", "--max-model-len", "1024", "--gpu-memory-utilization", "0.3",
        opt=site), port, ready="/health", env=ENV, patience=400)


def own_counts():
    """What vLLM itself has counted, by the names of its counters."""
    own = real.metrics_of(server())
    return {name: own.value(f"vllm:{name}") or 0.0
            for name in ("prompt_tokens_total", "generation_tokens_total", "request_success_total",
                         "time_to_first_token_seconds_count", "inter_token_latency_seconds_count")}


def growth(before):
    return {name: value - before[name] for name, value in own_counts().items()}


# In the API server's tokenizers module.
PROBES = ("tokenizers:encode_batch", "tokenizers:stream_step")


def agree(scrape, sent):
    """The agent's /metrics after a load."""
    real.metrics_agree(scrape, sent, "vllm")
    real.probes_lost_nothing(scrape)


def test_its_processes_are_one_server():
    with h.Agent() as agent:
        found = real.one_server(agent, server(), "vllm")
        equal(found["pid"], server().pid)
        titles = [real.title(pid) for pid in server().pids()]
        for process in ("VLLM::EngineCore", "VLLM::Worker"):
            assert process in titles, titles
        assert found["processes"] >= 3, found


def test_load_with_usage():
    with real.traced(server(), *PROBES) as agent:
        before = own_counts()
        sent = real.load(server(), 4, 16, 12, "--include-usage")
        for record in real.records_agree(agent, sent):
            equal((record["response_model"], record["provider"]), (MODEL, "vllm"))
        agree(agent.settled_scrape(), sent)
        own = growth(before)
        equal((own["request_success_total"], own["time_to_first_token_seconds_count"]), (16.0, 16.0))
        equal(own["prompt_tokens_total"], float(sum(s["input_tokens"] for s in sent)))
        equal(own["generation_tokens_total"], float(sum(s["output_tokens"] for s in sent)))
        scrape = agent.scrape()
        # The token that ends an answer is generated, but is no text.
        ended = sum(1 for s in sent if s["finish_reason"] == "stop")
        equal(real.probed(scrape, "tokenizers:stream_steps"), own["generation_tokens_total"] - ended)
        equal(real.probed(scrape, "tokenizers:encoded_tokens"), own["prompt_tokens_total"])
        equal(scrape.value("tokscope_engine_stage_duration_seconds_count", stage="tokenize"), 16.0)


def test_load_without_usage():
    """Events are not tokens, vLLM puts several into one: without usage nobody tells how many there were."""
    with real.traced(server(), *PROBES) as agent:
        before = own_counts()
        sent = real.load(server(), 2, 6, 12)
        records = real.records_agree(agent, sent)
        agree(agent.settled_scrape(), sent)
        assert growth(before)["generation_tokens_total"] >= sum(s["content_events"] for s in sent)
        for record in records:
            equal((record["input_tokens"], record["tpot_s"]), (None, None))
            equal((record["output_tokens"], record["token_source"]), (None, None))


def test_plain_answer_and_completions():
    with real.traced(server()) as agent:
        answer = h.exchange(server(), h.chat(9, stream=False, request_id="plain"))
        record, = agent.wait_records(1, request_id="plain")
        equal((record["outcome"], record["stream"], record["ttft_s"]), ("ok", False, None))
        equal((record["input_tokens"], record["output_tokens"]), answer.usage())
        for route, body in (("/v1/completions", {"prompt": "hello", "max_tokens": 6}),
                            ("/v1/responses", {"input": "hello", "max_output_tokens": 6}),
                            ("/v1/messages", {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 6})):
            answer = h.exchange(server(), h.post(route, {**body, "model": MODEL, "stream": True}))
            record, = agent.wait_records(1, route=route)
            equal((answer.status, record["outcome"], record["stream"]), (200, "ok", True), route)
            equal(record["events"], len(answer.events), route)


def test_two_choices():
    with real.traced(server()) as agent:
        answer = h.exchange(server(), h.chat(8, n=2, stream_options={"include_usage": True}))
        record, = agent.wait_records(1)
        equal((record["outcome"], record["events"], record["content_events"]),
              ("ok", len(answer.events), answer.content_events))
        equal((record["input_tokens"], record["output_tokens"]), answer.usage())
        equal((record["itl_s"]["count"], record["tpot_s"]), (answer.content_events - 2, None))


def test_client_abort():
    with real.traced(server()) as agent:
        real.leave_after(server(), h.chat(900, ignore_eos=True), b'"content":"', 8)
        record, = agent.wait_records(1)
        equal((record["outcome"], record["error_type"]), ("aborted", None))
        h.wait_for(lambda: real.metrics_of(server()).value("vllm:num_requests_running") == 0.0, "vLLM to abort it")


def test_refused():
    with real.traced(server()) as agent:
        answer = h.exchange(server(), h.chat(100000))
        record, = agent.wait_records(1)
        equal((answer.status, record["status"], record["outcome"], record["error_type"]), (400, 400, "error", "400"))


h.main(__name__)
