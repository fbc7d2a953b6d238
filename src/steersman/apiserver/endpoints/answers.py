"""Bytes of answers: objects, lists joined from cached bytes, Status, tables."""

from __future__ import annotations

from typing import Any

import msgspec

from steersman.api import codecs, tables
from steersman.api.errors import bad_request, invalid_value
from steersman.api.meta import PartialObjectMetadata
from steersman.api.scheme import Resource
from steersman.api.types.meta_v1 import ListMeta, Status
from steersman.apiserver.http.messages import Request, Response
from steersman.storage.watch_cache import Entry

from .representation import PLAIN, Form, to_yaml

NO_CACHE = {"Cache-Control": "no-cache, private"}


def raw_response(data: bytes, request: Request, form: Form = PLAIN, status: int = 200) -> Response:
    """JSON as it is, or pretty-printed or in YAML where that is asked for."""
    if form.yaml:
        return Response(to_yaml(msgspec.json.decode(data)), status, form.content_type, NO_CACHE)
    if request.query_string and wants_pretty(request):
        data = msgspec.json.format(data, indent=2) + b"\n"
    return Response(data, status, "application/json", NO_CACHE)


def wants_pretty(request: Request) -> bool:
    return request.parameter("pretty", "0").lower() in ("1", "true", "t", "") and "pretty" in request.query


def object_response(obj: Any, request: Request, form: Form = PLAIN, status: int = 200) -> Response:
    """Any API object."""
    return raw_response(codecs.encode(obj), request, form, status)


def status_response(status: Status, request: Request | None = None) -> Response:
    """A Status under its own code."""
    headers: dict[str, str] = dict(NO_CACHE)
    if status.details is not None and status.details.retry_after_seconds:
        headers["Retry-After"] = str(status.details.retry_after_seconds)
    data = codecs.encode(status)
    return Response(data, status.code or 200, "application/json", headers)


def entry_response(
    resource: Resource[Any], entry: Entry[Any], request: Request, form: Form, status: int = 200
) -> Response:
    """One stored object."""
    if not form.shape:
        return raw_response(served(resource, entry.raw), request, form, status)
    return shaped_response(resource, entry.object, request, form, status)


def shaped_response(resource: Resource[Any], obj: Any, request: Request, form: Form, status: int = 200) -> Response:
    """One object in the shape that is asked for."""
    if not form.shape:
        return object_response(obj, request, form, status)
    if form.shape == "PartialObjectMetadata":
        return object_response(partial(obj, form), request, form, status)
    table = tables.table(
        resource,
        (obj,),
        metadata=ListMeta(resource_version=obj.metadata.resource_version),
        include_object=included(request),
    )
    table.api_version = f"meta.k8s.io/{form.version}"
    return object_response(table, request, form, status)


def included(request: Request) -> str:
    """What of the objects the rows of a table carry; raises 400."""
    wanted = request.parameter("includeObject")
    if wanted not in ("", "Metadata", "None", "Object"):
        fault = invalid_value("includeObject", wanted, "must be 'Metadata', 'Object', 'None', or empty")
        raise bad_request(str(fault))
    return wanted


def partial(obj: Any, form: Form) -> PartialObjectMetadata:
    """The metadata of an object."""
    return PartialObjectMetadata(api_version=f"meta.k8s.io/{form.version}", metadata=obj.metadata)


def header_of(resource: Resource[Any]) -> bytes:
    """What the stored JSON of a resource begins with."""
    return b'{"kind":"%b","apiVersion":"%b",' % (resource.kind.encode(), resource.storage_version.encode())


def served(resource: Resource[Any], raw: bytes) -> bytes:
    """Stored JSON under the version that is served."""
    if resource.storage_version == resource.group_version:
        return raw
    stored = header_of(resource)
    if raw.startswith(stored):
        wanted = b'{"kind":"%b","apiVersion":"%b",' % (resource.kind.encode(), resource.group_version.encode())
        return wanted + raw[len(stored) :]
    return raw
