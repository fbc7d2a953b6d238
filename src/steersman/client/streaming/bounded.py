"""A queue of bytes between the reader of a connection and the consumer of one stream."""

from __future__ import annotations

import asyncio
from collections import deque

LIMIT = 256 * 1024


class ByteQueue:
    """Bytes in order, with an end.  Putting waits while more than ``LIMIT`` bytes are unread."""

    def __init__(self) -> None:
        self._parts: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    async def put(self, data: bytes) -> None:
        """Append; what comes after the end is dropped."""
        if not data or self._ended:
            return
        self._parts.append(data)
        self._size += len(data)
        self._readable.set()
        if self._size > LIMIT:
            self._writable.clear()
            await self._writable.wait()

    def end(self) -> None:
        """Nothing more will come; what is queued can still be read."""
        self._ended = True
        self._readable.set()
        self._writable.set()

    async def get(self) -> bytes:
        """Everything that is queued; waits for some, and is empty at the end."""
        while not self._parts and not self._ended:
            self._readable.clear()
            await self._readable.wait()
        data = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        self._writable.set()
        return data
