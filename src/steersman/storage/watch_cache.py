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
import logging
import time
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from heapq import merge
from itertools import islice
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from .store import Compacted, EventBatch, KeyValue, Range, Store, StoreError
from .subscriptions import SLICE, Subscription, Subscriptions

T = TypeVar("T")

log = logging.getLogger(__name__)

_METADATA = b'"metadata":{'
_VERSION = b'"resourceVersion":"'


def splice(value: bytes, revision: int) -> bytes:
    """Put ``resourceVersion`` first into the metadata of stored JSON, which MUST hold none.

    The first ``"metadata":{`` must be the object's own: kind and apiVersion alone may stand before it.
    """
    position = value.find(_METADATA)
    if position < 0:
        raise ValueError("stored object has no metadata")
    position += len(_METADATA)
    comma = b"" if value[position : position + 1] == b"}" else b","
    return b'%b"resourceVersion":"%d"%b%b' % (value[:position], revision, comma, value[position:])


def respliced(raw: bytes, revision: int) -> bytes:
    """The spliced JSON with another resource version."""
    start = raw.index(_METADATA) + len(_METADATA) + len(_VERSION)
    return b"%b%d%b" % (raw[:start], revision, raw[raw.index(b'"', start) :])


class Entry(Generic[T]):
    """One version of one object.

    ``raw`` is its complete JSON, ``metadata.resourceVersion`` included, beginning with the ``kind`` and
    ``apiVersion`` it is stored under; ``object`` is decoded from it when first asked for, then shared and immutable.
    """

    __slots__ = ("_decode", "_object", "key", "raw", "revision")

    def __init__(self, key: str, revision: int, raw: bytes, decode: Callable[[bytes], T]) -> None:
        self.key = key
        self.revision = revision
        self.raw = raw
        self._decode = decode
        self._object: T | None = None

    @property
    def object(self) -> T:
        """The decoded object, shared by everybody: do not change it."""
        if self._object is None:
            self._object = self._decode(self.raw)
        return self._object


class CacheEvent(NamedTuple):
    """One change.  For DELETED, ``entry`` is the last state with the deletion's revision as its resource version.

    ``previous`` is the state before, None for ADDED.
    """

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    revision: int
    entry: Entry[Any]
    previous: Entry[Any] | None


class Listing(NamedTuple, Generic[T]):
    """Entries in key order, as they were at ``revision``.

    ``more`` says that entries follow the last one; ``remaining`` counts them where nothing was selected, else None.
    """

    entries: list[Entry[T]]
    revision: int
    more: bool = False
    remaining: int | None = 0


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

    ``decode`` gives the object of spliced JSON (``resource.decoder.decode``).  ``indexes`` names functions by which
    lists and subscriptions can be narrowed.  Of recent changes, those younger than ``window_seconds`` are kept, at most
    ``window`` of them.  Subscribers that ask for progress get it every ``progress_seconds``.
    """

    def __init__(
        self,
        store: Store,
        prefix: str,
        decode: Callable[[bytes], T],
        *,
        indexes: Mapping[str, Index] | None = None,
        history: int = 500,
        window: int = 8192,
        window_seconds: float = 75.0,
        progress_seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.prefix = prefix
        self.ready = asyncio.Event()
        """Set when the state has been read and has caught up with the store."""
        self._store = store
        self._decode = decode
        self._indexes = dict(indexes or {})
        self._history = history
        self._window = window
        self._window_seconds = window_seconds
        self._progress_seconds = progress_seconds
        self._clock = clock

        self._entries: dict[str, Entry[T]] = {}
        self._keys: list[str] = []
        self._indexed: dict[tuple[str, str], set[str]] = {}
        self._events: deque[CacheEvent] = deque()
        self._times: deque[float] = deque()
        self._oldest = 0  # states at this revision and later can be reconstructed
        self._revision = 0  # everything up to here has been applied
        self._live = False  # following the store: applied whatever it has delivered
        self._target = 0
        self._retry_delay = 0.1
        self._subscriptions = Subscriptions(prefix)

    # -- feeding -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Feed the cache until cancelled; then every subscription ends."""
        progress = asyncio.create_task(self._report_progress(), name=f"progress {self.prefix}")
        loaded = False
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
            self._subscriptions.end(None)

    async def _load(self) -> None:
        """Read the state as of a little while ago."""
        self._target = await self._store.revision()
        revision = max(1, self._target - self._history)
        entries: dict[str, Entry[T]] = {}
        start = ""
        while True:
            try:
                page: Range = await self._store.range(self.prefix, start=start, limit=500, revision=revision)
            except Compacted as error:
                if revision >= error.compact_revision:
                    raise
                revision, start = error.compact_revision, ""
                entries.clear()
                continue
            for item in page.items:
                entries[item.key] = self.entry(item)
            if not page.more:
                break
            start = page.items[-1].key + "\0"
        self._subscriptions.end(Compacted(revision))  # what happened before was missed
        self._entries = entries
        self._keys = sorted(entries)
        self._indexed = {}
        self._events.clear()
        self._times.clear()
        self._oldest = self._revision = revision
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
        if current is None:
            if previous is None:
                return
            entry = Entry(key, revision, respliced(previous.raw, revision), self._decode)
            del self._entries[key]
            del self._keys[bisect_left(self._keys, key)]
            event = CacheEvent("DELETED", revision, entry, previous)
        else:
            entry = self.entry(current)
            self._entries[key] = entry
            if previous is None:
                insort(self._keys, key)
            event = CacheEvent("ADDED" if previous is None else "MODIFIED", revision, entry, previous)
        places = self._reindex(key, previous, None if current is None else entry) if self._indexes else ()
        self._revision = revision
        self._events.append(event)
        self._times.append(self._clock())
        self._trim()
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

    def _trim(self) -> None:
        horizon = self._clock() - self._window_seconds
        while self._events and (len(self._events) > self._window or self._times[0] < horizon):
            # Revisions are shared by the events of one commit: the whole commit goes out of reach.
            self._oldest = self._events.popleft().revision
            self._times.popleft()

    async def _report_progress(self) -> None:
        while True:
            await asyncio.sleep(self._progress_seconds)
            self._trim()
            if self.ready.is_set():
                self._subscriptions.progress(self.revision)

    # -- reading -------------------------------------------------------------------------------------------------

    @property
    def revision(self) -> int:
        """Everything up to this revision of the store is visible here."""
        return max(self._revision, self._store.current_revision) if self._live else self._revision

    @property
    def oldest_revision(self) -> int:
        """The oldest revision that can be listed or subscribed from."""
        return self._oldest

    def entry(self, item: KeyValue) -> Entry[T]:
        """The entry of what was read from, or written to, the store itself."""
        return Entry(item.key, item.mod_revision, splice(item.value, item.mod_revision), self._decode)

    def get(self, key: str) -> Entry[T] | None:
        """The present version of a key."""
        return self._entries.get(key)

    def __len__(self) -> int:
        return len(self._entries)

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
        select: Callable[[Entry[T]], bool] | None = None,
        index: tuple[str, str] | None = None,
    ) -> Listing[T]:
        """The entries below ``prefix`` (default: all) in key order, from ``start`` (inclusive) on.

        ``limit`` counts entries that ``select`` chose.  ``index`` is a name and a value: entries found there alone.
        ``revision`` asks for the state at exactly that one; raises Compacted when it is older than the window.
        """
        prefix = prefix or self.prefix
        first = max(prefix, start)
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        past = self._past(revision) if revision and revision < self.revision else {}
        get: Callable[[str], Entry[T] | None] = _overlaid(past, self._entries) if past else self._entries.get
        low, high = bisect_left(self._keys, first), bisect_left(self._keys, end)
        keys: Iterable[str]
        if index is not None and not past:
            keys = sorted(key for key in self._indexed.get(index, ()) if first <= key < end)
        elif select is None and index is None and not past:
            page = self._keys[low : min(high, low + limit)] if limit else self._keys[low:high]
            remaining = high - low - len(page)
            at = revision or self.revision
            return Listing([self._entries[key] for key in page], at, remaining > 0, remaining)
        else:
            # Pages of an old list cost what they show and what has changed since, not what there is.
            gone = sorted(key for key in past if first <= key < end and key not in self._entries)
            keys = merge(islice(self._keys, low, high), gone)
            if index is not None:
                select = _both(select, self._indexes[index[0]], index[1])
        entries: list[Entry[T]] = []
        more = False
        for key in keys:
            if (entry := get(key)) is not None and (select is None or select(entry)):
                if limit and len(entries) == limit:
                    more = True
                    break
                entries.append(entry)
        counted: int | None = None
        if select is None and index is None:
            there = sum(
                (value is not None) - (key in self._entries) for key, value in past.items() if first <= key < end
            )
            counted = high - low + there - len(entries)
        elif not more:
            counted = 0
        return Listing(entries, revision or self.revision, more, counted)

    def _past(self, revision: int) -> dict[str, Entry[T] | None]:
        """What differed at an older revision: key to the entry then, None where there was none."""
        if revision < self._oldest:
            raise Compacted(self._oldest)
        past: dict[str, Entry[T] | None] = {}
        for event in reversed(self._events):
            if event.revision <= revision:
                break
            past[event.entry.key] = event.previous
        return past

    async def list_past(self, prefix: str = "", *, start: str = "", limit: int = 0, revision: int) -> Listing[T]:
        """Like :meth:`list` at a revision, from the store when the window does not reach back; raises Compacted."""
        if revision >= self._oldest:
            return self.list(prefix, start=start, limit=limit, revision=revision)
        page = await self._store.range(prefix or self.prefix, start=start, limit=limit, revision=revision)
        return Listing([self.entry(item) for item in page.items], revision, page.more, page.remaining)

    # -- watching ------------------------------------------------------------------------------------------------

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
        self._replay(subscription, since_revision, None)
        self._subscriptions.add(subscription)
        return subscription

    async def subscribe_gently(
        self,
        prefix: str,
        since_revision: int,
        callback: Callable[[CacheEvent], None],
        *,
        on_progress: Callable[[int], None] | None = None,
        on_end: Callable[[Exception | None], None] | None = None,
        index: tuple[str, str] | None = None,
    ) -> Subscription:
        """Like :meth:`subscribe`, but a long past is replayed in slices, between which the loop gets its turn."""
        subscription = Subscription(self._subscriptions, prefix, since_revision, callback, on_progress, on_end, index)
        reached = since_revision
        while (further := self._replay(subscription, reached, SLICE)) is not None:
            reached = further
            await asyncio.sleep(0)
        self._subscriptions.add(subscription)
        return subscription

    def _replay(self, subscription: Subscription, since: int, limit: int | None) -> int | None:
        """Deliver what happened after a revision, about ``limit`` events; return the revision reached, None for all.

        Nothing may be awaited between the last of these and adding the subscription.
        """
        if since < self._oldest:
            raise Compacted(self._oldest)
        index, last = subscription.index, since
        for count, event in enumerate(self._since(since)):
            if limit is not None and count >= limit and event.revision > last:
                return last
            last = event.revision
            if not subscription.covers(event.entry.key):
                continue
            if index is None or index in self._places(event.entry) | self._places(event.previous):
                subscription.deliver(event)
        return None

    def _since(self, revision: int) -> Iterator[CacheEvent]:
        count = 0
        for event in reversed(self._events):
            if event.revision <= revision:
                break
            count += 1
        return islice(self._events, len(self._events) - count, None)


def _overlaid(past: dict[str, Entry[T] | None], present: dict[str, Entry[T]]) -> Callable[[str], Entry[T] | None]:
    return lambda key: past[key] if key in past else present.get(key)


def _both(select: Callable[[Entry[T]], bool] | None, function: Index, value: str) -> Callable[[Entry[T]], bool]:
    return lambda entry: function(entry) == value and (select is None or select(entry))
