"""Those who follow a store: called with each commit that concerns them, in order, on the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from heapq import heapify, heappop, heappush

from .store import Event, EventBatch, Follower, Store, StoreError

log = logging.getLogger(__name__)

Callback = Callable[[EventBatch], None]
History = Callable[[str, int, int, Callback], Awaitable[None]]


def prefix_end(prefix: str) -> str:
    """The first key after all that begin with the prefix."""
    return prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else "\U0010ffff"


class FollowerTask:
    """One follower.  While ``backlog`` is a list, history is still being read and commits wait in it."""

    __slots__ = ("_ended", "_owner", "backlog", "callback", "prefix", "start")

    def __init__(self, owner: Followers, prefix: str, start: int, callback: Callback) -> None:
        self._owner = owner
        self.prefix = prefix
        self.start = start
        self.callback = callback
        self.backlog: list[EventBatch] | None = []
        self._ended: asyncio.Future[StoreError | None] = asyncio.get_running_loop().create_future()

    def cancel(self) -> None:
        """Call back no more."""
        self._owner.remove(self)

    async def ended(self) -> None:
        """Wait until the store closed; raises StoreError when following broke off."""
        if (error := await asyncio.shield(self._ended)) is not None:
            raise error

    def end(self, error: StoreError | None) -> None:
        """Say that nothing more comes."""
        self._owner.remove(self)
        if not self._ended.done():
            self._ended.set_result(error)

    def deliver(self, batch: EventBatch) -> None:
        if batch.revision < self.start:
            return
        if self.backlog is not None:
            self.backlog.append(batch)
            return
        try:
            self.callback(batch)
        except Exception:  # writers and other followers must not suffer
            log.exception("a follower of %s failed", self.prefix)
            self.end(StoreError("the follower failed"))


class Followers:
    """All followers of one store, found by the slashes in a key rather than by trying each."""

    def __init__(self) -> None:
        self.revision = 1
        """Everything up to here has been delivered."""
        self._by_prefix: dict[str, dict[FollowerTask, None]] = {}
        self._odd: dict[FollowerTask, None] = {}  # whose prefix does not end in a slash
        self._waiters: list[tuple[int, int, asyncio.Future[None]]] = []  # a heap by revision
        self._tickets = 0

    async def follow(self, prefix: str, start: int, callback: Callback, history: History) -> FollowerTask:
        """Add a follower; ``history(prefix, first, last, callback)`` delivers what is past."""
        follower = FollowerTask(self, prefix, max(start, self.revision + 1), callback)
        last = self.revision
        if prefix.endswith("/"):
            self._by_prefix.setdefault(prefix, {})[follower] = None
        else:
            self._odd[follower] = None
        try:
            if start <= last:
                await history(prefix, start, last, callback)
        except BaseException:
            self.remove(follower)
            raise
        backlog, follower.backlog = follower.backlog, None
        for batch in backlog or ():
            callback(batch)
        return follower

    def remove(self, follower: FollowerTask) -> None:
        """Forget a follower."""
        self._odd.pop(follower, None)
        if (found := self._by_prefix.get(follower.prefix)) is not None:
            found.pop(follower, None)
            if not found:
                del self._by_prefix[follower.prefix]

    def _concerned(self, key: str) -> list[FollowerTask]:
        found: list[FollowerTask] = []
        slash = key.find("/")
        while slash >= 0:
            if (place := self._by_prefix.get(key[: slash + 1])) is not None:
                found += place
            slash = key.find("/", slash + 1)
        if self._odd:
            found += [follower for follower in self._odd if key.startswith(follower.prefix)]
        return found

    def deliver(self, revision: int, events: Sequence[Event]) -> None:
        """Deliver one commit, then move the revision."""
        if len(events) == 1:
            batch = EventBatch(events, revision)
            for follower in self._concerned(events[0].key):
                follower.deliver(batch)
        else:
            parts: dict[FollowerTask, list[Event]] = {}
            for event in events:
                for follower in self._concerned(event.key):
                    parts.setdefault(follower, []).append(event)
            for follower, part in parts.items():
                follower.deliver(EventBatch(part, revision))
        self.advance(revision)

    def advance(self, revision: int) -> None:
        """Everything up to a revision has been delivered."""
        self.revision = max(self.revision, revision)
        while self._waiters and self._waiters[0][0] <= self.revision:
            future = heappop(self._waiters)[2]
            if not future.done():
                future.set_result(None)

    async def wait_revision(self, revision: int) -> None:
        """Wait until a revision has been delivered."""
        if self.revision < revision:
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._tickets += 1
            heappush(self._waiters, (revision, self._tickets, future))
            try:
                await future
            except asyncio.CancelledError:
                self._waiters = [waiter for waiter in self._waiters if not waiter[2].done()]
                heapify(self._waiters)
                raise

    def _all(self) -> list[FollowerTask]:
        return [*self._odd, *(follower for place in self._by_prefix.values() for follower in place)]

    def unfinished(self) -> Iterator[str]:
        """Who is still being told of the past."""
        for follower in self._all():
            if follower.backlog is not None:
                yield f"store: history of {follower.prefix or 'everything'}"

    def end(self, error: StoreError | None) -> None:
        """End every follower."""
        for follower in self._all():
            follower.end(error)


class StoreWatch:
    """A watch made of following: a bounded buffer between the store and whoever iterates.

    When the buffer is full the watch stops following and, once drained, follows again from history.
    """

    def __init__(self, store: Store, prefix: str, start_revision: int, capacity: int = 4096) -> None:
        self._store = store
        self._prefix = prefix
        self._next = start_revision
        self._capacity = capacity
        self._buffer: deque[EventBatch] = deque()
        self._size = 0
        self._overflowed = False
        self._filled = asyncio.Event()
        self._closed = False
        self._error: StoreError | None = None
        self._follower: Follower | None = None
        self._ending: asyncio.Task[None] | None = None

    async def open(self) -> StoreWatch:
        """Begin; raises Compacted."""
        self._overflowed = False
        self._follower = follower = await self._store.follow(self._prefix, self._next, self._receive)
        self._ending = asyncio.create_task(self._wait_for_end(follower), name=f"store watch {self._prefix}")
        return self

    async def _wait_for_end(self, follower: Follower) -> None:
        try:
            await follower.ended()
            self._closed = True
        except StoreError as error:
            self._error = error
        self._filled.set()

    def _receive(self, batch: EventBatch) -> None:
        if self._overflowed:
            return
        if self._size >= self._capacity:
            self._overflowed = True
            self._stop()
            return
        self._size += len(batch.events)
        self._buffer.append(batch)
        self._filled.set()

    def _stop(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        if self._follower is not None:
            self._follower.cancel()
            self._follower = None

    def __aiter__(self) -> AsyncIterator[EventBatch]:
        return self

    async def __anext__(self) -> EventBatch:
        while True:
            if self._buffer:
                batch = self._buffer.popleft()
                self._size -= len(batch.events)
                self._next = batch.revision + 1
                return batch
            if self._error is not None:
                raise self._error
            if self._closed:
                raise StopAsyncIteration
            if self._overflowed:
                self._stop()
                await self.open()
                continue
            reached = self._store.current_revision
            if reached >= self._next:  # nothing of it was ours
                self._next = reached + 1
                return EventBatch((), reached)
            self._filled.clear()
            try:
                async with asyncio.timeout(1.0):
                    await self._filled.wait()
            except TimeoutError:
                continue

    def poke(self) -> None:
        """Look at the store's revision now."""
        self._filled.set()

    async def aclose(self) -> None:
        """End the watch."""
        self._closed = True
        self._buffer.clear()
        self._stop()
        self._filled.set()
