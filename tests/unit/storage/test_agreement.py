"""The two embedded stores answer every history alike."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from steersman.storage.memory import MemoryStore
from steersman.storage.sqlite import SqliteStore
from steersman.storage.store import Check, Compacted, CompareFailed, Delete, FutureRevision, Operation, Put, Store

keys = st.sampled_from(["/a/", "/a/1", "/a/2", "/a0", "/b/é", "/b/日"])
expectations = st.one_of(st.none(), st.integers(0, 12))
operations = st.one_of(
    st.builds(Put, keys, st.binary(max_size=3), expectations),
    st.builds(Delete, keys, expectations),
    st.builds(Check, keys, st.integers(0, 12)),
)
commits = st.lists(operations, min_size=1, max_size=3, unique_by=lambda operation: operation.key)
steps = st.lists(st.one_of(commits, st.integers(1, 12), st.none()), max_size=25)


async def outcome(store: Store, step: list[Operation] | int) -> object:
    try:
        return await (store.compact(step) if isinstance(step, int) else store.commit(step))
    except CompareFailed as error:
        return error.current
    except (Compacted, FutureRevision) as error:
        return type(error)


async def everything(store: Store) -> object:
    seen: list[object] = [await store.revision()]
    for prefix in ("/", "/a/", "/b/"):
        for revision in range(await store.revision() + 2):
            try:
                seen.append(await store.range(prefix, revision=revision, limit=2))
            except (Compacted, FutureRevision) as error:
                seen.append(type(error))
        try:
            events: list[object] = []
            (await store.follow(prefix, await store.revision() - 5, events.append)).cancel()
            seen.append(events)
        except Compacted:
            seen.append(Compacted)
    return seen


async def run(history: list[list[Operation] | int | None], directory: Path) -> None:
    memory: Store = MemoryStore()
    sqlite: Store = await SqliteStore.open(directory / "state.db")
    for step in history:
        if step is None:
            await sqlite.close()
            sqlite = await SqliteStore.open(directory / "state.db")
        else:
            assert await outcome(memory, step) == await outcome(sqlite, step)
    assert await everything(memory) == await everything(sqlite)
    await sqlite.close()


@settings(max_examples=60, deadline=None)
@given(steps)
def test_memory_and_sqlite_agree(history: list[list[Operation] | int | None]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        asyncio.run(run(history, Path(directory)))
