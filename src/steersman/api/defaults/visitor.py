"""Applies the table of defaults to whole objects: each struct after the struct that holds it, as upstream does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from steersman.api.shapes import Shape, struct_shape

Default = Callable[[Any], None]


class Defaulter:
    """Visitors compiled from a table when a type is first seen; branches without defaults are not entered."""

    def __init__(self, table: Mapping[type[Any], Default]) -> None:
        self._table = table
        self._compiled: dict[type[Any], tuple[tuple[str, Default], ...]] = {}
        """What visits the members of a type by their attributes, and first, without one, the object itself."""
        self._reaches: dict[type[Any], bool] = {}

    def apply(self, obj: Any, but: Collection[str] = ()) -> None:
        """Set the defaults of an object and of everything in it, in place, ``but`` not in some of its members."""
        visitors = self._compiled.get(type(obj))
        if visitors is None:
            visitors = self._compiled[type(obj)] = self._compile(type(obj))
        for attribute, visit in visitors:
            if attribute not in but:
                visit(obj)

    def _compile(self, type_: type[Any]) -> tuple[tuple[str, Default], ...]:
        own = [("", self._table[type_])] if type_ in self._table else []
        members = [each for each in struct_shape(type_).members.values() if self._concerned(each.shape)]
        return (*own, *((each.attribute, self._descend(each.attribute, each.shape)) for each in members))

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
