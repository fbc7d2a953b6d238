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
        try:
            return {*map(_key, left)}.issubset(map(_key, right)) is wanted
        except _Keyless:
            return all(any(equal(item, one) for one in right) for item in left) is wanted

    return compare


def concatenate(declared: Decl) -> Callable[[Any, Any], list[Any]]:
    """The left one, what the right one has of the same key in its place, then what only the right one has."""

    def identity(item: Any) -> Any:
        return [item.get(key) for key in declared.keys] if declared.list_type == "map" else item

    def merge(left: list[Any], right: list[Any]) -> list[Any]:
        merged = list(left)
        try:
            places = {_key(identity(item)): index for index, item in reversed([*enumerate(left)])}
            for item in right:
                place = places.setdefault(_key(identity(item)), len(merged))
                merged[place : place + 1] = [item]
            return merged
        except _Keyless:
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


class _Keyless(Exception):
    """A value for which nothing stands that is equal when it is."""


def _key(value: Any) -> Any:
    """What stands for a value in a set: lists are long, and to compare each with each takes their lengths' product."""
    kind = value.__class__
    if kind is str or kind is int or value is None:
        return value
    if kind is bool:
        return bool, value
    if kind is list:
        return list, tuple(map(_key, value))
    if kind is dict:
        return dict, frozenset((name, _key(each)) for name, each in value.items())
    raise _Keyless
