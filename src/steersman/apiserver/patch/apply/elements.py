"""Path elements: one step into an object, as text that is unique and is what a field set's JSON has for a key.

``f:NAME`` is a member, ``k:{...}`` the element of a list that is found by keys, ``v:VALUE`` one of a set, ``i:N``
one of a list by position.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

_LONGEST = 256

_encode = msgspec.json.Encoder(order="sorted").encode
_decode = msgspec.json.Decoder().decode


def by_key(keys: Mapping[str, Any]) -> str:
    """The element of a list of maps that has these values of its keys."""
    return "k:" + _encode(keys).decode()


def by_value(value: Any) -> str:
    """The member of a set."""
    return "v:" + _encode(value).decode()


def order(element: str) -> tuple[Any, ...]:
    """Sorts as upstream prints: members first, then keys, values, positions, each by what it says."""
    return _remembered(element) if len(element) <= _LONGEST else _order(element)


def _order(element: str) -> tuple[Any, ...]:
    kind, rest = element[:2], element[2:]
    match kind:
        case "f:":
            return 0, rest
        case "k:":
            return 1, tuple((name, _value_order(value)) for name, value in _decode(rest).items())
        case "v:":
            return 2, _value_order(_decode(rest))
        case "i:":
            return 3, int(rest)
        case _:
            return -1, rest


_remembered = lru_cache(8192)(_order)


def _value_order(value: Any) -> tuple[Any, ...]:
    if isinstance(value, bool):
        return 2, value
    if isinstance(value, int | float):
        return 0, value
    if isinstance(value, str):
        return 1, value
    if isinstance(value, list):
        return 3, tuple(map(_value_order, value))
    if isinstance(value, dict):
        return 4, tuple((name, _value_order(value[name])) for name in sorted(value))
    return (5,)


def text(element: str) -> str:
    """An element as it stands in messages: ``.spec``, ``[name="web"]``, ``[="a"]``, ``[3]``."""
    kind, rest = element[:2], element[2:]
    if kind == "f:":
        return f".{rest}"
    if kind == "k:":
        keys = ",".join(f"{name}={_encode(value).decode()}" for name, value in _decode(rest).items())
        return f"[{keys}]"
    return f"[={rest}]" if kind == "v:" else f"[{rest}]"


def path_text(path: tuple[str, ...]) -> str:
    """A path as it stands in messages: ``.spec.containers[name="web"].image``."""
    return "".join(map(text, path))


def canonical(element: str) -> str | None:
    """The one way to write an element; None for sorts of elements that are not known here.  Raises ValueError."""
    kind, rest = element[:2], element[2:]
    if kind == "f:":
        return element
    try:
        if kind == "k:":
            keys = _decode(rest)
            if not isinstance(keys, dict):
                raise ValueError(f"{element!r} does not hold keys")
            return by_key(keys)
        if kind == "v:":
            return by_value(_decode(rest))
        if kind == "i:":
            return f"i:{int(rest)}"
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None
    return None
