#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The agent's OTLP push, decoded by Debian's own classes: spans, logs and metrics over HTTP and gRPC, and what a collector
that refuses, stutters or is gone may cost: exactly what the specification allows, and all of it counted."""
import os
import signal
import time

import harness as h
from harness import equal

try:
    from otlp_sink import Sink, attributes, points
except ImportError as e:
    raise SystemExit(f"# skip all: {e.name} is not installed") from e

FAST = {"OTEL_METRIC_EXPORT_INTERVAL": "500", "OTEL_BSP_SCHEDULE_DELAY": "100",
        "OTEL_BLRP_SCHEDULE_DELAY": "100"}
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def environment(sink, protocol="http/protobuf", **more):
    url = sink.grpc_url if protocol == "grpc" else sink.http_url
    if url is None:
        raise h.Skip("python3-grpcio is not installed")
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
    return {**clean, **FAST, "OTEL_EXPORTER_OTLP_ENDPOINT": url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, **more}


def traced(request, flags, trace=TRACE):
    header = f"traceparent: 00-{trace}-{PARENT}-{flags}\r\n".encode()
    return request.replace(b"Host: x\r\n", b"Host: x\r\n" + header)


def ask(server, count=1, flags=None, **chat):
    for _ in range(count):
        request = h.chat(**chat)
        h.exchange(server, traced(request, flags) if flags else request)


def requests(spans):
    """The spans of requests, their phases left out."""
    return [(r, s) for r, s in spans if s["kind"] == "SPAN_KIND_SERVER"]


def by_name(sink, name, newest=True):
    """Data points of one metric in the newest message that was accepted, or in all of them."""
    found = []
    for m in sink.messages("metrics"):
        if not m["accepted"]:
            continue
        here = [(attributes(p), p) for r in m["message"].get("resource_metrics", [])
                for s in r["scope_metrics"] for metric in s["metrics"]
                if metric["name"] == name for p in points(metric)]
        found = here if newest else found + here
    return found


def number(point):
    return int(point["as_int"]) if "as_int" in point else point["as_double"]


def total(sink, name, newest=True, **match):
    return sum(number(p) for a, p in by_name(sink, name, newest)
               if all(a.get(k.replace("__", ".")) == v for k, v in match.items()))


# ---------------------------------------------------------------- spans and logs

def check_spans_and_logs(protocol):
    with Sink() as sink, h.stream_server("--usage") as server, \
            h.Agent("--pid", str(server.pid), env=environment(sink, protocol)) as agent:
        ask(server, 2, flags="01", tokens=5)
        ask(server, 1, flags="00", tokens=4)
        ask(server, 3, tokens=6)
        assert sink.wait(lambda s: len(requests(s.spans())) >= 5 and len(s.log_records()) >= 6, 20)
        records = agent.wait_records(6)
        spans, logs = requests(sink.spans()), sink.log_records()
        equal(len(spans), 5, "spans: the caller's sampled=0 is none")
        equal(len(logs), 6, "log records: one a request")
        equal({m["protocol"] for m in sink.messages()}, {"grpc" if protocol == "grpc" else "http"})
        check_parents(spans)
        equal(sorted(r["span_id"] for r in records), sorted(l["span_id"] for _, l in logs))
        equal({(r["trace_id"], r["span_id"]) for r in records},
              {(l["trace_id"], l["span_id"]) for _, l in logs})
        assert {(s["trace_id"], s["span_id"]) for _, s in spans} <= {
            (r["trace_id"], r["span_id"]) for r in records}
        check_against_records(spans, records)
        equal(agent.stop(), 0)


def check_parents(spans):
    children = [s for _, s in spans if s.get("parent_span_id")]
    equal(len(children), 2)
    for s in children:
        equal((s["trace_id"], s["parent_span_id"]), (TRACE, PARENT))
    equal(len({s["trace_id"] for _, s in spans}), 4, "each root has a trace of its own")
    equal(len({s["span_id"] for _, s in spans}), 5)


def check_against_records(spans, records):
    record = {r["span_id"]: r for r in records}
    for resource, s in spans:
        r, a = record[s["span_id"]], attributes(s)
        equal(resource["service.name"], r["service_name"])
        equal(s["name"], f"{r['operation']} {r['response_model']}")
        equal(a["gen_ai.usage.output_tokens"], r["output_tokens"])
        equal(a["gen_ai.usage.input_tokens"], r["input_tokens"])
        equal(a["http.response.status_code"], 200)
        equal(a["http.route"], "/v1/chat/completions")
        equal(a["server.port"], r["port"])
        took = int(s["end_time_unix_nano"]) - int(s["start_time_unix_nano"])
        assert abs(took / 1e9 - r["duration_s"]) < 2e-6, (took, r["duration_s"])


def test_spans_and_logs_over_http():
    check_spans_and_logs("http/protobuf")


def test_spans_and_logs_over_grpc():
    check_spans_and_logs("grpc")


def test_phases_of_a_real_llama_server():
    with Sink() as sink, h.llama_server() as server, \
            h.Agent("--pid", str(server.pid), env=environment(sink)) as agent:
        agent.wait_server(server.port)
        h.wait_for(lambda: agent.scrape().series("tokscope_probe_attached", probe="llama.cpp/task_posted")
                   or agent.scrape().series("tokscope_probe_attached"), "probes", 20)
        time.sleep(1)
        ask(server, 3, flags="01", tokens=8)
        assert sink.wait(lambda s: len(requests(s.spans())) >= 3, 20)
        for _, parent in requests(sink.spans()):
            children = [s for _, s in sink.spans() if s.get("parent_span_id") == parent["span_id"]]
            names = {s["name"] for s in children}
            assert {"prefill", "decode"} <= names, names
            check_children(parent, children)


def check_children(parent, children):
    start, end = int(parent["start_time_unix_nano"]), int(parent["end_time_unix_nano"])
    inside = [s for s in children if s["name"] != "receive"]
    at = start
    for s in sorted(inside, key=lambda s: int(s["start_time_unix_nano"])):
        equal(s["kind"], "SPAN_KIND_INTERNAL")
        equal(s["trace_id"], parent["trace_id"])
        # Both ends are rounded to a nanosecond from seconds as doubles.
        assert int(s["start_time_unix_nano"]) >= at - 2000, (s, at)
        at = int(s["end_time_unix_nano"])
        assert at <= end + 2000, (s, end)


def test_failures_are_kept_and_ratio_and_rate_hold():
    with Sink() as sink, h.stream_server("--error-after", "2") as server, \
            h.Agent("--pid", str(server.pid), env=environment(sink, OTEL_TRACES_SAMPLER="traceidratio",
                                                              OTEL_TRACES_SAMPLER_ARG="0")) as agent:
        ask(server, 4, flags="00", tokens=5)
        assert sink.wait(lambda s: len(requests(s.spans())) >= 4, 20)
        for _, s in requests(sink.spans()):
            equal(s["status"]["code"], "STATUS_CODE_ERROR")
            equal(attributes(s)["error.type"], "stream_error")
        scrape = agent.settled_scrape()
        equal(scrape.value("tokscope_spans_total", decision="sampled"), 4.0)
    with Sink() as sink, h.stream_server() as server, \
            h.Agent("--pid", str(server.pid), "--traces.ratio", "0", env=environment(sink)) as agent:
        ask(server, 5, tokens=3)
        assert sink.wait(lambda s: len(s.log_records()) >= 5, 20)
        equal(sink.spans(), [])
        assert all(len(l["trace_id"]) == 32 for _, l in sink.log_records())
        equal(agent.settled_scrape().value("tokscope_spans_total", decision="not_sampled"), 5.0)


# ---------------------------------------------------------------- metrics

def check_metrics(protocol, **env):
    with Sink() as sink, h.stream_server("--usage") as server, \
            h.Agent("--pid", str(server.pid), env=environment(sink, protocol, **env)) as agent:
        ask(server, 7, tokens=6)
        agent.wait_records(7)
        scrape = agent.settled_scrape()
        delta = env.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE") == "delta"
        assert sink.wait(lambda s: total(s, "tokscope.requests", newest=not delta, outcome="ok") == 7, 20)
        assert sink.wait(lambda s: total(s, "tokscope.tokens", newest=not delta,
                                         gen_ai__token__type="output") == 42, 20)
        equal(scrape.value("tokscope_tokens_total", gen_ai_token_type="output"), 42.0)
        ttft = [p for _, p in by_name(sink, "gen_ai.server.time_to_first_token", newest=not delta)]
        equal(sum(int(p["count"]) for p in ttft), 7)
        assert abs(sum(p["sum"] for p in ttft) -
                   scrape.value("gen_ai_server_time_to_first_token_seconds_sum")) < 1e-9
        yield sink, scrape, ttft


def test_cumulative_explicit_metrics():
    for protocol in ("http/protobuf", "grpc"):
        for _, scrape, (point,) in check_metrics(protocol):
            at = 0
            for bound, count in zip(point["explicit_bounds"] + [None], point["bucket_counts"]):
                at += int(count)
                le = "+Inf" if bound is None else repr(float(bound))
                equal(float(at), scrape.value("gen_ai_server_time_to_first_token_seconds_bucket", le=le),
                      f"le={le}")


def test_exponential_histograms():
    wanted = {"OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION": "base2_exponential_bucket_histogram"}
    for _, _, (point,) in check_metrics("http/protobuf", **wanted):
        buckets = [int(n) for n in point["positive"]["bucket_counts"]]
        equal(sum(buckets) + int(point.get("zero_count", 0)), 7)
        assert len(buckets) <= 160 and point["scale"] <= 20
        base = 2 ** (2 ** -point["scale"])
        low = base ** int(point["positive"].get("offset", 0))
        assert low <= point["min"] * 1.0001, (low, point["min"])
        assert base ** (int(point["positive"].get("offset", 0)) + len(buckets)) >= point["max"] * 0.9999


def test_delta_loses_nothing_where_the_collector_stutters():
    with Sink(["503", "503", "429:0", "ok"]) as sink, h.stream_server("--usage") as server, \
            h.Agent("--pid", str(server.pid), env=environment(
                sink, OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="delta")) as agent:
        for _ in range(4):
            ask(server, 3, tokens=5)
            time.sleep(0.6)
        agent.wait_records(12)
        assert sink.wait(lambda s: total(s, "tokscope.requests", newest=False) == 12, 40)
        equal(total(sink, "tokscope.tokens", newest=False, gen_ai__token__type="output"), 60)
        assert sink.wait(lambda s: len(requests(s.spans())) == 12, 40)
        assert sink.wait(lambda s: len(s.log_records()) == 12, 40)
        equal(agent.settled_scrape().value("tokscope_export_dropped_total"), None)


def test_what_is_refused_is_counted_and_not_sent_again():
    with Sink(["partial:2", "400", "ok"]) as sink, h.stream_server() as server, \
            h.Agent("--pid", str(server.pid), env=environment(sink, OTEL_METRICS_EXPORTER="none")) as agent:
        for n in range(3):
            ask(server, 2, tokens=3)
            assert sink.wait(lambda s, n=n: len(s.messages("traces")) > n and len(s.messages("logs")) > n, 20)
        scrape = agent.settled_scrape()
        sent = sink.messages("traces")
        refused = sent[1]["items"]
        equal(scrape.value("tokscope_export_dropped_total", signal="traces", reason="rejected"), 2.0)
        equal(scrape.value("tokscope_export_dropped_total", signal="traces", reason="permanent"), float(refused))
        ids = [s["span_id"] for m in sent for r in m["message"]["resource_spans"]
               for scope in r["scope_spans"] for s in scope["spans"]]
        equal(len(ids), len(set(ids)), "nothing was sent twice")
        equal(sink.messages("metrics"), [])


# ---------------------------------------------------------------- collectors that are gone

def test_a_dead_collector_delays_nothing():
    port = h.free_port()
    with h.stream_server() as server, \
            h.Agent("--pid", str(server.pid), env={**os.environ, **FAST, "OTEL_BSP_MAX_QUEUE_SIZE": "20",
                                                   "OTEL_BLRP_MAX_QUEUE_SIZE": "20",
                                                   "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "10",
                                                   "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE": "10",
                                                   "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}"}) as agent:
        ask(server, 100, tokens=2)
        agent.wait_records(100)
        scrape = agent.settled_scrape()
        for name in ("traces", "logs"):
            dropped = scrape.value("tokscope_export_dropped_total", signal=name, reason="queue_full")
            # What is not dropped waits: the queue, and a batch that is being tried. A request here is two spans, one a phase.
            each = 2 if name == "traces" else 1
            assert dropped is not None and 70 * each <= dropped <= 80 * each, (name, dropped)
        begin = time.monotonic()
        equal(agent.stop(), 0)
        assert time.monotonic() - begin < 15, "the agent hangs at its end"
        equal(agent.stderr().count("cannot deliver"), 3, "said once a signal")


def test_a_collector_that_never_answers_does_not_hold_the_agent():
    with Sink(["never"]) as sink, h.stream_server() as server, \
            h.Agent("--pid", str(server.pid), env=environment(sink)) as agent:
        ask(server, 3, tokens=2)
        equal(len(agent.wait_records(3)), 3)
        assert sink.wait(lambda s: s.messages("traces"), 20)
        begin = time.monotonic()
        equal(agent.stop(), 0)
        assert time.monotonic() - begin < 15


def test_the_end_flushes():
    with Sink() as sink, h.stream_server() as server, \
            h.Agent("--pid", str(server.pid), env=environment(
                sink, OTEL_BSP_SCHEDULE_DELAY="60000", OTEL_BLRP_SCHEDULE_DELAY="60000",
                OTEL_METRIC_EXPORT_INTERVAL="60000")) as agent:
        ask(server, 4, tokens=2)
        agent.wait_records(4)
        equal(sink.spans(), [])
        equal(agent.stop(), 0)
        equal(len(requests(sink.spans())), 4)
        equal(len(sink.log_records()), 4)
        equal(total(sink, "tokscope.requests"), 4)


def test_nothing_is_pushed_without_an_endpoint():
    with Sink() as sink, h.stream_server() as server:
        for more in ({}, {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.http_url, "OTEL_SDK_DISABLED": "true"}):
            env = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
            with h.Agent("--pid", str(server.pid), env={**env, **FAST, **more}) as agent:
                ask(server, 1, tokens=2)
                equal(agent.wait_records(1)[0]["trace_id"], None)
        equal(sink.messages(), [])


# ---------------------------------------------------------------- exemplars, reload

def test_exemplars_lead_to_exported_traces():
    with Sink() as sink, h.stream_server() as server, \
            h.Agent("--pid", str(server.pid), env=environment(sink)) as agent:
        ask(server, 3, tokens=3)
        assert sink.wait(lambda s: len(requests(s.spans())) >= 3, 20)
        text = agent.http("/metrics", "Accept: application/openmetrics-text\r\n")[1].decode()
        found = {line.split('trace_id="')[1][:32] for line in text.splitlines() if 'trace_id="' in line}
        assert found and found <= {s["trace_id"] for _, s in sink.spans()}, found


def test_hangup_reads_the_configuration_again():
    with Sink() as sink, Sink() as other, h.stream_server() as server, h.temporary_folder() as folder:
        path = os.path.join(folder, "tokscope.yaml")

        def write(url, ratio):
            with open(path, "w") as f:
                f.write(f"otlp:\n  endpoint: {url}\ntraces:\n  ratio: {ratio}\n")

        write(sink.http_url, 1)
        env = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
        with h.Agent("--pid", str(server.pid), "--config.file", path, env={**env, **FAST}) as agent:
            ask(server, 2, tokens=2)
            assert sink.wait(lambda s: len(requests(s.spans())) == 2 and len(s.log_records()) == 2, 20)
            write(other.http_url, 0)
            os.rename(agent.record_path, agent.record_path + ".1")
            agent.process.send_signal(signal.SIGHUP)
            h.wait_for(lambda: os.path.exists(agent.record_path), "the record file to be opened anew")
            ask(server, 2, tokens=2)
            assert other.wait(lambda s: len(s.log_records()) == 2, 20)
            equal((other.spans(), len(sink.log_records())), ([], 2))
            write("nonsense: [", 0)
            agent.process.send_signal(signal.SIGHUP)
            ask(server, 1, tokens=2)
            assert other.wait(lambda s: len(s.log_records()) == 3, 20), "a wrong file changes nothing"
            h.wait_for(lambda: f"{path}:" in agent.stderr(), "the wrong file to be named")


h.main(__name__)
