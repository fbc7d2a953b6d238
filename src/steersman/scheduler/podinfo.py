"""What the scheduler needs of a pod, computed once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from steersman.api import quantity
from steersman.api.types.core_v1 import Affinity, Container, Pod, Toleration, TopologySpreadConstraint

DEFAULT_MILLI_CPU = 100
DEFAULT_MEMORY = 200 * 1024 * 1024
"""What a container without requests counts for in scores, so that such pods spread too."""

MAX_AMOUNT = 1 << 56
"""More of anything counts as this much: so that neither sums nor scores overflow 64 bits."""

HostPort = tuple[str, str, int]
"""Protocol, host address (``0.0.0.0`` for all), port."""

Amounts = dict[str, int]
"""Resource name → amount: thousandths for cpu, units for everything else."""


class PodInfo(msgspec.Struct, frozen=True):
    """A pod as the scheduler sees it.  ``signature`` is equal for pods that every plugin treats alike."""

    key: str
    uid: str
    priority: int
    requests: Amounts
    nonzero_cpu: int
    nonzero_memory: int
    host_ports: tuple[HostPort, ...]
    images: tuple[str, ...]
    node_name: str
    node_selector: dict[str, str]
    affinity: Affinity | None
    tolerations: list[Toleration]
    signature: bytes
    preemption_policy: str = ""
    namespace: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    terminating: bool = False
    spread: list[TopologySpreadConstraint] = []


class PodInfos:
    """Makes them, each alike but for its name of the first that had its signature: a replica costs 200 bytes."""

    LIMIT = 4096
    LARGEST = 4096
    """Bytes of a signature: whoever makes pods chooses them."""

    def __init__(self) -> None:
        self._first: dict[bytes, PodInfo] = {}

    def of(self, pod: Pod) -> PodInfo:
        """What the scheduler needs of a pod."""
        info = pod_info(pod)
        if (first := self._first.get(info.signature)) is None:
            if len(info.signature) > self.LARGEST:
                return info
            if len(self._first) >= self.LIMIT:
                self._first.clear()
            self._first[info.signature] = info
            return info
        return msgspec.structs.replace(first, key=info.key, uid=info.uid, node_name=info.node_name)


@lru_cache(maxsize=4096)
def amount(resource: str, text: str) -> int:
    """A quantity as the scheduler counts it."""
    return min(quantity.milli_value(text) if resource == "cpu" else quantity.value(text), MAX_AMOUNT)


def amounts(resources: Mapping[str, str]) -> Amounts:
    """A resource list as the scheduler counts it."""
    return {name: amount(name, text) for name, text in resources.items()}


def _add(total: Amounts, more: Amounts) -> None:
    for name, value in more.items():
        total[name] = min(total.get(name, 0) + value, MAX_AMOUNT)


def _raise(total: Amounts, least: Amounts) -> None:
    for name, value in least.items():
        total[name] = max(total.get(name, 0), value)


def _container(container: Container, *, nonzero: bool) -> Amounts:
    result = amounts(container.resources.requests)
    if nonzero:
        result.setdefault("cpu", DEFAULT_MILLI_CPU)
        result.setdefault("memory", DEFAULT_MEMORY)
    return result


def requests(pod: Pod, *, nonzero: bool = False) -> Amounts:
    """What a pod needs at its peak: init containers run one after the other, sidecars beside everything after them."""
    spec = pod.spec
    total: Amounts = {}
    for container in spec.containers:
        _add(total, _container(container, nonzero=nonzero))
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in spec.init_containers:
        own = _container(container, nonzero=nonzero)
        if container.restart_policy == "Always":
            _add(total, own)
            _add(sidecars, own)
            _raise(peak, sidecars)
        else:
            _add(own, sidecars)
            _raise(peak, own)
    _raise(total, peak)
    if spec.resources is not None:  # pod-level resources (KEP-2837) take precedence over the sum
        total.update(amounts(spec.resources.requests))
    _add(total, amounts(spec.overhead))
    return total


def pod_info(pod: Pod) -> PodInfo:
    """Compute what the scheduler needs of a pod."""
    spec = pod.spec
    needed = {name: value for name, value in requests(pod).items() if value}
    nonzero = requests(pod, nonzero=True)
    containers = [*spec.init_containers, *spec.containers]
    sidecars = [item for item in spec.init_containers if item.restart_policy == "Always"]
    ports = tuple(
        sorted(
            (port.protocol or "TCP", port.host_ip or "0.0.0.0", port.host_port)  # noqa: S104
            for container in [*spec.containers, *sidecars]
            for port in container.ports
            if port.host_port
        )
    )
    images = tuple(container.image for container in containers)
    labels = tuple(sorted(pod.metadata.labels.items()))
    signature = msgspec.json.encode(
        (
            spec.priority or 0,
            sorted(needed.items()),
            nonzero["cpu"],
            nonzero["memory"],
            ports,
            images,
            sorted(spec.node_selector.items()),
            spec.affinity,
            spec.tolerations,
            spec.preemption_policy,
            pod.metadata.namespace,
            labels,
            spec.topology_spread_constraints,
            pod.metadata.deletion_timestamp is not None,
        )
    )
    return PodInfo(
        key=f"{pod.metadata.namespace}/{pod.metadata.name}",
        uid=pod.metadata.uid,
        priority=spec.priority or 0,
        requests=needed,
        nonzero_cpu=nonzero["cpu"],
        nonzero_memory=nonzero["memory"],
        host_ports=ports,
        images=images,
        node_name=spec.node_name,
        node_selector=spec.node_selector,
        affinity=spec.affinity,
        tolerations=spec.tolerations,
        signature=signature,
        preemption_policy=spec.preemption_policy,
        namespace=pod.metadata.namespace,
        labels=labels,
        terminating=pod.metadata.deletion_timestamp is not None,
        spread=spec.topology_spread_constraints,
    )
