"""Connections from the API server to kubelets: TLS with a client certificate, the node's own name verified."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from steersman.api.errors import StatusError, internal_error
from steersman.api.labels import SIMULATED_NODE
from steersman.api.types.core_v1 import Node
from steersman.api.types.meta_v1 import Status
from steersman.apiserver.outgoing import TLS, Outgoing
from steersman.client.streaming import SocketConnection, ask_upgrade

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


class NodeClient:
    """Opens connections to kubelets; close it at the end."""

    def __init__(self, config: NodeClientConfig) -> None:
        self._config = config
        self.context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(config.authority))
        self.context.load_cert_chain(config.certificate, config.key)
        self._unverified: ssl.SSLContext | None = None
        self.outgoing = Outgoing(config.connect_timeout)

    def target(self, node: Node) -> Target:
        """The address of a node's kubelet: by the addresses it reports, an IP first because names may not resolve.

        Raises a 501 where a node is simulated and says of no kubelet.
        """
        by_type = {address.type: address.address for address in reversed(node.status.addresses)}
        order = ("InternalIP", "ExternalIP", *self._config.preferred_addresses)
        host = next((by_type[kind] for kind in order if by_type.get(kind)), "")
        if not host:
            raise internal_error(f"no preferred addresses found; known addresses: {list(by_type.values())}")
        endpoint = node.status.daemon_endpoints
        port = endpoint.kubelet_endpoint.port if endpoint is not None and endpoint.kubelet_endpoint is not None else 0
        if not port and SIMULATED_NODE in node.metadata.annotations:
            message = f"node {node.metadata.name} is simulated: nothing runs there that has logs or answers"
            raise StatusError(Status(status="Failure", code=501, reason="NotImplemented", message=message))
        return Target(node.metadata.name, host, port or 10250)

    async def get(self, target: Target, path: str, *, verify: bool = True) -> aiohttp.ClientResponse:
        """A plain request; the caller releases the response.  Raises a 500 where the kubelet cannot be reached.

        Without ``verify`` the kubelet's certificate is not looked at (``insecureSkipTLSVerifyBackend``).
        """
        host = f"[{target.host}]" if ":" in target.host else target.host
        url = f"https://{host}:{target.port}{path}"
        tls = TLS(self.context if verify else self._without_verification(), target.name)
        try:
            return await self.outgoing.request("GET", url, tls=tls)
        except OSError as error:
            raise internal_error(f'Get "{url}": {error}') from error

    def _without_verification(self) -> ssl.SSLContext:
        if self._unverified is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.load_cert_chain(self._config.certificate, self._config.key)
            self._unverified = context
        return self._unverified

    async def upgrade(
        self, target: Target, method: str, path: str, headers: Sequence[tuple[str, str]]
    ) -> tuple[dict[str, str], SocketConnection]:
        """Ask for an upgrade; returns the headers of the 101 and the raw connection.  Raises UpgradeRefused."""
        try:
            reader, writer = await self.outgoing.dial(target.host, target.port, TLS(self.context, target.name))
            host = ("Host", f"{target.name}:{target.port}")
            return await ask_upgrade(reader, writer, method, path, [host, *headers])
        except OSError as error:
            raise internal_error(f"error dialing backend: {error}") from error

    async def close(self) -> None:
        """Release the pooled connections."""
        await self.outgoing.close()
