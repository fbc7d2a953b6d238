"""Defaults, and nulls that stand for nothing: where a value may not be null, null means that it is not there."""

from __future__ import annotations

from typing import Any

from .nodes import Node


def apply(value: Any, node: Node) -> None:
    """Complete a value in place; doing it again changes nothing."""
    if value.__class__ is dict:
        for name, member in node.defaulted:
            if name not in value:
                value[name] = member.default()
        if node.additional is None and None not in value.values():
            for name, member in node.nested:
                each = value.get(name)
                if each.__class__ is dict or each.__class__ is list:
                    apply(each, member)
            return
        void: list[str] = []
        properties, additional = node.properties, node.additional
        for name, each in value.items():
            member_or_none = properties.get(name, additional)
            if member_or_none is None:
                continue
            if each is None:
                if not member_or_none.nullable:
                    if member_or_none.has_default:
                        value[name] = member_or_none.default()
                    else:
                        void.append(name)
            elif each.__class__ is dict or each.__class__ is list:
                apply(each, member_or_none)
        for name in void:
            del value[name]
    elif value.__class__ is list:
        items = node.items
        if items is None:
            return
        for index, each in enumerate(value):
            if each is None:
                if not items.nullable and items.has_default:
                    value[index] = items.default()
            elif each.__class__ is dict or each.__class__ is list:
                apply(each, items)
