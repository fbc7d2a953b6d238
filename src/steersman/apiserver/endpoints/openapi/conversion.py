"""Version 2 as version 3, for servers that speak version 2 alone.  Pure; the differences are OpenAPI 3.0's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from .documents import SECURITY
from .elsewhere import Foreign, Tree, renamed

_JSON = ("application/json",)
_ANY = ("*/*",)
_METHODS = frozenset({"delete", "get", "head", "options", "patch", "post", "put"})
_OF_PARAMETERS = frozenset({"description", "in", "name", "required"})
"""Members of parameters that stay where they are; the others say what their values are like."""


def version_3(part: Foreign, version: str) -> bytes:
    """A document of version 3."""
    names = {f"#/definitions/{name}": f"#/components/schemas/{name}" for name in part.definitions}
    paths = {path: _item(item, part.parameters) for path, item in part.paths.items()}
    document = {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": version},
        "paths": renamed(paths, names),
        "components": {"schemas": renamed(part.definitions, names), "securitySchemes": SECURITY},
    }
    return msgspec.json.encode(document)


def _item(item: Tree, shared: Mapping[str, Tree]) -> Tree:
    result: Tree = {}
    for name, value in item.items():
        if name in _METHODS:
            result[name] = _operation(value, shared)
        elif name == "parameters":
            result[name] = [_parameter(each) for each in _resolved(value, shared) if each.get("in") != "body"]
        else:
            result[name] = value
    return result


def _operation(operation: Tree, shared: Mapping[str, Tree]) -> Tree:
    left_out = ("consumes", "parameters", "produces", "responses", "schemes")
    result = {name: value for name, value in operation.items() if name not in left_out}
    parameters = _resolved(operation.get("parameters", ()), shared)
    if others := [_parameter(each) for each in parameters if each.get("in") != "body"]:
        result["parameters"] = others
    for body in parameters:
        if body.get("in") == "body":
            result["requestBody"] = {
                **{name: body[name] for name in ("description", "required") if name in body},
                "content": _content(operation.get("consumes") or _JSON, body.get("schema", {})),
            }
    result["responses"] = {
        code: _response(response, operation.get("produces") or _ANY)
        for code, response in operation.get("responses", {}).items()
    }
    return result


def _resolved(parameters: Sequence[Tree], shared: Mapping[str, Tree]) -> list[Tree]:
    """Parameters themselves, where references to shared ones stand."""
    return [shared.get(each.get("$ref", "").removeprefix("#/parameters/"), each) for each in parameters]


def _parameter(parameter: Tree) -> Tree:
    result = {name: value for name, value in parameter.items() if name in _OF_PARAMETERS}
    return {**result, "schema": {name: value for name, value in parameter.items() if name not in _OF_PARAMETERS}}


def _response(response: Tree, produced: Sequence[str]) -> Tree:
    result: Tree = {"description": response.get("description", "")}
    if "schema" in response:
        result["content"] = _content(produced, response["schema"])
    return result


def _content(media_types: Sequence[str], schema: Tree) -> Tree:
    return {media_type: {"schema": schema} for media_type in media_types}
