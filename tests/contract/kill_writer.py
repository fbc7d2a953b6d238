"""Writes until killed: each line it prints is an acknowledged commit, ``key revision``."""

from __future__ import annotations

import asyncio
import sys

from steersman.storage.sqlite import SqliteStore
from steersman.storage.store import Put


async def main(path: str, name: str) -> None:
    store = await SqliteStore.open(path)

    async def write(worker: int) -> None:
        number = 0
        while True:
            key = f"/registry/{name}/{worker}-{number}"
            revision = await store.commit(
                [Put(key, b"x" * 500, 0), Put(f"/registry/{name}-last/{worker}", key.encode())]
            )
            sys.stdout.write(f"{key} {revision}\n")
            sys.stdout.flush()
            number += 1

    async with asyncio.TaskGroup() as group:
        for worker in range(8):
            group.create_task(write(worker))
        group.create_task(compact(store))


async def compact(store: SqliteStore) -> None:
    while True:
        await asyncio.sleep(0.05)
        if await store.revision() > store._compact_revision:
            await store.compact(await store.revision())


asyncio.run(main(*sys.argv[1:]))
