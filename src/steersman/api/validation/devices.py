"""The group resource.k8s.io: claims on devices and classes of them (KEP-4381).  Slices: :mod:`.resource_slices`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from steersman.api import errors
from steersman.api.types import resource_v1 as v1
from steersman.api.types import resource_v1alpha3

from . import addresses, meta, names
from .faults import Faults
from .forms import conditions
from .placement import node_selector
from .resource_slices import (
    binding_conditions,
    device_taint,
    fully_qualified_name,
    pool_name,
    resource_slice,
    resource_slice_update,
)
from .rules import Rules
from .storage import driver_name

T = TypeVar("T")

MAX_REQUESTS = 32
MAX_SELECTORS = 32
MAX_CONSTRAINTS = 32
MAX_CONFIGS = 32
MAX_SUBREQUESTS = 8
MAX_RESERVED = 256
MAX_EXPRESSION = 10 * 1024
MAX_PARAMETERS = 10 * 1024
MAX_CONDITIONS = 8
MAX_IPS = 16

_EFFECTS = ("NoExecute", "NoSchedule", "None")
_UID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_ANY_UID = re.compile(
    r"[0-9a-f]{32}|(?P<brace>\{)?(urn:uuid:)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?(brace)\})", re.ASCII | re.I
)
"""What Go's ``uuid`` takes for one."""

Requests = dict[str, set[str]]
"""The names of requests, and of the alternatives that each has."""


def _each(
    faults: Faults, values: list[T], limit: int, path: str, check: Callable[[Faults, T, str], None]
) -> Iterable[T]:
    """Check every item, unless there are too many; the items that were checked."""
    if not faults.fewer(path, len(values), limit):
        return ()
    for index, value in enumerate(values):
        check(faults, value, f"{path}[{index}]")
    return values


def _distinct(faults: Faults, keys: Iterable[Any], path: str) -> None:
    seen: set[Any] = set()
    for index, key in enumerate(keys):
        faults.unique(f"{path}[{index}]", key, seen)


# -- claims ----------------------------------------------------------------------------------------------------------


def claim(faults: Faults, obj: v1.ResourceClaim) -> None:
    claim_spec(faults, obj.spec, "spec")


def claim_spec(faults: Faults, spec: v1.ResourceClaimSpec, path: str) -> None:
    devices = spec.devices or v1.DeviceClaim()
    place = f"{path}.devices"
    known = _request_names(devices)
    checked = _each(faults, devices.requests, MAX_REQUESTS, f"{place}.requests", _request)
    _distinct(faults, (request.name for request in checked), f"{place}.requests")

    def constraint(faults: Faults, value: v1.DeviceConstraint, where: str) -> None:
        _references(faults, value.requests, f"{where}.requests", known)
        if value.match_attribute:
            fully_qualified_name(faults, value.match_attribute, f"{where}.matchAttribute")
        elif value.distinct_attribute:
            fully_qualified_name(faults, value.distinct_attribute, f"{where}.distinctAttribute")
        else:
            detail = 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'
            faults.append(errors.required(where, detail))

    def config(faults: Faults, value: v1.DeviceClaimConfiguration, where: str) -> None:
        _references(faults, value.requests, f"{where}.requests", known)
        _opaque(faults, value.opaque, where)

    _each(faults, devices.constraints, MAX_CONSTRAINTS, f"{place}.constraints", constraint)
    _each(faults, devices.config, MAX_CONFIGS, f"{place}.config", config)


def _request_names(devices: v1.DeviceClaim) -> Requests:
    return {request.name: {each.name for each in request.first_available} for request in devices.requests}


def _request(faults: Faults, request: v1.DeviceRequest, path: str) -> None:
    faults.grammar(f"{path}.name", request.name, names.dns1123_label)
    either = "exactly one of `exactly` or `firstAvailable` is required"
    if request.exactly is None and not request.first_available:
        faults.append(errors.required(path, either))
    elif request.exactly is not None and request.first_available:
        faults.invalid(path, None, f"{either}, but multiple fields are set")
    elif request.exactly is not None:
        _device_request(faults, request.exactly, f"{path}.exactly")
    else:
        place = f"{path}.firstAvailable"
        checked = _each(faults, request.first_available, MAX_SUBREQUESTS, place, _subrequest)
        _distinct(faults, (each.name for each in checked), place)


def _subrequest(faults: Faults, request: v1.DeviceSubRequest, path: str) -> None:
    faults.grammar(f"{path}.name", request.name, names.dns1123_label)
    _device_request(faults, request, path)


def _device_request(faults: Faults, request: v1.ExactDeviceRequest | v1.DeviceSubRequest, path: str) -> None:
    faults.name(f"{path}.deviceClassName", request.device_class_name, names.dns1123_subdomain)
    _each(faults, request.selectors, MAX_SELECTORS, f"{path}.selectors", _selector)
    mode, count = request.allocation_mode, request.count or 0
    if mode == "All":
        if count:
            faults.invalid(f"{path}.count", count, "must not be specified when allocationMode is 'All'")
    elif mode == "ExactCount":
        if count <= 0:
            faults.invalid(f"{path}.count", count, "must be greater than zero")
    else:
        faults.unsupported(f"{path}.allocationMode", mode, ("All", "ExactCount"))
    for index, toleration in enumerate(request.tolerations):
        _toleration(faults, toleration, f"{path}.tolerations[{index}]")


def _selector(faults: Faults, selector: v1.DeviceSelector, path: str) -> None:
    """Whether the expression is CEL is not looked at here."""
    if selector.cel is None:
        faults.append(errors.required(f"{path}.cel"))
    else:
        faults.shorter(f"{path}.cel.expression", selector.cel.expression, MAX_EXPRESSION)


def _toleration(faults: Faults, toleration: v1.DeviceToleration, path: str) -> None:
    if toleration.key:
        faults.grammar(f"{path}.key", toleration.key, names.qualified_name)
    if toleration.operator == "Exists":
        if toleration.value:
            faults.invalid(f"{path}.value", toleration.value, "must be empty for operator `Exists`")
    elif toleration.operator == "Equal":
        faults.grammar(f"{path}.value", toleration.value, names.label_value)
    elif faults.required(f"{path}.operator", toleration.operator):
        faults.unsupported(f"{path}.operator", toleration.operator, ("Equal", "Exists"))
    faults.one_of(f"{path}.effect", toleration.effect, _EFFECTS, optional=True)


def _references(faults: Faults, values: list[str], path: str, known: Requests) -> None:
    def reference(faults: Faults, value: str, where: str) -> None:
        _reference(faults, value, where, known)

    _distinct(faults, _each(faults, values, MAX_REQUESTS, path, reference), path)


def _reference(faults: Faults, value: str, path: str, known: Requests) -> None:
    """``request`` or ``request/alternative``."""
    parts = value.split("/")
    detail = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'"
    if len(parts) > 2:
        faults.invalid(path, value, detail)
        return
    for part in parts:
        faults.grammar(path, part, names.dns1123_label)
    if parts[0] not in known or (len(parts) == 2 and parts[1] not in known[parts[0]]):
        faults.invalid(path, value, detail)


def _opaque(faults: Faults, opaque: v1.OpaqueDeviceConfiguration | None, path: str) -> None:
    if opaque is None:
        faults.append(errors.required(f"{path}.opaque"))
        return
    driver_name(faults, f"{path}.opaque.driver", opaque.driver)
    place = f"{path}.opaque.parameters"
    if faults.required(place, opaque.parameters):
        faults.shorter(place, msgspec.json.encode(opaque.parameters), MAX_PARAMETERS)


def spec_update(faults: Faults, new: Any, old: Any) -> None:
    faults.immutable("spec", new.spec, old.spec)


# -- the status of claims --------------------------------------------------------------------------------------------


def claim_status(faults: Faults, new: v1.ResourceClaim, old: v1.ResourceClaim) -> None:
    status, before = new.status, old.status
    checked = _each(faults, status.reserved_for, MAX_RESERVED, "status.reservedFor", _consumer)
    _distinct(faults, (each.uid for each in checked), "status.reservedFor")
    results = status.allocation.devices.results if status.allocation and status.allocation.devices else []
    allocated = {(each.driver, each.pool, each.device, each.share_id) for each in results}
    for index, device in enumerate(status.devices):
        _device_status(faults, device, f"status.devices[{index}]", allocated)
    keys = ((each.driver, each.pool, each.device, each.share_id) for each in status.devices)
    _distinct(faults, keys, "status.devices")
    if status.reserved_for:
        if status.allocation is None:
            faults.forbidden("status.reservedFor", "may not be specified when `allocated` is not set")
        elif new.metadata.deletion_timestamp is not None and any(
            each not in before.reserved_for for each in status.reserved_for
        ):
            faults.forbidden(
                "status.reservedFor",
                "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set",
            )
    if status.allocation is not None:
        if before.allocation is not None:
            faults.immutable("status.allocation", status.allocation, before.allocation)
        else:
            _allocation(faults, status.allocation, new.spec, "status.allocation")


def _consumer(faults: Faults, consumer: v1.ResourceClaimConsumerReference, path: str) -> None:
    for name in ("resource", "name", "uid"):
        faults.required(f"{path}.{name}", getattr(consumer, name))


def _allocation(faults: Faults, allocation: v1.AllocationResult, spec: v1.ResourceClaimSpec, path: str) -> None:
    known = _request_names(spec.devices or v1.DeviceClaim())
    devices = allocation.devices or v1.DeviceAllocationResult()

    def result(faults: Faults, value: v1.DeviceRequestAllocationResult, where: str) -> None:
        _reference(faults, value.request, f"{where}.request", known)
        driver_name(faults, f"{where}.driver", value.driver)
        pool_name(faults, value.pool, f"{where}.pool")
        faults.grammar(f"{where}.device", value.device, names.dns1123_label)
        binding_conditions(faults, value.binding_conditions, value.binding_failure_conditions, where)
        _share(faults, value.share_id, where)

    def config(faults: Faults, value: v1.DeviceAllocationConfiguration, where: str) -> None:
        if faults.required(f"{where}.source", value.source) and value.source not in ("FromClaim", "FromClass"):
            faults.unsupported(f"{where}.source", value.source, ("FromClaim", "FromClass"))
        _references(faults, value.requests, f"{where}.requests", known)
        _opaque(faults, value.opaque, where)

    _each(faults, devices.results, MAX_REQUESTS, f"{path}.devices.results", result)
    _each(faults, devices.config, 2 * MAX_CONFIGS, f"{path}.devices.config", config)
    if allocation.node_selector is not None:
        node_selector(faults, allocation.node_selector, f"{path}.nodeSelector")


def _share(faults: Faults, share: str, path: str) -> None:
    if not share:
        return
    if len(share) not in (32, 36, 38, 45):
        faults.invalid(f"{path}.shareID", share, f"error validating uid: invalid UUID length: {len(share)}")
    elif not _ANY_UID.fullmatch(share):
        faults.invalid(f"{path}.shareID", share, "error validating uid: invalid UUID format")
    elif not _UID.fullmatch(share):
        faults.invalid(
            f"{path}.shareID",
            share,
            "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase "
            "hexadecimal characters",
        )


def _device_status(
    faults: Faults, device: v1.AllocatedDeviceStatus, path: str, allocated: set[tuple[str, str, str, str]]
) -> None:
    driver_name(faults, f"{path}.driver", device.driver)
    pool_name(faults, device.pool, f"{path}.pool")
    faults.grammar(f"{path}.device", device.device, names.dns1123_label)
    _share(faults, device.share_id, path)
    if (device.driver, device.pool, device.device, device.share_id) not in allocated:
        shown = "/".join(filter(None, (device.driver, device.pool, device.device, device.share_id)))
        faults.invalid(path, shown, "must be an allocated device in the claim")
    faults.fewer(f"{path}.conditions", len(device.conditions), MAX_CONDITIONS)
    conditions(faults, device.conditions, f"{path}.conditions")
    if device.data:
        faults.shorter(f"{path}.data", msgspec.json.encode(device.data), MAX_PARAMETERS)
    network = device.network_data
    if network is None:
        return
    faults.shorter(f"{path}.networkData.interfaceName", network.interface_name, 256)
    faults.shorter(f"{path}.networkData.hardwareAddress", network.hardware_address, 128)
    place = f"{path}.networkData.ips"
    if faults.fewer(place, len(network.ips), MAX_IPS):
        for index, address in enumerate(network.ips):
            faults.grammar(f"{place}[{index}]", address, addresses.interface)
        _distinct(faults, network.ips, place)


# -- templates, classes, taints --------------------------------------------------------------------------------------


def claim_template(faults: Faults, obj: v1.ResourceClaimTemplate) -> None:
    faults.labels("spec.metadata.labels", obj.spec.metadata.labels)
    meta.annotation_rules(faults, obj.spec.metadata, "spec.metadata.annotations")
    claim_spec(faults, obj.spec.spec, "spec.spec")


def device_class(faults: Faults, obj: v1.DeviceClass) -> None:
    def config(faults: Faults, value: v1.DeviceClassConfiguration, where: str) -> None:
        _opaque(faults, value.opaque, where)

    _each(faults, obj.spec.selectors, MAX_SELECTORS, "spec.selectors", _selector)
    _each(faults, obj.spec.config, MAX_CONFIGS, "spec.config", config)
    name = obj.spec.extended_resource_name
    if name and not _extended(name):
        faults.invalid("spec.extendedResourceName", name, "must be a valid extended resource name")


def _extended(name: str) -> bool:
    """Whether a resource is nobody's but a vendor's."""
    domain, slash, _ = name.partition("/")
    if not slash or domain.endswith("kubernetes.io") or name.startswith("requests."):
        return False
    return not tuple(names.qualified_name(f"requests.{name}"))


def taint_rule(faults: Faults, obj: resource_v1alpha3.DeviceTaintRule) -> None:
    selector = obj.spec.device_selector
    if selector is not None:
        place = "spec.deviceSelector"
        if selector.driver:
            driver_name(faults, f"{place}.driver", selector.driver)
        if selector.pool:
            pool_name(faults, selector.pool, f"{place}.pool")
        if selector.device:
            faults.grammar(f"{place}.device", selector.device, names.dns1123_label)
    device_taint(faults, obj.spec.taint, "spec.taint")


def taint_rule_status(
    faults: Faults, new: resource_v1alpha3.DeviceTaintRule, old: resource_v1alpha3.DeviceTaintRule
) -> None:
    conditions(faults, new.status.conditions, "status.conditions")
    faults.fewer("status.conditions", len(new.status.conditions), MAX_CONDITIONS)


TABLE: dict[type[Any], Rules] = {
    resource_v1alpha3.DeviceTaintRule: Rules(taint_rule, subresources={"status": taint_rule_status}),
    v1.DeviceClass: Rules(device_class),
    v1.ResourceClaim: Rules(claim, spec_update, subresources={"status": claim_status}, recheck=False),
    v1.ResourceClaimTemplate: Rules(claim_template, spec_update, recheck=False),
    v1.ResourceSlice: Rules(resource_slice, resource_slice_update),
}
