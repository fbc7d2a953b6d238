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
_KEYWORDS = _RESERVED - {"true", "false", "null", "in"}
"""What may be selected as it is as well."""
_ESCAPES = {".": "__dot__", "-": "__dash__", "/": "__slash__"}
REQUEST = 3 * 1024 * 1024
"""Bytes of a request: what has no limit of its own is no larger."""
_LONGEST = REQUEST - 2
_FORMATS = {
    "byte": ("bytes", _LONGEST, 2),
    "duration": ("duration", 32, 3),
    "date": ("timestamp", 12, 12),
    "date-time": ("timestamp", 32, 21),
}
"""The kind that a format of text makes, the most characters and the fewest bytes of JSON it has."""


@dataclass(eq=False, slots=True)
class Decl:
    kind: str
    """``object list map string bytes int uint double bool timestamp duration dyn optional``, or a library's type."""
    fields: dict[str, tuple[str, Decl]] = field(default_factory=dict)
    """An object's, by the name as expressions write it: the name in the data, and the type."""
    element: Decl | None = None
    size: int = 0
    """The largest number of elements or characters there can be."""
    list_type: str = "atomic"
    keys: tuple[str, ...] = ()
    least: int = 1
    """The fewest bytes of JSON that a value takes."""
    holds_nulls: bool = False
    """An object's members may be null, and are there for all that."""

    @property
    def hides_nulls(self) -> bool:
        """Whether a member that is null is not there: so it is in objects, not in maps."""
        return self.kind == "object" and not self.holds_nulls


DYN = Decl("dyn", size=_LONGEST)
BOOL, INT, UINT, DOUBLE = Decl("bool", least=4), Decl("int"), Decl("uint"), Decl("double")
STRING, BYTES = Decl("string", size=_LONGEST, least=2), Decl("bytes", size=_LONGEST, least=2)
TIMESTAMP, DURATION = Decl("timestamp", least=21), Decl("duration", least=3)
_META = Decl("object", {"name": ("name", STRING), "generateName": ("generateName", STRING)}, least=2)


def optional(declared: Decl) -> Decl:
    """What may be absent."""
    return Decl("optional", element=declared)


def escape(name: str) -> str | None:
    """A property's name as expressions write it, ``None`` for one that they cannot."""
    if name in _RESERVED:
        return f"__{name}__"
    if _IDENTIFIER.fullmatch(name):
        return name.replace("__", "__underscores__")
    if not _PROPERTY.fullmatch(name):
        return None
    return re.sub(r"[.\-/]", lambda match: _ESCAPES[match[0]], name.replace("__", "__underscores__"))


def from_schema(schema: Mapping[str, Any], *, resource: bool = False) -> Decl | None:
    """What expressions see of a schema's values, ``None`` where that is nothing: members without a type are hidden.

    ``resource``: the schema is an object's with apiVersion, kind and metadata.
    """
    if schema.get("x-kubernetes-int-or-string"):
        longest = schema.get("maxLength")
        return Decl("dyn", size=_LONGEST if longest is None else 4 * max(longest, 0))
    kind = "object" if resource else schema.get("type")
    if kind == "array":
        return _list(schema)
    if kind == "object":
        values = schema.get("additionalProperties")
        return _map(schema, values) if isinstance(values, Mapping) else _object(schema, resource)
    if kind == "string":
        return _text(schema)
    return {"integer": INT, "number": DOUBLE, "boolean": BOOL}.get(str(kind))


def _nested(schema: Mapping[str, Any]) -> Decl | None:
    return from_schema(schema, resource=bool(schema.get("x-kubernetes-embedded-resource")))


def _list(schema: Mapping[str, Any]) -> Decl | None:
    element = _nested(schema.get("items") or {})
    if element is None:
        return None
    return Decl(
        "list",
        element=element,
        size=_limit(schema.get("maxItems"), _LONGEST // (element.least + 1)),
        list_type=schema.get("x-kubernetes-list-type") or "atomic",
        keys=tuple(schema.get("x-kubernetes-list-map-keys") or ()),
        least=2,
    )


def _map(schema: Mapping[str, Any], values: Mapping[str, Any]) -> Decl | None:
    element = _nested(values)
    if element is None:
        return None
    size = _limit(schema.get("maxProperties"), _LONGEST // (element.least + 6))
    return Decl("map", element=element, size=size, least=2)


def _object(schema: Mapping[str, Any], resource: bool) -> Decl:
    fields: dict[str, tuple[str, Decl]] = {}
    required = schema.get("required") or ()
    least = 2
    for name, nested in (schema.get("properties") or {}).items():
        declared = _nested(nested)
        if declared is None:
            continue
        if (escaped := escape(name)) is not None:
            fields[escaped] = (name, declared)
            if name in _KEYWORDS:
                fields[name] = (name, declared)
        if name in required and nested.get("default") is None:
            least += len(name) + declared.least + 4
    if resource:
        for name in ("apiVersion", "kind"):
            if name not in fields or fields[name][1].kind != "string":
                fields[name] = (name, STRING)
        meta = fields["metadata"][1].fields if "metadata" in fields else {}
        if any(name not in meta or meta[name][1].kind != "string" for name in ("name", "generateName")):
            fields["metadata"] = ("metadata", _META)
    return Decl("object", fields, least=least)


def _text(schema: Mapping[str, Any]) -> Decl:
    longest = schema.get("maxLength")
    if (form := _FORMATS.get(schema.get("format", ""))) is not None:
        kind, size, least = form
        return Decl(kind, size=_limit(longest, size) if kind == "bytes" else size, least=least)
    if longest is not None:
        return Decl("string", size=4 * max(longest, 0), least=2)
    allowed = [len(each.encode()) for each in schema.get("enum") or () if isinstance(each, str)]
    return Decl("string", size=max(allowed) if allowed else _LONGEST, least=2)


def _limit(declared: int | None, otherwise: int) -> int:
    return max(declared, 0) if declared is not None else otherwise
