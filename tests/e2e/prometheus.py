# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus for tests, and its protobuf exposition read by Python's protobuf."""
import functools
import json
import os
import shutil
import subprocess
import urllib.parse
import urllib.request

import harness as h

FOLDER = os.path.join(h.BUILD, "promtool", "usr", "bin")


def program(name):
    path = os.path.join(FOLDER, name)
    path = path if os.path.exists(path) else shutil.which(name)
    if not path:
        raise h.Skip(f"{name} is not here (tools/setup test)")
    return path


class Prometheus:
    """A server that scrapes once a second; jobs is the scrape_configs list of its configuration, which is YAML's JSON."""

    def __init__(self, folder, jobs, *features):
        self.port = h.free_port()
        self.folder = os.path.join(folder, f"prometheus-{self.port}")
        os.mkdir(self.folder)
        config = os.path.join(self.folder, "prometheus.yml")
        with open(config, "w") as f:
            json.dump({"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": jobs}, f)
        subprocess.run([program("promtool"), "check", "config", config], stdout=subprocess.DEVNULL, check=True)
        self.log = open(os.path.join(self.folder, "log"), "w")
        self.process = subprocess.Popen(
            [program("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={self.folder}/data",
             f"--web.listen-address=127.0.0.1:{self.port}",
             *[f"--enable-feature={f}" for f in features]], stdout=self.log, stderr=self.log)
        h.wait_for(self._ready, "Prometheus to be ready", 30)

    def _get(self, path, **query):
        url = f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            return answer.read()

    def _ready(self):
        try:
            return self._get("/-/ready")
        except OSError:
            return None

    def query(self, promql):
        return json.loads(self._get("/api/v1/query", query=promql))["data"]["result"]

    def value(self, promql):
        """The one value of an instant query; None where there is none."""
        result = self.query(promql)
        assert len(result) <= 1, (promql, result)
        return float(result[0]["value"][1]) if result else None

    def exemplars(self, promql):
        return json.loads(self._get("/api/v1/query_exemplars", query=promql, start="0",
                                    end="4102444800"))["data"]

    def targets(self):
        return json.loads(self._get("/api/v1/targets"))["data"]["activeTargets"]

    def wait_value(self, promql, value):
        h.wait_for(lambda: self.value(promql) == value,
                   f"{promql} to be {value}, is {self.value(promql)}; {self.targets()}", 20)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if exc[0] is not None:
            with open(self.log.name) as f:
                print("# prometheus:\n" + "".join(f"# {line}" for line in f), flush=True)
        h.terminate(self.process)
        self.log.close()


def job(name, port, **more):
    return {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}], **more}


# ---------------------------------------------------------------- protobuf

@functools.lru_cache(maxsize=None)
def family_class():
    """MetricFamily, from the .proto file that tokscope is built with."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    root = os.path.join(h.ROOT, "user", "export", "proto")
    with h.temporary_folder() as folder:
        out = os.path.join(folder, "set")
        subprocess.run(["protoc", f"-I{root}", "-I/usr/include", "--include_imports", f"--descriptor_set_out={out}",
                        "io/prometheus/client/metrics.proto"], check=True)
        with open(out, "rb") as f:
            files = descriptor_pb2.FileDescriptorSet.FromString(f.read())
    pool = descriptor_pool.DescriptorPool()
    for f in files.file:
        pool.Add(f)
    return message_factory.MessageFactory(pool).GetPrototype(
        pool.FindMessageTypeByName("io.prometheus.client.MetricFamily"))


def protobuf_families(data):
    families, at = {}, 0
    while at < len(data):
        length = shift = 0
        while True:
            byte = data[at]
            at += 1
            length |= (byte & 0x7f) << shift
            shift += 7
            if byte < 0x80:
                break
        f = family_class().FromString(data[at:at + length])
        families[f.name] = f
        at += length
    return families
