"""One cluster from its start to its end: a directory, a thread, and what runs there."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
from collections.abc import Iterator

from .accesses import Accesses
from .composition import Composition, Settings
from .credentials import Credentials
from .operations import Operations
from .own_directory import OwnDirectory
from .thread import LoopThread, first
from .turnable_clock import TurnableClock


class StartError(RuntimeError):
    """The cluster does not start; its cause says why."""


class Life:
    """``ready`` is done once everything works, or says why it does not."""

    def __init__(self, settings: Settings) -> None:
        self.ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._directory = OwnDirectory()
        self.credentials = Credentials(self._directory.path)
        self.composition = Composition(settings, self.credentials)
        self.accesses = Accesses(self.credentials, self.composition.connect)
        self.operations = Operations(self.composition)
        self.over = False
        """Whether it was told to end."""
        self._clock = settings.clock
        self.thread = LoopThread(self._run, "steersman cluster")
        self.thread.ended.add_done_callback(self._ended)

    @property
    def clock(self) -> TurnableClock:
        """The cluster's, where that can be turned; raises TypeError."""
        if not isinstance(self._clock, TurnableClock):
            raise TypeError("this cluster was given a clock that cannot be turned")
        return self._clock

    def begin(self) -> None:
        """Start; wait for ``ready``."""
        self.thread.start()

    def end(self) -> None:
        """Tell it to end; wait for the thread to have ended, then :meth:`finish`."""
        self.over = True
        self.thread.stop()

    def finish(self) -> None:
        """Remove what is left, once the thread has ended."""
        self.thread.join()
        self._directory.remove()

    async def _run(self) -> None:
        with self._turning():
            async with asyncio.TaskGroup() as group:
                group.create_task(self.composition.run(), name="cluster")
                await self.operations.started()
                self.ready.set_result(None)

    @contextlib.contextmanager
    def _turning(self) -> Iterator[None]:
        """While the cluster runs, its clock knows when what a timer set off has settled."""
        if isinstance(self._clock, TurnableClock) and self._clock.settle is None:
            self._clock.settle = self._calm
            try:
                yield
            finally:
                self._clock.settle = None
        else:
            yield

    async def _calm(self) -> None:
        """On whatever loop the clock is turned."""
        calm = self.composition.settling.calm()
        await (calm if self.thread.is_current else self.thread.reach(calm))

    def _ended(self, ended: concurrent.futures.Future[None]) -> None:
        if not self.ready.done():
            cause = ended.exception()
            failure = StartError(
                f"the cluster does not start: {first(cause) if cause is not None else 'it was stopped'}"
            )
            failure.__cause__ = cause
            self.ready.set_exception(failure)
