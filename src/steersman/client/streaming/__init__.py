"""The streaming protocols of exec, attach and port-forward, and the ways between them.

A container runtime speaks SPDY/3.1 and WebSocket up to ``v4.channel.k8s.io``; where the client does too, the API
server and the kubelet carry bytes and look at none (:func:`splice`).  What newer clients ask for is translated at
the API server, as KEP-4006 has it: exec and attach with ``v5.channel.k8s.io`` by a :class:`Translator`, SPDY within a
WebSocket by a :class:`WebSocketTunnel`.  A port-forward's SPDY connection ends at the kubelet
(:class:`PortForwardSession`), where each forwarded connection goes its own way.  :mod:`.spdy` and :mod:`.channels` do
no I/O.
"""

from .asking import UpgradeRefused, ask_upgrade
from .connection import (
    BEARER_PREFIX,
    PORT_FORWARD,
    TUNNEL_PREFIX,
    V5,
    Connection,
    HandshakeError,
    accept_spdy,
    accept_websocket,
    is_upgrade,
    is_websocket,
    websocket_protocols,
)
from .port_forward import PortForwardSession, PortForwardStream, forward
from .session import Streams
from .splice import SocketConnection, splice
from .translation import Translator
from .tunnel import WebSocketTunnel

__all__ = [
    "BEARER_PREFIX",
    "PORT_FORWARD",
    "TUNNEL_PREFIX",
    "V5",
    "Connection",
    "HandshakeError",
    "PortForwardSession",
    "PortForwardStream",
    "SocketConnection",
    "Streams",
    "Translator",
    "UpgradeRefused",
    "WebSocketTunnel",
    "accept_spdy",
    "accept_websocket",
    "ask_upgrade",
    "forward",
    "is_upgrade",
    "is_websocket",
    "splice",
    "websocket_protocols",
]
