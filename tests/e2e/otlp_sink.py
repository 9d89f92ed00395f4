#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An OTLP collector for tests: HTTP/protobuf and gRPC on ports of the kernel's choice, answers by script, every message
decoded by Debian's generated classes (python3-opentelemetry-proto; gRPC needs python3-grpcio, and is left out without).

As a module:

    with Sink(["503", "429:1", "ok"]) as sink:           # the last answer repeats; each signal has its own sequence
        endpoint = sink.http_url                          # or sink.grpc_url; None: no gRPC on this machine
        sink.wait(lambda s: s.spans(), timeout=20)        # until it is true
        sink.messages("traces")                           # what arrived, oldest first, refused ones too
        sink.spans(), sink.log_records(), sink.metrics()  # of accepted messages: (resource attributes, item) pairs

As a program it prints {"http": URL, "grpc": URL or null} on a line, then a line for each message:

    otlp_sink.py [--answers 503,429:1,ok] [--tls FOLDER]  # until stdin ends

With tls, FOLDER/cert.pem and FOLDER/key.pem are the server's, and clients must show a certificate that cert.pem signed.

A message is {"signal": "traces", "protocol": "http" or "grpc", "path", "headers": {lower-case name: value}, "bytes":
length as sent (HTTP) or as decoded (gRPC), "encoding": "gzip" or null, "answer": the word, "accepted": bool, "items":
count of spans, log records or data points, "message": the JSON form with snake_case names; 64-bit integers are texts,
ids are hex}. A body that cannot be decoded has "error" and no "message", and is answered 400.

Answers: ok | empty (200 without a body) | partial:N (N items refused) | STATUS[:SECONDS] (an HTTP status with Retry-After; over
gRPC 429 is RESOURCE_EXHAUSTED with RetryInfo when there are seconds, 503 UNAVAILABLE, 400 INVALID_ARGUMENT, others UNKNOWN) |
CODE[:SECONDS] (a gRPC status by name, seconds as RetryInfo; over HTTP 503) | garbage (200, no protobuf) | huge (200 and
5 MiB) | close (the connection ends without an answer; HTTP only) | never (no answer until the sink ends).
"""
import argparse
import base64
import collections
import gzip
import http.server
import importlib
import json
import socket
import ssl
import struct
import sys
import threading
import time
from concurrent import futures

from google.protobuf import any_pb2, duration_pb2, json_format
from google.protobuf.message import DecodeError

try:
    import grpc
except ImportError:
    grpc = None

SIGNALS = {"metrics": ("metrics", "Metrics"), "traces": ("trace", "Trace"), "logs": ("logs", "Logs")}
REJECTED = {"metrics": "rejected_data_points", "traces": "rejected_spans", "logs": "rejected_log_records"}
IDS = {"trace_id", "span_id", "parent_span_id"}
GRPC_OF_HTTP = {"429": "RESOURCE_EXHAUSTED", "503": "UNAVAILABLE", "400": "INVALID_ARGUMENT"}
HUGE = 5 << 20


def service(signal):
    package, _ = SIGNALS[signal]
    return importlib.import_module(f"opentelemetry.proto.collector.{package}.v1.{package}_service_pb2")


def request_class(signal):
    return getattr(service(signal), f"Export{SIGNALS[signal][1]}ServiceRequest")


def response(signal, rejected=0):
    r = getattr(service(signal), f"Export{SIGNALS[signal][1]}ServiceResponse")()
    if rejected:
        setattr(r.partial_success, REJECTED[signal], rejected)
        r.partial_success.error_message = "refused by script"
    return r


def hex_ids(node):
    """The JSON form writes bytes in base64; ids are better read in hex."""
    if isinstance(node, list):
        return [hex_ids(x) for x in node]
    if not isinstance(node, dict):
        return node
    return {k: base64.b64decode(v).hex() if k in IDS else hex_ids(v) for k, v in node.items()}


def value(any_value):
    """The Python value of a decoded AnyValue."""
    for kind, v in any_value.items():
        return int(v) if kind == "int_value" else v
    return None


def attributes(item):
    return {a["key"]: value(a.get("value", {})) for a in item.get("attributes", [])}


def points(metric):
    for kind in ("gauge", "sum", "histogram", "exponential_histogram"):
        if kind in metric:
            return metric[kind].get("data_points", [])
    return []


def pairs(message, outer, inner, name):
    for r in message.get(outer, []):
        for scope in r.get(inner, []):
            for item in scope.get(name, []):
                yield attributes(r.get("resource", {})), item


PATHS = {"metrics": ("resource_metrics", "scope_metrics", "metrics"), "traces": ("resource_spans", "scope_spans", "spans"),
         "logs": ("resource_logs", "scope_logs", "log_records")}


def count_items(signal, message):
    found = [item for _, item in pairs(message, *PATHS[signal])]
    return sum(len(points(m)) for m in found) if signal == "metrics" else len(found)


def field(number, payload):
    """One length-delimited protobuf field (number below 16, payload below 128 bytes)."""
    return bytes([number << 3 | 2, len(payload)]) + payload


def status_details(code, seconds):
    """google.rpc.Status with a google.rpc.RetryInfo, whose generated classes Debian 12 does not have."""
    delay = duration_pb2.Duration(seconds=int(seconds), nanos=int(seconds % 1 * 1e9))
    info = any_pb2.Any(type_url="type.googleapis.com/google.rpc.RetryInfo", value=field(1, delay.SerializeToString()))
    return bytes([1 << 3, code]) + field(2, b"refused by script") + field(3, info.SerializeToString())


def tls_context(folder):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
    context.load_verify_locations(f"{folder}/cert.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def grpc_credentials(folder):
    with open(f"{folder}/cert.pem", "rb") as cert, open(f"{folder}/key.pem", "rb") as key:
        chain = cert.read()
        return grpc.ssl_server_credentials([(key.read(), chain)], chain, require_client_auth=True)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        """Clients that hang up are part of the tests."""


class Sink:
    def __init__(self, answers=("ok",), echo=None, tls=None):
        self._answers = {s: collections.deque(answers) for s in SIGNALS}
        self._messages = []
        self._changed = threading.Condition()
        self._ended = threading.Event()
        self._echo = echo
        self._http = Server(("127.0.0.1", 0), handler(self))
        self._scheme = "https" if tls else "http"
        if tls:
            self._http.socket = tls_context(tls).wrap_socket(self._http.socket, server_side=True)
        self.http_url = f"{self._scheme}://127.0.0.1:{self._http.server_port}"
        self.grpc_url = None
        self._grpc = None
        if grpc:
            self._start_grpc(tls)
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._ended.set()
        self._http.shutdown()
        self._http.server_close()
        if self._grpc:
            self._grpc.stop(None).wait()

    # ---------------------------------------------------------------- what arrived

    def messages(self, signal=None):
        with self._changed:
            return [m for m in self._messages if signal in (None, m["signal"])]

    def _accepted(self, signal):
        return [p for m in self.messages(signal) if m["accepted"] for p in pairs(m["message"], *PATHS[signal])]

    def spans(self):
        return self._accepted("traces")

    def log_records(self):
        return self._accepted("logs")

    def metrics(self):
        return self._accepted("metrics")

    def wait(self, condition, timeout):
        """The condition's value as soon as it is true of this sink; None when the time is over."""
        end = time.monotonic() + timeout
        while True:
            found = condition(self)
            if found:
                return found
            with self._changed:
                if not self._changed.wait(min(0.2, end - time.monotonic())) and time.monotonic() >= end:
                    return None

    # ---------------------------------------------------------------- one message

    def take(self, signal, protocol, path, headers, data, length, encoding):
        """Keeps a message; returns the answer's word and argument."""
        with self._changed:
            script = self._answers[signal]
            word = script.popleft() if len(script) > 1 else script[0]
            entry = {"signal": signal, "protocol": protocol, "path": path, "headers": headers, "bytes": length,
                     "encoding": encoding, "answer": word}
            try:
                message = request_class(signal).FromString(data)
                entry["message"] = hex_ids(json_format.MessageToDict(message, preserving_proto_field_name=True))
                entry["items"] = count_items(signal, entry["message"])
            except DecodeError as e:
                entry["error"] = str(e)
                entry["answer"] = word = "400"
            name, _, argument = word.partition(":")
            entry["accepted"] = name in ("ok", "empty", "partial", "garbage", "huge")
            self._messages.append(entry)
            if self._echo:
                print(json.dumps(entry), file=self._echo, flush=True)
            self._changed.notify_all()
        if name == "never":
            self._ended.wait()
        return name, argument

    # ---------------------------------------------------------------- gRPC

    def _start_grpc(self, tls):
        self._grpc = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
        for signal, (package, title) in SIGNALS.items():
            method = grpc.unary_unary_rpc_method_handler(self._grpc_method(signal))
            name = f"opentelemetry.proto.collector.{package}.v1.{title}Service"
            self._grpc.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {"Export": method}),))
        if tls:
            port = self._grpc.add_secure_port("127.0.0.1:0", grpc_credentials(tls))
        else:
            port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._grpc.start()
        self.grpc_url = f"{self._scheme}://127.0.0.1:{port}"

    def _grpc_method(self, signal):
        def export(data, context):
            headers = {k: v if isinstance(v, str) else v.hex() for k, v in context.invocation_metadata()}
            path = f"/opentelemetry.proto.collector.{SIGNALS[signal][0]}.v1.{SIGNALS[signal][1]}Service/Export"
            name, argument = self.take(signal, "grpc", path, headers, data, len(data), headers.get("grpc-encoding"))
            if name == "garbage":
                return b"\xff\xff no protobuf"
            if name == "huge":
                return b"\x0a" * HUGE
            if name in ("ok", "empty", "partial"):
                return response(signal, int(argument or 0)).SerializeToString()
            code = getattr(grpc.StatusCode, GRPC_OF_HTTP.get(name, name), grpc.StatusCode.UNKNOWN)
            if argument:
                details = status_details(code.value[0], float(argument))
                context.set_trailing_metadata((("grpc-status-details-bin", details),))
            context.abort(code, "refused by script: 100 %")
        return export


def handler(sink):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            data = raw = self.rfile.read(int(self.headers["Content-Length"]))
            encoding = self.headers.get("Content-Encoding")
            if encoding == "gzip":
                data = gzip.decompress(raw)
            signal = self.path.split("?")[0].rsplit("/", 1)[-1]
            if signal not in SIGNALS:
                return self.reply(404, b"")
            headers = {k.lower(): v for k, v in self.headers.items()}
            name, argument = sink.take(signal, "http", self.path, headers, data, len(raw), encoding)
            return self.answer(signal, name, argument)

        def answer(self, signal, name, argument):
            if name in ("close", "never"):
                self.close_connection = True
                return self.connection.shutdown(socket.SHUT_RDWR)
            if name in ("ok", "partial"):
                return self.reply(200, response(signal, int(argument or 0)).SerializeToString())
            if name in ("empty", "garbage", "huge"):
                body = {"empty": b"", "garbage": b"<html>not a collector</html>", "huge": b"\x0a" * HUGE}[name]
                return self.reply(200, body)
            status = int(name) if name.isdigit() else 503
            body = struct.pack("BB", 8, 14) + field(2, b"refused by script")
            return self.reply(status, body, {"Retry-After": argument} if argument else {})

        def reply(self, status, body, extra=None):
            self.send_response(status)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(body)))
            for name, text in (extra or {}).items():
                self.send_header(name, text)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    return Handler


def main():
    parser = argparse.ArgumentParser(description="an OTLP collector for tests")
    parser.add_argument("--answers", default="ok", help="comma-separated; see the top of this file")
    parser.add_argument("--tls", metavar="FOLDER", help="see the top of this file")
    options = parser.parse_args()
    with Sink(options.answers.split(","), sys.stdout, options.tls) as sink:
        print(json.dumps({"http": sink.http_url, "grpc": sink.grpc_url}), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
