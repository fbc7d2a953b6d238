"""From a template's text to tokens: text as it is, and what stands between the braces."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from .errors import TemplateError

Type = Literal["text", "open", "close", "string", "number", "char", "name", "field", "variable", "sign"]


class Token(NamedTuple):
    """``spaced``: whether there is space before it, which tells ``.a .b`` from ``.a.b``."""

    type: Type
    value: str
    line: int
    spaced: bool = False


_OPEN = re.compile(r"\{\{(-\s)?")
_COMMENT = re.compile(r"\s*/\*.*?\*/\s*?(-?\}\})", re.DOTALL)
_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
  | (?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
  | (?P<char>'(?:[^'\\\n]|\\.)+')
  | (?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))
  | (?P<field>\.[^\W\d]\w*)
  | (?P<variable>\$\w*)
  | (?P<name>[^\W\d]\w*)
  | (?P<sign>:=|[.|(),=])
    """,
    re.VERBOSE,
)
_CLOSE = re.compile(r"(\s+-)?\}\}")
_SPACES = " \t\r\n"


def tokens(name: str, text: str) -> list[Token]:
    """The tokens of a template; raises TemplateError."""
    found: list[Token] = []
    position, trim = 0, False
    while True:
        start = _OPEN.search(text, position)
        plain = text[position : start.start() if start else len(text)]
        if trim:
            plain = plain.lstrip(_SPACES)
        if start and start[1]:
            plain = plain.rstrip(_SPACES)
        if plain:
            found.append(Token("text", plain, _line(text, position)))
        if start is None:
            return found
        position = start.end()
        if comment := _COMMENT.match(text, position):
            position, trim = comment.end(), comment[1].startswith("-")
            continue
        found.append(Token("open", "{{", _line(text, position)))
        position, trim = _action(name, text, position, found)


def _action(name: str, text: str, position: int, found: list[Token]) -> tuple[int, bool]:
    """Reads up to the closing braces; returns what follows them, and whether space after them goes."""
    spaced = True
    while True:
        if end := _CLOSE.match(text, position):
            found.append(Token("close", "}}", _line(text, position)))
            return end.end(), end[1] is not None
        match = _TOKEN.match(text, position)
        line = _line(text, position)
        if match is None:
            if position >= len(text):
                raise TemplateError(f"template: {name}:{line}: unclosed action")
            if text[position] in "\"'`":
                raise TemplateError(f"template: {name}:{line}: unterminated quoted string")
            raise TemplateError(f"template: {name}:{line}: unexpected {text[position]!r} in command")
        position = match.end()
        kind = match.lastgroup
        if kind == "space":
            spaced = True
            continue
        found.append(Token(kind, match[0], line, spaced))  # type: ignore[arg-type]
        spaced = False


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
