"""Resize messages and the final status: the JSON that exec and attach carry on their side streams."""

from __future__ import annotations

import asyncio

import msgspec

from steersman.api.types.meta_v1 import Status

from .session import TerminalSize


class _Size(msgspec.Struct):
    width: int = msgspec.field(default=0, name="Width")
    height: int = msgspec.field(default=0, name="Height")


_DECODER = msgspec.json.Decoder(_Size)


class Resizes:
    """The sizes the client reported; only the latest unread one is kept."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._latest: TerminalSize | None = None
        self._ended = False
        self._changed = asyncio.Event()

    def feed(self, data: bytes) -> None:
        """Take bytes of the resize stream: JSON objects, in whatever pieces."""
        self._text += data
        while (end := self._text.find(b"}")) >= 0:
            document = bytes(self._text[: end + 1])
            del self._text[: end + 1]
            try:
                size = _DECODER.decode(document)
            except msgspec.MsgspecError:
                continue
            self._latest = TerminalSize(size.width, size.height)
            self._changed.set()
        if len(self._text) > 4096:
            self._text.clear()

    def end(self) -> None:
        """No more will come."""
        self._ended = True
        self._changed.set()

    async def next(self) -> TerminalSize | None:
        """The latest size not yet returned; None at the end."""
        while self._latest is None and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        size, self._latest = self._latest, None
        return size


def status_bytes(status: Status, *, as_json: bool) -> bytes:
    """The final status as the error stream carries it; before version 4 only the text of a failure."""
    if as_json:
        return msgspec.json.encode(status)
    return b"" if status.status == "Success" else status.message.encode()
