"""The sets library: lists as sets, by CEL's equality."""

from __future__ import annotations

from typing import Any

from steersman.cel.functions import free
from steersman.cel.values import cost_size, equal


def contains(items: list[Any], wanted: list[Any]) -> bool:
    return all(any(equal(item, one) for item in items) for one in wanted)


def intersects(items: list[Any], others: list[Any]) -> bool:
    return any(any(equal(item, one) for item in items) for one in others)


def equivalent(items: list[Any], others: list[Any]) -> bool:
    return contains(items, others) and contains(others, items)


def _product(arguments: Any, _result: Any) -> int:
    return 1 + cost_size(arguments[0]) * cost_size(arguments[1])


def _twice(arguments: Any, _result: Any) -> int:
    return 1 + 2 * cost_size(arguments[0]) * cost_size(arguments[1])


_PAIR = "list<dyn> list<dyn> -> bool"

FUNCTIONS = (
    free("sets.contains", contains, _PAIR, cost=_product),
    free("sets.intersects", intersects, _PAIR, cost=_product),
    free("sets.equivalent", equivalent, _PAIR, cost=_twice),
)
