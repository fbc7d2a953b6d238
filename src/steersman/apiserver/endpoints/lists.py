"""Collections as bytes: joined from the items' own, or written in slices in any other shape.

Nothing here is as large as the collection, but for what is compressed or pretty-printed: the buffers of a long list are
made while they are sent, and a client that reads slowly keeps one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

import msgspec

from steersman.api import codecs, tables
from steersman.api.meta import PartialObjectMetadataList
from steersman.api.scheme import Resource
from steersman.api.types.meta_v1 import ListMeta
from steersman.api.unstructured import is_unstructured
from steersman.apiserver.http.messages import Request, Response
from steersman.apiserver.registry.contract import Page
from steersman.storage.watch_cache import Entry

from .answers import NO_CACHE, header_of, included, no_shape, package, partial, raw_response
from .representation import Form, is_pretty

_BUFFER = 96 * 1024
"""About so many bytes are joined at once: six TLS records; what a processor's cache holds, and malloc has at hand."""

_MEASURED = 4096
"""So many lengths are added within a millisecond."""

_SLICE = 64


async def list_response(resource: Resource[Any], page: Page, request: Request, form: Form) -> Response:
    """A collection."""
    metadata = ListMeta(
        resource_version=page.resource_version,
        continue_=page.continue_,
        remaining_item_count=page.remaining_item_count,
    )
    if form.shape == "Table":
        table = tables.table(resource, (), metadata=metadata)
        table.api_version = f"meta.k8s.io/{form.version}"
        instant, include_object = form.now(), included(request)
        entries: Sequence[Entry[Any]] = tables.in_order(resource, page.entries, lambda entry: entry.object)
        written = await _written(
            table, entries, lambda entry: tables.row(resource, entry.object, instant, include_object)
        )
    elif form.shape == "PartialObjectMetadata":
        raise no_shape(form, f"a list (*{package(resource)}.{resource.list_kind})")
    elif form.shape:
        partials = PartialObjectMetadataList(api_version=f"meta.k8s.io/{form.version}", metadata=metadata)
        written = await _written(partials, page.entries, lambda entry: partial(entry.object, form))
    else:
        joined = await Joined.of(resource, page.entries, metadata)
        if not (form.yaml or is_pretty(request, form)):
            return Response(joined, 200, "application/json", NO_CACHE, size=joined.size)
        written = list(joined)
    if form.yaml or is_pretty(request, form):
        return raw_response(b"".join(written), request, form)
    return Response(written, 200, form.content_type, NO_CACHE)


async def _written(collection: Any, entries: Sequence[Entry[Any]], item: Callable[[Entry[Any]], Any]) -> list[bytes]:
    """A collection whose list of items, empty now, is its last member."""
    start = codecs.encode(collection)
    if not start.endswith(b"[]}"):
        raise ValueError("the items are not the last member")
    buffers = [start[:-2]]
    async for part in _in_slices(entries):
        comma = b"," if len(buffers) > 1 else b""
        buffers.append(comma + codecs.encode([item(entry) for entry in part])[1:-1])
    return [*buffers, b"]}\n"]


async def _in_slices(entries: Sequence[Entry[Any]], count: int = _SLICE) -> AsyncIterator[Sequence[Entry[Any]]]:
    """Parts of a list, between which the loop gets its turn."""
    for first in range(0, len(entries), count):
        if first:
            await asyncio.sleep(0)
        yield entries[first : first + count]


class Joined:
    """The JSON of a list, from bytes that exist already, in buffers that are made when they are asked for.

    Items of the built-in kinds go without their kind and version, which the list tells; those of custom resources keep
    them, as upstream's lists of unstructured objects do.
    """

    def __init__(self, start: bytes, entries: Sequence[Entry[Any]], cut: int, size: int) -> None:
        self.size = size
        """The bytes of all buffers."""
        self._start = start
        self._entries = entries
        self._cut = cut

    @classmethod
    async def of(cls, resource: Resource[Any], entries: Sequence[Entry[Any]], metadata: ListMeta) -> Joined:
        """Measure and join."""
        start = b'{"kind":"%b","apiVersion":"%b","metadata":%b,"items":[' % (
            resource.list_kind.encode(),
            resource.group_version.encode(),
            msgspec.json.encode(metadata),
        )
        stored = header_of(resource)
        size, headed = 0, not is_unstructured(resource.type)
        async for part in _in_slices(entries, _MEASURED):
            raws = [entry.raw for entry in part]
            size += sum(map(len, raws))
            headed = headed and all(raw.startswith(stored) for raw in raws)
        # Each item but one has a comma before it; what was cut off began with a brace.
        cut = len(stored) if headed else 0
        count = len(entries)
        size += len(start) + len(_END) + max(0, count - 1) - (cut - 1 if headed else 0) * count
        return cls(start, entries, cut, size)

    def __iter__(self) -> Iterator[bytes]:
        entries, cut = self._entries, self._cut
        count = max(1, _BUFFER * len(entries) // self.size)
        last = len(entries) - count
        brace, between = (b"{", b",{") if cut else (b"", b",")
        if not entries:
            yield self._start + _END
        for first in range(0, len(entries), count):
            part = entries[first : first + count]
            # Bytes are copied once, into the buffer: for slices of them malloc would ask the kernel.
            items: list[bytes | memoryview] = [memoryview(entry.raw)[cut:] for entry in part]
            items[0] = b"".join((b"," if first else self._start, brace, items[0]))
            if first >= last:
                items[-1] = b"".join((items[-1], _END))
            yield between.join(items)


_END = b"]}\n"
