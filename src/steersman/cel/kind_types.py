"""The types of whole objects, as policies that are checked against them see them.

A policy is evaluated on data without types; these tell beforehand what it gets wrong (KEP-3488, type checking).
"""

from __future__ import annotations

from typing import Any

from steersman.api.scheme import Resource
from steersman.api.shapes import Shape, struct_shape
from steersman.api.types.meta_v1 import ObjectMeta
from steersman.api.unstructured import is_unstructured

from .types import BOOL, BYTES, DOUBLE, DYN, INT, STRING, TIMESTAMP, Decl, escape, from_schema

_SCALARS = {
    "string": STRING,
    "quantity": STRING,
    "integer": INT,
    "number": DOUBLE,
    "boolean": BOOL,
    "bytes": BYTES,
    "time": TIMESTAMP,
    "int-or-string": DYN,
    "any": DYN,
}


def type_of(resource: Resource[Any]) -> Decl | None:
    """The type of a resource's objects; None where nothing is known of it."""
    kind = resource.type
    if not is_unstructured(kind):
        return _Types().struct(kind)
    model = kind.MODEL
    declared = from_schema(model.openapi, resource=True) if model is not None and model.openapi else None
    if declared is not None:
        declared.fields["metadata"] = ("metadata", _Types().struct(ObjectMeta))
    return declared


class _Types:
    """Those of built-in structs, each made once; what holds itself is untyped there."""

    def __init__(self) -> None:
        self._known: dict[type[Any], Decl] = {}

    def struct(self, kind: type[Any]) -> Decl:
        if (known := self._known.get(kind)) is not None:
            return known
        self._known[kind] = DYN
        fields = {
            escaped: (name, self._member(member.shape))
            for name, member in struct_shape(kind).members.items()
            if (escaped := escape(name)) is not None
        }
        declared = self._known[kind] = Decl("object", fields, least=2)
        return declared

    def _member(self, shape: Shape) -> Decl:
        if shape.kind == "struct" and shape.struct is not None:
            return self.struct(shape.struct)
        if shape.kind in ("list", "map") and shape.item is not None:
            return Decl(shape.kind, element=self._member(shape.item), size=DYN.size, least=2)
        return _SCALARS.get(shape.kind, DYN)
