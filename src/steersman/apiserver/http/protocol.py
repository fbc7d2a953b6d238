"""One HTTP/1.1 connection: its life, and the order of its requests and answers.

A request is read whole (:mod:`.reading`), handled by a task of its own, and answered (:mod:`.answering`) before the
next one of the connection is begun; pipelined requests wait, and beyond a few of them reading stops.  The invariant of
the two halves: ``_current`` is the request being handled (at most one), ``_waiting`` holds complete requests behind it,
and ``_refusal`` is the last answer where what came behind those is no request: nothing is read after that.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from typing import TYPE_CHECKING

from .answering import Answers
from .connection import RawConnection, transport_of
from .messages import Answer, Request, Response, Stream, Upgrade
from .reading import RequestReader
from .writing import head, plain_error

if TYPE_CHECKING:
    from .server import HTTPServer

logger = logging.getLogger(__name__)


class HTTPProtocol(asyncio.Protocol):
    """See the module."""

    transport: asyncio.Transport
    _answers: Answers

    def __init__(self, server: HTTPServer) -> None:
        self._server = server
        self._reader = RequestReader(self, server)
        self._tls = False
        self._handled: Request | None = None
        self._waiting: deque[tuple[Request, bool, bool]] = deque()
        self._current: asyncio.Task[None] | None = None
        self._raw: RawConnection | None = None
        self._upgrade_tail: bytes | None = None
        """What follows a request that asks for an upgrade: nobody knows yet what it is."""
        self._paused = False
        self._closing = False
        self._refusal: bytes | None = None
        self._ended = False
        self._timed_out = False
        self._idle_since = 0.0
        self._handling_since: float | None = None

    # The transport's side.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport_of(transport)
        self._answers = Answers(self.transport, self._server)
        self._idle_since = self._server.now()
        if (tls := transport.get_extra_info("ssl_object")) is not None:
            self._tls = True
            self._reader.peer_certificate = tls.getpeercert(True)
        address = transport.get_extra_info("peername")
        if address:
            self._reader.remote = (address[0], address[1])
        self._server.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.connections.discard(self)
        self._begin_closing()
        self._waiting.clear()
        self._answers.resume()
        self._reader.lose()
        self._answers.end_stream()
        if self._current is None:
            return
        if self._answers.streaming or self._passing_on:
            self._current.cancel()
        elif self._handling_since is not None:
            # Nobody waits for the answer, and the sweeper looks no more: what takes too long ends all the same.
            left = self._handling_since + self._server.limits.request_timeout - self._server.now()
            timer = self._server.loop.call_later(max(left, 0), self._current.cancel)
            self._current.add_done_callback(lambda _: timer.cancel())

    def pause_writing(self) -> None:
        self._answers.pause()

    def resume_writing(self) -> None:
        self._answers.resume()

    def data_received(self, data: bytes) -> None:
        if self._reader.deaf:
            return
        if self._upgrade_tail is not None:
            self._upgrade_tail += data
            return
        tail = self._reader.feed(data)
        if tail is not None and self._upgrading():
            self._upgrade_tail = tail
            self.pause()

    def _upgrading(self) -> bool:
        return self._upgrade_tail is not None

    def eof_received(self) -> bool | None:
        # A half-closed client that waits for its answer gets it; TLS has no half-closed connections.
        self._ended = True
        return self._current is not None and not self._streaming and not self._tls and not self._passing_on

    @property
    def _passing_on(self) -> bool:
        return self._handled is not None and self._handled.incoming is not None

    @property
    def _streaming(self) -> bool:
        return self._raw is not None or self._answers.streaming

    # The reader's side.

    def received(self, request: Request, *, keep_alive: bool, chunked: bool, upgrade: bool) -> None:
        if upgrade:
            self._upgrade_tail = b""
        self._waiting.append((request, keep_alive, chunked))
        if self._current is None:
            self._next()
        elif len(self._waiting) >= self._server.limits.pipeline:
            self.pause()

    def asked_to_continue(self) -> None:
        if not self._waiting and self._current is None:
            self._continue()

    def _continue(self) -> None:
        """Ask for the body of a request that waits for being asked; MUST come after the answers to those before it."""
        self._reader.expecting = False
        self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def pause(self) -> None:
        if not self._paused:
            self._paused = True
            self.transport.pause_reading()

    def unpause(self) -> None:
        if self._paused and len(self._waiting) < self._server.limits.pipeline and not self.transport.is_closing():
            self._paused = False
            self.transport.resume_reading()

    def refuse(self, status: int) -> None:
        self._refuse_with(plain_error(status, self._server.clock))

    def refuse_too_large(self) -> None:
        answer = self._server.too_large_answer()
        body = answer.body if isinstance(answer.body, bytes) else b"".join(answer.body)
        start = head(
            answer.status, answer.headers, answer.content_type, self._server.clock, length=len(body), close=True
        )
        self._refuse_with(start + body)

    def _refuse_with(self, answer: bytes) -> None:
        if not self._reader.deaf:
            self._refusal = answer
            self._reader.stop()
            if self._current is None:
                self._part()

    # Handling.

    def _next(self) -> None:
        if not self._waiting:
            self._current = None
            if self._refusal is not None:
                self._part()
                return
            reader = self._reader
            self._idle_since = self._server.now()
            if reader.since is not None:
                reader.since = self._idle_since
            if reader.expecting and not self._closing:
                self._continue()
            if self._upgrade_tail is not None and not self._closing:
                tail, self._upgrade_tail = self._upgrade_tail, None
                reader.restart()
                if tail:
                    self.data_received(tail)
            if self._ended and self._current is None and not self._closing:
                self._begin_closing()
                self.transport.close()
            self.unpause()
            return
        request, keep_alive, chunked = self._waiting.popleft()
        self._handled = request
        self._handling_since = self._server.now() if request.incoming is None else None
        self._current = self._server.loop.create_task(self._handle(request, keep_alive, chunked))

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
                self._handling_since = self._server.now()
                await self._answers.respond(request, answer, keep_alive)
            elif isinstance(answer, Stream):
                self._handling_since = None
                keep_alive = keep_alive and (chunked or answer.length is not None)
                await self._answers.stream(request, answer, keep_alive, chunked and answer.length is None)
            else:
                self._handling_since = None
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
            self._begin_closing()
            self.unpause()
            self._linger()
        else:
            self._begin_closing()
            if self._tls or not self.transport.can_write_eof():
                self.transport.close()
            else:
                with contextlib.suppress(OSError):  # the peer has gone
                    self.transport.write_eof()
                self._linger()

    async def _take_over(self, upgrade: Upgrade) -> None:
        self._begin_closing()
        raw = self._raw = RawConnection(self.transport, self._lost_raw)
        self.transport.set_protocol(raw)
        self.transport.write(head(101, upgrade.headers, "", self._server.clock))
        raw.feed(self._upgrade_tail or b"")
        self._upgrade_tail = None
        if self._paused:
            self._paused = False
            self.transport.resume_reading()
        try:
            await upgrade.run(raw)
        finally:
            raw.close()

    def _lost_raw(self) -> None:
        self._server.connections.discard(self)

    # Ends.

    def _begin_closing(self) -> None:
        """What comes in from now on is nobody's."""
        self._closing = True
        self._reader.deaf = True

    def _part(self) -> None:
        assert self._refusal is not None
        self._begin_closing()
        self.transport.write(self._refusal)
        self._linger()

    def _linger(self) -> None:
        # Closing with unread input resets the connection, and the client may never see the answer: read on a little.
        self._server.loop.call_later(0.5, self.transport.close)

    def sweep(self, now: float) -> None:
        """Enforce the time-outs; called every now and then."""
        limits = self._server.limits
        if self._streaming or self._closing:
            return
        if self._current is not None:
            if self._handling_since is not None and now - self._handling_since > limits.request_timeout:
                self._timed_out = True
                self._current.cancel()
        elif self._reader.since is not None:
            limit = limits.request_timeout if self._reader.in_body else limits.header_timeout
            if now - self._reader.since > limit:
                self.refuse(408)
        elif now - self._idle_since > limits.idle_timeout:
            self._begin_closing()
            self.transport.close()

    def stop(self) -> None:
        """End soon: at once where nothing, or a stream, is under way."""
        self._answers.end_stream()
        if self._streaming and self._current is not None:
            self._current.cancel()
        elif self._current is None and self._reader.since is None:
            self._begin_closing()
            self.transport.close()

    @property
    def busy(self) -> bool:
        """Whether an answer is on its way, or a request."""
        handling = self._current is not None and not self._current.done() and not self._streaming
        return handling or self._reader.since is not None or self.transport.get_write_buffer_size() > 0

    def abort(self) -> None:
        """End now."""
        if self._current is not None:
            self._current.cancel()
        self.transport.abort()
