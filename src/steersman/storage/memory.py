"""The store that forgets when its process ends: for tests, and for clusters meant to be thrown away."""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Sequence

from .embedded import Difference, EmbeddedStore, Row
from .followers import prefix_end
from .store import KeyValue, StoreError

_SLICE = 512
"""Rows that are looked at within a millisecond or two."""


class MemoryStore(EmbeddedStore):
    """Every version of every key in lists, until compacted.  Made inside a running event loop."""

    def __init__(self) -> None:
        super().__init__()
        self._log: list[Row] = []
        self._versions: dict[str, list[Row]] = {}
        self._keys: list[str] = []
        self._size = 0

    def _write(self, rows: list[Row], done: Callable[[StoreError | None], None]) -> None:
        for row in rows:
            versions = self._versions.get(row.key)
            if versions is None:
                versions = self._versions[row.key] = []
                insort(self._keys, row.key)
            versions.append(row)
            self._log.append(row)
            self._size += len(row.key) + len(row.value or b"")
        done(None)

    def _at(self, key: str, revision: int) -> KeyValue | None:
        for row in reversed(self._versions.get(key, ())):
            if row.revision <= revision:
                return _key_value(row)
        return None

    async def _read(self, key: str) -> KeyValue | None:
        return self._at(key, self.current_revision)

    def _interval(self, first: str, end: str) -> list[str]:
        return self._keys[bisect_left(self._keys, first) : bisect_left(self._keys, end)]

    async def _read_range(self, first: str, end: str, limit: int, revision: int) -> list[KeyValue]:
        items: list[KeyValue] = []
        for key in self._interval(first, end):
            if (item := self._at(key, revision)) is not None:
                items.append(item)
                if len(items) == limit:
                    break
        return items

    async def _count_range(self, first: str, end: str, revision: int) -> int:
        return sum(self._at(key, revision) is not None for key in self._interval(first, end))

    async def _read_history(self, prefix: str, first: int, last: int, limit: int) -> list[Row]:
        start = bisect_left(self._log, first, key=lambda row: row.revision)
        stop = bisect_right(self._log, last, key=lambda row: row.revision)
        end = prefix_end(prefix)
        found: list[Row] = []
        for index in range(start, stop):
            row = self._log[index]
            if prefix <= row.key < end:
                found.append(row)
                if len(found) == limit:
                    break
        return found

    async def _read_differences(self, since: int, until: int) -> list[Difference]:
        start, stop = (bisect_right(self._log, each, key=lambda row: row.revision) for each in (since, until))
        found: list[Difference] = []
        seen: set[str] = set()
        for number, row in enumerate(self._log[start:stop], 1):
            key = row.key
            if key not in seen:
                seen.add(key)
                then, now = self._at(key, since), self._at(key, until)
                if (then and then.value) != (now and now.value):
                    found.append(Difference(key, then, now))
            if number % _SLICE == 0:
                await asyncio.sleep(0)
        return found

    async def _forget(self, revision: int, held: Sequence[int]) -> None:
        """Drop garbage in slices, between which others read and write."""
        kept: list[Row] = []
        count = bisect_left(self._log, revision, key=lambda row: row.revision)
        for number in range(count):
            if number % _SLICE == 0:
                await asyncio.sleep(0)
            row = self._log[number]
            if self._is_needed(row, revision) or (held and self._is_held(row, held)):
                kept.append(row)
                continue
            self._size -= len(row.key) + len(row.value or b"")
            versions = self._versions[row.key]
            versions.remove(row)
            if not versions:
                del self._versions[row.key]
                del self._keys[bisect_left(self._keys, row.key)]
        self._log[:count] = kept

    def _is_needed(self, row: Row, revision: int) -> bool:
        """Whether this is the value that a key has at the revision."""
        if row.value is None:
            return False
        following = bisect_right(self._versions[row.key], row.revision, key=lambda version: version.revision)
        versions = self._versions[row.key]
        return following == len(versions) or versions[following].revision > revision

    def _is_held(self, row: Row, held: Sequence[int]) -> bool:
        """Whether one of those revisions is known by it; that something was deleted since tells of what there was."""
        if row.value is None:
            return row.revision > held[0]
        return any(row.revision <= each and self._is_needed(row, each) for each in held)

    async def size(self) -> int:
        """The bytes of all keys and values held."""
        return self._size

    async def close(self) -> None:
        """End the watches."""
        await self._quiesce()


def _key_value(row: Row) -> KeyValue | None:
    return None if row.value is None else KeyValue(row.key, row.value, row.create_revision, row.revision)
