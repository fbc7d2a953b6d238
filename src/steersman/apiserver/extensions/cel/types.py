"""The declared type of a variable, as a structural schema gives it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_PROPERTY = re.compile(r"[A-Za-z_.\-/][A-Za-z0-9_.\-/]*", re.ASCII)
_RESERVED = frozenset(
    (
        "true",
        "false",
        "null",
        "in",
        "as",
        "break",
        "const",
        "continue",
        "else",
        "for",
        "function",
        "if",
        "import",
        "let",
        "loop",
        "package",
        "namespace",
        "return",
        "var",
        "void",
        "while",
    )
)
_ESCAPES = {".": "__dot__", "-": "__dash__", "/": "__slash__"}
_LARGEST = 3 * 1024 * 1024
"""Bytes of a request: what has no limit of its own is no larger."""
_FORMATS = {"byte": "bytes", "date": "timestamp", "date-time": "timestamp", "duration": "duration"}


@dataclass(eq=False, slots=True)
class Decl:
    kind: str
    """``object list map string bytes int uint double bool timestamp duration dyn``, or a library's type."""
    fields: dict[str, tuple[str, Decl]] = field(default_factory=dict)
    """An object's, by the name as expressions write it: the name in the data, and the type."""
    element: Decl | None = None
    size: int = 0
    """The largest number of elements or characters there can be."""
    list_type: str = "atomic"
    keys: tuple[str, ...] = ()


DYN = Decl("dyn", size=_LARGEST)
BOOL, INT, UINT, DOUBLE = Decl("bool"), Decl("int"), Decl("uint"), Decl("double")
STRING, BYTES = Decl("string", size=_LARGEST), Decl("bytes", size=_LARGEST)
TIMESTAMP, DURATION = Decl("timestamp"), Decl("duration")
_META = Decl("object", {"name": ("name", STRING), "generateName": ("generateName", STRING)})
_RESOURCE = {"apiVersion": ("apiVersion", STRING), "kind": ("kind", STRING), "metadata": ("metadata", _META)}


def escape(name: str) -> str | None:
    """A property's name as expressions write it, ``None`` for one that they cannot."""
    if name in _RESERVED:
        return f"__{name}__"
    if _IDENTIFIER.fullmatch(name):
        return name.replace("__", "__underscores__")
    if not _PROPERTY.fullmatch(name):
        return None
    return re.sub(r"[.\-/]", lambda match: _ESCAPES[match[0]], name.replace("__", "__underscores__"))


def from_schema(schema: Mapping[str, Any], *, resource: bool = False) -> Decl:
    """``resource``: the schema is an object's with apiVersion, kind and metadata."""
    if schema.get("x-kubernetes-int-or-string"):
        return DYN
    embedded = resource or bool(schema.get("x-kubernetes-embedded-resource"))
    kind = schema.get("type")
    properties = schema.get("properties")
    if kind == "object" and (properties or embedded):
        fields: dict[str, tuple[str, Decl]] = {}
        for name, nested in (properties or {}).items():
            escaped = escape(name)
            if escaped is not None:
                fields[escaped] = (name, from_schema(nested))
        if embedded:
            fields = {**fields, **_RESOURCE}
        return Decl("object", fields)
    if kind == "object":
        values = schema.get("additionalProperties")
        if not isinstance(values, Mapping):
            return DYN
        element = from_schema(values)
        return Decl("map", element=element, size=_limit(schema.get("maxProperties"), _least(element) + 6))
    if kind == "array":
        element = from_schema(schema.get("items") or {})
        size = _limit(schema.get("maxItems"), _least(element) + 1)
        keys = tuple(schema.get("x-kubernetes-list-map-keys") or ())
        return Decl(
            "list", element=element, size=size, list_type=schema.get("x-kubernetes-list-type", "atomic"), keys=keys
        )
    if kind == "string":
        form = _FORMATS.get(schema.get("format", ""), "string")
        return Decl(form, size=_limit(schema.get("maxLength"), 1))
    return {"integer": INT, "number": DOUBLE, "boolean": BOOL}.get(str(kind), DYN)


def _limit(declared: int | None, smallest: int) -> int:
    return declared if declared is not None else (_LARGEST - 2) // smallest


def _least(declared: Decl) -> int:
    """The fewest bytes of JSON that a value takes."""
    return {"bool": 4, "int": 1, "double": 1, "timestamp": 12, "duration": 3, "dyn": 1}.get(declared.kind, 2)
