"""Reflectors: a resource's present objects, then its changes, in order and without end.

A :class:`Reflector` lists a resource and watches it from the list's resource version.  When the watch ends it resumes
from the last version it saw (bookmarks move that along); when that version is too old (410) it lists again.  What
becomes of the objects is its subclass's: an informer keeps them.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Iterator
from typing import Generic, TypeVar

from steersman.api.clock import SYSTEM, Clock
from steersman.api.errors import StatusError, is_too_large_resource_version
from steersman.api.scheme import Object, Resource

from .client import ALL, Client, EventType, ObjectList, Selectors, WatchEvent, Which
from .pause import Pause

log = logging.getLogger(__name__)

T = TypeVar("T", bound=Object)

SLICE = 100
"""After so many objects the event loop gets its turn."""

MIN_BACKOFF = 0.1
MAX_BACKOFF = 10.0


class Reflector(Generic[T]):
    """Follows one resource.  Run it as one task."""

    def __init__(
        self,
        client: Client,
        which: Which[T],
        namespace: str = "",
        selectors: Selectors = ALL,
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        self.resource: Resource[T] = which if isinstance(which, Resource) else client.scheme.for_type(which)
        self.resource_version = ""
        """The version up to which everything was handed over; empty before the first list."""
        self._client = client
        self._namespace = namespace
        self._selectors = selectors
        self._synced = asyncio.Event()
        self._following = False
        # A turned clock does not wait for the machine, and one that stands still never comes.
        self._pause = Pause(clock, SYSTEM)

    async def replace(self, objects: list[T]) -> None:
        """These are all there are now; let the event loop have its turn after every :data:`SLICE`."""
        raise NotImplementedError

    def change(self, type_: EventType, obj: T) -> None:
        """An object was added, modified or deleted."""
        raise NotImplementedError

    @property
    def has_synced(self) -> bool:
        """Whether the first list was handed over."""
        return self._synced.is_set()

    def unfinished(self) -> Iterator[str]:
        """Whether it lists; what a watch has not handed over yet, its client knows."""
        if not self._following and not self._pause.lasts:
            yield f"informer of {self.resource.qualified_name}: lists"

    def hurry(self) -> list[str]:
        """List or watch again at once where that failed; returns what that is.  It does not lengthen the next pause."""
        return [f"informer of {self.resource.qualified_name}"] if self._pause.end() else []

    async def synced(self) -> None:
        """Wait for the first list to be handed over."""
        await self._synced.wait()

    async def run(self) -> None:
        """List and watch until cancelled; failures of the server are waited out."""
        backoff = 0.0
        consistent = False
        while True:
            before = backoff
            try:
                if not self._synced.is_set() or consistent or not self.resource_version:
                    # After Expired the cache's own idea of "now" is needed: an empty version, not the one that is gone.
                    await self._relist("" if consistent else "0")
                    consistent = False
                started = asyncio.get_running_loop().time()
                await self._follow()
                # A watch that ended at once was not worth much: do not spin.
                backoff = 0.0 if asyncio.get_running_loop().time() - started > 1 else max(backoff, MIN_BACKOFF)
            except StatusError as error:
                if error.code == 410 or is_too_large_resource_version(error):
                    # The version is gone, or of a future that a restored store will not see.
                    consistent = True
                    backoff = max(backoff, MIN_BACKOFF) if backoff else 0.01
                    log.debug("watch of %s expired, listing again: %s", self.resource.qualified_name, error)
                else:
                    backoff = min(max(backoff * 2, MIN_BACKOFF), MAX_BACKOFF)
                    log.log(
                        logging.WARNING if backoff > 1 else logging.DEBUG,
                        "cannot list or watch %s: %s",
                        self.resource.qualified_name,
                        error,
                    )
            if backoff and await self._pause.is_ended_within(backoff * (1 + random.random())):
                backoff = before

    async def _list(self, resource_version: str) -> ObjectList[T]:
        return await self._client.list(
            self.resource, self._namespace, selectors=self._selectors, resource_version=resource_version
        )

    def _watch(self) -> AsyncIterator[WatchEvent[T]]:
        return self._client.watch(
            self.resource,
            self._namespace,
            selectors=self._selectors,
            resource_version=self.resource_version,
            bookmarks=True,
        )

    async def _relist(self, resource_version: str) -> None:
        page = await self._list(resource_version)
        await self.replace(page.items)
        self.resource_version = page.resource_version
        self._synced.set()

    async def _follow(self) -> None:
        stream = self._watch()
        handled = 0
        self._following = True
        try:
            async for type_, obj in stream:
                if type_ != "BOOKMARK":
                    self.change(type_, obj)
                # Only after the change was handed over: a crash between must see it again.
                if version := obj.metadata.resource_version:
                    self.resource_version = version
                handled += 1
                if handled % SLICE == 0:
                    await asyncio.sleep(0)
        finally:
            self._following = False
            if (close := getattr(stream, "aclose", None)) is not None:
                await close()
