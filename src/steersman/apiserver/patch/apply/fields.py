"""Field sets: which fields of an object somebody owns (KEP-555), and the FieldsV1 form in which they are kept.

A set is a tree of dicts, keyed by path elements, in the shape of its own JSON: an element is in the set when its dict
is empty or holds ``"."``; one that is there for what lies below it has neither.  The root is empty for the empty set.
Sets are never changed once made, so they may share parts.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec

from . import elements
from .schema import Schema

Fields: TypeAlias = dict[str, Any]


class Kept(dict[str, Any]):
    """A set that many objects have in common: it keeps its JSON, ``text``."""

    __slots__ = ("text",)

    def __init__(self, fields: Fields) -> None:
        super().__init__(fields)
        self.text = render(fields).decode()


SELF = "."
LEAF: Fields = {}
"""An element that is in the set, with nothing below it; at the root, the empty set."""

_LARGEST = 8192
_MOST = 64
_LONGEST = 256
"""What is remembered has so many bytes, elements and characters at most: whoever writes objects chooses them."""

_decode = msgspec.json.Decoder(dict[str, dict[str, Any]]).decode
_quote = msgspec.json.Encoder().encode


# -- FieldsV1 ------------------------------------------------------------------------------------------------------


def parse(raw: bytes) -> Fields:
    """A set from JSON that :func:`render` made."""
    return _parsed(raw) if len(raw) <= _LARGEST else _decode(raw)


_parsed = lru_cache(256)(_decode)


def parse_foreign(raw: bytes) -> Fields:
    """A set from JSON that somebody sent; raises ValueError for what is none."""
    try:
        tree = _decode(raw)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None
    return _canonical(tree)


def _canonical(tree: Any) -> Fields:
    if not isinstance(tree, dict):
        raise ValueError("a field set consists of objects")
    result: Fields = {}
    for element, below in tree.items():
        if element == SELF:
            result[SELF] = LEAF
        elif (name := elements.canonical(element)) is not None:
            result[name] = _collapsed(_canonical(below))
    return result


def render(fields: Fields) -> bytes:
    """The set as JSON, sorted as upstream sorts."""
    parts: list[str] = []
    _write(fields, parts.append)
    return "".join(parts).encode()


def _write(fields: Fields, write: Any) -> None:
    names = sorted(fields)
    if len(names) > 1 and names[-2][:2] != "f:" and names[-2] != SELF:
        names.sort(key=elements.order)
    separator = "{"
    for name in names:
        below = fields[name]
        if below:
            write(f"{separator}{_text(name) if len(name) <= _LONGEST else _quoted(name)}:")
            if isinstance(below, Kept):
                write(below.text)
            elif len(below) > _MOST or any(below.values()) or max(map(len, below)) > _LONGEST:
                _write(below, write)
            else:
                write(_leaves(tuple(below)))
        else:
            write(f"{separator}{_text(name) if len(name) <= _LONGEST else _quoted(name)}:{{}}")
        separator = ","
    write("}" if names else "{}")


@lru_cache(4096)
def _leaves(names: tuple[str, ...]) -> str:
    """A set without anything below its elements; most sets consist of the same few."""
    parts: list[str] = []
    _write(dict.fromkeys(names, LEAF), parts.append)
    return "".join(parts)


def _quoted(name: str) -> str:
    return _quote(name).decode()


_text = lru_cache(8192)(_quoted)


# -- sets ----------------------------------------------------------------------------------------------------------


def _collapsed(below: Fields) -> Fields:
    return LEAF if len(below) == 1 and SELF in below else below


def _is_member(below: Fields) -> bool:
    return not below or SELF in below


def union(left: Fields, right: Fields) -> Fields:
    """What is in either."""
    if left is right or not right:
        return left
    if not left:
        return right
    result = dict(left)
    for element, below in right.items():
        if (present := result.get(element)) is None:
            result[element] = below
        elif present and below:
            result[element] = union(present, below)
        elif present or below:
            result[element] = {SELF: LEAF, **(present or below)}
    return result


def difference(left: Fields, right: Fields) -> Fields:
    """What is in the left set and not in the right one; what lies below a removed element stays."""
    result: Fields = {}
    for element, below in left.items():
        taken = right.get(element)
        if taken is None:
            result[element] = below
        elif not below:
            if not _is_member(taken):
                result[element] = below
        elif not taken:
            result[element] = {name: each for name, each in below.items() if name != SELF}
        elif rest := difference(below, taken):
            result[element] = _collapsed(rest)
    return result


def without(left: Fields, right: Fields) -> Fields:
    """The left set without the right one's elements and all that lies below them."""
    result: Fields = {}
    for element, below in left.items():
        taken = right.get(element)
        if taken is None:
            result[element] = below
        elif _is_member(taken):
            continue
        elif not below:
            result[element] = below
        elif rest := without(below, taken):
            result[element] = _collapsed(rest)
    return result


def intersection(left: Fields, right: Fields) -> Fields:
    """What is in both."""
    result: Fields = {}
    for element, below in left.items():
        other = right.get(element)
        if other is None:
            continue
        if not below or not other:
            if _is_member(below) and _is_member(other):
                result[element] = LEAF
        elif rest := intersection(below, other):
            result[element] = _collapsed(rest)
    return result


def has(fields: Fields, path: tuple[str, ...]) -> bool:
    """Whether a path is in a set."""
    node: Fields | None = fields
    for element in path:
        node = node.get(element) if node else None
        if node is None:
            return False
    assert node is not None
    return _is_member(node)


def of(*paths: tuple[str, ...]) -> Fields:
    """The set of some paths."""
    result: Fields = LEAF
    for path in paths:
        below: Fields = LEAF
        for element in reversed(path):
            below = {element: below}
        result = union(result, below)
    return result


def paths(fields: Fields, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The paths in a set: those of one depth before those below them, as upstream lists conflicts."""
    names = sorted((name for name in fields if name != SELF), key=elements.order)
    for name in names:
        if _is_member(fields[name]):
            yield (*prefix, name)
    for name in names:
        if fields[name]:
            yield from paths(fields[name], (*prefix, name))


def with_named(fields: Fields, schema: Schema | None) -> Fields:
    """The set with each declared member that it only passes through: such a member can be removed as a whole."""
    result: Fields = {}
    for element, below in fields.items():
        if not below:
            result[element] = below
            continue
        declared, child = False, None
        if schema is not None and element[:2] == "f:":
            declared = schema.kind == "map" and element[2:] in schema.members
            child = schema.member(element[2:])
        elif schema is not None:
            child = schema.item
        inner = with_named(below, child)
        result[element] = {SELF: LEAF, **inner} if declared else inner
    return result
