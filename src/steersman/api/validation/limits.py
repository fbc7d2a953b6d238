"""What namespaces allow: limit ranges and resource quotas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from steersman.api import errors, quantity
from steersman.api.types import core_v1 as v1

from . import names
from .faults import IMMUTABLE, Faults, verdict
from .resources import (
    amount,
    container_resource_name,
    overcommittable,
    quota_resource_name,
    resource_name,
    standard_for_quota,
)

_LIMIT_TYPES = ("Pod", "Container", "PersistentVolumeClaim")


class Order(NamedTuple):
    """One member of a limit is at most another; ``blamed`` is where it is said, ``shown`` whose value is."""

    low: str
    high: str
    blamed: str
    shown: str
    detail: str


_ORDERS = (
    Order("min", "max", "min", "min", "min value {} is greater than max value {}"),
    Order(
        "min",
        "defaultRequest",
        "defaultRequest",
        "defaultRequest",
        "min value {} is greater than default request value {}",
    ),
    Order(
        "defaultRequest",
        "max",
        "defaultRequest",
        "defaultRequest",
        "default request value {} is greater than max value {}",
    ),
    Order(
        "defaultRequest",
        "default",
        "defaultRequest",
        "defaultRequest",
        "default request value {} is greater than default limit value {}",
    ),
    Order("min", "default", "default", "min", "min value {} is greater than default value {}"),
    Order("default", "max", "default", "max", "default value {} is greater than max value {}"),
)


def limit_range(faults: Faults, obj: v1.LimitRange) -> None:
    seen: set[str] = set()
    for index, item in enumerate(obj.spec.limits):
        place = f"spec.limits[{index}]"
        _limit_type(faults, item.type, f"{place}.type")
        faults.unique(f"{place}.type", item.type, seen)
        _limit(faults, item, place)


def _limit_type(faults: Faults, value: str, path: str) -> None:
    if found := verdict(names.qualified_name, value):
        for fault in found:
            faults.invalid(path, value, fault)
    elif "/" not in value and value not in _LIMIT_TYPES:
        faults.invalid(path, value, "must be a standard limit type or fully qualified")


def _limit(faults: Faults, item: v1.LimitRangeItem, path: str) -> None:
    check_name = container_resource_name if item.type in ("Pod", "Container") else resource_name
    amounts: dict[str, Mapping[str, str]] = {"max": item.max, "min": item.min}
    for name, values in (("default", item.default), ("defaultRequest", item.default_request)):
        if item.type != "Pod":
            amounts[name] = values
        elif values:
            faults.forbidden(f"{path}.{name}", "may not be specified when `type` is 'Pod'")
    if item.type == "PersistentVolumeClaim" and "storage" not in {*item.min, *item.max}:
        detail = "either minimum or maximum storage value is required, but neither was provided"
        faults.append(errors.required(f"{path}.limits", detail))
    amounts["maxLimitRequestRatio"] = item.max_limit_request_ratio
    for member, given_amounts in amounts.items():
        for resource in given_amounts:
            check_name(faults, resource, f"{path}.{member}[{resource}]")
    for resource in sorted({resource for values in amounts.values() for resource in values}):
        given = {member: values[resource] for member, values in amounts.items() if resource in values}
        _one_resource(faults, resource, given, path)


def _one_resource(faults: Faults, resource: str, given: Mapping[str, str], path: str) -> None:
    """How the amounts of one resource stand to each other."""
    for order in _ORDERS:
        low, high = given.get(order.low), given.get(order.high)
        if low is not None and high is not None and quantity.parse(low) > quantity.parse(high):
            place = f"{path}.{order.blamed}[{resource}]"
            faults.invalid(place, given[order.shown], order.detail.format(low, high))
    if (ratio := given.get("maxLimitRequestRatio")) is not None:
        place = f"{path}.maxLimitRequestRatio[{resource}]"
        if quantity.parse(ratio) < 1:
            faults.invalid(place, ratio, f"ratio {ratio} is less than 1")
        least = quantity.parse(given.get("min", "0"))
        if "max" in given and least:
            most = quantity.parse(given["max"]) / least
            if quantity.parse(ratio) > most:
                faults.invalid(place, ratio, f"ratio {ratio} is greater than max/min = {float(most):f}")
    default, request = given.get("default"), given.get("defaultRequest")
    if overcommittable(resource) or default is None or request is None:
        return
    if quantity.parse(default) != quantity.parse(request):
        detail = f"default value {default} must equal to defaultRequest value {request} in {resource}"
        faults.invalid(f"{path}.defaultRequest[{resource}]", request, detail)


# -- quotas ----------------------------------------------------------------------------------------------------------

_EXISTENCE_SCOPES = ("BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity")
_SCOPES = (*_EXISTENCE_SCOPES, "PriorityClass", "VolumeAttributesClass")
_OPPOSITES = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
_COMPUTE = frozenset(("cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"))
_MUST_EXIST = (
    "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, "
    "ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity"
)


def resource_quota(faults: Faults, obj: v1.ResourceQuota) -> None:
    spec = obj.spec
    _amounts(faults, spec.hard, "spec.hard")
    for scope in spec.scopes:
        if scope not in _SCOPES:
            faults.invalid("spec.scopes", spec.scopes, "unsupported scope")
        if not _applies(scope, spec.hard):
            faults.invalid("spec.scopes", spec.scopes, "unsupported scope applied to resource")
    _conflicts(faults, set(spec.scopes), spec.scopes, "spec.scopes")
    if spec.scope_selector is not None:
        _scope_selector(faults, spec, spec.scope_selector)


def _amounts(faults: Faults, values: Mapping[str, str], path: str) -> None:
    for name, value in values.items():
        quota_resource_name(faults, name, f"{path}[{name}]")
        amount(faults, name, value, f"{path}[{name}]")


def _applies(scope: str, hard: Mapping[str, str]) -> bool:
    """Whether what a quota counts can be told apart by a scope."""
    counted = {name for name in hard if standard_for_quota(name)}
    match scope:
        case "BestEffort":
            return counted <= {"pods"}
        case "Terminating" | "NotTerminating" | "NotBestEffort" | "PriorityClass" | "CrossNamespacePodAffinity":
            return counted <= _COMPUTE | {"pods"}
        case "VolumeAttributesClass":
            return counted <= {"persistentvolumeclaims", "requests.storage"}
        case _:
            return True


def _conflicts(faults: Faults, scopes: set[str], shown: list[str], path: str) -> None:
    for pair in _OPPOSITES:
        if pair <= scopes:
            faults.invalid(path, shown, "conflicting scopes")


def _scope_selector(faults: Faults, spec: v1.ResourceQuotaSpec, selector: v1.ScopeSelector) -> None:
    path = "spec.scopeSelector.matchExpressions"
    for requirement in selector.match_expressions:
        if requirement.scope_name not in _SCOPES:
            faults.invalid(f"{path}.scopeName", requirement.scope_name, "unsupported scope")
        if not _applies(requirement.scope_name, spec.hard):
            faults.invalid(path, selector, "unsupported scope applied to resource")
        if requirement.scope_name in _EXISTENCE_SCOPES and requirement.operator != "Exists":
            faults.invalid(f"{path}.operator", requirement.operator, _MUST_EXIST)
        match requirement.operator:
            case "In" | "NotIn":
                detail = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
                faults.required(f"{path}.values", requirement.values, detail)
            case "Exists" | "DoesNotExist":
                if requirement.values:
                    detail = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
                    faults.invalid(f"{path}.values", requirement.values, detail)
            case _:
                faults.invalid(f"{path}.operator", requirement.operator, "not a valid selector operator")
    _conflicts(faults, {each.scope_name for each in selector.match_expressions}, spec.scopes, path)


def resource_quota_update(faults: Faults, new: v1.ResourceQuota, old: v1.ResourceQuota) -> None:
    if set(new.spec.scopes) != set(old.spec.scopes):
        faults.invalid("spec.scopes", new.spec.scopes, IMMUTABLE)


def resource_quota_status_update(faults: Faults, new: v1.ResourceQuota, old: v1.ResourceQuota) -> None:
    """What there is, and what is used."""
    _amounts(faults, new.status.hard, "status.hard")
    _amounts(faults, new.status.used, "status.used")
