"""Runs the server's end of a session over a connection that was upgraded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any

from .connection import Connection, Handshake
from .exec_spdy import SPDYExecSession
from .exec_websocket import WebSocketExecSession
from .port_forward import SPDYPortForwardSession, WebSocketTunnel
from .session import PortForwardSession, Streams, StreamSession


@asynccontextmanager
async def running(reader: Coroutine[Any, Any, None], close: Callable[[], None]) -> AsyncIterator[None]:
    """Read from the peer while the block runs; then send what is left and close."""
    task = asyncio.create_task(reader, name="stream session reader")
    try:
        yield
    finally:
        close()
        task.cancel()
        with suppress(asyncio.CancelledError, ConnectionError):
            await task


@asynccontextmanager
async def exec_session(
    handshake: Handshake, connection: Connection, streams: Streams, *, open_timeout: float = 30.0
) -> AsyncIterator[StreamSession]:
    """Speak the agreed protocol for an exec or attach; raises TimeoutError when SPDY's streams do not come."""
    session: SPDYExecSession | WebSocketExecSession
    if handshake.transport == "websocket":
        session = WebSocketExecSession(connection, handshake.protocol, streams)
    else:
        session = SPDYExecSession(connection, handshake.protocol, streams)
    async with running(session.run(), session.close):
        async with asyncio.timeout(open_timeout):
            await session.opened.wait()
        yield session


@asynccontextmanager
async def port_forward_session(handshake: Handshake, connection: Connection) -> AsyncIterator[PortForwardSession]:
    """Speak the agreed protocol for a port forwarding."""
    beneath = connection if handshake.transport == "spdy" else WebSocketTunnel(connection)
    session = SPDYPortForwardSession(beneath)
    async with running(session.run(), session.close):
        yield session
