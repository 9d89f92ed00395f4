#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The demo's table: what tokscope saw beside the client's own clock and the server's own account.

usage: demo_report.py CLIENT RECORDS AGENT_URL SERVER_URL

CLIENT is what `loadgen --json` wrote, RECORDS what `tokscope agent --records` wrote; both are joined by x-request-id.
Exit status 1: a count differs or an event was lost. Times are shown, never judged.
"""
import collections
import json
import math
import re
import sys
import urllib.parse
import urllib.request

# How far two clocks at both ends of one connection may be apart: design target, 1 ms + 1 % of the client's value.
TOLERANCE_S, TOLERANCE_RATIO = 1e-3, 0.01
OUTLIERS_SHOWN = 5
POINTS = (("p50", 0.50), ("p90", 0.90), ("p99", 0.99), ("max", 1.0))
SAMPLE = re.compile(r"^([\w:]+)(?:\{(.*)\})? (\S+)$", re.M)

# Measure, the client's key path, tokscope's key path (the same), what the server tells about it.
Measure = collections.namedtuple("Measure", "name path server_label server")


def prompt_s(timings):
    return timings["prompt_ms"] / 1e3


def per_token_s(timings):
    n = timings["predicted_n"]
    return timings["predicted_ms"] / 1e3 / (n - 1) if n > 1 else None


def busy_s(timings):
    return (timings["prompt_ms"] + timings["predicted_ms"]) / 1e3


MEASURES = (
    Measure("TTFT", ("ttft_s",), "server, prompt only", prompt_s),
    Measure("ITL, median of a request", ("itl_s", "p50"), None, None),
    Measure("ITL, p99 of a request", ("itl_s", "p99"), None, None),
    Measure("TPOT", ("tpot_s",), "server", per_token_s),
    Measure("duration", ("duration_s",), "server, without queue", busy_s),
)


class Scrape:
    """One read of a /metrics page."""

    def __init__(self, url):
        with urllib.request.urlopen(url, timeout=10) as answer:
            self.samples = SAMPLE.findall(answer.read().decode())

    def sum(self, *names, having=()):
        """Over the series of these names that have these labels; None where there is none."""
        values = [float(v) for n, labels, v in self.samples
                  if n in names and all(label in labels for label in having)]
        return sum(values) if values else None


def read_lines(path):
    with open(path) as f:
        return [json.loads(line) for line in f if line.endswith("\n")]


def dig(row, path):
    for key in path:
        row = row.get(key) if row else None
    return row


def percentile(ordered, q):
    """Nearest rank."""
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]


def total(rows, key):
    """Sum of what is known."""
    return sum(row[key] or 0 for row in rows)


# ---------------------------------------------------------------- times

def print_row(name, who, values):
    ordered = sorted(v for v in values if v is not None)
    if ordered:
        cells = "".join(f"{percentile(ordered, q) * 1e3:10.2f}" for _, q in POINTS)
        print(f"{name:26}{who:24}{cells}")


def print_times(pairs):
    print(f"\n{'milliseconds':26}{'':24}" + "".join(f"{name:>10}" for name, _ in POINTS))
    for m in MEASURES:
        print_row(m.name, "client", [dig(c, m.path) for c, _ in pairs])
        print_row("", "tokscope", [dig(r, m.path) for _, r in pairs])
        if m.server:
            print_row("", m.server_label, [m.server(c["timings"]) for c, _ in pairs if c["timings"]])


def print_agreement(pairs, key, name):
    both = [(c, r) for c, r in pairs if c[key] is not None and r[key] is not None]
    apart = [(c, r) for c, r in both
             if abs(r[key] - c[key]) > TOLERANCE_S + TOLERANCE_RATIO * c[key]]
    share = f"{100 * (1 - len(apart) / len(both)):.1f} %" if both else "none"
    print(f"{name:10}{len(both) - len(apart)} of {len(pairs)} requests within 1 ms + 1 % of the client ({share})")
    apart.sort(key=lambda cr: -abs(cr[1][key] - cr[0][key]))
    for c, r in apart[:OUTLIERS_SHOWN]:
        print(f"    {c['request_id']}: client {c[key] * 1e3:.2f} ms, tokscope {r[key] * 1e3:.2f} ms")
    if len(apart) > OUTLIERS_SHOWN:
        print(f"    and {len(apart) - OUTLIERS_SHOWN} more")
    return len(apart)


# ---------------------------------------------------------------- counts

def print_counts(client, records, agent, server, port):
    """Returns whether everything agrees."""
    def of_agent(name, *labels):
        return agent.sum(name, having=(f'server_port="{port}"', *labels)) or 0

    rows = (
        ("requests", len(client), server.sum("stream_server_requests_total"), len(records),
         of_agent("tokscope_requests_total")),
        ("events", total(client, "events"), server.sum("stream_server_events_total"),
         total(records, "events"), of_agent("tokscope_stream_events_total")),
        ("content events", total(client, "content_events"), server.sum("stream_server_content_events_total"),
         total(records, "content_events"), of_agent("tokscope_stream_events_total", 'kind="content"')),
        ("input tokens", total(client, "input_tokens"),
         server.sum("llamacpp:prompt_tokens_total", "llamacpp:prompt_tokens_cached_total",
                    "stream_server_input_tokens_total"),
         total(records, "input_tokens"), of_agent("tokscope_tokens_total", '_type="input"')),
        ("output tokens", total(client, "output_tokens"),
         server.sum("llamacpp:tokens_predicted_total", "stream_server_output_tokens_total"),
         total(records, "output_tokens"), of_agent("tokscope_tokens_total", '_type="output"')),
    )
    print(f"\n{'counts':18}{'client':>12}{'server':>12}{'records':>12}{'/metrics':>12}")
    exact = True
    for name, *values in rows:
        same = len({v for v in values if v is not None}) == 1
        exact = exact and same
        cells = "".join(f"{'-' if v is None else int(v):>12}" for v in values)
        print(f"{name:18}{cells}  {'equal' if same else 'DIFFERENT'}")
    return exact


def print_outcomes(client, records):
    for who, rows in (("client", client), ("tokscope", records)):
        found = collections.Counter(row["outcome"] for row in rows)
        print(f"outcomes, {who:9}" + ", ".join(f"{n} {outcome}" for outcome, n in sorted(found.items())))


def print_agent(agent):
    """Returns whether nothing was lost."""
    lost = agent.sum("tokscope_events_lost_total")
    print(f"tokscope_events_lost_total {lost:.0f}, tokscope_stream_gaps_total"
          f" {agent.sum('tokscope_stream_gaps_total'):.0f}; agent: {agent.sum('process_cpu_seconds_total'):.2f} s CPU,"
          f" {agent.sum('process_resident_memory_bytes') / 2**20:.0f} MiB resident")
    return lost == 0


def main():
    client_path, records_path, agent_url, server_url = sys.argv[1:]
    port = urllib.parse.urlsplit(server_url).port
    client, records = read_lines(client_path), [r for r in read_lines(records_path) if r["port"] == port]
    agent, server = Scrape(agent_url), Scrape(server_url)
    by_id = {r["request_id"]: r for r in records}
    pairs = [(c, by_id[c["request_id"]]) for c in client if c["request_id"] in by_id]
    print_times([(c, r) for c, r in pairs if c["outcome"] == r["outcome"] == "ok"])
    print()
    if print_agreement(pairs, "ttft_s", "TTFT") + print_agreement(pairs, "duration_s", "duration"):
        print("    tokscope counts from the server's read, the client from its own send: a request that waits to be"
              " read is older for the client")
    exact = print_counts(client, records, agent, server, port)
    print()
    print_outcomes(client, records)
    nothing_lost = print_agent(agent)
    return 0 if exact and nothing_lost and len(pairs) == len(client) else 1


if __name__ == "__main__":
    sys.exit(main())
