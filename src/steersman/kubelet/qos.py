"""Quality of service: a pod's class and resources, and what the kernel is told about them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from steersman.api import quantity
from steersman.api.types.core_v1 import Container, Pod, ResourceRequirements

GUARANTEED, BURSTABLE, BEST_EFFORT = "Guaranteed", "Burstable", "BestEffort"


def is_sidecar(container: Container) -> bool:
    """Whether an init container stays and is restarted (KEP-753)."""
    return container.restart_policy == "Always"


def qos_class(pod: Pod) -> str:
    """The class of a pod: Guaranteed where each container limits cpu and memory and requests the same."""
    if pod.spec.resources is not None and (pod.spec.resources.requests or pod.spec.resources.limits):
        sets: list[ResourceRequirements] = [pod.spec.resources]
    else:
        sets = [container.resources for container in [*pod.spec.init_containers, *pod.spec.containers]]
    any_set, guaranteed = False, True
    for resources in sets:
        for name in ("cpu", "memory"):
            limit = quantity.parse(resources.limits[name]) if resources.limits.get(name) else 0
            request = quantity.parse(resources.requests[name]) if resources.requests.get(name) else limit
            any_set = any_set or bool(limit or request)
            guaranteed = guaranteed and bool(limit) and request == limit
    if not any_set:
        return BEST_EFFORT
    return GUARANTEED if guaranteed else BURSTABLE


def oom_score_adj(pod: Pod, container: Container, memory_capacity: int) -> int:
    """How readily the kernel kills a container when memory runs out."""
    if (pod.spec.priority or 0) >= 2_000_000_000:
        return -997
    match qos_class(pod):
        case "Guaranteed":
            return -997
        case "BestEffort":
            return 1000
    request = quantity.value(container.resources.requests.get("memory", ""))
    score = 1000 - 1000 * request // max(1, memory_capacity)
    return min(999, max(3, score))


def milli_or_value(name: str, text: str) -> int:
    """A quantity in the unit that sums are made in: thousandths for cpu, units for all else."""
    return quantity.milli_value(text) if name == "cpu" else quantity.value(text)


def pod_requests(pod: Pod) -> dict[str, int]:
    """What a pod requests at most at any one time: cpu in thousandths, all else in units."""
    running = _sum(container.resources.requests for container in pod.spec.containers)
    sidecars: dict[str, int] = {}
    peak: dict[str, int] = {}
    for container in pod.spec.init_containers:
        own = _sum([container.resources.requests])
        if is_sidecar(container):
            sidecars = _add(sidecars, own)
            own = sidecars
        else:
            own = _add(own, sidecars)
        peak = {name: max(peak.get(name, 0), own.get(name, 0)) for name in {*peak, *own}}
    total = _add(running, sidecars)
    total = {name: max(total.get(name, 0), peak.get(name, 0)) for name in {*total, *peak}}
    if pod.spec.resources is not None:
        total |= _sum([pod.spec.resources.requests])
    return _add(total, _sum([pod.spec.overhead]))


def pod_limits(pod: Pod) -> dict[str, int]:
    """The sum of limits, for each resource that every container limits."""
    if pod.spec.resources is not None and pod.spec.resources.limits:
        return _sum([pod.spec.resources.limits])
    containers = [*pod.spec.containers, *(c for c in pod.spec.init_containers if is_sidecar(c))]
    names = {"cpu", "memory"}
    for container in [*containers, *pod.spec.init_containers]:
        names &= set(container.resources.limits)
    total = _sum(container.resources.limits for container in containers)
    for container in pod.spec.init_containers:
        for name, amount in _sum([container.resources.limits]).items():
            total[name] = max(total.get(name, 0), amount)
    return {name: amount for name, amount in total.items() if name in names}


def _sum(lists: Iterable[Mapping[str, str]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for resources in lists:
        for name, text in resources.items():
            total[name] = total.get(name, 0) + milli_or_value(name, text)
    return total


def _add(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in {*one, *other}}
