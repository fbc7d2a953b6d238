"""Field validation: the members of a body that its type does not have, and those that occur twice.

Upstream's decoder notes both in the order of the text, each once and no more than a hundred.  It looks at duplicates
only where it reads: not below unknown members, nor in what is kept as it is.
"""

from __future__ import annotations

from typing import Any

from .json_text import Members
from .shapes import Shape, struct_shape

MOST = 100


class Strictness:
    """Walks JSON data by the shape of a type; ``problems`` is what it finds."""

    def __init__(self) -> None:
        self._found: dict[str, None] = {}

    @property
    def problems(self) -> list[str]:
        """What to refuse or to warn of, in order."""
        return list(self._found)

    def struct(self, type_: type[Any], tree: Any, path: str = "") -> Any:
        """Check an object; returns the data with every object as a dict."""
        if not isinstance(tree, dict | list) or (isinstance(tree, list) and not isinstance(tree, Members)):
            return plain_members(tree)
        members = struct_shape(type_).members
        pairs = tree if isinstance(tree, Members) else tree.items()
        result: dict[str, Any] = {}
        for name, value in pairs:
            member = members.get(name)
            if member is None:
                self._note("unknown", path, name)
                result[name] = plain_members(value)
                continue
            if name in result:
                self._note("duplicate", path, name)
            shape = member.shape
            if shape.struct is not None or shape.item is not None:
                result[name] = self._nested(shape, value, f"{path}.{name}" if path else name)
            else:
                result[name] = plain_members(value)
        return result

    def _nested(self, shape: Shape, value: Any, path: str) -> Any:
        if shape.struct is not None:
            return self.struct(shape.struct, value, path)
        item = shape.item
        if item is None:
            return plain_members(value)
        if shape.kind == "list" and isinstance(value, list) and not isinstance(value, Members):
            if item.struct is None and item.item is None:
                return [plain_members(each) for each in value]
            return [self._nested(item, each, f"{path}[{index}]") for index, each in enumerate(value)]
        if shape.kind == "map" and isinstance(value, Members | dict):
            result: dict[str, Any] = {}
            for key, each in value if isinstance(value, Members) else value.items():
                if key in result:
                    self._note("duplicate", path, key)
                result[key] = self._nested(item, each, f"{path}.{key}")
            return result
        return plain_members(value)

    def _note(self, what: str, path: str, name: str) -> None:
        if len(self._found) < MOST:
            self._found.setdefault(f'{what} field "{path}.{name}"' if path else f'{what} field "{name}"')


def plain_members(tree: Any) -> Any:
    """Data in which objects are dicts; numbers keep their text."""
    if isinstance(tree, Members):
        return {key: plain_members(value) for key, value in tree}
    if isinstance(tree, dict):
        return tree
    if isinstance(tree, list):
        return [plain_members(value) for value in tree]
    return tree


def repeated_members(tree: Any) -> list[str]:
    """The paths of the members that occur twice, each once, in the order of the text."""
    found: dict[str, None] = {}
    _note_repeated(tree, "", found)
    return list(found)


def _note_repeated(tree: Any, path: str, found: dict[str, None]) -> None:
    if isinstance(tree, Members):
        seen = set()
        for name, value in tree:
            place = f"{path}.{name}" if path else name
            if name in seen:
                found[place] = None
            seen.add(name)
            _note_repeated(value, place, found)
    elif isinstance(tree, list):
        for index, value in enumerate(tree):
            _note_repeated(value, f"{path}[{index}]", found)
