"""HorizontalPodAutoscalers of version 1, made of version 2 and back.

Version 1 knows one target, of CPU.  What else there is travels in annotations, whose JSON has a form of its own:
metrics are flat (``autoscaling/v1``'s unpublished ``MetricSpec``), and the members of a behavior have Go's names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from steersman.api import codecs, quantity
from steersman.api.errors import StatusError
from steersman.api.types import autoscaling_v1 as v1
from steersman.api.types import autoscaling_v2 as v2

_PREFIX = "autoscaling.alpha.kubernetes.io"
_METRICS = f"{_PREFIX}/metrics"
_CURRENT_METRICS = f"{_PREFIX}/current-metrics"
_CONDITIONS = f"{_PREFIX}/conditions"
_BEHAVIOR = f"{_PREFIX}/behavior"
_CARRIED = (_METRICS, _CURRENT_METRICS, _CONDITIONS, _BEHAVIOR)

_BEHAVIOR_MEMBERS = ("scaleUp", "scaleDown")
_RULE_MEMBERS = ("stabilizationWindowSeconds", "selectPolicy", "policies", "tolerance")


class _Member(NamedTuple):
    """Where a member of a flat metric is in the nested one; a required quantity is there even if it is 0."""

    name: str
    path: tuple[str, ...]
    required: bool = False


def _flat(amount: str, members: Iterable[tuple[str, str]], required: str = "") -> tuple[_Member, ...]:
    """The members of a metric's amounts, all of which are under ``target`` or ``current``."""
    return tuple(_Member(name, (amount, path), name == required) for name, path in members)


_SELECTOR = ("metric", "selector")
_DESCRIBED = (_Member("target", ("describedObject",)), _Member("metricName", ("metric", "name")))
_NAMED = (_Member("metricName", ("metric", "name")),)
_RESOURCE = (_Member("name", ("name",)),)
_CONTAINER = (_Member("container", ("container",)),)

_SOURCES: dict[str, tuple[_Member, ...]] = {
    "object": (
        *_DESCRIBED,
        *_flat("target", [("targetValue", "value")], "targetValue"),
        _Member("selector", _SELECTOR),
        *_flat("target", [("averageValue", "averageValue")]),
    ),
    "pods": (
        *_NAMED,
        *_flat("target", [("targetAverageValue", "averageValue")], "targetAverageValue"),
        _Member("selector", _SELECTOR),
    ),
    "resource": (
        *_RESOURCE,
        *_flat(
            "target",
            [("targetAverageUtilization", "averageUtilization"), ("targetAverageValue", "averageValue")],
        ),
    ),
    "containerResource": (
        *_RESOURCE,
        *_flat(
            "target",
            [("targetAverageUtilization", "averageUtilization"), ("targetAverageValue", "averageValue")],
        ),
        *_CONTAINER,
    ),
    "external": (
        *_NAMED,
        _Member("metricSelector", _SELECTOR),
        *_flat("target", [("targetValue", "value"), ("targetAverageValue", "averageValue")]),
    ),
}
_STATUSES: dict[str, tuple[_Member, ...]] = {
    "object": (
        *_DESCRIBED,
        *_flat("current", [("currentValue", "value")], "currentValue"),
        _Member("selector", _SELECTOR),
        *_flat("current", [("averageValue", "averageValue")]),
    ),
    "pods": (
        *_NAMED,
        *_flat("current", [("currentAverageValue", "averageValue")], "currentAverageValue"),
        _Member("selector", _SELECTOR),
    ),
    "resource": (
        *_RESOURCE,
        *_flat(
            "current",
            [("currentAverageUtilization", "averageUtilization"), ("currentAverageValue", "averageValue")],
            "currentAverageValue",
        ),
    ),
    "containerResource": (
        *_RESOURCE,
        *_flat(
            "current",
            [("currentAverageUtilization", "averageUtilization"), ("currentAverageValue", "averageValue")],
            "currentAverageValue",
        ),
        *_CONTAINER,
    ),
    "external": (
        *_NAMED,
        _Member("metricSelector", _SELECTOR),
        *_flat("current", [("currentValue", "value"), ("currentAverageValue", "averageValue")], "currentValue"),
    ),
}
"""By the member of a metric that says more: what it is made of in version 1, in that version's order."""


def _flattened(metric: Any, table: Mapping[str, tuple[_Member, ...]]) -> dict[str, Any]:
    tree = codecs.to_builtins(metric)
    found: dict[str, Any] = {"type": metric.type}
    for kind, members in table.items():
        if kind not in tree:
            continue
        flat = found[kind] = {}
        for member in members:
            value: Any = tree[kind]
            for step in member.path:
                value = value.get(step) if value else None
            if value is not None or member.required:
                flat[member.name] = "0" if value is None else value
    return found


def _nested(flat: Mapping[str, Any], table: Mapping[str, tuple[_Member, ...]]) -> dict[str, Any]:
    found: dict[str, Any] = {"type": flat.get("type", "")}
    for kind, members in table.items():
        if not isinstance(given := flat.get(kind), dict):
            continue
        metric = found[kind] = {}
        for member in members:
            if (value := given.get(member.name)) is not None:
                place = metric
                for step in member.path[:-1]:
                    place = place.setdefault(step, {})
                place[member.path[-1]] = value
        if table is _SOURCES:
            _complete_target(kind, metric.setdefault("target", {}))
    return found


def _complete_target(kind: str, target: dict[str, Any]) -> None:
    """Version 1 does not say of which type a target is; and a total of 0 says that there is none but an average."""
    if kind == "object" and "averageValue" in target and quantity.parse(str(target.get("value", "0"))) == 0:
        target.pop("value", None)
    if "averageUtilization" in target:
        target["type"] = "Utilization"
    elif kind == "object":
        target["type"] = "AverageValue" if "averageValue" in target else "Value"
    else:
        target["type"] = "Value" if "value" in target else "AverageValue"


def _exported(behavior: v2.HorizontalPodAutoscalerBehavior) -> dict[str, Any]:
    """The behavior as Go encodes what has no names for JSON: every member, capitalized."""
    tree = codecs.to_builtins(behavior)
    found: dict[str, Any] = {}
    for member in _BEHAVIOR_MEMBERS:
        rules = tree.get(member)
        found[_capitalized(member)] = rules and {_capitalized(name): rules.get(name) for name in _RULE_MEMBERS} | {
            "Policies": [{_capitalized(name): value for name, value in each.items()} for each in rules["policies"]]
            if rules.get("policies")
            else None
        }
    return found


def _capitalized(name: str) -> str:
    return name[:1].upper() + name[1:]


def _imported(tree: Any) -> Any:
    """JSON with members in Go's names, in those of the API."""
    if isinstance(tree, dict):
        return {key[:1].lower() + key[1:]: _imported(value) for key, value in tree.items() if value is not None}
    return [_imported(each) for each in tree] if isinstance(tree, list) else tree


def _cpu(metrics: Iterable[Any]) -> Iterable[Any]:
    """What the metrics of CPU say of it."""
    for metric in metrics:
        if metric.type == "Resource" and metric.resource is not None and metric.resource.name == "cpu":
            yield metric.resource


def _utilization(metric: v2.MetricSpec) -> bool:
    """Whether this is what version 1 has a member for."""
    return any(cpu.target.average_utilization is not None for cpu in _cpu([metric]))


def to_v1(autoscaler: v2.HorizontalPodAutoscaler) -> v1.HorizontalPodAutoscaler:
    """The stored object as version 1 shows it."""
    spec, status = autoscaler.spec, autoscaler.status
    annotations = {name: value for name, value in autoscaler.metadata.annotations.items() if name not in _CARRIED}
    first = next(iter(_cpu(spec.metrics)), None)
    present = [cpu.current.average_utilization for cpu in _cpu(status.current_metrics)]
    others = [metric for metric in spec.metrics if not _utilization(metric)]
    for name, value in (
        (_METRICS, [_flattened(metric, _SOURCES) for metric in others]),
        (_CURRENT_METRICS, [_flattened(metric, _STATUSES) for metric in status.current_metrics]),
        (_CONDITIONS, status.conditions),
        (_BEHAVIOR, _exported(spec.behavior) if spec.behavior is not None else None),
    ):
        if value:
            annotations[name] = codecs.encode(value).decode()
    reference = spec.scale_target_ref
    return v1.HorizontalPodAutoscaler(
        metadata=msgspec.structs.replace(autoscaler.metadata, annotations=annotations),
        spec=v1.HorizontalPodAutoscalerSpec(
            max_replicas=spec.max_replicas,
            min_replicas=spec.min_replicas,
            scale_target_ref=v1.CrossVersionObjectReference(
                kind=reference.kind, api_version=reference.api_version, name=reference.name
            ),
            target_cpu_utilization_percentage=first.target.average_utilization if first is not None else None,
        ),
        status=v1.HorizontalPodAutoscalerStatus(
            current_cpu_utilization_percentage=next((each for each in reversed(present) if each is not None), None),
            current_replicas=status.current_replicas or 0,
            desired_replicas=status.desired_replicas,
            last_scale_time=status.last_scale_time,
            observed_generation=status.observed_generation,
        ),
    )


def to_v2(autoscaler: v1.HorizontalPodAutoscaler) -> v2.HorizontalPodAutoscaler:
    """What is stored of an object of version 1.  Annotations that cannot be read say nothing."""
    spec, status, annotations = autoscaler.spec, autoscaler.status, autoscaler.metadata.annotations
    metrics = _metrics(annotations, _METRICS, list[v2.MetricSpec], _SOURCES) or []
    if spec.target_cpu_utilization_percentage is not None:
        target = v2.MetricTarget(type="Utilization", average_utilization=spec.target_cpu_utilization_percentage)
        metrics.append(v2.MetricSpec(type="Resource", resource=v2.ResourceMetricSource(name="cpu", target=target)))
    current = _metrics(annotations, _CURRENT_METRICS, list[v2.MetricStatus], _STATUSES)
    if current is None and status.current_cpu_utilization_percentage is not None:
        value = v2.MetricValueStatus(average_utilization=status.current_cpu_utilization_percentage)
        current = [v2.MetricStatus(type="Resource", resource=v2.ResourceMetricStatus(name="cpu", current=value))]
    behavior = _read(v2.HorizontalPodAutoscalerBehavior, _imported(_parsed(annotations.get(_BEHAVIOR))))
    reference = spec.scale_target_ref
    kept = {name: value for name, value in annotations.items() if name not in _CARRIED}
    return v2.HorizontalPodAutoscaler(
        metadata=msgspec.structs.replace(autoscaler.metadata, annotations=kept),
        spec=v2.HorizontalPodAutoscalerSpec(
            max_replicas=spec.max_replicas,
            min_replicas=spec.min_replicas,
            scale_target_ref=v2.CrossVersionObjectReference(
                kind=reference.kind, api_version=reference.api_version, name=reference.name
            ),
            metrics=metrics,
            behavior=behavior if behavior != v2.HorizontalPodAutoscalerBehavior() else None,
        ),
        status=v2.HorizontalPodAutoscalerStatus(
            current_replicas=status.current_replicas,
            desired_replicas=status.desired_replicas,
            last_scale_time=status.last_scale_time,
            observed_generation=status.observed_generation,
            current_metrics=current or [],
            conditions=_read(list[v2.HorizontalPodAutoscalerCondition], _parsed(annotations.get(_CONDITIONS))) or [],
        ),
    )


def _metrics(
    annotations: Mapping[str, str], name: str, type_: type[list[Any]], table: Mapping[str, tuple[_Member, ...]]
) -> list[Any] | None:
    flat = _parsed(annotations.get(name))
    if not isinstance(flat, list) or not all(isinstance(each, dict) for each in flat):
        return None
    found: list[Any] | None = _read(type_, [_nested(each, table) for each in flat])
    return found


def _parsed(text: str | None) -> Any:
    try:
        return msgspec.json.decode(text) if text else None
    except msgspec.DecodeError:
        return None


def _read(type_: Any, tree: Any) -> Any:
    if tree is None:
        return None
    try:
        return codecs.from_builtins(type_, tree)
    except StatusError:
        return None
