"""The world as it was: what has changed since is written back, straight to the store, at the cost of the changes alone.

Revisions only grow: what is written back is new to those who watch, who see ordinary events.  An object that did not
change stays as it is, its resource version too; one that comes back has its content and its uid of then.  Somebody
may be in the middle of something while that happens, and go on with what is no more.  So the cluster is let come to
rest, and looked at again, until nothing is different.  However much has changed, others on the loop get their turn
between small parts of it; what they write meanwhile is found by the next look, which is at one revision.

The cluster's clock shows again what it would without what was done to it since, but no time comes back: what fell due
has.  Heartbeats are left alone, as long as they are there: the Leases of nodes whose holders are the nodes, and those
of the cluster's own components.  Another's Lease is an object like any other, in whatever namespace.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import msgspec

from steersman.api import labels
from steersman.storage.embedded import Difference, EmbeddedStore, Hold
from steersman.storage.store import CompareFailed, Delete, KeyValue, Operation, Put

from .settling import Settling
from .turnable_clock import TurnableClock

__tracebackhide__ = True  # pytest shows what the test asked for

T = TypeVar("T")

TOGETHER = 50
"""Objects that are written back at a time: delivering them takes a few milliseconds."""

_SLICE = 250
_PORTIONS = 10
"""Differences that are looked at, and commits that are made of them, within a millisecond."""

_LEASES = "/registry/leases/"
_BOOKKEEPING = ("/registry/masterleases/", "compact_rev_key")
_COMPONENTS = frozenset(("kube-controller-manager", "kube-scheduler"))

_GONE, _LAST = 0, 3
_FIRST = {"apiextensions.k8s.io": 1, "namespaces": 2}
"""What others lie in, by the first part of the key."""


class NotRestored(AssertionError):
    """Somebody goes on changing what is written back."""

    def __init__(self, within: float, keys: Sequence[str]) -> None:
        shown = "".join(f"\n  {key}" for key in keys[:20])
        super().__init__(f"somebody keeps changing the world, which was not restored within {within:g} s:{shown}")


class Snapshot:
    """The world of a moment at which the cluster was at rest.  It can be restored any number of times."""

    def __init__(
        self, store: EmbeddedStore, settling: Settling, hold: Hold, clock: TurnableClock | None = None
    ) -> None:
        self._store = store
        self._settling = settling
        self._hold = hold
        self._clock = clock
        self._mark = clock.mark() if clock is not None else None
        # What nobody can restore any more is forgotten, too; whoever lets go of it last may be any thread.
        weakref.finalize(self, _forget, asyncio.get_running_loop(), hold).atexit = False

    async def restore(self, within: float = 10.0) -> None:
        """Make the world what it was, and wait until it rests; raises NotRestored, NotSettled.

        Raises RuntimeError once it is released, as it is at the end of a ``with``.
        """
        deadline = time.monotonic() + within
        if self._clock is not None and self._mark is not None and self._hold.holds:
            self._clock.show_again(self._mark)

        def left(found: Sequence[Difference]) -> float:
            seconds = deadline - time.monotonic()
            if found and seconds <= 0:
                raise NotRestored(within, sorted(each.key for each in found))
            return max(seconds, 0.1)

        rested = False
        while (found := await self._differences()) or not rested:
            patience = left(found)
            if len(found) > TOGETHER:
                with self._settling.paused():
                    await self._write_back(found, left)
            elif found:  # seen as a whole anyway
                await self._write_back(found, left)
            await self._settling.wait(patience)
            rested = True

    async def release(self) -> None:
        """Let go of it: the store may forget that world."""
        self._hold.release()

    async def _differences(self) -> list[Difference]:
        """What is not as it was, but for heartbeats; where nothing is, the present is held instead."""
        if not self._hold.holds:
            raise RuntimeError("the snapshot was released: what the world was is not known any more")
        found: list[Difference] = []
        # What is changed while they are looked for differs from the present that is held.
        with self._store.hold() as present:
            async for part in _parts(await self._store.differences(self._hold, present)):
                found += [each for each in part if not _is_heartbeat(each)]
            if not found:
                self._hold.move(present)  # what was changed and changed back need not be looked at again
        return found

    async def _write_back(self, found: Sequence[Difference], left: Callable[[Sequence[Difference]], float]) -> None:
        """Until all of it is as it was and everybody has seen that, where it is more than one commit.

        ``left`` tells the seconds that there are, or raises where what still differs has had its time.
        """
        while found:
            patience = left(found)
            plan = Plan()
            async for part in _parts(found):
                plan.add(part)
            commits: list[Sequence[Operation]] = []
            for operations in plan.commits():
                commits.append(operations)
                if len(commits) % _PORTIONS == 0:
                    await asyncio.sleep(0)
            # All begin now, and are taken in this order before what others do about them.
            begun = [self._store.commit(operations) for operations in commits]
            for outcome in await asyncio.gather(*begun, return_exceptions=True):
                if isinstance(outcome, BaseException) and not isinstance(outcome, CompareFailed):
                    raise outcome
            if len(commits) == 1:
                return
            await self._settling.calm(patience)
            found = await self._differences()


def _forget(loop: asyncio.AbstractEventLoop, hold: Hold) -> None:
    if hold.holds:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and the store with it
            loop.call_soon_threadsafe(hold.release)


async def _parts(items: Sequence[T]) -> AsyncIterator[Sequence[T]]:
    """The items in slices; the loop gets its turn in between."""
    for start in range(0, len(items), _SLICE):
        if start:
            await asyncio.sleep(0)
        yield items[start : start + _SLICE]


class Snapshots:
    """Takes them of one cluster."""

    def __init__(self, store: EmbeddedStore, settling: Settling, clock: TurnableClock | None = None) -> None:
        self._store = store
        self._settling = settling
        self._clock = clock

    async def take(self, within: float = 10.0) -> Snapshot:
        """Wait until the cluster rests, and remember what there is; raises NotSettled."""
        await self._settling.wait(within)
        return Snapshot(self._store, self._settling, self._store.hold(), self._clock)


class _Metadata(msgspec.Struct, frozen=True, rename="camel"):
    uid: str = ""
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None


class _Spec(msgspec.Struct, frozen=True, rename="camel"):
    holder_identity: str | None = None


class _Outline(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()


class _Lease(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()
    spec: _Spec = _Spec()


_NOBODY = _Metadata()
_outline = msgspec.json.Decoder(_Outline).decode
_lease = msgspec.json.Decoder(_Lease).decode


class Plan:
    """The commits that undo differences, each on the condition that nobody has changed anything since.

    What another object has replaced meanwhile, or what was being deleted, goes before it comes again: nobody ever saw
    an object that changed its uid, or lived on.  Then what was made goes, owners before what they own, and what was
    removed or changed comes, namespaces and definitions before what lies in them.
    """

    def __init__(self) -> None:
        self._again: list[Operation] = []
        self._rest: list[list[_Ranked]] = []

    def add(self, found: Iterable[Difference]) -> None:
        """Undo these, too."""
        ranked: list[_Ranked] = []
        for key, then, now in found:
            expected = now.mod_revision if now is not None else 0
            if then is None:
                assert now is not None
                ranked.append((_GONE, now.create_revision, Delete(key, expected)))
                continue
            if now is not None and _returns(then, now):
                self._again.append(Delete(key, expected))
                expected = 0
            rank = _FIRST.get(key.split("/", 3)[2] if key.startswith("/registry/") else "", _LAST)
            ranked.append((rank, then.create_revision, Put(key, then.value, expected)))
        ranked.sort(key=_order)
        self._rest.append(ranked)

    def commits(self) -> Iterator[Sequence[Operation]]:
        """What is to be written, in this order."""
        rest = heapq.merge(*self._rest, key=_order)
        yield from _portions(iter(self._again))
        yield from _portions(operation for *_, operation in rest)


_Ranked = tuple[int, int, Operation]


def _order(ranked: _Ranked) -> tuple[int, int]:
    return ranked[:2]


def _portions(operations: Iterator[Operation]) -> Iterator[Sequence[Operation]]:
    while portion := tuple(itertools.islice(operations, TOGETHER)):
        yield portion


def _returns(then: KeyValue, now: KeyValue) -> bool:
    was, is_ = _metadata(then.value), _metadata(now.value)
    if was.uid != is_.uid:
        return True
    return was.deletion_timestamp is None and is_.deletion_timestamp is not None


def _metadata(value: bytes) -> _Metadata:
    try:
        return _outline(value).metadata
    except msgspec.DecodeError:  # no object: an address or a port that is taken
        return _NOBODY


def _is_heartbeat(each: Difference) -> bool:
    key, then, now = each
    if key.startswith(_BOOKKEEPING):
        return True
    if then is None or now is None or not key.startswith(_LEASES):
        return False
    namespace, _, name = key.removeprefix(_LEASES).partition("/")
    if namespace == labels.NAMESPACE_NODE_LEASE:
        return _lease(then.value).spec.holder_identity == _lease(now.value).spec.holder_identity == name
    if namespace == labels.NAMESPACE_SYSTEM:
        return name in _COMPONENTS or labels.APISERVER_IDENTITY in (_metadata(now.value).labels or ())
    return False
