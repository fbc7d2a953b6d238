"""A pod's probes: which run when, and what they have found."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

from steersman.api.types.core_v1 import Container, Probe

from . import names
from .cri_api import messages as cri
from .probes import Kind, probe
from .record import PodRecord


class Prober:
    """Runs one task per probe of each running container, and wakes the pod's actor when an answer changes."""

    def __init__(self, record: PodRecord) -> None:
        self.started: set[str] = set()
        """Containers whose startup probe has succeeded, or that have none."""
        self.ready: dict[str, bool] = {}
        self.unhealthy: dict[str, str] = {}
        """Containers condemned by a probe: name to ``liveness`` or ``startup``."""
        self._record = record
        self._tasks: dict[tuple[str, Kind], asyncio.Task[None]] = {}

    def follow(self, group: asyncio.TaskGroup) -> None:
        """Start the probes of containers that run, end those of containers that do not."""
        wanted = {}
        for container, current in self._running():
            self._take_over(container, current)
            for kind, spec in self._due(container):
                wanted[current.id, kind] = (container, current, kind, spec)
        for key in [key for key in self._tasks if key not in wanted]:
            self._tasks.pop(key).cancel()
        for key, arguments in wanted.items():
            if key not in self._tasks:
                name = f"{key[1]} probe of {arguments[0].name} in {names.describe(self._record.pod)}"
                self._tasks[key] = group.create_task(self._probe(*arguments), name=name)

    def forget(self, name: str) -> None:
        """A container starts anew: nothing is known of it."""
        self.started.discard(name)
        self.ready.pop(name, None)
        self.unhealthy.pop(name, None)

    def condemn_no_more(self) -> None:
        """The pod ends: only readiness still matters, to those who wait for connections to drain."""
        for key in [key for key in self._tasks if key[1] != "Readiness"]:
            self._tasks.pop(key).cancel()

    def stop(self) -> None:
        """End all probes."""
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()

    def _running(self) -> Iterator[tuple[Container, cri.ContainerStatus]]:
        spec = self._record.pod.spec
        for container in [*spec.init_containers, *spec.containers]:
            current = self._record.running(container.name)
            if current is None:
                self.started.discard(container.name)
                self.ready.pop(container.name, None)
            else:
                yield container, current

    def _take_over(self, container: Container, current: cri.ContainerStatus) -> None:
        """Begin with what the API says of this very container, so that a new kubelet changes no answer."""
        status = self._record.pod.status
        everyone = [*status.init_container_statuses, *status.container_statuses]
        known = next((each for each in everyone if each.container_id == f"containerd://{current.id}"), None)
        name = container.name
        if container.startup_probe is None or (known is not None and known.started):
            self.started.add(name)
        if name in self.started and name not in self.ready:
            self.ready[name] = container.readiness_probe is None or (known is not None and known.ready)

    def _due(self, container: Container) -> Iterator[tuple[Kind, Probe]]:
        if container.name not in self.started:
            if container.startup_probe is not None:
                yield "Startup", container.startup_probe
            return
        if container.readiness_probe is not None:
            yield "Readiness", container.readiness_probe
        if container.liveness_probe is not None:
            yield "Liveness", container.liveness_probe

    async def _probe(self, container: Container, current: cri.ContainerStatus, kind: Kind, spec: Probe) -> None:
        record = self._record
        age = record.host.clock() - current.started_at / 1e9
        await asyncio.sleep(max(0.0, (spec.initial_delay_seconds or 0) - age))
        successes = failures = 0
        while True:
            result = await probe(spec, container, current.id, record.address, record.host.runtime)
            running = record.running(container.name)
            if running is None or running.id != current.id:
                return  # what a container says while it goes down is of no interest
            if result.success:
                successes, failures = successes + 1, 0
            else:
                successes, failures = 0, failures + 1
                record.event("Warning", "Unhealthy", f"{kind} probe failed: {result.output}", container.name)
            if successes >= (spec.success_threshold or 1):
                if self._succeeded(container.name, kind):
                    return
            elif failures >= (spec.failure_threshold or 3) and self._failed(container.name, kind):
                return
            await asyncio.sleep(float(spec.period_seconds or 10))

    def _succeeded(self, name: str, kind: Kind) -> bool:
        """Note that a probe's answer is yes; returns whether its work is done."""
        if kind == "Startup":
            self.started.add(name)
            self._record.wake()
            return True
        if kind == "Readiness" and not self.ready.get(name):
            self.ready[name] = True
            self._record.wake()
        return False

    def _failed(self, name: str, kind: Kind) -> bool:
        if kind == "Readiness":
            if self.ready.get(name, True):
                self.ready[name] = False
                self._record.wake()
            return False
        self.unhealthy[name] = kind.lower()
        self._record.wake()
        return True
