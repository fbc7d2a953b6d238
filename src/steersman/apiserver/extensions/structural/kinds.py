"""The types of JSON values as OpenAPI names them, and when two values are the same."""

from __future__ import annotations

from typing import Any

import msgspec

_KINDS = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    dict: "object",
    list: "array",
    type(None): "null",
}
_LARGEST = 2.0**53 - 1


def _plain(value: Any) -> float:
    """Numbers that keep how they were written (:class:`steersman.api.json_text.Number`)."""
    if isinstance(value, float):
        return float(value)
    raise NotImplementedError(f"objects of type {type(value)}")


_encoder = msgspec.json.Encoder(order="deterministic", enc_hook=_plain)


def kind(value: Any) -> str:
    """The type of a value; integers beyond 64 bits are numbers, as Go reads them."""
    name = _KINDS.get(value.__class__)
    if name is None:
        name = "number" if isinstance(value, float) else "string"
    if name == "integer" and not -(2**63) <= value < 2**63:
        return "number"
    return name


def is_number(value: Any) -> bool:
    """Whether a value is a number of any kind."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_whole(value: float) -> bool:
    """Whether a number counts as an integer although it is written with a fraction or an exponent."""
    if not -_LARGEST <= value <= _LARGEST:
        return False
    nearest = float(int(value))
    if value == nearest:
        return True
    return nearest != 0 and abs(value - nearest) / (abs(value) + abs(nearest)) < 1e-9


def text_of(value: Any) -> bytes:
    """A value as a text that is the same for equal values only."""
    return _encoder.encode(value)


def same(value: Any, other: Any) -> bool:
    """Whether two values are equal as JSON: true is not 1."""
    return bool(value == other) and text_of(value) == text_of(other)


def identity(value: Any) -> Any:
    """What stands for a value among others in a set."""
    if value.__class__ is str:
        return value
    return (value,) if is_number(value) else text_of(value)
