"""Follows a store whose values have to be converted first, which may take long: in order, holding up nobody else."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence

from steersman.apiserver.registry.lacking import Lacking
from steersman.storage.store import Event, EventBatch, Follower, KeyValue, Store, StoreError

log = logging.getLogger(__name__)

_CAPACITY = 16 << 20
"""So many bytes wait at most; what comes then is read from the store's history later."""

_TOGETHER = 512
"""Commits whose values are converted at once."""

_LONG = 1.0
"""Seconds: who waits is told of a failure that took so long, and not after another one."""

_RETRY = (0.1, 5.0)
"""Seconds between attempts, unless somebody waits."""


class ConvertingFollower:
    """``now`` converts what it can without waiting, else raises Lacking; ``later`` converts what it is given.

    A conversion that fails is tried again, with what comes after it waiting: at once when somebody asks for it, who is
    told of the failure if there is another one.  What has been overwritten meanwhile is skipped.
    """

    def __init__(
        self,
        store: Store,
        prefix: str,
        callback: Callable[[EventBatch], None],
        now: Callable[[KeyValue], KeyValue],
        later: Callable[[Sequence[KeyValue]], Awaitable[list[KeyValue]]],
        gone: Callable[[ConvertingFollower], None],
    ) -> None:
        self._store = store
        self._prefix = prefix
        self._callback = callback
        self._now = now
        self._later = later
        self._gone = gone
        self._queue: deque[EventBatch] = deque()
        self._size = 0
        self._last = 0
        self._dropping = False  # what comes: too much waits
        self._behind = False  # something was dropped
        self._source: Follower | None = None
        self._ending: asyncio.Task[None] | None = None
        self._working: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()
        self._pausing = False
        self._waiters: list[asyncio.Future[None]] = []
        self._ended: asyncio.Future[StoreError | None] = asyncio.get_running_loop().create_future()

    async def begin(self, start: int) -> None:
        """Follow from a revision on; raises Compacted."""
        self._source = await self._store.follow(self._prefix, start, self._receive)
        self._ending = asyncio.create_task(self._wait_for_end(self._source), name=f"end of {self._prefix}")

    async def _wait_for_end(self, source: Follower) -> None:
        error: StoreError | None = None
        try:
            await source.ended()
        except StoreError as failure:
            error = failure
        self._end(error)

    def _end(self, error: StoreError | None) -> None:
        if not self._ended.done():
            self._ended.set_result(error)
        self._wake(None)

    def cancel(self) -> None:
        """Call back no more."""
        for task in (self._working, self._ending):
            if task is not None:
                task.cancel()
        if self._source is not None:
            self._source.cancel()
        self._queue.clear()
        self._behind = False
        self._wake(None)
        self._gone(self)

    async def ended(self) -> None:
        """Wait until the store closed; raises StoreError when following broke off."""
        if (error := await asyncio.shield(self._ended)) is not None:
            raise error

    # -- what comes ----------------------------------------------------------------------------------------------

    def _receive(self, batch: EventBatch) -> None:
        if self._dropping:
            return
        if not self._queue:
            try:
                self._callback(batch._replace(events=[self._convert(event) for event in batch.events]))
            except Lacking:
                pass
            else:
                self._last = batch.revision
                return
        if self._size > _CAPACITY:
            self._dropping = self._behind = True
            return
        self._queue.append(batch)
        self._size += _weight(batch)
        if self._working is None:
            self._working = asyncio.create_task(self._work(), name=f"converting {self._prefix}")

    def _convert(self, event: Event) -> Event:
        return event._replace(current=self._now(event.current)) if event.current is not None else event

    # -- what waits ----------------------------------------------------------------------------------------------

    @property
    def reached(self) -> int | None:
        """Up to where everything has been delivered; None where nothing waits."""
        if self._queue:
            first = self._queue[0]
            return (first.events[0].revision if first.events else first.revision) - 1
        return self._last if self._behind else None

    def unfinished(self) -> Iterator[str]:
        """What is being converted; what cannot be now, and waits for another attempt, is not."""
        if self._working is not None and not self._pausing:
            yield f"{self._prefix}: {len(self._queue)} changes to convert"

    async def reach(self, revision: int) -> None:
        """Wait until all up to a revision has been delivered; raises StoreError where that fails."""
        while (reached := self.reached) is not None and reached < revision and not self._ended.done():
            self._hurry.set()
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def _wake(self, error: StoreError | None) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(error) if error is not None else waiter.set_result(None)

    async def _work(self) -> None:
        failed, delay, most = False, _RETRY[0], _TOGETHER
        loop = asyncio.get_running_loop()
        try:
            while self._queue or self._behind:
                if not self._queue:
                    await self._resume()
                    continue
                together = list(itertools.islice(self._queue, most))
                self._hurry.clear()
                started = loop.time()
                try:
                    await self._deliver(together)
                except StoreError as error:
                    alone, most = len(together) == 1, 1
                    if (alone and self._skip()) or not (alone or loop.time() - started > _LONG):
                        continue  # perhaps one of them is to blame, perhaps one that nobody need see any more
                    if not failed:
                        log.warning("what changed below %s cannot be shown yet: %s", self._prefix, error)
                    failed = True
                    self._wake(error)
                    await self._pause(delay)
                    delay = min(delay * 2, _RETRY[1])
                else:
                    failed, delay, most = False, _RETRY[0], min(most * 2, _TOGETHER)
                    self._wake(None)
        except StoreError as error:
            self._end(error)
        except Exception as error:  # nobody waits for this task: those who follow must learn of it
            log.exception("following %s failed", self._prefix)
            self._end(StoreError(str(error)))
        finally:
            self._working = None

    async def _deliver(self, together: Sequence[EventBatch]) -> None:
        items = [event.current for batch in together for event in batch.events if event.current is not None]
        converted = iter(await self._later(items))
        for number, batch in enumerate(together, 1):
            events = [
                event._replace(current=next(converted)) if event.current is not None else event
                for event in batch.events
            ]
            self._callback(batch._replace(events=events))
            self._queue.popleft()
            self._size -= _weight(batch)
            self._last = batch.revision
            if number % 64 == 0:
                await asyncio.sleep(0)

    def _skip(self) -> bool:
        """Leave out of the first commit what later ones overwrite, which who lists again never sees, either."""
        first = self._queue[0]
        later = {event.key for batch in itertools.islice(self._queue, 1, None) for event in batch.events}
        kept = [event for event in first.events if event.key not in later]
        if len(kept) == len(first.events):
            return False
        self._size -= _weight(first)
        self._queue[0] = first._replace(events=kept)
        self._size += _weight(self._queue[0])
        return True

    async def _resume(self) -> None:
        """Read from history what came when too much was waiting."""
        if self._ending is not None:
            self._ending.cancel()
        if self._source is not None:
            self._source.cancel()
        self._dropping = False
        await self.begin(self._last + 1)
        self._behind = self._dropping

    async def _pause(self, seconds: float) -> None:
        self._pausing = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._hurry.wait()
        self._pausing = False


def _weight(batch: EventBatch) -> int:
    return sum(len(event.current.value) for event in batch.events if event.current is not None)
