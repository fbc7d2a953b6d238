"""A pod's actor: the one task that owns what *is* of a pod.

Desired state arrives as input (:meth:`PodActor.update`), hints that something happened by :meth:`PodActor.wake`.
Each turn looks at the runtime (:mod:`.observation`), decides (:mod:`.plan`), acts (:mod:`.sandbox`, :mod:`.starting`,
:mod:`.stopping`), and has the status computed and written (:mod:`.reporting`).  Everything needed to go on is in the
runtime's labels and annotations and in the API, so an actor that dies at any line is replaced by one that reads both
and continues; no container restarts.
"""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
import time
from collections.abc import Awaitable, Callable

from steersman.api.types.core_v1 import Pod, PodStatus

from . import cgroups, mounts, names, plan
from .backoff import Backoff
from .host import Host
from .observation import observe
from .pod_files import PodFiles
from .prober import Prober
from .record import Ended, PodRecord
from .reporting import StatusReporter
from .runtime import RuntimeFailure, RuntimeUnavailable
from .sandbox import create_sandbox, pod_group
from .starting import Starter
from .status import Observation, Waiting
from .stopping import Stopper
from .volumes.plugins import VolumeError, remove_pod_directory

log = logging.getLogger(__name__)

DEADLINE_EXCEEDED = Waiting("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")


class PodActor:
    """One pod, by uid.  :meth:`run` returns when nothing of the pod is left, neither here nor in the API.

    ``refusal`` says why the node does not take the pod; it then fails without having run.
    """

    def __init__(self, host: Host, pod: Pod, *, refusal: Waiting | None = None) -> None:
        self.record = PodRecord(host, pod)
        self._host = host
        self._failure = refusal
        self._finished = pod.status.phase in ("Failed", "Succeeded")
        self._released = False
        self._terminated = self._finished
        self._delays = Backoff(1.0, 60.0, time.monotonic)
        self._prober = Prober(self.record)
        self._reporter = StatusReporter(self.record)
        self._files = PodFiles(self.record)
        self._stopper = Stopper(self.record, self._prober, self._publish)
        self._starter = Starter(self.record, self._files, self._prober, self._stopper, self._publish)

    # ---- input -------------------------------------------------------------------------------------------------

    def update(self, pod: Pod) -> None:
        """The pod as the API has it now."""
        self.record.pod = pod
        if pod.metadata.deletion_timestamp is not None:
            self.record.ending.set()
        self.wake()

    def remove(self) -> None:
        """The pod is gone from the API: end what is left of it, at once."""
        self.record.removed = True
        self.record.ending.set()
        self.wake()

    def wake(self) -> None:
        """Look again."""
        self.record.wake()

    @property
    def pod(self) -> Pod:
        """The pod as the API has it."""
        return self.record.pod

    @property
    def status(self) -> PodStatus:
        """The pod's status as the API will have it soon."""
        return self._reporter.status

    @property
    def active(self) -> bool:
        """Whether the pod still holds its resources on the node."""
        return not self._finished

    def successor(self) -> PodActor:
        """Another actor for the same pod, which knows nothing but what the runtime and the API say."""
        other = PodActor(self._host, self.pod)
        if self.record.removed:
            other.remove()
        return other

    # ---- life --------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Live until nothing is left."""
        if self.pod.metadata.deletion_timestamp is not None:
            self.record.ending.set()
        async with asyncio.TaskGroup() as group:
            writer = group.create_task(self._reporter.run(), name=f"status of {names.describe(self.pod)}")
            try:
                await self._live(group)
            finally:
                writer.cancel()
                self._prober.stop()

    async def _live(self, group: asyncio.TaskGroup) -> None:
        failures = 0
        while True:
            self.record.woken.clear()
            delay = self._host.config.sync_frequency * random.uniform(1.0, 1.5)
            try:
                if self.record.ending.is_set():
                    await self._terminate()
                    return
                if self._failure is not None and not self._finished:
                    await self._fail()
                elif self._finished:
                    await self._release()
                else:
                    delay = min(delay, await self._turn(group))
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
                    await self.record.woken.wait()
            except TimeoutError:
                continue

    async def _turn(self, group: asyncio.TaskGroup) -> float:
        """One look, one decision, its actions; returns the seconds until the next look is due anyway."""
        record = self.record
        await observe(record)
        self._prober.follow(group)
        deadline = self._deadline()
        if deadline is not None and deadline <= 0:
            self._failure = DEADLINE_EXCEEDED
            record.event("Normal", DEADLINE_EXCEEDED.reason, DEADLINE_EXCEEDED.message)
            return 0
        decision = plan.make(
            self.pod,
            sandbox=record.sandbox,
            containers=record.containers,
            started=frozenset(self._prober.started),
            unhealthy=self._prober.unhealthy,
        )
        if decision.done:
            await self._complete()
            return 0
        self._publish()
        delay = self._host.config.sync_frequency if deadline is None else deadline
        for kill in decision.kill:
            await record.until_ending(self._stopper.kill(kill.container_id, kill.name, kill.message))
        if decision.create_sandbox or decision.start:
            delay = min(delay, await self._start(decision))
        else:
            await self._files.refresh_when_due()
        if decision.create_sandbox or decision.start or decision.kill:
            await observe(record)
            self._prober.follow(group)
            self._publish()
        return 0 if decision.kill else delay

    async def _start(self, decision: plan.Plan) -> float:
        """Make what is to be made; returns the seconds until another try is due."""
        delays = {name: self._starter.remaining(name) for name in decision.start}
        wanted = [name for name, delay in delays.items() if delay <= 0]
        due = [self._host.config.sync_frequency, *(delay for delay in delays.values() if delay > 0)]
        if decision.create_sandbox or wanted:
            async with self._host.starts:
                try:
                    await self.record.until_ending(self._files.provide())
                except VolumeError as error:
                    self.record.event("Warning", "FailedMount", str(error))
                    return self._delays.failed("volumes")
                self._delays.forget("volumes")
                if decision.create_sandbox and not await create_sandbox(self.record, recreate=decision.recreate):
                    return self._delays.failed("sandbox")
                self._delays.forget("sandbox")
            if decision.create_sandbox:
                await self._files.address_known()
                self._publish()
        for name in wanted:  # MUST go in order: people rely on a postStart handler to hold the next container back
            retry = await self._starter.start(name)
            due += [] if retry is None else [retry]
        return min(due)

    def _deadline(self) -> float | None:
        """The seconds until ``activeDeadlineSeconds`` are over."""
        seconds, start = self.pod.spec.active_deadline_seconds, self.status.start_time
        if seconds is None or start is None:
            return None
        return start.timestamp() + seconds - self._host.clock()

    def _publish(self) -> None:
        record = self.record
        ready = frozenset(name for name, value in self._prober.ready.items() if value)
        self._reporter.publish(
            Observation(
                containers=record.containers,
                sandbox_ready=record.sandbox_ready,
                pod_ips=tuple(record.pod_ips),
                host_ips=tuple(self._host.host_ips),
                waiting=record.waiting,
                ready=frozenset() if self._terminated else ready,
                started=frozenset(self._prober.started),
                messages=record.messages,
                terminated=self._terminated,
                failure=self._failure if self._terminated else None,  # Failed is said when nothing runs any more
            )
        )

    # ---- ends --------------------------------------------------------------------------------------------------

    async def _complete(self) -> None:
        """The pod has run to its end by itself."""
        await self._stopper.stop_all()
        await observe(self.record)
        self._over()

    async def _fail(self) -> None:
        """The kubelet ends the pod, or refuses to begin."""
        await self._end_containers()
        self._over()

    def _over(self) -> None:
        """Nothing of the pod will run again: say so, and give back what it holds next."""
        self._prober.stop()
        self._terminated = self._finished = True
        self.record.waiting.clear()
        self._publish()
        self.wake()

    async def _end_containers(self) -> None:
        record = self.record
        await observe(record)
        self._publish()
        await self._stopper.stop_all()
        if record.sandbox is not None and record.sandbox_ready:
            await observe(record)  # the exit codes, before the sandbox takes the rest away
            await self._host.runtime.stop_sandbox(record.sandbox.id)
        await observe(record)

    async def _release(self) -> None:
        """Give back what a finished pod holds: its network, volumes and groups; containers stay for their logs."""
        if self._released:
            return
        record = self.record
        await observe(record)
        if record.sandbox is not None and record.sandbox_ready:
            await self._host.runtime.stop_sandbox(record.sandbox.id)
            await observe(record)
        await asyncio.to_thread(mounts.unmount_below, record.directory)
        await asyncio.to_thread(cgroups.remove_tree, pod_group(record))
        self._publish()
        self._released = True

    async def _terminate(self) -> None:
        """End the pod for good: containers, sandbox, files, groups, and then the API object."""
        await self._retry(self._end_containers)
        self._over()
        await self._reporter.flush()
        await self._retry(self._remove_from_runtime)
        host, record = self._host, self.record
        await asyncio.to_thread(remove_pod_directory, record.directory)
        await asyncio.to_thread(cgroups.remove_tree, pod_group(record))
        log_directory = names.log_directory(host.config.pod_log_root, self.pod)
        await asyncio.to_thread(shutil.rmtree, log_directory, ignore_errors=True)
        host.sources.forget(record.uid)
        host.puller.forget(f"{record.uid}_")
        host.crashes.forget_prefix(f"{record.uid}_")
        await self._reporter.delete()

    async def _remove_from_runtime(self) -> None:
        runtime = self._host.runtime
        for sandbox in await runtime.list_sandboxes({names.POD_UID: self.record.uid}):
            await runtime.stop_sandbox(sandbox.id)
            await runtime.remove_sandbox(sandbox.id)

    async def _retry(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do something until it succeeds: a pod that ends ends, however often the runtime fails."""
        attempt = 0
        while True:
            try:
                await work()
                return
            except RuntimeFailure as error:
                log.info("pod %s: %s", names.describe(self.pod), error)
                await asyncio.sleep(min(10.0, 0.2 * 2**attempt))
                attempt += 1
