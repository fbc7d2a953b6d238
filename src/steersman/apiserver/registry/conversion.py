"""Resources that are served in a version other than the one they are stored in.

A :class:`ConvertingHandler` stands before the handler of the storage version and translates at its border.  Objects
are encoded again for every read here: these are the few, rare cases.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from steersman.api import codecs
from steersman.api.defaults import apply_defaults
from steersman.api.fields import stored_selector
from steersman.api.scheme import Resource
from steersman.api.types import core_v1, events_v1
from steersman.api.types.meta_v1 import DeleteOptions, Status
from steersman.apiserver.patch import APPLY_PATCH
from steersman.apiserver.patch.apply import View
from steersman.client.client import Patch
from steersman.storage.watch_cache import CacheEvent, Entry

from . import autoscalers
from .contract import Context, ListOptions, Page, Subscription, WatchSink
from .patching import patched
from .store import Handler


class Conversion(NamedTuple):
    """Both ways between a served version and the stored one; neither changes its argument, both may share parts."""

    to_storage: Callable[[Any], Any]
    from_storage: Callable[[Any], Any]


def _event_to_core(event: events_v1.Event) -> core_v1.Event:
    series = event.series
    return core_v1.Event(
        metadata=event.metadata,
        involved_object=event.regarding,
        related=event.related,
        reason=event.reason,
        message=event.note,
        source=event.deprecated_source,
        first_timestamp=event.deprecated_first_timestamp,
        last_timestamp=event.deprecated_last_timestamp,
        count=event.deprecated_count,
        type=event.type,
        event_time=event.event_time,
        series=core_v1.EventSeries(count=series.count, last_observed_time=series.last_observed_time)
        if series is not None
        else None,
        action=event.action,
        reporting_component=event.reporting_controller,
        reporting_instance=event.reporting_instance,
    )


def _event_from_core(event: core_v1.Event) -> events_v1.Event:
    series = event.series
    return events_v1.Event(
        metadata=event.metadata,
        regarding=event.involved_object,
        related=event.related,
        reason=event.reason,
        note=event.message,
        deprecated_source=event.source,
        deprecated_first_timestamp=event.first_timestamp,
        deprecated_last_timestamp=event.last_timestamp,
        deprecated_count=event.count,
        type=event.type,
        event_time=event.event_time,
        series=events_v1.EventSeries(count=series.count or 0, last_observed_time=series.last_observed_time)
        if series is not None
        else None,
        action=event.action,
        reporting_controller=event.reporting_component,
        reporting_instance=event.reporting_instance,
    )


CONVERSIONS: dict[tuple[str, str], Conversion] = {
    ("events.k8s.io/v1", "Event"): Conversion(_event_to_core, _event_from_core),
    ("autoscaling/v1", "HorizontalPodAutoscaler"): Conversion(autoscalers.to_v2, autoscalers.to_v1),
}
"""By the served version and the kind."""


def view_of(resource: Resource[Any], conversion: Conversion) -> View:
    """How stored objects look in a version."""
    return View(resource.group_version, resource.type, conversion.to_storage, conversion.from_storage)


class ConvertingHandler:
    """Serves one version of a resource over the handler of another."""

    def __init__(self, resource: Resource[Any], stored: Handler, conversion: Conversion) -> None:
        self.resource = resource
        self._stored = stored
        self._conversion = conversion

    def _entry(self, entry: Entry[Any]) -> Entry[Any]:
        return Entry(entry.key, entry.revision, self._raw(entry), self.resource.decode)

    def _raw(self, entry: Entry[Any]) -> bytes:
        return codecs.encode(self._conversion.from_storage(entry.object))

    def _page(self, page: Page) -> Page:
        return page._replace(entries=[self._entry(entry) for entry in page.entries])

    def _options(self, options: ListOptions) -> ListOptions:
        if not options.field_selector:
            return options
        selector = stored_selector(self.resource, options.field_selector)
        return msgspec.structs.replace(options, field_selector=selector)

    async def get(self, namespace: str, name: str, *, resource_version: str = "") -> Entry[Any]:
        """See :class:`.contract.ResourceHandler`, as for every method here."""
        return self._entry(await self._stored.get(namespace, name, resource_version=resource_version))

    async def list(self, namespace: str, options: ListOptions) -> Page:
        return self._page(await self._stored.list(namespace, self._options(options)))

    async def watch(self, namespace: str, options: ListOptions, sink: WatchSink) -> Subscription:
        return await self._stored.watch(namespace, self._options(options), _ConvertingSink(sink, self._entry))

    async def create(self, context: Context, namespace: str, obj: Any) -> Entry[Any]:
        apply_defaults(obj)
        context.served_as = self.resource.group_version
        return self._entry(await self._stored.create(context, namespace, self._conversion.to_storage(obj)))

    async def update(
        self, context: Context, namespace: str, name: str, obj: Any, *, subresource: str = "", lent: bool = False
    ) -> tuple[Entry[Any], bool]:
        if lent:
            obj = codecs.copy(obj)
        apply_defaults(obj)
        context.served_as = self.resource.group_version
        stored = self._conversion.to_storage(obj)
        entry, created = await self._stored.update(context, namespace, name, stored, subresource=subresource)
        return self._entry(entry), created

    async def patch(
        self, context: Context, namespace: str, name: str, patch: Patch, *, subresource: str = ""
    ) -> tuple[Entry[Any], bool]:
        def transform(entry: Entry[Any] | None) -> Any:
            assert entry is not None
            obj = patched(msgspec.json.decode(self._raw(entry)), patch, self.resource.type, context)
            apply_defaults(obj)
            return self._conversion.to_storage(obj)

        context.served_as = self.resource.group_version
        if patch.type == APPLY_PATCH:
            entry, created = await self._stored.patch(context, namespace, name, patch, subresource=subresource)
            return self._entry(entry), created
        entry, created = await self._stored.transform(context, namespace, name, transform, subresource=subresource)
        return self._entry(entry), created

    async def delete(self, context: Context, namespace: str, name: str, options: DeleteOptions) -> Entry[Any] | Status:
        result = await self._stored.delete(context, namespace, name, options)
        return result if isinstance(result, Status) else self._entry(result)

    async def delete_collection(
        self, context: Context, namespace: str, options: ListOptions, delete_options: DeleteOptions
    ) -> Page:
        chosen = self._options(options)
        return self._page(await self._stored.delete_collection(context, namespace, chosen, delete_options))

    async def get_subresource(self, namespace: str, name: str, subresource: str) -> Any:
        return await self._stored.get_subresource(namespace, name, subresource)

    async def update_subresource(
        self, context: Context, namespace: str, name: str, subresource: str, transform: Callable[[Any], Any]
    ) -> Any:
        return await self._stored.update_subresource(context, namespace, name, subresource, transform)

    async def patch_subresource(
        self, context: Context, namespace: str, name: str, subresource: str, patch: Patch
    ) -> Any:
        return await self._stored.patch_subresource(context, namespace, name, subresource, patch)

    async def create_subresource(self, context: Context, namespace: str, name: str, subresource: str, body: Any) -> Any:
        return await self._stored.create_subresource(context, namespace, name, subresource, body)


class _ConvertingSink:
    def __init__(self, sink: WatchSink, convert: Callable[[Entry[Any]], Entry[Any]]) -> None:
        self._sink = sink
        self._convert = convert

    def event(self, event: CacheEvent) -> None:
        previous = self._convert(event.previous) if event.previous is not None else None
        self._sink.event(event._replace(entry=self._convert(event.entry), previous=previous))

    def bookmark(self, revision: int, *, initial_events_end: bool = False) -> None:
        self._sink.bookmark(revision, initial_events_end=initial_events_end)

    async def drain(self) -> None:
        await self._sink.drain()

    def end(self, error: Status | None) -> None:
        self._sink.end(error)
