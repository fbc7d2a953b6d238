"""Delays that double: crash loops and failing image pulls."""

from __future__ import annotations

from collections.abc import Callable


class Backoff:
    """Delays per key, from ``initial`` doubling to ``maximum``; forgotten after twice the maximum without failure."""

    def __init__(self, initial: float, maximum: float, clock: Callable[[], float]) -> None:
        self._initial = initial
        self._maximum = maximum
        self._clock = clock
        self._entries: dict[str, tuple[float, float]] = {}  # key -> (delay, when it was set)

    def failed(self, key: str, at: float | None = None) -> float:
        """Note a failure, which happened now or ``at`` an earlier time; returns the delay that now applies."""
        now = self._clock()
        delay, since = self._entries.get(key, (0.0, now))
        if self._expired(since, now if at is None else at):
            delay = 0.0
        delay = min(self._maximum, delay * 2) if delay else self._initial
        self._entries[key] = (delay, now)
        return delay

    def remaining(self, key: str, since: float | None = None) -> float:
        """Seconds until another attempt is due, counted from the last failure or from ``since``; 0 when it is."""
        delay, at = self._entries.get(key, (0.0, 0.0))
        now = self._clock()
        if self._expired(at, now if since is None else since):
            return 0.0
        return max(0.0, delay - max(0.0, now - (at if since is None else since)))

    def _expired(self, noted: float, happened: float) -> bool:
        """Whether so much time lies between two failures that the second is a first one again."""
        return happened - noted > 2 * self._maximum

    def delay(self, key: str) -> float:
        """The delay that applies to a key, 0 without failures."""
        return self._entries.get(key, (0.0, 0.0))[0]

    def forget(self, key: str) -> None:
        """Start anew."""
        self._entries.pop(key, None)

    def forget_prefix(self, prefix: str) -> None:
        """Start anew with all keys of that beginning."""
        for key in [key for key in self._entries if key.startswith(prefix)]:
            del self._entries[key]


def go_duration(seconds: float) -> str:
    """A duration as Go prints it: ``10s``, ``2m40s``, ``1.5s``, ``250ms``."""
    if seconds < 1:
        return f"{seconds * 1000:.6g}ms" if seconds else "0s"
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    text = f"{rest:.9g}s"
    if hours:
        return f"{int(hours)}h{int(minutes)}m{text}"
    return f"{int(minutes)}m{text}" if minutes else text
