#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The packs cuda and nccl: each probe attaches to the real driver libraries, and counts each call and byte, without a GPU."""
import contextlib
import json
import os
import subprocess

import gpu_calls
import harness as h
from harness import equal

BRANCHES = ("535", "550")
BYTES = 4096
NOT_INITIALIZED = "3"  # CUDA_ERROR_NOT_INITIALIZED: what the real library answers before cuInit()
# In neither library: cuCtxSynchronize_v2 came with CUDA 13, cuMemcpyBatchAsync with 12.8.
LATER = {"cuMemcpyBatchAsync", "cuMemcpyBatchAsync.return"}
# The argument that is the size, counted from 0. What is not here has none.
SIZE = {"cuMemAlloc": 1, "cuMemAllocManaged": 1, "cuMemAllocAsync": 1, "cuMemAllocFromPoolAsync": 1, "cuMemAllocHost": 1,
        "cuMemHostAlloc": 1, "cuMemAddressReserve": 1, "cuMemCreate": 1, "cuMemMap": 1, "cuMemUnmap": 1, "cuMemcpy": 2,
        "cuMemcpyAsync": 2, "cuMemcpyHtoDAsync": 2, "cuMemcpyDtoHAsync": 2, "cuMemcpyDtoDAsync": 2, "cuMemcpyHtoD": 2,
        "cuMemcpyDtoH": 2, "cuMemcpyDtoD": 2, "cuMemcpyPeerAsync": 4}


def probes_of(pack):
    packs = json.loads(subprocess.run([h.TOKSCOPE, "probe", "list", "--json"], check=True, stdout=subprocess.PIPE).stdout)
    return next(p for p in packs if p["pack"] == pack)["probes"]


@contextlib.contextmanager
def traced(library, pack, *agent_args):
    """A caller of the library, and an agent that has attached all of the pack."""
    with gpu_calls.Caller(library) as caller, h.Agent("--pid", str(caller.pid), *agent_args) as agent:
        agent.wait_server(caller.port)
        h.wait_for(lambda: agent.scrape().value("tokscope_probe_attached", probe=pack), f"{pack} to be attached")
        yield caller, agent


def arguments(size_at):
    return [BYTES if i == size_at else 0 for i in range(7)]


def no_losses(scrape):
    equal(scrape.series("tokscope_probe_discarded_total"), [])
    equal(scrape.series("tokscope_probe_shed_total"), [])
    equal([labels["probe"] for labels, places in scrape.series("tokscope_probe_refused") if places], [])
    equal(scrape.value("tokscope_events_lost_total"), 0.0)


def call_all(caller, apis):
    """Each exported name of each API a different number of times; the calls that each API has got."""
    times, calls = 0, {}
    for api in apis:
        for symbol in api["patterns"]:
            times += 1
            result = caller.tell("call", symbol, times, *arguments(SIZE.get(api["name"])))
            if result != "missing":
                assert result != "0", symbol
                calls[api["name"]] = calls.get(api["name"], 0) + times
    return calls


def every_probe_counts(branch):
    probes = probes_of("cuda")
    with traced(gpu_calls.libcuda(branch), "cuda:cuMemcpyPeerAsync.return") as (caller, agent):
        calls = call_all(caller, [p for p in probes if p["at"] == "entry"])
        api, times = list(calls.items())[-1]
        h.wait_for(lambda: agent.scrape().value("tokscope_gpu_api_calls_total", api=api) == times, "the last call to be counted")
        scrape = agent.settled_scrape()
    equal({p["name"] for p in probes if not scrape.value("tokscope_probe_attached", probe=f"cuda:{p['name']}")}, LATER)
    for api, times in calls.items():
        equal(scrape.value("tokscope_gpu_api_calls_total", api=api), float(times), api)
        equal(scrape.value("tokscope_probe_hits_total", probe=f"cuda:{api}"), float(times), api)
        timed = any(p["name"] == f"{api}.return" for p in probes)
        equal(scrape.value("tokscope_gpu_api_duration_seconds_count", api=api), float(times) if timed else None, api)
        equal(scrape.value("tokscope_gpu_api_io_bytes_total", api=api), float(times * BYTES) if api in SIZE else None, api)
    equal(len(calls), 33)
    no_losses(scrape)


def test_every_probe_counts_535():
    every_probe_counts("535")


def test_every_probe_counts_550():
    every_probe_counts("550")


def test_the_instruction_is_the_jump_of_the_thunk():
    """10 bytes behind each entry, as the library's own symbols say them."""
    for branch in BRANCHES:
        out = subprocess.run([h.TOKSCOPE, "probe", "check", "cuda", "--binary", gpu_calls.libcuda(branch), "--json"],
                             check=True, stdout=subprocess.PIPE).stdout
        sites = [s for s in json.loads(out)["sites"] if s["attaches"]]
        equal({(s["instruction"], s["cost"]) for s in sites}, {("jcc", "emulated")})
        equal({s["offset"] % 16 for s in sites}, {10}, "thunks are aligned to 16 bytes")
        equal({s["probe"] for s in json.loads(out)["sites"] if not s["attaches"]}, LATER)


def test_calls_through_cu_get_proc_address():
    """How cudart and torch find the functions: by unversioned names, which lead to the newest version."""
    for branch in BRANCHES:
        with traced(gpu_calls.libcuda(branch), "cuda:cuMemcpyHtoDAsync") as (caller, agent):
            asked = {"cuLaunchKernel": 5, "cuGraphLaunch": 6, "cuStreamSynchronize": 7, "cuMemAlloc": 8, "cuMemFree": 9,
                     "cuMemcpyHtoDAsync": 10}
            for api, times in asked.items():
                equal(caller.tell("ask", api, times), NOT_INITIALIZED, api)
            scrape = agent.settled_scrape()
        equal({api: scrape.value("tokscope_gpu_api_calls_total", api=api) for api in asked},
              {api: float(times) for api, times in asked.items()}, branch)


def test_gap_between_a_wait_and_the_next_launch():
    with traced(gpu_calls.libcuda("550"), "cuda:cuStreamSynchronize.return") as (caller, agent):
        for _ in range(4):
            caller.tell("call", "cuStreamSynchronize", 2)  # the gap is that behind the second
            caller.tell("call", "cuGraphLaunch", 3)        # and ends with the first
        scrape = agent.settled_scrape()
    equal(scrape.value("tokscope_gpu_api_gap_seconds_count"), 4.0)
    equal(scrape.value("tokscope_gpu_api_duration_seconds_count", api="cuStreamSynchronize"), 8.0)
    no_losses(scrape)


def test_no_size_is_passed_over():
    with traced(gpu_calls.libcuda("550"), "cuda:cuMemAlloc") as (caller, agent):
        caller.tell("call", "cuMemAlloc_v2", 1, 0, 1 << 48)
        caller.tell("call", "cuMemAlloc_v2", 2, 0, (1 << 48) - 1)
        scrape = agent.settled_scrape()
    equal(scrape.value("tokscope_gpu_api_calls_total", api="cuMemAlloc"), 2.0)
    equal(scrape.value("tokscope_gpu_api_io_bytes_total", api="cuMemAlloc"), 2.0 * ((1 << 48) - 1))


def test_launches_that_cost_too_much_are_taken_off():
    """The busiest place goes, its launches go on, and the others stay."""
    with traced(gpu_calls.libcuda("550"), "cuda:cuLaunchKernel", "--probe-budget", "0.01") as (caller, agent):
        h.wait_for(lambda: caller.tell("call", "cuLaunchKernel", 20000) == NOT_INITIALIZED and
                   agent.scrape().value("tokscope_probe_shed_total", probe="cuda:cuLaunchKernel"),
                   "the probe on cuLaunchKernel to be taken off", 60)
        equal(caller.tell("call", "cuGraphLaunch", 3), NOT_INITIALIZED)
        scrape = agent.settled_scrape()
    equal(scrape.value("tokscope_gpu_api_calls_total", api="cuGraphLaunch"), 3.0)
    equal([labels["probe"] for labels, _ in scrape.series("tokscope_probe_shed_total")], ["cuda:cuLaunchKernel"])


def test_a_call_and_its_return_are_taken_off_together():
    """Half of the pair would count a loss at every call, and give its time to the next call."""
    pair = ["cuda:cuStreamSynchronize", "cuda:cuStreamSynchronize.return"]
    with traced(gpu_calls.libcuda("550"), pair[1], "--probe-budget", "0.01") as (caller, agent):
        h.wait_for(lambda: caller.tell("call", "cuStreamSynchronize", 10000) == NOT_INITIALIZED and
                   agent.scrape().value("tokscope_probe_shed_total", probe=pair[0]), "the probes to be taken off", 60)
        caller.tell("call", "cuEventSynchronize", 3)
        scrape = agent.settled_scrape()
    equal([(labels["probe"], places) for labels, places in scrape.series("tokscope_probe_shed_total")],
          [(probe, 1.0) for probe in pair])
    equal(scrape.value("tokscope_gpu_api_duration_seconds_count", api="cuEventSynchronize"), 3.0)


def test_a_pack_that_is_left_out_is_named():
    """Where the kernel lacks what it takes for so many probes."""
    out = subprocess.run([h.TOKSCOPE, "feature", "probe", "--json"], check=True, stdout=subprocess.PIPE).stdout
    many, = [f["available"] for f in json.loads(out) if f["name"] == "uprobe_multi_pid"]
    with h.Agent() as agent:
        agent.settled_scrape()
        equal([pack for pack in ("cuda", "nccl") if f"pack {pack} is left out" in agent.stderr()], [] if many else ["cuda", "nccl"])


def test_nccl_calls_and_bytes():
    """A count times the size of its type, by a table in the pack; types that the pack does not know are passed over."""
    sizes = (1, 1, 4, 4, 8, 8, 2, 4, 8, 2, 1, 1)
    with gpu_calls.libnccl() as library, traced(library, "nccl:ncclGroupEnd.time.return", "--probes", "full") as (caller, agent):
        for kind in range(len(sizes) + 1):
            caller.tell("call", "ncclAllReduce", 2, 0, 0, 1000, kind)
            caller.tell("call", "ncclSend", 3, 0, 1000, kind)
        caller.tell("call", "ncclGroupEnd", 5)
        scrape = agent.settled_scrape()
    calls = {"ncclAllReduce": 2 * len(sizes), "ncclSend": 3 * len(sizes), "ncclGroupEnd": 5}
    equal({api: scrape.value("tokscope_gpu_api_calls_total", api=api) for api in calls}, calls)
    equal(scrape.value("tokscope_gpu_api_io_bytes_total", api="ncclAllReduce"), 2000.0 * sum(sizes))
    equal(scrape.value("tokscope_gpu_api_io_bytes_total", api="ncclSend"), 3000.0 * sum(sizes))
    timed = {"ncclAllReduce": 2 * (len(sizes) + 1), "ncclSend": 3 * (len(sizes) + 1), "ncclGroupEnd": 5}
    equal({api: scrape.value("tokscope_gpu_api_duration_seconds_count", api=api) for api in timed}, timed)
    no_losses(scrape)


h.main(__name__)
