"""What Go's JSON decoder says of a text that is none, by what Python's says of it."""

from __future__ import annotations

import json
from json import JSONDecodeError

END = "unexpected end of JSON input"
_LITERALS = {"t": "true", "f": "false", "n": "null"}
_HEX = frozenset("0123456789abcdefABCDEF")
_NUMERAL = frozenset("0123456789+-.eE")
_PLACES = {
    "Expecting ':' delimiter": "after object key",
    "Expecting property name enclosed in double quotes": "looking for beginning of object key string",
}


def fault(error: JSONDecodeError) -> str:
    """The fault, in Go's words."""
    text, position, message = error.doc, error.pos, error.msg
    if not text[position:].strip(" \t\r\n") or message.startswith("Unterminated"):
        return END
    if message == "Expecting value":
        return _value(text, position)
    if message in ("Expecting ',' delimiter", "Extra data"):
        return _number(text, position) or unexpected(text, position, _container(text, position, message))
    if message.startswith("Invalid \\u"):
        digits = range(position + 1, position + 5)
        wrong = next((place for place in digits if text[place : place + 1] not in _HEX), position)
        return unexpected(text, wrong, r"in \u hexadecimal character escape")
    if message.startswith("Invalid \\"):
        return unexpected(text, position + 1, "in string escape code")
    return unexpected(text, position, _PLACES.get(message, "in string literal"))


def constant(text: str) -> str:
    """The fault of ``NaN`` and ``Infinity``, which Python reads."""
    return unexpected(text, 1, "in numeric literal") if text[0] == "-" else _value(text, 0)


def unexpected(text: str, position: int, place: str) -> str:
    """A character, or the end, where another was expected."""
    if position >= len(text):
        return END
    return f"invalid character {_quoted(text[position])} {place}"


def _value(text: str, position: int) -> str:
    first = text[position]
    if first == "-":
        return unexpected(text, position + 1, "in numeric literal")
    literal = _LITERALS.get(first, "")
    for offset, expected in enumerate(literal):
        if text[position + offset : position + offset + 1] != expected:
            return unexpected(text, position + offset, f"in literal {literal} (expecting {_quoted(expected)})")
    return unexpected(text, position, "looking for beginning of value")


def _number(text: str, position: int) -> str:
    """The fault of a number that is broken off: Python takes what stands before the point for the number."""
    if not text[position - 1].isdigit() or text[position] not in ".eE":
        return ""
    start = position
    while start and text[start - 1] in _NUMERAL:
        start -= 1
    number = text[start:position].lower()
    if text[position] == ".":
        whole = "." not in number and "e" not in number
        return unexpected(text, position + 1, "after decimal point in numeric literal") if whole else ""
    if "e" in number:
        return ""
    digits = position + (2 if text[position + 1 : position + 2] in ("+", "-") else 1)
    return unexpected(text, digits, "in exponent of numeric literal")


def _container(text: str, position: int, message: str) -> str:
    """What has ended before this place: found out by how the text could go on."""
    if message == "Extra data":
        return "after top-level value"
    try:
        json.loads(text[:position] + ",0")
    except JSONDecodeError as error:
        if error.msg in _PLACES:
            return "after object key:value pair"
    return "after array element"


def _quoted(character: str) -> str:
    """A character as Go's decoder quotes it."""
    if character == "'":
        return r"'\''"
    if "\x7f" < character <= "\uffff" and not character.isprintable():
        return f"'\\u{ord(character):04x}'"
    return repr(character)
