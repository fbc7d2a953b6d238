"""What server-side apply must know of a type: where a value may be owned in parts, and what identifies the parts.

A :class:`Schema` is made by one of three adapters: :mod:`.builtin` from the API types, :mod:`.structural` from an
OpenAPI schema, and :data:`DEDUCED` here, which knows nothing and takes each value for what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Literal

from . import elements

Kind = Literal["scalar", "map", "list", "any"]
Scalar = Literal["string", "numeric", "boolean", "untyped"]


class Steps(dict[str, "tuple[str, Schema | None]"]):
    """The path elements of a map's members, each with its schema, by name.

    Those that are declared are kept, so that their elements are hashed once, and found by identity.
    """

    def __init__(self, members: Mapping[str, Schema], item: Schema | None) -> None:
        super().__init__({name: ("f:" + name, schema) for name, schema in members.items()})
        self._item = item

    def __missing__(self, name: str) -> tuple[str, Schema | None]:
        return "f:" + name, self._item


class Schema:
    """One type.

    ``atomic`` maps and lists are owned as a whole, like scalars.  ``members`` are a map's declared members, ``item``
    the type of all others (None: there may be no others), or of a list's elements.  A list that is not atomic is found
    by ``keys``, or is a set where there are none; ``defaults`` are values of keys that may be left out, and
    ``optional`` names keys that may be absent without one.
    """

    def __init__(
        self,
        kind: Kind,
        *,
        scalar: Scalar = "untyped",
        atomic: bool = False,
        members: Callable[[], Mapping[str, Schema]] | None = None,
        item: Schema | None = None,
        keys: tuple[str, ...] = (),
        defaults: Mapping[str, Any] | None = None,
        optional: tuple[str, ...] = (),
    ) -> None:
        self.kind = kind
        self.scalar = scalar
        self.leaf = kind == "scalar" or atomic
        self.keys = keys
        self.item = item
        self._defaults = defaults or {}
        self._optional = optional
        self._members = members
        self.found: dict[tuple[Any, ...], dict[str, Any]] = {}
        """The fields of values that are alike in this; with whom they go, as types of custom resources do."""

    @cached_property
    def members(self) -> Mapping[str, Schema]:
        """The declared members of a map; found out when first asked for, because types may contain themselves."""
        return self._members() if self._members is not None else {}

    @cached_property
    def steps(self) -> Steps:
        """How to go on to the members of a map; the schema is None where there can be none of a name."""
        return Steps(self.members, self.item)

    @cached_property
    def is_flat(self) -> bool:
        """Whether all members that a map declares are leaves, and it can have no others."""
        return self.kind == "map" and self.item is None and all(each.leaf for each in self.members.values())

    @cached_property
    def has_flat_items(self) -> bool:
        """Whether a list is found by one key, and its items have nothing but leaves."""
        item = self.item
        return len(self.keys) == 1 and item is not None and item.is_flat and not item.leaf

    def member(self, name: str) -> Schema | None:
        """The type of a member, None where there can be none of this name."""
        if self.kind == "any":
            return DEDUCED
        return self.members.get(name, self.item)

    def for_value(self, value: Any) -> Schema:
        """The type itself, or where it may be anything, the one that a value suggests."""
        if self.kind != "any":
            return self
        return _MAP if isinstance(value, dict) else _LIST if isinstance(value, list) else SCALAR

    def element(self, value: Any) -> str:
        """The path element of an element of a list that is not atomic; raises ValueError where it has none."""
        if not self.keys:
            if isinstance(value, dict):
                raise ValueError("associative list without keys has an element that's a map type")
            if isinstance(value, list):
                raise ValueError("not supported: associative list with lists as elements")
            if value is None:
                raise ValueError("associative list without keys has an element that's an explicit null")
            return elements.by_value(value)
        if value is None:
            raise ValueError("associative list with keys may not have a null element")
        if not isinstance(value, dict):
            raise ValueError("associative list with keys may not have non-map elements")
        found = {}
        for key in self.keys:
            if key in value:
                found[key] = value[key]
            elif key in self._defaults:
                found[key] = self._defaults[key]
            elif key not in self._optional:
                raise ValueError(
                    f'associative list with keys has an element that omits key field "{key}" '
                    "(and doesn't have default value)"
                )
        return elements.by_key(found)


SCALAR = Schema("scalar")
DEDUCED = Schema("any")
"""The type of what has no schema: maps are owned by member, lists as a whole."""

_MAP = Schema("map", item=DEDUCED)
_LIST = Schema("list", atomic=True, item=DEDUCED)
