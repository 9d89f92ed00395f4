# SPDX-License-Identifier: Apache-2.0
"""What the tests of real back ends share: how one starts, a load that an agent traces, and what the agent says."""
import collections
import contextlib
import json
import math
import os
import re
import subprocess
import sys
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import harness as h  # noqa: E402  pylint: disable=wrong-import-position
from harness import equal  # noqa: E402  pylint: disable=wrong-import-position

BACKENDS = os.path.join(h.ROOT, "build", "backends")
CLIENTS, REQUESTS, TOKENS = 4, 40, 16
FAMILIES = {"ttft": "gen_ai_server_time_to_first_token_seconds", "itl": "tokscope_inter_token_latency_seconds",
            "duration": "gen_ai_server_request_duration_seconds"}
COUNTERS = ("tokscope_requests_total", "tokscope_tokens_total", "tokscope_stream_events_total")
QUANTILES = (0.1, 0.5, 0.9, 0.99)
# The attributes of a server's resource that are labels on /metrics: databases are told to make them labels too.
IDENTITY = ("service.name", "service.instance.id", "tokscope.server")


# ---------------------------------------------------------------- a back end

def fetched(name):
    """The program that tests/backends/fetch/NAME made."""
    folder = os.path.join(BACKENDS, name)
    if not os.path.exists(os.path.join(folder, "stamp")):
        raise h.Skip(f"{folder} is not whole: make test-backends BACKEND={name}")
    return os.path.join(folder, "bin", name)


def config_file(folder, text):
    path = os.path.join(folder, "config.yaml")
    with open(path, "w") as f:
        f.write(text)
    return path


class Backend(h.Server):
    """A back end, its output in build/backends/NAME/log. Ready when `ready` answers 200, or, without, it accepts."""

    def __init__(self, name, *args, port, ready=None):
        self.port, self.unix, self.host = port, None, "127.0.0.1"
        self.log_path = os.path.join(BACKENDS, name, "log")
        with open(self.log_path, "w") as log:
            self.process = subprocess.Popen([fetched(name), *args], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            h.wait_for(lambda: self._ready(ready), f"{name} to be ready, see {self.log_path}", 60)
        except BaseException:
            self.__exit__()
            raise

    def json(self, path, **query):
        """What it answers to a GET; None where that is not 200."""
        answer = h.exchange(self, h.get(f"{path}?{urllib.parse.urlencode(query)}"))
        return json.loads(answer.body) if answer.status == 200 else None

    def promql(self, query):
        """An instant vector by the Prometheus API, as [(labels, value)]."""
        answer = self.json("/api/v1/query", query=query)
        assert answer and answer["status"] == "success", (query, answer)
        return [(s["metric"], float(s["value"][1])) for s in answer["data"]["result"]]

    def number(self, query):
        """The one value of a query; None where there is none yet."""
        found = self.promql(query)
        assert len(found) < 2, (query, found)
        return found[0][1] if found else None


# ---------------------------------------------------------------- the load

Sent = collections.namedtuple("Sent", "request_id trace_id parent sampled")


def traced_request(server, number, sampled):
    """One streamed completion whose caller has a trace, and says whether it samples it."""
    sent = Sent(f"traced-{number}", os.urandom(16).hex(), os.urandom(8).hex(), sampled)
    body = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": TOKENS, "stream": True}
    answer = h.exchange(server, h.post(
        "/v1/chat/completions", body,
        f"X-Request-Id: {sent.request_id}\r\ntraceparent: 00-{sent.trace_id}-{sent.parent}-{int(sampled):02x}\r\n"))
    equal(answer.status, 200)
    return sent


class Load:
    """What an agent saw of a server and of its clients, who are all served by now."""

    def __init__(self, agent, sent, records):
        self.agent, self.sent, self.records = agent, sent, records
        self.scrape = agent.settled_scrape()
        equal(self.scrape.value("tokscope_events_lost_total"), 0.0)

    def sampled(self):
        """The records of which there must be a span."""
        without = {s.trace_id for s in self.sent if not s.sampled}
        return [r for r in self.records if r["trace_id"] not in without]

    def values(self, what):
        """What the histogram of FAMILIES[what] has observed, by the records; ITL is not in them."""
        return [r[f"{what}_s"] for r in self.records if what == "duration" or (r["stream"] and r["outcome"] == "ok")]


@contextlib.contextmanager
def load(server, *agent_args, **env):
    """Callers without a trace, who are all sampled; callers with one, of whom every third samples it; one mistake.

    env: the agent's OTEL_* variables.
    """
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
    environment = {**inherited, "OTEL_METRIC_EXPORT_INTERVAL": "500", "OTEL_BSP_SCHEDULE_DELAY": "200",
                   "OTEL_BLRP_SCHEDULE_DELAY": "200", **env}
    with server, h.Agent("--pid", str(server.pid), "--traces.ratio", "1", *agent_args, env=environment) as agent:
        agent.wait_server(server.port)
        subprocess.run([h.LOADGEN, "--port", str(server.port), "--clients", str(CLIENTS), "--requests", str(REQUESTS),
                        "--max-tokens", str(TOKENS)], stdout=subprocess.DEVNULL, check=True)
        sent = [traced_request(server, i, i % 3 == 0) for i in range(9)]
        equal(h.exchange(server, h.post("/v1/chat/completions", b"{")).status, 400)
        yield Load(agent, sent, agent.wait_records(REQUESTS + len(sent) + 1))
        equal(re.findall(r".*: warn: .*OTLP.*", agent.stderr()), [])


def stream_server():
    """Its first tokens and its gaps fall into several buckets."""
    return h.stream_server("--usage", "--delay-first-us", "4000", "--interval-us", "1500")


# ---------------------------------------------------------------- what tokscope's own numbers say

def slots(values, scale=3):
    """How many values lie in each slot of an exponential histogram: slot i is (2^((i-1)/2^scale), 2^(i/2^scale)]."""
    return collections.Counter(math.ceil(math.log2(v) * 2 ** scale) for v in values)


def slot_quantile(counts, q, scale=3):
    """As Prometheus has it for native histograms: exponential interpolation within the slot of the rank."""
    rank = q * sum(counts.values())
    for slot in sorted(counts):
        if rank <= counts[slot]:
            return 2 ** ((slot - 1 + rank / counts[slot]) / 2 ** scale)
        rank -= counts[slot]
    raise ValueError("no values")


def bucket_counts(scrape, family):
    """Cumulative counts of all series of a family: [(upper boundary, count)], ascending."""
    counts = collections.Counter()
    for labels, value in scrape.series(f"{family}_bucket"):
        counts[float(labels["le"])] += value
    return sorted(counts.items())


def bucket_of(buckets, q):
    """The classic bucket of a quantile: its two boundaries, the count up to the lower one, its own, and the rank."""
    rank = q * buckets[-1][1]
    lower, below = 0.0, 0.0
    for upper, count in buckets:
        if count >= rank:
            return lower, upper, below, count - below, rank
        lower, below = upper, count
    raise ValueError("no +Inf bucket")


def bucket_quantile(buckets, q):
    """As Prometheus has it for classic histograms: linear interpolation within the bucket of the rank."""
    lower, upper, below, count, rank = bucket_of(buckets, q)
    return lower if math.isinf(upper) else lower + (upper - lower) * (rank - below) / count


def close(got, want, what, relative=1e-9):
    if got is None or not math.isclose(got, want, rel_tol=relative):
        raise AssertionError(f"{what}: got {got!r}, want {want!r} within {relative}")


def has_counters(database, load):
    """Whether the database has an export that is as late as load.scrape."""
    return all(database.number(f"sum({name})") == load.scrape.value(name) for name in COUNTERS)


def series_agree(database, load, name):
    """Each series of a sample name, label by label; beside them it may have what every database adds."""
    added = ("__name__", "job", "instance")
    own = {frozenset(labels.items()): value for labels, value in load.scrape.series(name)}
    theirs = {frozenset((k, v) for k, v in labels.items() if k not in added): value
              for labels, value in database.promql(name)}
    assert own, name
    equal(set(theirs), set(own), name)
    for labels, value in own.items():
        close(theirs[labels], value, f"{name} {sorted(labels)}", 1e-12)  # doubles, or decimals of 15 digits


# ---------------------------------------------------------------- the names of the catalogue

def _table(path, pattern):
    with open(os.path.join(h.ROOT, path)) as f:
        return re.findall(pattern, f.read())


def prometheus_names():
    """OTLP's name of each family -> Prometheus', by the catalogue."""
    return dict(_table("user/metric/metrics.def", r'METRIC\(\w+, \w+,\s+"([^"]+)",\s+"([^"]+)"'))


def label_names():
    """OTLP's key of each attribute -> the label, by the catalogue."""
    return {key: label for label, key in _table("user/metric/attributes.def", r'ATTRIBUTE\("(\w+)", "([^"]+)"')}
