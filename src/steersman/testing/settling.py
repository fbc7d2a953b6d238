"""Waiting until a cluster has come to rest: nobody has anything to do, and nothing is on its way to anybody.

Every part says what it is doing (:class:`Part`); nothing is guessed from silence.  What waits for time to pass counts
only where that is a moment (``soon``): a key that failed is tried again after milliseconds, a job's deadline is not
waited for.  Clients outside of the cluster are not looked at beyond the requests that they have under way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from steersman.api.clock import SYSTEM, Clock

from .turnable_clock import TurnableClock

SOON = 0.1
"""Seconds within which what waits is waited for."""

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


class NotSettled(TimeoutError):
    """The cluster did not come to rest in time; ``unfinished`` says what it was doing."""

    def __init__(self, within: float, unfinished: list[str]) -> None:
        lines = "".join(f"\n  {line}" for line in unfinished[:20]) or "\n  new writes, one after the other"
        super().__init__(f"the cluster has not come to rest within {within:g} s:{lines}")
        self.unfinished = unfinished


class Settling:
    """``parts`` are asked each time for those there are now, the one likeliest to be busy first."""

    def __init__(self, parts: Callable[[], Iterable[Part]], revision: Callable[[], int], clock: Clock = SYSTEM) -> None:
        self._parts = parts
        self._revision = revision
        self._clock = clock

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
                raise NotSettled(within, self.unfinished())
            await asyncio.sleep(_PAUSE if quiet == 0 and turns > _IMPATIENT else 0)
