#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""NVIDIA's real tritonserver on a CPU: KServe over HTTP, decoupled responses, dynamic batches, its Python backend."""
import concurrent.futures
import os
import shutil

import real
from real import equal, h

TRITON = "/opt/pytriton/tritonserver"
MODELS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "triton_models")
TOKENS, ECHO = "/v2/models/tokens/generate_stream", "/v2/models/echo/"


# In libtritonserver, and in the Python back end.
PROBES = ("triton:request", "triton:execute", "triton:statistics", "triton:response")


@real.Shared
def server():
    h.need_root()
    folder = real.fetched("triton")
    root = os.path.join(folder, "root")
    shutil.copytree(MODELS, os.path.join(root, "models"), dirs_exist_ok=True)
    port, metrics = h.free_port(), h.free_port()
    started = real.RealServer("triton", real.in_root(
        root, TRITON + "/bin/tritonserver", "--model-repository=/models", f"--backend-directory={TRITON}/backends",
        "--disable-auto-complete-config", "--http-address=127.0.0.1", f"--http-port={port}", "--allow-grpc=false",
        "--metrics-address=127.0.0.1", f"--metrics-port={metrics}", opt=os.path.join(folder, "site")),
        port, ready="/v2/health/ready")
    started.metrics_port = metrics
    return started


def own_counts(model):
    """What Triton itself has counted for one model."""
    own = real.metrics_of(server(), port=server().metrics_port)
    return {name: own.value(f"nv_inference_{name}", model=model)
            for name in ("request_success", "exec_count", "count")}


def infer(text):
    return h.post(ECHO + "infer", {"inputs": [
        {"name": "text_input", "shape": [1, 1], "datatype": "BYTES", "data": [text]}]})


def agree(scrape, sent):
    """The agent's /metrics after the streams of sent: one dictionary a request, with its tokens."""
    equal(scrape.value("tokscope_requests_total", tokscope_server="triton", outcome="ok"), float(len(sent)))
    equal(scrape.value("tokscope_requests_total"), float(len(sent)))
    equal(scrape.value("tokscope_stream_events_total"), float(sum(s["tokens"] for s in sent)))
    equal(scrape.value("gen_ai_server_time_to_first_token_seconds_count", gen_ai_response_model="tokens"),
          float(len(sent)))
    equal(scrape.value("tokscope_events_lost_total"), 0.0)
    equal(scrape.value("tokscope_requests_in_flight"), 0.0)
    equal(real.probed(scrape, "triton:requests"), float(len(sent)))
    equal(real.probed(scrape, "triton:responses"), float(sum(s["tokens"] for s in sent)))
    real.probes_lost_nothing(scrape)


def test_its_processes_are_one_server():
    with h.Agent() as agent:
        found = real.one_server(agent, server(), "triton")
        equal(found["pid"], server().pid)
        equal(found["processes"], 3, "tritonserver and a stub for each model")


def test_streams():
    sent = [{"tokens": 3 + i} for i in range(8)]
    with real.traced(server(), *PROBES) as agent:
        before = own_counts("tokens")
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda s: h.exchange(server(), h.post(TOKENS, {
                "text_input": "hello", "max_tokens": s["tokens"]})), sent))
        equal([len(a.events) for a in answers], [s["tokens"] for s in sent])
        records = agent.wait_records(len(sent))
        equal(sorted(r["events"] for r in records), sorted(s["tokens"] for s in sent))
        for r in records:
            equal((r["outcome"], r["stream"], r["route"]), ("ok", True, "/v2/models/{model}/generate_stream"))
            equal((r["content_events"], r["itl_s"]["count"]), (r["events"], r["events"] - 1))
            equal((r["request_model"], r["response_model"], r["input_tokens"]), ("tokens", "tokens", None))
            equal((r["output_tokens"], r["token_source"], r["tpot_s"]), (r["events"], "events", None))
            assert 0 < r["time_to_headers_s"] <= r["ttft_s"] < r["duration_s"], r
        agree(agent.settled_scrape(), sent)
        equal(own_counts("tokens")["request_success"] - before["request_success"], float(len(sent)))


def test_batches():
    """Plain answers of a model with dynamic batching."""
    with real.traced(server(), *PROBES) as agent:
        before = own_counts("echo")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda i: h.exchange(server(), infer(f"text {i}")), range(24)))
        equal({a.status for a in answers}, {200})
        for r in agent.wait_records(24):
            equal((r["operation"], r["outcome"], r["stream"], r["ttft_s"]), ("infer", "ok", False, None))
            equal((r["response_model"], r["output_tokens"], r["token_source"]), ("echo", None, None))
        grown = {name: value - before[name] for name, value in own_counts("echo").items()}
        equal((grown["request_success"], grown["count"]), (24.0, 24.0))
        assert 6 <= grown["exec_count"] < 24, grown
        scrape = agent.settled_scrape()
        equal(scrape.value("tokscope_engine_batch_size_count"), grown["exec_count"])
        equal(scrape.value("tokscope_engine_batch_size_sum"), 24.0)
        # Each request is told with the back end's own times.
        equal(scrape.value("tokscope_probe_duration_seconds_count", probe="triton:compute_infer"), 24.0)
        real.probes_lost_nothing(scrape)


def test_generate():
    with real.traced(server()) as agent:
        answer = h.exchange(server(), h.post(ECHO + "generate", {"text_input": "hello"}))
        record, = agent.wait_records(1)
        equal((answer.status, record["outcome"], record["operation"], record["stream"]),
              (200, "ok", "text_completion", False))


def test_refused():
    with real.traced(server()) as agent:
        for i, (path, body) in enumerate((("/v2/models/none/generate", {"text_input": "x"}),
                                          (ECHO + "generate", {"no_such_input": "x"})), 1):
            answer = h.exchange(server(), h.post(path, body))
            record = agent.wait_records(i)[-1]
            assert answer.status >= 400, answer.head
            equal((record["status"], record["outcome"], record["error_type"], record["response_model"]),
                  (answer.status, "error", str(answer.status), None))


def test_client_abort():
    with real.traced(server()) as agent:
        real.leave_after(server(), h.post(TOKENS, {"text_input": "x", "max_tokens": 2000}), b'"text_output":"', 5)
        record, = agent.wait_records(1)
        equal((record["outcome"], record["error_type"]), ("aborted", None))
        assert record["content_events"] >= 5, record


h.main(__name__)
