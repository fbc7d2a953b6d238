"""Reading one stored resource: get, list and watch, answered by its watch cache."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from steersman.api.errors import StatusError, expired, internal_error, not_found, service_unavailable, too_large
from steersman.api.scheme import Resource
from steersman.api.types.meta_v1 import Status
from steersman.storage.store import Compacted, FutureRevision, NoSpace, StoreError, TooManyOperations, Unconvertible
from steersman.storage.watch_cache import CacheEvent, Entry, Index, Listing, RevisionTimeout, WatchCache

from . import paging
from .contract import ListOptions, Page, Subscription, WatchSink
from .heavy import HeavyWork, is_large
from .watching import Ended, Filter, Select, Selection, is_long

_SLICE = 128
"""After so many objects the event loop gets its turn."""

_PART = 256 * 1024
"""After so many bytes of a watch's initial state its client must have taken them."""

_PAGE = 500
"""So many objects are read from the store at once."""


class CannotConvert(StatusError):
    """Some object cannot be had in the version that was asked for."""

    def __init__(self, message: str) -> None:
        super().__init__(Status(status="Failure", code=500, message=message))


def unavailable(error: StoreError) -> StatusError:
    """What a client is told of a fault of the store."""
    if isinstance(error, Unconvertible):
        return CannotConvert(str(error))
    if isinstance(error, NoSpace):
        return internal_error(f"the store has no space left, and nothing was written: {error}")
    if isinstance(error, TooManyOperations):
        return too_large(str(error))
    return service_unavailable(f"the store cannot serve now: {error}")


class Reader:
    """Reads; ``start`` fills the cache where nobody has asked for it yet, and returns when it is filled."""

    def __init__(
        self,
        resource: Resource[Any],
        cache: WatchCache[Any],
        indexes: Mapping[str, Index],
        start: Callable[[Reader], Awaitable[None]],
        heavy: HeavyWork | None = None,
    ) -> None:
        self.resource = resource
        self.cache = cache
        self.decode: Callable[[bytes], Any] = resource.decode
        self._indexes = indexes
        self._start = start
        self._heavy = heavy or HeavyWork()

    patience = 3.0
    """Seconds that a request waits for the cache to reach a version."""

    promptness: float | None = None
    """Seconds after which what is asked for one object waits no longer for a cache that may take long to fill."""

    async def ready(self) -> None:
        """Wait until the cache is filled; the first caller starts it."""
        if not self.cache.ready.is_set():
            await self._start(self)

    async def consistent(self, revision: int = 0) -> None:
        """Wait until the cache has reached a revision, or (0) all that was acknowledged before this call."""
        try:
            if revision:
                await self.cache.wait_until(revision, self.patience)
            else:
                await self.cache.consistent(self.patience)
        except RevisionTimeout as error:
            raise paging.too_large(error.revision, error.current) from error
        except StoreError as error:
            raise unavailable(error) from error

    async def get(self, namespace: str, name: str, *, resource_version: str = "") -> Entry[Any]:
        """One object: the newest, any (``0``), or one not older than a version."""
        entry = await self._lookup(self.resource.key(namespace, name), partial(self._reached, resource_version))
        if entry is None:
            raise not_found(self.resource.name, name, self.resource.group)
        return entry

    async def _reached(self, resource_version: str) -> None:
        await self.ready()
        if not resource_version:
            await self.consistent()
        elif version := paging.parse_version(resource_version):
            await self.consistent(version)

    async def _lookup(self, key: str, reached: Callable[[], Awaitable[None]]) -> Entry[Any] | None:
        """What the cache has then; what the store has where other objects keep the cache from getting there."""
        if self.promptness is None:
            await reached()
            return self.cache.get(key)
        try:
            async with asyncio.timeout(self.promptness):
                await reached()
        except (CannotConvert, TimeoutError):
            return await self._fetch(key)
        return self.cache.get(key)

    async def _fetch(self, key: str) -> Entry[Any] | None:
        """What the store has, whatever the cache may know."""
        try:
            return await self.cache.fetch(key)
        except StoreError as error:
            raise unavailable(error) from error

    async def _object(self, entry: Entry[Any]) -> Any:
        """The object of an entry, which is decoded elsewhere where that takes long."""
        if entry.peek() is None and is_large(entry.raw):
            entry.keep(await self._heavy.do(entry.decoded))
        return entry.object

    async def _selection(self, options: ListOptions) -> Selection:
        """What is selected; long selectors are read elsewhere."""

        def read() -> Selection:
            return Selection(self.resource, options.label_selector, options.field_selector)

        return await self._heavy.do(read) if is_long(options) else read()

    async def list(self, namespace: str, options: ListOptions) -> Page:
        """A page of the collection that the selectors choose."""
        await self.ready()
        selection = await self._selection(options)
        prefix = self.resource.key(namespace)
        plan = paging.plan_list(options, prefix)
        await self._reach(plan)
        exact = plan.revision if plan.mode == "exact" else 0
        try:
            listing, more = await self._choose(
                selection, selection.scope(namespace), plan.start, max(options.limit, 0), exact
            )
        except Compacted as error:
            if options.continue_:
                raise paging.continue_expired(prefix, plan.start) from error
            raise expired("The resourceVersion for the provided list is too old.") from error
        except FutureRevision as error:
            raise paging.too_large(plan.revision, self.cache.revision, retry_after_seconds=None) from error
        except StoreError as error:
            raise unavailable(error) from error
        token = paging.encode_continue(listing.revision, prefix, listing.entries[-1].key) if more else ""
        remaining = listing.remaining if more and selection.select is None else None
        return Page(listing.entries, str(listing.revision), token, remaining)

    async def _reach(self, plan: paging.ReadPlan) -> None:
        """Wait until the cache can answer."""
        match plan.mode:
            case "latest":
                await self.consistent()
            case "not-older":
                await self.consistent(plan.revision)
            case "exact" if plan.revision > self.cache.revision:
                await self.consistent()
                if plan.revision > self.cache.revision:
                    raise paging.too_large(plan.revision, self.cache.revision, retry_after_seconds=None)

    async def _choose(
        self, selection: Selection, scope: str, start: str, limit: int, revision: int
    ) -> tuple[Listing[Any], bool]:
        """A page, and whether more follows.  As upstream's, a page may end where nothing more will be chosen."""
        select = selection.scan
        if select is None:
            listing = await self._read(scope, start, limit, revision)
            return listing, bool(listing.remaining)
        index, pace = self._index(selection), max(1, _SLICE // selection.labour)
        chosen: list[Entry[Any]] = []
        while True:
            listing = await self._read(scope, start, 0, revision, index)
            for number, entry in enumerate(listing.entries, 1):
                if select(entry):
                    chosen.append(entry)
                    if len(chosen) == limit:
                        more = bool(listing.remaining) or number < len(listing.entries)
                        return Listing(chosen, listing.revision), more
                if number % pace == 0:
                    await asyncio.sleep(0)
            if not listing.remaining:
                return Listing(chosen, listing.revision), False
            start = listing.entries[-1].key + "\0"

    async def _read(
        self, scope: str, start: str, limit: int, revision: int, index: tuple[str, str] | None = None
    ) -> Listing[Any]:
        if not revision or self.cache.recalls(revision):
            return self.cache.list(scope, start=start, limit=limit, revision=revision, index=index)
        return await self.cache.list_past(scope, start=start, limit=limit or _PAGE, revision=revision)

    def _index(self, selection: Selection) -> tuple[str, str] | None:
        for name in self._indexes:
            if (value := selection.fields.required_value(name)) is not None:
                return name, value
        return None

    async def watch(self, namespace: str, options: ListOptions, sink: WatchSink) -> Subscription:
        """Deliver the present state where it was asked for, then every change."""
        await self.ready()
        plan = paging.plan_watch(options)
        selection = await self._selection(options)
        filtered = Filter(sink, selection.select, self.decode, bookmarks=options.allow_watch_bookmarks)
        scope, index = selection.scope(namespace), self._index(selection)
        try:
            if plan.revision is None or (plan.initial and plan.revision):
                await self.consistent(plan.revision or 0)
        except StatusError as error:
            sink.end(error.status)
            return Ended()
        version = plan.revision or self.cache.revision
        if plan.initial:
            listing = self.cache.list(scope, index=index)
            version = listing.revision
            await self._deliver(listing.entries, selection.scan, sink, max(1, _SLICE // selection.labour))
            if options.allow_watch_bookmarks:
                # MUST come before what subscribing replays: a version is never followed by an older one.
                sink.bookmark(version, initial_events_end=True)
        try:
            return await self.cache.subscribe_gently(
                scope,
                version,
                sink.event if selection.select is None else filtered.event,
                on_progress=filtered.progress,
                on_end=filtered.end,
                index=index,
                pause=sink.drain,
            )
        except Compacted:
            sink.end(paging.too_old(version, self.cache.oldest_revision).status)
            return Ended()

    @staticmethod
    async def _deliver(entries: Sequence[Entry[Any]], select: Select | None, sink: WatchSink, pace: int) -> None:
        """Send the state of a moment, in parts no larger than a client must be able to take."""
        size = 0
        for number, entry in enumerate(entries, 1):
            if select is None or select(entry):
                sink.event(CacheEvent("ADDED", entry.revision, entry, None))
                size += len(entry.raw)
            if number % pace == 0 or size > _PART:
                size = 0
                await sink.drain()
