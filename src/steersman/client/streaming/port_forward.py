"""Port forwarding: per forwarded connection one SPDY stream for the data and one for an error."""

from __future__ import annotations

import asyncio

from .bounded import ByteQueue
from .channels import WebSocketMessages
from .connection import Connection
from .spdy import DataReceived, GoingAway, ProtocolError, SPDYConnection, StreamOpened, StreamReset

CHUNK = 32 * 1024
MAX_PENDING = 256


class WebSocketTunnel:
    """SPDY's bytes in the messages of a WebSocket (``SPDY/3.1+portforward.k8s.io``), as a Connection."""

    def __init__(self, beneath: Connection) -> None:
        self._beneath = beneath
        self._messages = WebSocketMessages()

    async def read(self) -> bytes:
        while True:
            data = await self._beneath.read()
            content = b"".join(self._messages.receive(data))
            self._flush()
            if content or not data or self._messages.closed:
                return content

    def write(self, data: bytes) -> None:
        self._messages.send(data)
        self._flush()

    def _flush(self) -> None:
        if data := self._messages.data_to_send():
            self._beneath.write(data)

    async def drain(self) -> None:
        await self._beneath.drain()

    def close(self) -> None:
        self._messages.close()
        self._flush()
        self._beneath.close()


class SPDYPortForwardStream:
    """See :class:`.session.PortForwardStream`."""

    def __init__(self, session: SPDYPortForwardSession, port: int, data: int, error: int) -> None:
        self._session = session
        self.port = port
        self.data_stream = data
        self.error_stream = error
        self.queue = ByteQueue()
        self.gone = False
        self._finished = False

    async def read(self) -> bytes:
        return await self.queue.get()

    def write(self, data: bytes) -> None:
        if not self._finished and not self.gone:
            for start in range(0, len(data), CHUNK):
                self._session.send(self.data_stream, data[start : start + CHUNK])

    async def drain(self) -> None:
        await self._session.drain()

    def eof(self) -> None:
        if not self._finished:
            self._finished = True
            if not self.gone:
                self._session.send(self.data_stream, b"", fin=True)
                self._session.send(self.error_stream, b"", fin=True)

    def fail(self, message: str) -> None:
        if not self._finished:
            self._finished = True
            if not self.gone:
                self._session.send(self.error_stream, message.encode(), fin=True)
                self._session.send(self.data_stream, b"", fin=True)


class SPDYPortForwardSession:
    """See :class:`.session.PortForwardSession`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._spdy = SPDYConnection()
        self._halves: dict[str, dict[str, tuple[int, int]]] = {}
        self._by_stream: dict[int, SPDYPortForwardStream] = {}
        self._accepted: asyncio.Queue[SPDYPortForwardStream | None] = asyncio.Queue()

    async def run(self) -> None:
        """Read from the client until it goes."""
        try:
            while data := await self._connection.read():
                for event in self._spdy.receive(data):
                    if isinstance(event, StreamOpened):
                        self._open(event)
                    elif isinstance(event, DataReceived):
                        if (stream := self._by_stream.get(event.stream)) is not None:
                            await stream.queue.put(event.data)
                            if event.fin:
                                stream.queue.end()
                    elif isinstance(event, StreamReset):
                        self._reset(event.stream)
                    elif isinstance(event, GoingAway):
                        break
                self._flush()
        except ProtocolError:
            self._connection.close()
        finally:
            for stream in set(self._by_stream.values()):
                stream.gone = True
                stream.queue.end()
            self._accepted.put_nowait(None)

    def _open(self, event: StreamOpened) -> None:
        kind = event.headers.get("streamtype", "")
        request = event.headers.get("requestid") or str(event.stream - (2 if kind == "data" else 0))
        port = event.headers.get("port", "")
        if (
            kind not in ("data", "error")
            or not port.isdigit()
            or not 0 < int(port) < 65536
            or len(self._halves) >= MAX_PENDING
        ):
            self._spdy.reset(event.stream)
            return
        self._spdy.accept(event.stream)
        halves = self._halves.setdefault(request, {})
        halves[kind] = (event.stream, int(port))
        if len(halves) == 2:
            del self._halves[request]
            stream = SPDYPortForwardStream(self, halves["data"][1], halves["data"][0], halves["error"][0])
            self._by_stream[stream.data_stream] = stream
            if event.fin and kind == "data":
                stream.queue.end()
            self._accepted.put_nowait(stream)

    def _reset(self, number: int) -> None:
        if (stream := self._by_stream.pop(number, None)) is not None:
            stream.gone = True
            stream.queue.end()

    def _flush(self) -> None:
        if data := self._spdy.data_to_send():
            self._connection.write(data)

    def send(self, stream: int, data: bytes, *, fin: bool = False) -> None:
        """Send bytes on a stream."""
        self._spdy.send(stream, data, fin=fin)
        self._flush()
        if fin:
            self._by_stream.pop(stream, None)

    async def drain(self) -> None:
        """Wait until the client has taken enough."""
        await self._connection.drain()

    async def accept(self) -> SPDYPortForwardStream | None:
        return await self._accepted.get()

    def close(self) -> None:
        """End the connection."""
        self._spdy.go_away()
        self._flush()
        self._connection.close()
