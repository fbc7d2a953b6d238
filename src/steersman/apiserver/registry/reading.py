"""Reading one stored resource: get, list and watch, answered by its watch cache."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from steersman.api.errors import StatusError, expired, internal_error, not_found, service_unavailable
from steersman.api.scheme import Resource
from steersman.storage.store import Compacted, FutureRevision, NoSpace, StoreError
from steersman.storage.watch_cache import CacheEvent, Entry, Index, Listing, RevisionTimeout, WatchCache

from . import paging
from .contract import ListOptions, Page, Subscription, WatchSink
from .watching import Ended, Filter, Selection

_SLICE = 256
"""After so many objects the event loop gets its turn."""


def unavailable(error: StoreError) -> StatusError:
    """What a client is told of a fault of the store."""
    if isinstance(error, NoSpace):
        return internal_error(f"the store has no space left, and nothing was written: {error}")
    return service_unavailable(f"the store cannot serve now: {error}")


class Reader:
    """Reads; ``start`` fills the cache where nobody has asked for it yet, and returns when it is filled."""

    def __init__(
        self,
        resource: Resource[Any],
        cache: WatchCache[Any],
        indexes: Mapping[str, Index],
        start: Callable[[Reader], Awaitable[None]],
    ) -> None:
        self.resource = resource
        self.cache = cache
        self.decode: Callable[[bytes], Any] = resource.decoder.decode
        self._indexes = indexes
        self._start = start

    async def ready(self) -> None:
        """Wait until the cache is filled; the first caller starts it."""
        if not self.cache.ready.is_set():
            await self._start(self)

    async def consistent(self, revision: int = 0) -> None:
        """Wait until the cache has reached a revision, or (0) all that was acknowledged before this call."""
        try:
            if revision:
                await self.cache.wait_until(revision)
            else:
                await self.cache.consistent()
        except RevisionTimeout as error:
            raise paging.too_large(error.revision, error.current) from error
        except StoreError as error:
            raise unavailable(error) from error

    async def get(self, namespace: str, name: str, *, resource_version: str = "") -> Entry[Any]:
        """One object: the newest, any (``0``), or one not older than a version."""
        await self.ready()
        if not resource_version:
            await self.consistent()
        elif version := paging.parse_version(resource_version):
            await self.consistent(version)
        entry = self.cache.get(self.resource.key(namespace, name))
        if entry is None:
            raise not_found(self.resource.name, name, self.resource.group)
        return entry

    async def list(self, namespace: str, options: ListOptions) -> Page:
        """A page of the collection that the selectors choose."""
        await self.ready()
        prefix = self.resource.key(namespace)
        selection = Selection(self.resource, options.label_selector, options.field_selector)
        plan = paging.plan_list(options, prefix)
        if plan.mode != "any":
            await self.consistent(plan.revision)
        if selection.select is not None:
            await self._decode_ahead(prefix)
        exact = plan.revision if plan.mode == "exact" else 0
        try:
            listing = await self._read(prefix, selection, plan.start, options.limit, exact)
        except Compacted as error:
            if options.continue_:
                raise paging.continue_expired(prefix, plan.start) from error
            raise expired(f"The resourceVersion for the provided list is too old: {error}") from error
        except FutureRevision as error:
            raise paging.too_large(plan.revision, self.cache.revision) from error
        except StoreError as error:
            raise unavailable(error) from error
        token = paging.encode_continue(listing.revision, prefix, listing.entries[-1].key) if listing.more else ""
        remaining = listing.remaining if listing.more else None
        return Page(listing.entries, str(listing.revision), token, remaining)

    async def _read(self, prefix: str, selection: Selection, start: str, limit: int, revision: int) -> Listing[Any]:
        if not revision or revision >= self.cache.oldest_revision:
            return self.cache.list(
                prefix,
                start=start,
                limit=limit,
                revision=revision,
                select=selection.select,
                index=self._index(selection),
            )
        # Older than the cache remembers: page through the store until enough was selected.
        chosen: list[Entry[Any]] = []
        while True:
            page = await self.cache.list_past(prefix, start=start, limit=limit or 500, revision=revision)
            for number, entry in enumerate(page.entries):
                if selection.select is None or selection.select(entry):
                    chosen.append(entry)
                    if limit and len(chosen) == limit:
                        more = page.more or number + 1 < len(page.entries)
                        remaining = page.remaining if selection.select is None else None
                        return Listing(chosen, revision, more, remaining)
            if not page.more:
                return Listing(chosen, revision)
            start = page.entries[-1].key + "\0"

    async def _decode_ahead(self, scope: str) -> None:
        """Decode what a selector will look at, in slices; what is decoded already costs next to nothing."""
        if len(self.cache) > _SLICE and scope.endswith("/"):
            for number, entry in enumerate(self.cache.list(scope).entries, 1):
                entry.object  # noqa: B018
                if number % _SLICE == 0:
                    await asyncio.sleep(0)

    def _index(self, selection: Selection) -> tuple[str, str] | None:
        for name in self._indexes:
            if (value := selection.fields.required_value(name)) is not None:
                return name, value
        return None

    async def watch(self, namespace: str, options: ListOptions, sink: WatchSink) -> Subscription:
        """Deliver the present state where it was asked for, then every change."""
        await self.ready()
        paging.check_watch(options)
        version = paging.parse_version(options.resource_version)
        selection = Selection(self.resource, options.label_selector, options.field_selector)
        scope = self.resource.key(namespace)
        name = selection.fields.required_value("metadata.name")
        if name and (namespace or not self.resource.namespaced):
            scope = self.resource.key(namespace, name)
        filtered = Filter(sink, selection.select, self.decode, bookmarks=options.allow_watch_bookmarks)
        initial = options.send_initial_events
        if initial is None:
            initial = version == 0
        try:
            if version or not options.resource_version:
                await self.consistent(version)
        except StatusError as error:
            sink.end(error.status)
            return Ended()
        index = self._index(selection)
        if initial and selection.select is not None:
            await self._decode_ahead(scope)
        if initial:
            listing = (
                self.cache.list(scope, select=selection.select, index=index)
                if scope.endswith("/")
                else (self._single(scope, selection))
            )
            await self._deliver(listing, sink)
            version = listing.revision
        elif not version:
            version = self.cache.revision
        if options.send_initial_events and options.allow_watch_bookmarks:
            # MUST come before what subscribing replays: a version is never followed by an older one.
            sink.bookmark(version, initial_events_end=True)
        try:
            subscription = await self.cache.subscribe_gently(
                scope,
                version,
                filtered.event,
                on_progress=filtered.progress,
                on_end=filtered.end,
                index=index if scope.endswith("/") else None,
            )
        except Compacted:
            sink.end(paging.too_old(version, self.cache.oldest_revision).status)
            return Ended()
        return subscription

    def _single(self, key: str, selection: Selection) -> Listing[Any]:
        entry = self.cache.get(key)
        chosen = entry is not None and (selection.select is None or selection.select(entry))
        return Listing([entry] if chosen and entry is not None else [], self.cache.revision)

    @staticmethod
    async def _deliver(listing: Listing[Any], sink: WatchSink) -> None:
        for number, entry in enumerate(listing.entries, 1):
            sink.event(CacheEvent("ADDED", entry.revision, entry, None))
            if number % _SLICE == 0:
                await asyncio.sleep(0)
