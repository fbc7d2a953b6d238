"""A store that is another one, for those who change one thing about it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .store import EventBatch, Follower, KeyValue, Operation, Range, Store, Watch


class ForwardingStore:
    """Passes everything on."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def get(self, key: str) -> KeyValue | None:
        """See :class:`.store.Store`, as for every method here."""
        return await self._store.get(key)

    async def range(
        self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0, counted: bool = True
    ) -> Range:
        return await self._store.range(prefix, start=start, limit=limit, revision=revision, counted=counted)

    async def commit(self, operations: Sequence[Operation]) -> int:
        return await self._store.commit(operations)

    async def watch(self, prefix: str, *, start_revision: int) -> Watch:
        return await self._store.watch(prefix, start_revision=start_revision)

    async def follow(self, prefix: str, start_revision: int, callback: Callable[[EventBatch], None]) -> Follower:
        return await self._store.follow(prefix, start_revision, callback)

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
        await self._store.close()
