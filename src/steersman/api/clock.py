"""What time it is, and what happens once some of it has passed: components are given one, so that tests may turn it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime
from typing import Protocol


class Timer(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """Let it not come; nothing where it came already."""
        ...


class Clock(Protocol):
    """Time as a component sees it.  Instants of :meth:`monotonic` and delays are in seconds.

    :meth:`call_later` and :meth:`sleep` are for the event loop that the component runs on.
    """

    def now(self) -> datetime:
        """The instant, in UTC, with microseconds."""
        ...

    def monotonic(self) -> float:
        """Seconds since some instant; never goes back."""
        ...

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call back on the loop once so much time has passed."""
        ...

    async def sleep(self, delay: float) -> None:
        """Wait until so much time has passed."""
        ...


class SystemClock:
    """The machine's."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        return asyncio.get_running_loop().call_later(delay, callback)

    async def sleep(self, delay: float) -> None:
        await asyncio.sleep(delay)


SYSTEM: Clock = SystemClock()


@contextlib.asynccontextmanager
async def within(seconds: float, clock: Clock) -> AsyncGenerator[asyncio.Timeout]:
    """:func:`asyncio.timeout` by a clock: raises TimeoutError once so much time has passed."""
    async with asyncio.timeout(None) as limit:
        loop = asyncio.get_running_loop()
        timer = clock.call_later(seconds, lambda: limit.reschedule(loop.time()))
        try:
            yield limit
        finally:
            timer.cancel()
