"""WebSocket with channels: each message begins with the number of its channel (``*.channel.k8s.io``).

Version 5 adds the message ``255 n``: channel ``n`` ends (KEP-4006).  In the base64 variants messages are text:
the number as a digit, then base64.  No I/O here.
"""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Iterator
from typing import NamedTuple

from websockets.frames import Frame, Opcode
from websockets.protocol import SERVER, Protocol, State

STDIN, STDOUT, STDERR, ERROR, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255
MAX_MESSAGE = 4 << 20
_SILENT = logging.getLogger(f"{__name__}.websocket")
_SILENT.setLevel(logging.WARNING)  # that a connection is closed is nothing to tell


class WebSocketMessages:
    """The server's end of a WebSocket after its handshake: whole messages in and out."""

    def __init__(self) -> None:
        self._protocol = Protocol(SERVER, state=State.OPEN, max_size=MAX_MESSAGE, logger=_SILENT)
        self._parts: list[bytes] = []

    def receive(self, data: bytes) -> Iterator[bytes]:
        """The messages that these bytes complete; an empty input is the end of the stream."""
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        for frame in self._protocol.events_received():
            if not isinstance(frame, Frame) or frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                continue
            self._parts.append(bytes(frame.data))
            if frame.fin:
                message = b"".join(self._parts)
                self._parts.clear()
                yield message

    @property
    def closed(self) -> bool:
        """Whether the WebSocket has ended, or is ending."""
        return self._protocol.state is not State.OPEN

    @property
    def ended(self) -> bool:
        """Whether the peer has said goodbye: it has everything that was sent before our own."""
        return self._protocol.close_rcvd is not None or self._protocol.state is State.CLOSED

    def send(self, message: bytes, *, text: bool = False) -> None:
        """Send one message."""
        if not self.closed:
            if text:
                self._protocol.send_text(message)
            else:
                self._protocol.send_binary(message)

    def close(self) -> None:
        """Begin the closing handshake."""
        if not self.closed:
            self._protocol.send_close(1000)

    def data_to_send(self) -> bytes:
        """The bytes that the peer shall be sent, once; answers to pings among them."""
        return b"".join(self._protocol.data_to_send())


class ChannelMessage(NamedTuple):
    """Bytes on a channel; ``end`` says that nothing more comes on it."""

    channel: int
    data: bytes
    end: bool = False


class Channels:
    """Channels over the messages of one WebSocket."""

    def __init__(self, protocol: str) -> None:
        self.messages = WebSocketMessages()
        self._text = "base64" in protocol
        self._version5 = protocol.startswith("v5.")
        self.status_as_json = protocol.startswith(("v4.", "v5."))

    def receive(self, data: bytes) -> Iterator[ChannelMessage]:
        """What these bytes complete; malformed messages are dropped, as upstream does."""
        for message in self.messages.receive(data):
            if not message:
                continue
            if self._text:
                try:
                    yield ChannelMessage(message[0] - 48, base64.b64decode(message[1:]))
                except binascii.Error:
                    continue
            elif message[0] == CLOSE and self._version5:
                if len(message) == 2:
                    yield ChannelMessage(message[1], b"", end=True)
            else:
                yield ChannelMessage(message[0], message[1:])

    def send(self, channel: int, data: bytes) -> None:
        """Send bytes on a channel."""
        if self._text:
            self.messages.send(bytes((48 + channel,)) + base64.b64encode(data), text=True)
        else:
            self.messages.send(bytes((channel,)) + data)
