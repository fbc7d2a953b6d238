"""A store that fails when it is told to, as etcd and disks do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from steersman.storage.forwarding import ForwardingStore
from steersman.storage.store import KeyValue, NoSpace, Operation, Range, Store, StoreError

Mishap = Literal["timeout", "lost", "full", "away"]
"""What befalls the store, in the words of :meth:`.faults.Faults.store`."""

Befalls = Callable[[Literal["read", "write"], str], Mishap | None]
"""Asked before each operation, with its first key: what befalls it, None for nothing."""


class FaultyStore(ForwardingStore):
    """Another store, that fails where ``befalls`` says so."""

    def __init__(self, store: Store, befalls: Befalls) -> None:
        super().__init__(store)
        self._befalls = befalls

    async def get(self, key: str) -> KeyValue | None:
        self._check(key)
        return await self._store.get(key)

    async def range(
        self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0, counted: bool = True
    ) -> Range:
        self._check(prefix)
        return await self._store.range(prefix, start=start, limit=limit, revision=revision, counted=counted)

    async def revision(self) -> int:
        self._check("")
        return await self._store.revision()

    async def commit(self, operations: Sequence[Operation]) -> int:
        mishap = self._befalls("write", operations[0].key if operations else "")
        if mishap is None:
            return await self._store.commit(operations)
        if mishap == "lost":
            await self._store.commit(operations)
        raise _error(mishap)

    def _check(self, key: str) -> None:
        if (mishap := self._befalls("read", key)) is not None:
            raise _error(mishap)


def _error(mishap: Mishap) -> StoreError:
    """In etcd's words."""
    match mishap:
        case "full":
            return NoSpace("etcdserver: mvcc: database space exceeded")
        case "away":
            return StoreError("etcdserver: no leader")
        case _:
            return StoreError("etcdserver: request timed out")
