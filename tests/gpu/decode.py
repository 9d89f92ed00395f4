#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A decode-like loop on torch: layers of norm, qkv, attention and mlp, one CUDA graph replay and a wait a step.

Prints one line of JSON with the figures of tests/gpu/workload.c. Exit status 77: there is no torch, or no GPU for it.
"""
import argparse
import json
import sys
import time

EXIT_NO_GPU = 77
WARM_UP = 20
HEADS, CONTEXT, HEAD_SIZE = 12, 512, 128


def options():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--steps", type=int, default=2000)
    p.add_argument("--layers", type=int, default=28)
    p.add_argument("--batch", type=int, default=8)
    p.add_argument("--eager", action="store_true", help="launch each kernel instead of one graph")
    p.add_argument("--prof", action="store_true", help="count kernels and their time with torch.profiler")
    p.add_argument("--settle-ms", type=int, default=2000, help="from CUDA's initialisation to the first step")
    return p.parse_args()


def skip(why):
    print(json.dumps({"skip": str(why)}))
    sys.exit(EXIT_NO_GPU)


def make_step(torch, layers, batch):
    """A function that launches one step; its shapes are those of a model of 1.5 billion parameters."""
    hidden = HEADS * HEAD_SIZE
    functional = torch.nn.functional

    def matrix(*shape):
        return torch.randn(*shape, device="cuda", dtype=torch.bfloat16) * 0.02

    shapes = ((hidden, 3 * hidden), (hidden, hidden), (hidden, 4 * hidden), (4 * hidden, hidden))
    weights = [[matrix(*shape) for shape in shapes] for _ in range(layers)]
    cache, x = matrix(batch, HEADS, CONTEXT, HEAD_SIZE), matrix(batch, hidden)
    out = torch.empty_like(x)

    def step():
        y = x
        for qkv, project, up, down in weights:
            query = (functional.rms_norm(y, (hidden,)) @ qkv)[:, :hidden].view(batch, HEADS, 1, HEAD_SIZE)
            y = y + functional.scaled_dot_product_attention(query, cache, cache).reshape(batch, hidden) @ project
            y = y + functional.silu(functional.rms_norm(y, (hidden,)) @ up) @ down
        out.copy_(y)
    return step


def captured(torch, step):
    """The same step as one graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def loop(torch, run, steps):
    """Nanoseconds of each step on the CPU's side, and of all by CUDA's events."""
    times, event_ms = [], 0.0
    first, last = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    for _ in range(steps):
        start = time.monotonic_ns()
        first.record()
        run()
        last.record()
        torch.cuda.synchronize()
        times.append(time.monotonic_ns() - start)
        event_ms += first.elapsed_time(last)
    return times, event_ms


def profiled(torch, run, steps):
    from torch.profiler import ProfilerActivity, profile
    with profile(activities=[ProfilerActivity.CUDA]) as profiler:
        loop(torch, run, steps)
    kernels = [e for e in profiler.events() if str(e.device_type).endswith("CUDA")
               and not e.name.startswith(("Memcpy", "Memset"))]
    return {"kernels": len(kernels), "kernels_us": sum(e.device_time_total for e in kernels), "steps": steps}


def main():
    o = options()
    try:
        import torch
    except ImportError as why:
        skip(why)
    if not torch.cuda.is_available():
        skip("torch finds no CUDA device")
    torch.cuda.init()
    time.sleep(o.settle_ms / 1000)
    step = make_step(torch, o.layers, o.batch)
    run = step if o.eager else captured(torch, step)
    for _ in range(WARM_UP):
        run()
    torch.cuda.synchronize()
    if o.prof:
        print(json.dumps(profiled(torch, run, o.steps)))
        return
    free = [torch.cuda.mem_get_info()[0]]
    times, event_ms = loop(torch, run, o.steps)
    free.append(torch.cuda.mem_get_info()[0])
    ordered = sorted(times)
    print(json.dumps({"steps": o.steps, "warm_up": WARM_UP, "mean_us": sum(times) / o.steps / 1e3,
                      "p50_us": ordered[o.steps // 2] / 1e3, "p99_us": ordered[o.steps * 99 // 100] / 1e3,
                      "steps_per_s": o.steps * 1e9 / sum(times), "event_ns": event_ms * 1e6, "free_bytes": free}))


main()
