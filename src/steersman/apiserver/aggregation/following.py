"""Following one kind of object in its watch cache, for as long as the server runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from steersman.apiserver.registry.store import Handler
from steersman.storage.watch_cache import CacheEvent, Entry

Observe = Callable[[Entry[Any], bool], None]
"""Told of an entry as it is now; the flag says that it is gone."""


async def follow(handler: Handler, observe: Observe, ready: asyncio.Event) -> None:
    """Tell of everything that is there, set ``ready``, and tell of every change; until cancelled.

    After a gap in the cache's history all that is there is told anew, and what has gone meanwhile first.
    """
    known: dict[str, Entry[Any]] = {}

    def event(change: CacheEvent) -> None:
        gone = change.type == "DELETED"
        if gone:
            known.pop(change.entry.key, None)
        else:
            known[change.entry.key] = change.entry
        observe(change.entry, gone)

    while True:
        ended = asyncio.Event()
        # Of a cache that has ended nothing is waited for below, and whoever ends this task must get a turn.
        await asyncio.sleep(0)
        await handler.ready()
        listing = handler.cache.list()
        present = {entry.key: entry for entry in listing.entries}
        for entry in [entry for key, entry in known.items() if key not in present]:
            del known[entry.key]
            observe(entry, True)
        known.update(present)
        for entry in listing.entries:
            observe(entry, False)

        def end(_: Exception | None, ended: asyncio.Event = ended) -> None:
            ended.set()

        subscription = handler.cache.subscribe(handler.resource.key(), listing.revision, event, on_end=end)
        ready.set()
        try:
            await ended.wait()
        finally:
            subscription.cancel()
