#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A real OpenTelemetry Collector takes all three signals, and writes them unchanged in value."""
import collections
import contextlib
import datetime
import json
import os

import backend as b
import harness as h
from backend import equal

SIGNALS = ("metrics", "traces", "logs")
CONFIG = """\
receivers:
  otlp:
    protocols:
      grpc: {{endpoint: "127.0.0.1:{grpc}"}}
      http: {{endpoint: "127.0.0.1:{http/protobuf}"}}
exporters:
  file/metrics: {{path: "{folder}/metrics"}}
  file/traces: {{path: "{folder}/traces"}}
  file/logs: {{path: "{folder}/logs"}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines:
    metrics: {{receivers: [otlp], exporters: [file/metrics]}}
    traces: {{receivers: [otlp], exporters: [file/traces]}}
    logs: {{receivers: [otlp], exporters: [file/logs]}}
"""
# opentelemetry-proto: AggregationTemporality, SpanKind
CUMULATIVE, INTERNAL, SERVER = 2, 1, 2
AGENT = "tokscope-test"  # the service name of the agent itself
PROTOCOLS = ("grpc", "http/protobuf")


@contextlib.contextmanager
def exported(protocol, histogram, **env):
    """A load, and what the collector has written by the time that its agent and it have ended: one list a signal."""
    ports = {name: h.free_port() for name in PROTOCOLS}
    with h.temporary_folder() as folder, \
            b.Backend("collector", "--config", b.config_file(folder, CONFIG.format(folder=folder, **ports)),
                      port=ports["http/protobuf"]) as collector, \
            b.load(b.stream_server(), "--otlp.endpoint", f"http://127.0.0.1:{ports[protocol]}",
                   "--otlp.protocol", protocol, "--otlp.histogram", histogram, OTEL_SERVICE_NAME=AGENT, **env) as load:
        equal(load.agent.stop(), 0)
        collector.stop()
        yield load, {signal: written(folder, signal) for signal in SIGNALS}


def written(folder, signal):
    with open(os.path.join(folder, signal)) as f:
        return [json.loads(line) for line in f]


# ---------------------------------------------------------------- reading OTLP's JSON

def attributes(where):
    """{key: value}; integers are texts in the JSON form, and stay so."""
    return {a["key"]: next(iter(a["value"].values())) for a in where.get("attributes", [])}


def flat(messages, resources, scopes, items):
    """Every item of a signal in the order of arrival, with the attributes of its resource."""
    for message in messages:
        for resource in message[resources]:
            for scope in resource[scopes]:
                for item in scope[items]:
                    yield attributes(resource["resource"]), item


def points(messages):
    """The latest point of each series: {(metric, labels): (kind, point)}, under Prometheus' names."""
    names, keys, latest = b.prometheus_names(), b.label_names(), {}
    for resource, metric in flat(messages, "resourceMetrics", "scopeMetrics", "metrics"):
        kind = next(k for k in ("sum", "gauge", "histogram", "exponentialHistogram") if k in metric)
        if kind != "gauge":
            equal(metric[kind]["aggregationTemporality"], CUMULATIVE, metric["name"])
        for point in metric[kind]["dataPoints"]:
            labels = {keys[k]: v for k, v in resource.items() if k in keys}
            labels.update({keys.get(k, k): str(v) for k, v in attributes(point).items()})
            latest[names[metric["name"]], frozenset(labels.items())] = kind, point
    return latest


def samples(latest):
    """The same as samples of the text format: {(name, labels): value}. Exponential histograms have no buckets there."""
    out = {}
    for (name, labels), (kind, point) in latest.items():
        if kind in ("sum", "gauge"):
            out[name, labels] = float(point.get("asDouble", point.get("asInt")))
            continue
        out[f"{name}_count", labels], out[f"{name}_sum", labels] = float(point["count"]), float(point["sum"])
        below = 0
        for le, count in zip([*point.get("explicitBounds", []), float("inf")], point.get("bucketCounts", [])):
            below += int(count)
            out[f"{name}_bucket", labels | {("le", float(le))}] = float(below)
    return out


def own_samples(scrape, with_buckets):
    """What /metrics said of observed servers, in the same form. target_info is of the agent."""
    out = {}
    for name, labels, value in scrape.samples:
        if "tokscope_server" in labels and "service_name" in labels and (with_buckets or "le" not in labels):
            labels = {k: float(v) if k == "le" else v for k, v in labels.items()}
            out[name, frozenset(labels.items())] = value
    return out


def point_slots(latest, family):
    """All series of an exponential histogram together. OTLP counts slots from their lower boundary."""
    total = collections.Counter()
    for (name, _), (_, point) in latest.items():
        if name == family:
            equal(point["scale"], 3, family)
            first = int(point["positive"].get("offset", 0)) + 1
            total.update({first + i: int(n) for i, n in enumerate(point["positive"]["bucketCounts"]) if int(n)})
    return total


def wall_ns(record):
    """`time` of a record: nanoseconds since the epoch."""
    whole, fraction = record["time"].rstrip("Z").split(".")
    seconds = datetime.datetime.fromisoformat(whole).replace(tzinfo=datetime.timezone.utc).timestamp()
    return int(seconds) * 10**9 + int(fraction)


# ---------------------------------------------------------------- what must hold

def metrics_agree(load, messages, with_buckets):
    """Every series of the server, every value: as /metrics had it at rest. Returns the points."""
    latest = points(messages)
    theirs = {(name, labels): value for (name, labels), value in samples(latest).items()
              if dict(labels)["service_name"] != AGENT}
    own = own_samples(load.scrape, with_buckets)
    assert len(own) > 20, own
    for told, side in ((own.keys() - theirs.keys(), "only on /metrics"), (theirs.keys() - own.keys(), "only pushed")):
        equal(sorted((name, sorted(labels, key=str)) for name, labels in told), [], side)
    for key, value in own.items():
        equal(theirs[key], value, str(key))
    return latest


def resources_are_told(load, messages):
    """One resource for the server, with the identity of its labels; one for the agent, by its own variables."""
    labels = load.scrape.series("tokscope_requests_total")[0][0]
    seen = {r["service.name"]: r for r, _ in flat(messages, "resourceMetrics", "scopeMetrics", "metrics")}
    equal(set(seen), {AGENT, labels["service_name"]})
    for key, label in (("service.instance.id", "service_instance_id"), ("tokscope.server", "tokscope_server")):
        equal(seen[labels["service_name"]].get(key), labels.get(label), key)


def spans_agree(load, messages):
    """One SERVER span for each sampled request, under the caller's span where there is one; phases under it."""
    spans = [span for _, span in flat(messages, "resourceSpans", "scopeSpans", "spans")]
    found = [s for s in spans if s["kind"] == SERVER]
    servers, parents = {s["spanId"]: s for s in found}, {s.trace_id: s.parent for s in load.sent}
    equal(sorted((s["traceId"], s["spanId"], s.get("parentSpanId", "")) for s in found),
          sorted((r["trace_id"], r["span_id"], parents.get(r["trace_id"], "")) for r in load.sampled()))
    records = {r["span_id"]: r for r in load.sampled()}
    for span_id, span in servers.items():
        span_agrees(span, records[span_id])
    for child in (s for s in spans if s["kind"] != SERVER):
        child_agrees(child, servers[child["parentSpanId"]], records[child["parentSpanId"]])
    return servers


def span_agrees(span, record):
    told = attributes(span)
    equal(int(told["http.response.status_code"]), record["status"])
    equal((told["gen_ai.operation.name"], told["http.route"]), (record["operation"], record["route"]))
    equal(told.get("error.type"), record["error_type"])
    if record["output_tokens"] is not None:
        equal(int(told["gen_ai.usage.output_tokens"]), record["output_tokens"])
    end = wall_ns(record) + record["duration_s"] * 1e9
    assert abs(int(span["endTimeUnixNano"]) - end) < 2000, (span, record)


def child_agrees(child, parent, record):
    """A phase as the record has it, within the request; receive comes before."""
    equal((child["kind"], child["traceId"]), (INTERNAL, parent["traceId"]))
    start, end = int(child["startTimeUnixNano"]), int(child["endTimeUnixNano"])
    assert abs(end - start - record["phases_s"][child["name"]] * 1e9) < 1000, (child, record)
    first, last = int(parent["startTimeUnixNano"]), int(parent["endTimeUnixNano"])
    if child["name"] == "receive":
        first, last = 0, first
    assert first - 1000 <= start <= end <= last + 1000, (child, parent)


def logs_agree(load, messages):
    """One log record a request, under its trace and span, at its time."""
    told = [(log["traceId"], log["spanId"], int(log["timeUnixNano"]), attributes(log)["http.response.status_code"])
            for _, log in flat(messages, "resourceLogs", "scopeLogs", "logRecords")]
    equal(sorted(told), sorted((r["trace_id"], r["span_id"], wall_ns(r), str(r["status"])) for r in load.records))


def exemplars_are_of_spans(latest, servers):
    marked = {(e["traceId"], e["spanId"]) for _, point in latest.values() for e in point.get("exemplars", [])}
    assert marked, "no exemplar at all"
    assert marked <= {(s["traceId"], s["spanId"]) for s in servers.values()}, marked


def all_agree(load, files, with_buckets):
    latest = metrics_agree(load, files["metrics"], with_buckets)
    resources_are_told(load, files["metrics"])
    exemplars_are_of_spans(latest, spans_agree(load, files["traces"]))
    logs_agree(load, files["logs"])
    return latest


def test_grpc_with_explicit_histograms():
    with exported("grpc", "explicit_bucket_histogram") as (load, files):
        all_agree(load, files, with_buckets=True)


def test_http_with_exponential_histograms():
    with exported("http/protobuf", "base2_exponential_bucket_histogram") as (load, files):
        latest = all_agree(load, files, with_buckets=False)
        for what in ("ttft", "duration"):
            equal(point_slots(latest, b.FAMILIES[what]), b.slots(load.values(what)), what)


def test_gzip_by_both_protocols():
    for protocol in PROTOCOLS:
        with exported(protocol, "explicit_bucket_histogram", OTEL_EXPORTER_OTLP_COMPRESSION="gzip") as (load, files):
            all_agree(load, files, with_buckets=True)


h.main(__name__)
