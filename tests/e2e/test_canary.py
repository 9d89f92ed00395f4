#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A secret in the prompt and one in the completion must be in no output, log, record, or core of the agent."""
import glob
import json
import os
import resource
import signal
import subprocess
import tempfile
import time

import harness as h
from harness import equal

DUMPABLE = os.path.join(h.BUILD, "tests", "tokscope-dumpable")
PROMPT = b"CANARYprompt7f3a91"
COMPLETION = b"CANARYanswer5b2c88"
KEY = b"CANARYkey44d0e1"


def request(stream):
    return h.chat(6, stream=stream, text=f"tell me {PROMPT.decode()} now", user=PROMPT.decode(),
                  tools=[{"type": "function", "function": {"name": PROMPT.decode()}}]).replace(
        b"Host: x\r\n", b"Host: x\r\nAuthorization: Bearer " + KEY + b"\r\nCookie: s=" + KEY + b"\r\n")


def assert_clean(what, data):
    for secret in (PROMPT, COMPLETION, KEY):
        assert secret not in data, f"{secret} is in {what}"


def drive(agent, server):
    for stream in (True, False):
        h.exchange(server, request(stream))
    with h.connect(server) as s:
        s.sendall(request(True)[:-40])
    agent.wait_records(2)


def core_of(agent):
    """The kernel's own core file of the agent, or a skip where this machine's core_pattern pipes it away."""
    with open("/proc/sys/kernel/core_pattern") as f:
        pattern = f.read().strip()
    if pattern.startswith("|") or "/" in pattern:
        raise h.Skip(f"core_pattern is {pattern!r}: no core file in the working folder")
    agent.process.send_signal(signal.SIGABRT)
    agent.process.wait()
    cores = glob.glob(os.path.join(agent.folder, "core*"))
    equal(len(cores), 1, f"core files in {os.listdir(agent.folder)}")
    with open(cores[0], "rb") as f:
        return f.read()


def test_no_secret_in_metrics_records_or_logs():
    h.need_root()
    with h.stream_server("--text", COMPLETION.decode(), "--tokens", "6") as server, \
            h.Agent("--pid", str(server.pid), "--log-level", "debug") as agent:
        drive(agent, server)
        for accept in ("", "Accept: application/openmetrics-text\r\n"):
            head, body = agent.http("/metrics", accept)
            assert_clean("/metrics", head.encode() + body)
        assert_clean("/servers", agent.http("/servers")[1])
        with open(agent.record_path, "rb") as f:
            assert_clean("the records", f.read())
        assert_clean("the log", agent.stderr().encode())


def test_no_secret_in_spans_logs_or_otlp_metrics():
    h.need_root()
    try:
        from otlp_sink import Sink
    except ImportError as e:
        raise h.Skip(f"{e.name} is not installed")
    secret_header = {"OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{KEY.decode()}",
                     "OTEL_METRIC_EXPORT_INTERVAL": "300", "OTEL_BSP_SCHEDULE_DELAY": "100",
                     "OTEL_BLRP_SCHEDULE_DELAY": "100"}
    with Sink() as sink, h.stream_server("--text", COMPLETION.decode(), "--tokens", "6") as server, \
            h.Agent("--pid", str(server.pid), "--log-level", "debug",
                    env={**os.environ, **secret_header, "OTEL_EXPORTER_OTLP_ENDPOINT": sink.http_url}) as agent:
        drive(agent, server)
        assert sink.wait(lambda s: len(s.spans()) >= 2 and len(s.log_records()) >= 2 and s.metrics(), 20)
        equal(agent.stop(), 0)
        messages = sink.messages()
        equal({m["headers"].pop("authorization") for m in messages}, {f"Bearer {KEY.decode()}"})
        assert_clean("what is pushed", json.dumps(messages).encode())
        assert b"stream-server" in json.dumps(messages).encode(), "the model is in it"
        assert_clean("the log", agent.stderr().encode())


def test_no_secret_in_config_dumps():
    with h.temporary_folder() as folder:
        path = os.path.join(folder, "tokscope.yaml")
        with open(path, "w") as f:
            f.write(f"otlp:\n  endpoint: http://127.0.0.1:4318\n  headers:\n    x-key: {KEY.decode()}\n"
                    f"  traces:\n    headers:\n      x-key: {KEY.decode()}\n")
        env = {**os.environ, "OTEL_EXPORTER_OTLP_LOGS_HEADERS": f"x-key={KEY.decode()}"}
        for command in (["config", "show"], ["config", "show", "--json"], ["config", "check", path]):
            words = command if command[1] == "check" else [*command, "--config.file", path]
            done = subprocess.run([h.TOKSCOPE, *words], env=env, capture_output=True, timeout=20)
            equal(done.returncode, 0, done.stderr)
            assert_clean(" ".join(command), done.stdout + done.stderr)
            if command[1] == "show":
                equal(done.stdout.count(b"<hidden>"), 3)


def test_no_secret_in_a_core_of_the_drained_agent():
    h.need_root()
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    if hard == 0:
        raise h.Skip("core files are limited to 0 bytes here")
    try:
        with h.stream_server("--text", COMPLETION.decode(), "--tokens", "6") as server, \
                h.Agent("--pid", str(server.pid), binary=DUMPABLE) as agent:
            drive(agent, server)
            time.sleep(0.5)
            core = core_of(agent)
            assert b"stream-server" in core, "the model, which is a label, is not in the core"
            assert_clean("the core", core)
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def test_the_shipped_agent_leaves_no_core():
    h.need_root()
    with h.stream_server("--tokens", "3") as server, h.Agent("--pid", str(server.pid)) as agent:
        equal(os.path.exists(f"/proc/{agent.process.pid}/status"), True)
        agent.process.send_signal(signal.SIGABRT)
        agent.process.wait()
        equal(glob.glob(os.path.join(agent.folder, "core*")), [])


h.main(__name__)
