"""Schemas from structural OpenAPI schemas, those of custom resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steersman.api.types.meta_v1 import ObjectMeta

from .builtin import schema_of
from .schema import DEDUCED, SCALAR, Scalar, Schema

_SCALARS: Mapping[str, Scalar] = {
    "string": "string",
    "integer": "numeric",
    "number": "numeric",
    "boolean": "boolean",
}


def schema_from(openapi: Mapping[str, Any], *, root: bool = False) -> Schema:
    """The schema that an OpenAPI schema describes; at the ``root``, with kind, version and metadata of an object."""
    if openapi.get("x-kubernetes-int-or-string"):
        return SCALAR
    if not root and openapi.get("x-kubernetes-embedded-resource"):
        root = True
    match openapi.get("type"):
        case "object":
            return _map(openapi, root)
        case "array":
            return _list(openapi)
        case str(name) if name in _SCALARS:
            return Schema("scalar", scalar=_SCALARS[name])
        case _:
            return _map(openapi, root) if root else DEDUCED


def _map(openapi: Mapping[str, Any], root: bool) -> Schema:
    properties: Mapping[str, Any] = openapi.get("properties") or {}
    additional = openapi.get("additionalProperties")
    item: Schema | None = None
    if isinstance(additional, Mapping):
        item = schema_from(additional)
    elif additional or openapi.get("x-kubernetes-preserve-unknown-fields") or not (properties or root):
        item = DEDUCED

    def members() -> Mapping[str, Schema]:
        result = {name: schema_from(each) for name, each in properties.items()}
        if root:
            text = Schema("scalar", scalar="string")
            result |= {"kind": text, "apiVersion": text, "metadata": schema_of(ObjectMeta)}
        return result

    return Schema("map", members=members, item=item, atomic=openapi.get("x-kubernetes-map-type") == "atomic")


def _list(openapi: Mapping[str, Any]) -> Schema:
    items: Mapping[str, Any] = openapi.get("items") or {}
    item = schema_from(items)
    match openapi.get("x-kubernetes-list-type"):
        case "set":
            return Schema("list", item=item)
        case "map":
            keys = tuple(openapi.get("x-kubernetes-list-map-keys") or ())
            properties: Mapping[str, Any] = items.get("properties") or {}
            defaults = {key: properties[key]["default"] for key in keys if "default" in properties.get(key, {})}
            return Schema("list", item=item, keys=keys, defaults=defaults)
        case _:
            return Schema("list", item=item, atomic=True)
