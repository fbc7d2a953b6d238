"""Pods: their containers, what they ask for, and what a resource's name says about it."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Literal

from . import quantity
from .types import core_v1 as v1

HUGEPAGES = "hugepages-"
_DOMAIN = "kubernetes.io/"


def native(name: str) -> bool:
    """Whether a resource is Kubernetes' own."""
    return "/" not in name or _DOMAIN in name


def hugepages(name: str) -> bool:
    """Whether a resource is pages of one size: ``hugepages-2Mi``."""
    return name.startswith(HUGEPAGES)


def pod_level(name: str) -> bool:
    """Whether a pod can ask for a resource as a whole (KEP-2837)."""
    return name in ("cpu", "memory") or hugepages(name)


def whole_pages(name: str, amount: str) -> bool:
    """Whether an amount of huge pages is a multiple of the size in their name."""
    try:
        size = quantity.parse(name.removeprefix(HUGEPAGES))
    except quantity.QuantityError:
        return False
    if size <= 0 or size != size.to_integral_value():
        return False
    return quantity.value(amount) % int(size) == 0


Container = v1.Container | v1.EphemeralContainer


def every_container(spec: v1.PodSpec, path: str) -> Iterator[tuple[Container, str]]:
    """Each container of any sort with its path; those that run first come first."""
    for index, container in enumerate(spec.init_containers):
        yield container, f"{path}.initContainers[{index}]"
    for index, container in enumerate(spec.containers):
        yield container, f"{path}.containers[{index}]"
    for index, ephemeral in enumerate(spec.ephemeral_containers):
        yield ephemeral, f"{path}.ephemeralContainers[{index}]"


def is_sidecar(container: v1.Container) -> bool:
    """Whether an init container runs on beside the others (KEP-753)."""
    return container.restart_policy == "Always"


def totals(spec: v1.PodSpec, part: Literal["requests", "limits"]) -> dict[str, Decimal]:
    """What all containers need together, at the time at which they need most.

    Init containers run one by one, each beside the sidecars that were started before it.
    """
    sidecars: dict[str, Decimal] = {}
    peak: dict[str, Decimal] = {}
    for container in spec.init_containers:
        own = _amounts(container, part)
        if is_sidecar(container):
            _add(sidecars, own)
            beside = sidecars
        else:
            _add(own, sidecars)
            beside = own
        for name, amount in beside.items():
            peak[name] = max(peak.get(name, quantity.ZERO), amount)
    running = dict(sidecars)
    for container in spec.containers:
        _add(running, _amounts(container, part))
    for name, amount in peak.items():
        running[name] = max(running.get(name, quantity.ZERO), amount)
    return running


def _amounts(container: v1.Container, part: Literal["requests", "limits"]) -> dict[str, Decimal]:
    values = container.resources.requests if part == "requests" else container.resources.limits
    return {name: quantity.parse(value) for name, value in values.items()}


def _add(total: dict[str, Decimal], more: dict[str, Decimal]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, quantity.ZERO) + amount


_QOS = ("cpu", "memory")


def qos_class(spec: v1.PodSpec) -> str:
    """``Guaranteed``, ``Burstable`` or ``BestEffort``, from the requests and limits of cpu and memory."""
    if spec.resources is not None and (spec.resources.requests or spec.resources.limits):
        each = [spec.resources]
    else:
        each = [container.resources for container in (*spec.containers, *spec.init_containers)]
    guaranteed, anything = True, False
    for resources in each:
        for name in _QOS:
            request, limit = resources.requests.get(name), resources.limits.get(name)
            asked = quantity.parse(request) if request else quantity.ZERO
            capped = quantity.parse(limit) if limit else quantity.ZERO
            anything = anything or asked > 0 or capped > 0
            guaranteed = guaranteed and capped > 0 and asked == capped
    if not anything:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"
