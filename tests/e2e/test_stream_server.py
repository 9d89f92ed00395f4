#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The C stream server: every way of writing, unix sockets, errors in mid-stream, losses."""
import os
import signal
import socket
import time

import harness as h
from harness import equal


def traced(*server_args, agent_args=(), **where):
    """A stream server that an agent traces by --pid (no engine rule matches it)."""
    h.need_root()
    server = h.stream_server(*server_args, **where)
    return server, h.Agent("--pid", str(server.pid), *agent_args)


def check_stream(backend, *server_args, unix=None, requests=3, tokens=50):
    server, agent = traced(*server_args, agent_args=("--socket-backend", backend), unix=unix)
    with server, agent:
        answers = [h.exchange(server, h.chat(tokens, request_id=f"r{i}")) for i in range(requests)]
        records = agent.wait_records(requests)
        for record, answer in zip(records, answers):
            equal((record["outcome"], record["events"], record["content_events"]),
                  ("ok", len(answer.events), answer.content_events), f"{backend} {server_args}")
        equal(agent.settled_scrape().value("tokscope_events_lost_total"), 0.0)
        return records


def test_write_writev_sendmsg():
    for backend in h.backends():
        for io in ("write", "writev", "sendmsg"):
            check_stream(backend, "--io", io, "--tokens", "50")


def test_one_byte_writes():
    for backend in h.backends():
        check_stream(backend, "--io", "send1", "--tokens", "10", requests=1)


def test_hundred_events_in_one_48k_write():
    for backend in h.backends():
        record, = check_stream(backend, "--tokens", "100", "--batch", "100", "--pad", "380",
                               requests=1, tokens=100)
        equal(record["content_events"], 100)
        equal(record["itl_s"]["count"], 99)
        assert record["bytes_out"] > 40000, record


def test_unix_socket():
    with h.temporary_folder() as folder:
        for backend in h.backends():
            path = os.path.join(folder, backend)
            record, *_ = check_stream(backend, "--tokens", "50", unix=path)
            equal((record["address"], record["port"]), (path, None), backend)
            if backend in ("fentry", "kprobe"):  # no other sees a unix socket close
                check_stream(backend, "--close-delimited", "--tokens", "9", unix=path + ".close", tokens=9)


def test_ipv6():
    server, agent = traced("--tokens", "5", host="::1")
    with server, agent:
        h.exchange(server, h.chat(5))
        record, = agent.wait_records(1)
        equal((record["address"], record["outcome"]), ("::1", "ok"))


def test_keep_alive_connection():
    for backend in h.backends():
        server, agent = traced("--usage", agent_args=("--socket-backend", backend))
        with server, agent, h.connect(server) as s:
            stream = s.makefile("rb")
            answers = []
            for i in range(6):
                s.sendall(h.chat(8 + i, stream=i % 2 == 0, close=False, request_id=f"keep-{i}"))
                answers.append(h.read_answer(stream))
                s.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
                h.read_answer(stream)
            records = agent.wait_records(6)
            equal([r["request_id"] for r in records], [f"keep-{i}" for i in range(6)])
            equal([(r["input_tokens"], r["output_tokens"]) for r in records],
                  [a.usage() for a in answers])
            equal([r["outcome"] for r in records], ["ok"] * 6)


def test_attach_in_mid_stream_of_a_connection_that_stays():
    h.need_root()
    with h.stream_server("--tokens", "1500", "--interval-us", str(int(1000 * h.PATIENCE))) as server, \
            h.connect(server) as s:
        stream = s.makefile("rb")
        s.sendall(h.chat(1500, close=False))
        h.read_until(stream, b'"content":"')
        with h.Agent("--pid", str(server.pid)) as agent:
            h.read_until(stream, b"[DONE]")
            h.read_until(stream, b"0\r\n")
            stream.readline()
            time.sleep(0.3)
            s.sendall(h.chat(7, close=False, request_id="after"))
            answer = h.read_answer(stream)
            record, = agent.wait_records(1)
            equal((record["request_id"], record["outcome"], record["events"]),
                  ("after", "ok", len(answer.events)))
            scrape = agent.settled_scrape()
            equal(scrape.value("tokscope_streams_unparsed_total", reason="mid_stream"), 1.0)
            equal(scrape.value("tokscope_requests_total"), 1.0)


def test_close_delimited_answer():
    for backend in h.backends():
        check_stream(backend, "--close-delimited", "--tokens", "9")


def test_usage_is_the_token_source():
    server, agent = traced("--usage", "--tokens", "20")
    with server, agent:
        answer = h.exchange(server, h.chat(20))
        record, = agent.wait_records(1)
        equal((record["input_tokens"], record["output_tokens"]), answer.usage())
        equal(record["token_source"], "usage")
        assert record["tpot_s"] is not None


def test_without_usage_events_are_an_estimate():
    server, agent = traced("--tokens", "20")
    with server, agent:
        h.exchange(server, h.chat(20))
        record, = agent.wait_records(1)
        equal((record["output_tokens"], record["token_source"], record["tpot_s"]),
              (20, "events", None))
        equal(record["input_tokens"], None)


def test_error_event_inside_200():
    server, agent = traced("--tokens", "20", "--error-after", "5")
    with server, agent:
        h.exchange(server, h.chat(20))
        record, = agent.wait_records(1)
        equal((record["status"], record["outcome"], record["error_type"]),
              (200, "error", "stream_error"))
        equal(record["wasted_tokens"], 5)


def test_server_closes_in_mid_stream():
    server, agent = traced("--tokens", "20", "--die-after", "5")
    with server, agent:
        with h.connect(server) as s:
            s.sendall(h.chat(20))
            while s.recv(4096):
                pass
        record, = agent.wait_records(1)
        equal((record["outcome"], record["error_type"]), ("error", "server_disconnect"))


def test_io_uring():
    """The kernel's functions see the payload; the sock backend its length, which is never made a guess."""
    for backend in h.backends():
        if backend == "syscall":
            continue
        server, agent = traced("--tokens", "5", "--io", "iouring", "--usage",
                               agent_args=("--socket-backend", backend))
        with server, agent:
            answer = h.exchange(server, h.chat(5))
            if backend != "sock":
                record, = agent.wait_records(1)
                equal((record["outcome"], record["events"], record["output_tokens"]),
                      ("ok", len(answer.events), 5), backend)
                continue
            h.wait_for(lambda: agent.scrape().value("tokscope_events_partial_total", stage="no_buffer"),
                       "a length-only event")
            for record in agent.records():
                equal((record["outcome"], record["output_tokens"]), ("unknown", None))


def test_lost_records_in_mid_stream():
    """A ring too small for a stopped agent: what was lost is counted, the request is unknown, its counts null."""
    server, agent = traced("--tokens", "2000", "--interval-us", "200",
                           agent_args=("--ring-size", "16k"))
    with server, agent:
        with h.connect(server) as s:
            stream = s.makefile("rb")
            s.sendall(h.chat(2000, close=False))
            h.read_until(stream, b'"content":"')
            time.sleep(0.2)
            agent.process.send_signal(signal.SIGSTOP)
            time.sleep(0.3)
            agent.process.send_signal(signal.SIGCONT)
            while stream.readline() not in (b"0\r\n", b""):
                pass
            stream.readline()
            time.sleep(0.2)
            s.sendall(h.chat(3, close=False, request_id="next"))
            h.read_answer(stream)
        lost, after = agent.wait_records(2)
        equal((lost["outcome"], lost["events"], lost["content_events"], lost["output_tokens"],
               lost["token_source"]), ("unknown", None, None, None, None))
        equal((after["request_id"], after["outcome"]), ("next", "ok"))
        scrape = agent.settled_scrape()
        assert scrape.value("tokscope_events_lost_total", stage="ring_full") > 0
        assert scrape.value("tokscope_stream_gaps_total") > 0
        equal(scrape.value("tokscope_requests_total", outcome="unknown"), 1.0)


# 2.4 MB, of which the two buffers hold a tenth; all of it fits the agent's ring.
LARGE_EVENTS, LARGE_PAD, BUFFER = 40, 60000, 64 << 10
PAUSE_S = 1.5


def connect_small(server):
    """A connection whose receiving end does not grow."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER)
    s.connect((server.host, server.port))
    return s


def test_client_that_reads_slowly():
    """The server's sends wait for a client that reads nothing for a while: that is told, and no event is missed."""
    for backend in h.backends():
        server, agent = traced("--pad", str(LARGE_PAD), "--send-buffer", str(BUFFER),
                               agent_args=("--socket-backend", backend))
        with server, agent, connect_small(server) as s:
            s.sendall(h.chat(LARGE_EVENTS))
            s.recv(1, socket.MSG_PEEK)
            time.sleep(PAUSE_S)
            answer = h.read_answer(s.makefile("rb"))
            record, = agent.wait_records(1)
            equal(answer.content_events, LARGE_EVENTS)
            equal((record["outcome"], record["events"], record["content_events"]),
                  ("ok", len(answer.events), LARGE_EVENTS), backend)
            net = record["net"]
            assert 0.5 < net["send_stall_s"] < record["duration_s"] + 0.1, record  # counted in ticks of the kernel
            assert net["retransmits"] is not None and net["srtt_s"] is not None, record
            equal(net["bytes_after_close"], 0)
            scrape = agent.settled_scrape()
            equal(scrape.value("tokscope_events_lost_total"), 0.0, backend)
            equal(scrape.value("tokscope_net_send_stall_duration_seconds_sum"), net["send_stall_s"])


def test_bytes_written_after_the_client_left():
    """The first write after the client's end is sent, and answered by a reset; the second fails. Bytes of the body count."""
    for backend in h.backends():
        server, agent = traced("--delay-first-us", str(int(500000 * h.PATIENCE)),
                               "--interval-us", str(int(100000 * h.PATIENCE)),
                               agent_args=("--socket-backend", backend))
        with server, agent:
            _, event, *_ = h.exchange(server, h.chat(1)).events
            written = len(b"data: " + event + b"\n\n")
            with h.connect(server) as s:
                s.sendall(h.chat(9, request_id="gone"))
                seen = b""
                while b"assistant" not in seen:
                    seen += s.recv(4096)
            record, = agent.wait_records(1, request_id="gone")
            equal((record["outcome"], record["net"]["bytes_after_close"], record["wasted_tokens"]),
                  ("aborted", written, 1), backend)
            scrape = agent.settled_scrape()
            equal(scrape.value("tokscope_net_after_close_bytes_total"), float(written))
            equal(scrape.value("tokscope_tokens_wasted_total"), 1.0)


def test_tls_is_named_not_silent():
    server, agent = traced("--tokens", "5")
    with server, agent:
        with h.connect(server) as s:
            s.sendall(bytes.fromhex("16030100c8010000c40303") + bytes(200))
            time.sleep(0.1)
        scrape = h.wait_for(lambda: (m := agent.scrape()).value(
            "tokscope_streams_unparsed_total", reason="tls") and m, "the TLS stream to be counted")
        equal(scrape.value("tokscope_streams_unparsed_total", reason="tls"), 1.0)
        h.wait_for(lambda: agent.servers()[0]["unparsed"] == {"tls": 1}, "server list to name it")


def test_malformed_http_does_not_stop_the_agent():
    server, agent = traced("--tokens", "5")
    with server, agent:
        for junk in (b"POST / HTTP/9.9\r\n\r\n", b"\x00" * 100, b"GET " + b"a" * 70000,
                     b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 99999999999999999999"
                     b"\r\n\r\n",
                     b"POST /v1/chat/completions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz"):
            with h.connect(server) as s:
                s.sendall(junk)
                s.shutdown(socket.SHUT_WR)
                try:
                    while s.recv(4096):
                        pass
                except ConnectionError:
                    pass
        h.exchange(server, h.chat(5, request_id="good"))
        good, = agent.wait_records(1, request_id="good")
        equal(good["outcome"], "ok")


def test_worker_forked_by_the_server_is_traced():
    server, agent = traced("--tokens", "5", "--fork")
    with server, agent:
        answer = h.exchange(server, h.chat(5))
        record, = agent.wait_records(1)
        equal((record["outcome"], record["events"]), ("ok", len(answer.events)))
        assert record["pid"] != server.pid, record


def test_two_traced_processes_make_one_request():
    """A proxy before an engine: the inner leg is internal and in no default metric."""
    h.need_root()
    # An engine that answers while its proxy has not yet returned from the send would be told before it is known as inner.
    with h.stream_server("--tokens", "6", "--interval-us", "3000") as engine, \
            h.stream_server("--proxy", str(engine.port)) as proxy, \
            h.Agent("--pid", str(engine.pid), "--pid", str(proxy.pid)) as agent:
        h.exchange(proxy, h.chat(6, request_id="through"))
        records = agent.wait_records(2)
        equal(sorted(r["leg"] for r in records), ["internal", "server"])
        outer, = [r for r in records if r["leg"] == "server"]
        equal(outer["port"], proxy.port)
        equal(agent.settled_scrape().value("tokscope_requests_total"), 1.0)


h.main(__name__)
