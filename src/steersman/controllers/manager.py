"""Runs the controllers of the table."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
from collections.abc import AsyncIterator

from steersman.client.client import Client
from steersman.client.informer import InformerFactory
from steersman.client.leader_election import lead
from steersman.client.local import LocalClient
from steersman.client.workqueue import WorkQueue

from .config import ControllerManagerConfig
from .kit import Controller, ControllerContext
from .table import TABLE

__all__ = ["ControllerManager", "ControllerManagerConfig"]

log = logging.getLogger(__name__)

LEASE = "kube-controller-manager"
MAX_BACKOFF = 30.0


def enabled(name: str, choice: tuple[str, ...]) -> bool:
    """Whether a list such as ``("*", "-ttl-controller")`` chooses a controller; a name counts before ``*``."""
    if name in choice:
        return True
    return "*" in choice and f"-{name}" not in choice


class ControllerManager:
    """The controllers as one component.  ``ready`` is set once the informers of all have synced."""

    def __init__(self, config: ControllerManagerConfig, client: Client) -> None:
        self.config = config
        self.ready = asyncio.Event()
        self._client = client
        self._started: dict[str, asyncio.Event] = {}
        self._controllers: dict[str, Controller] = {}

    def queues(self) -> list[WorkQueue[str]]:
        """Those of the controllers that run."""
        return [controller.queue for controller in list(self._controllers.values())]

    async def run(self) -> None:
        """Run the controllers until cancelled; with leader election, while the lease is held, over and over."""
        if not self.config.leader_elect:
            await self._run()
            return
        identity = self.config.identity or f"{socket.gethostname()}_{secrets.token_hex(8)}"
        await lead(self._client, LEASE, identity, self._run)

    async def _run(self) -> None:
        informers = InformerFactory(self._client)
        context = ControllerContext(self._client, informers, self.config)
        try:
            async with asyncio.TaskGroup() as group:
                chosen = [kind for kind in TABLE if enabled(kind.name, self.config.controllers)]
                self._started = {kind.name: asyncio.Event() for kind in chosen}
                for kind in chosen:
                    group.create_task(self._supervise(kind, context), name=kind.name)
                group.create_task(informers.run(), name="informers")
                for started in self._started.values():
                    await started.wait()  # the controllers have asked for their informers
                await informers.synced()
                self.ready.set()
        finally:
            self.ready.clear()
            self._controllers.clear()

    @contextlib.asynccontextmanager
    async def _identity(self, kind: type[Controller]) -> AsyncIterator[Client]:
        """The client a controller shall use.  One in the server's process is past authorization and shared."""
        if self.config.use_service_account_credentials and not isinstance(self._client, LocalClient):
            # The HTTP client costs 10 MiB: only who needs it pays.
            from steersman.client.http import HTTPClient

            from .credentials import service_account_client

            if isinstance(self._client, HTTPClient):
                async with service_account_client(self._client, kind.service_account or kind.name) as client:
                    yield client
                return
        yield self._client

    async def _supervise(self, kind: type[Controller], context: ControllerContext) -> None:
        """Run a controller; when it fails as a whole, run a new one after a while."""
        backoff = 1.0
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            try:
                async with self._identity(kind) as client:
                    own = ControllerContext(client, context.informers, context.config, clock=context.clock)
                    self._controllers[kind.name] = controller = kind(own)
                    self._started[kind.name].set()
                    await controller.run()
                log.error("%s ended", kind.name)
            except Exception:
                log.exception("%s failed", kind.name)
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise  # it failed at ending: a new one would never end
            backoff = 1.0 if loop.time() - started > 2 * MAX_BACKOFF else min(backoff * 2, MAX_BACKOFF)
            await asyncio.sleep(backoff)
