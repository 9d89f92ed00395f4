#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Jaeger shows a request's trace: the server's span under its caller's, the phases under the server's."""
import contextlib

import backend as b
import harness as h
from backend import equal

CONFIG = """\
service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces: {{receivers: [otlp], exporters: [jaeger_storage_exporter]}}
  telemetry: {{metrics: {{level: none}}}}
extensions:
  jaeger_storage: {{backends: {{kept: {{memory: {{max_traces: 1000}}}}}}}}
  jaeger_query:
    storage: {{traces: kept}}
    http: {{endpoint: "127.0.0.1:{http}"}}
    grpc: {{endpoint: "127.0.0.1:{grpc}"}}
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{otlp}"}}}}}}
exporters:
  jaeger_storage_exporter: {{trace_storage: kept}}
"""


@contextlib.contextmanager
def pushed():
    """Jaeger, and a load on a server whose requests have phases."""
    ports = {name: h.free_port() for name in ("http", "grpc", "otlp")}
    with h.temporary_folder() as folder, \
            b.Backend("jaeger", "--config", f"file:{b.config_file(folder, CONFIG.format(**ports))}",
                      port=ports["http"], ready="/api/services") as jaeger, \
            b.load(h.llama_server(), OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"http://127.0.0.1:{ports['otlp']}",
                   OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="grpc") as load:
        yield jaeger, load


def trace(jaeger, trace_id):
    """The one trace of this id once it has come: its spans and its processes."""
    found = h.wait_for(lambda: jaeger.json(f"/api/traces/{trace_id}"), f"trace {trace_id} in Jaeger", 15)["data"]
    equal([t["traceID"] for t in found], [trace_id])
    return found[0]["spans"], found[0]["processes"]


def tags(where):
    return {t["key"]: t["value"] for t in where["tags"]}


def parents(span):
    return [(r["refType"], r["traceID"], r["spanID"]) for r in span["references"]]


def test_a_sampled_request_and_no_other():
    with pushed() as (jaeger, load):
        for sent in (s for s in load.sent if s.sampled):
            record, = (r for r in load.records if r["request_id"] == sent.request_id)
            spans, processes = trace(jaeger, sent.trace_id)
            server, = (s for s in spans if tags(s).get("span.kind") == "server")
            equal((server["spanID"], parents(server)),
                  (record["span_id"], [("CHILD_OF", sent.trace_id, sent.parent)]))
            told = tags(server)
            equal((told["gen_ai.operation.name"], told["gen_ai.usage.output_tokens"]),
                  ("chat", record["output_tokens"]))
            process = processes[server["processID"]]
            equal((process["serviceName"], tags(process)["tokscope.server"]), ("llama.cpp", "llama.cpp"))
            children = {s["operationName"]: s for s in spans if s is not server}
            assert {"prefill", "decode"} <= set(children), children
            for phase, child in children.items():
                equal(parents(child), [("CHILD_OF", sent.trace_id, server["spanID"])], phase)
                assert abs(child["duration"] - record["phases_s"][phase] * 1e6) < 2, (child, record)  # in us, cut
        for sent in (s for s in load.sent if not s.sampled):
            equal(jaeger.json(f"/api/traces/{sent.trace_id}"), None)


h.main(__name__)
