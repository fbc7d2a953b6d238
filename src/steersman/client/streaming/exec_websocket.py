"""Exec and attach over WebSocket channels."""

from __future__ import annotations

import asyncio

from steersman.api.types.meta_v1 import Status

from . import channels
from .bounded import ByteQueue
from .connection import Connection
from .session import Streams, TerminalSize
from .terminal import Resizes, status_bytes

CHUNK = 32 * 1024


class WebSocketExecSession:
    """See :class:`.session.StreamSession`."""

    def __init__(self, connection: Connection, protocol: str, streams: Streams) -> None:
        self._connection = connection
        self._channels = channels.Channels(protocol)
        self._streams = streams
        self._stdin = ByteQueue()
        self._resizes = Resizes()
        self.closed = asyncio.Event()
        self.opened = asyncio.Event()

    async def run(self) -> None:
        """Read from the client until it goes."""
        # An empty message on the first channel we may write tells the client that the streams are up.
        first = channels.STDOUT if self._streams.stdout else channels.STDERR if self._streams.stderr else channels.ERROR
        self._send(first, b"")
        self.opened.set()
        try:
            while not self.closed.is_set():
                data = await self._connection.read()
                for message in self._channels.receive(data):
                    if message.channel == channels.STDIN and self._streams.stdin:
                        await self._stdin.put(message.data)
                        if message.end:
                            self._stdin.end()
                    elif message.channel == channels.RESIZE:
                        self._resizes.feed(message.data)
                self._flush()
                if not data or self._channels.messages.closed:
                    break
        finally:
            self.closed.set()
            self._stdin.end()
            self._resizes.end()

    def _send(self, channel: int, data: bytes) -> None:
        self._channels.send(channel, data)
        self._flush()

    def _flush(self) -> None:
        if data := self._channels.messages.data_to_send():
            self._connection.write(data)

    async def read_stdin(self) -> bytes:
        return await self._stdin.get()

    async def next_resize(self) -> TerminalSize | None:
        return await self._resizes.next()

    def write_stdout(self, data: bytes) -> None:
        self._output(channels.STDOUT, data, wanted=self._streams.stdout)

    def write_stderr(self, data: bytes) -> None:
        self._output(channels.STDERR, data, wanted=self._streams.stderr and not self._streams.tty)

    def _output(self, channel: int, data: bytes, *, wanted: bool) -> None:
        if wanted:
            for start in range(0, len(data), CHUNK):
                self._send(channel, data[start : start + CHUNK])

    async def drain(self) -> None:
        await self._connection.drain()

    def finish(self, status: Status) -> None:
        if data := status_bytes(status, as_json=self._channels.status_as_json):
            self._send(channels.ERROR, data)

    def close(self) -> None:
        """End the WebSocket and the connection."""
        self._channels.messages.close()
        self._flush()
        self._connection.close()
