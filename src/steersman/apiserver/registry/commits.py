"""What every write of a stored resource stands on: the object as it is now, and one commit compared with that.

The watch cache shows a recent state; ``_current`` and ``_fetch`` tell whether it is the newest.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from steersman.api.scheme import Resource
from steersman.storage.store import CompareFailed, Delete, KeyValue, Operation, Put, Store, StoreError
from steersman.storage.watch_cache import Entry, WatchCache

from .heavy import HeavyWork
from .reading import Reader, unavailable
from .strategy import Reservation, Strategy
from .turns import Turn, Turns


class Commits(Reader):
    """Reads, and writes what has been decided."""

    def __init__(
        self,
        resource: Resource[Any],
        strategy: Strategy,
        store: Store,
        cache: WatchCache[Any],
        start: Callable[[Reader], Awaitable[None]],
        heavy: HeavyWork,
    ) -> None:
        super().__init__(resource, cache, strategy.indexes, start, heavy)
        self.strategy = strategy
        self._store = store
        self._turns = Turns()

    async def _present(self, namespace: str, name: str, version: str = "") -> Entry[Any] | None:
        """The object as far as the cache knows.

        One that is absent, or older than a version that another server may have handed out, is looked for again in a
        consistent state.
        """
        key = self.resource.key(namespace, name)
        entry = await self._lookup(key, self.ready)
        return await self._there(key) if entry is None or _precedes(entry.revision, version) else entry

    async def _there(self, key: str) -> Entry[Any] | None:
        """What there is now that all acknowledged writes are known."""
        return await self._lookup(key, self.consistent)

    async def _current(self, entry: Entry[Any]) -> Entry[Any] | None:
        """What an object is now that all acknowledged writes are known; the entry itself where it has not changed."""
        found = await self._there(entry.key)
        return entry if found is not None and found.revision == entry.revision else found

    def _entry_of(self, item: KeyValue | None) -> Entry[Any] | None:
        return self.cache.entry(item) if item is not None else None

    async def _commit(self, put: Put, obj: Any, reservation: Reservation | None) -> Entry[Any]:
        """Write an object, of which ``put`` has the JSON, and which nobody may change any more when that is done."""
        operations: Sequence[Operation] = (put,) if reservation is None else (put, *reservation.operations)
        try:
            with self.cache.underway.expecting(put.key, put.value, obj):
                revision = await self._store.commit(operations)
        except CompareFailed:
            raise
        except StoreError as error:
            raise unavailable(error) from error
        entry = self.cache.get(put.key)
        if entry is not None and entry.revision == revision:
            return entry
        return self.cache.entry(KeyValue(put.key, await self._read_back(put.value), revision, revision))

    async def _read_back(self, value: bytes) -> bytes:
        """What was, or would have been, written, as it is read then."""
        try:
            return await self.strategy.read_back(value)
        except StoreError as error:
            raise unavailable(error) from error

    async def _obtainable(self, reservation: Reservation | None) -> bool:
        """Whether a commit could take what was chosen; raises for what was asked for and is taken."""
        created = [each for each in reservation.operations if isinstance(each, Put)] if reservation is not None else []
        try:
            taken = [each.key for each in created if each.expected == 0 and await self._store.get(each.key) is not None]
        except StoreError as error:
            raise unavailable(error) from error
        if reservation is not None and taken and (lost := reservation.lost(taken)) is not None:
            raise lost
        return not taken

    async def _remove(self, entry: Entry[Any], obj: Any) -> int:
        """Take an object out of the store; the revision of that, 0 when the object has changed meanwhile."""
        try:
            return await self._store.commit([Delete(entry.key, entry.revision), *self.strategy.release(obj)])
        except CompareFailed:
            return 0
        except StoreError as error:
            raise unavailable(error) from error

    async def _line_up(self, turn: Turn | None, key: str, found: Entry[Any] | None) -> tuple[Turn, Entry[Any] | None]:
        """After a lost race: wait for a turn, and look at what the object is then; ``found`` is what the store has."""
        if turn is not None:
            return turn, found
        turn = await self._turns.wait(key)
        known = self.cache.get(key)
        newer = found is not None and known is not None and known.revision > found.revision
        return turn, known if newer else found


def _precedes(revision: int, version: str) -> bool:
    return version.isdecimal() and len(version) < 20 and revision < int(version)
