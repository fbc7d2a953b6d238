"""Probes against servers in this process."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import grpc
import grpc.aio
import pytest

from steersman.api import codecs
from steersman.api.types.core_v1 import Container, Probe
from steersman.kubelet.cri_api import messages as cri
from steersman.kubelet.fake import FakeRuntime
from steersman.kubelet.probes import probe

LOCAL = "127.0.0.1"


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind((LOCAL, 0))
        return listener.getsockname()[1]


@contextlib.asynccontextmanager
async def server(handle):
    listener = await asyncio.start_server(handle, LOCAL, 0)
    try:
        yield listener.sockets[0].getsockname()[1]
    finally:
        listener.close()


def answering(pages: dict[str, tuple[int, str]]):
    """An HTTP server: path to status and, for redirects, location."""

    async def handle(reader, writer):
        path = (await reader.readline()).split()[1].decode()
        head = await reader.readuntil(b"\r\n\r\n")
        status, location = pages.get(path, (404, ""))
        if b"Secret: yes" in head:
            status = 200
        writer.write(f"HTTP/1.1 {status} X\r\nLocation: {location}\r\n\r\n".encode())
        writer.close()

    return handle


async def ask(spec: dict, runtime: FakeRuntime | None = None):
    parsed = codecs.from_builtins(Probe, {"timeoutSeconds": 1, **spec})
    container = codecs.from_builtins(Container, {"name": "c", "ports": [{"name": "web", "containerPort": 1}]})
    return await probe(parsed, container, "id", LOCAL, runtime or FakeRuntime())


@pytest.mark.parametrize(
    ("path", "success", "output"),
    [
        ("/ok", True, ""),
        ("bad", False, "HTTP probe failed with statuscode: 500"),
        ("/to-ok", True, ""),
        ("/to-bad", False, "HTTP probe failed with statuscode: 500"),
        ("/away", True, ""),
        ("/round", False, "stopped after 10 redirects"),
    ],
)
async def test_http(path, success, output):
    pages = {
        "/ok": (204, ""),
        "/bad": (500, ""),
        "/to-ok": (302, "/ok"),
        "/to-bad": (307, "/bad"),
        "/away": (302, "http://192.0.2.1/"),
        "/round": (301, "/round"),
    }
    async with server(answering(pages)) as port:
        result = await ask({"httpGet": {"path": path, "port": port}})
    assert (result.success, output in result.output) == (success, True), result


async def test_http_sends_headers_and_names_what_fails():
    async with server(answering({})) as port:
        result = await ask(
            {"httpGet": {"path": "/", "port": port, "httpHeaders": [{"name": "secret", "value": "yes"}]}}
        )
        assert result.success
    port = closed_port()
    result = await ask({"httpGet": {"path": "/x", "port": port}})
    assert result.output == f'Get "http://127.0.0.1:{port}/x": dial tcp 127.0.0.1:{port}: connect: connection refused'

    async def silent(reader, writer):
        await reader.read()
        writer.close()

    async with server(silent) as port:
        result = await ask({"httpGet": {"path": "/x", "port": port}})
    assert result.output == (
        f'Get "http://127.0.0.1:{port}/x": context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
    )


async def test_tcp():
    async with server(lambda reader, writer: writer.close()) as port:
        assert (await ask({"tcpSocket": {"port": port}})).success
    port = closed_port()
    assert (
        await ask({"tcpSocket": {"port": port}})
    ).output == f"dial tcp 127.0.0.1:{port}: connect: connection refused"
    assert "couldn't find port" in (await ask({"tcpSocket": {"port": "nameless"}})).output


async def test_exec():
    runtime = FakeRuntime()
    runtime.containers["id"] = cri.ContainerStatus(id="id", state=cri.CONTAINER_RUNNING)
    runtime.exec_results["well",] = cri.ExecSyncResponse(stdout=b"fine")
    runtime.exec_results["ill",] = cri.ExecSyncResponse(stdout=b"a", stderr=b"b", exit_code=2)
    assert (await ask({"exec": {"command": ["well"]}}, runtime)).success
    result = await ask({"exec": {"command": ["ill"]}}, runtime)
    assert (result.success, result.output) == (False, "ab")


class Health(grpc.GenericRpcHandler):
    """``grpc.health.v1.Health`` that knows one service, and one with a long name."""

    def service(self, details):
        if details.method != "/grpc.health.v1.Health/Check":
            return None

        async def check(request: bytes, context) -> bytes:
            if request == b"":
                return b"\x08\x01"
            if request == b"\x0a\x04sick":
                return b"\x08\x02"
            if request == b"\x0a\xc8\x01" + b"n" * 200:
                return b"\x08\x01"
            if request == b"\x0a\x04slow":
                await asyncio.sleep(30)
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
            raise AssertionError("abort raises")

        return grpc.unary_unary_rpc_method_handler(check)


@pytest.mark.parametrize(
    ("service", "success", "output"),
    [
        ("", True, "service healthy"),
        ("n" * 200, True, "service healthy"),
        ("sick", False, 'service unhealthy (responded with "NOT_SERVING")'),
        ("none", False, "error: health rpc probe failed: rpc error: code = NotFound desc = unknown service"),
        ("slow", False, "timeout: health rpc did not complete within 1s"),
    ],
)
async def test_grpc(service, success, output):
    listener = grpc.aio.server()
    listener.add_generic_rpc_handlers((Health(),))
    port = listener.add_insecure_port(f"{LOCAL}:0")
    await listener.start()
    try:
        result = await ask({"grpc": {"port": port, "service": service}})
        assert (result.success, result.output) == (success, output)
    finally:
        await listener.stop(0)


async def test_grpc_without_the_protocol_or_a_server():
    listener = grpc.aio.server()
    port = listener.add_insecure_port(f"{LOCAL}:0")
    await listener.start()
    try:
        result = await ask({"grpc": {"port": port}})
        assert result.output.startswith("error: this server does not implement the grpc health protocol")
    finally:
        await listener.stop(0)
    result = await ask({"grpc": {"port": closed_port()}})
    assert result.output.startswith("timeout: failed to connect service")
