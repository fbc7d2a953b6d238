"""The watch cache over a store in memory, and over etcd."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from steersman.storage.entry import PAST, RecentlyDecoded
from steersman.storage.memory import MemoryStore
from steersman.storage.store import Compacted, Delete, Put, Store
from steersman.storage.watch_cache import (
    CacheEvent,
    Entry,
    RevisionTimeout,
    WatchCache,
    is_spliced,
    respliced,
    splice,
)
from steersman.storage.window import Window

PREFIX = "/registry/pods/"


def pod(name: str, node: str = "") -> bytes:
    return json.dumps(
        {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name}, "spec": {"nodeName": node}},
        separators=(",", ":"),
    ).encode()


def node_of(entry: Entry[Any]) -> str:
    return str(entry.object["spec"]["nodeName"])


@contextlib.asynccontextmanager
async def running(store: Store, **options: Any) -> AsyncIterator[WatchCache[Any]]:
    cache: WatchCache[Any] = WatchCache(store, PREFIX, json.loads, indexes={"node": node_of}, **options)
    task = asyncio.create_task(cache.run())
    async with asyncio.timeout(5):
        await cache.ready.wait()
    yield cache
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def names(entries: list[Entry[Any]]) -> list[str]:
    return [entry.key[len(PREFIX) :] for entry in entries]


def test_splice() -> None:
    assert splice(b'{"metadata":{}}', 7) == b'{"metadata":{"resourceVersion":"7"}}'
    spliced = splice(pod("a"), 41)
    assert json.loads(spliced)["metadata"] == {"resourceVersion": "41", "name": "a"}
    assert respliced(spliced, 1234) == splice(pod("a"), 1234)
    with pytest.raises(ValueError, match="metadata"):
        splice(b"{}", 1)


@pytest.mark.parametrize("value", [b'{"metadata":{}}', b'{"metadata":{"name":"a"},"spec":{"metadata":{}}}'])
def test_whether_spliced_json_is_that_of_a_value(value: bytes) -> None:
    for revision in (1, 9, 10, 123456):
        raw = splice(value, revision)
        assert is_spliced(raw, value, revision)
        assert not is_spliced(raw, value, revision + 1)
        assert not is_spliced(raw, value[:-1] + b" ", revision)
        assert not is_spliced(raw, value + b" ", revision)
        assert respliced(raw, revision + 1) == splice(value, revision + 1)


def test_decoded_objects_are_kept_while_young_or_in_use() -> None:
    recent = RecentlyDecoded(limit=300)
    entries = [Entry(str(number), number, pod(str(number)), json.loads, recent) for number in range(100)]
    held = [entry.object for entry in entries[:2]]
    for entry in entries:
        assert entry.object["kind"] == "Pod"
    known = [entry for entry in entries if entry.peek() is not None]
    assert len(known) < 10
    assert [entry.peek() for entry in entries[:2]] == held
    assert entries[0].object is held[0]
    assert entries[50].object == json.loads(entries[50].raw)
    held.clear()
    for entry in entries[10:30]:
        assert entry.object
    assert entries[0].peek() is None


async def test_a_window_is_as_large_as_what_there_is_where_it_has_little_to_spare() -> None:
    store = MemoryStore()
    async with running(store, window=Window(least=1, spare_bytes=10_000)) as cache:
        first = cache.revision
        for number in range(100):
            await store.commit([Put(PREFIX + "a/x", pod("x" * 1000 + str(number)))])
        assert 9 <= len(cache._window) <= 11
        with pytest.raises(Compacted):
            cache.subscribe(PREFIX, first, lambda event: None)
        for number in range(50):
            await store.commit([Put(f"{PREFIX}b/{number}", pod("x" * 1000))])
        start = cache.revision
        for number in range(45):
            await store.commit([Put(PREFIX + "a/x", pod("y" * 1000 + str(number)))])
        seen: list[CacheEvent] = []
        cache.subscribe(PREFIX, start, seen.append).cancel()
        assert len(seen) == 45
        for number in range(50):
            await store.commit([Delete(f"{PREFIX}b/{number}")])
        assert 3 <= len(cache._window) <= 5  # which have what was, and as what it went
    # What was read at the start counts, too.
    async with running(store, window=Window(least=1, spare_bytes=0)) as cache:
        for number in range(10):
            await store.commit([Put(PREFIX + "a/x", pod("x" * 1000 + str(number)))])
        assert 1 <= len(cache._window) <= 2


async def test_few_decoded_objects_are_kept_of_what_was_superseded_or_has_gone() -> None:
    store = MemoryStore()
    async with running(store) as cache:
        cache.subscribe(PREFIX, cache.revision, lambda event: event.entry.object)
        await store.commit([Put(PREFIX + "a/stays", pod("x"))])
        for number in range(300):
            await store.commit([Put(PREFIX + "a/changes", pod("y" * 50_000 + str(number)))])
            await store.commit([Put(f"{PREFIX}a/{number}", pod("z" * 50_000))])
            await store.commit([Delete(f"{PREFIX}a/{number}")])
        assert [cache.get(PREFIX + key).peek() is not None for key in ("a/stays", "a/changes")] == [True, True]
        entries = [each for event in cache._window.since(1)[0] for each in (event.entry, event.previous) if each]
        decoded = {id(each): len(each.raw) for each in entries if each.peek() is not None}
        assert sum(decoded.values()) < PAST + 300_000
        assert len(cache._decoded) < 10
        # What is looked at once more, after all, is kept no longer either.
        for each in entries:
            assert each.object
        del each
        assert sum(len(each.raw) for each in {id(each): each for each in entries}.values() if each.peek()) < 2 * PAST


async def test_a_commit_is_visible_when_it_returns() -> None:
    store = MemoryStore()
    await store.commit([Put(PREFIX + "a/x", pod("x"))])
    async with running(store) as cache:
        assert names(cache.list().entries) == ["a/x"]
        revision = await store.commit([Put(PREFIX + "b/y", pod("y"))])
        entry = cache.get(PREFIX + "b/y")
        assert entry is not None
        assert entry.object["metadata"] == {"resourceVersion": str(revision), "name": "y"}
        assert entry.object is entry.object
        assert await cache.consistent() == revision == cache.revision
        elsewhere = await store.commit([Put("/registry/nodes/n", pod("n"))])
        assert await cache.consistent() == elsewhere


async def test_lists_page_and_look_back() -> None:
    store = MemoryStore()
    async with running(store) as cache:
        for name in ("b/2", "a/1", "a/3", "c/4"):
            middle = await store.commit([Put(PREFIX + name, pod(name))])
        await store.commit([Delete(PREFIX + "a/3")])
        await store.commit([Put(PREFIX + "a/1", pod("changed")), Put(PREFIX + "a/0", pod("a/0"))])
        assert names(cache.list().entries) == ["a/0", "a/1", "b/2", "c/4"]
        assert names(cache.list(PREFIX + "a/").entries) == ["a/0", "a/1"]
        page = cache.list(limit=2)
        assert (names(page.entries), page.remaining) == (["a/0", "a/1"], 2)
        rest = cache.list(start=page.entries[-1].key + "\0", limit=2)
        assert (names(rest.entries), rest.remaining) == (["b/2", "c/4"], 0)
        past = cache.list(revision=middle)
        assert names(past.entries) == ["a/1", "a/3", "b/2", "c/4"]
        assert past.revision == middle
        assert past.entries[0].object["metadata"]["name"] == "a/1"
        assert names(cache.list(PREFIX + "a/", start=PREFIX + "a/2", revision=middle).entries) == ["a/3"]


async def test_window_is_bounded_and_older_lists_come_from_the_store() -> None:
    store = MemoryStore()
    async with running(store, window=Window(least=1, most=3)) as cache:
        first = await store.commit([Put(PREFIX + "a/0", pod("0"))])
        for number in range(1, 10):
            last = await store.commit([Put(PREFIX + f"a/{number}", pod(str(number)))])
        with pytest.raises(Compacted):
            cache.list(revision=first)
        with pytest.raises(Compacted):
            cache.subscribe(PREFIX, first, lambda event: None)
        assert names((await cache.list_past(revision=first)).entries) == ["a/0"]
        assert len(cache.list(revision=last - 2).entries) == 8


async def test_window_forgets_with_time() -> None:
    store = MemoryStore()
    now = 0.0
    async with running(store, window=Window(lambda: now, least=1)) as cache:
        first = await store.commit([Put(PREFIX + "a/0", pod("0"))])
        now = 80.0
        await store.commit([Put(PREFIX + "a/1", pod("1"))])
        assert cache.oldest_revision == first


async def test_a_new_cache_remembers_what_happened_before_it_started() -> None:
    store = MemoryStore()
    start = await store.commit([Put(PREFIX + "a/0", pod("0"))])
    await store.commit([Put(PREFIX + "a/0", pod("1"))])
    await store.commit([Delete(PREFIX + "a/0")])
    async with running(store) as cache:
        seen: list[CacheEvent] = []
        cache.subscribe(PREFIX, start, seen.append)
        assert [event.type for event in seen] == ["MODIFIED", "DELETED"]
    await store.compact(await store.revision())
    async with running(store) as cache:
        with pytest.raises(Compacted):
            cache.subscribe(PREFIX, start, seen.append)


async def test_subscription_replays_then_lives() -> None:
    store = MemoryStore()
    async with running(store) as cache:
        start = cache.revision
        one = await store.commit([Put(PREFIX + "a/x", pod("1"))])
        two = await store.commit([Put(PREFIX + "a/x", pod("2"))])
        await store.commit([Put(PREFIX + "b/x", pod("other"))])
        seen: list[CacheEvent] = []
        subscription = cache.subscribe(PREFIX + "a/", start, seen.append)
        late: list[CacheEvent] = []
        cache.subscribe(PREFIX + "a/x", one, late.append)
        gone = await store.commit([Delete(PREFIX + "a/x"), Put(PREFIX + "a/y", pod("y"))])
        assert [(e.type, e.revision) for e in seen] == [
            ("ADDED", one),
            ("MODIFIED", two),
            ("DELETED", gone),
            ("ADDED", gone),
        ]
        assert [e.type for e in late] == ["MODIFIED", "DELETED"]
        deleted = seen[2]
        assert deleted.entry.object["metadata"] == {"resourceVersion": str(gone), "name": "2"}
        assert deleted.previous is not None
        assert deleted.previous.revision == two
        subscription.cancel()
        await store.commit([Put(PREFIX + "a/y", pod("z"))])
        assert len(seen) == 4


async def test_a_long_past_is_replayed_in_slices_without_gap_or_duplicate() -> None:
    store = MemoryStore()
    async with running(store) as cache:
        start = cache.revision
        for number in range(2000):
            await store.commit(
                [Put(f"{PREFIX}a/{number % 7}", pod(str(number))), Put(f"{PREFIX}b/x", pod(str(number)))]
            )
        seen: list[tuple[int, str]] = []
        turns = 0
        replaying = asyncio.create_task(
            cache.subscribe_gently(PREFIX, start, lambda event: seen.append((event.revision, event.entry.key)))
        )
        while not replaying.done():
            await asyncio.sleep(0)
            turns += 1
            if turns == 3:  # while the past is being replayed, there is more of it
                await store.commit([Put(f"{PREFIX}a/late", pod("late"))])
        subscription = await replaying
        await store.commit([Put(f"{PREFIX}a/live", pod("live"))])
        assert turns > 10
        assert len(seen) == len(set(seen)) == 4002
        assert seen == sorted(seen)
        assert [key for _, key in seen[-2:]] == [f"{PREFIX}a/late", f"{PREFIX}a/live"]
        subscription.cancel()


async def test_subscription_from_the_future() -> None:
    store = MemoryStore()
    async with running(store) as cache:
        seen: list[CacheEvent] = []
        cache.subscribe(PREFIX, cache.revision + 1, seen.append)
        await store.commit([Put(PREFIX + "a/x", pod("1"))])
        assert not seen
        await store.commit([Put(PREFIX + "a/x", pod("2"))])
        assert len(seen) == 1


async def test_index_narrows_lists_and_subscriptions() -> None:
    store = MemoryStore()
    async with running(store) as cache:
        start = cache.revision
        seen: list[CacheEvent] = []
        cache.subscribe(PREFIX, start, seen.append, index=("node", "n1"))
        await store.commit([Put(PREFIX + "a/x", pod("x"))])
        assert not seen
        before = await store.commit([Put(PREFIX + "a/x", pod("x", "n1"))])
        await store.commit([Put(PREFIX + "a/y", pod("y", "n2"))])
        assert names(cache.list(index=("node", "n1")).entries) == ["a/x"]
        await store.commit([Put(PREFIX + "a/x", pod("x", "n2"))])
        assert [event.type for event in seen] == ["MODIFIED", "MODIFIED"]
        assert names(cache.list(index=("node", "n2")).entries) == ["a/x", "a/y"]
        assert names(cache.list(index=("node", "n1"), revision=before).entries) == ["a/x"]
        await store.commit([Delete(PREFIX + "a/x"), Delete(PREFIX + "a/y")])
        assert cache.list(index=("node", "n2")).entries == []
        assert cache._indexed == {}
        replayed: list[CacheEvent] = []
        cache.subscribe(PREFIX, start, replayed.append, index=("node", "n1"))
        assert replayed == seen


async def test_many_subscribers_see_one_order_without_blocking_the_loop() -> None:
    store = MemoryStore()
    async with running(store) as cache:
        seen: list[list[int]] = [[] for _ in range(2000)]
        for events in seen:
            cache.subscribe(PREFIX, cache.revision, lambda event, events=events: events.append(event.revision))
        revisions = [await store.commit([Put(PREFIX + "a/x", pod(str(number)))]) for number in range(5)]
        late: list[int] = []
        cache.subscribe(PREFIX, revisions[2], lambda event: late.append(event.revision))
        async with asyncio.timeout(5):
            while seen[-1] != revisions:
                await asyncio.sleep(0)
        assert all(events == revisions for events in seen)
        assert late == revisions[3:]


async def test_a_failing_subscriber_is_dropped_alone() -> None:
    store = MemoryStore()
    async with running(store) as cache:
        ends: list[Exception | None] = []
        seen: list[CacheEvent] = []

        def fail(event: CacheEvent) -> None:
            raise RuntimeError("broken")

        cache.subscribe(PREFIX, cache.revision, fail, on_end=ends.append)
        cache.subscribe(PREFIX, cache.revision, seen.append, on_end=ends.append)
        await store.commit([Put(PREFIX + "a/x", pod("1"))])
        await store.commit([Put(PREFIX + "a/x", pod("2"))])
        assert len(seen) == 2
        assert [str(error) for error in ends] == ["broken"]
    assert ends[1:] == [None]


async def test_progress_is_reported() -> None:
    store = MemoryStore()
    async with running(store, progress_seconds=0.01) as cache:
        reached: asyncio.Queue[int] = asyncio.Queue()
        cache.subscribe(PREFIX, cache.revision, lambda event: None, on_progress=reached.put_nowait)
        revision = await store.commit([Put("/registry/nodes/n", pod("n"))])
        async with asyncio.timeout(5):
            while await reached.get() < revision:
                pass


async def test_waiting_for_a_revision() -> None:
    store = MemoryStore()
    async with running(store) as cache:
        with pytest.raises(RevisionTimeout) as caught:
            await cache.wait_until(1000, timeout=0.01)
        assert (caught.value.revision, caught.value.current) == (1000, 1)
        waiting = asyncio.create_task(cache.wait_until(2))
        await asyncio.sleep(0)
        await store.commit([Put("/registry/nodes/n", pod("n"))])
        await waiting


async def test_garbage_in_the_store_is_ignored() -> None:
    store = MemoryStore()
    async with running(store) as cache:
        await store.commit([Put(PREFIX + "a/x", b"\0garbage")])
        await store.commit([Put(PREFIX + "a/y", pod("y"))])
        assert names(cache.list().entries) == ["a/y"]
    async with running(store, history=0) as cache:
        assert names(cache.list().entries) == ["a/y"]


@pytest.mark.parametrize("seed", range(5))
async def test_cache_agrees_with_a_model(seed: int) -> None:
    random_ = random.Random(seed)
    store = MemoryStore()
    history: dict[int, dict[str, int]] = {}
    state: dict[str, int] = {}
    async with running(store) as cache:
        follower: dict[str, int] = {}

        def follow(event: CacheEvent) -> None:
            assert (event.previous is None) == (event.type == "ADDED")
            if event.type == "DELETED":
                del follower[event.entry.key]
            else:
                follower[event.entry.key] = event.revision

        history[cache.revision] = {}
        cache.subscribe(PREFIX, cache.revision, follow)
        for _ in range(200):
            keys = random_.sample([PREFIX + f"{ns}/{n}" for ns in "ab" for n in range(6)], random_.randint(1, 3))
            operations = [
                Delete(key) if random_.random() < 0.4 else Put(key, pod(key, random_.choice("xyz"))) for key in keys
            ]
            revision = await store.commit(operations)
            for operation in operations:
                state.pop(operation.key, None)
                if isinstance(operation, Put):
                    state[operation.key] = revision
            history[revision] = dict(state)
            assert follower == state
            for place, found in cache._indexed.items():
                assert found == {entry.key for entry in cache.list().entries if node_of(entry) == place[1]}
        for revision, expected in history.items():
            listing = cache.list(revision=revision)
            assert [(entry.key, entry.revision) for entry in listing.entries] == sorted(expected.items())


async def test_a_cache_that_missed_something_ends_its_subscriptions_and_reads_anew() -> None:
    store = MemoryStore()
    async with running(store) as cache:
        ends: list[Exception | None] = []
        start = await store.commit([Put(PREFIX + "a/x", pod("1"))])
        cache.subscribe(PREFIX, start, lambda event: None, on_end=ends.append)
        await store.commit([Put(PREFIX + "a/y", pod("1"))])
        last = await store.commit([Put(PREFIX + "a/x", pod("2"))])
        await store.compact(last)
        store._followers.end(Compacted(last))
        async with asyncio.timeout(5):
            while not ends:
                await asyncio.sleep(0)
            await cache.wait_until(last)
        assert isinstance(ends[0], Compacted)
        assert names(cache.list().entries) == ["a/x", "a/y"]
        with pytest.raises(Compacted):
            cache.subscribe(PREFIX, start, lambda event: None)
        seen: list[CacheEvent] = []
        cache.subscribe(PREFIX, last, seen.append)
        await store.commit([Put(PREFIX + "a/x", pod("3"))])
        assert len(seen) == 1


async def test_a_cache_whose_store_closes_ends() -> None:
    store = MemoryStore()
    cache: WatchCache[Any] = WatchCache(store, PREFIX, json.loads)
    ends: list[Exception | None] = []
    task = asyncio.create_task(cache.run())
    await cache.ready.wait()
    cache.subscribe(PREFIX, cache.revision, lambda event: None, on_end=ends.append)
    await store.close()
    async with asyncio.timeout(5):
        await task
    assert ends == [None]
    cache.subscribe(PREFIX, cache.revision, lambda event: None, on_end=ends.append)
    await cache.subscribe_gently(PREFIX, cache.revision, lambda event: None, on_end=ends.append)
    assert ends == [None, None, None]
