"""The watch cache: the present state of one resource and its recent changes, fed by one store watch.

Reads are answered from here as the bytes that were encoded when the object was written.

The cache starts a little in the past (``history`` revisions) and lets the store replay what happened since, so that
watchers that were connected before a restart resume instead of listing again.  When the store's connection breaks the
cache keeps its state and resumes; when the store has compacted what it missed, it ends all subscriptions (their
clients list again) and reads everything anew.

What is called between two awaits sees one state: reading and subscribing are plain functions.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from bisect import bisect_left, insort
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from .entry import CacheEvent, Entry, RecentlyDecoded, is_spliced, respliced, splice
from .followers import prefix_end
from .store import Compacted, EventBatch, KeyValue, Range, Store, StoreError, Unconvertible
from .subscriptions import SLICE, Subscription, Subscriptions, deliver
from .underway import Underway
from .window import Window

__all__ = [
    "CacheEvent",
    "Entry",
    "Index",
    "Listing",
    "RevisionTimeout",
    "WatchCache",
    "is_spliced",
    "respliced",
    "splice",
]

T = TypeVar("T")

log = logging.getLogger(__name__)

_PART = 256 * 1024
"""Bytes of the past that are replayed without a pause."""


class Listing(NamedTuple, Generic[T]):
    """Entries in key order, as they were at ``revision``; ``remaining`` counts those that follow the last one."""

    entries: list[Entry[T]]
    revision: int
    remaining: int = 0


class RevisionTimeout(Exception):
    """A revision was not reached in time: upstream's *Too large resource version*."""

    def __init__(self, revision: int, current: int) -> None:
        super().__init__(f"Too large resource version: {revision}, current: {current}")
        self.revision = revision
        self.current = current


Index = Callable[[Entry[Any]], str]
"""What an entry is found under in one index, for example ``spec.nodeName``.  Called for each change: be quick."""


class WatchCache(Generic[T]):
    """The cache of all keys below ``prefix``, which ends in ``/`` (``resource.key()``).

    ``decode`` gives the object of spliced JSON (``resource.decode``).  ``indexes`` names functions by which
    lists and subscriptions can be narrowed.  Subscribers that ask for progress get it every ``progress_seconds``.
    Objects of ``kept_decoded`` bytes of JSON stay decoded.
    """

    def __init__(
        self,
        store: Store,
        prefix: str,
        decode: Callable[[bytes], T],
        *,
        indexes: Mapping[str, Index] | None = None,
        history: int = 500,
        window: Window | None = None,
        progress_seconds: float = 60.0,
        kept_decoded: int = 8 << 20,
    ) -> None:
        self.prefix = prefix
        self.ready = asyncio.Event()
        """Set when the state has been read and has caught up with the store."""
        self.underway = Underway()
        """What is being written of the resource in this process."""
        self._store = store
        self._decode = decode
        self._indexes = dict(indexes or {})
        self._history = history
        self._progress_seconds = progress_seconds

        self._entries: dict[str, Entry[T]] = {}
        self._keys: list[str] = []  # in order
        self._ordered: list[Entry[T]] | None = None  # their entries, as long as nothing changes
        self._indexed: dict[tuple[str, str], set[str]] = {}
        self._window = Window() if window is None else window
        self._decoded = RecentlyDecoded.of_versions(kept_decoded)
        self._revision = 0  # everything up to here has been applied
        self._live = False  # following the store: applied whatever it has delivered
        self._target = 0
        self._retry_delay = 0.1
        self._ended = False
        self._hurry = asyncio.Event()
        self._hopeful: list[asyncio.Future[Unconvertible]] = []
        self._subscriptions = Subscriptions(prefix, lambda: self.revision)

    # -- feeding -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Feed the cache until cancelled; then every subscription ends."""
        progress = asyncio.create_task(self._report_progress(), name=f"progress {self.prefix}")
        loaded = self._ended = False
        try:
            while True:
                try:
                    if not loaded:
                        await self._load()
                        loaded = True
                    await self._follow()
                    break  # the store closed
                except Compacted as error:
                    log.warning("watch cache of %s fell behind and lists again: %s", self.prefix, error)
                    loaded = False
                    self.ready.clear()
                except Unconvertible as error:
                    if loaded or self._history:
                        log.warning("watch cache of %s cannot be filled, tries again: %s", self.prefix, error)
                    # It may be the past that cannot be shown, which then nobody can resume from.
                    loaded, self._history = False, 0
                    await self._wait_to_fill(error)
                except StoreError as error:
                    delay = self._retry_delay
                    log.warning(
                        "watch cache of %s lost the store, tries again in %.1f s: %s", self.prefix, delay, error
                    )
                    await asyncio.sleep(delay)
                    self._retry_delay = min(delay * 2, 5.0)
        finally:
            self._live = False
            progress.cancel()
            self.end_subscriptions()

    async def _wait_to_fill(self, error: Unconvertible) -> None:
        """Before another attempt, which those who need it do not wait for."""
        hopeful, self._hopeful = self._hopeful, []
        for each in hopeful:
            if not each.done():
                each.set_result(error)
        self._hurry.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._retry_delay):
                await self._hurry.wait()
        self._retry_delay = min(self._retry_delay * 2, 5.0)

    def failure(self) -> asyncio.Future[Unconvertible]:
        """Why the next attempt to fill the cache fails, where that is; it begins now unless one is under way."""
        future: asyncio.Future[Unconvertible] = asyncio.get_running_loop().create_future()
        self._hopeful = [each for each in self._hopeful if not each.done()]
        self._hopeful.append(future)
        self._hurry.set()
        return future

    async def _load(self) -> None:
        """Read the state as of a little while ago."""
        self._target = await self._store.revision()
        revision = max(1, self._target - self._history)
        entries: dict[str, Entry[T]] = {}
        start = ""
        while True:
            try:
                page: Range = await self._store.range(
                    self.prefix, start=start, limit=1000, revision=revision, counted=False
                )
            except Compacted as error:
                if revision >= error.compact_revision:
                    raise
                revision, start = error.compact_revision, ""
                entries.clear()
                continue
            for item in page.items:
                try:
                    entries[item.key] = self._entry(item, self._decoded)
                except ValueError as error:
                    log.error("ignored what is stored as %s: %s", item.key, error)
            if not page.more:
                break
            start = page.items[-1].key + "\0"
        self._subscriptions.end(Compacted(revision))  # what happened before was missed
        self._entries = entries
        self._keys = sorted(entries)
        self._ordered = None
        self._indexed = {}
        self._window.restart(revision, sum(len(entry.raw) for entry in entries.values()))
        self._revision = revision
        if self._indexes:
            for count, (key, entry) in enumerate(entries.items(), 1):
                self._reindex(key, None, entry)
                if count % 500 == 0:
                    await asyncio.sleep(0)

    async def _follow(self) -> None:
        """Apply changes until the store closes or fails."""
        follower = await self._store.follow(self.prefix, self._revision + 1, self._apply)
        try:
            await self._store.wait_revision(self._target)
            self._live = True
            self._retry_delay = 0.1
            self.ready.set()
            await follower.ended()
        finally:
            self._revision = self.revision
            self._live = False
            follower.cancel()

    def _apply(self, batch: EventBatch) -> None:
        for change in batch.events:
            try:
                self._change(change.key, change.revision, change.current)
            except ValueError as error:
                log.error("ignored what is stored as %s at revision %d: %s", change.key, change.revision, error)
        self._revision = max(self._revision, batch.revision)

    def _change(self, key: str, revision: int, current: KeyValue | None) -> None:
        previous = self._entries.get(key)
        self._ordered = None
        if current is None:
            if previous is None:
                return
            entry = Entry(key, revision, respliced(previous.raw, revision), self._decode, self._decoded.past)
            self._decoded.gone(previous)
            del self._entries[key], self._keys[bisect_left(self._keys, key)]
            event = CacheEvent("DELETED", revision, entry, previous)
        else:
            entry = self._entry(current, self._decoded)
            if (written := self.underway.take(key, current.value, revision)) is not None:
                entry.keep(written, None if previous is None else previous.peek())
            self._entries[key] = entry
            if previous is None:
                insort(self._keys, key)
            event = CacheEvent("ADDED" if previous is None else "MODIFIED", revision, entry, previous)
        places = self._reindex(key, previous, None if current is None else entry) if self._indexes else ()
        self._revision = revision
        self._window.append(event)
        if previous is not None:
            previous.supersede()
        self._subscriptions.dispatch(event, key, places)

    def _reindex(self, key: str, old: Entry[T] | None, new: Entry[T] | None) -> set[tuple[str, str]]:
        """Move a key from the places where it was found to those where it is found now; return both."""
        before = self._places(old)
        after = self._places(new)
        for place in before - after:
            keys = self._indexed[place]
            keys.discard(key)
            if not keys:
                del self._indexed[place]
        for place in after - before:
            self._indexed.setdefault(place, set()).add(key)
        return before | after

    def _places(self, entry: Entry[T] | None) -> set[tuple[str, str]]:
        places = set()
        if entry is not None:
            for name, function in self._indexes.items():
                try:
                    places.add((name, function(entry)))
                except Exception as error:
                    log.error("cannot index %s by %s: %s", entry.key, name, error)
        return places

    async def _report_progress(self) -> None:
        while True:
            await asyncio.sleep(self._progress_seconds)
            self._window.trim()
            if self.ready.is_set():
                self._subscriptions.progress(self.revision)

    # -- reading -------------------------------------------------------------------------------------------------

    @property
    def revision(self) -> int:
        """Everything up to this revision of the store is visible here."""
        return max(self._revision, self._store.current_revision) if self._live else self._revision

    @property
    def oldest_revision(self) -> int:
        """The oldest revision that can be subscribed from."""
        return self._window.oldest

    def recalls(self, revision: int) -> bool:
        """Whether :meth:`list` can show a revision; else :meth:`list_past` may."""
        return self._window.is_near(revision)

    def entry(self, item: KeyValue) -> Entry[T]:
        """The entry of what was read from, or written to, the store itself; the cache goes on with its own."""
        return self._entry(item, self._decoded.past)

    def _entry(self, item: KeyValue, recent: RecentlyDecoded | None) -> Entry[T]:
        return Entry(item.key, item.mod_revision, splice(item.value, item.mod_revision), self._decode, recent)

    def get(self, key: str) -> Entry[T] | None:
        """The present version of a key."""
        return self._entries.get(key)

    async def fetch(self, key: str) -> Entry[T] | None:
        """What the store itself has for a key."""
        item = await self._store.get(key)
        return self.entry(item) if item is not None else None

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Entry[T]]:
        """The present entries in key order, for those who wait for nothing meanwhile."""
        return iter(self._in_order())

    def _in_order(self) -> list[Entry[T]]:
        """All entries, made once between two changes: worth it for those who want most of them."""
        if self._ordered is None:
            self._ordered = [*map(self._entries.__getitem__, self._keys)]
        return self._ordered

    def unfinished(self) -> Iterator[str]:
        """Changes that its subscribers have not been told of yet."""
        if waiting := self._subscriptions.undelivered:
            yield f"watch cache of {self.prefix}: {waiting} changes to deliver"

    async def consistent(self, timeout: float = 3.0) -> int:
        """Wait until the cache shows every write that was acknowledged before this call; return that revision.

        Over an embedded store this returns at once.  Raises RevisionTimeout, and StoreError when the store is away.
        """
        revision = await self._store.revision()
        if not self._live or self.revision < revision:
            await self.wait_until(revision, timeout)
        return max(revision, self.revision)

    async def wait_until(self, revision: int, timeout: float = 3.0) -> None:
        """Wait until the cache has reached a revision; raises RevisionTimeout."""
        try:
            async with asyncio.timeout(timeout):
                await self.ready.wait()
                if self.revision < revision:
                    await self._store.request_progress()
                    await self._store.wait_revision(revision)
        except TimeoutError:
            raise RevisionTimeout(revision, self.revision) from None

    def list(
        self,
        prefix: str = "",
        *,
        start: str = "",
        limit: int = 0,
        revision: int = 0,
        index: tuple[str, str] | None = None,
    ) -> Listing[T]:
        """The entries below ``prefix`` (default: all) in key order, from ``start`` (inclusive) on.

        A ``prefix`` that does not end in ``/`` is one key.  ``index`` is a name and a value: entries found there
        alone.  ``revision`` asks for the state at exactly that one; raises Compacted when it is older than the window.
        """
        prefix = prefix or self.prefix
        if prefix == self.prefix and not (start or limit or revision or index):
            return Listing([*self], self.revision)
        first, end = max(prefix, start), prefix_end(prefix) if prefix[-1] == "/" else prefix + "\0"
        past = self._window.undone(revision) if revision and revision < self.revision else {}
        past = {key: entry for key, entry in past.items() if first <= key < end}
        remaining = 0
        if index is not None:
            keys = sorted(key for key in self._indexed.get(index, ()) if first <= key < end)
            entries = [self._entries[key] for key in keys]
            past = {key: entry if entry and self._is_at(entry, index) else None for key, entry in past.items()}
        else:
            low, high = bisect_left(self._keys, first), bisect_left(self._keys, end)
            # Pages of an old list cost what they show and what has changed since, not what there is.
            last = min(high, low + limit + len(past)) if limit else high
            if 2 * (last - low) > len(self._keys):
                entries = self._in_order()[low:last]
            else:
                entries = [*map(self._entries.__getitem__, self._keys[low:last])]
            remaining = high - last
        if past:
            if remaining:
                # What differs behind these entries is counted, not shown.
                behind = {key for key in past if key > entries[-1].key}
                remaining += sum((past[key] is not None) - (key in self._entries) for key in behind)
                past = {key: entry for key, entry in past.items() if key not in behind}
            entries = [entry for entry in entries if entry.key not in past]
            entries += [entry for entry in past.values() if entry is not None]
            entries.sort(key=_key)
        if limit and len(entries) > limit:
            remaining += len(entries) - limit
            del entries[limit:]
        return Listing(entries, revision or self.revision, remaining)

    def _is_at(self, entry: Entry[T], index: tuple[str, str]) -> bool:
        return self._indexes[index[0]](entry) == index[1]

    async def list_past(self, prefix: str = "", *, start: str = "", limit: int = 0, revision: int) -> Listing[T]:
        """Like :meth:`list` at a revision, from the store when that is too far back; raises Compacted."""
        if self._window.is_near(revision):
            return self.list(prefix, start=start, limit=limit, revision=revision)
        page = await self._store.range(prefix or self.prefix, start=start, limit=limit, revision=revision)
        return Listing([self.entry(item) for item in page.items], revision, page.remaining)

    def forget_past(self) -> None:
        """Know nothing of what was before now: those who watch, and those who would go on from before, list again."""
        self._window.restart(self.revision)
        self._subscriptions.end(Compacted(self.revision))

    # -- watching ------------------------------------------------------------------------------------------------

    def end_subscriptions(self) -> None:
        """End those there are, and those that come: there will be another cache, or none."""
        self._ended = True
        self._subscriptions.end(None)

    def subscribe(
        self,
        prefix: str,
        since_revision: int,
        callback: Callable[[CacheEvent], None],
        *,
        on_progress: Callable[[int], None] | None = None,
        on_end: Callable[[Exception | None], None] | None = None,
        index: tuple[str, str] | None = None,
    ) -> Subscription:
        """Deliver every change after ``since_revision`` (exclusive; may be in the future).

        ``prefix`` ending in ``/`` covers what is below it, any other is one key.  With ``index`` (name, value), only
        changes of objects that are or were found there come.  What the window holds is delivered before this
        returns.  Callbacks run on the loop, in order, and must not block; one that raises ends its subscription.
        ``on_progress(revision)``: all up to it has been delivered.  ``on_end(error)``: nothing more will come;
        Compacted means list again, None that the cache stopped.

        Raises Compacted when ``since_revision`` is older than the window.
        """
        subscription = Subscription(self._subscriptions, prefix, since_revision, callback, on_progress, on_end, index)
        self._replay(subscription, since_revision)
        return self._begin(subscription)

    async def subscribe_gently(
        self,
        prefix: str,
        since_revision: int,
        callback: Callable[[CacheEvent], None],
        *,
        on_progress: Callable[[int], None] | None = None,
        on_end: Callable[[Exception | None], None] | None = None,
        index: tuple[str, str] | None = None,
        pause: Callable[[], Awaitable[None]] = lambda: asyncio.sleep(0),
    ) -> Subscription:
        """Like :meth:`subscribe`, but a long past is replayed in parts, with a pause after each."""
        subscription = Subscription(self._subscriptions, prefix, since_revision, callback, on_progress, on_end, index)
        reached = since_revision
        while True:
            paused, size = False, 0
            events, more = self._window.since(reached, SLICE)
            for event in events:
                self._deliver(subscription, event)
                reached, size = event.revision, size + len(event.entry.raw)
                if size > _PART:
                    paused, size = True, 0
                    await pause()
            if more:
                await pause()
            elif not paused:
                # Nothing may be awaited between looking for more and adding the subscription.
                return self._begin(subscription)

    def _begin(self, subscription: Subscription) -> Subscription:
        """Deliver from now on; where the cache has ended, say so."""
        if self._ended:
            subscription.end(None)
        else:
            self._subscriptions.add(subscription)
        return subscription

    def _replay(self, subscription: Subscription, since: int) -> None:
        for event in self._window.since(since)[0]:
            self._deliver(subscription, event)

    def _deliver(self, subscription: Subscription, event: CacheEvent) -> None:
        """Deliver what is past, where it concerns the subscriber."""
        if subscription.covers(event.entry.key):
            index = subscription.index
            if index is None or index in self._places(event.entry) | self._places(event.previous):
                deliver(event, (subscription,))


def _key(entry: Entry[Any]) -> str:
    return entry.key
