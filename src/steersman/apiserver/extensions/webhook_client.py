"""Asks a webhook something, over TLS, by URL or through a Service: for admission, and for conversion.

What it raises is worded for those who configured the webhook.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import Sequence
from typing import NamedTuple, Protocol, TypeVar
from urllib.parse import urlsplit

from steersman import __version__
from steersman.api.errors import StatusError, go_value
from steersman.api.labels import SERVICE_NAME
from steersman.api.scheme import Object
from steersman.api.types.core_v1 import Service
from steersman.api.types.discovery_v1 import EndpointSlice
from steersman.apiserver.outgoing import TLS, Outgoing

T = TypeVar("T", bound=Object)

_LARGEST = 16 << 20
"""Bytes of an answer."""

_CONNECT_TIMEOUT = 30.0
_HEADERS = (
    ("Content-Type", "application/json"),
    ("Accept", "application/json, */*"),
    ("User-Agent", f"kube-apiserver-admission/{__version__}"),
)


_REFUSALS = {
    400: "the server rejected our request for an unknown reason",
    401: "the server has asked for the client to provide credentials",
    403: "forbidden",
    404: "the server could not find the requested resource",
    405: "the server does not allow this method on the requested resource",
    503: "the server is currently unable to handle the request",
}


class CallFailed(Exception):
    """The webhook could not be asked, or its answer makes no sense; in the words of Go's HTTP client.

    ``code`` is that of the answer which was none; ``late`` says that there was none in time.
    """

    def __init__(self, message: str, code: int = 503, *, late: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.late = late


class Cluster(Protocol):
    """Where Services are found."""

    async def get(self, type_: type[T], name: str, namespace: str = "") -> T | None: ...
    async def list(self, type_: type[T], namespace: str = "") -> Sequence[T]: ...


class Address(NamedTuple):
    """Where a webhook is: at a URL, or behind a Service's port (``path`` begins with a slash)."""

    url: str = ""
    service: str = ""
    namespace: str = ""
    path: str = ""
    port: int = 443
    authorities: bytes = b""
    """PEM; the machine's own where empty."""


class _Named(Protocol):
    """A Service as those who declare webhooks name it."""

    name: str
    namespace: str
    path: str
    port: int | None


class Declared(Protocol):
    """A ``clientConfig``; the groups that declare webhooks have types of their own for it."""

    @property
    def ca_bundle(self) -> bytes | None: ...
    @property
    def service(self) -> _Named | None: ...
    @property
    def url(self) -> str: ...


def address_of(config: Declared) -> Address:
    """Where a webhook is."""
    authorities = bytes(config.ca_bundle or b"")
    if (service := config.service) is None:
        return Address(url=config.url, authorities=authorities)
    path = service.path if service.path.startswith("/") else f"/{service.path}"
    return Address(
        service=service.name,
        namespace=service.namespace,
        path=path,
        port=service.port or 443,
        authorities=authorities,
    )


class WebhookClient:
    """Keeps connections and what it takes to verify them, for each authority that is configured.

    Services are answered by their ready endpoints, so that the server need not be on a node.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._outgoing = Outgoing(_CONNECT_TIMEOUT)
        self._contexts: dict[bytes, ssl.SSLContext] = {}

    async def close(self) -> None:
        """Release the connections."""
        await self._outgoing.close()

    async def post(self, address: Address, body: bytes, timeout: float) -> bytes:
        """The body of the answer; raises :class:`CallFailed`.  ``timeout`` is in seconds, and is told."""
        if address.service:
            named = f"https://{address.service}.{address.namespace}.svc:{address.port}{address.path}"
        else:
            named = address.url if urlsplit(address.url).path else f"{address.url}/"
        named += f"{'&' if '?' in named else '?'}timeout={_seconds(timeout)}"
        try:
            async with asyncio.timeout(timeout):
                url, tls = await self._target(address, named)
                return await self._ask(url, tls, named, body)
        except TimeoutError:
            raise CallFailed(f'Post "{named}": context deadline exceeded', late=True) from None
        except OSError as error:
            raise CallFailed(f'Post "{named}": {error}') from error

    async def _target(self, address: Address, named: str) -> tuple[str, TLS]:
        """What to connect to, and whose certificate is expected there; raises OSError."""
        context = await self._context(address.authorities)
        if not address.service:
            return named, TLS(context)
        host, port = await self._endpoint(address)
        parts = urlsplit(named)
        literal = f"[{host}]" if ":" in host else host
        server = f"{address.service}.{address.namespace}.svc"
        return f"https://{literal}:{port}{parts.path}?{parts.query}", TLS(context, server)

    async def _context(self, authorities: bytes) -> ssl.SSLContext:
        if (context := self._contexts.get(authorities)) is None:
            try:
                # Reading the machine's own takes some 20 ms.
                given = authorities.decode() if authorities else None
                context = await asyncio.to_thread(ssl.create_default_context, cadata=given)
            except (ssl.SSLError, ValueError):
                raise OSError("unable to load root certificates: unable to parse bytes as PEM block") from None
            if len(self._contexts) > 100:
                self._contexts.clear()
            self._contexts[authorities] = context
        return context

    async def _endpoint(self, address: Address) -> tuple[str, int]:
        """A ready endpoint of a Service's port; raises OSError."""
        try:
            service = await self._cluster.get(Service, address.service, address.namespace)
            if service is None:
                raise OSError(f'service "{address.service}" not found')
            if service.spec.type == "ExternalName":
                return service.spec.external_name, address.port
            slices = await self._cluster.list(EndpointSlice, address.namespace)
        except StatusError as error:
            raise OSError(str(error)) from error
        port = next((each for each in service.spec.ports if each.port == address.port), None)
        if port is None:
            raise OSError(f'no service port {address.port} found for service "{address.service}"')
        found = [
            (endpoint.addresses[0], declared.port)
            for each in slices
            if each.metadata.labels.get(SERVICE_NAME) == address.service
            for declared in each.ports
            if (declared.name or "") == port.name and declared.port
            for endpoint in each.endpoints
            if endpoint.conditions is None or endpoint.conditions.ready is not False
        ]
        if not found:
            raise OSError(f'no endpoints available for service "{address.service}"')
        return random.choice(found)

    async def _ask(self, url: str, tls: TLS, named: str, body: bytes) -> bytes:
        headers = [("Host", urlsplit(named).netloc), *_HEADERS]
        response = await self._outgoing.request("POST", url, headers=headers, body=body, tls=tls)
        from aiohttp import ClientError  # loaded by now, by whoever made the request

        try:
            answer = bytearray()
            try:
                async for part in response.content.iter_any():
                    answer += part
                    if len(answer) > _LARGEST:
                        raise CallFailed(f"the answer of {named} has more than {_LARGEST} bytes")
            except ClientError:
                reason = "unexpected error when reading response body. Please retry. Original error: unexpected EOF"
                raise CallFailed(reason) from None
            if not 200 <= response.status < 300:
                raise CallFailed(_refusal(response.status, bytes(answer)), response.status)
            return bytes(answer)
        finally:
            response.close() if len(answer) > _LARGEST else response.release()


def _refusal(status: int, body: bytes) -> str:
    """What Go's client makes of an answer that is none."""
    text = body[:200].decode("utf-8", "replace").strip()
    if status >= 500 and status != 503:
        return f"an error on the server ({go_value(text or 'unknown')}) has prevented the request from succeeding"
    unknown = f"the server responded with the status code {status} but did not return more information"
    return _REFUSALS.get(status, unknown)


def _seconds(timeout: float) -> str:
    whole = int(timeout)
    return f"{whole + (timeout > whole)}s"
