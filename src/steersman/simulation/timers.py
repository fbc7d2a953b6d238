"""What is due when: one heap, of which the clock is told the head alone."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Generic, TypeVar

from steersman.api.clock import Clock, Timer

T = TypeVar("T")

_SLICE = 500
"""So many items are told at a time, before the event loop gets its turn."""


class Timers(Generic[T]):
    """Tells of items once they are due, in that order.

    Items are not taken out: who no longer wants one lets it come and passes over it.
    """

    def __init__(self, clock: Clock, on_due: Callable[[T], None]) -> None:
        self._clock = clock
        self._on_due = on_due
        self._heap: list[tuple[float, int, T]] = []
        self._count = 0
        self._timer: Timer | None = None
        self._armed = float("inf")

    def __len__(self) -> int:
        return len(self._heap)

    def soon(self, seconds: float) -> bool:
        """Whether something comes within so many seconds."""
        return bool(seconds and self._heap and self._heap[0][0] - self._clock.monotonic() < seconds)

    def add(self, delay: float, item: T) -> None:
        """Tell of an item after so many seconds."""
        due = self._clock.monotonic() + max(0.0, delay)
        self._count += 1  # items need no order of their own
        heapq.heappush(self._heap, (due, self._count, item))
        if due < self._armed:
            self._arm(due)

    def stop(self) -> None:
        """Tell nothing more."""
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._armed = None, float("inf")

    def _arm(self, due: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._armed = due
        self._timer = self._clock.call_later(max(0.0, due - self._clock.monotonic()), self._fire)

    def _fire(self) -> None:
        self._timer, self._armed = None, float("inf")
        instant = self._clock.monotonic()
        for _ in range(_SLICE):
            if not self._heap or self._heap[0][0] > instant:
                break
            self._on_due(heapq.heappop(self._heap)[2])
        if self._heap:
            self._arm(self._heap[0][0])
