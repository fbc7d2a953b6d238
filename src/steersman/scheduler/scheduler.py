"""The scheduler as a component: watches, one deciding loop, bindings in the background."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

import msgspec

from steersman.api.clock import SYSTEM, Clock, within
from steersman.api.errors import StatusError, is_conflict, is_not_found
from steersman.api.time import now, rfc3339
from steersman.api.types.core_v1 import Binding, Namespace, Node, ObjectReference, Pod
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.client.client import Client, Patch
from steersman.client.events import EventRecorder
from steersman.client.informer import Informer

from .framework import Framework
from .message import unschedulable
from .plugins import FILTERS, SCORES
from .podinfo import PodInfo, PodInfos
from .queue import Queued, SchedulingQueue
from .snapshot import Snapshot

log = logging.getLogger(__name__)


class SchedulerConfig(msgspec.Struct, frozen=True):
    """Configuration of :class:`Scheduler`.

    ``batch`` bounds the pods decided before the event loop gets its turn, ``bindings`` those being bound at a time.
    """

    scheduler_name: str = "default-scheduler"
    batch: int = 50
    bindings: int = 256
    assumed_seconds: float = 60.0


class Scheduler:
    """Schedules pods until cancelled.  ``ready`` is set once pods and nodes are known."""

    def __init__(
        self, config: SchedulerConfig, client: Client, *, rng: random.Random | None = None, clock: Clock = SYSTEM
    ) -> None:
        self.ready = asyncio.Event()
        self.snapshot = Snapshot()
        self._config = config
        self._client = client
        self._clock = clock
        self._pods: Informer[Pod] = Informer(client, Pod, clock=clock)
        self._nodes: Informer[Node] = Informer(client, Node, clock=clock)
        self._namespaces: Informer[Namespace] = Informer(client, Namespace, clock=clock)
        self._events = EventRecorder(client, config.scheduler_name, clock=clock)
        interests = {plugin.name: plugin.events for plugin in FILTERS}
        self.queue = SchedulingQueue(interests, clock)
        self._framework = Framework(FILTERS, SCORES, rng or random.Random())
        self._infos = PodInfos()
        self._assumed: dict[str, float] = {}
        """uid → when the binding was done (infinity before): decisions the watch has not confirmed."""
        self._slots = asyncio.Semaphore(config.bindings)
        self._deciding = False
        self._acting = 0
        """How many bindings and reports are under way."""

    def unfinished(self, soon: float = 0.0) -> Iterator[str]:
        """What is being decided, bound and told; pods that wait for their back-off, or for a change, are not."""
        for informer in (self._pods, self._nodes, self._namespaces):
            yield from informer.unfinished()
        if self._deciding or self.queue.waiting:
            yield "scheduler: pods to decide about"
        if self._acting:
            yield f"scheduler: {self._acting} bindings or reports under way"
        yield from self._events.unfinished()

    def hurry(self, within: float) -> list[str]:
        """Decide at once about the pods whose back-off ends within so many seconds; returns what is done."""
        informers = (what for each in (self._pods, self._nodes, self._namespaces) for what in each.hurry())
        return [*(f"scheduler: {key}" for key in self.queue.hurry(within)), *self._events.hurry(), *informers]

    def pause(self, paused: bool) -> None:
        """Decide about no pod, or go on."""
        self.queue.pause(paused)

    async def run(self) -> None:
        """Work until cancelled."""
        self._pods.add_handler(self._pod_added, self._pod_updated, self._pod_deleted)
        self._nodes.add_handler(self._node_added, self._node_updated, self._node_deleted)
        self._namespaces.add_handler(
            self._namespace_set, lambda _, new: self._namespace_set(new), self._namespace_deleted
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(self._namespaces.run(), name="scheduler informer namespaces")
            group.create_task(self._pods.run(), name="scheduler informer pods")
            group.create_task(self._nodes.run(), name="scheduler informer nodes")
            group.create_task(self._events.run(), name="scheduler events")
            group.create_task(self._housekeeping(), name="scheduler housekeeping")
            group.create_task(self._schedule(group), name="scheduler")

    # What the watches tell ------------------------------------------------------------------------------------

    def _pod_added(self, pod: Pod) -> None:
        if _terminal(pod):
            self._forget(pod)
        elif pod.spec.node_name:
            self._settle(pod)
        elif self._responsible(pod) and pod.metadata.uid not in self._assumed:
            self.queue.put(self._infos.of(pod))

    def _pod_updated(self, old: Pod, new: Pod) -> None:
        if old.metadata.uid != new.metadata.uid:  # deleted and made again between two looks
            self._pod_deleted(old)
            self._pod_added(new)
            return
        if old.spec.node_name and not new.spec.node_name:  # somebody put back an earlier state of the store
            self._forget(old)
        if not new.spec.node_name and not self._responsible(new):
            self.queue.remove(new.metadata.uid)
        elif old.spec.node_name and not _terminal(old) and not _terminal(new) and not _differs(old, new):
            return  # its status: most updates are such, and help no other pod
        elif self._confirms(old, new):
            del self._assumed[new.metadata.uid]
            self.queue.event("AssignedPodAdd")
        else:
            self._pod_added(new)
            if old.spec.node_name and not _terminal(new) and requests_changed(old, new):
                self.queue.event("AssignedPodDelete")

    def _confirms(self, old: Pod, new: Pod) -> bool:
        """Whether this is what was decided about a pod, and nothing else."""
        uid, before, after = new.metadata.uid, old.metadata, new.metadata
        return (
            uid in self._assumed
            and self.snapshot.node_of(uid) == new.spec.node_name
            and before.generation == after.generation
            and before.labels == after.labels
            and after.deletion_timestamp is None
            and not _terminal(new)
        )

    def _pod_deleted(self, pod: Pod) -> None:
        self.queue.remove(pod.metadata.uid)
        self._forget(pod)

    def _settle(self, pod: Pod) -> None:
        uid = pod.metadata.uid
        assumed = self._assumed.pop(uid, None) is not None
        self.queue.remove(uid)
        if self.snapshot.add_pod(self._infos.of(pod), pod.spec.node_name) or assumed:
            self.queue.event("AssignedPodAdd")

    def _forget(self, pod: Pod) -> None:
        uid = pod.metadata.uid
        self._assumed.pop(uid, None)
        self.queue.remove(uid)
        if self.snapshot.remove_pod(uid):
            self.queue.event("AssignedPodDelete")

    def _responsible(self, pod: Pod) -> bool:
        name = pod.spec.scheduler_name or "default-scheduler"
        return (
            name == self._config.scheduler_name
            and pod.metadata.deletion_timestamp is None
            and not pod.spec.scheduling_gates
        )

    def _node_added(self, node: Node) -> None:
        self.snapshot.set_node(node)
        self.queue.event("NodeAdd")

    def _node_updated(self, old: Node, new: Node) -> None:
        if (
            old.spec == new.spec
            and old.metadata.labels == new.metadata.labels
            and (old.status.allocatable == new.status.allocatable and old.status.images == new.status.images)
        ):
            return  # a heartbeat
        self.snapshot.set_node(new)
        if old.spec.taints != new.spec.taints or old.spec.unschedulable != new.spec.unschedulable:
            self.queue.event("NodeTaint")
        if old.metadata.labels != new.metadata.labels:
            self.queue.event("NodeLabel")
        if old.status.allocatable != new.status.allocatable:
            self.queue.event("NodeAllocatable")

    def _node_deleted(self, node: Node) -> None:
        self.snapshot.remove_node(node.metadata.name)

    def _namespace_set(self, namespace: Namespace) -> None:
        name, labels = namespace.metadata.name, namespace.metadata.labels
        if self.snapshot.namespaces.get(name) != labels:
            self.snapshot.namespaces[name] = labels
            self.snapshot.version += 1
            self.queue.event("NamespaceLabel")

    def _namespace_deleted(self, namespace: Namespace) -> None:
        if self.snapshot.namespaces.pop(namespace.metadata.name, None) is not None:
            self.snapshot.version += 1

    # Deciding -------------------------------------------------------------------------------------------------

    async def _schedule(self, group: asyncio.TaskGroup) -> None:
        await self._namespaces.synced()
        await self._nodes.synced()
        await self._pods.synced()
        self.ready.set()
        while True:
            batch = self.queue.pop_batch(self._config.batch)
            self._deciding = bool(batch)
            if not batch:
                with contextlib.suppress(TimeoutError):
                    async with within(self.queue.next_due(), self._clock):
                        await self.queue.wakeup.wait()
                self.queue.wakeup.clear()
                continue
            # What is computed anew for each pod takes its time: then the event loop gets its turn after each.
            size = 1 if self._framework.relates(batch[0].info, self.snapshot) else len(batch)
            for start in range(0, len(batch), size):
                self._settle_batch(batch[start : start + size], group)
                await asyncio.sleep(0)
            # More bindings than this under way would only pile up in the client.
            async with self._slots:
                pass

    def _settle_batch(self, batch: Sequence[Queued], group: asyncio.TaskGroup) -> None:
        batch = [item for item in batch if self.queue.state(item.info.uid) == "flight"]  # others went meanwhile
        if not batch:
            return
        try:
            failed = self._decide(batch, group)
            if failed:
                self._explain(failed, group)
        except Exception:  # a fault of ours about one kind of pod must not keep the others from their nodes
            log.exception("cannot decide about %s", batch[0].info.key)
            self._give_back(batch)

    def _decide(self, batch: Sequence[Queued], group: asyncio.TaskGroup) -> list[Queued]:
        """Place a batch and start its bindings; returns the pods that fit nowhere."""
        placed = self._framework.place([item.info for item in batch], self.snapshot)
        failed = []
        for item, node in zip(batch, placed, strict=True):
            if node is None:
                failed.append(item)
                continue
            self._assumed[item.info.uid] = float("inf")
            self.queue.done(item.info.uid)
            self._act(self._bind(item, node), group, f"bind {item.info.key}")
        return failed

    def _give_back(self, batch: Sequence[Queued]) -> None:
        """Try those again later about which nothing was decided."""
        for item in batch:
            if self.queue.state(item.info.uid) == "flight":
                self.snapshot.remove_pod(item.info.uid)
                self.queue.failed(item, frozenset())

    def _explain(self, failed: Sequence[Queued], group: asyncio.TaskGroup) -> None:
        # The pods of a batch are alike, and nothing changed since the first of them fitted nowhere.
        info = failed[0].info
        diagnosis = self._framework.diagnose(info, self.snapshot)
        message = unschedulable(info, diagnosis, self.snapshot)
        for item in failed:
            self.queue.failed(item, diagnosis.plugins)
            self._act(self._report(item.info, "Unschedulable", message), group, f"report {item.info.key}")

    # Acting ---------------------------------------------------------------------------------------------------

    def _act(self, work: Coroutine[Any, Any, None], group: asyncio.TaskGroup, name: str) -> None:
        self._acting += 1
        group.create_task(work, name=name).add_done_callback(self._acted)

    def _acted(self, _: asyncio.Task[None]) -> None:
        self._acting -= 1

    async def _bind(self, item: Queued, node: str) -> None:
        info = item.info
        namespace, _, name = info.key.partition("/")
        binding = Binding(
            metadata=ObjectMeta(name=name, namespace=namespace, uid=info.uid),
            target=ObjectReference(kind="Node", name=node),
        )
        try:
            async with self._slots:
                await self._client.create_subresource(Pod, name, "binding", binding, namespace)
        except StatusError as error:
            await self._binding_failed(item, error)
            return
        if info.uid in self._assumed:
            self._assumed[info.uid] = self._clock.monotonic()
        pod = self._pods.lister.get(name, namespace)
        if pod is not None and pod.metadata.uid == info.uid:
            self._events.event(pod, "Normal", "Scheduled", f"Successfully assigned {info.key} to {node}")

    async def _binding_failed(self, item: Queued, error: StatusError) -> None:
        info = item.info
        if self._assumed.pop(info.uid, None) is not None:
            self.snapshot.remove_pod(info.uid)
            self.queue.event("AssignedPodDelete")
        pod = self._current(info)
        if is_not_found(error) or pod is None or pod.spec.node_name or not self._responsible(pod):
            log.debug("binding %s: %s", info.key, error)
            return
        self.queue.retry(self._infos.of(pod), item.attempts)
        if not is_conflict(error):
            log.warning("cannot bind %s, trying again: %s", info.key, error)
            await self._report(info, "SchedulerError", f"binding rejected: {error}")

    async def _report(self, info: PodInfo, reason: str, message: str) -> None:
        pod = self._current(info)
        if pod is None or pod.spec.node_name:
            return
        self._events.event(pod, "Warning", "FailedScheduling", message)
        known = next((item for item in pod.status.conditions if item.type == "PodScheduled"), None)
        if known is not None and (known.status, known.reason, known.message) == ("False", reason, message):
            return
        condition: dict[str, object] = {
            "type": "PodScheduled",
            "status": "False",
            "reason": reason,
            "message": message,
            "observedGeneration": pod.metadata.generation,
        }
        if known is None or known.status != "False":
            condition["lastTransitionTime"] = rfc3339(now(self._clock))
        body = msgspec.json.encode({"metadata": {"uid": info.uid}, "status": {"conditions": [condition]}})
        patch = Patch("application/strategic-merge-patch+json", body)
        try:
            async with self._slots:
                await self._client.patch(Pod, pod.metadata.name, patch, pod.metadata.namespace, subresource="status")
        except StatusError as error:
            if not is_not_found(error) and not is_conflict(error):
                log.warning("cannot write the PodScheduled condition of %s: %s", info.key, error)

    def _current(self, info: PodInfo) -> Pod | None:
        """The pod as the watch knows it; None where it is gone, or another one has its name."""
        pod = self._pods.lister.by_key(info.key)
        return pod if pod is not None and pod.metadata.uid == info.uid else None

    async def _housekeeping(self) -> None:
        while True:
            await self._clock.sleep(min(15.0, self._config.assumed_seconds))
            self.queue.expire()
            deadline = self._clock.monotonic() - self._config.assumed_seconds
            for uid in [uid for uid, bound in self._assumed.items() if bound <= deadline]:
                # Bound, but the watch never said so: its event was lost with the pod.  What is true is in the lister.
                log.warning("an assumed pod was never confirmed, counting it no more: %s", uid)
                del self._assumed[uid]
                if self.snapshot.remove_pod(uid):
                    self.queue.event("AssignedPodDelete")


def requests_changed(old: Pod, new: Pod) -> bool:
    """Whether a running pod now needs something else (in-place resize)."""
    return [item.resources for item in old.spec.containers] != [item.resources for item in new.spec.containers]


def _differs(old: Pod, new: Pod) -> bool:
    """Whether anything has changed that a :class:`.podinfo.PodInfo` is made of."""
    before, after = old.metadata, new.metadata
    return (
        (before.deletion_timestamp is None) != (after.deletion_timestamp is None)
        or before.labels != after.labels
        or old.spec != new.spec
    )


def _terminal(pod: Pod) -> bool:
    return pod.status.phase in ("Succeeded", "Failed")
