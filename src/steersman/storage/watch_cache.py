"""The watch cache: the present state of one resource and its recent changes, fed by one store watch.

Reads are answered from here as the bytes that were encoded when the object was written.

The cache starts a little in the past (``history`` revisions) and lets the store replay what happened since, so that
watchers that were connected before a restart resume instead of listing again.  When the store's connection breaks the
cache keeps its state and resumes; when the store has compacted what it missed, it ends all subscriptions (they list again)
and reads everything anew.

Everything but ``run``, ``consistent`` and ``wait_until`` is synchronous: what is called between two awaits sees one state.
"""

from __future__ import annotations

import asyncio
import logging
import time
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from .store import Compacted, EventBatch, KeyValue, Range, Store, StoreError
from .subscriptions import Subscription, Subscriptions

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
        history: int = 1000,
        window: int = 8192,
        window_seconds: float = 75.0,
        progress_seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.prefix = prefix
        self.ready = asyncio.Event()
        """Set when the state has been read and has caught up with the store."""
        self._store = store
        self._embedded: Any = store if hasattr(store, "follow") else None
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
        self._live = False  # following an embedded store: applied whatever it has delivered
        self._target = 0
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._subscriptions = Subscriptions(prefix)

    # -- feeding -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Feed the cache until cancelled; then every subscription ends."""
        progress = asyncio.create_task(self._report_progress(), name=f"progress {self.prefix}")
        delay = 0.1
        loaded = False
        try:
            while True:
                try:
                    if not loaded:
                        await self._load()
                        loaded = True
                    await self._follow()
                    return  # the store closed
                except Compacted as error:
                    log.warning("watch cache of %s fell behind and lists again: %s", self.prefix, error)
                    loaded = False
                    self.ready.clear()
                    self._subscriptions.end(error)
                except StoreError as error:
                    log.warning(
                        "watch cache of %s lost the store, tries again in %.1f s: %s", self.prefix, delay, error
                    )
                    await asyncio.sleep(delay)
                    delay = min(delay * 2, 5.0)
                else:
                    delay = 0.1
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
        self._entries = entries
        self._keys = sorted(entries)
        self._indexed = {}
        for entry in entries.values():
            self._index(entry, add=True)
        self._events.clear()
        self._times.clear()
        self._oldest = self._revision = revision

    async def _follow(self) -> None:
        """Apply changes until the store closes or fails."""
        if self._embedded is not None:
            follower = await self._embedded.follow(self.prefix, self._revision + 1, self._apply)
            try:
                self._live = True
                self.ready.set()
                self._wake()
                await follower.ended()
            finally:
                self._live = False
                follower.cancel()
            return
        watch = await self._store.watch(self.prefix, start_revision=self._revision + 1)
        try:
            if self._revision >= self._target:
                self.ready.set()
            else:
                await self._store.request_progress()
            async for batch in watch:
                self._apply(batch)
                if not self.ready.is_set() and self._revision >= self._target:
                    self.ready.set()
        finally:
            await watch.aclose()

    def _apply(self, batch: EventBatch) -> None:
        for change in batch.events:
            if change.revision <= self._revision and not self._is_same_commit(change.revision):
                continue
            self._change(change.key, change.revision, change.current)
        self._revision = max(self._revision, batch.revision)
        if self._waiters:
            self._wake()

    def _is_same_commit(self, revision: int) -> bool:
        """Whether the event last applied is of this revision: a commit may change several keys."""
        return bool(self._events) and self._events[-1].revision == revision

    def _change(self, key: str, revision: int, current: KeyValue | None) -> None:
        previous = self._entries.get(key)
        if current is None:
            if previous is None:
                return
            entry = Entry(key, revision, respliced(previous.raw, revision), self._decode)
            del self._entries[key]
            del self._keys[bisect_left(self._keys, key)]
            self._index(previous, add=False)
            event = CacheEvent("DELETED", revision, entry, previous)
        else:
            entry = self.entry(current)
            self._entries[key] = entry
            if previous is None:
                insort(self._keys, key)
                event = CacheEvent("ADDED", revision, entry, None)
            else:
                self._index(previous, add=False)
                event = CacheEvent("MODIFIED", revision, entry, previous)
            self._index(entry, add=True)
        self._revision = revision
        self._events.append(event)
        self._times.append(self._clock())
        self._trim()
        self._subscriptions.dispatch(event, key, self._index_values(event))

    def _trim(self) -> None:
        horizon = self._clock() - self._window_seconds
        while self._events and (len(self._events) > self._window or self._times[0] < horizon):
            # Revisions are shared by the events of one commit: the whole commit goes out of reach.
            self._oldest = self._events.popleft().revision
            self._times.popleft()

    def _index(self, entry: Entry[T], *, add: bool) -> None:
        for name, function in self._indexes.items():
            place = (name, function(entry))
            if add:
                self._indexed.setdefault(place, set()).add(entry.key)
            elif (keys := self._indexed.get(place)) is not None:
                keys.discard(entry.key)
                if not keys:
                    del self._indexed[place]

    def _index_values(self, event: CacheEvent) -> Iterable[tuple[str, str]]:
        """Where subscriptions by index look: where the object is, and where it was."""
        if not self._indexes:
            return ()
        places = {(name, function(event.entry)) for name, function in self._indexes.items()}
        if event.type == "MODIFIED" and event.previous is not None:
            places.update((name, function(event.previous)) for name, function in self._indexes.items())
        return places

    async def _report_progress(self) -> None:
        while True:
            await asyncio.sleep(self._progress_seconds)
            self._trim()
            if self.ready.is_set():
                self._subscriptions.progress(self.revision)

    def _wake(self) -> None:
        reached = self.revision
        waiting = []
        for revision, future in self._waiters:
            if revision > reached:
                waiting.append((revision, future))
            elif not future.done():
                future.set_result(None)
        self._waiters = waiting

    # -- reading -------------------------------------------------------------------------------------------------

    @property
    def revision(self) -> int:
        """Everything up to this revision of the store is visible here."""
        return max(self._revision, self._embedded.current_revision) if self._live else self._revision

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
        if self._live:
            return self.revision
        if self._embedded is not None:
            await self._wait_ready(timeout, 0)
            return self.revision
        revision = await self._store.revision()
        await self.wait_until(revision, timeout)
        return revision

    async def wait_until(self, revision: int, timeout: float = 3.0) -> None:
        """Wait until the cache has reached a revision; raises RevisionTimeout."""
        if not self.ready.is_set():
            await self._wait_ready(timeout, revision)
        if self.revision >= revision:
            return
        try:
            async with asyncio.timeout(timeout):
                if self._embedded is not None:
                    await self._embedded.wait_revision(revision)
                    return
                future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                self._waiters.append((revision, future))
                await self._store.request_progress()
                await future
        except TimeoutError:
            raise RevisionTimeout(revision, self.revision) from None

    async def _wait_ready(self, timeout: float, revision: int) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self.ready.wait()
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
        get: Callable[[str], Entry[T] | None] = self._entries.get
        keys: Iterable[str]
        if revision and revision < self.revision:
            past = self._past(revision)
            get = _overlaid(past, self._entries)
            keys = sorted(key for key in past.keys() | self._entries.keys() if first <= key < end)
        elif index is not None:
            keys = sorted(key for key in self._indexed.get(index, ()) if first <= key < end)
        elif first == self.prefix and prefix == self.prefix:
            keys = self._keys
        else:
            keys = self._keys[bisect_left(self._keys, first) : bisect_left(self._keys, end)]
        if index is not None and get != self._entries.get:
            select = _both(select, self._indexes[index[0]], index[1])
        entries = [entry for key in keys if (entry := get(key)) is not None and (select is None or select(entry))]
        at = revision or self.revision
        if limit and len(entries) > limit:
            remaining = len(entries) - limit if select is None else None
            return Listing(entries[:limit], at, True, remaining)
        return Listing(entries, at)

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
        """Like :meth:`list` at a revision, asking the store when the window no longer reaches back; raises Compacted."""
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
        ``on_progress(revision)``: all up to it has been delivered.  ``on_end(error)``: nothing more will come; Compacted
        means list again, None that the cache stopped.

        Raises Compacted when ``since_revision`` is older than the window.
        """
        if since_revision < self._oldest:
            raise Compacted(self._oldest)
        subscription = Subscription(self._subscriptions, prefix, since_revision, callback, on_progress, on_end, index)
        whole = prefix.endswith("/")
        for event in self._since(since_revision):
            key = event.entry.key
            if not (key.startswith(prefix) if whole else key == prefix):
                continue
            if index is None or index in self._index_values(event):
                subscription.deliver(event)
        self._subscriptions.add(subscription)
        return subscription

    def _since(self, revision: int) -> list[CacheEvent]:
        events: list[CacheEvent] = []
        for event in reversed(self._events):
            if event.revision <= revision:
                break
            events.append(event)
        events.reverse()
        return events


def _overlaid(past: dict[str, Entry[T] | None], present: dict[str, Entry[T]]) -> Callable[[str], Entry[T] | None]:
    return lambda key: past[key] if key in past else present.get(key)


def _both(select: Callable[[Entry[T]], bool] | None, function: Index, value: str) -> Callable[[Entry[T]], bool]:
    return lambda entry: function(entry) == value and (select is None or select(entry))
