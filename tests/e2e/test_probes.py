#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Probes in a real llama-server, against the server's own counts; `hist show`, `probe watch`."""
import contextlib
import json
import os
import subprocess

import harness as h
from harness import equal

PACK = "llama.cpp"
SLOTS = 4
PHASES = ("tokenize", "queue", "prefill", "decode", "other")
# The engine's own counts are exact, but the time that no phase explains is what the machine makes of it.
OTHER_MAX = 0.1


def wait_probes(agent, *names):
    """Until all of these probes are attached somewhere."""
    h.wait_for(lambda: all(agent.scrape().value("tokscope_probe_attached", probe=f"{PACK}:{name}") == 1
                           for name in names), f"probes {names} to be attached")


@contextlib.contextmanager
def traced_llama(*args):
    with h.llama_server(slots=SLOTS) as server, h.Agent("--pid", str(server.pid), *args) as agent:
        agent.wait_server(server.port)
        wait_probes(agent, "queued", "started", "token", "answered", "deferred", "decode", "ubatch")
        yield server, agent


def load(server, clients, requests, tokens):
    out = subprocess.run([h.LOADGEN, "--port", str(server.port), "--clients", str(clients), "--requests",
                          str(requests), "--max-tokens", str(tokens), "--json", "-"],
                         check=True, stdout=subprocess.PIPE).stdout
    return [json.loads(line) for line in out.splitlines()]


def growth(before, after, name):
    return after[name] - before[name]


def test_counts_of_the_engine():
    with traced_llama() as (server, agent):
        before = h.llama_metrics(server)
        requests = len(load(server, 8, 40, 32))
        after = h.llama_metrics(server)
        scrape = agent.settled_scrape()
    predicted = growth(before, after, "tokens_predicted_total")
    prompt = growth(before, after, "prompt_tokens_total")
    decodes = growth(before, after, "n_decode_total")
    equal(scrape.value("tokscope_engine_stage_duration_seconds_count", stage="decode"), decodes)
    equal(scrape.value("tokscope_probe_events_total", probe=f"{PACK}:decode_calls"), decodes)
    equal(scrape.value("tokscope_probe_events_total", probe=f"{PACK}:output_tokens"), predicted)
    # The first token of a request comes out of its prefill: it is no token that was put in.
    equal(scrape.value("tokscope_engine_batch_tokens_sum"), prompt + predicted - requests)
    equal(scrape.value("tokscope_engine_stage_duration_seconds_count", stage="queue"), float(requests))
    assert scrape.value("tokscope_engine_stage_duration_seconds_count", stage="tokenize") >= requests
    assert scrape.value("tokscope_engine_batch_size_sum") > decodes, "several requests in one step"
    for reason in ("fault", "lost", "off"):
        equal(scrape.value("tokscope_probe_discarded_total", reason=reason), None, reason)
    equal(scrape.value("tokscope_events_lost_total"), 0.0)


def test_deferrals_of_a_scripted_load():
    """All slots are busy, then three more come: each is deferred once."""
    with traced_llama() as (server, agent), contextlib.ExitStack() as stack:
        for i in range(SLOTS):
            s = stack.enter_context(h.connect(server))
            s.sendall(h.chat(900, request_id=f"long {i}"))
            h.read_until(stack.enter_context(s.makefile("rb")), b'"content":"')
        waiting = [stack.enter_context(h.connect(server)) for _ in range(3)]
        for i, s in enumerate(waiting):
            s.sendall(h.chat(4, request_id=f"deferred {i}"))
        records = agent.wait_records(SLOTS + 3, timeout=60)
        equal(agent.settled_scrape().value("tokscope_probe_events_total", probe=f"{PACK}:deferred"), 3.0)
    longest = max(r["phases_s"]["queue"] for r in records if r["request_id"].startswith("long"))
    for record in records:
        if record["request_id"].startswith("deferred"):
            assert record["phases_s"]["queue"] > longest, record


def test_phases_partition_each_request():
    with traced_llama() as (server, agent):
        load(server, 8, 40, 48)
        records = agent.wait_records(40)
    for record in records:
        phases = record["phases_s"]
        equal(record["outcome"], "ok")
        assert None not in phases.values(), record
        assert all(v >= 0 for v in phases.values()), record
        assert abs(sum(phases[p] for p in PHASES) - record["duration_s"]) < 1e-6, record
        assert phases["other"] <= OTHER_MAX * record["duration_s"], record
        # From outside: the headers go out when the slot is taken, the first content after its prefill.
        assert phases["tokenize"] + phases["queue"] <= record["time_to_headers_s"], record
        assert phases["queue"] + phases["prefill"] <= record["ttft_s"], record


def test_no_stream_and_abort_have_phases_too():
    with traced_llama() as (server, agent):
        h.exchange(server, h.chat(12, stream=False, request_id="plain"))
        with h.connect(server) as s:
            s.sendall(h.chat(2000, request_id="gone"))
            h.read_until(s.makefile("rb"), b'"content":"')
        h.exchange(server, h.chat(12, request_id="after"))
        records = {r["request_id"]: r for r in agent.wait_records(3)}
    equal({name: r["outcome"] for name, r in records.items()},
          {"plain": "ok", "gone": "aborted", "after": "ok"})
    for record in records.values():
        assert all(record["phases_s"][p] is not None for p in ("queue", "prefill", "decode")), record


def test_probes_off():
    with h.llama_server() as server, h.Agent("--pid", str(server.pid), "--probes", "off") as agent:
        agent.wait_server(server.port)
        h.exchange(server, h.chat(4))
        record, = agent.wait_records(1)
        scrape = agent.settled_scrape()
    equal(record["phases_s"]["queue"], None)
    equal(scrape.series("tokscope_probe_hits_total"), [])
    equal(scrape.series("tokscope_engine_stage_duration_seconds_count"), [])


def test_full_pack():
    with traced_llama("--probes", "full") as (server, agent):
        wait_probes(agent, "sample_start", "sample")
        before = h.llama_metrics(server)
        load(server, 4, 8, 16)
        after = h.llama_metrics(server)
        scrape = agent.settled_scrape()
    samples = scrape.value("tokscope_engine_stage_duration_seconds_count", stage="sample")
    equal(samples, growth(before, after, "tokens_predicted_total"))


def test_what_costs_too_much_is_taken_off():
    """With next to no budget the busiest places go one after the other; requests are traced on."""
    with traced_llama("--probe-budget", "0.001") as (server, agent):
        h.wait_for(lambda: load(server, 4, 20, 64) and
                   agent.scrape().value("tokscope_probe_shed_total"), "a place to be taken off", 60)
        scrape = agent.scrape()
        shed = scrape.series("tokscope_probe_shed_total")
        name = shed[0][0]["probe"]
        equal(scrape.value("tokscope_probe_attached", probe=name), 0.0, name)
        assert f"probe {name} is taken off" in agent.stderr(), agent.stderr()
        h.exchange(server, h.chat(4, request_id="after"))
        record, = agent.wait_records(1, request_id="after")
        equal((record["outcome"], record["output_tokens"]), ("ok", 4))


def test_probes_survive_a_restart_of_the_server():
    with h.Agent() as agent:
        with h.llama_server() as first:
            agent.wait_server(first.port)
            wait_probes(agent, "token")
            h.exchange(first, h.chat(4, request_id="first"))
            agent.wait_records(1)
            first.stop()
        h.wait_for(lambda: agent.scrape().value("tokscope_probe_attached", probe=f"{PACK}:token") == 0,
                   "the probes of the dead process to be gone")
        with h.llama_server(port=first.port) as second:
            h.wait_for(lambda: [s for s in agent.servers() if s["alive"]], "the new server to be found")
            wait_probes(agent, "token", "queued", "started")
            h.exchange(second, h.chat(5, request_id="second"))
            records = agent.wait_records(2)
    assert all(r["phases_s"]["queue"] is not None for r in records), records


def command(*args, **run):
    return subprocess.run([h.TOKSCOPE, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **run)


def test_hist_show():
    with h.llama_server() as server:
        show = subprocess.Popen([h.TOKSCOPE, "hist", "show", "stage", "stage=decode", "--port", str(server.port),
                                 "--json", "-d", "6"], stdout=subprocess.PIPE, text=True)
        while show.poll() is None:
            h.exchange(server, h.chat(8))
        line, = show.communicate()[0].splitlines()
        histogram = json.loads(line)
    equal((histogram["name"], histogram["labels"]["stage"]),
          ("tokscope_engine_stage_duration_seconds", "decode"))
    assert histogram["count"] > 0 and histogram["p50"] > 0, histogram
    equal(sum(b["count"] for b in histogram["buckets"]), histogram["count"])
    bad = command("hist", "show", "ttfft")
    assert bad.returncode == 2 and "did you mean 'ttft'" in bad.stderr, bad


def test_probe_watch():
    with h.llama_server() as server:
        watch = subprocess.Popen([h.TOKSCOPE, "probe", "watch", "llama_vocab::tokenize(char const*, *", "-p",
                                  str(server.pid), "--json", "-d", "5"], stdout=subprocess.PIPE, text=True)
        while watch.poll() is None:
            h.exchange(server, h.chat(2))
        seen = json.loads(watch.communicate()[0])
    assert seen["places"] == 1 and seen["calls"] > 0, seen
    equal((seen["returns"], seen["duration_s"]["count"]), (seen["calls"], seen["calls"]))


def test_no_thread_keeps_what_it_does_not_need():
    """Privileges are each thread's own: those that were started before they are dropped would keep all."""
    bits = {"CAP_DAC_READ_SEARCH": 2, "CAP_SYS_PTRACE": 19, "CAP_SYS_ADMIN": 21, "CAP_PERFMON": 38, "CAP_BPF": 39,
            "CAP_CHECKPOINT_RESTORE": 40}
    with h.llama_server(slots=SLOTS) as server:
        for loader in ([], ["/lib64/ld-linux-x86-64.so.2"]):
            # Under the dynamic loader's name uprobe_multi is not found to work: probes are perf events then.
            if loader and not os.path.exists(loader[0]):
                continue
            with h.Agent("--pid", str(server.pid), before=loader) as agent:
                wait_probes(agent, "queued", "decode")
                allowed = sum(1 << b for n, b in bits.items() if loader or n != "CAP_SYS_ADMIN")
                threads = f"/proc/{agent.process.pid}/task"
                for thread in os.listdir(threads):
                    with open(f"{threads}/{thread}/status") as f:
                        status = dict(line.split(":\t", 1) for line in f if ":\t" in line)
                    for kind in ("CapEff", "CapPrm"):
                        equal(int(status[kind], 16) & ~allowed, 0, f"{status['Name'].strip()} {kind}")


def test_probe_watch_lets_exceptions_pass():
    """A C++ frame that is left by an exception every second time: caught as without the probe, and told apart."""
    target = os.path.join(h.BUILD, "tests", "targets", "throw")
    if not os.path.exists(target):
        raise h.Skip("there is no C++ compiler")
    h.need_root()
    with subprocess.Popen([target], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        program.stdout.readline()
        with subprocess.Popen([h.TOKSCOPE, "probe", "watch", "middle", "-p", str(program.pid), "--json", "-d", "30"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watch:
            for line in watch.stderr:
                if "watching 'middle' in 1 place" in line:
                    break
            program.communicate(b"go\n")
            watch.terminate()
            seen = json.loads(watch.communicate()[0])
    equal(program.returncode, 0, "each exception was caught")
    equal((seen["calls"], seen["returns"], seen["duration_s"]["count"]), (1000, 500, 500))


def test_probe_watch_of_nothing():
    with h.llama_server() as server:
        seen = command("probe", "watch", "no_such_function", "-p", str(server.pid), timeout=60)
    equal(seen.returncode, 1)
    assert "no place of 'no_such_function'" in seen.stderr, seen


h.main(__name__)
