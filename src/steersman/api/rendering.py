"""How Go's API server prints values in its messages: strings quoted (``%q``), the rest as ``encoding/json`` does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import msgspec

_ESCAPES = {"\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v"}
_ESCAPES |= {'"': r"\"", "\\": r"\\"}
_HTML = str.maketrans({"<": r"\u003c", ">": r"\u003e", "&": r"\u0026"})
_WHOLE = 1e21
"""From here on Go writes whole numbers with an exponent."""

_DECLARED = {"OwnerReference": ("apiVersion", "kind")}
"""Members that are declared first although their field numbers say otherwise."""


def quoted(text: str) -> str:
    """A string as ``%q`` prints it."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    return f'"{"".join(_ESCAPES.get(character) or _character(character) for character in text)}"'


def _character(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def rendered(value: Any) -> str:
    """A value as a message shows it: members in the order in which Go declares them, keys of maps sorted."""
    if isinstance(value, str):
        return quoted(value)
    tree = _ordered(value, msgspec.to_builtins(value, enc_hook=_plain))
    return msgspec.json.encode(tree).decode().translate(_HTML)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(value)
    if isinstance(value, msgspec.Raw):
        return msgspec.json.decode(value)
    raise NotImplementedError(f"no value of the API: {type(value)}")


def _ordered(value: Any, tree: Any) -> Any:
    """``tree`` is the JSON of ``value``, whose types tell structs from maps."""
    if isinstance(tree, float) and tree.is_integer() and abs(tree) < _WHOLE:
        return int(tree)
    if isinstance(tree, list):
        return [_ordered(each, item) for each, item in zip(value, tree, strict=True)]
    if not isinstance(tree, dict) or isinstance(value, msgspec.Raw):
        return tree
    if isinstance(value, Mapping):
        return {key: _ordered(value.get(key), tree[key]) for key in sorted(tree)}
    type_: type[msgspec.Struct] = type(value)
    places, attributes = _places(type_), _attributes(type_)
    names = sorted(tree, key=lambda name: places.get(name, len(places)))
    return {name: _ordered(getattr(value, attributes[name]), tree[name]) for name in names}


@cache
def _attributes(type_: type[msgspec.Struct]) -> dict[str, str]:
    return {field.encode_name: field.name for field in msgspec.structs.fields(type_)}


@cache
def _places(type_: type[msgspec.Struct]) -> dict[str, int]:
    """The places of members by their JSON names; empty where the order of declaration is not known."""
    first = _DECLARED.get(type_.__name__, ())
    return {name: place for place, name in enumerate(dict.fromkeys((*first, *_names(type_))))}


def _names(type_: type[msgspec.Struct]) -> Iterator[str]:
    from .wire import fields  # reads errors itself, and only who finds faults needs it

    messages = fields.table(type_.__module__.rpartition(".")[2])
    waiting = list(reversed(fields.message_of(type_) or ()))
    while waiting:
        field = waiting.pop()
        if field.inlined:
            waiting.extend(reversed(messages.get(field.inlined, ())))
        else:
            yield field.name
