"""Cells of tables of custom resources (``additionalPrinterColumns``), and what their selectable fields say."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from steersman.api.tables.printer import UNKNOWN, human_duration
from steersman.api.time import parse_rfc3339
from steersman.api.types.apiextensions_v1 import CustomResourceColumnDefinition

from .jsonpath import JSONPath
from .structural.kinds import text_of

Cell = str | int | float | bool | None
Column = Callable[[Any, datetime], Cell]
"""The cell of an object, now."""

_MISSING = object()


def compile_column(definition: CustomResourceColumnDefinition) -> Column:
    """A column; raises :class:`.jsonpath.JSONPathError`."""
    path = JSONPath(definition.json_path)
    type_ = definition.type

    def cell(obj: Any, now: datetime) -> Cell:
        value = path.first(obj, _MISSING)
        if value is _MISSING:
            return None
        return _text(value) if type_ == "string" else _typed(type_, value, now)

    return cell


def selected(path: JSONPath, obj: Any) -> str:
    """What a field selector compares with: texts, numbers and booleans as they are written; else nothing."""
    value = path.first(obj)
    return _text(value) if isinstance(value, str | int | float) else ""


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "<no value>" if value is None else text_of(value).decode()


def _typed(type_: str, value: Any, now: datetime) -> Cell:
    """A value that does not fit its column leaves the cell empty."""
    if type_ == "boolean":
        return value if isinstance(value, bool) else None
    if type_ == "date":
        return _age(value, now) if isinstance(value, str) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if type_ == "integer" else value


def _age(value: str, now: datetime) -> str:
    if value in ("", "null"):
        return UNKNOWN
    try:
        return human_duration((now - parse_rfc3339(value)).total_seconds())
    except ValueError:
        return "<invalid>"
