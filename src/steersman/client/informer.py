"""Informers: an ordered stream of changes → a store → handlers.

An :class:`Informer` follows a resource (:mod:`.reflector`) and keeps a store of the present objects with indexes.
Where it must list again, handlers see the difference.

Guarantees: the store is changed before a handler is called; for one object handlers are called in the order of
its versions; an object that vanished between two lists is reported as deleted with its last known state.  Handlers
are plain functions on the event loop and must be quick: they map an object to a key for a queue.
Objects are shared with every other user of the client: they are immutable.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar, cast

from steersman.api.clock import SYSTEM, Clock
from steersman.api.meta import PartialObjectMetadata
from steersman.api.scheme import Object, Resource

from .client import ALL, Client, EventType, ObjectList, Selectors, WatchEvent, Which
from .reflector import SLICE, Reflector

log = logging.getLogger(__name__)

T = TypeVar("T", bound=Object)
IndexFunction = Callable[[T], Iterable[str]]


def object_key(obj: Object) -> str:
    """``namespace/name``, or the name alone for cluster-scoped objects."""
    metadata = obj.metadata
    return f"{metadata.namespace}/{metadata.name}" if metadata.namespace else metadata.name


def split_key(key: str) -> tuple[str, str]:
    """The namespace (may be empty) and the name of an :func:`object_key`."""
    namespace, _, name = key.rpartition("/")
    return namespace, name


_NAMESPACE = "/namespace"
"""An index that nobody else names so."""


def _namespaces(obj: Object) -> tuple[str]:
    return (obj.metadata.namespace,)


class Lister(Generic[T]):
    """Reads what an informer knows; never waits."""

    def __init__(self) -> None:
        self._objects: dict[str, T] = {}
        self._functions: dict[str, IndexFunction[T]] = {}
        self._indexes: dict[str, dict[str, dict[str, T]]] = {}

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
        """All objects, or those of one namespace; a new list in no order.

        They are indexed by namespace once somebody asks for those of one.
        """
        if not namespace:
            return [*self._objects.values()]
        self.add_index(_NAMESPACE, _namespaces)
        return self.by_index(_NAMESPACE, namespace)

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
            values = [*function(obj)]
            if old is not None:
                for value in function(old):
                    if value not in values:
                        _drop(index, value, key)
            for value in values:
                if (bucket := index.get(value)) is None:
                    bucket = index[value] = {}
                bucket[key] = obj
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


class Informer(Reflector[T]):
    """Keeps the objects of one resource and tells handlers about changes.  Run it as one task."""

    def __init__(
        self,
        client: Client,
        which: Which[T],
        namespace: str = "",
        selectors: Selectors = ALL,
        *,
        clock: Clock = SYSTEM,
    ) -> None:
        super().__init__(client, which, namespace, selectors, clock=clock)
        self.lister: Lister[T] = Lister()
        self._handlers: list[Registration] = []

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

    async def replace(self, objects: list[T]) -> None:
        """See :class:`.reflector.Reflector`."""
        seen = set[str]()
        for number, obj in enumerate(objects, 1):
            key = object_key(obj)
            seen.add(key)
            known = self.lister.by_key(key)
            if known is None or known.metadata.resource_version != obj.metadata.resource_version:
                self._put(key, obj)
            if number % SLICE == 0:
                await asyncio.sleep(0)
        for obj in self.lister.list():
            if (key := object_key(obj)) not in seen:
                self._delete(key, None)

    def change(self, type_: EventType, obj: T) -> None:
        """See :class:`.reflector.Reflector`."""
        key = object_key(obj)
        if type_ == "DELETED":
            self._delete(key, obj)
        else:
            self._put(key, obj)

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

    def __init__(self, client: Client, resource: Resource[Any], namespace: str = "", *, clock: Clock = SYSTEM) -> None:
        super().__init__(client, cast("Resource[PartialObjectMetadata]", resource), namespace, clock=clock)

    async def _list(self, resource_version: str) -> ObjectList[PartialObjectMetadata]:
        return await self._client.list_metadata(self.resource, self._namespace)

    def _watch(self) -> AsyncIterator[WatchEvent[PartialObjectMetadata]]:
        return self._client.watch_metadata(self.resource, self._namespace, resource_version=self.resource_version)


class InformerFactory:
    """Shares one informer per resource, namespace and selectors among all who ask; runs them all.

    Informers may be asked for before and while :meth:`run` runs.
    """

    def __init__(self, client: Client, *, clock: Clock = SYSTEM) -> None:
        self._client = client
        self._clock = clock
        self._informers: dict[tuple[Resource[Any], str, Selectors, bool], Informer[Any]] = {}
        self._started: dict[Informer[Any], asyncio.Task[None]] = {}
        self._group: asyncio.TaskGroup | None = None

    def informer(self, which: Which[T], namespace: str = "", selectors: Selectors = ALL) -> Informer[T]:
        """The shared informer."""
        resource: Resource[Any] = which if isinstance(which, Resource) else self._client.scheme.for_type(which)
        key = (resource, namespace, selectors, False)
        if key not in self._informers:
            self._informers[key] = Informer(self._client, resource, namespace, selectors, clock=self._clock)
            self._start(self._informers[key])
        return self._informers[key]

    def metadata(self, resource: Resource[Any], namespace: str = "") -> Informer[PartialObjectMetadata]:
        """The shared informer of a resource's metadata."""
        key = (resource, namespace, ALL, True)
        if key not in self._informers:
            self._informers[key] = MetadataInformer(self._client, resource, namespace, clock=self._clock)
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

    def hurry(self) -> list[str]:
        """Let those that wait to list or watch again do so at once; returns what that is."""
        return [what for informer in self._informers.values() for what in informer.hurry()]

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
