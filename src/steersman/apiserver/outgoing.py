"""HTTP requests and raw connections that the API server makes on its clients' behalf."""

from __future__ import annotations

import asyncio
import importlib
import os
import socket
import ssl
from collections.abc import AsyncIterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import aiohttp

MAX_HEADER = 256 * 1024


class TLS(NamedTuple):
    """How a connection is secured; ``name`` is whose certificate is expected, where the context looks at it."""

    context: ssl.SSLContext
    name: str | None = None


def unverified() -> TLS:
    """TLS to whoever answers: pods and services prove nothing, as upstream has it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return TLS(context)


class Outgoing:
    """A pool of connections.  All methods raise OSError, in words that say what failed, where nothing answers."""

    def __init__(self, connect_timeout: float) -> None:
        self._connect_timeout = connect_timeout
        self._session: aiohttp.ClientSession | None = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, str]] = (),
        body: AsyncIterable[bytes] | bytes | None = None,
        tls: TLS | None = None,
    ) -> aiohttp.ClientResponse:
        """The answer's head, its body still to come; redirects are not followed.  The caller closes it."""
        # 10 MiB and 0.1 s that a server does not pay which nobody asks for logs.
        await asyncio.to_thread(importlib.import_module, "aiohttp")
        import aiohttp
        import yarl

        if self._session is None:
            # Followed logs keep their connections: a bound on their number would make the next one wait in vain.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
                max_line_size=MAX_HEADER,
                max_field_size=MAX_HEADER,
            )
        target = yarl.URL(url, encoded=True)
        try:
            return await self._session.request(
                method,
                target,
                data=body,
                headers=list(headers),
                ssl=tls.context if tls is not None else False,
                server_hostname=tls.name if tls is not None else None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_timeout),
            )
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise OSError(dial_failure(target.host or "", target.port or 0, error)) from error
        except aiohttp.ServerDisconnectedError as error:
            raise OSError("EOF") from error
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise OSError(str(error)) from error

    async def dial(self, host: str, port: int, tls: TLS | None) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection of the caller's own."""
        try:
            async with asyncio.timeout(self._connect_timeout):
                return await asyncio.open_connection(
                    host,
                    port,
                    ssl=tls.context if tls is not None else None,
                    server_hostname=(tls.name or host) if tls is not None else None,
                )
        except (OSError, TimeoutError) as error:
            raise OSError(dial_failure(host, port, error)) from error

    async def close(self) -> None:
        """Release the pooled connections."""
        if self._session is not None:
            await self._session.close()


_DISTRUST = {
    **dict.fromkeys((18, 19, 20, 21), "certificate signed by unknown authority"),
    **dict.fromkeys((9, 10), "certificate has expired or is not yet valid"),
}
"""By OpenSSL's codes, Go's words."""

_MISMATCH = (62, 64)
"""Of the name, of the address."""


def dial_failure(host: str, port: int, error: BaseException) -> str:
    """Why a connection could not be made, in Go's words."""
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if isinstance(error, TimeoutError):
        return f"dial tcp {address}: i/o timeout"
    number = getattr(error, "errno", None)
    cause = getattr(error, "os_error", error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        if cause.verify_code in _MISMATCH:
            distrust = f"certificate is not valid for {host}"
        else:
            distrust = _DISTRUST.get(cause.verify_code, cause.verify_message)
        return f"tls: failed to verify certificate: x509: {distrust}"
    if isinstance(cause, socket.gaierror):
        return f"dial tcp: lookup {host}: no such host"
    if isinstance(cause, ssl.SSLError):
        return f"tls: {cause.reason or cause}"
    reason = os.strerror(number).lower() if isinstance(number, int) and number > 0 else str(cause)
    return f"dial tcp {address}: connect: {reason}"
