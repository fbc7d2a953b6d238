"""Embedded resources (``x-kubernetes-embedded-resource``): their kind and version, and metadata of the usual form."""

from __future__ import annotations

from typing import Any

from steersman.api import codecs, errors
from steersman.api.json_text import FieldProblem
from steersman.api.lenient import read_tree
from steersman.api.shapes import struct_shape
from steersman.api.strict import Strictness
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.validation import meta, names
from steersman.api.validation.faults import Faults

from .findings import invalid
from .nodes import Node


class NotCoercible(Exception):
    """Metadata of an embedded resource that cannot be read; ``error`` is the one fault that is told."""

    def __init__(self, error: errors.FieldError) -> None:
        super().__init__(str(error))
        self.error = error


def coerce(value: Any, node: Node, *, drop: bool = False) -> list[str]:
    """Give embedded metadata its canonical form, in place; returns the paths of what was unknown in it.

    What does not fit raises :class:`NotCoercible`, or is dropped, as it is where stored objects are read.
    """
    unknown: list[str] = []
    if node.has_embedded:
        _coerce(value, node, "", unknown, drop)
    return unknown


def _coerce(value: Any, node: Node, path: str, unknown: list[str], drop: bool) -> None:
    if value.__class__ is dict:
        if node.embedded:
            _identity(value, path, drop)
            if "metadata" in value:
                _metadata(value, f"{path}.metadata" if path else "metadata", unknown, drop)
        for name, each in value.items():
            member = node.properties.get(name)
            step = f"{path}.{name}" if path else name
            if member is None and node.additional is not None:
                member, step = node.additional, f"{path}[{name}]"
            if member is not None and member.has_embedded:
                _coerce(each, member, step, unknown, drop)
    elif value.__class__ is list and node.items is not None and node.items.has_embedded:
        for index, each in enumerate(value):
            _coerce(each, node.items, f"{path}[{index}]", unknown, drop)


def _identity(value: dict[str, Any], path: str, drop: bool) -> None:
    for name in ("apiVersion", "kind"):
        if name in value and not isinstance(value[name], str):
            if not drop:
                place = f"{path}.{name}" if path else name
                raise NotCoercible(invalid(value[name], "must be a string")(place))
            del value[name]


def _metadata(value: dict[str, Any], path: str, unknown: list[str], drop: bool) -> None:
    tree = value["metadata"]
    try:
        read = read_tree(ObjectMeta, tree)
    except FieldProblem as problem:
        if not drop:
            raise NotCoercible(invalid(tree, str(problem))(path)) from None
        if not isinstance(tree, dict):
            return
        read = read_tree(ObjectMeta, {name: each for name, each in tree.items() if _readable(name, each)})
    strictness = Strictness()
    strictness.struct(ObjectMeta, tree, path)
    unknown += [problem.split('"')[1] for problem in strictness.problems if problem.startswith("unknown")]
    value["metadata"] = codecs.to_builtins(read)


def _readable(name: str, value: Any) -> bool:
    try:
        read_tree(ObjectMeta, {name: value})
    except FieldProblem:
        return False
    return name in struct_shape(ObjectMeta).members


def validate(value: Any, node: Node) -> Faults:
    """What is wrong with embedded resources."""
    faults = Faults()
    if node.has_embedded:
        _validate(faults, value, node, "")
    return faults


def _validate(faults: Faults, value: Any, node: Node, path: str) -> None:
    if value.__class__ is dict:
        if node.embedded:
            _resource(faults, value, f"{path}." if path else "")
        for name, each in value.items():
            member = node.properties.get(name)
            step = f"{path}.{name}" if path else name
            if member is None and node.additional is not None:
                member, step = node.additional, f"{path}[{name}]"
            if member is not None and member.has_embedded:
                _validate(faults, each, member, step)
    elif value.__class__ is list and node.items is not None and node.items.has_embedded:
        for index, each in enumerate(value):
            _validate(faults, each, node.items, f"{path}[{index}]")


def _resource(faults: Faults, value: dict[str, Any], prefix: str) -> None:
    for name in ("apiVersion", "kind"):
        given = value.get(name, "")
        if not isinstance(given, str):
            faults.append(invalid(given, "must be a string")(prefix + name))
        elif not given:
            faults.append(errors.required(prefix + name))
        elif name == "apiVersion":
            if given.count("/") > 1:
                faults.invalid(prefix + name, given, f"unexpected GroupVersion string: {given}")
        else:
            intro = "may have mixed case, but should otherwise match: "
            if found := list(names.dns1035_label(given.lower())):
                faults.invalid(prefix + name, given, intro + ",".join(found))
    if "metadata" in value:
        try:
            read = read_tree(ObjectMeta, value["metadata"])
        except FieldProblem as problem:
            faults.append(invalid(value["metadata"], str(problem))(f"{prefix}metadata"))
            return
        read.name = read.name or "fakename"  # embedded resources need none
        meta.object_meta(faults, read, bool(read.namespace), names.path_segment, f"{prefix}metadata")
