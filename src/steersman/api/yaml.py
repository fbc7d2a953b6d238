"""YAML as Kubernetes reads it (sigs.k8s.io/yaml): YAML 1.1 scalars without timestamps and sexagesimals.

The tree is built from the parser's events, without recursion, so that neither nesting nor aliases can
exhaust anything.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections.abc import Iterator
from typing import Any

import yaml

from .bounds import MOST_OBJECTS, MOST_VALUES, too_much

MAX_DEPTH = 500
_ALIASED_LIMIT = 100_000
_MOST_EVENTS = 2 * MOST_VALUES

_BOOLEANS = {
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
}
_NULLS = {"", "~", "null", "Null", "NULL"}
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_STANDARD = "tag:yaml.org,2002:"
_START = "0123456789+-."


class YAMLError(ValueError):
    """A text that cannot be read; the message begins with ``yaml:`` like upstream's."""


def load_yaml(data: bytes | str, duplicates: list[str] | None = None) -> Any:
    """The first document as JSON data; None where there is none.

    A key that occurs twice is an error, unless a list is given to note it in; then the last one counts.
    Raises :class:`YAMLError`.
    """
    return next(load_documents(data, duplicates), None)


def load_documents(data: bytes | str, duplicates: list[str] | None = None) -> Iterator[Any]:
    """Every document of a stream."""
    try:
        loader = yaml.CSafeLoader(data)
        try:
            while loader.check_event():
                event = loader.get_event()
                if isinstance(event, yaml.DocumentStartEvent):
                    found: list[str] = []
                    document = _Builder(found).build(loader)
                    if found and duplicates is None:
                        raise YAMLError("yaml: unmarshal errors:\n  " + "\n  ".join(found))
                    if duplicates is not None:
                        duplicates += found
                    yield document
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise YAMLError(f"yaml: {line}{error.problem}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise YAMLError(f"yaml: {error}") from None


def resolve(text: str) -> Any:
    """What a plain scalar means."""
    if text in _NULLS:
        return None
    if (boolean := _BOOLEANS.get(text)) is not None:
        return boolean
    if text[0] not in _START:
        return text
    digits = text.replace("_", "")
    if match := _INTEGER.fullmatch(digits):
        sign, hexadecimal, binary, octal, decimal = match.groups()
        if hexadecimal:
            number = int(hexadecimal, 16)
        elif binary:
            number = int(binary, 2)
        elif octal:
            number = int(octal, 8)
        else:
            # Longer ones are floating-point numbers all the same, and int() is slow on them.
            number = int(decimal) if len(decimal) <= 20 else 2**64
        if number < 2**64:
            return -number if sign == "-" else number
    if _FLOAT.fullmatch(digits):
        value = float(digits)
        if not math.isfinite(value):
            return text
        return int(value) if value.is_integer() and abs(value) < 1e21 else value
    if _SPECIAL.fullmatch(text):
        raise YAMLError(f"json: unsupported value: {text.lstrip('+.-')}")
    return text


class _Frame:
    """A collection under construction; ``size`` counts the nodes in it, aliases expanded."""

    __slots__ = ("anchor", "key", "merges", "node", "size", "waiting")

    def __init__(self, node: Any, anchor: str | None) -> None:
        self.node = node
        self.anchor = anchor
        self.size = 1
        self.waiting = True
        self.key: Any = None
        self.merges: list[Any] = []


_MERGE = object()


class _Builder:
    def __init__(self, duplicates: list[str]) -> None:
        self._duplicates = duplicates
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._open: list[_Frame] = []
        self._aliased = 0
        self._objects = 0
        self._values = 0
        self._result: Any = None

    def build(self, loader: Any) -> Any:
        while True:
            event = loader.get_event()
            line = event.start_mark.line + 1
            self._values += 1
            if self._values > _MOST_EVENTS or self._objects > MOST_OBJECTS:
                raise too_much()
            if isinstance(event, yaml.ScalarEvent):
                value = self._scalar(event)
                if event.anchor:
                    self._anchors[event.anchor] = (value, 1)
                self._add(value, 1, line)
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event, line)
            elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
                if len(self._open) >= MAX_DEPTH:
                    raise YAMLError("yaml: exceeded max depth")
                self._objects += 1
                node: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
                self._open.append(_Frame(node, event.anchor))
            elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
                frame = self._open.pop()
                for merged in frame.merges:
                    for key, value in merged.items():
                        frame.node.setdefault(key, value)
                if frame.anchor:
                    self._anchors[frame.anchor] = (frame.node, frame.size)
                self._add(frame.node, frame.size, line)
            elif isinstance(event, yaml.DocumentEndEvent):
                return self._result

    def _alias(self, event: Any, line: int) -> None:
        if any(frame.anchor == event.anchor for frame in self._open):
            raise YAMLError(f"yaml: anchor '{event.anchor}' value contains itself")
        if event.anchor not in self._anchors:
            raise YAMLError(f"yaml: unknown anchor '{event.anchor}' referenced")
        value, size = self._anchors[event.anchor]
        self._aliased += size
        if self._aliased > _ALIASED_LIMIT:
            raise YAMLError("yaml: document contains excessive aliasing")
        self._add(value, size, line)

    def _add(self, value: Any, size: int, line: int) -> None:
        if not self._open:
            self._result = value
            return
        frame = self._open[-1]
        frame.size += size
        if isinstance(frame.node, list):
            frame.node.append(None if value is _MERGE else value)
        elif frame.waiting:
            frame.key = value if value is _MERGE else _key(value)
            if frame.key is not _MERGE and frame.key in frame.node:
                self._duplicates.append(f'line {line}: key "{frame.key}" already set in map')
            frame.waiting = False
        else:
            frame.waiting = True
            if frame.key is not _MERGE:
                frame.node[frame.key] = None if value is _MERGE else value
                return
            sources = value if isinstance(value, list) else [value]
            if not all(isinstance(source, dict) for source in sources):
                raise YAMLError("yaml: map merge requires map or sequence of maps as the value")
            frame.merges += sources

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        plain, _ = event.implicit
        if event.tag in (None, "!") or not event.tag.startswith(_STANDARD):
            if not plain or event.style:
                return text
            return _MERGE if text == "<<" else resolve(text)
        match event.tag.removeprefix(_STANDARD):
            case "binary":
                try:
                    return base64.b64decode(text).decode("utf-8", "replace")
                except binascii.Error:
                    raise YAMLError("yaml: !!binary value contains invalid base64 data") from None
            case "str":
                return text
            case "float":
                value = resolve(text)
                return float(value) if isinstance(value, int) else value
            case "merge":
                return _MERGE
            case _:
                return resolve(text)


def _key(value: Any) -> str:
    """The JSON name that a YAML key becomes."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return format(value, "g")
    if value is None:
        return "null"
    raise YAMLError(f"yaml: invalid map key: {value!r}")
