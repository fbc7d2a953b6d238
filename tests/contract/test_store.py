"""The Store contract, over every implementation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from steersman.storage.memory import MemoryStore
from steersman.storage.sqlite import SqliteStore
from steersman.storage.store import (
    Check,
    Compacted,
    CompareFailed,
    Delete,
    EventBatch,
    FutureRevision,
    Put,
    Store,
)

counter = iter(range(1 << 30))


@pytest.fixture(params=["memory", "sqlite", pytest.param("etcd", marks=pytest.mark.etcd)])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    store: Store
    if request.param == "memory":
        store = MemoryStore()
    elif request.param == "sqlite":
        store = await SqliteStore.open(tmp_path / "state.db")
    else:
        from steersman.storage.etcd import EtcdStore

        store = await EtcdStore.open([request.getfixturevalue("etcd").url])
    yield store
    await store.close()


@pytest.fixture
def root() -> str:
    """A prefix that no other test uses."""
    return f"/registry/t{next(counter)}/"


async def collect(store: Store, prefix: str, start: int, last: int) -> list[tuple[str, int, bytes | None]]:
    """What a watch delivers up to a revision."""
    seen = []
    watch = await store.watch(prefix, start_revision=start)
    try:
        async with asyncio.timeout(10):
            async for batch in watch:
                seen += [(event.key, event.revision, event.current and event.current.value) for event in batch.events]
                if batch.revision >= last:
                    return seen
    finally:
        await watch.aclose()
    return seen


async def test_a_value_knows_its_revisions(store: Store, root: str) -> None:
    first = await store.commit([Put(root + "a", b"1", 0)])
    second = await store.commit([Put(root + "a", b"2", first)])
    assert second == first + 1
    item = await store.get(root + "a")
    assert item == (root + "a", b"2", first, second)
    assert await store.revision() == second
    assert store.current_revision >= second


async def test_absent_key_reads_as_none(store: Store, root: str) -> None:
    assert await store.get(root + "none") is None
    assert (await store.range(root)).items == []


async def test_compare_failure_writes_nothing_and_shows_the_present(store: Store, root: str) -> None:
    revision = await store.commit([Put(root + "a", b"1", 0)])
    with pytest.raises(CompareFailed) as caught:
        await store.commit([Put(root + "b", b"x"), Put(root + "a", b"2", 0), Check(root + "c", 0)])
    assert list(caught.value.current) == [root + "a"]
    current = caught.value.current[root + "a"]
    assert current is not None
    assert current.mod_revision == revision
    assert await store.get(root + "b") is None
    with pytest.raises(CompareFailed) as caught:
        await store.commit([Put(root + "z", b"2", revision)])
    assert caught.value.current == {root + "z": None}


async def test_delete_and_recreate(store: Store, root: str) -> None:
    first = await store.commit([Put(root + "a", b"1")])
    with pytest.raises(CompareFailed):
        await store.commit([Delete(root + "a", first + 100)])
    gone = await store.commit([Delete(root + "a", first)])
    assert gone == first + 1
    assert await store.get(root + "a") is None
    assert await store.commit([Delete(root + "a")]) == gone, "removing an absent key changes nothing"
    again = await store.commit([Put(root + "a", b"2", 0)])
    item = await store.get(root + "a")
    assert item is not None
    assert (item.create_revision, item.mod_revision) == (again, again)


async def test_commit_of_several_keys_is_one_revision(store: Store, root: str) -> None:
    await store.commit([Put(root + "old", b"")])
    revision = await store.commit([Put(root + "a", b"1"), Put(root + "b", b"2"), Delete(root + "old")])
    page = await store.range(root)
    assert [(item.key, item.mod_revision) for item in page.items] == [(root + "a", revision), (root + "b", revision)]
    assert len(await collect(store, root, revision, revision)) == 3


async def test_a_key_twice_in_one_commit_is_refused(store: Store, root: str) -> None:
    with pytest.raises(ValueError, match="twice"):
        await store.commit([Put(root + "a", b"1"), Delete(root + "a")])


async def test_range_pages_in_byte_order_at_one_revision(store: Store, root: str) -> None:
    names = ["a", "a/b", "a0", "b", "é", "日", "\U0001f600"]
    for name in reversed(names):
        await store.commit([Put(root + name, name.encode())])
    await store.commit([Put(root[:-1] + "0", b"outside")])
    page = await store.range(root, limit=3)
    assert [item.key for item in page.items] == [root + name for name in sorted(names, key=str.encode)][:3]
    assert page.more
    assert page.remaining == 4
    await store.commit([Put(root + "a1", b"later"), Delete(root + "b")])
    rest = await store.range(root, start=page.items[-1].key + "\0", revision=page.revision)
    assert [item.value.decode() for item in rest.items] == sorted(names, key=str.encode)[3:]
    assert not rest.more
    assert rest.revision == page.revision
    exact = await store.range(root, limit=7)
    assert (exact.more, exact.remaining) == (False, 0)


async def test_future_revision(store: Store, root: str) -> None:
    with pytest.raises(FutureRevision):
        await store.range(root, revision=await store.revision() + 100)


async def test_watch_replays_then_follows_without_gap_or_duplicate(store: Store, root: str) -> None:
    start = await store.commit([Put(root + "0", b"0")])

    async def write() -> int:
        revision = 0
        for number in range(1, 200):
            revision = await store.commit([Put(root + str(number % 7), str(number).encode())])
            await store.commit([Put(root[:-1] + "-other/x", b"")])
        return revision

    async with asyncio.TaskGroup() as group:
        writing = group.create_task(write())
        watches = []
        for _ in range(5):
            watches.append(group.create_task(collect(store, root, start, start + 2 * 198)))
            await asyncio.sleep(0.01)
    for watch in watches:
        seen = watch.result()
        assert [value for _, _, value in seen] == [str(number).encode() for number in range(200)]
        assert seen[-1][1] == writing.result()


async def test_watch_resumes_where_another_ended(store: Store, root: str) -> None:
    revisions = [await store.commit([Put(root + "a", str(number).encode())]) for number in range(10)]
    first = await collect(store, root, revisions[0], revisions[4])
    middle = max(revision for _, revision, _ in first)
    second = await collect(store, root, middle + 1, revisions[-1])
    assert [revision for _, revision, _ in first + second] == revisions


async def test_watch_reports_deletion(store: Store, root: str) -> None:
    start = await store.commit([Put(root + "a", b"1")])
    gone = await store.commit([Delete(root + "a")])
    assert await collect(store, root, start, gone) == [(root + "a", start, b"1"), (root + "a", gone, None)]


async def test_watch_from_the_future_waits(store: Store, root: str) -> None:
    now = await store.revision()
    watching = asyncio.create_task(collect(store, root, now + 3, now + 3))
    await asyncio.sleep(0)
    for number in range(3):
        await store.commit([Put(root + "a", str(number).encode())])
    assert await watching == [(root + "a", now + 3, b"2")]


async def test_watch_of_a_quiet_prefix_reports_progress(store: Store, root: str) -> None:
    now = await store.revision()
    watch = await store.watch(root, start_revision=now + 1)
    later = await store.commit([Put(root[:-1] + "-elsewhere/a", b"")])
    await store.request_progress()
    async with asyncio.timeout(5):
        async for batch in watch:
            assert not batch.events
            if batch.revision >= later:
                break
    await watch.aclose()


async def test_slow_watch_gets_everything(store: Store, root: str) -> None:
    from steersman.storage.followers import StoreWatch

    start = await store.revision() + 1
    watch = await StoreWatch(store, root, start, capacity=5).open()
    last = 0
    for number in range(50):
        last = await store.commit([Put(root + "a", str(number).encode())])
    values = []
    async with asyncio.timeout(10):
        async for batch in watch:
            values += [int(event.current.value) for event in batch.events if event.current]
            if batch.revision >= last:
                break
    await watch.aclose()
    assert values == list(range(50))


async def test_follower_has_seen_a_commit_before_its_writer_knows(store: Store, root: str) -> None:
    seen: list[EventBatch] = []
    follower = await store.follow(root, await store.revision() + 1, seen.append)
    for number in range(20):
        revision = await store.commit([Put(root + "a", str(number).encode())])
        assert seen[-1].revision == revision
        assert store.current_revision >= revision
    follower.cancel()
    await store.commit([Put(root + "a", b"more")])
    assert len(seen) == 20


async def test_compaction(store: Store, root: str) -> None:
    revisions = [await store.commit([Put(root + "a", str(number).encode())]) for number in range(5)]
    await store.commit([Put(root + "stays", b"s"), Put(root + "goes", b"g")])
    removed = await store.commit([Delete(root + "goes")])
    after = await store.commit([Put(root + "b", b"")])
    await store.compact(removed + 1)
    with pytest.raises(Compacted) as caught:
        await store.range(root, revision=revisions[2])
    assert caught.value.compact_revision == removed + 1
    try:  # a store may still remember, but must not leave anything out
        seen = await collect(store, root, revisions[2], after)
        assert [revision for _, revision, _ in seen][:3] == revisions[2:]
    except Compacted:
        pass
    with pytest.raises(Compacted):
        await store.compact(removed)
    page = await store.range(root)
    assert [(item.key[len(root) :], item.value) for item in page.items] == [("a", b"4"), ("b", b""), ("stays", b"s")]
    assert page.items[0].create_revision == revisions[0]
    assert await store.range(root, revision=removed + 1) == page._replace(revision=removed + 1)
    assert [key for key, _, _ in await collect(store, root, after, after)] == [root + "b"]
    with pytest.raises(FutureRevision):
        await store.compact(after + 1000)


async def test_concurrent_writers_on_one_key_serialize(store: Store, root: str) -> None:
    key = root + "counter"
    await store.commit([Put(key, b"0", 0)])

    async def increment(times: int) -> None:
        for _ in range(times):
            while True:
                current = await store.get(key)
                assert current is not None
                try:
                    await store.commit([Put(key, str(int(current.value) + 1).encode(), current.mod_revision)])
                    break
                except CompareFailed:
                    continue

    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            group.create_task(increment(10))
    final = await store.get(key)
    assert final is not None
    assert final.value == b"80"


async def test_one_outcome_for_each_of_concurrent_commits(store: Store, root: str) -> None:
    results = await asyncio.gather(
        *(store.commit([Put(root + "same", str(number).encode(), 0)]) for number in range(20)), return_exceptions=True
    )
    winners = [result for result in results if isinstance(result, int)]
    assert len(winners) == 1
    assert sum(isinstance(result, CompareFailed) for result in results) == 19
    revisions = await asyncio.gather(*(store.commit([Put(root + str(number), b"")]) for number in range(20)))
    assert len(set(revisions)) == 20


async def test_size_is_known(store: Store, root: str) -> None:
    await store.commit([Put(root + "a", b"x" * 1000)])
    assert await store.size() >= 1000


async def test_watch_ends_when_the_store_closes(store: Store, root: str) -> None:
    watch = await store.watch(root, start_revision=await store.revision() + 1)

    async def drain() -> None:
        async for _ in watch:
            pass

    draining = asyncio.create_task(drain())
    await asyncio.sleep(0)
    await store.close()
    async with asyncio.timeout(5):
        await draining
