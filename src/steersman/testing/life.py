"""One cluster from its start to its end: a directory, a thread, and what runs there."""

from __future__ import annotations

import asyncio
import concurrent.futures
import tempfile
from pathlib import Path

from .composition import Composition, Settings
from .credentials import Credentials
from .operations import Operations
from .thread import LoopThread


class StartError(RuntimeError):
    """The cluster does not start; its cause says why."""


class Life:
    """``ready`` is done once everything works, or says why it does not."""

    def __init__(self, settings: Settings) -> None:
        self.ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._directory = tempfile.TemporaryDirectory(prefix="steersman-testing-", ignore_cleanup_errors=True)
        self.credentials = Credentials(Path(self._directory.name))
        self.composition = Composition(settings, self.credentials)
        self.operations = Operations(self.composition)
        self.thread = LoopThread(self._run, "steersman cluster")
        self.thread.ended.add_done_callback(self._ended)

    def begin(self) -> None:
        """Start; wait for ``ready``."""
        self.thread.start()

    def finish(self) -> None:
        """Remove what is left, once the thread has ended."""
        self.thread.join()
        self._directory.cleanup()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.composition.run(), name="cluster")
            await self.operations.started()
            self.ready.set_result(None)

    def _ended(self, ended: concurrent.futures.Future[None]) -> None:
        if not self.ready.done():
            failure = StartError("the cluster does not start")
            failure.__cause__ = ended.exception()
            self.ready.set_exception(failure)
