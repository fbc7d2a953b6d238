"""The raw byte stream of a connection that was upgraded, and how its upgrade is agreed on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

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
    """The upgrade cannot be agreed on: answer with this status, text and headers."""

    def __init__(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.headers = headers or {}


V5 = "v5.channel.k8s.io"
PORT_FORWARD = "portforward.k8s.io"
TUNNEL_PREFIX = "SPDY/3.1+"
"""Before the name of a SPDY protocol: the WebSocket protocol whose messages carry SPDY's bytes (KEP-4006)."""

BEARER_PREFIX = "base64url.bearer.authorization.k8s.io."
"""Before a token: the WebSocket protocol by which browsers send it.  It MUST NOT be passed on."""


def tokens(text: str) -> list[str]:
    """The elements of a comma-separated header."""
    return [token.strip() for token in text.split(",") if token.strip()]


def is_upgrade(headers: Mapping[str, str]) -> bool:
    """Whether a request (header names in lower case, repeated ones joined by commas) asks for another protocol."""
    return "upgrade" in {token.lower() for token in tokens(headers.get("connection", ""))}


def is_websocket(headers: Mapping[str, str]) -> bool:
    """Whether that protocol is WebSocket."""
    return is_upgrade(headers) and headers.get("upgrade", "").strip().lower() == "websocket"


def websocket_protocols(headers: Mapping[str, str]) -> list[str]:
    """The protocols that a WebSocket's client offers; none where the request is for something else."""
    return tokens(headers.get("sec-websocket-protocol", "")) if is_websocket(headers) else []


def accept_websocket(method: str, headers: Mapping[str, str], protocol: str) -> dict[str, str]:
    """The headers of the 101 for a WebSocket with a protocol that the client offered; raises HandshakeError."""
    if method != "GET":
        raise HandshakeError(405, "bad method")
    if headers.get("sec-websocket-version", "").strip() != "13":
        raise HandshakeError(400, "missing or bad WebSocket Version", {"Sec-WebSocket-Version": "13"})
    if not (key := headers.get("sec-websocket-key", "").strip()):
        raise HandshakeError(400, "mismatch challenge/response")
    answer = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": accept_key(key)}
    return answer | ({"Sec-WebSocket-Protocol": protocol} if protocol else {})


def accept_spdy(headers: Mapping[str, str], supported: Sequence[str]) -> dict[str, str]:
    """The headers of the 101 for SPDY/3.1, the client's order deciding between protocols; raises HandshakeError."""
    if not is_upgrade(headers) or headers.get("upgrade", "").strip().lower() != "spdy/3.1":
        raise HandshakeError(400, "unable to upgrade: missing upgrade headers in request")
    offered = tokens(headers.get("x-stream-protocol-version", ""))
    if not offered:
        raise HandshakeError(400, "unable to upgrade: X-Stream-Protocol-Version is required")
    chosen = next((name for name in offered if name in supported), None)
    if chosen is None:
        raise HandshakeError(
            403,
            "unable to upgrade: unable to negotiate protocol: "
            f"client supports [{' '.join(offered)}], server accepts [{' '.join(supported)}]",
            {"X-Accepted-Stream-Protocol-Versions": ", ".join(supported)},
        )
    return {"Upgrade": "SPDY/3.1", "Connection": "Upgrade", "X-Stream-Protocol-Version": chosen}
