#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus scrapes a live agent as text, as OpenMetrics and as protobuf with native histograms; what PromQL answers is
compared with the agent's own records and slots. TLS and users by a web configuration file."""
import base64
import contextlib
import http.server
import math
import os
import re
import shutil
import ssl
import subprocess
import threading
import urllib.error
import urllib.request

import harness as h
from harness import equal
from prometheus import Prometheus, job, program, protobuf_families

REQUESTS = 60
TTFT = "gen_ai_server_time_to_first_token_seconds"
DURATION = "gen_ai_server_request_duration_seconds"
ITL = "tokscope_inter_token_latency_seconds"
HISTOGRAMS = (TTFT, DURATION, ITL)
QUANTILES = (0.5, 0.9, 0.99)
SLOT = 1 / 8  # of an octave: schema 3
PROTOBUF = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
# "fakepassword", with bcrypt's lowest cost.
USER, PASSWORD = "alice", "fakepassword"
HASH = "$2y$04$sqOA2KuqWBX1pv.CXmvrb.D1gvCp4nfQ2AoKvAw70k9rO.V1pKE1G"


# ---------------------------------------------------------------- scrapes

@contextlib.contextmanager
def text_only(port):
    """A door to the agent that asks for text whatever Prometheus asks for: 2.42 cannot be told to."""
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            request = urllib.request.Request(f"http://127.0.0.1:{port}{self.path}", headers={"Accept": "text/plain"})
            with urllib.request.urlopen(request) as answer:
                body = answer.read()
                self.send_response(200)
                self.send_header("Content-Type", answer.headers["Content-Type"])
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


# ---------------------------------------------------------------- the agent's own numbers

def slots(histogram):
    """{index: count} as Prometheus unfolds spans and deltas."""
    counts, index, count, deltas = {}, 0, 0, iter(histogram.positive_delta)
    for span in histogram.positive_span:
        index += span.offset
        for _ in range(span.length):
            count += next(deltas)
            counts[index] = count
            index += 1
    return {i: n for i, n in counts.items() if n}


def slot_quantile(histogram, q):
    """hist_quantile() of user/metric/hist.c, without the clamp to the extremes, which are not exposed."""
    rank, seen = q * histogram.sample_count, histogram.zero_count
    for index, n in sorted(slots(histogram).items()):
        if seen + n >= rank:
            return 2 ** ((index - 1 + (rank - seen) / n) * SLOT)
        seen += n
    raise AssertionError("no slot")


def protobuf_histograms(agent):
    head, body = agent.http("/metrics", f"Accept: {PROTOBUF}\r\n")
    assert "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited" in head, head
    families = protobuf_families(body)
    found = {}
    for name in HISTOGRAMS:
        equal(len(families[name].metric), 1, name)
        found[name] = families[name].metric[0].histogram
    return found


def exact(records, name):
    """The values that the records hold; of gaps between tokens there is only the number."""
    key = {TTFT: "ttft_s", DURATION: "duration_s"}[name]
    return sorted(r[key] for r in records)


def count_of(records, name):
    return sum(r["itl_s"]["count"] for r in records) if name == ITL else len(records)


def near(got, want, what):
    """Within one slot, and what a double loses."""
    assert abs(math.log2(got / want)) <= SLOT + 1e-9, f"{what}: {got}, own {want}"


# ---------------------------------------------------------------- load

@contextlib.contextmanager
def loaded_agent():
    """An agent that has seen REQUESTS streams of different length, and is left alone now."""
    h.need_root()
    program("prometheus")
    with h.stream_server("--interval-us", "800", "--delay-first-us", "3000") as server, \
            h.Agent("--port", str(server.port)) as agent:
        agent.wait_server(server.port)
        for tokens in (4, 16, 48):
            subprocess.run([h.LOADGEN, "--port", str(server.port), "--clients", "4", "--requests", str(REQUESTS // 3),
                            "--max-tokens", str(tokens), "--model", "m"], stdout=subprocess.DEVNULL, check=True)
        records = agent.wait_records(REQUESTS)
        equal(len(records), REQUESTS)
        yield agent, records


# ---------------------------------------------------------------- tests

def test_native_histograms():
    with loaded_agent() as (agent, records), h.temporary_folder() as folder, \
            Prometheus(folder, [job("native", agent.port)], "native-histograms") as prometheus:
        own = protobuf_histograms(agent)
        prometheus.wait_value("sum(tokscope_requests_total)", REQUESTS)
        for name in HISTOGRAMS:
            equal(prometheus.value(f"histogram_count(sum({name}))"), count_of(records, name), name)
            equal(prometheus.value(f"histogram_sum(sum({name}))"), own[name].sample_sum, name)
            equal(sum(slots(own[name]).values()) + own[name].zero_count, own[name].sample_count, name)
            for q in QUANTILES:
                got = prometheus.value(f"histogram_quantile({q}, sum({name}))")
                near(got, slot_quantile(own[name], q), f"{name} {q}")
                if name != ITL:
                    values = exact(records, name)
                    near(got, values[math.ceil(q * len(values)) - 1], f"{name} {q}, records")
        equal(prometheus.value(f"count({TTFT}_bucket) or vector(0)"), 0.0)
        equal(prometheus.value("count(target_info)"), 1.0)


def test_classic_histograms():
    with loaded_agent() as (agent, records), h.temporary_folder() as folder, text_only(agent.port) as door, \
            Prometheus(folder, [job("openmetrics", agent.port), job("text", door)],
                       "exemplar-storage") as prometheus:
        text = agent.scrape()
        for form in ("openmetrics", "text"):
            prometheus.wait_value(f'sum(tokscope_requests_total{{job="{form}"}})', REQUESTS)
            equal(prometheus.value(f'up{{job="{form}"}}'), 1.0)
            for name in HISTOGRAMS:
                equal(prometheus.value(f'sum({name}_count{{job="{form}"}})'), count_of(records, name), name)
                for q in QUANTILES:
                    check_classic(prometheus, text, records, name, q, form)
        for series in ("tokscope_requests_created", f"{TTFT}_created"):
            equal(prometheus.value(f'count({series}{{job="text"}}) or vector(0)'), 0.0)
            equal(prometheus.value(f'count({series}{{job="openmetrics"}})'), 1.0)
        # Nothing exports traces here: an exemplar would lead nowhere.
        equal(prometheus.exemplars('{__name__=~".+"}'), [])
        assert b" # {" not in openmetrics(agent)


def check_classic(prometheus, text, records, name, q, form):
    """The answer lies in the bucket of the q-th observation: by the exposition, and by the exact value where there is one."""
    lower, rank = 0.0, q * count_of(records, name)
    for labels, count in text.series(f"{name}_bucket"):
        upper = float(labels["le"])
        if count >= rank:
            break
        lower = upper
    got = prometheus.value(f'histogram_quantile({q}, sum by (le) ({name}_bucket{{job="{form}"}}))')
    assert lower <= got <= upper, (name, q, form, lower, got, upper)
    if name != ITL:
        values = exact(records, name)
        assert lower < values[math.ceil(rank) - 1] <= upper, (name, q, lower, values, upper)


def openmetrics(agent):
    head, body = agent.http("/metrics", "Accept: application/openmetrics-text;version=1.0.0\r\n")
    assert "application/openmetrics-text; version=1.0.0" in head, head
    return body


def test_other_readers():
    """promtool and Python's parsers take what Prometheus takes, and read the same samples from both texts."""
    try:
        from prometheus_client import parser
        from prometheus_client.openmetrics import parser as openmetrics_parser
    except ImportError:
        raise h.Skip("python3-prometheus-client is not installed (tools/setup test)")
    with loaded_agent() as (agent, records):
        text = agent.scrape().text
        p = subprocess.run([program("promtool"), "check", "metrics"], input=text.encode(), stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT)
        equal((p.returncode, p.stdout.decode()), (0, ""))
        p = subprocess.run(["/usr/bin/python3", os.path.join(h.ROOT, "tests", "e2e", "check_openmetrics.py")],
                           input=openmetrics(agent), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        equal((p.returncode, p.stdout.decode()), (0, ""))
        read = [{(s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples
                 if s.name.startswith(HISTOGRAMS) and not s.name.endswith("_created")}
                for families in (parser.text_string_to_metric_families(text),
                                 openmetrics_parser.text_string_to_metric_families(openmetrics(agent).decode()))]
        equal(read[0], read[1])
        equal(len({name for name, _ in read[0]}), 3 * len(HISTOGRAMS))


# ---------------------------------------------------------------- TLS and users

def make_certificate(folder, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", os.path.join(folder, f"{name}.key"), "-out", os.path.join(folder, f"{name}.crt")],
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)


def write_web_config(folder, user, hash_text=HASH):
    """As one should: written beside, then renamed."""
    path = os.path.join(folder, "web.yml")
    with open(path + ".new", "w") as f:
        f.write("tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n  min_version: TLS12\n"
                "http_server_config:\n  headers:\n    X-Content-Type-Options: nosniff\n"
                f"basic_auth_users:\n  {user}: {hash_text}\n")
    os.rename(path + ".new", path)
    return path


def https_status(agent, ca, path, user=None):
    """The status; None where the certificate is not trusted."""
    request = urllib.request.Request(f"https://127.0.0.1:{agent.port}{path}")
    if user:
        request.add_header("Authorization", "Basic " + base64.b64encode(f"{user}:{PASSWORD}".encode()).decode())
    try:
        with urllib.request.urlopen(request, context=ssl.create_default_context(cafile=ca), timeout=20) as answer:
            equal(answer.headers["X-Content-Type-Options"], "nosniff")
            return answer.status
    except urllib.error.HTTPError as e:
        return e.code
    except urllib.error.URLError as e:
        assert isinstance(e.reason, ssl.SSLCertVerificationError), e
        return None


@contextlib.contextmanager
def guarded_agent():
    h.need_root()
    program("promtool")
    if not shutil.which("openssl"):
        raise h.Skip("openssl is not installed")
    with h.temporary_folder() as folder:
        make_certificate(folder, "server")
        config = write_web_config(folder, USER)
        subprocess.run([program("promtool"), "check", "web-config", config], stderr=subprocess.DEVNULL, check=True)
        with h.Agent("--web.config.file", config) as agent:
            yield agent, folder


def test_tls_and_users():
    with guarded_agent() as (agent, folder):
        ca = os.path.join(folder, "server.crt")
        equal(https_status(agent, ca, "/metrics"), 401)
        equal(https_status(agent, ca, "/metrics", "bob"), 401)
        equal(https_status(agent, ca, "/metrics", USER), 200)
        equal(https_status(agent, ca, "/healthz"), 200)
        tls = {"scheme": "https", "tls_config": {"ca_file": ca}}
        user = {"basic_auth": {"username": USER, "password": PASSWORD}}
        wrong = {"basic_auth": {"username": USER, "password": "guess"}}
        with Prometheus(folder, [job("user", agent.port, **tls, **user), job("wrong", agent.port, **tls, **wrong),
                                 job("plain", agent.port)]) as prometheus:
            prometheus.wait_value('up{job="user"}', 1.0)
            equal(prometheus.value('count(tokscope_build_info{job="user"})'), 1.0)
            prometheus.wait_value('up{job="wrong"}', 0.0)
            prometheus.wait_value('up{job="plain"}', 0.0)
            errors = {t["labels"]["job"]: t["lastError"] for t in prometheus.targets()}
            assert "401" in errors["wrong"], errors
        assert not re.search(f"{PASSWORD}|{re.escape(HASH)}", agent.stderr()), agent.stderr()


def test_reload():
    """Users and certificates are exchanged under a running agent; a bad file changes nothing and is told once."""
    with guarded_agent() as (agent, folder):
        ca = os.path.join(folder, "server.crt")
        write_web_config(folder, "bob")
        h.wait_for(lambda: https_status(agent, ca, "/metrics", "bob") == 200, "bob to be let in")
        equal(https_status(agent, ca, "/metrics", USER), 401)
        write_web_config(folder, "carol", "no-hash")
        h.wait_for(lambda: https_status(agent, ca, "/healthz") == 200 and "carol" in agent.stderr(),
                   "the bad file to be noticed")
        equal(https_status(agent, ca, "/metrics", "bob"), 200)
        write_web_config(folder, "bob")
        old = os.path.join(folder, "old.crt")
        shutil.copy(ca, old)
        make_certificate(folder, "server")
        h.wait_for(lambda: https_status(agent, ca, "/metrics", "bob") == 200, "the new certificate")
        equal(https_status(agent, old, "/metrics", "bob"), None)
        equal(agent.stderr().count("carol"), 1)
        assert "no-hash" not in agent.stderr(), agent.stderr()
        equal(agent.stop(), 0)


def test_bad_web_config():
    h.need_root()
    with h.temporary_folder() as folder:
        path = os.path.join(folder, "web.yml")
        with open(path, "w") as f:
            f.write("basic_auth_user:\n  alice: x\n")
        p = subprocess.run([h.TOKSCOPE, "agent", "--web.listen-address", "127.0.0.1:0", "--web.config.file", path],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60 * h.PATIENCE)
        equal(p.returncode, 1)
        assert f"{path}:1: unknown key" in p.stdout.decode() and "basic_auth_users" in p.stdout.decode(), p.stdout


h.main(__name__)
