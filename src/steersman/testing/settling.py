"""Waiting until a cluster has come to rest.

Rest: nobody has anything to do, nothing is on its way to anybody, and who waits to try again, or to look again, has
done so in the world as it is, in vain.

Every part says what it is doing (:class:`Part`); nothing is guessed from silence.  Back-offs and the pauses between two
looks (:data:`IMMINENT`) are not waited for but ended, over and over, until those who wait are the ones who waited
before: pods that may fit by now, keys that controllers failed at, what may be empty by now.  So nobody moves the world
a few seconds later, and nobody is late where time does not pass; but for who gets on with each try and still waits.
What waits for its time, a deadline, a stage's delay, a period, is at rest, unless it comes in a moment (:data:`SOON`);
what waits for somebody else is.  Clients outside of the cluster are not looked at beyond the requests that they have
under way.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from steersman.api.clock import SYSTEM, Clock

from .turnable_clock import TurnableClock

__tracebackhide__ = True  # pytest shows what the test asked for

SOON = 0.1
"""Seconds within which what waits for its time is waited for."""

IMMINENT = 20.0
"""Seconds within which what is to be looked at again is looked at now."""

TURNS = 2
"""So often in a row, with a turn of the loop before each, nobody must have anything to do before that is believed."""

_IMPATIENT = 50
_PAUSE = 0.001
"""After so many turns of the loop, it is looked for rest every millisecond alone: who works needs the processor."""


class Part(Protocol):
    """What can be at work."""

    def unfinished(self, soon: float = 0.0) -> Iterator[str]:
        """What it is doing, in words, and what it will do by itself within ``soon`` seconds; nothing while at rest."""
        ...


class Retrying(Protocol):
    """What tries again after a while what failed, and looks again whether something has come about."""

    def hurry(self, within: float) -> list[str]:
        """Do now what was to come within so many seconds, and what failed, however long that waits; what that is.

        It does not count as a failure that lengthens the next wait.
        """
        ...


class Pausing(Protocol):
    """What can let be what it sees, for a while."""

    def pause(self, paused: bool) -> None:
        """Begin nothing, or go on; what was begun is finished, and only that counts as unfinished."""
        ...


class NotSettled(TimeoutError):
    """The cluster did not come to rest in time; ``unfinished`` says what it was doing."""

    def __init__(self, within: float, unfinished: Sequence[str]) -> None:
        lines = "".join(f"\n  {line}" for line in unfinished[:20]) or "\n  new writes, one after the other"
        super().__init__(f"the cluster has not come to rest within {within:g} s:{lines}")
        self.unfinished = unfinished


class Settling:
    """``parts`` are asked each time for those there are now, the one likeliest to be busy first."""

    def __init__(
        self,
        parts: Callable[[], Iterable[Part]],
        revision: Callable[[], int],
        clock: Clock = SYSTEM,
        retrying: Callable[[], Iterable[Retrying]] = tuple,
        pausing: Callable[[], Iterable[Pausing]] = tuple,
    ) -> None:
        self._parts = parts
        self._revision = revision
        self._clock = clock
        self._retrying = retrying
        self._pausing = pausing

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Let nobody begin anything who reconciles the world: it can be changed in parts, and be seen as a whole."""
        parts = [*self._pausing()]
        for part in parts:
            part.pause(True)
        try:
            yield
        finally:
            for part in parts:
                part.pause(False)

    @property
    def _soon(self) -> float:
        """Nothing comes by itself while the clock stands."""
        return 0.0 if isinstance(self._clock, TurnableClock) and self._clock.stands else SOON

    def unfinished(self) -> list[str]:
        """What is going on now."""
        return [what for part in self._parts() for what in part.unfinished(self._soon)]

    async def wait(self, within: float = 10.0) -> None:
        """Wait until all are at rest; raises NotSettled after so many seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + within
        await self._calm(within, deadline)
        before: list[str] = []
        while now := sorted(self._hurry()):
            await self._calm(within, deadline, now)
            if now == before:
                return
            if loop.time() > deadline:
                raise NotSettled(within, now)
            before = now

    def _hurry(self) -> list[str]:
        return [what for part in self._retrying() for what in part.hurry(IMMINENT)]

    async def calm(self, within: float = 10.0) -> None:
        """Wait until nobody does anything; who waits to try again is left to wait.  Raises NotSettled."""
        await self._calm(within, asyncio.get_running_loop().time() + within)

    async def _calm(self, within: float, deadline: float, trying: Sequence[str] = ()) -> None:
        loop = asyncio.get_running_loop()
        quiet, turns, revision = 0, 0, -1
        while True:
            now = self._revision()
            if now != revision:
                quiet = 0  # whoever is told of that has something to do
            else:
                soon = self._soon
                quiet = 0 if any(True for part in self._parts() for _ in part.unfinished(soon)) else quiet + 1
            if quiet == TURNS:
                return
            revision = now
            turns += 1
            if loop.time() > deadline:
                raise NotSettled(within, self.unfinished() or trying)
            await asyncio.sleep(_PAUSE if quiet == 0 and turns > _IMPATIENT else 0)
