"""Schemas of custom resources as the documents publish them, from what their definitions say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from steersman.api.scheme import Resource
from steersman.api.unstructured import Unstructured

Tree = dict[str, Any]


_KIND = "x-kubernetes-group-version-kind"
_PRESERVE = "x-kubernetes-preserve-unknown-fields"
_JUNCTORS = ("allOf", "anyOf", "oneOf", "not")
_UNPUBLISHED = ("$ref", "$schema", "id", "definitions", "dependencies", "patternProperties", "additionalItems")


def package_name(type_: type[Unstructured]) -> str:
    """Where a kind's definitions are: ``com.example.v1`` for ``example.com/v1``."""
    group, _, version = type_.API_VERSION.rpartition("/")
    return ".".join((*reversed(group.split(".")), version))


def object_schema(type_: type[Unstructured], header: Mapping[str, Tree], *, v2: bool) -> Tree:
    """The schema of a kind's objects; ``header`` are the members that all objects have."""
    openapi = type_.MODEL.openapi if type_.MODEL is not None else {}
    group, _, version = type_.API_VERSION.rpartition("/")
    kind = {_KIND: [{"group": group, "kind": type_.KIND, "version": version}]}
    if not openapi or (v2 and openapi.get(_PRESERVE)):
        # With members of its own, old kubectl would allow no others.
        return {"type": "object", **kind}
    schema = _published(openapi, v2=v2)
    schema["properties"] = {**schema.get("properties", {}), **header}
    return {**schema, **kind}


def list_schema(resource: Resource[Any], header: Mapping[str, Tree], item: Tree) -> Tree:
    """The schema of a kind's lists."""
    kind = {"group": resource.group, "kind": resource.list_kind, "version": resource.version}
    return {
        "type": "object",
        "required": ["items"],
        "properties": {**header, "items": {"type": "array", "items": item}},
        _KIND: [kind],
    }


def _published(schema: Mapping[str, Any], *, v2: bool) -> Tree:
    """A schema as it is published: in version 2, without what that does not know or old clients stumble over."""
    result: Tree = {name: value for name, value in schema.items() if name not in _UNPUBLISHED}
    if v2:
        for name in _JUNCTORS:
            result.pop(name, None)
        nullable, preserve = result.pop("nullable", False), result.get(_PRESERVE)
        if nullable or preserve:
            result.pop("items", None)
            result.pop("properties", None)
        if nullable or (preserve and result.get("type") == "object"):
            result.pop("type", None)
        if "items" not in result and result.get("type") == "array":
            result.pop("type")
        if "required" in result and not (required := list(_demanded(result))):
            del result["required"]
        elif "required" in result:
            result["required"] = required
    if isinstance(properties := result.get("properties"), Mapping):
        result["properties"] = {name: _published(each, v2=v2) for name, each in properties.items()}
    for name in ("items", "additionalProperties"):
        if isinstance(nested := result.get(name), Mapping):
            result[name] = _published(nested, v2=v2)
    return result


def _demanded(schema: Tree) -> Iterator[str]:
    """Members that must be there; in version 2 one that may be null may be absent."""
    properties = schema.get("properties") or {}
    for name in schema["required"]:
        if not (isinstance(each := properties.get(name), Mapping) and each.get("nullable")):
            yield name
