"""Health over HTTP: the proxy's own ``/healthz``, and the checks a load balancer makes on ``healthCheckNodePort``."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)

Answer = tuple[int, dict[str, object], Mapping[str, str]]
"""Status code, JSON body, further headers."""

_REASONS = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}


class HealthServer:
    """Answers every request on one port from a function of its path."""

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        self._answer = answer
        self._server: asyncio.Server | None = None

    async def start(self, host: str | None, port: int) -> None:
        """Listen; raises OSError where the port is taken."""
        self._server = await asyncio.start_server(self._serve, host, port, backlog=64)

    def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(5):
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode("latin-1").partition("?")[0]
                code, body, headers = self._answer(path)
                payload = json.dumps(body).encode()
                lines = [f"HTTP/1.1 {code} {_REASONS[code]}", "Content-Type: application/json"]
                lines += [f"{name}: {value}" for name, value in headers.items()]
                lines += ["X-Content-Type-Options: nosniff", f"Content-Length: {len(payload)}", "Connection: close"]
                writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + payload)
                await writer.drain()
        except (TimeoutError, OSError, IndexError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            log.debug("health check: %s", error)
        finally:
            writer.close()


class NodePortHealth:
    """The servers of all ``healthCheckNodePort``s, brought in line with the services."""

    def __init__(self) -> None:
        self._servers: dict[int, HealthServer] = {}
        self._services: dict[int, tuple[str, str, int]] = {}

    async def update(self, wanted: Mapping[int, tuple[str, str, int]]) -> None:
        """``wanted`` maps a port to namespace, name and number of local endpoints."""
        self._services = dict(wanted)
        for port in [port for port in self._servers if port not in wanted]:
            self._servers.pop(port).close()
        for port in wanted:
            if port in self._servers:
                continue
            server = HealthServer(lambda _, port=port: self._status(port))  # type: ignore[misc]
            try:
                await server.start(None, port)
            except OSError as error:
                log.warning("cannot listen on healthCheckNodePort %d: %s", port, error)
                continue
            self._servers[port] = server

    def _status(self, port: int) -> Answer:
        namespace, name, count = self._services.get(port, ("", "", 0))
        body: dict[str, object] = {
            "service": {"namespace": namespace, "name": name},
            "localEndpoints": count,
            "serviceProxyHealthy": True,
        }
        return (200 if count else 503), body, {"X-Load-Balancing-Endpoint-Weight": str(count)}

    def close(self) -> None:
        """Stop all servers."""
        for server in self._servers.values():
            server.close()
        self._servers.clear()
