#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Servers get the names of their pods. The API server is a fake with lists in the recorded shape, and the pod is a cgroup
that is called like one: no Kubernetes is here."""
import contextlib
import http.server
import json
import os
import re
import shutil
import ssl
import subprocess
import threading
import urllib.parse

import harness as h
from harness import equal

CONTAINER = "0123456789abcdef" * 4
POD_UID = "0a1b2c3d-1111-2222-3333-444455556666"
SCOPE = os.path.join("kubepods.slice", f"kubepods-pod{POD_UID.replace('-', '_')}.slice",
                     f"cri-containerd-{CONTAINER}.scope")
POD = {
    "metadata": {
        "name": "llama-7d9c6b5f4-x2x4q", "namespace": "prod", "uid": POD_UID,
        "labels": {"app.kubernetes.io/name": "chat", "pod-template-hash": "7d9c6b5f4"},
        "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "llama-7d9c6b5f4",
                             "controller": True}],
    },
    "spec": {"nodeName": "node-7", "containers": [{"name": "server", "image": "llama"}]},
    "status": {"phase": "Running", "containerStatuses": [
        {"name": "server", "containerID": f"containerd://{CONTAINER}", "ready": True}]},
}


class FakeApi:
    """Answers lists of pods; `pods` and `status` may be changed at any time."""

    def __init__(self, certificate=None):
        self.pods, self.status, self.requests = [], 200, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requests.append((self.path, self.headers.get("Authorization")))
                body = {"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"},
                        "items": outer.pods}
                data = json.dumps(body if outer.status == 200 else {"kind": "Status"}).encode()
                self.send_response(outer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.url = self.url.replace("http:", "https:")
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.server.shutdown()
        self.server.server_close()


def cgroup_root():
    with open("/proc/self/mounts") as mounts:
        for line in mounts:
            device, path, kind = line.split()[:3]
            if kind == "cgroup2":
                return path
    raise h.Skip("no cgroup v2 is mounted")


@contextlib.contextmanager
def pod_cgroup():
    """A cgroup that is called like a container of containerd in a pod; gives the path of its cgroup.procs."""
    h.need_root()
    root = cgroup_root()
    path = os.path.join(root, SCOPE)
    try:
        os.makedirs(path)
    except OSError as why:
        raise h.Skip(f"cannot make a cgroup below {root}: {why.strerror}")
    try:
        yield os.path.join(path, "cgroup.procs")
    finally:
        for depth in range(3):
            h.wait_for(lambda: _remove(os.path.join(root, *SCOPE.split("/")[:3 - depth])), "an empty cgroup")


def _remove(path):
    with contextlib.suppress(OSError):
        os.rmdir(path)
    return not os.path.exists(path)


def server_in(procs, *args, **environment):
    """The project's own server, in that cgroup from its beginning."""
    def enter():
        with open(procs, "w") as f:
            f.write("0")
    port = h.free_port()
    return h.Server([h.STREAM_SERVER, "--port", str(port), *args], port=port, preexec_fn=enter,
                    env={**os.environ, **environment})


@contextlib.contextmanager
def agent_with(api, *args, ca=None, **environment):
    with h.temporary_folder() as folder:
        token, config = os.path.join(folder, "token"), os.path.join(folder, "tokscope.yaml")
        with open(token, "w") as f:
            f.write("secret-of-the-pod\n")
        with open(config, "w") as f:
            f.write(f"kubernetes:\n  enabled: true\n  api: {api.url}\n  token_file: {token}\n  node_name: node-7\n")
            f.write(f"  ca_file: {ca}\n" if ca else "")
        with h.Agent("--config.file", config, *args, env={**os.environ, **environment}) as agent:
            yield agent


def named(agent, port):
    return h.wait_for(lambda: [s for s in agent.servers() if s["port"] == port and s["pod"]],
                      "the server's pod to be known", 20)[0]


def test_a_server_gets_the_names_of_its_pod():
    with FakeApi() as api, pod_cgroup() as procs, server_in(procs) as server:
        with agent_with(api, "--port", str(server.port)) as agent:
            before = agent.wait_server(server.port)
            equal((before["container_id"], before["pod_uid"], before["instance_id"], before["pod"]),
                  (CONTAINER, POD_UID, CONTAINER, None))
            h.exchange(server, h.chat(5))
            equal(agent.wait_records(1)[0]["service_name"], "stream_server")
            api.pods = [POD]
            after = named(agent, server.port)
            equal((after["namespace"], after["pod"], after["container"], after["service_name"]),
                  ("prod", "llama-7d9c6b5f4-x2x4q", "server", "chat"))
            equal(after["instance_id"], "prod.llama-7d9c6b5f4-x2x4q.server")
            h.exchange(server, h.chat(5))
            equal(agent.wait_records(2)[1]["service_name"], "chat")
            scrape = agent.settled_scrape()
            check_series(scrape)
            equal((scrape.value("tokscope_kubernetes_pods"), scrape.value("tokscope_kubernetes_failures_total"),
                   scrape.value("tokscope_kubernetes_left_out")), (1.0, 0.0, 0.0))
            check_list(agent)
            path, authorization = api.requests[0]
            equal(urllib.parse.parse_qs(urllib.parse.urlsplit(path).query)["fieldSelector"],
                  ["spec.nodeName=node-7"])
            equal(authorization, "Bearer secret-of-the-pod")
            assert "secret-of-the-pod" not in agent.stderr(), agent.stderr()


def check_series(scrape):
    """What was counted before has the pod's labels too, and nothing is left under the old ones."""
    equal(scrape.value("tokscope_requests_total", k8s_pod_name="llama-7d9c6b5f4-x2x4q"), 2.0)
    equal(scrape.value("gen_ai_server_request_duration_seconds_count",
                       service_instance_id="prod.llama-7d9c6b5f4-x2x4q.server"), 2.0)
    of_servers = [(n, l) for n, l, _ in scrape.samples if "server_port" in l]
    assert len(of_servers) > 10, of_servers
    for name, labels in of_servers:
        equal((labels["service_name"], labels.get("k8s_namespace_name"), labels.get("k8s_pod_name")),
              ("chat", "prod", "llama-7d9c6b5f4-x2x4q"), name)


def check_list(agent):
    address = ["--web.listen-address", f"127.0.0.1:{agent.port}"]
    text = subprocess.run([h.TOKSCOPE, "server", "list", *address], stdout=subprocess.PIPE, check=True).stdout
    assert b"in pod prod/llama-7d9c6b5f4-x2x4q, container server" in text, text
    rows = json.loads(subprocess.run([h.TOKSCOPE, "server", "list", "--json", *address],
                                     stdout=subprocess.PIPE, check=True).stdout)
    equal([r["pod"] for r in rows], ["llama-7d9c6b5f4-x2x4q"])


def test_an_open_request_is_renamed_too():
    with FakeApi() as api, pod_cgroup() as procs, \
            server_in(procs, "--delay-first-us", "1000000000") as server:
        with agent_with(api, "--port", str(server.port)) as agent:
            agent.wait_server(server.port)
            with h.connect(server) as client:
                client.sendall(h.chat(5))
                h.wait_for(lambda: agent.scrape().value("tokscope_requests_in_flight"), "an open request")
                api.pods = [POD]
                named(agent, server.port)
                equal(agent.settled_scrape().series("tokscope_requests_in_flight")[0][0]["k8s_pod_name"],
                      "llama-7d9c6b5f4-x2x4q")
            equal(agent.wait_records(1)[0]["outcome"], "aborted")
            equal([v for _, v in agent.settled_scrape().series("tokscope_requests_in_flight")], [0.0])


def test_a_server_that_names_itself():
    with FakeApi() as api, pod_cgroup() as procs, \
            server_in(procs, OTEL_SERVICE_NAME="mine") as server:
        api.pods = [POD]
        with agent_with(api, "--port", str(server.port)) as agent:
            after = named(agent, server.port)
            equal((after["service_name"], after["pod"]), ("mine", "llama-7d9c6b5f4-x2x4q"))


def test_resources_of_otlp_have_all_there_is():
    try:
        from otlp_sink import Sink
    except ImportError as why:
        raise h.Skip(f"{why} (tools/setup test)")
    want = {"service.name": "chat", "service.namespace": "prod", "container.id": CONTAINER,
            "service.instance.id": "prod.llama-7d9c6b5f4-x2x4q.server", "k8s.namespace.name": "prod",
            "k8s.pod.name": "llama-7d9c6b5f4-x2x4q", "k8s.pod.uid": POD_UID, "k8s.container.name": "server",
            "k8s.node.name": "node-7", "k8s.deployment.name": "llama"}
    with Sink() as sink, FakeApi() as api, pod_cgroup() as procs, server_in(procs) as server:
        api.pods = [POD]
        with agent_with(api, "--port", str(server.port), "--otlp.endpoint", sink.http_url, "--traces.ratio", "1",
                        OTEL_METRIC_EXPORT_INTERVAL="500", OTEL_BSP_SCHEDULE_DELAY="100",
                        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=test%20bed") as agent:
            named(agent, server.port)
            h.exchange(server, h.chat(5))
            resource, _ = sink.wait(lambda s: s.spans(), 20)[0]
            equal({k: resource.get(k) for k in want}, want)
            counted = sink.wait(lambda s: [r for r, m in s.metrics() if m["name"] == "tokscope.requests"], 20)[0]
            equal({k: counted.get(k) for k in want}, want)
            own = sink.wait(lambda s: [r for r, m in s.metrics() if m["name"] == "tokscope.servers"], 20)[0]
            equal((own["service.name"], own["deployment.environment.name"], own["k8s.node.name"]),
                  ("tokscope", "test bed", "node-7"))


def test_without_the_right_to_list_pods():
    with FakeApi() as api, pod_cgroup() as procs, server_in(procs) as server:
        api.status = 403
        with agent_with(api, "--port", str(server.port)) as agent:
            agent.wait_server(server.port)
            h.wait_for(lambda: "resources: [pods], verbs: [list]" in agent.stderr(), "the missing rule to be named")
            h.exchange(server, h.chat(5))
            equal(agent.wait_records(1)[0]["outcome"], "ok")
            h.wait_for(lambda: len(api.requests) > 1, "another try")
            equal(len(re.findall("Kubernetes names are not known", agent.stderr())), 1)
            h.wait_for(lambda: agent.scrape().value("tokscope_kubernetes_failures_total"), "failures to be counted")
            api.pods, api.status = [POD], 200
            equal(named(agent, server.port)["namespace"], "prod")
            assert "Kubernetes names are known again" in agent.stderr(), agent.stderr()


def self_signed(folder, name):
    if not shutil.which("openssl"):
        raise h.Skip("openssl is not here")
    certificate, key = os.path.join(folder, f"{name}.crt"), os.path.join(folder, f"{name}.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-days", "1", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
                    "-keyout", key, "-out", certificate], check=True, stderr=subprocess.DEVNULL)
    return certificate, key


def test_the_token_goes_to_the_right_server_only():
    with h.temporary_folder() as folder, pod_cgroup() as procs, server_in(procs) as server:
        certificate, other = self_signed(folder, "api"), self_signed(folder, "other")
        with FakeApi(certificate) as api:
            api.pods = [POD]
            with agent_with(api, "--port", str(server.port), ca=other[0]) as agent:
                h.wait_for(lambda: f"cannot ask the API server at {api.url}" in agent.stderr(), "a refusal")
                equal(api.requests, [])
            with agent_with(api, "--port", str(server.port), ca=certificate[0]) as agent:
                equal(named(agent, server.port)["pod"], "llama-7d9c6b5f4-x2x4q")
                equal(api.requests[0][1], "Bearer secret-of-the-pod")


def test_outside_of_kubernetes_nothing_is_said():
    h.need_root()
    with h.stream_server() as server, h.Agent("--port", str(server.port)) as agent:
        equal(agent.wait_server(server.port)["pod"], None)
        assert "ubernetes" not in agent.stderr(), agent.stderr()


h.main(__name__)
