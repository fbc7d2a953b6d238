"""A state that is held stays known, whatever is compacted, and what differs from it is found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from steersman.storage import embedded
from steersman.storage.embedded import EmbeddedStore, Hold
from steersman.storage.memory import MemoryStore
from steersman.storage.sqlite import SqliteStore
from steersman.storage.store import Delete, Put


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[EmbeddedStore]:
    made = MemoryStore() if request.param == "memory" else await SqliteStore.open(tmp_path / "state.db")
    yield made
    await made.close()


async def differing(store: EmbeddedStore, hold: Hold) -> dict[str, tuple[bytes | None, bytes | None]]:
    return {
        key: (then.value if then else None, now.value if now else None)
        for key, then, now in await store.differences(hold, store.hold())
    }


@pytest.mark.parametrize("compacted", [False, True])
async def test_what_differs(store: EmbeddedStore, compacted: bool) -> None:
    for key in ("changed", "deleted", "untouched", "recreated", "twice"):
        await store.commit([Put(key, b"1")])
    hold = store.hold()
    for operation in (
        Put("changed", b"2"),
        Put("changed", b"3"),
        Delete("deleted"),
        Delete("recreated"),
        Put("recreated", b"1"),
        Put("new", b"1"),
        Put("fleeting", b"1"),
        Delete("fleeting"),
        Put("twice", b"2"),
        Put("twice", b"1"),
    ):
        await store.commit([operation])
    if compacted:
        await store.compact(store.current_revision)
    assert await differing(store, hold) == {"changed": (b"1", b"3"), "deleted": (b"1", None), "new": (None, b"1")}


async def test_what_differs_at_a_moment_that_is_over(store: EmbeddedStore) -> None:
    await store.commit([Put("a", b"1")])
    since = store.hold()
    await store.commit([Put("a", b"2")])
    await store.commit([Put("b", b"1")])
    with store.hold() as until:
        await store.commit([Put("a", b"1")])
        await store.commit([Delete("b")])
        await store.commit([Put("c", b"1")])
        await store.compact(store.current_revision)
        found = {key: (then, now) for key, then, now in await store.differences(since, until)}
    assert {key: now.value for key, (_, now) in found.items() if now} == {"a": b"2", "b": b"1"}
    assert not until.holds
    since.move(store.hold())
    assert await differing(store, since) == {}


async def test_others_have_their_turn_while_much_is_delivered(
    store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "DELIVERY", 0.0)
    turn, told, first = 0, [], store.current_revision
    await store.follow("", first + 1, lambda batch: told.append((turn, batch.revision)))
    begun = asyncio.gather(*(store.commit([Put(f"k{number}", b"1")]) for number in range(5)))
    while not begun.done():
        await asyncio.sleep(0)
        turn += 1
        assert len(store._index) == len(told) == store.current_revision - first
    assert begun.result() == [revision for _, revision in told] == [first + number for number in range(1, 6)]
    assert len({turn for turn, _ in told}) == 5


async def test_holds_within_holds(store: EmbeddedStore) -> None:
    await store.commit([Put("a", b"1")])
    outer = store.hold()
    await store.commit([Put("a", b"2")])
    inner = store.hold()
    await store.commit([Put("a", b"3")])
    await store.commit([Delete("a")])
    await store.compact(store.current_revision)
    assert await differing(store, outer) == {"a": (b"1", None)}
    assert await differing(store, inner) == {"a": (b"2", None)}


async def test_what_nobody_holds_is_forgotten(store: EmbeddedStore) -> None:
    await store.commit([Put("a", b"1")])
    hold = store.hold()
    await store.commit([Put("a", b"2")])
    await store.commit([Put("b", b"1")])
    await store.compact(store.current_revision)
    hold.release()
    await store.commit([Put("b", b"2")])
    await store.compact(store.current_revision)
    values = [row.value for row in await store._read_history("", 1, store.current_revision, 100)]
    assert values == [b"2", b"2"]
