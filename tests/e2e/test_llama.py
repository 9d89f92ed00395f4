#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The real llama-server, traced: what tokscope says against the client's and the server's own counts."""
import json
import subprocess

import harness as h
from harness import equal

CHAT = "/v1/chat/completions"


def each_backend(check, *server_args):
    """Runs check(agent, server) once per socket backend, server first found at start."""
    h.need_root()
    for backend in h.backends():
        with h.llama_server(*server_args) as server, \
                h.Agent("--socket-backend", backend) as agent:
            agent.wait_server(server.port)
            check(agent, server)
            scrape = agent.settled_scrape()
            equal(scrape.value("tokscope_events_lost_total"), 0.0, f"{backend}: lost events")
            equal(scrape.value("tokscope_requests_in_flight"), 0.0, f"{backend}: in flight at rest")
            equal(scrape.value("tokscope_requests_awaiting_first_token"), 0.0,
                  f"{backend}: awaiting at rest")


def test_plain_answer():
    def check(agent, server):
        answer = h.exchange(server, h.chat(12, stream=False, request_id="plain-1"))
        record, = agent.wait_records(1)
        prompt, completion = answer.usage()
        equal((record["server"], record["operation"], record["route"], record["method"]),
              ("llama.cpp", "chat", CHAT, "POST"))
        equal((record["status"], record["outcome"], record["error_type"], record["leg"]),
              (200, "ok", None, "server"))
        equal((record["input_tokens"], record["output_tokens"], record["token_source"]),
              (prompt, completion, "usage"))
        equal((record["stream"], record["ttft_s"], record["tpot_s"], record["request_id"]),
              (False, None, None, "plain-1"))
        equal((record["address"], record["port"], record["provider"]),
              ("127.0.0.1", server.port, "llama.cpp"))
        assert record["duration_s"] > 0 and record["response_model"], record
    each_backend(check)


def test_stream():
    def check(agent, server):
        answer = h.exchange(server, h.chat(24, request_id="stream-1"))
        record, = agent.wait_records(1)
        equal((record["stream"], record["outcome"], record["finish_reason"]), (True, "ok", "length"))
        equal((record["events"], record["content_events"]),
              (len(answer.events), answer.content_events))
        equal((record["input_tokens"], record["output_tokens"]), answer.usage())
        equal(record["itl_s"]["count"], answer.content_events - 1)
        assert 0 < record["time_to_headers_s"] <= record["ttft_s"] < record["duration_s"], record
        assert record["itl_s"]["min"] <= record["itl_s"]["p50"] <= record["itl_s"]["max"], record
        scrape = agent.settled_scrape()
        for family in ("gen_ai_server_request_duration_seconds",
                       "gen_ai_server_time_to_first_token_seconds",
                       "gen_ai_server_time_per_output_token_seconds"):
            equal(scrape.value(family + "_count", tokscope_server="llama.cpp"), 1.0, family)
        equal(scrape.value("tokscope_inter_token_latency_seconds_count"),
              float(answer.content_events - 1))
        equal(scrape.value("tokscope_requests_total", outcome="ok",
                           http_response_status_code="200"), 1.0)
        equal(scrape.value("tokscope_stream_events_total", kind="content"),
              float(answer.content_events))
        equal(scrape.value("tokscope_stream_events_total"), float(len(answer.events)))
    each_backend(check)


def test_every_streaming_dialect():
    prompt = [{"role": "user", "content": "hello"}]
    requests = {
        "/v1/completions": {"prompt": "hello", "max_tokens": 6},
        "/completion": {"prompt": "hello", "n_predict": 6},
        "/v1/responses": {"input": "hello", "max_output_tokens": 6},
        "/v1/messages": {"messages": prompt, "max_tokens": 6},
    }

    def check(agent, server):
        for route, body in requests.items():
            answer = h.exchange(server, h.post(route, {**body, "stream": True}))
            equal(answer.status, 200, route)
            record, = agent.wait_records(1, route=route)
            equal((record["outcome"], record["stream"], record["output_tokens"]),
                  ("ok", True, 6), route)
            equal(record["events"], len(answer.events), route)
            assert record["content_events"] > 0 and record["input_tokens"] > 0, record
    each_backend(check)


def test_eight_clients_on_four_slots():
    def check(agent, server):
        before = h.llama_metrics(server)
        out = subprocess.run([h.LOADGEN, "--port", str(server.port), "--clients", "8", "--requests",
                              "40", "--max-tokens", "32", "--json", "-"],
                             check=True, stdout=subprocess.PIPE).stdout
        client = {r["request_id"]: r for r in map(json.loads, out.splitlines())}
        equal(len(client), 40)
        records = {r["request_id"]: r for r in agent.wait_records(40)}
        after = h.llama_metrics(server)
        equal(sorted(records), sorted(client))
        for key, seen in client.items():
            for field in ("status", "events", "content_events", "outcome"):
                equal(records[key][field], seen[field], f"{key} {field}")
        scrape = agent.settled_scrape()
        generated = after["tokens_predicted_total"] - before["tokens_predicted_total"]
        equal(scrape.value("tokscope_tokens_total", gen_ai_token_type="output"), generated)
        cached = scrape.value("tokscope_tokens_cached_total") or 0.0
        equal(scrape.value("tokscope_tokens_total", gen_ai_token_type="input") - cached,
              after["prompt_tokens_total"] - before["prompt_tokens_total"])
        equal(scrape.value("tokscope_stream_events_total", kind="content"),
              float(sum(r["content_events"] for r in client.values())))
    each_backend(check)


def test_client_abort():
    def check(agent, server):
        with h.connect(server) as s:
            s.sendall(h.chat(2000, request_id="gone"))
            seen = b""
            while seen.count(b'"content":"') < 5:
                seen += s.recv(4096)
        record, = agent.wait_records(1)
        equal((record["outcome"], record["error_type"], record["status"]), ("aborted", None, 200))
        assert record["content_events"] >= 5, record
        equal(record["wasted_tokens"], record["output_tokens"])
        equal(record["token_source"], "events")
        scrape = agent.settled_scrape()
        equal(scrape.value("tokscope_requests_total", outcome="aborted"), 1.0)
        equal(scrape.value("tokscope_tokens_wasted_total"), float(record["wasted_tokens"]))
        equal(scrape.value("gen_ai_server_time_to_first_token_seconds_count"), None)
    each_backend(check)


def test_bad_request():
    def check(agent, server):
        answer = h.exchange(server, h.post(CHAT, b'{"messages": 7}'))
        record, = agent.wait_records(1)
        equal((record["status"], record["outcome"], record["error_type"]),
              (answer.status, "error", str(answer.status)))
        assert answer.status >= 400
        equal((record["input_tokens"], record["token_source"], record["request_model"]),
              (None, None, None))
    each_backend(check)


def test_request_sent_byte_by_byte():
    def check(agent, server):
        answer = h.exchange(server, h.chat(6, request_id="slow"), piece=1)
        record, = agent.wait_records(1)
        equal((record["outcome"], record["request_id"], record["output_tokens"]), ("ok", "slow", 6))
        equal(record["events"], len(answer.events))
    each_backend(check)


def test_client_name_never_becomes_a_label():
    def check(agent, server):
        planted = 'x"} 1\nplanted_total{a="'
        h.exchange(server, h.chat(4, model=planted))
        h.exchange(server, h.post(CHAT, {"model": "planted-by-a-404", "messages": 7}))
        h.exchange(server, h.chat(4, text='","model":"planted-in-the-prompt","x":"'))
        agent.wait_records(3)
        text = agent.settled_scrape().text
        assert "planted" not in text, [l for l in text.splitlines() if "planted" in l]
    each_backend(check)


def test_not_inference_is_not_a_request():
    def check(agent, server):
        for path in ("/health", "/metrics", "/props", "/v1/models"):
            h.exchange(server, h.get(path))
        h.exchange(server, h.post("/tokenize", {"content": "hello"}))
        h.exchange(server, h.chat(4, stream=False))
        equal(len(agent.wait_records(1)), 1)
    each_backend(check)


def test_server_that_starts_later_and_restarts():
    h.need_root()
    with h.Agent() as agent:
        with h.llama_server() as first:
            agent.wait_server(first.port)
            h.exchange(first, h.chat(4))
            agent.wait_records(1)
            first.stop()
        with h.llama_server(port=first.port) as second:
            alive = h.wait_for(
                lambda: [s for s in agent.servers() if s["alive"] and s["pid"] == second.pid],
                "the restarted server to be found")
            equal((alive[0]["server"], alive[0]["port"]), ("llama.cpp", second.port))
            h.exchange(second, h.chat(5))
            records = agent.wait_records(2)
            equal([r["output_tokens"] for r in records], [4, 5])
            assert records[0]["pid"] != records[1]["pid"]


def test_server_dies_in_mid_stream():
    h.need_root()
    with h.llama_server() as server, h.Agent() as agent:
        agent.wait_server(server.port)
        with h.connect(server) as s:
            s.sendall(h.chat(3000))
            seen = b""
            while seen.count(b'"content":"') < 5:
                seen += s.recv(4096)
            server.process.kill()
            record, = agent.wait_records(1)
        equal((record["outcome"], record["error_type"]), ("error", "server_disconnect"))


def test_attach_in_mid_stream():
    h.need_root()
    with h.llama_server() as server:
        with h.connect(server) as s:
            stream = s.makefile("rb")
            s.sendall(h.chat(1500))
            h.read_until(stream, b'"content":"')
            with h.Agent() as agent:
                agent.wait_server(server.port)
                h.wait_for(lambda: agent.scrape().value("tokscope_streams_unparsed_total",
                                                        reason="mid_stream"),
                           "the stream to be counted as begun before the agent")
                answer = h.exchange(server, h.chat(7, request_id="after"))
                record, = agent.wait_records(1)
                equal((record["request_id"], record["outcome"], record["events"]),
                      ("after", "ok", len(answer.events)))
                scrape = agent.settled_scrape()
                equal(scrape.value("tokscope_streams_unparsed_total"), 1.0)
                equal(scrape.value("tokscope_requests_total"), 1.0)


def test_two_choices():
    """Two choices in one answer: ITL is per choice."""
    def check(agent, server):
        answer = h.exchange(server, h.chat(8, n=2))
        if answer.status != 200:
            raise h.Skip("this llama-server does not do n=2")
        record, = agent.wait_records(1)
        equal((record["outcome"], record["events"]), ("ok", len(answer.events)))
        equal(record["itl_s"]["count"], answer.content_events - 2)
        equal(record["tpot_s"], None)
    each_backend(check)


h.main(__name__)
