"""A store in memory that is written to all the time stays as large as what it holds, and some history."""

from __future__ import annotations

import asyncio

import pytest

from steersman.storage import compaction, datastore
from steersman.storage.compaction import AutoCompaction
from steersman.storage.datastore import auto_compaction
from steersman.storage.memory import MemoryStore
from steersman.storage.store import Compacted, Delete, Put

HISTORY = 200_000
VALUE = b"x" * 1000


@pytest.mark.parametrize("held", [10, 1000])
async def test_history_goes_early_where_much_is_written(monkeypatch: pytest.MonkeyPatch, held: int) -> None:
    monkeypatch.setattr(compaction, "LOOK", 0.0)
    monkeypatch.setattr(datastore, "HISTORY_IN_MEMORY", HISTORY)
    store = MemoryStore()
    task = asyncio.create_task(auto_compaction(store, "memory").run())
    present = sum([await _size_after(store, Put(f"/held/{number}", VALUE)) for number in range(held)][-1:])
    largest = 0
    for number in range(3000):
        key = f"/come/{number}"
        largest = max(largest, await _size_after(store, Put(key, VALUE)), await _size_after(store, Delete(key)))
    last = await store.revision()
    assert max(2 * HISTORY, present) < largest < present + 2.5 * max(HISTORY, present)
    assert len((await store.range("/held/")).items) == held
    assert len((await store.range("/come/", revision=last - 1)).items) == 1, "what was a moment ago is known"
    with pytest.raises(Compacted):
        await store.range("/come/", revision=2)
    task.cancel()
    await asyncio.wait([task])
    await store.close()


async def test_without_a_limit_history_stays_for_an_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "LOOK", 0.0)
    store = MemoryStore()
    task = asyncio.create_task(AutoCompaction(store).run())
    for number in range(100):
        await _size_after(store, Put("/a", VALUE * number))
    assert (await store.range("/a", revision=2)).items
    task.cancel()
    await asyncio.wait([task])
    await store.close()


async def _size_after(store: MemoryStore, operation: Put | Delete) -> int:
    await store.commit([operation])
    await asyncio.sleep(0)
    return await store.size()
