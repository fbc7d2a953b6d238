"""Removes pods that nobody else will.

Those of nodes that are gone; terminating ones that were never scheduled or sit on a node declared out of service; and
the oldest of too many that have ended.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from steersman.api import labels
from steersman.api.errors import StatusError, is_not_found
from steersman.api.types.core_v1 import Node, Pod, PodCondition
from steersman.api.types.meta_v1 import DeleteOptions, Preconditions
from steersman.client.client import Patch
from steersman.client.informer import Informer

from .kit import Controller, ControllerContext
from .kit.pods import is_terminal
from .node_lifecycle import readiness

log = logging.getLogger(__name__)

_EPOCH = datetime.fromtimestamp(0, UTC)


def surplus(pods: Sequence[Pod], threshold: int) -> list[Pod]:
    """The ended pods beyond the threshold: evicted ones first, then the oldest."""
    ended = [pod for pod in pods if is_terminal(pod)]
    excess = len(ended) - threshold
    if threshold <= 0 or excess <= 0:
        return []
    ended.sort(
        key=lambda pod: (
            pod.status.reason != "Evicted",
            pod.metadata.creation_timestamp or _EPOCH,
            pod.metadata.name,
        )
    )
    return ended[:excess]


class PodGarbageCollector(Controller):
    """Looks at all pods every ``pod_gc_period`` seconds."""

    name = "pod-garbage-collector-controller"
    service_account = "pod-garbage-collector"
    component = "pod-garbage-collector"
    workers = 0

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self.missing: dict[str, float] = {}
        """Since when a node that pods refer to is not there (monotonic)."""
        self.pods: Informer[Pod] = self.listen(context.informers.informer(Pod))
        self.nodes: Informer[Node] = self.listen(context.informers.informer(Node))

    async def background(self) -> None:
        while True:
            try:
                await self.collect()
            except StatusError as error:
                log.warning("%s: %s", self.name, error)
            await self.context.clock.sleep(self.context.config.pod_gc_period)

    async def collect(self) -> None:
        """One look at everything."""
        pods = self.pods.lister.list()
        for pod in surplus(pods, self.context.config.terminated_pod_gc_threshold):
            await self._remove(pod)
        await self._out_of_service(pods)
        await self._orphans(pods)
        for pod in pods:
            if pod.metadata.deletion_timestamp is not None and not pod.spec.node_name:
                await self._remove(pod)

    async def _out_of_service(self, pods: Sequence[Pod]) -> None:
        out = {
            node.metadata.name
            for node in self.nodes.lister.list()
            if readiness(node) != "True" and any(taint.key == labels.TAINT_OUT_OF_SERVICE for taint in node.spec.taints)
        }
        for pod in pods:
            if pod.metadata.deletion_timestamp is not None and pod.spec.node_name in out:
                await self._remove(pod)

    async def _orphans(self, pods: Sequence[Pod]) -> None:
        stamp = self.context.clock.monotonic()
        known = self.nodes.lister
        absent = {pod.spec.node_name for pod in pods if pod.spec.node_name and known.get(pod.spec.node_name) is None}
        self.missing = {name: self.missing.get(name, stamp) for name in absent}
        for name, since in self.missing.items():
            if stamp - since < self.context.config.pod_gc_quarantine or not await self._gone(name):
                continue
            for pod in pods:
                if pod.spec.node_name == name:
                    await self._remove(
                        pod,
                        PodCondition(
                            type="DisruptionTarget",
                            status="True",
                            reason="DeletionByPodGC",
                            message="PodGC: node no longer exists",
                            observed_generation=pod.metadata.generation,
                        ),
                    )

    async def _gone(self, node: str) -> bool:
        """Ask the server itself: the informer may lag behind."""
        try:
            await self.client.get(Node, node)
        except StatusError as error:
            if is_not_found(error):
                return True
            raise
        return False

    async def _remove(self, pod: Pod, reason: PodCondition | None = None) -> None:
        metadata = pod.metadata
        try:
            if not is_terminal(pod):
                # Nobody will report on it any more: whoever waits for its end must see one.
                status: dict[str, Any] = {"phase": "Failed"}
                if reason is not None:
                    reason.last_transition_time = self.context.now()
                    status["conditions"] = [reason]
                body = msgspec.json.encode({"metadata": {"uid": metadata.uid}, "status": status})
                patch = Patch("application/strategic-merge-patch+json", body)
                await self.client.patch(Pod, metadata.name, patch, metadata.namespace, subresource="status")
            options = DeleteOptions(grace_period_seconds=0, preconditions=Preconditions(uid=metadata.uid))
            await self.client.delete(Pod, metadata.name, metadata.namespace, options=options)
        except StatusError as error:
            if not is_not_found(error):
                log.warning("%s: pod %s/%s: %s", self.name, metadata.namespace, metadata.name, error)
