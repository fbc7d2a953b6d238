"""Objects that expressions build: ``Object{spec: Object.spec{…}}`` and ``JSONPatch{…}`` (KEP-3962).

No schema is known: any name of a type below ``Object``, and any field, is well until the object is used.  The checker
knows no type that has the name of another one's field, so that it sees ``Object_spec``, which is as long.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from .errors import CELError
from .values import Duration, Optional, Timestamp

PATCH = "JSONPatch"
PATCH_FIELDS = ("op", "path", "from", "value")
_TOKEN = re.compile(
    r"""(?P<skip>//[^\n]*|[bB]?[rR][bB]?(?:'''.*?'''|\"\"\".*?\"\"\"|'[^'\n]*'|"[^"\n]*")"""
    r"""|'''(?:\\.|.)*?'''|\"\"\"(?:\\.|.)*?\"\"\"|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*")"""
    r"""|(?P<type>(?<![\w.])Object(?:\.[A-Za-z_]\w*)*)(?=\s*\{)|(?P<field>[A-Za-z_]\w*)(?=\s*:)|[A-Za-z_][\w.]*""",
    re.ASCII | re.DOTALL,
)


class Source(NamedTuple):
    """An expression as the checker gets it."""

    text: str
    types: Mapping[str, str]
    """The types that it builds, by the names that the text has for them."""
    fields: frozenset[str]
    """What may be a field's name."""


def source(expression: str) -> Source:
    types = {"Object": "Object"}
    fields: set[str] = set()

    def token(match: re.Match[str]) -> str:
        if name := match["type"]:
            types[name.replace(".", "_")] = name
            return name.replace(".", "_")
        if match["field"]:
            fields.add(match["field"])
        return match[0]

    return Source(_TOKEN.sub(token, expression), types, frozenset(fields))


class Built(dict[str, Any]):
    """An object that an expression built."""

    __slots__ = ("type_name",)

    def __init__(self, type_name: str, fields: Mapping[str, Any]) -> None:
        super().__init__(fields)
        self.type_name = type_name


def build(type_name: str, fields: Mapping[str, Any]) -> Built:
    """Raises :class:`.errors.CELError` for a patch that is none."""
    if type_name == PATCH:
        for name in ("op", "path", "from"):
            if name in fields and fields[name].__class__ is not str:
                raise CELError(f"unexpected type {type(fields[name]).__name__} for JSONPatchType '{name}' field")
    return Built(type_name, fields)


def mismatches(value: Any, path: str = "Object") -> Iterator[str]:
    """Where an object's type has not the name of the field that it is in, in upstream's words."""
    if isinstance(value, Built):
        if value.type_name != path:
            yield (
                f'unexpected type name "{value.type_name}", expected "{path}", '
                "which matches field name path from root Object type"
            )
        for name, each in value.items():
            yield from mismatches(each, f"{path}.{name}")
    elif isinstance(value, list):
        for each in value:
            yield from mismatches(each, path)
    elif isinstance(value, dict):
        for each in value.values():
            yield from mismatches(each, path)


def plain(value: Any) -> Any:
    """JSON data; raises :class:`.errors.CELError` for what those cannot hold."""
    if isinstance(value, dict):
        if any(name.__class__ is not str for name in value):
            raise CELError("map keys must be strings")
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, Optional):
        return plain(value.value) if value.present else None
    if isinstance(value, Timestamp | Duration):
        return str(value)
    if value is None or isinstance(value, str | bool | int | float):
        return int(value) if isinstance(value, int) and value.__class__ is not bool else value
    raise CELError(f"a value of type {type(value).__name__} cannot be part of an object")
