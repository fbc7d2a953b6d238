"""Removal of what a schema does not know."""

from __future__ import annotations

from typing import Any

from .nodes import META, NOTHING, Node


def prune(value: Any, node: Node, *, root: bool = False) -> list[str]:
    """Remove unknown members, in place; returns their paths, sorted.

    At the ``root``, and in embedded resources, apiVersion, kind and metadata are left alone.
    """
    pruned: list[str] = []
    _prune(value, node, "", pruned, node.embedded or root)
    pruned.sort()
    return pruned


def _prune(value: Any, node: Node, path: str, pruned: list[str], resource: bool) -> None:
    if value.__class__ is dict:
        properties, additional = node.properties, node.additional
        if not resource and value.keys() <= properties.keys():
            for name, member in node.nested:
                each = value.get(name)
                if each.__class__ is dict or each.__class__ is list:
                    _prune(each, member, f"{path}.{name}" if path else name, pruned, member.embedded)
            return
        unknown: list[str] = []
        for name, each in value.items():
            if resource and name in META:
                continue
            member = properties.get(name, NOTHING)
            if member is NOTHING:
                if node.preserve and not node.open:
                    continue
                if not node.open:
                    unknown.append(name)
                    continue
                member = additional or NOTHING
            if each.__class__ is dict or each.__class__ is list:
                _prune(each, member, f"{path}.{name}" if path else name, pruned, member.embedded)
        for name in unknown:
            del value[name]
            pruned.append(f"{path}.{name}" if path else name)
    elif value.__class__ is list:
        items = node.items
        if items is None:
            if node.preserve:
                return
            items = NOTHING
        resource = items.embedded
        for index, each in enumerate(value):
            if each.__class__ is dict or each.__class__ is list:
                if node.preserve and not items.preserve:
                    _keep(each, items, f"{path}[{index}]", pruned)
                else:
                    _prune(each, items, f"{path}[{index}]", pruned, resource)


def _keep(value: Any, node: Node, path: str, pruned: list[str]) -> None:
    """Below a list that preserves unknown fields: its items do so as well, but what they specify is pruned."""
    if value.__class__ is dict:
        for name, each in value.items():
            if node.embedded and name in META:
                continue
            member = node.properties.get(name)
            if member is None and node.open:
                member = node.additional or NOTHING
            if member is not None:
                _prune(each, member, f"{path}.{name}", pruned, member.embedded)
    elif value.__class__ is list and node.items is not None:
        for index, each in enumerate(value):
            _keep(each, node.items, f"{path}[{index}]", pruned)
