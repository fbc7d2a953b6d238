"""A kubelet with a containerd of its own, in directories of its own, on a bridge of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from steersman.api import codecs
from steersman.api.types.core_v1 import Pod
from steersman.kubelet import Kubelet, KubeletConfig, containerd_config
from steersman.kubelet.containerd import left_behind, teardown
from steersman.kubelet.images import build_image

from .memory_api import MemoryAPI

IMAGE = "steersman.io/test/busybox:1"
APPLETS = (
    "sh",
    "sleep",
    "cat",
    "echo",
    "ls",
    "httpd",
    "true",
    "false",
    "hostname",
    "id",
    "env",
    "touch",
    "grep",
    "nc",
    "mount",
    "test",
    "kill",
)


def missing() -> str:
    if os.geteuid() != 0:
        return "needs root"
    for program in ("containerd", "runc", "busybox"):
        if shutil.which(program) is None:
            return f"needs {program}"
    return "" if Path("/usr/lib/cni/bridge").exists() or Path("/opt/cni/bin/bridge").exists() else "needs CNI plugins"


def busybox_archive(path: Path) -> Path:
    from steersman.kubelet.images import ImageFile

    binary = Path(shutil.which("busybox"))
    linked = subprocess.run(["ldd", str(binary)], capture_output=True, text=True).stdout
    files: dict = {
        "/bin/busybox": binary,
        "/tmp": ImageFile(mode=0o1777),
        "/etc/passwd": ImageFile(b"root:x:0:0::/:/bin/sh\n", mode=0o644),
    }
    for word in linked.split():
        if word.startswith("/") and Path(word).exists():
            files[word] = Path(word)
    for applet in APPLETS:
        files[f"/bin/{applet}"] = ImageFile(link="busybox")
    return build_image(IMAGE, files, {"Env": ["PATH=/bin"], "Cmd": ["/bin/sh"]}, path)


class World:
    """The machine, the API, and at most one kubelet at a time."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.api = MemoryAPI()
        self.kubelet: Kubelet | None = None
        self._task: asyncio.Task | None = None
        number = os.getpid() % 200
        self.bridge = f"ktest{number}"
        self.config = KubeletConfig(
            node_name="node-a",
            node_ip="127.0.0.1",
            root_dir=root / "kubelet",
            pod_log_root=root / "logs",
            cgroup_root=f"steersman-ktest-{number}",
            cni_conf_dir=root / "cni",
            bind_address="127.0.0.1",
            port=0,
            airgap_images=root / "images",
            backoff_initial=0.5,
            sync_frequency=5.0,
            eviction_nodefs_available_percent=0.0,
        )
        (root / "cni").mkdir()
        plugin = {
            "type": "bridge",
            "bridge": self.bridge,
            "isGateway": True,
            "ipMasq": False,
            "ipam": {
                "type": "host-local",
                "dataDir": str(root / "ipam"),
                "ranges": [[{"subnet": f"10.250.{number}.0/24"}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
        conflist = {"cniVersion": "0.4.0", "name": "ktest", "plugins": [plugin]}
        (root / "cni" / "10-test.conflist").write_text(json.dumps(conflist))
        busybox_archive(root / "images" / "busybox.tar")

    async def start(self) -> None:
        self.kubelet = Kubelet(self.config, self.api)
        self._task = asyncio.create_task(self.kubelet.run())
        waiter = asyncio.create_task(self.kubelet.ready.wait())
        await asyncio.wait({self._task, waiter}, return_when=asyncio.FIRST_COMPLETED, timeout=30)
        if self._task.done():
            self._task.result()
        assert self.kubelet.ready.is_set()

    async def stop(self) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def run(self, name: str, spec: dict, **metadata) -> Pod:
        tree = {"metadata": {"name": name, "namespace": "default", **metadata}, "spec": {"nodeName": "node-a", **spec}}
        pod = codecs.from_builtins(Pod, tree)
        for container in [*pod.spec.containers, *pod.spec.init_containers]:
            container.image = container.image or IMAGE
            container.image_pull_policy = container.image_pull_policy or "IfNotPresent"
            container.termination_message_path = container.termination_message_path or "/dev/termination-log"
        return await self.api.create(pod)

    async def clean(self) -> None:
        await asyncio.to_thread(teardown, containerd_config(self.config))
        left = left_behind(containerd_config(self.config))
        await asyncio.to_thread(subprocess.run, ["ip", "link", "del", self.bridge], capture_output=True)
        shutil.rmtree(self.root, ignore_errors=True)
        assert left == []


@pytest.fixture
async def world():
    if reason := missing():
        pytest.skip(reason)
    world = World(Path(tempfile.mkdtemp(prefix="kubelet-", dir="/tmp")))
    try:
        await world.start()
        yield world
    finally:
        if world._task is not None:
            await world.stop()
        await world.clean()
