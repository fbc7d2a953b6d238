"""The raw byte stream of a connection that was upgraded, and how its upgrade is agreed on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol

from websockets.utils import accept_key


class Connection(Protocol):
    """A raw byte stream: the connection after an upgrade was accepted."""

    async def read(self) -> bytes:
        """Whatever came in; empty at the end."""
        ...

    def write(self, data: bytes) -> None: ...

    async def drain(self) -> None: ...

    def close(self) -> None: ...


class HandshakeError(Exception):
    """The request does not ask for an upgrade that is spoken here; answer 400 (or 403) with the text."""


class Handshake(NamedTuple):
    """An agreed upgrade: answer 101 with ``headers``, then speak ``transport`` with ``protocol``."""

    transport: Literal["websocket", "spdy"]
    protocol: str
    headers: Mapping[str, str]


EXEC_WEBSOCKET = (
    "v5.channel.k8s.io",
    "v4.channel.k8s.io",
    "v4.base64.channel.k8s.io",
    "channel.k8s.io",
    "base64.channel.k8s.io",
)
EXEC_SPDY = ("v4.channel.k8s.io", "v3.channel.k8s.io", "v2.channel.k8s.io", "channel.k8s.io")
PORT_FORWARD_WEBSOCKET = ("SPDY/3.1+portforward.k8s.io",)
PORT_FORWARD_SPDY = ("portforward.k8s.io",)


def is_upgrade(headers: Mapping[str, str]) -> bool:
    """Whether a request (header names in lower case, repeated ones joined by commas) asks for another protocol."""
    return "upgrade" in {token.strip().lower() for token in headers.get("connection", "").split(",")}


def negotiate(
    headers: Mapping[str, str],
    *,
    websocket: tuple[str, ...] = EXEC_WEBSOCKET,
    spdy: tuple[str, ...] = EXEC_SPDY,
) -> Handshake:
    """Agree on a protocol for a request with these headers (lower-case names); raises HandshakeError.

    The server's order decides.  For port forwarding pass ``PORT_FORWARD_WEBSOCKET`` and ``PORT_FORWARD_SPDY``.
    """
    upgrade = headers.get("upgrade", "").strip().lower()
    if not is_upgrade(headers):
        raise HandshakeError("you must specify at least 1 Connection: Upgrade header")
    if upgrade == "websocket":
        return _websocket(headers, websocket)
    if upgrade == "spdy/3.1":
        offered = _tokens(headers.get("x-stream-protocol-version", ""))
        chosen = next((name for name in spdy if name in offered), "") if offered else spdy[-1]
        if not chosen:
            raise HandshakeError(f"unable to negotiate protocol: client supports {offered}, server accepts {spdy}")
        answer = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
        if offered:
            answer["X-Stream-Protocol-Version"] = chosen
        return Handshake("spdy", chosen, answer)
    raise HandshakeError(f"unable to upgrade: unsupported protocol {headers.get('upgrade', '')!r}")


def _websocket(headers: Mapping[str, str], supported: tuple[str, ...]) -> Handshake:
    key = headers.get("sec-websocket-key", "").strip()
    if not key or headers.get("sec-websocket-version", "").strip() != "13":
        raise HandshakeError("the WebSocket handshake lacks its key or is not of version 13")
    offered = _tokens(headers.get("sec-websocket-protocol", ""))
    chosen = next((name for name in supported if name in offered), "")
    if not chosen and (offered or "channel.k8s.io" not in supported):
        raise HandshakeError(f"unable to negotiate protocol: client supports {offered}, server accepts {supported}")
    answer = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Accept": accept_key(key)}
    if chosen:
        answer["Sec-WebSocket-Protocol"] = chosen
    return Handshake("websocket", chosen or "channel.k8s.io", answer)


def _tokens(text: str) -> list[str]:
    return [token.strip() for token in text.split(",") if token.strip()]
