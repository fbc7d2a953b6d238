"""Bytes into requests: what comes in on one connection, counted against the limits while it is parsed.

The reader knows nothing of answers and their order.  Once it is ``deaf`` whatever else is parsed is nobody's: what came
behind something that is no request must never be taken for one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import unquote

import httptools

from .body import IncomingBody
from .messages import Request

if TYPE_CHECKING:
    from .server import HTTPServer


class Receiver(Protocol):
    """The connection, told by its reader what has come."""

    def received(self, request: Request, *, keep_alive: bool, chunked: bool, upgrade: bool) -> None:
        """A request; ``chunked`` where its answer may be."""
        ...

    def refuse(self, status: int) -> None:
        """What has come is no request."""
        ...

    def refuse_too_large(self) -> None:
        """A body is larger than bodies may be."""
        ...

    def asked_to_continue(self) -> None:
        """The client sends its body once it is told to; the reader is ``expecting`` until then."""
        ...

    def pause(self) -> None:
        """Read no more for now."""
        ...

    def unpause(self) -> None:
        """Read on."""
        ...


class RequestReader:
    """The parser of one connection, and the request that is arriving."""

    def __init__(self, connection: Receiver, server: HTTPServer) -> None:
        self._connection = connection
        self._server = server
        self._limits = server.limits
        self._parser: Any = httptools.HttpRequestParser(self)
        self.peer_certificate: bytes | None = None
        self.remote: tuple[str, int] = ("", 0)
        self.since: float | None = None
        """When the request that is arriving began to; None between requests."""
        self.deaf = False
        self.expecting = False
        self._begin()
        self._incoming: IncomingBody | None = None

    def _begin(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._repeated: dict[str, list[str]] = {}
        self._header_bytes = 0
        self._header_count = 0
        self._trailers = False
        self.expecting = False
        self._body: list[bytes] = []
        self._body_bytes = 0

    def feed(self, data: bytes) -> bytes | None:
        """Take bytes in; returns those that follow a request which asks for an upgrade."""
        if self.since is None:
            self.since = self._server.now()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if not self.deaf:
                return bytes(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            if not self.deaf:
                self._connection.refuse(400)
        return None

    def restart(self) -> None:
        """An upgrade was declined: what follows is HTTP again, for a parser without its state."""
        self._parser = httptools.HttpRequestParser(self)

    @property
    def in_body(self) -> bool:
        """Whether some of a body has come."""
        return bool(self._body_bytes)

    def stop(self) -> None:
        """Be deaf, and let go of what has come."""
        self.deaf = True
        self.since = None
        self._body = []
        self.lose()

    def lose(self) -> None:
        """Nothing more will come: who reads a body is told."""
        if self._incoming is not None:
            self._incoming.lose()

    # The parser's callbacks.

    def on_message_begin(self) -> None:
        if self.since is None:
            self.since = self._server.now()
        self._begin()

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_count += 1
        self._count(len(name) + len(value) + 4)
        if self._trailers or self.deaf:
            # What follows a body is nobody's header: a proxy in front may have checked those alone.
            return
        key = name.decode("latin-1").lower()
        text = _text(value)
        headers = self._headers
        if key in headers:
            self._repeated.setdefault(key, [headers[key]]).append(text)
        else:
            headers[key] = text

    def _count(self, size: int) -> None:
        self._header_bytes += size
        limits = self._limits
        if (self._header_bytes > limits.header_bytes or self._header_count > limits.headers) and not self.deaf:
            self._connection.refuse(431)

    def on_headers_complete(self) -> None:
        if self.deaf:
            return
        self._trailers = True
        headers = self._headers
        for name, values in self._repeated.items():
            headers[name] = ", ".join(values)
        length = headers.get("content-length")
        modern = self._parser.get_http_version() != "1.0"
        upgrade = self._parser.should_upgrade()
        passed_on = not upgrade and self._server.passes_on(self._url)
        if "host" in self._repeated or (modern and "host" not in headers):
            self._connection.refuse(400)
        elif upgrade and ((length or "0").strip("0") or "transfer-encoding" in headers):
            # The parser takes such a body for what follows the request: it would be one of its own.
            self._connection.refuse(400)
        elif len(self._url.partition(b"?")[0]) > self._limits.path_bytes:
            self._connection.refuse(414)
        elif not passed_on and length is not None and length.isdigit() and int(length) > self._limits.body_bytes:
            self._body_bytes = int(length)
            self._connection.refuse_too_large()
        elif modern and (expectation := headers.get("expect")):
            if expectation.lower() != "100-continue":
                self._connection.refuse(417)
            elif length != "0":
                self.expecting = True
                self._connection.asked_to_continue()
        if passed_on and not self.deaf:
            self._incoming = IncomingBody(self._connection.pause, self._connection.unpause)
            self._complete(self._incoming)

    def on_body(self, data: bytes) -> None:
        if self.deaf:
            return
        self.expecting = False
        if self._incoming is not None:
            self._incoming.feed(data)
            return
        self._body_bytes += len(data)
        if self._body_bytes > self._limits.body_bytes:
            self._connection.refuse_too_large()
        else:
            self._body.append(data)

    def on_message_complete(self) -> None:
        if self.deaf:
            return
        self.since = None
        if self._incoming is not None:
            self._incoming.end()
            self._incoming = None
        else:
            self._complete()

    def _complete(self, incoming: IncomingBody | None = None) -> None:
        parser = self._parser
        path, _, query = self._url.partition(b"?")
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
            peer_certificate=self.peer_certificate,
            remote=self.remote,
            repeated=self._repeated,
            incoming=incoming,
        )
        self._connection.received(
            request,
            keep_alive=parser.should_keep_alive(),
            chunked=parser.get_http_version() != "1.0",
            upgrade=parser.should_upgrade(),
        )


def _text(value: bytes) -> str:
    """What a header says: in UTF-8, as the names of users may be; what is not that, byte for byte."""
    value = value.strip(b" \t")
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
