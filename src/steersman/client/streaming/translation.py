"""Exec and attach: WebSocket ``v5.channel.k8s.io`` towards the client, SPDY/3.1 ``v4.channel.k8s.io`` towards the node.

Container runtimes speak no version 5; what it adds is that the client can end stdin alone (KEP-4006).  Bytes are
carried as they come and never gathered: a side that does not read is not read for.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from steersman.api import codecs
from steersman.api.errors import internal_error
from steersman.api.types.meta_v1 import Status

from .channels import ERROR, RESIZE, STDERR, STDIN, STDOUT, Channels
from .connection import Connection
from .session import Streams
from .spdy import DataReceived, GoingAway, ProtocolError, SPDYConnection, StreamReset
from .splice import first_of

MAX_STATUS = 1 << 20
DRAIN_SECONDS = 900.0
"""How long a client that reads slowly may take for what was sent; closing earlier would cut its output off."""

FAREWELL_SECONDS = 60.0
"""How long it may then take for what the kernel holds, and to say goodbye."""

_INPUT = {STDIN: "stdin", RESIZE: "resize"}
_OUTPUT = {"stdout": STDOUT, "stderr": STDERR}


class Translator:
    """One session; the client's handshake is answered already."""

    def __init__(self, client: Connection, streams: Streams) -> None:
        self._client = client
        self._channels = Channels("v5.channel.k8s.io")
        self._spdy = SPDYConnection(client=True)
        wanted = {"error": True, "stdin": streams.stdin, "stdout": streams.stdout}
        wanted |= {"stderr": streams.stderr and not streams.tty, "resize": streams.tty}
        self._numbers = {kind: self._spdy.open({"streamtype": kind}) for kind, wants in wanted.items() if wants}
        self._kinds = {number: kind for kind, number in self._numbers.items()}
        self._status = bytearray()
        self._over = False
        # An empty message on the first channel that the client reads tells it that the session is there.
        first = STDOUT if streams.stdout else STDERR if streams.stderr else ERROR
        self._channels.send(first, b"")
        self._flush_client()

    async def run(self, node: Connection) -> None:
        """Carry everything both ways until the command has ended or either side has gone."""
        self._flush_node(node)
        try:
            await first_of(self._to_node(node), self._to_client(node))
        except ProtocolError as error:
            await self.finish(internal_error(f"the node does not speak SPDY: {error}").status)
            return
        finally:
            node.close()
        if self._status:
            await self._finish(bytes(self._status))
        elif self._over:
            await self.finish(internal_error("the connection to the node was lost before the command ended").status)

    async def finish(self, status: Status) -> None:
        """Tell the client how it ended, and wait until it has everything."""
        await self._finish(codecs.encode(status))

    async def _finish(self, status: bytes) -> None:
        self._channels.send(ERROR, status)
        self._channels.messages.close()
        self._flush_client()
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._client.drain()
            async with asyncio.timeout(FAREWELL_SECONDS):
                while not self._channels.messages.ended and (data := await self._client.read()):
                    for _ in self._channels.receive(data):
                        continue

    async def _to_node(self, node: Connection) -> None:
        while not self._channels.messages.closed:
            data = await self._client.read()
            for message in self._channels.receive(data):
                number = self._numbers.get(_INPUT.get(message.channel, ""))
                if number is None:
                    continue
                if message.end:
                    self._spdy.send(number, b"", fin=True)
                    del self._numbers[_INPUT[message.channel]]
                elif message.data:
                    self._spdy.send(number, message.data)
            self._flush_client()
            self._flush_node(node)
            if not data:
                return
            await node.drain()

    async def _to_client(self, node: Connection) -> None:
        while not self._over and (data := await node.read()):
            for event in self._spdy.receive(data):
                if isinstance(event, DataReceived):
                    self._received(event)
                elif isinstance(event, GoingAway) or (
                    isinstance(event, StreamReset) and self._kinds.get(event.stream) == "error"
                ):
                    self._over = True
            self._flush_node(node)
            self._flush_client()
            await self._client.drain()
        self._over = True

    def _received(self, event: DataReceived) -> None:
        kind = self._kinds.get(event.stream, "")
        if (channel := _OUTPUT.get(kind)) is not None:
            if event.data:
                self._channels.send(channel, event.data)
        elif kind == "error":
            self._status += event.data
            self._over |= event.fin
            if len(self._status) > MAX_STATUS:
                raise ProtocolError("a status without end")

    def _flush_node(self, node: Connection) -> None:
        if data := self._spdy.data_to_send():
            node.write(data)

    def _flush_client(self) -> None:
        if data := self._channels.messages.data_to_send():
            self._client.write(data)
