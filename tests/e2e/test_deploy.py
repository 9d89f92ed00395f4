#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""tools/deploy: what the manifests say must be what the program takes. `make install` puts all in its place."""
import os
import re
import shutil
import subprocess

import harness as h
from harness import equal

DEPLOY = os.path.join(h.ROOT, "tools", "deploy")
# Each one was left out in turn (tokscope.service says what fails); the kernel knows no others as CAP_*.
CAPABILITIES = {"BPF", "PERFMON", "SYS_PTRACE", "DAC_READ_SEARCH", "CHECKPOINT_RESTORE"}


def text(name):
    with open(os.path.join(DEPLOY, name)) as f:
        return f.read()


def agent_flags():
    out = subprocess.run([h.TOKSCOPE, "agent", "--help"], stdout=subprocess.PIPE, check=True).stdout.decode()
    return set(re.findall(r"^ +(?:-\w, )?(--[\w.-]+)", out, re.M))


def check_arguments(words):
    equal(words[0], "agent")
    flags = [w.split("=")[0] for w in words[1:]]
    equal([f for f in flags if f not in agent_flags()], [], "flags that the agent does not take")


def manifest():
    """The objects of daemonset.yaml, by kind."""
    try:
        import yaml
    except ImportError:
        raise h.Skip("python3-yaml is not installed (tools/setup test)")
    documents = list(yaml.safe_load_all(text("daemonset.yaml")))
    objects = {d["kind"]: d for d in documents}
    equal(len(objects), len(documents), "one object of each kind")
    return objects


def pod_and_container(objects):
    pod = objects["DaemonSet"]["spec"]["template"]["spec"]
    container, = pod["containers"]
    return pod, container


# ---------------------------------------------------------------- Kubernetes

def test_daemonset_runs_the_agent():
    pod, container = pod_and_container(manifest())
    check_arguments(container["args"])
    equal(pod["hostPID"], True)
    equal(set(container["securityContext"]["capabilities"]["add"]), CAPABILITIES)
    equal(container["securityContext"]["capabilities"]["drop"], ["ALL"])
    names = {e["name"] for e in container["env"]}
    assert "NODE_NAME" in names, names
    used = re.findall(r"\$\((\w+)\)", " ".join(container["args"]))
    assert used and set(used) <= names, (used, names)


def test_daemonset_is_scraped_and_probed_where_it_listens():
    objects = manifest()
    _, container = pod_and_container(objects)
    listen, = [a for a in container["args"] if a.startswith("--web.listen-address=")]
    port = int(listen.rsplit(":", 1)[1])
    equal([p["containerPort"] for p in container["ports"]], [port])
    notes = objects["DaemonSet"]["spec"]["template"]["metadata"]["annotations"]
    equal((notes["prometheus.io/port"], notes["prometheus.io/path"]), (str(port), "/metrics"))
    for probe in ("readinessProbe", "livenessProbe"):
        equal((container[probe]["httpGet"]["path"], container[probe]["httpGet"]["port"]),
              ("/healthz", container["ports"][0]["name"]), probe)


def test_objects_name_each_other():
    objects = manifest()
    namespace = objects["Namespace"]["metadata"]["name"]
    pod, container = pod_and_container(objects)
    account = objects["ServiceAccount"]["metadata"]
    equal(pod["serviceAccountName"], account["name"])
    equal(pod["priorityClassName"], objects["PriorityClass"]["metadata"]["name"])
    equal(objects["ClusterRoleBinding"]["subjects"],
          [{"kind": "ServiceAccount", "name": account["name"], "namespace": namespace}])
    equal(objects["ClusterRoleBinding"]["roleRef"]["name"], objects["ClusterRole"]["metadata"]["name"])
    for kind in ("ServiceAccount", "ConfigMap", "DaemonSet"):
        equal(objects[kind]["metadata"]["namespace"], namespace, kind)
    spec = objects["DaemonSet"]["spec"]
    equal(spec["selector"]["matchLabels"], spec["template"]["metadata"]["labels"])
    volume, = pod["volumes"]
    equal(volume["configMap"]["name"], objects["ConfigMap"]["metadata"]["name"])
    mount, = container["volumeMounts"]
    equal((mount["name"], mount["mountPath"]), (volume["name"], "/etc/tokscope"))


def test_the_right_is_the_one_that_is_asked_for():
    rule, = manifest()["ClusterRole"]["rules"]
    equal((rule["apiGroups"], rule["resources"]), ([""], ["pods"]))
    assert set(rule["verbs"]) <= {"get", "list"} and "list" in rule["verbs"], rule


def test_configuration_is_valid():
    objects = manifest()
    _, container = pod_and_container(objects)
    path, = [a.split("=")[1] for a in container["args"] if a.startswith("--config.file=")]
    data = objects["ConfigMap"]["data"]
    equal(os.path.join("/etc/tokscope", *data), path)
    with h.temporary_folder() as folder:
        path = os.path.join(folder, "tokscope.yaml")
        with open(path, "w") as f:
            f.write(data["tokscope.yaml"])
        p = subprocess.run([h.TOKSCOPE, "config", "check", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        equal(p.returncode, 0, p.stdout.decode())


# ---------------------------------------------------------------- systemd

def unit_values(unit, key):
    return re.findall(rf"^{key}=(.*)$", unit, re.M)


def test_unit():
    unit = text("tokscope.service")
    command, = unit_values(unit, "ExecStart")
    equal(command.split()[0], "/usr/local/bin/tokscope")
    check_arguments(command.split()[1:])
    equal(unit_values(unit, "Type"), ["notify"])
    bounds, = unit_values(unit, "CapabilityBoundingSet")
    equal(set(bounds.split()), {f"CAP_{c}" for c in CAPABILITIES})
    assert "char-195 rw" in unit_values(unit, "DeviceAllow"), "a GPU's driver may be loaded later"


def test_systemd_takes_the_unit():
    if not shutil.which("systemd-analyze"):
        raise h.Skip("systemd-analyze is not here")
    with h.temporary_folder() as folder:
        path = os.path.join(folder, "tokscope.service")
        unit = text("tokscope.service").replace("/usr/local/bin/tokscope", h.TOKSCOPE)
        with open(path, "w") as f:
            f.write(re.sub("^Documentation=.*\n", "", unit, flags=re.M))
        p = subprocess.run(["systemd-analyze", "verify", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        equal((p.returncode, p.stdout.decode()), (0, ""))


def test_the_agent_does_with_those_capabilities():
    """As the unit and the DaemonSet start it; the server belongs to another user."""
    h.need_root()
    if not shutil.which("setpriv"):
        raise h.Skip("setpriv is not here")
    with h.temporary_folder() as folder:
        wrapper = os.path.join(folder, "tokscope")
        bounds = ",".join(["-all"] + [f"+{c.lower()}" for c in sorted(CAPABILITIES)])
        with open(wrapper, "w") as f:
            f.write(f'#!/bin/sh\nexec setpriv --no-new-privs --bounding-set={bounds} --inh-caps=-all -- '
                    f'{h.TOKSCOPE} "$@"\n')
        os.chmod(wrapper, 0o755)
        port = h.free_port()
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
        with h.Server([*nobody, h.STREAM_SERVER, "--port", str(port)], port=port) as server, \
                h.Agent("--port", str(port), binary=wrapper) as agent:
            agent.wait_server(port)
            answer = h.exchange(server, h.chat(5))
            equal(agent.wait_records(1)[0]["content_events"], answer.content_events)
            assert "warn" not in agent.stderr(), agent.stderr()


# ---------------------------------------------------------------- what a server is injected by

LIBRARY = "/usr/local/lib/tokscope/libtokscope_cupti.so"
INJECTION = "CUDA_INJECTION64_PATH=" + LIBRARY


def injection(name):
    try:
        import yaml
    except ImportError:
        raise h.Skip("python3-yaml is not installed (tools/setup test)")
    return yaml.safe_load(text(name))


def test_cdi_specification():
    spec = injection("cdi.yaml")
    equal((spec["cdiVersion"], spec["kind"]), ("0.3.0", "tokscope.dev/cupti"))
    equal({d["name"]: d["containerEdits"] for d in spec["devices"]},
          {mode: {"env": [f"TOKSCOPE_CUPTI_MODE={mode}"]} for mode in ("graph", "node")})
    equal(spec["containerEdits"], {"env": [INJECTION], "mounts": [
        {"hostPath": LIBRARY, "containerPath": LIBRARY, "options": ["ro", "nosuid", "nodev", "bind"]}]})


def test_pod_patch():
    pod = injection("inject.yaml")["spec"]["template"]["spec"]
    container, = pod["containers"]
    env, = container["env"]
    equal(f"{env['name']}={env['value']}", INJECTION)
    mount, = container["volumeMounts"]
    volume, = pod["volumes"]
    equal((mount["name"], mount["mountPath"], mount["readOnly"]), (volume["name"], LIBRARY, True))
    equal(volume["hostPath"], {"path": LIBRARY, "type": "File"})


def test_drop_in():
    equal(unit_values(text("inject.conf"), "Environment"), [INJECTION])


# ---------------------------------------------------------------- make install

def test_install():
    with h.temporary_folder() as folder:
        # -o: what is installed is what is tested, whatever has changed since.
        built = [os.path.join(h.BUILD, name) for name in ("tokscope", "libtokscope_cupti.so")]
        subprocess.run(["make", "-s", "-C", h.ROOT, "-o", built[0], "-o", built[1], f"BUILD={h.BUILD}",
                        "PREFIX=/usr", f"DESTDIR={folder}", "install"], check=True, stdout=subprocess.DEVNULL)
        there = sorted(os.path.relpath(os.path.join(d, f), folder) for d, _, files in os.walk(folder) for f in files)
        equal(there, ["usr/bin/tokscope", "usr/lib/systemd/system/tokscope.service",
                      "usr/lib/tokscope/libtokscope_cupti.so",
                      "usr/share/doc/tokscope/tokscope.yaml", "usr/share/man/man8/tokscope.8"])
        with open(os.path.join(folder, "usr/lib/systemd/system/tokscope.service")) as f:
            equal(unit_values(f.read(), "ExecStart"), ["/usr/bin/tokscope agent"])
        sample = os.path.join(folder, "usr/share/doc/tokscope/tokscope.yaml")
        equal(subprocess.run([h.TOKSCOPE, "config", "check", sample], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL).returncode, 0)


h.main(__name__)
