"""The store as one version of a custom resource sees it: every value in that version, as its schema has it.

Revisions are the store's own, and so is everything else; but where conversions take their time, or fail, this store
lags behind the other one, as one that is far away does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence

from steersman.apiserver.registry.heavy import is_large
from steersman.apiserver.registry.lacking import Lacking
from steersman.storage.followers import StoreWatch
from steersman.storage.forwarding import ForwardingStore
from steersman.storage.store import (
    CompareFailed,
    EventBatch,
    Follower,
    KeyValue,
    Operation,
    Put,
    Range,
    Store,
    Watch,
)

from .following import ConvertingFollower
from .versions import Versions

log = logging.getLogger(__name__)


class VersionStore(ForwardingStore):
    """A store whose values are those of one version.  Keys that are not the kind's are left as they are."""

    def __init__(self, store: Store, versions: Versions, version: str, prefix: str) -> None:
        super().__init__(store)
        self.outdated: dict[str, int] = {}
        """The revisions of values that would be stored otherwise today, by key: they are worth writing unchanged."""
        self._versions = versions
        self._version = version
        self._prefix = prefix
        self._followers: dict[ConvertingFollower, None] = {}
        self._fresh: dict[str, bytes] = {}  # what is being written, which is as it will be read

    async def get(self, key: str) -> KeyValue | None:
        found = await self._store.get(key)
        return (await self._shown([found]))[0] if found is not None else None

    async def range(
        self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0, counted: bool = True
    ) -> Range:
        page = await self._store.range(prefix, start=start, limit=limit, revision=revision, counted=counted)
        return page._replace(items=await self._shown(page.items))

    async def commit(self, operations: Sequence[Operation]) -> int:
        """Nothing is written that could not be read again."""
        written: list[Operation] = []
        new: set[str] = set()
        for operation in operations:
            if isinstance(operation, Put) and operation.key.startswith(self._prefix):
                value = await self._versions.write(operation.value, self._version)
                if self._version == self._versions.stored:
                    self._fresh[operation.key] = value
                elif self._versions.converter is not None:
                    await self._versions.read_all([value], self._version)
                operation = operation._replace(value=value)
                if operation.expected == 0:
                    new.add(operation.key)
            written.append(operation)
        try:
            return await self._store.commit(written)
        except CompareFailed as error:
            # Of what should not exist nobody asks what it is.
            current = {
                key: item if item is None or key in new else (await self._shown([item]))[0]
                for key, item in error.current.items()
            }
            raise CompareFailed(current) from None
        finally:
            for operation in written:
                self._fresh.pop(operation.key, None)

    async def watch(self, prefix: str, *, start_revision: int) -> Watch:
        return await StoreWatch(self, prefix, start_revision).open()

    async def follow(self, prefix: str, start_revision: int, callback: Callable[[EventBatch], None]) -> Follower:
        def deliver(batch: EventBatch) -> None:
            for event in batch.events:
                if event.current is None:
                    self.outdated.pop(event.key, None)
            callback(batch)

        follower = ConvertingFollower(
            self._store, prefix, deliver, self._shown_now, self._shown, lambda it: self._followers.pop(it, None)
        )
        self._followers[follower] = None
        try:
            await follower.begin(start_revision)
        except BaseException:
            follower.cancel()
            raise
        return follower

    @property
    def current_revision(self) -> int:
        reached = [each for follower in self._followers if (each := follower.reached) is not None]
        return min(self._store.current_revision, *reached) if reached else self._store.current_revision

    async def wait_revision(self, revision: int) -> None:
        """Raises Unconvertible where conversions keep it from being reached."""
        await self._store.wait_revision(revision)
        for follower in list(self._followers):
            await follower.reach(revision)

    def unfinished(self) -> Iterator[str]:
        """What is being converted."""
        for follower in self._followers:
            yield from follower.unfinished()

    async def close(self) -> None:
        """Leave the store open: it is shared."""

    # -- values --------------------------------------------------------------------------------------------------

    async def _shown(self, items: Sequence[KeyValue]) -> list[KeyValue]:
        own = [item for item in items if item.key.startswith(self._prefix)]
        try:
            values = await self._versions.read_all([item.value for item in own], self._version)
        except (ValueError, RecursionError):
            return [await self._shown_alone(item) for item in items]
        found = iter(values)
        return [self._noted(item, next(found)) if item.key.startswith(self._prefix) else item for item in items]

    async def _shown_alone(self, item: KeyValue) -> KeyValue:
        """One of several of which one cannot be read at all."""
        if not item.key.startswith(self._prefix):
            return item
        try:
            return self._noted(item, (await self._versions.read_all([item.value], self._version))[0])
        except (ValueError, RecursionError) as error:
            return self._unread(item, error)

    def _shown_now(self, item: KeyValue) -> KeyValue:
        if not item.key.startswith(self._prefix):
            return item
        if self._fresh.get(item.key) == item.value:
            self.outdated.pop(item.key, None)
            return item
        if is_large(item.value):
            raise Lacking("time")
        try:
            return self._noted(item, self._versions.read(item.value, self._version))
        except (ValueError, RecursionError) as error:
            return self._unread(item, error)

    def _unread(self, item: KeyValue, error: Exception) -> KeyValue:
        log.error("what is stored as %s cannot be read as %s: %s", item.key, self._version, error)
        return item

    def _noted(self, item: KeyValue, value: bytes) -> KeyValue:
        if item.mod_revision >= self.outdated.get(item.key, 0):
            if self._versions.is_outdated(item.value, value, self._version):
                self.outdated[item.key] = item.mod_revision
            else:
                self.outdated.pop(item.key, None)
        return item._replace(value=value)
