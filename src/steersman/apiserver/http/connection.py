"""The bytes of a connection after an upgrade, as a :class:`steersman.client.streaming.Connection`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

HIGH_WATER = 256 * 1024


class RawConnection(asyncio.Protocol):
    """Takes a transport over; reading stops while too much is unread."""

    def __init__(self, transport: asyncio.Transport, on_lost: Callable[[], None]) -> None:
        self._transport = transport
        self._on_lost = on_lost
        self._parts: list[bytes] = []
        self._size = 0
        self._ended = False
        self._paused = False
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()

    def feed(self, data: bytes) -> None:
        """Bytes that came in before the takeover."""
        if data:
            self.data_received(data)

    def data_received(self, data: bytes) -> None:
        self._parts.append(bytes(data))
        self._size += len(data)
        self._readable.set()
        if self._size > HIGH_WATER and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool | None:
        self._ended = True
        self._readable.set()
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        self._ended = True
        self._readable.set()
        self._writable.set()
        self._on_lost()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    async def read(self) -> bytes:
        """Whatever came in; empty at the end."""
        while not self._parts and not self._ended:
            self._readable.clear()
            await self._readable.wait()
        data = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        if self._paused and not self._ended:
            self._paused = False
            self._transport.resume_reading()
        return data

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    async def drain(self) -> None:
        await self._writable.wait()

    def close(self) -> None:
        self._transport.close()


def transport_of(value: asyncio.BaseTransport) -> asyncio.Transport:
    """A stream transport as such (uvloop's do not inherit from asyncio's classes)."""
    return cast(asyncio.Transport, value)
