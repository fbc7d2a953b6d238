"""Pods: status, quality of service, grace periods, ephemeral containers, resizing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from steersman.api import codecs, quantity
from steersman.api.errors import FieldError, forbidden_field, invalid_value
from steersman.api.types import core_v1 as v1
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.strategy import Handlers, Strategy
from steersman.storage.watch_cache import Entry

from .binding import bind
from .eviction import evict


class _Placed(msgspec.Struct, gc=False):
    class Spec(msgspec.Struct, gc=False):
        node_name: str = msgspec.field(default="", name="nodeName")

    spec: Spec


_placed = msgspec.json.Decoder(_Placed).decode


def _node_name(entry: Entry[Any]) -> str:
    """Asked of every pod at every change: reads no more than this."""
    pod = entry.peek()
    return str(pod.spec.node_name) if pod is not None else _placed(entry.raw).spec.node_name


class PodStrategy(Strategy):
    """Everything that is particular about pods."""

    generation = True
    indexes = {"spec.nodeName": _node_name}

    def __init__(self, resource: Any, cluster: Handlers) -> None:
        super().__init__(resource, cluster)
        self.subresources["ephemeralcontainers"] = self.prepare_ephemeral_containers
        self.subresources["resize"] = self.prepare_resize

    def prepare_create(self, context: Context, new: v1.Pod) -> None:
        new.metadata.generation = 1
        new.status = v1.PodStatus(phase="Pending", qos_class=qos_class(new.spec))
        if new.spec.scheduling_gates:
            new.status.conditions.append(
                v1.PodCondition(
                    type="PodScheduled",
                    status="False",
                    reason="SchedulingGated",
                    message="Scheduling is blocked due to non-empty scheduling gates",
                )
            )

    def prepare_update(self, context: Context, new: v1.Pod, old: v1.Pod) -> None:
        new.status = old.status
        self.count_change(new, old)

    def prepare_status(self, context: Context, new: v1.Pod, old: v1.Pod) -> None:
        new.spec = old.spec
        new.metadata.owner_references = old.metadata.owner_references
        status = new.status
        status.qos_class = status.qos_class or old.status.qos_class
        if status.pod_ip and not status.pod_ips:
            status.pod_ips = [v1.PodIP(ip=status.pod_ip)]
        elif status.pod_ips:
            status.pod_ip = status.pod_ips[0].ip
        if status.host_ip and not status.host_ips:
            status.host_ips = [v1.HostIP(ip=status.host_ip)]

    def prepare_ephemeral_containers(self, context: Context, new: v1.Pod, old: v1.Pod) -> None:
        """Only the ephemeral containers may change."""
        wanted = new.spec.ephemeral_containers
        self._keep(new, old)
        new.spec.ephemeral_containers = wanted
        self.count_change(new, old)

    def prepare_resize(self, context: Context, new: v1.Pod, old: v1.Pod) -> None:
        """Only the resources of containers may change."""
        wanted = {each.name: each for each in (*new.spec.containers, *new.spec.init_containers)}
        pod_level = new.spec.resources
        self._keep(new, old)
        new.spec.resources = pod_level
        for each in (*new.spec.containers, *new.spec.init_containers):
            if (other := wanted.get(each.name)) is not None:
                each.resources, each.resize_policy = other.resources, other.resize_policy
        self.count_change(new, old)

    @staticmethod
    def _keep(new: v1.Pod, old: v1.Pod) -> None:
        """Everything of the old pod, but what is said of who wrote what."""
        managed, version = new.metadata.managed_fields, new.metadata.resource_version
        new.metadata, new.spec, new.status = codecs.copy(old.metadata), codecs.copy(old.spec), old.status
        new.metadata.managed_fields, new.metadata.resource_version = managed, version

    def validate(self, context: Context, new: v1.Pod) -> list[FieldError]:
        faults = super().validate(context, new)
        if new.spec.ephemeral_containers:
            faults.append(forbidden_field("spec.ephemeralContainers", "cannot be set on create"))
        return faults

    def validate_update(self, context: Context, new: v1.Pod, old: v1.Pod, subresource: str) -> list[FieldError]:
        faults = super().validate_update(context, new, old, subresource)
        if subresource == "resize" and not faults and qos_class(new.spec) != qos_class(old.spec):
            faults.append(
                invalid_value("spec", qos_class(new.spec), "Pod QOS Class may not change as a result of resizing")
            )
        return faults

    def grace_period(self, obj: v1.Pod, asked: int | None) -> int | None:
        if not obj.spec.node_name or obj.status.phase in ("Failed", "Succeeded"):
            return 0
        period = asked if asked is not None else obj.spec.termination_grace_period_seconds
        return period if period is not None else 0

    async def create_subresource(self, context: Context, namespace: str, name: str, subresource: str, body: Any) -> Any:
        match subresource:
            case "binding":
                return await bind(self.cluster, context, namespace, name, body)
            case "eviction":
                return await evict(self.cluster, context, namespace, name, body)
        return NotImplemented


_COMPUTE = ("cpu", "memory")


def qos_class(spec: v1.PodSpec) -> str:
    """``Guaranteed``, ``Burstable`` or ``BestEffort``, from the requests and limits of cpu and memory."""
    resources: Iterable[v1.ResourceRequirements]
    if spec.resources is not None and (spec.resources.requests or spec.resources.limits):
        resources = [spec.resources]
    else:
        resources = [each.resources for each in (*spec.containers, *spec.init_containers)]
    guaranteed, anything = True, False
    for each in resources:
        for name in _COMPUTE:
            request, limit = each.requests.get(name), each.limits.get(name)
            asked = quantity.parse(request) if request else 0
            capped = quantity.parse(limit) if limit else 0
            anything = anything or asked > 0 or capped > 0
            guaranteed = guaranteed and capped > 0 and asked == capped
    if not anything:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"
