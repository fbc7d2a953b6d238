"""Connections from the API server to kubelets: TLS with a client certificate, the node's own name verified."""

from __future__ import annotations

import asyncio
import importlib
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from steersman.api.errors import internal_error
from steersman.api.types.core_v1 import Node

if TYPE_CHECKING:
    import aiohttp


class NodeClientConfig(msgspec.Struct, frozen=True):
    """Files of the certificates, and which of a node's addresses to prefer."""

    authority: Path
    certificate: Path
    key: Path
    preferred_addresses: tuple[str, ...] = ("Hostname", "InternalDNS", "InternalIP", "ExternalDNS", "ExternalIP")
    connect_timeout: float = 10.0


class Target(msgspec.Struct, frozen=True):
    """Where a kubelet listens; ``name`` is the node's, which its certificate MUST carry."""

    name: str
    host: str
    port: int


class UpgradeRefused(Exception):
    """The kubelet answered something else than 101."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(body.decode("utf-8", "replace").strip() or f"status {status}")
        self.status = status


class NodeClient:
    """Opens connections to kubelets; close it at the end."""

    def __init__(self, config: NodeClientConfig) -> None:
        self._config = config
        self._context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(config.authority))
        self._context.load_cert_chain(config.certificate, config.key)
        self._session: aiohttp.ClientSession | None = None

    def target(self, node: Node) -> Target:
        """The address of a node's kubelet: by the addresses it reports, an IP first because names may not resolve."""
        by_type = {address.type: address.address for address in reversed(node.status.addresses)}
        order = ("InternalIP", "ExternalIP", *self._config.preferred_addresses)
        host = next((by_type[kind] for kind in order if by_type.get(kind)), "")
        if not host:
            raise internal_error(f"no preferred addresses found; known addresses: {list(by_type.values())}")
        endpoint = node.status.daemon_endpoints
        port = endpoint.kubelet_endpoint.port if endpoint is not None and endpoint.kubelet_endpoint is not None else 0
        return Target(node.metadata.name, host, port or 10250)

    async def get(
        self,
        target: Target,
        path: str,
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> aiohttp.ClientResponse:
        """A plain request; the caller releases the response.  Raises a 500 where the kubelet cannot be reached."""
        # 10 MiB and 0.1 s that a server whose logs nobody reads does not pay.
        await asyncio.to_thread(importlib.import_module, "aiohttp")
        import aiohttp
        import yarl

        if self._session is None:
            # Followed logs keep their connections: a bound on their number would make the next one wait in vain.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("User-Agent",),
            )
        host = f"[{target.host}]" if ":" in target.host else target.host
        url = yarl.URL(f"https://{host}:{target.port}{path}", encoded=True)
        try:
            return await self._session.request(
                method,
                url,
                data=body,
                headers=headers,
                ssl=self._context,
                server_hostname=target.name,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=timeout, connect=self._config.connect_timeout),
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise internal_error(f'{method.title()} "{url}": {error}') from error

    async def upgrade(
        self, target: Target, method: str, path: str, headers: Sequence[tuple[str, str]]
    ) -> tuple[dict[str, str], asyncio.StreamReader, asyncio.StreamWriter]:
        """Ask for an upgrade; returns the headers of the 101 and the raw connection.  Raises UpgradeRefused."""
        try:
            async with asyncio.timeout(self._config.connect_timeout):
                reader, writer = await asyncio.open_connection(
                    target.host, target.port, ssl=self._context, server_hostname=target.name
                )
        except (OSError, TimeoutError) as error:
            raise internal_error(f"error dialing backend: {error or 'timed out'}") from error
        try:
            lines = [f"{method} {path} HTTP/1.1", f"Host: {target.name}:{target.port}"]
            lines += [f"{name}: {value}" for name, value in headers]
            if method == "POST":
                lines.append("Content-Length: 0")
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
            async with asyncio.timeout(30):
                status, answer = await _read_head(reader)
                if status == 101:
                    return answer, reader, writer
                length = answer.get("content-length", "")
                body = await reader.read(min(int(length), 65536)) if length.isdigit() else await reader.read(65536)
            raise UpgradeRefused(status, body)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            writer.close()
            raise internal_error(f"error dialing backend: {error}") from error
        except BaseException:
            writer.close()
            raise

    async def close(self) -> None:
        """Release the pooled connections."""
        if self._session is not None:
            await self._session.close()


async def _read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ", 2)
    if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or not parts[1].isdigit():
        raise ValueError("malformed response")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return int(parts[1]), headers
