"""Requests through the proxy subresources, to a backend on loopback that sees the bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from steersman.api.errors import StatusError, not_found
from steersman.api.types.core_v1 import (
    Container,
    ContainerPort,
    EndpointAddress,
    EndpointPort,
    Endpoints,
    EndpointSubset,
    Node,
    NodeAddress,
    NodeStatus,
    ObjectReference,
    Pod,
    PodIP,
    PodSpec,
    PodStatus,
    Service,
    ServicePort,
    ServiceSpec,
)
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.apiserver.endpoints.answers import status_response
from steersman.apiserver.endpoints.connecting import Connector, NodeClient, NodeClientConfig, is_proxied
from steersman.apiserver.endpoints.connecting.locations import is_proxyable
from steersman.apiserver.endpoints.request_info import request_info
from steersman.apiserver.http.messages import Answer, Request
from steersman.pki.files import PKIConfig, ensure

from .conversation import converse, masked, serving

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Behaviour = Callable[[bytes, Reader, Writer], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: text/plain\r\n\r\nok"


class World(NamedTuple):
    """A proxy at ``port``, and the heads of the requests that reached the backend at ``backend``."""

    port: int
    backend: int
    heads: list[bytes]
    objects: dict[tuple[str, str], Any]

    async def ask(self, request: str, **options: Any) -> str:
        return masked(await converse(self.port, request.replace("\n", "\r\n").encode(), **options))

    async def get(self, target: str, *headers: str, method: str = "GET") -> str:
        lines = [f"{method} {target} HTTP/1.1", "Host: api.example:6443", "Connection: close", *headers, "", ""]
        return await self.ask("\n".join(lines))


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pki")
    ensure(PKIConfig(directory=directory, node_name="n", node_address="127.0.0.1", server="https://127.0.0.1:0"))
    return directory


def pod(name: str, address: str, port: int = 0) -> Pod:
    container = Container(name="main", image="x", ports=[ContainerPort(container_port=port)] if port else [])
    return Pod(
        metadata=ObjectMeta(name=name, namespace="d"),
        spec=PodSpec(containers=[container]),
        status=PodStatus(pod_ips=[PodIP(ip=address)]),
    )


def endpoints(port: int, *addresses: EndpointAddress) -> Endpoints:
    subset = EndpointSubset(addresses=list(addresses), ports=[EndpointPort(name="http", port=port)])
    return Endpoints(metadata=ObjectMeta(name="web", namespace="d"), subsets=[subset])


def of(name: str, address: str, namespace: str = "d") -> EndpointAddress:
    return EndpointAddress(ip=address, target_ref=ObjectReference(kind="Pod", name=name, namespace=namespace))


@asynccontextmanager
async def world(
    pki: Path, behaviour: Behaviour, allowed: Callable[[str], bool] = lambda address: True
) -> AsyncIterator[World]:
    heads: list[bytes] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        try:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            await behaviour(heads[-1], reader, writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    backend = server.sockets[0].getsockname()[1]
    objects: dict[tuple[str, str], Any] = {
        ("Pod", "p"): pod("p", "127.0.0.1", backend),
        ("Service", "web"): Service(
            metadata=ObjectMeta(name="web"), spec=ServiceSpec(ports=[ServicePort(name="http", port=80)])
        ),
        ("Endpoints", "web"): endpoints(backend, of("p", "127.0.0.1")),
        ("Node", "n"): Node(
            metadata=ObjectMeta(name="n"),
            status=NodeStatus(addresses=[NodeAddress(type="InternalIP", address="127.0.0.1")]),
        ),
    }

    async def find(kind: type[Any], name: str, namespace: str = "") -> Any:
        if (found := objects.get((kind.__name__, name))) is None:
            raise not_found(kind.__name__.lower() + "s", name)
        return found

    names = {
        "authority": "ca.crt",
        "certificate": "apiserver-kubelet-client.crt",
        "key": "apiserver-kubelet-client.key",
    }
    nodes = NodeClient(NodeClientConfig(**{name: pki / file for name, file in names.items()}, connect_timeout=2))
    connector = Connector(nodes, find, allowed)

    async def handle(request: Request) -> Answer:
        try:
            return await connector.connect(request, request_info(request))
        except StatusError as error:
            return status_response(error.status)

    try:
        async with serving(handle, passes_on=is_proxied) as (_, port):
            yield World(port, backend, heads, objects)
    finally:
        await nodes.close()
        server.close()


async def ok(head: bytes, reader: Reader, writer: Writer) -> None:
    writer.write(OK.removesuffix(b"ok") if head.startswith(b"HEAD") else OK)


def answering(answer: bytes) -> Behaviour:
    async def answer_it(head: bytes, reader: Reader, writer: Writer) -> None:
        writer.write(answer)

    return answer_it


POD = "/api/v1/namespaces/d/pods/p/proxy"


async def test_what_a_backend_sees(pki: Path) -> None:
    async with world(pki, ok) as it:
        answer = await it.get(
            f"{POD}/a%20b/../c%2Fd/?x=1&y=%20",
            "Authorization: Bearer secret",
            "Impersonate-User: boss",
            "Impersonate-Extra-Scopes: all",
            "X-Remote-User: boss",
            "X-Remote-Extra-Scopes: all",
            "Proxy-Authorization: secret",
            "X-Forwarded-For: 192.0.2.1",
            "X-Named: by connection",
            "Connection: x-named",
            "TE: trailers",
            "Accept: text/plain",
            "Cookie: kept=1",
        )
        assert answer == "HTTP/1.1 200 OK\nContent-Type: text/plain\nContent-Length: 2\nConnection: close\n\nok"
        assert it.heads[0].decode().replace("\r\n", "\n") == (
            "GET /c/d/?x=1&y=%20 HTTP/1.1\n"
            "Host: api.example:6443\n"
            "Accept: text/plain\n"
            "Cookie: kept=1\n"
            "X-Forwarded-For: 192.0.2.1, 127.0.0.1\n"
            f"X-Forwarded-Uri: {POD}/c/d/\n"
            "\n"
        )


@pytest.mark.parametrize(
    "name", ["pods/p", "pods/:p:{port}", "services/web:80", "services/web:http", "services/http:web:80"]
)
async def test_ways_to_a_backend(pki: Path, name: str) -> None:
    async with world(pki, ok) as it:
        name = name.replace("{port}", str(it.backend))
        assert (await it.get(f"/api/v1/namespaces/d/{name}/proxy/")).endswith("\n\nok")
        assert (await it.get(f"/api/v1/nodes/n:{it.backend}/proxy/x")).endswith("\n\nok")
        assert it.heads[1].startswith(b"GET /x HTTP/1.1\r\n")


@pytest.mark.parametrize("method", ["DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"])
async def test_methods(pki: Path, method: str) -> None:
    async with world(pki, ok) as it:
        answer = await it.get(f"{POD}/", method=method)
        assert answer.startswith("HTTP/1.1 200 OK\n")
        assert "Content-Length: 2\n" in answer
        assert answer.endswith("\n\n" if method == "HEAD" else "\n\nok")
        assert it.heads[0].startswith(f"{method} / ".encode())
        assert '"reason":"MethodNotAllowed"' in await it.get(f"{POD}/", method="PROPFIND")


@pytest.mark.parametrize(
    ("target", "code", "text"),
    [
        ("pods/a:b:c:d", 400, 'invalid pod request \\"a:b:c:d\\"'),
        ("pods/missing", 404, 'pods \\"missing\\" not found'),
        ("services/web:81", 503, 'no service port 81 found for service \\"web\\"'),
        ("services/web:metrics", 503, 'no endpoints available for service \\"web:metrics\\"'),
        ("services/web", 503, 'no endpoints available for service \\"web\\"'),
        ("pods/p:1", 503, "error trying to reach service: dial tcp 127.0.0.1:1: connect: connection refused"),
        ("pods/p:x", 503, "error trying to reach service: dial tcp: lookup tcp/x: unknown port"),
        ("pods/p:80@192.0.2.1", 503, "lookup tcp/80@192.0.2.1: unknown port"),
        ("pods/p:80%2523", 503, "unknown port"),
        ("pods/p:" + "9" * 5000, 503, "invalid port"),
        ("services/web:" + "9" * 5000, 503, "no endpoints available for service"),
        ("pods/p:99999", 503, "error trying to reach service: dial tcp: address 99999: invalid port"),
    ],
)
async def test_refusals(pki: Path, target: str, code: int, text: str) -> None:
    async with world(pki, ok) as it:
        answer = await it.get(f"/api/v1/namespaces/d/{target}/proxy/")
        assert answer.startswith(f"HTTP/1.1 {code} ")
        assert text in answer
        assert it.heads == []


async def test_addresses_that_are_not_proxied_to(pki: Path) -> None:
    async with world(pki, ok, is_proxyable) as it:
        for target in (POD, f"/api/v1/nodes/n:{it.backend}/proxy"):
            answer = await it.get(target + "/")
            assert answer.startswith("HTTP/1.1 400 ")
            assert "address not allowed" in answer
        assert "no endpoints available" in await it.get("/api/v1/namespaces/d/services/web:80/proxy/")
        assert it.heads == []


async def test_endpoints_that_are_no_pods_of_the_namespace(pki: Path) -> None:
    async with world(pki, ok) as it:
        for address in (
            EndpointAddress(ip="127.0.0.1"),
            of("p", "127.0.0.2"),
            of("p", "127.0.0.1", "elsewhere"),
            of("missing", "127.0.0.1"),
        ):
            it.objects["Endpoints", "web"] = endpoints(it.backend, address)
            assert "no endpoints available" in await it.get("/api/v1/namespaces/d/services/web:80/proxy/")
        it.objects["Endpoints", "web"] = endpoints(it.backend, of("missing", "127.0.0.1"), of("p", "127.0.0.1"))
        assert "200 OK" in await it.get("/api/v1/namespaces/d/services/web:80/proxy/")


async def test_root_without_a_slash(pki: Path) -> None:
    async with world(pki, ok) as it:
        answer = await it.get(f"{POD}?x=1")
        assert answer.startswith("HTTP/1.1 301 ")
        assert f"Location: {POD}/?x=1\n" in answer
        assert (await it.get(POD, method="POST")).endswith("\n\nok")


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("/login?next=/", f"{POD}/login?next=/"),
        ("http://api.example:6443/login", f"{POD}/login"),
        ("http://elsewhere.example/", "http://elsewhere.example/"),
    ],
)
async def test_redirects_are_passed_on(pki: Path, location: str, shown: str) -> None:
    answer = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
    async with world(pki, answering(answer)) as it:
        assert f"Location: {shown}\n" in await it.get(f"{POD}/a/b")
        assert len(it.heads) == 1


async def test_what_a_client_sees(pki: Path) -> None:
    sent = (
        b"HTTP/1.1 200 Fine\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nAccess-Control-Allow-Origin: *\r\n"
        b"Keep-Alive: x\r\nConnection: x-own\r\nX-Own: 1\r\nX-Kept: 1\r\nContent-Type: text/html; charset=utf-8\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n10\r\n<a href='/x'>x</\r\n2\r\na>\r\n0\r\n\r\n"
    )
    async with world(pki, answering(sent)) as it:
        answer = await it.get(f"{POD}/")
        lines = answer.splitlines()
        end = lines.index("")
        assert sorted(lines[:end]) == [
            "Connection: close",
            "Content-Type: text/html; charset=utf-8",
            "HTTP/1.1 200 OK",
            "Set-Cookie: a=1",
            "Set-Cookie: b=2",
            "Transfer-Encoding: chunked",
            "X-Kept: 1",
        ]
        assert f'<a href="{POD}/x">x' in answer


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_without_a_body(pki: Path, status: int) -> None:
    async with world(pki, answering(f"HTTP/1.1 {status} X\r\nETag: 1\r\n\r\n".encode())) as it:
        answer = await it.get(f"{POD}/")
        assert "Etag: 1" in answer.title()
        assert "Transfer-Encoding" not in answer
        assert answer.endswith("\n\n")


async def test_answer_that_breaks_off(pki: Path) -> None:
    async with world(pki, answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")) as it:
        request = f"GET {POD}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
        writer.write(request)
        got = b""
        try:
            async with asyncio.timeout(5):
                got = await reader.read()
        except ConnectionError:
            pass
        assert not got.endswith(b"0\r\n\r\n")
        writer.close()


async def test_large_bodies_are_passed_on_as_they_come(pki: Path) -> None:
    size = 6 << 20

    async def count(head: bytes, reader: Reader, writer: Writer) -> None:
        assert b"content-length: %d" % size in head.lower()
        received = len(await reader.readexactly(size))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n%08d" % received)

    async with world(pki, count) as it:
        head = f"POST {POD}/ HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()
        second = f"GET {POD}/missing:9:9:9 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
        answer = await converse(it.port, head + bytes(size) + second.replace(b"/p/proxy", b"/missing/proxy"))
        assert b"%08d" % size in answer
        assert b"not found" in answer


async def send_all(writer: Writer, data: bytes) -> None:
    for start in range(0, len(data), 65536):
        writer.write(data[start : start + 65536])
        await writer.drain()


async def test_backend_that_does_not_read_holds_its_client_back(pki: Path) -> None:
    release = asyncio.Event()

    async def wait(head: bytes, reader: Reader, writer: Writer) -> None:
        await release.wait()
        body = await reader.readuntil(b"0\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n%b" % body[-7:-5])

    async with world(pki, wait) as it:
        _, writer = await asyncio.open_connection("127.0.0.1", it.port)
        writer.write(f"PUT {POD}/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        piece = b"40000\r\n" + b"x" * 0x40000 + b"\r\n"
        sending = asyncio.create_task(send_all(writer, piece * 200))
        done, _ = await asyncio.wait({sending}, timeout=0.3)
        assert not done
        sending.cancel()
        release.set()
        writer.close()


async def test_refusal_before_the_body_was_sent(pki: Path) -> None:
    async with world(pki, ok) as it:
        head = b"POST /api/v1/namespaces/d/pods/missing/proxy/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n"
        answer = await converse(it.port, head + bytes(100_000))
        assert answer.startswith(b"HTTP/1.1 404 ")
        assert b"Connection: close" in answer


async def test_client_that_leaves_ends_the_request(pki: Path) -> None:
    gone = asyncio.Event()

    async def wait(head: bytes, reader: Reader, writer: Writer) -> None:
        await reader.read()
        gone.set()

    async with world(pki, wait) as it:
        _, writer = await asyncio.open_connection("127.0.0.1", it.port)
        writer.write(f"GET {POD}/ HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        while not it.heads:
            await asyncio.sleep(0.001)
        writer.transport.abort()
        async with asyncio.timeout(5):
            await gone.wait()


WEBSOCKET = (
    "Connection: keep-alive, Upgrade\nUpgrade: websocket\nSec-WebSocket-Key: a2V5\nSec-WebSocket-Version: 13\n"
    "Sec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.c2VjcmV0, chat\nAuthorization: Bearer secret\n\n"
)


async def test_upgrades(pki: Path) -> None:
    async def echo(head: bytes, reader: Reader, writer: Writer) -> None:
        writer.write(
            b"HTTP/1.1 101 Go on\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n"
        )
        while data := await reader.read(1024):
            writer.write(data.upper())

    async with world(pki, echo) as it:
        reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
        writer.write(f"GET {POD}/ws?room=1 HTTP/1.1\nHost: x\n{WEBSOCKET}early".replace("\n", "\r\n").encode())
        async with asyncio.timeout(5):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            assert await reader.readexactly(5) == b"EARLY"
            writer.write(b"late")
            assert await reader.readexactly(4) == b"LATE"
            writer.close()
        head = it.heads[0].decode()
        assert head.startswith("GET /ws?room=1 HTTP/1.1\r\n")
        assert "Sec-Websocket-Protocol: chat\r\n" in head
        assert "c2VjcmV0" not in head
        assert "secret" not in head


@pytest.mark.parametrize(("status", "shown"), [("200 OK", "500 "), ("302 Found", "500 "), ("403 Forbidden", "403 ")])
async def test_upgrades_that_are_declined(pki: Path, status: str, shown: str) -> None:
    gone = asyncio.Event()

    async def decline(head: bytes, reader: Reader, writer: Writer) -> None:
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 4\r\n\r\nsaid".encode())
        await reader.read()
        gone.set()

    async with world(pki, decline) as it:
        answer = await it.ask(f"GET {POD}/ HTTP/1.1\nHost: x\n{WEBSOCKET}", until_close=False)
        assert answer.startswith(f"HTTP/1.1 {shown}")
        assert ("said" if shown == "403 " else "invalid upgrade response: status code") in answer
        async with asyncio.timeout(5):
            await gone.wait()
