"""The watch cache: the present state of one resource and its recent changes, fed by one store watch.

Reads are answered from here as the bytes that were encoded when the object was written.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Literal, NamedTuple, TypeVar

T = TypeVar("T")


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
