"""Stopping containers: preStop, grace periods, and the order in which a pod goes down."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

from . import containers
from .prober import Prober
from .probes import HandlerFailure, run_handler
from .qos import is_sidecar
from .record import DEFAULT_GRACE, PodRecord

MINIMUM_GRACE = 2
"""Every container gets so many seconds to end by itself, even where none is left."""


class Stopper:
    """Stops a pod's containers; ``publish`` tells the API of readiness that changes meanwhile."""

    def __init__(self, record: PodRecord, prober: Prober, publish: Callable[[], None]) -> None:
        self._record = record
        self._prober = prober
        self._publish = publish

    async def kill(self, container_id: str, name: str, message: str, grace: int | None = None) -> None:
        """Stop one container and wait until it has exited.  ``grace`` defaults to its probe's or the pod's own."""
        record = self._record
        record.event("Normal", "Killing", message, name)
        if grace is None:
            grace = self._own_grace(name)
        began = time.monotonic()
        container = containers.find(record.pod, name)
        pre_stop = container.lifecycle.pre_stop if container is not None and container.lifecycle is not None else None
        if container is not None and pre_stop is not None and grace > 0:
            try:
                async with asyncio.timeout(grace):
                    await run_handler(pre_stop, container, container_id, record.address, record.host.runtime)
            except HandlerFailure:
                record.event("Warning", "FailedPreStopHook", "PreStopHook failed", name)
            except TimeoutError:
                pass
        left = grace - int(time.monotonic() - began)
        await record.host.runtime.stop_container(container_id, max(MINIMUM_GRACE, left))
        self._prober.unhealthy.pop(name, None)

    def _own_grace(self, name: str) -> int:
        container = containers.find(self._record.pod, name)
        if container is not None and (condemned := self._prober.unhealthy.get(name)):
            spec = container.liveness_probe if condemned == "liveness" else container.startup_probe
            if spec is not None and spec.termination_grace_period_seconds is not None:
                return spec.termination_grace_period_seconds
        own = self._record.pod.spec.termination_grace_period_seconds
        return DEFAULT_GRACE if own is None else own

    async def stop_all(self) -> None:
        """Stop every container, sidecars last and in reverse order."""
        record = self._record
        self._prober.condemn_no_more()
        names = [container.name for container in containers.every(record.pod)]
        running = {name: status.id for name in names if (status := record.running(name)) is not None}
        sidecars = [each.name for each in reversed(record.pod.spec.init_containers) if is_sidecar(each)]
        deadline = time.monotonic() + record.grace_period
        await self._stop_together({name: id_ for name, id_ in running.items() if name not in sidecars})
        for name in sidecars:
            if name in running:
                left = max(MINIMUM_GRACE, int(deadline - time.monotonic()))
                await self._stop_together({name: running[name]}, left)

    async def _stop_together(self, ids: Mapping[str, str], at_most: int | None = None) -> None:
        """Stop containers at once; hurries when the pod's grace period is shortened meanwhile."""
        record, stop = self._record, self._record.host.runtime.stop_container
        grace = record.grace_period if at_most is None else min(at_most, record.grace_period)
        pending = {
            asyncio.ensure_future(self.kill(id_, name, f"Stopping container {name}", grace))
            for name, id_ in ids.items()
        }
        try:
            while pending:
                record.woken.clear()
                woken = asyncio.ensure_future(record.woken.wait())
                done, _ = await asyncio.wait({*pending, woken}, return_when=asyncio.FIRST_COMPLETED)
                woken.cancel()
                for task in done & pending:
                    task.result()
                pending -= done
                self._publish()
                if pending and record.grace_period < grace:
                    grace = record.grace_period
                    pending |= {asyncio.ensure_future(stop(id_, max(MINIMUM_GRACE, grace))) for id_ in ids.values()}
        finally:
            for task in pending:
                task.cancel()
