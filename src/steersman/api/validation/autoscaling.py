"""The group autoscaling: HorizontalPodAutoscalers, in version 2 alone, which is the one that is stored."""

from __future__ import annotations

from typing import Any

from steersman.api import errors, quantity
from steersman.api.types import autoscaling_v2 as v2

from . import names
from .faults import Faults
from .resources import container_resource_name
from .rules import Rules

MAX_PERIOD_SECONDS = 1800
MAX_STABILIZATION_SECONDS = 3600

_SOURCES = {
    "ContainerResource": ("container_resource", "containerResource"),
    "External": ("external", "external"),
    "Object": ("object", "object"),
    "Pods": ("pods", "pods"),
    "Resource": ("resource", "resource"),
}
"""By a metric's type: the member that then says more."""


def autoscaler(faults: Faults, obj: v2.HorizontalPodAutoscaler) -> None:
    _spec(faults, obj.spec, 1)


def autoscaler_update(faults: Faults, new: v2.HorizontalPodAutoscaler, old: v2.HorizontalPodAutoscaler) -> None:
    _spec(faults, new.spec, 0 if old.spec.min_replicas == 0 else 1)


def autoscaler_status(faults: Faults, new: v2.HorizontalPodAutoscaler, old: v2.HorizontalPodAutoscaler) -> None:
    faults.natural("status.currentReplicas", new.status.current_replicas)
    faults.natural("status.desiredReplicas", new.status.desired_replicas)


def _spec(faults: Faults, spec: v2.HorizontalPodAutoscalerSpec, least: int) -> None:
    low, high = spec.min_replicas, spec.max_replicas
    if low is not None and low < least:
        faults.invalid("spec.minReplicas", low, f"must be greater than or equal to {least}")
    if high < 1:
        faults.invalid("spec.maxReplicas", high, "must be greater than 0")
    if low is not None and high < low:
        faults.invalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`")
    _reference(faults, spec.scale_target_ref, "spec.scaleTargetRef")
    for index, metric in enumerate(spec.metrics):
        _metric(faults, metric, f"spec.metrics[{index}]")
    if low == 0 and not any(metric.type in ("Object", "External") for metric in spec.metrics):
        faults.forbidden(
            "spec.metrics", "must specify at least one Object or External metric to support scaling to zero replicas"
        )
    if spec.behavior is not None:
        _scaling(faults, spec.behavior.scale_up, "spec.behavior.scaleUp")
        _scaling(faults, spec.behavior.scale_down, "spec.behavior.scaleDown")


def _reference(faults: Faults, reference: v2.CrossVersionObjectReference, path: str) -> None:
    faults.name(f"{path}.kind", reference.kind, names.path_segment)
    faults.name(f"{path}.name", reference.name, names.path_segment)


def _scaling(faults: Faults, rules: v2.HPAScalingRules | None, path: str) -> None:
    if rules is None:
        return
    window = rules.stabilization_window_seconds
    if window is not None and window < 0:
        faults.invalid(f"{path}.stabilizationWindowSeconds", window, "must be greater than or equal to zero")
    if window is not None and window > MAX_STABILIZATION_SECONDS:
        faults.invalid(
            f"{path}.stabilizationWindowSeconds",
            window,
            f"must be less than or equal to {MAX_STABILIZATION_SECONDS}",
        )
    faults.one_of(f"{path}.selectPolicy", rules.select_policy, ("Disabled", "Max", "Min"), optional=True)
    if rules.tolerance and quantity.parse(rules.tolerance) < 0:
        faults.invalid(f"{path}.tolerance", rules.tolerance, "must be greater or equal to zero")
    faults.required(f"{path}.policies", rules.policies, "must specify at least one Policy")
    for index, policy in enumerate(rules.policies):
        place = f"{path}.policies[{index}]"
        if policy.type not in ("Percent", "Pods"):
            faults.unsupported(f"{place}.type", policy.type, ("Percent", "Pods"))
        for name, value in (("value", policy.value), ("periodSeconds", policy.period_seconds)):
            if value <= 0:
                faults.invalid(f"{place}.{name}", value, "must be greater than zero")
        if policy.period_seconds > MAX_PERIOD_SECONDS:
            faults.invalid(
                f"{place}.periodSeconds", policy.period_seconds, f"must be less than or equal to {MAX_PERIOD_SECONDS}"
            )


def _metric(faults: Faults, metric: v2.MetricSpec, path: str) -> None:
    if not metric.type:
        faults.append(errors.required(f"{path}.type", "must specify a metric source type"))
    if metric.type not in _SOURCES:
        faults.unsupported(f"{path}.type", metric.type, _SOURCES)
    present = [name for attribute, name in _SOURCES.values() if getattr(metric, attribute) is not None]
    _source(faults, metric, path)
    if metric.type not in _SOURCES:
        faults.unsupported(f"{path}.type", metric.type, _SOURCES)
    _, expected = _SOURCES.get(metric.type, ("", ""))
    if expected and expected not in present:
        faults.append(errors.required(f"{path}.{expected}", "must populate information for the given metric source"))
    if len(present) != 1:
        for name in present:
            if name != expected:
                faults.forbidden(f"{path}.{name}", "must populate the given metric source only")


def _source(faults: Faults, metric: v2.MetricSpec, path: str) -> None:
    """The first of the members that are there; others are refused anyway."""
    if (described := metric.object) is not None:
        place = f"{path}.object"
        _reference(faults, described.described_object, f"{place}.describedObject")
        _identifier(faults, described.metric, f"{place}.metric")
        _target(faults, described.target, f"{place}.target")
        if not described.target.value and not described.target.average_value:
            faults.append(
                errors.required(f"{place}.target.averageValue", "must set either a target value or averageValue")
            )
    elif (external := metric.external) is not None:
        place = f"{path}.external"
        _identifier(faults, external.metric, f"{place}.metric")
        _target(faults, external.target, f"{place}.target")
        if not external.target.value and not external.target.average_value:
            faults.append(
                errors.required(
                    f"{place}.target.averageValue", "must set either a target value for metric or a per-pod target"
                )
            )
        if external.target.value and external.target.average_value:
            faults.forbidden(f"{place}.target.value", "may not set both a target value for metric and a per-pod target")
    elif (pods := metric.pods) is not None:
        place = f"{path}.pods"
        _identifier(faults, pods.metric, f"{place}.metric")
        _target(faults, pods.target, f"{place}.target")
        if not pods.target.average_value:
            faults.append(
                errors.required(f"{place}.target.averageValue", "must specify a positive target averageValue")
            )
    elif (resource := metric.resource) is not None:
        faults.required(f"{path}.resource.name", resource.name, "must specify a resource name")
        _usage(faults, resource.target, f"{path}.resource.target")
    elif (contained := metric.container_resource) is not None:
        place = f"{path}.containerResource"
        if faults.required(f"{place}.name", contained.name, "must specify a resource name"):
            container_resource_name(faults, contained.name, f"{place}.name")
        faults.name(f"{place}.container", contained.container, names.dns1123_label, "must specify a container")
        _usage(faults, contained.target, f"{place}.target")


def _usage(faults: Faults, target: v2.MetricTarget, path: str) -> None:
    """A target of resources: a share of what is requested, or an amount."""
    _target(faults, target, path)
    if target.average_utilization is None and not target.average_value:
        faults.append(
            errors.required(f"{path}.averageUtilization", "must set either a target raw value or a target utilization")
        )
    if target.average_utilization is not None and target.average_value:
        faults.forbidden(f"{path}.averageValue", "may not set both a target raw value and a target utilization")


def _target(faults: Faults, target: v2.MetricTarget, path: str) -> None:
    if not target.type:
        faults.append(errors.required(f"{path}.type", "must specify a metric target type"))
    if target.type not in ("Utilization", "Value", "AverageValue"):
        faults.invalid(f"{path}.type", target.type, "must be either Utilization, Value, or AverageValue")
    for name, amount in (("value", target.value), ("averageValue", target.average_value)):
        if amount and quantity.parse(amount) <= 0:
            faults.invalid(f"{path}.{name}", amount, "must be positive")
    if target.average_utilization is not None and target.average_utilization < 1:
        faults.invalid(f"{path}.averageUtilization", target.average_utilization, "must be greater than 0")


def _identifier(faults: Faults, metric: v2.MetricIdentifier, path: str) -> None:
    faults.name(f"{path}.name", metric.name, names.path_segment, "must specify a metric name")


TABLE: dict[type[Any], Rules] = {
    v2.HorizontalPodAutoscaler: Rules(
        autoscaler, autoscaler_update, subresources={"status": autoscaler_status}, recheck=False
    ),
}
