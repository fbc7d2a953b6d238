"""Parts that objects have in common, held once: replicas of a template differ in little but their names and status."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import cache
from operator import attrgetter
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

import msgspec

from .meta import controller_of
from .types.meta_v1 import ObjectMeta


class Siblings:
    """One object of each controller; what others of it have that is equal becomes that one's.

    Nobody can tell but by the memory: objects that are shared are changed by nobody.  At most ``limit`` are remembered.
    """

    def __init__(self, limit: int = 1024) -> None:
        self._limit = limit
        self._models: dict[str, Any] = {}
        """By the controller's uid: the first of its objects, in its newest version."""

    def share(self, obj: Any, *, before: Any = None, remember: bool = True) -> None:
        """Let an object that is new to us share what it can; ``remember``: with those that come after it, too.

        ``before`` is the version before it, if that is known: what it has of that one is shared already.
        """
        metadata = getattr(obj, "metadata", None)  # a store may hold what is no object of the API
        if metadata is None or (owner := controller_of(metadata)) is None:
            return
        model = self._models.get(owner.uid)
        if model is not None and type(model) is type(obj):
            if before is None or not _has_parts_of(metadata, before.metadata):
                _share(metadata, model.metadata)
            for part, deep in (("spec", True), ("status", False)):
                mine, its = getattr(obj, part, None), getattr(model, part, None)
                if before is not None and mine is getattr(before, part, None):
                    continue
                if mine is not its and isinstance(mine, msgspec.Struct) and type(mine) is type(its):
                    _share(mine, its, deep=deep)
            if model.metadata.uid != metadata.uid:
                return
        elif len(self._models) >= self._limit:
            self._models.clear()
        if remember:
            self._models[owner.uid] = obj

    def forget(self, obj: Any) -> None:
        """An object has gone, perhaps the last one of its controller."""
        metadata = getattr(obj, "metadata", None)
        if metadata is None or (owner := controller_of(metadata)) is None:
            return
        model = self._models.get(owner.uid)
        if model is not None and model.metadata.uid == metadata.uid:
            del self._models[owner.uid]


def _has_parts_of(metadata: ObjectMeta, before: ObjectMeta) -> bool:
    """Whether all that siblings may have in common is that of the version before."""
    return (
        metadata.labels is before.labels
        and metadata.annotations is before.annotations
        and metadata.owner_references is before.owner_references
        and metadata.finalizers is before.finalizers
    )


class _Members(NamedTuple):
    """Those of a type that take memory of their own, and what reads them all.

    JSON without a type is left alone: 1, 1.0 and true are equal here, and are not the same there.
    """

    names: tuple[str, ...]
    read: Callable[[Any], tuple[Any, ...]]


_SMALL = frozenset({type(None), bool, int, float, datetime, msgspec.Raw})


@cache
def _members(type_: Any) -> _Members:
    fields = [each for each in msgspec.structs.fields(type_) if not _alternatives(each.type) <= _SMALL]
    names = tuple(each.name for each in fields if not _holds_any(each.type, set()))
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


def _holds_any(type_: Any, seen: set[Any]) -> bool:
    """Whether there may be JSON without a type in values of a type."""
    if type_ is Any:
        return True
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        if type_ in seen:  # a type may contain itself
            return False
        seen.add(type_)
        return any(_holds_any(each.type, seen) for each in msgspec.structs.fields(type_))
    return any(_holds_any(each, seen) for each in get_args(type_))


def _share(own: Any, model: Any, *, deep: bool = True) -> None:
    """Member by member: what is equal is taken over, empty lists too; what is not is looked into where ``deep``."""
    names, read = _members(own.__class__)
    for name, mine, its in zip(names, read(own), read(model), strict=True):
        if mine is its:
            continue
        if mine == its:
            setattr(own, name, its)
        elif not deep:
            continue
        elif isinstance(mine, msgspec.Struct):
            if type(mine) is type(its):
                _share(mine, its)
        elif mine and mine.__class__ is list and isinstance(mine[0], msgspec.Struct):
            for one, other in zip(mine, its, strict=False):
                if type(one) is type(other):
                    _share(one, other)
