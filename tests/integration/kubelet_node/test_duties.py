"""What a kubelet does for pods that run: logs, volumes, tokens, images, ends and returns; on a real containerd."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from steersman.api import codecs
from steersman.api.types.core_v1 import ConfigMap, Pod, Secret
from steersman.api.types.meta_v1 import DeleteOptions, ObjectMeta
from steersman.kubelet import containerd_config
from steersman.kubelet.cleanup import Cleaner
from steersman.kubelet.containerd import teardown
from steersman.kubelet.images import build_image
from steersman.kubelet.logs import LogOptions, read_log

from .memory_api import ready

pytestmark = [pytest.mark.root, pytest.mark.containerd]

FOREVER = ["/bin/sh", "-c", "trap 'exit 0' TERM; while true; do sleep 1 & wait $!; done"]


def script(text: str) -> list[str]:
    return ["/bin/sh", "-c", text]


def newest(world, name: str, container: str = "main"):
    return world.kubelet.find("default", name).record.newest(container)


async def execute(world, name: str, text: str) -> str:
    answer = await world.kubelet.host.runtime.exec_sync(newest(world, name).id, script(text), 5)
    return answer.stdout.decode()


async def until(check, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not await check():
            await asyncio.sleep(0.05)


def ended(pod: Pod | None) -> bool:
    return pod is not None and pod.status.phase in ("Succeeded", "Failed")


async def test_log_is_rotated_while_it_is_followed(world):
    text = "i=0; while true; do i=$((i+1)); echo line $i; test $((i % 100)) = 0 && sleep 0.05; done"
    await world.run("chatty", {"containers": [{"name": "main", "command": script(text)}]})
    await world.api.wait(Pod, "chatty", "default", ready)
    path = Path(newest(world, "chatty").log_path)
    seen = bytearray()

    async def follow() -> None:
        async for piece in read_log(path, LogOptions(follow=True), lambda: True):
            seen.extend(piece)

    reader = asyncio.create_task(follow())
    try:
        small = type(world.config)(
            **{name: getattr(world.config, name) for name in world.config.__struct_fields__}
            | {"container_log_max_size": 20_000, "container_log_max_files": 3}
        )
        cleaner = Cleaner(small, world.kubelet.host.runtime, lambda: world.kubelet.actors)
        for _ in range(4):
            await until(lambda: _grown(path, 30_000))
            await cleaner.rotate_logs()
            size = len(seen)
            await until(lambda size=size: _more(seen, size + 1000))
            await asyncio.sleep(1.01)  # set-aside files are named by the second
    finally:
        reader.cancel()
    files = sorted(each.name for each in path.parent.iterdir())
    assert len(files) == 3, files
    assert sum(name.endswith(".gz") for name in files) == 1, files
    numbers = [int(line.split()[1]) for line in bytes(seen).decode().splitlines()[:-1]]
    assert numbers == list(range(1, len(numbers) + 1))


async def _grown(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size > size


async def _more(seen: bytearray, size: int) -> bool:
    return len(seen) > size


async def test_last_words_from_the_log(world):
    text = "i=0; while test $i -lt 100; do i=$((i+1)); echo line $i; done; exit 4"
    await world.run(
        "words",
        {
            "restartPolicy": "Never",
            "containers": [
                {"name": "main", "command": script(text), "terminationMessagePolicy": "FallbackToLogsOnError"},
                {"name": "well", "command": ["/bin/echo", "hi"], "terminationMessagePolicy": "FallbackToLogsOnError"},
            ],
        },
    )
    pod = await world.api.wait(Pod, "words", "default", ended)
    by_name = {each.name: each.state.terminated for each in pod.status.container_statuses}
    assert pod.status.phase == "Failed"
    assert by_name["main"].message.splitlines() == [f"line {number}" for number in range(21, 101)]
    assert (by_name["well"].message, by_name["well"].reason) == ("", "Completed")


async def test_changed_objects_reach_the_volumes(world):
    api = world.api
    await api.create(ConfigMap(metadata=ObjectMeta(name="c", namespace="default"), data={"k": "old"}))
    await api.create(Secret(metadata=ObjectMeta(name="s", namespace="default"), data={"k": b"old"}))
    volumes = [
        {"name": "c", "configMap": {"name": "c"}},
        {"name": "s", "secret": {"secretName": "s"}},
        {"name": "p", "projected": {"sources": [{"configMap": {"name": "c"}}]}},
        {"name": "d", "downwardAPI": {"items": [{"path": "a", "fieldRef": {"fieldPath": "metadata.annotations"}}]}},
    ]
    mounts = [{"name": each["name"], "mountPath": f"/{each['name']}"} for each in volumes]
    await world.run(
        "reader", {"volumes": volumes, "containers": [{"name": "main", "command": FOREVER, "volumeMounts": mounts}]}
    )
    await api.wait(Pod, "reader", "default", ready)
    look = "cat /c/k /s/k /p/k /d/a"
    assert await execute(world, "reader", look) == "oldoldold"
    config_map, secret = codecs.copy(await api.get(ConfigMap, "c", "default")), await api.get(Secret, "s", "default")
    config_map.data, secret = {"k": "new"}, codecs.copy(secret)
    secret.data = {"k": b"new"}
    await api.update(config_map)
    await api.update(secret)
    pod = codecs.copy(await api.get(Pod, "reader", "default"))
    pod.metadata.annotations = {"note": "1"}
    await api.update(pod)

    async def updated() -> bool:
        return (await execute(world, "reader", look)).strip() == 'newnewnewnote="1"'

    await until(updated, 30)


async def test_exits_by_restart_policy(world):
    once = "test -e /v/x && exit 0; touch /v/x; exit 1"
    volume = {"volumes": [{"name": "v", "emptyDir": {}}]}
    mount = {"volumeMounts": [{"name": "v", "mountPath": "/v"}]}
    main = {"name": "main", "command": script(once), **mount}
    await world.run("again", {"restartPolicy": "OnFailure", **volume, "containers": [main]})
    await world.run("never", {"restartPolicy": "Never", **volume, "containers": [main]})
    await world.run(
        "mixed",
        {
            "restartPolicy": "Never",
            "containers": [
                {"name": "main", "command": ["/bin/true"]},
                {"name": "other", "command": script("sleep 1; exit 0")},
            ],
        },
    )
    again = await world.api.wait(Pod, "again", "default", ended)
    assert (again.status.phase, again.status.container_statuses[0].restart_count) == ("Succeeded", 1)
    never = await world.api.wait(Pod, "never", "default", ended)
    assert (never.status.phase, never.status.container_statuses[0].restart_count) == ("Failed", 0)
    mixed = await world.api.wait(Pod, "mixed", "default", ended)
    assert mixed.status.phase == "Succeeded"
    phases = [obj.status.phase for _, name, _, obj in world.api.log if name == "pods" and obj.metadata.name == "mixed"]
    assert "Running" in phases
    assert phases[-1] == "Succeeded"
    assert not world.kubelet.find("default", "mixed").active


async def test_unwell_container_is_killed_politely_and_started_again(world):
    command = "trap 'echo bye > /out/word; exit 0' TERM; touch /out/up; while true; do sleep 0.1; done"
    await world.run(
        "ill",
        {
            "terminationGracePeriodSeconds": 5,
            "volumes": [{"name": "out", "emptyDir": {}}],
            "containers": [
                {
                    "name": "main",
                    "command": script(command),
                    "volumeMounts": [{"name": "out", "mountPath": "/out"}],
                    "lifecycle": {"preStop": {"exec": {"command": script("echo hook > /out/hook")}}},
                    "livenessProbe": {
                        "exec": {"command": script("test ! -e /out/ill")},
                        "periodSeconds": 1,
                        "failureThreshold": 2,
                    },
                }
            ],
        },
    )
    await world.api.wait(Pod, "ill", "default", ready)
    await execute(world, "ill", "touch /out/ill")

    def restarted(pod):
        return pod is not None and pod.status.container_statuses[0].restart_count == 1

    pod = await world.api.wait(Pod, "ill", "default", restarted)
    out = world.config.pods_dir / pod.metadata.uid / "volumes" / "kubernetes.io~empty-dir" / "out"
    assert (out / "hook").read_text() == "hook\n"
    assert (out / "word").read_text() == "bye\n"
    await until(lambda: _has_events(world, "ill", "Unhealthy", "Killing"))
    events = world.api.events("ill")
    assert ("Killing", "Container main failed liveness probe, will be restarted") in events
    assert ("Unhealthy", "Liveness probe failed: ") in events
    assert pod.status.container_statuses[0].last_state.terminated.exit_code == 0


async def _has_events(world, name: str, *reasons: str) -> bool:
    return set(reasons) <= {reason for reason, _ in world.api.events(name)}


async def test_readiness_is_watched_while_the_pod_ends(world):
    main = {
        "name": "main",
        "command": FOREVER,
        "lifecycle": {"preStop": {"exec": {"command": script("touch /tmp/draining; sleep 3")}}},
        "readinessProbe": {
            "exec": {"command": script("test ! -e /tmp/draining")},
            "periodSeconds": 1,
            "failureThreshold": 1,
        },
    }
    await world.run("drain", {"terminationGracePeriodSeconds": 10, "containers": [main]})
    await world.api.wait(Pod, "drain", "default", ready)
    await world.api.delete(Pod, "drain", "default")

    def unready(pod):
        return pod is not None and not ready(pod) and pod.status.container_statuses[0].state.running is not None

    await world.api.wait(Pod, "drain", "default", unready)
    await world.api.wait(Pod, "drain", "default", lambda pod: pod is None)


async def test_host_network(world):
    await world.run(
        "host",
        {
            "hostNetwork": True,
            "restartPolicy": "Never",
            "containers": [{"name": "main", "command": script("hostname; cat /proc/net/dev; cat /etc/hosts")}],
        },
    )
    pod = await world.api.wait(Pod, "host", "default", ended)
    assert pod.status.pod_ip == world.config.node_ip == pod.status.host_ip
    path = Path(newest(world, "host").log_path)
    text = b"".join([piece async for piece in read_log(path, LogOptions(), lambda: False)]).decode()
    assert text.splitlines()[0] == Path("/proc/sys/kernel/hostname").read_text().strip()
    for line in Path("/proc/net/dev").read_text().splitlines()[2:]:
        name = line.split(":")[0].strip()
        assert name.startswith(("veth", world.bridge)) or f"{name}:" in text


async def test_unused_images_go_when_the_disk_is_full(world):
    runtime = world.kubelet.host.runtime
    archive = build_image("steersman.io/test/unused:1", {"/x": b"x" * 1000}, {}, world.root / "unused.tar")
    await world.kubelet.containerd.importer.import_archive(archive)
    await world.run("user", {"containers": [{"name": "main", "command": FOREVER}]})
    await world.api.wait(Pod, "user", "default", ready)
    fields = {name: getattr(world.config, name) for name in world.config.__struct_fields__}
    roomy = type(world.config)(**fields | {"image_gc_high_percent": 101, "image_minimum_gc_age": 0.0})
    await Cleaner(roomy, runtime, lambda: world.kubelet.actors).remove_images()
    assert await runtime.image_status("steersman.io/test/unused:1") is not None
    full = type(world.config)(
        **fields | {"image_gc_high_percent": 0, "image_gc_low_percent": 0, "image_minimum_gc_age": 0.0}
    )
    await Cleaner(full, runtime, lambda: world.kubelet.actors).remove_images()
    assert await runtime.image_status("steersman.io/test/unused:1") is None
    left = {tag for image in await runtime.list_images() for tag in image.repo_tags}
    assert left == {"steersman.io/test/busybox:1", world.config.pause_image}


async def test_pods_come_back_after_the_machine_was_off(world):
    await world.run("stay", {"containers": [{"name": "main", "command": FOREVER}]})
    await world.run("done", {"restartPolicy": "Never", "containers": [{"name": "main", "command": ["/bin/true"]}]})
    before = await world.api.wait(Pod, "stay", "default", ready)
    await world.api.wait(Pod, "done", "default", ended)
    await world.stop()
    await asyncio.to_thread(teardown, containerd_config(world.config))
    await world.start()

    def back(pod):
        status = pod.status.container_statuses[0]
        return status.container_id != before.status.container_statuses[0].container_id and ready(pod)

    pod = await world.api.wait(Pod, "stay", "default", back)
    assert pod.status.container_statuses[0].restart_count == 1
    phases = {obj.status.phase for _, name, _, obj in world.api.log if name == "pods" and obj.metadata.name == "stay"}
    assert phases == {"", "Pending", "Running"}
    log = [obj.status.phase for _, name, _, obj in world.api.log if name == "pods" and obj.metadata.name == "stay"]
    assert "Pending" not in log[log.index("Running") :]
    done = await world.api.get(Pod, "done", "default")
    assert (done.status.phase, done.status.container_statuses[0].restart_count) == ("Succeeded", 0)


async def test_ephemeral_container_joins_a_running_pod(world):
    await world.run("host", {"containers": [{"name": "main", "command": FOREVER}]})
    await world.api.wait(Pod, "host", "default", ready)
    pod = codecs.copy(await world.api.get(Pod, "host", "default"))
    tree = codecs.to_builtins(pod)
    tree["spec"]["ephemeralContainers"] = [
        {
            "name": "debug",
            "image": pod.spec.containers[0].image,
            "imagePullPolicy": "IfNotPresent",
            "targetContainerName": "main",
            "command": script("cat /proc/1/cmdline; exit 3"),
            "terminationMessagePath": "/dev/termination-log",
        }
    ]
    await world.api.update(codecs.from_builtins(Pod, tree))

    def over(pod):
        statuses = pod.status.ephemeral_container_statuses
        return bool(statuses) and statuses[0].state.terminated is not None

    pod = await world.api.wait(Pod, "host", "default", over)
    assert pod.status.ephemeral_container_statuses[0].state.terminated.exit_code == 3
    assert ready(pod)
    assert pod.status.container_statuses[0].restart_count == 0
    path = Path(newest(world, "host", "debug").log_path)
    text = b"".join([piece async for piece in read_log(path, LogOptions(), lambda: False)]).decode()
    assert "trap" in text  # the command of the target, which has number 1 in the shared namespace
    began = time.monotonic()
    await world.api.delete(Pod, "host", "default", options=DeleteOptions(grace_period_seconds=5))
    await world.api.wait(Pod, "host", "default", lambda pod: pod is None)
    assert time.monotonic() - began < 5
