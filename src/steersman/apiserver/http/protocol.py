"""One HTTP/1.1 connection: requests in, answers out, in order.

A request is read whole, handled by a task of its own, and answered before the next one of the connection is
begun; pipelined requests wait, and beyond a few of them reading stops.  The invariant of the two halves:
``_current`` is the request being handled (at most one), ``_waiting`` holds complete requests behind it, and
``_refusal`` is the last answer where what came behind those is no request: nothing is read after that.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httptools

from .body import IncomingBody
from .connection import RawConnection, transport_of
from .messages import Answer, Request, Response, Stream, Upgrade, chunk
from .warning import warning_headers
from .writing import gzip, head, plain_error

if TYPE_CHECKING:
    from .server import HTTPServer

logger = logging.getLogger(__name__)


class ChunkedWriter:
    """The open body of a streamed response; see :class:`.messages.StreamWriter`."""

    def __init__(self, protocol: HTTPProtocol, *, chunked: bool) -> None:
        self._protocol = protocol
        self._transport = protocol.transport
        self._chunked = chunked
        self.closed = asyncio.Event()
        # A thousand watchers hear of one change: nothing stands between them and their transports.
        self.write_framed: Callable[[bytes], None] = self._transport.write if chunked else self._write_unframed

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
        await self._protocol.drain()


def _discard(data: bytes) -> None:
    pass


class HTTPProtocol(asyncio.Protocol):
    """See the module."""

    transport: asyncio.Transport

    def __init__(self, server: HTTPServer) -> None:
        self._server = server
        self._parser: Any = httptools.HttpRequestParser(self)
        self._peer: bytes | None = None
        self._tls = False
        self._remote: tuple[str, int] = ("", 0)
        self._url = b""
        self._headers: dict[str, str] = {}
        self._repeated: dict[str, list[str]] = {}
        self._header_bytes = 0
        self._header_count = 0
        self._trailers = False
        self._expecting = False
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._incoming: IncomingBody | None = None
        self._handled: Request | None = None
        self._waiting: deque[tuple[Request, bool, bool]] = deque()
        self._current: asyncio.Task[None] | None = None
        self._writer: ChunkedWriter | None = None
        self._raw: RawConnection | None = None
        self._upgrade_tail: bytes | None = None
        self._paused = False
        self._closing = False
        self._refusal: bytes | None = None
        self._ended = False
        self._timed_out = False
        self._writable: asyncio.Event | None = None
        self.reading_since: float | None = None
        self.idle_since = 0.0
        self.handling_since: float | None = None
        self.streaming = False

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport_of(transport)
        self.idle_since = self._server.now()
        self.reading_since = None
        if (tls := transport.get_extra_info("ssl_object")) is not None:
            self._tls = True
            self._peer = tls.getpeercert(True)
        address = transport.get_extra_info("peername")
        if address:
            self._remote = (address[0], address[1])
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self._closing = True
        self._waiting.clear()
        if self._writable is not None:
            self._writable.set()
        if self._incoming is not None:
            self._incoming.lose()
        if self._writer is not None:
            self._writer.end()
        if self._current is not None and (self._writer is not None or self._passing_on):
            self._current.cancel()

    def pause_writing(self) -> None:
        self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    async def drain(self) -> None:
        """Wait until the write buffer is small."""
        if self._writable is not None:
            await self._writable.wait()

    @property
    def _deaf(self) -> bool:
        return self._closing or self._refusal is not None

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        if self._upgrade_tail is not None:
            self._upgrade_tail += data
            return
        if self.reading_since is None:
            self.reading_since = self._server.now()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._upgrading() and not self._deaf:
                self._upgrade_tail = bytes(data[upgrade.args[0] :])
                self._pause()
        except httptools.HttpParserError:
            if not self._deaf:
                self._refuse(400)

    def _upgrading(self) -> bool:
        return self._upgrade_tail is not None

    def eof_received(self) -> bool | None:
        # A half-closed client that waits for its answer gets it; TLS has no half-closed connections.
        self._ended = True
        return self._current is not None and not self.streaming and not self._tls and not self._passing_on

    @property
    def _passing_on(self) -> bool:
        return self._handled is not None and self._handled.incoming is not None

    # The parser's side.

    def on_message_begin(self) -> None:
        if self.reading_since is None:
            self.reading_since = self._server.now()
        self._url = b""
        self._headers = {}
        self._repeated = {}
        self._header_bytes = 0
        self._header_count = 0
        self._trailers = False
        self._expecting = False
        self._body = []
        self._body_bytes = 0

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        self._count(len(name) + len(value) + 4)
        if self._trailers or self._deaf:
            # What follows a body is nobody's header: a proxy in front may have checked those alone.
            return
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1").strip()
        headers = self._headers
        if key in headers:
            self._repeated.setdefault(key, [headers[key]]).append(text)
        else:
            headers[key] = text

    def _count(self, size: int) -> None:
        self._header_bytes += size
        limits = self._server.limits
        if (self._header_bytes > limits.header_bytes or self._header_count > limits.headers) and not self._deaf:
            self._refuse(431)

    def on_headers_complete(self) -> None:
        if self._deaf:
            return
        self._trailers = True
        headers = self._headers
        for name, values in self._repeated.items():
            headers[name] = ", ".join(values)
        length = headers.get("content-length")
        modern = self._parser.get_http_version() != "1.0"
        passed_on = not self._parser.should_upgrade() and self._server.passes_on(self._url)
        if "host" in self._repeated or (modern and "host" not in headers):
            self._refuse(400)
        elif self._parser.should_upgrade() and ((length or "0").strip("0") or "transfer-encoding" in headers):
            # The parser takes such a body for what follows the request: it would be one of its own.
            self._refuse(400)
        elif len(self._url.partition(b"?")[0]) > self._server.limits.path_bytes:
            self._refuse(414)
        elif not passed_on and length is not None and length.isdigit() and int(length) > self._server.limits.body_bytes:
            self._body_bytes = int(length)
            self._too_large()
        elif modern and (expectation := headers.get("expect")):
            if expectation.lower() != "100-continue":
                self._refuse(417)
            elif length != "0":
                self._expecting = True
                if not self._waiting and self._current is None:
                    self._continue()
        if passed_on and not self._deaf:
            self._incoming = IncomingBody(self._pause, self._unpause)
            self._received(self._incoming)

    def _continue(self) -> None:
        """Ask for the body of a request that waits for being asked; MUST come after the answers to those before it."""
        self._expecting = False
        self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, data: bytes) -> None:
        if self._deaf:
            return
        self._expecting = False
        if self._incoming is not None:
            self._incoming.feed(data)
            return
        self._body_bytes += len(data)
        if self._body_bytes > self._server.limits.body_bytes:
            self._too_large()
        else:
            self._body.append(data)

    def on_message_complete(self) -> None:
        if self._deaf:
            return
        self.reading_since = None
        if self._incoming is not None:
            self._incoming.end()
            self._incoming = None
        else:
            self._received()

    def _received(self, incoming: IncomingBody | None = None) -> None:
        parser = self._parser
        target = self._url
        path, _, query = target.partition(b"?")
        raw_path = path.decode("latin-1")
        if not raw_path.startswith("/"):
            # The absolute form of a proxied request, or "*".
            raw_path = "/" + raw_path.split("://", 1)[-1].partition("/")[2]
        request = Request(
            parser.get_method().decode("ascii"),
            raw_path,
            unquote(raw_path) if "%" in raw_path else raw_path,
            query.decode("latin-1"),
            self._headers,
            self._body[0] if len(self._body) == 1 else b"".join(self._body),
            peer_certificate=self._peer,
            remote=self._remote,
            repeated=self._repeated,
            incoming=incoming,
        )
        if parser.should_upgrade():
            self._upgrade_tail = b""
        self._waiting.append((request, parser.should_keep_alive(), parser.get_http_version() != "1.0"))
        if self._current is None:
            self._next()
        elif len(self._waiting) >= self._server.limits.pipeline:
            self._pause()

    # Answering.

    def _next(self) -> None:
        if not self._waiting:
            self._current = None
            if self._refusal is not None:
                self._part()
                return
            self.idle_since = self._server.now()
            if self.reading_since is not None:
                self.reading_since = self.idle_since
            if self._expecting and not self._closing:
                self._continue()
            if self._upgrade_tail is not None and not self._closing:
                # The upgrade was declined: what followed it is HTTP again, for a parser without its state.
                tail, self._upgrade_tail = self._upgrade_tail, None
                self._parser = httptools.HttpRequestParser(self)
                if tail:
                    self.data_received(tail)
            if self._ended and self._current is None and not self._closing:
                self._closing = True
                self.transport.close()
            self._unpause()
            return
        request, keep_alive, chunked = self._waiting.popleft()
        self._handled = request
        self.handling_since = self._server.now() if request.incoming is None else None
        self._current = self._server.loop.create_task(self._handle(request, keep_alive, chunked))

    def _pause(self) -> None:
        if not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def _unpause(self) -> None:
        if self._paused and len(self._waiting) < self._server.limits.pipeline and not self.transport.is_closing():
            self._paused = False
            self.transport.resume_reading()

    async def _handle(self, request: Request, keep_alive: bool, chunked: bool) -> None:
        try:
            try:
                answer: Answer = await self._server.handler(request)
            except asyncio.CancelledError:
                if not self._timed_out:
                    raise
                answer = self._server.timeout_answer(request)
                keep_alive = False
            keep_alive = keep_alive and not self._server.stopping
            unread = request.incoming is not None and not request.incoming.complete
            keep_alive = keep_alive and not unread
            if self.transport.is_closing():
                if not isinstance(answer, Response):
                    answer.abandon()
                return
            if isinstance(answer, Response):
                # Writing has its own time: a peer that does not read must not keep the answer in memory for ever.
                self.handling_since = self._server.now()
                await self._respond(request, answer, keep_alive)
            elif isinstance(answer, Stream):
                self.handling_since = None
                keep_alive = keep_alive and (chunked or answer.length is not None)
                await self._stream(request, answer, keep_alive, chunked and answer.length is None)
            else:
                self.handling_since = None
                await self._take_over(answer)
                return
        except asyncio.CancelledError:
            self.transport.abort()
            raise
        except ConnectionError as error:
            logger.debug("answering %s %s ended: %s", request.method, request.path, error)
            self.transport.abort()
            return
        except Exception:
            logger.exception("answering %s %s failed", request.method, request.path)
            self.transport.abort()
            return
        if keep_alive and not self._closing:
            self._next()
        elif unread and not self.transport.is_closing():
            self._closing = True
            self._unpause()
            self._linger()
        else:
            self._closing = True
            if self._tls or not self.transport.can_write_eof():
                self.transport.close()
            else:
                self.transport.write_eof()
                self._linger()

    async def _respond(self, request: Request, response: Response, keep_alive: bool) -> None:
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
            self.transport.write(start)
        elif size <= 64 * 1024:
            self.transport.write(b"".join((start, *body)))
        else:
            self.transport.write(start)
            for part in _pieces(body):
                self.transport.write(part)
                await self.drain()
        await self.drain()

    async def _stream(self, request: Request, stream: Stream, keep_alive: bool, chunked: bool) -> None:
        warnings = warning_headers(request.warnings) if request.warnings else ()
        bodiless = request.method == "HEAD" or stream.status in (204, 304)
        self.transport.write(
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
        self._writer = ChunkedWriter(self, chunked=chunked)
        self.streaming = True
        try:
            if self._server.stopping:
                stream.abandon()
            else:
                await stream.run(self._writer)
        finally:
            self.streaming = False
            self._writer.end()
            self._writer = None
        if chunked and not self.transport.is_closing():
            self.transport.write(b"0\r\n\r\n")

    async def _take_over(self, upgrade: Upgrade) -> None:
        self._closing = True
        raw = self._raw = RawConnection(self.transport, self._lost_raw)
        self.transport.set_protocol(raw)
        self.transport.write(head(101, upgrade.headers, "", self._server.clock))
        raw.feed(self._upgrade_tail or b"")
        self._upgrade_tail = None
        if self._paused:
            self._paused = False
            self.transport.resume_reading()
        self.streaming = True
        try:
            await upgrade.run(raw)
        finally:
            raw.close()

    def _lost_raw(self) -> None:
        self._server.connections.discard(self)

    # Refusals and ends.

    def _refuse(self, status: int) -> None:
        self._refuse_with(plain_error(status, self._server.clock))

    def _too_large(self) -> None:
        answer = self._server.too_large_answer()
        body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
        self._refuse_with(
            head(
                answer.status,
                answer.headers,
                answer.content_type,
                self._server.clock,
                length=len(body),
                close=True,
            )
            + body
        )

    def _refuse_with(self, answer: bytes) -> None:
        if not self._deaf:
            self._refusal = answer
            self.reading_since = None
            if self._incoming is not None:
                self._incoming.lose()
            self._body = []
            if self._current is None:
                self._part()

    def _part(self) -> None:
        assert self._refusal is not None
        self._closing = True
        self.transport.write(self._refusal)
        self._linger()

    def _linger(self) -> None:
        # Closing with unread input resets the connection, and the client may never see the answer: read on a little.
        self._server.loop.call_later(0.5, self.transport.close)

    def sweep(self, now: float) -> None:
        """Enforce the time-outs; called every now and then."""
        limits = self._server.limits
        if self.streaming or self._closing:
            return
        if self._current is not None:
            if self.handling_since is not None and now - self.handling_since > limits.request_timeout:
                self._timed_out = True
                self._current.cancel()
        elif self.reading_since is not None:
            limit = limits.request_timeout if self._body or self._body_bytes else limits.header_timeout
            if now - self.reading_since > limit:
                self._refuse(408)
        elif now - self.idle_since > limits.idle_timeout:
            self._closing = True
            self.transport.close()

    def stop(self) -> None:
        """End soon: at once where nothing, or a stream, is under way."""
        if self._writer is not None:
            self._writer.end()
        if self.streaming and self._current is not None:
            self._current.cancel()
        elif self._current is None and self.reading_since is None:
            self._closing = True
            self.transport.close()

    @property
    def busy(self) -> bool:
        """Whether an answer is on its way, or a request."""
        handling = self._current is not None and not self._current.done() and not self.streaming
        return handling or self.reading_since is not None or self.transport.get_write_buffer_size() > 0

    def abort(self) -> None:
        """End now."""
        if self._current is not None:
            self._current.cancel()
        self.transport.abort()


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
