"""A clock that tests turn: an hour passes at once, timer by timer, each at its own instant."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import threading
import time
from collections.abc import Awaitable, Callable, MutableSet
from datetime import UTC, datetime, timedelta
from itertools import count

from steersman.api.clock import Timer

from . import numbers
from .turns import Turns

YIELDS = 10
"""How often loops get their turn after each timer where nobody says when what it set off has settled."""

ELSEWHERE = 0.5
"""Real seconds that another loop has for that; one that is held up, perhaps by who advances, is waited for no more."""


class _Timer:
    """``handle`` is there while real time may fire it."""

    __slots__ = ("callback", "clock", "due", "handle", "loop", "number")

    def __init__(
        self,
        clock: TurnableClock,
        number: int,
        due: float,
        callback: Callable[[], object],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.clock = clock
        self.number = number
        self.due = due
        self.callback = callback
        self.loop = loop
        self.handle: asyncio.TimerHandle | None = None

    def __lt__(self, other: _Timer) -> bool:
        return (self.due, self.number) < (other.due, other.number)

    def cancel(self) -> None:
        self.clock._drop(self)


class TurnableClock:
    """Goes as the machine's does, or stands still where it is ``frozen``, until somebody turns it.

    :meth:`advance` goes from timer to timer in order.  At each it stands still until what the timer set off has
    settled, so that nobody misses a turn: heartbeats go on while an hour passes.  What has settled is for ``settle``
    to say, which is awaited on the loop that advances; other loops that have timers get their turn before.

    With a ``grain``, the timers of so many seconds are let go one after the other, and what they set off settles once:
    cheaper where there are thousands.

    All may be called from any thread and awaited on any loop; who advances while another does comes after it.  A turn
    costs what happens in it, heartbeats included: about a second an hour for a cluster at rest.  For months there is
    :meth:`set`, by which nothing happens.  ``start`` is the instant at which it begins, the machine's where it is None;
    :meth:`monotonic` begins at zero.
    """

    def __init__(
        self,
        start: datetime | None = None,
        *,
        frozen: bool = False,
        settle: Callable[[], Awaitable[object]] | None = None,
        grain: float = 0.0,
    ) -> None:
        self.settle = settle
        self._grain = grain
        self.frozen = frozen
        self._zero = start or datetime.now(UTC)
        """The instant at which :meth:`monotonic` was zero."""
        self._offset = -time.monotonic()
        self._held: float | None = 0.0 if frozen else None
        """Where it stands, while it does."""
        self._lock = threading.RLock()
        self._numbers = count()
        self._timers: set[_Timer] = set()
        self._due: list[_Timer] | None = None
        """While it is turned: a heap of the timers; those that are no longer in ``_timers`` were cancelled."""
        self._turning = Turns()

    # What components see ------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The instant, in UTC."""
        return self._zero + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Seconds since it was made, turned ones included."""
        held = self._held
        return time.monotonic() + self._offset if held is None else held

    @property
    def stands(self) -> bool:
        """Whether no time passes by itself now."""
        return self._held is not None

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        """Call back on the running loop once so much time has passed, by itself or by being turned."""
        with self._lock:
            due = self.monotonic() + max(delay, 0.0)
            timer = _Timer(self, next(self._numbers), due, callback, asyncio.get_running_loop())
            self._timers.add(timer)
            if self._due is not None:
                heapq.heappush(self._due, timer)
            elif self._held is None:
                timer.handle = timer.loop.call_later(max(delay, 0.0), self._ring, timer)
            return timer

    async def sleep(self, delay: float) -> None:
        """Wait until so much time has passed."""
        if delay <= 0:
            await asyncio.sleep(0)
            return
        over = asyncio.Event()
        timer = self.call_later(delay, over.set)
        try:
            await over.wait()
        finally:
            timer.cancel()

    # What tests do ------------------------------------------------------------------------------------------------

    async def advance(self, by: float | timedelta | str) -> None:
        """Let time pass: seconds, a ``timedelta``, or ``1h30m``."""
        __tracebackhide__ = True
        seconds = numbers.seconds(by)
        if seconds < 0:
            raise ValueError("time does not go back; set() changes what the clock shows")
        async with self._turning:
            await self._turn(lambda: self.monotonic() + seconds)

    async def advance_to(self, instant: datetime) -> None:
        """Let time pass until an instant; raises ValueError where that is over."""
        _check(instant)
        async with self._turning:
            if instant < self.now():
                raise ValueError(f"{instant:%Y-%m-%d %H:%M:%S} is over")
            await self._turn(lambda: (instant - self._zero).total_seconds())

    def set(self, instant: datetime) -> None:
        """Change what it shows, forward or back, as when the machine's clock is set: no time passes by that."""
        _check(instant)
        with self._lock:
            self._zero = instant - timedelta(seconds=self.monotonic())

    def mark(self) -> datetime:
        """For :meth:`show_again`."""
        with self._lock:
            return self._zero + timedelta(seconds=self.monotonic() if self.frozen else self._offset)

    def show_again(self, mark: datetime) -> None:
        """Show what it would, had nobody turned or set it since the mark: as :meth:`set` does, no time passes."""
        with self._lock:
            self._zero += mark - self.mark()

    # Turning ------------------------------------------------------------------------------------------------------

    async def _turn(self, goal: Callable[[], float]) -> None:
        with self._lock:
            target = goal()
            self._held = self.monotonic()
            self._due = [*self._timers]
            heapq.heapify(self._due)
            loops = {timer.loop for timer in self._due} - {asyncio.get_running_loop()}
        try:
            await self._settled(loops)
            while batch := self._next(target):
                for timer in batch:
                    self._fire(timer)
                loops |= {timer.loop for timer in batch} - {asyncio.get_running_loop()}
                await self._settled(loops)
            with self._lock:
                self._held = max(target, self._held)
        finally:
            self._go_on()

    def _next(self, target: float) -> list[_Timer]:
        """The timers that are due at the next instant at which any are, until the target."""
        with self._lock:
            assert self._due is not None
            heap, batch, last = self._due, list[_Timer](), target
            while heap and heap[0].due <= last:
                timer = heapq.heappop(heap)
                if timer in self._timers:
                    if not batch:
                        last = min(target, max(timer.due, self.monotonic()) + self._grain)
                    batch.append(timer)
            return batch

    def _fire(self, timer: _Timer) -> None:
        with self._lock:
            if timer not in self._timers:
                return  # another one of the same instant cancelled it
            self._timers.discard(timer)
            self._held = max(self.monotonic(), timer.due)
        if timer.loop is asyncio.get_running_loop():
            _call(timer)
        else:
            with contextlib.suppress(RuntimeError):  # its loop has ended
                timer.loop.call_soon_threadsafe(_call, timer)

    async def _settled(self, loops: MutableSet[asyncio.AbstractEventLoop]) -> None:
        for loop in [*loops]:
            if loop.is_running():
                turned = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_turns(), loop))
                await asyncio.wait({turned}, timeout=ELSEWHERE)
                if turned.done():
                    continue
            loops.discard(loop)
        await (_turns() if self.settle is None else self.settle())

    def _go_on(self) -> None:
        """Let real time fire again what is still to come."""
        with self._lock:
            assert self._held is not None
            self._due = None
            if self.frozen:
                return
            self._offset = self._held - time.monotonic()
            self._held = None
            here = asyncio.get_running_loop()
            for timer in self._timers:
                if timer.loop is here:
                    self._arm(timer)
                else:
                    with contextlib.suppress(RuntimeError):
                        timer.loop.call_soon_threadsafe(self._arm, timer)

    def _arm(self, timer: _Timer) -> None:
        with self._lock:
            if timer.handle is not None:
                timer.handle.cancel()
                timer.handle = None
            if timer in self._timers and self._held is None:
                timer.handle = timer.loop.call_later(max(0.0, timer.due - self.monotonic()), self._ring, timer)

    def _ring(self, timer: _Timer) -> None:
        """Real time has reached a timer."""
        with self._lock:
            timer.handle = None
            if timer not in self._timers or self._held is not None:
                return  # while it is turned, its turn comes in order
            self._timers.discard(timer)
        _call(timer)

    def _drop(self, timer: _Timer) -> None:
        with self._lock:
            self._timers.discard(timer)
            if timer.handle is not None:
                timer.handle.cancel()
                timer.handle = None


def _call(timer: _Timer) -> None:
    try:
        timer.callback()
    except Exception as error:  # as a loop does, which goes on
        timer.loop.call_exception_handler({"message": "a timer's callback failed", "exception": error})


async def _turns() -> None:
    for _ in range(YIELDS):
        await asyncio.sleep(0)


def _check(instant: datetime) -> None:
    """Raises TypeError for what is no instant, ValueError for one of no time zone."""
    if not isinstance(instant, datetime):
        raise TypeError(f"{instant!r} is no datetime, such as datetime(2030, 1, 1, tzinfo=UTC)")
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no time zone; give it one, such as datetime(…, tzinfo=UTC)")
