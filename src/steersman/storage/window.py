"""The recent changes of one cache: what resumed watches, and lists at a version of a moment ago, are answered from."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable
from typing import Any

from .entry import CacheEvent, Entry
from .store import Compacted

LEAST = 100
"""So many events are kept, however old."""

MOST = 102_400
"""So many at most, however young; both numbers are upstream's."""

MOST_BYTES = 64 << 20
"""Of JSON that has been superseded and is held by the window alone."""

NEAR = 4096
"""So many changes are undone within a few milliseconds."""

_SHED = 256
"""Events that have gone out of reach are let go of in portions."""


class Window:
    """Grows with the load: what is younger than ``seconds`` stays, within bounds.

    What has been superseded takes ``spare_bytes``, or as much as what there is now, but never more than ``most_bytes``:
    who has just read all of it can go on from there.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        seconds: float = 75.0,
        least: int = LEAST,
        most: int = MOST,
        most_bytes: int = MOST_BYTES,
        spare_bytes: int = MOST_BYTES,
    ) -> None:
        self.oldest = 0
        """States at this revision and later can be reconstructed."""
        self._clock = clock
        self._seconds = seconds
        self._least = least
        self._most = most
        self._most_bytes = most_bytes
        self._spare_bytes = spare_bytes
        self._events: list[CacheEvent] = []
        self._times: list[float] = []
        self._start = 0  # what is before it is out of reach
        self._bytes = 0
        self._present = 0  # bytes of what there is now

    def __len__(self) -> int:
        return len(self._events) - self._start

    def restart(self, revision: int, present: int | None = None) -> None:
        """Know nothing of what was before a revision; ``present`` are the bytes of what there was, if not known."""
        self._events.clear()
        self._times.clear()
        self._start = self._bytes = 0
        self.oldest = revision
        if present is not None:
            self._present = present

    def append(self, event: CacheEvent) -> None:
        """One more change, the newest."""
        self._events.append(event)
        self._times.append(self._clock())
        self._bytes += _superseded(event)
        if event.type != "DELETED":
            self._present += len(event.entry.raw)
        if event.previous is not None:
            self._present -= len(event.previous.raw)
        self.trim()

    def trim(self) -> None:
        """Forget what is too old or too much."""
        horizon = self._clock() - self._seconds
        most_bytes = min(self._most_bytes, max(self._spare_bytes, self._present))
        while len(self) > self._least and (
            self._times[self._start] < horizon or len(self) > self._most or self._bytes > most_bytes
        ):
            event = self._events[self._start]
            self._start += 1
            self._bytes -= _superseded(event)
            # Revisions are shared by the events of one commit: the whole commit goes out of reach.
            self.oldest = event.revision
        if self._start >= _SHED:
            del self._events[: self._start], self._times[: self._start]
            self._start = 0

    def since(self, revision: int, limit: int = 0) -> tuple[list[CacheEvent], bool]:
        """Changes after a revision, whole commits, about ``limit`` of them (0: all), and whether more follow.

        Raises Compacted when not all of them are known.
        """
        events, start = self._events, self._after(revision)
        end = len(events)
        if limit and start + limit < end:
            end = start + limit
            while end < len(events) and events[end].revision == events[end - 1].revision:
                end += 1
        return events[start:end], end < len(events)

    def is_near(self, revision: int) -> bool:
        """Whether :meth:`undone` is possible, and quick."""
        return revision >= self.oldest and len(self._events) - self._after(revision) <= NEAR

    def undone(self, revision: int) -> dict[str, Entry[Any] | None]:
        """What differed at a revision: key to the entry then, None where there was none; raises Compacted."""
        start = self._after(revision)
        return {event.entry.key: event.previous for event in reversed(self._events[start:])}

    def _after(self, revision: int) -> int:
        if revision < self.oldest:
            raise Compacted(self.oldest)
        return bisect_right(self._events, revision, self._start, key=_revision)


def _revision(event: CacheEvent) -> int:
    return event.revision


def _superseded(event: CacheEvent) -> int:
    size = 0 if event.previous is None else len(event.previous.raw)
    return size + len(event.entry.raw) if event.type == "DELETED" else size
