"""What the embedded stores share: deciding commits on the event loop, in groups, and following.

At most one group is being written at a time; what arrives meanwhile forms the next.  Comparisons are decided against an
index of all keys in memory, so a group costs the storage behind it one transaction and no reads.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from .followers import Followers, FollowerTask, StoreWatch, prefix_end
from .store import (
    Check,
    Compacted,
    CompareFailed,
    Event,
    EventBatch,
    FutureRevision,
    KeyValue,
    Operation,
    Put,
    Range,
    StoreError,
    TooManyOperations,
)

GROUP_ROWS = 256
"""About how many changes are written as one transaction at most."""

DELIVERY = 0.003
"""Seconds after which others on the loop get their turn while a group's commits are delivered."""

MAX_OPERATIONS = 1 << 16
MAX_WAITING = 1 << 16


class Row(NamedTuple):
    """One version of one key as it is written; ``value`` is None for a deletion."""

    revision: int
    position: int
    key: str
    create_revision: int
    value: bytes | None


class Version(NamedTuple):
    """Where a key stands."""

    create_revision: int
    mod_revision: int


class Difference(NamedTuple):
    """A key that is not what it was: before and after, None where it was, or is, absent."""

    key: str
    then: KeyValue | None
    now: KeyValue | None


class Hold:
    """A revision whose state stays known, whatever is compacted, until it is let go of, as at the end of a ``with``."""

    def __init__(self, holds: dict[Hold, None], revision: int) -> None:
        self.revision = revision
        self._holds = holds
        holds[self] = None

    @property
    def holds(self) -> bool:
        """Whether it was not let go of."""
        return self in self._holds

    def move(self, other: Hold) -> None:
        """Hold instead what another one holds."""
        self.revision = other.revision

    def release(self) -> None:
        """Let go of it; what it kept is forgotten by the next compaction."""
        self._holds.pop(self, None)

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class _Failed(Exception):
    def __init__(self, keys: list[str]) -> None:
        self.keys = keys


class _Commit(NamedTuple):
    operations: Sequence[Operation]
    outcome: asyncio.Future[int]


class EmbeddedStore(ABC):
    """The Store contract over a few primitives that write and read rows."""

    def __init__(self) -> None:
        self._index: dict[str, Version] = {}
        self._followers = Followers()
        self._compact_revision = 0
        self._queue: list[_Commit] = []
        self._writing = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._compacting = asyncio.Lock()
        self._holds: dict[Hold, None] = {}

    # -- what a kind of store provides ---------------------------------------------------------------------------

    @abstractmethod
    def _write(self, rows: list[Row], done: Callable[[StoreError | None], None]) -> None:
        """Make rows durable as one transaction, then call ``done`` on the loop."""

    @abstractmethod
    async def _read(self, key: str) -> KeyValue | None:
        """The latest version of a key."""

    @abstractmethod
    async def _read_range(self, first: str, end: str, limit: int, revision: int) -> list[KeyValue]:
        """The keys in an interval as of a revision."""

    @abstractmethod
    async def _count_range(self, first: str, end: str, revision: int) -> int:
        """How many keys there are in an interval as of a revision."""

    @abstractmethod
    async def _read_history(self, prefix: str, first: int, last: int, limit: int) -> list[Row]:
        """The changes below a prefix within revisions, in order."""

    @abstractmethod
    async def _read_differences(self, since: int, until: int) -> list[Difference]:
        """The keys whose values differ between two revisions that are held, at the cost of the changes alone."""

    @abstractmethod
    async def _forget(self, revision: int, held: Sequence[int]) -> None:
        """Drop what neither a compaction to this revision nor the revisions held, which are older, need."""

    # -- going back ----------------------------------------------------------------------------------------------

    def hold(self) -> Hold:
        """Keep what there is now known."""
        self._check_open()
        return Hold(self._holds, self._followers.revision)

    async def differences(self, since: Hold, until: Hold) -> list[Difference]:
        """What is not at one moment as it was at another, in no order."""
        self._check_open()
        return await self._read_differences(since.revision, until.revision)

    # -- writing -------------------------------------------------------------------------------------------------

    async def commit(self, operations: Sequence[Operation]) -> int:
        """Apply the operations in one revision if every ``expected`` holds; return that revision."""
        self._check_open()
        if len(operations) > 1 and len({operation.key for operation in operations}) != len(operations):
            raise ValueError("a commit names a key twice")
        if len(operations) > MAX_OPERATIONS:
            raise TooManyOperations(len(operations), MAX_OPERATIONS)
        if len(self._queue) >= MAX_WAITING:
            raise StoreError("too many commits are waiting")
        outcome: asyncio.Future[int] = self._loop.create_future()
        self._queue.append(_Commit(operations, outcome))
        self._idle.clear()
        if not self._writing:
            self._writing = True
            self._loop.call_soon(self._write_group)
        try:
            return await outcome
        except _Failed as failed:
            keys = failed.keys
        finally:
            del outcome  # a failure's traceback leads here: it would hold itself
        raise CompareFailed({key: await self._read(key) for key in keys})

    def _write_group(self) -> None:
        """Decide as many waiting commits as fit in one group, and write what they change."""
        revision = self._followers.revision
        overlay: dict[str, Version | None] = {}
        rows: list[Row] = []
        outcomes: list[tuple[asyncio.Future[int], int | _Failed]] = []
        taken = 0
        for operations, outcome in self._queue:
            if len(rows) >= GROUP_ROWS:
                break
            taken += 1
            if outcome.done():
                continue  # cancelled before it was begun
            failed = [
                operation.key
                for operation in operations
                if operation.expected is not None and self._mod_revision(operation.key, overlay) != operation.expected
            ]
            if failed:
                outcomes.append((outcome, _Failed(failed)))
                continue
            position = 0
            for operation in operations:
                if isinstance(operation, Check):
                    continue
                key = operation.key
                version = overlay[key] if key in overlay else self._index.get(key)
                if isinstance(operation, Put):
                    created = version.create_revision if version is not None else revision + 1
                    rows.append(Row(revision + 1, position, key, created, operation.value))
                    overlay[key] = Version(created, revision + 1)
                elif version is None:
                    continue
                else:
                    rows.append(Row(revision + 1, position, key, version.create_revision, None))
                    overlay[key] = None
                position += 1
            revision += bool(position)
            outcomes.append((outcome, revision))
        del self._queue[:taken]

        def done(error: StoreError | None) -> None:
            self._written([] if error is not None else rows, outcomes, error)

        if rows:
            self._write(rows, done)
        else:
            done(None)

    def _mod_revision(self, key: str, overlay: dict[str, Version | None]) -> int:
        version = overlay[key] if key in overlay else self._index.get(key)
        return 0 if version is None else version.mod_revision

    def _written(
        self,
        rows: list[Row],
        outcomes: list[tuple[asyncio.Future[int], int | _Failed]],
        error: StoreError | None,
        start: int = 0,
    ) -> None:
        """Deliver, a few milliseconds at a time, then acknowledge, then go on with the next group."""
        until = time.perf_counter() + DELIVERY
        while start < len(rows):
            revision = rows[start].revision
            end = start
            while end < len(rows) and (row := rows[end]).revision == revision:
                if row.value is None:
                    self._index.pop(row.key, None)
                else:
                    self._index[row.key] = Version(row.create_revision, revision)
                end += 1
            self._followers.deliver(revision, [_event(row) for row in rows[start:end]])
            start = end
            if start < len(rows) and time.perf_counter() > until:
                self._loop.call_soon(self._written, rows, outcomes, error, start)
                return
        for outcome, result in outcomes:
            if outcome.done():
                continue
            if error is not None:
                outcome.set_exception(type(error)(*error.args))
            elif isinstance(result, _Failed):
                outcome.set_exception(result)
            else:
                outcome.set_result(result)
        if self._queue:
            self._loop.call_soon(self._write_group)
        else:
            self._writing = False
            self._idle.set()

    # -- reading -------------------------------------------------------------------------------------------------

    async def get(self, key: str) -> KeyValue | None:
        """Read the latest version of a key."""
        self._check_open()
        return await self._read(key) if key in self._index else None

    async def range(
        self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0, counted: bool = True
    ) -> Range:
        """Read the keys below a prefix in order."""
        self._check_open()
        at = revision or self._followers.revision
        if at > self._followers.revision:
            raise FutureRevision(f"required revision is a future revision: {revision}")
        self._check_compacted(at)
        first, end = max(prefix, start), prefix_end(prefix)
        items = await self._read_range(first, end, limit + 1 if limit else 0, at)
        more = bool(limit) and len(items) > limit
        remaining = 0
        if more:
            items.pop()
        if more and counted:
            remaining = await self._count_range(items[-1].key + "\0", end, at)
        self._check_compacted(at)  # a compaction may have overtaken the reading
        return Range(items, at, more, remaining)

    async def revision(self) -> int:
        """The current revision."""
        return self._followers.revision

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("the store is closed")

    def _check_compacted(self, revision: int) -> None:
        if revision < self._compact_revision:
            raise Compacted(self._compact_revision)

    def unfinished(self, soon: float = 0.0) -> Iterator[str]:
        """What is being written, and history that is being read for followers."""
        if self._writing:
            yield f"store: {len(self._queue)} commits to write, and some being written"
        yield from self._followers.unfinished()

    # -- following -----------------------------------------------------------------------------------------------

    @property
    def current_revision(self) -> int:
        """Every change up to this revision has been delivered, and no other acknowledged."""
        return self._followers.revision

    async def wait_revision(self, revision: int) -> None:
        """Wait until ``current_revision`` has reached a revision."""
        await self._followers.wait_revision(revision)

    async def follow(self, prefix: str, start_revision: int, callback: Callable[[EventBatch], None]) -> FollowerTask:
        """Call back with every change below the prefix."""
        self._check_open()
        self._check_compacted(start_revision)
        return await self._followers.follow(prefix, start_revision, callback, self._replay)

    async def _replay(self, prefix: str, first: int, last: int, callback: Callable[[EventBatch], None]) -> None:
        limit = 512
        while first <= last:
            rows = await self._read_history(prefix, first, last, limit)
            self._check_compacted(first)
            if len(rows) == limit:  # the last commit may be cut: leave it to the next page
                whole = [row for row in rows if row.revision != rows[-1].revision]
                if not whole:
                    limit *= 2
                    continue
                rows = whole
                following = rows[-1].revision + 1
            else:
                following = last + 1
            commits: dict[int, list[Event]] = {}
            for row in rows:
                commits.setdefault(row.revision, []).append(_event(row))
            for revision, events in commits.items():
                callback(EventBatch(events, revision))
            first = following

    async def watch(self, prefix: str, *, start_revision: int) -> StoreWatch:
        """Deliver every change below the prefix from a revision on."""
        return await StoreWatch(self, prefix, start_revision).open()

    async def request_progress(self) -> None:  # noqa: B027
        """Nothing needs to be asked for: watches see the revision when they look."""

    # -- the rest ------------------------------------------------------------------------------------------------

    async def compact(self, revision: int) -> None:
        """Forget what was overwritten or deleted before ``revision``."""
        self._check_open()
        if revision > self._followers.revision:
            raise FutureRevision(f"required revision is a future revision: {revision}")
        async with self._compacting:
            if revision <= self._compact_revision:
                raise Compacted(self._compact_revision)
            previous, self._compact_revision = self._compact_revision, revision
            try:
                await self._forget(
                    revision, sorted({hold.revision for hold in self._holds if hold.revision < revision})
                )
            except NothingForgotten as error:
                self._compact_revision = previous
                raise StoreError(str(error)) from error

    @abstractmethod
    async def size(self) -> int:
        """The bytes that the store occupies."""

    @abstractmethod
    async def close(self) -> None:
        """Release everything; open watches end."""

    async def _quiesce(self) -> None:
        """Take no more commits, and wait for those that were begun."""
        self._closed = True
        await self._idle.wait()
        self._followers.end(None)


class NothingForgotten(Exception):
    """A compaction failed before it changed anything."""


def _event(row: Row) -> Event:
    current = None if row.value is None else KeyValue(row.key, row.value, row.create_revision, row.revision)
    return Event(row.key, row.revision, current)
