"""Requests, responses, and the one-callable seam between the HTTP protocol and what is served over it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Protocol
from urllib.parse import parse_qs

from steersman.api.errors import bad_request
from steersman.api.user import ANONYMOUS, User
from steersman.apiserver.annotations import Annotations
from steersman.client.streaming import Connection

from .body import IncomingBody

_LONGEST_QUERY = 256 * 1024
_MOST_PARAMETERS = 1000
_UNREADABLE = re.compile(r";|%(?![0-9A-Fa-f]{2})")


class Request:
    """One request, its body read whole.

    ``path`` is percent-decoded, ``raw_path`` is not; header names are lower-case; ``peer_certificate`` is the
    verified client certificate in DER form; ``user`` is set by authentication, and ``impersonator`` where somebody
    else asks in the name of ``user``.  Repeated headers are joined by commas; ``repeated`` holds the single values of
    those.  ``audit_id`` is what the log calls it.
    ``incoming`` is the body of a request that is passed on: its ``body`` is empty, and it has no time-out.
    """

    __slots__ = (
        "_annotations",
        "_query",
        "audit_id",
        "body",
        "headers",
        "impersonator",
        "incoming",
        "method",
        "path",
        "peer_certificate",
        "query_string",
        "raw_path",
        "remote",
        "repeated",
        "user",
        "warnings",
    )

    def __init__(
        self,
        method: str,
        raw_path: str,
        path: str,
        query_string: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        peer_certificate: bytes | None = None,
        remote: tuple[str, int] = ("", 0),
        repeated: Mapping[str, list[str]] | None = None,
        incoming: IncomingBody | None = None,
    ) -> None:
        self.incoming = incoming
        self.method = method
        self.raw_path = raw_path
        self.path = path
        self.query_string = query_string
        self.headers = headers
        self.body = body
        self.peer_certificate = peer_certificate
        self.remote = remote
        self.repeated = repeated or {}
        self.user: User = ANONYMOUS
        self.impersonator: User | None = None
        self.audit_id = ""
        self.warnings: list[str] = []
        self._annotations: Annotations | None = None
        self._query: dict[str, list[str]] | None = None

    @property
    def annotations(self) -> Annotations:
        """What is noted for the audit log."""
        if self._annotations is None:
            self._annotations = Annotations()
        return self._annotations

    @property
    def query(self) -> dict[str, list[str]]:
        """The query parameters, every value of each.

        Raises a 400 where there are too many to be meant, and for a text that would take long to read: selectors have
        at most 64 Ki characters, each of which takes three where it is escaped.  A pair that cannot be read is passed
        over, as Go's ``URL.Query`` does.
        """
        if self._query is None:
            if len(self.query_string) > _LONGEST_QUERY:
                raise bad_request(f"the query of the request may not be longer than {_LONGEST_QUERY} characters")
            try:
                text = self.query_string
                if _UNREADABLE.search(text):
                    text = "&".join(pair for pair in text.split("&") if not _UNREADABLE.search(pair))
                self._query = parse_qs(text, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS) if text else {}
            except ValueError:
                raise bad_request("the request has too many query parameters") from None
        return self._query

    def header_values(self, name: str) -> list[str]:
        """Every value of a header that may be repeated."""
        if name in self.repeated:
            return self.repeated[name]
        return [self.headers[name]] if name in self.headers else []

    def parameter(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        values = self.query.get(name)
        return values[0] if values else default


class Response:
    """A complete response.  ``body`` is one buffer or several, written without being joined.

    With ``size``, the sum of their lengths, buffers may be made while they are written.  ``later``, where there is one,
    makes the body, and takes so long that it is called in a thread.
    """

    __slots__ = ("body", "content_type", "headers", "later", "size", "status")

    def __init__(
        self,
        body: bytes | Iterable[bytes] = b"",
        status: int = 200,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
        *,
        size: int | None = None,
        later: Callable[[], bytes] | None = None,
    ) -> None:
        self.body = body
        self.size = size
        self.status = status
        self.content_type = content_type
        self.headers = headers or {}
        self.later = later


def chunk(data: bytes) -> bytes:
    """Bytes as one chunk of the chunked transfer coding."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class StreamWriter(Protocol):
    """The open body of a streamed response; chunk framing is done beneath."""

    def write(self, data: bytes) -> None:
        """Send at once, without waiting; the buffer grows where the peer does not read."""
        ...

    def write_framed(self, chunk: bytes) -> None:
        """Like ``write``, for bytes that :func:`chunk` has framed already: many connections can share them."""
        ...

    @property
    def buffered(self) -> int:
        """The bytes that the peer has not taken yet."""
        ...

    async def drain(self) -> None:
        """Wait until the buffer is small."""
        ...

    @property
    def closed(self) -> asyncio.Event:
        """Set when the peer has gone or the server is stopping."""
        ...


class Stream:
    """A response whose body is produced while it is sent; the body ends when ``run`` returns.

    Where the caller has gone before that, ``abandon`` is called instead of ``run``: it lets go of what ``run`` would.
    ``lines`` are headers that may occur more than once.  With ``length``, ``run`` MUST write that many bytes or raise.
    """

    __slots__ = ("abandon", "content_type", "headers", "length", "lines", "run", "status")

    def __init__(
        self,
        run: Callable[[StreamWriter], Awaitable[None]],
        content_type: str = "application/json",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        lines: Sequence[str] = (),
        length: int | None = None,
        abandon: Callable[[], None] = lambda: None,
    ) -> None:
        self.run = run
        self.lines = lines
        self.length = length
        self.content_type = content_type
        self.status = status
        self.headers = headers or {}
        self.abandon = abandon


class Upgrade:
    """Takes the connection over: the 101 with these headers is sent, then ``run`` owns the bytes.

    ``abandon`` as in :class:`Stream`.
    """

    __slots__ = ("abandon", "headers", "run")

    def __init__(
        self,
        run: Callable[[Connection], Awaitable[None]],
        headers: Mapping[str, str],
        *,
        abandon: Callable[[], None] = lambda: None,
    ) -> None:
        self.run = run
        self.headers = headers
        self.abandon = abandon


class Severed(ConnectionAbortedError):
    """Raised by a handler in place of an answer: the connection is cut."""


Answer = Response | Stream | Upgrade

Handler = Callable[[Request], Awaitable[Answer]]
"""What the server calls for each request; an exception becomes a Status by the outermost handler."""
