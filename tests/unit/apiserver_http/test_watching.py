from __future__ import annotations

import asyncio
from typing import Any

import pytest

from steersman.api.resources import builtin_scheme
from steersman.api.scheme import Resource, Scheme
from steersman.api.unstructured import Unstructured
from steersman.apiserver.endpoints import watching
from steersman.apiserver.endpoints.representation import PLAIN, Form
from steersman.apiserver.endpoints.request_info import request_info
from steersman.apiserver.endpoints.resources import Resources
from steersman.apiserver.endpoints.watching import Frames, open_watch
from steersman.apiserver.http.messages import Request
from steersman.apiserver.registry.contract import ListOptions
from steersman.storage.watch_cache import CacheEvent, Entry

RESOURCE = builtin_scheme().by_name("", "v1", "configmaps")
assert RESOURCE is not None


class Writer:
    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.buffered = 0
        self.closed = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.chunks.append(data)

    def write_framed(self, chunk: bytes) -> None:
        self.chunks.append(chunk)

    async def drain(self) -> None:
        return


class Handler:
    """Hands its sink out."""

    def __init__(self) -> None:
        self.sink: Any = None
        self.subscribed = asyncio.Event()
        self.cancelled = False

    async def watch(self, namespace: str, options: ListOptions, sink: Any) -> Any:
        self.sink = sink
        self.subscribed.set()
        return self

    def cancel(self) -> None:
        self.cancelled = True

    def progress(self) -> None:
        return


def event(revision: int) -> CacheEvent:
    assert RESOURCE is not None
    raw = b'{"kind":"ConfigMap","apiVersion":"v1","metadata":{"resourceVersion":"%d","name":"a"}}' % revision
    return CacheEvent("MODIFIED", revision, Entry("/a", revision, raw, RESOURCE.decoder.decode), None)


async def start(form: Form, frames: Frames, options: ListOptions | None = None) -> tuple[Handler, Writer, Any]:
    handler, writer = Handler(), Writer()
    request = Request("GET", "/", "/", "", {})
    stream = await open_watch(
        handler, RESOURCE, "", options or ListOptions(), request, form, frames  # type: ignore[arg-type]
    )  # fmt: skip
    task = asyncio.create_task(stream.run(writer))  # type: ignore[arg-type]
    await handler.subscribed.wait()
    await asyncio.sleep(0)
    return handler, writer, task


async def test_watchers_share_one_frame() -> None:
    assert RESOURCE is not None
    frames = Frames(RESOURCE)
    watches = [await start(PLAIN, frames) for _ in range(3)]
    change = event(7)
    for handler, _, _ in watches:
        handler.sink.event(change)
    first, second, third = (writer.chunks[0] for _, writer, _ in watches)
    assert first is second is third
    body = b'{"type":"MODIFIED","object":%b}\n' % change.entry.raw
    assert first == b"%x\r\n%b\r\n" % (len(body), body)
    for handler, _, task in watches:
        handler.sink.end(None)
        await task
        assert handler.cancelled


async def test_watch_as_table_sends_columns_once() -> None:
    assert RESOURCE is not None
    handler, writer, task = await start(Form(shape="Table"), Frames(RESOURCE))
    handler.sink.event(event(1))
    handler.sink.event(event(2))
    handler.sink.bookmark(9)
    handler.sink.end(None)
    await task
    assert b'"columnDefinitions":[{' in writer.chunks[0]
    assert b'"columnDefinitions":[]' in writer.chunks[1]
    assert b'"resourceVersion":"9"' in writer.chunks[2]


async def test_slow_watcher_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    assert RESOURCE is not None
    monkeypatch.setattr(watching, "LOW_BUFFERED", 1)
    handler, writer, task = await start(PLAIN, Frames(RESOURCE))
    writer.buffered = watching.MAX_BUFFERED + 1
    handler.sink.event(event(1))
    handler.sink.event(event(2))
    with pytest.raises(ConnectionAbortedError):
        await task
    assert len(writer.chunks) == 1
    assert handler.cancelled


async def test_a_watcher_that_does_not_read_its_initial_state_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "PATIENCE", 0.01)

    class Past(Handler):
        async def watch(self, namespace: str, options: ListOptions, sink: Any) -> Any:
            while True:
                sink.event(event(1))
                await sink.drain()

    writer = Writer()
    writer.buffered = watching.LOW_BUFFERED + 1

    async def never() -> None:
        await asyncio.Event().wait()

    writer.drain = never  # type: ignore[method-assign]
    request = Request("GET", "/", "/", "", {})
    stream = await open_watch(Past(), RESOURCE, "", ListOptions(), request, PLAIN, Frames(RESOURCE))  # type: ignore[arg-type]
    async with asyncio.timeout(3):
        with pytest.raises(ConnectionAbortedError):
            await stream.run(writer)  # type: ignore[arg-type]
    assert len(writer.chunks) == 1


async def test_a_bookmark_comes_shortly_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "FAREWELL", 0.98)

    class Farewell(Handler):
        def progress(self) -> None:
            self.sink.bookmark(12)

    handler, writer = Farewell(), Writer()
    request = Request("GET", "/", "/", "", {})
    options = ListOptions(timeout_seconds=1)
    stream = await open_watch(handler, RESOURCE, "", options, request, PLAIN, Frames(RESOURCE))  # type: ignore[arg-type]
    async with asyncio.timeout(3):
        await stream.run(writer)  # type: ignore[arg-type]
    assert b'"resourceVersion":"12"' in writer.chunks[-1]
    assert handler.cancelled


async def test_watch_ends_after_the_time_asked_for() -> None:
    assert RESOURCE is not None
    handler, _, task = await start(PLAIN, Frames(RESOURCE), ListOptions(timeout_seconds=1))
    async with asyncio.timeout(3):
        await task
    assert handler.cancelled


async def test_frames_of_a_definition_that_changed_are_let_go_of() -> None:
    def made(group: str) -> Resource[Any]:
        return Resource(group, "v1", "things", "Thing", type_=Unstructured)

    async def watch(group: str) -> None:
        path = f"/apis/{group}/v1/things"
        request = Request("GET", path, path, "watch=true", {})
        await resources.handle(request, request_info(request))

    first, other = made("a.example"), made("b.example")
    scheme = Scheme([first, other])
    resources = Resources(scheme, lambda _: Handler())  # type: ignore[arg-type, return-value]
    await watch("a.example")
    await watch("b.example")
    assert [each for each, _ in resources.watches()] == [first, other]
    scheme.remove(first)
    scheme.remove(other)
    again = made("a.example")
    scheme.add(again)
    await watch("a.example")
    assert [each for each, _ in resources.watches()] == [again]
