# SPDX-License-Identifier: Apache-2.0
"""What the tests of real servers share: where the servers are, how they start, a load, and what must hold for each."""
import atexit
import contextlib
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import harness as h  # noqa: E402  pylint: disable=wrong-import-position
from harness import equal  # noqa: E402  pylint: disable=wrong-import-position

SERVERS = os.path.join(h.ROOT, "build", "servers")
LLAMA_ROOT = os.path.join(h.ROOT, "build", "llama", "root")
ENTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "enter")


def fetched(name):
    """The folder that tests/servers/fetch/NAME made."""
    folder = os.path.join(SERVERS, name)
    if not os.path.exists(os.path.join(folder, "stamp")):
        raise h.Skip(f"{folder} is not whole: make test-servers SERVER={name}")
    return folder


def in_root(root, *argv, opt=""):
    """The command line that becomes argv in a chroot, with the folder opt as its /opt."""
    return [ENTER, root, opt, *argv]


class RealServer(h.Server):
    """A server of build/servers, its output in the file log there. Ready when `ready` answers 200, or it accepts."""

    def __init__(self, name, argv, port, ready=None, env=None, patience=180):
        self.port, self.unix, self.host = port, None, "127.0.0.1"
        self.log_path = os.path.join(SERVERS, name, "log")
        with open(self.log_path, "w") as log:
            # A session of its own: what it leaves behind is stopped with it.
            self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True, env={**os.environ, **(env or {})})
        try:
            h.wait_for(lambda: self._ready(ready), f"{name} to be ready, see {self.log_path}", patience)
        except BaseException:
            self.__exit__()
            raise

    def pids(self):
        """Every process of the server, the first is the one that was started."""
        out = subprocess.run(["ps", "-o", "pid=", "-s", str(self.pid)], stdout=subprocess.PIPE, check=False).stdout
        return sorted(int(p) for p in out.split())

    def __exit__(self, *exc):
        with contextlib.suppress(AssertionError):
            h.terminate(self.process, 20)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, 9)
        self.process.wait()


class Shared:
    """A server that takes long to start: by the first test that wants it, until all tests are done."""

    def __init__(self, start):
        self.start, self.server, self.failed = start, None, False

    def __call__(self):
        if self.failed:
            raise AssertionError("the server did not start, see the first test that wanted it")
        if not self.server:
            try:
                self.server = self.start()
            except AssertionError:
                self.failed = True
                raise
            atexit.register(self.server.__exit__)
        return self.server


class _Address:
    unix, host = None, "127.0.0.1"

    def __init__(self, port):
        self.port = port


def metrics_of(server, port=None):
    """The server's own metrics, where they have a port of their own from there."""
    return h.Metrics(h.exchange(_Address(port) if port else server, h.get("/metrics")).body.decode())


def load(server, clients=4, requests=12, tokens=16, *args):
    """Chat completions by the project's own load generator; what its clients saw, one dictionary a request."""
    out = subprocess.run([h.LOADGEN, "--port", str(server.port), "--clients", str(clients), "--requests", str(requests),
                          "--max-tokens", str(tokens), "--json", "-", *args], stdout=subprocess.PIPE, check=True).stdout
    sent = [json.loads(line) for line in out.splitlines()]
    equal(len(sent), requests)
    return sent


def one_server(agent, server, engine):
    """The agent found exactly one server in this one's processes, of this engine; returns what it says of it."""
    found = agent.wait_server(server.port, 20)
    pids = server.pids()
    equal([(s["server"], s["port"], s["address"]) for s in agent.servers() if s["alive"] and s["pid"] in pids],
          [(engine, server.port, server.host)])
    return found


def traced(server, *probes):
    """An agent that traces this server, and has found it; and attached these probes, "pack:name"."""
    agent = h.Agent("--port", str(server.port))
    try:
        agent.wait_server(server.port, 20)
        for probe in probes:
            h.wait_for(lambda: agent.scrape().value("tokscope_probe_attached", probe=probe) == 1.0,
                       f"probe {probe} to be attached", 30)
    except BaseException:
        agent.stop()
        raise
    return agent


def probed(scrape, name):
    """What the packs have counted under this name, "pack:name"."""
    return scrape.value("tokscope_probe_events_total", probe=name)


def probes_lost_nothing(scrape):
    for reason in ("fault", "lost", "off"):
        equal(scrape.value("tokscope_probe_discarded_total", reason=reason), None, reason)


def records_agree(agent, sent):
    """One record for each request, with what its client saw. Returns the records, in the order of sent."""
    records = agent.wait_records(len(sent), 30, leg="server")
    equal(sorted(r["request_id"] for r in records), sorted(s["request_id"] for s in sent))
    by_id = {r["request_id"]: r for r in records}
    for s in sent:
        r = by_id[s["request_id"]]
        for field in ("outcome", "status", "stream", "events", "content_events", "finish_reason"):
            equal(r[field], s[field], f"{s['request_id']} {field}")
        for field in ("input_tokens", "output_tokens"):
            if s[field] is not None:
                equal((r[field], r["token_source"]), (s[field], "usage"), f"{s['request_id']} {field}")
        if s["stream"] and s["content_events"]:  # random tokens may be no text at all
            assert 0 < r["time_to_headers_s"] <= r["ttft_s"] < r["duration_s"], r
    return [by_id[s["request_id"]] for s in sent]


def metrics_agree(scrape, sent, engine):
    """The agent's /metrics at rest against what the clients saw: nothing twice, nothing lost, nothing open."""
    total = float(len(sent))
    equal(scrape.value("tokscope_requests_total", tokscope_server=engine, outcome="ok"), total)
    equal(scrape.value("tokscope_requests_total"), total, "requests of all servers")
    with_content = sum(1 for s in sent if s["content_events"])  # random tokens may be no text at all
    equal(scrape.value("gen_ai_server_time_to_first_token_seconds_count"), float(with_content))
    equal(scrape.value("tokscope_stream_events_total", kind="content"), float(sum(s["content_events"] for s in sent)))
    equal(scrape.value("tokscope_stream_events_total"), float(sum(s["events"] for s in sent)))
    for kind in ("input", "output"):
        if all(s[f"{kind}_tokens"] is not None for s in sent):
            equal(scrape.value("tokscope_tokens_total", gen_ai_token_type=kind),
                  float(sum(s[f"{kind}_tokens"] for s in sent)), kind)
    equal(scrape.value("tokscope_events_lost_total"), 0.0)
    equal(scrape.value("tokscope_stream_gaps_total"), 0.0)
    equal(scrape.value("tokscope_requests_in_flight"), 0.0)


def leave_after(server, request, wanted, count):
    """A client that goes away in the middle of its answer, once it has read `wanted` so often."""
    with h.connect(server) as s:
        s.sendall(request)
        seen = b""
        while seen.count(wanted) < count:
            data = s.recv(4096)
            assert data, f"the server closed before {wanted!r} came {count} times: {seen[-300:]!r}"
            seen += data


def title(pid):
    """What a process calls itself: its first argument."""
    with open(f"/proc/{pid}/cmdline", "rb") as f:
        return f.read().split(b"\0")[0].decode()
