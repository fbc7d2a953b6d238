"""OpenAPI: ``/openapi/v2`` (JSON, and protobuf for client-go) and ``/openapi/v3`` with a document per group version.

Everything is generated from the scheme and the annotations of the types when first asked for, and kept as bytes until
the scheme changes.  The index of version 3 needs no document: its hashes are of what the documents are made from.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

import msgspec

from steersman import __version__
from steersman.api.scheme import Resource, Scheme
from steersman.api.types import meta_v1
from steersman.apiserver.http.messages import Request, Response

from . import gnostic
from .paths import PATCHES, PRODUCES, Operation, PathItem, paths
from .schemas import PATCH, Descriptions, Dialect, Schemas, definition_name

__all__ = ["OpenAPI"]

_PROTOBUF = (
    "application/com.github.proto-openapi.spec.v2@v1.0+protobuf",
    "application/com.github.proto-openapi.spec.v2.v1.0+protobuf",
)
_SPECIAL = {
    "Binding": "core_v1",
    "Eviction": "policy_v1",
    "Scale": "autoscaling_v1",
    "TokenRequest": "authentication_v1",
}


class OpenAPI:
    """Answers OpenAPI requests from a scheme.

    ``is_served`` says which resources are described.  :meth:`respond` builds a document when it is first asked for,
    which takes up to half a second: call it in a thread where :meth:`ready` does not say that the answer is at hand.
    """

    def __init__(
        self, scheme: Scheme, *, is_served: Callable[[Resource[Any]], bool] | None = None, version: str = "v1.35.0"
    ) -> None:
        self._scheme = scheme
        self._is_served = is_served or (lambda resource: resource.served)
        self._version = version
        self._generation = -1
        self._documents: dict[str, tuple[bytes, str]] = {}
        self._lock = threading.Lock()

    def handles(self, path: str) -> bool:
        """Whether a path is one of these."""
        return path == "/openapi/v2" or path == "/openapi/v3" or path.startswith("/openapi/v3/")

    def ready(self, request: Request) -> bool:
        """Whether the answer costs nothing."""
        if self._generation != self._scheme.generation:
            return False
        path = request.path.rstrip("/")
        return path == "/openapi/v3" or self._key(path, request) in self._documents

    def changed(self) -> None:
        """Forget what has been built: ``is_served`` answers otherwise than before."""
        self._generation = -1

    def respond(self, request: Request) -> Response | None:
        """The answer; None where the path is none of these, the method is not GET, or the group is not known."""
        path = request.path.rstrip("/")
        if request.method not in ("GET", "HEAD") or not self.handles(path):
            return None
        with self._lock:
            if self._generation != self._scheme.generation:
                self._documents.clear()
                self._generation = self._scheme.generation
            if path == "/openapi/v3":
                return Response(msgspec.json.encode(self._index()))
            if path != "/openapi/v2" and (redirect := self._redirect(path, request)) is not None:
                return redirect
            key = self._key(path, request)
            if key not in self._documents:
                body = self._build(key)
                if body is None:
                    return None
                self._documents[key] = body, f'"{hashlib.sha512(body).hexdigest().upper()}"'
            body, etag = self._documents[key]
        headers = {"ETag": etag, "Vary": "Accept"}
        if request.parameter("hash"):
            headers |= {"Cache-Control": "public, immutable", "Expires": "Thu, 31 Dec 2099 23:59:59 GMT"}
        content_type = key.partition(" ")[2] or "application/json"
        if request.headers.get("if-none-match") == etag:
            return Response(b"", 304, content_type, headers)
        return Response(body, 200, content_type, headers)

    @staticmethod
    def _key(path: str, request: Request) -> str:
        """The document's path, with the media type behind a space where it is not JSON."""
        if path != "/openapi/v2":
            return path
        for clause in request.headers.get("accept", "").split(","):
            wanted = clause.partition(";")[0].strip()
            if wanted in _PROTOBUF:
                # The newer name is not a valid media type for Go's parser: the answer bears the older one.
                return f"{path} {_PROTOBUF[-1]}"
            if wanted in ("application/json", "*/*", "application/*"):
                break
        return path

    def _group_versions(self) -> dict[str, list[Resource[Any]]]:
        """The served resources that have a type, by the path of their group version under ``/openapi/v3/``."""
        result: dict[str, list[Resource[Any]]] = {}
        for resource in self._scheme:
            if resource.module and self._is_served(resource):
                prefix = "apis" if resource.group else "api"
                result.setdefault(f"{prefix}/{resource.group_version}", []).append(resource)
        return dict(sorted(result.items()))

    def _hash(self, resources: Iterable[Resource[Any]]) -> str:
        """Stands for the content of a document: it changes whenever that may."""
        digest = hashlib.sha512(f"{__version__} {self._version}".encode())
        for resource in resources:
            digest.update(repr((resource.group_version, resource.name, resource.kind, resource.verbs)).encode())
            digest.update(msgspec.json.encode(sorted(resource.subresources)))
        return digest.hexdigest().upper()

    def _index(self) -> dict[str, Any]:
        return {
            "paths": {
                name: {"serverRelativeURL": f"/openapi/v3/{name}?hash={self._hash(resources)}"}
                for name, resources in self._group_versions().items()
            }
        }

    def _redirect(self, path: str, request: Request) -> Response | None:
        """A client that has an outdated index is sent to the present document."""
        wanted = request.parameter("hash")
        resources = self._group_versions().get(path.removeprefix("/openapi/v3/"))
        if not wanted or resources is None or wanted == (current := self._hash(resources)):
            return None
        return Response(b"", 301, headers={"Location": f"{path}?hash={current}"})

    def _build(self, key: str) -> bytes | None:
        descriptions = Descriptions()  # tens of megabytes: not kept
        path, _, media_type = key.partition(" ")
        if path == "/openapi/v2":
            resources = [resource for found in self._group_versions().values() for resource in found]
            document = _Writer("v2", descriptions).document(resources, self._version)
            return gnostic.encode(document) if media_type else msgspec.json.encode(document)
        found = self._group_versions().get(path.removeprefix("/openapi/v3/"))
        if found is None:
            return None
        return msgspec.json.encode(_Writer("v3", descriptions).document(found, self._version))


class _Writer:
    """Writes one document."""

    def __init__(self, dialect: Dialect, descriptions: Descriptions) -> None:
        self._v3 = dialect == "v3"
        self._schemas = Schemas(dialect, descriptions)

    def document(self, resources: list[Resource[Any]], version: str) -> dict[str, Any]:
        self._schemas.add([meta_v1.DeleteOptions, meta_v1.Status, meta_v1.WatchEvent])
        items: dict[str, Any] = {}
        for resource in resources:
            for item in paths(resource):
                items[item.path] = self._path(resource, item)
        info = {"title": "Kubernetes", "version": version}
        ordered = dict(sorted(items.items()))
        if self._v3:
            return {
                "openapi": "3.0.0",
                "info": info,
                "paths": ordered,
                "components": {"schemas": self._schemas.sorted()},
            }
        return {"swagger": "2.0", "info": info, "paths": ordered, "definitions": self._schemas.sorted()}

    def _path(self, resource: Resource[Any], item: PathItem) -> dict[str, Any]:
        result = {operation.method: self._operation(resource, operation) for operation in item.operations}
        parameters = [self._parameter(name, "path", "string", required=True) for name in item.parameters]
        return {**result, "parameters": parameters} if parameters else result

    def _parameter(self, name: str, place: str, type_: str, *, required: bool = False) -> dict[str, Any]:
        parameter: dict[str, Any] = {"in": place, "name": name, "uniqueItems": True}
        if required:
            parameter["required"] = True
        if not self._v3:
            return {**parameter, "type": type_}
        del parameter["uniqueItems"]
        return {**parameter, "schema": {"type": type_, "uniqueItems": True}}

    def _operation(self, resource: Resource[Any], operation: Operation) -> dict[str, Any]:
        group, version, kind = operation.kind
        parameters = [self._parameter(name, "query", type_) for name, type_ in sorted(operation.query.items())]
        body = self._body(resource, operation)
        answer = self._answer(resource, operation)
        consumes = PATCHES if operation.body == "patch" else ("*/*",)
        produces = ("text/plain",) if answer is None else PRODUCES
        described: dict[str, Any] = {"description": "OK"}
        result: dict[str, Any] = {
            "tags": [operation.tag],
            "operationId": operation.operation_id,
        }
        if self._v3:
            if body is not None:
                content = {media_type: {"schema": body} for media_type in consumes}
                result["requestBody"] = {"content": content, "required": operation.body != "options"}
            if answer is not None:
                described["content"] = {media_type: {"schema": answer} for media_type in produces}
        else:
            result |= {"consumes": list(consumes), "produces": list(produces), "schemes": ["https"]}
            if body is not None:
                given: dict[str, Any] = {"in": "body", "name": "body", "schema": body}
                parameters.insert(0, given if operation.body == "options" else {**given, "required": True})
            if answer is not None:
                described["schema"] = answer
        if parameters:
            result["parameters"] = parameters
        result["responses"] = {"200": described, "401": {"description": "Unauthorized"}}
        result["x-kubernetes-action"] = operation.action
        result["x-kubernetes-group-version-kind"] = {"group": group, "kind": kind, "version": version}
        return result

    def _reference(self, type_: type[Any]) -> dict[str, Any]:
        self._schemas.add([type_])
        return self._schemas.reference(definition_name(type_))

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

    def _answer(self, resource: Resource[Any], operation: Operation) -> dict[str, Any] | None:
        match operation.answer:
            case "object":
                return self._object(resource, operation)
            case "list":
                list_type = getattr(import_module(resource.type.__module__), resource.list_kind)
                return self._reference(list_type)
            case "status":
                return self._reference(meta_v1.Status)
            case _:
                return None

    def _object(self, resource: Resource[Any], operation: Operation) -> dict[str, Any]:
        kind = operation.kind[2]
        if kind == resource.kind:
            return self._reference(resource.type)
        return self._reference(getattr(import_module(f"steersman.api.types.{_SPECIAL[kind]}"), kind))
