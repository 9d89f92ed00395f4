#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""/metrics as scrapers meet it: promtool is quiet, OpenMetrics parses, content is negotiated, labels are bounded."""
import os
import shutil
import subprocess

import harness as h
from harness import equal

PROMTOOL = os.path.join(h.BUILD, "promtool", "usr", "bin", "promtool")


def loaded_agent():
    """An agent with one plain, one streamed and one failed request behind it, and its server."""
    h.need_root()
    server = h.llama_server()
    agent = h.Agent()
    agent.wait_server(server.port)
    h.exchange(server, h.chat(6))
    h.exchange(server, h.chat(6, stream=False))
    h.exchange(server, h.post("/v1/chat/completions", b"{}"))
    agent.wait_records(3)
    return server, agent


def test_promtool_is_quiet():
    promtool = PROMTOOL if os.path.exists(PROMTOOL) else shutil.which("promtool")
    if not promtool:
        raise h.Skip("promtool is not here (tools/setup test)")
    server, agent = loaded_agent()
    with server, agent:
        text = agent.settled_scrape().text
        p = subprocess.run([promtool, "check", "metrics"], input=text.encode(),
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        equal((p.returncode, p.stdout.decode()), (0, ""))


def test_openmetrics_parses():
    try:
        from prometheus_client.openmetrics.parser import text_string_to_metric_families
    except ImportError:
        raise h.Skip("python3-prometheus-client is not installed (tools/setup test)")
    server, agent = loaded_agent()
    with server, agent:
        head, body = agent.http("/metrics", "Accept: application/openmetrics-text;version=1.0.0\r\n")
        assert "application/openmetrics-text; version=1.0.0" in head, head
        families = {f.name: f for f in text_string_to_metric_families(body.decode())}
        equal(families["gen_ai_server_request_duration_seconds"].type, "histogram")
        equal(sum(s.value for s in families["tokscope_requests"].samples
                  if s.name == "tokscope_requests_total"), 3.0)


def test_healthz_and_unknown_pages():
    h.need_root()
    with h.Agent() as agent:
        equal(agent.http("/healthz")[0].split()[1], "200")
        equal(agent.http("/nothing")[0].split()[1], "404")
        equal(agent.http("/")[0].split()[1], "200")
        equal(agent.stop(), 0)


def test_identity_labels():
    server, agent = loaded_agent()
    with server, agent:
        scrape = agent.settled_scrape()
        for labels, _ in scrape.series("tokscope_requests_total"):
            equal((labels["service_name"], labels["tokscope_server"], labels["server_address"],
                   labels["server_port"]),
                  ("llama.cpp", "llama.cpp", "127.0.0.1", str(server.port)))
            assert f":{server.pid}:" in labels["service_instance_id"], labels
        for name, labels, _ in scrape.samples:
            assert not {"pid", "request_id", "path", "trace_id"} & set(labels), (name, labels)


def test_self_telemetry():
    server, agent = loaded_agent()
    with server, agent:
        scrape = agent.settled_scrape()
        equal(scrape.value("tokscope_events_lost_total"), 0.0)
        equal(scrape.value("tokscope_servers", tokscope_server="llama.cpp"), 1.0)
        assert scrape.value("tokscope_probe_attached") >= 2
        assert scrape.value("tokscope_events_received_total") > 10
        for name in ("process_cpu_seconds_total", "process_resident_memory_bytes",
                     "process_open_fds", "process_start_time_seconds"):
            assert scrape.value(name) > 0, name


h.main(__name__)
