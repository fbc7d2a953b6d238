"""What goes on in a simulated cluster: when something changed last, and which pods had to leave."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from steersman.api import labels
from steersman.api.clock import Clock
from steersman.api.meta import controller_of
from steersman.api.types.core_v1 import Node, Pod
from steersman.client.client import Client
from steersman.client.informer import Informer
from steersman.controllers.kit.conditions import condition
from steersman.controllers.kit.pods import is_ready, on_node

NO_EXECUTE = "NoExecute"
HASH = "pod-template-hash"


class Departure(NamedTuple):
    """A pod that was made to leave its node."""

    workload: str
    node: str
    reason: str
    at: float


def workload_of(pod: Pod) -> str:
    """What a pod belongs to, after its namespace if that is not ``default``: ``deployment/web``, ``pod/web``."""
    owner = controller_of(pod.metadata)
    kind, name = ("Pod", pod.metadata.name) if owner is None else (owner.kind, owner.name)
    suffix = f"-{pod.metadata.labels.get(HASH, '')}"
    if kind == "ReplicaSet" and suffix != "-" and name.endswith(suffix):
        kind, name = "Deployment", name.removesuffix(suffix)
    return label(kind, name, pod.metadata.namespace)


def label(kind: str, name: str, namespace: str) -> str:
    """What a workload is called."""
    place = "" if namespace == "default" else f"{namespace}/"
    return f"{place}{kind.lower()}/{name}"


def is_silent(node: Node) -> bool:
    """Whether nobody simulates a node: it has failed."""
    return labels.SIMULATED_NODE not in node.metadata.annotations


class Observer:
    """``last`` is when something changed that a plan is about, by the clock; heartbeats do not count."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self.nodes: Informer[Node] = Informer(client, Node)
        self.pods: Informer[Pod] = Informer(client, Pod)
        self.pods.lister.add_index("node", on_node)
        self.last = 0.0
        self.departures: list[Departure] = []
        self.silenced: list[float] = []
        """When nodes were found not ready."""
        self._clock = clock
        self._ready: Counter[str] = Counter()
        self.lowest: dict[str, int] = {}
        """The fewest pods of each workload that were ready at a time since :meth:`begin`."""
        self.nodes.add_handler(self._node, self._node_updated, self._node)
        self.pods.add_handler(self._pod_added, self._pod_updated, self._pod_deleted)

    def begin(self) -> None:
        """A step begins."""
        self.departures = []
        self.silenced = []
        self.lowest = dict(self._ready)

    def awaits_eviction(self) -> bool:
        """Whether nodes are to be given up yet, or pods to be evicted from those that were."""
        for node in self.nodes.lister.list():
            taints = [taint for taint in node.spec.taints if taint.effect == NO_EXECUTE]
            if is_silent(node) and not taints:
                return True
            if taints and any(map(_may_leave, self.pods.lister.by_index("node", node.metadata.name))):
                return True
        return False

    def _node(self, node: Node) -> None:
        self.last = self._clock.monotonic()

    def _node_updated(self, old: Node, new: Node) -> None:
        states = [[(each.type, each.status) for each in node.status.conditions] for node in (old, new)]
        if old.spec != new.spec or states[0] != states[1]:
            self._node(new)
        if _node_ready(old) and not _node_ready(new):
            self.silenced.append(self._clock.monotonic())

    def _pod_added(self, pod: Pod) -> None:
        self.last = self._clock.monotonic()
        self._count(pod, int(is_ready(pod)))

    def _pod_updated(self, old: Pod, new: Pod) -> None:
        before, after = _state(old), _state(new)
        if before != after:
            self.last = self._clock.monotonic()
        self._count(new, int(is_ready(new)) - int(is_ready(old)))
        if old.metadata.deletion_timestamp is None and new.metadata.deletion_timestamp is not None:
            self._departs(new)

    def _pod_deleted(self, pod: Pod) -> None:
        self.last = self._clock.monotonic()
        self._count(pod, -int(is_ready(pod)))
        if pod.metadata.deletion_timestamp is None:
            self._departs(pod)

    def _count(self, pod: Pod, more: int) -> None:
        if more:
            name = workload_of(pod)
            self._ready[name] += more
            self.lowest[name] = min(self.lowest.get(name, 0), self._ready[name])

    def _departs(self, pod: Pod) -> None:
        disruption = condition(pod.status.conditions, "DisruptionTarget")
        if disruption is not None and pod.spec.node_name:
            at = self._clock.monotonic()
            self.departures.append(Departure(workload_of(pod), pod.spec.node_name, disruption.reason, at))


def _node_ready(node: Node) -> bool:
    ready = condition(node.status.conditions, "Ready")
    return ready is not None and ready.status == "True"


def _state(pod: Pod) -> tuple[object, ...]:
    scheduled = condition(pod.status.conditions, "PodScheduled")
    return (
        pod.metadata.uid,
        pod.spec.node_name,
        pod.status.phase,
        pod.metadata.deletion_timestamp is None,
        is_ready(pod),
        scheduled.message if scheduled is not None else "",
    )


def _may_leave(pod: Pod) -> bool:
    """Whether a pod does not tolerate NoExecute taints for ever, and is not leaving already."""
    if pod.metadata.deletion_timestamp is not None:
        return False
    tolerations = [each for each in pod.spec.tolerations if each.effect in ("", NO_EXECUTE)]
    return not any(
        each.toleration_seconds is None and not each.key and each.operator == "Exists" for each in tolerations
    )


def longest_toleration(pods: Informer[Pod]) -> float:
    """The most seconds for which a pod tolerates a taint before it leaves."""
    return max(
        (
            float(each.toleration_seconds)
            for pod in pods.lister.list()
            for each in pod.spec.tolerations
            if each.toleration_seconds is not None
        ),
        default=0.0,
    )
