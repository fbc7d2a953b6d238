"""Forgetting regularly what nobody reads any more, as kube-apiserver does with its etcd."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from .store import Compacted, CompareFailed, Put, Store, StoreError

log = logging.getLogger(__name__)

KEY = "compact_rev_key"
"""Where servers that share a store agree who compacts; its value is the revision to compact to next."""


LOOK = 5.0
"""Seconds between two looks at the size of a store, where that matters."""


class AutoCompaction:
    """Compacts to where the store was one interval ago, so that history of one to two intervals remains.

    With ``shared``, servers of one store take turns: the one that moves the key compacts.  With ``history_bytes``, an
    interval ends early when the store has grown by so much, and by half of what it was: a store in memory that is
    written to all the time stays within three times what it holds, or so much more.
    """

    def __init__(
        self, store: Store, interval: float = 300.0, *, shared: bool = False, history_bytes: int | None = None
    ) -> None:
        self._store = store
        self._interval = interval
        self._shared = shared
        self._history_bytes = history_bytes
        self._size = 0
        self._previous = 0
        self._observed = 0

    async def run(self) -> None:
        """Compact until cancelled."""
        while True:
            try:
                await self._wait()
                await self.step()
            except StoreError as error:
                log.warning("compaction failed, will be tried again: %s", error)

    async def _wait(self) -> None:
        end = time.monotonic() + self._interval
        while (left := end - time.monotonic()) > 0:
            if self._history_bytes is None:
                await asyncio.sleep(left)
                continue
            await asyncio.sleep(min(left, LOOK))
            if await self._store.size() - self._size > max(self._history_bytes, self._size // 2):
                break

    async def step(self) -> None:
        """Do what is due after an interval."""
        target = await self._take_turn() if self._shared else self._previous
        self._previous = await self._store.revision()
        if target:
            with contextlib.suppress(Compacted):  # somebody else went further
                await self._store.compact(target)
        if self._history_bytes is not None:
            self._size = await self._store.size()

    async def _take_turn(self) -> int:
        current = await self._store.get(KEY)
        observed = current.mod_revision if current is not None else 0
        if observed != self._observed:  # another server moved it within this interval
            self._observed = observed
            return 0
        revision = await self._store.revision()
        try:
            self._observed = await self._store.commit([Put(KEY, str(revision).encode(), observed)])
        except CompareFailed as failed:
            winner = failed.current[KEY]
            self._observed = winner.mod_revision if winner is not None else 0
            return 0
        return int(current.value) if current is not None else 0
