"""A request's body that is read while it arrives, for requests that are passed on."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable

HIGH_WATER = 256 * 1024


class IncomingBody:
    """Bytes from a connection that is not read from (``pause``) while too many of them are unread."""

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause = pause
        self._resume = resume
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._lost = False
        self._readable = asyncio.Event()
        self.complete = False
        """Whether all of it has arrived."""

    def feed(self, data: bytes) -> None:
        """Bytes that came in."""
        self._parts.append(data)
        self._size += len(data)
        self._readable.set()
        if self._size > HIGH_WATER:
            self._pause()

    def end(self) -> None:
        """All of it has come in."""
        self.complete = True
        self._readable.set()

    def lose(self) -> None:
        """The peer has gone before the end."""
        self._lost = True
        self._readable.set()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The body in pieces; raises ConnectionError where its end never comes."""
        while True:
            while self._parts:
                data = self._parts.popleft()
                before, self._size = self._size, self._size - len(data)
                if before > HIGH_WATER >= self._size:
                    self._resume()
                yield data
            if self.complete:
                return
            if self._lost:
                raise ConnectionResetError("the client went away within its request")
            self._readable.clear()
            await self._readable.wait()
