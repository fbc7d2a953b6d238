"""The world as it was: what has changed since is written back, straight to the store, at the cost of the changes alone.

Revisions only grow: what is written back is new to those who watch, who see ordinary events.  An object that did not
change stays as it is, its resource version too; one that comes back has its content and its uid of then.  Somebody
may be in the middle of something while that happens, and go on with what is no more.  So the cluster is let come to
rest, and looked at again, until nothing is different.

Heartbeats are left alone: the Leases of nodes and of the cluster's own components, as long as they are there.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from steersman.storage.embedded import Difference, EmbeddedStore, Hold
from steersman.storage.store import CompareFailed, Delete, KeyValue, Operation, Put

from .settling import Settling

TOGETHER = 250
"""Objects that are written back at a time: delivering them takes a few milliseconds."""

_LEASES = "/registry/leases/"
_HEARTBEATS = (f"{_LEASES}kube-node-lease/", f"{_LEASES}kube-system/")
_BOOKKEEPING = ("/registry/masterleases/", "compact_rev_key")

_FIRST = {"apiextensions.k8s.io": 0, "namespaces": 1}
"""What others lie in, by the first part of the key."""


class NotRestored(AssertionError):
    """Somebody goes on changing what is written back."""

    def __init__(self, within: float, keys: Sequence[str]) -> None:
        shown = "".join(f"\n  {key}" for key in keys[:20])
        super().__init__(f"somebody keeps changing the world, which was not restored within {within:g} s:{shown}")


class Snapshot:
    """The world of a moment at which the cluster was at rest.  It can be restored any number of times."""

    def __init__(self, store: EmbeddedStore, settling: Settling, hold: Hold) -> None:
        self._store = store
        self._settling = settling
        self._hold = hold
        self._released = False

    async def restore(self, within: float = 10.0) -> None:
        """Make the world what it was, and wait until it rests; raises NotRestored, NotSettled.

        Raises RuntimeError once it is released, as it is at the end of a ``with``.
        """
        __tracebackhide__ = True
        if self._released:
            raise RuntimeError("the snapshot was released: what the world was is not known any more")
        deadline = time.monotonic() + within
        rested = False
        while True:
            # What is changed while differences are looked for will be one to the next hold.
            hold = self._store.hold()
            found = await self._differences()
            if rested and not found:
                break
            hold.release()
            left = deadline - time.monotonic()
            if found and left <= 0:
                raise NotRestored(within, [each.key for each in found])
            await self._write_back(found)
            await self._settling.wait(max(left, 0.1))
            rested = True
        # What was changed and changed back need not be looked at again.
        self._hold.release()
        self._hold = hold

    async def release(self) -> None:
        """Let go of it: the store may forget that world."""
        self._released = True
        self._hold.release()

    async def _differences(self) -> list[Difference]:
        return [each for each in await self._store.differences(self._hold) if not _is_heartbeat(each)]

    async def _write_back(self, found: Iterable[Difference]) -> None:
        commits = [self._store.commit(operations) for operations in plan(found)]
        # All begin now, and are taken in this order.
        for outcome in await asyncio.gather(*commits, return_exceptions=True):
            if isinstance(outcome, BaseException) and not isinstance(outcome, CompareFailed):
                raise outcome


class Snapshots:
    """Takes them of one cluster."""

    def __init__(self, store: EmbeddedStore, settling: Settling) -> None:
        self._store = store
        self._settling = settling

    async def take(self, within: float = 10.0) -> Snapshot:
        """Wait until the cluster rests, and remember what there is; raises NotSettled."""
        __tracebackhide__ = True
        await self._settling.wait(within)
        return Snapshot(self._store, self._settling, self._store.hold())


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    uid: str = ""
    deletion_timestamp: str | None = None


class _Identity(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()


_NOBODY = _Metadata()
_identity = msgspec.json.Decoder(_Identity).decode


def plan(found: Iterable[Difference]) -> Iterator[Sequence[Operation]]:
    """The commits that undo differences, each on the condition that nobody has changed anything since.

    What another object has replaced meanwhile, or what was being deleted, goes before it comes again: nobody ever saw
    an object that changed its uid, or lived on.  Then what was made goes, owners before what they own, and what was
    removed or changed comes.
    """
    again: list[Operation] = []
    gone: list[tuple[int, Operation]] = []
    back: list[tuple[int, int, Operation]] = []
    for key, then, now in found:
        expected = now.mod_revision if now is not None else 0
        if then is None:
            assert now is not None
            gone.append((now.create_revision, Delete(key, expected)))
            continue
        if now is not None and _returns(then, now):
            again.append(Delete(key, expected))
            expected = 0
        rank = _FIRST.get(key.split("/", 3)[2] if key.startswith("/registry/") else "", 2)
        back.append((rank, then.create_revision, Put(key, then.value, expected)))
    yield from _portions(again)
    rest = [operation for _, operation in sorted(gone)] + [operation for *_, operation in sorted(back)]
    yield from _portions(rest)


def _portions(operations: Sequence[Operation]) -> Iterator[Sequence[Operation]]:
    for start in range(0, len(operations), TOGETHER):
        yield operations[start : start + TOGETHER]


def _returns(then: KeyValue, now: KeyValue) -> bool:
    was, is_ = _metadata(then.value), _metadata(now.value)
    if was.uid != is_.uid:
        return True
    return was.deletion_timestamp is None and is_.deletion_timestamp is not None


def _metadata(value: bytes) -> _Metadata:
    try:
        return _identity(value).metadata
    except msgspec.DecodeError:  # no object: an address or a port that is taken
        return _NOBODY


def _is_heartbeat(each: Difference) -> bool:
    if each.key.startswith(_BOOKKEEPING):
        return True
    return each.then is not None and each.now is not None and each.key.startswith(_HEARTBEATS)
