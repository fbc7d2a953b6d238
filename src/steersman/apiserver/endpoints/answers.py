"""Bytes of answers: objects, lists joined from cached bytes, Status, tables."""

from __future__ import annotations

from typing import Any

from steersman.api import codecs, tables
from steersman.api.errors import StatusError, bad_request, invalid_value, not_acceptable
from steersman.api.meta import PartialObjectMetadata
from steersman.api.scheme import Resource
from steersman.api.types.meta_v1 import ListMeta, Status
from steersman.apiserver.http.messages import Request, Response
from steersman.storage.watch_cache import Entry

from .representation import PLAIN, Form, is_pretty, status_form, write

_AT_ONCE = 32 * 1024
"""Up to this size an answer is put into another form at once, beyond it in a thread."""

NO_CACHE = {"Cache-Control": "no-cache, private"}


def raw_response(data: bytes, request: Request, form: Form = PLAIN, status: int = 200) -> Response:
    """JSON as it is, or indented or in YAML where that is asked for."""
    pretty = is_pretty(request, form)
    if not pretty and not form.yaml:
        return Response(data, status, "application/json", NO_CACHE)
    if len(data) <= _AT_ONCE:
        return Response(write(data, form, pretty), status, form.content_type, NO_CACHE)
    return Response(b"", status, form.content_type, NO_CACHE, later=lambda: write(data, form, pretty))


def object_response(obj: Any, request: Request, form: Form = PLAIN, status: int = 200) -> Response:
    """Any API object."""
    return raw_response(codecs.encode(obj), request, form, status)


def status_response(status: Status, request: Request | None = None) -> Response:
    """A Status under its own code, in a form that is acceptable where the request is given."""
    headers: dict[str, str] = dict(NO_CACHE)
    if status.details is not None and status.details.retry_after_seconds:
        headers["Retry-After"] = str(status.details.retry_after_seconds)
    data = codecs.encode(status)
    form = PLAIN if request is None else status_form(request)
    if request is not None and (form.yaml or is_pretty(request, form)):
        data = write(data, form, True)
    return Response(data, status.code or 200, form.content_type, headers)


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
    if form.shape == "PartialObjectMetadataList":
        raise no_shape(form, f"not a list (*{package(resource)}.{resource.kind})")
    table = tables.table(
        resource,
        (obj,),
        form.now(),
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


def no_shape(form: Form, what: str) -> StatusError:
    """406: objects have no such shape, or lists have not."""
    return not_acceptable(f"you requested {form.shape}, but the requested object is {what}")


def package(resource: Resource[Any]) -> str:
    """What Go calls the package of a resource's types."""
    return resource.group.partition(".")[0] or "core"


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
