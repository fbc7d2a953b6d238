"""The parts of a cluster inside a test, on one event loop: store, API server, controllers, scheduler, nodes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from steersman.api.clock import SYSTEM, Clock
from steersman.api.user import User
from steersman.apiserver.config import ApiServerConfig
from steersman.apiserver.server import ApiServer
from steersman.client.client import Client
from steersman.client.elsewhere import ElsewhereClient
from steersman.client.http import HTTPClient
from steersman.client.kubeconfig import ClientConfig
from steersman.controllers.config import ControllerManagerConfig
from steersman.controllers.kit import Manager
from steersman.controllers.manager import ControllerManager, enabled
from steersman.storage.datastore import open_store
from steersman.storage.store import Store

from .credentials import Credentials
from .open_scheme import OpenScheme
from .pods import SimulatedKubelet

C = TypeVar("C", bound=Client)

ADMIN = User("system:steersman", ("system:masters", "system:authenticated"))
"""On whose behalf the cluster looks after itself, past authorization."""

CONTROLLER_MANAGER = User("system:kube-controller-manager", ("system:authenticated", "system:masters"))


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What a cluster is made of; :class:`.cluster.Cluster` says what each means."""

    controllers: Sequence[str] = ("*",)
    scheduler: bool = True
    nodes: int = 1
    store: str | Path = "memory"
    clock: Clock = SYSTEM


class Composition:
    """Runs the parts until cancelled.  ``ready`` is set once the API server serves and everything else works.

    What was not asked for stays None.
    """

    def __init__(self, settings: Settings, credentials: Credentials) -> None:
        self.settings = settings
        self.credentials = credentials
        self.ready = asyncio.Event()
        self.controllers: ControllerManager | None = None
        self.nodes: Manager | None = None
        self._store: Store | None = None
        self._server: ApiServer | None = None
        self._clients: list[Client] = []

    @property
    def store(self) -> Store:
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
        return enabled(controller, tuple(self.settings.controllers))

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
        kind, directory = ("sqlite", self.settings.store) if self.settings.store != "memory" else ("memory", "")
        self._store = store = await open_store(kind, directory)
        try:
            async with asyncio.TaskGroup() as group:
                await self._serve(group, store)
                await self._control(group)
                await self._simulate(group)
                self.ready.set()
        finally:
            for client in self._clients:
                await client.close()
            await store.close()

    async def _serve(self, group: asyncio.TaskGroup, store: Store) -> None:
        config = ApiServerConfig(bind_address="127.0.0.1", secure_port=0, pki_directory=self.credentials.pki)
        self._server = server = ApiServer(config, store)
        group.create_task(server.run(), name="API server")
        await server.ready.wait()
        self.credentials.serve_at(server.port)

    async def _control(self, group: asyncio.TaskGroup) -> None:
        if not self.settings.controllers:
            return
        settings = ControllerManagerConfig(
            controllers=tuple(self.settings.controllers), root_ca=self.credentials.authority_pem
        )
        self.controllers = manager = ControllerManager(settings, self.client(CONTROLLER_MANAGER))
        group.create_task(manager.run(), name="controllers")
        await manager.ready.wait()

    async def _simulate(self, group: asyncio.TaskGroup) -> None:
        if not self.settings.nodes:
            return
        self.nodes = nodes = Manager(self.client(), [SimulatedKubelet])
        group.create_task(nodes.run(), name="nodes")
        await nodes.ready.wait()
