# SPDX-License-Identifier: Apache-2.0
"""What every end-to-end test needs: the agent, servers, a raw HTTP client that is its own oracle, TAP."""
import contextlib
import functools
import inspect
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.abspath(os.environ.get("TOKSCOPE_TEST_BUILD", os.path.join(ROOT, "build")))
TOKSCOPE = os.path.join(BUILD, "tokscope")
LLAMA_ROOT = os.path.join(BUILD, "llama", "root")
STREAM_SERVER = os.path.join(BUILD, "tests", "stream_server")
LOADGEN = os.path.join(BUILD, "tests", "loadgen")
# How much longer than on a machine of today things may take; the VM matrix sets it, its guests are emulated.
PATIENCE = float(os.environ.get("TOKSCOPE_TEST_PATIENCE", "1"))


class Skip(Exception):
    """A test that cannot run here; the text names what is missing."""


# ---------------------------------------------------------------- TAP

def main(module_name):
    """Runs every test_* function of a module in source order and prints TAP. Arguments select by substring."""
    module = sys.modules[module_name]
    tests = [(n, f) for n, f in vars(module).items() if n.startswith("test_") and callable(f)]
    tests.sort(key=lambda nf: inspect.getsourcelines(nf[1])[1])
    wanted = sys.argv[1:]
    tests = [(n, f) for n, f in tests if not wanted or any(w in n for w in wanted)]
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for i, (name, function) in enumerate(tests, 1):
        try:
            function()
            print(f"ok {i} - {name}", flush=True)
        except Skip as why:
            print(f"ok {i} - {name} # SKIP {why}", flush=True)
        except BaseException:
            failed += 1
            print(f"not ok {i} - {name}", flush=True)
            print(textwrap.indent(traceback.format_exc(), "# ", lambda line: True), flush=True)
    sys.exit(1 if failed else 0)


def equal(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


@functools.lru_cache(maxsize=None)
def backends():
    """The socket backends that this kernel has, by the product's own probe."""
    out = subprocess.run([TOKSCOPE, "feature", "probe", "--json"], stdout=subprocess.PIPE, check=True).stdout
    here = {f["name"] for f in json.loads(out) if f["available"]}
    return [b for b in ("fentry", "kprobe", "sock", "syscall") if f"socket_backend_{b}" in here]


def need_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


def wait_for(condition, what, timeout=10.0):
    """Polls until condition() is truthy and returns that; a timeout is a failure, not a measurement."""
    end = time.monotonic() + timeout * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"gave up after {timeout} s: {what}")
        time.sleep(0.02)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def temporary_folder():
    path = tempfile.mkdtemp(prefix="tokscope-test-")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def terminate(process, timeout=10):
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError("the process did not stop on SIGTERM")
    return process.returncode


# ---------------------------------------------------------------- the agent

SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


class Metrics:
    """One scrape. value() sums the series that carry all given labels; None where there is none."""

    def __init__(self, text):
        self.text = text
        self.samples = []
        for line in text.splitlines():
            m = SAMPLE.match(line)
            if m:
                self.samples.append((m.group(1), dict(LABEL.findall(m.group(2) or "")),
                                     float(m.group(3))))

    def series(self, name, **labels):
        return [(l, v) for n, l, v in self.samples
                if n == name and all(l.get(k) == str(w) for k, w in labels.items())]

    def value(self, name, **labels):
        found = self.series(name, **labels)
        return sum(v for _, v in found) if found else None


class Agent:
    """A running `tokscope agent`; its records and its stderr are kept."""

    def __init__(self, *args, binary=TOKSCOPE, env=None, before=()):
        need_root()
        self.folder = tempfile.mkdtemp(prefix="tokscope-agent-")
        self.record_path = os.path.join(self.folder, "records.ndjson")
        self.log_path = os.path.join(self.folder, "stderr")
        self.log = open(self.log_path, "w")
        self.process = subprocess.Popen(
            [*before, binary, "agent", "--web.listen-address", "127.0.0.1:0", "--records", self.record_path,
             *args], stdout=subprocess.DEVNULL, stderr=self.log, env=env, cwd=self.folder)
        self.port = int(wait_for(self._port, "the agent to listen", 20).group(1))

    def _port(self):
        if self.process.poll() is not None:
            raise AssertionError(f"the agent ended: {self.stderr()}")
        return re.search(r"metrics on https?://\S+:(\d+)/", self.stderr())

    def stderr(self):
        with open(self.log_path) as f:
            return f.read()

    def http(self, path, headers=""):
        with socket.create_connection(("127.0.0.1", self.port)) as s:
            s.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n".encode())
            data = b"".join(iter(lambda: s.recv(65536), b""))
        head, _, body = data.partition(b"\r\n\r\n")
        if b"chunked" in head.lower():
            body = dechunk(body)
        return head.decode(), body

    def scrape(self):
        return Metrics(self.http("/metrics")[1].decode())

    def servers(self):
        head, body = self.http("/servers")
        return json.loads(body) if " 200 " in head.splitlines()[0] else []

    def wait_server(self, port, timeout=10):
        """Until the server that listens on this port is traced."""
        return wait_for(lambda: [s for s in self.servers() if s["port"] == port and s["alive"]],
                        f"a server on port {port} to be found", timeout)[0]

    def records(self):
        if not os.path.exists(self.record_path):
            return []
        with open(self.record_path) as f:
            return [json.loads(line) for line in f if line.endswith("\n")]

    def wait_records(self, count, timeout=15, **match):
        def enough():
            got = [r for r in self.records() if all(r[k] == v for k, v in match.items())]
            return got if len(got) >= count else None
        return wait_for(enough, f"{count} records {match}, have {self.records()}", timeout)

    def settled_scrape(self):
        """A scrape later than everything that happened before this call (self-metrics move once a second)."""
        time.sleep(1.3)
        return self.scrape()

    def stop(self):
        status = terminate(self.process)
        self.log.close()
        return status

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop()
        if exc[0] is None:
            shutil.rmtree(self.folder, ignore_errors=True)
        else:
            print("# agent stderr:\n" + self.stderr(), flush=True)


# ---------------------------------------------------------------- servers

class Server:
    """A server process that is ready once its port accepts."""

    def __init__(self, argv, port=None, unix=None, host="127.0.0.1", **popen):
        self.port, self.unix, self.host = port, unix, host
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, **popen)
        wait_for(self._accepts, f"{argv} to listen", 30)

    def _accepts(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.process.args} ended with {self.process.returncode}")
        try:
            connect(self).close()
            return True
        except OSError:
            return False

    def _ready(self, path):
        try:
            return self._accepts() and (not path or exchange(self, get(path)).status == 200)
        except (OSError, ValueError, IndexError):
            return False

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        terminate(self.process)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def llama_server(*args, port=None, slots=4):
    """The real llama-server of Debian's packages, in its chroot, with the tiny random model."""
    if not os.path.exists(os.path.join(LLAMA_ROOT, "usr/bin/llama-server")):
        raise Skip("llama-server could not be fetched (tools/fetch_llama)")
    port = port or free_port()
    server = Server(["chroot", LLAMA_ROOT, "/usr/bin/llama-server", "-m", "/models/tiny.gguf",
                     "--host", "127.0.0.1", "--port", str(port), "--metrics", "--no-webui",
                     "--parallel", str(slots), "-c", "4096", "-t", "1", "-tb", "1", *args], port=port)
    wait_for(lambda: exchange(server, get("/health")).status == 200, "the model to be loaded", 30)
    return server


def stream_server(*args, port=None, unix=None, host="127.0.0.1"):
    """The project's own C server (tests/servers/stream_server.c)."""
    where = (["--unix", unix] if unix else
             ["--host", host, "--port", str(port := port or free_port())])
    return Server([STREAM_SERVER, *where, *args], port=port, unix=unix, host=host)


def llama_metrics(server):
    """The llama-server's own /metrics, names without the llamacpp: prefix."""
    text = exchange(server, get("/metrics")).body.decode()
    return {m.group(1): float(m.group(2))
            for m in re.finditer(r"^llamacpp:(\w+) (\S+)$", text, re.M)}


# ---------------------------------------------------------------- the client, an oracle of its own

def connect(server):
    if server.unix:
        s = socket.socket(socket.AF_UNIX)
        s.connect(server.unix)
        return s
    return socket.create_connection((server.host, server.port))


def get(path):
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()


def post(path, body, headers="", close=True):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    connection = "Connection: close\r\n" if close else ""
    return (f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{connection}"
            f"{headers}Content-Length: {len(data)}\r\n\r\n").encode() + data


def chat(tokens=16, stream=True, text="hello world", request_id=None, close=True, **extra):
    """A chat completion request."""
    headers = f"X-Request-Id: {request_id}\r\n" if request_id else ""
    body = {"messages": [{"role": "user", "content": text}], "max_tokens": tokens,
            "stream": stream, **extra}
    return post("/v1/chat/completions", body, headers, close)


def dechunk(data):
    out = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        n = int(size.split(b";")[0] or b"0", 16)
        if n == 0:
            break
        out, data = out + data[:n], data[n + 2:]
    return out


class Answer:
    """A complete HTTP answer as a client reads it; SSE events counted with a JSON parser."""

    def __init__(self, head, body):
        self.head, self.body = head, body
        self.status = int(head.split()[1])
        self.events = [e[6:] for e in body.replace(b"\r\n", b"\n").split(b"\n")
                       if e.startswith(b"data: ")]
        self.json = [json.loads(e) for e in self.events if e != b"[DONE]"]
        self.content_events = sum(1 for e in self.json if _has_content(e))

    def usage(self):
        """(prompt, completion) tokens from usage, else from llama.cpp's timings."""
        for e in reversed(self.json or [json.loads(self.body)]):
            if e.get("usage"):
                return e["usage"]["prompt_tokens"], e["usage"]["completion_tokens"]
            if e.get("timings"):
                t = e["timings"]
                return t["prompt_n"] + t.get("cache_n", 0), t["predicted_n"]
        return None


def _has_content(event):
    for choice in event.get("choices", []):
        delta = choice.get("delta", {})
        if delta.get("content") or delta.get("reasoning_content") or delta.get("tool_calls"):
            return True
        if choice.get("text"):
            return True
    return bool(event.get("content"))


def read_until(stream, wanted):
    """Reads lines up to the first that holds the wanted bytes; an end before is a failure."""
    while wanted not in (line := stream.readline()):
        if not line:
            raise AssertionError(f"the server closed before {wanted!r}")


def read_answer(stream):
    """Reads one answer from a buffered socket file: by Content-Length, chunks, or to the end."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            raise AssertionError(f"the server closed in the head: {head!r}")
        head += line
    lower = head.lower()
    length = re.search(rb"content-length: (\d+)", lower)
    if b"transfer-encoding: chunked" in lower:
        body = b""
        while True:
            n = int(stream.readline().split(b";")[0], 16)
            body += stream.read(n)
            stream.readline()
            if n == 0:
                break
    elif length:
        body = stream.read(int(length.group(1)))
    else:
        body = stream.read()
    return Answer(head.decode(), body)


def exchange(server, request, piece=None):
    """One request, one answer, one connection. piece: send that many bytes at a time."""
    with connect(server) as s:
        if piece:
            if s.family != socket.AF_UNIX:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(0, len(request), piece):
                s.sendall(request[i:i + piece])
        else:
            s.sendall(request)
        return read_answer(s.makefile("rb"))
