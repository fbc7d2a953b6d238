"""The streaming protocols of exec, attach and port-forward, seen from the server's end.

``kubectl`` speaks them to the API server, which passes the upgraded connection's bytes through to the kubelet;
the kubelet serves them with :func:`exec_session` and :func:`port_forward_session`, over whatever HTTP server
hands it a raw :class:`Connection`.  The protocol is the client's choice: WebSocket with channels (``v5`` and
``v4.channel.k8s.io``, the base64 variants), SPDY/3.1 (``kubectl`` before 1.31), or SPDY inside a WebSocket
(port-forward since 1.31).  :mod:`.spdy` and :mod:`.channels` do no I/O.
"""

from .connection import (
    EXEC_SPDY,
    EXEC_WEBSOCKET,
    PORT_FORWARD_SPDY,
    PORT_FORWARD_WEBSOCKET,
    Connection,
    Handshake,
    HandshakeError,
    is_upgrade,
    negotiate,
)
from .serve import exec_session, port_forward_session
from .session import PortForwardSession, PortForwardStream, Streams, StreamSession, TerminalSize

__all__ = [
    "EXEC_SPDY",
    "EXEC_WEBSOCKET",
    "PORT_FORWARD_SPDY",
    "PORT_FORWARD_WEBSOCKET",
    "Connection",
    "Handshake",
    "HandshakeError",
    "PortForwardSession",
    "PortForwardStream",
    "StreamSession",
    "Streams",
    "TerminalSize",
    "exec_session",
    "is_upgrade",
    "negotiate",
    "port_forward_session",
]
