"""The open watches of a cluster's clients, which can be ended by those who test what comes of that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

from steersman.apiserver.http.messages import Severed, Stream, StreamWriter

from .selection import Asked

End = Literal["cut", "clean"]
"""How a watch ends: the connection is cut, or the answer ends as if the server's time were up."""

FLUSH = 0.005
"""Seconds in which what was written leaves, before a connection is cut."""


class OpenWatch:
    """One of them."""

    def __init__(self, asked: Asked, task: asyncio.Task[object]) -> None:
        self.asked = asked
        self.how: End | None = None
        self._task = task

    def end(self, how: End) -> None:
        """End it; the first who says how is heard."""
        if self.how is None:
            self.how = how
            self._task.cancel()


class Watches:
    """All that are open."""

    def __init__(self) -> None:
        self._open: dict[OpenWatch, None] = {}

    def end(self, chooses: Callable[[Asked], bool], how: End) -> int:
        """End those that are chosen; how many they are."""
        chosen = [watch for watch in self._open if chooses(watch.asked)]
        for watch in chosen:
            watch.end(how)
        return len(chosen)

    def follow(self, asked: Asked, stream: Stream, limit: tuple[int, End] | None = None) -> None:
        """Know of a watch that begins, and end it after so many events where there is a limit."""
        carry = stream.run

        async def run(writer: StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            watch = OpenWatch(asked, task)
            self._open[watch] = None
            try:
                await carry(writer if limit is None else _Counting(writer, watch, *limit))
            except asyncio.CancelledError:
                if watch.how is None:
                    raise
                task.uncancel()
                await asyncio.sleep(FLUSH)
            finally:
                del self._open[watch]
            if watch.how == "cut":
                raise Severed

        stream.run = run


class _Counting:
    """A writer that ends its watch with the last event that may be written."""

    def __init__(self, writer: StreamWriter, watch: OpenWatch, limit: int, how: End) -> None:
        self._writer = writer
        self._watch = watch
        self._left = limit
        self._how = how

    def write(self, data: bytes) -> None:
        if self._watch.how is None:
            self._writer.write(data)
            if b'"type":"BOOKMARK"' not in data[:32]:
                self._count()

    def write_framed(self, chunk: bytes) -> None:
        if self._watch.how is None:
            self._writer.write_framed(chunk)
            self._count()

    def _count(self) -> None:
        self._left -= 1
        if self._left <= 0:
            self._watch.end(self._how)

    @property
    def buffered(self) -> int:
        return self._writer.buffered

    async def drain(self) -> None:
        await self._writer.drain()

    @property
    def closed(self) -> asyncio.Event:
        return self._writer.closed
