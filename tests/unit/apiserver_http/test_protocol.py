from __future__ import annotations

import asyncio
import socket
import struct
import zlib
from typing import Any

import pytest

from steersman.apiserver.http.limits import Limits
from steersman.apiserver.http.messages import Answer, Request, Response, Stream, StreamWriter, Upgrade, chunk
from steersman.client.streaming import Connection

from .conversation import converse, masked, serving

CLOSE = b"Connection: close\r\n\r\n"


async def echo(request: Request) -> Answer:
    return Response(f"{request.method} {request.path} {len(request.body)}".encode(), content_type="text/plain")


async def test_answer_on_the_wire() -> None:
    async with serving(echo) as (_, port):
        answer = await converse(port, b"GET /a%20b?x=1 HTTP/1.1\r\nHost: x\r\n" + CLOSE)
    assert masked(answer) == (
        "HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 10\nConnection: close\n\nGET /a b 0"
    )


async def test_pipelined_requests_are_answered_in_order() -> None:
    async def handler(request: Request) -> Answer:
        await asyncio.sleep(0.05 if request.path == "/1" else 0)
        return Response(request.path.encode())

    requests = b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(1, 40))
    async with serving(handler) as (_, port):
        answer = await converse(port, requests + b"GET /last HTTP/1.1\r\nHost: x\r\n" + CLOSE)
    bodies = [part.partition(b"\r\n\r\n")[2] for part in answer.split(b"HTTP/1.1 200 OK")[1:]]
    assert bodies == [b"/%d" % number for number in range(1, 40)] + [b"/last"]


async def test_chunked_body_and_expectation() -> None:
    async with serving(echo) as (_, port):
        answer = await converse(
            port,
            b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n"
            b"Connection: close\r\n\r\n5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n",
        )
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"POST /x 8")


@pytest.mark.parametrize("chunked", [False, True])
async def test_body_beyond_the_limit(chunked: bool) -> None:
    limits = Limits(body_bytes=1000)
    head = b"POST / HTTP/1.1\r\nHost: x\r\n"
    body = b"x" * 1001
    if chunked:
        data = head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk(body) + b"0\r\n\r\n"
    else:
        data = head + b"Content-Length: 1001\r\n\r\n" + body
    async with serving(echo, limits) as (_, port):
        answer = await converse(port, data)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"reason":"RequestEntityTooLarge"' in answer
    assert b"limit is 1000" in answer


HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
UPGRADE = HEAD + b"Connection: Upgrade\r\nUpgrade: h2c\r\n"


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x16\x03\x01garbage\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (HEAD + b"Expect: a-miracle\r\nContent-Length: 3\r\n\r\n", 417),
        (HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\nz\r\n", 400),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n", 400),
        (HEAD + b"Content-Length: 1x\r\n\r\n", 400),
        (HEAD + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
        (HEAD + b"Content-Length: 99999999\r\n\r\n", 413),
        (HEAD + b"X Y: 1\r\n\r\n", 400),
        (UPGRADE + b"Content-Length: 28\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (UPGRADE + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
        (HEAD + b"a: b\r\n" * 1001 + b"\r\n", 431),
    ],
)
async def test_what_is_no_request_is_refused(data: bytes, status: int) -> None:
    async with serving(echo) as (_, port):
        answer = await converse(port, data)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("bad", [b"?\r\n\r\n", HEAD + b"Content-Length: 99999999\r\n\r\n"])
async def test_a_refusal_waits_for_the_answers_before_it(bad: bytes) -> None:
    async def handler(request: Request) -> Answer:
        await asyncio.sleep(0.02)
        return Response(b"one")

    async with serving(handler) as (_, port):
        answer = await converse(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 2 + bad)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.rpartition(b"HTTP/1.1 ")[2].startswith((b"400 ", b"413 "))
    assert answer.count(b"\r\n\r\noneHTTP/1.1 ") == 2


async def test_headers_after_a_body_are_no_headers() -> None:
    async def handler(request: Request) -> Answer:
        return Response(",".join(sorted(request.headers)).encode())

    body = b"2\r\nab\r\n0\r\nX-Remote-User: admin\r\n\r\n"
    async with serving(handler) as (_, port):
        answer = await converse(port, HEAD + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + body)
    assert answer.endswith(b"connection,host,transfer-encoding")


async def test_a_body_is_asked_for_in_its_turn() -> None:
    """The request behind another one waits with its body until it is asked, and that is after the first answer."""
    second = b"POST /2 HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n" + CLOSE
    async with serving(echo) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\n" + second)
        async with asyncio.timeout(5):
            before, _, _ = (await reader.readuntil(b"100 Continue\r\n\r\n")).rpartition(b"HTTP/1.1 ")
            writer.write(b"abc")
            after = await reader.read()
        writer.close()
    assert before.endswith(b"GET /1 0")
    assert after.endswith(b"POST /2 3")


async def test_too_many_headers() -> None:
    async with serving(echo, Limits(header_bytes=4096)) as (_, port):
        answer = await converse(port, b"GET / HTTP/1.1\r\nX: " + b"a" * 5000 + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 431 ")


async def test_slow_header_times_out() -> None:
    async with serving(echo, Limits(header_timeout=0.1)) as (_, port):
        answer = await converse(port, b"GET / HTTP/1.1\r\nHost:")
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_idle_connection_is_closed() -> None:
    async with serving(echo, Limits(idle_timeout=0.1)) as (_, port):
        assert await converse(port, b"") == b""


async def test_request_deadline() -> None:
    async def handler(request: Request) -> Answer:
        await asyncio.sleep(60)
        raise AssertionError

    async with serving(handler, Limits(request_timeout=0.1)) as (_, port):
        answer = await converse(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 504 ")
    assert b"request did not complete within the allotted timeout" in answer


async def test_what_nobody_waits_for_any_more_has_the_same_deadline() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def handler(request: Request) -> Answer:
        begun.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        raise AssertionError

    async with serving(handler, Limits(request_timeout=0.1)) as (server, port):
        client = socket.create_connection(("127.0.0.1", port))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await begun.wait()
        client.close()  # by a reset: nothing will be read or written any more
        async with asyncio.timeout(5):
            await ended.wait()
        assert not server.connections


async def test_an_answer_that_nobody_reads_does_not_stay() -> None:
    async def handler(request: Request) -> Answer:
        return Response([b"x" * (1 << 20)] * 64)

    async with serving(handler, Limits(request_timeout=0.1)) as (server, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(5):
            while not server.connections:
                await asyncio.sleep(0.01)
            while server.connections:
                await asyncio.sleep(0.01)
        writer.close()


@pytest.mark.parametrize("kind", [Stream, Upgrade])
async def test_what_a_stream_holds_is_let_go_when_the_caller_has_gone(kind: type[Any]) -> None:
    asked, abandoned = asyncio.Event(), asyncio.Event()
    gone = asyncio.Event()

    async def run(_: object) -> None:
        raise AssertionError("nobody is there")

    async def handler(request: Request) -> Answer:
        asked.set()
        await gone.wait()
        answer: Answer = kind(run, headers={}, abandon=abandoned.set)
        return answer

    async with serving(handler) as (server, port):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(5):
            await asked.wait()
            reset = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset)
            writer.transport.abort()
            while server.connections:
                await asyncio.sleep(0.01)
            gone.set()
            await abandoned.wait()


async def test_large_answers_are_compressed_when_accepted() -> None:
    async def handler(request: Request) -> Answer:
        return Response([b"abcdefgh" * 1024] * 32)

    async with serving(handler) as (_, port):
        plain = await converse(port, b"GET / HTTP/1.1\r\nHost: x\r\n" + CLOSE)
        packed = await converse(port, b"GET / HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n" + CLOSE)
    body = plain.partition(b"\r\n\r\n")[2]
    assert len(body) == 262144
    head, _, data = packed.partition(b"\r\n\r\n")
    assert b"Content-Encoding: gzip" in head
    assert zlib.decompress(data, 31) == body


async def warned(*texts: str) -> list[str]:
    async def handler(request: Request) -> Answer:
        request.warnings += texts
        return Response(b"{}")

    async with serving(handler) as (_, port):
        answer = await converse(port, b"GET / HTTP/1.1\r\nHost: x\r\n" + CLOSE)
    return [line for line in answer.decode().split("\r\n") if line.startswith("Warning: ")]


async def test_warnings_are_quoted() -> None:
    assert await warned('unknown field "spec.x"\nsecond \\ line', "ä", "ä", "") == [
        'Warning: 299 - "unknown field \\"spec.x\\" second \\\\ line"',
        'Warning: 299 - "ä"',
    ]


async def test_warnings_are_cut_where_there_are_too_many() -> None:
    fitting = [str(number) + "x" * 499 for number in range(8)]
    assert [len(line) for line in await warned(*fitting)] == [len('Warning: 299 - ""') + 500] * 8
    lines = await warned(*(f"{number:02}" + "x" * 500 for number in range(50)))
    assert [len(line) for line in lines] == [len('Warning: 299 - ""') + 256] * 16


async def test_stream_then_next_request_on_the_same_connection() -> None:
    async def handler(request: Request) -> Answer:
        if request.path == "/plain":
            return Response(b"plain")

        async def run(writer: StreamWriter) -> None:
            writer.write(b"one")
            writer.write_framed(chunk(b"two"))
            await writer.drain()

        return Stream(run)

    async with serving(handler) as (_, port):
        answer = await converse(port, b"GET /s HTTP/1.1\r\nHost: x\r\n\r\nGET /plain HTTP/1.1\r\nHost: x\r\n" + CLOSE)
    assert b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\nHTTP/1.1 200 OK" in answer
    assert answer.endswith(b"plain")


async def test_stop_ends_open_streams_at_once() -> None:
    started = asyncio.Event()

    async def handler(request: Request) -> Answer:
        async def run(writer: StreamWriter) -> None:
            writer.write(b"x")
            started.set()
            await asyncio.Event().wait()

        return Stream(run)

    async with serving(handler) as (server, port):
        reading = asyncio.create_task(converse(port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
        await started.wait()
        async with asyncio.timeout(1):
            await server.stop()
        assert not server.connections
        try:
            await reading
        except ConnectionError:
            pass


async def test_stop_lets_requests_finish_and_takes_no_more() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()
    handled = []

    async def handler(request: Request) -> Answer:
        handled.append(request.path)
        begun.set()
        await go_on.wait()
        return Response(request.path.encode())

    requests = b"".join(b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n" % name for name in (b"slow", b"next"))
    async with serving(handler, Limits(farewell=0.05)) as (server, port):
        slow = asyncio.create_task(converse(port, requests))
        await begun.wait()
        stopping = asyncio.create_task(server.stop())
        await asyncio.sleep(0.1)
        assert not stopping.done()
        go_on.set()
        answer = await slow
        await stopping
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"Connection: close" in answer
    assert answer.endswith(b"\r\n\r\n/slow")
    assert handled == ["/slow"]


async def test_a_request_that_had_begun_when_the_stop_came_is_answered() -> None:
    async with serving(echo) as (server, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /late HTTP/1.1\r\n")
        async with asyncio.timeout(5):
            while not any(connection.busy for connection in server.connections):
                await asyncio.sleep(0.01)
            stopping = asyncio.create_task(server.stop())
            await asyncio.sleep(0)
            writer.write(b"Host: x\r\n\r\n")
            answer = await reader.read()
            await stopping
        writer.close()
    assert b"Connection: close" in answer
    assert answer.endswith(b"GET /late 0")


async def test_takeover_keeps_bytes_that_came_early() -> None:
    async def handler(request: Request) -> Answer:
        async def run(connection: Connection) -> None:
            data = b""
            while len(data) < 10:
                data += await connection.read()
            connection.write(data.upper())
            await connection.drain()

        return Upgrade(run, {"Connection": "Upgrade", "Upgrade": "echo"})

    async with serving(handler) as (_, port):
        answer = await converse(
            port, b"POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhelloworld"
        )
    assert answer.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
    assert answer.endswith(b"\r\n\r\nHELLOWORLD")


async def test_declined_upgrade_goes_on_as_http() -> None:
    async with serving(echo) as (_, port):
        answer = await converse(
            port,
            b"GET /1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
            b"GET /2 HTTP/1.1\r\nHost: x\r\n" + CLOSE,
        )
    assert b"GET /1 0" in answer
    assert answer.endswith(b"GET /2 0")
