"""A work queue that hands out each key to one worker at a time and never loses a change.

The design is client-go's ``util/workqueue``: a key that is added while it waits is not added twice; a key that is
added while it is being processed is handed out again once the worker says :meth:`WorkQueue.done`.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import deque
from collections.abc import Hashable, Iterator, Sequence
from typing import Generic, TypeVar

from steersman.api.clock import SYSTEM, Clock, Timer

from .distribution import Distribution

K = TypeVar("K", bound=Hashable)


DURATIONS = tuple(1e-8 * 10**power for power in range(10))
"""Upstream's bounds, in seconds."""


class ShutDown(Exception):
    """The queue was shut down and holds nothing more."""


class WorkQueue(Generic[K]):
    """Keys that wait to be worked on.

    All methods but :meth:`get` are plain functions, to be called on the event loop.  The queue is bounded by the
    number of distinct keys: adding one twice coalesces.  ``base_delay`` and ``max_delay`` (seconds) shape
    the exponential delay of :meth:`add_rate_limited`, per key.  Delays are by the ``clock``; what metrics tell is not.
    """

    def __init__(
        self, name: str = "", *, base_delay: float = 0.005, max_delay: float = 1000.0, clock: Clock = SYSTEM
    ) -> None:
        self.name = name
        self.adds = 0
        """How many keys were put into the queue (``workqueue_adds_total``)."""
        self.retries = 0
        """How many rate-limited adds there were (``workqueue_retries_total``)."""
        self.waited = Distribution(DURATIONS)
        """Seconds from the first add of a key until it is handed out (``workqueue_queue_duration_seconds``)."""
        self.worked = Distribution(DURATIONS)
        """Seconds from there until it is done (``workqueue_work_duration_seconds``)."""
        self._added_at: dict[K, float] = {}
        self._taken_at: dict[K, float] = {}
        self._clock = clock
        self._base_delay = base_delay
        self._max_delay = max_delay
        # Invariants: every key of _queue is in _dirty and not in _processing; a key in both _dirty and
        # _processing is put into _queue by done().
        self._queue: deque[K] = deque()
        self._dirty: set[K] = set()
        self._processing: set[K] = set()
        self._failures: dict[K, int] = {}
        # The earliest time at which each delayed key is due; entries of the heap that differ from it are stale.
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._sequence = 0
        self._timer: Timer | None = None
        self._getters: deque[asyncio.Future[None]] = deque()
        self._paused = False
        self._shutting_down = False

    def __len__(self) -> int:
        """How many keys wait to be handed out now."""
        return len(self._queue)

    @property
    def busy(self) -> bool:
        """Whether a key waits or is being worked on (delayed keys do not count)."""
        return bool(self._dirty or self._processing)

    def unfinished(self, soon: float = 0.0) -> Iterator[str]:
        """What is being done, and what is to be done within ``soon`` seconds; what failed is for :meth:`hurry`.

        Paused, only what is being done.
        """
        if self._paused:
            if self._processing:
                yield f"{self.name}: {_some([*self._processing])}"
        elif self.busy:
            yield f"{self.name}: {_some([*self._processing, *self._queue])}"
        elif soon and self._head_is_due(self._clock.monotonic() + soon) and self._heap[0][2] not in self._failures:
            yield f"{self.name}: {_some([self._heap[0][2]])} again"

    def hurry(self, within: float) -> list[K]:
        """Hand out at once what failed, and what comes within so many seconds; returns those keys.

        What fails again waits as long as it would have: the attempt is the one that was to come.
        """
        keys: list[K] = []
        if not self._heap:
            return keys
        latest = self._clock.monotonic() + within
        while self._head_is_due(latest):
            keys.append(heapq.heappop(self._heap)[2])
            del self._due[keys[-1]]
        keys += [key for key in self._failures if self._due.pop(key, None) is not None]
        for key in keys:
            if failures := self._failures.get(key, 0):
                self._failures[key] = failures - 1
            self.add(key)
        if keys:
            self._arm()
        return keys

    def pause(self, paused: bool) -> None:
        """Hand nothing out, or go on; keys are taken in meanwhile."""
        self._paused = paused
        if not paused:
            for _ in self._queue:
                self._wake()

    def add(self, key: K) -> None:
        """Mark a key as needing work."""
        if self._shutting_down or key in self._dirty:
            return
        self.adds += 1
        self._dirty.add(key)
        self._added_at[key] = time.monotonic()
        if key not in self._processing:
            self._queue.append(key)
            self._wake()

    async def get(self) -> K:
        """Wait for a key; the caller MUST call :meth:`done` with it.  Raises ShutDown."""
        while not self._queue or self._paused:
            if self._shutting_down:
                raise ShutDown
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._getters.append(future)
            try:
                await future
            except asyncio.CancelledError:
                if future.done() and not future.cancelled():
                    self._wake()  # the wake-up was meant for somebody who still waits
                elif future in self._getters:  # not where a wake-up came between the cancellation and this
                    self._getters.remove(future)
                raise
        key = self._queue.popleft()
        self._dirty.discard(key)
        self._processing.add(key)
        now = self._taken_at[key] = time.monotonic()
        self.waited.observe(now - self._added_at.pop(key, now))
        return key

    def done(self, key: K) -> None:
        """The worker has finished with the key, whatever came of it."""
        self._processing.discard(key)
        now = time.monotonic()
        self.worked.observe(now - self._taken_at.pop(key, now))
        if key in self._dirty:
            self._queue.append(key)
            self._wake()

    def ages(self) -> list[float]:
        """For how many seconds each key that is being worked on has been so."""
        now = time.monotonic()
        return [now - since for since in list(self._taken_at.values())]

    def add_after(self, key: K, delay: float) -> None:
        """Add a key after so many seconds; of several delays the one that ends first counts."""
        if self._shutting_down:
            return
        if delay <= 0:
            self.add(key)
            return
        due = self._clock.monotonic() + delay
        if (present := self._due.get(key)) is not None and present <= due:
            return
        self._due[key] = due
        self._sequence += 1
        heapq.heappush(self._heap, (due, self._sequence, key))
        if self._heap[0][2] == key:
            self._arm()

    def add_rate_limited(self, key: K) -> None:
        """Add a key after a delay that doubles with every call until :meth:`forget`."""
        self.retries += 1
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add_after(key, min(self._base_delay * 2 ** min(failures, 40), self._max_delay))

    def forget(self, key: K) -> None:
        """The key succeeded: its next delay starts small again."""
        self._failures.pop(key, None)

    def num_requeues(self, key: K) -> int:
        """How often the key was added rate-limited since it was last forgotten."""
        return self._failures.get(key, 0)

    def shut_down(self) -> None:
        """Accept nothing more; keys that already wait are still handed out, then :meth:`get` raises ShutDown."""
        self._shutting_down = True
        self._due.clear()
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._getters:
            self._wake()

    def _wake(self) -> None:
        while self._getters:
            future = self._getters.popleft()
            if not future.done():
                future.set_result(None)
                return

    def _head_is_due(self, latest: float) -> bool:
        """Whether the first of the keys that are delayed is due by then."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return bool(self._heap) and self._heap[0][0] <= latest

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._heap:
            self._timer = self._clock.call_later(max(0.0, self._heap[0][0] - self._clock.monotonic()), self._fire)

    def _fire(self) -> None:
        self._timer = None
        now = self._clock.monotonic() + 1e-4  # timers may fire within the clock's resolution, early
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)
        self._arm()


def _some(keys: Sequence[Hashable]) -> str:
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return ", ".join(map(str, keys[:3])) + more
