"""Lists that are sets or maps: nothing may be in them twice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .findings import Found, add, below, duplicated, invalid
from .kinds import text_of
from .nodes import Node

_VOID = object()


def check(value: Any, node: Node) -> Found:
    """What occurs more than once; paths have the keys of maps in brackets."""
    if not node.has_lists:
        return None
    found: Found = None
    if value.__class__ is dict:
        for name, each in value.items():
            member = node.properties.get(name)
            step = f".{name}"
            if member is None and node.additional is not None:
                member, step = node.additional, f"[{name}]"
            if member is not None and (inner := check(each, member)):
                found = below(found, step, inner)
    elif value.__class__ is list:
        if node.list_type == "set":
            found = _set(value)
        elif node.list_type == "map":
            found = _map(value, node.keys)
        if node.items is not None and node.items.has_lists:
            for index, each in enumerate(value):
                if inner := check(each, node.items):
                    found = below(found, f"[{index}]", inner)
    return found


def _set(value: list[Any]) -> Found:
    if _distinct(value):
        return None
    found: Found = None
    for index in _repeated(value):
        found = add(found, duplicated(value[index]), f"[{index}]")
    return found


def _map(value: list[Any], keys: tuple[str, ...]) -> Found:
    for index, each in enumerate(value):
        if each is not None and not isinstance(each, dict):
            return add(None, invalid(each, "must be an object for an array of list-type map"), f"[{index}]")
    if len(keys) == 1 and _distinct([each.get(keys[0], _VOID) if each else _VOID for each in value]):
        return None
    found: Found = None
    identities = [{key: each[key] for key in keys if key in each} if each else {} for each in value]
    for index in _repeated(identities):
        found = add(found, duplicated(identities[index]), f"[{index}]")
    return found


def _repeated(values: Iterable[Any]) -> list[int]:
    """Where a value occurs for the second time."""
    times: dict[bytes, int] = {}
    result = []
    for index, each in enumerate(values):
        text = text_of(each)
        times[text] = count = times.get(text, 0) + 1
        if count == 2:
            result.append(index)
    return result


def _distinct(values: list[Any]) -> bool:
    """Whether all values differ for certain; equal ones of other types are told apart by their texts."""
    try:
        return len(set(values)) == len(values)
    except TypeError:
        return False
