"""The functions that Go's templates have by themselves; ``and`` and ``or`` are the compiler's."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

from .errors import TemplateError
from .values import equal, formatted, kind, less, number, truth


def index(value: Any, *keys: Any) -> Any:
    """The element of maps and lists, one in the other; None for a key that a map does not have."""
    for key in keys:
        if isinstance(value, dict):
            value = value.get(key)
            continue
        if value is None:
            raise TemplateError("index of untyped nil")
        if not isinstance(value, list | str):
            raise TemplateError(f"can't index item of type {kind(value)}")
        if not isinstance(key, int) or isinstance(key, bool):
            raise TemplateError(f"cannot index slice/array with type {kind(key)}")
        if not 0 <= key < len(value):
            raise TemplateError(f"index out of range: {key}")
        value = value[key] if isinstance(value, list) else value.encode()[key]
    return value


def slice_(value: Any, *bounds: int) -> Any:
    """``slice x 1 2`` is ``x[1:2]``."""
    if not isinstance(value, list | str):
        raise TemplateError(f"can't slice item of type {kind(value)}")
    if len(bounds) > 3 or (len(bounds) == 3 and isinstance(value, str)):
        raise TemplateError("too many slice indexes")
    low, high = (*bounds, *(0, len(value))[len(bounds) :])[:2] if len(bounds) < 3 else bounds[:2]
    if not 0 <= low <= high <= len(value):
        raise TemplateError(f"index out of range: {max(low, high)}")
    return value[low:high]


def length(value: Any) -> int:
    """Of a text in bytes, of lists and maps."""
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, dict | list):
        return len(value)
    raise TemplateError("len of nil pointer" if value is None else f"len of type {kind(value)}")


def equal_to_any(first: Any, *others: Any) -> bool:
    """Whether the first is like one of the others."""
    if not others:
        raise TemplateError("missing argument for comparison")
    return any(equal(first, other) for other in others)


def less_or_equal(first: Any, second: Any) -> bool:
    """Go's ``le``."""
    return less(first, second) or equal(first, second)


def print_(*values: Any) -> str:
    """The values, with space between two that are no texts."""
    result = ""
    for position, value in enumerate(values):
        if position and not isinstance(value, str) and not isinstance(values[position - 1], str):
            result += " "
        result += formatted(value)
    return result


def println(*values: Any) -> str:
    """The values with space between them, and the end of a line."""
    return " ".join(map(formatted, values)) + "\n"


_VERB = re.compile(r"%([-+# 0]*)(\d+|\*)?(?:\.(\d+))?([a-zA-Z%])")


def printf(form: str, *values: Any) -> str:
    """Fmt's ``Sprintf``."""
    remaining = list(values)

    def replace(match: re.Match[str]) -> str:
        flags, width, precision, verb = match.groups()
        if verb == "%":
            return "%"
        if width == "*":
            width = str(remaining.pop(0)) if remaining else ""
        if not remaining:
            return f"%!{verb}(MISSING)"
        return _padded(_verb(verb, flags, precision, remaining.pop(0)), flags, width)

    result = _VERB.sub(replace, form)
    if remaining:
        result += f"%!(EXTRA {', '.join(f'{kind(each)}={formatted(each)}' for each in remaining)})"
    return result


def _verb(verb: str, flags: str, precision: str | None, value: Any) -> str:
    sign = "+" if "+" in flags else " " if " " in flags else ""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    whole = isinstance(value, int) and not isinstance(value, bool)
    match verb:
        case "v" | "s" if verb == "v" or isinstance(value, str):
            shown = formatted(value)
            return (sign if is_number and not shown.startswith("-") else "") + (
                shown[: int(precision)] if precision and isinstance(value, str) else shown
            )
        case "s" if isinstance(value, dict | list):
            return formatted(value)
        case "d" if whole:
            return format(value, f"{sign}d")
        case "q" if isinstance(value, str):
            return json.dumps(value, ensure_ascii=False)
        case "t" if isinstance(value, bool):
            return formatted(value)
        case "T":
            return {"map": "map[string]interface {}", "slice": "[]interface {}", "invalid": "<nil>"}.get(
                kind(value), kind(value)
            )
        case "x" | "X" | "o" | "b" if whole:
            return format(value, ("#" if "#" in flags else "") + verb)
        case "x" | "X" if isinstance(value, str):
            shown = value.encode().hex()
            return shown.upper() if verb == "X" else shown
        case "c" if whole:
            return chr(value)
        case "e" | "E" | "f" | "F" if isinstance(value, float):
            return format(value, f"{sign}.{precision or 6}{verb}")
        case "g" | "G" if isinstance(value, float):
            return format(value, f"{sign}.{precision}{verb}") if precision else number(value)
    return f"%!{verb}({kind(value)}={formatted(value)})"


def _padded(shown: str, flags: str, width: str | None) -> str:
    if not width:
        return shown
    if "-" in flags:
        return shown.ljust(int(width))
    if "0" in flags and shown[:1] in "+-" and shown:
        return shown[0] + shown[1:].rjust(int(width) - 1, "0")
    return shown.rjust(int(width), "0" if "0" in flags else " ")


def _js(*values: Any) -> str:
    return json.dumps(print_(*values))[1:-1].replace("<", "\\u003C").replace(">", "\\u003E").replace("'", "\\'")


BUILTINS: dict[str, Callable[..., Any]] = {
    "not": lambda value: not truth(value),
    "eq": equal_to_any,
    "ne": lambda first, second: not equal(first, second),
    "lt": less,
    "le": less_or_equal,
    "gt": lambda first, second: not less_or_equal(first, second),
    "ge": lambda first, second: not less(first, second),
    "len": length,
    "index": index,
    "slice": slice_,
    "print": print_,
    "println": println,
    "printf": printf,
    "html": lambda *values: (
        html.escape(print_(*values), quote=True).replace("&#x27;", "&#39;").replace("&quot;", "&#34;")
    ),
    "js": _js,
    "urlquery": lambda *values: quote_plus(print_(*values)),
}
