"""Objects that are being written: who wrote one need not decode it again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from msgspec import Struct
from msgspec.structs import replace


class Underway:
    """What will be read, for keys whose JSON is on its way to the store.

    An object stands for its JSON alone: for the very bytes that were given with it, not for others that are equal.  So
    it does over a store that hands on what it was given once that is durable; elsewhere the JSON is decoded.
    """

    def __init__(self) -> None:
        self._objects: dict[str, tuple[bytes, Struct]] = {}

    @contextmanager
    def expecting(self, key: str, value: bytes, obj: Any) -> Iterator[None]:
        """Meanwhile ``value``, which is the JSON of an object, is written; nobody changes the object afterwards."""
        if not isinstance(obj, Struct):
            yield
            return
        expected = self._objects[key] = (value, obj)
        try:
            yield
        finally:
            if self._objects.get(key) is expected:
                del self._objects[key]

    def take(self, key: str, value: bytes, revision: int) -> Any | None:
        """The object whose JSON was written at a revision, None where that is not known."""
        expected = self._objects.get(key)
        if expected is None or expected[0] is not value:
            return None
        obj: Any = expected[1]
        return replace(obj, metadata=replace(obj.metadata, resource_version=str(revision)))
