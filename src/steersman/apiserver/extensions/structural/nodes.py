"""The skeleton of a structural schema: a node for each place that a value may be at, equal nodes being one."""

from __future__ import annotations

from typing import Any

import msgspec

from .findings import ABSENT, Check
from .kinds import text_of
from .rules import NodeRules

META = frozenset(("apiVersion", "kind", "metadata"))
"""The members of a resource that its schema does not govern."""

SCALARS = frozenset(("string", "integer", "number", "boolean"))
"""The types of values without parts; what is found in their place is refused, and need not be looked into."""

_decoder = msgspec.json.Decoder()


class Node:
    """One schema, compiled.  Immutable once built, and shared wherever the same schema occurs."""

    __slots__ = (
        "__weakref__",
        "_default",
        "additional",
        "check",
        "class_",
        "defaulted",
        "embedded",
        "has_embedded",
        "has_lists",
        "has_rules",
        "items",
        "keys",
        "list_type",
        "map_type",
        "nested",
        "nullable",
        "open",
        "owner",
        "preserve",
        "properties",
        "rules",
        "type",
    )

    properties: dict[str, Node]
    additional: Node | None
    """The schema of the members that ``properties`` does not have."""
    open: bool
    """Whether there may be such members."""
    items: Node | None
    check: Check | None
    """What validates values; None where everything is allowed."""
    class_: type | None
    """A class whose values need no check."""
    rules: NodeRules | None
    owner: Any
    """Who compiled the rules."""
    nested: tuple[tuple[str, Node], ...]
    """The properties that may be objects or lists."""
    defaulted: tuple[tuple[str, Node], ...]
    """The properties that have defaults."""

    def __init__(self) -> None:
        self.properties = {}
        self.additional = self.items = self.check = self.class_ = self.rules = self.owner = None
        self.open = self.preserve = self.embedded = self.nullable = False
        self.has_embedded = self.has_lists = self.has_rules = False
        self.keys: tuple[str, ...] = ()
        self.list_type = self.map_type = self.type = ""
        self.defaulted = self.nested = ()
        self._default: Any = ABSENT

    def seal(self) -> None:
        """Note what walks need to know, once the members are there."""
        self.defaulted = tuple((name, member) for name, member in self.properties.items() if member.has_default)
        self.nested = tuple((name, member) for name, member in self.properties.items() if member.type not in SCALARS)

    @property
    def has_default(self) -> bool:
        """Whether missing values get one."""
        return self._default is not ABSENT

    def set_default(self, value: Any) -> None:
        """Keep a default: compound ones as text, so that each use is a copy."""
        self._default = msgspec.Raw(text_of(value)) if isinstance(value, dict | list) else value

    def default(self) -> Any:
        """A fresh default."""
        value = self._default
        return _decoder.decode(value) if isinstance(value, msgspec.Raw) else value

    def member(self, name: str) -> Node | None:
        """The schema of a member of an object."""
        return self.properties.get(name, self.additional)


NOTHING = Node()
"""The schema where there is none: nothing is known, so that all members are pruned."""
