#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""GPUs by NVML without a GPU: a FAKE libnvidia-ml.so.1 (tests/nvml/fake_nvml.c) whose answers stand in a file, exact values
on /metrics; and NVIDIA's own library, which finds no driver here and must do no harm.
"""
import contextlib
import functools
import glob
import os
import subprocess
import sys

import harness as h
from harness import equal

FAKE = os.path.join(h.BUILD, "tests", "nvml")
SOURCES = os.path.join(h.ROOT, "tests", "nvml")

H100, L4 = "NVIDIA H100 80GB HBM3", "NVIDIA L4"
IDLE = {"count": 2, "0.uuid": "GPU-aa", "0.name": H100, "1.uuid": "GPU-bb", "1.name": L4}
BUSY = {**IDLE, "0.utilization": 37, "0.memory.total": 85520809984, "0.memory.used": 1073741824, "0.power": 231500,
        "0.temperature": 41, "0.ecc.0.0": 7, "0.ecc.1.0": 2, "0.clock.0": 1980, "0.clock.1": 1755, "0.clock.2": 2619,
        "0.clock.3": 1545, "1.temperature": 30, "1.utilization": 0}
# What the above is on /metrics: family, labels beside the GPU's, value.
WANT_0 = {("hw_gpu_utilization_ratio", ()): 0.37,
          ("hw_gpu_memory_usage_bytes", ()): 1073741824,
          ("hw_gpu_memory_limit_bytes", ()): 85520809984,
          ("hw_power_watts", (("hw_type", "gpu"),)): 231.5,
          ("hw_temperature_celsius", ()): 41,
          ("hw_errors_total", (("error_type", "corrected"), ("hw_type", "gpu"))): 7,
          ("hw_errors_total", (("error_type", "uncorrected"), ("hw_type", "gpu"))): 2,
          ("tokscope_gpu_clock_frequency_hertz", (("clock", "graphics"),)): 1980e6,
          ("tokscope_gpu_clock_frequency_hertz", (("clock", "sm"),)): 1755e6,
          ("tokscope_gpu_clock_frequency_hertz", (("clock", "memory"),)): 2619e6,
          ("tokscope_gpu_clock_frequency_hertz", (("clock", "video"),)): 1545e6}
WANT_1 = {("hw_temperature_celsius", ()): 30, ("hw_gpu_utilization_ratio", ()): 0}
IDENTITY = ("gpu", "hw_id", "hw_name")


class Gpus:
    """The fake's answers, and an agent that reads them ten times a second."""

    def __init__(self, answers, *options, agent=("--nvml", "on")):
        self.options = ("--nvml-path", FAKE, "--nvml-interval", "100ms", *agent, *options)
        self.answers = answers

    def say(self, answers):
        with open(self.path + ".next", "w") as f:
            f.writelines(f"{key}={value}\n" for key, value in answers.items())
        os.rename(self.path + ".next", self.path)

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.path = os.path.join(stack.enter_context(h.temporary_folder()), "answers")
            self.say(self.answers)
            self.agent = stack.enter_context(h.Agent(*self.options, env={**os.environ, "FAKE_NVML": self.path}))
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *exc):
        return self.stack.__exit__(*exc)

    def wait(self, condition, what, timeout=10):
        """The first scrape that fulfils the condition."""
        def look():
            metrics = self.agent.scrape()
            return metrics if condition(metrics) else None
        return h.wait_for(look, what, timeout)

    def wait_read(self):
        return self.wait(lambda m: m.series("tokscope_gpu_info"), "GPUs on /metrics")


def values(metrics, gpu):
    """All that /metrics says of one GPU's figures."""
    families = ("hw_", "tokscope_gpu_clock_")
    return {(name, tuple(sorted((k, v) for k, v in labels.items() if k not in IDENTITY))): value
            for name, labels, value in metrics.samples if name.startswith(families) and labels["gpu"] == gpu}


def failures(metrics):
    return {l["error_type"]: v for l, v in metrics.series("tokscope_gpu_nvml_failures_total")}


def info(metrics):
    return sorted(tuple(l.get(k) for k in ("gpu", "UUID", "hw_id", "GPU_I_ID", "GPU_I_PROFILE"))
                  for l, v in metrics.series("tokscope_gpu_info") if v == 1)


def hardware(metrics):
    return [s for s in metrics.samples if s[0].startswith(("hw_", "tokscope_gpu_clock", "tokscope_gpu_info",
                                                           "tokscope_gpu_xid", "tokscope_gpu_nvml"))]


# ---------------------------------------------------------------- values

def test_values_and_units():
    with Gpus(BUSY) as gpus:
        metrics = gpus.wait_read()
        equal(values(metrics, "0"), WANT_0)
        equal(values(metrics, "1"), WANT_1)
        equal({tuple(l.get(k) for k in IDENTITY) for l, _ in metrics.series("hw_temperature_celsius")},
              {("0", "GPU-aa", H100), ("1", "GPU-bb", L4)})
        equal(info(metrics), [("0", "GPU-aa", "GPU-aa", None, None), ("1", "GPU-bb", "GPU-bb", None, None)])
        equal(failures(metrics), {})
        equal(metrics.series("tokscope_gpu_xid_errors_total"), [])
        assert "GPUs are read from NVML, driver 999.1-fake" in gpus.agent.stderr()


def test_values_follow():
    with Gpus(BUSY) as gpus:
        gpus.wait_read()
        gpus.say({**BUSY, "0.power": 99000})
        metrics = gpus.wait(lambda m: m.value("hw_power_watts", gpu=0) == 99, "the new power")
        equal(values(metrics, "0"), {**WANT_0, ("hw_power_watts", (("hw_type", "gpu"),)): 99})


def test_exposition_is_sound():
    with Gpus({**BUSY, "xids": "0:31"}) as gpus:
        gpus.wait(lambda m: m.series("tokscope_gpu_xid_errors_total"), "the Xid")
        text = gpus.agent.http("/metrics")[1]
        openmetrics = gpus.agent.http("/metrics", "Accept: application/openmetrics-text;version=1.0.0\r\n")[1]
    p = subprocess.run([sys.executable, os.path.join(h.ROOT, "tests", "e2e", "check_openmetrics.py")],
                       input=openmetrics, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    equal(p.returncode, 0, p.stdout.decode())
    promtool = os.path.join(h.BUILD, "promtool", "usr", "bin", "promtool")
    if not os.path.exists(promtool):
        raise h.Skip("promtool is not here (tools/setup test)")
    p = subprocess.run([promtool, "check", "metrics"], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    equal((p.returncode, p.stdout.decode()), (0, ""))


def test_instances_join():
    mig = {**IDLE, "0.mig": 1, "0.mig.0.uuid": "MIG-11", "0.mig.0.instance": 9, "0.mig.0.name": f"{H100} MIG 1g.10gb"}
    with Gpus(mig) as gpus:
        equal(info(gpus.wait_read()), [("0", "GPU-aa", "GPU-aa", None, None), ("0", "GPU-aa", "MIG-11", "9", "1g.10gb"),
                                       ("1", "GPU-bb", "GPU-bb", None, None)])
        gpus.say(IDLE)
        gpus.wait(lambda m: info(m) == [("0", "GPU-aa", "GPU-aa", None, None), ("1", "GPU-bb", "GPU-bb", None, None)],
                  "the instance to go")


# ---------------------------------------------------------------- failures

def test_a_gpu_is_lost():
    """Its values go, its Xid and what failed are counted, the other GPU is read on."""
    with Gpus(BUSY) as gpus:
        gpus.wait_read()
        lost = {key: "!15" if key.startswith("0.") and key not in ("0.uuid", "0.name") else value
                for key, value in BUSY.items()}
        gpus.say({**lost, "xids": "0:79,0:79,1:31"})
        metrics = gpus.wait(lambda m: not values(m, "0"), "the values to go")
        equal(values(metrics, "1"), WANT_1)
        metrics = gpus.wait(lambda m: m.value("tokscope_gpu_xid_errors_total") == 3, "the Xids")
        equal({(l["gpu"], l["hw_id"], l["hw_name"], l["xid"]): v
               for l, v in metrics.series("tokscope_gpu_xid_errors_total")},
              {("0", "GPU-aa", H100, "79"): 2, ("1", "GPU-bb", L4, "31"): 1})
        equal(list(failures(metrics)), ["gpu_is_lost"])
        gpus.say(BUSY)
        gpus.wait(lambda m: values(m, "0") == WANT_0, "the values to come back")


def test_a_driver_that_hangs():
    """Tracing goes on, figures are withdrawn, it is said once and counted, and the agent stops when told."""
    with Gpus(BUSY) as gpus:
        gpus.wait_read()
        gpus.say({**BUSY, "hang": "temperature"})
        metrics = gpus.wait(lambda m: not values(m, "0"), "NVML to stand down", timeout=30)
        equal((values(metrics, "1"), failures(metrics)), ({}, {"stalled": 1}))
        equal(len(info(metrics)), 2)
        equal(gpus.agent.http("/healthz")[0].split()[1], "200")
        equal(gpus.agent.stderr().count("NVML hangs in nvmlDeviceGetTemperature"), 1)
        received = metrics.value("process_cpu_seconds_total")
        gpus.wait(lambda m: m.value("process_cpu_seconds_total") > received, "the agent to go on")
        equal(gpus.agent.stop(), 0)


def test_a_driver_that_is_slow():
    """What the GPUs are called stays until they are read again; then figures come back, and what is gone is taken back."""
    mig = {**BUSY, "0.mig": 1, "0.mig.0.uuid": "MIG-11", "0.mig.0.instance": 9, "0.mig.0.name": f"{H100} MIG 1g.10gb"}
    with Gpus(mig) as gpus:
        named = info(gpus.wait_read())
        equal(len(named), 3)
        gpus.say({**mig, "hang": "temperature"})
        metrics = gpus.wait(failures, "the hang to be noticed", timeout=30)
        equal((values(metrics, "0"), info(metrics)), ({}, named))
        gpus.say(BUSY)
        metrics = gpus.wait(lambda m: values(m, "0") == WANT_0 and len(info(m)) == 2, "the GPUs to be read again")
        equal(info(metrics), [row for row in named if row[2] != "MIG-11"])
        equal(failures(metrics), {"stalled": 1})
        assert "NVML answers again" in gpus.agent.stderr()


def test_it_cannot_be_initialised():
    with Gpus({**BUSY, "init": "!18"}) as gpus:
        metrics = gpus.wait(failures, "the failure")
        equal((failures(metrics), [s for s in hardware(metrics) if not s[0].endswith("failures_total")]),
              ({"version_mismatch": 1}, []))
        assert "GPUs cannot be read from NVML: nvmlInit_v2 returned 18 (version_mismatch)" in gpus.agent.stderr()


# ---------------------------------------------------------------- wanted or not

@contextlib.contextmanager
def dcgm_exporter():
    """A process of that name."""
    with h.temporary_folder() as folder:
        path = os.path.join(folder, "dcgm-exporter")
        os.symlink("/bin/sleep", path)
        process = subprocess.Popen([path, "1000"])
        try:
            yield
        finally:
            process.kill()
            process.wait()


def test_off():
    with Gpus(BUSY, agent=("--nvml", "off")) as gpus:
        equal(hardware(gpus.agent.settled_scrape()), [])
        assert "NVML" not in gpus.agent.stderr()


def test_beside_dcgm_exporter():
    with dcgm_exporter():
        with Gpus(BUSY, agent=()) as gpus:
            h.wait_for(lambda: "dcgm-exporter runs here and has them" in gpus.agent.stderr(), "the agent to say so")
            equal(hardware(gpus.agent.settled_scrape()), [])
        with Gpus(BUSY) as gpus:
            equal(values(gpus.wait_read(), "0"), WANT_0)


def need_no_driver():
    if os.path.exists("/proc/driver/nvidia"):
        raise h.Skip("there is an NVIDIA driver here")


def test_absent_is_silent():
    need_no_driver()
    with h.Agent() as agent:
        equal(hardware(agent.settled_scrape()), [])
        assert "NVML" not in agent.stderr(), agent.stderr()


def test_asked_for_in_vain():
    need_no_driver()
    with h.temporary_folder() as folder, h.Agent("--nvml", "on", "--nvml-path", folder) as agent:
        h.wait_for(lambda: f"GPUs cannot be read from NVML: {folder}/libnvidia-ml.so.1: cannot open" in agent.stderr(),
                   "the agent to say so")


def probed(*options, env=None):
    """The line of `feature probe`."""
    h.need_root()
    out = subprocess.run([h.TOKSCOPE, "feature", "probe", *options], stdout=subprocess.PIPE, check=True, env=env).stdout
    row, = [line.split() for line in out.decode().splitlines() if line.startswith("nvml ")]
    return " ".join(row)


def test_feature_probe():
    need_no_driver()
    equal(probed(), "nvml no figures of GPUs themselves no NVIDIA driver is loaded here")


def test_feature_probe_asks_the_library_that_is_configured():
    with h.temporary_folder() as folder:
        answers, settings = (os.path.join(folder, name) for name in ("answers", "tokscope.yaml"))
        env = {**os.environ, "FAKE_NVML": answers}
        with open(settings, "w") as f:
            f.write(f"gpu:\n  nvml_path: {FAKE}\n")
        for text, want in (("count=1\n0.uuid=GPU-aa\n", "yes figures of GPUs themselves 1 GPUs, driver 999.1-fake"),
                           ("hang=count\n", "no figures of GPUs themselves the driver hangs in nvmlDeviceGetCount_v2")):
            with open(answers, "w") as f:
                f.write(text)
            for options in (("--nvml-path", FAKE), ("--config.file", settings)):
                equal(probed(*options, env=env), f"nvml {want}")


# ---------------------------------------------------------------- NVIDIA's own library

@functools.lru_cache(maxsize=None)
def real():
    """The folders of libnvidia-ml.so.1 and of nvml.h, of drivers 535 and 550."""
    cuda = os.path.join(h.BUILD, "cuda")
    p = subprocess.run([os.path.join(h.ROOT, "tools", "fetch_cuda"), cuda, "libnvidia-ml1", "libnvidia-ml-dev"],
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if p.returncode:
        raise h.Skip(p.stderr.decode().strip().splitlines()[-1])
    libraries, headers = (sorted(glob.glob(os.path.join(cuda, "*", path))) for path in (
        "libnvidia-ml1/usr/lib/*/nvidia/current", "libnvidia-ml-dev/usr/include"))
    equal((len(libraries), len(headers)), (2, 2))
    return libraries, headers


def test_the_real_library_without_a_driver():
    need_no_driver()
    for folder in real()[0]:
        with h.Agent("--nvml", "on", "--nvml-path", folder) as agent:
            h.wait_for(lambda: "its library is here, but no driver is loaded" in agent.stderr(), "the agent to say so")
            equal(hardware(agent.settled_scrape()), [])
            equal(agent.stop(), 0)
        with h.Agent("--nvml-path", folder) as agent:
            equal(hardware(agent.settled_scrape()), [])
            assert "NVML" not in agent.stderr(), agent.stderr()


def test_the_abi_is_that_of_the_real_header():
    for folder in real()[1]:
        p = subprocess.run(["cc", "-fsyntax-only", "-Wall", "-Werror", f"-I{h.ROOT}/user", f"-I{folder}",
                            os.path.join(SOURCES, "abi_check.c")], stderr=subprocess.PIPE)
        equal((p.returncode, p.stderr.decode()), (0, ""))


if __name__ == "__main__":
    h.main(__name__)
