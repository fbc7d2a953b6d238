"""Handshakes of exec, attach, port-forward and log: what the client gets, and what the kubelet."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from steersman.api.errors import StatusError, not_found
from steersman.api.types.core_v1 import (
    Container,
    DaemonEndpoint,
    EphemeralContainer,
    Node,
    NodeAddress,
    NodeDaemonEndpoints,
    NodeStatus,
    Pod,
    PodSpec,
)
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.apiserver.endpoints.answers import status_response
from steersman.apiserver.endpoints.connecting import Connector, NodeClient, NodeClientConfig
from steersman.apiserver.endpoints.request_info import request_info
from steersman.apiserver.http.messages import Answer, Request
from steersman.client.streaming.spdy import SPDYConnection
from steersman.pki.files import PKIConfig, ensure

from .conversation import masked, serving

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter
Behaviour = Callable[[str, Reader, Writer], Awaitable[None]]
PODS = "/api/v1/namespaces/d/pods"
KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13\n"
WEBSOCKET = f"Connection: Upgrade\nUpgrade: websocket\n{KEY}"
ACCEPT = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


class World(NamedTuple):
    port: int
    heads: list[str]

    async def open(self, request: str) -> tuple[str, Reader, Writer]:
        """The head of the answer, and the connection."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(request.replace("\n", "\r\n").encode())
        async with asyncio.timeout(5):
            return masked(await reader.readuntil(b"\r\n\r\n")), reader, writer

    async def ask(self, request: str) -> str:
        """The whole answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        first, rest = request.split("\n", 1)
        writer.write(f"{first}\nHost: x\n{rest}".replace("\n", "\r\n").encode())
        async with asyncio.timeout(5):
            head = masked(await reader.readuntil(b"\r\n\r\n"))
            length = int(head.lower().partition("content-length: ")[2].split("\n")[0] or 0)
            body = (await reader.readexactly(length)).decode()
        writer.close()
        return head + body


def containers(*names: str) -> list[Container]:
    return [Container(name=name, image="x") for name in names]


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("pki")
    ensure(PKIConfig(directory=directory, node_name="n", node_address="127.0.0.1", server="https://127.0.0.1:0"))
    return directory


@asynccontextmanager
async def world(pki: Path, behaviour: Behaviour) -> AsyncIterator[World]:
    heads: list[str] = []

    async def serve(reader: Reader, writer: Writer) -> None:
        try:
            heads.append(
                (await reader.readuntil(b"\r\n\r\n")).decode().replace("\r\n", "\n").replace(f":{kubelet}", "")
            )
            await behaviour(heads[-1], reader, writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pki / "kubelet.crt", pki / "kubelet.key")
    tls.load_verify_locations(pki / "ca.crt")
    tls.verify_mode = ssl.CERT_REQUIRED
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    kubelet = server.sockets[0].getsockname()[1]
    several = PodSpec(
        node_name="n",
        init_containers=containers("setup"),
        containers=containers("a", "b"),
        ephemeral_containers=[EphemeralContainer(name="debugger", image="x")],
    )
    specs = {
        "p": PodSpec(node_name="n", containers=containers("main")),
        "several": several,
        "waiting": PodSpec(containers=containers("main")),
    }
    endpoints = NodeDaemonEndpoints(kubelet_endpoint=DaemonEndpoint(port=kubelet))
    address = NodeAddress(type="InternalIP", address="127.0.0.1")
    node = Node(metadata=ObjectMeta(name="n"), status=NodeStatus(addresses=[address], daemon_endpoints=endpoints))

    async def find(kind: type[Any], name: str, namespace: str = "") -> Any:
        if kind is Node:
            return node
        if name not in specs:
            raise not_found("pods", name)
        return Pod(metadata=ObjectMeta(name=name, namespace=namespace), spec=specs[name])

    certificate = pki / "apiserver-kubelet-client.crt"
    nodes = NodeClient(NodeClientConfig(pki / "ca.crt", certificate, certificate.with_suffix(".key")))
    connector = Connector(nodes, find)

    async def handle(request: Request) -> Answer:
        try:
            return await connector.connect(request, request_info(request))
        except StatusError as error:
            return status_response(error.status)

    try:
        async with serving(handle) as (_, port):
            yield World(port, heads)
    finally:
        await nodes.close()
        server.close()


def answering(answer: str) -> Behaviour:
    async def answer_it(head: str, reader: Reader, writer: Writer) -> None:
        writer.write(answer.replace("\n", "\r\n").encode())
        await writer.drain()
        await reader.read()

    return answer_it


NEVER = answering("")
SWITCH = "HTTP/1.1 101 Switching Protocols\n"


async def test_spdy_is_passed_through(pki: Path) -> None:
    answer = f"{SWITCH}Connection: Upgrade\nUpgrade: SPDY/3.1\nX-Stream-Protocol-Version: v4.channel.k8s.io\n\nhello"
    async with world(pki, answering(answer)) as it:
        head, reader, writer = await it.open(
            f"POST {PODS}/p/exec?command=a%20b&command=c&stdin=true&stdout=1&stderr=false&tty HTTP/1.1\nHost: x\n"
            "Authorization: Bearer secret\nCookie: a=1\nConnection: Upgrade\nUpgrade: SPDY/3.1\nContent-Length: 0\n"
            "X-Stream-Protocol-Version: v4.channel.k8s.io\nX-Stream-Protocol-Version: channel.k8s.io\n\n"
        )
        assert head == (
            f"{SWITCH}Upgrade: SPDY/3.1\nConnection: Upgrade\nX-Stream-Protocol-Version: v4.channel.k8s.io\n\n"
        )
        assert await reader.readexactly(5) == b"hello"
        writer.close()
        assert it.heads == [
            "POST /exec/d/p/main?command=a+b&command=c&input=1&output=1&tty=1 HTTP/1.1\nHost: n\nupgrade: SPDY/3.1\n"
            "connection: Upgrade\nx-stream-protocol-version: v4.channel.k8s.io\n"
            "x-stream-protocol-version: channel.k8s.io\nContent-Length: 0\n\n"
        ]


@pytest.mark.parametrize(
    "protocol", ["v4.channel.k8s.io", "v4.base64.channel.k8s.io", "channel.k8s.io", "base64.channel.k8s.io", ""]
)
async def test_older_websockets_are_passed_through(pki: Path, protocol: str) -> None:
    chosen = f"Sec-WebSocket-Protocol: {protocol}\n" if protocol else ""
    answer = f"{SWITCH}Upgrade: websocket\nConnection: Upgrade\n{ACCEPT}\n{chosen}\n"
    offered = (
        f"Sec-WebSocket-Protocol: {protocol}, base64url.bearer.authorization.k8s.io.c2VjcmV0\n" if protocol else ""
    )
    async with world(pki, answering(answer)) as it:
        head, _, writer = await it.open(f"GET {PODS}/p/attach?stdout=1 HTTP/1.1\nHost: x\n{WEBSOCKET}{offered}\n")
        assert head == f"{SWITCH}Upgrade: websocket\nConnection: Upgrade\n{ACCEPT}\n{chosen}\n"
        writer.close()
        assert it.heads[0].startswith("GET /attach/d/p/main?output=1 HTTP/1.1\nHost: n\n")
        assert "c2VjcmV0" not in it.heads[0]
        assert (f"sec-websocket-protocol: {protocol}\n" in it.heads[0]) is bool(protocol)


async def test_version_5_is_translated(pki: Path) -> None:
    async def kubelet(head: str, reader: Reader, writer: Writer) -> None:
        answer = f"{SWITCH}Connection: Upgrade\nUpgrade: SPDY/3.1\nX-Stream-Protocol-Version: v4.channel.k8s.io\n\n"
        writer.write(answer.replace("\n", "\r\n").encode())
        spdy = SPDYConnection()
        opened = [dict(event.headers)["streamtype"] for event in spdy.receive(await reader.read(4096))]  # type: ignore[union-attr]
        assert opened == ["error", "stdout"]
        spdy.send(3, b"out")
        spdy.send(1, b'{"status":"Success"}', fin=True)
        writer.write(spdy.data_to_send())

    async with world(pki, kubelet) as it:
        head, reader, writer = await it.open(
            f"GET {PODS}/p/exec?command=x&stdout=true HTTP/1.1\nHost: x\n{WEBSOCKET}"
            "Sec-WebSocket-Protocol: v5.channel.k8s.io, v4.channel.k8s.io\n\n"
        )
        assert head == (
            f"{SWITCH}Upgrade: websocket\nConnection: Upgrade\n{ACCEPT}\nSec-WebSocket-Protocol: v5.channel.k8s.io\n\n"
        )
        assert await until(reader, b"\x88\x02\x03\xe8") == (
            b"\x82\x01\x01" + b"\x82\x04\x01out" + b'\x82\x15\x03{"status":"Success"}' + b"\x88\x02\x03\xe8"
        )
        writer.close()
        assert it.heads == [
            "POST /exec/d/p/main?command=x&output=1 HTTP/1.1\nHost: n\nConnection: Upgrade\nUpgrade: SPDY/3.1\n"
            "X-Stream-Protocol-Version: v4.channel.k8s.io\nContent-Length: 0\n\n"
        ]


async def until(reader: Reader, end: bytes) -> bytes:
    data = b""
    async with asyncio.timeout(5):
        while not data.endswith(end):
            data += await reader.read(4096)
    return data


async def test_refusal_of_version_5_comes_on_its_error_channel(pki: Path) -> None:
    refusal = 'HTTP/1.1 404 Not Found\nContent-Type: text/plain\nContent-Length: 28\n\ncontainer not found ("main")\n'
    async with world(pki, answering(refusal)) as it:
        head, reader, writer = await it.open(
            f"GET {PODS}/p/exec?command=x&stdout=true HTTP/1.1\nHost: x\n{WEBSOCKET}"
            "Sec-WebSocket-Protocol: v5.channel.k8s.io\n\n"
        )
        assert head.startswith(SWITCH)
        data = await until(reader, b"\x88\x02\x03\xe8")
        writer.close()
        status = json.loads(data[data.index(b"{") : data.rindex(b"}") + 1])
        assert (status["code"], status["reason"]) == (500, "InternalError")
        assert status["message"] == (
            'Internal error occurred: unable to upgrade connection: container not found ("main")'
        )


async def test_port_forward_through_a_tunnel(pki: Path) -> None:
    async def kubelet(head: str, reader: Reader, writer: Writer) -> None:
        answer = f"{SWITCH}Connection: Upgrade\nUpgrade: SPDY/3.1\nX-Stream-Protocol-Version: portforward.k8s.io\n\n"
        writer.write(answer.replace("\n", "\r\n").encode())
        writer.write((await reader.readexactly(4)).upper())

    async with world(pki, kubelet) as it:
        head, reader, writer = await it.open(
            f"GET {PODS}/p/portforward HTTP/1.1\nHost: x\n{WEBSOCKET}"
            "Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\n\n"
        )
        assert head == (
            f"{SWITCH}Upgrade: websocket\nConnection: Upgrade\n{ACCEPT}\n"
            "Sec-WebSocket-Protocol: SPDY/3.1+portforward.k8s.io\n\n"
        )
        mask = bytes(4)
        writer.write(b"\x82\x82" + mask + b"sp" + b"\x82\x82" + mask + b"dy")
        assert (await until(reader, b"\x88\x02\x03\xe8")).startswith(b"\x82\x04SPDY")
        writer.close()
        assert it.heads == [
            "POST /portForward/d/p HTTP/1.1\nHost: n\nConnection: Upgrade\nUpgrade: SPDY/3.1\n"
            "X-Stream-Protocol-Version: portforward.k8s.io\nContent-Length: 0\n\n"
        ]


@pytest.mark.parametrize(
    ("request_head", "answer"),
    [
        (f"POST {PODS}/p/exec HTTP/1.1\n{WEBSOCKET}Sec-WebSocket-Protocol: v5.channel.k8s.io\n\n", "405|bad method"),
        (
            f"GET {PODS}/p/exec HTTP/1.1\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Key: x\n"
            "Sec-WebSocket-Protocol: v5.channel.k8s.io\n\n",
            "400|missing or bad WebSocket Version",
        ),
        (
            f"GET {PODS}/p/attach HTTP/1.1\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n"
            "Sec-WebSocket-Protocol: v5.channel.k8s.io\n\n",
            "400|mismatch challenge/response",
        ),
        (f"GET {PODS}/p/exec HTTP/1.1\n\n", '400|"message":"Upgrade request required"'),
        (f"PUT {PODS}/p/exec HTTP/1.1\n\n", '405|"reason":"MethodNotAllowed"'),
        (f"GET {PODS}/p/exec/more HTTP/1.1\n\n", '404|"reason":"NotFound"'),
        (f"GET {PODS}/missing/exec HTTP/1.1\n\n", '404|pods \\"missing\\" not found'),
        (f"GET {PODS}/waiting/exec HTTP/1.1\n\n", "400|pod waiting does not have a host assigned"),
        (f"GET {PODS}/waiting/exec?container=x HTTP/1.1\n\n", "400|container x is not valid for pod waiting"),
        (
            f"GET {PODS}/several/exec HTTP/1.1\n\n",
            "400|a container name must be specified for pod several, choose one of: [setup a b debugger]",
        ),
        (f"GET {PODS}/waiting/log HTTP/1.1\n\n", "204|"),
        (
            f"GET {PODS}/p/log?tailLines=-1 HTTP/1.1\n\n",
            "422|tailLines: Invalid value: -1: must be greater than or equal",
        ),
        (f"GET {PODS}/p/log?limitBytes=0 HTTP/1.1\n\n", "422|limitBytes: Invalid value: 0: must be greater than 0"),
        (f"GET {PODS}/p/log?sinceSeconds=0 HTTP/1.1\n\n", "422|sinceSeconds: Invalid value: 0: must be greater than 0"),
        (
            f"GET {PODS}/p/log?sinceSeconds=5&sinceTime=2026-01-01T00:00:00Z HTTP/1.1\n\n",
            "422|at most one of `sinceTime` or `sinceSeconds` may be specified",
        ),
        (
            f"GET {PODS}/p/log?stream=Both HTTP/1.1\n\n",
            '422|stream: Unsupported value: \\"Both\\": supported values: \\"All\\", \\"Stderr\\", \\"Stdout\\"',
        ),
        (
            f"GET {PODS}/p/log?stream=Stdout&tailLines=1 HTTP/1.1\n\n",
            "422|`tailLines` and specific `stream` are mutually exclusive for now",
        ),
        (f"GET {PODS}/p/log?tailLines=x HTTP/1.1\n\n", '400|strconv.ParseInt: parsing \\"x\\": invalid syntax'),
        (
            f"GET {PODS}/p/log?tailLines=-1&limitBytes=0 HTTP/1.1\n\n",
            '422|PodLogOptions \\"p\\" is invalid: [',
        ),
    ],
)
async def test_refusals(pki: Path, request_head: str, answer: str) -> None:
    async with world(pki, NEVER) as it:
        said = await it.ask(request_head)
        code, _, text = answer.partition("|")
        assert said.startswith(f"HTTP/1.1 {code} ")
        assert text in said
        assert it.heads == []


async def test_what_a_kubelet_refuses_is_said_as_it_said_it(pki: Path) -> None:
    text = "unable to upgrade: unable to negotiate protocol: client supports [v9], server accepts [v4]"
    refusal = f"HTTP/1.1 403 Forbidden\nContent-Type: text/plain\nContent-Length: {len(text)}\n\n{text}"
    async with world(pki, answering(refusal)) as it:
        said = await it.ask(
            f"POST {PODS}/p/exec?command=x HTTP/1.1\nConnection: Upgrade\nUpgrade: SPDY/3.1\nContent-Length: 0\n"
            "X-Stream-Protocol-Version: v9\n\n"
        )
        assert said.startswith("HTTP/1.1 403 ")
        assert said.endswith(text)


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        ("HTTP/1.1 400 Bad Request\nContent-Length: 3\n\nwhy", '400|"message":"why"'),
        ("HTTP/1.1 404 Not Found\nContent-Length: 3\n\nwhy", "404|the server could not find the requested resource"),
        ("HTTP/1.1 500 Oh\nContent-Length: 3\n\nwhy", '500|"message":"Internal error occurred: why"'),
        ("HTTP/1.1 302 Found\nLocation: http://elsewhere/\nContent-Length: 0\n\n", "500|Internal error"),
    ],
)
async def test_logs_that_a_kubelet_refuses(pki: Path, answer: str, shown: str) -> None:
    async with world(pki, answering(answer)) as it:
        said = await it.ask(f"GET {PODS}/p/log?follow&tailLines=3 HTTP/1.1\n\n")
        code, _, text = shown.partition("|")
        assert said.startswith(f"HTTP/1.1 {code} ")
        assert text in said
        assert it.heads[0].startswith("GET /containerLogs/d/p/main?follow=true&tailLines=3 HTTP/1.1\n")
        assert len(it.heads) == 1
