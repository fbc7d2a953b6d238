"""Equality and concatenation of lists that their schema makes sets or maps (``x-kubernetes-list-type``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .types import Decl
from .values import equal


def same(wanted: bool) -> Callable[[Any, Any], bool]:
    """Equality whatever the order, or its contrary."""

    def compare(left: Any, right: Any) -> bool:
        if left.__class__ is not list or right.__class__ is not list or len(left) != len(right):
            return not wanted
        return all(any(equal(item, one) for one in right) for item in left) is wanted

    return compare


def concatenate(declared: Decl) -> Callable[[Any, Any], list[Any]]:
    """The left one, what the right one has of the same key in its place, then what only the right one has."""

    def identity(item: Any) -> Any:
        return [item.get(key) for key in declared.keys] if declared.list_type == "map" else item

    def merge(left: list[Any], right: list[Any]) -> list[Any]:
        merged = list(left)
        for item in right:
            wanted = identity(item)
            place = next((index for index, one in enumerate(merged) if equal(identity(one), wanted)), None)
            if place is None:
                merged.append(item)
            else:
                merged[place] = item
        return merged

    return merge
