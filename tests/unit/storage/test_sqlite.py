"""What is SQLite's own: durability, the file's version and owner, space."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from steersman.storage.datastore import open_store
from steersman.storage.memory import MemoryStore
from steersman.storage.sqlite import SqliteStore
from steersman.storage.store import Delete, NoSpace, Put, StoreError, StoreUnusableError

WRITER = Path(__file__).parents[2] / "contract" / "kill_writer.py"


async def test_reopening_keeps_everything(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    store = await SqliteStore.open(path)
    assert await store.revision() == 1
    first = await store.commit([Put("/a", b"1")])
    second = await store.commit([Put("/a", b"2"), Put("/b", b"b")])
    last = await store.commit([Delete("/b")])
    await store.compact(second)
    await store.close()
    await store.close()
    assert path.stat().st_mode & 0o777 == 0o600

    store = await SqliteStore.open(path)
    assert await store.revision() == last
    assert await store.get("/a") == ("/a", b"2", first, second)
    assert await store.get("/b") is None
    assert [item.key for item in (await store.range("/", revision=second)).items] == ["/a", "/b"]
    assert await store.commit([Put("/b", b"", 0)]) == last + 1
    await store.close()
    with pytest.raises(StoreError, match="closed"):
        await store.get("/a")


async def test_the_revision_survives_deletion_and_compaction_of_everything(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "state.db")
    await store.commit([Put("/a", b"1")])
    last = await store.commit([Delete("/a")])
    await store.compact(last)
    await store.close()
    store = await SqliteStore.open(tmp_path / "state.db")
    assert await store.revision() == last
    await store.close()


def run_writer(path: Path, name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, str(WRITER), str(path), name], stdout=subprocess.PIPE)


async def test_kill_while_writing_loses_nothing_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    acknowledged: dict[str, int] = {}
    previous = 0
    for round_ in range(3):
        process = run_writer(path, f"r{round_}")
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(150 * (round_ + 1))]
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
        lines += rest[: rest.rfind(b"\n") + 1].splitlines(keepends=True)
        process.wait()
        process.stdout.close()
        fresh = {key: int(revision) for key, revision in (line.decode().split() for line in lines)}
        assert min(fresh.values()) > previous, "revisions only grow"
        acknowledged.update(fresh)

        store = await SqliteStore.open(path)
        previous = await store.revision()
        assert previous >= max(acknowledged.values())
        held = {item.key: item for item in (await store.range("/registry/")).items}
        for key, revision in acknowledged.items():
            assert held[key].mod_revision == revision
        for worker in range(8):  # both halves of a commit, or none
            last = held.get(f"/registry/r{round_}-last/{worker}")
            if last is not None:
                assert held[last.value.decode()].mod_revision == last.mod_revision
        await store.close()


async def test_a_newer_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    await (await SqliteStore.open(path)).close()
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", 7)
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreUnusableError, match="data version 7; this program reads version 1"):
        await SqliteStore.open(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"hello", b"x" * 10000])
async def test_a_foreign_file_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(content)
    with pytest.raises(StoreUnusableError, match="not a data file"):
        await SqliteStore.open(path)
    assert path.read_bytes() == content


async def test_another_database_is_refused(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "state.db"))
    connection.execute("CREATE TABLE t (x)")
    connection.close()
    with pytest.raises(StoreUnusableError, match="another application"):
        await SqliteStore.open(tmp_path / "state.db")


async def test_a_file_in_use_is_refused(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "state.db")
    with pytest.raises(StoreUnusableError, match=f"in use by another process .process {os.getpid()}"):
        await SqliteStore.open(tmp_path / "state.db")
    await store.commit([Put("/a", b"")])
    await store.close()
    await (await SqliteStore.open(tmp_path / "state.db")).close()


async def test_a_full_disk_fails_the_write_and_nothing_else(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "state.db", quota_bytes=1 << 20)
    written = 0
    with contextlib.suppress(NoSpace):
        while written < 1000:
            await store.commit([Put(f"/k{written}", b"x" * 10000)])
            written += 1
    assert 20 < written < 120
    revision = await store.revision()
    results = await asyncio.gather(
        *(store.commit([Put(f"/more{number}", b"x" * 20000)]) for number in range(5)), return_exceptions=True
    )
    assert all(isinstance(result, NoSpace) for result in results)
    assert await store.revision() == revision
    assert len((await store.range("/")).items) == written
    for number in range(written):
        await store.commit([Put(f"/k{number}", b"small")])
        if number % 10 == 9:
            await store.compact(await store.revision())
    await store.commit([Put("/fits", b"x" * 20000)])
    await store.close()


async def test_compaction_returns_space(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "state.db")
    for number in range(300):
        await asyncio.gather(*(store.commit([Put(f"/k{key}", bytes([number % 256]) * 4000)]) for key in range(10)))
    await store.compact(await store.revision())
    await store.close()
    assert (tmp_path / "state.db").stat().st_size < 2_500_000
    store = await SqliteStore.open(tmp_path / "state.db")
    assert len((await store.range("/k")).items) == 10
    await store.close()


async def test_a_large_group_is_one_transaction(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "state.db")
    await store.commit([Put(f"/k{number:05}", b"v") for number in range(3000)])
    page = await store.range("/", limit=10, start="/k01000")
    assert page.remaining == 1990
    await store.close()


async def test_open_store_understands_the_option(tmp_path: Path) -> None:
    store = await open_store("sqlite", tmp_path / "data")
    assert isinstance(store, SqliteStore)
    assert (tmp_path / "data" / "state.db").exists()
    await store.close()
    assert isinstance(await open_store("memory", tmp_path), MemoryStore)
    for wrong in ("postgres", "etcd", "etcd=", "sqlite=x"):
        with pytest.raises(StoreUnusableError, match="unknown datastore"):
            await open_store(wrong, tmp_path)
    with pytest.raises(StoreUnusableError, match="invalid etcd endpoint"):
        await open_store("etcd=ftp://x", tmp_path)
