"""The Client inside the server's process: no HTTP, no JSON; objects are those of the watch cache, shared.

It speaks to handlers as one user, past authorization.  Watches are bounded queues: a reader that falls too far behind
is ended, and lists again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

from steersman.api import codecs
from steersman.api.errors import StatusError, expired
from steersman.api.meta import PartialObjectMetadata
from steersman.api.scheme import Object, Resource, Scheme
from steersman.api.types.meta_v1 import DeleteOptions, ObjectMeta, Status
from steersman.api.user import User

from .client import ALL, Client, EventType, ObjectList, Patch, Selectors, WatchEvent, Which

T = TypeVar("T", bound=Object)

_SLICE = 128
"""After so many objects of a list the event loop gets its turn."""

_LARGE = 16 * 1024
"""JSON of so many bytes is not decoded for its metadata alone."""

QUEUE_LIMIT = 20_000
"""Events that a watch may be behind, beside those that it began with."""


class LocalEntry(Protocol):
    """One version of one object."""

    revision: int
    raw: bytes

    @property
    def object(self) -> Any: ...
    def peek(self) -> Any: ...


class LocalPage(Protocol):
    """A page of a list."""

    @property
    def entries(self) -> Sequence[Any]: ...
    @property
    def resource_version(self) -> str: ...
    @property
    def continue_(self) -> str: ...
    @property
    def remaining_item_count(self) -> int | None: ...


class LocalSubscription(Protocol):
    """An open watch."""

    def cancel(self) -> None: ...


class LocalHandler(Protocol):
    """What the client needs of a resource's handler; ``context`` and ``options`` are made by :class:`LocalServer`."""

    resource: Resource[Any]

    async def get(self, namespace: str, name: str, *, resource_version: str = "") -> Any: ...
    async def list(self, namespace: str, options: Any) -> Any: ...
    async def watch(self, namespace: str, options: Any, sink: Any) -> LocalSubscription: ...
    async def create(self, context: Any, namespace: str, obj: Any) -> Any: ...
    async def update(
        self, context: Any, namespace: str, name: str, obj: Any, *, subresource: str = "", lent: bool = False
    ) -> tuple[Any, bool]: ...
    async def patch(
        self, context: Any, namespace: str, name: str, patch: Patch, *, subresource: str = ""
    ) -> tuple[Any, bool]: ...
    async def delete(self, context: Any, namespace: str, name: str, options: DeleteOptions) -> Any: ...
    async def delete_collection(
        self, context: Any, namespace: str, options: Any, delete_options: DeleteOptions
    ) -> Any: ...
    async def get_subresource(self, namespace: str, name: str, subresource: str) -> Any: ...
    async def update_subresource(
        self, context: Any, namespace: str, name: str, subresource: str, transform: Callable[[Any], Any]
    ) -> Any: ...
    async def create_subresource(self, context: Any, namespace: str, name: str, subresource: str, body: Any) -> Any: ...


class LocalServer(Protocol):
    """The server in this process."""

    @property
    def scheme(self) -> Scheme: ...

    def handler(self, resource: Resource[Any]) -> Any:
        """The :class:`LocalHandler` of a resource."""
        ...

    def context(self, user: User, *, dry_run: bool = False, field_manager: str = "") -> Any:
        """What the handlers' writing methods want to know of a request."""
        ...

    def list_options(self, **parameters: Any) -> Any:
        """Options of a list or a watch, named as :class:`.client.Reader` names them and the API does."""
        ...


class LocalClient(Client):
    """Implements :class:`.client.Client` for a user."""

    def __init__(self, server: LocalServer, user: User, *, field_manager: str = "") -> None:
        self._server = server
        self._user = user
        self._field_manager = field_manager
        self._queues: set[_Queue] = set()

    def unfinished(self) -> Iterator[str]:
        """What its watches have not handed over to their readers yet."""
        for queue in self._queues:
            if queue.pending:
                yield f"a watch of {queue.resource}: {queue.pending} events to be taken"

    @property
    def scheme(self) -> Scheme:
        """The resources of the server."""
        return self._server.scheme

    def _resource(self, which: Which[T]) -> Resource[T]:
        return which if isinstance(which, Resource) else self._server.scheme.for_type(which)

    def _handler(self, which: Which[Any]) -> LocalHandler:
        handler: LocalHandler = self._server.handler(self._resource(which))
        return handler

    def _context(self, dry_run: bool = False, field_manager: str = "") -> Any:
        manager = field_manager or self._field_manager
        return self._server.context(self._user, dry_run=dry_run, field_manager=manager)

    # -- reading -------------------------------------------------------------------------------------------------

    async def get(self, which: Which[T], name: str, namespace: str = "") -> T:
        """See :class:`.client.Client`, as for every method here."""
        obj: T = (await self._handler(which).get(namespace, name)).object
        return obj

    async def list(
        self,
        which: Which[T],
        namespace: str = "",
        *,
        selectors: Selectors = ALL,
        limit: int = 0,
        continue_: str = "",
        resource_version: str = "",
    ) -> ObjectList[T]:
        options = self._server.list_options(
            label_selector=selectors.labels,
            field_selector=selectors.fields,
            limit=limit,
            continue_=continue_,
            resource_version=resource_version,
        )
        page: LocalPage = await self._handler(which).list(namespace, options)
        objects = await _decoded(page.entries)
        return ObjectList(objects, page.resource_version, page.continue_, page.remaining_item_count)

    async def watch(
        self,
        which: Which[T],
        namespace: str = "",
        *,
        selectors: Selectors = ALL,
        resource_version: str = "",
        bookmarks: bool = True,
    ) -> AsyncIterator[WatchEvent[T]]:
        resource = self._resource(which)
        stream = self._changes(resource, namespace, selectors, resource_version, bookmarks)
        async with contextlib.aclosing(stream) as changes:
            async for type_, entry, revision in changes:
                if entry is not None:
                    yield WatchEvent(type_, entry.object)
                else:
                    bookmark = resource.type()
                    bookmark.metadata.resource_version = str(revision)
                    yield WatchEvent(type_, bookmark)

    async def _changes(
        self, resource: Resource[Any], namespace: str, selectors: Selectors, resource_version: str, bookmarks: bool
    ) -> AsyncGenerator[tuple[EventType, LocalEntry | None, int]]:
        """Without an entry, a bookmark of a revision."""
        options = self._server.list_options(
            label_selector=selectors.labels,
            field_selector=selectors.fields,
            resource_version=resource_version,
            allow_watch_bookmarks=bookmarks,
        )
        sink = _Queue(resource.qualified_name)
        self._queues.add(sink)
        try:
            subscription = await self._handler(resource).watch(namespace, options, sink)
            sink.bound()
            try:
                async for change in sink:
                    yield change
            finally:
                subscription.cancel()
        finally:
            self._queues.discard(sink)

    async def list_metadata(self, resource: Resource[Any], namespace: str = "") -> ObjectList[PartialObjectMetadata]:
        page: LocalPage = await self._handler(resource).list(namespace, self._server.list_options())
        items = []
        for number, entry in enumerate(page.entries, 1):
            items.append(_partial(entry))
            if number % _SLICE == 0:
                await asyncio.sleep(0)
        return ObjectList(items, page.resource_version, page.continue_, page.remaining_item_count)

    async def watch_metadata(
        self, resource: Resource[Any], namespace: str = "", *, resource_version: str = ""
    ) -> AsyncIterator[WatchEvent[PartialObjectMetadata]]:
        async with contextlib.aclosing(self._changes(resource, namespace, ALL, resource_version, True)) as changes:
            async for type_, entry, revision in changes:
                if entry is not None:
                    yield WatchEvent(type_, _partial(entry))
                else:
                    yield WatchEvent(type_, PartialObjectMetadata(metadata=ObjectMeta(resource_version=str(revision))))

    # -- writing -------------------------------------------------------------------------------------------------

    async def create(self, obj: T, *, dry_run: bool = False) -> T:
        entry = await self._handler(type(obj)).create(self._context(dry_run), obj.metadata.namespace, codecs.copy(obj))
        created: T = entry.object
        return created

    async def update(self, obj: T, *, subresource: str = "", dry_run: bool = False) -> T:
        handler, meta = self._handler(type(obj)), obj.metadata
        context = self._context(dry_run)
        entry, _ = await handler.update(context, meta.namespace, meta.name, obj, subresource=subresource, lent=True)
        updated: T = entry.object
        return updated

    async def patch(self, which: Which[T], name: str, patch: Patch, namespace: str = "", *, subresource: str = "") -> T:
        context = self._context(field_manager=patch.field_manager)
        entry, _ = await self._handler(which).patch(context, namespace, name, patch, subresource=subresource)
        patched: T = entry.object
        return patched

    async def delete(
        self, which: Which[T], name: str, namespace: str = "", *, options: DeleteOptions | None = None
    ) -> None:
        await self._handler(which).delete(self._context(), namespace, name, options or DeleteOptions())

    async def delete_collection(
        self,
        which: Which[T],
        namespace: str = "",
        *,
        selectors: Selectors = ALL,
        options: DeleteOptions | None = None,
    ) -> None:
        chosen = self._server.list_options(label_selector=selectors.labels, field_selector=selectors.fields)
        await self._handler(which).delete_collection(self._context(), namespace, chosen, options or DeleteOptions())

    async def create_subresource(
        self, which: Which[Any], name: str, subresource: str, body: T, namespace: str = ""
    ) -> T:
        handler = self._handler(which)
        answer = await handler.create_subresource(self._context(), namespace, name, subresource, codecs.copy(body))
        if isinstance(answer, Status):
            return body
        result: T = answer
        return result

    async def get_subresource(
        self, which: Which[Any], name: str, subresource: str, type_: type[T], namespace: str = ""
    ) -> T:
        result: T = await self._handler(which).get_subresource(namespace, name, subresource)
        return result

    async def close(self) -> None:
        """Nothing to release."""


async def _decoded(entries: Sequence[LocalEntry]) -> list[Any]:
    """The objects of entries; those nobody has read yet are decoded in slices, to let others run."""
    objects = []
    for number, entry in enumerate(entries, 1):
        objects.append(entry.object)
        if number % _SLICE == 0:
            await asyncio.sleep(0)
    return objects


class _Metadata(msgspec.Struct):
    metadata: ObjectMeta


_metadata_decoder = msgspec.json.Decoder(_Metadata)


def _partial(entry: LocalEntry) -> PartialObjectMetadata:
    """The metadata of an entry, shared with its object unless that is large and nobody has looked at it yet."""
    if len(entry.raw) < _LARGE or entry.peek() is not None:
        return PartialObjectMetadata(metadata=entry.object.metadata)
    return PartialObjectMetadata(metadata=_metadata_decoder.decode(entry.raw).metadata)


class _Queue:
    """The sink of a watch, and the iterator over what it received."""

    def __init__(self, resource: str) -> None:
        self.resource = resource
        self._items: deque[tuple[EventType, LocalEntry | None, int]] = deque()
        self._limit = float("inf")
        self._waiter: asyncio.Future[None] | None = None
        self._begun = False
        self._ended = False
        self._error: Status | None = None

    def bound(self) -> None:
        """Limit what may wait from now on; what a watch begins with is there before anybody can take it."""
        self._limit = len(self._items) + QUEUE_LIMIT
        self._begun = True

    @property
    def pending(self) -> int:
        """How many changes nobody has taken; one for a watch that is being opened."""
        return len(self._items) or not self._begun

    def event(self, event: Any) -> None:
        self._put((event.type, event.entry, event.revision))

    def bookmark(self, revision: int, *, initial_events_end: bool = False) -> None:
        self._put(("BOOKMARK", None, revision))

    async def drain(self) -> None:
        await asyncio.sleep(0)

    def end(self, error: Status | None) -> None:
        if not self._ended:
            self._error = error
            self._ended = True
            self._wake()

    def _put(self, item: tuple[EventType, LocalEntry | None, int]) -> None:
        if self._ended:
            return
        if len(self._items) >= self._limit:
            self.end(expired("the watcher fell too far behind").status)
            return
        self._items.append(item)
        if self._waiter is not None:
            self._wake()

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    async def __aiter__(self) -> AsyncIterator[tuple[EventType, LocalEntry | None, int]]:
        while True:
            while self._items:
                yield self._items.popleft()
            if self._ended:
                if self._error is not None:
                    raise StatusError(self._error)
                return
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
