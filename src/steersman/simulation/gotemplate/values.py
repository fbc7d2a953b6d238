"""How Go sees JSON data: what is true, how it prints, how it compares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .errors import TemplateError

NO_VALUE = "<no value>"


def truth(value: Any) -> bool:
    """Whether a value is not the zero value of its type: false, 0, empty, nil."""
    return bool(value)


def text(value: Any) -> str:
    """What an action prints."""
    return NO_VALUE if value is None else formatted(value)


def formatted(value: Any) -> str:
    """As fmt's ``%v`` has it."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case None:
            return "<nil>"
        case float():
            return number(value)
        case dict():
            return f"map[{' '.join(f'{key}:{formatted(value[key])}' for key in sorted(value, key=str))}]"
        case list() | tuple():
            return f"[{' '.join(map(formatted, value))}]"
    return str(value)


def number(value: float) -> str:
    """A float as fmt's ``%v`` has it: the shortest digits, with an exponent below -4 and from 21 on."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    mantissa, _, exponent = f"{value:e}".partition("e")
    if value and not -4 <= int(exponent) < 21:
        digits, _, power = repr(value).partition("e")
        if not power:
            mantissa = f"{value:.16e}".partition("e")[0].rstrip("0").rstrip(".")
            return f"{mantissa}e{int(exponent):+03d}"
        return f"{digits.removesuffix('.0')}e{int(power):+03d}"
    if value == int(value):
        return str(int(value))
    return format(value, "f").rstrip("0") if "e" in repr(value) else repr(value)


def kind(value: Any) -> str:
    """The name of a value's kind."""
    match value:
        case None:
            return "invalid"
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float64"
        case str():
            return "string"
        case dict():
            return "map"
        case list() | tuple():
            return "slice"
    return type(value).__name__


def _comparable(value: Any) -> str:
    return "number" if kind(value) in ("int", "float64") else kind(value)


def equal(first: Any, second: Any) -> bool:
    """Go's ``eq`` of two values: nothing is like nil but nil; raises TemplateError for other kinds."""
    if first is None or second is None:
        return first is None and second is None
    if isinstance(first, dict | list) or isinstance(second, dict | list):
        raise TemplateError(f"non-comparable type {formatted(first)}: {kind(first)}")
    if _comparable(first) != _comparable(second):
        raise TemplateError("incompatible types for comparison")
    return bool(first == second)


def less(first: Any, second: Any) -> bool:
    """Go's ``lt``; raises TemplateError for what has no order."""
    if _comparable(first) not in ("number", "string"):
        raise TemplateError("invalid type for comparison")
    if _comparable(first) != _comparable(second):
        raise TemplateError("incompatible types for comparison")
    return bool(first < second)


NUMBER_METHODS: dict[str, Callable[[Any], Any]] = {"Int64": int, "Float64": float, "String": formatted}
"""Those of ``json.Number``, which kwok reads numbers as."""
