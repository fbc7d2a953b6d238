"""Pods on a real containerd."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time

import pytest

from steersman.api.types.core_v1 import ConfigMap, Node, Pod, Secret
from steersman.api.types.meta_v1 import DeleteOptions, ObjectMeta
from steersman.kubelet.logs import LogOptions, read_log

from .memory_api import ready

pytestmark = [pytest.mark.root, pytest.mark.containerd]

FOREVER = ["/bin/sh", "-c", "trap 'exit 0' TERM; while true; do sleep 1 & wait $!; done"]


async def logs_of(world, name: str, container: str = "main") -> str:
    from pathlib import Path

    actor = world.kubelet.find("default", name)
    path = Path(actor.record.containers[container][0].log_path)
    return b"".join([piece async for piece in read_log(path, LogOptions(), lambda: False)]).decode()


async def test_node_is_registered(world):
    node = await world.api.get(Node, "node-a")
    conditions = {each.type: each.status for each in node.status.conditions}
    assert conditions["Ready"] == "True", node.status.conditions
    assert node.status.allocatable["pods"] == "110"
    assert node.status.node_info.container_runtime_version.startswith("containerd://")


async def test_pod_runs_and_is_deleted(world):
    began = time.monotonic()
    await world.run("web", {"containers": [{"name": "main", "command": FOREVER}]})
    pod = await world.api.wait(Pod, "web", "default", ready)
    print("ready after", time.monotonic() - began)
    assert pod.status.phase == "Running"
    assert pod.status.pod_ip.startswith("10.250.")
    reasons = [reason for reason, _ in world.api.events("web")]
    assert {"Pulled", "Created", "Started"} <= set(reasons)
    began = time.monotonic()
    await world.api.delete(Pod, "web", "default", options=DeleteOptions(grace_period_seconds=5))
    await world.api.wait(Pod, "web", "default", lambda pod: pod is None)
    print("deleted after", time.monotonic() - began)
    assert not (world.config.pods_dir / pod.metadata.uid).exists()


async def test_configuration_reaches_the_container(world):
    await world.api.create(ConfigMap(metadata=ObjectMeta(name="settings", namespace="default"), data={"color": "blue"}))
    await world.api.create(Secret(metadata=ObjectMeta(name="hidden", namespace="default"), data={"key": b"xyzzy"}))
    script = (
        "cat /cfg/color; echo; cat /sec/key; echo; echo $GREETING $IP; hostname; cat /etc/resolv.conf; "
        "cat /tok/token; echo; cat /sub; echo; cat /me/labels; echo; id -u; echo done > /dev/termination-log"
    )
    await world.run(
        "conf",
        {
            "restartPolicy": "Never",
            "securityContext": {"runAsUser": 1000, "fsGroup": 2000},
            "volumes": [
                {"name": "cfg", "configMap": {"name": "settings"}},
                {"name": "sec", "secret": {"secretName": "hidden"}},
                {
                    "name": "me",
                    "downwardAPI": {"items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]},
                },
                {"name": "tok", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}},
                {"name": "scratch", "emptyDir": {"medium": "Memory"}},
            ],
            "initContainers": [
                {
                    "name": "init",
                    "command": ["/bin/sh", "-c", "echo made > /scratch/made"],
                    "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
                }
            ],
            "containers": [
                {
                    "name": "main",
                    "command": ["/bin/sh", "-c", script],
                    "env": [
                        {"name": "NAME", "value": "world"},
                        {"name": "GREETING", "value": "hello-$(NAME)"},
                        {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
                    ],
                    "volumeMounts": [
                        {"name": "cfg", "mountPath": "/cfg"},
                        {"name": "sec", "mountPath": "/sec"},
                        {"name": "me", "mountPath": "/me"},
                        {"name": "tok", "mountPath": "/tok"},
                        {"name": "scratch", "mountPath": "/sub", "subPath": "made"},
                    ],
                }
            ],
        },
        labels={"app": "conf"},
    )
    pod = await world.api.wait(Pod, "conf", "default", lambda pod: pod and pod.status.phase in ("Succeeded", "Failed"))
    output = await logs_of(world, "conf")
    assert pod.status.phase == "Succeeded", (output, pod.status.container_statuses)
    for expected in (
        "blue",
        "xyzzy",
        "hello-world 10.250.",
        "conf",
        "nameserver 10.96.0.10",
        "ndots:5",
        "token-of-default",
        "made",
        'app="conf"',
        "1000",
    ):
        assert expected in output
    terminated = pod.status.container_statuses[0].state.terminated
    assert (terminated.reason, terminated.message) == ("Completed", "done\n")
    assert next(each for each in pod.status.conditions if each.type == "Ready").reason == "PodCompleted"


async def test_killed_container_restarts_and_backs_off(world):
    await world.run("crash", {"containers": [{"name": "main", "command": ["/bin/sh", "-c", "exit 3"]}]})

    def crashing(pod):
        if pod is None or not pod.status.container_statuses:
            return False
        status = pod.status.container_statuses[0]
        waiting = status.state.waiting
        return waiting is not None and waiting.reason == "CrashLoopBackOff" and status.restart_count >= 1

    pod = await world.api.wait(Pod, "crash", "default", crashing)
    status = pod.status.container_statuses[0]
    assert status.last_state.terminated.exit_code == 3
    assert pod.status.phase == "Running"
    assert "back-off" in status.state.waiting.message


async def test_missing_image(world):
    await world.run("lost", {"containers": [{"name": "main", "image": "127.0.0.1:1/none:1"}]})

    def waits(reason):
        def check(pod):
            statuses = pod.status.container_statuses if pod else []
            return bool(statuses and statuses[0].state.waiting and statuses[0].state.waiting.reason == reason)

        return check

    await world.api.wait(Pod, "lost", "default", waits("ErrImagePull"))
    await world.api.wait(Pod, "lost", "default", waits("ImagePullBackOff"))
    await asyncio.sleep(0.2)
    messages = dict(world.api.events("lost"))
    assert messages["Pulling"] == 'Pulling image "127.0.0.1:1/none:1"'
    assert messages["BackOff"] == 'Back-off pulling image "127.0.0.1:1/none:1"'


async def test_liveness_and_readiness(world):
    script = "touch /tmp/live /tmp/ready; while true; do sleep 1; done"
    probe = {"periodSeconds": 1, "failureThreshold": 1}
    await world.run(
        "probed",
        {
            "terminationGracePeriodSeconds": 1,
            "containers": [
                {
                    "name": "main",
                    "command": ["/bin/sh", "-c", script],
                    "readinessProbe": {**probe, "exec": {"command": ["/bin/cat", "/tmp/ready"]}},
                    "livenessProbe": {
                        **probe,
                        "initialDelaySeconds": 2,
                        "exec": {"command": ["/bin/cat", "/tmp/live"]},
                    },
                }
            ],
        },
    )
    await world.api.wait(Pod, "probed", "default", ready)
    actor = world.kubelet.find("default", "probed")
    runtime = world.kubelet.host.runtime
    await runtime.exec_sync(actor.record.containers["main"][0].id, ["/bin/sh", "-c", "/bin/busybox rm /tmp/ready"], 5)
    await world.api.wait(Pod, "probed", "default", lambda pod: not ready(pod))
    await runtime.exec_sync(actor.record.containers["main"][0].id, ["/bin/sh", "-c", "/bin/busybox rm /tmp/live"], 5)
    await world.api.wait(Pod, "probed", "default", lambda pod: pod.status.container_statuses[0].restart_count == 1)
    await world.api.wait(Pod, "probed", "default", ready)


async def test_restart_of_the_kubelet_restarts_nothing(world):
    await world.run("steady", {"containers": [{"name": "main", "command": FOREVER}]})
    await world.run(
        "leaves", {"terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "command": FOREVER}]}
    )
    before = await world.api.wait(Pod, "steady", "default", ready)
    leaves = await world.api.wait(Pod, "leaves", "default", ready)
    await world.stop()
    await world.api.delete(Pod, "leaves", "default", options=DeleteOptions(grace_period_seconds=0))
    await world.start()
    actor = world.kubelet.find("default", "steady")
    async with asyncio.timeout(10):
        while not actor.record.containers:
            await asyncio.sleep(0.02)
    after = await world.api.get(Pod, "steady", "default")
    assert ready(after)
    assert after.status.container_statuses[0].container_id == before.status.container_statuses[0].container_id
    assert after.status.container_statuses[0].restart_count == 0
    assert await world.kubelet.host.runtime.list_sandboxes({"io.kubernetes.pod.uid": leaves.metadata.uid}) == []
    status = await world.kubelet.host.runtime.container_status(actor.record.containers["main"][0].id)
    assert status.state == 1
    # and a process killed with -9 comes back
    from steersman.kubelet.cgroups import processes_below

    current = actor.record.containers["main"][0].id
    group = f"{world.config.cgroup_root}/kubepods/besteffort/pod{after.metadata.uid}/{current}"
    for pid in processes_below(group):
        with contextlib.suppress(ProcessLookupError):  # with the container's first process, the others go
            os.kill(pid, signal.SIGKILL)
    await world.api.wait(
        Pod, "steady", "default", lambda pod: pod.status.container_statuses[0].restart_count == 1 and ready(pod)
    )


async def test_losing_the_api_stops_no_pod(world):
    await world.run("alone", {"containers": [{"name": "main", "command": FOREVER}]})
    await world.api.wait(Pod, "alone", "default", ready)
    world.api.down = True
    actor = world.kubelet.find("default", "alone")
    runtime = world.kubelet.host.runtime
    await runtime.stop_container(actor.record.containers["main"][0].id, 0)
    async with asyncio.timeout(20):
        while int(actor.record.containers["main"][0].annotations["io.kubernetes.container.restartCount"]) != 1:
            await asyncio.sleep(0.05)
    world.api.down = False
    await world.api.wait(Pod, "alone", "default", lambda pod: pod.status.container_statuses[0].restart_count == 1)


async def test_twenty_pods_at_once(world):
    began = time.monotonic()
    for index in range(20):
        spec = {"terminationGracePeriodSeconds": 1, "containers": [{"name": "main", "command": FOREVER}]}
        await world.run(f"pod-{index}", spec)
    for index in range(20):
        await world.api.wait(Pod, f"pod-{index}", "default", ready, timeout=60)
    print("twenty ready after", time.monotonic() - began)
    addresses = {(await world.api.get(Pod, f"pod-{index}", "default")).status.pod_ip for index in range(20)}
    assert len(addresses) == 20
    began = time.monotonic()
    for index in range(20):
        await world.api.delete(Pod, f"pod-{index}", "default")
    for index in range(20):
        await world.api.wait(Pod, f"pod-{index}", "default", lambda pod: pod is None, timeout=60)
    print("twenty gone after", time.monotonic() - began)
    async with asyncio.timeout(5):
        while world.kubelet.actors:
            await asyncio.sleep(0.01)


async def test_a_containerd_that_dies_comes_back_and_nothing_restarts(world):
    await world.run("steady", {"containers": [{"name": "main", "command": FOREVER}]})
    before = await world.api.wait(Pod, "steady", "default", ready)
    os.kill(int((world.config.root_dir / "containerd/containerd.pid").read_text()), signal.SIGKILL)
    await world.run("later", {"containers": [{"name": "main", "command": FOREVER}]})
    await world.api.wait(Pod, "later", "default", ready, timeout=60)
    after = await world.api.get(Pod, "steady", "default")
    assert after.status.container_statuses[0].container_id == before.status.container_statuses[0].container_id


async def test_sidecars_and_init_containers(world):
    await world.run(
        "staged",
        {
            "restartPolicy": "Never",
            "initContainers": [
                {"name": "side", "restartPolicy": "Always", "command": FOREVER},
                {"name": "first", "command": ["/bin/true"]},
            ],
            "containers": [{"name": "main", "command": ["/bin/sh", "-c", "sleep 1; exit 4"]}],
        },
    )
    pod = await world.api.wait(Pod, "staged", "default", lambda pod: pod and pod.status.phase == "Failed")
    assert pod.status.container_statuses[0].state.terminated.exit_code == 4
    assert pod.status.init_container_statuses[1].state.terminated.reason == "Completed"


async def test_hooks_and_deadline(world):
    handler = {"exec": {"command": ["/bin/sh", "-c", "echo started > /out/post"]}}
    stop = {"exec": {"command": ["/bin/sh", "-c", "echo stopped > /out/pre"]}}
    shared = world.root / "shared"
    await world.run(
        "hooked",
        {
            "terminationGracePeriodSeconds": 3,
            "activeDeadlineSeconds": 2,
            "volumes": [{"name": "out", "hostPath": {"path": str(shared), "type": "DirectoryOrCreate"}}],
            "containers": [
                {
                    "name": "main",
                    "command": FOREVER,
                    "lifecycle": {"postStart": handler, "preStop": stop},
                    "volumeMounts": [{"name": "out", "mountPath": "/out"}],
                }
            ],
        },
    )
    pod = await world.api.wait(Pod, "hooked", "default", lambda pod: pod and pod.status.phase == "Failed")
    assert pod.status.reason == "DeadlineExceeded"
    assert (shared / "post").read_text() == "started\n"
    assert (shared / "pre").read_text() == "stopped\n"


async def test_bad_configuration_is_named(world):
    source = {"configMapKeyRef": {"name": "absent", "key": "k"}}
    await world.run("wrong", {"containers": [{"name": "main", "env": [{"name": "A", "valueFrom": source}]}]})

    def named(pod):
        statuses = pod.status.container_statuses if pod else []
        waiting = statuses[0].state.waiting if statuses else None
        return waiting is not None and waiting.reason == "CreateContainerConfigError"

    pod = await world.api.wait(Pod, "wrong", "default", named)
    assert pod.status.container_statuses[0].state.waiting.message == 'configmap "absent" not found'
    await world.api.create(ConfigMap(metadata=ObjectMeta(name="absent", namespace="default"), data={"k": "v"}))


async def test_pod_that_does_not_fit_is_refused(world):
    resources = {"requests": {"cpu": "1000"}}
    await world.run("huge", {"containers": [{"name": "main", "command": FOREVER, "resources": resources}]})
    pod = await world.api.wait(Pod, "huge", "default", lambda pod: pod and pod.status.phase == "Failed")
    assert pod.status.reason == "OutOfcpu"


async def test_teardown_after_everything_was_killed(world):
    from steersman.kubelet import containerd_config
    from steersman.kubelet.containerd import _network_namespaces, _shims, left_behind, teardown

    await world.run("doomed", {"containers": [{"name": "main", "command": FOREVER}]})
    await world.api.wait(Pod, "doomed", "default", ready)
    await world.stop()
    config = containerd_config(world.config)
    namespaces = _network_namespaces(config)
    os.kill(int((config.directory / "containerd.pid").read_text()), signal.SIGKILL)
    for shim in _shims(config):
        os.kill(shim, signal.SIGKILL)
    await asyncio.to_thread(teardown, config)
    assert left_behind(config) == []
    assert namespaces
    assert not [path for path in namespaces if path.exists()]
    await world.start()
