"""HTTP/1.1 as little as a kubelet needs: one request at a time, and raw connections for upgrades."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

MAX_HEAD = 64 << 10

REASONS = {
    101: "Switching Protocols",
    200: "OK",
    301: "Moved Permanently",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


class Request(msgspec.Struct, frozen=True):
    """A request's head."""

    method: str
    target: str
    headers: dict[str, str]
    """Names in lower case."""

    @property
    def path(self) -> str:
        return unquote(urlsplit(self.target).path)

    @property
    def query(self) -> dict[str, list[str]]:
        return parse_qs(urlsplit(self.target).query, keep_blank_values=True)

    def one(self, name: str) -> str:
        """A query parameter, empty when absent."""
        return self.query.get(name, [""])[0]


class BadRequest(Exception):
    """What arrived is no request."""


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Read a head; None when the peer has closed."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError as error:
        raise BadRequest("request head too large") from error
    lines = head.decode("latin-1").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequest("malformed request line")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            key = name.strip().lower()
            headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    return Request(parts[0], parts[1], headers)


def head(status: int, headers: Mapping[str, str]) -> bytes:
    """A response's head."""
    lines = [f"HTTP/1.1 {status} {REASONS.get(status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def respond(
    writer: asyncio.StreamWriter,
    status: int,
    body: bytes | str,
    content_type: str = "text/plain",
    headers: Mapping[str, str] | None = None,
) -> None:
    """Write a complete response."""
    data = body.encode() if isinstance(body, str) else body
    fixed = {"Content-Type": content_type, "Content-Length": str(len(data))}
    writer.write(head(status, fixed | dict(headers or {})) + data)
