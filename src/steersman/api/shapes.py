"""The API types as data: what each member of a struct is, read once from its annotations.

Codecs, normalization, OpenAPI and patching walk objects by shape instead of inspecting annotations themselves.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from datetime import datetime
from functools import cache, cached_property
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec

from .types.scalars import APIStruct, Format, Merge

Kind = Literal[
    "struct",
    "list",
    "map",
    "string",
    "integer",
    "number",
    "boolean",
    "bytes",
    "time",
    "quantity",
    "int-or-string",
    "any",
]


class Shape:
    """One type: its kind, and what it consists of.

    ``item`` is the element of lists and maps; ``format`` is the OpenAPI format where the type has one
    (``micro-time`` tells the two kinds of ``time`` apart, ``raw`` is an object kept as JSON); ``nullable`` says that
    absence is None.
    """

    __slots__ = ("format", "item", "kind", "merge", "nullable", "struct")

    def __init__(
        self,
        kind: Kind,
        *,
        struct: type[APIStruct] | None = None,
        item: Shape | None = None,
        format: str = "",  # noqa: A002
        merge: Merge | None = None,
        nullable: bool = False,
    ) -> None:
        self.kind = kind
        self.struct = struct
        self.item = item
        self.format = format
        self.merge = merge
        self.nullable = nullable

    @property
    def go_type(self) -> str:
        """The type as Go's decoder names it in its errors."""
        match self.kind:
            case "struct":
                assert self.struct is not None
                return f"{self.struct.__module__.rsplit('_', 1)[-1]}.{self.struct.__name__}"
            case "list":
                return f"[]{self.item.go_type}" if self.item else "[]interface {}"
            case "map":
                return f"map[string]{self.item.go_type}" if self.item else "map[string]interface {}"
            case "bytes":
                return "[]uint8"
            case "boolean":
                return "bool"
            case "integer":
                return self.format or "int64"
            case "number":
                return "float64"
            case _:
                return "string"


class Member:
    """One member of a struct: its JSON name, its attribute, its shape, and whether the schema requires it."""

    __slots__ = ("attribute", "name", "required", "shape")

    def __init__(self, name: str, attribute: str, shape: Shape, required: bool) -> None:
        self.name = name
        self.attribute = attribute
        self.shape = shape
        self.required = required


class StructShape:
    """The members of one struct, by JSON name, in the order of the declaration."""

    def __init__(self, type_: type[APIStruct]) -> None:
        self.type = type_

    @cached_property
    def members(self) -> dict[str, Member]:
        """The members, by JSON name."""
        required = set(self.type.REQUIRED)
        return {
            info.encode_name: Member(info.encode_name, info.name, shape(info.type), info.encode_name in required)
            for info in msgspec.structs.fields(self.type)
        }


struct_shape: Callable[[Any], StructShape] = cache(StructShape)
"""The shape of a struct type."""


def shape(annotation: Any) -> Shape:
    """The shape of any annotation that occurs in the API types."""
    return _shape(annotation, False, "", None)


def _shape(annotation: Any, nullable: bool, format_: str, merge: Merge | None) -> Shape:
    origin = get_origin(annotation)
    if origin is Annotated:
        inner, *markers = get_args(annotation)
        for marker in markers:
            if isinstance(marker, Format):
                format_ = marker.name
            elif isinstance(marker, Merge):
                merge = marker
        return _shape(inner, nullable, format_, merge)
    if origin in (Union, types.UnionType):
        options = [option for option in get_args(annotation) if option is not type(None)]
        nullable = nullable or len(options) < len(get_args(annotation))
        if len(options) == 1:
            return _shape(options[0], nullable, format_, merge)
        return Shape("int-or-string", nullable=nullable, merge=merge, format="int-or-string")
    if origin is list:
        return Shape("list", item=shape(get_args(annotation)[0]), nullable=nullable, merge=merge)
    if origin is dict:
        value = get_args(annotation)[1]
        if value is Any:
            return Shape("any", nullable=nullable, merge=merge, format="object")
        return Shape("map", item=shape(value), nullable=nullable, merge=merge)
    if annotation is msgspec.Raw:
        return Shape("any", nullable=nullable, merge=merge, format="raw")
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return Shape("struct", struct=annotation, nullable=nullable, merge=merge)  # type: ignore[arg-type]
    if annotation is str and format_ == "quantity":
        return Shape("quantity", nullable=nullable, merge=merge)
    kinds: dict[Any, Kind] = {
        str: "string",
        bool: "boolean",
        int: "integer",
        float: "number",
        bytes: "bytes",
        datetime: "time",
    }
    return Shape(kinds.get(annotation, "any"), format=format_, nullable=nullable, merge=merge)
