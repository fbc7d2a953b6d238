"""The wait before another attempt, which whoever wants to know sooner may end."""

from __future__ import annotations

import asyncio

from steersman.api.clock import Clock


class Pause:
    """One at a time.  It is over by whichever of the clocks says so first."""

    def __init__(self, *clocks: Clock) -> None:
        self._clocks = clocks
        self._end: asyncio.Event | None = None

    @property
    def lasts(self) -> bool:
        """Whether somebody waits, and is not to go on yet."""
        return self._end is not None and not self._end.is_set()

    def end(self) -> bool:
        """Let whoever waits go on at once; whether there is somebody."""
        if self._end is None:
            return False
        self._end.set()
        return True

    async def is_ended_within(self, seconds: float) -> bool:
        """Wait so many seconds at most; whether it was ended before."""
        over = False

        def expire() -> None:
            nonlocal over
            over = True
            end.set()

        end = self._end = asyncio.Event()
        timers = [clock.call_later(seconds, expire) for clock in self._clocks]
        try:
            await end.wait()
        finally:
            self._end = None
            for timer in timers:
                timer.cancel()
        return not over
