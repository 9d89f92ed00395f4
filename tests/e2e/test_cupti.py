#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""GPU work, from libtokscope_cupti.so through the kernel to metrics. CUDA and CUPTI are FAKES (tests/cupti/fake_*.c): this shows
that every record they make arrives and is measured, nothing of a GPU's or the real CUPTI's behaviour."""
import os
import shutil
import signal
import socket
import subprocess

import harness as h
from harness import equal, wait_for

LIBRARY = os.path.join(h.BUILD, "libtokscope_cupti.so")
PROGRAM = os.path.join(h.BUILD, "tests", "cupti", "program")
RUN = [h.TOKSCOPE, "run", "--"]
# Its device 1, where all the work is, is GPU 0, as the fake has them.
VISIBLE = "2,0"
GPU_0 = "GPU-" + "-".join("10" * n for n in (4, 2, 2, 2, 6))
# Of a kernel, copy or graph of the fake.
WORK_S = 1e-6


class Program:
    """A CUDA program that is a server, in so far as it listens: the socket is given to it."""

    def __init__(self, command=(*RUN, PROGRAM), **env):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
            os.set_inheritable(listener.fileno(), True)
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                pass_fds=[listener.fileno()], env={**os.environ, "CUDA_VISIBLE_DEVICES": VISIBLE, **env})
        equal(self.process.stdout.readline(), "ready\n")

    @property
    def pid(self):
        return self.process.pid

    def work(self, kernels):
        """Kernels, a copy and a graph; returns how many of them CUPTI was asked to record."""
        self.process.stdin.write(f"{kernels}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def execute_itself(self):
        self.process.stdin.write("anew\n")
        self.process.stdin.flush()
        equal(self.process.stdout.readline(), "ready\n")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def in_state(agent, state, count=1):
    wait_for(lambda: agent.scrape().value("tokscope_gpu_cupti_processes", state=state) == count,
             f"{count} libraries to be {state}: {agent.scrape().series('tokscope_gpu_cupti_processes')}", 30)


def kernels(agent):
    return agent.scrape().value("tokscope_gpu_kernel_duration_seconds_count") or 0


def told(agent, count):
    """Until so many kernels have arrived."""
    wait_for(lambda: kernels(agent) >= count, f"{count} kernels, have {kernels(agent)}", 30)
    equal(kernels(agent), count)


def lost(metrics):
    return {tuple(labels.values()): n
            for name in ("tokscope_events_lost_total", "tokscope_gpu_records_discarded_total",
                         "tokscope_gpu_cupti_lost_total")
            for labels, n in metrics.series(name) if n}


# ---------------------------------------------------------------- figures

def test_every_record_is_received_and_measured():
    with Program() as program, h.Agent("--port", str(program.port)) as agent:
        in_state(agent, "active")
        equal(program.work(3000), 3002)
        told(agent, 3000)
        wait_for(lambda: agent.scrape().value("tokscope_gpu_cupti_records_total") == 3002,
                 "the library's own count", 30)
        m = agent.settled_scrape()
        where = {"hw_id": GPU_0, "server_port": program.port}
        equal(m.value("tokscope_gpu_kernel_duration_seconds_count", **where), 3000)
        equal(round(m.value("tokscope_gpu_kernel_duration_seconds_sum", **where), 12), 3000 * WORK_S)
        equal(m.value("tokscope_gpu_graph_duration_seconds_count", **where), 1)
        equal(m.value("tokscope_gpu_memcpy_duration_seconds_count", kind="dtoh", **where), 1)
        equal(m.value("tokscope_gpu_memcpy_io_bytes_total", kind="dtoh", **where), 4096)
        equal({labels["kind"]: n for labels, n in m.series("tokscope_gpu_records_total") if n},
              {"kernel": 3000, "memcpy": 1, "graph": 1})
        # The copy and the graph lie within the first kernel; but for what the clocks are off by from flush to flush.
        busy = m.value("tokscope_gpu_busy_seconds_total", hw_id=GPU_0)
        assert 2900 * WORK_S < busy <= 3002 * WORK_S, busy
        equal(m.value("tokscope_gpu_cupti_records_total", server_port=program.port), 3002)
        # No launches were told, so none can be matched, which is known after some seconds; that is all.
        wait_for(lambda: ("unmatched_work",) in lost(agent.scrape()), "work without a launch to be settled", 30)
        equal(lost(agent.settled_scrape()), {("unmatched_work",): 3001})


def test_two_processes_are_told_apart():
    with Program() as one, Program() as two, \
            h.Agent("--port", str(one.port), "--port", str(two.port)) as agent:
        in_state(agent, "active", 2)
        equal(one.work(100), 102)
        equal(two.work(200), 202)
        told(agent, 300)
        m = agent.scrape()
        for program, count in ((one, 100), (two, 200)):
            equal(m.value("tokscope_gpu_kernel_duration_seconds_count", server_port=program.port), count)


# ---------------------------------------------------------------- who attaches, and when

def test_without_an_agent_only_graphs_are_recorded():
    """They must be on from the start (a graph made before is never recorded); their records are thrown away unread."""
    with Program() as program:
        equal(program.work(10), 1)
        with h.Agent("--port", str(program.port)) as agent:
            in_state(agent, "active")
            equal(program.work(10), 12)
            told(agent, 10)
        wait_for(lambda: program.work(10) == 1, "the library to see that the agent has gone")


def test_agent_that_does_not_want_it():
    with Program() as program, h.Agent("--port", str(program.port), "--cupti=false") as agent:
        agent.wait_server(program.port)
        equal(agent.settled_scrape().series("tokscope_gpu_cupti_processes"), [])
        equal(program.work(10), 1)


def test_killed_agent():
    """The kernel takes its probes off."""
    with Program() as program:
        agent = h.Agent("--port", str(program.port))
        in_state(agent, "active")
        agent.process.kill()
        agent.stop()
        wait_for(lambda: program.work(10) == 1, "the library to see that the agent has gone")


def test_a_later_agent_gets_the_names():
    """The first one was told them already."""
    with Program() as program:
        for _ in range(2):
            with h.Agent("--port", str(program.port)) as agent:
                in_state(agent, "active")
                equal(program.work(100), 102)
                told(agent, 100)
                equal(agent.settled_scrape().value("tokscope_gpu_records_discarded_total", reason="unnamed") or 0, 0)


def test_library_is_loaded_after_the_process_is_known():
    """The same process becomes another program, which loads it."""
    command = ["sh", "-c", f'echo ready; read go; exec {" ".join(RUN)} {PROGRAM}']
    with Program(command) as program, h.Agent("--port", str(program.port)) as agent:
        agent.wait_server(program.port)
        program.process.stdin.write("go\n")
        program.process.stdin.flush()
        equal(program.process.stdout.readline(), "ready\n")
        in_state(agent, "active")
        equal(program.work(50), 52)
        told(agent, 50)


def test_copies_of_the_library_are_found():
    """Each is another file to the kernel; one of them is no longer there."""
    with h.temporary_folder() as folder:
        copy = os.path.join(folder, os.path.basename(LIBRARY))
        shutil.copy(LIBRARY, copy)
        with Program() as one, Program([PROGRAM], CUDA_INJECTION64_PATH=copy) as two:
            os.unlink(copy)
            with h.Agent("--port", str(one.port), "--port", str(two.port)) as agent:
                in_state(agent, "active", 2)
                equal((one.work(10), two.work(20)), (12, 22))
                told(agent, 30)


def test_process_of_another_pid_namespace():
    unshare = shutil.which("unshare")
    if not unshare or subprocess.run([unshare, "--pid", "--fork", "true"], stderr=subprocess.DEVNULL).returncode:
        raise h.Skip("no pid namespace can be made here")
    with Program([unshare, "--pid", "--fork", "--mount-proc", *RUN, PROGRAM]) as program, \
            h.Agent("--port", str(program.port)) as agent:
        in_state(agent, "active")
        equal(program.work(10), 12)
        told(agent, 10)


def test_killed_process():
    with h.Agent("--port", "1") as agent:
        equal(agent.scrape().series("tokscope_gpu_cupti_processes"), [])
    with Program() as program, h.Agent("--port", str(program.port)) as agent:
        in_state(agent, "active")
        program.work(10)
        told(agent, 10)
        program.process.kill()
        in_state(agent, "active", 0)
        equal(lost(agent.settled_scrape()), {("unmatched_work",): 11})


def test_process_that_executes_an_image_with_the_library_again():
    with Program() as program, h.Agent("--port", str(program.port)) as agent:
        in_state(agent, "active")
        equal(program.work(10), 12)
        told(agent, 10)
        program.execute_itself()
        wait_for(lambda: agent.stderr().count(f"GPU work of process {program.pid} is traced") == 2, "probes in it", 30)
        wait_for(lambda: program.work(0) == 2, "its library to be asked for records", 30)
        equal(program.work(10), 12)
        told(agent, 20)
        in_state(agent, "active")


# ---------------------------------------------------------------- gpu release

def release(program, *args, **popen):
    p = subprocess.Popen([h.TOKSCOPE, "gpu", "release", "-p", str(program.pid), *args],
                         stdout=subprocess.PIPE, text=True, **popen)
    equal(p.stdout.readline(), f"process {program.pid} has released CUPTI\n")
    return p


def test_release_until_interrupted():
    h.need_root()
    with Program() as program, h.Agent("--port", str(program.port)) as agent:
        in_state(agent, "active")
        with release(program) as p:
            equal(program.work(10), 0)
            in_state(agent, "released")
            p.send_signal(signal.SIGINT)
            equal(p.wait(10), 0)
        in_state(agent, "active")
        equal(program.work(10), 12)
        told(agent, 10)


def test_release_for_a_command():
    h.need_root()
    with Program() as program:
        with release(program, "--", "sh", "-c", "exit 7") as p:
            equal(p.wait(10), 7)
        with release(program, "sh", "-c", "kill -9 $$") as p:
            equal(p.wait(10), 128 + 9)
        with release(program, "-d", "0.1") as p:
            equal(p.wait(10), 0)
        with release(program) as p:
            program.process.kill()
            equal(p.wait(10), 0)


def test_release_for_a_command_of_a_parent_that_ignores_sigchld():
    h.need_root()
    with Program() as program, \
            release(program, "sh", "-c", "exit 7",
                    preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN)) as p:
        equal(p.wait(10), 7)


def test_release_of_a_process_without_the_library():
    h.need_root()
    p = subprocess.run([h.TOKSCOPE, "gpu", "release", "-p", str(os.getpid())], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, text=True)
    equal((p.returncode, p.stdout), (1, ""))
    assert "has not loaded libtokscope_cupti.so" in p.stderr, p.stderr


# ---------------------------------------------------------------- run

def run(*args, **env):
    p = subprocess.run([h.TOKSCOPE, "run", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                       env={**os.environ, **env})
    return p.returncode, p.stdout, p.stderr


def test_run_keeps_the_program_as_it_is():
    show = 'echo "$CUDA_INJECTION64_PATH|$TOKSCOPE_CUPTI_MODE|$KEPT|$*"'
    equal(run("--", "sh", "-c", show + "; exit 5", "sh", "--port", "-x", KEPT="k"),
          (5, f"{LIBRARY}||k|--port -x\n", ""))
    equal(run("--mode", "node", "sh", "-c", show, "sh", "--mode", "x"), (0, f"{LIBRARY}|node||--mode x\n", ""))
    equal(run("sh", "-c", "kill -15 $$")[0], -signal.SIGTERM)


def test_run_accepts_its_own_library():
    with h.temporary_folder() as folder:
        link = os.path.join(folder, "injected.so")
        os.symlink(LIBRARY, link)
        for injected in (LIBRARY, link, "/elsewhere/libtokscope_cupti.so"):
            equal(run("sh", "-c", "echo $CUDA_INJECTION64_PATH", CUDA_INJECTION64_PATH=injected),
                  (0, os.path.realpath(LIBRARY) + "\n", ""))


def test_run_refuses():
    for status, said, args, env in (
            (126, "CUDA_INJECTION64_PATH is set already, to /x.so", ["true"], {"CUDA_INJECTION64_PATH": "/x.so"}),
            (127, "/nonexistent: No such file", ["/nonexistent"], {}),
            (126, "/: Permission denied", ["/"], {}),
            (2, "--mode all: expected graph", ["--mode", "all", "true"], {}),
            (2, "which program?", [], {})):
        code, out, err = run(*args, **env)
        equal((code, out), (status, ""))
        assert said in err, err


def test_run_finds_the_installed_library():
    with h.temporary_folder() as folder:
        os.makedirs(os.path.join(folder, "bin"))
        binary = shutil.copy(h.TOKSCOPE, os.path.join(folder, "bin"))
        command = [binary, "run", "sh", "-c", "echo $CUDA_INJECTION64_PATH"]
        p = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        equal((p.returncode, p.stdout), (126, ""))
        assert "libtokscope_cupti.so is neither beside" in p.stderr, p.stderr
        os.makedirs(os.path.join(folder, "lib", "tokscope"))
        there = shutil.copy(LIBRARY, os.path.join(folder, "lib", "tokscope"))
        equal(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout,
              os.path.realpath(there) + "\n")


h.main(__name__)
