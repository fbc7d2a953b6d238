"""Applies the table of defaults to whole objects: each struct after the struct that holds it, as upstream does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from steersman.api.shapes import Shape, struct_shape

Default = Callable[[Any], None]


class Defaulter:
    """Visitors compiled from a table when a type is first seen; branches without defaults are not entered."""

    def __init__(self, table: Mapping[type[Any], Default]) -> None:
        self._table = table
        self._compiled: dict[type[Any], tuple[Default, ...]] = {}
        self._reaches: dict[type[Any], bool] = {}

    def apply(self, obj: Any) -> None:
        """Set the defaults of an object and of everything in it, in place."""
        visitors = self._compiled.get(type(obj))
        if visitors is None:
            visitors = self._compiled[type(obj)] = self._compile(type(obj))
        for visit in visitors:
            visit(obj)

    def _compile(self, type_: type[Any]) -> tuple[Default, ...]:
        own = [self._table[type_]] if type_ in self._table else []
        members = struct_shape(type_).members.values()
        return (
            *own,
            *(self._descend(member.attribute, member.shape) for member in members if self._concerned(member.shape)),
        )

    def _concerned(self, shape: Shape) -> bool:
        while shape.item is not None:
            shape = shape.item
        return shape.struct is not None and self._reachable(shape.struct, set())

    def _reachable(self, type_: type[Any], seen: set[type[Any]]) -> bool:
        """Whether a default can apply to a type or below it, which may contain itself."""
        if type_ in self._reaches:
            return self._reaches[type_]
        if type_ in seen:
            return False
        seen.add(type_)
        found = type_ in self._table
        for member in struct_shape(type_).members.values():
            shape = member.shape
            while shape.item is not None:
                shape = shape.item
            if not found and shape.struct is not None:
                found = self._reachable(shape.struct, seen)
        if found or len(seen) == 1:
            self._reaches[type_] = found
        return found

    def _descend(self, attribute: str, shape: Shape) -> Default:
        if shape.kind == "struct":

            def one(obj: Any) -> None:
                value = getattr(obj, attribute)
                if value is not None:
                    self.apply(value)

            return one

        def many(obj: Any) -> None:
            values = getattr(obj, attribute)
            for value in values.values() if isinstance(values, dict) else values:
                self.apply(value)

        return many
