"""Notices nodes that fall silent, and says so on the node and on its pods.

A node is alive while its Lease or its Ready condition keeps changing, by this process's own clock: a restart gives
every node a full grace period.  A silent node's conditions become Unknown and its pods not ready.  Conditions
are mirrored as ``NoSchedule`` taints at once; ``NoExecute`` taints, which evict, are laid with a rate limit per
zone, and not at all while every zone is down: then it is rather this side of the network that is cut off.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import ClassVar

from steersman.api import codecs, labels
from steersman.api.errors import StatusError, is_conflict, is_not_found
from steersman.api.types.coordination_v1 import Lease
from steersman.api.types.core_v1 import Node, NodeCondition, ObjectReference, Pod, PodCondition, Taint
from steersman.client.informer import Informer

from .config import ControllerManagerConfig
from .kit import Controller, ControllerContext
from .kit.conditions import condition
from .kit.pods import is_ready, on_node, set_pod_condition
from .kit.taints import merged, write_taints

log = logging.getLogger(__name__)

WATCHED_CONDITIONS = ("Ready", "MemoryPressure", "DiskPressure", "PIDPressure")
NO_SCHEDULE = "NoSchedule"
NO_EXECUTE = "NoExecute"
SLICE = 64
"""Nodes that are looked at before the event loop gets its turn."""

CONDITION_TAINTS = (
    ("Ready", "False", labels.TAINT_NOT_READY),
    ("Ready", "Unknown", labels.TAINT_UNREACHABLE),
    ("MemoryPressure", "True", labels.TAINT_MEMORY_PRESSURE),
    ("DiskPressure", "True", labels.TAINT_DISK_PRESSURE),
    ("PIDPressure", "True", labels.TAINT_PID_PRESSURE),
    ("NetworkUnavailable", "True", labels.TAINT_NETWORK_UNAVAILABLE),
)
MANAGED_NO_SCHEDULE = [
    *((key, NO_SCHEDULE) for _, _, key in CONDITION_TAINTS),
    (labels.TAINT_UNSCHEDULABLE, NO_SCHEDULE),
]
MANAGED_NO_EXECUTE = [(labels.TAINT_NOT_READY, NO_EXECUTE), (labels.TAINT_UNREACHABLE, NO_EXECUTE)]


def readiness(node: Node) -> str:
    """The status of the Ready condition; Unknown where there is none."""
    ready = condition(node.status.conditions, "Ready")
    return ready.status if ready is not None else "Unknown"


def no_schedule_taints(node: Node) -> list[Taint]:
    """The NoSchedule taints that the node's conditions and ``spec.unschedulable`` call for."""
    found = []
    for type_, status, key in CONDITION_TAINTS:
        present = condition(node.status.conditions, type_)
        if present is not None and present.status == status:
            found.append(Taint(key=key, effect=NO_SCHEDULE))
    if node.spec.unschedulable:
        found.append(Taint(key=labels.TAINT_UNSCHEDULABLE, effect=NO_SCHEDULE))
    return found


def no_execute_taint(node: Node) -> str:
    """The key of the NoExecute taint that the node's readiness calls for; empty for none."""
    return {"True": "", "False": labels.TAINT_NOT_READY}.get(readiness(node), labels.TAINT_UNREACHABLE)


def silenced(node: Node, instant: datetime) -> list[NodeCondition] | None:
    """The conditions of a node that fell silent; None where they say so already."""
    conditions = codecs.copy(node).status.conditions
    changed = False
    for type_ in WATCHED_CONDITIONS:
        present = condition(conditions, type_)
        if present is None:
            changed = True
            conditions.append(
                NodeCondition(
                    type=type_,
                    status="Unknown",
                    reason="NodeStatusNeverUpdated",
                    message="Kubelet never posted node status.",
                    last_heartbeat_time=node.metadata.creation_timestamp,
                    last_transition_time=instant,
                )
            )
        elif present.status != "Unknown":
            changed = True
            present.status = "Unknown"
            present.reason = "NodeStatusUnknown"
            present.message = "Kubelet stopped posting node status."
            present.last_transition_time = instant
    return conditions if changed else None


def zone_of(node: Node) -> str:
    """The failure domain of a node."""
    marks = node.metadata.labels
    return f"{marks.get(labels.TOPOLOGY_REGION, '')}:\0:{marks.get(labels.TOPOLOGY_ZONE, '')}"


def eviction_rates(nodes: Iterable[Node], config: ControllerManagerConfig) -> dict[str, float]:
    """How many nodes of each zone may be emptied per second; none anywhere while every zone is down."""
    zones: dict[str, list[bool]] = {}
    for node in nodes:
        zones.setdefault(zone_of(node), []).append(readiness(node) == "True")
    if zones and not any(ready for states in zones.values() for ready in states):
        return dict.fromkeys(zones, 0.0)
    rates = {}
    for zone, states in zones.items():
        down = states.count(False)
        partial = down < len(states) and down > 2 and down / len(states) >= config.unhealthy_zone_threshold
        if not partial:
            rates[zone] = config.node_eviction_rate
        else:
            large = len(states) > config.large_cluster_size_threshold
            rates[zone] = config.secondary_node_eviction_rate if large else 0.0
    return rates


class _Seen:
    """When a node was last seen to move, by this process's own clock (monotonic)."""

    __slots__ = ("fingerprint", "ready", "stamp", "uid", "well")

    def __init__(self, uid: str, stamp: float) -> None:
        self.uid = uid
        self.stamp = stamp
        self.fingerprint: tuple[datetime | None, datetime | None] = (None, None)
        self.ready = ""
        self.well: Node | None = None
        """The node itself, where it was ready when it was last checked: as long as that is it, its lease tells all."""


class NodeLifecycleController(Controller):
    """Keys are names of nodes (for their NoSchedule taints); silence is looked for in the background."""

    name = "node-lifecycle-controller"
    service_account = "node-controller"
    component = "node-controller"
    workers: ClassVar[int] = 8

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self.seen: dict[str, _Seen] = {}
        self.last_eviction: dict[str, float] = {}
        self.looking = False
        self.nodes: Informer[Node] = self.watch(Node, lambda node: [node.metadata.name])
        self.leases: Informer[Lease] = self.listen(context.informers.informer(Lease, labels.NAMESPACE_NODE_LEASE))
        self.pods: Informer[Pod] = self.listen(context.informers.informer(Pod))
        self.pods.lister.add_index("node", on_node)

    def unfinished(self, soon: float = 0.0) -> Iterator[str]:
        """What it is doing: also the look at all nodes."""
        if self.looking:
            yield f"{self.name}: looks at the nodes"
        yield from super().unfinished(soon)

    async def reconcile(self, key: str) -> float | None:
        node = self.nodes.lister.get(key)
        if node is None:
            return None
        wanted = no_schedule_taints(node)
        for taint in wanted:
            taint.time_added = self.context.now()
        taints = merged(node.spec.taints, wanted, MANAGED_NO_SCHEDULE)
        if readiness(node) == "True":  # what evicts goes at once when the node is back
            taints = merged(taints, [], MANAGED_NO_EXECUTE)
        if taints != node.spec.taints:
            await write_taints(self.client, node, taints)
        return None

    async def background(self) -> None:
        while True:
            self.looking = True
            try:
                await self._monitor()
            except StatusError as error:
                log.warning("%s: %s", self.name, error)
            finally:
                self.looking = False
            await self.context.clock.sleep(self.context.config.node_monitor_period)

    async def _monitor(self) -> None:
        nodes = self.nodes.lister.list()
        names = {node.metadata.name for node in nodes}
        for gone in self.seen.keys() - names:
            reference = ObjectReference(kind="Node", api_version="v1", name=gone, uid=self.seen[gone].uid)
            self._event(reference, "Normal", "RemovingNode", f"Removing Node {gone} from Controller")
            del self.seen[gone]
        for number, node in enumerate(nodes, 1):
            if number % SLICE == 0:
                await asyncio.sleep(0)
            if self._is_well(node) and self._lives(node):
                continue
            try:
                await self._check(node)
            except StatusError as error:
                if not (is_conflict(error) or is_not_found(error)):
                    log.warning("%s: node %s: %s", self.name, node.metadata.name, error)
        await self._evict()

    def _is_well(self, node: Node) -> bool:
        seen = self.seen.get(node.metadata.name)
        return seen is not None and seen.well is node

    def _lives(self, node: Node) -> bool:
        """Whether a node that is well has renewed its lease in time."""
        name, stamp = node.metadata.name, self.context.clock.monotonic()
        lease, seen = self.leases.lister.get(name, labels.NAMESPACE_NODE_LEASE), self.seen[name]
        fingerprint = (lease.spec.renew_time if lease is not None else None, seen.fingerprint[1])
        if fingerprint != seen.fingerprint:
            seen.stamp, seen.fingerprint = stamp, fingerprint
        return stamp - seen.stamp <= self.context.config.node_monitor_grace_period

    async def _check(self, node: Node) -> None:
        name, stamp = node.metadata.name, self.context.clock.monotonic()
        seen = self.seen.get(name)
        if seen is None or seen.uid != node.metadata.uid:
            seen = self.seen[name] = _Seen(node.metadata.uid, stamp)
            self._event(_reference(node), "Normal", "RegisteredNode", f"Registered Node {name} in Controller")
        lease = self.leases.lister.get(name, labels.NAMESPACE_NODE_LEASE)
        ready = condition(node.status.conditions, "Ready")
        # The heartbeat's time and not the condition's status: our own change of that is no sign of life.
        fingerprint = (
            lease.spec.renew_time if lease is not None else None,
            ready.last_heartbeat_time if ready is not None else None,
        )
        if fingerprint != seen.fingerprint:
            seen.stamp = stamp
            seen.fingerprint = fingerprint
        config = self.context.config
        grace = config.node_monitor_grace_period if ready is not None else config.node_startup_grace_period
        if stamp - seen.stamp > grace and (conditions := silenced(node, self.context.now())) is not None:
            changed = codecs.copy(node)
            changed.status.conditions = conditions
            node = await self.client.update(changed, subresource="status")
        now_ready = readiness(node)
        if now_ready != "True" and seen.ready == "True":
            message = f"Node {name} status is now: NodeNotReady"
            self.recorder.event(_reference(node), "Normal", "NodeNotReady", message)
        # A kubelet that lives corrects its pods itself; for a silent one, what is still marked ready is marked anew.
        if now_ready == "Unknown" or (now_ready == "False" and seen.ready == "True"):
            await self._mark_pods(name)
        seen.ready = now_ready
        seen.well = node if now_ready == "True" else None

    async def _mark_pods(self, node: str) -> None:
        for pod in self.pods.lister.by_index("node", node):
            if not is_ready(pod) or pod.metadata.deletion_timestamp is not None:
                continue
            changed = codecs.copy(pod)
            ready = condition(changed.status.conditions, "Ready")
            assert ready is not None
            wanted = PodCondition(type="Ready", status="False", reason=ready.reason, message=ready.message)
            set_pod_condition(changed, wanted, self.context.now())
            try:
                await self.client.update(changed, subresource="status")
            except StatusError as error:
                if not (is_not_found(error) or is_conflict(error)):
                    raise
            self.recorder.event(pod, "Warning", "NodeNotReady", "Node is not ready")

    async def _evict(self) -> None:
        nodes = self.nodes.lister.list()
        concerned = [node for node in nodes if node.spec.taints or not self._is_well(node)]
        if not concerned:
            return
        rates = eviction_rates(nodes, self.context.config)
        all_down = not any(readiness(node) == "True" for node in nodes)
        for node in concerned:
            key = "" if all_down else no_execute_taint(node)
            present = [item for item in node.spec.taints if (item.key, item.effect) in MANAGED_NO_EXECUTE]
            if key and not present and not self._may_evict(zone_of(node), rates):
                continue
            wanted = [Taint(key=key, effect=NO_EXECUTE, time_added=self.context.now())] if key else []
            taints = merged(node.spec.taints, wanted, MANAGED_NO_EXECUTE)
            if taints != node.spec.taints:
                try:
                    await write_taints(self.client, node, taints)
                except StatusError as error:
                    if not (is_conflict(error) or is_not_found(error)):
                        raise

    def _may_evict(self, zone: str, rates: dict[str, float]) -> bool:
        """Take the zone's turn, if it has one now."""
        rate = rates.get(zone, 0.0)
        stamp = self.context.clock.monotonic()
        if rate <= 0:
            return False
        period = self.context.config.node_monitor_period
        due = self.last_eviction.get(zone, stamp - 1 / rate) + 1 / rate
        if stamp < due:
            return False
        # Nodes are looked at once in a period, so that turns come late: the rate is kept all the same.
        self.last_eviction[zone] = max(due, stamp - period)
        return True

    def _event(self, reference: ObjectReference, type_: str, reason: str, message: str) -> None:
        self.recorder.event(reference, type_, reason, f"Node {reference.name} event: {message}")


def _reference(node: Node) -> ObjectReference:
    return ObjectReference(kind="Node", api_version="v1", name=node.metadata.name, uid=node.metadata.uid)
