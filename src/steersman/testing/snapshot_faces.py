"""``cluster.snapshot()``, for those who block and for those who await.

with cluster.snapshot(): ...                        # restored at the end, however that comes
snapshot = cluster.snapshot(); snapshot.restore()   # as often as one likes

async with cluster.snapshot(): ...
snapshot = await cluster.snapshot(); await snapshot.restore()
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

from .faces import Face, awaitable, blocking
from .snapshots import Snapshot
from .thread import LoopThread


class BlockingSnapshot(Face[Snapshot]):
    """A state of the cluster."""

    restore = blocking(Snapshot.restore)
    release = blocking(Snapshot.release)

    def __enter__(self) -> BlockingSnapshot:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        try:
            self.restore()
        finally:
            self.release()


class AsyncSnapshot(Face[Snapshot]):
    """A state of the cluster, once it is awaited or entered."""

    restore = awaitable(Snapshot.restore)
    release = awaitable(Snapshot.release)

    def __init__(self, thread: LoopThread, take: Callable[[], Coroutine[Any, Any, Snapshot]]) -> None:
        self._thread = thread
        self._take = take

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            if name == "_inner":
                raise RuntimeError("the snapshot was not taken yet: snapshot = await cluster.snapshot()")
            raise AttributeError(name)

    async def _taken(self) -> AsyncSnapshot:
        self._inner = await self._thread.reach(self._take())
        return self

    def __await__(self) -> Generator[Any, Any, AsyncSnapshot]:
        return self._taken().__await__()

    async def __aenter__(self) -> AsyncSnapshot:
        return await self._taken()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        __tracebackhide__ = True
        try:
            await self.restore()
        finally:
            await self.release()
