"""Starting containers: crash back-off, image, configuration, creation, start, postStart."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

from steersman.api.types.core_v1 import Container, Secret

from . import containers, names, specs
from .backoff import Backoff, go_duration
from .cri_api import messages as cri
from .environment import ConfigError, container_environment
from .pod_files import PodFiles
from .prober import Prober
from .probes import HandlerFailure, run_handler
from .pulls import PullFailure
from .record import PodRecord
from .runtime import RuntimeFailure, RuntimeUnavailable
from .sandbox import sandbox_config
from .status import Waiting
from .stopping import Stopper

log = logging.getLogger(__name__)


class Starter:
    """Starts a pod's containers one after the other; ``publish`` tells the API what one waits for."""

    def __init__(
        self, record: PodRecord, files: PodFiles, prober: Prober, stopper: Stopper, publish: Callable[[], None]
    ) -> None:
        self._record = record
        self._files = files
        self._prober = prober
        self._stopper = stopper
        self._publish = publish
        self._failures = Backoff(1.0, 60.0, time.monotonic)
        self._due: dict[tuple[str, str], float] = {}
        """When to try again what failed, by name and image: a turn for other reasons tries nothing early."""

    def remaining(self, name: str) -> float:
        """The seconds a container must still wait because it crashed or could not be started."""
        container = containers.find(self._record.pod, name)
        due = self._due.get((name, container.image), 0.0) if container is not None else 0.0
        return max(0.0, due - time.monotonic(), self._crash_remaining(name))

    def _crash_remaining(self, name: str) -> float:
        """The rest of a crash loop's delay; says so in the status and, once, in an event."""
        record = self._record
        newest = record.newest(name)
        if newest is None or newest.state != cri.CONTAINER_EXITED:
            return 0.0
        key = self._crash_key(name)
        remaining = record.host.crashes.remaining(key, since=newest.finished_at / 1e9)
        if remaining <= 0:
            return 0.0
        delay, where = go_duration(record.host.crashes.delay(key)), names.describe(record.pod)
        waiting = Waiting("CrashLoopBackOff", f"back-off {delay} restarting failed container={name} pod={where}")
        if record.waiting.get(name) != waiting:
            record.event("Warning", "BackOff", f"Back-off restarting failed container {name} in pod {where}", name)
            record.waiting[name] = waiting
            self._publish()
        return remaining

    async def start(self, name: str) -> float | None:
        """Start one container; returns None, or the seconds until another try is due when that failed."""
        container = containers.find(self._record.pod, name)
        if container is None:
            return None
        retry = await self._start(container)
        if retry is None:
            self._due.pop((name, container.image), None)
        else:
            self._due[name, container.image] = time.monotonic() + retry
        return retry

    async def _start(self, container: Container) -> float | None:
        record, name = self._record, container.name
        if record.sandbox is None:
            return 1.0
        sandbox = sandbox_config(record, record.sandbox.metadata.attempt)

        def tell(type_: str, reason: str, message: str) -> None:
            record.event(type_, reason, message, name)

        try:
            secrets = await self._pull_secrets()
            ensure = record.host.puller.ensure(record.pod, container, secrets, sandbox, tell)
            image = await record.until_ending(ensure)
        except PullFailure as failure:
            record.waiting[name] = Waiting(failure.reason, failure.message)
            self._publish()
            return max(0.1, failure.retry)
        attempt = await self._attempt(name)
        try:
            config = await self._config(container, image, attempt)
        except (ConfigError, OSError) as error:
            return self._failed(name, "CreateContainerConfigError", str(error))
        try:
            container_id = await record.host.runtime.create_container(record.sandbox.id, config, sandbox)
        except RuntimeUnavailable:
            raise
        except RuntimeFailure as error:
            return self._failed(name, "CreateContainerError", error.message)
        tell("Normal", "Created", "Container created")
        self._prober.forget(name)
        try:
            await record.host.runtime.start_container(container_id)
        except RuntimeFailure as error:
            record.waiting[name] = Waiting("RunContainerError", error.message)
            tell("Warning", "Failed", f"Error: {error.message}")
            return 0.05
        tell("Normal", "Started", "Container started")
        record.waiting.pop(name, None)
        self._failures.forget(name)
        await self._post_start(container, container_id)
        return None

    def _failed(self, name: str, reason: str, message: str) -> float:
        self._record.waiting[name] = Waiting(reason, message)
        self._record.event("Warning", "Failed", f"Error: {message}", name)
        self._publish()
        return self._failures.failed(name)

    def _crash_key(self, name: str) -> str:
        container = containers.find(self._record.pod, name)
        return f"{self._record.uid}_{name}_{names.container_hash(container) if container is not None else ''}"

    async def _attempt(self, name: str) -> int:
        """Which run of a container this is, from 0; one that follows another lengthens the crash back-off.

        Where the runtime has lost the container's records, after a reboot, its log files tell.
        """
        record = self._record
        newest = record.newest(name)
        if newest is None:
            directory = names.log_directory(record.host.config.pod_log_root, record.pod) / name
            return await asyncio.to_thread(runs_by_logs, directory)
        if newest.state == cri.CONTAINER_EXITED:
            record.host.crashes.failed(self._crash_key(name), at=newest.finished_at / 1e9)
        return int(newest.annotations.get(names.RESTART_COUNT, "0")) + 1

    async def _config(self, container: Container, image: cri.Image, attempt: int) -> cri.ContainerConfig:
        record, host = self._record, self._record.host
        environment = await container_environment(
            record.pod,
            container,
            host.sources,
            pod_ips=record.pod_ips,
            host_ips=host.host_ips,
            node_allocatable=host.allocatable,
            master_namespace=host.config.master_service_namespace,
        )
        return specs.container_config(
            record.pod,
            container,
            image=image.id,
            attempt=attempt,
            environment=environment,
            mounts=await asyncio.to_thread(self._files.mounts, container, environment),
            memory_capacity=host.memory_capacity,
            image_user=image.uid.value if image.HasField("uid") else None,
            image_username=image.username,
            target_id=self._target(container.name),
        )

    def _target(self, name: str) -> str:
        """The container whose processes an ephemeral container sees; empty where it names none."""
        visitors = self._record.pod.spec.ephemeral_containers
        wanted = next((each.target_container_name for each in visitors if each.name == name), "")
        if not wanted:
            return ""
        target = self._record.running(wanted)
        if target is None:
            raise ConfigError(f"unable to find target container {wanted}")
        return target.id

    async def _pull_secrets(self) -> list[Secret]:
        record, found = self._record, []
        for reference in record.pod.spec.image_pull_secrets:
            try:
                secret = await record.host.sources.secret(record.pod.metadata.namespace, reference.name, optional=True)
            except ConfigError:
                continue
            if secret is not None:
                found.append(secret)
        return found

    async def _post_start(self, container: Container, container_id: str) -> None:
        record = self._record
        if container.lifecycle is None or container.lifecycle.post_start is None:
            return
        handler = container.lifecycle.post_start
        try:
            await record.until_ending(
                run_handler(handler, container, container_id, record.address, record.host.runtime)
            )
        except HandlerFailure as error:
            log.info("postStart of %s in %s: %s", container.name, names.describe(record.pod), error)
            record.event("Warning", "FailedPostStartHook", "PostStartHook failed", container.name)
            await self._stopper.kill(container_id, container.name, "FailedPostStartHook")


def runs_by_logs(directory: Path) -> int:
    """How often a container has run, by the log files it has left: ``0.log``, ``1.log`` and what rotation made."""
    try:
        numbers = [int(path.name.partition(".")[0]) for path in directory.iterdir() if path.name[:1].isdigit()]
    except FileNotFoundError:
        return 0
    return max(numbers, default=-1) + 1
