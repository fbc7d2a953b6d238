"""What this server itself asks of others: whether they are there, what they have, and how they describe it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from steersman import __version__
from steersman.api.user import User
from steersman.apiserver.outgoing import TLS, Outgoing

from .backends import Address
from .headers import front_proxy

if TYPE_CHECKING:
    import aiohttp

AGGREGATOR = User("system:kube-aggregator", ("system:masters",))
_AGENT = ("User-Agent", f"kube-apiserver/{__version__}")
_LARGEST = 8 << 20


class Server(NamedTuple):
    """Whom to ask."""

    outgoing: Outgoing
    address: Address
    tls: TLS


class Reply(NamedTuple):
    """What another server answered."""

    status: int
    body: bytes
    content_type: str
    etag: str


async def ask(
    server: Server, path: str, *, accept: str = "application/json", etag: str = "", seconds: float = 5.0
) -> Reply:
    """GET something, as the aggregator; raises OSError, also for what takes too long or is too large."""
    async with _answer(server, path, accept, etag, seconds) as response:
        from aiohttp import ClientError  # loaded by whoever made the request

        body = bytearray()
        try:
            async for part in response.content.iter_any():
                body += part
                if len(body) > _LARGEST:
                    response.close()
                    raise OSError(f"the answer to {path} has more than {_LARGEST} bytes")
        except ClientError as error:
            raise OSError("unexpected EOF") from error
        headers = response.headers
        return Reply(response.status, bytes(body), headers.get("content-type", ""), headers.get("etag", ""))


async def status(server: Server, path: str, seconds: float = 5.0) -> int:
    """The status of a GET alone; raises OSError."""
    async with _answer(server, path, "*/*", "", seconds) as response:
        return response.status


@asynccontextmanager
async def _answer(
    server: Server, path: str, accept: str, etag: str, seconds: float
) -> AsyncIterator[aiohttp.ClientResponse]:
    headers = [("Host", server.address.authority), ("Accept", accept), _AGENT, *front_proxy(AGGREGATOR)]
    if etag:
        headers.append(("If-None-Match", etag))
    url = f"https://{server.address.authority}{path}"
    try:
        async with asyncio.timeout(seconds):
            response = await server.outgoing.request("GET", url, headers=headers, tls=server.tls)
            try:
                yield response
            finally:
                response.release()
    except TimeoutError:
        detail = "context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        raise OSError(f'Get "{url}": {detail}') from None
