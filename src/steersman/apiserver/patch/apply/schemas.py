"""The schema of any type: built in, or of custom resources."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from steersman.api.unstructured import Unstructured, is_unstructured

from . import builtin, structural
from .schema import Schema

_custom: WeakKeyDictionary[type[Unstructured], Schema] = WeakKeyDictionary()


def schema_of(type_: type[Any]) -> Schema:
    """The schema of a type of objects."""
    if not is_unstructured(type_):
        return builtin.schema_of(type_)
    if (schema := _custom.get(type_)) is None:
        openapi = type_.MODEL.openapi if type_.MODEL is not None else {}
        schema = _custom[type_] = structural.schema_from(openapi, root=True)
    return schema
