"""Port forwarding: per forwarded connection one SPDY stream for the data and one for an error.

The session is the server's end towards the client, with many streams on one connection; :func:`forward` carries one
of them to a container runtime, over a connection of its own.  SPDY as it is spoken here has no flow control per
stream, so a stream that nobody reads from holds up its neighbours sooner or later: the session keeps ``UNREAD_LIMIT``
bytes in all, then reads no more, and gives the fullest stream up when nothing has moved for ``STALL_SECONDS``
although others are open.
"""

from __future__ import annotations

import asyncio
from collections import deque

from .connection import Connection
from .spdy import DataReceived, GoingAway, ProtocolError, SPDYConnection, StreamOpened, StreamReset
from .splice import first_of

CHUNK = 32 * 1024
MAX_STREAMS = 512
UNREAD_LIMIT = 8 << 20
STALL_SECONDS = 10.0
MAX_ERROR = 64 * 1024


class PortForwardStream:
    """One forwarded connection."""

    def __init__(self, session: PortForwardSession, port: int, data: int, error: int) -> None:
        self._session = session
        self.port = port
        self.data_stream = data
        self.error_stream = error
        self.gone = asyncio.Event()
        """Set when the client gave it up before all was sent, or has gone."""
        self.unread = 0
        self._parts: deque[bytes] = deque()
        self._ended = False
        self._readable = asyncio.Event()
        self._finished = False
        self._closed = False

    def feed(self, data: bytes) -> None:
        """Bytes from the client."""
        if data and not self._ended:
            self._parts.append(data)
            self.unread += len(data)
            self._readable.set()

    def end(self) -> None:
        """The client sends no more; what is unread can still be read."""
        self._ended = True
        self._readable.set()

    def cancel(self) -> None:
        """The client wants no more data; it waits for what went wrong (kubectl 1.33 does so at the end of each)."""
        self._parts.clear()
        self.unread = 0
        self.end()
        if not self._finished:
            self.gone.set()

    def abandon(self) -> None:
        """Nothing more goes either way."""
        self._closed = True
        self.cancel()
        self.gone.set()

    async def read(self) -> bytes:
        """The next bytes from the client; empty at their end."""
        while not self._parts and not self._ended:
            self._readable.clear()
            await self._readable.wait()
        if not self._parts:
            return b""
        data = self._parts.popleft()
        self.unread -= len(data)
        self._session.consumed(len(data))
        return data

    def write(self, data: bytes) -> None:
        if not self._finished and not self.gone.is_set():
            for start in range(0, len(data), CHUNK):
                self._session.send(self.data_stream, data[start : start + CHUNK])

    async def drain(self) -> None:
        await self._session.drain()

    def eof(self) -> None:
        """Nothing more will be written."""
        if not self._finished and not self.gone.is_set():
            self._session.send(self.data_stream, b"", fin=True)
        self._finished = True

    def finish(self, error: str = "") -> None:
        """All is over; tell the client what went wrong, if anything did."""
        if not self._closed:
            self._session.send(self.error_stream, error.encode(), fin=True)
        self.eof()
        self._session.forget(self)


class PortForwardSession:
    """The server's end of one port forwarding.  :meth:`run` reads; :meth:`accept` hands out what the client opens."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._spdy = SPDYConnection()
        self._halves: dict[str, dict[str, tuple[int, int]]] = {}
        self._by_stream: dict[int, PortForwardStream] = {}
        self._accepted: asyncio.Queue[PortForwardStream | None] = asyncio.Queue()
        self._unread = 0
        self._moved = asyncio.Event()

    async def run(self) -> None:
        """Read from the client until it goes; then close."""
        try:
            going = False
            while not going and (data := await self._connection.read()):
                for event in self._spdy.receive(data):
                    if isinstance(event, StreamOpened):
                        self._open(event)
                    elif isinstance(event, DataReceived):
                        self._data(event)
                    elif isinstance(event, StreamReset):
                        self._cancel(event.stream)
                    elif isinstance(event, GoingAway):
                        going = True
                self._flush()
                await self._room()
        except ProtocolError:
            self._spdy.go_away()
        finally:
            for stream in list(self._by_stream.values()):
                stream.abandon()
            self._accepted.put_nowait(None)
            self._flush()
            self._connection.close()

    def _open(self, event: StreamOpened) -> None:
        kind = event.headers.get("streamtype", "")
        # Clients older than 1.6 number no requests; their data stream follows upon the error stream.
        request = event.headers.get("requestid") or str(event.stream - (2 if kind == "data" else 0))
        port = event.headers.get("port", "")
        if (
            kind not in ("data", "error")
            or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536)
            or len(self._halves) + len(self._by_stream) >= MAX_STREAMS
        ):
            self._spdy.reset(event.stream)
            return
        self._spdy.accept(event.stream)
        halves = self._halves.setdefault(request, {})
        halves[kind] = (event.stream, int(port))
        if len(halves) < 2:
            return
        del self._halves[request]
        stream = PortForwardStream(self, halves["data"][1], halves["data"][0], halves["error"][0])
        self._by_stream[stream.data_stream] = stream
        if event.fin and kind == "data":
            stream.end()
        self._accepted.put_nowait(stream)

    def _data(self, event: DataReceived) -> None:
        if (stream := self._by_stream.get(event.stream)) is None:
            return
        before = stream.unread
        stream.feed(event.data)
        self._unread += stream.unread - before
        if event.fin:
            stream.end()

    def _cancel(self, number: int) -> None:
        if (stream := self._by_stream.get(number)) is not None:
            self.consumed(stream.unread)
            stream.cancel()

    def _abandon(self, number: int) -> None:
        if (stream := self._by_stream.pop(number, None)) is not None:
            self.consumed(stream.unread)
            stream.abandon()

    async def _room(self) -> None:
        while self._unread > UNREAD_LIMIT:
            self._moved.clear()
            try:
                async with asyncio.timeout(STALL_SECONDS):
                    await self._moved.wait()
            except TimeoutError:
                if len(self._by_stream) > 1:
                    fullest = max(self._by_stream.values(), key=lambda stream: stream.unread)
                    self._spdy.reset(fullest.data_stream)
                    self._spdy.reset(fullest.error_stream)
                    self._flush()
                    self._abandon(fullest.data_stream)

    def consumed(self, size: int) -> None:
        """A stream's reader took bytes."""
        self._unread -= size
        self._moved.set()

    def forget(self, stream: PortForwardStream) -> None:
        """A stream has come to its end."""
        self._abandon(stream.data_stream)

    def send(self, stream: int, data: bytes, *, fin: bool = False) -> None:
        """Send bytes on a stream."""
        self._spdy.send(stream, data, fin=fin)
        self._flush()

    def _flush(self) -> None:
        if data := self._spdy.data_to_send():
            self._connection.write(data)

    async def drain(self) -> None:
        """Wait until the client has taken enough."""
        await self._connection.drain()

    async def accept(self) -> PortForwardStream | None:
        """The next connection that the client opens; None when the client has gone."""
        return await self._accepted.get()


async def forward(stream: PortForwardStream, runtime: Connection) -> None:
    """Carry one forwarded connection to a runtime, whose answer to the SPDY handshake was 101; close it afterwards."""
    spdy = SPDYConnection(client=True)
    headers = {"port": str(stream.port), "requestid": "0"}
    error_stream = spdy.open({"streamtype": "error", **headers})
    spdy.send(error_stream, b"", fin=True)
    data_stream = spdy.open({"streamtype": "data", **headers})
    runtime.write(spdy.data_to_send())
    error = bytearray()

    async def to_runtime() -> None:
        while data := await stream.read():
            spdy.send(data_stream, data)
            runtime.write(spdy.data_to_send())
            await runtime.drain()
        if not stream.gone.is_set():
            spdy.send(data_stream, b"", fin=True)
            runtime.write(spdy.data_to_send())
            await asyncio.Event().wait()  # the runtime may still answer: it says when all is over

    async def given_up() -> None:
        await stream.gone.wait()

    async def to_client() -> None:
        while data := await runtime.read():
            for event in spdy.receive(data):
                if isinstance(event, DataReceived) and event.stream == error_stream:
                    error.extend(event.data[:MAX_ERROR])
                    if event.fin:  # runtimes end the data first, then say what went wrong, then end this
                        return
                elif isinstance(event, DataReceived):
                    stream.write(event.data)
                    if event.fin:
                        stream.eof()
                elif isinstance(event, GoingAway) or (isinstance(event, StreamReset) and event.stream == data_stream):
                    return
            if answers := spdy.data_to_send():
                runtime.write(answers)
            await stream.drain()

    try:
        await first_of(to_runtime(), to_client(), given_up())
        stream.finish(error.decode("utf-8", "replace"))
    except ProtocolError as failure:
        stream.finish(f"the runtime does not speak SPDY: {failure}")
    finally:
        runtime.close()
