"""What every Runtime does, over the fake one and a real containerd."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from steersman.kubelet.containerd import Containerd, ContainerdConfig, left_behind
from steersman.kubelet.cri import CRIRuntime
from steersman.kubelet.cri_api import messages as cri
from steersman.kubelet.fake import FakeRuntime
from steersman.kubelet.images import ImageFile, build_image
from steersman.kubelet.runtime import RuntimeFailure, RuntimeNotFound

LOGS = Path(tempfile.gettempdir(), f"kubelet-contract-logs-{os.getpid()}")
IMAGE = "steersman.io/contract/busybox:1"
LABELS = {"io.kubernetes.pod.uid": "uid-1"}


def _archive(path: Path) -> Path:
    binary = Path(shutil.which("busybox"))
    files: dict = {
        "/bin/busybox": binary,
        "/bin/sleep": ImageFile(link="busybox"),
        "/bin/sh": ImageFile(link="busybox"),
    }
    for word in subprocess.run(["ldd", str(binary)], capture_output=True, text=True).stdout.split():
        if word.startswith("/") and Path(word).exists():
            files[word] = Path(word)
    return build_image(IMAGE, files, {"Cmd": ["/bin/sleep", "1000"]}, path)


@pytest.fixture(params=["fake", pytest.param("containerd", marks=[pytest.mark.root, pytest.mark.containerd])])
async def runtime(request):
    if request.param == "fake":
        yield FakeRuntime([IMAGE])
        return
    if os.geteuid() != 0 or shutil.which("containerd") is None or shutil.which("busybox") is None:
        pytest.skip("needs root, containerd and busybox")
    root = Path(tempfile.mkdtemp(prefix="kubelet-contract-", dir="/tmp"))
    config = ContainerdConfig(
        directory=root / "containerd", cni_conf_dir=root / "cni", cgroup_root=f"steersman-contract-{os.getpid()}"
    )
    containerd = Containerd(config)
    try:
        await containerd.start()
        await containerd.importer.import_archive(await asyncio.to_thread(_archive, root / "image.tar"))
        real = CRIRuntime(str(config.socket))
        async with asyncio.timeout(10):
            while True:
                try:
                    await real.version()
                    break
                except RuntimeFailure:
                    await asyncio.sleep(0.02)
        yield real
        await real.close()
    finally:
        await containerd.stop()
        left = left_behind(config)
        shutil.rmtree(root, ignore_errors=True)
        shutil.rmtree(LOGS, ignore_errors=True)
        assert left == []


def sandbox_config() -> cri.PodSandboxConfig:
    config = cri.PodSandboxConfig(
        metadata=cri.PodSandboxMetadata(name="pod", uid="uid-1", namespace="default"),
        log_directory=str(LOGS),
        labels=LABELS,
        annotations={"note": "kept"},
    )
    config.linux.cgroup_parent = f"/steersman-contract-{os.getpid()}/pod"
    options = config.linux.security_context.namespace_options
    options.network, options.pid = cri.NODE, cri.CONTAINER
    return config


def container_config(attempt: int = 0) -> cri.ContainerConfig:
    return cri.ContainerConfig(
        metadata=cri.ContainerMetadata(name="main", attempt=attempt),
        image=cri.ImageSpec(image=IMAGE),
        command=["/bin/sleep", "1000"],
        labels=LABELS,
        annotations={"restarts": str(attempt)},
        log_path=f"main/{attempt}.log",
    )


async def test_life_of_a_container(runtime):
    config = sandbox_config()
    sandbox = await runtime.run_sandbox(config)
    assert (await runtime.sandbox_status(sandbox)).state == cri.SANDBOX_READY
    [listed] = await runtime.list_sandboxes(LABELS)
    assert (listed.id, listed.metadata.uid, listed.annotations["note"]) == (sandbox, "uid-1", "kept")
    container = await runtime.create_container(sandbox, container_config(), config)
    assert (await runtime.container_status(container)).state == cri.CONTAINER_CREATED
    await runtime.start_container(container)
    status = await runtime.container_status(container)
    assert status.state == cri.CONTAINER_RUNNING
    assert status.started_at >= status.created_at > 0
    [listed] = await runtime.list_containers(LABELS)
    assert (listed.pod_sandbox_id, listed.annotations["restarts"]) == (sandbox, "0")
    await runtime.stop_container(container, 0)
    status = await runtime.container_status(container)
    assert (status.state, status.exit_code, status.reason) == (cri.CONTAINER_EXITED, 137, "Error")
    await runtime.stop_sandbox(sandbox)
    await runtime.stop_sandbox(sandbox)
    assert (await runtime.sandbox_status(sandbox)).state == cri.SANDBOX_NOTREADY
    await runtime.remove_sandbox(sandbox)
    await runtime.remove_sandbox(sandbox)
    assert await runtime.list_containers(LABELS) == []


async def test_stopping_a_sandbox_ends_its_containers(runtime):
    config = sandbox_config()
    sandbox = await runtime.run_sandbox(config)
    container = await runtime.create_container(sandbox, container_config(), config)
    await runtime.start_container(container)
    events = runtime.events()
    hint = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0.1)
    await runtime.stop_sandbox(sandbox)
    assert (await runtime.container_status(container)).state == cri.CONTAINER_EXITED
    await asyncio.wait_for(hint, 5)
    await runtime.remove_sandbox(sandbox)
    with pytest.raises(RuntimeNotFound):
        await runtime.container_status(container)


async def test_what_is_absent(runtime):
    with pytest.raises(RuntimeNotFound):
        await runtime.sandbox_status("f" * 64)
    with pytest.raises(RuntimeNotFound):
        await runtime.container_status("f" * 64)
    await runtime.stop_container("f" * 64, 0)
    await runtime.remove_container("f" * 64)
    await runtime.stop_sandbox("f" * 64)
    assert await runtime.image_status("steersman.io/nothing:1") is None
    assert (await runtime.image_status(IMAGE)).repo_tags == [IMAGE]
    with pytest.raises(RuntimeFailure):
        await runtime.pull_image("127.0.0.1:1/nothing:1", None, None)
