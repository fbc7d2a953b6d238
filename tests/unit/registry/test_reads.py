"""Lists, continue tokens, resource versions and watches."""

from __future__ import annotations

import asyncio
import base64

import msgspec
import pytest

from steersman.api import codecs
from steersman.api.errors import StatusError
from steersman.api.types import core_v1 as v1
from steersman.api.types.meta_v1 import ObjectMeta, Status
from steersman.apiserver.registry.contract import ListOptions
from steersman.apiserver.registry.registry import Registry
from steersman.client import local
from steersman.client.client import Selectors
from steersman.client.local import LocalClient
from steersman.storage.watch_cache import CacheEvent

from .conftest import config_map, pod


class Recorder:
    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []
        self.bookmarks: list[tuple[int, bool]] = []
        self.error: Status | None = None
        self.ended = False
        self.revisions: list[int] = []

    def event(self, event: CacheEvent) -> None:
        self.events.append((event.type, event.entry.object.metadata.name))
        self.revisions.append(int(msgspec.json.decode(event.entry.raw)["metadata"]["resourceVersion"]))
        assert self.revisions[-1] == event.entry.revision

    def bookmark(self, revision: int, *, initial_events_end: bool = False) -> None:
        self.bookmarks.append((revision, initial_events_end))

    async def drain(self) -> None:
        await asyncio.sleep(0)

    def end(self, error: Status | None) -> None:
        self.error = error
        self.ended = True


async def test_pages(client: LocalClient, registry: Registry) -> None:
    for number in range(7):
        await client.create(config_map(f"c{number}"))
    first = await client.list(v1.ConfigMap, "default", limit=3)
    assert (len(first.items), first.remaining_item_count) == (3, 4)
    token = msgspec.json.decode(base64.urlsafe_b64decode(first.continue_ + "=="))
    assert token == {"v": "meta.k8s.io/v1", "rv": int(first.resource_version), "start": "c2\0"}
    await client.create(config_map("c3x"))
    await client.delete(v1.ConfigMap, "c4", "default")
    second = await client.list(v1.ConfigMap, "default", limit=3, continue_=first.continue_)
    assert [each.metadata.name for each in second.items] == ["c3", "c4", "c5"]
    assert second.resource_version == first.resource_version
    third = await client.list(v1.ConfigMap, "default", limit=3, continue_=second.continue_)
    assert [each.metadata.name for each in third.items] == ["c6"]
    assert (third.continue_, third.remaining_item_count) == ("", None)


async def test_bad_tokens_and_parameters(registry: Registry) -> None:
    handler = registry.handler_of(v1.ConfigMap)
    for options, code in (
        (ListOptions(continue_="???"), 400),
        (ListOptions(resource_version="x"), 400),
        (ListOptions(resource_version_match="Exact"), 422),
        (ListOptions(resource_version="0", resource_version_match="Exact"), 422),
        (ListOptions(resource_version="1", resource_version_match="Sometimes"), 422),
        (ListOptions(send_initial_events=True), 422),
        (ListOptions(label_selector="a=(b"), 400),
        (ListOptions(field_selector="spec.nothing=1"), 400),
    ):
        with pytest.raises(StatusError) as error:
            await handler.list("default", options)
        assert error.value.code == code, options


async def test_expired_tokens_offer_a_way_on(client: LocalClient, registry: Registry) -> None:
    for number in range(4):
        await client.create(config_map(f"c{number}"))
    handler = registry.handler_of(v1.ConfigMap)
    stale = base64.urlsafe_b64encode(b'{"v":"meta.k8s.io/v1","rv":2,"start":"c1\\u0000"}').decode().rstrip("=")
    handler.cache._window.oldest = await registry.store.revision()
    await registry.store.compact(await registry.store.revision())
    with pytest.raises(StatusError) as error:
        await handler.list("default", ListOptions(continue_=stale, limit=2))
    assert (error.value.code, error.value.reason) == (410, "Expired")
    inconsistent = error.value.status.metadata.continue_
    page = await handler.list("default", ListOptions(continue_=inconsistent, limit=2))
    assert [entry.object.metadata.name for entry in page.entries] == ["c2", "c3"]


async def test_exact_and_not_older(client: LocalClient, registry: Registry) -> None:
    first = await client.create(config_map("a"))
    await client.create(config_map("b"))
    handler = registry.handler_of(v1.ConfigMap)
    version = first.metadata.resource_version
    exact = await handler.list("default", ListOptions(resource_version=version, resource_version_match="Exact"))
    assert [entry.object.metadata.name for entry in exact.entries] == ["a"]
    assert exact.resource_version == version
    fresh = await handler.list("default", ListOptions(resource_version=version))
    assert len(fresh.entries) == 2


async def test_selectors(client: LocalClient) -> None:
    for number in range(4):
        wanted = pod(f"p{number}", node_name=f"n{number % 2}")
        wanted.metadata.labels = {"app": "x" if number < 2 else "y"}
        await client.create(wanted)
    chosen = await client.list(v1.Pod, selectors=Selectors(labels="app=x", fields="spec.nodeName=n1"))
    assert [each.metadata.name for each in chosen.items] == ["p1"]
    chosen = await client.list(v1.Pod, selectors=Selectors(fields="metadata.name!=p0,status.phase=Pending"), limit=2)
    assert [each.metadata.name for each in chosen.items] == ["p1", "p2"]
    assert chosen.remaining_item_count is None
    assert chosen.continue_


async def test_watch_with_selector_transitions(client: LocalClient, registry: Registry) -> None:
    created = await client.create(config_map("a"))
    sink = Recorder()
    options = ListOptions(label_selector="on=yes", resource_version=created.metadata.resource_version)
    subscription = await registry.handler_of(v1.ConfigMap).watch("default", options, sink)
    for labels in ({"on": "yes"}, {"on": "yes", "x": "1"}, {"on": "no"}, {"on": "yes"}):
        changed = codecs.copy(await client.get(v1.ConfigMap, "a", "default"))
        changed.metadata.labels = labels
        await client.update(changed)
    await client.create(config_map("b"))
    await client.delete(v1.ConfigMap, "a", "default")
    assert [type_ for type_, _ in sink.events] == ["ADDED", "MODIFIED", "DELETED", "ADDED", "DELETED"]
    assert sink.revisions == sorted(sink.revisions)
    subscription.cancel()


async def test_watch_begins_with_the_present(client: LocalClient, registry: Registry) -> None:
    await client.create(config_map("a"))
    await client.create(config_map("b"))
    handler = registry.handler_of(v1.ConfigMap)
    sink = Recorder()
    options = ListOptions(send_initial_events=True, resource_version_match="NotOlderThan", allow_watch_bookmarks=True)
    subscription = await handler.watch("default", options, sink)
    assert sink.events == [("ADDED", "a"), ("ADDED", "b")]
    ((revision, end),) = sink.bookmarks
    assert end
    assert revision == await registry.store.revision()
    subscription.cancel()
    single = Recorder()
    subscription = await handler.watch("default", ListOptions(field_selector="metadata.name=b"), single)
    await client.delete(v1.ConfigMap, "a", "default")
    await client.delete(v1.ConfigMap, "b", "default")
    assert single.events == [("ADDED", "b"), ("DELETED", "b")]
    subscription.cancel()


async def test_watch_from_too_old_a_version_ends_with_410(client: LocalClient, registry: Registry) -> None:
    handler = registry.handler_of(v1.ConfigMap)
    await client.create(config_map("a"))
    handler.cache._window.oldest = 5
    sink = Recorder()
    await handler.watch("default", ListOptions(resource_version="2"), sink)
    assert sink.error is not None
    assert (sink.error.code, sink.error.reason) == (410, "Expired")


async def test_local_watch_and_resumption(client: LocalClient) -> None:
    page = await client.list(v1.ConfigMap, "default")
    for number in range(3):
        await client.create(config_map(f"c{number}"))
    seen = []
    async with asyncio.timeout(5):
        async for event in client.watch(v1.ConfigMap, "default", resource_version=page.resource_version):
            seen.append((event.type, event.object.metadata.name))
            if len(seen) == 3:
                break
    assert seen == [("ADDED", "c0"), ("ADDED", "c1"), ("ADDED", "c2")]


async def test_a_local_watch_may_begin_with_more_than_it_may_be_behind(
    client: LocalClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local, "QUEUE_LIMIT", 3)
    for number in range(5):
        await client.create(config_map(f"a{number}"))
    watch = client.watch(v1.ConfigMap, "default", bookmarks=False)
    assert [(await anext(watch)).object.metadata.name for _ in range(5)] == [f"a{number}" for number in range(5)]
    for number in range(5 + 3 + 1):
        await client.create(config_map(f"b{number}"))
    with pytest.raises(StatusError, match="fell too far behind"):
        _ = [event async for event in watch]


async def test_metadata_lists_do_not_decode_what_is_large(client: LocalClient, registry: Registry) -> None:
    resource = registry.scheme.for_type(v1.ConfigMap)
    for name, size in (("a", 10), ("b", 100_000)):
        await client.create(config_map(name, k="v" * size))
    handler = registry.handler(resource)
    entries = (await handler.list("default", registry.list_options())).entries
    for entry in entries:
        entry.forget()
    page = await client.list_metadata(resource, "default")
    assert [item.metadata.name for item in page.items] == ["a", "b"]
    assert [entry.peek() is not None for entry in entries] == [True, False]
    assert page.items[1].metadata == (await client.get(v1.ConfigMap, "b", "default")).metadata


async def test_events_are_selected_by_the_names_of_their_version(client: LocalClient, registry: Registry) -> None:
    for number in range(2):
        about = v1.ObjectReference(kind="Pod", name=f"p{number}", namespace="default")
        meta = ObjectMeta(name=f"e{number}", namespace="default")
        await client.create(v1.Event(metadata=meta, involved_object=about, reason="Started", type="Normal"))
    resource = registry.scheme.by_name("events.k8s.io", "v1", "events")
    assert resource is not None
    handler = registry.handler(resource)
    page = await handler.list("default", ListOptions(field_selector="regarding.name=p1,reason=Started"))
    assert [entry.object.metadata.name for entry in page.entries] == ["e1"]
    sink = Recorder()
    (await handler.watch("default", ListOptions(field_selector="regarding.name!=p1"), sink)).cancel()
    assert sink.events == [("ADDED", "e0")]
    with pytest.raises(StatusError, match=r"field label not supported: involvedObject\.name"):
        await handler.list("default", ListOptions(field_selector="involvedObject.name=p1"))
