"""A control plane of which nothing is outside of this process, on a clock that stands until it is turned."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

from steersman.api.user import User
from steersman.apiserver.config import ApiServerConfig
from steersman.apiserver.server import ApiServer
from steersman.client.client import Client
from steersman.controllers.config import ControllerManagerConfig
from steersman.controllers.manager import ControllerManager
from steersman.scheduler.scheduler import Scheduler, SchedulerConfig
from steersman.simulation import SimulatedNodes, SimulationConfig
from steersman.storage.memory import MemoryStore
from steersman.testing.settling import Settling
from steersman.testing.turnable_clock import TurnableClock

START = datetime(2026, 1, 1, tzinfo=UTC)

USER = User("system:steersman", ("system:masters", "system:authenticated"))

CONTROLLERS = (
    "serviceaccount-controller",
    "namespace-controller",
    "deployment-controller",
    "replicaset-controller",
    "node-lifecycle-controller",
    "taint-eviction-controller",
    "pod-garbage-collector-controller",
)
"""Those that bear upon which pods there are, and where."""

GRAIN = 0.5
PATIENCE = 300.0
"""Real seconds within which the cluster must come to rest after each of its timers: more than it ever needs."""

LONGEST_RENEWAL = 40.0
"""A node is given up after 50 s of silence: its lease must be renewed before that."""

REPORT = 3600.0


def renewal(nodes: int) -> float:
    """Seconds between renewals of a node's Lease: the kubelet's 10 s up to 250 nodes, more seldom with more."""
    return min(LONGEST_RENEWAL, max(10.0, nodes / 25))


class World:
    """What a simulation works with."""

    def __init__(self, clock: TurnableClock, client: Client, store: MemoryStore) -> None:
        self.clock = clock
        self.client = client
        self._store = store
        self._forgotten = 0

    @property
    def revision(self) -> int:
        """How far the store is."""
        return self._store.current_revision

    async def forget(self) -> None:
        """Let go of what the store remembers of the past."""
        revision = self._store.current_revision
        if revision > self._forgotten:
            await self._store.compact(revision)
            self._forgotten = revision


@contextlib.asynccontextmanager
async def world(nodes: int, rng: random.Random) -> AsyncIterator[World]:
    """A cluster for about so many nodes, without any yet."""
    clock = TurnableClock(START, frozen=True, grain=GRAIN)
    store = MemoryStore()
    server = ApiServer(ApiServerConfig(pki_directory=None), store, clock=clock)
    config = ControllerManagerConfig(controllers=CONTROLLERS, allocate_node_cidrs=False)
    controllers = ControllerManager(config, server.local_client(USER), clock=clock)
    scheduler = Scheduler(SchedulerConfig(), server.local_client(USER), rng=rng, clock=clock)
    simulation = SimulationConfig(renewal=renewal(nodes), report=REPORT)
    simulated = SimulatedNodes(simulation, server.local_client(USER), clock=clock, rng=rng)
    settling = Settling(
        lambda: (simulated, scheduler, controllers, server, store), lambda: store.current_revision, clock
    )
    clock.settle = lambda: settling.wait(PATIENCE)
    try:
        async with (
            _running(server.run, server.ready),
            _running(controllers.run, controllers.ready),
            _running(scheduler.run, scheduler.ready),
            _running(simulated.run, simulated.ready),
        ):
            yield World(clock, server.local_client(USER), store)
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def _running(run: Callable[[], Coroutine[Any, Any, None]], ready: asyncio.Event) -> AsyncIterator[None]:
    """A component while the block lasts; what it raises ends the block."""
    async with asyncio.TaskGroup() as group:
        task = group.create_task(run(), name=getattr(run, "__qualname__", "component"))
        await ready.wait()
        try:
            yield
        finally:
            task.cancel()
