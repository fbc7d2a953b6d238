"""The one form in which values are stored: canonical quantities, ``Time`` in UTC with whole seconds.

For each struct type a visitor is compiled once that descends only where such values can be.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

from . import quantity
from .shapes import Shape, struct_shape
from .types.scalars import APIStruct
from .unstructured import Unstructured

Visitor = Callable[[Any], None]
Change = Callable[[Any], Any]


def normalize(obj: APIStruct | Unstructured) -> None:
    """Bring an object into the stored form, in place; raises QuantityError for a malformed quantity."""
    if isinstance(obj, Unstructured):
        obj = obj.metadata
    for visit in visitors(type(obj)):
        visit(obj)


@cache
def visitors(type_: type[APIStruct]) -> tuple[Visitor, ...]:
    """What there is to do for the members of a struct; empty where nothing below it can need it."""
    if not _concerned(type_, set()):
        return ()
    members = struct_shape(type_).members.values()
    return tuple(_assigning(member.attribute, change) for member in members if (change := _change(member.shape)))


def _concerned(type_: type[APIStruct], seen: set[type[APIStruct]]) -> bool:
    """Whether a value to change can occur anywhere below a type, which may contain itself."""
    if type_ in seen:
        return False
    seen.add(type_)
    for member in struct_shape(type_).members.values():
        shape: Shape | None = member.shape
        while shape is not None:
            if shape.kind in ("quantity", "time"):
                return True
            if shape.struct is not None and _concerned(shape.struct, seen):
                return True
            shape = shape.item
    return False


def _assigning(attribute: str, change: Change) -> Visitor:
    def visit(obj: Any) -> None:
        value = getattr(obj, attribute)
        if value:
            changed = change(value)
            if changed is not value:
                setattr(obj, attribute, changed)

    return visit


def _change(shape: Shape) -> Change | None:
    """A function that gives the normal form of a value; lists, maps and structs are changed in place."""
    match shape.kind:
        case "quantity":
            return quantity.canonical
        case "time":
            return _micro if shape.format == "micro-time" else _seconds
        case "struct":
            assert shape.struct is not None
            return _in_struct(shape.struct) if _concerned(shape.struct, set()) else None
        case "list" | "map":
            inner = _change(shape.item) if shape.item else None
            if inner is quantity.canonical:
                inner = _present
            if inner is None:
                return None
            return _in_list(inner) if shape.kind == "list" else _in_map(inner)
        case _:
            return None


def _present(text: str) -> str:
    """A quantity among others cannot be absent: what is empty is malformed."""
    return quantity.format_quantity(*quantity.parse_with_format(text))


def _in_struct(type_: type[APIStruct]) -> Change:
    def change(value: Any) -> Any:
        for visit in visitors(type_):
            visit(value)
        return value

    return change


def _in_list(inner: Change) -> Change:
    def change(values: list[Any]) -> list[Any]:
        for index, value in enumerate(values):
            changed = inner(value)
            if changed is not value:
                values[index] = changed
        return values

    return change


def _in_map(inner: Change) -> Change:
    def change(values: dict[str, Any]) -> dict[str, Any]:
        for key, value in values.items():
            changed = inner(value)
            if changed is not value:
                values[key] = changed
        return values

    return change


def _seconds(instant: datetime) -> datetime:
    if instant.tzinfo is UTC and not instant.microsecond:
        return instant
    return instant.astimezone(UTC).replace(microsecond=0)


def _micro(instant: datetime) -> datetime:
    return instant if instant.tzinfo is UTC else instant.astimezone(UTC)
