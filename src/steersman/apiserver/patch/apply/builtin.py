"""Schemas of the API types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from steersman.api.shapes import Kind, Shape, struct_shape
from steersman.api.types.scalars import APIStruct

from .schema import DEDUCED, SCALAR, Scalar, Schema

KEY_DEFAULTS: Mapping[tuple[str, str], Any] = {
    ("ContainerPort", "protocol"): "TCP",
    ("ServicePort", "protocol"): "TCP",
    ("LocalObjectReference", "name"): "",
    ("ObjectReference", "name"): "",
}
"""What keys of list elements are where they are left out (``default`` in upstream's Go types)."""

_SCALARS: Mapping[Kind, Scalar] = {
    "string": "string",
    "bytes": "string",
    "time": "string",
    "integer": "numeric",
    "number": "numeric",
    "boolean": "boolean",
}
_OF_SCALARS = {scalar: Schema("scalar", scalar=scalar) for scalar in set(_SCALARS.values())}


@cache
def _struct(type_: type[APIStruct], atomic: bool) -> Schema:
    def members() -> Mapping[str, Schema]:
        return {name: _schema(member.shape) for name, member in struct_shape(type_).members.items()}

    return Schema("map", members=members, atomic=atomic)


def _of_type(type_: type[APIStruct]) -> Schema:
    return _struct(type_, type_.MAP_TYPE == "atomic")


schema_of: Callable[[Any], Schema] = cache(_of_type)
"""The schema of an API type."""


def _schema(shape: Shape) -> Schema:
    map_type = shape.merge.map_type if shape.merge is not None else ""
    match shape.kind:
        case "struct":
            assert shape.struct is not None
            atomic = map_type == "atomic" or (shape.struct.MAP_TYPE == "atomic" and map_type != "granular")
            return _struct(shape.struct, atomic)
        case "map":
            assert shape.item is not None
            return Schema("map", item=_schema(shape.item), atomic=map_type == "atomic")
        case "list":
            return _list(shape)
        case "any":
            return DEDUCED
        case kind:
            return _OF_SCALARS[_SCALARS[kind]] if kind in _SCALARS else SCALAR


def _list(shape: Shape) -> Schema:
    assert shape.item is not None
    item, merge = _schema(shape.item), shape.merge
    if merge is None or merge.list_type not in ("map", "set"):
        return Schema("list", item=item, atomic=True)
    struct = shape.item.struct
    if merge.list_type == "set" or struct is None:
        return Schema("list", item=item)
    defaults = {
        key: KEY_DEFAULTS[struct.__name__, key] for key in merge.map_keys if (struct.__name__, key) in KEY_DEFAULTS
    }
    optional = tuple(key for key in merge.map_keys if key not in struct.REQUIRED)
    return Schema("list", item=item, keys=merge.map_keys, defaults=defaults, optional=optional)
