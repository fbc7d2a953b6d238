"""Deletes pods from nodes whose ``NoExecute`` taints they do not tolerate, or no longer.

How long a pod may stay is reckoned from the taint's ``timeAdded`` (or the pod's creation, if that is later), so that
a restart of this controller grants nobody more time.
"""

from __future__ import annotations

from datetime import timedelta

from steersman.api import codecs
from steersman.api.errors import StatusError, is_not_found
from steersman.api.types.core_v1 import Node, Pod, PodCondition
from steersman.api.types.meta_v1 import DeleteOptions, Preconditions
from steersman.client.informer import Informer, object_key

from .kit import Controller, ControllerContext
from .kit.pods import is_terminal, on_node, set_pod_condition
from .kit.taints import tolerated_seconds


class TaintEvictionController(Controller):
    """Keys are pods."""

    name = "taint-eviction-controller"
    service_account = "node-controller"
    workers = 8

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self.scheduled: set[str] = set()
        self.pods: Informer[Pod] = context.informers.informer(Pod)
        self.pods.lister.add_index("node", on_node)
        self.nodes: Informer[Node] = context.informers.informer(Node)
        self.listen(self.pods, self._pod_added, self._pod_updated, lambda pod: self.queue.add(object_key(pod)))
        self.listen(self.nodes, self._node_changed, self._node_updated)

    def _pod_added(self, pod: Pod) -> None:
        if pod.spec.node_name:
            self.queue.add(object_key(pod))

    def _pod_updated(self, old: Pod, new: Pod) -> None:
        if old.spec.node_name != new.spec.node_name or old.spec.tolerations != new.spec.tolerations:
            self.queue.add(object_key(new))

    def _node_updated(self, old: Node, new: Node) -> None:
        if old.spec.taints != new.spec.taints:
            self._node_changed(new)

    def _node_changed(self, node: Node) -> None:
        for pod in self.pods.lister.by_index("node", node.metadata.name):
            self.queue.add(object_key(pod))

    async def reconcile(self, key: str) -> float | None:
        pod = self.pods.lister.by_key(key)
        if pod is None or pod.metadata.deletion_timestamp is not None or not pod.spec.node_name:
            self.scheduled.discard(key)
            return None
        node = self.nodes.lister.get(pod.spec.node_name)
        taints = [taint for taint in node.spec.taints if taint.effect == "NoExecute"] if node is not None else []
        seconds = tolerated_seconds(taints, pod.spec.tolerations)
        if seconds is None:
            if key in self.scheduled:
                self.scheduled.discard(key)
                message = f"Cancelling deletion of Pod {key}"
                self.recorder.event(pod, "Normal", "TaintManagerEviction", message)
            return None
        instant = self.context.now()
        times = [pod.metadata.creation_timestamp, *(taint.time_added for taint in taints)]
        since = max((time for time in times if time is not None), default=instant)
        remaining = (since + timedelta(seconds=seconds) - instant).total_seconds()
        if seconds > 0 and remaining > 0:
            self.scheduled.add(key)
            return remaining
        await self._evict(key, pod)
        return None

    async def _evict(self, key: str, pod: Pod) -> None:
        self.recorder.event(pod, "Normal", "TaintManagerEviction", f"Marking for deletion Pod {key}")
        metadata = pod.metadata
        try:
            if not is_terminal(pod):
                changed = codecs.copy(pod)
                reason = PodCondition(
                    type="DisruptionTarget",
                    status="True",
                    reason="DeletionByTaintManager",
                    message="Taint manager: deleting due to NoExecute taint",
                    observed_generation=metadata.generation,
                )
                if set_pod_condition(changed, reason, self.context.now()):
                    await self.client.update(changed, subresource="status")
            options = DeleteOptions(preconditions=Preconditions(uid=metadata.uid))
            await self.client.delete(Pod, metadata.name, metadata.namespace, options=options)
        except StatusError as error:
            if not is_not_found(error):
                raise
        self.scheduled.discard(key)
