"""Clients that do not read: what they are owed is not made for them, and in the end they are cut off."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from steersman.api.resources import builtin_scheme
from steersman.apiserver.endpoints import watching
from steersman.apiserver.endpoints.pipeline import timeout_answer, too_large_answer
from steersman.apiserver.endpoints.representation import PLAIN
from steersman.apiserver.endpoints.watching import Frames, open_watch
from steersman.apiserver.http.limits import Limits
from steersman.apiserver.http.messages import Answer, Request, Response
from steersman.apiserver.http.server import HTTPServer
from steersman.apiserver.registry.contract import ListOptions
from steersman.apiserver.registry.reading import Reader
from steersman.storage.memory import MemoryStore
from steersman.storage.store import Put
from steersman.storage.watch_cache import WatchCache

RESOURCE = builtin_scheme().by_name("", "v1", "configmaps")
assert RESOURCE is not None
PART = b"x" * 256 * 1024


@asynccontextmanager
async def serving(answer: Callable[[Request], Any], limits: Limits | None = None) -> AsyncIterator[HTTPServer]:
    async def handle(request: Request) -> Answer:
        found = answer(request)
        result: Answer = await found if asyncio.iscoroutine(found) else found
        return result

    server = HTTPServer(
        handle, timeout_answer=timeout_answer, too_large_answer=lambda: too_large_answer(1), limits=limits or Limits()
    )
    server.port = await server.start("127.0.0.1", 0, None)  # type: ignore[attr-defined]
    yield server
    await server.stop()


async def stalled(server: Any) -> socket.socket:
    """A client that asks, and reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", server.port))
    await loop.sock_sendall(client, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    return client


async def test_a_list_is_made_as_fast_as_it_is_read() -> None:
    made = 0

    def parts() -> Iterator[bytes]:
        nonlocal made
        for _ in range(200):
            made += 1
            yield PART

    async with serving(lambda request: Response(parts(), size=200 * len(PART))) as server:
        client = await stalled(server)
        await asyncio.sleep(0.2)
        assert 0 < made < 40, "50 MiB were made for a client that reads nothing"
        received = 0
        async with asyncio.timeout(20):
            while received < 200 * len(PART):
                received += len(await asyncio.get_running_loop().sock_recv(client, 1 << 20))
        assert made == 200
        client.close()


async def test_a_watch_sends_its_past_as_fast_as_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert RESOURCE is not None
    monkeypatch.setattr(watching, "PATIENCE", 0.3)
    store = MemoryStore()
    cache: WatchCache[Any] = WatchCache(store, RESOURCE.key(), RESOURCE.decoder.decode)
    running = asyncio.create_task(cache.run())
    await cache.ready.wait()
    filler = "y" * 100_000
    for number in range(400):
        name = f"c{number}"
        raw = f'{{"kind":"ConfigMap","apiVersion":"v1","metadata":{{"name":"{name}"}},"data":{{"k":"{filler}"}}}}'
        await store.commit([Put(RESOURCE.key("default", name), raw.encode())])

    async def start(reader: Reader) -> None:
        return

    reader, frames = Reader(RESOURCE, cache, {}, start), Frames(RESOURCE)
    sent = 0
    original = Frames.frame

    def counted(self: Frames, event: Any) -> bytes:
        nonlocal sent
        sent += 1
        return original(self, event)

    monkeypatch.setattr(Frames, "frame", counted)
    for options in (ListOptions(), ListOptions(resource_version="1")):  # the state, and the recent changes
        sent = 0

        async def watch(request: Request, options: ListOptions = options) -> Answer:
            assert RESOURCE is not None
            return await open_watch(reader, RESOURCE, "", options, request, PLAIN, frames)  # type: ignore[arg-type]

        async with serving(watch) as server:
            client = await stalled(server)
            await asyncio.sleep(0.1)
            assert 0 < sent < 100
            async with asyncio.timeout(5):
                while server.connections:
                    await asyncio.get_running_loop().sock_recv(client, 1)  # a byte now and then does not help
                    await asyncio.sleep(0.05)
            assert sent < 100
            client.close()
    running.cancel()
    await asyncio.wait([running])
    await store.close()
