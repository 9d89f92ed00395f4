#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`make bench`: what tokscope costs, as paired ratios with their spread. Nothing here decides a test.

usage: bench.py [--quick] [--json FILE] [SECTION...]
sections: throughput packs syscalls probes cupti libcuda rate export vm

vm: `syscalls` in a kernel that has kprobes and fentry, under QEMU (VM_KERNEL=6.12; make test-vm sets it up).
"""
import argparse
import contextlib
import glob
import json
import os
import socket
import statistics
import subprocess
import sys
import sysconfig
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
import gpu_calls  # noqa: E402
import harness as h  # noqa: E402

CUPTI_COST = os.path.join(h.BUILD, "tests", "cupti_cost")
EXPORT_COST = os.path.join(h.BUILD, "tests", "export_cost")
LIBCUDA_COST = os.path.join(h.BUILD, "tests", "libcuda_cost")
PROBE_COST = os.path.join(h.BUILD, "tests", "probe_cost")
SYSCALL_COST = os.path.join(h.BUILD, "tests", "syscall_cost")
COST_ROUNDS = os.environ.get("COST_ROUNDS", "").split()  # set for the guest of vm(), which is slow
RESULTS = {}


def spread(values, unit="", digits=2):
    """median [min .. max] n=N"""
    f = f"%.{digits}f"
    return (f"{f % statistics.median(values)}{unit} [{f % min(values)} .. {f % max(values)}]"
            f" n={len(values)}")


def report(name, values, unit="", digits=2):
    RESULTS[name] = {"unit": unit, "values": values}
    print(f"  {name:58} {spread(values, unit, digits)}", flush=True)


def say(text):
    print(text, flush=True)


# Student's t, two-sided 95 %, by degrees of freedom (any table); beyond them the normal distribution's.
T95 = {2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26, 10: 2.23, 11: 2.20, 12: 2.18, 15: 2.13}


def report_cost(name, percents, aim):
    """The mean of paired costs with its 95 % interval, and what that says of the aim."""
    RESULTS[name] = {"unit": "%", "values": percents}
    mean, n = statistics.mean(percents), len(percents)
    half = T95.get(n - 1, 1.96) * statistics.stdev(percents) / n ** 0.5
    verdict = ("holds" if mean + half <= aim else "is missed" if mean - half > aim else "is not resolvable here")
    print(f"  {name:58} {mean:+.2f} % [{mean - half:+.2f} .. {mean + half:+.2f}] n={n}; at most {aim} %: {verdict}",
          flush=True)


def on_cpu(cpu, argv):
    return ["taskset", "-c", str(cpu), *argv] if (os.cpu_count() or 1) > 1 else argv


# ---------------------------------------------------------------- token throughput, agent CPU, RSS

def load(server, seconds, clients=4, tokens=128):
    """One burst of load; returns content events per second."""
    out = subprocess.run(
        on_cpu(0, [h.LOADGEN, "--port", str(server.port), "--clients", str(clients), "--duration",
                   str(seconds), "--max-tokens", str(tokens), "--json", "-"]),
        check=True, stdout=subprocess.PIPE).stdout
    rows = [json.loads(line) for line in out.splitlines()]
    done = [r for r in rows if r["outcome"] == "ok"]
    start = min(r["sent_ns"] for r in done)
    end = max(r["sent_ns"] + 1e9 * r["duration_s"] for r in done)
    return sum(r["content_events"] for r in done) / ((end - start) / 1e9)


def throughput(rounds, seconds):
    say("token throughput of llama-server, 4 streams, with / without the agent (paired, alternating order)")
    ratios, cpu, rss = [], [], []
    with h.llama_server() as server:
        subprocess.run(["taskset", "-a", "-cp", "1", str(server.pid)], stdout=subprocess.DEVNULL)
        load(server, 1)
        for i in range(rounds):
            pair = {}
            for traced in ((True, False) if i % 2 else (False, True)):
                if not traced:
                    pair[False] = load(server, seconds)
                    continue
                with h.Agent() as agent:
                    agent.wait_server(server.port)
                    before = agent.settled_scrape()
                    pair[True] = load(server, seconds)
                    after = agent.settled_scrape()
                events = (after.value("tokscope_stream_events_total")
                          - (before.value("tokscope_stream_events_total") or 0))
                used = (after.value("process_cpu_seconds_total")
                        - before.value("process_cpu_seconds_total"))
                cpu.append(1e6 * used / events)
                rss.append(after.value("process_resident_memory_bytes") / 2**20)
            ratios.append(100 * pair[True] / pair[False])
    report("throughput traced / untraced", ratios, " %")
    report("agent CPU per 1 000 events", cpu, " ms", 3)
    report("agent RSS", rss, " MiB", 1)


# ---------------------------------------------------------------- probes of the packs

def small_model():
    """About 3 ms a step with 4 streams on one core, like a small model on a GPU. Returns its path in the server's root."""
    path = os.path.join(h.LLAMA_ROOT, "models", "small.gguf")
    if not os.path.exists(path):
        subprocess.run([os.path.join(h.ROOT, "tools", "make_gguf.py"), "--layers", "8", "--dim", "512", "--ffn", "1536",
                        path + ".part"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.rename(path + ".part", path)
    return "/models/small.gguf"


def packs(rounds, seconds):
    say("probes in llama-server, 4 streams of 3 ms a step: throughput lost against the same agent without probes "
        "(paired, rotating order)")
    sets, lost = ["off", "default", "full"], {"default": [], "full": []}
    with h.llama_server("-m", small_model()) as server:
        subprocess.run(["taskset", "-a", "-cp", "1", str(server.pid)], stdout=subprocess.DEVNULL)
        load(server, 1)
        for i in range(rounds):
            rate_of = {}
            for probe_set in sets[i % 3:] + sets[:i % 3]:
                with h.Agent("--probes", probe_set, "--probe-budget", "0") as agent:
                    agent.wait_server(server.port)
                    if probe_set != "off":
                        h.wait_for(lambda: agent.scrape().value("tokscope_probe_attached", probe="llama.cpp:token"),
                                   "the probes to be attached")
                    rate_of[probe_set] = load(server, seconds)
            for probe_set, values in lost.items():
                values.append(100 - 100 * rate_of[probe_set] / rate_of["off"])
    report_cost("default probes", lost["default"], 1)
    report_cost("full pack", lost["full"], 2)


# ---------------------------------------------------------------- ns per system call

def syscall_cost(agent_args):
    """Minimum ns of each kind of call, with an agent (agent_args(pid) -> arguments) or without (None)."""
    p = subprocess.Popen(on_cpu(1, [SYSCALL_COST, *COST_ROUNDS]), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         text=True)
    pid = int(p.stdout.readline())
    if agent_args is None:
        return json.loads(p.communicate("go\n", timeout=120 * h.PATIENCE)[0])
    with h.Agent(*agent_args(pid)):
        return json.loads(p.communicate("go\n", timeout=120 * h.PATIENCE)[0])


def syscalls(rounds):
    say("cost of one system call, added by the agent (paired with a run without it)")
    with subprocess.Popen(["sleep", "3600"]) as someone_else:
        try:
            all_syscalls(rounds, str(someone_else.pid))
        finally:
            someone_else.kill()


def all_syscalls(rounds, someone_else):
    for backend in h.backends():
        arms = {
            "untraced process": lambda pid: ("--socket-backend", backend, "--pid", someone_else),
            "traced process": lambda pid: ("--socket-backend", backend, "--pid", str(pid)),
        }
        for arm, arguments in arms.items():
            deltas = {}
            for _ in range(rounds):
                base, with_agent = syscall_cost(None), syscall_cost(arguments)
                for call in base:
                    deltas.setdefault(call, []).append(with_agent[call] - base[call])
            for call, values in deltas.items():
                report(f"{backend}, {arm}: {call}", values, " ns", 0)


# ---------------------------------------------------------------- ns per hit of a probe

def probes(rounds):
    say(f"cost of one hit of a probe in a server, by the instruction under it (paired; {os.uname().machine},"
        f" {os.cpu_count()} CPUs, Linux {os.uname().release})")
    out = subprocess.run(on_cpu(1, [PROBE_COST, str(rounds)]), check=True, stdout=subprocess.PIPE).stdout
    for case, values in json.loads(out).items():
        report(f"probe on {case}", values, " ns", 0)


# ---------------------------------------------------------------- ns per record of GPU work

def cupti(rounds):
    say("what telling of GPU work costs the process, as libtokscope_cupti.so does it (64 bytes a record; a wake-up of the"
        " reader each 64 KiB is in it)")
    out = subprocess.run(on_cpu(1, [CUPTI_COST, str(rounds)]), check=True, stdout=subprocess.PIPE).stdout
    costs = json.loads(out)
    report("a probe that nobody listens to", costs.pop("idle"), " ns")
    for batch, values in costs.items():
        report(f"a record, {batch} in one hit", values, " ns", 1)


# ---------------------------------------------------------------- ns per call of the CUDA driver's library

def libcuda(rounds):
    say("what the probes of the pack cuda add to one call of the real driver library, on its first instruction and where they"
        " are put (paired)")
    for branch in ("535", "550"):
        try:
            library = gpu_calls.libcuda(branch)
        except h.Skip as why:
            say(f"  skipped: {why}")
            continue
        out = subprocess.run(on_cpu(1, [LIBCUDA_COST, library, str(rounds)]), check=True, stdout=subprocess.PIPE).stdout
        for case, values in json.loads(out).items():
            report(f"{branch}: {case}", values, " ns", 0)


# ---------------------------------------------------------------- the same where there are kprobes and fentry

def vm():
    """Boots the guest, which runs the section `syscalls` of this file with a Python of the host's."""
    label = os.environ.get("VM_KERNEL", "6.12")
    say(f"\nthe same in a virtual machine, Linux {label} (QEMU emulates each instruction: compare the rows, not with others)")
    stdlib = sysconfig.get_path("stdlib")
    command = ("export TOKSCOPE_TEST_PATIENCE=20 COST_ROUNDS=2; mkdir -p /var/tmp;"
               f" {sys.executable} -B tests/bench/bench.py --quick syscalls")
    boot = [os.path.join(h.ROOT, "tests", "vm", "boot"), "--memory", "2500", "--limit", "1500", "--tree", stdlib,
            "--tree", "tests", label, command, sys.executable, *glob.glob(os.path.join(stdlib, "lib-dynload", "*.so")),
            "build/tokscope", "build/tests/syscall_cost"]
    status = subprocess.run(boot, cwd=h.ROOT).returncode
    if status:
        say(f"  skipped: the guest ended with status {status} (3: QEMU or the kernel cannot be had; tools/setup vm)")


# ---------------------------------------------------------------- highest event rate without loss

def one_rate(backend, streams, interval_us, seconds):
    """(events per second the client got, records lost, agent CPU seconds per second)."""
    with h.stream_server("--interval-us", str(interval_us)) as server, \
            h.Agent("--pid", str(server.pid), "--socket-backend", backend) as agent:
        before = agent.settled_scrape()
        start = time.monotonic()
        out = subprocess.run([h.LOADGEN, "--port", str(server.port), "--clients", str(streams),
                              "--duration", str(seconds), "--max-tokens", "2000", "--json", "-"],
                             check=True, stdout=subprocess.PIPE).stdout
        elapsed = time.monotonic() - start
        after = agent.settled_scrape()
        rows = [json.loads(line) for line in out.splitlines()]
        events = sum(r["events"] for r in rows)
        seen = after.value("tokscope_stream_events_total") or 0
        cpu = (after.value("process_cpu_seconds_total")
               - before.value("process_cpu_seconds_total")) / elapsed
        return events / elapsed, after.value("tokscope_events_lost_total"), seen / events, cpu


def rate(seconds):
    say("SSE events per second through one server, client and agent on the same 2 cores")
    say(f"  {'backend':8} {'streams':>7} {'events/s':>10} {'lost':>6} {'seen':>8} {'agent CPU':>10}")
    for backend in h.backends():
        best = 0
        for streams, interval in ((4, 500), (16, 300), (1, 0), (2, 0), (4, 0), (8, 0), (64, 0)):
            per_s, lost, seen, cpu = one_rate(backend, streams, interval, seconds)
            say(f"  {backend:8} {streams:7} {per_s:10.0f} {lost:6.0f} {100 * seen:7.2f}% {100 * cpu:9.1f}%")
            if lost == 0:
                best = max(best, per_s)
        RESULTS[f"{backend}: highest event rate with 0 lost"] = {"unit": "1/s", "values": [best]}
        say(f"  {backend}: highest rate with 0 lost: {best:.0f} events/s")


# ---------------------------------------------------------------- a scrape, an export, a dead collector

def export_cost(series, rounds):
    say(f"one scrape, one export at {series} series (sets of label values, six in ten histograms: {12 * series} samples as"
        " text); budget of a scrape at 1 000: 10 ms")
    out = subprocess.run(on_cpu(1, [EXPORT_COST, str(series), str(rounds)]), check=True, stdout=subprocess.PIPE).stdout
    for row in map(json.loads, out.splitlines()):
        if "ms" not in row:
            continue
        size, packed = row.get("bytes", 0), row.get("gzip_bytes", 0)
        report(f"{series}: {row['form']}" + (f", {size / 1024:.0f} KiB" if size else ""), row["ms"], " ms", 1)
        if packed:
            report(f"{series}:   gzip of it, {packed / 1024:.0f} KiB", row["gzip_ms"], " ms", 1)
    return row["bytes"]


@contextlib.contextmanager
def silent_collector():
    """Accepts every connection and never answers; its URL."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held = []

        def hold():
            with contextlib.suppress(OSError):
                while True:
                    held.append(listener.accept())

        threading.Thread(target=hold, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def closed_collector():
    yield f"http://127.0.0.1:{h.free_port()}"


def no_collector():
    return contextlib.nullcontext("")  # as the specification has it: an empty variable is none


def dead_collector(name, collector, seconds):
    """RSS of an agent that cannot deliver: before, and after each of three loads that its queues cannot hold."""
    with collector() as url, h.stream_server("--interval-us", "1000") as server:
        env = dict(os.environ, OTEL_METRIC_EXPORT_INTERVAL="1000", OTEL_EXPORTER_OTLP_ENDPOINT=url)
        with h.Agent("--pid", str(server.pid), "--traces.ratio", "1", "--traces.rate", "0", env=env) as agent:
            rss = [agent.settled_scrape().value("process_resident_memory_bytes") / 2**20]
            for _ in range(3):
                subprocess.run([h.LOADGEN, "--port", str(server.port), "--clients", "8", "--duration", str(seconds),
                                "--max-tokens", "2", "--json", os.devnull],
                               check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                after = agent.settled_scrape()
                rss.append(after.value("process_resident_memory_bytes") / 2**20)
            spans, records = (after.value("tokscope_export_dropped_total", signal=s) or 0 for s in ("traces", "logs"))
    RESULTS[f"RSS, collector: {name}"] = {"unit": "MiB", "values": rss}
    say(f"  collector: {name:47} {' -> '.join(f'{mib:.1f}' for mib in rss)} MiB;"
        f" {after.value('tokscope_requests_total'):.0f} requests, dropped {spans:.0f} spans, {records:.0f} records")


def export(rounds, seconds):
    for series in (1000, 10000):
        record = export_cost(series, rounds)
    say("agent RSS before, and after each of three loads; the queues hold 2 048 spans and 2 048 log records at most, "
        f"{record} bytes each: {2 * 2048 * record / 2**20:.1f} MiB; budget of all: 64 MiB")
    dead_collector("none, to compare with", no_collector, seconds)
    dead_collector("closed port", closed_collector, seconds)
    dead_collector("accepts, never answers", silent_collector, seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--once", action="store_true", help="one round of each")
    parser.add_argument("--json", metavar="FILE", help="write all values to FILE")
    parser.add_argument("section", nargs="*")
    a = parser.parse_args()
    sections = a.section or ["throughput", "packs", "syscalls", "probes", "cupti", "libcuda", "rate", "export", "vm"]
    if "throughput" in sections:
        throughput(4 if a.quick else 8, 3 if a.quick else 4)
    if "packs" in sections:
        packs(4 if a.quick else 12, 3 if a.quick else 5)
    if "syscalls" in sections:
        syscalls(1 if a.once else 3 if a.quick else 5)
    if "probes" in sections:
        probes(1 if a.once else 5 if a.quick else 9)
    if "cupti" in sections:
        cupti(1 if a.once else 5 if a.quick else 9)
    if "libcuda" in sections:
        libcuda(1 if a.once else 5 if a.quick else 9)
    if "rate" in sections:
        rate(2 if a.quick else 4)
    if "export" in sections:
        export(5 if a.quick else 15, 5 if a.quick else 15)
    if "vm" in sections:
        vm()
    if a.json:
        with open(a.json, "w") as f:
            json.dump(RESULTS, f, indent=2)


main()
