"""Carrying the bytes of one connection to another, both ways."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from .connection import Connection

CHUNK = 64 * 1024


class SocketConnection:
    """A pair of asyncio's streams as a :class:`.connection.Connection`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> bytes:
        try:
            return await self._reader.read(CHUNK)
        except OSError:
            return b""

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def drain(self) -> None:
        await self._writer.drain()

    def close(self) -> None:
        self._writer.close()


async def splice(one: Connection, other: Connection) -> None:
    """Copy both ways until either side ends; what was read until then is written.  Close both afterwards."""

    async def copy(source: Connection, target: Connection) -> None:
        while data := await source.read():
            target.write(data)
            await target.drain()

    await first_of(copy(one, other), copy(other, one))


async def first_of(*directions: Coroutine[Any, Any, None]) -> None:
    """Run until one of them ends, then cancel the others; a connection that broke is an end like any other."""
    tasks = [asyncio.create_task(direction, name="stream direction") for direction in directions]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception) and not isinstance(result, OSError):
            raise result
