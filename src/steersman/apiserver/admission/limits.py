"""LimitRanger: default requests and limits, and the bounds that a namespace sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from steersman.api import quantity
from steersman.api.labels import MIRROR_POD
from steersman.api.types import core_v1 as v1

from .plugin import Cluster, Plugin, Request


class LimitRanger(Plugin):
    """See the module."""

    name = "LimitRanger"
    resources = frozenset({"pods", "persistentvolumeclaims"})

    async def mutate(self, request: Request, cluster: Cluster) -> None:
        if request.resource.name != "pods" or MIRROR_POD in request.obj.metadata.annotations:
            return
        limit_ranges = await cluster.list(v1.LimitRange, request.namespace)
        if not limit_ranges:
            return
        changes: list[str] = []
        for item in _items(limit_ranges, "Container"):
            spec: v1.PodSpec = request.obj.spec
            for kind, containers in (("container", spec.containers), ("init container", spec.init_containers)):
                for container in containers:
                    changes += _default(kind, container, item)
        if changes:
            note = f"LimitRanger plugin set: {'; '.join(changes)}"
            request.obj.metadata.annotations["kubernetes.io/limit-ranger"] = note

    async def validate(self, request: Request, cluster: Cluster) -> None:
        limit_ranges = await cluster.list(v1.LimitRange, request.namespace)
        if not limit_ranges:
            return
        faults = list(self._faults(request, limit_ranges))
        if len(faults) == 1:
            raise request.refuse(faults[0])
        if faults:
            raise request.refuse(f"[{', '.join(faults)}]")

    @staticmethod
    def _faults(request: Request, limit_ranges: Sequence[v1.LimitRange]) -> Iterator[str]:
        if request.resource.name == "persistentvolumeclaims":
            for item in _items(limit_ranges, "PersistentVolumeClaim"):
                resources = request.obj.spec.resources
                yield from _bounds("PersistentVolumeClaim", item, resources.requests, resources.requests)
            return
        spec: v1.PodSpec = request.obj.spec
        for item in _items(limit_ranges, "Container"):
            for container in (*spec.containers, *spec.init_containers):
                yield from _bounds("Container", item, container.resources.requests, container.resources.limits)
        for item in _items(limit_ranges, "Pod"):
            yield from _bounds("Pod", item, _total(spec, "requests"), _total(spec, "limits"))


def _items(limit_ranges: Sequence[v1.LimitRange], type_: str) -> Iterator[v1.LimitRangeItem]:
    return (item for each in limit_ranges for item in each.spec.limits if item.type == type_)


def _default(kind: str, container: v1.Container, item: v1.LimitRangeItem) -> Iterator[str]:
    """Fill in what a container leaves out, and say what was filled in."""
    for what, present, defaults in (
        ("limit", container.resources.limits, item.default),
        ("request", container.resources.requests, item.default_request),
    ):
        added = sorted(name for name in defaults if name not in present)
        for name in added:
            present[name] = defaults[name]
        if added:
            yield f"{', '.join(added)} {what} for {kind} {container.name}"


def _total(spec: v1.PodSpec, attribute: str) -> dict[str, str]:
    """What all containers of a pod ask for together; an init container counts where it needs more by itself."""
    pod_level = getattr(spec.resources, attribute) if spec.resources is not None else {}
    amounts: dict[str, Any] = {}
    for container in spec.containers:
        for name, amount in getattr(container.resources, attribute).items():
            amounts[name] = amounts.get(name, 0) + quantity.parse(amount)
    for container in spec.init_containers:
        for name, amount in getattr(container.resources, attribute).items():
            value = quantity.parse(amount)
            if container.restart_policy == "Always":
                amounts[name] = amounts.get(name, 0) + value
            else:
                amounts[name] = max(amounts.get(name, 0), value)
    return {name: quantity.format_decimal(amount) for name, amount in amounts.items()} | pod_level


def _bounds(
    kind: str, item: v1.LimitRangeItem, requests: Mapping[str, str], limits: Mapping[str, str]
) -> Iterator[str]:
    for name, least in item.min.items():
        request, limit = requests.get(name), limits.get(name)
        if request is None:
            yield f"minimum {name} usage per {kind} is {least}. No request is specified"
        elif quantity.parse(request) < quantity.parse(least):
            yield f"minimum {name} usage per {kind} is {least}, but request is {request}"
        elif limit is not None and quantity.parse(limit) < quantity.parse(least):
            yield f"minimum {name} usage per {kind} is {least}, but limit is {limit}"
    for name, most in item.max.items():
        request, limit = requests.get(name), limits.get(name)
        if limit is None:
            yield f"maximum {name} usage per {kind} is {most}. No limit is specified"
        elif quantity.parse(limit) > quantity.parse(most):
            yield f"maximum {name} usage per {kind} is {most}, but limit is {limit}"
        elif request is not None and quantity.parse(request) > quantity.parse(most):
            yield f"maximum {name} usage per {kind} is {most}, but request is {request}"
    for name, ratio in item.max_limit_request_ratio.items():
        request, limit = requests.get(name), limits.get(name)
        rule = f"{name} max limit to request ratio per {kind} is {ratio}"
        if request is None or quantity.parse(request) == 0:
            yield f"{rule}, but no request is specified or request is 0"
        elif limit is None or quantity.parse(limit) == 0:
            yield f"{rule}, but no limit is specified or limit is 0"
        elif (actual := quantity.parse(limit) / quantity.parse(request)) > quantity.parse(ratio):
            yield f"{rule}, but provided ratio is {float(actual):f}"
