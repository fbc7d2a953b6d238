"""What Go's messages call JSON data."""

from __future__ import annotations

from typing import Any

from steersman.api.lenient import json_kind

_NAMES = {
    "null": "<nil>",
    "bool": "bool",
    "string": "string",
    "array": "[]interface {}",
    "object": "map[string]interface {}",
}


def go_type(value: Any) -> str:
    """The type that unstructured objects hold a value in."""
    kind = json_kind(value)
    if kind == "number":
        return "int64" if isinstance(value, int) else "float64"
    return _NAMES[kind]
