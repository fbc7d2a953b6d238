"""Simulated nodes' signs of life: Leases that are renewed, and statuses that are said again.

A renewal is one small update on the version that was written last.  Renewals of all nodes are spread evenly: a node's
first comes at some moment of its interval, the others an interval after the one before.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator
from datetime import datetime

import msgspec

from steersman.api import labels
from steersman.api.clock import Clock
from steersman.api.errors import StatusError, is_already_exists, is_conflict, is_not_found
from steersman.api.types.coordination_v1 import Lease, LeaseSpec
from steersman.api.types.core_v1 import Node
from steersman.api.types.meta_v1 import ObjectMeta, OwnerReference
from steersman.client.client import Client

from .config import SimulationConfig
from .crew import Crew
from .node import SimulatedNode
from .shape import beat
from .timers import Timers

log = logging.getLogger(__name__)

LEASE_DURATION = 40
"""Seconds, as the kubelet has it; where renewals are more seldom than every 20 s, two of their intervals."""


class Heartbeats:
    """The signs of life of nodes, from :meth:`start` until ``is_here`` says that a node is not here any more."""

    def __init__(
        self,
        config: SimulationConfig,
        client: Client,
        clock: Clock,
        rng: random.Random,
        interval: Callable[[], float],
        current: Callable[[SimulatedNode], Node | None],
    ) -> None:
        self._config = config
        self._client = client
        self._clock = clock
        self._rng = rng
        self._interval = interval
        self._current = current
        self._renewals: Timers[SimulatedNode] = Timers(clock, lambda node: self._renewers.add(node))
        self._reports: Timers[SimulatedNode] = Timers(clock, lambda node: self._reporters.add(node))
        self._renewers: Crew[SimulatedNode] = Crew("simulated leases", config.workers, self._renew)
        self._reporters: Crew[SimulatedNode] = Crew("simulated node statuses", 4, self._report)

    def unfinished(self) -> Iterator[str]:
        """What is to be written now; what comes in its time does not count."""
        yield from self._renewers.unfinished()
        yield from self._reporters.unfinished()

    def start(self, node: SimulatedNode) -> None:
        """A node is here."""
        self._renewers.add(node)
        self._reports.add(self._config.report * self._rng.random(), node)

    async def run_renewals(self) -> None:
        """Renew Leases until cancelled."""
        try:
            await self._renewers.run()
        finally:
            self._renewals.stop()

    async def run_reports(self) -> None:
        """Say statuses again until cancelled."""
        try:
            await self._reporters.run()
        finally:
            self._reports.stop()

    async def _renew(self, node: SimulatedNode) -> None:
        if self._current(node) is None:
            return
        interval = self._interval()
        delay = interval
        try:
            if node.lease is None:
                node.lease = await self._take(node, interval)
                delay = interval * self._rng.random()
            else:
                node.lease = await self._client.update(self._renewed(node.lease, node.name, interval))
        except StatusError as error:
            node.lease = None
            if not (is_not_found(error) or is_conflict(error)):
                log.info("cannot renew the lease of node %s: %s", node.name, error)
            delay = min(1.0, interval)
        self._renewals.add(delay, node)

    def _instant(self) -> datetime:
        instant = self._clock.now()
        return instant if instant.microsecond else instant.replace(microsecond=1)

    def _renewed(self, lease: Lease, holder: str, interval: float) -> Lease:
        spec = msgspec.structs.replace(
            lease.spec,
            holder_identity=holder,
            lease_duration_seconds=max(LEASE_DURATION, round(2 * interval)),
            renew_time=self._instant(),
        )
        return msgspec.structs.replace(lease, spec=spec)

    async def _take(self, node: SimulatedNode, interval: float) -> Lease:
        """Make the Lease, or renew the one there is."""
        owner = OwnerReference(api_version="v1", kind="Node", name=node.name, uid=node.uid)
        metadata = ObjectMeta(name=node.name, namespace=labels.NAMESPACE_NODE_LEASE, owner_references=[owner])
        lease = self._renewed(Lease(metadata=metadata, spec=LeaseSpec()), node.name, interval)
        try:
            return await self._client.create(lease)
        except StatusError as error:
            if not is_already_exists(error):
                raise
        present = await self._client.get(Lease, node.name, labels.NAMESPACE_NODE_LEASE)
        return await self._client.update(self._renewed(present, node.name, interval))

    async def _report(self, node: SimulatedNode) -> None:
        if (current := self._current(node)) is None:
            return
        delay = self._config.report
        changed = msgspec.structs.replace(current, status=beat(current, self._clock.now().replace(microsecond=0)))
        try:
            await self._client.update(changed, subresource="status")
        except StatusError as error:
            if not is_not_found(error):
                delay = min(1.0, delay)
            if not is_conflict(error):
                log.info("cannot update the status of node %s: %s", node.name, error)
        self._reports.add(delay, node)
