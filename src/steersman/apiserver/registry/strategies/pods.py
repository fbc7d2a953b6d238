"""Pods: status, quality of service, grace periods, ephemeral containers, resizing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from steersman.api import codecs
from steersman.api.disabled import drop_from_pod_spec, drop_from_pod_status
from steersman.api.errors import FieldError
from steersman.api.meta import controller_of
from steersman.api.pods import qos_class
from steersman.api.types import core_v1 as v1
from steersman.api.validation import validate_metadata
from steersman.api.warnings.pods import pod_name_warnings, pod_warnings
from steersman.apiserver.registry.contract import Context
from steersman.apiserver.registry.strategy import Handlers, Strategy
from steersman.storage.watch_cache import Entry

from .binding import bind
from .eviction import evict
from .pod_preparation import merge_label_keys, synchronize_app_armor

_FAMILIES = 1024
"""Controllers of whose pods one is remembered,"""

_SMALL = 8 * 1024
"""if it has so many bytes of JSON at most: whoever makes pods chooses both."""


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
        self._accepted: dict[str, tuple[v1.PodSpec, dict[str, str]]] = {}
        """By the controller's uid: specification and annotations that have neither faults nor anything to warn of."""

    def prepare_create(self, context: Context, new: v1.Pod) -> None:
        new.metadata.generation = 1
        new.status = v1.PodStatus(phase="Pending", qos_class=qos_class(new.spec))
        drop_from_pod_spec(new.spec)
        if new.spec.scheduling_gates:
            new.status.conditions.append(
                v1.PodCondition(
                    type="PodScheduled",
                    status="False",
                    reason="SchedulingGated",
                    message="Scheduling is blocked due to non-empty scheduling gates",
                    last_transition_time=self.cluster.now(),
                )
            )
        merge_label_keys(new)
        context.warnings.extend(synchronize_app_armor(new))

    def prepare_update(self, context: Context, new: v1.Pod, old: v1.Pod) -> None:
        new.status = old.status
        drop_from_pod_spec(new.spec, old.spec)
        self.count_change(new, old)

    def prepare_status(self, context: Context, new: v1.Pod, old: v1.Pod) -> None:
        new.spec = old.spec
        new.metadata.owner_references = old.metadata.owner_references
        status = new.status
        status.qos_class = status.qos_class or old.status.qos_class
        # The older field is the first of the newer one; where they differ, the older one is meant.
        if status.pod_ip and (not status.pod_ips or status.pod_ips[0].ip != status.pod_ip):
            status.pod_ips = [v1.PodIP(ip=status.pod_ip)]
        elif status.pod_ips:
            status.pod_ip = status.pod_ips[0].ip
        if status.host_ip and not status.host_ips:
            status.host_ips = [v1.HostIP(ip=status.host_ip)]
        drop_from_pod_status(status, old.status)

    def prepare_ephemeral_containers(self, context: Context, new: v1.Pod, old: v1.Pod) -> None:
        """Only the ephemeral containers may change."""
        wanted = new.spec.ephemeral_containers
        self._keep(new, old)
        new.spec.ephemeral_containers = wanted
        self.count_change(new, old)

    def prepare_resize(self, context: Context, new: v1.Pod, old: v1.Pod) -> None:
        """Only the resources of containers may change."""
        wanted = {each.name: each for each in (*new.spec.containers, *new.spec.init_containers)}
        self._keep(new, old)
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
        """The replicas of a template are as good as one of them, but for their names."""
        meta = new.metadata
        owner = controller_of(meta)
        family = owner.uid if owner is not None else ""
        known = self._accepted.get(family)
        if known is not None and known == (new.spec, meta.annotations):
            return validate_metadata(new) or self._warn(context, pod_name_warnings(new))
        told = len(context.warnings)
        faults = super().validate(context, new)
        if family and not faults and len(context.warnings) == told:
            self._remember(family, new)
        return faults

    def _remember(self, family: str, accepted: v1.Pod) -> None:
        if any(each.ephemeral for each in accepted.spec.volumes):
            return  # their claims are named after the pod
        if len(codecs.encode(accepted)) > _SMALL:
            return
        if len(self._accepted) >= _FAMILIES:
            self._accepted.clear()
        self._accepted[family] = accepted.spec, accepted.metadata.annotations

    def warnings(self, new: v1.Pod, old: v1.Pod | None) -> Iterable[str]:
        # People hardly ever change pods, and what changes them does so often.
        return pod_warnings(new) if old is None else ()

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
