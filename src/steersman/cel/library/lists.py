"""The lists library; ``indexOf`` and ``lastIndexOf`` are the strings' as well."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from steersman.cel.errors import CELError
from steersman.cel.functions import elements, member
from steersman.cel.values import (
    Duration,
    UInt,
    comparable,
    equal,
    integer,
    span,
    unsigned,
)

_ORDERED = ("int", "uint", "double", "bool", "string", "bytes", "timestamp", "duration")


def is_sorted(items: list[Any]) -> bool:
    for left, right in pairwise(items):
        comparable(left, right)
        if right < left:
            return False
    return True


def total(items: list[Any]) -> Any:
    if not items:
        return 0
    first = items[0].__class__
    if first is Duration:
        return span(sum(item.nanoseconds for item in items))
    if first is float:
        return float(sum(items))
    if first is UInt:
        return unsigned(sum(items))
    if first is int:
        result = 0
        for item in items:
            result = integer(result + item)
        return result
    raise CELError("no such overload")


def least(items: list[Any]) -> Any:
    return _extreme(items, "min", False)


def greatest(items: list[Any]) -> Any:
    return _extreme(items, "max", True)


def _extreme(items: list[Any], name: str, largest: bool) -> Any:
    if not items:
        raise CELError(f"{name} called on empty list")
    best = items[0]
    for item in items[1:]:
        comparable(item, best)
        if (item > best) if largest else (item < best):
            best = item
    return best


def index_of(items: Any, wanted: Any, offset: int = 0) -> int:
    if items.__class__ is str:
        if not 0 <= offset <= len(items):
            raise CELError(f"index out of range: {offset}")
        return int(items.find(wanted, offset))
    return next((index for index, item in enumerate(items) if equal(item, wanted)), -1)


def last_index_of(items: Any, wanted: Any, offset: int | None = None) -> int:
    if items.__class__ is str:
        if offset is None:
            return int(items.rfind(wanted))
        if not 0 <= offset <= len(items):
            raise CELError(f"index out of range: {offset}")
        return int(items.rfind(wanted, 0, offset + len(wanted)))
    return next((index for index in range(len(items) - 1, -1, -1) if equal(items[index], wanted)), -1)


_INDEXING = ("list<dyn> dyn -> int", "string string -> int", "string string int -> int")

FUNCTIONS = (
    member("isSorted", is_sorted, *(f"list<{kind}> -> bool" for kind in _ORDERED), cost=elements),
    member("sum", total, *(f"list<{kind}> -> {kind}" for kind in ("int", "uint", "double", "duration")), cost=elements),
    member("min", least, *(f"list<{kind}> -> {kind}" for kind in _ORDERED), cost=elements),
    member("max", greatest, *(f"list<{kind}> -> {kind}" for kind in _ORDERED), cost=elements),
    member("indexOf", index_of, *_INDEXING, cost=elements),
    member("lastIndexOf", last_index_of, *_INDEXING, cost=elements),
)
