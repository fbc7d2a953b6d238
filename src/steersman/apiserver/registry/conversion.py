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
from steersman.api.types import autoscaling_v1, autoscaling_v2, core_v1, events_v1
from steersman.api.types.meta_v1 import DeleteOptions, Status
from steersman.apiserver.patch import APPLY_PATCH
from steersman.apiserver.patch.apply import View
from steersman.client.client import Patch
from steersman.storage.watch_cache import CacheEvent, Entry

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
        involved_object=event.regarding or core_v1.ObjectReference(),
        related=event.related,
        reason=event.reason,
        message=event.note,
        source=event.deprecated_source or core_v1.EventSource(),
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


_METRICS = "autoscaling.alpha.kubernetes.io/metrics"
_CURRENT_METRICS = "autoscaling.alpha.kubernetes.io/current-metrics"
_CONDITIONS = "autoscaling.alpha.kubernetes.io/conditions"
_BEHAVIOR = "autoscaling.alpha.kubernetes.io/behavior"
_CARRIED = (_METRICS, _CURRENT_METRICS, _CONDITIONS, _BEHAVIOR)


def _utilization(metric: Any, attribute: str) -> int | None:
    """The CPU utilization that a metric wants or has, where it is of that sort."""
    resource = metric.resource
    if metric.type != "Resource" or resource is None or resource.name != "cpu":
        return None
    value: int | None = getattr(resource, attribute).average_utilization
    return value


def _hpa_from_v2(hpa: autoscaling_v2.HorizontalPodAutoscaler) -> autoscaling_v1.HorizontalPodAutoscaler:
    """v1 knows one CPU target; everything else travels in annotations, as upstream has it (in v2's own form)."""
    spec, status = hpa.spec, hpa.status
    annotations = dict(hpa.metadata.annotations)
    target: int | None = None
    others = []
    for metric in spec.metrics:
        utilization = _utilization(metric, "target")
        if target is None and utilization is not None:
            target = utilization
        else:
            others.append(metric)
    utilizations = (_utilization(metric, "current") for metric in status.current_metrics)
    current = next((each for each in utilizations if each is not None), None)
    for name, value in (
        (_METRICS, others),
        (_CURRENT_METRICS, status.current_metrics),
        (_CONDITIONS, status.conditions),
        (_BEHAVIOR, spec.behavior),
    ):
        if value:
            annotations[name] = codecs.encode(value).decode()
    metadata = msgspec.structs.replace(hpa.metadata, annotations=annotations)
    reference = spec.scale_target_ref
    return autoscaling_v1.HorizontalPodAutoscaler(
        metadata=metadata,
        spec=autoscaling_v1.HorizontalPodAutoscalerSpec(
            max_replicas=spec.max_replicas,
            min_replicas=spec.min_replicas,
            scale_target_ref=autoscaling_v1.CrossVersionObjectReference(
                kind=reference.kind, api_version=reference.api_version, name=reference.name
            ),
            target_cpu_utilization_percentage=target,
        ),
        status=autoscaling_v1.HorizontalPodAutoscalerStatus(
            current_cpu_utilization_percentage=current,
            current_replicas=status.current_replicas or 0,
            desired_replicas=status.desired_replicas,
            last_scale_time=status.last_scale_time,
            observed_generation=status.observed_generation,
        ),
    )


def _carried(annotations: dict[str, str], name: str, type_: Any, default: Any) -> Any:
    try:
        return msgspec.json.decode(annotations[name].encode(), type=type_)
    except (KeyError, msgspec.MsgspecError):
        return default


def _hpa_to_v2(hpa: autoscaling_v1.HorizontalPodAutoscaler) -> autoscaling_v2.HorizontalPodAutoscaler:
    v2 = autoscaling_v2
    spec, status, annotations = hpa.spec, hpa.status, hpa.metadata.annotations
    metrics: list[Any] = []
    if spec.target_cpu_utilization_percentage is not None:
        target = v2.MetricTarget(type="Utilization", average_utilization=spec.target_cpu_utilization_percentage)
        metrics.append(v2.MetricSpec(type="Resource", resource=v2.ResourceMetricSource(name="cpu", target=target)))
    metrics += _carried(annotations, _METRICS, list[v2.MetricSpec], [])
    reference = spec.scale_target_ref
    kept = {name: value for name, value in annotations.items() if name not in _CARRIED}
    return v2.HorizontalPodAutoscaler(
        metadata=msgspec.structs.replace(hpa.metadata, annotations=kept),
        spec=v2.HorizontalPodAutoscalerSpec(
            max_replicas=spec.max_replicas,
            min_replicas=spec.min_replicas,
            scale_target_ref=v2.CrossVersionObjectReference(
                kind=reference.kind, api_version=reference.api_version, name=reference.name
            ),
            metrics=metrics,
            behavior=_carried(annotations, _BEHAVIOR, v2.HorizontalPodAutoscalerBehavior, None),
        ),
        status=v2.HorizontalPodAutoscalerStatus(
            current_replicas=status.current_replicas,
            desired_replicas=status.desired_replicas,
            last_scale_time=status.last_scale_time,
            observed_generation=status.observed_generation,
            current_metrics=_carried(annotations, _CURRENT_METRICS, list[v2.MetricStatus], []),
            conditions=_carried(annotations, _CONDITIONS, list[v2.HorizontalPodAutoscalerCondition], []),
        ),
    )


CONVERSIONS: dict[tuple[str, str], Conversion] = {
    ("events.k8s.io/v1", "Event"): Conversion(_event_to_core, _event_from_core),
    ("autoscaling/v1", "HorizontalPodAutoscaler"): Conversion(_hpa_to_v2, _hpa_from_v2),
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
        return Entry(entry.key, entry.revision, self._raw(entry), self.resource.decoder.decode)

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
        self, context: Context, namespace: str, name: str, obj: Any, *, subresource: str = ""
    ) -> tuple[Entry[Any], bool]:
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
