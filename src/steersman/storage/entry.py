"""One version of one object as the watch cache holds it: bytes first, decoded for those who look inside."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from sys import getrefcount
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from steersman.api.sharing import Siblings

T = TypeVar("T")

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


def is_spliced(raw: bytes, value: bytes, revision: int) -> bool:
    """Whether spliced JSON is what :func:`splice` makes of a value; mostly its length tells that it is not."""
    added = len(raw) - len(value) - len(_VERSION) - len(str(revision))
    return added in (1, 2) and raw == splice(value, revision)  # a quote, and a comma unless it is all there is


def respliced(raw: bytes, revision: int) -> bytes:
    """The spliced JSON with another resource version."""
    start = raw.index(_METADATA) + len(_METADATA) + len(_VERSION)
    return b"%b%d%b" % (raw[:start], revision, raw[raw.index(b'"', start) :])


class Entry(Generic[T]):
    """One version of one object.

    ``raw`` is its complete JSON, ``metadata.resourceVersion`` included, beginning with the ``kind`` and
    ``apiVersion`` it is stored under.
    """

    __slots__ = ("_decode", "_object", "_recent", "key", "raw", "revision")

    def __init__(
        self, key: str, revision: int, raw: bytes, decode: Callable[[bytes], T], recent: RecentlyDecoded | None = None
    ) -> None:
        self.key = key
        self.revision = revision
        self.raw = raw
        self._decode = decode
        self._recent = recent
        self._object: T | None = None

    def peek(self) -> T | None:
        """The decoded object where there is one already."""
        return self._object

    @property
    def object(self) -> T:
        """The decoded object, shared by everybody: do not change it."""
        found = self._object
        if found is None:
            found = self._decode(self.raw)
            self.keep(found)
        return found

    def decoded(self) -> T:
        """A decoded object of the caller's own; may be called in any thread."""
        return self._decode(self.raw)

    def keep(self, obj: T, before: T | None = None) -> None:
        """Share what was decoded elsewhere; ``before`` is the version before it, if that is known."""
        if self._object is None:
            self._object = obj
            if self._recent is not None:
                self._recent.add(self, before)

    def supersede(self) -> None:
        """Another version has come in its place, or none: nobody asks for this one for long."""
        if (recent := self._recent) is not None and recent.past is not None:
            self._recent = recent.past
            if self._object is not None:
                recent.release(self)

    def is_among(self, recent: RecentlyDecoded) -> bool:
        """Whether it is for those to let its decoded object go."""
        return self._recent is recent

    def forget(self) -> bool:
        """Let the decoded object go, unless somebody else holds it: then it costs nothing, and stays shared."""
        if getrefcount(self._object) > 2:  # this entry's, and the argument's
            return False
        self._object = None
        return True


_COMMON = 16 * 1024
"""JSON of objects of which there may be so many that it is worth it to hold their common parts once."""


PAST = 256 << 10
"""So much JSON of superseded versions stays decoded, for those who are about to hear of them."""


class RecentlyDecoded:
    """Which entries keep their decoded objects, which take four times their JSON: those decoded last, and those in use.

    The objects of one controller share what they have in common: of pods, that is half of it.

    ``limit`` is in bytes of JSON.  Superseded versions are for ``past``, which keeps few of them, to let go of.
    """

    _TRIED = 2

    def __init__(self, limit: int) -> None:
        self.past: RecentlyDecoded | None = None
        self._limit = limit
        self._size = 0
        self._entries: deque[Entry[Any]] = deque()
        self._superseded = 0  # entries that are there no more but in name
        self._siblings = Siblings()
        self._is_present = True

    @classmethod
    def of_versions(cls, limit: int) -> RecentlyDecoded:
        """For the present versions of objects; their past is beside it."""
        present, past = cls(limit), cls(min(limit, PAST))
        present.past = past
        past._siblings, past._is_present = present._siblings, False
        return present

    def __len__(self) -> int:
        """How many entries are held."""
        return len(self._entries)

    def add(self, entry: Entry[Any], before: Any = None) -> None:
        """An entry was decoded, or brings an object that need not be (see :meth:`Entry.keep`)."""
        if len(entry.raw) <= _COMMON:
            self._siblings.share(entry.peek(), before=before, remember=self._is_present)
        self._take(entry)

    def gone(self, entry: Entry[Any]) -> None:
        """An object was deleted, of which this is the last version that was added, if it was."""
        if entry.peek() is not None:
            self._siblings.forget(entry.peek())

    def release(self, entry: Entry[Any]) -> None:
        """An entry that was added is for the past from now on."""
        assert self.past is not None
        self._size -= len(entry.raw)
        self._superseded += 1
        self._sweep()
        self.past._take(entry)

    def _take(self, entry: Entry[Any]) -> None:
        self._entries.append(entry)
        self._size += len(entry.raw)
        self._sweep()

    def _sweep(self) -> None:
        """Look at the oldest, of whom those that are to stay become the newest."""
        for _ in range(self._TRIED):
            if self._size <= self._limit and not self._superseded:
                break
            oldest = self._entries.popleft()
            if not oldest.is_among(self):
                self._superseded -= 1
            elif self._size > self._limit and oldest.forget():
                self._size -= len(oldest.raw)
            else:
                self._entries.append(oldest)


class CacheEvent(NamedTuple):
    """One change.  For DELETED, ``entry`` is the last state with the deletion's revision as its resource version.

    ``previous`` is the state before, None for ADDED.
    """

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    revision: int
    entry: Entry[Any]
    previous: Entry[Any] | None
