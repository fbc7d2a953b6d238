"""Port-forward sessions, and one forwarded connection's way to a runtime, over connections in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from fixtures.pipes import Pipe, pipe
from steersman.client.streaming import PortForwardSession, PortForwardStream, forward, port_forward
from steersman.client.streaming.spdy import DataReceived, SPDYConnection, StreamOpened, StreamReset


class Client:
    """kubectl's end."""

    def __init__(self, connection: Pipe) -> None:
        self.connection = connection
        self.spdy = SPDYConnection(client=True)
        self.data: dict[int, bytearray] = {}
        self.ended: set[int] = set()
        self.reset: set[int] = set()

    def open(self, port: int, request: str) -> tuple[int, int]:
        headers = {"port": str(port), "requestid": request}
        error = self.spdy.open({"streamtype": "error", **headers})
        self.spdy.send(error, b"", fin=True)
        data = self.spdy.open({"streamtype": "data", **headers})
        self.flush()
        return data, error

    def send(self, stream: int, data: bytes, *, fin: bool = False) -> None:
        self.spdy.send(stream, data, fin=fin)
        self.flush()

    def flush(self) -> None:
        self.connection.write(self.spdy.data_to_send())

    async def until_ended(self, *streams: int) -> None:
        while not set(streams) <= self.ended | self.reset:
            data = await self.connection.read()
            assert data
            for event in self.spdy.receive(data):
                if isinstance(event, DataReceived):
                    self.data.setdefault(event.stream, bytearray()).extend(event.data)
                    if event.fin:
                        self.ended.add(event.stream)
                elif isinstance(event, StreamReset):
                    self.reset.add(event.stream)


@asynccontextmanager
async def session() -> AsyncIterator[tuple[Client, PortForwardSession]]:
    ours, client_end = pipe()
    forwarding = PortForwardSession(ours)
    running = asyncio.create_task(forwarding.run())
    async with asyncio.timeout(5):
        yield Client(client_end), forwarding
        client_end.close()
        await running


async def opened(forwarding: PortForwardSession) -> PortForwardStream:
    stream = await forwarding.accept()
    assert stream is not None
    return stream


async def test_streams_are_paired_by_request() -> None:
    async with session() as (client, forwarding):
        data_1, error_1 = client.open(80, "0")
        data_2, _ = client.open(81, "1")
        one, two = await opened(forwarding), await opened(forwarding)
        assert (one.port, two.port) == (80, 81)
        client.send(data_2, b"second")
        client.send(data_1, b"first", fin=True)
        assert (await two.read(), await one.read(), await one.read()) == (b"second", b"first", b"")
        one.write(b"answer")
        one.finish()
        await client.until_ended(data_1, error_1)
        assert (client.data[data_1], client.data.get(error_1, b"")) == (b"answer", b"")


async def test_stream_that_is_not_read_does_not_block_its_neighbours() -> None:
    async with session() as (client, forwarding):
        stuck, _ = client.open(80, "0")
        quick, _ = client.open(81, "1")
        await opened(forwarding)
        neighbour = await opened(forwarding)
        for _ in range(32):
            client.send(stuck, b"x" * 32768)
        client.send(quick, b"passes")
        assert await neighbour.read() == b"passes"


async def test_stream_that_stalls_all_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_forward, "STALL_SECONDS", 0.01)
    async with session() as (client, forwarding):
        stuck, error = client.open(80, "0")
        quick, _ = client.open(81, "1")
        victim, neighbour = await opened(forwarding), await opened(forwarding)
        for _ in range(400):
            client.send(stuck, b"x" * 32768)
        client.send(quick, b"passes")
        assert await neighbour.read() == b"passes"
        assert victim.gone.is_set()
        await client.until_ended(stuck, error)
        assert {stuck, error} <= client.reset


async def test_only_stream_holds_its_client_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port_forward, "STALL_SECONDS", 0.01)
    async with session() as (client, forwarding):
        data, _ = client.open(80, "0")
        stream = await opened(forwarding)
        for _ in range(400):
            client.send(data, b"x" * 32768)
        client.send(data, b"", fin=True)
        await asyncio.sleep(0.05)
        assert client.connection.peer.incoming
        size = 0
        while part := await stream.read():
            size += len(part)
        assert size == 400 * 32768


@pytest.mark.parametrize("port", ["0", "65536", "x", "", "²"])
async def test_port_that_is_none(port: str) -> None:
    async with session() as (client, _):
        stream = client.spdy.open({"streamtype": "data", "port": port, "requestid": "0"})
        client.flush()
        await client.until_ended(stream)
        assert stream in client.reset


class Runtime:
    """A runtime's end of one forwarded connection."""

    def __init__(self, connection: Pipe) -> None:
        self.connection = connection
        self.spdy = SPDYConnection()
        self.kinds: dict[str, int] = {}
        self.received = bytearray()
        self.ended = False

    async def receive(self) -> bool:
        data = await self.connection.read()
        for event in self.spdy.receive(data):
            if isinstance(event, StreamOpened):
                self.kinds[event.headers["streamtype"]] = event.stream
                self.spdy.accept(event.stream)
            elif isinstance(event, DataReceived) and event.stream == self.kinds.get("data"):
                self.received += event.data
                self.ended |= event.fin
        self.connection.write(self.spdy.data_to_send())
        return bool(data)

    def send(self, kind: str, data: bytes, *, fin: bool = False) -> None:
        self.spdy.send(self.kinds[kind], data, fin=fin)
        self.connection.write(self.spdy.data_to_send())


@asynccontextmanager
async def forwarded() -> AsyncIterator[tuple[Client, int, int, Runtime, asyncio.Task[None]]]:
    async with session() as (client, forwarding):
        data, error = client.open(80, "0")
        ours, runtime_end = pipe()
        forwarding_task = asyncio.create_task(forward(await opened(forwarding), ours))
        yield client, data, error, Runtime(runtime_end), forwarding_task
        client.connection.close()
        await forwarding_task


async def test_forward_half_closes() -> None:
    async with forwarded() as (client, data, error, runtime, forwarding):
        client.send(data, b"request", fin=True)
        while not runtime.ended:
            await runtime.receive()
        assert runtime.received == b"request"
        runtime.send("data", b"response")
        runtime.send("data", b"", fin=True)
        await client.until_ended(data)
        runtime.send("error", b"", fin=True)
        await client.until_ended(data, error)
        assert client.data[data] == b"response"
        await forwarding


async def test_forward_tells_errors() -> None:
    async with forwarded() as (client, data, error, runtime, _):
        while len(runtime.kinds) < 2:
            await runtime.receive()
        runtime.send("data", b"", fin=True)
        await client.until_ended(data)
        runtime.send("error", b"connection ")
        runtime.send("error", b"refused", fin=True)
        runtime.connection.close()
        await client.until_ended(data, error)
        assert client.data[error] == b"connection refused"


async def test_client_that_has_all_data_still_hears_of_errors() -> None:
    """As kubectl 1.33 does: it resets the stream of data as soon as that has ended."""
    async with forwarded() as (client, data, error, runtime, forwarding):
        while len(runtime.kinds) < 2:
            assert await runtime.receive()
        runtime.send("data", b"", fin=True)
        await client.until_ended(data)
        client.spdy.reset(data)
        client.flush()
        while not runtime.ended:
            assert await runtime.receive()
        runtime.send("error", b"connection refused", fin=True)
        await client.until_ended(error)
        assert client.data[error] == b"connection refused"
        await forwarding


async def test_client_that_gives_a_connection_up_is_told_the_end() -> None:
    async with forwarded() as (client, data, error, runtime, forwarding):
        await runtime.receive()
        client.spdy.reset(data)
        client.flush()
        await forwarding
        await client.until_ended(error)
        assert client.data[error] == b""
        while await runtime.receive():
            continue


async def test_client_that_leaves_ends_the_forward() -> None:
    async with forwarded() as (client, _, _, runtime, forwarding):
        await runtime.receive()
        client.connection.close()
        await forwarding
        while await runtime.receive():
            continue
