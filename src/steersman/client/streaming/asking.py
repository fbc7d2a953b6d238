"""Asking a server to upgrade a connection that was just opened to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from .splice import SocketConnection

ANSWER_SECONDS = 30.0
MAX_REFUSAL = 64 * 1024


class UpgradeRefused(Exception):
    """The server answered something else than 101."""

    def __init__(self, status: int, body: bytes, content_type: str = "text/plain") -> None:
        super().__init__(body.decode("utf-8", "replace").strip() or f"status {status}")
        self.status = status
        self.body = body
        self.content_type = content_type


async def ask_upgrade(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    method: str,
    path: str,
    headers: Iterable[tuple[str, str]],
) -> tuple[dict[str, str], SocketConnection]:
    """The headers of the 101 (names in lower case) and the raw connection, which is closed where there is none.

    Raises UpgradeRefused, and OSError for a server that does not answer or not in HTTP.
    """
    try:
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        if method == "POST":
            lines.append("Content-Length: 0")
        if any("\r" in line or "\n" in line for line in lines):
            raise UpgradeRefused(400, b"malformed header")
        writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        async with asyncio.timeout(ANSWER_SECONDS):
            status, answer = await _read_head(reader)
            if status == 101:
                return answer, SocketConnection(reader, writer)
            length = answer.get("content-length", "")
            body = await _read(reader, min(int(length), MAX_REFUSAL) if length.isdigit() else MAX_REFUSAL)
        if "chunked" in answer.get("transfer-encoding", "").lower():
            body = _unchunked(body)
        raise UpgradeRefused(status, body, answer.get("content-type", "text/plain"))
    except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
        writer.close()
        raise OSError(str(error) or "timed out") from error
    except BaseException:
        writer.close()
        raise


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ", 2)
    if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or not parts[1].isdigit():
        raise ValueError("malformed response")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            key = name.strip().lower()
            headers[key] = f"{headers[key]}, {value.strip()}" if key in headers else value.strip()
    return int(parts[1]), headers


async def _read(reader: asyncio.StreamReader, size: int) -> bytes:
    body = bytearray()
    while len(body) < size and (data := await reader.read(size - len(body))):
        body += data
    return bytes(body)


def _unchunked(body: bytes) -> bytes:
    plain = bytearray()
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size.split(b";")[0] or b"0", 16)
        plain += body[:length]
        body = body[length + 2 :] if length else b""
    return bytes(plain)
