"""``cluster.clock``: the time that the cluster's parts see, for those who block and who await."""

from __future__ import annotations

from datetime import datetime

from .faces import Face, awaitable, blocking
from .turnable_clock import TurnableClock


class _Clock(Face[TurnableClock]):
    def now(self) -> datetime:
        """The instant, in UTC."""
        return self._inner.now()

    def set(self, instant: datetime) -> None:
        """Change what it shows, forward or back, as when the machine's clock is set: no time passes by that."""
        self._inner.set(instant)


class BlockingClock(_Clock):
    """A :class:`.turnable_clock.TurnableClock` whose methods wait until what time set off has settled."""

    advance = blocking(TurnableClock.advance)
    advance_to = blocking(TurnableClock.advance_to)


class AsyncClock(_Clock):
    """A :class:`.turnable_clock.TurnableClock` for any event loop."""

    advance = awaitable(TurnableClock.advance)
    advance_to = awaitable(TurnableClock.advance_to)
