"""Merging a configuration into an object, and taking fields out of one."""

from __future__ import annotations

from typing import Any

from .fields import Fields
from .schema import Schema


def merge(live: Any, config: Any, schema: Schema) -> Any:
    """The object with what the configuration says; a null in the configuration stays one."""
    if schema.kind == "any":
        schema = schema.for_value(config if config is not None else live)
    if schema.leaf or not (live or config):
        return config
    if schema.kind == "map":
        return _merge_maps(live if isinstance(live, dict) else {}, config if isinstance(config, dict) else {}, schema)
    return _merge_lists(live if isinstance(live, list) else [], config if isinstance(config, list) else [], schema)


def _merge_maps(live: dict[str, Any], config: dict[str, Any], schema: Schema) -> dict[str, Any]:
    result = dict(live)
    for name, value in config.items():
        child = schema.member(name)
        result[name] = merge(live[name], value, child) if name in live and child is not None else value
    return result


def _merge_lists(live: list[Any], config: list[Any], schema: Schema) -> list[Any]:
    """The elements of both.

    Those that both have come in the configuration's order; those that only the object has keep their place among them.
    """
    assert schema.item is not None
    wanted = {schema.element(value): value for value in config}
    present: dict[str, list[Any]] = {}
    for value in live:
        present.setdefault(schema.element(value), []).append(value)
    result: list[Any] = []

    def take(element: str) -> None:
        before = present.get(element, ())
        if element not in wanted:
            result.extend(before)
        elif len(before) == 1:
            result.append(merge(before[0], wanted[element], schema.item))  # type: ignore[arg-type]
        else:
            result.append(wanted[element])

    left, right = list(present), list(wanted)
    shared = [element for element in right if element in present]
    taken: set[str] = set()
    at, to, next_shared = 0, 0, 0
    while at < len(left) or to < len(right):
        mine = left[at] if at < len(left) else None
        if mine is not None and (mine in taken or mine not in wanted):
            if mine not in taken:
                take(mine)
            at += 1
            continue
        theirs = right[to] if to < len(right) else None
        awaited = shared[next_shared] if next_shared < len(shared) else None
        if mine is not None and theirs is not None and mine != theirs and mine != awaited:
            at += 1  # comes when the configuration has it
            continue
        assert theirs is not None
        take(theirs)
        taken.add(theirs)
        to += 1
        next_shared += theirs == awaited
    return result


def remove(value: Any, fields: Fields, schema: Schema) -> Any:
    """A value without some fields; None where nothing is left of a map or list."""
    schema = schema.for_value(value)
    if schema.kind == "scalar":
        return value
    if not value or schema.leaf:
        return None
    if schema.kind == "map":
        return _remove_members(value, fields, schema) if isinstance(value, dict) else None
    if not isinstance(value, list):
        return None
    assert schema.item is not None
    kept = []
    for each in value:
        below = fields.get(schema.element(each))
        if below is None:
            kept.append(each)
        elif below and "." not in below:
            kept.append(remove(each, below, schema.item))
    return kept or None


def _remove_members(value: dict[str, Any], fields: Fields, schema: Schema) -> dict[str, Any] | None:
    kept: dict[str, Any] = {}
    for name, each in value.items():
        below = fields.get("f:" + name)
        if below is None:
            kept[name] = each
        elif below and "." not in below:
            child = schema.member(name)
            kept[name] = remove(each, below, child) if child is not None else each
    return kept or None
