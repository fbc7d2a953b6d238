"""Equal strings of many objects as one: thousands of objects of a kind consist mostly of the same words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from operator import attrgetter
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

_WORDLESS = frozenset({NoneType, bool, int, float, datetime, msgspec.Raw})


class Words:
    """Strings that were met; at most about ``limit`` of them, then all are met anew."""

    def __init__(self, limit: int = 16_384) -> None:
        self._limit = limit
        self._known: dict[str, str] = {}
        self._plans: dict[type, tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]] = {}

    def share(self, obj: Any) -> None:
        """Have an object's strings be those of others that are equal; nobody can tell, but by the memory it takes."""
        if not isinstance(obj, msgspec.Struct):
            return
        if len(self._known) > self._limit:
            self._known.clear()
        self._share(obj)

    def _share(self, obj: msgspec.Struct) -> None:
        known = self._known
        if (plan := self._plans.get(type(obj))) is None:
            plan = self._plans[type(obj)] = _plan(type(obj))
        for name, value in zip(plan[0], plan[1](obj), strict=True):
            if not value:
                continue
            kind = value.__class__
            if kind is str:
                if (same := known.setdefault(value, value)) is not value:
                    setattr(obj, name, same)
            elif kind is list:
                for position, item in enumerate(value):
                    if item.__class__ is str:
                        value[position] = known.setdefault(item, item)
                    elif isinstance(item, msgspec.Struct):
                        self._share(item)
            elif kind is dict:
                for key, item in value.items():
                    if item.__class__ is str:
                        value[key] = known.setdefault(item, item)
            elif isinstance(value, msgspec.Struct):
                self._share(value)


def _plan(type_: type[msgspec.Struct]) -> tuple[tuple[str, ...], Callable[[Any], tuple[Any, ...]]]:
    """The members that may hold strings, and what reads them all."""
    names = tuple(each.name for each in msgspec.structs.fields(type_) if not _alternatives(each.type) <= _WORDLESS)
    if not names:
        return (), lambda _: ()
    if len(names) == 1:
        only = attrgetter(names[0])
        return names, lambda obj: (only(obj),)
    return names, attrgetter(*names)


def _alternatives(type_: Any) -> set[Any]:
    if get_origin(type_) is Annotated:
        return _alternatives(get_args(type_)[0])
    if get_origin(type_) in (Union, UnionType):
        return set[Any]().union(*map(_alternatives, get_args(type_)))
    return {type_}
