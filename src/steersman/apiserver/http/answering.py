"""Answers into bytes: heads, bodies in pieces no larger than a slow client may keep, and streams.

One answer is written at a time; who asks for the next waits until the transport has taken this one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from .messages import Request, Response, Stream, chunk
from .warning import warning_headers
from .writing import gzip, head

if TYPE_CHECKING:
    from .server import HTTPServer

_AT_ONCE = 64 * 1024
"""Up to so many bytes, head and body leave as one buffer."""


class Answers:
    """What goes out on one connection."""

    def __init__(self, transport: asyncio.Transport, server: HTTPServer) -> None:
        self._transport = transport
        self._server = server
        self._writable: asyncio.Event | None = None
        self._writer: ChunkedWriter | None = None

    def pause(self) -> None:
        """The transport's buffer is full."""
        self._writable = asyncio.Event()

    def resume(self) -> None:
        """The transport's buffer is small again, or nobody takes it any more."""
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    async def drain(self) -> None:
        """Wait until the write buffer is small."""
        if self._writable is not None:
            await self._writable.wait()

    @property
    def streaming(self) -> bool:
        """Whether the body of a stream is open."""
        return self._writer is not None

    def end_stream(self) -> None:
        """Let nothing more be written to an open stream, and say so to who writes it."""
        if self._writer is not None:
            self._writer.end()

    async def respond(self, request: Request, response: Response, keep_alive: bool) -> None:
        """Write a complete response."""
        if response.later is not None:
            response.body = await self._server.loop.run_in_executor(None, response.later)
        body: Iterable[bytes] = (response.body,) if isinstance(response.body, bytes) else response.body
        size = response.size if response.size is not None else sum(map(len, body))
        headers = response.headers
        if size > self._server.limits.gzip_threshold and _accepts_gzip(request):
            body = await self._server.loop.run_in_executor(None, gzip, body)
            size = sum(map(len, body))
            headers = {**headers, "Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        status = response.status
        start = head(
            status,
            headers,
            response.content_type if size or status not in (204, 304) else "",
            self._server.clock,
            length=size if status not in (204, 304) and status >= 200 else None,
            close=not keep_alive,
            extra=warning_headers(request.warnings) if request.warnings else (),
        )
        if request.method == "HEAD":
            self._transport.write(start)
        elif size <= _AT_ONCE:
            self._transport.write(b"".join((start, *body)))
        else:
            self._transport.write(start)
            for part in _pieces(body):
                self._transport.write(part)
                await self.drain()
        await self.drain()

    async def stream(self, request: Request, stream: Stream, keep_alive: bool, chunked: bool) -> None:
        """Write a response whose body is made meanwhile."""
        warnings = warning_headers(request.warnings) if request.warnings else ()
        bodiless = request.method == "HEAD" or stream.status in (204, 304)
        self._transport.write(
            head(
                stream.status,
                stream.headers,
                stream.content_type,
                self._server.clock,
                length=stream.length,
                chunked=chunked and stream.status not in (204, 304),
                close=not keep_alive,
                extra=(*stream.lines, *warnings),
            )
        )
        if bodiless:
            stream.abandon()
            return
        writer = self._writer = ChunkedWriter(self._transport, self, chunked=chunked)
        try:
            if self._server.stopping:
                stream.abandon()
            else:
                await stream.run(writer)
        finally:
            writer.end()
            self._writer = None
        if chunked and not self._transport.is_closing():
            self._transport.write(b"0\r\n\r\n")


class ChunkedWriter:
    """The open body of a streamed response; see :class:`.messages.StreamWriter`."""

    def __init__(self, transport: asyncio.Transport, answers: Answers, *, chunked: bool) -> None:
        self._transport = transport
        self._answers = answers
        self._chunked = chunked
        self.closed = asyncio.Event()
        # A thousand watchers hear of one change: nothing stands between them and their transports.
        self.write_framed: Callable[[bytes], None] = transport.write if chunked else self._write_unframed

    def write(self, data: bytes) -> None:
        if data and not self.closed.is_set():
            self._transport.write(chunk(data) if self._chunked else data)

    def _write_unframed(self, chunk: bytes) -> None:
        self._transport.write(chunk[chunk.index(b"\r\n") + 2 : -2])

    def end(self) -> None:
        """Let nothing more be written."""
        self.write_framed = _discard
        self.closed.set()

    @property
    def buffered(self) -> int:
        return self._transport.get_write_buffer_size()

    async def drain(self) -> None:
        await self._answers.drain()


def _discard(data: bytes) -> None:
    pass


def _pieces(body: Iterable[bytes]) -> Iterator[bytes]:
    """Many small buffers as few larger ones; large ones as they are."""
    gathered: list[bytes] = []
    size = 0
    for part in body:
        if not gathered and len(part) >= 16 * 1024:
            yield part
            continue
        gathered.append(part)
        size += len(part)
        if size >= 64 * 1024:
            yield b"".join(gathered)
            gathered.clear()
            size = 0
    if gathered:
        yield b"".join(gathered)


def _accepts_gzip(request: Request) -> bool:
    return any(coding.strip() == "gzip" for coding in request.headers.get("accept-encoding", "").split(","))
