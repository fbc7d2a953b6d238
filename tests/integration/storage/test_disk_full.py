"""A file system that really is full."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from steersman.storage.sqlite import SqliteStore
from steersman.storage.store import NoSpace, Put

pytestmark = pytest.mark.root


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting needs root")
    directory = tmp_path / "disk"
    directory.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(directory)], check=False)
    if mounted.returncode:
        pytest.skip("tmpfs cannot be mounted here")
    yield directory
    subprocess.run(["umount", "-l", str(directory)], check=True)


def enlarge(directory: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=16m", str(directory)], check=True)


async def test_a_full_disk_refuses_and_recovers(small_disk: Path) -> None:
    store = await SqliteStore.open(small_disk / "state.db")
    written: dict[str, int] = {}

    async def write(worker: int) -> None:
        for number in range(1000):
            key = f"/{worker}/{number}"
            written[key] = await store.commit([Put(key, b"x" * 20000)])

    results = await asyncio.gather(*(write(worker) for worker in range(4)), return_exceptions=True)
    assert [type(result) for result in results] == [NoSpace] * 4
    assert {item.key: item.mod_revision for item in (await store.range("/")).items} == written
    assert await store.revision() == max(written.values())

    enlarge(small_disk)
    revision = await store.commit([Put("/again", b"y")])
    assert revision == max(written.values()) + 1
    await store.close()
    store = await SqliteStore.open(small_disk / "state.db")
    assert await store.revision() == revision
    assert len((await store.range("/")).items) == len(written) + 1
    with contextlib.suppress(NoSpace):
        await store.compact(revision)
    await store.close()
