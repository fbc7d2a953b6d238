"""The Store contract: a multi-version key-value store with etcd v3's semantics.

One global revision grows by one with every commit, across restarts and restores.  Every value knows the
revision that created its key and the one that last wrote it.  Old revisions can be read and watched until
they are compacted.  An acknowledged commit survives ``kill -9`` and power loss.

``tests/contract/test_store.py`` runs over every implementation.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple, Protocol


class KeyValue(NamedTuple):
    """One version of one key."""

    key: str
    value: bytes
    create_revision: int
    mod_revision: int


class Range(NamedTuple):
    """A page of a range read.

    ``revision`` is the revision the page was read at; ``more`` says that keys follow the last item;
    ``remaining`` counts them.
    """

    items: list[KeyValue]
    revision: int
    more: bool
    remaining: int


class Event(NamedTuple):
    """One change of one key.

    ``current`` is None for a deletion.  ``revision`` is the commit's.  The state before is not carried: those who
    need it keep it (the watch cache does), and no store has to read it for every write.
    """

    key: str
    revision: int
    current: KeyValue | None


class EventBatch(NamedTuple):
    """The changes of one or more whole commits, in order.

    Everything up to and including ``revision`` has now been delivered; ``events`` is empty when this is
    progress alone.
    """

    events: Sequence[Event]
    revision: int


class Put(NamedTuple):
    """Write a value.  ``expected`` is the mod revision the key must have: 0 for absent, None for any."""

    key: str
    value: bytes
    expected: int | None = None


class Delete(NamedTuple):
    """Remove a key.  ``expected`` as in :class:`Put`; removing an absent key changes nothing."""

    key: str
    expected: int | None = None


class Check(NamedTuple):
    """Demand that a key has a mod revision (0: is absent) without writing it."""

    key: str
    expected: int


Operation = Put | Delete | Check


class StoreError(Exception):
    """The store cannot serve now; trying again may help."""


class CompareFailed(StoreError):
    """An ``expected`` of a commit did not hold, and nothing was written.

    ``current`` maps each key that failed to its present value, None when it is absent.
    """

    def __init__(self, current: dict[str, KeyValue | None]) -> None:
        super().__init__(f"compare failed for {', '.join(current)}")
        self.current = current


class Compacted(StoreError):
    """The requested revision is no longer held; ``compact_revision`` is the oldest that can be read."""

    def __init__(self, compact_revision: int) -> None:
        super().__init__(f"required revision has been compacted (oldest: {compact_revision})")
        self.compact_revision = compact_revision


class FutureRevision(StoreError):
    """The requested revision has not happened yet."""


class NoSpace(StoreError):
    """The disk or the quota is exhausted; the write was not done."""


class Unconvertible(StoreError):
    """What is stored, or shall be, cannot be had in the form that was asked for; the message is for clients."""


class TooManyOperations(StoreError):
    """A commit has more operations than the store takes in one; nothing was written, and nothing will be."""

    def __init__(self, count: int, limit: int) -> None:
        super().__init__(f"the store takes at most {limit} changes at a time, and this would be {count}")


class StoreUnusableError(Exception):
    """The data cannot be opened: of an unknown version, in use by another process, damaged; nothing was changed."""


class Watch(Protocol):
    """An open watch: iterate it for batches, close it when done.

    Iteration raises :class:`Compacted` when the watch fell behind the compaction, and :class:`StoreError`
    when the store went away; either ends it.
    """

    def __aiter__(self) -> AsyncIterator[EventBatch]: ...

    async def aclose(self) -> None: ...


class Follower(Protocol):
    """A running :meth:`Store.follow`."""

    def cancel(self) -> None:
        """Call back no more."""
        ...

    async def ended(self) -> None:
        """Wait until the store closed; raises StoreError when following broke off (Compacted when it cannot go on)."""
        ...


class Store(Protocol):
    """A multi-version key-value store.  Keys are text, compared as UTF-8 bytes.

    An empty store is at revision 1, as etcd's is, so that ``0`` never is a resource version.
    """

    async def get(self, key: str) -> KeyValue | None:
        """Read the latest version of a key (linearizable)."""
        ...

    async def range(
        self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0, counted: bool = True
    ) -> Range:
        """Read the keys below a prefix in order, from ``start`` (inclusive) on, at most ``limit`` (0: all).

        ``revision`` 0 means now.  What remains need not be ``counted``, which takes longer the more that is.
        Raises Compacted or FutureRevision.
        """
        ...

    async def commit(self, operations: Sequence[Operation]) -> int:
        """Apply the operations in one revision if every ``expected`` holds; return that revision.

        Raises CompareFailed with nothing written.  A commit that changes nothing returns the current revision.
        """
        ...

    async def watch(self, prefix: str, *, start_revision: int) -> Watch:
        """Deliver every change below the prefix from ``start_revision`` (inclusive) on: ordered, gap-free, once.

        Raises Compacted when a change may be missing.  Progress batches come at least when the revision moved and the
        prefix did not, within a second or upon :meth:`request_progress`.
        """
        ...

    async def follow(self, prefix: str, start_revision: int, callback: Callable[[EventBatch], None]) -> Follower:
        """Call back with every change below the prefix from ``start_revision`` (inclusive) on, in whole commits.

        What :meth:`watch` is made of.  History up to ``current_revision`` has been delivered when this returns.
        After that the callback runs on the loop, and ``current_revision`` moves when all followers have been called.
        A commit has been delivered when :meth:`commit` returns, so writers read their own writes.  Raises Compacted.
        """
        ...

    @property
    def current_revision(self) -> int:
        """Every change up to this revision has been delivered to the followers.

        An embedded store has acknowledged nothing beyond it; another may lag behind :meth:`revision`.
        """
        ...

    async def wait_revision(self, revision: int) -> None:
        """Wait until ``current_revision`` has reached a revision."""
        ...

    async def request_progress(self) -> None:
        """Ask that every open watch delivers a batch that reaches at least the current revision, soon."""
        ...

    async def revision(self) -> int:
        """The current revision (linearizable)."""
        ...

    async def compact(self, revision: int) -> None:
        """Forget what was overwritten or deleted before ``revision``, which itself can still be read.

        Raises Compacted when that has been done, FutureRevision when there is no such revision yet.
        """
        ...

    async def size(self) -> int:
        """The bytes that the store occupies on disk (or in memory)."""
        ...

    async def close(self) -> None:
        """Release everything; open watches end."""
        ...
