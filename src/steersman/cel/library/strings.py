"""The extended strings library, version 2."""

from __future__ import annotations

import re
from typing import Any

from steersman.cel.errors import CELError, CostExceeded
from steersman.cel.functions import free, member, rebuilding, tenth, traversal
from steersman.cel.values import cost_size, double_text, to_string

_MOST = 100_000_000
"""Characters of a result that nobody could pay for."""
_PRECISION = 1000
_RAISED = str.maketrans("0123456789-", "".join(map(chr, (0x2070, 0xB9, 0xB2, 0xB3, *range(0x2074, 0x207A), 0x207B))))
_LOWER = {code: code + 32 for code in range(65, 91)}
_UPPER = {code: code - 32 for code in range(97, 123)}
_SPACE = " \t\n\v\f\r\u0085\u00a0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
_CLAUSE = re.compile(r"%(?:(%)|(?:\.(\d+))?([a-zA-Z]))?", re.ASCII)
_QUOTED = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}


def char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise CELError(f"index out of range: {index}")
    return text[index : index + 1]


def substring(text: str, start: int, end: int | None = None) -> str:
    last = len(text) if end is None else end
    if end is not None and not 0 <= last <= len(text):
        raise CELError(f"index out of range: {last}")
    if not 0 <= start <= len(text):
        raise CELError(f"index out of range: {start}")
    if start > last:
        raise CELError(f"invalid substring range. start: {start}, end: {last}")
    return text[start:last]


def replace(text: str, old: str, new: str, count: int = -1) -> str:
    if (text.count(old) if old else len(text) + 1) * len(new) > _MOST:
        raise CostExceeded
    return text.replace(old, new, count)


def split(text: str, separator: str, count: int = -1) -> list[str]:
    if count == 0:
        return []
    if separator:
        return text.split(separator, count - 1 if count > 0 else -1)
    if 0 < count < len(text):
        return [*text[: count - 1], text[count - 1 :]]
    return list(text)


def join(parts: list[Any], separator: str = "") -> str:
    if not all(part.__class__ is str for part in parts):
        raise CELError("no such overload")
    return separator.join(parts)


def quote(text: str) -> str:
    return '"' + "".join(_QUOTED.get(character, character) for character in text) + '"'


def formatted(template: str, arguments: list[Any]) -> str:
    """``%s %d %f %e %b %o %x %X %%``, with a precision for ``f`` and ``e``."""
    given = iter(range(len(arguments)))

    def clause(match: re.Match[str]) -> str:
        if match[1]:
            return "%"
        if match[3] is None:
            raise CELError("could not parse formatting clause: unexpected end of string")
        index = next(given, None)
        if index is None:
            raise CELError(f"index {len(arguments)} out of range")
        if match[2] and int(match[2]) > _PRECISION:
            raise CELError(f"precision {match[2]} is too large")
        try:
            return _one(arguments[index], match[3], int(match[2]) if match[2] else 6)
        except (TypeError, ValueError, OverflowError) as error:
            raise CELError(f"error during formatting: {error}") from error

    return _CLAUSE.sub(clause, template)


def _one(value: Any, verb: str, precision: int) -> str:
    kind = value.__class__
    number = isinstance(value, int) and kind is not bool
    if verb == "s":
        return _shown(value)
    if verb == "d" and (number or (kind is float and value != value)):
        return str(int(value)) if number else "NaN"
    if verb in "fe" and (number or kind is float):
        if kind is float and value in (float("inf"), float("-inf")):
            return "Infinity" if value > 0 else "-Infinity"
        return _grouped(float(value), precision) if verb == "f" else _scientific(float(value), precision)
    if verb == "b" and (number or kind is bool):
        return format(int(value), "b")
    if verb == "o" and number:
        return format(int(value), "o")
    if verb in "xX" and number:
        return format(int(value), verb)
    if verb in "xX" and kind in (str, bytes):
        text: str = (value.encode() if kind is str else value).hex()
        return text.upper() if verb == "X" else text
    if verb not in "sdfebxXo":
        raise CELError(f'could not parse formatting clause: unrecognized formatting clause "{verb}"')
    raise CELError(f"error during formatting: type {kind.__name__} cannot be formatted by {verb}")


def _grouped(value: float, precision: int) -> str:
    """As English has it: thousands apart."""
    return format(value, f",.{precision}f")


def _scientific(value: float, precision: int) -> str:
    mantissa, _, exponent = format(value, f".{precision}e").partition("e")
    return f"{mantissa} \N{MULTIPLICATION SIGN} 10{exponent.lstrip('+').translate(_RAISED)}"


def _shown(value: Any) -> str:
    kind = value.__class__
    if value is None:
        return "null"
    if kind is list:
        return "[" + ", ".join(map(_shown, value)) + "]"
    if kind is dict:
        return "{" + ", ".join(sorted(f"{_shown(key)}: {_shown(item)}" for key, item in value.items())) + "}"
    return double_text(value) if kind is float else to_string(value)


def _joined(_arguments: Any, result: Any) -> int:
    return tenth(2 * cost_size(result))


FUNCTIONS = (
    member("charAt", char_at, "string int -> string"),
    member("lowerAscii", lambda s: s.translate(_LOWER), "string -> string", cost=traversal),
    member("upperAscii", lambda s: s.translate(_UPPER), "string -> string", cost=traversal),
    member("replace", replace, "string string string -> string", "string string string int -> string", cost=rebuilding),
    member("split", split, "string string -> list<string>", "string string int -> list<string>", cost=rebuilding),
    member("substring", substring, "string int -> string", "string int int -> string", cost=traversal),
    member("trim", lambda s: s.strip(_SPACE), "string -> string", cost=traversal),
    member("join", join, "list<string> -> string", "list<string> string -> string", cost=_joined),
    member("format", formatted, "string list<dyn> -> string", cost=traversal),
    free("strings.quote", quote, "string -> string", cost=traversal),
)
