"""``pods/proxy``, ``services/proxy`` and ``nodes/proxy``: requests passed on, whole bodies never held.

Of the client's credentials nothing is passed on, of the connection's own headers neither; a backend's answer to an
upgrade that is not 101 ends the connection to it (CVE-2018-1002105).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from steersman.api.errors import StatusError, bad_request, internal_error, service_unavailable
from steersman.apiserver.endpoints.refusals import no_method
from steersman.apiserver.endpoints.request_info import RequestInfo
from steersman.apiserver.http.messages import Answer, Request, Response, Stream, StreamWriter, Upgrade
from steersman.apiserver.outgoing import TLS, unverified
from steersman.client.streaming import Connection, UpgradeRefused, ask_upgrade, is_upgrade, splice

from .locations import Location, Locations
from .node_client import NodeClient
from .rewriting import CODINGS, HTMLRewriter, Links, Recoder
from .streams import refusal, without_tokens

if TYPE_CHECKING:
    import aiohttp

METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_PROXIED = re.compile(rb"/api/v1/(?:namespaces/[^/?]+/(?:pods|services)|nodes)/[^/?]+/proxy(?:[/?]|$)")
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_CREDENTIALS = re.compile(r"authorization$|impersonate-|x-remote-(?:user|uid|group|extra-)")
_NOT_SHOWN = _HOP_BY_HOP | {
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "audit-id",
    "content-length",
    "content-type",
    "date",
}
"""Headers of a backend's answer that are not passed on as they are; CORS is the API server's own matter."""


def is_proxied(target: bytes) -> bool:
    """Whether a request's target is one of these, whose bodies are passed on as they arrive."""
    return _PROXIED.match(target) is not None


class Proxy:
    """See the module."""

    def __init__(self, locations: Locations, nodes: NodeClient) -> None:
        self._locations = locations
        self._nodes = nodes
        self._unverified: TLS | None = None

    async def connect(self, request: Request, info: RequestInfo, path: str | None = None) -> Answer:
        """Pass a request on, to another path than it asks for where one is given."""
        if request.method not in METHODS:
            raise no_method()
        if info.resource == "pods":
            location = await self._locations.pod(info.name, info.namespace)
        elif info.resource == "services":
            location = await self._locations.service(info.name, info.namespace)
        else:
            location = await self._locations.node(info.name)
        path = backend_path(asked_path(request, info) if path is None else path)
        if is_upgrade(request.headers):
            return await self._upgrade(request, location, path or "/")
        if not path and request.method in ("GET", "HEAD"):
            query = f"?{request.query_string}" if request.query_string else ""
            return Response(b"", 301, "", {"Location": quote(request.path) + "/" + query})
        return await self._pass(request, location, path)

    def _tls(self, location: Location) -> TLS | None:
        if location.kubelet is not None:
            return TLS(self._nodes.context, location.kubelet.name)
        if location.scheme != "https":
            return None
        self._unverified = self._unverified or unverified()
        return self._unverified

    async def _pass(self, request: Request, location: Location, path: str) -> Answer:
        proxied = _PROXIED.match(request.path.encode() + b"/")
        prefix = proxied[0].decode().rstrip("/") if proxied is not None else request.path
        headers = [*forwarded_headers(request), ("X-Forwarded-Uri", quote(prefix + path))]
        target = with_query(path or "/", request)
        try:
            authority = location.authority
            response = await self._nodes.outgoing.request(
                request.method,
                f"{location.scheme}://{authority}{target}",
                headers=headers,
                body=passed_body(request),
                tls=self._tls(location),
            )
        except OSError as error:
            raise unreachable(error) from error
        return answer_of(response, request, Links(prefix, authority, request.headers.get("host", "")))

    async def _upgrade(self, request: Request, location: Location, path: str) -> Answer:
        headers = asking_upgrade(forwarded_headers(request), request)
        try:
            tls, number = self._tls(location), location.number
            reader, writer = await self._nodes.outgoing.dial(location.host, number, tls)
            answer, backend = await ask_upgrade(reader, writer, request.method, with_query(path, request), headers)
        except UpgradeRefused as refused:
            return refusal(refused)
        except OSError as error:
            raise internal_error(str(error)) from error
        return carried(answer, backend)


def unreachable(error: OSError) -> StatusError:
    """503 for a backend that does not answer."""
    return service_unavailable(f"error trying to reach service: {error}")


def asked_path(request: Request, info: RequestInfo) -> str:
    """The backend's path: what follows ``proxy``, or where not even a slash does, what the query says."""
    rest, slash = "/".join(info.parts[3:]).lstrip("/"), request.path.endswith("/")
    if not rest:
        return "/" if slash else request.parameter("path")
    return f"/{rest}/" if slash and not rest.endswith("/") else f"/{rest}"


def backend_path(path: str) -> str:
    """A path without ``.`` and ``..``; empty where nothing was asked for."""
    if not path:
        return ""
    joined = posixpath.normpath("/" + path.lstrip("/"))
    return joined + "/" if path.endswith("/") and joined != "/" else joined


def with_query(path: str, request: Request) -> str:
    """A path as a request's target, with the client's query."""
    if any(character < " " for character in request.query_string):
        raise bad_request("malformed query")
    encoded = quote(path, safe="/$&+,:;=@~")
    query = quote(request.query_string.encode("latin-1"), safe=_PRINTABLE)
    return f"{encoded}?{query}" if query else encoded


def forwarded_headers(request: Request) -> list[tuple[str, str]]:
    """The client's headers that the backend gets."""
    named = {name.strip().lower() for name in request.headers.get("connection", "").split(",")}
    dropped = _HOP_BY_HOP | named | {"expect", "x-forwarded-for", "x-forwarded-uri"}
    headers = [
        (name.title(), value)
        for name in request.headers
        if name not in dropped and not _CREDENTIALS.match(name)
        for value in without_tokens(request, name)
    ]
    before = request.header_values("x-forwarded-for")
    return [*headers, ("X-Forwarded-For", ", ".join([*before, request.remote[0]]))]


def passed_body(request: Request) -> AsyncIterator[bytes] | bytes | None:
    """What the backend gets of the client's body, as it arrives where it was not read."""
    if request.headers.get("content-length") == "0":
        return None
    if request.incoming is not None and {"content-length", "transfer-encoding"} & request.headers.keys():
        return request.incoming.__aiter__()
    return request.body or None


def asking_upgrade(headers: Iterable[tuple[str, str]], request: Request) -> list[tuple[str, str]]:
    """The headers by which the backend is asked for the upgrade that the client asked for."""
    kept = [each for each in headers if each[0] != "Content-Length"]
    return [*kept, ("Connection", "Upgrade"), ("Upgrade", request.headers.get("upgrade", ""))]


def carried(answer: Mapping[str, str], backend: Connection) -> Upgrade:
    """The connection to a backend that has upgraded it, for the client; ``answer`` are the headers of its 101."""

    async def run(connection: Connection) -> None:
        try:
            await splice(connection, backend)
        finally:
            backend.close()

    shown = {name.title(): value for name, value in answer.items() if name not in _NOT_SHOWN}
    shown |= {"Connection": "Upgrade", "Upgrade": answer.get("upgrade", "")}
    return Upgrade(run, shown, abandon=backend.close)


def answer_of(response: aiohttp.ClientResponse, request: Request, links: Links) -> Answer:
    """A backend's answer, its links leading through the proxy."""
    headers: dict[str, str] = {}
    lines: list[str] = []
    named = {name.strip().lower() for name in response.headers.get("connection", "").split(",")}
    for name, value in response.headers.items():
        if name.lower() in _NOT_SHOWN or name.lower() in named:
            continue
        if name.lower() == "location":
            headers[name] = links.rewrite(value)
        elif len(response.headers.getall(name)) > 1:
            lines.append(f"{name}: {value}")
        else:
            headers[name] = value
    length = response.headers.get("content-length", "")
    recoder = None if "Location" in response.headers else _recoder(response.headers, links)
    return Stream(
        _copying(response, recoder),
        response.headers.get("content-type", ""),
        response.status,
        headers,
        lines=lines,
        length=int(length) if length.isdigit() and (recoder is None or request.method == "HEAD") else None,
        abandon=response.close,
    )


def _recoder(headers: Mapping[str, str], links: Links) -> Recoder | None:
    coding = headers.get("content-encoding", "").strip().lower()
    if headers.get("content-type", "").partition(";")[0].strip() != "text/html" or coding not in CODINGS:
        return None
    return Recoder(HTMLRewriter(links.rewrite), coding)


def _copying(
    response: aiohttp.ClientResponse, recoder: Recoder | None
) -> Callable[[StreamWriter], Coroutine[Any, Any, None]]:
    async def run(writer: StreamWriter) -> None:
        from aiohttp import ClientError  # loaded already, by whoever made the request

        try:
            async for data in response.content.iter_any():
                for piece in (data,) if recoder is None else recoder.feed(data):
                    writer.write(piece)
                    await writer.drain()
            if recoder is not None:
                writer.write(recoder.end())
                await writer.drain()
        except ClientError as error:
            # The client MUST NOT take what came for all: its connection is broken off as the backend's was.
            raise ConnectionResetError(f"the backend's answer broke off: {error}") from error
        finally:
            response.close()

    return run
