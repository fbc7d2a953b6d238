"""The fields of new objects, as JSON.

Most new objects are made from few templates: what a part of an object comes to is kept by the part's JSON, and found
again instead of being walked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from steersman.api import codecs
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.unstructured import is_unstructured

from . import fields as sets
from . import reduced
from .fields import Fields
from .schemas import schema_of
from .values import compare

MOST_KEPT = 128
LARGEST_KEPT = 4096

_encode = msgspec.json.Encoder().encode


class Creations(Protocol):
    """New objects of one type."""

    def fields(self, new: Any, ignored: Fields) -> bytes:
        """What the author of a new object owns; ``ignored`` holds whole members.  Empty where that is nothing."""
        ...


def creations(type_: type[Any]) -> Creations:
    """The new objects of a type."""
    return _Walked(type_) if is_unstructured(type_) else _Templated(type_)


class _Walked:
    """Objects without a type of their own."""

    def __init__(self, type_: type[Any]) -> None:
        self._type = type_

    def fields(self, new: Any, ignored: Fields) -> bytes:
        changed = compare(*reduced.pair(self._type, None, new, ignored), schema_of(self._type))
        found = sets.union(changed.added, changed.modified)
        return sets.render(found) if found else b""


class _Templated:
    def __init__(self, type_: type[Any]) -> None:
        self._type = type_
        self._blank = type_()
        names = reduced.names(type_)
        self._parts = sorted([*((name, attribute) for attribute, name in names.items()), ("metadata", "")])
        self._kept: dict[tuple[str, bytes], str] = {}

    def fields(self, new: Any, ignored: Fields) -> bytes:
        found = []
        for name, attribute in self._parts:
            if not attribute:
                text = self._metadata(new.metadata)
            elif ignored and "f:" + name in ignored:
                continue
            else:
                value, blank = getattr(new, attribute), getattr(self._blank, attribute)
                text = self._part(name, {attribute: value}, value) if value != blank else ""
            if text:
                found.append(text)
        return f"{{{','.join(found)}}}".encode() if found else b""

    def _metadata(self, meta: ObjectMeta) -> str:
        if not (meta.labels or meta.annotations or meta.owner_references or meta.finalizers or meta.generate_name):
            return ""
        # Of the values, those alone matter that name fields.
        key = (
            list(meta.labels),
            list(meta.annotations),
            meta.owner_references,
            meta.finalizers,
            meta.generate_name != "",
        )
        return self._part("metadata", {"metadata": reduced.own(meta)}, key)

    def _part(self, name: str, members: Mapping[str, Any], key: Any) -> str:
        """What one member comes to: ``"f:spec":{...}``; kept by what it depends on."""
        place = (name, _encode(key))
        if (text := self._kept.get(place)) is not None:
            return text
        before, after = codecs.to_builtins(self._blank), codecs.to_builtins(self._type(**members))
        changed = compare(before, after, schema_of(self._type))
        text = sets.render(sets.union(changed.added, changed.modified)).decode()[1:-1]
        if len(place[1]) <= LARGEST_KEPT:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            self._kept[place] = text
        return text
