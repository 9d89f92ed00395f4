#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The command line as a person meets it: help, errors, decode, list, trace."""
import json
import os
import subprocess

import harness as h
from harness import equal

GOLDEN = os.path.join(h.ROOT, "tests", "golden", "http")


def run(*args, binary=h.TOKSCOPE):
    p = subprocess.run([binary, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    return p.returncode, p.stdout.decode(), p.stderr.decode()


def test_help_of_everything():
    status, out, _ = run("--help")
    equal(status, 0)
    for line in out.split("Commands:")[1].split("Examples:")[0].strip().splitlines():
        command = line.split("  ")[1].split() if line.startswith("  ") else line.split("  ")[0].split()
        status, text, err = run(*command, "--help")
        equal((status, err), (0, ""), command)
        assert "Usage: tokscope " + " ".join(command) in text and "Examples:" in text, text
    for line in out.splitlines():
        assert len(line) <= 100, line


def test_wrong_words_are_explained():
    for args, wanted in (((), "Usage:"), (("agnet",), "did you mean 'agent'"),
                         (("request", "tarce"), "did you mean 'trace'"), (("request",), "needs a verb"),
                         (("agent", "--recrods", "x"), "did you mean '--records'"),
                         (("agent", "--json"), "does not take it"), (("agent", "--pid"), "needs a value"),
                         (("agent", "--pid", "0"), "bad value"), (("agent", "--pid", "x7"), "bad value"),
                         (("agent", "--ring-size", "4q"), "bad value"),
                         (("agent", "--socket-backend", "ebpf"), "bad value"),
                         (("agent", "extra"), "unexpected argument"),
                         (("wire", "decode"), "needs --request FILE")):
        status, _, err = run(*args)
        equal(status, 2, args)
        assert wanted in err, (args, err)


def test_version_and_manual():
    status, out, _ = run("version", "--json")
    equal(status, 0)
    assert json.loads(out)["version"]
    equal(run("--version")[0], 0)
    status, out, _ = run("help", "--man")
    assert status == 0 and out.startswith(".TH TOKSCOPE 8"), out[:100]


def test_wire_decode_of_a_recorded_stream():
    status, out, err = run("wire", "decode", "--json", "--request",
                           f"{GOLDEN}/llama-chat-stream-request.bin", "--response",
                           f"{GOLDEN}/llama-chat-stream-response.bin")
    equal((status, err), (0, ""))
    record = json.loads(out)
    equal((record["outcome"], record["stream"], record["token_source"]), ("ok", True, "usage"))
    equal((record["duration_s"], record["ttft_s"], record["time"]), (None, None, None))
    assert record["content_events"] > 0 and record["output_tokens"] > 0


def test_wire_decode_of_bad_files():
    status, _, err = run("wire", "decode", "--request", "/nonexistent", "--response", "/dev/null")
    equal(status, 1)
    assert "cannot read /nonexistent" in err, err
    with h.temporary_folder() as folder:
        junk = os.path.join(folder, "junk")
        with open(junk, "wb") as f:
            f.write(bytes(range(256)) * 40)
        status, _, err = run("wire", "decode", "--request", junk, "--response", junk)
        equal(status, 1)
        assert "could not be parsed" in err or "no inference request" in err, err


def test_feature_probe():
    h.need_root()
    status, out, _ = run("feature", "probe", "--json")
    equal(status, 0)
    rows = {r["name"]: r for r in json.loads(out)}
    assert all(set(r) == {"name", "needed_for", "available", "picked", "detail"} for r in rows.values())
    picked, = [r for r in rows.values() if r["picked"]]
    assert picked["available"] and picked["name"].startswith("socket_backend_"), picked
    assert any(r["available"] for r in rows.values())
    assert all(r["available"] or r["detail"] for r in rows.values()), rows


def test_server_list_says_why():
    h.need_root()
    with h.llama_server() as server:
        status, out, _ = run("server", "list", "--json", "--web.listen-address",
                             f"127.0.0.1:{h.free_port()}")
        equal(status, 0)
        row, = [r for r in json.loads(out) if r["port"] == server.port]
        equal((row["server"], row["address"], row["pid"], row["alive"]),
              ("llama.cpp", "127.0.0.1", server.pid, True))
        assert "llama" in row["reason"], row


def test_server_list_of_a_running_agent():
    h.need_root()
    with h.llama_server() as server, h.Agent() as agent:
        agent.wait_server(server.port)
        status, out, err = run("server", "list", "--web.listen-address", f"127.0.0.1:{agent.port}")
        equal((status, err), (0, ""))
        assert f"127.0.0.1:{server.port}" in out and "llama.cpp" in out, out


def test_server_started_through_its_own_loader_is_found():
    h.need_root()
    usr = os.path.join(h.LLAMA_ROOT, "usr", "lib", "x86_64-linux-gnu")
    loader = os.path.join(usr, "ld-linux-x86-64.so.2")
    if not os.path.exists(loader):
        raise h.Skip("llama-server could not be fetched (tools/fetch_llama)")
    port = h.free_port()
    backend = next(os.path.join(d, f) for d, _, files in os.walk(os.path.join(usr, "ggml"))
                   for f in files if "haswell" in f or f == "libggml-cpu.so")
    env = dict(os.environ, GGML_BACKEND_PATH=backend)
    argv = [loader, "--library-path", f"{usr}:{usr}/llama", os.path.join(h.LLAMA_ROOT,
            "usr/bin/llama-server"), "-m", os.path.join(h.LLAMA_ROOT, "models/tiny.gguf"), "--host",
            "127.0.0.1", "--port", str(port), "--no-webui", "-t", "1", "-tb", "1"]
    with h.Server(argv, port=port, env=env) as server, h.Agent() as agent:
        found = agent.wait_server(port)
        equal((found["server"], found["pid"]), ("llama.cpp", server.pid))
        h.exchange(server, h.chat(4))
        equal(agent.wait_records(1)[0]["output_tokens"], 4)


def test_request_trace_prints_as_it_ends():
    h.need_root()
    with h.llama_server() as server:
        p = subprocess.Popen([h.TOKSCOPE, "request", "trace", "--json", "-n", "2"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        h.wait_for(lambda: "found llama.cpp" in p.stderr.readline(), "the server to be found")
        for tokens in (5, 6):
            h.exchange(server, h.chat(tokens))
        out, _ = p.communicate(timeout=20)
        equal(p.returncode, 0)
        equal([json.loads(line)["output_tokens"] for line in out.splitlines()], [5, 6])


def test_address_in_use_is_explained():
    h.need_root()
    with h.Agent() as agent:
        status, _, err = run("agent", "--web.listen-address", f"127.0.0.1:{agent.port}")
        equal(status, 1)
        assert "--web.listen-address" in err, err


def test_not_root_is_explained():
    h.need_root()
    p = subprocess.run(["setpriv", "--reuid", "65534", "--clear-groups", h.TOKSCOPE, "agent"],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
    equal(p.returncode, 1)
    assert b"root" in p.stderr, p.stderr


h.main(__name__)
