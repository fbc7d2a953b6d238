"""Pods that say they run, where there is no node to run them."""

from __future__ import annotations

from typing import ClassVar

from steersman.api import codecs
from steersman.api.errors import StatusError, is_conflict, is_not_found
from steersman.api.time import now
from steersman.api.types.core_v1 import ContainerStatus, Pod, PodCondition, PodIP
from steersman.api.types.meta_v1 import DeleteOptions, Preconditions
from steersman.client.informer import object_key
from steersman.controllers.kit import Controller, ControllerContext


class SimulatedKubelet(Controller):
    """Pods get an address and are ready the moment they are made; those that are being deleted go at once.

    A pod whose status somebody has written is left alone.
    """

    name: ClassVar[str] = "simulated-kubelet"

    def __init__(self, context: ControllerContext) -> None:
        super().__init__(context)
        self.pods = self.watch(Pod, lambda pod: [object_key(pod)])
        self._addresses = 0

    async def reconcile(self, key: str) -> float | None:
        pod = self.pods.lister.by_key(key)
        if pod is None:
            return None
        metadata = pod.metadata
        try:
            if metadata.deletion_timestamp is not None:
                options = DeleteOptions(grace_period_seconds=0, preconditions=Preconditions(uid=metadata.uid))
                await self.client.delete(Pod, metadata.name, metadata.namespace, options=options)
            elif pod.status.phase == "Pending" and not pod.status.conditions:
                await self.client.update(self._running(pod), subresource="status")
        except StatusError as error:
            if not (is_not_found(error) or is_conflict(error)):  # a later version of it comes, or nothing more
                raise
        return None

    def _running(self, pod: Pod) -> Pod:
        self._addresses += 1
        running = codecs.copy(pod)
        status, instant = running.status, now()
        status.phase = "Running"
        status.start_time = instant
        status.pod_ip = f"198.18.{self._addresses // 256 % 256}.{self._addresses % 256}"
        status.pod_ips = [PodIP(ip=status.pod_ip)]
        status.conditions = [
            PodCondition(type=type_, status="True", last_transition_time=instant)
            for type_ in ("PodScheduled", "Initialized", "ContainersReady", "Ready")
        ]
        status.container_statuses = [
            ContainerStatus(name=each.name, image=each.image, ready=True, started=True) for each in pod.spec.containers
        ]
        return running
