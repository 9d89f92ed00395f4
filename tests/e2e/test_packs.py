#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Probe packs as a person uses them: the tutorial of docs/packs.md as it is written, `probe list`, `probe check`."""
import json
import os
import re
import shutil
import subprocess

import harness as h
from harness import equal

DOCS = os.path.join(h.ROOT, "docs", "packs.md")
HEADING = "## A pack for a toy C server"


def command(*args):
    return subprocess.run([h.TOKSCOPE, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def block(language):
    """The first block of code in that language behind the tutorial's heading."""
    with open(DOCS) as f:
        text = f.read().split(HEADING)[1]
    return re.search(rf"^```{language}\n(.*?)^```$", text, re.M | re.S).group(1)


class Toy:
    """The tutorial's files in a folder of their own: toy-server, packs/toy.yaml."""

    def __init__(self, folder):
        self.program = os.path.join(folder, "toy-server")
        self.packs = os.path.join(folder, "packs")
        self.pack = os.path.join(self.packs, "toy.yaml")
        source = os.path.join(folder, "toy-server.c")
        os.mkdir(self.packs)
        for path, text in ((source, block("c")), (self.pack, block("yaml"))):
            with open(path, "w") as f:
                f.write(text)
        if not shutil.which("cc"):
            raise h.Skip("no C compiler")
        subprocess.run(["cc", "-O1", "-o", self.program, source], check=True)


def test_tutorial():
    with h.temporary_folder() as folder:
        toy = Toy(folder)
        checked = command("probe", "check", toy.pack, "--binary", toy.program, "--json")
        equal(checked.returncode, 0, checked.stderr)
        equal([row["symbol"] for row in json.loads(checked.stdout)["sites"] if row["attaches"]],
              ["toy_work", "toy_done"])
        port = h.free_port()
        with h.Server([toy.program, str(port)], port=port) as server, h.Agent("--packs", toy.packs) as agent:
            equal(agent.wait_server(port)["server"], "toy")
            h.wait_for(lambda: agent.scrape().value("tokscope_probe_attached", probe="toy:done") == 1,
                       "the toy's probes to be attached")
            for _ in range(8):
                h.exchange(server, h.get("/"))
            scrape = agent.settled_scrape()
    equal(scrape.value("tokscope_engine_stage_duration_seconds_count", tokscope_server="toy", stage="decode"), 8.0)
    equal(scrape.value("tokscope_probe_events_total", probe="toy:jobs"), 8.0)
    # job.id % 4 + 1, from whichever job came first: two rounds of 1 to 4.
    equal(scrape.value("tokscope_engine_batch_tokens_sum", tokscope_server="toy"), 20.0)


def test_a_layout_that_is_another_one():
    """The pack's plausible range does not hold: the site is off, says so, and the server goes on."""
    with h.temporary_folder() as folder:
        toy = Toy(folder)
        with open(toy.pack) as f:
            text = f.read()
        with open(toy.pack, "w") as f:
            f.write(text.replace("range: [1, 1000]", "range: [100, 1000]"))
        port = h.free_port()
        with h.Server([toy.program, str(port)], port=port) as server, h.Agent("--packs", toy.packs) as agent:
            agent.wait_server(port)
            h.wait_for(lambda: agent.scrape().value("tokscope_probe_attached", probe="toy:work") == 1,
                       "the toy's probes to be attached")
            for _ in range(5):
                equal(h.exchange(server, h.get("/")).status, 200)
            scrape = agent.settled_scrape()
            assert "probe toy:work switched itself off: value 'tokens'" in agent.stderr(), agent.stderr()
    equal(scrape.value("tokscope_probe_attached", probe="toy:work"), 0.0)
    equal(scrape.value("tokscope_probe_discarded_total", probe="toy:work", reason="off"), 5.0)
    equal(scrape.value("tokscope_engine_batch_tokens_count", tokscope_server="toy"), None)
    equal(scrape.value("tokscope_probe_events_total", probe="toy:jobs"), 5.0)


def test_bad_pack_is_named_and_passed_over():
    with h.temporary_folder() as folder:
        toy = Toy(folder)
        bad = os.path.join(toy.packs, "bad.yaml")
        with open(bad, "w") as f:
            f.write("pack: bad\nprobs: []\n")
        checked = command("probe", "check", bad)
        equal(checked.returncode, 1)
        assert f"{bad}:2: " in checked.stderr and "did you mean 'probes'" in checked.stderr, checked
        listed = command("probe", "list", "--json", "--packs", toy.packs)
        names = {p["pack"] for p in json.loads(listed.stdout)}
        assert "toy" in names and "llama.cpp" in names and "bad" not in names, names
        assert f"{bad}:2: " in listed.stderr, listed


def test_built_in_packs():
    packs = {p["pack"]: p for p in json.loads(command("probe", "list", "--json").stdout)}
    for name in ("llama.cpp", "tokenizers", "triton", "vllm", "ollama", "sglang", "tgi", "transformers", "python"):
        assert name in packs, packs.keys()
        equal(packs[name]["origin"], "built in")


h.main(__name__)
