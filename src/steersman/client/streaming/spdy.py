"""SPDY/3.1 as kubectl, kubelets and container runtimes speak it for exec, attach and port-forward; no I/O.

Like the implementation in those programs, this one neither sends nor heeds flow-control windows: the byte
stream beneath holds a fast sender back.  Specification: SPDY Protocol, Draft 3.1.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_WORDS = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie "
    "keep-alive origin"
)
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
    "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
    "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
    "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
    "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _length_prefixed(text: str) -> bytes:
    data = text.encode()
    return len(data).to_bytes(4, "big") + data


DICTIONARY = b"".join(_length_prefixed(word.replace("_", " ")) for word in _WORDS.split()) + _TAIL.encode()
"""The dictionary that header blocks are compressed with; its Adler-32 is 0xE3C6A7C2."""

_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY = 1, 2, 3, 6, 7
_FIN = 0x01
_CANCEL = 5
MAX_HEADERS = 64 * 1024
MAX_FRAME = 4 << 20
"""The largest frame that is read; all known clients and servers send at most 32 KiB in one."""


class ProtocolError(Exception):
    """The peer does not speak SPDY/3.1."""


class StreamOpened(NamedTuple):
    """The peer opened a stream; ``fin`` says that it will send nothing on it."""

    stream: int
    headers: Mapping[str, str]
    fin: bool


class DataReceived(NamedTuple):
    """Bytes on a stream; ``fin`` says that they are the last."""

    stream: int
    data: bytes
    fin: bool


class StreamReset(NamedTuple):
    """The peer gave a stream up, both ways."""

    stream: int


class GoingAway(NamedTuple):
    """The peer will open no more streams."""


Event = StreamOpened | DataReceived | StreamReset | GoingAway


class SPDYConnection:
    """One end of a connection; the client's end opens the streams, the server's accepts them.

    Feed :meth:`receive` and send what :meth:`data_to_send` returns after every call.
    """

    def __init__(self, *, client: bool = False) -> None:
        self._client = client
        self._next_stream = 1
        self._buffer = bytearray()
        self._out: list[bytes] = []
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(9, zlib.DEFLATED, 15, 8, zlib.Z_DEFAULT_STRATEGY, DICTIONARY)
        self._last_stream = 0

    def data_to_send(self) -> bytes:
        """The bytes that the peer shall be sent, once."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def receive(self, data: bytes) -> Iterator[Event]:
        """The events that these bytes complete; raises ProtocolError."""
        buffer = self._buffer
        buffer += data
        start = 0
        try:
            while len(buffer) >= start + 8:
                length = int.from_bytes(buffer[start + 5 : start + 8], "big")
                if length > MAX_FRAME:
                    raise ProtocolError(f"a frame of {length} bytes")
                end = start + 8 + length
                if len(buffer) < end:
                    return
                head, payload = bytes(buffer[start : start + 8]), bytes(buffer[start + 8 : end])
                start = end
                if head[0] & 0x80:
                    yield from self._control(head, payload)
                else:
                    yield DataReceived(int.from_bytes(head[:4], "big"), payload, bool(head[4] & _FIN))
        finally:
            del buffer[:start]

    def _control(self, head: bytes, payload: bytes) -> Iterator[Event]:
        version = int.from_bytes(head[:2], "big") & 0x7FFF
        kind = int.from_bytes(head[2:4], "big")
        if version != 3:
            raise ProtocolError(f"SPDY version {version}")
        if kind == _SYN_STREAM and self._client:
            raise ProtocolError("a server opened a stream")
        if kind == _SYN_STREAM:
            if len(payload) < 10:
                raise ProtocolError("short SYN_STREAM")
            stream = int.from_bytes(payload[:4], "big") & 0x7FFFFFFF
            headers = self._headers(payload[10:])
            if stream <= self._last_stream or not stream % 2:
                raise ProtocolError(f"stream {stream} out of order")
            self._last_stream = stream
            yield StreamOpened(stream, headers, bool(head[4] & _FIN))
        elif kind == _RST_STREAM and len(payload) >= 4:
            yield StreamReset(int.from_bytes(payload[:4], "big") & 0x7FFFFFFF)
        elif kind == _PING and len(payload) == 4:
            if payload[3] % 2 != self._client:  # a number of ours would be the answer to a ping; we send none
                self._frame(_PING, payload)
        elif kind == _GOAWAY:
            yield GoingAway()

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            plain = self._inflate.decompress(block, MAX_HEADERS)
        except zlib.error as error:
            raise ProtocolError(f"header block: {error}") from error
        if self._inflate.unconsumed_tail:
            raise ProtocolError("header block too large")
        position = 4
        headers: dict[str, str] = {}

        def text() -> str:
            nonlocal position
            end = position + 4 + int.from_bytes(plain[position : position + 4], "big")
            if end > len(plain):
                raise ProtocolError("truncated header block")
            value = plain[position + 4 : end].decode("latin-1")
            position = end
            return value

        for _ in range(min(int.from_bytes(plain[:4], "big"), 256)):
            name = text()
            headers[name.lower()] = text().split("\0")[0]
        return headers

    def _frame(self, kind: int, payload: bytes, flags: int = 0) -> None:
        head = (0x8003).to_bytes(2, "big") + kind.to_bytes(2, "big") + bytes((flags,)) + len(payload).to_bytes(3, "big")
        self._out.append(head + payload)

    def open(self, headers: Mapping[str, str]) -> int:
        """Open a stream as a client; returns its number.  Data may follow before the server's answer."""
        stream = self._next_stream
        self._next_stream += 2
        plain = len(headers).to_bytes(4, "big")
        plain += b"".join(_length_prefixed(name) + _length_prefixed(value) for name, value in headers.items())
        self._frame(_SYN_STREAM, stream.to_bytes(4, "big") + bytes(6) + self._compressed(plain))
        return stream

    def _compressed(self, plain: bytes) -> bytes:
        return self._deflate.compress(plain) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def accept(self, stream: int) -> None:
        """Answer that a stream is open."""
        block = self._compressed(bytes(4))
        self._frame(_SYN_REPLY, stream.to_bytes(4, "big") + block)

    def send(self, stream: int, data: bytes, *, fin: bool = False) -> None:
        """Send bytes (less than 16 MiB) on a stream, or end our half of it."""
        flags = bytes((_FIN if fin else 0,))
        self._out.append(stream.to_bytes(4, "big") + flags + len(data).to_bytes(3, "big") + data)

    def reset(self, stream: int) -> None:
        """Give a stream up, both ways."""
        self._frame(_RST_STREAM, stream.to_bytes(4, "big") + _CANCEL.to_bytes(4, "big"))

    def go_away(self) -> None:
        """Say that no more streams are taken."""
        self._frame(_GOAWAY, self._last_stream.to_bytes(4, "big") + bytes(4))
