"""WebSocket v5 towards the client, SPDY towards the node, over connections in memory."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, Protocol, State

from fixtures.exec_server import ExecSession, exec_session
from fixtures.pipes import Pipe, pipe
from steersman.api.types.meta_v1 import Status, StatusCause, StatusDetails
from steersman.client.streaming import Streams, Translator

ALL = Streams(stdin=True, stdout=True, stderr=True)
EXIT_7 = Status(
    status="Failure",
    reason="NonZeroExitCode",
    message="command terminated with non-zero exit code: 7",
    details=StatusDetails(causes=[StatusCause(reason="ExitCode", message="7")]),
)


class Client:
    """kubectl's end: a WebSocket's messages, by channel."""

    def __init__(self, connection: Pipe) -> None:
        self.connection = connection
        self.protocol = Protocol(CLIENT, state=State.OPEN)
        self.messages: list[bytes] = []
        self.close_code: int | None = None

    def send(self, message: bytes) -> None:
        self.protocol.send_binary(message)
        self.connection.write(b"".join(self.protocol.data_to_send()))

    async def receive(self) -> bool:
        if not (data := await self.connection.read()):
            return False
        self.protocol.receive_data(data)
        for frame in self.protocol.events_received():
            if isinstance(frame, Frame) and frame.opcode is Opcode.BINARY:
                self.messages.append(bytes(frame.data))
        self.connection.write(b"".join(self.protocol.data_to_send()))
        if self.protocol.close_rcvd is not None:
            self.close_code = self.protocol.close_rcvd.code
        return self.close_code is None

    async def until(self, channel: int, data: bytes) -> None:
        while self.on(channel) != data:
            assert await self.receive(), self.messages

    async def until_closed(self) -> None:
        while await self.receive():
            continue

    def on(self, channel: int) -> bytes:
        return b"".join(message[1:] for message in self.messages if message[0] == channel)


@asynccontextmanager
async def session(streams: Streams = ALL) -> AsyncIterator[tuple[Client, ExecSession, asyncio.Task[None]]]:
    ours, client_end = pipe()
    node, node_end = pipe()
    client = Client(client_end)
    translating = asyncio.create_task(Translator(ours, streams).run(node))
    async with asyncio.timeout(5), exec_session(node_end, streams) as command:
        yield client, command, translating
    client_end.close()
    await asyncio.wait_for(translating, 5)


async def test_output_status_and_end() -> None:
    async with session() as (client, command, translating):
        command.write("stdout", b"out")
        command.write("stderr", b"err")
        command.finish(EXIT_7)
        command.write("error", b"", fin=True)
        await client.until_closed()
        await translating
    assert client.messages[0] == b"\x01"
    assert (client.on(1), client.on(2)) == (b"out", b"err")
    status = json.loads(client.on(3))
    assert (status["reason"], status["details"]["causes"]) == (
        "NonZeroExitCode",
        [{"reason": "ExitCode", "message": "7"}],
    )
    assert client.close_code == 1000


async def test_end_of_stdin_alone() -> None:
    async with session() as (client, command, translating):
        client.send(b"\x00some ")
        client.send(b"\x00input")
        client.send(b"\xff\x00")
        received = bytearray()
        while data := await command.read_stdin():
            received += data
        assert received == b"some input"
        assert not translating.done()
        command.write("stdout", b"still here")
        await client.until(1, b"still here")


async def test_resizes() -> None:
    async with session(Streams(stdin=True, stdout=True, tty=True)) as (client, command, _):
        client.send(b'\x04{"Width":80,"Height":24}')
        client.send(b"\x00x")
        await command.read_stdin()
        assert command.sizes == [{"Width": 80, "Height": 24}]
        assert set(command.ids) == {"error", "stdin", "stdout", "resize"}


async def test_client_that_leaves_ends_the_command() -> None:
    async with session() as (client, command, translating):
        client.connection.close()
        await command.closed.wait()
        await translating


async def test_node_that_is_lost() -> None:
    async with session() as (client, command, _):
        command.write("stdout", b"half")
        command.connection.close()
        await client.until_closed()
        assert client.on(1) == b"half"
        assert json.loads(client.on(3))["message"].endswith(
            "the connection to the node was lost before the command ended"
        )


@pytest.mark.parametrize("pings", [0, 1])
async def test_output_waits_for_a_slow_client(pings: int) -> None:
    async with session(Streams(stdout=True)) as (client, command, _):

        async def write() -> None:
            for _ in range(200):
                command.write("stdout", b"x" * 32768)
                await command.connection.drain()

        writing = asyncio.create_task(write())
        for _ in range(50):
            await asyncio.sleep(0)
        assert not writing.done()
        if pings:
            client.protocol.send_ping(b"?")
            client.connection.write(b"".join(client.protocol.data_to_send()))
        await client.until(1, b"x" * 32768 * 200)
        await writing
        assert client.connection.most < 400_000


async def test_input_waits_for_a_slow_command() -> None:
    ours, client_end = pipe()
    node, node_end = pipe()
    client = Client(client_end)
    translating = asyncio.create_task(Translator(ours, Streams(stdin=True)).run(node))
    for _ in range(100):
        client.send(b"\x00" + b"x" * 32768)
    for _ in range(50):
        await asyncio.sleep(0)
    assert len(node_end.incoming) < 400_000
    assert len(ours.incoming) > 2_000_000
    client_end.close()
    node_end.close()
    await asyncio.wait_for(translating, 5)


async def test_client_may_read_slowly_to_the_end() -> None:
    async with session() as (client, command, translating):
        command.write("stdout", b"y" * 50_000)
        command.finish(Status(status="Success"))
        command.connection.close()
        for _ in range(20):
            client.send(b"\x00more input that nobody reads")
            await asyncio.sleep(0)
        assert not translating.done()
        await client.until_closed()
        assert client.on(1) == b"y" * 50_000
        assert json.loads(client.on(3))["status"] == "Success"
        await translating
