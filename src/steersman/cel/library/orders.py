"""The extended lists library, version 3, which the checker declares; ``sortBy`` is ``@sortByAssociatedKeys`` there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cmp_to_key
from typing import Any

from steersman.cel.errors import CELError, CostExceeded, no_such_overload
from steersman.cel.functions import free, member
from steersman.cel.values import NONE, Optional, comparable, cost_size, equal

_MOST = 1_000_000
"""What one evaluation may cost."""


def _list(items: Any) -> list[Any]:
    if items.__class__ is not list:
        raise no_such_overload()
    return list(items)


def cut(items: Any, start: int, end: int) -> list[Any]:
    known = _list(items)
    if start < 0 or end < 0:
        raise CELError(f"cannot slice({start}, {end}), negative indexes not supported")
    if start > end:
        raise CELError(f"cannot slice({start}, {end}), start index must be less than or equal to end index")
    if end > len(known):
        raise CELError(f"cannot slice({start}, {end}), list is length {len(known)}")
    return known[start:end]


def flatten(items: Any, depth: int = 1) -> list[Any]:
    if depth < 0:
        raise CELError("level must be non-negative")
    flat: list[Any] = []
    for item in _list(items):
        if item.__class__ is list and depth:
            flat += flatten(item, depth - 1)
        else:
            flat.append(item)
    return flat


def counted(count: int) -> list[int]:
    if count > _MOST:
        raise CostExceeded
    return list(range(count))


def distinct(items: Any) -> list[Any]:
    seen: list[Any] = []
    if 2 * len(known := _list(items)) ** 2 > _MOST:
        raise CostExceeded
    for item in known:
        if not any(equal(item, known) for known in seen):
            seen.append(item)
    return seen


def _order(one: Any, other: Any) -> int:
    comparable(one, other)
    return int(other < one) - int(one < other)


def _by_first(one: tuple[Any, Any], other: tuple[Any, Any]) -> int:
    return _order(one[0], other[0])


def sort(items: Any) -> list[Any]:
    known = _list(items)
    if len({item.__class__ for item in known}) > 1:
        raise CELError("list elements must have the same type")
    return sorted(known, key=cmp_to_key(_order))


def sort_by(items: Any, keys: Any) -> list[Any]:
    known = _list(keys)
    if len({key.__class__ for key in known}) > 1:
        raise CELError("list elements must have the same type")
    paired: list[tuple[Any, Any]] = sorted(zip(known, _list(items), strict=True), key=cmp_to_key(_by_first))
    return [item for _, item in paired]


def first(items: Any) -> Optional:
    return Optional(True, items[0]) if _list(items) else NONE


def last(items: Any) -> Optional:
    return Optional(True, items[-1]) if _list(items) else NONE


def _building(_arguments: Sequence[Any], result: Any) -> int:
    return 11 + cost_size(result)


def _flattening(arguments: Sequence[Any], _result: Any) -> int:
    return 11 + cost_size(arguments[0]) * (arguments[1] if len(arguments) > 1 else 1)


def _comparing(arguments: Sequence[Any], _result: Any) -> int:
    """Each with each, of the last list: that of the elements, or of their keys."""
    keys = arguments[-1]
    texts = keys.__class__ is list and keys and keys[0].__class__ in (str, bytes)
    return 11 + int(cost_size(keys) ** 2 * (2.1 if texts else 2))


def _reverse(items: Any) -> list[Any]:
    return _list(items)[::-1]


FUNCTIONS = (
    member("slice", cut, cost=_building),
    member("flatten", flatten, cost=_flattening),
    free("lists.range", counted, cost=_building),
    member("reverse", _reverse, cost=_building),
    member("distinct", distinct, cost=_comparing),
    member("sort", sort, cost=_comparing),
    member("@sortByAssociatedKeys", sort_by, cost=_comparing),
    member("first", first),
    member("last", last),
)
