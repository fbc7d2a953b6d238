"""Informers: an ordered stream of changes → a store → handlers.

An :class:`Informer` lists a resource, watches it from the list's resource version, and keeps a store of the
present objects with indexes.  When the watch ends it resumes from the last version it saw (bookmarks move that
along); when that version is too old (410) it lists again, and handlers see the difference.

Guarantees: the store is changed before a handler is called; for one object handlers are called in the order of
its versions; an object that vanished between two lists is reported as deleted with its last known state.  Handlers
are plain functions on the event loop and must be quick: they map an object to a key for a queue.
Objects are shared with every other user of the client: they are immutable.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar, cast

from steersman.api.errors import StatusError, is_too_large_resource_version
from steersman.api.meta import PartialObjectMetadata
from steersman.api.scheme import Object, Resource

from .client import ALL, Client, ObjectList, Selectors, WatchEvent, Which

log = logging.getLogger(__name__)

T = TypeVar("T", bound=Object)
IndexFunction = Callable[[T], Iterable[str]]

_SLICE = 100
"""After so many objects of a list the event loop gets its turn."""

_LONG_PAUSE = 1.0
"""Seconds: who waits so long until another attempt does nothing meanwhile."""

MIN_BACKOFF = 0.1
MAX_BACKOFF = 10.0


def object_key(obj: Object) -> str:
    """``namespace/name``, or the name alone for cluster-scoped objects."""
    metadata = obj.metadata
    return f"{metadata.namespace}/{metadata.name}" if metadata.namespace else metadata.name


def split_key(key: str) -> tuple[str, str]:
    """The namespace (may be empty) and the name of an :func:`object_key`."""
    namespace, _, name = key.rpartition("/")
    return namespace, name


class Lister(Generic[T]):
    """Reads what an informer knows; never waits."""

    def __init__(self) -> None:
        self._objects: dict[str, T] = {}
        self._functions: dict[str, IndexFunction[T]] = {"namespace": lambda obj: (obj.metadata.namespace,)}
        self._indexes: dict[str, dict[str, dict[str, T]]] = {"namespace": {}}

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, name: str, namespace: str = "") -> T | None:
        """The object, or None."""
        return self._objects.get(f"{namespace}/{name}" if namespace else name)

    def by_key(self, key: str) -> T | None:
        """The object of an :func:`object_key`, or None."""
        return self._objects.get(key)

    def by_index(self, index: str, value: str) -> list[T]:
        """The objects for which an index function yielded this value."""
        return [*self._indexes[index].get(value, {}).values()]

    def list(self, namespace: str = "") -> list[T]:
        """All objects, or those of one namespace; a new list in no order."""
        return self.by_index("namespace", namespace) if namespace else [*self._objects.values()]

    def add_index(self, name: str, function: IndexFunction[T]) -> None:
        """Index all objects, present and future, by what the function yields; the same name again is ignored."""
        if name in self._functions:
            return
        self._functions[name] = function
        self._indexes[name] = {}
        for key, obj in self._objects.items():
            for value in function(obj):
                self._indexes[name].setdefault(value, {})[key] = obj

    def _set(self, key: str, obj: T) -> T | None:
        old = self._objects.get(key)
        self._objects[key] = obj
        for name, function in self._functions.items():
            index = self._indexes[name]
            values = set(function(obj))
            if old is not None:
                for value in function(old):
                    if value not in values:
                        _drop(index, value, key)
            for value in values:
                index.setdefault(value, {})[key] = obj
        return old

    def _remove(self, key: str) -> T | None:
        old = self._objects.pop(key, None)
        if old is not None:
            for name, function in self._functions.items():
                for value in function(old):
                    _drop(self._indexes[name], value, key)
        return old


def _drop(index: dict[str, dict[str, Any]], value: str, key: str) -> None:
    if (bucket := index.get(value)) is not None:
        bucket.pop(key, None)
        if not bucket:
            del index[value]


class Registration:
    """A set of handlers on an informer; :meth:`remove` ends their calls."""

    def __init__(
        self,
        handlers: list[Registration],
        on_add: Callable[[Any], None] | None,
        on_update: Callable[[Any, Any], None] | None,
        on_delete: Callable[[Any], None] | None,
    ) -> None:
        self._handlers = handlers
        self.on_add = on_add
        self.on_update = on_update
        self.on_delete = on_delete

    def remove(self) -> None:
        """Call these handlers no more."""
        if self in self._handlers:
            self._handlers.remove(self)


class Informer(Generic[T]):
    """Keeps the objects of one resource and tells handlers about changes.  Run it as one task."""

    def __init__(self, client: Client, which: Which[T], namespace: str = "", selectors: Selectors = ALL) -> None:
        self.resource: Resource[T] = which if isinstance(which, Resource) else client.scheme.for_type(which)
        self.lister: Lister[T] = Lister()
        self.resource_version = ""
        """The version up to which the store is current; empty before the first list."""
        self._client = client
        self._namespace = namespace
        self._selectors = selectors
        self._handlers: list[Registration] = []
        self._synced = asyncio.Event()
        self._following = False
        self._pause = 0.0

    def add_handler(
        self,
        on_add: Callable[[T], None] | None = None,
        on_update: Callable[[T, T], None] | None = None,
        on_delete: Callable[[T], None] | None = None,
    ) -> Registration:
        """Call these for every change; ``on_update`` gets the old and the new object.

        Objects that are already there are passed to ``on_add`` before this returns.
        """
        registration = Registration(self._handlers, on_add, on_update, on_delete)
        self._handlers.append(registration)
        if on_add is not None:
            for obj in self.lister.list():
                self._call(on_add, obj)
        return registration

    @property
    def has_synced(self) -> bool:
        """Whether the first list is in the store and was handed to the handlers."""
        return self._synced.is_set()

    def unfinished(self) -> Iterator[str]:
        """Whether it lists, or waits a moment to list again; what a watch has not handed over yet, its client knows."""
        if not self._following and self._pause < _LONG_PAUSE:
            yield f"informer of {self.resource.qualified_name}: lists, or waits to list again"

    async def synced(self) -> None:
        """Wait for the first list to be in the store and handed to the handlers."""
        await self._synced.wait()

    async def run(self) -> None:
        """List and watch until cancelled; failures of the server are waited out."""
        backoff = 0.0
        consistent = False
        while True:
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
            self._pause = backoff * (1 + random.random())
            if backoff:
                await asyncio.sleep(self._pause)
            self._pause = 0.0

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
        seen = set[str]()
        for number, obj in enumerate(page.items, 1):
            key = object_key(obj)
            seen.add(key)
            known = self.lister.by_key(key)
            if known is None or known.metadata.resource_version != obj.metadata.resource_version:
                self._put(key, obj)
            if number % _SLICE == 0:
                await asyncio.sleep(0)
        for obj in self.lister.list():
            if (key := object_key(obj)) not in seen:
                self._delete(key, None)
        self.resource_version = page.resource_version
        self._synced.set()

    async def _follow(self) -> None:
        stream = self._watch()
        handled = 0
        self._following = True
        try:
            async for type_, obj in stream:
                if type_ != "BOOKMARK":
                    key = object_key(obj)
                    if type_ == "DELETED":
                        self._delete(key, obj)
                    else:
                        self._put(key, obj)
                # Only after the store has the change: a crash between must see it again.
                if version := obj.metadata.resource_version:
                    self.resource_version = version
                handled += 1
                if handled % _SLICE == 0:
                    await asyncio.sleep(0)
        finally:
            self._following = False
            if (close := getattr(stream, "aclose", None)) is not None:
                await close()

    def _put(self, key: str, obj: T) -> None:
        old = self.lister._set(key, obj)
        for registration in [*self._handlers]:
            if old is None:
                if registration.on_add is not None:
                    self._call(registration.on_add, obj)
            elif registration.on_update is not None:
                self._call(registration.on_update, old, obj)

    def _delete(self, key: str, obj: T | None) -> None:
        old = self.lister._remove(key)
        gone = obj if obj is not None else old
        if old is None or gone is None:
            return
        for registration in [*self._handlers]:
            if registration.on_delete is not None:
                self._call(registration.on_delete, gone)

    def _call(self, handler: Callable[..., None], *args: T) -> None:
        try:
            handler(*args)
        except Exception:  # one handler's fault must not stop the others
            log.exception("handler of %s failed", self.resource.qualified_name)


class MetadataInformer(Informer[PartialObjectMetadata]):
    """An informer that holds metadata alone, of any resource."""

    def __init__(self, client: Client, resource: Resource[Any], namespace: str = "") -> None:
        super().__init__(client, cast("Resource[PartialObjectMetadata]", resource), namespace)

    async def _list(self, resource_version: str) -> ObjectList[PartialObjectMetadata]:
        return await self._client.list_metadata(self.resource, self._namespace)

    def _watch(self) -> AsyncIterator[WatchEvent[PartialObjectMetadata]]:
        return self._client.watch_metadata(self.resource, self._namespace, resource_version=self.resource_version)


class InformerFactory:
    """Shares one informer per resource, namespace and selectors among all who ask; runs them all.

    Informers may be asked for before and while :meth:`run` runs.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._informers: dict[tuple[Resource[Any], str, Selectors, bool], Informer[Any]] = {}
        self._started: dict[Informer[Any], asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    def informer(self, which: Which[T], namespace: str = "", selectors: Selectors = ALL) -> Informer[T]:
        """The shared informer."""
        resource: Resource[Any] = which if isinstance(which, Resource) else self._client.scheme.for_type(which)
        key = (resource, namespace, selectors, False)
        if key not in self._informers:
            self._informers[key] = Informer(self._client, resource, namespace, selectors)
            self._start(self._informers[key])
        return self._informers[key]

    def metadata(self, resource: Resource[Any], namespace: str = "") -> Informer[PartialObjectMetadata]:
        """The shared informer of a resource's metadata."""
        key = (resource, namespace, ALL, True)
        if key not in self._informers:
            self._informers[key] = MetadataInformer(self._client, resource, namespace)
            self._start(self._informers[key])
        return self._informers[key]

    def forget(self, resource: Resource[Any]) -> None:
        """End the informers of a resource that is no longer served."""
        for key in [key for key in self._informers if key[0] is resource]:
            if (task := self._started.pop(self._informers.pop(key), None)) is not None:
                task.cancel()

    async def synced(self) -> None:
        """Wait for every informer asked for so far."""
        for informer in [*self._informers.values()]:
            await informer.synced()

    def unfinished(self) -> Iterator[str]:
        """What its informers have not done yet."""
        for informer in self._informers.values():
            yield from informer.unfinished()

    async def run(self) -> None:
        """Run every informer until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                for informer in [*self._informers.values()]:
                    self._start(informer)
                await asyncio.Event().wait()
            finally:
                self._group = None
                self._started.clear()

    def _start(self, informer: Informer[Any]) -> None:
        if self._group is not None and informer not in self._started:
            name = f"informer {informer.resource.qualified_name}"
            self._started[informer] = self._group.create_task(informer.run(), name=name)
