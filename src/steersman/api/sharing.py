"""Parts that objects have in common, held once: replicas of a template differ in little but their names and status."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from operator import attrgetter
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import msgspec


class Siblings:
    """The first object of each controller; what others of it have that is equal becomes the first one's.

    Nobody can tell but by the memory: objects that are shared are changed by nobody.  At most ``limit`` are remembered.
    """

    def __init__(self, limit: int = 1024) -> None:
        self._limit = limit
        self._first: dict[str, Any] = {}

    def share(self, obj: Any) -> None:
        """Let an object that was just decoded share what it can."""
        for owner in getattr(obj, "metadata", _OWNERLESS).owner_references:
            if owner.controller:
                break
        else:
            return
        first = self._first.get(owner.uid)
        if first is not None and type(first) is type(obj):
            _share(obj.metadata, first.metadata)
            if isinstance(spec := getattr(obj, "spec", None), msgspec.Struct):
                _share(spec, first.spec)
            if first.metadata.uid != obj.metadata.uid:
                return
        elif len(self._first) >= self._limit:
            self._first.clear()
        self._first[owner.uid] = obj


class _Ownerless:
    owner_references = ()


_OWNERLESS = _Ownerless()


class _Members(NamedTuple):
    """Those of a type that take memory of their own, and what reads them all."""

    names: tuple[str, ...]
    read: Callable[[Any], tuple[Any, ...]]


_SMALL = frozenset({type(None), bool, int, float, datetime, msgspec.Raw})


@cache
def _members(type_: Any) -> _Members:
    names = tuple(each.name for each in msgspec.structs.fields(type_) if not _alternatives(each.type) <= _SMALL)
    if not names:
        return _Members((), lambda _: ())
    if len(names) == 1:
        only = attrgetter(names[0])
        return _Members(names, lambda obj: (only(obj),))
    return _Members(names, attrgetter(*names))


def _alternatives(type_: Any) -> set[Any]:
    if get_origin(type_) is Annotated:
        return _alternatives(get_args(type_)[0])
    if get_origin(type_) in (Union, UnionType):
        return set[Any]().union(*map(_alternatives, get_args(type_)))
    return {type_}


def _share(own: Any, first: Any) -> None:
    """Member by member: what is equal is taken over, what is not is looked into."""
    names, read = _members(own.__class__)
    for name, mine, its in zip(names, read(own), read(first), strict=True):
        if not mine or mine is its or not its:
            continue
        if mine == its:
            setattr(own, name, its)
        elif isinstance(mine, msgspec.Struct):
            if type(mine) is type(its):
                _share(mine, its)
        elif mine.__class__ is list and isinstance(mine[0], msgspec.Struct):
            for one, other in zip(mine, its, strict=False):
                if type(one) is type(other):
                    _share(one, other)
