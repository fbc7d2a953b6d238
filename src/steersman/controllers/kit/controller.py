"""Informers → keys → queue → workers → ``reconcile(key)``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from steersman.api.clock import SYSTEM, Clock
from steersman.api.errors import StatusError, is_already_exists, is_conflict, is_not_found
from steersman.api.scheme import Object, Resource
from steersman.api.time import now
from steersman.client.client import ALL, Client, Selectors, Which
from steersman.client.events import EventRecorder
from steersman.client.informer import Informer, InformerFactory, Registration
from steersman.client.workqueue import ShutDown, WorkQueue
from steersman.controllers.config import ControllerManagerConfig

from .ownership import owner_key

log = logging.getLogger(__name__)

T = TypeVar("T", bound=Object)


class ControllerContext:
    """What controllers share: the client, the informers, upstream's settings for its own controllers, the clock."""

    def __init__(
        self,
        client: Client,
        informers: InformerFactory,
        config: ControllerManagerConfig | None = None,
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        self.config = config or ControllerManagerConfig()
        self.client = client
        self.informers = informers
        self.clock = clock

    def now(self) -> datetime:
        """The instant by the clock, with the resolution of the API's ``Time``."""
        return now(self.clock)


class Controller:
    """A control loop.  An instance is run once; after a failure a new one takes over.

    What is private here has two underscores, so that no subclass meets it by chance.
    """

    name: ClassVar[str]
    """Upstream's name of the controller."""

    component: ClassVar[str] = ""
    """Who its events say they come from; the name where empty."""

    service_account: ClassVar[str] = ""
    """The account in ``kube-system`` whose role it has; the name where empty."""

    workers: ClassVar[int] = 5
    """How many keys are worked on at a time."""

    def __init__(self, context: ControllerContext) -> None:
        self.context = context
        self.client = context.client
        self.queue: WorkQueue[str] = WorkQueue(self.name, clock=context.clock)
        self.recorder = EventRecorder(context.client, self.component or self.name, clock=context.clock)
        self.errors = 0
        """How often ``reconcile`` raised."""
        self.__watched: list[Informer[Any]] = []
        self.registrations: list[Registration] = []
        """The handlers that end with this controller."""

    def watch(
        self,
        which: Which[T],
        keys: Callable[[T], Iterable[str]] | None = None,
        *,
        namespace: str = "",
        selectors: Selectors = ALL,
    ) -> Informer[T]:
        """Share an informer; each changed object (its old state too) adds its ``keys`` to the queue."""
        informer = self.context.informers.informer(which, namespace, selectors)
        if keys is None:
            return self.listen(informer)

        def changed(obj: T) -> None:
            for key in keys(obj):
                self.queue.add(key)

        def updated(old: T, new: T) -> None:
            for key in {*keys(old), *keys(new)}:
                self.queue.add(key)

        return self.listen(informer, changed, updated, changed)

    def watch_owned(
        self, which: Which[T], owner: Which[Any], *, namespace: str = "", selectors: Selectors = ALL
    ) -> Informer[T]:
        """Like :meth:`watch`: each changed object adds the key of the ``owner`` that controls it, if one does."""
        resource = owner if isinstance(owner, Resource) else self.client.scheme.for_type(owner)
        return self.watch(which, owner_key(resource), namespace=namespace, selectors=selectors)

    def listen(
        self,
        informer: Informer[T],
        on_add: Callable[[T], None] | None = None,
        on_update: Callable[[T, T], None] | None = None,
        on_delete: Callable[[T], None] | None = None,
    ) -> Informer[T]:
        """Depend on an informer, with handlers that last as long as this controller."""
        self.__watched.append(informer)
        self.registrations.append(informer.add_handler(on_add, on_update, on_delete))
        return informer

    async def reconcile(self, key: str) -> float | None:
        """Bring the world one step closer to what is wanted; after how many seconds to look again, if at all."""
        raise NotImplementedError

    def unfinished(self, soon: float = 0.0) -> Iterator[str]:
        """What it is doing, and will be within ``soon`` seconds; the manager hurries and pauses its queue."""
        yield from self.queue.unfinished(soon)
        yield from self.recorder.unfinished()

    async def background(self) -> None:
        """Work beside the workers, for controllers that look at everything from time to time."""

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.recorder.run(), name=f"{self.name} events")
                for informer in self.__watched:
                    await informer.synced()
                for number in range(self.workers):
                    group.create_task(self.__work(), name=f"{self.name} worker {number}")
                group.create_task(self.background(), name=f"{self.name} background")
        finally:
            self.queue.shut_down()
            for registration in self.registrations:
                registration.remove()

    async def __work(self) -> None:
        while True:
            try:
                key = await self.queue.get()
            except ShutDown:
                return
            try:
                again = await self.reconcile(key)
            except Exception as error:  # whatever it is: this key is tried again, the others go on
                self.errors += 1
                self.__report(key, error)
                self.queue.add_rate_limited(key)
            else:
                self.queue.forget(key)
                if again is not None:
                    self.queue.add_after(key, again)
            finally:
                self.queue.done(key)

    def __report(self, key: str, error: Exception) -> None:
        if is_conflict(error) or is_already_exists(error) or is_not_found(error):
            log.debug("%s: %s: %s", self.name, key, error)
        elif isinstance(error, StatusError):
            log.warning("%s: %s: %s", self.name, key, error)
        elif isinstance(error, ExceptionGroup):
            for nested in error.exceptions:
                self.__report(key, nested)
        else:
            log.error("%s: %s failed", self.name, key, exc_info=error)
