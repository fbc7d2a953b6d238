"""The kubelet's HTTPS server over a real containerd."""

from __future__ import annotations

import asyncio
import ssl

import msgspec
import pytest

from steersman.api.types.core_v1 import Pod
from steersman.pki.files import PKIConfig, ensure

from .memory_api import ready

pytestmark = [pytest.mark.root, pytest.mark.containerd]

TALK = ["/bin/sh", "-c", "for i in 1 2 3; do echo line $i; done; while true; do sleep 1; done"]


@pytest.fixture
async def secured(world):
    await world.stop()
    pki = PKIConfig(
        directory=world.root / "pki",
        node_name="node-a",
        node_address="127.0.0.1",
        server="https://127.0.0.1:6443",
    )
    ensure(pki)
    world.config = msgspec.structs.replace(world.config, pki_dir=world.root / "pki")
    await world.start()
    spec = {"terminationGracePeriodSeconds": 0, "containers": [{"name": "main", "command": TALK}]}
    await world.run("talk", spec)
    await world.api.wait(Pod, "talk", "default", ready)
    return world


def context(world, *, client: bool) -> ssl.SSLContext:
    pki = world.root / "pki"
    result = ssl.create_default_context(cafile=pki / "ca.crt")
    if client:
        result.load_cert_chain(pki / "apiserver-kubelet-client.crt", pki / "apiserver-kubelet-client.key")
    return result


async def connect(world, head: str, *, client: bool = True):
    port = world.kubelet.server.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context(world, client=client))
    writer.write(head.replace("\n", "\r\n").encode())
    return reader, writer


async def fetch(world, path: str, *, client: bool = True) -> tuple[int, bytes]:
    reader, writer = await connect(world, f"GET {path} HTTP/1.1\nHost: x\nConnection: close\n\n", client=client)
    status = int((await reader.readline()).split()[1])
    length, chunked = 0, False
    while line := (await reader.readline()).strip().lower():
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
        chunked = chunked or line == b"transfer-encoding: chunked"
    body = b""
    if chunked:
        while size := int(await reader.readline(), 16):
            body += await reader.readexactly(size)
            await reader.readline()
    else:
        body = await reader.readexactly(length)
    writer.close()
    return status, body


async def test_callers_and_logs(secured):
    assert await fetch(secured, "/healthz", client=False) == (401, b"Unauthorized")
    assert await fetch(secured, "/healthz") == (200, b"ok")
    assert (await fetch(secured, "/pods", client=False))[0] == 401
    status, body = await fetch(secured, "/pods")
    assert status == 200
    assert msgspec.json.decode(body)["items"][0]["metadata"]["name"] == "talk"
    assert await fetch(secured, "/containerLogs/default/talk/main") == (200, b"line 1\nline 2\nline 3\n")
    assert await fetch(secured, "/containerLogs/default/talk/main?tailLines=1") == (200, b"line 3\n")
    assert await fetch(secured, "/containerLogs/default/talk/main?tailLines=0") == (200, b"")
    assert await fetch(secured, "/containerLogs/default/talk/main?limitBytes=3") == (200, b"lin")
    assert (await fetch(secured, "/containerLogs/default/talk/main?previous=true"))[0] == 400
    assert (await fetch(secured, "/containerLogs/default/nobody/main"))[0] == 404
    status, body = await fetch(secured, "/containerLogs/default/talk/main?timestamps=true")
    assert body.split(b" ")[0].startswith(b"20")


async def test_exec_over_websocket(secured):
    target = "/exec/default/talk/main?command=/bin/echo&command=hi&output=1&error=1"
    head = (
        f"GET {target} HTTP/1.1\nHost: x\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Version: 13\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Protocol: v4.channel.k8s.io\n\n"
    )
    async with asyncio.timeout(10):
        reader, writer = await connect(secured, head)
        assert b" 101 " in await reader.readline()
        data = await reader.read()
    writer.close()
    assert b"hi\n" in data
    assert b'"status":"Success"' in data


@pytest.mark.parametrize("protocol", ["v4.channel.k8s.io", "v5.channel.k8s.io"])
async def test_exec_over_spdy_is_taken_and_newer_websockets_refused(secured, protocol):
    target = "/exec/default/talk/main?command=/bin/echo&command=hi&output=1&error=1"
    spdy = protocol.startswith("v4")
    upgrade = "SPDY/3.1" if spdy else "websocket"
    name = "X-Stream-Protocol-Version" if spdy else "Sec-WebSocket-Protocol"
    extra = "" if spdy else "Sec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"
    head = f"POST {target} HTTP/1.1\nHost: x\nUpgrade: {upgrade}\nConnection: Upgrade\n{extra}{name}: {protocol}\n\n"
    async with asyncio.timeout(10):
        reader, writer = await connect(secured, head if spdy else head.replace("POST", "GET"))
        line = await reader.readline()
    writer.close()
    assert (b" 101 " in line) == spdy


async def test_a_followed_log_ends_with_its_reader(secured):
    reader, writer = await connect(secured, "GET /containerLogs/default/talk/main?follow=true HTTP/1.1\nHost: x\n\n")
    async with asyncio.timeout(10):
        assert b"line 3" in await reader.readuntil(b"line 3\n")
        assert len(secured.kubelet.server._connections) == 1
        writer.close()
        while secured.kubelet.server._connections:
            await asyncio.sleep(0.01)
