#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The catalogue and what runs: `metric list` names all that /metrics shows, `metric schema` describes `metric show`."""
import copy
import json
import os
import subprocess

import harness as h
from harness import equal

TARGET_INFO = "target_info"  # OpenMetrics' own, not of the catalogue


def tokscope(*args):
    p = subprocess.run([h.TOKSCOPE, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60 * h.PATIENCE)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def printed(*args):
    status, out, err = tokscope(*args)
    equal(status, 0, err)
    return json.loads(out)


def catalogue():
    """Prometheus name of each sample -> its family."""
    samples = {}
    for family in printed("metric", "list", "--json"):
        suffixes = ("_bucket", "_count", "_sum") if family["type"] == "histogram" else ("",)
        samples.update({family["name"] + suffix: family for suffix in suffixes})
    return samples


def validator():
    try:
        import jsonschema
    except ImportError:
        raise h.Skip("python3-jsonschema is not installed (tools/setup test)")
    schema = printed("metric", "schema")
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_list():
    families = {f["name"]: f for f in printed("metric", "list", "--json")}
    ttft = families["gen_ai_server_time_to_first_token_seconds"]
    equal((ttft["otlp_name"], ttft["type"], ttft["unit"]), ("gen_ai.server.time_to_first_token", "histogram", "s"))
    equal(ttft["boundaries"][:3], [0.001, 0.005, 0.01])
    assert "gen_ai_request_model" in ttft["labels"], ttft
    status, text, _ = tokscope("metric", "list")
    equal((status, len(text.splitlines())), (0, len(families)))
    for name in families:
        assert name in text, name


def test_schema_refuses():
    check = validator()
    good = {"schema": 1, "time": "2026-11-23T11:52:46.123456789Z", "metrics": {"tokscope_events_lost_total": {
        "otlp_name": "tokscope.events.lost", "type": "counter", "unit": "{event}",
        "help": "Kernel events that were lost, by the stage that lost them.",
        "series": [{"labels": {"stage": "ring_full"}, "start": "2026-11-23T11:52:46.123456789Z", "value": 0}]}}}
    check.validate(good)
    spoilt = [
        lambda j: j.update(schema=2),
        lambda j: j["metrics"].update(elephants={}),
        lambda j: j["metrics"]["tokscope_events_lost_total"].update(unit="s"),
        lambda j: j["metrics"]["tokscope_events_lost_total"]["series"][0].update(value=-1),
        lambda j: j["metrics"]["tokscope_events_lost_total"]["series"][0]["labels"].update(pid="1"),
        lambda j: j["metrics"]["tokscope_events_lost_total"]["series"][0].pop("start"),
    ]
    for i, spoil in enumerate(spoilt):
        bad = copy.deepcopy(good)
        spoil(bad)
        assert not check.is_valid(bad), i


def test_show_is_what_the_schema_says():
    h.need_root()
    check = validator()
    with h.stream_server() as server:
        shown = subprocess.Popen([h.TOKSCOPE, "metric", "show", "--json", "--pid", str(server.pid), "-d", "5"],
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        with shown:
            while shown.poll() is None:
                equal(h.exchange(server, h.chat(8)).status, 200)
            result = json.loads(shown.stdout.read())
    equal(shown.returncode, 0)
    check.validate(result)
    metrics = result["metrics"]
    requests = sum(s["value"] for s in metrics["tokscope_requests_total"]["series"])
    streams = sum(s["count"] for s in metrics["gen_ai_server_time_to_first_token_seconds"]["series"])
    assert 0 < streams <= requests, (streams, requests)


def test_show_one_by_name():
    h.need_root()
    shown = printed("metric", "show", "tokscope.events.lost", "--json", "-d", "0.1")
    equal(list(shown["metrics"]), ["tokscope_events_lost_total"])
    status, _, err = tokscope("metric", "show", "tokscope_event_lost_total")
    equal(status, 2)
    assert "did you mean 'tokscope_events_lost_total'?" in err, err


def test_agent_shows_nothing_else():
    h.need_root()
    known = catalogue()
    with h.stream_server() as server, h.Agent("--pid", str(server.pid)) as agent:
        h.exchange(server, h.chat(8))
        agent.wait_records(1)
        scrape = agent.settled_scrape()
    seen = set()
    for name, labels, _ in scrape.samples:
        if name == TARGET_INFO:
            continue
        assert name in known, name
        allowed = {*known[name]["labels"], "otel_metric_overflow", *({"le"} if name.endswith("_bucket") else ())}
        assert set(labels) <= allowed, (name, labels)
        seen.add(known[name]["name"])
    assert {"gen_ai_server_request_duration_seconds", "tokscope_requests_total", "process_open_fds"} <= seen, seen
    for line in scrape.text.splitlines():
        if not line.startswith("# ") or line.split()[2] == TARGET_INFO:
            continue
        _, keyword, name, text = line.split(" ", 3)
        family = known.get(name) or known[name + "_count"]
        equal(text, family["type"] if keyword == "TYPE" else family["help"], line)


def test_boundaries_are_those_of_the_catalogue():
    h.need_root()
    known = catalogue()
    with h.stream_server() as server, h.Agent("--pid", str(server.pid)) as agent:
        h.exchange(server, h.chat(8))
        agent.wait_records(1)
        scrape = agent.settled_scrape()
    name = "tokscope_inter_token_latency_seconds"
    les = [float(labels["le"]) for labels, _ in scrape.series(name + "_bucket")]
    equal(les, known[name + "_count"]["boundaries"] + [float("inf")])


def test_what_the_configuration_adds():
    h.need_root()
    known = catalogue()
    with h.temporary_folder() as folder, h.stream_server() as server:
        path = os.path.join(folder, "tokscope.yaml")
        with open(path, "w") as f:
            f.write("metrics:\n  gen_ai_client: true\n  extra_boundaries:\n"
                    "    - gen_ai_server_time_to_first_token_seconds=0.3\n"
                    "    - tokscope.inter_token_latency=0.0125\n    - tokscope.inter_token_latency=0.00001\n")
        with h.Agent("--config.file", path, "--pid", str(server.pid)) as agent:
            h.exchange(server, h.chat(8))
            agent.wait_records(1)
            scrape = agent.settled_scrape()
    for name, extra in (("gen_ai_server_time_to_first_token_seconds", [0.3]),
                        ("tokscope_inter_token_latency_seconds", [0.00001, 0.0125])):
        les = [float(labels["le"]) for labels, _ in scrape.series(name + "_bucket")]
        equal(les, sorted(known[name + "_count"]["boundaries"] + extra) + [float("inf")], name)
    # Merged, not dropped for having other boundaries.
    equal(scrape.value("tokscope_inter_token_latency_seconds_count"), 7.0)
    equal(scrape.value("tokscope_series_dropped_total"), 0.0)
    equal(scrape.value("gen_ai_client_operation_duration_seconds_count"), 1.0)
    equal(scrape.value("gen_ai_client_token_usage_sum", gen_ai_token_type="output"),
          scrape.value("tokscope_request_tokens_sum", gen_ai_token_type="output"))


def test_client_metrics_are_off_by_default():
    h.need_root()
    with h.stream_server() as server, h.Agent("--pid", str(server.pid)) as agent:
        h.exchange(server, h.chat(8))
        agent.wait_records(1)
        scrape = agent.settled_scrape()
    equal(scrape.value("tokscope_requests_total"), 1.0)
    assert "gen_ai_client" not in scrape.text, scrape.text


h.main(__name__)
