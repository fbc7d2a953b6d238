"""What is worth comparing of two states of an object: the parts that differ, as JSON data.

Most writes change little; members that are equal, or that the write does not change, are left out before anything is
converted or walked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgspec

from steersman.api.types.meta_v1 import ObjectMeta

from .fields import Fields

Tree = dict[str, Any]


class _Members:
    """The members of a type that an object's owner may own, by attribute, and an object without any."""

    def __init__(self, type_: type[Any]) -> None:
        self.type = type_
        self.names = {
            info.name: info.encode_name
            for info in msgspec.structs.fields(type_)
            if info.name not in ("kind", "api_version", "metadata")
        }
        self.blank = type_()


_members: Callable[[Any], _Members] = cache(_Members)


def names(type_: type[Any]) -> Mapping[str, str]:
    """The members of a type, without those of every object, by attribute."""
    return _members(type_).names


def pair(type_: type[Any], old: Any | None, new: Any, ignored: Fields) -> tuple[Tree, Tree]:
    """Both states of an object of a type, without what is equal; ``old`` is None for an object that was not there."""
    members = _members(type_)
    before, after = {}, {}
    blank = members.blank
    old_meta = old.metadata if old is not None else blank.metadata
    for attribute, name in members.names.items():
        if ignored and ignored.get("f:" + name) == {}:
            continue
        left, right = getattr(old if old is not None else blank, attribute), getattr(new, attribute)
        if left is not right and left != right:
            before[attribute], after[attribute] = left, right
    return (
        msgspec.to_builtins(type_(metadata=own(old_meta), **before)),
        msgspec.to_builtins(type_(metadata=own(new.metadata), **after)),
    )


def own(meta: ObjectMeta) -> ObjectMeta:
    """The metadata that somebody may own."""
    return ObjectMeta(
        annotations=meta.annotations,
        finalizers=meta.finalizers,
        generate_name=meta.generate_name,
        labels=meta.labels,
        owner_references=meta.owner_references,
    )


def whole(obj: Any) -> Tree:
    """An object as JSON data, without its managers."""
    if obj.metadata.managed_fields:
        metadata = msgspec.structs.replace(obj.metadata, managed_fields=[])
        obj = msgspec.structs.replace(obj, metadata=metadata)
    result: Tree = msgspec.to_builtins(obj)
    return result
