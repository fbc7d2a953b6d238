"""A server on a loopback port, and a client that speaks bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from steersman.apiserver.endpoints.pipeline import timeout_answer, too_large_answer
from steersman.apiserver.http.limits import Limits
from steersman.apiserver.http.messages import Handler
from steersman.apiserver.http.server import HTTPServer


@asynccontextmanager
async def serving(
    handler: Handler, limits: Limits | None = None, *, passes_on: Callable[[bytes], bool] = lambda target: False
) -> AsyncIterator[tuple[HTTPServer, int]]:
    limits = limits or Limits()
    server = HTTPServer(
        handler,
        timeout_answer=timeout_answer,
        too_large_answer=lambda: too_large_answer(limits.body_bytes),
        limits=limits,
        passes_on=passes_on,
    )
    port = await server.start("127.0.0.1", 0, None)
    try:
        yield server, port
    finally:
        await server.stop()


async def converse(port: int, data: bytes, *, until_close: bool = True, timeout: float = 5) -> bytes:
    """Send bytes, return all that comes back until the server closes (or pauses, where it does not)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        async with asyncio.timeout(timeout):
            return await reader.read() if until_close else await reader.read(1 << 20)
    finally:
        writer.close()


def masked(answer: bytes) -> str:
    """An answer without what differs from run to run."""
    return "\n".join(line for line in answer.decode().split("\r\n") if not line.startswith("Date: "))
