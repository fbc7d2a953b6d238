"""SPDY's bytes in the messages of a WebSocket (``SPDY/3.1+portforward.k8s.io``, KEP-4006)."""

from __future__ import annotations

from .channels import WebSocketMessages
from .connection import Connection


class WebSocketTunnel:
    """The content of a WebSocket's messages as a :class:`.connection.Connection`."""

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
