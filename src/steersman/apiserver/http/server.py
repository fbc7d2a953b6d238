"""Listening, the set of open connections, time-outs, and stopping."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

from .limits import Limits
from .messages import Handler, Request, Response
from .plaintext import ServerContext
from .protocol import HTTPProtocol
from .writing import Clock

_OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    # Watches say nothing for long: a peer that vanished without a word is found within two minutes.
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4),
)
"""Of the listening sockets; accepted connections inherit them."""


def tls_context(certificate: Path, key: Path, client_authorities: Sequence[Path]) -> ssl.SSLContext:
    """TLS 1.2 or newer, ALPN ``http/1.1``; a client certificate is optional, and verified where there is one."""
    context = ServerContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The client's order: Go's clients begin with AES-128, which costs a sixth less than what OpenSSL begins with.
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["http/1.1"])
    for authority in client_authorities:
        context.load_verify_locations(authority)
    if client_authorities:
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


class HTTPServer:
    """Serves a handler.  ``timeout_answer`` and ``too_large_answer`` word what the protocol itself must refuse.

    Requests for targets that are passed on come to the handler with their body still arriving.
    """

    def __init__(
        self,
        handler: Handler,
        *,
        timeout_answer: Callable[[Request], Response],
        too_large_answer: Callable[[], Response],
        limits: Limits | None = None,
        passes_on: Callable[[bytes], bool] = lambda target: False,
    ) -> None:
        self.passes_on = passes_on
        self.handler = handler
        self.limits = limits or Limits()
        self.timeout_answer = timeout_answer
        self.too_large_answer = too_large_answer
        self.connections: set[HTTPProtocol] = set()
        self.clock = Clock()
        self.stopping = False
        self.loop: asyncio.AbstractEventLoop
        self._servers: list[asyncio.AbstractServer] = []
        self._sweeper: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """The clock of the time-outs."""
        return self.loop.time()

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None) -> int:
        """Listen; returns the port (chosen by the system where it is 0).  Raises OSError."""
        self.loop = asyncio.get_running_loop()
        server = await self.loop.create_server(
            lambda: HTTPProtocol(self),
            host or None,
            port,
            ssl=tls,
            backlog=1024,
            reuse_address=True,
            ssl_handshake_timeout=self.limits.header_timeout if tls else None,
            ssl_shutdown_timeout=self.limits.tls_goodbye if tls else None,
        )
        self._servers.append(server)
        bound: socket.socket = server.sockets[0]
        for listening in server.sockets:
            for level, option, value in _OPTIONS:
                listening.setsockopt(level, option, value)
        self._schedule()
        return int(bound.getsockname()[1])

    def _schedule(self) -> None:
        self._sweeper = self.loop.call_later(1.0, self._sweep)

    def _sweep(self) -> None:
        now = self.now()
        for connection in list(self.connections):
            connection.sweep(now)
        self._schedule()

    async def stop(self) -> None:
        """Close idle connections and streams at once, let requests under way finish, then abort what is left."""
        self.stopping = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for server in self._servers:
            server.close()
        for connection in list(self.connections):
            connection.stop()
        started = self.now()
        patience = {True: started + self.limits.drain, False: started + self.limits.farewell}
        while self.connections and self.now() < patience[any(connection.busy for connection in self.connections)]:
            await asyncio.sleep(0.01)
        for connection in list(self.connections):
            connection.abort()
        await asyncio.sleep(0)
