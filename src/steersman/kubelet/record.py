"""What is known of one pod: the state that its actor owns and the actor's parts share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import TypeVar

from steersman.api.types.core_v1 import ObjectReference, Pod

from . import containers
from .cri_api import messages as cri
from .host import Host
from .status import Waiting

T = TypeVar("T")

DEFAULT_GRACE = 30


class Ended(Exception):
    """The pod is to end while something else was being done for it."""


class PodRecord:
    """One pod, by uid: what is wanted of it (``pod``), and what was last seen of it."""

    def __init__(self, host: Host, pod: Pod) -> None:
        self.host = host
        self.pod = pod
        self.uid = pod.metadata.uid
        self.sandbox: cri.PodSandbox | None = None
        self.containers: dict[str, list[cri.ContainerStatus]] = {}
        """By name, newest first."""
        self.pod_ips: list[str] = [ip.ip for ip in pod.status.pod_ips]
        self.waiting: dict[str, Waiting] = {}
        self.messages: dict[str, str] = {}
        """Termination messages by container id."""
        self.removed = False
        """The pod is gone from the API."""
        self.woken = asyncio.Event()
        self.ending = asyncio.Event()

    def wake(self) -> None:
        """Have the actor look again."""
        self.woken.set()

    @property
    def directory(self) -> Path:
        """Where the pod's files are."""
        return self.host.config.pods_dir / self.uid

    @property
    def address(self) -> str:
        """Where probes find the pod."""
        return self.pod_ips[0] if self.pod_ips else "127.0.0.1"

    @property
    def sandbox_ready(self) -> bool:
        """Whether the sandbox stands."""
        return self.sandbox is not None and self.sandbox.state == cri.SANDBOX_READY

    @property
    def grace_period(self) -> int:
        """How many seconds the pod's end may take, by now."""
        if self.removed:
            return 0
        metadata = self.pod.metadata
        if metadata.deletion_timestamp is not None and metadata.deletion_grace_period_seconds is not None:
            return metadata.deletion_grace_period_seconds
        own = self.pod.spec.termination_grace_period_seconds
        return DEFAULT_GRACE if own is None else own

    def newest(self, name: str) -> cri.ContainerStatus | None:
        """What was last seen of a container."""
        statuses = self.containers.get(name)
        return statuses[0] if statuses else None

    def running(self, name: str) -> cri.ContainerStatus | None:
        """A container that was last seen running."""
        newest = self.newest(name)
        return newest if newest is not None and newest.state == cri.CONTAINER_RUNNING else None

    def event(self, type_: str, reason: str, message: str, container: str = "") -> None:
        """Record an event about the pod, or one container of it."""
        metadata = self.pod.metadata
        reference = ObjectReference(
            kind="Pod",
            api_version="v1",
            name=metadata.name,
            namespace=metadata.namespace,
            uid=self.uid,
            resource_version=metadata.resource_version,
            field_path=containers.field_path(self.pod, container) if container else "",
        )
        self.host.recorder.event(reference, type_, reason, message)

    async def until_ending(self, work: Awaitable[T]) -> T:
        """Wait for something that may take long; cancels it and raises Ended as soon as the pod is to end."""
        task = asyncio.ensure_future(work)
        ending = asyncio.ensure_future(self.ending.wait())
        try:
            await asyncio.wait({task, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise Ended
            return task.result()
        finally:
            ending.cancel()
            if not task.done():
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
