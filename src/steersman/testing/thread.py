"""A thread with an event loop of its own, and how work gets there."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")

log = logging.getLogger(__name__)

PATIENCE = 0.1
"""Seconds that somebody who asks at the end has to notice it."""


class StoppedError(RuntimeError):
    """The cluster does not run, or ended while it was asked."""


def first(error: BaseException) -> str:
    """What went wrong, rather than in which group of tasks it did."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__


class LoopThread:
    """Runs one coroutine until that ends, or :meth:`stop` is called.

    ``ended`` is done once the loop is closed and nothing of it is left; it carries what the coroutine raised.
    """

    def __init__(self, main: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        self.ended: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._main = main
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._over = False
        """Whether the coroutine has ended, after which nothing that comes is begun any more."""
        self._failure = ""
        self._process = os.getpid()
        self._pending: set[concurrent.futures.Future[Any]] = set()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; what is submitted before the coroutine runs is refused."""
        self._thread.start()

    def stop(self) -> None:
        """Cancel the coroutine; wait for ``ended``, then :meth:`join`."""
        if self._loop is not None and self._task is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._task.cancel)

    def join(self) -> None:
        """Wait for the thread itself, which is about to end once ``ended`` is done."""
        self._thread.join()

    @property
    def is_current(self) -> bool:
        """Whether who asks runs there."""
        return threading.current_thread() is self._thread

    @property
    def is_elsewhere(self) -> bool:
        """Whether it runs in another process, of which this one is a fork."""
        return os.getpid() != self._process

    def _is_over(self) -> bool:
        return self._over

    def submit(self, work: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run something there; raises StoppedError where nothing runs any more."""
        if self.is_elsewhere:
            work.close()
            raise StoppedError("the cluster runs in the process that this is a fork of: ask it by its kubeconfig")
        if self._loop is None or self._is_over():
            work.close()
            raise StoppedError(f"the cluster does not run{self._failure}")
        try:
            future = asyncio.run_coroutine_threadsafe(work, self._loop)
        except RuntimeError as error:  # closed this moment
            work.close()
            raise StoppedError("the cluster does not run") from error
        self._pending.add(future)
        future.add_done_callback(self._pending.discard)
        if self._is_over():  # this moment: perhaps nobody will begin it
            future.cancel()
        return future

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something there, and hold the calling thread until it is done."""
        __tracebackhide__ = True  # pytest shows the test's line, and where it failed
        if self.is_current:
            work.close()
            raise RuntimeError("the cluster cannot be waited for on its own event loop, as in a condition of wait_for")
        future = self.submit(work)
        try:
            error = future.exception()
        except concurrent.futures.CancelledError:
            raise StoppedError(f"the cluster was stopped meanwhile{self._failure}") from None
        finally:
            future.cancel()
        if error is not None:
            raise error  # here: of how a future raises, nobody wants to read
        return future.result()

    async def reach(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something there, from another event loop."""
        __tracebackhide__ = True
        future = self.submit(work)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if future.cancelled() and task is not None and not task.cancelling():
                raise StoppedError(f"the cluster was stopped meanwhile{self._failure}") from None
            raise

    def _run(self) -> None:
        async def main() -> None:
            self._task = asyncio.current_task()
            self._loop = asyncio.get_running_loop()
            try:
                await self._main()
            except asyncio.CancelledError:
                pass
            except BaseException as error:
                self._failure = f": it failed: {first(error)}"
                raise
            finally:
                self._over = True
                for future in [*self._pending]:
                    future.cancel()
            if left := asyncio.all_tasks() - {self._task}:
                _, left = await asyncio.wait(left, timeout=PATIENCE)  # those just cancelled have their turn
            if left:
                log.warning("tasks were left: %s", ", ".join(sorted(task.get_name() for task in left if task)))

        try:
            uvloop.run(main())
        except BaseException as error:
            self.ended.set_exception(error)
        else:
            self.ended.set_result(None)
