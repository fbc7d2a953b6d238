"""The store as one version of a custom resource sees it: every value in that version, as its schema has it.

Objects are stored in the version that their definition names for it, older ones in that of their time.  What is read
is converted, pruned and completed, so that a default that was declared later is there; what is written is converted
back.  Revisions are the store's own, and so is everything else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

import msgspec

from steersman.api import codecs
from steersman.api.unstructured import Tree, Unstructured, from_tree
from steersman.storage.followers import StoreWatch
from steersman.storage.store import (
    CompareFailed,
    Event,
    EventBatch,
    Follower,
    KeyValue,
    Operation,
    Put,
    Range,
    Store,
    Watch,
)

from .model import SchemaModel

log = logging.getLogger(__name__)

_decode = msgspec.json.Decoder().decode


class Versions:
    """The versions of one kind: their types and schemas, and how stored values become their objects.

    Conversion between them changes nothing but the ``apiVersion`` (strategy ``None``).
    """

    def __init__(self, types: Mapping[str, type[Unstructured]], models: Mapping[str, SchemaModel], stored: str) -> None:
        self.types = types
        self.models = models
        self.stored = stored

    def read(self, value: bytes, version: str) -> bytes:
        """A stored value in a version; the value itself where it is that already."""
        tree: Tree = _decode(value)
        tree["apiVersion"] = version
        model = self.models[version]
        content = {name: each for name, each in tree.items() if name not in ("apiVersion", "kind", "metadata")}
        model.prune(content, stored=True)
        model.default(content)
        result = codecs.encode(from_tree(self.types[version], {"metadata": tree.get("metadata"), **content}))
        return value if result == value else result

    def write(self, value: bytes, version: str) -> bytes:
        """What is stored of a value in a version."""
        return value if version == self.stored else self.convert(value, self.stored)

    def convert(self, value: bytes, version: str) -> bytes:
        """A value in another version, without what is unknown there."""
        return codecs.encode(self.converted(_decode(value), version))

    def converted(self, tree: Tree, version: str) -> Unstructured:
        """The object of another version; JSON data become its own."""
        obj = from_tree(self.types[version], tree)
        self.models[version].prune(obj.content)
        return obj


class VersionStore:
    """A store whose values are those of one version.  Keys that are not the kind's are left as they are."""

    def __init__(self, store: Store, versions: Versions, version: str, prefix: str) -> None:
        self._store = store
        self._versions = versions
        self._version = version
        self._prefix = prefix

    async def _prepare(self) -> None:
        for version in (self._version, self._versions.stored):
            await self._versions.models[version].prepare()

    async def get(self, key: str) -> KeyValue | None:
        await self._prepare()
        return self._read(await self._store.get(key))

    async def range(
        self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0, counted: bool = True
    ) -> Range:
        await self._prepare()
        page = await self._store.range(prefix, start=start, limit=limit, revision=revision, counted=counted)
        return page._replace(items=[self._seen(item) for item in page.items])

    async def commit(self, operations: Sequence[Operation]) -> int:
        await self._prepare()
        try:
            return await self._store.commit([self._written(each) for each in operations])
        except CompareFailed as error:
            raise CompareFailed({key: self._read(item) for key, item in error.current.items()}) from None

    async def watch(self, prefix: str, *, start_revision: int) -> Watch:
        return await StoreWatch(self, prefix, start_revision).open()

    async def follow(self, prefix: str, start_revision: int, callback: Callable[[EventBatch], None]) -> Follower:
        def deliver(batch: EventBatch) -> None:
            callback(batch._replace(events=[self._event(event) for event in batch.events]))

        await self._prepare()
        return await self._store.follow(prefix, start_revision, deliver)

    @property
    def current_revision(self) -> int:
        return self._store.current_revision

    async def wait_revision(self, revision: int) -> None:
        await self._store.wait_revision(revision)

    async def request_progress(self) -> None:
        await self._store.request_progress()

    async def revision(self) -> int:
        return await self._store.revision()

    async def compact(self, revision: int) -> None:
        await self._store.compact(revision)

    async def size(self) -> int:
        return await self._store.size()

    async def close(self) -> None:
        """Leave the store open: it is shared."""

    def _read(self, item: KeyValue | None) -> KeyValue | None:
        return self._seen(item) if item is not None else None

    def _seen(self, item: KeyValue) -> KeyValue:
        if not item.key.startswith(self._prefix):
            return item
        try:
            return item._replace(value=self._versions.read(item.value, self._version))
        except (ValueError, RecursionError) as error:
            log.error("what is stored as %s cannot be read as %s: %s", item.key, self._version, error)
            return item

    def _event(self, event: Event) -> Event:
        return event._replace(current=self._read(event.current)) if event.current is not None else event

    def _written(self, operation: Operation) -> Operation:
        if not isinstance(operation, Put) or not operation.key.startswith(self._prefix):
            return operation
        return operation._replace(value=self._versions.write(operation.value, self._version))
