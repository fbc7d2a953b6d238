"""The bytes of responses: heads, framing, compression."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from email.utils import formatdate
from http import HTTPStatus

_STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}


class Clock:
    """The ``Date`` header, formatted once a second."""

    def __init__(self) -> None:
        self._second = 0
        self._line = b""

    def line(self) -> bytes:
        """``Date: ...`` with its line end."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._line = b"Date: " + formatdate(second, usegmt=True).encode() + b"\r\n"
        return self._line


def head(
    status: int,
    headers: Mapping[str, str],
    content_type: str,
    clock: Clock,
    *,
    length: int | None = None,
    chunked: bool = False,
    close: bool = False,
    extra: Sequence[str] = (),
) -> bytes:
    """A response's head; values are header-safe by removal of line breaks."""
    parts = [_STATUS_LINES.get(status) or f"HTTP/1.1 {status} Status\r\n".encode(), clock.line()]
    lines = [f"{name}: {value}" for name, value in headers.items()]
    if content_type:
        lines.append(f"Content-Type: {content_type}")
    lines += extra
    text = "\r\n".join(lines)
    if text:
        if text.count("\r") != len(lines) - 1 or text.count("\n") != len(lines) - 1:
            text = "\r\n".join(line.replace("\r", "").replace("\n", " ") for line in lines)
        parts.append(text.encode("utf-8", "replace") + b"\r\n")
    if length is not None:
        parts.append(b"Content-Length: %d\r\n" % length)
    if chunked:
        parts.append(b"Transfer-Encoding: chunked\r\n")
    if close:
        parts.append(b"Connection: close\r\n")
    parts.append(b"\r\n")
    return b"".join(parts)


def gzip(body: Iterable[bytes]) -> list[bytes]:
    """A body compressed, quickly rather than well."""
    compressor = zlib.compressobj(1, zlib.DEFLATED, 31)
    parts = [compressor.compress(part) for part in body]
    parts.append(compressor.flush())
    return parts


PLAIN_ERRORS = {
    400: b"400 Bad Request",
    408: b"408 Request Timeout",
    414: b"414 URI Too Long",
    417: b"417 Expectation Failed",
    431: b"431 Request Header Fields Too Large",
}


def plain_error(status: int, clock: Clock) -> bytes:
    """The answer to what is not HTTP enough to be a request; the connection ends after it."""
    body = PLAIN_ERRORS[status]
    return head(status, {}, "text/plain; charset=utf-8", clock, length=len(body), close=True) + body
