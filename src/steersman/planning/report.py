"""The answer: how the cluster is after each event, and what happened until then."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from steersman.api import labels
from steersman.api.types.core_v1 import Node, Pod
from steersman.controllers.kit.conditions import condition, is_true
from steersman.controllers.kit.pods import is_ready, is_terminal
from steersman.scheduler.podinfo import Amounts, amounts, requests

from .observer import Departure, is_silent, workload_of

NO_ZONE = ""


class _Shown(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    pass


class NodeUse(_Shown, frozen=True, kw_only=True):
    """A node; amounts of ``cpu`` are thousandths of a core, others units."""

    name: str
    zone: str
    state: str
    """``ready``, ``not ready``, ``cordoned``; ``failed`` before the cluster has noticed."""
    allocatable: Amounts
    requested: Amounts
    pods: int
    workloads: dict[str, Amounts]
    """What the pods of each workload request, and as ``pods`` how many there are."""


class ZoneUse(_Shown, frozen=True, kw_only=True):
    """The nodes of a zone together; ``allocatable`` counts what may be used: nodes that are ready and not cordoned."""

    name: str
    nodes: int
    ready: int
    allocatable: Amounts
    requested: Amounts
    pods: int


class WorkloadUse(_Shown, frozen=True, kw_only=True):
    """A workload: how many pods it is to have, and how many it has."""

    name: str
    wanted: int
    ready: int
    pending: int
    lowest: int
    """The fewest that were ready at a time since the event."""
    zones: dict[str, int]
    """Pods that run, by zone."""


class Unscheduled(_Shown, frozen=True, kw_only=True):
    """Pods that have no node, and the scheduler's word on why."""

    workload: str
    pods: int
    message: str


class Evictions(_Shown, frozen=True, kw_only=True):
    """Pods that were made to leave; ``first`` and ``last`` are seconds after the event."""

    workload: str
    reason: str
    pods: int
    first: float
    last: float


class Step(_Shown, frozen=True, kw_only=True):
    """The cluster after an event.  Times are seconds: ``at`` since the beginning, the others since the event."""

    title: str
    at: float
    took: float
    """Until nothing changed any more; where an event waits, as long as it waits."""
    settled: bool
    """Whether all that the event set off is over."""
    silenced: float | None
    """When the last node that failed was found not ready."""
    notes: list[str]
    zones: list[ZoneUse]
    workloads: list[WorkloadUse]
    unscheduled: list[Unscheduled]
    evictions: list[Evictions]
    nodes: list[NodeUse]

    @property
    def evicted(self) -> int:
        """How many pods were made to leave."""
        return sum(each.pods for each in self.evictions)


class Report(_Shown, frozen=True, kw_only=True):
    """The whole answer."""

    scenario: str
    seed: int
    steps: list[Step]


def state_of(node: Node) -> str:
    """In a word."""
    if not is_true(node.status.conditions, "Ready"):
        return "not ready"
    if is_silent(node):
        return "failed"
    return "cordoned" if node.spec.unschedulable else "ready"


def node_uses(nodes: Iterable[Node], pods: Iterable[Pod]) -> list[NodeUse]:
    """How nodes are used, in the order of zones and names."""
    placed: dict[str, list[Pod]] = defaultdict(list)
    for pod in pods:
        if pod.spec.node_name and not is_terminal(pod):
            placed[pod.spec.node_name].append(pod)
    uses = [_node_use(node, placed[node.metadata.name]) for node in nodes]
    return sorted(uses, key=lambda use: (use.zone, natural(use.name)))


def _node_use(node: Node, pods: Sequence[Pod]) -> NodeUse:
    requested: Counter[str] = Counter()
    workloads: dict[str, Counter[str]] = defaultdict(Counter)
    for pod in pods:
        needed = {**requests(pod), "pods": 1}
        requested.update(needed)
        workloads[workload_of(pod)].update(needed)
    return NodeUse(
        name=node.metadata.name,
        zone=node.metadata.labels.get(labels.TOPOLOGY_ZONE, NO_ZONE),
        state=state_of(node),
        allocatable=amounts(node.status.allocatable),
        requested=dict(sorted(requested.items())),
        pods=len(pods),
        workloads={name: dict(sorted(workloads[name].items())) for name in sorted(workloads)},
    )


def zone_uses(nodes: Iterable[NodeUse]) -> list[ZoneUse]:
    """The zones of nodes."""
    zones: dict[str, list[NodeUse]] = defaultdict(list)
    for node in nodes:
        zones[node.zone].append(node)
    return [_zone_use(name, zones[name]) for name in sorted(zones)]


def _zone_use(name: str, nodes: Sequence[NodeUse]) -> ZoneUse:
    usable = [node for node in nodes if node.state == "ready"]
    return ZoneUse(
        name=name,
        nodes=len(nodes),
        ready=sum(node.state != "not ready" for node in nodes),
        allocatable=_sum(node.allocatable for node in usable),
        requested=_sum(node.requested for node in usable),
        pods=sum(node.pods for node in usable),
    )


def _sum(parts: Iterable[Amounts]) -> Amounts:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    return dict(sorted(total.items()))


def workload_uses(
    wanted: Mapping[str, int], nodes: Iterable[Node], pods: Iterable[Pod], lowest: Mapping[str, int]
) -> list[WorkloadUse]:
    """How workloads do; ``wanted`` is how many pods each is to have."""
    zone_of = {node.metadata.name: node.metadata.labels.get(labels.TOPOLOGY_ZONE, NO_ZONE) for node in nodes}
    owned: dict[str, list[Pod]] = defaultdict(list)
    for pod in pods:
        if pod.metadata.deletion_timestamp is None and not is_terminal(pod):
            owned[workload_of(pod)].append(pod)
    uses = []
    for name in sorted({*wanted, *owned}):
        ready = [pod for pod in owned[name] if is_ready(pod)]
        zones = Counter(zone_of.get(pod.spec.node_name, NO_ZONE) for pod in ready)
        uses.append(
            WorkloadUse(
                name=name,
                wanted=wanted.get(name, 0),
                ready=len(ready),
                pending=sum(not pod.spec.node_name for pod in owned[name]),
                lowest=min(lowest.get(name, 0), len(ready)),
                zones=dict(sorted(zones.items())),
            )
        )
    return uses


def unscheduled(pods: Iterable[Pod]) -> list[Unscheduled]:
    """Which pods have no node, and why."""
    found: Counter[tuple[str, str]] = Counter()
    for pod in pods:
        if not pod.spec.node_name and pod.metadata.deletion_timestamp is None and not is_terminal(pod):
            scheduled = condition(pod.status.conditions, "PodScheduled")
            found[workload_of(pod), scheduled.message if scheduled is not None else ""] += 1
    return [
        Unscheduled(workload=workload, message=message, pods=count)
        for (workload, message), count in sorted(found.items())
    ]


def evictions(departures: Iterable[Departure], since: float) -> list[Evictions]:
    """Which pods had to leave, and when."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for each in departures:
        found[each.workload, each.reason].append(round(each.at - since, 1))
    return [
        Evictions(workload=workload, reason=reason, pods=len(times), first=min(times), last=max(times))
        for (workload, reason), times in sorted(found.items())
    ]


def natural(name: str) -> tuple[tuple[bool, int, str], ...]:
    """Numbers in names by their value: ``a-2`` is before ``a-10``."""
    parts: list[tuple[bool, int, str]] = []
    text = ""
    for character in name:
        if text and character.isdecimal() != text[-1].isdecimal():
            parts.append(_part(text))
            text = ""
        text += character
    return (*parts, _part(text)) if text else tuple(parts)


def _part(text: str) -> tuple[bool, int, str]:
    return (False, int(text), "") if text.isdecimal() else (True, 0, text)
