"""Leader election by Lease (coordination.k8s.io), compatible with client-go's ``leaderelection``.

    async with LeaderElection(client, "kube-controller-manager", identity) as leadership:
        async with asyncio.TaskGroup() as group:
            ...                      # do what the leader does
            await leadership.lost()  # and stop when the lease could not be renewed

:func:`lead` does that over and over for work that never ends by itself.

A holder renews every ``retry_period`` seconds and considers itself deposed when it did not succeed for
``renew_deadline``; others take over after the lease did not change for its duration *by their own clock*, so that
clocks need not agree.  On exit the lease is released, so that a successor need not wait.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from types import TracebackType

import msgspec

from steersman.api.clock import SYSTEM, Clock, within
from steersman.api.errors import StatusError, is_already_exists, is_conflict, is_not_found
from steersman.api.time import now_micro
from steersman.api.types.coordination_v1 import Lease, LeaseSpec
from steersman.api.types.meta_v1 import ObjectMeta

from .client import Client

log = logging.getLogger(__name__)


class LeaderElection:
    """A lease that is acquired on entry, renewed while held and released on exit."""

    def __init__(
        self,
        client: Client,
        name: str,
        identity: str,
        *,
        namespace: str = "kube-system",
        lease_duration: float = 15.0,
        renew_deadline: float = 10.0,
        retry_period: float = 2.0,
        clock: Clock = SYSTEM,
    ) -> None:
        if not lease_duration > renew_deadline > retry_period:
            raise ValueError("lease_duration > renew_deadline > retry_period must hold")
        self._client = client
        self._name = name
        self._identity = identity
        self._namespace = namespace
        self._lease_duration = lease_duration
        self._renew_deadline = renew_deadline
        self._retry_period = retry_period
        self._clock = clock
        self._lease: Lease | None = None
        self._observed: tuple[str, str] = ("", "")
        self._observed_at = 0.0
        self._lost = asyncio.Event()
        self._renewer: asyncio.Task[None] | None = None

    async def __aenter__(self) -> LeaderElection:
        self._lost.clear()
        while not await self._try():
            await self._clock.sleep(self._retry_period * (1 + random.random() * 0.2))
        log.info("%s became leader of %s/%s", self._identity, self._namespace, self._name)
        self._renewer = asyncio.create_task(self._renew(), name=f"renew lease {self._name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._renewer is not None:
            self._renewer.cancel()
            await asyncio.gather(self._renewer, return_exceptions=True)
            self._renewer = None
        if not self._lost.is_set() and self._lease is not None:
            released = LeaseSpec(
                lease_duration_seconds=1,
                acquire_time=now_micro(self._clock),
                renew_time=now_micro(self._clock),
                lease_transitions=self._lease.spec.lease_transitions,
            )
            try:
                async with asyncio.timeout(1):
                    await self._client.update(Lease(metadata=self._lease.metadata, spec=released))
            except (StatusError, TimeoutError) as failure:
                log.info("could not release lease %s: %s", self._name, failure)
        self._lease = None

    async def lost(self) -> None:
        """Wait until the lease could not be renewed in time."""
        await self._lost.wait()

    async def _renew(self) -> None:
        clock = self._clock
        renewed = clock.monotonic()
        while True:
            await self._clock.sleep(self._retry_period)
            try:
                async with within(renewed + self._renew_deadline - clock.monotonic(), clock):
                    held = await self._try()
            except TimeoutError:
                held = False
            except Exception:  # whatever it is: who does not renew MUST NOT go on as if it led
                log.exception("renewing the lease %s/%s failed", self._namespace, self._name)
                held = False
            if held:
                renewed = clock.monotonic()
            elif clock.monotonic() - renewed >= self._renew_deadline or self._observed[0] not in ("", self._identity):
                log.warning("%s lost the lease %s/%s", self._identity, self._namespace, self._name)
                self._lost.set()
                return

    async def _try(self) -> bool:
        """Acquire or renew; whether the lease is ours now."""
        try:
            return await self._acquire_or_renew()
        except StatusError as error:
            if not (is_conflict(error) or is_already_exists(error)):
                log.warning("cannot acquire lease %s/%s: %s", self._namespace, self._name, error)
            return False

    async def _acquire_or_renew(self) -> bool:
        instant = now_micro(self._clock)
        spec = LeaseSpec(
            holder_identity=self._identity,
            lease_duration_seconds=int(self._lease_duration),
            acquire_time=instant,
            renew_time=instant,
            lease_transitions=0,
        )
        try:
            current = await self._client.get(Lease, self._name, self._namespace)
        except StatusError as error:
            if not is_not_found(error):
                raise
            metadata = ObjectMeta(name=self._name, namespace=self._namespace)
            self._lease = await self._client.create(Lease(metadata=metadata, spec=spec))
            self._observe(self._lease)
            return True
        self._observe(current)
        holder = current.spec.holder_identity
        if holder and holder != self._identity:
            duration = current.spec.lease_duration_seconds or self._lease_duration
            if self._clock.monotonic() < self._observed_at + duration:
                return False
        transitions = current.spec.lease_transitions or 0
        if holder == self._identity:
            spec.acquire_time = current.spec.acquire_time or instant
            spec.lease_transitions = transitions
        else:
            spec.lease_transitions = transitions + 1
        self._lease = await self._client.update(msgspec.structs.replace(current, spec=spec))
        self._observe(self._lease)
        return True

    def _observe(self, lease: Lease) -> None:
        seen = (lease.spec.holder_identity, lease.metadata.resource_version)
        if seen != self._observed:
            self._observed = seen
            self._observed_at = self._clock.monotonic()


RETRY_SECONDS = 1.0


async def lead(
    client: Client,
    name: str,
    identity: str,
    work: Callable[[], Awaitable[None]],
    *,
    namespace: str = "kube-system",
    clock: Clock = SYSTEM,
) -> None:
    """Do the work while the lease is held, again and again, until cancelled; ``work`` is cancelled when it is lost."""
    while True:
        async with LeaderElection(client, name, identity, namespace=namespace, clock=clock) as leadership:
            working = asyncio.ensure_future(work())
            lost = asyncio.create_task(leadership.lost(), name=f"lease {name} lost")
            try:
                await asyncio.wait((working, lost), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (working, lost):
                    task.cancel()
                outcome, _ = await asyncio.gather(working, lost, return_exceptions=True)
        if isinstance(outcome, Exception):
            log.error("%s failed", name, exc_info=outcome)
        await clock.sleep(RETRY_SECONDS)
