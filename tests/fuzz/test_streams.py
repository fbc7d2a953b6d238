"""Bytes that are nearly HTTP: connections end, answers are whole and in order, and how the bytes arrive is all one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st

from steersman.apiserver.endpoints.pipeline import timeout_answer, too_large_answer
from steersman.apiserver.http.limits import Limits
from steersman.apiserver.http.messages import Answer, Request, Response, Stream, StreamWriter
from steersman.apiserver.http.server import HTTPServer

from .effort import examples

LIMITS = Limits(header_bytes=2000, headers=20, body_bytes=100, path_bytes=500, drain=0.05, farewell=0.01)

PIECES = [
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /x?y=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
    b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://other/abs HTTP/1.1\r\nHost: x\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    b"CONNECT a:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: nothing\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /a",
    b" HTTP/1.1\r\n",
    b"Host: x\r\n",
    b"Host : x\r\n",
    b"X: " + b"y" * 1500 + b"\r\n",
    b"Content-Length: 3\r\n",
    b"Content-Length: -1\r\n",
    b"Content-Length: 99999999999999999999999\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"ffffffffffffffffff\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"\x00",
    b"\x16\x03\x01",
    "GET /ä HTTP/1.1\r\n".encode(),
    b" folded\r\n",
    b"0\r\n\r\n",
]


async def handler(request: Request) -> Answer:
    if request.path == "/stream":

        async def run(writer: StreamWriter) -> None:
            writer.write(b"streamed")
            await writer.drain()

        return Stream(run)
    await asyncio.sleep(0)
    return Response(f"{request.method} {request.path} {len(request.body)}".encode(), content_type="text/plain")


async def converse(port: int, parts: Sequence[bytes]) -> bytes | None:
    """What comes back; None where the server closed while it was still being sent to, which may lose its answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(3):
            for part in parts:
                writer.write(part)
                await asyncio.sleep(0)
            writer.write_eof()
            return await reader.read()
    except ConnectionError:
        return None
    finally:
        writer.close()


async def answers(*conversations: Sequence[bytes]) -> list[bytes | None]:
    server = HTTPServer(
        handler, timeout_answer=timeout_answer, too_large_answer=lambda: too_large_answer(100), limits=LIMITS
    )
    port = await server.start("127.0.0.1", 0, None)
    try:
        return await asyncio.gather(*(converse(port, parts) for parts in conversations))
    finally:
        async with asyncio.timeout(5):
            await server.stop()
        assert not server.connections


HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) [^\r\n]+\r\n((?:[^\r\n:]+: [^\r\n]*\r\n)*)\r\n")


def parsed(data: bytes) -> list[tuple[int, bytes]]:
    """The answers of a connection; raises AssertionError where what was sent is no HTTP."""
    found = []
    position = 0
    while position < len(data):
        match = HEAD.match(data, position)
        assert match is not None, data[position : position + 200]
        code, head, position = int(match[1]), match[2], match.end()
        if code == 100:
            continue
        if b"chunked" in head:
            end = data.find(b"0\r\n\r\n", position)
            assert end >= 0
            content, position = data[position:end], end + 5
        elif (length := re.search(rb"Content-Length: (\d+)", head)) and not data[position:].startswith(b"HTTP/1.1"):
            content, position = data[position : position + int(length[1])], position + int(length[1])
        else:
            content = b""
        found.append((code, content))
    return found


STREAMS = st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=6)


@examples(60)
@given(
    st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=6), st.lists(st.integers(1, 200), max_size=8)
)
@example([b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"GET / HTTP/1.1\r\n"], [2, 48, 5, 5])
def test_bytes_that_are_nearly_http(pieces: list[bytes], cuts: list[int]) -> None:
    data = b"".join(pieces)
    parts, position = [], 0
    for cut in cuts:
        parts.append(data[position : position + cut])
        position += cut
    parts.append(data[position:])
    whole, pieced = asyncio.run(answers([data], parts))
    if whole is None:
        return
    found = parsed(whole)
    assert {code for code, _ in found} <= {200, 400, 413, 414, 417, 431}
    # Nothing comes after a refusal.
    assert all(code == 200 for code, _ in found[:-1])
    assert len(found) <= data.count(b"HTTP/") + 1
    assert pieced is None or found == parsed(pieced)
