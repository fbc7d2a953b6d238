"""What goes wrong with many objects alike is logged as one."""

from __future__ import annotations

import logging

from steersman.api.clock import Clock

log = logging.getLogger(__name__)

PAUSE = 60.0
"""Seconds between two lines about the same."""


class Complaints:
    """A line about the first object of a stage that fails, then no more than one a minute, which counts the others."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def log(self, stage: str, whose: str, error: BaseException, *, trace: bool = False) -> None:
        """Say it, or count it; with ``trace``, say where it comes from, too."""
        instant = self._clock.monotonic()
        if stage in self._last and instant - self._last[stage] < PAUSE:
            self._unsaid[stage] = self._unsaid.get(stage, 0) + 1
            return
        self._last[stage] = instant
        others = self._unsaid.pop(stage, 0)
        more = f" ({others} more failures of this stage before)" if others else ""
        log.warning("stage %s of %s: %s%s", stage, whose, error or repr(error), more, exc_info=error if trace else None)
