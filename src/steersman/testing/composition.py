"""The parts of a cluster inside a test, on one event loop: store, API server, controllers, scheduler, nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from steersman.api.clock import Clock
from steersman.api.user import User
from steersman.apiserver.config import ApiServerConfig
from steersman.apiserver.server import ApiServer
from steersman.client.client import Client
from steersman.client.elsewhere import ElsewhereClient
from steersman.client.http import HTTPClient
from steersman.client.kubeconfig import ClientConfig
from steersman.controllers.config import ControllerManagerConfig
from steersman.controllers.manager import ControllerManager, enabled
from steersman.scheduler.scheduler import Scheduler, SchedulerConfig
from steersman.simulation import SimulatedNodes, SimulationConfig
from steersman.storage.embedded import EmbeddedStore
from steersman.storage.memory import MemoryStore

from .credentials import Credentials
from .open_scheme import OpenScheme
from .requests import Requests
from .settling import Part, Settling

C = TypeVar("C", bound=Client)

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


class Composition:
    """Runs the parts until cancelled.  ``ready`` is set once the API server serves and everything else works.

    What was not asked for stays None.
    """

    def __init__(self, settings: Settings, credentials: Credentials) -> None:
        self.settings = settings
        self.credentials = credentials
        self.ready = asyncio.Event()
        self.controllers: ControllerManager | None = None
        self.scheduler: Scheduler | None = None
        self.nodes: SimulatedNodes | None = None
        self.settling = Settling(self.parts, lambda: self.store.current_revision, settings.clock)
        self.requests = Requests()
        self._store: EmbeddedStore | None = None
        self._server: ApiServer | None = None
        self._clients: list[Client] = []

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

    def client(self, user: User = ADMIN) -> Client:
        """A client in this process, past authorization; what other API servers serve through this one it has, too."""

        def connect() -> Client:
            config = self.credentials.admin
            return HTTPClient(msgspec.structs.replace(config, impersonate=user.name, impersonate_groups=user.groups))

        return self._kept(ElsewhereClient(self.server.local_client(user), self.server.elsewhere, connect))

    def connect(self, config: ClientConfig) -> HTTPClient:
        """A client over HTTPS, for this loop."""
        return self._kept(HTTPClient(config, OpenScheme(lambda: self.server.scheme)))

    def _kept(self, client: C) -> C:
        self._clients.append(client)
        return client

    async def run(self) -> None:
        """Run everything; whatever part fails ends the others, and is raised."""
        self._store = store = await self._open()
        try:
            async with asyncio.TaskGroup() as group:
                await self._serve(group, store)
                await self._control(group)
                await self._schedule(group)
                await self._simulate(group)
                self.ready.set()
        finally:
            for client in self._clients:
                await client.close()
            await store.close()

    async def _open(self) -> EmbeddedStore:
        if self.settings.store is None:
            return MemoryStore()
        from steersman.storage.sqlite import SqliteStore

        return await SqliteStore.open(self.settings.store / "state.db")

    async def _serve(self, group: asyncio.TaskGroup, store: EmbeddedStore) -> None:
        config = ApiServerConfig(bind_address="127.0.0.1", secure_port=0, pki_directory=self.credentials.pki)
        self._server = server = ApiServer(config, store, clock=self.settings.clock)
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
        self.scheduler = scheduler = Scheduler(SchedulerConfig(), self.client(SCHEDULER), clock=self.settings.clock)
        group.create_task(scheduler.run(), name="scheduler")
        await scheduler.ready.wait()

    async def _simulate(self, group: asyncio.TaskGroup) -> None:
        """Nodes of others that are to be simulated are looked after, too, where there are none of the cluster's own."""
        self.nodes = nodes = SimulatedNodes(self.settings.simulation, self.client(NODES), clock=self.settings.clock)
        group.create_task(nodes.run(), name="nodes")
        await nodes.ready.wait()
