"""Says in pieces what an OpenAPI document consists of, in either dialect."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any, Literal, NamedTuple

import msgspec

from steersman.api.scheme import Resource
from steersman.api.types import meta_v1

from .paths import Operation, PathItem, paths
from .schemas import PATCH, Descriptions, Dialect, Schemas
from .server_paths import ServerPath

_SPECIAL = {
    "Binding": "core_v1",
    "Eviction": "policy_v1",
    "Scale": "autoscaling_v1",
    "TokenRequest": "authentication_v1",
}
_PHRASES = {200: "OK", 201: "Created", 202: "Accepted"}
# Old kubectl looks for these among the parameters of the operation itself; the name differs by kind upstream.
_NEVER_SHARED = frozenset({"dryRun", "fieldValidation", "name"})

Parameter = dict[str, Any]
Section = Literal["paths", "definitions", "parameters"]


class Piece(NamedTuple):
    """A named part of one of a document's sections."""

    section: Section
    name: str
    value: dict[str, Any]


class Writer:
    """Writes one document.  Version 2 keeps parameters that many operations have in one place, as upstream does."""

    def __init__(self, dialect: Dialect, descriptions: Descriptions) -> None:
        self._v3 = dialect == "v3"
        self._schemas = Schemas(dialect, descriptions)
        self._shared: dict[str, Parameter] = {}

    def pieces(self, resources: Iterable[Resource[Any]], others: Iterable[ServerPath]) -> Iterator[Piece]:
        """The document of some resources and other paths, each piece in well under a millisecond."""
        for resource in resources:
            for item in paths(resource):
                yield Piece("paths", item.path, self._path(resource, item))
        for other in others:
            yield Piece("paths", other.path, {"get": self._other(other)})
        for name, schema in self._schemas.take():
            yield Piece("definitions", name, schema)
        for name, parameter in self._shared.items():
            yield Piece("parameters", name, parameter)

    def _path(self, resource: Resource[Any], item: PathItem) -> dict[str, Any]:
        """A path; what all its operations take stands there once."""
        first, *rest = (operation.query for operation in item.operations)
        common = {name for name in first if all(name in query for query in rest)}
        result = {each.method: self._operation(resource, each, common) for each in item.operations}
        given = [self._parameter(name, "path", "string", required=True) for name in item.parameters]
        given += [self._parameter(name, "query", first[name]) for name in sorted(common)]
        return {**result, "parameters": given}

    def _parameter(self, name: str, place: str, type_: str, *, required: bool = False) -> Parameter:
        parameter: Parameter = {"in": place, "name": name}
        if required:
            parameter["required"] = True
        if self._v3:
            return {**parameter, "schema": {"type": type_, "uniqueItems": True}}
        parameter |= {"type": type_, "uniqueItems": True}
        return parameter if name in _NEVER_SHARED else self._share(parameter)

    def _share(self, parameter: Parameter) -> Parameter:
        digest = hashlib.sha256(msgspec.json.encode(parameter)).digest()[:6]
        name = f"{parameter['name']}-{base64.urlsafe_b64encode(digest).decode()}"
        self._shared[name] = parameter
        return {"$ref": f"#/parameters/{name}"}

    def _operation(self, resource: Resource[Any], operation: Operation, common: set[str]) -> dict[str, Any]:
        group, version, kind = operation.kind
        parameters = [
            self._parameter(name, "query", type_)
            for name, type_ in sorted(operation.query.items())
            if name not in common
        ]
        body = self._body(resource, operation)
        answer = self._answer(resource, operation)
        result: dict[str, Any] = {"tags": [operation.tag], "operationId": operation.operation_id}
        if self._v3:
            if body is not None:
                content = {media_type: {"schema": body} for media_type in operation.consumes}
                result["requestBody"] = {"content": content}
                if operation.body != "options":
                    result["requestBody"]["required"] = True
        else:
            result |= {
                "consumes": list(operation.consumes),
                "produces": list(operation.produces),
                "schemes": ["https"],
            }
            if body is not None:
                given: Parameter = {"in": "body", "name": "body", "schema": body}
                if operation.body != "options":
                    given["required"] = True
                parameters.insert(0, given if operation.body == "object" else self._share(given))
        if parameters:
            result["parameters"] = parameters
        result["responses"] = self._responses(operation.codes, answer, operation.produces)
        result["x-kubernetes-action"] = operation.action
        result["x-kubernetes-group-version-kind"] = {"group": group, "kind": kind, "version": version}
        return result

    def _other(self, other: ServerPath) -> dict[str, Any]:
        result: dict[str, Any] = {"tags": [other.tag], "operationId": other.operation_id}
        if not self._v3:
            result |= {"consumes": list(other.consumes)} if other.consumes else {}
            result |= {"produces": list(other.produces), "schemes": ["https"]}
        answer = {"type": "string"} if other.type is None else self._reference(other.type)
        return {**result, "responses": self._responses((200,), answer, other.produces)}

    def _responses(
        self, codes: Iterable[int], answer: Mapping[str, Any], produces: Iterable[str]
    ) -> dict[str, dict[str, Any]]:
        result: dict[str, dict[str, Any]] = {}
        for code in codes:
            described: dict[str, Any] = {"description": _PHRASES[code]}
            if self._v3:
                described["content"] = {media_type: {"schema": answer} for media_type in produces}
            else:
                described["schema"] = answer
            result[str(code)] = described
        return {**result, "401": {"description": "Unauthorized"}}

    def _reference(self, type_: type[Any]) -> dict[str, Any]:
        return self._schemas.reference(self._schemas.add(type_))

    def _body(self, resource: Resource[Any], operation: Operation) -> dict[str, Any] | None:
        match operation.body:
            case "object":
                return self._object(resource, operation)
            case "patch":
                return self._schemas.reference(PATCH)
            case "options":
                return self._reference(meta_v1.DeleteOptions)
            case _:
                return None

    def _answer(self, resource: Resource[Any], operation: Operation) -> dict[str, Any]:
        match operation.answer:
            case "object":
                return self._object(resource, operation)
            case "list" if resource.custom:
                return self._schemas.reference(self._schemas.add_list(resource))
            case "list":
                return self._reference(getattr(import_module(resource.type.__module__), resource.list_kind))
            case "status":
                return self._reference(meta_v1.Status)
            case "event":
                return self._reference(meta_v1.WatchEvent)
            case "text":
                return {"type": "string"}

    def _object(self, resource: Resource[Any], operation: Operation) -> dict[str, Any]:
        kind = operation.kind[2]
        if kind == resource.kind:
            return self._reference(resource.type)
        return self._reference(getattr(import_module(f"steersman.api.types.{_SPECIAL[kind]}"), kind))
