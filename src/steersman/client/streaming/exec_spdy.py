"""Exec and attach over SPDY/3.1: the client opens a stream for each of error, stdin, stdout, stderr, resize."""

from __future__ import annotations

import asyncio

from steersman.api.types.meta_v1 import Status

from .bounded import ByteQueue
from .connection import Connection
from .session import Streams, TerminalSize
from .spdy import DataReceived, ProtocolError, SPDYConnection, StreamOpened, StreamReset
from .terminal import Resizes, status_bytes

CHUNK = 32 * 1024


class SPDYExecSession:
    """See :class:`.session.StreamSession`."""

    def __init__(self, connection: Connection, protocol: str, streams: Streams) -> None:
        self._connection = connection
        self._spdy = SPDYConnection()
        self._version = int(protocol[1]) if protocol.startswith("v") else 1
        self._stdin = ByteQueue()
        self._resizes = Resizes()
        self._types: dict[int, str] = {}
        self._ids: dict[str, int] = {}
        self.closed = asyncio.Event()
        self.opened = asyncio.Event()
        self._expected = {"error"} | {
            name
            for name, wanted in (
                ("stdin", streams.stdin),
                ("stdout", streams.stdout),
                ("stderr", streams.stderr and not streams.tty),
                ("resize", streams.tty and self._version >= 3),
            )
            if wanted
        }

    async def run(self) -> None:
        """Read from the client until it goes."""
        try:
            while data := await self._connection.read():
                for event in self._spdy.receive(data):
                    if isinstance(event, StreamOpened):
                        self._open(event)
                    elif isinstance(event, DataReceived):
                        await self._data(event)
                    elif isinstance(event, StreamReset):
                        self._end(self._types.pop(event.stream, ""))
                self._flush()
        except ProtocolError:
            self._connection.close()
        finally:
            self.closed.set()
            self._stdin.end()
            self._resizes.end()

    def _open(self, event: StreamOpened) -> None:
        kind = event.headers.get("streamtype", "")
        if kind not in self._expected or kind in self._ids:
            self._spdy.reset(event.stream)
            return
        self._types[event.stream] = kind
        self._ids[kind] = event.stream
        self._spdy.accept(event.stream)
        if event.fin:
            self._end(kind)
        if len(self._ids) == len(self._expected):
            self.opened.set()

    async def _data(self, event: DataReceived) -> None:
        kind = self._types.get(event.stream, "")
        if kind == "stdin":
            await self._stdin.put(event.data)
        elif kind == "resize":
            self._resizes.feed(event.data)
        if event.fin:
            self._end(kind)

    def _end(self, kind: str) -> None:
        if kind == "stdin":
            self._stdin.end()
        elif kind == "resize":
            self._resizes.end()

    def _flush(self) -> None:
        if data := self._spdy.data_to_send():
            self._connection.write(data)

    async def read_stdin(self) -> bytes:
        return await self._stdin.get()

    async def next_resize(self) -> TerminalSize | None:
        return await self._resizes.next()

    def write_stdout(self, data: bytes) -> None:
        self._output("stdout", data)

    def write_stderr(self, data: bytes) -> None:
        self._output("stderr", data)

    def _output(self, kind: str, data: bytes) -> None:
        if (stream := self._ids.get(kind)) is not None and stream in self._types:
            for start in range(0, len(data), CHUNK):
                self._spdy.send(stream, data[start : start + CHUNK])
            self._flush()

    async def drain(self) -> None:
        await self._connection.drain()

    def finish(self, status: Status) -> None:
        self._output("error", status_bytes(status, as_json=self._version >= 4))

    def close(self) -> None:
        """End every stream and the connection."""
        for stream in self._types:
            self._spdy.send(stream, b"", fin=True)
        self._spdy.go_away()
        self._flush()
        self._connection.close()
