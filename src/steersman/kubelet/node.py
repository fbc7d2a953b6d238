"""The Node object and the Lease: what the kubelet tells the cluster about its machine."""

from __future__ import annotations

import asyncio
import logging
import os
import platform
import shutil
import socket
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import msgspec

from steersman.api import codecs, labels, quantity
from steersman.api.errors import StatusError, is_already_exists, is_conflict, is_not_found
from steersman.api.time import now, now_micro
from steersman.api.tolerations import parse_taint
from steersman.api.types.coordination_v1 import Lease, LeaseSpec
from steersman.api.types.core_v1 import (
    ContainerImage,
    DaemonEndpoint,
    Node,
    NodeAddress,
    NodeCondition,
    NodeDaemonEndpoints,
    NodeFeatures,
    NodeRuntimeHandler,
    NodeRuntimeHandlerFeatures,
    NodeSpec,
    NodeStatus,
    NodeSystemInfo,
)
from steersman.api.types.meta_v1 import ObjectMeta, OwnerReference
from steersman.client.client import Client
from steersman.client.events import EventRecorder

from .config import KubeletConfig
from .cri_api import messages as cri
from .images import architecture
from .runtime import Runtime, RuntimeFailure

log = logging.getLogger(__name__)

KUBELET_VERSION = "v1.35.0"
MAX_IMAGES = 50
LEASE_NAMESPACE = "kube-node-lease"

_CONDITION_EVENTS = {
    ("MemoryPressure", "True"): "NodeHasInsufficientMemory",
    ("MemoryPressure", "False"): "NodeHasSufficientMemory",
    ("DiskPressure", "True"): "NodeHasDiskPressure",
    ("DiskPressure", "False"): "NodeHasNoDiskPressure",
    ("PIDPressure", "True"): "NodeHasInsufficientPID",
    ("PIDPressure", "False"): "NodeHasSufficientPID",
    ("Ready", "True"): "NodeReady",
    ("Ready", "False"): "NodeNotReady",
}


class Machine(msgspec.Struct, frozen=True):
    """What the machine has."""

    cpus: int
    memory: int
    storage: int
    hugepages: dict[str, int]


def meminfo() -> dict[str, int]:
    """``/proc/meminfo`` in bytes."""
    result = {}
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        fields = rest.split()
        result[name] = int(fields[0]) * (1024 if len(fields) > 1 else 1)
    return result


def machine(root: Path) -> Machine:
    """Measure this machine; ``root`` is on the filesystem that pods use."""
    hugepages = {}
    for directory in Path("/sys/kernel/mm/hugepages").glob("hugepages-*kB"):
        size = int(directory.name.removeprefix("hugepages-").removesuffix("kB")) * 1024
        count = int((directory / "nr_hugepages").read_text())
        hugepages["hugepages-" + quantity.format_binary(size)] = size * count
    return Machine(os.cpu_count() or 1, meminfo()["MemTotal"], shutil.disk_usage(root).total, hugepages)


def capacity(found: Machine, config: KubeletConfig) -> dict[str, str]:
    """The node's capacity."""
    return {
        "cpu": str(found.cpus),
        "memory": f"{found.memory // 1024}Ki",
        "ephemeral-storage": f"{found.storage // 1024}Ki",
        "pods": str(config.max_pods),
        **{name: quantity.format_binary(size) for name, size in sorted(found.hugepages.items())},
    }


def allocatable(found: Machine, config: KubeletConfig) -> dict[str, str]:
    """Capacity less what is reserved and what eviction keeps free."""
    result = capacity(found, config)
    reserved = (config.system_reserved, config.kube_reserved)
    milli = found.cpus * 1000 - sum(quantity.milli_value(each.get("cpu", "")) for each in reserved)
    memory = found.memory - sum(quantity.value(each.get("memory", "")) for each in reserved)
    memory -= quantity.value(config.eviction_memory_available)
    storage = int(found.storage * (1 - config.eviction_nodefs_available_percent / 100))
    storage -= sum(quantity.value(each.get("ephemeral-storage", "")) for each in reserved)
    result["cpu"] = quantity.format_milli(max(0, milli))
    result["memory"] = f"{max(0, memory) // 1024}Ki"
    result["ephemeral-storage"] = str(max(0, storage))
    return result


def _read(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except OSError:
        return ""


def system_info(version: cri.VersionResponse) -> NodeSystemInfo:
    """What the node runs on."""
    release = dict(line.split("=", 1) for line in _read("/etc/os-release").splitlines() if "=" in line)
    return NodeSystemInfo(
        architecture=architecture(),
        boot_id=_read("/proc/sys/kernel/random/boot_id"),
        machine_id=_read("/etc/machine-id"),
        system_uuid=_read("/sys/class/dmi/id/product_uuid") or _read("/etc/machine-id"),
        kernel_version=platform.release(),
        os_image=release.get("PRETTY_NAME", "Linux").strip('"'),
        operating_system="linux",
        container_runtime_version=f"{version.runtime_name}://{version.runtime_version}",
        kubelet_version=KUBELET_VERSION,
        kube_proxy_version="",
    )


class NodeReporter:
    """Registers the node, keeps its status and its Lease up to date."""

    def __init__(
        self,
        config: KubeletConfig,
        client: Client,
        runtime: Runtime,
        recorder: EventRecorder,
        port: Callable[[], int],
    ) -> None:
        self._config = config
        self._client = client
        self._recorder = recorder
        self._runtime = runtime
        self._port = port
        self._reported = 0.0
        self._uid = ""
        self.node: Node | None = None

    async def register(self) -> None:
        """Create the Node, or bring the one there is in line; tries until it succeeds."""
        delay = 0.1
        while True:
            try:
                await self._register()
                return
            except (StatusError, OSError, RuntimeFailure) as error:
                log.warning("cannot register node %s: %s", self._config.node_name, error)
                await asyncio.sleep(delay)
                delay = min(5.0, delay * 2)

    async def _register(self) -> None:
        config = self._config
        wanted_labels = {
            **config.node_labels,
            labels.HOSTNAME: config.node_name,
            labels.OS: "linux",
            labels.ARCH: architecture(),
            labels.BETA_OS: "linux",
            labels.BETA_ARCH: architecture(),
        }
        annotations = {labels.CONTROLLER_MANAGED_ATTACH: "true"}
        node = Node(
            metadata=ObjectMeta(name=config.node_name, labels=wanted_labels, annotations=annotations),
            spec=NodeSpec(taints=[parse_taint(text) for text in config.node_taints]),
            status=await self._status(None),
        )
        try:
            self.node = await self._client.create(node)
            self._tell_changes(self.node, Node())
        except StatusError as error:
            if not is_already_exists(error):
                raise
            existing = await self._client.get(Node, config.node_name)
            if any(existing.metadata.labels.get(key) != value for key, value in wanted_labels.items()):
                changed = codecs.copy(existing)
                changed.metadata.labels |= wanted_labels
                existing = await self._client.update(changed)
            self.node = existing
        self._uid = self.node.metadata.uid
        await self._report(force=True)

    async def run(self) -> None:
        """Report until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._run_lease(), name="node lease")
            group.create_task(self._run_status(), name="node status")

    async def _run_status(self) -> None:
        while True:
            frequency = self._config.node_status_update_frequency
            await asyncio.sleep(frequency if self.is_ready else min(0.25, frequency))
            try:
                await self._report()
            except (StatusError, OSError, RuntimeFailure) as error:
                log.warning("cannot update the status of node %s: %s", self._config.node_name, error)
                if is_not_found(error):
                    await self.register()

    @property
    def is_ready(self) -> bool:
        """Whether the status last written says Ready; until it does, the runtime is asked often."""
        conditions = self.node.status.conditions if self.node is not None else []
        return any(condition.type == "Ready" and condition.status == "True" for condition in conditions)

    async def _report(self, *, force: bool = False) -> None:
        for _ in range(3):
            current = await self._client.get(Node, self._config.node_name)
            status = await self._status(current)
            due = time.monotonic() - self._reported > self._config.node_status_report_frequency
            self.node = current
            if not force and not due and _same(status, current.status):
                return
            changed = codecs.copy(current)
            changed.status = status
            try:
                self.node = await self._client.update(changed, subresource="status")
            except StatusError as error:
                if is_conflict(error):
                    continue
                raise
            self._tell_changes(self.node, current)
            self._reported = time.monotonic()
            return

    def _tell_changes(self, node: Node, before: Node) -> None:
        """Record an event for each condition that has changed, and for a reboot."""
        old = {condition.type: condition.status for condition in before.status.conditions}
        for condition in node.status.conditions:
            reason = _CONDITION_EVENTS.get((condition.type, condition.status))
            first_ready = condition.type == "Ready" and "Ready" not in old  # a new node is expected not to be
            if reason is not None and old.get(condition.type) != condition.status and not first_ready:
                self._recorder.event(node, "Normal", reason, f"Node {node.metadata.name} status is now: {reason}")
        boot, old_boot = node.status.node_info.boot_id, before.status.node_info.boot_id
        if old_boot and boot != old_boot:
            text = f"Node {node.metadata.name} has been rebooted, boot id: {boot}"
            self._recorder.event(node, "Warning", "Rebooted", text)

    async def _status(self, current: Node | None) -> NodeStatus:
        found = await asyncio.to_thread(machine, self._config.root_dir)
        version = await self._runtime.version()
        runtime = await self._runtime.status()
        images = await self._runtime.list_images()
        old = current.status if current is not None else NodeStatus()
        at = now()
        status = NodeStatus(
            capacity=capacity(found, self._config),
            allocatable=allocatable(found, self._config),
            node_info=system_info(version),
            addresses=[
                NodeAddress(type="InternalIP", address=self._config.node_ip),
                NodeAddress(type="Hostname", address=self._config.node_name),
            ],
            daemon_endpoints=NodeDaemonEndpoints(kubelet_endpoint=DaemonEndpoint(port=self._port())),
            images=_images(images),
            runtime_handlers=[
                NodeRuntimeHandler(
                    name=handler.name,
                    features=NodeRuntimeHandlerFeatures(
                        recursive_read_only_mounts=handler.features.recursive_read_only_mounts,
                        user_namespaces=handler.features.user_namespaces,
                    ),
                )
                for handler in runtime.runtime_handlers
            ],
            features=NodeFeatures(supplemental_groups_policy=runtime.features.supplemental_groups_policy),
            volumes_attached=old.volumes_attached,
            volumes_in_use=old.volumes_in_use,
        )
        own = _conditions(self._config, runtime, found)
        before = {condition.type: condition for condition in old.conditions}
        mine = {condition.type for condition in own}
        status.conditions = [_stamped(condition, before.get(condition.type), at) for condition in own]
        status.conditions[:0] = [condition for condition in old.conditions if condition.type not in mine]
        return status

    async def _run_lease(self) -> None:
        lease: Lease | None = None
        delay = 0.2
        while True:
            try:
                lease = await self._renew(lease)
                delay = 0.2
                await asyncio.sleep(self._config.lease_duration / 4)
            except (StatusError, OSError) as error:
                log.info("cannot renew the lease of node %s: %s", self._config.node_name, error)
                lease = None
                await asyncio.sleep(delay)
                delay = min(7.0, delay * 2)

    async def _renew(self, lease: Lease | None) -> Lease:
        name = self._config.node_name
        if lease is None:
            try:
                lease = await self._client.get(Lease, name, LEASE_NAMESPACE)
            except StatusError as error:
                if not is_not_found(error):
                    raise
                owner = OwnerReference(api_version="v1", kind="Node", name=name, uid=self._uid)
                return await self._client.create(
                    Lease(
                        metadata=ObjectMeta(name=name, namespace=LEASE_NAMESPACE, owner_references=[owner]),
                        spec=LeaseSpec(
                            holder_identity=name,
                            lease_duration_seconds=self._config.lease_duration,
                            renew_time=now_micro(),
                        ),
                    )
                )
        changed = codecs.copy(lease)
        changed.spec.holder_identity = name
        changed.spec.lease_duration_seconds = self._config.lease_duration
        changed.spec.renew_time = now_micro()
        return await self._client.update(changed)


def _images(images: list[cri.Image]) -> list[ContainerImage]:
    largest = sorted(images, key=lambda image: -image.size)[:MAX_IMAGES]
    return [
        ContainerImage(names=[*image.repo_digests, *image.repo_tags][:5], size_bytes=image.size)
        for image in largest
        if image.repo_tags or image.repo_digests
    ]


def _conditions(config: KubeletConfig, runtime: cri.StatusResponse, found: Machine) -> list[NodeCondition]:
    low_memory = meminfo()["MemAvailable"] < quantity.value(config.eviction_memory_available)
    disk = shutil.disk_usage(config.root_dir)
    low_disk = disk.free < disk.total * config.eviction_nodefs_available_percent / 100
    faults = [
        f"{condition.reason}: {condition.message}" if condition.message else f"{condition.type} is false"
        for condition in runtime.status.conditions
        if not condition.status
    ]
    names = {"NetworkReady": "container runtime network not ready", "RuntimeReady": "container runtime not ready"}
    for condition in runtime.status.conditions:
        if not condition.status and condition.type in names:
            faults = [
                f"{names[condition.type]}: {condition.type}=false reason:{condition.reason} message:{condition.message}"
            ]
    ready = NodeCondition(type="Ready", status="True", reason="KubeletReady", message="kubelet is posting ready status")
    if faults:
        ready = NodeCondition(type="Ready", status="False", reason="KubeletNotReady", message=", ".join(faults))

    def pressure(kind: str, holds: bool, bad: tuple[str, str], good: tuple[str, str]) -> NodeCondition:
        reason, message = bad if holds else good
        return NodeCondition(type=kind, status="True" if holds else "False", reason=reason, message=message)

    return [
        pressure(
            "MemoryPressure",
            low_memory,
            ("KubeletHasInsufficientMemory", "kubelet has insufficient memory available"),
            ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
        ),
        pressure(
            "DiskPressure",
            low_disk,
            ("KubeletHasDiskPressure", "kubelet has disk pressure"),
            ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
        ),
        pressure(
            "PIDPressure",
            _low_pids(),
            ("KubeletHasInsufficientPID", "kubelet has insufficient PID available"),
            ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        ),
        ready,
    ]


def _low_pids() -> bool:
    try:
        limit = int(_read("/proc/sys/kernel/pid_max"))
        running = int(_read("/proc/loadavg").split()[3].split("/")[1])
    except (ValueError, IndexError):
        return False
    return limit - running < limit // 50


def _stamped(condition: NodeCondition, before: NodeCondition | None, at: datetime) -> NodeCondition:
    condition.last_heartbeat_time = at
    same = before is not None and before.status == condition.status
    condition.last_transition_time = before.last_transition_time if same and before is not None else at
    return condition


def _same(one: NodeStatus, other: NodeStatus) -> bool:
    def bare(status: NodeStatus) -> bytes:
        conditions = [msgspec.structs.replace(each, last_heartbeat_time=None) for each in status.conditions]
        return codecs.encode(msgspec.structs.replace(status, conditions=conditions))

    return bare(one) == bare(other)


def hostname() -> str:
    """The machine's name in the form nodes have."""
    return socket.gethostname().lower()
