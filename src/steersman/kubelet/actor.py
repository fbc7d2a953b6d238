"""A pod's actor: the one task that owns what *is* of a pod.

Desired state arrives as input (:meth:`PodActor.update`), hints that something happened by :meth:`PodActor.wake`.
Each turn looks at the runtime, decides (:mod:`.plan`), acts, and computes the status (:mod:`.status`), which a
second task writes to the API.  Everything needed to go on is in the runtime's labels and annotations and in the
API, so an actor that dies at any line is replaced by one that reads both and continues; no container restarts.
"""

from __future__ import annotations

import asyncio
import logging
import os
import random
import secrets as random_names
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec

from steersman.api import codecs
from steersman.api.errors import StatusError, is_conflict, is_not_found
from steersman.api.time import now
from steersman.api.types.core_v1 import Container, ObjectReference, Pod, PodStatus, Probe, Secret
from steersman.api.types.meta_v1 import DeleteOptions, Preconditions
from steersman.client.client import Client
from steersman.client.events import EventRecorder

from . import cgroups, names, plan, resolvconf, specs, status
from .backoff import Backoff, go_duration
from .config import KubeletConfig
from .cri_api import messages as cri
from .environment import ConfigError, container_environment, expand
from .probes import HandlerFailure, Kind, probe, run_handler
from .pulls import Puller, PullFailure
from .qos import is_sidecar, pod_limits, pod_requests, qos_class
from .runtime import Runtime, RuntimeFailure, RuntimeNotFound, RuntimeUnavailable
from .sources import ApiSources
from .status import Observation, Waiting
from .volumes import plugins, subpath
from .volumes.plugins import VolumeContext, VolumeError

log = logging.getLogger(__name__)

T = TypeVar("T")

MINIMUM_GRACE = 2
MAX_TERMINATION_MESSAGE = 4096
STATUS_RETRY = (0.2, 0.5, 1.0, 2.0, 5.0)


class Ended(Exception):
    """The pod is to end while it was being started."""


class Node(msgspec.Struct):
    """What actors share: the node's adapters and facts."""

    config: KubeletConfig
    runtime: Runtime
    client: Client
    recorder: EventRecorder
    sources: ApiSources
    puller: Puller
    crashes: Backoff
    starts: asyncio.Semaphore
    host_resolver: resolvconf.Resolver
    host_ips: list[str]
    memory_capacity: int
    allocatable: dict[str, str]


class PodActor:
    """One pod, by uid.  :meth:`run` returns when nothing of the pod is left, neither here nor in the API."""

    def __init__(self, node: Node, pod: Pod, *, refusal: Waiting | None = None) -> None:
        self.pod = pod
        self.uid = pod.metadata.uid
        self.containers: dict[str, list[cri.ContainerStatus]] = {}
        self.sandbox: cri.PodSandbox | None = None
        self.pod_ips: list[str] = [ip.ip for ip in pod.status.pod_ips]
        self.status: PodStatus = pod.status
        self.removed = False
        self.node = node
        self._failure = refusal
        self._finished = pod.status.phase in ("Failed", "Succeeded")
        self._released = False
        self._wakeup = asyncio.Event()
        self._ending = asyncio.Event()
        self._waiting: dict[str, Waiting] = {}
        self._messages: dict[str, str] = {}
        self._started: set[str] = set()
        self._ready: dict[str, bool] = {}
        self._unhealthy: dict[str, str] = {}
        self._probes: dict[tuple[str, str], asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None
        self._status_changed = asyncio.Event()
        self._written: bytes = b""
        self._volumes: dict[str, Path] = {}
        self._refreshed = 0.0
        self._sandbox_failures = Backoff(1.0, 60.0, time.monotonic)
        self._grace: int | None = None
        self._terminated = self._finished

    # ---- input -------------------------------------------------------------------------------------------------

    def update(self, pod: Pod) -> None:
        """The pod as the API has it now."""
        self.pod = pod
        if pod.metadata.deletion_timestamp is not None:
            self._ending.set()
        self.wake()

    def remove(self) -> None:
        """The pod is gone from the API: end what is left of it, at once."""
        self.removed = True
        self._ending.set()
        self.wake()

    def wake(self) -> None:
        """Look again."""
        self._wakeup.set()

    @property
    def directory(self) -> Path:
        """Where the pod's files are."""
        return self.node.config.pods_dir / self.uid

    @property
    def active(self) -> bool:
        """Whether the pod still holds its resources on the node."""
        return not self._finished

    # ---- life --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Live until nothing is left."""
        if self.pod.metadata.deletion_timestamp is not None:
            self._ending.set()
        async with asyncio.TaskGroup() as group:
            self._group = group
            writer = group.create_task(self._write_statuses(), name=f"status of {names.describe(self.pod)}")
            try:
                await self._live()
            finally:
                writer.cancel()
                for task in self._probes.values():
                    task.cancel()

    async def _live(self) -> None:
        failures = 0
        while True:
            self._wakeup.clear()
            delay = self.node.config.sync_frequency * random.uniform(1.0, 1.5)
            try:
                if self._ending.is_set():
                    await self._terminate()
                    return
                if self._failure is not None and not self._finished:
                    await self._fail()
                elif self._finished:
                    await self._release()
                else:
                    delay = min(delay, await self._turn())
                failures = 0
            except Ended:
                continue
            except RuntimeFailure as error:
                failures += 1
                delay = min(10.0, 0.2 * 2**failures)
                level = logging.DEBUG if isinstance(error, RuntimeUnavailable) else logging.WARNING
                log.log(level, "pod %s: %s", names.describe(self.pod), error)
            except Exception:
                failures += 1
                delay = min(30.0, 0.5 * 2**failures)
                log.exception("pod %s: turn failed", names.describe(self.pod))
            try:
                async with asyncio.timeout(delay):
                    await self._wakeup.wait()
            except TimeoutError:
                continue

    async def _turn(self) -> float:
        """One look, one decision, its actions; returns the seconds until the next look is due anyway."""
        await self._observe()
        self._follow_probes()
        deadline = self._deadline()
        if deadline is not None and deadline <= 0:
            self._failure = Waiting("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
            self._event("Normal", "DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
            self.wake()
            return 0
        decision = plan.make(
            self.pod,
            sandbox=self.sandbox,
            containers=self.containers,
            started=frozenset(self._started),
            unhealthy=self._unhealthy,
        )
        if decision.done:
            await self._complete()
            return self.node.config.sync_frequency
        self._publish()
        delay = self.node.config.sync_frequency if deadline is None else deadline
        if decision.create_sandbox or decision.start:
            delay = min(delay, await self._start(decision))
        elif time.monotonic() - self._refreshed > self.node.config.sync_frequency:
            await self._refresh_volumes()
        for kill in decision.kill:
            await self._kill(kill.container_id, kill.name, kill.message)
        if decision.create_sandbox or decision.start or decision.kill:
            await self._observe()
            self._follow_probes()
            self._publish()
            if decision.kill:
                return 0.01
        return delay

    async def _start(self, decision: plan.Plan) -> float:
        due = self.node.config.sync_frequency
        wanted = [name for name in decision.start if not self._in_backoff(name)]
        for name in decision.start:
            if name not in wanted:
                due = min(due, self._crash_remaining(name))
        if decision.create_sandbox or wanted:
            async with self.node.starts:
                try:
                    await self._or_ended(self._provide_volumes())
                except VolumeError as error:
                    self._event("Warning", "FailedMount", str(error))
                    return self._sandbox_failures.failed("volumes")
                self._sandbox_failures.forget("volumes")
                if decision.create_sandbox and not await self._create_sandbox(recreate=decision.recreate):
                    return self._sandbox_failures.failed("sandbox")
                self._sandbox_failures.forget("sandbox")
        delays = await asyncio.gather(*(self._start_container(name) for name in wanted))
        return min([due, *delays])

    # ---- observation -------------------------------------------------------------------------------------------

    async def _observe(self) -> None:
        runtime, selector = self.node.runtime, {names.POD_UID: self.uid}
        sandboxes = sorted(await runtime.list_sandboxes(selector), key=lambda each: -each.created_at)
        self.sandbox = next((each for each in sandboxes if each.state == cri.SANDBOX_READY), None) or (
            sandboxes[0] if sandboxes else None
        )
        known = {each.id: each for statuses in self.containers.values() for each in statuses}
        found: dict[str, list[cri.ContainerStatus]] = {}
        for container in await runtime.list_containers(selector):
            if (
                self.sandbox is not None
                and container.pod_sandbox_id != self.sandbox.id
                and container.state
                not in (
                    cri.CONTAINER_EXITED,
                    cri.CONTAINER_UNKNOWN,
                )
            ):
                continue
            name = container.labels.get(names.CONTAINER_NAME, container.metadata.name)
            old = known.get(container.id)
            if old is None or old.state != container.state or container.state == cri.CONTAINER_UNKNOWN:
                try:
                    old = await runtime.container_status(container.id)
                except RuntimeNotFound:
                    continue
                if old.state == cri.CONTAINER_EXITED:
                    await self._read_message(old)
            found.setdefault(name, []).append(old)
        for statuses in found.values():
            statuses.sort(key=lambda each: -each.created_at)
        self.containers = found
        await self._learn_addresses()

    async def _learn_addresses(self) -> None:
        if self.pod.spec.host_network:
            self.pod_ips = list(self.node.host_ips)
        elif self.sandbox is not None and self.sandbox.state == cri.SANDBOX_READY and not self.pod_ips:
            seen = await self.node.runtime.sandbox_status(self.sandbox.id)
            addresses = [seen.network.ip, *(extra.ip for extra in seen.network.additional_ips)]
            self.pod_ips = [address for address in addresses if address]

    async def _read_message(self, container: cri.ContainerStatus) -> None:
        path = container.annotations.get(names.TERMINATION_PATH, "")
        policy = container.annotations.get(names.TERMINATION_POLICY, "File")
        text = ""
        for mount in container.mounts:
            if path and mount.container_path == path:
                try:
                    text = await asyncio.to_thread(_beginning, Path(mount.host_path), MAX_TERMINATION_MESSAGE)
                except OSError as error:
                    text = f"Error on reading termination log {mount.host_path}: {error}"
        if not text and policy == "FallbackToLogsOnError" and container.exit_code != 0:
            from .logs import tail

            text = await asyncio.to_thread(tail, Path(container.log_path), 80, 2048)
        if text:
            self._messages[container.id] = text

    def _container(self, name: str) -> Container:
        everyone = [*self.pod.spec.init_containers, *self.pod.spec.containers]
        return next(container for container in everyone if container.name == name)

    def _deadline(self) -> float | None:
        seconds, start = self.pod.spec.active_deadline_seconds, self.status.start_time
        if seconds is None or start is None:
            return None
        return start.timestamp() + seconds - time.time()

    # ---- status ------------------------------------------------------------------------------------------------

    def _publish(self) -> None:
        ready = frozenset(name for name, value in self._ready.items() if value)
        seen = Observation(
            containers=self.containers,
            sandbox_ready=self.sandbox is not None and self.sandbox.state == cri.SANDBOX_READY,
            pod_ips=tuple(self.pod_ips),
            host_ips=tuple(self.node.host_ips),
            waiting=self._waiting,
            ready=frozenset() if self._terminated else ready,
            started=frozenset(self._started),
            messages=self._messages,
            terminated=self._terminated,
            failure=self._failure if self._terminated else None,  # Failed is said when nothing runs any more
        )
        base = codecs.copy(self.pod)
        base.status.start_time = self.status.start_time or base.status.start_time
        if self.status.conditions:
            own = {each.type: each for each in self.status.conditions if each.type in status.OWNED_CONDITIONS}
            others = [each for each in base.status.conditions if each.type not in own]
            base.status.conditions = [*own.values(), *others]
        if self.status.container_statuses:
            base.status.container_statuses = self.status.container_statuses
            base.status.init_container_statuses = self.status.init_container_statuses
        self.status = status.compute(base, seen, now())
        self._status_changed.set()

    async def _write_statuses(self) -> None:
        attempt = 0
        while True:
            await self._status_changed.wait()
            self._status_changed.clear()
            try:
                await self._write_status()
                attempt = 0
            except (StatusError, OSError) as error:
                if is_not_found(error):
                    continue
                if not is_conflict(error):
                    log.debug("status of %s not written: %s", names.describe(self.pod), error)
                self._status_changed.set()
                await asyncio.sleep(STATUS_RETRY[min(attempt, len(STATUS_RETRY) - 1)])
                attempt += 1

    async def _write_status(self) -> None:
        """Bring the API's status in line with ours; raises what the client raises."""
        wanted = self.status
        encoded = codecs.encode(wanted)
        if encoded == self._written or self.removed:
            return
        latest = self.pod
        for fresh in (False, True):
            if fresh:
                latest = await self.node.client.get(Pod, latest.metadata.name, latest.metadata.namespace)
                if latest.metadata.uid != self.uid:
                    return
            update = codecs.copy(latest)
            foreign = [each for each in latest.status.conditions if each.type not in status.OWNED_CONDITIONS]
            mine = [
                each
                for each in wanted.conditions
                if each.type in status.OWNED_CONDITIONS or each.type not in {other.type for other in foreign}
            ]
            update.status = msgspec.structs.replace(wanted, conditions=[*mine, *foreign])
            if codecs.encode(update.status) == codecs.encode(latest.status):
                break
            try:
                await self.node.client.update(update, subresource="status")
                break
            except StatusError as error:
                if fresh or not is_conflict(error):
                    raise
        self._written = encoded

    def _event(self, type_: str, reason: str, message: str, container: Container | None = None) -> None:
        reference = ObjectReference(
            kind="Pod",
            api_version="v1",
            name=self.pod.metadata.name,
            namespace=self.pod.metadata.namespace,
            uid=self.uid,
            resource_version=self.pod.metadata.resource_version,
        )
        if container is not None:
            init = container in self.pod.spec.init_containers
            reference.field_path = f"spec.{'initContainers' if init else 'containers'}{{{container.name}}}"
        self.node.recorder.event(reference, type_, reason, message)

    # ---- volumes and files -------------------------------------------------------------------------------------

    def _volume_context(self, directory: Path) -> VolumeContext:
        return VolumeContext(
            pod=self.pod,
            sources=self.node.sources,
            directory=directory,
            pod_ips=self.pod_ips,
            host_ips=self.node.host_ips,
            node_allocatable=self.node.allocatable,
            cluster_domain=self.node.config.cluster_domain,
        )

    async def _provide_volumes(self) -> None:
        volumes = []
        for volume in self.pod.spec.volumes:
            if volume.name in self._volumes and volume.empty_dir is not None:
                continue
            volumes.append(volume)

        async def one(index: int) -> None:
            volume = volumes[index]
            kind, _ = plugins.plugin_of(volume)
            context = self._volume_context(self.directory / "volumes" / kind / volume.name)
            try:
                self._volumes[volume.name] = await plugins.provide(volume, context)
            except VolumeError as error:
                raise VolumeError(f'MountVolume.SetUp failed for volume "{volume.name}" : {error}') from error

        self.directory.mkdir(parents=True, exist_ok=True, mode=0o750)
        results = await asyncio.gather(*(one(index) for index in range(len(volumes))), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        self._refreshed = time.monotonic()

    async def _refresh_volumes(self) -> None:
        try:
            await self._provide_volumes()
        except VolumeError as error:
            self._refreshed = time.monotonic()
            log.info("pod %s: %s", names.describe(self.pod), error)

    def _hosts_file(self) -> Path:
        path = self.directory / "etc-hosts"
        if self.pod.spec.host_network:
            text = resolvconf.host_network_hosts_file(Path("/etc/hosts").read_text(), self.pod.spec.host_aliases)
        else:
            name, domain = resolvconf.pod_hostname(self.pod, self.node.config.cluster_domain)
            text = resolvconf.hosts_file(self.pod_ips, name, domain, self.pod.spec.host_aliases)
        path.write_text(text)
        path.chmod(0o644)
        return path

    def _mounts(self, container: Container, environment: Mapping[str, str]) -> list[cri.Mount]:
        result = []
        for index, mount in enumerate(container.volume_mounts):
            volume = self._volumes.get(mount.name)
            if volume is None:
                raise ConfigError(f'cannot find volume "{mount.name}" to mount into container "{container.name}"')
            inner = expand(mount.sub_path_expr, environment) if mount.sub_path_expr else mount.sub_path
            if inner:
                target = self.directory / "volume-subpaths" / mount.name / container.name / str(index)
                try:
                    volume = subpath.bind(volume, inner, target)
                except subpath.SubpathError as error:
                    raise ConfigError(
                        f'failed to prepare subPath for volumeMount "{mount.name}" of container "{container.name}"'
                    ) from error
            target_path = mount.mount_path if mount.mount_path.startswith("/") else f"/{mount.mount_path}"
            result.append(
                specs.mount_message(
                    volume, target_path, read_only=bool(mount.read_only), propagation=mount.mount_propagation
                )
            )
        taken = {mount.container_path for mount in result}
        if "/etc/hosts" not in taken:
            result.append(specs.mount_message(self._hosts_file(), "/etc/hosts"))
        if container.termination_message_path and container.termination_message_path not in taken:
            directory = self.directory / "containers" / container.name
            directory.mkdir(parents=True, exist_ok=True)
            message = directory / random_names.token_hex(4)
            message.touch()
            message.chmod(0o666)
            result.append(specs.mount_message(message, container.termination_message_path))
        return result

    # ---- starting ----------------------------------------------------------------------------------------------

    async def _or_ended(self, work: Awaitable[T]) -> T:
        """Wait for something that may take long; raises Ended as soon as the pod is to end."""
        task = asyncio.ensure_future(work)
        ending = asyncio.ensure_future(self._ending.wait())
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

    def _sandbox_config(self, attempt: int) -> cri.PodSandboxConfig:
        config = self.node.config
        hostname, _ = resolvconf.pod_hostname(self.pod, config.cluster_domain)
        resolver = resolvconf.pod_resolver(
            self.pod, self.node.host_resolver, cluster_dns=config.cluster_dns, cluster_domain=config.cluster_domain
        )
        return specs.sandbox_config(
            self.pod,
            attempt=attempt,
            hostname=hostname,
            resolver=resolver,
            log_root=config.pod_log_root,
            cgroup_root=config.cgroup_root,
        )

    async def _create_sandbox(self, *, recreate: bool) -> bool:
        attempt = 0
        if self.sandbox is not None:
            attempt = self.sandbox.metadata.attempt + 1
            if recreate:
                if any(each[0].state == cri.CONTAINER_RUNNING for each in self.containers.values() if each):
                    self._event("Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
                await self.node.runtime.stop_sandbox(self.sandbox.id)
                self.pod_ips = []
        config = self._sandbox_config(attempt)
        limits, requests = pod_limits(self.pod), pod_requests(self.pod)
        group = config.linux.cgroup_parent
        pids = self.node.config.pod_pids_limit
        wanted = cgroups.CgroupLimits(
            cpu_shares=cgroups.shares_for(requests.get("cpu", 0)),
            cpu_quota=cgroups.quota_for(limits["cpu"]) if limits.get("cpu") else None,
            memory=limits.get("memory") or None,
            pids=pids if pids > 0 else None,
        )
        try:
            await asyncio.to_thread(cgroups.apply, group, wanted)
            await asyncio.to_thread(os.makedirs, config.log_directory, 0o755, True)
            sandbox_id = await self.node.runtime.run_sandbox(config, "")
        except OSError as error:
            self._event("Warning", "FailedCreatePodContainer", f"unable to ensure pod container exists: {error}")
            return False
        except RuntimeUnavailable:
            raise
        except RuntimeFailure as error:
            self._event("Warning", "FailedCreatePodSandBox", f"Failed to create pod sandbox: {error}")
            return False
        previous = self.sandbox
        seen = await self.node.runtime.sandbox_status(sandbox_id)
        self.sandbox = cri.PodSandbox(
            id=sandbox_id, metadata=seen.metadata, state=seen.state, created_at=seen.created_at
        )
        self.pod_ips = []
        await self._learn_addresses()
        if previous is not None:
            await self.node.runtime.remove_sandbox(previous.id)
        if any(volume.downward_api is not None or volume.projected is not None for volume in self.pod.spec.volumes):
            await self._refresh_volumes()  # they may say the pod's address
        self._publish()
        return True

    def _crash_key(self, name: str) -> str:
        return f"{self.uid}_{name}_{names.container_hash(self._container(name))}"

    def _crash_remaining(self, name: str) -> float:
        statuses = self.containers.get(name)
        if not statuses or statuses[0].state != cri.CONTAINER_EXITED:
            return 0.0
        ago = max(0.0, time.time() - statuses[0].finished_at / 1e9)
        return max(0.0, self.node.crashes.delay(self._crash_key(name)) - ago)

    def _in_backoff(self, name: str) -> bool:
        if self._crash_remaining(name) <= 0:
            return False
        container = self._container(name)
        where = names.describe(self.pod)
        delay = go_duration(self.node.crashes.delay(self._crash_key(name)))
        waiting = Waiting("CrashLoopBackOff", f"back-off {delay} restarting failed container={name} pod={where}")
        if self._waiting.get(name) != waiting:
            text = f"Back-off restarting failed container {name} in pod {where}"
            self._event("Warning", "BackOff", text, container)
        self._waiting[name] = waiting
        self._publish()
        return True

    async def _start_container(self, name: str) -> float:
        """Start one container; returns the seconds until another try is due."""
        container = self._container(name)
        if self.sandbox is None:
            return 1.0
        statuses = self.containers.get(name, [])

        def record(type_: str, reason: str, message: str) -> None:
            self._event(type_, reason, message, container)

        sandbox_config = self._sandbox_config(self.sandbox.metadata.attempt)
        try:
            secrets = await self._pull_secrets()
            image = await self._or_ended(self.node.puller.ensure(self.pod, container, secrets, sandbox_config, record))
        except PullFailure as failure:
            self._waiting[name] = Waiting(failure.reason, failure.message)
            self._publish()
            return max(0.1, failure.retry)
        attempt = 0
        if statuses:
            attempt = int(statuses[0].annotations.get(names.RESTART_COUNT, "0")) + 1
            self.node.crashes.failed(self._crash_key(name))
        elif previous := self._previous_restarts(name):
            attempt = previous + 1
        try:
            environment = await self._environment(container)
            config = specs.container_config(
                self.pod,
                container,
                image=image.id,
                attempt=attempt,
                environment=environment,
                mounts=await asyncio.to_thread(self._mounts, container, environment),
                memory_capacity=self.node.memory_capacity,
                image_user=image.uid.value if image.HasField("uid") else None,
                image_username=image.username,
            )
        except (ConfigError, OSError) as error:
            self._waiting[name] = Waiting("CreateContainerConfigError", str(error))
            record("Warning", "Failed", f"Error: {error}")
            self._publish()
            return self._sandbox_failures.failed(f"config {name}")
        try:
            container_id = await self.node.runtime.create_container(self.sandbox.id, config, sandbox_config)
        except RuntimeUnavailable:
            raise
        except RuntimeFailure as error:
            self._waiting[name] = Waiting("CreateContainerError", error.message)
            record("Warning", "Failed", f"Error: {error.message}")
            self._publish()
            return self._sandbox_failures.failed(f"create {name}")
        record("Normal", "Created", "Container created")
        self._ready.pop(name, None)
        self._started.discard(name)
        self._unhealthy.pop(name, None)
        try:
            await self.node.runtime.start_container(container_id)
        except RuntimeFailure as error:
            self._waiting[name] = Waiting("RunContainerError", error.message)
            record("Warning", "Failed", f"Error: {error.message}")
            return 0.05
        record("Normal", "Started", "Container started")
        self._waiting.pop(name, None)
        for key in (f"config {name}", f"create {name}"):
            self._sandbox_failures.forget(key)
        await self._after_start(container, container_id)
        return self.node.config.sync_frequency

    async def _after_start(self, container: Container, container_id: str) -> None:
        lifecycle = container.lifecycle
        if lifecycle is None or lifecycle.post_start is None:
            return
        try:
            await self._or_ended(
                run_handler(lifecycle.post_start, container, container_id, self._address(), self.node.runtime)
            )
        except HandlerFailure as error:
            log.info("postStart of %s in %s: %s", container.name, names.describe(self.pod), error)
            self._event("Warning", "FailedPostStartHook", "PostStartHook failed", container)
            await self._kill(container_id, container.name, "FailedPostStartHook")

    async def _environment(self, container: Container) -> dict[str, str]:
        return await container_environment(
            self.pod,
            container,
            self.node.sources,
            pod_ips=self.pod_ips,
            host_ips=self.node.host_ips,
            node_allocatable=self.node.allocatable,
            master_namespace=self.node.config.master_service_namespace,
        )

    async def _pull_secrets(self) -> list[Secret]:
        found = []
        for reference in self.pod.spec.image_pull_secrets:
            try:
                secret = await self.node.sources.secret(self.pod.metadata.namespace, reference.name, optional=True)
            except ConfigError:
                continue
            if secret is not None:
                found.append(secret)
        return found

    def _previous_restarts(self, name: str) -> int:
        for each in [*self.pod.status.init_container_statuses, *self.pod.status.container_statuses]:
            if each.name == name and each.container_id:
                return each.restart_count
        return 0

    def _address(self) -> str:
        return self.pod_ips[0] if self.pod_ips else "127.0.0.1"

    # ---- probes ------------------------------------------------------------------------------------------------

    def _follow_probes(self) -> None:
        """Start the probes of containers that run, end those of containers that do not."""
        wanted: dict[tuple[str, str], tuple[Container, cri.ContainerStatus, Kind, Probe]] = {}
        before = {
            each.container_id.removeprefix("containerd://"): each
            for each in [*self.pod.status.init_container_statuses, *self.pod.status.container_statuses]
        }
        for container in [*self.pod.spec.init_containers, *self.pod.spec.containers]:
            statuses = self.containers.get(container.name)
            if not statuses or statuses[0].state != cri.CONTAINER_RUNNING:
                self._started.discard(container.name)
                self._ready.pop(container.name, None)
                continue
            current = statuses[0]
            known = before.get(current.id)
            if container.name not in self._started and (
                container.startup_probe is None or (known is not None and known.started)
            ):
                self._started.add(container.name)
            if container.name in self._started and container.name not in self._ready:
                self._ready[container.name] = container.readiness_probe is None or (known is not None and known.ready)
            kinds: list[tuple[Kind, Probe | None]] = [
                ("Startup", None if container.name in self._started else container.startup_probe),
                ("Readiness", container.readiness_probe),
                ("Liveness", container.liveness_probe),
            ]
            for kind, spec in kinds:
                if spec is not None and (kind == "Startup" or container.name in self._started):
                    wanted[current.id, kind] = (container, current, kind, spec)
        for key in [key for key in self._probes if key not in wanted]:
            self._probes.pop(key).cancel()
        assert self._group is not None
        for key, arguments in wanted.items():
            if key not in self._probes:
                task = self._group.create_task(self._probe(*arguments), name=f"{key[1]} probe of {arguments[0].name}")
                self._probes[key] = task

    async def _probe(self, container: Container, current: cri.ContainerStatus, kind: Kind, spec: Probe) -> None:
        age = time.time() - current.started_at / 1e9
        await asyncio.sleep(max(0.0, (spec.initial_delay_seconds or 0) - age))
        period = float(spec.period_seconds or 10)
        successes = failures = 0
        while True:
            result = await probe(spec, container, current.id, self._address(), self.node.runtime)
            if result.success:
                successes, failures = successes + 1, 0
            else:
                successes, failures = 0, failures + 1
                if current.id == self._current_id(container.name):
                    text = f"{kind} probe failed: {result.output}"
                    self._event("Warning", "Unhealthy", text, container)
            if result.success and successes >= (spec.success_threshold or 1):
                if kind == "Startup":
                    self._started.add(container.name)
                    self.wake()
                    return
                if kind == "Readiness" and not self._ready.get(container.name):
                    self._ready[container.name] = True
                    self.wake()
            elif failures >= (spec.failure_threshold or 3):
                if kind == "Readiness":
                    if self._ready.get(container.name, True):
                        self._ready[container.name] = False
                        self.wake()
                else:
                    self._unhealthy[container.name] = kind.lower()
                    self.wake()
                    return
            await asyncio.sleep(period)

    def _current_id(self, name: str) -> str:
        statuses = self.containers.get(name)
        return statuses[0].id if statuses else ""

    # ---- stopping ----------------------------------------------------------------------------------------------

    async def _kill(self, container_id: str, name: str, message: str, grace: int | None = None) -> None:
        container = self._container(name)
        if message:
            self._event("Normal", "Killing", message, container)
        if grace is None:
            own = self.pod.spec.termination_grace_period_seconds
            grace = 30 if own is None else own
            condemned = self._unhealthy.get(name)
            spec = container.liveness_probe if condemned == "liveness" else container.startup_probe
            if condemned and spec is not None and spec.termination_grace_period_seconds is not None:
                grace = spec.termination_grace_period_seconds
        began = time.monotonic()
        lifecycle = container.lifecycle
        if lifecycle is not None and lifecycle.pre_stop is not None and grace > 0:
            try:
                async with asyncio.timeout(grace):
                    await run_handler(lifecycle.pre_stop, container, container_id, self._address(), self.node.runtime)
            except (HandlerFailure, TimeoutError) as error:
                if isinstance(error, HandlerFailure):
                    self._event("Warning", "FailedPreStopHook", "PreStopHook failed", container)
            grace = max(MINIMUM_GRACE, grace - int(time.monotonic() - began))
        await self.node.runtime.stop_container(container_id, grace)
        self._unhealthy.pop(name, None)

    async def _stop_all(self, message: str) -> None:
        """Stop every container, sidecars last and in reverse order; shortens the grace when told meanwhile."""
        for task in self._probes.values():
            task.cancel()
        self._probes.clear()
        specs_by_name = {each.name: each for each in [*self.pod.spec.init_containers, *self.pod.spec.containers]}
        running = {
            name: statuses[0].id
            for name, statuses in self.containers.items()
            if statuses and statuses[0].state == cri.CONTAINER_RUNNING and name in specs_by_name
        }
        sidecars = [
            container.name
            for container in reversed(self.pod.spec.init_containers)
            if is_sidecar(container) and container.name in running
        ]
        deadline = time.monotonic() + (self._grace_period() or 0)
        await self._stop_some({name: id_ for name, id_ in running.items() if name not in sidecars}, message)
        for name in sidecars:
            left = max(MINIMUM_GRACE, int(deadline - time.monotonic()))
            await self._stop_some({name: running[name]}, message, min(left, self._grace_period()))

    async def _stop_some(self, ids: Mapping[str, str], message: str, grace: int | None = None) -> None:
        if not ids:
            return
        grace = self._grace_period() if grace is None else grace
        tasks = [
            asyncio.ensure_future(self._kill(id_, name, message.format(name=name), grace)) for name, id_ in ids.items()
        ]
        try:
            while True:
                self._wakeup.clear()
                wake = asyncio.ensure_future(self._wakeup.wait())
                await asyncio.wait(
                    [wake, asyncio.ensure_future(asyncio.wait(tasks))], return_when=asyncio.FIRST_COMPLETED
                )
                wake.cancel()
                if all(task.done() for task in tasks):
                    break
                if (shorter := self._grace_period()) < grace:
                    grace = shorter
                    stop = self.node.runtime.stop_container
                    tasks += [asyncio.ensure_future(stop(id_, grace)) for id_ in ids.values()]
            for task in tasks:
                task.result()
        finally:
            for task in tasks:
                task.cancel()

    def _grace_period(self) -> int:
        if self.removed:
            return 0
        metadata = self.pod.metadata
        if metadata.deletion_timestamp is not None and metadata.deletion_grace_period_seconds is not None:
            return metadata.deletion_grace_period_seconds
        own = self.pod.spec.termination_grace_period_seconds
        return 30 if own is None else own

    async def _end_containers(self, message: str) -> None:
        await self._observe()
        self._publish()
        await self._stop_all(message)
        if self.sandbox is not None and self.sandbox.state == cri.SANDBOX_READY:
            await self._observe()  # the exit codes, before the sandbox takes the rest away
            await self.node.runtime.stop_sandbox(self.sandbox.id)
        await self._observe()
        self._terminated = True
        self._waiting.clear()
        self._publish()

    async def _complete(self) -> None:
        """The pod has run to its end by itself."""
        await self._stop_all("Stopping container {name}")
        await self._observe()
        self._waiting.clear()
        self._terminated = True
        self._publish()
        self._finished = True
        self.wake()

    async def _fail(self) -> None:
        """The kubelet ends the pod, or refuses to begin."""
        await self._end_containers("Stopping container {name}")
        self._finished = True
        self.wake()

    async def _release(self) -> None:
        """Give back what a finished pod holds: its network, volumes and groups; containers stay for their logs."""
        if self._released:
            return
        await self._observe()
        if self.sandbox is not None and self.sandbox.state == cri.SANDBOX_READY:
            await self.node.runtime.stop_sandbox(self.sandbox.id)
            await self._observe()
        await asyncio.to_thread(self._unmount)
        await asyncio.to_thread(cgroups.remove_tree, self._group_name())
        self._publish()
        self._released = True

    def _group_name(self) -> str:
        return cgroups.pod_group(self.node.config.cgroup_root, qos_class(self.pod), self.uid)

    def _unmount(self) -> None:
        from .mounts import unmount_below

        unmount_below(self.directory)

    async def _terminate(self) -> None:
        """End the pod for good: containers, sandbox, files, groups, and then the API object."""
        await self._retry(lambda: self._end_containers("Stopping container {name}"))
        await self._flush_status()
        await self._retry(self._remove_from_runtime)
        await asyncio.to_thread(plugins.remove_pod_directory, self.directory)
        await asyncio.to_thread(cgroups.remove_tree, self._group_name())
        await asyncio.to_thread(_remove_logs, names.log_directory(self.node.config.pod_log_root, self.pod))
        self._finished = True
        self.node.sources.forget(self.uid)
        self.node.puller.forget(f"{self.uid}_")
        self.node.crashes.forget_prefix(f"{self.uid}_")
        await self._delete_from_api()

    async def _remove_from_runtime(self) -> None:
        selector = {names.POD_UID: self.uid}
        for sandbox in await self.node.runtime.list_sandboxes(selector):
            await self.node.runtime.stop_sandbox(sandbox.id)
            await self.node.runtime.remove_sandbox(sandbox.id)

    async def _retry(self, work: Callable[[], Awaitable[None]]) -> None:
        attempt = 0
        while True:
            try:
                await work()
                return
            except RuntimeFailure as error:
                log.info("pod %s: %s", names.describe(self.pod), error)
                await asyncio.sleep(min(10.0, 0.2 * 2**attempt))
                attempt += 1

    async def _flush_status(self) -> None:
        for delay in STATUS_RETRY:
            try:
                await self._write_status()
                return
            except (StatusError, OSError) as error:
                if is_not_found(error):
                    self.removed = True
                    return
                await asyncio.sleep(delay)

    async def _delete_from_api(self) -> None:
        options = DeleteOptions(grace_period_seconds=0, preconditions=Preconditions(uid=self.uid))
        attempt = 0
        while not self.removed:
            try:
                await self.node.client.delete(Pod, self.pod.metadata.name, self.pod.metadata.namespace, options=options)
                return
            except (StatusError, OSError) as error:
                if is_not_found(error) or is_conflict(error):
                    return
                await asyncio.sleep(STATUS_RETRY[min(attempt, len(STATUS_RETRY) - 1)])
                attempt += 1


def _beginning(path: Path, limit: int) -> str:
    with path.open("rb") as file:
        return file.read(limit).decode(errors="replace")


def _remove_logs(directory: Path) -> None:
    shutil.rmtree(directory, ignore_errors=True)
