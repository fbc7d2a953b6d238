"""What simulated nodes are like, and the Node objects that say so."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec

from steersman import KUBERNETES_VERSION
from steersman.api import labels, quantity
from steersman.api.pods import hugepages, native
from steersman.api.tolerations import parse_taint
from steersman.api.types.core_v1 import (
    Node,
    NodeAddress,
    NodeCondition,
    NodeSpec,
    NodeStatus,
    NodeSystemInfo,
    Taint,
)
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.validation import validate
from steersman.api.validation.names import label_value

from .ownership import FAKE

RUNTIME = "simulated://1.0.0"
OS_IMAGE = "Simulated Linux"

KWOK = {"type": "kwok"}
"""By this label kwok's documentation chooses simulated nodes among others."""

CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)
"""What a kubelet says of a node that is well: type, status, reason, message."""


class ShapeError(ValueError):
    """What no node can be; ``field`` is the shape's."""

    def __init__(self, field: str, fault: str) -> None:
        super().__init__(f"{field}: {fault}")
        self.field = field
        self.fault = fault


class NodeShape(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes that are alike.  Raises ShapeError for what no node can be.

    ``name`` has a place for the number of the node, from 0; without one, numbers follow a dash where there are more
    nodes than one.  ``zones`` are gone through in turn.  ``taints`` are ``key=value:effect`` or ``key:effect``.
    """

    count: int = 1
    name: str = "node-{}"
    cpu: str = "8"
    memory: str = "32Gi"
    pods: int = 110
    ephemeral_storage: str = "100Gi"
    resources: dict[str, str] = {}
    """Others, such as ``nvidia.com/gpu``."""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    taints: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    arch: str = "amd64"

    def __post_init__(self) -> None:
        for field, wanted in _TYPES.items():
            value = getattr(self, field)
            if not isinstance(value, wanted) or isinstance(value, bool):
                raise ShapeError(field, f"{value!r} is no {_NAMES[wanted]}")
        for field in ("resources", "labels", "annotations", "taints", "zones"):
            value = getattr(self, field)
            for text in value.values() if isinstance(value, dict) else value:
                if not isinstance(text, str):
                    raise ShapeError(field, f"{text!r} is no text")
        for field in ("count", "pods"):
            if getattr(self, field) < 0:
                raise ShapeError(field, "must not be negative")
        if "{" in self.name.replace("{}", ""):
            raise ShapeError("name", f"{self.name!r} is no name of nodes: write {{}} for the number")
        amounts = {"cpu": self.cpu, "memory": self.memory, "ephemeral_storage": self.ephemeral_storage}
        for field, text in (*amounts.items(), *((f"resources[{name}]", text) for name, text in self.resources.items())):
            _check_amount(field, text)
        for number, taint in enumerate(self.taints):
            try:
                parse_taint(taint)
            except ValueError as error:
                raise ShapeError(f"taints[{number}]", str(error)) from None
        for field, text in (
            *((f"zones[{number}]", zone) for number, zone in enumerate(self.zones)),
            ("arch", self.arch),
        ):
            for fault in label_value(text):
                raise ShapeError(field, fault)
        _check_node(self.node(max(0, self.count - 1), "", "", datetime.min))

    def node_name(self, number: int) -> str:
        """The name of the node of this number."""
        if "{}" in self.name:
            return self.name.replace("{}", str(number))
        return self.name if self.count == 1 else f"{self.name}-{number}"

    def node(self, number: int, address: str, network: str, instant: datetime) -> Node:
        """The node of this number, as its kubelet would register it; ``network`` is its pods', empty for none."""
        name = self.node_name(number)
        zone = {labels.TOPOLOGY_ZONE: self.zones[number % len(self.zones)]} if self.zones else {}
        marks = {
            labels.HOSTNAME: name,
            labels.OS: "linux",
            labels.ARCH: self.arch,
            labels.BETA_OS: "linux",
            labels.BETA_ARCH: self.arch,
            **KWOK,
            **zone,
            **self.labels,
        }
        capacity = {
            "cpu": self.cpu,
            "memory": self.memory,
            "ephemeral-storage": self.ephemeral_storage,
            "pods": str(self.pods),
            **self.resources,
        }
        status = NodeStatus(capacity=capacity, allocatable=capacity)
        node = Node(
            metadata=ObjectMeta(name=name, labels=marks, annotations={labels.SIMULATED_NODE: FAKE, **self.annotations}),
            spec=NodeSpec(
                taints=[parse_taint(text) for text in self.taints],
                pod_cidr=network,
                pod_cidrs=[network] if network else [],
            ),
            status=status,
        )
        node.status = ready_status(node, address, instant, self.arch)
        return node

    def differences(self, number: int, present: Node) -> list[str]:
        """What a node that is there already has otherwise than the one of this number; what others added is none."""
        wanted = self.node(number, "", "", datetime.min)
        capacity = present.status.capacity
        taints = {_taint_text(each) for each in wanted.spec.taints}
        found = {_taint_text(each) for each in present.spec.taints}
        unwanted = {each for each in found if each.startswith(labels.SIMULATED_NODE)} - taints
        different = {
            "capacity": any(
                quantity.parse(capacity.get(name, "0")) != quantity.parse(amount)
                for name, amount in wanted.status.capacity.items()
            ),
            "labels": not wanted.metadata.labels.items() <= present.metadata.labels.items(),
            "taints": not taints <= found or bool(unwanted),
        }
        return [name for name, differs in different.items() if differs]


def _taint_text(taint: Taint) -> str:
    return f"{taint.key}={taint.value}:{taint.effect}"


_TYPES: dict[str, type] = {
    "count": int, "name": str, "cpu": str, "memory": str, "pods": int, "ephemeral_storage": str, "resources": dict,
    "labels": dict, "annotations": dict, "taints": tuple, "zones": tuple, "arch": str,
}  # fmt: skip
_NAMES = {int: "number", str: "text", dict: "dict", tuple: "tuple"}


def _check_amount(field: str, text: str) -> None:
    try:
        amount = quantity.parse(text)
    except (quantity.QuantityError, TypeError):
        raise ShapeError(field, f"{text!r} is no quantity") from None
    if amount < 0:
        raise ShapeError(field, "must not be negative")


_FIELDS = (("metadata.name", "name"), ("metadata.labels", "labels"), ("metadata.annotations", "annotations"))


def _check_node(node: Node) -> None:
    """Raises ShapeError for the first fault that the API server would find."""
    for fault in validate(node):
        field = re.sub(r"^(spec|metadata)\.taints", "taints", fault.field)
        if found := re.fullmatch(r"status\.(?:capacity|allocatable)[.\[](.*?)\]?", field):
            field = f"resources[{found[1]}]"
        field = next((ours for theirs, ours in _FIELDS if field.startswith(theirs)), field)
        raise ShapeError(field, fault.message)


_OWN = {"cpu": "cpu", "memory": "memory", "ephemeral-storage": "ephemeral_storage", "arch": "arch", "pods": "pods"}


def parse_shape(text: str) -> NodeShape:
    """``cpu=8,memory=32Gi,pods=110,nvidia.com/gpu=4,arch=arm64``; raises ValueError."""
    own: dict[str, Any] = {}
    others: dict[str, str] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, equals, value = part.partition("=")
        if not equals or not value:
            raise ValueError(f"{part!r} is no part of a shape: write such as cpu=8,memory=32Gi,pods=110")
        if name in own or name in others or _OWN.get(name) in own:
            raise ValueError(f"{name} is there twice")
        if name in _OWN:
            own[_OWN[name]] = value
        elif native(name) and not hugepages(name):
            raise ValueError(f"{name!r} is no resource of nodes; write {', '.join(_OWN)} or such as nvidia.com/gpu")
        else:
            others[name] = value
    if "pods" in own:
        try:
            own["pods"] = int(own["pods"])
        except ValueError:
            raise ShapeError("pods", f"{own['pods']!r} is no number") from None
    return NodeShape(**own, resources=others)


def internal_ip(node: Node) -> str:
    """A node's address; empty where it has none."""
    return next((each.address for each in node.status.addresses if each.type == "InternalIP"), "")


def ready_status(node: Node, address: str, instant: datetime, arch: str = "amd64") -> NodeStatus:
    """The status of a node that is well: what it says of itself is kept, what is missing is filled in."""
    old = node.status
    before = {each.type: each for each in old.conditions}
    mine = {type_ for type_, *_ in CONDITIONS}
    conditions = [each for each in old.conditions if each.type not in mine]
    for type_, status, reason, message in CONDITIONS:
        earlier = before.get(type_)
        conditions.append(
            NodeCondition(
                type=type_,
                status=status,
                reason=reason,
                message=message,
                last_heartbeat_time=instant,
                last_transition_time=earlier.last_transition_time
                if earlier is not None and earlier.status == status
                else instant,
            )
        )
    capacity = old.capacity or old.allocatable or {"cpu": "8", "memory": "32Gi", "pods": "110"}
    info = old.node_info
    marks = node.metadata.labels
    return msgspec.structs.replace(
        old,
        phase="",
        capacity=capacity,
        allocatable=old.allocatable or capacity,
        conditions=conditions,
        addresses=old.addresses
        or [
            NodeAddress(type="InternalIP", address=address),
            NodeAddress(type="Hostname", address=node.metadata.name),
        ],
        node_info=NodeSystemInfo(
            architecture=info.architecture or marks.get(labels.ARCH, arch),
            boot_id=info.boot_id or node.metadata.uid,
            container_runtime_version=info.container_runtime_version or RUNTIME,
            kernel_version=info.kernel_version or "6.12.0-simulated",
            kube_proxy_version=info.kube_proxy_version,
            kubelet_version=info.kubelet_version or KUBERNETES_VERSION,
            machine_id=info.machine_id or node.metadata.uid,
            operating_system=info.operating_system or marks.get(labels.OS, "linux"),
            os_image=info.os_image or OS_IMAGE,
            system_uuid=info.system_uuid or node.metadata.uid,
        ),
    )


NOT_READY = "KubeletNotReady"


def unready_status(node: Node, instant: datetime) -> NodeStatus:
    """The status of a node whose kubelet has trouble with its runtime."""
    conditions = [each for each in node.status.conditions if each.type != "Ready"]
    message = "PLEG is not healthy: pleg was last seen active 3m0s ago; threshold is 3m0s"
    conditions.append(
        NodeCondition(
            type="Ready",
            status="False",
            reason=NOT_READY,
            message=message,
            last_heartbeat_time=instant,
            last_transition_time=instant,
        )
    )
    return msgspec.structs.replace(node.status, conditions=conditions)


def beat(node: Node, instant: datetime) -> NodeStatus:
    """The status as it is, said once more."""
    conditions = [msgspec.structs.replace(each, last_heartbeat_time=instant) for each in node.status.conditions]
    return msgspec.structs.replace(node.status, conditions=conditions)
