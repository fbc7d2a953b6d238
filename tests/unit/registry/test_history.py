"""Random histories: whatever is watched, from wherever, through whatever reconnections, adds up to what is there."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from steersman.api.resources import builtin_scheme
from steersman.api.types import core_v1 as v1
from steersman.apiserver.registry.contract import ListOptions
from steersman.apiserver.registry.reading import Reader
from steersman.storage.memory import MemoryStore
from steersman.storage.store import Delete, Put
from steersman.storage.watch_cache import CacheEvent, Entry, WatchCache
from steersman.storage.window import Window

RESOURCE = builtin_scheme().for_type(v1.ConfigMap)
NAMESPACES, NAMES, COLOURS = ("a", "b"), ("x", "y", "z"), ("", "red", "blue")

Wants = Callable[[str, str, str], bool]

SELECTIONS: dict[str, tuple[ListOptions, str, Wants]] = {
    "all": (ListOptions(), "", lambda place, name, colour: True),
    "namespace": (ListOptions(), "a", lambda place, name, colour: place == "a"),
    "red": (ListOptions(label_selector="colour=red"), "", lambda place, name, colour: colour == "red"),
    "not blue": (
        ListOptions(label_selector="colour!=blue"),
        "b",
        lambda place, name, colour: place == "b" and colour != "blue",
    ),
    "one": (
        ListOptions(field_selector="metadata.name=x"),
        "a",
        lambda place, name, colour: (place, name) == ("a", "x"),
    ),
    "elsewhere": (ListOptions(field_selector="metadata.namespace=b"), "", lambda place, name, colour: place == "b"),
    "others": (
        ListOptions(field_selector="metadata.name!=x", label_selector="colour"),
        "",
        lambda place, name, colour: bool(colour) and name != "x",
    ),
}

objects = st.tuples(st.sampled_from(NAMESPACES), st.sampled_from(NAMES))
writes = st.lists(
    st.tuples(objects, st.sampled_from((*COLOURS, None))), min_size=1, max_size=3, unique_by=lambda w: w[0]
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("write"), writes),
        st.tuples(st.just("watch"), st.sampled_from(sorted(SELECTIONS)), st.integers(0, 12)),
        st.tuples(st.just("break"), st.integers(0, 5)),
        st.tuples(st.just("resume"), st.integers(0, 5)),
        st.tuples(st.just("compact"), st.just(0)),
    ),
    min_size=20,
    max_size=60,
)

State = dict[tuple[str, str], tuple[str, int]]
"""By namespace and name: the colour, and the version that was written last."""


class Watcher:
    """What a client knows: the state by its events, and up to which version."""

    def __init__(self, selection: str) -> None:
        self.options, self.namespace, self.wants = SELECTIONS[selection]
        self.state: State = {}
        self.version = 0
        self.subscription: Any = None
        self.expired = False

    async def connect(self, reader: Reader, version: str) -> None:
        options = ListOptions(
            label_selector=self.options.label_selector,
            field_selector=self.options.field_selector,
            resource_version=version,
            allow_watch_bookmarks=True,
        )
        self.subscription = await reader.watch(self.namespace, options, self)

    def cut(self) -> None:
        if self.subscription is not None:
            self.subscription.cancel()
            self.subscription = None

    def event(self, event: CacheEvent) -> None:
        obj = event.entry.object
        key, revision = (obj.metadata.namespace, obj.metadata.name), int(obj.metadata.resource_version)
        assert revision == event.entry.revision
        assert self.version <= revision or event.type == "ADDED", "versions only grow"
        if event.type == "DELETED":
            del self.state[key]
        else:
            assert (key in self.state) == (event.type == "MODIFIED"), f"{event.type} {key}"
            self.state[key] = (obj.metadata.labels.get("colour", ""), revision)
        self.version = max(self.version, revision)

    def bookmark(self, revision: int, *, initial_events_end: bool = False) -> None:
        assert revision >= self.version
        self.version = revision

    async def drain(self) -> None:
        await asyncio.sleep(0)

    def end(self, error: Any) -> None:
        self.expired = error is not None and error.code == 410
        assert self.expired


def stored(namespace: str, name: str, colour: str) -> bytes:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if colour:
        metadata["labels"] = {"colour": colour}
    return msgspec.json.encode({"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata})


def named(entry: Entry[Any]) -> tuple[str, str]:
    return entry.object.metadata.namespace, entry.object.metadata.name


async def play(history: list[Any]) -> None:
    store = MemoryStore()
    cache: WatchCache[Any] = WatchCache(store, RESOURCE.key(), RESOURCE.decoder.decode, window=Window(least=4, most=8))

    async def start(reader: Reader) -> None:
        await cache.ready.wait()

    reader = Reader(RESOURCE, cache, {}, start)
    running = asyncio.create_task(cache.run())
    present: State = {}
    past: list[tuple[int, State]] = []
    watchers: list[Watcher] = []
    await cache.ready.wait()
    for step, *rest in history:
        if step == "write":
            operations = [
                Delete(RESOURCE.key(*key)) if colour is None else Put(RESOURCE.key(*key), stored(*key, colour))
                for key, colour in rest[0]
            ]
            revision = await store.commit(operations)
            for key, colour in rest[0]:
                if colour is None:
                    present.pop(key, None)
                else:
                    present[key] = (colour, revision)
            past.append((revision, dict(present)))
        elif step == "watch":
            watcher = Watcher(rest[0])
            back = past[-rest[1]] if 0 < rest[1] <= len(past) else None
            if back is not None:
                watcher.version = back[0]
                watcher.state = {key: value for key, value in back[1].items() if watcher.wants(*key, value[0])}
            await watcher.connect(reader, str(back[0]) if back else "")
            watchers.append(watcher)
        elif step == "compact":
            with contextlib.suppress(Exception):
                await store.compact(await store.revision())
        elif rest[0] < len(watchers):
            watcher = watchers[rest[0]]
            watcher.cut()
            if step == "resume" and not watcher.expired:
                await watcher.connect(reader, str(watcher.version))
        for watcher in watchers:
            if watcher.subscription is not None and not watcher.expired:
                expected = {key: value for key, value in present.items() if watcher.wants(*key, value[0])}
                assert watcher.state == expected
                page = await reader.list(watcher.namespace, watcher.options)
                listed = {
                    (entry.object.metadata.namespace, entry.object.metadata.name): entry.revision
                    for entry in page.entries
                }
                assert listed == {key: version for key, (_, version) in expected.items()}
                assert list(listed) == sorted(listed)
    for revision, state in past[-3:]:
        options = ListOptions(resource_version=str(revision), resource_version_match="Exact", limit=2)
        found: list[tuple[str, str]] = []
        if revision < cache.oldest_revision:
            continue
        while True:
            page = await reader.list("", options)
            found += [named(entry) for entry in page.entries]
            if page.continue_:
                assert page.remaining_item_count == len(state) - len(found)
                options = ListOptions(continue_=page.continue_, limit=2)
            else:
                break
        assert found == sorted(state)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await store.close()


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_every_watch_adds_up_to_what_is_there(history: list[Any]) -> None:
    asyncio.run(play(history))
