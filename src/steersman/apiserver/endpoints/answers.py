"""Bytes of answers: objects, lists joined from cached bytes, Status, tables."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec

from steersman.api import codecs, tables
from steersman.api.errors import bad_request, invalid_value
from steersman.api.meta import PartialObjectMetadata, PartialObjectMetadataList
from steersman.api.scheme import Resource
from steersman.api.time import now
from steersman.api.types.meta_v1 import ListMeta, Status
from steersman.apiserver.http.messages import Request, Response
from steersman.apiserver.registry.contract import Page
from steersman.storage.watch_cache import Entry

from .representation import PLAIN, Form, to_yaml

_LIST_BUFFER_ITEMS = 64
_SLICE = 64

NO_CACHE = {"Cache-Control": "no-cache, private"}


def raw_response(data: bytes, request: Request, form: Form = PLAIN, status: int = 200) -> Response:
    """JSON as it is, or pretty-printed or in YAML where that is asked for."""
    if form.yaml:
        return Response(to_yaml(msgspec.json.decode(data)), status, form.content_type, NO_CACHE)
    if request.query_string and _wants_pretty(request):
        data = msgspec.json.format(data, indent=2) + b"\n"
    return Response(data, status, "application/json", NO_CACHE)


def _wants_pretty(request: Request) -> bool:
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


async def list_response(resource: Resource[Any], page: Page, request: Request, form: Form) -> Response:
    """A collection.  As JSON it is joined from the items' bytes, without the kind and version of each.

    In any other shape its objects are written in slices, between which the loop gets its turn.
    """
    metadata = ListMeta(
        resource_version=page.resource_version,
        continue_=page.continue_,
        remaining_item_count=page.remaining_item_count,
    )
    if form.shape == "Table":
        table = tables.table(resource, (), metadata=metadata)
        table.api_version = f"meta.k8s.io/{form.version}"
        instant, include_object = now(), included(request)
        entries = tables.in_order(resource, page.entries, lambda entry: entry.object)
        async for entry in _in_slices(entries):
            table.rows.append(tables.row(resource, entry.object, instant, include_object))
        return object_response(table, request, form)
    if form.shape:
        partials = PartialObjectMetadataList(api_version=f"meta.k8s.io/{form.version}", metadata=metadata)
        async for entry in _in_slices(page.entries):
            partials.items.append(partial(entry.object, form))
        return object_response(partials, request, form)
    data = join_list(resource, page.entries, metadata)
    if form.yaml or (request.query_string and _wants_pretty(request)):
        return raw_response(b"".join(data), request, form)
    return Response(data, 200, "application/json", NO_CACHE)


async def _in_slices(entries: Sequence[Entry[Any]]) -> AsyncIterator[Entry[Any]]:
    for number, entry in enumerate(entries, 1):
        yield entry
        if number % _SLICE == 0:
            await asyncio.sleep(0)


def join_list(resource: Resource[Any], entries: Sequence[Entry[Any]], metadata: ListMeta) -> list[bytes]:
    """The JSON of a list, from bytes that exist already, in buffers of about what a processor's cache holds."""
    stored = header_of(resource)
    cut = len(stored)
    start = b'{"kind":"%b","apiVersion":"%b","metadata":%b,"items":[' % (
        resource.list_kind.encode(),
        resource.group_version.encode(),
        msgspec.json.encode(metadata),
    )
    if not entries:
        return [start + b"]}\n"]
    headed = entries[0].raw.startswith(stored) and entries[-1].raw.startswith(stored)
    buffers = []
    for first in range(0, len(entries), _LIST_BUFFER_ITEMS):
        part = entries[first : first + _LIST_BUFFER_ITEMS]
        if headed:
            items = [entry.raw[cut:] if entry.raw.startswith(stored) else entry.raw[1:] for entry in part]
            joined = b"{" + b",{".join(items)
        else:
            joined = b",".join([entry.raw for entry in part])
        buffers.append((b"," if first else start) + joined)
    buffers[-1] += b"]}\n"
    return buffers
