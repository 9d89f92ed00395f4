#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The real Ollama: a Go server in front of a llama-server of its own. What passes both is one request."""
import os
import subprocess

import real
from real import equal, h

ENV = {"HOME": "/opt", "OLLAMA_MODELS": "/opt/models", "OLLAMA_NUM_PARALLEL": "2", "OMP_NUM_THREADS": "1"}
MODEL = "tiny"
FEW = {"num_predict": 6}
MESSAGES = [{"role": "user", "content": "hello"}]


def ollama(*args):
    """The command line of ollama in the root that has a llama-server."""
    return real.in_root(real.LLAMA_ROOT, "/opt/bin/ollama", *args, opt=os.path.join(real.fetched("ollama"), "opt"))


@real.Shared
def server():
    h.need_root()
    port = h.free_port()
    env = {**ENV, "OLLAMA_HOST": f"127.0.0.1:{port}"}
    started = real.RealServer("ollama", ollama("serve"), port, env=env)
    subprocess.run(ollama("create", MODEL, "-f", "/opt/Modelfile"), env={**os.environ, **env}, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return started


def ask(path, body, request_id):
    """Ollama answers nobody who calls it by a name that is not its own."""
    request = h.post(path, {"model": MODEL, **body}, f"X-Request-Id: {request_id}\r\n")
    return h.exchange(server(), request.replace(b"Host: x", b"Host: localhost"))


def agree(scrape, sent):
    """The agent's /metrics after a load: the inner leg is in none of it."""
    real.metrics_agree(scrape, sent, "ollama")
    # The runner is a llama-server: what its pack measures goes to the one server that both are.
    equal(scrape.value("tokscope_engine_stage_duration_seconds_count", tokscope_server="ollama", stage="queue"),
          float(len(sent)))
    equal(real.probed(scrape, "llama.cpp:output_tokens"), float(sum(s["output_tokens"] for s in sent)))
    real.probes_lost_nothing(scrape)


def test_its_processes_are_one_server():
    ask("/api/generate", {"prompt": "hello", "options": FEW}, "starts the runner")
    with h.Agent() as agent:
        found = real.one_server(agent, server(), "ollama")
        equal((found["pid"], found["processes"]), (server().pid, 2))


def test_runner_that_starts_later():
    """The model is unloaded: the next request starts another runner, traced from its first byte."""
    with real.traced(server()) as agent:
        ask("/api/generate", {"keep_alive": 0}, "unload")
        h.wait_for(lambda: len(server().pids()) == 1, "the runner to end", 30)
        ask("/api/generate", {"prompt": "hello", "options": FEW}, "reload")
        record, = agent.wait_records(1, leg="server", request_id="reload")
        equal((record["outcome"], record["output_tokens"], record["pid"]), ("ok", 6, server().pid))
        h.wait_for(lambda: agent.servers()[0]["processes"] == 2, "the new runner to be part of the server")


def test_dialects():
    with real.traced(server()) as agent:
        for route, body in (("/api/chat", {"messages": MESSAGES, "options": FEW}),
                            ("/api/generate", {"prompt": "hello", "options": FEW})):
            lines = ask(route, body, route).body.splitlines()
            last = h.json.loads(lines[-1])
            record, = agent.wait_records(1, leg="server", request_id=route)
            equal((record["outcome"], record["stream"], record["events"]), ("ok", True, len(lines)), route)
            equal((record["input_tokens"], record["output_tokens"], record["finish_reason"]),
                  (last["prompt_eval_count"], last["eval_count"], "length"), route)
            assert 0 < record["ttft_s"] < record["duration_s"] and record["tpot_s"] > 0, record
        plain = h.json.loads(ask("/api/chat", {"messages": MESSAGES, "options": FEW, "stream": False}, "plain").body)
        record, = agent.wait_records(1, leg="server", request_id="plain")
        equal((record["stream"], record["ttft_s"], record["output_tokens"]), (False, None, plain["eval_count"]))


def test_inner_leg_is_not_counted():
    with real.traced(server(), "llama.cpp:token", "llama.cpp:started", "llama.cpp:queued") as agent:
        sent = real.load(server(), 4, 16, 12, "--model", MODEL, "--include-usage")
        records = real.records_agree(agent, sent)
        equal({(r["server"], r["pid"], r["response_model"]) for r in records}, {("ollama", server().pid, MODEL)})
        inner = agent.wait_records(len(sent), leg="internal")
        runner = server().pids()[-1]
        equal((len(inner), {r["pid"] for r in inner}), (len(sent), {runner}))
        equal(sum(r["output_tokens"] for r in inner), sum(s["output_tokens"] for s in sent))
        agree(agent.settled_scrape(), sent)


def test_refused():
    with real.traced(server()) as agent:
        answer = ask("/api/chat", {"model": "none", "messages": MESSAGES}, "none")
        record, = agent.wait_records(1, leg="server")
        equal((answer.status, record["status"], record["outcome"], record["response_model"]),
              (404, 404, "error", None))


def test_client_abort():
    with real.traced(server()) as agent:
        request = h.post("/api/generate", {"model": MODEL, "prompt": "hello", "options": {"num_predict": 3000}})
        real.leave_after(server(), request.replace(b"Host: x", b"Host: localhost"), b'"response":"', 5)
        record, = agent.wait_records(1, leg="server")
        equal((record["outcome"], record["error_type"], record["token_source"]), ("aborted", None, "events"))


h.main(__name__)
