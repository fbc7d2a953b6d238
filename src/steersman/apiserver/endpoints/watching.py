"""A watch as a stream: events framed once, written straight to the connections of all watchers.

The frame of an event is made by the first watcher that needs it and kept beside the event for the others,
as long as the event is young.  A watcher whose connection takes its bytes too slowly is closed and resumes.
"""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec

from steersman.api import codecs, tables
from steersman.api.errors import StatusError
from steersman.api.scheme import Resource
from steersman.api.types.meta_v1 import Status
from steersman.apiserver.http.messages import Request, Stream, StreamWriter, chunk
from steersman.apiserver.registry import paging
from steersman.apiserver.registry.contract import ListOptions, ResourceHandler
from steersman.apiserver.registry.watching import Selection, is_long
from steersman.storage.watch_cache import CacheEvent, Entry

from .answers import NO_CACHE, included, partial, served
from .representation import Form

MAX_BUFFERED = 4 << 20
"""How many bytes a watcher may be behind."""

LOW_BUFFERED = 64 * 1024
"""With more than this on its way, a watcher must take some before it gets more of the past."""

PATIENCE = 30.0
"""Seconds within which it must: one that reads a byte now and then is not served for ever."""

FAREWELL = 2.0
"""So long before the end of a watch, bookmarks say how far it has got: upstream's number."""

_KEPT = 128
_KEPT_BYTES = 1 << 20
"""Of the frames of one resource; one that is larger is shared too, by those that come right after each other."""


class Frames:
    """Frames of recent events of one resource in its plain form, shared by its watchers."""

    def __init__(self, resource: Resource[Any], sent: int = 0) -> None:
        self.resource = resource
        self._recent: dict[tuple[int, str, str], tuple[Entry[Any], bytes]] = {}
        self.sent = sent
        """Events that all watchers together were sent."""
        self.last: CacheEvent | None = None
        self.last_frame = b""
        """The frame of ``last``, which goes to one watcher after the other."""
        self._size = 0

    def frame(self, event: CacheEvent) -> bytes:
        """An event as one chunk."""
        self.last_frame = self._find(event)
        self.last = event
        return self.last_frame

    def _find(self, event: CacheEvent) -> bytes:
        entry = event.entry
        key = (event.revision, event.type, entry.key)
        found = self._recent.get(key)
        if found is not None and found[0] is entry:
            return found[1]
        body = served(self.resource, entry.raw)
        framed = chunk(b'{"type":"%b","object":%b}\n' % (event.type.encode(), body))
        if found is not None:
            self._size -= len(found[1])
        self._recent[key] = (entry, framed)
        self._size += len(framed)
        while self._recent and (len(self._recent) > _KEPT or self._size > _KEPT_BYTES):
            self._size -= len(self._recent.pop(next(iter(self._recent)))[1])
        return framed


class Sink:
    """One watcher; see :class:`steersman.apiserver.registry.contract.WatchSink`."""

    def __init__(
        self,
        resource: Resource[Any],
        writer: StreamWriter,
        frames: Frames,
        encode: Callable[[CacheEvent], bytes] | None,
        bookmark: Callable[[int, bool], bytes],
    ) -> None:
        self._resource = resource
        self._writer = writer
        self._frames = frames
        self._encode = encode
        self._bookmark = bookmark
        self._ended = False
        self._written = 0
        self.overflowed = False
        self.done = asyncio.Event()

    def event(self, event: CacheEvent) -> None:
        if self._ended:
            return
        frames = self._frames
        frames.sent += 1
        if self._encode is None:
            data = frames.last_frame if event is frames.last else frames.frame(event)
            self._writer.write_framed(data)
        else:
            data = self._encode(event)
            self._writer.write(data)
        # What has been taken is looked at now and then: a thousand watchers hear of most events.
        self._written += len(data)
        if self._written > LOW_BUFFERED:
            self._written = 0
            if self._writer.buffered > MAX_BUFFERED:
                self.overflowed = True
                self.close()

    def close(self) -> None:
        """Write nothing more."""
        self._ended = True
        self.done.set()

    async def drain(self) -> None:
        await asyncio.sleep(0)
        if self._writer.buffered > LOW_BUFFERED:
            try:
                async with asyncio.timeout(PATIENCE):
                    await self._writer.drain()
            except TimeoutError:
                self.overflowed = True
        if self.overflowed:
            raise TooSlow

    def bookmark(self, revision: int, *, initial_events_end: bool = False) -> None:
        if not self._ended:
            self._writer.write(self._bookmark(revision, initial_events_end))

    def end(self, error: Status | None) -> None:
        if error is not None and not self._ended:
            self._writer.write(b'{"type":"ERROR","object":%b}\n' % codecs.encode(error))
        self.close()


class TooSlow(ConnectionAbortedError):
    """A watcher does not take its events."""


INITIAL_EVENTS_END = "k8s.io/initial-events-end"
LIST_BLUEPRINT = "kubernetes.io/initial-events-list-blueprint"


def _bookmarks(resource: Resource[Any], form: Form, include_object: str) -> Callable[[int, bool], bytes]:
    shaped = "PartialObjectMetadata" if form.shape not in ("", "Table") else ""
    kind, version = resource.kind, resource.group_version
    list_kind = resource.list_kind
    if shaped:
        kind, list_kind, version = shaped, f"{shaped}List", f"meta.k8s.io/{form.version}"
    # KEP-3157: from this a client that streamed its list makes the list.
    blueprint: dict[str, Any] = {
        "kind": list_kind,
        "apiVersion": version,
        "metadata": {},
        "items": [] if shaped else None,
    }

    def encode(revision: int, initial_events_end: bool) -> bytes:
        metadata: dict[str, Any] = {"resourceVersion": str(revision)}
        if initial_events_end:
            encoded = base64.b64encode(msgspec.json.encode(blueprint) + b"\n").decode()
            metadata["annotations"] = {INITIAL_EVENTS_END: "true", LIST_BLUEPRINT: encoded}
        obj: dict[str, Any] = {"kind": kind, "apiVersion": version, "metadata": metadata}
        if form.shape == "Table":
            embedded = {**obj, "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
            obj = {
                "kind": "Table",
                "apiVersion": f"meta.k8s.io/{form.version}",
                "metadata": {"resourceVersion": str(revision)},
                "columnDefinitions": [],
                "rows": [{"cells": [], "object": None if include_object == "None" else embedded}],
            }
        return msgspec.json.encode({"type": "BOOKMARK", "object": obj}) + b"\n"

    return encode


def _shaped(resource: Resource[Any], form: Form, include_object: str) -> Callable[[CacheEvent], bytes] | None:
    """How events in another shape than the stored one are written; None for the stored one."""
    if not form.shape:
        return None
    if form.shape != "Table":

        def encode_partial(event: CacheEvent) -> bytes:
            return b'{"type":"%b","object":%b}\n' % (
                event.type.encode(),
                codecs.encode(partial(event.entry.object, form)),
            )

        return encode_partial
    first = True

    def encode_table(event: CacheEvent) -> bytes:
        nonlocal first
        obj = event.entry.object
        table = tables.table(resource, (obj,), form.now(), include_object=include_object)
        table.api_version = f"meta.k8s.io/{form.version}"
        table.metadata.resource_version = obj.metadata.resource_version
        if not first:
            table.column_definitions = []
        first = False
        return b'{"type":"%b","object":%b}\n' % (event.type.encode(), codecs.encode(table))

    return encode_table


async def open_watch(
    handler: ResourceHandler,
    resource: Resource[Any],
    namespace: str,
    options: ListOptions,
    request: Request,
    form: Form,
    frames: Frames,
) -> Stream:
    """The stream of a watch.  It ends after the time that was asked for, or 30 to 60 minutes."""
    # What is wrong with the parameters is said by the status code; what goes wrong later, by an ERROR event.
    paging.plan_watch(options)
    selectors = (resource, options.label_selector, options.field_selector)
    if is_long(options):
        await asyncio.to_thread(Selection, *selectors)
    else:
        Selection(*selectors)
    limit = float(options.timeout_seconds or random.uniform(1800, 3600))
    encode = _shaped(resource, form, included(request))

    async def run(writer: StreamWriter) -> None:
        sink = Sink(resource, writer, frames, encode, _bookmarks(resource, form, included(request)))
        end = asyncio.get_running_loop().time() + limit
        try:
            async with asyncio.timeout_at(end):
                subscription = await handler.watch(namespace, options, sink)
        except TimeoutError:
            return
        except StatusError as error:
            sink.end(error.status)
            return
        try:
            # Whoever closes the connection cancels this task: only the other ends need waiting for.
            with suppress(TimeoutError):
                async with asyncio.timeout_at(end - FAREWELL):
                    await sink.done.wait()
            if not sink.done.is_set():
                if limit > FAREWELL:
                    subscription.progress()
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(end):
                        await sink.done.wait()
        finally:
            sink.close()
            subscription.cancel()
        if sink.overflowed:
            raise TooSlow

    return Stream(run, "application/json;stream=watch" if form.shape else "application/json", headers=NO_CACHE)
