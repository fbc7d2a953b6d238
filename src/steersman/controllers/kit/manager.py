"""Runs controllers: shared informers, a new controller for one that failed, leader election around all of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from typing import Any

from steersman.api.clock import SYSTEM, Clock
from steersman.client.client import Client
from steersman.client.informer import InformerFactory
from steersman.client.leader_election import lead
from steersman.client.workqueue import WorkQueue
from steersman.controllers.config import ControllerManagerConfig

from .controller import Controller, ControllerContext

log = logging.getLogger(__name__)

MIN_BACKOFF = 2.0
MAX_BACKOFF = 30.0
"""Seconds before a controller that failed as a whole is made anew."""

MakeController = Callable[[ControllerContext], Controller]
"""A controller's type, or whatever makes a new one."""


class Manager:
    """Controllers as one component.  ``ready`` is set while they work, once the informers of all have synced.

    With a ``leader_election_id``, the name of a Lease, they work only while that is held.
    """

    def __init__(
        self,
        client: Client,
        controllers: Sequence[MakeController],
        *,
        leader_election_id: str = "",
        leader_election_namespace: str = "kube-system",
        identity: str = "",
        config: ControllerManagerConfig | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        self.ready = asyncio.Event()
        self._client = client
        self._makers = tuple(controllers)
        self._lease = leader_election_id
        self._lease_namespace = leader_election_namespace
        self._identity = identity
        self._settings = config or ControllerManagerConfig()
        self._clock = clock
        self._controllers: dict[int, Controller] = {}
        self._informers: InformerFactory | None = None

    def queues(self) -> list[WorkQueue[str]]:
        """Those of the controllers that run."""
        return [controller.queue for controller in list(self._controllers.values())]

    def unfinished(self, soon: float = 0.0) -> Iterator[str]:
        """What the controllers are doing, and will be within ``soon`` seconds."""
        if self._informers is not None:
            yield from self._informers.unfinished()
        for controller in self._controllers.values():
            yield from controller.unfinished(soon)

    def hurry(self, within: float) -> list[str]:
        """Let the controllers do at once what failed, and look at what they would look at within so many seconds."""
        informers = self._informers.hurry() if self._informers is not None else []
        events = [what for controller in list(self._controllers.values()) for what in controller.recorder.hurry()]
        return [
            *(f"{queue.name}: {key}" for queue in self.queues() for key in queue.hurry(within)),
            *events,
            *informers,
        ]

    def pause(self, paused: bool) -> None:
        """Let the controllers begin nothing, or go on."""
        for queue in self.queues():
            queue.pause(paused)

    async def run(self) -> None:
        """Run the controllers until cancelled; with leader election, while the lease is held, over and over."""
        if not self._lease:
            await self._run()
            return
        identity = self._identity or f"{socket.gethostname()}_{secrets.token_hex(8)}"
        await lead(self._client, self._lease, identity, self._run, namespace=self._lease_namespace, clock=self._clock)

    async def _run(self) -> None:
        self._informers = informers = InformerFactory(self._client, clock=self._clock)
        started = [asyncio.Event() for _ in self._makers]
        try:
            async with asyncio.TaskGroup() as group:
                for number, make in enumerate(self._makers):
                    work = self._supervise(number, make, informers, started[number])
                    group.create_task(work, name=_name(make))
                group.create_task(informers.run(), name="informers")
                for each in started:
                    await each.wait()  # the controllers have asked for their informers
                await informers.synced()
                self.ready.set()
        finally:
            self.ready.clear()
            self._controllers.clear()
            self._informers = None

    @contextlib.asynccontextmanager
    async def client_for(self, make: MakeController) -> AsyncIterator[Client]:
        """The client that a controller shall write by."""
        yield self._client

    async def _supervise(
        self, number: int, make: MakeController, informers: InformerFactory, started: asyncio.Event
    ) -> None:
        """Run a controller; when it fails as a whole, run a new one after a while."""
        backoff = MIN_BACKOFF
        while True:
            begun = self._clock.monotonic()
            try:
                async with self.client_for(make) as client:
                    self._controllers[number] = controller = make(
                        ControllerContext(client, informers, self._settings, clock=self._clock)
                    )
                    started.set()
                    # A task of its own: a group that fails leaves the task that waits for it counted as cancelled.
                    await asyncio.create_task(controller.run(), name=f"{_name(make)} run")
                log.error("%s ended", _name(make))
            except Exception:
                log.exception("%s failed", _name(make))
                if (task := asyncio.current_task()) is not None and task.cancelling():
                    raise  # it failed at ending: a new one would never end
            if self._clock.monotonic() - begun > 2 * MAX_BACKOFF:
                backoff = MIN_BACKOFF
            await self._clock.sleep(backoff)
            backoff = min(backoff * 2, MAX_BACKOFF)


def _name(make: MakeController) -> str:
    return str(getattr(make, "name", "") or getattr(make, "__name__", "controller"))


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a program until it ends, or SIGTERM or SIGINT cancels it, which lets it give its lease back."""

    async def until_signalled() -> None:
        task = asyncio.ensure_future(main)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(until_signalled())
