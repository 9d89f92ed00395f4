#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The configuration as a person meets it: check, show, the documented file, sources and their order, no secret shown."""
import contextlib
import json
import os
import re
import subprocess

import yaml

import harness as h
from harness import equal

SAMPLE = os.path.join(h.ROOT, "docs", "tokscope.yaml")
SECRETS = ("hunter2", "s3cret", "t0ken")


def run(*args, **environment):
    env = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_") and k != "NODE_NAME"}
    p = subprocess.run([h.TOKSCOPE, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
                       env=dict(env, **environment))
    return p.returncode, p.stdout.decode(), p.stderr.decode()


@contextlib.contextmanager
def written(text):
    with h.temporary_folder() as folder:
        path = os.path.join(folder, "t.yaml")
        with open(path, "w") as f:
            f.write(text)
        yield path


def show(*args, **environment):
    """Key to (value, source)."""
    status, out, err = run("config", "show", "--json", *args, **environment)
    equal((status, err), (0, ""))
    return {key: (s["value"], s["source"]) for key, s in json.loads(out).items()}


def flat(tree, prefix=""):
    """As the JSON form has it: keys with dots, where the JSON has them."""
    for key, value in tree.items():
        if isinstance(value, dict) and not key.endswith(("headers", "attributes")):
            yield from flat(value, f"{prefix}{key}.")
        elif value is not None:
            yield prefix + key, value


def test_the_documented_file_is_what_the_table_says():
    status, out, err = run("config", "show", "--defaults")
    equal((status, err), (0, ""))
    with open(SAMPLE) as f:
        assert f.read() == out, "run: build/tokscope config show --defaults > docs/tokscope.yaml"
    equal(run("config", "check", SAMPLE), (0, f"{SAMPLE}: ok\n", ""))
    for key, (_, source) in show("--config.file", SAMPLE).items():
        assert source == "default" or source.startswith(SAMPLE + ":"), (key, source)


def test_every_commented_setting_of_the_documented_file_is_a_key():
    with open(SAMPLE) as f:
        lines = f.read().splitlines()
    example = {"FILE": "/dev/null", "URL": "http://h:1", "LIST": "nvidia=195", "NAME": "none", "TIME": "5s",
               "BOOL": "true", "{NAME: VALUE}": "{a: b}"}
    keys = 0
    for i, line in enumerate(lines):
        m = re.fullmatch(r"( *)#(\w+): (.+)", line)
        if not m:
            continue
        indent, key, value = m.groups()
        value = {"protocol": "grpc", "node_name": "n"}.get(key, example[value])
        keys += 1
        with written("\n".join(lines[:i] + [f"{indent}{key}: {value}"] + lines[i + 1:])) as path:
            equal(run("config", "show", "--config.file", path)[0], 0, (line, value))
    assert keys > 30, keys


def test_show_can_be_read_again():
    with written("otlp:\n  endpoint: http://h:4318\n  resource_attributes: {a.b: 'c: d, e'}\n  traces:\n"
                 "    timeout: 250ms\nselect: {ports: [8000, 8001]}\nrecords: '- {x}: #'\n") as path:
        first = show("--config.file", path, "--traces.ratio", "0.25")
        _, out, _ = run("config", "show", "--config.file", path, "--traces.ratio", "0.25")
        equal(dict(flat(yaml.safe_load(out))), {k: v for k, (v, _) in first.items() if v is not None})
        with written(out) as again:
            equal(run("config", "check", again), (0, f"{again}: ok\n", ""))
            second = show("--config.file", again)
        equal({k: v for k, (v, _) in first.items()}, {k: v for k, (v, _) in second.items()})
        equal(first["otlp.traces.timeout"], ("250ms", f"{path}:5"))
        equal(first["records"], ("- {x}: #", f"{path}:7"))


def test_the_order_of_sources():
    with written("otlp: {endpoint: http://file:1, protocol: grpc, compression: gzip}\n") as path:
        got = show("--config.file", path, "--otlp.endpoint", "http://line:1",
                   OTEL_EXPORTER_OTLP_ENDPOINT="http://environment:1",
                   OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf", OTEL_EXPORTER_OTLP_COMPRESSION="")
        equal(got["otlp.endpoint"], ("http://line:1", "--otlp.endpoint"))
        equal(got["otlp.protocol"], ("http/protobuf", "OTEL_EXPORTER_OTLP_PROTOCOL"))
        equal(got["otlp.compression"], ("gzip", f"{path}:1"))
        equal(got["otlp.timeout"], ("10s", "default"))


def test_a_wrong_variable_is_ignored():
    status, out, err = run("config", "show", OTEL_BSP_SCHEDULE_DELAY="soon", OTEL_LOG_LEVEL="debug")
    equal(status, 0)
    assert "OTEL_BSP_SCHEDULE_DELAY is ignored: 'soon'" in err, err
    assert "schedule_delay: 5s  # default" in out and "log_level: debug  # OTEL_LOG_LEVEL" in out, out


def test_no_secret_is_shown():
    with written("otlp:\n  endpoint: https://user:hunter2@h:4318/?key=hunter2\n"
                 "  headers: {authorization: Bearer s3cret}\n") as path:
        for form in ((), ("--json",), ("--json", "--pretty")):
            status, out, err = run("config", "show", "--config.file", path, *form,
                                   OTEL_EXPORTER_OTLP_LOGS_HEADERS="x-key=t0ken,y=t0ken")
            equal(status, 0)
            for word in SECRETS:
                assert word not in out + err, (form, word)
            for word in ("authorization", "x-key", "https://<hidden>@h:4318"):
                assert word in out, (form, word)
    for text in ("otlp: {headers: 'a=hunter2'}", "otlp: {headers: [a, hunter2]}",
                 "otlp: {endpoint: 'http://hunter2 x'}", "otlp: {headers: {'a=b': hunter2}}"):
        with written(text) as path:
            status, out, err = run("config", "check", path)
            equal(status, 1)
            assert "hunter2" not in out + err, err
    for words in (("--otlp.headers=authorization=hunter2",), ("--otlp.headers", "authorization=hunter2")):
        status, out, err = run("config", "show", *words)
        equal(status, 2)
        assert "hunter2" not in out + err and "unknown option '--otlp.headers'" in err, err
    status, out, err = run("config", "show", OTEL_EXPORTER_OTLP_HEADERS="hunter2",
                           OTEL_EXPORTER_OTLP_ENDPOINT="http://hunter2 x")
    assert "hunter2" not in out + err and err.count("is ignored") == 2, err


def test_check_says_where():
    for text, wanted in (("web:\n  listen: x\n", ":2: unknown key of web 'listen'"),
                         ("traces:\n  ratio: 1.5\n", ":2: traces.ratio is a number from 0 to 1, not '1.5'"),
                         ("otlp:\n  certificate: /no/such\n",
                          ":2: otlp.certificate: cannot read /no/such: No such file"),
                         ("web: {config_file: /no/such}", ":1: web.config_file: cannot read /no/such"),
                         ("gpu: {majors: x}", ":1: gpu.majors: expected nvidia=MAJOR")):
        with written(text) as path:
            status, out, err = run("config", "check", path)
            equal((status, out), (1, ""), text)
            assert path + wanted in err, (wanted, err)
    status, _, err = run("config", "check", "/no/such.yaml")
    equal(status, 1)
    assert "/no/such.yaml" in err, err
    equal(run("config", "check", "a", "b")[0], 2)
    equal(run("config", "check", "--wrong")[0], 2)


def test_a_command_with_a_wrong_file_does_nothing():
    with written("tracs: {}\n") as path:
        for command in (("agent",), ("server", "list"), ("request", "trace"), ("probe", "list")):
            status, out, err = run(*command, "--config.file", path)
            equal((status, out), (1, ""), command)
            assert "did you mean 'traces'" in err, (command, err)


h.main(__name__)
