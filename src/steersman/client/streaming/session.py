"""What a server of exec, attach and port-forward works with, whichever protocol the client chose.

::

    handshake = negotiate(request_headers)                    # HandshakeError: answer 400
    ... answer 101 with handshake.headers; connection is the raw byte stream from there on ...
    async with exec_session(handshake, connection, Streams(stdin=True, stdout=True, stderr=True)) as session:
        while data := await session.read_stdin(): ...
        session.write_stdout(b"..."); await session.drain()
        session.finish(Status(status="Success"))              # or a Failure with the exit code as cause

    async with port_forward_session(handshake, connection) as forward:
        while (stream := await forward.accept()) is not None:
            ... one task per stream: read()/write()/drain()/eof(), fail("text") on trouble ...

Leaving the context sends what is left and closes the connection.  Every queue is bounded: a client that
outruns the consumer is no longer read from.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple, Protocol

import msgspec

from steersman.api.types.meta_v1 import Status


class Streams(msgspec.Struct, frozen=True):
    """Which streams an exec or attach carries; with a terminal there is no stderr, and resizes may come."""

    stdin: bool = False
    stdout: bool = False
    stderr: bool = False
    tty: bool = False


class TerminalSize(NamedTuple):
    """The size of the client's terminal, in characters."""

    width: int
    height: int


class StreamSession(Protocol):
    """The server's end of one exec or attach."""

    closed: asyncio.Event
    """Set when the client has gone."""

    async def read_stdin(self) -> bytes:
        """The next bytes; empty when the client closed its end or has gone."""
        ...

    async def next_resize(self) -> TerminalSize | None:
        """The next size of the terminal; None when no more will come."""
        ...

    def write_stdout(self, data: bytes) -> None: ...

    def write_stderr(self, data: bytes) -> None: ...

    async def drain(self) -> None:
        """Wait until the client has taken enough."""
        ...

    def finish(self, status: Status) -> None:
        """Report how it ended.

        ``Status(status="Success")``; for a non-zero exit a Failure with reason ``NonZeroExitCode``, details with
        the cause ``StatusCause(reason="ExitCode", message="<code>")`` and the message
        ``command terminated with non-zero exit code: ...``.
        """
        ...


class PortForwardStream(Protocol):
    """One forwarded connection."""

    port: int

    async def read(self) -> bytes:
        """The next bytes from the client; empty at their end."""
        ...

    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None: ...

    def eof(self) -> None:
        """Nothing more will be written."""
        ...

    def fail(self, message: str) -> None:
        """Tell the client what went wrong, and end the stream."""
        ...


class PortForwardSession(Protocol):
    """The server's end of one port forwarding."""

    async def accept(self) -> PortForwardStream | None:
        """The next connection that the client opens; None when the client has gone."""
        ...
