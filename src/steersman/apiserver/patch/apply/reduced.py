"""What is worth comparing of two states of an object: the parts that differ, as JSON data.

Most writes change little; members that are equal, or that the write does not change, are left out before anything is
converted or walked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgspec

from steersman.api import codecs
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.unstructured import Unstructured, is_unstructured

from .fields import Fields

Tree = dict[str, Any]

_NEVER = object()


class _Members:
    """The members of a type that an object's owner may own, by attribute, and an object without any."""

    def __init__(self, type_: type[Any]) -> None:
        self.names = {
            info.name: info.encode_name
            for info in msgspec.structs.fields(type_)
            if info.name not in ("kind", "api_version", "metadata")
        }
        self.blank = type_()
        written = codecs.to_builtins(self.blank)
        self.each = [
            (attribute, name, "f:" + name, _NEVER if name in written else getattr(self.blank, attribute))
            for attribute, name in self.names.items()
        ]
        """Attribute, name, path element, and the value with which the member is left out of JSON."""


_members: Callable[[Any], _Members] = cache(_Members)


def names(type_: type[Any]) -> Mapping[str, str]:
    """The members of a type, without those of every object, by attribute."""
    return _members(type_).names


def pair(type_: type[Any], old: Any | None, new: Any, ignored: Fields) -> tuple[Tree, Tree]:
    """Both states of an object of a type, without what is equal; ``old`` is None for an object that was not there."""
    if is_unstructured(type_):
        return _unstructured_pair(old if old is not None else type_(), new, ignored)
    members = _members(type_)
    before: Tree = {}
    after: Tree = {}
    if old is None:
        old = members.blank
    for attribute, name, element, omitted in members.each:
        if ignored and ignored.get(element) == {}:
            continue
        left, right = getattr(old, attribute), getattr(new, attribute)
        if left is right or left == right:
            continue
        if left != omitted:
            before[name] = codecs.to_builtins(left)
        if right != omitted:
            after[name] = codecs.to_builtins(right)
    if not _same_own(old.metadata, new.metadata):
        before["metadata"] = codecs.to_builtins(own(old.metadata))
        after["metadata"] = codecs.to_builtins(own(new.metadata))
    return before, after


def _unstructured_pair(old: Unstructured, new: Unstructured, ignored: Fields) -> tuple[Tree, Tree]:
    before: Tree = {"metadata": codecs.to_builtins(own(old.metadata))}
    after: Tree = {"metadata": codecs.to_builtins(own(new.metadata))}
    for tree, content, other in ((before, old.content, new.content), (after, new.content, old.content)):
        for name, value in content.items():
            if (ignored and ignored.get("f:" + name) == {}) or (name in other and other[name] == value):
                continue
            tree[name] = value
    return before, after


def own(meta: ObjectMeta) -> ObjectMeta:
    """The metadata that somebody may own."""
    return ObjectMeta(
        annotations=meta.annotations,
        finalizers=meta.finalizers,
        generate_name=meta.generate_name,
        labels=meta.labels,
        owner_references=meta.owner_references,
    )


def _same_own(left: ObjectMeta, right: ObjectMeta) -> bool:
    return (
        left.annotations == right.annotations
        and left.finalizers == right.finalizers
        and left.generate_name == right.generate_name
        and left.labels == right.labels
        and left.owner_references == right.owner_references
    )


def whole(obj: Any) -> Tree:
    """An object as JSON data, without its managers."""
    if obj.metadata.managed_fields:
        metadata = msgspec.structs.replace(obj.metadata, managed_fields=[])
        if isinstance(obj, Unstructured):
            obj = type(obj)(metadata, obj.content)
        else:
            obj = msgspec.structs.replace(obj, metadata=metadata)
    result: Tree = codecs.to_builtins(obj)
    return result
