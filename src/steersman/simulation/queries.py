"""jq's expressions, as stages ask objects with them.

What is no more than a path (with ``[]``, and with ``select`` by comparing a path to a text) becomes closures;
everything else is jq's own, by the package ``jq``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

Query = Callable[[Any], list[Any]]
"""All results for some JSON data; none where there was an error."""

_STEP = re.compile(
    r"""
    \.(?P<name>[A-Za-z_]\w*)\??
  | \.?\[\s*(?P<text>"(?:[^"\\]|\\.)*")\s*\]\??
  | \.(?P<quoted>"(?:[^"\\]|\\.)*")\??
  | (?P<each>\.?\[\s*\])\??
  | \.?\[\s*(?P<number>-?\d+)\s*\]\??
    """,
    re.VERBOSE,
)
_SELECT = re.compile(
    r"select\s*\(\s*(?P<path>\.[^=!<>|]*?)\s*==\s*(?P<value>\"(?:[^\"\\]|\\.)*\"|true|false|-?\d+)\s*\)"
)


class _Failed(Exception):
    """jq would have stopped here."""


Step = Callable[[list[Any]], list[Any]]


def compile_query(text: str) -> Query:
    """A query; raises ValueError for what is none, or where it needs jq and that is not installed."""
    steps = _steps(text.strip())
    if steps is None:
        return _jq(text)

    def query(data: Any) -> list[Any]:
        values = [data]
        try:
            for step in steps:
                values = step(values)
        except _Failed:
            return []
        return values

    return query


def _steps(text: str) -> list[Step] | None:
    """None for what is more than paths and selections."""
    found: list[Step] = []
    for number, part in enumerate(_parts(text)):
        if select := _SELECT.fullmatch(part):
            path = _path(select["path"].strip())
            if path is None or not number:
                return None
            found.append(_selection(path, json.loads(select["value"])))
            continue
        path = _path(part)
        if path is None:
            return None
        found += path
    return found


def _parts(text: str) -> list[str]:
    """What stands between bars outside of texts and brackets."""
    parts, depth, quoted, start = [], 0, False, 0
    for position, letter in enumerate(text):
        if letter == '"' and text[position - 1 : position] != "\\":
            quoted = not quoted
        elif not quoted:
            depth += (letter in "([{") - (letter in ")]}")
            if letter == "|" and not depth:
                parts.append(text[start:position].strip())
                start = position + 1
    return [*parts, text[start:].strip()]


def _path(text: str) -> list[Step] | None:
    if text == ".":
        return []
    steps: list[Step] = []
    position = 0
    while position < len(text):
        match = _STEP.match(text, position)
        if match is None or text[position] not in ".[" or (not position and text[0] != "."):
            return None
        position = match.end()
        lenient = match[0].endswith("?")
        if match["each"]:
            steps.append(_each(lenient))
        elif match["number"]:
            steps.append(_place(int(match["number"]), lenient))
        else:
            steps.append(_member(match["name"] or json.loads(match["text"] or match["quoted"]), lenient))
    return steps


def _member(name: str, lenient: bool) -> Step:
    def step(values: list[Any]) -> list[Any]:
        found = []
        for value in values:
            if isinstance(value, dict):
                found.append(value.get(name))
            elif value is None:
                found.append(None)
            elif not lenient:
                raise _Failed
        return found

    return step


def _each(lenient: bool) -> Step:
    def step(values: list[Any]) -> list[Any]:
        found: list[Any] = []
        for value in values:
            if isinstance(value, list):
                found += value
            elif isinstance(value, dict):
                found += value.values()
            elif not lenient:
                raise _Failed
        return found

    return step


def _place(number: int, lenient: bool) -> Step:
    def step(values: list[Any]) -> list[Any]:
        found: list[Any] = []
        for value in values:
            if isinstance(value, list):
                found.append(value[number] if -len(value) <= number < len(value) else None)
            elif value is None:
                found.append(None)
            elif not lenient:
                raise _Failed
        return found

    return step


def _selection(path: list[Step], wanted: Any) -> Step:
    def step(values: list[Any]) -> list[Any]:
        found: list[Any] = []
        for value in values:
            results = [value]
            for each in path:
                results = each(results)
            found += [value for result in results if type(result) is type(wanted) and result == wanted]
        return found

    return step


def _jq(text: str) -> Query:
    try:
        import jq
    except ImportError:
        raise ValueError(f"{text!r} needs jq; install it with: pip install 'steersman[simulation]'") from None
    try:
        program = jq.compile(text)
        program.input_value(None)
    except ValueError as error:
        fault, _, _ = str(error).strip().partition("\n")  # what follows shows the text once more
        raise ValueError(f"{text!r} is no expression of jq: {fault.removeprefix('jq: error: ').rstrip(':')}") from None

    def query(data: Any) -> list[Any]:
        try:
            return list(program.input_value(data).all())
        except ValueError:
            return []

    return query
