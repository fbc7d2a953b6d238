"""The parts of a cluster inside a test, on one event loop: store, API server, controllers, scheduler, nodes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakSet

import msgspec

from steersman.api.clock import Clock
from steersman.api.errors import StatusError
from steersman.api.user import User
from steersman.apiserver.config import ApiServerConfig
from steersman.apiserver.server import ApiServer
from steersman.client.client import Client
from steersman.client.elsewhere import ElsewhereClient
from steersman.client.kubeconfig import ClientConfig
from steersman.controllers.config import ControllerManagerConfig
from steersman.controllers.manager import ControllerManager, enabled
from steersman.simulation import SimulatedNodes, SimulationConfig
from steersman.simulation.ownership import hold_for_good
from steersman.storage.compaction import AutoCompaction
from steersman.storage.embedded import EmbeddedStore
from steersman.storage.memory import MemoryStore

from .credentials import Credentials
from .fault_injection import FaultInjection
from .faulty_store import FaultyStore
from .open_scheme import OpenScheme
from .requests import Requests
from .settling import Part, Pausing, Retrying, Settling

if TYPE_CHECKING:
    from steersman.client.http import HTTPClient
    from steersman.scheduler.scheduler import Scheduler

HISTORY = 8 << 20
WATCHED_HISTORY = 2 << 20
"""Bytes of what was: of the store, which is in memory, and of each resource.  A run of many tests writes much."""

ADMIN = User("system:steersman", ("system:masters", "system:authenticated"))
"""On whose behalf the cluster looks after itself, past authorization."""

CONTROLLER_MANAGER = User("system:kube-controller-manager", ("system:authenticated", "system:masters"))
SCHEDULER = User("system:kube-scheduler", ("system:authenticated",))
NODES = User("system:nodes", ("system:authenticated", "system:nodes"))


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a cluster is made of; :class:`.cluster.Cluster` says what each means."""

    controllers: tuple[str, ...]
    scheduler: bool
    simulation: SimulationConfig
    store: Path | None
    """A directory for SQLite's files; memory where there is none."""
    clock: Clock
    port: int = 0
    """Of the loopback address; one that is free where it is 0."""


class _Over(Exception):
    """The parts are to be started again."""


class Composition:
    """Runs the parts until cancelled.  ``ready`` is set once the API server serves and everything else works.

    What was not asked for stays None, and is not imported.
    """

    def __init__(self, settings: Settings, credentials: Credentials) -> None:
        self.settings = settings
        self.credentials = credentials
        self.ready = asyncio.Event()
        self.controllers: ControllerManager | None = None
        self.scheduler: Scheduler | None = None
        self.nodes: SimulatedNodes | None = None
        self.settling = Settling(
            self.parts, lambda: self.store.current_revision, settings.clock, self._retrying, self._pausing
        )
        self.faults = FaultInjection(lambda: self.store, self.restart)
        self.requests = Requests(vocabulary=self.faults.vocabulary)
        self._store: EmbeddedStore | None = None
        self._server: ApiServer | None = None
        self._clients: WeakSet[HTTPClient] = WeakSet()
        self._inner: dict[tuple[ApiServer, str], Client] = {}
        self._over = asyncio.Event()
        self._down = 0.0

    @property
    def store(self) -> EmbeddedStore:
        """Where the objects are."""
        assert self._store is not None, "the cluster does not run"
        return self._store

    @property
    def server(self) -> ApiServer:
        """The API server."""
        assert self._server is not None, "the cluster does not run"
        return self._server

    def runs(self, controller: str) -> bool:
        """Whether one of upstream's controllers was asked for."""
        return enabled(controller, self.settings.controllers)

    def parts(self) -> Iterator[Part]:
        """Those that are there, the one likeliest to be busy first."""
        for part in (self.nodes, self.scheduler, self.controllers, self._server, self._store):
            if part is not None:
                yield part

    def _retrying(self) -> Iterator[Retrying]:
        for part in (self.nodes, self.scheduler, self.controllers, self._server):
            if part is not None:
                yield part

    def _pausing(self) -> Iterator[Pausing]:
        for part in (self.scheduler, self.controllers):
            if part is not None:
                yield part

    def client(self, user: User = ADMIN) -> Client:
        """A client in this process, past authorization; what other API servers serve through this one it has, too.

        It lives as long as the API server, and is the same for all who act as the same user.
        """

        def connect() -> Client:
            from steersman.client.http import HTTPClient

            config = self.credentials.admin
            return HTTPClient(msgspec.structs.replace(config, impersonate=user.name, impersonate_groups=user.groups))

        server = self.server
        if (server, user.name) not in self._inner:
            client = ElsewhereClient(server.local_client(user), server.elsewhere, connect)
            self._inner[server, user.name] = client
        return self._inner[server, user.name]

    def connect(self, config: ClientConfig) -> HTTPClient:
        """A client over HTTPS, for this loop."""
        from steersman.client.http import HTTPClient

        client = HTTPClient(config, OpenScheme(lambda: self.server.scheme))
        self._clients.add(client)
        return client

    async def restart(self, down: float = 0.0) -> None:
        """End everything but the store, and start it again after so many seconds, at the same port."""
        self.ready.clear()
        self._down = down
        self._over.set()
        await self.ready.wait()

    async def run(self) -> None:
        """Run everything; whatever part fails ends the others, and is raised."""
        self._store = store = await self._open()
        try:
            while True:
                await self._run(store)
                await asyncio.sleep(self._down)
        finally:
            for client in [*self._clients]:
                await client.close()
            await store.close()

    async def _run(self, store: EmbeddedStore) -> None:
        """Until it is to be started again."""
        self._over.clear()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(AutoCompaction(store, history_bytes=HISTORY).run(), name="compaction")
                await self._serve(group, store)
                await self._control(group)
                await self._schedule(group)
                await self._simulate(group)
                self.ready.set()
                await self._over.wait()
                raise _Over
        except* _Over:
            pass
        finally:
            for client in [*self._inner.values()]:
                await client.close()
            self._inner.clear()

    async def _open(self) -> EmbeddedStore:
        if self.settings.store is None:
            return MemoryStore()
        from steersman.storage.sqlite import SqliteStore

        return await SqliteStore.open(self.settings.store / "state.db")

    async def _serve(self, group: asyncio.TaskGroup, store: EmbeddedStore) -> None:
        port = self._server.port if self._server is not None else self.settings.port
        config = ApiServerConfig(
            bind_address="127.0.0.1",
            secure_port=port,
            pki_directory=self.credentials.pki,
            history_bytes=WATCHED_HISTORY,
        )
        failing = FaultyStore(store, self.faults.befalls)
        self._server = server = ApiServer(config, failing, clock=self.settings.clock)
        self.faults.attach(server, ADMIN)  # whom tests act as
        server.observers.append(self.requests.observe)
        group.create_task(server.run(), name="API server")
        await server.ready.wait()
        self.credentials.serve_at(server.port)

    async def _control(self, group: asyncio.TaskGroup) -> None:
        if not self.settings.controllers:
            return
        settings = ControllerManagerConfig(
            controllers=self.settings.controllers, root_ca=self.credentials.authority_pem
        )
        client, clock = self.client(CONTROLLER_MANAGER), self.settings.clock
        self.controllers = manager = ControllerManager(settings, client, clock=clock)
        group.create_task(manager.run(), name="controllers")
        await manager.ready.wait()

    async def _schedule(self, group: asyncio.TaskGroup) -> None:
        if not self.settings.scheduler:
            return
        from steersman.scheduler.scheduler import Scheduler, SchedulerConfig

        self.scheduler = scheduler = Scheduler(SchedulerConfig(), self.client(SCHEDULER), clock=self.settings.clock)
        group.create_task(scheduler.run(), name="scheduler")
        await scheduler.ready.wait()

    async def _simulate(self, group: asyncio.TaskGroup) -> None:
        """Nodes of others that are to be simulated are looked after, too, where there are none of the cluster's own."""
        client, clock = self.client(NODES), self.settings.clock
        with contextlib.suppress(StatusError):  # by a fault: who joins from outside while it lasts is not kept off
            await hold_for_good(client, self.settings.simulation.mark, "steersman-testing", clock)
        self.nodes = nodes = SimulatedNodes(self.settings.simulation, client, clock=clock)
        group.create_task(nodes.run(), name="nodes")
        await nodes.ready.wait()
